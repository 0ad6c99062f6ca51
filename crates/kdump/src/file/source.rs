//! Where the bytes of a dump come from: the one thing that all reads go through.

use std::fs::File;
use std::path::Path;
use std::sync::OnceLock;
use std::{fmt, io};

use crate::file::map::Mapping;

/// The bytes of a dump file, however they are reached.
pub(crate) enum ByteSource {
    /// Positioned reads of an open file, whose length was asked for when it was opened.
    File(Opened),
    /// A file that is mapped into memory when the first of its bytes is asked for: whoever only wants to know what
    /// a file is does not wait for the mapping, which takes longer than reading a header.
    Mapped {
        opened: Opened,
        map: OnceLock<Option<Mapping>>,
    },
    /// The whole file already in memory.
    Memory(Vec<u8>),
}

/// An open file.
pub(crate) struct Opened {
    file: File,
    /// Its length when it was opened.
    len: u64,
    failed: OnceLock<FileFailure>,
}

/// Bytes of a file that were there when it was opened, and could not be read later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileFailure {
    /// Where in the file reading failed first.
    pub offset: u64,
    /// What the system said; [`io::ErrorKind::UnexpectedEof`] where the file was cut.
    pub kind: io::ErrorKind,
}

impl Opened {
    pub(crate) fn new(file: File, len: u64) -> Opened {
        Opened {
            file,
            len,
            failed: OnceLock::new(),
        }
    }

    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let end = offset
            .checked_add(buf.len() as u64)
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        if end > self.len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        read_exact_at(&self.file, buf, offset).inspect_err(|error| {
            let kind = error.kind();
            self.failed.get_or_init(|| FileFailure { offset, kind });
        })
    }
}

impl fmt::Debug for ByteSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            ByteSource::File(_) => "File",
            ByteSource::Mapped { .. } => "Mapped",
            ByteSource::Memory(_) => "Memory",
        };
        f.debug_struct(name)
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

impl ByteSource {
    /// Length in bytes.
    pub(crate) fn len(&self) -> u64 {
        match self {
            ByteSource::File(opened) | ByteSource::Mapped { opened, .. } => opened.len,
            ByteSource::Memory(bytes) => bytes.len() as u64,
        }
    }

    /// The first failure to read what was there when the file was opened.
    pub(crate) fn failed(&self) -> Option<FileFailure> {
        match self {
            ByteSource::File(opened) | ByteSource::Mapped { opened, .. } => opened.failed.get().copied(),
            ByteSource::Memory(_) => None,
        }
    }

    /// The bytes at `offset` without copying, when they are in memory and inside the file. Those of a mapping are copied: a
    /// file that is cut takes them away from whoever holds them.
    pub(crate) fn slice(&self, offset: u64, len: usize) -> Option<&[u8]> {
        let ByteSource::Memory(bytes) = self else {
            return None;
        };
        let start = usize::try_from(offset).ok()?;
        bytes.get(start..start.checked_add(len)?)
    }

    /// Fills `buf` from `offset` on.
    ///
    /// # Errors
    /// [`io::ErrorKind::UnexpectedEof`] when the range is not wholly inside the file, else what the system
    /// says.
    pub(crate) fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        if let Some(bytes) = self.slice(offset, buf.len()) {
            buf.copy_from_slice(bytes);
            return Ok(());
        }
        match self {
            ByteSource::File(opened) => opened.read_exact_at(offset, buf),
            ByteSource::Mapped { opened, .. } => {
                let start = usize::try_from(offset).ok();
                match start.zip(self.mapping()) {
                    Some((start, map)) if map.read(start, buf) => Ok(()),
                    // What is lost of the mapping the system may still read, or it says why not.
                    _ => opened.read_exact_at(offset, buf),
                }
            }
            ByteSource::Memory(_) => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    /// Maps the file as soon as some of it is asked for; a source that is in memory stays as it is.
    pub(crate) fn into_mapped(self) -> ByteSource {
        match self {
            ByteSource::File(opened) => ByteSource::Mapped {
                opened,
                map: OnceLock::new(),
            },
            other => other,
        }
    }

    /// Whether the system refused to map the file, or mapped another length than was seen: it is read then.
    pub(crate) fn is_refused(&self) -> bool {
        matches!(self, ByteSource::Mapped { .. }) && self.mapping().is_none()
    }

    fn mapping(&self) -> Option<&Mapping> {
        let ByteSource::Mapped { opened, map } = self else {
            return None;
        };
        let map = map.get_or_init(|| {
            let map = Mapping::new(&opened.file).ok()?;
            // A dump that is still being copied can have grown since it was opened, and a file that was cut meanwhile is
            // better read: on Windows what is behind its new end ends the process (EXCEPTION_IN_PAGE_ERROR).
            (map.len() == opened.len).then_some(map)
        });
        map.as_ref()
    }
}

/// Opens a regular file for positioned reads.
///
/// # Errors
/// What the system says; [`io::ErrorKind::InvalidInput`] of what is no file.
pub(crate) fn open(path: &Path) -> io::Result<ByteSource> {
    // Asked before opening: opening a pipe that nobody writes to would wait for ever.
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "no regular file"));
    }
    let file = File::open(path)?;
    let len = file.metadata()?.len();
    Ok(ByteSource::File(Opened::new(file, len)))
}

#[cfg(unix)]
fn read_exact_at(file: &File, buf: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buf, offset)
}

/// As on Unix; the file's own position moves, but nothing here uses it.
#[cfg(windows)]
fn read_exact_at(file: &File, mut buf: &mut [u8], mut offset: u64) -> io::Result<()> {
    use std::os::windows::fs::FileExt;
    while !buf.is_empty() {
        // Other than pread(2) this moves the file's own position (Rust's FileExt for Windows); nothing here
        // goes by that.
        let read = match file.seek_read(buf, offset) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        buf = buf.get_mut(read..).ok_or(io::ErrorKind::UnexpectedEof)?;
        offset = offset.saturating_add(read as u64);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn every_source_ends_where_the_file_ended_when_it_was_opened() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"0123456789").unwrap();
        let mapped = ByteSource::File(Opened::new(file.try_clone().unwrap(), 10)).into_mapped();
        assert!(!mapped.is_refused());
        file.write_all(b"more").unwrap();
        for source in [
            mapped,
            ByteSource::File(Opened::new(file, 10)),
            ByteSource::Memory(b"0123456789".to_vec()),
        ] {
            let mut buf = [0; 4];
            source.read_exact_at(6, &mut buf).unwrap();
            assert_eq!(&buf, b"6789", "{source:?}");
            for offset in [7, 10, 11, i64::MAX as u64, u64::MAX - 3, u64::MAX] {
                let error = source.read_exact_at(offset, &mut buf).unwrap_err();
                assert_eq!(
                    error.kind(),
                    io::ErrorKind::UnexpectedEof,
                    "{source:?} at {offset}"
                );
                assert_eq!(source.slice(offset, 4), None);
            }
            assert_eq!(source.len(), 10);
        }
    }

    #[test]
    fn a_file_that_changed_its_length_is_not_mapped() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"0123456789").unwrap();
        let source = ByteSource::File(Opened::new(file, 12)).into_mapped();
        assert!(source.is_refused());
        let mut buf = [0; 4];
        source.read_exact_at(6, &mut buf).unwrap();
        assert_eq!(&buf, b"6789");
    }

    /// A file that is cut while it is mapped costs what was cut off, and no crash: mmap(2) has SIGBUS for that.
    #[cfg(unix)]
    #[test]
    fn a_file_that_is_cut_while_it_is_mapped_is_read_as_far_as_it_goes() {
        let mut file = tempfile::tempfile().unwrap();
        let pages: Vec<u8> = (1..=64_u8).flat_map(|page| [page; 0x4000]).collect();
        file.write_all(&pages).unwrap();
        let len = pages.len() as u64;
        let source = ByteSource::File(Opened::new(file.try_clone().unwrap(), len)).into_mapped();
        let mut buf = [0; 16];
        source.read_exact_at(0x8000, &mut buf).unwrap();
        assert_eq!(buf, [3; 16]);
        assert_eq!(source.failed(), None);
        file.set_len(len / 2).unwrap();
        // From several threads at once, each before and behind the cut.
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let source = &source;
                scope.spawn(move || {
                    let mut buf = [0; 16];
                    for page in (thread..64_u8).step_by(4) {
                        let read = source.read_exact_at(u64::from(page) * 0x4000 + 0x100, &mut buf);
                        match page < 32 {
                            true => assert_eq!((read.unwrap(), buf), ((), [page + 1; 16])),
                            false => assert_eq!(read.unwrap_err().kind(), io::ErrorKind::UnexpectedEof),
                        }
                    }
                });
            }
        });
        assert_eq!(source.failed().unwrap().kind, io::ErrorKind::UnexpectedEof);
        // Another file's mapping is another matter.
        let mut other = tempfile::tempfile().unwrap();
        other.write_all(&pages).unwrap();
        let other = ByteSource::File(Opened::new(other, len)).into_mapped();
        other.read_exact_at(len - 16, &mut buf).unwrap();
        assert_eq!(buf, [64; 16]);
        assert_eq!(other.failed(), None);
    }
}
