//! The one `unsafe` of the project: mapping a dump into memory.

use std::fs::File;
use std::io;

/// A read-only mapping of a whole file.
pub(crate) struct Mapping(memmap2::Mmap);

impl Mapping {
    /// Maps `file`, advising the system that its pages will be asked for at random.
    ///
    /// # Errors
    /// What the system says when it refuses: no address space left, a file system that cannot map.
    #[allow(unsafe_code)]
    pub(crate) fn new(file: &File) -> io::Result<Mapping> {
        // SAFETY: the mapping is read-only and is only ever seen as plain bytes, of which every value is
        // valid. A writer changing the file underneath could change bytes that are borrowed here, which
        // nothing in this process does: dumps are opened read-only. A file that shrinks raises SIGBUS
        // instead of an error; that is why the mapping can be declined (`OpenOptions::no_mmap`).
        let map = unsafe { memmap2::Mmap::map(file)? };
        // A walk over kernel objects jumps from page to page and uses a few bytes of each. With the
        // default advice every first touch of a page reads a window around it (measured: 941 us a touch
        // with a read-ahead of 8 MiB); with this one it reads the page. The advice is wrong for the index,
        // which is read once from end to end: that is done before mapping, by plain reads of the file,
        // for which the system's own read-ahead is right. Advice may be refused without harm.
        #[cfg(unix)]
        let _ = map.advise(memmap2::Advice::Random);
        Ok(Mapping(map))
    }

    /// The bytes of the file.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}
