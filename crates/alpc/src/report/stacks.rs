//! The kernel stacks of many threads, and which of them are alike.

use std::collections::BTreeMap;

use kdump::{Gva, TimeSpan};
#[cfg(feature = "schema")]
use schemars::JsonSchema;
#[cfg(feature = "serde")]
use serde::Serialize;

use ntkernel::image::contract::{ClientId, Thread};
use ntkernel::image::kernel::Kernel;
use ntkernel::image::value::{Addr, Read, Unreadable, Value};
use ntkernel::object::process_ref::ProcessRef;
use ntkernel::process::clock::Clock;
use ntkernel::process::module::{self, Modules};
use ntkernel::process::thread::{self, ThreadState, WaitReason};
use ntkernel::process::{self};
use ntkernel::stack::{Doing, Frame, Stack, Stacks, doing};
use ntkernel::why;

/// Threads of a group that are named.
const SAMPLES: usize = 8;

/// A thread with its kernel stack.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct ThreadStack {
    /// Its `_ETHREAD`.
    pub thread: Addr,
    /// Its process.
    pub process: ProcessRef,
    /// Its process's id.
    pub process_id: Value<u64>,
    /// Its id.
    pub thread_id: Value<u64>,
    /// What state it is in.
    pub state: Value<ThreadState>,
    /// Why it waits; the last reason, when it does not.
    pub wait_reason: Value<WaitReason>,
    /// How long it has waited; none when it does not.
    pub waited: Value<Option<TimeSpan>>,
    /// What it is doing, as far as the names of its functions say.
    pub doing: Option<Doing>,
    /// Its kernel stack.
    pub stack: Stack,
}

/// Threads whose stacks are alike.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct StackGroup {
    /// How many they are.
    pub threads: usize,
    /// The functions that they are in, the innermost first, without offsets; what has no name is module and offset.
    pub functions: Vec<String>,
    /// Set where the stacks were not followed to their ends: why one of them was not.
    pub complete: Value<()>,
    /// The longest wait among them.
    pub longest_wait: Option<TimeSpan>,
    /// Image names of their processes, with how many threads each has.
    pub processes: BTreeMap<String, usize>,
    /// Some of them.
    pub samples: Vec<Addr>,
}

/// Groups of threads whose stacks are alike.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct StackGroups {
    /// The groups, the largest first.
    pub groups: Vec<StackGroup>,
    /// How many stacks could not be followed to their ends: more of their frames may differ.
    pub cut_short: usize,
    /// Set when some threads may be missing.
    pub complete: Value<()>,
}

/// The loaded modules, as the dump lists them.
///
/// # Errors
/// When nothing says where the list is.
pub fn modules(kernel: &Kernel<'_>) -> Read<Modules> {
    // A triage dump has a table of drivers of its own (TRIAGE_DUMP64), and of the list in memory at best the head.
    match module::of_triage(kernel.dump()) {
        Some(modules) => Ok(match kernel.redaction() {
            Some(redaction) => modules.redacted(redaction),
            None => modules,
        }),
        None => module::modules(kernel),
    }
}

/// Gives the stack of each thread of the system, or of one process, to `visit`, and says whether these were all.
///
/// # Errors
/// The first that `visit` gives; no more threads are read then.
pub fn each<E>(
    kernel: &Kernel<'_>,
    of_process: Option<Gva>,
    mut visit: impl FnMut(ThreadStack) -> Result<(), E>,
) -> Result<Value<()>, E> {
    let modules = modules(kernel);
    let mut complete = Ok(());
    let mut hidden = |why: Unreadable| complete = std::mem::replace(&mut complete, Ok(())).and(Err(why));
    let clock = Clock::read(kernel);
    let none = Modules {
        modules: Vec::new(),
        complete: modules.as_ref().map(|_| ()).map_err(Clone::clone).into(),
    };
    let stacks = Stacks::new(kernel, modules.as_ref().unwrap_or(&none));
    let processes = match of_process {
        Some(address) => vec![address],
        None => match process::processes(kernel) {
            Ok(list) => {
                if let Err(why) = list.complete("the list of processes") {
                    hidden(why);
                }
                list.entries
            }
            Err(why) => {
                hidden(why);
                Vec::new()
            }
        },
    };
    for address in processes {
        let owner = ProcessRef::at(kernel, address);
        let threads = match thread::threads_of(kernel.at(address)) {
            Ok(list) => {
                if let Err(why) = list.complete("the list of the process's threads") {
                    hidden(why);
                }
                list.entries
            }
            Err(why) => {
                hidden(why);
                Vec::new()
            }
        };
        for thread in threads {
            visit(one(kernel, &stacks, &clock, &owner, thread))?;
        }
    }
    Ok(complete.into())
}

fn one(
    kernel: &Kernel<'_>,
    stacks: &Stacks<'_, '_>,
    clock: &Read<Clock>,
    owner: &ProcessRef,
    address: Gva,
) -> ThreadStack {
    let at = kernel.at(address);
    let id = |member| Value::from(at.embedded(Thread::Cid).and_then(|ids| ids.uint(member)));
    let stack = stacks.of(address);
    let waited = clock.clone().and_then(|clock| clock.waited(at));
    ThreadStack {
        thread: kernel.addr(address),
        process: ProcessRef {
            address: owner.address,
            image: owner.image.clone(),
        },
        process_id: id(ClientId::UniqueProcess),
        thread_id: id(ClientId::UniqueThread),
        state: thread::state(at).into(),
        wait_reason: thread::wait_reason(at).into(),
        waited: waited.map(|waited| waited.map(TimeSpan)).into(),
        doing: doing(&stack.frames),
        stack,
    }
}

/// Gathers threads into groups.
#[derive(Debug, Default)]
pub struct Grouping {
    groups: BTreeMap<(Vec<String>, bool), StackGroup>,
    cut_short: usize,
}

impl Grouping {
    /// Takes a thread in.
    pub fn add(&mut self, thread: &ThreadStack) {
        let whole = thread.stack.complete.reason().is_none();
        self.cut_short = self.cut_short.saturating_add(usize::from(!whole));
        // Without offsets: those say where in a function a thread is and differ with the build, as KiSwapContext+7f
        // of Vista, +7a of Windows 7 and +76 of all since 8.1 (published stacks).
        let functions: Vec<String> = thread.stack.frames.iter().map(Frame::function_name).collect();
        let group = self
            .groups
            .entry((functions.clone(), whole))
            .or_insert_with(|| StackGroup {
                threads: 0,
                functions,
                complete: thread.stack.complete.clone(),
                longest_wait: None,
                processes: BTreeMap::new(),
                samples: Vec::new(),
            });
        group.threads = group.threads.saturating_add(1);
        let waited = thread.waited.known().copied().flatten();
        group.longest_wait = match (group.longest_wait, waited) {
            (Some(one), Some(other)) => Some(TimeSpan(one.0.max(other.0))),
            (one, other) => one.or(other),
        };
        let image = thread.process.image.known().map_or("?", String::as_str);
        let count = group.processes.entry(image.to_owned()).or_default();
        *count = count.saturating_add(1);
        if group.samples.len() < SAMPLES {
            group.samples.push(thread.thread);
        }
    }

    /// The groups, the largest first, then the longest wait.
    #[must_use]
    pub fn finish(self, complete: Value<()>) -> StackGroups {
        let mut groups: Vec<StackGroup> = self.groups.into_values().collect();
        groups.sort_by_key(|group| {
            let waited = group.longest_wait.map_or(0, |span| span.0);
            (std::cmp::Reverse(group.threads), std::cmp::Reverse(waited))
        });
        StackGroups {
            groups,
            cut_short: self.cut_short,
            complete,
        }
    }
}

/// A search for threads by a function that they are in.
#[derive(Debug, Default)]
pub struct Search {
    text: Option<String>,
    found: usize,
    /// Threads that were not found, and whose stacks were not followed to their ends.
    doubtful: usize,
    reason: Option<Unreadable>,
}

impl Search {
    /// A search for a text in the names of functions; none takes every thread.
    #[must_use]
    pub fn of(text: Option<String>) -> Self {
        Self {
            text,
            ..Self::default()
        }
    }

    /// Whether a thread is one of those that are looked for.
    pub fn takes(&mut self, thread: &ThreadStack) -> bool {
        let takes = self.text.as_deref().is_none_or(|text| has(&thread.stack, text));
        if takes {
            self.found = self.found.saturating_add(1);
        } else if let Some(reason) = thread.stack.complete.reason() {
            self.doubtful = self.doubtful.saturating_add(1);
            self.reason.get_or_insert_with(|| reason.clone());
        }
        takes
    }

    /// Whether something was looked for and not found.
    #[must_use]
    pub fn in_vain(&self) -> bool {
        self.text.is_some() && self.found == 0
    }

    /// Whether all threads were found, given whether all were looked at.
    #[must_use]
    pub fn complete(&self, complete: Value<()>) -> Value<()> {
        match (&self.reason, complete) {
            (Some(reason), Value::Known(())) => {
                let words = why!(
                    "the stacks of {} threads were not followed to their ends, the first: {}",
                    self.doubtful,
                    reason
                );
                Err(Unreadable::walk(words, Some(reason))).into()
            }
            (_, complete) => complete,
        }
    }
}

/// Whether a stack has a function whose name, or module and name, has a text in it, in whatever case.
fn has(stack: &Stack, text: &str) -> bool {
    any_has(&stack.frames, text) || any_has(&stack.scanned, text)
}

/// The same of frames.
pub(crate) fn any_has(frames: &[Frame], text: &str) -> bool {
    let text = text.to_lowercase();
    let mut sites = frames.iter().map(|frame| frame.site().to_lowercase());
    sites.any(|site| site.contains(&text))
}
