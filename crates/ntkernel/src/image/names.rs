//! Who knows the names of the kernel's functions.

use kdump::Rsds;

/// Names of code by address: the kernel's symbols, where they are those of exactly this kernel.
///
/// It is asked from walks that run in several threads.
pub trait Names: Sync {
    /// The symbol at or before an RVA of the kernel's image, and where that is.
    fn nearest(&self, rva: u32) -> Option<(String, u32)>;

    /// The same of the image of another module, by the symbols that it was linked with.
    fn nearest_in(&self, module: &Rsds, rva: u32) -> Option<(String, u32)>;
}
