//! `pack`: what the views need of symbols, as a file of a few KiB that `--symbols` takes for them.

use std::io::{self, Write};
use std::path::Path;

use alpc::CONTRACT;
use alpc::image::contract;
use alpc::system::own::{self, TypesFrom};
use clap::Args;
use ntlayout::{Certainty, Layout};
#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::Serialize;

use crate::commands::{Category, Spec, Verb};
use crate::failure::{Failure, Status};
use crate::host::target::Target;
use crate::options::{Format, Options};
use crate::output::answer::Answer;
use crate::output::schema::Shape;
use crate::output::table::of;
use crate::redact::{Redactor, Typed};
use crate::session::Session;
use crate::text::{escape, symbol_lines};

/// Write what the views need of symbols, of one kernel or many, into a file for -y
#[derive(Clone, Debug, Args)]
pub struct PackArgs {}

impl PackArgs {
    /// What is known of it.
    pub const SPEC: Spec = Spec {
        category: Category::Dump,
        switches: &[],
        shape: Shape {
            name: "pack",
            results: &[of::<PackRecord>],
            tables: &[],
            whole: &[of::<PackRecord>],
        },
    };
}

impl Verb for PackArgs {
    fn run(&self, options: &Options, session: &Session) -> anyhow::Result<Answer> {
        let (layout, pointer_size) = of_dump(session)?;
        write(options, &session.redactor(), &layout, pointer_size)
    }

    fn writes_own_file(&self) -> bool {
        true
    }
}

#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct PackRecord {
    file: String,
    bytes: usize,
    identity: Option<String>,
    source: String,
    /// Types that the symbols lack and that others of the same image tell: they are in the pack.
    types_from: Vec<TypesFrom>,
    /// Types that the symbols lack and that nothing tells: the pack does not tell of them either.
    types_untold: Vec<&'static str>,
}

/// Packs a symbol file that stands where a dump does; nothing if the file is none.
pub fn of_table(options: &Options, redactor: &Redactor, path: &Path) -> Option<anyhow::Result<Answer>> {
    let found = layout_of_table(path)?;
    Some(found.and_then(|(layout, pointer_size)| write(options, redactor, &layout, pointer_size)))
}

/// What a pack is made of: a layout, and the bytes of a pointer by it where the symbols say that.
type Packable = (Layout, Option<u8>);

/// The layout of a dump's kernel. What is not the kernel's own for sure is refused.
fn of_dump(session: &Session) -> anyhow::Result<Packable> {
    let pointer_size = session.table()?.pointer_size();
    let kernel = session.kernel()?;
    let layout = kernel.layout();
    if layout.certainty() != Certainty::Exact {
        return Err(Failure::fatal(
            "symbols-not-exact",
            format!(
                "{} serve, {}{}: they cannot be packed as the kernel's own",
                layout.origin(),
                layout.certainty(),
                symbol_lines::in_short(&own::types_from(layout), &[]),
            ),
        ));
    }
    Ok((layout.clone(), pointer_size))
}

fn layout_of_table(path: &Path) -> Option<anyhow::Result<Packable>> {
    let table = ntlayout::open(path).ok()?;
    let layout = table
        .resolve(&CONTRACT)
        .map_err(|error| Failure::fatal(error.id(), error.to_string()));
    Some(layout.and_then(|layout| {
        let layout = own::untold(own::with_built_in(layout));
        if own::is_useless(&layout) {
            return Err(Failure::fatal(
                "symbols-without-types",
                format!("{} has no types: there is nothing to pack", table.origin()),
            ));
        }
        Ok((layout, table.pointer_size()))
    }))
}

/// The pack of a dump's kernel or of a symbol file, and of which kernel it is.
pub fn one_of_many(options: &Options, typed: &Typed, path: &Path) -> anyhow::Result<(String, String)> {
    let (layout, pointer_size) = match layout_of_table(path) {
        Some(found) => found?,
        None => of_dump(&Session::open(options, typed, path)?)?,
    };
    let identity = layout.identity().map(ToString::to_string);
    Ok((identity.unwrap_or_default(), text_of(&layout, pointer_size)?))
}

/// Writes the packs of several kernels, one behind the other, as `-y` takes them.
pub fn save_many(output: &Path, packs: &[String]) -> anyhow::Result<()> {
    save(output, &packs.concat())
        .map(|_| ())
        .map_err(|error| cannot_write(output, &error))
}

fn cannot_write(output: &Path, error: &io::Error) -> anyhow::Error {
    let text = format!("{}: cannot be written: {error}", output.display());
    Failure::fatal("cannot-write", text)
}

/// Where a pack is to be written.
pub fn output_of(options: &Options) -> anyhow::Result<&Path> {
    let output = options.output.as_deref();
    output.ok_or_else(|| {
        let text = "pack needs the name of the file to write: pack --output FILE";
        Failure::fatal("no-output", text)
    })
}

fn text_of(layout: &Layout, pointer_size: Option<u8>) -> anyhow::Result<String> {
    let pointer_size = pointer_size
        .ok_or_else(|| Failure::fatal("no-machine", "the symbols do not say for which machine they are"))?;
    ntlayout::pack(&CONTRACT, layout, pointer_size)
        .map_err(|error| Failure::fatal("no-identity", format!("{}: {error}", layout.origin())))
}

fn write(
    options: &Options,
    redactor: &Redactor,
    layout: &Layout,
    pointer_size: Option<u8>,
) -> anyhow::Result<Answer> {
    let output = output_of(options)?;
    let text = text_of(layout, pointer_size)?;
    let to_stdout = save(output, &text).map_err(|error| cannot_write(output, &error))?;
    let record = PackRecord {
        file: redactor.view(&output.to_string_lossy()),
        bytes: text.len(),
        identity: layout
            .identity()
            .map(|identity| redactor.view(&identity.to_string())),
        source: redactor.view(&layout.origin().to_string()),
        types_from: redactor.types_from(own::types_from(layout)),
        types_untold: contract::stripped(&CONTRACT, layout),
    };
    let line = format!(
        "{}: {} bytes, {} from {}{}\n",
        escape::text(&record.file),
        record.bytes,
        escape::text(record.identity.as_deref().unwrap_or_default()),
        escape::text(&record.source),
        escape::text(&symbol_lines::in_short(&record.types_from, &record.types_untold)),
    );
    let status = if contract::are_lost(&record.types_untold) {
        Status::Partial
    } else {
        Status::Complete
    };
    if to_stdout && options.format == Format::Text {
        // It would stand in the pack.
        let answer = Answer::new(String::new(), &record)?.ends_with(status);
        return Ok(answer.with_notes(vec![line.trim_end().to_owned()]));
    }
    Ok(Answer::new(line, &record)?.ends_with(status))
}

/// Writes a pack where none is, whole or not at all; whether that is stdout.
fn save(path: &Path, text: &str) -> io::Result<bool> {
    let mut target = Target::new_file(path)?;
    target.write_all(text.as_bytes())?;
    target.finish()?;
    Ok(target.is_stdout())
}
