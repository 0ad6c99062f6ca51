//! All ports of the system, from whatever the dump still gives.

use std::collections::BTreeSet;

use kdump::{Gva, Gxa};
use serde::Serialize;

use crate::connection;
use crate::contract::CommunicationInfo;
use crate::kernel::Kernel;
use crate::port::{self, PortKind};
use crate::value::Value;

/// Where ports were found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PortSource {
    /// The kernel's own list of ports, whole.
    PortList,
    /// The kernel's list as far as it can be followed, and what the ports found in it lead to.
    PortListAndClosure,
}

/// The ports of the system.
#[derive(Clone, Debug)]
pub struct Ports {
    /// Their addresses: the kernel's list in its order, then what was found elsewhere by address.
    pub ports: Vec<Gva>,
    /// Where they were found.
    pub source: PortSource,
    /// Set when some may be missing.
    pub complete: Value<()>,
}

/// All ports of the system.
#[must_use]
pub fn ports(kernel: &Kernel<'_>) -> Ports {
    match port::port_list(kernel) {
        Ok(list) if list.gap.is_none() => Ports {
            ports: list.entries,
            source: PortSource::PortList,
            complete: Value::Known(()),
        },
        list => {
            let complete = list
                .clone()
                .and_then(|list| list.complete("the list of ports"))
                .into();
            let known = list.map(|list| list.entries).unwrap_or_default();
            Ports {
                ports: closure(kernel, known),
                source: PortSource::PortListAndClosure,
                complete,
            }
        }
    }
}

/// Adds the ports that known ones lead to: the three of each communication info, and all connections of each
/// connection port.
fn closure(kernel: &Kernel<'_>, known: Vec<Gva>) -> Vec<Gva> {
    let mut seen: BTreeSet<Gva> = known.iter().copied().collect();
    let mut waiting = known.clone();
    let mut found = BTreeSet::new();
    while let Some(address) = waiting.pop() {
        for neighbour in neighbours(kernel, address) {
            if neighbour.u64() != 0 && seen.insert(neighbour) && port::kind(kernel.at(neighbour)).is_ok() {
                found.insert(neighbour);
                waiting.push(neighbour);
            }
        }
    }
    known.into_iter().chain(found).collect()
}

fn neighbours(kernel: &Kernel<'_>, address: Gva) -> Vec<Gva> {
    const PLACES: [CommunicationInfo; 3] = [
        CommunicationInfo::ConnectionPort,
        CommunicationInfo::ServerCommunicationPort,
        CommunicationInfo::ClientCommunicationPort,
    ];
    let port = kernel.at(address);
    let mut infos: Vec<Gva> = port::info(port).map(|info| info.address()).into_iter().collect();
    if matches!(port::kind(port), Ok(PortKind::Connection)) {
        infos.extend(
            connection::infos(port)
                .map(|list| list.entries)
                .unwrap_or_default(),
        );
    }
    infos
        .into_iter()
        .flat_map(|info| {
            PLACES
                .into_iter()
                .filter_map(move |place| kernel.at(info).pointer(place).ok())
        })
        .collect()
}
