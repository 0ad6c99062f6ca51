//! Every field, size and global of the contract, in PDBs made of complete real tables, against independent
//! extracts of those tables. Runs where the shared material is present beside the repository.

mod common;

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::PathBuf;

use common::{leak, shared};
use ntlayout::{Contract, Field, FieldSpec, GlobalSpec, Need, Pdb, SymbolTable};
use serde_json::Value;

fn json(path: &str) -> Option<Value> {
    let text = fs::read(shared(path)?).unwrap();
    Some(serde_json::from_slice(&text).unwrap())
}

/// Keys such as `03A098BC85D047028437D88E4C8BBC6B1` and their PDBs.
fn worlds() -> Vec<(String, PathBuf)> {
    let Some(store) = shared("worlds/syms/ntkrnlmp.pdb") else {
        return Vec::new();
    };
    let entries = fs::read_dir(store).unwrap().map(|entry| entry.unwrap().path());
    let mut worlds: Vec<_> = entries
        .map(|path| {
            (
                path.file_name().unwrap().to_str().unwrap().to_owned(),
                path.join("ntkrnlmp.pdb"),
            )
        })
        .collect();
    worlds.sort();
    worlds
}

fn word(value: &Value) -> &'static str {
    Box::leak(value.as_str().unwrap().to_owned().into_boxed_str())
}

fn number(value: &Value) -> Option<u32> {
    value.as_u64().map(|value| u32::try_from(value).unwrap())
}

fn need(value: &Value) -> Need {
    if value == "R" {
        Need::Required
    } else {
        Need::Optional
    }
}

/// The shared contract, and once more with every spelling as a field of its own.
fn contract(source: &Value) -> Contract {
    let mut fields = Vec::new();
    let mut types = Vec::new();
    for (ty, members) in source["types"].as_object().unwrap() {
        let ty = word(&Value::from(ty.as_str()));
        types.push(ty);
        for member in members.as_array().unwrap() {
            let spellings: Vec<&'static str> = member[1].as_array().unwrap().iter().map(word).collect();
            fields.push(FieldSpec {
                ty,
                name: word(&member[0]),
                spellings: leak(&spellings),
                need: need(&member[2]),
            });
            for spelling in spellings {
                fields.push(FieldSpec {
                    ty,
                    name: spelling,
                    spellings: leak(&[spelling]),
                    need: Need::Optional,
                });
            }
        }
    }
    Contract {
        fields: leak(&fields),
        types: leak(&types),
        globals: leak(&globals(source)),
    }
}

fn globals(source: &Value) -> Vec<GlobalSpec> {
    let symbols = &source["symbols"];
    let per_view = symbols["per_view"].as_object().unwrap().values();
    let optional = per_view
        .chain([&symbols["used_when_present"]])
        .flat_map(|list| list.as_array().unwrap());
    let optional = optional.map(|name| GlobalSpec {
        name: word(name),
        need: Need::Optional,
    });
    let required = symbols["required"].as_array().unwrap().iter();
    required
        .map(|name| GlobalSpec {
            name: word(name),
            need: Need::Required,
        })
        .chain(optional)
        .collect()
}

/// What the extract says of the first spelling that it has.
fn expected_field(ty: &Value, spellings: &[&str]) -> Option<Field> {
    let fields = ty["fields"].as_array()?;
    spellings.iter().enumerate().find_map(|(index, spelling)| {
        let row = fields.iter().find(|row| row[1] == *spelling)?;
        let bits = row[4].as_u64().map(|position| ntlayout::BitField {
            position: u8::try_from(position).unwrap(),
            length: u8::try_from(row[5].as_u64().unwrap()).unwrap(),
        });
        let spelling = u8::try_from(index).unwrap();
        Some(Field {
            offset: number(&row[0])?,
            size: number(&row[3])?,
            bits,
            spelling,
        })
    })
}

/// The extract's types of one build, by name.
fn build<'a>(types: &'a Value, key: &str) -> HashMap<&'a str, &'a Value> {
    let builds = types["builds"].as_array().unwrap();
    let build = builds.iter().find(|build| {
        let guid = build["guid"].as_str().unwrap_or_default();
        format!("{guid}{}", build["age"]) == key
    });
    let shapes = build.unwrap()["types"].as_object().unwrap();
    shapes
        .iter()
        .map(|(name, shape)| (name.as_str(), &types["layouts"][name][shape.as_str().unwrap()]))
        .collect()
}

#[test]
fn every_field_and_global_is_where_the_tables_say() {
    let (Some(source), Some(types), Some(symbols)) = (
        json("layouts/contract.json"),
        json("layouts/types.json"),
        json("layouts/symbols.json"),
    ) else {
        return;
    };
    let contract = contract(&source);
    let worlds = worlds();
    assert_eq!(worlds.len(), 5);
    for (key, path) in worlds {
        let expected = build(&types, &key);
        let pdb = Pdb::open(&path).unwrap();
        assert_eq!(pdb.identity().unwrap().key(), key.to_uppercase());
        assert_eq!(pdb.pointer_size(), Some(8));
        let layout = pdb.resolve(&contract).unwrap();
        assert!(layout.missing().is_empty(), "{key}: {:?}", layout.missing());
        let mut seen = BTreeMap::new();
        for (index, spec) in contract.fields.iter().enumerate() {
            let Some(ty) = expected.get(spec.ty) else { continue };
            let found = layout.field(index);
            assert_eq!(
                found,
                expected_field(ty, spec.spellings),
                "{key}: {}.{:?}",
                spec.ty,
                spec.spellings
            );
            *seen.entry(found.is_some()).or_insert(0) += 1;
        }
        assert!(seen[&true] > 500, "{key}: {seen:?}");
        for (index, ty) in contract.types.iter().enumerate() {
            let wanted = expected.get(ty).map(|ty| number(&ty["size"]).unwrap());
            assert_eq!(layout.type_size(index), wanted, "{key}: {ty}");
        }
        let named = &symbols[format!("{}-{}", &key[..32], &key[32..])];
        for (index, spec) in contract.globals.iter().enumerate() {
            assert_eq!(
                layout.global(index),
                number(&named[spec.name]),
                "{key}: {}",
                spec.name
            );
        }
    }
}
