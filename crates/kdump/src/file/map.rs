//! Mapping a dump into memory: with [`fault`](crate::file::fault), which makes it safe to read one, the only `unsafe` of the
//! project.

use std::fs::File;
use std::io;

use crate::file::fault::Guard;

/// A read-only mapping of a whole file.
pub(crate) struct Mapping {
    // Dropped in this order: a guard must not stay behind.
    guard: Guard,
    map: memmap2::Mmap,
}

impl Mapping {
    /// Maps `file`, advising the system that its pages will be asked for at random.
    ///
    /// # Errors
    /// What the system says when it refuses: no address space left, a file system that cannot map. Also when the mapping
    /// cannot be guarded.
    #[allow(unsafe_code)]
    pub(crate) fn new(file: &File) -> io::Result<Mapping> {
        // SAFETY: the mapping is read-only and is only ever seen as plain bytes, of which every value is
        // valid. A writer changing the file underneath could change bytes that are borrowed here, which
        // nothing in this process does: dumps are opened read-only. A page that cannot be had any more raises
        // SIGBUS instead of an error: that is what the guard is for.
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
        let guard = Guard::of(&map).ok_or(io::ErrorKind::Unsupported)?;
        Ok(Mapping { guard, map })
    }

    /// Bytes of the file.
    pub(crate) fn len(&self) -> u64 {
        self.map.len() as u64
    }

    /// Fills `buf` with the bytes from `start` on. False where they are not all in the mapping, or can no more be had of it.
    pub(crate) fn read(&self, start: usize, buf: &mut [u8]) -> bool {
        let end = start.checked_add(buf.len());
        let Some(bytes) = end.and_then(|end| self.map.get(start..end)) else {
            return false;
        };
        if self.guard.is_lost() {
            return false;
        }
        buf.copy_from_slice(bytes);
        !self.guard.is_lost()
    }
}
