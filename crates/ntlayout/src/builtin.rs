//! The layouts that come with the program, of the kernels whose symbols are public knowledge.
//!
//! `data/kernels.txt` has, for each kernel, what one contract asks for; its grammar is that of
//! [packs](crate::pack). The program that declares the contract also writes the file, and tests that it is
//! complete.

use std::collections::{HashMap, HashSet};

use crate::flat::{Layouts, is_of};
use crate::identity::Identity;
use crate::origin::Origin;
use crate::table::Table;

const KERNELS: &str = include_str!("../data/kernels.txt");

/// The built-in table of exactly that image, if there is one.
#[must_use]
pub fn built_in(wanted: &Identity) -> Option<Table> {
    // Most identities asked for are unknown, and a search is cheaper than taking the text apart.
    if !KERNELS.contains(&wanted.guid.to_string()) {
        return None;
    }
    let layouts = Layouts::parse(KERNELS).ok()?;
    let mut kernels = layouts.kernels.iter();
    let kernel = kernels.find(|kernel| is_of(kernel.identity.as_ref(), wanted.guid, wanted.age))?;
    let origin = Origin::BuiltIn {
        version: kernel.version.to_owned(),
    };
    Some(Box::new(layouts.table(kernel, origin)?))
}

/// Every built-in table, in the order of the data; those of images whose identity is not known included.
#[must_use]
pub fn all_built_in() -> Vec<Table> {
    built_in_where(|_| true)
}

/// The built-in tables of images whose globals are where `fits` has them: it is given their RVAs by name, and
/// is asked before a table is made.
#[must_use]
pub fn built_in_where(fits: impl Fn(&HashMap<&str, u32>) -> bool) -> Vec<Table> {
    let Ok(layouts) = Layouts::parse(KERNELS) else {
        return Vec::new();
    };
    let mut tables: Vec<Table> = Vec::new();
    for kernel in layouts
        .kernels
        .iter()
        .filter(|kernel| fits(&layouts.rvas(kernel)))
    {
        let origin = Origin::BuiltIn {
            version: kernel.version.to_owned(),
        };
        if let Some(table) = layouts.table(kernel, origin) {
            tables.push(Box::new(table));
        }
    }
    tables
}

/// Each layout that any built-in kernel of that pointer size has, once, in the order of the data: without an
/// identity and without globals, which are one image's own. The origin tells the first kernel that has it and the
/// last.
#[must_use]
pub fn distinct_built_in(pointer_size: u8) -> Vec<Table> {
    let Ok(layouts) = Layouts::parse(KERNELS) else {
        return Vec::new();
    };
    let kernels = || {
        let all = layouts.kernels.iter();
        all.filter(|kernel| kernel.pointer_size == pointer_size)
    };
    let mut seen = HashSet::new();
    let mut tables: Vec<Table> = Vec::new();
    for kernel in kernels().filter(|kernel| seen.insert(kernel.types)) {
        let last = kernels().rfind(|other| other.types == kernel.types);
        let last = last.map_or(kernel.version, |last| last.version);
        let version = if last == kernel.version {
            last.to_owned()
        } else {
            format!("{} to {last}", kernel.version)
        };
        if let Some(table) = layouts.table(&kernel.without_image(), Origin::BuiltIn { version }) {
            tables.push(Box::new(table));
        }
    }
    tables
}
