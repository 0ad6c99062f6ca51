//! Appending little-endian values to a stream.

/// What every stream of a PDB is built with.
pub(super) trait Out {
    fn u8(&mut self, value: u8);
    fn u16(&mut self, value: u16);
    fn u32(&mut self, value: u32);
    /// A zero-terminated string.
    fn zstr(&mut self, text: &str);
    /// Zeroes up to the next multiple of `alignment`.
    fn align(&mut self, alignment: usize);
}

impl Out for Vec<u8> {
    fn u8(&mut self, value: u8) {
        self.push(value);
    }

    fn u16(&mut self, value: u16) {
        self.extend(value.to_le_bytes());
    }

    fn u32(&mut self, value: u32) {
        self.extend(value.to_le_bytes());
    }

    fn zstr(&mut self, text: &str) {
        assert!(!text.contains('\0'), "a name with a NUL: {text:?}");
        self.extend(text.as_bytes());
        self.push(0);
    }

    fn align(&mut self, alignment: usize) {
        self.resize(self.len().next_multiple_of(alignment), 0);
    }
}

/// A length that its field holds in 32 bits.
///
/// # Panics
/// When it does not fit.
pub(super) fn len32(length: usize) -> u32 {
    u32::try_from(length).expect("a length of less than 4 GiB")
}

/// A count that its field holds in 16 bits.
///
/// # Panics
/// When it does not fit.
pub(super) fn len16(length: usize) -> u16 {
    u16::try_from(length).expect("a count of less than 65536")
}
