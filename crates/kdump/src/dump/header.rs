//! The dump header: 0x2000 bytes on 64-bit Windows, the same for every kind of dump.
//!
//! Offsets are those of `DUMP_HEADER64`; the header of 32-bit dumps has a file of its own. Windows fills the header
//! with the text `PAGE` before it writes fields into it, so that a field that still reads `PAGE` was never written:
//! those are `None` here.

use std::fmt;

#[cfg(feature = "schema")]
use schemars::JsonSchema;
#[cfg(feature = "serde")]
use serde::{Serialize, Serializer};

use crate::find::Found;
use crate::find::lists::Lists;
use crate::find::shared::SharedData;
use crate::memory::page::PageRun;
use crate::memory::paging::Paging;
use crate::value::address::Gva;
use crate::value::bug_check;
use crate::value::image_format::ImageFormat;
use crate::value::le;
use crate::value::machine::{BugCheck, ContextRecord, ExceptionRecord, Machine};
use crate::value::time::{FileTime, TimeSpan};

/// Length of the 64-bit header in bytes.
pub(crate) const HEADER64_LEN: usize = 0x2000;

/// `PAGE`, what fields hold that were never written.
const FILLER: u32 = 0x4547_4150;
const FILLER64: u64 = 0x4547_4150_4547_4150;

const RUNS: usize = 0x98;
const CONTEXT: usize = 0x348;
const EXCEPTION: usize = 0xf00;

/// Length of the 32-bit header in bytes.
pub(crate) const HEADER32_LEN: usize = 0x1000;
/// How many runs the 700 bytes of the header have room for.
pub(crate) const MAX_RUNS32: u32 = 86;
/// How many runs there is room for between the run count and the context record. `DUMP_HEADER64` gives the
/// block 700 bytes, enough for 42; a 43rd would end exactly where the context begins.
const MAX_RUNS: u32 = 43;

/// The kind of a dump: the header's DumpType.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DumpKind {
    /// 1: complete, pages in the order of the header's runs; Windows 7 and before.
    Full,
    /// 2: kernel memory behind a bitmap, as Vista and 7 wrote it.
    Summary,
    /// 3: a header and nothing else.
    HeaderOnly,
    /// 4: small (triage) dump.
    Triage,
    /// 5: complete or active memory behind a bitmap.
    BitmapFull,
    /// 6: kernel memory, automatic or live dump behind a bitmap.
    BitmapKernel,
    /// 8: kernel memory in ranges.
    KernelRanges,
    /// 9: kernel and user memory in ranges.
    KernelUserRanges,
    /// 0xa: complete memory in ranges.
    CompleteRanges,
    /// No crash dump: memory of a machine in another form, without a header.
    Image(ImageFormat),
    /// Any other value.
    Other(u32),
}

impl DumpKind {
    pub(crate) fn from_raw(raw: u32) -> DumpKind {
        match raw {
            // To Windows 7 a complete dump of Windows itself; since then what tools write of a virtual
            // machine's memory: QEMU's `dump-guest-memory -w` and elf2dmp both use kind 1 (QEMU's
            // contrib/elf2dmp).
            1 => DumpKind::Full,
            // One setting of the control panel, two layouts: Vista, 7, 2008 and 2008 R2 write "kernel memory"
            // as kind 2, Windows 8 and later as kind 6. Both begin their data with `SDMP`.
            2 => DumpKind::Summary,
            3 => DumpKind::HeaderOnly,
            4 => DumpKind::Triage,
            // Windows 10's active memory dump is kind 5 as well. That pages were left out of it, those of
            // virtual machines above all (Microsoft's "Active Memory Dump"), only its bitmap shows.
            5 => DumpKind::BitmapFull,
            6 => DumpKind::BitmapKernel,
            // 7 is no kind of file. CrashDumpEnabled is 7 in the registry for an automatic memory dump, and the
            // file that Windows then writes says 6. From 8 on it is a debugger that wrote: `.dump /k`, `/ka`
            // and `/f`.
            8 => DumpKind::KernelRanges,
            9 => DumpKind::KernelUserRanges,
            0xa => DumpKind::CompleteRanges,
            other => DumpKind::Other(other),
        }
    }

    /// The header's number for this kind; zero for files that have no such header.
    pub fn raw(self) -> u32 {
        match self {
            DumpKind::Full => 1,
            DumpKind::Summary => 2,
            DumpKind::HeaderOnly => 3,
            DumpKind::Triage => 4,
            DumpKind::BitmapFull => 5,
            DumpKind::BitmapKernel => 6,
            DumpKind::KernelRanges => 8,
            DumpKind::KernelUserRanges => 9,
            DumpKind::CompleteRanges => 0xa,
            DumpKind::Image(_) => 0,
            DumpKind::Other(raw) => raw,
        }
    }

    /// What this kind is called, without an article.
    pub fn name(self) -> &'static str {
        match self {
            DumpKind::Full => "complete dump",
            DumpKind::Summary => "kernel summary dump",
            DumpKind::HeaderOnly => "header-only dump",
            DumpKind::Triage => "small (triage) dump",
            DumpKind::BitmapFull => "complete or active bitmap dump",
            DumpKind::BitmapKernel => "kernel bitmap dump",
            DumpKind::KernelRanges => "kernel range dump",
            DumpKind::KernelUserRanges => "kernel and user range dump",
            DumpKind::CompleteRanges => "complete range dump",
            DumpKind::Image(format) => format.name(),
            DumpKind::Other(_) => "dump of an unknown kind",
        }
    }
}

impl fmt::Display for DumpKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DumpKind::Image(format) => format.fmt(f),
            _ => write!(f, "{} (kind {:#x})", self.name(), self.raw()),
        }
    }
}

#[cfg(feature = "serde")]
impl Serialize for DumpKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// What the header of a dump says. Nothing here was checked against the memory in the dump.
///
/// A field is `None` when the header never had it written (it holds the filler `PAGE`), and for addresses and
/// times also when it is zero.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct Header {
    /// MachineImageType.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub machine: Machine,
    /// DumpType.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub kind: DumpKind,
    /// MajorVersion: 15 on a free build, 12 on a checked one.
    pub major_version: u32,
    /// MinorVersion: the build number of Windows.
    pub minor_version: u32,
    /// DirectoryTableBase as written, with its low 12 bits (PCID).
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::value::hex::u64"))]
    #[cfg_attr(feature = "schema", schemars(with = "crate::value::hex::Hex"))]
    pub directory_table_base: u64,
    /// PaeEnabled of 32-bit dumps: whether page-table entries have eight bytes.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub pae_enabled: Option<bool>,
    /// PfnDataBase.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::value::hex::opt_gva"))]
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::value::hex::Hex>"))]
    pub pfn_data_base: Option<Gva>,
    /// PsLoadedModuleList.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::value::hex::opt_gva"))]
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::value::hex::Hex>"))]
    pub ps_loaded_module_list: Option<Gva>,
    /// PsActiveProcessHead.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::value::hex::opt_gva"))]
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::value::hex::Hex>"))]
    pub ps_active_process_head: Option<Gva>,
    /// KdDebuggerDataBlock.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::value::hex::opt_gva"))]
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::value::hex::Hex>"))]
    pub kd_debugger_data_block: Option<Gva>,
    /// NumberProcessors.
    pub number_processors: Option<u32>,
    /// BugCheckCode and its parameters.
    pub bug_check: Option<BugCheck>,
    /// VersionUser.
    pub version_user: Option<String>,
    /// PhysicalMemoryBlock's runs of memory: the memory of the machine, which is also the index of pages of a
    /// complete dump. Empty when they were never written or cannot fit the header.
    pub physical_runs: Vec<PageRun>,
    /// PhysicalMemoryBlock's NumberOfRuns.
    pub number_of_runs: Option<u32>,
    /// PhysicalMemoryBlock's NumberOfPages.
    pub number_of_pages: Option<u64>,
    /// The context record.
    pub context: Option<ContextRecord>,
    /// The exception record.
    pub exception: Option<ExceptionRecord>,
    /// RequiredDumpSpace in bytes.
    pub required_dump_space: Option<u64>,
    /// SystemTime: 100 ns units since 1601, UTC.
    pub system_time: Option<FileTime>,
    /// SystemUpTime: 100 ns units.
    pub system_up_time: Option<TimeSpan>,
    /// Comment.
    pub comment: Option<String>,
    /// MiniDumpFields.
    pub mini_dump_fields: Option<u32>,
    /// SecondaryDataState.
    pub secondary_data_state: Option<u32>,
    /// ProductType: 1 workstation, 2 domain controller, 3 server.
    pub product_type: Option<u32>,
    /// SuiteMask.
    pub suite_mask: Option<u32>,
    /// WriterStatus: zero when the dump was written without error.
    pub writer_status: Option<u32>,
    /// KdSecondaryVersion.
    pub kd_secondary_version: u8,
    /// Attributes.
    pub attributes: Option<u32>,
    /// BootId.
    pub boot_id: Option<u32>,
}

impl Header {
    /// What a header would say of memory in a file without one.
    pub(crate) fn of_image(
        format: ImageFormat,
        found: &Found,
        shared: &SharedData,
        lists: &Lists,
        processors: usize,
    ) -> Header {
        Header {
            machine: found.machine(),
            kind: DumpKind::Image(format),
            // The kernel that people run; a checked one is told by nothing that was read here.
            major_version: 15,
            minor_version: shared.build.unwrap_or_default(),
            directory_table_base: found.directory_table_base,
            pae_enabled: (found.machine() == Machine::I386).then_some(found.paging == Paging::Pae),
            pfn_data_base: None,
            ps_loaded_module_list: lists.modules,
            ps_active_process_head: lists.processes,
            kd_debugger_data_block: lists.debugger_data,
            number_processors: u32::try_from(processors).ok().filter(|&count| count != 0),
            bug_check: None,
            version_user: None,
            physical_runs: Vec::new(),
            number_of_runs: None,
            number_of_pages: None,
            context: None,
            exception: None,
            required_dump_space: None,
            system_time: shared.system_time,
            system_up_time: shared.up_time,
            comment: None,
            mini_dump_fields: None,
            secondary_data_state: None,
            product_type: shared.product_type,
            suite_mask: shared.suite_mask,
            writer_status: None,
            kd_secondary_version: 0,
            attributes: None,
            boot_id: None,
        }
    }

    /// The length of the header itself in bytes: what follows it begins there.
    pub(crate) fn len(&self) -> u64 {
        match self.machine {
            Machine::I386 => HEADER32_LEN as u64,
            _ => HEADER64_LEN as u64,
        }
    }

    /// How many runs of memory it has room for.
    pub(crate) fn max_runs(&self) -> u32 {
        match self.machine {
            Machine::I386 => MAX_RUNS32,
            _ => MAX_RUNS,
        }
    }

    /// Reads the header from its bytes; fields outside of `bytes` are as if never written.
    pub(crate) fn parse(bytes: &[u8]) -> Header {
        let raw = Raw(bytes);
        let machine = Machine::from_raw(raw.u32(0x30));
        Header {
            machine,
            kind: DumpKind::from_raw(raw.u32(0xf98)),
            major_version: raw.u32(0x8),
            minor_version: raw.u32(0xc),
            // CR3 as the processor had it. Where the kernel uses PCIDs the low 12 bits are one, and no part of
            // the address (Intel SDM, volume 3, 4.10.1): `Paging::root` takes them off.
            directory_table_base: raw.u64(0x10),
            pae_enabled: None,
            pfn_data_base: raw.address(0x18),
            ps_loaded_module_list: raw.address(0x20),
            ps_active_process_head: raw.address(0x28),
            kd_debugger_data_block: raw.address(0x80),
            number_processors: raw.written_u32(0x34),
            bug_check: bug_check(&raw),
            version_user: raw.text(0x60, 32),
            physical_runs: physical_runs(&raw),
            number_of_runs: raw.written_u32(0x88),
            number_of_pages: raw.written_u64(0x90),
            context: context(&raw, machine),
            exception: exception(&raw),
            required_dump_space: raw.written_u64(0xfa0),
            system_time: raw.written_u64(0xfa8).filter(|&time| time != 0).map(FileTime),
            system_up_time: raw.written_u64(0x1030).filter(|&time| time != 0).map(TimeSpan),
            comment: raw.text(0xfb0, 128),
            mini_dump_fields: raw.written_u32(0x1038),
            secondary_data_state: raw.written_u32(0x103c),
            product_type: raw.written_u32(0x1040),
            suite_mask: raw.written_u32(0x1044),
            writer_status: raw.written_u32(0x1048),
            kd_secondary_version: raw.byte(0x104d),
            attributes: raw.written_u32(0x1050),
            boot_id: raw.written_u32(0x1054),
        }
    }
}

/// Header bytes with the habits of its fields.
pub(crate) struct Raw<'a>(pub(crate) &'a [u8]);

impl Raw<'_> {
    pub(crate) fn u32(&self, offset: usize) -> u32 {
        le::u32(self.0, offset).unwrap_or(FILLER)
    }

    pub(crate) fn u64(&self, offset: usize) -> u64 {
        le::u64(self.0, offset).unwrap_or(FILLER64)
    }

    pub(crate) fn written_u32(&self, offset: usize) -> Option<u32> {
        Some(self.u32(offset)).filter(|&value| value != FILLER)
    }

    pub(crate) fn written_u64(&self, offset: usize) -> Option<u64> {
        Some(self.u64(offset)).filter(|&value| value != FILLER64)
    }

    pub(crate) fn address(&self, offset: usize) -> Option<Gva> {
        self.written_u64(offset).filter(|&value| value != 0).map(Gva::new)
    }

    pub(crate) fn address32(&self, offset: usize) -> Option<Gva> {
        let address = self.written_u32(offset).filter(|&value| value != 0)?;
        Some(Gva::new(address.into()))
    }

    pub(crate) fn byte(&self, offset: usize) -> u8 {
        self.0.get(offset).copied().unwrap_or_default()
    }

    pub(crate) fn text(&self, offset: usize, len: usize) -> Option<String> {
        // An unused text field holds the filler and would be told as "PAGEPAGEPAGE...". elf2dmp uses the
        // comment of its dumps to say hello ("Hello from elf2dmp!").
        self.written_u32(offset)?;
        le::text(self.0, offset, len).filter(|text| !text.is_empty())
    }
}

fn bug_check(raw: &Raw<'_>) -> Option<BugCheck> {
    // A code is no sign of a crash. Dumps that Task Manager takes of a running system, and those that elf2dmp
    // makes, carry 0x161, LIVE_SYSTEM_DUMP; what Windows leaves in LiveKernelReports has codes like 0x117 and
    // 0x141 of systems that went on.
    let code = raw.written_u32(0x38)?;
    Some(BugCheck {
        code,
        name: bug_check::name(code),
        parameters: [0x40, 0x48, 0x50, 0x58].map(|offset| raw.u64(offset)),
    })
}

fn physical_runs(raw: &Raw<'_>) -> Vec<PageRun> {
    // The block has room for 42 runs; elf2dmp claims one for each segment of the ELF file, however many they
    // are. Such a count is not believed, or the context record would be taken for runs of memory.
    let Some(count) = raw.written_u32(0x88).filter(|&count| count <= MAX_RUNS) else {
        return Vec::new();
    };
    let fields = raw.0.get(RUNS..CONTEXT).unwrap_or_default();
    fields
        .chunks_exact(16)
        .take(count as usize)
        .filter_map(|run| {
            Some(PageRun {
                base: le::u64(run, 0)?.into(),
                count: le::u64(run, 8)?,
            })
        })
        .collect()
}

/// Fields of the x64 `CONTEXT`: ContextFlags +30, Rsp +98, Rip +f8. Of the ARM64 one: ContextFlags +0, Sp +100,
/// Pc +108.
fn context(raw: &Raw<'_>, machine: Machine) -> Option<ContextRecord> {
    let [flags, rsp, rip] = match machine {
        Machine::Arm64 => [0, 0x100, 0x108],
        _ => [0x30, 0x98, 0xf8],
    }
    .map(|offset: usize| CONTEXT.saturating_add(offset));
    let flags = raw.written_u32(flags)?;
    let (rsp, rip) = (raw.written_u64(rsp)?, raw.written_u64(rip)?);
    // Whoever dumps a machine that keeps running has no processor that stopped: the record is empty then, or
    // the tool's own (DumpIt's is said to be; one source, not checked against a file).
    if rsp == 0 && rip == 0 {
        return None;
    }
    Some(ContextRecord {
        flags,
        rip: Gva::new(rip),
        rsp: Gva::new(rsp),
        integers: (machine == Machine::Amd64).then(|| integers(raw)),
    })
}

/// Rax to R15 of the x64 `CONTEXT`, which lie from +78 on in the order of their numbers.
fn integers(raw: &Raw<'_>) -> [u64; 16] {
    let mut registers = [0; 16];
    for (number, register) in registers.iter_mut().enumerate() {
        let at = CONTEXT
            .saturating_add(0x78)
            .saturating_add(number.saturating_mul(8));
        *register = raw.u64(at);
    }
    registers
}

fn exception(raw: &Raw<'_>) -> Option<ExceptionRecord> {
    let at = |offset: usize| EXCEPTION.saturating_add(offset);
    // Volatility 2's raw2dmp leaves the filler here, which debuggers then show as the exception 45474150
    // (volatilityfoundation/volatility#661).
    let code = raw.written_u32(at(0)).filter(|&code| code != 0)?;
    // EXCEPTION_MAXIMUM_PARAMETERS is 15 (winnt.h): a larger number is damage.
    let count = raw.written_u32(at(0x18)).unwrap_or(0).min(15) as usize;
    let parameters = raw.0.get(at(0x20)..at(0x98)).unwrap_or_default();
    Some(ExceptionRecord {
        code,
        flags: raw.u32(at(4)),
        address: Gva::new(raw.u64(at(0x10))),
        parameters: parameters
            .chunks_exact(8)
            .take(count)
            .filter_map(|bytes| le::u64(bytes, 0))
            .collect(),
    })
}
