//! What messages say: the bytes that the protocols above ALPC put into a message, written by their published layouts.
//!
//! Nothing here knows a world or a kernel. A writer is a record with the meaning of its fields, and gives the bytes
//! that stand behind the `_PORT_MESSAGE`.
//!
//! ```
//! use synth::payload::lrpc::Request;
//!
//! let start_service = Request {
//!     call_id: 7,
//!     binding: 1,
//!     opnum: 19,
//!     ..Request::default()
//! };
//! assert_eq!(start_service.bytes().len(), 0x40);
//! ```

pub mod lrpc;
pub mod orpc;
pub mod sspi;
pub mod system_port;

use crate::bytes::count;

/// The bytes of a UUID as memory has them, from its text: `367abb81-9844-35f1-ad32-98f038001003`. The first three
/// groups are numbers, so their bytes are the other way round.
///
/// # Panics
/// Where the text is no UUID.
#[must_use]
pub fn uuid(text: &str) -> [u8; 16] {
    let groups: Vec<&str> = text.split('-').collect();
    let lengths: Vec<usize> = groups.iter().map(|group| group.len()).collect();
    assert!(lengths == [8, 4, 4, 4, 12], "{text} is no UUID");
    let digits = groups.concat();
    let mut bytes = [0; 16];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).expect("hexadecimal digits");
    }
    bytes[..4].reverse();
    bytes[4..6].reverse();
    bytes[6..8].reverse();
    bytes
}

/// Bytes that are put one behind the other.
#[derive(Debug, Default)]
struct Out(Vec<u8>);

impl Out {
    fn u16(mut self, value: u16) -> Self {
        self.0.extend(value.to_le_bytes());
        self
    }

    fn u32(mut self, value: u32) -> Self {
        self.0.extend(value.to_le_bytes());
        self
    }

    fn u64(mut self, value: u64) -> Self {
        self.0.extend(value.to_le_bytes());
        self
    }

    /// An integer of the width of a pointer.
    fn pointer(mut self, width: u64, value: u64) -> Self {
        self.0.extend(crate::bytes::le(value, width));
        self
    }

    fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self
    }

    /// Zeros up to the offset `at`: what is called padding, reserved or unknown.
    fn zeros_to(mut self, at: u64) -> Self {
        assert!(count(self.0.len()) <= at, "{:#x} is behind {at:#x}", self.0.len());
        self.0.resize(crate::bytes::index(at), 0);
        self
    }
}
