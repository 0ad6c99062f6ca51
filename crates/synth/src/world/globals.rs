//! Globals of the kernel that no other part of a world writes.

use super::World;
use crate::address::Va;

/// List heads that stay empty.
const EMPTY_LISTS: [&str; 4] = [
    "AlpcpMessageLogListHead",
    "AlpcpFreeMessageLogListHead",
    "AlpcpFreeMessageSnapshotListHead",
    "AlpcpLogCallbackListHead",
];

impl World {
    pub(super) fn compile_globals(&mut self) {
        for list in EMPTY_LISTS {
            if let Some(head) = self.try_global(list) {
                self.link(head, &[]);
            }
        }
        let global = self.truth.global.clone();
        let increment = u64::from(self.truth.time_increment);
        let build = u64::from(self.truth.build);
        // Widths as the distance to the next symbol allows: the two granularities share 8 bytes.
        for (name, size, value) in [
            ("AlpcpRegionGranularity", 4, global.region_granularity),
            ("AlpcpViewGranularity", 4, global.view_granularity),
            ("AlpcpLogEnabled", 1, 0),
            ("AlpcpMessageLogEnabled", 1, 0),
            ("AlpcpNextMessageId", 4, 0x2000),
            ("AlpcpNextCallbackId", 4, 0x0002_0f00),
            ("LpcLegacyMaxMessageLength", 4, 0x148),
            ("KeTimeIncrement", 4, increment),
            ("KeMaximumIncrement", 4, increment),
            // The high word says that this is a free build.
            ("NtBuildNumber", 4, 0xf000_0000 | build),
        ] {
            self.write_global(name, size, value);
        }
        self.write_build_lab();
    }

    /// Stores an integer in a global, where the kernel has it.
    pub(super) fn write_global(&mut self, name: &str, size: u64, value: u64) {
        if let Some(at) = self.try_global(name) {
            self.memory.write_uint(at, size, value);
        }
    }

    fn write_build_lab(&mut self) {
        let Some(at) = self.try_global("NtBuildLab") else {
            return;
        };
        let lab = self.build_lab();
        self.memory.write(at, lab.as_bytes());
    }

    /// `NtBuildLab` without its final NUL: the global is wide enough, and memory is zero behind it.
    fn build_lab(&self) -> String {
        let [_, _, build, revision] = self.kernel.version();
        let machine = self.kernel.machine().build_suffix();
        format!("{build}.{revision}.{machine}.synth")
    }

    /// A code address, for start addresses and the context record.
    #[must_use]
    pub fn code(&self, offset: u64) -> Va {
        self.truth.kernel_base + 0x1_0000 + offset
    }
}
