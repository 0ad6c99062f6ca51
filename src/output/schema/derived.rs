//! The same out of the types that are written. `cargo run --features schema -- schema` writes the document in docs/.

use alpc::image::schema::MAY_BE_MISSING;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value as Json, json};

use crate::output::describe::{Describe, of};
use crate::output::document::{Document, End, ErrorRecord, First, Line, VERSION};
use crate::output::explanation::{self, Explanation};
use crate::output::schema::{CSV, Shape, drop_unused_definitions, name_of};
use crate::output::table::Table;

/// The schema of what these commands write with `--format json` and `--format ndjson`.
pub fn of_commands(shapes: &[&Shape], rows: &[&Table]) -> Json {
    let mut forms = Forms::new();
    for shape in shapes {
        let document = document(&mut forms.generator, shape);
        forms.add(&format!("document.{}", shape.name), document);
    }
    if shapes.len() > 1 {
        let none = document_of_none(&mut forms.generator);
        forms.add("document.none", none);
    }
    let documents = forms.list.clone();
    forms.list.push(json!({
        "description": "Several dumps or several commands with --format json.",
        "type": "array",
        "items": { "anyOf": documents },
    }));
    let first = line_first(&mut forms.generator);
    forms.add("line.document", first);
    let error = line::<ErrorRecord>(
        &mut forms.generator,
        "error",
        "Why there are no records, or one of them is not there.",
    );
    forms.add("line.error", error);
    let explanation = line::<Explanation>(
        &mut forms.generator,
        explanation::NAME,
        "Where a value of the record before comes from, with --explain.",
    );
    forms.add(&format!("line.{}", explanation::NAME), explanation);
    for shape in shapes {
        lines(&mut forms, shape);
    }
    let mut root = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title(shapes),
        "description": format!("Version {VERSION}. Fields may be added; docs/json.md says what never changes."),
        "anyOf": forms.list,
    });
    let tables = shapes
        .iter()
        .flat_map(|shape| shape.tables)
        .chain(rows.iter().copied());
    root[CSV] = tables
        .map(|table| (table.record.to_owned(), columns(table).into()))
        .collect::<Map<_, _>>()
        .into();
    let mut definitions = forms.generator.take_definitions(true);
    definitions.extend(forms.definitions);
    root["$defs"] = definitions.into();
    inline_beside_properties(&mut root);
    say_what_may_be_missing(&mut root);
    drop_unused_definitions(&mut root);
    root
}

/// What may be written, each form under a name of its own.
struct Forms {
    generator: SchemaGenerator,
    definitions: Map<String, Json>,
    list: Vec<Json>,
}

impl Forms {
    fn new() -> Self {
        Self {
            generator: generator(),
            definitions: Map::new(),
            list: Vec::new(),
        }
    }

    fn add(&mut self, name: &str, form: Json) {
        let reference = json!({ "$ref": format!("#/$defs/{name}") });
        if !self.list.contains(&reference) {
            self.list.push(reference);
        }
        let before = self.definitions.insert(name.to_owned(), form.clone());
        debug_assert!(
            before.is_none_or(|before| before["properties"] == form["properties"]),
            "two forms are called {name}"
        );
    }
}

fn generator() -> SchemaGenerator {
    SchemaSettings::draft2020_12().for_serialize().into_generator()
}

fn title(shapes: &[&Shape]) -> String {
    match shapes {
        [one] => format!("alpc-dump {}", one.name),
        _ => "alpc-dump".to_owned(),
    }
}

/// A document of the command.
fn document(generator: &mut SchemaGenerator, shape: &Shape) -> Json {
    let result = any_of(
        shape
            .results
            .iter()
            .map(|describe| describe(generator).to_value()),
    );
    let mut document = of_inlined::<Document<()>>(generator);
    set(&mut document, "command", json!({ "const": shape.name }));
    set(&mut document, "result", result);
    document["description"] = format!("{} with --format json.", shape.name).into();
    document
}

/// A document where no command was begun.
fn document_of_none(generator: &mut SchemaGenerator) -> Json {
    let mut document = of_inlined::<Document<()>>(generator);
    set(&mut document, "command", json!({ "type": "null" }));
    if let Some(members) = document["properties"].as_object_mut() {
        members.retain(|member, _| !matches!(member.as_str(), "result" | "holes" | "explain"));
    }
    if let Some(required) = document["required"].as_array_mut() {
        required.push("error".into());
    }
    document["description"] =
        "A line of -c that is not understood, or a dump that cannot be opened for any, with --format json."
            .into();
    document
}

/// The lines of the command's records, and the last one.
fn lines(forms: &mut Forms, shape: &Shape) {
    let mut rests = Vec::new();
    for table in shape.tables {
        let about = format!("A line of {} with --format ndjson.", shape.name);
        let line = line_of(&mut forms.generator, table.record, table.row, &about);
        forms.add(&format!("line.{}", table.record), line);
        rests.push(rest(&mut forms.generator, table));
    }
    if !shape.whole.is_empty() {
        rests.push(json!({ "type": "null" }));
    }
    if !shape.whole.is_empty() {
        let about = format!("The whole result of {} with --format ndjson.", shape.name);
        let whole = shape.whole.iter();
        let whole =
            any_of(whole.map(|describe| line_of(&mut forms.generator, shape.name, *describe, &about)));
        forms.add(&format!("line.{}", shape.name), whole);
    }
    let mut end = of_inlined::<Line<End<()>>>(&mut forms.generator);
    set(&mut end, "record", json!({ "const": "end" }));
    set(&mut end, "command", json!({ "const": shape.name }));
    set(&mut end, "rest", any_of(rests));
    end["description"] = format!("The last line of the records of {}.", shape.name).into();
    forms.add(&format!("end.{}", shape.name), end);
}

fn line_first(generator: &mut SchemaGenerator) -> Json {
    let mut first = of_inlined::<First>(generator);
    set(&mut first, "record", json!({ "const": "document" }));
    first
}

/// What stands beside the records: a result without the list of them.
fn rest(generator: &mut SchemaGenerator, table: &Table) -> Json {
    let (describe, Some(list)) = table.rest else {
        return (table.rest.0)(generator).to_value();
    };
    let reference = describe(generator).to_value();
    let name = reference["$ref"].as_str().map(name_of).unwrap_or_default();
    let mut schema = generator.definitions().get(name).cloned().unwrap_or(reference);
    if let Some(properties) = schema["properties"].as_object_mut() {
        properties.shift_remove(list);
    }
    if let Some(required) = schema["required"].as_array_mut() {
        required.retain(|name| name != list);
    }
    schema
}

fn line<T: JsonSchema>(generator: &mut SchemaGenerator, record: &str, about: &str) -> Json {
    line_of(generator, record, of::<T>, about)
}

/// A line: the record's own members behind its kind and its dump. A list has no members and stands in `value`.
fn line_of(generator: &mut SchemaGenerator, record: &str, describe: Describe, about: &str) -> Json {
    let mut line = of_inlined::<Line<()>>(generator);
    set(&mut line, "record", json!({ "const": record }));
    line["description"] = about.into();
    let value = describe(generator).to_value();
    if value["type"] == "array" {
        set(&mut line, "value", value);
        if let Some(Json::Array(required)) = line.get_mut("required") {
            required.push("value".into());
        }
        return line;
    }
    let name = value["$ref"].as_str().map(name_of).unwrap_or_default();
    let target = generator.definitions().get(name);
    match target.and_then(|target| target["anyOf"].as_array()) {
        // Each form of a record has the line's own members.
        Some(forms) => json!({ "anyOf": forms.iter().map(|form| beside(&line, form)).collect::<Vec<_>>() }),
        None => beside(&line, &value),
    }
}

/// A line's own members beside a record: what it refers to is written out later, with all others of that kind.
fn beside(line: &Json, record: &Json) -> Json {
    let mut line = line.clone();
    line["$ref"] = record["$ref"].clone();
    line
}

fn of_inlined<T: JsonSchema>(generator: &mut SchemaGenerator) -> Json {
    let mut schema = T::json_schema(generator).to_value();
    if let Json::Object(map) = &mut schema {
        map.remove("title");
    }
    schema
}

fn set(schema: &mut Json, property: &str, value: Json) {
    schema["properties"][property] = value;
}

fn any_of(forms: impl IntoIterator<Item = Json>) -> Json {
    let mut all: Vec<Json> = Vec::new();
    for form in forms {
        if !all.contains(&form) {
            all.push(form);
        }
    }
    match all.as_mut_slice() {
        [one] => one.take(),
        _ => json!({ "anyOf": all }),
    }
}

/// Tagged unions say "this, and that one's members": written out, every object names all of its members.
fn inline_beside_properties(root: &mut Json) {
    let definitions = root["$defs"].clone();
    visit(root, &mut |schema| {
        while let (true, Some(Json::String(reference))) =
            (schema.contains_key("properties"), schema.get("$ref").cloned())
        {
            schema.remove("$ref");
            if let Json::Object(target) = &definitions[name_of(&reference)] {
                merge(schema, target);
            }
        }
    });
}

/// Adds to an object's schema what another one says of the same object.
fn merge(schema: &mut Map<String, Json>, other: &Map<String, Json>) {
    for (key, value) in other {
        match (schema.get_mut(key), value) {
            (None, value) => {
                schema.insert(key.clone(), value.clone());
            }
            (Some(Json::Object(have)), Json::Object(more)) if key == "properties" => {
                for (name, value) in more {
                    have.entry(name.clone()).or_insert_with(|| value.clone());
                }
            }
            (Some(Json::Array(have)), Json::Array(more)) if key == "required" => {
                have.extend(more.iter().cloned());
            }
            _ => {}
        }
    }
}

/// How far definitions are followed to a list.
const DEPTH: usize = 4;

/// Whether a value may be a list some of whose elements are missing.
fn may_lack_elements(value: &Json, definitions: &Json, depth: usize) -> bool {
    if value.get("items").is_some_and(may_be_missing) {
        return true;
    }
    let Some(depth) = depth.checked_sub(1) else {
        return false;
    };
    let named = value["$ref"]
        .as_str()
        .and_then(|name| definitions.get(name.rsplit('/').next()?));
    let forms = value["anyOf"].as_array().into_iter().flatten();
    forms
        .chain(named)
        .any(|form| may_lack_elements(form, definitions, depth))
}

/// An object with a value that may be missing may say why.
fn say_what_may_be_missing(root: &mut Json) {
    let definitions = root["$defs"].clone();
    visit(root, &mut |schema| {
        let Some(Json::Object(properties)) = schema.get_mut("properties") else {
            return;
        };
        let names: Vec<Json> = properties
            .iter()
            .filter(|(_, value)| may_be_missing(value))
            .map(|(name, _)| name.as_str().into())
            .collect();
        let lists: Vec<Json> = properties
            .iter()
            .filter(|(_, value)| may_lack_elements(value, &definitions, DEPTH))
            .map(|(name, _)| format!("^{name}\\[\\d+\\]$").into())
            .collect();
        if names.is_empty() && lists.is_empty() {
            return;
        }
        debug_assert!(
            !properties.contains_key("unreadable") && !properties.contains_key("absent"),
            "members that hold reasons: {names:?}"
        );
        properties.insert(
            "unreadable".to_owned(),
            json!({
                "description": "Why members are null that could not be read.",
                "type": "object",
                "propertyNames": named(&names, &lists),
                "additionalProperties": { "$ref": "#/$defs/Reason" },
            }),
        );
        if names.is_empty() {
            return;
        }
        properties.insert(
            "absent".to_owned(),
            json!({
                "description": "Members that are null because this kernel does not have them.",
                "type": "array",
                "items": { "enum": names },
            }),
        );
    });
    // The reason is used by what was just added, also where no record has one itself.
    let mut generator = generator();
    root["$defs"]["Reason"] = alpc::Unreadable::json_schema(&mut generator).to_value();
}

/// The names of these members, and of the elements of these lists.
fn named(names: &[Json], lists: &[Json]) -> Json {
    let patterns = lists.iter().map(|pattern| json!({ "pattern": pattern }));
    match (names, lists) {
        (names, []) => json!({ "enum": names }),
        ([], [only]) => json!({ "pattern": only }),
        (names, _) => {
            let forms = std::iter::once(json!({ "enum": names })).filter(|_| !names.is_empty());
            json!({ "anyOf": forms.chain(patterns).collect::<Vec<_>>() })
        }
    }
}

/// Also where a member is left out when there is nothing to tell: one form then is that of the value.
fn may_be_missing(schema: &Json) -> bool {
    let forms = schema["anyOf"].as_array().into_iter().flatten();
    schema[MAY_BE_MISSING] == true || forms.into_iter().any(|form| form[MAY_BE_MISSING] == true)
}

/// Visits every schema below and including this one.
fn visit(schema: &mut Json, each: &mut impl FnMut(&mut Map<String, Json>)) {
    match schema {
        Json::Object(map) => {
            if !map.contains_key("const") {
                each(map);
            }
            map.iter_mut()
                .filter(|(key, _)| *key != "const" && *key != "enum" && *key != "required")
                .for_each(|(_, value)| visit(value, each));
        }
        Json::Array(items) => items.iter_mut().for_each(|item| visit(item, each)),
        _ => {}
    }
}

/// Levels of objects in a record that become columns; what is deeper is JSON in one cell.
const COLUMN_DEPTH: usize = 4;

/// The columns of a table as CSV.
fn columns(table: &Table) -> Vec<String> {
    let mut generator = generator();
    let row = (table.row)(&mut generator).to_value();
    let mut definitions = json!({ "$defs": generator.take_definitions(true) });
    inline_beside_properties(&mut definitions);
    let mut columns = Vec::new();
    add_columns(&row, &definitions["$defs"], "", COLUMN_DEPTH, &mut columns);
    columns
}

fn add_columns(schema: &Json, definitions: &Json, prefix: &str, depth: usize, columns: &mut Vec<String>) {
    let schema = resolved(schema, definitions);
    match schema["properties"].as_object() {
        Some(properties) if depth > 0 => {
            for (name, member) in properties {
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
