//! Writes the seeds that the fuzz targets begin with: `cargo run --example seeds [-- <corpus folder>]`.
//!
//! They are small valid files of every form, made by the same crate that makes the fixtures, so that a fuzzer
//! need not find the formats by chance.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use alpc_dump_fuzz::machine::PRESENT;
use synth::address::Pfn;
use synth::dump::{self, Header, Kind};
use synth::layout::Kernel;
use synth::pdb::{self, Leaves, Pdb};
use synth::physical::{PhysicalMemory, Run};

type Seeds = Vec<(String, Vec<u8>)>;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args_os().nth(1).map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus"),
        PathBuf::from,
    );
    write(&folder.join("header_and_index"), dumps())?;
    write(&folder.join("translate"), steps())?;
    write(&folder.join("pdb"), pdbs())?;
    write(&folder.join("message"), writes())?;
    write(&folder.join("walks"), writes())?;
    Ok(())
}

fn write(folder: &Path, seeds: Seeds) -> std::io::Result<()> {
    fs::create_dir_all(folder)?;
    for (name, bytes) in seeds {
        fs::write(folder.join(name), bytes)?;
    }
    Ok(())
}

/// Three pages in two runs, one of them at frame 0, in every kind, whole and cut in the last page.
fn dumps() -> Seeds {
    let mut seeds = Seeds::new();
    let mut memory = PhysicalMemory::new();
    for (number, frame) in (1u8..).zip([0, 5, 6]) {
        memory.frame_mut(Pfn(frame)).fill(number);
    }
    let runs = vec![
        Run {
            base: Pfn(0),
            count: 1,
        },
        Run {
            base: Pfn(5),
            count: 2,
        },
    ];
    let header = Header::x64(7601, runs);
    for kind in [
        Kind::Full,
        Kind::Summary,
        Kind::BitmapFull,
        Kind::BitmapKernel,
        Kind::KernelRanges,
        Kind::KernelUserRanges,
        Kind::CompleteRanges,
    ] {
        let file = dump::write(kind, &header, &memory);
        let cut = file[..file.len() - 0x800].to_vec();
        seeds.push((format!("kind-{}", kind.number()), file));
        seeds.push((format!("kind-{}-cut", kind.number()), cut));
    }
    seeds
}

/// A number of the machine's step language, with the values of one address in it.
struct Steps(Vec<u8>);

impl Steps {
    fn entry(&mut self, slot: u8, index: u16, flags: u16, target: u8) -> &mut Self {
        self.0.extend([0, slot]);
        self.0.extend(index.to_le_bytes());
        self.0.extend(flags.to_le_bytes());
        self.0.push(target);
        self
    }

    fn bytes(&mut self, slot: u8, offset: u16, bytes: &[u8]) -> &mut Self {
        self.0.extend([2, slot]);
        self.0.extend(offset.to_le_bytes());
        self.0.push(u8::try_from(bytes.len()).unwrap());
        self.0.extend(bytes);
        self
    }

    fn ask(&mut self, indices: [u16; 4], offset: u16, len: u16) -> &mut Self {
        self.0.push(4);
        for number in indices.into_iter().chain([offset, len]) {
            self.0.extend(number.to_le_bytes());
        }
        self
    }
}

/// The slot of a frame of the machine, which is its number as a target too.
fn slot(frame: u64) -> u8 {
    let slot = PRESENT.iter().position(|&present| present == frame).unwrap();
    u8::try_from(slot).unwrap()
}

/// Tables for every size of page, entries in transition, a string, and reads over page ends.
fn steps() -> Seeds {
    // Valid and writable; the same for a large page; transition with a protection.
    const TABLE: u16 = 0x63;
    const LARGE: u16 = 0xe3;
    const TRANSITION: u16 = 0x880;
    let mut small = Steps(Vec::new());
    small
        .entry(0, 0x1f0, TABLE, 1)
        .entry(1, 0, TABLE, 2)
        .entry(2, 0, TABLE, 3)
        .entry(3, 0, TABLE, 5)
        .entry(3, 1, TABLE, 4)
        .entry(3, 2, TRANSITION, 7)
        .entry(3, 3, TABLE, 24)
        .bytes(4, 0, b"a page that is not where its neighbour is")
        .ask([0x1f0, 0, 0, 0], 0xffd, 0x1006)
        .ask([0x1f0, 0, 0, 2], 0, 8)
        .ask([0x1f0, 0, 0, 3], 0, 8);
    let mut large = Steps(Vec::new());
    large
        .entry(0, 1, TABLE, 1)
        .entry(1, 2, TABLE, 2)
        .entry(2, 3, LARGE, slot(0x200))
        .entry(1, 4, LARGE, slot(0x40000))
        .ask([1, 2, 3, 0], 0xff0, 0x2020)
        .ask([1, 4, 0, 1], 0xff0, 0x2020)
        .ask([1, 4, 0, 9], 0xff0, 0x20);
    let mut string = Steps(Vec::new());
    string
        .entry(0, 0, TABLE, 1)
        .entry(1, 0, TABLE, 2)
        .entry(2, 0, TABLE, 3)
        .entry(3, 1, TABLE, 4)
        .bytes(4, 0x10, &[8, 0, 10, 0, 0, 0, 0, 0, 0x40, 0x10])
        .bytes(4, 0x40, &[b'P', 0, 0x3d, 0xd8, b'r', 0, b't', 0])
        .ask([0, 0, 0, 1], 0x10, 16);
    let mut image = Steps(Vec::new());
    image
        .entry(0, 0x1f0, TABLE, 1)
        .entry(1, 0, TABLE, 2)
        .entry(2, 0, TABLE, 3)
        .entry(3, 0, TABLE, 4)
        .entry(3, 1, TABLE, 5)
        .bytes(4, 0, b"MZ")
        .bytes(4, 0x3c, &[0x80])
        .bytes(4, 0x80, b"PE\0\0\x64\x86")
        .bytes(4, 0x94, &[0xf0, 0, 0x22, 0, 0x0b, 2])
        .bytes(4, 0xd0, &[0, 0x20])
        .bytes(4, 0x104, &[16])
        .bytes(4, 0x138, &[0, 2, 0, 0, 28])
        .bytes(4, 0x20c, &[2, 0, 0, 0, 36, 0, 0, 0, 0, 3])
        .bytes(4, 0x300, b"RSDSguid is any 16byte\x01\0\0\0ntkrnlmp.pdb")
        .bytes(5, 0x20 + 0x10, b"KDBG\x40\x03")
        .bytes(5, 0x20 + 0x18, &[0, 0, 0, 0, 0, 0xf8, 0xff, 0xff])
        .ask([0x1f0, 0, 0, 0], 0, 64);
    while image.0.len() % 64 != 63 {
        image.0.push(0);
    }
    [
        ("small", small),
        ("large", large),
        ("string", string),
        ("image", image),
    ]
    .map(|(name, steps)| (name.to_owned(), steps.0))
    .into()
}

/// A kernel's PDB with few types in each form of record, and one with all of them.
fn pdbs() -> Seeds {
    let kernel = Kernel::named(Kernel::names().last().expect("there are kernels"));
    let whole = pdb::describe_kernel(&kernel);
    let mut seeds = vec![("whole".to_owned(), whole.write())];
    for (name, wide, unknown_record) in [("narrow", false, false), ("wide", true, true)] {
        let leaves = Leaves {
            unique_names: wide,
            wide,
            unknown_record,
        };
        seeds.push((
            name.to_owned(),
            Pdb {
                leaves,
                ..few(&whole)
            }
            .write(),
        ));
    }
    seeds
}

fn few(whole: &Pdb) -> Pdb {
    let mut few = whole.clone();
    few.block_size = 512;
    few.types
        .udts
        .retain(|name, _| matches!(name.as_str(), "_LIST_ENTRY" | "_PORT_MESSAGE" | "_CLIENT_ID"));
    few.publics.truncate(8);
    few
}

/// Nothing overwritten; a pointer of the message; a byte of its list; a page of any kind.
fn writes() -> Seeds {
    let write = |from: u8, offset: u16, bytes: &[u8]| {
        let mut write = vec![from];
        write.extend(offset.to_le_bytes());
        write.push(u8::try_from(bytes.len()).unwrap());
        write.extend(bytes);
        write
    };
    vec![
        ("nothing".to_owned(), Vec::new()),
        ("pointer".to_owned(), write(0, 0x118, &[0; 8])),
        ("state".to_owned(), write(1, 0x240, &[0xff; 64])),
        ("anywhere".to_owned(), write(9, 0x4000, &[0x55; 255])),
    ]
}
