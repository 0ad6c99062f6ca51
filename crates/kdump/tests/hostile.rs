//! What is not a dump, and headers that lie.
#![allow(missing_docs, clippy::cast_possible_truncation)]

mod common;

use common::{PAGE, World};
use kdump::{Dump, FrameError, Gpa, Gva, Machine, OpenError, OpenOptions, Pfn, kernel_image};

fn refuse(bytes: Vec<u8>) -> OpenError {
    Dump::from_bytes("some.dmp", bytes).unwrap_err()
}

fn small() -> World {
    let mut world = World::new();
    world.add_frame(1);
    world
}

#[test]
fn paths_that_are_no_files_are_named() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(Dump::open(folder.path()).unwrap_err().id(), "folder");
    assert_eq!(
        Dump::open(&folder.path().join("none.dmp")).unwrap_err().id(),
        "not-found"
    );
    let empty = folder.path().join("empty.dmp");
    std::fs::write(&empty, b"").unwrap();
    assert_eq!(Dump::open(&empty).unwrap_err().id(), "empty-file");
    assert_eq!(refuse(Vec::new()).id(), "empty-file");
    #[cfg(unix)]
    assert_eq!(Dump::open("/dev/null".as_ref()).unwrap_err().id(), "not-a-file");
}

#[test]
fn kinds_and_machines_that_are_not_supported_are_named() {
    for (kind, name) in [(7, "unknown kind (kind 0x7)"), (0x4547_4150, "unknown kind")] {
        let mut world = small();
        world.patch_u32(0xf98, kind);
        let error = refuse(world.full());
        assert!(matches!(&error, OpenError::UnsupportedKind { kind: found, .. } if found.raw() == kind));
        assert!(error.to_string().contains(name), "{error}");
    }
    for (machine, name) in [
        (0x1c4, "machine type 0x1c4"),
        (0x14c, "x86"),
        (0x200, "machine type 0x200"),
    ] {
        let mut world = small();
        world.patch_u32(0x30, machine);
        let error = refuse(world.bitmap(5, b"FDMP"));
        assert_eq!(error.id(), "unsupported-machine");
        assert!(error.to_string().contains(name), "{error}");
    }
}

#[test]
fn of_dumps_whose_data_is_not_known_the_header_is_read() {
    let mut bytes: Vec<u8> = b"PAGE".iter().copied().cycle().take(0x1000).collect();
    bytes[4..8].copy_from_slice(b"DUMP");
    bytes[0x20..0x24].copy_from_slice(&0x14cu32.to_le_bytes());
    // PsLoadedModuleList.
    bytes[0x18..0x1c].copy_from_slice(&0x819a_2d80u32.to_le_bytes());
    let mut wide = small();
    wide.patch_u32(0xf98, 3);
    let mut files = vec![wide.full()];
    for kind in [3u32, 4, 8, 9, 0xa] {
        bytes[0xf88..0xf8c].copy_from_slice(&kind.to_le_bytes());
        files.push(bytes.clone());
    }
    for file in files {
        let dump = Dump::from_bytes("header", file).unwrap();
        let header = dump.header();
        let note = &dump.notes()[0];
        assert_eq!(note.id, "header-only");
        let name = format!("{} of {}", header.kind, header.machine);
        assert!(note.text.contains(&name), "{}", note.text);
        let error = dump
            .kernel_space()
            .cursor()
            .u8(Gva::new(0x8000_0000))
            .unwrap_err();
        assert_eq!((error.id(), error.gva()), ("header-only", Gva::new(0x8000_0000)));
        assert_eq!((dump.coverage().claimed, dump.runs().count()), (0, 0));
        if header.machine == Machine::I386 {
            assert_eq!(
                kernel_image(&dump).unwrap_err().to_string(),
                "the kernel's image cannot be found: of this kind of dump only the header can be read"
            );
        }
    }
    bytes[0x20..0x24].copy_from_slice(&0x8664u32.to_le_bytes());
    assert_eq!(refuse(bytes.clone()).id(), "unsupported-machine");
    bytes.truncate(0xfff);
    assert_eq!(refuse(bytes).id(), "header-cut");
}

#[test]
fn a_run_of_2_to_the_40_pages_in_8_kib_opens_as_a_truncated_dump() {
    for runs in [vec![(0, 1 << 40)], vec![(1, (1 << 40) - 1)]] {
        let bytes = World::new().full_claiming(&runs, 0);
        let dump = Dump::from_bytes("claims", bytes).unwrap();
        assert_eq!((dump.coverage().claimed, dump.coverage().present), (runs[0].1, 0));
        assert!(dump.notes().iter().any(|note| note.id == "truncated"));
        let pfn = Pfn::new(0xff_ffff_ffff);
        assert!(matches!(dump.frame(pfn), Err(FrameError::OutOfFile { .. })));
        assert_eq!(dump.runs().count(), 1);
    }
}

#[test]
fn runs_that_overflow_or_overlap_are_refused() {
    for runs in [
        vec![(0, u64::MAX)],
        vec![(u64::MAX, 1)],
        vec![(u64::MAX - 1, u64::MAX)],
        vec![(1, 1 << 40)],
        vec![(1, 5), (3, 1)],
        vec![(3, 1), (1, 5)],
        vec![(9, 1), (9, 1)],
        vec![(5, 0)],
        vec![],
    ] {
        let error = refuse(World::new().full_claiming(&runs, 8));
        assert_eq!(error.id(), "bad-index", "{runs:?}: {error}");
    }
}

#[test]
fn a_count_of_runs_beyond_the_header_is_refused() {
    for count in [44, 1000, u32::MAX] {
        let mut world = small();
        world.patch_u32(0x88, count);
        assert_eq!(refuse(world.full()).id(), "bad-index");
        // Dumps with an index of their own do not need the header's.
        let dump = Dump::from_bytes("bitmap", world.bitmap(5, b"FDMP")).unwrap();
        assert_eq!(dump.header().physical_runs, []);
        assert!(dump.notes().iter().any(|note| note.id == "no-physical-runs"));
    }
    let mut unwritten = small();
    unwritten.patch(0x88, b"PAGE");
    assert_eq!(refuse(unwritten.full()).id(), "bad-index");
}

/// A bitmap dump with one field of the bitmap's header overwritten.
fn with_field(kind: u32, offset: usize, value: u64) -> Vec<u8> {
    let mut bytes = if kind == 2 {
        small().summary()
    } else {
        small().bitmap(kind, b"FDMP")
    };
    let width = if kind == 2 { 4 } else { 8 };
    bytes[offset..offset + width].copy_from_slice(&value.to_le_bytes()[..width]);
    bytes
}

#[test]
fn bitmaps_that_cannot_be_are_refused() {
    for (kind, offset, value, id) in [
        // BitmapSize: none, more than the file, more than memory can be, wrapping.
        (5, 0x2030, 0, "bad-index"),
        (5, 0x2030, 0x4_0000, "bad-index"),
        (5, 0x2030, 1 << 40, "bad-index"),
        (5, 0x2030, u64::MAX, "bad-index"),
        (2, 0x2010, 0, "bad-index"),
        (2, 0x2010, 0xffff_ffff, "bad-index"),
        // HeaderSize: in the dump header, in the bitmap's header, in the bitmap.
        (5, 0x2020, 0, "bad-index"),
        (5, 0x2020, 0x1000, "bad-index"),
        (5, 0x2020, 0x2038, "bad-index"),
        (2, 0x200c, 0x2027, "bad-index"),
        (2, 0x200c, 0, "bad-index"),
    ] {
        let error = refuse(with_field(kind, offset, value));
        assert_eq!(error.id(), id, "kind {kind}, {value:#x} at {offset:#x}: {error}");
    }
    // A bitmap as large as its HeaderSize allows, but not in the file.
    let mut beyond = with_field(5, 0x2020, 1 << 40);
    beyond[0x2030..0x2038].copy_from_slice(&(1u64 << 30).to_le_bytes());
    assert_eq!(refuse(beyond).id(), "index-cut");
}

#[test]
fn a_first_page_beyond_the_file_opens_without_pages() {
    for value in [1 << 40, u64::MAX] {
        let dump = Dump::from_bytes("beyond", with_field(5, 0x2020, value)).unwrap();
        assert_eq!(dump.coverage().present, 0);
        assert_eq!(
            dump.physical_bytes(Gpa::new(PAGE), 8).unwrap_err().id(),
            "out-of-file"
        );
    }
}

#[test]
fn wrong_page_counts_are_told_and_not_believed() {
    for (kind, offset) in [(5, 0x2028), (6, 0x2028), (2, 0x2014)] {
        let dump = Dump::from_bytes("count", with_field(kind, offset, 0x7fff_ffff)).unwrap();
        assert_eq!(dump.coverage().missing, 0);
        assert_eq!(
            dump.notes().iter().map(|note| note.id).collect::<Vec<_>>(),
            ["page-count-differs"]
        );
    }
    let dump = Dump::from_bytes("count", with_field(2, 0x2018, 3)).unwrap();
    assert_eq!(
        dump.notes().iter().map(|note| note.id).collect::<Vec<_>>(),
        ["bitmap-size-differs"]
    );
}

#[test]
fn wrong_signatures_behind_the_header_are_refused() {
    for (kind, signature) in [
        (5, b"RDMPDUMP"),
        (5, b"FDMPPAGE"),
        (2, b"FDMPDUMP"),
        (6, b"\0\0\0\0\0\0\0\0"),
    ] {
        let mut bytes = if kind == 2 {
            small().summary()
        } else {
            small().bitmap(kind, b"FDMP")
        };
        bytes[0x2000..0x2008].copy_from_slice(signature);
        assert_eq!(
            refuse(bytes).id(),
            "bad-index",
            "{kind} {}",
            signature.escape_ascii()
        );
    }
}

#[test]
fn attributes_that_matter_are_told() {
    let notes = |attributes: u32| {
        let mut world = small();
        world.patch_u32(0x1050, attributes);
        let dump = Dump::from_bytes("attributes", world.full()).unwrap();
        dump.notes().iter().map(|note| note.id).collect::<Vec<_>>()
    };
    assert_eq!(notes(0), [""; 0]);
    assert_eq!(notes(1 << 1), [""; 0]);
    assert_eq!(notes(1 << 2 | 1 << 4), ["insufficient-dump-file", "live-dump"]);
    assert_eq!(notes(1 << 5), ["offline-dump"]);
    assert_eq!(notes(1 << 8), ["encrypted"]);
    assert_eq!(notes(1 << 8 | 1 << 9), [""; 0]);
    let mut world = small();
    world.patch_u32(0x1048, 0xc000_007f);
    let dump = Dump::from_bytes("writer", world.full()).unwrap();
    assert_eq!(dump.notes()[0].id, "writer-error");
    assert!(dump.notes()[0].text.contains("0xc000007f"));
}

#[test]
fn tables_that_do_not_map_the_kernel_are_told() {
    let notes = |world: &World| {
        let dump = Dump::from_bytes("tables", world.full()).unwrap();
        dump.notes().iter().map(|note| note.id).collect::<Vec<_>>()
    };
    let mut world = small();
    world.map_4k(0xffff_f800_0285_9000, 1);
    world.patch_u64(0x28, 0xffff_f800_0285_9940);
    assert_eq!(notes(&world), [""; 0]);
    world.patch_u64(0x28, 0xffff_f800_0285_a940);
    assert_eq!(notes(&world), ["kernel-not-mapped"]);
    world.patch_u64(0x28, 0xffff_f800_0285_9940);
    world.patch_u64(0x10, 0xdead_0000);
    assert_eq!(notes(&world), ["kernel-not-mapped"]);
}

#[test]
fn a_file_that_shrinks_under_plain_reads_is_an_error() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), small().full()).unwrap();
    let dump = Dump::open_with(file.path(), &OpenOptions::default().no_mmap(true)).unwrap();
    assert!(dump.physical_bytes(Gpa::new(PAGE), 8).is_ok());
    file.as_file().set_len(0x1000).unwrap();
    assert_eq!(dump.physical_bytes(Gpa::new(PAGE), 8).unwrap_err().id(), "io");
    let error = dump.kernel_space().cursor().u64(Gva::new(0)).unwrap_err();
    assert_eq!((error.id(), error.gva()), ("io", Gva::new(0)));
}

#[test]
fn any_byte_of_the_metadata_may_be_anything() {
    // Every byte of the fields that lead somewhere takes several values; whatever opens must answer.
    for (kind, bytes) in small().all_kinds() {
        for offset in (0x88..0xb8).chain(0xf98..0xf9c).chain(0x2000..0x2040) {
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut bytes = bytes.clone();
                bytes[offset] = value;
                let Ok(dump) = Dump::from_bytes("fuzzed", bytes) else {
                    continue;
                };
                let coverage = dump.coverage();
                assert_eq!(coverage.present + coverage.missing, coverage.claimed, "{kind}");
                let listed: u64 = dump.runs().map(|run| run.count).sum();
                assert_eq!(listed, coverage.claimed, "{kind}: {value:#x} at {offset:#x}");
                let _ = dump.physical_bytes(Gpa::new(PAGE), 0x2000);
                let _ = dump.kernel_space().translate(Gva::new(0xffff_f800_0000_0000));
            }
        }
    }
}
