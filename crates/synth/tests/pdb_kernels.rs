//! The PDBs of all kernels of the extract, read back by an independent reader.

use std::collections::HashMap;
use std::io::Cursor;

use pdb::{FallibleIterator, ItemFinder, PDB, SymbolData, TypeData, TypeIndex};
use synth::layout::{Field, Kernel, Type};
use synth::machine::Machine;
use synth::pdb::from_kernel;

type Open = PDB<'static, Cursor<Vec<u8>>>;

fn open(kernel: &Kernel) -> Open {
    PDB::open(Cursor::new(from_kernel(kernel))).unwrap()
}

/// A member as the reader found it, at its dotted path.
#[derive(Debug, PartialEq)]
struct Found {
    offset: u64,
    bit: Option<(u8, u8)>,
}

struct Walk<'t> {
    finder: ItemFinder<'t, TypeIndex>,
    definitions: HashMap<String, TypeIndex>,
}

impl<'t> Walk<'t> {
    fn new(types: &'t pdb::TypeInformation<'_>) -> Self {
        let mut finder = types.finder();
        let mut definitions = HashMap::new();
        let mut iter = types.iter();
        while let Some(item) = iter.next().unwrap() {
            finder.update(&iter);
            let named = match item.parse() {
                Ok(TypeData::Class(c)) if !c.properties.forward_reference() => c.name,
                Ok(TypeData::Union(u)) if !u.properties.forward_reference() => u.name,
                _ => continue,
            };
            definitions.insert(named.to_string().into_owned(), item.index());
        }
        Self { finder, definitions }
    }

    fn get(&self, index: TypeIndex) -> TypeData<'t> {
        self.finder.find(index).unwrap().parse().unwrap()
    }

    /// Size and members of a definition; members of unnamed types under their path.
    fn members(&self, index: TypeIndex) -> (u64, HashMap<String, Found>) {
        let mut found = HashMap::new();
        let size = self.collect(index, "", 0, &mut found);
        (size, found)
    }

    fn collect(&self, index: TypeIndex, prefix: &str, base: u64, found: &mut HashMap<String, Found>) -> u64 {
        let (mut list, size) = match self.get(index) {
            TypeData::Class(c) => (c.fields, c.size),
            TypeData::Union(u) => (Some(u.fields), u.size),
            other => panic!("{other:?}"),
        };
        while let Some(index) = list {
            let TypeData::FieldList(fields) = self.get(index) else {
                panic!("no field list");
            };
            for field in fields.fields {
                let TypeData::Member(member) = field else {
                    panic!("{field:?}");
                };
                self.member(&member, prefix, base, found);
            }
            list = fields.continuation;
        }
        size
    }

    fn member(
        &self,
        member: &pdb::MemberType<'_>,
        prefix: &str,
        base: u64,
        found: &mut HashMap<String, Found>,
    ) {
        let path = format!("{prefix}{}", member.name);
        let offset = base + member.offset;
        let mut bit = None;
        if member.field_type.0 >= 0x1000 {
            match self.get(member.field_type) {
                TypeData::Bitfield(bits) => bit = Some((bits.position, bits.length)),
                TypeData::Class(c) if is_unnamed(&c.name) => {
                    self.collect(member.field_type, &format!("{path}."), offset, found);
                }
                TypeData::Union(u) if is_unnamed(&u.name) => {
                    self.collect(member.field_type, &format!("{path}."), offset, found);
                }
                _ => {}
            }
        }
        assert!(found.insert(path, Found { offset, bit }).is_none());
    }
}

fn is_unnamed(name: &pdb::RawString<'_>) -> bool {
    let name = name.to_string();
    ["__unnamed", "<unnamed-tag>", "<anonymous-tag>"].contains(&name.as_ref())
}

fn assert_type(what: &str, ty: &Type, size: u64, found: &HashMap<String, Found>) {
    assert_eq!(size, ty.size, "{what}");
    assert_eq!(found.len(), ty.fields.len(), "{what}");
    for Field {
        offset, path, bit, ..
    } in &ty.fields
    {
        let expected = Found {
            offset: *offset,
            bit: *bit,
        };
        assert_eq!(found.get(path), Some(&expected), "{what}.{path}");
    }
}

#[test]
fn every_member_is_found_again() {
    for name in Kernel::names() {
        let kernel = Kernel::named(name);
        let mut file = open(&kernel);
        let types = file.type_information().unwrap();
        let walk = Walk::new(&types);
        for ty in kernel.types() {
            let (size, found) = walk.members(walk.definitions[&ty.name]);
            assert_type(&format!("{name} {}", ty.name), ty, size, &found);
        }
    }
}

/// The tables do not tell; published declarations do.
#[test]
fn unnamed_unions_are_told_from_structures() {
    let kernel = Kernel::named("vista-sp2-x64");
    let mut file = open(&kernel);
    let types = file.type_information().unwrap();
    let walk = Walk::new(&types);
    let member = |holder: &TypeData<'_>, name: &str| {
        let list = match holder {
            TypeData::Class(c) => c.fields.unwrap(),
            TypeData::Union(u) => u.fields,
            other => panic!("{other:?}"),
        };
        let TypeData::FieldList(list) = walk.get(list) else {
            panic!("no field list");
        };
        let mut members = list.fields.iter();
        let found = members.find_map(|field| match field {
            TypeData::Member(m) if m.name.to_string() == name => Some(m.field_type),
            _ => None,
        });
        walk.get(found.unwrap())
    };
    let message = walk.get(walk.definitions["_KALPC_MESSAGE"]);
    let u1 = member(&message, "u1");
    assert!(matches!(u1, TypeData::Union(_)));
    assert!(matches!(member(&u1, "s1"), TypeData::Class(_)));
}

#[test]
fn identity_is_that_of_the_kernel() {
    for name in Kernel::names() {
        let kernel = Kernel::named(name);
        let mut file = open(&kernel);
        let info = file.pdb_information().unwrap();
        let guid = info.guid.to_bytes_le();
        assert_eq!((guid, info.age), (kernel.guid(), kernel.age()), "{name}");
        let machine = file.debug_information().unwrap().machine_type().unwrap();
        let wanted = match kernel.machine() {
            Machine::X64 | Machine::La57 => pdb::MachineType::Amd64,
            Machine::X86 | Machine::Pae => pdb::MachineType::X86,
            Machine::Arm64 => pdb::MachineType::Arm64,
        };
        assert_eq!(machine, wanted, "{name}");
    }
}

#[test]
fn every_global_is_at_its_rva() {
    for name in Kernel::names() {
        let kernel = Kernel::named(name);
        let mut file = open(&kernel);
        let map = file.address_map().unwrap();
        let symbols = file.global_symbols().unwrap();
        let mut iter = symbols.iter();
        let mut rvas = HashMap::new();
        let mut absolute = 0;
        while let Some(symbol) = iter.next().unwrap() {
            let Ok(SymbolData::Public(public)) = symbol.parse() else {
                continue;
            };
            match public.offset.to_rva(&map) {
                Some(rva) => drop(rvas.insert(public.name.to_string().into_owned(), rva.0)),
                None => absolute += 1,
            }
        }
        assert_eq!(absolute, 1, "{name}");
        assert_eq!(rvas.len(), kernel.globals().count(), "{name}");
        let underscore = if kernel.pointer_size() == 4 { "_" } else { "" };
        for (global, rva) in kernel.globals() {
            let decorated = format!("{underscore}{global}");
            assert_eq!(rvas[&decorated], rva, "{name} {global}");
        }
    }
}

/// A fixture is a dump and a PDB, under 2 MiB together.
#[test]
fn files_are_small_and_always_the_same() {
    for name in Kernel::names() {
        let kernel = Kernel::named(name);
        let bytes = from_kernel(&kernel);
        assert!(bytes.len() < 400 << 10, "{name}: {} bytes", bytes.len());
        assert_eq!(bytes, from_kernel(&kernel), "{name}");
    }
}
