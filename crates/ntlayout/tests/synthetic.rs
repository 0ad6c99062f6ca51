//! PDBs of the test builder, which shares nothing with this crate: every field of every kernel it knows, and
//! the forms that the shared PDBs do not have.

mod common;

use common::{field, leak, leak_str, open, synthetic};
use ntlayout::{BitField, Contract, Field, GlobalSpec, Layout, Missing, Need, Pdb, SymbolTable};
use synth::layout::Kernel;
use synth::pdb::{Leaves, Member, Omap, TypeRef, Udt, UdtKind, describe_kernel};

fn recent() -> Kernel {
    Kernel::named("win11-21h2-x64")
}

fn resolve(pdb: &Pdb, fields: &[ntlayout::FieldSpec], globals: &[&str]) -> Layout {
    let globals: Vec<_> = globals
        .iter()
        .map(|name| GlobalSpec {
            name: leak_str(name),
            need: Need::Required,
        })
        .collect();
    let contract = Contract {
        fields: leak(fields),
        types: &[],
        globals: leak(&globals),
    };
    pdb.resolve(&contract).unwrap()
}

fn check_kernel(kernel: &Kernel, pdb: &Pdb) {
    let fields = |ty: &'static str| kernel.type_(ty).fields.iter();
    let types: Vec<&'static str> = kernel.types().map(|ty| leak_str(&ty.name)).collect();
    let specs: Vec<_> = types
        .iter()
        .flat_map(|ty| fields(ty).map(|known| field(ty, &known.path)))
        .collect();
    let names: Vec<&str> = kernel.globals().map(|(name, _)| name).collect();
    let layout = resolve(pdb, &specs, &names);
    assert_eq!(layout.missing(), [], "{}", kernel.name());
    assert!(specs.len() > 300, "{}: {}", kernel.name(), specs.len());
    for (index, known) in types.iter().flat_map(|ty| fields(ty)).enumerate() {
        let expected = Field {
            offset: u32::try_from(known.offset).unwrap(),
            size: u32::try_from(known.bytes).unwrap(),
            bits: known.bit.map(|(position, length)| BitField { position, length }),
            spelling: 0,
        };
        assert_eq!(
            layout.field(index),
            Some(expected),
            "{}: {:?}",
            kernel.name(),
            specs[index]
        );
    }
    for (index, (name, rva)) in kernel.globals().enumerate() {
        assert_eq!(layout.global(index), Some(rva), "{}: {name}", kernel.name());
    }
}

#[test]
fn every_field_of_every_kernel_is_found() {
    for name in Kernel::names() {
        let kernel = Kernel::named(name);
        let pdb = open(synthetic(name));
        let identity = pdb.identity().unwrap();
        assert_eq!((identity.guid.0, identity.age), (kernel.guid(), kernel.age()));
        assert_eq!(pdb.pointer_size().map(u64::from), Some(kernel.pointer_size()));
        check_kernel(&kernel, &pdb);
    }
}

#[test]
fn a_flat_table_satisfies_nested_spellings() {
    let kernel = recent();
    let mut description = describe_kernel(&kernel);
    let flat = |name: &str, offset, ty| Member {
        name: name.into(),
        offset,
        ty,
    };
    let members = vec![
        flat("State", 0x10, TypeRef::Long { signed: false }),
        flat(
            "QueueType",
            0x10,
            TypeRef::bits(TypeRef::Long { signed: false }, 4, 3),
        ),
    ];
    let udt = Udt {
        name: "_FLAT".into(),
        kind: UdtKind::Struct,
        size: 0x20,
        members,
    };
    description.types.udts.insert("_FLAT".into(), udt);
    let pdb = open(description.write());
    let layout = resolve(
        &pdb,
        &[
            field("_FLAT", "u1.s1.QueueType"),
            field("_FLAT", "u1.State"),
            field("_FLAT", "State.QueueType"),
            field("_FLAT", "Tcb.State"),
        ],
        &[],
    );
    let bits = BitField {
        position: 4,
        length: 3,
    };
    assert_eq!(
        layout.field(0),
        Some(Field {
            offset: 0x10,
            size: 4,
            bits: Some(bits),
            spelling: 0
        })
    );
    assert_eq!(
        layout.field(1),
        Some(Field {
            offset: 0x10,
            size: 4,
            bits: None,
            spelling: 0
        })
    );
    // A part that is there is followed, and a member with a name of its own is never skipped.
    assert_eq!(layout.field(2), None);
    assert_eq!(layout.field(3), None);
}

#[test]
fn all_that_is_missing_is_told_at_once() {
    let pdb = open(synthetic(recent().name()));
    let two = ntlayout::FieldSpec {
        ty: "_ALPC_PORT",
        name: "Nothing",
        spellings: &["Nought", "u1.Nil"],
        need: Need::Required,
    };
    let optional = ntlayout::FieldSpec {
        need: Need::Optional,
        ..two
    };
    let fields = [
        field("_NO_SUCH", "A"),
        field("_NO_SUCH", "B"),
        two,
        optional,
        field("_ALPC_PORT", "MainQueue"),
    ];
    let layout = resolve(&pdb, &fields, &["NoSuchGlobal", "PsActiveProcessHead"]);
    let spellings = two.spellings;
    assert_eq!(
        layout.missing(),
        [
            Missing::Type { ty: "_NO_SUCH" },
            Missing::Field {
                ty: "_ALPC_PORT",
                name: "Nothing",
                spellings
            },
            Missing::Global { name: "NoSuchGlobal" },
        ]
    );
    assert_eq!(layout.missing()[1].to_string(), "_ALPC_PORT.Nought or .u1.Nil");
    assert!(layout.field(4).is_some() && layout.global(1).is_some());
}

#[test]
fn both_generations_of_leaves_say_the_same() {
    let kernel = recent();
    for wide in [false, true] {
        for unique_names in [false, true] {
            let mut description = describe_kernel(&kernel);
            description.leaves = Leaves {
                unique_names,
                wide,
                unknown_record: true,
            };
            description.block_size = if wide { 512 } else { 2048 };
            check_kernel(&kernel, &open(description.write()));
        }
    }
}

#[test]
fn moved_images_are_followed_through_the_omap() {
    let kernel = recent();
    let mut description = describe_kernel(&kernel);
    let moved_by = 0x3000;
    let first = description.sections[0].rva;
    let gone = kernel.rva("PsActiveProcessHead");
    let mut moved_sections = description.sections.clone();
    moved_sections
        .iter_mut()
        .for_each(|section| section.rva += moved_by);
    description.omap = Some(Omap {
        moved_sections,
        from_source: vec![
            (first, first + moved_by),
            (gone, 0),
            (gone + 8, gone + 8 + moved_by),
        ],
        to_source: Vec::new(),
    });
    let pdb = open(description.write());
    assert_eq!(pdb.global("PsActiveProcessHead").unwrap(), None);
    let mut moved = 0;
    for (name, rva) in kernel
        .globals()
        .filter(|&(_, rva)| !(gone..gone + 8).contains(&rva))
    {
        assert_eq!(pdb.global(name).unwrap(), Some(rva + moved_by), "{name}");
        moved += 1;
    }
    assert!(moved > 10);
}

#[test]
fn an_absolute_symbol_has_no_address() {
    assert_eq!(
        open(synthetic(recent().name())).global("__guard_flags").unwrap(),
        None
    );
}

#[test]
fn without_hashes_the_records_are_looked_at() {
    let kernel = recent();
    let whole = synthetic(kernel.name());
    // Version, header length and first type open the type stream's header; the hash stream's number is at
    // +20, the place of the record offsets at +44.
    let start = [20_040_203u32, 56, 0x1000].map(u32::to_le_bytes).concat();
    let header = whole.windows(12).position(|window| window == start).unwrap();
    let mut no_hash = whole.clone();
    no_hash[header + 20..header + 22].fill(0xff);
    let mut no_offsets = whole.clone();
    assert_ne!(no_offsets[header + 44..header + 52], [0; 8]);
    no_offsets[header + 44..header + 52].fill(0);
    // A hash whose header has another version is not used.
    let mut no_publics = whole.clone();
    let version = 0xf12f_091a_u32.to_le_bytes();
    for at in (0..whole.len() - 4).filter(|&at| whole[at..at + 4] == version) {
        no_publics[at..at + 4].fill(0x11);
    }
    assert_ne!(no_publics, whole);
    for bytes in [no_hash, no_offsets, no_publics] {
        check_kernel(&kernel, &open(bytes));
    }
}

#[test]
fn offsets_that_disagree_with_the_records_are_an_error() {
    let kernel = recent();
    let mut bytes = synthetic(kernel.name());
    // Number and offset of the first type, and then of one about 8 KiB on.
    let first = [0x1000u32, 0].map(u32::to_le_bytes).concat();
    let place = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let is_offset = |&at: &usize| bytes[at..at + 8] == first && (8000..9000).contains(&place(at + 12));
    let offsets: Vec<usize> = (0..bytes.len() - 16).filter(is_offset).collect();
    let [at] = offsets[..] else { panic!("{offsets:?}") };
    bytes[at + 8] ^= 1;
    let types: Vec<_> = kernel.types().map(|ty| field(&ty.name, "NoSuchMember")).collect();
    let contract = Contract {
        fields: leak(&types),
        types: &[],
        globals: &[],
    };
    let error = open(bytes).resolve(&contract).unwrap_err();
    assert_eq!(error.id(), "pdb-corrupt");
    assert!(error.to_string().contains("types where"), "{error}");
}

#[test]
fn types_print_as_the_debugger_has_them() {
    let kernel = recent();
    let mut description = describe_kernel(&kernel);
    let long = || TypeRef::Long { signed: false };
    let named = |name: &str| TypeRef::Named(name.into());
    let inner = Udt {
        name: "<unnamed-tag>".into(),
        kind: UdtKind::Union,
        size: 4,
        members: vec![
            Member {
                name: "State".into(),
                offset: 0,
                ty: long(),
            },
            Member {
                name: "Type".into(),
                offset: 0,
                ty: TypeRef::bits(long(), 1, 2),
            },
            Member {
                name: "One".into(),
                offset: 0,
                ty: TypeRef::bits(long(), 3, 1),
            },
        ],
    };
    let members = [
        ("Port", 0, TypeRef::pointer(named("_ALPC_PORT"))),
        (
            "Name",
            8,
            TypeRef::array(
                TypeRef::Int {
                    size: 1,
                    signed: false,
                },
                15,
            ),
        ),
        ("u1", 0x18, named("inner")),
        (
            "Grid",
            0x1c,
            TypeRef::array(TypeRef::array(TypeRef::WideChar, 3), 2),
        ),
        ("Queue", 0x28, named("_LIST_ENTRY")),
        (
            "Count",
            0x38,
            TypeRef::Volatile(Box::new(TypeRef::Long { signed: true })),
        ),
        ("Routine", 0x40, TypeRef::pointer(TypeRef::Function)),
        ("Nowhere", 0x48, TypeRef::pointer(named("_NEVER_DEFINED"))),
        ("Link", 0x50, TypeRef::pointer(TypeRef::pointer(TypeRef::Void))),
    ];
    let members = members
        .map(|(name, offset, ty)| Member {
            name: name.into(),
            offset,
            ty,
        })
        .into_iter()
        .collect();
    let udt = Udt {
        name: "_SHOWN".into(),
        kind: UdtKind::Struct,
        size: 0x58,
        members,
    };
    description
        .types
        .udts
        .extend([("_SHOWN".to_owned(), udt), ("inner".to_owned(), inner)]);
    let pdb = open(description.write());
    let shown = pdb.type_info("_SHOWN").unwrap().unwrap();
    assert_eq!(shown.size, 0x58);
    let lines: Vec<String> = shown.members.iter().flat_map(|member| lines(member, 0)).collect();
    assert_eq!(
        lines,
        [
            "+0x000 Port : Ptr64 _ALPC_PORT",
            "+0x008 Name : [15] UChar",
            "+0x018 u1 : <unnamed-tag>",
            "   +0x018 State : Uint4B",
            "   +0x018 Type : Pos 1, 2 Bits",
            "   +0x018 One : Pos 3, 1 Bit",
            "+0x01c Grid : [2] [3] Wchar",
            "+0x028 Queue : _LIST_ENTRY",
            "+0x038 Count : Int4B",
            "+0x040 Routine : Ptr64 Function",
            "+0x048 Nowhere : Ptr64 _NEVER_DEFINED",
            "+0x050 Link : Ptr64 Ptr64 Void",
        ]
    );
}

fn lines(member: &ntlayout::Member, depth: usize) -> Vec<String> {
    let indent = " ".repeat(3 * depth);
    let own = format!(
        "{indent}+0x{:03x} {} : {}",
        member.offset, member.name, member.type_name
    );
    let nested = member.members.iter().flat_map(|member| lines(member, depth + 1));
    [own].into_iter().chain(nested).collect()
}

#[test]
fn a_name_that_many_types_share_is_not_looked_up() {
    let kernel = recent();
    let mut description = describe_kernel(&kernel);
    // Declared under the name of all that have none, and never defined.
    let nowhere = TypeRef::Named("<unnamed-tag>".into());
    assert!(
        description
            .types
            .udts
            .values()
            .any(|udt| udt.name == "<unnamed-tag>")
    );
    let members = vec![Member {
        name: "Nowhere".into(),
        offset: 8,
        ty: nowhere,
    }];
    let udt = Udt {
        name: "_LOST".into(),
        kind: UdtKind::Struct,
        size: 16,
        members,
    };
    description.types.udts.insert("_LOST".into(), udt);
    let pdb = open(description.write());
    let lost = pdb.type_info("_LOST").unwrap().unwrap();
    assert_eq!((lost.members[0].size, lost.members[0].members.len()), (None, 0));
    let layout = resolve(
        &pdb,
        &[field("_LOST", "Nowhere"), field("_LOST", "Nowhere.State")],
        &[],
    );
    // Where the member begins is known all the same, but not how long it is, nor what is in it.
    let place = layout.field(0).map(|field| (field.offset, field.size));
    assert_eq!((place, layout.field(1)), (Some((8, 0)), None));
}

#[test]
fn enumerations_keep_their_signs() {
    let kernel = recent();
    let mut description = describe_kernel(&kernel);
    let values = [
        ("A", 0),
        ("B", 0x7fff),
        ("C", 0x8000),
        ("D", -1),
        ("E", -129),
        ("F", i64::from(i32::MIN)),
        ("G", 1 << 40),
    ];
    let values = values.map(|(name, value)| (name.to_owned(), value)).to_vec();
    let base = TypeRef::Int {
        size: 8,
        signed: true,
    };
    let enumeration = synth::pdb::Enum {
        name: "_SIGNS".into(),
        base,
        values: values.clone(),
    };
    description.types.enums.insert("_SIGNS".into(), enumeration);
    let pdb = open(description.write());
    assert_eq!(pdb.enum_info("_SIGNS").unwrap(), Some(values));
    assert_eq!(pdb.enum_info("_NO_SUCH").unwrap(), None);
    assert_eq!(pdb.enum_info("_ALPC_PORT").unwrap(), None);
    assert_eq!(pdb.type_info("_SIGNS").unwrap(), None);
}

#[test]
fn long_field_lists_go_on_in_further_records() {
    let kernel = recent();
    let mut description = describe_kernel(&kernel);
    let member = |number: u32| Member {
        name: format!("Member{number:0>32}"),
        offset: u64::from(number) * 4,
        ty: TypeRef::Long { signed: false },
    };
    let members: Vec<Member> = (0..5000).map(member).collect();
    let udt = Udt {
        name: "_LONG".into(),
        kind: UdtKind::Struct,
        size: 20_000,
        members: members.clone(),
    };
    description.types.udts.insert("_LONG".into(), udt);
    let found = open(description.write()).type_info("_LONG").unwrap().unwrap();
    let names = |known: &[Member]| known.iter().map(|member| member.name.clone()).collect::<Vec<_>>();
    assert_eq!(
        found
            .members
            .iter()
            .map(|member| member.name.clone())
            .collect::<Vec<_>>(),
        names(&members)
    );
    assert_eq!(found.members.last().unwrap().offset, 4999 * 4);
}
