//! What is known of the port that a call is made at.

use kdump::Gva;
use lrpc::names;
use lrpc::system_port::{self, Protocol};
use ntkernel::image::contract::{CommunicationInfo, Message, Port, Process};
use ntkernel::image::kernel::{At, Kernel};
use ntkernel::object;
use ntkernel::process;

use crate::port;

/// A connection port, as it is: nothing of it is redacted.
#[derive(Debug, Default)]
pub(super) struct PortFacts {
    /// Its full name; none when it has none or that cannot be read.
    pub(super) path: Option<String>,
    /// The process that owns it.
    pub(super) owner: Option<Gva>,
    /// That process's id.
    pub(super) owner_id: Option<u64>,
    /// The images of which one should own it, when none is its owner's.
    pub(super) unexpected: Option<Vec<&'static str>>,
}

impl PortFacts {
    pub(super) fn of(kernel: &Kernel<'_>, connection: Gva) -> Self {
        let path = object::path(kernel, connection).ok().flatten();
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
    pub(super) fn protocol(&self) -> Option<Protocol> {
        system_port::of_path(self.path.as_deref()?)
    }

    /// Whether its full name says that it is of RPC.
    pub(super) fn is_rpc(&self) -> bool {
        self.path.as_deref().is_some_and(system_port::is_in_rpc_folder)
    }

    /// The last part of its name.
    pub(super) fn leaf(&self) -> Option<&str> {
        self.path.as_deref()?.rsplit('\\').next()
    }

    /// The folder of well-known endpoints has them for the whole system; what an app container or a session has under the
    /// same name is its own.
    fn expected_images(&self) -> Option<Vec<&'static str>> {
        let path = self.path.as_deref()?.to_lowercase();
        let leaf = path.strip_prefix("\\rpc control\\")?;
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

/// The connection port of the connection that a message belongs to; none when nothing readable leads there.
pub(super) fn connection_of(message: At<'_, '_>) -> Option<Gva> {
    let kernel = message.kernel();
    let by_port = |member| {
        let port = message.pointer(member).ok().filter(|port| port.u64() != 0)?;
        port::connection_address(kernel.at(port)).ok()?
    };
    let by_info = || {
        let info = info_of(message)?;
        let connection = kernel.at(info).pointer(CommunicationInfo::ConnectionPort).ok()?;
        (connection.u64() != 0).then_some(connection)
    };
    let direct = || {
        let connection = message.pointer(Message::ConnectionPort).ok()?;
        (connection.u64() != 0).then_some(connection)
    };
    by_port(Message::PortQueue)
        .or_else(|| by_port(Message::OwnerPort))
        .or_else(by_info)
        .or_else(direct)
        .filter(|&connection| port::expect(kernel, connection).is_ok())
}

/// The communication info of a message's connection.
pub(super) fn info_of(message: At<'_, '_>) -> Option<Gva> {
    let kernel = message.kernel();
    let own = message.pointer(Message::CommunicationInfo).ok();
    let own = own.filter(|info| info.u64() != 0);
    own.or_else(|| {
        let port = message.pointer(Message::OwnerPort).ok()?;
        let info = kernel.at(port).pointer(Port::CommunicationInfo).ok()?;
        (info.u64() != 0).then_some(info)
    })
}
