//! Files that other programs packed: `gzip`, `xz`, `bzip2`, `zstd`, `zip`, 7-Zip and `gcab` of the fixture dump.

use std::fs;
use std::path::{Path, PathBuf};

use unpack::{Form, Packed, UnpackError};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures")
}

fn dump() -> Vec<u8> {
    fs::read(fixtures().join("vista-sp2-x64.dmp")).unwrap()
}

const FORMS: [(&str, Form); 7] = [
    ("memory.dmp.gz", Form::Gzip),
    ("memory.dmp.xz", Form::Xz),
    ("memory.dmp.bz2", Form::Bzip2),
    ("memory.dmp.zst", Form::Zstandard),
    ("memory.zip", Form::Zip),
    ("memory.7z", Form::SevenZip),
    ("memory.cab", Form::Cabinet),
];

fn unpacked(path: &Path) -> Result<Vec<u8>, UnpackError> {
    let mut out = Vec::new();
    let Some(packed) = Packed::open(path)? else {
        return Ok(out);
    };
    let len = packed.unpack(&mut out)?;
    assert_eq!(len, out.len() as u64);
    Ok(out)
}

#[test]
fn what_other_programs_packed_comes_out() {
    let dump = dump();
    for (name, form) in FORMS {
        let path = fixtures().join("packed").join(name);
        let packed = Packed::open(&path).unwrap().unwrap();
        assert_eq!(packed.form(), form);
        let archive = matches!(form, Form::Zip | Form::SevenZip | Form::Cabinet);
        assert_eq!(packed.member(), archive.then_some("memory.dmp"), "{name}");
        assert_eq!(packed.len(), archive.then_some(dump.len() as u64), "{name}");
        assert!(unpacked(&path).unwrap() == dump, "{name}");
    }
}

#[test]
fn several_streams_behind_each_other_are_one_dump() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("twice");
    let dump = dump();
    for (name, _) in FORMS.into_iter().take(4) {
        let packed = fs::read(fixtures().join("packed").join(name)).unwrap();
        fs::write(&path, [packed.as_slice(), &packed].concat()).unwrap();
        let out = unpacked(&path).unwrap();
        assert!(out == [dump.as_slice(), &dump].concat(), "{name}");
    }
}

#[test]
fn frames_to_be_skipped_are() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("skipped.zst");
    let packed = fs::read(fixtures().join("packed/memory.dmp.zst")).unwrap();
    // RFC 8878, 3.1.2: a magic of 184d2a50 to 184d2a5f, the length, as many bytes.
    let skippable = [0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3];
    fs::write(&path, [packed.as_slice(), &skippable, &packed].concat()).unwrap();
    assert_eq!(unpacked(&path).unwrap().len(), dump().len() * 2);
    fs::write(&path, [packed.as_slice(), &skippable[..10]].concat()).unwrap();
    assert!(matches!(unpacked(&path), Err(UnpackError::Damaged { .. })));
}

#[test]
fn what_is_encrypted_is_told_from_what_is_damaged() {
    let error = unpacked(&fixtures().join("packed/encrypted.7z")).unwrap_err();
    assert!(error.to_string().ends_with("it is encrypted"), "{error}");
}

/// A cut or damaged file gives an error or the dump: never other bytes.
#[test]
fn nothing_of_a_damaged_file_is_taken_for_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("damaged");
    let dump = dump();
    for (name, _) in FORMS {
        let whole = fs::read(fixtures().join("packed").join(name)).unwrap();
        let check = |bytes: &[u8], what: &str| {
            fs::write(&path, bytes).unwrap();
            match unpacked(&path) {
                Ok(out) => assert!(out == dump || out.is_empty(), "{name}, {what}"),
                Err(UnpackError::Out { .. }) => panic!("{name}, {what}: nothing failed to be written"),
                Err(_) => {}
            }
        };
        for len in (0..whole.len()).step_by(whole.len() / 40) {
            check(&whole[..len], &format!("cut at {len}"));
        }
        for at in (0..whole.len()).step_by(whole.len() / 60).chain(0..64) {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x41;
            check(&bytes, &format!("{at} changed"));
        }
    }
}
