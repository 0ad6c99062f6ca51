//! Waits that are over, though thread and message still name each other, and requests whose server is not named.
//! The worlds are told as they were made; which waits are real follows from the debugger's own rule: a thread waits for
//! a reply at its own reply semaphore.

mod support;

use serde_json::Value;
use support::synthetic::Sample;
use synth::address::Va;
use synth::layout::Kernel;
use synth::worlds::hang;

struct Staged {
    sample: Sample,
    cast: std::collections::BTreeMap<String, Va>,
}

impl Staged {
    fn of(scene: hang::Scene) -> Self {
        Self {
            cast: scene.cast,
            sample: Sample::of(scene.built),
        }
    }

    fn json(&self, args: &[&str]) -> (Value, i32) {
        let mut line = vec!["--format", "json"];
        line.extend(args);
        let run = self.sample.run(&line);
        (run.json()["result"].clone(), run.status)
    }

    /// An address as this system's records have it.
    fn at(&self, name: &str) -> String {
        let digits = if self.sample.world.kernel.pointer_size() == 4 {
            8
        } else {
            16
        };
        format!("{:016x}", self.cast[name].0)[16 - digits..].to_owned()
    }
}

fn kernels() -> impl Iterator<Item = &'static str> {
    let is_pc = |name: &&str| name.ends_with("x64") || name.ends_with("x86");
    Kernel::names().into_iter().filter(is_pc)
}

#[test]
fn a_thread_that_waits_elsewhere_waits_for_no_reply() {
    for kernel in kernels() {
        let staged = Staged::of(hang::stale_waits(kernel));
        let (record, status) = staged.json(&["waits"]);
        assert_eq!(status, 0, "{kernel}");
        let replies: Vec<(&str, &str)> = record["waits"]
            .as_array()
            .unwrap()
            .iter()
            .map(|wait| {
                (
                    wait["waiter"]["address"].as_str().unwrap(),
                    wait["certainty"].as_str().unwrap(),
                )
            })
            .collect();
        let (first, held) = (staged.at("first"), staged.at("held"));
        let mut expected = [(&*first, "proven"), (&*held, "inferred")];
        expected.sort_unstable();
        let mut said = replies.clone();
        said.sort_unstable();
        assert_eq!(said, expected, "{kernel}: {record}");
        let (global, _) = staged.json(&["global"]);
        assert_eq!(global["waiting_for_reply"], 2, "{kernel}");
        let (hang, status) = staged.json(&["hang"]);
        assert_eq!(hang["deadlocks"], serde_json::json!([]), "{kernel}");
        assert_eq!((&hang["waiting_for_reply"], status), (&2.into(), 0), "{kernel}");
        let (chain, _) = staged.json(&["chain", &first]);
        let steps = chain["chains"][0]["steps"].as_array().unwrap();
        let threads: Vec<&Value> = steps
            .iter()
            .filter(|step| step["node"]["kind"] == "thread")
            .map(|step| &step["node"]["address"])
            .collect();
        assert_eq!(threads, [&first, &staged.at("second")], "{kernel}");
    }
}

/// Who received a request that names no thread is the process whose port it is, and its threads are candidates.
#[test]
fn a_request_without_a_server_thread_was_received_by_the_process() {
    for kernel in kernels() {
        let staged = Staged::of(hang::received_by_nobody(kernel));
        let (client, process) = (staged.at("client"), staged.at("process"));
        let (record, status) = staged.json(&["chain", "--candidates", &client]);
        assert_eq!(status, 0, "{kernel}");
        let chain = &record["chains"][0];
        assert_eq!(chain["end"], "received", "{kernel}: {chain}");
        let candidates = chain["candidates"].as_array().unwrap();
        let named: Vec<&str> = candidates
            .iter()
            .map(|one| one["thread"]["address"].as_str().unwrap())
            .collect();
        assert_eq!(named[0], staged.at("likely"), "{kernel}: {candidates:?}");
        let (hang, _) = staged.json(&["hang"]);
        let blocker = &hang["blockers"][0];
        assert_eq!(blocker["node"]["kind"], "process", "{kernel}: {blocker}");
        assert_eq!(blocker["node"]["address"], process, "{kernel}");
        let text = staged.sample.run(&["chain", "--candidates", &client]).stdout;
        assert!(text.contains("[inferred]") || text.contains("inferred"), "{text}");
    }
}
