//! Memory that is missing, torn or worn: what is said of it in one process, over every page and every link.
#![allow(missing_docs, clippy::cast_possible_truncation)]

mod analysis;
mod every_page;
mod lists;
mod payloads;

use alpc::CONTRACT;
use alpc::Kernel;
use kdump::{Dump, Gva};
use ntlayout::{Layout, Pdb, SymbolTable};
use synth::dump::Kind;
use synth::world::Built;

/// The layout of a world's kernel, by its PDB.
fn layout(world: &Built) -> Layout {
    let pdb = Pdb::from_bytes("kernel.pdb", world.pdb()).unwrap();
    pdb.resolve(&CONTRACT).unwrap()
}

/// The kind of dump that the world's Windows wrote.
fn kind(world: &Built) -> Kind {
    if world.truth.build < 9200 {
        Kind::Summary
    } else {
        Kind::BitmapKernel
    }
}

/// A dump of a world as it is.
fn dump(world: &Built) -> Dump {
    Dump::from_bytes("world.dmp", world.dump(kind(world))).unwrap()
}

/// Where the kernel of a whole dump is.
fn base(dump: &Dump) -> Gva {
    kdump::kernel_image(dump).unwrap().base
}

/// The kernel of a world in a dump of it, wherever that is damaged.
struct Opened {
    dump: Dump,
    base: Gva,
    layout: Layout,
}

impl Opened {
    fn of(world: &Built) -> Self {
        let dump = dump(world);
        Self {
            base: base(&dump),
            layout: layout(world),
            dump,
        }
    }

    /// The same kernel in another dump.
    fn in_bytes(&self, bytes: Vec<u8>) -> Self {
        Self {
            dump: Dump::from_bytes("damaged.dmp", bytes).unwrap(),
            base: self.base,
            layout: self.layout.clone(),
        }
    }

    fn kernel(&self) -> Kernel<'_> {
        alpc::kernel(&self.dump, self.base, self.layout.clone())
    }
}
