//! `token`: the debugger's `!token`, of a process, a thread, a port, a message, or by its own address.

use alpc::object::identify;
use alpc::port::impersonation::CallerSource;
use alpc::report::acting::{self, ActingRecord, Actor, CallerRecord};
use alpc::report::select::Selector;
use alpc::{Kernel, Unreadable, Value};
use clap::Args;
use kdump::Gva;

use crate::commands::{Category, Spec, Verb};
use crate::failure::Failure;
use crate::options::Options;
use crate::output::answer::Answer;
use crate::output::schema::Shape;
use crate::output::table::of;
use crate::selector;
use crate::session::Session;
use crate::text::marked::{Text, text};
use crate::text::rows::{Rows, or_question};
use crate::text::{escape, token_lines};

/// As whom something acts: user, groups, privileges, integrity, impersonation (!token)
#[derive(Clone, Debug, Args)]
pub struct TokenArgs {
    /// A process, thread, port, message or access token: its address, pid:N, tid:N, id:N, an image name, the full path of a
    /// port, or current
    #[arg(value_name = "PROCESS|THREAD|PORT|MESSAGE|TOKEN", default_value = "current")]
    pub of: String,
}

impl TokenArgs {
    /// What is known of it.
    pub const SPEC: Spec = Spec {
        category: Category::System,
        switches: &[],
        shape: Shape {
            name: "token",
            results: &[of::<ActingRecord>],
            tables: &[],
            whole: &[of::<ActingRecord>],
        },
    };
}

impl Verb for TokenArgs {
    fn run(&self, options: &Options, session: &Session) -> anyhow::Result<Answer> {
        let kernel = session.kernel()?;
        let record = record(&kernel, &self.of)?;
        Ok(Answer::new(view(&record, options), &record)?.served_by(&kernel))
    }

    fn named(&self) -> Vec<String> {
        vec![self.of.clone()]
    }

    fn is_of_one_thing(&self) -> bool {
        true
    }

    fn look_at(&mut self, address: String) {
        self.of = address;
    }
}

fn record(kernel: &Kernel<'_>, named: &str) -> anyhow::Result<ActingRecord> {
    match selector::parse(named)? {
        Selector::Address(_) => at_address(kernel, selector::structure(kernel, named)?),
        Selector::ProcessId(_) => Ok(acting::process(kernel, selector::process(kernel, named)?)),
        Selector::ThreadId(_) | Selector::Current => {
            Ok(acting::thread(kernel, selector::thread(kernel, named)?))
        }
        Selector::MessageId(_) => Ok(acting::message(kernel, selector::message(kernel, named)?)),
        Selector::Name(name) if name.contains('\\') => {
            Ok(acting::port(kernel, selector::port(kernel, named)?))
        }
        Selector::Name(_) => Ok(acting::process(kernel, selector::process(kernel, named)?)),
    }
}

/// What is at an address decides what is asked for; where nothing tells, a token is looked for.
fn at_address(kernel: &Kernel<'_>, address: Gva) -> anyhow::Result<ActingRecord> {
    acting::at(kernel, address).map_err(|not| match not.hole {
        Unreadable::NotThere { .. } => Failure::not_there(
            "not-a-token",
            format!(
                "neither a process, a thread, a port, a message nor an access token is at {}: {}",
                not.address,
                identify::identify(kernel, address)
            ),
        ),
        hole => Failure::partial(
            hole.id(),
            format!("the access token at {} cannot be read: {hole}", not.address),
        ),
    })
}

fn view(record: &ActingRecord, options: &Options) -> Text {
    let mut rows = Rows::new(0, record.address.digits());
    rows.line("");
    head(&mut rows, record);
    if let Some(token) = &record.token {
        token_lines::token(&mut rows, token, options.verbose);
    }
    caller(&mut rows, &record.caller, options);
    impersonation(&mut rows, record, options);
    primary(&mut rows, record, options);
    rows.finish()
}

fn head(rows: &mut Rows, record: &ActingRecord) {
    let what = match record.of {
        Actor::Process => "process",
        Actor::Thread => "thread",
        Actor::Port => "port",
        Actor::Message => "message",
        _ => return,
    };
    rows.heading(text!("{what} {}", record.address));
    if record.of == Actor::Message {
        return;
    }
    let process = or_question(&record.process, |process| match process {
        Some(process) => text!(
            "{} {}",
            process.address,
            or_question(&process.image, |image| escape::text(image))
        ),
        None => "none".into(),
    });
    let whose = if record.of == Actor::Port {
        "Owner"
    } else {
        "Process"
    };
    rows.line(text!("{whose}: {process}"));
    let protection = or_question(&record.protection, |protection| match protection {
        Some(protection) => protection.clone(),
        None => "none".to_owned(),
    });
    rows.line(text!("Protection: {protection}"));
}

/// Whom a server would act for, by what, and how far.
fn caller(rows: &mut Rows, caller: &Value<Option<CallerRecord>>, options: &Options) {
    let caller = match caller {
        Value::Known(None) => return,
        Value::Known(Some(caller)) => caller,
        Value::Missing(hole) => {
            rows.line(text!("whom the server would impersonate: ? ({hole})"));
            return;
        }
    };
    rows.line("");
    let by = &caller.by;
    let why = by.why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
    let level = or_question(&by.level, |level| {
        level.map(|level| format!(", level {level}")).unwrap_or_default()
    });
    rows.heading(text!(
        "Whom the server would impersonate: {}{why}{level} (the order of the checks has a single source)",
        by.source.words()
    ));
    if let Value::Known(Some(was)) = &by.was_impersonated {
        rows.line(if *was {
            "A server has impersonated by this attribute."
        } else {
            "No server has impersonated by this attribute yet."
        });
    }
    match &caller.token {
        Value::Known(Some(token)) => token_lines::token(rows, token, options.verbose),
        Value::Known(None) if by.source == CallerSource::StaticAtConnect => {
            rows.line("No token was captured.");
        }
        Value::Known(None) => {}
        Value::Missing(hole) => rows.line(text!("its token: ? ({hole})")),
    }
}

fn impersonation(rows: &mut Rows, record: &ActingRecord, options: &Options) {
    match &record.impersonation {
        Value::Known(None) if record.of == Actor::Thread => {
            rows.line("Thread is not impersonating. Using process token...");
        }
        Value::Known(None) => {}
        Value::Known(Some(thread)) => {
            rows.line("");
            let only = if thread.effective_only {
                ", effective only"
            } else {
                ""
            };
            rows.heading(text!(
                "Impersonation token of the thread, level {}{only}",
                thread.level.unwrap_or("?")
            ));
            match &thread.token {
                Value::Known(token) => token_lines::token(rows, token, options.verbose),
                Value::Missing(hole) => rows.line(text!("its token: ? ({hole})")),
            }
        }
        Value::Missing(hole) if hole.is_absence() => {}
        Value::Missing(hole) => rows.line(text!("whether the thread impersonates: ? ({hole})")),
    }
}

fn primary(rows: &mut Rows, record: &ActingRecord, options: &Options) {
    match &record.primary {
        Value::Known(Some(token)) => {
            rows.line("");
            let whose = if record.of == Actor::Port {
                "owner"
            } else {
                "process"
            };
            rows.heading(text!("Primary token of the {whose}"));
            token_lines::token(rows, token, options.verbose);
        }
        Value::Known(None) if matches!(record.of, Actor::Token | Actor::Message) => {}
        Value::Known(None) => rows.line("No primary token."),
        Value::Missing(hole) if hole.is_absence() => {}
        Value::Missing(hole) => rows.line(text!("the primary token: ? ({hole})")),
    }
}
