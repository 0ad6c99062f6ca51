//! The JSON Schema of everything that is written as JSON.
//!
//! It is written down in docs/, as users read it, and this program carries that document. With the feature `schema` it is
//! made anew out of the types; a test there compares the two.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use crate::output::describe::Describe;
use crate::output::table::Table;

#[cfg(feature = "schema")]
mod derived;

/// The document in docs/.
const PUBLISHED: &str = include_str!("../../../docs/alpc-dump.schema.json");

/// The members of a line that are not the record's.
const OF_THE_LINE: [&str; 2] = ["record", "dump"];

/// Members that say why others are null; rows of CSV have them in a column of their own.
const REASONS: [&str; 2] = ["unreadable", "absent"];

/// What a command writes as JSON.
pub struct Shape {
    /// Its name.
    pub name: &'static str,
    /// What its results may be with `--format json`.
    pub results: &'static [Describe],
    /// The tables that it may fill with `--format ndjson`.
    pub tables: &'static [Table],
    /// The results that stand in one line with `--format ndjson`.
    #[cfg_attr(
        not(feature = "schema"),
        expect(dead_code, reason = "only the derived schema asks")
    )]
    pub whole: &'static [Describe],
}

/// Levels of objects in a record that become columns; what is deeper is JSON in one cell.
const COLUMN_DEPTH: usize = 4;

/// The schema of everything that these commands write.
#[cfg(feature = "schema")]
pub fn whole(shapes: &[&Shape]) -> Json {
    derived::of_commands(shapes)
}

/// The schema of everything that these commands write.
///
/// # Panics
/// Never: the document is part of the program.
#[cfg(not(feature = "schema"))]
pub fn whole(_: &[&Shape]) -> Json {
    published()
}

fn published() -> Json {
    serde_json::from_str(PUBLISHED).expect("the schema is JSON")
}

/// The part of it that one command may write.
pub fn of_command(mut whole: Json, shape: &Shape) -> Json {
    let lines = shape.tables.iter().map(|table| table.record);
    let lines = lines.chain(["document", "error", "explanation", shape.name]);
    let mut names: Vec<String> = lines.map(|record| format!("line.{record}")).collect();
    names.extend([format!("document.{}", shape.name), format!("end.{}", shape.name)]);
    whole["title"] = format!("alpc-dump {}", shape.name).into();
    if let Some(forms) = whole["anyOf"].as_array_mut() {
        forms.retain_mut(|form| names_one(form, &names));
    }
    drop_unused_definitions(&mut whole);
    whole
}

/// Whether the form is one of these. Several dumps or commands give an array of such.
fn names_one(form: &mut Json, names: &[String]) -> bool {
    if let Some(Json::Array(elements)) = form.pointer_mut("/items/anyOf") {
        elements.retain_mut(|element| names_one(element, names));
        return true;
    }
    let name = form["$ref"].as_str().map(name_of);
    name.is_some_and(|name| names.iter().any(|wanted| wanted == name))
}

fn name_of(reference: &str) -> &str {
    reference.rsplit('/').next().unwrap_or(reference)
}

/// Leaves only definitions that something refers to, by name.
fn drop_unused_definitions(root: &mut Json) {
    let Some(Json::Object(definitions)) = root.as_object_mut().and_then(|root| root.remove("$defs")) else {
        return;
    };
    let mut used: BTreeMap<String, Json> = BTreeMap::new();
    let mut open = references(root);
    while let Some(name) = open.pop() {
        if let (false, Some(definition)) = (used.contains_key(&name), definitions.get(&name)) {
            open.extend(references(definition));
            used.insert(name, definition.clone());
        }
    }
    root["$defs"] = used.into_iter().collect::<Map<_, _>>().into();
}

fn references(schema: &Json) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![schema];
    while let Some(schema) = open.pop() {
        match schema {
            Json::Object(map) => {
                if let Some(Json::String(reference)) = map.get("$ref") {
                    found.push(name_of(reference).to_owned());
                }
                open.extend(map.values());
            }
            Json::Array(items) => open.extend(items),
            _ => {}
        }
    }
    found
}

/// The columns of a table: the members of its records, those of objects in them with a dot between.
pub fn columns(table: &Table) -> Vec<String> {
    let schema = published();
    let definitions = &schema["$defs"];
    let line = &definitions[format!("line.{}", table.record)];
    let mut columns = Vec::new();
    add_columns(line, definitions, "", COLUMN_DEPTH, &mut columns);
    columns.retain(|column| !OF_THE_LINE.contains(&column.as_str()));
    columns
}

fn add_columns(schema: &Json, definitions: &Json, prefix: &str, depth: usize, columns: &mut Vec<String>) {
    let schema = resolved(schema, definitions);
    match schema["properties"].as_object() {
        Some(properties) if depth > 0 => {
            let members = properties.iter();
            for (name, member) in members.filter(|(name, _)| !REASONS.contains(&name.as_str())) {
                let path = if prefix.is_empty() {
                    name.clone()
                } else {
                    format!("{prefix}.{name}")
                };
                add_columns(member, definitions, &path, depth - 1, columns);
            }
        }
        _ => columns.push(prefix.to_owned()),
    }
}

/// The schema behind references, and the one beside `null`.
fn resolved<'s>(schema: &'s Json, definitions: &'s Json) -> &'s Json {
    let mut schema = schema;
    loop {
        let forms = schema["anyOf"].as_array().map(Vec::as_slice);
        schema = match (schema["$ref"].as_str(), forms) {
            (Some(reference), _) => &definitions[name_of(reference)],
            (None, Some([one, null])) if null["type"] == "null" => one,
            _ => return schema,
        };
    }
}
