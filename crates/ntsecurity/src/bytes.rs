//! Little-endian numbers out of bytes that may end too early, and what is said when they do.

/// Why bytes are not what they should be. Offsets are from the beginning of the bytes that were given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} at +0x{at:x}: {why}")]
pub struct Malformed {
    /// What was read, as "an access list".
    pub what: &'static str,
    /// Bytes from the beginning of what was given.
    pub at: usize,
    /// What is wrong with it.
    pub why: String,
}

impl Malformed {
    pub(crate) fn new(what: &'static str, at: usize, why: impl Into<String>) -> Self {
        Self {
            what,
            at,
            why: why.into(),
        }
    }

    /// The same, where what was given began `by` bytes into something larger.
    #[must_use]
    pub(crate) fn moved(mut self, by: usize) -> Self {
        self.at = self.at.saturating_add(by);
        self
    }
}

/// `len` bytes at an offset.
pub(crate) fn slice<'a>(
    bytes: &'a [u8],
    what: &'static str,
    at: usize,
    len: usize,
) -> Result<&'a [u8], Malformed> {
    let end = at.checked_add(len);
    end.and_then(|end| bytes.get(at..end)).ok_or_else(|| {
        let there = bytes.len().saturating_sub(at);
        Malformed::new(what, at, format!("needs {len} bytes and {there} are there"))
    })
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    let end = at.checked_add(N)?;
    bytes.get(at..end)?.try_into().ok()
}

pub(crate) fn u16(bytes: &[u8], at: usize) -> Option<u16> {
    array(bytes, at).map(u16::from_le_bytes)
}

pub(crate) fn u32(bytes: &[u8], at: usize) -> Option<u32> {
    array(bytes, at).map(u32::from_le_bytes)
}

pub(crate) fn u64(bytes: &[u8], at: usize) -> Option<u64> {
    array(bytes, at).map(u64::from_le_bytes)
}

/// Bytes in hex, without anything between.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(
        String::with_capacity(bytes.len().saturating_mul(2)),
        |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        },
    )
}
