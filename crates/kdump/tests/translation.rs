//! Translation: page sizes, states of entries, and every way it can fail.
#![allow(missing_docs)]

mod common;

use common::{LARGE, PAGE, VALID, World};
use kdump::{
    Addr, Dump, FrameUse, Gpa, Gva, Level, NotPresentKind, PageSize, Pfn, ReadError, TranslateError,
    Translation,
};

const GVA: u64 = 0xffff_f880_0f4c_c950;
const TRANSITION: u64 = 1 << 11;
const PROTOTYPE: u64 = 1 << 10;

fn open(world: &World) -> Dump {
    Dump::from_bytes("world", world.bitmap(5, b"FDMP")).unwrap()
}

fn translate(world: &World, gva: u64) -> Result<Translation, TranslateError> {
    open(world).kernel_space().translate(Gva::new(gva))
}

#[test]
fn addresses_are_found_through_all_page_sizes() {
    let mut world = World::new();
    world.map_4k(0xffff_f880_0000_1000, 0x1234);
    world.map_2m(0xffff_f800_0020_0000, 0x4600);
    world.map_1g(0xffff_fa80_4000_0000, 0x8_0000);
    world.map_4k(0x7ff6_1234_5000, 0xf_ffff_ffff);
    world.map_4k(0xffff_ffff_ffff_f000, 0);
    for (gva, gpa, page_size) in [
        (0xffff_f880_0000_1fff, 0x0123_4fff, PageSize::Size4K),
        (0xffff_f800_0020_0000, 0x0460_0000, PageSize::Size2M),
        (0xffff_f800_003f_fff8, 0x047f_fff8, PageSize::Size2M),
        (0xffff_fa80_4000_0000, 0x8000_0000, PageSize::Size1G),
        (0xffff_fa80_7654_3210, 0xb654_3210, PageSize::Size1G),
        (0x7ff6_1234_5678, 0xffff_ffff_f678, PageSize::Size4K),
        (0xffff_ffff_ffff_ffff, 0xfff, PageSize::Size4K),
    ] {
        let found = translate(&world, gva).unwrap();
        assert_eq!(
            (found.gpa, found.page_size, found.transition),
            (Gpa::new(gpa), page_size, false),
            "{gva:#x}"
        );
    }
}

#[test]
fn attribute_bits_are_no_part_of_an_address() {
    // Bit 12 of a large page's entry is PAT, bits 52 to 62 are the system's, bit 63 is no-execute.
    for attributes in [1 << 12, 0x7ff << 52, 1 << 63, 0xfff << 52 | 1 << 12 | 0xf7e] {
        let mut world = World::new();
        world.set_entry(0xffff_f800_0020_0000, 2, 0x460_0000 | VALID | LARGE | attributes);
        world.set_entry(0xffff_fa80_4000_0000, 1, 0x8000_0000 | VALID | LARGE | attributes);
        let two = translate(&world, 0xffff_f800_0020_1008).unwrap();
        assert_eq!(two.gpa, Gpa::new(0x460_1008), "{attributes:#x}");
        let one = translate(&world, 0xffff_fa80_4020_1008).unwrap();
        assert_eq!(one.gpa, Gpa::new(0x8020_1008), "{attributes:#x}");
    }
    // In a PTE bit 7 is PAT and bit 12 is address.
    let mut world = World::new();
    world.set_entry(GVA, 3, 0x1234_5000 | VALID | LARGE | 0xfff << 52);
    assert_eq!(translate(&world, GVA).unwrap().gpa, Gpa::new(0x1234_5950));
}

#[test]
fn the_low_bits_of_a_directory_table_base_are_left_out() {
    let mut world = World::new();
    world.map_4k(GVA, 0x99);
    let dump = open(&world);
    assert_eq!(
        dump.header().directory_table_base,
        world.root * PAGE + 2,
        "the world has some"
    );
    for base in [world.root * PAGE, world.root * PAGE + 0xfff] {
        let space = dump.space(base);
        assert_eq!(space.root(), Gpa::new(world.root * PAGE));
        assert_eq!(space.translate(Gva::new(GVA)).unwrap().gpa, Gpa::new(0x99_950));
        assert_eq!(space.pointer_width(), 8);
    }
}

#[test]
fn addresses_that_are_not_canonical_are_refused_before_any_table_is_read() {
    let world = World::new();
    for gva in [
        1 << 47,
        0x8000_0000_0000,
        0xffff_7fff_ffff_ffff,
        0x0001_0000_0000_0000,
        0xf880_0f4c_c950_0000,
    ] {
        let gva_ = Addr::new(Gva::new(gva), 8);
        assert_eq!(translate(&world, gva), Err(ReadError::NonCanonical { gva: gva_ }));
        assert_eq!(translate(&world, gva).unwrap_err().id(), "non-canonical");
    }
    for gva in [0x7fff_ffff_ffff, 0xffff_8000_0000_0000] {
        assert_eq!(translate(&world, gva).unwrap_err().id(), "not-present");
    }
}

#[test]
fn what_is_not_present_says_which_entry_and_why() {
    for (depth, level) in [
        (0, Level::Pml4e),
        (1, Level::Pdpte),
        (2, Level::Pde),
        (3, Level::Pte),
    ] {
        for (entry, state) in [
            (0, NotPresentKind::Zero),
            (0x80, NotPresentKind::DemandZero),
            (0x0000_0001_0000_0080, NotPresentKind::PageFile),
            (0x0012_3456_0000_20c0, NotPresentKind::PageFile),
            (0xffff_ffff_0000_0000 | PROTOTYPE, NotPresentKind::Prototype),
            (0x8a00_1234_5678_0000 | PROTOTYPE, NotPresentKind::Prototype),
            (0x1234_5000 | PROTOTYPE | TRANSITION, NotPresentKind::Prototype),
        ] {
            let mut world = World::new();
            let entry_at = world.entry_at(GVA, depth);
            world.set_entry(GVA, depth, entry);
            let error = translate(&world, GVA).unwrap_err();
            let gva = Addr::new(Gva::new(GVA), 8);
            assert_eq!(
                error,
                ReadError::NotPresent {
                    gva,
                    level,
                    entry,
                    entry_at: Gpa::new(entry_at),
                    state
                }
            );
            assert_eq!((error.id(), error.gva()), ("not-present", gva.gva()));
        }
    }
}

#[test]
fn a_page_in_transition_is_read() {
    let mut world = World::new();
    world.set_entry(GVA, 3, 0x166b_7000 | 0x880);
    let found = translate(&world, GVA).unwrap();
    assert_eq!((found.gpa, found.transition), (Gpa::new(0x166b_7950), true));
}

#[test]
fn a_table_in_transition_is_a_table_whatever_its_protection() {
    // Bits 5 to 9 of an entry in transition are Protection: bit 7 does not make a page of it.
    for depth in [0, 1, 2] {
        let mut world = World::new();
        world.map_4k(GVA, 0x77);
        let at = world.entry_at(GVA, depth);
        let entry = world.read_u64(at);
        world.set_entry(GVA, depth, entry & !0xfff | TRANSITION | 0x80);
        let found = translate(&world, GVA).unwrap();
        assert_eq!(
            (found.gpa, found.page_size, found.transition),
            (Gpa::new(0x77_950), PageSize::Size4K, true)
        );
    }
}

/// Situation: since the L1TF updates of 2018 an entry that is not valid has a high bit set on many processors,
/// and its SwizzleBit (4) is clear. Example: bit 45, `0000200014123860` for frame 14123.
#[test]
fn the_bit_that_hides_invalid_entries_from_the_processor_is_no_part_of_the_frame() {
    let hidden = 1u64 << 45;
    let mut world = World::new();
    world.set_entry(GVA, 3, hidden | 0x1412_3000 | TRANSITION | 0x60);
    assert_eq!(translate(&world, GVA).unwrap().gpa, Gpa::new(0x1412_3950));
    // SwizzleBit set: the entry was left as it is.
    world.set_entry(GVA, 3, hidden | 0x1412_3000 | TRANSITION | 0x70);
    assert_eq!(
        translate(&world, GVA).unwrap().gpa,
        Gpa::new(hidden | 0x1412_3950)
    );
    // Valid entries are never hidden.
    world.set_entry(GVA, 3, hidden | 0x1412_3000 | 0x63);
    assert_eq!(
        translate(&world, GVA).unwrap().gpa,
        Gpa::new(hidden | 0x1412_3950)
    );
    // Memory up there: the bit may be part of the frame.
    world.set_entry(GVA, 3, hidden | 0x1412_3000 | TRANSITION | 0x60);
    let runs: Vec<_> = world
        .runs()
        .into_iter()
        .chain([((hidden >> 12) | 0x1_4000, 0x1000)])
        .collect();
    world
        .frames
        .extend((0..0x1000).map(|n| ((hidden >> 12) | (0x1_4000 + n), Vec::new())));
    let dump = Dump::from_bytes("large", world.full_in_order(&runs)).unwrap();
    let found = dump.kernel_space().translate(Gva::new(GVA)).unwrap();
    assert_eq!(found.gpa, Gpa::new(hidden | 0x1412_3950));
}

#[test]
fn tables_and_pages_that_are_not_in_the_dump_are_told_apart() {
    for (depth, level) in [(0, Level::Pdpte), (1, Level::Pde), (2, Level::Pte)] {
        let mut world = World::new();
        world.map_4k(GVA, 0x50);
        world.add_frame(0x50);
        let at = world.entry_at(GVA, depth);
        let table = world.read_u64(at) >> 12;
        world.frames.remove(&table);
        let what = FrameUse::Table(level);
        let expected = ReadError::NotInDump {
            gva: Addr::new(Gva::new(GVA), 8),
            pfn: Pfn::new(table),
            what,
        };
        assert_eq!(translate(&world, GVA), Err(expected));
        assert_eq!(
            open(&world).kernel_space().cursor().u64(Gva::new(GVA)),
            Err(expected)
        );
    }
    let mut world = World::new();
    world.map_4k(GVA, 0x50);
    assert_eq!(
        translate(&world, GVA).unwrap().gpa,
        Gpa::new(0x50_950),
        "its page need not be there"
    );
    let missing = ReadError::NotInDump {
        gva: Addr::new(Gva::new(GVA), 8),
        pfn: Pfn::new(0x50),
        what: FrameUse::Data,
    };
    assert_eq!(
        open(&world).kernel_space().cursor().u64(Gva::new(GVA)),
        Err(missing)
    );
    let root = open(&world).space(0x1000).translate(Gva::new(GVA)).unwrap_err();
    assert!(matches!(
        root,
        ReadError::NotInDump {
            what: FrameUse::Table(Level::Pml4e),
            ..
        }
    ));
}

#[test]
fn tables_and_pages_beyond_the_end_of_the_file_are_told_apart() {
    let mut world = World::new();
    world.map_4k(GVA, 0x1000);
    world.add_frame(0x1000);
    let bytes = world.full();
    for (pages, what) in [
        (0, FrameUse::Table(Level::Pml4e)),
        (2, FrameUse::Table(Level::Pde)),
        (4, FrameUse::Data),
    ] {
        let len = 0x2000 + pages * 0x1000;
        let dump = Dump::from_bytes("cut", bytes[..len].to_vec()).unwrap();
        let error = dump.kernel_space().cursor().u8(Gva::new(GVA)).unwrap_err();
        let ReadError::OutOfFile {
            what: found, offset, ..
        } = error
        else {
            panic!("{error}")
        };
        assert_eq!((found, offset), (what, len as u64));
        assert_eq!(error.id(), "out-of-file");
    }
}

#[test]
fn tables_that_lead_to_themselves_end() {
    let mut world = World::new();
    world.set_entry(0xffff_f6fb_7dbe_d000, 0, (world.root * PAGE) | 0x63);
    let found = translate(&world, 0xffff_f6fb_7dbe_df68).unwrap();
    assert_eq!(found.gpa, Gpa::new(world.root * PAGE + 0xf68));
}

#[test]
fn errors_serialize_with_their_ids() {
    let mut world = World::new();
    world.set_entry(GVA, 3, 0x80);
    let error = translate(&world, GVA).unwrap_err();
    let json = serde_json::to_value(error).unwrap();
    assert_eq!(json["id"], error.id());
    assert_eq!(json["gva"], "fffff8800f4cc950");
    assert_eq!(json["level"], "pte");
    assert_eq!(json["state"], "demand-zero");
    for error in [
        ReadError::NonCanonical {
            gva: Addr::new(Gva::new(1), 8),
        },
        ReadError::NotInDump {
            gva: Addr::new(Gva::new(1), 8),
            pfn: Pfn::new(2),
            what: FrameUse::Data,
        },
        ReadError::OutOfFile {
            gva: Addr::new(Gva::new(1), 8),
            pfn: Pfn::new(2),
            what: FrameUse::Table(Level::Pde),
            offset: 3,
        },
        ReadError::Io {
            gva: Addr::new(Gva::new(1), 8),
            kind: std::io::ErrorKind::NotFound,
        },
        ReadError::TooLong {
            gva: Addr::new(Gva::new(1), 8),
            len: 2,
        },
        ReadError::Wraps {
            gva: Addr::new(Gva::new(1), 8),
            len: 2,
        },
        ReadError::BadSize {
            gva: Addr::new(Gva::new(1), 8),
            size: 3,
        },
    ] {
        assert_eq!(serde_json::to_value(error).unwrap()["id"], error.id());
    }
}
