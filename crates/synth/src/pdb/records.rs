//! A type table turned into numbered records.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::Leaves;
use super::hash;
use super::leaf::{self, record};
use super::model::{Enum, Member, TypeRef, TypeTable, Udt, UdtKind, is_unnamed};
use super::out::{Out, len16, len32};

/// Index of the first record; those below stand for base types.
pub(super) const FIRST_INDEX: u32 = 0x1000;

/// The records of the type stream, in order of their index.
#[derive(Default)]
pub(super) struct Records {
    /// Each with its length and kind.
    pub(super) records: Vec<Vec<u8>>,
    /// For each record, its hash before it is reduced to a bucket.
    pub(super) hashes: Vec<u32>,
    /// Name and index of every definition that has a name, in order of index.
    pub(super) definitions: Vec<(String, u32)>,
}

impl Records {
    fn push(&mut self, bytes: Vec<u8>, hash: u32) -> u32 {
        let index = FIRST_INDEX + len32(self.records.len());
        self.records.push(bytes);
        self.hashes.push(hash);
        index
    }

    /// Names that several definitions share, each with the last of them.
    pub(super) fn redefined(&self) -> BTreeMap<&str, u32> {
        let mut seen = HashSet::new();
        let again = self.definitions.iter().filter(|(n, _)| !seen.insert(n));
        again.map(|(n, index)| (n.as_str(), *index)).collect()
    }
}

/// Makes the records of all types of `table`.
pub(super) fn lower(table: &TypeTable, leaves: Leaves) -> Records {
    let mut lowering = Lowering {
        table,
        leaves,
        out: Records::default(),
        shared: HashMap::new(),
        defined: HashMap::new(),
        open: HashSet::new(),
    };
    for key in table.enums.keys() {
        lowering.define_enum(key);
    }
    let half = table.udts.len() / 2;
    for (number, key) in table.udts.keys().enumerate() {
        if number == half && leaves.unknown_record {
            lowering.shared_record(leaf::LF_UNKNOWN, &[0x5a; 22]);
        }
        lowering.define_udt(key);
    }
    lowering.out
}

struct Lowering<'a> {
    table: &'a TypeTable,
    leaves: Leaves,
    out: Records,
    /// Records whose equals are the same type: pointers, arrays, forward references and so on.
    shared: HashMap<Vec<u8>, u32>,
    defined: HashMap<&'a str, u32>,
    /// Definitions begun and not finished.
    open: HashSet<&'a str>,
}

impl<'a> Lowering<'a> {
    fn shared_record(&mut self, kind: u16, content: &[u8]) -> u32 {
        let bytes = record(kind, content);
        if let Some(index) = self.shared.get(&bytes) {
            return *index;
        }
        let index = self.out.push(bytes.clone(), hash::of_bytes(&bytes));
        self.shared.insert(bytes, index);
        index
    }

    fn index(&mut self, ty: &'a TypeRef) -> u32 {
        if let Some(code) = base_code(ty) {
            return code;
        }
        match ty {
            TypeRef::Named(key) => self.named(key),
            TypeRef::Pointer(pointee) => self.pointer(pointee),
            TypeRef::Volatile(inner) => self.volatile(inner),
            TypeRef::Array(element, _) => self.array(element, self.table.size_of(ty)),
            TypeRef::Bits(unit, position, length) => self.bits(unit, *position, *length),
            TypeRef::Function => self.function(),
            _ => unreachable!("a base type has a code: {ty:?}"),
        }
    }

    /// The definition where it is there already or can have no other record, else a forward reference,
    /// as compilers leave it.
    fn named(&mut self, key: &'a str) -> u32 {
        if let Some(index) = self.defined.get(key) {
            return *index;
        }
        match self.table.udts.get(key) {
            Some(udt) if udt.is_unnamed() => self.define_udt(key),
            Some(udt) => self.forward(&udt.name, udt.kind),
            None if self.table.enums.contains_key(key) => self.define_enum(key),
            None => self.forward(key, UdtKind::Struct),
        }
    }

    fn pointer(&mut self, pointee: &'a TypeRef) -> u32 {
        // Simple pointers have codes of their own: the base type's with the mode in bits 8 to 11.
        let (mode, attributes) = match self.table.pointer_size {
            4 => (0x400, 0x0000_800a_u32),
            8 => (0x600, 0x0001_000c_u32),
            other => panic!("pointers of {other} bytes"),
        };
        if let Some(code) = base_code(pointee) {
            return code | mode;
        }
        let referent = match pointee {
            TypeRef::Named(key) => self.pointee(key),
            other => self.index(other),
        };
        let mut content = Vec::new();
        content.u32(referent);
        content.u32(attributes);
        self.shared_record(leaf::LF_POINTER, &content)
    }

    /// A pointer to a structure refers to it forward, so that it can stand in that structure.
    fn pointee(&mut self, key: &'a str) -> u32 {
        match self.table.udts.get(key) {
            Some(udt) if !udt.is_unnamed() => self.forward(&udt.name, udt.kind),
            _ => self.named(key),
        }
    }

    fn volatile(&mut self, inner: &'a TypeRef) -> u32 {
        const VOLATILE: u16 = 2;
        let mut content = Vec::new();
        content.u32(self.index(inner));
        content.u16(VOLATILE);
        self.shared_record(leaf::LF_MODIFIER, &content)
    }

    fn array(&mut self, element: &'a TypeRef, size: u64) -> u32 {
        let mut content = Vec::new();
        content.u32(self.index(element));
        content.u32(if self.table.pointer_size == 8 {
            T_UQUAD
        } else {
            T_ULONG
        });
        leaf::numeric(&mut content, size.into());
        content.zstr("");
        self.shared_record(leaf::LF_ARRAY, &content)
    }

    fn bits(&mut self, unit: &'a TypeRef, position: u8, length: u8) -> u32 {
        let mut content = Vec::new();
        content.u32(self.index(unit));
        content.u8(length);
        content.u8(position);
        self.shared_record(leaf::LF_BITFIELD, &content)
    }

    fn function(&mut self) -> u32 {
        let mut arguments = Vec::new();
        arguments.u32(0);
        let arguments = self.shared_record(leaf::LF_ARGLIST, &arguments);
        let mut content = Vec::new();
        content.u32(T_VOID);
        content.u32(0);
        content.u32(arguments);
        self.shared_record(leaf::LF_PROCEDURE, &content)
    }

    fn forward(&mut self, name: &str, kind: UdtKind) -> u32 {
        let unique = self.unique_name(kind_letter(kind), name, "");
        let udt = Udt {
            name: name.to_owned(),
            kind,
            size: 0,
            members: Vec::new(),
        };
        let (kind, content) = self.udt(&udt, leaf::FORWARD_REFERENCE, 0, unique);
        self.shared_record(kind, &content)
    }

    fn define_udt(&mut self, key: &'a str) -> u32 {
        if let Some(index) = self.defined.get(key) {
            return *index;
        }
        assert!(self.open.insert(key), "{key} holds itself");
        let udt = &self.table.udts[key];
        let fields = self.members(&udt.members);
        let scope = if udt.is_unnamed() { key } else { "" };
        let unique = self.unique_name(kind_letter(udt.kind), &udt.name, scope);
        let (kind, content) = self.udt(udt, 0, fields, unique);
        self.definition(key, &udt.name, udt.is_unnamed(), record(kind, &content))
    }

    fn define_enum(&mut self, key: &'a str) -> u32 {
        if let Some(index) = self.defined.get(key) {
            return *index;
        }
        let Enum { name, base, values } = &self.table.enums[key];
        let base = self.index(base);
        let list = values.iter().map(|(name, value)| enumerator(name, *value));
        let fields = self.field_list(list.collect());
        let unnamed = is_unnamed(name);
        let unique = self.unique_name("W4", name, if unnamed { key } else { "" });
        let mut content = Vec::new();
        content.u16(len16(values.len()));
        content.u16(properties(0, unique.as_deref()));
        content.u32(base);
        content.u32(fields);
        content.zstr(name);
        if let Some(unique) = unique {
            content.zstr(&unique);
        }
        self.definition(key, name, unnamed, record(leaf::LF_ENUM, &content))
    }

    /// A definition is found by its name; an unnamed type that has a unique name, by its bytes.
    fn definition(&mut self, key: &'a str, name: &str, unnamed: bool, bytes: Vec<u8>) -> u32 {
        let hash = if unnamed && self.leaves.unique_names {
            hash::of_bytes(&bytes)
        } else {
            hash::of_name(name)
        };
        let index = self.out.push(bytes, hash);
        if !unnamed {
            self.out.definitions.push((name.to_owned(), index));
        }
        self.defined.insert(key, index);
        index
    }

    /// Leaf and content of a class, structure or union.
    fn udt(&self, udt: &Udt, flags: u16, fields: u32, unique: Option<String>) -> (u16, Vec<u8>) {
        let kind = match udt.kind {
            UdtKind::Class => leaf::LF_CLASS,
            UdtKind::Struct => leaf::LF_STRUCTURE,
            UdtKind::Union => leaf::LF_UNION,
        };
        let (count, flags) = (len16(udt.members.len()), properties(flags, unique.as_deref()));
        let mut content = Vec::new();
        if self.leaves.wide {
            content.u32(flags.into());
        } else {
            content.u16(count);
            content.u16(flags);
        }
        content.u32(fields);
        if udt.kind != UdtKind::Union {
            content.u32(0); // derived from nothing
            content.u32(0); // no virtual functions
        }
        if self.leaves.wide {
            content.u16(count);
        }
        leaf::numeric(&mut content, udt.size.into());
        content.zstr(&udt.name);
        if let Some(unique) = unique {
            content.zstr(&unique);
        }
        let wide = if self.leaves.wide { leaf::WIDE } else { 0 };
        (kind + wide, content)
    }

    fn unique_name(&self, letter: &str, name: &str, scope: &str) -> Option<String> {
        let at = if scope.is_empty() { "" } else { "@" };
        let named = self.leaves.unique_names;
        named.then(|| format!(".?A{letter}{name}{at}{scope}@@"))
    }

    fn members(&mut self, members: &'a [Member]) -> u32 {
        let mut list = Vec::new();
        for Member { name, offset, ty } in members {
            let mut out = Vec::new();
            out.u16(leaf::LF_MEMBER);
            out.u16(leaf::PUBLIC);
            out.u32(self.index(ty));
            leaf::numeric(&mut out, (*offset).into());
            out.zstr(name);
            leaf::pad(&mut out);
            list.push(out);
        }
        self.field_list(list)
    }

    /// The list as one record, or as a chain of records where it is longer than one can be. The rest
    /// comes first, for a record may only refer to those before it.
    fn field_list(&mut self, list: Vec<Vec<u8>>) -> u32 {
        const ROOM: usize = leaf::MAX_RECORD - 16;
        let mut chunks: Vec<Vec<u8>> = vec![Vec::new()];
        for field in list {
            if chunks.last().is_some_and(|c| c.len() + field.len() > ROOM) {
                chunks.push(Vec::new());
            }
            chunks.last_mut().expect("never empty").extend(field);
        }
        let mut rest = None;
        for mut chunk in chunks.into_iter().rev() {
            if let Some(rest) = rest {
                chunk.u16(leaf::LF_INDEX);
                chunk.u16(0);
                chunk.u32(rest);
            }
            rest = Some(self.shared_record(leaf::LF_FIELDLIST, &chunk));
        }
        rest.expect("at least one chunk")
    }
}

fn kind_letter(kind: UdtKind) -> &'static str {
    match kind {
        UdtKind::Struct => "U",
        UdtKind::Class => "V",
        UdtKind::Union => "T",
    }
}

fn properties(flags: u16, unique: Option<&str>) -> u16 {
    flags | unique.map_or(0, |_| leaf::HAS_UNIQUE_NAME)
}

fn enumerator(name: &str, value: i64) -> Vec<u8> {
    let mut out = Vec::new();
    out.u16(leaf::LF_ENUMERATE);
    out.u16(leaf::PUBLIC);
    leaf::numeric(&mut out, value.into());
    out.zstr(name);
    leaf::pad(&mut out);
    out
}

const T_VOID: u32 = 0x0003;
const T_ULONG: u32 = 0x0022;
const T_UQUAD: u32 = 0x0023;

/// The code of a base type (`TYPE_ENUM_e` of `cvinfo.h`).
fn base_code(ty: &TypeRef) -> Option<u32> {
    Some(match ty {
        TypeRef::Void => T_VOID,
        TypeRef::Hresult => 0x0008,
        TypeRef::Char => 0x0070,
        TypeRef::WideChar => 0x0071,
        TypeRef::Long { signed: true } => 0x0012,
        TypeRef::Long { signed: false } => T_ULONG,
        TypeRef::Float { size: 4 } => 0x0040,
        TypeRef::Float { size: 8 } => 0x0041,
        TypeRef::Int { size, signed } => match (size, signed) {
            (1, true) => 0x0010,
            (1, false) => 0x0020,
            (2, true) => 0x0011,
            (2, false) => 0x0021,
            (4, true) => 0x0074,
            (4, false) => 0x0075,
            (8, true) => 0x0013,
            (8, false) => T_UQUAD,
            _ => panic!("an integer of {size} bytes"),
        },
        TypeRef::Float { size } => panic!("a floating point number of {size} bytes"),
        _ => return None,
    })
}
