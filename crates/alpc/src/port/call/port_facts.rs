//! What is known of the port that a call is made at.

use kdump::Gva;
use lrpc::names;
use lrpc::system_port::{self, Protocol};
use ntkernel::image::contract::{CommunicationInfo, Message, Port, Process};
use ntkernel::image::kernel::{At, Kernel, Read};
use ntkernel::object;
use ntkernel::process;

use crate::port;

/// A connection port, as it is: nothing of it is redacted.
#[derive(Debug)]
pub(super) struct PortFacts {
    /// Its full name; none when it has none.
    pub(super) path: Read<Option<String>>,
    /// The process that owns it.
    pub(super) owner: Option<Gva>,
    /// That process's id.
    pub(super) owner_id: Option<u64>,
    /// The images of which one should own it, when none is its owner's.
    pub(super) unexpected: Option<Vec<&'static str>>,
}

impl PortFacts {
    pub(super) fn of(kernel: &Kernel<'_>, connection: Gva) -> Self {
        let path = object::path(kernel, connection);
        let owner = port::owner_process(kernel.at(connection)).ok();
        let owner = owner.map(|(owner, _)| owner).filter(|owner| owner.u64() != 0);
        let mut facts = Self {
            path,
            owner,
            owner_id: owner.and_then(|owner| kernel.at(owner).uint(Process::UniqueProcessId).ok()),
            unexpected: None,
        };
        facts.unexpected = facts
            .expected_images()
            .filter(|expected| facts.is_owned_by_none_of(kernel, expected));
        facts
    }

    /// The protocol of a port that is not of RPC.
    ///
    /// # Errors
    /// When its name cannot be read. Then the data of a message tells nothing: that to csrss may look like one of RPC.
    pub(super) fn protocol(&self) -> Read<Option<Protocol>> {
        let path = self.path.as_ref().map_err(Clone::clone)?;
        Ok(path.as_deref().and_then(system_port::of_path))
    }

    fn known_path(&self) -> Option<&str> {
        self.path.as_ref().ok()?.as_deref()
    }

    /// Whether its full name says that it is of RPC.
    pub(super) fn is_rpc(&self) -> bool {
        // The folder of all endpoints of RPC in the object namespace; each session's app containers have more.
        self.known_path().is_some_and(system_port::is_in_rpc_folder)
    }

    /// The last part of its name.
    pub(super) fn leaf(&self) -> Option<&str> {
        self.known_path()?.rsplit('\\').next()
    }

    /// The folder of well-known endpoints has them for the whole system; what an app container or a session has under the
    /// same name is its own.
    fn expected_images(&self) -> Option<Vec<&'static str>> {
        let path = self.known_path()?.to_lowercase();
        let leaf = path.strip_prefix("\\rpc control\\")?;
        // The name of an object belongs to who makes it first: before a service has made its port, anybody can, and
        // gets its clients.
        names::expected_images(leaf)
    }

    fn is_owned_by_none_of(&self, kernel: &Kernel<'_>, expected: &[&str]) -> bool {
        let Some(owner) = self.owner else {
            return false;
        };
        // One that cannot be told may be the right one.
        let mut answers = expected
            .iter()
            .map(|image| process::has_image(kernel.at(owner), image));
        answers.all(|answer| matches!(answer, Ok(false)))
    }
}

/// The connection port of the connection that a message belongs to; none when nothing leads there.
///
/// # Errors
/// When what leads there cannot be read, or no port is there.
pub(super) fn connection_of(message: At<'_, '_>) -> Read<Option<Gva>> {
    let kernel = message.kernel();
    // A queued request stands at the connection port, which leads to its own info and so back to itself; a reply
    // stands at the client's port.
    for member in [Message::PortQueue, Message::OwnerPort] {
        let port = message.pointer(member)?;
        if port.u64() != 0 {
            port::expect(kernel, port)?;
            return port::connection_address(kernel.at(port));
        }
    }
    let by_info = info_of(message)?.map(|info| kernel.at(info).pointer(CommunicationInfo::ConnectionPort));
    let connection = match by_info.transpose()? {
        Some(connection) if connection.u64() != 0 => connection,
        // Set while a message is a request to connect: then no port of the connection may exist yet.
        _ => message.pointer(Message::ConnectionPort)?,
    };
    // A message that is freed keeps the addresses of what may be gone.
    let is_there = connection.u64() != 0 && port::expect(kernel, connection).is_ok();
    Ok(is_there.then_some(connection))
}

/// The communication info of a message's connection; none when nothing leads there.
///
/// # Errors
/// When what leads there cannot be read.
pub(super) fn info_of(message: At<'_, '_>) -> Read<Option<Gva>> {
    let own = message.pointer(Message::CommunicationInfo)?;
    if own.u64() != 0 {
        return Ok(Some(own));
    }
    let port = message.pointer(Message::OwnerPort)?;
    if port.u64() == 0 {
        return Ok(None);
    }
    let info = message.kernel().at(port).pointer(Port::CommunicationInfo)?;
    Ok((info.u64() != 0).then_some(info))
}
