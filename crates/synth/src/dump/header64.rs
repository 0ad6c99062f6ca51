//! What headers of dumps say, and that of 64-bit dumps: 0x2000 bytes.

use super::{Kind, header32};
use crate::address::{Pfn, Va};
use crate::bytes::{count, low32, put, put_u16, put_u32, put_u64};
use crate::machine::Machine;
use crate::physical::Run;

/// Bytes in the header; the index or the first page follows.
pub(super) const SIZE: u64 = 0x2000;

/// A date and time: 100 ns since 1601-01-01 UTC (FILETIME).
pub type SystemTime = u64;

/// Why the system stopped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Bugcheck {
    /// The stop code.
    pub code: u32,
    /// Its four parameters.
    pub parameters: [u64; 4],
}

/// What the header of a dump says, in the terms of the published definitions.
#[derive(Clone, Debug)]
pub struct Header {
    /// 15 for a free build, 12 for a checked one.
    pub major_version: u32,
    /// The build number.
    pub minor_version: u32,
    /// Physical address of the top page table, with whatever bits the processor keeps beside it.
    pub directory_table_base: u64,
    /// `MmPfnDatabase`.
    pub pfn_data_base: Va,
    /// Address of the kernel's `PsLoadedModuleList`.
    pub ps_loaded_module_list: Va,
    /// Address of the kernel's `PsActiveProcessHead`.
    pub ps_active_process_head: Va,
    /// The machine: its number is `MachineImageType`, and x86 has a header of its own.
    pub machine: Machine,
    /// Number of processors.
    pub processors: u32,
    /// The bug check.
    pub bugcheck: Bugcheck,
    /// Address of the debugger data block.
    pub kd_debugger_data_block: Va,
    /// The machine's memory (`PhysicalMemoryBlock`).
    pub memory: Vec<Run>,
    /// Instruction pointer of the context record.
    pub rip: Va,
    /// Stack pointer of the context record.
    pub rsp: Va,
    /// `ExceptionCode` and `ExceptionAddress` of the exception record.
    pub exception: (u32, Va),
    /// When the dump was written.
    pub system_time: SystemTime,
    /// How long the system was up, in 100 ns.
    pub system_up_time: u64,
    /// 1 workstation, 2 domain controller, 3 server.
    pub product_type: u32,
    /// `SuiteMask`.
    pub suite_mask: u32,
    /// `Comment`, at most 127 characters.
    pub comment: &'static str,
    /// `Attributes`.
    pub attributes: u32,
}

impl Header {
    /// A header of an x64 system of `build` with `memory`; everything else is zero.
    #[must_use]
    pub fn x64(build: u32, memory: Vec<Run>) -> Self {
        Header::of(Machine::X64, build, memory)
    }

    /// A header of a system of `build` with `memory`; everything else is zero.
    #[must_use]
    pub fn of(machine: Machine, build: u32, memory: Vec<Run>) -> Self {
        Header {
            major_version: 15,
            minor_version: build,
            directory_table_base: 0,
            pfn_data_base: Va::NULL,
            ps_loaded_module_list: Va::NULL,
            ps_active_process_head: Va::NULL,
            machine,
            processors: 1,
            bugcheck: Bugcheck::default(),
            kd_debugger_data_block: Va::NULL,
            memory,
            rip: Va::NULL,
            rsp: Va::NULL,
            exception: (0, Va::NULL),
            system_time: 0,
            system_up_time: 0,
            product_type: 1,
            suite_mask: 0x110,
            comment: "",
            attributes: 0,
        }
    }

    /// Bytes in the header; the index or the first page follows.
    pub(super) fn size(&self) -> u64 {
        if self.machine.pointer_size() == 4 {
            header32::SIZE
        } else {
            SIZE
        }
    }

    /// Frames up to the end of the machine's memory: the bits of a bitmap.
    pub(super) fn memory_frames(&self) -> u64 {
        self.memory.iter().map(|run| run.end()).max().unwrap_or(Pfn(0)).0
    }

    /// The header's bytes, for a file of `length` bytes.
    pub(super) fn bytes(&self, kind: Kind, runs: &[Run], length: u64) -> Vec<u8> {
        if self.machine.pointer_size() == 4 {
            return header32::bytes(self, kind, runs, length);
        }
        // What Windows does not write keeps this filler.
        let mut b = b"PAGE".repeat(0x800);
        put(&mut b, 0, b"PAGEDU64");
        put_u32(&mut b, 0x8, self.major_version);
        put_u32(&mut b, 0xc, self.minor_version);
        put_u64(&mut b, 0x10, self.directory_table_base);
        put_u64(&mut b, 0x18, self.pfn_data_base.0);
        put_u64(&mut b, 0x20, self.ps_loaded_module_list.0);
        put_u64(&mut b, 0x28, self.ps_active_process_head.0);
        put_u32(&mut b, 0x30, self.machine.number().into());
        put_u32(&mut b, 0x34, self.processors);
        put_u32(&mut b, 0x38, self.bugcheck.code);
        for (i, parameter) in self.bugcheck.parameters.into_iter().enumerate() {
            put_u64(&mut b, 0x40 + 8 * i, parameter);
        }
        put(&mut b, 0x60, &[0]);
        put_u64(&mut b, 0x80, self.kd_debugger_data_block.0);
        put_runs(&mut b, runs);
        self.put_context(&mut b[0x348..0xf00]);
        self.put_exception(&mut b[0xf00..0xf98]);
        put_u32(&mut b, 0xf98, kind.number());
        put_u64(&mut b, 0xfa0, length);
        put_u64(&mut b, 0xfa8, self.system_time);
        self.put_comment(&mut b[0xfb0..0x1030]);
        put_u64(&mut b, 0x1030, self.system_up_time);
        put_u32(&mut b, 0x1040, self.product_type);
        put_u32(&mut b, 0x1044, self.suite_mask);
        put_u32(&mut b, 0x1048, 0);
        put_u32(&mut b, 0x1050, self.attributes);
        b
    }

    /// `CONTEXT` of x64: flags, selectors, rsp and rip; of ARM64: flags, Sp and Pc.
    fn put_context(&self, context: &mut [u8]) {
        if self.machine == Machine::Arm64 {
            context[..0x390].fill(0);
            put_u32(context, 0, 0x0040_0007);
            put_u64(context, 0x100, self.rsp.0);
            put_u64(context, 0x108, self.rip.0);
            return;
        }
        context[..0x4d0].fill(0);
        put_u32(context, 0x30, 0x0010_001f);
        put_u32(context, 0x34, 0x1f80);
        put_u16(context, 0x38, 0x10);
        put_u16(context, 0x42, 0x18);
        put_u32(context, 0x44, 0x246);
        put_u64(context, 0x98, self.rsp.0);
        put_u64(context, 0xf8, self.rip.0);
    }

    fn put_exception(&self, record: &mut [u8]) {
        record.fill(0);
        put_u32(record, 0, self.exception.0);
        put_u64(record, 0x10, self.exception.1.0);
    }

    fn put_comment(&self, comment: &mut [u8]) {
        if !self.comment.is_empty() {
            comment.fill(0);
            put(comment, 0, self.comment.as_bytes());
        }
    }
}

fn put_runs(b: &mut [u8], runs: &[Run]) {
    assert!(runs.len() <= super::MAX_RUNS, "{} runs in a header", runs.len());
    put_u32(b, 0x88, low32(count(runs.len())));
    put_u32(b, 0x8c, 0);
    put_u64(b, 0x90, runs.iter().map(|run| run.count).sum());
    for (i, run) in runs.iter().enumerate() {
        put_u64(b, 0x98 + 16 * i, run.base.0);
        put_u64(b, 0xa0 + 16 * i, run.count);
    }
}
