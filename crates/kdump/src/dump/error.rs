//! Why a dump cannot be opened.

use std::io;
use std::path::PathBuf;

use crate::dump::header::DumpKind;
use crate::file::identify::FileClass;
use crate::value::machine::Machine;

/// Why a file cannot be opened as a dump. Every variant names the file, and its text what to do next.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The system refused to open or to read the file.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is nothing of that name.
    #[error("{}: {source}", path.display())]
    NotFound {
        /// The path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The path is a link, and what it leads to cannot be reached.
    #[error("{}: is a link to {}, which cannot be reached: {source}", path.display(), target.display())]
    BrokenLink {
        /// The link.
        path: PathBuf,
        /// What it says.
        target: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file may not be read.
    #[error("{}: {source}; read it as a user who may", path.display())]
    PermissionDenied {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The path names a folder.
    #[error("{}: is a folder, not a dump; name the dump file in it", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
    },
    /// The path names a device, a pipe or another thing without a length.
    #[error("{}: is not a regular file; copy the dump to a file first", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// The file has no bytes.
    #[error("{}: is empty; copy the dump again", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The file does not begin as a kernel dump does.
    #[error("{}: is {found}, not a kernel crash dump; {next}", path.display())]
    NotADump {
        /// The file.
        path: PathBuf,
        /// What it is.
        class: FileClass,
        /// What it seems to be in words, with its article: `a gzip file`.
        found: String,
        /// What to do about it.
        next: String,
    },
    /// The file holds memory of a machine, and no kernel of Windows was found in it.
    #[error(
        "{}: no Windows kernel was found in it ({kind}): {tried}; name its page tables with --dtb, or check that the \
         machine ran Windows",
        path.display()
    )]
    NoKernel {
        /// The file.
        path: PathBuf,
        /// The kind of file.
        kind: DumpKind,
        /// What was tried.
        tried: String,
    },
    /// The file ends inside its header.
    #[error(
        "{}: ends after {len} bytes, inside the dump header of {need} bytes; copy the dump again",
        path.display()
    )]
    HeaderCut {
        /// The file.
        path: PathBuf,
        /// Its length in bytes.
        len: u64,
        /// The length of the header in bytes.
        need: u64,
    },
    /// A dump of a processor architecture that cannot be read.
    #[error(
        "{}: is a {kind} of {machine}, a machine that is not supported; x64 (0x8664), x86 (0x14c) and ARM64 (0xaa64) \
         are",
        path.display()
    )]
    UnsupportedMachine {
        /// The file.
        path: PathBuf,
        /// The machine of its header.
        machine: Machine,
        /// The kind of its header.
        kind: DumpKind,
    },
    /// A kind of dump that cannot be read.
    #[error(
        "{}: is a {kind} of {machine}, a kind that is not supported; kinds 1 to 6, 8, 9 and 0xa are",
        path.display()
    )]
    UnsupportedKind {
        /// The file.
        path: PathBuf,
        /// The machine of its header.
        machine: Machine,
        /// The kind of its header.
        kind: DumpKind,
    },
    /// The file ends inside its index of pages, so that no page of it can be found.
    #[error(
        "{}: ends after {len} bytes, inside its index of pages, which needs {need}; copy the dump again",
        path.display()
    )]
    IndexCut {
        /// The file.
        path: PathBuf,
        /// Its length in bytes.
        len: u64,
        /// The length in bytes that would hold the index.
        need: u64,
    },
    /// The index of pages contradicts itself.
    #[error("{}: its index of pages cannot be right: {reason}; the dump is damaged, copy it again", path.display())]
    BadIndex {
        /// The file.
        path: PathBuf,
        /// The contradiction, with its numbers.
        reason: String,
    },
}

impl OpenError {
    /// The stable name of this error, for machines: kebab-case, never changed once released.
    pub fn id(&self) -> &'static str {
        match self {
            OpenError::Io { .. } => "io",
            OpenError::NotFound { .. } => "not-found",
            OpenError::BrokenLink { .. } => "broken-link",
            OpenError::PermissionDenied { .. } => "permission-denied",
            OpenError::Folder { .. } => "folder",
            OpenError::NotAFile { .. } => "not-a-file",
            OpenError::Empty { .. } => "empty-file",
            // What is a dump all the same, or is to become one.
            OpenError::NotADump {
                class: class @ (FileClass::Compressed | FileClass::LfsPointer | FileClass::Zeros),
                ..
            } => class.name(),
            OpenError::NotADump { .. } => "not-a-dump",
            OpenError::NoKernel { .. } => "no-kernel",
            OpenError::HeaderCut { .. } => "header-cut",
            OpenError::UnsupportedMachine { .. } => "unsupported-machine",
            OpenError::UnsupportedKind { .. } => "unsupported-kind",
            OpenError::IndexCut { .. } => "index-cut",
            OpenError::BadIndex { .. } => "bad-index",
        }
    }
}
