//! Threads of every generation of kernels: each thread of its world against what the world was told.

mod support;

use std::collections::BTreeSet;

use serde_json::{Value, json};
use support::synthetic::{Sample, address, every_kernel};
use synth::address::Va;
use synth::world::{Built, Thread, Wait};
use synth::worlds;

const WAITING: u8 = 5;
const WR_QUEUE: u8 = 15;

/// A value is what the world was told, or it is null and has a reason.
fn compare(record: &Value, key: &str, wanted: &Value, holes: bool, at: Va) {
    let said = &record[key];
    if holes && said.is_null() && !wanted.is_null() {
        assert!(
            record["unreadable"][key]["id"].is_string(),
            "{key} of {at} has no reason"
        );
    } else {
        assert_eq!(said, wanted, "{key} of {at}");
    }
}

/// The wait without what is told of a port and a process beside their addresses.
fn addresses_only(wait: &Value) -> Value {
    let bare = |value: &Value| match value.get("address") {
        Some(address) => address.clone(),
        None => value.clone(),
    };
    match wait["kind"].as_str() {
        None => Value::Null,
        Some("completion") => json!({
            "kind": "completion",
            "queue": wait["queue"],
            "ports": wait["ports"].as_array().unwrap().iter().map(bare).collect::<Vec<_>>(),
        }),
        Some("receive") => json!({ "kind": "receive", "port": bare(&wait["port"]) }),
        Some(_) => json!({
            "kind": "reply",
            "message": wait["message"],
            "queue_port": bare(&wait["queue_port"]),
            "owner_process": bare(&wait["owner_process"]),
        }),
    }
}

fn expected_wait(world: &Built, thread: &Thread) -> Value {
    if let Some(message) = thread.alpc_wait {
        let port = world.truth.message(message).port_queue;
        let owner = if port == Va::NULL {
            Va::NULL
        } else {
            world.truth.port(port).owner
        };
        let pointer = |va: Va| {
            if va == Va::NULL {
                Value::Null
            } else {
                json!(address(va))
            }
        };
        return json!({
            "kind": "reply",
            "message": address(message),
            "queue_port": pointer(port),
            "owner_process": pointer(owner),
        });
    }
    if thread.state != WAITING {
        return Value::Null;
    }
    if let Some(port) = thread.wait_port {
        return json!({ "kind": "receive", "port": address(port) });
    }
    match thread.queue {
        Some(queue) if thread.wait_reason == WR_QUEUE => {
            let ports = world
                .truth
                .ports
                .iter()
                .filter(|port| port.completion_port == queue);
            let ports: Vec<String> = ports.map(|port| address(port.address)).collect();
            if ports.is_empty() {
                return Value::Null;
            }
            json!({ "kind": "completion", "queue": address(queue), "ports": ports })
        }
        _ => Value::Null,
    }
}

/// Offset of a member by the layout that the world was written with.
fn semaphore(world: &Built, thread: Va) -> String {
    address(world.field(thread, "_ETHREAD", "AlpcWaitSemaphore"))
}

fn expected_objects(world: &Built, thread: &Thread) -> Value {
    match thread.wait {
        _ if thread.state != WAITING => json!([]),
        Wait::None => json!([]),
        Wait::AlpcSemaphore => json!([{
            "address": semaphore(world, thread.address),
            "kind": "Semaphore",
            "limit": 1,
        }]),
        Wait::Suspension if world.has("_KTHREAD", "SuspendSemaphore") => json!([{
            "address": address(world.field(thread.address, "_KTHREAD", "SuspendSemaphore")),
            "kind": "Semaphore",
            "limit": 2,
        }]),
        Wait::Suspension => json!([{
            "address": address(world.field(thread.address, "_KTHREAD", "SuspendEvent")),
            "kind": "SynchronizationEvent",
        }]),
        Wait::Object(object) => {
            let is_queue = world.truth.queues.iter().any(|queue| queue.address == object);
            let kind = if is_queue {
                "QueueObject"
            } else {
                "SynchronizationEvent"
            };
            json!([{ "address": address(object), "kind": kind }])
        }
    }
}

fn check(world: &Built, thread: &Thread, record: &Value, holes: bool) {
    let at = thread.address;
    for (key, wanted) in [
        ("process_id", json!(thread.pid)),
        ("thread_id", json!(thread.tid)),
        ("teb", json!(address(thread.teb))),
        ("win32_thread", json!(address(thread.win32_thread))),
        ("user_mode_wait", json!(thread.wait_mode == 1)),
        ("alertable", json!(thread.alertable)),
        ("suspend_count", json!(thread.suspend_count)),
        ("wait_objects", expected_objects(world, thread)),
    ] {
        compare(record, key, &wanted, holes, at);
    }
    if !record["process"].is_null() || !holes {
        assert_eq!(
            record["process"]["address"],
            address(thread.process),
            "process of {at}"
        );
    }
    let said = addresses_only(&record["alpc_wait"]);
    let wanted = expected_wait(world, thread);
    if holes && said != wanted {
        check_partial_wait(record, &said, &wanted, at);
    } else {
        assert_eq!(said, wanted, "{at}");
        let reasons = &record["unreadable"]["alpc_wait"];
        assert!(holes || reasons.is_null(), "{at}: {reasons}");
    }
}

/// A wait that cannot be determined in full says so, and the rest of it is true.
fn check_partial_wait(record: &Value, said: &Value, wanted: &Value, at: Va) {
    if said.is_null() {
        let reason = &record["unreadable"]["alpc_wait"];
        assert!(
            reason["id"].is_string(),
            "{at} does not wait, instead of {wanted}"
        );
        return;
    }
    for (key, value) in wanted.as_object().unwrap() {
        let is_told = said[key] == *value;
        let has_reason = record["alpc_wait"]["unreadable"][key]["id"].is_string();
        assert!(
            is_told || has_reason,
            "{key} of {at} is {}, not {value}",
            said[key]
        );
    }
}

fn threads_of(sample: &Sample) -> Vec<Value> {
    let run = sample.run(&["--format", "json", "threads"]);
    let result = sample.widened(run.json()["result"].clone());
    let processes = result["processes"].as_array().unwrap();
    processes
        .iter()
        .flat_map(|process| process["threads"].as_array().unwrap().clone())
        .collect()
}

#[test]
fn every_thread_of_every_generation() {
    for kernel in every_kernel() {
        let sample = Sample::standard(kernel);
        let said = threads_of(&sample);
        assert_eq!(said.len(), sample.world.truth.threads.len(), "{kernel}");
        for thread in &sample.world.truth.threads {
            let record = said
                .iter()
                .find(|record| record["address"] == address(thread.address))
                .unwrap();
            check(&sample.world, thread, record, false);
        }
        assert_eq!(sample.run(&["threads"]).status, 0, "{kernel}");
    }
}

/// With pages missing every thread that is still told is told truly.
#[test]
fn every_thread_beside_holes() {
    for kernel in every_kernel() {
        let sample = Sample::of(worlds::with_holes(kernel));
        for record in threads_of(&sample) {
            let threads = &sample.world.truth.threads;
            let thread = threads
                .iter()
                .find(|thread| record["address"] == address(thread.address))
                .unwrap();
            check(&sample.world, thread, &record, true);
        }
        assert_eq!(sample.run(&["threads"]).status, 3, "{kernel}");
    }
}

/// The worlds' threads start in the kernel, or nowhere.
fn check_start_module(world: &Built, thread: &Thread, details: &Value) {
    let code = &details["start_module"];
    match thread.start_address.0.checked_sub(world.truth.kernel_base.0) {
        Some(offset) if offset < u64::from(world.kernel.image_size()) => {
            assert_eq!(code["module"], "nt", "{}", thread.address);
            assert_eq!(code["offset"], offset, "{}", thread.address);
        }
        _ => assert!(code.is_null(), "{}: {code}", thread.address),
    }
}

#[test]
fn every_thread_in_full() {
    for kernel in every_kernel() {
        let sample = Sample::standard(kernel);
        let threads = &sample.world.truth.threads;
        let lines: Vec<String> = threads
            .iter()
            .map(|thread| format!("thread {}", thread.address))
            .collect();
        for (thread, record) in threads.iter().zip(sample.results(&lines)) {
            let at = thread.address;
            check(&sample.world, thread, &record, false);
            let details = &record["details"];
            let stack = &details["stack_base"];
            assert_eq!(*stack, address(thread.stack_base), "{at}");
            for (key, start) in [
                ("start_address", thread.start_address),
                ("win32_start_address", thread.win32_start_address),
            ] {
                assert_eq!(details[key], address(sample.stored(start)), "{key} of {at}");
            }
            assert!(
                details["attached_process"].is_null() && details["unreadable"]["attached_process"].is_null()
            );
            check_start_module(&sample.world, thread, details);
            assert_eq!(details["wait_start_tick_count"], thread.wait_time, "{at}");
            let has_name = !thread.name.is_empty() && sample.world.has("_ETHREAD", "ThreadName");
            let name = if has_name { json!(thread.name) } else { Value::Null };
            assert_eq!(details["name"], name, "{at}");
            let id = address(sample.stored(Va(thread.alpc_message_id)));
            assert_eq!(details["alpc_message_id"], id, "{at}");
        }
    }
}

/// Whom it acts for and where its stack is, in the debugger's words (Microsoft's reference of `!thread`, transcript 33),
/// of every generation; the flags and words are written by the layout tables.
#[test]
fn a_thread_that_impersonates_and_is_paged_out() {
    for kernel in every_kernel() {
        let built = worlds::standard_with(kernel, |world| {
            let thread = &mut world.truth.threads[1];
            (thread.client_security, thread.paged_out) = (0x8765_4320 | 4 | 2, true);
        });
        let sample = Sample::of(built);
        let thread = format!("{:x}", sample.world.truth.threads[1].address.0);
        let run = sample.run(
            &[&sample.spelled(&format!("thread {thread}"))]
                .map(|line| ["-c", line])
                .concat(),
        );
        let token = match sample.world.pointer_size() {
            4 => "87654320",
            _ => "0000000087654320",
        };
        for line in [
            format!("Impersonation token:  {token} (Level Impersonation, effective only)"),
            "Kernel stack not resident.".to_owned(),
        ] {
            assert!(
                run.stdout.contains(&format!("\n{line}\n")),
                "{kernel}: {}",
                run.stdout
            );
        }
    }
}

/// States are those that the builder gave; a thread is in exactly one of the lists.
#[test]
fn threads_by_state() {
    let sample = Sample::of(worlds::standard("win11-22h2-x64"));
    let addresses = |args: &[&str]| -> Vec<String> {
        let run = sample.run(args);
        let heads = run.stdout.lines().filter_map(|line| line.strip_prefix("THREAD "));
        heads
            .map(|line| line.split(' ').next().unwrap().to_owned())
            .collect()
    };
    let truth = &sample.world.truth.threads;
    let of = |states: &[u8]| -> BTreeSet<String> {
        let threads = truth.iter().filter(|thread| states.contains(&thread.state));
        threads
            .map(|thread| format!("{:016x}", thread.address.0))
            .collect()
    };
    for (args, states) in [
        (vec!["threads", "--state", "waiting"], vec![5, 8]),
        (vec!["threads", "--state", "running,standby"], vec![2, 3]),
        (vec!["threads", "--state", "ready"], vec![1, 7]),
        (vec!["-c", "!running -t"], vec![2, 3]),
        (vec!["-c", "!ready"], vec![1, 7]),
    ] {
        let shown: BTreeSet<String> = addresses(&args).into_iter().collect();
        assert_eq!(shown, of(&states), "{args:?}");
    }
    assert!(!of(&[2]).is_empty() && !of(&[5]).is_empty());
    let none = sample.run(&["threads", "--state", "sleeping"]);
    assert_eq!(none.status, 2);
}
