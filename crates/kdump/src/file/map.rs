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
        // default advice every first touch of a page reads a window around it. Measured on a cold file of
        // 2 GiB, on a disk with a read-ahead of 8 MiB, 300 touches: 4.5-5.3 ms a touch and 1.9 GB read by
        // default, 63 us a touch and 1.2 MB read with this advice. It is wrong for the index, which is
        // read once from end to end: 16 MiB of cold bitmap took 250-320 ms through such a mapping, and
        // 10-16 ms by plain reads. That is why a dump is mapped only after its index was read. Advice may
        // be refused without harm.
        #[cfg(unix)]
        let _ = map.advise(memmap2::Advice::Random);
        Ok(Mapping(map))
    }

    /// The bytes of the file.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}
