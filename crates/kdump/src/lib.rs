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

mod cache;
mod cursor;
mod dump;
mod error;
mod filler;
mod header;
mod header32;
mod hex;
mod identify;
mod image;
mod index;
mod kdbg;
mod kernel;
mod le;
mod level;
mod levels;
mod map;
mod notes;
mod page;
mod paging;
mod secondary;
mod source;
mod space;
mod time;
mod triage;
mod unicode;

pub use kdmp_parser::gxa::{Gpa, Gva, Gxa};
pub use kdmp_parser::pxe::Pfn;

pub use cursor::{Cursor, Partial};
pub use dump::{Coverage, Dump, FileOffset, MAX_BYTES, OpenOptions, file_kind};
pub use error::{FrameError, FrameUse, NotPresentKind, OpenError, PhysicalError, ReadError, TranslateError};
pub use header::{BugCheck, ContextRecord, DumpKind, ExceptionRecord, Header, Machine};
pub use identify::{FileClass, FileKind};
pub use image::{BaseSource, ImageError, KernelImage, Rsds, image_at};
pub use kdbg::{DebuggerData, DebuggerDataError, debugger_data};
pub use kernel::{BaseAttempt, BaseError, KernelImageError, kernel_image};
pub use notes::{Lost, Note};
pub use page::PageRun;
pub use paging::{Level, PageSize, Translation};
pub use secondary::{SecondaryBlob, SecondaryData, SecondaryEnd, Trailing, behind_memory, secondary_data};
pub use space::{AddressSpace, Gone, Piece, Whereabouts};
pub use time::{FileTime, TimeSpan};
pub use triage::{Triage, TriageModule};
pub use unicode::UnicodeString;
