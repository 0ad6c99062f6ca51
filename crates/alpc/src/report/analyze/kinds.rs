//! What is compared with what: the kinds of findings.

#[cfg(feature = "schema")]
use schemars::JsonSchema;
#[cfg(feature = "serde")]
use serde::Serialize;

/// How much a finding says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Severity {
    /// Something that is met in sound systems at times.
    Note,
    /// Something that is met in sound systems only while it changes, so that one of many is of little weight.
    Warning,
    /// What somebody who hides or takes the place of something would leave.
    Alarm,
}

impl Severity {
    /// In a word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Alarm => "alarm",
        }
    }
}

/// A kind of finding: two things that must agree.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct Kind {
    /// A stable id.
    pub id: &'static str,
    /// How much one says.
    pub severity: Severity,
    /// What must agree with what.
    pub compares: &'static str,
    /// What it may mean when they do not, innocent causes first.
    pub meaning: &'static str,
}

const CHANGED: &str = "the list was changed while the dump was written, or is damaged";
const MOVED: &str = "the message is being moved";
const MADE: &str = "the port is being made or torn down";

/// Makes the kinds, and the list of all of them.
macro_rules! kinds {
    ($($name:ident: $severity:ident $id:literal, $compares:literal, $meaning:expr;)*) => {
        $(pub(super) const $name: Kind = Kind {
            id: $id,
            severity: Severity::$severity,
            compares: $compares,
            meaning: $meaning,
        };)*

        /// All kinds, in the order in which a system is gone through.
        pub const KINDS: &[Kind] = &[$($name,)*];
    };
}

kinds! {
    PORT_LIST: Warning "port-list", "each link of the kernel's list of ports leads back to where it came from", CHANGED;
    PORT_KIND: Note "port-kind", "a port that is initialized is of a kind that exists", MADE;
    OWNER_GONE: Note "owner-gone", "the owner of a port is in the list of processes",
        "the process exited and something keeps its port";
    CLOSED_BY_OWNER: Note "closed-by-owner", "a port that its owner closed has the state of a closed one",
        "the port is being closed";
    INFO_MISSING: Note "info-missing", "a port has a communication info", MADE;
    INFO_WRONG: Warning "info-wrong", "the communication info of a port names this port in the place of its kind",
        "one of the two is damaged or was freed";
    UNEXPECTED_SERVER: Alarm "unexpected-server", "a well-known port belongs to the process that has it in Windows",
        "a program that takes the place of a server, or one that serves it in a version of Windows not known here";
    CONNECTION_LIST: Warning "connection-list", "the links of a port's list of connections lead back", CHANGED;
    CONNECTION_WRONG: Warning "connection-wrong", "a connection names the connection port in whose list it is",
        "one of the two is damaged";
    END_WRONG: Warning "end-wrong", "both ends of a connection name its communication info",
        "the two ends disagree on their connection";
    QUEUE_LINKS: Warning "queue-links", "the links of each queue of messages lead back", CHANGED;
    QUEUE_LENGTH: Note "queue-length", "a port counts as many messages as each of its queues holds",
        "the queue was changed while the dump was written";
    QUEUE_PORT: Warning "queue-port", "a message in a queue names the port of the queue", MOVED;
    QUEUE_TYPE: Warning "queue-type", "a message in a queue has the type of the queue", MOVED;
    NOT_IN_QUEUE: Warning "not-in-queue", "a message that says it is in a queue is in it", MOVED;
    LENGTHS: Warning "lengths", "the length of a message is that of its data and of its header", "the message is damaged";
    WAIT_QUEUE_LINKS: Warning "wait-queue-links", "the links of a port's list of waiting threads lead back", CHANGED;
    WAIT_QUEUE_LENGTH: Note "wait-queue-length", "a port counts as many waiting threads as its list holds",
        "a thread is about to wait or to wake";
    RESOURCE_LINKS: Warning "resource-links", "the links of a port's resources, their regions and views lead back", CHANGED;
    COMPLETION_PORT_LINKS: Warning "completion-port-links", "the links of a completion port's list of threads lead back",
        CHANGED;
    PROCESS_LINKS: Warning "process-links", "the links of the list of processes lead back", CHANGED;
    THREAD_LINKS: Warning "thread-links", "the links of each process's list of threads lead back", CHANGED;
    IRP_LINKS: Warning "irp-links", "the links of each thread's list of I/O requests lead back", CHANGED;
    MODULE_LINKS: Warning "module-links", "the links of the list of loaded modules lead back", CHANGED;
    LOCK_LINKS: Warning "lock-links", "the links of the list of executive resources lead back", CHANGED;
    HANDLE_TABLE: Warning "handle-table", "each process has a handle table of its own, whose pages are all there, each once",
        "the table was changed while the dump was written, or is damaged";
    UNLISTED: Alarm "unlisted", "a port that a handle or a name leads to is in the kernel's list of ports",
        "the port was taken off the list: it is being made or deleted, or hidden";
    PROCESS_UNLISTED: Alarm "process-unlisted",
        "a process that a processor runs, or that a handle leads to, is in the list of processes",
        "it is being made or deleted; or it was taken off the list to hide it";
    THREAD_UNLISTED: Alarm "thread-unlisted",
        "a thread that a processor runs, or that a handle leads to, is in its process's list of threads",
        "it is being made or deleted; or it was taken off the list to hide it";
    HIDDEN: Alarm "hidden", "whatever memory shows to be in use is reached from the system's lists (with --carve)",
        "it was being made or deleted, or its headers are of a time before it was freed; or it was taken off all lists to hide it";
    NOT_IN_DIRECTORY: Warning "not-in-directory", "a port with a name is in the directory that its header names",
        "its name is being made or taken away; or it was taken out of the namespace";
    OWNER_BITS: Note "owner-bits", "of the lowest bits of a port's owner only that of a closed port is set",
        "a version of Windows that keeps more there than is known here; or the port is damaged";
    LOOK_ALIKE: Warning "look-alike-name", "no two names of ports, and no two of images, only look the same",
        "a program whose makers write it so; or one that wants to be taken for another";
    HANDLE_COUNT: Warning "handle-count", "a handle leads to each port that counts handles",
        "its process is going away, or a handle table is damaged";
}
