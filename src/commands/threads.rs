//! `threads`: every thread, process by process, as the debugger's `!process 0 ff` begins each of them.

use alpc::Value;
use alpc::receiver::{self, ProcessThreads, SystemThreads};
use alpc::thread::{AlpcWait, ThreadRecord};

use super::Answer;
use crate::cli::ThreadsArgs;
use crate::output::rows::{self, Rows};
use crate::output::{escape, thread_line};
use crate::session::Session;

pub fn run(session: &Session, args: &ThreadsArgs) -> anyhow::Result<Answer> {
    let kernel = session.kernel()?;
    let mut record = receiver::system_threads(&kernel);
    if args.waiting {
        record.retain(waits_for_reply);
    }
    let digits = kernel.addr(kernel.base()).digits();
    Ok(Answer::new(text(&record, digits), &record)?.served_by(&kernel))
}

/// Whether a thread waits for an ALPC reply, or may.
fn waits_for_reply(thread: &ThreadRecord) -> bool {
    match &thread.alpc_wait {
        Value::Known(wait) => wait.as_ref().and_then(AlpcWait::reply).is_some(),
        Value::Missing(_) => true,
    }
}

fn text(record: &SystemThreads, digits: usize) -> String {
    let mut rows = Rows::new(0, digits);
    for process in &record.processes {
        process_block(&mut rows, process);
    }
    rows.end_of_list(&record.complete);
    rows.finish()
}

fn process_block(rows: &mut Rows, process: &ProcessThreads) {
    rows.line(&format!(
        "PROCESS {}  Cid: {}  Image: {}",
        process.process.address,
        rows::or_question(&process.process_id, |id| format!("{id:04x}")),
        rows::or_question(&process.process.image, |image| escape::text(image)),
    ));
    rows.line("");
    for thread in &process.threads {
        thread_line::full(rows, thread);
        rows.line("");
    }
    rows.end_of_list(&process.complete);
}
