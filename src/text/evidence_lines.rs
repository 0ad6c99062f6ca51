//! Why a layout was chosen, in rows: of `info` and `symbols`.

use alpc::DerivedGlobal;
use alpc::locate::choice::Choice;

use crate::text::marked::text;
use crate::text::rows::Rows;

/// What was checked, what that left out, and what stays undecided.
pub fn choice(rows: &mut Rows, choice: &Choice) {
    let of = |count: &alpc::locate::choice::Count| {
        let all = count.passed.saturating_add(count.contradicted);
        format!("{} of {all}", count.passed)
    };
    let checks = choice.checks.iter();
    let checks: Vec<String> = checks
        .map(|record| format!("{} {}", record.check, of(&record.count)))
        .collect();
    rows.text(
        "Checks passed",
        text!(
            "{} of {}, {} contradicted: {}",
            choice.passed,
            choice.checked,
            choice.contradicted,
            checks.join(", ")
        ),
    );
    let left_out: usize = choice.excluded.iter().map(|excluded| excluded.layouts).sum();
    let by: Vec<String> = choice
        .excluded
        .iter()
        .map(|excluded| format!("{} by {}", excluded.layouts, excluded.by))
        .collect();
    let by = if by.is_empty() {
        String::new()
    } else {
        format!(": {}", by.join(", "))
    };
    rows.text("Left out", text!("{left_out} of {} layouts{by}", choice.tried));
    if choice.explained_by.len() > 1 {
        rows.text("Equally good", choice.explained_by.join(", "));
    }
    if choice.composed {
        rows.text(
            "Composed",
            "no layout has this size of processes or threads: what was not checked may have moved",
        );
    }
    if !choice.disputed.is_empty() {
        rows.text("Undecided", choice.disputed.join(", "));
    }
}

/// The same in one line.
pub fn in_short(choice: &Choice) -> String {
    let left_out: usize = choice.excluded.iter().map(|excluded| excluded.layouts).sum();
    let undecided = match choice.disputed.len() {
        0 => String::new(),
        1 => ", 1 member undecided".to_owned(),
        several => format!(", {several} members undecided"),
    };
    format!(
        "{} of {} checks passed, {} contradicted; {left_out} of {} layouts left out{undecided}{}",
        choice.passed,
        choice.checked,
        choice.contradicted,
        choice.tried,
        if choice.composed {
            "; composed, for a size of processes or threads is in none"
        } else {
            ""
        },
    )
}

/// The globals that were found without symbols, by what led to them.
pub fn derived(rows: &mut Rows, derived: &[DerivedGlobal]) {
    let mut left = derived.to_vec();
    let mut label = "Found otherwise";
    while let Some(first) = left.first() {
        let evidence = first.evidence;
        let (these, others): (Vec<_>, Vec<_>) =
            left.into_iter().partition(|global| global.evidence == evidence);
        let names: Vec<&str> = these.iter().map(|global| global.name).collect();
        rows.text(label, format!("{} (by {evidence})", names.join(", ")));
        label = "";
        left = others;
    }
}
