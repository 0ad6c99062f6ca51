//! The object namespace: directories, and the objects that are in them by name.

use std::collections::{HashSet, VecDeque};

use kdump::Gva;
#[cfg(feature = "schema")]
use schemars::JsonSchema;
#[cfg(feature = "serde")]
use serde::Serialize;

use crate::image::budget::{Owner, Part};
use crate::image::contract::{Directory, DirectoryEntry};
use crate::image::kernel::{At, Kernel, Read, offset};
use crate::image::redact::Redaction;
use crate::image::value::{Addr, Unreadable, Value};
use crate::object::{self, TypeRef};
use crate::why;

/// Hash buckets of a directory in every kernel so far; the layout says how many there really are.
const BUCKETS_CAP: u64 = 1024;

/// What a directory holds, as far as the dump tells.
#[derive(Clone, Debug, Default)]
pub struct Contents {
    /// The objects in it and their hash buckets, by bucket and then as they are chained.
    pub objects: Vec<(usize, Gva)>,
    /// What could not be followed: each hides the rest of its chain and nothing else.
    pub gaps: Vec<Unreadable>,
}

/// Lists the objects of a directory.
///
/// `_OBJECT_DIRECTORY.HashBuckets` is an array of chains of `_OBJECT_DIRECTORY_ENTRY`.
#[must_use]
pub fn contents(directory: At<'_, '_>) -> Contents {
    let mut contents = Contents::default();
    match buckets(directory) {
        Ok(buckets) => {
            for (number, bucket) in buckets.into_iter().enumerate() {
                let found = |object| contents.objects.push((number, object));
                if let Err(hole) = chain(directory.kernel(), bucket, found) {
                    contents.gaps.push(hole);
                }
            }
        }
        Err(hole) => contents.gaps.push(hole),
    }
    contents
}

/// Addresses of the heads of a directory's chains.
fn buckets(directory: At<'_, '_>) -> Read<Vec<Gva>> {
    let kernel = directory.kernel();
    let first = directory.address_of(Directory::HashBuckets)?;
    let width = u64::from(kernel.pointer_size());
    let size = u64::from(kernel.field(Directory::HashBuckets)?.size);
    // 37 of them in every kernel from Vista to 11 25H2; everything behind moved about.
    let count = size.checked_div(width).unwrap_or(0).min(BUCKETS_CAP);
    Ok((0..count)
        .map(|index| offset(first, index.saturating_mul(width)))
        .collect())
}

fn chain(kernel: &Kernel<'_>, bucket: Gva, mut found: impl FnMut(Gva)) -> Read<()> {
    // No head as of a doubly linked list: a bucket is one pointer, null where nothing is in it, and nothing
    // leads back.
    let mut entry = kernel.cursor().pointer(bucket)?;
    let mut number = 0_u64;
    while entry.u64() != 0 {
        let owner = Owner {
            owner: bucket,
            number,
        };
        let claimed = kernel.claim(Part::DirectoryEntry, entry, owner);
        if claimed.is_err() {
            let at = kernel.addr(entry);
            return Err(Unreadable::Walk(why!(
                "the directory entries lead around at {}",
                at
            )));
        }
        number = number.saturating_add(1);
        let entry_at = kernel.at(entry);
        let object = entry_at.pointer(DirectoryEntry::Object)?;
        if object.u64() != 0 {
            found(object);
        }
        entry = entry_at.pointer(DirectoryEntry::ChainLink)?;
    }
    Ok(())
}

/// A directory's contents, as the debugger lists them.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct Listing {
    /// What is in it.
    pub objects: Vec<MemberRecord>,
    /// What could not be followed.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Vec::is_empty"))]
    pub gaps: Vec<Value<()>>,
}

/// An object in a directory.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "DirectoryMember"))]
#[non_exhaustive]
pub struct MemberRecord {
    /// The hash bucket that it is in. It follows from the name, and would tell which of a list of names it may be: where
    /// names are replaced it is withheld.
    pub bucket: Value<usize>,
    /// The object.
    pub address: Addr,
    /// Its type.
    #[cfg_attr(feature = "serde", serde(rename = "type"))]
    pub object_type: Value<TypeRef>,
    /// Its name.
    pub name: Value<Option<String>>,
}

/// Lists a directory with the types and names of its objects.
#[must_use]
pub fn listing(kernel: &Kernel<'_>, directory: Gva) -> Listing {
    let mut inside = contents(kernel.at(directory));
    let withheld = kernel.redaction().is_some_and(Redaction::hides_names);
    if withheld {
        // So would their order.
        inside.objects.sort_by_key(|&(_, object)| object);
    }
    let bucket = |bucket| {
        if withheld {
            Err(Unreadable::Withheld)
        } else {
            Ok(bucket)
        }
    };
    let member = |(number, object)| {
        let header = object::header(kernel, object);
        MemberRecord {
            bucket: bucket(number).into(),
            address: kernel.addr(object),
            object_type: header.clone().and_then(object::object_type).into(),
            name: header.and_then(object::name).into(),
        }
    };
    Listing {
        objects: inside.objects.into_iter().map(member).collect(),
        gaps: inside.gaps.into_iter().map(|hole| Err(hole).into()).collect(),
    }
}

/// An object of the namespace.
#[derive(Clone, Debug)]
pub struct Named {
    /// The object.
    pub object: Gva,
    /// Its full path.
    pub path: String,
}

/// What a search of the namespace gave.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The objects that match, in the order of the walk.
    pub objects: Vec<Named>,
    /// What could not be read: something that matches may be behind it.
    pub gaps: Vec<Unreadable>,
}

/// The objects of a type that have a name, by the `_OBJECT_TYPE`'s address.
///
/// # Errors
/// When the root directory cannot be found.
pub fn objects_of_type(kernel: &Kernel<'_>, object_type: Gva) -> Read<Found> {
    all(kernel, |header| Ok(object::type_address(header)? == object_type))
}

/// All objects of the namespace that `wanted` takes, each directory before what is in it.
///
/// # Errors
/// When the root directory cannot be found.
pub fn all(kernel: &Kernel<'_>, mut wanted: impl FnMut(At<'_, '_>) -> Read<bool>) -> Read<Found> {
    let mut found = Found::default();
    let mut seen = HashSet::new();
    let mut left = VecDeque::from([Named {
        object: object::root_directory(kernel)?,
        path: String::new(),
    }]);
    while let Some(directory) = left.pop_front() {
        // One directory can be shown at many addresses.
        if !seen.insert(kernel.identity(directory.object)) {
            continue;
        }
        let inside = contents(kernel.at(directory.object));
        found.gaps.extend(inside.gaps);
        for (_, object) in inside.objects {
            match visit(kernel, &directory.path, object, &mut wanted) {
                Ok(visited) => {
                    if visited.is_directory {
                        left.push_back(visited.named.clone());
                    }
                    if visited.is_wanted {
                        found.objects.push(visited.named);
                    }
                }
                Err(hole) => found.gaps.push(hole),
            }
        }
    }
    Ok(found)
}

struct Visited {
    named: Named,
    is_directory: bool,
    is_wanted: bool,
}

fn visit(
    kernel: &Kernel<'_>,
    parent: &str,
    object: Gva,
    wanted: &mut impl FnMut(At<'_, '_>) -> Read<bool>,
) -> Read<Visited> {
    let header = object::header(kernel, object)?;
    let name = object::name(header)?.ok_or_else(|| {
        let at = kernel.addr(object);
        Unreadable::Implausible(why!("the object at {} is in a directory without a name", at))
    })?;
    Ok(Visited {
        named: Named {
            object,
            path: object::path_below(kernel, parent, &name, object)?,
        },
        is_directory: object::is_directory(header)?,
        is_wanted: wanted(header)?,
    })
}

/// Looks a full path up, component by component and without regard to case, as the object manager does.
///
/// More than one object can match: names that are no valid UTF-16 read alike.
///
/// # Errors
/// When the root directory cannot be found.
pub fn find(kernel: &Kernel<'_>, path: &str) -> Read<Found> {
    let mut found = Found {
        objects: vec![Named {
            object: object::root_directory(kernel)?,
            path: String::new(),
        }],
        gaps: Vec::new(),
    };
    // The object manager also follows symbolic links on its way: `\DosDevices` is one, to `\??` (Windows
    // Internals, 7th ed.). Here a link is an object like others, and a path through one leads nowhere.
    for part in path.split('\\').filter(|part| !part.is_empty()) {
        let mut next = Vec::new();
        let mut seen = HashSet::new();
        for directory in &found.objects {
            let header = object::header(kernel, directory.object);
            match header.and_then(object::is_directory) {
                Ok(true) => {}
                Ok(false) => continue,
                Err(hole) => {
                    found.gaps.push(hole);
                    continue;
                }
            }
            let inside = contents(kernel.at(directory.object));
            found.gaps.extend(inside.gaps);
            for (_, object) in inside.objects {
                match object::header(kernel, object).and_then(object::name) {
                    Ok(Some(name)) if same_name(&name, part) => {
                        if !seen.insert(kernel.identity(object)) {
                            continue;
                        }
                        match object::path_below(kernel, &directory.path, &name, object) {
                            Ok(path) => next.push(Named { object, path }),
                            Err(hole) => found.gaps.push(hole),
                        }
                    }
                    Ok(_) => {}
                    Err(hole) => found.gaps.push(hole),
                }
            }
        }
        found.objects = next;
    }
    for named in &mut found.objects {
        if named.path.is_empty() {
            "\\".clone_into(&mut named.path);
        }
    }
    Ok(found)
}

/// Whether two names are one to the object manager, which compares without regard to case: unit by unit, so
/// letters that become several in the other case are not folded.
#[must_use]
pub fn same_name(one: &str, other: &str) -> bool {
    let fold = |c: char| {
        let mut upper = c.to_uppercase();
        match (upper.next(), upper.next()) {
            (Some(single), None) => single,
            _ => c,
        }
    };
    one.chars().map(fold).eq(other.chars().map(fold))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_as_the_object_manager_does() {
        assert!(same_name("RPC Control", "rpc control"));
        assert!(same_name("\u{e9}\u{e8}", "\u{c9}\u{c8}"));
        assert!(!same_name("stra\u{df}e", "STRASSE"));
        assert!(!same_name("ntsvcs", "ntsvcs2"));
    }
}
