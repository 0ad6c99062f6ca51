//! The text of the extract, read into kernels.
//!
//! Tab-separated lines; `#` begins a comment. In this order:
//!
//! ```text
//! kernel  <name> <pointer size> <version> <id of its source> <PDB guid-age, or ->
//! type    <name> <kernels> <struct|union> <size>
//! <offset> <path> <type> <bytes> [<bit position> <bits>]        members of the type above
//! enum    <name> <kernels>
//! <value> <name>                                                members of the enum above
//! rva     <global> <RVA or - for each kernel, in order>
//! ```
//!
//! `<kernels>` are comma-separated indexes into the kernel lines. Offsets and RVAs are hexadecimal,
//! all else is decimal.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Field, Kernel, Kind, Type, assigned, guid_bytes};
use crate::machine::Machine;

/// What the member lines below a heading belong to.
enum Open {
    Nothing,
    Type(Vec<usize>, Type),
    Enum(Vec<usize>, String, Vec<(String, i64)>),
}

/// Reads the whole extract. It is part of this crate: a line that cannot be read is a mistake in it, and panics.
pub(super) fn parse(text: &str) -> Vec<Kernel> {
    let mut kernels = Vec::new();
    let mut open = Open::Nothing;
    for line in text.lines().filter(|l| !l.starts_with('#')) {
        let words: Vec<&str> = line.split('\t').collect();
        if !matches!(words[0], "kernel" | "type" | "enum" | "rva") {
            open.push(&words);
            continue;
        }
        open.close(&mut kernels);
        match words[0] {
            "kernel" => kernels.push(kernel(&words)),
            "type" => open = Open::Type(indexes(words[2]), type_(&words)),
            "enum" => open = Open::Enum(indexes(words[2]), words[1].to_owned(), Vec::new()),
            _ => rva(&mut kernels, &words),
        }
    }
    open.close(&mut kernels);
    kernels.iter_mut().for_each(assigned::complete);
    kernels
}

impl Open {
    fn push(&mut self, words: &[&str]) {
        match self {
            Self::Type(_, ty) => ty.fields.push(field(words)),
            Self::Enum(_, _, values) => values.push((words[1].to_owned(), number(words[0]))),
            Self::Nothing => panic!("a member of nothing: {words:?}"),
        }
    }

    /// Hands what was collected to the kernels that have it.
    fn close(&mut self, kernels: &mut [Kernel]) {
        match std::mem::replace(self, Self::Nothing) {
            Self::Nothing => {}
            Self::Type(users, ty) => {
                let ty = Arc::new(ty);
                for user in users {
                    let types = &mut kernels[user].types;
                    types.insert(ty.name.clone(), Arc::clone(&ty));
                }
            }
            Self::Enum(users, name, values) => {
                let values = Arc::new(values);
                for user in users {
                    let enums = &mut kernels[user].enums;
                    enums.insert(name.clone(), Arc::clone(&values));
                }
            }
        }
    }
}

fn kernel(words: &[&str]) -> Kernel {
    let mut version = [0; 4];
    for (slot, part) in version.iter_mut().zip(words[3].split('.')) {
        *slot = number(part);
    }
    let (guid, age) = match words[5].rsplit_once('-') {
        Some((guid, age)) if !guid.is_empty() => (known_guid(guid), number(age)),
        _ => (assigned::guid(words[1]), assigned::AGE),
    };
    Kernel {
        name: words[1].to_owned(),
        version,
        source: words[4].to_owned(),
        machine: machine(words[2]),
        guid,
        age,
        has_real_symbols: words[5] != "-",
        types: BTreeMap::new(),
        enums: BTreeMap::new(),
        globals: BTreeMap::new(),
    }
}

fn machine(pointer_size: &str) -> Machine {
    match pointer_size {
        "8" => Machine::X64,
        "4" => Machine::Pae,
        other => panic!("pointers of {other} bytes"),
    }
}

fn type_(words: &[&str]) -> Type {
    let kind = match words[3] {
        "struct" => Kind::Struct,
        "union" => Kind::Union,
        other => panic!("{} is a {other}", words[1]),
    };
    Type {
        name: words[1].to_owned(),
        kind,
        size: number(words[4]),
        fields: Vec::new(),
    }
}

fn field(words: &[&str]) -> Field {
    let bit = words.get(4).map(|at| (number(at), number(words[5])));
    Field {
        offset: hexadecimal(words[0]).into(),
        path: words[1].to_owned(),
        ty: words[2].to_owned(),
        bytes: number(words[3]),
        bit,
    }
}

fn rva(kernels: &mut [Kernel], words: &[&str]) {
    for (kernel, rva) in kernels.iter_mut().zip(&words[2..]) {
        if *rva != "-" {
            let globals = &mut kernel.globals;
            globals.insert(words[1].to_owned(), hexadecimal(rva));
        }
    }
}

fn indexes(list: &str) -> Vec<usize> {
    list.split(',').map(number).collect()
}

fn number<T: std::str::FromStr>(word: &str) -> T {
    let Ok(value) = word.parse() else {
        panic!("not a number: {word}");
    };
    value
}

fn hexadecimal(word: &str) -> u32 {
    u32::from_str_radix(word, 16).unwrap_or_else(|_| panic!("not hexadecimal: {word}"))
}

fn known_guid(digits: &str) -> [u8; 16] {
    guid_bytes(digits).unwrap_or_else(|| panic!("not a GUID: {digits}"))
}
