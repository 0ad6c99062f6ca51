//! Messages that say what is asked for: remote procedure calls, COM calls, and what only looks like them.

use crate::address::{PAGE_SIZE, Va};
use crate::memory::Backing;
use crate::payload::lrpc::{self, Bind, Cancel, Fault, Request, Response, syntax};
use crate::payload::orpc::{Apartment, Generation, Ipid, LocalThis, OrpcThis};
use crate::payload::sspi;
use crate::payload::system_port::{Csr, ErrorReport, SessionManager, server};
use crate::payload::uuid;
use crate::world::message::kind;
use crate::world::{Connection, ConnectionSpec, Message, Pool, Queue};

use super::hang::{Scene, Stage};
use super::ports;
use super::system::System;

/// The interface of the service control manager.
pub const SVCCTL: &str = "367abb81-9844-35f1-ad32-98f038001003";
/// The interface of the local security authority.
pub const LSARPC: &str = "12345778-1234-abcd-ef00-0123456789ab";
/// The interface of the event log.
pub const EVENTLOG: &str = "f6beaff7-1e19-4fbb-9f8f-b89e2018337c";
/// The interface of the task scheduler.
pub const SCHEDULER: &str = "86d35949-83c9-4044-b424-db363231fd0c";
/// The interface of the DHCP client.
pub const DHCP: &str = "3c4728c5-f0ab-448b-bda1-6ce01eb0a6d5";
/// `IDispatch`, which is a COM interface.
pub const DISPATCH: &str = "00020400-0000-0000-c000-000000000046";
/// The interface of the security support providers.
pub const SSPI: &str = "4f32adc8-6052-4a04-8701-293ccf2096f0";

/// The causality id that both calls of `com-sta` have.
pub const CAUSALITY: &str = "7c0e5a11-93d2-4b68-8f27-51d6a0c4e39b";

/// The endpoint of Explorer's objects.
pub const EXPLORER_OBJECTS: &str = "OLE8D2C4B6A0F1E3D5C7B9A81726354";
/// The endpoint of the objects of `excel.exe`.
pub const EXCEL_OBJECTS: &str = "OLE3F5A7C9E1B2D4F6081A3C5E7092B";
/// An endpoint without a name of its own.
pub const UNNAMED_SERVICE: &str = "LRPC-1b7e93c5d0a24f68e1";
/// The endpoint that a console host of Windows 7 has, which is not of the RPC runtime.
pub const CONSOLE: &str = "console-0000000000000b2c-lpc-handle";

/// What a message of [`calls`] says, the same for every kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Said {
    /// Its name in the cast.
    pub name: &'static str,
    /// The full name of the connection port that it goes through.
    pub port: &'static str,
    /// The image of the port's owner.
    pub server: &'static str,
    /// The procedure that an LRPC request calls; `None` for all else.
    pub opnum: Option<u32>,
    /// The binding that an LRPC request names.
    pub binding: Option<u32>,
    /// The interface that is meant, whether or not the world proves it.
    pub interface: Option<&'static str>,
}

const NTSVCS: &str = "\\RPC Control\\ntsvcs";
const LSASS: &str = "\\RPC Control\\lsasspirpc";
const EVENT_LOG: &str = "\\RPC Control\\eventlog";
const SERVICE: &str = "\\RPC Control\\LRPC-1b7e93c5d0a24f68e1";
const EXPLORER: &str = "\\RPC Control\\OLE8D2C4B6A0F1E3D5C7B9A81726354";
const EXCEL: &str = "\\RPC Control\\OLE3F5A7C9E1B2D4F6081A3C5E7092B";
const API_PORT: &str = "\\Windows\\ApiPort";

/// What every message of [`calls`] says that is not a bind.
pub const SAID: [Said; 31] = [
    call("svcctl-proven", NTSVCS, "services.exe", 16, 1, Some(SVCCTL)),
    call("svcctl-inferred", NTSVCS, "services.exe", 16, 5, Some(SVCCTL)),
    call(
        "svcctl-other-connection",
        NTSVCS,
        "services.exe",
        16,
        3,
        Some(SVCCTL),
    ),
    call("lookup 0", LSASS, "lsass.exe", 76, 1, Some(LSARPC)),
    call("lookup 1", LSASS, "lsass.exe", 76, 1, Some(LSARPC)),
    call("lookup 2", LSASS, "lsass.exe", 76, 1, Some(LSARPC)),
    call("lookup 3", LSASS, "lsass.exe", 76, 1, Some(LSARPC)),
    call("lookup 4", LSASS, "lsass.exe", 77, 1, Some(LSARPC)),
    call("lookup 5", LSASS, "lsass.exe", 77, 1, Some(LSARPC)),
    call("contradicting-binds", SERVICE, "svchost.exe", 2, 1, None),
    call("view", EVENT_LOG, "svchost.exe", 5, 1, Some(EVENTLOG)),
    call("view-lie", EVENT_LOG, "svchost.exe", 5, 1, None),
    call("extension", EVENT_LOG, "svchost.exe", 5, 1, Some(EVENTLOG)),
    call("impostor", "\\RPC Control\\spoolss", "evil.exe", 17, 1, None),
    call("com-sta", EXPLORER, "explorer.exe", 5, 3, None),
    call("com-sta onward", EXCEL, "excel.exe", 7, 2, None),
    call("com-mta", EXPLORER, "explorer.exe", 6, 4, Some(DISPATCH)),
    call("com-foreign-pid", EXPLORER, "explorer.exe", 3, 3, None),
    call("com-extensions", EXPLORER, "explorer.exe", 4, 3, None),
    call("sspi", "\\RPC Control\\samss lpc", "lsass.exe", 3, 1, Some(SSPI)),
    other("refused-bind", SERVICE, "svchost.exe"),
    other("csr", API_PORT, "csrss.exe"),
    other("csr-lookalike", API_PORT, "csrss.exe"),
    other("sm", "\\SmApiPort", "smss.exe"),
    other("wer", "\\WindowsErrorReportingServicePort", "svchost.exe"),
    other("theme", "\\ThemeApiPort", "svchost.exe"),
    other(
        "lpc-console",
        "\\RPC Control\\console-0000000000000b2c-lpc-handle",
        "conhost.exe",
    ),
    other("response", NTSVCS, "services.exe"),
    other("fault", NTSVCS, "services.exe"),
    other("cancel", EVENT_LOG, "svchost.exe"),
    other("response-view", NTSVCS, "services.exe"),
];

const fn call(
    name: &'static str,
    port: &'static str,
    server: &'static str,
    opnum: u32,
    binding: u32,
    interface: Option<&'static str>,
) -> Said {
    Said {
        name,
        port,
        server,
        opnum: Some(opnum),
        binding: Some(binding),
        interface,
    }
}

const fn other(name: &'static str, port: &'static str, server: &'static str) -> Said {
    Said {
        name,
        port,
        server,
        opnum: None,
        binding: None,
        interface: None,
    }
}

/// What [`SAID`] has of a name.
///
/// # Panics
/// Where it has nothing.
#[must_use]
pub fn said(name: &str) -> Said {
    let found = SAID.into_iter().find(|said| said.name == name);
    found.unwrap_or_else(|| panic!("nothing is said of {name}"))
}

/// A client's thread, and its connection.
#[derive(Clone, Copy, Debug)]
struct Line {
    thread: Va,
    port: Va,
    connection: Connection,
}

/// A stage whose messages have contents.
struct Talk {
    stage: Stage,
    /// The process that most clients are in.
    client: Va,
    /// The number of the last call.
    calls: u32,
    /// Where the next message is to be; NULL for anywhere.
    next_at: Va,
}

impl Talk {
    fn new(kernel: &str) -> Self {
        let mut stage = Stage::new(kernel);
        let client = stage.process("winword.exe");
        Talk {
            stage,
            client,
            calls: 0,
            next_at: Va::NULL,
        }
    }

    fn width(&self) -> u64 {
        self.stage.world.pointer_size()
    }

    /// A port outside of the directory of the RPC runtime.
    fn system_port(&mut self, owner: Va, directory: Va, name: &str) -> Va {
        let port = ports::make(&mut self.stage.world, owner, directory, name);
        self.stage.name(name, port)
    }

    /// An endpoint of the RPC runtime, with the attributes that it asks for.
    fn endpoint(&mut self, owner: Va, name: &str) -> Va {
        let port = self.stage.port(owner, name);
        self.stage.world.port_mut(port).attributes.flags = 0x0209_0000;
        port
    }

    /// Connects `thread` to a port. The cast has the thread as `<name> client`, and the communication info as `<name>
    /// connection`.
    fn connect(&mut self, name: &str, thread: Va, port: Va) -> Line {
        let client = self.stage.world.truth.thread(thread).process;
        let connection = self.stage.world.connect(ConnectionSpec {
            to: port,
            client,
            ..ConnectionSpec::default()
        });
        let attributes = self.stage.world.truth.port(port).attributes;
        for end in [connection.client, connection.server] {
            self.stage.world.port_mut(end).attributes = attributes;
        }
        self.stage.name(&format!("{name} client"), thread);
        self.stage.name(&format!("{name} connection"), connection.info);
        Line {
            thread,
            port,
            connection,
        }
    }

    /// A new thread of the common client, connected.
    fn client(&mut self, name: &str, port: Va) -> Line {
        let thread = self.stage.thread(self.client, &format!("{name} client"));
        self.connect(name, thread, port)
    }

    /// A thread that receives what `name` sends, and waits for an event.
    fn worker(&mut self, name: &str, port: Va) -> Va {
        let owner = self.stage.world.truth.port(port).owner;
        self.stage.thread(owner, &format!("{name} server"))
    }

    /// The ids of a thread, as a port message has them.
    fn ids(&self, thread: Va) -> (u64, u64) {
        let thread = self.stage.world.truth.thread(thread);
        (thread.pid, thread.tid)
    }

    /// Sends `data`; nobody waits. `server` has received it, or it is still queued.
    fn post(&mut self, name: &str, line: Line, type_word: u16, data: &[u8], server: Option<Va>) -> Va {
        let client_id = self.ids(line.thread);
        let address = std::mem::take(&mut self.next_at);
        let world = &mut self.stage.world;
        let message = world.message(Message {
            address,
            type_word,
            client_id,
            owner_port: line.connection.client,
            server_thread: server.unwrap_or(Va::NULL),
            ..Message::default()
        });
        world.extend(message, data);
        let queue = if server.is_some() {
            Queue::Pending
        } else {
            Queue::Main
        };
        world.enqueue(message, queue, line.port);
        self.stage.name(name, message)
    }

    /// Sends `data`, and the client waits for the reply.
    fn ask(&mut self, name: &str, line: Line, data: &[u8], server: Option<Va>) -> Va {
        let type_word = kind::REQUEST | kind::CONTINUATION_REQUIRED;
        let message = self.post(name, line, type_word, data, server);
        self.stage.world.wait_for_reply(line.thread, message);
        message
    }

    /// A new client sends `data` to a port, where a thread of its own has received it.
    fn served(&mut self, name: &str, port: Va, data: &[u8]) -> Va {
        let line = self.client(name, port);
        let server = self.worker(name, port);
        self.ask(name, line, data, Some(server))
    }

    /// A request with a call id that is new, and arguments.
    fn request(&mut self, opnum: u32, binding: u32) -> Request {
        self.calls += 1;
        Request {
            call_id: self.calls,
            binding,
            opnum,
            arguments: vec![0x11; 0x28],
            ..Request::default()
        }
    }

    /// The request that [`SAID`] tells of.
    fn of(&mut self, name: &str) -> Request {
        let said = said(name);
        self.request(said.opnum.expect("a request"), said.binding.expect("a request"))
    }

    /// What a server answers to a bind: 64-bit ones choose NDR64, which has the second of the ids.
    fn granted(&self, interface: &str, version: (u16, u16), binding: u16) -> Bind {
        let wide = self.width() == 8;
        Bind {
            interface: uuid(interface),
            version,
            syntaxes: if wide { syntax::NDR64 } else { syntax::NDR },
            ids: if wide {
                [binding - 1, binding, 0]
            } else {
                [binding, 0, 0]
            },
            ..Bind::default()
        }
    }

    /// The message of a bind that was answered by `server` and freed. With `port_kept` it still names the connection
    /// port.
    fn bound(&mut self, name: &str, line: Line, server: Va, bind: &Bind, port_kept: bool) -> Va {
        self.calls += 1;
        let answer = Message {
            type_word: kind::REPLY,
            client_id: self.ids(server),
            callback_id: 0x0002_0e00 + self.calls,
            communication_info: line.connection.info,
            connection_port: if port_kept { line.port } else { Va::NULL },
            ..Message::default()
        };
        let message = self.stage.world.cached_message(answer, &bind.bytes());
        self.stage.name(name, message)
    }

    /// A message that the server sends to the client's port, where nobody has fetched it yet.
    fn reply(&mut self, name: &str, port: Va, data: &[u8]) {
        let line = self.client(name, port);
        let server = self.worker(name, port);
        let client_id = self.ids(server);
        let world = &mut self.stage.world;
        let message = world.message(Message {
            type_word: kind::REPLY,
            client_id,
            owner_port: line.connection.server,
            ..Message::default()
        });
        world.extend(message, data);
        world.enqueue(message, Queue::Main, line.connection.client);
        self.stage.name(name, message);
    }

    /// The LOCALTHIS of a call by `thread`.
    fn local_this(&self, thread: Va) -> LocalThis {
        let build = self.stage.world.truth.build;
        LocalThis {
            trace_activity: uuid("2f6a18d0-47be-4c93-a0f5-6d8e7b1c3209"),
            call_id: uuid("e81d27c4-5a60-4f3b-9b12-0c7f46a5d38e"),
            ..LocalThis::new(Generation::of(build), self.ids(thread).1)
        }
    }

    /// What a COM call of the thread of `line` says: `name`'s procedure, of an object of `process` in `apartment`.
    fn com(&mut self, name: &str, line: Line, process: Va, apartment: Apartment, this: &OrpcThis) -> Request {
        let ipid = Ipid {
            index: 0x8400 + 0x402 * self.calls,
            pid: self.stage.world.truth.process(process).pid,
            apartment,
            tail: [0x5a, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77],
        };
        let local = self.local_this(line.thread);
        Request {
            object: Some(ipid.bytes()),
            arguments: [this.bytes(), local.bytes(), vec![0xab; 8]].concat(),
            ..self.of(name)
        }
    }
}

/// A system in which every sort of call waits, each with a client of its own.
///
/// Of each `<name>` of [`SAID`] the cast has the message by that name, the sender's thread as `<name> client`, the
/// thread that has received it as `<name> server` (where one has), and the communication info as `<name> connection`.
/// Connection ports are there by their own names, without their directory. All threads that serve wait for an event.
///
/// * `svcctl-proven`: its bind's answer is left, as `svcctl-proven bind`, and names no connection port any more.
///   `svcctl-inferred`: no bind of that number is left. `svcctl-other-connection`: a bind of that number is left of
///   the connection `svcctl-other-bound connection` to the same port, as `svcctl-other-connection bind`.
/// * `lookup 0` to `lookup 5`: nobody has received them, and `lookup server 0` and `1`, which are all threads of the
///   port's completion port `lookup queue`, wait for events.
/// * `contradicting-binds`: of its connection two binds with its number are left, `contradicting-binds bind 0`
///   ([`SCHEDULER`]) and `1` ([`DHCP`]).
/// * `refused-bind`: a bind that waits for its answer; of its connection a refused one is left as `refused-bind
///   answer`.
/// * `csr`, `csr-lookalike` (everything is as in an LRPC request), `sm`, `wer`, `theme` and `lpc-console` (both LRPC
///   requests by their bytes): not of the RPC runtime.
/// * `view`, `view-lie` (the message has no view), `extension` (its arguments do not fit behind the message),
///   `impostor` (a known endpoint of an unknown program).
/// * `response`, `response-view` and `fault`: in the main queue of the client's port, their `client`s wait for events.
///   `cancel`: a datagram that nobody has received.
/// * `com-sta`: to an object of the apartment of `com-sta apartment`. That thread waits for an event, and has sent
///   `com-sta onward` without waiting for it, with the same causality id ([`CAUSALITY`]), to an object of the apartment
///   of `com-sta end`, which waits for an event as well.
/// * `com-mta`: its bind's answer is left, as `com-mta bind`, for [`DISPATCH`]. `com-foreign-pid`: the object is said to
///   be of another process. `com-extensions`: extensions stand before the part that is local.
#[must_use]
pub fn calls(kernel: &str) -> Scene {
    let mut talk = Talk::new(kernel);
    let port = service_control(&mut talk);
    replies(&mut talk, port);
    lookups(&mut talk);
    binds(&mut talk);
    system_ports(&mut talk);
    event_log(&mut talk);
    impostor(&mut talk);
    com_calls(&mut talk);
    security_provider(&mut talk);
    talk.stage.finish()
}

/// Returns the port, for more to go through.
fn service_control(talk: &mut Talk) -> Va {
    let services = talk.stage.system.services;
    let port = talk.endpoint(services, "ntsvcs");
    let request = talk.of("svcctl-proven");
    let line = talk.client("svcctl-proven", port);
    let server = talk.worker("svcctl-proven", port);
    let bind = talk.granted(SVCCTL, (2, 0), 1);
    talk.bound("svcctl-proven bind", line, server, &bind, false);
    talk.ask("svcctl-proven", line, &request.bytes(), Some(server));

    let request = talk.of("svcctl-inferred");
    talk.served("svcctl-inferred", port, &request.bytes());

    let bound = talk.client("svcctl-other-bound", port);
    let request = talk.of("svcctl-other-connection");
    talk.served("svcctl-other-connection", port, &request.bytes());
    let bind = talk.granted(SVCCTL, (2, 0), 3);
    talk.bound("svcctl-other-connection bind", bound, server, &bind, true);
    port
}

/// A call of a security package, inside of one of the interface that carries them: `CallPackage`.
fn security_provider(talk: &mut Talk) {
    let lsass = talk.stage.system.lsass;
    let port = talk.endpoint(lsass, "samss lpc");
    let request = Request {
        arguments: sspi::Call {
            api: 1,
            length: 0x178,
            ..sspi::Call::default()
        }
        .arguments(),
        ..talk.of("sspi")
    };
    let line = talk.client("sspi", port);
    let server = talk.worker("sspi", port);
    let bind = talk.granted(SSPI, (1, 0), 1);
    talk.bound("sspi bind", line, server, &bind, true);
    talk.ask("sspi", line, &request.bytes(), Some(server));
}

fn lookups(talk: &mut Talk) {
    let lsass = talk.stage.system.lsass;
    let port = talk.endpoint(lsass, "lsasspirpc");
    let queue = talk.stage.world.completion_port();
    talk.stage.name("lookup queue", queue);
    talk.stage.world.port_mut(port).completion_port = queue;
    for number in 0..2 {
        let server = talk.stage.thread(lsass, &format!("lookup server {number}"));
        talk.stage.world.serve(server, queue, false);
    }
    for number in 0..6 {
        let name = format!("lookup {number}");
        let request = talk.of(&name);
        let line = talk.client(&name, port);
        talk.ask(&name, line, &request.bytes(), None);
    }
}

fn binds(talk: &mut Talk) {
    let netsvcs = talk.stage.system.netsvcs;
    let port = talk.endpoint(netsvcs, UNNAMED_SERVICE);
    let line = talk.client("contradicting-binds", port);
    let server = talk.worker("contradicting-binds", port);
    for (number, interface) in [SCHEDULER, DHCP].into_iter().enumerate() {
        let bind = talk.granted(interface, (1, 0), 1);
        let name = format!("contradicting-binds bind {number}");
        talk.bound(&name, line, server, &bind, true);
    }
    let request = talk.of("contradicting-binds");
    talk.ask("contradicting-binds", line, &request.bytes(), Some(server));

    let line = talk.client("refused-bind", port);
    let server = talk.worker("refused-bind", port);
    let offered = Bind {
        syntaxes: syntax::NDR | syntax::NDR64,
        ids: [6, 7, 0],
        ..talk.granted(SVCCTL, (2, 0), 1)
    };
    let refused = Bind {
        status: lrpc::status::UNKNOWN_INTERFACE,
        syntaxes: 0,
        ids: [0; 3],
        ..offered.clone()
    };
    talk.bound("refused-bind answer", line, server, &refused, true);
    talk.ask("refused-bind", line, &offered.bytes(), Some(server));
}

fn system_ports(talk: &mut Talk) {
    let System {
        smss,
        csrss,
        netsvcs,
        windows,
        ..
    } = talk.stage.system;
    let (root, width) = (talk.stage.world.root(), talk.width());
    let port = talk.system_port(csrss, windows, "ApiPort");
    let create_process = Csr {
        server: server::BASESRV,
        number: 0,
        arguments: vec![0x22; 0x40],
        ..Csr::default()
    };
    talk.served("csr", port, &create_process.whole(width));
    talk.served("csr-lookalike", port, &lookalike(width).whole(width));

    let port = talk.system_port(smss, root, "SmApiPort");
    let execute = SessionManager {
        number: 3,
        arguments: vec![0; 0x40],
        ..SessionManager::default()
    };
    talk.served("sm", port, &execute.bytes());

    let port = talk.system_port(netsvcs, root, "WindowsErrorReportingServicePort");
    let report = ErrorReport {
        message: ErrorReport::ELEVATED_PROCESS,
        ..ErrorReport::default()
    };
    talk.served("wer", port, &report.bytes());

    let like_lrpc = talk.request(4, 1).bytes();
    let port = talk.system_port(netsvcs, root, "ThemeApiPort");
    talk.served("theme", port, &like_lrpc);
    let host = talk.stage.process("conhost.exe");
    let port = talk.stage.port(host, CONSOLE);
    talk.served("lpc-console", port, &like_lrpc);
}

/// A call of csrss that by its bytes is an LRPC request: of binding 1, procedure 19. The first function of CSRSRV has
/// the number 0, which stands where the flags or the padding are.
fn lookalike(width: u64) -> Csr {
    let (binding, opnum) = (1, 19);
    let same = Csr {
        server: server::CSRSRV,
        return_value: 2,
        ..Csr::default()
    };
    if width == 8 {
        Csr {
            reserved: binding | opnum << 32,
            ..same
        }
    } else {
        Csr {
            reserved: 5,
            arguments: (binding | opnum << 32).to_le_bytes().to_vec(),
            ..same
        }
    }
}

fn event_log(talk: &mut Talk) {
    let host = talk.stage.process("svchost.exe");
    let port = talk.endpoint(host, "eventlog");
    for name in ["view", "view-lie"] {
        let request = Request {
            view_length: Some(0x2_3450),
            arguments: Vec::new(),
            ..talk.of(name)
        };
        let message = talk.served(name, port, &request.bytes());
        if name == "view" {
            let world = &mut talk.stage.world;
            let owner = world.truth.message(message).owner_port;
            let section = world.section(owner, 0x3_0000);
            let region = world.region(section, 0, 0x3_0000);
            let view = world.view(region, owner, Va(0x0160_0000), true);
            world.message_mut(message).view = view;
            talk.stage.name("view attribute", view);
        }
    }
    let request = Request {
        arguments: (0..=u8::MAX).cycle().take(0x300).collect(),
        ..talk.of("extension")
    };
    talk.served("extension", port, &request.bytes());
    let line = talk.client("cancel", port);
    let cancel = Cancel { call_id: 4 };
    talk.post("cancel", line, kind::DATAGRAM, &cancel.bytes(), None);
}

fn impostor(talk: &mut Talk) {
    let evil = talk.stage.process("evil.exe");
    let port = talk.endpoint(evil, "spoolss");
    let request = talk.of("impostor");
    talk.served("impostor", port, &request.bytes());
}

fn replies(talk: &mut Talk, port: Va) {
    let response = Response {
        call_id: 7,
        results: vec![0; 4],
        ..Response::default()
    };
    talk.reply("response", port, &response.bytes());
    let in_view = Response {
        call_id: 8,
        view_length: Some(0x1234),
        ..Response::default()
    };
    talk.reply("response-view", port, &in_view.bytes());
    let fault = Fault {
        status: lrpc::status::ACCESS_DENIED,
        extended: None,
    };
    talk.reply("fault", port, &fault.bytes());
}

fn com_calls(talk: &mut Talk) {
    let explorer = talk.stage.system.explorer;
    let excel = talk.stage.process("excel.exe");
    let near = talk.endpoint(explorer, EXPLORER_OBJECTS);
    let far = talk.endpoint(excel, EXCEL_OBJECTS);
    let apartment = talk.stage.thread(explorer, "com-sta apartment");
    let end = talk.stage.thread(excel, "com-sta end");
    let this = OrpcThis {
        causality: uuid(CAUSALITY),
        ..OrpcThis::default()
    };

    let line = talk.client("com-sta", near);
    let of = Apartment::Sta(talk.ids(apartment).1);
    let request = talk.com("com-sta", line, explorer, of, &this);
    let server = talk.worker("com-sta", near);
    talk.ask("com-sta", line, &request.bytes(), Some(server));

    // The apartment's thread goes on to handle its window's messages while its call is away, so that it waits for an
    // event and not for the reply. The reply is wanted all the same: the type says so.
    let line = talk.connect("com-sta onward", apartment, far);
    let of = Apartment::Sta(talk.ids(end).1);
    let request = talk.com("com-sta onward", line, excel, of, &this);
    let server = talk.worker("com-sta onward", far);
    let type_word = kind::REQUEST | kind::CONTINUATION_REQUIRED;
    talk.post("com-sta onward", line, type_word, &request.bytes(), Some(server));
    com_others(talk, near, excel);
}

fn com_others(talk: &mut Talk, port: Va, stranger: Va) {
    let explorer = talk.stage.system.explorer;
    // What a debugger has extended the calls of a process with.
    let extended = OrpcThis {
        extensions: vec![(uuid("f1f19680-4d2a-11ce-a66a-0020af6e72f4"), vec![0xee; 0x10])],
        ..OrpcThis::default()
    };
    for (number, (name, of, this)) in (0u8..).zip([
        ("com-mta", explorer, OrpcThis::default()),
        ("com-foreign-pid", stranger, OrpcThis::default()),
        ("com-extensions", explorer, extended),
    ]) {
        let this = OrpcThis {
            causality: [0x30 + number; 16],
            ..this
        };
        let line = talk.client(name, port);
        let server = talk.worker(name, port);
        if name == "com-mta" {
            let bind = talk.granted(DISPATCH, (0, 0), 4);
            talk.bound("com-mta bind", line, server, &bind, true);
        }
        let request = talk.com(name, line, of, Apartment::Mta, &this);
        talk.ask(name, line, &request.bytes(), Some(server));
    }
}

/// Requests of which a dump has a part. The cast has each message by its name, and its first missing byte as `<name>
/// hole`.
///
/// * `object-missing`: the page ends before the object UUID. `arguments-missing`: it ends before the arguments, so the
///   header is whole.
/// * `data-missing`: none of the data is there, but where messages begin at multiples of 16 and their structure does
///   not end at one: its first eight bytes are then.
/// * `extension-missing`: the arguments go on in a buffer whose page is not there.
#[must_use]
pub fn holed(kernel: &str) -> Scene {
    let mut talk = Talk::new(kernel);
    let services = talk.stage.system.services;
    let port = talk.endpoint(services, "ntsvcs");
    // Far behind all that is allocated.
    let free = talk.stage.world.allocate_pages(Pool::Paged, 1) + 0x100_0000;
    let mut holes = Vec::new();
    for (place, (name, data)) in (0u64..).zip([
        ("object-missing", 0x20),
        ("arguments-missing", lrpc::REQUEST_HEADER),
        ("data-missing", 0),
    ]) {
        let request = Request {
            object: Some([0x77; 16]),
            ..talk.request(16, 1)
        };
        let hole = free + 0x10_0000 * place + PAGE_SIZE;
        // Entries of the message table have no room for the lowest bits of an address.
        let unit = 2 * talk.width();
        let address = Va((hole - talk.stage.world.kernel.size("_KALPC_MESSAGE") - data).0 / unit * unit);
        talk.next_at = address;
        talk.served(name, port, &request.bytes());
        talk.stage.name(&format!("{name} hole"), hole);
        holes.push((
            hole,
            if place == 1 {
                Backing::PageFile
            } else {
                Backing::LeftOut
            },
        ));
    }
    let request = Request {
        arguments: vec![0x11; 0x300],
        ..talk.request(16, 1)
    };
    let message = talk.served("extension-missing", port, &[]);
    let world = &mut talk.stage.world;
    world.skip(Pool::Paged, PAGE_SIZE);
    // Whatever else is on the page is lost as well, so the buffer is alone there.
    world.extend(message, &request.bytes());
    world.skip(Pool::Paged, PAGE_SIZE);
    let buffer = world.truth.message(message).extension_buffer;
    talk.stage.name("extension-missing hole", buffer);
    holes.push((buffer, Backing::LeftOut));
    let mut scene = talk.stage.finish();
    for (hole, backing) in holes {
        scene.built.memory.set_backing(hole, backing);
    }
    scene
}
