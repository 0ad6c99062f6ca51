//! Reads the call that a message is.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;
use std::sync::Arc;

use kdump::Gva;
use lrpc::header::{self, Header, NotLrpc, Request, Sent};
use lrpc::names::{self, Interface, Names};
use lrpc::orpc::{self, Facts};
use lrpc::system_port::{self, SystemCall};
use lrpc::{Uuid, header::Bind};
use ntkernel::image::contract::{ClientId, Message, PortMessage};
use ntkernel::image::kernel::{At, Kernel, Read};
use ntkernel::image::redact::Ids;
use ntkernel::image::value::Unreadable;
use ntkernel::process::ProcessRef;
use ntkernel::why;

use crate::port::call::apartment::Threads;
use crate::port::call::binds::{Binds, Bound};
use crate::port::call::decoded::Decoded;
use crate::port::call::port_facts::{self, PortFacts};
use crate::port::call::record::{
    Apartment, Call, CandidateInterface, ComCall, InnerCall, InterfaceRecord, ProcedureName, Protocol,
    StatusRecord, UnexpectedServer,
};
use crate::port::call::told::Told;
use crate::port::certainty::Certainty;
use crate::port::contract::MessageAttributes;
use crate::port::message_type::MessageType;
use crate::port::payload::{self, Beginning};

/// Bytes of a message's data that are looked at: as many as headers and what is known behind them take.
const LOOKED_AT: u64 = 0xc0;

/// The first build whose header of local RPC is described.
const WINDOWS_7: u32 = 7600;

/// Candidates that are told.
const CANDIDATES: usize = 24;

/// The interface and the procedure of lsass whose arguments carry another call.
const SSPI: &str = "4f32adc8-6052-4a04-8701-293ccf2096f0";
const SSPIR_CALL_RPC: u32 = 3;

/// The kernel as it is, whatever is redacted of it.
enum Bare<'k, 'd> {
    Itself(&'k Kernel<'d>),
    Unredacted(Box<Kernel<'d>>),
}

/// The name of each procedure that was asked for, by interface and number; none where nobody knows it.
type NamesByNumber = HashMap<(Uuid, u32), Option<Arc<ProcedureName>>>;

/// Reads calls, and remembers what it learns of ports, binds and apartments on the way.
pub struct Calls<'k, 'd> {
    bare: Bare<'k, 'd>,
    told: &'k Kernel<'d>,
    names: Arc<Names>,
    build: Option<u32>,
    ports: RefCell<HashMap<Gva, Rc<PortFacts>>>,
    /// What is told of a procedure by its port and number alone: of many messages it is the same.
    likely: RefCell<HashMap<(Gva, u32), Likely>>,
    procedures: RefCell<NamesByNumber>,
    binds: OnceCell<Binds>,
    threads: RefCell<HashMap<Gva, Read<Rc<Threads>>>>,
}

/// What the name of an endpoint says of a procedure.
struct Likely {
    interface: Option<Arc<InterfaceRecord>>,
    candidates: Arc<[CandidateInterface]>,
}

/// A message whose call is being read.
struct Asked<'m> {
    kernel_type: u8,
    data: &'m Beginning,
    port: Option<&'m PortFacts>,
    connection: Option<Gva>,
    info: Option<Gva>,
}

impl<'k, 'd> Calls<'k, 'd> {
    /// Reads the calls of a kernel. Names of procedures that are tied to it ([`Kernel::tied_to`], as
    /// [`lrpc::names::Names`]) go before those that are built in.
    #[must_use]
    pub fn new(kernel: &'k Kernel<'d>) -> Self {
        let bare = match kernel.redaction() {
            Some(_) => Bare::Unredacted(Box::new(kernel.unredacted())),
            None => Bare::Itself(kernel),
        };
        let build = kernel.dump().header().minor_version;
        Self {
            bare,
            told: kernel,
            names: kernel.tied().unwrap_or_default(),
            build: (build != 0).then_some(build),
            ports: RefCell::default(),
            likely: RefCell::default(),
            procedures: RefCell::default(),
            binds: OnceCell::new(),
            threads: RefCell::default(),
        }
    }

    fn kernel(&self) -> &Kernel<'d> {
        match &self.bare {
            Bare::Itself(kernel) => kernel,
            Bare::Unredacted(kernel) => kernel,
        }
    }

    /// The call that a message is.
    ///
    /// # Errors
    /// When what tells it cannot be read.
    pub fn of(&self, message: Gva) -> Read<Decoded> {
        let message = self.kernel().at(message);
        let header = message.embedded(Message::PortMessage)?;
        let kernel_type = MessageType::from_word(header.u16(PortMessage::Type)?).0;
        let data = payload::beginning(message, LOOKED_AT)?;
        // As with a canceled message, whose bytes are still there but no longer its own.
        if data.length == 0 {
            return Ok(Decoded::Raw("it has no data".to_owned()));
        }
        // Zeros are the number of a call at most ports of the system, and of nothing when memory was lost.
        if data.hole.is_none() && data.bytes.iter().all(|&byte| byte == 0) {
            return Ok(Decoded::Raw("its data begins with zeros alone".to_owned()));
        }
        let connection = port_facts::connection_of(message)?;
        let port = connection.map(|connection| self.port(connection));
        let asked = Asked {
            kernel_type,
            data: &data,
            port: port.as_deref(),
            connection,
            info: port_facts::info_of(message)?,
        };
        // By name before data: `\SmApiPort` gets a small number and a null status, which looks like a type and four
        // null bytes. A console's port on Windows 7 is in RPC's folder and is none of it, so that its full name goes
        // before its folder as well.
        let protocol = asked.port.map(PortFacts::protocol).transpose()?.flatten();
        let decoded = match protocol {
            Some(protocol) => self.system_call(&asked, protocol)?,
            None => self.local_rpc(message, &asked)?,
        };
        Ok(match decoded {
            Decoded::Call(mut call) => {
                call.unexpected_server = asked.port.and_then(|port| self.unexpected(port));
                Decoded::Call(call)
            }
            raw @ Decoded::Raw(_) => raw,
        })
    }

    /// The call that a message is, as records have it; none when its data is of no protocol that is known.
    #[must_use]
    pub fn told(&self, message: Gva) -> Option<Told<Box<Call>>> {
        match self.of(message) {
            Ok(Decoded::Call(call)) => Some(Told::Known(call)),
            Ok(Decoded::Raw(_)) => None,
            Err(hole) => Some(Err(hole).into()),
        }
    }

    fn port(&self, connection: Gva) -> Rc<PortFacts> {
        let known = self.ports.borrow().get(&connection).cloned();
        known.unwrap_or_else(|| {
            let facts = Rc::new(PortFacts::of(self.kernel(), connection));
            self.ports.borrow_mut().insert(connection, Rc::clone(&facts));
            facts
        })
    }

    /// The process that has a connection port which another has in Windows; none where it is the right one, or nobody knows.
    #[must_use]
    pub fn unexpected_server(&self, connection: Gva) -> Option<UnexpectedServer> {
        self.unexpected(&self.port(connection))
    }

    fn unexpected(&self, port: &PortFacts) -> Option<UnexpectedServer> {
        let expected = port.unexpected.clone()?;
        let image = ProcessRef::at(self.told, port.owner?).image;
        Some(UnexpectedServer {
            image: image.known()?.clone(),
            expected,
        })
    }

    fn system_call(&self, asked: &Asked<'_>, protocol: system_port::Protocol) -> Read<Decoded> {
        let Some(known) = Protocol::of(protocol) else {
            let why = "nobody has described the data of messages to such a port";
            return Ok(Decoded::Raw(why.to_owned()));
        };
        let read = SystemCall::read(protocol, &asked.data.bytes, self.kernel().pointer_size());
        let Some(read) = read else {
            return match &asked.data.hole {
                Some(hole) => Err(hole.clone()),
                None => Ok(Decoded::Raw(
                    "it is shorter than the header of such messages".to_owned(),
                )),
            };
        };
        let name = read.name(self.build).map(|name| ProcedureName {
            name: name.to_owned(),
            // Numbers are given anew with versions of Windows, and without the build it is not known which one it is.
            sure: self.build.is_some() && matches!(known, Protocol::Csr),
            source: String::new(),
        });
        // Those of one source alone are no proof.
        let certainty = match known {
            Protocol::Csr | Protocol::Sm | Protocol::Sb => Certainty::Proven,
            _ => Certainty::Inferred,
        };
        let mut call = Call::new(known, certainty, "call");
        call.procedure_number = Some(read.number);
        call.procedure = name.map(Arc::new);
        call.status = read.status.map(|code| StatusRecord { code, name: None });
        Ok(Decoded::Call(Box::new(call)))
    }

    fn local_rpc(&self, message: At<'_, '_>, asked: &Asked<'_>) -> Read<Decoded> {
        let data = asked.data;
        let sent = Sent {
            kernel_type: asked.kernel_type,
            length: usize::try_from(data.length).unwrap_or(usize::MAX),
            has_view: has_view(message)?,
        };
        // Only the client's binding id is in a request. Which interface that is stands in the server's user memory
        // (LRPC_ASSOCIATION), which no kernel dump holds.
        let header = match header::read(&data.bytes, &sent) {
            Ok(header) => header,
            Err(NotLrpc::Cut { .. }) => {
                let hole = data.hole.clone();
                return Err(hole.unwrap_or_else(|| Unreadable::Walk(why!("the data is not whole"))));
            }
            Err(why) => return Ok(Decoded::Raw(format!("no header of RPC: {why}"))),
        };
        let is_rpc = asked.port.is_some_and(PortFacts::is_rpc);
        // Few bytes make an answer. Where no name says that the port is of RPC, it takes a request to believe it.
        if !is_rpc && !matches!(header, Header::Request(_) | Header::Bind(_)) {
            let why = "it may be an answer of RPC, but its port is not known to be of RPC";
            return Ok(Decoded::Raw(why.to_owned()));
        }
        // Of Vista nobody has described the header. Its published messages fit that of Windows 7.
        let is_described = self.build.is_none_or(|build| build >= WINDOWS_7);
        let certainty = if is_rpc && is_described {
            Certainty::Proven
        } else {
            Certainty::Inferred
        };
        let mut call = Call::new(Protocol::Lrpc, certainty, header.name());
        match header {
            Header::Request(request) => self.request(message, asked, &request, &mut call),
            Header::Bind(bind) => self.bind(&bind, &mut call),
            // A Win32 error (winerror.h) and no NTSTATUS, unlike the statuses of csrss and smss.
            Header::Fault(fault) => {
                call.status = Some(StatusRecord::new(fault.status));
            }
            // An answer has the number of the call and neither procedure nor binding: with the request gone, nothing
            // says what it answers.
            Header::Response(response) => {
                call.flags = Some(response.flags);
                call.call_id = Some(response.call_id);
                call.arguments = Some(response.results as u64);
            }
            // A datagram, for which nobody waits: the caller has what it wants, and the server may still be at work.
            Header::Cancel { call_id } => call.call_id = Some(call_id),
            _ => {}
        }
        Ok(Decoded::Call(Box::new(call)))
    }

    fn bind(&self, bind: &Bind, call: &mut Call) {
        let known = self.names.interface(bind.interface);
        // The one message of RPC that names its interface. (For a call of COM that is the IID of the object's
        // interface: inferred.)
        let evidence = "it says so itself";
        let mut interface = interface_record(bind.interface, known, Certainty::Proven, evidence);
        interface.version = Some(format!("{}.{}", bind.version.0, bind.version.1));
        call.interface = Some(Arc::new(interface));
        if bind.is_answer {
            call.status = Some(StatusRecord::new(bind.status));
        }
    }

    fn request(&self, message: At<'_, '_>, asked: &Asked<'_>, request: &Request, call: &mut Call) {
        let number = request.procedure();
        call.call_id = Some(request.call_id);
        call.flags = Some(request.flags);
        call.flag_names = request.flag_names();
        call.binding = Some(request.binding);
        call.procedure_number = Some(number);
        call.raw_procedure_number = (number != request.raw_procedure).then_some(request.raw_procedure);
        call.arguments = Some(request.arguments as u64);
        call.view_length = request.view_length;
        let com = self.com(message, asked, request);
        call.object = self.object(asked, request, com.is_some());
        call.com = com.map(Box::new);
        // A chunk of a pipe is no call of its own, but has the number of one.
        self.find_interface(asked, request, call);
        if let Some(interface) = &call.interface {
            call.procedure = self.procedure(interface.uuid, number);
            call.inner = inner_call(interface, number, asked, self.kernel().pointer_size());
        }
    }

    /// The object that a request is for. An IPID holds ids of a process and a thread.
    fn object(&self, asked: &Asked<'_>, request: &Request, is_com: bool) -> Option<Told<Uuid>> {
        if request.object_lost {
            let hole = asked.data.hole.clone();
            return hole.map(|hole| Err(hole).into());
        }
        let object = request.object?;
        if is_com && self.hides_ids() {
            return Some(Err(Unreadable::Withheld).into());
        }
        Some(Told::Known(object))
    }

    fn hides_ids(&self) -> bool {
        let redaction = self.told.redaction();
        redaction.is_some_and(|redaction| redaction.classes().ids)
    }

    fn procedure(&self, interface: Uuid, number: u32) -> Option<Arc<ProcedureName>> {
        let mut known = self.procedures.borrow_mut();
        let named = known.entry((interface, number)).or_insert_with(|| {
            let known = self.names.procedure(interface, number, self.build)?;
            Some(Arc::new(ProcedureName {
                name: known.text().to_owned(),
                sure: known.is_sure,
                source: known.source.into_owned(),
            }))
        });
        named.clone()
    }

    /// The interface of a request: by a bind on its connection, else by what the endpoint is known to serve.
    fn find_interface(&self, asked: &Asked<'_>, request: &Request, call: &mut Call) {
        let binds = self.binds.get_or_init(|| Binds::read(self.kernel()));
        let own: Vec<Bound> = asked
            .info
            .map(|info| binds.of_connection(info, request.binding).collect())
            .unwrap_or_default();
        // An answer comes from the server. One that does not is of a connection before, whose memory is used again.
        let server = asked.port.and_then(|port| port.owner_id);
        let by_server = |bound: &&Bound| server.is_none() || bound.sender.is_none() || bound.sender == server;
        let own: Vec<&Bound> = own.iter().filter(by_server).collect();
        match interfaces(&own).as_slice() {
            [_] => {
                // The interface of an object of COM is that of its binding, which one source alone says.
                let certainty = match (call.com.is_some(), server) {
                    (false, Some(_)) => Certainty::Proven,
                    _ => Certainty::Inferred,
                };
                let evidence = "the client bound it on the same connection";
                let of_bind = |bound: &&Bound| Arc::new(self.of_bind(bound, certainty, evidence));
                call.interface = own.first().map(of_bind);
            }
            [] => self.by_other_binds(asked, request, call, binds),
            several => {
                let source = "bound by this number on the same connection, as another one is";
                let number = request.procedure();
                call.candidates = several
                    .iter()
                    .map(|&uuid| self.candidate(uuid, number, source))
                    .collect();
            }
        }
    }

    fn of_bind(&self, bound: &Bound, certainty: Certainty, evidence: &'static str) -> InterfaceRecord {
        let uuid = bound.bind.interface;
        let mut record = interface_record(uuid, self.names.interface(uuid), certainty, evidence);
        record.version = Some(format!("{}.{}", bound.bind.version.0, bound.bind.version.1));
        record.bind = Some(self.kernel().addr(bound.message));
        record
    }

    /// Clients number their bindings themselves, but programs of one library do it alike.
    fn by_other_binds(&self, asked: &Asked<'_>, request: &Request, call: &mut Call, binds: &Binds) {
        let number = request.procedure();
        let others: Vec<Bound> = asked
            .connection
            .map(|connection| binds.of_port(connection, request.binding).collect())
            .unwrap_or_default();
        let others: Vec<&Bound> = others.iter().collect();
        let mut likely = interfaces(&others);
        likely.retain(|&uuid| self.names.may_have(uuid, number));
        if let [one] = likely.as_slice()
            && let Some(bound) = others.iter().find(|bound| bound.bind.interface == *one)
            // What a number means in a call of COM is the interface of one object: another client's object may have
            // another.
            && call.com.is_none()
        {
            let evidence = "another client bound it by the same number at this port";
            call.interface = Some(Arc::new(self.of_bind(bound, Certainty::Inferred, evidence)));
            return;
        }
        self.by_endpoint(asked, request, call);
    }

    fn by_endpoint(&self, asked: &Asked<'_>, request: &Request, call: &mut Call) {
        // What interface an object of COM has is known in user memory alone, whatever its endpoint is called.
        if request.flags & header::OBJECT != 0 {
            return;
        }
        let Some(port) = asked.port.filter(|port| port.is_rpc()) else {
            return;
        };
        let (Some(leaf), Some(connection)) = (port.leaf(), asked.connection) else {
            return;
        };
        let number = request.procedure();
        let mut known = self.likely.borrow_mut();
        let likely = known.entry((connection, number));
        let likely = likely.or_insert_with(|| self.likely(leaf, number));
        call.interface.clone_from(&likely.interface);
        call.candidates = Arc::clone(&likely.candidates);
    }

    fn likely(&self, leaf: &str, number: u32) -> Likely {
        // A process's interfaces can all be called through each of its endpoints: lsass has lsasspirpc, samss lpc,
        // protected_storage, and any of its interfaces may come in at any of them. So one candidate is likely, and
        // never proven.
        let served = names::served(leaf, self.build);
        let fitting: Vec<_> = served
            .iter()
            .filter(|served| self.names.may_have(served.uuid, number))
            .collect();
        if let [one] = fitting.as_slice() {
            let evidence = match served.len() {
                1 => "the only interface that is known at this endpoint",
                _ => "the only interface known at this endpoint that may have as many procedures",
            };
            let known = self.names.interface(one.uuid);
            let has_it = known.and_then(|known| known.procedures).is_some();
            if has_it {
                let interface = interface_record(one.uuid, known, Certainty::Inferred, evidence);
                return Likely {
                    interface: Some(Arc::new(interface)),
                    candidates: Arc::default(),
                };
            }
        }
        Likely {
            interface: None,
            candidates: fitting
                .iter()
                .take(CANDIDATES)
                .map(|served| self.candidate(served.uuid, number, served.source))
                .collect(),
        }
    }

    fn candidate(&self, uuid: Uuid, number: u32, source: &str) -> CandidateInterface {
        let known = self.names.interface(uuid);
        let procedure = self.procedure(uuid, number);
        CandidateInterface {
            uuid,
            name: known.and_then(|known| short(&known)),
            has_procedure: known.and_then(|known| known.procedures).is_some(),
            sure: procedure.as_ref().is_some_and(|procedure| procedure.sure),
            procedure: procedure.map(|procedure| procedure.name.clone()),
            source: source.to_owned(),
        }
    }

    /// What COM says of a request, if it is one of COM.
    fn com(&self, message: At<'_, '_>, asked: &Asked<'_>, request: &Request) -> Option<ComCall> {
        let header = message.embedded(Message::PortMessage).ok();
        let sender = header.and_then(|header| {
            // The kernel writes ClientId when a message is sent: unlike what stands in the data, no client can forge
            // it.
            let client = header.embedded(PortMessage::ClientId).ok()?;
            client.uint(ClientId::UniqueThread).ok()
        });
        let facts = Facts {
            server_process_id: asked.port.and_then(|port| port.owner_id),
            client_thread_id: sender,
            build: self.build,
        };
        let call = orpc::read(request, &asked.data.bytes, &facts)?;
        let (apartment, low) = match call.ipid.apartment {
            orpc::Apartment::SingleThreaded { thread_id } => (Apartment::SingleThreaded, Some(thread_id)),
            orpc::Apartment::MultiThreaded => (Apartment::MultiThreaded, None),
            _ => (Apartment::Neutral, None),
        };
        let owner = asked.port.and_then(|port| port.owner);
        let thread = low.zip(owner).map(|(low, owner)| {
            let found = self.threads(owner).and_then(|threads| threads.find(low));
            found.map(|thread| self.kernel().addr(thread)).into()
        });
        Some(ComCall {
            certainty: if call.is_certain {
                Certainty::Proven
            } else {
                Certainty::Inferred
            },
            apartment,
            apartment_thread: thread,
            apartment_thread_id_low: low.map(|low| match self.hides_ids() {
                true => Err(Unreadable::Withheld).into(),
                false => Told::Known(low),
            }),
            causality: call.this.map(|this| this.causality),
            com_call_id: call.call_id,
            client_thread_id: call.client_thread_id.map(|id| match self.told.redaction() {
                Some(redaction) => redaction.id(Ids::Clients, u64::from(id)),
                None => u64::from(id),
            }),
            asynchronous: call.this.map(|this| this.is_asynchronous()),
            arguments_at: call.arguments_at.map(|at| at as u64),
        })
    }

    fn threads(&self, process: Gva) -> Read<Rc<Threads>> {
        let known = self.threads.borrow().get(&process).cloned();
        known.unwrap_or_else(|| {
            let threads = Threads::of(self.kernel(), process).map(Rc::new);
            self.threads.borrow_mut().insert(process, threads.clone());
            threads
        })
    }
}

/// The interfaces that binds are of, each once.
fn interfaces(binds: &[&Bound]) -> Vec<Uuid> {
    let all: BTreeSet<Uuid> = binds.iter().map(|bound| bound.bind.interface).collect();
    all.into_iter().collect()
}

fn interface_record(
    uuid: Uuid,
    known: Option<Interface>,
    certainty: Certainty,
    evidence: &'static str,
) -> InterfaceRecord {
    let modules = known.map(|known| known.modules).unwrap_or_default();
    let modules = modules
        .split(',')
        .map(str::trim)
        .filter(|module| !module.is_empty());
    InterfaceRecord {
        uuid,
        version: None,
        name: known.and_then(|known| known.name).map(ToOwned::to_owned),
        modules: modules.map(ToOwned::to_owned).collect(),
        certainty,
        evidence,
        bind: None,
    }
}

/// An interface's name, else the module that serves it.
fn short(interface: &Interface) -> Option<String> {
    let module = interface
        .modules
        .split(',')
        .next()
        .filter(|module| !module.is_empty());
    interface.name.or(module).map(ToOwned::to_owned)
}

/// The call of a security support provider that `SspirCallRpc` carries. Where it stands is known for 64-bit clients.
fn inner_call(
    interface: &InterfaceRecord,
    number: u32,
    asked: &Asked<'_>,
    pointer_size: u32,
) -> Option<InnerCall> {
    // The argument is a message of its own, from the time when these calls went to a port of lsass: a context handle
    // (14 hex), its length, a count, then a header as PORT_MESSAGE has it (28), and right behind that the number, 48
    // into the arguments. That is NDR64; where a 32-bit client has it no source says.
    if number != SSPIR_CALL_RPC || interface.uuid.to_string() != SSPI || pointer_size != 8 {
        return None;
    }
    let at = system_port::SSPI_CALL;
    let bytes = asked.data.bytes.get(at..at.checked_add(4)?)?;
    let number = u32::from_le_bytes(bytes.try_into().ok()?);
    let name = system_port::sspi_name(number)?;
    Some(InnerCall {
        number,
        name: Some(name),
        certainty: Certainty::Inferred,
    })
}

fn has_view(message: At<'_, '_>) -> Read<bool> {
    let attributes = message.embedded(Message::MessageAttributes)?;
    Ok(attributes.pointer(MessageAttributes::View)?.u64() != 0)
}
