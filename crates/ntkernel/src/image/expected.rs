//! What a pointer should lead to, and what is there instead: see [`marks`](crate::object::marks).

#[cfg(feature = "schema")]
use schemars::JsonSchema;
#[cfg(feature = "serde")]
use serde::Serialize;

/// What a pointer should lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum Expected {
    /// An ALPC message, by its blob header, its lengths and its pointers.
    Message,
    /// A thread, by its dispatcher type and the process that it names.
    Thread,
    /// A process, by its dispatcher type.
    Process,
    /// An ALPC port of some kind, by its object type or the communication info that names it, and the kernel's list of ports.
    Port,
    /// A communication info, by its blob header and the list that it is in.
    CommunicationInfo,
    /// A completion port, by its dispatcher type and its list of threads.
    CompletionPort,
    /// Something that a thread waits for, by its dispatcher type and its list of who waits for it.
    WaitObject,
    /// An I/O request, by its type.
    IoRequest,
    /// A device, by its type.
    Device,
    /// A driver, by its type.
    Driver,
    /// An access token, by its type, its kind and the list of its groups.
    Token,
}

impl Expected {
    /// The words for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::Thread => "thread",
            Self::Process => "process",
            Self::Port => "ALPC port",
            Self::CommunicationInfo => "communication info",
            Self::CompletionPort => "completion port",
            Self::WaitObject => "object to wait for",
            Self::IoRequest => "I/O request",
            Self::Device => "device",
            Self::Driver => "driver",
            Self::Token => "access token",
        }
    }
}

/// What is in the place of what should be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum Found {
    /// Nothing but zeros.
    Zeros,
    /// The same four bytes over and over, as writers of dumps fill pages that they could not read.
    Filler(u32),
    /// Anything else.
    Other,
    /// Nothing that could be looked at: the pointer leads out of the kernel's memory.
    Nowhere,
}

impl std::fmt::Display for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Zeros => f.write_str("only zeros are there"),
            Self::Filler(word) => write!(f, "only 0x{word:08x} is there, over and over"),
            Self::Other => f.write_str("what is there is none"),
            Self::Nowhere => f.write_str("that is no address of the kernel's memory"),
        }
    }
}
