//! Packed files that lie, are cut or damaged: what is read out of them is what was written, or an error.
#![allow(clippy::cast_possible_truncation)]

use proptest::prelude::*;
use synth::address::Pfn as Frame;
use synth::container::diskdump::{Form, Packing};
use synth::container::{Machine, Registers, avml, diskdump};
use synth::physical::PhysicalMemory;

use super::*;
use crate::memory::page::PAGE;

/// Runs of frames with gaps, some of whose pages are zeros, or one byte throughout.
fn memory() -> PhysicalMemory {
    let mut memory = PhysicalMemory::new();
    for frame in (1..9).chain(20..60).chain(0x421..0x425).chain([0x9000]) {
        let page = memory.frame_mut(Frame(frame));
        match frame % 5 {
            0 => {}
            1 => page.fill(frame as u8),
            _ => {
                for (at, byte) in page.iter_mut().enumerate() {
                    *byte = (at as u64 * frame / 7) as u8 ^ (at >> 5) as u8;
                }
            }
        }
    }
    memory
}

/// Each form of the same memory.
fn files(memory: &PhysicalMemory) -> Vec<(&'static str, Vec<u8>)> {
    const ALL: &[Packing] = &[
        Packing::Plain,
        Packing::Zlib,
        Packing::Lzo,
        Packing::Snappy,
        Packing::Zstd,
    ];
    let machine = Machine {
        memory,
        processors: &[Registers {
            cr3: 0x1ad_002,
            ..Registers::default()
        }],
    };
    let kdump = |flattened, level| {
        let form = Form {
            packings: ALL,
            flattened,
            level,
        };
        diskdump::compressed(machine, form)
    };
    vec![
        ("kdump", kdump(false, 0)),
        ("kdump without zeros", kdump(false, 1)),
        ("flattened", kdump(true, 1)),
        ("avml", avml::image(machine)),
    ]
}

fn open(bytes: &[u8]) -> (ByteSource, Result<Container, Refusal>) {
    let head = bytes.get(..bytes.len().min(0x2000)).unwrap_or_default().to_vec();
    let source = ByteSource::Memory(bytes.to_vec());
    // Damage can hit the first bytes, by which the form is known.
    let unknown = || Err(Refusal::Bad("its form is not known".to_owned()));
    let read = read("file".as_ref(), &head, &source).unwrap_or_else(unknown);
    (source, read)
}

fn page(container: &Container, source: &ByteSource, frame: u64) -> Option<Vec<u8>> {
    let place = container.pages.place(source, Pfn::new(frame)).ok()?;
    let mut bytes = vec![0; PAGE as usize];
    container.pages.read(source, place, 0, &mut bytes).ok()?;
    Some(bytes)
}

/// Reads everything, and returns how many pages were right. None may be wrong.
fn right(name: &str, bytes: &[u8], memory: &PhysicalMemory) -> u64 {
    let (source, Ok(container)) = open(bytes) else {
        return 0;
    };
    let mut count = 0;
    for (frame, truth) in memory.frames() {
        if let Some(bytes) = page(&container, &source, frame.0) {
            assert!(bytes == truth, "{name}: frame {:#x}", frame.0);
            count += 1;
        }
    }
    // Frames that nobody wrote are nowhere.
    for frame in [0, 9, 19, 60, 0x3ff, 0x400, 0x420, 0x425, 0x8fff, 0x9001, 1 << 40] {
        assert!(page(&container, &source, frame).is_none(), "{name}: {frame:#x}");
    }
    let (listed, present) = container.pages.count(source.len());
    assert!(present <= listed, "{name}");
    assert!(count <= present, "{name}: {count} of {present}");
    count
}

#[test]
fn whole_files_have_every_page() {
    let memory = memory();
    for (name, bytes) in files(&memory) {
        assert_eq!(right(name, &bytes, &memory), memory.len() as u64, "{name}");
        let (source, container) = open(&bytes);
        let container = container.unwrap();
        let runs: Vec<(u64, u64)> = container
            .pages
            .runs(&source)
            .map(|run| (run.base.u64(), run.count))
            .collect();
        let wanted: Vec<(u64, u64)> = memory.runs().iter().map(|run| (run.base.0, run.count)).collect();
        let frames = |runs: &[(u64, u64)]| {
            let frames = runs.iter().flat_map(|&(base, count)| base..base + count);
            frames.collect::<Vec<_>>()
        };
        assert_eq!(frames(&runs), frames(&wanted), "{name}");
        assert_eq!(container.pages.limit(), 0x9001, "{name}");
        let all = memory.len() as u64;
        assert_eq!(container.pages.count(source.len()), (all, all), "{name}");
        assert_eq!(container.notes, [], "{name}");
        let has_processors = container.processors.iter().any(|cpu| cpu.cr3 == Some(0x1ad_002));
        assert_eq!(has_processors, name != "avml" && name != "box", "{name}");
    }
}

#[test]
fn cut_files_lose_pages_and_give_no_others() {
    let memory = memory();
    for (name, bytes) in files(&memory) {
        for part in 0..40 {
            let len = bytes.len() * part / 40;
            if len > 0x20 {
                let count = right(name, &bytes[..len], &memory);
                assert!(count < memory.len() as u64, "{name}: {len:#x}");
            }
        }
        let count = right(name, &bytes[..bytes.len() - 0x20], &memory);
        assert!(count > 0, "{name}");
    }
}

/// The note that says what a file that was changed has lost, or how opening it failed.
fn outcome(bytes: &[u8]) -> String {
    match open(bytes).1 {
        Ok(container) => container
            .notes
            .iter()
            .map(|note| note.id)
            .collect::<Vec<_>>()
            .join(" "),
        Err(Refusal::Cut { .. }) => "cut".to_owned(),
        Err(Refusal::Bad(reason)) => reason,
        Err(error) => format!("{error:?}"),
    }
}

#[test]
fn headers_of_kdump_that_lie_are_told() {
    let memory = memory();
    let files = files(&memory);
    let with = |at: usize, bytes: &[u8]| {
        let mut file = files[0].1.clone();
        file[at..at + bytes.len()].copy_from_slice(bytes);
        outcome(&file)
    };
    assert!(with(0x1ac, &0x1_0000_u32.to_le_bytes()).contains("its pages have 65536 bytes"));
    // More bits than the bitmaps have bytes for, and than any machine has; more blocks than the file has.
    assert!(with(0x1060, &(1_u64 << 30).to_le_bytes()).contains("bits"));
    assert!(with(0x1060, &u64::MAX.to_le_bytes()).contains("bits"));
    assert!(with(0x1060, &[0; 8]).contains("bits"));
    assert_eq!(with(0x1b4, &u32::MAX.to_le_bytes()), "cut");
    assert_eq!(with(0x1b0, &u32::MAX.to_le_bytes()), "cut");
    // One of several files; notes that are nowhere; another level, at which nothing is known of what is left out.
    assert_eq!(with(0x100c, &1_u32.to_le_bytes()), "kdump-part");
    assert_eq!(with(0x1030, &[0xff; 16]), "");
    let mut file = files[1].1.clone();
    file[0x1008] = 31;
    assert_eq!(outcome(&file), "pages-excluded");
    let (source, container) = open(&file);
    assert!(page(&container.unwrap(), &source, 5).is_none());
}

#[test]
fn a_part_of_a_split_dump_has_its_own_pages() {
    let memory = memory();
    let mut file = files(&memory).swap_remove(0).1;
    // The descriptors begin at that of frame 20, which is the ninth.
    let bitmaps = 2 * 0x2000;
    let at = 0x1000 * (1 + file[0x1b0] as usize) + bitmaps;
    file.drain(at..at + 8 * 0x18);
    file.splice(at + 0x18 * 45..at + 0x18 * 45, vec![0; 8 * 0x18]);
    file[0x100c] = 1;
    file[0x1050..0x1058].copy_from_slice(&20_u64.to_le_bytes());
    file[0x1058..0x1060].copy_from_slice(&0x422_u64.to_le_bytes());
    let (source, container) = open(&file);
    let container = container.unwrap();
    let runs: Vec<(u64, u64)> = container
        .pages
        .runs(&source)
        .map(|run| (run.base.u64(), run.count))
        .collect();
    assert_eq!(runs, [(20, 40), (0x421, 1)]);
    for frame in [20, 33, 59, 0x421] {
        assert_eq!(
            page(&container, &source, frame).unwrap(),
            memory.frame(Frame(frame)).unwrap()
        );
    }
    assert!(page(&container, &source, 8).is_none());
}

#[test]
fn chunks_whose_check_fails_are_no_memory() {
    let memory = memory();
    let mut file = files(&memory).pop().unwrap().1;
    // The second byte of the first chunk's memory.
    let at = 0x20 + 10 + 4 + 4 + 2 + 3 + 7;
    file[at] ^= 1;
    let (source, container) = open(&file);
    let container = container.unwrap();
    assert!(page(&container, &source, 1).is_none());
    assert!(page(&container, &source, 20).is_some());
}

proptest! {
    /// Bytes changed anywhere: no panic, and it ends.
    #[test]
    fn damage_is_survived(
        file in 0_usize..4,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0_usize..4), 1..6),
    ) {
        let memory = memory();
        let (_, mut bytes) = files(&memory).swap_remove(file);
        for (at, byte, near) in changes {
            // Half of them where headers are.
            let room = if near < 2 { bytes.len() } else { 0x1100.min(bytes.len()) };
            let at = at.index(room - 8) + 8;
            bytes[at] = byte;
        }
        let (source, container) = open(&bytes);
        if let Ok(container) = container {
            for run in container.pages.runs(&source).take(64) {
                page(&container, &source, run.base.u64());
                page(&container, &source, run.base.u64() + run.count - 1);
            }
        }
    }
}
