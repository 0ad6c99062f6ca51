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

/// Where the document says which columns the tables have as CSV.
const CSV: &str = "x-csv";

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

/// The schema of everything that these commands write; `rows` are tables that are written as CSV alone.
#[cfg(feature = "schema")]
pub fn whole(shapes: &[&Shape], rows: &[&Table]) -> Json {
    derived::of_commands(shapes, rows)
}

/// The schema of everything that these commands write; `rows` are tables that are written as CSV alone.
///
/// # Panics
/// Never: the document is part of the program.
#[cfg(not(feature = "schema"))]
pub fn whole(_: &[&Shape], _: &[&Table]) -> Json {
    serde_json::from_str(PUBLISHED).expect("the schema is JSON")
}

/// The part of it that one command may write.
pub fn of_command(mut whole: Json, shape: &Shape) -> Json {
    let lines = shape.tables.iter().map(|table| table.record);
    let lines = lines.chain(["document", "error", "explanation", shape.name]);
    let mut names: Vec<String> = lines.map(|record| format!("line.{record}")).collect();
    names.extend([format!("document.{}", shape.name), format!("end.{}", shape.name)]);
    whole["title"] = format!("alpc-dump {}", shape.name).into();
    if let Some(Json::Object(tables)) = whole.get_mut(CSV) {
        tables.retain(|record, _| shape.tables.iter().any(|table| table.record == record));
    }
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
    // Of a document of half a megabyte only this part is taken apart.
    let start = PUBLISHED
        .find(&format!("\"{CSV}\":"))
        .map(|at| at + CSV.len() + 3);
    let part = start.and_then(|start| PUBLISHED.get(start..)).unwrap_or_default();
    let mut parts = serde_json::Deserializer::from_str(part).into_iter::<Json>();
    let tables = parts.next().and_then(Result::ok).unwrap_or_default();
    let names = tables[table.record].as_array().into_iter().flatten();
    names
        .filter_map(|name| name.as_str().map(str::to_owned))
        .collect()
}
