//! One opened dump and the symbols of its kernel.

use std::cell::{OnceCell, Ref, RefCell};
use std::path::Path;
use std::sync::Arc;

use alpc::Kernel;
use alpc::contract::CONTRACT;
use alpc::redact::Redaction;
use alpc::trace::Trace;
use kdump::{Dump, Gva, KernelImage, OpenOptions};
use ntlayout::{Certainty, Found, Guid, Identity, Layout, Looked, NotFound, Place, Table};

use crate::cli::Cli;
use crate::failure::Failure;
use crate::identify;
use crate::places;
use crate::redact::{self, Veil};

/// What the search for the kernel's symbols came to.
pub struct Chosen {
    /// The symbols in use: none, one table, or several that explain the kernel equally well.
    pub tables: Vec<Table>,
    /// Where the kernel's image begins.
    base: Option<Gva>,
    looked: Vec<Looked>,
    missed: Option<NotFound>,
    certainty: Certainty,
}

impl Chosen {
    /// Everything that was looked at, in order, before the symbols in use.
    pub fn looked(&self) -> &[Looked] {
        self.missed.as_ref().map_or(&self.looked, |missed| &missed.looked)
    }

    /// Whether a file with the kernel's own symbols was found.
    pub fn is_complete(&self) -> bool {
        self.missed.is_none() && self.certainty == Certainty::Exact
    }
}

/// A dump, opened.
pub struct Session {
    dump: Dump,
    places: Vec<Place>,
    exact_only: bool,
    /// Where the kernel begins and how it is laid out: found once, for all commands.
    layout: OnceCell<(Gva, Layout)>,
    /// Where reads are noted, while a view is explained.
    trace: RefCell<Option<Arc<Trace>>>,
    redaction: Option<Arc<Redaction>>,
    veil: RefCell<Veil>,
}

impl Session {
    /// Opens a dump. Where symbols are looked for: see [`places::all`].
    pub fn open(cli: &Cli, path: &Path) -> anyhow::Result<Self> {
        let options = OpenOptions::default().no_mmap(cli.no_mmap);
        let dump =
            Dump::open_with(path, &options).map_err(|error| Failure::fatal(error.id(), error.to_string()))?;
        let redaction = redact::of_dump(cli, &dump)?;
        Ok(Self {
            veil: RefCell::new(Veil::of_dump(cli, redaction.as_deref())),
            redaction,
            dump,
            places: places::all(&cli.symbols, path),
            exact_only: cli.exact_symbols,
            layout: OnceCell::new(),
            trace: RefCell::new(None),
        })
    }

    /// The dump.
    pub fn dump(&self) -> &Dump {
        &self.dump
    }

    /// The kernel's image, found in the dump's memory.
    pub fn image(&self) -> anyhow::Result<KernelImage> {
        kdump::kernel_image(&self.dump).map_err(|error| Failure::fatal(error.id(), error.to_string()))
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
    /// taken that have its variables where they are.
    pub fn choose(&self) -> anyhow::Result<Chosen> {
        let chosen = self.search();
        if let Ok(chosen) = &chosen {
            let mut veil = self.veil.borrow_mut();
            chosen.looked().iter().for_each(|looked| veil.learn(&looked.path));
            chosen
                .tables
                .iter()
                .filter_map(|table| table.origin().path())
                .for_each(|path| veil.learn_symbols(path));
        }
        chosen
    }

    fn search(&self) -> anyhow::Result<Chosen> {
        let image = self.image();
        let Some(wanted) = image.as_ref().ok().and_then(Self::wanted) else {
            return self.choose_by_addresses(image);
        };
        Ok(match ntlayout::find(&wanted, &self.places) {
            Ok(Found { table, looked }) => Chosen {
                tables: vec![table],
                base: image.ok().map(|image| image.base),
                looked,
                missed: None,
                certainty: Certainty::Exact,
            },
            Err(missed) => Chosen {
                tables: ntlayout::built_in(&wanted).into_iter().collect(),
                base: image.ok().map(|image| image.base),
                looked: Vec::new(),
                missed: Some(missed),
                certainty: Certainty::Exact,
            },
        })
    }

    fn choose_by_addresses(&self, image: anyhow::Result<KernelImage>) -> anyhow::Result<Chosen> {
        let base = image.as_ref().ok().map(|image| u64::from(image.base));
        let mut candidates = identify::by_addresses(&self.dump, &self.places, base);
        let Some(first) = candidates.first().map(|candidate| candidate.base) else {
            return match image {
                Ok(image) => Err(self.unidentified(&image)),
                Err(error) => Err(self.no_kernel(error)),
            };
        };
        // Symbols that put the image elsewhere contradict the first; none of them is proven then.
        if candidates.iter().any(|candidate| candidate.base != first) {
            candidates.clear();
        }
        Ok(Chosen {
            tables: candidates.into_iter().map(|candidate| candidate.table).collect(),
            base: Some(Gva::new(first)),
            looked: Vec::new(),
            missed: None,
            certainty: Certainty::Addresses,
        })
    }

    /// Without its image a kernel is recognised only by symbols that fit, and nothing fits.
    fn no_kernel(&self, error: anyhow::Error) -> anyhow::Error {
        let failure = Failure::from_error(error);
        Failure::fatal(
            failure.id,
            format!(
                "{}: {}; the command `info` tells what the dump has: copy it again if the file is cut short, take \
                 a kernel dump if it is a triage dump, and name the kernel's symbols with --symbols",
                self.dump.path().display(),
                failure.message
            ),
        )
    }

    fn unidentified(&self, image: &KernelImage) -> anyhow::Error {
        Failure::fatal(
            "no-kernel-identity",
            format!(
                "{}: the kernel image at {:016x} has no readable debug record{}, and no symbols at hand have its \
                 variables where they are; name its PDB or ISF table with --symbols",
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
    pub fn table(&self) -> anyhow::Result<Table> {
        let mut chosen = self.choose()?;
        self.check(&chosen)?;
        // What several say alike is in the layout; of whole types only one can be shown.
        Ok(chosen.tables.remove(0))
    }

    /// Refuses what cannot be used, or may not.
    fn check(&self, chosen: &Chosen) -> anyhow::Result<()> {
        if let (Some(missed), true) = (&chosen.missed, chosen.tables.is_empty()) {
            return Err(Failure::fatal("no-symbols", no_symbols(self.dump.path(), missed)));
        }
        let Some(table) = chosen.tables.first() else {
            return Err(Failure::fatal(
                "no-kernel-identity",
                format!(
                    "{}: several kernels explain it, and differently",
                    self.dump.path().display()
                ),
            ));
        };
        if self.exact_only && chosen.certainty != Certainty::Exact {
            return Err(Failure::fatal(
                "symbols-not-exact",
                format!(
                    "{}: {} would serve, {}; --exact-symbols asks for those that the kernel names",
                    self.dump.path().display(),
                    table.origin(),
                    chosen.certainty
                ),
            ));
        }
        Ok(())
    }

    /// The kernel, ready to be walked.
    pub fn kernel(&self) -> anyhow::Result<Kernel<'_>> {
        let (base, layout) = match self.layout.get() {
            Some(known) => known,
            None => {
                let found = self.resolve()?;
                self.layout.get_or_init(|| found)
            }
        };
        let kernel = Kernel::new(&self.dump, *base, layout.clone());
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

    fn resolve(&self) -> anyhow::Result<(Gva, Layout)> {
        let chosen = self.choose()?;
        self.check(&chosen)?;
        let resolved: Result<Vec<Layout>, _> = chosen
            .tables
            .iter()
            .map(|table| table.resolve(&CONTRACT))
            .collect();
        let layouts = resolved.map_err(|error| Failure::fatal(error.id(), error.to_string()))?;
        let layout = Layout::agreement(&layouts).zip(chosen.base);
        let (layout, base) = layout
            .ok_or_else(|| Failure::fatal("no-symbols", "the kernel's symbols have no common layout"))?;
        Ok((base, layout.with_certainty(chosen.certainty)))
    }
}

/// Everything a user needs to get the symbols, also onto a machine without a network.
fn no_symbols(dump: &Path, miss: &NotFound) -> String {
    let Identity { pdb_name, .. } = &miss.wanted;
    let looked: Vec<String> = miss.looked.iter().map(|looked| format!("\n  {looked}")).collect();
    format!(
        "{dump}: the kernel's symbols were not found: {wanted} (GUID {guid}, age {age})\nlooked at:{looked}\nget {pdb_name} from \
         https://msdl.microsoft.com/download/symbols/{wanted}/{pdb_name} and name the file or its folder with --symbols",
        dump = dump.display(),
        wanted = miss.wanted,
        guid = miss.wanted.guid,
        age = miss.wanted.age,
        looked = looked.concat(),
    )
}
