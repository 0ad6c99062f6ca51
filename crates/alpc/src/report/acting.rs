//! As whom a process, a thread, a port's owner or a message's sender acts: tokens with what leads to them.

use kdump::{Addr, Gva};
use ntkernel::image::expected::Expected;
use ntkernel::image::kernel::{Kernel, Read};
use ntkernel::image::value::Value;
use ntkernel::object;
use ntkernel::object::blob::{self, BlobKind};
use ntkernel::object::marks;
use ntkernel::process::ProcessRef;
use ntkernel::security::protection;
use ntkernel::security::token::{self, NotAToken, TokenRecord};
#[cfg(feature = "schema")]
use schemars::JsonSchema;
#[cfg(feature = "serde")]
use serde::Serialize;

use crate::port;
use crate::port::impersonation::{self, CallerSource, EffectiveCaller};

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum Actor {
    /// A process.
    Process,
    /// A thread.
    Thread,
    /// A port: its owner, and whom a server would act for over it.
    Port,
    /// A message: whom its server would act for.
    Message,
    /// A token by its own address.
    Token,
}

/// A token that a thread acts by instead of its process's.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct ThreadToken {
    /// How far.
    pub level: Option<&'static str>,
    /// Whether only what is enabled may be used.
    pub effective_only: bool,
    /// The token.
    pub token: Value<TokenRecord>,
}

/// As whom something acts.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct ActingRecord {
    /// What was asked for.
    pub of: Actor,
    /// Where it is.
    pub address: Addr,
    /// The process: itself, the thread's, the port's owner.
    pub process: Value<Option<ProcessRef>>,
    /// Whether that is protected, and how.
    pub protection: Value<Option<String>>,
    /// Its primary token.
    pub primary: Value<Option<TokenRecord>>,
    /// What a thread acts by instead; none while it acts as its process.
    pub impersonation: Value<Option<ThreadToken>>,
    /// Whom a server would act for: of messages, and of the ends of connections.
    pub caller: Value<Option<CallerRecord>>,
    /// The token that was asked for by its own address.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub token: Option<TokenRecord>,
}

/// Whom a server would act for.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct CallerRecord {
    /// By what, and how far.
    pub by: EffectiveCaller,
    /// The token; none where there is none to be had.
    pub token: Value<Option<TokenRecord>>,
    /// How sure the order is in which the kernel looks: `single-source`.
    pub evidence: &'static str,
}

impl ActingRecord {
    fn empty(kernel: &Kernel<'_>, of: Actor, address: Gva) -> Self {
        Self {
            of,
            address: kernel.addr(address),
            process: Value::Known(None),
            protection: Value::Known(None),
            primary: Value::Known(None),
            impersonation: Value::Known(None),
            caller: Value::Known(None),
            token: None,
        }
    }

    fn with_process(mut self, kernel: &Kernel<'_>, process: Read<Gva>) -> Self {
        match process {
            Ok(at) if at.u64() != 0 => {
                self.process = Value::Known(Some(ProcessRef::at(kernel, at)));
                self.protection = protection::of(kernel.at(at)).into();
                let primary = token::of_process(kernel.at(at));
                self.primary = primary
                    .and_then(|found| found.map(|at| one(kernel, at)).transpose())
                    .into();
            }
            Ok(_) => {}
            Err(hole) => {
                self.process = Err(hole.clone()).into();
                self.primary = Err(hole).into();
            }
        }
        self
    }

    fn with_caller(mut self, kernel: &Kernel<'_>, caller: Read<Option<EffectiveCaller>>) -> Self {
        self.caller = caller
            .map(|caller| {
                caller.map(|by| CallerRecord {
                    token: by.token.map(|at| one(kernel, at.gva())).transpose().into(),
                    evidence: "single-source",
                    by,
                })
            })
            .into();
        self
    }

    /// Whether the server would be refused.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        let caller = self.caller.known().and_then(Option::as_ref);
        caller.is_some_and(|caller| caller.by.source == CallerSource::Refused)
    }
}

fn one(kernel: &Kernel<'_>, at: Gva) -> Read<TokenRecord> {
    token::read(kernel, at).map_err(|not: NotAToken| not.hole)
}

/// As whom the process at an address acts.
#[must_use]
pub fn process(kernel: &Kernel<'_>, address: Gva) -> ActingRecord {
    ActingRecord::empty(kernel, Actor::Process, address).with_process(kernel, Ok(address))
}

/// As whom the thread at an address acts: as its process, or as whom it impersonates.
#[must_use]
pub fn thread(kernel: &Kernel<'_>, address: Gva) -> ActingRecord {
    let at = kernel.at(address);
    let impersonated = token::of_thread(at).map(|found| {
        found.map(|found| ThreadToken {
            level: ntsecurity::token::level(found.level),
            effective_only: found.effective_only,
            token: one(kernel, found.token).into(),
        })
    });
    ActingRecord {
        impersonation: impersonated.into(),
        ..ActingRecord::empty(kernel, Actor::Thread, address)
            .with_process(kernel, impersonation::process_of(at))
    }
}

/// The owner of the port at an address, and whom a server would act for over its connection.
#[must_use]
pub fn port(kernel: &Kernel<'_>, address: Gva) -> ActingRecord {
    let at = kernel.at(address);
    let owner = port::owner_process(at).map(|(owner, _)| owner);
    let client = impersonation::client_of(at);
    let caller = client.and_then(|client| client.map(impersonation::of_client_port).transpose());
    ActingRecord::empty(kernel, Actor::Port, address)
        .with_process(kernel, owner)
        .with_caller(kernel, caller)
}

/// Whom the server of the message at an address would act for.
#[must_use]
pub fn message(kernel: &Kernel<'_>, address: Gva) -> ActingRecord {
    let caller = impersonation::of_message(kernel, address).map(Some);
    ActingRecord::empty(kernel, Actor::Message, address).with_caller(kernel, caller)
}

/// As whom whatever is at an address acts. A message is known by its marks before anything else: what stands before one can
/// pass for the header of an object by chance.
///
/// # Errors
/// When it is none of these.
pub fn at(kernel: &Kernel<'_>, address: Gva) -> Result<ActingRecord, NotAToken> {
    let is = |expected| marks::expect(kernel, expected, address).is_ok();
    if blob::kind(kernel, address).is_ok_and(|kind| kind == BlobKind::MESSAGE) && is(Expected::Message) {
        return Ok(message(kernel, address));
    }
    let of = object::header(kernel, address).and_then(object::object_type);
    let has_type = |name: &str| of.as_ref().is_ok_and(|of| of.is(name));
    if has_type("Process") && is(Expected::Process) {
        return Ok(process(kernel, address));
    }
    if has_type("Thread") && is(Expected::Thread) {
        return Ok(thread(kernel, address));
    }
    if port::kind_if_any(kernel.at(address)).is_ok() && is(Expected::Port) {
        return Ok(port(kernel, address));
    }
    // Without tables of types, as in a triage dump, marks are all that tells.
    if of.is_err() && marks::is_certainly_thread(kernel, address) {
        return Ok(thread(kernel, address));
    }
    token(kernel, address)
}

/// The token at an address.
///
/// # Errors
/// When something else is there.
pub fn token(kernel: &Kernel<'_>, address: Gva) -> Result<ActingRecord, NotAToken> {
    Ok(ActingRecord {
        token: Some(token::read(kernel, address)?),
        ..ActingRecord::empty(kernel, Actor::Token, address)
    })
}
