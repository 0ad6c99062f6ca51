//! Known systems with memory that an input overwrites.
//!
//! An input is a list of writes: where from (u8: one of the addresses that the case knows, or any page of the file),
//! an offset (u16), a length (u8) and as many bytes.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use alpc::Kernel;
use kdump::{Dump, Gva};
use ntlayout::{Layout, Pdb, SymbolTable};
use synth::dump::Kind;
use synth::world::Built;
use synth::worlds;

use crate::input::Input;

/// Addresses of the published case: the message, its ports, the process of its server, its threads.
pub const KNOWN: [u64; 6] = [
    0xffff_f880_0f4c_c950,
    0xffff_fa80_17db_b060,
    0xffff_fa80_18a9_5e60,
    0xffff_fa80_1807_b8f0,
    0xffff_fa80_1afa_e6f0,
    0xffff_fa80_1aee_c060,
];
const MAX_WRITES: usize = 256;
/// The others of the 256 numbers that a write may begin with stand for places in the file.
const MAX_KNOWN: usize = 192;

/// A system, and where in it inputs like to write.
pub struct Case {
    file: Vec<u8>,
    base: Gva,
    /// The symbols, resolved once: reading PDBs is another target's matter.
    layout: Layout,
    /// The symbols themselves, for whole types.
    pub pdb: Pdb,
    /// What is worth looking at.
    pub known: Vec<u64>,
    /// Where the pages of the known addresses are in the file, two each: this one and the one behind.
    pages: Vec<Option<[usize; 2]>>,
}

static FIXTURE: LazyLock<Case> = LazyLock::new(|| {
    let fixtures = fixtures();
    let file = std::fs::read(fixtures.join("vista-sp2-x64.dmp")).expect("the fixture is there");
    let pdb = Pdb::open(&fixtures.join("vista-sp2-x64.pdb")).expect("the fixture is there");
    Case::new(file, pdb, KNOWN.to_vec())
});

/// Systems of several generations and machines, in whole and in trouble of several kinds.
static WORLDS: [LazyLock<Case>; 7] = [
    LazyLock::new(|| Case::of(&worlds::standard("win11-21h2-x64"))),
    LazyLock::new(|| Case::of(&worlds::hang::ring_of_three("win10-2004-x64").built)),
    LazyLock::new(|| Case::of(&worlds::hang::exhausted_pool("win10-1809-x64").built)),
    LazyLock::new(|| Case::of(&worlds::hang::row_to_mutant("vista-sp2-x64").built)),
    LazyLock::new(|| Case::of(&worlds::without_pae("win10-2004-x86"))),
    LazyLock::new(|| Case::of(&worlds::with_holes("win7-sp1-x64"))),
    LazyLock::new(|| Case::of(&worlds::hang::terminal_server("win81-x64", 2, 3, 4).built)),
];

/// Beside the program, where that runs on another machine than it was built on.
fn fixtures() -> PathBuf {
    let beside = std::env::current_exe().map(|program| program.with_file_name("fixtures"));
    beside
        .ok()
        .filter(|folder| folder.is_dir())
        .unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures"))
}

impl Case {
    fn new(file: Vec<u8>, pdb: Pdb, known: Vec<u64>) -> Case {
        let dump = Dump::from_bytes("case", file.clone()).expect("the case is a dump");
        Case {
            base: kdump::kernel_image(&dump).expect("the case has a kernel").base,
            pages: known.iter().map(|&gva| pages(&dump, gva)).collect(),
            layout: pdb.resolve(&alpc::CONTRACT).expect("the case resolves"),
            pdb,
            known,
            file,
        }
    }

    /// Hands over the kernel of the system as nobody wrote into it.
    ///
    /// # Panics
    /// Never: it was opened before.
    pub fn unharmed(&self, look: impl FnOnce(&Kernel<'_>)) {
        let dump = Dump::from_bytes("case", self.file.clone()).expect("the case is a dump");
        look(&alpc::kernel(&dump, self.base, self.layout.clone()));
    }

    fn of(built: &Built) -> Case {
        let pdb = Pdb::from_bytes("case.pdb", built.pdb()).expect("the case has symbols");
        Case::new(built.dump(Kind::BitmapKernel), pdb, known(built))
    }
}

/// A bit of everything, for where there are too many.
fn known(built: &Built) -> Vec<u64> {
    let truth = &built.truth;
    let all: [Vec<u64>; 7] = [
        truth.threads.iter().map(|thread| thread.address.0).collect(),
        truth.messages.iter().map(|message| message.address.0).collect(),
        truth.ports.iter().map(|port| port.address.0).collect(),
        truth
            .processes
            .iter()
            .flat_map(|process| [process.address.0, process.object_table.0])
            .collect(),
        truth
            .communication_infos
            .iter()
            .map(|info| info.address.0)
            .collect(),
        truth
            .resources
            .iter()
            .map(|resource| resource.address().0)
            .collect(),
        truth.directories.keys().map(|directory| directory.0).collect(),
    ];
    let most = all.iter().map(Vec::len).max().unwrap_or(0);
    let turns = (0..most).flat_map(|turn| all.iter().filter_map(move |kind| kind.get(turn).copied()));
    turns.filter(|&gva| gva != 0).take(MAX_KNOWN).collect()
}

fn pages(dump: &Dump, gva: u64) -> Option<[usize; 2]> {
    let page = |gva| {
        let gpa = dump.kernel_space().translate(Gva::new(gva)).ok()?.gpa;
        usize::try_from(dump.frame(gpa.pfn()).ok()?.0).ok()
    };
    let first = page(gva)?;
    Some([first, page(gva + 0x1000).unwrap_or(first)])
}

/// Does to the published case what the input says, and hands over its kernel unless the dump no longer opens.
///
/// # Panics
/// Where the fixture is not there.
pub fn with_overwritten(data: &[u8], look: impl FnOnce(&Kernel<'_>)) {
    overwrite(&FIXTURE, Input(data), look);
}

/// As [`with_overwritten`], to one of several systems: the first byte says which.
///
/// # Panics
/// Where a system cannot be built.
pub fn with_overwritten_world(data: &[u8], look: impl FnOnce(&Kernel<'_>, &Case)) {
    let mut input = Input(data);
    let case = &WORLDS[usize::from(input.u8()) % WORLDS.len()];
    overwrite(case, input, |kernel| look(kernel, case));
}

fn overwrite(case: &Case, mut input: Input<'_>, look: impl FnOnce(&Kernel<'_>)) {
    let mut file = case.file.clone();
    for _ in 0..MAX_WRITES {
        if input.is_empty() {
            break;
        }
        write(case, &mut file, &mut input);
    }
    if let Ok(dump) = Dump::from_bytes("fuzz.dmp", file) {
        look(&alpc::kernel(&dump, case.base, case.layout.clone()));
    }
}

/// One write. Relative to a known address the offset begins 256 bytes before it, where its headers are.
fn write(case: &Case, file: &mut [u8], input: &mut Input<'_>) {
    let (from, offset, len) = (usize::from(input.u8()), usize::from(input.u16()), input.u8());
    let bytes = input.take(len.into());
    let at = match case.pages.get(from) {
        Some(Some(pages)) => {
            let inside = (case.known[from] as usize & 0xfff) + offset % 0x1000;
            let inside = inside.saturating_sub(0x100);
            pages[inside >> 12 & 1] + (inside & 0xfff)
        }
        _ => (from << 16 | offset) % file.len(),
    };
    let end = (at + bytes.len()).min(file.len());
    file[at..end].copy_from_slice(&bytes[..end - at]);
}
