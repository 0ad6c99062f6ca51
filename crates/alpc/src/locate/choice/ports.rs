//! Ports, the communication infos that tie them together, and what ports own.

use std::collections::BTreeSet;

use kdump::Gva;

use super::{Check, Examined, is_linked, is_pointer, unless};
use crate::port::contract::{
    AlpcHandleEntry, AlpcHandleTable, PortAttributes, Region, Reserve, Section, SecurityData, View,
};
use crate::port::{self, PortKind};
use ntkernel::image::contract::{
    Blob, CommunicationInfo, DispatcherHeader, Message, Port, PortMessage, Queue,
};
use ntkernel::image::kernel::{At, Kernel, Read, offset};
use ntkernel::image::list;
use ntkernel::object::blob::{self, BlobKind};

/// Ports that are looked at.
const PORTS: usize = 2048;
/// Connections of one port that are looked at.
const CONNECTIONS: usize = 64;
/// Resources of one port that are looked at.
const RESOURCES: usize = 64;
/// Resource handles of one connection that are looked at, and the most that there can be.
const HANDLES: u64 = 64;
const MAX_HANDLES: u64 = 1 << 20;

/// Kinds of blobs that hold something: `_BLOB_ID`.
const BLOBS: std::ops::RangeInclusive<u8> = 1..=9;
/// `_DISPATCHER_HEADER.Type` of completion ports.
const QUEUE_OBJECTS: [u64; 2] = [4, 21];
/// The longest message: its length is a word.
const MAX_MESSAGE: u64 = 0xffff;

/// The ports that handles led to, and those that these lead to.
pub(super) fn ports(examined: &mut Examined<'_>) {
    gather(examined);
    let kernel = &examined.kernel;
    let mut infos = BTreeSet::new();
    for &address in &examined.ports {
        let port = kernel.at(address);
        for outcome in port_outcomes(port) {
            examined.tally.note(Check::Ports, outcome);
        }
        examined
            .tally
            .read(Check::Ports, owner(port, &examined.processes));
        if let Ok(info) = port.pointer(Port::CommunicationInfo)
            && kernel.is_kernel_address(info)
        {
            infos.insert(info);
        }
        for outcome in resources(port) {
            examined.tally.note(Check::Resources, outcome);
        }
    }
    for info in infos {
        for outcome in info_outcomes(kernel.at(info)) {
            examined.tally.note(Check::Connections, outcome);
        }
    }
}

/// Adds the kernel's list of ports, and the other ends of connections, to the ports that are known.
fn gather(examined: &mut Examined<'_>) {
    const ENDS: [CommunicationInfo; 3] = [
        CommunicationInfo::ConnectionPort,
        CommunicationInfo::ServerCommunicationPort,
        CommunicationInfo::ClientCommunicationPort,
    ];
    let kernel = &examined.kernel;
    let ports = &mut examined.ports;
    let head = kernel.global(ntkernel::image::contract::Global::AlpcpPortList);
    if let (Ok(head), Ok(link)) = (head, kernel.offset(Port::PortListEntry)) {
        ports.extend(list::walk_up_to(kernel, head, PORTS).containers(link).entries);
    }
    let mut waiting: Vec<Gva> = ports.iter().copied().collect();
    while let Some(address) = waiting.pop() {
        let Ok(info) = kernel.at(address).pointer(Port::CommunicationInfo) else {
            continue;
        };
        for end in ENDS {
            let Ok(found) = kernel.at(info).pointer(end) else {
                continue;
            };
            let is_port = || port::is_port(kernel.at(found)).unwrap_or(false);
            if ports.len() < PORTS && !ports.contains(&found) && is_port() {
                ports.insert(found);
                waiting.push(found);
            }
        }
    }
}

fn port_outcomes(port: At<'_, '_>) -> Vec<Option<bool>> {
    let kernel = port.kernel();
    let pointer = |member| is_pointer(kernel, port.pointer(member).ok()?).filter(|is| !is);
    vec![
        is_named(port).ok().flatten(),
        linked(port.address_of(Port::PortListEntry), kernel),
        attributes(port).ok().flatten(),
        completion_port(port).ok().flatten(),
        targets(port).ok().flatten(),
        pointer(Port::CompletionList),
        pointer(Port::CompletionPacketLookaside),
        is_blob(kernel, port.pointer(Port::CachedMessage), BlobKind::MESSAGE),
    ]
}

fn linked(at: Read<Gva>, kernel: &Kernel<'_>) -> Option<bool> {
    is_linked(kernel, at.ok()?).ok().flatten()
}

/// A port of some kind is named in the place of its kind by the communication info that it names.
fn is_named(port: At<'_, '_>) -> Read<Option<bool>> {
    let kernel = port.kernel();
    let info = port.pointer(Port::CommunicationInfo)?;
    // Published views of the debugger name the three kinds; which number is which is published reverse
    // engineering, and held against real ports.
    let kind = match port.uint(Port::Type)? {
        1 => PortKind::Connection,
        2 => PortKind::ClientCommunication,
        3 => PortKind::ServerCommunication,
        // Of no kind yet: it is being made, and has no info either.
        _ => return Ok(unless(info.u64() != 0)),
    };
    if !kernel.is_kernel_address(info) {
        return Ok(unless(info.u64() != 0));
    }
    let named = kernel.at(info).pointer(kind.place())?;
    let initialized = port.flag(Port::Initialized)?;
    // A port that goes away is taken out of its info.
    Ok(match named.u64() {
        0 => unless(!initialized),
        _ => Some(initialized && named == port.address()),
    })
}

/// The owner is one of the processes, or was.
fn owner(port: At<'_, '_>, processes: &[Gva]) -> Read<Option<bool>> {
    // The flag in bit 0 is off already: with it set, a port has an address of a process that may be gone.
    let (owner, closed) = port::owner_process(port)?;
    if processes.contains(&owner) {
        return Ok(Some(true));
    }
    let wrong = owner.u64() != 0 && !closed && !port.kernel().is_kernel_address(owner);
    Ok(unless(wrong))
}

fn attributes(port: At<'_, '_>) -> Read<Option<bool>> {
    /// Bits of the flags that have a meaning.
    const KNOWN: u64 = 0x0fff_ffff;
    let attributes = port.embedded(Port::PortAttributes)?;
    // ALPC_PORTFLG_* of phnt: 1000 LPC mode, 10000 impersonation, 20000 LPC requests, 40000 waitable, 80000
    // handles may be sent, 100000 of the system, 200000 to 800000 how threads are woken, 1000000 direct
    // messages, 2000000 several handles.
    let length = attributes.uint(PortAttributes::MaxMessageLength)?;
    let flags = attributes.uint(PortAttributes::Flags)?;
    let plausible = length <= MAX_MESSAGE && flags & !KNOWN == 0;
    Ok((length != 0 || flags != 0).then_some(plausible))
}

/// A completion port is a queue.
fn completion_port(port: At<'_, '_>) -> Read<Option<bool>> {
    let kernel = port.kernel();
    let queue = port.pointer(Port::CompletionPort)?;
    match is_pointer(kernel, queue) {
        Some(true) => {}
        other => return Ok(other),
    }
    let queue = kernel.at(queue);
    let kind = queue.uint(DispatcherHeader::Type)? & 0x7f;
    let head = linked(queue.address_of(Queue::ThreadListHead), kernel);
    Ok(Some(QUEUE_OBJECTS.contains(&kind) && head != Some(false)))
}

/// Where a communication port's messages go is a port.
fn targets(port: At<'_, '_>) -> Read<Option<bool>> {
    let kernel = port.kernel();
    let mut outcome = None;
    // A client's messages are queued at the connection port and numbered by the server's; a server's go to the
    // client's port in both respects (published reverse engineering). A server's own port never holds messages.
    for member in [Port::TargetQueuePort, Port::TargetSequencePort] {
        let target = port.pointer(member)?;
        match is_pointer(kernel, target) {
            None => {}
            Some(false) => return Ok(Some(false)),
            // A port that is gone proves nothing.
            Some(true) if port::is_port(kernel.at(target))? => outcome = Some(true),
            Some(true) => {}
        }
    }
    Ok(outcome)
}

/// Whether a pointer leads to a blob of that kind; nothing for a null pointer or unreadable memory.
pub(super) fn is_blob(kernel: &Kernel<'_>, pointer: Read<Gva>, wanted: BlobKind) -> Option<bool> {
    let pointer = pointer.ok()?;
    match is_pointer(kernel, pointer) {
        Some(true) => blob::kind(kernel, pointer).ok().map(|kind| kind == wanted),
        other => other,
    }
}

fn info_outcomes(info: At<'_, '_>) -> Vec<Option<bool>> {
    let kernel = info.kernel();
    let mut outcomes = vec![
        is_blob(kernel, Ok(info.address()), BlobKind::CONNECTION_INFO),
        linked(info.address_of(CommunicationInfo::CommunicationList), kernel),
        close_message(info).ok().flatten(),
        reference_count(info).ok().flatten(),
    ];
    outcomes.extend(handle_table(info).unwrap_or_default());
    outcomes.extend(connections(info).unwrap_or_default());
    outcomes
}

/// The message that tells that a port was closed is kept ready.
fn close_message(info: At<'_, '_>) -> Read<Option<bool>> {
    let message = info.pointer(CommunicationInfo::CloseMessage)?;
    Ok(is_blob(info.kernel(), Ok(message), BlobKind::MESSAGE))
}

/// References of a blob that is in use: more than none, and a number of them.
fn reference_count(body: At<'_, '_>) -> Read<Option<bool>> {
    const MOST: u64 = 1 << 31;
    let count = blob::header(body.kernel(), body.address())?.uint(Blob::ReferenceCount)?;
    Ok(Some(count != 0 && count < MOST))
}

/// A connection's table of resource handles: an array of so many blobs or nothing.
fn handle_table(info: At<'_, '_>) -> Read<Vec<Option<bool>>> {
    let kernel = info.kernel();
    let table = info.embedded(CommunicationInfo::HandleTable)?;
    let (handles, total) = (
        table.pointer(AlpcHandleTable::Handles)?,
        table.uint(AlpcHandleTable::TotalHandles)?,
    );
    if handles.u64() == 0 {
        return Ok(vec![unless(total != 0)]);
    }
    if !kernel.is_kernel_address(handles) {
        return Ok(vec![Some(false)]);
    }
    let first = is_some_blob(kernel, kernel.at(handles).pointer(AlpcHandleEntry::Object)?);
    if total == 0 || total > MAX_HANDLES {
        // There can be no such number, and a handle is there that it does not count.
        return Ok(vec![Some(false), unless(first == Some(true))]);
    }
    let mut outcomes = vec![Some(true)];
    let size = kernel.size_of::<AlpcHandleEntry>()?;
    for index in 0..total.min(HANDLES) {
        let entry = kernel.at(offset(handles, index.saturating_mul(size)));
        let Ok(body) = entry.pointer(AlpcHandleEntry::Object) else {
            break;
        };
        // A free entry can hold the number of the next.
        outcomes.push(is_some_blob(kernel, body).filter(|_| kernel.is_kernel_address(body)));
    }
    Ok(outcomes)
}

/// Whether a pointer leads to a blob of any kind that there is.
fn is_some_blob(kernel: &Kernel<'_>, body: Gva) -> Option<bool> {
    match is_pointer(kernel, body) {
        Some(true) => {
            let kind = blob::kind(kernel, body).ok();
            kind.map(|kind| BLOBS.contains(&kind.0))
        }
        other => other,
    }
}

/// The connections in a connection port's list name that port.
fn connections(info: At<'_, '_>) -> Read<Vec<Option<bool>>> {
    let kernel = info.kernel();
    let own = info.pointer(CommunicationInfo::ConnectionPort)?;
    if own.u64() == 0 || kernel.at(own).pointer(Port::CommunicationInfo)? != info.address() {
        return Ok(Vec::new());
    }
    let link = kernel.offset(CommunicationInfo::CommunicationList)?;
    let head = info.address_of(CommunicationInfo::CommunicationList)?;
    let list = list::walk_up_to(kernel, head, CONNECTIONS).containers(link);
    let named = |entry: &Gva| {
        Some(
            kernel
                .at(*entry)
                .pointer(CommunicationInfo::ConnectionPort)
                .ok()?
                == own,
        )
    };
    Ok(list.entries.iter().map(named).collect())
}

/// What a port owns says what it is, and that the port owns it.
fn resources(port: At<'_, '_>) -> Vec<Option<bool>> {
    let kernel = port.kernel();
    let head = port.address_of(Port::ResourceListHead);
    let mut outcomes = vec![linked(head.clone(), kernel)];
    let (Ok(head), Ok(link), Ok(size)) = (head, kernel.offset(Blob::ResourceList), kernel.size_of::<Blob>())
    else {
        return outcomes;
    };
    let listed = list::walk_up_to(kernel, head, RESOURCES).containers(link);
    for header in listed.entries {
        let body = kernel.at(offset(header, size));
        outcomes.extend(resource(body, port).unwrap_or_default());
    }
    outcomes
}

fn resource(body: At<'_, '_>, port: At<'_, '_>) -> Read<Vec<Option<bool>>> {
    let kernel = body.kernel();
    let kind = blob::kind(kernel, body.address())?;
    let owns = |owner: Read<Gva>| owner.ok().map(|owner| owner == port.address());
    let mut outcomes = vec![Some(BLOBS.contains(&kind.0))];
    match kind {
        BlobKind::SECTION => {
            outcomes.push(owns(body.pointer(Section::OwnerPort)));
            outcomes.push(linked(body.address_of(Section::RegionListHead), kernel));
            outcomes.extend(regions(body)?);
        }
        BlobKind::SECURITY_CONTEXT => outcomes.push(owns(body.pointer(SecurityData::OwnerPort))),
        BlobKind::RESERVE => {
            outcomes.push(owns(body.pointer(Reserve::OwnerPort)));
            outcomes.extend(reserve(body)?);
        }
        _ => {}
    }
    Ok(outcomes)
}

fn regions(section: At<'_, '_>) -> Read<Vec<Option<bool>>> {
    let kernel = section.kernel();
    let link = kernel.offset(Region::RegionListEntry)?;
    let head = section.address_of(Section::RegionListHead)?;
    let regions = list::walk_up_to(kernel, head, RESOURCES).containers(link);
    let counted = section.uint(Section::NumberOfRegions)?;
    let mut outcomes = vec![counts(&regions, counted)];
    for region in regions.entries.into_iter().map(|region| kernel.at(region)) {
        let named = region.pointer(Region::Section).ok();
        outcomes.push(named.map(|named| named == section.address()));
        outcomes.push(linked(region.address_of(Region::ViewListHead), kernel));
        outcomes.extend(views(region).unwrap_or_default());
    }
    Ok(outcomes)
}

fn views(region: At<'_, '_>) -> Read<Vec<Option<bool>>> {
    let kernel = region.kernel();
    let link = kernel.offset(View::ViewListEntry)?;
    let head = region.address_of(Region::ViewListHead)?;
    let views = list::walk_up_to(kernel, head, RESOURCES).containers(link);
    let counted = region.uint(Region::NumberOfViews)?;
    let mut outcomes = vec![counts(&views, counted)];
    for view in views.entries.into_iter().map(|view| kernel.at(view)) {
        let named = view.pointer(View::Region).ok();
        outcomes.push(named.map(|named| named == region.address()));
        outcomes.push(linked(view.address_of(View::ProcessViewListEntry), kernel));
    }
    Ok(outcomes)
}

/// Whether a list that was followed to its end has as many members as something counts.
pub(super) fn counts(list: &list::List, counted: u64) -> Option<bool> {
    list.gap
        .is_none()
        .then(|| u64::try_from(list.entries.len()).is_ok_and(|found| found == counted))
}

/// A reserve keeps a message that names the reserve; it is in use or not, and has room for a header at least.
fn reserve(reserve: At<'_, '_>) -> Read<Vec<Option<bool>>> {
    let kernel = reserve.kernel();
    let message = reserve.pointer(Reserve::Message);
    let size = reserve.uint(Reserve::Size).ok();
    let header = kernel.size_of::<PortMessage>()?;
    let named = message
        .clone()
        .and_then(|message| kernel.at(message).pointer(Message::Reserve))
        .ok();
    Ok(vec![
        is_blob(kernel, message, BlobKind::MESSAGE),
        // A message that went its way can belong to the reserve no more.
        named
            .filter(|named| named.u64() != 0)
            .map(|named| named == reserve.address()),
        Some(reserve.uint(Reserve::Active)? <= 1),
        size.map(|size| size >= header && size <= MAX_MESSAGE),
    ])
}
