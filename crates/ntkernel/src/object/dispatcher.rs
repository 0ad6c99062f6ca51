//! The objects that threads can wait for, by the number of their type.

#[cfg(feature = "serde")]
use serde::{Serialize, Serializer};

use crate::image::schema::schema_as_text;

/// `_DISPATCHER_HEADER.Type`, by the kernel's `_KOBJECTS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitObjectKind(pub u8);

impl WaitObjectKind {
    /// A mutant.
    pub const MUTANT: Self = Self(2);
    /// A process, which is waited for until it ends.
    pub const PROCESS: Self = Self(3);
    /// A semaphore.
    pub(crate) const SEMAPHORE: Self = Self(5);
    /// A queue of work.
    pub(crate) const QUEUE: Self = Self(4);
    /// A thread, which is waited for until it ends.
    pub const THREAD: Self = Self(6);
    /// A queue that wakes the thread of the highest priority: since Windows 8.
    pub(crate) const PRIORITY_QUEUE: Self = Self(21);

    /// Whether it is an event: of notification, or of synchronization.
    pub fn is_event(self) -> bool {
        self.0 <= 1
    }

    /// The debugger's name; none for a number that nothing can wait for.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        Some(match self.0 & 0x7f {
            0 => "NotificationEvent",
            1 => "SynchronizationEvent",
            2 => "Mutant",
            3 => "ProcessObject",
            4 => "QueueObject",
            5 => "Semaphore",
            6 => "Thread",
            7 => "Gate",
            8 => "NotificationTimer",
            9 => "SynchronizationTimer",
            // From Windows 8 on; before that nothing could wait for what had these numbers.
            21 => "PriQueueObject",
            24 => "Timer2NotificationObject",
            25 => "Timer2SynchronizationObject",
            _ => return None,
        })
    }
}

#[cfg(feature = "serde")]
impl Serialize for WaitObjectKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.name() {
            Some(name) => serializer.serialize_str(name),
            None => serializer.collect_str(&format_args!("0x{:02X}", self.0)),
        }
    }
}

schema_as_text!(
    WaitObjectKind,
    "The kind of a dispatcher object, as Semaphore; 0xNN for a number without a name."
);
