//! What is sent to ports of the system that are not of the RPC runtime.

use super::Out;

/// Servers inside of csrss.
pub mod server {
    /// CSRSRV.
    pub const CSRSRV: u16 = 0;
    /// BASESRV.
    pub const BASESRV: u16 = 1;
    /// USERSRV, whose numbers begin at 0x400.
    pub const USERSRV: u16 = 3;
}

/// `CSR_API_MSG`, without the port message: a call of csrss.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Csr {
    /// Address of the capture buffer in the view that both share; 0 for none.
    pub capture_buffer: u64,
    /// The server.
    pub server: u16,
    /// The number of its function.
    pub number: u16,
    /// Return value; 0 in a request, or what was there before.
    pub return_value: u32,
    /// Reserved.
    pub reserved: u64,
    /// What the function is given.
    pub arguments: Vec<u8>,
}

impl Csr {
    /// The bytes behind the port message, on a system whose pointers have `width` bytes.
    #[must_use]
    pub fn bytes(&self, width: u64) -> Vec<u8> {
        Out::default()
            .pointer(width, self.capture_buffer)
            .u32(u32::from(self.server) << 16 | u32::from(self.number))
            .u32(self.return_value)
            .pointer(width, self.reserved)
            .bytes(&self.arguments)
            .0
    }

    /// As [`Csr::bytes`], in the whole length that every such message has.
    #[must_use]
    pub fn whole(&self, width: u64) -> Vec<u8> {
        // Less the port message.
        let length = if width == 8 { 0x1b0 - 0x28 } else { 0xe0 - 0x18 };
        Out(self.bytes(width)).zeros_to(length).0
    }
}

/// A call of the session manager (`\SmApiPort`), or of a subsystem by it (`SbApiPort`), which are alike but for what
/// the numbers mean.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionManager {
    /// The number of the function.
    pub number: u32,
    /// The status that it returns.
    pub status: u32,
    /// What the function is given.
    pub arguments: Vec<u8>,
}

impl SessionManager {
    /// The bytes behind the port message.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        Out::default()
            .u32(self.number)
            .u32(self.status)
            .bytes(&self.arguments)
            .0
    }
}

/// A message to the error reporting service (`\WindowsErrorReportingServicePort`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ErrorReport {
    /// What it is about.
    pub message: u32,
    /// Status.
    pub status: u32,
    /// What stands behind.
    pub rest: Vec<u8>,
}

impl ErrorReport {
    /// An elevated process tells of itself.
    pub const ELEVATED_PROCESS: u32 = 0x5000_0000;

    /// The bytes behind the port message, in the whole length that every such message has.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        Out::default()
            .u32(self.message)
            .u32(self.status)
            .bytes(&self.rest)
            .zeros_to(0x550)
            .0
    }
}
