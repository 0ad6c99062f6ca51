//! Positioned reads from a file or from bytes in memory.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// The bytes of one PDB.
#[derive(Debug)]
pub(super) enum Source {
    /// Only what is asked for is read.
    File { file: File, len: u64 },
    /// All of it.
    Bytes(Vec<u8>),
}

impl Source {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let len = file.metadata()?.len();
        Ok(Self::File { file, len })
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
            Self::File { file, .. } => read_exact_at(file, offset, out),
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

/// The same bytes as `pdb2` asks for them: a list of ranges that it wants in one piece.
#[derive(Clone, Debug)]
pub(super) struct View(pub(super) Arc<Source>);

impl pdb::Source<'static> for View {
    fn view(
        &mut self,
        slices: &[pdb::SourceSlice],
    ) -> io::Result<Box<dyn pdb::SourceView<'static> + Send + Sync>> {
        let wanted = slices
            .iter()
            .try_fold(0usize, |sum, slice| sum.checked_add(slice.size));
        // A stream may name one block many times; more than the whole file is never wanted.
        let len = wanted.filter(|&len| u64::try_from(len).is_ok_and(|len| len <= self.0.len()));
        let len = len.ok_or(io::ErrorKind::InvalidData)?;
        // `pdb2` wants an OMAP aligned as its words are, also an empty one: so there is always an allocation.
        let mut out = Vec::with_capacity(len.max(64));
        out.resize(len, 0);
        let mut rest = out.as_mut_slice();
        for slice in slices {
            let (now, later) = rest
                .split_at_mut_checked(slice.size)
                .ok_or(io::ErrorKind::InvalidData)?;
            self.0.read_at(slice.offset, now)?;
            rest = later;
        }
        Ok(Box::new(Bytes(out)))
    }
}

#[derive(Debug)]
struct Bytes(Vec<u8>);

impl pdb::SourceView<'static> for Bytes {
    fn as_slice(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(unix)]
fn read_exact_at(file: &File, offset: u64, out: &mut [u8]) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, out, offset)
}

#[cfg(windows)]
fn read_exact_at(file: &File, offset: u64, out: &mut [u8]) -> io::Result<()> {
    let (mut offset, mut rest) = (offset, out);
    while !rest.is_empty() {
        let count = std::os::windows::fs::FileExt::seek_read(file, rest, offset)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        offset = offset.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
        rest = rest.get_mut(count..).unwrap_or_default();
    }
    Ok(())
}
