//! The published case with memory that an input overwrites.
//!
//! An input is a list of writes: where from (u8: one of [`KNOWN`], or any page of the file), an offset (u16),
//! a length (u8) and as many bytes.

use std::path::Path;
use std::sync::LazyLock;

use alpc::Kernel;
use kdump::{Dump, Gva};
use ntlayout::{Layout, Pdb, SymbolTable};

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

struct Case {
    file: Vec<u8>,
    base: Gva,
    /// The fixture's symbols, resolved once: reading PDBs is another target's matter.
    layout: Layout,
    /// Where the pages of the known addresses are in the file, two each: this one and the one behind.
    pages: Vec<Option<[usize; 2]>>,
}

static CASE: LazyLock<Case> = LazyLock::new(|| {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures");
    let file = std::fs::read(fixtures.join("vista-sp2-x64.dmp")).expect("the fixture is there");
    let pdb = Pdb::open(&fixtures.join("vista-sp2-x64.pdb")).expect("the fixture is there");
    let dump = Dump::from_bytes("fixture", file.clone()).expect("the fixture is a dump");
    Case {
        base: kdump::kernel_image(&dump).expect("the fixture has a kernel").base,
        pages: KNOWN.iter().map(|&gva| pages(&dump, gva)).collect(),
        layout: pdb
            .resolve(&alpc::contract::CONTRACT)
            .expect("the fixture resolves"),
        file,
    }
});

fn pages(dump: &Dump, gva: u64) -> Option<[usize; 2]> {
    let page = |gva| {
        let gpa = dump.kernel_space().translate(Gva::new(gva)).ok()?.gpa;
        usize::try_from(dump.frame(gpa.pfn().into()).ok()?.0).ok()
    };
    let first = page(gva)?;
    Some([first, page(gva + 0x1000).unwrap_or(first)])
}

/// Does to the case what the input says, and hands over its kernel unless the dump no longer opens.
///
/// # Panics
/// Where the fixture is not there.
pub fn with_overwritten(data: &[u8], look: impl FnOnce(&Kernel<'_>)) {
    let case = &*CASE;
    let mut file = case.file.clone();
    let mut input = Input(data);
    for _ in 0..MAX_WRITES {
        if input.is_empty() {
            break;
        }
        write(case, &mut file, &mut input);
    }
    if let Ok(dump) = Dump::from_bytes("fuzz.dmp", file) {
        look(&Kernel::new(&dump, case.base, case.layout.clone()));
    }
}

/// One write. Relative to a known address the offset begins 256 bytes before it, where its headers are.
fn write(case: &Case, file: &mut [u8], input: &mut Input<'_>) {
    let (from, offset, len) = (usize::from(input.u8()), usize::from(input.u16()), input.u8());
    let bytes = input.take(len.into());
    let at = match case.pages.get(from) {
        Some(Some(pages)) => {
            let inside = (KNOWN[from] as usize & 0xfff) + offset % 0x1000;
            let inside = inside.saturating_sub(0x100);
            pages[inside >> 12 & 1] + (inside & 0xfff)
        }
        _ => (from << 16 | offset) % file.len(),
    };
    let end = (at + bytes.len()).min(file.len());
    file[at..end].copy_from_slice(&bytes[..end - at]);
}
