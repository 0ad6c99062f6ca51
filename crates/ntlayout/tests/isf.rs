//! All types, enumerations and symbols of complete real symbol tables, in the PDBs that were made of them.
//! Runs where the shared material is present beside the repository.

mod common;

use std::fs;
use std::io::Read;
use std::path::Path;

use lzma_rust2::XzReader;
use ntlayout::{Member, Pdb, SymbolTable};
use serde_json::Value;

fn table(path: &Path) -> Value {
    let mut text = Vec::new();
    XzReader::new(fs::File::open(path).unwrap(), true)
        .read_to_end(&mut text)
        .unwrap();
    serde_json::from_slice(&text).unwrap()
}

/// A member's size and bits by the table's description of its type.
fn shape(table: &Value, ty: &Value) -> (u64, Option<(u64, u64)>) {
    let name = ty["name"].as_str().unwrap_or_default();
    let size = |table: &Value| table[name]["size"].as_u64().unwrap_or(0);
    match ty["kind"].as_str().unwrap() {
        "base" => (size(&table["base_types"]), None),
        "struct" | "union" | "class" => (size(&table["user_types"]), None),
        "enum" => (size(&table["enums"]), None),
        "pointer" => (table["base_types"]["pointer"]["size"].as_u64().unwrap(), None),
        "array" => (
            ty["count"].as_u64().unwrap() * shape(table, &ty["subtype"]).0,
            None,
        ),
        "bitfield" => {
            let bits = (
                ty["bit_position"].as_u64().unwrap(),
                ty["bit_length"].as_u64().unwrap(),
            );
            (shape(table, &ty["type"]).0, Some(bits))
        }
        other => panic!("a type of the kind {other}"),
    }
}

fn check_members(table: &Value, owner: &str, base: u64, members: &[Member]) -> usize {
    let fields = table["user_types"][owner]["fields"].as_object().unwrap();
    let mut checked = 0;
    for member in members {
        let at = format!("{owner}.{}", member.name);
        let field = fields
            .get(&member.name)
            .unwrap_or_else(|| panic!("{at} is not in the table"));
        let (size, bits) = shape(table, &field["type"]);
        assert_eq!(
            u64::from(member.offset),
            base + field["offset"].as_u64().unwrap(),
            "{at}"
        );
        assert_eq!(
            member.bits.map(|bits| (bits.position.into(), bits.length.into())),
            bits,
            "{at}"
        );
        assert_eq!(member.size.map(u64::from), Some(size), "{at}");
        if !member.members.is_empty() {
            let nested = field["type"]["name"].as_str().unwrap();
            checked += check_members(table, nested, member.offset.into(), &member.members);
        }
        checked += 1;
    }
    checked
}

fn check_types(table: &Value, pdb: &Pdb) -> usize {
    let mut checked = 0;
    for (name, known) in table["user_types"].as_object().unwrap() {
        // What the table calls types without a name.
        let unnamed = name.contains("unnamed") || name.contains("anonymous");
        if known["size"].as_u64() == Some(0) || unnamed {
            continue;
        }
        let found = pdb.type_info(name).unwrap().unwrap_or_else(|| panic!("{name}"));
        assert_eq!(Some(u64::from(found.size)), known["size"].as_u64(), "{name}");
        assert_eq!(
            found.members.len(),
            known["fields"].as_object().unwrap().len(),
            "{name}"
        );
        checked += check_members(table, name, 0, &found.members);
    }
    checked
}

fn check_enums(table: &Value, pdb: &Pdb) {
    for (name, known) in table["enums"]
        .as_object()
        .unwrap()
        .iter()
        .filter(|(name, _)| name.starts_with('_'))
    {
        if name.starts_with("__unnamed") {
            continue;
        }
        let found = pdb.enum_info(name).unwrap().unwrap_or_else(|| panic!("{name}"));
        let constants = known["constants"].as_object().unwrap();
        assert_eq!(found.len(), constants.len(), "{name}");
        for (constant, value) in found {
            assert_eq!(constants[&constant].as_i64(), Some(value), "{name}: {constant}");
        }
    }
}

fn check_symbols(table: &Value, pdb: &Pdb) -> usize {
    let symbols = table["symbols"].as_object().unwrap();
    for (name, known) in symbols {
        let found = pdb.global(name).unwrap();
        assert_eq!(found.map(u64::from), known["address"].as_u64(), "{name}");
    }
    symbols.len()
}

#[test]
fn complete_tables_are_found_again() {
    let Some(folder) = common::shared("isf") else {
        return;
    };
    let kernels = common::sound_pdbs()
        .into_iter()
        .filter(|path| path.ends_with("ntkrnlmp.pdb"));
    for path in kernels {
        let pdb = Pdb::open(&path).unwrap();
        let identity = pdb.identity().unwrap();
        let table = table(&folder.join(format!("{}-{}.json.xz", identity.guid, identity.age)));
        let members = check_types(&table, &pdb);
        assert!(members > 5000, "{}: {members} members", path.display());
        check_enums(&table, &pdb);
        assert!(check_symbols(&table, &pdb) > 10_000);
    }
}
