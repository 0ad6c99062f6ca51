//! The rival's answers beside ours, on the dumps of the independent generator: `ntoseye` prints ports and
//! messages too. Runs where it is installed (`$NTOSEYE`, or `ntoseye` on the path; `.ci/peers` installs it) and
//! the worlds are at hand; volatility3 is compared in `crates/synth/tests/world_volatility.rs`.
//!
//! Where it is known to be wrong it is not asked: types, flags and lengths of kernels whose anonymous types it
//! does not resolve (it prints `-`), the owner of a port that its owner closed (it does not mask the flag), the
//! canceled queue (it follows the wrong link), members of the direct queue, completion-port threads.

mod support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use support::World;

/// The program, if it can be run.
fn ntoseye() -> Option<PathBuf> {
    let named = std::env::var_os("NTOSEYE").map_or_else(|| PathBuf::from("ntoseye"), PathBuf::from);
    Command::new(&named).arg("--help").output().ok().map(|_| named)
}

/// What it prints for each command, by the line that it echoes.
fn ask(program: &Path, world: &World, commands: &[String]) -> Vec<String> {
    let home = tempfile::tempdir().unwrap();
    let mut line = Command::new(program);
    line.args(["--batch", "--no-pdb-from-memory", "--sympath-append"])
        .arg(&world.symbols);
    line.arg("--dump").arg(&world.dump).env("HOME", home.path());
    for command in commands {
        line.args(["-c", command]);
    }
    let output = line.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let answers: Vec<String> = text.split("dmp> ").skip(1).map(str::to_owned).collect();
    assert_eq!(
        answers.len(),
        commands.len(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    answers
}

/// Rows `Name : value ...`, with the first word of the value; rows without a value are left out.
fn rows(text: &str) -> BTreeMap<&str, &str> {
    text.lines()
        .filter_map(|line| line.split_once(" : "))
        .filter_map(|(name, value)| Some((name.trim(), value.split_whitespace().next()?)))
        .filter(|&(_, value)| value != "-")
        .collect()
}

/// Our records for the same objects, in one run.
fn ours(world: &World, commands: &[String]) -> Vec<Value> {
    let run = world.run(&["--format", "json", "-c", &commands.join("; ")]);
    let Value::Array(documents) = run.json() else {
        panic!("{}", run.stderr)
    };
    documents
        .into_iter()
        .map(|document| document["result"].clone())
        .collect()
}

fn number(text: &str) -> Option<u64> {
    u64::from_str_radix(text.trim_start_matches("0x"), 16).ok()
}

/// Compares one of their rows with a value of ours: an address, a number or a name.
fn same(theirs: &str, said: &Value) -> bool {
    match said {
        Value::String(text) => text == theirs || number(text) == number(theirs) && number(text).is_some(),
        Value::Number(value) => number(theirs) == value.as_u64(),
        Value::Object(map) => map.get("address").is_some_and(|address| same(theirs, address)),
        _ => false,
    }
}

fn compare(theirs: &str, ours: &Value, pairs: &[(&str, &str)], at: &str) -> usize {
    let rows = rows(theirs);
    let mut compared = 0;
    for (row, pointer) in pairs {
        let (Some(theirs), Some(said)) = (rows.get(row), ours.pointer(pointer)) else {
            continue;
        };
        // Types 11 and 12 are numbers there.
        let unnamed = *row == "Type" && theirs.starts_with("0x");
        if !said.is_null() && !unnamed {
            assert!(
                same(theirs, said),
                "{row} of {at}: ntoseye says {theirs}, we say {said}"
            );
            compared += 1;
        }
    }
    compared
}

const MESSAGE_ROWS: [(&str, &str); 16] = [
    ("MessageID", "/message_id"),
    ("CallbackID", "/callback_id"),
    ("SequenceNumber", "/sequence_number"),
    ("Type", "/type"),
    ("DataLength", "/data_length"),
    ("TotalLength", "/total_length"),
    ("OwnerPort", "/owner_port"),
    ("QueuePort", "/queue_port"),
    ("WaitingThread", "/waiting_thread"),
    ("ServerThread", "/server_thread"),
    ("CancelQueuePort", "/cancel_queue_port"),
    ("ClientContext", "/client_context"),
    ("ServerContext", "/server_context"),
    ("PortContext", "/port_context"),
    ("SecurityData", "/security_data"),
    ("View", "/view"),
];

const PORT_ROWS: [(&str, &str); 10] = [
    ("Type", "/type"),
    ("SequenceNo", "/sequence_no"),
    ("CompletionPort", "/completion_port"),
    ("CompletionList", "/completion_list"),
    ("PortContext", "/details/port_context"),
    ("State", "/details/state"),
    ("MaxMessageLength", "/details/max_message_length"),
    ("ConnectionPort", "/connection_port"),
    ("ServerCommunicationPort", "/server_communication_port"),
    ("ClientCommunicationPort", "/client_communication_port"),
];

#[test]
fn messages_and_ports_as_ntoseye_reads_them() {
    let Some(program) = ntoseye() else {
        return eprintln!("skipped: ntoseye is not installed (.ci/peers installs it)");
    };
    let mut compared = 0;
    for world in World::readable() {
        // It refuses a message whose owner port is gone.
        let live = |message: &&Value| message["owner_port_freed"] != true && message["lost"] != true;
        let messages = world.truth["messages"].as_array().unwrap().iter().filter(live);
        let ports = world.truth["ports"].as_array().unwrap().iter();
        let asked: Vec<(bool, &str)> = messages
            .map(|message| (true, message["address"].as_str().unwrap()))
            .chain(ports.map(|port| (false, port["address"].as_str().unwrap())))
            .collect();
        let kd: Vec<String> = asked
            .iter()
            .map(|(is_message, at)| format!("!alpc /{} {at}", if *is_message { "m" } else { "p" }))
            .collect();
        let theirs = ask(&program, &world, &kd);
        let ours = ours(&world, &kd);
        for (((is_message, at), theirs), ours) in asked.iter().zip(&theirs).zip(&ours) {
            let rows: &[(&str, &str)] = if *is_message { &MESSAGE_ROWS } else { &PORT_ROWS };
            compared += compare(theirs, ours, rows, at);
            if !is_message && ours["owner_closed"] == false {
                compared += compare(theirs, ours, &[("OwnerProcess", "/owner_process")], at);
            }
        }
    }
    eprintln!("{compared} values compared");
}
