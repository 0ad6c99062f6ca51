//! Which symbols a kernel has whose image does not say so: those that have every variable where the dump says
//! that it is.

use kdump::Dump;
use ntlayout::published::{self, Published};
use ntlayout::{Place, Processor, Table, built_in_where};

/// A variable and where the dump's header or its debugger data block says that it is.
type Told = (&'static str, u64);

/// Symbols that fit, and where the image begins by them.
pub struct Candidate {
    /// The symbols.
    pub table: Table,
    /// Where the image begins by them.
    pub base: u64,
}

/// The published kernels for that processor whose variables are where the dump says: more than one share their addresses
/// with others.
pub fn published(dump: &Dump, processor: Processor, base: Option<u64>) -> Vec<(Published, u64)> {
    let told = told(dump);
    let kernels = published::all().filter(|kernel| kernel.processor.is_none_or(|of| of == processor));
    kernels
        .filter_map(|kernel| {
            let found = base_by(&|name| kernel.rva(name), &told)?;
            base.is_none_or(|base| base == found).then_some((kernel, found))
        })
        .collect()
}

/// All symbols that fit: of the files that a user named, else of those that come with the program.
pub fn by_addresses(
    dump: &Dump,
    processor: Processor,
    places: &[Place],
    base: Option<u64>,
) -> Vec<Candidate> {
    let told = told(dump);
    let fit = |rva: &dyn Fn(&str) -> Option<u32>| {
        base_by(rva, &told).filter(|&found| base.is_none_or(|base| base == found))
    };
    let candidate = |table: Table| {
        let base = fit(&|name| table.global(name).ok().flatten())?;
        Some(Candidate { table, base })
    };
    let named = places.iter().filter_map(|place| match place {
        Place::Path(path) if path.is_file() => ntlayout::open(path).ok(),
        _ => None,
    });
    let mut named = named.filter_map(candidate);
    match named.next() {
        Some(named) => vec![named],
        None => built_in_where(processor, |rvas| fit(&|name| rvas.get(name).copied()).is_some())
            .into_iter()
            .filter_map(candidate)
            .collect(),
    }
}

/// Where the image of a published kernel begins, by the addresses that the dump tells of its variables.
pub fn base_of(dump: &Dump, published: &Published) -> Option<u64> {
    base_by(&|name| published.rva(name), &told(dump))
}

/// The same by symbols.
pub fn base_by_table(dump: &Dump, table: &Table) -> Option<u64> {
    base_by(&|name| table.global(name).ok().flatten(), &told(dump))
}

fn told(dump: &Dump) -> Vec<Told> {
    let header = dump.header();
    // What every header has, and not enough: 755 of 1,181 amd64 kernels share these three with another one, and six
    // such sets have types of different sizes.
    let mut told: Vec<Told> = [
        ("PsLoadedModuleList", header.ps_loaded_module_list),
        ("PsActiveProcessHead", header.ps_active_process_head),
        ("KdDebuggerDataBlock", header.kd_debugger_data_block),
    ]
    .into_iter()
    .filter_map(|(name, address)| Some((name, u64::from(address?))))
    .collect();
    // The block is encoded in the memory of a running system and decoded when it crashes: of a live dump it may say
    // nothing (for live dumps general knowledge).
    if let Ok(block) = kdump::debugger_data(dump) {
        let more = [
            ("PspCidTable", block.psp_cid_table),
            ("ObpRootDirectoryObject", block.obp_root_directory_object),
            ("ObpTypeObjectType", block.obp_type_object_type),
            ("KeTimeIncrement", block.ke_time_increment),
        ];
        told.extend(more.into_iter().filter(|(_, address)| *address != 0));
    }
    told
}

/// The one base from which the symbols have every variable where it was told to be. Three variables are the
/// least, as the header has them: fewer fit by chance.
fn base_by(rva: &dyn Fn(&str) -> Option<u32>, told: &[Told]) -> Option<u64> {
    let mut base = None;
    let mut fitting = 0_u32;
    for &(name, address) in told {
        let Some(rva) = rva(name) else {
            continue;
        };
        let this = address.checked_sub(rva.into())?;
        if this % 0x1000 != 0 || base.is_some_and(|base| base != this) {
            return None;
        }
        base = Some(this);
        fitting = fitting.saturating_add(1);
    }
    base.filter(|_| fitting >= 3)
}
