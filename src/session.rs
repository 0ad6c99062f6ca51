//! One opened dump and the symbols of its kernel.

use std::cell::OnceCell;
use std::path::Path;

use alpc::Kernel;
use alpc::contract::CONTRACT;
use kdump::{Dump, Gva, KernelImage, OpenOptions};
use ntlayout::{Found, Guid, Identity, Layout, Looked, NotFound, Place, Table};

use crate::cli::Cli;
use crate::failure::Failure;
use crate::places;

/// What the search for the kernel's symbols came to.
#[derive(Default)]
pub struct Chosen {
    /// The symbols in use, if there are any.
    pub table: Option<Table>,
    looked: Vec<Looked>,
    missed: Option<NotFound>,
}

impl Chosen {
    /// Everything that was looked at, in order, before the symbols in use.
    pub fn looked(&self) -> &[Looked] {
        self.missed.as_ref().map_or(&self.looked, |missed| &missed.looked)
    }

    /// Whether a file with the kernel's own symbols was found.
    pub fn is_complete(&self) -> bool {
        self.table.is_some() && self.missed.is_none()
    }
}

/// A dump, opened.
pub struct Session {
    dump: Dump,
    places: Vec<Place>,
    /// Where the kernel begins and how it is laid out: found once, for all commands.
    layout: OnceCell<(Gva, Layout)>,
}

impl Session {
    /// Opens a dump. Where symbols are looked for: see [`places::all`].
    pub fn open(cli: &Cli, path: &Path) -> anyhow::Result<Self> {
        let options = OpenOptions::default().no_mmap(cli.no_mmap);
        let dump =
            Dump::open_with(path, &options).map_err(|error| Failure::fatal(error.id(), error.to_string()))?;
        Ok(Self {
            dump,
            places: places::all(&cli.symbols, path),
            layout: OnceCell::new(),
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
    /// the layouts that come with the program.
    pub fn choose(&self, image: &KernelImage) -> anyhow::Result<Chosen> {
        let Some(wanted) = Self::wanted(image) else {
            return Ok(Chosen::default());
        };
        Ok(match ntlayout::find(&wanted, &self.places) {
            Ok(Found { table, looked }) => Chosen {
                table: Some(table),
                looked,
                missed: None,
            },
            Err(missed) => Chosen {
                table: ntlayout::built_in(&wanted),
                looked: Vec::new(),
                missed: Some(missed),
            },
        })
    }

    /// Finds the symbols of the kernel.
    pub fn symbols(&self, image: &KernelImage) -> anyhow::Result<Table> {
        let Chosen { table, missed, .. } = self.choose(image)?;
        if let Some(table) = table {
            return Ok(table);
        }
        Err(match missed {
            Some(missed) => Failure::fatal("no-symbols", no_symbols(&missed)),
            None => Failure::fatal(
                "no-kernel-identity",
                format!(
                    "{}: the kernel image at {:016x} has no readable debug record{}, so its symbols cannot be identified",
                    self.dump.path().display(),
                    u64::from(image.base),
                    image
                        .codeview_error
                        .as_ref()
                        .map(|error| format!(" ({error})"))
                        .unwrap_or_default(),
                ),
            ),
        })
    }

    /// The kernel's whole symbol table.
    pub fn table(&self) -> anyhow::Result<Table> {
        self.symbols(&self.image()?)
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
        Ok(Kernel::new(&self.dump, *base, layout.clone()))
    }

    fn resolve(&self) -> anyhow::Result<(Gva, Layout)> {
        let image = self.image()?;
        let table = self.symbols(&image)?;
        let layout = table
            .resolve(&CONTRACT)
            .map_err(|error| Failure::fatal(error.id(), error.to_string()))?;
        Ok((image.base, layout))
    }
}

/// Everything a user needs to get the symbols, also onto a machine without a network.
fn no_symbols(miss: &NotFound) -> String {
    let Identity { pdb_name, .. } = &miss.wanted;
    let looked: Vec<String> = miss.looked.iter().map(|looked| format!("\n  {looked}")).collect();
    format!(
        "the kernel's symbols were not found: {wanted} (GUID {guid}, age {age})\nlooked at:{looked}\nget {pdb_name} from \
         https://msdl.microsoft.com/download/symbols/{wanted}/{pdb_name} and name the file or its folder with --symbols",
        wanted = miss.wanted,
        guid = miss.wanted.guid,
        age = miss.wanted.age,
        looked = looked.concat(),
    )
}
