//! Where symbols came from.

use std::fmt;
use std::path::{Path, PathBuf};

/// Which kind of source symbols came from, and where it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Origin {
    /// A PDB file, or bytes given under that name.
    Pdb {
        /// The file.
        path: PathBuf,
    },
    /// An ISF table of Volatility.
    Isf {
        /// The file.
        path: PathBuf,
    },
    /// A pack of what a contract resolved to.
    Pack {
        /// The file.
        path: PathBuf,
    },
    /// The layouts that come with the program.
    BuiltIn {
        /// The version of the image that they are of.
        version: String,
    },
}

impl Origin {
    /// The file that the table was read from, if it was.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Pdb { path } | Self::Isf { path } | Self::Pack { path } => Some(path),
            Self::BuiltIn { .. } => None,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pdb { path } => write!(f, "PDB {}", path.display()),
            Self::Isf { path } => write!(f, "ISF table {}", path.display()),
            Self::Pack { path } => write!(f, "layout pack {}", path.display()),
            Self::BuiltIn { version } => write!(f, "built-in layouts of {version}"),
        }
    }
}
