//! Where a kernel's symbols may come from, and what the search for them came to.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use kdump::Gva;
use ntlayout::{Certainty, Identity, Layout, Looked, NotFound, Outcome, Place, Table};

use crate::locate::choice::{Choice, Unexplained};
use crate::port::contract::CONTRACT;
use crate::system::own;
use ntkernel::image::contract;

/// Where symbols may come from.
///
/// By default they are looked for where the debuggers look: in the symbol paths of the environment
/// (`_NT_ALT_SYMBOL_PATH`, `_NT_SYMBOL_PATH`), beside the dump, and in the user's cache folder; then among the layouts
/// that come with the crate. Nothing on a network is ever asked.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Symbols {
    /// Files, folders, stores or symbol paths that are looked at before all others.
    pub named: Vec<PathBuf>,
    /// Whether only symbols serve that have the identity (GUID and age) that the kernel's image names.
    pub exact_only: bool,
    /// Whether the first file that was named is used also when it is of another kernel.
    pub forced: bool,
}

impl Symbols {
    /// The same with one more file, folder, store or symbol path.
    #[must_use]
    pub fn named(mut self, place: impl Into<PathBuf>) -> Self {
        self.named.push(place.into());
        self
    }

    /// The same, where nothing but the kernel's own symbols will do.
    #[must_use]
    pub fn exact_only(mut self) -> Self {
        self.exact_only = true;
        self
    }

    /// The same, where the first file that was named is used also when it is of another kernel.
    #[must_use]
    pub fn forced(mut self) -> Self {
        self.forced = true;
        self
    }

    /// All places, in order.
    pub(crate) fn places(&self, dump: &Path) -> Vec<Place> {
        ntlayout::all_places(&self.named, dump)
    }
}

/// What the search for a kernel's symbols came to.
pub struct Chosen {
    /// The symbols in use: none, one table, or several: further ones of the kernel's own, or those that explain it
    /// equally well.
    pub tables: Vec<Table>,
    /// What the kernel's own say together, where they were found.
    pub(crate) own: Option<Layout>,
    /// Where the kernel's image begins.
    pub(crate) base: Option<Gva>,
    pub(crate) looked: Vec<Looked>,
    pub(crate) missed: Option<Arc<NotFound>>,
    pub(crate) certainty: Certainty,
    /// Why no layout was chosen by what the dump holds, where nothing else served.
    pub(crate) unexplained: Option<Arc<Unexplained>>,
    /// The layout that was.
    pub(crate) explained: Option<(Layout, Choice)>,
}

impl Chosen {
    /// Nothing yet.
    pub(crate) fn none() -> Self {
        Self {
            tables: Vec::new(),
            own: None,
            base: None,
            looked: Vec::new(),
            missed: None,
            certainty: Certainty::Exact,
            unexplained: None,
            explained: None,
        }
    }

    /// Whether any symbols serve.
    #[must_use]
    pub fn serves(&self) -> bool {
        self.explained.is_some() || (!self.tables.is_empty() && !self.is_useless())
    }

    /// Whether the kernel's own symbols were found, and the views have nothing to go by in them.
    fn is_useless(&self) -> bool {
        self.own.as_ref().is_some_and(own::is_useless)
    }

    /// Everything that was looked at, in order, before the symbols in use.
    #[must_use]
    pub fn looked(&self) -> &[Looked] {
        self.missed.as_ref().map_or(&self.looked, |missed| &missed.looked)
    }

    /// The files that were read, or looked for: of the symbols in use, and of those that are not.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        let looked = self.looked().iter().map(|looked| looked.path.as_path());
        let used = self.tables.iter().filter_map(|table| table.origin().path());
        looked.chain(used)
    }

    /// Whether a file with the kernel's own symbols was found.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.missed.is_none()
    }

    /// The kernel's own symbols, where they were found nowhere and a layout was chosen in their place.
    #[must_use]
    pub fn replaced(&self) -> Option<&Identity> {
        let missed = self.missed.as_ref()?;
        self.explained.is_some().then_some(&missed.wanted)
    }

    /// The symbol files that are there and cannot be used, where the kernel's own symbols were not found.
    #[must_use]
    pub fn unusable(&self) -> Vec<&Looked> {
        let unusable = |looked: &&Looked| {
            !matches!(
                looked.outcome,
                Outcome::Absent
                    | Outcome::NoSymbols
                    | Outcome::PassedOver
                    | Outcome::Packed(_)
                    | Outcome::Remote
            )
        };
        // A file that was named can be beside the dump as well.
        let mut seen = std::collections::HashSet::new();
        let mut is_new = |looked: &&Looked| {
            // Even this would follow a link.
            let is_followed = !matches!(looked.outcome, Outcome::LeadsOut(_));
            let path = is_followed.then(|| looked.path.canonicalize().ok()).flatten();
            seen.insert(path.unwrap_or_else(|| looked.path.clone()))
        };
        let missed = self.missed.iter().flat_map(|missed| &missed.looked);
        missed.filter(unusable).filter(|looked| is_new(looked)).collect()
    }

    /// Whether the kernel's own symbols were found and lack types.
    #[must_use]
    pub fn lacks_types(&self) -> bool {
        let lacks = |own: &Layout| !own.filled().is_empty() || !contract::stripped(&CONTRACT, own).is_empty();
        self.own.as_ref().is_some_and(lacks)
    }
}
