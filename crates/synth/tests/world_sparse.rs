//! Dumps of large machines: their claims are whole, their files are mostly holes.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use synth::dump::{Kind, write_sparse};
use synth::worlds;

const GIB: u64 = 1 << 30;

fn u64_at(file: &mut File, at: u64) -> u64 {
    let mut bytes = [0; 8];
    file.seek(SeekFrom::Start(at)).unwrap();
    file.read_exact(&mut bytes).unwrap();
    u64::from_le_bytes(bytes)
}

/// Frames 1-9e and 100 up to the end: what comes before a frame in the file.
fn rank(frame: u64) -> u64 {
    if frame < 0x100 {
        frame - 1
    } else {
        0x9e + frame - 0x100
    }
}

#[test]
fn every_page_is_at_its_rank() {
    let folder = tempfile::tempdir().unwrap();
    for (kind, bytes) in [
        (Kind::Full, 64 * GIB),
        (Kind::BitmapFull, 8 * GIB),
        (Kind::Full, GIB),
    ] {
        let path = folder.path().join("sparse.dmp");
        let world = worlds::vista_sp2_x64_over(bytes / 0x1000);
        let mapped = world.map();
        write_sparse(&path, kind, &world.header, &mapped.memory, bytes).unwrap();
        let mut file = File::open(&path).unwrap();
        let frames = bytes / 0x1000;
        let first = if kind == Kind::Full {
            0x2000
        } else {
            u64_at(&mut file, 0x2020)
        };
        assert_eq!(file.metadata().unwrap().len(), first + rank(frames) * 0x1000);
        assert_eq!(u64_at(&mut file, 0x90), rank(frames), "NumberOfPages");
        for (frame, page) in mapped.memory.frames() {
            let mut read = [0; 0x1000];
            file.seek(SeekFrom::Start(first + rank(frame.0) * 0x1000))
                .unwrap();
            file.read_exact(&mut read).unwrap();
            assert!(read == *page, "{kind:?} {frame:?}");
        }
    }
}

#[test]
fn a_bitmap_claims_every_frame_but_the_holes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sparse.dmp");
    let world = worlds::vista_sp2_x64();
    write_sparse(&path, Kind::BitmapFull, &world.header, &world.map().memory, GIB).unwrap();
    let mut bits = vec![0; 0x4_0000 / 8];
    let mut file = File::open(&path).unwrap();
    file.seek(SeekFrom::Start(0x2038)).unwrap();
    file.read_exact(&mut bits).unwrap();
    for frame in 0..0x4_0000u64 {
        let set = bits[usize::try_from(frame / 8).unwrap()] >> (frame % 8) & 1 == 1;
        assert_eq!(
            set,
            (1..0x9f).contains(&frame) || frame >= 0x100,
            "frame {frame:#x}"
        );
    }
}

/// The world is all over the machine, so that no reader profits from its being at the start.
#[test]
fn a_large_machine_is_used_to_its_end() {
    let frames = 64 * GIB / 0x1000;
    let world = worlds::vista_sp2_x64_over(frames);
    let highest = world
        .map()
        .memory
        .frames()
        .map(|(frame, _)| frame.0)
        .max()
        .unwrap();
    assert!(
        (frames / 8..frames).contains(&highest),
        "{highest:#x} of {frames:#x}"
    );
    assert!(!world.map().memory.is_empty());
}

#[cfg(unix)]
#[test]
fn holes_take_no_room() {
    use std::os::unix::fs::MetadataExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sparse.dmp");
    let bytes = 8 * GIB;
    let world = worlds::vista_sp2_x64_over(bytes / 0x1000);
    write_sparse(&path, Kind::Full, &world.header, &world.map().memory, bytes).unwrap();
    assert!(std::fs::metadata(&path).unwrap().blocks() * 512 < 16 << 20);
}
