//! Why there is no kernel to be walked in a dump.

use std::path::PathBuf;
use std::sync::Arc;

use kdump::{Gva, KernelImageError, OpenError};
use ntlayout::{Certainty, NotFound, Origin, SymbolError};

use crate::locate::choice::Unexplained;

/// Why there is no kernel to be walked in a dump. Clones share what they hold.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SystemError {
    /// The file cannot be opened as a dump.
    #[error(transparent)]
    Open(Arc<OpenError>),
    /// The kernel's image was not found, and no layout explains what the dump holds.
    #[error("{}: {source}; {}", path.display(), tried(unexplained.as_deref()))]
    NoKernel {
        /// The dump.
        path: PathBuf,
        /// What became of every way to it.
        source: KernelImageError,
        /// Why the layouts that come with the crate do not serve; none when they were not to be tried.
        unexplained: Option<Arc<Unexplained>>,
    },
    /// The kernel's image does not say which symbols it wants, and none at hand fit.
    #[error(
        "{}: the kernel image at {base} has no readable debug record{}, and no symbols at hand have its variables \
         where they are; {}", path.display(), why(codeview_error), tried(unexplained.as_deref())
    )]
    Unidentified {
        /// The dump.
        path: PathBuf,
        /// Where the image begins.
        base: Gva,
        /// Why its debug record cannot be read; none when it has none.
        codeview_error: Option<Box<kdump::ImageError>>,
        /// As of [`NoKernel`](Self::NoKernel).
        unexplained: Option<Arc<Unexplained>>,
    },
    /// The kernel's symbols were found nowhere, and no layout explains what the dump holds.
    #[error("{}: {missed}; {}", path.display(), tried(unexplained.as_deref()))]
    NoSymbols {
        /// The dump.
        path: PathBuf,
        /// What was wanted and where it was looked for.
        missed: Arc<NotFound>,
        /// As of [`NoKernel`](Self::NoKernel).
        unexplained: Option<Arc<Unexplained>>,
    },
    /// The kernel's own symbols were found and have no types, as some PDBs of Microsoft's server.
    #[error("{}: {origin} is of this kernel and has no types; {}", path.display(), tried(unexplained.as_deref()))]
    WithoutTypes {
        /// The dump.
        path: PathBuf,
        /// The symbols.
        origin: Origin,
        /// As of [`NoKernel`](Self::NoKernel).
        unexplained: Option<Arc<Unexplained>>,
    },
    /// Symbols would serve, and only those that the kernel names are allowed.
    #[error("{}: {origin} would serve, {certainty}, and is not what the kernel names", path.display())]
    NotExact {
        /// The dump.
        path: PathBuf,
        /// The symbols.
        origin: Origin,
        /// How sure they are.
        certainty: Certainty,
    },
    /// Symbols of another kernel are to be used, and no file was named.
    #[error("{}: symbols are to be forced, and none of the places that were named is a file", path.display())]
    NothingToForce {
        /// The dump.
        path: PathBuf,
    },
    /// Symbols serve that have no whole types.
    #[error(
        "{origin} serve, {certainty}: they have no whole types, and cannot be packed as the kernel's own"
    )]
    NoWholeTypes {
        /// The symbols.
        origin: Origin,
        /// How sure they are.
        certainty: Certainty,
    },
    /// A symbol file contradicts itself.
    #[error(transparent)]
    Symbols(Arc<SymbolError>),
    /// Several symbol tables fit and agree on nothing.
    #[error("the kernel's symbols have no common layout")]
    NoCommonLayout,
}

impl SystemError {
    /// The stable name of this error, for machines: kebab-case, never changed once released.
    #[must_use]
    pub fn id(&self) -> &'static str {
        match self {
            Self::Open(error) => error.id(),
            Self::NoKernel { source, .. } => source.id(),
            Self::Unidentified { .. } => "no-kernel-identity",
            Self::NoSymbols { .. } | Self::NothingToForce { .. } | Self::NoCommonLayout => "no-symbols",
            Self::WithoutTypes { .. } => "symbols-without-types",
            Self::NotExact { .. } | Self::NoWholeTypes { .. } => "symbols-not-exact",
            Self::Symbols(error) => error.id(),
        }
    }
}

impl From<OpenError> for SystemError {
    fn from(error: OpenError) -> Self {
        Self::Open(Arc::new(error))
    }
}

impl From<SymbolError> for SystemError {
    fn from(error: SymbolError) -> Self {
        Self::Symbols(Arc::new(error))
    }
}

fn tried(unexplained: Option<&Unexplained>) -> String {
    unexplained.map_or_else(
        || "the built-in layouts were not tried, as only the kernel's own symbols will do".to_owned(),
        ToString::to_string,
    )
}

fn why(error: &Option<Box<kdump::ImageError>>) -> String {
    error
        .as_ref()
        .map(|error| format!(" ({error})"))
        .unwrap_or_default()
}
