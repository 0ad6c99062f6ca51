//! Triage dumps made from public crash dumps, against the truth that a reader of its own decoded; they stand beside the
//! repository, not in it.

mod support;

use std::path::{Path, PathBuf};

use serde_json::Value;
use support::{Run, alpc_dump, shared};

/// A case: its dump and its truth.
struct Case {
    dump: PathBuf,
    truth: Value,
}

impl Case {
    fn all() -> Vec<Self> {
        let Some(folder) = shared("real") else {
            return Vec::new();
        };
        let mut dumps: Vec<PathBuf> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|end| end == "dmp"))
            .filter(|path| std::fs::metadata(path).unwrap().len() != 0)
            .collect();
        dumps.sort();
        dumps.into_iter().map(Self::of).collect()
    }

    fn of(dump: PathBuf) -> Self {
        let truth = std::fs::read(dump.with_extension("truth.json")).unwrap();
        let truth = serde_json::from_slice(&truth).unwrap();
        Self { dump, truth }
    }

    fn name(&self) -> &str {
        self.truth["case"].as_str().unwrap()
    }

    fn run(&self, args: &[&str]) -> Run {
        let mut line = vec![self.dump.to_str().unwrap(), "--format", "json"];
        line.extend(args);
        alpc_dump(&line)
    }

    fn address(&self, what: &str) -> &str {
        self.truth[what]["address"].as_str().unwrap()
    }
}

/// Compares one value of the truth with one of a record: numbers with numbers and flags, addresses with whatever
/// carries one, null pointers with none.
fn same(truth: &Value, ours: &Value) -> bool {
    match (truth, ours) {
        (Value::Number(number), Value::Bool(flag)) => number.as_u64() == Some(u64::from(*flag)),
        (Value::Number(_), Value::Number(_)) => truth.as_u64() == ours.as_u64(),
        (Value::Object(time), Value::Object(_)) => time["ticks"] == ours["ticks"],
        (Value::String(text), Value::Number(number)) => u64::from_str_radix(text, 16).ok() == number.as_u64(),
        (Value::String(text), Value::String(ours)) => text == ours,
        (Value::String(text), Value::Object(ours)) => match ours.get("flink") {
            Some(flink) => {
                *text
                    == format!(
                        "[ {} - {} ]",
                        flink.as_str().unwrap(),
                        ours["blink"].as_str().unwrap()
                    )
            }
            None => ours.get("address").is_some_and(|address| address == text),
        },
        (Value::String(text), Value::Null) => text.is_empty() || text.bytes().all(|byte| byte == b'0'),
        _ => false,
    }
}

/// The truth's name of a member in our spelling.
fn snake(name: &str) -> String {
    let mut text = String::new();
    for (at, letter) in name.char_indices() {
        if letter.is_ascii_uppercase() && at != 0 && !text.ends_with('.') {
            text.push('_');
        }
        text.push(letter.to_ascii_lowercase());
    }
    text
}

fn member<'v>(record: &'v Value, path: &str) -> Option<&'v Value> {
    path.split('.').try_fold(record, |value, part| value.get(part))
}

/// Members of the truth and what the record calls them.
fn compare(case: &Case, what: &str, record: &Value, truth: &Value, names: &[(&str, &str)]) {
    for (theirs, ours) in names {
        let (Some(theirs_value), Some(ours_value)) = (truth["fields"].get(theirs), member(record, ours))
        else {
            continue;
        };
        assert!(
            same(theirs_value, ours_value),
            "{} {what}: {theirs} is {theirs_value}, not {ours_value}",
            case.name()
        );
    }
}

#[test]
fn the_crashed_process_and_thread_are_in_every_list() {
    for case in Case::all() {
        let (process, thread) = (case.address("process"), case.address("thread"));
        let run = case.run(&["processes"]);
        assert_eq!(run.status, 3, "{}", case.name());
        let listed = run.json()["result"].clone();
        let processes = listed["processes"].as_array().unwrap();
        let found = processes.iter().filter(|one| one["address"] == process).count();
        assert_eq!(found, 1, "{}: {process}", case.name());
        assert_ne!(listed["complete"], true, "{}", case.name());
        let threads = case.run(&["threads"]).json()["result"].clone();
        let processes = threads["processes"].as_array().unwrap();
        let owner = processes.iter().find(|one| one["address"] == process).unwrap();
        let found = owner["threads"].as_array().unwrap().iter();
        assert_eq!(
            found.filter(|one| one["address"] == thread).count(),
            1,
            "{}",
            case.name()
        );
        let hang = case.run(&["hang"]).json()["result"].clone();
        assert_ne!(hang["threads"], 0, "{}", case.name());
    }
}

#[test]
fn processes_and_threads_have_the_values_of_the_truth() {
    const PROCESS: &[(&str, &str)] = &[
        ("UniqueProcessId", "process_id"),
        ("InheritedFromUniqueProcessId", "parent_process_id"),
        ("ActiveThreads", "active_threads"),
        ("ImageFileName", "image"),
        ("ImagePath", "image_path"),
        ("CreateTime", "create_time"),
        ("Peb", "peb"),
        ("ObjectTable", "object_table"),
        ("DirectoryTableBase", "directory_table_base"),
    ];
    const THREAD: &[(&str, &str)] = &[
        ("Teb", "teb"),
        ("Win32Thread", "win32_thread"),
        ("Process", "process"),
        ("SuspendCount", "suspend_count"),
        ("NextProcessor", "processor"),
        ("ContextSwitches", "details.context_switches"),
        ("Priority", "details.priority"),
        ("BasePriority", "details.base_priority"),
        ("StackBase", "details.stack_base"),
        ("StackLimit", "details.stack_limit"),
        ("KernelStack", "details.kernel_stack"),
        ("StartAddress", "details.start_address"),
        ("Win32StartAddress", "details.win32_start_address"),
        ("CreateTime", "details.create_time"),
    ];
    for case in Case::all() {
        let address = case.address("process");
        let record = case.run(&["process", address]).json()["result"].clone();
        compare(&case, "process", &record, &case.truth["process"], PROCESS);
        assert!(record["process_id"].is_number() && record["active_threads"].is_number());
        let address = case.address("thread");
        let record = case.run(&["-v", "thread", address]).json()["result"].clone();
        compare(&case, "thread", &record, &case.truth["thread"], THREAD);
        let ids = &case.truth["thread"]["fields"]["Cid"];
        assert_eq!(ids["UniqueProcess"], record["process_id"]);
        assert_eq!(ids["UniqueThread"], record["thread_id"]);
    }
}

/// Members of resources that no view has.
const NOT_SHOWN: &[&str] = &["HandleTable.Flags", "ViewListHead", "ProcessViewListEntry"];

#[test]
fn resources_have_the_values_of_the_truth() {
    for case in Case::all() {
        let objects = case.truth["objects"].as_array().unwrap();
        for object in objects.iter().filter(|object| object["view"] == "resource") {
            let address = object["address"].as_str().unwrap();
            let run = case.run(&["resource", address]);
            let document = run.json();
            let record = &document["result"]["resources"][0];
            for (name, truth) in object["fields"].as_object().unwrap() {
                let ours = match name.as_str() {
                    "Type" => Some(&record["type"]),
                    "ReferenceCount" => Some(&record["reference_count"]),
                    "CachedReferences" => Some(&record["cached_references"]),
                    // The type's name and the flags' names tell these; told by the view of the port itself; the list it is in, not shown.
                    "ResourceId" | "BlobFlags" | "Deleted" | "ResourceList" => continue,
                    name if name.ends_with("->TypeName") => continue,
                    _ => member(&record["members"], &snake(name)),
                };
                let disputed_whole = record["members"].is_null();
                let Some(ours) = ours else {
                    assert!(
                        disputed_whole || NOT_SHOWN.contains(&name.as_str()),
                        "{}: no {name} in {record}",
                        case.name()
                    );
                    continue;
                };
                // What the layouts dispute is withheld, with that as its reason.
                let text = document["holes"].to_string();
                let disputed = ours.is_null() && text.contains("disputed-member");
                assert!(
                    same(truth, ours) || disputed,
                    "{} {address}: {name} is {truth}, not {ours}",
                    case.name()
                );
            }
            for (name, _) in object["unreadable"].as_object().unwrap() {
                let ours = member(&record["members"], &snake(name));
                assert!(
                    ours.is_none_or(Value::is_null),
                    "{} {address}: {name}",
                    case.name()
                );
            }
            check_unreadable(&case, object, &document);
            assert_eq!(document["holes"].as_array().unwrap().is_empty(), run.status == 0);
            let freed = object["fields"]["ReferenceCount"] == 0;
            assert_eq!(!record["freed"].is_null(), freed, "{} {address}", case.name());
            // Nor is it an object, whatever the memory before it would say of one.
            assert_eq!(
                case.run(&["object", address]).status,
                1,
                "{} {address}",
                case.name()
            );
        }
    }
}

/// Members of a port, and where its record has them. A name without a place is not shown by any view; why stands beside it.
const PORT: &[(&str, &str)] = &[
    ("TypeName", "type"),
    ("CommunicationInfo", "communication_info"),
    ("OwnerProcess", "owner_process"),
    ("SequenceNo", "sequence_no"),
    ("CompletionPort", "completion_port"),
    ("CompletionList", "completion_list"),
    ("ConnectionPending", "connection_pending"),
    ("ConnectionRefused", "connection_refused"),
    ("Disconnected", "disconnected"),
    ("Closed", "closed"),
    ("ReturnExtendedInfo", "return_extended_info"),
    ("Waitable", "waitable"),
    ("Wow64CompletionList", "wow64_completion_list"),
    ("State", "details.state"),
    ("CompletionKey", "details.completion_key"),
    ("PortContext", "details.port_context"),
    ("TargetQueuePort", "details.target_queue_port"),
    ("TargetSequencePort", "details.target_sequence_port"),
    ("Semaphore", "details.semaphore"),
    ("WaitQueueLength", "details.wait_queue_length"),
    ("PortAttributes.Flags", "details.attribute_flags"),
    ("PortAttributes.MaxMessageLength", "details.max_message_length"),
    ("PortAttributes.MaxPoolUsage", "details.max_pool_usage"),
    ("PortAttributes.MaxSectionSize", "details.max_section_size"),
    ("PortAttributes.MaxViewSize", "details.max_view_size"),
    (
        "PortAttributes.MaxTotalSectionSize",
        "details.max_total_section_size",
    ),
    ("Header.PointerCount", "details.pointer_count"),
    ("Header.HandleCount", "details.handle_count"),
    // The text of the name is not in the dump.
    ("Name.Directory", ""),
    ("Name.Length", ""),
    ("Name.Buffer", ""),
    // Bits of State, which is compared whole.
    ("Type", ""),
    ("OwnerPortClosed", ""),
    ("Initialized", ""),
    ("NoFlushOnClose", ""),
    ("DynamicSecurity", ""),
    ("Lpc", ""),
    ("LpcToLpc", ""),
    ("HasCompletionList", ""),
    ("HadCompletionList", ""),
    ("EnableCompletionList", ""),
    // Of no use to who looks for a wait, and in no view of the debugger's.
    ("CompletionPacketLookaside", ""),
    ("CallbackObject", ""),
    ("CallbackContext", ""),
    ("CachedMessage", ""),
    ("PortListEntry", ""),
    ("ReferenceNo", ""),
    ("PortAttributes.MemoryBandwidth", ""),
    ("PortAttributes.DupObjectTypes", ""),
    ("Header.TypeIndex", ""),
    ("Header.InfoMask", ""),
    ("Header.Flags", ""),
    ("Header.SecurityDescriptor", ""),
    ("Header.Optional", ""),
    // The members of these lists are; see below.
    ("ResourceListHead", ""),
    ("WaitQueue", ""),
];

/// The queues of a port, and what our records call them.
const QUEUES: &[(&str, &str)] = &[
    ("MainQueue", "main"),
    ("DirectQueue", "direct"),
    ("LargeMessageQueue", "large"),
    ("PendingQueue", "pending"),
    ("CanceledQueue", "canceled"),
];

/// A queue and its counter, if the member is one of these.
fn check_queue(case: &Case, name: &str, truth: &Value, record: &Value) -> bool {
    let kind = |member: &str| {
        QUEUES
            .iter()
            .find(|(theirs, _)| *theirs == member)
            .map(|(_, ours)| *ours)
    };
    let counter = name.strip_suffix("Length").and_then(kind);
    let Some(kind) = counter.or_else(|| kind(name)) else {
        return false;
    };
    let queues = record["queues"].as_array().unwrap();
    let queue = queues.iter().find(|queue| queue["queue"] == kind).unwrap();
    if counter.is_some() {
        assert!(
            same(truth, &queue["length"]),
            "{}: {name} {truth} {queue}",
            case.name()
        );
    } else {
        assert_eq!(truth, "empty", "{}: {name}", case.name());
        assert_eq!(
            queue["messages"],
            serde_json::json!([]),
            "{}: {name}",
            case.name()
        );
        assert_eq!(queue["complete"], true, "{}: {name}", case.name());
    }
    true
}

#[test]
fn ports_have_the_values_of_the_truth() {
    let mut compared = 0;
    for case in Case::all() {
        let objects = case.truth["objects"].as_array().unwrap();
        for object in objects.iter().filter(|object| object["view"] == "port") {
            let address = object["address"].as_str().unwrap();
            let run = case.run(&["-v", "port", address]);
            let document = run.json();
            let record = &document["result"];
            assert_eq!(run.status, 3, "{} {address}", case.name());
            for (name, truth) in object["fields"].as_object().unwrap() {
                if check_queue(&case, name, truth, record) {
                    continue;
                }
                let place = PORT.iter().find(|(theirs, _)| theirs == name);
                let (_, ours) =
                    place.unwrap_or_else(|| panic!("{}: nothing is known of {name}", case.name()));
                if ours.is_empty() {
                    continue;
                }
                let value = member(record, ours).unwrap_or_else(|| panic!("{}: no {ours}", case.name()));
                let why = || format!("{} {address}: {name} is {truth}, not {value}", case.name());
                assert!(same(truth, value), "{}", why());
                compared += 1;
            }
            check_unreadable(&case, object, &document);
        }
    }
    assert!(compared > 100 || Case::all().is_empty(), "{compared}");
}

/// What the truth could not read has a reason here as well: at the member itself, or in what it leads to.
fn check_unreadable(case: &Case, object: &Value, document: &Value) {
    let holes = document["holes"].as_array().unwrap();
    for (name, why) in object["unreadable"].as_object().unwrap() {
        if NOT_SHOWN.contains(&name.as_str()) {
            continue;
        }
        // What a kernel does not have is in no record of it.
        let Some((_, at)) = why.as_str().unwrap().split_once('(') else {
            assert_eq!(why, "this kernel has no such member", "{name}");
            continue;
        };
        let at = u64::from_str_radix(at.trim_end_matches(')'), 16).unwrap();
        // One who reads a thing from its beginning says where that is; none of them is larger than a page.
        let path = snake(name.split("->").next().unwrap());
        let is_told = holes.iter().any(|hole| {
            // What the layouts dispute is not read at all.
            if hole["id"] == "disputed-member" && hole["path"].as_str().unwrap().contains(&path) {
                return true;
            }
            let text = hole["text"].as_str().unwrap();
            let words = text.split(|c: char| !c.is_ascii_hexdigit());
            words
                .filter(|word| word.len() == 16)
                .filter_map(|word| u64::from_str_radix(word, 16).ok())
                .any(|told| told.abs_diff(at) < 0x1000)
        });
        assert!(
            is_told,
            "{} {}: {name} at {at:x} in {holes:?}",
            case.name(),
            object["address"]
        );
    }
}

/// Which kernel it is, by the list of modules or the header of the image: none of these dumps has the debug record. The truth
/// looked it up by itself, and names no kernel for a stamp that no table has.
#[test]
fn the_kernel_is_identified() {
    let mut identified = 0;
    for case in Case::all() {
        let kernel = &case.truth["kernel"];
        let document = case.run(&["info"]).json();
        let identity = &document["result"]["identity"];
        let Some(key) = kernel["guid_age"].as_str() else {
            assert!(identity.is_null(), "{}: {identity}", case.name());
            continue;
        };
        let pdb = format!("{}/{}", kernel["pdb"].as_str().unwrap(), key.replace('-', ""));
        assert_eq!(identity["pdb"], pdb, "{}", case.name());
        assert_eq!(identity["version"], kernel["version"], "{}", case.name());
        assert_ne!(identity["learned"], "debug-record", "{}", case.name());
        assert!(identity.get("contradiction").is_none(), "{}", case.name());
        // Where the kernel's own symbols are not at hand, what serves is not called its own for sure.
        let certainty = &document["result"]["symbols"]["found"]["certainty"];
        assert_ne!(*certainty, "exact", "{}", case.name());
        identified += 1;
    }
    support::say_if_none(identified, "identified kernels");
}

/// In every table of that build the handle table of a connection begins at the same place.
#[test]
fn what_all_layouts_have_at_one_place_is_told() {
    let Some(dump) = shared("real/r02-19041.5129-client-port-comm.dmp") else {
        return;
    };
    let record = Case::of(dump).run(&["resource", "ffffc58ea49b3500"]).json()["result"].clone();
    let table = &record["resources"][0]["members"]["handle_table"];
    assert_eq!(table["handles"], "ffffc58ea49b3a70");
}

#[test]
fn what_nothing_leads_to_is_counted_by_tag() {
    for case in Case::all() {
        let objects = case.truth["objects"].as_array().unwrap();
        let run = case.run(&["ports"]);
        assert_eq!(run.status, 3);
        let result = run.json()["result"].clone();
        for object in objects {
            let tag = &object["pool_block"]["tag"];
            let rows = result["not_reached"].as_array();
            let row = rows.and_then(|rows| rows.iter().find(|row| row["tag"] == *tag));
            let row = row.unwrap_or_else(|| panic!("{}: no {tag} in {result}", case.name()));
            let addresses = row["addresses"].as_array().unwrap();
            assert!(
                addresses.contains(&object["address"]),
                "{}: {row} lacks {object}",
                case.name()
            );
        }
    }
}

#[test]
fn attributes_without_a_name_are_told() {
    let Some(dump) = shared("real/r11-26100.4946-crashed.dmp") else {
        return;
    };
    let text = alpc_dump(&[dump.to_str().unwrap(), "info"]).stdout;
    assert!(
        text.contains("0x00021808 (KernelGeneratedTriageDump, bits without a known name: 0x21800)"),
        "{text}"
    );
}

/// Files that are no dumps are told for what they are.
#[test]
fn empty_and_zeroed_files() {
    let folder = tempfile::tempdir().unwrap();
    let run = |path: &Path| alpc_dump(&[path.to_str().unwrap(), "info"]);
    for (name, len, says) in [("empty.dmp", 0, "empty"), ("zeros.dmp", 286_808, "zero")] {
        let path = folder.path().join(name);
        std::fs::write(&path, vec![0; len]).unwrap();
        let run = run(&path);
        assert_eq!(run.status, 2);
        assert!(run.stderr.contains(says), "{}", run.stderr);
    }
}
