//! The checked-in extract against the table it was cut from, where that is present.

use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::Value;
use synth::layout::{Field, Kernel, Kind, Type};

fn shared(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/layouts");
    Some(path.join(name)).filter(|p| p.is_file())
}

fn load(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn published_field(entry: &Value) -> Field {
    let small = |v: &Value| u8::try_from(v.as_u64().unwrap()).unwrap();
    Field {
        offset: entry[0].as_u64().unwrap(),
        path: entry[1].as_str().unwrap().to_owned(),
        ty: entry[2].as_str().unwrap().to_owned(),
        bytes: entry[3].as_u64().unwrap(),
        bit: (!entry[4].is_null()).then(|| (small(&entry[4]), small(&entry[5]))),
    }
}

/// Types of which the extract keeps some members only.
const CUT: [&str; 6] = ["_KPCR", "_KPRCB", "_MM_SESSION_SPACE", "_PEB", "_TEB", "_TOKEN"];

/// Types and a global that complete symbol tables alone have.
const COMPLETE: [&str; 12] = [
    "_ERESOURCE",
    "_OWNER_ENTRY",
    "_KWAIT_CHAIN_ENTRY",
    "_FAST_MUTEX",
    "_KLOCK_ENTRY",
    "_RTL_USER_PROCESS_PARAMETERS",
    "_SEP_LOGON_SESSION_REFERENCES",
    "_IRP",
    "_IO_STACK_LOCATION",
    "_FILE_OBJECT",
    "_DEVICE_OBJECT",
    "_DRIVER_OBJECT",
];
const LOCK_LIST: &str = "ExpSystemResourcesList";

fn assert_type(kernel: &Kernel, ty: &Type, published: &Value) {
    let what = format!("{} {}", kernel.name(), ty.name);
    assert_eq!(Some(ty.size), published["size"].as_u64(), "{what}");
    let kind = match ty.kind {
        Kind::Struct => "struct",
        Kind::Union => "union",
    };
    assert_eq!(published["kind"], kind, "{what}");
    let fields: Vec<Field> = published["fields"]
        .as_array()
        .unwrap()
        .iter()
        .map(published_field)
        .collect();
    if CUT.contains(&ty.name.as_str()) {
        assert!(!ty.fields.is_empty(), "{what}");
        assert!(ty.fields.iter().all(|f| fields.contains(f)), "{what}");
    } else {
        assert_eq!(ty.fields, fields, "{what}");
    }
}

#[test]
fn every_field_is_as_published() {
    let Some(path) = shared("types.json") else {
        return;
    };
    let table = load(&path);
    let builds = table["builds"].as_array().unwrap();
    for name in Kernel::names() {
        let kernel = Kernel::named(name);
        if !kernel.is_published() {
            continue;
        }
        let build = builds.iter().find(|b| b["id"] == kernel.source()).unwrap();
        assert_eq!(build["ptr"].as_u64(), Some(kernel.pointer_size()));
        for ty in kernel.types().filter(|ty| !COMPLETE.contains(&ty.name.as_str())) {
            let key = build["types"][&ty.name].as_str().unwrap();
            assert_type(&kernel, ty, &table["layouts"][&ty.name][key]);
        }
        for (enum_name, values) in kernel.enums() {
            let key = build["enums"][enum_name].as_str().unwrap();
            let published = table["enums"][enum_name][key].as_object().unwrap();
            assert_eq!(values.len(), published.len(), "{name} {enum_name}");
            for (value_name, value) in values {
                assert_eq!(published[value_name], *value, "{name} {enum_name}");
            }
        }
    }
}

#[test]
fn every_rva_is_as_published() {
    let Some(path) = shared("symbols.json") else {
        return;
    };
    let table = load(&path);
    let real = Kernel::names().into_iter().map(Kernel::named);
    for kernel in real.filter(Kernel::has_real_symbols) {
        let identity = kernel.source().strip_prefix("isf:").unwrap();
        let published = table[identity].as_object().unwrap();
        let listed = |(name, _): &(&str, u32)| *name != LOCK_LIST;
        for (name, rva) in kernel.globals().filter(listed) {
            assert_eq!(published[name], rva, "{} {name}", kernel.name());
        }
        let plain = published.keys().filter(|n| !n.starts_with("Zw"));
        assert_eq!(kernel.globals().filter(listed).count(), plain.count());
    }
}

/// What the extract does not have, against the complete tables of the same kernels.
#[test]
fn the_rest_is_as_in_complete_tables() {
    let mut checked = 0;
    for name in Kernel::complete() {
        let kernel = Kernel::named(name);
        let identity = kernel.source().strip_prefix("isf:").unwrap();
        let Some(path) = shared(&format!("../isf/{identity}.json.xz")) else {
            continue;
        };
        let table = unpack(&path);
        assert_eq!(
            table["symbols"][LOCK_LIST]["address"],
            kernel.rva(LOCK_LIST),
            "{name}"
        );
        for type_name in COMPLETE {
            let published = &table["user_types"][type_name];
            assert_eq!(
                kernel.has_type(type_name),
                published.is_object(),
                "{name} {type_name}"
            );
            if kernel.has_type(type_name) {
                assert_as_published(&table, kernel.type_(type_name), published, name);
                checked += 1;
            }
        }
    }
    assert!(checked == 0 || checked > 25, "{checked}");
}

/// The member at a path, and how far the members that hold it are from the start.
fn member<'t>(table: &'t Value, of: &'t Value, path: &str) -> (u64, &'t Value) {
    let (name, rest) = path.split_once('.').unwrap_or((path, ""));
    let field = &of["fields"][name];
    if rest.is_empty() {
        return (0, field);
    }
    let holder = field["type"]["name"].as_str().unwrap();
    let (before, found) = member(table, &table["user_types"][holder], rest);
    (before + field["offset"].as_u64().unwrap(), found)
}

fn assert_as_published(table: &Value, ty: &Type, published: &Value, kernel: &str) {
    assert_eq!(published["size"], ty.size, "{kernel} {}", ty.name);
    for field in &ty.fields {
        let what = format!("{kernel} {}.{}", ty.name, field.path);
        let (before, published) = member(table, published, &field.path);
        assert_eq!(
            published["offset"].as_u64().map(|at| at + before),
            Some(field.offset),
            "{what}"
        );
        let kind = &published["type"];
        match field.bit {
            Some((position, length)) => {
                assert_eq!(kind["bit_position"], position, "{what}");
                assert_eq!(kind["bit_length"], length, "{what}");
            }
            None => assert_ne!(kind["kind"], "bitfield", "{what}"),
        }
        // What waiters are decides how a thread in line is found.
        if field.path.ends_with("Waiters") && field.ty.contains("<_K") {
            let pointee = field.ty.trim_start_matches("ptr<").trim_end_matches('>');
            assert_eq!(kind["subtype"]["name"], pointee, "{what}");
        }
    }
}

fn unpack(path: &Path) -> Value {
    let mut text = Vec::new();
    let file = std::fs::File::open(path).unwrap();
    lzma_rust2::XzReader::new(file, true)
        .read_to_end(&mut text)
        .unwrap();
    serde_json::from_slice(&text).unwrap()
}

/// The checked-in file is what the command writes.
#[test]
fn the_extract_is_up_to_date() {
    let Some(types) = shared("types.json") else {
        return;
    };
    let target = tempfile::NamedTempFile::new().unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_extract-layouts"));
    assert!(command.arg(types).arg(target.path()).status().unwrap().success());
    let written = std::fs::read(target.path()).unwrap();
    let kept = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/layouts/kernels.tsv")).unwrap();
    assert!(written == kept, "run the extract-layouts command again");
}

/// Whatever the product asks of a kernel, a world must be able to place.
#[test]
fn the_types_of_the_contract_are_all_there() {
    let (Some(contract), Some(types)) = (shared("contract.json"), shared("types.json")) else {
        return;
    };
    let (contract, table) = (load(&contract), load(&types));
    let builds = table["builds"].as_array().unwrap();
    for name in Kernel::names() {
        let kernel = Kernel::named(name);
        if !kernel.is_published() {
            continue;
        }
        let build = builds.iter().find(|b| b["id"] == kernel.source()).unwrap();
        for type_name in contract["types"].as_object().unwrap().keys() {
            let published = build["types"].get(type_name).is_some();
            assert_eq!(kernel.has_type(type_name), published, "{name} {type_name}");
        }
    }
}

#[test]
fn servicing_updates_inside_a_build_are_told_apart() {
    let offset = |kernel: &str, ty: &str, path: &str| Kernel::named(kernel).offset(ty, path);
    let bits = |kernel: &str, path: &str| Kernel::named(kernel).field("_KALPC_MESSAGE", path).bit;
    // March 2022: the handle table's members changed places.
    assert_ne!(
        offset("win10-1809-x64", "_ALPC_HANDLE_TABLE", "TotalHandles"),
        offset("win10-1809-2022-x64", "_ALPC_HANDLE_TABLE", "TotalHandles"),
    );
    // May 2022: one more bit.
    let canceled = |kernel: &str| Kernel::named(kernel).has("_KALPC_MESSAGE", "u1.s1.InCanceledQueue");
    assert!(!canceled("win10-2004-x64"));
    assert!(canceled("win10-2004-2022-x64"));
    // October 2022: the queue type of 8.1 took a third bit.
    assert_eq!(bits("win81-x64", "u1.s1.QueueType"), Some((0, 2)));
    assert_eq!(bits("win81-2022-x64", "u1.s1.QueueType"), Some((0, 3)));
}
