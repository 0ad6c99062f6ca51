//! Positioned reads from a file or from bytes in memory.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// The bytes of one PDB.
#[derive(Debug)]
pub(super) enum Source {
    /// Only what is asked for is read.
    File { file: Mutex<File>, len: u64 },
    /// All of it.
    Bytes(Vec<u8>),
}

impl Source {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let len = file.metadata()?.len();
        Ok(Self::File {
            file: Mutex::new(file),
            len,
        })
    }

    pub(super) fn len(&self) -> u64 {
        match self {
            Self::File { len, .. } => *len,
            Self::Bytes(bytes) => u64::try_from(bytes.len()).unwrap_or(u64::MAX),
        }
    }

    /// Fills `out` from `offset` on, or fails.
    pub(super) fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        match self {
            Self::File { file, .. } => {
                let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
                file.seek(SeekFrom::Start(offset))?;
                file.read_exact(out)
            }
            Self::Bytes(bytes) => {
                let start = usize::try_from(offset).ok();
                let from = start
                    .and_then(|start| bytes.get(start..))
                    .and_then(|tail| tail.get(..out.len()));
                out.copy_from_slice(from.ok_or(io::ErrorKind::UnexpectedEof)?);
                Ok(())
            }
        }
    }
}
