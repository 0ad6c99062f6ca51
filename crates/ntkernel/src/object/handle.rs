//! Handle tables of every generation, and the message table, which is one of them.
//!
//! `_HANDLE_TABLE.TableCode` holds the address of the top table with its level in the low two bits. A leaf is
//! a page of entries, a table above it a page of pointers. Handle values count entries in steps of four, the
//! first entry of each leaf included, although it is no handle.

use kdump::Gva;
#[cfg(feature = "schema")]
use schemars::JsonSchema;
#[cfg(feature = "serde")]
use serde::{Serialize, Serializer};

use crate::image::budget::{Owner, Part};
use crate::image::contract::{HandleTable, HandleTableEntry, ListEntry, ObjectHeader};
use crate::image::kernel::{At, Kernel, Read, offset};
use crate::image::reason::{About, Why};
use crate::image::value::{Addr, Unreadable, Value};
use crate::object::process_ref::ProcessRef;
use crate::object::{self, ObjectRecord, TypeRef};
use crate::why;

/// Bytes of a table of any level.
const TABLE_SIZE: u64 = 0x1000;

/// Handle values from one entry to the next.
const STEP: u64 = 4;

/// Entries after which a walk gives up: no process can have more handles.
const CAP: u64 = 1 << 24;

/// Bits of an access mask that a handle can grant. Bit 25 marks a protected handle in kernels up to Windows 7
/// (`ObpAccessProtectCloseBit`); the generic rights above it are gone once a handle exists.
const GRANTED: u64 = 0x01ff_ffff;
const PROTECT_IN_ACCESS: u64 = 0x0200_0000;

/// Attributes of a handle, by the bits of `OBJ_PROTECT_CLOSE`, `OBJ_INHERIT` and `OBJ_AUDIT_OBJECT_CLOSE`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HandleAttributes(pub u8);

impl HandleAttributes {
    const PROTECT: u8 = 1;
    const INHERIT: u8 = 2;
    const AUDIT: u8 = 4;

    /// The debugger's names of those that are set.
    #[must_use]
    pub fn names(self) -> Vec<&'static str> {
        [
            (Self::PROTECT, "Protected"),
            (Self::INHERIT, "Inherit"),
            (Self::AUDIT, "Audit"),
        ]
        .into_iter()
        .filter(|(bit, _)| self.0 & bit != 0)
        .map(|(_, name)| name)
        .collect()
    }
}

#[cfg(feature = "serde")]
impl Serialize for HandleAttributes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.names().serialize(serializer)
    }
}

/// An entry of a handle table that is in use.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// The handle.
    pub handle: u64,
    /// Its `_HANDLE_TABLE_ENTRY`.
    pub at: Gva,
    /// What it refers to: the header of an object in the table of a process, the thing itself in others.
    pub target: Gva,
    /// The access rights that it grants.
    pub granted_access: u32,
    /// Its attributes.
    pub attributes: HandleAttributes,
}

/// Handles that could not be read.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct Gap {
    /// The first of them.
    pub first: u64,
    /// The last of them, so far as the table says how far it goes.
    pub last: u64,
    /// Why.
    pub reason: Unreadable,
}

impl Gap {
    /// Whether what was read of the table contradicts itself there, as opposed to memory that is missing.
    pub fn is_contradiction(&self) -> bool {
        matches!(self.reason, Unreadable::Walk(_) | Unreadable::Implausible(_))
    }

    /// The gap in words.
    #[must_use]
    pub fn why(&self) -> Why {
        let [first, last] = [self.first, self.last].map(About::Handle);
        why!("handles {} to {}: {}", first, last, &self.reason)
    }

    /// The gap as the reason why something is not known.
    fn reason(&self) -> Unreadable {
        self.hole_of(self.why())
    }

    /// The same, told in other words.
    pub fn hole_of(&self, text: Why) -> Unreadable {
        Unreadable::walk(
            text,
            Some(&self.reason).filter(|reason| !matches!(reason, Unreadable::Walk(_))),
        )
    }
}

impl std::fmt::Display for Gap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.why().fmt(f)
    }
}

/// A handle table, ready to be walked.
#[derive(Clone, Copy, Debug)]
struct Shape {
    /// The `_HANDLE_TABLE`.
    table: Gva,
    top: Gva,
    level: u64,
    /// Entries in use at most.
    bound: u64,
    entry_size: u64,
    per_leaf: u64,
    per_table: u64,
    pointer: u64,
}

impl Shape {
    fn of(table: At<'_, '_>) -> Read<Self> {
        let kernel = table.kernel();
        // The depth of the table is in the low two bits of the pointer to it, which a page leaves free. Most processes begin
        // with one page; the second handle table page turns the pointer into one to a page of pointers, with 1 in these bits.
        // An engineer who pastes TableCode into `dp` reads one byte too far: so do scripts.
        let code = table.uint(HandleTable::TableCode)?;
        let level = code & 3;
        if level > 2 {
            let at = kernel.addr(table.address());
            return Err(Unreadable::Implausible(why!(
                "the handle table at {} has a level that no table has",
                at
            )));
        }
        let entry_size = kernel.size_of::<HandleTableEntry>()?;
        let pointer = u64::from(kernel.pointer_size());
        let per_leaf = TABLE_SIZE.checked_div(entry_size).unwrap_or(0).max(1);
        let per_table = TABLE_SIZE.checked_div(pointer).unwrap_or(0).max(1);
        let reach = match level {
            0 => per_leaf,
            1 => per_leaf.saturating_mul(per_table),
            _ => per_leaf.saturating_mul(per_table).saturating_mul(per_table),
        };
        // The name promises a number of handles, but it is a handle: the first that has no entry yet, a multiple of 4.
        // The first handle for which the table would have to grow.
        let end = table.uint(HandleTable::NextHandleNeedingPool)?.checked_div(STEP);
        Ok(Self {
            table: table.address(),
            top: Gva::new(code & !3),
            level,
            bound: end.unwrap_or(0).min(reach).min(CAP),
            entry_size,
            // 256 entries of 16 bytes on x64, 512 of 8 on x86; by the sizes in the symbols, as they follow from
            // them.
            per_leaf,
            per_table,
            pointer,
        })
    }

    /// Address of the leaf with the entry of that index.
    fn leaf(&self, kernel: &Kernel<'_>, index: u64) -> Read<Gva> {
        let number = index.checked_div(self.per_leaf).unwrap_or(0);
        let slot = |table: Gva, slot: u64| -> Read<Gva> {
            let at = offset(table, slot.saturating_mul(self.pointer));
            let below = kernel.cursor().pointer(at)?;
            if below.u64() == 0 {
                let at = kernel.addr(at);
                return Err(Unreadable::Implausible(why!(
                    "the handle table has no page where its bound says that one is, at {}",
                    at
                )));
            }
            Ok(below)
        };
        match self.level {
            0 => Ok(self.top),
            1 => slot(self.top, number),
            _ => {
                let middle = slot(self.top, number.checked_div(self.per_table).unwrap_or(0))?;
                slot(middle, number.checked_rem(self.per_table).unwrap_or(0))
            }
        }
    }

    /// The leaf with the entry of that index, unless it is another's, or how many entries that hides: a page of a table
    /// is a whole page of pool, and no other table's, nor a second time in its own.
    fn own_leaf(&self, kernel: &Kernel<'_>, index: u64) -> Result<Gva, (Unreadable, u64)> {
        /// What the pages above the leaves are numbered from, so that none has the number of a leaf.
        const ABOVE: u64 = 1 << 32;
        let per_middle = self.per_leaf.saturating_mul(self.per_table);
        if self.level > 0 {
            self.own(kernel, self.top, u64::MAX)
                .map_err(|hole| (hole, u64::MAX))?;
        }
        if self.level > 1 {
            let number = index.checked_div(per_middle).unwrap_or(0);
            let slot = offset(self.top, number.saturating_mul(self.pointer));
            // What cannot be read is told when the leaf is looked for.
            if let Ok(middle) = kernel.cursor().pointer(slot) {
                self.own(kernel, middle, ABOVE.saturating_add(number))
                    .map_err(|hole| (hole, per_middle))?;
            }
        }
        let leaf = self.leaf(kernel, index);
        leaf.and_then(|leaf| {
            let number = index.checked_div(self.per_leaf).unwrap_or(0);
            self.own(kernel, leaf, number).map(|()| leaf)
        })
        .map_err(|hole| (hole, self.per_leaf))
    }

    fn own(&self, kernel: &Kernel<'_>, page: Gva, number: u64) -> Read<()> {
        let owner = Owner {
            owner: self.table,
            number,
        };
        let claimed = kernel.claim(Part::HandleTablePage, page, owner);
        claimed.map_err(|taken| {
            let at = kernel.addr(page);
            Unreadable::Walk(if taken.owner == self.table {
                why!("the handle table leads around to its page at {}", at)
            } else {
                let other = kernel.addr(taken.owner);
                why!(
                    "the page of the handle table at {} is one of the handle table at {}",
                    at,
                    other
                )
            })
        })
    }

    fn entry(&self, leaf: Gva, index: u64) -> Gva {
        let number = index.checked_rem(self.per_leaf).unwrap_or(0);
        offset(leaf, number.saturating_mul(self.entry_size))
    }
}

/// Calls `visit` for each handle of a table in use, in order, and returns what could not be read.
///
/// # Errors
/// When the `_HANDLE_TABLE` itself is not in the dump, or is none.
pub fn walk(kernel: &Kernel<'_>, table: Gva, visit: impl FnMut(Entry)) -> Read<Vec<Gap>> {
    walk_up_to(kernel, table, CAP, visit)
}

/// The same, of no more than the first `cap` entries, used or not.
///
/// # Errors
/// As [`walk`].
pub fn walk_up_to(kernel: &Kernel<'_>, table: Gva, cap: u64, mut visit: impl FnMut(Entry)) -> Read<Vec<Gap>> {
    let mut shape = Shape::of(kernel.at(table))?;
    shape.bound = shape.bound.min(cap);
    let mut gaps = Vec::new();
    let mut first = 0;
    while first < shape.bound {
        let mut end = first.saturating_add(shape.per_leaf).min(shape.bound);
        match shape.own_leaf(kernel, first) {
            Ok(leaf) => {
                // The first entry of each page is the table's own and never given out: no process has handle 0, nor (with 256
                // entries of 16 bytes a page) 0x400, 0x800 and so on. Its bytes look like an entry in use.
                for index in first.saturating_add(1)..end {
                    match entry(kernel.at(shape.entry(leaf, index)), index) {
                        Ok(Some(entry)) => visit(entry),
                        Ok(None) => {}
                        Err(reason) => add_gap(&mut gaps, index, index, reason),
                    }
                }
            }
            Err((reason, hidden)) => {
                end = first.saturating_add(hidden).min(shape.bound);
                add_gap(&mut gaps, first.saturating_add(1), end.saturating_sub(1), reason);
            }
        }
        first = end;
    }
    Ok(gaps)
}

/// Entries that cannot be read one after another, within a leaf or over several, are one gap.
fn add_gap(gaps: &mut Vec<Gap>, first: u64, last: u64, reason: Unreadable) {
    let (first, last) = (first.saturating_mul(STEP), last.saturating_mul(STEP));
    match gaps.last_mut() {
        Some(gap) if first <= gap.last.saturating_add(2 * STEP) => gap.last = last,
        _ => gaps.push(Gap { first, last, reason }),
    }
}

/// What a handle of a table refers to; none when it is not in use.
///
/// # Errors
/// When the part of the table that holds it is not in the dump.
pub fn lookup(kernel: &Kernel<'_>, table: Gva, handle: u64) -> Read<Option<Entry>> {
    let shape = Shape::of(kernel.at(table))?;
    let index = handle.checked_div(STEP).unwrap_or(0);
    if index >= shape.bound || index.checked_rem(shape.per_leaf) == Some(0) {
        return Ok(None);
    }
    let leaf = shape.leaf(kernel, index)?;
    entry(kernel.at(shape.entry(leaf, index)), index)
}

/// Reads an entry; none when it is free. A free entry has no pointer, and the next free one in its second half.
fn entry(entry: At<'_, '_>, index: u64) -> Read<Option<Entry>> {
    let target = target(entry)?;
    if target.u64() == 0 {
        return Ok(None);
    }
    let access = entry.uint(HandleTableEntry::GrantedAccess)?;
    Ok(Some(Entry {
        handle: index.saturating_mul(STEP),
        at: entry.address(),
        target,
        granted_access: u32::try_from(access & GRANTED).unwrap_or(0),
        attributes: attributes(entry, access)?,
    }))
}

/// What an entry points at.
///
/// Up to Windows 7 the entry holds the pointer, with a lock and attributes in its low three bits. From Windows
/// 8 on the pointer is a bit field, of another position and length in almost every generation and with 5-level
/// paging; objects are aligned to 16 bytes on 64-bit systems and to 8 on 32-bit ones, and the bits that says
/// so are left out.
fn target(entry: At<'_, '_>) -> Read<Gva> {
    let kernel = entry.kernel();
    let Ok(field) = kernel.field(HandleTableEntry::ObjectPointerBits) else {
        // Up to Windows 7 the entry is the pointer to the header, with attributes of the handle in the three
        // bits that its alignment leaves free.
        return Ok(Gva::new(entry.uint(HandleTableEntry::Object)? & !7));
    };
    let bits = entry.uint(HandleTableEntry::ObjectPointerBits)?;
    if kernel.pointer_size() == 4 {
        return Ok(Gva::new(bits.checked_shl(3).unwrap_or(0) & 0xffff_ffff));
    }
    // Of 44 bits at 20 from 8.1 on, 41 at 23 in Windows 8, 53 at 11 with five levels of page tables
    // (ObDecodeShift is b in all 767 kernels of that kind in System Informer's table, 14 in the 2,891 others).
    // 20 is what other tools have built in.
    let length = field.bits.map_or(64, |bits| bits.length);
    let unused = 64_u32.saturating_sub(length.into());
    // Headers begin at multiples of 16, on x86 of 8: those bits are not kept in the entry.
    Ok(Gva::new(sign_extended(bits, unused).checked_shl(4).unwrap_or(0)))
}

/// A number whose upper `unused` bits repeat the highest one below them.
#[allow(clippy::cast_possible_wrap, clippy::cast_sign_loss, reason = "the bits stay")]
fn sign_extended(bits: u64, unused: u32) -> u64 {
    let high = bits.checked_shl(unused).unwrap_or(0) as i64;
    high.checked_shr(unused).unwrap_or(0) as u64
}

/// Up to Windows 7 two of the attributes are in the pointer and one in the access; 32-bit kernels keep that
/// from Windows 8 on with names of their own, 64-bit ones have all three beside the pointer.
fn attributes(entry: At<'_, '_>, access: u64) -> Read<HandleAttributes> {
    let kernel = entry.kernel();
    let low_three = |value: u64| u8::try_from(value & 7).unwrap_or(0);
    let in_place = HandleAttributes::INHERIT | HandleAttributes::AUDIT;
    let protect = |set: bool| if set { HandleAttributes::PROTECT } else { 0 };
    let attributes = if !kernel.has(HandleTableEntry::Attributes) {
        let low = low_three(entry.uint(HandleTableEntry::Object)?) & in_place;
        low | protect(access & PROTECT_IN_ACCESS != 0)
    } else if kernel.has(HandleTableEntry::ProtectFromClose) {
        let two = low_three(entry.uint(HandleTableEntry::Attributes)?.saturating_mul(2)) & in_place;
        two | protect(entry.flag(HandleTableEntry::ProtectFromClose)?)
    } else {
        low_three(entry.uint(HandleTableEntry::Attributes)?)
    };
    Ok(HandleAttributes(attributes))
}

/// Notes that a table is a process's: it is no other's.
///
/// # Errors
/// When another process was found to have it.
pub fn claim(kernel: &Kernel<'_>, process: Gva, table: Gva) -> Read<()> {
    let owner = Owner {
        owner: process,
        number: 0,
    };
    let claimed = kernel.claim(Part::HandleTable, table, owner);
    claimed.map_err(|taken| {
        let (at, other) = (kernel.addr(table), kernel.addr(taken.owner));
        Unreadable::Walk(why!(
            "the handle table at {} is that of the process at {}",
            at,
            other
        ))
    })
}

/// How many handles of a table are in use. None in the table of a process that has ended, which has no table.
///
/// # Errors
/// When any part of the table is not in the dump.
pub fn count(kernel: &Kernel<'_>, table: Gva) -> Read<u64> {
    let mut count = 0_u64;
    // `_HANDLE_TABLE.HandleCount` is gone since Windows 8, entries are counted instead.
    if table.u64() == 0 {
        return Ok(count);
    }
    let gaps = walk(kernel, table, |_| count = count.saturating_add(1))?;
    whole(&gaps).map(|()| count)
}

/// Whether a table was read to its end, or the first gap in it.
fn whole(gaps: &[Gap]) -> Read<()> {
    match gaps.first() {
        Some(gap) => Err(gap.reason()),
        None => Ok(()),
    }
}

/// A handle of a process.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct HandleRecord {
    /// Its value.
    pub handle: u64,
    /// Its `_HANDLE_TABLE_ENTRY`.
    pub entry: Addr,
    /// The access rights that it grants.
    pub granted_access: u32,
    /// Its attributes, by the debugger's names.
    #[cfg_attr(feature = "schema", schemars(with = "Vec<String>"))]
    pub attributes: HandleAttributes,
    /// What it refers to.
    pub object: ObjectRecord,
    /// The process, when it refers to one: these have no name of their own.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub process: Option<ProcessRef>,
}

/// The handles of a process, or those of them that were asked for.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct Handles {
    /// The `_HANDLE_TABLE`.
    pub table: Addr,
    /// Handles in use, of any type.
    pub in_use: Value<u64>,
    /// In order of their values.
    pub handles: Vec<HandleRecord>,
    /// The parts of the table that could not be read.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Vec::is_empty"))]
    pub gaps: Vec<Value<()>>,
}

/// The handles in a process's table that `wanted` takes by the type of their objects. One whose type cannot be
/// told is always among them.
///
/// # Errors
/// When the `_HANDLE_TABLE` itself is not in the dump, or is none.
pub fn handles(kernel: &Kernel<'_>, table: Gva, wanted: impl Fn(&TypeRef) -> bool) -> Read<Handles> {
    let body = kernel.offset(ObjectHeader::Body)?;
    let mut handles = Vec::new();
    let mut in_use = 0_u64;
    let gaps = walk(kernel, table, |entry| {
        in_use = in_use.saturating_add(1);
        let object_type = object::object_type(kernel.at(entry.target));
        if object_type.as_ref().map_or(true, &wanted) {
            let object = offset(entry.target, body);
            let is_process = object_type.is_ok_and(|found| found.is("Process"));
            handles.push(HandleRecord {
                handle: entry.handle,
                entry: kernel.addr(entry.at),
                granted_access: entry.granted_access,
                attributes: entry.attributes,
                object: object::record(kernel, object),
                process: is_process.then(|| ProcessRef::at(kernel, object)),
            });
        }
    })?;
    Ok(Handles {
        table: kernel.addr(table),
        in_use: whole(&gaps).map(|()| in_use).into(),
        handles,
        gaps: gaps.iter().map(gap_value).collect(),
    })
}

fn gap_value(gap: &Gap) -> Value<()> {
    Value::Missing(Box::new(gap.reason()))
}

/// Whether memory looks like a `_HANDLE_TABLE`: its level is one that tables have, it ends where a leaf ends,
/// and its links come back.
pub fn is_table(table: At<'_, '_>) -> Read<bool> {
    let kernel = table.kernel();
    let Ok(shape) = Shape::of(table) else {
        return Ok(false);
    };
    let bound = table.uint(HandleTable::NextHandleNeedingPool)?;
    let leaf = shape.per_leaf.saturating_mul(STEP);
    let link = table.address_of(HandleTable::HandleTableList)?;
    let next = kernel.at(link).pointer(ListEntry::Flink)?;
    let back = kernel.at(next).pointer(ListEntry::Blink)?;
    Ok(bound != 0 && bound.checked_rem(leaf) == Some(0) && shape.top.u64() != 0 && back == link)
}
