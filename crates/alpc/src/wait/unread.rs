//! Parts of a system that could not be looked at.

use std::fmt;

#[cfg(feature = "schema")]
use schemars::JsonSchema;
#[cfg(feature = "serde")]
use serde::{Serialize, Serializer};

use ntkernel::image::value::{Addr, Unreadable, Value};

/// A part of the system that could not be looked at, so that something may be missing.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct Unread {
    /// What it is.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub what: Part,
    /// Where it is.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub at: Option<Addr>,
    /// Why it could not be looked at.
    pub complete: Value<()>,
}

impl Unread {
    pub(crate) fn new(what: Part, at: Option<Addr>, why: Unreadable) -> Self {
        Self {
            what,
            at,
            complete: Value::Missing(Box::new(why)),
        }
    }
}

/// Which part of a system, by what it means to those who look for waits. Its words are what records have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// The list of all processes.
    Processes,
    /// The threads of all processes.
    Threads,
    /// The list of one process's threads.
    ThreadsOfProcess,
    /// A thread.
    Thread,
    /// What says which objects a thread waits for.
    WaitBlocks,
    /// An object that a thread waits for.
    WaitObject,
    /// The kernel's list of ports.
    Ports,
    /// A port.
    Port,
    /// Which end of a connection a port is.
    PortKind,
    /// The name of a port.
    PortName,
    /// The process that owns a port.
    PortOwner,
    /// Messages in one of a port's queues.
    PortQueue,
    /// Messages in all of them.
    PortQueues,
    /// The connections of a port.
    PortConnections,
    /// The threads that serve a port.
    PortServers,
    /// A connection.
    Connection,
    /// Who is at the ends of a connection.
    ConnectionEnds,
    /// A message.
    Message,
    /// The thread of the apartment that a call of COM is for.
    Apartment,
    /// The number that its port gave a message.
    MessageNumber,
    /// The thread that received a message.
    ServerThread,
    /// A mutant.
    Mutant,
    /// The system's list of executive resources.
    Resources,
    /// Which lock a thread waits for.
    Lock,
    /// Who owns a lock.
    LockOwners,
    /// A process.
    Process,
    /// The process of a thread.
    ProcessOfThread,
    /// The image name of a process.
    ImageName,
    /// The name by which two dumps' processes are compared.
    ProcessName,
    /// When a process was made.
    ProcessCreation,
    /// When a process ended.
    ProcessEnd,
    /// Who waits, and for whom.
    WaitEnds,
    /// How long a thread has waited.
    WaitLength,
    /// The system's clock.
    Clock,
    /// The signature of a hang.
    Signature,
    /// How many pages there should be.
    Pages,
    /// How many things have a name.
    Count,
    /// The kernel stack of a thread.
    Stack,
}

impl Part {
    /// The words for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Processes => "processes",
            Self::Threads => "threads",
            Self::ThreadsOfProcess => "threads of a process",
            Self::Thread => "thread",
            Self::WaitBlocks => "wait blocks of a thread",
            Self::WaitObject => "wait object of a thread",
            Self::Ports => "ports",
            Self::Port => "port",
            Self::PortKind => "kind of a port",
            Self::PortName => "name of a port",
            Self::PortOwner => "owner of a port",
            Self::PortQueue => "queue of a port",
            Self::PortQueues => "queues of a port",
            Self::PortConnections => "connections of a port",
            Self::PortServers => "servers of a port",
            Self::Connection => "connection",
            Self::ConnectionEnds => "ends of a connection",
            Self::Message => "message",
            Self::Apartment => "thread of a COM apartment",
            Self::MessageNumber => "number of a message",
            Self::ServerThread => "server thread of a message",
            Self::Mutant => "mutant",
            Self::Resources => "executive resources",
            Self::Lock => "lock that a thread waits for",
            Self::LockOwners => "owners of a lock",
            Self::Process => "process",
            Self::ProcessOfThread => "process of a thread",
            Self::ImageName => "image name of a process",
            Self::ProcessName => "name of a process",
            Self::ProcessCreation => "creation of a process",
            Self::ProcessEnd => "end of a process",
            Self::WaitEnds => "ends of a wait",
            Self::WaitLength => "length of a wait",
            Self::Clock => "clock",
            Self::Signature => "signature",
            Self::Pages => "pages",
            Self::Count => "count",
            Self::Stack => "kernel stack of a thread",
        }
    }

    /// So many of them, in words.
    pub(crate) fn counted(self, count: usize) -> String {
        let (one, many) = match self {
            Self::Processes => return "the list of processes".to_owned(),
            Self::Threads => return "the list of threads".to_owned(),
            Self::ThreadsOfProcess => ("the threads of a process", "the threads of {} processes"),
            Self::Thread => ("a thread", "{} threads"),
            Self::Stack => ("the end of a thread's stack", "the ends of {} threads' stacks"),
            Self::WaitBlocks => ("what a thread waits for", "what {} threads wait for"),
            Self::WaitObject => (
                "an object that a thread waits for",
                "{} objects that threads wait for",
            ),
            Self::Message => (
                "a message that a thread waits for",
                "{} messages that threads wait for",
            ),
            other => return format!("{count} of: {other}"),
        };
        match count {
            1 => one.to_owned(),
            _ => many.replace("{}", &count.to_string()),
        }
    }

    /// Whether threads that wait may be behind it: a signature `none` needs all such parts.
    #[must_use]
    pub fn hides_waits(self) -> bool {
        matches!(
            self,
            Self::Processes
                | Self::Threads
                | Self::ThreadsOfProcess
                | Self::Thread
                | Self::WaitBlocks
                | Self::WaitObject
                | Self::Message
                | Self::Mutant
                | Self::Resources
                | Self::Lock
                | Self::LockOwners
        )
    }

    /// Whether it may hide a wait for a reply. The objects that a thread waits for are read only when it waits for
    /// none.
    #[must_use]
    pub fn hides_reply_waits(self) -> bool {
        // Those are found by the message that the thread itself names, as the debugger's line is: a suspended
        // thread, whose wait blocks are of the suspension, has it as well.
        !matches!(self, Self::WaitBlocks | Self::WaitObject)
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(feature = "serde")]
impl Serialize for Part {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}
