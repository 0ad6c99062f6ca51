//! Writes `fixtures/`: `cargo run -p synth --bin write-fixtures [-- <folder>]`.

use std::error::Error;
use std::fs;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn Error>> {
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures");
    let folder = std::env::args_os()
        .nth(1)
        .map_or_else(|| PathBuf::from(default), PathBuf::from);
    fs::create_dir_all(&folder)?;
    for (name, bytes) in synth::fixtures::all() {
        fs::write(folder.join(name), bytes)?;
    }
    Ok(())
}
