//! Executive objects: the header before each of them, their types and names.

pub mod blob;
pub(crate) mod blob_kind;
pub mod directory;
pub mod dispatcher;
pub mod handle;
pub mod identify;
pub mod marks;
pub mod pool;
pub mod process_ref;

use std::fmt;

use kdump::Gva;
#[cfg(feature = "schema")]
use schemars::JsonSchema;
#[cfg(feature = "serde")]
use serde::Serialize;

use crate::image::contract::{Global, ObjectCreatorInfo, ObjectHeader, ObjectNameInfo, ObjectType};
use crate::image::kernel::{At, Kernel, Read, before, offset};
use crate::image::value::{Addr, Unreadable, Value};
use crate::why;

/// Bits of `_OBJECT_HEADER.InfoMask` that say which optional headers stand before the header.
/// The one for the creator is nearest to it, the one for the name comes next.
const CREATOR_INFO: u64 = 1;
const NAME_INFO: u64 = 2;

/// Directories that a path is followed through at most.
const MAX_DEPTH: usize = 64;

/// UTF-16 units that a path has at most: its length in bytes is 16 bits wide, as `_UNICODE_STRING` keeps it.
const MAX_PATH: usize = 0x7fff;

/// Index of the first type in `ObTypeIndexTable`.
const FIRST_TYPE: u64 = 2;

/// A type of objects.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct TypeRef {
    /// Its `_OBJECT_TYPE`.
    pub address: Addr,
    /// Its name, as in `ALPC Port`.
    pub name: Value<String>,
}

impl TypeRef {
    /// Whether this is the type of that name, as far as is known.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        self.name.known().is_some_and(|known| known == name)
    }
}

/// Names are attacker-controlled, so this one is escaped; a type whose name is not known is told by address.
impl fmt::Display for TypeRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Value::Known(name) => write!(f, "\"{}\"", name.escape_debug()),
            Value::Missing(_) => write!(f, "at {}", self.address),
        }
    }
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
    if !kernel.is_told(Global::ObTypeIndexTable) {
        return kernel.type_of_index(header.address(), index);
    }
    if let Ok(cookie) = kernel.global(Global::ObHeaderCookie) {
        let salt = (header.address().u64() >> 8) & 0xff;
        // From Windows 10 on the index is mixed with the second byte of the header's own address and with a byte made at
        // boot, so that an overflow in the pool cannot forge a type: two processes side by side have different bytes there,
        // and headers copied elsewhere decode to nonsense. The debugger does the same (`!object`).
        // In a published transcript of Windows 10 the header at ffffaf8f18085dc0 has the byte 75: its own
        // second byte is 5d, so that index and cookie make 28.
        index ^= salt ^ u64::from(kernel.cursor().u8(cookie)?);
    }
    let slot = index.saturating_mul(kernel.pointer_size().into());
    let address = kernel
        .cursor()
        .pointer(offset(kernel.global(Global::ObTypeIndexTable)?, slot))?;
    let invalid = || {
        let at = kernel.addr(header.address());
        Unreadable::Implausible(why!("the object header at {} has no valid type index", at))
    };
    // The first two slots hold no types, and those behind the last hold nothing, or other variables.
    // (Slot 1 holds bad0b0b0, which Volatility meets as the type of freed objects.)
    if index < FIRST_TYPE || !kernel.is_kernel_address(address) {
        return Err(invalid());
    }
    if kernel.at(address).uint(ObjectType::Index)? & 0xff != index {
        return Err(invalid());
    }
    Ok(address)
}

/// The type of an object.
///
/// # Errors
/// As [`type_address`], and when a pointer to the type leads to something else.
pub fn object_type(header: At<'_, '_>) -> Read<TypeRef> {
    let kernel = header.kernel();
    let address = type_address(header)?;
    if kernel.has(ObjectHeader::Type) && !is_type(kernel, address)? {
        let at = kernel.addr(header.address());
        return Err(Unreadable::Implausible(why!(
            "the object header at {} has no valid type",
            at
        )));
    }
    Ok(TypeRef {
        address: kernel.addr(address),
        name: type_name(kernel.at(address)).into(),
    })
}

/// Whether a type is at an address, where headers point at types: a type is an object itself, of the type that
/// `ObpTypeObjectType` names. An index into the table of types needs no such check.
fn is_type(kernel: &Kernel<'_>, address: Gva) -> Read<bool> {
    // A pointer that is none, in memory that is no header.
    if !kernel.is_kernel_address(address) {
        return Ok(false);
    }
    let found = header(kernel, address)?.pointer(ObjectHeader::Type);
    match (found, kernel.global_pointer(Global::ObpTypeObjectType)) {
        (Ok(found), Ok(types)) if types.u64() != 0 => Ok(found == types),
        (Err(hole), _) => Err(hole),
        (Ok(_), _) => Ok(true),
    }
}

/// Name of a type. That of a type which a global names is known without the text, which is in paged memory.
fn type_name(object_type: At<'_, '_>) -> Read<String> {
    const BY_GLOBAL: [(Global, &str); 4] = [
        (Global::AlpcPortObjectType, "ALPC Port"),
        (Global::ObpDirectoryObjectType, "Directory"),
        (Global::PsProcessType, "Process"),
        (Global::PsThreadType, "Thread"),
    ];
    let kernel = object_type.kernel();
    let text = object_type
        .address_of(ObjectType::Name)
        .and_then(|at| kernel.text(at));
    text.or_else(|hole| {
        let is = |global| kernel.global_pointer(global).ok() == Some(object_type.address());
        let known = BY_GLOBAL.iter().find(|(global, _)| is(*global));
        known.map(|(_, name)| (*name).to_owned()).ok_or(hole)
    })
}

/// Whether an object is there and has the type of that name.
///
/// # Errors
/// When the header or what tells its type is not in the dump.
pub fn has_type(header: At<'_, '_>, name: &str) -> Read<bool> {
    match object_type(header) {
        Ok(found) => Ok(found.name.get()? == name),
        Err(Unreadable::Implausible(_)) => Ok(false),
        Err(hole) => Err(hole),
    }
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
    let name = true_name(header)?;
    Ok(match header.kernel().redaction() {
        Some(redaction) => name.map(|name| redaction.name(name)),
        None => name,
    })
}

/// The name also where records must not tell it.
pub(crate) fn true_name(header: At<'_, '_>) -> Read<Option<String>> {
    let Some(info) = name_info(header)? else {
        return Ok(None);
    };
    let name = header.kernel().text(info.address_of(ObjectNameInfo::Name)?)?;
    Ok((!name.is_empty()).then_some(name))
}

/// The directory that an object's name is in; none when it has no name, or its name is in no directory.
///
/// # Errors
/// When the header or the name info is not in the dump.
pub fn directory_of(header: At<'_, '_>) -> Read<Option<Gva>> {
    let Some(info) = name_info(header)? else {
        return Ok(None);
    };
    let directory = info.pointer(ObjectNameInfo::Directory)?;
    Ok((directory.u64() != 0).then_some(directory))
}

/// The directory that all paths begin at.
///
/// # Errors
/// When the symbols lack `ObpRootDirectoryObject` or its memory is not in the dump.
pub fn root_directory(kernel: &Kernel<'_>) -> Read<Gva> {
    kernel.global_pointer(Global::ObpRootDirectoryObject)
}

/// Full path of the object whose body is at `body`: `\RPC Control\ntsvcs`. None when the object has no name,
/// or its name is in no directory, as those of registry keys.
///
/// The climb ends at the directory that `ObpRootDirectoryObject` names, or at one that is in no other: the
/// root keeps the name `\` and no parent.
///
/// # Errors
/// When any part of the path is not in the dump, or the directories lead around in a circle.
pub fn path(kernel: &Kernel<'_>, body: Gva) -> Read<Option<String>> {
    let path = true_path(kernel, body)?;
    Ok(match kernel.redaction() {
        Some(redaction) => path.map(|path| redaction.path(&path)),
        None => path,
    })
}

fn true_path(kernel: &Kernel<'_>, body: Gva) -> Read<Option<String>> {
    let root = root_directory(kernel).ok();
    if root == Some(body) {
        return Ok(Some("\\".to_owned()));
    }
    let first = header(kernel, body)?;
    let (own, parent) = match (true_name(first)?, directory_of(first)?) {
        (Some(own), Some(parent)) => (own, parent),
        // Keys have a name in their header and live in the registry's own tree; files have none at all, theirs is in the
        // file object. Both come back here without a path, and `!object` shows them the same way.
        // The root, where the global that names it cannot be read.
        (Some(own), None) if own == "\\" && is_directory(first)? => return Ok(Some(own)),
        _ => return Ok(None),
    };
    let mut length = path_length(&own);
    let mut parts = vec![own];
    let mut seen = vec![body];
    let mut at = parent;
    while root != Some(at) {
        if seen.contains(&at) || seen.len() >= MAX_DEPTH {
            return Err(Unreadable::Walk(why!(
                "the directories above {} lead around at {}",
                kernel.addr(body),
                kernel.addr(at)
            )));
        }
        seen.push(at);
        let Some((part, above)) = step_up(kernel, at)? else {
            break;
        };
        length = length.saturating_add(path_length(&part));
        if length > MAX_PATH {
            return Err(too_long(kernel, body));
        }
        parts.push(part);
        at = above;
    }
    parts.reverse();
    Ok(Some(format!("\\{}", parts.join("\\"))))
}

/// UTF-16 units that a name adds to a path.
fn path_length(name: &str) -> usize {
    name.encode_utf16().count().saturating_add(1)
}

fn too_long(kernel: &Kernel<'_>, body: Gva) -> Unreadable {
    let at = kernel.addr(body);
    Unreadable::Walk(why!(
        "the path of the object at {} would have more than {} characters, as no path has",
        at,
        MAX_PATH
    ))
}

/// The path of the object at `body`, of that name in a directory of the path `parent`.
///
/// # Errors
/// When it is longer than a path can be.
pub(crate) fn path_below(kernel: &Kernel<'_>, parent: &str, name: &str, body: Gva) -> Read<String> {
    let length = parent.len().saturating_add(name.len()).saturating_add(1);
    // What is put together was read once, and is told as often as it is put together.
    kernel.budget().text(length)?;
    if length > MAX_PATH && path_length(parent).saturating_add(name.encode_utf16().count()) > MAX_PATH {
        return Err(too_long(kernel, body));
    }
    Ok(format!("{parent}\\{name}"))
}

/// Name of a directory and the directory that it is in; none at the root.
fn step_up(kernel: &Kernel<'_>, at: Gva) -> Read<Option<(String, Gva)>> {
    let header = header(kernel, at)?;
    if is_directory(header).is_ok_and(|is| !is) {
        let at = kernel.addr(at);
        return Err(Unreadable::Implausible(why!("no object directory is at {}", at)));
    }
    Ok(true_name(header)?.zip(directory_of(header)?))
}

/// Whether an object is a directory of the namespace.
///
/// # Errors
/// When the header or what tells its type is not in the dump.
pub fn is_directory(header: At<'_, '_>) -> Read<bool> {
    has_type(header, "Directory")
}

/// An object, by the headers before it.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct ObjectRecord {
    /// The object itself.
    pub address: Addr,
    /// The `_OBJECT_HEADER` before it.
    pub header: Value<Addr>,
    /// Which of the two forms of headers that is, in the debugger's words: the `old` one points at the type,
    /// the `new` one has its index (Windows 7 on).
    pub header_version: &'static str,
    /// Its type.
    #[cfg_attr(feature = "serde", serde(rename = "type"))]
    pub object_type: Value<TypeRef>,
    /// References, as the header counts them: from Windows 8 on each handle holds thousands in advance.
    pub pointer_count: Value<u64>,
    /// Open handles.
    pub handle_count: Value<u64>,
    /// The directory that its name is in.
    pub directory: Value<Option<Addr>>,
    /// Its name: the last part of its path.
    pub name: Value<Option<String>>,
    /// Its full path.
    pub path: Value<Option<String>>,
    /// `_OBJECT_HEADER.Flags`.
    pub flags: Value<u32>,
    /// Its security descriptor, without the reference count that the pointer carries in its low bits.
    pub security_descriptor: Value<Option<Addr>>,
}

/// What the memory before `body` says as the headers of an object.
#[must_use]
pub fn record(kernel: &Kernel<'_>, body: Gva) -> ObjectRecord {
    let header = header(kernel, body);
    let object_type = header.clone().and_then(object_type);
    let number = |member| Value::from(header.clone().and_then(|header| header.uint(member)));
    ObjectRecord {
        address: kernel.addr(body),
        header: header.clone().map(|header| kernel.addr(header.address())).into(),
        header_version: if kernel.has(ObjectHeader::TypeIndex) {
            "new"
        } else {
            "old"
        },
        object_type: object_type.into(),
        pointer_count: number(ObjectHeader::PointerCount),
        handle_count: number(ObjectHeader::HandleCount),
        directory: header
            .clone()
            .and_then(directory_of)
            .map(|found| found.map(|at| kernel.addr(at)))
            .into(),
        name: header.clone().and_then(name).into(),
        path: path(kernel, body).into(),
        flags: header
            .clone()
            .and_then(|header| header.u32(ObjectHeader::Flags))
            .into(),
        security_descriptor: header.and_then(security_descriptor).into(),
    }
}

/// The pointer is an `_EX_FAST_REF`: its low bits (four on 64-bit systems, three on 32-bit ones) count.
pub(crate) fn security_descriptor(header: At<'_, '_>) -> Read<Option<Addr>> {
    let kernel = header.kernel();
    let count = if kernel.pointer_size() == 4 { 7 } else { 15 };
    // Ports without a name have none: their type does not ask for it (SecurityRequired is off, by a single
    // disassembly), and what has no name is opened by nobody.
    let pointer = header.uint(ObjectHeader::SecurityDescriptor)? & !count;
    Ok((pointer != 0).then(|| kernel.addr(Gva::new(pointer))))
}

/// Bytes from the name info to the header: the kernel's own table, or the same sum from the sizes.
fn name_info_distance(kernel: &Kernel<'_>, mask: u64) -> Read<u64> {
    let table = kernel.global(Global::ObpInfoMaskToOffset);
    // Bytes, indexed by the mask up to the bit of the header that is wanted: how far that is before the
    // object's own header. A published transcript shows 32 for a name in an object whose mask is 6.
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
        kernel.size_of::<ObjectCreatorInfo>()?
    };
    Ok(kernel.size_of::<ObjectNameInfo>()?.saturating_add(creator))
}
