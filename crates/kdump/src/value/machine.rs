//! What a crash leaves of a machine beside its memory: its type, where its processors stood, its bug check.

use std::fmt;

#[cfg(feature = "schema")]
use schemars::JsonSchema;
#[cfg(feature = "serde")]
use serde::{Serialize, Serializer};

use crate::value::address::Gva;

/// The machine type of a dump (`IMAGE_FILE_MACHINE_*`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Machine {
    /// 0x8664.
    Amd64,
    /// 0x14c.
    I386,
    /// 0xaa64.
    Arm64,
    /// Any other value.
    Other(u32),
}

impl Machine {
    pub(crate) fn from_raw(raw: u32) -> Machine {
        match raw {
            0x8664 => Machine::Amd64,
            0x14c => Machine::I386,
            0xaa64 => Machine::Arm64,
            // 200 is Itanium, whose last Windows was Server 2008 R2 (Microsoft's PE format has the numbers).
            other => Machine::Other(other),
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Machine::Amd64 => f.write_str("x64"),
            Machine::I386 => f.write_str("x86"),
            Machine::Arm64 => f.write_str("ARM64"),
            Machine::Other(raw) => write!(f, "machine type {raw:#x}"),
        }
    }
}

#[cfg(feature = "serde")]
impl Serialize for Machine {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The bug check of the crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct BugCheck {
    /// The code: 0x7e for `SYSTEM_THREAD_EXCEPTION_NOT_HANDLED`, for example.
    pub code: u32,
    /// Its name in Microsoft's reference; none of a code that this does not have.
    pub name: Option<&'static str>,
    /// Its four parameters.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::value::hex::u64s"))]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<crate::value::hex::Hex>"))]
    pub parameters: [u64; 4],
}

/// Where the processor stood that wrote the header's context record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct ContextRecord {
    /// ContextFlags.
    pub flags: u32,
    /// Instruction pointer: Rip, Eip or Pc.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::value::hex::gva"))]
    #[cfg_attr(feature = "schema", schemars(with = "crate::value::hex::Hex"))]
    pub rip: Gva,
    /// Stack pointer: Rsp, Esp or Sp.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::value::hex::gva"))]
    #[cfg_attr(feature = "schema", schemars(with = "crate::value::hex::Hex"))]
    pub rsp: Gva,
    /// The sixteen integer registers of x64 in the order of their numbers: rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8 to r15.
    /// Of x86 only ebp, in the place of rbp. None of other machines.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub integers: Option<[u64; 16]>,
}

/// The header's `EXCEPTION_RECORD64`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct ExceptionRecord {
    /// ExceptionCode, an NTSTATUS.
    pub code: u32,
    /// ExceptionFlags.
    pub flags: u32,
    /// ExceptionAddress.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::value::hex::gva"))]
    #[cfg_attr(feature = "schema", schemars(with = "crate::value::hex::Hex"))]
    pub address: Gva,
    /// ExceptionInformation, as many as NumberParameters says, at most 15.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::value::hex::u64s"))]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<crate::value::hex::Hex>"))]
    pub parameters: Vec<u64>,
}
