//! What is at an address, when it is not what was asked for.

use std::fmt;

use kdump::Gva;
#[cfg(feature = "schema")]
use schemars::JsonSchema;
#[cfg(feature = "serde")]
use serde::Serialize;

use crate::image::contract::ObjectHeader;
use crate::image::kernel::Kernel;
use crate::image::value::{Addr, Unreadable};
use crate::object::blob::{self, BlobKind, Freed};
use crate::object::{self, ObjectRecord, TypeRef};

/// What the memory at an address looks like.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(feature = "serde", serde(tag = "kind", rename_all = "kebab-case"))]
pub enum Identity {
    /// An executive object, by the header before it.
    Object {
        /// Its type.
        #[cfg_attr(feature = "serde", serde(rename = "type"))]
        object_type: TypeRef,
    },
    /// An ALPC allocation, by the blob header before it.
    Blob {
        /// What it holds.
        holds: BlobKind,
        /// Set when its header says that it is not in use any more.
        #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
        freed: Option<Freed>,
    },
    /// The header of an object: the object itself comes behind it.
    ObjectHeader {
        /// Its type.
        #[cfg_attr(feature = "serde", serde(rename = "type"))]
        object_type: TypeRef,
        /// Address of the object.
        body: Addr,
    },
    /// The memory cannot be read.
    Unreadable {
        /// Why.
        reason: Unreadable,
    },
    /// Nothing that can be told.
    Unknown,
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Object { object_type } => write!(f, "it looks like an object of the type {object_type}"),
            Self::Blob { holds, freed: None } => write!(f, "the blob header before it says {holds}"),
            Self::Blob {
                holds,
                freed: Some(freed),
            } => write!(
                f,
                "the blob header before it says {holds}, freed ({})",
                freed.text()
            ),
            Self::ObjectHeader { object_type, body } => write!(
                f,
                "it looks like the header of an object of the type {object_type}, which is at {body}"
            ),
            Self::Unreadable { reason } => write!(f, "{reason}"),
            Self::Unknown => f.write_str("what is there cannot be determined"),
        }
    }
}

/// Tells what is at an address as far as the headers before it say.
#[must_use]
pub fn identify(kernel: &Kernel<'_>, address: Gva) -> Identity {
    if let Err(reason) = kernel.cursor().u8(address) {
        return Identity::Unreadable { reason };
    }
    if let Ok(header) = object::header(kernel, address)
        && let Ok(object_type) = object::object_type(header)
    {
        return Identity::Object { object_type };
    }
    let body = kernel
        .offset(ObjectHeader::Body)
        .map(|body| crate::image::kernel::offset(address, body));
    // Users copy either address: the debugger prints both, `Object: ffffaf8f18085df0` and below it
    // `ObjectHeader: ffffaf8f18085dc0`, 30 apart (18 on x86).
    if let (Ok(object_type), Ok(body)) = (object::object_type(kernel.at(address)), body) {
        return Identity::ObjectHeader {
            object_type,
            body: kernel.addr(body),
        };
    }
    match blob::kind(kernel, address) {
        Ok(holds) if holds.name().is_some() => Identity::Blob {
            holds,
            freed: blob::freed(kernel, address).ok().flatten(),
        },
        _ => Identity::Unknown,
    }
}

/// Why there is no object at an address.
#[derive(Clone, Debug, thiserror::Error)]
#[error("no object is at {address}: {what}")]
pub struct NotAnObject {
    /// The address asked for.
    pub address: Addr,
    /// What is there instead.
    pub what: Identity,
}

/// Reads the object whose body is at `body`.
///
/// # Errors
/// [`NotAnObject`] when the header before the address is in the dump and names no type. A header that is not
/// in the dump is no error: the record says so.
pub fn object(kernel: &Kernel<'_>, body: Gva) -> Result<ObjectRecord, NotAnObject> {
    let record = object::record(kernel, body);
    match record.object_type.reason() {
        // Where types cannot be determined, the tag of an allocation tells at least that no object is in it.
        Some(hole) if matches!(hole, Unreadable::Implausible(_)) || blob::is_tagged(kernel, body) => {
            Err(NotAnObject {
                address: kernel.addr(body),
                what: identify(kernel, body),
            })
        }
        _ => Ok(record),
    }
}
