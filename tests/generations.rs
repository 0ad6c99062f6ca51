//! Every generation of kernels on every machine: each message and port of its world against what the world was told.

mod support;

use std::collections::BTreeMap;

use serde_json::{Value, json};
use support::synthetic::{Sample, address, every_kernel, kernels};
use synth::address::Va;
use synth::world::{Built, Message, Port, PortKind, Queue};

/// What a view must say of a port that an address of the truth names.
fn port_ref(world: &Built, port: Va) -> Value {
    if port == Va::NULL {
        return Value::Null;
    }
    json!({ "address": address(port), "kind": kind_name(world.truth.port(port).kind) })
}

fn kind_name(kind: PortKind) -> &'static str {
    match kind {
        PortKind::None => "",
        PortKind::Connection => "ALPC_CONNECTION_PORT",
        PortKind::Client => "ALPC_CLIENT_COMMUNICATION_PORT",
        PortKind::Server => "ALPC_SERVER_COMMUNICATION_PORT",
    }
}

/// A process with the 14 characters of its image name that the kernel keeps.
fn process_ref(world: &Built, process: Va) -> Value {
    if process == Va::NULL {
        return Value::Null;
    }
    let image: String = world.truth.process(process).image.chars().take(14).collect();
    json!({ "address": address(process), "image": image })
}

fn type_name(word: u16) -> String {
    const NAMES: [&str; 13] = [
        "",
        "LPC_REQUEST",
        "LPC_REPLY",
        "LPC_DATAGRAM",
        "LPC_LOST_REPLY",
        "LPC_PORT_CLOSED",
        "LPC_CLIENT_DIED",
        "LPC_EXCEPTION",
        "LPC_DEBUG_EVENT",
        "LPC_ERROR_EVENT",
        "LPC_CONNECTION_REQUEST",
        "LPC_CONNECTION_REPLY",
        "LPC_CANCELED",
    ];
    let number = usize::from(word & 0xff);
    NAMES
        .get(number)
        .map_or_else(|| format!("0x{number:02X}"), |name| (*name).to_owned())
}

/// The rows of the message view, from the specification of a message.
fn message_rows(world: &Built, message: &Message) -> BTreeMap<&'static str, Value> {
    let has = |flag| message.flags.contains(flag);
    BTreeMap::from([
        ("message_id", json!(message.id)),
        ("callback_id", json!(message.callback_id)),
        ("sequence_number", json!(message.sequence_no)),
        ("type", json!(type_name(message.type_word))),
        ("data_length", json!(message.data_length)),
        ("total_length", json!(message.total_length)),
        ("canceled", json!(has("Canceled"))),
        ("release", json!(has("ReleaseMessage"))),
        ("reply_wait_reply", json!(has("ReplyWaitReply"))),
        ("continuation", json!(message.type_word & 0x2000 != 0)),
        ("owner_port", port_ref(world, message.owner_port)),
        ("waiting_thread", json!(address(message.waiting_thread))),
        ("queue_port", port_ref(world, message.port_queue)),
        ("server_thread", json!(address(message.server_thread))),
        (
            "quota_charged",
            json!(has("SharedQuota") || message.quota_process != Va::NULL),
        ),
        ("cancel_queue_port", json!(address(message.cancel_queue_port))),
        (
            "cancel_sequence_port",
            json!(address(message.cancel_sequence_port)),
        ),
        ("cancel_sequence_number", json!(message.cancel_sequence_no)),
        ("client_context", json!(address(message.client_context))),
        ("server_context", json!(address(message.server_context))),
        ("port_context", json!(address(message.port_context))),
        ("cancel_port_context", json!(address(message.cancel_port_context))),
        ("security_data", json!(address(message.security_data))),
        ("view", json!(address(message.view))),
    ])
}

const QUEUE_TYPES: [&str; 5] = [
    "ALPC_MSGQUEUE_NONE",
    "ALPC_MSGQUEUE_MAIN",
    "ALPC_MSGQUEUE_LARGE",
    "ALPC_MSGQUEUE_PENDING",
    "ALPC_MSGQUEUE_DIRECT",
];

fn check_message(world: &Built, message: &Message, record: &Value) {
    let at = format!("{} of {}", message.address, world.truth.kernel);
    for (row, expected) in message_rows(world, message) {
        assert_eq!(record[row], expected, "{row} of {at}");
    }
    assert_eq!(
        record["queue_type"], QUEUE_TYPES[message.queue_type as usize],
        "{at}"
    );
    let owner = match message.port_queue {
        Va::NULL => Value::Null,
        port => process_ref(world, world.truth.port(port).owner),
    };
    assert_eq!(record["queue_port_owner_process"], owner, "{at}");
    let details = &record["details"];
    assert_eq!(details["client_process_id"], message.client_id.0, "{at}");
    assert_eq!(details["client_thread_id"], message.client_id.1, "{at}");
    assert_eq!(details["reserve"], address(message.reserve), "{at}");
    assert_eq!(
        details["communication_info"],
        address(message.communication_info),
        "{at}"
    );
    assert_eq!(details["handle_data"], address(message.handle_data), "{at}");
}

/// Flags of a port as the view shows them, from the names of its state bits.
fn port_flags(port: &Port) -> [(&'static str, bool); 8] {
    let has = |flag| port.flags.contains(flag);
    [
        ("connection_pending", has("ConnectionPending")),
        ("connection_refused", has("ConnectionRefused")),
        ("disconnected", has("Disconnected")),
        ("closed", has("Closed")),
        ("flush_on_close", !has("NoFlushOnClose")),
        ("return_extended_info", has("ReturnExtendedInfo")),
        ("waitable", has("Waitable")),
        ("wow64_completion_list", has("Wow64CompletionList")),
    ]
}

fn check_port(world: &Built, port: &Port, record: &Value) {
    let at = format!("{} of {}", port.address, world.truth.kernel);
    let info = world.truth.communication_info(port.communication_info);
    assert_eq!(record["type"], kind_name(port.kind), "{at}");
    assert_eq!(record["communication_info"], address(info.address), "{at}");
    assert_eq!(
        record["connection_port"]["address"],
        address(info.connection_port),
        "{at}"
    );
    assert_eq!(
        record["client_communication_port"],
        address(info.client_port),
        "{at}"
    );
    assert_eq!(
        record["server_communication_port"],
        address(info.server_port),
        "{at}"
    );
    let name = world.truth.objects[&info.connection_port].name.as_ref();
    let name = name.map(|(_, name)| String::from_utf16_lossy(name.units()));
    assert_eq!(record["connection_port"]["name"], json!(name), "{at}");
    assert_eq!(record["owner_process"], process_ref(world, port.owner), "{at}");
    assert_eq!(record["owner_closed"], port.owner_closed, "{at}");
    assert_eq!(record["sequence_no"], port.sequence_no, "{at}");
    assert_eq!(record["completion_port"], address(port.completion_port), "{at}");
    assert_eq!(record["completion_list"], address(port.completion_list), "{at}");
    let security = if port.flags.contains("DynamicSecurity") {
        "Dynamic"
    } else {
        "Static"
    };
    assert_eq!(record["security"], security, "{at}");
    for (row, expected) in port_flags(port) {
        assert_eq!(record[row], expected, "{row} of {at}");
    }
    check_queues(world, port, record);
    check_servers(world, port, record);
    check_completion_list(world, port, &record["details"]["completion_list"]);
    assert_eq!(
        record["details"]["path"],
        json!(world.truth.path(port.address)),
        "{at}"
    );
}

/// The name of a record's value, from that of the kernel's member.
fn snake(member: &str) -> String {
    let name = member.rsplit('.').next().unwrap_or(member);
    let mut snake = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

fn check_completion_list(world: &Built, port: &Port, record: &Value) {
    let lists = &world.truth.completion_lists;
    let Some(list) = lists.iter().find(|list| list.address == port.completion_list) else {
        return assert!(record.is_null(), "{}", port.address);
    };
    let at = format!("{} of {}", list.address, world.truth.kernel);
    assert_eq!(record["address"], address(list.address), "{at}");
    for &(member, value) in &list.pointers {
        let (key, expected) = match member {
            "OwnerProcess" => ("owner_process".to_owned(), process_ref(world, value)),
            "CompletionListLock" => ("lock".to_owned(), json!(address(value))),
            _ => (snake(member), json!(address(value))),
        };
        assert_eq!(record[&key], expected, "{member} of {at}");
    }
    for &(member, value) in &list.numbers {
        assert_eq!(record[snake(member)], value, "{member} of {at}");
    }
    for &(member, value) in &list.header_numbers {
        let said = &record["shared"][snake(member)];
        let expected = match member {
            "UserLock" => json!(address(Va(value))),
            _ => json!(value),
        };
        assert_eq!(*said, expected, "{member} of the header of {at}");
    }
    // 11 pointers with the lock, 9 numbers, 20 in the header: all that the layouts have but for the links.
    let lock = usize::from(world.kernel.has("_ALPC_COMPLETION_LIST", "CompletionListLock"));
    assert_eq!(list.pointers.len() + list.numbers.len(), 19 + lock, "{at}");
}

#[test]
fn every_generation_has_a_completion_list() {
    for kernel in every_kernel() {
        let truth = &Sample::standard(kernel).world.truth;
        assert_eq!(truth.completion_lists.len(), 1, "{kernel}");
    }
}

fn check_queues(world: &Built, port: &Port, record: &Value) {
    let at = format!("{} of {}", port.address, world.truth.kernel);
    let queues = record["queues"].as_array().unwrap();
    let names: Vec<&str> = queues
        .iter()
        .map(|queue| queue["queue"].as_str().unwrap())
        .collect();
    let has_direct = world.kernel.has("_ALPC_PORT", "DirectQueue");
    let expected: &[&str] = if has_direct {
        &["main", "direct", "large", "pending", "canceled"]
    } else {
        &["main", "large", "pending", "canceled"]
    };
    assert_eq!(names, expected, "{at}");
    for queue in queues {
        let kind = match queue["queue"].as_str().unwrap() {
            "main" => Queue::Main,
            "direct" => Queue::Direct,
            "large" => Queue::Large,
            "pending" => Queue::Pending,
            _ => Queue::Canceled,
        };
        let members: Vec<String> = port.queue(kind).iter().map(|&message| address(message)).collect();
        let said: Vec<&str> = queue["messages"]
            .as_array()
            .unwrap()
            .iter()
            .map(|message| message["address"].as_str().unwrap())
            .collect();
        assert_eq!(said, members, "{kind:?} queue of {at}");
        assert_eq!(queue["length"], members.len(), "{kind:?} queue of {at}");
    }
}

fn check_servers(world: &Built, port: &Port, record: &Value) {
    let at = format!("{} of {}", port.address, world.truth.kernel);
    let queue = world
        .truth
        .queues
        .iter()
        .find(|queue| queue.address == port.completion_port);
    let threads = queue.map_or(&port.wait_queue, |queue| &queue.threads);
    let expected: Vec<String> = threads.iter().map(|&thread| address(thread)).collect();
    let said: Vec<&str> = record["servers"]["threads"]
        .as_array()
        .unwrap()
        .iter()
        .map(|thread| thread["address"].as_str().unwrap())
        .collect();
    assert_eq!(said, expected, "{at}");
}

#[test]
fn every_message_and_port_of_every_generation() {
    for kernel in every_kernel() {
        let sample = Sample::standard(kernel);
        let truth = &sample.world.truth;
        let messages: Vec<String> = truth
            .messages
            .iter()
            .map(|message| format!("message {}", message.address))
            .collect();
        for (message, run) in truth.messages.iter().zip(sample.results(&messages)) {
            check_message(&sample.world, message, &run);
        }
        let ports: Vec<&Port> = truth
            .ports
            .iter()
            .filter(|port| port.kind != PortKind::None)
            .collect();
        let lines: Vec<String> = ports
            .iter()
            .map(|port| format!("port {}", port.address))
            .collect();
        for (port, run) in ports.iter().zip(sample.results(&lines)) {
            check_port(&sample.world, port, &run);
        }
    }
}

#[test]
fn nothing_contradicts_itself_in_any_generation() {
    for kernel in every_kernel() {
        let run = Sample::standard(kernel).run(&["analyze"]);
        assert_eq!(run.status, 0, "{kernel}: {}{}", run.stdout, run.stderr);
        assert!(run.stdout.starts_with("0 problems"), "{kernel}: {}", run.stdout);
    }
}

#[test]
fn the_kernels_list_holds_every_listed_port_in_every_generation() {
    for kernel in every_kernel() {
        let sample = Sample::standard(kernel);
        let run = sample.run(&["--format", "json", "global"]);
        assert_eq!(run.status, 0, "{kernel}: {}", run.stderr);
        let record = &sample.widened(run.json()["result"].clone());
        let mut said: Vec<&str> = record["list"]
            .as_array()
            .unwrap()
            .iter()
            .map(|port| port["address"].as_str().unwrap())
            .collect();
        said.sort_unstable();
        let mut listed: Vec<String> = sample
            .world
            .truth
            .ports
            .iter()
            .filter(|port| !port.unlisted)
            .map(|port| address(port.address))
            .collect();
        listed.sort_unstable();
        assert_eq!(said, listed, "{kernel}");
    }
}

/// Rows that only some generations have, by the first kernel of the extract that has them, and why.
const ROWS: [(&str, &str, &str, &str); 6] = [
    // view, row, first build, reason
    (
        "message",
        "DirectEvent",
        "10240",
        "_KALPC_MESSAGE_ATTRIBUTES got DirectEvent with Windows 10",
    ),
    (
        "message",
        "WorkOnBehalf",
        "14393",
        "_KALPC_MESSAGE_ATTRIBUTES got WorkOnBehalfData with 1607",
    ),
    (
        "port",
        "Direct message queue",
        "10240",
        "_ALPC_PORT got DirectQueue with Windows 10",
    ),
    ("global", "DirectQueues", "10240", "the same"),
    (
        "global",
        "SecondaryTables",
        "9600",
        "AlpcpSecondaryMessageTables came with Windows 8.1",
    ),
    ("port", "Large message queue", "6002", "every generation has it"),
];

#[test]
fn the_rows_that_differ_by_generation() {
    for kernel in kernels() {
        let sample = Sample::standard(kernel);
        let truth = &sample.world.truth;
        let port = truth
            .ports
            .iter()
            .find(|port| port.kind == PortKind::Connection)
            .unwrap();
        let views: BTreeMap<&str, String> = BTreeMap::from([
            (
                "message",
                sample
                    .run(&["message", &truth.messages[0].address.to_string(), "-v"])
                    .stdout,
            ),
            ("port", sample.run(&["port", &port.address.to_string()]).stdout),
            ("global", sample.run(&["global"]).stdout),
        ]);
        // Kernels without a symbol list have the globals that synth gave them: their names are not facts.
        let assigned = [
            "vista",
            "win7-rtm",
            "win8-",
            "win10-15",
            "win10-16",
            "win10-17",
            "win10-18",
            "win11-22h2",
            "win11-24h2",
        ]
        .iter()
        .any(|prefix| kernel.starts_with(prefix));
        for (view, row, first, why) in ROWS {
            if row == "SecondaryTables" && assigned {
                continue;
            }
            let line = views[view]
                .lines()
                .find(|line| line.trim_start().starts_with(row));
            let is_there = line.is_some_and(|line| !line.ends_with(": -"));
            let expected = truth.build >= first.parse().unwrap();
            assert_eq!(is_there, expected, "{row} of {view} of {kernel}: {why}");
        }
    }
}

/// One session over one world of each era, whole: what a user sees. Reviewed by eye.
#[test]
fn whole_sessions() {
    for kernel in [
        "vista-sp2-x64",
        "win81-2022-x64",
        "win10-2004-2022-x64",
        "win11-24h2-x64",
    ] {
        let sample = Sample::standard(kernel);
        let truth = &sample.world.truth;
        let of_kind = |kind| truth.ports.iter().find(|port| port.kind == kind).unwrap().address;
        let canceled = truth
            .messages
            .iter()
            .find(|message| message.flags.contains("Canceled"))
            .unwrap()
            .address;
        let busiest = truth
            .ports
            .iter()
            .max_by_key(|port| port.queues.values().map(Vec::len).sum::<usize>())
            .unwrap();
        let lines = [
            format!("message {canceled} -v"),
            format!("port {}", busiest.address),
            format!("port {} -v", of_kind(PortKind::Client)),
            format!("connections {}", busiest.address),
            format!("ports --process {}", busiest.owner),
            "ports --orphans".to_owned(),
            "ports".to_owned(),
            "global --graph".to_owned(),
            "global".to_owned(),
        ];
        let mut session = String::new();
        for line in lines {
            let run = sample.run(&["-c", &line]);
            session += &format!("> {line}\n{}[status {}]\n", run.stdout, run.status);
        }
        insta::assert_snapshot!(format!("session_{kernel}"), session);
    }
}
