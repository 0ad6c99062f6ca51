//! Windows kernel crash dumps: file formats, physical pages, page tables, virtual reads.
//!
//! A [`Dump`] knows its header and which page frames its file holds. An [`AddressSpace`] is a dump seen
//! through one set of page tables, and a [`Cursor`] reads it:
//!
//! ```
//! use kdump::Dump;
//!
//! # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/vista-sp2-x64.dmp");
//! let dump = Dump::open(path.as_ref())?;
//! println!("{} of {}", dump.header().kind, dump.header().machine);
//!
//! let cursor = dump.kernel_space().cursor();
//! let head = dump.header().ps_active_process_head.ok_or("the header names no list of processes")?;
//! println!("the first process is linked at {}", cursor.pointer(head)?);
//!
//! // What is not in the dump is an error with its reason, and never zeros.
//! let error = cursor.u64(kdump::Gva::new(0xffff_8000_dead_0000)).unwrap_err();
//! assert_eq!(error.id(), "not-present");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Page tables are walked over anything that implements [`PhysicalMemory`]: a crash dump is one.
//!
//! Nothing in a file is trusted: counts and offsets are checked against the length of the file before they are
//! used, opening takes time and memory in proportion to the *index* of pages in the file, not to the pages,
//! and a read gives the right bytes or says which byte it could not read and why.
//!
//! Features: `serde`, on by default, writes the records as JSON; `schema` describes them for `schemars`.
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

mod container;
mod dump;
mod file;
mod find;
mod image;
mod kernel;
mod memory;
mod value;

pub use container::processor::Processor;
pub use dump::coverage::Coverage;
pub use dump::debugger_data::{DebuggerData, DebuggerDataError};
pub use dump::error::OpenError;
pub use dump::header::{DumpKind, Header};
pub use dump::image_file::ImageFile;
pub use dump::page_files::{EntryBits, LAST_PAGE_FILE, PageFiles, SoftwarePte};
pub use dump::secondary::{
    SecondaryBlob, SecondaryData, SecondaryEnd, Trailing, behind_memory, secondary_data,
};
pub use dump::triage::{Triage, TriageModule};
pub use dump::{Dump, OpenOptions, file_kind};
pub use file::identify::{FileClass, FileKind};
pub use file::source::FileFailure;
pub use image::{BaseSource, ImageError, KernelImage, Rsds, image_at};
pub use kernel::{BaseAttempt, BaseError, KernelImageError, debugger_data, kernel_image, kernel_stamp};
pub use memory::cursor::{Cursor, Partial};
pub use memory::error::{FrameError, FrameUse, NotPresentKind, PhysicalError, ReadError, TranslateError};
pub use memory::inverse::{Mapped, MappedEnd};
pub use memory::page::{FileOffset, MAX_BYTES, PageRun};
pub use memory::paging::{Level, PageSize, Paging, Translation};
pub use memory::physical::{Known, PageError, PhysicalMemory};
pub use memory::space::{AddressSpace, Gone, Piece, Whereabouts};
pub use memory::unicode::UnicodeString;
pub use value::addr::Addr;
pub use value::address::{Gpa, Gva, Pfn};
pub use value::bug_check::{name as bug_check_name, parameters as bug_check_parameters};
pub use value::image_format::ImageFormat;
pub use value::machine::{BugCheck, ContextRecord, ExceptionRecord, Machine};
pub use value::note::{Lost, Note};
pub use value::progress::Progress;
pub use value::release::name as release_name;
pub use value::time::{FileTime, TimeSpan};
