//! Who waits for what, and what says so.

use std::fmt;

#[cfg(feature = "schema")]
use schemars::JsonSchema;
#[cfg(feature = "serde")]
use serde::{Serialize, Serializer};

pub use crate::port::certainty::Certainty;
use crate::wait::node::NodeId;
use ntkernel::image::contract::{Member, MemberName};
use ntkernel::image::schema::schema_as_text;
use ntkernel::image::value::{Addr, Unreadable};

/// What binds a node to the one that it waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum EdgeKind {
    /// A thread waits for the reply to a message.
    Reply,
    /// A thread received the message and has not answered it, or some thread of a process.
    ReceivedBy,
    /// The message stands in a queue of the port and was not received.
    QueuedAt,
    /// The port's messages are received by the threads of a completion port.
    Reports,
    /// One of the threads that serve the port or completion port.
    ServedBy,
    /// A process owns the port. This says whom to ask, not who waits.
    OwnedBy,
    /// A thread waits for a mutant or another lock.
    Acquires,
    /// A thread owns the mutant or lock. Of several, each must release it.
    HeldBy,
    /// A thread waits for another to end.
    EndOfThread,
    /// A thread waits for a process to end.
    EndOfProcess,
    /// A thread of the same process that may go on with the work.
    MayContinue,
    /// A thread waits for the end of an I/O request.
    EndOfRequest,
    /// A driver has the request. This says whom to ask, not who waits.
    PendingAt,
    /// A call of COM is for an object in the apartment of one thread, which alone may run it.
    Apartment,
    /// A thread of an apartment waits for a call of COM that it made itself. It goes on receiving calls meanwhile, so no
    /// field of the kernel says that it waits for the reply.
    ComCall,
}

impl EdgeKind {
    /// Whether any one of several such edges is enough to end the wait.
    #[must_use]
    pub fn is_alternative(self) -> bool {
        // Threads of a completion port are released last in, first out, whatever they are for (Microsoft Learn, "I/O
        // Completion Ports"): any of them may take the message, and none has to.
        matches!(self, Self::Reports | Self::ServedBy | Self::MayContinue)
    }

    /// Whether the edge says that something waits.
    #[must_use]
    pub fn is_wait(self) -> bool {
        // The debugger prints "owned by process" behind the port of a wait: whose fault it is nobody has said so.
        !matches!(self, Self::OwnedBy | Self::PendingAt)
    }
}

/// A step from a node to another.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct Edge {
    /// Where it leads.
    pub to: NodeId,
    /// What it is.
    pub edge: EdgeKind,
    /// How sure it is.
    pub certainty: Certainty,
    /// Whether it is one of several of which any would end the wait.
    pub any: bool,
    /// What says so.
    pub evidence: Vec<Evidence>,
}

impl Edge {
    /// A step that stands alone.
    pub(crate) fn new(to: NodeId, edge: EdgeKind, certainty: Certainty, evidence: Vec<Evidence>) -> Self {
        Self {
            to,
            edge,
            certainty,
            any: edge.is_alternative(),
            evidence,
        }
    }

    /// Whether the waiter cannot go on before this one does.
    pub(crate) fn is_binding(&self) -> bool {
        self.edge.is_wait() && !self.any
    }
}

/// What of the kernel says something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EvidenceField {
    /// A member of a structure, by the contract's declaration.
    Member(MemberName),
    /// A list, or a bit of a member, in words.
    Words(&'static str),
}

impl EvidenceField {
    /// Whether it is this member.
    #[must_use]
    pub fn is<M: Member>(self, member: M) -> bool {
        self == Self::Member(MemberName::of(member))
    }
}

/// A member as evidence.
pub(crate) fn member<M: Member>(member: M) -> EvidenceField {
    EvidenceField::Member(MemberName::of(member))
}

impl fmt::Display for EvidenceField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Member(name) => write!(f, "{name}"),
            Self::Words(words) => f.write_str(words),
        }
    }
}

#[cfg(feature = "serde")]
impl Serialize for EvidenceField {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A field of the dump and what it says.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct Evidence {
    /// The field, as `_KALPC_MESSAGE.WaitingThread`, or the list.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub field: EvidenceField,
    /// The structure that has it.
    pub of: Addr,
    /// What it says.
    pub value: Says,
}

impl Evidence {
    pub(crate) fn address(field: EvidenceField, of: Addr, value: Addr) -> Self {
        Self {
            field,
            of,
            value: Says::Address(value),
        }
    }

    pub(crate) fn word(field: EvidenceField, of: Addr, value: &'static str) -> Self {
        Self {
            field,
            of,
            value: Says::Word(value),
        }
    }

    pub(crate) fn number(field: EvidenceField, of: Addr, value: u64) -> Self {
        Self {
            field,
            of,
            value: Says::Number(value),
        }
    }

    pub(crate) fn unreadable(field: EvidenceField, of: Addr, value: Unreadable) -> Self {
        Self {
            field,
            of,
            value: Says::Unreadable(Box::new(value)),
        }
    }
}

/// What a field says.
#[derive(Clone, Debug)]
pub enum Says {
    /// An address.
    Address(Addr),
    /// A number.
    Number(u64),
    /// One of the kernel's words.
    Word(&'static str),
    /// What is written otherwise, as an id of COM.
    Text(String),
    /// Nothing: it cannot be read.
    Unreadable(Box<Unreadable>),
}

impl fmt::Display for Says {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => write!(f, "{address}"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Word(word) => f.write_str(word),
            Self::Text(text) => f.write_str(text),
            Self::Unreadable(hole) => write!(f, "unreadable: {hole}"),
        }
    }
}

/// As text; the reason for what is unreadable stands with the node that it hides.
#[cfg(feature = "serde")]
impl Serialize for Says {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

schema_as_text!(Says, "What a field holds: an address, a number or a word.");
