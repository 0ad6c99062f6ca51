//! The secondary data behind the memory of a dump.
#![allow(missing_docs, clippy::cast_possible_truncation)]

mod common;

use std::path::Path;

use common::World;
use kdump::{Dump, SecondaryData, SecondaryEnd, Trailing, behind_memory, secondary_data};

const GUID: [u8; 16] = [
    0x21, 0x43, 0x65, 0x87, 0xcd, 0xab, 0x01, 0xef, 0x10, 0x32, 0x54, 0x76, 0x98, 0xba, 0xdc, 0xfe,
];
const GUID_TEXT: &str = "87654321-abcd-ef01-1032-547698badcfe";

/// A piece, by the published `DUMP_BLOB_HEADER`.
fn blob(data: &[u8], before: u32, behind: u32) -> Vec<u8> {
    let mut bytes = 0x20u32.to_le_bytes().to_vec();
    bytes.extend(GUID);
    for number in [data.len() as u32, before, behind] {
        bytes.extend(number.to_le_bytes());
    }
    bytes.resize(bytes.len() + before as usize, 0xcc);
    bytes.extend(data);
    bytes.resize(bytes.len() + behind as usize, 0xcc);
    bytes
}

fn file_header() -> Vec<u8> {
    [
        &b"DumpBlob"[..],
        &0x10u32.to_le_bytes(),
        &0xf000_4a61u32.to_le_bytes(),
    ]
    .concat()
}

fn read(bytes: Vec<u8>) -> Option<SecondaryData> {
    secondary_data(&Dump::from_bytes("dump", bytes).unwrap()).unwrap()
}

/// Size, place and presence of each piece.
fn pieces(data: &SecondaryData) -> Vec<(u64, u64, u64)> {
    let piece = |blob: &kdump::SecondaryBlob| (blob.size, blob.offset.0, blob.present);
    data.blobs.iter().map(piece).collect()
}

fn kinds() -> Vec<Vec<u8>> {
    let world = World::with_root(0);
    let mut kinds = vec![world.full(), world.summary()];
    kinds.extend([5, 6].map(|kind| world.bitmap(kind, b"FDMP")));
    kinds.extend([8, 9, 0xa].map(|kind| world.ranges(kind)));
    kinds
}

#[test]
fn it_is_found_behind_the_pages_of_every_kind() {
    for dump in kinds() {
        let kind = dump[0xf98];
        assert_eq!(read(dump.clone()), None, "kind {kind:#x}");
        let end = dump.len() as u64;
        let pieces_of = |bytes: &[&[u8]]| read([&dump[..], &bytes.concat()].concat()).unwrap();
        let data = pieces_of(&[&file_header()]);
        assert_eq!((data.blobs.len(), data.ended), (0, SecondaryEnd::Complete));
        let data = pieces_of(&[
            &file_header(),
            &blob(b"abcde", 3, 3),
            &blob(b"", 0, 0),
            &blob(&[7; 100], 0, 4),
        ]);
        let first = end + 0x10;
        let expected = [
            (5, first + 0x23, 5),
            (0, first + 0x4b, 0),
            (100, first + 0x6b, 100),
        ];
        assert_eq!(pieces(&data), expected, "kind {kind:#x}");
        assert!(data.blobs.iter().all(|blob| blob.guid == GUID_TEXT));
        assert_eq!(data.ended, SecondaryEnd::Complete);
    }
}

#[test]
fn a_file_that_ends_inside_of_it_is_told() {
    let dump = World::with_root(0).full();
    let whole = [file_header(), blob(&[1; 40], 0, 8), blob(&[2; 40], 0, 8)].concat();
    for len in 0x10..=whole.len() {
        let data = read([&dump[..], &whole[..len]].concat()).unwrap();
        let second = len.saturating_sub(0x10 + 0x50);
        let (count, ended) = match len - 0x10 {
            0 => (0, SecondaryEnd::Complete),
            1..0x20 => (0, SecondaryEnd::FileCut),
            0x20..0x48 => (1, SecondaryEnd::FileCut),
            // The padding holds nothing.
            0x48..=0x50 => (1, SecondaryEnd::Complete),
            _ => match second {
                0..0x20 => (1, SecondaryEnd::FileCut),
                0x20..0x48 => (2, SecondaryEnd::FileCut),
                _ => (2, SecondaryEnd::Complete),
            },
        };
        assert_eq!((data.blobs.len(), data.ended), (count, ended), "{len:#x}");
        if let Some(last) = data.blobs.last() {
            let inside = if count == 1 { len - 0x10 } else { second };
            assert_eq!(last.present, (inside as u64 - 0x20).min(40), "{len:#x}");
        }
    }
}

#[test]
fn lengths_that_lie_end_it_and_cost_nothing() {
    let dump = World::with_root(0).full();
    let after = |bytes: &[u8]| read([&dump[..], bytes].concat());
    // Not secondary data at all.
    assert_eq!(after(&[0; 0x40]), None);
    assert_eq!(after(b"DumpBlo"), None);
    let mut header = file_header();
    for len in [0u32, 1, u32::MAX] {
        header[8..12].copy_from_slice(&len.to_le_bytes());
        let data = after(&[&header[..], &blob(b"x", 0, 0)].concat()).unwrap();
        assert_eq!(data.blobs, [], "{len:#x}");
    }
    for (offset, ended) in [
        (0, SecondaryEnd::NotABlob),
        (0x14, SecondaryEnd::FileCut),
        (0x18, SecondaryEnd::FileCut),
    ] {
        let mut lie = blob(b"abc", 0, 0);
        lie[offset..offset + 4].copy_from_slice(&u32::MAX.to_le_bytes());
        let data = after(&[file_header(), lie].concat()).unwrap();
        assert_eq!(data.ended, ended, "{offset:#x}");
    }
    // Zeros that fill the file up end it.
    let data = after(&[file_header(), blob(b"abc", 0, 5), vec![0; 0x100]].concat()).unwrap();
    assert_eq!((data.blobs.len(), data.ended), (1, SecondaryEnd::Complete));
    let data = after(&[file_header(), blob(b"", 0, 0).repeat(5000)].concat()).unwrap();
    assert_eq!((data.blobs.len(), data.ended), (4096, SecondaryEnd::TooMany));
}

/// What a reading by hand of the real triage dumps gives.
#[test]
fn it_is_read_of_real_dumps() {
    let samples = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/samples"));
    for (name, count, first, last) in [
        (
            "triage_x64.dmp",
            20,
            ("54c84888-01d1-4c1e-bed6-282c98241303", 0x1000, 0x13_a2bc),
            ("2b88b710-1c93-4f7c-b06c-655ecc50decc", 0xa51c, 0x15_6594),
        ),
        (
            "triage_arm64.dmp",
            42,
            ("335d5e04-563b-4e58-aa36-7ed1cfe76fd6", 0x2a8, 0xa_c49c),
            ("2b88b710-1c93-4f7c-b06c-655ecc50decc", 0x6_df80, 0xb_b02c),
        ),
    ] {
        let path = samples.join(name);
        if !path.exists() {
            continue;
        }
        let data = secondary_data(&Dump::open(&path).unwrap()).unwrap().unwrap();
        assert_eq!(
            (data.blobs.len(), data.ended),
            (count, SecondaryEnd::Complete),
            "{name}"
        );
        for (blob, (guid, size, offset)) in [(&data.blobs[0], first), (&data.blobs[count - 1], last)] {
            assert_eq!(
                (blob.guid.as_str(), blob.size, blob.offset.0),
                (guid, size, offset),
                "{name}"
            );
            assert_eq!(blob.present, size);
        }
    }
}

/// What writers leave at the end of the file is told, with its place: of no piece, and of no secondary data at all.
#[test]
fn bytes_behind_everything_are_told() {
    for dump in kinds() {
        let end = dump.len() as u64;
        let alone = |bytes: Vec<u8>| behind_memory(&Dump::from_bytes("dump", bytes).unwrap()).unwrap();
        assert_eq!(alone(dump.clone()), None);
        let mut padded = dump.clone();
        padded.resize(dump.len() + 0x1_2345, 0);
        let trailing = |offset, bytes, zeros| Trailing {
            offset: kdump::FileOffset(offset),
            bytes,
            zeros: Some(zeros),
        };
        assert_eq!(alone(padded.clone()), Some(trailing(end, 0x1_2345, true)));
        *padded.last_mut().unwrap() = 1;
        assert_eq!(alone(padded), Some(trailing(end, 0x1_2345, false)));
        let mut whole = dump.clone();
        whole.extend(file_header());
        whole.extend(blob(&[1, 2, 3], 0, 5));
        let pieces_end = whole.len() as u64;
        assert_eq!(read(whole.clone()).unwrap().behind, None);
        whole.resize(whole.len() + 0x5000, 0);
        assert_eq!(alone(whole.clone()), None);
        let data = read(whole).unwrap();
        assert_eq!(data.ended, SecondaryEnd::Complete);
        assert_eq!(data.behind, Some(trailing(pieces_end, 0x5000, true)));
    }
}
