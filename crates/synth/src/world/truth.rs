//! What a world was told: the specification that a reader's answers are compared with.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{BlobId, Name};
use crate::address::{Pfn, Va};
use crate::layout::Kernel;

/// Everything a world was told, by address.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Truth {
    /// Name of the kernel in the layout extract.
    pub kernel: String,
    /// Its build number.
    pub build: u32,
    /// Address of the kernel image.
    pub kernel_base: Va,
    /// Name of the PDB in the image's RSDS record.
    pub pdb_name: &'static str,
    /// GUID of the PDB, in the order of bytes of the record.
    pub guid: [u8; 16],
    /// Age of the PDB.
    pub age: u32,
    /// Loaded modules in load order.
    pub modules: Vec<Module>,
    /// Object types in order of their index.
    pub object_types: Vec<ObjectType>,
    /// Object headers by body.
    pub objects: BTreeMap<Va, Object>,
    /// Object directories.
    pub directories: BTreeMap<Va, Directory>,
    /// Processes in order of creation.
    pub processes: Vec<Process>,
    /// Threads in order of creation.
    pub threads: Vec<Thread>,
    /// Ports in order of creation.
    pub ports: Vec<Port>,
    /// Communication infos of connection ports and of connections.
    pub communication_infos: Vec<CommunicationInfo>,
    /// Messages in order of creation.
    pub messages: Vec<Message>,
    /// Reserves, sections, regions, views, security and handle data.
    pub resources: Vec<Resource>,
    /// Blob headers by body.
    pub blobs: BTreeMap<Va, Blob>,
    /// Completion ports (`_KQUEUE`).
    pub queues: Vec<CompletionPort>,
    /// Completion lists.
    pub completion_lists: Vec<CompletionList>,
    /// Counts and settings of ALPC as a whole.
    pub global: Global,
    /// `ObHeaderCookie`, where type indices are obfuscated.
    pub cookie: Option<u8>,
    /// Tick count (`SharedUserData.TickCount`), in units of `KeMaximumIncrement`.
    pub tick_count: u64,
    /// Nominal length of a tick in 100 ns.
    pub time_increment: u32,
}

impl Truth {
    pub(super) fn of(kernel: &Kernel, kernel_base: Va) -> Self {
        Truth {
            kernel: kernel.name().to_owned(),
            build: kernel.build(),
            kernel_base,
            pdb_name: kernel.pdb_name(),
            guid: kernel.guid(),
            age: kernel.age(),
            cookie: kernel.try_rva("ObHeaderCookie").map(|_| 0x5c),
            tick_count: 0x0012_d687,
            time_increment: 156_250,
            global: Global {
                region_granularity: 0x1_0000,
                view_granularity: 0x1_0000,
                ..Global::default()
            },
            ..Truth::default()
        }
    }

    /// The process at `address`.
    ///
    /// # Panics
    /// As all look-ups here: where there is none.
    #[must_use]
    pub fn process(&self, address: Va) -> &Process {
        find(&self.processes, address, |p| p.address)
    }

    /// The thread at `address`.
    ///
    /// # Panics
    /// Where there is none.
    #[must_use]
    pub fn thread(&self, address: Va) -> &Thread {
        find(&self.threads, address, |t| t.address)
    }

    /// The port at `address`.
    ///
    /// # Panics
    /// Where there is none.
    #[must_use]
    pub fn port(&self, address: Va) -> &Port {
        find(&self.ports, address, |p| p.address)
    }

    /// The message at `address`.
    ///
    /// # Panics
    /// Where there is none.
    #[must_use]
    pub fn message(&self, address: Va) -> &Message {
        find(&self.messages, address, |m| m.address)
    }

    /// The communication info at `address`.
    ///
    /// # Panics
    /// Where there is none.
    #[must_use]
    pub fn communication_info(&self, address: Va) -> &CommunicationInfo {
        find(&self.communication_infos, address, |c| c.address)
    }

    /// The full path of a named object, `\` included; `None` for one without a name.
    #[must_use]
    pub fn path(&self, object: Va) -> Option<String> {
        let (directory, name) = self.objects.get(&object)?.name.as_ref()?;
        match self.path(*directory) {
            None => Some(name.to_string()),
            Some(parent) if parent == "\\" => Some(format!("\\{name}")),
            Some(parent) => Some(format!("{parent}\\{name}")),
        }
    }
}

fn find<T>(all: &[T], address: Va, key: impl Fn(&T) -> Va) -> &T {
    all.iter()
        .find(|one| key(one) == address)
        .unwrap_or_else(|| panic!("nothing of the kind at {address}"))
}

/// A loaded module.
#[derive(Clone, Debug, Serialize)]
pub struct Module {
    /// Address of the image.
    pub base: Va,
    /// Size of the image in bytes.
    pub size: u32,
    /// Base name.
    pub name: String,
    /// Full path.
    pub path: String,
}

/// An object type.
#[derive(Clone, Debug, Serialize)]
pub struct ObjectType {
    /// Address of the `_OBJECT_TYPE`.
    pub address: Va,
    /// `ALPC Port` and the like.
    pub name: &'static str,
    /// Index in `ObTypeIndexTable`; before Windows 7 the plain number of the type.
    pub index: u8,
}

/// The header of an object.
#[derive(Clone, Debug, Serialize)]
pub struct Object {
    /// Address of the `_OBJECT_HEADER`.
    pub header: Va,
    /// Name of the type.
    pub type_name: &'static str,
    /// Directory (NULL for the root) and name.
    pub name: Option<(Va, Name)>,
    /// `PointerCount`.
    pub pointer_count: u64,
    /// `HandleCount`.
    pub handle_count: u64,
}

/// An object directory.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Directory {
    /// Its objects, as (body, bucket).
    pub entries: Vec<(Va, u64)>,
}

/// An entry of a process's handle table.
#[derive(Clone, Debug, Serialize)]
pub struct Handle {
    /// The handle.
    pub value: u64,
    /// The object's body.
    pub object: Va,
    /// Granted access.
    pub access: u32,
    /// 1 protected from close, 2 inherited, 4 audited.
    pub attributes: u8,
}

/// A process.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Process {
    /// Address of the `_EPROCESS`; NULL asks for one.
    pub address: Va,
    /// Process id.
    pub pid: u64,
    /// Process id of the creator.
    pub parent_pid: u64,
    /// `ImageFileName`: at most 15 bytes.
    pub image: &'static str,
    /// Full path of the image in `SeAuditProcessCreationInfo`; empty for none.
    pub path: &'static str,
    /// Creation, in 100 ns since 1601.
    pub create_time: u64,
    /// Exit, in 100 ns since 1601; 0 while it runs.
    pub exit_time: u64,
    /// Address of the PEB; a process of the kernel has none.
    pub peb: Va,
    /// Whether it is a 32-bit process of a 64-bit system.
    pub wow64: bool,
    /// Frame of the top page table.
    pub directory_table: Pfn,
    /// Address of the `_HANDLE_TABLE`.
    pub object_table: Va,
    /// Its handles.
    pub handles: Vec<Handle>,
    /// Levels of its handle table beyond the first, at least.
    pub handle_table_level: u64,
}

/// What a thread waits for, as its wait block tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub enum Wait {
    /// Nothing: it does not wait.
    #[default]
    None,
    /// Its own `AlpcWaitSemaphore`.
    AlpcSemaphore,
    /// Its own `SuspendSemaphore`, or `SuspendEvent` since Windows 8: it is suspended.
    Suspension,
    /// A dispatcher object.
    Object(Va),
}

/// What a thread notes of a lock.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct NotedLock {
    /// The lock.
    pub lock: Va,
    /// It waits for it; else it holds it.
    pub waiting: bool,
    /// The entry is free, and what it says is of the past.
    pub free: bool,
}

/// A thread.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Thread {
    /// Address of the `_ETHREAD`; NULL asks for one.
    pub address: Va,
    /// Address of its process.
    pub process: Va,
    /// Thread id.
    pub tid: u64,
    /// Process id in its Cid.
    pub pid: u64,
    /// Address of the TEB.
    pub teb: Va,
    /// `Win32Thread`.
    pub win32_thread: Va,
    /// `_KTHREAD_STATE`: 2 running, 5 waiting.
    pub state: u8,
    /// `_KWAIT_REASON`.
    pub wait_reason: u8,
    /// 0 kernel, 1 user.
    pub wait_mode: u8,
    /// Whether the wait is alertable.
    pub alertable: bool,
    /// `SuspendCount`.
    pub suspend_count: u8,
    /// `Priority`; 0 asks for that of an ordinary thread.
    pub priority: u8,
    /// Tick count when the wait began.
    pub wait_time: u32,
    /// What it waits for.
    pub wait: Wait,
    /// Locks that it notes in its lock entries.
    pub noted_locks: Vec<NotedLock>,
    /// `AlpcMessageId`, stale or not.
    pub alpc_message_id: u64,
    /// The message whose reply it really waits for.
    pub alpc_wait: Option<Va>,
    /// `AlpcMessage` or, in the same place, `AlpcReceiveAttributeSet`.
    pub alpc_message: u64,
    /// The port in whose wait queue it is.
    pub wait_port: Option<Va>,
    /// The completion port it is registered with.
    pub queue: Option<Va>,
    /// `StartAddress`.
    pub start_address: Va,
    /// `Win32StartAddress`.
    pub win32_start_address: Va,
    /// `ThreadName` (Windows 10); empty for none.
    pub name: &'static str,
    /// Top of its kernel stack.
    pub stack_base: Va,
    /// `KernelStack`, where its switch frame is; NULL for anywhere on the stack.
    #[serde(skip)]
    pub kernel_stack: Va,
    /// `TrapFrame`.
    #[serde(skip)]
    pub trap_frame: Va,
    /// `ClientSecurity` of one that acts for a client; 0 for none.
    #[serde(skip)]
    pub client_security: u64,
    /// Whether its kernel stack was paged out.
    #[serde(skip)]
    pub paged_out: bool,
}

/// What a port is to its connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub enum PortKind {
    /// 0: not yet initialised.
    #[default]
    None,
    /// 1.
    Connection,
    /// 2.
    Client,
    /// 3.
    Server,
}

impl PortKind {
    /// The value of `u1.s1.Type`.
    #[must_use]
    pub fn number(self) -> u64 {
        match self {
            PortKind::None => 0,
            PortKind::Connection => 1,
            PortKind::Client => 2,
            PortKind::Server => 3,
        }
    }
}

/// `_ALPC_PORT_ATTRIBUTES`.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct PortAttributes {
    /// Flags of the port.
    pub flags: u32,
    /// Longest message.
    pub max_message_length: u64,
    /// Memory bandwidth.
    pub memory_bandwidth: u64,
    /// Most pool.
    pub max_pool_usage: u64,
    /// Largest section.
    pub max_section_size: u64,
    /// Largest view.
    pub max_view_size: u64,
    /// Largest sum of sections.
    pub max_total_section_size: u64,
    /// Types of objects that may be passed.
    pub dup_object_types: u32,
}

impl Default for PortAttributes {
    fn default() -> Self {
        PortAttributes {
            flags: 0x0009_0000,
            max_message_length: 0x1000,
            memory_bandwidth: 0,
            max_pool_usage: 0xf_0000,
            max_section_size: 0x10_0000,
            max_view_size: 0x8_0000,
            max_total_section_size: 0x40_0000,
            dup_object_types: 0,
        }
    }
}

/// The queues of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Queue {
    /// Not yet received.
    Main,
    /// Not yet received, too long for the receiver.
    Large,
    /// Received, the reply outstanding.
    Pending,
    /// Direct messages (Windows 10).
    Direct,
    /// Cancel notices.
    Canceled,
}

impl Queue {
    /// Every queue.
    pub const ALL: [Queue; 5] = [
        Queue::Main,
        Queue::Large,
        Queue::Pending,
        Queue::Direct,
        Queue::Canceled,
    ];

    /// The list head in `_ALPC_PORT`; its length has the same name with `Length` behind it.
    #[must_use]
    pub fn member(self) -> &'static str {
        match self {
            Queue::Main => "MainQueue",
            Queue::Large => "LargeMessageQueue",
            Queue::Pending => "PendingQueue",
            Queue::Direct => "DirectQueue",
            Queue::Canceled => "CanceledQueue",
        }
    }

    /// The value of `u1.s1.QueueType`. A canceled message keeps that of the other queue it is in.
    #[must_use]
    pub fn number(self) -> u32 {
        match self {
            Queue::Canceled => 0,
            Queue::Main => 1,
            Queue::Large => 2,
            Queue::Pending => 3,
            Queue::Direct => 4,
        }
    }
}

/// A port.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Port {
    /// Address of the `_ALPC_PORT`; NULL asks for one.
    pub address: Va,
    /// Its kind.
    pub kind: PortKind,
    /// Its owner, without the flag bit.
    pub owner: Va,
    /// Bit 0 of `OwnerProcess`: the owner closed the port.
    pub owner_closed: bool,
    /// Its communication info.
    pub communication_info: Va,
    /// `SequenceNo`.
    pub sequence_no: u32,
    /// The completion port, or NULL.
    pub completion_port: Va,
    /// `CompletionKey`.
    pub completion_key: Va,
    /// `CompletionList`.
    pub completion_list: Va,
    /// `PortContext`.
    pub port_context: Va,
    /// Names of the state bits that are set, `Initialized` included.
    pub flags: BTreeSet<&'static str>,
    /// Attributes.
    pub attributes: PortAttributes,
    /// `TargetQueuePort`.
    pub target_queue_port: Va,
    /// `TargetSequencePort`.
    pub target_sequence_port: Va,
    /// `CachedMessage` (`Message` in Vista).
    pub cached_message: Va,
    /// Messages of each queue, in list order.
    pub queues: BTreeMap<Queue, Vec<Va>>,
    /// Threads blocked on the port, in list order.
    pub wait_queue: Vec<Va>,
    /// Bodies of the blobs on its resource list, in list order.
    pub resources: Vec<Va>,
    /// Whether it is not in `AlpcpPortList`.
    pub unlisted: bool,
}

impl Port {
    /// The messages of `queue`, in list order.
    #[must_use]
    pub fn queue(&self, queue: Queue) -> &[Va] {
        self.queues.get(&queue).map_or(&[], Vec::as_slice)
    }
}

/// `_ALPC_COMMUNICATION_INFO`.
#[derive(Clone, Debug, Default, Serialize)]
pub struct CommunicationInfo {
    /// Its address.
    pub address: Va,
    /// The connection port.
    pub connection_port: Va,
    /// The server's end; NULL while a connection is pending, and for a connection port's own.
    pub server_port: Va,
    /// The client's end; NULL for a connection port's own.
    pub client_port: Va,
    /// A connection port's connections in list order: their communication infos.
    pub connections: Vec<Va>,
    /// Blobs of its handle table; handle 0x10 is the first.
    pub handles: Vec<Va>,
    /// `CloseMessage` (Windows 8.1 and later).
    pub close_message: Va,
}

/// `_KALPC_MESSAGE`.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Message {
    /// Its address; NULL asks for one.
    pub address: Va,
    /// `PortMessage.MessageId`, with [`CACHED`](super::message::CACHED) while the message is free but kept.
    pub id: u32,
    /// `PortMessage.CallbackId`.
    pub callback_id: u32,
    /// `SequenceNo`.
    pub sequence_no: u32,
    /// `PortMessage.u2.s2.Type`, flag bits included.
    pub type_word: u16,
    /// `PortMessage.u1.s1.DataLength`.
    pub data_length: u16,
    /// `PortMessage.u1.s1.TotalLength`.
    pub total_length: u16,
    /// `PortMessage.u2.s2.DataInfoOffset`.
    pub data_info_offset: u16,
    /// Sender: process id and thread id.
    pub client_id: (u64, u64),
    /// The port it was sent through.
    pub owner_port: Va,
    /// The thread that waits for the reply.
    pub waiting_thread: Va,
    /// The thread that received it.
    pub server_thread: Va,
    /// `u1.s1.QueueType`.
    pub queue_type: u32,
    /// `u1.s1.QueuePortType`.
    pub queue_port_type: u32,
    /// `PortQueue`.
    pub port_queue: Va,
    /// Names of the other state bits that are set.
    pub flags: BTreeSet<&'static str>,
    /// `QuotaProcess` or `QuotaBlock`.
    pub quota_process: Va,
    /// `CancelQueuePort`.
    pub cancel_queue_port: Va,
    /// `CancelSequencePort`.
    pub cancel_sequence_port: Va,
    /// `CancelSequenceNo`.
    pub cancel_sequence_no: u32,
    /// The reserve it belongs to.
    pub reserve: Va,
    /// `MessageAttributes.ClientContext`.
    pub client_context: Va,
    /// `MessageAttributes.ServerContext`.
    pub server_context: Va,
    /// `MessageAttributes.PortContext`.
    pub port_context: Va,
    /// `MessageAttributes.CancelPortContext`.
    pub cancel_port_context: Va,
    /// `MessageAttributes.SecurityData`.
    pub security_data: Va,
    /// `MessageAttributes.View`.
    pub view: Va,
    /// `MessageAttributes.HandleData`.
    pub handle_data: Va,
    /// `MessageAttributes.DirectEvent` (Windows 10).
    pub direct_event: u64,
    /// `MessageAttributes.WorkOnBehalfData` (14393 and later).
    pub work_on_behalf: u64,
    /// `DataUserVa`.
    pub data_user_va: Va,
    /// Communication info of its connection.
    pub communication_info: Va,
    /// The connection port.
    pub connection_port: Va,
    /// `ExtensionBuffer`.
    pub extension_buffer: Va,
    /// `ExtensionBufferSize`.
    pub extension_buffer_size: u64,
    /// The data behind the structure, as far as the kernel holds it.
    pub payload: Vec<u8>,
    /// Whether the message table has no entry of its id.
    pub not_in_table: bool,
}

/// A blob's header.
#[derive(Clone, Debug, Serialize)]
pub struct Blob {
    /// What the body is.
    pub id: BlobId,
    /// `ReferenceCount`.
    pub reference_count: u32,
    /// `u1.Flags`.
    pub flags: u8,
}

/// A resource: the body of a blob other than a message or a communication info.
#[derive(Clone, Debug, Serialize)]
pub enum Resource {
    /// `_KALPC_RESERVE`.
    Reserve {
        /// Its address.
        address: Va,
        /// The port that owns it.
        owner_port: Va,
        /// The communication info whose handle table holds it.
        communication_info: Va,
        /// Its handle.
        handle: u64,
        /// Its message.
        message: Va,
        /// Bytes of its message (Windows 8.1 and later).
        size: u64,
        /// Whether the message is in use.
        active: bool,
    },
    /// `_KALPC_SECTION`.
    Section {
        /// Its address.
        address: Va,
        /// The section object.
        section_object: Va,
        /// Bytes of the section.
        size: u64,
        /// The communication info whose handle table holds it.
        communication_info: Va,
        /// Its handle.
        handle: u64,
        /// The process that owns it.
        owner_process: Va,
        /// The port that owns it.
        owner_port: Va,
        /// Whether it is secure.
        secure: bool,
        /// Its regions in list order.
        regions: Vec<Va>,
    },
    /// `_KALPC_REGION`.
    Region {
        /// Its address.
        address: Va,
        /// Its section.
        section: Va,
        /// Offset in the section.
        offset: u64,
        /// Bytes.
        size: u64,
        /// Bytes of a view.
        view_size: u64,
        /// Its views in list order.
        views: Vec<Va>,
        /// `ReadOnlyView`.
        read_only_view: Va,
        /// `ReadWriteView`.
        read_write_view: Va,
    },
    /// `_KALPC_VIEW`.
    View {
        /// Its address.
        address: Va,
        /// Its region.
        region: Va,
        /// The port that owns it.
        owner_port: Va,
        /// The process that has it mapped.
        owner_process: Va,
        /// Where it is mapped.
        base: Va,
        /// Bytes.
        size: u64,
        /// Whether the owner may write.
        write_access: bool,
        /// Messages that carry it.
        owner_messages: u32,
    },
    /// `_KALPC_SECURITY_DATA`.
    Security {
        /// Its address.
        address: Va,
        /// The communication info whose handle table holds it.
        communication_info: Va,
        /// Its handle.
        handle: u64,
        /// The process it stands for.
        owning_process: Va,
        /// The port that owns it.
        owner_port: Va,
        /// Whether it was revoked.
        revoked: bool,
    },
    /// `_KALPC_HANDLE_DATA`.
    HandleData {
        /// Its address.
        address: Va,
        /// `ObjectType`.
        object_type: u32,
        /// `Flags`, or `Count` since 14393.
        flags_or_count: u32,
    },
}

impl Resource {
    /// The address of the body.
    #[must_use]
    pub fn address(&self) -> Va {
        match *self {
            Resource::Reserve { address, .. }
            | Resource::Section { address, .. }
            | Resource::Region { address, .. }
            | Resource::View { address, .. }
            | Resource::Security { address, .. }
            | Resource::HandleData { address, .. } => address,
        }
    }
}

/// A completion port.
#[derive(Clone, Debug, Default, Serialize)]
pub struct CompletionPort {
    /// Address of the `_KQUEUE`.
    pub address: Va,
    /// Threads registered with it, in list order.
    pub threads: Vec<Va>,
}

/// A completion list, with the header that its owner sees as well.
#[derive(Clone, Debug, Default, Serialize)]
pub struct CompletionList {
    /// Address of the `_ALPC_COMPLETION_LIST`.
    pub address: Va,
    /// Its members that are pointers.
    pub pointers: Vec<(&'static str, Va)>,
    /// Its members that are numbers.
    pub numbers: Vec<(&'static str, u64)>,
    /// Address of the `_ALPC_COMPLETION_LIST_HEADER`.
    pub header: Va,
    /// The header's members.
    pub header_numbers: Vec<(&'static str, u64)>,
}

/// Counts and settings of ALPC as a whole.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Global {
    /// Blobs ever created and deleted, by blob id. Before compiling, only the deleted ones.
    pub blobs: BTreeMap<BlobId, (u32, u32)>,
    /// `AlpcpRegionGranularity`.
    pub region_granularity: u64,
    /// `AlpcpViewGranularity`.
    pub view_granularity: u64,
    /// Address of the message table (`_HANDLE_TABLE`).
    pub message_table: Va,
}
