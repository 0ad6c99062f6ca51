//! Kernels that Microsoft published, by what is always in a dump.
//!
//! `data/identities.tsv` has them with their sources, and of two thirds of them where some variables are and how large some
//! structures are. The pair of time stamp and size of the image is no other kernel's:
//! a test asks every row of it. Addresses of variables are no identity, for most kernels share theirs with another.

use crate::identity::Identity;
use crate::processor::Processor;
use crate::version::Version;

const PUBLISHED: &str = include_str!("../data/identities.tsv");

/// A published kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Published {
    /// Which PDB it was linked with.
    pub identity: Identity,
    /// The version of its image, where a source says it.
    pub version: Option<Version>,
    /// TimeDateStamp and SizeOfImage of its image, where a source says them.
    pub stamp: Option<(u32, u32)>,
    /// For which processor it is, where a source says it.
    pub processor: Option<Processor>,
    /// What else sources say of it, in the order of [`GLOBALS`], then of [`TYPES`].
    numbers: [Option<u32>; NUMBERS],
}

/// The variables of which [`Published::rva`] may know.
pub const GLOBALS: [&str; 7] = [
    "PsLoadedModuleList",
    "PsActiveProcessHead",
    "KdDebuggerDataBlock",
    "ObTypeIndexTable",
    "ObHeaderCookie",
    "ObpRootDirectoryObject",
    "PsInitialSystemProcess",
];

/// The structures of which [`Published::size_of`] may know.
pub const TYPES: [&str; 3] = ["_ALPC_PORT", "_EPROCESS", "_ETHREAD"];

const NUMBERS: usize = GLOBALS.len() + TYPES.len();

impl Published {
    /// The RVA of one of [`GLOBALS`], where a source says it.
    #[must_use]
    pub fn rva(&self, global: &str) -> Option<u32> {
        let place = GLOBALS.iter().position(|name| *name == global)?;
        self.numbers.get(place).copied().flatten()
    }

    /// The bytes of one of [`TYPES`], where a source says it.
    #[must_use]
    pub fn size_of(&self, structure: &str) -> Option<u32> {
        let place = TYPES.iter().position(|name| *name == structure)?;
        let place = place.checked_add(GLOBALS.len())?;
        self.numbers.get(place).copied().flatten()
    }
}

/// The kernel whose image has that TimeDateStamp and SizeOfImage.
#[must_use]
pub fn by_stamp(timestamp: u32, size_of_image: u32) -> Option<Published> {
    // The pair is the key by which symbol stores keep images: no two of these kernels share it. From Windows 10
    // on the first is part of a hash and no time.
    let start = format!("\n{timestamp:08x}\t{size_of_image:x}\t");
    let at = find(&start)?;
    row(at.checked_add(1)?)
}

/// The kernel that was linked with that PDB.
#[must_use]
pub fn by_identity(identity: &Identity) -> Option<Published> {
    let key = format!("\t{}{:X}\t", identity.guid, identity.age);
    let at = find(&key)?;
    let line = PUBLISHED.get(..at)?.rfind('\n')?;
    row(line.checked_add(1)?)
}

/// What is known of several kernels alike, as of the first of them: its variables and sizes where all have the same.
pub fn common<'k>(kernels: impl IntoIterator<Item = &'k Published>) -> Option<Published> {
    let mut kernels = kernels.into_iter();
    let mut common = kernels.next()?.clone();
    for other in kernels {
        for (number, theirs) in common.numbers.iter_mut().zip(&other.numbers) {
            *number = number.filter(|number| Some(*number) == *theirs);
        }
    }
    Some(common)
}

/// Every command asks once: this search takes a twentieth of the standard library's time.
fn find(text: &str) -> Option<usize> {
    memchr::memmem::find(PUBLISHED.as_bytes(), text.as_bytes())
}

/// All of them.
pub fn all() -> impl Iterator<Item = Published> {
    let mut heading = "";
    let rows = PUBLISHED.lines().filter(|line| !line.starts_with('#'));
    rows.filter_map(move |line| match line.strip_prefix("= ") {
        Some(words) => {
            heading = words;
            None
        }
        None => parse(heading, line),
    })
}

/// The row at a place, with the heading above it.
fn row(at: usize) -> Option<Published> {
    let line = PUBLISHED.get(at..)?.lines().next()?;
    let above = PUBLISHED.get(..at)?.rfind("\n= ")?;
    let heading = PUBLISHED.get(above.checked_add(3)?..)?.lines().next()?;
    parse(heading, line)
}

fn parse(heading: &str, line: &str) -> Option<Published> {
    /// Digits of a GUID.
    const GUID: usize = 32;
    let (processor, pdb_name) = heading.split_once(' ')?;
    let mut words = line.split('\t');
    let mut next = || words.next();
    let hex = |word: &str| u32::from_str_radix(word, 16).ok();
    let (timestamp, size) = (hex(next()?), hex(next()?));
    let (guid, age) = next()?.split_at_checked(GUID)?;
    let version = next()?.parse().ok();
    let mut numbers = [None; NUMBERS];
    for (number, word) in numbers.iter_mut().zip(words) {
        *number = hex(word);
    }
    Some(Published {
        numbers,
        identity: Identity {
            pdb_name: pdb_name.to_owned(),
            guid: guid.parse().ok()?,
            age: hex(age)?,
        },
        version,
        stamp: timestamp.zip(size),
        processor: match processor {
            "x86" => Some(Processor::X86),
            "x64" => Some(Processor::X64),
            "la57" => Some(Processor::La57),
            "arm64" => Some(Processor::Arm64),
            _ => None,
        },
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// Each row leads to itself, by either key; no two are of one image, nor of one PDB.
    #[test]
    fn every_row_is_one_kernel() {
        let (mut stamps, mut identities, mut count) = (HashSet::new(), HashSet::new(), 0);
        for published in all() {
            count += 1;
            assert!(
                identities.insert((published.identity.guid, published.identity.age)),
                "{published:?}"
            );
            assert_eq!(by_identity(&published.identity).as_ref(), Some(&published));
            if let Some((timestamp, size)) = published.stamp {
                assert!(stamps.insert((timestamp, size)), "{published:?}");
                assert_eq!(by_stamp(timestamp, size).as_ref(), Some(&published));
                assert!(published.version.is_some(), "{published:?}");
            }
        }
        let lines = PUBLISHED.lines().filter(|line| !line.starts_with(['#', '=']));
        assert_eq!(count, lines.count());
        assert_eq!((count, stamps.len()), (2_879, 2_065));
        assert!(by_stamp(0, 0).is_none() && by_stamp(0x1234_5678, 0x1000).is_none());
    }

    /// A row that the table of versions by the debugger's users has as well: Windows 10 1507's first kernel.
    #[test]
    fn a_kernel_that_is_well_known() {
        let first = by_stamp(0x559f_3c1a, 0x85_2000).unwrap();
        assert_eq!(
            first.identity.to_string(),
            "ntkrnlmp.pdb/C68EE22FDCF6477895C54A862BE165671"
        );
        assert_eq!(first.version, Some(Version([10, 0, 10240, 16384])));
        assert_eq!(first.processor, Some(Processor::X64));
    }

    /// Two sources made alone: the tables of whole kernels are out of PDBs, the numbers mostly not.
    #[test]
    fn variables_and_sizes_are_those_of_the_built_in_tables() {
        let contract = crate::Contract {
            fields: &[],
            types: &TYPES,
            globals: &[],
        };
        let (mut kernels, mut variables, mut sizes) = (0, 0, 0);
        for table in crate::all_built_in() {
            let Some(published) = table.identity().and_then(by_identity) else {
                continue;
            };
            kernels += 1;
            for name in GLOBALS {
                let told = table.global(name).unwrap();
                if let (Some(told), Some(known)) = (told, published.rva(name)) {
                    assert_eq!(told, known, "{name} of {}", published.identity);
                    variables += 1;
                }
            }
            let layout = table.resolve(&contract).unwrap();
            for (index, name) in TYPES.into_iter().enumerate() {
                if let (Some(told), Some(known)) = (layout.type_size(index), published.size_of(name)) {
                    assert_eq!(told, known, "{name} of {}", published.identity);
                    sizes += 1;
                }
            }
        }
        assert!(
            kernels > 200 && variables > 1_000 && sizes > 500,
            "{kernels}, {variables}, {sizes}"
        );
    }
}
