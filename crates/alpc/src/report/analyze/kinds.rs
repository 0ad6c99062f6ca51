//! What is compared with what: the kinds of findings.

#[cfg(feature = "schema")]
use schemars::JsonSchema;
#[cfg(feature = "serde")]
use serde::Serialize;

/// A kind of finding: two things that must agree.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct Kind {
    /// A stable id.
    pub id: &'static str,
    /// What must agree with what.
    pub compares: &'static str,
    /// What it may mean when they do not.
    pub meaning: &'static str,
}

const CHANGED: &str = "the list was changed while the dump was written, or is damaged";
const MOVED: &str = "the message is being moved";
const MADE: &str = "the port is being made or torn down";

/// Makes the kinds, and the list of all of them.
macro_rules! kinds {
    ($($name:ident: $id:literal, $compares:literal, $meaning:expr;)*) => {
        $(pub(super) const $name: Kind = Kind { id: $id, compares: $compares, meaning: $meaning };)*

        /// All kinds, in the order in which a system is gone through.
        pub const KINDS: &[Kind] = &[$($name,)*];
    };
}

kinds! {
    PORT_LIST: "port-list", "each link of the kernel's list of ports leads back to where it came from", CHANGED;
    PORT_KIND: "port-kind", "a port that is initialized is of a kind that exists", MADE;
    OWNER_GONE: "owner-gone", "the owner of a port is in the list of processes",
        "the process exited and something keeps its port";
    CLOSED_BY_OWNER: "closed-by-owner", "a port that its owner closed has the state of a closed one",
        "the port is being closed";
    INFO_MISSING: "info-missing", "a port has a communication info", MADE;
    INFO_WRONG: "info-wrong", "the communication info of a port names this port in the place of its kind",
        "one of the two is damaged or was freed";
    UNEXPECTED_SERVER: "unexpected-server", "a well-known port belongs to the process that has it in Windows",
        "a program that takes the place of a server, or one that serves it in a version of Windows not known here";
    CONNECTION_LIST: "connection-list", "the links of a port's list of connections lead back", CHANGED;
    CONNECTION_WRONG: "connection-wrong", "a connection names the connection port in whose list it is",
        "one of the two is damaged";
    END_WRONG: "end-wrong", "both ends of a connection name its communication info",
        "the two ends disagree on their connection";
    QUEUE_LINKS: "queue-links", "the links of each queue of messages lead back", CHANGED;
    QUEUE_LENGTH: "queue-length", "a port counts as many messages as each of its queues holds",
        "the queue was changed while the dump was written";
    QUEUE_PORT: "queue-port", "a message in a queue names the port of the queue", MOVED;
    QUEUE_TYPE: "queue-type", "a message in a queue has the type of the queue", MOVED;
    NOT_IN_QUEUE: "not-in-queue", "a message that says it is in a queue is in it", MOVED;
    LENGTHS: "lengths", "the length of a message is that of its data and of its header", "the message is damaged";
    WAIT_QUEUE_LINKS: "wait-queue-links", "the links of a port's list of waiting threads lead back", CHANGED;
    WAIT_QUEUE_LENGTH: "wait-queue-length", "a port counts as many waiting threads as its list holds",
        "a thread is about to wait or to wake";
    RESOURCE_LINKS: "resource-links", "the links of a port's resources, their regions and views lead back", CHANGED;
    COMPLETION_PORT_LINKS: "completion-port-links", "the links of a completion port's list of threads lead back",
        CHANGED;
    PROCESS_LINKS: "process-links", "the links of the list of processes lead back", CHANGED;
    THREAD_LINKS: "thread-links", "the links of each process's list of threads lead back", CHANGED;
    IRP_LINKS: "irp-links", "the links of each thread's list of I/O requests lead back", CHANGED;
    MODULE_LINKS: "module-links", "the links of the list of loaded modules lead back", CHANGED;
    LOCK_LINKS: "lock-links", "the links of the list of executive resources lead back", CHANGED;
    HANDLE_TABLE: "handle-table", "each process has a handle table of its own, whose pages are all there, each once",
        "the table was changed while the dump was written, or is damaged";
    UNLISTED: "unlisted", "a port that a handle or a name leads to is in the kernel's list of ports",
        "the port was taken off the list: it is being made or deleted, or hidden";
    HANDLE_COUNT: "handle-count", "a handle leads to each port that counts handles",
        "its process is going away, or a handle table is damaged";
}
