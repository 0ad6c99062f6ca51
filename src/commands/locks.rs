//! `locks`: the debugger's `!locks`, with push locks and fast mutexes as far as somebody waits for one.

use alpc::Value;
use alpc::report::held::{self, LockRow, LockThread, Locks, UndecidedLock};
use clap::Args;
use kdump::Gva;

use crate::commands::{Category, Spec, Verb, open_kernel};
use crate::options::Options;
use crate::output::answer::{Answer, Place};
use crate::output::records::Records;
use crate::output::schema::Shape;
use crate::output::table::{Table, of};
use crate::selector;
use crate::session::Session;
use crate::text::marked::{Text, sure, text};
use crate::text::rows::{Rows, or_question, unknown};
use crate::text::wait_lines::plural;
use crate::text::{escape, time, wait_lines};

/// Locks of the executive that are held or waited for, and by whom (!locks)
#[derive(Clone, Debug, Args)]
pub struct LocksArgs {
    /// Only the lock at this address
    #[arg(value_name = "ADDR")]
    pub lock: Option<String>,

    /// Only locks that a thread waits for
    #[arg(long)]
    pub waited: bool,
}

impl LocksArgs {
    /// What is known of it.
    pub const SPEC: Spec = Spec {
        category: Category::Waits,
        switches: &[],
        shape: Shape {
            name: "locks",
            results: &[of::<Locks>],
            tables: &[TABLE],
            whole: &[],
        },
    };
}

/// The rows.
pub const TABLE: Table = Table {
    record: "lock",
    option: None,
    row: of::<LockRow>,
    rest: (of::<Locks>, Some("locks")),
};

impl Verb for LocksArgs {
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
        let only = self
            .lock
            .as_ref()
            .map(|lock| selector::structure(&kernel, lock))
            .transpose()?;
        let mut locks = held::locks(&kernel);
        locks.locks.retain(|lock| self.wants(lock, only));
        let found = only.is_none() || !locks.locks.is_empty();
        let digits = kernel.addr(kernel.base()).digits();
        let text = records.text(|| text(&locks, self, digits));
        for lock in locks.locks.drain(..) {
            records.row(TABLE.record, &lock, |_| String::new())?;
        }
        let answer = Answer::of(&locks)?
            .with_records_in(Place::Member("locks"))
            .with_text(text)
            .served_by(&kernel);
        Ok(answer.finding(!found))
    }

    fn named(&self) -> Vec<String> {
        self.lock.iter().cloned().collect()
    }
}

impl LocksArgs {
    fn wants(&self, lock: &LockRow, only: Option<Gva>) -> bool {
        only.is_none_or(|only| lock.address.gva() == only) && (!self.waited || !lock.waiters.is_empty())
    }
}

fn text(record: &Locks, args: &LocksArgs, digits: usize) -> Text {
    let mut rows = Rows::new(0, digits);
    for lock in &record.locks {
        block(&mut rows, lock);
    }
    if args.lock.is_none() {
        for undecided in &record.undecided {
            rows.line(self::undecided(undecided));
        }
        rows.heading(counted(record));
    } else if record.locks.is_empty() {
        rows.heading("nobody was found that holds this lock or waits for it");
    }
    rows.end_of_list(&record.complete);
    rows.finish()
}

/// How many there are, and how many of the system's resources those are.
fn counted(record: &Locks) -> Text {
    let waited = record
        .locks
        .iter()
        .filter(|lock| !lock.waiters.is_empty())
        .count();
    let resources = match &record.resources {
        Value::Known(1) => Text::from("the system has 1 executive resource"),
        Value::Known(count) => text!("the system has {count} executive resources"),
        Value::Missing(hole) if hole.is_absence() => {
            Text::from("those of executive resources only that a thread waits for")
        }
        Value::Missing(_) => text!("how many executive resources the system has: {}", unknown()),
    };
    text!(
        "{} held or waited for, {waited} of them waited for; {resources}",
        plural(record.locks.len(), "lock")
    )
}

fn block(rows: &mut Rows, lock: &LockRow) {
    let how = match lock.exclusive {
        Some(true) => "exclusively owned",
        Some(false) => "shared",
        None => "held",
    };
    let owners = match (&lock.owners, lock.unknown) {
        (_, Some(why)) => Text::from(why),
        (Value::Known(owners), None) => match owners.len().saturating_add(lock.owner_pointers.len()) {
            0 => Text::from("held by nobody"),
            1 => Text::from(how),
            count => text!("{how} by {count}"),
        },
        (Value::Missing(hole), None) if hole.is_absence() => text!("owner not told ({hole})"),
        (Value::Missing(hole), None) => text!("owner {} ({hole})", unknown()),
    };
    rows.line(text!("{} {}: {owners}", lock.lock.name(), lock.address));
    for owner in lock.owners.known().into_iter().flatten() {
        rows.line(text!("  held by     {}", thread(owner)));
    }
    for pointer in &lock.owner_pointers {
        rows.line(text!(
            "  held by     {pointer}, which a driver put in the place of a thread"
        ));
    }
    for waiter in &lock.waiters {
        rows.line(text!("  waited by   {}", thread(waiter)));
    }
    rows.line("");
}

/// `svchost.exe 033c.3c40  thread fffffa801afae6f0  for 00:48:08 [proven]`
fn thread(thread: &LockThread) -> Text {
    let id = |value: &Value<u64>| or_question(value, |id| format!("{id:04x}"));
    let waits = match &thread.waited {
        Value::Known(Some(span)) => text!("  waits for {}", time::lasted(*span)),
        Value::Known(None) => Text::default(),
        Value::Missing(hole) if hole.is_absence() => Text::default(),
        Value::Missing(_) => text!("  waits for {}", unknown()),
    };
    text!(
        "{} {}.{}  thread {}{waits} {}",
        wait_lines::image(&thread.process),
        id(&thread.process_id),
        id(&thread.thread_id),
        thread.thread,
        sure(thread.certainty)
    )
}

fn undecided(undecided: &UndecidedLock) -> Text {
    text!(
        "not told: a lock that {} waits for: {}",
        thread(&undecided.waiter),
        escape::text(&undecided.why)
    )
}
