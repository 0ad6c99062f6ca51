//! Why symbols cannot be read.

use std::io;
use std::path::PathBuf;

use crate::lookalike::Lookalike;

/// Why a symbol file cannot be used. Every variant names the file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SymbolError {
    /// The operating system refused.
    #[error("{}: cannot be read: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The path is a folder, a pipe or a device where a file is needed.
    #[error("{}: is not a regular file", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// The file has no bytes.
    #[error("{}: the file is empty", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The file is something else.
    #[error("{}: the file is {found}", path.display())]
    NotPdb {
        /// The file.
        path: PathBuf,
        /// What it is.
        found: Lookalike,
    },
    /// The file is shorter than its own header says.
    #[error("{}: the PDB is truncated: {actual} bytes of {expected}", path.display())]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Bytes by its header.
        expected: u64,
        /// Bytes there are.
        actual: u64,
    },
    /// The file contradicts itself.
    #[error("{}: the PDB is corrupt: {part}: {detail}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// The part of the format in which it does.
        part: &'static str,
        /// What is wrong with it.
        detail: String,
    },
    /// A file that holds symbols in another form than a PDB's contradicts itself.
    #[error("{}: the {kind} is damaged: {detail}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What it is.
        kind: &'static str,
        /// What is wrong with it.
        detail: String,
    },
    /// A file of a kind that this build was made without: see the features of the crate.
    #[error("{}: is {kind}, which this build does not read; expand it first", path.display())]
    LeftOut {
        /// The file.
        path: PathBuf,
        /// What it is, with its article.
        kind: &'static str,
    },
    /// A file with packs of several kernels, where it is not known which one is wanted.
    #[error("{}: has packs of {kernels} kernels, and serves where a dump says which of them it is of", path.display())]
    ManyKernels {
        /// The file.
        path: PathBuf,
        /// How many.
        kernels: usize,
    },
    /// A table of nothing but what a contract asks for is asked for a whole type.
    #[error("{origin}: holds only the fields that the views need, and no whole types")]
    NoWholeTypes {
        /// The table.
        origin: String,
    },
    /// The file is sound and lacks a part that is needed.
    #[error("{}: the PDB has no {part}", path.display())]
    Lacks {
        /// The file.
        path: PathBuf,
        /// What it lacks.
        part: &'static str,
    },
}

impl SymbolError {
    /// A stable kebab-case name of the cause.
    #[must_use]
    pub fn id(&self) -> &'static str {
        match self {
            Self::Io { .. } => "symbols-io",
            Self::NotAFile { .. } => "symbols-not-a-file",
            Self::Empty { .. } => "symbols-empty",
            Self::NotPdb { found, .. } => found.id(),
            Self::Truncated { .. } => "pdb-truncated",
            Self::Corrupt { .. } => "pdb-corrupt",
            Self::Damaged { .. } => "symbols-damaged",
            Self::LeftOut { .. } => "symbols-left-out",
            Self::ManyKernels { .. } => "symbols-many-kernels",
            Self::NoWholeTypes { .. } => "symbols-no-whole-types",
            Self::Lacks { .. } => "pdb-lacks-part",
        }
    }
}
