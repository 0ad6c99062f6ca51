//! A call as a record.

use std::fmt;
use std::sync::Arc;

use lrpc::{Uuid, system_port};
#[cfg(feature = "schema")]
use schemars::JsonSchema;
#[cfg(feature = "serde")]
use serde::{Serialize, Serializer};

use crate::port::call::told::Told;
use crate::port::certainty::Certainty;
use ntkernel::image::schema::schema_as_text;
use ntkernel::image::value::Addr;

/// Whose header a message's data begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Protocol {
    /// Local RPC.
    Lrpc,
    /// csrss.
    Csr,
    /// smss.
    Sm,
    /// smss to csrss.
    Sb,
    /// Windows Error Reporting.
    Wer,
    /// The security support providers of lsass, before they came by RPC.
    Spm,
}

impl Protocol {
    pub(crate) fn of(protocol: system_port::Protocol) -> Option<Self> {
        Some(match protocol {
            system_port::Protocol::Csr => Self::Csr,
            system_port::Protocol::Sm => Self::Sm,
            system_port::Protocol::Sb => Self::Sb,
            system_port::Protocol::Wer => Self::Wer,
            system_port::Protocol::Spm => Self::Spm,
            _ => return None,
        })
    }

    /// A short word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Lrpc => "lrpc",
            Self::Csr => "csr",
            Self::Sm => "sm",
            Self::Sb => "sb",
            Self::Wer => "wer",
            Self::Spm => "spm",
        }
    }
}

/// What a message says that a protocol is known of.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "CallRecord"))]
#[non_exhaustive]
pub struct Call {
    /// Whose header it is.
    pub protocol: Protocol,
    /// How sure that is: proven where the port's full name says so, inferred where the data alone does.
    pub certainty: Certainty,
    /// What it is: `request`, `bind`, `bind-answer`, `response`, `fault`, `cancel`, `pipe-chunk`, another type of local RPC
    /// by its name, or `call` of a system port.
    pub kind: &'static str,
    /// Number of the call on its connection.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub call_id: Option<u32>,
    /// Its flags.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub flags: Option<u32>,
    /// The names of those that are set.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Vec::is_empty"))]
    pub flag_names: Vec<&'static str>,
    /// Which binding it is made on: a number that the client chose.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub binding: Option<u32>,
    /// Number of the procedure (opnum); of a system port, of the call.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub procedure_number: Option<u32>,
    /// The number with the bits that COM ignores, where there are any.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub raw_procedure_number: Option<u32>,
    /// What the procedure is called.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub procedure: Option<Arc<ProcedureName>>,
    /// The interface, where one is known or likely.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub interface: Option<Arc<InterfaceRecord>>,
    /// The interfaces that it may be, where several are as likely.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "<[_]>::is_empty"))]
    pub candidates: Arc<[CandidateInterface]>,
    /// The object that it is for.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub object: Option<Told<Uuid>>,
    /// Bytes of arguments or results behind its header.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub arguments: Option<u64>,
    /// Bytes of arguments in the view that it carries.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub view_length: Option<u64>,
    /// What a fault, the answer to a bind, or a call of a system port says of how it went.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub status: Option<StatusRecord>,
    /// The call that its arguments carry, where those are known to.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub inner: Option<InnerCall>,
    /// What COM says of it, where it is a call of COM.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub com: Option<Box<ComCall>>,
    /// Set when another process has the port than the one that has it in Windows.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub unexpected_server: Option<UnexpectedServer>,
}

impl Call {
    pub(crate) fn new(protocol: Protocol, certainty: Certainty, kind: &'static str) -> Self {
        Self {
            protocol,
            certainty,
            kind,
            call_id: None,
            flags: None,
            flag_names: Vec::new(),
            binding: None,
            procedure_number: None,
            raw_procedure_number: None,
            procedure: None,
            interface: None,
            candidates: Arc::default(),
            object: None,
            arguments: None,
            view_length: None,
            status: None,
            inner: None,
            com: None,
            unexpected_server: None,
        }
    }

    /// How much is known of which procedure it calls.
    #[must_use]
    pub fn known(&self) -> Known {
        match (&self.interface, self.candidates.is_empty()) {
            _ if self.protocol != Protocol::Lrpc => Known::Procedure(self.certainty),
            (Some(interface), _) => Known::Procedure(interface.certainty.max(self.certainty)),
            (None, false) => Known::Candidates,
            (None, true) => Known::Number,
        }
    }

    /// Whether somebody is asked to do something: a request or a call, no answer.
    #[must_use]
    pub fn asks(&self) -> bool {
        matches!(
            self.kind,
            "request" | "call" | "bind" | "pipe-chunk" | "callback-request"
        )
    }

    /// One word for what is called, the same on every machine: a procedure by its name, else by its interface and number,
    /// `lsarpc/76`, else by number alone, `rpc/7`; of a call of COM `com/5`, of anything else its kind.
    #[must_use]
    pub fn key(&self) -> String {
        if let Some(procedure) = &self.procedure {
            return procedure.name.clone();
        }
        let number = self.procedure_number.unwrap_or(0);
        match (self.kind, self.protocol) {
            ("request" | "pipe-chunk", Protocol::Lrpc) if self.com.is_some() => format!("com/{number}"),
            ("request" | "pipe-chunk", Protocol::Lrpc) => match &self.interface {
                Some(interface) => format!("{}/{number}", interface.short()),
                None => format!("rpc/{number}"),
            },
            (kind, Protocol::Lrpc) => match &self.interface {
                Some(interface) => format!("{kind}/{}", interface.short()),
                None => kind.to_owned(),
            },
            (_, protocol) => format!("{}/0x{number:x}", protocol.name()),
        }
    }
}

/// How much is known of which procedure a call is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// Its interface, and how surely.
    Procedure(Certainty),
    /// Several interfaces that it may be of.
    Candidates,
    /// Its number alone.
    Number,
}

/// What a procedure is called.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct ProcedureName {
    /// Its name.
    pub name: String,
    /// Whether that is its name in this version of Windows: documented, or the same in versions around it.
    pub sure: bool,
    /// Where the name is from.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "String::is_empty"))]
    pub source: String,
}

/// An interface of RPC.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct InterfaceRecord {
    /// Its id.
    pub uuid: Uuid,
    /// Its version, where a bind says it.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub version: Option<String>,
    /// Its name.
    pub name: Option<String>,
    /// The modules that serve it.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Vec::is_empty"))]
    pub modules: Vec<String>,
    /// How sure it is.
    pub certainty: Certainty,
    /// What says so.
    pub evidence: &'static str,
    /// The message that the client bound with.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub bind: Option<Addr>,
}

impl InterfaceRecord {
    /// Its name, else its id.
    #[must_use]
    pub fn short(&self) -> String {
        self.name.clone().unwrap_or_else(|| self.uuid.to_string())
    }
}

/// An interface that a call may be of.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct CandidateInterface {
    /// Its id.
    pub uuid: Uuid,
    /// Its name.
    pub name: Option<String>,
    /// What the procedure would be called.
    pub procedure: Option<String>,
    /// Whether that name is sure.
    pub sure: bool,
    /// Whether it is known that it has as many procedures; false where nobody knows how many it has.
    pub has_procedure: bool,
    /// What says that it may be this one.
    pub source: String,
}

impl CandidateInterface {
    /// Its name, else its id.
    #[must_use]
    pub fn short(&self) -> String {
        self.name.clone().unwrap_or_else(|| self.uuid.to_string())
    }
}

/// A status with its name.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct StatusRecord {
    /// The number.
    pub code: u32,
    /// The name that Windows' headers have for it.
    pub name: Option<&'static str>,
}

impl StatusRecord {
    pub(crate) fn new(code: u32) -> Self {
        Self {
            code,
            name: lrpc::status::name(code),
        }
    }
}

/// A call in the arguments of another.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct InnerCall {
    /// Its number.
    pub number: u32,
    /// Its name.
    pub name: Option<&'static str>,
    /// Where it stands has one source, so it is inferred.
    pub certainty: Certainty,
}

/// A call of COM.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct ComCall {
    /// How sure it is that it is one: proven when the object is the server's and the head of the call names the thread that
    /// sent it.
    pub certainty: Certainty,
    /// The apartment that the object is in. One source.
    pub apartment: Apartment,
    /// Of an apartment of one thread, that thread: it alone may run the call.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub apartment_thread: Option<Told<Addr>>,
    /// Of an apartment of one thread, the low 16 bits of its id.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub apartment_thread_id_low: Option<Told<u16>>,
    /// The same in calls that are made on behalf of each other, across processes.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub causality: Option<Uuid>,
    /// COM's own number of the call, as its traces have it.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub com_call_id: Option<Uuid>,
    /// Id of the thread that calls.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub client_thread_id: Option<u64>,
    /// Whether the caller does not wait for it. One source.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub asynchronous: Option<bool>,
    /// Where the method's arguments begin in the data, as inferred.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub arguments_at: Option<u64>,
}

/// The apartment of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Apartment {
    /// Of one thread.
    SingleThreaded,
    /// Of all other threads.
    MultiThreaded,
    /// Of any thread.
    Neutral,
}

impl Apartment {
    /// The field's short name for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::SingleThreaded => "STA",
            Self::MultiThreaded => "MTA",
            Self::Neutral => "NTA",
        }
    }
}

impl fmt::Display for Apartment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(feature = "serde")]
impl Serialize for Apartment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

schema_as_text!(Apartment, "STA, MTA or NTA.");

/// A process that has a port which another has in Windows.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct UnexpectedServer {
    /// Its image.
    pub image: String,
    /// The images of which one has the port.
    pub expected: Vec<&'static str>,
}
