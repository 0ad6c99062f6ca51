//! ISF tables of real kernels, read directly, against the PDBs that independent code made of the same tables.
//! Runs where the shared material is present beside the repository.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use ntlayout::{BitField, Guid, Identity, Member, Pdb, Place, SymbolTable, find, open};

/// A table and the PDB of the same kernel.
fn pairs() -> Vec<(PathBuf, PathBuf)> {
    let Some(store) = common::shared("worlds/syms/ntkrnlmp.pdb") else {
        return Vec::new();
    };
    let entries = fs::read_dir(store).unwrap().map(|entry| entry.unwrap().path());
    let pair = |folder: PathBuf| {
        let key = folder.file_name()?.to_str()?.to_owned();
        let (guid, age) = key.split_at(32);
        let table = common::shared(&format!("isf/{guid}-{age}.json.xz"))?;
        Some((table, folder.join("ntkrnlmp.pdb")))
    };
    entries.filter_map(pair).collect()
}

type Row = (u32, String, String, Option<u32>, Option<(u8, u8)>);

/// Members without regard to order, which tables do not keep, nor to the names of unnamed types.
fn rows(members: &[Member], into: &mut BTreeSet<Row>) {
    for member in members {
        let unnamed = ["unnamed", "anonymous"]
            .iter()
            .any(|word| member.type_name.contains(word));
        let type_name = if unnamed {
            String::new()
        } else {
            member.type_name.clone()
        };
        let bits = member
            .bits
            .map(|BitField { position, length }| (position, length));
        into.insert((member.offset, member.name.clone(), type_name, member.size, bits));
        rows(&member.members, into);
    }
}

fn names(path: &Path) -> Vec<String> {
    let mut text = Vec::new();
    let file = fs::File::open(path).unwrap();
    lzma_rust2::XzReader::new(file, true)
        .read_to_end(&mut text)
        .unwrap();
    let table: serde_json::Value = serde_json::from_slice(&text).unwrap();
    table["user_types"].as_object().unwrap().keys().cloned().collect()
}

#[test]
fn tables_and_pdbs_say_the_same() {
    for (table_path, pdb_path) in pairs() {
        let (table, pdb) = (open(&table_path).unwrap(), Pdb::open(&pdb_path).unwrap());
        assert_eq!(table.identity(), pdb.identity());
        assert_eq!(table.pointer_size(), pdb.pointer_size());
        let mut compared = 0;
        for name in names(&table_path) {
            if ["unnamed", "anonymous", "::"]
                .iter()
                .any(|word| name.contains(word))
            {
                continue;
            }
            let (Some(one), Some(other)) = (table.type_info(&name).unwrap(), pdb.type_info(&name).unwrap())
            else {
                continue;
            };
            let (mut left, mut right) = (BTreeSet::new(), BTreeSet::new());
            rows(&one.members, &mut left);
            rows(&other.members, &mut right);
            assert_eq!((one.size, left), (other.size, right), "{name}");
            compared += 1;
        }
        assert!(compared > 300, "{compared}");
        for name in [
            "PsActiveProcessHead",
            "AlpcpPortList",
            "PspCidTable",
            "NoSuchThing",
        ] {
            assert_eq!(table.global(name).unwrap(), pdb.global(name).unwrap(), "{name}");
        }
        let mut values = pdb.enum_info("_KWAIT_REASON").unwrap().unwrap();
        values.sort_by(|one, next| (one.1, &one.0).cmp(&(next.1, &next.0)));
        assert_eq!(table.enum_info("_KWAIT_REASON").unwrap(), Some(values));
    }
}

#[test]
fn volatilitys_folders_are_looked_through() {
    let Some((table, _)) = pairs().into_iter().next() else {
        return;
    };
    let stem = table
        .file_name()
        .unwrap()
        .to_str()
        .unwrap()
        .split_once('-')
        .unwrap()
        .0
        .to_owned();
    let wanted = Identity {
        pdb_name: "ntkrnlmp.pdb".into(),
        guid: stem.parse::<Guid>().unwrap(),
        age: 1,
    };
    for path in ["windows/ntkrnlmp.pdb", "ntkrnlmp.pdb", "."] {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join(path);
        fs::create_dir_all(&inner).unwrap();
        fs::copy(&table, inner.join(format!("{stem}-1.json.xz"))).unwrap();
        let found = find(&wanted, &[Place::Path(folder.path().to_owned())]).unwrap();
        assert_eq!(found.table.identity(), Some(&wanted));
    }
}

const SMALL: &str = r#"{"metadata": {"windows": {"pdb": {"GUID": "1516D2A3E6864C06BD82C50FBE615236", "age": 2,
    "database": "nt.pdb"}}}, "base_types": {"pointer": {"size": 8}, "unsigned long": {"size": 4}},
    "enums": {"_E": {"size": 4, "base": "int", "constants": {"B": 1, "A": -1}}},
    "user_types": {"_T": {"size": 24, "kind": "struct", "fields": {
        "Next": {"offset": 0, "type": {"kind": "pointer", "subtype": {"kind": "struct", "name": "_T"}}},
        "u1": {"offset": 8, "type": {"kind": "union", "name": "__unnamed_1"}}}},
      "__unnamed_1": {"size": 4, "kind": "union", "fields": {"Bit": {"offset": 0, "type": {"kind": "bitfield",
        "bit_position": 3, "bit_length": 2, "type": {"kind": "base", "name": "unsigned long"}}}}}},
    "symbols": {"G": {"address": 4096}, "_H": {"address": 8192}, "Far": {"address": 4294967296}}}"#;

fn open_bytes(name: &str, bytes: &[u8]) -> Result<ntlayout::Table, ntlayout::SymbolError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    open(&path)
}

#[test]
fn a_table_is_read_plain_or_compressed() {
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(SMALL.as_bytes()).unwrap();
    for bytes in [SMALL.as_bytes().to_vec(), gz.finish().unwrap()] {
        let table = open_bytes("any.name", &bytes).unwrap();
        assert_eq!(
            table.identity().unwrap().to_string(),
            "nt.pdb/1516D2A3E6864C06BD82C50FBE6152362"
        );
        let info = table.type_info("_T").unwrap().unwrap();
        let shown: Vec<String> = info
            .members
            .iter()
            .map(|member| format!("{} {} {}", member.offset, member.name, member.type_name))
            .collect();
        assert_eq!(shown, ["0 Next Ptr64 _T", "8 u1 __unnamed_1"]);
        let bit = &info.members[1].members[0];
        assert_eq!(
            (bit.offset, bit.size, bit.type_name.as_str()),
            (8, Some(4), "Pos 3, 2 Bits")
        );
        assert_eq!(table.global("G").unwrap(), Some(0x1000));
        assert_eq!(table.global("H").unwrap(), Some(0x2000));
        assert_eq!(table.global("Far").unwrap(), None);
        let values = table.enum_info("_E").unwrap().unwrap();
        assert_eq!(values, [("A".to_owned(), -1), ("B".to_owned(), 1)]);
    }
}

#[test]
fn damaged_tables_are_told() {
    for at in (1..SMALL.len()).step_by(7) {
        assert_eq!(
            open_bytes("x.json", &SMALL.as_bytes()[..at]).unwrap_err().id(),
            "symbols-damaged"
        );
    }
    let cases = [
        ("1516D2A3", "xyz"),
        ("\"size\": 8", "\"size\": 3"),
        ("\"base_types\"", "\"others\""),
    ];
    for (from, to) in cases {
        let error = open_bytes("x.json", SMALL.replace(from, to).as_bytes()).unwrap_err();
        assert_eq!(error.id(), "symbols-damaged", "{error}");
    }
    // A field of a type that contains itself, and arrays of arrays without end.
    let cycle = SMALL
        .replace("__unnamed_1\"}}", "_T\"}}")
        .replace("__unnamed_1", "_U");
    assert!(
        open_bytes("x.json", cycle.as_bytes())
            .unwrap()
            .type_info("_T")
            .is_ok()
    );
    let deep = format!("{}{}{}", "{\"a\":".repeat(5000), 1, "}".repeat(5000));
    assert!(open_bytes("x.json", deep.as_bytes()).is_err());
    assert!(open_bytes("x.json.xz", b"\xfd7zXZ\0\0\x04 nothing").is_err());
    assert!(open_bytes("x.json.gz", b"\x1f\x8b\x08 nothing").is_err());
}

/// Situation: an xz file's header says how large a dictionary it is to be expanded with.
/// Example: `{}` as `xz -0 --check=crc32` writes it, but with 4 GiB in its header.
#[test]
fn a_dictionary_larger_than_any_table_is_refused() {
    let text = "fd377a585a0000016922de36 0200210128000000e6a011b3 0100017b7d000000 43bfa6a3 \
                00011602d06110d2 9042990d010000000001595a";
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    let bytes: Vec<u8> = digits.chunks(2).map(byte).collect();
    let error = open_bytes("x.json.xz", &bytes).unwrap_err();
    assert_eq!(error.id(), "symbols-damaged");
    assert!(error.to_string().contains("too much memory"), "{error}");
}

/// Situation: a type without a name is printed with each of its members wherever it is used.
/// Example: a thousand uses of one whose member has a type with a name of 100 kB.
#[test]
fn a_long_name_is_not_printed_without_end() {
    let long = "x".repeat(100_000);
    let unnamed = format!(
        r#""__unnamed_1":{{"size":8,"kind":"union","fields":{{"A":{{"offset":0,"type":{{"kind":"struct","name":"{long}"}}}}}}}}"#
    );
    let table = |uses: usize| {
        let field = |n| format!(r#""u{n}":{{"offset":8,"type":{{"kind":"union","name":"__unnamed_1"}}}}"#);
        let fields: Vec<String> = (0..uses).map(field).collect();
        format!(
            r#"{{"metadata":{{}},"base_types":{{"pointer":{{"size":8}}}},"user_types":{{{unnamed},
            "_T":{{"size":16,"kind":"struct","fields":{{{}}}}}}}}}"#,
            fields.join(",")
        )
    };
    let type_info = |uses| {
        let table = open_bytes("x.json", table(uses).as_bytes()).unwrap();
        table.type_info("_T")
    };
    assert_eq!(type_info(2).unwrap().unwrap().members.len(), 2);
    let error = type_info(1000).map(drop).unwrap_err();
    assert_eq!(error.id(), "symbols-damaged");
}

/// Situation: a small compressed file expands to far more than any table has.
/// Example: 64 MiB of blanks and a table behind them.
#[test]
fn a_table_larger_than_any_is_refused() {
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    for _ in 0..64 {
        gz.write_all(&vec![b' '; 1 << 20]).unwrap();
    }
    gz.write_all(SMALL.as_bytes()).unwrap();
    let error = open_bytes("x.json.gz", &gz.finish().unwrap()).unwrap_err();
    assert!(error.to_string().contains("more than 67108864 bytes"), "{error}");
}
