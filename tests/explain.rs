//! `--explain`: every number that it states is looked up again in the file itself and in the layout table of the
//! kernel that the world was built by.

mod support;

use std::fs;

use serde_json::Value;
use support::synthetic::{Sample, address, every_kernel};
use support::{World, alpc_dump, fixture, shared};
use synth::address::Va;
use synth::dump::Kind;
use synth::layout::Kernel;
use synth::worlds;

/// A hex number of the document.
fn hex(value: &Value) -> u64 {
    let text = value.as_str().unwrap_or_else(|| panic!("{value} is no text"));
    u64::from_str_radix(text, 16).unwrap_or_else(|_| panic!("{text} is no hex"))
}

/// The value of the document that an entry names.
fn named<'d>(document: &'d Value, path: &str) -> &'d Value {
    path.split('.').fold(document, |value, part| {
        let (key, indexes) = part.split_at(part.find('[').unwrap_or(part.len()));
        indexes
            .split(['[', ']'])
            .filter(|index| !index.is_empty())
            .fold(&value[key], |value, index| {
                &value[index.parse::<usize>().unwrap()]
            })
    })
}

/// Where a virtual address is in physical memory, by whoever built the page tables.
type Frames<'f> = &'f dyn Fn(u64) -> u64;

/// The bytes that an entry's pieces have in the file; none when the entry says that they are not all there.
fn bytes_in_file(entry: &Value, file: &[u8], frames: Option<Frames<'_>>) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut at = hex(&entry["address"]);
    for piece in entry["pieces"].as_array().unwrap() {
        assert_eq!(hex(&piece["address"]), at, "{entry}");
        if let Some(frames) = frames {
            assert_eq!(hex(&piece["physical"]), frames(at), "{entry}");
        }
        at += piece["size"].as_u64().unwrap();
        if piece["file"].is_null() {
            break;
        }
        let start = usize::try_from(hex(&piece["file"])).unwrap();
        let size = usize::try_from(piece["size"].as_u64().unwrap()).unwrap();
        bytes.extend(&file[start..start + size]);
    }
    (!entry["bytes"].is_null()).then_some(bytes)
}

/// The number that bytes are, little-endian, and of a bit field its bits.
fn number(entry: &Value, bytes: &[u8]) -> u64 {
    let unit = bytes
        .iter()
        .rev()
        .fold(0, |number, &byte| number << 8 | u64::from(byte));
    match entry["bits"]["position"].as_u64() {
        Some(position) => {
            let length = entry["bits"]["length"].as_u64().unwrap();
            unit >> position & ((1 << length) - 1)
        }
        None => unit,
    }
}

/// What the checks found to check.
#[derive(Default)]
struct Checked {
    entries: usize,
    equal: usize,
    unreadable: usize,
}

/// Checks all entries of a document against the file.
fn check(document: &Value, file: &[u8], frames: Option<Frames<'_>>, checked: &mut Checked) {
    let entries = document["explain"].as_array().unwrap();
    assert!(!entries.is_empty(), "{document}");
    for entry in entries {
        checked.entries += 1;
        let value = named(document, entry["value"].as_str().unwrap());
        let Some(bytes) = bytes_in_file(entry, file, frames) else {
            checked.unreadable += 1;
            let why = &entry["unreadable"]["bytes"];
            assert!(
                why["text"].as_str().is_some_and(|text| text.len() > 10),
                "{entry}"
            );
            assert!(
                value.is_null() || value.is_array() || value.is_object() || value.is_string(),
                "{entry}: {value}"
            );
            continue;
        };
        let spelled: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(entry["bytes"], spelled.as_str(), "{entry}");
        assert_eq!(entry["size"], bytes.len(), "{entry}");
        // A value that is its member's, as it stands, has the same name.
        let member = entry["path"].as_str().unwrap().rsplit('.').next().unwrap();
        let name = entry["value"].as_str().unwrap().rsplit('.').next().unwrap();
        if member.eq_ignore_ascii_case(&name.replace('_', "")) && bytes.len() <= 8 {
            let number = number(entry, &bytes);
            let same = match value {
                Value::Number(value) => {
                    value.as_i64() == i64::try_from(number).ok()
                        || value
                            .as_i64()
                            .is_some_and(|value| value.cast_unsigned() & 0xff == number)
                }
                Value::Bool(value) => u64::from(*value) == number,
                Value::String(text) if text.len() >= 8 && text.bytes().all(|c| c.is_ascii_hexdigit()) => {
                    hex(value) == number
                }
                _ => continue,
            };
            assert!(same, "{entry}: {value} is not {number:#x}");
            checked.equal += 1;
        }
    }
}

/// Offset, bytes and bits of a member by the table, also of one in a structure that has a name of its own.
fn place(kernel: &Kernel, ty: &str, path: &str) -> (u64, u64, Option<(u8, u8)>) {
    if let Some(field) = kernel.type_(ty).field(path) {
        return (field.offset, field.bytes, field.bit);
    }
    let (outer, inner) = path
        .split_once('.')
        .unwrap_or_else(|| panic!("{ty} has no {path}"));
    let outer = kernel.field(ty, outer);
    let (offset, bytes, bits) = place(kernel, &outer.ty, inner);
    (outer.offset + offset, bytes, bits)
}

/// Checks offsets, sizes and bits of all members against the table that the world was laid out by.
fn check_layout(document: &Value, kernel: &Kernel) -> usize {
    let mut members = 0;
    for entry in document["explain"].as_array().unwrap() {
        let path = entry["path"].as_str().unwrap();
        let Some((ty, path)) = path.split_once('.').filter(|(ty, _)| ty.starts_with('_')) else {
            continue;
        };
        let (offset, bytes, bits) = place(kernel, ty, path);
        assert_eq!(
            hex(&entry["address"]) - hex(&entry["base"]),
            entry["offset"].as_u64().unwrap()
        );
        assert_eq!(entry["offset"], offset, "{entry}");
        if path != "ImageFileName" {
            assert_eq!(entry["size"], bytes, "{entry}");
        }
        let bits = bits.map(|(position, length)| (u64::from(position), u64::from(length)));
        let stated = entry["bits"]["position"]
            .as_u64()
            .zip(entry["bits"]["length"].as_u64());
        assert_eq!(stated, bits, "{entry}");
        let command = format!("dt nt!{ty} {} {path}", entry["base"].as_str().unwrap());
        assert_eq!(entry["command"], command.as_str());
        members += 1;
    }
    members
}

/// The views of one thing that a world has.
fn views(sample: &Sample) -> Vec<String> {
    let truth = &sample.world.truth;
    let mut views = Vec::new();
    let mut add = |command: &str, at| views.push(format!("{command} {}", address(at)));
    truth
        .messages
        .iter()
        .take(1)
        .for_each(|message| add("message", message.address));
    truth
        .ports
        .iter()
        .skip(2)
        .take(2)
        .for_each(|port| add("port", port.address));
    truth
        .threads
        .iter()
        .take(1)
        .for_each(|thread| add("thread", thread.address));
    truth
        .processes
        .iter()
        .take(1)
        .for_each(|process| add("process", process.address));
    truth
        .resources
        .iter()
        .for_each(|resource| add("resource", resource.address()));
    truth
        .objects
        .keys()
        .take(2)
        .for_each(|&object| add("object", object));
    views.iter().map(|view| sample.spelled(view)).collect()
}

fn kinds(sample: &Sample) -> Vec<Kind> {
    if sample.world.pointer_size() == 4 {
        vec![Kind::Full, Kind::Summary]
    } else if sample.world.truth.build < 9200 {
        vec![Kind::Full, Kind::Summary, Kind::CompleteRanges]
    } else {
        vec![
            Kind::BitmapFull,
            Kind::BitmapKernel,
            Kind::KernelUserRanges,
            Kind::CompleteRanges,
        ]
    }
}

/// Explains views of a world and checks them all.
fn check_world(sample: &Sample, views: &[String]) -> (Checked, usize) {
    let name = sample.world.truth.kernel.clone();
    let kernel = Kernel::named(&name);
    let file = fs::read(sample.dump()).unwrap();
    let mapped = sample.world.map();
    let frames = |at: u64| {
        let at = if sample.world.pointer_size() == 4 && at >= 0x8000_0000 {
            at | 0xffff_ffff_0000_0000
        } else {
            at
        };
        mapped.frames[&Va(at).page()].address() + at % 0x1000
    };
    let (mut checked, mut members) = (Checked::default(), 0);
    let run = sample.run(&["--explain", "--format", "json", "-c", &views.join("; ")]);
    let documents = run.json();
    let documents = documents.as_array().unwrap();
    assert_eq!(documents.len(), views.len());
    for (view, document) in views.iter().zip(documents) {
        assert!(document["error"].is_null(), "{name} {view}: {document}");
        let frames: Option<Frames<'_>> = Some(&frames);
        check(document, &file, frames, &mut checked);
        members += check_layout(document, &kernel);
    }
    (checked, members)
}

#[test]
fn every_number_is_that_of_the_file_and_of_the_layout() {
    for (index, name) in every_kernel().into_iter().enumerate() {
        let sample = Sample::standard(name);
        let kinds = kinds(&sample);
        sample.rewrite(kinds[index % kinds.len()]);
        let (checked, members) = check_world(&sample, &views(&sample));
        assert!(members > 150, "{name}: {members} members");
        assert!(
            checked.equal > 70,
            "{name}: {} of {} values compared",
            checked.equal,
            checked.entries
        );
        assert_eq!(checked.unreadable, 0, "{name}");
    }
}

/// Page-table entries of four bytes.
#[test]
fn the_same_without_pae() {
    let sample = Sample::of(worlds::without_pae("win7-sp1-x86"));
    let (checked, _) = check_world(&sample, &views(&sample));
    assert!(checked.equal > 100);
}

/// What is not there says where the translation stopped, with the physical address when that is known.
#[test]
fn what_cannot_be_read_says_why() {
    let sample = Sample::of(worlds::with_holes("win10-2004-x64"));
    let truth = &sample.world.truth;
    let views = [
        format!("message {}", truth.messages[1].address),
        format!("message {}", truth.messages[8].address),
        format!("port {}", truth.ports[9].address),
        format!("thread {}", truth.threads[7].address),
        format!("process {}", truth.processes[5].address),
    ];
    let lines = sample
        .run(&["--explain", "--format", "json", "-c", &views.join("; ")])
        .json();
    let file = fs::read(sample.dump()).unwrap();
    let mut checked = Checked::default();
    let mut ids = Vec::new();
    for document in lines.as_array().unwrap() {
        if document["error"].is_null() {
            check(document, &file, None, &mut checked);
            for entry in document["explain"].as_array().unwrap() {
                let why = &entry["unreadable"]["bytes"]["id"];
                if let Some(id) = why.as_str() {
                    // A page that was left out has a frame; one that was never there has none.
                    let physical = entry["pieces"]
                        .as_array()
                        .unwrap()
                        .last()
                        .is_some_and(|piece| piece["file"].is_null() && !piece["physical"].is_null());
                    assert_eq!(physical, id == "not-in-dump", "{entry}");
                    ids.push(id.to_owned());
                }
            }
        }
    }
    assert!(checked.unreadable > 20, "{}", checked.unreadable);
    assert!(ids.contains(&"not-in-dump".to_owned()) && ids.contains(&"not-present".to_owned()));
}

/// A member that was renamed is told by the name that this kernel has for it.
#[test]
fn names_are_those_of_this_kernel() {
    for (kernel, member) in [
        ("win7-sp1-x64", "_EPROCESS.Wow64Process"),
        ("win10-2004-x64", "_EPROCESS.WoW64Process"),
    ] {
        let sample = Sample::standard(kernel);
        let view = format!("process {}", sample.world.truth.processes[1].address);
        let document = sample.run(&["--explain", "--format", "json", "-c", &view]).json();
        let entries = document["explain"].as_array().unwrap();
        let wow64 = entries.iter().find(|entry| entry["value"] == "result.wow64");
        assert_eq!(wow64.unwrap()["path"], member);
    }
}

/// The published message: the numbers by hand, from the layout of Windows Vista and the dump's own index.
#[test]
fn the_view_stays_as_it_is_and_the_block_follows() {
    let dump = fixture("vista-sp2-x64.dmp");
    let dump = dump.to_str().unwrap();
    let plain = alpc_dump(&[dump, "message", "fffff8800f4cc950"]);
    let explained = alpc_dump(&[dump, "message", "fffff8800f4cc950", "--explain"]);
    let block = explained.stdout.strip_prefix(&plain.stdout).unwrap();
    assert_eq!((plain.stderr, plain.status), (explained.stderr, explained.status));
    assert!(block.starts_with("\nWhere the values come from:\n"));
    let lines: Vec<&str> = block.lines().collect();
    let at = lines
        .iter()
        .position(|line| line.starts_with("  queue_type "))
        .unwrap();
    assert_eq!(
        lines[at],
        "  queue_type                        _KALPC_MESSAGE.u1.s1.QueueType +0x02c Pos 0, 2 Bits  \
         dt nt!_KALPC_MESSAGE fffff8800f4cc950 u1.s1.QueueType"
    );
    assert!(
        lines[at + 1]
            .trim_start()
            .starts_with("at fffff8800f4cc97c  physical "),
        "{}",
        lines[at + 1]
    );
    assert!(lines[at + 1].contains("  bytes 87 28 00 00"), "{}", lines[at + 1]);
    // By its id, the same message is explained alike.
    let by_id = alpc_dump(&[dump, "message", "id:3068", "--explain"]);
    assert_eq!(by_id.stdout, explained.stdout);
}

/// The evidence of a chain, and the entries of handles, are where the explanation says: by the bytes of the file itself,
/// which are what the record tells of them.
#[test]
fn evidence_and_entries_are_where_they_are_said_to_be() {
    let dump = fixture("vista-sp2-x64.dmp");
    let file = fs::read(&dump).unwrap();
    let explained = |command: &[&str]| {
        let line = [
            &[dump.to_str().unwrap()][..],
            command,
            &["--explain", "--format", "json"],
        ]
        .concat();
        alpc_dump(&line).json()
    };
    let bytes_at = |entry: &Value| {
        let piece = &entry["pieces"][0];
        let at = usize::from_str_radix(piece["file"].as_str().unwrap(), 16).unwrap();
        let size = usize::try_from(piece["size"].as_u64().unwrap()).unwrap();
        file[at..at + size].to_vec()
    };
    let hex = |bytes: &[u8]| -> String { bytes.iter().map(|byte| format!("{byte:02x}")).collect() };
    let chain = explained(&["chain", "explorer.exe"]);
    let mut pointers = 0;
    for entry in chain["explain"].as_array().unwrap() {
        let bytes = bytes_at(entry);
        assert_eq!(entry["bytes"], hex(&bytes), "{entry}");
        let path = entry["value"]
            .as_str()
            .unwrap()
            .replace(['[', '.'], "/")
            .replace(']', "");
        let evidence = chain.pointer(&format!("/{path}")).unwrap();
        assert_eq!(evidence["field"], entry["path"], "{entry}");
        // A pointer is told as what it points to.
        let is_pointer = ["WaitingThread", "ServerThread", "PortQueue", "Object"]
            .iter()
            .any(|name| entry["path"].as_str().unwrap().ends_with(name));
        if is_pointer {
            let pointer = u64::from_le_bytes(bytes.try_into().unwrap());
            assert_eq!(evidence["value"], format!("{pointer:016x}"), "{entry}");
            pointers += 1;
        }
    }
    assert!(pointers > 10, "{pointers}");
    let handles = explained(&["handles", "--process", "lsass.exe"]);
    let all = handles["explain"].as_array().unwrap();
    assert!(!all.is_empty());
    for entry in all
        .iter()
        .filter(|entry| entry["path"] == "_HANDLE_TABLE_ENTRY.Object")
    {
        let pointer = u64::from_le_bytes(bytes_at(entry).try_into().unwrap());
        let path = entry["value"]
            .as_str()
            .unwrap()
            .replace(['[', '.'], "/")
            .replace(']', "");
        let row = handles.pointer(&format!("/{path}")).unwrap();
        // The low three bits are attributes, and the object's body follows its header of 30 hex.
        let body = (pointer & !7) + 0x30;
        assert_eq!(row["object"]["address"], format!("{body:016x}"), "{entry}");
    }
}

#[test]
fn only_views_of_one_thing_are_explained() {
    let dump = fixture("vista-sp2-x64.dmp");
    for command in ["info", "processes", "ports", "waits", "global", "analyze"] {
        let run = alpc_dump(&[dump.to_str().unwrap(), command, "--explain"]);
        assert_eq!(run.status, 2, "{command}");
        assert_eq!(run.stdout, "");
        assert!(
            run.stderr
                .contains("--explain is for views of one thing: message, port"),
            "{}",
            run.stderr
        );
    }
    let run = alpc_dump(&[dump.to_str().unwrap(), "dt", "_EPROCESS", "--explain"]);
    assert_eq!(run.status, 2);
}

/// A type of the symbols at an address, members of anonymous structures and all.
#[test]
fn types_are_explained_member_by_member() {
    let sample = Sample::standard("win7-sp1-x64");
    let at = sample.world.truth.messages[0].address;
    let view = format!("dt _KALPC_MESSAGE {at}");
    let (checked, members) = check_world_of(&sample, &view);
    assert!(members > 25, "{members}");
    assert_eq!(checked.unreadable, 0);
}

fn check_world_of(sample: &Sample, view: &str) -> (Checked, usize) {
    let document = sample.run(&["--explain", "--format", "json", "-c", view]).json();
    let file = fs::read(sample.dump()).unwrap();
    let mut checked = Checked::default();
    check(&document, &file, None, &mut checked);
    let kernel = Kernel::named(&sample.world.truth.kernel);
    (checked, check_layout(&document, &kernel))
}

/// A real dump of Windows, which stands beside the repository: pieces of memory without physical addresses.
#[test]
fn a_real_triage_dump() {
    let Some(path) = shared("samples/triage_x64.dmp") else {
        return;
    };
    let run = alpc_dump(&[
        path.to_str().unwrap(),
        "thread",
        "ffffc08bde9e1640",
        "--explain",
        "--format",
        "json",
    ]);
    let document = run.json();
    let mut checked = Checked::default();
    check(&document, &fs::read(path).unwrap(), None, &mut checked);
    assert!(checked.equal > 10, "{}", checked.equal);
    let entries = document["explain"].as_array().unwrap();
    assert!(
        entries
            .iter()
            .all(|entry| entry["pieces"][0]["physical"].is_null())
    );
    // _KTHREAD.State of Windows 10 2004, by its published layout.
    let state = entries
        .iter()
        .find(|entry| entry["value"] == "result.state")
        .unwrap();
    assert_eq!(
        (state["path"].as_str(), state["offset"].as_u64()),
        (Some("_KTHREAD.State"), Some(0x184))
    );
}

#[test]
fn the_worlds_of_another_generator() {
    for world in World::readable() {
        let file = fs::read(&world.dump).unwrap();
        let mut checked = Checked::default();
        for message in world.truth["messages"].as_array().unwrap().iter().take(3) {
            let document = world
                .run(&[
                    "--explain",
                    "--format",
                    "json",
                    "message",
                    message["address"].as_str().unwrap(),
                ])
                .json();
            if document["error"].is_null() {
                check(&document, &file, None, &mut checked);
            }
        }
        assert!(
            checked.entries > 50,
            "{}: {}",
            world.dump.display(),
            checked.entries
        );
    }
}

/// Nothing that a message shows is left without a source.
#[test]
fn all_values_of_a_message_are_explained() {
    let sample = Sample::standard("win10-2004-x64");
    let view = format!("message {}", sample.world.truth.messages[0].address);
    let document = sample.run(&["--explain", "--format", "json", "-c", &view]).json();
    let explained: Vec<&str> = document["explain"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["value"].as_str().unwrap())
        .collect();
    let result = document["result"].as_object().unwrap();
    let details = result["details"].as_object().unwrap();
    let absent = |name: &String| {
        let lists = [&result.get("absent"), &details.get("absent")];
        let mut absent = lists
            .iter()
            .filter_map(|list| list.and_then(Value::as_array))
            .flatten();
        absent.any(|absent| absent == name)
    };
    let names = result.keys().map(|name| (name, format!("result.{name}")));
    let more = details
        .keys()
        .map(|name| (name, format!("result.details.{name}")));
    for (name, path) in names.chain(more) {
        if !["address", "details", "absent"].contains(&name.as_str()) && !absent(name) {
            assert!(explained.contains(&path.as_str()), "{path}");
        }
    }
}

/// Lines of records: the view, then a line a read; no rows.
#[test]
fn lines_follow_the_record() {
    let dump = fixture("vista-sp2-x64.dmp");
    let args = [
        dump.to_str().unwrap(),
        "message",
        "fffff8800f4cc950",
        "--explain",
        "--format",
    ];
    let document = alpc_dump(&[&args[..], &["json"]].concat()).json();
    let lines = alpc_dump(&[&args[..], &["ndjson"]].concat()).lines();
    let records: Vec<&str> = lines
        .iter()
        .map(|line| line["record"].as_str().unwrap())
        .collect();
    assert_eq!(records[..2], ["document", "message"]);
    assert_eq!(records.last(), Some(&"end"));
    let explanations = &lines[2..lines.len() - 1];
    let entries = document["explain"].as_array().unwrap();
    assert_eq!(explanations.len(), entries.len());
    for (line, entry) in explanations.iter().zip(entries) {
        assert_eq!(line["record"], "explanation");
        for (key, value) in entry.as_object().unwrap() {
            assert_eq!(&line[key], value, "{key}");
        }
    }
    let rows = alpc_dump(&[&args[..], &["csv"]].concat());
    assert_eq!((rows.status, rows.stdout.as_str()), (2, ""));
}
