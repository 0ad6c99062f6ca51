//! Any type of the symbols in use, with the values that it has at an address.
//!
//! Nothing here is declared in the contract: names, offsets and types are those of the symbol table, and a
//! value is read as its printable type says.

use std::collections::HashMap;

use kdump::Gva;
use ntlayout::{BitField, Member, SymbolError, SymbolTable};
#[cfg(feature = "schema")]
use schemars::JsonSchema;
#[cfg(feature = "serde")]
use serde::Serialize;

use crate::image::kernel::{Kernel, Read, offset};
use crate::image::value::{Addr, Value};

/// Elements of an array whose values are read.
const ELEMENT_CAP: u64 = 64;

/// Characters of an array of characters that are read.
const TEXT_CAP: u64 = 4096;

/// A type as the debugger's `dt` shows it.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(feature = "serde", serde(untagged))]
pub enum TypeRecord {
    /// A structure, class or union.
    Structure(StructureRecord),
    /// An enumeration.
    Enumeration(EnumerationRecord),
}

/// A structure, class or union, alone or with its values.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct StructureRecord {
    /// Its name.
    pub name: String,
    /// Bytes.
    pub size: u32,
    /// Where its values were read.
    pub address: Option<Addr>,
    /// Its members, in the order of declaration.
    pub members: Vec<MemberRecord>,
}

/// An enumeration.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct EnumerationRecord {
    /// Its name.
    pub name: String,
    /// Its names and their values, in the order of declaration.
    pub values: Vec<(String, i64)>,
}

/// A member of a structure.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct MemberRecord {
    /// Bytes from the start of the structure, also for members of anonymous ones.
    pub offset: u32,
    /// Its name.
    pub name: String,
    /// Its type, in the debugger's words.
    #[cfg_attr(feature = "serde", serde(rename = "type"))]
    pub type_name: String,
    /// Bytes; of a bit field, those of the unit that it is part of.
    pub size: Option<u32>,
    /// Number of its lowest bit and how many it has, when it is a bit field.
    pub bits: Option<(u8, u8)>,
    /// What it holds, when an address was given and its type has values.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub value: Option<Value<TypedValue>>,
    /// The members of an anonymous structure.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Vec::is_empty"))]
    pub members: Vec<MemberRecord>,
}

/// What a member holds.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(feature = "serde", serde(untagged))]
pub enum TypedValue {
    /// A number without sign, also that of a bit field.
    Unsigned(u64),
    /// A number with sign.
    Signed(i64),
    /// A pointer.
    Pointer(Addr),
    /// A value of an enumeration.
    Enumeration {
        /// The number.
        number: i64,
        /// Its name; none for a number without one.
        name: Option<String>,
    },
    /// The links of a `_LIST_ENTRY`.
    Links {
        /// `Flink`.
        flink: Addr,
        /// `Blink`.
        blink: Addr,
    },
    /// The text of a `_UNICODE_STRING` or of an array of characters: as its creator wrote it, control
    /// characters and all.
    Text(String),
    /// The first elements of an array, 64 at most; of an array of arrays the first.
    Elements(Vec<Value<TypedValue>>),
}

/// Looks a type up, and reads its values when an address is given; none when the symbols have no type of that
/// name.
///
/// # Errors
/// When the symbol table cannot be read.
pub fn describe(
    kernel: &Kernel<'_>,
    table: &dyn SymbolTable,
    name: &str,
    address: Option<Gva>,
) -> Result<Option<TypeRecord>, SymbolError> {
    if let Some(info) = table.type_info(name)? {
        let mut reader = Reader {
            kernel,
            table,
            enumerations: HashMap::new(),
            path: vec![info.name.clone()],
        };
        return Ok(Some(TypeRecord::Structure(StructureRecord {
            members: reader.members(&info.members, address)?,
            name: info.name,
            size: info.size,
            address: address.map(|address| kernel.addr(address)),
        })));
    }
    let values = table.enum_info(name)?;
    Ok(values.map(|values| {
        TypeRecord::Enumeration(EnumerationRecord {
            name: name.to_owned(),
            values,
        })
    }))
}

/// A type that a pattern names.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct NamedType {
    /// Its name.
    pub name: String,
    /// Its bytes; null for an enumeration.
    pub size: Option<u32>,
}

/// The types that a pattern names, ascending by name.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct TypeList {
    /// The pattern: `*` stands for any characters, `?` for one.
    pub pattern: String,
    /// The types.
    pub types: Vec<NamedType>,
}

/// Lists the types whose names match a pattern, of whatever case.
///
/// # Errors
/// When the symbol table cannot be read, or has no whole types.
pub fn matching(table: &dyn SymbolTable, pattern: &str) -> Result<TypeList, SymbolError> {
    let types = table.type_names()?.into_iter();
    Ok(TypeList {
        pattern: pattern.to_owned(),
        types: types
            .filter(|ty| matches(pattern, &ty.name))
            .map(|ty| NamedType {
                name: ty.name,
                size: ty.size,
            })
            .collect(),
    })
}

/// Whether a name matches a pattern of `*` and `?`, whatever its case. Of several `*` only the last has to be tried again: what one before it would
/// take more, the last can take as well.
#[must_use]
pub fn matches(pattern: &str, name: &str) -> bool {
    let (mut pattern, mut name) = (pattern.chars(), name.chars());
    let mut retry = None;
    loop {
        let rest = name.clone();
        match (pattern.next(), name.next()) {
            (Some('*'), _) => {
                name = rest.clone();
                retry = Some((pattern.clone(), rest));
            }
            (None, None) => return true,
            (Some('?'), Some(_)) => {}
            (Some(one), Some(other)) if one.eq_ignore_ascii_case(&other) => {}
            _ => {
                let Some((after, mut from)) = retry.take() else {
                    return false;
                };
                if from.next().is_none() {
                    return false;
                }
                (pattern, name) = (after.clone(), from.clone());
                retry = Some((after, from));
            }
        }
    }
}

type Names = Option<Vec<(String, i64)>>;

struct Reader<'r, 'd> {
    kernel: &'r Kernel<'d>,
    table: &'r dyn SymbolTable,
    /// The enumerations met, and the names that are none.
    enumerations: HashMap<String, Names>,
    /// The type, and the anonymous members that lead to the one that is read.
    path: Vec<String>,
}

impl Reader<'_, '_> {
    /// The depth of anonymous members is bounded by the symbol table.
    fn members(
        &mut self,
        members: &[Member],
        address: Option<Gva>,
    ) -> Result<Vec<MemberRecord>, SymbolError> {
        members
            .iter()
            .map(|member| {
                self.path.push(member.name.clone());
                let value = match address {
                    Some(address) => self.member(member, address)?,
                    None => None,
                };
                let members = self.members(&member.members, address)?;
                self.path.pop();
                Ok(MemberRecord {
                    offset: member.offset,
                    name: member.name.clone(),
                    type_name: member.type_name.clone(),
                    size: member.size,
                    bits: member.bits.map(|bits| (bits.position, bits.length)),
                    value,
                    members,
                })
            })
            .collect()
    }

    fn member(&mut self, member: &Member, base: Gva) -> Result<Option<Value<TypedValue>>, SymbolError> {
        let at = offset(base, member.offset.into());
        self.kernel.place_typed(&self.path, base, member);
        if let Some(bits) = member.bits {
            let value = self.bit_field(at, member.size.unwrap_or(0), bits);
            return Ok(Some(value.into()));
        }
        let size = u64::from(member.size.unwrap_or(0));
        let value = self.value(&member.type_name, size, at)?;
        Ok(value.map(Value::from))
    }

    fn bit_field(&self, at: Gva, size: u32, bits: BitField) -> Read<TypedValue> {
        let raw = self.kernel.cursor().uint(at, size)?;
        let mask = u64::MAX
            .checked_shr(64_u32.saturating_sub(bits.length.into()))
            .unwrap_or(0);
        let value = raw.checked_shr(bits.position.into()).unwrap_or(0) & mask;
        Ok(TypedValue::Unsigned(value))
    }

    /// The value of a type of `size` bytes; none for a structure, whose members have the values.
    fn value(
        &mut self,
        type_name: &str,
        size: u64,
        at: Gva,
    ) -> Result<Option<Read<TypedValue>>, SymbolError> {
        if let Some((count, element)) = array(type_name) {
            return self.array(count, element, size, at);
        }
        Ok(Some(match type_name {
            "_LIST_ENTRY" => self.links(at),
            "_LARGE_INTEGER" | "_ULARGE_INTEGER" => self.unsigned(at, size).map(TypedValue::Unsigned),
            "_UNICODE_STRING" => self.kernel.text(at).map(TypedValue::Text),
            _ if is_pointer(type_name) => self
                .unsigned(at, size)
                .map(|value| TypedValue::Pointer(self.kernel.addr(Gva::new(value)))),
            _ if is_signed(type_name) => self
                .unsigned(at, size)
                .map(|value| TypedValue::Signed(sign_extended(value, size))),
            _ if is_unsigned(type_name) => self.unsigned(at, size).map(TypedValue::Unsigned),
            _ => match self.enumeration(type_name)? {
                Some(names) => self.enumerated(names, at, size),
                None => return Ok(None),
            },
        }))
    }

    fn unsigned(&self, at: Gva, size: u64) -> Read<u64> {
        let size = u32::try_from(size).unwrap_or(0);
        self.kernel.cursor().uint(at, size)
    }

    fn links(&self, at: Gva) -> Read<TypedValue> {
        let cursor = self.kernel.cursor();
        let flink = cursor.pointer(at)?;
        let blink = cursor.pointer(offset(at, self.kernel.pointer_size().into()))?;
        Ok(TypedValue::Links {
            flink: self.kernel.addr(flink),
            blink: self.kernel.addr(blink),
        })
    }

    fn enumeration(&mut self, name: &str) -> Result<Names, SymbolError> {
        if let Some(known) = self.enumerations.get(name) {
            return Ok(known.clone());
        }
        let names = self.table.enum_info(name)?;
        self.enumerations.insert(name.to_owned(), names.clone());
        Ok(names)
    }

    fn enumerated(&self, names: Vec<(String, i64)>, at: Gva, size: u64) -> Read<TypedValue> {
        let number = sign_extended(self.unsigned(at, size)?, size);
        let name = names
            .into_iter()
            .find(|(_, value)| *value == number)
            .map(|(name, _)| name);
        Ok(TypedValue::Enumeration { number, name })
    }

    fn array(
        &mut self,
        count: u64,
        element: &str,
        size: u64,
        at: Gva,
    ) -> Result<Option<Read<TypedValue>>, SymbolError> {
        match element {
            "Char" | "UChar" => return Ok(Some(self.narrow_text(at, count))),
            "Wchar" => return Ok(Some(self.wide_text(at, count))),
            _ => {}
        }
        let Some(stride) = size.checked_div(count).filter(|&stride| stride > 0) else {
            return Ok(None);
        };
        let mut elements = Vec::new();
        // Of an array of arrays only the first, lest their number multiply.
        let cap = if array(element).is_some() { 1 } else { ELEMENT_CAP };
        for index in 0..count.min(cap) {
            let at = offset(at, index.saturating_mul(stride));
            match self.value(element, stride, at)? {
                Some(value) => elements.push(Value::from(value)),
                None => return Ok(None),
            }
        }
        Ok(Some(Ok(TypedValue::Elements(elements))))
    }

    /// Bytes up to the first NUL, as Latin-1 so that none is lost.
    fn narrow_text(&self, at: Gva, count: u64) -> Read<TypedValue> {
        let bytes = self.bytes(at, count.min(TEXT_CAP))?;
        let text = bytes.iter().take_while(|&&byte| byte != 0);
        Ok(TypedValue::Text(text.map(|&byte| char::from(byte)).collect()))
    }

    fn wide_text(&self, at: Gva, count: u64) -> Read<TypedValue> {
        let bytes = self.bytes(at, count.min(TEXT_CAP).saturating_mul(2))?;
        let units: Vec<u16> = bytes
            .chunks_exact(2)
            .filter_map(|pair| pair.try_into().ok().map(u16::from_le_bytes))
            .take_while(|&unit| unit != 0)
            .collect();
        Ok(TypedValue::Text(String::from_utf16_lossy(&units)))
    }

    fn bytes(&self, at: Gva, len: u64) -> Read<Vec<u8>> {
        let mut bytes = vec![0; usize::try_from(len).unwrap_or(0)];
        self.kernel.cursor().read(at, &mut bytes)?;
        Ok(bytes)
    }
}

/// Count and element type of `[15] UChar`.
fn array(type_name: &str) -> Option<(u64, &str)> {
    let (count, element) = type_name.strip_prefix('[')?.split_once("] ")?;
    Some((count.parse().ok()?, element))
}

fn is_pointer(type_name: &str) -> bool {
    type_name.starts_with("Ptr64 ") || type_name.starts_with("Ptr32 ")
}

fn is_signed(type_name: &str) -> bool {
    matches!(type_name, "Char" | "Int2B" | "Int4B" | "Int8B" | "HRESULT")
}

fn is_unsigned(type_name: &str) -> bool {
    matches!(
        type_name,
        "UChar"
            | "Uint2B"
            | "Uint4B"
            | "Uint8B"
            | "Wchar"
            | "Char16"
            | "Char32"
            | "Bool"
            | "Bool2B"
            | "Bool4B"
            | "Bool8B"
    )
}

fn sign_extended(value: u64, size: u64) -> i64 {
    let shift = u32::try_from(64_u64.saturating_sub(size.saturating_mul(8))).unwrap_or(0);
    let top = value.checked_shl(shift).unwrap_or(0);
    top.cast_signed().checked_shr(shift).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_of_every_size() {
        assert_eq!(sign_extended(0xff, 1), -1);
        assert_eq!(sign_extended(0x7f, 1), 127);
        assert_eq!(sign_extended(0xffff_fffe, 4), -2);
        assert_eq!(sign_extended(u64::MAX, 8), -1);
        assert_eq!(sign_extended(0, 0), 0);
    }

    #[test]
    fn patterns() {
        for (pattern, name) in [
            ("*", ""),
            ("*", "_ALPC_PORT"),
            ("_alpc*", "_ALPC_PORT"),
            ("_ALPC_*O?T", "_ALPC_PORT"),
            ("*_P*_P*", "_ALPC_PORT_PACKET"),
            ("*ab", "aab"),
            ("**a", "bba"),
            ("?", "\u{fc}"),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("", "a"),
            ("?", ""),
            ("_ALPC?", "_ALPC"),
            ("*_PORT", "_ALPC_PORT_ATTRIBUTES"),
            ("a*b*c", "acb"),
        ] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
        // Bounded by the product of both lengths, whatever the pattern.
        assert!(!matches(&"*a".repeat(200), &"a".repeat(199)));
        assert!(!matches(&format!("{}b", "*a".repeat(200)), &"a".repeat(20_000)));
    }

    #[test]
    fn arrays_of_arrays() {
        assert_eq!(array("[15] UChar"), Some((15, "UChar")));
        assert_eq!(array("[2] [3] Uint4B"), Some((2, "[3] Uint4B")));
        assert_eq!(array("Uint4B"), None);
    }
}
