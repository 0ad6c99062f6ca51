//! What a container keeps of its processors.

use crate::value::address::Gva;
use crate::value::machine::ContextRecord;

/// The registers of a processor when the memory of its machine was taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Processor {
    /// Where it stood.
    pub context: Option<ContextRecord>,
    /// CR3, with the bits that are no part of an address.
    pub cr3: Option<u64>,
    /// CR4, whose bit 12 says that page tables have five levels (Intel SDM, volume 3, 2.5).
    pub cr4: Option<u64>,
    /// Where the interrupt descriptor table is.
    pub idt: Option<Gva>,
    /// The base of GS: in kernel mode that of the processor's control region (KPCR).
    pub gs: Option<Gva>,
    /// What SWAPGS would bring: in user mode that of the control region.
    pub kernel_gs: Option<Gva>,
    /// LSTAR: where system calls enter the kernel.
    pub lstar: Option<Gva>,
}

impl Processor {
    /// Where its control region is: the GS base that lies in the kernel's half.
    #[must_use]
    pub fn control_region(&self) -> Option<Gva> {
        // In kernel mode GS is the region and what SWAPGS would bring is the user's TEB; in user mode the other way
        // round (AMD64 Architecture Programmer's Manual, volume 2, SWAPGS).
        [self.gs, self.kernel_gs]
            .into_iter()
            .flatten()
            .find(|base| base.u64() >> 63 != 0)
    }
}
