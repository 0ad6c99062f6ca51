//! Two dumps compared: with themselves, with the same boot later, with other boots and machines by name, and with
//! holes, which never count as a change.

mod support;

use std::collections::BTreeMap;

use serde_json::{Value, json};
use support::synthetic::{Sample, address};
use support::{Run, alpc_dump, fixture, root};
use synth::address::{Pfn, Va};
use synth::random::Random;
use synth::world::{Built, ConnectionSpec, Message, PortKind, Process, Queue, Thread, World};
use synth::worlds;

const SECTIONS: [&str; 4] = ["processes", "ports", "connections", "waits"];

/// The page of data that the kernel shares with every process, where the clock is.
const SHARED_DATA: Va = Va(0xffff_f780_0000_0000);

/// LPC_REQUEST with a reply expected.
const REQUEST: u16 = 0x2001;

fn result(run: &Run) -> Value {
    let document = run.json();
    assert!(document["result"].is_object(), "{}{}", run.stdout, run.stderr);
    document["result"].clone()
}

/// The changes of a section, without those that only persisted.
fn changes<'v>(result: &'v Value, section: &str) -> Vec<&'v Value> {
    let all = result[section]["changes"].as_array().unwrap();
    all.iter()
        .filter(|change| change["change"] != "persisted")
        .collect()
}

/// The members of a change that a test is about.
fn told(change: &Value, keys: &[&str]) -> Vec<Value> {
    let of = |key: &&str| match &change[key] {
        Value::Null => change["subject"][key].clone(),
        value => value.clone(),
    };
    keys.iter().map(of).collect()
}

/// The address of the port of a path.
fn port(world: &World, path: &str) -> Va {
    let ports = &world.truth.ports;
    let found = ports
        .iter()
        .find(|port| world.truth.path(port.address).as_deref() == Some(path));
    found.unwrap_or_else(|| panic!("no {path}")).address
}

fn process(world: &World, image: &str) -> Va {
    let found = world
        .truth
        .processes
        .iter()
        .find(|process| process.image == image);
    found.unwrap().address
}

/// A process that is made last, so that it disturbs no other's address.
fn make_process(world: &mut World, pid: u64, image: &'static str, created: u64) -> Va {
    world.process(Process {
        pid,
        parent_pid: 0x8dc,
        image,
        create_time: created,
        ..Process::default()
    })
}

/// A thread of `process` in a call to a port, and its message.
fn call(world: &mut World, process: Va, tid: u64, port: Va, sequence_no: u32) -> (Va, Va) {
    let thread = world.thread(Thread {
        process,
        tid,
        wait_time: 0x1000,
        ..Thread::default()
    });
    let connection = world.connect(ConnectionSpec {
        to: port,
        client: process,
        ..ConnectionSpec::default()
    });
    let message = world.message(Message {
        type_word: REQUEST,
        owner_port: connection.client,
        sequence_no,
        ..Message::default()
    });
    world.enqueue(message, Queue::Main, port);
    world.wait_for_reply(thread, message);
    (thread, message)
}

#[test]
fn a_dump_does_not_differ_from_itself() {
    for kernel in [
        "vista-sp2-x64",
        "win10-2004-2022-x64",
        "win11-24h2-x64",
        "win7-sp1-x86",
    ] {
        let world = worlds::standard(kernel);
        let waits = world
            .truth
            .threads
            .iter()
            .filter(|thread| thread.alpc_wait.is_some())
            .count();
        let sample = Sample::of(world);
        for by in ["auto", "addresses", "names"] {
            let run = sample.diff(&sample, &["--by", by, "--format", "json"]);
            let result = result(&run);
            assert_eq!(run.status, 0, "{kernel} by {by}: {result:#}");
            assert_eq!(result["same_boot"], true);
            assert_eq!(
                (&result["differences"], &result["unknown"]),
                (&json!(0), &json!(0))
            );
            assert_eq!(result["waits"]["same"], waits, "{kernel} by {by}");
        }
    }
}

/// The general world, and the same boot ten minutes later.
struct Later {
    before: Built,
    after: Built,
    /// The thread whose call goes on.
    waiter: Va,
    /// The thread whose call was answered; it has made another.
    caller: Va,
}

const MADE: u64 = 128_816_600_000_000_000;

/// Ten minutes in ticks of 15.625 ms.
const TEN_MINUTES: u64 = 38_400;

fn later(kernel: &str) -> Later {
    let mut cast = (Va::NULL, Va::NULL);
    let mut shared = |world: &mut World| {
        let lsa = port(world, "\\RPC Control\\lsasspirpc");
        let explorer = process(world, "explorer.exe");
        let (waiter, _) = call(world, explorer, 0x3004, lsa, 0x71);
        cast = (waiter, Va::NULL);
    };
    let before = worlds::standard_with(kernel, |world| {
        shared(world);
        let explorer = process(world, "explorer.exe");
        let ntsvcs = port(world, "\\RPC Control\\ntsvcs");
        call(world, explorer, 0x300c, ntsvcs, 0x10);
        make_process(world, 0x2004, "gone.exe", MADE);
    });
    let mut caller = Va::NULL;
    let after = worlds::standard_with(kernel, |world| {
        shared(world);
        let explorer = process(world, "explorer.exe");
        let ntsvcs = port(world, "\\RPC Control\\ntsvcs");
        caller = call(world, explorer, 0x300c, ntsvcs, 0x11).0;
        // At the address of the one that is gone.
        make_process(world, 0x2004, "new.exe", MADE + 1);
        let epmapper = port(world, "\\RPC Control\\epmapper");
        for _ in 0..3 {
            let message = world.message(Message::default());
            world.enqueue(message, Queue::Main, epmapper);
        }
        let application = process(world, "OrderEntryClien");
        world.connect(ConnectionSpec {
            to: port(world, "\\PowerPort"),
            client: application,
            ..ConnectionSpec::default()
        });
        let smss = process(world, "smss.exe");
        world.process_mut(smss).exit_time = MADE + 2;
        world.truth.tick_count += TEN_MINUTES;
    });
    Later {
        before,
        after,
        waiter: cast.0,
        caller,
    }
}

#[test]
fn the_same_boot_later_is_compared_by_address() {
    for kernel in ["vista-sp2-x64", "win11-22h2-x64"] {
        let Later {
            before,
            after,
            waiter,
            caller,
        } = later(kernel);
        let gone = address(before.truth.processes.last().unwrap().address);
        let smss = address(process(&before, "smss.exe"));
        let queued_before = 1;
        let epmapper = address(port(&after, "\\RPC Control\\epmapper"));
        let power = address(port(&after, "\\PowerPort"));
        let client = after
            .truth
            .ports
            .iter()
            .rfind(|port| port.kind == PortKind::Client);
        let client = address(client.unwrap().address);
        let (first, second) = (Sample::of(before), Sample::of(after));
        let run = first.diff(&second, &["--format", "json"]);
        assert_eq!(run.status, 1);
        let result = result(&run);
        assert_eq!(result["by"], "addresses");
        assert_eq!(result["unknown"], 0, "{result:#}");
        let became = |section: &str, keys: &[&str]| -> Vec<Vec<Value>> {
            let changes = changes(&result, section);
            changes.into_iter().map(|change| told(change, keys)).collect()
        };
        // One process made at the address of another, and one that ended.
        assert_eq!(
            became("processes", &["change", "image", "address"]),
            [
                vec![json!("appeared"), json!("new.exe"), json!(gone)],
                vec![json!("went"), json!("smss.exe"), json!(smss)],
                vec![json!("went"), json!("gone.exe"), json!(gone)],
            ]
            .map(|change| change)
        );
        let mut ports = became("ports", &["change", "address", "measure", "first", "second"]);
        ports.sort_by_key(|change| change[2].to_string());
        assert_eq!(
            ports,
            [
                vec![
                    json!("grew"),
                    json!(power),
                    json!("connections"),
                    json!(0),
                    json!(1)
                ],
                vec![
                    json!("grew"),
                    json!(epmapper),
                    json!("queued"),
                    json!(queued_before),
                    json!(queued_before + 3)
                ],
            ],
            "{kernel}"
        );
        assert_eq!(
            became("connections", &["change", "address", "client", "path"]),
            [vec![
                json!("appeared"),
                json!(client),
                json!("OrderEntryClie"),
                json!("\\PowerPort")
            ]]
        );
        waits_of(&result, &address(waiter), &address(caller));
        let text = first.diff(&second, &[]).stdout;
        assert!(text.starts_with("Diff by addresses, one boot: "), "{text}");
        assert!(
            text.contains(&format!(
                "  + process {gone} new.exe 2004 (parent explorer.exe)\n"
            )),
            "{text}"
        );
        assert!(
            text.contains(&format!(
                "  > port {epmapper} \\RPC Control\\epmapper of svchost.exe: 1 -> 4 messages queued\n"
            )),
            "{text}"
        );
        // The other way round, what appeared went.
        let back = self::result(&second.diff(&first, &["--format", "json"]));
        assert_eq!(back["differences"], result["differences"]);
        assert_eq!(changes(&back, "connections")[0]["change"], "went");
    }
}

/// Every wait of the first dump but one still is, ten minutes longer; a call that was answered and made again is
/// another one, though thread, message and id are the same.
fn waits_of(result: &Value, waiter: &str, caller: &str) {
    let of = |thread: &str| -> Vec<&Value> {
        let all = changes(result, "waits");
        all.into_iter()
            .filter(|change| change["address"] == thread)
            .collect()
    };
    let longer = of(waiter);
    assert_eq!(longer.len(), 1, "{longer:#?}");
    assert_eq!(told(longer[0], &["change", "measure"]), ["grew", "waited"]);
    let (first, second) = (
        longer[0]["first"]["ticks"].as_u64().unwrap(),
        longer[0]["second"]["ticks"].as_u64().unwrap(),
    );
    assert_eq!(second - first, TEN_MINUTES * 156_250);
    let again: Vec<&Value> = of(caller).iter().map(|change| &change["change"]).collect();
    assert_eq!(again, ["appeared", "went"]);
    let grew = changes(result, "waits");
    let grew = grew.iter().filter(|change| change["change"] == "grew").count();
    assert_eq!(result["waits"]["same"], grew);
}

/// A world's start moved by so much: other creation times, another header.
fn started_later(kernel: &str, by: u64) -> Built {
    let mut world = worlds::standard_with(kernel, |world| {
        for process in &mut world.truth.processes {
            process.create_time += by;
        }
    });
    world.header.system_time += by;
    world
}

#[test]
fn another_boot_is_compared_by_name_and_without_addresses() {
    let first = Sample::of(worlds::standard("vista-sp2-x64"));
    let second = Sample::of(started_later("vista-sp2-x64", 864_000_000_000));
    let run = first.diff(&second, &[]);
    assert_eq!(run.status, 0, "{}{}", run.stdout, run.stderr);
    let expected = "\
Diff by names, not of one boot: 0 differences, 0 unknown
  kernel agrees
  kernel base agrees
  System process agrees
  creation of System differs
  start by the header differs

PROCESSES, 10 in both

PORTS, ";
    assert!(run.stdout.starts_with(expected), "{}", run.stdout);
    let verbose = first.diff(&second, &["-v"]).stdout;
    assert!(
        verbose.contains("creation of System differs (2009-03-16T06:12:23Z, 2009-03-17T06:12:23Z)"),
        "{verbose}"
    );
}

#[test]
fn what_says_that_the_boot_is_one() {
    let kernel = "vista-sp2-x64";
    let first = worlds::standard(kernel);
    let boot = |second: Built| {
        let run = Sample::of(first.clone()).diff(&Sample::of(second), &["--format", "json"]);
        let result = result(&run);
        (result["same_boot"].clone(), result["by"].clone())
    };
    // A clock that was set does not make another boot of it.
    let mut set = first.clone();
    set.header.system_time += 3_600 * 10_000_000;
    assert_eq!(boot(set), (json!(true), json!("addresses")));
    // Without the time of System's creation, the header decides, to the minute.
    for (seconds, same, by) in [
        (0, true, "addresses"),
        (59, true, "addresses"),
        (61, false, "names"),
    ] {
        let mut second = worlds::standard_with(kernel, |world| world.truth.processes[0].create_time = 0);
        second.header.system_time += seconds * 10_000_000;
        assert_eq!(boot(second), (json!(same), json!(by)), "{seconds} s");
    }
}

/// How many processes of each image and parent run, by what a world was told.
fn processes_by_name(world: &World) -> BTreeMap<(String, Option<String>), u64> {
    let short = |image: &str| image.chars().take(14).collect::<String>();
    let all = &world.truth.processes;
    let mut counts = BTreeMap::new();
    for process in all.iter().filter(|process| process.exit_time == 0) {
        let parent = all.iter().find(|parent| parent.pid == process.parent_pid);
        let name = (short(process.image), parent.map(|parent| short(parent.image)));
        *counts.entry(name).or_default() += 1;
    }
    counts
}

/// How many connection ports of each path there are whose names are not drawn at run time.
fn ports_by_name(world: &World) -> BTreeMap<String, u64> {
    let ports = world
        .truth
        .ports
        .iter()
        .filter(|port| port.kind == PortKind::Connection);
    let mut counts = BTreeMap::new();
    for path in ports.filter_map(|port| world.truth.path(port.address)) {
        if !path.contains("LRPC-") {
            *counts.entry(path).or_default() += 1;
        }
    }
    counts
}

/// What of two counts differs.
fn differences<K: Ord + Clone>(
    first: &BTreeMap<K, u64>,
    second: &BTreeMap<K, u64>,
) -> BTreeMap<K, (u64, u64)> {
    let keys = first.keys().chain(second.keys());
    let count = |of: &BTreeMap<K, u64>, key: &K| of.get(key).copied().unwrap_or(0);
    keys.map(|key| (key.clone(), (count(first, key), count(second, key))))
        .filter(|(_, (first, second))| first != second)
        .collect()
}

#[test]
fn another_generation_is_compared_by_name() {
    let one = worlds::standard("vista-sp2-x64");
    let other = worlds::standard_with("win11-22h2-x64", |world| {
        make_process(world, 0x2004, "svchost.exe", MADE);
        make_process(world, 0x2008, "new.exe", MADE);
    });
    let processes = differences(&processes_by_name(&one), &processes_by_name(&other));
    let ports = differences(&ports_by_name(&one), &ports_by_name(&other));
    assert_eq!(processes.len(), 2);
    let run = Sample::of(one).diff(&Sample::of(other), &["--format", "json"]);
    assert_eq!(run.status, 1);
    let result = result(&run);
    assert_eq!(
        (&result["by"], &result["same_boot"]),
        (&json!("names"), &json!(false))
    );
    assert_eq!(result["unknown"], 0, "{result:#}");
    let counted = |section: &str| -> Vec<Value> {
        let changes = changes(&result, section).into_iter();
        changes
            .filter(|change| change["measure"] == "count")
            .cloned()
            .collect()
    };
    let got: BTreeMap<(String, Option<String>), (u64, u64)> = counted("processes")
        .iter()
        .map(|change| {
            let name = |key: &str| change["subject"][key].as_str().map(ToOwned::to_owned);
            let numbers = (
                change["first"].as_u64().unwrap(),
                change["second"].as_u64().unwrap(),
            );
            ((name("image").unwrap(), name("parent")), numbers)
        })
        .collect();
    assert_eq!(got, processes);
    let got: BTreeMap<String, (u64, u64)> = counted("ports")
        .iter()
        .filter_map(|change| {
            let path = change["subject"]["path"].as_str()?.to_owned();
            Some((
                path,
                (
                    change["first"].as_u64().unwrap(),
                    change["second"].as_u64().unwrap(),
                ),
            ))
        })
        .filter(|(path, _)| !path.contains("LRPC-"))
        .collect();
    assert_eq!(got, ports);
}

#[test]
fn parts_of_names_that_are_drawn_at_run_time_are_one() {
    let with_port = |name: &'static str, by: u64| {
        worlds::standard_with("vista-sp2-x64", |world| {
            let owner = process(world, "lsass.exe");
            let directory = world.truth.objects[&port(world, "\\RPC Control\\ntsvcs")]
                .name
                .clone();
            let (directory, _) = directory.unwrap();
            let record = synth::world::Port {
                owner,
                ..synth::world::Port::default()
            };
            world.connection_port(record, directory, name);
            world.truth.processes[0].create_time += by;
        })
    };
    let first = Sample::of(with_port("LRPC-0f1e2d3c4b5a", 0));
    let run = first.diff(&Sample::of(with_port("LRPC-99aa88bb77cc", 1)), &[]);
    assert_eq!(run.status, 0, "{}", run.stdout);
    let run = first.diff(&Sample::of(with_port("LRPC-later", 1)), &[]);
    assert_eq!(run.status, 1);
    assert!(
        run.stdout
            .contains("  + \\RPC Control\\LRPC-later of lsass.exe: 0 -> 1\n"),
        "{}",
        run.stdout
    );
    assert!(
        run.stdout
            .contains("  - \\RPC Control\\LRPC-* of lsass.exe: 1 -> 0\n"),
        "{}",
        run.stdout
    );
}

/// Without some frames, a dump never differs from the whole one: it may only be unknown whether it does.
fn is_no_change(whole: &Sample, cut: &Sample, what: &str) -> usize {
    let mut unknown = 0;
    for by in ["addresses", "names"] {
        for (one, other) in [(whole, cut), (cut, whole)] {
            let run = one.diff(other, &["--by", by, "--format", "json"]);
            if run.status == 2 {
                // The kernel itself was not found.
                return 0;
            }
            let result = result(&run);
            let all: Vec<&Value> = SECTIONS
                .iter()
                .flat_map(|section| changes(&result, section))
                .collect();
            let certain: Vec<_> = all
                .iter()
                .filter(|change| change["change"] != "unknown")
                .collect();
            assert!(certain.is_empty(), "without {what} by {by}: {certain:#?}");
            assert_eq!(result["differences"], 0);
            let count = result["unknown"].as_u64().unwrap();
            assert_eq!(
                run.status,
                if count > 0 { 3 } else { 0 },
                "{what}: {}",
                run.stderr
            );
            unknown += usize::from(count > 0);
        }
    }
    unknown
}

fn no_frame_is_a_change(world: &Built) {
    let whole = Sample::of(world.clone());
    let frames: Vec<Pfn> = world.map().memory.frames().map(|(frame, _)| frame).collect();
    let unknown: usize = frames
        .into_iter()
        .map(|frame| is_no_change(&whole, &Sample::without(world, [frame]), &format!("{frame:x?}")))
        .sum();
    assert!(unknown > 50, "{unknown}");
}

#[test]
fn no_frame_of_the_published_case_is_a_change() {
    no_frame_is_a_change(&worlds::vista_sp2_x64());
}

#[test]
fn no_frame_of_a_recent_world_is_a_change() {
    no_frame_is_a_change(&worlds::standard("win11-22h2-x64"));
}

#[test]
fn no_random_loss_is_a_change() {
    for (seed, kernel) in support::synthetic::every_kernel().into_iter().enumerate() {
        let world = worlds::standard(kernel);
        let whole = Sample::of(world.clone());
        let frames: Vec<Pfn> = world.map().memory.frames().map(|(frame, _)| frame).collect();
        let mut random = Random::new(seed as u64);
        let mut draw = || usize::try_from(random.below(frames.len() as u64)).unwrap();
        let lost: Vec<Pfn> = (0..frames.len() / 12).map(|_| frames[draw()]).collect();
        let cut = Sample::without(&world, lost.iter().copied());
        is_no_change(&whole, &cut, &format!("{lost:x?} of {kernel}"));
    }
}

#[test]
fn what_a_hole_may_hide_is_unknown_and_says_why() {
    let Later { before, after, .. } = later("vista-sp2-x64");
    let lost = port(&after, "\\RPC Control\\epmapper");
    let first = Sample::of(before);
    let second = Sample::without_pages(&after, &[lost]);
    let run = first.diff(&second, &["--format", "json"]);
    assert_eq!(run.status, 1, "what is certain still counts");
    let result = result(&run);
    let of_port: Vec<&Value> = changes(&result, "ports")
        .into_iter()
        .filter(|change| change["address"] == address(lost))
        .collect();
    assert_eq!(of_port.len(), 1, "{of_port:#?}");
    assert_eq!(of_port[0]["change"], "unknown");
    assert_eq!(of_port[0]["unread"][0]["dump"], "second");
    let doubts = of_port[0]["unread"].as_array().unwrap().iter();
    let mut causes = doubts.map(|doubt| &doubt["unreadable"]["complete"]["cause"]);
    assert!(causes.any(|cause| cause == "not-in-dump"), "{:#}", of_port[0]);
    let text = first.diff(&second, &["--by", "names"]).stdout;
    assert!(text.contains("unknown, not read: the second dump: "), "{text}");
    let digits = text.split(|c: char| !c.is_ascii_hexdigit()).map(str::len).max();
    assert!(
        digits < Some(12),
        "an address in a text that is to be the same everywhere:\n{text}"
    );
}

#[test]
fn a_clock_that_is_lost_hides_how_long_waits_last_and_nothing_else() {
    let world = worlds::standard("vista-sp2-x64");
    let whole = Sample::of(world.clone());
    let blind = Sample::without_pages(&world, &[SHARED_DATA]);
    let run = whole.diff(&blind, &["--format", "json"]);
    assert_eq!(run.status, 3);
    let result = result(&run);
    for section in ["processes", "ports", "connections"] {
        assert!(changes(&result, section).is_empty(), "{section}");
    }
    let waits = changes(&result, "waits");
    assert!(!waits.is_empty() && waits.iter().all(|change| change["measure"] == "waited"));
    assert_eq!(
        whole.diff(&blind, &["--by", "names"]).status,
        0,
        "to names, spans are nothing"
    );
}

#[test]
fn two_dumps_it_takes() {
    let dump = fixture("vista-sp2-x64.dmp");
    let dump = dump.to_str().unwrap();
    for dumps in [&[dump][..], &[dump, dump, dump]] {
        let run = alpc_dump(&[dumps, &["diff"]].concat());
        assert_eq!(run.status, 2);
        assert!(
            run.stderr
                .contains("diff compares two dumps: alpc-dump FIRST SECOND diff"),
            "{}",
            run.stderr
        );
    }
    let run = alpc_dump(&[dump, "no-such.dmp", "diff", "--format", "json"]);
    assert_eq!(run.status, 2);
    assert!(run.stderr.contains("no-such.dmp"), "{}", run.stderr);
    assert!(
        run.json()["error"]["text"]
            .as_str()
            .unwrap()
            .contains("no-such.dmp")
    );
    let run = alpc_dump(&[dump, dump, "diff", "--format", "junit"]);
    assert_eq!(run.status, 2);
    let run = alpc_dump(&[dump, dump, "-c", "diff"]);
    assert_eq!(run.status, 2);
}

#[test]
fn addresses_are_compared_when_asked_but_not_in_silence() {
    let first = Sample::of(worlds::standard("vista-sp2-x64"));
    let second = Sample::of(started_later("vista-sp2-x64", 864_000_000_000));
    let run = first.diff(&second, &["--by", "addresses"]);
    assert!(
        run.stderr.contains("not known to be of one boot"),
        "{}",
        run.stderr
    );
    assert!(
        run.stdout
            .starts_with("Diff by addresses, as asked, not of one boot: ")
    );
}

/// A row for each change, of all kinds of things, under the heading that docs/checks.md shows.
#[test]
fn rows_are_the_changes_of_the_record() {
    let first = Sample::of(worlds::standard("vista-sp2-x64"));
    let second = Sample::of(worlds::standard_with("vista-sp2-x64", |world| {
        make_process(world, 0x1f00, "notepad.exe", 1);
    }));
    for by in ["addresses", "names"] {
        let run = first.diff(&second, &["--by", by, "--format", "csv"]);
        let record = first.diff(&second, &["--by", by, "--format", "json"]);
        let result = result(&record);
        assert_eq!(run.status, record.status, "{}", run.stderr);
        let mut lines = run.stdout.lines();
        let heading = lines.next().unwrap();
        let documented = std::fs::read_to_string(root().join("docs/checks.md")).unwrap();
        assert!(documented.contains(&format!("\n{heading}\n")), "{heading}");
        let at = |name: &str| heading.split(',').position(|column| column == name).unwrap();
        let rows: Vec<Vec<&str>> = lines.map(|line| line.split(',').collect()).collect();
        let mut all = 0;
        for (section, kind) in [
            ("processes", "process"),
            ("ports", "port"),
            ("connections", "connection"),
            ("waits", "wait"),
        ] {
            let changes = result[section]["changes"].as_array().unwrap();
            let rows: Vec<_> = rows.iter().filter(|row| row[at("kind")] == kind).collect();
            assert_eq!(rows.len(), changes.len(), "{section} by {by}");
            for (row, change) in rows.iter().zip(changes) {
                assert_eq!(row[at("record")], "change");
                assert_eq!(row[at("second_dump")], second.dump().to_str().unwrap());
                assert_eq!(row[at("change")], change["change"]);
                assert_eq!(row[at("address")], change["address"].as_str().unwrap_or_default());
                let image = change["subject"]["image"].as_str().unwrap_or_default();
                assert_eq!(row[at("image")], image);
            }
            all += changes.len();
        }
        assert_eq!(rows.len(), all);
        assert!(all > 0, "the dumps do not differ by {by}");
    }
}

#[test]
fn the_hash_is_that_of_both_files() {
    let first = Sample::standard("vista-sp2-x64");
    let second = Sample::standard("win7-sp1-x86");
    let of = |sample: &Sample| {
        let document = sample.run(&["info", "--hash", "--format", "json"]).json();
        (document["dump_size"].clone(), document["dump_sha256"].clone())
    };
    let document = first.diff(&second, &["--hash", "--format", "json"]).json();
    assert_eq!(
        (document["dump_size"].clone(), document["dump_sha256"].clone()),
        of(&first)
    );
    let result = &document["result"];
    let told = (
        result["second_dump_size"].clone(),
        result["second_dump_sha256"].clone(),
    );
    assert_eq!(told, of(&second));
    let stderr = first.diff(&second, &["--hash"]).stderr;
    for sample in [&first, &second] {
        let (_, hash) = of(sample);
        assert!(stderr.contains(hash.as_str().unwrap()), "{stderr}");
    }
    let plain = first.diff(&second, &["--format", "json"]).json();
    assert!(plain["result"].get("second_dump_sha256").is_none());
}
