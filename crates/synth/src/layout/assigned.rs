//! What the tables do not tell, and this crate assigns.
//!
//! For kernels without a symbol list (Vista among them) the GUID, the age and the RVAs of globals are
//! invented here: worlds of such kernels prove offsets and walks, not RVAs. Which globals such a
//! kernel has follows from its types and build, as in the kernels whose lists are known.

use super::{Kernel, Section};

/// Age of an assigned PDB identity.
pub(super) const AGE: u32 = 2;

/// First assigned RVA; the space below it is code.
const FIRST_RVA: u32 = 0x1a_0000;

/// Globals of every kernel since Vista SP1, and the room each is given in bytes.
const EVERYWHERE: &[(&str, u32)] = &[
    ("AlpcConnectionType", 0x80),
    ("AlpcHandleDataType", 0x80),
    ("AlpcMessageTable", 0x80),
    ("AlpcMessageType", 0x80),
    ("AlpcPortObjectType", 0x80),
    ("AlpcRegionType", 0x80),
    ("AlpcReserveType", 0x80),
    ("AlpcSectionType", 0x80),
    ("AlpcSecurityType", 0x80),
    ("AlpcViewType", 0x80),
    ("AlpcpCompletionListDatabase", 0x80),
    ("AlpcpDummyEvent", 0x80),
    ("AlpcpFreeMessageLogListHead", 0x80),
    ("AlpcpFreeMessageSnapshotListHead", 0x80),
    ("AlpcpLogCallbackListHead", 0x80),
    ("AlpcpLogEnabled", 0x80),
    ("AlpcpLookasides", 0x200),
    ("AlpcpMessageLogEnabled", 0x80),
    ("AlpcpMessageLogListHead", 0x80),
    ("AlpcpMessageLogLookupTable", 0x200),
    ("AlpcpNPLookasides", 0x200),
    ("AlpcpPortList", 0x80),
    ("AlpcpRegionGranularity", 0x80),
    ("AlpcpRegisteredTypes", 0x100),
    ("AlpcpViewGranularity", 0x80),
    ("CmNtCSDVersion", 0x80),
    ("ExEventObjectType", 0x80),
    ("HandleTableListHead", 0x80),
    ("IoFileObjectType", 0x80),
    ("KdDebuggerDataBlock", 0x400),
    ("KdVersionBlock", 0x80),
    ("KdpDataBlockEncoded", 0x80),
    ("KeBootTime", 0x80),
    ("KeMaximumIncrement", 0x80),
    ("KeNumberProcessors", 0x80),
    ("KeTimeIncrement", 0x80),
    ("KiBugCheckData", 0x80),
    ("KiInitialProcess", 0x600),
    ("KiProcessorBlock", 0x200),
    ("LpcLegacyMaxMessageLength", 0x80),
    ("LpcPortObjectType", 0x80),
    ("LpcWaitablePortObjectType", 0x80),
    ("MmHighestUserAddress", 0x80),
    ("MmPfnDatabase", 0x80),
    ("MmPhysicalMemoryBlock", 0x80),
    ("MmSectionObjectType", 0x80),
    ("MmSystemRangeStart", 0x80),
    ("MmUserProbeAddress", 0x80),
    ("NtBuildLab", 0x80),
    ("NtBuildNumber", 0x80),
    ("NtGlobalFlag", 0x80),
    ("ObpDirectoryObjectType", 0x80),
    ("ObpKernelHandleTable", 0x80),
    ("ObpRootDirectoryObject", 0x80),
    ("ObpSymbolicLinkObjectType", 0x80),
    ("ObpTypeDirectoryObject", 0x80),
    ("ObpTypeObjectType", 0x80),
    ("PsActiveProcessHead", 0x80),
    ("PsIdleProcess", 0x80),
    ("PsInitialSystemProcess", 0x80),
    ("PsLoadedModuleList", 0x80),
    ("PsProcessType", 0x80),
    ("PsThreadType", 0x80),
    ("PspCidTable", 0x80),
    ("SeTokenObjectType", 0x80),
];

/// Fills in the globals of a kernel without a symbol list.
pub(super) fn complete(kernel: &mut Kernel) {
    if kernel.has_real_symbols {
        return;
    }
    let mut next = FIRST_RVA;
    for (name, room) in EVERYWHERE.iter().copied().chain(of_its_time(kernel)) {
        kernel.globals.insert(name.to_owned(), next);
        next += room;
    }
}

/// Globals that came with a type or a build. First builds: the symbol lists from 7601 on, and for the
/// cookie the first build whose type index is obfuscated.
fn of_its_time(kernel: &Kernel) -> Vec<(&'static str, u32)> {
    let mut globals = Vec::new();
    if kernel.has("_OBJECT_HEADER", "TypeIndex") {
        globals.push(("ObTypeIndexTable", 0x800));
    } else {
        globals.push(("ObpObjectTypes", 0x200));
    }
    if kernel.has("_OBJECT_HEADER", "InfoMask") {
        globals.push(("ObpInfoMaskToOffset", 0x100));
    }
    if kernel.build() >= 9600 {
        globals.push(("AlpcpSecondaryMessageTables", 0x200));
    }
    if kernel.build() >= 10240 {
        globals.push(("ObHeaderCookie", 0x80));
    }
    globals
}

/// A GUID out of the kernel's name (128-bit FNV-1a), so that no two kernels share one.
pub(super) fn guid(name: &str) -> [u8; 16] {
    const BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    let hash = |sum: u128, byte: u8| (sum ^ u128::from(byte)).wrapping_mul(PRIME);
    name.bytes().fold(BASIS, hash).to_be_bytes()
}

const CODE: u32 = 0x6000_0020;
const DATA: u32 = 0xc800_0040;
const READ_ONLY: u32 = 0x4800_0040;

/// Names and flags of the sections, as kernels have them.
const SECTIONS: [(&str, u32); 6] = [
    (".text", CODE),
    ("PAGE", CODE),
    ("PAGELK", CODE),
    ("INIT", CODE),
    (".rdata", READ_ONLY),
    (".data", DATA),
];

/// Cuts the span from the page behind the headers to the page behind the last global into sections of
/// equal size.
pub(super) fn sections(rvas: impl Iterator<Item = u32>) -> Vec<Section> {
    const PAGE: u32 = 0x1000;
    let end = rvas.max().unwrap_or(0) + 2 * PAGE;
    let size = (end / 6).next_multiple_of(PAGE);
    (PAGE..)
        .step_by(size as usize)
        .zip(SECTIONS)
        .map(|(rva, (name, characteristics))| Section {
            name: name.to_owned(),
            rva,
            size,
            characteristics,
        })
        .collect()
}
