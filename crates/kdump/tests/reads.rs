//! Reads: across pages, with holes, by every byte source, against a model that knows each byte.
#![allow(missing_docs, clippy::cast_possible_truncation)]

mod common;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use common::{PAGE, World};
use kdump::{Addr, Dump, Gpa, Gva, MAX_BYTES, OpenOptions, PhysicalError, ReadError};
use proptest::prelude::*;

const SMALL: u64 = 0xffff_f880_0000_0000;
const LARGE: u64 = 0xffff_f800_0020_0000;
const HUGE: u64 = 0xffff_fa80_4000_0000;

/// A world in which neighbours in virtual memory are apart in physical memory and in the file, and what each
/// of its virtual pages should read as.
struct Model {
    world: World,
    pages: BTreeMap<u64, u64>,
    dumps: Vec<(&'static str, Dump)>,
}

static MODEL: LazyLock<Model> = LazyLock::new(|| {
    let mut world = World::new();
    let mut pages = BTreeMap::new();
    // 24 small pages on frames that go down, two of them not mapped, two not in the dump.
    for n in 0..24 {
        let (gva, pfn) = (SMALL + n * PAGE, 0x900 - n * 3);
        if n != 9 && n != 17 {
            world.map_4k(gva, pfn);
        }
        if n != 12 && n != 20 {
            world.add_frame(pfn);
        }
        if ![9, 17, 12, 20].contains(&n) {
            pages.insert(gva, pfn);
        }
    }
    // Two large pages whose frames are all there but one, the second below the first.
    for (gva, base) in [(LARGE, 0x1600), (LARGE + 0x20_0000, 0x1200)] {
        world.map_2m(gva, base);
        for n in (0..512).filter(|&n| base + n != 0x1700) {
            world.add_frame(base + n);
            pages.insert(gva + n * PAGE, base + n);
        }
    }
    // A huge page with a few frames in its middle, then small pages behind it.
    world.map_1g(HUGE, 0x4_0000);
    for n in (0x200..0x240).filter(|n| n % 16 != 15).chain([0x3_ffff]) {
        world.add_frame(0x4_0000 + n);
        pages.insert(HUGE + n * PAGE, 0x4_0000 + n);
    }
    world.map_4k(HUGE + 0x4000_0000, 0x5000);
    world.add_frame(0x5000);
    pages.insert(HUGE + 0x4000_0000, 0x5000);

    // Too many runs for a complete dump's header: a bitmap.
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), world.bitmap(6, b"SDMP")).unwrap();
    let dumps = vec![
        ("mapped", Dump::open(file.path()).unwrap()),
        (
            "reads",
            Dump::open_with(file.path(), &OpenOptions::default().no_mmap(true)).unwrap(),
        ),
        ("memory", Dump::from_bytes("summary", world.summary()).unwrap()),
    ];
    Model { world, pages, dumps }
});

impl Model {
    /// The bytes that can be read from `gva` on, as far as there is no gap.
    fn expect(&self, gva: u64, len: usize) -> Vec<u8> {
        self.collect(gva, len, |page| self.pages.get(&(page * PAGE)).copied())
    }

    fn expect_physical(&self, gpa: u64, len: usize) -> Vec<u8> {
        self.collect(gpa, len, |page| {
            self.world.frames.contains_key(&page).then_some(page)
        })
    }

    /// Whole pages in order, up to the first that `frame_of` has none for, cut to what was asked for.
    fn collect(&self, at: u64, len: usize, frame_of: impl Fn(u64) -> Option<u64>) -> Vec<u8> {
        let pages = at / PAGE..=(at + len as u64) / PAGE;
        let whole: Vec<u8> = pages
            .map_while(|page| Some(&self.world.frames[&frame_of(page)?]))
            .flatten()
            .copied()
            .collect();
        whole.into_iter().skip((at % PAGE) as usize).take(len).collect()
    }
}

/// Addresses in and around what is mapped, lengths up to five pages.
fn place() -> impl Strategy<Value = (u64, usize)> {
    let start = prop_oneof![
        SMALL..SMALL + 24 * PAGE,
        LARGE..LARGE + 0x40_0000,
        LARGE + 0xf_e000..LARGE + 0x10_2000,
        LARGE + 0x1f_e000..LARGE + 0x20_2000,
        HUGE + 0x200 * PAGE..HUGE + 0x240 * PAGE,
        HUGE + 0x3fff_e000..HUGE + 0x4000_1000,
    ];
    (start, prop_oneof![0..64usize, 0..5 * PAGE as usize])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn virtual_reads_give_every_byte_up_to_the_first_gap(places in prop::collection::vec(place(), 1..8)) {
        for (name, dump) in &MODEL.dumps {
            // One cursor for several reads: what it remembers must not show.
            let cursor = dump.kernel_space().cursor();
            for &(gva, len) in &places {
                let expected = MODEL.expect(gva, len);
                let mut buf = vec![0; len];
                let partial = cursor.read_partial(Gva::new(gva), &mut buf);
                prop_assert_eq!(partial.read, expected.len(), "{} {:#x}+{:#x}", name, gva, len);
                prop_assert!(buf[..partial.read] == expected[..], "{} {:#x}+{:#x}", name, gva, len);
                match (partial.stopped, cursor.bytes(Gva::new(gva), len)) {
                    (None, Ok(bytes)) => {
                        prop_assert!(*bytes == expected[..]);
                        cursor.read(Gva::new(gva), &mut buf).unwrap();
                        prop_assert!(buf == expected);
                    }
                    (Some(stopped), Err(error)) => {
                        prop_assert_eq!(stopped, error);
                        prop_assert_eq!(error.gva(), Gva::new(gva + expected.len() as u64));
                        prop_assert_eq!(cursor.read(Gva::new(gva), &mut buf), Err(error));
                    }
                    (stopped, bytes) => prop_assert!(false, "{:?} but {:?}", stopped, bytes.map(|b| b.len())),
                }
            }
        }
    }

    #[test]
    fn physical_reads_give_every_byte_or_say_where_the_gap_is(
        gpa in prop_oneof![0x8a0 * PAGE..0x910 * PAGE, 0x11ff * PAGE..0x1802 * PAGE, 0x4_0200 * PAGE..0x4_0240 * PAGE],
        len in 0..5 * PAGE as usize,
    ) {
        for (name, dump) in &MODEL.dumps {
            let expected = MODEL.expect_physical(gpa, len);
            let mut buf = vec![0; len];
            match dump.read_physical(Gpa::new(gpa), &mut buf) {
                Ok(()) => prop_assert!(buf == expected, "{} {:#x}+{:#x}", name, gpa, len),
                Err(PhysicalError::Frame { gpa: at, .. }) => {
                    prop_assert_eq!(at, Gpa::new(gpa + expected.len() as u64));
                    prop_assert!(expected.len() < len);
                }
                Err(error) => prop_assert!(false, "{}", error),
            }
            let bytes = dump.physical_bytes(Gpa::new(gpa), len);
            prop_assert_eq!(bytes.is_ok(), expected.len() == len);
            prop_assert!(bytes.is_err() || *bytes.unwrap() == expected[..]);
        }
    }
}

/// The pieces of a read are those of the frames, in physical memory and in the file.
#[test]
fn whereabouts_are_one_piece_a_page() {
    let file = MODEL.world.summary();
    let (_, dump) = &MODEL.dumps[2];
    let space = dump.kernel_space();
    for (gva, len) in [
        (SMALL + 8, 8),
        (SMALL + PAGE - 3, 8),
        (SMALL + PAGE - 1, 2 * PAGE as usize),
        (LARGE + 0x1f_fff0, 0x20),
        (HUGE + 0x3fff_fff8, 16),
    ] {
        let found = space.whereabouts(Gva::new(gva), len);
        assert_eq!(found.gone, None);
        let mut bytes: Vec<u8> = Vec::new();
        let mut at = gva;
        for piece in &found.pieces {
            let frame = MODEL.pages[&(at / PAGE * PAGE)];
            assert_eq!(piece.gva, Gva::new(at));
            assert_eq!(piece.gpa, Some(Gpa::new(frame * PAGE + at % PAGE)));
            let start = piece.offset.unwrap().0 as usize;
            bytes.extend(&file[start..start + piece.len as usize]);
            at += piece.len;
            assert!(
                at == gva + len as u64 || at % PAGE == 0,
                "a piece ends with its page"
            );
        }
        assert_eq!(bytes, MODEL.expect(gva, len), "{gva:#x}");
    }
}

#[test]
fn whereabouts_end_where_a_read_does_and_say_why() {
    let (_, dump) = &MODEL.dumps[2];
    let space = dump.kernel_space();
    // A page that is mapped and not in the dump: its place in physical memory is known.
    let at = SMALL + 12 * PAGE - 2;
    let found = space.whereabouts(Gva::new(at), 6);
    assert_eq!(
        found.pieces.iter().map(|piece| piece.len).collect::<Vec<_>>(),
        [2]
    );
    let gone = found.gone.unwrap();
    assert_eq!(
        (gone.gva, gone.gpa),
        (Gva::new(at + 2), Some(Gpa::new((0x900 - 12 * 3) * PAGE)))
    );
    assert!(matches!(gone.reason, ReadError::NotInDump { .. }), "{gone:?}");
    // One that is not mapped.
    let gone = space.whereabouts(Gva::new(SMALL + 9 * PAGE), 4).gone.unwrap();
    assert_eq!(gone.gpa, None);
    assert!(matches!(gone.reason, ReadError::NotPresent { .. }), "{gone:?}");
    let gone = space.whereabouts(Gva::new(u64::MAX - 1), 4).gone.unwrap();
    assert!(
        matches!(
            gone.reason,
            ReadError::Wraps { .. } | ReadError::NotPresent { .. }
        ),
        "{gone:?}"
    );
    let empty = space.whereabouts(Gva::new(0x1234_5678_9abc_def0), 0);
    assert!(empty.pieces.is_empty() && empty.gone.is_none());
}

#[test]
fn integers_are_little_endian_and_may_lie_across_pages() {
    for (name, dump) in &MODEL.dumps {
        let cursor = dump.kernel_space().cursor();
        for at in [
            SMALL,
            SMALL + 3,
            SMALL + PAGE - 1,
            SMALL + PAGE - 4,
            SMALL + PAGE - 7,
        ] {
            let gva = Gva::new(at);
            let bytes: [u8; 8] = MODEL.expect(at, 8).try_into().unwrap();
            let value = u64::from_le_bytes(bytes);
            assert_eq!(cursor.u64(gva), Ok(value), "{name}");
            assert_eq!(cursor.pointer(gva), Ok(Gva::new(value)));
            assert_eq!(cursor.u32(gva), Ok(value as u32));
            assert_eq!(cursor.u16(gva), Ok(value as u16));
            assert_eq!(cursor.u8(gva), Ok(value as u8));
            for (size, expected) in [
                (1, value & 0xff),
                (2, value & 0xffff),
                (4, value & 0xffff_ffff),
                (8, value),
            ] {
                assert_eq!(cursor.uint(gva, size), Ok(expected));
            }
            for size in [0, 3, 16, u32::MAX] {
                assert_eq!(
                    cursor.uint(gva, size),
                    Err(ReadError::BadSize {
                        gva: Addr::new(gva, 8),
                        size
                    })
                );
            }
        }
    }
}

#[test]
fn a_read_inside_a_page_borrows_from_memory_and_no_other_does() {
    for (name, dump) in &MODEL.dumps {
        let cursor = dump.kernel_space().cursor();
        let borrows = |gva: u64, len: usize| {
            matches!(
                cursor.bytes(Gva::new(gva), len).unwrap(),
                std::borrow::Cow::Borrowed(_)
            )
        };
        assert_eq!(borrows(SMALL + 8, 64), *name == "memory", "{name}");
        assert_eq!(borrows(SMALL, PAGE as usize), *name == "memory", "{name}");
        assert!(!borrows(SMALL + PAGE - 4, 8), "{name}");
    }
}

#[test]
fn threads_read_one_dump_each_with_its_own_cursor() {
    for (name, dump) in &MODEL.dumps {
        std::thread::scope(|scope| {
            for start in 0..4 {
                scope.spawn(move || {
                    let cursor = dump.kernel_space().cursor();
                    for n in 0..500 {
                        let gva = LARGE + (start * 131 + n * 17) % 0x100 * PAGE + 8 * start;
                        let bytes = cursor.bytes(Gva::new(gva), 16).unwrap();
                        assert_eq!(*bytes, MODEL.expect(gva, 16), "{name} {gva:#x}");
                    }
                });
            }
        });
    }
}

#[test]
fn lengths_out_of_a_dump_cost_nothing() {
    let cursor = MODEL.dumps[0].1.kernel_space().cursor();
    let (gva, len) = (Gva::new(SMALL), MAX_BYTES + 1);
    assert_eq!(
        cursor.bytes(gva, len),
        Err(ReadError::TooLong {
            gva: Addr::new(gva, 8),
            len
        })
    );
    assert_eq!(cursor.bytes(gva, usize::MAX).unwrap_err().id(), "too-long");
    assert_eq!(cursor.bytes(gva, MAX_BYTES).unwrap_err().id(), "not-present");
    assert!(
        cursor.bytes(Gva::new(0), 0).unwrap().is_empty(),
        "nothing is asked for"
    );
    let dump = &MODEL.dumps[0].1;
    assert_eq!(
        dump.physical_bytes(Gpa::new(0), len).unwrap_err().id(),
        "too-long"
    );
    assert_eq!(
        dump.read_physical(Gpa::new(u64::MAX), &mut [0; 2])
            .unwrap_err()
            .id(),
        "address-wraps"
    );
    assert_eq!(
        dump.read_physical(Gpa::new(u64::MAX - 8), &mut [0; 2])
            .unwrap_err()
            .id(),
        "not-in-dump"
    );
}

#[test]
fn a_read_past_the_last_address_stops_there() {
    let mut world = World::new();
    let last = 0xffff_ffff_ffff_f000;
    world.map_4k(last, 0x40);
    world.add_frame(0x40);
    let dump = Dump::from_bytes("last", world.full()).unwrap();
    let cursor = dump.kernel_space().cursor();
    assert_eq!(
        cursor.bytes(Gva::new(last), PAGE as usize).unwrap(),
        common::pattern(0x40)
    );
    let mut buf = [0; 32];
    let gva = Gva::new(u64::MAX - 7);
    let partial = cursor.read_partial(gva, &mut buf);
    assert_eq!(
        (partial.read, partial.stopped),
        (
            8,
            Some(ReadError::Wraps {
                gva: Addr::new(gva, 8),
                len: 32
            })
        )
    );
    assert_eq!(
        cursor.bytes(gva, 32),
        Err(ReadError::Wraps {
            gva: Addr::new(gva, 8),
            len: 32
        })
    );
    assert!(cursor.unicode_string(gva).is_err());
}

/// A `_UNICODE_STRING` at the start of a page of its own, and its text where `buffer` says.
fn string_world(length: u16, maximum: u16, buffer: u64, text: &[u16]) -> Dump {
    let mut world = World::new();
    let mut structure = [length.to_le_bytes(), maximum.to_le_bytes(), [0xaa; 2], [0xaa; 2]].concat();
    structure.extend_from_slice(&buffer.to_le_bytes());
    world.place(0xffff_8000_0000_0000, 0x300, &structure);
    let units: Vec<u8> = text.iter().flat_map(|unit| unit.to_le_bytes()).collect();
    if !units.is_empty() {
        world.place(buffer, 0x400, &units);
    }
    Dump::from_bytes("string", world.full()).unwrap()
}

fn string(dump: &Dump) -> kdump::UnicodeString {
    dump.kernel_space()
        .cursor()
        .unicode_string(Gva::new(0xffff_8000_0000_0000))
        .unwrap()
}

#[test]
fn strings_keep_every_unit_that_can_be_read() {
    let buffer = 0xffff_9000_0000_0ff8;
    let text: Vec<u16> = "RpcSs\0\u{1b}\u{202e}"
        .encode_utf16()
        .chain([0xd800, u16::from(b'x')])
        .collect();
    let whole = string(&string_world(text.len() as u16 * 2, 64, buffer, &text));
    assert_eq!(
        (whole.units.as_slice(), whole.stopped, whole.is_well_formed()),
        (&text[..], None, true)
    );
    assert_eq!(
        whole.to_string_lossy(),
        "RpcSs\0\u{1b}\u{202e}\u{fffd}x",
        "what is not UTF-16 loses itself alone"
    );
    assert_eq!(
        (whole.length, whole.maximum_length, whole.buffer),
        (20, 64, Gva::new(buffer))
    );

    let odd = string(&string_world(5, 64, buffer, &text));
    assert_eq!(
        (odd.to_string_lossy().as_str(), odd.is_well_formed(), odd.stopped),
        ("Rp", false, None)
    );

    // Four units and a byte, which is behind a hole: all units are there.
    let odd_at_a_hole = string(&string_world(9, 64, buffer, &text[..4]));
    assert_eq!(
        (odd_at_a_hole.to_string_lossy().as_str(), odd_at_a_hole.stopped),
        ("RpcS", None)
    );

    let longer_than_its_maximum = string(&string_world(10, 4, buffer, &text));
    assert_eq!(longer_than_its_maximum.to_string_lossy(), "RpcSs");
    assert!(!longer_than_its_maximum.is_well_formed());

    let empty = string(&string_world(0, 0, 0, &[]));
    assert_eq!(
        (empty.units.len(), empty.stopped, empty.is_well_formed()),
        (0, None, true)
    );
}

#[test]
fn strings_whose_text_is_not_all_there_say_so() {
    let buffer = 0xffff_9000_0000_0ff8;
    let cut = string(&string_world(40, 40, buffer, &[0x41; 4]));
    assert_eq!(cut.to_string_lossy(), "AAAA");
    assert_eq!(cut.stopped.unwrap().gva(), Gva::new(0xffff_9000_0000_1000));
    // A unit whose second byte is missing is not a unit.
    let halved = string(&string_world(40, 40, buffer + 1, &[0x41; 3]));
    assert_eq!(
        (halved.units.len(), halved.stopped.unwrap().gva()),
        (3, Gva::new(0xffff_9000_0000_1000))
    );
    let longest = string(&string_world(0xffff, 0xffff, buffer, &[0x41; 4]));
    assert_eq!((longest.units.len(), longest.is_well_formed()), (4, false));
    let nowhere = string(&string_world(8, 8, 0x1_0000_0000_0000, &[]));
    assert_eq!(
        (nowhere.units.len(), nowhere.stopped.unwrap().id()),
        (0, "non-canonical")
    );
}
