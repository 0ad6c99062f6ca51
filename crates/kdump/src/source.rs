//! Where the bytes of a dump come from: the one thing that all reads go through.

use std::fmt;
use std::fs::File;
use std::io;

use crate::map::Mapping;

/// The bytes of a dump file, however they are reached.
pub(crate) enum ByteSource {
    /// The file mapped into memory.
    Mapped(Mapping),
    /// Positioned reads of an open file, whose length was asked for when it was opened.
    File { file: File, len: u64 },
    /// The whole file already in memory.
    Memory(Vec<u8>),
}

impl fmt::Debug for ByteSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            ByteSource::Mapped(_) => "Mapped",
            ByteSource::File { .. } => "File",
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
            ByteSource::Mapped(map) => map.bytes().len() as u64,
            ByteSource::File { len, .. } => *len,
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
        match self {
            ByteSource::File { file, len } => {
                let end = offset
                    .checked_add(buf.len() as u64)
                    .ok_or(io::ErrorKind::UnexpectedEof)?;
                if end > *len {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                read_exact_at(file, buf, offset)
            }
            ByteSource::Mapped(_) | ByteSource::Memory(_) => {
                let bytes = self
                    .slice(offset, buf.len())
                    .ok_or(io::ErrorKind::UnexpectedEof)?;
                buf.copy_from_slice(bytes);
                Ok(())
            }
        }
    }

    /// Maps the file from now on; a source that is in memory stays as it is.
    ///
    /// # Errors
    /// The source as it was, when the system refuses the mapping or maps another length than was seen.
    pub(crate) fn into_mapped(self) -> Result<ByteSource, ByteSource> {
        let ByteSource::File { file, len } = self else {
            return Ok(self);
        };
        match Mapping::new(&file) {
            Ok(map) if map.bytes().len() as u64 == len => Ok(ByteSource::Mapped(map)),
            _ => Err(ByteSource::File { file, len }),
        }
    }

    fn in_memory(&self) -> Option<&[u8]> {
        match self {
            ByteSource::Mapped(map) => Some(map.bytes()),
            ByteSource::File { .. } => None,
            ByteSource::Memory(bytes) => Some(bytes),
        }
    }
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
        .into_mapped()
        .unwrap();
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
        let source = ByteSource::File { file, len: 12 }.into_mapped().unwrap_err();
        assert!(matches!(source, ByteSource::File { len: 12, .. }));
    }
}
