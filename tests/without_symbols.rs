//! Symbols that lack a global: the views find another way, or say what is lost.

mod support;

use std::collections::BTreeSet;

use support::synthetic::{Sample, address};

/// The sample with a PDB that does not have some of its globals.
fn without(kernel: &str, globals: &[&str]) -> Sample {
    let sample = Sample::standard(kernel);
    let mut pdb = synth::pdb::describe_kernel(&sample.world.kernel);
    let before = pdb.publics.len();
    pdb.publics
        .retain(|public| !globals.contains(&public.name.as_str()));
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
    for kernel in ["vista-sp2-x64", "win10-2004-2022-x64", "win11-24h2-x64"] {
        let sample = without(kernel, &["AlpcpPortList"]);
        let run = sample.run(&["--format", "json", "ports"]);
        assert_eq!(run.status, 3, "{kernel}: {}", run.stderr);
        assert!(run.stderr.contains("AlpcpPortList"), "{}", run.stderr);
        let record = &run.json()["result"];
        assert_eq!(record["source"], "search");
        let said: BTreeSet<String> = record["ports"]
            .as_array()
            .unwrap()
            .iter()
            .map(|port| port["address"].as_str().unwrap().to_owned())
            .collect();
        // Every port with a kind hangs on a handle, a name, a message or a connection.
        let truth = sample.world.truth.ports.iter();
        let ports: BTreeSet<String> = truth
            .filter(|port| port.kind.number() != 0)
            .map(|port| address(port.address))
            .collect();
        assert_eq!(said, ports, "{kernel}");
    }
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
