//! Who knows the names of the kernel's functions.

use std::sync::Arc;

use kdump::Rsds;

/// Names of code by address: the kernel's symbols, where they are those of exactly this kernel.
///
/// It is asked from walks that run in several threads.
pub trait Names: Sync {
    /// The symbol at or before an RVA of the kernel's image, and where that is.
    fn nearest(&self, rva: u32) -> Option<(String, u32)>;

    /// The same of the image of another module, by the symbols that it was linked with.
    fn nearest_in(&self, module: &Rsds, rva: u32) -> Option<(String, u32)>;

    /// The file of an image by its name, the time stamp of its header and its size in memory, whole. Only a file whose own
    /// header has these is the same image.
    fn image_file(&self, name: &str, timestamp: u32, size: u32) -> Option<Arc<[u8]>>;
}
