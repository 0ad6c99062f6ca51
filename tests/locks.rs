//! Locks of the executive and I/O requests, as their worlds were made.

mod support;

use std::collections::BTreeMap;

use serde_json::{Value, json};
use support::synthetic::{Sample, address};
use synth::layout::Kernel;
use synth::worlds::hang::{self, Held, Io, Scene};

struct Stage {
    sample: Sample,
    cast: BTreeMap<String, String>,
}

impl Stage {
    fn of(scene: Scene) -> Self {
        let narrow = scene.built.truth.kernel_base.0 >> 32 == 0xffff_ffff;
        let from = if narrow { 8 } else { 0 };
        let cast = scene.cast.into_iter();
        Self {
            cast: cast
                .map(|(name, at)| (name, address(at)[from..].to_owned()))
                .collect(),
            sample: Sample::of(scene.built),
        }
    }

    fn at(&self, name: &str) -> &str {
        &self.cast[name]
    }

    fn json(&self, args: &[&str]) -> Value {
        let line = [&["--format", "json"][..], args].concat();
        self.sample.run(&line).json()["result"].clone()
    }

    /// The row of the lock that the scene is about.
    fn lock(&self) -> Value {
        let result = self.json(&["locks", self.at("lock")]);
        assert_eq!(result["locks"].as_array().unwrap().len(), 1, "{result}");
        result["locks"][0].clone()
    }

    fn names(&self, threads: &Value) -> Vec<String> {
        let threads = threads.as_array().unwrap().iter();
        let name = |thread: &Value| {
            let at = thread["thread"].as_str().unwrap();
            let known = self.cast.iter().find(|(_, known)| *known == at);
            known.map_or(at.to_owned(), |(name, _)| name.clone())
        };
        let mut names: Vec<String> = threads.map(name).collect();
        names.sort();
        names
    }
}

#[test]
fn who_holds_a_lock_and_who_waits_for_it_is_listed() {
    for kernel in Kernel::complete() {
        for (held, kind, exclusive) in [
            (Held::Alone, "resource", json!(true)),
            (Held::Shared, "resource", json!(false)),
            (Held::FastMutex, "fast-mutex", json!(true)),
        ] {
            let stage = Stage::of(hang::lock(kernel, held));
            let lock = stage.lock();
            assert_eq!(
                (&lock["lock"], &lock["exclusive"]),
                (&json!(kind), &exclusive),
                "{kernel}"
            );
            let owners: &[&str] = match held {
                Held::Shared => &["other", "owner"],
                _ => &["owner"],
            };
            assert_eq!(stage.names(&lock["owners"]), owners, "{kernel} {held:?}");
            assert_eq!(
                stage.names(&lock["waiters"]),
                ["reader", "server"],
                "{kernel} {held:?}"
            );
            let waiters = lock["waiters"].as_array().unwrap();
            assert!(
                waiters.iter().all(|waiter| waiter["certainty"] == "proven"),
                "{lock}"
            );
            let text = stage.sample.run(&["locks"]).stdout;
            assert!(text.contains(stage.at("lock")), "{text}");
        }
    }
}

/// Each such world has three resources: one that is shared and that nobody waits for, the one that is waited for, and one
/// that nobody holds.
#[test]
fn resources_that_nobody_waits_for_are_listed_while_somebody_holds_them() {
    for kernel in Kernel::complete() {
        let stage = Stage::of(hang::lock(kernel, Held::Alone));
        let result = stage.json(&["locks"]);
        assert_eq!(result["resources"], 3, "{kernel} {result}");
        let locks = result["locks"].as_array().unwrap();
        assert_eq!(locks.len(), 2, "{kernel} {result}");
        assert_eq!(
            locks[0]["address"],
            stage.at("lock"),
            "what is waited for comes first"
        );
        assert_eq!(stage.names(&locks[1]["owners"]), ["other"], "{kernel}");
        assert_eq!(locks[1]["exclusive"], false);
        assert_eq!(locks[1]["waiters"], json!([]));
        let waited = stage.json(&["locks", "--waited"]);
        assert_eq!(waited["locks"].as_array().unwrap().len(), 1, "{kernel}");
    }
}

#[test]
fn a_resource_that_a_driver_gave_away_names_what_it_gave_it_to() {
    let stage = Stage::of(hang::lock("win11-21h2-x64", Held::ByDriver));
    let lock = stage.lock();
    assert_eq!(lock["owners"], json!([]));
    assert_eq!(lock["owner_pointers"].as_array().unwrap().len(), 1, "{lock}");
    let text = stage.sample.run(&["locks"]).stdout;
    assert!(
        text.contains("which a driver put in the place of a thread"),
        "{text}"
    );
}

#[test]
fn who_holds_a_push_lock_is_inferred_or_not_told() {
    let stage = Stage::of(hang::lock("win10-2004-x64", Held::PushLock));
    let lock = stage.lock();
    assert_eq!(stage.names(&lock["owners"]), ["owner"]);
    assert_eq!(lock["owners"][0]["certainty"], "inferred");
    let stage = Stage::of(hang::lock("win10-2004-x64", Held::PushLockUnnoted));
    let lock = stage.lock();
    assert_eq!(lock["owners"], json!([]));
    assert!(
        lock["unknown"].as_str().unwrap().starts_with("no owner recorded"),
        "{lock}"
    );
    // A kernel whose threads note nothing: the lock itself is not known, and the thread that waits for it is told.
    let noteless = Kernel::complete()
        .into_iter()
        .find(|kernel| !Kernel::named(kernel).has("_KTHREAD", "AbEntrySummary"))
        .unwrap();
    let stage = Stage::of(hang::lock(noteless, Held::PushLock));
    let result = stage.json(&["locks"]);
    let waiters: Vec<&Value> = result["undecided"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["waiter"]["thread"])
        .collect();
    assert!(waiters.contains(&&json!(stage.at("server"))), "{result}");
}

#[test]
fn a_lock_that_nobody_holds_is_not_there() {
    let stage = Stage::of(hang::lock("win10-2004-x64", Held::Alone));
    let run = stage.sample.run(&["locks", stage.at("owner")]);
    assert_eq!(run.status, 1);
    assert!(
        run.stdout.contains("nobody was found that holds this lock"),
        "{}",
        run.stdout
    );
}

/// A list that is cut says so: status 3, and what is there is shown.
#[test]
fn the_debuggers_lines_are_understood() {
    let stage = Stage::of(hang::lock("win10-2004-x64", Held::Alone));
    let plain = stage.sample.run(&["locks", stage.at("lock")]).stdout;
    for spelling in ["!locks -v", "!kdexts.locks", "!LOCKS -d"] {
        let line = format!("{spelling} {}", stage.at("lock"));
        assert!(stage.sample.run(&["-c", &line]).stdout.contains(&plain), "{line}");
    }
    let stage = Stage::of(hang::io(Kernel::with_requests()[0], Io::Event));
    let plain = stage.sample.run(&["irp", stage.at("request")]).stdout;
    let line = format!("!irp {} 1", stage.at("request"));
    assert!(stage.sample.run(&["-c", &line]).stdout.contains(&plain));
}

#[test]
fn a_request_shows_the_drivers_that_it_came_through() {
    for kernel in Kernel::with_requests() {
        let stage = Stage::of(hang::io(kernel, Io::Event));
        let request = stage.json(&["irp", stage.at("request")]);
        assert_eq!(request["thread"], stage.at("server"), "{kernel}");
        assert_eq!(
            (&request["stack_count"], &request["current_location"]),
            (&json!(3), &json!(2))
        );
        let locations = request["locations"].as_array().unwrap();
        let told: Vec<(&Value, &Value, &Value)> = locations
            .iter()
            .map(|one| (&one["number"], &one["current"], &one["driver"]["name"]))
            .collect();
        assert_eq!(
            told,
            [
                (&json!(3), &json!(false), &json!(r"\FileSystem\FltMgr")),
                (&json!(2), &json!(true), &json!(r"\FileSystem\Npfs")),
            ],
            "{kernel}"
        );
        assert_eq!(locations[1]["device"], stage.at("device"), "{kernel}");
        assert_eq!(locations[1]["major_function"], "IRP_MJ_READ");
        assert_eq!(request["file_object"], stage.at("file"));
    }
}

#[test]
fn what_is_no_request_or_has_no_driver_says_so() {
    let kernel = Kernel::with_requests()[0];
    let stage = Stage::of(hang::io(kernel, Io::Completed));
    let completed = stage.json(&["irp", stage.at("request")]);
    assert_eq!(completed["locations"], json!([]), "{completed}");
    let text = stage.sample.run(&["irp", stage.at("request")]).stdout;
    assert!(text.contains("is completed"), "{text}");
    let run = stage.sample.run(&["irp", stage.at("server")]);
    assert_eq!(run.status, 1, "{}", run.stderr);
    assert!(run.stderr.contains("no I/O request"), "{}", run.stderr);
    let stage = Stage::of(hang::io(kernel, Io::Nonsense));
    let run = stage.sample.run(&["irp", stage.at("request")]);
    assert_eq!(run.status, 3, "{}", run.stdout);
    assert!(run.stdout.contains("which is not its 2. of 3"), "{}", run.stdout);
    let stage = Stage::of(hang::io(kernel, Io::Lost));
    let run = stage.sample.run(&["irp", stage.at("request")]);
    assert_eq!(run.status, 3, "{}{}", run.stdout, run.stderr);
    assert!(run.stderr.contains("is not in the dump"), "{}", run.stderr);
}
