//! One opened dump and the symbols of its kernel: where a program begins.

pub mod addresses;
mod asked;
mod error;
pub mod names;
pub mod own;
mod symbols;

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use crate::port::contract::CONTRACT;
use kdump::{Dump, Gva, KernelImage, KernelImageError, Machine};
use ntkernel::Kernel;
use ntkernel::image::contract;
use ntkernel::image::globals::Evidence;
use ntlayout::published::{self, Published};
use ntlayout::{Certainty, Found, Layout, Origin, Place, Processor, SymbolTable, Table, Version};

pub use self::asked::{Asked, Learned};
pub use self::error::SystemError;
use self::own::OwnSymbols;
pub use self::symbols::{Chosen, Symbols};
use crate::locate::choice::{self, Choice, Known, Unexplained};
use crate::locate::derived::published_kernel;

/// A dump, opened, with the symbols of its kernel. What takes time is looked for when it is first asked for, and once.
///
/// ```
/// use alpc::port::enumerate;
/// use alpc::{Symbols, System};
///
/// # let dump = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/vista-sp2-x64.dmp");
/// let system = System::open(dump.as_ref(), &Symbols::default())?;
/// let kernel = system.kernel()?;
/// println!("symbols: {}, {}", kernel.layout().origin(), kernel.layout().certainty());
/// for port in enumerate::ports(&kernel).ports {
///     println!("{port}");
/// }
/// # Ok::<(), alpc::SystemError>(())
/// ```
pub struct System {
    dump: Dump,
    places: Vec<Place>,
    exact_only: bool,
    /// The files that were named, of which the first is used whatever it is of.
    forced: Option<Vec<PathBuf>>,
    /// Where the kernel's image is; or that it was looked for in vain, which takes the longest.
    image: OnceLock<Result<KernelImage, KernelImageError>>,
    /// Which kernel it is.
    asked: OnceLock<Option<Asked>>,
    /// Which published kernels it can be, where the dump does not say which it is.
    candidates: OnceLock<Vec<(Published, u64)>>,
    /// What is published of it, or of all that it can be: each walk's kernel has it.
    common: OnceLock<Option<(Published, Evidence)>>,
    /// What the search for symbols came to, once it was asked for: some take longer to read than the dump.
    chosen: OnceLock<Result<Chosen, SystemError>>,
    /// Where the kernel begins and how it is laid out: looked for once, for all walks.
    layout: OnceLock<Result<Resolved, SystemError>>,
    /// All of the kernel's own symbols, where the first lack types and a whole type was asked for.
    own: OnceLock<Vec<Table>>,
    /// Symbols of other modules, by which those are named that their stacks go through.
    modules: names::Modules,
    /// Searches that were made, which take longer than most walks.
    #[cfg(test)]
    searches: std::sync::atomic::AtomicU32,
}

/// Where the kernel begins and how it is laid out.
struct Resolved {
    base: Gva,
    layout: Layout,
    /// Why it was chosen, where no symbols of the kernel were at hand.
    choice: Option<Choice>,
}

impl System {
    /// Opens a dump. Its symbols are looked for when they are first needed.
    ///
    /// # Errors
    /// [`SystemError::Open`]: the file cannot be opened as a dump.
    pub fn open(path: &Path, symbols: &Symbols) -> Result<Self, SystemError> {
        Ok(Self::of(Dump::open(path)?, symbols))
    }

    /// The system in a dump that is open already.
    #[must_use]
    pub fn of(dump: Dump, symbols: &Symbols) -> Self {
        Self {
            places: symbols.places(dump.path()),
            exact_only: symbols.exact_only,
            forced: symbols.forced.then(|| symbols.named.clone()),
            dump,
            image: OnceLock::new(),
            asked: OnceLock::new(),
            candidates: OnceLock::new(),
            common: OnceLock::new(),
            own: OnceLock::new(),
            modules: names::Modules::default(),
            chosen: OnceLock::new(),
            layout: OnceLock::new(),
            #[cfg(test)]
            searches: std::sync::atomic::AtomicU32::default(),
        }
    }

    /// The dump.
    pub fn dump(&self) -> &Dump {
        &self.dump
    }

    /// The kernel's image, found in the dump's memory.
    ///
    /// # Errors
    /// What became of every way to it.
    pub fn image(&self) -> Result<&KernelImage, &KernelImageError> {
        let image = self.image.get_or_init(|| {
            self.count_search();
            kdump::kernel_image(&self.dump)
        });
        image.as_ref()
    }

    fn count_search(&self) {
        #[cfg(test)]
        self.searches.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    }

    /// Which kernel it is, as far as the dump says so.
    pub fn asked(&self) -> Option<&Asked> {
        let asked = self
            .asked
            .get_or_init(|| Asked::of(&self.dump, self.image().ok()));
        asked.as_ref()
    }

    /// Looks for the kernel's symbols: its PDB or another table of the same identity in all places, then among
    /// the layouts that come with the crate. Where the kernel's image does not say which it wants, those are
    /// taken that have its variables where they are. Failing all of that, of the layouts that come with the
    /// crate those serve that explain what the dump holds.
    ///
    /// # Errors
    /// Nothing tells which kernel it is. That nothing serves is no error here: see [`Chosen::serves`].
    pub fn choose(&self) -> Result<&Chosen, SystemError> {
        let chosen = self.chosen.get_or_init(|| {
            self.count_search();
            match self.force().transpose() {
                Some(forced) => forced,
                None => self.search(),
            }
        });
        chosen.as_ref().map_err(Clone::clone)
    }

    /// The first file that was named, where it is to be used whatever it is of, and is not of this kernel for sure.
    fn force(&self) -> Result<Option<Chosen>, SystemError> {
        let Some(named) = &self.forced else {
            return Ok(None);
        };
        let file = named.iter().find(|path| path.is_file());
        let table = ntlayout::open(file.ok_or_else(|| SystemError::NothingToForce {
            path: self.dump.path().to_owned(),
        })?)?;
        let asked = self.asked().map(|asked| &asked.identity);
        if asked.is_some_and(|asked| table.belongs_to(asked.guid, asked.age)) {
            return Ok(None);
        }
        let base = match self.image() {
            Ok(image) => Some(image.base),
            Err(error) => error.base(),
        };
        let by_variables = addresses::base_by_table(&self.dump, &table).map(Gva::new);
        let base = base.or(by_variables).unwrap_or_default();
        let mut own = OwnSymbols::default();
        own.take(&table);
        // Structures change seldom, and variables are elsewhere after each update.
        let layout = own.layout().map(|layout| match by_variables == Some(base) {
            true => layout,
            false => layout.without_globals(&CONTRACT),
        });
        let chosen = self.completed(Chosen {
            tables: vec![table],
            own: layout,
            base: Some(base),
            ..Chosen::none()
        });
        let forced = |(layout, choice): (Layout, Choice)| (layout.with_certainty(Certainty::Forced), choice);
        Ok(Some(Chosen {
            certainty: Certainty::Forced,
            explained: chosen.explained.map(forced),
            ..chosen
        }))
    }

    fn search(&self) -> Result<Chosen, SystemError> {
        let image = self.image().ok();
        let base = image.map(|image| image.base);
        let Some(asked) = self.asked() else {
            return self.choose_by_addresses();
        };
        let wanted = asked.identity.clone();
        let base = base.or_else(|| self.image().err().and_then(KernelImageError::base));
        let by_addresses = || addresses::base_of(&self.dump, asked.published.as_ref()?).map(Gva::new);
        let base = base.or_else(by_addresses);
        let certainty = match asked.learned {
            Learned::DebugRecord => Certainty::Exact,
            Learned::ImageHeader | Learned::ModuleList => Certainty::Stamp,
        };
        let mut own = OwnSymbols::default();
        let found = ntlayout::find_enough(&wanted, &self.places, &mut |table| own.take(table));
        let missed = match found {
            Ok(Found { table, more, looked }) => {
                let tables = std::iter::once(table).chain(more);
                return Ok(self.completed(Chosen {
                    tables: tables.collect(),
                    own: own.layout(),
                    base,
                    looked,
                    certainty,
                    ..Chosen::none()
                }));
            }
            Err(missed) => missed,
        };
        let chosen = Chosen {
            tables: ntlayout::built_in(&wanted).into_iter().collect(),
            base,
            missed: Some(Arc::new(missed)),
            certainty,
            ..Chosen::none()
        };
        Ok(if chosen.serves() {
            chosen
        } else {
            self.choose_by_invariants(chosen)
        })
    }

    fn choose_by_addresses(&self) -> Result<Chosen, SystemError> {
        let image = self.image();
        let base = image.ok().map(|image| u64::from(image.base));
        let mut candidates = addresses::by_addresses(&self.dump, self.processor(), &self.places, base);
        let is_named = candidates
            .iter()
            .any(|candidate| candidate.table.origin().path().is_some());
        if !is_named && !self.add_others(&mut candidates) {
            candidates.clear();
        }
        let first = candidates.first().map(|candidate| candidate.base);
        // Symbols that put the image elsewhere contradict the first; none of them is proven then.
        let agree = candidates.iter().all(|candidate| Some(candidate.base) == first);
        if let (Some(first), true) = (
            first,
            agree && self.is_borne_out(first.unwrap_or_default(), &candidates),
        ) {
            let tables: Vec<Table> = candidates.into_iter().map(|candidate| candidate.table).collect();
            let mut own = OwnSymbols::default();
            if let [table] = tables.as_slice()
                && table.origin().path().is_some()
            {
                own.take(table);
            }
            return Ok(self.completed(Chosen {
                tables,
                own: own.layout(),
                base: Some(Gva::new(first)),
                certainty: Certainty::Addresses,
                ..Chosen::none()
            }));
        }
        let base = match image {
            Ok(image) => Some(image.base),
            Err(error) => error.base(),
        };
        let chosen = self.choose_by_invariants(Chosen {
            base,
            ..Chosen::none()
        });
        if chosen.serves() {
            return Ok(chosen);
        }
        let (path, unexplained) = (self.dump.path().to_owned(), chosen.unexplained);
        Err(match image {
            Ok(image) => SystemError::Unidentified {
                path,
                base: image.base,
                codeview_error: image.codeview_error.clone().map(Box::new),
                unexplained,
            },
            Err(error) => SystemError::NoKernel {
                path,
                source: error.clone(),
                unexplained,
            },
        })
    }

    /// Adds to the built-in symbols that fit the layouts that other kernels can have which fit as well. Of some it is not known.
    fn add_others(&self, candidates: &mut Vec<addresses::Candidate>) -> bool {
        let has = |candidates: &[addresses::Candidate], one: &Published| {
            let mut own = candidates
                .iter()
                .filter_map(|candidate| candidate.table.identity());
            own.any(|own| (own.guid, own.age) == (one.identity.guid, one.identity.age))
        };
        let mut origins: Vec<(Origin, u64)> = Vec::new();
        for (kernel, base) in self.candidates() {
            if has(candidates, kernel) {
                continue;
            }
            let bracketing = kernel
                .version
                .map(|version| ntlayout::bracketing(self.processor(), version));
            let Some(bracketing) = bracketing.filter(|origins| !origins.is_empty()) else {
                return false;
            };
            origins.extend(bracketing.into_iter().map(|origin| (origin, *base)));
        }
        if origins.is_empty() {
            return true;
        }
        for table in ntlayout::distinct_built_in(self.processor()) {
            let base = origins.iter().find(|(origin, _)| origin == table.origin());
            if let Some(&(_, base)) = base {
                candidates.push(addresses::Candidate { table, base });
            }
        }
        true
    }

    /// The published kernels whose variables are where the dump says, and where the image of each begins then, where the dump
    /// does not say which kernel it is.
    pub fn candidates(&self) -> &[(Published, u64)] {
        self.candidates.get_or_init(|| {
            if self.asked().is_some() {
                return Vec::new();
            }
            let base = self.image().ok().map(|image| u64::from(image.base));
            addresses::published(&self.dump, self.processor(), base)
        })
    }

    /// Whether the dump does not contradict those that have its variables where they are. Most kernels share the addresses of
    /// the header with another one, of which some have types of other sizes.
    fn is_borne_out(&self, base: u64, candidates: &[addresses::Candidate]) -> bool {
        let layouts = candidates
            .iter()
            .filter_map(|candidate| candidate.table.resolve(&CONTRACT).ok());
        let layouts: Vec<Layout> = layouts.collect();
        let choice = choice::choose(&self.dump, Gva::new(base), &layouts, &Known::default());
        match choice {
            Err(Unexplained::Contradicted { .. }) => false,
            Ok((_, choice)) => !choice.composed && choice.excluded.is_empty(),
            Err(_) => true,
        }
    }

    /// Fills what the kernel's own symbols lack by what the dump holds, and says of the rest that it is not told.
    fn completed(&self, mut chosen: Chosen) -> Chosen {
        let Some(own) = chosen.own.take() else {
            return chosen;
        };
        // How sure all is would suffer for what only some views show: that is not told then.
        let lacking = contract::stripped(&CONTRACT, &own);
        if contract::are_required(&CONTRACT, &lacking) && !self.exact_only {
            let base = chosen.base.unwrap_or_default();
            let candidates = own::candidates(&own, self.processor());
            match choice::choose(&self.dump, base, &candidates, &self.known()) {
                Ok((layout, choice)) => {
                    chosen.explained = Some((own::untold(layout), choice));
                    chosen.certainty = Certainty::Invariants;
                }
                Err(unexplained) => chosen.unexplained = Some(Arc::new(unexplained)),
            }
        }
        chosen.own = Some(own::untold(own));
        chosen
    }

    /// For which processor the kernel is: what the dump's page tables are made for.
    fn processor(&self) -> Processor {
        // ntkrla57.exe is the same kernel built for five levels of tables. Of all structures that matter only the
        // entries of handle tables differ, which need room for wider pointers (767 versions hold both files).
        let is_wide = || {
            let named = self.asked().and_then(Asked::processor);
            self.dump.kernel_space().address_bits() > 48 || named == Some(Processor::La57)
        };
        match self.dump.header().machine {
            Machine::Arm64 => Processor::Arm64,
            _ if self.dump.kernel_space().pointer_width() == 4 => Processor::X86,
            _ if is_wide() => Processor::La57,
            _ => Processor::X64,
        }
    }

    /// What is known of the kernel beside what its dump holds.
    fn known(&self) -> Known {
        // Of several that it can be, one whose version is not known may have any layout.
        let versions: Option<Vec<Version>> = match self.asked() {
            Some(asked) => asked.version().map(|version| vec![version]),
            None => self
                .candidates()
                .iter()
                .map(|(kernel, _)| kernel.version)
                .collect(),
        };
        let preferred = |version| ntlayout::bracketing(self.processor(), version);
        Known {
            preferred: versions.into_iter().flatten().flat_map(preferred).collect(),
            published: self.common().cloned(),
        }
    }

    /// What is published of this kernel, or of all that it can be.
    fn common(&self) -> Option<&(Published, Evidence)> {
        let common = self.common.get_or_init(|| match self.asked() {
            Some(asked) => Some((asked.published.clone()?, Evidence::Published)),
            None => {
                let kernels = self.candidates().iter().map(|(kernel, _)| kernel);
                Some((published::common(kernels)?, Evidence::PublishedAlike))
            }
        });
        common.as_ref()
    }

    /// Chooses among the layouts that come with the crate, unless only the kernel's own will do. Where nothing
    /// tells where the kernel's image begins, it is not needed: those have no globals.
    fn choose_by_invariants(&self, mut chosen: Chosen) -> Chosen {
        if self.exact_only {
            return chosen;
        }
        let base = chosen.base.unwrap_or_default();
        match self.explain(base) {
            Ok(explained) => chosen.explained = Some(explained),
            Err(unexplained) => chosen.unexplained = Some(Arc::new(unexplained)),
        }
        chosen.base = Some(base);
        chosen.certainty = Certainty::Invariants;
        chosen
    }

    fn explain(&self, base: Gva) -> Result<(Layout, Choice), Unexplained> {
        let tables = ntlayout::distinct_built_in(self.processor()).into_iter();
        let layouts: Vec<Layout> = tables.filter_map(|table| table.resolve(&CONTRACT).ok()).collect();
        choice::choose(&self.dump, base, &layouts, &self.known())
    }

    /// The kernel's whole symbol table.
    ///
    /// # Errors
    /// No symbols serve, or those that do have no whole types.
    pub fn table(&self) -> Result<&dyn SymbolTable, SystemError> {
        let chosen = self.choose()?;
        self.check(chosen)?;
        // What several say alike is in the layout; of whole types only one can be shown.
        match (chosen.tables.first(), &chosen.explained) {
            (Some(first), _) => Ok(&**first),
            (None, Some((layout, _))) => Err(SystemError::NoWholeTypes {
                origin: layout.origin().clone(),
                certainty: layout.certainty(),
            }),
            (None, None) => Err(SystemError::NoCommonLayout),
        }
    }

    /// The tables that whole types are looked for in: that in use; where it lacks types, all of the kernel's own.
    ///
    /// # Errors
    /// As [`table`](Self::table).
    pub fn whole_types(&self) -> Result<Vec<&dyn SymbolTable>, SystemError> {
        let first = self.table()?;
        if !self.choose()?.lacks_types() {
            return Ok(vec![first]);
        }
        let own = self.own.get_or_init(|| {
            let wanted = self.asked().map(|asked| &asked.identity);
            let found =
                wanted.and_then(|wanted| ntlayout::find_enough(wanted, &self.places, &mut |_| false).ok());
            found.map_or_else(Vec::new, |Found { table, more, .. }| {
                std::iter::once(table).chain(more).collect()
            })
        });
        let others = own.iter().map(|table| &**table as &dyn SymbolTable);
        let others = others.filter(|table| table.origin() != first.origin());
        Ok(std::iter::once(first).chain(others).collect())
    }

    /// Refuses what cannot be used, or may not.
    fn check(&self, chosen: &Chosen) -> Result<(), SystemError> {
        let path = || self.dump.path().to_owned();
        let table = chosen.tables.first().map(|table| table.origin());
        if let (Some(origin), false) = (table, chosen.serves()) {
            return Err(SystemError::WithoutTypes {
                path: path(),
                origin: origin.clone(),
                unexplained: chosen.unexplained.clone(),
            });
        }
        let explained = chosen.explained.as_ref().map(|(layout, _)| layout.origin());
        let Some(origin) = table.or(explained) else {
            return Err(match &chosen.missed {
                Some(missed) => SystemError::NoSymbols {
                    path: path(),
                    missed: Arc::clone(missed),
                    unexplained: chosen.unexplained.clone(),
                },
                None => SystemError::NoCommonLayout,
            });
        };
        if self.exact_only && chosen.certainty != Certainty::Exact {
            return Err(SystemError::NotExact {
                path: path(),
                origin: origin.clone(),
                certainty: chosen.certainty,
            });
        }
        Ok(())
    }

    /// Why the layout in use was chosen, where it is not that of the kernel's own symbols; once it was asked for.
    pub fn choice(&self) -> Option<&Choice> {
        let resolved = self.layout.get().and_then(|layout| layout.as_ref().ok());
        resolved.and_then(|resolved| resolved.choice.as_ref())
    }

    /// Whether a layout is in use: a kernel was asked for and given.
    pub fn is_resolved(&self) -> bool {
        self.layout.get().is_some_and(Result::is_ok)
    }

    /// The kernel, ready to be walked: one for each walk or thread costs little.
    ///
    /// # Errors
    /// No symbols serve; which, and where they were looked for.
    pub fn kernel(&self) -> Result<Kernel<'_>, SystemError> {
        let resolved = self.layout.get_or_init(|| self.resolve());
        let resolved = resolved.as_ref().map_err(Clone::clone)?;
        let (layout, published) = (resolved.layout.clone(), self.common());
        Ok(published_kernel(&self.dump, resolved.base, layout, published).named_by(self))
    }

    fn resolve(&self) -> Result<Resolved, SystemError> {
        self.count_search();
        let chosen = self.choose()?;
        self.check(chosen)?;
        if let Some((layout, choice)) = &chosen.explained {
            return Ok(Resolved {
                base: chosen.base.unwrap_or_default(),
                layout: layout.clone(),
                choice: Some(choice.clone()),
            });
        }
        if let (Some(layout), Some(base)) = (&chosen.own, chosen.base) {
            return Ok(Resolved {
                base,
                layout: layout.clone().with_certainty(chosen.certainty),
                choice: None,
            });
        }
        let resolved: Result<Vec<Layout>, _> = chosen
            .tables
            .iter()
            .map(|table| table.resolve(&CONTRACT))
            .collect();
        let layout = Layout::agreement(&resolved?).zip(chosen.base);
        let (layout, base) = layout.ok_or(SystemError::NoCommonLayout)?;
        Ok(Resolved {
            base,
            layout: layout.with_certainty(chosen.certainty),
            choice: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::*;

    const WHOLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/vista-sp2-x64.dmp");

    /// What the searches come to, of a system that was asked for everything many times over.
    fn searches(bytes: &[u8]) -> (u32, Vec<Option<&'static str>>) {
        let dump = Dump::from_bytes(WHOLE, bytes.to_owned()).unwrap();
        let system = System::of(dump, &Symbols::default());
        let mut ends = Vec::new();
        for _ in 0..200 {
            let now = vec![
                system.kernel().err().map(|error| error.id()),
                system.image().err().map(KernelImageError::id),
                system.choose().err().map(|error| error.id()),
            ];
            assert!(ends.is_empty() || ends == now, "the answer is always the same");
            ends = now;
        }
        (system.searches.load(Ordering::Relaxed), ends)
    }

    #[test]
    fn a_search_is_made_once_whatever_comes_of_it() {
        let whole = std::fs::read(WHOLE).unwrap();
        // For the image, the symbols, the layout.
        assert_eq!(searches(&whole), (3, vec![None; 3]));
        let cut = &whole[..whole.len() - 20 * 4096];
        assert_eq!(searches(cut), (3, vec![Some("no-kernel-image"); 3]));
    }
}
