//! Kernel stacks of threads: which functions a thread is in.
//!
//! An x64 stack is walked as the processor's calling convention has it: by the unwind data of the images in the dump's
//! own memory, read page by page, so that a page that is missing ends the walk there and says so. Each [`Frame`] says how
//! it was found ([`FoundFrame`]); what a scan of the stack shows stands apart, in [`Stack::scanned`], and never follows
//! silently. Stacks of x86 and of ARM64 are walked by the chains of their frame pointers.

mod arguments;
mod doing;
mod frame;
pub mod image;
pub mod names;
pub mod registers;
mod scan;
mod unwind;
mod walk;

pub use arguments::arguments;
pub use doing::{Doing, doing};
pub use frame::{FoundFrame, Frame};
pub use names::Function;
pub use walk::{CertainFrames, CertainStack, Stack, Stacks};
