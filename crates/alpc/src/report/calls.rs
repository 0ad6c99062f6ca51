//! All calls in flight: requests that stand in a queue, received or not.

use std::collections::HashMap;

use kdump::Gva;
use ntkernel::image::contract::{ClientId, Message, PortMessage};
use ntkernel::image::kernel::{At, Kernel, Read};
use ntkernel::image::value::{Addr, Value};
use ntkernel::process::ProcessRef;
#[cfg(feature = "schema")]
use schemars::JsonSchema;
#[cfg(feature = "serde")]
use serde::Serialize;

use crate::port::call::{Call, Calls, Decoded};
use crate::port::message::{MessageType, QueueType};
use crate::port::queue::QueueKind;
use crate::port::{self, in_flight};
use crate::wait::node::PortLabel;

/// A call in flight.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct CallRow {
    /// Its `_KALPC_MESSAGE`.
    pub message: Addr,
    /// `_PORT_MESSAGE.MessageId`.
    pub message_id: Value<u32>,
    /// Process id of the sender.
    pub client_process_id: Value<u64>,
    /// Thread id of the sender.
    pub client_thread_id: Value<u64>,
    /// The process that it was sent by; none when its port names none.
    pub client: Value<Option<ProcessRef>>,
    /// The thread that waits for the reply; none of a call that nobody waits for in the kernel.
    pub waiting_thread: Value<Option<Addr>>,
    /// The queue that it says it is in.
    pub queue: Value<QueueType>,
    /// The port whose queue that is, with its owner, who serves it.
    pub port: Value<Option<PortLabel>>,
    /// The thread that received it; none while nobody has, and where it is not noted.
    pub server_thread: Value<Option<Addr>>,
    /// What it asks for; none when its data is of no protocol that is known.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub call: Option<Value<Box<Call>>>,
}

/// Calls that are asked for.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Connection port, by its name or its address.
    pub port: Option<String>,
    /// Sender or server, by image name or id.
    pub process: Option<Gva>,
    /// What the interface's name or id has in it, in whatever case.
    pub interface: Option<String>,
    /// What the procedure's name has in it, in whatever case, or its number.
    pub procedure: Option<String>,
}

/// Calls in flight, and what hides others.
#[derive(Clone, Debug)]
pub struct CallsInFlight {
    /// The calls, by the addresses of their messages.
    pub calls: Vec<CallRow>,
    /// Messages of which it cannot be determined whether they are calls in flight.
    pub undecided: Vec<UndecidedMessage>,
    /// Set when there may be more.
    pub complete: Value<()>,
}

/// A message that may be a call in flight.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct UndecidedMessage {
    /// Its `_KALPC_MESSAGE`.
    pub address: Addr,
    /// Why.
    pub request: Value<()>,
}

/// Gathers the calls in flight.
#[must_use]
pub fn calls(kernel: &Kernel<'_>, wanted: &Wanted) -> CallsInFlight {
    let reader = Calls::new(kernel);
    let (messages, gap) = in_flight::messages(kernel);
    let mut labels: HashMap<Gva, PortLabel> = HashMap::new();
    let mut found = CallsInFlight {
        calls: Vec::new(),
        undecided: Vec::new(),
        complete: gap.map_or(Ok(()), Err).into(),
    };
    for address in messages {
        let message = kernel.at(address);
        match is_request(message) {
            Ok(true) => {}
            Ok(false) => continue,
            Err(hole) => {
                found.undecided.push(UndecidedMessage {
                    address: kernel.addr(address),
                    request: Value::Missing(Box::new(hole)),
                });
                continue;
            }
        }
        let call = match reader.of(address) {
            Ok(Decoded::Call(call)) => Some(Value::Known(call)),
            Ok(Decoded::Raw(_)) => None,
            Err(hole) => Some(Value::Missing(Box::new(hole))),
        };
        let row = row(message, call, &mut labels);
        if wants(wanted, &row) {
            found.calls.push(row);
        }
    }
    found
}

/// Whether a message is a request that stands in a queue.
fn is_request(message: At<'_, '_>) -> Read<bool> {
    let header = message.embedded(Message::PortMessage)?;
    let kind = MessageType::from_word(header.u16(PortMessage::Type)?);
    // A wish to connect has a type of its own, LPC_CONNECTION_REQUEST (10), and nothing of RPC in it.
    Ok(kind == MessageType(lrpc::header::LPC_REQUEST) && message.pointer(Message::PortQueue)?.u64() != 0)
}

fn row(message: At<'_, '_>, call: Option<Value<Box<Call>>>, labels: &mut HashMap<Gva, PortLabel>) -> CallRow {
    let kernel = message.kernel();
    let header = message.embedded(Message::PortMessage);
    let client = |member| {
        header
            .clone()
            .and_then(|at| at.embedded(PortMessage::ClientId)?.uint(member))
            .into()
    };
    let pointer = |member| {
        let pointer = message.pointer(member);
        Value::from(pointer.map(|at| (at.u64() != 0).then(|| kernel.addr(at))))
    };
    let port = message.pointer(Message::PortQueue).map(|port| {
        (port.u64() != 0).then(|| {
            let label = labels
                .entry(port)
                .or_insert_with(|| PortLabel::new(kernel.at(port)));
            PortLabel {
                name: kernel.again(&label.name),
                ..label.clone()
            }
        })
    });
    let queue = message.uint(Message::QueueType);
    let pending = queue
        .as_ref()
        .map(|kind| Some(*kind) == QueueKind::Pending.queue_type());
    CallRow {
        message: kernel.addr(message.address()),
        message_id: header
            .clone()
            .and_then(|header| header.u32(PortMessage::MessageId))
            .into(),
        client_process_id: client(ClientId::UniqueProcess),
        client_thread_id: client(ClientId::UniqueThread),
        client: sender(message).into(),
        waiting_thread: pointer(Message::WaitingThread),
        // The member is meaningless before somebody received the message.
        server_thread: match pending {
            Ok(false) => Value::Known(None),
            _ => pointer(Message::ServerThread),
        },
        queue: queue
            .map(|kind| QueueType(u8::try_from(kind).unwrap_or(u8::MAX)))
            .into(),
        port: port.into(),
        call,
    }
}

/// The process that owns the port which a message was sent through.
fn sender(message: At<'_, '_>) -> Read<Option<ProcessRef>> {
    let kernel = message.kernel();
    let port = message.pointer(Message::OwnerPort)?;
    if port.u64() == 0 {
        return Ok(None);
    }
    let (owner, _) = port::owner_process(kernel.at(port))?;
    Ok(port::process_ref(kernel, owner))
}

/// Whether a call is one of those that are asked for, or may be.
fn wants(wanted: &Wanted, row: &CallRow) -> bool {
    // Endpoints and procedures are written as their servers like: `SidKey Local End Point`, `LSARPC_ENDPOINT`,
    // `ntsvcs`.
    let has = |text: &str, part: &str| text.to_lowercase().contains(&part.to_lowercase());
    let label = row.port.known().and_then(Option::as_ref);
    let at_port = wanted
        .port
        .as_ref()
        .is_none_or(|wanted| match (&row.port, label) {
            (Value::Missing(_), _) => true,
            (_, Some(label)) => match &label.name {
                Value::Known(name) => name.as_deref().is_some_and(|name| has(name, wanted)),
                Value::Missing(_) => true,
            },
            _ => false,
        });
    let is = |process: Option<&ProcessRef>| process.map(|process| process.address.gva());
    let of_process = wanted.process.is_none_or(|wanted| {
        let client = row.client.known().and_then(Option::as_ref);
        let server = label
            .and_then(|label| label.owner.known())
            .and_then(Option::as_ref);
        is(client) == Some(wanted) || is(server) == Some(wanted) || row.client.reason().is_some()
    });
    let call = match &row.call {
        Some(Value::Known(call)) => call,
        // What cannot be read may be one of them.
        Some(Value::Missing(_)) => return at_port && of_process,
        None => return at_port && of_process && wanted.interface.is_none() && wanted.procedure.is_none(),
    };
    let interface = wanted.interface.as_ref().is_none_or(|wanted| {
        let own = call
            .interface
            .iter()
            .any(|one| has(&one.short(), wanted) || has(&one.uuid.to_string(), wanted));
        let mut others = call.candidates.iter();
        own || others.any(|one| has(&one.short(), wanted) || has(&one.uuid.to_string(), wanted))
    });
    let procedure = wanted.procedure.as_ref().is_none_or(|wanted| {
        let named = call.procedure.iter().any(|one| has(&one.name, wanted));
        let mut others = call.candidates.iter().filter_map(|one| one.procedure.as_deref());
        let number = call.procedure_number.map(|number| number.to_string());
        named || others.any(|name| has(name, wanted)) || number.as_deref() == Some(wanted)
    });
    at_port && of_process && interface && procedure
}
