//! `threads`: every thread, process by process, as the debugger's `!process 0 ff` begins each of them.

use alpc::port::call::Calls;
use alpc::port::receiver::{self, ProcessThreads, Receivers, SystemThreads};
use alpc::port::waiter::{AlpcWait, ThreadRecord};
use alpc::process::clock::Clock;
use alpc::process::thread::WaitReason;
use alpc::process::{self, ProcessRef};
use alpc::report::stacks::modules;
use alpc::stack::Stacks;
use alpc::{Kernel, Value};
use clap::{Args, ValueEnum};
#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::Serialize;

use crate::commands::{Category, Spec, Verb, open_kernel};
use crate::failure::Failure;
use crate::options::Options;
use crate::output::answer::{Answer, Place};
use crate::output::records::Records;
use crate::output::schema::Shape;
use crate::output::table::{Table, of};
use crate::selector;
use crate::session::Session;
use crate::text::marked::{Text, text};
use crate::text::rows::{self, Rows};
use crate::text::{escape, process_lines, stack_lines, thread_line};

/// Every thread: its state, what it waits for, the ALPC reply that it waits for
#[derive(Clone, Debug, Default, Args)]
pub struct ThreadsArgs {
    /// Only threads that wait for an ALPC reply
    #[arg(long)]
    pub waiting: bool,

    /// Only threads in this state; several with commas (!running, !ready)
    #[arg(long, value_name = "STATE", value_delimiter = ',')]
    pub state: Vec<State>,

    /// Only threads that wait for this reason, as WrLpcReply or UserRequest; several with commas
    #[arg(long, value_name = "REASON", value_delimiter = ',')]
    pub reason: Vec<String>,

    /// Only threads that have waited longer than this: 30s, 5m, 1h30m, 2d
    #[arg(long, value_name = "T", value_parser = crate::text::time::parse_span)]
    pub longer_than: Option<u64>,

    /// Only of the processes of this session
    #[arg(long, value_name = "N")]
    pub session: Option<u32>,

    /// The kernel stack of each as well, as far as it is certain
    #[arg(long)]
    pub stacks: bool,

    /// Only the threads of this process: its address (_EPROCESS), pid:N or image name
    #[arg(value_name = "PROCESS")]
    pub of: Option<String>,

    /// The same
    #[arg(long, value_name = "PROCESS", conflicts_with = "of")]
    pub process: Option<String>,
}

/// What a thread is doing, as the command line has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum State {
    /// Made, and not yet ready
    Initialized,
    /// Ready, deferred or not: it would run if a processor were free
    Ready,
    /// Running on a processor
    Running,
    /// Chosen to run next on a processor
    Standby,
    /// Ended
    Terminated,
    /// Waiting for something
    Waiting,
    /// Ready, but its kernel stack or its process is paged out
    Transition,
}

impl State {
    /// `KTHREAD_STATE`. A gate was waited for in a state of its own before Windows 8.
    fn numbers(self) -> &'static [u8] {
        match self {
            Self::Initialized => &[0],
            // 7 is DeferredReady: ready, and no processor was chosen yet.
            Self::Ready => &[1, 7],
            Self::Running => &[2],
            Self::Standby => &[3],
            Self::Terminated => &[4],
            // 8 is the wait for a gate, a state of its own once and now only a name (GateWaitObsolete in phnt).
            Self::Waiting => &[5, 8],
            // 9 is WaitingForProcessInSwap (phnt): ready, and its process is swapped out.
            Self::Transition => &[6, 9],
        }
    }
}

impl ThreadsArgs {
    /// The process whose they are, if that was asked for.
    pub fn process(&self) -> Option<&String> {
        self.of.as_ref().or(self.process.as_ref())
    }

    /// Whether a thread is one of those that were asked for, or may be.
    fn wants(&self, kernel: &Kernel<'_>, clock: &Value<Clock>, thread: &ThreadRecord) -> bool {
        let in_state = match &thread.state {
            Value::Known(state) => self
                .state
                .iter()
                .any(|wanted| wanted.numbers().contains(&state.0)),
            Value::Missing(_) => true,
        };
        let waits = thread.state.known().is_none_or(|state| state.is_waiting());
        // A thread that does not wait keeps the reason of its last wait.
        let for_reason = match &thread.wait_reason {
            Value::Known(reason) => reason.name().is_some_and(|name| {
                let mut wanted = self.reason.iter();
                waits && wanted.any(|wanted| wanted.eq_ignore_ascii_case(name))
            }),
            Value::Missing(_) => waits,
        };
        let is_long = self.longer_than.is_none_or(|limit| {
            let waited = clock
                .get()
                .and_then(|clock| clock.waited(kernel.at(thread.address.gva())));
            match waited {
                Ok(waited) => waited.is_some_and(|waited| waited > limit),
                Err(_) => true,
            }
        });
        (self.state.is_empty() || in_state)
            && (!self.waiting || waits_for_reply(thread))
            && (self.reason.is_empty() || for_reason)
            && is_long
    }

    fn wants_all(&self) -> bool {
        self.state.is_empty() && !self.waiting && self.reason.is_empty() && self.longer_than.is_none()
    }

    /// What is known of it.
    pub const SPEC: Spec = Spec {
        category: Category::System,
        switches: &[],
        shape: Shape {
            name: "threads",
            results: &[of::<SystemThreads>],
            tables: &[TABLE],
            whole: &[],
        },
    };
}

impl Verb for ThreadsArgs {
    fn table(&self) -> Option<Table> {
        Some(TABLE)
    }

    fn fill(
        &self,
        options: &Options,
        session: &Session,
        records: &mut Records<'_>,
    ) -> anyhow::Result<Answer> {
        let kernel = open_kernel(options, session, records)?;
        let digits = kernel.addr(kernel.base()).digits();
        self.reason.iter().try_for_each(|reason| refuse_unknown(reason))?;
        let clock = Value::from(Clock::read(&kernel));
        let mut unread = Vec::new();
        let modules = self.stacks.then(|| modules(&kernel).ok()).flatten();
        let stacks = modules.as_ref().map(|modules| Stacks::new(&kernel, modules));
        let calls = options.in_full().then(|| Calls::new(&kernel));
        let add = |threads: &mut [ThreadRecord]| {
            add_stacks(stacks.as_ref(), threads);
            if let Some(calls) = &calls {
                threads.iter_mut().for_each(|thread| thread.add_call(calls));
            }
        };
        let mut visit = |mut process: ProcessThreads| {
            if !selector::is_in_session(&kernel, self.session, process.process.address.gva()) {
                return Ok(());
            }
            if records.takes_groups() {
                if !self.wants_all() && !process.retain(|thread| self.wants(&kernel, &clock, thread)) {
                    return Ok(());
                }
                add(&mut process.threads);
                return records.row(TABLE.record, &process, |process| block(process, digits));
            }
            if process.complete.reason().is_some() {
                unread.push(Unread {
                    process: process.process,
                    complete: process.complete,
                });
            }
            process
                .threads
                .retain(|thread| self.wants(&kernel, &clock, thread));
            add(&mut process.threads);
            let mut threads = process.threads.iter();
            threads.try_for_each(|thread| records.record(TABLE.record, thread))
        };
        let complete = match self.process() {
            None => receiver::each_process(&kernel, visit)?,
            Some(process) => {
                visit(of_process(&kernel, process)?)?;
                Value::Known(())
            }
        };
        let mut end = Rows::new(0, digits);
        end.end_of_list(&complete);
        let answer = if records.takes_groups() {
            let record = SystemThreads {
                processes: Vec::new(),
                complete,
            };
            Answer::of(&record)?.with_records_in(Place::Member("processes"))
        } else {
            Answer::of(&Rest { complete, unread })?
        };
        Ok(answer.served_by(&kernel).with_text(end.finish()))
    }

    fn named(&self) -> Vec<String> {
        self.process().into_iter().chain(&self.reason).cloned().collect()
    }
}

/// The rows.
pub const TABLE: Table = Table {
    record: "thread",
    option: None,
    row: of::<ThreadRecord>,
    rest: (of::<Rest>, None),
};

/// What stands beside the threads.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "ThreadsRest"))]
struct Rest {
    /// Set when the list of processes could not be followed to its end.
    complete: Value<()>,
    /// Processes whose list of threads could not be followed to its end.
    unread: Vec<Unread>,
}

/// A process that may have more threads.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "ThreadsUnread"))]
struct Unread {
    process: ProcessRef,
    complete: Value<()>,
}

/// The threads of the process that a token names.
fn of_process(kernel: &Kernel<'_>, token: &str) -> anyhow::Result<ProcessThreads> {
    let address = selector::process(kernel, token)?;
    process::process(kernel, address)
        .map_err(|error| Failure::not_there("not-a-process", error.to_string()))?;
    Ok(receiver::threads_of(
        kernel.at(address),
        &Receivers::of_system(kernel),
    ))
}

fn add_stacks(stacks: Option<&Stacks<'_, '_>>, threads: &mut [ThreadRecord]) {
    let Some(stacks) = stacks else { return };
    for thread in threads {
        thread.stack = stacks.certain_of(thread.address.gva()).telling();
    }
}

/// Refuses a reason that no wait has.
fn refuse_unknown(reason: &str) -> anyhow::Result<()> {
    let names = || (0..=u8::MAX).filter_map(|number| WaitReason(number).name());
    if names().any(|name| name.eq_ignore_ascii_case(reason)) {
        return Ok(());
    }
    let near = selector::nearest(reason, names()).map(|near| format!("; did you mean {near}?"));
    Err(Failure::fatal(
        "not-a-wait-reason",
        format!(
            "no thread waits for the reason {reason:?}{}",
            near.unwrap_or_default()
        ),
    ))
}

/// Whether a thread waits for an ALPC reply, or may.
fn waits_for_reply(thread: &ThreadRecord) -> bool {
    match &thread.alpc_wait {
        Value::Known(wait) => wait.as_ref().and_then(AlpcWait::reply).is_some(),
        Value::Missing(_) => true,
    }
}

fn block(process: &ProcessThreads, digits: usize) -> Text {
    let mut rows = Rows::new(0, digits);
    process_block(&mut rows, process);
    rows.finish()
}

fn process_block(rows: &mut Rows, process: &ProcessThreads) {
    rows.heading(text!(
        "PROCESS {}  Cid: {}  Image: {}",
        process.process.address,
        rows::or_question(&process.process_id, |id| format!("{id:04x}")),
        rows::or_question(&process.process.image, |image| escape::text(image)),
    ));
    if let Some(found_by) = process.found_by {
        rows.line(text!("    {}", process_lines::not_listed(found_by)));
    }
    rows.line("");
    for thread in &process.threads {
        thread_line::full(rows, thread);
        if let Some(stack) = &thread.stack {
            let is_narrow = rows.digits() == 8;
            stack_lines::certain(rows, is_narrow, &stack.frames, &stack.complete);
        }
        rows.line("");
    }
    rows.end_of_list(&process.complete);
}
