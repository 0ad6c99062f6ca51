//! Saved states of VirtualBox (`.sav`), by what its SSM.cpp and PGMSavedState.cpp say of the format.

use super::Machine;
use super::lzf::lzf;
use crate::address::{PAGE_SIZE, Pfn};
use crate::bytes::{Crc32, count, low32, put, put_u16, put_u32, put_u64};

/// How a state is written.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// The version of the unit of memory.
    pub version: u32,
    /// Whether the machine ran: then memory is in passes, and what is in one pass may be otherwise in a later one.
    pub live: bool,
    /// Whether pointers have four bytes, as in states of 32-bit hosts.
    pub narrow: bool,
    /// Whether there are checksums of the stream.
    pub summed: bool,
    /// Whether records end wherever they like, as no version of VirtualBox writes them, but may.
    pub split: bool,
    /// How many pages behind the last one the machine gave to its host.
    pub ballooned: u64,
}

impl Style {
    /// A machine that stood still, saved by a current version.
    #[must_use]
    pub fn stopped() -> Style {
        Style {
            version: 14,
            live: false,
            narrow: false,
            summed: true,
            split: false,
            ballooned: 0,
        }
    }
}

/// A state as written.
#[derive(Clone, Debug, Default)]
pub struct Written {
    /// The file.
    pub bytes: Vec<u8>,
    /// Where the headers of units begin, with their names.
    pub units: Vec<(usize, &'static str)>,
    /// Where the records of pages begin, and how many bytes they have.
    pub pages: Vec<(usize, usize)>,
}

const FINAL: u32 = u32::MAX;

/// Writes the state of a machine.
#[must_use]
pub fn saved(machine: Machine<'_>, style: Style) -> Written {
    let mut file = File::new(style);
    file.unit("SSM", 2, FINAL, |unit| unit.small(b"\x04\0\0\0Host\x03\0\0\0x64"));
    // A unit of another kind, in which are records of each type.
    file.unit("mm", 2, FINAL, |unit| {
        unit.big(&[0x5a; 0x1000]);
        unit.big(&[0; 0x1000]);
        unit.big(&[7; 0x234]);
    });
    let frames: Vec<Pfn> = machine.memory.frames().map(|(frame, _)| frame).collect();
    if style.live {
        passes(&mut file, machine, &frames, style);
    } else {
        file.unit("pgm", style.version, FINAL, |unit| {
            structures(unit, machine, style);
            ranges(unit, &frames);
            devices(unit);
            for &frame in &frames {
                unit.page(
                    frame,
                    &Was::Now(machine.memory.frame(frame).expect("it is there")),
                );
            }
            ballooned(unit, &frames, style);
            unit.small(&[0xff]);
        });
    }
    file.unit("cpum", 20, FINAL, |unit| {
        unit.small(&low32(count(machine.processors.len())).to_le_bytes());
    });
    file.finish()
}

/// Passes 0 to 2 and the final one. What is in a pass that another one follows is not what it becomes.
fn passes(file: &mut File, machine: Machine<'_>, frames: &[Pfn], style: Style) {
    let page = |frame: Pfn| machine.memory.frame(frame).expect("it is there");
    for pass in [0, 1, 2, FINAL] {
        file.unit("pgm", style.version, pass, |unit| {
            match pass {
                FINAL => structures(unit, machine, style),
                0 => ranges(unit, frames),
                _ => {}
            }
            if pass != FINAL || frames.len().is_multiple_of(2) {
                devices(unit);
            }
            for (number, &frame) in frames.iter().enumerate() {
                // Pages of the final pass alone, of two passes, of three, and ones that never changed.
                let last = [0, 1, 2, FINAL][number % 4];
                if last == pass {
                    unit.page(frame, &Was::Now(page(frame)));
                } else if last > pass && number % 7 != 3 {
                    let older = page(frame).map(|byte| byte ^ 0xaa);
                    let was = [Was::Now(&older), Was::Zeros, Was::Ballooned];
                    unit.page(frame, &was[(number / 4 + pass as usize) % 3]);
                }
            }
            match pass {
                FINAL => ballooned(unit, frames, style),
                // What a machine gives to its host later is its own before.
                0 => {
                    let last = frames.last().expect("a machine has memory").0;
                    for frame in last + 1..=last + style.ballooned {
                        unit.page(Pfn(frame), &Was::Now(&[0xb0; 0x1000]));
                    }
                }
                _ => {}
            }
            unit.small(&[0xff]);
        });
    }
}

/// The structure of the machine, those of its processors, and mappings of older versions.
fn structures(unit: &mut Unit<'_>, machine: Machine<'_>, style: Style) {
    let begin = 0x1920_0102_u32.to_le_bytes();
    let end = 0x1992_0406_u32.to_le_bytes();
    let pointer = if style.narrow { 4 } else { 8 };
    unit.small(&begin);
    unit.small(&[1]);
    unit.small(&0xa000_0000_u64.to_le_bytes()[..pointer]);
    unit.small(&0x40_0000_u32.to_le_bytes());
    if style.version >= 12 {
        unit.small(&low32(style.ballooned).to_le_bytes());
    }
    unit.small(&end);
    for processor in machine.processors {
        unit.small(&begin);
        unit.small(&[1]);
        unit.small(&u64::MAX.to_le_bytes());
        unit.small(&9_u32.to_le_bytes());
        if style.version >= 14 {
            for table in 0..4 {
                unit.small(&(processor.cr3 + table).to_le_bytes());
            }
        }
        unit.small(&end);
    }
    if style.version <= 13 {
        for (number, name) in ["Virgin", "Nested"].into_iter().enumerate() {
            unit.small(&low32(count(number)).to_le_bytes());
            unit.text(name);
            unit.small(&0xa000_0000_u64.to_le_bytes()[..pointer]);
            unit.small(&8_u64.to_le_bytes()[..pointer]);
        }
        unit.small(&[0xff; 4]);
    }
}

/// How large memory is, and where ROM and devices are.
fn ranges(unit: &mut Unit<'_>, frames: &[Pfn]) {
    unit.small(&0x2000_0000_u32.to_le_bytes());
    let last = frames.last().expect("a machine has memory").0;
    unit.small(&((last + 1) * PAGE_SIZE).to_le_bytes());
    for (id, name, address) in [(1, "PC BIOS - F-seg", 0xf_0000_u64), (2, "VGA BIOS", 0xc_0000)] {
        unit.small(&[id]);
        unit.text("");
        unit.small(&[0; 5]);
        unit.text(name);
        unit.small(&address.to_le_bytes());
        unit.small(&0x1_0000_u64.to_le_bytes());
    }
    unit.small(&[0xff]);
    unit.small(&[1]);
    unit.text("vga");
    unit.small(&[0; 5]);
    unit.text("VRam");
    unit.small(&0x80_0000_u64.to_le_bytes());
    unit.small(&[0xff]);
}

/// Page records of ROM and of devices, some with their place and some without.
fn devices(unit: &mut Unit<'_>) {
    let rom = [0xf4; 0x1000];
    for (kind, page, bytes) in [
        (0x84, Some(0), true),
        (4, None, true),
        (0x85, Some(3), true),
        (0x86, Some(5), false),
        (7, None, false),
    ] {
        unit.small(&[kind]);
        unit.place(1, page);
        unit.small(&[1]);
        if bytes {
            unit.big(&rom);
        }
    }
    for (kind, page, bytes) in [
        (0x82, Some(7), true),
        (2, None, true),
        (3, None, false),
        (0x83, Some(0x70), false),
    ] {
        unit.small(&[kind]);
        unit.place(1, page);
        if bytes {
            unit.big(&[0x99; 0x1000]);
        }
    }
    unit.last = None;
}

/// Pages behind the last one that the machine gave to its host.
fn ballooned(unit: &mut Unit<'_>, frames: &[Pfn], style: Style) {
    let last = frames.last().expect("a machine has memory").0;
    for frame in last + 1..=last + style.ballooned {
        unit.page(Pfn(frame), &Was::Ballooned);
    }
}

/// What a page has, or had.
enum Was<'m> {
    Now(&'m [u8; 0x1000]),
    Zeros,
    Ballooned,
}

/// A file that is written.
struct File {
    written: Written,
    style: Style,
    /// The checksum of what was written, and how much of it that is of.
    sum: (Crc32, usize),
    directory: Vec<(usize, &'static str)>,
}

impl File {
    fn new(style: Style) -> File {
        let mut header = vec![0; 0x40];
        put(&mut header, 0, b"\x7fVirtualBox SavedState V2.0\n");
        put_u16(&mut header, 0x20, 7);
        put_u32(&mut header, 0x24, 14);
        put_u32(&mut header, 0x28, 161_095);
        put(&mut header, 0x2c, &[64, 8, if style.narrow { 4 } else { 8 }]);
        put_u32(&mut header, 0x30, 4);
        put_u32(
            &mut header,
            0x34,
            u32::from(style.summed) | u32::from(style.live) << 1,
        );
        put_u32(&mut header, 0x38, 0x1000);
        sum(&mut header, 0x3c);
        File {
            written: Written {
                bytes: header,
                ..Written::default()
            },
            style,
            sum: (Crc32::new(), 0),
            directory: Vec::new(),
        }
    }

    /// The checksum of all that was written.
    fn sum(&mut self) -> u32 {
        let (sum, done) = self.sum;
        let sum = sum.with(&self.written.bytes[done..]);
        self.sum = (sum, self.written.bytes.len());
        if self.style.summed { sum.sum() } else { 0 }
    }

    fn header(&mut self, magic: &[u8; 8], name: &str, version: u32, pass: u32) {
        let sum_before = self.sum();
        let mut header = vec![0; 0x2c];
        put(&mut header, 0, magic);
        put_u64(&mut header, 8, count(self.written.bytes.len()));
        put_u32(&mut header, 0x10, sum_before);
        put_u32(&mut header, 0x18, version);
        put_u32(&mut header, 0x1c, u32::from(version != 0));
        put_u32(&mut header, 0x20, pass);
        if !name.is_empty() {
            put_u32(&mut header, 0x28, low32(count(name.len() + 1)));
            header.extend(name.as_bytes());
            header.push(0);
        }
        sum(&mut header, 0x14);
        self.written.bytes.extend(header);
    }

    fn unit(&mut self, name: &'static str, version: u32, pass: u32, fill: impl FnOnce(&mut Unit<'_>)) {
        let at = self.written.bytes.len();
        self.written.units.push((at, name));
        if pass == FINAL {
            self.directory.push((at, name));
        }
        self.header(b"\nUnit\n\0\0", name, version, pass);
        let first = self.written.bytes.len();
        let mut unit = Unit {
            written: &mut self.written,
            split: self.style.split,
            buffer: Vec::new(),
            last: None,
        };
        fill(&mut unit);
        unit.flush();
        self.written.bytes.extend([0x91, 0x0e]);
        let sum = self.sum();
        let out = &mut self.written.bytes;
        out.extend(u16::from(self.style.summed).to_le_bytes());
        out.extend(sum.to_le_bytes());
        let len = out.len() + 8 - first;
        out.extend(count(len).to_le_bytes());
    }

    /// The end of units, the directory and the footer.
    fn finish(mut self) -> Written {
        self.header(b"\nTheEnd\0", "", 0, 0);
        let mut directory = vec![0; 0x10];
        put(&mut directory, 0, b"\nDir\n\0\0\0");
        put_u32(&mut directory, 0xc, low32(count(self.directory.len())));
        for (at, name) in &self.directory {
            directory.extend(count(*at).to_le_bytes());
            directory.extend(1_u32.to_le_bytes());
            directory.extend(Crc32::new().with(name.as_bytes()).sum().to_le_bytes());
        }
        sum(&mut directory, 8);
        self.written.bytes.extend(directory);
        let stream = self.sum();
        let mut footer = vec![0; 0x20];
        put(&mut footer, 0, b"\nFooter\0");
        put_u64(&mut footer, 8, count(self.written.bytes.len()));
        put_u32(&mut footer, 0x10, stream);
        put_u32(&mut footer, 0x14, low32(count(self.directory.len())));
        sum(&mut footer, 0x1c);
        self.written.bytes.extend(footer);
        self.written
    }
}

/// Computes the checksum at `at`, which counts itself as zero.
pub fn sum(bytes: &mut [u8], at: usize) {
    put_u32(bytes, at, 0);
    let sum = Crc32::new().with(bytes).sum();
    put_u32(bytes, at, sum);
}

/// A unit that is written. Small things are collected, and pages have records of their own.
struct Unit<'f> {
    written: &'f mut Written,
    split: bool,
    buffer: Vec<u8>,
    /// The frame of the last page record of memory.
    last: Option<u64>,
}

impl Unit<'_> {
    fn small(&mut self, bytes: &[u8]) {
        if self.buffer.len() + bytes.len() > 0x1000 {
            self.flush();
        }
        self.buffer.extend(bytes);
    }

    fn text(&mut self, text: &str) {
        self.small(&low32(count(text.len())).to_le_bytes());
        self.small(text.as_bytes());
    }

    /// A page of a range, where it is said.
    fn place(&mut self, range: u8, page: Option<u32>) {
        if let Some(page) = page {
            self.small(&[range]);
            self.small(&page.to_le_bytes());
        }
    }

    fn page(&mut self, frame: Pfn, was: &Was<'_>) {
        let zeros = matches!(was, Was::Now(page) if page.iter().all(|&byte| byte == 0));
        let kind = match was {
            Was::Zeros => 0,
            Was::Now(_) if zeros => 0,
            Was::Now(_) => 1,
            Was::Ballooned => 8,
        };
        if self.last.is_some_and(|last| last + 1 == frame.0) {
            self.small(&[kind]);
        } else {
            self.small(&[0x80 | kind]);
            self.small(&frame.address().to_le_bytes());
        }
        self.last = Some(frame.0);
        if let (Was::Now(page), false) = (was, zeros) {
            self.big(page.as_slice());
        }
    }

    /// Large things: block by block of 4 KiB.
    fn big(&mut self, bytes: &[u8]) {
        if self.split {
            return self.scattered(bytes);
        }
        self.flush();
        for block in bytes.chunks(0x1000) {
            let at = self.written.bytes.len();
            self.block(block);
            self.written.pages.push((at, self.written.bytes.len() - at));
        }
    }

    fn block(&mut self, block: &[u8]) {
        let whole = block.len() == 0x1000;
        if whole && block.iter().all(|&byte| byte == 0) {
            self.written.bytes.extend([0x94, 1, 4]);
            return;
        }
        let packed = lzf(block);
        if whole && packed.len() <= 0x1000 - 0x1000 / 16 {
            self.packed(&packed, 4);
            return;
        }
        self.raw(block, whole);
    }

    /// A record that is packed, of so many KiB.
    fn packed(&mut self, packed: &[u8], kibibytes: u8) {
        let out = &mut self.written.bytes;
        out.push(0x93);
        out.extend(long_size(packed.len() + 1));
        out.push(kibibytes);
        out.extend(packed);
    }

    /// A record as it is, whose size has three bytes though fewer may do.
    fn raw(&mut self, bytes: &[u8], long: bool) {
        let out = &mut self.written.bytes;
        out.push(0x92);
        match bytes.len() {
            len if long => out.extend(long_size(len)),
            len @ 0..0x80 => out.push(u8::try_from(len).expect("small")),
            len @ 0x80..0x800 => {
                let [low, high] = u16::try_from(len).expect("small").to_le_bytes();
                out.extend([0xc0 | high << 2 | low >> 6, 0x80 | low & 0x3f]);
            }
            len => out.extend(long_size(len)),
        }
        out.extend(bytes);
    }

    fn flush(&mut self) {
        let buffer = std::mem::take(&mut self.buffer);
        if self.split {
            // A record without bytes, a packed one, and ones that end anywhere.
            self.written.bytes.extend([0x92, 0]);
            for part in buffer.chunks(0x731) {
                match part.split_at_checked(0x400) {
                    Some((one, rest)) if lzf(one).len() < 0x3f0 => {
                        self.packed(&lzf(one), 1);
                        self.raw(rest, false);
                    }
                    _ => self.raw(part, false),
                }
            }
        } else if !buffer.is_empty() {
            self.raw(&buffer, false);
        }
    }

    /// Bytes of pages among others: as zeros where there are enough, packed where it helps.
    fn scattered(&mut self, bytes: &[u8]) {
        let (first, rest) = bytes.split_at(bytes.len() / 3);
        self.buffer.extend(first);
        if rest.len() >= 0x400 && rest[..0x400].iter().all(|&byte| byte == 0) {
            self.flush();
            self.written.bytes.extend([0x84, 1, 1]);
            self.buffer.extend(&rest[0x400..]);
        } else {
            self.buffer.extend(rest);
        }
        if self.buffer.len() > 0x2345 {
            self.flush();
        }
    }
}

/// A size in the form that has three bytes.
fn long_size(len: usize) -> [u8; 3] {
    let [low, high, ..] = low32(count(len)).to_le_bytes();
    [
        0xe0 | high >> 4,
        0x80 | (high << 2 & 0x3f) | low >> 6,
        0x80 | low & 0x3f,
    ]
}
