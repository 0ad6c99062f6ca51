//! Little-endian fields of a byte slice, by offset.

/// `N` bytes at `offset`, when the slice holds them.
pub(crate) fn array<const N: usize>(bytes: &[u8], offset: usize) -> Option<[u8; N]> {
    bytes.get(offset..offset.checked_add(N)?)?.try_into().ok()
}

/// A `u16` at `offset`.
pub(crate) fn u16(bytes: &[u8], offset: usize) -> Option<u16> {
    array(bytes, offset).map(u16::from_le_bytes)
}

/// A `u32` at `offset`.
pub(crate) fn u32(bytes: &[u8], offset: usize) -> Option<u32> {
    array(bytes, offset).map(u32::from_le_bytes)
}

/// A `u64` at `offset`.
pub(crate) fn u64(bytes: &[u8], offset: usize) -> Option<u64> {
    array(bytes, offset).map(u64::from_le_bytes)
}

/// The text at `offset` up to its NUL, at most `len` bytes; bytes that are no UTF-8 are replaced.
pub(crate) fn text(bytes: &[u8], offset: usize, len: usize) -> Option<String> {
    let field = bytes.get(offset..offset.checked_add(len)?)?;
    let end = field.iter().position(|&byte| byte == 0).unwrap_or(len);
    Some(String::from_utf8_lossy(field.get(..end)?).into_owned())
}
