//! Pages that hold only the filler of a writer that could not read them, and pages that hold some of it.
#![allow(missing_docs, clippy::cast_possible_truncation)]

mod common;

use common::{PAGE, World};
use kdump::{Addr, Dump, FrameError, FrameUse, Gpa, Gva, Level, OpenOptions, Pfn, PhysicalError, ReadError};

/// As x86 stores 0xdeadfeed.
const WORD: [u8; 4] = [0xed, 0xfe, 0xad, 0xde];
const BASE: u64 = 0xffff_f880_0000_0000;
const LARGE: u64 = 0xffff_f800_0020_0000;

/// Frames of BASE's pages: ordinary, filler, then what only looks like it.
const ORDINARY: u64 = 0x900;
const FILLER: u64 = 0x800;
const ALMOST: [u64; 5] = [0x700, 0x701, 0x702, 0x703, 0x704];
/// The frame of a large page's second page.
const IN_LARGE: u64 = 0x1601;

fn world() -> World {
    let mut world = World::new();
    let filler = WORD.repeat(PAGE as usize / 4);
    let mut pages = vec![common::pattern(ORDINARY), filler.clone()];
    let mut almost = vec![filler.clone(); ALMOST.len()];
    almost[0][PAGE as usize - 1] ^= 1;
    almost[1][0] ^= 1;
    almost[2][0x800..].fill(0);
    // The word as a big-endian machine stores it, and the pattern one byte off.
    almost[3] = WORD
        .iter()
        .rev()
        .copied()
        .collect::<Vec<_>>()
        .repeat(PAGE as usize / 4);
    almost[4].rotate_left(1);
    pages.extend(almost);
    let frames = [ORDINARY, FILLER].into_iter().chain(ALMOST);
    for (number, (page, frame)) in pages.into_iter().zip(frames).enumerate() {
        world.map_4k(BASE + number as u64 * PAGE, frame);
        world.frames.insert(frame, page);
    }
    world.map_2m(LARGE, 0x1600);
    for frame in 0x1600..0x1800 {
        world.add_frame(frame);
    }
    world.frames.insert(IN_LARGE, filler);
    world
}

fn dumps(world: &World) -> Vec<(&'static str, Dump)> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), world.bitmap(6, b"SDMP")).unwrap();
    vec![
        ("mapped", Dump::open(file.path()).unwrap()),
        (
            "reads",
            Dump::open_with(file.path(), &OpenOptions::default().no_mmap(true)).unwrap(),
        ),
        ("memory", Dump::from_bytes("summary", world.summary()).unwrap()),
    ]
}

#[test]
fn no_byte_of_a_page_of_filler_can_be_read() {
    for (name, dump) in dumps(&world()) {
        let cursor = dump.kernel_space().cursor();
        for (page, frame) in [(BASE + PAGE, FILLER), (LARGE + PAGE, IN_LARGE)] {
            for offset in (0..PAGE).step_by(7).chain([0xffc, 0xffe, 0xfff]) {
                let gva = Gva::new(page + offset);
                for len in [1, 2, 3, 4, 8, 0x30] {
                    let len = len.min((PAGE - offset) as usize);
                    let error = ReadError::Filler {
                        gva: Addr::new(gva, 8),
                        pfn: Pfn::new(frame),
                        what: FrameUse::Data,
                    };
                    assert_eq!(cursor.read(gva, &mut vec![0; len]), Err(error), "{name} {gva:?}");
                    assert_eq!(cursor.bytes(gva, len), Err(error), "{name} {gva:?}");
                }
                let (gpa, pfn) = (Gpa::new(frame * PAGE + offset), Pfn::new(frame));
                let source = FrameError::Filler { pfn };
                let error = PhysicalError::Frame { gpa, source };
                assert_eq!(dump.read_physical(gpa, &mut [0]), Err(error), "{name}");
                assert_eq!(dump.physical_bytes(gpa, 1), Err(error), "{name}");
            }
            let whereabouts = dump.kernel_space().whereabouts(Gva::new(page - 8), 16);
            assert_eq!(whereabouts.pieces.len(), 1);
            let gone = whereabouts.gone.unwrap();
            assert_eq!((gone.gva, gone.reason.id()), (Gva::new(page), "filler-page"));
            assert_eq!(gone.gpa, Some(Gpa::new(frame * PAGE)));
        }
    }
}

#[test]
fn a_read_stops_where_the_filler_begins() {
    for (name, dump) in dumps(&world()) {
        let cursor = dump.kernel_space().cursor();
        let mut buf = [0; 0x1100];
        let partial = cursor.read_partial(Gva::new(BASE + 0xf00), &mut buf);
        assert_eq!(partial.read, 0x100, "{name}");
        assert_eq!(buf[..0x100], common::pattern(ORDINARY)[0xf00..]);
        let error = partial.stopped.unwrap();
        assert_eq!((error.id(), error.gva()), ("filler-page", Gva::new(BASE + PAGE)));
        assert!(cursor.bytes(Gva::new(BASE + 0xf00), 0x1100).is_err());
        assert!(
            dump.read_physical(Gpa::new((FILLER + 1) * PAGE - 1), &mut [0; 2])
                .is_err()
        );
    }
}

/// The pattern in a part of a page, or another one, is memory like any other.
#[test]
fn a_page_with_the_pattern_in_a_part_of_it_is_data() {
    let world = world();
    for (name, dump) in dumps(&world) {
        let cursor = dump.kernel_space().cursor();
        for (number, frame) in ALMOST.into_iter().enumerate() {
            let page = BASE + (number as u64 + 2) * PAGE;
            let truth = &world.frames[&frame];
            for offset in (0..PAGE).step_by(13).chain([0, 4, 0xff8]) {
                let len = 8.min((PAGE - offset) as usize);
                let at = offset as usize;
                let read = cursor.bytes(Gva::new(page + offset), len).unwrap();
                assert_eq!(*read, truth[at..at + len], "{name} {frame:x} {offset:x}");
                let read = dump.physical_bytes(Gpa::new(frame * PAGE + offset), len).unwrap();
                assert_eq!(*read, truth[at..at + len], "{name} {frame:x} {offset:x}");
            }
            assert_eq!(*cursor.bytes(Gva::new(page), PAGE as usize).unwrap(), *truth);
            assert!(dump.kernel_space().whereabouts(Gva::new(page), 8).gone.is_none());
        }
    }
}

/// Through a table of filler nothing translates, by its name and not by what its entries seem to say.
#[test]
fn a_page_table_of_filler_is_missing() {
    for (depth, level) in [
        (0, Level::Pml4e),
        (1, Level::Pdpte),
        (2, Level::Pde),
        (3, Level::Pte),
    ] {
        let mut world = world();
        let table = world.entry_at(BASE, depth) / PAGE;
        world.frames.insert(table, WORD.repeat(PAGE as usize / 4));
        for (name, dump) in dumps(&world) {
            let gva = Gva::new(BASE);
            let error = ReadError::Filler {
                gva: Addr::new(gva, 8),
                pfn: Pfn::new(table),
                what: FrameUse::Table(level),
            };
            assert_eq!(dump.kernel_space().translate(gva).unwrap_err(), error, "{name}");
            assert_eq!(dump.kernel_space().cursor().u64(gva), Err(error), "{name}");
            let json = serde_json::to_value(error).unwrap();
            assert_eq!(json["id"], error.id());
        }
    }
}
