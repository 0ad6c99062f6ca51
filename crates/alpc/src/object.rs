//! Executive objects: the header before each of them, their types and names.

use kdump::{Gva, Gxa};
use serde::Serialize;

use crate::contract::{Global, ObjectHeader, ObjectNameInfo, ObjectType, Type};
use crate::kernel::{At, Kernel, Read, before, offset};
use crate::value::{Addr, Hole};

/// Bits of `_OBJECT_HEADER.InfoMask` that say which optional headers stand before the header.
/// The one for the creator is nearest to it, the one for the name comes next.
const CREATOR_INFO: u64 = 1;
const NAME_INFO: u64 = 2;

/// Directories that a path is followed through at most.
const MAX_DEPTH: usize = 64;

/// A type of objects.
#[derive(Clone, Debug, Serialize)]
pub struct TypeRef {
    /// Its `_OBJECT_TYPE`.
    pub address: Addr,
    /// Its name, as in `ALPC Port`.
    pub name: String,
}

/// The header of the object whose body is at `body`.
///
/// # Errors
/// When the layout does not say how large a header is.
pub fn header<'k, 'd>(kernel: &'k Kernel<'d>, body: Gva) -> Read<At<'k, 'd>> {
    Ok(kernel.at(before(body, kernel.offset(ObjectHeader::Body)?)))
}

/// Address of the `_OBJECT_TYPE` of an object.
///
/// Vista keeps a pointer in the header. Later kernels keep an index into `ObTypeIndexTable`, which Windows 10
/// and later obfuscate with a byte of the header's own address and a cookie.
///
/// # Errors
/// When the header or the tables are not in the dump or not in the symbols, or the index leads nowhere.
pub fn type_address(header: At<'_, '_>) -> Read<Gva> {
    let kernel = header.kernel();
    if kernel.has(ObjectHeader::Type) {
        return header.pointer(ObjectHeader::Type);
    }
    let mut index = header.uint(ObjectHeader::TypeIndex)? & 0xff;
    if let Ok(cookie) = kernel.global(Global::ObHeaderCookie) {
        let salt = (header.address().u64() >> 8) & 0xff;
        index ^= salt ^ u64::from(kernel.cursor().u8(cookie)?);
    }
    let slot = index.saturating_mul(kernel.pointer_size().into());
    let address = kernel
        .cursor()
        .pointer(offset(kernel.global(Global::ObTypeIndexTable)?, slot))?;
    if kernel.at(address).uint(ObjectType::Index)? & 0xff != index {
        let at = kernel.addr(header.address());
        return Err(Hole::Implausible(format!(
            "the object header at {at} has no valid type index"
        )));
    }
    Ok(address)
}

/// The type of an object.
///
/// # Errors
/// As [`type_address`], or when the type's name is not in the dump.
pub fn object_type(header: At<'_, '_>) -> Read<TypeRef> {
    let kernel = header.kernel();
    let address = type_address(header)?;
    let name = kernel.text(kernel.at(address).address_of(ObjectType::Name)?)?;
    Ok(TypeRef {
        address: kernel.addr(address),
        name,
    })
}

/// Address of an object's `_OBJECT_HEADER_NAME_INFO`; none when the object was given no name.
///
/// # Errors
/// When the header is not in the dump.
pub fn name_info<'k, 'd>(header: At<'k, 'd>) -> Read<Option<At<'k, 'd>>> {
    let kernel = header.kernel();
    let distance = if kernel.has(ObjectHeader::NameInfoOffset) {
        header.uint(ObjectHeader::NameInfoOffset)?
    } else {
        let mask = header.uint(ObjectHeader::InfoMask)?;
        if mask & NAME_INFO == 0 {
            0
        } else {
            name_info_distance(kernel, mask)?
        }
    };
    Ok((distance != 0).then(|| kernel.at(before(header.address(), distance))))
}

/// The name that an object was given: the last part of its path.
///
/// # Errors
/// When the header or the name is not in the dump.
pub fn name(header: At<'_, '_>) -> Read<Option<String>> {
    let Some(info) = name_info(header)? else {
        return Ok(None);
    };
    let name = header.kernel().text(info.address_of(ObjectNameInfo::Name)?)?;
    Ok((!name.is_empty()).then_some(name))
}

/// Full path of the object whose body is at `body`; none when it has no name.
///
/// # Errors
/// When any part of the path is not in the dump.
pub fn path(kernel: &Kernel<'_>, body: Gva) -> Read<Option<String>> {
    let mut parts = Vec::new();
    let mut at = body;
    for _ in 0..MAX_DEPTH {
        let header = header(kernel, at)?;
        let Some(info) = name_info(header)? else { break };
        let directory = info.pointer(ObjectNameInfo::Directory)?;
        if directory.u64() == 0 {
            break;
        }
        parts.push(kernel.text(info.address_of(ObjectNameInfo::Name)?)?);
        at = directory;
    }
    parts.reverse();
    Ok((!parts.is_empty()).then(|| format!("\\{}", parts.join("\\"))))
}

/// Bytes from the name info to the header: the kernel's own table, or the same sum from the sizes.
fn name_info_distance(kernel: &Kernel<'_>, mask: u64) -> Read<u64> {
    let table = kernel.global(Global::ObpInfoMaskToOffset);
    if let Ok(table) = table
        && let Ok(distance) = kernel
            .cursor()
            .u8(offset(table, mask & (NAME_INFO | CREATOR_INFO)))
        && distance != 0
    {
        return Ok(distance.into());
    }
    let creator = if mask & CREATOR_INFO == 0 {
        0
    } else {
        kernel.size_of(Type::ObjectCreatorInfo)?
    };
    Ok(kernel.size_of(Type::ObjectNameInfo)?.saturating_add(creator))
}
