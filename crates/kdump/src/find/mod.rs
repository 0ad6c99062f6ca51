//! Where the kernel is in memory that no header describes.
//!
//! A candidate for the top page table is taken as right when the kernel's image is found through it, by the name of its
//! PDB. Candidates come from the registers of processors, from what starts the other processors (the low stub), and from
//! a search for tables that refer to themselves. Sources for all three: Volatility 3's windows.py, MemProcFS's
//! vmmwininit.c, memflow-win32, QEMU's contrib/elf2dmp.

pub(crate) mod image;
pub(crate) mod lists;
pub(crate) mod shared;
pub(crate) mod stub;
pub(crate) mod sweep;
pub(crate) mod tables;

use std::collections::HashSet;
use std::fmt;

use crate::container::processor::Processor;
use crate::find::tables::{Candidate, Scope, Shift};
use crate::image::KernelImage;
use crate::memory::paging::Paging;
use crate::memory::physical::PhysicalMemory;
use crate::memory::space::AddressSpace;
use crate::value::address::Gva;
use crate::value::machine::Machine;
use crate::value::progress::Progress;

/// What is known of a machine before its kernel is found.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Hints<'h> {
    /// The page tables that the user names.
    pub(crate) directory_table_base: Option<u64>,
    /// Where the kernel is, as the user says.
    pub(crate) kernel_base: Option<Gva>,
    /// The processors that the container tells of.
    pub(crate) processors: &'h [Processor],
    /// The machine, where the container tells.
    pub(crate) machine: Option<Machine>,
    /// Top tables that an earlier search of the same memory came by.
    pub(crate) candidates: &'h [Candidate],
    /// Which pages are looked at for others.
    pub(crate) scope: Option<Scope>,
    /// Who is told how far a search is.
    pub(crate) progress: Option<&'h Progress>,
    /// In what other ways memory may be laid out. Tables that lie so are named among the candidates, not tried.
    pub(crate) shifts: &'h [Shift],
}

/// How many candidates are remembered: far more than there are processes.
const MOST_CANDIDATES: usize = 1 << 16;

/// What led to the page tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    /// The user.
    Asked,
    /// CR3 of the processor of this number.
    Register(usize),
    /// The code that starts processors, at this physical address.
    Stub(u64),
    /// A table that refers to itself.
    Search,
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            By::Asked => f.write_str("the page tables that were asked for"),
            By::Register(number) => write!(f, "CR3 of processor {number}"),
            By::Stub(at) => write!(f, "what starts processors, at physical address {at:x}"),
            By::Search => f.write_str("a search for page tables that refer to themselves"),
        }
    }
}

/// The kernel, and the page tables through which it was found.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) paging: Paging,
    pub(crate) directory_table_base: u64,
    pub(crate) image: KernelImage,
    pub(crate) by: By,
}

impl Found {
    /// The machine's type.
    pub(crate) fn machine(&self) -> Machine {
        machine_of(self.paging)
    }

    /// Memory as these page tables show it.
    pub(crate) fn space<'m>(&self, memory: &'m dyn PhysicalMemory) -> AddressSpace<'m> {
        AddressSpace::of(memory, self.paging, self.directory_table_base)
    }
}

fn machine_of(paging: Paging) -> Machine {
    match paging {
        Paging::X64 | Paging::La57 => Machine::Amd64,
        Paging::Arm64 => Machine::Arm64,
        Paging::X86 | Paging::Pae => Machine::I386,
    }
}

/// No kernel was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct NotFound {
    /// What was tried, each with what became of it.
    pub(crate) tried: Vec<String>,
    /// The top tables that led to no kernel.
    pub(crate) candidates: Vec<Candidate>,
}

impl fmt::Display for NotFound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.tried.join("; "))
    }
}

/// Finds the kernel.
///
/// # Errors
/// What was tried.
pub(crate) fn find(memory: &dyn PhysicalMemory, hints: &Hints<'_>) -> Result<Found, NotFound> {
    let mut search = Search {
        memory,
        hints,
        seen: HashSet::new(),
        tried: Vec::new(),
        candidates: Vec::new(),
    };
    search.run().ok_or(NotFound {
        tried: search.tried,
        candidates: search.candidates,
    })
}

/// One search, with what it has tried.
struct Search<'m, 'h> {
    memory: &'m dyn PhysicalMemory,
    hints: &'h Hints<'h>,
    /// The kernel's part of page tables that led nowhere: all processes have the same.
    seen: HashSet<(u64, u64)>,
    tried: Vec<String>,
    candidates: Vec<Candidate>,
}

impl Search<'_, '_> {
    fn run(&mut self) -> Option<Found> {
        // Who names the page tables wants these and no others.
        if let Some(root) = self.hints.directory_table_base {
            return self.at(root, By::Asked, None);
        }
        self.by_registers()
            .or_else(|| self.by_stub())
            .or_else(|| self.by_tables())
    }

    /// CR3 may be a process's table without the kernel's half (KVA shadow): then another processor's, or a search.
    fn by_registers(&mut self) -> Option<Found> {
        for (number, processor) in self.hints.processors.iter().enumerate() {
            let Some(cr3) = processor.cr3.filter(|&cr3| cr3 != 0) else {
                continue;
            };
            if let Some(found) = self.at(cr3, By::Register(number), Some(processor)) {
                return Some(found);
            }
        }
        if self.hints.processors.is_empty() {
            self.tried
                .push("the file has no registers of processors".to_owned());
        }
        None
    }

    fn by_stub(&mut self) -> Option<Found> {
        let stubs = stub::all(self.memory);
        if stubs.is_empty() {
            self.tried
                .push("no code that starts processors in the first 640 KiB".to_owned());
        }
        for stub in stubs {
            let hint = Processor {
                lstar: Some(stub.kernel),
                ..Processor::default()
            };
            if let Some(found) = self.at(stub.cr3, By::Stub(stub.at), Some(&hint)) {
                return Some(found);
            }
        }
        None
    }

    fn by_tables(&mut self) -> Option<Found> {
        for &Candidate { paging, root, .. } in self.hints.candidates {
            if let Some(found) = self.through(paging, root, By::Search, None) {
                return Some(found);
            }
        }
        let mut found = None;
        let mut candidates = Vec::new();
        let scope = self.hints.scope.unwrap_or(Scope::ALL);
        let Hints {
            machine,
            shifts,
            progress,
            ..
        } = *self.hints;
        let tell = |pages| {
            if let Some(progress) = progress {
                progress.add(pages);
            }
        };
        let looked = tables::search(self.memory, machine, scope, shifts, tell, |candidate| {
            if candidates.len() < MOST_CANDIDATES {
                candidates.push(candidate);
            }
            if candidate.shift.is_none() {
                found = self.through(candidate.paging, candidate.root, By::Search, None);
            }
            found.is_none()
        });
        if found.is_none() {
            self.tried.push(format!(
                "{} page tables that refer to themselves among {looked} pages",
                candidates.len()
            ));
            self.candidates = candidates;
        }
        found
    }

    /// Tries a DirectoryTableBase with every form of page tables that the machine may have.
    fn at(&mut self, root: u64, by: By, processor: Option<&Processor>) -> Option<Found> {
        for &paging in pagings(self.hints.machine, processor) {
            if let Some(found) = self.through(paging, root, by, processor) {
                return Some(found);
            }
        }
        self.tried.push(format!("no kernel through {by} ({root:x})"));
        None
    }

    fn through(&mut self, paging: Paging, root: u64, by: By, processor: Option<&Processor>) -> Option<Found> {
        let space = AddressSpace::of(self.memory, paging, root);
        let mut near: Vec<Gva> = Vec::new();
        if let Some(processor) = processor {
            near.extend(image::near(&space, processor));
        }
        if self.hints.kernel_base.is_none()
            && let Some(half) = tables::kernel_part(self.memory, &space, paging)
            && !self.seen.insert(half)
        {
            return None;
        }
        let image = match self.hints.kernel_base {
            Some(base) => image::at(&space, base),
            None => image::search(&space, paging, &near),
        }?;
        // Tables of ARM64 can be walked as those of x64 and lead to the same pages: it is the image that tells.
        if image.machine != machine_of(paging) {
            return None;
        }
        Some(Found {
            paging,
            directory_table_base: root,
            image,
            by,
        })
    }
}

/// The forms of page tables to try, the most likely first.
fn pagings(machine: Option<Machine>, processor: Option<&Processor>) -> &'static [Paging] {
    const LA57: u64 = 1 << 12;
    let five = processor
        .and_then(|processor| processor.cr4)
        .map(|cr4| cr4 & LA57 != 0);
    match (machine, five) {
        (Some(Machine::Arm64), _) => &[Paging::Arm64],
        (Some(Machine::I386), _) => &[Paging::Pae, Paging::X86],
        (_, Some(true)) => &[Paging::La57],
        (Some(Machine::Amd64), _) => &[Paging::X64, Paging::La57],
        (_, Some(false)) => &[Paging::X64, Paging::Pae, Paging::X86],
        _ => &[Paging::X64, Paging::La57, Paging::Arm64, Paging::Pae, Paging::X86],
    }
}
