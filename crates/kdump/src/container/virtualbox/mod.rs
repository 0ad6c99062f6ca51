//! Saved states and snapshots of VirtualBox (`.sav`), of format 2.0: VirtualBox 3.1 and later.
//!
//! File header, 0x40 bytes: magic 0, version of VirtualBox u16 0x20 and 0x22, build u32 0x24, revision u32 0x28, bits of
//! the host u8 0x2c, size of a physical address u8 0x2d (8) and of a pointer u8 0x2e, units u32 0x30, flags u32 0x34 (1:
//! with a checksum, 2: saved while the machine ran), most bytes that a record becomes u32 0x38, CRC-32 0x3c.
//!
//! Units one behind the other: magic 0, own place in the file u64 8, CRC-32 of the file before it u32 0x10, CRC-32 of this
//! header u32 0x14, version u32 0x18, instance u32 0x1c, pass u32 0x20 (0xffffffff: the final one), flags u32 0x24, length of
//! the name with its NUL u32 0x28, name 0x2c, then records ([`stream`]). `\nTheEnd\0` in the place of the magic is behind the
//! last one; a directory of the units of the final pass follows, which nothing here needs.
//!
//! Memory is in the units `pgm` ([`records`]). Sources: VirtualBox's own SSM.cpp and PGMSavedState.cpp for the meaning of
//! fields; a real header of a file (parsiya.net, 2018) and a real unit (superuser.com, question 915652), whose checksums
//! agree. Registers of processors are in the unit `cpum`, in another form in most versions, and are not read: the kernel is
//! found without.

pub(crate) mod lzf;
mod pages;
mod records;
pub(crate) mod stream;

use crate::container::fields::{array, bytes};
use crate::container::virtualbox::records::{FINAL, Memory, Unit};
use crate::container::virtualbox::stream::{End, Stop, Stream};
use crate::container::{Container, Pages, Refusal};
use crate::file::source::ByteSource;
use crate::memory::page::PAGE;
use crate::value::image_format::ImageFormat;
use crate::value::le;
use crate::value::note::{Lost, Note};

/// What files of each format begin with; a version follows.
const MAGIC: &[u8] = b"\x7fVirtualBox SavedState V";
/// The version that is read.
const VERSION: &[u8] = b"2.0\n\0\0\0";
const HEADER: u64 = 0x40;
const UNIT_MAGIC: &[u8] = b"\nUnit\n\0\0";
const END_MAGIC: &[u8] = b"\nTheEnd\0";
const UNIT_HEADER: usize = 0x2c;
/// The longest name of a unit, with its NUL.
const MAX_NAME: u32 = 48;
const LONGEST_HEADER: usize = UNIT_HEADER + MAX_NAME as usize;
/// How much is searched for the header of a unit in one go.
const SEARCHED: usize = 1 << 20;
const DUMP_CORE: &str =
    "resume the machine and write its memory: `VBoxManage debugvm NAME dumpvmcore --filename vm.elf`";

/// Whether a file begins as a saved state does, with a whole header.
pub(crate) fn is_state(head: &[u8]) -> bool {
    head.starts_with(MAGIC) && head.len() as u64 >= HEADER
}

/// Reads all units, and where the pages are.
pub(crate) fn read(source: &ByteSource) -> Result<Container, Refusal> {
    let header = array::<0x40>(source, 0)?;
    let mut notes = Vec::new();
    let (live, pointer) = file_header(&header, &mut notes)?;
    let mut walk = Walk {
        source,
        memory: Memory::new(live, pointer),
        reached: Reached::default(),
        notes,
    };
    walk.units()?;
    let Walk {
        memory,
        reached,
        mut notes,
        ..
    } = walk;
    if memory.pages.is_empty() {
        return Err(match reached {
            _ if reached.cut => Refusal::Cut {
                need: source.len().saturating_add(1),
            },
            _ if !reached.memory => Refusal::Bad("it has no unit of memory (pgm)".to_owned()),
            _ => Refusal::Bad("its unit of memory (pgm) has no pages".to_owned()),
        });
    }
    let (live, expected) = (memory.live, memory.size.unwrap_or_default() / PAGE);
    let (mut pages, ballooned) = memory.pages.build();
    if reached.cut {
        let there = pages.len().saturating_add(ballooned);
        pages = pages.without(expected.saturating_sub(there));
    }
    notes.extend(given(ballooned));
    if live && (reached.broken || !reached.last) {
        notes.push(Note::new(
            "passes-missing",
            "the machine ran while its memory was saved in passes, and not all of these are whole: pages that changed \
             meanwhile can be as they were before",
        ));
    }
    let mut container = Container::new(ImageFormat::VirtualBoxState, Pages::Packed(Box::new(pages)));
    container.notes = notes;
    Ok(container)
}

/// A finding about pages that the guest gave to its host.
fn given(pages: u64) -> Option<Note> {
    (pages != 0).then(|| {
        Note::new(
            "ballooned-pages",
            format!(
                "the machine had given {pages} pages back to its host (ballooning): they are not in the file"
            ),
        )
    })
}

/// Whether the machine ran while it was saved, and how many bytes a pointer has.
fn file_header(header: &[u8; 0x40], notes: &mut Vec<Note>) -> Result<(bool, u64), Refusal> {
    let version = header.get(MAGIC.len()..).unwrap_or_default();
    if !version.starts_with(VERSION) {
        let shown: String = version
            .iter()
            .take(8)
            .take_while(|byte| byte.is_ascii_digit() || **byte == b'.')
            .map(|&byte| char::from(byte))
            .collect();
        return Err(foreign(&format!("format V{shown}, and V2.0 is known")));
    }
    let byte = |offset: usize| header.get(offset).copied().unwrap_or_default();
    if byte(0x2d) != 8 || !matches!(byte(0x2e), 4 | 8) {
        return Err(foreign(&format!(
            "physical addresses of {} and pointers of {} bytes, and 8, and 4 or 8, are known",
            byte(0x2d),
            byte(0x2e)
        )));
    }
    if !is_summed(header, 0x3c) {
        notes.push(Note::new(
            "header-checksum-wrong",
            "the checksum of the file's header is wrong: the file is damaged",
        ));
    }
    let flags = le::u32(header, 0x34).unwrap_or_default();
    Ok((flags & 2 != 0, byte(0x2e).into()))
}

/// Whether the CRC-32 at an offset is that of the bytes, with itself as zero.
fn is_summed(bytes: &[u8], at: usize) -> bool {
    let Some((before, rest)) = bytes.split_at_checked(at) else {
        return false;
    };
    let Some((sum, behind)) = rest.split_first_chunk::<4>() else {
        return false;
    };
    let mut hasher = crc32fast::Hasher::new();
    for part in [before, &[0; 4], behind] {
        hasher.update(part);
    }
    hasher.finalize() == u32::from_le_bytes(*sum)
}

/// A saved state of a form that is not read.
fn foreign(what: &str) -> Refusal {
    Refusal::Foreign {
        found: format!("a VirtualBox saved state of {what}"),
        next: DUMP_CORE.to_owned(),
    }
}

/// What is where a unit should be.
enum Next {
    Unit {
        unit: Unit,
        records: u64,
        sum: u32,
    },
    /// The end of all units.
    End,
    /// Something else.
    Nothing,
}

/// How far the walk over units came.
#[derive(Debug, Clone, Copy, Default)]
struct Reached {
    /// There is a unit of memory.
    memory: bool,
    /// The unit of the final pass is there to its end.
    last: bool,
    /// Something was not where it should be.
    broken: bool,
    /// The file ended before the unit of the final pass did.
    cut: bool,
}

/// The walk over units, up to the last one of memory.
struct Walk<'s> {
    source: &'s ByteSource,
    memory: Memory,
    reached: Reached,
    notes: Vec<Note>,
}

impl Walk<'_> {
    /// Reads unit by unit.
    fn units(&mut self) -> Result<(), Refusal> {
        let mut at = Some(HEADER);
        while let Some(place) = at.filter(|_| !self.reached.last) {
            at = match self.header(place)? {
                Next::End => return Ok(()),
                Next::Unit { unit, records, sum } => self.unit(place, unit, records, sum)?,
                Next::Nothing => self.lost(place, "there is no unit where one should be")?,
            };
        }
        self.reached.cut |= !self.reached.last;
        Ok(())
    }

    /// What begins at an offset.
    fn header(&self, at: u64) -> Result<Next, Refusal> {
        let room = usize::try_from(self.source.len().saturating_sub(at)).unwrap_or(usize::MAX);
        let head = bytes(self.source, at, LONGEST_HEADER.min(room))?;
        if le::u64(&head, 8) != Some(at) {
            return Ok(Next::Nothing);
        }
        if head.starts_with(END_MAGIC) {
            return Ok(Next::End);
        }
        let field = |offset| le::u32(&head, offset).unwrap_or_default();
        let name = field(0x28);
        let len = UNIT_HEADER.saturating_add(name as usize);
        let whole = head.get(..len).filter(|_| name != 0 && name <= MAX_NAME);
        let Some(whole) = whole.filter(|whole| whole.starts_with(UNIT_MAGIC) && is_summed(whole, 0x14))
        else {
            return Ok(Next::Nothing);
        };
        let unit = Unit {
            is_memory: whole.get(UNIT_HEADER..) == Some(b"pgm\0"),
            version: field(0x18),
            pass: field(0x20),
        };
        Ok(Next::Unit {
            unit,
            records: at.saturating_add(len as u64),
            sum: field(0x10),
        })
    }

    /// Reads the unit at an offset. Where the next one is, if there is one.
    fn unit(&mut self, at: u64, unit: Unit, records: u64, sum: u32) -> Result<Option<u64>, Refusal> {
        if !unit.is_memory {
            return match Stream::new(self.source, records).finish() {
                Ok(end) => Ok(Some(end.next)),
                Err(stop) => self.stopped(stop),
            };
        }
        if !(11..=14).contains(&unit.version) {
            return Err(foreign(&format!(
                "another version of VirtualBox: its unit of memory (pgm) has version {}, and 11 to 14 are known",
                unit.version
            )));
        }
        self.reached.memory = true;
        let mut stream = Stream::summed(self.source, records, at, sum);
        let whole = match self.memory.read(unit, &mut stream) {
            Ok(()) => true,
            Err(Stop::Broken(_) | Stop::End) => {
                self.broken(stream.at(), "the pages of memory break off");
                false
            }
            Err(stop) => return self.stopped(stop),
        };
        let End { next, sound } = match stream.finish() {
            Ok(end) => end,
            Err(stop) => return self.stopped(stop),
        };
        self.reached.last = unit.pass == FINAL;
        if whole && !sound {
            self.notes.push(Note::new(
                "checksum-wrong",
                format!(
                    "the checksum of the memory that is saved from file offset {at:#x} to {next:#x} is wrong: pages in it \
                     can be damaged without being told; copy the file again"
                ),
            ));
        }
        Ok(Some(next))
    }

    /// Goes on behind a unit that is not whole.
    fn stopped(&mut self, stop: Stop) -> Result<Option<u64>, Refusal> {
        match stop {
            Stop::Io(error) => Err(error.into()),
            Stop::TooMany => Err(Refusal::Bad(
                "its pages are in more pieces than any machine has".to_owned(),
            )),
            Stop::Broken(at) => self.lost(at, "there is no record where one should be"),
            Stop::Cut | Stop::End => Ok(None),
        }
    }

    /// Goes on behind a place where something is not where it should be.
    fn lost(&mut self, at: u64, what: &str) -> Result<Option<u64>, Refusal> {
        // What is shorter than a header is the beginning of one.
        let left = self.source.len().saturating_sub(at);
        if left >= LONGEST_HEADER as u64 {
            self.broken(at, what);
        }
        self.search(at)
    }

    /// Tells the first time that something is not where it should be.
    fn broken(&mut self, at: u64, what: &str) {
        if !self.reached.broken {
            let note = Note::new(
                "records-broken",
                format!("at file offset {at:#x} {what}: the file is damaged there, and pages can be missing"),
            );
            self.notes.push(note.losing(Lost::Cut));
        }
        self.reached.broken = true;
    }

    /// The next place from `from` on where a unit begins, or their end.
    fn search(&self, from: u64) -> Result<Option<u64>, Refusal> {
        let mut at = from;
        while at < self.source.len() {
            let left = usize::try_from(self.source.len().saturating_sub(at)).unwrap_or(usize::MAX);
            let chunk = bytes(self.source, at, SEARCHED.min(left))?;
            for (place, eight) in (at..).zip(chunk.windows(UNIT_MAGIC.len())) {
                let may_be = eight == UNIT_MAGIC || eight == END_MAGIC;
                if may_be && !matches!(self.header(place)?, Next::Nothing) {
                    return Ok(Some(place));
                }
            }
            // A magic may lie across two chunks.
            let step = chunk.len().saturating_sub(UNIT_MAGIC.len()).max(1);
            at = at.saturating_add(step as u64);
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The header of a file of VirtualBox 5.1.28 (parsiya.net, "VirtualBox Live State File Format").
    const FILE: &[u8; 0x40] =
        b"\x7fVirtualBox SavedState V2.0\n\0\0\0\0\x05\0\x01\0\x1c\0\0\0\xd0\xcc\x01\0\x40\x08\x08\0\
        \x2a\0\0\0\x01\0\0\0\0\x10\0\0\x08\xdf\x3b\x9e";
    /// The unit `mm` of a file of VirtualBox 4.3, which stands at 0x152 (superuser.com, question 915652).
    const UNIT: &[u8] = b"\nUnit\n\0\0\x52\x01\0\0\0\0\0\0\x7c\x36\x11\x91\xce\xb0\xe2\xce\x02\0\0\0\x01\0\0\0\xff\xff\xff\
        \xff\0\0\0\0\x03\0\0\0mm\0\x92\x10\x1e\0\x08\0\0\0\0\0\0\0\0\x80\0\0\0\0\x91\x0e\x01\0\x38\x7e\xd4\x06\x22\0\0\0\0\0\
        \0\0";

    fn file() -> ByteSource {
        let mut file = vec![0; 0x152];
        file.extend(UNIT);
        ByteSource::Memory(file)
    }

    #[test]
    fn the_header_of_a_real_file_is_read() {
        let mut notes = Vec::new();
        assert_eq!(file_header(FILE, &mut notes).unwrap(), (false, 8));
        assert!(notes.is_empty());
        let mut damaged = *FILE;
        damaged[0x24] ^= 1;
        file_header(&damaged, &mut notes).unwrap();
        assert_eq!(notes[0].id, "header-checksum-wrong");
    }

    /// Its checksums are right, the one of the file in its last record too.
    #[test]
    fn a_unit_of_a_real_file_is_read() {
        let source = file();
        let walk = Walk {
            source: &source,
            memory: Memory::new(false, 8),
            reached: Reached::default(),
            notes: Vec::new(),
        };
        let Next::Unit { unit, records, sum } = walk.header(0x152).unwrap() else {
            panic!("a unit");
        };
        assert_eq!((unit.is_memory, unit.version, unit.pass), (false, 2, FINAL));
        let mut stream = Stream::summed(&source, records, 0x152, sum);
        // Its machine has 2 GiB, as its owner says.
        stream.skip(8).unwrap();
        assert_eq!(stream.u64().unwrap(), 2 << 30);
        let end = stream.finish().unwrap();
        assert_eq!(end.next, source.len());
        assert!(end.sound);
        let mut other = Stream::summed(&source, records, 0x152, sum ^ 1);
        assert!(!other.finish().unwrap().sound);
        assert_eq!(walk.search(0).unwrap(), Some(0x152));
    }
}
