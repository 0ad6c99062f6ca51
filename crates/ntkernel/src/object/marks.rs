//! Whether what a pointer leads to is what it should be.
//!
//! A page can be in a dump and not hold what it held: a dump of a running system is smeared, a tool that could not
//! read a page writes zeros or a filler in its place, and memory is used again. What is read there is then as good as
//! any other number: zeros pass for a thread that was never started, for a message that nobody waits for, for a
//! process that has not ended. So whatever a walk follows to a verdict is first held against what marks its kind: the
//! header before it, its type number, the pointers that it always has.
//!
//! Sources: `_BLOB_ID` and `_KOBJECTS` as the kernel numbers them; that a message's total length is at least that of
//! its data and its header, that an event which is waited for has a list of who waits for it, and that a list's head is
//! never null, hold in every kernel with ALPC.

use kdump::Gva;

use crate::image::contract::{
    CommunicationInfo, DeviceObject, DispatcherHeader, DriverObject, Irp, Member, Message, Port, PortMessage,
    Queue, Thread, ThreadControl, Token,
};
use crate::image::expected::{Expected, Found};
use crate::image::kernel::{At, Kernel, Read};
use crate::image::value::Unreadable;
use crate::object::blob::{self, BlobKind};
use crate::object::dispatcher::WaitObjectKind;

/// `IO_TYPE_*`, which the structures of I/O begin with.
const IO_TYPE_DEVICE: u16 = 3;
const IO_TYPE_DRIVER: u16 = 4;
const IO_TYPE_IRP: u16 = 6;

/// Bytes that tell what stands in the place of the thing.
const LOOKED_AT: usize = 64;

/// What memory says of a thing.
#[derive(Clone, Debug)]
pub(crate) enum Sight {
    /// It is there.
    Is,
    /// What would tell is not in the dump, or not in the symbols.
    Hidden,
    /// Something else is there: a [`Unreadable::NotThere`].
    IsNot(Unreadable),
}

/// Nothing, or why what is at an address is not what it should be. Where memory that would tell is missing, the thing
/// is taken for what it should be, so that the rest of it can be read.
///
/// # Errors
/// [`Unreadable::NotThere`].
pub fn expect(kernel: &Kernel<'_>, expected: Expected, address: Gva) -> Read<()> {
    match look(kernel, expected, address) {
        Sight::IsNot(hole) => Err(hole),
        Sight::Is | Sight::Hidden => Ok(()),
    }
}

/// Looks whether the expected thing is at an address.
pub(crate) fn look(kernel: &Kernel<'_>, expected: Expected, address: Gva) -> Sight {
    if !kernel.is_kernel_address(address) {
        return Sight::IsNot(not_there(kernel, expected, address));
    }
    let at = kernel.at(address);
    let marks = match expected {
        Expected::Message => vec![
            blob::kind(kernel, address).map(|kind| kind == BlobKind::MESSAGE),
            has_lengths(at),
            leads_on(at, Message::PortQueue),
            leads_on(at, Message::OwnerPort),
            leads_on(at, Message::WaitingThread),
        ],
        Expected::Thread => vec![
            is_of_type(at, &[WaitObjectKind::THREAD]),
            at.embedded(Thread::Tcb)
                .and_then(|control| is_pointer(control, ThreadControl::Process)),
        ],
        Expected::Process => vec![is_of_type(at, &[WaitObjectKind::PROCESS])],
        // Which kind of port it is says more: see `port::expect`.
        Expected::Port => vec![is_pointer(at, Port::PortListEntry)],
        Expected::CommunicationInfo => vec![
            blob::kind(kernel, address).map(|kind| kind == BlobKind::CONNECTION_INFO),
            is_pointer(at, CommunicationInfo::CommunicationList),
        ],
        Expected::CompletionPort => vec![
            is_of_type(at, &[WaitObjectKind::QUEUE, WaitObjectKind::PRIORITY_QUEUE]),
            is_pointer(at, Queue::ThreadListHead),
        ],
        Expected::WaitObject => vec![type_number(at).map(|kind| kind.name().is_some()), has_waiters(at)],
        Expected::IoRequest => vec![at.u16(Irp::Type).map(|found| found == IO_TYPE_IRP)],
        Expected::Device => vec![at.u16(DeviceObject::Type).map(|found| found == IO_TYPE_DEVICE)],
        Expected::Driver => vec![at.u16(DriverObject::Type).map(|found| found == IO_TYPE_DRIVER)],
        // TokenPrimary and TokenImpersonation; a token always has a user. Its object type says more: see
        // `security::token`.
        Expected::Token => vec![
            at.u32(Token::TokenType).map(|kind| matches!(kind, 1 | 2)),
            is_pointer(at, Token::UserAndGroups),
        ],
    };
    if marks.iter().any(|mark| matches!(mark, Ok(false))) {
        return Sight::IsNot(not_there(kernel, expected, address));
    }
    // Ports are in nonpaged pool, messages and all other blobs in paged pool (fffffa80... and fffff8a0... in
    // published dumps of Vista and 7): of a message the page with its marks can be gone just where one looks.
    if marks.iter().all(Result::is_err) {
        Sight::Hidden
    } else {
        Sight::Is
    }
}

/// That the expected thing is not at an address, and what is there.
pub fn not_there(kernel: &Kernel<'_>, expected: Expected, address: Gva) -> Unreadable {
    Unreadable::NotThere {
        expected,
        at: kernel.addr(address),
        found: found(kernel, address),
    }
}

fn found(kernel: &Kernel<'_>, address: Gva) -> Found {
    if !kernel.is_kernel_address(address) {
        return Found::Nowhere;
    }
    let mut bytes = [0; LOOKED_AT];
    if kernel.cursor().read_partial(address, &mut bytes).read < LOOKED_AT {
        return Found::Other;
    }
    let mut words = bytes.chunks_exact(4).map(|word| {
        word.iter()
            .rev()
            .fold(0_u32, |value, &byte| (value << 8) | u32::from(byte))
    });
    match words.next() {
        Some(first) if words.all(|word| word == first) => match first {
            0 => Found::Zeros,
            word => Found::Filler(word),
        },
        _ => Found::Other,
    }
}

/// A message is as long as its data and its header, or longer. One that was given up has no data left.
fn has_lengths(message: At<'_, '_>) -> Read<bool> {
    let header = message.embedded(Message::PortMessage)?;
    // The published Vista message has 68 and 90, hex: 28 between them, the header of x64; 18 in a message of
    // x86. Canceled ones have no data, and a total that is the header's length.
    let data = u64::from(header.u16(PortMessage::DataLength)?);
    let total = u64::from(header.u16(PortMessage::TotalLength)?);
    Ok(total >= data.saturating_add(message.kernel().size_of::<PortMessage>()?))
}

/// Whether a member is null or a pointer into the kernel's memory.
fn leads_on<M: Member>(at: At<'_, '_>, member: M) -> Read<bool> {
    let pointer = at.pointer(member)?;
    Ok(pointer.u64() == 0 || at.kernel().is_kernel_address(pointer))
}

/// Whether a member, or the first one of a list's head, is a pointer into the kernel's memory.
fn is_pointer<M: Member>(at: At<'_, '_>, member: M) -> Read<bool> {
    let kernel = at.kernel();
    let pointer = kernel.cursor().pointer(at.address_of(member)?)?;
    Ok(kernel.is_kernel_address(pointer))
}

/// Whether something has a list of who waits for it. Zeros have the type number of an event, and no such list.
fn has_waiters(object: At<'_, '_>) -> Read<bool> {
    let kernel = object.kernel();
    let first = kernel
        .cursor()
        .pointer(object.address_of(DispatcherHeader::WaitListHead)?)?;
    let may_be_zeros = type_number(object)?.is_event();
    Ok(kernel.is_kernel_address(first) || (first.u64() == 0 && !may_be_zeros))
}

fn is_of_type(at: At<'_, '_>, kinds: &[WaitObjectKind]) -> Read<bool> {
    Ok(kinds.contains(&type_number(at)?))
}

#[allow(clippy::cast_possible_truncation, reason = "the member has one byte")]
fn type_number(at: At<'_, '_>) -> Read<WaitObjectKind> {
    Ok(WaitObjectKind(at.uint(DispatcherHeader::Type)? as u8 & 0x7f))
}

/// Whether a thread is at an address: its dispatcher header says so. One whose header is not in the dump is
/// taken for a thread, so that the rest of it can be read.
#[must_use]
pub fn is_thread(kernel: &Kernel<'_>, address: Gva) -> bool {
    expect(kernel, Expected::Thread, address).is_ok()
}

/// The same, for telling a thread from other things: one whose header is not in the dump is not taken for one.
#[must_use]
pub fn is_certainly_thread(kernel: &Kernel<'_>, address: Gva) -> bool {
    matches!(look(kernel, Expected::Thread, address), Sight::Is)
}
