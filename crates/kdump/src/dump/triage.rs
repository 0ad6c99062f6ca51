//! Triage dumps (kind 4), the files of the Minidump folder: no page tables and no pages, but pieces of virtual
//! memory, with the structures of the crash and a list of modules beside them.
//!
//! `TRIAGE_DUMP64` is at 2000. What it leads to is by file offset. Where the current thread and process were in
//! memory is not among it: the processor's control block names the thread, the thread its process, and the
//! debugger data block where both do.

#[cfg(feature = "serde")]
use serde::Serialize;

use crate::dump::debugger_data::{self, DebuggerData};
use crate::dump::header::{HEADER64_LEN, Header};
use crate::dump::index::IndexError;
use crate::file::source::ByteSource;
use crate::memory::error::ReadError;
use crate::memory::page::FileOffset;
use crate::memory::pieces::Extent;
use crate::value::addr::Addr;
use crate::value::address::Gva;
use crate::value::le;
use crate::value::note::{Lost, Note};

/// Where `TRIAGE_DUMP64` is, and as much of it as is used.
const DATA: u64 = HEADER64_LEN as u64;
const DATA_LEN: usize = 0x80;
const SIGNATURE: [u8; 4] = *b"TRGD";
/// Address, file offset and size of a data block.
const BLOCK: usize = 16;
/// A `DUMP_DRIVER_ENTRY64`: the name's file offset, then the loader's entry at +8, in which DllBase is at +30,
/// SizeOfImage at +40 and TimeDateStamp at +80 (as in a real dump that holds the kernel's own header as well).
const DRIVER: usize = 0x90;
/// Limits of what a file may claim, far above what Windows writes: a real dump has 1,831 blocks, 151 modules.
const MAX_BLOCKS: u32 = 1 << 20;
const MAX_DRIVERS: u32 = 1 << 14;
const MAX_NAME: u32 = 0x1000;

/// A module that was loaded, as a triage dump lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[non_exhaustive]
pub struct TriageModule {
    /// Path or name; bytes that are no UTF-16 are replaced. `None` where the file ends before it.
    pub name: Option<String>,
    /// Where it was loaded.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::value::hex::gva"))]
    pub base: Gva,
    /// SizeOfImage in bytes.
    pub size: u32,
    /// TimeDateStamp of its header.
    pub timestamp: u32,
}

/// What a triage dump holds beside its header.
#[derive(Debug)]
pub struct Triage {
    /// Ascending, none overlapping.
    blocks: Vec<Block>,
    modules: Vec<TriageModule>,
    thread: Option<Gva>,
    next_thread: Option<Gva>,
    idle_thread: Option<Gva>,
    process: Option<Gva>,
    kernel_base: Option<Gva>,
    debugger_data: Option<DebuggerData>,
    claimed_blocks: u64,
    /// Entries of the table of blocks that the file ends before.
    lost_blocks: u64,
    claimed_modules: u64,
    end: u64,
    finished: Option<bool>,
    file_len: u64,
}

/// A piece of virtual memory and where it is in the file.
#[derive(Debug, Clone, Copy)]
struct Block {
    gva: u64,
    len: u64,
    offset: u64,
}

impl Block {
    fn end(&self) -> u64 {
        self.gva.saturating_add(self.len)
    }

    /// How many of its bytes are in a file of this length.
    fn present(&self, file_len: u64) -> u64 {
        file_len.saturating_sub(self.offset).min(self.len)
    }
}

impl Triage {
    pub(crate) fn read(header: &Header, source: &ByteSource) -> Result<Triage, IndexError> {
        let fields = Fields::read(source)?;
        let (blocks, lost_blocks) = fields.data_blocks(source)?;
        let (modules, claimed_modules) = fields.modules(source)?;
        let mut triage = Triage {
            blocks,
            claimed_blocks: fields.u32(0x7c).into(),
            lost_blocks,
            modules,
            thread: None,
            next_thread: None,
            idle_thread: None,
            process: None,
            kernel_base: None,
            debugger_data: None,
            claimed_modules,
            end: fields.u32(0x4).into(),
            finished: fields.finished(source),
            file_len: source.len(),
        };
        triage.add_structures(header, &fields, source);
        triage.blocks = disjoint(triage.blocks);
        Ok(triage)
    }

    /// Where the thread was that crashed.
    pub fn thread(&self) -> Option<Gva> {
        self.thread
    }

    /// The thread that was about to run on the same processor, if any was.
    pub fn next_thread(&self) -> Option<Gva> {
        self.next_thread
    }

    /// The thread that the same processor runs when it has nothing else to do.
    pub fn idle_thread(&self) -> Option<Gva> {
        self.idle_thread
    }

    /// Where the process was whose memory that thread used.
    pub fn process(&self) -> Option<Gva> {
        self.process
    }

    /// Where the kernel was loaded: by the debugger data block, else by the first module.
    pub fn kernel_base(&self) -> Option<Gva> {
        self.kernel_base
    }

    /// The debugger data block, when the dump holds it.
    pub fn debugger_data(&self) -> Option<&DebuggerData> {
        self.debugger_data.as_ref()
    }

    /// The modules that were loaded, the kernel first.
    pub fn modules(&self) -> &[TriageModule] {
        &self.modules
    }

    /// How many modules the dump claims to list.
    pub fn claimed_modules(&self) -> u64 {
        self.claimed_modules
    }

    /// The pieces of virtual memory, ascending: address, and size in bytes. Where they overlap in the file's
    /// table they are cut so that they do not.
    pub fn blocks(&self) -> impl Iterator<Item = (Gva, u64)> + '_ {
        self.blocks.iter().map(|block| (Gva::new(block.gva), block.len))
    }

    /// How many data blocks the dump claims to hold.
    pub fn claimed_blocks(&self) -> u64 {
        self.claimed_blocks
    }

    /// How many bytes of virtual memory the dump claims, and how many of them its file holds.
    pub fn bytes(&self) -> (u64, u64) {
        let sum = |bytes: fn(&Block, u64) -> u64| {
            let each = self.blocks.iter().map(|block| bytes(block, self.file_len));
            each.fold(0, u64::saturating_add)
        };
        (sum(|block, _| block.len), sum(Block::present))
    }

    /// Where the triage data ends in the file: SizeOfDump.
    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    /// Whether the file ends before its triage data does.
    pub fn is_cut(&self) -> bool {
        self.file_len < self.end
    }

    /// Where the byte at `gva` and those behind it are in the file.
    pub(crate) fn extent(&self, gva: Addr) -> Result<Extent, ReadError> {
        let next = self.blocks.partition_point(|block| block.gva <= gva.u64());
        let block = next.checked_sub(1).and_then(|number| self.blocks.get(number));
        let block = block
            .filter(|block| gva.u64() < block.end())
            .ok_or(match self.lost_blocks {
                0 => ReadError::NotInTriageDump { gva },
                _ => ReadError::BlockTableCut { gva },
            })?;
        let inside = gva.u64().saturating_sub(block.gva);
        let offset = block.offset.saturating_add(inside);
        match block.present(self.file_len).checked_sub(inside) {
            None | Some(0) => Err(ReadError::BlockCut { gva, offset }),
            Some(len) => Ok(Extent {
                offset: FileOffset(offset),
                len,
            }),
        }
    }

    /// What is worth saying.
    pub(crate) fn notes(&self, notes: &mut Vec<Note>) {
        // RequiredDumpSpace is no test here: real triage dumps, one of x64 and one of ARM64, are whole and
        // shorter than it says. SizeOfDump is.
        if self.is_cut() {
            let cut = Note::new(
                "truncated",
                format!(
                    "the file is cut short: {} of {} bytes are there; copy the dump again",
                    self.file_len, self.end
                ),
            );
            notes.push(cut.losing(Lost::Cut));
        } else if self.finished == Some(false) {
            notes.push(Note::new(
                "triage-not-finished",
                "the mark at the end of the triage data (TRGD) is missing: the dump was not finished, or is damaged",
            ));
        }
        if self.lost_blocks != 0 {
            notes.push(Note::new(
                "blocks-cut",
                format!(
                    "the file ends before the places of {} blocks of memory",
                    self.lost_blocks
                ),
            ));
        }
        let modules = self.modules.len() as u64;
        if modules != self.claimed_modules {
            notes.push(Note::new(
                "modules-cut",
                format!("the file holds {modules} of {} modules", self.claimed_modules),
            ));
        }
    }

    /// Adds what is in the file without being a data block: the stack, the debugger data block and what it helps
    /// to find.
    fn add_structures(&mut self, header: &Header, fields: &Fields, source: &ByteSource) {
        // CallStack is the memory from TopOfStack on, and DataPage a page at an address of its own: neither is
        // among the data blocks.
        self.push(fields.u64(0x48), fields.u32(0x28), fields.u32(0x2c));
        self.push(fields.u64(0x60), fields.u32(0x68), fields.u32(0x6c));
        // Drivers stand in the order in which they were loaded, and the kernel was the first.
        self.kernel_base = self.modules.first().map(|kernel| kernel.base);
        let (offset, size) = (fields.u32(0x70), fields.u32(0x74));
        let Some(at) = header.kd_debugger_data_block.filter(|_| size != 0) else {
            return;
        };
        self.push(at.u64(), offset, size);
        let len = debugger_data::MAX_SIZE.min(usize::try_from(size).unwrap_or(debugger_data::MAX_SIZE));
        let Some(data) = bytes(source, offset.into(), len).and_then(|block| debugger_data::parse(at, &block))
        else {
            return;
        };
        self.kernel_base = Some(Gva::new(data.kern_base)).filter(|base| base.u64() != 0);
        self.add_current(&data, fields, source);
        self.debugger_data = Some(data);
    }

    /// The thread by its processor's control block, the process by the thread.
    fn add_current(&mut self, data: &DebuggerData, fields: &Fields, source: &ByteSource) {
        let pointer = |structure: u32, member: Option<u16>| {
            let at = u64::from(structure).checked_add(member?.into())?;
            pointer_at(source, at).filter(|&pointer| pointer != 0)
        };
        // Where the copies are in the file. Where the originals were in memory, no field says: CurrentThread in
        // the copy of the control block does.
        let (prcb, process, thread) = (fields.u32(0x1c), fields.u32(0x20), fields.u32(0x24));
        let thread_at = pointer(prcb, data.offset_prcb_current_thread);
        // ApcState.Process, not the thread's own process: of a thread that attached itself to another one, this
        // is the process whose memory it used. Its offset is at +2a0 of the debugger data block, as a real x64
        // and a real ARM64 dump agree.
        let process_at = pointer(thread, data.offset_kthread_apc_process);
        self.thread = thread_at.map(Gva::new);
        // NextThread and IdleThread follow CurrentThread in every `_KPRCB` from Vista on.
        let behind = |by: u16| data.offset_prcb_current_thread?.checked_add(by);
        self.next_thread = pointer(prcb, behind(8)).map(Gva::new);
        self.idle_thread = pointer(prcb, behind(16)).map(Gva::new);
        self.process = process_at.map(Gva::new);
        for (at, offset, size) in [
            (thread_at, thread, data.size_ethread),
            (process_at, process, data.size_eprocess),
        ] {
            if let (Some(at), Some(size)) = (at, size) {
                self.push(at, offset, size.into());
            }
        }
    }

    fn push(&mut self, gva: u64, offset: u32, len: u32) {
        self.blocks.extend(block(gva, offset, len));
    }
}

/// A block that is one: of some bytes, none of them beyond the last address.
fn block(gva: u64, offset: u32, len: u32) -> Option<Block> {
    gva.checked_add(len.into())?;
    Some(Block {
        gva,
        len: len.into(),
        offset: offset.into(),
    })
    .filter(|block| block.len != 0 && block.offset != 0 && gva != 0)
}

/// Sorts blocks and cuts from each what one before it holds already.
fn disjoint(mut blocks: Vec<Block>) -> Vec<Block> {
    blocks.sort_by_key(|block| block.gva);
    let mut end = 0;
    blocks.retain_mut(|block| {
        let held = end.max(block.gva).saturating_sub(block.gva).min(block.len);
        end = end.max(block.end());
        block.gva = block.gva.saturating_add(held);
        block.offset = block.offset.saturating_add(held);
        block.len = block.len.saturating_sub(held);
        block.len != 0
    });
    blocks
}

/// `TRIAGE_DUMP64`.
struct Fields([u8; DATA_LEN]);

impl Fields {
    fn read(source: &ByteSource) -> Result<Fields, IndexError> {
        let mut bytes = [0; DATA_LEN];
        let need = DATA.saturating_add(DATA_LEN as u64);
        if source.len() < need {
            return Err(IndexError::Cut { need });
        }
        source.read_exact_at(DATA, &mut bytes).map_err(IndexError::Io)?;
        Ok(Fields(bytes))
    }

    fn u32(&self, offset: usize) -> u32 {
        le::u32(&self.0, offset).unwrap_or_default()
    }

    fn u64(&self, offset: usize) -> u64 {
        le::u64(&self.0, offset).unwrap_or_default()
    }

    /// Whether the mark is there that Windows writes last; `None` where the file ends before it.
    fn finished(&self, source: &ByteSource) -> Option<bool> {
        // ValidOffset leads to `TRGD`, the last thing that is written.
        let mark = bytes(source, self.u32(0x8).into(), SIGNATURE.len())?;
        Some(mark == SIGNATURE)
    }

    /// The data blocks whose entries are in the file, and how many entries are not.
    fn data_blocks(&self, source: &ByteSource) -> Result<(Vec<Block>, u64), IndexError> {
        let count = self.u32(0x7c);
        if count > MAX_BLOCKS {
            return Err(IndexError::Bad(format!(
                "its triage data claims {count} blocks of memory"
            )));
        }
        let entries = array(source, self.u32(0x78), count, BLOCK)?;
        let entry = |entry: &[u8]| block(le::u64(entry, 0)?, le::u32(entry, 8)?, le::u32(entry, 12)?);
        let entries = entries.chunks_exact(BLOCK);
        let lost = u64::from(count).saturating_sub(entries.len() as u64);
        Ok((entries.filter_map(entry).collect(), lost))
    }

    /// The modules whose entries are in the file, and how many there should be.
    fn modules(&self, source: &ByteSource) -> Result<(Vec<TriageModule>, u64), IndexError> {
        let count = self.u32(0x34);
        if count > MAX_DRIVERS {
            return Err(IndexError::Bad(format!("its triage data claims {count} modules")));
        }
        let entries = array(source, self.u32(0x30), count, DRIVER)?;
        // The loader's entry begins 8 bytes into this one, behind the name's offset: DllBase, at +30 in
        // `_KLDR_DATA_TABLE_ENTRY`, is at +38, and SizeOfImage and TimeDateStamp are 8 further on as well.
        let module = |entry: &[u8]| {
            Some(TriageModule {
                name: string(source, le::u32(entry, 0)?),
                base: Gva::new(le::u64(entry, 0x38)?),
                size: le::u32(entry, 0x48)?,
                // With the size all that tells the kernel: a triage dump need not hold the page with its RSDS
                // record (a real one of 19041 does not).
                timestamp: le::u32(entry, 0x88)?,
            })
        };
        let modules = entries.chunks_exact(DRIVER).filter_map(module).collect();
        Ok((modules, count.into()))
    }
}

/// As many of `count` entries as are in the file.
fn array(source: &ByteSource, offset: u32, count: u32, size: usize) -> Result<Vec<u8>, IndexError> {
    let size = size as u64;
    let in_file = source
        .len()
        .saturating_sub(offset.into())
        .checked_div(size)
        .unwrap_or_default();
    let len = in_file.min(count.into()).saturating_mul(size);
    let mut bytes = vec![0; usize::try_from(len).unwrap_or_default()];
    if !bytes.is_empty() {
        source
            .read_exact_at(offset.into(), &mut bytes)
            .map_err(IndexError::Io)?;
    }
    Ok(bytes)
}

/// A `DUMP_STRING`: a count of UTF-16 units, and the units.
fn string(source: &ByteSource, offset: u32) -> Option<String> {
    let at = u64::from(offset);
    let count = le::u32(&bytes(source, at, 4)?, 0)?.min(MAX_NAME);
    let units = bytes(
        source,
        at.checked_add(4)?,
        usize::try_from(count).ok()?.checked_mul(2)?,
    )?;
    let units: Vec<u16> = units
        .chunks_exact(2)
        .filter_map(|unit| le::u16(unit, 0))
        .collect();
    Some(String::from_utf16_lossy(&units))
}

fn pointer_at(source: &ByteSource, at: u64) -> Option<u64> {
    le::u64(&bytes(source, at, 8)?, 0)
}

fn bytes(source: &ByteSource, at: u64, len: usize) -> Option<Vec<u8>> {
    let mut bytes = vec![0; len];
    source.read_exact_at(at, &mut bytes).ok()?;
    Some(bytes)
}
