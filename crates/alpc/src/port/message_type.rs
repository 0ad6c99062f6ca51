//! Types of messages.

use std::fmt;

#[cfg(feature = "serde")]
use serde::{Serialize, Serializer};

use ntkernel::image::schema::schema_as_text;

/// What a message is, from the low byte of its type word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageType(pub u8);

impl MessageType {
    /// The type in the low byte of a type word.
    #[must_use]
    pub fn from_word(word: u16) -> Self {
        // Above it are flags: 2000 hex an answer is awaited, 4000 the server may not impersonate, 8000 sent by the
        // kernel. 2001 is an LPC_REQUEST like any other.
        Self(word.to_le_bytes()[0])
    }

    /// The debugger's name for the type; none for a number that has no name.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        // Names of LPC, which ALPC kept (phnt). A 13 is met in one source, for the connection reply of old LPC
        // calls; it has no name that a debugger prints.
        const NAMES: [&str; 12] = [
            "LPC_REQUEST",
            "LPC_REPLY",
            "LPC_DATAGRAM",
            "LPC_LOST_REPLY",
            "LPC_PORT_CLOSED",
            "LPC_CLIENT_DIED",
            "LPC_EXCEPTION",
            "LPC_DEBUG_EVENT",
            "LPC_ERROR_EVENT",
            "LPC_CONNECTION_REQUEST",
            "LPC_CONNECTION_REPLY",
            "LPC_CANCELED",
        ];
        NAMES.get(usize::from(self.0).checked_sub(1)?).copied()
    }
}

impl fmt::Display for MessageType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "0x{:02X}", self.0),
        }
    }
}

#[cfg(feature = "serde")]
impl Serialize for MessageType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

schema_as_text!(
    MessageType,
    "The name of a message type, as LPC_REQUEST; 0xNN for a number without one."
);
