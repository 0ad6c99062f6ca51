//! Checked little-endian reads: every read past the end is `None`, never a panic.

/// A position in a slice of untrusted bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(data: &'a [u8]) -> Self {
        Self { rest: data }
    }

    /// A cursor that begins `offset` bytes into `data`.
    pub(crate) fn at(data: &'a [u8], offset: usize) -> Option<Self> {
        data.get(offset..).map(Self::new)
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.rest.split_at_checked(count)?;
        self.rest = tail;
        Some(head)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, tail) = self.rest.split_first_chunk::<N>()?;
        self.rest = tail;
        Some(*head)
    }

    pub(crate) fn skip(&mut self, count: usize) -> Option<()> {
        self.take(count).map(|_| ())
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(u8::from_le_bytes)
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    /// Bytes up to a NUL, which is consumed; without a NUL there is no string.
    pub(crate) fn cstr(&mut self) -> Option<&'a [u8]> {
        let end = self.rest.iter().position(|&byte| byte == 0)?;
        let text = self.take(end)?;
        self.skip(1)?;
        Some(text)
    }
}

/// A stored 32-bit count or offset as an index; `usize` holds it on every system this is built for.
pub(crate) fn index(value: u32) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_stop_at_the_end() {
        let mut cursor = Cursor::new(&[1, 2, 3, 4, 5]);
        assert_eq!(cursor.u32(), Some(0x0403_0201));
        assert_eq!(cursor.u16(), None);
        assert_eq!(cursor.u8(), Some(5));
        assert_eq!(cursor.u8(), None);
        assert!(cursor.is_empty());
    }

    #[test]
    fn a_string_needs_its_nul() {
        let mut cursor = Cursor::new(b"ab\0cd");
        assert_eq!(cursor.cstr(), Some(&b"ab"[..]));
        assert_eq!(cursor.cstr(), None);
        assert_eq!(cursor.rest(), b"cd");
    }
}
