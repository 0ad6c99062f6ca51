//! Types in neutral words, before they become records.

use std::collections::BTreeMap;

/// A type as a member, an element or a pointee names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TypeRef {
    /// `void`.
    Void,
    /// One byte of text; signed as compilers have it.
    Char,
    /// A two-byte character.
    WideChar,
    /// `long`, `unsigned long`: what kernels call LONG and ULONG; 4 bytes, but not `int`.
    Long {
        /// LONG rather than ULONG.
        signed: bool,
    },
    /// Any other integer: 1, 2, 4 or 8 bytes.
    Int {
        /// Bytes.
        size: u8,
        /// Whether it has a sign.
        signed: bool,
    },
    /// 4 or 8 bytes.
    Float {
        /// Bytes.
        size: u8,
    },
    /// `HRESULT`, which has a code of its own.
    Hresult,
    /// A structure, union or enumeration, by its key in the [`TypeTable`]. One that is not in the
    /// table is a structure declared and never defined.
    Named(String),
    /// Pointer.
    Pointer(Box<TypeRef>),
    /// `volatile`.
    Volatile(Box<TypeRef>),
    /// Array of so many elements.
    Array(Box<TypeRef>, u64),
    /// Bit field in a storage unit of the type: position of the lowest bit, number of bits.
    Bits(Box<TypeRef>, u8, u8),
    /// A function without parameters and result.
    Function,
}

impl TypeRef {
    /// A pointer to `pointee`.
    #[must_use]
    pub fn pointer(pointee: Self) -> Self {
        Self::Pointer(Box::new(pointee))
    }

    /// An array of `count` elements.
    #[must_use]
    pub fn array(element: Self, count: u64) -> Self {
        Self::Array(Box::new(element), count)
    }

    /// A bit field of `length` bits from `position` in a unit of type `unit`.
    #[must_use]
    pub fn bits(unit: Self, position: u8, length: u8) -> Self {
        Self::Bits(Box::new(unit), position, length)
    }
}

/// How a structure's or union's members lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UdtKind {
    /// `struct`.
    Struct,
    /// `class`.
    Class,
    /// `union`.
    Union,
}

/// A member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its name.
    pub name: String,
    /// Bytes from the start of the type; of the storage unit for a bit field.
    pub offset: u64,
    /// Its type.
    pub ty: TypeRef,
}

/// A structure, class or union.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Udt {
    /// The name as the record has it. Types without a name share one (`<unnamed-tag>`).
    pub name: String,
    /// Structure, class or union.
    pub kind: UdtKind,
    /// Size in bytes.
    pub size: u64,
    /// Members in the order of the record.
    pub members: Vec<Member>,
}

/// Names that compilers give types that have none.
const UNNAMED: [&str; 3] = ["<unnamed-tag>", "<anonymous-tag>", "__unnamed"];

impl Udt {
    /// Whether the name is one of those that types without a name share.
    #[must_use]
    pub fn is_unnamed(&self) -> bool {
        is_unnamed(&self.name)
    }
}

/// Whether the name, or its last part behind the names of its scopes, is one of the shared ones.
pub(super) fn is_unnamed(name: &str) -> bool {
    let last = name.rsplit("::").next().unwrap_or(name);
    UNNAMED.contains(&last)
}

/// An enumeration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enum {
    /// Its name.
    pub name: String,
    /// The integer under it.
    pub base: TypeRef,
    /// Names and values.
    pub values: Vec<(String, i64)>,
}

/// All types of a PDB. The key is what a [`TypeRef::Named`] says: the name for named types, anything
/// that no other type is called for unnamed ones.
#[derive(Clone, Debug, Default)]
pub struct TypeTable {
    /// 8 or 4.
    pub pointer_size: u8,
    /// Structures, classes and unions.
    pub udts: BTreeMap<String, Udt>,
    /// Enumerations.
    pub enums: BTreeMap<String, Enum>,
    /// Sizes of types that are left out: see [`forget`](TypeTable::forget).
    pub forgotten: BTreeMap<String, u64>,
}

impl TypeTable {
    /// Leaves types out that others may still refer to, forward, as some PDBs of Microsoft's server do: `forgets` says of
    /// which names. What is nested in them without a name of its own goes with them.
    pub fn forget(&mut self, forgets: impl Fn(&str) -> bool) {
        let own_name = |key: &str| key.split('.').next().unwrap_or_default().to_owned();
        let forgotten: Vec<String> = self
            .udts
            .keys()
            .filter(|key| forgets(&own_name(key)))
            .cloned()
            .collect();
        for key in forgotten {
            if let Some(udt) = self.udts.remove(&key) {
                self.forgotten.insert(key, udt.size);
            }
        }
        let forgotten: Vec<String> = self.enums.keys().filter(|key| forgets(key)).cloned().collect();
        for key in forgotten {
            if let Some(enumeration) = self.enums.remove(&key) {
                let size = self.size_of(&enumeration.base);
                self.forgotten.insert(key, size);
            }
        }
    }

    /// Size in bytes of a value of the type.
    ///
    /// # Panics
    /// For a type that is not defined: nothing can be made of its values.
    #[must_use]
    pub fn size_of(&self, ty: &TypeRef) -> u64 {
        match ty {
            TypeRef::Void | TypeRef::Function => 0,
            TypeRef::Char => 1,
            TypeRef::WideChar => 2,
            TypeRef::Long { .. } | TypeRef::Hresult => 4,
            TypeRef::Int { size, .. } | TypeRef::Float { size } => (*size).into(),
            TypeRef::Pointer(_) => self.pointer_size.into(),
            TypeRef::Volatile(inner) | TypeRef::Bits(inner, _, _) => self.size_of(inner),
            TypeRef::Array(element, count) => self.size_of(element) * count,
            TypeRef::Named(key) => self.size_of_named(key),
        }
    }

    fn size_of_named(&self, key: &str) -> u64 {
        if let Some(udt) = self.udts.get(key) {
            return udt.size;
        }
        let found = self.enums.get(key).map(|e| self.size_of(&e.base));
        let found = found.or_else(|| self.forgotten.get(key).copied());
        found.unwrap_or_else(|| panic!("a value of {key}, which is not defined"))
    }
}
