//! The ids of errors and reasons that programs read are those that docs/json.md lists. What the tests see of them in
//! outputs is compared with the list wherever they look at JSON; here the list is compared with the sources, for those
//! that no test meets.

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use regex_lite::Regex;
use support::{root, schema};

/// Ids of the libraries' own errors that no output has as ids: they are told in words, or what failed has another way.
const INSIDE: [&str; 4] = ["absurd", "no-address", "unreadable", "wrong-tag"];

/// The sources of a folder and of those in it.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Where a source begins an error or a problem with its id, or says what the ids of its errors are.
fn ids_in(source: &str) -> Vec<String> {
    let made = Regex::new(
        r#"(?:(?:Failure::(?:new|fatal|partial|not_there)|Problem::new|self\.failure)\(\s*(?:[\w:.]+,\s*)?|Self::new\(Status::\w+, )"([a-z0-9-]+)""#,
    )
    .unwrap();
    let told = Regex::new(r"fn (?:id|cause)\(&?self\) -> (?:Option<)?&'static str>? \{").unwrap();
    let field = Regex::new(r#"\bid: "([a-z0-9-]+)""#).unwrap();
    let literal = Regex::new(r#""([a-z0-9-]+)""#).unwrap();
    let product = source.split("#[cfg(test)]\nmod ").next().unwrap();
    let all = |regex: &Regex, text: &str| -> Vec<String> {
        regex
            .captures_iter(text)
            .map(|found| found[1].to_owned())
            .collect()
    };
    let mut ids = all(&made, product);
    ids.extend(all(&field, product));
    for begin in told.find_iter(product) {
        ids.extend(all(&literal, body(&product[begin.end()..])));
    }
    ids
}

/// A function's body, from behind its brace.
fn body(rest: &str) -> &str {
    let mut depth = 1;
    let end = rest.find(|c| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        depth == 0
    });
    &rest[..end.unwrap_or(rest.len())]
}

#[test]
fn the_list_of_ids_is_that_of_the_sources() {
    let mut files = Vec::new();
    for folder in [
        "src",
        "crates/kdump/src",
        "crates/ntlayout/src",
        "crates/ntkernel/src",
        "crates/alpc/src",
    ] {
        sources(&root().join(folder), &mut files);
    }
    let mut coded: BTreeMap<String, PathBuf> = BTreeMap::new();
    for file in files {
        for id in ids_in(&fs::read_to_string(&file).unwrap()) {
            coded.insert(id, file.clone());
        }
    }
    assert!(
        coded.len() > 80,
        "the sources are written another way: {}",
        coded.len()
    );
    let listed = schema::ids();
    let missing: Vec<_> = coded
        .iter()
        .filter(|(id, _)| !listed.contains(id.as_str()) && !INSIDE.contains(&id.as_str()))
        .collect();
    assert!(missing.is_empty(), "docs/json.md does not list {missing:?}");
    // What files are instead of dumps: some of these classes are errors.
    let classes = fs::read_to_string(root().join("crates/kdump/src/file/identify.rs")).unwrap();
    let is_class = |id: &str| classes.contains(&format!(" => \"{id}\","));
    let is_gone = |id: &&&str| !coded.contains_key(**id) && !is_class(id);
    let gone: Vec<_> = listed.iter().filter(is_gone).collect();
    assert!(
        gone.is_empty(),
        "docs/json.md lists {gone:?}, which no source has"
    );
}

#[test]
fn sources_are_read_as_they_are_written() {
    let source = r#"
        return Err(Failure::fatal("one", "text"));
        Failure::new(
            Status::Partial,
            "two",
            format!("{x}"),
        )
        Problem::new("three", "unlisted".to_owned())
        fn id(&self) -> &'static str {
            match self {
                Self::A { .. } => "four",
                Self::B => { "five" }
            }
        }
        fn name(&self) -> &'static str { "no-id" }
#[cfg(test)]
mod tests { Failure::fatal("six", "") }
"#;
    assert_eq!(ids_in(source), ["one", "two", "three", "four", "five"]);
}
