//! The worlds of remote procedure calls, read back with nothing but the layout: of 64-bit kernels from a dump, of
//! others from memory.

mod plain;

use plain::{Plain, u32_at, u64_at};
use synth::address::Va;
use synth::dump::Kind;
use synth::layout::Kernel;
use synth::machine::Machine;
use synth::world::Queue;
use synth::worlds::hang::Scene;
use synth::worlds::rpc::{self, SAID};

const MESSAGE: &str = "_KALPC_MESSAGE";

/// A scene, and its dump where the plain reading knows the machine's page tables.
struct Read {
    scene: Scene,
    plain: Option<Plain>,
}

impl Read {
    fn of(scene: Scene) -> Read {
        let plain = (scene.built.kernel.machine() == Machine::X64)
            .then(|| Plain::read(&scene.built.dump(Kind::BitmapKernel)));
        Read { scene, plain }
    }

    fn bytes(&self, at: Va, length: u64) -> Option<Vec<u8>> {
        match &self.plain {
            Some(plain) => plain.bytes(at.0, length),
            None => {
                let built = &self.scene.built;
                built
                    .is_readable(at, length)
                    .then(|| built.memory.read(at, length))
            }
        }
    }

    fn kernel(&self) -> &Kernel {
        &self.scene.built.kernel
    }

    fn width(&self) -> u64 {
        self.kernel().pointer_size()
    }

    fn get(&self, at: Va, of: &str, path: &str) -> u64 {
        let field = self.kernel().field(of, path);
        let bytes = self.bytes(at + field.offset, field.bytes).unwrap();
        bytes
            .iter()
            .rev()
            .fold(0, |value, &byte| value << 8 | u64::from(byte))
    }

    /// A pointer; those of 32 bits are sign-extended, as all addresses here.
    fn pointer(&self, at: Va, of: &str, path: &str) -> Va {
        let value = self.get(at, of, path);
        match self.width() {
            4 if value >= 0x8000_0000 => Va(value | 0xffff_ffff_0000_0000),
            _ => Va(value),
        }
    }

    fn at(&self, name: &str) -> Va {
        self.scene.at(name)
    }

    fn try_at(&self, name: &str) -> Option<Va> {
        self.scene.cast.get(name).copied()
    }

    /// The data of a message: what has room behind it, and the rest from the extension buffer.
    fn data(&self, name: &str) -> Vec<u8> {
        let at = self.at(name);
        let length = self.get(at, MESSAGE, "PortMessage.u1.s1.DataLength");
        let room = if self.width() == 8 { 0x200 } else { 0x100 };
        let behind = at + self.kernel().size(MESSAGE);
        let mut data = self.bytes(behind, length.min(room)).unwrap();
        if length > room {
            let buffer = self.pointer(at, MESSAGE, "ExtensionBuffer");
            assert!(self.get(at, MESSAGE, "ExtensionBufferSize") >= length - room);
            data.extend(self.bytes(buffer, length - room).unwrap());
        }
        data
    }

    fn kind(&self, at: Va) -> u64 {
        self.get(at, MESSAGE, "PortMessage.u2.s2.Type")
    }

    fn ids(&self, at: Va) -> (u64, u64) {
        let id = |path| self.get(at, MESSAGE, path);
        (
            id("PortMessage.ClientId.UniqueProcess"),
            id("PortMessage.ClientId.UniqueThread"),
        )
    }

    fn thread(&self, name: &str) -> (u64, u64) {
        let thread = self.scene.built.truth.thread(self.at(name));
        (thread.pid, thread.tid)
    }
}

fn each(make: fn(&str) -> Scene, check: impl Fn(&Read)) {
    for kernel in [
        "vista-sp2-x64",
        "win7-sp1-x64",
        "win8-x64",
        "win81-x64",
        "win10-1507-x64",
        "win10-2004-x64",
        "win11-22h2-x64",
        "win11-24h2-x64",
        "win11-22h2-la57-x64",
        "win11-21h2-arm64",
        "win7-sp1-x86",
        "win81-x86",
        "win10-2004-x86",
    ] {
        eprintln!("{kernel}");
        check(&Read::of(make(kernel)));
    }
}

#[test]
fn every_kernel_has_these_worlds() {
    for kernel in Kernel::names() {
        eprintln!("{kernel}");
        assert_eq!(rpc::calls(kernel).built.truth.kernel, kernel);
        assert_eq!(rpc::holed(kernel).built.truth.kernel, kernel);
    }
}

#[test]
fn messages_go_where_they_are_said_to_go() {
    each(rpc::calls, |read| {
        let truth = &read.scene.built.truth;
        for said in SAID {
            let at = read.at(said.name);
            let info = read.pointer(at, MESSAGE, "CommunicationInfo");
            assert_eq!(
                info,
                read.at(&format!("{} connection", said.name)),
                "{}",
                said.name
            );
            let port = read.pointer(info, "_ALPC_COMMUNICATION_INFO", "ConnectionPort");
            assert_eq!(read.pointer(at, MESSAGE, "ConnectionPort"), port);
            assert_eq!(truth.path(port).as_deref(), Some(said.port));
            let owner = read.pointer(port, "_ALPC_PORT", "OwnerProcess");
            assert_eq!(truth.process(owner).image, said.server);
            let server = read.try_at(&format!("{} server", said.name));
            let answer = ["response", "response-view", "fault"].contains(&said.name);
            let sender = if answer { "server" } else { "client" };
            assert_eq!(read.ids(at), read.thread(&format!("{} {sender}", said.name)));
            let waits = !answer && !["cancel", "com-sta onward"].contains(&said.name);
            let client = read.at(&format!("{} client", said.name));
            let waiting = if waits { client } else { Va::NULL };
            assert_eq!(
                read.pointer(at, MESSAGE, "WaitingThread"),
                waiting,
                "{}",
                said.name
            );
            let server = server.filter(|_| !answer).unwrap_or(Va::NULL);
            assert_eq!(read.pointer(at, MESSAGE, "ServerThread"), server, "{}", said.name);
            assert_eq!(truth.thread(client).alpc_wait, waits.then_some(at));
        }
    });
}

#[test]
fn requests_say_what_they_are_said_to_say() {
    each(rpc::calls, |read| {
        for said in SAID {
            let Some(opnum) = said.opnum else { continue };
            let data = read.data(said.name);
            assert_eq!(u64_at(&data, 0), 0, "{}: a request, padding", said.name);
            assert_eq!(u32_at(&data, 0x10), said.binding.unwrap(), "{}", said.name);
            assert_eq!(u32_at(&data, 0x14), opnum, "{}", said.name);
            assert_eq!(u64_at(&data, 0x18), 0, "{}", said.name);
            assert_eq!(read.kind(read.at(said.name)) & 0xff, 1, "LPC_REQUEST");
            let com = said.name.starts_with("com-");
            let view = said.name.starts_with("view");
            let flags = if com {
                1
            } else if view {
                4
            } else {
                0
            };
            assert_eq!(u32_at(&data, 8), flags, "{}", said.name);
            let attribute = read.pointer(read.at(said.name), MESSAGE, "MessageAttributes.View");
            assert_eq!(!attribute.is_null(), said.name == "view");
        }
        let data = read.data("extension");
        assert_eq!(data.len(), 0x340);
        assert!(
            data[0x40..]
                .iter()
                .zip((0..=u8::MAX).cycle())
                .all(|(&byte, told)| byte == told)
        );
        assert_eq!(read.data("view").len(), 0x48);
    });
}

#[test]
fn binds_are_left_of_messages_that_were_freed() {
    // Data1 of the interface, and the connection that it was for.
    let left = [
        ("svcctl-proven bind", 0x367a_bb81, 0, "svcctl-proven", false),
        (
            "svcctl-other-connection bind",
            0x367a_bb81,
            0,
            "svcctl-other-bound",
            true,
        ),
        (
            "contradicting-binds bind 0",
            0x86d3_5949,
            0,
            "contradicting-binds",
            true,
        ),
        (
            "contradicting-binds bind 1",
            0x3c47_28c5,
            0,
            "contradicting-binds",
            true,
        ),
        ("refused-bind answer", 0x367a_bb81, 1717, "refused-bind", true),
        ("com-mta bind", 0x0002_0400, 0, "com-mta", true),
    ];
    each(rpc::calls, |read| {
        let wide = read.width() == 8;
        for (name, interface, status, connection, port_kept) in left {
            let (at, data) = (read.at(name), read.data(name));
            assert_eq!((data.len(), u32_at(&data, 0)), (0x48, 1), "{name}");
            assert_eq!(u32_at(&data, 8), status, "{name}");
            assert_eq!(u32_at(&data, 0xc), interface, "{name}");
            let chosen = match (status, wide) {
                (0, true) => 2,
                (0, false) => 1,
                _ => 0,
            };
            assert_eq!(u32_at(&data, 0x20), chosen, "{name}");
            if status == 0 {
                let request = read.data(connection.replace("-bound", "-connection").as_str());
                let id = if wide { 0x26 } else { 0x24 };
                assert_eq!(u32::from(data[id]), u32_at(&request, 0x10), "{name}");
            }
            assert_eq!(read.kind(at), 2, "LPC_REPLY");
            assert_eq!(
                read.pointer(at, MESSAGE, "CommunicationInfo"),
                read.at(&format!("{connection} connection"))
            );
            let port = read.pointer(at, MESSAGE, "ConnectionPort");
            assert_eq!(!port.is_null(), port_kept, "{name}");
            for member in [
                "OwnerPort",
                "PortQueue",
                "WaitingThread",
                "ServerThread",
                "QuotaProcess",
                "ExtensionBuffer",
            ] {
                assert!(read.pointer(at, MESSAGE, member).is_null(), "{member} of {name}");
            }
            assert_eq!(read.get(at, MESSAGE, "u1.s1.QueueType") & 7, 0, "{name}");
            let id = read.get(at, MESSAGE, "PortMessage.MessageId");
            assert_eq!(id >> 31, 1, "{name} is kept for the next");
            assert_eq!(entry(read, id & 0x7fff_ffff), at, "{name}");
        }
        let waiting = read.data("refused-bind");
        assert_eq!((waiting.len(), waiting[0], waiting[0x20]), (0x48, 1, 3));
        assert_eq!(read.kind(read.at("refused-bind")) & 0xff, 1);
    });
}

/// What the message table has for a handle; it is of one level.
fn entry(read: &Read, handle: u64) -> Va {
    const ENTRY: &str = "_HANDLE_TABLE_ENTRY";
    let built = &read.scene.built;
    let table = built.truth.global.message_table;
    let code = read.pointer(table, "_HANDLE_TABLE", "TableCode");
    assert_eq!(code.0 & 3, 0, "one level");
    let at = code + handle / 4 * read.kernel().size(ENTRY);
    if !read.kernel().has(ENTRY, "ObjectPointerBits") {
        return Va(read.pointer(at, ENTRY, "Value").0 & !7);
    }
    let (position, bits) = read.kernel().field(ENTRY, "ObjectPointerBits").bit.unwrap();
    let value = read.get(at, ENTRY, "ObjectPointerBits") >> position << (64 - bits);
    // Sign-extended multiples of 16, or of 8 on 32-bit systems.
    let unit = if read.width() == 8 { 4 } else { 3 };
    let shift = 64 - u32::from(bits) - unit;
    Va(u64::from_le_bytes(
        (i64::from_le_bytes(value.to_le_bytes()) >> shift).to_le_bytes(),
    ))
}

#[test]
fn com_calls_name_process_apartment_and_caller() {
    each(rpc::calls, |read| {
        let truth = &read.scene.built.truth;
        let low = |id: u64| [id.to_le_bytes()[0], id.to_le_bytes()[1]];
        let pid = |image: &str| {
            let process = truth.processes.iter().find(|process| process.image == image);
            low(process.unwrap().pid)
        };
        let sta = |thread: &str| low(read.thread(thread).1);
        for (name, image, apartment) in [
            ("com-sta", "explorer.exe", sta("com-sta apartment")),
            ("com-sta onward", "excel.exe", sta("com-sta end")),
            ("com-mta", "explorer.exe", [0xff, 0xff]),
            ("com-foreign-pid", "excel.exe", [0xff, 0xff]),
            ("com-extensions", "explorer.exe", [0xff, 0xff]),
        ] {
            let data = read.data(name);
            assert_eq!(data[0x34..0x36], pid(image), "{name}");
            assert_eq!(data[0x36..0x38], apartment, "{name}");
            assert_eq!(data[0x40..0x44], [5, 0, 7, 0], "{name}: version 5.7");
            let extended = name == "com-extensions";
            assert_eq!(u32_at(&data, 0x5c) != 0, extended, "{name}");
            if !extended {
                let tid = read.thread(&format!("{name} client")).1;
                assert_eq!(u64::from(u32_at(&data, 0x64)), tid, "{name}");
                let arguments = match truth.build {
                    ..=9599 => 0x68,
                    9600..=10239 => 0x70,
                    10240..=16298 => 0xa0,
                    _ => 0xc0,
                };
                assert_eq!(data[arguments..], [0xab; 8], "{name}");
            }
        }
        let causality = |name: &str| read.data(name)[0x4c..0x5c].to_vec();
        assert_eq!(causality("com-sta"), causality("com-sta onward"));
        assert_ne!(causality("com-sta"), causality("com-mta"));
        assert_eq!(causality("com-sta")[..4], [0x11, 0x5a, 0x0e, 0x7c]);
        let (apartment, end) = (read.at("com-sta apartment"), read.at("com-sta end"));
        assert_eq!(read.at("com-sta onward client"), apartment);
        for thread in [apartment, end] {
            // WrUserRequest is another number: this is UserRequest.
            assert_eq!(truth.thread(thread).wait_reason, 6);
        }
    });
}

#[test]
fn system_ports_get_their_own_messages() {
    each(rpc::calls, |read| {
        let api = if read.width() == 8 { 8 } else { 4 };
        assert_eq!(u32_at(&read.data("csr"), api), 0x1_0000);
        let alike = read.data("csr-lookalike");
        assert_eq!(u64_at(&alike, 0), 0);
        assert_eq!(u32_at(&alike, 8) & !0x1cb, 0, "flags, no view among them");
        assert_eq!(
            (u32_at(&alike, 0x10), u32_at(&alike, 0x14), u64_at(&alike, 0x18)),
            (1, 19, 0)
        );
        assert_eq!(u64_at(&read.data("sm"), 0), 3);
        let report = read.data("wer");
        assert_eq!((report.len(), u32_at(&report, 0)), (0x550, 0x5000_0000));
        for name in ["theme", "lpc-console"] {
            let data = read.data(name);
            assert_eq!((u64_at(&data, 0), u32_at(&data, 0x14)), (0, 4));
        }
    });
}

#[test]
fn answers_wait_in_the_port_of_the_client() {
    each(rpc::calls, |read| {
        for (name, kind) in [("response", 3), ("response-view", 3), ("fault", 2)] {
            let at = read.at(name);
            assert_eq!((read.data(name)[0], read.kind(at)), (kind, 2));
            let info = read.at(&format!("{name} connection"));
            let port = read.pointer(info, "_ALPC_COMMUNICATION_INFO", "ClientCommunicationPort");
            assert_eq!(read.pointer(at, MESSAGE, "PortQueue"), port);
            assert_eq!(read.scene.built.truth.port(port).queue(Queue::Main), [at]);
        }
        let cancel = read.data("cancel");
        assert_eq!((cancel.len(), cancel[0], cancel[0xc]), (0x40, 4, 4));
        assert_eq!(read.kind(read.at("cancel")), 3, "LPC_DATAGRAM");
        let truth = &read.scene.built.truth;
        let lookups: Vec<Va> = (0..6)
            .map(|number| read.at(&format!("lookup {number}")))
            .collect();
        assert_eq!(truth.port(read.at("lsasspirpc")).queue(Queue::Main), lookups);
    });
}

#[test]
fn holes_begin_where_they_are_said_to() {
    each(rpc::holed, |read| {
        let size = read.kernel().size(MESSAGE);
        for (name, least) in [
            ("object-missing", 0x20),
            ("arguments-missing", 0x40),
            ("data-missing", 0),
        ] {
            let (at, hole) = (read.at(name), read.at(&format!("{name} hole")));
            assert_eq!(hole.offset(), 0);
            let there = hole - (at + size);
            assert!((least..=least + 8).contains(&there), "{name}: {there:#x} bytes");
            assert!(there == 0 || read.bytes(at + size, there).is_some(), "{name}");
            assert!(read.bytes(hole, 1).is_none(), "{name}");
            assert!(there <= 0x30 || name == "arguments-missing");
            assert_eq!(entry(read, read.get(at, MESSAGE, "PortMessage.MessageId")), at);
            assert_eq!(
                read.pointer(at, MESSAGE, "WaitingThread"),
                read.at(&format!("{name} client"))
            );
        }
        let at = read.at("extension-missing");
        let buffer = read.pointer(at, MESSAGE, "ExtensionBuffer");
        assert_eq!(buffer, read.at("extension-missing hole"));
        assert!(read.bytes(buffer, 1).is_none());
        let header = read.bytes(at + size, 0x40).unwrap();
        assert_eq!((u32_at(&header, 0), u32_at(&header, 0x14)), (0, 16));
    });
}
