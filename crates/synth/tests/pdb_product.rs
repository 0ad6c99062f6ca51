//! The PDBs read by the product's own reader: every member of every type, every global.

use std::io::Read;
use std::path::{Path, PathBuf};

use ntlayout::{BitField, Member, SymbolTable};
use serde_json::Value;
use synth::isf::Isf;
use synth::layout::{Field, Kernel, Type};
use synth::pdb::{Leaves, from_kernel};

fn open(name: &str, bytes: Vec<u8>) -> ntlayout::Pdb {
    ntlayout::Pdb::from_bytes(name, bytes).unwrap()
}

/// Members with their dotted paths, those of unnamed types after the member that holds them.
fn flatten(members: &[Member], prefix: &str, out: &mut Vec<(String, Member)>) {
    for member in members {
        let path = format!("{prefix}{}", member.name);
        let below = format!("{path}.");
        out.push((
            path,
            Member {
                members: Vec::new(),
                ..member.clone()
            },
        ));
        flatten(&member.members, &below, out);
    }
}

fn bits(bits: Option<(u8, u8)>) -> Option<BitField> {
    bits.map(|(position, length)| BitField { position, length })
}

fn assert_fields(what: &str, found: &[(String, Member)], ty: &Type) {
    assert_eq!(found.len(), ty.fields.len(), "{what}");
    for Field {
        offset,
        path,
        bytes,
        bit,
        ..
    } in &ty.fields
    {
        let (_, member) = found
            .iter()
            .find(|(p, _)| p == path)
            .unwrap_or_else(|| panic!("{what}.{path}"));
        assert_eq!(u64::from(member.offset), *offset, "{what}.{path}");
        assert_eq!(member.size.map(u64::from), Some(*bytes), "{what}.{path}");
        assert_eq!(member.bits, bits(*bit), "{what}.{path}");
    }
}

#[test]
fn every_kernel_of_the_extract() {
    for name in Kernel::names() {
        let kernel = Kernel::named(name);
        let pdb = open(kernel.pdb_name(), from_kernel(&kernel));
        assert_eq!(pdb.identity().unwrap().age, kernel.age(), "{name}");
        for ty in kernel.types() {
            let what = format!("{name} {}", ty.name);
            let info = pdb
                .type_info(&ty.name)
                .unwrap()
                .unwrap_or_else(|| panic!("{what}"));
            let mut found = Vec::new();
            flatten(&info.members, "", &mut found);
            assert_eq!(u64::from(info.size), ty.size, "{what}");
            assert_fields(&what, &found, ty);
        }
        for (global, rva) in kernel.globals() {
            assert_eq!(pdb.global(global).unwrap(), Some(rva), "{name} {global}");
        }
        assert_eq!(pdb.global("__guard_flags").unwrap(), None, "{name}");
    }
}

/// A complete table, and its text once more, unpacked here.
fn table(identity: &str) -> Option<(Isf, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/isf");
    let path: PathBuf = folder.join(format!("{identity}.json.xz"));
    let file = std::fs::File::open(&path).ok()?;
    let mut text = Vec::new();
    lzma_rust2::XzReader::new(file, true)
        .read_to_end(&mut text)
        .unwrap();
    Some((Isf::open(&path).unwrap(), serde_json::from_slice(&text).unwrap()))
}

/// What the table tells of a member: offset, size, bits.
type Told = (String, u64, Option<u64>, Option<BitField>);

fn is_unnamed(name: &str) -> bool {
    name.starts_with("__unnamed_") || name.starts_with("__anonymous_") || name.starts_with("<unnamed-enum-")
}

fn told(table: &Value, udt: &Value, prefix: &str, base: u64, out: &mut Vec<Told>) {
    for (name, field) in udt["fields"].as_object().unwrap() {
        let ty = &field["type"];
        let (path, offset) = (
            format!("{prefix}{name}"),
            base + field["offset"].as_u64().unwrap(),
        );
        let small = |key: &str| u8::try_from(ty[key].as_u64()?).ok();
        let bits = small("bit_position").zip(small("bit_length"));
        out.push((path.clone(), offset, size(table, ty), self::bits(bits)));
        let inner = ty["name"]
            .as_str()
            .filter(|n| is_unnamed(n) && ty["kind"] != "enum");
        if let Some(inner) = inner {
            told(
                table,
                &table["user_types"][inner],
                &format!("{path}."),
                offset,
                out,
            );
        }
    }
}

fn size(table: &Value, ty: &Value) -> Option<u64> {
    let of = |place: &str| table[place][ty["name"].as_str()?]["size"].as_u64();
    match ty["kind"].as_str()? {
        "base" => of("base_types"),
        "enum" => of("enums"),
        "struct" | "union" => of("user_types"),
        "pointer" => Some(8),
        "bitfield" => size(table, &ty["type"]),
        "array" => Some(size(table, &ty["subtype"])? * ty["count"].as_u64()?),
        other => panic!("{other}"),
    }
}

fn assert_table(table: &Value, pdb: &ntlayout::Pdb) {
    for (name, udt) in table["user_types"].as_object().unwrap() {
        if is_unnamed(name) {
            continue;
        }
        let info = pdb.type_info(name).unwrap().unwrap_or_else(|| panic!("{name}"));
        assert_eq!(udt["size"], info.size, "{name}");
        let (mut expected, mut members) = (Vec::new(), Vec::new());
        told(table, udt, "", 0, &mut expected);
        flatten(&info.members, "", &mut members);
        let mut found: Vec<Told> = members
            .into_iter()
            .map(|(path, m)| (path, m.offset.into(), m.size.map(u64::from), m.bits))
            .collect();
        let order = |a: &Told, b: &Told| (a.1, &a.0).cmp(&(b.1, &b.0));
        expected.sort_by(order);
        found.sort_by(order);
        assert_eq!(found, expected, "{name}");
    }
    for (name, entry) in table["enums"].as_object().unwrap() {
        if is_unnamed(name) {
            continue;
        }
        let values = pdb.enum_info(name).unwrap().unwrap_or_else(|| panic!("{name}"));
        let constants = entry["constants"].as_object().unwrap();
        assert_eq!(values.len(), constants.len(), "{name}");
        for (value_name, value) in values {
            assert_eq!(constants[&value_name], value, "{name}.{value_name}");
        }
    }
    for (name, symbol) in table["symbols"].as_object().unwrap() {
        let decorated = symbol["linkage_name"].as_str().unwrap_or(name);
        let rva = pdb.global(decorated).unwrap();
        assert_eq!(rva.map(u64::from), symbol["address"].as_u64(), "{name}");
    }
}

/// Complete tables, in the forms of three eras.
#[test]
fn every_field_of_complete_tables() {
    let newest = Leaves {
        unique_names: true,
        wide: true,
        unknown_record: true,
    };
    for (identity, leaves) in [
        ("339E74133576439CBCDF7E0229DA3773-1", Leaves::default()),
        (
            "5278AFF86C341677D7D7835C85B7B844-1",
            Leaves {
                unique_names: true,
                ..Leaves::default()
            },
        ),
        ("0CE4A95C0CD782A7596B034D8648E585-1", newest),
    ] {
        let Some((isf, table)) = table(identity) else {
            return;
        };
        let mut pdb = isf.describe();
        pdb.leaves = leaves;
        assert_table(&table, &open(&isf.pdb_name, pdb.write()));
    }
}
