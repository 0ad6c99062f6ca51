//! `symbols`: which symbols the kernel asks for, where they were looked for, which are in use, and how to get
//! the right ones.

use alpc::locate::choice::Choice;
use alpc::system::Chosen;
use alpc::system::own::{self, TypesFrom};
use clap::{Args, ValueEnum};
use ntlayout::Identity;
#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::Serialize;

use crate::commands::kernel_identity::{KernelCandidate, KernelIdentity, candidate_rows};
use crate::commands::{Category, Spec, Verb};
use crate::failure::Failure;
use crate::options::Options;
use crate::output::answer::Answer;
use crate::output::schema::Shape;
use crate::output::table::of;
use crate::output::views_lost;
use crate::session::Session;
use crate::text::fetch_script::{File, SERVER};
use crate::text::marked::{Text, text};
use crate::text::rows::Rows;
use crate::text::{escape, evidence_lines, fetch_script, symbol_lines};

/// Which symbols the kernel asks for, where they were looked for, and how to get them
#[derive(Clone, Debug, Args)]
pub struct SymbolsArgs {
    /// End with status 1 when no symbols can be used
    #[arg(long)]
    pub check: bool,

    /// Only a script that fetches them into a symbol store, for a machine that has a network: one for all dumps, also for
    /// those in folders
    #[arg(long, value_name = "KIND", conflicts_with = "check")]
    pub script: Option<Script>,
}

/// What fetches symbols.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Script {
    /// A shell script, which needs curl
    Sh,
    /// A script of PowerShell
    Ps1,
    /// A manifest for symchk /im
    Manifest,
}

impl Script {
    /// The script for these; nothing when a name is none that a linker writes.
    pub fn text(self, wanted: &[&Identity]) -> Option<String> {
        let keys: Vec<String> = wanted.iter().map(|wanted| wanted.key()).collect();
        let files = wanted.iter().zip(&keys).map(|(wanted, key)| {
            is_plain(&wanted.pdb_name).then(|| File {
                name: &wanted.pdb_name,
                key,
                guid: wanted.guid.0.iter().map(|byte| format!("{byte:02x}")).collect(),
            })
        });
        let files = files.collect::<Option<Vec<File<'_>>>>()?;
        Some(match self {
            Self::Sh => fetch_script::sh(&files),
            Self::Ps1 => fetch_script::ps1(&files),
            Self::Manifest => fetch_script::manifest(&files),
        })
    }
}

impl SymbolsArgs {
    /// What is known of it.
    pub const SPEC: Spec = Spec {
        category: Category::Dump,
        switches: &[],
        shape: Shape {
            name: "symbols",
            results: &[of::<SymbolSearch>],
            tables: &[],
            whole: &[of::<SymbolSearch>],
        },
    };
}

impl Verb for SymbolsArgs {
    fn run(&self, _: &Options, session: &Session) -> anyhow::Result<Answer> {
        let asked = session.asked();
        let wanted = asked.map(|asked| &asked.identity);
        let chosen = session.choose()?;
        let in_use = chosen.serves().then(|| in_use(session)).transpose()?;
        let record = SymbolSearch {
            wanted: wanted.map(|wanted| WantedSymbols {
                name: wanted.pdb_name.clone(),
                guid: wanted.guid.to_string(),
                age: wanted.age,
                timestamp: asked
                    .and_then(|asked| asked.stamp)
                    .map(|(timestamp, _)| timestamp),
                size_of_image: asked.and_then(|asked| asked.stamp).map(|(_, size)| size),
            }),
            identity: KernelIdentity::of(session),
            candidates: KernelCandidate::all(session),
            looked_at: looked_at(session, chosen),
            in_use,
            get: wanted
                .filter(|_| !chosen.is_complete())
                .and_then(|wanted| get(session, wanted)),
        };
        if let Some(script) = self.script {
            let text = wanted
                .and_then(|wanted| script.text(&[wanted]))
                .ok_or_else(no_identity)?;
            return Answer::new(text, &record);
        }
        let lacks = |used: &SymbolsInUse| alpc::image::contract::are_lost(&used.types_untold);
        let failed = self.check && record.in_use.as_ref().is_none_or(lacks);
        Ok(Answer::new(text(&record), &record)?.finding(failed))
    }

    fn tells_verdict(&self) -> bool {
        self.check
    }
}

const LABEL: usize = 16;

#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct SymbolSearch {
    wanted: Option<WantedSymbols>,
    /// Which kernel it is, and where that was learned; null where nothing says so.
    identity: Option<KernelIdentity>,
    /// The published kernels that it can be, by the addresses of its variables; not there when it is known, or none is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    candidates: Vec<KernelCandidate>,
    looked_at: Vec<LookedAt>,
    in_use: Option<SymbolsInUse>,
    /// How to get the kernel's own symbols; not told when they are in use.
    get: Option<SymbolsToGet>,
}

#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
struct WantedSymbols {
    name: String,
    guid: String,
    age: u32,
    timestamp: Option<u32>,
    size_of_image: Option<u32>,
}

#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
struct LookedAt {
    path: String,
    outcome: String,
}

#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
struct SymbolsInUse {
    source: String,
    certainty: String,
    /// Why they were chosen, where they are not those that the kernel names.
    evidence: Option<Choice>,
    /// Types that they lack and that other symbols tell.
    types_from: Vec<TypesFrom>,
    /// Types that they lack and that nothing tells.
    types_untold: Vec<&'static str>,
    missing: Vec<String>,
    views_lost: Vec<&'static str>,
}

#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
struct SymbolsToGet {
    address: String,
    path: Option<String>,
    commands: Vec<String>,
}

fn looked_at(session: &Session, chosen: &Chosen) -> Vec<LookedAt> {
    let redactor = session.redactor();
    let record = |looked: &ntlayout::Looked| LookedAt {
        path: redactor.view(&looked.path.to_string_lossy()),
        outcome: redactor.view(&looked.outcome.to_string()),
    };
    chosen.looked().iter().map(record).collect()
}

fn in_use(session: &Session) -> anyhow::Result<SymbolsInUse> {
    let kernel = session.kernel()?;
    let (layout, missing) = (kernel.layout(), kernel.missing());
    Ok(SymbolsInUse {
        source: session.redactor().view(&layout.origin().to_string()),
        certainty: layout.certainty().to_string(),
        evidence: session.choice().cloned(),
        types_from: session.redactor().types_from(own::types_from(layout)),
        types_untold: own::types_untold(&kernel),
        missing: missing.iter().map(ToString::to_string).collect(),
        views_lost: views_lost::of(&missing),
    })
}

/// What a script cannot be made of.
pub fn no_identity() -> anyhow::Error {
    Failure::fatal(
        "no-identity",
        "nothing in the dump says which kernel it is, so that there are no symbols to fetch; `info` shows what there is",
    )
}

/// Whether a script can fetch it.
pub fn is_fetchable(identity: &Identity) -> bool {
    is_plain(&identity.pdb_name)
}

/// Whether a name is one that a linker writes: it comes out of the dump, and becomes part of commands.
fn is_plain(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    !name.is_empty() && name.chars().all(plain) && !name.starts_with(['.', '-'])
}

/// Nothing for a name that no linker writes: it comes out of the dump, and must not become part of a command.
fn get(session: &Session, wanted: &Identity) -> Option<SymbolsToGet> {
    let name = &wanted.pdb_name;
    if !is_plain(name) {
        return None;
    }
    let address = format!("{SERVER}/{wanted}/{name}");
    let path = ntlayout::cache_folder().map(|cache| cache.join(name).join(wanted.key()).join(name));
    let commands = vec![
        // The server answers with a redirection to where the file is kept, which curl follows only if told.
        format!("curl --fail --location --output {name} {address}"),
        // In parentheses for cmd.exe: without them it takes the digit right before `>` for the number of a handle,
        // and the manifest lacks its last field (Microsoft Learn, "Using command redirection operators").
        format!(
            "(echo {name},{},1)> manifest.txt && symchk /im manifest.txt /s srv*symbols*{SERVER}",
            wanted.key()
        ),
    ];
    Some(SymbolsToGet {
        address,
        path: path.map(|path| session.redactor().view(&path.to_string_lossy())),
        commands,
    })
}

fn text(record: &SymbolSearch) -> Text {
    let mut rows = Rows::new(LABEL, 16);
    rows.heading("Symbols of the kernel");
    match &record.wanted {
        Some(wanted) => {
            rows.text("Name", escape::text(&wanted.name));
            rows.text("GUID", &wanted.guid);
            rows.text("Age", wanted.age.to_string());
            if let Some((timestamp, size)) = wanted.timestamp.zip(wanted.size_of_image) {
                rows.text("Image time stamp", text!("{timestamp:08x}"));
                rows.text("Image size", text!("{size:x} bytes"));
            }
            if let Some(identity) = &record.identity {
                identity.rows(&mut rows);
            }
        }
        None => {
            rows.text("Name", "not known: the kernel's debug record is not in the dump");
            candidate_rows(&mut rows, &record.candidates);
        }
    }
    rows.line("");
    rows.heading("Looked at");
    for looked in &record.looked_at {
        rows.line(text!("  {}", escape::text(&looked.path)));
        rows.line(text!("    {}", escape::text(&looked.outcome)));
    }
    if record.looked_at.is_empty() {
        rows.line("  nothing before the symbols in use");
    }
    rows.line("");
    match &record.in_use {
        Some(used) => {
            rows.heading("In use");
            rows.text("Source", escape::text(&used.source));
            rows.text("Certainty", &used.certainty);
            if let Some(choice) = &used.evidence {
                evidence_lines::choice(&mut rows, choice);
            }
            symbol_lines::rows(&mut rows, &used.types_from, &used.types_untold);
            if !used.missing.is_empty() {
                rows.text("Lacks", used.missing.join(", "));
                rows.text("Views lost", used.views_lost.join(", "));
            }
        }
        None => rows.heading("No symbols are in use"),
    }
    if let Some(get) = &record.get {
        rows.line("");
        rows.heading("To get the kernel's own symbols");
        rows.text("Address", &get.address);
        if let Some(path) = &get.path {
            rows.text("Put the file at", escape::text(path));
        }
        rows.text("or anywhere with", "--symbols FILE");
        for (at, command) in get.commands.iter().enumerate() {
            rows.text(if at == 0 { "With a network" } else { "or" }, command);
        }
    }
    rows.finish()
}
