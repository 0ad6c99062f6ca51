//! `stack`: which functions a thread is in, as the debugger's `k` and `!thread` show.

use alpc::port::receiver::Receivers;
use alpc::port::waiter::ThreadRecord;
use alpc::report::stacks::modules;
use alpc::stack::{Stack, Stacks, arguments};
use alpc::{Addr, Kernel, Value};
use clap::Args;
#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::Serialize;

use crate::commands::{Category, Spec, Verb};
use crate::options::Options;
use crate::output::answer::Answer;
use crate::output::schema::Shape;
use crate::output::table::of;
use crate::selector;
use crate::session::Session;
use crate::text::marked::Text;
use crate::text::rows::Rows;
use crate::text::{stack_lines, thread_line};

/// The kernel stack of one thread: the functions that it is in (k)
///
/// Each frame says how it was found. Frames by unwind data are certain; what a scan of the stack shows stands apart, and
/// may be left from an earlier call.
#[derive(Clone, Debug, Args)]
pub struct StackArgs {
    /// Address of the thread (_ETHREAD), its id as tid:1234 or tid:0x4d2, or current; an image's name for all its
    /// threads
    #[arg(value_name = "ADDR|tid:N|IMAGE")]
    pub thread: String,

    /// What the debugger shows as arguments of each call, stale as often as not (kv)
    #[arg(long)]
    pub args: bool,
}

impl StackArgs {
    /// What is known of it.
    pub const SPEC: Spec = Spec {
        category: Category::System,
        switches: &[],
        shape: Shape {
            name: "stack",
            results: &[of::<StackRecord>],
            tables: &[],
            whole: &[of::<StackRecord>],
        },
    };
}

/// A thread and its kernel stack.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
struct StackRecord {
    /// The thread.
    thread: ThreadRecord,
    /// Its kernel stack.
    stack: Stack,
    /// With `--args`, for each frame the words where arguments of its call may be: four, and three on x86.
    #[serde(skip_serializing_if = "Option::is_none")]
    arguments: Option<Vec<Vec<Value<Addr>>>>,
}

impl Verb for StackArgs {
    fn run(&self, _: &Options, session: &Session) -> anyhow::Result<Answer> {
        let kernel = session.kernel()?;
        let address = selector::thread(&kernel, &self.thread)?;
        if !alpc::process::thread::is_thread(&kernel, address) {
            return Err(super::thread::not_a_thread(&kernel, address));
        }
        let stack = of_thread(&kernel, address);
        let record = StackRecord {
            thread: Receivers::of_system(&kernel).thread(&kernel, address),
            // On x64 arguments go in registers, and optimized code seldom writes them to their places on the stack:
            // what is there is of older calls as often as not (published analyses of x64 stacks), and the debugger's
            // `kv` prints it all the same.
            arguments: self.args.then(|| arguments(&kernel, &stack.frames)),
            stack,
        };
        Ok(Answer::new(view(&kernel, &record), &record)?.served_by(&kernel))
    }

    fn named(&self) -> Vec<String> {
        vec![self.thread.clone()]
    }

    fn is_of_one_thing(&self) -> bool {
        true
    }

    fn look_at(&mut self, address: String) {
        self.thread = address;
    }
}

fn of_thread(kernel: &Kernel<'_>, address: kdump::Gva) -> Stack {
    match modules(kernel) {
        Ok(modules) => Stacks::new(kernel, &modules).of(address),
        Err(reason) => Stack::unknown(reason),
    }
}

fn view(kernel: &Kernel<'_>, record: &StackRecord) -> Text {
    let mut rows = Rows::new(0, record.thread.address.digits());
    thread_line::full(&mut rows, &record.thread);
    let is_narrow = kernel.pointer_size() == 4;
    stack_lines::lines(&mut rows, is_narrow, &record.stack, record.arguments.as_deref());
    rows.finish()
}
