//! Completion lists: memory that a port shares with its owner, so that messages are completed without system calls.

#[cfg(feature = "schema")]
use schemars::JsonSchema;
#[cfg(feature = "serde")]
use serde::Serialize;

use crate::port;
use crate::port::contract::{CompletionList, CompletionListHeader};
use ntkernel::image::contract::Port;
use ntkernel::image::kernel::{At, Read};
use ntkernel::image::value::{Addr, Unreadable, Value};
use ntkernel::object::process_ref::ProcessRef;
use ntkernel::why;

/// A port's `_ALPC_COMPLETION_LIST`, member by member.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct CompletionListRecord {
    /// Its `_ALPC_COMPLETION_LIST`.
    pub address: Addr,
    /// The process that shares the memory.
    pub owner_process: Value<Option<ProcessRef>>,
    /// Its push lock: Windows 8 and later.
    pub lock: Value<Addr>,
    /// The `_MDL` that holds the memory.
    pub mdl: Value<Addr>,
    /// Where the owner sees the memory.
    pub user_va: Value<Addr>,
    /// Where it ends there.
    pub user_limit: Value<Addr>,
    /// Where the owner sees the part for messages.
    pub data_user_va: Value<Addr>,
    /// Where the kernel sees the memory.
    pub system_va: Value<Addr>,
    /// Length of the memory in bytes.
    pub total_size: Value<u64>,
    /// The `_ALPC_COMPLETION_LIST_HEADER` at its start.
    pub header: Value<Addr>,
    /// The part for the list.
    pub list: Value<Addr>,
    /// Its length in bytes.
    pub list_size: Value<u64>,
    /// The part for the bitmap, which says what of the message part is taken.
    pub bitmap: Value<Addr>,
    /// Its length in bytes.
    pub bitmap_size: Value<u64>,
    /// The part for messages.
    pub data: Value<Addr>,
    /// Its length in bytes.
    pub data_size: Value<u64>,
    /// Bits of the bitmap.
    pub bitmap_limit: Value<u32>,
    /// Where the next search for a clear bit begins.
    pub bitmap_next_hint: Value<u32>,
    /// How many threads may run.
    pub concurrency_count: Value<u32>,
    /// The attributes that each message carries, as flags.
    pub attribute_flags: Value<u32>,
    /// Bytes that these take.
    pub attribute_size: Value<u32>,
    /// What the header says: the owner can write there.
    pub shared: Value<SharedRecord>,
}

/// The `_ALPC_COMPLETION_LIST_HEADER` at the start of the shared memory, member by member.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct SharedRecord {
    /// What it begins with.
    pub start_magic: Value<u64>,
    /// Length of the memory in bytes.
    pub total_size: Value<u32>,
    /// Where the list begins, in bytes from the header.
    pub list_offset: Value<u32>,
    /// Its length in bytes.
    pub list_size: Value<u32>,
    /// Where the bitmap begins, in bytes from the header.
    pub bitmap_offset: Value<u32>,
    /// Its length in bytes.
    pub bitmap_size: Value<u32>,
    /// Where the part for messages begins, in bytes from the header.
    pub data_offset: Value<u32>,
    /// Its length in bytes.
    pub data_size: Value<u32>,
    /// The attributes that each message carries, as flags.
    pub attribute_flags: Value<u32>,
    /// Bytes that these take.
    pub attribute_size: Value<u32>,
    /// Number of the entry of the list that is taken next.
    pub head: Value<u32>,
    /// Number of the entry of the list that is filled next.
    pub tail: Value<u32>,
    /// Threads of the owner that are at work.
    pub active_thread_count: Value<u32>,
    /// The last message's id.
    pub last_message_id: Value<u32>,
    /// Its callback id.
    pub last_callback_id: Value<u32>,
    /// Messages that the kernel has put into the list.
    pub post_count: Value<u32>,
    /// Messages that the owner has given back.
    pub return_count: Value<u32>,
    /// Number of the last entry in the log.
    pub log_sequence_number: Value<u32>,
    /// The owner's lock of the list.
    pub user_lock: Value<Addr>,
    /// What it ends with.
    pub end_magic: Value<u64>,
}

/// The completion list of a port; none when it has none.
///
/// # Errors
/// When the port is not in the dump.
pub(crate) fn of_port(port: At<'_, '_>) -> Read<Option<CompletionListRecord>> {
    // The owner of the port registers memory of its own for it (AlpcRegisterCompletionListInformation in phnt),
    // so that what stands there is whatever that process wrote.
    // Few ports have one. RPC's servers use an I/O completion port instead, and every published view of a server
    // shows `CompletionList : 0000000000000000`.
    let list = port.pointer(Port::CompletionList)?;
    Ok((list.u64() != 0).then(|| record(port.kernel().at(list))))
}

fn record(list: At<'_, '_>) -> CompletionListRecord {
    let kernel = list.kernel();
    let owner = list.pointer(CompletionList::OwnerProcess);
    CompletionListRecord {
        address: kernel.addr(list.address()),
        owner_process: owner.map(|owner| port::process_ref(kernel, owner)).into(),
        // Windows 8 put it in; the header of the shared memory shrank from 0x300 to 0x180 bytes with the same
        // release.
        lock: list.addr(CompletionList::CompletionListLock),
        // An MDL keeps the owner's pages in memory and maps them into the kernel's part, so that a kernel dump may
        // hold them although they are user pages (inferred).
        mdl: list.addr(CompletionList::Mdl),
        user_va: list.addr(CompletionList::UserVa),
        user_limit: list.addr(CompletionList::UserLimit),
        data_user_va: list.addr(CompletionList::DataUserVa),
        system_va: list.addr(CompletionList::SystemVa),
        total_size: list.uint(CompletionList::TotalSize).into(),
        header: list.addr(CompletionList::Header),
        list: list.addr(CompletionList::List),
        list_size: list.uint(CompletionList::ListSize).into(),
        bitmap: list.addr(CompletionList::Bitmap),
        bitmap_size: list.uint(CompletionList::BitmapSize).into(),
        // Units of 40 hex bytes; what is in use begins with a PORT_MESSAGE. With an enabled list data goes from the
        // sender's buffer straight in here: the message itself is in the pending queue with DataUserVa still set,
        // and has none of it (a decompile of several builds).
        data: list.addr(CompletionList::Data),
        data_size: list.uint(CompletionList::DataSize).into(),
        bitmap_limit: list.u32(CompletionList::BitmapLimit).into(),
        bitmap_next_hint: list.u32(CompletionList::BitmapNextHint).into(),
        concurrency_count: list.u32(CompletionList::ConcurrencyCount).into(),
        attribute_flags: list.u32(CompletionList::AttributeFlags).into(),
        attribute_size: list.u32(CompletionList::AttributeSize).into(),
        shared: shared(list).into(),
    }
}

fn shared(list: At<'_, '_>) -> Read<SharedRecord> {
    // Where the kernel sees it. The same memory is at UserVa in the owner, which a kernel dump does not hold by
    // that address.
    let header = list.pointer(CompletionList::Header)?;
    if header.u64() == 0 {
        return Err(Unreadable::NullPointer(why!(
            "_ALPC_COMPLETION_LIST.Header is null"
        )));
    }
    let header = list.kernel().at(header);
    let number = |member| header.u32(member).into();
    Ok(SharedRecord {
        start_magic: header.uint(CompletionListHeader::StartMagic).into(),
        total_size: number(CompletionListHeader::TotalSize),
        list_offset: number(CompletionListHeader::ListOffset),
        list_size: number(CompletionListHeader::ListSize),
        bitmap_offset: number(CompletionListHeader::BitmapOffset),
        bitmap_size: number(CompletionListHeader::BitmapSize),
        data_offset: number(CompletionListHeader::DataOffset),
        data_size: number(CompletionListHeader::DataSize),
        attribute_flags: number(CompletionListHeader::AttributeFlags),
        attribute_size: number(CompletionListHeader::AttributeSize),
        head: number(CompletionListHeader::Head),
        tail: number(CompletionListHeader::Tail),
        active_thread_count: number(CompletionListHeader::ActiveThreadCount),
        last_message_id: number(CompletionListHeader::LastMessageId),
        last_callback_id: number(CompletionListHeader::LastCallbackId),
        post_count: number(CompletionListHeader::PostCount),
        return_count: number(CompletionListHeader::ReturnCount),
        log_sequence_number: number(CompletionListHeader::LogSequenceNumber),
        user_lock: header.addr(CompletionListHeader::UserLock),
        end_magic: header.uint(CompletionListHeader::EndMagic).into(),
    })
}
