//! Saved states and checkpoints of Hyper-V machines (`.vmrs`), with the memory inside.
//!
//! Keys of the [storage], under `savedstate` since version 5.0 of machines, at the root before \[single source\]:
//! `RamMemoryBlock%d`: memory without a hole: version u32 0, flags u32 4 (bit 1: of enclaves, bit 2: of
//! VTL2), pages u64 8, first page among all that are saved u64 0x10, first frame u64 0x18. `RamBlock%I64u`: 1 MiB of what
//! is saved; as it is where it has that size, else [packed](unpack). So frame f of a memory block is page
//! `first page + f - first frame` of what is saved. Sources: openvmm's hvs_file/FORMAT.md, and a reader that agrees on
//! the arithmetic.

pub(crate) mod storage;
mod unpack;

use std::collections::BTreeMap;
use std::path::Path;

use crate::container::hyper_v::storage::{Kind, Log, Storage, Value};
use crate::container::lime::overlapping;
use crate::container::packed::{Block, Builder, stored};
use crate::container::{Container, Pages, Refusal};
use crate::file::source::ByteSource;
use crate::memory::page::PageRun;
use crate::value::address::Pfn;
use crate::value::image_format::ImageFormat;
use crate::value::le;
use crate::value::note::{Lost, Note};

/// Bytes and pages of a block.
const BLOCK: u32 = 0x10_0000;
const BLOCK_PAGES: u64 = 0x100;
/// Bits of flags of memory that the machine's own processors do not see as such.
const ENCLAVE: u32 = 1 << 1;
const VTL2: u32 = 1 << 2;
/// Frames of the largest physical address that there is.
const MAX_FRAME: u64 = 1 << 40;
/// Memory blocks of a machine: two and those that were added to the running machine.
const MAX_MEMORY_BLOCKS: usize = 1 << 16;

/// Reads a saved state.
pub(crate) fn read(path: &Path, source: &ByteSource) -> Result<Container, Refusal> {
    let mut storage = Storage::open(source)?;
    let keys = Keys::read(&mut storage)?;
    if keys.memory.is_empty() {
        return Err(without_memory(path, &storage, &keys));
    }
    let mut notes = Vec::new();
    notes.extend(log(&storage));
    notes.extend(state(&storage));
    let (pages, found) = lay_out(&storage, &keys, source.len())?;
    notes.extend(found);
    let mut container = Container::new(ImageFormat::HyperVState, pages);
    container.notes = notes;
    Ok(container)
}

/// The keys of memory.
#[derive(Debug, Default)]
struct Keys {
    memory: BTreeMap<u64, Value>,
    blocks: BTreeMap<u64, Value>,
    kind: Option<Value>,
}

impl Keys {
    fn read(storage: &mut Storage<'_>) -> Result<Keys, Refusal> {
        let mut keys = Keys::default();
        // The old name of memory has its number as a name of its own: `RamMemoryBlock/0/`.
        let wanted = |name: &str| {
            name.starts_with("Ram")
                || name == "type"
                || name.is_empty()
                || name.bytes().all(|byte| byte.is_ascii_digit())
        };
        storage.values(wanted, |path, value| {
            let path = path.trim_matches('/');
            let path = path.strip_prefix("savedstate/").unwrap_or(path);
            if path == "type" && value.kind == Kind::Text {
                keys.kind.get_or_insert(value);
            }
            if value.kind != Kind::Array {
                return;
            }
            let number = |name: &str| path.strip_prefix(name)?.parse::<u64>().ok();
            if let Some(number) = number("RamMemoryBlock").or_else(|| number("RamMemoryBlock/")) {
                keys.memory.entry(number).or_insert(value);
            } else if let Some(number) = number("RamBlock") {
                keys.blocks.entry(number).or_insert(value);
            }
        })?;
        Ok(keys)
    }
}

/// Why there is no memory, and what to do.
fn without_memory(path: &Path, storage: &Storage<'_>, keys: &Keys) -> Refusal {
    let named = |end: &str| {
        let extension = path.extension().and_then(|extension| extension.to_str());
        extension.is_some_and(|extension| extension.eq_ignore_ascii_case(end))
    };
    let resume = "let Windows write a dump of the machine: `Debug-VM NAME -InjectNonMaskableInterrupt`";
    if !keys.blocks.is_empty() || storage.damaged != 0 {
        return Refusal::Bad(format!(
            "it has {} blocks of memory and no record of where they belong; {} of its tables and entries are damaged",
            keys.blocks.len(),
            storage.damaged
        ));
    }
    if named("vsv") {
        return Refusal::Foreign {
            found: "the state of an old Hyper-V machine (.vsv), whose memory is in the .bin beside it"
                .to_owned(),
            next: format!("let WinDbg or Microsoft's vm2dmp make a dump of both, or {resume}"),
        };
    }
    if named("vmcx") || !storage.has_node("savedstate") && !named("vmrs") {
        return Refusal::Foreign {
            found: "the configuration of a Hyper-V machine (.vmcx), which holds no memory".to_owned(),
            next: format!("name the .vmrs of the same name beside it, or {resume}"),
        };
    }
    let kind = keys
        .kind
        .and_then(|value| storage.value(value, 0x40).ok())
        .map(|text| {
            let units: Vec<u16> = text
                .chunks_exact(2)
                .filter_map(|unit| le::u16(unit, 0))
                .take_while(|&unit| unit != 0)
                .collect();
            String::from_utf16_lossy(&units)
        });
    match kind {
        // What is kept while the host itself is restarted: the memory stays where it is.
        Some(kind) if kind.starts_with("Fast") => Refusal::Foreign {
            found: format!("a Hyper-V state of the kind {kind}, whose memory stayed in that of the host"),
            next: format!("save the machine (`Save-VM NAME`) and name its .vmrs, or {resume}"),
        },
        _ => Refusal::Foreign {
            found: "a Hyper-V checkpoint without memory, as production checkpoints are".to_owned(),
            next: format!(
                "save the hung machine (`Save-VM NAME`) and name its .vmrs, or take a standard checkpoint (`Set-VM NAME \
                 -CheckpointType Standard`, `Checkpoint-VM NAME`), or {resume}"
            ),
        },
    }
}

/// A finding about the log.
fn log(storage: &Storage<'_>) -> Option<Note> {
    match storage.log {
        Log::Empty => None,
        Log::Applied(changes) => Some(Note::new(
            "changes-pending",
            format!(
                "{changes} changes were waiting in the file's log, as in a copy of a file that its host was using; they \
                 were taken as made, and the file itself was not changed"
            ),
        )),
        Log::Unusable => Some(Note::new(
            "log-damaged",
            "changes are waiting in the file's log that are not whole, as in a copy of a file that its host was writing: \
             what is in the file is from before them; save the machine and copy the file again",
        )),
        Log::Missing => Some(Note::new(
            "log-damaged",
            "the file's log is not where its header says: whether changes were waiting in it is not known",
        )),
    }
}

/// Findings about the storage.
fn state(storage: &Storage<'_>) -> Vec<Note> {
    let mut notes = Vec::new();
    if storage.version != storage::KNOWN {
        notes.push(Note::new(
            "unknown-version",
            format!(
                "the file has version {}.{} of its format, and 4.0 is known",
                storage.version >> 8,
                storage.version & 0xff
            ),
        ));
    }
    if storage.damaged != 0 {
        notes.push(Note::new(
            "tables-damaged",
            format!(
                "{} of the file's tables and entries are damaged: what they named is missing",
                storage.damaged
            ),
        ));
    }
    notes
}

/// A record of memory without a hole.
#[derive(Debug, Clone, Copy)]
struct Memory {
    flags: u32,
    pages: u64,
    /// Its first page among all that are saved.
    first: u64,
    frame: u64,
}

impl Memory {
    fn parse(record: &[u8]) -> Option<Memory> {
        Some(Memory {
            flags: le::u32(record, 4)?,
            pages: le::u64(record, 8)?,
            first: le::u64(record, 0x10)?,
            frame: le::u64(record, 0x18)?,
        })
        .filter(|memory| memory.pages != 0)
        .filter(|memory| {
            [memory.frame, memory.first].into_iter().all(|start| {
                start
                    .checked_add(memory.pages)
                    .is_some_and(|end| end <= MAX_FRAME)
            })
        })
    }
}

/// Puts frames into blocks.
fn lay_out(storage: &Storage<'_>, keys: &Keys, len: u64) -> Result<(Pages, Vec<Note>), Refusal> {
    if keys.memory.len() > MAX_MEMORY_BLOCKS {
        return Err(Refusal::Bad(format!(
            "more than {MAX_MEMORY_BLOCKS} blocks of memory"
        )));
    }
    let mut notes = Vec::new();
    let mut builder = Builder::default();
    let mut numbers = BTreeMap::new();
    let mut pending = 0_u64;
    for (&number, value) in &keys.blocks {
        let Some(place) = value.place else {
            pending = pending.saturating_add(1);
            continue;
        };
        // Larger than it can be: nobody packs like that.
        if value.len == 0 || value.len > BLOCK {
            continue;
        }
        numbers.insert(number, builder.len());
        let block = Block {
            offset: place,
            packed: value.len,
            plain: BLOCK,
            unpack: if value.len == BLOCK {
                stored
            } else {
                unpack::unpack
            },
        };
        builder.block(block, []);
    }
    // Each block is of one piece of memory, or of two where they meet.
    let mut room = numbers.len().saturating_mul(2).saturating_add(MAX_MEMORY_BLOCKS);
    let (mut broken, mut foreign) = (0_u64, 0_u64);
    let mut missing = Missing::default();
    for value in keys.memory.values() {
        let Some(memory) = Memory::parse(&storage.value(*value, 0x30)?) else {
            broken = broken.saturating_add(1);
            continue;
        };
        if memory.flags & (ENCLAVE | VTL2) != 0 {
            foreign = foreign.saturating_add(memory.pages);
            continue;
        }
        let end = memory.first.saturating_add(memory.pages);
        let blocks = memory.first / BLOCK_PAGES..end.div_ceil(BLOCK_PAGES);
        missing.wanted = missing
            .wanted
            .saturating_add(blocks.end.saturating_sub(blocks.start));
        let mut next = blocks.start;
        for (&block, &number) in numbers.range(blocks.clone()) {
            missing.gap(next, block);
            next = block.saturating_add(1);
            room = room
                .checked_sub(1)
                .ok_or_else(|| Refusal::Bad("its blocks of memory overlap".to_owned()))?;
            let from = block.saturating_mul(BLOCK_PAGES).max(memory.first);
            let to = next.saturating_mul(BLOCK_PAGES).min(end);
            let frame = memory.frame.saturating_add(from.saturating_sub(memory.first));
            let run = PageRun {
                base: Pfn::new(frame),
                count: to.saturating_sub(from),
            };
            builder.frames(number, from % BLOCK_PAGES, run);
        }
        missing.gap(next, blocks.end);
    }
    notes.extend(missing.note(pending));
    if broken != 0 {
        notes.push(Note::new(
            "tables-damaged",
            format!("{broken} records of where memory belongs make no sense: that memory is missing"),
        ));
    }
    if foreign != 0 {
        notes.push(
            Note::new(
                "other-trust-level",
                format!("{foreign} pages belong to an enclave or to VTL2, and are left out [single source]"),
            )
            .losing(Lost::Encrypted),
        );
    }
    let (blocks, repeated) = builder.build(len);
    notes.extend(overlapping(repeated));
    Ok((Pages::Packed(Box::new(blocks)), notes))
}

/// Blocks that should be there.
#[derive(Debug, Default)]
struct Missing {
    wanted: u64,
    blocks: u64,
    first: Option<u64>,
}

impl Missing {
    fn gap(&mut self, from: u64, to: u64) {
        if to > from {
            self.blocks = self.blocks.saturating_add(to.saturating_sub(from));
            self.first.get_or_insert(from);
        }
    }

    fn note(&self, pending: u64) -> Option<Note> {
        let first = self.first?;
        let waiting = match pending {
            0 => String::new(),
            _ => format!("; {pending} of the blocks are split between the file and its log"),
        };
        Some(
            Note::new(
                "blocks-missing",
                format!(
                    "{} of {} blocks of 1 MiB are not in the file, the first is RamBlock{first}: their pages are missing\
                     {waiting}",
                    self.blocks, self.wanted
                ),
            )
            .losing(Lost::Cut),
        )
    }
}
