//! Writes the built-in table: `cargo run --example write-layouts -- <types.json>`.
//!
//! `types.json` has the layouts of many kernels, and `symbols.json` beside it the RVAs of globals by PDB
//! identity. What the contract asks for goes into `crates/ntlayout/data/kernels.txt`, or into the file named
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
    let text = write(&tables, &symbols)?;
    println!("{} bytes", text.len());
    std::fs::write(target, text)?;
    Ok(())
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
                chosen.push("-".to_owned());
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
    let version = build["version"].as_str().map_or_else(
        || {
            let parts = build["nominal"].as_array().into_iter().flatten();
            let parts: Vec<String> = parts.map(ToString::to_string).collect();
            parts.join(".")
        },
        str::to_owned,
    );
    write!(text, "kernel {} {version}", build["ptr"])?;
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
            None => line.push_str(" -"),
            Some((offset, size, None)) => write!(line, " {offset:x}:{size:x}")?,
            Some((offset, size, Some((position, length)))) => {
                write!(line, " {offset:x}:{size:x}:{position:x}:{length:x}")?;
            }
        }
    }
    Ok(Some(line))
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
