//! Where the bytes of a dump come from: the one thing that all reads go through.

use std::fs::File;
use std::path::Path;
use std::sync::OnceLock;
use std::{fmt, io};

use crate::file::map::Mapping;

/// The bytes of a dump file, however they are reached.
pub(crate) enum ByteSource {
    /// Positioned reads of an open file, whose length was asked for when it was opened.
    File { file: File, len: u64 },
    /// A file that is mapped into memory when the first of its bytes is asked for: whoever only wants to know what
    /// a file is does not wait for the mapping, which takes longer than reading a header.
    Mapped {
        file: File,
        len: u64,
        map: OnceLock<Option<Mapping>>,
    },
    /// The whole file already in memory.
    Memory(Vec<u8>),
}

impl fmt::Debug for ByteSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            ByteSource::File { .. } => "File",
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
            ByteSource::File { len, .. } | ByteSource::Mapped { len, .. } => *len,
            ByteSource::Memory(bytes) => bytes.len() as u64,
        }
    }

    /// The bytes at `offset` without copying, when they are in memory and inside the file.
    pub(crate) fn slice(&self, offset: u64, len: usize) -> Option<&[u8]> {
        let bytes = self.in_memory()?;
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
            ByteSource::File { file, len } | ByteSource::Mapped { file, len, .. } => {
                let end = offset
                    .checked_add(buf.len() as u64)
                    .ok_or(io::ErrorKind::UnexpectedEof)?;
                if end > *len {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                read_exact_at(file, buf, offset)
            }
            ByteSource::Memory(_) => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    /// Maps the file as soon as some of it is asked for; a source that is in memory stays as it is.
    pub(crate) fn into_mapped(self) -> ByteSource {
        match self {
            ByteSource::File { file, len } => ByteSource::Mapped {
                file,
                len,
                map: OnceLock::new(),
            },
            other => other,
        }
    }

    /// Whether the system refused to map the file, or mapped another length than was seen: it is read then.
    pub(crate) fn is_refused(&self) -> bool {
        matches!(self, ByteSource::Mapped { .. }) && self.in_memory().is_none()
    }

    fn in_memory(&self) -> Option<&[u8]> {
        match self {
            ByteSource::File { .. } => None,
            ByteSource::Mapped { file, len, map } => {
                let map = map.get_or_init(|| {
                    let map = Mapping::new(file).ok()?;
                    // A dump that is still being copied can have grown since it was opened, and a file that was
                    // cut meanwhile would raise SIGBUS (on Windows EXCEPTION_IN_PAGE_ERROR) behind its new end.
                    (map.bytes().len() as u64 == *len).then_some(map)
                });
                map.as_ref().map(Mapping::bytes)
            }
            ByteSource::Memory(bytes) => Some(bytes),
        }
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
    Ok(ByteSource::File { file, len })
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
        let mapped = ByteSource::File {
            file: file.try_clone().unwrap(),
            len: 10,
        }
        .into_mapped();
        assert!(!mapped.is_refused());
        file.write_all(b"more").unwrap();
        for source in [
            mapped,
            ByteSource::File { file, len: 10 },
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
        let source = ByteSource::File { file, len: 12 }.into_mapped();
        assert!(source.is_refused());
        let mut buf = [0; 4];
        source.read_exact_at(6, &mut buf).unwrap();
        assert_eq!(&buf, b"6789");
    }
}
