//! `object`: the debugger's `!object`.

use alpc::object::ObjectRecord;
use alpc::object::directory::{self, Listing};
use alpc::object::identify;
use alpc::{Kernel, Value};
use kdump::Gva;
use schemars::JsonSchema;
use serde::Serialize;

use crate::cli::Cli;
use crate::cli::ObjectArgs;
use crate::commands::Answer;
use crate::failure::Failure;
use crate::selector;
use crate::session::Session;
use crate::text::escape;
use crate::text::object_lines;
use crate::text::rows::Rows;
use crate::text::rows::or_question;

/// Label width of the rows that `-v` adds.
const LABEL: usize = 18;

#[derive(Serialize, JsonSchema)]
pub struct ObjectInFull {
    #[serde(flatten)]
    object: ObjectRecord,
    /// What is in it, when it is a directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    contents: Option<Listing>,
}

pub fn run(cli: &Cli, session: &Session, args: &ObjectArgs) -> anyhow::Result<Answer> {
    let kernel = session.kernel()?;
    let address = selector::object(&kernel, &args.object)?;
    let record = in_full(&kernel, address)?;
    Ok(Answer::new(text(&record, cli.verbose), &record)?.served_by(&kernel))
}

/// The view of the object at an address.
pub fn view(cli: &Cli, kernel: &Kernel<'_>, address: Gva) -> anyhow::Result<String> {
    Ok(text(&in_full(kernel, address)?, cli.verbose))
}

fn in_full(kernel: &Kernel<'_>, address: Gva) -> anyhow::Result<ObjectInFull> {
    let object = identify::object(kernel, address)
        .map_err(|error| Failure::not_there("not-an-object", error.to_string()))?;
    let is_directory = object
        .object_type
        .known()
        .is_some_and(|found| found.is("Directory"));
    Ok(ObjectInFull {
        contents: is_directory.then(|| directory::listing(kernel, address)),
        object,
    })
}

fn text(record: &ObjectInFull, verbose: bool) -> String {
    let mut text = object_lines::lines(&record.object, 4);
    if verbose {
        text.push_str(&details(&record.object));
    }
    if let Some(contents) = &record.contents {
        text.push_str(&listing(contents, record.object.address.digits()));
    }
    text
}

fn details(object: &ObjectRecord) -> String {
    let mut rows = Rows::new(LABEL, object.address.digits());
    let path = or_question(&object.path, |path| {
        path.as_ref()
            .map_or_else(|| "none".to_owned(), |path| escape::text(path))
    });
    rows.text("Path", &path);
    rows.number("Flags", &object.flags, 2);
    let descriptor = or_question(&object.security_descriptor, |descriptor| {
        descriptor.map_or_else(|| "none".to_owned(), |descriptor| descriptor.to_string())
    });
    rows.text("SecurityDescriptor", &descriptor);
    rows.finish()
}

/// The debugger's table of a directory.
fn listing(contents: &Listing, digits: usize) -> String {
    let mut text = format!(
        "\n    Hash {:<digits$} {:<25} Name\n    ---- {:<digits$} {:<25} ----\n",
        "Address", "Type", "-------", "----",
    );
    for member in &contents.objects {
        let object_type = or_question(&member.object_type, object_lines::type_name);
        let name = or_question(&member.name, |name| {
            name.as_deref().map(escape::text).unwrap_or_default()
        });
        text.push_str(&format!(
            "     {}  {} {object_type:<25} {name}\n",
            or_question(&member.bucket, |bucket| format!("{bucket:02}"))
                .as_str()
                .replace('?', "??"),
            member.address
        ));
    }
    for gap in contents.gaps.iter().filter_map(Value::hole) {
        text.push_str(&format!("     ?   {gap}\n"));
    }
    text
}
