//! ELF core files of virtual machines: QEMU's `dump-guest-memory`, VirtualBox's `dumpvmcore`, Xen's `dump-core`, and of
//! acquisition tools (winpmem).
//!
//! Elf64_Ehdr: e_type 0x10, e_machine 0x12, e_phoff 0x20, e_shoff 0x28, e_phentsize 0x36, e_phnum 0x38, e_shentsize 0x3a,
//! e_shnum 0x3c, e_shstrndx 0x3e; a program header has p_type 0, p_offset 8, p_paddr 0x18, p_filesz 0x20. Of 32 bits, as QEMU
//! writes them of machines whose processors and addresses have no more: e_phoff 0x1c, e_shoff 0x20, e_phentsize 0x2a, e_phnum
//! 0x2c; p_offset 4, p_paddr 0xc, p_filesz 0x10. Notes are the same. Source: the ELF specification, and QEMU's dump/dump.c for
//! what is put where.

use crate::container::extents::{Extent, Extents};
use crate::container::fields::bytes;
use crate::container::lime::overlapping;
use crate::container::processor::Processor;
use crate::container::{Container, Pages, Refusal};
use crate::file::source::ByteSource;
use crate::memory::page::PAGE;
use crate::value::address::Gva;
use crate::value::image_format::ImageFormat;
use crate::value::le;
use crate::value::machine::{ContextRecord, Machine};
use crate::value::note::Note;

const CORE: u16 = 4;
const CLASS_32: u8 = 1;
const CLASS_64: u8 = 2;
const LOAD: u32 = 1;
const NOTE: u32 = 4;
const AARCH64: u16 = 0xb7;

/// How many segments are read. Linux itself keeps to 65,535 unless a section says otherwise.
const MAX_SEGMENTS: u32 = 1 << 20;
/// How many bytes of notes: one of QEMU's has 0x1b8, and there are two a processor.
const MAX_NOTES: u64 = 16 << 20;
const MAX_SECTIONS: u16 = 1 << 10;
/// How many frames a Xen core may list: 1 TiB of memory.
const MAX_XEN_PAGES: u64 = 1 << 28;

/// Whether a file begins as an ELF core does.
pub(crate) fn is_core(head: &[u8]) -> bool {
    let class = head.get(4).copied().unwrap_or_default();
    head.starts_with(b"\x7fELF") && matches!(class, CLASS_32 | CLASS_64) && le::u16(head, 0x10) == Some(CORE)
}

/// Where the fields are, and how wide the ones that depend on it.
struct Class {
    wide: bool,
    segments: usize,
    segment_size: usize,
    segment_count: usize,
    sections: usize,
    section_size: usize,
    /// sh_info of a section.
    info: usize,
    /// What a segment's header has at least, and p_offset, p_paddr and p_filesz in it.
    least: u16,
    offset: usize,
    address: usize,
    len: usize,
}

const WIDE: Class = Class {
    wide: true,
    segments: 0x20,
    segment_size: 0x36,
    segment_count: 0x38,
    sections: 0x28,
    section_size: 0x40,
    info: 0x2c,
    least: 0x38,
    offset: 8,
    address: 0x18,
    len: 0x20,
};

const NARROW: Class = Class {
    wide: false,
    segments: 0x1c,
    segment_size: 0x2a,
    segment_count: 0x2c,
    sections: 0x20,
    section_size: 0x28,
    info: 0x1c,
    least: 0x20,
    offset: 4,
    address: 0xc,
    len: 0x10,
};

impl Class {
    fn of(head: &[u8]) -> &'static Class {
        match head.get(4) == Some(&CLASS_32) {
            true => &NARROW,
            false => &WIDE,
        }
    }

    /// A field that has the width of an address.
    fn number(&self, bytes: &[u8], offset: usize) -> u64 {
        let number = match self.wide {
            true => le::u64(bytes, offset),
            false => le::u32(bytes, offset).map(u64::from),
        };
        number.unwrap_or_default()
    }
}

struct Segment {
    kind: u32,
    offset: u64,
    address: u64,
    len: u64,
}

/// Reads the index of a core: program headers, or Xen's sections.
pub(crate) fn read(head: &[u8], source: &ByteSource) -> Result<Container, Refusal> {
    let segments = segments(head, source)?;
    let mut notes = Notes::default();
    for segment in segments.iter().filter(|segment| segment.kind == NOTE) {
        notes.read(source, segment.offset, segment.len)?;
    }
    if segments.iter().all(|segment| segment.kind != LOAD) {
        return xen(head, source);
    }
    // VirtualBox writes the memory of devices (video RAM, ACPI tables) as segments too; where one shares addresses
    // with RAM, RAM is first in the file.
    let loads = segments
        .iter()
        .filter(|segment| segment.kind == LOAD && segment.len != 0);
    let mut partial = 0_u64;
    let extents = loads.filter_map(|load| {
        let whole = Extent::of_bytes(load.address, load.len, load.offset);
        let taken = whole.map_or(0, |extent| extent.count.saturating_mul(PAGE));
        partial = partial.saturating_add(u64::from(taken != load.len));
        whole
    });
    let (extents, repeated) = Extents::new(extents.collect::<Vec<_>>());
    let format = notes.format.unwrap_or(ImageFormat::ElfCore);
    let mut container = Container::new(format, Pages::Plain(extents));
    // QEMU 7.2 writes 3 (386) for a 64-bit guest whose first processor is not in long mode: only ARM64's number tells.
    container.machine = (le::u16(head, 0x12) == Some(AARCH64)).then_some(Machine::Arm64);
    container.processors = notes.processors;
    container.notes.extend(overlapping(repeated));
    if partial != 0 {
        container.notes.push(Note::new(
            "partial-pages",
            format!("{partial} segments begin or end inside of a page; of such pages nothing was taken"),
        ));
    }
    Ok(container)
}

fn segments(head: &[u8], source: &ByteSource) -> Result<Vec<Segment>, Refusal> {
    let class = Class::of(head);
    let half = |offset| le::u16(head, offset).unwrap_or_default();
    let (table, size) = (class.number(head, class.segments), half(class.segment_size));
    let mut count = u32::from(half(class.segment_count));
    // With more than 0xfffe segments the count is in the first section's sh_info.
    let sections = class.number(head, class.sections);
    if count == 0xffff && sections != 0 {
        let section = bytes(source, sections, class.section_size)?;
        count = le::u32(&section, class.info).unwrap_or_default();
    }
    if count > MAX_SEGMENTS {
        return Err(Refusal::Bad(format!(
            "it claims {count} segments, and {MAX_SEGMENTS} are read at most"
        )));
    }
    if count != 0 && size < class.least {
        return Err(Refusal::Bad(format!(
            "its program headers have {size} bytes instead of {}",
            class.least
        )));
    }
    let len = u64::from(count).saturating_mul(size.into());
    let table = bytes(source, table, usize::try_from(len).unwrap_or(usize::MAX))?;
    let segment = |header: &[u8]| Segment {
        kind: le::u32(header, 0).unwrap_or_default(),
        offset: class.number(header, class.offset),
        address: class.number(header, class.address),
        len: class.number(header, class.len),
    };
    Ok(table
        .chunks_exact(usize::from(size).max(1))
        .map(segment)
        .collect())
}

/// What notes tell.
#[derive(Default)]
struct Notes {
    format: Option<ImageFormat>,
    processors: Vec<Processor>,
}

impl Notes {
    /// Reads the notes of a segment: name length 0, descriptor length 4, type 8, then both padded to four bytes.
    fn read(&mut self, source: &ByteSource, offset: u64, len: u64) -> Result<(), Refusal> {
        let len = len.min(MAX_NOTES).min(source.len().saturating_sub(offset));
        let notes = bytes(source, offset, usize::try_from(len).unwrap_or_default())?;
        self.parse(&notes);
        Ok(())
    }

    /// The notes in `rest`.
    pub(crate) fn parse(&mut self, mut rest: &[u8]) {
        while let (Some(name_len), Some(len), Some(kind)) =
            (le::u32(rest, 0), le::u32(rest, 4), le::u32(rest, 8))
        {
            let padded = |len: u32| (len as usize).checked_next_multiple_of(4);
            let (Some(name_room), Some(room)) = (padded(name_len), padded(len)) else {
                break;
            };
            let body = rest.get(12..).unwrap_or_default();
            let name = body.get(..name_len as usize).unwrap_or_default();
            let behind = body.get(name_room..).unwrap_or_default();
            let Some(descriptor) = behind.get(..len as usize) else {
                break;
            };
            self.note(name, kind, descriptor);
            rest = behind.get(room..).unwrap_or_default();
        }
    }

    fn note(&mut self, name: &[u8], kind: u32, descriptor: &[u8]) {
        match (name, kind) {
            (b"QEMU\0", 0) => {
                self.format = Some(ImageFormat::QemuCore);
                self.processors.extend(qemu(descriptor));
            }
            (b"VBCORE\0", 0xb00) => self.format = Some(ImageFormat::VirtualBoxCore),
            (b"VBCPU\0", 0xb01) => self.processors.extend(virtual_box(descriptor)),
            (b"Xen\0", _) => self.format = Some(ImageFormat::XenCore),
            _ => {}
        }
    }
}

/// The processors that the notes of QEMU in `notes` tell of.
pub(crate) fn processors_of_qemu(notes: &[u8]) -> Vec<Processor> {
    let mut read = Notes::default();
    read.parse(notes);
    read.processors
}

/// `QEMUCPUState`: version u32 0, size u32 4, sixteen integer registers from 8 on in the order rax, rbx, rcx, rdx, rsi, rdi,
/// rsp, rbp, r8 to r15, rip 0x88, rflags 0x90, segments of 0x18 from 0x98 on (cs ds es fs gs ss ldt tr gdt idt, base at
/// +0x10), cr0 to cr4 from 0x188 on, kernel_gs_base 0x1b0. Checked against a file of QEMU 7.2.
fn qemu(state: &[u8]) -> Option<Processor> {
    const ORDER: [usize; 16] = [0, 2, 3, 1, 6, 7, 4, 5, 8, 9, 10, 11, 12, 13, 14, 15];
    let field = |offset| le::u64(state, offset);
    let cr3 = field(0x1a0)?;
    let mut integers = [0; 16];
    for (register, place) in integers.iter_mut().zip(ORDER) {
        *register = field(place.saturating_mul(8).saturating_add(8))?;
    }
    Some(Processor {
        context: context(field(0x88)?, field(0x38)?, integers),
        cr3: Some(cr3),
        cr4: field(0x1a8),
        idt: field(0x180).map(Gva::new),
        gs: field(0x108).map(Gva::new),
        kernel_gs: field(0x1b0).map(Gva::new),
        lstar: None,
    })
}

/// `DBGFCORECPU`: rax 0, rbx 8, rcx 0x10, rdx 0x18, rsi 0x20, rdi 0x28, r8 to r15 from 0x30 on, rip 0x70, rsp 0x78, rbp
/// 0x80, segments of 0x18 from 0x90 on (cs ds es fs gs ss, base at +0), cr0 0x120, cr3 0x130, cr4 0x138, idtr 0x190,
/// LSTAR 0x200, KernelGSBase 0x218 (VirtualBox's dbgfcorefmt.h). Before version 4 the note was another structure: its
/// size tells.
fn virtual_box(state: &[u8]) -> Option<Processor> {
    const ORDER: [usize; 16] = [
        0x00, 0x10, 0x18, 0x08, 0x78, 0x80, 0x20, 0x28, 0x30, 0x38, 0x40, 0x48, 0x50, 0x58, 0x60, 0x68,
    ];
    if state.len() < 0x220 || state.len() > 0x1000 {
        return None;
    }
    let field = |offset| le::u64(state, offset);
    let mut integers = [0; 16];
    for (register, place) in integers.iter_mut().zip(ORDER) {
        *register = field(place)?;
    }
    Some(Processor {
        context: context(field(0x70)?, field(0x78)?, integers),
        cr3: field(0x130),
        cr4: field(0x138),
        idt: field(0x190).map(Gva::new),
        gs: field(0xf0).map(Gva::new),
        kernel_gs: field(0x218).map(Gva::new),
        lstar: field(0x200).map(Gva::new),
    })
}

/// A context, unless the processor never ran.
pub(crate) fn context(rip: u64, rsp: u64, integers: [u64; 16]) -> Option<ContextRecord> {
    (rip != 0 || rsp != 0).then(|| ContextRecord {
        flags: 0,
        rip: Gva::new(rip),
        rsp: Gva::new(rsp),
        integers: Some(integers),
    })
}

/// A core of Xen has sections instead of segments: page i of `.xen_pages` is the frame in entry i of `.xen_pfn`, whose
/// order is any. All ones is a hole, in 32 bits as well. Sources: crash's xendump.h, Volatility's xen.py, which take the
/// entries for sorted.
fn xen(head: &[u8], source: &ByteSource) -> Result<Container, Refusal> {
    let half = |offset| le::u16(head, offset).unwrap_or_default();
    let (table, size, count, names) = (
        le::u64(head, 0x28).unwrap_or_default(),
        half(0x3a),
        half(0x3c),
        half(0x3e),
    );
    let foreign = || Refusal::Foreign {
        found: "an ELF core file without segments of memory".to_owned(),
        next: "let the virtual machine's host write its memory again, or a Windows crash dump".to_owned(),
    };
    // Xen has cores of 64 bits alone.
    if !Class::of(head).wide || count == 0 || size < 0x40 || count > MAX_SECTIONS {
        return Err(foreign());
    }
    let headers = bytes(source, table, usize::from(count).saturating_mul(size.into()))?;
    let headers: Vec<&[u8]> = headers.chunks_exact(size.into()).collect();
    let place = |header: &[u8]| Some((le::u64(header, 0x18)?, le::u64(header, 0x20)?));
    let (names_at, names_len) = headers
        .get(usize::from(names))
        .and_then(|header| place(header))
        .ok_or_else(foreign)?;
    let names = bytes(
        source,
        names_at,
        usize::try_from(names_len.min(1 << 16)).unwrap_or_default(),
    )?;
    let section = |wanted: &[u8]| {
        let found = headers.iter().find(|header| {
            let at = le::u32(header, 0).map_or(usize::MAX, |at| at as usize);
            let name = names.get(at..).unwrap_or_default();
            name.starts_with(wanted) && name.get(wanted.len()) == Some(&0)
        })?;
        place(found)
    };
    let (pages_at, pages_len) = section(b".xen_pages").ok_or_else(foreign)?;
    let Some((list_at, list_len)) = section(b".xen_pfn") else {
        return Err(Refusal::Foreign {
            found: "a core file of a paravirtualized Xen machine, which Windows never is".to_owned(),
            next: "name the core of a machine that runs Windows".to_owned(),
        });
    };
    let pages = (list_len / 8).min(pages_len / PAGE);
    if pages > MAX_XEN_PAGES {
        return Err(Refusal::Bad(format!("it claims {pages} pages of memory")));
    }
    let list = bytes(
        source,
        list_at,
        usize::try_from(pages.saturating_mul(8)).unwrap_or(usize::MAX),
    )?;
    let frames = list.chunks_exact(8).zip(0_u64..).filter_map(|(entry, page)| {
        let base = le::u64(entry, 0).filter(|&pfn| pfn != u64::MAX && pfn != u64::from(u32::MAX))?;
        Some(Extent {
            base,
            count: 1,
            offset: pages_at.saturating_add(page.saturating_mul(PAGE)),
        })
    });
    let (extents, repeated) = Extents::new(frames);
    let mut container = Container::new(ImageFormat::XenCore, Pages::Plain(extents));
    container.notes.extend(overlapping(repeated));
    Ok(container)
}
