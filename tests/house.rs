//! The layout of the folders is the architecture: modules of the libraries import each other in no circle, and rooms
//! import only from rooms below them. Read from the sources' own paths.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use support::root;

/// The rooms of a crate from the lowest to the highest: a room is a folder, or a file beside the folders.
const ROOMS: [(&str, &[&str]); 6] = [
    (
        "ntsecurity",
        &[
            "bytes",
            "alias",
            "sid",
            "names",
            "rights",
            "token",
            "condition",
            "acl",
            "descriptor",
            "sddl",
            "access",
        ],
    ),
    (
        "lrpc",
        &[
            "uuid",
            "bytes",
            "header",
            "orpc",
            "status",
            "system_port",
            "names",
        ],
    ),
    (
        "kdump",
        &[
            "value",
            "memory",
            "image",
            "file",
            "container",
            "find",
            "dump",
            "kernel",
        ],
    ),
    ("ntkernel", &["image", "object", "process", "security", "stack"]),
    ("alpc", &["port", "locate", "wait", "report", "system"]),
    (
        "alpc-dump",
        &[
            "failure", "address", "options", "host", "text", "redact", "output", "session", "selector",
            "rules", "commands", "cli", "order", "explain", "run", "kd", "steps", "about", "asked", "shell",
            "fleet", "mcp", "program", "embed",
        ],
    ),
];

/// Crates without a circle.
const CRATES: [&str; 7] = [
    "kdump",
    "lrpc",
    "ntlayout",
    "ntsecurity",
    "ntkernel",
    "alpc",
    "alpc-dump",
];

/// Modules by their path in the crate (`wait::graph`; the crate's own is empty), with their sources.
struct Modules(BTreeMap<String, String>);

impl Modules {
    fn of(name: &str) -> Self {
        let folder = sources(name);
        let mut found = BTreeMap::new();
        gather(&folder, "", &mut found);
        Self(found)
    }

    /// The module that a path of names is of, or is in: the longest part of it that is a module.
    fn module_of(&self, path: &[&str]) -> Option<&str> {
        (1..=path.len()).rev().find_map(|length| {
            let module = path[..length].join("::");
            self.0.get_key_value(&module).map(|(known, _)| known.as_str())
        })
    }

    /// What the crate's root gives again under a name of its own.
    fn given_again(&self) -> BTreeMap<String, String> {
        let mut names = BTreeMap::new();
        for path in used_paths(&self.0[""]) {
            let parts: Vec<&str> = path.split("::").collect();
            if let ([.., name], Some(module)) = (parts.as_slice(), self.module_of(&parts)) {
                names.insert((*name).to_owned(), module.to_owned());
            }
        }
        names
    }

    /// Which modules each one names.
    fn imports(&self) -> BTreeMap<&str, BTreeSet<&str>> {
        let again = self.given_again();
        let mut imports: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (module, source) in &self.0 {
            let own = imports.entry(module).or_default();
            // The root declares its modules and gives their names again: it is above all of them.
            if module.is_empty() {
                continue;
            }
            for path in used_paths(source).into_iter().chain(named_paths(source)) {
                let path = absolute(module, &path);
                let Some(mut path) = path else { continue };
                let first = path.first().cloned().unwrap_or_default();
                if !self.0.contains_key(&first)
                    && let Some(from) = again.get(&first)
                {
                    path = from.split("::").map(str::to_owned).collect();
                }
                let path: Vec<&str> = path.iter().map(String::as_str).collect();
                if let Some(other) = self.module_of(&path)
                    && other != module
                {
                    own.insert(other);
                }
            }
        }
        imports
    }
}

/// Where the sources of a crate are; the program's own stand above all crates.
fn sources(name: &str) -> PathBuf {
    match name {
        "alpc-dump" => root().join("src"),
        name => root().join("crates").join(name).join("src"),
    }
}

fn gather(folder: &Path, module: &str, found: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let name = match (module, stem.as_str()) {
            (_, "mod") | ("", "lib" | "main") => module.to_owned(),
            ("", stem) => stem.to_owned(),
            (module, stem) => format!("{module}::{stem}"),
        };
        if path.is_dir() {
            gather(&path, &name, found);
        } else {
            // The program's library and binary are both the root.
            let source: &mut String = found.entry(name).or_default();
            source.push_str(&product(&fs::read_to_string(path).unwrap()));
        }
    }
}

/// A source without its tests and comments.
fn product(source: &str) -> String {
    let product = source.split("#[cfg(test)]\nmod ").next().unwrap();
    let product = product.split("#[cfg(all(test, unix))]\nmod ").next().unwrap();
    let lines = product
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// The paths of `use`, each of a group of its own.
fn used_paths(source: &str) -> Vec<String> {
    let mut paths = Vec::new();
    for piece in source.split("use ").skip(1) {
        let statement = piece.split(';').next().unwrap().replace(char::is_whitespace, "");
        expand("", &statement, &mut paths);
    }
    paths
}

fn expand(before: &str, tree: &str, paths: &mut Vec<String>) {
    let mut depth = 0_usize;
    let mut start = 0;
    let bytes = tree.as_bytes();
    for at in 0..=bytes.len() {
        match bytes.get(at) {
            Some(b'{') => depth += 1,
            Some(b'}') => depth = depth.saturating_sub(1),
            None | Some(b',') if depth == 0 => {
                let part = &tree[start..at];
                start = at + 1;
                match part.split_once("::{") {
                    Some((outer, inner)) => {
                        expand(&format!("{before}{outer}::"), inner.trim_end_matches('}'), paths);
                    }
                    None if !part.is_empty() => paths.push(format!("{before}{part}")),
                    None => {}
                }
            }
            _ => {}
        }
    }
}

/// Paths that begin at the crate or above, wherever they stand.
fn named_paths(source: &str) -> Vec<String> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    source
        .split(|c: char| !is_part(c))
        .filter(|word| word.starts_with("crate::") || word.starts_with("super::"))
        .map(str::to_owned)
        .collect()
}

/// The path from the crate's root; none for one of another crate.
fn absolute(module: &str, path: &str) -> Option<Vec<String>> {
    let mut parts = path.split("::").filter(|part| !part.is_empty()).peekable();
    let mut from: Vec<String> = match parts.peek()? {
        &"crate" => Vec::new(),
        &"super" | &"self" => module.split("::").map(str::to_owned).collect(),
        _ => return None,
    };
    for part in parts {
        match part {
            "crate" | "self" => {}
            "super" => drop(from.pop()),
            name => from.push(name.to_owned()),
        }
    }
    Some(from)
}

/// The way from a module back to itself, if there is one.
fn circle<'m>(imports: &BTreeMap<&'m str, BTreeSet<&'m str>>, start: &'m str) -> Option<Vec<&'m str>> {
    let mut ways = vec![vec![start]];
    let mut seen = BTreeSet::new();
    while let Some(way) = ways.pop() {
        for &next in &imports[way[way.len() - 1]] {
            let longer = [way.as_slice(), &[next]].concat();
            if next == start {
                return Some(longer);
            }
            if seen.insert(next) {
                ways.push(longer);
            }
        }
    }
    None
}

#[test]
fn no_module_leads_back_to_itself() {
    for name in CRATES {
        let modules = Modules::of(name);
        let imports = modules.imports();
        let count: usize = imports.values().map(BTreeSet::len).sum();
        // The smallest has some ten modules, which import each other a dozen times.
        assert!(
            modules.0.len() > 8 && count > 10,
            "{name}: {count} imports are read"
        );
        for module in imports.keys() {
            let circle = circle(&imports, module);
            assert!(circle.is_none(), "{name}: {}", circle.unwrap().join(" imports "));
        }
    }
}

#[test]
fn rooms_import_only_from_those_below() {
    for (name, rooms) in ROOMS {
        let modules = Modules::of(name);
        let folder = sources(name);
        let height = |module: &str| {
            let room = module.split("::").next().unwrap();
            let at = rooms.iter().position(|known| *known == room);
            at.unwrap_or_else(|| panic!("{name}: {room} is no room: put it into one of {rooms:?}"))
        };
        assert!(
            rooms
                .iter()
                .all(|room| folder.join(room).is_dir() || folder.join(format!("{room}.rs")).is_file())
        );
        for (module, imported) in modules.imports() {
            for other in imported.into_iter().filter(|other| !other.is_empty()) {
                assert!(
                    height(other) <= height(module),
                    "{name}: {module} imports {other}, which is above it"
                );
            }
        }
    }
}

/// What is below knows nothing of what is above.
#[test]
fn crates_depend_only_on_those_below() {
    let below = [
        ("kdump", &[][..]),
        ("ntlayout", &[]),
        ("ntsecurity", &[]),
        ("ntkernel", &["kdump", "ntlayout", "ntsecurity"]),
        ("lrpc", &[]),
        ("alpc", &["kdump", "lrpc", "ntkernel", "ntlayout", "ntsecurity"]),
        ("synth", &[]),
    ];
    for (name, may) in below {
        let manifest = fs::read_to_string(root().join("crates").join(name).join("Cargo.toml")).unwrap();
        let table: toml::Table = manifest.parse().unwrap();
        let own = table["dependencies"].as_table().unwrap();
        for other in [
            "kdump",
            "lrpc",
            "ntlayout",
            "ntsecurity",
            "ntkernel",
            "alpc",
            "synth",
        ] {
            assert!(
                !own.contains_key(other) || may.contains(&other),
                "{name} depends on {other}"
            );
        }
    }
}

/// The reader of sources sees what it should.
#[test]
fn paths_are_read() {
    let source = product(
        "use crate::a::{self, b::{C, D}, e};\n// use crate::f;\nfn x() { crate::g::h(); super::i() }\n",
    );
    let mut paths = used_paths(&source);
    paths.extend(named_paths(&source));
    for path in [
        "crate::a::b::C",
        "crate::a::b::D",
        "crate::a::e",
        "crate::g::h",
        "super::i",
    ] {
        assert!(paths.iter().any(|known| known == path), "{path} of {paths:?}");
    }
    assert!(paths.iter().all(|path| !path.ends_with("::f")));
    assert_eq!(absolute("x::y", "super::z").unwrap(), ["x", "z"]);
    let there = BTreeMap::from([("a", BTreeSet::from(["b"])), ("b", BTreeSet::from(["a"]))]);
    assert_eq!(circle(&there, "a").unwrap(), ["a", "b", "a"]);
}
