//! Ports with names of every sort.

use crate::address::Va;
use crate::world::{ConnectionSpec, Name, Port, World};

use super::system::System;

/// Names that a careless reader stumbles over.
pub(super) fn odd_names() -> Vec<Name> {
    let long = format!("LRPC-{}", "0123456789abcdef".repeat(12));
    let texts = [
        "name with blanks ",
        "quo\"te'and,comma",
        "\u{fc}n\u{ef}c\u{f6}de-\u{7aef}\u{53e3}-\u{1f512}",
        "bell\u{7}\u{1b}[31mred\r\nline",
        "right\u{202e}tfel",
        "100%s%n{}",
        "..\\not a path",
        long.as_str(),
    ];
    let mut names: Vec<Name> = texts.into_iter().map(Name::from).collect();
    // A lone surrogate and a NUL inside: valid for the kernel, not for UTF-16 readers.
    names.push(Name::from_units(&[0x6c, 0x6f, 0x6e, 0x65, 0xd800, 0x78, 0, 0x79]));
    names
}

/// The ports that services of every Windows have, and their owners.
pub(super) fn make_known(world: &mut World, system: &System) {
    let root = world.root();
    for (owner, directory, name) in [
        (system.smss, root, "SmApiPort"),
        (system.csrss, system.windows, "ApiPort"),
        (system.csrss, system.windows, "SbApiPort"),
        (system.lsass, root, "SeLsaCommandPort"),
        (system.services, system.rpc_control, "ntsvcs"),
        (system.rpc, system.rpc_control, "epmapper"),
        (system.netsvcs, system.rpc_control, "senssvc"),
        (system.system, root, "PowerPort"),
    ] {
        make(world, owner, directory, name);
    }
    let api = by_name(world, "ApiPort");
    for client in [system.services, system.explorer, system.application] {
        world.connect(ConnectionSpec {
            to: api,
            client,
            ..ConnectionSpec::default()
        });
    }
}

/// Ports with odd names, in directories two levels down.
pub(super) fn make_odd(world: &mut World, system: &System) {
    let session = world.directory(system.sessions, "1");
    let directory = world.directory(session, "AppContainer NamedObjects");
    for name in odd_names() {
        make(world, system.explorer, directory, name);
    }
    make(world, system.explorer, session, "ThemeApiPort");
    make(world, system.application, system.named_objects, "OrderEntry");
}

pub(super) fn make(world: &mut World, owner: Va, directory: Va, name: impl Into<Name>) -> Va {
    world.connection_port(
        Port {
            owner,
            sequence_no: 7,
            ..Port::default()
        },
        directory,
        name,
    )
}

/// The port of this name.
pub(super) fn by_name(world: &World, name: &str) -> Va {
    let wanted = Name::from(name);
    let of = |port: &&Port| {
        world.truth.objects[&port.address]
            .name
            .as_ref()
            .is_some_and(|(_, name)| *name == wanted)
    };
    world.truth.ports.iter().find(of).expect("made before").address
}
