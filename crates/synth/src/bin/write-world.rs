//! Writes a world as a dump, with its PDB and its truth beside it:
//! `cargo run -p synth --bin write-world -- <kernel>|published <kind> <file.dmp>`.
//!
//! The kernel is one of the layout extract (`vista-sp2-x64`, `win8-x86` and so on) or one derived from it
//! (`win11-22h2-la57-x64`, `win11-21h2-arm64`), the kind is 1, 2, 5, 6, and of 64-bit systems also 8, 9 or 10. The
//! PDB gets the dump's name with `.pdb`, the truth with `.truth.json`.
//!
//! `terminal-server:20000` is a system of that many threads in a twentieth as many processes, with two and a half
//! messages a thread; `stack` has a thread whose kernel stack is known; `calls` has remote procedure calls of every
//! sort; `accounts` has users, their tokens and ports that let in some; `ring-of-three`, `request`, `crowd:24`, `ring:24`, `hostile-names` and `ports:5000` are what
//! pictures show, those in the documentation among them.

use std::error::Error;
use std::path::PathBuf;

use synth::dump::Kind;
use synth::layout::Kernel;
use synth::world::Built;
use synth::worlds::{self, hang, rpc, security};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, kind, path] = arguments.as_slice() else {
        return Err("usage: write-world <kernel>|published <kind> <file.dmp>".into());
    };
    let kernels = Kernel::names();
    let kinds = [
        Kind::Full,
        Kind::Summary,
        Kind::BitmapFull,
        Kind::BitmapKernel,
        Kind::KernelRanges,
        Kind::KernelUserRanges,
        Kind::CompleteRanges,
    ];
    let kind = kinds.into_iter().find(|one| one.number().to_string() == *kind);
    let kind = kind.ok_or("the kind is 1, 2, 5, 6, 8, 9 or 10")?;
    let world = match name.as_str() {
        "published" => worlds::vista_sp2_x64(),
        kernel if kernels.contains(&kernel) => worlds::standard(kernel),
        "calls" => rpc::calls("win11-22h2-x64").built,
        "accounts" => security::accounts("win10-2004-x64").built,
        "hostile-names" => hang::hostile("vista-sp2-x64").built,
        "request" => hang::io("win11-21h2-x64", hang::Io::File).built,
        "ring-of-three" => hang::ring_of_three("vista-sp2-x64").built,
        "stack" => hang::row_to_driver("win10-1809-x64").0.built,
        sized if sized.contains(':') => of_size(sized)?,
        other => return Err(format!("{other}: there are {}", kernels.join(", ")).into()),
    };
    let path = PathBuf::from(path);
    std::fs::write(&path, world.dump(kind))?;
    std::fs::write(path.with_extension("pdb"), world.pdb())?;
    let truth = serde_json::to_string_pretty(&world.truth)?;
    std::fs::write(path.with_extension("truth.json"), truth)?;
    Ok(())
}

/// A world by its name and size.
fn of_size(name: &str) -> Result<Built, Box<dyn Error>> {
    let (name, size) = name.split_once(':').ok_or("no size")?;
    let size: u64 = size.parse()?;
    match name {
        "terminal-server" => Ok(hang::terminal_server("vista-sp2-x64", size / 20, size, size * 5 / 2).built),
        "crowd" => Ok(hang::crowd("win10-2004-x64", 8, size).built),
        "ring" => Ok(hang::ring_of("win10-2004-x64", usize::try_from(size)?).built),
        "ports" => Ok(hang::many_ports("vista-sp2-x64", size).built),
        other => Err(format!("{other}: crowd, ring, terminal-server and ports have a size").into()),
    }
}
