//! The forms in which the memory of a machine is kept that was not crashed.

use std::fmt;

/// The form of a file with the memory of a machine that is no crash dump.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ImageFormat {
    /// Physical memory from address 0 on, holes included: raw, padded, `.mem`, `.dd`.
    Raw,
    /// The memory of a VMware machine (`.vmem`), alone or with its `.vmss` or `.vmsn`.
    VmwareMemory,
    /// A state of a VMware machine that holds the memory itself.
    VmwareState,
    /// An ELF core of QEMU: `dump-guest-memory`, `virsh dump --memory-only`.
    QemuCore,
    /// An ELF core of VirtualBox: `dumpvmcore`.
    VirtualBoxCore,
    /// An ELF core of Xen: `xl dump-core`.
    XenCore,
    /// Another ELF core, of winpmem for example.
    ElfCore,
    /// A LiME image.
    Lime,
    /// An AVML image.
    Avml,
    /// A kdump-compressed file of QEMU or makedumpfile, flattened or not.
    KdumpCompressed,
    /// A saved state of VirtualBox (`.sav`).
    VirtualBoxState,
    /// A saved state of Hyper-V (`.vmrs`).
    HyperVState,
    /// A hibernation file (`hiberfil.sys`).
    Hibernation,
}

impl ImageFormat {
    /// What this form is called, without an article.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            ImageFormat::Raw => "raw memory image",
            ImageFormat::VmwareMemory => "memory of a VMware machine",
            ImageFormat::VmwareState => "state of a VMware machine",
            ImageFormat::QemuCore => "ELF core of QEMU",
            ImageFormat::VirtualBoxCore => "ELF core of VirtualBox",
            ImageFormat::XenCore => "ELF core of Xen",
            ImageFormat::ElfCore => "ELF core",
            ImageFormat::Lime => "LiME image",
            ImageFormat::Avml => "AVML image",
            ImageFormat::KdumpCompressed => "kdump-compressed file",
            ImageFormat::VirtualBoxState => "saved state of VirtualBox",
            ImageFormat::HyperVState => "saved state of Hyper-V",
            ImageFormat::Hibernation => "hibernation file",
        }
    }
}

impl fmt::Display for ImageFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
