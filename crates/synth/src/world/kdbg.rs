//! The debugger data block: its layout is in no PDB.

use super::World;
use crate::address::Va;
use crate::bytes::{put, put_u16, put_u32, put_u64};

/// Bytes of the block: the smallest size that Windows used; every member below is inside.
const SIZE: u32 = 0x340;

/// Offsets of pointers to globals.
const POINTERS: [(usize, &str); 12] = [
    (0x48, "PsLoadedModuleList"),
    (0x50, "PsActiveProcessHead"),
    (0x58, "PspCidTable"),
    (0x60, "ExpSystemResourcesList"),
    (0x78, "KeTimeIncrement"),
    (0x98, "ObpRootDirectoryObject"),
    (0xa0, "ObpTypeObjectType"),
    (0xc0, "MmPfnDatabase"),
    (0x208, "NtBuildLab"),
    (0x218, "KiProcessorBlock"),
    (0x268, "CmNtCSDVersion"),
    (0x80, "MmSystemRangeStart"),
];

/// Offsets of 16-bit members that hold an offset in a structure.
const OFFSETS: [(usize, &str, &str); 7] = [
    (0x29a, "_KTHREAD", "Teb"),
    (0x29c, "_KTHREAD", "KernelStack"),
    (0x2a2, "_KTHREAD", "State"),
    (0x2aa, "_EPROCESS", "Peb"),
    (0x2ac, "_EPROCESS", "InheritedFromUniqueProcessId"),
    (0x2ae, "_EPROCESS", "Pcb.DirectoryTableBase"),
    (0x2b4, "_KPRCB", "CurrentThread"),
];

/// Offsets of 16-bit members that hold the size of a structure.
const SIZES: [(usize, &str); 3] = [(0x2a8, "_EPROCESS"), (0x2b0, "_KPRCB"), (0x2c0, "_ETHREAD")];

impl World {
    pub(super) fn compile_kdbg(&mut self) {
        let mut block = [0u8; 0x340];
        let at = self.global("KdDebuggerDataBlock");
        // The list that the block is on has nothing else; heads are 64-bit on every machine.
        put_u64(&mut block, 0, at.0);
        put_u64(&mut block, 8, at.0);
        put(&mut block, 0x10, b"KDBG");
        put_u32(&mut block, 0x14, SIZE);
        put_u64(&mut block, 0x18, self.truth.kernel_base.0);
        for (offset, global) in POINTERS {
            let value = self.try_global(global).unwrap_or(Va::NULL);
            put_u64(&mut block, offset, value.0);
        }
        self.put_offsets(&mut block);
        self.memory.write(at, &block);
        self.write_version_block();
    }

    /// `KdVersionBlock`: what the kernel answers to a debugger that connects.
    fn write_version_block(&mut self) {
        const TYPE: &str = "_DBGKD_GET_VERSION64";
        let Some(at) = self
            .try_global("KdVersionBlock")
            .filter(|_| self.kernel.has_type(TYPE))
        else {
            return;
        };
        let machine = u64::from(self.kernel.machine().number());
        for (member, value) in [
            ("MajorVersion", 15),
            ("MinorVersion", u64::from(self.truth.build)),
            ("MachineType", machine),
            ("KernBase", self.truth.kernel_base.0),
            ("PsLoadedModuleList", self.global("PsLoadedModuleList").0),
        ] {
            self.set(at, TYPE, member, value);
        }
    }

    fn put_offsets(&self, block: &mut [u8]) {
        let small = |value: u64| u16::try_from(value).expect("a structure of less than 64 KiB");
        for (at, of, path) in OFFSETS {
            if self.has(of, path) {
                put_u16(block, at, small(self.kernel.offset(of, path)));
            }
        }
        for (at, of) in SIZES {
            if self.kernel.has_type(of) {
                put_u16(block, at, small(self.kernel.size(of)));
            }
        }
    }
}
