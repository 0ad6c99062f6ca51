//! Saved states of Hyper-V and hibernation files: whole ones in each form, and ones that are cut, damaged or lie.
//!
//! What is read is right, or an error with its reason: never zeros, and never the bytes of another page.
#![allow(missing_docs, clippy::cast_possible_truncation)]

mod saved;

use kdump::{Dump, FrameError, Gpa, OpenError, OpenOptions, Pfn};
use saved::{World, X64, put};
use synth::container::hiberfil::{self, hibernated, seven};
use synth::container::hyper_v::{self, configuration, saved};

fn style() -> hyper_v::Style {
    hyper_v::Style {
        packed: true,
        ..hyper_v::Style::default()
    }
}

#[test]
fn saved_states_of_each_style_are_read_whole() {
    let world = World::new(X64);
    for packed in [false, true] {
        for pending in [false, true] {
            for old_names in [false, true] {
                let style = hyper_v::Style {
                    packed,
                    pending,
                    old_names,
                    ..style()
                };
                let notes = world.all("a.vmrs", saved(world.machine(), style).bytes);
                assert_eq!(
                    notes.contains(&"changes-pending"),
                    pending,
                    "{style:?}: {notes:?}"
                );
                assert!(!notes.contains(&"blocks-missing"), "{style:?}: {notes:?}");
            }
        }
    }
}

#[test]
fn a_header_that_is_damaged_leaves_the_other_one() {
    let world = World::new(X64);
    let mut bytes = saved(world.machine(), style()).bytes;
    // The older one, then both.
    bytes[0x10] ^= 1;
    world.all("a.vmrs", bytes.clone());
    put(&mut bytes, 0, &[0; 4]);
    world.all("a.vmrs", bytes.clone());
    bytes[0x1010] ^= 1;
    world.refused("a.vmrs", bytes, &["headers"]);
}

#[test]
fn saved_states_without_memory_are_named_with_what_to_do() {
    let world = World::new(X64);
    let style = hyper_v::Style {
        without_memory: true,
        ..style()
    };
    world.refused(
        "a.vmrs",
        saved(world.machine(), style).bytes,
        &[
            "a Hyper-V checkpoint without memory",
            "Save-VM",
            "InjectNonMaskableInterrupt",
        ],
    );
    world.refused(
        "a.vmcx",
        configuration(world.machine()),
        &["the configuration of a Hyper-V machine", "name the .vmrs"],
    );
}

#[test]
fn a_saved_state_that_is_cut_gives_what_is_left() {
    let world = World::new(X64);
    let whole = saved(world.machine(), style());
    let len = whole.bytes.len();
    let mut lens = vec![
        4,
        0x2e,
        0xfff,
        0x1000,
        0x102d,
        0x2000,
        0x2007,
        0x2008,
        0x20ff,
        len / 2,
        len - 1,
    ];
    lens.extend([
        whole.log,
        whole.log + 0x21,
        whole.second_table,
        whole.second_table + 9,
    ]);
    lens.extend(whole.key_tables.iter().flat_map(|at| [*at, at + 0x20]));
    for len in lens {
        match world.open("a.vmrs", whole.bytes[..len].to_vec()) {
            Ok((readable, notes)) => {
                let told = ["log-damaged", "tables-damaged", "blocks-missing", "truncated"];
                let told = notes.iter().any(|note| told.contains(note));
                assert!(told || readable == world.memory.len(), "{len:#x}: {notes:?}");
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
}

#[test]
fn object_tables_that_lie_are_refused() {
    let world = World::new(X64);
    let whole = saved(world.machine(), style());
    // The last entry of the first table leads to the table itself, and to the second, which leads back.
    let chain = 0x2000 + 8 + 0x12 * 3;
    for (at, to) in [(chain, 0x2000_u64), (whole.second_table + 8 + 0x12 * 3, 0x2000)] {
        let mut bytes = whole.bytes.clone();
        put(&mut bytes, at, &[1]);
        put(&mut bytes, at + 5, &to.to_le_bytes());
        world.refused("a.vmrs", bytes, &["lead back to the one at 0x2000"]);
    }
    for (count, words) in [(u32::MAX, "objects"), (1 << 21, "ends")] {
        let mut bytes = whole.bytes.clone();
        put(&mut bytes, 0x2004, &count.to_le_bytes());
        let error = world.open("a.vmrs", bytes).map(|_| ()).unwrap_err();
        assert!(
            matches!(&error, OpenError::BadIndex { .. } | OpenError::IndexCut { .. }),
            "{words}: {error}"
        );
    }
    // The same key table again and again, longer than the file together.
    let mut bytes = whole.bytes.clone();
    for entry in 0..3 {
        let at = 0x2008 + 0x12 * entry;
        put(&mut bytes, at, &[2]);
        put(&mut bytes, at + 5, &0_u64.to_le_bytes());
        put(&mut bytes, at + 0xd, &(1_u32 << 20).to_le_bytes());
    }
    bytes.truncate(0x20_0000);
    assert!(world.open("a.vmrs", bytes).is_err());
}

#[test]
fn keys_that_are_damaged_are_counted_and_their_blocks_named() {
    let world = World::new(X64);
    let whole = saved(world.machine(), style());
    let name = b"RamBlock4\0";
    let at = |bytes: &[u8]| bytes.windows(name.len()).position(|bytes| bytes == name).unwrap();
    let mut bytes = whole.bytes.clone();
    let entry = at(&bytes);
    // Not even a digit of its own: the checksum tells.
    bytes[entry + 8] = b'7';
    let (readable, notes) = world.open("a.vmrs", bytes).unwrap();
    assert!(readable < world.memory.len());
    assert!(notes.contains(&"tables-damaged"), "{notes:?}");
    assert!(notes.contains(&"blocks-missing"), "{notes:?}");
    // A size of an entry that leads out of its table.
    let mut bytes = whole.bytes.clone();
    put(&mut bytes, entry - 0x15 + 2, &u32::MAX.to_le_bytes());
    if let Ok((_, notes)) = world.open("a.vmrs", bytes) {
        assert!(notes.contains(&"tables-damaged"), "{notes:?}");
    }
}

#[test]
fn changes_that_are_not_whole_are_not_made() {
    let world = World::new(X64);
    let style = hyper_v::Style {
        pending: true,
        ..style()
    };
    let whole = saved(world.machine(), style);
    for at in [whole.log + 0x22 + 4, whole.log + 0x22 + 0x18, whole.log + 0x1234] {
        let mut bytes = whole.bytes.clone();
        bytes[at] ^= 0x40;
        match world.open("a.vmrs", bytes) {
            Ok((_, notes)) => assert!(notes.contains(&"log-damaged"), "{at:#x}: {notes:?}"),
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
    // A count that is not its own.
    let mut bytes = whole.bytes.clone();
    put(&mut bytes, whole.log + 8, &u32::MAX.to_le_bytes());
    hyper_v::sum(&mut bytes[whole.log..whole.log + 0x22], 4);
    if let Ok((_, notes)) = world.open("a.vmrs", bytes) {
        assert!(notes.contains(&"log-damaged"), "{notes:?}");
    }
}

#[test]
fn a_block_that_does_not_come_out_whole_cannot_be_read() {
    let world = World::new(X64);
    let whole = saved(world.machine(), style());
    let &(at, len) = whole.blocks.iter().find(|block| block.1 != 0x10_0000).unwrap();
    for (place, with) in [(0, [0xff; 4]), (0, [0; 4]), (len - 4, [0xfe, 0xff, 0xff, 0xff])] {
        let mut bytes = whole.bytes.clone();
        put(&mut bytes, at + place, &with);
        let Ok((readable, _)) = world.open("a.vmrs", bytes) else {
            continue;
        };
        // The end mark is nothing that is needed.
        assert_eq!(readable < world.memory.len(), place == 0);
    }
    // Bytes here and there: whatever comes out, nothing else happens.
    for step in 0..40 {
        let mut bytes = whole.bytes.clone();
        bytes[at + step * len / 40] ^= 0xff;
        let _ = Dump::from_bytes("a.vmrs", bytes).map(|dump| {
            for (frame, _) in world.memory.frames() {
                let _ = dump.read_physical(Gpa::new(frame.address()), &mut [0; 0x1000]);
            }
        });
    }
}

#[test]
fn hibernation_files_of_each_build_are_read_whole() {
    let world = World::new(X64);
    for length in [0x360, 0x3c8, 0x3e0, 0x448, 0x4d8] {
        let written = hibernated(world.machine(), hiberfil::Style::of(length));
        let notes = world.all("hiberfil.sys", written.bytes);
        assert!(notes.is_empty(), "{length:#x}: {notes:?}");
    }
    let world = World::new("win7-sp1-x64");
    for most in [2, 3, 255] {
        world.all("hiberfil.sys", seven(world.machine(), true, most));
    }
}

#[test]
fn hibernation_files_of_x86_are_read_whole() {
    let world = World::new("win8-x86");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hiberfil.sys");
    // The page tables are named: nothing in this memory refers to itself.
    let options = OpenOptions::default().directory_table_base(Some(world.processors[0].cr3));
    let set = hibernated(world.machine(), hiberfil::Style::of(0x340)).bytes;
    for bytes in [
        set,
        seven(world.machine(), false, 3),
        seven(world.machine(), false, 511),
    ] {
        std::fs::write(&path, bytes).unwrap();
        let dump = Dump::open_with(&path, &options).unwrap();
        assert_eq!(world.readable(&dump), world.memory.len());
    }
}

#[test]
fn frames_that_no_set_lists_are_not_zeros() {
    let world = World::new(X64);
    let dump = Dump::from_bytes(
        "hiberfil.sys",
        hibernated(world.machine(), hiberfil::Style::of(0x3e0)).bytes,
    )
    .unwrap();
    let last = world.memory.frames().last().unwrap().0.0;
    let hole = (1..last).find(|&frame| world.memory.frame(synth::address::Pfn(frame)).is_none());
    for frame in [hole.unwrap(), last + 1] {
        let pfn = Pfn::from(frame);
        assert_eq!(dump.frame(pfn), Err(FrameError::NotInDump { pfn }));
    }
}

#[test]
fn hibernation_files_tell_what_they_lack() {
    let world = World::new(X64);
    let style = hiberfil::Style::of(0x3e0);
    let of = |style| hibernated(world.machine(), style).bytes;
    let notes = world.all(
        "a",
        of(hiberfil::Style {
            fast_startup: true,
            ..style
        }),
    );
    assert_eq!(notes, ["fast-startup"]);
    let notes = world.all(
        "a",
        of(hiberfil::Style {
            secure: true,
            ..style
        }),
    );
    assert_eq!(notes, ["secure-pages"]);
    let (readable, notes) = world
        .open("a", of(hiberfil::Style { missing: 40, ..style }))
        .unwrap();
    assert_eq!(readable, world.memory.len() - 40);
    assert_eq!(notes, ["restoration-set-broken"]);
    let mut resumed = of(style);
    put(&mut resumed, 0, b"wake");
    assert_eq!(world.all("a", resumed.clone()), ["resumed"]);
    let header = resumed.drain(..0x1000).collect::<Vec<u8>>();
    let mut wiped = header.clone();
    wiped.resize(0x20_0000, 0);
    world.refused(
        "a",
        wiped,
        &["without pages", "Windows wiped them", "shutdown /h"],
    );
    let mut unknown = of(style);
    put(&mut unknown, 0xc, &0x777_u32.to_le_bytes());
    world.refused("a", unknown, &["0x777", "let the machine resume"]);
}

#[test]
fn hibernation_files_that_are_cut_or_lie_give_what_is_left() {
    let world = World::new(X64);
    let whole = hibernated(world.machine(), hiberfil::Style::of(0x448));
    let len = whole.bytes.len();
    for len in [
        4,
        0xfff,
        0x1000,
        0x3000,
        0x3003,
        0x3004,
        0x3010,
        len / 4,
        len / 2,
        len - 0x2000,
    ] {
        if let Ok((readable, notes)) = world.open("hiberfil.sys", whole.bytes[..len].to_vec()) {
            assert!(readable < world.memory.len());
            let told = ["restoration-set-broken", "truncated"];
            assert!(
                notes.iter().any(|note| told.contains(note)),
                "{len:#x}: {notes:?}"
            );
        }
    }
    let set = whole.sets[whole.sets.len() - 9];
    // No descriptor, too many, no data, more data than pages, a frame that cannot be.
    for (at, with) in [
        (set, vec![0]),
        (set, vec![0xff]),
        (set, vec![0x11]),
        (set + 1, vec![0, 0]),
        (set + 1, vec![0xff, 0xff, 0x0f]),
        (set + 4, vec![0xff; 8]),
    ] {
        let mut bytes = whole.bytes.clone();
        put(&mut bytes, at, &with);
        if let Ok((readable, notes)) = world.open("hiberfil.sys", bytes) {
            assert!(readable < world.memory.len());
            assert!(notes.contains(&"restoration-set-broken"), "{with:x?}: {notes:?}");
        }
    }
    // The table of codes of one set, and the first flags of another.
    for number in [0, 1, 2, 3] {
        let mut bytes = whole.bytes.clone();
        let at = whole.sets[number] + 4 + 8 * usize::from(bytes[whole.sets[number]]);
        put(&mut bytes, at, &[0xff; 8]);
        let _ = Dump::from_bytes("hiberfil.sys", bytes).map(|dump| {
            for (frame, _) in world.memory.frames() {
                let _ = dump.read_physical(Gpa::new(frame.address()), &mut [0; 0x1000]);
            }
        });
    }
    for pages in [0, u64::MAX] {
        let mut bytes = whole.bytes.clone();
        put(&mut bytes, 0x230, &pages.to_le_bytes());
        put(&mut bytes, 0x70, &u64::MAX.to_le_bytes());
        if let Ok((readable, _)) = world.open("hiberfil.sys", bytes) {
            assert!(readable < world.memory.len());
        }
    }
}

#[test]
fn older_hibernation_files_that_lie_are_refused() {
    let world = World::new("win7-sp1-x64");
    let whole = seven(world.machine(), true, 3);
    // The first table leads to itself.
    let mut bytes = whole.clone();
    put(&mut bytes, 0x2000, &2_u64.to_le_bytes());
    world.refused("hiberfil.sys", bytes, &["lead back to page 0x2"]);
    for (at, with) in [
        (0x2008, vec![0xff; 4]),
        (0x2010, vec![0xff; 8]),
        (0x3008, vec![0xff; 4]),
        (0x3000, vec![0; 8]),
    ] {
        let mut bytes = whole.clone();
        put(&mut bytes, at, &with);
        if let Ok((readable, notes)) = world.open("hiberfil.sys", bytes) {
            assert!(readable < world.memory.len());
            assert!(notes.contains(&"restoration-set-broken"), "{at:#x}: {notes:?}");
        }
    }
    for len in [0x2000, 0x2fff, 0x3000, 0x3008, 0x301f, whole.len() / 2] {
        if let Ok((readable, notes)) = world.open("hiberfil.sys", whole[..len].to_vec()) {
            assert!(readable < world.memory.len());
            assert!(!notes.is_empty(), "{len:#x}");
        }
    }
}
