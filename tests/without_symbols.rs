//! Symbols that lack a global: the views find another way, or say what is lost.

mod support;

use support::synthetic::{Sample, address};
use support::{World, alpc_dump, shared};

/// The sample with a PDB that does not have some of its globals.
fn without(kernel: &str, globals: &[&str]) -> Sample {
    let sample = Sample::standard(kernel);
    let mut pdb = synth::pdb::describe_kernel(&sample.world.kernel);
    let before = pdb.publics.len();
    pdb.publics
        .retain(|public| !globals.contains(&public.name.trim_start_matches('_')));
    assert_eq!(
        before - pdb.publics.len(),
        globals.len(),
        "the globals were there"
    );
    std::fs::write(sample.dump().with_file_name("kernel.pdb"), pdb.write()).unwrap();
    sample
}

#[test]
fn ports_without_the_kernels_list() {
    for kernel in [
        "vista-sp2-x64",
        "win10-2004-2022-x64",
        "win11-24h2-x64",
        "win7-sp1-x86",
    ] {
        let sample = without(kernel, &["AlpcpPortList"]);
        // Any port leads around to the head of the list.
        let run = sample.run(&["--format", "json", "ports"]);
        assert_eq!(run.status, 0, "{kernel}: {}", run.stderr);
        assert_eq!(run.json()["result"]["source"], "port-list");
        let whole = Sample::standard(kernel).run(&["ports"]).stdout;
        assert_eq!(sample.run(&["ports"]).stdout, whole, "{kernel}");
    }
}

/// The types of objects, their names, and the way from a header to its type.
#[test]
fn objects_without_the_kernels_table_of_types() {
    const GLOBALS: [&str; 3] = ["ObTypeIndexTable", "AlpcPortObjectType", "ObpTypeObjectType"];
    for (kernel, globals) in [
        ("vista-sp2-x64", &GLOBALS[1..]),
        ("win7-sp1-x64", &GLOBALS),
        ("win10-2004-2022-x64", &GLOBALS),
        ("win11-24h2-x64", &GLOBALS),
        ("win10-2004-x86", &GLOBALS),
    ] {
        let sample = without(kernel, globals);
        for view in [&["handles"][..], &["ports"], &["object", "\\"], &["analyze"]] {
            let whole = Sample::standard(kernel).run(view);
            let run = sample.run(view);
            assert_eq!(
                (run.stdout, run.status),
                (whole.stdout, whole.status),
                "{kernel}: {view:?}: {}",
                run.stderr
            );
        }
        let record = sample.run(&["--format", "json", "info"]).json();
        let derived = record["result"]["symbols"]["found"]["derived"]
            .as_array()
            .unwrap();
        let of_ports = derived
            .iter()
            .find(|global| global["name"] == "AlpcPortObjectType");
        assert_eq!(of_ports.unwrap()["evidence"], "\\ObjectTypes", "{kernel}");
    }
}

/// Without the directory `\ObjectTypes` the table of types is found in the kernel's image by what it holds.
#[test]
fn types_without_their_directory() {
    let worlds = World::all();
    let world = worlds.iter().find(|world| world.dump.ends_with("w14-bmp.dmp"));
    let table = shared("isf/5F0CF5D532F385333A9B4ABA25CA6596-1.json.xz");
    let Some((world, table)) = world.zip(table) else {
        return;
    };
    let mut isf = synth::isf::Isf::open(&table).unwrap().describe();
    isf.publics
        .retain(|public| !["ObTypeIndexTable", "AlpcPortObjectType"].contains(&public.name.as_str()));
    let folder = tempfile::tempdir().unwrap();
    let pdb = folder.path().join("ntkrnlmp.pdb");
    std::fs::write(&pdb, isf.write()).unwrap();
    let (dump, pdb) = (world.dump.to_str().unwrap(), pdb.to_str().unwrap());
    for view in ["handles", "ports", "global"] {
        let whole = world.run(&[view]);
        let run = alpc_dump(&[dump, view, "-y", pdb]);
        assert_eq!(
            (run.stdout, run.status),
            (whole.stdout, whole.status),
            "{}",
            run.stderr
        );
    }
    let record = alpc_dump(&[dump, "--format", "json", "info", "-y", pdb]).json();
    let derived = record["result"]["symbols"]["found"]["derived"]
        .as_array()
        .unwrap();
    let types = derived.iter().find(|global| global["name"] == "ObTypeIndexTable");
    assert_eq!(
        types.unwrap()["address"],
        world.truth["symbols"]["ObTypeIndexTable"]
    );
}

#[test]
fn names_without_the_kernels_table_of_header_sizes() {
    for kernel in ["win7-sp1-x64", "win10-2004-2022-x64"] {
        let sample = without(kernel, &["ObpInfoMaskToOffset"]);
        let whole = Sample::standard(kernel).run(&["ports"]).stdout;
        assert_eq!(sample.run(&["ports"]).stdout, whole, "{kernel}");
    }
}

#[test]
fn messages_by_id_without_the_message_table() {
    let kernel = "win10-2004-2022-x64";
    let sample = without(kernel, &["AlpcMessageTable", "AlpcpSecondaryMessageTables"]);
    let queued = sample
        .world
        .truth
        .messages
        .iter()
        .find(|message| message.queue_type == 3)
        .unwrap();
    let run = sample.run(&["--format", "json", "message", &format!("id:{}", queued.id)]);
    assert_eq!(
        run.json()["result"]["address"],
        address(queued.address),
        "{}",
        run.stderr
    );
}
