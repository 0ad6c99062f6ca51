//! One opened dump as the commands see it: with what is withheld of it, where reads are noted, and failures that say
//! what to do next on the command line.

use std::cell::{OnceCell, Ref, RefCell};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use alpc::image::budget::Watch;
use alpc::image::page_files;
use alpc::image::redact::Redaction;
use alpc::image::trace::Trace;
use alpc::locate::choice::{Choice, Unexplained};
use alpc::system::{Asked, Chosen};
use alpc::{Kernel, Symbols, System, SystemError};
use kdump::{Dump, FileClass, KernelImage, OpenError, OpenOptions, Progress};
use lrpc::names::Names;
use ntlayout::published::Published;
use ntlayout::{Identity, NotFound, Origin, SymbolTable};

use crate::failure::Failure;
use crate::host::status_line::{self, Pace, Walk};
use crate::host::{guard, reading, unpacked};
use crate::options::{Options, numbered};
use crate::redact::{self, Redactor, Typed};

/// A dump, opened.
pub struct Session {
    system: Arc<System>,
    /// Where reads are noted, while a view is explained.
    trace: RefCell<Option<Arc<Trace>>>,
    redaction: Option<Arc<Redaction>>,
    /// A user's own names of procedures, before those that are built in.
    rpc_names: Option<Arc<Names>>,
    redactor: RefCell<Redactor>,
    /// Set once what the search for symbols looked at is known to who must not replace or tell it.
    learned: OnceCell<()>,
    /// What the command line names for symbols and is not there.
    absent: Vec<PathBuf>,
    /// Where the dump was unpacked to, where it is packed.
    unpacked: Option<PathBuf>,
    /// SHA-256 of the file that was named, where that was asked for.
    sha256: OnceCell<String>,
    /// Whether long walks say how far they are.
    shows_progress: bool,
    /// Who else is asked whether a walk goes on.
    watch: Option<Arc<dyn Watch>>,
    /// Why page files that were named cannot be read; none once they can.
    page_files: OnceCell<Option<String>>,
}

/// Symbol files that are named one by one because they cannot be used.
const NAMED: usize = 4;

impl Session {
    /// Opens a dump. Where symbols are looked for: see [`Symbols`].
    pub fn open(options: &Options, typed: &Typed, path: &Path) -> anyhow::Result<Self> {
        guard::reads(path, "one of the dumps");
        let open = OpenOptions::default()
            .no_mmap(options.no_mmap)
            .directory_table_base(options.dtb)
            .kernel_base(options.kernel_base.map(kdump::Gva::new))
            .page_files(numbered(&options.page_files))
            .progress(progress(shows_progress(options), "looking for the kernel"));

        let (dump, unpacked) = opened(options, path, &open)?;
        let redaction = redact::of_dump(options, &dump)?;
        let mut symbols = Symbols::default();
        symbols.named.clone_from(&options.symbols);
        symbols.exact_only = options.exact_symbols;
        symbols.forced = options.force_symbols;
        let mut redactor = Redactor::of_dump(typed, redaction.as_deref());
        if let Some(path) = &unpacked {
            redactor.learn(path);
        }
        Ok(Self {
            rpc_names: rpc_names(&options.rpc_names)?,
            redactor: RefCell::new(redactor),
            redaction,
            system: Arc::new(System::of(dump, &symbols)),
            trace: RefCell::new(None),
            learned: OnceCell::new(),
            absent: ntlayout::absent_places(&options.symbols),
            unpacked,
            sha256: OnceCell::new(),
            page_files: OnceCell::new(),
            shows_progress: shows_progress(options),
            watch: None,
        })
    }

    /// The same dump for another question, which may be asked while others are: what was found in it is shared, and what
    /// a question has of its own is not. `watch` is asked whether its walks go on.
    pub fn again(&self, typed: &Typed, watch: Arc<dyn Watch>) -> Self {
        let mut redactor = Redactor::of_dump(typed, self.redaction.as_deref());
        if let Some(path) = &self.unpacked {
            redactor.learn(path);
        }
        Self {
            system: Arc::clone(&self.system),
            trace: RefCell::new(None),
            redaction: self.redaction.clone(),
            rpc_names: self.rpc_names.clone(),
            redactor: RefCell::new(redactor),
            learned: OnceCell::new(),
            absent: self.absent.clone(),
            unpacked: self.unpacked.clone(),
            sha256: self.sha256.clone(),
            shows_progress: false,
            watch: Some(watch),
            page_files: OnceCell::new(),
        }
    }

    /// The dump.
    pub fn dump(&self) -> &Dump {
        self.system.dump()
    }

    /// The kernel's image, found in the dump's memory.
    pub fn image(&self) -> anyhow::Result<&KernelImage> {
        self.system
            .image()
            .map_err(|error| Failure::fatal(error.id(), error.to_string()))
    }

    /// Which kernel it is, as far as the dump says so.
    pub fn asked(&self) -> Option<&Asked> {
        self.system.asked()
    }

    /// The published kernels that it can be, each with where its image begins then, where it does not say which it is.
    pub fn candidates(&self) -> &[(Published, u64)] {
        self.system.candidates()
    }

    /// Looks for the kernel's symbols, and learns which files that read.
    pub fn choose(&self) -> anyhow::Result<&Chosen> {
        let chosen = self.system.choose().map_err(failure)?;
        self.learned.get_or_init(|| self.learn(chosen));
        Ok(chosen)
    }

    fn learn(&self, chosen: &Chosen) {
        chosen
            .files()
            .for_each(|path| guard::reads(path, "a symbol file"));
        let mut redactor = self.redactor.borrow_mut();
        chosen
            .looked()
            .iter()
            .for_each(|looked| redactor.learn_looked(looked));
        chosen
            .tables
            .iter()
            .filter_map(|table| table.origin().path())
            .for_each(|path| redactor.learn_symbols(path));
    }

    /// The kernel's whole symbol table.
    pub fn table(&self) -> anyhow::Result<&dyn SymbolTable> {
        self.choose()?;
        self.system.table().map_err(failure)
    }

    /// The tables that whole types are looked for in: that in use; where it lacks types, all of the kernel's own.
    pub fn whole_types(&self) -> anyhow::Result<Vec<&dyn SymbolTable>> {
        self.choose()?;
        self.system.whole_types().map_err(failure)
    }

    /// Whether the kernel's own symbols were found and lack types.
    pub fn lacks_types(&self) -> anyhow::Result<bool> {
        Ok(self.choose()?.lacks_types())
    }

    /// What the command line names for symbols and is not there, in words.
    pub fn absent_places(&self) -> Vec<String> {
        let words = |path: &PathBuf| {
            let path = path.display();
            format!("not used: {path}: there is no such file or folder, as --symbols names it")
        };
        self.absent.iter().map(words).collect()
    }

    /// Learns the hash of the file that was named.
    pub fn is_hashed(&self, sha256: Option<&String>) {
        if let Some(sha256) = sha256 {
            self.sha256.get_or_init(|| sha256.clone());
        }
    }

    /// SHA-256 of the file that was named, in hex, where that was asked for.
    pub fn sha256(&self) -> Option<&str> {
        self.sha256.get().map(String::as_str)
    }

    /// Why nothing more can be told of the dump: its file was cut, or its medium failed, since it was opened.
    pub fn file_failure(&self) -> Option<anyhow::Error> {
        let failed = self.dump().failed()?;
        let why = match failed.kind {
            io::ErrorKind::UnexpectedEof => "it was cut since it was opened".to_owned(),
            kind => format!("it could be opened, but not be read: {kind}"),
        };
        Some(Failure::fatal(
            "file-failed",
            format!(
                "{}: {why}, at offset {:#x} of the file: what was read is of no use; ask again once the file is whole, or \
                 ask about a copy",
                self.dump().path().display(),
                failed.offset
            ),
        ))
    }

    /// What there is to say of the dump's files beside what the dump says itself.
    pub fn of_files(&self) -> Vec<String> {
        let unpacked = self.unpacked.as_ref();
        let unpacked = unpacked.map(|path| format!("the dump was unpacked: {}", path.display()));
        unpacked.into_iter().chain(self.of_page_files()).collect()
    }

    /// What a user should know who named symbols, or expects the kernel's own: files that are there and cannot be
    /// used, and that the kernel's own symbols were found nowhere. Nothing before a kernel was asked for.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = self.absent_places();
        if let Ok(chosen) = self.system.choose()
            && self.system.is_resolved()
        {
            let contradiction = self.asked().and_then(|asked| asked.contradiction.as_ref());
            notes.extend(contradiction.map(|said| format!("the dump names two kernels: {said}")));
            notes.extend(self::notes(chosen));
        }
        notes
    }

    /// Why the layout in use was chosen, where it is not that of the kernel's own symbols.
    pub fn choice(&self) -> Option<&Choice> {
        self.system.choice()
    }

    /// The kernel, ready to be walked.
    pub fn kernel(&self) -> anyhow::Result<Kernel<'_>> {
        self.choose()?;
        let kernel = self.system.kernel().map_err(failure)?;
        self.tell_page_files(&kernel);
        let kernel = match &self.redaction {
            Some(redaction) => kernel.redacted(Arc::clone(redaction)),
            None => kernel,
        };
        let kernel = match &self.rpc_names {
            Some(names) => kernel.tied_to(Arc::clone(names)),
            None => kernel,
        };
        // Who asks by a prompt, a server or another program must be able to stop a walk, and who looks on wants to know how
        // far it is.
        let kernel = kernel.watched(match &self.watch {
            Some(watch) => Arc::clone(watch),
            None => Arc::new(Walk::new(self.shows_progress)),
        });
        Ok(match &*self.trace.borrow() {
            Some(trace) => kernel.traced(Arc::clone(trace)),
            None => kernel,
        })
    }

    /// Learns what another command line than that of its opening must not tell.
    pub fn is_asked(&self, typed: &Typed) {
        self.redactor
            .replace(Redactor::of_dump(typed, self.redaction.as_deref()));
        if self.learned.get().is_some()
            && let Ok(chosen) = self.system.choose()
        {
            self.learn(chosen);
        }
    }

    /// Tells the dump how its page tables name pages in page files, once the kernel's symbols are known.
    fn tell_page_files(&self, kernel: &Kernel<'_>) {
        let files = self.dump().page_files();
        if files.is_empty() {
            return;
        }
        self.page_files.get_or_init(|| {
            let entries = match self.system.table() {
                Ok(table) => page_files::entries(kernel, table),
                Err(_) => Err("the kernel's own symbols are not at hand".to_owned()),
            };
            entries.map(|entries| files.entries_are(entries)).err()
        });
    }

    /// What there is to say of page files: that they were read, or why not.
    fn of_page_files(&self) -> Option<String> {
        let files = self.dump().page_files();
        match self.page_files.get() {
            _ if files.is_empty() => None,
            Some(Some(why)) => Some(format!("page files are not read: {why}")),
            _ if files.pages_found() == 0 => Some("nothing was read from page files".to_owned()),
            _ => Some(
                "some of this was read from page files: it is right only if they are of the same moment as the memory"
                    .to_owned(),
            ),
        }
    }

    /// What is replaced in records of this dump, if anything is.
    pub fn redaction(&self) -> Option<&Redaction> {
        self.redaction.as_deref()
    }

    /// Replaces what is written of the command line and of this machine.
    pub fn redactor(&self) -> Ref<'_, Redactor> {
        self.redactor.borrow()
    }

    /// Says how far a search through all pages of the dump is, in words that say what it is for.
    pub fn progress(&self, what: &'static str) -> Progress {
        progress(self.shows_progress, what)
    }

    /// Has the reads of all kernels from now on noted, or no longer.
    pub fn note_reads(&self, trace: Option<Arc<Trace>>) {
        *self.trace.borrow_mut() = trace;
    }
}

/// Whether long work says how far it is.
fn shows_progress(options: &Options) -> bool {
    !options.quiet && status_line::is_watched()
}

/// Says how far a search through all pages is: that for the kernel, in a file that does not tell where it is.
fn progress(shows: bool, what: &'static str) -> Progress {
    let pace = Pace::new(shows);
    Progress::new(move |pages| {
        if let Some(lasted) = pace.is_due() {
            status_line::show(&format!("{what}: {} MiB in {} s", pages >> 8, lasted.as_secs()));
        }
    })
}

/// Opens a dump, of a packed one what was unpacked from it.
fn opened(options: &Options, path: &Path, open: &OpenOptions) -> anyhow::Result<(Dump, Option<PathBuf>)> {
    let failed = |error: &OpenError, advice| Failure::fatal(error.id(), format!("{error}{advice}"));
    let error = match Dump::open_with(path, open) {
        Ok(dump) => return Ok((dump, None)),
        Err(error) => error,
    };
    if !matches!(&error, OpenError::NotADump { class, .. } if *class == FileClass::Compressed) {
        return Err(failed(&error, ""));
    }
    let Some(folder) = &options.unpack else {
        return Err(failed(&error, unpacked::advice(path)));
    };
    let Some(unpacked) = unpacked::dump(path, folder, !options.quiet)? else {
        return Err(failed(&error, ""));
    };
    guard::reads(&unpacked, "one of the dumps");
    let dump = Dump::open_with(&unpacked, open).map_err(|error| failed(&error, ""))?;
    Ok((dump, Some(unpacked)))
}

/// The names of procedures that the command line adds.
fn rpc_names(files: &[PathBuf]) -> anyhow::Result<Option<Arc<Names>>> {
    if files.is_empty() {
        return Ok(None);
    }
    let mut names = Names::built_in();
    for path in files {
        let shown = path.display();
        let wrong = |why: String| Failure::fatal("rpc-names", format!("{shown}: {why}"));
        let bytes = reading::file(path, &reading::RPC_NAMES)
            .map_err(|error| wrong(format!("cannot be read: {error}")))?;
        let text = reading::text(bytes).map_err(|error| wrong(error.to_string()))?;
        names.add(&text).map_err(|error| wrong(error.to_string()))?;
    }
    Ok(Some(Arc::new(names)))
}

/// Why there is no kernel, and what to do next on the command line.
fn failure(error: SystemError) -> anyhow::Error {
    let message = match &error {
        SystemError::NoKernel {
            path,
            source,
            unexplained,
        } => format!(
            "{}: {source}; {}; the command `info` shows what the dump has: copy it again if the file is cut short, take \
             a kernel dump if it is a triage dump, and name the kernel's symbols with --symbols",
            path.display(),
            tried(unexplained.as_deref())
        ),
        SystemError::Unidentified {
            path,
            base,
            codeview_error,
            unexplained,
        } => format!(
            "{}: the kernel image at {base} has no readable debug record{}, and no symbols at hand have its variables \
             where they are; {}; name its PDB or ISF table with --symbols",
            path.display(),
            codeview_error
                .as_ref()
                .map(|error| format!(" ({error})"))
                .unwrap_or_default(),
            tried(unexplained.as_deref())
        ),
        SystemError::NoSymbols {
            path,
            missed,
            unexplained,
        } => no_symbols(path, missed, &tried(unexplained.as_deref())),
        SystemError::WithoutTypes {
            path,
            origin,
            unexplained,
        } => without_types(path, origin, &tried(unexplained.as_deref())),
        SystemError::NotExact {
            path,
            origin,
            certainty,
        } => format!(
            "{}: {origin} would serve, {certainty}; --exact-symbols asks for those that the kernel names",
            path.display()
        ),
        other => other.to_string(),
    };
    Failure::fatal(error.id(), message)
}

/// Why the layouts that come with the program do not serve.
fn tried(unexplained: Option<&Unexplained>) -> String {
    unexplained.map_or_else(
        || "the built-in layouts were not tried, as --exact-symbols asks".to_owned(),
        ToString::to_string,
    )
}

/// Everything a user needs to get the symbols, also onto a machine without a network.
fn no_symbols(dump: &Path, miss: &NotFound, unexplained: &str) -> String {
    let Identity { pdb_name, .. } = &miss.wanted;
    let looked: Vec<String> = miss.looked.iter().map(|looked| format!("\n  {looked}")).collect();
    // A store keeps a PDB under its name, then GUID and age without dashes, then its name again; the age in hex
    // without padding (Microsoft on SymStore).
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

/// What is said of the search for symbols.
fn notes(chosen: &Chosen) -> Vec<String> {
    let all = chosen.unusable();
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
    if let Some(wanted) = chosen.replaced() {
        notes.push(format!(
            "the kernel's own symbols, {wanted}, were not found; the command `symbols` says where they were looked for \
             and how to get them"
        ));
    }
    notes
}
