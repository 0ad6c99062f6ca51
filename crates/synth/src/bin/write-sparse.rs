//! Writes a dump of a large machine that takes little room on disk, with the published case inside, and its PDB:
//! `cargo run -p synth --bin write-sparse -- full|bitmap|ranges <GiB> <file.dmp>`. The PDB gets the same name.

use std::error::Error;
use std::path::PathBuf;

use synth::dump::{Kind, write_sparse};
use synth::worlds;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [kind, size, path] = arguments.as_slice() else {
        return Err("usage: write-sparse full|bitmap|ranges <GiB> <file.dmp>".into());
    };
    let kind = match kind.as_str() {
        "full" => Kind::Full,
        "bitmap" => Kind::BitmapFull,
        "ranges" => Kind::CompleteRanges,
        other => return Err(format!("{other}: neither full, bitmap nor ranges").into()),
    };
    let bytes = size.parse::<u64>()?.checked_mul(1 << 30).ok_or("too many GiB")?;
    let path = PathBuf::from(path);
    let world = worlds::vista_sp2_x64_over(bytes / 0x1000);
    write_sparse(&path, kind, &world.header, &world.map().memory, bytes)?;
    std::fs::write(path.with_extension("pdb"), world.pdb())?;
    Ok(())
}
