//! `ports --accessible-by`: all connection ports that some caller could open.

use alpc::Value;
use alpc::report::access::{self, Accessible, AccessibleRow};
use alpc::security::token::TokenRef;

use crate::commands::open_kernel;
use crate::failure::Failure;
use crate::options::Options;
use crate::output::answer::{Answer, Place};
use crate::output::records::Records;
use crate::output::table::{Table, of};
use crate::session::Session;
use crate::text::columns::{Column, Grid, column};
use crate::text::escape;
use crate::text::marked::{Text, text};
use crate::text::rows::{Rows, or_question};
use crate::text::token_lines;

/// The rows.
pub const ACCESSIBLE: Table = Table {
    record: "accessible-port",
    option: Some("--accessible-by"),
    row: of::<AccessibleRow>,
    rest: (of::<Accessible>, Some("ports")),
};

const COLUMNS: &[Column] = &[
    column("PORT", 0),
    column("ACCESS", 0),
    column("OWNER", 0),
    column("USER", 2),
    column("INTEGRITY", 3),
    column("PATH", 0),
    column("WHY", 1),
];

/// The ports that a caller could open, and those of which that is not known.
pub fn records(
    options: &Options,
    session: &Session,
    records: &mut Records<'_>,
    who: &str,
) -> anyhow::Result<Answer> {
    let caller = access::caller(who).ok_or_else(|| {
        // What was typed may be a name that is replaced: it is not repeated.
        Failure::fatal(
            "not-a-caller",
            "there is no such caller: give everyone, low, appcontainer, anonymous, an identifier like S-1-5-32-545, or two \
             letters of SDDL like BU",
        )
    })?;
    let kernel = open_kernel(options, session, records)?;
    let mut all = access::accessible(&kernel, who, &caller);
    let text = records.text(|| text(&all, options));
    for row in all.ports.drain(..) {
        records.row(ACCESSIBLE.record, &row, |_| String::new())?;
    }
    Ok(Answer::of(&all)?
        .with_records_in(Place::Member("ports"))
        .with_text(text)
        .served_by(&kernel))
}

fn text(all: &Accessible, options: &Options) -> Text {
    let mut grid = Grid::new(
        COLUMNS,
        "ACCESS: granted by the port's descriptor alone, or undecided; the server can still refuse",
    );
    for row in &all.ports {
        grid.row(cells(row));
    }
    let mut rows = Rows::new(0, 0);
    rows.line(text!(
        "{} is taken for {} at {} integrity",
        escape::text(&all.who),
        all.identifiers.join(", "),
        all.integrity
    ));
    rows.line(text!(
        "{} connection ports keep it out, {} have no name by which they could be opened; directories on the way are not checked",
        all.denied,
        all.nameless
    ));
    rows.end_of_list(&all.complete);
    grid.fitted(options.fits.unwrap_or(usize::MAX)) + rows.finish()
}

fn cells(row: &AccessibleRow) -> [Text; COLUMNS.len()] {
    let of_owner = |text: fn(&TokenRef) -> Text| match &row.owner {
        Value::Known(None) => "-".into(),
        owner => or_question(owner, |owner| owner.as_ref().map(text).unwrap_or_default()),
    };
    let process = or_question(&row.owner_process, |process| match process {
        Some(process) => or_question(&process.image, |image| escape::text(image)),
        None => "-".into(),
    });
    let path = or_question(&row.path, |path| {
        path.as_deref().map_or_else(|| "-".to_owned(), escape::text)
    });
    [
        row.address.to_string().into(),
        row.verdict.word().into(),
        process,
        of_owner(|owner| {
            or_question(&owner.user, |user| {
                user.name.clone().unwrap_or_else(|| token_lines::sid(user))
            })
        }),
        of_owner(|owner| {
            or_question(&owner.integrity, |level| {
                level
                    .as_ref()
                    .map_or_else(|| "-".to_owned(), |level| level.word.clone())
            })
        }),
        path,
        escape::text(&row.why).into(),
    ]
}
