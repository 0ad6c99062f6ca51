//! Range dumps (kinds 8, 9 and 0xa): every range where it is, and metadata that lies.
#![allow(missing_docs, clippy::cast_possible_truncation)]

mod common;

use std::collections::BTreeMap;

use common::{PAGE, World, plain_ranges};
use kdump::{Dump, FrameError, OpenOptions, Pfn};
use proptest::prelude::*;

const KINDS: [u32; 3] = [8, 9, 0xa];
const MARKER: usize = 0x2000;
const METADATA_SIZE: usize = 0x2010;
const FIRST_PAGE: usize = 0x2018;
const TOTAL: usize = 0x2028;
const ARRAY: usize = 0x2030;

/// Ranges alone, with no page behind them.
fn bare(kind: u32, ranges: &[(u64, u64)], total: u64) -> Vec<u8> {
    let mut file = World::with_root(0).ranges(kind);
    file.truncate(ARRAY);
    let bytes = |range: &(u64, u64)| [range.0.to_le_bytes(), range.1.to_le_bytes()].concat();
    file.extend(ranges.iter().flat_map(bytes));
    file.extend([0; 16]);
    let first_page = (file.len() as u64).next_multiple_of(PAGE);
    file.resize(first_page as usize, 0x11);
    put(&mut file, METADATA_SIZE, first_page - 0x2020);
    put(&mut file, FIRST_PAGE, first_page);
    if kind == 0xa {
        put(&mut file, TOTAL, total);
    }
    file
}

fn put(file: &mut [u8], at: usize, value: u64) {
    file[at..at + 8].copy_from_slice(&value.to_le_bytes());
}

fn open(bytes: Vec<u8>) -> Dump {
    Dump::from_bytes("ranges", bytes).unwrap()
}

/// Why a file does not open.
fn refused(bytes: Vec<u8>) -> (&'static str, String) {
    let error = Dump::from_bytes("ranges", bytes).unwrap_err();
    (error.id(), error.to_string())
}

/// Where every listed frame is or should be.
fn places(dump: &Dump) -> BTreeMap<u64, u64> {
    let frames = dump
        .runs()
        .flat_map(|run| run.base.u64()..run.base.u64() + run.count);
    frames.map(|pfn| (pfn, place(dump, pfn).unwrap())).collect()
}

fn place(dump: &Dump, pfn: u64) -> Option<u64> {
    match dump.frame(Pfn::new(pfn)) {
        Ok(offset) => Some(offset.0),
        Err(FrameError::OutOfFile { offset, .. }) => Some(offset),
        Err(_) => None,
    }
}

/// Gaps and counts as ascending ranges; a gap of zero makes two ranges touch.
fn ascending(steps: &[(u64, u64)]) -> Vec<(u64, u64)> {
    let mut next = 0;
    let place = |&(gap, count): &(u64, u64)| {
        let base = next + gap;
        next = base + count;
        (base, count)
    };
    steps.iter().map(place).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_second_reading_agrees(
        kind in prop::sample::select(&KINDS[..]),
        steps in prop::collection::vec((0..4u64, 1..5u64), 1..120),
        rotate in prop::option::of(0..120usize),
    ) {
        let mut ranges = ascending(&steps);
        // Windows writes ascending ranges; others are read all the same.
        let by = rotate.unwrap_or(0) % ranges.len();
        ranges.rotate_left(by);
        let pages = ranges.iter().map(|range| range.1).sum();
        let bytes = bare(kind, &ranges, pages);
        let plain = plain_ranges(&bytes);
        let dump = open(bytes);
        prop_assert_eq!(dump.coverage().claimed, pages);
        prop_assert_eq!(places(&dump), plain.clone());
        let last = plain.keys().next_back().copied().unwrap_or_default();
        for pfn in 0..last + 20 {
            prop_assert_eq!(place(&dump, pfn), plain.get(&pfn).copied(), "{:#x}", pfn);
        }
    }
}

#[test]
fn ranges_that_touch_are_one_run() {
    let ranges: Vec<_> = (0..100).map(|n| (0x50 + n, 1)).chain([(0x200, 2)]).collect();
    for kind in KINDS {
        let runs: Vec<_> = open(bare(kind, &ranges, 102))
            .runs()
            .map(|run| (run.base.u64(), run.count))
            .collect();
        assert_eq!(runs, [(0x50, 100), (0x200, 2)], "kind {kind:#x}");
    }
}

/// 400,000 ranges are 6 MiB of array: many reads, with samples on both sides of where they meet.
#[test]
fn arrays_of_many_reads_are_read_to_their_end() {
    let ranges: Vec<_> = (0..400_000u64).map(|n| (n * 3, 1 + n % 2)).collect();
    let pages: u64 = ranges.iter().map(|range| range.1).sum();
    for kind in KINDS {
        let bytes = bare(kind, &ranges, pages);
        let first_page = bytes.len() as u64;
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &bytes).unwrap();
        for no_mmap in [false, true] {
            let options = OpenOptions::default().no_mmap(no_mmap);
            let dump = Dump::open_with(file.path(), &options).unwrap();
            assert_eq!(dump.coverage().claimed, pages);
            for n in (0..400_000u64)
                .step_by(1009)
                .chain([16_383, 16_384, 16_385, 399_999])
            {
                // Two ranges hold three pages.
                let offset = first_page + (n / 2 * 3 + n % 2) * PAGE;
                assert_eq!(place(&dump, n * 3), Some(offset), "kind {kind:#x}, range {n}");
                let second = (n % 2 == 1).then_some(offset + PAGE);
                assert_eq!(place(&dump, n * 3 + 1), second, "kind {kind:#x}, range {n}");
                assert_eq!(place(&dump, n * 3 + 2), None, "kind {kind:#x}, range {n}");
            }
        }
    }
}

#[test]
fn the_array_ends_at_its_count_of_zero_or_at_its_total() {
    let ranges = [(0, 2), (7, 3), (0x40, 1)];
    for kind in [8, 9] {
        let mut bytes = bare(kind, &ranges, 0);
        assert_eq!(open(bytes.clone()).coverage().claimed, 6);
        put(&mut bytes, ARRAY + 24, 0);
        assert_eq!(open(bytes).coverage().claimed, 2);
    }
    // What is behind the total is not looked at.
    let mut bytes = bare(0xa, &ranges, 5);
    put(&mut bytes, ARRAY + 40, u64::MAX);
    assert_eq!(open(bytes).coverage().claimed, 5);
}

#[test]
fn a_total_that_differs_is_told() {
    let dump = open(bare(0xa, &[(1, 4)], 5));
    assert_eq!(dump.coverage().claimed, 4);
    assert!(dump.notes().iter().any(|note| note.id == "page-count-differs"));
    for total in [0, 1, 3] {
        let (id, text) = refused(bare(0xa, &[(1, 4)], total));
        assert_eq!(id, "bad-index", "{total}: {text}");
    }
}

#[test]
fn metadata_that_cannot_be_is_refused() {
    let good = |kind| bare(kind, &[(1, 2), (9, 4)], 6);
    for kind in KINDS {
        for (offset, value) in [
            (MARKER, 0x504d_4452_0000_0041),
            (MARKER, 0x504d_4453_0000_0040),
            (MARKER + 4, 0x504d_5545_504d_4452),
            (METADATA_SIZE, 0),
            (METADATA_SIZE, u64::MAX),
            (METADATA_SIZE, 0xff0),
            (FIRST_PAGE, 0),
            (FIRST_PAGE, 0x2000),
            (FIRST_PAGE, u64::MAX),
            (ARRAY, u64::MAX),
            (ARRAY, 1 << 40),
            (ARRAY + 8, 1 << 40),
            (ARRAY + 8, u64::MAX),
            (ARRAY + 8, 0),
            // Overlaps.
            (ARRAY + 16, 2),
            (ARRAY + 16, 0),
        ] {
            let mut bytes = good(kind);
            put(&mut bytes, offset, value);
            let (id, text) = refused(bytes);
            assert_eq!(
                id, "bad-index",
                "kind {kind:#x}, {value:#x} at {offset:#x}: {text}"
            );
        }
        // No room for a single range, and for one more than there are.
        for metadata in [0, 0x10, 0x1f] {
            let mut bytes = good(kind);
            put(&mut bytes, METADATA_SIZE, metadata);
            put(&mut bytes, FIRST_PAGE, metadata + 0x2020);
            assert_eq!(refused(bytes).0, "bad-index", "kind {kind:#x}, {metadata:#x}");
        }
    }
}

#[test]
fn metadata_beyond_the_file_is_cut_off_and_costs_nothing() {
    for kind in KINDS {
        for metadata in [1 << 20, 1 << 40, u64::MAX - 0x2020] {
            // Ranges up to the end of the file, and nothing that ends them.
            let mut bytes = bare(kind, &vec![(0, 1); 0xfd / 16], 1 << 39);
            for (n, at) in (ARRAY..bytes.len()).step_by(16).enumerate() {
                put(&mut bytes, at, n as u64 * 2);
                put(&mut bytes, at + 8, 1);
            }
            put(&mut bytes, METADATA_SIZE, metadata);
            put(&mut bytes, FIRST_PAGE, metadata + 0x2020);
            let (id, text) = refused(bytes);
            assert_eq!(id, "index-cut", "kind {kind:#x}, {metadata:#x}: {text}");
            // A list that ends inside the file is whole, however far away the pages would be.
            let mut bytes = bare(kind, &[(3, 1)], 1);
            put(&mut bytes, METADATA_SIZE, metadata);
            put(&mut bytes, FIRST_PAGE, metadata + 0x2020);
            let coverage = open(bytes).coverage();
            assert_eq!((coverage.claimed, coverage.present), (1, 0));
        }
    }
}

#[test]
fn a_range_of_2_to_the_40_pages_opens_as_a_truncated_dump() {
    for kind in KINDS {
        let dump = open(bare(kind, &[(0, 1 << 40)], 1 << 40));
        assert_eq!((dump.coverage().claimed, dump.coverage().present), (1 << 40, 0));
        assert_eq!(dump.runs().count(), 1);
        assert!(dump.notes().iter().any(|note| note.id == "truncated"));
    }
}

#[test]
fn a_million_ranges_in_no_order_are_refused_not_sorted() {
    let ranges: Vec<_> = (0..(1u64 << 20) + 1).rev().map(|n| (n * 2, 1)).collect();
    let (id, text) = refused(bare(8, &ranges, 0));
    assert_eq!(id, "bad-index");
    assert!(text.contains("do not ascend"), "{text}");
}

/// Ranges are checked many at once: whatever is off with one of them is seen at every place among the others.
#[test]
fn one_odd_range_is_found_wherever_it_is() {
    let good: Vec<_> = (0..130u64).map(|n| (0x100 + n * 4, 3)).collect();
    for kind in KINDS {
        for at in 0..good.len() {
            let with = |odd: (u64, u64)| {
                let mut ranges = good.clone();
                ranges[at] = odd;
                ranges
            };
            let (base, count) = good[at];
            for odd in [
                (base, 1 << 40),
                (base, u64::MAX),
                (1 << 40, 3),
                (u64::MAX - 2, 3),
                (u64::MAX, 1),
            ] {
                let (id, text) = refused(bare(kind, &with(odd), 390));
                assert_eq!(id, "bad-index", "kind {kind:#x}, {odd:x?} at {at}: {text}");
                assert!(text.contains(&format!("at frame {:#x}", odd.0)), "{text}");
            }
            // Overlaps the next one, or the one before.
            let overlap = if at + 1 < good.len() {
                (base, 5)
            } else {
                (base - 2, 3)
            };
            let (id, text) = refused(bare(kind, &with(overlap), 1000));
            assert_eq!(id, "bad-index", "kind {kind:#x}, at {at}: {text}");
            assert!(text.contains("overlaps"), "{text}");
            // Out of order, but of no other's frames.
            let moved = with((at as u64 * 4 % 0x80, count));
            let bytes = bare(kind, &moved, 390);
            assert_eq!(places(&open(bytes.clone())), plain_ranges(&bytes), "at {at}");
            // The end of the array, before its room's.
            let ended = if kind == 0xa {
                bare(kind, &good, at as u64 * 3 + 3)
            } else {
                bare(kind, &with((0, 0)), 0)
            };
            let pages = if kind == 0xa { at + 1 } else { at } as u64 * 3;
            if pages == 0 {
                assert_eq!(refused(ended).0, "bad-index");
            } else {
                assert_eq!(open(ended).coverage().claimed, pages, "kind {kind:#x}, at {at}");
            }
        }
    }
    // Up to the last frame that there can be.
    let mut last = good.clone();
    last[129] = ((1 << 40) - 2, 2);
    assert_eq!(open(bare(8, &last, 0)).coverage().claimed, 389);
}
