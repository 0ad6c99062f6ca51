//! Saved states of VMware machines: `.vmss` of a suspended one, `.vmsn` of a snapshot, with the memory beside them in a
//! `.vmem`, or inside.
//!
//! Header: magic u32 0, version u32 4, groups u32 8. Groups of 0x50 bytes from 0xc on: name 0x40 bytes, tags u64 0x40,
//! size u64 0x48. A tag: flags u8, name length u8, name, as many indices u32 as bits 6 and 7 of the flags say, data of as
//! many bytes as bits 0 to 5 say; 0x3e and 0x3f are blocks of {size in the file, size in memory} (8 bytes each, 4 in old
//! files), padding u16, the padding, data; 0x3e is compressed. Sources: Volatility's vmware.py, crash's vmware_vmss.h,
//! LeechCore. Volatility 3 leaves the padding of blocks out of account.

use std::path::{Path, PathBuf};

use crate::container::elf::context;
use crate::container::extents::{Extent, Extents};
use crate::container::fields::{array, bytes};
use crate::container::lime::overlapping;
use crate::container::processor::Processor;
use crate::container::{Container, Pages, Refusal, raw};
use crate::file::source::{ByteSource, open};
use crate::memory::page::PAGE;
use crate::value::address::Gva;
use crate::value::image_format::ImageFormat;
use crate::value::le;
use crate::value::note::Note;

/// bed0bed0 (old), bed1bed1, bed2bed2, bed3bed3 (partial), bad1bad1 (restored), bad2bad2; and bed2bed0, seen in one source.
const MAGICS: [u32; 7] = [
    0xbed0_bed0,
    0xbed1_bed1,
    0xbed2_bed2,
    0xbed3_bed3,
    0xbad1_bad1,
    0xbad2_bad2,
    0xbed2_bed0,
];
const GROUPS: u64 = 0xc;
const GROUP: usize = 0x50;
/// Bounds far above what a state has: some ten groups, a few thousand tags.
const MAX_GROUPS: u32 = 0x1000;
const MAX_TAGS: usize = 1 << 20;
const MAX_REGIONS: usize = 1 << 12;
const MAX_PROCESSORS: usize = 1 << 10;

/// Whether a file begins as a state does.
pub(crate) fn is_state(head: &[u8]) -> bool {
    le::u32(head, 0).is_some_and(|magic| MAGICS.contains(&magic))
}

/// Reads a state and the memory beside or in it.
pub(crate) fn read(path: &Path, source: &ByteSource) -> Result<Container, Refusal> {
    let state = State::read(source)?;
    let beside = path.with_extension("vmem");
    let container = match (open(&beside), state.inline) {
        (Ok(memory), _) => {
            let mut container = state.over(memory.len());
            container.other = Some((beside, memory));
            container
        }
        (Err(_), Some(Inline::Plain { offset, len })) => {
            let mut container = state.at(offset, len);
            container.format = ImageFormat::VmwareState;
            container
        }
        (Err(_), Some(Inline::Compressed)) => {
            return Err(Refusal::Foreign {
                found: "a VMware snapshot whose memory is compressed, which no published reader unpacks".to_owned(),
                next: "suspend the machine instead, which writes its memory as it is, or let Windows write a dump"
                    .to_owned(),
            });
        }
        (Err(error), None) => {
            return Err(Refusal::Foreign {
                found: format!(
                    "the state of a VMware machine without its memory: {} ({error})",
                    beside.display()
                ),
                next: "copy the .vmem of the same name beside it; a snapshot without memory has none"
                    .to_owned(),
            });
        }
    };
    Ok(container)
}

/// Takes a `.vmem` with the `.vmss` or `.vmsn` of the same name, where there is one that can be read, else alone.
pub(crate) fn memory(path: &Path, source: &ByteSource) -> Container {
    let mut failed = None;
    for extension in ["vmss", "vmsn"] {
        let beside = path.with_extension(extension);
        let Ok(state) = open(&beside) else { continue };
        let head = array::<4>(&state, 0).unwrap_or_default();
        match State::read(&state) {
            Ok(state) if is_state(&head) => return state.over(source.len()),
            _ => failed = Some(beside),
        }
    }
    let mut container = raw::read(source.len(), ImageFormat::VmwareMemory);
    container.notes.push(alone(failed));
    container
}

/// A finding about memory without its state.
fn alone(failed: Option<PathBuf>) -> Note {
    let why = match failed {
        Some(path) => format!("{} beside it cannot be read", path.display()),
        None => "no .vmss or .vmsn of the same name is beside it".to_owned(),
    };
    Note::new(
        "vmem-alone",
        format!("{why}: the registers of processors are not known"),
    )
}

/// Where a state holds the memory itself.
#[derive(Debug, Clone, Copy)]
enum Inline {
    Plain { offset: u64, len: u64 },
    Compressed,
}

/// What a state tells.
#[derive(Debug, Default)]
struct State {
    /// Runs of frames: first frame, place in frames of the memory file, count.
    regions: Vec<[u64; 3]>,
    inline: Option<Inline>,
    processors: Vec<Processor>,
}

impl State {
    fn read(source: &ByteSource) -> Result<State, Refusal> {
        let head = array::<12>(source, 0)?;
        let magic = le::u32(&head, 0).unwrap_or_default();
        let count = le::u32(&head, 8).unwrap_or_default();
        if count > MAX_GROUPS {
            return Err(Refusal::Bad(format!("it claims {count} groups of fields")));
        }
        let groups = bytes(source, GROUPS, (count as usize).saturating_mul(GROUP))?;
        let mut state = State::default();
        for group in groups.chunks_exact(GROUP) {
            let name = le::text(group, 0, 0x40).unwrap_or_default();
            let at = le::u64(group, 0x40).unwrap_or_default();
            if !matches!(name.as_str(), "memory" | "cpu") {
                continue;
            }
            let mut tags = Tags {
                source,
                at,
                wide: magic & 0xf != 0,
                left: MAX_TAGS,
            };
            while let Some(tag) = tags.next()? {
                match name.as_str() {
                    "memory" => state.memory_tag(&tag, source)?,
                    _ => state.processor_tag(&tag, source)?,
                }
            }
        }
        Ok(state)
    }

    fn memory_tag(&mut self, tag: &Tag, source: &ByteSource) -> Result<(), Refusal> {
        let place = match tag.name.as_slice() {
            b"regionPPN" => 0,
            b"regionPageNum" => 1,
            b"regionSize" => 2,
            b"Memory" if tag.compressed => {
                self.inline = Some(Inline::Compressed);
                return Ok(());
            }
            b"Memory" if tag.block => {
                self.inline = Some(Inline::Plain {
                    offset: tag.data,
                    len: tag.len,
                });
                return Ok(());
            }
            _ => return Ok(()),
        };
        let number = tag.indices.first().copied().unwrap_or_default() as usize;
        if number >= MAX_REGIONS {
            return Err(Refusal::Bad(format!(
                "it claims a region of memory number {number}"
            )));
        }
        let value = tag.number(source)?;
        if self.regions.len() <= number {
            self.regions.resize(number.saturating_add(1), [0; 3]);
        }
        if let Some(field) = self
            .regions
            .get_mut(number)
            .and_then(|region| region.get_mut(place))
        {
            *field = value;
        }
        Ok(())
    }

    /// `CR64` is a block of nine registers or a number each, `IDTR` a limit and a base or the halves of the base,
    /// `gpregs` a block of rax rcx rdx rbx rbp rsp rsi rdi r8 to r15: both forms were met (crash's vmware_vmss.c).
    fn processor_tag(&mut self, tag: &Tag, source: &ByteSource) -> Result<(), Refusal> {
        let number = tag.indices.first().copied().unwrap_or_default() as usize;
        let second = tag.indices.get(1).copied();
        let known = [
            b"CR64".as_slice(),
            b"IDTR",
            b"gpregs",
            b"rip",
            b"CR",
            b"GSBASE",
            b"KERNELGSBASE",
        ];
        if number >= MAX_PROCESSORS || !known.contains(&tag.name.as_slice()) {
            return Ok(());
        }
        if self.processors.len() <= number {
            self.processors
                .resize(number.saturating_add(1), Processor::default());
        }
        let data = tag.bytes(source)?;
        let Some(processor) = self.processors.get_mut(number) else {
            return Ok(());
        };
        let value = data
            .iter()
            .rev()
            .fold(0_u64, |value, &byte| (value << 8) | u64::from(byte));
        match (tag.name.as_slice(), second) {
            (b"CR64", None) if data.len() >= 40 => {
                processor.cr3 = le::u64(&data, 24);
                processor.cr4 = le::u64(&data, 32);
            }
            (b"CR64" | b"CR", Some(3)) => processor.cr3 = Some(value),
            (b"CR64" | b"CR", Some(4)) => processor.cr4 = Some(value),
            (b"IDTR", None) if data.len() >= 10 => processor.idt = le::u64(&data, 2).map(Gva::new),
            (b"IDTR", Some(half @ (1 | 2))) => {
                let idt = processor.idt.map_or(0, Gva::u64);
                processor.idt = Some(Gva::new(match half {
                    1 => (idt & !0xffff_ffff) | (value & 0xffff_ffff),
                    _ => (idt & 0xffff_ffff) | (value << 32),
                }));
            }
            (b"GSBASE", _) => processor.gs = Some(Gva::new(value)),
            (b"KERNELGSBASE", _) => processor.kernel_gs = Some(Gva::new(value)),
            (b"gpregs", _) if data.len() >= 128 => {
                const ORDER: [usize; 16] = [0, 1, 2, 3, 5, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
                let register = |place: usize| le::u64(&data, place.saturating_mul(8)).unwrap_or_default();
                let integers = ORDER.map(register);
                let rip = processor.context.map_or(0, |context| context.rip.u64());
                processor.context = context(rip, register(5), integers);
            }
            (b"rip", _) => {
                let old = processor.context;
                let rsp = old.map_or(0, |context| context.rsp.u64());
                let integers = old.and_then(|context| context.integers).unwrap_or_default();
                processor.context = context(value, rsp, integers);
            }
            _ => {}
        }
        Ok(())
    }

    /// The memory in a file of its own.
    fn over(self, len: u64) -> Container {
        self.at(0, len)
    }

    /// The memory from an offset of a file on.
    fn at(self, offset: u64, len: u64) -> Container {
        let used: Vec<[u64; 3]> = self.regions.into_iter().filter(|region| region[2] != 0).collect();
        // Without regions, the machine has less memory than the hole below 4 GiB would begin at.
        let given: Vec<Extent> = match used.is_empty() {
            true => Extent::of_bytes(0, len, offset).into_iter().collect(),
            false => used
                .into_iter()
                .map(|[base, page, count]| Extent {
                    base,
                    count,
                    offset: offset.saturating_add(page.saturating_mul(PAGE)),
                })
                .collect(),
        };
        let (extents, repeated) = Extents::new(given);
        let mut container = Container::new(ImageFormat::VmwareMemory, Pages::Plain(extents));
        container.processors = self.processors;
        container.notes.extend(overlapping(repeated));
        container
    }
}

/// A field of a group.
struct Tag {
    name: Vec<u8>,
    indices: Vec<u32>,
    block: bool,
    compressed: bool,
    /// Where its data begins, and how many bytes it has.
    data: u64,
    len: u64,
}

impl Tag {
    /// Its data, where that is as small as a field is.
    fn bytes(&self, source: &ByteSource) -> Result<Vec<u8>, Refusal> {
        bytes(
            source,
            self.data,
            usize::try_from(self.len.min(0x1000)).unwrap_or_default(),
        )
    }

    fn number(&self, source: &ByteSource) -> Result<u64, Refusal> {
        let data = bytes(
            source,
            self.data,
            usize::try_from(self.len.min(8)).unwrap_or_default(),
        )?;
        Ok(data
            .iter()
            .rev()
            .fold(0, |value, &byte| (value << 8) | u64::from(byte)))
    }
}

/// The fields of a group, one by one.
struct Tags<'s> {
    source: &'s ByteSource,
    at: u64,
    /// Whether sizes of blocks have eight bytes.
    wide: bool,
    left: usize,
}

impl Tags<'_> {
    fn next(&mut self) -> Result<Option<Tag>, Refusal> {
        let [flags, name_len] = array::<2>(self.source, self.at)?;
        // A byte of flags may be zero beside a name: only both end the group.
        if flags == 0 && name_len == 0 {
            return Ok(None);
        }
        self.left = self
            .left
            .checked_sub(1)
            .ok_or_else(|| Refusal::Bad(format!("a group has more than {MAX_TAGS} fields")))?;
        let mut at = self.at.saturating_add(2);
        let name = bytes(self.source, at, name_len.into())?;
        at = at.saturating_add(name_len.into());
        let mut indices = Vec::new();
        for _ in 0..(flags >> 6) {
            indices.push(u32::from_le_bytes(array(self.source, at)?));
            at = at.saturating_add(4);
        }
        let small = flags & 0x3f;
        let block = small >= 0x3e;
        let len = match (block, self.wide) {
            (false, _) => u64::from(small),
            (true, true) => {
                let sizes = array::<16>(self.source, at)?;
                at = at.saturating_add(16);
                le::u64(&sizes, 0).unwrap_or_default()
            }
            (true, false) => {
                let sizes = array::<8>(self.source, at)?;
                at = at.saturating_add(8);
                le::u32(&sizes, 0).unwrap_or_default().into()
            }
        };
        if block {
            let padding = u16::from_le_bytes(array(self.source, at)?);
            at = at.saturating_add(2).saturating_add(padding.into());
        }
        self.at = at.saturating_add(len);
        Ok(Some(Tag {
            name,
            indices,
            block,
            compressed: small == 0x3e,
            data: at,
            len,
        }))
    }
}
