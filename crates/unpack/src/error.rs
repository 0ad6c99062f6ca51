//! Why nothing comes out.

use std::io;
use std::path::PathBuf;

use crate::form::Form;

/// Why a packed file gives no dump.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UnpackError {
    /// The system failed to read the file.
    #[error("{}: {source}", path.display())]
    Io {
        /// The packed file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// What it holds cannot be unpacked to its end.
    #[error("{}: {form} that cannot be unpacked: {why}", path.display())]
    Damaged {
        /// The packed file.
        path: PathBuf,
        /// Its form.
        form: Form,
        /// What its decoder says.
        why: String,
    },
    /// It needs what is not here.
    #[error("{}: {form} that is not unpacked here: {why}", path.display())]
    Foreign {
        /// The packed file.
        path: PathBuf,
        /// Its form.
        form: Form,
        /// What it needs.
        why: String,
    },
    /// No file in it, or more than one, may be the dump.
    #[error("{}: {form} of which no one file is the dump: {among}; unpack it and name the dump", path.display())]
    NotOne {
        /// The packed file.
        path: PathBuf,
        /// Its form.
        form: Form,
        /// What is in it.
        among: String,
    },
    /// What comes out cannot be written.
    #[error("{source}")]
    Out {
        /// What the writer says.
        source: io::Error,
    },
}
