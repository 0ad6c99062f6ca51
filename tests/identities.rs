//! Which kernel a dump is of: by its debug record, else by time stamp and size, which the table of published kernels has.

mod support;

use std::collections::BTreeSet;
use std::fs;

use ntlayout::published::{self, Published};
use ntlayout::{Processor, Version};
use support::synthetic::{Sample, address};
use synth::pdb;
use synth::world::Built;
use synth::worlds;

const KERNEL: &str = "win11-22h2-x64";

/// A published kernel whose version is asked for.
fn published(is_it: impl Fn(Version) -> bool) -> Published {
    published_where(|one| one.version.is_some_and(&is_it))
}

fn published_where(is_it: impl Fn(&Published) -> bool) -> Published {
    let mut all = published::all().filter(|one| one.processor == Some(Processor::X64) && one.stamp.is_some());
    all.find(is_it).unwrap()
}

/// The world of a kernel that names that PDB.
fn named(published: &Published) -> Built {
    let guid = published.identity.guid.0;
    worlds::standard_with(KERNEL, |world| world.truth.guid = guid)
}

/// The dump without the debug record, and with that time stamp and size in the header of the kernel's image.
fn stamp(sample: &Sample, published: &Published, keeps_record: bool) {
    let mut bytes = fs::read(sample.dump()).unwrap();
    let find = |bytes: &[u8], what: &[u8]| bytes.windows(what.len()).position(|window| window == what);
    if !keeps_record {
        let record = find(&bytes, b"RSDS").unwrap();
        bytes[record..record + 4].fill(0);
    }
    let (timestamp, size) = published.stamp.unwrap();
    let header = find(&bytes, b"PE\0\0").unwrap();
    bytes[header + 8..header + 12].copy_from_slice(&timestamp.to_le_bytes());
    bytes[header + 80..header + 84].copy_from_slice(&size.to_le_bytes());
    fs::write(sample.dump(), bytes).unwrap();
}

fn pdb_of(built: &Built, published: &Published) -> Vec<u8> {
    let mut pdb = pdb::describe_kernel(&built.kernel);
    (pdb.guid, pdb.age) = (published.identity.guid.0, published.identity.age);
    pdb.write()
}

#[test]
fn time_stamp_and_size_lead_to_the_symbols() {
    let published = published(|version| version.build() == 22621 && version.0[3] > 3000);
    let sample = Sample::of(named(&published));
    sample.write_pdb(&pdb_of(&sample.world, &published));
    stamp(&sample, &published, false);
    let document = sample.run(&["info", "--format", "json"]).json();
    let identity = &document["result"]["identity"];
    let (timestamp, size) = published.stamp.unwrap();
    assert_eq!(identity["pdb"], published.identity.to_string());
    assert_eq!(identity["image"], format!("ntoskrnl.exe/{timestamp:08X}{size:x}"));
    assert_eq!(identity["version"], published.version.unwrap().to_string());
    assert_eq!(identity["learned"], "image-header");
    let symbols = &document["result"]["symbols"]["found"];
    assert_eq!(
        symbols["certainty"], "identified by time stamp and size",
        "{symbols}"
    );
    // The views are those that the debug record leads to.
    let whole = Sample::of(worlds::standard(KERNEL));
    for view in ["ports", "threads", "hang", "handles"] {
        assert_eq!(sample.run(&[view]).stdout, whole.run(&[view]).stdout, "{view}");
    }
    assert_eq!(sample.run(&["--exact-symbols", "ports"]).status, 2);
    let record = sample.run(&["triage"]).lines().remove(0);
    assert_eq!(record["kernel"], *identity);
    assert_eq!(record["kernel_pdb"], identity["pdb"]);
    let search = sample.run(&["symbols"]).stdout;
    for row in [
        "Identified by    : time stamp and size in the header of its image",
        "Kernel version   : 10.0.22621.",
    ] {
        assert!(search.contains(row), "{search}");
    }
}

/// Where nothing but addresses tells which kernel it is, all that have them are named, and only what they have in common is used:
/// updates that were built of the same source differ in nothing that the header tells, and some have variables elsewhere.
#[test]
fn all_kernels_are_named_that_have_the_addresses() {
    for (kernel, at_least) in [
        ("win10-1809-2022-x64", 3),
        ("win10-1607-x64", 4),
        ("win81-x64", 2),
    ] {
        let (whole, sample) = (Sample::standard(kernel), Sample::standard(kernel));
        let mut nobody = published(|version| version.build() == 19041);
        nobody.stamp = Some((1, 0x104_6000));
        stamp(&sample, &nobody, false);
        fs::remove_file(sample.dump().with_file_name("kernel.pdb")).unwrap();
        // What the dump tells: its header and the block that this leads to.
        let told = [
            "PsLoadedModuleList",
            "PsActiveProcessHead",
            "KdDebuggerDataBlock",
            "ObpRootDirectoryObject",
        ];
        let built = &sample.world.kernel;
        let has_all = |one: &Published| told.iter().all(|name| one.rva(name) == built.try_rva(name));
        let expected: BTreeSet<String> = published::all()
            .filter(has_all)
            .map(|one| one.identity.to_string())
            .collect();
        assert!(expected.len() >= at_least, "{kernel}: {expected:?}");
        for view in ["info", "symbols"] {
            let record = sample.run(&[view, "--format", "json"]).json()["result"].clone();
            assert!(record["identity"].is_null(), "{record}");
            let named = record["candidates"].as_array().unwrap().iter();
            let named: BTreeSet<String> = named.map(|one| one["pdb"].as_str().unwrap().to_owned()).collect();
            assert_eq!(named, expected, "{kernel}: {view}");
            let text = sample.run(&[view]).stdout;
            assert!(expected.iter().all(|one| text.contains(one)), "{text}");
        }
        for view in ["ports", "threads", "hang", "handles"] {
            let (known, run) = (whole.run(&[view]), sample.run(&[view]));
            assert_eq!(
                (run.stdout, run.status),
                (known.stdout, known.status),
                "{kernel}: {view}"
            );
        }
        // A variable that one of them has elsewhere is not known, which is not that there is none.
        let global = sample.run(&["global", "--format", "json"]).json();
        let own = whole.run(&["global", "--format", "json"]).json();
        for name in ["message_table", "secondary_message_tables"] {
            let value = &global["result"][name];
            let is_hole = || global["holes"].to_string().contains(name);
            assert!(
                *value == own["result"][name] || value.is_null() && is_hole(),
                "{kernel}: {global}"
            );
        }
    }
}

/// Neither is right for sure: the debug record comes first, and the other is said.
#[test]
fn a_contradiction_is_said() {
    let named_in_record = published(|version| version.build() == 22621);
    let stamped = published(|version| version.build() == 26100);
    let sample = Sample::of(named(&named_in_record));
    stamp(&sample, &stamped, true);
    let run = sample.run(&["info"]);
    // The builder's kernels have another age than the published ones.
    assert!(
        run.stdout.contains("  contradiction: its debug record names "),
        "{}",
        run.stdout
    );
    assert!(
        run.stdout
            .contains(&format!("time stamp and size those of {}", stamped.identity)),
        "{}",
        run.stdout
    );
}

/// Symbols that lack variables, and a hole where the dump itself tells of them: a published kernel has them where they were
/// published. The builder has this kernel's out of Volatility's table, the program out of another one.
#[test]
fn variables_of_a_published_kernel_are_where_they_were_published() {
    const GLOBALS: [&str; 5] = [
        "ObTypeIndexTable",
        "ObHeaderCookie",
        "AlpcPortObjectType",
        "ObpTypeObjectType",
        "ObpRootDirectoryObject",
    ];
    let published = published(|version| version == Version([10, 0, 19041, 804]));
    let guid = published.identity.guid.0;
    let built = worlds::standard_with("win10-2004-x64", |world| world.truth.guid = guid);
    let truth = &built.truth;
    let first = truth.object_types[0].address;
    let has_it = |entries: &[_]| entries.iter().any(|(object, _)| *object == first);
    let types = truth.directories.iter().find(|(_, found)| has_it(&found.entries));
    // Without the directory of types, and without one of the first types that the table would be known by.
    let lost = [*types.unwrap().0, truth.object_types[3].address];
    let whole = Sample::without_pages(&built, &lost);
    stamp(&whole, &published, false);
    whole.write_pdb(&pdb_of(&built, &published));
    let sample = Sample::without_pages(&built, &lost);
    stamp(&sample, &published, false);
    let mut pdb = pdb::describe_kernel(&built.kernel);
    (pdb.guid, pdb.age) = (published.identity.guid.0, published.identity.age);
    pdb.publics
        .retain(|public| !GLOBALS.contains(&public.name.as_str()));
    sample.write_pdb(&pdb.write());
    for view in [&["handles"][..], &["ports"], &["hang"], &["object", "\\"]] {
        let (with, without) = (whole.run(view), sample.run(view));
        assert_eq!(
            (without.stdout, without.status),
            (with.stdout, with.status),
            "{view:?}"
        );
    }
    let record = sample.run(&["--format", "json", "info"]).json();
    let derived = &record["result"]["symbols"]["found"]["derived"];
    let mut found = derived.as_array().unwrap().iter();
    let found = found.find(|global| global["name"] == "ObTypeIndexTable").unwrap();
    assert_eq!(found["evidence"], "what is published of this kernel", "{found}");
    assert_eq!(
        found["address"],
        address(built.global("ObTypeIndexTable")),
        "{found}"
    );
}

/// Two layouts that explain a dump alike, where the dump does not say how large threads are: the version tells
/// them apart, and so do sizes that are published of that kernel.
#[test]
fn the_version_decides_between_layouts_that_explain_a_dump_alike() {
    let mut explained = Vec::new();
    for (is_late, knows_sizes) in [(false, false), (true, false), (false, true), (true, true)] {
        let is_it = move |version: Version| version.build() == 22621 && (version.0[3] >= 2506) == is_late;
        // One of which no source says how large its threads are, which would decide too.
        let published = published_where(|one| {
            one.version.is_some_and(is_it) && one.size_of("_ETHREAD").is_some() == knows_sizes
        });
        let mut built = named(&published);
        // As live dumps have it: encoded.
        let block = built.global("KdDebuggerDataBlock") + 0x10;
        built.memory.write(block, &[0x5a; 0x330]);
        let sample = Sample::of(built);
        stamp(&sample, &published, false);
        let evidence = sample.run(&["ports", "--format", "json"]).json()["symbols"]["evidence"].clone();
        explained.push(evidence["explained_by"].clone());
        let mut excluded = evidence["excluded"].as_array().unwrap().iter();
        let by = if knows_sizes { "sizes" } else { "version" };
        assert!(excluded.any(|one| one["by"] == by), "{evidence}");
    }
    let early = serde_json::json!(["10.0.22621.382 to 10.0.22631.2428"]);
    let late = serde_json::json!(["10.0.22621.2506 to 10.0.22621.6931 (derived)"]);
    assert_eq!(explained, [early.clone(), late.clone(), early, late]);
}
