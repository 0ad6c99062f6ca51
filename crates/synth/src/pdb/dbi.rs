//! The debug information stream (3): modules, sections and where the symbol streams are.
//!
//! Source: LLVM's `PDB/DbiStream` document.

use super::out::{Out, len16, len32};
use super::strings::Strings;
use crate::layout::Section;

const VERSION_70: u32 = 19_990_903;

/// Numbers of the streams that the header names.
pub(super) struct Streams {
    pub(super) globals: u16,
    pub(super) publics: u16,
    pub(super) symbols: u16,
    pub(super) debug: DebugStreams,
}

/// The optional debug header's streams; `None` is a stream that is not there.
#[derive(Clone, Copy, Default)]
pub(super) struct DebugStreams {
    pub(super) omap_to_source: Option<u16>,
    pub(super) omap_from_source: Option<u16>,
    pub(super) sections: Option<u16>,
    pub(super) original_sections: Option<u16>,
}

/// The stream, for an image with these sections (those that the symbols refer to).
pub(super) fn write(age: u32, machine: u16, sections: &[Section], streams: &Streams) -> Vec<u8> {
    // Linker 14.20 in the new format.
    const BUILD_NUMBER: u16 = 0x8000 | 14 << 8 | 20;
    const STRIPPED: u16 = 2;

    let parts = [
        modules(sections),
        section_contributions(sections),
        section_map(sections),
        file_info(),
        Vec::new(), // type servers
    ];
    let edit_and_continue = Strings::new().write();
    let debug = debug_header(streams.debug);
    let mut out = Vec::new();
    out.u32(0xffff_ffff);
    out.u32(VERSION_70);
    out.u32(age);
    out.u16(streams.globals);
    out.u16(BUILD_NUMBER);
    out.u16(streams.publics);
    out.u16(0); // version of the library that wrote it
    out.u16(streams.symbols);
    out.u16(0); // its build
    parts.iter().for_each(|part| out.u32(len32(part.len())));
    out.u32(0); // no type server
    out.u32(len32(debug.len()));
    out.u32(len32(edit_and_continue.len()));
    out.u16(STRIPPED);
    out.u16(machine);
    out.u32(0);
    out.extend(parts.concat());
    out.extend(edit_and_continue);
    out.extend(debug);
    out
}

/// The one module a stripped PDB keeps.
fn modules(sections: &[Section]) -> Vec<u8> {
    let mut out = Vec::new();
    out.u32(0);
    match sections.first() {
        Some(section) => contribution(&mut out, 1, section),
        None => out.resize(out.len() + 28, 0),
    }
    out.u16(0); // flags
    out.u16(0xffff); // no stream of its own
    (0..3).for_each(|_| out.u32(0)); // bytes of symbols and of lines, old and new
    out.u16(0); // source files
    out.u16(0);
    (0..3).for_each(|_| out.u32(0)); // unused, names of source and PDB
    out.zstr("* Linker *");
    out.zstr("");
    out.align(4);
    out
}

fn section_contributions(sections: &[Section]) -> Vec<u8> {
    const VERSION_60: u32 = 0xeffe_0000 + 19_970_605;
    let mut out = Vec::new();
    out.u32(VERSION_60);
    for (number, section) in (1..).zip(sections) {
        contribution(&mut out, number, section);
    }
    out
}

/// The module's whole share of a section.
fn contribution(out: &mut Vec<u8>, number: u16, section: &Section) {
    out.u16(number);
    out.u16(0);
    out.u32(0); // offset
    out.u32(section.size);
    out.u32(section.characteristics);
    out.u16(0); // module
    out.u16(0);
    out.u32(0); // checksums of data and of relocations
    out.u32(0);
}

/// One entry a section and one for absolute values.
fn section_map(sections: &[Section]) -> Vec<u8> {
    const READ: u16 = 1;
    const WRITE: u16 = 2;
    const EXECUTE: u16 = 4;
    const IS_32_BIT: u16 = 8;
    const SELECTOR: u16 = 0x100;
    const ABSOLUTE: u16 = 0x200;

    let count = len16(sections.len() + 1);
    let mut out = Vec::new();
    out.u16(count);
    out.u16(count);
    let mut entry = |flags: u16, frame: u16, size: u32| {
        out.u16(flags);
        out.u16(0); // overlay
        out.u16(0); // group
        out.u16(frame);
        out.u16(0xffff); // names
        out.u16(0xffff);
        out.u32(0); // offset
        out.u32(size);
    };
    for (frame, section) in (1..).zip(sections) {
        // IMAGE_SCN_MEM_EXECUTE, READ and WRITE are the top bits.
        let has = |bit: u32, flag: u16| {
            if section.characteristics & bit == 0 {
                0
            } else {
                flag
            }
        };
        let access = has(1 << 30, READ) | has(1 << 31, WRITE) | has(1 << 29, EXECUTE);
        entry(IS_32_BIT | SELECTOR | access, frame, section.size);
    }
    entry(IS_32_BIT | ABSOLUTE, count, 0xffff_ffff);
    out
}

/// No source files of one module.
fn file_info() -> Vec<u8> {
    let mut out = Vec::new();
    out.u16(1); // modules
    out.u16(0); // files
    out.u16(0); // first file of the module
    out.u16(0); // files of the module
    out
}

fn debug_header(streams: DebugStreams) -> Vec<u8> {
    let mut numbers = [None; 11];
    numbers[3] = streams.omap_to_source;
    numbers[4] = streams.omap_from_source;
    numbers[5] = streams.sections;
    numbers[10] = streams.original_sections;
    let mut out = Vec::new();
    numbers.iter().for_each(|n| out.u16(n.unwrap_or(0xffff)));
    out
}

/// `IMAGE_SECTION_HEADER`s, 40 bytes each.
pub(super) fn section_headers(sections: &[Section]) -> Vec<u8> {
    let mut out = Vec::new();
    for section in sections {
        let mut name = [0; 8];
        name[..section.name.len()].copy_from_slice(section.name.as_bytes());
        out.extend(name);
        out.u32(section.size);
        out.u32(section.rva);
        out.u32(section.size); // in the file, where it lies as in memory
        out.u32(section.rva);
        (0..3).for_each(|_| out.u32(0)); // relocations, line numbers, counts of both
        out.u32(section.characteristics);
    }
    out
}
