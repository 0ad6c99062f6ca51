//! Threads of the independent worlds, against their truth; see `worlds.rs`.

mod support;

use serde_json::{Value, json};
use support::{Run, World};

fn threads_of(run: &Run) -> Vec<Value> {
    let document = run.json();
    let processes = document["result"]["processes"].as_array().unwrap();
    processes
        .iter()
        .flat_map(|process| process["threads"].as_array().unwrap().clone())
        .collect()
}

/// `_KTHREAD_STATE` and `_KWAIT_REASON` by number, as far as the worlds use them, from the published enums.
fn state_name(number: &Value) -> &'static str {
    match number.as_u64().unwrap() {
        1 => "Ready",
        2 => "Running",
        5 => "Waiting",
        other => panic!("state {other}"),
    }
}

fn reason_name(number: &Value) -> &'static str {
    match number.as_u64().unwrap() {
        0 => "Executive",
        4 => "DelayExecution",
        6 => "UserRequest",
        13 => "WrUserRequest",
        15 => "WrQueue",
        16 => "WrLpcReceive",
        17 => "WrLpcReply",
        other => panic!("wait reason {other}"),
    }
}

/// The message of a wait, if the dump holds it.
fn is_lost(world: &World, message: &Value) -> bool {
    let messages = world.truth["messages"].as_array().unwrap();
    let found = messages.iter().find(|known| known["address"] == *message);
    found.is_some_and(|message| message["lost"] == true)
}

fn check_wait(world: &World, truth: &Value, record: &Value) {
    let (at, wait, said) = (&truth["ethread"], &truth["alpc_wait"], &record["alpc_wait"]);
    match wait["kind"].as_str() {
        None => assert!(
            said.is_null() && record["unreadable"]["alpc_wait"].is_null(),
            "{at} waits for {said}"
        ),
        Some("reply") if is_lost(world, &wait["message"]) && said.is_null() => {
            assert!(record["unreadable"]["alpc_wait"]["id"].is_string(), "{at}");
        }
        Some("reply") => {
            assert_eq!(said["kind"], "reply", "{at}");
            assert_eq!(said["message"], wait["message"], "{at}");
            assert_eq!(said["queue_port"]["address"], wait["port"], "{at}");
            let owner = world.port(&wait["port"])["owner_process"].clone();
            assert_eq!(said["owner_process"]["address"], owner, "{at}");
        }
        Some("receive") => {
            assert_eq!(said["kind"], "receive", "{at}");
            assert_eq!(said["port"]["address"], wait["port"], "{at}");
        }
        Some("completion") => {
            assert_eq!(said["kind"], "completion", "{at}");
            let port = world.port(&wait["port"]);
            assert_eq!(said["queue"], port["completion_port"], "{at}");
            let ports = said["ports"].as_array().unwrap();
            assert!(
                ports.iter().any(|known| known["address"] == wait["port"]),
                "{at} {said}"
            );
        }
        Some(other) => panic!("{at}: {other}"),
    }
}

fn check(world: &World, truth: &Value, record: &Value) {
    let at = &truth["ethread"];
    assert_eq!(record["process_id"], truth["pid"], "{at}");
    assert_eq!(record["thread_id"], truth["tid"], "{at}");
    assert_eq!(record["process"]["address"], truth["eprocess"], "{at}");
    assert_eq!(record["teb"], truth["teb"], "{at}");
    assert_eq!(record["state"], state_name(&truth["state"]), "{at}");
    assert_eq!(record["wait_reason"], reason_name(&truth["wait_reason"]), "{at}");
    check_wait(world, truth, record);
}

#[test]
fn every_thread_of_every_readable_world() {
    let mut checked = 0;
    for world in World::readable() {
        let run = world.run(&["--format", "json", "threads"]);
        let said = threads_of(&run);
        let truth = world.truth["threads"].as_array().unwrap();
        assert_eq!(said.len(), truth.len(), "{}", world.dump.display());
        for thread in truth {
            let record = said
                .iter()
                .find(|record| record["address"] == thread["ethread"])
                .unwrap();
            check(&world, thread, record);
            checked += 1;
        }
        let lost = truth
            .iter()
            .any(|thread| is_lost(&world, &thread["alpc_wait"]["message"]));
        // Some objects that threads of these worlds wait at were never written: nothing is there, which is told.
        let zeros = run.json()["holes"]
            .as_array()
            .unwrap()
            .iter()
            .any(|hole| hole["id"] == "not-there");
        assert_eq!(run.status, if lost || zeros { 3 } else { 0 }, "{}", run.stderr);
    }
    support::say_if_none(checked, "threads");
}

#[test]
fn threads_stand_in_their_processes() {
    let mut checked = 0;
    for world in World::readable() {
        let document = world.run(&["--format", "json", "threads"]).json();
        let said: Vec<Value> = document["result"]["processes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|process| {
                let threads = process["threads"].as_array().unwrap();
                let ids: Vec<&Value> = threads.iter().map(|thread| &thread["thread_id"]).collect();
                json!([process["address"], process["process_id"], process["image"], ids])
            })
            .collect();
        let truth: Vec<Value> = world.truth["processes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|process| {
                let image: String = process["name"].as_str().unwrap().chars().take(14).collect();
                json!([process["eprocess"], process["pid"], image, process["threads"]])
            })
            .collect();
        assert_eq!(said, truth, "{}", world.dump.display());
        checked += said.len();
    }
    support::say_if_none(checked, "processes");
}

#[test]
fn only_threads_that_wait_for_a_reply() {
    let mut checked = 0;
    for world in World::readable() {
        let said = threads_of(&world.run(&["--format", "json", "threads", "--waiting"]));
        let mut said: Vec<&str> = said
            .iter()
            .map(|thread| thread["address"].as_str().unwrap())
            .collect();
        let mut truth: Vec<&str> = world.truth["threads"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|thread| thread["alpc_wait"]["kind"] == "reply")
            .map(|thread| thread["ethread"].as_str().unwrap())
            .collect();
        said.sort_unstable();
        truth.sort_unstable();
        assert_eq!(said, truth, "{}", world.dump.display());
        checked += said.len();
    }
    support::say_if_none(checked, "waiting threads");
}

/// The lines of transcript 01, filled with the values of a thread of the truth.
#[test]
fn the_lines_of_a_waiting_thread_are_those_of_the_published_case() {
    let mut checked = 0;
    for world in World::readable() {
        let run = world.run(&["threads"]);
        for thread in world.truth["threads"].as_array().unwrap() {
            let wait = &thread["alpc_wait"];
            if wait["kind"] != "reply" || is_lost(&world, &wait["message"]) {
                continue;
            }
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            let first = format!(
                "THREAD {}  Cid {:04x}.{:04x}  Teb: {} Win32Thread: 0000000000000000 WAIT: (WrLpcReply) \
                 UserMode Non-Alertable",
                text(&thread["ethread"]),
                thread["pid"].as_u64().unwrap(),
                thread["tid"].as_u64().unwrap(),
                text(&thread["teb"]),
            );
            let last = format!(
                "Waiting for reply to ALPC Message {} : queued at port {} : owned by process {}",
                text(&wait["message"]),
                text(&wait["port"]),
                text(&world.port(&wait["port"])["owner_process"]),
            );
            let lines: Vec<&str> = run.stdout.lines().collect();
            let at = lines.iter().position(|line| *line == first).unwrap();
            // Some worlds give the thread a wait block, and its object a line, which starts at column 4.
            let next = lines[at + 1..]
                .iter()
                .find(|line| !line.starts_with("    "))
                .unwrap();
            assert_eq!(*next, last);
            checked += 1;
        }
    }
    support::say_if_none(checked, "waiting threads");
}

/// Transcript 01 of the published case, whose dump is a fixture: all three lines.
#[test]
fn the_published_case() {
    let dump = support::fixture("vista-sp2-x64.dmp");
    let run = support::alpc_dump(&[dump.to_str().unwrap(), "threads"]);
    let lines = "\
        THREAD fffffa801afae6f0  Cid 033c.3c40  Teb: 000007fffffa0000 Win32Thread: 0000000000000000 WAIT: \
        (WrLpcReply) UserMode Non-Alertable\n    fffffa801afaea80  Semaphore Limit 0x1\nWaiting for reply to \
        ALPC Message fffff8800f4cc950 : queued at port fffffa8017dbb060 : owned by process fffffa801807b8f0\n";
    assert!(run.stdout.contains(lines), "{}", run.stdout);
    let alone = support::alpc_dump(&[dump.to_str().unwrap(), "thread", "fffffa801afae6f0"]);
    assert!(alone.stdout.starts_with(lines), "{}", alone.stdout);
    assert_eq!(run.status, 0, "{}", run.stderr);
    assert_eq!(alone.status, 0, "{}", alone.stderr);
}

/// The text with every address of 16 digits as `#`.
fn without_addresses(text: &str) -> String {
    let is_address = |word: &str| word.len() == 16 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let words = text.split_inclusive(|c: char| !c.is_ascii_alphanumeric());
    words
        .map(|word| {
            let bare = word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
            let bare = bare.strip_prefix("0x").unwrap_or(bare);
            if is_address(bare) {
                word.replace(bare, "#")
            } else {
                word.to_owned()
            }
        })
        .collect()
}

/// The rest of the view has the lines and columns of published ones.
#[test]
fn the_published_thread_in_full() {
    let dump = support::fixture("vista-sp2-x64.dmp");
    let run = support::alpc_dump(&[dump.to_str().unwrap(), "thread", "fffffa801afae6f0"]);
    let text = without_addresses(&run.stdout);
    for lines in [
        "\nOwning Process            #       Image:         svchost.exe\nAttached Process          N/A            \
         Image:         N/A\nWait Start TickCount      ",
        "\nWin32 Start Address 0x#\n",
        "\nStack Init # Current #\nBase # Limit #\nPriority ",
        // Of another thread of the same system (transcript 30), whose times synth gives to all.
        "\nNot impersonating\nDeviceMap                 #\nOwning Process            #       Image:         ",
        "\nUserTime                  00:00:00.421\nKernelTime                00:00:00.218\n",
        "\nPriority 9 BasePriority 8 PriorityDecrement 0 IoPriority 2 PagePriority 5\n",
    ] {
        assert!(text.contains(lines), "{lines} is not in\n{text}");
    }
}

#[test]
fn a_thread_by_address_and_by_id() {
    let mut checked = 0;
    for world in World::readable() {
        for thread in world.truth["threads"].as_array().unwrap() {
            let address = thread["ethread"].as_str().unwrap();
            let by_address = world.run(&["--format", "json", "thread", address]);
            let id = format!("tid:{:#x}", thread["tid"].as_u64().unwrap());
            let by_id = world.run(&["--format", "json", "thread", &id]);
            let record = &by_address.json()["result"];
            check(&world, thread, record);
            assert_eq!(record, &by_id.json()["result"]);
            let details = &record["details"];
            assert_eq!(details["alpc_message_id"], thread["alpc_message_id"], "{address}");
            assert_eq!(details["alpc_message"], thread["alpc_message"], "{address}");
            checked += 1;
        }
    }
    support::say_if_none(checked, "threads");
}

/// A port's threads are told with the wait that they serve it in.
#[test]
fn the_threads_of_a_port_wait_to_receive() {
    let mut checked = 0;
    for world in World::readable() {
        for thread in world.truth["threads"].as_array().unwrap() {
            let wait = &thread["alpc_wait"];
            if !matches!(wait["kind"].as_str(), Some("receive" | "completion")) {
                continue;
            }
            let run = world.run(&["--format", "json", "port", wait["port"].as_str().unwrap()]);
            let record = run.json();
            let mut threads = record["result"]["servers"]["threads"].as_array().unwrap().iter();
            let said = threads.find(|said| said["address"] == thread["ethread"]).unwrap();
            check_wait(&world, thread, said);
            let process = world.run(&[
                "--format",
                "json",
                "process",
                thread["eprocess"].as_str().unwrap(),
            ]);
            let record = process.json();
            let mut threads = record["result"]["threads"].as_array().unwrap().iter();
            let said = threads.find(|said| said["address"] == thread["ethread"]).unwrap();
            check_wait(&world, thread, said);
            checked += 1;
        }
    }
    support::say_if_none(checked, "receivers");
}

#[test]
fn what_is_no_thread_is_named() {
    let Some(world) = World::readable().next() else {
        return support::say_if_none(0, "world");
    };
    let port = world.truth["ports"][0]["address"].as_str().unwrap();
    let run = world.run(&["thread", port]);
    assert_eq!(run.status, 1, "{}", run.stderr);
    assert!(run.stderr.contains("\"ALPC Port\""), "{}", run.stderr);
    let run = world.run(&["thread", "tid:1"]);
    assert_eq!(run.status, 1, "{}", run.stderr);
    assert!(run.stderr.contains("no thread matches tid:0x1"), "{}", run.stderr);
    assert_eq!(world.run(&["thread", "tid:x"]).status, 2);
}
