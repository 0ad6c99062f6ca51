//! The binary against dumps of an independent generator and their truth. They stand beside the repository,
//! not in it; where they are not, these tests have nothing to do and say so.

mod support;

use serde_json::{Value, json};
use support::{Run, World};

/// A pointer of the truth, as the binary writes an address; null and zero are kept apart.
fn port(address: &Value, kind: &Value) -> Value {
    if address == "0000000000000000" {
        Value::Null
    } else {
        json!({ "address": address, "kind": kind })
    }
}

/// What the binary must say of a message that the dump holds whole.
fn expected(message: &Value) -> Value {
    let number = |key: &str| message[key].clone();
    json!({
        "address": message["address"],
        "message_id": number("id"),
        "callback_id": number("callback_id"),
        "sequence_number": number("sequence_no"),
        "type": message["type_name"],
        "type_word": number("type_raw"),
        "data_length": number("data_length"),
        "total_length": number("total_length"),
        "canceled": message["canceled"],
        "release": message["release"],
        "reply_wait_reply": message["reply_wait_reply"],
        "continuation": message["continuation"],
        "owner_port": port(&message["owner_port"], &message["owner_port_kind"]),
        "waiting_thread": message["waiting_thread"],
        "queue_port": port(&message["queue_port"], &message["queue_port_kind"]),
        "server_thread": message["server_thread"],
        "cancel_queue_port": message["cancel_queue_port"],
        "cancel_sequence_port": message["cancel_sequence_port"],
        "cancel_sequence_number": number("cancel_sequence_no"),
        "client_context": message["client_context"],
        "server_context": message["server_context"],
        "port_context": message["port_context"],
        "cancel_port_context": message["cancel_port_context"],
        "security_data": message["security_data"],
        "view": message["view"],
    })
}

fn queue_type(message: &Value) -> &'static str {
    let number = usize::try_from(message["queue_type"].as_u64().unwrap()).unwrap();
    ["NONE", "MAIN", "LARGE", "PENDING", "DIRECT", "WAITING"][number]
}

/// The record without what the truth does not tell: the reasons beside a port that is gone.
fn without_reasons(value: &Value) -> Value {
    let mut value = value.clone();
    if let Some(map) = value.as_object_mut() {
        map.remove("unreadable");
    }
    value
}

fn check(message: &Value, record: &Value) {
    let at = &message["address"];
    for (key, value) in expected(message).as_object().unwrap() {
        assert_eq!(without_reasons(&record[key]), *value, "{key} of {at}");
    }
    assert_eq!(
        record["queue_type"],
        format!("ALPC_MSGQUEUE_{}", queue_type(message)),
        "of {at}"
    );
    let owner = &record["queue_port_owner_process"];
    if message["queue_port_owner_process"].is_null() {
        assert!(owner.is_null(), "owner of {at}");
    } else {
        assert_eq!(
            owner["address"], message["queue_port_owner_process"],
            "owner of {at}"
        );
        assert_eq!(owner["image"], message["queue_port_owner_name"], "owner of {at}");
    }
    let details = &record["details"];
    assert_eq!(
        details["client_process_id"], message["client_id"][0],
        "client of {at}"
    );
    assert_eq!(
        details["client_thread_id"], message["client_id"][1],
        "client of {at}"
    );
    assert_eq!(details["state"], message["state"], "state of {at}");
    for key in [
        "reserve",
        "handle_data",
        "communication_info",
        "connection_port",
        "extension_buffer",
        "data_user_va",
    ] {
        assert_eq!(details[key], message[key], "{key} of {at}");
    }
    assert_eq!(details["quota"], message["quota_process"], "quota of {at}");
    let set: Vec<&str> = message["flags"]
        .as_object()
        .unwrap()
        .iter()
        .filter(|(_, set)| **set == true)
        .map(|(name, _)| name.as_str())
        .collect();
    let mut bits: Vec<&str> = details["state_bits"]
        .as_array()
        .unwrap()
        .iter()
        .map(|bit| bit.as_str().unwrap())
        .collect();
    bits.sort_unstable();
    let mut wanted = set;
    wanted.sort_unstable();
    assert_eq!(bits, wanted, "state bits of {at}");
}

/// Whatever a message with a missing page still says must be true.
fn check_lost(message: &Value, run: &Run) {
    let at = &message["address"];
    assert_eq!(run.status, 3, "{at}: {}", run.stderr);
    let record = &run.json()["result"];
    for (key, value) in expected(message).as_object().unwrap() {
        let said = without_reasons(&record[key]);
        assert!(
            said.is_null() || said == *value,
            "{key} of {at} is {said}, not {value}"
        );
        if said.is_null() && !value.is_null() {
            assert!(
                record["unreadable"][key]["id"].is_string(),
                "{key} of {at} has no reason"
            );
        }
    }
}

#[test]
fn every_message_of_every_readable_world() {
    let mut checked = 0;
    for world in World::readable() {
        for message in world.truth["messages"].as_array().unwrap() {
            let run = world.run(&[
                "--format",
                "json",
                "message",
                message["address"].as_str().unwrap(),
            ]);
            if message["lost"] == true {
                check_lost(message, &run);
            } else {
                assert_eq!(run.status & !3, 0, "{}: {}", message["address"], run.stderr);
                check(message, &run.json()["result"]);
            }
            checked += 1;
        }
    }
    support::say_if_none(checked, "messages");
}

#[test]
fn info_of_every_readable_world() {
    let mut checked = 0;
    for world in World::readable() {
        let run = world.run(&["--format", "json", "info"]);
        assert_eq!(run.status, 0, "{}", run.stderr);
        let info = &run.json()["result"];
        let truth = &world.truth;
        assert_eq!(info["kernel"]["found"]["base"], truth["nt"]);
        assert_eq!(info["header"]["minor_version"], truth["build"]);
        assert_eq!(info["header"]["directory_table_base"], truth["dtb"]);
        assert_eq!(info["header"]["number_processors"], truth["cpus"]);
        assert_eq!(
            info["header"]["ps_active_process_head"],
            truth["symbols"]["PsActiveProcessHead"]
        );
        assert_eq!(
            info["header"]["ps_loaded_module_list"],
            truth["symbols"]["PsLoadedModuleList"]
        );
        assert_eq!(info["pages"]["missing"], 0);
        let identity = info["symbols"]["found"]["identity"].as_str().unwrap();
        assert_eq!(
            identity,
            format!(
                "ntkrnlmp.pdb/{}{:x}",
                truth["isf"].as_str().unwrap(),
                truth["age"].as_u64().unwrap()
            )
        );
        assert_eq!(info["symbols"]["found"]["missing"], json!([]));
        checked += 1;
    }
    support::say_if_none(checked, "worlds");
}
