//! Objects, names, handles, processes, modules and selectors, against dumps of an independent generator and
//! their truth. They stand beside the repository, not in it; where they are not, these tests say so.

mod support;

use std::collections::BTreeMap;

use serde_json::{Value, json};
use support::{Run, World};

/// The answer to a command as JSON, whatever its exit status.
fn ask(world: &World, args: &[&str]) -> (Value, Run) {
    let mut line = vec!["--format", "json"];
    line.extend(args);
    let run = world.run(&line);
    (run.json(), run)
}

fn array(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// The world with missing pages.
fn has_holes(world: &World) -> bool {
    !array(&world.truth["dropped_pages"]).is_empty()
}

/// What a command that counts all handles ends with. The generator leaves the page of an empty table out.
fn expected_status(world: &World) -> i32 {
    let processes = array(&world.truth["processes"]).iter();
    let empty = processes.filter(|process| process["handle_count"] == 0).count() > 0;
    if has_holes(world) || empty { 3 } else { 0 }
}

/// What text can show of a name: its UTF-16 units with U+FFFD for those that are no text.
fn shown(name_hex: &Value) -> Option<String> {
    let bytes: Vec<u8> = (0..text_or_empty(name_hex).len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text_or_empty(name_hex)[at..at + 2], 16).unwrap())
        .collect();
    let units: Vec<u16> = bytes
        .chunks(2)
        .map(|unit| u16::from_le_bytes([unit[0], unit[1]]))
        .collect();
    (!units.is_empty()).then(|| String::from_utf16_lossy(&units))
}

fn text_or_empty(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Image names are single bytes.
fn image(name_hex: &Value) -> String {
    let hex = text(name_hex);
    (0..hex.len())
        .step_by(2)
        .map(|at| char::from(u8::from_str_radix(&hex[at..at + 2], 16).unwrap()))
        .collect()
}

#[test]
fn every_handle_of_every_readable_world() {
    let mut checked = 0;
    for world in World::readable() {
        let (answer, run) = ask(&world, &["handles"]);
        assert_eq!(run.status, expected_status(&world), "{}", run.stderr);
        let mut found = BTreeMap::new();
        for process in array(&answer["result"]["processes"]) {
            for handle in process["handles"]["handles"].as_array().into_iter().flatten() {
                let key = (
                    process["process"]["process_id"].as_u64(),
                    handle["handle"].as_u64(),
                );
                assert!(found.insert(key, handle.clone()).is_none());
            }
        }
        for truth in array(&world.truth["handles"]) {
            let key = (truth["pid"].as_u64(), truth["handle"].as_u64());
            match found.remove(&key) {
                Some(handle) => check_handle(&world, truth, &handle),
                None => assert!(truth["lost"] == true || table_is_lost(&world, key.0), "{truth}"),
            }
            checked += 1;
        }
        assert!(found.is_empty(), "handles that do not exist: {found:?}");
    }
    support::say_if_none(checked, "handles");
}

fn table_is_lost(world: &World, pid: Option<u64>) -> bool {
    let of_process = |process: &&Value| process["pid"].as_u64() == pid;
    let process = array(&world.truth["processes"]).iter().find(of_process);
    process.unwrap()["object_table_lost"] == true
}

fn check_handle(world: &World, truth: &Value, handle: &Value) {
    let object = &handle["object"];
    assert_eq!(object["address"], truth["object"], "{truth}");
    assert_eq!(handle["granted_access"], truth["access"], "{truth}");
    assert_eq!(
        object["type"]["address"],
        world.truth["object_types"][text(&truth["type"])]["address"],
        "{truth}"
    );
    // The text of a type's name can be in a page that is not there.
    let type_name = &object["type"]["name"];
    assert!(
        *type_name == truth["type"] || (type_name.is_null() && has_holes(world)),
        "{truth}"
    );
    if truth["type"] == "ALPC Port" {
        check_port_object(world.port(&truth["object"]), object);
    } else if type_name == "Process" {
        let pid = array(&world.truth["processes"])
            .iter()
            .find(|process| process["eprocess"] == truth["object"])
            .unwrap();
        assert_eq!(handle["process"]["image"], image(&pid["name_hex"]), "{truth}");
    }
}

/// The object header of a port, with its name and path.
fn check_port_object(port: &Value, object: &Value) {
    let at = &port["address"];
    for key in ["header", "pointer_count", "handle_count"] {
        assert_eq!(object[key], port[key], "{key} of {at}");
    }
    if port["name_lost"] == true {
        assert!(object["name"].is_null() && object["path"].is_null(), "{object}");
        assert!(object["unreadable"]["name"]["id"].is_string(), "{object}");
        return;
    }
    let name = shown(&port["name_utf16le_hex"]);
    assert_eq!(object["name"].as_str(), name.as_deref(), "name of {at}");
    // The path of the truth keeps lone surrogates out of its last part as we do.
    let parent = port["path"]
        .as_str()
        .map(|path| &path[..=path.rfind('\\').unwrap()]);
    match (object["path"].as_str(), parent) {
        (Some(path), Some(parent)) => assert_eq!(path, format!("{parent}{}", name.unwrap())),
        (None, None) => {}
        // The name of a directory above can be in a page that is not there.
        (None, Some(_)) => assert!(object["unreadable"]["path"]["id"].is_string(), "{object}"),
        (Some(path), None) => panic!("{at} has no name, not {path}"),
    }
}

#[test]
fn every_port_as_an_object_and_by_its_names() {
    let mut checked = 0;
    for world in World::readable() {
        for port in array(&world.truth["ports"]) {
            let at = text(&port["address"]);
            let (answer, run) = ask(&world, &["object", at]);
            assert_eq!(run.status & !3, 0, "{}", run.stderr);
            assert_eq!(answer["result"]["type"]["name"], "ALPC Port");
            check_port_object(port, &answer["result"]);
            checked += 1;
            let Some(path) = answer["result"]["path"].as_str() else {
                continue;
            };
            if path.contains('\0') {
                continue;
            }
            for token in [
                path.to_owned(),
                path.to_uppercase(),
                format!("name:{}", text(&answer["result"]["name"])),
            ] {
                let (answer, run) = ask(&world, &["port", &token]);
                assert_eq!(run.status & !3, 0, "{token}: {}", run.stderr);
                assert_eq!(answer["result"]["address"], at, "{token}");
            }
            let (answer, run) = ask(&world, &["object", path]);
            assert_eq!(run.status & !3, 0, "{path}: {}", run.stderr);
            assert_eq!(answer["result"]["address"], at, "{path}");
        }
    }
    support::say_if_none(checked, "ports");
}

#[test]
fn every_directory_by_its_path() {
    let mut checked = 0;
    for world in World::readable() {
        let directories = world.truth["directories"].as_object().unwrap();
        for (path, address) in directories {
            let (answer, run) = ask(&world, &["object", path]);
            if has_holes(&world) && run.status == 3 && answer["result"].is_null() {
                assert_eq!(answer["error"]["id"], "no-match", "{path}");
                continue;
            }
            assert_eq!(run.status & !3, 0, "{path}: {}", run.stderr);
            let object = &answer["result"];
            assert_eq!(object["address"], *address, "{path}");
            assert_eq!(object["path"], **path);
            let inside: Vec<&str> = array(&object["contents"]["objects"])
                .iter()
                .map(|member| text_or_empty(&member["address"]))
                .collect();
            let children = directories.iter().filter(|(child, _)| is_in(path, child));
            let ports = array(&world.truth["ports"]).iter();
            let members = ports.filter(|port| port["path"].as_str().is_some_and(|port| is_in(path, port)));
            let addresses = children
                .map(|(_, address)| text(address))
                .chain(members.map(|port| text(&port["address"])));
            for address in addresses {
                assert!(
                    inside.contains(&address) || has_holes(&world),
                    "{address} is not in {path}"
                );
            }
            checked += 1;
        }
    }
    support::say_if_none(checked, "directories");
}

/// Whether an object is in a directory, by their paths.
fn is_in(directory: &str, object: &str) -> bool {
    let (parent, name) = object.rsplit_once('\\').unwrap();
    !name.is_empty() && (if parent.is_empty() { "\\" } else { parent }) == directory
}

#[test]
fn every_process_of_every_readable_world() {
    let mut checked = 0;
    for world in World::readable() {
        let (answer, run) = ask(&world, &["processes"]);
        assert_eq!(run.status, expected_status(&world), "{}", run.stderr);
        let processes = array(&answer["result"]["processes"]);
        let truths = array(&world.truth["processes"]);
        assert_eq!(processes.len(), truths.len());
        for (process, truth) in processes.iter().zip(truths) {
            check_process(&world, process, truth);
            let by_id = format!("pid:{:#x}", truth["pid"].as_u64().unwrap());
            let (one, _) = ask(&world, &["process", &by_id]);
            assert_eq!(one["result"]["address"], truth["eprocess"], "{by_id}");
            assert_eq!(
                array(&one["result"]["threads"]).len(),
                array(&truth["threads"]).len()
            );
            check_image_selector(&world, truth);
            checked += 1;
        }
    }
    support::say_if_none(checked, "processes");
}

fn check_process(world: &World, process: &Value, truth: &Value) {
    let pid = &truth["pid"];
    for (ours, theirs) in [
        ("address", "eprocess"),
        ("process_id", "pid"),
        ("parent_process_id", "ppid"),
        ("object_table", "object_table"),
        ("peb", "peb"),
    ] {
        assert_eq!(process[ours], truth[theirs], "{ours} of {pid}");
    }
    assert_eq!(process["create_time"]["ticks"], truth["create_time"], "{pid}");
    assert_eq!(process["image"], image(&truth["name_hex"]), "image of {pid}");
    let base = u64::from_str_radix(text(&truth["dtb_raw"]), 16).unwrap();
    assert_eq!(process["directory_table_base"], base, "page table of {pid}");
    assert_eq!(
        process["thread_count"],
        array(&truth["threads"]).len(),
        "threads of {pid}"
    );
    if process["handle_count"].is_null() {
        assert!(has_holes(world) || truth["handle_count"] == 0, "handles of {pid}");
        assert!(process["unreadable"]["handle_count"]["id"].is_string());
    } else {
        assert_eq!(process["handle_count"], truth["handle_count"], "handles of {pid}");
    }
}

/// A name that several processes have is refused with all of them listed.
fn check_image_selector(world: &World, truth: &Value) {
    let name = text(&truth["name"]);
    let alike: Vec<&Value> = array(&world.truth["processes"])
        .iter()
        .filter(|process| process["name"].as_str().unwrap().eq_ignore_ascii_case(name))
        .collect();
    let (one, run) = ask(world, &["process", &format!("name:{name}")]);
    if alike.len() == 1 {
        assert_eq!(one["result"]["address"], truth["eprocess"], "{name}");
    } else {
        assert_eq!(run.status, 1, "{}", run.stderr);
        assert_eq!(one["error"]["id"], "ambiguous");
        for process in alike {
            assert!(run.stderr.contains(text(&process["eprocess"])), "{}", run.stderr);
        }
    }
}

#[test]
fn every_message_by_its_id() {
    let mut checked = 0;
    for world in World::readable() {
        for message in array(&world.truth["messages"]) {
            let id = format!("id:{}", message["id"]);
            let (answer, run) = ask(&world, &["message", &id]);
            let hidden = message["lost"] == true || message["in_queues"] == json!([]);
            if has_holes(&world) && hidden && answer["result"].is_null() {
                assert_eq!(run.status, 3, "{id}: {}", run.stderr);
                continue;
            }
            assert_eq!(run.status & !3, 0, "{id}: {}", run.stderr);
            assert_eq!(answer["result"]["address"], message["address"], "{id}");
            checked += 1;
        }
        let run = world.run(&["message", "id:0x3fffffc"]);
        let status = if has_holes(&world) { 3 } else { 1 };
        assert_eq!(run.status, status, "{}", run.stderr);
    }
    support::say_if_none(checked, "messages");
}

#[test]
fn the_modules_of_every_readable_world() {
    let mut checked = 0;
    for world in World::readable() {
        let (answer, run) = ask(&world, &["modules"]);
        assert_eq!(run.status, 0, "{}", run.stderr);
        let modules = array(&answer["result"]["modules"]);
        let truths = array(&world.truth["modules"]);
        assert_eq!(modules.len(), truths.len());
        for (module, truth) in modules.iter().zip(truths) {
            let base = u64::from_str_radix(text(&truth["base"]), 16).unwrap();
            assert_eq!(module["base"], truth["base"]);
            assert_eq!(
                module["end"],
                format!("{:016x}", base + truth["size"].as_u64().unwrap())
            );
            assert_eq!(module["path"], truth["path"]);
            assert_eq!(module["name"], text(&truth["path"]).rsplit('\\').next().unwrap());
            checked += 1;
        }
    }
    support::say_if_none(checked, "modules");
}

#[test]
fn handles_of_one_type_and_process_in_the_debuggers_layout() {
    let mut checked = 0;
    for world in World::readable().filter(|world| !has_holes(world)) {
        let ports = array(&world.truth["handles"])
            .iter()
            .filter(|handle| handle["type"] == "ALPC Port");
        let run = world.run(&["handles", "--type", "alpc port"]);
        assert_eq!(run.status, expected_status(&world), "{}", run.stderr);
        assert!(
            run.stdout.starts_with(
                "\n**** NT ACTIVE PROCESS HANDLE DUMP ****\n\nSearching for handles of type alpc port\n\nPROCESS "
            ),
            "{}",
            run.stdout
        );
        assert_eq!(
            run.stdout.matches("GrantedAccess: ").count(),
            ports.clone().count()
        );
        let Some(handle) = ports.into_iter().next() else {
            continue;
        };
        let pid = format!("pid:{}", handle["pid"]);
        let run = world.run(&["handles", "--type", "ALPC Port", "--process", &pid]);
        let port = world.port(&handle["object"]);
        let head = format!(
            "{:04x}: Object: {}  GrantedAccess: {:08x}",
            handle["handle"].as_u64().unwrap(),
            text(&handle["object"]),
            handle["access"].as_u64().unwrap()
        );
        let object = format!(
            "Object: {}  Type: ({}) ALPC Port\n    ObjectHeader: {} (new version)\n        HandleCount: {}  PointerCount: {}\n",
            text(&handle["object"]),
            text(&world.truth["object_types"]["ALPC Port"]["address"]),
            text(&port["header"]),
            port["handle_count"],
            port["pointer_count"],
        );
        assert!(run.stdout.contains(&head), "{head} in {}", run.stdout);
        assert!(run.stdout.contains(&object), "{object} in {}", run.stdout);
        checked += 1;
    }
    support::say_if_none(checked, "worlds");
}

#[test]
fn a_name_that_nothing_has_is_told() {
    let Some(world) = World::readable().find(|world| !has_holes(world)) else {
        return support::say_if_none(0, "worlds");
    };
    for (args, what) in [
        (["port", "no such port"], "no port matches no such port"),
        (["process", "nothing.exe"], "no process matches nothing.exe"),
        (["process", "pid:0xfffc"], "no process matches pid:0xfffc"),
        (["object", "\\RPC Control\\nothing"], "no object matches"),
        (["message", "id:67108860"], "no message matches id:0x3fffffc"),
    ] {
        let run = world.run(&args);
        assert_eq!(run.status, 1, "{args:?}: {}", run.stderr);
        assert!(run.stderr.contains(what), "{args:?}: {}", run.stderr);
        assert_eq!(run.stdout, "");
    }
    for args in [
        ["port", "pid:4"],
        ["object", "id:4"],
        ["process", "pid:x"],
        ["message", "0xzz"],
    ] {
        assert_eq!(world.run(&args).status, 2, "{args:?}");
    }
    let port = text(&world.truth["ports"][0]["address"]);
    let run = world.run(&["process", port]);
    assert_eq!(run.status, 1);
    assert!(run.stderr.contains("\"ALPC Port\""), "{}", run.stderr);
    let (answer, _) = ask(&world, &["object", port]);
    let header = text(&answer["result"]["header"]).to_owned();
    let run = world.run(&["object", &header]);
    assert_eq!(run.status, 1, "{}", run.stdout);
    assert!(run.stderr.contains(port), "{}", run.stderr);
}

#[test]
fn messages_from_stdin() {
    let Some(world) = World::readable().find(|world| !has_holes(world)) else {
        return support::say_if_none(0, "worlds");
    };
    let messages = array(&world.truth["messages"]);
    let input = format!(
        "{}\n\n  id:{}\nid:0x3fffffc\n",
        text(&messages[0]["address"]),
        messages[1]["id"]
    );
    let run = world.run_with_input(&["--format", "json", "message", "-"], &input);
    assert_eq!(run.status, 1, "{}", run.stderr);
    assert!(
        run.stderr.contains("no message matches id:0x3fffffc"),
        "{}",
        run.stderr
    );
    let answer = run.json();
    let addresses: Vec<&Value> = array(&answer["result"])
        .iter()
        .map(|message| &message["address"])
        .collect();
    assert_eq!(addresses, [&messages[0]["address"], &messages[1]["address"]]);
}
