//! Writes a folder of dumps of many systems, as a fleet has them, with the PDBs of their kernels:
//! `cargo run --release -p synth --bin write-fleet -- <folder> <count>`.
//!
//! Kernels and what hangs take turns, so that dumps of one kernel hang differently and dumps of different kernels
//! hang alike. The same count gives the same bytes.

use std::error::Error;
use std::fs;
use std::path::Path;

use synth::dump::Kind;
use synth::layout::Kernel;
use synth::world::Built;
use synth::worlds;
use synth::worlds::hang::{self, Server};

/// What can hang.
const SCENES: [fn(&str) -> Built; 8] = [
    worlds::standard,
    |kernel| hang::row_to_mutant(kernel).built,
    |kernel| hang::ring_of_three(kernel).built,
    |kernel| hang::half_circle(kernel).built,
    |kernel| hang::row_to_process(kernel).built,
    |kernel| hang::blocked_queue(kernel, 4, 6).built,
    |kernel| hang::served_by(kernel, Server::MessageBox).built,
    |kernel| hang::paged_out(kernel).built,
];

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, count] = arguments.as_slice() else {
        return Err("usage: write-fleet <folder> <count>".into());
    };
    let folder = Path::new(folder);
    fs::create_dir_all(folder)?;
    // Of ARM64 there is no complete layout.
    let kernels = Kernel::names()
        .into_iter()
        .filter(|name| !name.ends_with("arm64"));
    let kernels: Vec<&str> = kernels.collect();
    for number in 0..count.parse()? {
        write(folder, number, &kernels)?;
    }
    Ok(())
}

fn write(folder: &Path, number: usize, kernels: &[&str]) -> Result<(), Box<dyn Error>> {
    let kernel = kernels[number % kernels.len()];
    // The next scene with each round of kernels.
    let scene = SCENES[(number + number / kernels.len()) % SCENES.len()];
    let world = scene(kernel);
    let kind = if world.truth.build < 9200 {
        Kind::Summary
    } else {
        Kind::BitmapKernel
    };
    fs::write(folder.join(format!("host-{number:05}.dmp")), world.dump(kind))?;
    let pdb = folder.join(format!("{kernel}.pdb"));
    if !pdb.exists() {
        fs::write(pdb, world.pdb())?;
    }
    Ok(())
}
