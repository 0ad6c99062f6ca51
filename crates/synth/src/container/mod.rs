//! Writers of files that hold a machine's memory without being crash dumps.
//!
//! Each writes the same frames and registers in its own form, by the formats' own definitions (the ELF specification,
//! QEMU's and VirtualBox's headers, the published readers of VMware's files) and not by any reader of this project.

pub mod avml;
pub mod diskdump;
pub mod elf;
pub mod hiberfil;
pub mod hyper_v;
pub mod lzf;
pub mod raw;
pub mod virtualbox;
pub mod vmware;
pub mod xpress;

use crate::physical::PhysicalMemory;

/// The registers of a processor that containers keep.
#[derive(Clone, Copy, Debug, Default)]
pub struct Registers {
    /// Integer registers in the order of their numbers: rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8 to r15.
    pub integers: [u64; 16],
    /// The instruction pointer.
    pub rip: u64,
    /// CR3.
    pub cr3: u64,
    /// CR4.
    pub cr4: u64,
    /// Where the interrupt descriptor table is.
    pub idt: u64,
    /// The base of GS.
    pub gs: u64,
    /// What SWAPGS would bring.
    pub kernel_gs: u64,
    /// Where system calls enter.
    pub lstar: u64,
}

/// A machine that was stopped to take its memory.
#[derive(Clone, Copy, Debug)]
pub struct Machine<'m> {
    /// Its memory.
    pub memory: &'m PhysicalMemory,
    /// Its processors.
    pub processors: &'m [Registers],
}
