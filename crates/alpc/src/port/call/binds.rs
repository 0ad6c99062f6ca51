//! Binds that are still in memory: each says which interface a binding's number means on its connection.
//!
//! The message of a bind is freed when its answer was read, but keeps its place in the message table, and its data until
//! it is used again. What it says then is the answer: the interface, and the one transfer syntax that was chosen.

use std::collections::HashMap;

use kdump::Gva;
use lrpc::header::{self, Bind, Header, Sent};
use ntkernel::image::contract::{ClientId, Message, PortMessage};
use ntkernel::image::kernel::{At, Kernel};

use crate::port::call::port_facts;
use crate::port::message_type::MessageType;
use crate::port::{message_table, payload};

/// A bind that was accepted, or that nobody has answered yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bound {
    pub(super) message: Gva,
    pub(super) bind: Bind,
    /// The process that sent it last: of an answer the server.
    pub(super) sender: Option<u64>,
}

/// All binds that the message table leads to.
#[derive(Debug, Default)]
pub(super) struct Binds {
    by_info: HashMap<Gva, Vec<Bound>>,
    by_connection: HashMap<Gva, Vec<Bound>>,
}

impl Binds {
    pub(super) fn read(kernel: &Kernel<'_>) -> Self {
        // A synchronous bind is released once its answer was read, into the lookaside list of messages (tag AlMs),
        // where only the first 8 bytes of its blob header are overwritten. How often one is still there nobody has
        // measured (inferred).
        let mut binds = Self::default();
        let Ok(messages) = message_table::all_messages(kernel) else {
            return binds;
        };
        for address in messages {
            let message = kernel.at(address);
            let Some(bind) = bind(message) else { continue };
            let header = message.embedded(Message::PortMessage);
            let sender = header.and_then(|header| {
                header
                    .embedded(PortMessage::ClientId)?
                    .uint(ClientId::UniqueProcess)
            });
            let bound = Bound {
                message: address,
                bind,
                sender: sender.ok(),
            };
            if let Ok(Some(info)) = port_facts::info_of(message) {
                binds.by_info.entry(info).or_default().push(bound);
            }
            if let Ok(Some(connection)) = port_facts::connection_of(message) {
                binds.by_connection.entry(connection).or_default().push(bound);
            }
        }
        binds
    }

    /// The accepted binds of a connection for a binding's number.
    pub(super) fn of_connection(&self, info: Gva, binding: u32) -> impl Iterator<Item = Bound> {
        of(&self.by_info, info, binding)
    }

    /// The same of all connections to a port.
    pub(super) fn of_port(&self, connection: Gva, binding: u32) -> impl Iterator<Item = Bound> {
        of(&self.by_connection, connection, binding)
    }
}

fn of(all: &HashMap<Gva, Vec<Bound>>, key: Gva, binding: u32) -> impl Iterator<Item = Bound> {
    let here = all.get(&key).into_iter().flatten().copied();
    // The numbers in a refused bind stand for nothing. A wish that nobody has answered is none yet either.
    here.filter(move |bound| bound.bind.is_answer && bound.bind.status == 0 && bound.bind.is_of(binding))
}

/// What a message of the table says if it is a bind. Most are not, which their length alone tells.
fn bind(message: At<'_, '_>) -> Option<Bind> {
    let length = header::BIND as u64;
    let port_message = message.embedded(Message::PortMessage).ok()?;
    // 48 hex, as many as its answer: nearly every other message differs in this alone, and is not read.
    if u64::from(port_message.u16(PortMessage::DataLength).ok()?) != length {
        return None;
    }
    let word = port_message.u16(PortMessage::Type).ok()?;
    let data = payload::beginning(message, length).ok()?;
    let sent = Sent {
        kernel_type: MessageType::from_word(word).0,
        length: header::BIND,
        has_view: false,
    };
    match header::read(&data.bytes, &sent) {
        Ok(Header::Bind(bind)) => Some(bind),
        _ => None,
    }
}
