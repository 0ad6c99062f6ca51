//! A small machine of any processor with a complete dump of kind 1, whose memory a fuzz input writes.
//!
//! An input is a [`Form`] (one byte, modulo the number of forms) and a list of steps, each an opcode (one byte, modulo
//! the number of opcodes) and its operands:
//!
//! | opcode | operands | what it does |
//! |---|---|---|
//! | 0 | slot of a table u8, index u16, flags u16, target u8 | writes a page-table entry |
//! | 1 | slot of a table u8, index u16, entry u64 | writes any entry |
//! | 2 | slot of a page u8, offset u16, length u8, bytes | writes bytes |
//! | 3 | offset u16, value u64 | writes a field of the header, except what makes it a dump |
//! | 4 | four indices u16, offset u16, length u16 | asks for the memory at an address made of indices |
//! | 5 | address u64, length u16 | asks for the memory at any address |
//!
//! All that is asked for is asked at the end, when the machine no longer changes.

use crate::input::Input;

/// Frames of the machine that the file has pages of. They are scattered, lie where large pages can begin
/// (2 MiB at frame 200, 4 MiB at 400, 1 GiB at 40000), and the first holds the root of the page tables.
pub const PRESENT: [u64; 24] = [
    1, 2, 3, 4, 5, 6, 7, 8, 0x200, 0x201, 0x202, 0x203, 0x3ff, 0x400, 0x401, 0x40000, 0x40001, 0x40002,
    0x40003, 0x40004, 0x40005, 0x40006, 0x40007, 0x40008,
];
/// Frames that an entry may lead to besides: in the last run but behind the end of the file, and in no run.
pub const ABSENT: [u64; 4] = [0x40009, 0x4000a, 0, 0xf_ffff_ffff];

/// The runs of the header, in the order of the file.
const RUNS: [(u32, u32); 5] = [(1, 8), (0x200, 4), (0x3ff, 1), (0x400, 2), (0x40000, 0xb)];
const PAGE: usize = 0x1000;
const MAX_STEPS: usize = 2048;
const MAX_ASKED: usize = 64;

/// What the page tables are like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// x64 with four levels, unless the header's lists are found with five.
    X64,
    /// x64 whose header's lists can only be found with five levels.
    La57,
    /// x86 with entries of 8 bytes.
    Pae,
    /// x86 with entries of 4 bytes.
    X86,
    /// ARM64 with pages of 4 KiB.
    Arm64,
}

impl Form {
    /// In the order of the numbers that inputs have for them.
    pub const ALL: [Form; 5] = [Form::X64, Form::La57, Form::Pae, Form::X86, Form::Arm64];

    /// Where the root of the page tables is. With PAE it need not begin a page.
    #[must_use]
    pub fn root(self) -> u64 {
        PRESENT[0] << 12 | if self == Form::Pae { 0x20 } else { 0 }
    }

    /// Where the header's lists are, if the input maps them.
    #[must_use]
    pub fn kernel(self) -> u64 {
        match self {
            Form::X64 | Form::Arm64 => 0xffff_f800_0000_0000,
            Form::La57 => 0xff3e_8000_0000_0000,
            Form::Pae | Form::X86 => 0x8000_0000,
        }
    }

    fn header_len(self) -> usize {
        if self.is_32_bit() { 0x1000 } else { 0x2000 }
    }

    fn is_32_bit(self) -> bool {
        matches!(self, Form::Pae | Form::X86)
    }

    /// The address whose translation uses these entries, from the top table down: the last of them where there are
    /// fewer than four levels. Of five levels the top one's index is in bits of the others that are of no use.
    #[must_use]
    pub fn address(self, indices: [u16; 4], offset: u16) -> u64 {
        let [a, b, c, d] = indices.map(u64::from);
        let parts = match self {
            Form::X64 | Form::Arm64 => vec![(9, a), (9, b), (9, c), (9, d)],
            Form::La57 => vec![(9, a >> 9 | b >> 9 << 7), (9, a), (9, b), (9, c), (9, d)],
            Form::Pae => vec![(2, b), (9, c), (9, d)],
            Form::X86 => vec![(10, c), (10, d)],
        };
        let bits = 12 + parts.iter().map(|(bits, _)| bits).sum::<u32>();
        let fold = |address: u64, (bits, index): (u32, u64)| address << bits | index & !(u64::MAX << bits);
        let low = parts.into_iter().fold(0, fold) << 12 | u64::from(offset % 0x1000);
        let negative = !self.is_32_bit() && low >> (bits - 1) != 0;
        low | if negative { u64::MAX << bits } else { 0 }
    }
}

/// A piece of virtual memory that the input asks for.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// Where.
    pub gva: u64,
    /// How many bytes.
    pub len: usize,
}

/// The dump's file, and what is to be asked of it.
#[derive(Debug)]
pub struct Machine {
    /// What the page tables are like.
    pub form: Form,
    /// The whole file.
    pub file: Vec<u8>,
    /// All that the input asks for.
    pub asked: Vec<Asked>,
}

impl Machine {
    /// Follows the steps of an input.
    #[must_use]
    pub fn follow(data: &[u8]) -> Machine {
        let mut input = Input(data);
        let form = Form::ALL[usize::from(input.u8()) % Form::ALL.len()];
        let mut machine = Machine {
            form,
            file: vec![0; form.header_len() + PRESENT.len() * PAGE],
            asked: Vec::new(),
        };
        machine.lists();
        for _ in 0..MAX_STEPS {
            if input.is_empty() {
                break;
            }
            machine.step(&mut input);
        }
        machine.identity();
        machine
    }

    /// The physical memory of a frame, where the file has it.
    #[must_use]
    pub fn frame(&self, frame: u64) -> Option<&[u8]> {
        let slot = PRESENT.iter().position(|&present| present == frame)?;
        let at = self.form.header_len() + slot * PAGE;
        self.file.get(at..at + PAGE)
    }

    fn step(&mut self, input: &mut Input<'_>) {
        match input.u8() % 6 {
            0 => {
                let (slot, index, flags) = (input.u8(), input.u16(), u64::from(input.u16()));
                // Bit 11 and below as they are; the others are the bits above the frame.
                let entry = flags & 0xfff | frame(input.u8()) << 12 | flags >> 12 << 60;
                self.entry(slot, index, entry);
            }
            1 => {
                let (slot, index, entry) = (input.u8(), input.u16(), input.u64());
                self.entry(slot, index, entry);
            }
            2 => {
                let (slot, offset, len) = (input.u8(), input.u16(), input.u8());
                self.write(slot, offset, input.take(len.into()));
            }
            3 => {
                let header = self.form.header_len();
                let (offset, value) = (usize::from(input.u16()) % header, input.u64());
                let end = (offset + 8).min(header);
                self.file[offset..end].copy_from_slice(&value.to_le_bytes()[..end - offset]);
            }
            4 => {
                let indices = [input.u16(), input.u16(), input.u16(), input.u16()];
                let gva = self.form.address(indices, input.u16());
                self.ask(gva, input.u16());
            }
            _ => {
                let gva = input.u64();
                self.ask(gva, input.u16());
            }
        }
    }

    fn ask(&mut self, gva: u64, len: u16) {
        if self.asked.len() < MAX_ASKED {
            let len = usize::from(len % 0x4000);
            self.asked.push(Asked { gva, len });
        }
    }

    fn entry(&mut self, slot: u8, index: u16, entry: u64) {
        let bytes = entry.to_le_bytes();
        match self.form {
            Form::X86 => self.write(slot, index % 1024 * 4, &bytes[..4]),
            _ => self.write(slot, index % 512 * 8, &bytes),
        }
    }

    /// Writes into a page; what would go past its end goes nowhere.
    fn write(&mut self, slot: u8, offset: u16, bytes: &[u8]) {
        let offset = usize::from(offset) % PAGE;
        let len = bytes.len().min(PAGE - offset);
        let at = self.form.header_len() + usize::from(slot) % PRESENT.len() * PAGE + offset;
        self.file[at..at + len].copy_from_slice(&bytes[..len]);
    }

    fn put(&mut self, at: usize, value: u64) {
        self.file[at..at + 8].copy_from_slice(&value.to_le_bytes());
    }

    fn put32(&mut self, at: usize, value: u32) {
        self.file[at..at + 4].copy_from_slice(&value.to_le_bytes());
    }

    /// Where the lists of modules and processes and the debugger data block are. An input may change it.
    fn lists(&mut self) {
        let kernel = self.form.kernel();
        let lists = [kernel + 0x1000, kernel + 0x1010, kernel + 0x1020];
        if self.form.is_32_bit() {
            for (at, list) in [0x18, 0x1c, 0x60].into_iter().zip(lists) {
                self.put32(at, u32::try_from(list).expect("a 32-bit address"));
            }
        } else {
            for (at, list) in [0x20, 0x28, 0x80].into_iter().zip(lists) {
                self.put(at, list);
            }
        }
    }

    /// What makes it the dump that [`frame`](Self::frame) tells of.
    fn identity(&mut self) {
        let pages = RUNS.iter().map(|&(_, count)| count).sum::<u32>();
        if self.form.is_32_bit() {
            self.file[..8].copy_from_slice(b"PAGEDUMP");
            self.put32(0x10, u32::try_from(self.form.root()).expect("a 32-bit address"));
            self.put32(0x20, 0x14c);
            self.file[0x5c] = u8::from(self.form == Form::Pae);
            self.put32(0x64, u32::try_from(RUNS.len()).expect("few"));
            self.put32(0x68, pages);
            for (number, (base, count)) in RUNS.into_iter().enumerate() {
                self.put32(0x6c + number * 8, base);
                self.put32(0x70 + number * 8, count);
            }
            self.put32(0xf88, 1);
        } else {
            self.file[..8].copy_from_slice(b"PAGEDU64");
            self.put(0x10, self.form.root());
            self.put32(0x30, if self.form == Form::Arm64 { 0xaa64 } else { 0x8664 });
            self.put(0x88, RUNS.len() as u64);
            self.put(0x90, pages.into());
            for (number, (base, count)) in RUNS.into_iter().enumerate() {
                self.put(0x98 + number * 16, base.into());
                self.put(0xa0 + number * 16, count.into());
            }
            self.put32(0xf98, 1);
        }
    }
}

/// The frame that a target of an entry stands for.
fn frame(target: u8) -> u64 {
    let target = usize::from(target) % (PRESENT.len() + ABSENT.len());
    PRESENT.iter().chain(&ABSENT).copied().nth(target).unwrap_or(0)
}
