//! Windows kernel crash dumps: file formats, physical pages, page tables, virtual reads.
//!
//! A [`Dump`] knows its header and which page frames its file holds. An [`AddressSpace`] is a dump seen
//! through one set of page tables, and a [`Cursor`] reads it:
//!
//! ```no_run
//! use kdump::Dump;
//!
//! let dump = Dump::open("memory.dmp".as_ref())?;
//! let cursor = dump.kernel_space().cursor();
//! if let Some(head) = dump.header().ps_active_process_head {
//!     println!("the first process is linked at {}", cursor.pointer(head)?);
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Nothing in a file is trusted: counts and offsets are checked against the length of the file before they are
//! used, opening takes time and memory in proportion to the *index* of pages in the file, not to the pages,
//! and a read gives the right bytes or says which byte it could not read and why.
#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unwrap_used
    )
)]

mod dump;
mod file;
mod kernel;
mod memory;
mod value;

pub use dump::contents::Coverage;
pub use dump::debugger_data::{DebuggerData, DebuggerDataError};
pub use dump::error::OpenError;
pub use dump::header::{DumpKind, Header};
pub use dump::note::{Lost, Note};
pub use dump::secondary::{
    SecondaryBlob, SecondaryData, SecondaryEnd, Trailing, behind_memory, secondary_data,
};
pub use dump::triage::{Triage, TriageModule};
pub use dump::{Dump, OpenOptions, file_kind};
pub use file::identify::{FileClass, FileKind};
pub use kernel::image::{BaseSource, ImageError, KernelImage, Rsds, image_at};
pub use kernel::{BaseAttempt, BaseError, KernelImageError, debugger_data, kernel_image};
pub use memory::cursor::{Cursor, Partial};
pub use memory::error::{FrameError, FrameUse, NotPresentKind, PhysicalError, ReadError, TranslateError};
pub use memory::page::{FileOffset, MAX_BYTES, PageRun};
pub use memory::paging::{Level, PageSize, Paging, Translation};
pub use memory::physical::{Known, PageError, PhysicalMemory};
pub use memory::space::{AddressSpace, Gone, Piece, Whereabouts};
pub use memory::unicode::UnicodeString;
pub use value::address::{Gpa, Gva, Pfn};
pub use value::machine::{BugCheck, ContextRecord, ExceptionRecord, Machine};
pub use value::time::{FileTime, TimeSpan};
