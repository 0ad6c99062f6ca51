//! The forms of the format that one kernel's PDB does not show all at once.

mod llvm;

use std::io::Cursor;

use pdb::{FallibleIterator, ItemFinder, PDB, StreamIndex, SymbolData, TypeData, TypeIndex};
use synth::layout::{Kernel, Section};
use synth::pdb::{
    Enum, Leaves, Member, Omap, Pdb, Public, TypeRef, TypeTable, Udt, UdtKind, describe_kernel, from_kernel,
};

type Open = PDB<'static, Cursor<Vec<u8>>>;

fn open(pdb: &Pdb) -> Open {
    PDB::open(Cursor::new(pdb.write())).unwrap()
}

fn section(name: &str, rva: u32, size: u32) -> Section {
    let characteristics = 0xc800_0040;
    let name = name.to_owned();
    Section {
        name,
        rva,
        size,
        characteristics,
    }
}

fn public(name: &str, segment: u16, offset: u32) -> Public {
    let name = name.to_owned();
    Public {
        name,
        segment,
        offset,
        is_function: false,
    }
}

fn member(name: &str, offset: u64, ty: TypeRef) -> Member {
    let name = name.to_owned();
    Member { name, offset, ty }
}

fn udt(name: &str, kind: UdtKind, size: u64, members: Vec<Member>) -> Udt {
    let name = name.to_owned();
    Udt {
        name,
        kind,
        size,
        members,
    }
}

const LONG: TypeRef = TypeRef::Long { signed: true };

fn table(udts: Vec<(&str, Udt)>) -> TypeTable {
    TypeTable {
        pointer_size: 8,
        udts: udts.into_iter().map(|(k, u)| (k.to_owned(), u)).collect(),
        ..TypeTable::default()
    }
}

fn with(types: TypeTable) -> Pdb {
    Pdb {
        guid: [7; 16],
        age: 3,
        rewritten_age: None,
        signature: 1,
        machine: 0x8664,
        block_size: 4096,
        leaves: Leaves::default(),
        types,
        sections: vec![section(".text", 0x1000, 0x1000), section(".data", 0x2000, 0x3000)],
        publics: vec![public("there", 2, 0x10)],
        omap: None,
    }
}

/// Every record with its index; those that the reader cannot parse as their kind.
fn records(file: &mut Open) -> Vec<(TypeIndex, Result<String, u16>)> {
    let types = file.type_information().unwrap();
    let mut iter = types.iter();
    let mut found = Vec::new();
    while let Some(item) = iter.next().unwrap() {
        let text = item.parse().map(|data| format!("{data:?}"));
        found.push((item.index(), text.map_err(|_| item.raw_kind())));
    }
    found
}

fn finder<'t>(types: &'t pdb::TypeInformation<'_>) -> ItemFinder<'t, TypeIndex> {
    let mut finder = types.finder();
    let mut iter = types.iter();
    while iter.next().unwrap().is_some() {
        finder.update(&iter);
    }
    finder
}

/// Index of the definition of this name, and how many bytes its record says it has.
fn definition(types: &pdb::TypeInformation<'_>, name: &str) -> (TypeIndex, u64, Option<TypeIndex>) {
    let mut iter = types.iter();
    while let Some(item) = iter.next().unwrap() {
        let (properties, found, size, fields) = match item.parse() {
            Ok(TypeData::Class(c)) => (c.properties, c.name, c.size, c.fields),
            Ok(TypeData::Union(u)) => (u.properties, u.name, u.size, Some(u.fields)),
            _ => continue,
        };
        if found.to_string() == name && !properties.forward_reference() {
            return (item.index(), size, fields);
        }
    }
    panic!("no definition of {name}");
}

#[test]
fn long_lists_go_on_in_further_records() {
    let count = 9_000;
    let members: Vec<Member> = (0..count)
        .map(|n| member(&format!("Member{n:05}"), 4 * n, LONG))
        .collect();
    let mut file = open(&with(table(vec![(
        "_LONG",
        udt("_LONG", UdtKind::Struct, 4 * count, members),
    )])));
    let types = file.type_information().unwrap();
    let finder = finder(&types);
    let (_, _, mut list) = definition(&types, "_LONG");
    let (mut names, mut parts) = (Vec::new(), 0);
    while let Some(index) = list {
        let Ok(TypeData::FieldList(fields)) = finder.find(index).unwrap().parse() else {
            panic!("no field list at {index}");
        };
        for field in fields.fields {
            let TypeData::Member(member) = field else {
                panic!("{field:?}")
            };
            assert_eq!(member.offset, 4 * names.len() as u64);
            names.push(member.name.to_string().into_owned());
        }
        parts += 1;
        list = fields.continuation;
    }
    assert!(parts > 1);
    let expected: Vec<String> = (0..count).map(|n| format!("Member{n:05}")).collect();
    assert_eq!(names, expected);
}

#[test]
fn sizes_and_offsets_take_the_leaf_they_need() {
    for size in [0, 0x7fff, 0x8000, 0xffff, 0x1_0000, 0xffff_ffff, 0x1_0000_0000] {
        let members = vec![member("Last", size, LONG)];
        let mut file = open(&with(table(vec![(
            "_S",
            udt("_S", UdtKind::Struct, size, members),
        )])));
        let types = file.type_information().unwrap();
        let (_, found, fields) = definition(&types, "_S");
        assert_eq!(found, size);
        let Ok(TypeData::FieldList(list)) = finder(&types).find(fields.unwrap()).unwrap().parse() else {
            panic!("no field list");
        };
        let [TypeData::Member(last)] = &list.fields[..] else {
            panic!("{:?}", list.fields)
        };
        assert_eq!(last.offset, size);
    }
}

#[test]
fn enumerators_keep_their_sign() {
    let values = [
        -1,
        -128,
        -129,
        -40_000,
        i64::MIN,
        0,
        0x7fff,
        0x8000,
        0xffff_ffff,
        i64::MAX,
    ];
    let named = values.iter().map(|v| (format!("V{v}"), *v)).collect();
    let mut types = table(vec![]);
    let e = Enum {
        name: "_E".to_owned(),
        base: LONG,
        values: named,
    };
    types.enums.insert("_E".to_owned(), e);
    let text: Vec<String> = records(&mut open(&with(types)))
        .into_iter()
        .map(|(_, t)| t.unwrap())
        .collect();
    for value in values {
        let hits = text[0].matches(&format!("({value})")).count();
        assert_eq!(hits, 1, "{value} in {}", text[0]);
    }
}

#[test]
fn every_kind_of_type_is_one_record() {
    let bits = TypeRef::bits(LONG, 3, 5);
    let members = vec![
        member("Pointer", 0, TypeRef::pointer(TypeRef::Named("_S".to_owned()))),
        member(
            "Undefined",
            8,
            TypeRef::pointer(TypeRef::Named("_NOWHERE".to_owned())),
        ),
        member("Function", 16, TypeRef::pointer(TypeRef::Function)),
        member(
            "Array",
            24,
            TypeRef::array(TypeRef::array(TypeRef::WideChar, 3), 2),
        ),
        member("Volatile", 36, TypeRef::Volatile(Box::new(LONG))),
        member("Bits", 40, bits),
        member("Result", 44, TypeRef::Hresult),
        member("Real", 48, TypeRef::Float { size: 8 }),
    ];
    let mut file = open(&with(table(vec![("_S", udt("_S", UdtKind::Class, 56, members))])));
    let text: Vec<String> = records(&mut file).into_iter().map(|(_, t)| t.unwrap()).collect();
    let starts: Vec<&str> = text.iter().map(|t| t.split(['(', ' ']).next().unwrap()).collect();
    assert_eq!(
        starts,
        [
            "Class", // forward reference to _S
            "Pointer",
            "Class", // forward reference to _NOWHERE
            "Pointer",
            "ArgumentList",
            "Procedure",
            "Pointer",
            "Array",
            "Array",
            "Modifier",
            "Bitfield",
            "FieldList",
            "Class",
        ]
    );
    assert!(text[10].contains("length: 5, position: 3"), "{}", text[10]);
    assert!(text[9].contains("volatile: true"), "{}", text[9]);
}

/// Kernels since build 21286; the numbers are what such kernels' records begin with.
#[test]
fn leaves_with_wide_properties() {
    let types = table(vec![
        ("_C", udt("_C", UdtKind::Class, 4, vec![])),
        ("_S", udt("_S", UdtKind::Struct, 8, vec![])),
        ("_U", udt("_U", UdtKind::Union, 12, vec![])),
    ]);
    let mut pdb = with(types);
    pdb.leaves = Leaves {
        wide: true,
        unique_names: true,
        unknown_record: true,
    };
    let mut file = open(&pdb);
    let types = file.type_information().unwrap();
    let mut kinds = Vec::new();
    let mut iter = types.iter();
    while let Some(item) = iter.next().unwrap() {
        kinds.push(item.raw_kind());
    }
    assert_eq!(kinds, [0x1203, 0x1608, 0x1ff0, 0x1609, 0x160a]);
    for (name, size) in [("_C", 4), ("_S", 8), ("_U", 12)] {
        assert_eq!(definition(&types, name).1, size);
    }
    let failed: Vec<u16> = records(&mut file)
        .into_iter()
        .filter_map(|(_, t)| t.err())
        .collect();
    assert_eq!(failed, [0x1ff0]);
}

#[test]
fn unnamed_types_stay_apart() {
    let inner = |member_name| vec![member(member_name, 0, LONG)];
    let outer = vec![
        member("u1", 0, TypeRef::Named("_S.u1".to_owned())),
        member("u2", 4, TypeRef::Named("_S.u2".to_owned())),
    ];
    let mut pdb = with(table(vec![
        ("_S", udt("_S", UdtKind::Struct, 8, outer)),
        ("_S.u1", udt("<unnamed-tag>", UdtKind::Union, 4, inner("First"))),
        ("_S.u2", udt("<unnamed-tag>", UdtKind::Union, 4, inner("Second"))),
    ]));
    for unique_names in [false, true] {
        pdb.leaves.unique_names = unique_names;
        let all: String = records(&mut open(&pdb))
            .into_iter()
            .map(|(_, t)| t.unwrap())
            .collect();
        assert_eq!(all.matches("Union(").count(), 2);
        assert_eq!(
            all.matches(".?AT<unnamed-tag>@_S.u1@@").count(),
            usize::from(unique_names)
        );
    }
}

/// Of several definitions of a name the hash adjusters name the last.
#[test]
fn adjusters_point_at_the_last_definition() {
    let old = udt("_S", UdtKind::Struct, 4, vec![member("Old", 0, LONG)]);
    let new = udt("_S", UdtKind::Struct, 8, vec![member("New", 4, LONG)]);
    let mut file = open(&with(table(vec![("_S", old), ("_S again", new)])));
    let types = file.raw_stream(StreamIndex(2)).unwrap().unwrap();
    let word = |bytes: &[u8], at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let hash_stream = u16::try_from(word(&types, 20) & 0xffff).unwrap();
    let hashes = file.raw_stream(StreamIndex(hash_stream)).unwrap().unwrap();
    let (offset, length) = (word(&types, 48) as usize, word(&types, 52) as usize);
    let adjusters = &hashes[offset..offset + length];
    // One entry, in the one present slot: name offset 1 in /names, type 0x1003.
    assert_eq!(word(adjusters, 0), 1);
    assert_eq!(word(adjusters, length - 8), 1);
    assert_eq!(word(adjusters, length - 4), 0x1003);
    let strings = file.string_table().unwrap();
    assert_eq!(strings.get(pdb::StringRef(1)).unwrap().to_string(), "_S");
}

#[test]
fn absolute_symbols_have_no_rva() {
    let mut pdb = with(table(vec![]));
    pdb.publics.push(public("nowhere", 3, 0x1234));
    assert_eq!(
        rvas(&pdb),
        [("there".to_owned(), Some(0x2010)), ("nowhere".to_owned(), None)]
    );
}

fn rvas(pdb: &Pdb) -> Vec<(String, Option<u32>)> {
    let mut file = open(pdb);
    let map = file.address_map().unwrap();
    let symbols = file.global_symbols().unwrap();
    let mut iter = symbols.iter();
    let mut found = Vec::new();
    while let Some(symbol) = iter.next().unwrap() {
        if let Ok(SymbolData::Public(p)) = symbol.parse() {
            found.push((
                p.name.to_string().into_owned(),
                p.offset.to_rva(&map).map(|r| r.0),
            ));
        }
    }
    found
}

/// Original sections swapped places in the moved image.
#[test]
fn moved_blocks_are_found_through_omap() {
    let mut pdb = with(table(vec![]));
    pdb.publics.push(public("moved", 1, 0x20));
    pdb.publics.push(public("gone", 2, 0x2000));
    pdb.omap = Some(Omap {
        moved_sections: vec![section(".data", 0x1000, 0x2000), section(".text", 0x3000, 0x1000)],
        from_source: vec![(0x1000, 0x3000), (0x2000, 0x1000), (0x4000, 0)],
        to_source: vec![(0x1000, 0x2000), (0x3000, 0x1000)],
    });
    let expected = [("there", Some(0x1010)), ("moved", Some(0x3020)), ("gone", None)];
    let found = rvas(&pdb);
    assert_eq!(found.len(), expected.len());
    for ((name, rva), (expected_name, expected_rva)) in found.iter().zip(expected) {
        assert_eq!((name.as_str(), *rva), (expected_name, expected_rva));
    }
}

/// Block numbers in use according to the current free page map, as far as the map goes.
fn used_blocks(file: &[u8]) -> Vec<usize> {
    let word = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap()) as usize;
    let (size, map, count) = (word(32), word(36), word(40));
    assert_eq!(file.len(), size * count);
    // One block of the map every `size` blocks; together they are one sequence of bits.
    let maps = (map..count)
        .step_by(size)
        .flat_map(|block| &file[block * size..][..size]);
    let bits = maps.flat_map(|byte| (0..8).map(move |bit| byte >> bit & 1));
    bits.enumerate()
        .filter(|(_, bit)| *bit == 0)
        .map(|(number, _)| number)
        .collect()
}

/// Small blocks bring the second and later free page maps into a small file.
#[test]
fn all_block_sizes_hold_the_same() {
    let kernel = Kernel::named("win11-21h2-x64");
    let mut pdb = describe_kernel(&kernel);
    pdb.publics
        .extend((0..20_000).map(|n| public(&format!("Symbol{n}"), 1, n)));
    let mut first = None;
    for block_size in [512, 1024, 2048, 4096] {
        pdb.block_size = block_size;
        let bytes = pdb.write();
        let count = bytes.len() / block_size;
        assert!(
            count > block_size || block_size > 512,
            "the second map is tested, too"
        );
        assert!(used_blocks(&bytes).into_iter().eq(0..count));
        let mut file = PDB::open(Cursor::new(bytes)).unwrap();
        let streams: Vec<Vec<u8>> = (1..12)
            .map(|n| {
                file.raw_stream(StreamIndex(n))
                    .unwrap()
                    .map_or(Vec::new(), |s| s.to_vec())
            })
            .collect();
        assert_eq!(first.get_or_insert_with(|| streams.clone()), &streams);
    }
}

/// LLVM's reader, where it is installed, takes every stream.
#[test]
fn llvm_reads_it() {
    let all = [
        "--summary",
        "--types",
        "--type-extras",
        "--type-data",
        "--ids",
        "--publics",
        "--public-extras",
        "--globals",
        "--global-extras",
        "--modules",
        "--section-contribs",
        "--section-map",
        "--section-headers",
        "--named-streams",
        "--string-table",
    ];
    for (kernel, unnamed) in [
        ("vista-sp2-x64", "`__unnamed`"),
        ("win10-2004-x86", "`<anonymous-tag>`"),
    ] {
        let Some(text) = llvm::dump(&from_kernel(&Kernel::named(kernel)), &all) else {
            return;
        };
        for wanted in [
            "Has Types: true",
            "Is stripped: true",
            "`_KALPC_MESSAGE`",
            "AlpcpPortList`",
            unnamed,
            "LF_BITFIELD",
            "LF_MODIFIER",
            "forward ref",
        ] {
            assert!(text.contains(wanted), "{kernel}: no {wanted}");
        }
        assert!(!text.contains("UNKNOWN RECORD"), "{kernel}");
    }
}
