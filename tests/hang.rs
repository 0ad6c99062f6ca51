//! Hangs: the chains of published cases in synthetic systems, told as their worlds were made, and the
//! independent worlds, against their truth; see `worlds.rs`.

mod support;

use std::collections::BTreeMap;

use serde_json::{Value, json};
use support::World;
use support::synthetic::{Sample, address};
use synth::dump::Kind;
use synth::layout::Kernel;
use synth::world::Built;
use synth::worlds::hang::{self, Held, Io, Scene, Server};

/// Every kernel at hand, 32-bit ones too.
fn kernels() -> Vec<&'static str> {
    let is_pc = |name: &&str| name.ends_with("x64") || name.ends_with("x86");
    Kernel::names().into_iter().filter(is_pc).collect()
}

struct Stuck {
    sample: Sample,
    cast: BTreeMap<String, String>,
}

impl Stuck {
    fn of(scene: Scene) -> Self {
        let digits = if scene.built.truth.kernel_base.0 >> 32 == 0xffff_ffff {
            8
        } else {
            16
        };
        let cast = scene
            .cast
            .into_iter()
            .map(|(name, at)| (name, address(at)[16 - digits..].to_owned()))
            .collect();
        Self {
            sample: Sample::of(scene.built),
            cast,
        }
    }

    fn at(&self, name: &str) -> &str {
        &self.cast[name]
    }

    fn json(&self, args: &[&str]) -> (Value, i32) {
        let mut line = vec!["--format", "json"];
        line.extend(args);
        let run = self.sample.run(&line);
        (run.json()["result"].clone(), run.status)
    }

    /// The threads of a chain, as the worlds call them.
    fn chain_of(&self, name: &str) -> (Vec<String>, Value) {
        let (record, _) = self.json(&["chain", self.at(name)]);
        let chain = record["chains"][0].clone();
        (self.threads(&chain["steps"]), chain)
    }

    fn threads(&self, steps: &Value) -> Vec<String> {
        steps
            .as_array()
            .unwrap()
            .iter()
            .filter(|step| step["node"]["kind"] == "thread")
            .map(|step| self.name_of(&step["node"]["address"]))
            .collect()
    }

    fn name_of(&self, at: &Value) -> String {
        let found = self.cast.iter().find(|(_, known)| *at == known.as_str());
        found.map_or_else(|| at.to_string(), |(name, _)| name.clone())
    }
}

fn every_step_is(certainty: &str, chain: &Value) -> bool {
    let steps = chain["steps"].as_array().unwrap();
    steps
        .iter()
        .filter(|step| !step["next"].is_null())
        .all(|step| step["next"]["certainty"] == certainty)
}

#[test]
fn three_in_a_row_end_at_the_owner_of_a_mutant() {
    for kernel in kernels() {
        let stuck = Stuck::of(hang::row_to_mutant(kernel));
        let (threads, chain) = stuck.chain_of("first");
        assert_eq!(threads, ["first", "second", "third", "owner"], "{kernel}");
        assert_eq!(chain["end"], "no-owner");
        assert!(every_step_is("proven", &chain));
        let (report, status) = stuck.json(&["hang"]);
        assert_eq!(status, 0, "{report}");
        let blocker = &report["blockers"][0];
        assert_eq!(blocker["node"]["address"], stuck.at("owner"));
        assert_eq!(blocker["behind"]["threads"], 3);
        assert_eq!(blocker["behind"]["processes"], 3);
        assert_eq!(stuck.threads(&blocker["chain"]["steps"]), threads);
        assert_eq!(blocker["suspect"]["stack_modules"], json!(["nt", "afd"]));
        assert_eq!(
            report["signature"],
            "blocked:explorer.exe>svchost.exe[senssvc]>lsass.exe[lsasspirpc]>lsass.exe{mutant}:no-owner"
        );
        assert_eq!(report["deadlocks"], json!([]));
        assert_eq!(report["waiting_for_reply"], 2);
        assert_eq!(report["stuck"], 3);
    }
}

#[test]
fn how_long_a_wait_has_lasted_follows_from_the_clock() {
    let scene = hang::row_to_mutant("vista-sp2-x64");
    let truth = scene.built.truth.clone();
    let first = truth.thread(scene.at("first")).clone();
    let ticks = truth.tick_count - u64::from(first.wait_time);
    let expected = ticks * u64::from(truth.time_increment);
    let stuck = Stuck::of(scene);
    let (record, _) = stuck.json(&["chain", stuck.at("first")]);
    assert_eq!(
        record["chains"][0]["steps"][0]["node"]["waited"]["ticks"],
        expected
    );
    let (table, _) = stuck.json(&["waits"]);
    assert_eq!(table["waits"].as_array().unwrap().len(), 2);
    let seconds = expected / 10_000_000;
    for (limit, status) in [(seconds + 60, 0), (seconds - 60, 1)] {
        let run = stuck.sample.run(&["hang", "--longer-than", &format!("{limit}s")]);
        assert_eq!(run.status, status, "{}", run.stdout);
    }
}

#[test]
fn three_that_wait_for_each_other_are_a_deadlock() {
    let mut lines = Vec::new();
    for kernel in kernels() {
        let stuck = Stuck::of(hang::ring_of_three(kernel));
        let (report, status) = stuck.json(&["hang"]);
        assert_eq!(status, 1);
        let deadlock = &report["deadlocks"][0];
        assert_eq!(deadlock["members"], 3);
        assert_eq!(deadlock["behind"]["threads"], 1, "the bystander");
        assert_eq!(deadlock["unproven"], json!([]));
        let mut threads = stuck.threads(&deadlock["ring"]);
        threads.sort();
        assert_eq!(threads, ["first", "second", "third"]);
        assert_eq!(report["deadlocks"].as_array().unwrap().len(), 1);
        assert_eq!(report["possible_deadlocks"], json!([]));
        assert_eq!(stuck.chain_of("bystander").1["end"], "deadlock");
        lines.push(report["signature"].clone());
    }
    assert_eq!(
        lines[0],
        "deadlock:csrss.exe[apiport]>lsass.exe[lsasspirpc]>services.exe[ntsvcs]>csrss.exe"
    );
    lines.dedup();
    assert_eq!(lines.len(), 1, "the same hang on other systems: {lines:?}");
}

#[test]
fn a_half_circle_is_no_deadlock() {
    let stuck = Stuck::of(hang::half_circle("vista-sp2-x64"));
    let (report, status) = stuck.json(&["hang"]);
    assert_eq!(status, 0);
    assert_eq!(report["deadlocks"], json!([]));
    assert_eq!(report["possible_deadlocks"], json!([]));
    assert_eq!(stuck.chain_of("first").0, ["first", "second", "third"]);
}

#[test]
fn a_thread_that_calls_itself_is_a_deadlock() {
    let stuck = Stuck::of(hang::self_call("vista-sp2-x64"));
    let (report, status) = stuck.json(&["hang"]);
    assert_eq!(status, 1);
    assert_eq!(report["deadlocks"][0]["members"], 1);
    assert_eq!(report["signature"], "deadlock:lsass.exe[lsasspirpc]>lsass.exe");
}

#[test]
fn a_chain_ends_at_a_process() {
    let stuck = Stuck::of(hang::row_to_process("vista-sp2-x64"));
    let (threads, chain) = stuck.chain_of("first");
    assert_eq!(threads, ["first", "second"]);
    assert_eq!(chain["end"], "process-runs");
    let last = chain["steps"].as_array().unwrap().last().unwrap();
    assert_eq!(last["node"]["address"], stuck.at("process"));
}

#[test]
fn a_blocked_queue_leads_to_what_all_its_servers_wait_for() {
    let stuck = Stuck::of(hang::blocked_queue("vista-sp2-x64", 512, 20));
    let (report, _) = stuck.json(&["hang"]);
    let blocker = &report["blockers"][0];
    assert_eq!(blocker["node"]["address"], stuck.at("owner"));
    assert_eq!(blocker["behind"]["threads"], 512);
    assert_eq!(blocker["inferred_threads"], 20);
    let port = &report["blockers"][1];
    assert_eq!(port["end"], "servers-blocked");
    assert_eq!(port["behind"]["threads"], 20);
    assert_eq!(port["node"]["servers"]["blocked"], 512);
    assert_eq!(
        port["servers_behind"],
        json!([{ "blocker": stuck.at("owner"), "servers": 512 }])
    );
    let trouble = &report["ports_in_trouble"][0];
    assert_eq!(
        (&trouble["trouble"], &trouble["count"]),
        (&json!("servers-blocked"), &json!(20))
    );
}

/// Each port is named after its trouble, and one is well.
#[test]
fn every_kind_of_trouble_is_told_of_its_port_alone() {
    for kernel in ["vista-sp2-x64", "win81-x64", "win11-22h2-x64", "win7-sp1-x86"] {
        let stuck = Stuck::of(hang::troubled(kernel));
        let (report, status) = stuck.json(&["hang"]);
        assert_eq!(status, 0, "{kernel}");
        let found: Vec<(String, String, u64)> = report["ports_in_trouble"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| {
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                (
                    text(&one["trouble"]),
                    text(&one["port"]["name"]),
                    one["count"].as_u64().unwrap(),
                )
            })
            .collect();
        let expected = [
            ("owner-gone", "owner-gone", 2),
            ("no-server", "no-server", 2),
            ("servers-suspended", "servers-suspended", 2),
            ("not-received", "long-queue", 40),
            ("not-received", "not-received", 2),
            ("connecting", "connecting", 3),
            ("long-queue", "long-queue", 40),
            ("canceled", "canceled", 1),
        ];
        let expected = expected.map(|(trouble, port, count)| (trouble.to_owned(), port.to_owned(), count));
        assert_eq!(found, expected, "{kernel}");
    }
}

#[test]
fn a_completion_port_at_its_limit_is_told() {
    let stuck = Stuck::of(hang::at_limit("vista-sp2-x64"));
    let (report, _) = stuck.json(&["hang"]);
    assert_eq!(report["ports_in_trouble"][0]["trouble"], "at-limit");
    assert_eq!(stuck.chain_of("first").1["end"], "at-limit");
}

#[test]
fn a_ring_through_an_exhausted_pool_is_possible_and_says_which_step_is_inferred() {
    let stuck = Stuck::of(hang::exhausted_pool("vista-sp2-x64"));
    let (report, status) = stuck.json(&["hang"]);
    assert_eq!(status, 0, "nothing is proven");
    assert_eq!(report["deadlocks"], json!([]));
    let ring = &report["possible_deadlocks"][0];
    let threads = stuck.threads(&ring["ring"]);
    assert_eq!(threads.len(), 2, "{threads:?}");
    assert!(threads.contains(&"last".to_owned()));
    let unproven = ring["unproven"].as_array().unwrap();
    assert_eq!(
        unproven.len(),
        2,
        "port to completion port, completion port to thread"
    );
}

#[test]
fn what_the_server_does_is_why_the_chain_ends() {
    for (doing, end) in [
        (Server::MessageBox, "user-input"),
        (Server::Resource, "lock"),
        (Server::Suspended, "suspended"),
        (Server::Terminated, "terminated"),
        (Server::Running, "running"),
        (Server::PageIn, "page-in"),
        (Server::SwappedOut, "page-in"),
        (Server::Gate, "lock"),
        (Server::Receiving, "receiving"),
        (Server::Missing, "received"),
        (Server::Gone, "owner-gone"),
    ] {
        let stuck = Stuck::of(hang::served_by("vista-sp2-x64", doing));
        let (_, chain) = stuck.chain_of("first");
        assert_eq!(chain["end"], end, "{doing:?}");
        let (report, _) = stuck.json(&["hang"]);
        let line = format!("blocked:explorer.exe>service.exe[lrpc-*]:{end}");
        assert_eq!(report["signature"], line, "{doing:?}");
    }
}

/// The lock of a chain's second thread.
fn lock_of(chain: &Value) -> &Value {
    let steps = chain["steps"].as_array().unwrap();
    let found = steps.iter().find(|step| step["node"]["kind"] == "lock");
    &found.unwrap()["node"]
}

#[test]
fn who_owns_a_resource_or_fast_mutex_alone_is_proven() {
    for kernel in Kernel::complete() {
        for (held, what) in [(Held::Alone, "resource"), (Held::FastMutex, "fast-mutex")] {
            let stuck = Stuck::of(hang::lock(kernel, held));
            let (threads, chain) = stuck.chain_of("first");
            assert_eq!(threads, ["first", "server", "owner"], "{kernel} {held:?}");
            assert!(every_step_is("proven", &chain), "{kernel} {held:?}");
            assert_eq!(chain["end"], "no-owner");
            let lock = lock_of(&chain);
            assert_eq!(lock["address"], stuck.at("lock"));
            assert_eq!((&lock["lock"], &lock["exclusive"]), (&json!(what), &json!(true)));
            assert_eq!(lock["owners"], json!([stuck.at("owner")]));
            assert_eq!(stuck.chain_of("reader").0, ["reader", "owner"]);
            let (report, _) = stuck.json(&["hang"]);
            let word = what.replace('-', "");
            assert_eq!(
                report["signature"],
                format!("blocked:explorer.exe>lsass.exe[lsasspirpc]>lsass.exe{{{word}}}:no-owner")
            );
            assert_eq!(report["blockers"][0]["behind"]["threads"], 3);
        }
    }
}

#[test]
fn each_owner_of_a_shared_resource_must_release_it() {
    for kernel in Kernel::complete() {
        let stuck = Stuck::of(hang::lock(kernel, Held::Shared));
        let (threads, chain) = stuck.chain_of("first");
        assert_eq!(threads, ["first", "server", "owner"], "{kernel}");
        let lock = lock_of(&chain);
        assert_eq!(lock["exclusive"], false);
        assert_eq!(
            lock["owners"],
            json!([stuck.at("owner"), stuck.at("other")]),
            "{kernel}: who only waits to share it is no owner"
        );
        let (report, status) = stuck.json(&["hang"]);
        assert_eq!(status, 0, "{kernel}");
        let blockers = report["blockers"].as_array().unwrap();
        let mut names: Vec<String> = blockers
            .iter()
            .map(|blocker| stuck.name_of(&blocker["node"]["address"]))
            .collect();
        names.sort();
        assert_eq!(names, ["other", "owner"]);
        assert!(blockers.iter().all(|blocker| blocker["behind"]["threads"] == 3));
        let text = stuck.sample.run(&["chain", stuck.at("first")]).stdout;
        assert!(text.contains("shared by 2: each must release it"), "{text}");
        assert!(
            text.contains("   and by 1 other thread, which must release it as well:\n"),
            "{text}"
        );
        let others: Vec<&str> = text
            .lines()
            .filter(|line| line.starts_with("     lsass.exe "))
            .collect();
        assert_eq!(others.len(), 1, "{text}");
        assert!(
            others[0].contains(&format!("thread {}", stuck.at("other"))) && others[0].ends_with(" [proven]"),
            "{text}"
        );
        assert_eq!(text.matches("END no-owner").count(), 2, "{text}");
        assert!(
            text.contains(&format!("kd> !locks -v {}", stuck.at("lock"))),
            "{text}"
        );
    }
}

#[test]
fn of_many_who_share_a_resource_some_are_told_and_the_others_counted() {
    let stuck = Stuck::of(hang::lock("win10-2004-x64", Held::Crowd));
    let (_, chain) = stuck.chain_of("first");
    assert_eq!(lock_of(&chain)["owners"].as_array().unwrap().len(), 12);
    let text = stuck.sample.run(&["chain", stuck.at("first")]).stdout;
    assert!(
        text.contains("and by 11 other threads, which must release it as well:"),
        "{text}"
    );
    assert_eq!(
        text.lines()
            .filter(|line| line.starts_with("     lsass.exe "))
            .count(),
        8,
        "{text}"
    );
    assert!(
        text.contains("     and 3 more threads: --format json has all\n"),
        "{text}"
    );
}

#[test]
fn a_resource_that_a_driver_gave_away_ends_the_chain() {
    let stuck = Stuck::of(hang::lock("win11-21h2-x64", Held::ByDriver));
    let (threads, chain) = stuck.chain_of("first");
    assert_eq!(threads, ["first", "server"]);
    assert_eq!(chain["end"], "lock");
    let text = stuck.sample.run(&["chain", stuck.at("first")]).stdout;
    assert!(
        text.contains("a driver gave it to something that is no thread"),
        "{text}"
    );
}

/// Who holds a push lock follows from what threads note of it, since Windows 10.
#[test]
fn who_notes_a_push_lock_is_inferred_to_hold_it() {
    for kernel in Kernel::complete() {
        let notes = Kernel::named(kernel).has("_KTHREAD", "AbEntrySummary");
        let stuck = Stuck::of(hang::lock(kernel, Held::PushLock));
        let (threads, chain) = stuck.chain_of("first");
        let (report, _) = stuck.json(&["hang"]);
        assert_eq!(report["deadlocks"], json!([]));
        if !notes {
            assert_eq!(threads, ["first", "server"], "{kernel}");
            assert_eq!(chain["end"], "lock");
            let text = stuck.sample.run(&["chain", stuck.at("first")]).stdout;
            assert!(text.contains("push lock, no owner recorded: "), "{text}");
            continue;
        }
        assert_eq!(threads, ["first", "server", "owner"], "{kernel}");
        let lock = lock_of(&chain);
        assert_eq!(lock["address"], stuck.at("lock"), "{kernel}");
        assert_eq!(
            lock["owners"],
            json!([stuck.at("owner")]),
            "{kernel}: a free entry says nothing"
        );
        let steps = chain["steps"].as_array().unwrap();
        let certainty: Vec<&Value> = steps[2..4]
            .iter()
            .map(|step| &step["next"]["certainty"])
            .collect();
        assert_eq!(certainty, [&json!("inferred"), &json!("inferred")], "{kernel}");
        assert_eq!(stuck.chain_of("reader").0, ["reader", "owner"]);
    }
}

#[test]
fn a_push_lock_that_nobody_notes_says_so() {
    let stuck = Stuck::of(hang::lock("win10-2004-x64", Held::PushLockUnnoted));
    let (threads, chain) = stuck.chain_of("first");
    assert_eq!(threads, ["first", "server"]);
    assert_eq!(chain["end"], "lock");
    let text = stuck.sample.run(&["hang", "-v"]).stdout;
    assert!(
        text.contains("no owner recorded: no thread has a lock entry that says that it holds it"),
        "{text}"
    );
}

#[test]
fn two_threads_with_each_others_resource_are_a_deadlock() {
    for kernel in Kernel::complete() {
        let stuck = Stuck::of(hang::two_resources(kernel));
        let (report, status) = stuck.json(&["hang"]);
        assert_eq!(status, 1, "{kernel}");
        assert_eq!(
            report["signature"],
            "deadlock:csrss.exe{resource}>lsass.exe{resource}>csrss.exe"
        );
        assert_eq!(report["deadlocks"][0]["members"], 2);
    }
}

/// The tag is in user memory, so a kernel dump does not tell it; the name only where a command line does.
#[test]
fn services_are_told_where_the_dump_has_their_threads_environment_blocks() {
    for kernel in Kernel::complete() {
        let stuck = Stuck::of(hang::services(kernel));
        let nodes = |stuck: &Stuck| -> Vec<Value> {
            let steps = stuck.chain_of("plain").1["steps"].clone();
            let threads = steps.as_array().unwrap().iter().map(|step| step["node"].clone());
            threads.filter(|node| node["kind"] == "thread").collect()
        };
        assert!(
            nodes(&stuck).iter().all(|node| node["service"].is_null()),
            "{kernel}"
        );
        stuck.sample.rewrite(Kind::Full);
        let [plain, first, server] = <[Value; 3]>::try_from(nodes(&stuck)).unwrap();
        assert!(plain["service"].is_null(), "{kernel}");
        assert_eq!(
            first["service"],
            json!({ "tag": 0x42, "name": "nsi", "certainty": "inferred" })
        );
        assert_eq!(server["service"]["tag"], 0x1f, "{kernel}");
        assert!(server["service"]["name"].is_null() && server["service"]["unknown"].is_string());
        let text = stuck.sample.run(&["waits"]).stdout;
        assert!(
            text.contains("service nsi [inferred]") && text.contains("service tag 0x1f"),
            "{text}"
        );
    }
}

/// Looks at the steps of a thread's chain with each frame taken out of the dump in turn, page tables among them; `look`
/// gets them with the frame in words. No deadlock may appear.
fn without_each_frame(world: &Built, thread: &str, mut look: impl FnMut(&str, &[Value])) {
    let whole = world.map();
    for frame in whole.memory.frames().map(|(frame, _)| frame).collect::<Vec<_>>() {
        let mut mapped = whole.clone();
        mapped.memory.remove(frame);
        let sample = Sample::mapped(world.clone(), mapped);
        let run = sample.run(&["--format", "json", "-c", &format!("hang; chain {thread}")]);
        assert!((0..=3).contains(&run.status), "{}", run.stderr);
        let document = run.json();
        let without = format!("without {frame:?}");
        if document[0]["result"].is_object() {
            assert_eq!(document[0]["result"]["deadlocks"], json!([]), "{without}");
        }
        let steps = document[1]["result"]["chains"][0]["steps"].as_array();
        look(&without, steps.map_or(&[], Vec::as_slice));
    }
}

/// Without any one frame, page tables among them, no wrong owner is named, and no proven deadlock invented.
#[test]
fn no_lost_page_makes_a_wrong_owner() {
    for held in [Held::Shared, Held::PushLock] {
        let scene = hang::lock("win11-21h2-x64", held);
        let owners = ["owner", "other"].map(|name| address(scene.at(name)));
        let (lock, first) = (address(scene.at("lock")), address(scene.at("first")));
        let mut told = 0;
        without_each_frame(&scene.built, &first, |without, steps| {
            for step in steps.iter().filter(|step| step["node"]["kind"] == "lock") {
                assert_eq!(step["node"]["address"], lock.as_str(), "{without}");
                for owner in step["node"]["owners"].as_array().into_iter().flatten() {
                    assert!(owners.iter().any(|known| owner == known), "{without}: {owner}");
                    told += 1;
                }
            }
        });
        assert!(told > 100, "{held:?}: {told}");
    }
}

/// The I/O request of a chain, which it ends at.
fn request_of(chain: &Value) -> &Value {
    let last = chain["steps"].as_array().unwrap().last().unwrap();
    assert_eq!(last["node"]["kind"], "irp", "{chain}");
    &last["node"]
}

/// The step that leads to it.
fn before_request(chain: &Value) -> &Value {
    let steps = chain["steps"].as_array().unwrap();
    &steps[steps.len() - 2]["next"]
}

/// What says so, as `field of value`.
fn evidence(edge: &Value) -> Vec<String> {
    let all = edge["evidence"].as_array().unwrap().iter();
    let text = |one: &Value| ["field", "of", "value"].map(|member| one[member].as_str().unwrap().to_owned());
    all.map(|one| text(one).join(" ")).collect()
}

#[test]
fn who_waits_for_its_request_waits_for_the_driver_that_has_it() {
    for kernel in Kernel::with_requests() {
        for how in [Io::Event, Io::File] {
            let stuck = Stuck::of(hang::io(kernel, how));
            let (threads, chain) = stuck.chain_of("first");
            assert_eq!(threads, ["first", "server"], "{kernel} {how:?}");
            assert_eq!(chain["end"], "io-pending");
            assert!(every_step_is("proven", &chain));
            let request = request_of(&chain);
            assert_eq!(request["address"], stuck.at("request"));
            assert_eq!(request["thread"], stuck.at("server"));
            assert_eq!(request["major_function"], "IRP_MJ_READ");
            assert_eq!(request["device"], stuck.at("device"));
            assert_eq!(
                request["driver"],
                json!({ "address": stuck.at("driver"), "name": r"\FileSystem\Npfs" })
            );
            let edge = before_request(&chain);
            assert_eq!(
                (&edge["edge"], &edge["any"]),
                (&json!("end-of-request"), &json!(false))
            );
            let (server, irp) = (stuck.at("server"), stuck.at("request"));
            let (file, event) = (stuck.at("file"), stuck.at("event"));
            let mut expected = vec![format!("_KWAIT_BLOCK.Object {server} {event}")];
            match how {
                Io::Event => expected.push(format!("_IRP.UserEvent {irp} {event}")),
                _ => expected.extend([
                    format!("_IRP.Tail.Overlay.OriginalFileObject {irp} {file}"),
                    format!("_FILE_OBJECT.Event {file} {event}"),
                ]),
            }
            let reason = if how == Io::File {
                "Executive"
            } else {
                "UserRequest"
            };
            expected.extend([
                format!("_IRP.Tail.Overlay.Thread {irp} {server}"),
                format!("_ETHREAD.IrpList {server} has the request"),
                format!("_KTHREAD.WaitReason {server} {reason}"),
            ]);
            assert_eq!(evidence(edge), expected, "{kernel} {how:?}");
            assert_eq!(
                chain["suspect"]["irps"]["requests"].as_array().unwrap().len(),
                3,
                "the others are listed as well"
            );
        }
    }
}

#[test]
fn a_driver_with_a_request_that_others_wait_for_is_a_blocker() {
    for kernel in Kernel::with_requests() {
        let stuck = Stuck::of(hang::io(kernel, Io::Event));
        let (report, status) = stuck.json(&["hang"]);
        assert_eq!(status, 0, "{kernel}: {report}");
        assert_eq!(
            report["signature"],
            "blocked:explorer.exe>lsass.exe[lsasspirpc]>filesystem/npfs{irp}:io-pending"
        );
        assert_eq!(report["stuck"], 2, "who waits for I/O waits for no thread");
        let (record, _) = stuck.json(&["chain", "lsass.exe"]);
        assert_eq!(record["chains"][0]["end"], "io-pending");
        assert_eq!(stuck.threads(&record["chains"][0]["steps"]), ["server"]);
        let blockers = report["blockers"].as_array().unwrap();
        assert_eq!(blockers.len(), 1, "nobody waits for the bystander");
        let blocker = &blockers[0];
        assert_eq!(blocker["node"]["address"], stuck.at("request"));
        assert_eq!(blocker["end"], "io-pending");
        assert_eq!(blocker["behind"]["threads"], 3);
        assert_eq!(blocker["behind"]["processes"], 3);
        let text = stuck.sample.run(&["hang", "-v"]).stdout;
        let at = |name: &str| stuck.at(name).to_owned();
        for line in [
            format!(
                "BLOCKER 1: I/O pending at \\FileSystem\\Npfs: read, I/O request {} (device {})\n",
                at("request"),
                at("device")
            ),
            format!("  kd> !irp {}\n", at("request")),
            format!("for I/O request {} [proven]\n", at("request")),
        ] {
            assert!(text.contains(&line), "{line}{text}");
        }
        let (waits, _) = stuck.json(&["waits"]);
        let rows = waits["waits"].as_array().unwrap();
        assert!(rows.iter().all(|row| row["end"] == "io-pending"), "{waits}");
        let record: Value =
            serde_json::from_str(&stuck.sample.run(&["triage", "--format", "ndjson"]).stdout).unwrap();
        let root = &record["root_blocker"];
        assert_eq!(
            (&root["kind"], &root["driver"], &root["end"]),
            (&json!("irp"), &json!(r"\FileSystem\Npfs"), &json!("io-pending"))
        );
        assert_eq!(root["image"], "lsass.exe", "whose it is");
    }
}

#[test]
fn a_request_ends_every_kind_of_graph() {
    let stuck = Stuck::of(hang::io("win10-2004-x64", Io::File));
    let (record, _) = stuck.json(&["graph"]);
    let nodes = record["waits"]["nodes"].as_array().unwrap();
    let of = |kind: &str| -> Vec<&Value> { nodes.iter().filter(|one| one["node"]["kind"] == kind).collect() };
    let [request] = <[&Value; 1]>::try_from(of("irp")).unwrap();
    let [driver] = <[&Value; 1]>::try_from(of("driver")).unwrap();
    assert_eq!(driver["node"]["address"], stuck.at("driver"));
    let edge = &request["edges"][0];
    assert_eq!(
        (&edge["edge"], &edge["to"]),
        (&json!("pending-at"), &driver["id"])
    );
    let [location, device, driver] = <[String; 3]>::try_from(evidence(edge)).unwrap();
    let request_at = stuck.at("request");
    assert!(
        location.starts_with(&format!("_IRP.Tail.Overlay.CurrentStackLocation {request_at} ")),
        "{location}"
    );
    let location = location.rsplit(' ').next().unwrap();
    let device_at = stuck.at("device");
    assert_eq!(
        device,
        format!("_IO_STACK_LOCATION.DeviceObject {location} {device_at}")
    );
    assert_eq!(
        driver,
        format!("_DEVICE_OBJECT.DriverObject {device_at} {}", stuck.at("driver"))
    );
    for (format, name, slash) in [
        ("dot", r"\\FileSystem\\Npfs", "/"),
        ("mermaid", "#92;FileSystem#92;Npfs", "#47;"),
        ("html", r"\\FileSystem\\Npfs", "/"),
    ] {
        let drawn = stuck.sample.run(&["graph", "--format", format]).stdout;
        let label = format!("I{slash}O request {request_at}");
        assert!(
            drawn.contains(name) && drawn.contains(&label),
            "{format}: {drawn}"
        );
    }
    let run = stuck.sample.run(&["chain", stuck.at("first")]);
    for line in [
        "   waits for the end of [proven]\n".to_owned(),
        format!("     kd> !irp {}\n", stuck.at("request")),
        format!(
            "END io-pending: I/O pending at \\FileSystem\\Npfs: read, I/O request {}",
            stuck.at("request")
        ),
    ] {
        assert!(run.stdout.contains(&line), "{line}{}", run.stdout);
    }
}

/// A thread's other requests are listed where its chain ends, and lead nowhere.
#[test]
fn a_request_that_the_wait_does_not_end_with_is_no_step() {
    for kernel in ["win7-sp1-x64", "win11-21h2-x64", "win10-2004-x86"] {
        let stuck = Stuck::of(hang::io(kernel, Io::Untied));
        let (threads, chain) = stuck.chain_of("first");
        assert_eq!(threads, ["first", "server"]);
        assert_eq!(chain["end"], "no-owner");
        let listed = chain["suspect"]["irps"]["requests"].as_array().unwrap();
        assert!(listed.iter().any(|one| one["address"] == stuck.at("request")));
        let (report, status) = stuck.json(&["hang"]);
        assert_eq!(status, 0);
        assert_eq!(report["blockers"][0]["node"]["address"], stuck.at("server"));
    }
}

/// At the lock of a file wait those who come later; that the thread's own request is what keeps it is no more than
/// likely.
#[test]
fn a_wait_at_the_lock_of_the_requests_file_is_inferred() {
    let stuck = Stuck::of(hang::io("win10-1607-x64", Io::FileLock));
    let (_, chain) = stuck.chain_of("first");
    assert_eq!(chain["end"], "io-pending");
    assert_eq!(before_request(&chain)["certainty"], "inferred");
    assert_eq!(request_of(&chain)["address"], stuck.at("request"));
}

#[test]
fn a_request_whose_page_is_lost_ends_as_unreadable() {
    for kernel in Kernel::with_requests() {
        let stuck = Stuck::of(hang::io(kernel, Io::Lost));
        let (threads, chain) = stuck.chain_of("first");
        assert_eq!(
            threads,
            ["first", "server"],
            "{kernel}: the branch is not dropped"
        );
        assert_eq!(chain["end"], "unreadable", "{kernel}");
        assert_eq!(before_request(&chain)["certainty"], "unknown");
        let request = request_of(&chain);
        assert_eq!(request["address"], stuck.at("request"));
        assert_eq!(request["unreadable"]["driver"]["id"], "not-in-dump", "{request}");
        let (report, status) = stuck.json(&["hang"]);
        assert_eq!(status, 3, "{kernel}");
        assert_eq!(report["blockers"][0]["end"], "unreadable");
    }
}

#[test]
fn a_stack_location_that_is_none_names_no_driver() {
    for kernel in Kernel::with_requests() {
        let stuck = Stuck::of(hang::io(kernel, Io::Nonsense));
        let (_, chain) = stuck.chain_of("first");
        assert_eq!(
            chain["end"], "io-pending",
            "{kernel}: that it waits for the request is proven"
        );
        assert_eq!(before_request(&chain)["certainty"], "proven");
        let request = request_of(&chain);
        for member in ["major_function", "device", "driver"] {
            assert!(request[member].is_null(), "{request}");
            assert_eq!(request["unreadable"][member]["id"], "implausible");
        }
        let (report, _) = stuck.json(&["hang"]);
        assert_eq!(
            report["signature"],
            "blocked:explorer.exe>lsass.exe[lsasspirpc]>?{irp}:io-pending"
        );
    }
}

#[test]
fn a_request_that_no_driver_has_any_more_says_so() {
    let stuck = Stuck::of(hang::io("win11-21h2-x64", Io::Completed));
    let (_, chain) = stuck.chain_of("first");
    let request = request_of(&chain);
    assert!(
        request["driver"].is_null() && request["unreadable"].is_null(),
        "{request}"
    );
    let run = stuck.sample.run(&["chain", stuck.at("first")]);
    assert_eq!(run.status, 0, "{}", run.stderr);
    assert!(
        run.stdout.contains("with no driver: not sent yet, or completed"),
        "{}",
        run.stdout
    );
}

/// The layouts inside the program do not describe requests: all is as without them.
#[test]
fn without_complete_symbols_a_wait_for_io_has_no_owner() {
    let stuck = Stuck::of(hang::io("win10-2004-x64", Io::Event));
    std::fs::remove_file(stuck.sample.dump().with_file_name("kernel.pdb")).unwrap();
    let (_, chain) = stuck.chain_of("first");
    assert_eq!(chain["end"], "no-owner");
    assert_eq!(chain["suspect"]["unreadable"]["irps"]["id"], "not-told");
    let (report, _) = stuck.json(&["hang"]);
    assert_eq!(
        report["signature"],
        "blocked:explorer.exe>lsass.exe[lsasspirpc]:no-owner"
    );
}

/// A driver's name ends no string, line or part of a signature.
#[test]
fn hostile_names_of_drivers_are_escaped() {
    let stuck = Stuck::of(hang::io_at("win10-2004-x64", Io::Event, hang::HOSTILE_PORT));
    let bad = |c: char| c.is_control() && c != '\n' || matches!(c, '\u{202a}'..='\u{202e}');
    for args in [&["hang"][..], &["hang", "-v"], &["chain", stuck.at("first")]] {
        let text = stuck.sample.run(args).stdout;
        assert!(!text.contains(bad), "{args:?} {}", text.escape_debug());
        assert!(text.contains("alert(1)"), "{args:?}");
    }
    let (report, _) = stuck.json(&["hang"]);
    let signature = report["signature"].as_str().unwrap();
    assert!(signature.chars().all(|c| c.is_ascii_graphic()), "{signature}");
    assert_eq!(
        (signature.matches('>').count(), signature.matches(':').count()),
        (2, 2),
        "{signature}"
    );
    let html = stuck.sample.run(&["graph", "--format", "html"]).stdout;
    support::page::check_markup(&html);
}

/// Without any one frame, page tables among them, no wrong request, driver or major function is told.
#[test]
fn no_lost_page_makes_a_wrong_request() {
    for (kernel, how) in [("win11-21h2-x64", Io::Event), ("win10-2004-x86", Io::File)] {
        let scene = hang::io(kernel, how);
        let stuck = Stuck::of(scene);
        let (request, driver) = (stuck.at("request"), stuck.at("driver"));
        let mut told = 0;
        without_each_frame(&stuck.sample.world, stuck.at("first"), |without, steps| {
            for step in steps.iter().filter(|step| step["node"]["kind"] == "irp") {
                let node = &step["node"];
                assert!(step["next"].is_null(), "{without}: it ends the chain");
                let is = |found: &Value, known: &str| found.is_null() || found == known;
                if !node["thread"].is_null() {
                    assert_eq!(node["address"], request, "{without}");
                }
                let found = &node["driver"];
                for (found, known) in [
                    (&node["thread"], stuck.at("server")),
                    (&node["major_function"], "IRP_MJ_READ"),
                    (&node["device"], stuck.at("device")),
                    (&found["address"], driver),
                    (&found["name"], r"\FileSystem\Npfs"),
                ] {
                    assert!(is(found, known), "{without}: {node}");
                }
                told += usize::from(!found["name"].is_null());
            }
        });
        assert!(told > 50, "{kernel}: {told}");
    }
}

/// The layouts inside the program have no executive resources: the wait is still told, and why it is not followed.
#[test]
fn without_complete_symbols_the_chain_says_why_it_ends_at_a_resource() {
    let stuck = Stuck::of(hang::lock("win10-2004-x64", Held::Alone));
    std::fs::remove_file(stuck.sample.dump().with_file_name("kernel.pdb")).unwrap();
    let run = stuck.sample.run(&["chain", stuck.at("first")]);
    assert!(
        run.stdout
            .contains("executive resource, not followed: the layouts in use do not describe _ERESOURCE"),
        "{}{}",
        run.stdout,
        run.stderr
    );
    assert!(run.stdout.contains("END lock"), "{}", run.stdout);
}

/// Hangs of different shapes have different lines, and each has the same line in another system.
#[test]
fn signatures_tell_hangs_apart_and_nothing_else() {
    let scenes: Vec<fn(&str) -> Scene> = vec![
        hang::row_to_mutant,
        hang::ring_of_three,
        hang::half_circle,
        hang::row_to_process,
        hang::self_call,
        |kernel| hang::blocked_queue(kernel, 3, 9),
        hang::at_limit,
        hang::exhausted_pool,
        hang::two_resources,
        |kernel| hang::lock(kernel, Held::Alone),
        |kernel| hang::lock(kernel, Held::FastMutex),
        |kernel| hang::lock(kernel, Held::PushLock),
        |kernel| hang::lock(kernel, Held::ByDriver),
        |kernel| hang::io(kernel, Io::Event),
        |kernel| hang::io(kernel, Io::Nonsense),
        |kernel| hang::io_at(kernel, Io::File, r"\Driver\Npfs"),
        |kernel| hang::io_at(kernel, Io::File, r"\FileSystem\Np>fs"),
        |kernel| hang::served_by(kernel, Server::MessageBox),
        |kernel| hang::served_by(kernel, Server::Suspended),
        |kernel| hang::served_by(kernel, Server::Terminated),
        |kernel| hang::served_by(kernel, Server::Running),
        |kernel| hang::served_by(kernel, Server::Receiving),
        |kernel| hang::served_by(kernel, Server::Missing),
        |kernel| hang::served_by(kernel, Server::Gone),
        hang::paged_out,
    ];
    let mut lines = BTreeMap::new();
    for (number, scene) in scenes.into_iter().enumerate() {
        let [one, other] = ["win10-1607-x64", "win11-21h2-x64"].map(|kernel| {
            let (report, _) = Stuck::of(scene(kernel)).json(&["hang"]);
            report["signature"].as_str().unwrap().to_owned()
        });
        assert_eq!(one, other, "{number}");
        if let Some(first) = lines.insert(one.clone(), number) {
            panic!("hangs {first} and {number} have one line: {one}");
        }
    }
}

#[test]
fn a_chain_whose_message_is_paged_out_ends_as_unreadable() {
    let stuck = Stuck::of(hang::paged_out("vista-sp2-x64"));
    let (threads, chain) = stuck.chain_of("first");
    assert_eq!(threads, ["first", "second"], "the branch is not dropped");
    assert_eq!(chain["end"], "unreadable");
    let steps = chain["steps"].as_array().unwrap();
    assert_eq!(steps[2]["next"]["certainty"], "unknown");
    assert_eq!(steps[3]["node"]["address"], stuck.at("message"));
    let (report, status) = stuck.json(&["hang"]);
    assert_eq!(status, 3);
    assert_eq!(report["blockers"][0]["end"], "unreadable");
    assert_eq!(report["blockers"][0]["behind"]["threads"], 2);
    let (table, status) = stuck.json(&["waits"]);
    assert_eq!(status, 3);
    let states: Vec<&Value> = table["waits"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| &row["state"])
        .collect();
    assert!(states.contains(&&json!("unreadable")) && states.contains(&&json!("received")));
}

#[test]
fn candidates_are_named_only_on_request() {
    let stuck = Stuck::of(hang::served_by("vista-sp2-x64", Server::Receiving));
    let (_, chain) = stuck.chain_of("first");
    assert!(chain["candidates"].is_null());
    let (record, _) = stuck.json(&["chain", stuck.at("first"), "--candidates"]);
    let candidates = record["chains"][0]["candidates"].as_array().unwrap();
    let threads: Vec<String> = candidates
        .iter()
        .map(|candidate| stuck.name_of(&candidate["thread"]["address"]))
        .collect();
    assert_eq!(
        threads,
        ["helper"],
        "of the same process, and waiting since the same moment"
    );
    assert_eq!(candidates[0]["certainty"], "inferred");
}

#[test]
fn a_process_shows_the_chains_of_its_threads() {
    let stuck = Stuck::of(hang::ring_of_three("vista-sp2-x64"));
    let (record, _) = stuck.json(&["chain", "lsass.exe"]);
    let chains = record["chains"].as_array().unwrap();
    assert_eq!(chains.len(), 1);
    assert_eq!(chains[0]["end"], "deadlock");
    let stuck_at_one = Stuck::of(hang::blocked_queue("vista-sp2-x64", 3, 0));
    let (record, _) = stuck_at_one.json(&["chain", "pid:0x3e4"]);
    let chains = record["chains"].as_array().unwrap();
    let lengths: Vec<usize> = chains
        .iter()
        .map(|chain| chain["steps"].as_array().unwrap().len())
        .collect();
    assert_eq!(lengths, [3, 1, 1], "the mutant and its owner are told once");
    assert!(chains.iter().all(|chain| chain["end"] == "no-owner"));
    assert_eq!(chains[0]["steps"][1]["id"], chains[2]["joins"]);
    let (record, _) = stuck.json(&["chain", stuck.at("message 1")]);
    assert_eq!(record["chains"][0]["steps"][0]["node"]["kind"], "message");
    // A port waits for nothing; whoever waits for a reply there does.
    let (record, status) = stuck.json(&["chain", stuck.at("ApiPort")]);
    assert_eq!(status, 0, "{record}");
    let chains = record["chains"].as_array().unwrap();
    let kinds = chains.iter().map(|chain| &chain["steps"][0]["node"]["kind"]);
    assert!(kinds.clone().all(|kind| kind == "thread"), "{record}");
}

#[test]
fn a_thousand_processes_take_reads_in_proportion() {
    let reads = |sessions, threads, messages| {
        let stuck = Stuck::of(hang::terminal_server(
            "vista-sp2-x64",
            sessions,
            threads,
            messages,
        ));
        let (report, _) = stuck.json(&["hang"]);
        let truth = &stuck.sample.world.truth;
        let waiting: BTreeMap<String, String> = truth
            .threads
            .iter()
            .filter_map(|thread| Some((address(thread.address), address(thread.alpc_wait?))))
            .collect();
        assert!(waiting.len() as u64 > threads / 2);
        assert_eq!(report["waiting_for_reply"], waiting.len());
        assert_eq!(report["threads"], truth.threads.len());
        let (table, _) = stuck.json(&["waits"]);
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let told: BTreeMap<String, String> = table["waits"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| (text(&row["waiter"]["address"]), text(&row["message"]["address"])))
            .collect();
        assert_eq!(told, waiting);
        reads_of_hang(&stuck.sample.world)
    };
    let (small, large) = (reads(50, 1_000, 2_500), reads(200, 4_000, 10_000));
    // Four times the system: far below what a square would take.
    assert!(small > 10_000 && large < small * 5, "{small} reads, then {large}");
}

/// How many members are read for the report on a whole system.
fn reads_of_hang(world: &Built) -> u64 {
    let dump = kdump::Dump::from_bytes("memory.dmp", world.dump(Kind::Summary)).unwrap();
    let pdb = ntlayout::Pdb::from_bytes("ntkrnlmp.pdb", world.pdb()).unwrap();
    let layout = ntlayout::SymbolTable::resolve(&pdb, &alpc::CONTRACT).unwrap();
    let kernel = alpc::kernel(&dump, kdump::Gva::new(world.truth.kernel_base.0), layout);
    let _ = alpc::report::triage::summary(&kernel);
    kernel.budget().spent().reads
}

#[test]
fn graphs_are_drawn_with_the_deadlock_first() {
    let stuck = Stuck::of(hang::ring_of_three("vista-sp2-x64"));
    let drawn = |format| stuck.sample.run(&["graph", "--format", format]).stdout;
    let dot = drawn("dot");
    assert!(dot.starts_with("digraph alpc {"), "{dot}");
    assert!(
        dot.contains("n0 [shape=box penwidth=3 color=red label=\"csrss.exe 01c8."),
        "{dot}"
    );
    assert!(dot.ends_with("}\n"));
    let mermaid = drawn("mermaid");
    assert!(mermaid.starts_with("flowchart LR\n"), "{mermaid}");
    assert!(mermaid.contains("==>"), "{mermaid}");
    let html = drawn("html");
    assert!(html.starts_with("<!doctype html>") && html.contains("\"deadlock\":true"));
    assert!(!html.contains("/*DATA*/"));
    let text = drawn("text");
    assert_eq!(text, stuck.sample.run(&["global", "--graph"]).stdout);
    let (record, _) = stuck.json(&["graph", "--process", "explorer.exe"]);
    let connections = record["connections"].as_array().unwrap();
    assert_eq!(connections.len(), 1, "the bystander's");
    let refused = stuck.sample.run(&["hang", "--format", "dot"]);
    assert_eq!(refused.status, 2, "{}", refused.stdout);
}

/// A click shows what the command shows. The nodes without a command have no view of their own.
#[test]
fn a_page_has_the_view_of_each_node() {
    for scene in [
        hang::ring_of_three("vista-sp2-x64"),
        hang::paged_out("vista-sp2-x64"),
        hang::row_to_mutant("win7-sp1-x86"),
        hang::blocked_queue("win10-1803-x64", 3, 4),
        hang::lock("win11-21h2-x64", Held::Alone),
        hang::io("win10-2004-x86", Io::File),
        hang::hostile("vista-sp2-x64"),
    ] {
        let stuck = Stuck::of(scene);
        let page = stuck.sample.run(&["graph", "--format", "html"]).stdout;
        let views = support::page::views(&page);
        assert!(views.len() > 5, "{views:?}");
        let mut kinds = BTreeMap::new();
        for (dot, view) in &views {
            let Some(view) = view else {
                assert!(dot["command"].is_null(), "{dot}");
                assert_eq!(dot["shape"], "object", "{dot}");
                continue;
            };
            let command: Vec<&str> = dot["command"].as_str().unwrap().split(' ').collect();
            let run = stuck.sample.run(&command);
            if run.stdout.is_empty() {
                assert_eq!(
                    run.stderr.lines().last().unwrap(),
                    format!("alpc-dump: {view}"),
                    "{dot}"
                );
            } else {
                assert_eq!(*view, run.stdout, "{dot}");
            }
            let bad = |c: char| c.is_control() && c != '\n' || matches!(c, '\u{202a}'..='\u{202e}');
            assert!(!view.contains(bad), "{}", view.escape_debug());
            *kinds.entry(command[0].to_owned()).or_insert(0) += 1;
        }
        assert!(
            kinds.contains_key("thread") && kinds.contains_key("process"),
            "{kinds:?}"
        );
    }
}

/// Whatever there are views of, the page stays below two mebibytes.
#[test]
fn the_page_of_five_thousand_ports_has_all_their_views() {
    let stuck = Stuck::of(hang::many_ports("vista-sp2-x64", 5_000));
    let page = stuck.sample.run(&["graph", "--format", "html"]).stdout;
    assert!(page.len() < 2 << 20, "{}", page.len());
    let views = support::page::views(&page);
    let ports = views.iter().filter(|(dot, view)| {
        let name = dot["label"].as_str().unwrap();
        name.starts_with("LRPC-")
            && view
                .as_ref()
                .is_some_and(|view| view.contains(&format!("({name})")))
    });
    assert_eq!(ports.count(), 5_000);
}

/// Names of a hostile dump end no string and begin no markup.
#[test]
fn names_stay_inside_the_drawings() {
    for world in World::readable() {
        let html = world.run(&["graph", "--format", "html"]).stdout;
        assert_eq!(html.matches("<script>").count(), 1);
        support::page::check_markup(&html);
        let dot = world.run(&["graph", "--format", "dot"]).stdout;
        for line in dot.lines().filter(|line| line.contains("label=")) {
            let label = line
                .split_once("label=\"")
                .unwrap()
                .1
                .strip_suffix("\"];")
                .unwrap();
            let plain = label.replace("\\\\", "").replace("\\\"", "");
            assert!(!plain.contains('"') && !plain.ends_with('\\'), "{line}");
        }
    }
}

/// The same of names that try to end strings, markup and lines.
#[test]
fn hostile_names_are_escaped_in_every_format() {
    let stuck = Stuck::of(hang::hostile("vista-sp2-x64"));
    let run = |args: &[&str]| stuck.sample.run(args).stdout;
    for args in [
        &["hang"][..],
        &["hang", "-v"],
        &["chain", stuck.at("first")],
        &["waits"],
        &["graph"],
        &["hang", "--color", "always"],
    ] {
        let text = run(args);
        let text = if args.contains(&"always") {
            without_colour(&text)
        } else {
            text
        };
        let bad = |c: char| c.is_control() && c != '\n' || matches!(c, '\u{202a}'..='\u{202e}');
        assert!(!text.contains(bad), "{args:?} {}", text.escape_debug());
        assert!(text.contains("alert(1)"), "{args:?}: the name is shown");
    }
    let signature = stuck.json(&["hang"]).0["signature"].clone();
    let signature = signature.as_str().unwrap();
    assert!(signature.chars().all(|c| c.is_ascii_graphic()), "{signature}");
    assert_eq!(
        signature.matches('>').count(),
        2,
        "the ring's own arrows only: {signature}"
    );
    let names = |document: &Value| document.to_string().matches("alert(1)").count();
    let (record, status) = stuck.json(&["waits"]);
    assert_eq!((status, names(&record)), (0, 2));
    let ports: Vec<&Value> = record["waits"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| &row["message"]["port"]["name"])
        .collect();
    assert!(
        ports.contains(&&json!(hang::HOSTILE_PORT)),
        "JSON has it as it is: {ports:?}"
    );
    let html = run(&["graph", "--format", "html"]);
    assert_eq!(html.matches("<script").count(), 2);
    assert_eq!(html.matches("</script").count(), 2);
    support::page::check_markup(&html);
    for line in run(&["graph", "--format", "dot"])
        .lines()
        .filter(|line| line.contains("label="))
    {
        let label = line
            .split_once("label=\"")
            .unwrap()
            .1
            .strip_suffix("\"];")
            .unwrap();
        let plain = label.replace("\\\\", "").replace("\\\"", "");
        assert!(!plain.contains('"') && !plain.ends_with('\\'), "{line}");
    }
    let mermaid = run(&["graph", "--format", "mermaid"]);
    for line in mermaid.lines().filter(|line| line.contains('"')) {
        assert_eq!(line.matches('"').count(), 2, "{line}");
        let name = line.split('"').nth(1).unwrap();
        assert!(!name.contains(|c| "<>[]{}`'%\\|&".contains(c)), "{line}");
    }
}

fn without_colour(text: &str) -> String {
    let mut pieces = text.split('\u{1b}');
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |plain, piece| {
        let (code, rest) = piece.split_once('m').unwrap();
        assert!(
            code[1..].chars().all(|c| c.is_ascii_digit() || c == ';'),
            "{code:?}"
        );
        plain + rest
    })
}

/// Colour follows the flag and the usual variables, and adds nothing but itself.
#[test]
fn colour_adds_nothing_to_what_is_said() {
    let stuck = Stuck::of(hang::ring_of_three("vista-sp2-x64"));
    for args in [
        &["hang", "-v"][..],
        &["chain", stuck.at("first")],
        &["waits"],
        &["graph"],
    ] {
        let plain = stuck.sample.run(args).stdout;
        assert!(!plain.contains('\u{1b}'), "{args:?}: no terminal");
        let coloured = stuck.sample.run(&[args, &["--color", "always"]].concat()).stdout;
        assert_eq!(without_colour(&coloured), plain, "{args:?}");
        assert_eq!(coloured.contains('\u{1b}'), args != ["graph"], "{args:?}");
        let json = stuck
            .sample
            .run(&[args, &["--color", "always", "--format", "json"]].concat())
            .stdout;
        assert!(!json.contains('\u{1b}'), "{args:?}");
    }
    let drawn = stuck
        .sample
        .run(&["graph", "--format", "dot", "--color", "always"])
        .stdout;
    assert!(!drawn.contains('\u{1b}'));
}

#[test]
fn colour_obeys_flag_before_environment() {
    let stuck = Stuck::of(hang::self_call("vista-sp2-x64"));
    let is_coloured = |variables: &[(&str, &str)], args: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_alpc-dump"));
        for name in ["CLICOLOR_FORCE", "CLICOLOR", "NO_COLOR"] {
            command.env_remove(name);
        }
        command.envs(variables.iter().copied());
        let output = command
            .arg(stuck.sample.dump())
            .arg("hang")
            .args(args)
            .output()
            .unwrap();
        output.stdout.contains(&0x1b)
    };
    let force = ("CLICOLOR_FORCE", "1");
    assert!(!is_coloured(&[], &[]), "no terminal");
    assert!(is_coloured(&[force], &[]));
    assert!(is_coloured(&[force, ("NO_COLOR", "1")], &[]));
    assert!(!is_coloured(&[("CLICOLOR_FORCE", "0")], &[]));
    assert!(!is_coloured(&[force], &["--color", "never"]));
    assert!(is_coloured(
        &[("NO_COLOR", "1"), ("CLICOLOR", "0")],
        &["--color", "always"]
    ));
}

/// The truth of an independent world tells which thread waits for which message at which port.
#[test]
fn waits_of_every_readable_world() {
    let mut checked = 0;
    for world in World::readable() {
        let run = world.run(&["--format", "json", "waits"]);
        let document = run.json();
        let rows = document["result"]["waits"].as_array().unwrap().clone();
        for thread in world.truth["threads"].as_array().unwrap() {
            let row = rows
                .iter()
                .find(|row| row["waiter"]["address"] == thread["ethread"]);
            if thread["alpc_wait"]["kind"] == "reply" {
                check_row(&world, thread, row.unwrap());
                checked += 1;
            } else {
                assert!(row.is_none(), "{row:?}");
            }
        }
    }
    support::say_if_none(checked, "waits");
}

fn check_row(world: &World, thread: &Value, row: &Value) {
    let at = &thread["ethread"];
    let wait = &thread["alpc_wait"];
    assert_eq!(row["message"]["address"], wait["message"], "{at}");
    let messages = world.truth["messages"].as_array().unwrap();
    let message = messages
        .iter()
        .find(|message| message["address"] == wait["message"])
        .unwrap();
    if message["lost"] == true {
        assert_eq!(row["state"], "unreadable", "{at}");
        assert_eq!(row["certainty"], "unknown", "{at}");
        return;
    }
    assert_eq!(row["certainty"], "proven", "{at}");
    assert_eq!(row["message"]["port"]["address"], wait["port"], "{at}");
}

#[test]
fn the_shipped_case_reads_well() {
    let run = support::alpc_dump(&["fixtures/vista-sp2-x64.dmp", "chain", "fffffa801afae6f0"]);
    assert_eq!(run.status, 0, "{}", run.stderr);
    for line in [
        "0. svchost.exe 033c.3c40  thread fffffa801afae6f0",
        "_KALPC_MESSAGE.WaitingThread @ fffff8800f4cc950 = fffffa801afae6f0",
        "_KALPC_MESSAGE.ServerThread @ fffff8800f4cc950 = fffffa801aeec060",
        "kd> !alpc /m fffff8800f4cc950",
        "END no-owner: svchost.exe 03e4.05d4, thread fffffa801aeec060, waits for something that has no owner: ",
    ] {
        assert!(run.stdout.contains(line), "{line}\n{}", run.stdout);
    }
}

/// Names of a hostile dump reach no terminal unescaped, and every line of the report is one line.
#[test]
fn names_are_escaped() {
    for world in World::readable() {
        for command in ["hang", "waits"] {
            let run = world.run(&[command]);
            let bad = |c: char| c.is_control() && c != '\n' || matches!(c, '\u{202a}'..='\u{202e}');
            assert!(!run.stdout.contains(bad), "{}", run.stdout.escape_debug());
        }
    }
}
