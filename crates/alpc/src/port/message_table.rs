//! The message tables: handle tables whose entries point straight at messages.
//!
//! A message's id is its handle in `AlpcMessageTable`; from Windows 8.1 on, ids beyond 26 bits are handles in
//! one of the `AlpcpSecondaryMessageTables`, numbered by the bits above. Bit 31 marks a message that is free
//! and cached, or belongs to a reserve.

use kdump::Gva;

use ntkernel::image::contract::{Global, Message, PortMessage};
use ntkernel::image::kernel::{At, Kernel, Read, offset};
use ntkernel::image::value::Unreadable;
use ntkernel::object::handle::{self, Entry};
use ntkernel::why;

/// Bits of an id that are a handle.
const HANDLE: u32 = 0x03ff_ffff;

/// Bit of an id of a message that is not in use by itself.
const NOT_LIVE: u32 = 0x8000_0000;

/// Numbers that the bits between the handle and the mark can give to tables.
const SECONDARY_TABLES: u64 = 32;

/// All messages that the tables hold, also those in no queue.
#[derive(Clone, Debug, Default)]
pub struct Messages {
    /// The messages, in order of table and handle. One whose memory is not in the dump is among them.
    pub messages: Vec<Gva>,
    /// What could not be read: messages may be missing for each.
    pub gaps: Vec<Unreadable>,
}

/// Lists the messages of the message tables that are in use.
///
/// # Errors
/// When the symbols lack `AlpcMessageTable` or the table is not in the dump.
pub fn messages(kernel: &Kernel<'_>) -> Read<Messages> {
    let mut found = Messages::default();
    // An ordinary executive handle table in all but one thing: its entries point at the messages and not at object
    // headers before them, for a message is no object.
    let primary = kernel.global_pointer(Global::AlpcMessageTable)?;
    collect(kernel, primary, &mut found)?;
    match secondary_tables(kernel) {
        Ok(secondary) => {
            for table in secondary.tables {
                if let Err(hole) = collect(kernel, table, &mut found) {
                    found.gaps.push(hole);
                }
            }
            found.gaps.extend(secondary.gap);
        }
        // Kernels before Windows 8.1 have none.
        // (The symbol is in all lists of 9600 and later.)
        Err(Unreadable::NoGlobal { .. }) if kernel.has_own_globals() => {}
        Err(hole) => found.gaps.push(hole),
    }
    Ok(found)
}

/// The messages that the tables lead to, also those that are free and cached: such a one keeps its place there, and its
/// data until it is used again.
///
/// # Errors
/// As [`messages`]. Parts of the tables that cannot be read are left out.
pub(crate) fn all_messages(kernel: &Kernel<'_>) -> Read<Vec<Gva>> {
    let mut found = Vec::new();
    let primary = kernel.global_pointer(Global::AlpcMessageTable)?;
    // The mark in the id of a cached message does not change the low bits, so that it still is the handle of its
    // entry.
    handle::walk(kernel, primary, |entry| found.push(entry.target))?;
    for table in secondary_tables(kernel)
        .map(|secondary| secondary.tables)
        .unwrap_or_default()
    {
        // What lacks here lacks a proof, and nothing is said to be complete.
        let _ = handle::walk(kernel, table, |entry| found.push(entry.target));
    }
    Ok(found)
}

fn collect(kernel: &Kernel<'_>, table: Gva, found: &mut Messages) -> Read<()> {
    let messages = &mut found.messages;
    let gaps = handle::walk(kernel, table, |entry| {
        if is_live(kernel, entry).unwrap_or(true) {
            messages.push(entry.target);
        }
    })?;
    found.gaps.extend(
        gaps.iter()
            .map(|gap| gap.hole_of(why!("the message table: {}", gap.why()))),
    );
    Ok(())
}

/// Whether an entry's message is in use, and not what was there before.
///
/// The kernel itself finds no message that belongs to no port any more. Such a message is still there, with
/// its id; one that was freed has the mark in its id and no port.
fn is_live(kernel: &Kernel<'_>, entry: Entry) -> Read<bool> {
    let message = kernel.at(entry.target);
    let id = id(message)?;
    // A message that is freed goes to a lookaside list and keeps its entry in the table, its id with bit 31,
    // its header and its data (by published reverse engineering of 10.x): what it holds looks like a message in
    // every respect.
    Ok(u64::from(id & HANDLE) == entry.handle && (id & NOT_LIVE == 0 || is_held(message)?))
}

fn is_held(message: At<'_, '_>) -> Read<bool> {
    Ok(message.pointer(Message::OwnerPort)?.u64() != 0 || message.pointer(Message::PortQueue)?.u64() != 0)
}

/// The id as it is: it is a handle of the table.
#[allow(
    clippy::cast_possible_truncation,
    reason = "the member is declared with four bytes"
)]
fn id(message: At<'_, '_>) -> Read<u32> {
    message
        .embedded(Message::PortMessage)?
        .true_uint(PortMessage::MessageId)
        .map(|id| id as u32)
}

/// The message with an id; none when no message in use has it. One whose memory is not in the dump is still
/// told, for the table says where it is.
///
/// # Errors
/// When the symbols lack `AlpcMessageTable` or the part of the table that holds the id is not in the dump.
pub fn message_by_id(kernel: &Kernel<'_>, id: u32) -> Read<Option<Gva>> {
    // On Vista a message leads back: its UniqueTableEntry is the address of the entry. Windows 7 dropped the member,
    // so nothing here uses it.
    let handle = u64::from(id & HANDLE);
    let primary = kernel.global_pointer(Global::AlpcMessageTable)?;
    // (A negative id that a client looks up is the handle of a reserve, in the table of its connection, and
    // none of these: published reverse engineering.)
    if id <= HANDLE {
        return message_in(kernel, primary, handle, id);
    }
    let secondary = secondary_tables(kernel)?;
    for table in secondary.tables {
        if let Some(message) = message_in(kernel, table, handle, id)? {
            return Ok(Some(message));
        }
    }
    secondary.gap.map_or(Ok(None), Err)
}

fn message_in(kernel: &Kernel<'_>, table: Gva, handle: u64, wanted: u32) -> Read<Option<Gva>> {
    let Some(entry) = handle::lookup(kernel, table, handle)? else {
        return Ok(None);
    };
    let message = kernel.at(entry.target);
    let matches = id(message).map(|id| id == wanted);
    Ok(matches.unwrap_or(true).then_some(entry.target))
}

/// The tables beside the first.
///
/// `AlpcpSecondaryMessageTables` takes no more than a pointer in some kernels and has room for all tables in
/// others, so it is read as an array where its first slots are tables, and as a pointer to one where they are
/// not. What is no handle table is left out.
fn secondary_tables(kernel: &Kernel<'_>) -> Read<Secondary> {
    let global = kernel.global(Global::AlpcpSecondaryMessageTables)?;
    let inline = tables_at(kernel, global)?;
    if !inline.tables.is_empty() {
        return Ok(inline);
    }
    let array = kernel.cursor().pointer(global)?;
    if array.u64() == 0 {
        return Ok(Secondary::default());
    }
    // Where that is a table whose page is missing, it is no array either, and the reason is the same.
    tables_at(kernel, array)
}

/// The tables beside the first.
#[derive(Default)]
struct Secondary {
    tables: Vec<Gva>,
    /// What hides whether there are more.
    gap: Option<Unreadable>,
}

fn tables_at(kernel: &Kernel<'_>, array: Gva) -> Read<Secondary> {
    let width = u64::from(kernel.pointer_size());
    let mut found = Secondary::default();
    for slot in 0..SECONDARY_TABLES {
        let table = kernel
            .cursor()
            .pointer(offset(array, slot.saturating_mul(width)))?;
        if table.u64() == 0 {
            continue;
        }
        match handle::is_table(kernel.at(table)) {
            Ok(true) if found.tables.contains(&table) => {}
            Ok(true) => found.tables.push(table),
            // Where it leads by links that lead nowhere, it is no table.
            Ok(false) | Err(Unreadable::NullPointer(_)) => break,
            Err(hole) => {
                found.gap = Some(hole);
                break;
            }
        }
    }
    Ok(found)
}
