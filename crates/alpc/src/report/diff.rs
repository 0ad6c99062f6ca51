//! Two dumps, compared: what appeared, what went, what grew and what still is.
//!
//! Dumps of one boot are compared by addresses, with what tells whether memory was used again for another thing:
//! creation times and sequence numbers. Dumps of different machines or boots are compared by names, and by how many
//! things have each.
//!
//! What one dump cannot tell never counts as appeared or gone: it is unknown, and says why.

use std::collections::BTreeMap;

use kdump::{FileTime, TimeSpan};
#[cfg(feature = "schema")]
use schemars::JsonSchema;
#[cfg(feature = "serde")]
use serde::Serialize;

use crate::report::snapshot::{Boot, ConnectionFact, Listed, PortFact, ProcessFact, Snapshot, WaitFact};
use crate::wait::signature::without_drawn;
use crate::wait::unread::{Part, Unread};
use ntkernel::image::value::{Addr, Unreadable, Value};
use ntkernel::process::ProcessRef;
use ntkernel::why;

/// Two boots whose starts are nearer than this, by the headers' clocks, may be one: clocks are set and slewed while a
/// system runs. In 100 ns.
const TOLERANCE: u64 = 60 * 10_000_000;

/// What a change names of that which may hide it; the section has all.
const NAMED: usize = 4;

/// What makes two things the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum By {
    /// Their addresses.
    Addresses,
    /// Their names.
    Names,
}

/// Which of the two dumps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Which {
    /// The one that was given first.
    First,
    /// The other.
    Second,
}

/// What has changed between two dumps.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct Diff {
    /// What makes two things the same here.
    pub by: By,
    /// Whether both dumps are of one boot; none when that cannot be determined.
    pub same_boot: Option<bool>,
    /// What says so.
    pub evidence: Vec<BootEvidence>,
    /// Things that differ.
    pub differences: usize,
    /// Things of which it cannot be determined.
    pub unknown: usize,
    /// Processes.
    pub processes: Changes,
    /// Connection ports.
    pub ports: Changes,
    /// Connections, by their clients' ports.
    pub connections: Changes,
    /// Waits for ALPC replies.
    pub waits: Changes,
    /// Threads that chains of waits end at in both dumps, those with most threads behind them in the second first; only
    /// where addresses make things the same. What they did in between is no difference.
    pub ends: Vec<EndInBoth>,
}

/// A thread that chains of waits end at in both dumps.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct EndInBoth {
    /// Its `_ETHREAD`.
    pub thread: Addr,
    /// Its process's id.
    pub process_id: Option<u64>,
    /// Its id.
    pub thread_id: Option<u64>,
    /// Its process's image name.
    pub image: Option<String>,
    /// Where it is in the first dump, as `nt!ExpWaitForResource+0x6d`; none where its stack does not tell.
    pub first: Option<String>,
    /// Where it is in the second dump.
    pub second: Option<String>,
    /// How often it was switched to in between; 0 of one that did not run at all. None where one of the dumps does not say.
    pub switches: Option<u32>,
}

/// Something that both dumps say of their boot.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct BootEvidence {
    /// What it is, in words.
    pub what: &'static str,
    /// What the first dump says; none when it does not.
    pub first: Option<Said>,
    /// What the second dump says.
    pub second: Option<Said>,
    /// Whether they agree; none when one of them does not say.
    pub agree: Option<bool>,
}

/// What a dump says of its boot.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(feature = "serde", serde(untagged))]
pub enum Said {
    /// An address.
    Address(Addr),
    /// A time.
    Time(FileTime),
    /// A name.
    Text(String),
}

/// Things of one kind in both dumps.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct Changes {
    /// How many are in both.
    pub same: u64,
    /// What changed, and what is unknown; of waits also those that still are.
    pub changes: Vec<Change>,
    /// Why one of the dumps may have more.
    pub unread: Vec<Doubt>,
}

/// What a dump cannot tell.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct Doubt {
    /// The dump.
    pub dump: Which,
    /// What cannot be read, and why.
    #[cfg_attr(feature = "serde", serde(flatten))]
    pub part: Unread,
}

/// What became of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Became {
    /// Only the second dump has it.
    Appeared,
    /// Only the first dump has it.
    Went,
    /// There is more of it.
    Grew,
    /// There is less of it.
    Shrank,
    /// It still is, as it was.
    Persisted,
    /// One of the dumps cannot tell.
    Unknown,
}

/// What is measured of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Measure {
    /// How many things have the name.
    Count,
    /// Messages in its queues.
    Queued,
    /// Its connections.
    Connections,
    /// How long it has waited.
    Waited,
}

/// What was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(feature = "serde", serde(untagged))]
pub enum Amount {
    /// A number of things.
    Number(u64),
    /// A span of time.
    Span(TimeSpan),
}

/// A change.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct Change {
    /// What became of it.
    pub change: Became,
    /// What it is.
    pub subject: Subject,
    /// What the numbers measure, if there are any.
    pub measure: Option<Measure>,
    /// How much it is in the first dump.
    pub first: Option<Amount>,
    /// How much it is in the second dump.
    pub second: Option<Amount>,
    /// Its address, when addresses make things the same.
    pub address: Option<Addr>,
    /// Why it is unknown: the first of what is listed in the section, or what cannot be read of it.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Vec::is_empty"))]
    pub unread: Vec<Doubt>,
}

/// What something is called. What could not be read, or is not there, is none.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(feature = "serde", serde(tag = "kind", rename_all = "kebab-case"))]
pub enum Subject {
    /// A process.
    Process {
        /// Its image name, cut to 14 characters.
        image: Option<String>,
        /// The image name of the process that made it.
        parent: Option<String>,
        /// Its id; none where things are told by name.
        process_id: Option<u64>,
    },
    /// A connection port.
    Port {
        /// Its full path; where things are told by name, `*` stands for what is drawn at run time.
        path: Option<String>,
        /// The image name of its owner.
        owner: Option<String>,
    },
    /// A connection.
    Connection {
        /// The image name of the client.
        client: Option<String>,
        /// The full path of the connection port.
        path: Option<String>,
        /// The image name of the server.
        server: Option<String>,
    },
    /// A wait for a reply.
    Wait {
        /// The image name of the process that waits.
        client: Option<String>,
        /// The name of the port.
        port: Option<String>,
        /// The image name of the process that is to answer.
        server: Option<String>,
        /// Which call it is for: a procedure by its name, or as `lsarpc/76`.
        call: Option<String>,
        /// Process and thread id; none where things are told by name.
        thread: Option<(u64, u64)>,
    },
}

/// Whether something is there.
enum There {
    Yes,
    No,
    Maybe(Unread),
}

/// Which of the dumps was taken first.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    Forward,
    Backward,
    Unknown,
}

impl Order {
    fn of(first: &Boot, second: &Boot) -> Self {
        match (&first.ticks, &second.ticks) {
            // The clock of a running machine may be set back, the count of its ticks cannot.
            (Value::Known(first), Value::Known(second)) if first < second => Self::Forward,
            (Value::Known(first), Value::Known(second)) if first > second => Self::Backward,
            // Within one tick either may have been the first.
            _ => Self::Unknown,
        }
    }

    /// Whether a number that only grows went back, so that it is another thing's. It may come round at 32 bits.
    fn went_back(self, first: &Value<u32>, second: &Value<u32>) -> bool {
        let (Value::Known(first), Value::Known(second)) = (first, second) else {
            return false;
        };
        match self {
            Self::Forward => second.wrapping_sub(*first).cast_signed() < 0,
            Self::Backward => first.wrapping_sub(*second).cast_signed() < 0,
            Self::Unknown => false,
        }
    }
}

/// Something that two dumps may have in common.
trait Fact {
    fn address(&self) -> Addr;

    fn there(&self) -> There {
        There::Yes
    }

    /// Whether the thing at the same address in the second dump is this one; none when that cannot be determined.
    fn is(&self, other: &Self, order: Order) -> Result<bool, Doubt>;

    /// What it is called, as far as that is known.
    fn subject(&self) -> Subject;

    /// What it is called wherever it is.
    fn name(&self) -> Result<Subject, Unread>;

    /// What is measured of it: in dumps of one boot all, else what does not depend on the moment.
    fn measures(&self) -> Vec<(Measure, Value<u64>)>;
}

/// Compares two dumps; `asked` for what makes things the same, else that depends on whether the boot is one.
#[must_use]
pub fn diff(first: &Snapshot, second: &Snapshot, asked: Option<By>) -> Diff {
    let (same_boot, evidence) = boots(&first.boot, &second.boot);
    let by = asked.unwrap_or(match same_boot {
        Some(true) => By::Addresses,
        Some(false) | None => By::Names,
    });
    let order = Order::of(&first.boot, &second.boot);
    let sections = [
        section(&first.processes, &second.processes, by, order),
        section(&first.ports, &second.ports, by, order),
        section(&first.connections, &second.connections, by, order),
        section(&first.waits, &second.waits, by, order),
    ];
    let is = |became: fn(Became) -> bool| {
        let changes = sections.iter().flat_map(|section| &section.changes);
        changes.filter(|change| became(change.change)).count()
    };
    let differences = is(|became| !matches!(became, Became::Persisted | Became::Unknown));
    let unread: usize = sections.iter().map(|section| section.unread.len()).sum();
    let unknown = is(|became| became == Became::Unknown).saturating_add(unread);
    let [processes, ports, connections, waits] = sections;
    Diff {
        by,
        same_boot,
        evidence,
        differences,
        unknown,
        processes,
        ports,
        connections,
        waits,
        ends: match by {
            By::Addresses => ends(first, second, order),
            By::Names => Vec::new(),
        },
    }
}

/// The same thread is at the same address under the same id; ids are used again, but hardly there.
fn ends(first: &Snapshot, second: &Snapshot, order: Order) -> Vec<EndInBoth> {
    let both = second.ends.iter().filter_map(|later| {
        let earlier = first
            .ends
            .iter()
            .find(|earlier| earlier.address == later.address && earlier.thread_id == later.thread_id)?;
        let switches = earlier.switches.known().zip(later.switches.known());
        Some(EndInBoth {
            thread: later.address,
            process_id: later.process_id,
            thread_id: later.thread_id,
            image: later.image.clone(),
            first: earlier.site.clone(),
            second: later.site.clone(),
            switches: switches.map(|(earlier, later)| match order {
                // KTHREAD.ContextSwitches has 32 bits.
                Order::Backward => earlier.wrapping_sub(*later),
                Order::Forward | Order::Unknown => later.wrapping_sub(*earlier),
            }),
        })
    });
    both.collect()
}

/// Whether two dumps are of one boot.
///
/// The kernel, the base of its image, and the System process with the time of its creation must be the same in both,
/// as far as both tell. The time of that creation is then enough; where one of the dumps does not tell it, the start
/// of the system by the headers' clocks must be the same within [`TOLERANCE`].
fn boots(first: &Boot, second: &Boot) -> (Option<bool>, Vec<BootEvidence>) {
    let time = |time: &Value<Option<FileTime>>| time.known().copied().flatten().map(Said::Time);
    let kernel = evidence(
        "kernel",
        first.kernel.clone().map(Said::Text),
        second.kernel.clone().map(Said::Text),
    );
    let base = evidence(
        // The kernel is loaded elsewhere at each start (Windows Internals on address space randomization), so that
        // two starts agree here by rare chance.
        "kernel base",
        Some(Said::Address(first.base)),
        Some(Said::Address(second.base)),
    );
    let address = |boot: &Boot| boot.system.known().copied().map(Said::Address);
    let system = evidence("System process", address(first), address(second));
    let created = evidence(
        "creation of System",
        time(&first.system_created),
        time(&second.system_created),
    );
    let mut started = evidence(
        "start by the header",
        first.started.map(Said::Time),
        second.started.map(Said::Time),
    );
    let apart = first
        .started
        .zip(second.started)
        .map(|(first, second)| first.0.abs_diff(second.0));
    started.agree = apart.map(|apart| apart <= TOLERANCE);
    let firm = [&kernel, &base, &system, &created];
    let same = if firm.iter().any(|evidence| evidence.agree == Some(false)) {
        Some(false)
    } else if created.agree == Some(true) {
        Some(true)
    } else {
        started.agree
    };
    (same, vec![kernel, base, system, created, started])
}

fn evidence(what: &'static str, first: Option<Said>, second: Option<Said>) -> BootEvidence {
    let agree = first
        .as_ref()
        .zip(second.as_ref())
        .map(|(first, second)| first == second);
    BootEvidence {
        what,
        first,
        second,
        agree,
    }
}

fn section<T: Fact>(first: &Listed<T>, second: &Listed<T>, by: By, order: Order) -> Changes {
    let mut section = match by {
        By::Addresses => by_addresses(first, second, order),
        By::Names => by_names(first, second),
    };
    section.changes.sort_by(|one, other| {
        let key = |change: &Change| (change.change, change.measure, change.address);
        (key(one), &one.subject).cmp(&(key(other), &other.subject))
    });
    section
}

fn doubts(dump: Which, parts: &[Unread]) -> Vec<Doubt> {
    let doubt = |part: &Unread| Doubt {
        dump,
        part: part.clone(),
    };
    parts.iter().map(doubt).collect()
}

fn first_doubts(dump: Which, parts: &[Unread]) -> Vec<Doubt> {
    doubts(dump, parts.get(..NAMED).unwrap_or(parts))
}

/// Compares by addresses.
fn by_addresses<T: Fact>(first: &Listed<T>, second: &Listed<T>, order: Order) -> Changes {
    let mut pairs: BTreeMap<Addr, [Option<&T>; 2]> = BTreeMap::new();
    for fact in &first.all {
        pairs.entry(fact.address()).or_default()[0] = Some(fact);
    }
    for fact in &second.all {
        pairs.entry(fact.address()).or_default()[1] = Some(fact);
    }
    let mut section = Changes {
        same: 0,
        changes: Vec::new(),
        unread: doubts(Which::First, &first.unread),
    };
    section.unread.extend(doubts(Which::Second, &second.unread));
    for [one, other] in pairs.into_values() {
        match (one, other) {
            (Some(one), Some(other)) => match one.is(other, order) {
                Ok(true) => section.both(one, other),
                Ok(false) => {
                    section.only(one, Which::First, &[]);
                    section.only(other, Which::Second, &[]);
                }
                Err(doubt) => section.unknown(one, None, vec![doubt]),
            },
            (Some(one), None) => section.only(one, Which::First, &second.unread),
            (None, Some(other)) => section.only(other, Which::Second, &first.unread),
            (None, None) => {}
        }
    }
    section
}

impl Changes {
    /// Something that only one of the dumps has; `hidden` may hide it in the other.
    fn only<T: Fact>(&mut self, fact: &T, has: Which, hidden: &[Unread]) {
        let (became, other) = match has {
            Which::First => (Became::Went, Which::Second),
            Which::Second => (Became::Appeared, Which::First),
        };
        match fact.there() {
            There::No => {}
            There::Maybe(part) => self.unknown(fact, None, vec![Doubt { dump: has, part }]),
            There::Yes if !hidden.is_empty() => self.unknown(fact, None, first_doubts(other, hidden)),
            There::Yes => self.push(fact, became, None, [None, None], Vec::new()),
        }
    }

    /// Something that both dumps have.
    fn both<T: Fact>(&mut self, one: &T, other: &T) {
        match (one.there(), other.there()) {
            (There::Yes, There::Yes) => self.measure(one, other),
            (There::Yes, There::No) => self.push(one, Became::Went, None, [None, None], Vec::new()),
            (There::No, There::Yes) => self.push(other, Became::Appeared, None, [None, None], Vec::new()),
            (There::No, There::No) => {}
            (There::Maybe(part), _) => {
                let dump = Which::First;
                self.unknown(one, None, vec![Doubt { dump, part }]);
            }
            (_, There::Maybe(part)) => {
                let dump = Which::Second;
                self.unknown(one, None, vec![Doubt { dump, part }]);
            }
        }
    }

    fn measure<T: Fact>(&mut self, one: &T, other: &T) {
        self.same = self.same.saturating_add(1);
        for ((measure, first), (_, second)) in one.measures().into_iter().zip(other.measures()) {
            let (first, second) = match (first, second) {
                (Value::Known(first), Value::Known(second)) => (first, second),
                (first, second) => {
                    let holes = [(Which::First, first), (Which::Second, second)];
                    let doubts = holes.into_iter().filter_map(|(dump, value)| {
                        let part = Unread::new(measure.part(), Some(one.address()), value.reason()?.clone());
                        Some(Doubt { dump, part })
                    });
                    self.unknown(one, Some(measure), doubts.collect());
                    continue;
                }
            };
            let became = compared(first, second);
            // That a wait is still the same is worth a word.
            if became != Became::Persisted || measure == Measure::Waited {
                self.push(
                    other,
                    became,
                    Some(measure),
                    [Some(first), Some(second)],
                    Vec::new(),
                );
            }
        }
    }

    fn unknown<T: Fact>(&mut self, fact: &T, measure: Option<Measure>, doubts: Vec<Doubt>) {
        self.push(fact, Became::Unknown, measure, [None, None], doubts);
    }

    fn push<T: Fact>(
        &mut self,
        fact: &T,
        change: Became,
        measure: Option<Measure>,
        [first, second]: [Option<u64>; 2],
        unread: Vec<Doubt>,
    ) {
        self.changes.push(Change {
            change,
            subject: fact.subject(),
            measure,
            first: first.zip(measure).map(|(units, measure)| measure.amount(units)),
            second: second.zip(measure).map(|(units, measure)| measure.amount(units)),
            address: Some(fact.address()),
            unread,
        });
    }
}

impl Measure {
    fn amount(self, units: u64) -> Amount {
        match self {
            Self::Waited => Amount::Span(TimeSpan(units)),
            Self::Count | Self::Queued | Self::Connections => Amount::Number(units),
        }
    }

    /// What cannot be read when it is not known.
    fn part(self) -> Part {
        match self {
            Self::Count => Part::Count,
            Self::Queued => Part::PortQueues,
            Self::Connections => Part::PortConnections,
            Self::Waited => Part::WaitLength,
        }
    }
}

fn compared(first: u64, second: u64) -> Became {
    match first.cmp(&second) {
        std::cmp::Ordering::Less => Became::Grew,
        std::cmp::Ordering::Greater => Became::Shrank,
        std::cmp::Ordering::Equal => Became::Persisted,
    }
}

/// The things of one name in one dump.
#[derive(Default)]
struct Group {
    count: u64,
    /// Sums, and what is missing of them.
    sums: BTreeMap<Measure, (u64, Vec<Unread>)>,
}

/// What one dump has, by name, and why it may have more of any.
fn groups<T: Fact>(listed: &Listed<T>) -> (BTreeMap<Subject, Group>, Vec<Unread>) {
    let mut groups: BTreeMap<Subject, Group> = BTreeMap::new();
    let mut hidden = listed.unread.clone();
    for fact in &listed.all {
        match fact.there() {
            There::Yes => {}
            There::No => continue,
            There::Maybe(part) => {
                hidden.push(part);
                continue;
            }
        }
        let name = match fact.name() {
            Ok(name) => name,
            Err(part) => {
                hidden.push(part);
                continue;
            }
        };
        let group = groups.entry(name).or_default();
        group.count = group.count.saturating_add(1);
        for (measure, value) in fact.measures() {
            // How long a wait has lasted is nothing to another machine.
            if measure == Measure::Waited {
                continue;
            }
            let (sum, missing) = group.sums.entry(measure).or_default();
            match value {
                Value::Known(value) => *sum = sum.saturating_add(value),
                Value::Missing(hole) => {
                    missing.push(Unread::new(measure.part(), Some(fact.address()), *hole));
                }
            }
        }
    }
    (groups, hidden)
}

/// Compares by names.
fn by_names<T: Fact>(first: &Listed<T>, second: &Listed<T>) -> Changes {
    let (mut one, hidden_one) = groups(first);
    let (mut other, hidden_other) = groups(second);
    let mut section = Changes {
        same: 0,
        changes: Vec::new(),
        unread: doubts(Which::First, &hidden_one),
    };
    section.unread.extend(doubts(Which::Second, &hidden_other));
    let mut names: Vec<Subject> = one.keys().chain(other.keys()).cloned().collect();
    names.sort();
    names.dedup();
    for name in names {
        let one = one.remove(&name).unwrap_or_default();
        let other = other.remove(&name).unwrap_or_default();
        section.same = section.same.saturating_add(one.count.min(other.count));
        let counts = [(one.count, &hidden_one), (other.count, &hidden_other)];
        section.count(&name, Measure::Count, counts);
        if one.count == 0 || other.count == 0 {
            continue;
        }
        for (measure, (sum, missing)) in &one.sums {
            let Some((second_sum, second_missing)) = other.sums.get(measure) else {
                continue;
            };
            if !missing.is_empty() || !second_missing.is_empty() {
                let mut unread = first_doubts(Which::First, missing);
                unread.extend(first_doubts(Which::Second, second_missing));
                section.change(
                    &name,
                    Became::Unknown,
                    *measure,
                    [Some(*sum), Some(*second_sum)],
                    unread,
                );
                continue;
            }
            let sums = [(*sum, &hidden_one), (*second_sum, &hidden_other)];
            section.count(&name, *measure, sums);
        }
    }
    section
}

impl Changes {
    /// A number that both dumps have; what is hidden in the one that has less may make up for it.
    fn count(
        &mut self,
        name: &Subject,
        measure: Measure,
        [(first, hidden_first), (second, hidden_second)]: [(u64, &Vec<Unread>); 2],
    ) {
        let (became, fewer, hidden) = match compared(first, second) {
            Became::Grew => (Became::Grew, Which::First, hidden_first),
            Became::Shrank => (Became::Shrank, Which::Second, hidden_second),
            _ => return,
        };
        let numbers = [Some(first), Some(second)];
        if !hidden.is_empty() {
            return self.change(
                name,
                Became::Unknown,
                measure,
                numbers,
                first_doubts(fewer, hidden),
            );
        }
        let became = match (became, measure, first, second) {
            (_, Measure::Count, 0, _) => Became::Appeared,
            (_, Measure::Count, _, 0) => Became::Went,
            (became, ..) => became,
        };
        self.change(name, became, measure, numbers, Vec::new());
    }

    fn change(
        &mut self,
        name: &Subject,
        change: Became,
        measure: Measure,
        [first, second]: [Option<u64>; 2],
        unread: Vec<Doubt>,
    ) {
        self.changes.push(Change {
            change,
            subject: name.clone(),
            measure: Some(measure),
            first: first.map(|units| measure.amount(units)),
            second: second.map(|units| measure.amount(units)),
            address: None,
            unread,
        });
    }
}

/// Whether two dumps say the same; none when one of them does not say.
fn agree<T: PartialEq>(first: &Value<T>, second: &Value<T>) -> Option<bool> {
    Some(first.known()? == second.known()?)
}

/// What neither of two values tells.
fn doubt<T>(what: Part, at: Addr, first: &Value<T>, second: &Value<T>) -> Doubt {
    let (dump, hole) = match (first.reason(), second.reason()) {
        (Some(hole), _) => (Which::First, hole.clone()),
        (None, Some(hole)) => (Which::Second, hole.clone()),
        (None, None) => (
            Which::First,
            Unreadable::Walk(why!("nothing distinguishes the two")),
        ),
    };
    Doubt {
        dump,
        part: Unread::new(what, Some(at), hole),
    }
}

fn owner_address(owner: &Value<Option<ProcessRef>>) -> Value<Option<Addr>> {
    owner.clone().map(|owner| owner.map(|process| process.address))
}

/// The image name of a process that something belongs to; none for nobody's.
fn image(owner: &Value<Option<ProcessRef>>) -> Result<Option<String>, Unreadable> {
    match owner.get()? {
        Some(process) => process.image.get().cloned().map(Some),
        None => Ok(None),
    }
}

/// A path or name without what is drawn at run time.
fn stable(path: &Value<Option<String>>) -> Result<Option<String>, Unreadable> {
    let path = path.get()?.as_deref();
    Ok(path.map(|path| without_drawn(path, String::push)))
}

impl Fact for ProcessFact {
    fn address(&self) -> Addr {
        self.address
    }

    fn there(&self) -> There {
        match &self.running {
            Value::Known(true) => There::Yes,
            Value::Known(false) => There::No,
            // A kernel whose symbols do not say when processes end lists those that run.
            Value::Missing(hole) if hole.is_absence() => There::Yes,
            Value::Missing(hole) => There::Maybe(Unread::new(
                Part::ProcessEnd,
                Some(self.address),
                (**hole).clone(),
            )),
        }
    }

    fn is(&self, other: &Self, _: Order) -> Result<bool, Doubt> {
        // An id is given again soon after its process has ended, a time in 100 ns is not.
        if let Some(same) = agree(&self.created, &other.created) {
            return Ok(same);
        }
        let same = [
            agree(&self.process_id, &other.process_id),
            agree(&self.image, &other.image),
        ];
        match same {
            [Some(false), _] | [_, Some(false)] => Ok(false),
            [Some(true), Some(true)] => Ok(true),
            _ => Err(doubt(
                Part::ProcessCreation,
                self.address,
                &self.created,
                &other.created,
            )),
        }
    }

    fn subject(&self) -> Subject {
        Subject::Process {
            image: self.image.known().cloned(),
            parent: self.parent.known().cloned().flatten(),
            process_id: self.process_id.known().copied(),
        }
    }

    fn name(&self) -> Result<Subject, Unread> {
        let part = |hole| Unread::new(Part::ProcessName, Some(self.address), hole);
        Ok(Subject::Process {
            image: Some(self.image.get().cloned().map_err(part)?),
            parent: self.parent.get().cloned().map_err(part)?,
            process_id: None,
        })
    }

    fn measures(&self) -> Vec<(Measure, Value<u64>)> {
        Vec::new()
    }
}

impl Fact for PortFact {
    fn address(&self) -> Addr {
        self.address
    }

    fn is(&self, other: &Self, order: Order) -> Result<bool, Doubt> {
        let same = [
            agree(&self.path, &other.path),
            agree(&owner_address(&self.owner), &owner_address(&other.owner)),
            agree(&self.info, &other.info),
        ];
        // No port is ever given another name: the name of one of the two was overwritten.
        if same == [Some(false), Some(true), Some(true)]
            && !order.went_back(&self.sequence_no, &other.sequence_no)
        {
            return Err(doubt(Part::PortName, self.address, &self.path, &other.path));
        }
        if same.contains(&Some(false)) || order.went_back(&self.sequence_no, &other.sequence_no) {
            return Ok(false);
        }
        match same {
            [_, _, Some(true)] | [Some(true), Some(true), _] => Ok(true),
            _ => Err(doubt(Part::Port, self.address, &self.info, &other.info)),
        }
    }

    fn subject(&self) -> Subject {
        Subject::Port {
            path: self.path.known().cloned().flatten(),
            owner: image(&self.owner).ok().flatten(),
        }
    }

    fn name(&self) -> Result<Subject, Unread> {
        let part = |hole| Unread::new(Part::PortName, Some(self.address), hole);
        Ok(Subject::Port {
            path: stable(&self.path).map_err(part)?,
            owner: image(&self.owner).map_err(part)?,
        })
    }

    fn measures(&self) -> Vec<(Measure, Value<u64>)> {
        vec![
            (Measure::Queued, self.queued.clone()),
            (Measure::Connections, self.connections.clone()),
        ]
    }
}

impl Fact for ConnectionFact {
    fn address(&self) -> Addr {
        self.address
    }

    fn is(&self, other: &Self, order: Order) -> Result<bool, Doubt> {
        // A client's port and its info are made together: a new connection in a port's old memory has another info.
        let same = [
            agree(&self.info, &other.info),
            agree(&owner_address(&self.client), &owner_address(&other.client)),
            agree(&self.port, &other.port),
        ];
        if same.contains(&Some(false)) || order.went_back(&self.sequence_no, &other.sequence_no) {
            return Ok(false);
        }
        match same {
            [Some(true), ..] => Ok(true),
            _ => Err(doubt(Part::Connection, self.address, &self.info, &other.info)),
        }
    }

    fn subject(&self) -> Subject {
        Subject::Connection {
            client: image(&self.client).ok().flatten(),
            path: self.path.known().cloned().flatten(),
            server: image(&self.server).ok().flatten(),
        }
    }

    fn name(&self) -> Result<Subject, Unread> {
        let part = |hole| Unread::new(Part::ConnectionEnds, Some(self.address), hole);
        Ok(Subject::Connection {
            client: image(&self.client).map_err(part)?,
            path: stable(&self.path).map_err(part)?,
            server: image(&self.server).map_err(part)?,
        })
    }

    fn measures(&self) -> Vec<(Measure, Value<u64>)> {
        vec![(Measure::Queued, self.queued.clone())]
    }
}

impl Fact for WaitFact {
    fn address(&self) -> Addr {
        self.address
    }

    fn there(&self) -> There {
        match &self.unconfirmed {
            None => There::Yes,
            Some(hole) => There::Maybe(Unread::new(Part::Message, Some(self.message), hole.clone())),
        }
    }

    fn is(&self, other: &Self, _: Order) -> Result<bool, Doubt> {
        let ids = [
            agree(&self.thread_id, &other.thread_id),
            agree(&self.message_id, &other.message_id),
            agree(&self.sequence_no, &other.sequence_no),
        ];
        if self.message != other.message || ids.contains(&Some(false)) {
            return Ok(false);
        }
        match ids[2] {
            Some(true) => Ok(true),
            _ => Err(doubt(
                Part::MessageNumber,
                self.message,
                &self.sequence_no,
                &other.sequence_no,
            )),
        }
    }

    fn subject(&self) -> Subject {
        let ids = self.process_id.known().zip(self.thread_id.known());
        Subject::Wait {
            client: image(&self.client).ok().flatten(),
            port: self.port.known().cloned().flatten(),
            server: image(&self.server).ok().flatten(),
            call: self.call.clone(),
            thread: ids.map(|(process, thread)| (*process, *thread)),
        }
    }

    fn name(&self) -> Result<Subject, Unread> {
        let part = |hole| Unread::new(Part::WaitEnds, Some(self.address), hole);
        Ok(Subject::Wait {
            client: image(&self.client).map_err(part)?,
            port: stable(&self.port).map_err(part)?,
            server: image(&self.server).map_err(part)?,
            // It is told, and makes no wait another one: what hides it in one dump does not in the other.
            call: None,
            thread: None,
        })
    }

    fn measures(&self) -> Vec<(Measure, Value<u64>)> {
        vec![(Measure::Waited, self.waited.clone().map(|waited| waited.0))]
    }
}

#[cfg(test)]
mod tests {
    use kdump::Gva;

    use super::*;
    use ntkernel::image::value::Unreadable;

    fn unread<T>() -> Value<T> {
        Value::Missing(Box::new(Unreadable::Implausible(why!("of a test"))))
    }

    fn boot(ticks: Option<u64>) -> Boot {
        Boot {
            kernel: None,
            base: Addr::new(Gva::new(0xffff_f800_0000_0000), 8),
            started: None,
            system: unread(),
            system_created: unread(),
            ticks: ticks.map_or_else(unread, Value::Known),
        }
    }

    /// What counts only up tells one thing from another, whichever dump is named first.
    #[test]
    fn a_number_that_only_grows_goes_back_only_where_the_order_is_known() {
        for (ticks, goes_back) in [
            ([Some(7), Some(9)], [true, false]),
            ([Some(9), Some(7)], [false, true]),
            // Two dumps within one tick: either may have been the first.
            ([Some(7), Some(7)], [false, false]),
            ([Some(7), None], [false, false]),
        ] {
            let order = Order::of(&boot(ticks[0]), &boot(ticks[1]));
            let found = [(5, 4), (4, 5)]
                .map(|(first, second)| order.went_back(&Value::Known(first), &Value::Known(second)));
            assert_eq!(found, goes_back, "{ticks:?}");
        }
        let forward = Order::of(&boot(Some(7)), &boot(Some(9)));
        assert!(
            !forward.went_back(&Value::Known(u32::MAX), &Value::Known(0)),
            "it comes round"
        );
    }
}
