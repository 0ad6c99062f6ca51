//! The layouts that come with the program, of the kernels whose symbols are public knowledge.
//!
//! `data/kernels.txt` has, for each kernel, what one contract asks for; its grammar is that of
//! [packs](crate::pack). The program that declares the contract also writes the file, and tests that it is
//! complete.

use std::collections::{HashMap, HashSet};

use crate::flat::{KernelLines, Layouts, is_of};
use crate::identity::Identity;
use crate::origin::Origin;
use crate::processor::Processor;
use crate::table::Table;
use crate::version::Version;

const KERNELS: &str = include_str!("../data/kernels.txt");

/// The built-in table of exactly that image, if there is one.
#[must_use]
pub fn built_in(wanted: &Identity) -> Option<Table> {
    // Most identities asked for are unknown, and a search is cheaper than taking the text apart.
    memchr::memmem::find(KERNELS.as_bytes(), wanted.guid.to_string().as_bytes())?;
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
    tables_of(|_, _| true)
}

/// The built-in tables of images for that processor whose globals are where `fits` has them: it is given their RVAs by name,
/// and is asked before a table is made.
#[must_use]
pub fn built_in_where(processor: Processor, fits: impl Fn(&HashMap<&str, u32>) -> bool) -> Vec<Table> {
    tables_of(|layouts, kernel| kernel.processor == processor && fits(&layouts.rvas(kernel)))
}

fn tables_of(takes: impl Fn(&Layouts<'_>, &KernelLines<'_>) -> bool) -> Vec<Table> {
    let Ok(layouts) = Layouts::parse(KERNELS) else {
        return Vec::new();
    };
    let mut tables: Vec<Table> = Vec::new();
    for kernel in layouts.kernels.iter().filter(|kernel| takes(&layouts, kernel)) {
        let origin = Origin::BuiltIn {
            version: kernel.version.to_owned(),
        };
        if let Some(table) = layouts.table(kernel, origin) {
            tables.push(Box::new(table));
        }
    }
    tables
}

/// Each layout that any built-in kernel for that processor has, once, in the order of the data: without an identity and
/// without globals, which are one image's own. The origin tells the first kernel that has it and the last, and of one that
/// follows from others that it is derived.
#[must_use]
pub fn distinct_built_in(processor: Processor) -> Vec<Table> {
    let Ok(layouts) = Layouts::parse(KERNELS) else {
        return Vec::new();
    };
    let mut seen = HashSet::new();
    let mut tables: Vec<Table> = Vec::new();
    for kernel in of(&layouts, processor).filter(|kernel| seen.insert(kernel.types)) {
        let origin = origin_of(&layouts, kernel);
        if let Some(table) = layouts.table(&kernel.without_image(), origin) {
            tables.push(Box::new(table));
        }
    }
    tables
}

/// The origins of those layouts of [`distinct_built_in`] that an image of a version can have: of the kernels of its build
/// the one of that version, or that was derived for it; else those of the nearest version before and of the nearest
/// behind, between which it lies. None of a build of which no kernel is known.
#[must_use]
pub fn bracketing(processor: Processor, version: Version) -> Vec<Origin> {
    let Ok(layouts) = Layouts::parse(KERNELS) else {
        return Vec::new();
    };
    let mut exact = Vec::new();
    let (mut before, mut behind) = (None, None);
    for kernel in of(&layouts, processor) {
        let Some((first, last)) = kernel.versions() else {
            continue;
        };
        // Not the build alone: layouts change by servicing inside of one. `_ALPC_HANDLE_TABLE` did in March
        // 2022 (14393.5006, 17763.2686, 1904x.1586, 20348.587, 22000.556), `_KALPC_MESSAGE` in May 2022
        // (1904x.1706) and, for 8.1, in October 2022 (9600.20666); `_ETHREAD` has 0x788 bytes in 26100.1742 and
        // 0x798 in 26100.4946.
        if (first..=last).contains(&version) {
            exact.push(kernel);
        } else if first.build() != version.build() && last.build() != version.build() {
            // Another release.
        } else if last < version && before.is_none_or(|(at, _)| at <= last) {
            before = Some((last, kernel));
        } else if first > version && behind.is_none_or(|(at, _)| at > first) {
            behind = Some((first, kernel));
        }
    }
    if exact.is_empty() {
        exact.extend(before.into_iter().chain(behind).map(|(_, kernel)| kernel));
    }
    let mut seen = HashSet::new();
    let distinct = exact.into_iter().filter(|kernel| seen.insert(kernel.types));
    distinct.map(|kernel| origin_of(&layouts, kernel)).collect()
}

fn of<'l, 't>(layouts: &'l Layouts<'t>, processor: Processor) -> impl Iterator<Item = &'l KernelLines<'t>> {
    let all = layouts.kernels.iter();
    all.filter(move |kernel| kernel.processor == processor)
}

/// The first kernel that has the layout, and the last.
fn origin_of(layouts: &Layouts<'_>, kernel: &KernelLines<'_>) -> Origin {
    let alike = || of(layouts, kernel.processor).filter(|other| other.types == kernel.types);
    let is_derived = alike().all(|other| other.is_derived);
    // Where one was read, those that were derived add nothing.
    let mut known = alike().filter(|other| is_derived || !other.is_derived);
    let first = known.next().unwrap_or(kernel);
    let last = known.last().unwrap_or(first);
    let begin = first
        .version
        .split_once("..")
        .map_or(first.version, |(begin, _)| begin);
    let end = last.version.split_once("..").map_or(last.version, |(_, end)| end);
    let mut version = match begin == end {
        true => begin.to_owned(),
        false => format!("{begin} to {end}"),
    };
    if is_derived {
        version.push_str(" (derived)");
    }
    Origin::BuiltIn { version }
}
