//! The built-in table: all that the contract asks for, of every kernel, as its sources have it.

mod support;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs;

use alpc::CONTRACT;
use ntlayout::{
    BitField, Field, FieldSpec, Identity, Layout, Pdb, Processor, SymbolTable, Table, all_built_in,
    bracketing, built_in, distinct_built_in, published,
};
use serde_json::Value;

/// What only complete symbol tables have.
const UNTOLD: [&str; 12] = [
    "_RTL_USER_PROCESS_PARAMETERS",
    "_PSP_SESSION_SPACE",
    "_IRP",
    "_IO_STACK_LOCATION",
    "_DEVICE_OBJECT",
    "_DRIVER_OBJECT",
    "_ERESOURCE",
    "_OWNER_ENTRY",
    "_KWAIT_CHAIN_ENTRY",
    "_FAST_MUTEX",
    "_SEP_LOGON_SESSION_REFERENCES",
    "_OB_DUPLICATE_OBJECT_STATE",
];

/// The same of globals.
const UNTOLD_GLOBAL: &str = "ExpSystemResourcesList";

/// What came with Windows 8.
const LATER: &str = "_KLOCK_ENTRY";

#[test]
fn the_table_is_small_and_knows_every_kernel_that_the_layouts_cover() {
    let data = support::root().join("crates/ntlayout/data/kernels.txt");
    assert!(fs::metadata(data).unwrap().len() < 400 << 10);
    let tables = all_built_in();
    // 305 that were published as a whole; 21 that follow from others, of ARM64 and x64; and those for five levels of page
    // tables, of every x64 kernel that has such a sister.
    assert_eq!(tables.len(), 305 + 21 + 72);
    let identities: HashSet<&Identity> = tables.iter().filter_map(|table| table.identity()).collect();
    assert_eq!(identities.len(), 213);
    for identity in identities {
        assert_eq!(built_in(identity).unwrap().identity(), Some(identity));
        let older = Identity {
            age: identity.age + 1,
            ..identity.clone()
        };
        assert!(built_in(&older).is_none());
    }
}

/// A member that was declared after the table was written would be missing here: run `write-layouts` then.
#[test]
fn the_table_is_of_this_contract() {
    for table in all_built_in().iter().filter(|table| table.identity().is_some()) {
        let missing = table.resolve(&CONTRACT).unwrap().missing().to_vec();
        let later = format!("type {LATER}");
        let lacks = missing.iter().map(ToString::to_string);
        let lacks: Vec<String> = lacks.filter(|one| *one != later).collect();
        assert_eq!(lacks, UNTOLD.map(|ty| format!("type {ty}")), "{}", table.origin());
    }
}

/// The contract's spellings, told by the layouts of `types.json`: bytes, bits, and which spelling it was.
fn expected(tables: &Value, build: &Value, spec: &FieldSpec) -> Option<Field> {
    let found = |(spelling, path): (u8, &&str)| {
        let (offset, size, bits) = expected_place(tables, build, spec.ty, path)?;
        Some(Field {
            offset,
            size,
            bits,
            spelling,
        })
    };
    (0u8..).zip(spec.spellings).find_map(found)
}

fn expected_place(
    tables: &Value,
    build: &Value,
    ty: &str,
    path: &str,
) -> Option<(u32, u32, Option<BitField>)> {
    let key = build["types"][ty].as_str()?;
    let fields = tables["layouts"][ty][key]["fields"].as_array().unwrap();
    let number = |value: &Value| u32::try_from(value.as_u64().unwrap()).unwrap();
    let small = |value: &Value| u8::try_from(value.as_u64().unwrap()).unwrap();
    // Every kernel's table of one source names unnamed holders, those of another do not.
    let flat: Vec<&str> = path
        .split('.')
        .filter(|part| !matches!(*part, "u1" | "s1" | "u2" | "s2"))
        .collect();
    let is_it = |name: &str| name == path || name == flat.join(".");
    if let Some(field) = fields.iter().find(|field| is_it(field[1].as_str().unwrap())) {
        let bits = (!field[4].is_null()).then(|| BitField {
            position: small(&field[4]),
            length: small(&field[5]),
        });
        return Some((number(&field[0]), number(&field[3]), bits));
    }
    let (holder, member) = path.split_once('.')?;
    let holder = fields.iter().find(|field| field[1].as_str() == Some(holder))?;
    let (offset, size, bits) = expected_place(tables, build, holder[2].as_str().unwrap(), member)?;
    Some((number(&holder[0]) + offset, size, bits))
}

#[test]
fn every_entry_equals_its_source() {
    let Some(types) = support::shared("layouts/types.json") else {
        return;
    };
    let read = |path| -> Value { serde_json::from_slice(&fs::read(path).unwrap()).unwrap() };
    let symbols = read(types.with_file_name("symbols.json"));
    let sources = read(types);
    let builds = sources["builds"].as_array().unwrap();
    let mut tables = all_built_in();
    tables.truncate(builds.len());
    let (mut fields, mut rvas) = (0, 0);
    for (build, table) in builds.iter().zip(&tables) {
        let id = build["id"].as_str().unwrap();
        let layout = table.resolve(&CONTRACT).unwrap();
        let key = table
            .identity()
            .map(|identity| format!("{}-{}", identity.guid, identity.age));
        assert_eq!(key.as_deref(), id.strip_prefix("isf:"), "{id}");
        assert_eq!(table.pointer_size().map(u64::from), build["ptr"].as_u64(), "{id}");
        for (index, spec) in CONTRACT.fields.iter().enumerate() {
            let expected = expected(&sources, build, spec);
            assert_eq!(layout.field(index), expected, "{id}: {}.{}", spec.ty, spec.name);
            fields += usize::from(expected.is_some());
        }
        for (index, ty) in CONTRACT.types.iter().enumerate() {
            let key = build["types"][ty].as_str();
            let size = key.and_then(|key| sources["layouts"][ty][key]["size"].as_u64());
            assert_eq!(layout.type_size(index).map(u64::from), size, "{id}: {ty}");
        }
        for (index, spec) in CONTRACT.globals.iter().enumerate() {
            let rva = key.as_ref().and_then(|key| symbols[key][spec.name].as_u64());
            assert_eq!(layout.global(index).map(u64::from), rva, "{id}: {}", spec.name);
            rvas += usize::from(rva.is_some());
        }
    }
    assert!(fields > 50_000 && rvas > 5_000, "{fields} {rvas}");
}

fn same(one: &Layout, other: &Layout) {
    for (index, spec) in CONTRACT.fields.iter().enumerate() {
        if !UNTOLD.contains(&spec.ty) {
            assert_eq!(one.field(index), other.field(index), "{}.{}", spec.ty, spec.name);
        }
    }
    for (index, ty) in CONTRACT.types.iter().enumerate() {
        if !UNTOLD.contains(ty) {
            assert_eq!(one.type_size(index), other.type_size(index), "{ty}");
        }
    }
    for (index, spec) in CONTRACT.globals.iter().enumerate() {
        if spec.name != UNTOLD_GLOBAL {
            assert_eq!(one.global(index), other.global(index), "{}", spec.name);
        }
    }
}

#[test]
fn the_table_says_what_the_kernels_pdbs_say() {
    let Some(store) = support::shared("worlds/syms/ntkrnlmp.pdb") else {
        return;
    };
    let mut compared = 0;
    for entry in fs::read_dir(store).unwrap() {
        let pdb = Pdb::open(&entry.unwrap().path().join("ntkrnlmp.pdb")).unwrap();
        let table: Table = built_in(pdb.identity().unwrap()).unwrap();
        same(
            &table.resolve(&CONTRACT).unwrap(),
            &pdb.resolve(&CONTRACT).unwrap(),
        );
        compared += 1;
    }
    assert_eq!(compared, 5);
}

/// What the table does not tell is there in the kernel: it is no absence, and says where it would be told.
/// Layouts that follow from others are those of their source. Those of five levels differ from their sisters in the entries of handle tables alone.
#[test]
fn every_derived_entry_equals_its_source() {
    let Some(types) = support::shared("layouts/types.json") else {
        return;
    };
    let read = |path| -> Value { serde_json::from_slice(&fs::read(path).unwrap()).unwrap() };
    let more = read(types.with_file_name("types-more.json"));
    let mut sources = read(types);
    let published = sources["builds"].as_array().unwrap().clone();
    for (ty, shapes) in more["layouts"].as_object().unwrap() {
        for (key, shape) in shapes.as_object().unwrap() {
            sources["layouts"][ty][key] = shape.clone();
        }
    }
    let builds = more["builds"].as_array().unwrap();
    let tables = all_built_in();
    let (derived, five_levels) = tables[published.len()..].split_at(builds.len());
    let mut fields = 0;
    for (build, table) in builds.iter().zip(derived) {
        let layout = table.resolve(&CONTRACT).unwrap();
        for (index, spec) in CONTRACT.fields.iter().enumerate() {
            let expected = expected(&sources, build, spec);
            assert_eq!(
                layout.field(index),
                expected,
                "{}: {}.{}",
                build["id"],
                spec.ty,
                spec.name
            );
            fields += usize::from(expected.is_some());
        }
    }
    assert!(fields > 21 * 300, "{fields}");
    let sisters = tables[..published.len() + builds.len()]
        .iter()
        .map(|table| table.resolve(&CONTRACT).unwrap());
    let sisters: Vec<_> = sisters.collect();
    for table in five_levels {
        let layout = table.resolve(&CONTRACT).unwrap();
        let differs = |other: &Layout| -> BTreeSet<&str> {
            let all = CONTRACT.fields.iter().enumerate();
            let differ = all.filter(|(index, _)| layout.field(*index) != other.field(*index));
            differ.map(|(_, spec)| spec.ty).collect()
        };
        let is_sister = |other: &&Layout| differs(other) == BTreeSet::from(["_HANDLE_TABLE_ENTRY"]);
        assert!(
            sisters.iter().any(|other| is_sister(&other)),
            "{}",
            table.origin()
        );
    }
}

#[test]
fn what_the_table_does_not_tell_has_a_reason_of_its_own() {
    let Some(world) = support::World::readable().next() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let alone = folder.path().join("memory.dmp");
    fs::copy(&world.dump, &alone).unwrap();
    let thread = world.truth["threads"][0]["ethread"].as_str().unwrap();
    let run = support::alpc_dump(&[alone.to_str().unwrap(), "--format", "json", "thread", thread]);
    assert_eq!(run.status, 3, "{}", run.stderr);
    assert!(
        run.stderr.contains("1 not described by the layouts in use"),
        "{}",
        run.stderr
    );
    let details = &run.json()["result"]["details"];
    let reason = &details["unreadable"]["irps"];
    assert_eq!(reason["id"], "not-told", "{details}");
    assert_eq!(
        reason["text"],
        "the layouts in use do not describe _IRP.ThreadListEntry: get a PDB of this kernel with that type to see I/O requests"
    );
    assert!(
        !details["absent"]
            .as_array()
            .is_some_and(|absent| absent.contains(&"irps".into()))
    );
}

#[test]
fn no_fixture_is_in_the_table() {
    let pdb = Pdb::open(&support::fixture("vista-sp2-x64.pdb")).unwrap();
    assert!(built_in(pdb.identity().unwrap()).is_none());
}

/// Every view of every world, with the PDB and without anything.
#[test]
fn views_are_the_same_without_a_pdb() {
    for world in support::World::readable() {
        let folder = tempfile::tempdir().unwrap();
        let alone = folder.path().join("memory.dmp");
        fs::copy(&world.dump, &alone).unwrap();
        let alone = alone.to_str().unwrap();
        let port = world.truth["ports"][0]["address"].as_str().unwrap();
        let message = world.truth["messages"][0]["address"].as_str().unwrap_or(port);
        for args in [
            &["message", message][..],
            &["port", port],
            &["connections", port],
            &["resource", port],
            &["ports"],
            &["global"],
            &["global", "--graph"],
            &["threads"],
            &["processes"],
            &["handles"],
            &["modules"],
            &["analyze"],
            &["waits"],
        ] {
            let with = world.run(args);
            let without = support::alpc_dump(&[&[alone], args].concat());
            assert_eq!(without.stdout, with.stdout, "{}: {args:?}", world.dump.display());
            assert_eq!(without.status, with.status, "{args:?}: {}", without.stderr);
            if with.stderr.contains("symbols: PDB ") {
                assert!(
                    without.stderr.contains("symbols: built-in layouts of "),
                    "{}",
                    without.stderr
                );
            }
        }
    }
}

/// How many published kernels have a layout here, as docs/symbols.md has it: by GUID, or of the sizes of processes and
/// threads that `kernel-rvas.tsv` tells of their PDBs. Those of five levels are in no such table: of the build of theirs.
#[test]
fn the_figures_of_the_documentation_are_those_of_the_tables() {
    let Some(rvas) = support::shared("layouts/kernel-rvas.tsv") else {
        return;
    };
    let text = fs::read_to_string(rvas).unwrap();
    let mut lines = text.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    let head = lines.next().unwrap();
    let at = |name: &str| head.iter().position(|column| *column == name).unwrap();
    let (key, process, thread) = (at("guid_age"), at("sizeof_EPROCESS"), at("sizeof_ETHREAD"));
    let hex = |text: &str| u32::from_str_radix(text, 16).unwrap_or(0);
    let sizes: HashMap<String, (u32, u32)> = lines
        .map(|row| (row[key].replace('-', ""), (hex(row[process]), hex(row[thread]))))
        .collect();
    let sizes_of = |processor| -> HashSet<(u32, u32)> {
        let tables = distinct_built_in(processor).into_iter();
        let size = |layout: &Layout, ty: &str| {
            let index = CONTRACT.types.iter().position(|one| *one == ty).unwrap();
            layout.type_size(index).unwrap_or(0)
        };
        let layouts = tables.map(|table| table.resolve(&CONTRACT).unwrap());
        layouts
            .map(|layout| (size(&layout, "_EPROCESS"), size(&layout, "_ETHREAD")))
            .collect()
    };
    let docs = fs::read_to_string(support::root().join("docs/symbols.md")).unwrap();
    for (processor, name) in [
        (Processor::X64, "x64"),
        (Processor::La57, "x64, five levels"),
        (Processor::Arm64, "ARM64"),
        (Processor::X86, "x86"),
    ] {
        let known = sizes_of(processor);
        let (mut all, mut exact, mut served, mut unknown) = (0, 0, 0, 0);
        for published in published::all().filter(|one| one.processor == Some(processor)) {
            all += 1;
            let own = sizes.get(&published.identity.key());
            let is_of_build = || {
                published
                    .version
                    .is_some_and(|version| !bracketing(processor, version).is_empty())
            };
            if built_in(&published.identity).is_some() {
                exact += 1;
            } else if own.map_or_else(is_of_build, |own| known.contains(own)) {
                served += 1;
            } else {
                unknown += usize::from(own.is_none());
            }
        }
        let refused = all - exact - served - unknown;
        let row = format!("| {name} | {all} | {exact} | {served} | {refused} | {unknown} |");
        assert!(docs.contains(&row), "docs/symbols.md lacks\n{row}");
    }
}
