//! Dumps that lack pages: every view still answers, and whatever it says is what it says of the whole dump.
//!
//! Each frame of a world is taken out in turn, page tables among them, then random sets of frames. A value of
//! the answer must be that of the whole dump or be missing with a reason; a list may be shorter only where it
//! says that it is not complete; and an answer with a hole in it ends with the partial status.

mod support;

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use support::synthetic::{Sample, lines_and_messages};
use synth::address::{Pfn, Va};
use synth::layout::Kernel;
use synth::random::Random;
use synth::world::{Built, PortKind};
use synth::worlds;

/// Sums of the global view: they count what can be seen, and say beside them how much could not.
const SUMS: [&str; 5] = [
    "ports",
    "queued_messages",
    "waiting_for_reply",
    "longest_queue",
    "messages",
];

/// Where ports were found changes when the kernel's list has a hole.
const SOURCE: &str = "source";

/// Every command that shows a world, over all its objects.
fn lines(world: &Built) -> Vec<String> {
    let truth = &world.truth;
    let views = [
        "global",
        "ports",
        "ports --orphans",
        "threads",
        "processes",
        "modules",
        "handles",
        "calls",
    ];
    let mut lines = lines_and_messages(&views, world);
    lines.extend(
        truth
            .resources
            .iter()
            .map(|resource| format!("resource {}", resource.address())),
    );
    for port in truth.ports.iter().filter(|port| port.kind != PortKind::None) {
        lines.push(format!("port {}", port.address));
        lines.push(format!("object {}", port.address));
        if port.kind == PortKind::Connection {
            lines.push(format!("connections {}", port.address));
        }
    }
    for process in &truth.processes {
        lines.push(format!("ports --process {}", process.address));
        lines.push(format!("process {}", process.address));
    }
    lines
}

/// The documents that the command lines give; none when the kernel could not even be found.
fn answers(sample: &Sample, lines: &[String]) -> Option<Vec<Value>> {
    let run = sample.run(&["--format", "json", "-c", &lines.join("; ")]);
    assert!((0..=3).contains(&run.status), "{}", run.stderr);
    let Value::Array(documents) = run.json() else {
        panic!("{}", run.stderr)
    };
    if documents.iter().all(|document| document.get("error").is_some()) {
        assert_eq!(run.status, 2, "{}", run.stderr);
        return None;
    }
    assert_eq!(documents.len(), lines.len());
    Some(documents)
}

struct Comparison<'l> {
    line: &'l str,
    frame: String,
}

impl Comparison<'_> {
    fn fail(&self, path: &str, said: &Value, whole: &Value) -> ! {
        panic!(
            "without {}, {}: {path} is {said}, of the whole dump {whole}",
            self.frame, self.line
        )
    }

    fn values(&self, path: &str, said: &Value, whole: &Value, excused: bool) {
        match (said, whole) {
            (Value::Null, _) if excused || whole.is_null() => {}
            // Data that is cut off is right as far as it goes.
            (Value::String(said), Value::String(whole)) if path.ends_with(".payload.bytes") => {
                assert!(whole.starts_with(said) && (excused || said == whole), "{path}");
            }
            (Value::Object(said), Value::Object(whole)) => self.objects(path, said, whole),
            (Value::Array(said), Value::Array(whole)) => self.arrays(path, said, whole, excused),
            _ if said == whole => {}
            _ => self.fail(path, said, whole),
        }
    }

    fn objects(&self, path: &str, said: &Map<String, Value>, whole: &Map<String, Value>) {
        // Whatever is missing or shorter in an object that says what it could not read.
        let incomplete = said.contains_key("unreadable")
            || said.contains_key("undetermined")
            || has_gap(said)
            || said.values().any(has_hole);
        for (key, value) in whole {
            let is_sum = self.line == "global" && path == "result" && SUMS.contains(&key.as_str());
            if is_sum
                || matches!(
                    key.as_str(),
                    SOURCE | "unreadable" | "absent" | "undecided" | "unchecked"
                )
            {
                continue;
            }
            let path = format!("{path}.{key}");
            match said.get(key) {
                Some(said) => self.values(&path, said, value, incomplete),
                None => assert!(
                    incomplete,
                    "without {}, {}: {path} is not there",
                    self.frame, self.line
                ),
            }
        }
    }

    fn arrays(&self, path: &str, said: &[Value], whole: &[Value], excused: bool) {
        if self.line == "ports --orphans" {
            return self.orphans(path, said, whole);
        }
        let same_order = said.iter().map(identity).eq(whole.iter().map(identity));
        if same_order {
            let pairs = said.iter().zip(whole).enumerate();
            return pairs.for_each(|(index, (said, whole))| {
                self.values(&format!("{path}[{index}]"), said, whole, excused);
            });
        }
        if !excused || said.len() > whole.len() {
            self.fail(path, &Value::from(said.len()), &Value::from(whole.len()));
        }
        for said in said {
            let Some(same) = whole.iter().find(|whole| identity(whole) == identity(said)) else {
                self.fail(path, said, &Value::Null);
            };
            self.values(path, said, same, true);
        }
    }
}

impl Comparison<'_> {
    /// A port whose handle count is hidden may be an orphan: it is listed, with that count missing.
    fn orphans(&self, path: &str, said: &[Value], whole: &[Value]) {
        for said in said.iter().filter(|port| !port["handle_count"].is_null()) {
            let Some(same) = whole.iter().find(|whole| identity(whole) == identity(said)) else {
                self.fail(path, said, &Value::Null);
            };
            self.values(path, &said["handle_count"], &same["handle_count"], false);
        }
    }
}

/// Whether a part of a record says that something of it is missing.
fn has_hole(value: &Value) -> bool {
    match value {
        Value::Object(map) => map.contains_key("unreadable"),
        Value::Array(items) => items.iter().any(has_hole),
        _ => false,
    }
}

/// Whether an object says that a list in it has gaps.
fn has_gap(object: &Map<String, Value>) -> bool {
    object
        .get("gaps")
        .and_then(Value::as_array)
        .is_some_and(|gaps| !gaps.is_empty())
}

/// What tells one element of a list from the others.
fn identity(value: &Value) -> Option<&Value> {
    const KEYS: [&str; 7] = [
        "address",
        "message",
        "entry",
        "handle",
        "communication_info",
        "client_port",
        "at",
    ];
    let nested = value
        .pointer("/port/address")
        .or_else(|| value.pointer("/client/port"));
    KEYS.iter()
        .find_map(|key| value.get(key))
        .or(nested)
        .or_else(|| value.pointer("/process/address"))
}

/// Compares the answers without some frames with those of the whole dump; whether there were any.
fn compare(world: &Built, whole: &[Value], lines: &[String], frames: &BTreeSet<Pfn>) -> bool {
    let sample = Sample::without(world, frames.iter().copied());
    let Some(documents) = answers(&sample, lines) else {
        return false;
    };
    let frame = format!("frames {frames:x?}");
    for ((line, said), whole) in lines.iter().zip(&documents).zip(whole) {
        if said.get("error").is_some() {
            continue;
        }
        let comparison = Comparison {
            line,
            frame: frame.clone(),
        };
        comparison.values("result", &said["result"], &whole["result"], false);
    }
    true
}

/// Frames whose loss leaves nothing to find the kernel by: the page tables on the way to its image, the image's
/// headers.
const MOST_FATAL_FRAMES: usize = 8;

fn every_frame_of(world: &Built) {
    let lines = lines(world);
    let whole = answers(&Sample::of(world.clone()), &lines).expect("the whole dump is readable");
    let frames: Vec<Pfn> = world.map().memory.frames().map(|(frame, _)| frame).collect();
    let answered = frames
        .iter()
        .filter(|&&frame| compare(world, &whole, &lines, &BTreeSet::from([frame])))
        .count();
    assert!(
        answered + MOST_FATAL_FRAMES >= frames.len(),
        "{answered} of {} answered",
        frames.len()
    );
}

#[test]
fn every_frame_of_the_published_case() {
    every_frame_of(&worlds::vista_sp2_x64());
}

#[test]
fn every_frame_of_a_recent_world() {
    every_frame_of(&worlds::standard("win11-22h2-x64"));
}

#[test]
fn random_sets_of_frames_of_every_generation() {
    for (seed, kernel) in support::synthetic::kernels().into_iter().enumerate() {
        let world = worlds::standard(kernel);
        let lines = lines(&world);
        let whole = answers(&Sample::of(world.clone()), &lines).expect("the whole dump is readable");
        let frames: Vec<Pfn> = world.map().memory.frames().map(|(frame, _)| frame).collect();
        let mut random = Random::new(seed as u64);
        for _ in 0..4 {
            let mut draw = || usize::try_from(random.below(frames.len() as u64)).expect("below a length");
            let lost = (0..frames.len() / 10).map(|_| frames[draw()]).collect();
            compare(&world, &whole, &lines, &lost);
        }
    }
}

/// Kernels whose symbols are nowhere: what is left of them must not make a wrong layout win.
#[test]
fn random_sets_of_frames_of_unknown_kernels() {
    let published = support::synthetic::every_kernel().into_iter();
    let published = published.filter(|kernel| Kernel::named(kernel).is_published());
    let mut answered = 0;
    for (seed, kernel) in published.enumerate() {
        let world = worlds::standard(kernel);
        let lines = lines(&world);
        let whole = answers(&Sample::of(world), &lines).expect("the whole dump is readable");
        let unknown = worlds::standard_with(kernel, |world| world.truth.guid = *b"not any kernel's");
        let frames: Vec<Pfn> = unknown.map().memory.frames().map(|(frame, _)| frame).collect();
        let mut random = Random::new(0x100 + seed as u64);
        for share in [10, 5, 3, 2] {
            let mut draw = || usize::try_from(random.below(frames.len() as u64)).expect("below a length");
            let lost = (0..frames.len() / share).map(|_| frames[draw()]).collect();
            answered += usize::from(compare(&unknown, &whole, &lines, &lost));
        }
    }
    assert!(answered > 20, "{answered}");
}

#[test]
fn a_hole_in_an_answer_is_the_partial_status() {
    let world = worlds::vista_sp2_x64();
    let message: Va = world.truth.messages[0].address;
    let frame = world.map().frames[&message.page()];
    let sample = Sample::without(&world, [frame]);
    let run = sample.run(&["message", &message.to_string()]);
    assert_eq!(run.status, 3, "{}", run.stderr);
    assert!(run.stdout.contains("????????????????"));
    assert!(run.stderr.contains("not in the dump"), "{}", run.stderr);
}
