//! Connections whose ends are not alike: of another integrity, another session, or in and out of an AppContainer.

use std::collections::HashMap;

use kdump::{Addr, Gva};
use ntkernel::image::kernel::Kernel;
use ntkernel::image::value::Value;
use ntkernel::process::ProcessRef;
use ntkernel::security::token::{self, TokenRef};
#[cfg(feature = "schema")]
use schemars::JsonSchema;
#[cfg(feature = "serde")]
use serde::Serialize;

use crate::port::connection::EdgeRecord;
use crate::port::{self, PortKind};

/// An end of a connection: who owns its port.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct CrossingEnd {
    /// The process.
    #[cfg_attr(feature = "serde", serde(flatten))]
    pub process: ProcessRef,
    /// The integrity of its token, in words; none where that has none.
    pub integrity: Option<String>,
    /// The session of its token.
    pub session: u32,
    /// Whether it is in an AppContainer.
    pub in_container: bool,
}

/// A connection that crosses a boundary.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct Crossing {
    /// The client's port.
    pub client_port: Addr,
    /// The connection port.
    pub connection_port: Addr,
    /// What is not alike: `integrity`, `session`, `container`.
    pub crosses: Vec<&'static str>,
    /// The client.
    pub client: CrossingEnd,
    /// The server.
    pub server: CrossingEnd,
}

/// The connections that cross a boundary.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct Crossings {
    /// In the order of the connections.
    pub connections: Vec<Crossing>,
    /// Connections of which that is not known, since a token of an end cannot be read.
    pub undecided: u64,
}

impl Crossings {
    /// Whether there is anything to tell.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.connections.is_empty() && self.undecided == 0
    }
}

/// What an end is: known, not known, or without a token.
#[derive(Clone)]
enum End {
    Known(CrossingEnd),
    Unknown,
    Without,
}

/// Which of some connections cross a boundary.
#[must_use]
pub fn of(kernel: &Kernel<'_>, connections: &[EdgeRecord]) -> Crossings {
    let mut ends: HashMap<Gva, End> = HashMap::new();
    let mut found = Crossings::default();
    for edge in connections {
        let Value::Known(Some(server_port)) = &edge.connection_port else {
            continue;
        };
        let mut end = |of: Addr| match port::owner_process(kernel.at(of.gva())) {
            Ok((process, _)) if process.u64() == 0 => End::Without,
            Ok((process, _)) => ends
                .entry(process)
                .or_insert_with(|| end(kernel, process))
                .clone(),
            Err(_) => End::Unknown,
        };
        match (end(edge.client_port), end(server_port.address)) {
            (End::Known(client), End::Known(server)) => {
                let crosses = differences(&client, &server);
                if !crosses.is_empty() {
                    found.connections.push(Crossing {
                        client_port: edge.client_port,
                        connection_port: server_port.address,
                        crosses,
                        client,
                        server,
                    });
                }
            }
            (End::Without, _) | (_, End::Without) => {}
            _ => found.undecided = found.undecided.saturating_add(1),
        }
    }
    found
}

/// How many connections cross a boundary, of the clients' ports among some; none where that is not known of all of them.
#[must_use]
pub fn count(kernel: &Kernel<'_>, ports: &[Gva]) -> Option<usize> {
    let mut ends: HashMap<Gva, End> = HashMap::new();
    let mut count = 0_usize;
    for &address in ports {
        let client = kernel.at(address);
        if !matches!(port::kind(client), Ok(PortKind::ClientCommunication)) {
            continue;
        }
        let Some(server) = port::connection_address(client).ok()? else {
            continue;
        };
        let mut end = |port: Gva| match port::owner_process(kernel.at(port)) {
            Ok((process, _)) if process.u64() == 0 => End::Without,
            Ok((process, _)) => ends
                .entry(process)
                .or_insert_with(|| end(kernel, process))
                .clone(),
            Err(_) => End::Unknown,
        };
        match (end(address), end(server)) {
            (End::Known(client), End::Known(server)) => {
                count = count.saturating_add(usize::from(!differences(&client, &server).is_empty()));
            }
            (End::Without, _) | (_, End::Without) => {}
            _ => return None,
        }
    }
    Some(count)
}

fn end(kernel: &Kernel<'_>, process: Gva) -> End {
    let token = match token::of_process(kernel.at(process)) {
        Ok(Some(token)) => TokenRef::at(kernel, token),
        Ok(None) => return End::Without,
        Err(_) => return End::Unknown,
    };
    let in_container = match &token.package {
        Value::Known(package) => package.is_some(),
        Value::Missing(hole) if hole.is_absence() => false,
        Value::Missing(_) => return End::Unknown,
    };
    match (token.integrity, token.session) {
        (Value::Known(integrity), Value::Known(session)) => End::Known(CrossingEnd {
            process: ProcessRef::at(kernel, process),
            integrity: integrity.map(|level| level.word),
            session,
            in_container,
        }),
        _ => End::Unknown,
    }
}

fn differences(client: &CrossingEnd, server: &CrossingEnd) -> Vec<&'static str> {
    let all = [
        ("integrity", client.integrity != server.integrity),
        ("session", client.session != server.session),
        ("container", client.in_container != server.in_container),
    ];
    all.into_iter()
        .filter(|(_, differ)| *differ)
        .map(|(word, _)| word)
        .collect()
}
