//! `dt`: types with their values.

mod support;

use serde_json::{Value, json};
use support::World;

/// A member by its path, as `u1.s1.Type`.
fn member<'a>(record: &'a Value, path: &str) -> &'a Value {
    path.split('.').fold(record, |record, name| {
        let members = record["members"].as_array().unwrap();
        members.iter().find(|member| member["name"] == name).unwrap()
    })
}

fn value<'a>(record: &'a Value, path: &str) -> &'a Value {
    &member(record, path)["value"]
}

#[test]
fn the_ports_of_every_readable_world() {
    let mut checked = 0;
    for world in World::readable() {
        for port in world.truth["ports"].as_array().unwrap() {
            let address = port["address"].as_str().unwrap();
            let run = world.run(&["--format", "json", "dt", "nt!_ALPC_PORT", address]);
            assert_eq!(run.status, 0, "{}", run.stderr);
            let record = &run.json()["result"];
            assert_eq!(record["address"], address);
            // Constant in every kernel.
            assert_eq!(member(record, "CommunicationInfo")["offset"], 0x10);
            assert_eq!(value(record, "CommunicationInfo"), &port["communication_info"]);
            assert_eq!(value(record, "OwnerProcess"), &port["owner_process_raw"]);
            assert_eq!(value(record, "SequenceNo"), &port["sequence_no"]);
            assert_eq!(value(record, "CompletionPort"), &port["completion_port"]);
            assert_eq!(value(record, "u1.State"), &port["state"]);
            assert_eq!(value(record, "u1.s1.Type"), &port["type"]);
            assert_eq!(member(record, "u1.s1.Type")["bits"], json!([1, 2]));
            for (flag, set) in port["flags"].as_object().unwrap() {
                let bit = u64::from(*set == true);
                assert_eq!(
                    value(record, &format!("u1.s1.{flag}")),
                    bit,
                    "{flag} of {address}"
                );
            }
            assert_eq!(value(record, "MainQueueLength"), &port["lengths"]["MainQueue"]);
            checked += 1;
        }
    }
    support::say_if_none(checked, "ports");
}

#[test]
fn the_threads_and_processes_of_every_readable_world() {
    let mut checked = 0;
    for world in World::readable() {
        for thread in world.truth["threads"].as_array().unwrap() {
            let address = thread["ethread"].as_str().unwrap();
            let run = world.run(&["--format", "json", "dt", "_KTHREAD", address]);
            let record = &run.json()["result"];
            assert_eq!(value(record, "State"), &thread["state"], "{address}");
            assert_eq!(value(record, "WaitReason"), &thread["wait_reason"], "{address}");
            assert_eq!(value(record, "Teb"), &thread["teb"], "{address}");
            checked += 1;
        }
        for process in world.truth["processes"].as_array().unwrap() {
            let address = process["eprocess"].as_str().unwrap();
            let run = world.run(&["--format", "json", "dt", "eprocess", address]);
            let record = &run.json()["result"];
            assert_eq!(value(record, "ImageFileName"), &process["name"], "{address}");
            assert_eq!(
                value(record, "ObjectTable"),
                &process["object_table"],
                "{address}"
            );
            checked += 1;
        }
    }
    support::say_if_none(checked, "threads and processes");
}

/// Whatever of a message on a missing page is still shown is true, the rest has reasons.
#[test]
fn values_on_missing_pages() {
    let mut checked = 0;
    for world in World::readable() {
        for message in world.truth["messages"].as_array().unwrap() {
            let address = message["address"].as_str().unwrap();
            let run = world.run(&["--format", "json", "dt", "_KALPC_MESSAGE", address]);
            let lost = message["lost"] == true;
            assert!(lost || run.status == 0, "{address}: {}", run.stderr);
            let record = &run.json()["result"];
            for (name, wanted) in [
                ("WaitingThread", "waiting_thread"),
                ("OwnerPort", "owner_port"),
                ("ServerThread", "server_thread"),
                ("PortQueue", "queue_port"),
            ] {
                let said = member(record, name);
                if lost && said["value"].is_null() {
                    assert!(
                        said["unreadable"]["value"]["id"].is_string(),
                        "{name} of {address}"
                    );
                    assert_eq!(run.status, 3, "{address}");
                } else {
                    assert_eq!(said["value"], message[wanted], "{name} of {address}");
                }
            }
            checked += 1;
        }
    }
    support::say_if_none(checked, "messages");
}

fn published(args: &[&str]) -> support::Run {
    let dump = support::fixture("vista-sp2-x64.dmp");
    let mut line = vec![dump.to_str().unwrap()];
    line.extend(args);
    support::alpc_dump(&line)
}

/// The header of the published message, by the offsets of `_PORT_MESSAGE`, which are the same in every
/// kernel, and the values of transcript 03.
#[test]
fn the_text_with_values() {
    let run = published(&["dt", "nt!_KALPC_MESSAGE", "fffff880`0f4cc950"]);
    assert_eq!(run.status, 0, "{}", run.stderr);
    for line in [
        "nt!_KALPC_MESSAGE\n",
        "   +0x010 ExtensionBuffer  : (null) \n",
        "   +0x058 WaitingThread    : 0xfffffa80`1afae6f0 _ETHREAD\n",
        "   +0x068 PortQueue        : 0xfffffa80`17dbb060 _ALPC_PORT\n",
        "   +0x02c u1               : __unnamed\n",
        "      +0x02c s1               : __unnamed\n",
        "         +0x02c QueueType        : 0y11 (3)\n",
        "         +0x02c ReplyWaitReply   : 0y0\n",
        "   +0x0e0 PortMessage      : _PORT_MESSAGE\n",
    ] {
        assert!(run.stdout.contains(line), "{line} is not in\n{}", run.stdout);
    }
    let header = published(&["dt", "_port_message", "fffff8800f4cca30"]);
    for line in [
        "         +0x000 DataLength       : 0n104\n",
        "         +0x002 TotalLength      : 0n144\n",
    ] {
        assert!(
            header.stdout.contains(line),
            "{line} is not in\n{}",
            header.stdout
        );
    }
}

#[test]
fn the_text_without_values() {
    let run = published(&["dt", "_LIST_ENTRY"]);
    assert_eq!(
        run.stdout,
        "nt!_LIST_ENTRY\n   +0x000 Flink            : Ptr64 _LIST_ENTRY\n   +0x008 Blink            : Ptr64 \
         _LIST_ENTRY\n"
    );
    assert_eq!(run.status, 0, "{}", run.stderr);
    let verbose = published(&["-v", "dt", "_LIST_ENTRY"]);
    assert!(
        verbose
            .stdout
            .starts_with("nt!_LIST_ENTRY, 2 elements, 0x10 bytes\n")
    );
}

/// Sizes are those of `kernel.md`'s Vista column; the types are all that the published kernel's table has.
#[test]
fn patterns_list_types_with_their_sizes() {
    let run = published(&["dt", "nt!_alpc_*port*"]);
    assert_eq!(run.status, 0, "{}", run.stderr);
    assert_eq!(
        run.stdout,
        "          nt!_ALPC_PORT, 0x198 bytes\n          nt!_ALPC_PORT_ATTRIBUTES, 0x48 bytes\n"
    );
    let run = published(&["--format", "json", "dt", "_BLOB?*"]);
    let types = run.json()["result"]["types"].as_array().unwrap().clone();
    let one = |name: &str| types.iter().find(|ty| ty["name"] == name).unwrap()["size"].clone();
    assert_eq!(one("_BLOB_TYPE"), 0x38);
    assert_eq!(published(&["dt", "_nothing*"]).status, 1);
    let run = published(&["dt", "_ALPC*", "fffff8800f4cc950"]);
    assert_eq!(run.status, 2);
    assert!(run.stderr.contains("names several types"), "{}", run.stderr);
}

/// What a list says of a type is what the type itself says.
#[test]
fn a_listed_type_has_the_size_that_it_is_shown_with() {
    for world in World::readable() {
        let json = |args: &[&str]| {
            let run = world.run(args);
            assert_eq!(run.status, 0, "{}", run.stderr);
            run.json()["result"]["types"].as_array().unwrap().clone()
        };
        let types = json(&["--format", "json", "dt", "_*ALPC*"]);
        assert!(types.len() > 20, "{types:?}");
        for ty in types.iter().filter(|ty| !ty["size"].is_null()) {
            let name = ty["name"].as_str().unwrap();
            let run = world.run(&["--format", "json", "dt", name]);
            assert_eq!(run.json()["result"]["size"], ty["size"], "{name}");
        }
    }
}

#[test]
fn an_address_that_is_not_in_the_dump() {
    let run = published(&["dt", "_LIST_ENTRY", "fffff6fb`00000000"]);
    assert_eq!(run.status, 3, "{}", run.stderr);
    assert_eq!(
        run.stdout,
        "nt!_LIST_ENTRY\n   +0x000 Flink            : ????\n   +0x008 Blink            : ????\n"
    );
}

#[test]
fn what_is_not_there() {
    let run = published(&["dt", "_NO_SUCH_TYPE"]);
    assert_eq!(run.status, 1);
    assert!(run.stderr.contains("\"_NO_SUCH_TYPE\""), "{}", run.stderr);
    let run = published(&["dt", "hal!_X"]);
    assert_eq!(run.status, 2);
    assert!(run.stderr.contains("\"hal\" is not the kernel"), "{}", run.stderr);
}
