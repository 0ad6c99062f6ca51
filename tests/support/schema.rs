//! Every JSON output that a test looks at is what the published schema says, and nothing more.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, OnceLock, PoisonError};

use jsonschema::Validator;
use serde_json::{Value, json};

/// The schema as it is checked in.
pub fn published() -> &'static Value {
    static SCHEMA: OnceLock<Value> = OnceLock::new();
    SCHEMA.get_or_init(|| {
        let path = super::root().join("docs/alpc-dump.schema.json");
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
    })
}

/// The ids of reasons and errors that docs/json.md lists.
pub fn ids() -> &'static BTreeSet<&'static str> {
    static PAGE: OnceLock<String> = OnceLock::new();
    static IDS: OnceLock<BTreeSet<&'static str>> = OnceLock::new();
    let page = PAGE.get_or_init(|| std::fs::read_to_string(super::root().join("docs/json.md")).unwrap());
    IDS.get_or_init(|| {
        let (_, lists) = page.split_once("## Ids of reasons").unwrap();
        // What files are that are passed over is told under another name.
        let lists = lists.split("\n\n").filter(|list| !list.starts_with("In records"));
        // What stands in parentheses explains an id.
        let mut depth = 0_usize;
        let plain = lists
            .flat_map(|list| list.split_inclusive(['(', ')']))
            .filter(|part| {
                let inside = depth > 0;
                if part.ends_with('(') {
                    depth += 1;
                } else {
                    depth = depth.saturating_sub(1);
                }
                !inside
            });
        plain
            .flat_map(|part| part.split('`').skip(1).step_by(2))
            .collect()
    })
}

/// Checks that every id of an error or a reason in it is one that is listed.
fn check_ids(value: &Value) {
    let check = |id: &Value| {
        let id = id.as_str().unwrap();
        assert!(ids().contains(id), "docs/json.md does not list {id}");
    };
    match value {
        Value::Array(items) => items.iter().for_each(check_ids),
        Value::Object(members) => {
            let reasons = members.get("unreadable").and_then(Value::as_object);
            for reason in reasons.into_iter().flat_map(|reasons| reasons.values()) {
                check(&reason["id"]);
                if reason["cause"].is_string() {
                    check(&reason["cause"]);
                }
            }
            if members.contains_key("error") && !members["error"]["id"].is_null() {
                check(&members["error"]["id"]);
            }
            if members.get("record").is_some_and(|record| record == "error") {
                check(&members["id"]);
            }
            // The problems of `triage` are of more kinds: notes on the dump, ports in trouble.
            for hole in members
                .get("holes")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
            {
                ["id", "cause"]
                    .iter()
                    .filter_map(|name| hole.get(*name))
                    .for_each(check);
            }
            members.values().for_each(check_ids);
        }
        _ => {}
    }
}

/// Checks a document, or an array of them.
pub fn check_document(document: &Value) {
    match document {
        Value::Array(documents) => documents.iter().for_each(check_document),
        document => match document["command"].as_str() {
            Some(command) => check(&format!("document.{command}"), document),
            // A command line that was not understood.
            None => check("document.none", document),
        },
    }
}

/// Checks a line of a stream of records.
pub fn check_line(line: &Value) {
    match (line["record"].as_str().unwrap(), line["command"].as_str()) {
        ("end", Some(command)) => check(&format!("end.{command}"), line),
        (record, _) => check(&format!("line.{record}"), line),
    }
}

/// Checks all of what stdout gave at once against the schema as it is published, as a user of it would.
pub fn check_as_published(value: &Value) {
    static WHOLE: OnceLock<Validator> = OnceLock::new();
    let whole = WHOLE.get_or_init(|| jsonschema::validator_for(published()).unwrap());
    assert!(whole.is_valid(value), "{value:#}");
}

/// Checks a value against a definition of the schema, closed: there is nothing that it does not name.
fn check(definition: &str, value: &Value) {
    check_ids(value);
    static VALIDATORS: OnceLock<Mutex<BTreeMap<String, Validator>>> = OnceLock::new();
    let validators = VALIDATORS.get_or_init(Mutex::default).lock();
    // Another test may have failed here; that hurts nobody else.
    let mut validators = validators.unwrap_or_else(PoisonError::into_inner);
    let validator = validators
        .entry(definition.to_owned())
        .or_insert_with(|| validator(definition));
    let errors: Vec<String> = validator
        .iter_errors(value)
        .map(|error| format!("{} at {}", error, error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{definition}: {errors:#?}\n{value:#}");
}

fn validator(definition: &str) -> Validator {
    let mut schema = published().clone();
    assert!(
        schema["$defs"][definition].is_object(),
        "the schema has no {definition}"
    );
    close(&mut schema);
    let closed = json!({
        "$schema": schema["$schema"],
        "$ref": format!("#/$defs/{definition}"),
        "$defs": schema["$defs"],
    });
    jsonschema::validator_for(&closed).unwrap()
}

/// Forbids members that are not named. The published schema allows them, so that they can be added.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            let names_members = map.get("properties").is_some_and(Value::is_object);
            let has_forms = ["anyOf", "oneOf", "allOf", "$ref"]
                .iter()
                .any(|key| map.contains_key(*key));
            if names_members && !has_forms && !map.contains_key("additionalProperties") {
                map.insert("additionalProperties".to_owned(), false.into());
            }
            map.values_mut().for_each(close);
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}
