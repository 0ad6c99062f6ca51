//! Threads that are known without any list of the system's, and what led to each: see [`roots`](crate::process::roots).

use std::collections::HashSet;
use std::fmt;

use kdump::Gva;
#[cfg(feature = "schema")]
use schemars::JsonSchema;
#[cfg(feature = "serde")]
use serde::Serialize;

/// What led to a thread, or to its process, that the system's list of them does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(feature = "serde", serde(tag = "kind", rename_all = "kebab-case"))]
pub enum FoundBy {
    /// The thread is the one that crashed, as the dump itself says.
    Crashed,
    /// A processor runs the thread.
    Current {
        /// The processor.
        processor: u32,
    },
    /// A processor is about to run the thread.
    Next {
        /// The processor; `null` in a triage dump, which holds only that of the thread that crashed.
        processor: Option<u32>,
    },
    /// The thread is the one that a processor runs when it has nothing else to do.
    Idle {
        /// The processor; `null` in a triage dump, which holds only that of the thread that crashed.
        processor: Option<u32>,
    },
}

/// What the thread is: `the thread that crashed`.
impl fmt::Display for FoundBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Crashed => f.write_str("the thread that crashed"),
            Self::Current { processor } => write!(f, "the thread that processor {processor} runs"),
            Self::Next {
                processor: Some(number),
            } => {
                write!(f, "the thread that processor {number} runs next")
            }
            Self::Next { processor: None } => f.write_str("the thread that runs next where it crashed"),
            Self::Idle {
                processor: Some(number),
            } => write!(f, "the idle thread of processor {number}"),
            Self::Idle { processor: None } => f.write_str("the idle thread of the processor that crashed"),
        }
    }
}

/// A thread that is known without a list.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Root {
    pub thread: Gva,
    pub(crate) process: Gva,
    pub(crate) found_by: FoundBy,
}

/// The threads that are known without lists, and their processes.
#[derive(Clone, Debug, Default)]
pub struct Roots {
    pub(crate) threads: Vec<Root>,
    /// Each process once, by the first thread that led to it.
    pub processes: Vec<(Gva, FoundBy)>,
    /// The process that owns the idle threads: it is in no list of processes, nor are they in its own.
    pub(crate) idle_process: Option<Gva>,
    /// The threads that processors run when they have nothing else to do, whatever led to them first.
    pub(crate) idle_threads: HashSet<Gva>,
}
