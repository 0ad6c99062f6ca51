//! One opened dump and the symbols of its kernel.

use std::cell::{OnceCell, Ref, RefCell};
use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use alpc::Kernel;
use alpc::image::contract::CONTRACT;
use alpc::image::redact::Redaction;
use alpc::image::trace::Trace;
use alpc::locate::choice::{self, Choice, Unexplained};
use kdump::{Dump, Gva, KernelImage, KernelImageError, OpenOptions};
use ntlayout::{
    Certainty, Found, Guid, Identity, Layout, Looked, NotFound, Origin, Outcome, Place, SymbolTable, Table,
};

use crate::cli::Cli;
use crate::failure::Failure;
use crate::guard;
use crate::redact::{self, Veil};
use alpc::system::addresses;
use alpc::system::own::{self, OwnSymbols};

/// What the search for the kernel's symbols came to.
pub struct Chosen {
    /// The symbols in use: none, one table, or several: further ones of the kernel's own, or those that explain it
    /// equally well.
    pub tables: Vec<Table>,
    /// What the kernel's own say together, where they were found.
    own: Option<Layout>,
    /// Where the kernel's image begins.
    base: Option<Gva>,
    looked: Vec<Looked>,
    missed: Option<NotFound>,
    certainty: Certainty,
    /// Why no layout was chosen by what the dump holds, where nothing else served.
    unexplained: Option<Unexplained>,
    /// The layout that was.
    explained: Option<(Layout, Choice)>,
}

impl Chosen {
    /// Nothing yet.
    fn none() -> Self {
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
    pub fn serves(&self) -> bool {
        self.explained.is_some() || (!self.tables.is_empty() && !self.is_useless())
    }

    /// Whether the kernel's own symbols were found, and the views have nothing to go by in them.
    fn is_useless(&self) -> bool {
        self.own.as_ref().is_some_and(own::is_useless)
    }

    /// Everything that was looked at, in order, before the symbols in use.
    pub fn looked(&self) -> &[Looked] {
        self.missed.as_ref().map_or(&self.looked, |missed| &missed.looked)
    }

    /// The files that were read, or looked for: of the symbols in use, and of those that are not.
    fn files(&self) -> impl Iterator<Item = &Path> {
        let looked = self.looked().iter().map(|looked| looked.path.as_path());
        let used = self.tables.iter().filter_map(|table| table.origin().path());
        looked.chain(used)
    }

    /// Whether a file with the kernel's own symbols was found.
    pub fn is_complete(&self) -> bool {
        self.missed.is_none()
    }
}

/// A dump, opened.
pub struct Session {
    dump: Dump,
    places: Vec<Place>,
    exact_only: bool,
    /// Where the kernel's image is; or that it was looked for in vain, which takes the longest.
    image: OnceCell<Result<KernelImage, KernelImageError>>,
    /// What the search for symbols came to, once it was asked for: some take longer to read than the dump.
    chosen: OnceCell<Result<Chosen, Failure>>,
    /// Where the kernel begins and how it is laid out: looked for once, for all commands.
    layout: OnceCell<Result<Resolved, Failure>>,
    /// All of the kernel's own symbols, where the first lack types and a whole type was asked for.
    own: OnceCell<Vec<Table>>,
    /// Searches that were made, which take longer than most commands.
    #[cfg(test)]
    searches: std::cell::Cell<u32>,
    /// Where reads are noted, while a view is explained.
    trace: RefCell<Option<Arc<Trace>>>,
    redaction: Option<Arc<Redaction>>,
    veil: RefCell<Veil>,
}

/// Where the kernel begins and how it is laid out.
struct Resolved {
    base: Gva,
    layout: Layout,
    /// Why it was chosen, where no symbols of the kernel were at hand.
    choice: Option<Choice>,
    /// What was found instead of the kernel's symbols.
    notes: Vec<String>,
}

/// Symbol files that are named one by one because they cannot be used.
const NAMED: usize = 4;

impl Session {
    /// Opens a dump. Where symbols are looked for: see [`places::all`].
    pub fn open(cli: &Cli, path: &Path) -> anyhow::Result<Self> {
        guard::reads(path, "one of the dumps");
        let options = OpenOptions::default().no_mmap(cli.no_mmap);
        let dump =
            Dump::open_with(path, &options).map_err(|error| Failure::fatal(error.id(), error.to_string()))?;
        let redaction = redact::of_dump(cli, &dump)?;
        Ok(Self {
            veil: RefCell::new(Veil::of_dump(cli, redaction.as_deref())),
            redaction,
            dump,
            places: ntlayout::all_places(&cli.symbols, path),
            exact_only: cli.exact_symbols,
            image: OnceCell::new(),
            own: OnceCell::new(),
            chosen: OnceCell::new(),
            layout: OnceCell::new(),
            #[cfg(test)]
            searches: std::cell::Cell::default(),
            trace: RefCell::new(None),
        })
    }

    /// The dump.
    pub fn dump(&self) -> &Dump {
        &self.dump
    }

    /// The kernel's image, found in the dump's memory.
    pub fn image(&self) -> anyhow::Result<KernelImage> {
        self.found_image()
            .clone()
            .map_err(|error| Failure::fatal(error.id(), error.to_string()))
    }

    fn found_image(&self) -> &Result<KernelImage, KernelImageError> {
        self.image.get_or_init(|| {
            self.count_search();
            kdump::kernel_image(&self.dump)
        })
    }

    fn count_search(&self) {
        #[cfg(test)]
        self.searches.set(self.searches.get() + 1);
    }

    /// Which symbols the kernel asks for.
    pub fn wanted(image: &KernelImage) -> Option<Identity> {
        let rsds = image.codeview.as_ref()?;
        Some(Identity {
            pdb_name: rsds.pdb_name.clone(),
            guid: Guid(rsds.guid),
            age: rsds.age,
        })
    }

    /// Looks for the kernel's symbols: its PDB or another table of the same identity in all places, then among
    /// the layouts that come with the program. Where the kernel's image does not say which it wants, those are
    /// taken that have its variables where they are. Failing all of that, of the layouts that come with the
    /// program those serve that explain what the dump holds.
    pub fn choose(&self) -> anyhow::Result<&Chosen> {
        let chosen = self.chosen.get_or_init(|| {
            self.count_search();
            let chosen = self.search().map_err(Failure::from_error)?;
            chosen
                .files()
                .for_each(|path| guard::reads(path, "a symbol file"));
            let mut veil = self.veil.borrow_mut();
            chosen
                .looked()
                .iter()
                .for_each(|looked| veil.learn_looked(looked));
            chosen
                .tables
                .iter()
                .filter_map(|table| table.origin().path())
                .for_each(|path| veil.learn_symbols(path));
            Ok(chosen)
        });
        chosen.as_ref().map_err(|failure| failure.clone().into())
    }

    fn search(&self) -> anyhow::Result<Chosen> {
        let image = self.image();
        let base = image.as_ref().ok().map(|image| image.base);
        let Some(wanted) = image.as_ref().ok().and_then(Self::wanted) else {
            return self.choose_by_addresses(image);
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
                    ..Chosen::none()
                }));
            }
            Err(missed) => missed,
        };
        let chosen = Chosen {
            tables: ntlayout::built_in(&wanted).into_iter().collect(),
            base,
            missed: Some(missed),
            ..Chosen::none()
        };
        Ok(if chosen.serves() {
            chosen
        } else {
            self.choose_by_invariants(chosen)
        })
    }

    fn choose_by_addresses(&self, image: anyhow::Result<KernelImage>) -> anyhow::Result<Chosen> {
        let base = image.as_ref().ok().map(|image| u64::from(image.base));
        let candidates = addresses::by_addresses(&self.dump, &self.places, base);
        let first = candidates.first().map(|candidate| candidate.base);
        // Symbols that put the image elsewhere contradict the first; none of them is proven then.
        let agree = candidates.iter().all(|candidate| Some(candidate.base) == first);
        if let (Some(first), true) = (first, agree) {
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
        let base = match &image {
            Ok(image) => Some(image.base),
            Err(_) => self.found_image().as_ref().err().and_then(KernelImageError::base),
        };
        let chosen = self.choose_by_invariants(Chosen {
            base,
            ..Chosen::none()
        });
        if chosen.serves() {
            return Ok(chosen);
        }
        let why = unexplained(chosen.unexplained.as_ref());
        Err(match image {
            Ok(image) => self.unidentified(&image, &why),
            Err(error) => self.no_kernel(error, &why),
        })
    }

    /// Fills what the kernel's own symbols lack by what the dump holds, and says of the rest that it is not told.
    fn completed(&self, mut chosen: Chosen) -> Chosen {
        let Some(own) = chosen.own.take() else {
            return chosen;
        };
        // How sure all is would suffer for what only some views show: that is not told then.
        let lacking = alpc::image::contract::stripped(&own);
        if alpc::image::contract::are_required(&lacking) && !self.exact_only {
            let base = chosen.base.unwrap_or_default();
            let candidates = own::candidates(&own, self.pointer_size());
            match choice::choose(&self.dump, base, &candidates) {
                Ok((layout, choice)) => {
                    chosen.explained = Some((own::untold(layout), choice));
                    chosen.certainty = Certainty::Invariants;
                }
                Err(unexplained) => chosen.unexplained = Some(unexplained),
            }
        }
        chosen.own = Some(own::untold(own));
        chosen
    }

    fn pointer_size(&self) -> u8 {
        match self.dump.kernel_space().pointer_width() {
            4 => 4,
            _ => 8,
        }
    }

    /// Chooses among the layouts that come with the program, unless only the kernel's own will do. Where nothing
    /// tells where the kernel's image begins, it is not needed: those have no globals.
    fn choose_by_invariants(&self, mut chosen: Chosen) -> Chosen {
        if self.exact_only {
            return chosen;
        }
        let base = chosen.base.unwrap_or_default();
        match self.explain(base) {
            Ok(explained) => chosen.explained = Some(explained),
            Err(unexplained) => chosen.unexplained = Some(unexplained),
        }
        chosen.base = Some(base);
        chosen.certainty = Certainty::Invariants;
        chosen
    }

    fn explain(&self, base: Gva) -> Result<(Layout, Choice), Unexplained> {
        let tables = ntlayout::distinct_built_in(self.pointer_size()).into_iter();
        let layouts: Vec<Layout> = tables.filter_map(|table| table.resolve(&CONTRACT).ok()).collect();
        choice::choose(&self.dump, base, &layouts)
    }

    /// Without its image a kernel is recognised only by symbols that fit, and nothing fits.
    fn no_kernel(&self, error: anyhow::Error, unexplained: &str) -> anyhow::Error {
        let failure = Failure::from_error(error);
        Failure::fatal(
            failure.id,
            format!(
                "{}: {}; {unexplained}; the command `info` tells what the dump has: copy it again if the file is \
                 cut short, take a kernel dump if it is a triage dump, and name the kernel's symbols with --symbols",
                self.dump.path().display(),
                failure.message
            ),
        )
    }

    fn unidentified(&self, image: &KernelImage, unexplained: &str) -> anyhow::Error {
        Failure::fatal(
            "no-kernel-identity",
            format!(
                "{}: the kernel image at {:016x} has no readable debug record{}, and no symbols at hand have its \
                 variables where they are; {unexplained}; name its PDB or ISF table with --symbols",
                self.dump.path().display(),
                u64::from(image.base),
                image
                    .codeview_error
                    .as_ref()
                    .map(|error| format!(" ({error})"))
                    .unwrap_or_default(),
            ),
        )
    }

    /// The kernel's whole symbol table.
    pub fn table(&self) -> anyhow::Result<&dyn SymbolTable> {
        let chosen = self.choose()?;
        self.check(chosen)?;
        // What several say alike is in the layout; of whole types only one can be shown.
        match (chosen.tables.first(), &chosen.explained) {
            (Some(first), _) => Ok(&**first),
            (None, Some((layout, _))) => Err(no_whole_table(layout)),
            (None, None) => Err(Failure::fatal("no-symbols", "the kernel's symbols have no table")),
        }
    }

    /// The tables that whole types are looked for in: that in use; where it lacks types, all of the kernel's own.
    pub fn whole_types(&self) -> anyhow::Result<Vec<&dyn SymbolTable>> {
        let first = self.table()?;
        if !self.lacks_types()? {
            return Ok(vec![first]);
        }
        let own = self.own.get_or_init(|| {
            let found = self.image().ok().as_ref().and_then(Self::wanted);
            let found =
                found.and_then(|wanted| ntlayout::find_enough(&wanted, &self.places, &mut |_| false).ok());
            found.map_or_else(Vec::new, |Found { table, more, .. }| {
                std::iter::once(table).chain(more).collect()
            })
        });
        let others = own.iter().map(|table| &**table as &dyn SymbolTable);
        let others = others.filter(|table| table.origin() != first.origin());
        Ok(std::iter::once(first).chain(others).collect())
    }

    /// Whether the kernel's own symbols were found and lack types.
    pub fn lacks_types(&self) -> anyhow::Result<bool> {
        let chosen = self.choose()?;
        let lacks =
            |own: &Layout| !own.filled().is_empty() || !alpc::image::contract::stripped(own).is_empty();
        Ok(chosen.own.as_ref().is_some_and(lacks))
    }

    /// Refuses what cannot be used, or may not.
    fn check(&self, chosen: &Chosen) -> anyhow::Result<()> {
        let table = chosen.tables.first().map(|table| table.origin());
        if let (Some(origin), false) = (table, chosen.serves()) {
            let why = unexplained(chosen.unexplained.as_ref());
            return Err(Failure::fatal(
                "symbols-without-types",
                without_types(self.dump.path(), origin, &why),
            ));
        }
        let explained = chosen.explained.as_ref().map(|(layout, _)| layout.origin());
        let Some(origin) = table.or(explained) else {
            let (dump, missed) = (self.dump.path(), chosen.missed.as_ref());
            let why = unexplained(chosen.unexplained.as_ref());
            let text = missed.map(|missed| no_symbols(dump, missed, &why));
            return Err(Failure::fatal("no-symbols", text.unwrap_or_default()));
        };
        if self.exact_only && chosen.certainty != Certainty::Exact {
            return Err(Failure::fatal(
                "symbols-not-exact",
                format!(
                    "{}: {origin} would serve, {}; --exact-symbols asks for those that the kernel names",
                    self.dump.path().display(),
                    chosen.certainty
                ),
            ));
        }
        Ok(())
    }

    /// What was found instead of the kernel's symbols, once they were looked for.
    pub fn notes(&self) -> &[String] {
        let resolved = self.layout.get().and_then(|layout| layout.as_ref().ok());
        resolved.map_or(&[], |resolved| &resolved.notes)
    }

    /// Why the layout in use was chosen, where it is not that of the kernel's own symbols.
    pub fn choice(&self) -> Option<&Choice> {
        let resolved = self.layout.get().and_then(|layout| layout.as_ref().ok());
        resolved.and_then(|resolved| resolved.choice.as_ref())
    }

    /// The kernel, ready to be walked.
    pub fn kernel(&self) -> anyhow::Result<Kernel<'_>> {
        let resolved = self
            .layout
            .get_or_init(|| self.resolve().map_err(Failure::from_error));
        let resolved = resolved.as_ref().map_err(Failure::clone)?;
        let kernel = alpc::kernel(&self.dump, resolved.base, resolved.layout.clone());
        let kernel = match &self.redaction {
            Some(redaction) => kernel.redacted(Arc::clone(redaction)),
            None => kernel,
        };
        Ok(match &*self.trace.borrow() {
            Some(trace) => kernel.traced(Arc::clone(trace)),
            None => kernel,
        })
    }

    /// What is replaced in records of this dump, if anything is.
    pub fn redaction(&self) -> Option<&Redaction> {
        self.redaction.as_deref()
    }

    /// Replaces what is written of the command line and of this machine.
    pub fn veil(&self) -> Ref<'_, Veil> {
        self.veil.borrow()
    }

    /// Has the reads of all kernels from now on noted, or no longer.
    pub fn note_reads(&self, trace: Option<Arc<Trace>>) {
        *self.trace.borrow_mut() = trace;
    }

    fn resolve(&self) -> anyhow::Result<Resolved> {
        self.count_search();
        let chosen = self.choose()?;
        self.check(chosen)?;
        let notes = notes(chosen);
        if let Some((layout, choice)) = &chosen.explained {
            return Ok(Resolved {
                notes,
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
                notes,
            });
        }
        let resolved: Result<Vec<Layout>, _> = chosen
            .tables
            .iter()
            .map(|table| table.resolve(&CONTRACT))
            .collect();
        let layouts = resolved.map_err(|error| Failure::fatal(error.id(), error.to_string()))?;
        let layout = Layout::agreement(&layouts).zip(chosen.base);
        let (layout, base) = layout
            .ok_or_else(|| Failure::fatal("no-symbols", "the kernel's symbols have no common layout"))?;
        Ok(Resolved {
            base,
            layout: layout.with_certainty(chosen.certainty),
            choice: None,
            notes,
        })
    }
}

/// Everything a user needs to get the symbols, also onto a machine without a network.
fn no_symbols(dump: &Path, miss: &NotFound, unexplained: &str) -> String {
    let Identity { pdb_name, .. } = &miss.wanted;
    let looked: Vec<String> = miss.looked.iter().map(|looked| format!("\n  {looked}")).collect();
    format!(
        "{dump}: the kernel's symbols were not found: {wanted} (GUID {guid}, age {age})\nlooked at:{looked}\n{unexplained}\nget {pdb_name} from \
         https://msdl.microsoft.com/download/symbols/{wanted}/{pdb_name} and name the file or its folder with --symbols",
        dump = dump.display(),
        wanted = miss.wanted,
        guid = miss.wanted.guid,
        age = miss.wanted.age,
        looked = looked.concat(),
    )
}

/// What to do where the kernel's own symbols were found and have no types.
fn without_types(dump: &Path, origin: &Origin, unexplained: &str) -> String {
    format!(
        "{dump}: {origin} is of this kernel and has no types, as some PDBs of Microsoft's server; no layouts that come \
         with the program are of this kernel, and {unexplained}; name with --symbols another file of the same GUID and \
         age that has types: the PDB of another update of that server, or an ISF table of Volatility",
        dump = dump.display(),
    )
}

/// Why the layouts that come with the program do not serve.
fn unexplained(why: Option<&Unexplained>) -> String {
    why.map_or_else(
        || "the built-in layouts were not tried, as --exact-symbols asks".to_owned(),
        ToString::to_string,
    )
}

/// What a user should know who named symbols, or expects the kernel's own: files that are there and cannot be used,
/// and that the kernel's own symbols were found nowhere.
fn notes(chosen: &Chosen) -> Vec<String> {
    let Some(missed) = &chosen.missed else {
        return Vec::new();
    };
    let unusable = |looked: &&Looked| {
        !matches!(
            looked.outcome,
            Outcome::Absent | Outcome::NoSymbols | Outcome::PassedOver | Outcome::Packed(_) | Outcome::Remote
        )
    };
    // A file that was named can be beside the dump as well.
    let mut seen = HashSet::new();
    let mut is_new = |looked: &&Looked| {
        // Even this would follow a link.
        let is_followed = !matches!(looked.outcome, Outcome::LeadsOut(_));
        let path = is_followed.then(|| looked.path.canonicalize().ok()).flatten();
        seen.insert(path.unwrap_or_else(|| looked.path.clone()))
    };
    let all = missed.looked.iter().filter(unusable);
    let all: Vec<&Looked> = all.filter(|looked| is_new(looked)).collect();
    let mut notes: Vec<String> = all
        .iter()
        .take(NAMED)
        .map(|looked| format!("not used: {looked}"))
        .collect();
    if all.len() > NAMED {
        notes.push(format!(
            "not used: {} more files",
            all.len().saturating_sub(NAMED)
        ));
    }
    if chosen.explained.is_some() {
        notes.push(format!(
            "the kernel's own symbols, {}, were not found; the command `symbols` tells where they were looked for \
             and how to get them",
            missed.wanted
        ));
    }
    notes
}

/// What was chosen is not the kernel's own table: it can be neither shown whole nor kept as that of the kernel.
fn no_whole_table(layout: &Layout) -> anyhow::Error {
    Failure::fatal(
        "symbols-not-exact",
        format!(
            "{} serve, {}: they have no whole types, and cannot be packed as the kernel's own",
            layout.origin(),
            layout.certainty()
        ),
    )
}

#[cfg(test)]
mod tests {
    use std::fs;

    use clap::Parser;

    use super::*;

    /// What the searches come to, of a session that was asked for everything many times over.
    fn searches(bytes: &[u8]) -> (u32, Vec<Option<&'static str>>) {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), bytes).unwrap();
        let cli = Cli::parse_from(["alpc-dump", "a.dmp", "hang"]);
        let session = Session::open(&cli, file.path()).unwrap();
        let id = |error: anyhow::Error| Failure::from_error(error).id;
        let mut ends = Vec::new();
        for _ in 0..200 {
            let now = vec![
                session.kernel().map_err(id).err(),
                session.image().map_err(id).err(),
                session.choose().map_err(id).err(),
            ];
            assert!(ends.is_empty() || ends == now, "the answer is always the same");
            ends = now;
        }
        (session.searches.get(), ends)
    }

    #[test]
    fn a_search_is_made_once_whatever_comes_of_it() {
        let whole = fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/vista-sp2-x64.dmp")).unwrap();
        // For the image, the symbols, the layout.
        assert_eq!(searches(&whole), (3, vec![None; 3]));
        let cut = &whole[..whole.len() - 20 * 4096];
        assert_eq!(searches(cut), (3, vec![Some("no-kernel-image"); 3]));
    }
}
