//! Writes the seeds that the fuzz targets begin with: `cargo run --example seeds [-- <corpus folder>]`.
//!
//! They are small valid files of every form, made by the same crate that makes the fixtures, so that a fuzzer
//! need not find the formats by chance.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use alpc_dump_fuzz::machine::PRESENT;
use alpc_dump_fuzz::wrapped::crc32;
use ntlayout::SymbolTable;
use synth::address::Pfn;
use synth::container::diskdump::{Form, Packing};
use synth::container::{self, hiberfil, hyper_v, virtualbox};
use synth::dump::{self, Header, Kind};
use synth::layout::Kernel;
use synth::machine::Machine;
use synth::pdb::{self, Leaves, Pdb};
use synth::physical::{PhysicalMemory, Run};

type Seeds = Vec<(String, Vec<u8>)>;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args_os().nth(1).map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus"),
        PathBuf::from,
    );
    write(&folder.join("header_and_index"), dumps())?;
    write(&folder.join("packed"), packed())?;
    write(&folder.join("saved_states"), states())?;
    write(&folder.join("translate"), steps())?;
    write(&folder.join("pdb"), pdbs())?;
    write(&folder.join("message"), writes())?;
    write(&folder.join("walks"), writes())?;
    write(&folder.join("symbols"), symbols()?)?;
    write(&folder.join("waits"), waits())?;
    Ok(())
}

fn write(folder: &Path, seeds: Seeds) -> std::io::Result<()> {
    fs::create_dir_all(folder)?;
    for (name, bytes) in seeds {
        fs::write(folder.join(name), bytes)?;
    }
    Ok(())
}

/// A few pages in every form that has to be unpacked.
fn states() -> Seeds {
    let mut memory = PhysicalMemory::new();
    for (number, frame) in (1u8..).zip([1, 5, 6, 7, 9]) {
        let page = memory.frame_mut(Pfn(frame));
        for (at, byte) in page.iter_mut().enumerate() {
            *byte = number.wrapping_mul(u8::try_from(at / 64).unwrap_or_default());
        }
    }
    let machine = container::Machine {
        memory: &memory,
        processors: &[container::Registers::default()],
    };
    let mut seeds = Seeds::new();
    for pending in [false, true] {
        let style = hyper_v::Style {
            packed: true,
            pending,
            ..hyper_v::Style::default()
        };
        seeds.push((
            format!("state-{pending}.vmrs"),
            hyper_v::saved(machine, style).bytes,
        ));
    }
    for length in [0x340, 0x360, 0x448] {
        let written = hiberfil::hibernated(machine, hiberfil::Style::of(length));
        seeds.push((format!("{length:x}.sys"), written.bytes));
    }
    for number in 0..8u8 {
        let style = virtualbox::Style {
            version: 11 + u32::from(number % 4),
            live: number > 3,
            narrow: number % 3 == 1,
            summed: number % 2 == 0,
            split: number % 5 == 4,
            ballooned: 2,
        };
        let written = virtualbox::saved(machine, style);
        seeds.push((format!("{number}.sav"), written.bytes));
    }
    for wide in [false, true] {
        seeds.push((format!("seven-{wide}.sys"), hiberfil::seven(machine, wide, 2)));
    }
    seeds
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
    for (name, machine, kinds) in [
        ("x64", Machine::X64, &KINDS[..]),
        ("arm64", Machine::Arm64, &KINDS[3..4]),
        // Range dumps are newer than the last debugger that wrote 32-bit ones.
        ("x86", Machine::X86, &KINDS[..4]),
        ("pae", Machine::Pae, &KINDS[..4]),
    ] {
        let header = Header::of(machine, 7601, runs.clone());
        for &kind in kinds {
            let file = dump::write(kind, &header, &memory);
            let cut = file[..file.len() - 0x800].to_vec();
            seeds.push((format!("{name}-{}", kind.number()), file));
            seeds.push((format!("{name}-{}-cut", kind.number()), cut));
        }
    }
    let mut unknown = dump::write(
        Kind::BitmapFull,
        &Header::of(Machine::X86, 7601, runs.clone()),
        &memory,
    );
    unknown[0x5c] = b'P';
    seeds.push(("x86-unknown-pae".to_owned(), unknown));
    let triage = triage(&dump::write(Kind::Full, &Header::x64(7601, runs), &memory)[..0x2000]);
    seeds.push(("triage-cut".to_owned(), triage[..triage.len() - 0x20].to_vec()));
    seeds.push(("triage".to_owned(), triage));
    seeds
}

/// The same pages in each form of packed memory.
fn packed() -> Seeds {
    let mut memory = PhysicalMemory::new();
    for (number, frame) in (1u8..).zip([1, 2, 5, 6, 9]) {
        memory.frame_mut(Pfn(frame)).fill(number);
    }
    let machine = container::Machine {
        memory: &memory,
        processors: &[],
    };
    let form = Form {
        packings: &[Packing::Zlib, Packing::Lzo, Packing::Snappy, Packing::Zstd],
        flattened: false,
        level: 1,
    };
    let flattened = Form {
        flattened: true,
        ..form
    };
    [
        ("kdump", 0, container::diskdump::compressed(machine, form)),
        (
            "flattened",
            1,
            container::diskdump::compressed(machine, flattened),
        ),
        ("avml", 2, container::avml::image(machine)),
    ]
    .map(|(name, choice, bytes)| (name.to_owned(), [vec![choice], bytes].concat()))
    .into()
}

const KINDS: [Kind; 7] = [
    Kind::Full,
    Kind::Summary,
    Kind::BitmapFull,
    Kind::BitmapKernel,
    Kind::KernelRanges,
    Kind::KernelUserRanges,
    Kind::CompleteRanges,
];

/// A triage dump by `TRIAGE_DUMP64`: a processor's control block, a process, a thread, a stack, a debugger data block,
/// two modules, and data blocks that touch and overlap.
fn triage(header: &[u8]) -> Vec<u8> {
    const KDBG: u64 = 0xffff_f800_0100_0b20;
    const THREAD: u64 = 0xffff_fa80_0000_1640;
    const PROCESS: u64 = 0xffff_fa80_0000_8180;
    const KERNEL: u64 = 0xffff_f800_0040_0000;
    let mut file = header.to_vec();
    file.resize(0x2080, 0);
    put32(&mut file, 0xf98, 4);
    put64(&mut file, 0x80, KDBG);
    put64(&mut file, 0x2048, 0xffff_f880_0290_0ee8);
    let mut data = vec![0; 0x380];
    data[0x10..0x14].copy_from_slice(b"KDBG");
    put32(&mut data, 0x14, 0x380);
    put64(&mut data, 0x18, KERNEL);
    // Where a thread is in its processor's block and a process in its thread, and the sizes of these.
    for (offset, value) in [(0x2a0, 0xb8), (0x2a8, 0x200), (0x2b4, 8), (0x2c0, 0x100)] {
        put32(&mut data, offset, value);
    }
    let mut prcb = vec![0; 0x40];
    put64(&mut prcb, 8, THREAD);
    let mut thread = vec![1; 0x100];
    put64(&mut thread, 0xb8, PROCESS);
    for (field, bytes) in [
        (0x1c, prcb),
        (0x20, vec![2; 0x200]),
        (0x24, thread),
        (0x28, vec![3; 0x80]),
        (0x70, data),
    ] {
        let at = append(&mut file, &bytes);
        put32(&mut file, 0x2000 + field, at);
    }
    put32(&mut file, 0x202c, 0x80);
    put32(&mut file, 0x2074, 0x380);
    let name = append(&mut file, b"\x05\0\0\0n\0t\0.\0e\0x\0");
    let mut drivers = vec![0; 0x120];
    for (at, base) in [(0, KERNEL), (0x90, KERNEL + 0x1000_0000)] {
        put32(&mut drivers, at, name);
        put64(&mut drivers, at + 0x38, base);
        put32(&mut drivers, at + 0x48, 0x6000);
    }
    let drivers = append(&mut file, &drivers);
    put32(&mut file, 0x2030, drivers);
    put32(&mut file, 0x2034, 2);
    let mut blocks = Vec::new();
    for (gva, len) in [
        (0xffff_8000_0000_1ff0, 0x20),
        (0xffff_8000_0000_1fe0, 0x10),
        (PROCESS + 0x10, 0x300),
    ] {
        let at = append(&mut file, &vec![9; len as usize]);
        blocks.extend(gva.to_le_bytes());
        blocks.extend([at, len].map(u32::to_le_bytes).concat());
    }
    let blocks = append(&mut file, &blocks);
    put32(&mut file, 0x2078, blocks);
    put32(&mut file, 0x207c, 3);
    let mark = append(&mut file, b"TRGD");
    put32(&mut file, 0x2008, mark);
    put32(&mut file, 0x2004, mark + 4);
    file
}

/// Says where the bytes are.
fn append(file: &mut Vec<u8>, bytes: &[u8]) -> u32 {
    let at = u32::try_from(file.len()).expect("a small file");
    file.extend(bytes);
    at
}

fn put32(bytes: &mut [u8], at: usize, value: u32) {
    bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

fn put64(bytes: &mut [u8], at: usize, value: u64) {
    bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
}

/// A number of the machine's step language, with the values of one address in it.
struct Steps(Vec<u8>);

impl Steps {
    /// Of the form of this number.
    fn of(form: u8) -> Self {
        Self(vec![form])
    }

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
    let mut small = Steps::of(0);
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
    let mut large = Steps::of(0);
    large
        .entry(0, 1, TABLE, 1)
        .entry(1, 2, TABLE, 2)
        .entry(2, 3, LARGE, slot(0x200))
        .entry(1, 4, LARGE, slot(0x40000))
        .ask([1, 2, 3, 0], 0xff0, 0x2020)
        .ask([1, 4, 0, 1], 0xff0, 0x2020)
        .ask([1, 4, 0, 9], 0xff0, 0x20);
    let mut string = Steps::of(0);
    string
        .entry(0, 0, TABLE, 1)
        .entry(1, 0, TABLE, 2)
        .entry(2, 0, TABLE, 3)
        .entry(3, 1, TABLE, 4)
        .bytes(4, 0x10, &[8, 0, 10, 0, 0, 0, 0, 0, 0x40, 0x10])
        .bytes(4, 0x40, &[b'P', 0, 0x3d, 0xd8, b'r', 0, b't', 0])
        .ask([0, 0, 0, 1], 0x10, 16);
    let mut image = Steps::of(0);
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
    // The lists of the header are on the second page of the kernel.
    let mut five = Steps::of(1);
    five.entry(0, 0x13e, TABLE, 1)
        .entry(1, 0x100, TABLE, 2)
        .entry(2, 0, TABLE, 3)
        .entry(3, 0, TABLE, 4)
        .entry(4, 1, TABLE, 5)
        .entry(2, 1, LARGE, slot(0x40000))
        .entry(3, 1, LARGE, slot(0x200))
        .bytes(5, 0x10, &0xff3e_8000_0000_1010u64.to_le_bytes().repeat(2))
        .ask([0x7d00, 0x400, 0, 1], 0xff0, 0x30)
        .ask([0x7d00, 0x401, 0, 1], 0xff0, 0x30)
        .ask([0x7d00, 0x400, 1, 1], 0xff0, 0x30);
    five.0.push(5);
    five.0.extend(0xff3e_8000_0000_1000u64.to_le_bytes());
    five.0.extend(0x20u16.to_le_bytes());
    // The root is 32 bytes into its page.
    let mut pae = Steps::of(2);
    pae.entry(0, 4 + 2, 1, 1)
        .entry(1, 0, TABLE, 2)
        .entry(1, 1, LARGE, slot(0x200))
        .entry(2, 0, TABLE, 4)
        .entry(2, 1, TABLE, 5)
        .entry(2, 2, TRANSITION, 6)
        .bytes(5, 0x10, &0x8000_1010u32.to_le_bytes().repeat(2))
        .ask([0, 2, 0, 0], 0xff0, 0x2020)
        .ask([0, 2, 1, 1], 0xff0, 0x30);
    let mut x86 = Steps::of(3);
    x86.entry(0, 0x200, TABLE, 1)
        .entry(0, 0x201, LARGE, slot(0x400))
        .entry(0, 0x3ff, TABLE, 1)
        .entry(1, 0, TABLE, 4)
        .entry(1, 1, TABLE, 5)
        .entry(1, 2, TRANSITION, 6)
        .entry(1, 0x3ff, TABLE, 7)
        .bytes(5, 0x10, &0x8000_1010u32.to_le_bytes().repeat(2))
        .ask([0, 0, 0x200, 0], 0xff0, 0x2020)
        .ask([0, 0, 0x201, 1], 0xff0, 0x30)
        .ask([0, 0, 0x3ff, 0x3ff], 0xff0, 0x30);
    // Bit 1 tells a table, or a page on the last level.
    let mut arm = Steps::of(4);
    arm.entry(0, 0x1f0, 3, 1)
        .entry(1, 0, 3, 2)
        .entry(1, 1, 1, slot(0x40000))
        .entry(2, 0, 3, 3)
        .entry(2, 1, 1, slot(0x200))
        .entry(3, 0, 3, 4)
        .entry(3, 1, 3, 5)
        .entry(3, 2, TRANSITION, 6)
        .entry(3, 3, 1, 7)
        .ask([0x1f0, 0, 0, 0], 0xff0, 0x2020)
        .ask([0x1f0, 0, 0, 3], 0, 8)
        .ask([0x1f0, 0, 1, 1], 0xff0, 0x30)
        .ask([0x1f0, 1, 0, 1], 0xff0, 0x30);
    [
        ("small", small),
        ("large", large),
        ("string", string),
        ("image", image),
        ("five", five),
        ("pae", pae),
        ("x86", x86),
        ("arm64", arm),
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

/// One small table in every kind of file, and symbol paths.
fn symbols() -> Result<Seeds, Box<dyn Error>> {
    let kernel = Kernel::named("vista-sp2-x64");
    let whole = pdb::describe_kernel(&kernel);
    let pdb = few(&whole).write();
    let contract = &alpc::CONTRACT;
    let table = ntlayout::Pdb::from_bytes("whole.pdb", whole.write())?;
    let pack = ntlayout::pack(contract, &table.resolve(contract)?, 8)?.into_bytes();
    let path =
        br"srv*C:\sym*https://example.com/symbols;cache*/c:/d; \\server\share;symsrv*symsrv.dll**\\s\t"
            .to_vec();
    let guid = b"{0CE4A95C-0CD7-82A7-596B-034D8648E585}".to_vec();
    Ok(vec![
        ("isf.json".to_owned(), ISF.to_vec()),
        ("isf.json.xz".to_owned(), xz(ISF)?),
        ("isf.json.gz".to_owned(), gzip(ISF)),
        ("pack".to_owned(), pack),
        ("small-pack".to_owned(), PACK.to_vec()),
        (
            "plain.pd_".to_owned(),
            cabinet(0, pdb.chunks(0x7000).map(<[u8]>::to_vec), &pdb),
        ),
        (
            "mszip.pd_".to_owned(),
            cabinet(1, pdb.chunks(0x7000).map(mszip), &pdb),
        ),
        (
            "lzx.pd_".to_owned(),
            cabinet(0x1503, [LZX.to_vec()].into_iter(), b"Hello, world!\r\n"),
        ),
        ("small.pdb".to_owned(), pdb),
        ("path".to_owned(), path),
        ("guid".to_owned(), guid),
    ])
}

/// Every kind of type that the format has, and a structure without a name.
const ISF: &[u8] = br#"{"metadata":{"format":"6.2.0","windows":{"pdb":{"GUID":"0CE4A95C0CD782A7596B034D8648E585","age":1,
"database":"ntkrnlmp.pdb","machine_type":34404}}},"base_types":{"pointer":{"size":8,"kind":"int","signed":false,"endian":
"little"},"unsigned long":{"size":4},"char":{"size":1}},"user_types":{"_LIST_ENTRY":{"size":16,"kind":"struct","fields":
{"Flink":{"offset":0,"type":{"kind":"pointer","subtype":{"kind":"struct","name":"_LIST_ENTRY"}}},"Blink":{"offset":8,"type":
{"kind":"pointer","subtype":{"kind":"struct","name":"_LIST_ENTRY"}}}}},"__unnamed_1":{"size":4,"kind":"union","fields":
{"s1":{"offset":0,"type":{"kind":"struct","name":"__unnamed_2"}},"State":{"offset":0,"type":{"kind":"base","name":
"unsigned long"}}}},"__unnamed_2":{"size":4,"kind":"struct","fields":{"Type":{"offset":0,"type":{"kind":"bitfield",
"bit_position":1,"bit_length":2,"type":{"kind":"base","name":"unsigned long"}}}}},"_ALPC_PORT":{"size":432,"kind":"struct",
"fields":{"PortListEntry":{"offset":0,"type":{"kind":"struct","name":"_LIST_ENTRY"}},"u1":{"offset":416,"type":{"kind":
"union","name":"__unnamed_1"}},"OwnerProcess":{"offset":24,"type":{"kind":"pointer","subtype":{"kind":"struct","name":
"_EPROCESS"}}}}},"_EPROCESS":{"size":1000,"kind":"struct","fields":{"ImageFileName":{"offset":736,"type":{"kind":"array",
"count":15,"subtype":{"kind":"base","name":"char"}}},"Reason":{"offset":4,"type":{"kind":"enum","name":"_KWAIT_REASON"}},
"Call":{"offset":8,"type":{"kind":"pointer","subtype":{"kind":"function"}}}}}},"enums":{"_KWAIT_REASON":{"size":4,"base":
"long","constants":{"Executive":0,"WrLpcReply":17}}},"symbols":{"PsActiveProcessHead":{"address":65536},"_AlpcpPortList":
{"address":4294967295}}}"#;

const PACK: &[u8] = b"ntlayout 1\nglobals PsActiveProcessHead AlpcpPortList\ntype _ALPC_PORT OwnerProcess u1.s1.Type\n\
    layout 1b0 18:8 1a0:4:1:2\nkernel 8 6.0.6002.18005 ntkrnlmp.pdb 0CE4A95C0CD782A7596B034D8648E585 1\ntypes 0\n\
    rvas 1000 -\n";

/// A stream of LZX, from a cabinet that `makecab` made.
const LZX: &[u8] = &[
    0x5b, 0x80, 0x80, 0x8d, 0x00, 0x30, 0xf0, 0x01, 0x10, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x01,
    0x00, 0x00, 0x00, b'H', b'e', b'l', b'l', b'o', b',', b' ', b'w', b'o', b'r', b'l', b'd', b'!', b'\r',
    b'\n', 0x00,
];

fn xz(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut writer = lzma_rust2::XzWriter::new(Vec::new(), lzma_rust2::XzOptions::with_preset(0))?;
    std::io::Write::write_all(&mut writer, bytes)?;
    writer.finish()
}

/// A stream of gzip with one block that is not compressed.
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut file = b"\x1f\x8b\x08\0\0\0\0\0\0\xff".to_vec();
    file.extend(stored(bytes));
    file.extend(crc32(bytes).to_le_bytes());
    file.extend(u32::try_from(bytes.len()).expect("a small file").to_le_bytes());
    file
}

/// Deflate's last block, not compressed.
fn stored(bytes: &[u8]) -> Vec<u8> {
    let len = u16::try_from(bytes.len()).expect("one block");
    let mut block = vec![1];
    block.extend(len.to_le_bytes());
    block.extend((!len).to_le_bytes());
    block.extend(bytes);
    block
}

fn mszip(bytes: &[u8]) -> Vec<u8> {
    [b"CK".to_vec(), stored(bytes)].concat()
}

/// A cabinet of one file, by Microsoft's "Microsoft Cabinet Format", without checksums.
fn cabinet(compression: u16, blocks: impl Iterator<Item = Vec<u8>>, whole: &[u8]) -> Vec<u8> {
    const NAME: &[u8] = b"ntkrnlmp.pdb\0";
    let data = 36 + 8 + 16 + NAME.len();
    let mut file = b"MSCF".to_vec();
    file.resize(data, 0);
    let mut left = whole.len();
    let mut count = 0u8;
    for block in blocks {
        let expanded = left.min(0x7000);
        left -= expanded;
        count += 1;
        let lengths =
            [block.len(), expanded].map(|len| u16::try_from(len).expect("a small block").to_le_bytes());
        file.extend([0; 4]);
        file.extend(lengths.concat());
        file.extend(block);
    }
    let len = u32::try_from(file.len()).expect("a small file");
    put32(&mut file, 8, len);
    put32(&mut file, 16, 44);
    file[24..26].copy_from_slice(&[3, 1]);
    file[26] = 1;
    file[28] = 1;
    put32(&mut file, 36, u32::try_from(data).expect("a small header"));
    file[40] = count;
    file[42..44].copy_from_slice(&compression.to_le_bytes());
    put32(&mut file, 44, u32::try_from(whole.len()).expect("a small file"));
    file[60..data].copy_from_slice(NAME);
    file
}

/// Each system as it is, looked at in each way, and with a pointer overwritten.
fn waits() -> Seeds {
    let mut seeds = Seeds::new();
    for world in 0..7u8 {
        for kind in 0..4u8 {
            // How long an input is says how the system is looked at; writes of nothing make it longer.
            let pad = |mut bytes: Vec<u8>| {
                while bytes.len() % 4 != usize::from(kind) {
                    bytes.insert(1, 255);
                }
                bytes.push(kind);
                bytes
            };
            seeds.push((format!("{world}-{kind}"), pad(vec![world])));
            let overwritten = [vec![world, 3, 0x18, 1, 8], vec![0; 8]].concat();
            seeds.push((format!("{world}-{kind}-pointer"), pad(overwritten)));
        }
    }
    seeds
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
