//! `modules`: the debugger's `lm`.

use alpc::Kernel;
use alpc::process::module::{self, ModuleRecord, Modules};
use clap::Args;
use kdump::Addr;

use crate::commands::{Category, Spec, Verb, open_kernel, symbol_source};
use crate::failure::Failure;
use crate::options::Options;
use crate::output::answer::{Answer, Place};
use crate::output::records::Records;
use crate::output::schema::Shape;
use crate::output::table::{Table, of};
use crate::session::Session;
use crate::text::columns::{Column, Grid, column};
use crate::text::escape;
use crate::text::marked::{Look, Text, text};
use crate::text::rows::{self, or_question};
use crate::{address, selector};

/// Loaded kernel modules (lm)
#[derive(Clone, Debug, Args)]
pub struct ModulesArgs {
    /// Only the modules of this name, with or without its ending (* and ? stand for any letters), or the one that
    /// an address is in
    #[arg(value_name = "NAME|ADDR")]
    pub name: Option<String>,
}

impl ModulesArgs {
    /// What is known of it.
    pub const SPEC: Spec = Spec {
        category: Category::System,
        switches: &[],
        shape: Shape {
            name: "modules",
            results: &[of::<Modules>],
            tables: &[TABLE],
            whole: &[],
        },
    };
}

impl Verb for ModulesArgs {
    fn table(&self) -> Option<Table> {
        Some(TABLE)
    }

    fn fill(
        &self,
        options: &Options,
        session: &Session,
        records: &mut Records<'_>,
    ) -> anyhow::Result<Answer> {
        let (mut modules, digits, symbols) = match of_triage(session) {
            Some(modules) => {
                records.head(options, None)?;
                let truth = module::of_triage(session.dump());
                (chosen(modules, truth.as_ref(), None, self)?, 16, None)
            }
            None => {
                let kernel = open_kernel(options, session, records)?;
                let truth = of_kernel(&kernel.unredacted()).ok();
                let modules = chosen(of_kernel(&kernel)?, truth.as_ref(), Some(&kernel), self)?;
                let digits = if kernel.pointer_size() == 4 { 8 } else { 16 };
                (modules, digits, Some(symbol_source(&kernel, session.choice())))
            }
        };
        let text = records.text(|| match options.fits {
            Some(width) => fitted(&modules, digits, width),
            None => text(&modules, digits),
        });
        for module in modules.modules.drain(..) {
            records.row(TABLE.record, &module, |_| String::new())?;
        }
        let answer = Answer::of(&modules)?
            .with_records_in(Place::Member("modules"))
            .with_text(text);
        Ok(Answer { symbols, ..answer })
    }

    fn named(&self) -> Vec<String> {
        self.name.iter().cloned().collect()
    }
}

/// The rows.
pub const TABLE: Table = Table {
    record: "module",
    option: None,
    row: of::<ModuleRecord>,
    rest: (of::<Modules>, Some("modules")),
};

/// The modules of a triage dump, as far as they may be told.
pub fn of_triage(session: &Session) -> Option<Modules> {
    let modules = module::of_triage(session.dump())?;
    Some(match session.redaction() {
        Some(redaction) => modules.redacted(redaction),
        None => modules,
    })
}

fn of_kernel(kernel: &Kernel<'_>) -> anyhow::Result<Modules> {
    module::modules(kernel)
        .map_err(|hole| Failure::partial(hole.id(), format!("the modules cannot be listed: {hole}")))
}

/// Leaves the modules that are asked for. A triage dump has no kernel to say how wide its addresses are; it is of a
/// 64-bit system.
fn chosen(
    modules: Modules,
    truth: Option<&Modules>,
    kernel: Option<&Kernel<'_>>,
    args: &ModulesArgs,
) -> anyhow::Result<Modules> {
    match args
        .name
        .as_deref()
        .filter(|token| address::looks_like_address(token))
    {
        Some(token) => {
            let at = address::parse(token)?;
            around(
                modules,
                kernel.map_or(Addr::new(at, 8), |kernel| {
                    kernel.addr(selector::narrowed(kernel, at))
                }),
            )
        }
        None => named(modules, truth, args),
    }
}

/// Leaves the module that an address is in.
fn around(mut modules: Modules, at: Addr) -> anyhow::Result<Modules> {
    // As `lm a ADDR` does. `end` is the first address behind the module: of faab4000 to faab8000 the last byte is at
    // faab7fff (Microsoft Learn, "lm").
    let range = |module: &ModuleRecord| Some(module.base.known()?.gva()..module.end.known()?.gva());
    let unknown = modules
        .modules
        .iter()
        .filter(|module| range(module).is_none())
        .count();
    modules
        .modules
        .retain(|module| range(module).is_some_and(|range| range.contains(&at.gva())));
    if !modules.modules.is_empty() {
        return Ok(modules);
    }
    let message = format!("no kernel module is around {at}");
    Err(match (modules.complete.reason(), unknown) {
        (None, 0) => Failure::not_there("no-such-module", message),
        (Some(hole), _) => {
            Failure::partial(hole.id(), format!("{message} as far as they can be read: {hole}"))
        }
        (None, _) => Failure::partial(
            "no-such-module",
            format!("{message}; where {unknown} are cannot be read"),
        ),
    })
}

/// Leaves the modules whose true name is asked for. The kernel is the first one, and `nt` whatever its file is called.
fn named(mut modules: Modules, truth: Option<&Modules>, args: &ModulesArgs) -> anyhow::Result<Modules> {
    let (Some(pattern), Some(truth)) = (&args.name, truth) else {
        return Ok(modules);
    };
    let mut number = 0;
    modules.modules.retain(|_| {
        let name = truth.modules.get(number).and_then(|module| module.name.known());
        // `nt` in the debugger, whatever the file is called: ntoskrnl.exe, ntkrpamp.exe, ntkrla57.exe.
        let is_kernel = number == 0 && pattern.eq_ignore_ascii_case("nt");
        number += 1;
        let fits = |name: &String| {
            let stem = name.rsplit_once('.').map_or(name.as_str(), |(stem, _)| stem);
            alpc::process::typed::matches(pattern, name) || alpc::process::typed::matches(pattern, stem)
        };
        is_kernel || name.is_some_and(fits)
    });
    if modules.modules.is_empty() {
        let hidden = truth
            .modules
            .iter()
            .filter(|module| module.name.reason().is_some())
            .count();
        let message = format!("no module is called \"{pattern}\"");
        return Err(match (truth.complete.reason(), hidden) {
            (None, 0) => Failure::not_there("no-such-module", message),
            (Some(hole), _) => {
                Failure::partial(hole.id(), format!("{message} as far as they can be read: {hole}"))
            }
            (None, _) => Failure::partial(
                "no-such-module",
                format!("{message}; the names of {hidden} cannot be read"),
            ),
        });
    }
    Ok(modules)
}

/// The columns.
const COLUMNS: &[Column] = &[
    column("start", 0),
    column("end", 2),
    column("module name", 0),
    column("path", 1),
];

fn fitted(record: &Modules, digits: usize, width: usize) -> Text {
    let mut grid = Grid::new(COLUMNS, "");
    for module in &record.modules {
        grid.row(cells(module, digits));
    }
    let hole = record.complete.reason();
    grid.fitted(width) + hole.map_or_else(Text::default, |hole| text!("{hole}\n"))
}

fn text(record: &Modules, digits: usize) -> Text {
    // As `lm` heads it (Microsoft Learn), but without the room for back-ticks in addresses of 64 bits.
    let head = format!("{:<digits$} {:<digits$}   module name", "start", "end");
    let mut text = Text::all(Look::Heading, head) + '\n';
    for module in &record.modules {
        text.push(line(module, digits));
    }
    if let Some(hole) = record.complete.reason() {
        text.push(text!("{hole}\n"));
    }
    text
}

fn cells(module: &ModuleRecord, digits: usize) -> [Text; COLUMNS.len()] {
    [
        rows::address(&module.base, digits),
        rows::address(&module.end, digits),
        or_question(&module.name, |name| escape::text(name)),
        or_question(&module.path, |path| escape::text(path)),
    ]
}

fn line(module: &ModuleRecord, digits: usize) -> Text {
    let [start, end, name, path] = cells(module, digits);
    text!("{start} {end}   {name:<20} {path}\n")
}
