//! The formats: which frames a file holds and where, in every kind that can be read.
#![allow(missing_docs, clippy::cast_possible_truncation)]

mod common;

use std::path::Path;

use common::{PAGE, World, pattern, plain_summary};
use kdump::{Dump, FileOffset, FrameError, Gpa, OpenOptions, PageRun, Pfn};
use proptest::prelude::*;

/// Frames in clusters: the lowest possible, across a byte, a word and a block of the bitmap, and far away.
fn scattered() -> World {
    let mut world = World::new();
    for pfn in [
        0, 1, 7, 8, 9, 62, 63, 64, 65, 500, 511, 512, 513, 1023, 1024, 4000, 70_001,
    ] {
        world.add_frame(pfn);
    }
    world
}

fn on_disk(bytes: &[u8]) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    file
}

/// The same bytes through every byte source.
fn every_source(bytes: &[u8], check: impl Fn(&str, &Dump)) {
    let file = on_disk(bytes);
    check("mapped", &Dump::open(file.path()).unwrap());
    check(
        "reads",
        &Dump::open_with(file.path(), &OpenOptions::default().no_mmap(true)).unwrap(),
    );
    check("memory", &Dump::from_bytes("test", bytes.to_vec()).unwrap());
}

#[test]
fn every_page_of_every_kind_is_found() {
    let world = scattered();
    for (kind, bytes) in world.all_kinds() {
        every_source(&bytes, |source, dump| {
            let name = format!("{kind} by {source}");
            for (&pfn, content) in &world.frames {
                let mut page = vec![0; PAGE as usize];
                dump.read_physical(Gpa::new(pfn * PAGE), &mut page).unwrap();
                assert_eq!(&page, content, "{name}: frame {pfn:#x}");
                let offset = dump.frame(Pfn::new(pfn)).unwrap().0 as usize;
                assert_eq!(
                    &bytes[offset..offset + PAGE as usize],
                    content,
                    "{name}: frame {pfn:#x}"
                );
            }
            for absent in (0..70_100)
                .filter(|pfn| !world.frames.contains_key(pfn))
                .chain([1 << 40, u64::MAX])
            {
                let pfn = Pfn::new(absent);
                assert_eq!(dump.frame(pfn), Err(FrameError::NotInDump { pfn }), "{name}");
            }
            let runs: Vec<_> = dump.runs().map(|run| (run.base.u64(), run.count)).collect();
            assert_eq!(runs, world.runs(), "{name}");
            let coverage = dump.coverage();
            let pages = world.frames.len() as u64;
            assert_eq!(
                (coverage.claimed, coverage.present, coverage.missing),
                (pages, pages, 0),
                "{name}"
            );
            assert_eq!(dump.notes(), [], "{name}");
            assert_eq!(dump.file_len(), bytes.len() as u64);
        });
    }
}

#[test]
fn a_second_reading_of_summary_dumps_agrees() {
    let world = scattered();
    let bytes = world.summary();
    let plain = plain_summary(&bytes);
    assert_eq!(plain.len(), world.frames.len());
    let dump = Dump::from_bytes("test", bytes).unwrap();
    for pfn in 0..71_000 {
        let offset = dump.frame(Pfn::new(pfn)).ok().map(|offset| offset.0);
        assert_eq!(offset, plain.get(&pfn).copied(), "frame {pfn:#x}");
    }
}

#[test]
fn a_summary_dump_is_not_read_with_the_bitmap_dumps_header() {
    let world = scattered();
    let mut bytes = world.summary();
    bytes[0xf98] = 6;
    let error = Dump::from_bytes("test", bytes).unwrap_err();
    assert_eq!(error.id(), "bad-index", "{error}");
}

#[test]
fn pages_of_a_full_dump_follow_the_order_of_its_runs() {
    let world = scattered();
    let mut runs = world.runs();
    runs.reverse();
    let dump = Dump::from_bytes("test", world.full_in_order(&runs)).unwrap();
    for (&pfn, content) in &world.frames {
        let page = dump.physical_bytes(Gpa::new(pfn * PAGE), PAGE as usize).unwrap();
        assert_eq!(&*page, content, "frame {pfn:#x}");
    }
    let ascending: Vec<_> = dump.runs().map(|run| (run.base.u64(), run.count)).collect();
    assert_eq!(ascending, world.runs());
}

#[test]
fn the_most_runs_a_header_can_hold_are_read() {
    for (count, fits) in [(42, true), (43, true), (44, false)] {
        let mut world = World::with_root(0);
        (0..count).for_each(|n| world.add_frame(n * 2));
        // A 43rd run touches the context record: nothing of that is theirs.
        match Dump::from_bytes("test", world.full()) {
            Ok(dump) => {
                assert!(fits, "{count} runs");
                let last = Gpa::new((count - 1) * 2 * PAGE);
                assert_eq!(
                    &*dump.physical_bytes(last, PAGE as usize).unwrap(),
                    pattern((count - 1) * 2)
                );
            }
            Err(error) => assert!(!fits && error.id() == "bad-index", "{count} runs: {error}"),
        }
    }
}

#[test]
fn a_cut_file_gives_every_page_before_the_cut() {
    let world = scattered();
    for (kind, bytes) in world.all_kinds() {
        let whole = Dump::from_bytes("whole", bytes.clone()).unwrap();
        let first = world
            .frames
            .keys()
            .map(|&pfn| whole.frame(Pfn::new(pfn)).unwrap().0)
            .min()
            .unwrap();
        let pages = world.frames.len() as u64;
        for present in 0..=pages {
            for extra in [0, 1, PAGE - 1] {
                let len = first + present * PAGE + extra;
                if len > bytes.len() as u64 {
                    continue;
                }
                let dump = Dump::from_bytes("cut", bytes[..len as usize].to_vec()).unwrap();
                let coverage = dump.coverage();
                assert_eq!((coverage.claimed, coverage.present), (pages, present), "{kind}");
                assert_eq!(coverage.missing, pages - present, "{kind}");
                let truncated = dump.notes().iter().any(|note| note.id == "truncated");
                assert_eq!(truncated, present != pages, "{kind}: {:?}", dump.notes());
                for (&pfn, content) in &world.frames {
                    let FileOffset(offset) = whole.frame(Pfn::new(pfn)).unwrap();
                    match dump.physical_bytes(Gpa::new(pfn * PAGE), PAGE as usize) {
                        Ok(page) => assert!(offset + PAGE <= len && *page == content[..], "{kind} {pfn:#x}"),
                        Err(error) => {
                            assert!(offset + PAGE > len, "{kind} {pfn:#x}");
                            assert_eq!(error.id(), "out-of-file");
                            let pfn = Pfn::new(pfn);
                            assert_eq!(dump.frame(pfn), Err(FrameError::OutOfFile { pfn, offset }));
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn a_file_cut_in_its_header_or_index_is_refused() {
    let world = scattered();
    for (kind, bytes) in world.all_kinds() {
        let mut seen = Vec::new();
        let first_page = bytes.len() as u64 - world.frames.len() as u64 * PAGE;
        for len in (1..0x2000)
            .step_by(97)
            .chain(0x1ff0..0x2080)
            .chain((0x2080..bytes.len().min(0x5000)).step_by(61))
        {
            match Dump::from_bytes("cut", bytes[..len].to_vec()) {
                Ok(dump) => {
                    let behind_index = (len as u64).saturating_sub(first_page);
                    assert_eq!(dump.coverage().present, behind_index / PAGE, "{kind}");
                }
                Err(error) => seen.push((len, error.id())),
            }
        }
        for (len, id) in seen {
            let expected = match len {
                0..8 => "not-a-dump",
                8..0x2000 => "header-cut",
                _ => "index-cut",
            };
            assert_eq!(id, expected, "{kind} cut to {len:#x}");
        }
    }
}

#[test]
fn secondary_data_behind_the_pages_is_no_page() {
    let mut world = scattered();
    let pages = world.frames.len() as u64;
    world.patch_u64(0xfa0, 0x2000 + pages * PAGE + 0x1234);
    let mut bytes = world.full();
    let note = |dump: &Dump| dump.notes().iter().map(|note| note.id).collect::<Vec<_>>();
    assert_eq!(
        note(&Dump::from_bytes("without", bytes.clone()).unwrap()),
        ["secondary-data-cut"]
    );
    bytes.resize(bytes.len() + 0x1234, 0xee);
    let dump = Dump::from_bytes("with", bytes).unwrap();
    assert_eq!((dump.coverage().present, note(&dump)), (pages, vec![]));
}

/// A bitmap dump of `bits` without its pages: what is not there still has its place.
fn bare_bitmap(kind: u32, bits: &[bool]) -> Vec<u8> {
    let mut bytes = vec![0u8; bits.len().div_ceil(8)];
    // The last byte's unused bits belong to nobody and are set to prove it.
    if !bits.len().is_multiple_of(8) {
        *bytes.last_mut().unwrap() = 0xff << (bits.len() % 8);
    }
    for (n, _) in bits.iter().enumerate().filter(|(_, set)| **set) {
        bytes[n / 8] |= 1 << (n % 8);
    }
    let set = bits.iter().filter(|set| **set).count() as u64;
    let empty = World::with_root(0);
    let mut file = if kind == 2 {
        empty.summary()
    } else {
        empty.bitmap(kind, b"FDMP")
    };
    file.truncate(0x2000);
    let bits_at = if kind == 2 { 0x2028 } else { 0x2038 };
    let first_page = (bits_at + bytes.len()).next_multiple_of(PAGE as usize) as u64;
    file.resize(bits_at, 0);
    if kind == 2 {
        file[0x2000..0x2008].copy_from_slice(b"SDMPDUMP");
        for (offset, value) in [
            (0x200c, first_page),
            (0x2010, bits.len() as u64),
            (0x2014, set),
            (0x2018, bits.len() as u64),
        ] {
            file[offset..offset + 4].copy_from_slice(&(value as u32).to_le_bytes());
        }
    } else {
        file[0x2000..0x2008].copy_from_slice(b"FDMPDUMP");
        for (offset, value) in [(0x2020, first_page), (0x2028, set), (0x2030, bits.len() as u64)] {
            file[offset..offset + 8].copy_from_slice(&value.to_le_bytes());
        }
    }
    file.extend_from_slice(&bytes);
    file
}

/// Where a frame is or should be.
fn place(dump: &Dump, pfn: u64) -> Option<u64> {
    match dump.frame(Pfn::new(pfn)) {
        Ok(offset) => Some(offset.0),
        Err(FrameError::OutOfFile { offset, .. }) => Some(offset),
        Err(_) => None,
    }
}

fn check_against_naive_count(kind: u32, bits: &[bool]) {
    let file = bare_bitmap(kind, bits);
    let first_page = (file.len() as u64).next_multiple_of(PAGE);
    let dump = Dump::from_bytes("bare", file).unwrap();
    let mut rank = 0;
    let mut runs: Vec<PageRun> = Vec::new();
    for (pfn, &set) in bits.iter().enumerate() {
        let pfn = pfn as u64;
        assert_eq!(
            place(&dump, pfn),
            set.then_some(first_page + rank * PAGE),
            "bit {pfn} of {}",
            bits.len()
        );
        if set {
            rank += 1;
            match runs.last_mut() {
                Some(run) if run.base.u64() + run.count == pfn => run.count += 1,
                _ => runs.push(PageRun {
                    base: Pfn::new(pfn),
                    count: 1,
                }),
            }
        }
    }
    assert_eq!(place(&dump, bits.len() as u64), None);
    assert_eq!(dump.coverage().claimed, rank);
    assert_eq!(dump.runs().collect::<Vec<_>>(), runs);
    assert!(
        dump.notes().iter().all(|note| note.id == "truncated"),
        "{:?}",
        dump.notes()
    );
}

/// Bitmaps of clusters: stretches of set, clear and random bits.
fn clustered() -> impl Strategy<Value = Vec<bool>> {
    let stretch = prop_oneof![
        (0..900usize).prop_map(|n| vec![true; n]),
        (0..900usize).prop_map(|n| vec![false; n]),
        prop::collection::vec(any::<bool>(), 0..300),
    ];
    prop::collection::vec(stretch, 1..8)
        .prop_map(|stretches| stretches.concat())
        .prop_filter("a bit", |bits| bits.contains(&true))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn rank_agrees_with_a_naive_count(bits in clustered(), kind in prop::sample::select(vec![2u32, 5, 6])) {
        check_against_naive_count(kind, &bits);
    }
}

#[test]
fn a_bitmap_without_a_page_is_refused() {
    for len in [1, 8, 511, 513] {
        let error = Dump::from_bytes("bare", bare_bitmap(5, &vec![false; len])).unwrap_err();
        assert_eq!(error.id(), "bad-index", "{error}");
    }
}

#[test]
fn rank_agrees_at_the_edges_of_blocks() {
    for len in [1, 7, 8, 9, 63, 64, 65, 511, 512, 513, 1023, 1024, 1025] {
        check_against_naive_count(5, &vec![true; len]);
        check_against_naive_count(2, &(0..len).map(|n| n == len - 1).collect::<Vec<_>>());
    }
}

#[test]
fn rank_agrees_on_a_bitmap_of_several_reads() {
    // 8 GiB and a bit: 256 KiB of bitmap are one read, these are three.
    let bits: Vec<bool> = (0..5_000_003u64)
        .map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 62 != 0)
        .collect();
    let mut ranks = Vec::with_capacity(bits.len());
    let mut rank = 0u64;
    for &set in &bits {
        ranks.push(rank);
        rank += u64::from(set);
    }
    let file = bare_bitmap(5, &bits);
    let first_page = (file.len() as u64).next_multiple_of(PAGE);
    every_source(&file, |source, dump| {
        assert_eq!(dump.coverage().claimed, rank, "{source}");
        for pfn in (0..bits.len()).step_by(997).chain(bits.len() - 70..bits.len()) {
            let expected = bits[pfn].then_some(first_page + ranks[pfn] * PAGE);
            assert_eq!(place(dump, pfn as u64), expected, "{source}: bit {pfn}");
        }
    });
}

#[test]
fn dumps_are_shared_between_threads_without_locks() {
    fn is_send_and_sync<T: Send + Sync>() {}
    fn is_send<T: Send>() {}
    is_send_and_sync::<Dump>();
    is_send_and_sync::<kdump::AddressSpace<'_>>();
    is_send::<kdump::Cursor<'_>>();
}

/// What is in memory is borrowed. What is mapped is not: a file that is cut would take it away from whoever holds it.
#[test]
fn reads_inside_a_page_borrow_from_memory_alone() {
    let world = scattered();
    let file = on_disk(&world.full());
    let inside = |dump: &Dump| {
        let bytes = dump.physical_bytes(Gpa::new(PAGE + 8), 100).unwrap();
        assert_eq!(*bytes, pattern(1)[8..108]);
        matches!(bytes, std::borrow::Cow::Borrowed(_))
    };
    assert!(inside(&Dump::from_bytes("memory.dmp", world.full()).unwrap()));
    assert!(!inside(&Dump::open(file.path()).unwrap()));
    assert!(!inside(
        &Dump::open_with(file.path(), &OpenOptions::default().no_mmap(true)).unwrap()
    ));
    let dump = Dump::open(file.path()).unwrap();
    let across = dump.physical_bytes(Gpa::new(PAGE - 4), 8).unwrap();
    assert_eq!(*across, [&pattern(0)[0xffc..], &pattern(1)[..4]].concat());
    assert!(dump.physical_bytes(Gpa::new(2 * PAGE), 0).unwrap().is_empty());
    assert_eq!(dump.path(), Path::new(file.path()));
}
