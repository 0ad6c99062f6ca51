//! Whom a server would impersonate for a message, and for a connection: `NtAlpcImpersonateClientOfPort`.
//!
//! The order in which it looks is that of one function, as it was read in several kernels: a single source.

use kdump::{Addr, Gva};
use ntkernel::image::contract::{
    CommunicationInfo, Message, Port, PortMessage, QualityOfService, Thread, ThreadControl,
};
use ntkernel::image::expected::Expected;
use ntkernel::image::kernel::{At, Kernel, Read};
use ntkernel::image::value::{Unreadable, Value};
use ntkernel::object::blob::{self, BlobKind};
use ntkernel::object::marks;
use ntkernel::security::token;
use ntkernel::why;
#[cfg(feature = "schema")]
use schemars::JsonSchema;
#[cfg(feature = "serde")]
use serde::Serialize;

use crate::port::contract::{MessageAttributes, PortAttributes, SecurityContext, SecurityData};
use crate::port::{self, PortKind};

/// `QueueType` of a message that a server handles.
const PENDING: u64 = 3;

/// The bit of a message's type by which its sender forbids it (`LPC_NO_IMPERSONATE`).
const NO_IMPERSONATE: u64 = 0x4000;

/// The bit of a client port's `PortAttributes.Flags` that allows it (`ALPC_PORFLG_ALLOWIMPERSONATION`).
pub const ALLOWS_IMPERSONATION: u32 = 0x1_0000;

/// Where the token would come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum CallerSource {
    /// The message has a security attribute with a context of its own.
    SecurityAttribute,
    /// The client's token as it was captured when it connected.
    StaticAtConnect,
    /// The waiting thread's, when the server asks.
    DynamicFromThread,
    /// The server would be refused.
    Refused,
}

impl CallerSource {
    /// In words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::SecurityAttribute => "by the message's security attribute",
            Self::StaticAtConnect => "static, captured when the client connected",
            Self::DynamicFromThread => "dynamic, of the thread that waits",
            Self::Refused => "refused",
        }
    }
}

/// Whom a server would act for.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct EffectiveCaller {
    /// Where the token would come from.
    pub source: CallerSource,
    /// Why the server would be refused, or of which call a dynamic token would be.
    pub why: Option<String>,
    /// The token; none where there is none to be had.
    pub token: Option<Addr>,
    /// How far the server may act by it.
    pub level: Value<Option<&'static str>>,
    /// Whether a server has impersonated by this security attribute: a fact, and no possibility. None without one.
    pub was_impersonated: Value<Option<bool>>,
}

impl EffectiveCaller {
    fn refused(why: &str) -> Self {
        Self {
            source: CallerSource::Refused,
            why: Some(why.to_owned()),
            token: None,
            level: Value::Known(None),
            was_impersonated: Value::Known(None),
        }
    }

    fn by(kernel: &Kernel<'_>, source: CallerSource, token: Gva, level: Read<u64>) -> Self {
        Self {
            source,
            why: None,
            token: (token.u64() != 0).then(|| kernel.addr(token)),
            level: level.and_then(word).map(Some).into(),
            was_impersonated: Value::Known(None),
        }
    }
}

fn word(level: u64) -> Read<&'static str> {
    let known = u32::try_from(level).ok().and_then(ntsecurity::token::level);
    known.ok_or_else(|| Unreadable::Implausible(why!("{} is no level of impersonation", level)))
}

/// Whom the server would impersonate for a message.
///
/// # Errors
/// When what decides is not in the dump.
pub fn of_message(kernel: &Kernel<'_>, address: Gva) -> Read<EffectiveCaller> {
    marks::expect(kernel, Expected::Message, address)?;
    let message = kernel.at(address);
    if message.uint(Message::QueueType)? != PENDING {
        return Ok(EffectiveCaller::refused(
            "no server handles the message: it is not in a pending queue",
        ));
    }
    let header = message.embedded(Message::PortMessage)?;
    if header.uint(PortMessage::Type)? & NO_IMPERSONATE != 0 {
        return Ok(EffectiveCaller::refused(
            "its sender forbids it (LPC_NO_IMPERSONATE)",
        ));
    }
    let attributes = message.embedded(Message::MessageAttributes)?;
    let data = attributes.pointer(MessageAttributes::SecurityData)?;
    if data.u64() != 0 {
        return by_attribute(kernel.at(data));
    }
    let Some(client) = client_port(message)? else {
        return Ok(EffectiveCaller::refused("its connection has no client port"));
    };
    by_port(client, Some(message))
}

/// Whom the server of a connection would impersonate, as far as its client port tells without a message.
///
/// # Errors
/// When what decides is not in the dump.
pub fn of_client_port(client: At<'_, '_>) -> Read<EffectiveCaller> {
    by_port(client, None)
}

/// The client's end of the connection that a port is an end of; none of a connection port.
///
/// # Errors
/// When what leads there is not in the dump.
pub fn client_of<'k, 'd>(port: At<'k, 'd>) -> Read<Option<At<'k, 'd>>> {
    match port::kind_if_any(port)? {
        Some(PortKind::ClientCommunication) => Ok(Some(port)),
        Some(PortKind::ServerCommunication) => {
            let client = port::info(port)?.pointer(CommunicationInfo::ClientCommunicationPort)?;
            Ok((client.u64() != 0).then(|| port.kernel().at(client)))
        }
        Some(PortKind::Connection) | None => Ok(None),
    }
}

/// The client's port: of a request that is the port that it was sent by.
fn client_port<'k, 'd>(message: At<'k, 'd>) -> Read<Option<At<'k, 'd>>> {
    let owner = message.pointer(Message::OwnerPort)?;
    match owner.u64() {
        0 => Ok(None),
        _ => client_of(message.kernel().at(owner)),
    }
}

fn by_attribute(data: At<'_, '_>) -> Read<EffectiveCaller> {
    let kernel = data.kernel();
    if blob::kind(kernel, data.address()).is_ok_and(|kind| kind != BlobKind::SECURITY_CONTEXT) {
        let at = kernel.addr(data.address());
        return Err(Unreadable::Implausible(why!("no security data is at {}", at)));
    }
    if data.flag(SecurityData::Revoked)? {
        return Ok(EffectiveCaller::refused("its security attribute was revoked"));
    }
    let context = data.embedded(SecurityData::DynamicSecurity)?;
    let source = CallerSource::SecurityAttribute;
    let caller = by_context(context, source)?;
    Ok(EffectiveCaller {
        was_impersonated: data.flag(SecurityData::Impersonated).map(Some).into(),
        ..caller
    })
}

fn by_context(context: At<'_, '_>, source: CallerSource) -> Read<EffectiveCaller> {
    let token = context.pointer(SecurityContext::ClientToken)?;
    let qos = context.embedded(SecurityContext::SecurityQos);
    let level = qos.and_then(|qos| qos.uint(QualityOfService::ImpersonationLevel));
    Ok(EffectiveCaller::by(context.kernel(), source, token, level))
}

fn by_port(client: At<'_, '_>, message: Option<At<'_, '_>>) -> Read<EffectiveCaller> {
    let attributes = client.embedded(Port::PortAttributes)?;
    if attributes.u32(PortAttributes::Flags)? & ALLOWS_IMPERSONATION == 0 {
        return Ok(EffectiveCaller::refused("the client's port does not allow it"));
    }
    if !client.flag(Port::DynamicSecurity)? {
        return by_context(
            client.embedded(Port::StaticSecurity)?,
            CallerSource::StaticAtConnect,
        );
    }
    let qos = attributes.embedded(PortAttributes::SecurityQos);
    let level = qos.and_then(|qos| qos.uint(QualityOfService::ImpersonationLevel));
    let kernel = client.kernel();
    let source = CallerSource::DynamicFromThread;
    let Some(message) = message else {
        return Ok(EffectiveCaller {
            why: Some("of each call's thread, when the server asks".to_owned()),
            ..EffectiveCaller::by(kernel, source, Gva::new(0), level)
        });
    };
    let thread = message.pointer(Message::WaitingThread)?;
    if thread.u64() == 0 {
        return Ok(EffectiveCaller::refused(
            "the security is dynamic, and no thread waits for the reply",
        ));
    }
    Ok(EffectiveCaller::by(
        kernel,
        source,
        acting(kernel.at(thread))?,
        level,
    ))
}

/// The token that a thread acts by: the one that it impersonates, else its process's.
fn acting(thread: At<'_, '_>) -> Read<Gva> {
    if let Some(impersonated) = token::of_thread(thread)? {
        return Ok(impersonated.token);
    }
    let process = process_of(thread)?;
    let token = token::of_process(thread.kernel().at(process))?;
    token.ok_or_else(|| {
        let at = thread.kernel().addr(process);
        Unreadable::NullPointer(why!("{} of the process {} is null", MEMBER, at))
    })
}

const MEMBER: &str = "_EPROCESS.Token";

/// What a port was created with, as far as impersonation goes: its flags.
///
/// # Errors
/// When the port is not in the dump.
pub fn flags(port: At<'_, '_>) -> Read<u32> {
    port.embedded(Port::PortAttributes)?.u32(PortAttributes::Flags)
}

/// The process of a thread.
///
/// # Errors
/// When the thread is not in the dump.
pub fn process_of(thread: At<'_, '_>) -> Read<Gva> {
    marks::expect(thread.kernel(), Expected::Thread, thread.address())?;
    thread.embedded(Thread::Tcb)?.pointer(ThreadControl::Process)
}
