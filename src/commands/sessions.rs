//! `sessions` and `services`: whose threads wait, by session and by service.

use alpc::Value;
use alpc::report::sessions::{self, Member, ServiceRow, ServiceTable, SessionRow, Sessions, Waiting};
use clap::Args;

use crate::commands::{Category, Spec, Verb, open_kernel};
use crate::failure::Failure;
use crate::options::Options;
use crate::output::answer::{Answer, Place};
use crate::output::records::Records;
use crate::output::schema::Shape;
use crate::output::table::{Table, of};
use crate::session::Session;
use crate::text::columns::{Column, Grid, column, number};
use crate::text::marked::{Text, sure, text};
use crate::text::rows::{Rows, or_question, unknown};
use crate::text::{escape, time, wait_lines};

/// Programs of a session that a line names.
const PROGRAMS: usize = 4;

/// The sessions of users, with what waits in each
#[derive(Clone, Debug, Args)]
pub struct SessionsArgs {}

impl SessionsArgs {
    /// What is known of it.
    pub const SPEC: Spec = Spec {
        category: Category::System,
        switches: &[],
        shape: Shape {
            name: "sessions",
            results: &[of::<Sessions>],
            tables: &[SESSIONS],
            whole: &[],
        },
    };
}

/// The rows of sessions.
pub const SESSIONS: Table = Table {
    record: "session",
    option: None,
    row: of::<SessionRow>,
    rest: (of::<Sessions>, Some("sessions")),
};

const SESSION_COLUMNS: &[Column] = &[
    number("SESSION", 0),
    number("PROCESSES", 2),
    number("THREADS", 3),
    number("WAITS", 0),
    number("LONGEST", 0),
    column("PROGRAMS", 1),
];

impl Verb for SessionsArgs {
    fn table(&self) -> Option<Table> {
        Some(SESSIONS)
    }

    fn fill(
        &self,
        options: &Options,
        session: &Session,
        records: &mut Records<'_>,
    ) -> anyhow::Result<Answer> {
        let kernel = open_kernel(options, session, records)?;
        let mut all = sessions::sessions(&kernel)
            .map_err(|hole| Failure::partial(hole.id(), format!("the processes cannot be listed: {hole}")))?;
        let text = records.text(|| session_text(&all, options));
        for row in all.sessions.drain(..) {
            records.row(SESSIONS.record, &row, |_| String::new())?;
        }
        Ok(Answer::of(&all)?
            .with_records_in(Place::Member("sessions"))
            .with_text(text)
            .served_by(&kernel))
    }
}

fn session_text(all: &Sessions, options: &Options) -> Text {
    let mut grid = Grid::new(
        SESSION_COLUMNS,
        "WAITS: threads that wait for an ALPC reply, LONGEST: how long",
    );
    for row in &all.sessions {
        let shown = if options.verbose { usize::MAX } else { PROGRAMS };
        grid.row([
            row.session
                .map_or_else(|| "none".into(), |session| session.to_string().into()),
            row.processes.len().to_string().into(),
            row.threads.to_string().into(),
            row.waiting.waits.to_string().into(),
            longest(&row.waiting),
            programs(&row.processes, shown),
        ]);
    }
    let mut rows = Rows::new(0, 0);
    for unread in &all.unread {
        let why = unread
            .session
            .reason()
            .map(ToString::to_string)
            .unwrap_or_default();
        rows.line(text!(
            "{} the session of {}: {}",
            unknown(),
            member(&unread.member),
            escape::text(&why)
        ));
    }
    rows.end_of_list(&all.complete);
    grid.fitted(options.fits.unwrap_or(usize::MAX)) + rows.finish()
}

/// `explorer.exe, svchost.exe (3), and 5 more`: the programs that a session has, in the order of its processes.
fn programs(processes: &[Member], shown: usize) -> Text {
    let mut counted: Vec<(String, usize)> = Vec::new();
    for process in processes {
        let image = match &process.process.image {
            Value::Known(image) => escape::text(image),
            Value::Missing(_) => "?".to_owned(),
        };
        match counted.iter_mut().find(|(known, _)| *known == image) {
            Some((_, count)) => *count = count.saturating_add(1),
            None => counted.push((image, 1)),
        }
    }
    let mut words: Vec<String> = counted
        .iter()
        .take(shown)
        .map(|(image, count)| match count {
            1 => image.clone(),
            count => format!("{image} ({count})"),
        })
        .collect();
    if let Some(more) = counted.len().checked_sub(shown).filter(|&more| more > 0) {
        words.push(format!("and {more} more"));
    }
    words.join(", ").into()
}

fn member(member: &Member) -> Text {
    text!(
        "{} {}",
        or_question(&member.process.image, |image| escape::text(image)),
        or_question(&member.process_id, |id| format!("{id:04x}"))
    )
}

fn longest(waiting: &Waiting) -> Text {
    or_question(&waiting.longest, |span| {
        span.map_or_else(|| "-".to_owned(), time::lasted)
    })
}

/// The services that threads work for, with what waits in each
#[derive(Clone, Debug, Args)]
pub struct ServicesArgs {}

impl ServicesArgs {
    /// What is known of it.
    pub const SPEC: Spec = Spec {
        category: Category::System,
        switches: &[],
        shape: Shape {
            name: "services",
            results: &[of::<ServiceTable>],
            tables: &[SERVICES],
            whole: &[],
        },
    };
}

/// The rows of services.
pub const SERVICES: Table = Table {
    record: "service",
    option: None,
    row: of::<ServiceRow>,
    rest: (of::<ServiceTable>, Some("services")),
};

const SERVICE_COLUMNS: &[Column] = &[
    column("SERVICE", 0),
    number("TAG", 1),
    column("HOST", 0),
    number("PID", 0),
    number("THREADS", 2),
    number("WAITS", 0),
    number("LONGEST", 0),
];

impl Verb for ServicesArgs {
    fn table(&self) -> Option<Table> {
        Some(SERVICES)
    }

    fn fill(
        &self,
        options: &Options,
        session: &Session,
        records: &mut Records<'_>,
    ) -> anyhow::Result<Answer> {
        let kernel = open_kernel(options, session, records)?;
        let mut all = sessions::services(&kernel);
        let text = records.text(|| service_text(&all, options));
        for row in all.services.drain(..) {
            records.row(SERVICES.record, &row, |_| String::new())?;
        }
        Ok(Answer::of(&all)?
            .with_records_in(Place::Member("services"))
            .with_text(text)
            .served_by(&kernel))
    }
}

fn service_text(all: &ServiceTable, options: &Options) -> Text {
    let mut grid = Grid::new(
        SERVICE_COLUMNS,
        "SERVICE: by the host's command line, ? where it names no single service",
    );
    for row in &all.services {
        let name = match &row.service.name {
            Some(name) => text!(
                "{} {}",
                escape::text(name),
                row.service
                    .certainty
                    .map_or_else(Text::default, |certainty| text!("{}", sure(certainty)))
            ),
            None => unknown(),
        };
        grid.row([
            name,
            format!("0x{:x}", row.service.tag).into(),
            or_question(&row.host.image, |image| escape::text(image)),
            or_question(&row.process_id, |id| format!("{id:04x}")),
            row.threads.to_string().into(),
            row.waiting.waits.to_string().into(),
            longest(&row.waiting),
        ]);
    }
    let mut rows = Rows::new(0, 0);
    if all.services.is_empty() {
        rows.heading("no thread was found that works for a service");
    }
    if all.unread_threads > 0 {
        rows.line(text!(
            "{} of {} it cannot be read whether they work for one",
            unknown(),
            wait_lines::plural(
                usize::try_from(all.unread_threads).unwrap_or(usize::MAX),
                "thread"
            )
        ));
    }
    rows.end_of_list(&all.complete);
    grid.fitted(options.fits.unwrap_or(usize::MAX)) + rows.finish()
}
