//! ELF cores: QEMU's, VirtualBox's, and Xen's with sections.

use super::{Machine, Registers};
use crate::address::{PAGE_SIZE, Pfn};
use crate::bytes::{count, low32, put, put_u16, put_u32, put_u64};

/// Who writes a core, which its notes tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Producer {
    /// `dump-guest-memory`: a note of `CORE` and one of `QEMU` for each processor.
    Qemu,
    /// `dumpvmcore`: `VBCORE`, and `VBCPU` for each processor.
    VirtualBox,
    /// Nobody in particular: no notes.
    Plain,
}

const HEADER: usize = 0x40;
const PROGRAM_HEADER: usize = 0x38;
const SECTION_HEADER: usize = 0x40;

/// A core with a segment for each run of frames. `shift` bytes of filler stand before the first page, so that no page
/// is aligned in the file.
#[must_use]
pub fn core(machine: Machine<'_>, producer: Producer, shift: usize) -> Vec<u8> {
    let notes = notes(machine.processors, producer);
    let runs = machine.memory.runs();
    let segments = runs.len() + 1;
    let notes_at = HEADER + segments * PROGRAM_HEADER;
    let mut data_at = notes_at + notes.len() + shift;
    let mut out = header(4);
    put_u64(&mut out, 0x20, count(HEADER));
    put_u16(&mut out, 0x36, 0x38);
    put_u16(&mut out, 0x38, u16::try_from(segments).expect("few runs"));
    let mut headers = program_header(4, count(notes_at), 0, count(notes.len()));
    for run in &runs {
        let len = run.count * PAGE_SIZE;
        headers.extend(program_header(1, count(data_at), run.base.address(), len));
        data_at += crate::bytes::index(len);
    }
    out.extend(headers);
    out.extend(notes);
    out.resize(out.len() + shift, 0xcc);
    for run in runs {
        for frame in run.base.0..run.end().0 {
            let page = machine.memory.frame(Pfn(frame));
            out.extend_from_slice(page.expect("frames of a run are there"));
        }
    }
    out
}

/// A core of 32 bits, as QEMU writes it where the processor has no long mode and no memory is above 4 GiB.
#[must_use]
pub fn narrow(machine: Machine<'_>) -> Vec<u8> {
    let notes = notes(machine.processors, Producer::Qemu);
    let runs = machine.memory.runs();
    let segments = runs.len() + 1;
    let notes_at = 0x34 + segments * 0x20;
    let mut out = vec![0; 0x34];
    put(&mut out, 0, b"\x7fELF\x01\x01\x01");
    put_u16(&mut out, 0x10, 4);
    put_u16(&mut out, 0x12, 3);
    put_u32(&mut out, 0x14, 1);
    put_u32(&mut out, 0x1c, 0x34);
    put_u16(&mut out, 0x28, 0x34);
    put_u16(&mut out, 0x2a, 0x20);
    put_u16(&mut out, 0x2c, u16::try_from(segments).expect("few runs"));
    let segment = |kind: u32, offset: usize, address: u64, len: u64| {
        let [offset, address, len] = [count(offset), address, len].map(low32);
        [kind, offset, address, address, len, len, 0, 0]
            .into_iter()
            .flat_map(u32::to_le_bytes)
            .collect::<Vec<u8>>()
    };
    out.extend(segment(4, notes_at, 0, count(notes.len())));
    let mut at = notes_at + notes.len();
    for run in &runs {
        let len = run.count * PAGE_SIZE;
        out.extend(segment(1, at, run.base.address(), len));
        at += crate::bytes::index(len);
    }
    out.extend(notes);
    let pages = runs.iter().flat_map(|run| run.base.0..run.end().0);
    for frame in pages.map(Pfn) {
        out.extend_from_slice(machine.memory.frame(frame).expect("frames of a run are there"));
    }
    out
}

/// A core of `xl dump-core`: pages in `.xen_pages`, their frames in `.xen_pfn`, in an order that is not theirs.
#[must_use]
pub fn xen(machine: Machine<'_>) -> Vec<u8> {
    let mut frames: Vec<Pfn> = machine.memory.frames().map(|(frame, _)| frame).collect();
    // Every second from the front, then the others from the back: sorted by nobody's rule.
    let (mut even, mut odd) = (Vec::new(), Vec::new());
    for (number, frame) in frames.drain(..).enumerate() {
        if number % 2 == 0 {
            even.push(frame);
        } else {
            odd.push(frame);
        }
    }
    even.extend(odd.into_iter().rev());
    let names = b"\0.shstrtab\0.note.Xen\0.xen_pages\0.xen_pfn\0";
    let mut note = vec![0; 12];
    put_u32(&mut note, 0, 4);
    put_u32(&mut note, 8, 0x200_0001);
    note.extend(b"Xen\0");
    put_u32(&mut note, 4, 0x20);
    let mut head = vec![0; 0x20];
    put_u64(&mut head, 0, 0xf00f_ebee);
    put_u64(&mut head, 8, count(machine.processors.len()));
    put_u64(&mut head, 16, count(even.len()));
    put_u64(&mut head, 24, PAGE_SIZE);
    note.extend(head);
    let mut out = header(4);
    let names_at = out.len();
    out.extend_from_slice(names);
    out.resize(out.len().next_multiple_of(8), 0);
    let note_at = out.len();
    out.extend(&note);
    let list_at = out.len();
    // A hole in the list: the page behind it is nobody's.
    let hole = u64::MAX;
    for frame in std::iter::once(hole).chain(even.iter().map(|frame| frame.0)) {
        out.extend(frame.to_le_bytes());
    }
    let list_len = out.len() - list_at;
    out.resize(out.len().next_multiple_of(0x1000), 0);
    let pages_at = out.len();
    out.resize(out.len() + 0x1000, 0xee);
    for &frame in &even {
        out.extend_from_slice(machine.memory.frame(frame).expect("it is there"));
    }
    let pages_len = out.len() - pages_at;
    let table_at = out.len();
    out.resize(out.len() + SECTION_HEADER, 0);
    for (name, at, len) in [
        (1, names_at, names.len()),
        (11, note_at, note.len()),
        (21, pages_at, pages_len),
        (32, list_at, list_len),
    ] {
        let mut section = vec![0; SECTION_HEADER];
        put_u32(&mut section, 0, name);
        put_u32(&mut section, 4, 1);
        put_u64(&mut section, 0x18, count(at));
        put_u64(&mut section, 0x20, count(len));
        out.extend(section);
    }
    put_u64(&mut out, 0x28, count(table_at));
    put_u16(&mut out, 0x3a, 0x40);
    put_u16(&mut out, 0x3c, 5);
    put_u16(&mut out, 0x3e, 1);
    out
}

fn header(kind: u16) -> Vec<u8> {
    let mut out = vec![0; HEADER];
    put(&mut out, 0, b"\x7fELF\x02\x01\x01");
    put_u16(&mut out, 0x10, kind);
    put_u16(&mut out, 0x12, 0x3e);
    put_u32(&mut out, 0x14, 1);
    put_u16(&mut out, 0x34, 0x40);
    out
}

fn program_header(kind: u32, offset: u64, address: u64, len: u64) -> Vec<u8> {
    let mut header = vec![0; PROGRAM_HEADER];
    put_u32(&mut header, 0, kind);
    put_u64(&mut header, 8, offset);
    put_u64(&mut header, 0x10, address);
    put_u64(&mut header, 0x18, address);
    put_u64(&mut header, 0x20, len);
    put_u64(&mut header, 0x28, len);
    header
}

/// A note, its name and its descriptor padded to four bytes.
pub(super) fn note(name: &[u8], kind: u32, descriptor: &[u8]) -> Vec<u8> {
    let mut note = vec![0; 12];
    put_u32(&mut note, 0, u32::try_from(name.len()).expect("short"));
    put_u32(&mut note, 4, u32::try_from(descriptor.len()).expect("short"));
    put_u32(&mut note, 8, kind);
    note.extend_from_slice(name);
    note.resize(note.len().next_multiple_of(4), 0);
    note.extend_from_slice(descriptor);
    note.resize(note.len().next_multiple_of(4), 0);
    note
}

/// The notes of all processors, as the producer orders them.
pub(super) fn notes(processors: &[Registers], producer: Producer) -> Vec<u8> {
    let mut notes = Vec::new();
    match producer {
        Producer::Qemu => {
            for (number, processor) in processors.iter().enumerate() {
                let mut status = vec![0; 0x150];
                put_u32(&mut status, 0x20, u32::try_from(number + 1).expect("few"));
                put_u64(&mut status, 0x70 + 16 * 8, processor.rip);
                put_u64(&mut status, 0x70 + 19 * 8, processor.integers[4]);
                notes.extend(note(b"CORE\0", 1, &status));
            }
            for processor in processors {
                notes.extend(note(b"QEMU\0", 0, &qemu(processor)));
            }
        }
        Producer::VirtualBox => {
            let mut descriptor = vec![0; 0x18];
            put_u32(&mut descriptor, 0, 0xc01a_c0de);
            put_u32(&mut descriptor, 4, 0x0001_0006);
            put_u32(&mut descriptor, 8, 0x18);
            put_u32(
                &mut descriptor,
                0x14,
                u32::try_from(processors.len()).expect("few"),
            );
            notes.extend(note(b"VBCORE\0", 0xb00, &descriptor));
            for processor in processors {
                notes.extend(note(b"VBCPU\0", 0xb01, &virtual_box(processor)));
            }
        }
        Producer::Plain => {}
    }
    notes
}

/// `QEMUCPUState` (QEMU's target/i386/arch_dump.c).
fn qemu(processor: &Registers) -> Vec<u8> {
    let [rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, rest @ ..] = processor.integers;
    let mut state = vec![0; 0x1b8];
    put_u32(&mut state, 0, 1);
    put_u32(&mut state, 4, 0x1b8);
    for (number, register) in [rax, rbx, rcx, rdx, rsi, rdi, rsp, rbp]
        .into_iter()
        .chain(rest)
        .enumerate()
    {
        put_u64(&mut state, 8 + 8 * number, register);
    }
    put_u64(&mut state, 0x88, processor.rip);
    let base = |segment: usize| 0x98 + 0x18 * segment + 0x10;
    put_u64(&mut state, base(4), processor.gs);
    put_u64(&mut state, base(9), processor.idt);
    put_u64(&mut state, 0x188 + 3 * 8, processor.cr3);
    put_u64(&mut state, 0x188 + 4 * 8, processor.cr4);
    put_u64(&mut state, 0x1b0, processor.kernel_gs);
    state
}

/// `DBGFCORECPU` (VirtualBox's include/VBox/vmm/dbgfcorefmt.h).
fn virtual_box(processor: &Registers) -> Vec<u8> {
    let [rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, rest @ ..] = processor.integers;
    let mut state = vec![0; 0x228];
    for (number, register) in [rax, rbx, rcx, rdx, rsi, rdi]
        .into_iter()
        .chain(rest)
        .chain([processor.rip, rsp, rbp])
        .enumerate()
    {
        put_u64(&mut state, 8 * number, register);
    }
    put_u64(&mut state, 0x90 + 4 * 0x18, processor.gs);
    put_u64(&mut state, 0x130, processor.cr3);
    put_u64(&mut state, 0x138, processor.cr4);
    put_u64(&mut state, 0x190, processor.idt);
    put_u64(&mut state, 0x200, processor.lstar);
    put_u64(&mut state, 0x218, processor.kernel_gs);
    state
}
