//! Damaged and hostile files: an error that names the cause or a right answer, never a panic, and never time
//! or memory beyond the file's size.

mod common;

use std::fs;

use common::{field, leak, open, synthetic};
use ntlayout::{BitField, Contract, GlobalSpec, Need, Pdb, SymbolError, SymbolTable};
use synth::layout::Kernel;
use synth::pdb::{Member, TypeRef, Udt, UdtKind, describe_kernel};

/// A generator of numbers that is the same on every run (Vigna's SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end).unwrap()).unwrap()
    }
}

fn contract() -> Contract {
    let fields = ["u1.s1.Type", "MainQueue", "OwnerProcess"].map(|path| field("_ALPC_PORT", path));
    let more = [
        field("_EPROCESS", "ImageFileName"),
        field("_KTHREAD", "WaitReason"),
        field("_NONE", "A"),
    ];
    let globals = ["PsActiveProcessHead", "AlpcpPortList", "None"];
    let globals = globals.map(|name| GlobalSpec {
        name,
        need: Need::Required,
    });
    Contract {
        fields: leak(&[&fields[..], &more[..]].concat()),
        types: &["_ALPC_PORT", "_KALPC_MESSAGE"],
        globals: leak(&globals),
    }
}

/// Asks everything; the answers do not matter.
fn exercise(bytes: Vec<u8>, contract: &Contract) -> Result<(), SymbolError> {
    let pdb = Pdb::from_bytes("hostile.pdb", bytes)?;
    let results = [
        pdb.resolve(contract).map(drop),
        pdb.type_info("_ETHREAD").map(drop),
        pdb.type_info("_KTHREAD").map(drop),
        pdb.enum_info("_KWAIT_REASON").map(drop),
        pdb.global("AlpcPortObjectType").map(drop),
    ];
    results.into_iter().collect()
}

fn id(bytes: &[u8]) -> &'static str {
    Pdb::from_bytes("wrong.pdb", bytes.to_vec()).unwrap_err().id()
}

#[test]
fn what_is_no_pdb_is_named() {
    let msfz = b"Microsoft MSFZ Container\r\n\x1aALD\0\0and more";
    assert_eq!(id(b""), "symbols-empty");
    assert_eq!(id(msfz), "pdb-msfz");
    assert_eq!(
        id(b"Microsoft C/C++ program database 2.00\r\n\x1aJG\0\0"),
        "pdb-format-2"
    );
    assert_eq!(id(b"BSJB\x01\0\x01\0\0\0\0\0"), "pdb-portable");
    assert_eq!(id(b"\n<html><head><title>403 Forbidden"), "pdb-html");
    assert_eq!(
        id(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n"),
        "pdb-git-lfs"
    );
    assert_eq!(id(b"MSCF\0\0\0\0"), "pdb-cabinet");
    assert_eq!(id(b"MZ\x90\0"), "pdb-is-image");
    assert_eq!(id(b"PATH:\\\\server\\share\\nt.pdb"), "pdb-is-file-pointer");
    assert_eq!(id(b"PAGEDU64"), "not-a-pdb");
    assert_eq!(id(&[0; 5000]), "not-a-pdb");
    let error = Pdb::from_bytes("wrong.pdb", msfz.to_vec())
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("wrong.pdb: ") && error.contains("MSFZ"),
        "{error}"
    );
}

#[test]
fn paths_that_are_no_files_are_named() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(Pdb::open(folder.path()).unwrap_err().id(), "symbols-not-a-file");
    assert_eq!(
        Pdb::open(&folder.path().join("none")).unwrap_err().id(),
        "symbols-io"
    );
}

#[test]
fn a_cut_file_is_truncated_at_every_length() {
    let whole = synthetic("vista-sp2-x64");
    for len in (1..whole.len())
        .step_by(509)
        .chain([31, 32, 52, 56, 4095, 4096, whole.len() - 1])
    {
        let error = Pdb::from_bytes("cut.pdb", whole[..len].to_vec()).unwrap_err();
        let expected = if len < 32 { "not-a-pdb" } else { "pdb-truncated" };
        assert_eq!(error.id(), expected, "{len}: {error}");
    }
}

#[test]
fn a_header_that_claims_less_makes_streams_end_early() {
    let whole = synthetic("vista-sp2-x64");
    let contract = contract();
    let blocks = u32::try_from(whole.len() / 4096).unwrap();
    for count in 0..blocks {
        let mut bytes = whole[..usize::try_from(count).unwrap().max(1) * 4096].to_vec();
        bytes[40..44].copy_from_slice(&count.to_le_bytes());
        drop(exercise(bytes, &contract));
    }
}

#[test]
fn a_superblock_that_claims_too_much_costs_nothing() {
    let whole = synthetic("vista-sp2-x64");
    let claims: [(usize, u32); 9] = [
        (32, 0),
        (32, 1),
        (32, 4097),
        (32, u32::MAX),
        (32, 1 << 31),
        (40, u32::MAX),
        (44, u32::MAX),
        (44, 0),
        (52, u32::MAX),
    ];
    for (at, value) in claims {
        let mut bytes = whole.clone();
        bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        let error = Pdb::from_bytes("claim.pdb", bytes).unwrap_err();
        assert!(
            ["pdb-corrupt", "pdb-truncated"].contains(&error.id()),
            "{at}: {error}"
        );
    }
}

#[test]
fn the_superblock_is_part_of_no_stream() {
    let mut bytes = synthetic("vista-sp2-x64");
    bytes[52..56].fill(0);
    let error = Pdb::from_bytes("map.pdb", bytes).unwrap_err().to_string();
    assert!(
        error.starts_with("map.pdb: the PDB is corrupt: block map: block 0 of "),
        "{error}"
    );
}

#[test]
fn flipped_bytes_never_panic() {
    let contract = contract();
    let mut numbers = Numbers(7);
    for kernel in ["vista-sp2-x64", "win11-21h2-x64"] {
        let whole = synthetic(kernel);
        exercise(whole.clone(), &contract).unwrap();
        for _ in 0..600 {
            let mut bytes = whole.clone();
            for _ in 0..=numbers.below(24) {
                let at = numbers.below(bytes.len());
                bytes[at] = numbers.next().to_le_bytes()[0];
            }
            drop(exercise(bytes, &contract));
        }
    }
}

#[test]
fn extreme_words_never_panic() {
    let contract = contract();
    let mut numbers = Numbers(11);
    let whole = synthetic("win81-x64");
    for _ in 0..600 {
        let mut bytes = whole.clone();
        for _ in 0..=numbers.below(200) {
            let at = numbers.below(bytes.len() / 4) * 4;
            let word = [0, 1, 0x1000, 0x7fff_ffff, 0x8000_0000, u32::MAX][numbers.below(6)];
            bytes[at..at + 4].copy_from_slice(&word.to_le_bytes());
        }
        drop(exercise(bytes, &contract));
    }
}

/// What `pdb2` reads of a file: every word of it at its extremes, in a PDB with an OMAP.
#[test]
fn extreme_headers_never_panic() {
    let contract = contract();
    let mut description = describe_kernel(&Kernel::named("win81-x64"));
    let first = description.sections[0].rva;
    let moved = vec![
        (first, first + 0x3000),
        (first + 0x800, 0),
        (first + 0x1000, first),
    ];
    description.omap = Some(synth::pdb::Omap {
        moved_sections: description.sections.clone(),
        from_source: moved.clone(),
        to_source: moved.clone(),
    });
    let whole = description.write();
    let find = |start: &[u8]| {
        whole
            .windows(start.len())
            .position(|window| window == start)
            .unwrap()
    };
    let dbi = find(&[u32::MAX, 19_990_903].map(u32::to_le_bytes).concat());
    let info = find(&20_000_404u32.to_le_bytes());
    let omap = find(
        &[moved[0].0, moved[0].1, moved[1].0]
            .map(u32::to_le_bytes)
            .concat(),
    );
    let sections = find(b".text");
    for (start, len) in [(32, 32), (info, 64), (dbi, 64), (omap, 24), (sections, 80)] {
        for at in (start..start + len).step_by(2) {
            for value in [0, 1, 0x7fff_ffff, 0x8000_0000, u32::MAX - 1, u32::MAX] {
                let mut bytes = whole.clone();
                bytes[at..at + 4].copy_from_slice(&u32::to_le_bytes(value));
                drop(exercise(bytes, &contract));
            }
        }
    }
}

/// Most of the flips above hit padding and names; these hit nothing but the type records' numbers.
#[test]
fn types_that_name_each_other_in_circles_end() {
    let contract = contract();
    let whole = synthetic("win11-21h2-x64");
    let mut numbers = Numbers(13);
    let start = [20_040_203u32, 56, 0x1000].map(u32::to_le_bytes).concat();
    let header = whole.windows(12).position(|window| window == start).unwrap();
    let word = |at: usize| u32::from_le_bytes(whole[at..at + 4].try_into().unwrap());
    let types = 0x1000..word(header + 12);
    let len = usize::try_from(word(header + 16)).unwrap();
    let references: Vec<usize> = (header + 56..header + len)
        .filter(|&at| types.contains(&word(at)))
        .collect();
    assert!(references.len() > 1000);
    let count = usize::try_from(types.end - types.start).unwrap();
    for _ in 0..300 {
        let mut bytes = whole.clone();
        for _ in 0..500 {
            let at = references[numbers.below(references.len())];
            let to = types.start + u32::try_from(numbers.below(count)).unwrap();
            bytes[at..at + 4].copy_from_slice(&to.to_le_bytes());
        }
        drop(exercise(bytes, &contract));
    }
}

/// A fuzzer's find: such bits read as zero, which is a wrong value and not a hole.
#[test]
fn bit_fields_outside_of_their_unit_are_an_error() {
    let kernel = Kernel::named("win11-21h2-x64");
    let contract = Contract {
        fields: leak(&[field("_BITS", "Bits")]),
        types: &[],
        globals: &[],
    };
    for (position, length, sound) in [
        (31, 1, true),
        (0, 32, true),
        (31, 2, false),
        (0, 33, false),
        (241, 1, false),
        (255, 255, false),
        (3, 0, false),
    ] {
        let mut description = describe_kernel(&kernel);
        let member = Member {
            name: "Bits".into(),
            offset: 0,
            ty: TypeRef::bits(TypeRef::Long { signed: false }, position, length),
        };
        let udt = Udt {
            name: "_BITS".into(),
            kind: UdtKind::Struct,
            size: 4,
            members: vec![member],
        };
        description.types.udts.insert(udt.name.clone(), udt);
        let pdb = open(description.write());
        let resolved = pdb.resolve(&contract).map(|layout| layout.field(0));
        let printed = pdb.type_info("_BITS").map(|ty| ty.map(|ty| ty.members[0].bits));
        if sound {
            let bits = Some(BitField { position, length });
            assert_eq!(resolved.unwrap().unwrap().bits, bits);
            assert_eq!(printed.unwrap(), Some(bits));
        } else {
            assert_eq!(resolved.unwrap_err().id(), "pdb-corrupt", "{position}, {length}");
            assert_eq!(printed.unwrap_err().id(), "pdb-corrupt", "{position}, {length}");
        }
    }
}

#[test]
fn real_pdbs_survive_damage() {
    let contract = contract();
    let mut numbers = Numbers(17);
    for path in common::sound_pdbs().into_iter().rev().take(3) {
        let whole = fs::read(path).unwrap();
        for _ in 0..60 {
            let mut bytes = whole.clone();
            for _ in 0..=numbers.below(100) {
                let at = numbers.below(bytes.len());
                bytes[at] = numbers.next().to_le_bytes()[0];
            }
            drop(exercise(bytes, &contract));
        }
        for _ in 0..30 {
            let len = numbers.below(whole.len());
            assert!(Pdb::from_bytes("cut.pdb", whole[..len].to_vec()).is_err());
        }
    }
}
