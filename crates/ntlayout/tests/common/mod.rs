//! Where tests find PDBs.
#![allow(dead_code)]

use std::fs;
use std::path::{Path, PathBuf};

use ntlayout::{FieldSpec, Need, Pdb};

/// A path of the material shared beside the repository, where that is present.
pub fn shared(path: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared")
        .join(path);
    path.exists().then_some(path)
}

/// All shared PDBs that are sound: complete kernels, and small ones of Microsoft's linker.
pub fn sound_pdbs() -> Vec<PathBuf> {
    let store = shared("worlds/syms/ntkrnlmp.pdb").map(|store| fs::read_dir(store).unwrap());
    let kernels = store
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().path().join("ntkrnlmp.pdb"));
    let samples = ["SimplePDB.pdb", "xcpt4.pdb", "ARM64_xcpt4.pdb"];
    let samples = samples
        .iter()
        .filter_map(|name| shared("samples").map(|folder| folder.join(name)));
    kernels.chain(samples).collect()
}

/// For contracts made while a test runs.
pub fn leak<T: Clone>(items: &[T]) -> &'static [T] {
    Box::leak(items.to_vec().into_boxed_slice())
}

pub fn leak_str(text: &str) -> &'static str {
    Box::leak(text.to_owned().into_boxed_str())
}

/// A required field of one spelling.
pub fn field(ty: &str, path: &str) -> FieldSpec {
    let path = leak_str(path);
    FieldSpec {
        ty: leak_str(ty),
        name: path,
        spellings: leak(&[path]),
        need: Need::Required,
    }
}

/// The PDB that the test builder writes for a kernel.
pub fn synthetic(kernel: &str) -> Vec<u8> {
    synth::pdb::from_kernel(&synth::layout::Kernel::named(kernel))
}

pub fn open(bytes: Vec<u8>) -> Pdb {
    Pdb::from_bytes("ntkrnlmp.pdb", bytes).unwrap()
}
