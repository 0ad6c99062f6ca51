//! Ports that let in different callers, processes of different users, and messages whose sender a server may become.

use std::collections::BTreeMap;

use super::hang::Scene;
use super::{stopped_by_hand, system};
use crate::address::Va;
use crate::memory::Backing;
use crate::world::{
    ConnectionSpec, Entries, Entry, Message, Port, Queue, Thread, TokenSpec, World, descriptor_bytes, kind,
};

const EVERYONE: &str = "S-1-1-0";
const ANONYMOUS: &str = "S-1-5-7";
const AUTHENTICATED: &str = "S-1-5-11";
const ADMINISTRATORS: &str = "S-1-5-32-544";
const USERS: &str = "S-1-5-32-545";
const PACKAGES: &str = "S-1-15-2-1";
const SYSTEM: &str = "S-1-5-18";

/// The user who sits at the machine.
pub const USER: &str = "S-1-5-21-1004336348-1177238915-682003330-1001";

/// The package of the application in an AppContainer.
pub const PACKAGE: &str =
    "S-1-15-2-1609473798-1231923017-684268153-4268514328-882773646-2760585773-1760938157";

/// `Exists @User.a`, with the letters that conditions begin with.
const CONDITION: &[u8] = b"artx\xf9\x02\0\0\0a\0\x87";

/// Ports by name: their DACL, their SACL, and what comes out for Everyone, for an AppContainer, and at low integrity:
/// `+` let in, `-` kept out, `?` undecided. By MS-DTYP 2.5.3.2, worked out by hand.
pub const PORTS: [(&str, Entries, Entries, &str); 11] = [
    (
        "open",
        Entries::Of(&[
            Entry::of(0, 0x1f_0001, SYSTEM),
            Entry::of(0, 1, EVERYONE),
            Entry::of(0, 1, PACKAGES),
        ]),
        Entries::Absent,
        "+++",
    ),
    (
        "world",
        Entries::Of(&[Entry::of(0, 0x2_0001, EVERYONE)]),
        Entries::Absent,
        "+-+",
    ),
    ("empty", Entries::Of(&[]), Entries::Absent, "---"),
    ("null", Entries::Null, Entries::Absent, "+?+"),
    (
        "administrators",
        Entries::Of(&[Entry::of(0, 0x1f_0001, ADMINISTRATORS)]),
        Entries::Absent,
        "---",
    ),
    (
        "authenticated",
        Entries::Of(&[Entry::of(0, 0x8000_0000, AUTHENTICATED)]),
        Entries::Absent,
        "--+",
    ),
    (
        "denied",
        Entries::Of(&[Entry::of(1, 1, EVERYONE), Entry::of(0, 1, EVERYONE)]),
        Entries::Absent,
        "---",
    ),
    (
        "condition",
        Entries::Of(&[Entry {
            kind: 9,
            flags: 0,
            mask: 1,
            sid: EVERYONE,
            data: CONDITION,
        }]),
        Entries::Absent,
        "?-?",
    ),
    (
        "anonymous",
        Entries::Of(&[Entry::of(0, 1, ANONYMOUS), Entry::of(0, 1, USERS)]),
        Entries::Of(&[Entry::of(0x11, 1, "S-1-16-4096")]),
        "--+",
    ),
    (
        "high",
        Entries::Of(&[Entry::of(0, 1, EVERYONE)]),
        Entries::Of(&[Entry::of(0x11, 3, "S-1-16-12288")]),
        "---",
    ),
    (
        "writable",
        Entries::Of(&[Entry::of(0, 0x4_0001, USERS)]),
        Entries::Absent,
        "--+",
    ),
];

/// A machine with a service of the system (`lsass`), a user's program (`explorer`) and an application that is kept low
/// (`application`); the service's [`PORTS`], one without descriptor (`none`), one whose descriptor is paged out (`paged`) and
/// one without a name; and three messages that the service handles: by `attribute`, `static` and `dynamic` security.
///
/// # Panics
/// Where the layout extract has no kernel of this name.
#[must_use]
pub fn accounts(kernel: &str) -> Scene {
    let mut world = World::new(kernel, 0x0dac);
    let system = system::boot(&mut world);
    let mut cast = BTreeMap::new();
    make_tokens(&mut world, &system, &mut cast);
    make_ports(&mut world, &system, &mut cast);
    make_messages(&mut world, &system, &mut cast);
    for (name, process) in [
        ("lsass", system.lsass),
        ("explorer", system.explorer),
        ("application", system.application),
    ] {
        cast.insert(name.to_owned(), process);
    }
    let paged = cast["paged-descriptor"];
    let mut built = world.compile(|world, header| {
        header.rip = world.code(0x42);
        header.rsp = system.idle_stack(world);
        stopped_by_hand(world, header);
    });
    built.memory.set_backing(paged, Backing::PageFile);
    Scene { built, cast }
}

fn make_tokens(world: &mut World, system: &system::System, cast: &mut BTreeMap<String, Va>) {
    let service = world.token(&TokenSpec {
        groups: vec![
            (SYSTEM, 0),
            (ADMINISTRATORS, 0xe),
            (EVERYONE, 7),
            (AUTHENTICATED, 7),
        ],
        integrity: Some(0x4000),
        privileges: [0x1_2000_0084, 0x1_2000_0080, 0x80],
        flags: 0x2000,
        logon: 0x3e7,
        account: Some(("SYSTEM", "NT AUTHORITY")),
        source: b"*SYSTEM*",
        ..TokenSpec::default()
    });
    let user = TokenSpec {
        groups: vec![
            (USER, 0),
            (EVERYONE, 7),
            (ADMINISTRATORS, 0x10),
            (USERS, 7),
            ("S-1-5-4", 7),
            (AUTHENTICATED, 7),
            ("S-1-5-5-0-54321", 0xc000_0007),
        ],
        integrity: Some(0x2000),
        privileges: [0x80_0000, 0x80_0000, 0x80_0000],
        session: 1,
        flags: 0x2a00,
        logon: 0x3_55d9,
        account: Some(("alice", "DESKTOP-7")),
        source: b"User32 \0",
        ..TokenSpec::default()
    };
    let low = TokenSpec {
        integrity: Some(0x1000),
        package: Some(PACKAGE),
        capabilities: vec!["S-1-15-3-1"],
        flags: if world.has("_TOKEN", "Package") { 0x4000 } else { 0 },
        ..user.clone()
    };
    let client = TokenSpec {
        impersonation: Some(2),
        restricted: vec!["S-1-5-12"],
        flags: 0x10,
        ..user.clone()
    };
    let tampered = TokenSpec {
        privileges: [0x80_0000, 0x90_0000, 0],
        ..user.clone()
    };
    let user = world.token(&user);
    let low = world.token(&low);
    for (name, token) in [
        ("service-token", service),
        ("user-token", user),
        ("low-token", low),
    ] {
        cast.insert(name.to_owned(), token);
    }
    let client = world.token(&client);
    cast.insert("client-token".to_owned(), client);
    let tampered = world.token(&tampered);
    cast.insert("tampered-token".to_owned(), tampered);
    world.run_as(system.lsass, service);
    world.protection(system.lsass, 0x41);
    world.run_as(system.explorer, user);
    world.run_as(system.application, low);
}

fn make_ports(world: &mut World, system: &system::System, cast: &mut BTreeMap<String, Va>) {
    let mut make = |world: &mut World, name: &str| {
        let port = Port {
            owner: system.lsass,
            ..Port::default()
        };
        let port = world.connection_port(port, system.rpc_control, name);
        cast.insert(name.to_owned(), port);
        port
    };
    for (name, dacl, sacl, _) in PORTS {
        let port = make(world, name);
        let descriptor = world.descriptor(&descriptor_bytes(SYSTEM, SYSTEM, dacl, sacl));
        world.protect(port, descriptor);
    }
    make(world, "none");
    let paged = make(world, "paged");
    world.skip(crate::world::Pool::Paged, crate::address::PAGE_SIZE);
    let open = PORTS[0].1;
    let descriptor = world.descriptor(&descriptor_bytes(SYSTEM, SYSTEM, open, Entries::Absent));
    world.skip(crate::world::Pool::Paged, crate::address::PAGE_SIZE);
    world.protect(paged, descriptor);
    cast.insert("paged-descriptor".to_owned(), descriptor);
    let nameless = world.port(
        Port {
            owner: system.lsass,
            kind: crate::world::PortKind::Connection,
            ..Port::default()
        },
        None,
    );
    cast.insert("nameless".to_owned(), nameless);
}

/// Three threads of the user's program wait for the service's reply, which handles their requests.
fn make_messages(world: &mut World, system: &system::System, cast: &mut BTreeMap<String, Va>) {
    let client_token = cast["client-token"];
    for (number, name) in ["attribute", "static", "dynamic"].into_iter().enumerate() {
        let connection = world.connect(ConnectionSpec {
            to: cast["open"],
            client: system.explorer,
            ..ConnectionSpec::default()
        });
        let mut waiting = Thread {
            tid: 0xd00 + 4 * crate::bytes::count(number),
            ..Thread::default()
        };
        // The flag that lets the server impersonate (ALPC_PORFLG_ALLOWIMPERSONATION).
        world.port_mut(connection.client).attributes.flags = 0x1_0000;
        let mut security_data = Va::NULL;
        match name {
            "attribute" => {
                security_data = world.security_data(connection.client, system.explorer);
                let context = world.field(security_data, "_KALPC_SECURITY_DATA", "DynamicSecurity");
                world.client_context(context, client_token, 2);
            }
            "static" => {
                let context = world.field(connection.client, "_ALPC_PORT", "StaticSecurity");
                world.client_context(context, client_token, 1);
            }
            _ => {
                world.port_mut(connection.client).flags.insert("DynamicSecurity");
                waiting.client_security = client_token.0 | 2;
            }
        }
        let thread = system::thread(world, system.explorer, waiting);
        let message = world.message(Message {
            id: 0x900 + 4 * u32::try_from(number).expect("few"),
            callback_id: 0x8000,
            sequence_no: 1,
            type_word: kind::REQUEST | kind::CONTINUATION_REQUIRED,
            data_length: 0x10,
            total_length: 0x38,
            owner_port: connection.client,
            security_data,
            ..Message::default()
        });
        world.enqueue(message, Queue::Pending, connection.server);
        world.wait_for_reply(thread, message);
        cast.insert(format!("{name}-message"), message);
        cast.insert(format!("{name}-thread"), thread);
        cast.insert(format!("{name}-client"), connection.client);
        cast.insert(format!("{name}-server"), connection.server);
    }
}
