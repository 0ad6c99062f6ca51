//! Calls of the security package manager of lsass, which are a message inside of a remote procedure call.

use super::Out;

/// `SspirCallRpc`: its number in the interface of `lsasspirpc`.
pub const CALL: u32 = 3;

/// The arguments of `SspirCallRpc` of a 64-bit client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Call {
    /// The context handle that connecting gave.
    pub context: [u8; 0x14],
    /// The number of the function that is meant.
    pub api: u32,
    /// Bytes of the message inside.
    pub length: u32,
}

impl Call {
    /// As NDR64 has them.
    ///
    /// # Panics
    /// Where the message is shorter than its header and number.
    #[must_use]
    pub fn arguments(&self) -> Vec<u8> {
        // A port message's header, which nobody fills in, stands before the number.
        const HEADER: u64 = 0x28;
        Out::default()
            .bytes(&self.context)
            .u32(self.length)
            .u64(u64::from(self.length))
            .zeros_to(0x20 + HEADER)
            .u32(self.api)
            .zeros_to(0x20 + u64::from(self.length))
            .0
    }
}
