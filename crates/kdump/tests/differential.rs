//! The same dumps by `kdmp-parser`: it must agree wherever it is right, and where it is known to be wrong this
//! reader must be right. Its faults are asserted too, so that a version without them is noticed.
#![allow(missing_docs, clippy::cast_possible_truncation)]

mod common;

use std::collections::BTreeMap;
use std::io::Cursor;

use common::{PAGE, World};
use kdmp_parser::parse::KernelDumpParser;
use kdump::{Dump, Gpa, Gva, PageSize};
use proptest::prelude::*;

/// The same address, of the other reader's type.
fn theirs_of(gva: Gva) -> kdmp_parser::gxa::Gva {
    gva.u64().into()
}

/// The same address, of our type.
fn ours_of(gpa: kdmp_parser::gxa::Gpa) -> Gpa {
    Gpa::new(gpa.into())
}

fn other(bytes: &[u8]) -> KernelDumpParser {
    KernelDumpParser::with_reader(Cursor::new(bytes.to_vec())).unwrap()
}

fn world() -> World {
    let mut world = World::new();
    for n in 0..600 {
        world.map_4k(0xffff_f880_0000_0000 + n * PAGE, 0x2000 - n * 3);
        world.add_frame(0x2000 - n * 3);
    }
    world.map_2m(0xffff_f800_0020_0000, 0x4600);
    world.map_1g(0xffff_fa80_4000_0000, 0x4_0000);
    (0x4600..0x4610)
        .chain(0x4_0000..0x4_0004)
        .for_each(|pfn| world.add_frame(pfn));
    world.map_4k(0x1_4000_0000, 0x9999);
    world
}

/// Kinds that both read; complete dumps need a world of few runs.
fn dumps() -> Vec<(&'static str, Vec<u8>)> {
    let mut few = World::new();
    (0..20).for_each(|n| (n * 100..n * 100 + 7).for_each(|pfn| few.add_frame(pfn)));
    few.map_4k(0xffff_f880_0000_0000, 100);
    few.map_2m(0xffff_f800_0020_0000, 0x200);
    let many = world();
    vec![
        ("kind 1", few.full()),
        ("kind 5", many.bitmap(5, b"FDMP")),
        ("kind 6", many.bitmap(6, b"SDMP")),
        ("kind 8", many.ranges(8)),
        ("kind 9", many.ranges(9)),
        ("kind 0xa", many.ranges(0xa)),
        ("kind 0xa, descending", many.descending(0xa)),
    ]
}

#[test]
fn every_page_is_where_the_other_reader_finds_it() {
    for (kind, bytes) in dumps() {
        let theirs: BTreeMap<u64, u64> = other(&bytes)
            .physmem()
            .map(|(gpa, offset)| (u64::from(gpa), offset))
            .collect();
        let dump = Dump::from_bytes("ours", bytes).unwrap();
        let mut ours = BTreeMap::new();
        for run in dump.runs() {
            for pfn in run.base.u64()..run.base.u64() + run.count {
                ours.insert(pfn * PAGE, dump.frame(pfn.into()).unwrap().0);
            }
        }
        assert_eq!(ours.len() as u64, dump.coverage().claimed, "{kind}");
        assert_eq!(ours, theirs, "{kind}");
    }
}

#[test]
fn aligned_pages_read_the_same() {
    for (kind, bytes) in dumps() {
        let parser = other(&bytes);
        let reader = kdmp_parser::phys::Reader::new(&parser);
        let dump = Dump::from_bytes("ours", bytes).unwrap();
        for (gpa, _) in parser.physmem() {
            let (mut ours, mut theirs) = ([0; PAGE as usize], [0; PAGE as usize]);
            dump.read_physical(ours_of(gpa), &mut ours).unwrap();
            reader.read_exact(gpa, &mut theirs).unwrap();
            assert!(ours == theirs, "{kind} {gpa}");
        }
    }
}

fn addresses() -> impl Strategy<Value = u64> {
    prop_oneof![
        0xffff_f880_0000_0000..0xffff_f880_0025_9000u64,
        0xffff_f800_0000_0000..0xffff_f800_0060_0000u64,
        0xffff_fa80_0000_0000..0xffff_fa81_0000_0000u64,
        0x1_3fff_f000..0x1_4000_2000u64,
        0xffff_8000_0000_0000..=u64::MAX,
        0..0x8000_0000_0000u64,
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn translations_agree(addresses in prop::collection::vec(addresses(), 200)) {
        for (kind, bytes) in dumps() {
            let parser = other(&bytes);
            let theirs = kdmp_parser::virt::Reader::new(&parser);
            let dump = Dump::from_bytes("ours", bytes).unwrap();
            for &gva in &addresses {
                let gva = Gva::new(gva);
                let theirs = theirs.translate(theirs_of(gva)).ok().map(|found| (ours_of(found.gpa()), found.page_kind.size()));
                let ours = dump.kernel_space().translate(gva).ok();
                let ours = ours.map(|found| (found.gpa, found.page_size.bytes()));
                prop_assert_eq!(ours, theirs, "{} {}", kind, gva);
            }
        }
    }
}

/// Frames 200 to 205 hold their own number in every byte.
fn numbered() -> World {
    let mut world = World::new();
    for pfn in 0x200..0x206 {
        world.write_physical(pfn * PAGE, &[pfn as u8; PAGE as usize]);
    }
    world
}

/// The number in the middle of each 0x800 bytes of a read of 0x3000 bytes.
fn halves(bytes: &[u8]) -> Vec<u8> {
    bytes.chunks(0x800).map(|half| half[0x400]).collect()
}

/// What a read from 0x200800 on finds, and what it finds that takes as little of every page as of the first.
const RIGHT: [u8; 6] = [0, 1, 1, 2, 2, 3];
const WRONG: [u8; 6] = [0, 1, 2, 3, 4, 5];

#[test]
fn fault_unaligned_physical_reads_over_pages() {
    let bytes = numbered().full();
    let mut theirs = vec![0; 0x3000];
    let parser = other(&bytes);
    kdmp_parser::phys::Reader::new(&parser)
        .read_exact(0x20_0800.into(), &mut theirs)
        .unwrap();
    assert_eq!(halves(&theirs), WRONG);
    let dump = Dump::from_bytes("ours", bytes).unwrap();
    let ours = dump.physical_bytes(Gpa::new(0x20_0800), 0x3000).unwrap();
    assert_eq!(halves(&ours), RIGHT);
}

#[test]
fn fault_unaligned_reads_through_large_pages() {
    for (gva, huge) in [(0xffff_f800_0020_0800, false), (0xffff_fa80_4000_0800, true)] {
        let mut world = World::with_root(0x1000);
        let base = if huge { 0x4_0000 } else { 0x200 };
        for n in 0..6 {
            world.write_physical((base + n) * PAGE, &[n as u8; PAGE as usize]);
        }
        if huge {
            world.map_1g(gva & !0xfff, base);
        } else {
            world.map_2m(gva & !0xfff, base);
        }
        let bytes = world.full();
        let parser = other(&bytes);
        let mut theirs = vec![0; 0x3000];
        let their_reader = kdmp_parser::virt::Reader::new(&parser);
        their_reader.read_exact(gva.into(), &mut theirs).unwrap();
        assert_eq!(halves(&theirs), WRONG, "{gva:#x}");
        let dump = Dump::from_bytes("ours", bytes).unwrap();
        let ours = dump.kernel_space().cursor().bytes(Gva::new(gva), 0x3000).unwrap();
        assert_eq!(halves(&ours), RIGHT, "{gva:#x}");
    }
}

#[test]
fn fault_the_prototype_bit_of_a_transition_entry() {
    let gva = Gva::new(0xffff_f880_0000_0000);
    let mut world = World::new();
    world.set_entry(gva.u64(), 3, 0x1234_5000 | 0xc00);
    let bytes = world.full();
    assert!(
        kdmp_parser::virt::Reader::new(&other(&bytes))
            .translate(theirs_of(gva))
            .is_ok()
    );
    let error = Dump::from_bytes("ours", bytes)
        .unwrap()
        .kernel_space()
        .translate(gva)
        .unwrap_err();
    assert_eq!(error.id(), "not-present");
}

#[test]
fn fault_the_attribute_bit_in_the_frame_of_a_large_page() {
    let gva = Gva::new(0xffff_f800_0020_0000);
    let mut world = World::new();
    world.set_entry(gva.u64(), 2, 0x460_0000 | 0x63 | common::LARGE | 1 << 12);
    let bytes = world.full();
    let theirs = kdmp_parser::virt::Reader::new(&other(&bytes))
        .translate(theirs_of(gva))
        .unwrap()
        .gpa();
    assert_eq!(ours_of(theirs), Gpa::new(0x460_1000));
    let ours = Dump::from_bytes("ours", bytes)
        .unwrap()
        .kernel_space()
        .translate(gva)
        .unwrap();
    assert_eq!(
        (ours.gpa, ours.page_size),
        (Gpa::new(0x460_0000), PageSize::Size2M)
    );
}

#[test]
fn fault_addresses_that_are_not_canonical() {
    let mut world = World::new();
    world.map_4k(0xffff_f880_0000_0000, 0x50);
    let bytes = world.full();
    let gva = Gva::new(0x0000_f880_0000_0000);
    assert!(
        kdmp_parser::virt::Reader::new(&other(&bytes))
            .translate(theirs_of(gva))
            .is_ok()
    );
    let dump = Dump::from_bytes("ours", bytes).unwrap();
    assert_eq!(
        dump.kernel_space().translate(gva).unwrap_err().id(),
        "non-canonical"
    );
}

#[test]
fn fault_truncated_files_and_foreign_machines() {
    let mut world = numbered();
    let bytes = world.full();
    let cut = &bytes[..0x3000];
    assert_eq!(other(cut).physmem().len(), world.frames.len());
    let coverage = Dump::from_bytes("ours", cut.to_vec()).unwrap().coverage();
    assert_eq!(
        (coverage.present, coverage.missing),
        (1, world.frames.len() as u64 - 1)
    );

    world.patch_u32(0x30, 0x1c4);
    let bytes = world.full();
    assert_eq!(other(&bytes).physmem().len(), world.frames.len());
    assert_eq!(
        Dump::from_bytes("ours", bytes).unwrap_err().id(),
        "unsupported-machine"
    );
}

/// A range ends the list where its count is zero, whatever its frame; the other reader ends it at frame 0.
#[test]
fn fault_a_range_at_frame_0() {
    let mut world = World::new();
    (0..5).for_each(|pfn| world.add_frame(pfn));
    for kind in [8, 9, 0xa] {
        let bytes = world.ranges(kind);
        assert_eq!(other(&bytes).physmem().len(), 0, "kind {kind:#x}");
        let dump = Dump::from_bytes("ours", bytes).unwrap();
        assert_eq!(
            dump.coverage().present,
            world.frames.len() as u64,
            "kind {kind:#x}"
        );
        let page = dump.physical_bytes(Gpa::new(0), PAGE as usize).unwrap();
        assert_eq!(*page, common::pattern(0), "kind {kind:#x}");
    }
}

/// Its `open` walks the loaded modules for ever: not run here.
#[test]
fn fault_a_cyclic_module_list() {
    let mut world = World::new();
    let list = 0xffff_f800_0000_1000u64;
    let entry = list + 0x100;
    let mut memory = vec![0; 0x400];
    memory[..8].copy_from_slice(&entry.to_le_bytes());
    memory[0x100..0x108].copy_from_slice(&entry.to_le_bytes());
    memory[0x130..0x138].copy_from_slice(&0xffff_f800_0100_0000u64.to_le_bytes());
    world.place(list, 0x700, &memory);
    world.patch_u64(0x20, list);
    let dump = Dump::from_bytes("ours", world.full()).unwrap();
    let error = kdump::kernel_image(&dump).unwrap_err();
    assert_eq!(error.base(), Some(Gva::new(0xffff_f800_0100_0000)));
}

/// The other reader allocates a node for each page claimed and is killed: not run here.
#[test]
fn fault_a_header_that_claims_2_to_the_40_pages() {
    let bytes = World::new().full_claiming(&[(0, 1 << 40)], 0);
    assert_eq!(bytes.len(), 0x2000);
    assert_eq!(Dump::from_bytes("ours", bytes).unwrap().coverage().present, 0);
}
