//! The port views against dumps of an independent generator and their truth.

mod support;

use serde_json::{Value, json};
use support::{World, say_if_none};

const NULL: &str = "0000000000000000";

/// The queues of the truth by the names that records give them.
const QUEUES: [(&str, &str); 5] = [
    ("main", "MainQueue"),
    ("direct", "DirectQueue"),
    ("large", "LargeMessageQueue"),
    ("pending", "PendingQueue"),
    ("canceled", "CanceledQueue"),
];

fn addresses(list: &Value) -> Vec<&str> {
    list.as_array()
        .unwrap()
        .iter()
        .map(|item| item["address"].as_str().unwrap_or("?"))
        .collect()
}

fn strings(list: &Value) -> Vec<&str> {
    list.as_array()
        .unwrap()
        .iter()
        .map(|item| item.as_str().unwrap())
        .collect()
}

/// A value must be the truth's, unless the dump lacks it: then it is null, and only then.
fn check(said: &Value, truth: &Value, may_be_lost: bool, what: &str) {
    if may_be_lost && said.is_null() {
        return;
    }
    assert_eq!(said, truth, "{what}");
}

fn check_rows(port: &Value, record: &Value) {
    let at = port["address"].as_str().unwrap();
    let info_lost = port["communication_info_lost"] == true;
    for key in [
        "communication_info",
        "sequence_no",
        "completion_port",
        "completion_list",
    ] {
        assert_eq!(record[key], port[key], "{key} of {at}");
    }
    assert_eq!(record["type"], port["kind"], "{at}");
    for key in ["client_communication_port", "server_communication_port"] {
        check(&record[key], &port[key], info_lost, &format!("{key} of {at}"));
    }
    check(
        &record["connection_port"]["address"],
        &port["connection_port"],
        info_lost,
        &format!("connection port of {at}"),
    );
    let name_lost = info_lost || port["name_lost"] == true;
    check(
        &record["connection_port"]["name"],
        &port["connection_port_name"],
        name_lost,
        &format!("name of {at}"),
    );
    if port["owner_process"] == NULL {
        assert!(record["owner_process"].is_null(), "owner of {at}");
    } else {
        assert_eq!(
            record["owner_process"]["address"], port["owner_process"],
            "owner of {at}"
        );
        assert_eq!(
            record["owner_process"]["image"], port["owner_name"],
            "owner of {at}"
        );
    }
    assert_eq!(record["owner_closed"], port["owner_closed"], "owner of {at}");
    let flags = &port["flags"];
    for (key, flag) in [
        ("connection_pending", "ConnectionPending"),
        ("connection_refused", "ConnectionRefused"),
        ("disconnected", "Disconnected"),
        ("closed", "Closed"),
        ("return_extended_info", "ReturnExtendedInfo"),
        ("waitable", "Waitable"),
        ("wow64_completion_list", "Wow64CompletionList"),
    ] {
        assert_eq!(record[key], flags[flag], "{key} of {at}");
    }
    assert_eq!(record["flush_on_close"], port["flush_on_close"], "{at}");
    assert_eq!(record["security"], port["security"], "{at}");
}

fn check_details(port: &Value, record: &Value, has_holes: bool) {
    let at = port["address"].as_str().unwrap();
    let details = &record["details"];
    // The name of a directory above can be lost where the port's own is not.
    let path_lost = details["unreadable"]["path"]["id"].is_string();
    check(
        &details["path"],
        &port["path"],
        path_lost && has_holes,
        &format!("path of {at}"),
    );
    for key in [
        "handle_count",
        "pointer_count",
        "state",
        "completion_key",
        "port_context",
        "target_queue_port",
        "target_sequence_port",
        "attribute_flags",
        "max_message_length",
        "wait_queue_length",
    ] {
        assert_eq!(details[key], port[key], "{key} of {at}");
    }
}

/// Threads: those in the wait queue, or those registered with the completion port.
fn check_servers(port: &Value, record: &Value) {
    let by_port = port["completion_port"] == NULL;
    let expected = if by_port {
        &port["wait_queue"]
    } else {
        &port["registered_threads"]
    };
    let said = addresses(&record["servers"]["threads"]);
    let how = if by_port { "wait-queue" } else { "completion-port" };
    assert_eq!(record["servers"]["served_by"], how, "{}", port["address"]);
    assert_eq!(said, strings(expected), "threads of {}", port["address"]);
}

/// Members in list order; where pages are missing, as far as the list can be followed from both ends.
fn check_queue(port: &Value, record: &Value, name: &str, truth: &str) {
    let at = format!("{name} queue of {}", port["address"]);
    let queue = record["queues"]
        .as_array()
        .unwrap()
        .iter()
        .find(|queue| queue["queue"] == name);
    let Some(members) = port["queues"].get(truth) else {
        assert!(queue.is_none(), "{at} exists");
        return;
    };
    let queue = queue.unwrap_or_else(|| panic!("no {at}"));
    assert_eq!(queue["length"], port["lengths"][truth], "length of {at}");
    let (members, said) = (strings(members), addresses(&queue["messages"]));
    let Some(reach) = port["reach"].get(truth) else {
        assert_eq!(said, members, "{at}");
        assert!(queue["unreadable"].is_null(), "{at}");
        return;
    };
    let reach = |side: usize| usize::try_from(reach[side].as_u64().unwrap()).unwrap();
    let (forward, backward) = (reach(0), reach(1));
    if forward + backward > members.len() {
        assert_eq!(said, members, "{at}: both walks met");
        return;
    }
    let mut reachable = members[..forward].to_vec();
    reachable.extend(&members[members.len() - backward..]);
    assert_eq!(said, reachable, "{at}");
    assert!(
        queue["unreadable"]["complete"]["id"].is_string(),
        "{at} does not say that it is cut"
    );
}

#[test]
fn every_port_of_every_world() {
    let mut checked = 0;
    for world in World::readable() {
        for port in world.truth["ports"].as_array().unwrap() {
            let at = port["address"].as_str().unwrap();
            let run = world.run(&["--format", "json", "port", at]);
            if port["lost"] == true {
                assert_eq!(run.status, 3, "{at}: {}", run.stderr);
                continue;
            }
            assert!(matches!(run.status, 0 | 3), "{at}: {}", run.stderr);
            let record = &run.json()["result"];
            check_rows(port, record);
            check_details(port, record, world.truth["dropped_pages"] != json!([]));
            check_servers(port, record);
            for (name, truth) in QUEUES {
                check_queue(port, record, name, truth);
            }
            checked += 1;
        }
    }
    say_if_none(checked, "ports");
}

#[test]
fn the_connections_of_every_connection_port() {
    let mut checked = 0;
    for world in World::readable() {
        for port in world.truth["ports"].as_array().unwrap() {
            let at = port["address"].as_str().unwrap();
            let Some(truth) = port["connections"].as_array() else {
                continue;
            };
            let run = world.run(&["--format", "json", "connections", at]);
            if port["communication_info_lost"] == true {
                assert_eq!(run.status, 3, "{at}: {}", run.stderr);
                continue;
            }
            let record = &run.json()["result"];
            let said = record["connections"].as_array().unwrap();
            if port["reach"].get("CommunicationList").is_none() {
                assert_eq!(said.len(), truth.len(), "{at}");
            }
            for connection in said {
                let info = &connection["communication_info"];
                let expected = truth
                    .iter()
                    .find(|truth| truth["communication_info"] == *info)
                    .unwrap();
                if expected["lost"] == true {
                    continue;
                }
                assert_eq!(connection["server"]["port"], expected["server_port"], "{info}");
                assert_eq!(connection["client"]["port"], expected["client_port"], "{info}");
                assert_eq!(
                    connection["client"]["process"]["address"], expected["client_process"],
                    "{info}"
                );
                assert_eq!(
                    connection["client"]["process"]["image"], expected["client_name"],
                    "{info}"
                );
                checked += 1;
            }
        }
    }
    say_if_none(checked, "connections");
}

/// Kinds by process: what it created and what it is connected to.
#[test]
fn the_ports_of_every_process() {
    let mut checked = 0;
    for world in World::readable() {
        let ports = world.truth["ports"].as_array().unwrap();
        for process in world.truth["processes"].as_array().unwrap() {
            let eprocess = process["eprocess"].as_str().unwrap();
            let owned = |kind: u64| -> Vec<&str> {
                let mut owned: Vec<&str> = ports
                    .iter()
                    .filter(|port| port["type"] == kind && port["owner_process"] == eprocess)
                    .map(|port| port["address"].as_str().unwrap())
                    .collect();
                owned.sort_unstable();
                owned
            };
            let run = world.run(&["--format", "json", "ports", "--process", eprocess]);
            assert!(matches!(run.status, 0 | 3), "{eprocess}: {}", run.stderr);
            let record = &run.json()["result"];
            let sorted = |list: &Value, path: &str| -> Vec<String> {
                let items = list.as_array().unwrap().iter();
                let mut said: Vec<String> = items
                    .map(|item| item.pointer(path).unwrap().as_str().unwrap().to_owned())
                    .collect();
                said.sort_unstable();
                said
            };
            assert_eq!(
                sorted(&record["created"], "/port/address"),
                owned(1),
                "{eprocess}"
            );
            assert_eq!(
                sorted(&record["connected"], "/client/port"),
                owned(2),
                "{eprocess}"
            );
            checked += 1;
        }
    }
    say_if_none(checked, "processes");
}

#[test]
fn the_list_and_the_counts_of_all_ports() {
    let mut checked = 0;
    for world in World::readable() {
        let run = world.run(&["--format", "json", "global"]);
        let record = &run.json()["result"];
        assert_eq!(addresses(&record["list"]), strings(&world.truth["port_list"]));
        let ports = world.truth["ports"].as_array().unwrap();
        let of_kind = |kind: u64| ports.iter().filter(|port| port["type"] == kind).count();
        assert_eq!(record["ports"]["total"], json!(ports.len()));
        assert_eq!(record["ports"]["connection"], json!(of_kind(1)));
        assert_eq!(record["ports"]["client_communication"], json!(of_kind(2)));
        assert_eq!(record["ports"]["server_communication"], json!(of_kind(3)));
        let named = ports
            .iter()
            .filter(|port| port["name_lost"] == false && port["name"].is_string())
            .count();
        assert_eq!(record["ports"]["named"], json!(named));
        assert_eq!(record["message_table"], world.truth["message_table"]);
        checked += 1;
    }
    say_if_none(checked, "worlds");
}

/// Counters of blobs are behind a pointer since Windows 8. In these worlds it is null.
#[test]
fn a_null_pointer_is_a_reason_of_its_own() {
    let mut checked = 0;
    for world in World::readable() {
        let run = world.run(&["--format", "json", "global"]);
        let json = run.json();
        for kind in json["result"]["blob_types"].as_array().unwrap() {
            if kind["created"].is_null() {
                checked += 1;
                let reason = &kind["unreadable"]["created"];
                assert_eq!(reason["id"], "null-pointer", "{kind}");
                assert_eq!(reason["text"], "_BLOB_TYPE.Counters is null", "{kind}");
                assert!(run.stderr.contains("behind a null pointer"), "{}", run.stderr);
            }
        }
        // Whatever else could not be determined, no read was at an address near 0.
        let holes = json["holes"].as_array().unwrap();
        let near_0 = |hole: &Value| hole["text"].as_str().unwrap().contains("000000000000");
        assert!(!holes.iter().any(near_0), "{holes:?}");
    }
    say_if_none(checked, "null pointers");
}
