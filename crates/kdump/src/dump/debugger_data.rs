//! The kernel debugger data block, `KDDEBUGGER_DATA64`: where the kernel keeps its lists.

#[cfg(feature = "serde")]
use serde::Serialize;

use crate::memory::error::ReadError;
use crate::memory::space::AddressSpace;
use crate::value::addr::Addr;
use crate::value::address::Gva;
use crate::value::le;

/// Size of the largest block known, Windows 11's.
pub(crate) const MAX_SIZE: usize = 0x380;
/// Enough for the tag, the size and KernBase.
const MIN_SIZE: usize = 0x20;
const TAG: u32 = u32::from_le_bytes(*b"KDBG");

/// The fields of the debugger data block that lead to everything else. Addresses are zero and offsets `None`
/// where the kernel's block is too short to have them or could not be read so far.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[non_exhaustive]
pub struct DebuggerData {
    /// Where the block is.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::value::hex::gva"))]
    pub at: Gva,
    /// Its size in bytes, as it says.
    pub size: u32,
    /// Why less than that could be read.
    pub stopped: Option<ReadError>,
    /// KernBase: where the kernel's image is loaded.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::value::hex::u64"))]
    pub kern_base: u64,
    /// PsLoadedModuleList.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::value::hex::u64"))]
    pub ps_loaded_module_list: u64,
    /// PsActiveProcessHead.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::value::hex::u64"))]
    pub ps_active_process_head: u64,
    /// PspCidTable.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::value::hex::u64"))]
    pub psp_cid_table: u64,
    /// ExpSystemResourcesList.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::value::hex::u64"))]
    pub exp_system_resources_list: u64,
    /// KeTimeIncrement: the address of the variable.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::value::hex::u64"))]
    pub ke_time_increment: u64,
    /// ObpRootDirectoryObject.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::value::hex::u64"))]
    pub obp_root_directory_object: u64,
    /// ObpTypeObjectType.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::value::hex::u64"))]
    pub obp_type_object_type: u64,
    /// MmPfnDatabase.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::value::hex::u64"))]
    pub mm_pfn_database: u64,
    /// NtBuildLab.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::value::hex::u64"))]
    pub nt_build_lab: u64,
    /// KiProcessorBlock.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::value::hex::u64"))]
    pub ki_processor_block: u64,
    /// CmNtCSDVersion.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::value::hex::u64"))]
    pub cm_nt_csd_version: u64,
    /// OffsetKThreadNextProcessor.
    pub offset_kthread_next_processor: Option<u16>,
    /// OffsetKThreadTeb.
    pub offset_kthread_teb: Option<u16>,
    /// OffsetKThreadKernelStack.
    pub offset_kthread_kernel_stack: Option<u16>,
    /// OffsetKThreadApcProcess: what leads from a thread to the process whose memory it uses.
    pub offset_kthread_apc_process: Option<u16>,
    /// OffsetKThreadState.
    pub offset_kthread_state: Option<u16>,
    /// SizeEProcess.
    pub size_eprocess: Option<u16>,
    /// OffsetEprocessPeb.
    pub offset_eprocess_peb: Option<u16>,
    /// OffsetEprocessParentCID.
    pub offset_eprocess_parent_cid: Option<u16>,
    /// OffsetEprocessDirectoryTableBase.
    pub offset_eprocess_directory_table_base: Option<u16>,
    /// SizePrcb.
    pub size_prcb: Option<u16>,
    /// OffsetPrcbCurrentThread.
    pub offset_prcb_current_thread: Option<u16>,
    /// OffsetPrcbProcStateContext.
    pub offset_prcb_proc_state_context: Option<u16>,
    /// SizeEThread.
    pub size_ethread: Option<u16>,
    /// OffsetPrcbContext.
    pub offset_prcb_context: Option<u16>,
}

/// Why the debugger data block cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DebuggerDataError {
    /// The header of the dump does not say where it is.
    #[error("the dump's header names no debugger data block")]
    NoAddress,
    /// Its first bytes cannot be read.
    #[error("the debugger data block cannot be read: {0}")]
    Unreadable(#[source] ReadError),
    /// There is no `KDBG` where its tag should be.
    #[error(
        "{at}: the debugger data block has tag {tag:#010x} instead of KDBG: it is encoded, as live dumps \
         can leave it, or it is not there"
    )]
    WrongTag {
        /// Where the block should be.
        at: Addr,
        /// What is where the tag should be.
        tag: u32,
    },
}

impl DebuggerDataError {
    /// The stable name of this error, for machines: kebab-case, never changed once released.
    pub fn id(&self) -> &'static str {
        match self {
            DebuggerDataError::NoAddress => "no-address",
            DebuggerDataError::Unreadable(error) => error.id(),
            DebuggerDataError::WrongTag { .. } => "wrong-tag",
        }
    }
}

/// Reads a debugger data block in the kernel's address space.
///
/// # Errors
/// It cannot be read as far as its KernBase, or its tag is not `KDBG`.
pub(crate) fn read(at: Gva, space: &AddressSpace<'_>) -> Result<DebuggerData, DebuggerDataError> {
    let mut block = [0; MAX_SIZE];
    let partial = space.cursor().read_partial(at, &mut block);
    if let Some(error) = partial.stopped
        && partial.read < MIN_SIZE
    {
        return Err(DebuggerDataError::Unreadable(error));
    }
    let tag = le::u32(&block, 0x10).unwrap_or_default();
    // Windows 8 and later keep the block encoded, from the list entry on, and decode it when they crash. A tool
    // that reads a running machine (DumpIt, some live dumps: from memory, not seen) saves it as it is. To
    // decode it takes KiWaitNever, KiWaitAlways and the address of KdpDataBlockEncoded (Volatility, elf2dmp):
    // all three from symbols, and whoever has symbols needs nothing of the block.
    if tag != TAG {
        return Err(DebuggerDataError::WrongTag {
            at: space.addr(at),
            tag,
        });
    }
    // Blocks grow at their end: 0x340 bytes in Windows 7 (from memory) to 0x380 in Windows 11. What a shorter
    // one lacks is absent, whatever lies behind it in memory.
    let size = le::u32(&block, 0x14).unwrap_or_default();
    let len = usize::try_from(size)
        .unwrap_or(MAX_SIZE)
        .clamp(MIN_SIZE, MAX_SIZE);
    let stopped = partial.stopped.filter(|_| partial.read < len);
    let bytes = block.get(..len.min(partial.read)).unwrap_or_default();
    Ok(DebuggerData {
        at,
        size,
        stopped,
        ..fields(bytes, space.address_mask())
    })
}

/// Reads a block of a 64-bit system that is in memory already; `None` without its tag.
pub(crate) fn parse(at: Gva, block: &[u8]) -> Option<DebuggerData> {
    if le::u32(block, 0x10)? != TAG {
        return None;
    }
    let size = le::u32(block, 0x14)?;
    let len = usize::try_from(size).ok()?.clamp(MIN_SIZE, MAX_SIZE);
    Some(DebuggerData {
        at,
        size,
        ..fields(block.get(..len).unwrap_or(block), u64::MAX)
    })
}

/// The block is the same on all machines: on 32-bit ones its addresses are sign-extended, which `mask` undoes.
fn fields(block: &[u8], mask: u64) -> DebuggerData {
    let address = |offset| le::u64(block, offset).unwrap_or_default() & mask;
    // No kernel's PDB has `_KDDEBUGGER_DATA64`: the places are those of wdbgexts.h. From +298 on they hold
    // offsets into other structures of the same kernel, checked against a real x64 dump; together they tell 31
    // families of x64 layouts apart, ambiguous only among revisions of one build.
    let offset = |at| le::u16(block, at);
    DebuggerData {
        at: Gva::default(),
        size: 0,
        stopped: None,
        kern_base: address(0x18),
        ps_loaded_module_list: address(0x48),
        ps_active_process_head: address(0x50),
        psp_cid_table: address(0x58),
        exp_system_resources_list: address(0x60),
        ke_time_increment: address(0x78),
        obp_root_directory_object: address(0x98),
        obp_type_object_type: address(0xa0),
        mm_pfn_database: address(0xc0),
        nt_build_lab: address(0x208),
        ki_processor_block: address(0x218),
        cm_nt_csd_version: address(0x268),
        offset_kthread_next_processor: offset(0x298),
        offset_kthread_teb: offset(0x29a),
        offset_kthread_kernel_stack: offset(0x29c),
        // +29e, between the two, is OffsetKThreadInitialStack.
        offset_kthread_apc_process: offset(0x2a0),
        offset_kthread_state: offset(0x2a2),
        size_eprocess: offset(0x2a8),
        offset_eprocess_peb: offset(0x2aa),
        offset_eprocess_parent_cid: offset(0x2ac),
        offset_eprocess_directory_table_base: offset(0x2ae),
        size_prcb: offset(0x2b0),
        offset_prcb_current_thread: offset(0x2b4),
        offset_prcb_proc_state_context: offset(0x2bc),
        size_ethread: offset(0x2c0),
        // From Windows 7 on: where KPRCB has a pointer to the CONTEXT of its processor.
        offset_prcb_context: offset(0x338),
    }
}
