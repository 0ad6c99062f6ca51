//! Frames, and how they were found.

#[cfg(feature = "schema")]
use schemars::JsonSchema;
#[cfg(feature = "serde")]
use serde::Serialize;

use crate::image::schema::schema_as_text;
use crate::image::value::Addr;
use crate::stack::names::Function;

/// How a frame was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FoundFrame {
    /// By the frame that a switch to another thread leaves on the stack.
    SwitchFrame,
    /// By the registers that the dump holds of the processor.
    Context,
    /// By unwind data of the function that it called.
    Unwound,
    /// By the trap frame of a system call, a fault or an interrupt.
    TrapFrame,
    /// By the chain of saved frame pointers.
    FramePointer,
    /// By a look at each word of the stack: it may be left from an earlier call.
    Scanned,
}

impl FoundFrame {
    /// Whether it may be left from an earlier call.
    #[must_use]
    pub fn is_scanned(self) -> bool {
        self == Self::Scanned
    }

    /// The stable name of it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::SwitchFrame => "switch-frame",
            Self::Context => "context",
            Self::Unwound => "unwound",
            Self::TrapFrame => "trap-frame",
            Self::FramePointer => "frame-pointer",
            Self::Scanned => "scanned",
        }
    }
}

#[cfg(feature = "serde")]
impl Serialize for FoundFrame {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

schema_as_text!(
    FoundFrame,
    "How the frame was found: switch-frame, context, unwound, trap-frame, frame-pointer; scanned says that it may be left from \
     an earlier call."
);

/// A frame of a stack.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct Frame {
    /// The stack pointer in the function, before it called the one inside of it; on x86 the frame pointer.
    pub child_sp: Addr,
    /// Where the function goes on.
    pub address: Addr,
    /// File name of its module, without the extension; none where the address is in none that is known.
    pub module: Option<String>,
    /// Bytes from where the module begins.
    pub module_offset: Option<u64>,
    /// The function, where symbols or exports name it.
    pub function: Option<Function>,
    /// How it was found.
    pub found: FoundFrame,
    /// The trap frame that leads out of the function.
    pub trap_frame: Option<Addr>,
    /// Whether the code before a return address that was scanned calls; not known where its bytes are not in the dump.
    pub follows_call: Option<bool>,
}

impl Frame {
    /// The function without the offset in it, which differs from build to build; module and offset where it has no name.
    #[must_use]
    pub fn function_name(&self) -> String {
        match (&self.module, &self.function) {
            (Some(module), Some(function)) => format!("{module}!{}", function.name),
            _ => self.site(),
        }
    }

    /// The same on every machine: without an offset also where no name is known, then the module alone.
    #[must_use]
    pub fn stable_name(&self) -> Option<String> {
        match (&self.module, &self.function) {
            (Some(_), Some(_)) => Some(self.function_name()),
            (Some(module), None) => Some(module.clone()),
            (None, _) => None,
        }
    }

    /// The place as the debugger has it: `nt!KiSwapContext+0x76`, `afd+0x1234`, or the bare address.
    #[must_use]
    pub fn site(&self) -> String {
        match (&self.module, &self.function, self.module_offset) {
            (Some(module), Some(function), _) if function.offset == 0 => {
                format!("{module}!{}", function.name)
            }
            (Some(module), Some(function), _) => {
                format!("{module}!{}+0x{:x}", function.name, function.offset)
            }
            (Some(module), None, Some(offset)) => format!("{module}+0x{offset:x}"),
            _ => format!("0x{}", self.address),
        }
    }
}
