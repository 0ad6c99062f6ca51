//! Dumps whose pages are there and hold something else: a dump of a running system is smeared, and a tool that could
//! not read a page writes a filler in its place.
//!
//! Each page of a world, then each thing of it alone, is overwritten in turn, with zeros and with other garbage. What
//! is told then must not be less than the truth: a wait may be missing only where it says that something was not
//! read, a chain ends where it ended or as unreadable, no condition that failed holds, and nothing has gone.

use std::collections::{BTreeMap, BTreeSet};

use alpc::report::check::{Condition, Facts, Verdict, Whose};
use alpc::report::diff::{self, Became};
use alpc::report::snapshot::Snapshot;
use alpc::wait::hang::Hang;
use alpc::wait::root::RootKind;
use alpc::wait::table::WaitTable;
use alpc::{Kernel, wait};
use kdump::{Dump, Gva, TimeSpan};
use ntlayout::{Layout, Pdb, SymbolTable};
use serde_json::Value;
use synth::dump::Kind;
use synth::world::Built;
use synth::worlds::hang::{self, Held, Io, Scene, Server};

/// What stands in the place of what was there.
#[derive(Clone, Copy, Debug)]
enum Fill {
    Zeros,
    Filler,
    Text,
    Noise,
}

impl Fill {
    const ALL: [Self; 4] = [Self::Zeros, Self::Filler, Self::Text, Self::Noise];

    fn byte(self, at: usize) -> u8 {
        match self {
            Self::Zeros => 0,
            Self::Filler => 0xdead_feed_u32.to_le_bytes()[at % 4],
            Self::Text => b"The quick brown fox. "[at % 21],
            // The same on every run, and never by chance an address of the kernel.
            Self::Noise => (at.wrapping_mul(0x9e37_79b9) >> 13).to_le_bytes()[0] & 0x7f | 1,
        }
    }
}

struct World {
    file: Vec<u8>,
    base: Gva,
    layout: Layout,
    /// Where in the file each page is.
    pages: BTreeMap<u64, usize>,
}

impl World {
    fn of(built: &Built) -> Self {
        let file = built.dump(Kind::BitmapKernel);
        let dump = Dump::from_bytes("world", file.clone()).unwrap();
        let pdb = Pdb::from_bytes("world.pdb", built.pdb()).unwrap();
        let frames = built.map().frames;
        let place = |page: &u64| {
            let gpa = dump.kernel_space().translate(Gva::new(*page)).ok()?.gpa;
            usize::try_from(dump.frame(gpa.pfn()).ok()?.0).ok()
        };
        Self {
            pages: frames
                .keys()
                .filter_map(|page| Some((page.0, place(&page.0)?)))
                .collect(),
            base: kdump::kernel_image(&dump).unwrap().base,
            layout: pdb.resolve(&alpc::CONTRACT).unwrap(),
            file,
        }
    }

    fn said(&self, file: Vec<u8>) -> Said {
        let dump = Dump::from_bytes("world", file).unwrap();
        Said::of(&alpc::kernel(&dump, self.base, self.layout.clone()))
    }

    /// The dump with some of its memory overwritten; none where that is not in it.
    fn smeared(&self, from: u64, len: u64, fill: Fill) -> Option<Vec<u8>> {
        let mut file = self.file.clone();
        for at in from..from + len {
            let place = self.pages.get(&(at & !0xfff))? + usize::try_from(at & 0xfff).unwrap();
            file[place] = fill.byte(usize::try_from(at & 0xffff).unwrap());
        }
        Some(file)
    }
}

/// What is told of a system.
struct Said {
    /// Where the chain of each wait for a reply ends, by its thread.
    ends: BTreeMap<u64, RootKind>,
    /// Proven rings.
    deadlocks: usize,
    /// Whether anything says that it could not be read.
    partial: bool,
    /// What each condition came to.
    verdicts: Vec<Verdict>,
    snapshot: Snapshot,
    text: String,
}

fn conditions() -> Vec<Condition> {
    let image = |image: &str| Whose {
        image: Some(image.to_owned()),
        port: None,
        call: None,
    };
    let port = |port: &str| Whose {
        image: None,
        port: Some(port.to_owned()),
        call: None,
    };
    let mut all = vec![
        Condition::NoDeadlock { possible: false },
        Condition::NoDeadlock { possible: true },
    ];
    for whose in [
        Whose::default(),
        image("explorer.exe"),
        image("lsass.exe"),
        port("lsasspirpc"),
    ] {
        all.push(Condition::Wait {
            longest: TimeSpan(0),
            whose: whose.clone(),
        });
        all.push(Condition::Waiting { at_most: 0, whose });
    }
    all
}

impl Said {
    fn of(kernel: &Kernel<'_>) -> Self {
        let graph = wait::waits(kernel);
        let table = WaitTable::of(&graph);
        let hang = Hang::of_graph(kernel.dump(), &graph);
        let facts = Facts::new(kernel);
        let json = serde_json::to_value(&table).unwrap();
        Self {
            ends: table
                .waits
                .iter()
                .map(|row| (row.waiter.address.u64(), row.end))
                .collect(),
            deadlocks: hang.deadlocks.len(),
            partial: is_partial(&json),
            verdicts: conditions()
                .iter()
                .map(|condition| facts.check(condition).verdict)
                .collect(),
            snapshot: Snapshot::of(kernel),
            text: format!("{:?} {:?}", hang.signature, table.unread),
        }
    }
}

/// Whether a record says that memory hides something of it.
fn is_partial(record: &Value) -> bool {
    match record {
        Value::Object(members) => {
            let id = members.get("$unreadable").map(|reason| reason["id"].clone());
            match id.as_ref().and_then(Value::as_str) {
                Some("implausible" | "null-pointer" | "withheld") => false,
                Some(_) => true,
                None => members.values().any(is_partial),
            }
        }
        Value::Array(items) => items.iter().any(is_partial),
        _ => false,
    }
}

/// What is told of a world after something was overwritten, and was not true of the whole one.
fn lies(whole: &Said, said: &Said) -> Vec<String> {
    let mut lies = Vec::new();
    let mut hold = |holds: bool, lie: String| {
        if !holds {
            lies.push(lie);
        }
    };
    for (thread, end) in &whole.ends {
        match said.ends.get(thread) {
            None => hold(said.partial, format!("the wait of {thread:x} is lost")),
            Some(now) if now == end => {}
            // A lock whose owner memory hides: the wait for it is one that was not read.
            Some(RootKind::Unreadable | RootKind::Lock) => {
                hold(
                    said.partial,
                    format!("nothing says why the chain of {thread:x} ends"),
                );
            }
            Some(now) => hold(
                false,
                format!("the chain of {thread:x} ends as {now:?}, not {end:?}"),
            ),
        }
    }
    for thread in said.ends.keys() {
        hold(whole.ends.contains_key(thread), format!("{thread:x} waits"));
    }
    hold(
        said.partial || said.deadlocks >= whole.deadlocks,
        "a deadlock is lost".to_owned(),
    );
    for (at, (before, now)) in whole.verdicts.iter().zip(&said.verdicts).enumerate() {
        let silent = (*before, *now) == (Verdict::Fail, Verdict::Pass);
        hold(!silent, format!("condition {at} holds"));
    }
    let diff = diff::diff(&whole.snapshot, &said.snapshot, Some(diff::By::Addresses));
    for section in [&diff.processes, &diff.ports, &diff.connections, &diff.waits] {
        for change in &section.changes {
            hold(
                change.change != Became::Went,
                format!("gone: {:?} {:?}", change.subject, change.address),
            );
        }
    }
    lies
}

/// What is overwritten alone: whatever a chain leads through, with the header before it.
fn things(scene: &Scene) -> BTreeMap<String, (u64, u64)> {
    let truth = &scene.built.truth;
    let mut things = BTreeMap::new();
    let mut add = |what: &str, at: synth::address::Va, header: u64, len: u64| {
        if !at.is_null() {
            things.insert(format!("{what} {at}"), (at.0 - header, len + header));
        }
    };
    for message in &truth.messages {
        add("message", message.address, 0, 0x100);
        add("message and blob header", message.address, 0x20, 0x100);
    }
    for thread in &truth.threads {
        add("head of thread", thread.address, 0, 0x100);
        add("first part of thread", thread.address, 0, 0x300);
    }
    for port in &truth.ports {
        add("port", port.address, 0, 0x180);
        add("port and its header", port.address, 0x30, 0x180);
        add("end of port", port.address + 0x90, 0, 0x100);
    }
    for info in &truth.communication_infos {
        add("communication info", info.address, 0, 0x40);
    }
    for queue in &truth.queues {
        add("completion port", queue.address, 0, 0x38);
    }
    for process in &truth.processes {
        add("head of process", process.address, 0, 0x80);
    }
    for what in ["mutant", "lock", "request", "device", "driver"] {
        if let Some(&at) = scene.cast.get(what) {
            add(what, at, 0, 0x20);
        }
    }
    things
}

fn sweep(name: &str, scene: &Scene) {
    let world = World::of(&scene.built);
    let whole = world.said(world.file.clone());
    assert!(!whole.ends.is_empty(), "{name}");
    assert!(!whole.partial, "{name}: {}", whole.text);
    let kernel_image: BTreeSet<u64> = world
        .pages
        .keys()
        .copied()
        .filter(|page| *page >= world.base.u64() && *page < world.base.u64() + 0x100_0000)
        .collect();
    let pages = world.pages.keys().filter(|page| !kernel_image.contains(page));
    let pages = pages.map(|&page| (format!("page {page:x}"), (page, 0x1000)));
    let mut found: Vec<String> = Vec::new();
    for (what, (from, len)) in pages.chain(things(scene)) {
        for fill in Fill::ALL {
            if let Some(file) = world.smeared(from, len, fill) {
                let said = world.said(file);
                let lies = lies(&whole, &said).into_iter();
                found.extend(lies.map(|lie| format!("{name}, {what} is {fill:?}: {lie}; {}", said.text)));
            }
        }
    }
    assert!(found.is_empty(), "{} lies\n{}", found.len(), found.join("\n"));
}

#[test]
fn a_chain_to_a_mutant_never_ends_at_what_was_overwritten() {
    for kernel in ["vista-sp2-x64", "win11-22h2-x64", "win7-sp1-x86"] {
        sweep("row to a mutant", &hang::row_to_mutant(kernel));
    }
}

#[test]
fn a_deadlock_is_not_lost_in_what_was_overwritten() {
    for kernel in ["win81-x64", "win7-sp1-x86"] {
        sweep("ring of three", &hang::ring_of_three(kernel));
    }
    sweep("self call", &hang::self_call("vista-sp2-x64"));
    sweep("exhausted pool", &hang::exhausted_pool("vista-sp2-x64"));
}

#[test]
fn servers_that_were_overwritten_do_not_run() {
    sweep("at the limit", &hang::at_limit("vista-sp2-x64"));
    sweep("blocked queue", &hang::blocked_queue("win10-2004-x64", 4, 2));
    for doing in [
        Server::Suspended,
        Server::Receiving,
        Server::Missing,
        Server::Running,
    ] {
        sweep(&format!("{doing:?}"), &hang::served_by("vista-sp2-x64", doing));
    }
}

#[test]
fn owners_of_locks_that_were_overwritten_are_not_gone() {
    let kernel = synth::layout::Kernel::complete().into_iter().next_back().unwrap();
    for held in [Held::Alone, Held::Shared, Held::FastMutex, Held::PushLock] {
        sweep(&format!("{held:?}"), &hang::lock(kernel, held));
    }
    sweep("process", &hang::row_to_process("vista-sp2-x64"));
}

#[test]
fn requests_that_were_overwritten_are_not_lost() {
    let kernel = synth::layout::Kernel::complete().into_iter().next_back().unwrap();
    sweep("request", &hang::io(kernel, Io::Event));
}
