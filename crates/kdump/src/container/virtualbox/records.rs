//! The units of memory (`pgm`): what is before their page records, and these.
//!
//! A machine that was stopped and saved has one unit, of the final pass: a structure (0x19200102, fixed mappings u8,
//! pointer, u32, from version 12 on ballooned pages u32, 0x19920406), one for each processor (0x19200102, u8, u64, u32, in
//! version 14 four u64, 0x19920406), up to version 13 a list of mappings (its index u32, text, two pointers; 0xffffffff
//! ends it), then the size of the hole u32 and of the memory u64, ranges of ROM (id u8, text, u32, u8, text, address u64, size
//! u64; 0xff ends them) and of devices (the same without the address), and page records. Of one that was saved while it
//! ran, pass 0 has what follows the lists, further passes have page records alone, and the final pass has what is before the
//! sizes, and page records. Texts are a length u32 and bytes.
//!
//! Page records: type u8, with 0x80 where it says which page: 0 zeros, 1 bytes, 8 given to the host, of the address u64 or
//! the page behind the last one; 2 bytes and 3 zeros of devices, 4 to 7 of ROM, of the range u8 and page u32, with a byte
//! of protection behind it for ROM. Bytes of the page follow for 1, 2, 4 and 5. 0xff ends them.

use crate::container::virtualbox::pages::{Builder, Content};
use crate::container::virtualbox::stream::{Place, Stop, Stream};
use crate::memory::page::PAGE;

/// The pass in which a machine stands still.
pub(crate) const FINAL: u32 = u32::MAX;
const BEGIN: u32 = 0x1920_0102;
const END: u32 = 0x1992_0406;
/// Frames of the largest physical address that there is.
const MAX_FRAME: u64 = 1 << 40;
/// The longest text that is read: VirtualBox takes 256 bytes.
const MAX_TEXT: u32 = 0x400;
/// Ends lists of mappings, and of ranges.
const LAST_MAPPING: u32 = u32::MAX;
const LAST: u8 = 0xff;

/// What the header of a unit says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unit {
    /// Whether it is one of memory.
    pub(crate) is_memory: bool,
    pub(crate) version: u32,
    pub(crate) pass: u32,
}

/// The memory of a machine, as far as it was read.
#[derive(Debug)]
pub(crate) struct Memory {
    /// Whether the machine ran while it was saved.
    pub(crate) live: bool,
    /// How many bytes a pointer has.
    pointer: u64,
    /// How large the memory is, as the file says.
    pub(crate) size: Option<u64>,
    pub(crate) pages: Builder,
}

impl Memory {
    /// No memory yet.
    pub(crate) fn new(live: bool, pointer: u64) -> Memory {
        Memory {
            live,
            pointer,
            size: None,
            pages: Builder::default(),
        }
    }

    /// Reads the next unit up to the end of its page records.
    pub(crate) fn read(&mut self, unit: Unit, stream: &mut Stream<'_>) -> Result<(), Stop> {
        match unit.pass {
            FINAL => {
                self.structures(unit.version, stream)?;
                if !self.live {
                    self.ranges(stream)?;
                }
            }
            0 => {
                self.live = true;
                self.ranges(stream)?;
            }
            _ => self.live = true,
        }
        let mut last = None;
        while let Some((frame, content)) = next(stream, last)? {
            last = Some(frame);
            if !self.pages.add(frame, content) {
                return Err(Stop::TooMany);
            }
        }
        Ok(())
    }

    /// The structures of the machine and its processors, and its mappings.
    fn structures(&mut self, version: u32, stream: &mut Stream<'_>) -> Result<(), Stop> {
        let ballooned = if version >= 12 { 4 } else { 0 };
        expect(stream, BEGIN)?;
        stream.skip(self.pointer.saturating_add(5).saturating_add(ballooned))?;
        expect(stream, END)?;
        let tables = if version >= 14 { 0x20 } else { 0 };
        // How many processors there are is not said here.
        while stream.is_next(BEGIN)? {
            stream.skip(0xd_u64.saturating_add(tables))?;
            expect(stream, END)?;
        }
        while version <= 13 && stream.u32()? != LAST_MAPPING {
            text(stream)?;
            stream.skip(self.pointer.saturating_mul(2))?;
        }
        Ok(())
    }

    /// The size of memory, and ranges of ROM and devices.
    fn ranges(&mut self, stream: &mut Stream<'_>) -> Result<(), Stop> {
        stream.skip(4)?;
        let size = stream.u64()?;
        self.size = Some(size).filter(|size| size / PAGE < MAX_FRAME);
        for numbers in [0x10, 8] {
            while stream.u8()? != LAST {
                text(stream)?;
                stream.skip(5)?;
                text(stream)?;
                stream.skip(numbers)?;
            }
        }
        Ok(())
    }
}

/// The next page record of memory, if there is one, behind the one of the frame `last`.
fn next(stream: &mut Stream<'_>, mut last: Option<u64>) -> Result<Option<(u64, Content)>, Stop> {
    loop {
        let at = stream.at();
        let kind = stream.u8()?;
        if kind == LAST {
            return Ok(None);
        }
        let addressed = kind & 0x80 != 0;
        let kind = kind & 0x7f;
        if !matches!(kind, 0 | 1 | 8) {
            device(stream, at, kind, addressed)?;
            // A record of memory behind it says which page it is of.
            last = None;
            continue;
        }
        let frame = match addressed {
            true => Some(stream.u64()?)
                .filter(|address| address % PAGE == 0)
                .map(|address| address / PAGE),
            false => last.and_then(|last: u64| last.checked_add(1)),
        };
        let frame = frame.filter(|&frame| frame < MAX_FRAME).ok_or(Stop::Broken(at))?;
        let content = match kind {
            0 => Content::Bytes(Place::Zeros),
            1 => Content::Bytes(stream.page()?),
            _ => Content::Ballooned,
        };
        return Ok(Some((frame, content)));
    }
}

/// Passes over a page record of a device or of ROM.
fn device(stream: &mut Stream<'_>, at: u64, kind: u8, addressed: bool) -> Result<(), Stop> {
    let head = if addressed { 5 } else { 0 };
    let (protection, bytes) = match kind {
        2 => (0, PAGE),
        3 => (0, 0),
        4 | 5 => (1, PAGE),
        6 | 7 => (1, 0),
        _ => return Err(Stop::Broken(at)),
    };
    stream.skip(head)?;
    stream.skip(protection)?;
    stream.skip(bytes)
}

/// Takes a word that must be next.
fn expect(stream: &mut Stream<'_>, word: u32) -> Result<(), Stop> {
    let at = stream.at();
    match stream.u32()? == word {
        true => Ok(()),
        false => Err(Stop::Broken(at)),
    }
}

/// Passes over a text.
fn text(stream: &mut Stream<'_>) -> Result<(), Stop> {
    let at = stream.at();
    match stream.u32()? {
        len @ 0..=MAX_TEXT => stream.skip(len.into()),
        _ => Err(Stop::Broken(at)),
    }
}
