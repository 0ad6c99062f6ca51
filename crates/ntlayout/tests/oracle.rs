//! All types and public symbols of every shared PDB, as `pdb2` reads them.

mod common;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::File;
use std::path::Path;

use ntlayout::{Member, Pdb, SymbolTable};
use pdb::{FallibleIterator, Indirection, PrimitiveKind, TypeData, TypeFinder, TypeIndex, TypeInformation};

/// A member as both readers give it.
#[derive(Debug, PartialEq)]
struct Seen {
    offset: u32,
    name: String,
    size: Option<u32>,
    bits: Option<(u8, u8)>,
    members: Vec<Seen>,
}

impl From<Member> for Seen {
    fn from(member: Member) -> Self {
        Self {
            offset: member.offset,
            name: member.name,
            size: member.size,
            bits: member.bits.map(|bits| (bits.position, bits.length)),
            members: member.members.into_iter().map(Self::from).collect(),
        }
    }
}

struct Oracle<'t> {
    finder: TypeFinder<'t>,
    definitions: HashMap<String, TypeIndex>,
}

const SHARED_NAMES: [&str; 3] = ["__unnamed", "<unnamed-tag>", "<anonymous-tag>"];

fn is_anonymous(name: &str) -> bool {
    let last = name.rsplit("::").next().unwrap();
    SHARED_NAMES.contains(&last) || last.starts_with("<unnamed-type") || last.starts_with("<unnamed-enum")
}

impl<'t> Oracle<'t> {
    fn new(types: &'t TypeInformation<'_>) -> Self {
        let mut finder = types.finder();
        let mut definitions = HashMap::new();
        let mut iter = types.iter();
        while let Some(item) = iter.next().unwrap() {
            finder.update(&iter);
            let (name, forward) = match item.parse() {
                Ok(TypeData::Class(class)) => (class.name, class.properties.forward_reference()),
                Ok(TypeData::Union(union)) => (union.name, union.properties.forward_reference()),
                Ok(TypeData::Enumeration(it)) => (it.name, it.properties.forward_reference()),
                _ => continue,
            };
            if !forward {
                definitions.insert(name.to_string().into_owned(), item.index());
            }
        }
        Self { finder, definitions }
    }

    fn get(&self, index: TypeIndex) -> TypeData<'t> {
        self.finder.find(index).unwrap().parse().unwrap()
    }

    fn complete(&self, name: &str) -> Option<TypeIndex> {
        self.definitions
            .get(name)
            .copied()
            .filter(|_| !SHARED_NAMES.contains(&name))
    }

    fn size(&self, index: TypeIndex) -> Option<u32> {
        let size = match self.get(index) {
            TypeData::Primitive(primitive) => return primitive_size(primitive),
            TypeData::Class(class) if class.properties.forward_reference() => {
                return self.size(self.complete(&class.name.to_string())?);
            }
            TypeData::Union(union) if union.properties.forward_reference() => {
                return self.size(self.complete(&union.name.to_string())?);
            }
            TypeData::Enumeration(it) => return self.size(it.underlying_type),
            TypeData::Bitfield(it) => return self.size(it.underlying_type),
            TypeData::Modifier(it) => return self.size(it.underlying_type),
            TypeData::Class(class) => class.size,
            TypeData::Union(union) => union.size,
            TypeData::Pointer(pointer) => u64::from(pointer.attributes.size()),
            TypeData::Array(array) => u64::from(*array.dimensions.last().unwrap()),
            _ => return None,
        };
        Some(u32::try_from(size).unwrap())
    }

    /// Name and field list, if the type is a structure or union.
    fn fields(&self, index: TypeIndex) -> Option<(String, Option<TypeIndex>)> {
        match self.get(index) {
            TypeData::Class(class) => Some((class.name.to_string().into_owned(), class.fields)),
            TypeData::Union(union) => Some((union.name.to_string().into_owned(), Some(union.fields))),
            TypeData::Modifier(modifier) => self.fields(modifier.underlying_type),
            _ => None,
        }
    }

    fn members(&self, index: TypeIndex, base: u32) -> Vec<Seen> {
        let (name, mut list) = self.fields(index).unwrap();
        if list.is_none_or(|list| list.0 == 0) {
            // Only C++ has forward references to unnamed types; they have names of their own.
            list = self
                .complete(&name)
                .and_then(|index| self.fields(index))
                .and_then(|(_, list)| list);
        }
        let mut members = Vec::new();
        while let Some(at) = list.filter(|list| list.0 != 0) {
            let TypeData::FieldList(part) = self.get(at) else {
                panic!("{at} is no field list")
            };
            let entries = part.fields.iter();
            members.extend(entries.filter_map(|entry| match entry {
                TypeData::Member(member) => Some(self.member(member, base)),
                _ => None,
            }));
            list = part.continuation;
        }
        members
    }

    fn member(&self, member: &pdb::MemberType<'_>, base: u32) -> Seen {
        let offset = base + u32::try_from(member.offset).unwrap();
        let owner = self
            .fields(member.field_type)
            .filter(|(name, _)| is_anonymous(name));
        Seen {
            offset,
            name: member.name.to_string().into_owned(),
            size: self.size(member.field_type),
            bits: match self.get(member.field_type) {
                TypeData::Bitfield(bits) => Some((bits.position, bits.length)),
                _ => None,
            },
            members: owner.map_or(Vec::new(), |_| self.members(member.field_type, offset)),
        }
    }
}

fn primitive_size(primitive: pdb::PrimitiveType) -> Option<u32> {
    use PrimitiveKind as Kind;
    let pointer = primitive.indirection.map(|indirection| match indirection {
        Indirection::Near16 => 2,
        Indirection::Far16 | Indirection::Huge16 | Indirection::Near32 => 4,
        Indirection::Far32 => 6,
        Indirection::Near64 => 8,
        Indirection::Near128 => 16,
    });
    pointer.or(match primitive.kind {
        Kind::Void => Some(0),
        Kind::Char | Kind::UChar | Kind::RChar | Kind::I8 | Kind::U8 | Kind::Bool8 => Some(1),
        Kind::WChar | Kind::Short | Kind::UShort | Kind::I16 | Kind::U16 | Kind::RChar16 => Some(2),
        Kind::Long | Kind::ULong | Kind::I32 | Kind::U32 | Kind::F32 | Kind::HRESULT => Some(4),
        Kind::Quad | Kind::UQuad | Kind::I64 | Kind::U64 | Kind::F64 => Some(8),
        other => panic!("{other:?} is in none of the shared PDBs"),
    })
}

fn compare_types(path: &Path) -> usize {
    let ours = Pdb::open(path).unwrap();
    let mut theirs = pdb::PDB::open(File::open(path).unwrap()).unwrap();
    let types = theirs.type_information().unwrap();
    let oracle = Oracle::new(&types);
    let mut compared = 0;
    for (name, &index) in oracle.definitions.iter().filter(|(name, _)| !is_anonymous(name)) {
        let whole = ours.type_info(name).unwrap();
        if let TypeData::Enumeration(enumeration) = oracle.get(index) {
            assert!(whole.is_none(), "{name}");
            let values = ours.enum_info(name).unwrap().unwrap();
            assert_eq!(values.len(), usize::from(enumeration.count), "{name}");
            continue;
        }
        let whole = whole.unwrap_or_else(|| panic!("{}: {name}", path.display()));
        assert_eq!(Some(whole.size), oracle.size(index), "{name}");
        let members: Vec<Seen> = whole.members.into_iter().map(Seen::from).collect();
        assert_eq!(members, oracle.members(index, 0), "{}: {name}", path.display());
        compared += 1;
    }
    assert_eq!(ours.unknown_records(), 0);
    compared
}

fn compare_publics(path: &Path) -> usize {
    let ours = Pdb::open(path).unwrap();
    let mut theirs = pdb::PDB::open(File::open(path).unwrap()).unwrap();
    let symbols = theirs.global_symbols().unwrap();
    let map = theirs.address_map().unwrap();
    let mut places: HashMap<String, HashSet<Option<u32>>> = HashMap::new();
    let mut iter = symbols.iter();
    while let Some(symbol) = iter.next().unwrap() {
        if let Ok(pdb::SymbolData::Public(public)) = symbol.parse() {
            let rva = public.offset.to_rva(&map).map(|rva| rva.0);
            places
                .entry(public.name.to_string().into_owned())
                .or_default()
                .insert(rva);
        }
    }
    for (name, rvas) in &places {
        let found = ours.global(name).unwrap();
        assert!(
            rvas.contains(&found),
            "{}: {name}: {found:x?} is none of {rvas:x?}",
            path.display()
        );
    }
    compare_addresses(path, &ours, &places);
    places.len()
}

/// What is at each symbol's address, and at the last byte before the next one.
fn compare_addresses(path: &Path, ours: &Pdb, places: &HashMap<String, HashSet<Option<u32>>>) {
    let mut by_address: BTreeMap<u32, HashSet<&str>> = BTreeMap::new();
    for (name, rvas) in places {
        for rva in rvas.iter().flatten() {
            by_address.entry(*rva).or_default().insert(name);
        }
    }
    let starts: Vec<u32> = by_address.keys().copied().collect();
    let ends = starts.iter().skip(1).map(|next| next - 1).chain([u32::MAX]);
    for (&start, end) in starts.iter().zip(ends) {
        for rva in [start, end] {
            let (name, at) = ours.nearest(rva).unwrap().unwrap();
            assert_eq!(at, start, "{}: {rva:#x}", path.display());
            let names = &by_address[&start];
            assert!(
                names.contains(name.as_str()),
                "{}: {rva:#x}: {name}",
                path.display()
            );
        }
    }
    if let Some(before) = starts[0].checked_sub(1) {
        assert_eq!(ours.nearest(before).unwrap(), None);
    }
}

#[test]
fn types_are_as_pdb2_reads_them() {
    for path in common::sound_pdbs() {
        let compared = compare_types(&path);
        assert!(compared > 20, "{}: only {compared} types", path.display());
    }
}

#[test]
fn public_symbols_are_as_pdb2_reads_them() {
    for path in common::sound_pdbs() {
        let compared = compare_publics(&path);
        assert!(compared > 100, "{}: only {compared} symbols", path.display());
    }
}
