//! `object`: the debugger's `!object`.

use alpc::object::directory::{self, Listing, MemberRecord};
use alpc::object::{ObjectRecord, identify};
use alpc::{Kernel, Value};
use clap::Args;
use kdump::Gva;
#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::Serialize;

use crate::commands::{Category, Spec, Verb};
use crate::failure::Failure;
use crate::options::Options;
use crate::output::answer::Answer;
use crate::output::schema::Shape;
use crate::output::table::of;
use crate::selector;
use crate::session::Session;
use crate::text::columns::{Column, Grid, column};
use crate::text::marked::{Cell, Text, text};
use crate::text::rows::{Rows, or_question};
use crate::text::{escape, object_lines};

/// One object: its type, counts and name; a directory with what is in it (!object)
#[derive(Clone, Debug, Args)]
pub struct ObjectArgs {
    /// Address of the object, or its full path, as in `\RPC Control\ntsvcs`
    #[arg(value_name = "ADDR|PATH")]
    pub object: String,
}

impl ObjectArgs {
    /// What is known of it.
    pub const SPEC: Spec = Spec {
        category: Category::System,
        switches: &[],
        shape: Shape {
            name: "object",
            results: &[of::<ObjectInFull>],
            tables: &[],
            whole: &[of::<ObjectInFull>],
        },
    };
}

impl Verb for ObjectArgs {
    fn run(&self, options: &Options, session: &Session) -> anyhow::Result<Answer> {
        let kernel = session.kernel()?;
        let address = selector::object(&kernel, &self.object)?;
        let record = in_full(&kernel, address)?;
        Ok(Answer::new(text(&record, options), &record)?.served_by(&kernel))
    }

    fn named(&self) -> Vec<String> {
        vec![self.object.clone()]
    }

    fn is_of_one_thing(&self) -> bool {
        true
    }

    fn look_at(&mut self, address: String) {
        self.object = address;
    }
}

/// Label width of the rows that `-v` adds.
const LABEL: usize = 18;

#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct ObjectInFull {
    #[serde(flatten)]
    object: ObjectRecord,
    /// What is in it, when it is a directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    contents: Option<Listing>,
}

/// The view of the object at an address.
pub fn view(options: &Options, kernel: &Kernel<'_>, address: Gva) -> anyhow::Result<Text> {
    Ok(text(&in_full(kernel, address)?, options))
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

fn text(record: &ObjectInFull, options: &Options) -> Text {
    // Four blanks here and eight in `!handle`, by transcripts of both.
    let mut text = object_lines::lines(&record.object, 4);
    if options.verbose {
        text.push(details(&record.object));
    }
    if let Some(contents) = &record.contents {
        text.push(match options.fits {
            Some(width) => fitted(contents, width),
            None => listing(contents, record.object.address.digits()),
        });
    }
    text
}

fn details(object: &ObjectRecord) -> Text {
    let mut rows = Rows::new(LABEL, object.address.digits());
    let path = or_question(&object.path, |path| {
        path.as_ref()
            .map_or_else(|| "none".to_owned(), |path| escape::text(path))
    });
    rows.text("Path", path);
    rows.number("Flags", &object.flags, 2);
    // A port without a name mostly has none: the type does not ask for one (a decompile), and nobody can open such a
    // port by name.
    let descriptor = or_question(&object.security_descriptor, |descriptor| {
        descriptor.map_or_else(|| "none".to_owned(), |descriptor| descriptor.to_string())
    });
    rows.text("SecurityDescriptor", descriptor);
    rows.finish()
}

/// The debugger's table of a directory.
fn listing(contents: &Listing, digits: usize) -> Text {
    let mut text = text!(
        // The debugger's head of a directory, as in Microsoft Learn's sample of `!object \`.
        "\n    Hash {:<digits$} {:<25} Name\n    ---- {:<digits$} {:<25} ----\n",
        "Address",
        "Type",
        "-------",
        "----",
    );
    for member in &contents.objects {
        let [bucket, address, object_type, name] = cells(member);
        text.push(text!("     {bucket}  {address} {object_type:<25} {name}\n"));
    }
    for gap in contents.gaps.iter().filter_map(Value::reason) {
        text.push(text!("     ?   {gap}\n"));
    }
    text
}

/// The columns.
const COLUMNS: &[Column] = &[
    column("Hash", 2),
    column("Address", 0),
    column("Type", 1),
    column("Name", 0),
];

fn cells(member: &MemberRecord) -> [Text; COLUMNS.len()] {
    [
        // A directory has 37 buckets in all layouts, which are numbered in decimal.
        match &member.bucket {
            Value::Known(bucket) => text!("{bucket:02}"),
            Value::Missing(_) => Cell::unreadable("??").into(),
        },
        member.address.to_string().into(),
        or_question(&member.object_type, object_lines::type_name),
        or_question(&member.name, |name| {
            name.as_deref().map(escape::text).unwrap_or_default()
        }),
    ]
}

/// The same table in so many columns.
fn fitted(contents: &Listing, width: usize) -> Text {
    let mut grid = Grid::new(COLUMNS, "");
    for member in &contents.objects {
        grid.row(cells(member));
    }
    for gap in contents.gaps.iter().filter_map(Value::reason) {
        grid.line(text!("? {gap}"));
    }
    Text::from('\n') + grid.fitted(width)
}
