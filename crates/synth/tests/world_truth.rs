//! The memory of every world tells its truth: each list, table and header is read back from a dump with nothing but
//! the layout and a plain reading of the file, and compared with what the world was told.

mod plain;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use plain::Plain;
use synth::address::Va;
use synth::dump::Kind;
use synth::layout::Kernel;
use synth::machine::Machine;
use synth::world::{Built, Message, PortKind, Queue, Resource, Truth, Wait};
use synth::worlds;

/// The plain reading knows four levels of page tables.
fn x64_kernels() -> impl Iterator<Item = &'static str> {
    let four_levels = |name: &&str| Kernel::named(name).machine() == Machine::X64;
    Kernel::names().into_iter().filter(four_levels)
}

/// A dump and the layout to read it with.
struct Dump {
    plain: Plain,
    kernel: Kernel,
    base: u64,
}

impl Dump {
    fn of(built: &Built) -> Dump {
        let plain = Plain::read(&built.dump(Kind::BitmapFull));
        Dump {
            plain,
            kernel: built.kernel.clone(),
            base: built.truth.kernel_base.0,
        }
    }

    fn global(&self, name: &str) -> u64 {
        self.base + u64::from(self.kernel.rva(name))
    }

    fn get(&self, at: Va, of: &str, path: &str) -> u64 {
        let field = self.kernel.field(of, path);
        let bytes = self.plain.bytes(at.0 + field.offset, field.bytes).unwrap();
        let value = bytes
            .iter()
            .rev()
            .fold(0, |value, &byte| value << 8 | u64::from(byte));
        field
            .bit
            .map_or(value, |(position, bits)| value >> position & ((1 << bits) - 1))
    }

    fn pointer(&self, at: Va, of: &str, path: &str) -> Va {
        Va(self.get(at, of, path))
    }

    /// The structures on a list, by the member that links them; every link is checked both ways.
    fn list(&self, head: u64, of: &str, member: &str) -> Vec<Va> {
        let offset = self.kernel.offset(of, member);
        let mut found = Vec::new();
        let (mut at, mut before) = (self.plain.u64(head), head);
        while at != head {
            assert_eq!(self.plain.u64(at + 8), before, "Blink of {at:#x}");
            found.push(Va(at - offset));
            assert!(found.len() < 10_000, "the list at {head:#x} does not end");
            (before, at) = (at, self.plain.u64(at));
        }
        assert_eq!(self.plain.u64(head + 8), before, "Blink of the head {head:#x}");
        found
    }

    fn list_of(&self, owner: Va, head: (&str, &str), entry: (&str, &str)) -> Vec<Va> {
        let head = owner.0 + self.kernel.offset(head.0, head.1);
        self.list(head, entry.0, entry.1)
    }

    fn string(&self, at: Va) -> Vec<u16> {
        let length = self.get(at, "_UNICODE_STRING", "Length");
        let buffer = self.get(at, "_UNICODE_STRING", "Buffer");
        (0..length / 2).map(|i| self.plain.u16(buffer + 2 * i)).collect()
    }

    /// Pointers by handle, from a table of any level: `Value & ~7`, or the sign-extended `ObjectPointerBits`.
    fn handles(&self, table: Va) -> BTreeMap<u64, Va> {
        let code = self.get(table, "_HANDLE_TABLE", "TableCode");
        let mut leaves = vec![code & !7];
        for _ in 0..code & 7 {
            let pointers = leaves
                .iter()
                .flat_map(|&page| (0..512).map(move |i| page + 8 * i));
            leaves = pointers
                .map(|at| self.plain.u64(at))
                .filter(|&page| page != 0)
                .collect();
        }
        let size = self.kernel.size("_HANDLE_TABLE_ENTRY");
        let mut found = BTreeMap::new();
        for (leaf, &page) in (0u64..).zip(&leaves) {
            for slot in 1..0x1000 / size {
                let pointer = self.entry(Va(page + slot * size));
                if !pointer.is_null() {
                    found.insert((leaf * 0x1000 / size + slot) * 4, pointer);
                }
            }
        }
        found
    }

    fn entry(&self, at: Va) -> Va {
        let of = "_HANDLE_TABLE_ENTRY";
        if !self.kernel.has(of, "ObjectPointerBits") {
            return Va(self.get(at, of, "Value") & !7);
        }
        let bits = self.kernel.field(of, "ObjectPointerBits").bit.unwrap().1;
        let value = self.get(at, of, "ObjectPointerBits") << (64 - bits);
        let shift = 64 - u32::from(bits) - 4;
        Va(u64::from_le_bytes(
            (i64::from_le_bytes(value.to_le_bytes()) >> shift).to_le_bytes(),
        ))
    }
}

/// Checks every x64 kernel's standard world; each is made once for all tests.
fn in_every_world(check: impl Fn(&Dump, &Truth)) {
    static WORLDS: OnceLock<Vec<(Dump, Truth)>> = OnceLock::new();
    let worlds = WORLDS.get_or_init(|| {
        let built = x64_kernels().map(worlds::standard);
        built
            .map(|built| (Dump::of(&built), built.truth.clone()))
            .collect()
    });
    for (dump, truth) in worlds {
        eprintln!("{}", truth.kernel);
        check(dump, truth);
    }
}

#[test]
fn ports_are_listed_with_their_queues() {
    in_every_world(|dump, truth| {
        let listed = dump.list(dump.global("AlpcpPortList"), "_ALPC_PORT", "PortListEntry");
        let told: Vec<Va> = truth.ports.iter().map(|port| port.address).collect();
        assert_eq!(listed, told);
        for port in &truth.ports {
            for queue in Queue::ALL {
                let head = queue.member();
                if !dump.kernel.has("_ALPC_PORT", head) {
                    continue;
                }
                let entry = if queue == Queue::Canceled {
                    "CancelListEntry"
                } else {
                    "Entry"
                };
                let found = dump.list_of(port.address, ("_ALPC_PORT", head), ("_KALPC_MESSAGE", entry));
                assert_eq!(found, port.queue(queue), "{head} of {}", port.address);
                let length = dump.get(port.address, "_ALPC_PORT", &format!("{head}Length"));
                assert_eq!(usize::try_from(length).unwrap(), found.len());
            }
            let entry = ("_ETHREAD", "AlpcWaitListEntry");
            assert_eq!(
                dump.list_of(port.address, ("_ALPC_PORT", "WaitQueue"), entry),
                port.wait_queue
            );
            let blobs = dump.list_of(
                port.address,
                ("_ALPC_PORT", "ResourceListHead"),
                ("_BLOB", "ResourceList"),
            );
            let bodies: Vec<Va> = blobs
                .iter()
                .map(|&blob| blob + dump.kernel.size("_BLOB"))
                .collect();
            assert_eq!(bodies, port.resources);
        }
    });
}

#[test]
fn connections_name_both_ends() {
    in_every_world(|dump, truth| {
        let info = "_ALPC_COMMUNICATION_INFO";
        for port in truth
            .ports
            .iter()
            .filter(|port| port.kind == PortKind::Connection)
        {
            let own = dump.pointer(port.address, "_ALPC_PORT", "CommunicationInfo");
            let found = dump.list_of(own, (info, "CommunicationList"), (info, "CommunicationList"));
            assert_eq!(found, truth.communication_info(own).connections);
            for connection in found {
                assert_eq!(dump.pointer(connection, info, "ConnectionPort"), port.address);
                let ends = truth.communication_info(connection);
                for (member, kind, end) in [
                    ("ClientCommunicationPort", 2, ends.client_port),
                    ("ServerCommunicationPort", 3, ends.server_port),
                ] {
                    assert_eq!(dump.pointer(connection, info, member), end);
                    if !end.is_null() {
                        assert_eq!(dump.get(end, "_ALPC_PORT", "u1.State") >> 1 & 3, kind);
                        assert_eq!(dump.pointer(end, "_ALPC_PORT", "CommunicationInfo"), connection);
                    }
                }
            }
        }
    });
}

#[test]
fn messages_say_what_they_were_told() {
    in_every_world(|dump, truth| {
        for message in &truth.messages {
            check_message(dump, message);
        }
    });
}

fn check_message(dump: &Dump, message: &Message) {
    let of = "_KALPC_MESSAGE";
    for (path, value) in [
        ("PortMessage.MessageId", u64::from(message.id)),
        ("PortMessage.CallbackId", u64::from(message.callback_id)),
        ("PortMessage.u2.s2.Type", u64::from(message.type_word)),
        ("PortMessage.u1.s1.DataLength", u64::from(message.data_length)),
        ("PortMessage.u1.s1.TotalLength", u64::from(message.total_length)),
        ("PortMessage.ClientId.UniqueProcess", message.client_id.0),
        ("PortMessage.ClientId.UniqueThread", message.client_id.1),
        ("SequenceNo", u64::from(message.sequence_no)),
        ("u1.s1.QueueType", u64::from(message.queue_type)),
        ("u1.s1.QueuePortType", u64::from(message.queue_port_type)),
        ("OwnerPort", message.owner_port.0),
        ("PortQueue", message.port_queue.0),
        ("WaitingThread", message.waiting_thread.0),
        ("ServerThread", message.server_thread.0),
        ("CancelQueuePort", message.cancel_queue_port.0),
        ("Reserve", message.reserve.0),
        ("MessageAttributes.SecurityData", message.security_data.0),
        ("MessageAttributes.View", message.view.0),
        ("MessageAttributes.HandleData", message.handle_data.0),
        ("ExtensionBuffer", message.extension_buffer.0),
    ] {
        assert_eq!(
            dump.get(message.address, of, path),
            value,
            "{path} of {}",
            message.address
        );
    }
    for flag in [
        "Canceled",
        "Ready",
        "ReleaseMessage",
        "SharedQuota",
        "ReplyWaitReply",
        "OwnerPortReference",
    ] {
        let set = dump.get(message.address, of, &format!("u1.s1.{flag}")) == 1;
        assert_eq!(set, message.flags.contains(flag), "{flag} of {}", message.address);
    }
    assert_eq!(
        message.total_length - message.data_length,
        0x28,
        "sizeof(PORT_MESSAGE)"
    );
}

#[test]
fn every_id_leads_to_its_message() {
    in_every_world(|dump, truth| {
        let mut found: BTreeMap<u64, Va> = dump.handles(Va(dump.plain.u64(dump.global("AlpcMessageTable"))));
        if let Some(rva) = dump.kernel.try_rva("AlpcpSecondaryMessageTables") {
            let tables = dump.plain.u64(dump.base + u64::from(rva));
            let second = Va(dump.plain.u64(tables + 8));
            found.extend(
                dump.handles(second)
                    .into_iter()
                    .map(|(handle, at)| (1 << 26 | handle, at)),
            );
        }
        let told = truth.messages.iter().filter(|message| !message.not_in_table);
        let told: BTreeMap<u64, Va> = told
            .map(|message| (u64::from(message.id), message.address))
            .collect();
        assert_eq!(found, told);
    });
}

#[test]
fn processes_have_their_threads_and_handles() {
    in_every_world(|dump, truth| {
        let listed = dump.list(
            dump.global("PsActiveProcessHead"),
            "_EPROCESS",
            "ActiveProcessLinks",
        );
        assert_eq!(
            listed,
            truth
                .processes
                .iter()
                .map(|process| process.address)
                .collect::<Vec<_>>()
        );
        for process in &truth.processes {
            let told: Vec<Va> = truth
                .threads
                .iter()
                .filter(|thread| thread.process == process.address)
                .map(|t| t.address)
                .collect();
            let entry = ("_ETHREAD", "ThreadListEntry");
            assert_eq!(
                dump.list_of(process.address, ("_EPROCESS", "ThreadListHead"), entry),
                told
            );
            let wow64 = ["WoW64Process", "Wow64Process"]
                .into_iter()
                .find(|member| dump.kernel.has("_EPROCESS", member));
            let wow64 = dump.pointer(process.address, "_EPROCESS", wow64.unwrap());
            assert_eq!(!wow64.is_null(), process.wow64, "{}", process.image);
            let table = dump.pointer(process.address, "_EPROCESS", "ObjectTable");
            let body = dump.kernel.offset("_OBJECT_HEADER", "Body");
            let found: Vec<(u64, Va)> = dump
                .handles(table)
                .into_iter()
                .map(|(handle, header)| (handle, header + body))
                .collect();
            let told: Vec<(u64, Va)> = process
                .handles
                .iter()
                .map(|handle| (handle.value, handle.object))
                .collect();
            assert_eq!(found, told, "handles of {}", process.image);
        }
    });
}

/// Handle tables of one, two and three levels are among them.
#[test]
fn handle_tables_of_every_depth_are_made() {
    in_every_world(|dump, truth| {
        let levels: BTreeSet<u64> = truth
            .processes
            .iter()
            .map(|process| dump.get(process.object_table, "_HANDLE_TABLE", "TableCode") & 7)
            .collect();
        assert_eq!(levels, [0, 1, 2].into());
    });
}

#[test]
fn client_ids_lead_to_processes_and_threads() {
    in_every_world(|dump, truth| {
        let found = dump.handles(Va(dump.plain.u64(dump.global("PspCidTable"))));
        let processes = truth
            .processes
            .iter()
            .map(|process| (process.pid, process.address));
        let threads = truth.threads.iter().map(|thread| (thread.tid, thread.address));
        assert_eq!(found, processes.chain(threads).collect());
    });
}

#[test]
fn objects_have_types_and_names() {
    in_every_world(|dump, truth| {
        for (&body, object) in &truth.objects {
            let header = object.header;
            assert_eq!(
                dump.get(header, "_OBJECT_HEADER", "HandleCount"),
                object.handle_count
            );
            let of = type_of(dump, header);
            let name =
                String::from_utf16(&dump.string(of + dump.kernel.offset("_OBJECT_TYPE", "Name"))).unwrap();
            assert_eq!(name, object.type_name, "type of {body}");
            let info = name_info(dump, header);
            assert_eq!(info.is_some(), object.name.is_some(), "{body}");
            if let (Some(info), Some((directory, name))) = (info, &object.name) {
                let string = info + dump.kernel.offset("_OBJECT_HEADER_NAME_INFO", "Name");
                assert_eq!(dump.string(string), name.units());
                assert_eq!(
                    dump.pointer(info, "_OBJECT_HEADER_NAME_INFO", "Directory"),
                    *directory
                );
            }
        }
    });
}

fn type_of(dump: &Dump, header: Va) -> Va {
    if dump.kernel.has("_OBJECT_HEADER", "Type") {
        return dump.pointer(header, "_OBJECT_HEADER", "Type");
    }
    let cookie = dump
        .kernel
        .try_rva("ObHeaderCookie")
        .map_or(0, |rva| dump.plain.u8(dump.base + u64::from(rva)));
    let salt = if cookie == 0 { 0 } else { header.0 >> 8 & 0xff };
    let index = dump.get(header, "_OBJECT_HEADER", "TypeIndex") ^ u64::from(cookie) ^ salt;
    Va(dump.plain.u64(dump.global("ObTypeIndexTable") + 8 * index))
}

/// The name part: the creator part of 0x20 bytes may stand between it and the header.
fn name_info(dump: &Dump, header: Va) -> Option<Va> {
    if dump.kernel.has("_OBJECT_HEADER", "NameInfoOffset") {
        let offset = dump.get(header, "_OBJECT_HEADER", "NameInfoOffset");
        return (offset != 0).then(|| header - offset);
    }
    let mask = dump.get(header, "_OBJECT_HEADER", "InfoMask");
    let offset = 0x20 + 0x20 * (mask & 1);
    let table = u64::from(dump.plain.u8(dump.global("ObpInfoMaskToOffset") + (mask & 3)));
    (mask & 2 != 0).then(|| {
        assert_eq!(table, offset, "ObpInfoMaskToOffset");
        header - offset
    })
}

#[test]
fn directories_hold_every_named_object() {
    in_every_world(|dump, truth| {
        let root = Va(dump.plain.u64(dump.global("ObpRootDirectoryObject")));
        let mut found = BTreeSet::new();
        let mut open = vec![root];
        while let Some(directory) = open.pop() {
            for object in entries(dump, directory) {
                assert!(found.insert(object), "{object} twice");
                if truth.objects[&object].type_name == "Directory" {
                    open.push(object);
                }
            }
        }
        let named = truth
            .objects
            .iter()
            .filter(|(_, object)| object.name.is_some())
            .map(|(&body, _)| body);
        assert_eq!(found, named.filter(|&body| body != root).collect());
    });
}

fn entries(dump: &Dump, directory: Va) -> Vec<Va> {
    let mut found = Vec::new();
    for bucket in 0..37 {
        let mut entry = Va(dump.plain.u64(directory.0 + 8 * bucket));
        while !entry.is_null() {
            found.push(dump.pointer(entry, "_OBJECT_DIRECTORY_ENTRY", "Object"));
            entry = dump.pointer(entry, "_OBJECT_DIRECTORY_ENTRY", "ChainLink");
        }
    }
    found
}

#[test]
fn waiting_threads_are_in_the_lists_of_what_they_wait_for() {
    in_every_world(|dump, truth| {
        for thread in &truth.threads {
            let at = thread.address;
            let object = match thread.wait {
                Wait::None => continue,
                Wait::AlpcSemaphore => at + dump.kernel.offset("_ETHREAD", "AlpcWaitSemaphore"),
                Wait::Suspension => {
                    let old = dump.kernel.has("_KTHREAD", "SuspendSemaphore");
                    at + dump
                        .kernel
                        .offset("_KTHREAD", if old { "SuspendSemaphore" } else { "SuspendEvent" })
                }
                Wait::Object(object) => object,
            };
            assert_eq!(dump.get(at, "_KTHREAD", "State"), 5, "waits");
            let head = object.0 + dump.kernel.offset("_DISPATCHER_HEADER", "WaitListHead");
            let blocks = dump.list(head, "_KWAIT_BLOCK", "WaitListEntry");
            let block = dump.pointer(at, "_KTHREAD", "WaitBlockList");
            assert!(blocks.contains(&block), "{at} waits for {object}");
            assert_eq!(dump.pointer(block, "_KWAIT_BLOCK", "Thread"), at);
            assert_eq!(dump.pointer(block, "_KWAIT_BLOCK", "Object"), object);
        }
        for queue in &truth.queues {
            let head = ("_KQUEUE", "ThreadListHead");
            let threads = dump.list_of(queue.address, head, ("_KTHREAD", "QueueListEntry"));
            assert_eq!(threads, queue.threads);
        }
    });
}

/// A thread really waits for a reply if and only if the message it names says so; stale ids fail this.
#[test]
fn waits_for_replies_agree_on_both_sides() {
    in_every_world(|dump, truth| {
        let mut stale = 0;
        for thread in &truth.threads {
            let id = dump.get(thread.address, "_ETHREAD", "AlpcMessageId");
            let agrees = truth.messages.iter().any(|message| {
                message.address.0 == id
                    && dump.pointer(message.address, "_KALPC_MESSAGE", "WaitingThread") == thread.address
            });
            assert_eq!(agrees.then_some(Va(id)), thread.alpc_wait, "{}", thread.address);
            stale += usize::from(id != 0 && !agrees);
        }
        assert!(stale >= 3, "{stale} stale ids");
    });
}

#[test]
fn blobs_have_registered_types() {
    in_every_world(|dump, truth| {
        for (&body, blob) in &truth.blobs {
            let header = body - dump.kernel.size("_BLOB");
            let id = dump.get(header, "_BLOB", "ResourceId");
            assert_eq!(id, blob.id.number());
            let of = Va(dump.plain.u64(dump.global("AlpcpRegisteredTypes") + 8 * id));
            assert_eq!(dump.get(of, "_BLOB_TYPE", "ResourceId"), id);
            assert!(dump.get(of, "_BLOB_TYPE", "Flags") < 0x10);
        }
    });
}

#[test]
fn sections_have_regions_with_views_in_two_processes() {
    in_every_world(|dump, truth| {
        let mut owners = BTreeSet::new();
        for resource in &truth.resources {
            match resource {
                Resource::Section { address, regions, .. } => {
                    let entry = ("_KALPC_REGION", "RegionListEntry");
                    assert_eq!(
                        dump.list_of(*address, ("_KALPC_SECTION", "RegionListHead"), entry),
                        *regions
                    );
                    assert_eq!(regions.len(), 2);
                }
                Resource::Region { address, views, .. } => {
                    let entry = ("_KALPC_VIEW", "ViewListEntry");
                    assert_eq!(
                        dump.list_of(*address, ("_KALPC_REGION", "ViewListHead"), entry),
                        *views
                    );
                }
                Resource::View {
                    address,
                    owner_process,
                    ..
                } => {
                    assert_eq!(
                        dump.pointer(*address, "_KALPC_VIEW", "OwnerProcess"),
                        *owner_process
                    );
                    owners.insert(*owner_process);
                    let head = ("_EPROCESS", "AlpcContext.ViewListHead");
                    let views = dump.list_of(*owner_process, head, ("_KALPC_VIEW", "ProcessViewListEntry"));
                    assert!(views.contains(address));
                }
                Resource::Reserve { address, message, .. } => {
                    assert_eq!(dump.pointer(*message, "_KALPC_MESSAGE", "Reserve"), *address);
                }
                Resource::Security { .. } | Resource::HandleData { .. } => {}
            }
        }
        assert_eq!(owners.len(), 2);
    });
}

/// Handles of a connection's resources count from 0x10.
#[test]
fn resources_are_in_their_connections_handle_tables() {
    in_every_world(|dump, truth| {
        for info in truth
            .communication_infos
            .iter()
            .filter(|info| !info.handles.is_empty())
        {
            let table = info.address + dump.kernel.offset("_ALPC_COMMUNICATION_INFO", "HandleTable");
            let entries = dump.pointer(table, "_ALPC_HANDLE_TABLE", "Handles");
            let total = dump.get(table, "_ALPC_HANDLE_TABLE", "TotalHandles");
            let found: Vec<Va> = (0..total)
                .map(|i| Va(dump.plain.u64(entries.0 + 8 * i)))
                .collect();
            let (used, free) = found.split_at(info.handles.len());
            assert_eq!(used, info.handles);
            assert!(free.iter().all(|entry| entry.is_null()));
        }
        for resource in &truth.resources {
            if let Resource::Section {
                address,
                communication_info,
                handle,
                ..
            } = resource
            {
                let index = usize::try_from(handle - 0x10).unwrap();
                assert_eq!(
                    truth.communication_info(*communication_info).handles[index],
                    *address
                );
            }
        }
    });
}

/// What the general world has to have, whatever its generation.
#[test]
fn nothing_is_missing_from_a_world() {
    in_every_world(|dump, truth| {
        for queue in Queue::ALL
            .into_iter()
            .filter(|queue| dump.kernel.has("_ALPC_PORT", queue.member()))
        {
            assert!(
                truth.ports.iter().any(|port| !port.queue(queue).is_empty()),
                "{queue:?}"
            );
        }
        let kinds: BTreeSet<u16> = truth
            .messages
            .iter()
            .map(|message| message.type_word & 0xff)
            .collect();
        assert!(kinds.is_superset(&[1, 2, 3, 10, 12].into()), "{kinds:?}");
        for flag in [
            "ConnectionPending",
            "ConnectionRefused",
            "Closed",
            "Disconnected",
            "Lpc",
            "Waitable",
        ] {
            assert!(truth.ports.iter().any(|port| port.flags.contains(flag)), "{flag}");
        }
        assert!(truth.ports.iter().any(|port| port.owner_closed));
        assert!(truth.ports.iter().any(|port| port.kind == PortKind::None));
        assert!(
            truth
                .threads
                .iter()
                .any(|thread| thread.suspend_count > 0 && thread.alpc_wait.is_some())
        );
        let both = |message: &&Message| {
            let of = |queue| {
                truth
                    .ports
                    .iter()
                    .any(|port| port.queue(queue).contains(&message.address))
            };
            of(Queue::Canceled) && of(Queue::Pending)
        };
        assert!(
            truth.messages.iter().any(|message| both(&message)),
            "canceled and pending"
        );
        let deep = truth.ports.iter().filter_map(|port| truth.path(port.address));
        assert!(
            deep.into_iter()
                .any(|path| path.starts_with("\\Sessions\\1\\AppContainer NamedObjects\\"))
        );
    });
}

/// A world with holes: they are where it says, the rest reads as in the whole one.
#[test]
fn holes_are_where_they_were_made() {
    for kernel in ["vista-sp2-x64", "win10-2004-x64"] {
        let built = worlds::with_holes(kernel);
        let dump = Dump::of(&built);
        let mut holes = 0;
        for (address, page) in built.memory.pages() {
            let read = dump.plain.bytes(address.0, 0x1000);
            assert_eq!(read.is_some(), built.is_readable(address, 0x1000), "{address}");
            match read {
                Some(read) => assert!(read == page),
                None => holes += 1,
            }
        }
        assert_eq!(holes, 6);
    }
}

#[test]
fn a_dump_without_a_page_lacks_that_page() {
    let built = worlds::standard("win81-x64");
    let lost = built.truth.messages[2].address.page();
    let plain = Plain::read(&built.dump_without(Kind::BitmapKernel, &[lost]));
    for (address, page) in built.memory.pages() {
        assert_eq!(
            plain.bytes(address.0, 0x1000).as_deref(),
            (address != lost).then_some(page.as_slice())
        );
    }
}

/// The same world gives the same bytes, for every kind.
#[test]
fn worlds_are_deterministic() {
    for kind in [Kind::Full, Kind::Summary, Kind::BitmapFull, Kind::BitmapKernel] {
        let dump = || worlds::standard("win10-1803-x64").dump(kind);
        assert!(dump() == dump(), "{kind:?}");
    }
}
