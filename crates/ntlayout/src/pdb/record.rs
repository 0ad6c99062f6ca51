//! Type records: one record's bytes to what they mean.
//!
//! Format: Microsoft's `include/cvinfo.h`. Classes, structures and unions of kernels since about build 21286
//! are leaves 0x1608 to 0x160b, which have their properties in 32 bits and the member count further back.

use crate::bytes::Cursor;
use crate::layout::BitField;
use crate::resolve::TypeId;

/// The first number that is a record's; below are the built-in types.
pub(super) const FIRST_RECORD: u32 = 0x1000;
const FORWARD: u32 = 0x80;

/// A structure, class, interface or union.
#[derive(Clone, Copy, Debug)]
pub(super) struct Udt<'a> {
    pub(super) name: &'a [u8],
    /// Only a name; the members are in a record elsewhere.
    pub(super) forward: bool,
    pub(super) fields: TypeId,
    pub(super) size: u32,
}

/// An enumeration.
#[derive(Clone, Copy, Debug)]
pub(super) struct Enumeration<'a> {
    pub(super) name: &'a [u8],
    pub(super) forward: bool,
    pub(super) underlying: TypeId,
    pub(super) fields: TypeId,
}

/// What a type record says.
#[derive(Clone, Copy, Debug)]
pub(super) enum Record<'a> {
    Udt(Udt<'a>),
    Enum(Enumeration<'a>),
    /// `size` in bytes.
    Pointer {
        to: TypeId,
        size: u32,
    },
    Array {
        element: TypeId,
        size: u32,
    },
    BitField {
        underlying: TypeId,
        bits: BitField,
    },
    /// `const`, `volatile`, `__unaligned`.
    Modifier {
        to: TypeId,
    },
    Alias {
        to: TypeId,
    },
    Function,
    FieldList(&'a [u8]),
    /// A kind that is not known here, or of no use.
    Other,
}

impl<'a> Record<'a> {
    /// Reads a record without its length. `None` if it ends before what its kind says.
    pub(super) fn parse(body: &'a [u8]) -> Option<Self> {
        let mut cursor = Cursor::new(body);
        let kind = cursor.u16()?;
        let record = match kind {
            // LF_CLASS, LF_STRUCTURE, LF_INTERFACE and LF_UNION, and their successors 1608 to 160b. Of these
            // `pdb` 0.8 parses only 1609, so that it finds no union in a kernel of Windows 11; its fork `pdb2`
            // parses all.
            0x1504 | 0x1505 | 0x1519 | 0x1506 | 0x1608..=0x160b => Self::Udt(udt(kind, &mut cursor)?),
            0x1507 => Self::Enum(enumeration(&mut cursor)?),
            0x1002 => pointer(&mut cursor)?,
            0x1503 => array(&mut cursor)?,
            0x1205 => bit_field(&mut cursor)?,
            0x1001 => Self::Modifier {
                to: type_id(&mut cursor)?,
            },
            0x150a => Self::Alias {
                to: type_id(&mut cursor)?,
            },
            0x1008 | 0x1009 => Self::Function,
            0x1203 => Self::FieldList(cursor.rest()),
            _ => Self::Other,
        };
        Some(record)
    }
}

/// Whether records of that kind have a name under which they are looked for.
pub(super) fn is_named(kind: u16) -> bool {
    matches!(kind, 0x1504..=0x1507 | 0x1519 | 0x1608..=0x160b)
}

/// Whether a name stands for none, so that what it says is only found by the type's number: C compilers give
/// all such types one name. (C++ compilers number them or call them after their member, in the scope of
/// their owner: `_SLIST_HEADER::<unnamed-type-HeaderX64>`.)
pub(super) fn is_shared_name(name: &[u8]) -> bool {
    matches!(
        last_part(name),
        b"__unnamed" | b"<unnamed-tag>" | b"<anonymous-tag>"
    )
}

/// Whether a type was declared without a name.
pub(super) fn is_anonymous(name: &[u8]) -> bool {
    let part = last_part(name);
    is_shared_name(part) || part.starts_with(b"<unnamed-") || part.starts_with(b"<anonymous-")
}

fn last_part(name: &[u8]) -> &[u8] {
    let start = name
        .windows(2)
        .rposition(|pair| pair == b"::")
        .map_or(0, |at| at.saturating_add(2));
    name.get(start..).unwrap_or_default()
}

fn type_id(cursor: &mut Cursor<'_>) -> Option<TypeId> {
    cursor.u32().map(TypeId)
}

fn udt<'a>(kind: u16, cursor: &mut Cursor<'a>) -> Option<Udt<'a>> {
    let new = kind >= 0x1608;
    let is_union = matches!(kind, 0x1506 | 0x160a);
    let properties = if new {
        cursor.u32()?
    } else {
        let _count = cursor.u16()?;
        u32::from(cursor.u16()?)
    };
    let fields = type_id(cursor)?;
    if !is_union {
        let _derived_from = cursor.u32()?;
        let _vtable_shape = cursor.u32()?;
    }
    if new {
        let _count = cursor.u16()?;
    }
    let size = u32::try_from(numeric(cursor)?).ok()?;
    Some(Udt {
        name: cursor.cstr()?,
        forward: properties & FORWARD != 0,
        fields,
        size,
    })
}

fn enumeration<'a>(cursor: &mut Cursor<'a>) -> Option<Enumeration<'a>> {
    let _count = cursor.u16()?;
    let forward = u32::from(cursor.u16()?) & FORWARD != 0;
    let underlying = type_id(cursor)?;
    let fields = type_id(cursor)?;
    Some(Enumeration {
        name: cursor.cstr()?,
        forward,
        underlying,
        fields,
    })
}

fn pointer<'a>(cursor: &mut Cursor<'_>) -> Option<Record<'a>> {
    let to = type_id(cursor)?;
    let attributes = cursor.u32()?;
    let size = match ((attributes >> 13) & 0x3f, attributes & 0x1f) {
        // Writers that leave the size out name the kind.
        (0, 0x0c) => 8,
        (0, 0x0a) => 4,
        (size, _) => size,
    };
    Some(Record::Pointer { to, size })
}

fn array<'a>(cursor: &mut Cursor<'_>) -> Option<Record<'a>> {
    let element = type_id(cursor)?;
    let _index_type = cursor.u32()?;
    Some(Record::Array {
        element,
        size: u32::try_from(numeric(cursor)?).ok()?,
    })
}

fn bit_field<'a>(cursor: &mut Cursor<'_>) -> Option<Record<'a>> {
    let underlying = type_id(cursor)?;
    let length = cursor.u8()?;
    let position = cursor.u8()?;
    Some(Record::BitField {
        underlying,
        bits: BitField { position, length },
    })
}

/// A number: below 0x8000 it stands for itself, otherwise it is the kind of what follows.
fn numeric(cursor: &mut Cursor<'_>) -> Option<i64> {
    let value = match cursor.u16()? {
        small @ 0..0x8000 => i64::from(small),
        // LF_CHAR is signed. `pdb` 0.8 reads it unsigned: an enumerator of -1 is 255 there.
        0x8000 => i64::from(i8::from_le_bytes(cursor.array()?)),
        0x8001 => i64::from(i16::from_le_bytes(cursor.array()?)),
        0x8002 => i64::from(cursor.u16()?),
        0x8003 => i64::from(i32::from_le_bytes(cursor.array()?)),
        0x8004 => i64::from(cursor.u32()?),
        // An unsigned constant of the top half keeps its bits.
        0x8009 | 0x800a => i64::from_le_bytes(cursor.array()?),
        _ => return None,
    };
    Some(value)
}

/// One entry of a field list.
#[derive(Clone, Copy, Debug)]
pub(super) enum Entry<'a> {
    Member {
        ty: TypeId,
        offset: u32,
        name: &'a [u8],
    },
    Enumerator {
        value: i64,
        name: &'a [u8],
    },
    /// The list goes on in another record.
    Continued(TypeId),
    /// Base classes, methods, nested types: nothing that takes a place by name.
    Other,
}

/// Reads the next entry. `None` if it is cut off or of an unknown kind: such a list cannot be read on, since
/// entries do not say how long they are.
pub(super) fn entry<'a>(cursor: &mut Cursor<'a>) -> Option<Entry<'a>> {
    let kind = cursor.u16()?;
    let entry = match kind {
        0x150d => member(cursor)?,
        0x1502 => {
            cursor.skip(2)?;
            Entry::Enumerator {
                value: numeric(cursor)?,
                name: cursor.cstr()?,
            }
        }
        0x1404 => {
            cursor.skip(2)?;
            Entry::Continued(type_id(cursor)?)
        }
        _ => {
            skip_entry(kind, cursor)?;
            Entry::Other
        }
    };
    skip_padding(cursor)?;
    Some(entry)
}

fn member<'a>(cursor: &mut Cursor<'a>) -> Option<Entry<'a>> {
    let _attributes = cursor.u16()?;
    let ty = type_id(cursor)?;
    let offset = u32::try_from(numeric(cursor)?).ok()?;
    Some(Entry::Member {
        ty,
        offset,
        name: cursor.cstr()?,
    })
}

fn skip_entry(kind: u16, cursor: &mut Cursor<'_>) -> Option<()> {
    match kind {
        // Base class, base interface.
        0x1400 | 0x151a => {
            cursor.skip(6)?;
            numeric(cursor)?;
        }
        // Virtual base class, indirect virtual base class.
        0x1401 | 0x1402 => {
            cursor.skip(10)?;
            numeric(cursor)?;
            numeric(cursor)?;
        }
        // Friend class, virtual function table pointer.
        0x140a | 0x1409 => cursor.skip(6)?,
        // Virtual function table pointer at an offset.
        0x140c => cursor.skip(10)?,
        // Static member, overloaded method, nested type, friend function.
        0x150c | 0x150e | 0x150f | 0x1510 | 0x1512 => {
            cursor.skip(6)?;
            cursor.cstr()?;
        }
        0x1511 => {
            let introduces_virtual = matches!((cursor.u16()? >> 2) & 7, 4 | 6);
            cursor.skip(if introduces_virtual { 8 } else { 4 })?;
            cursor.cstr()?;
        }
        _ => return None,
    }
    Some(())
}

/// Entries are aligned by bytes that count how many of them are left: f3 f2 f1.
fn skip_padding(cursor: &mut Cursor<'_>) -> Option<()> {
    while let Some(&pad @ 0xf0..) = cursor.rest().first() {
        cursor.skip(usize::from(pad & 0x0f).max(1))?;
    }
    Some(())
}

/// Size in bytes and the debugger's name of a built-in type, `(low byte)`.
pub(super) fn builtin(kind: u8) -> Option<(u32, &'static str)> {
    Some(match kind {
        0x03 => (0, "Void"),
        0x08 => (4, "HRESULT"),
        // `signed char`, `__int8` and `char` are three types of C++ with three numbers (cvinfo.h's T_CHAR,
        // T_INT1, T_RCHAR), and one word to the debugger. T_CHAR8 (7c) is the char8_t of C++ 20.
        0x10 | 0x68 | 0x70 => (1, "Char"),
        0x20 | 0x69 | 0x7c => (1, "UChar"),
        0x71 => (2, "Wchar"),
        0x7a => (2, "Char16"),
        0x7b => (4, "Char32"),
        0x11 | 0x72 => (2, "Int2B"),
        0x21 | 0x73 => (2, "Uint2B"),
        // `long` and `int`: two types, of four bytes each on Windows of either width.
        0x12 | 0x74 => (4, "Int4B"),
        0x22 | 0x75 => (4, "Uint4B"),
        0x13 | 0x76 => (8, "Int8B"),
        0x23 | 0x77 => (8, "Uint8B"),
        0x14 | 0x78 => (16, "Int16B"),
        0x24 | 0x79 => (16, "Uint16B"),
        0x30 => (1, "Bool"),
        0x31 => (2, "Bool2B"),
        0x32 => (4, "Bool4B"),
        0x33 => (8, "Bool8B"),
        0x40 | 0x45 => (4, "Float"),
        0x41 => (8, "Double"),
        0x42 => (10, "Float10B"),
        0x43 => (16, "Float16B"),
        0x46 => (2, "Float2B"),
        _ => return None,
    })
}

/// Bytes of a built-in pointer type, by its mode (bits 8 to 11 of the type's number).
pub(super) fn builtin_pointer(mode: u32) -> Option<u32> {
    match mode {
        // Near, far, huge, and with segments: pointers of 16-bit and early 32-bit code. Kernels have modes 4
        // and 6.
        1 => Some(2),
        2..=4 => Some(4),
        5 => Some(6),
        6 => Some(8),
        7 => Some(16),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(bytes: &[u8]) -> Option<i64> {
        numeric(&mut Cursor::new(bytes))
    }

    #[test]
    fn numbers_are_read_by_their_kind() {
        assert_eq!(number(&[0xff, 0x7f]), Some(0x7fff));
        assert_eq!(number(&[0x00, 0x80, 0xff]), Some(-1));
        assert_eq!(number(&[0x01, 0x80, 0x00, 0x80]), Some(-0x8000));
        assert_eq!(number(&[0x02, 0x80, 0x00, 0x80]), Some(0x8000));
        assert_eq!(number(&[0x03, 0x80, 0xfe, 0xff, 0xff, 0xff]), Some(-2));
        assert_eq!(number(&[0x04, 0x80, 0xfe, 0xff, 0xff, 0xff]), Some(0xffff_fffe));
        assert_eq!(
            number(&[0x09, 0x80, 1, 0, 0, 0, 0, 0, 0, 0x80]),
            Some(i64::MIN + 1)
        );
        assert_eq!(number(&[0x0a, 0x80, 1, 0, 0, 0, 1, 0, 0, 0]), Some(0x1_0000_0001));
        // A floating-point constant, a cut one, nothing.
        assert_eq!(number(&[0x05, 0x80, 0, 0, 0, 0]), None);
        assert_eq!(number(&[0x03, 0x80, 0]), None);
        assert_eq!(number(&[0x03]), None);
    }

    /// Entries that take no place by name, each followed by a member that must be found behind it.
    #[test]
    fn entries_of_classes_are_stepped_over() {
        let member = [0x0d, 0x15, 3, 0, 0x75, 0, 0, 0, 4, 0, b'm', 0, 0xf2, 0xf1];
        let others: [&[u8]; 8] = [
            // Base class at 8; virtual base class; friend; virtual function table.
            &[0x00, 0x14, 3, 0, 0, 0x10, 0, 0, 8, 0],
            &[0x01, 0x14, 3, 0, 0, 0x10, 0, 0, 1, 0x10, 0, 0, 0, 0, 2, 0],
            &[0x0a, 0x14, 0, 0, 0, 0x10, 0, 0],
            &[0x09, 0x14, 0, 0, 0, 0x10, 0, 0],
            // Nested type; static member; a method that introduces a virtual one, and one that does not.
            &[0x10, 0x15, 0, 0, 0, 0x10, 0, 0, b'n', 0, 0xf2, 0xf1],
            &[0x0e, 0x15, 3, 0, 0, 0x10, 0, 0, b's', 0, 0xf2, 0xf1],
            &[
                0x11, 0x15, 0x13, 0, 0, 0x10, 0, 0, 0, 0, 0, 0, b'v', 0, 0xf2, 0xf1,
            ],
            &[0x11, 0x15, 0x03, 0, 0, 0x10, 0, 0, b'p', 0, 0xf2, 0xf1],
        ];
        for other in others {
            let list = [other, &member[..]].concat();
            let mut cursor = Cursor::new(&list);
            assert!(matches!(entry(&mut cursor), Some(Entry::Other)), "{other:x?}");
            let found = entry(&mut cursor);
            assert!(
                matches!(
                    found,
                    Some(Entry::Member {
                        ty: TypeId(0x75),
                        offset: 4,
                        name: b"m"
                    })
                ),
                "{found:x?}"
            );
            assert!(cursor.is_empty());
        }
        assert!(entry(&mut Cursor::new(&[0x77, 0x77, 0, 0])).is_none());
    }

    #[test]
    fn names_that_stand_for_none_are_known() {
        for name in ["__unnamed", "<unnamed-tag>", "A::<anonymous-tag>"] {
            assert!(
                is_shared_name(name.as_bytes()) && is_anonymous(name.as_bytes()),
                "{name}"
            );
        }
        let own = "_SLIST_HEADER::<unnamed-type-HeaderX64>".as_bytes();
        assert!(is_anonymous(own) && !is_shared_name(own));
        assert!(!is_anonymous(b"_ALPC_PORT") && !is_anonymous(b"<unnamed-tag>::_NAMED"));
    }
}
