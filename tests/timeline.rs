//! What happened when: held against what the fixture builder wrote.

mod support;

use support::synthetic::{Sample, address, every_kernel};
use support::{alpc_dump, fixture};
use synth::address::Va;
use synth::worlds;

const KERNEL: &str = "win10-2004-x64";

/// Each event as its time, what happened and to what.
fn events(sample: &Sample, args: &[&str]) -> Vec<(u64, String, String)> {
    let mut line = vec!["timeline", "--format", "json"];
    line.extend(args);
    let run = sample.run(&line);
    assert_eq!(run.status, 0, "{}", run.stderr);
    let answer = sample.widened(run.json()["result"].clone());
    assert_eq!(answer["unread"], 0);
    let events = answer["events"].as_array().unwrap().iter();
    events
        .map(|event| {
            let time = event["time"]["ticks"].as_u64();
            let at = event["address"].as_str().unwrap_or("-").to_owned();
            (time.unwrap(), event["event"].as_str().unwrap().to_owned(), at)
        })
        .collect()
}

#[test]
fn everything_that_was_written_in_order() {
    for kernel in every_kernel() {
        let sample = Sample::standard(kernel);
        let truth = &sample.world.truth;
        let found = events(&sample, &[]);
        assert!(found.windows(2).all(|pair| pair[0].0 <= pair[1].0), "{kernel}");
        let has = |time: u64, event: &str, at: Va| {
            let wanted = (time, event.to_owned(), address(at));
            assert!(found.contains(&wanted), "{kernel}: {wanted:?} of {found:#?}");
        };
        let mut created = 0;
        for process in truth.processes.iter().filter(|process| process.create_time != 0) {
            has(process.create_time, "process-created", process.address);
            created += 1;
            if process.exit_time != 0 {
                has(process.exit_time, "process-exited", process.address);
            }
        }
        let count = |event: &str| found.iter().filter(|(_, what, _)| what == event).count();
        assert_eq!(count("process-created"), created, "{kernel}");
        assert_eq!(count("dump-written"), 1, "{kernel}");
        assert_eq!(count("system-started"), 1, "{kernel}");
        let now = sample.world.header.system_time;
        let waiting = truth.threads.iter().filter(|thread| thread.state == 5);
        for thread in waiting.clone() {
            let ticks = truth.tick_count - u64::from(thread.wait_time);
            has(
                now - ticks * u64::from(truth.time_increment),
                "wait-began",
                thread.address,
            );
        }
        assert_eq!(count("wait-began"), waiting.count(), "{kernel}");
    }
}

/// A process that was taken off its list is told only when all memory is looked through.
#[test]
fn what_is_hidden_is_told_on_request() {
    let mut world = worlds::standard(KERNEL);
    let ended = world
        .truth
        .processes
        .iter()
        .find(|process| process.exit_time != 0)
        .unwrap()
        .clone();
    let links = world.field(ended.address, "_EPROCESS", "ActiveProcessLinks");
    let next = Va(world.memory.read_uint(links, 8));
    let previous = Va(world.memory.read_uint(links + 8, 8));
    world.write_pointer(previous, next);
    world.write_pointer(next + 8, previous);
    let sample = Sample::of(world);
    let of_it = |args| {
        let found = events(&sample, args);
        found
            .into_iter()
            .filter(|event| event.2 == address(ended.address))
            .collect::<Vec<_>>()
    };
    assert!(of_it(&[]).is_empty());
    let carved = of_it(&["--carve"]);
    assert_eq!(carved.len(), 2, "{carved:#?}");
    assert_eq!((carved[0].0, carved[1].0), (ended.create_time, ended.exit_time));
}

/// Lines of a body file: eleven fields, times in seconds since 1970. The published dump's times are those of its session.
#[test]
fn a_body_file() {
    let dump = fixture("vista-sp2-x64.dmp");
    let run = alpc_dump(&[dump.to_str().unwrap(), "timeline", "--body", "-q"]);
    assert_eq!(run.status, 0, "{}", run.stderr);
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert!(
        lines.iter().all(|line| line.split('|').count() == 11),
        "{}",
        run.stdout
    );
    let smss = lines
        .iter()
        .find(|line| line.contains("[process created] smss.exe"))
        .unwrap();
    // 2009-03-16T06:13:09Z, by date(1).
    assert!(smss.ends_with("|0|0|0|1237183989"), "{smss}");
}

#[test]
fn csv_has_a_row_for_each() {
    let sample = Sample::standard(KERNEL);
    let run = sample.run(&["timeline", "--format", "csv"]);
    let json = sample.run(&["timeline", "--format", "ndjson"]);
    let events = json
        .lines()
        .iter()
        .filter(|line| line["record"] == "event")
        .count();
    assert_eq!(run.stdout.lines().count(), events + 1);
}
