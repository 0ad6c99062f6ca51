//! Writes the built-in table: `cargo run --example write-layouts -- <types.json>`.
//!
//! `types.json` has the layouts of many kernels, `types-more.json` beside it those that follow from them, with their sources,
//! and `symbols.json` the RVAs of globals by PDB identity. What the contract asks for goes into `crates/ntlayout/data/kernels.txt`, or into the file named
//! as second argument. The same input gives the same bytes.
#![allow(missing_docs, clippy::print_stdout)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use alpc::CONTRACT;
use anyhow::Context as _;
use serde_json::Value;

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let types = arguments.next().context("which types.json?")?;
    let target = arguments.next().unwrap_or_else(|| {
        concat!(env!("CARGO_MANIFEST_DIR"), "/crates/ntlayout/data/kernels.txt").to_owned()
    });
    let tables: Value = serde_json::from_slice(&std::fs::read(&types)?)?;
    let symbols = Path::new(&types).with_file_name("symbols.json");
    let symbols: Value = serde_json::from_slice(&std::fs::read(symbols)?)?;
    let more = std::fs::read(Path::new(&types).with_file_name("types-more.json"))?;
    let tables = with_more(tables, &serde_json::from_slice(&more)?)?;
    let text = write(&tables, &symbols)?;
    println!("{} bytes", text.len());
    std::fs::write(target, text)?;
    Ok(())
}

/// Adds the layouts that follow from others, and those of the kernels with five levels of page tables: a layout of one is
/// that of its sister but for the entries of handle tables.
fn with_more(mut tables: Value, more: &Value) -> anyhow::Result<Value> {
    /// The first build that has such a kernel.
    const FIRST_LA57: u64 = 20_231;
    let layouts = more["layouts"].as_object().context("no layouts")?;
    for (ty, shapes) in layouts {
        let known = &mut tables["layouts"][ty];
        if known.is_null() {
            *known = serde_json::json!({});
        }
        for (key, shape) in shapes.as_object().context("no shapes")? {
            known[key] = shape.clone();
        }
    }
    let mut builds = tables["builds"].as_array().context("no builds")?.clone();
    builds.extend(
        more["builds"]
            .as_array()
            .context("no more builds")?
            .iter()
            .cloned(),
    );
    let mut la57 = Vec::new();
    let is_one =
        |build: &&Value| build["ptr"] == 8 && machine(build).is_empty() && build_number(build) >= FIRST_LA57;
    for build in builds.iter().filter(is_one) {
        let mut sister = build.clone();
        let own = entry_of_five_levels(&mut tables, build, more)?;
        sister["types"]["_HANDLE_TABLE_ENTRY"] = own.into();
        sister["machine"] = "la57".into();
        sister["derived"] = true.into();
        sister["guid"] = Value::Null;
        la57.push(sister);
    }
    builds.extend(la57);
    tables["builds"] = builds.into();
    Ok(tables)
}

/// Adds the entry of a handle table with five levels: the members that are known of it, and behind its pointer those of the
/// sister's. Gives its key.
fn entry_of_five_levels(tables: &mut Value, build: &Value, more: &Value) -> anyhow::Result<String> {
    const TYPE: &str = "_HANDLE_TABLE_ENTRY";
    let known = more["la57"][TYPE].as_str().context("no entry of five levels")?;
    let sister = build["types"][TYPE]
        .as_str()
        .context("no entry of handle tables")?;
    let shapes = &mut tables["layouts"][TYPE];
    let fields = |key: &str| shapes[key]["fields"].as_array().cloned().context("no members");
    let (own, behind) = (fields(known)?, fields(sister)?);
    let behind = behind.into_iter().filter(|field| field[0].as_u64() >= Some(8));
    let mut shape = shapes[sister].clone();
    shape["fields"] = own.into_iter().chain(behind).collect();
    let key = format!("la57 {sister}");
    shapes[&key] = shape;
    Ok(key)
}

/// What stands behind the bytes of a pointer.
fn machine(build: &Value) -> &'static str {
    const ARM64: u64 = 0xaa64;
    match &build["machine"] {
        Value::String(_) => ":la57",
        number if number.as_u64() == Some(ARM64) => ":arm64",
        _ => "",
    }
}

fn build_number(build: &Value) -> u64 {
    let version = version_of(build);
    version
        .split('.')
        .nth(2)
        .and_then(|part| part.parse().ok())
        .unwrap_or(0)
}

/// The version; of a derived one the first and the last that it serves, with zeros for what is not said.
fn version_of(build: &Value) -> String {
    let whole = |text: &str, missing: &str| -> String {
        let mut parts: Vec<&str> = text.split('.').filter(|part| *part != "?").collect();
        parts.resize(4, missing);
        parts.join(".")
    };
    if let (Some(first), Some(last)) = (build["served_min"].as_str(), build["served_max"].as_str()) {
        let (first, last) = (whole(first, "0"), whole(last, "0"));
        return if first == last {
            first
        } else {
            format!("{first}..{last}")
        };
    }
    build["version"].as_str().map_or_else(
        || {
            let parts = build["nominal"].as_array().into_iter().flatten();
            let parts: Vec<String> = parts.map(ToString::to_string).collect();
            parts.join(".")
        },
        str::to_owned,
    )
}

fn write(tables: &Value, symbols: &Value) -> anyhow::Result<String> {
    let builds = tables["builds"].as_array().context("no builds")?;
    let mut text = "ntlayout 1\n# Written by write-layouts; do not edit.\nglobals".to_owned();
    for global in CONTRACT.globals {
        write!(text, " {}", global.name)?;
    }
    text.push('\n');
    // For each kernel, the number of its layout of each type.
    let mut chosen = vec![Vec::new(); builds.len()];
    for ty in CONTRACT.types {
        if builds.iter().all(|build| build["types"][ty].is_null()) {
            continue;
        }
        // The lists of whole kernels either have a type, or it was not looked at.
        let whole = |build: &&Value| build["derived"].is_null();
        let is_listed = builds
            .iter()
            .filter(whole)
            .any(|build| !build["types"][ty].is_null());
        let spellings: Vec<&str> = CONTRACT
            .fields
            .iter()
            .filter(|field| field.ty == *ty)
            .flat_map(|field| field.spellings.iter().copied())
            .collect();
        writeln!(text, "type {ty} {}", spellings.join(" "))?;
        let mut numbers: BTreeMap<String, usize> = BTreeMap::new();
        for (build, chosen) in builds.iter().zip(&mut chosen) {
            let Some(line) = layout(tables, build, ty, &spellings)? else {
                // What a list of selected types lacks may be there.
                let is_told = build["partial_types"].is_null() && is_listed;
                chosen.push(if is_told { "-" } else { "?" }.to_owned());
                continue;
            };
            let next = numbers.len();
            let number = *numbers.entry(line.clone()).or_insert_with(|| {
                text.push_str("layout ");
                text.push_str(&line);
                text.push('\n');
                next
            });
            chosen.push(number.to_string());
        }
    }
    for (build, chosen) in builds.iter().zip(&chosen) {
        kernel(&mut text, build, chosen, symbols)?;
    }
    Ok(text)
}

fn kernel(text: &mut String, build: &Value, chosen: &[String], symbols: &Value) -> anyhow::Result<()> {
    write!(
        text,
        "kernel {}{} {}",
        build["ptr"],
        machine(build),
        version_of(build)
    )?;
    if build["derived"].is_boolean() {
        text.push_str(" derived");
    }
    let identity = build["guid"].as_str().zip(build["age"].as_u64());
    let rvas = identity.map(|(guid, age)| &symbols[format!("{guid}-{age}")]);
    if let Some((guid, age)) = identity {
        write!(
            text,
            " {} {guid} {age:x}",
            build["pdb"].as_str().context("no PDB name")?
        )?;
    }
    writeln!(text, "\ntypes {}", chosen.join(" "))?;
    if let Some(rvas) = rvas.filter(|rvas| rvas.is_object()) {
        text.push_str("rvas");
        for global in CONTRACT.globals {
            match rvas[global.name].as_u64() {
                Some(rva) => write!(text, " {rva:x}")?,
                None => text.push_str(" -"),
            }
        }
        text.push('\n');
    }
    Ok(())
}

/// The line of a type's layout in a build, if the build has the type.
fn layout(tables: &Value, build: &Value, ty: &str, spellings: &[&str]) -> anyhow::Result<Option<String>> {
    let Some(known) = definition(tables, build, ty) else {
        return Ok(None);
    };
    let mut line = format!("{:x}", known["size"].as_u64().context("a type without a size")?);
    for spelling in spellings {
        match place(tables, build, ty, spelling) {
            None if may_have(build, ty, spelling) || sisters_have(tables, build, ty, spelling) => {
                line.push_str(" ?");
            }
            None => line.push_str(" -"),
            Some((offset, size, None)) => write!(line, " {offset:x}:{size:x}")?,
            Some((offset, size, Some((position, length)))) => {
                write!(line, " {offset:x}:{size:x}:{position:x}:{length:x}")?;
            }
        }
    }
    Ok(Some(line))
}

/// Whether published kernels of a derived build's own versions have a member that its layout does not: a member can have
/// come in between. `InCanceledQueue` did, in 19041 and 22000.
fn sisters_have(tables: &Value, build: &Value, ty: &str, spelling: &str) -> bool {
    if build["derived"].is_null() {
        return false;
    }
    let numbers =
        |version: &str| -> Vec<u64> { version.split('.').filter_map(|part| part.parse().ok()).collect() };
    let range = version_of(build);
    let (first, last) = range.split_once("..").unwrap_or((&range, &range));
    let (first, last) = (numbers(first), numbers(last));
    let mut builds = tables["builds"].as_array().into_iter().flatten();
    builds.any(|other| {
        let version = numbers(&version_of(other));
        other["derived"].is_null()
            && other["ptr"] == build["ptr"]
            && (&first..=&last).contains(&&version)
            && place(tables, other, ty, spelling).is_some()
    })
}

/// Whether a build may have a member that its layout does not have: of some types only selected members are known, and which
/// of them are not there.
fn may_have(build: &Value, ty: &str, spelling: &str) -> bool {
    let has = |list: &Value, wanted: &str| {
        let mut words = list.as_array().into_iter().flatten();
        words.any(|word| word.as_str() == Some(wanted))
    };
    has(&build["partial_types"], ty) && !has(&build["contract_lacks"], &format!("{ty}.{spelling}"))
}

fn definition<'t>(tables: &'t Value, build: &Value, ty: &str) -> Option<&'t Value> {
    let key = build["types"][ty].as_str()?;
    Some(&tables["layouts"][ty][key])
}

type Place = (u64, u64, Option<(u64, u64)>);

/// Follows a dotted path. Tables flatten what has no name; some also leave out the names of its holders.
fn place(tables: &Value, build: &Value, ty: &str, path: &str) -> Option<Place> {
    let fields = definition(tables, build, ty)?["fields"].as_array()?;
    let named = |wanted: &str| fields.iter().find(|field| field[1].as_str() == Some(wanted));
    if let Some(field) = shortened(path).iter().find_map(|path| named(path)) {
        let bits = field[4].as_u64().zip(field[5].as_u64());
        return Some((field[0].as_u64()?, field[3].as_u64()?, bits));
    }
    // Into a member whose type has a name of its own.
    let (member, rest) = path.split_once('.')?;
    let member = named(member)?;
    let (offset, size, bits) = place(tables, build, member[2].as_str()?, rest)?;
    Some((member[0].as_u64()?.checked_add(offset)?, size, bits))
}

/// The path, then the path without one or more of the parts that name unnamed things: u, u1, s1, e2.
fn shortened(path: &str) -> Vec<String> {
    let Some((first, rest)) = path.split_once('.') else {
        return vec![path.to_owned()];
    };
    let digits = first.strip_prefix(|letter: char| letter.is_ascii_lowercase());
    let unnamed = digits.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
    let tails = shortened(rest);
    let mut paths: Vec<String> = tails.iter().map(|tail| format!("{first}.{tail}")).collect();
    if unnamed {
        paths.extend(tails);
    }
    paths
}
