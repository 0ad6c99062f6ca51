//! Saved states of VirtualBox: whole ones in each form, and ones that are cut, damaged or lie.
//!
//! What is read is right, or an error with its reason, or told: never zeros, and never the bytes of another page.
#![allow(missing_docs, clippy::cast_possible_truncation)]

mod saved;

use kdump::{Dump, FrameError, Gpa, OpenError, Pfn};
use saved::{World, X64, put};
use synth::container::virtualbox::{self, Style, Written, sum};

fn write(world: &World, style: Style) -> Written {
    virtualbox::saved(world.machine(), style)
}

fn live() -> Style {
    Style {
        live: true,
        ..Style::stopped()
    }
}

/// Where the headers of units of a name begin.
fn units(written: &Written, name: &str) -> Vec<usize> {
    let of = |&(at, other): &(usize, &str)| (other == name).then_some(at);
    written.units.iter().filter_map(of).collect()
}

/// Changes the header of a unit, whose checksum stays right.
fn change(bytes: &mut [u8], unit: usize, at: usize, with: &[u8]) {
    put(bytes, unit + at, with);
    let name = bytes[unit + 0x28] as usize;
    sum(&mut bytes[unit..unit + 0x2c + name], 0x14);
}

/// The notes on a file, where it opens, with how many of its pages are not what they should be, or cannot be read.
fn told(world: &World, bytes: Vec<u8>) -> Option<(Vec<&'static str>, usize, usize)> {
    let dump = Dump::from_bytes("a.sav", bytes).ok()?;
    let (mut wrong, mut missing) = (0, 0);
    for (frame, page) in world.memory.frames() {
        let mut bytes = [0; 0x1000];
        match dump.read_physical(Gpa::new(frame.address()), &mut bytes) {
            Ok(()) => wrong += usize::from(bytes != *page),
            Err(_) => missing += 1,
        }
    }
    Some((dump.notes().iter().map(|note| note.id).collect(), wrong, missing))
}

#[test]
fn states_of_each_version_and_form_are_read_whole() {
    let (world, small) = (World::new(X64), World::small(X64));
    for version in [11, 12, 13, 14] {
        for number in 0..16 {
            let world = if number == version { &world } else { &small };
            let style = Style {
                version,
                live: number & 1 != 0,
                narrow: number & 2 != 0,
                summed: number & 4 != 0,
                split: number & 8 != 0,
                ballooned: 0,
            };
            let notes = world.all("a.sav", write(world, style).bytes);
            assert!(notes.is_empty(), "{style:?}: {notes:?}");
        }
    }
}

#[test]
fn pages_that_the_host_has_are_holes() {
    let world = World::new(X64);
    for style in [Style::stopped(), live()] {
        let style = Style {
            ballooned: 5,
            ..style
        };
        let bytes = write(&world, style).bytes;
        assert_eq!(world.all("a.sav", bytes.clone()), ["ballooned-pages"]);
        let dump = Dump::from_bytes("a.sav", bytes).unwrap();
        let last = world.memory.frames().last().unwrap().0.0;
        for frame in last + 1..last + 8 {
            let pfn = Pfn::from(frame);
            assert_eq!(dump.frame(pfn), Err(FrameError::NotInDump { pfn }));
        }
        // ROM and memory of devices are no memory of the machine.
        let pfn = Pfn::from(0xf3);
        assert!(world.memory.frame(synth::address::Pfn(0xf3)).is_none());
        assert_eq!(dump.frame(pfn), Err(FrameError::NotInDump { pfn }));
    }
}

#[test]
fn a_state_that_is_cut_gives_what_is_left() {
    let world = World::new(X64);
    let written = write(&world, Style::stopped());
    let len = written.bytes.len();
    let mut lens = vec![0x40, 0x41, len / 3, len / 2, len - 1];
    for (at, _) in &written.units {
        lens.extend([
            *at,
            at + 1,
            at + 8,
            at + 0x2b,
            at + 0x2f,
            at + 0x40,
            at - 1,
            at - 0x10,
        ]);
    }
    for (at, len) in written.pages.iter().step_by(97) {
        lens.extend([*at, at + 1, at + 4, at + 5, at + len - 1, at + len]);
    }
    let pgm = units(&written, "pgm")[0];
    let behind = units(&written, "cpum")[0];
    for cut in lens.into_iter().filter(|&cut| cut >= 0x40) {
        match world.open("a.sav", written.bytes[..cut].to_vec()) {
            Ok((readable, notes)) if cut < behind => {
                assert_eq!(notes, ["truncated"], "{cut:#x}");
                assert!(readable <= world.memory.len());
            }
            // Of what is behind the memory nothing is needed.
            Ok((readable, notes)) => assert_eq!((readable, notes), (world.memory.len(), vec![]), "{cut:#x}"),
            Err(OpenError::IndexCut { .. }) => assert!(cut < pgm + 0x2000, "{cut:#x}"),
            Err(error) => assert!(matches!(error, OpenError::NoKernel { .. }), "{cut:#x}: {error}"),
        }
    }
}

/// Pages that a later pass has are then as they were before, which is told.
#[test]
fn passes_that_are_missing_are_told() {
    let world = World::new(X64);
    let written = write(&world, live());
    let passes = units(&written, "pgm");
    assert_eq!(passes.len(), 4);
    let end = units(&written, "cpum")[0];
    for cut in [passes[1], passes[1] + 5, passes[2] + 0x400, passes[3], end - 1] {
        if let Some((notes, ..)) = told(&world, written.bytes[..cut].to_vec()) {
            assert!(notes.contains(&"passes-missing"), "{cut:#x}: {notes:?}");
        }
    }
    for pass in &passes[1..] {
        let mut bytes = written.bytes.clone();
        bytes[pass + 9] ^= 1;
        if let Some((notes, ..)) = told(&world, bytes) {
            assert!(notes.contains(&"passes-missing"), "{notes:?}");
            assert!(notes.contains(&"records-broken"), "{notes:?}");
        }
    }
    assert_eq!(told(&world, written.bytes).unwrap(), (vec![], 0, 0));
}

/// A page that is packed is known to be damaged when it does not become a page, and any by the checksum of all.
#[test]
fn damage_is_told() {
    let world = World::new(X64);
    let written = write(&world, Style::stopped());
    let mut outcomes = [0; 3];
    for (number, &(at, len)) in written.pages.iter().enumerate().skip(10).step_by(23) {
        // A byte of the page, or of the head of its record.
        let place = at
            + if number % 2 == 0 {
                len - 1 - number % len.min(0x700)
            } else {
                number % 4
            };
        let mut bytes = written.bytes.clone();
        bytes[place] ^= 0x41;
        let Some((notes, wrong, missing)) = told(&world, bytes) else {
            continue;
        };
        let is_told = ["checksum-wrong", "records-broken", "truncated"];
        assert!(
            notes.iter().any(|note| is_told.contains(note)),
            "{place:#x}: {notes:?} {wrong} {missing}"
        );
        outcomes[0] += usize::from(wrong != 0);
        outcomes[1] += usize::from(missing == 1);
        outcomes[2] += usize::from(missing > 1);
        assert!(wrong <= 1, "{place:#x}: {wrong} pages are wrong");
    }
    assert!(outcomes.iter().all(|&outcome| outcome != 0), "{outcomes:?}");
    // What is damaged in another unit is no matter, and it is stepped over.
    let mut bytes = written.bytes.clone();
    let mm = units(&written, "mm")[0];
    bytes[mm + 0x2f] = 0;
    assert_eq!(world.all("a.sav", bytes), ["records-broken"]);
    let mut bytes = written.bytes.clone();
    put(&mut bytes, mm, &[0; 8]);
    assert_eq!(world.all("a.sav", bytes), ["records-broken"]);
    let mut bytes = written.bytes.clone();
    bytes[0x24] ^= 1;
    let notes = world.all("a.sav", bytes);
    // The checksum of the stream begins with the header.
    assert!(notes.contains(&"header-checksum-wrong"), "{notes:?}");
}

#[test]
fn other_versions_are_refused_with_what_to_do() {
    let world = World::new(X64);
    let written = write(&world, Style::stopped());
    let pgm = units(&written, "pgm")[0];
    for version in [6, 9, 10, 15, u32::MAX] {
        let mut bytes = written.bytes.clone();
        change(&mut bytes, pgm, 0x18, &version.to_le_bytes());
        let version = format!("version {version}, and 11 to 14");
        world.refused(
            "a.sav",
            bytes,
            &["a VirtualBox saved state", &version, "dumpvmcore"],
        );
    }
    for (at, with, words) in [
        (0x18, &b"1.2"[..], "format V1.2, and V2.0"),
        (0x18, b"3.0", "format V3.0, and V2.0"),
        (0x18, b"2.00", "format V2.00, and V2.0"),
        (0x2d, &[4], "physical addresses of 4"),
        (0x2e, &[2], "pointers of 2"),
    ] {
        let mut bytes = written.bytes.clone();
        put(&mut bytes, at, with);
        world.refused("a.sav", bytes, &[words, "dumpvmcore"]);
    }
    // A state without memory.
    let mut bytes = written.bytes.clone();
    change(&mut bytes, pgm, 0x2c, b"PGM");
    world.refused("a.sav", bytes, &["no unit of memory"]);
}

/// Words of what says where pages are, as large as they can be, as small, and as records with another size.
#[test]
fn words_that_lie_do_no_harm() {
    let world = World::small(X64);
    for style in [Style::stopped(), live()] {
        let written = write(&world, style);
        let mut places: Vec<(usize, usize)> = (0x20..0x3c).step_by(4).map(|at| (0, at)).collect();
        for at in units(&written, "pgm") {
            places.extend(
                (8..0x2c)
                    .step_by(4)
                    .chain((0x30..0x100).step_by(5))
                    .map(|by| (at, by)),
            );
        }
        for (unit, by) in places {
            for with in [[0xff; 4], [0; 4], [0x92, 0xfd, 0xbf, 0xbf]] {
                let mut bytes = written.bytes.clone();
                // The checksum of a header stays right, where it is not what lies.
                match unit != 0 && by < 0x28 && by != 0x14 {
                    true => change(&mut bytes, unit, by, &with),
                    false => put(&mut bytes, unit + by, &with),
                }
                if let Ok(dump) = Dump::from_bytes("a.sav", bytes) {
                    for (frame, _) in world.memory.frames().step_by(19) {
                        let _ = dump.read_physical(Gpa::new(frame.address()), &mut [0; 0x1000]);
                    }
                }
            }
        }
    }
}

/// A page whose record says an address that cannot be, or none where it must.
#[test]
fn page_records_that_lie_end_the_list() {
    let world = World::new(X64);
    let written = write(&world, Style::stopped());
    // The first page of memory follows the devices': its record is in the bytes before the page's own.
    let first = written.pages.iter().map(|&(at, _)| at).find(|&at| {
        let frame = world
            .memory
            .frames()
            .find(|(_, page)| page.iter().any(|&byte| byte != 0))
            .unwrap()
            .0;
        written.bytes[at - 8..at] == frame.address().to_le_bytes()
    });
    let at = first.expect("a record with an address") - 9;
    assert_eq!(written.bytes[at], 0x81);
    for (offset, with) in [
        // No whole page; no address of a machine; no address, no kind, no page that could be there.
        (1, &[1][..]),
        (1, &[0xff; 8]),
        (7, &[0, 0x10]),
        (0, &[1]),
        (0, &[0x7f]),
        (0, &[0x89]),
    ] {
        let mut bytes = written.bytes.clone();
        put(&mut bytes, at + offset, with);
        if let Some((notes, _, missing)) = told(&world, bytes) {
            assert!(notes.contains(&"records-broken"), "{with:x?}: {notes:?}");
            assert!(missing != 0);
        }
    }
}
