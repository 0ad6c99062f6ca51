//! Ports in trouble, whether or not a thread waits for them.

use std::collections::BTreeMap;

use kdump::Gva;
use ntkernel::image::contract::{CommunicationInfo, Port};
use ntkernel::image::kernel::{At, Kernel, Read};
#[cfg(feature = "schema")]
use schemars::JsonSchema;
#[cfg(feature = "serde")]
use serde::Serialize;

use crate::port::{self, enumerate, queue};
use crate::wait::build::Builder;
use crate::wait::graph::Graph;
use crate::wait::node::{self, PortNode};
use crate::wait::root::RootKind;
use crate::wait::unread::Part;

/// A queue this long is worth a word when it is also far longer than the rest.
const LONG: u64 = 32;

/// How many times longer than the mean of the other ones it must be.
const FAR: u64 = 10;

/// What is wrong with a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Trouble {
    /// Its owner is gone, and messages or clients are left.
    OwnerGone,
    /// No thread serves it, and messages wait.
    NoServer,
    /// All threads that serve it wait for something else, and messages wait.
    ServersBlocked,
    /// All threads that serve it are suspended, and messages wait.
    ServersSuspended,
    /// Its completion port lets no more threads run, and messages wait.
    AtLimit,
    /// Messages wait although threads wait for them.
    NotReceived,
    /// Connection requests that were not answered.
    Connecting,
    /// Its queue is far longer than those of all others.
    LongQueue,
    /// Cancel notices that nobody fetched.
    Canceled,
}

impl Trouble {
    /// A stable word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::OwnerGone => "owner-gone",
            Self::NoServer => "no-server",
            Self::ServersBlocked => "servers-blocked",
            Self::ServersSuspended => "servers-suspended",
            Self::AtLimit => "at-limit",
            Self::NotReceived => "not-received",
            Self::Connecting => "connecting",
            Self::LongQueue => "long-queue",
            Self::Canceled => "canceled",
        }
    }

    /// What the number beside it counts, and what is wrong.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::OwnerGone => "messages left, but the port's owner is gone",
            Self::NoServer => "messages not received: no thread serves the port",
            Self::ServersBlocked => "messages not received: all threads of the port wait for something else",
            Self::ServersSuspended => "messages not received: all threads of the port are suspended",
            Self::AtLimit => "messages not received: the completion port lets no more threads run",
            Self::NotReceived => "messages not received, though threads wait for them",
            Self::Connecting => "connection requests not answered",
            Self::LongQueue => "messages queued, far more than at other ports",
            Self::Canceled => "cancel notices not fetched",
        }
    }
}

/// A port in trouble.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct PortTrouble {
    /// What is wrong.
    pub trouble: Trouble,
    /// How many messages, requests or notices.
    pub count: u64,
    /// The port.
    pub port: PortNode,
}

/// Gathers all waits of the system, and the ports that are in trouble.
#[must_use]
pub fn waits_with_trouble(kernel: &Kernel<'_>) -> (Graph, Vec<PortTrouble>) {
    let mut builder = Builder::new(kernel);
    builder.follow_all();
    let trouble = find(&mut builder);
    (builder.finish(), trouble)
}

/// Looks at every port of the system; the worst first.
fn find(builder: &mut Builder<'_, '_>) -> Vec<PortTrouble> {
    let kernel = builder.kernel;
    let ports = enumerate::ports(kernel);
    if let Some(hole) = ports.complete.reason() {
        builder.unread(Part::Ports, None, hole.clone());
    }
    let mut found = Vec::new();
    let mut connecting: BTreeMap<Gva, u64> = BTreeMap::new();
    let mut lengths = Vec::new();
    for &address in &ports.ports {
        let port = kernel.at(address);
        if let Err(hole) = look(builder, port, &mut found, &mut connecting) {
            builder.unread(Part::Port, Some(address), hole);
        }
        // Pending messages are among them, which were received: a server that works on many at once has a long queue
        // too.
        if let Ok(length @ 1..) = queue::total_length(port) {
            lengths.push((length, address));
        }
    }
    for (address, count) in connecting {
        found.push(trouble(builder, kernel.at(address), Trouble::Connecting, count));
    }
    for (length, address) in far_longer(&lengths) {
        found.push(trouble(builder, kernel.at(address), Trouble::LongQueue, length));
    }
    found.sort_by_key(|one| (one.trouble, u64::MAX.saturating_sub(one.count), one.port.address));
    found
}

fn look(
    builder: &mut Builder<'_, '_>,
    port: At<'_, '_>,
    found: &mut Vec<PortTrouble>,
    connecting: &mut BTreeMap<Gva, u64>,
) -> Read<()> {
    // The list of ports has such as are just being made, whose other members are not filled in yet.
    if !port.flag(Port::Initialized)? {
        return Ok(());
    }
    let unreceived = node::unreceived(port)?;
    // Requests of all clients stand at the connection port, answers at the client's; a server's communication port
    // never holds a message (a decompile of several builds).
    if unreceived > 0 && owns_requests(port)? {
        let node = builder.port_node(port);
        if let Some(trouble) = of_root(crate::wait::root::of_port(&node)) {
            found.push(PortTrouble {
                trouble,
                count: unreceived,
                port: node,
            });
        }
    }
    // Notices to a server that a client has given up, linked by CancelListEntry: the message can stand in the
    // pending queue at the same time.
    let canceled = port.uint(Port::CanceledQueueLength)?;
    if canceled > 0 {
        found.push(trouble(builder, port, Trouble::Canceled, canceled));
    }
    // A client's port says so from its creation until the server has answered (NtAlpcAcceptConnectPort in phnt).
    if port.flag(Port::ConnectionPending)? {
        let to = port::info(port)?.pointer(CommunicationInfo::ConnectionPort)?;
        let count = connecting.entry(to).or_default();
        *count = count.saturating_add(1);
    }
    Ok(())
}

/// Whether messages in the port's queues are for its servers: a client port holds what its own owner fetches
/// when it likes, such as answers and notifications.
fn owns_requests(port: At<'_, '_>) -> Read<bool> {
    Ok(port::kind(port)? == port::PortKind::Connection)
}

fn of_root(kind: RootKind) -> Option<Trouble> {
    Some(match kind {
        RootKind::OwnerGone => Trouble::OwnerGone,
        RootKind::NoServer => Trouble::NoServer,
        RootKind::ServersBlocked => Trouble::ServersBlocked,
        RootKind::ServersSuspended => Trouble::ServersSuspended,
        RootKind::AtLimit => Trouble::AtLimit,
        RootKind::NotReceived => Trouble::NotReceived,
        _ => return None,
    })
}

fn trouble(builder: &mut Builder<'_, '_>, port: At<'_, '_>, trouble: Trouble, count: u64) -> PortTrouble {
    PortTrouble {
        trouble,
        count,
        port: builder.port_node(port),
    }
}

/// The queues that are long, and far longer than the mean of all other ones that are not empty.
fn far_longer(lengths: &[(u64, Gva)]) -> Vec<(u64, Gva)> {
    let total: u64 = lengths
        .iter()
        .fold(0, |sum, (length, _)| sum.saturating_add(*length));
    let others = u64::try_from(lengths.len()).unwrap_or(u64::MAX).saturating_sub(1);
    let is_far = |length: u64| {
        let mean = total.saturating_sub(length).checked_div(others).unwrap_or(0);
        // A published Windows 7 list shows ntsvcs with 19 messages, and 0 behind every other port of it.
        length >= LONG && length > mean.saturating_mul(FAR)
    };
    lengths
        .iter()
        .copied()
        .filter(|&(length, _)| is_far(length))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_queue_that_stands_out_is_long() {
        let at = |length, address: u64| (length, Gva::from(address));
        let far = |lengths: &[(u64, Gva)]| far_longer(lengths).len();
        assert_eq!(far(&[at(31, 1)]), 0, "short");
        assert_eq!(far(&[at(32, 1)]), 1, "the only one");
        assert_eq!(far(&[at(512, 1), at(3, 2), at(2, 3)]), 1);
        assert_eq!(far(&[at(100, 1), at(100, 2), at(100, 3)]), 0, "all alike");
    }
}
