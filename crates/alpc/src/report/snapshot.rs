//! What one dump says of its system, as far as it can be compared with what another dump says.

use std::collections::HashMap;

use kdump::{FileTime, Gva, TimeSpan};

use crate::port::call::Call;
use crate::port::communication;
use crate::port::connection;
use crate::port::enumerate;
use crate::port::queue;
use crate::port::{self, PortKind};
use crate::wait;
use crate::wait::edge::{Certainty, Says};
use crate::wait::graph::Graph;
use crate::wait::hang::Hang;
use crate::wait::table::{WaitRow, WaitTable};
use crate::wait::unread::{Part, Unread};
use ntkernel::image::contract::{CommunicationInfo, Message, Port, Thread, ThreadControl};
use ntkernel::image::expected::Expected;
use ntkernel::image::kernel::{At, Kernel, Read};
use ntkernel::image::value::{Addr, Unreadable, Value};
use ntkernel::object;
use ntkernel::object::marks::{self, expect};
use ntkernel::process::{self, ProcessRecord, ProcessRef};
use ntkernel::why;

/// `_EPROCESS.UniqueProcessId` of System, in every version.
const SYSTEM: u64 = 4;

/// A system at the moment of its dump.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// What tells one start of a machine from another.
    pub boot: Boot,
    /// Its processes, those that have ended among them.
    pub processes: Listed<ProcessFact>,
    /// Its connection ports.
    pub ports: Listed<PortFact>,
    /// Its connections: one for each client's port.
    pub connections: Listed<ConnectionFact>,
    /// Its waits for ALPC replies.
    pub waits: Listed<WaitFact>,
    /// Threads that chains of waits end at, those with most threads behind them first.
    pub ends: Vec<EndFact>,
}

/// Things of one kind, as many as were found.
#[derive(Clone, Debug)]
pub struct Listed<T> {
    /// The things.
    pub all: Vec<T>,
    /// Why there may be more.
    pub unread: Vec<Unread>,
}

/// What tells one start of a machine from another.
#[derive(Clone, Debug)]
pub struct Boot {
    /// Identity of the symbols in use: those of the kernel. None where several explain it.
    pub kernel: Option<String>,
    /// Where the kernel's image begins; drawn at each start since Vista.
    pub base: Addr,
    /// When the system started by the dump's header: its time less its uptime.
    pub started: Option<FileTime>,
    /// The System process.
    pub system: Value<Addr>,
    /// When that was made.
    pub system_created: Value<Option<FileTime>>,
    /// Clock ticks since the system started.
    pub ticks: Value<u64>,
}

/// A process.
#[derive(Clone, Debug)]
pub struct ProcessFact {
    /// Its `_EPROCESS`.
    pub address: Addr,
    /// Its id.
    pub process_id: Value<u64>,
    /// Its image name as the kernel keeps it, cut to 14 characters: the whole one is not in every dump.
    pub image: Value<String>,
    /// The image name of the process that made it; none when that one is gone.
    pub parent: Value<Option<String>>,
    /// When it was made.
    pub created: Value<Option<FileTime>>,
    /// Whether it has not ended yet.
    pub running: Value<bool>,
}

/// A connection port.
#[derive(Clone, Debug)]
pub struct PortFact {
    /// Its `_ALPC_PORT`.
    pub address: Addr,
    /// Its full path.
    pub path: Value<Option<String>>,
    /// The process that owns it.
    pub owner: Value<Option<ProcessRef>>,
    /// Its communication info.
    pub info: Value<Addr>,
    /// The number of the last message that it numbered.
    pub sequence_no: Value<u32>,
    /// Messages in its queues, by their counters.
    pub queued: Value<u64>,
    /// Its connections.
    pub connections: Value<u64>,
}

/// A connection.
#[derive(Clone, Debug)]
pub struct ConnectionFact {
    /// The client's `_ALPC_PORT`.
    pub address: Addr,
    /// The process that owns that.
    pub client: Value<Option<ProcessRef>>,
    /// The communication info.
    pub info: Value<Addr>,
    /// The connection port; none when it is gone.
    pub port: Value<Option<Addr>>,
    /// That port's full path.
    pub path: Value<Option<String>>,
    /// The process that owns that port.
    pub server: Value<Option<ProcessRef>>,
    /// The number of the last message that the client's port numbered.
    pub sequence_no: Value<u32>,
    /// Messages in the queues of the client's port, by their counters.
    pub queued: Value<u64>,
}

/// A wait for the reply to a message.
#[derive(Clone, Debug)]
pub struct WaitFact {
    /// The thread that waits: its `_ETHREAD`.
    pub address: Addr,
    /// Its process's id.
    pub process_id: Value<u64>,
    /// Its id.
    pub thread_id: Value<u64>,
    /// Its process.
    pub client: Value<Option<ProcessRef>>,
    /// The message.
    pub message: Addr,
    /// The message's id.
    pub message_id: Value<u32>,
    /// The number that the port gave the message: ids and addresses are used again, this is not soon.
    pub sequence_no: Value<u32>,
    /// The name of the port that it was sent to.
    pub port: Value<Option<String>>,
    /// The process that is to answer.
    pub server: Value<Option<ProcessRef>>,
    /// Which call it is for: [`Call::key`].
    pub call: Option<String>,
    /// How long it has waited.
    pub waited: Value<TimeSpan>,
    /// What hides whether it waits for this reply at all.
    pub unconfirmed: Option<Unreadable>,
}

/// A thread that chains of waits end at.
#[derive(Clone, Debug)]
pub struct EndFact {
    /// Its `_ETHREAD`.
    pub address: Addr,
    /// Its process's id.
    pub process_id: Option<u64>,
    /// Its id.
    pub thread_id: Option<u64>,
    /// Its process's image name.
    pub image: Option<String>,
    /// Where it is, as `nt!ExpWaitForResource+0x6d`; none where its stack does not tell.
    pub site: Option<String>,
    /// How often it was switched to.
    pub switches: Value<u32>,
}

impl Snapshot {
    /// Gathers it.
    #[must_use]
    pub fn of(kernel: &Kernel<'_>) -> Self {
        let all = process::all(kernel);
        let (ports, connections) = ports(kernel);
        let graph = wait::waits(kernel);
        Self {
            boot: Boot::of(kernel, all.as_ref().ok().map(|all| all.processes.as_slice())),
            processes: processes(all),
            ports,
            connections,
            ends: ends(kernel, &graph),
            waits: waits(kernel, &graph),
        }
    }
}

impl Boot {
    fn of(kernel: &Kernel<'_>, processes: Option<&[ProcessRecord]>) -> Self {
        let header = kernel.dump().header();
        let system = processes
            .into_iter()
            .flatten()
            .find(|process| process.process_id.known() == Some(&SYSTEM));
        let missing = || Unreadable::Implausible(why!("no process has the id 4"));
        Self {
            kernel: kernel.layout().identity().map(ToString::to_string),
            base: kernel.addr(kernel.base()),
            // Both are written when the dump is: the time at the crash, and how long the system had run.
            started: header
                .system_time
                .zip(header.system_up_time)
                .and_then(|(time, up)| Some(FileTime(time.0.checked_sub(up.0)?))),
            system: system.map(|system| system.address).ok_or_else(missing).into(),
            system_created: match system {
                Some(system) => system.create_time.clone(),
                None => Err(missing()).into(),
            },
            ticks: process::clock::Clock::read(kernel)
                .map(|clock| clock.tick_count)
                .into(),
        }
    }
}

fn processes(all: Read<process::Processes>) -> Listed<ProcessFact> {
    let all = match all {
        Ok(all) => all,
        Err(hole) => {
            return Listed {
                all: Vec::new(),
                unread: vec![Unread::new(Part::Processes, None, hole)],
            };
        }
    };
    let mut by_id: HashMap<u64, Vec<&ProcessRecord>> = HashMap::new();
    for process in &all.processes {
        if let Value::Known(id) = process.process_id {
            by_id.entry(id).or_default().push(process);
        }
    }
    let all_ids = all.complete.get().and_then(|()| {
        let mut ids = all.processes.iter().map(|process| process.process_id.get());
        ids.try_for_each(|id| id.map(|_| ()))
    });
    let facts = all.processes.iter().map(|process| ProcessFact {
        address: process.address,
        process_id: process.process_id.clone(),
        image: process.image.clone(),
        parent: parent(process, &by_id, &all_ids).into(),
        created: process.create_time.clone(),
        running: process.exit_time.clone().map(|exit| exit.is_none()),
    });
    Listed {
        all: facts.collect(),
        unread: all
            .complete
            .reason()
            .map(|hole| Unread::new(Part::Processes, None, hole.clone()))
            .into_iter()
            .collect(),
    }
}

/// The image of a process's parent: one that was made later only has its id.
fn parent(
    process: &ProcessRecord,
    by_id: &HashMap<u64, Vec<&ProcessRecord>>,
    all_ids: &Read<()>,
) -> Read<Option<String>> {
    let id = process.parent_process_id.get()?;
    for candidate in by_id.get(id).into_iter().flatten() {
        // A process keeps its parent's id and no reference to it: the parent may be gone, and its id given to a
        // newer process, which cannot have made an older one.
        if candidate.create_time.get()? <= process.create_time.get()? {
            return candidate.image.get().cloned().map(Some);
        }
    }
    // Whatever cannot be read may be it; nobody's id is 0.
    if *id != 0 {
        all_ids.clone()?;
    }
    Ok(None)
}

fn ports(kernel: &Kernel<'_>) -> (Listed<PortFact>, Listed<ConnectionFact>) {
    let found = enumerate::ports(kernel);
    let mut hidden: Vec<Unread> = found
        .complete
        .reason()
        .map(|hole| Unread::new(Part::Ports, None, hole.clone()))
        .into_iter()
        .collect();
    let mut ports = Vec::new();
    let mut connections = Vec::new();
    for address in found.ports {
        let port = kernel.at(address);
        let kind = port::kind(port).and_then(|kind| port::expect(kernel, address).map(|()| kind));
        match kind {
            Ok(PortKind::Connection) => ports.push(port_fact(port)),
            Ok(PortKind::ClientCommunication) => connections.push(connection_fact(port)),
            // A server's end is told with the client's.
            Ok(PortKind::ServerCommunication) => {}
            // One that names no kind and leads nowhere is not in use yet.
            Err(Unreadable::Implausible(_))
                if port
                    .pointer(Port::CommunicationInfo)
                    .is_ok_and(|info| info.u64() == 0) => {}
            Err(Unreadable::Implausible(_)) => {
                let hole = marks::not_there(kernel, Expected::Port, address);
                hidden.push(Unread::new(Part::PortKind, Some(kernel.addr(address)), hole));
            }
            Err(hole) => hidden.push(Unread::new(Part::PortKind, Some(kernel.addr(address)), hole)),
        }
    }
    let listed = Listed {
        all: ports,
        unread: hidden.clone(),
    };
    let connected = Listed {
        all: connections,
        unread: hidden,
    };
    (listed, connected)
}

/// The full path of a port, unless its header is none.
fn path(port: At<'_, '_>) -> Read<Option<String>> {
    port::own_name(port)?;
    object::path(port.kernel(), port.address())
}

fn port_fact(port: At<'_, '_>) -> PortFact {
    let kernel = port.kernel();
    let connections = communication::infos(port).and_then(|infos| {
        infos.complete("the list of connections")?;
        Ok(u64::try_from(infos.entries.len()).unwrap_or(u64::MAX))
    });
    PortFact {
        address: kernel.addr(port.address()),
        path: path(port).into(),
        owner: connection::owner(port).into(),
        info: port.addr(Port::CommunicationInfo),
        sequence_no: port.u32(Port::SequenceNo).into(),
        queued: queue::total_length(port).into(),
        connections: connections.into(),
    }
}

fn connection_fact(client: At<'_, '_>) -> ConnectionFact {
    let kernel = client.kernel();
    let connection_port = port::info(client).and_then(|info| info.pointer(CommunicationInfo::ConnectionPort));
    let of_port = |port: Gva| (port.u64() != 0).then_some(port);
    let path = connection_port.clone().and_then(|port| {
        let port = of_port(port);
        port.map_or(Ok(None), |port| path(kernel.at(port)))
    });
    let server = connection_port.clone().and_then(|port| {
        let port = of_port(port);
        port.map_or(Ok(None), |port| connection::owner(kernel.at(port)))
    });
    ConnectionFact {
        address: kernel.addr(client.address()),
        client: connection::owner(client).into(),
        info: client.addr(Port::CommunicationInfo),
        port: connection_port
            .map(|port| of_port(port).map(|port| kernel.addr(port)))
            .into(),
        path: path.into(),
        server: server.into(),
        sequence_no: client.u32(Port::SequenceNo).into(),
        queued: queue::total_length(client).into(),
    }
}

fn ends(kernel: &Kernel<'_>, graph: &Graph) -> Vec<EndFact> {
    let mut hang = Hang::of_graph(kernel.dump(), graph);
    hang.look_closely(kernel);
    let threads = hang.blockers.iter().filter_map(|blocker| {
        let thread = blocker.node.thread()?;
        let image = thread.process.known().and_then(Option::as_ref);
        let control = kernel.at(thread.address.gva()).embedded(Thread::Tcb);
        let doing = blocker
            .suspect
            .as_ref()
            .and_then(|suspect| suspect.stack.doing.as_ref());
        Some(EndFact {
            address: thread.address,
            process_id: thread.process_id.known().copied(),
            thread_id: thread.thread_id.known().copied(),
            image: image.and_then(|process| process.image.known().cloned()),
            site: doing.map(|doing| doing.site.clone()),
            switches: control
                .and_then(|at| at.u32(ThreadControl::ContextSwitches))
                .into(),
        })
    });
    threads.collect()
}

fn waits(kernel: &Kernel<'_>, graph: &Graph) -> Listed<WaitFact> {
    let doubtful: HashMap<Addr, Unreadable> = graph
        .reply_waits()
        .filter(|(_, _, edge)| edge.certainty == Certainty::Unknown)
        .map(|(_, thread, edge)| {
            let hole = edge.evidence.iter().find_map(|evidence| match &evidence.value {
                Says::Unreadable(hole) => Some((**hole).clone()),
                _ => None,
            });
            let hole = hole.unwrap_or_else(|| Unreadable::Walk(why!("nothing confirms the wait")));
            (thread.address, hole)
        })
        .collect();
    let table = WaitTable::of(graph);
    let facts = table.waits.iter().filter_map(|row| {
        let unconfirmed = doubtful.get(&row.waiter.address).cloned();
        wait_fact(kernel, row, unconfirmed)
    });
    Listed {
        all: facts.collect(),
        unread: table.unread.clone(),
    }
}

fn wait_fact(kernel: &Kernel<'_>, row: &WaitRow, unconfirmed: Option<Unreadable>) -> Option<WaitFact> {
    let label = match &row.message.port {
        Value::Known(Some(label)) => label.name.clone(),
        Value::Known(None) => Value::Known(None),
        Value::Missing(hole) => Value::Missing(hole.clone()),
    };
    let waited = match &row.waiter.waited {
        Value::Known(Some(waited)) => Value::Known(*waited),
        Value::Known(None) => return None,
        Value::Missing(hole) => Value::Missing(hole.clone()),
    };
    let message = kernel.at(row.message.address.gva());
    Some(WaitFact {
        address: row.waiter.address,
        process_id: row.waiter.process_id.clone(),
        thread_id: row.waiter.thread_id.clone(),
        client: row.waiter.process.clone(),
        call: row.message.call().map(Call::key),
        message: row.message.address,
        message_id: row.message.message_id.clone(),
        sequence_no: expect(kernel, Expected::Message, message.address())
            .and_then(|()| message.u32(Message::SequenceNo))
            .into(),
        port: label,
        server: row.server_process.clone(),
        waited,
        unconfirmed,
    })
}
