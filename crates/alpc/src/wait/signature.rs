//! One line that is the same for the same hang on two machines.
//!
//! The rules, which scripts may rely on:
//!
//! * `deadlock:A>B>A` is a ring: each `A` is a thread's image name and, in brackets, through what the one before
//!   it waits for it: `[port name]`, `{mutant}`, `{thread}`, `{apartment}`, `{resource}`, `{pushlock}`, `{fastmutex}`. Of all turns of the ring it is the one
//!   that sorts first. Of several deadlocks the one whose line sorts first is told.
//! * `blocked:A>B>C:end` is the deepest chain to the root blocker with most threads behind it, and why it ends
//!   there (the names of [`RootKind`]). Like steps in a row count once.
//!   An I/O request is told by the driver that has it: `driver/disk{irp}`.
//! * `none` is a system in which no thread waits for another, all of which could be looked at.
//! * `unknown` is one in which no such thread was found, but not all of it could be looked at.
//! * A second line may be told beside it: `in/1:` and the function that the thread at the end of a `blocked:` chain is in,
//!   apart from the wait itself, as `in/1:nt!expwaitforresource`; of a module without names the module, and `?` where its
//!   stack does not tell. The number changes when the rules for it do, those of the first line stay.
//! * A third line may be told beside it: `for/1:` and the procedure whose reply the last of its waits is for, as
//!   `for/1:lsarlookupsids3`; without a name `rpc/7` or `svcctl/16`, of a call of COM `com/5`.
//! * Names are in lower case. In names of ports, runs of at least four hex digits with a decimal digit among
//!   them become `*`, for such parts are drawn at run time. What could be mistaken for the line's own signs, and
//!   what is not printable ASCII, is written as `%` and two hex digits of its UTF-8; `?` is what cannot be read.

use std::cmp::Ordering;
use std::fmt::{self, Write};

use ntkernel::image::schema::schema_as_text;
use ntkernel::image::value::Value;
#[cfg(feature = "serde")]
use serde::{Serialize, Serializer};

use crate::port::call::Call;
use crate::wait::chain::Step;
use crate::wait::edge::{Edge, EdgeKind};
use crate::wait::node::{LockKind, MessageNode, Node};
use crate::wait::root::RootKind;

/// Steps that a line has at most, the last ones.
const STEPS: usize = 16;

/// What stands for a name that cannot be read.
const NOT_READ: &str = "?";

/// The signature of a system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signature {
    /// Threads wait for each other: the line of the ring.
    Deadlock(String),
    /// Threads wait: the line of the chain.
    Blocked(String),
    /// No thread waits for another.
    None,
    /// None was found that does, but there may be some.
    Unknown,
}

impl Signature {
    /// The line.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Deadlock(line) | Self::Blocked(line) => line,
            Self::None => "none",
            Self::Unknown => "unknown",
        }
    }

    /// Whether waits were found: whatever is hidden, the system is not one in which no thread waits.
    #[must_use]
    pub fn is_of_waits(&self) -> bool {
        matches!(self, Self::Deadlock(_) | Self::Blocked(_))
    }

    /// Whether the line has the sign for a name that cannot be read. Names themselves never have it, for it is escaped
    /// in them.
    #[must_use]
    pub fn lacks_names(&self) -> bool {
        self.as_str().contains(NOT_READ)
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(feature = "serde")]
impl Serialize for Signature {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

schema_as_text!(
    Signature,
    "A line that begins with `deadlock:` or `blocked:`; or `none`, or `unknown`."
);

/// The signature of a ring.
pub(crate) fn of_cycle(steps: &[Step]) -> String {
    let mut words = words(steps, true);
    turn(&mut words);
    let first = words.first().map(|word| word.who.clone()).unwrap_or_default();
    let ring: Vec<String> = words.into_iter().map(Word::text).collect();
    let shown = ring.len().min(STEPS);
    let mut line = format!("deadlock:{}", ring.get(..shown).unwrap_or_default().join(">"));
    if ring.len() > shown {
        line.push_str(">...");
    }
    // Writing to a string cannot fail.
    let _ = write!(line, ">{first}");
    line
}

/// The signature of a chain.
pub(crate) fn of_chain(steps: &[Step], end: RootKind) -> String {
    let mut words: Vec<String> = words(steps, false).into_iter().map(Word::text).collect();
    // A service that calls itself, as lsass does at lsasspirpc: a published graph of Windows 10 has such a
    // connection.
    words.dedup();
    let from = words.len().saturating_sub(STEPS);
    let shown = words.get(from..).unwrap_or_default().join(">");
    let cut = if from > 0 { "...>" } else { "" };
    format!("blocked:{cut}{shown}:{}", end.name())
}

/// The line for the function that a chain's last thread is in.
pub(crate) fn of_end(function: Option<&str>) -> String {
    format!("in/1:{}", name(function))
}

/// The line for the call that the last message of a chain is.
pub(crate) fn of_call(steps: &[Step]) -> Option<String> {
    let call = last_call(steps)?;
    let key = call.key();
    let parts: Vec<String> = key.split('/').map(|part| name(Some(part))).collect();
    Some(format!("for/1:{}", parts.join("/")))
}

/// The call that the last message of a chain is.
pub(crate) fn last_call(steps: &[Step]) -> Option<&Call> {
    let mut calls = steps.iter().rev().filter_map(|step| match &step.node {
        Node::Message(message) => Some(message.call()),
        _ => None,
    });
    calls.next()?.filter(|call| call.asks())
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Word {
    who: String,
    through: String,
}

impl Word {
    fn text(self) -> String {
        self.who + &self.through
    }
}

/// One word for each thread, and for what a chain ends at.
fn words(steps: &[Step], ring: bool) -> Vec<Word> {
    let mut words = Vec::new();
    let mut through = if ring { last_link(steps) } else { String::new() };
    for step in steps {
        match &step.node {
            Node::Thread(thread) => {
                let image = thread.process.known().and_then(Option::as_ref);
                // Image names have 14 characters that can be seen (15 bytes with the null): VBoxService.ex is
                // VBoxService.exe in published views.
                let who = image.and_then(|process| process.image.known());
                words.push(Word {
                    who: name(who.map(String::as_str)),
                    through: std::mem::take(&mut through),
                });
                if let Some(link) = step.next.as_ref().and_then(between_threads) {
                    link.clone_into(&mut through);
                }
            }
            Node::Process(process) => words.push(Word {
                who: name(process.image.known().map(String::as_str)),
                through: match std::mem::take(&mut through) {
                    through if process.is_receiver => through,
                    _ => "{process}".to_owned(),
                },
            }),
            Node::Irp(irp) => words.push(Word {
                who: driver(irp.known_driver().and_then(|driver| driver.name.known())),
                through: "{irp}".to_owned(),
            }),
            Node::Port(port) if step.next.is_none() => {
                let owner = port.owner.known().and_then(Option::as_ref);
                words.push(Word {
                    who: name(owner.and_then(|owner| owner.image.known()).map(String::as_str)),
                    through: std::mem::take(&mut through),
                });
            }
            node => {
                if let Some(link) = link(node) {
                    through = link;
                }
            }
        }
    }
    // A message that leads nowhere: the port that it was sent to is all there is.
    if !through.is_empty() && !ring {
        words.push(Word {
            who: NOT_READ.to_owned(),
            through,
        });
    }
    words
}

/// In a ring, the first thread is waited for by the last.
fn last_link(steps: &[Step]) -> String {
    let thread = |step: &&Step| matches!(step.node, Node::Thread(_));
    let between = steps.iter().rev().take_while(|step| !thread(step));
    let links: Vec<String> = between.filter_map(|step| link(&step.node)).collect();
    let ends = steps
        .iter()
        .rev()
        .find(thread)
        .and_then(|step| step.next.as_ref());
    match links.into_iter().next() {
        Some(link) => link,
        None => ends.and_then(between_threads).unwrap_or_default().to_owned(),
    }
}

/// What a step from one thread straight to another is.
fn between_threads(edge: &Edge) -> Option<&'static str> {
    match edge.edge {
        EdgeKind::EndOfThread => Some("{thread}"),
        EdgeKind::Apartment => Some("{apartment}"),
        _ => None,
    }
}

fn link(node: &Node) -> Option<String> {
    match node {
        Node::Message(message) => Some(format!("[{}]", port_of(message))),
        Node::Mutant(_) => Some("{mutant}".to_owned()),
        Node::Lock(lock) => Some(
            match lock.lock {
                LockKind::Resource => "{resource}",
                LockKind::PushLock => "{pushlock}",
                LockKind::FastMutex => "{fastmutex}",
            }
            .to_owned(),
        ),
        _ => None,
    }
}

fn port_of(message: &MessageNode) -> String {
    match &message.port {
        Value::Known(Some(port)) => match &port.name {
            // OLE16E02A5AAD974222920005479E7C and LRPC-<hex> are drawn when a server starts; lsasspirpc and ntsvcs
            // are not.
            Value::Known(Some(name)) => stable(name),
            // Ports without a name exist: audiodg's for WASAPI (one source), and two of System's in a published
            // handle view.
            Value::Known(None) => String::new(),
            Value::Missing(_) => NOT_READ.to_owned(),
        },
        Value::Known(None) => String::new(),
        Value::Missing(_) => NOT_READ.to_owned(),
    }
}

/// Turns a ring so that its words sort first.
fn turn(words: &mut [Word]) {
    let at = |index: usize| words.get(index.checked_rem(words.len()).unwrap_or(0));
    // Two candidates: where they differ, all starts up to the greater one's difference are out.
    let (mut one, mut other, mut same) = (0_usize, 1_usize, 0_usize);
    while one < words.len() && other < words.len() && same < words.len() {
        match at(one.saturating_add(same)).cmp(&at(other.saturating_add(same))) {
            Ordering::Equal => {
                same = same.saturating_add(1);
                continue;
            }
            Ordering::Greater => one = one.saturating_add(same).saturating_add(1),
            Ordering::Less => other = other.saturating_add(same).saturating_add(1),
        }
        if one == other {
            other = other.saturating_add(1);
        }
        same = 0;
    }
    words.rotate_left(one.min(other).min(words.len()));
}

fn name(text: Option<&str>) -> String {
    text.map_or_else(|| NOT_READ.to_owned(), |text| escape(&text.to_lowercase()))
}

/// A driver's name, whose parts `/` divides: the sign between them in the namespace has a meaning in too many shells.
fn driver(name: Option<&String>) -> String {
    let Some(name) = name else {
        return NOT_READ.to_owned();
    };
    let parts = name.to_lowercase();
    let parts = parts
        // Names of objects begin with the root of their namespace: `\Driver\disk` and `\FileSystem\Ntfs`.
        .trim_start_matches('\\')
        .split('\\')
        .map(|part| escape(part).replace('/', "%2f"));
    parts.collect::<Vec<_>>().join("/")
}

/// The part of a port's name that does not change from start to start.
fn stable(text: &str) -> String {
    without_drawn(&text.to_lowercase(), |parts, c| {
        parts.push_str(&escape(c.encode_utf8(&mut [0; 4])));
    })
}

/// A name with `*` for the parts that are drawn at run time; `push` adds what else there is, but hex digits.
pub(crate) fn without_drawn(text: &str, push: impl Fn(&mut String, char)) -> String {
    let mut parts = String::new();
    let mut run = String::new();
    for c in text.chars() {
        if c.is_ascii_hexdigit() {
            run.push(c);
        } else {
            end_run(&mut parts, &mut run);
            push(&mut parts, c);
        }
    }
    end_run(&mut parts, &mut run);
    parts
}

fn end_run(parts: &mut String, run: &mut String) {
    // `0C3231` of WMsgKRpc0C3231 is drawn, and `feed` is a word. The c of Rpc is a hex digit too and goes with the
    // drawn part: `wmsgkrp*`.
    let drawn = run.len() >= 4 && run.contains(|c: char| c.is_ascii_digit());
    parts.push_str(if drawn { "*" } else { run });
    run.clear();
}

fn escape(text: &str) -> String {
    // A line goes through shells, YAML and file names: each of these signs means something in one of them.
    const OWN: &str = ">[]{}:*?%\"'`\\";
    text.chars().fold(String::new(), |mut line, c| {
        if c.is_ascii_graphic() && !OWN.contains(c) {
            line.push(c);
        } else {
            for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                // Writing to a string cannot fail.
                let _ = write!(line, "%{byte:02x}");
            }
        }
        line
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(who: &str, through: &str) -> Word {
        Word {
            who: who.to_owned(),
            through: through.to_owned(),
        }
    }

    #[test]
    fn a_ring_reads_the_same_wherever_it_is_entered() {
        let ring = [word("b", "[1]"), word("a", "[2]"), word("c", "[3]")];
        let lines: Vec<Vec<Word>> = (0..3)
            .map(|by| {
                let mut ring = ring.to_vec();
                ring.rotate_left(by);
                turn(&mut ring);
                ring
            })
            .collect();
        assert_eq!(lines[0], lines[1]);
        assert_eq!(lines[0], lines[2]);
        assert_eq!(lines[0][0].who, "a");
        let mut other = [word("c", "[3]"), word("a", "[2]"), word("b", "[1]")];
        turn(&mut other);
        assert_ne!(lines[0], other, "the other way round is another hang");
    }

    /// Against the definition: of all turns the one that sorts first.
    #[test]
    fn the_least_turn_is_found() {
        let ring = |text: &str| text.chars().map(|c| word(&c.to_string(), "")).collect::<Vec<_>>();
        for text in [
            "", "a", "ba", "abab", "bbab", "aabaaab", "cbacbacb", "aaaa", "abcabca",
        ] {
            let mut turned = ring(text);
            turn(&mut turned);
            let least = (0..text.len().max(1)).map(|by| {
                let mut ring = ring(text);
                ring.rotate_left(by.min(text.len()));
                ring
            });
            assert_eq!(Some(turned), least.min(), "{text}");
        }
    }

    #[test]
    fn what_is_drawn_at_run_time_is_left_out() {
        assert_eq!(stable("LRPC-9f3a4c21d0"), "lrpc-*");
        assert_eq!(stable("OLE8D2C1F00A1"), "ol*");
        assert_eq!(stable("IUserProfile2"), "iuserprofile2");
        assert_eq!(stable("TermSrvApi"), "termsrvapi");
        assert_eq!(stable("faceface"), "faceface", "a word");
    }

    #[test]
    fn drivers_are_told_with_their_folder() {
        let name = |name: &str| driver(Some(&name.to_owned()));
        assert_eq!(name("\\FileSystem\\Npfs"), "filesystem/npfs");
        assert_eq!(name("\\Driver\\a/b>"), "driver/a%2fb%3e");
        assert_ne!(name("\\Driver\\a/b"), name("\\Driver\\a\\b"));
        assert_eq!(name("\\Driver\\?"), "driver/%3f");
        assert_eq!(driver(None), "?");
    }

    #[test]
    fn names_cannot_forge_another_line() {
        assert_eq!(name(Some("a>b.exe")), "a%3eb.exe");
        assert_eq!(name(Some("A B\n\u{202e}")), "a%20b%0a%e2%80%ae");
        assert_eq!(name(Some("?")), "%3f");
        assert_eq!(name(None), "?");
        assert_ne!(stable("x*"), stable("x1234"));
    }
}
