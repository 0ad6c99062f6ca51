//! `report`: one page to attach to a ticket, of what the other commands say.

use alpc::wait::hang;
use alpc::wait::node::Node;
use clap::Args;
#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value as Json;

use crate::commands::{
    Category, Spec, Verb, analyze, calls, chain, graph_page, hang as hang_view, info, stack, summary, waits,
};
use crate::failure::{Failure, Status};
use crate::options::{Format, Options};
use crate::output::answer::Answer;
use crate::output::schema::Shape;
use crate::output::table::of;
use crate::session::Session;
use crate::text::escape;
use crate::text::graph::{html, svg};

/// One page for a ticket: verdict, dump, blockers, their chains and stacks, calls
///
/// As Markdown, with -o FILE.html as a page of HTML with a picture that needs nothing else, with -o FILE.json as one document.
#[derive(Clone, Debug, Args)]
pub struct ReportArgs {}

impl ReportArgs {
    /// What is known of it.
    pub const SPEC: Spec = Spec {
        category: Category::Waits,
        switches: &[],
        shape: Shape {
            name: "report",
            results: &[of::<ReportRecord>],
            tables: &[],
            whole: &[of::<ReportRecord>],
        },
    };
}

/// Blockers whose chains and stacks are told.
const BLOCKERS: usize = 3;

/// What the other commands say.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct ReportRecord {
    /// Their answers, in order.
    sections: Vec<Section>,
}

/// The answer of one command.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "ReportSection"))]
struct Section {
    /// What it is about.
    title: String,
    /// The command behind the dump.
    command: String,
    /// Its result; null when there is none.
    result: Json,
    /// Why there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip)]
    text: String,
}

/// A section before it is filled.
struct Part {
    title: String,
    command: String,
    verb: Box<dyn Verb>,
    /// Whether its text is that of `-v`: a screen is for whoever can ask on.
    in_full: bool,
}

impl Verb for ReportArgs {
    fn run(&self, options: &Options, session: &Session) -> anyhow::Result<Answer> {
        let kernel = session.kernel()?;
        let inner = Options {
            format: if options.format.is_data() {
                Format::Json
            } else {
                Format::Text
            },
            ..options.clone()
        };
        let (mut sections, mut holes, mut status) = (Vec::new(), Vec::new(), Status::Complete);
        for part in parts(session)? {
            let in_full = part.in_full && !options.format.is_data();
            let inner = Options {
                verbose: inner.verbose || in_full,
                ..inner.clone()
            };
            let answered = part.verb.run(&inner, session);
            let (result, error, text) = match answered {
                Ok(answer) => {
                    // A finding of one of them is one of the whole; what could not be read is told by its place.
                    status = status.combine(answer.status);
                    let place = format!("sections[{}].result", sections.len());
                    holes.extend(answer.record.holes.into_iter().map(|hole| hole.below(&place)));
                    (answer.record.value, None, answer.text.into_plain())
                }
                Err(error) => {
                    let failure = Failure::from_error(error);
                    let message = session.redactor().message(&failure.message);
                    status = status.combine(Status::Partial);
                    (Json::Null, Some(message.clone()), message)
                }
            };
            sections.push(Section {
                title: part.title,
                command: match in_full {
                    true => format!("{} -v", part.command),
                    false => part.command,
                },
                result,
                error,
                text,
            });
        }
        let record = ReportRecord { sections };
        let title = session.redactor().view(&session.dump().path().to_string_lossy());
        let of_file = of_file(session);
        let text = match options.format {
            Format::Html => {
                let (graph, hang) = hang::hang(&kernel);
                let picture = graph_page::inline(&kernel, &graph.record(), &hang);
                page(&title, &of_file, picture.as_deref(), &record.sections)
            }
            _ => markdown(&title, &of_file, &record.sections),
        };
        let mut answer = Answer::new(text, &record)?.served_by(&kernel).ends_with(status);
        answer.record.holes = holes;
        Ok(answer)
    }

    fn writes(&self, format: Format) -> bool {
        format == Format::Html
    }
}

/// The sections: first what a reader wants to know, last what only a second reader does.
fn parts(session: &Session) -> anyhow::Result<Vec<Part>> {
    let part = |title: &str, command: String, verb: Box<dyn Verb>| Part {
        title: title.to_owned(),
        command,
        verb,
        in_full: false,
    };
    let mut parts = vec![part(
        "Verdict",
        "summary".into(),
        Box::new(summary::SummaryArgs {}),
    )];
    let hang_args = hang_view::HangArgs { longer_than: None };
    parts.push(Part {
        in_full: true,
        ..part("What hangs, and on whom", "hang".into(), Box::new(hang_args))
    });
    let kernel = session.kernel()?;
    let (_, found) = hang::hang(&kernel);
    for (number, blocker) in (1..).zip(found.blockers.iter().take(BLOCKERS)) {
        let first = blocker
            .chain
            .steps
            .first()
            .map_or(blocker.node.address(), |step| step.node.address());
        let start = first.to_string();
        let chain = chain::ChainArgs {
            start: start.clone(),
            candidates: false,
        };
        parts.push(part(
            &format!("The chain to blocker {number}, with what proves each step"),
            format!("chain {start}"),
            Box::new(chain),
        ));
        if let Node::Thread(thread) = &blocker.node {
            let thread = thread.address.to_string();
            let stack = stack::StackArgs {
                thread: thread.clone(),
                args: false,
            };
            parts.push(part(
                &format!("The stack of blocker {number}"),
                format!("stack {thread}"),
                Box::new(stack),
            ));
        }
    }
    parts.push(part(
        "All waits for replies",
        "waits".into(),
        Box::new(waits::WaitsArgs::all()),
    ));
    parts.push(part(
        "Calls in flight",
        "calls".into(),
        Box::new(calls::CallsArgs::all()),
    ));
    parts.push(part(
        "Contradictions",
        "analyze".into(),
        Box::new(analyze::AnalyzeArgs {
            list: false,
            carve: false,
        }),
    ));
    parts.push(part("The dump", "info".into(), Box::new(info::InfoArgs {})));
    Ok(parts)
}

/// Which file this is of, so that a reader can tell whether he has the same: its size, and its hash with `--hash`, which
/// reads all of it.
fn of_file(session: &Session) -> String {
    let size = session.dump().path().metadata().map_or(0, |file| file.len());
    let hash = session
        .sha256()
        .map_or_else(String::new, |sha256| format!(", SHA-256 {sha256}"));
    format!(
        "{size} bytes{hash}; made by alpc-dump {}",
        env!("CARGO_PKG_VERSION")
    )
}

fn markdown(title: &str, of_file: &str, sections: &[Section]) -> String {
    let mut page = format!("# {}\n\n{of_file}\n", escape::text(title));
    for section in sections {
        // A fence that is longer than any in the text: names in a dump may have back-ticks.
        let longest = section.text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
        let fence = "`".repeat(longest.max(2) + 1);
        page.push_str(&format!(
            "\n## {}\n\n`alpc-dump DUMP {}`\n\n{fence}\n{}\n{fence}\n",
            section.title,
            section.command,
            section.text.trim_matches('\n')
        ));
    }
    page
}

/// How the page looks.
const STYLE: &str = ":root { color-scheme: light dark }
body { font: 16px/1.4 system-ui, sans-serif; margin: 2em auto; max-width: 100em; padding: 0 1em }
pre { border: 1px solid #8886; overflow-x: auto; padding: .7em; white-space: pre-wrap; overflow-wrap: anywhere }
code { opacity: .7 }
nav a { margin-right: 1em }
figure { margin: 1em 0; overflow-x: auto }
.legend { display: flex; flex-wrap: wrap; gap: 2px 18px; margin-top: 8px; font-size: 12px }
@media print { pre { border: 0 } }
";

/// A page without a script, a second file or the network, which its own policy forbids as well; above all sections the
/// picture of the worst that hangs.
fn page(title: &str, of_file: &str, picture: Option<&str>, sections: &[Section]) -> String {
    let title = svg::escaped(&escape::text(title));
    let style = html::with_plain_ends(&[STYLE, svg::STYLE].concat());
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<title>{title}</title>\n<meta charset=\"utf-8\">\n<meta \
         http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-{}'\">\n<meta \
         name=\"viewport\" content=\"width=device-width\">\n<style>{style}</style>\n<h1>{title}</h1>\n<p>{}</p>\n<nav>\n",
        html::hash(&style),
        svg::escaped(of_file)
    );
    for (number, section) in sections.iter().enumerate() {
        page.push_str(&format!(
            "<a href=\"#s{number}\">{}</a>\n",
            svg::escaped(&section.title)
        ));
    }
    page.push_str("</nav>\n");
    if let Some(picture) = picture {
        page.push_str(&format!("<figure>\n{picture}</figure>\n"));
    }
    for (number, section) in sections.iter().enumerate() {
        page.push_str(&format!(
            "<h2 id=\"s{number}\">{}</h2>\n<p><code>alpc-dump DUMP {}</code></p>\n<pre>{}</pre>\n",
            svg::escaped(&section.title),
            svg::escaped(&section.command),
            svg::escaped(section.text.trim_matches('\n'))
        ));
    }
    page.push_str("</html>\n");
    page
}
