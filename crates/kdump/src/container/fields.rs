//! Reads of a container's own fields, wherever they are in the file.

use crate::container::Refusal;
use crate::file::source::ByteSource;

/// `len` bytes of a file.
///
/// # Errors
/// The file ends before them, or cannot be read.
pub(crate) fn bytes(source: &ByteSource, offset: u64, len: usize) -> Result<Vec<u8>, Refusal> {
    let need = offset.saturating_add(len as u64);
    if need > source.len() {
        return Err(Refusal::Cut { need });
    }
    let mut bytes = vec![0; len];
    source.read_exact_at(offset, &mut bytes)?;
    Ok(bytes)
}

/// As many bytes of a file, without space of their own.
pub(crate) fn array<const N: usize>(source: &ByteSource, offset: u64) -> Result<[u8; N], Refusal> {
    let need = offset.saturating_add(N as u64);
    if need > source.len() {
        return Err(Refusal::Cut { need });
    }
    let mut bytes = [0; N];
    source.read_exact_at(offset, &mut bytes)?;
    Ok(bytes)
}
