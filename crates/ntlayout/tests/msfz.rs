//! PDBs in Microsoft's compressed container, as Microsoft's own writer makes them.
//!
//! The files in `data` hold the streams of the published case's PDB, of 2026-11-30, copied one by one by the crates
//! `ms-pdb-msf` 0.1.7 (reading) and `ms-pdb-msfz` 0.1.10 (writing) of Microsoft's pdb-rs: `zstd.msfz` with one chunk by
//! Zstandard, `deflate.msfz` with chunks of 1 KiB by Deflate, so that streams go on from chunk to chunk; each fifth stream of
//! both is stored as it is.
#![cfg(feature = "symbols-msfz")]

use std::fs;
use std::path::{Path, PathBuf};

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(name)
}

#[test]
fn what_microsofts_writer_packed_is_read() {
    for name in ["zstd.msfz", "deflate.msfz"] {
        let table = ntlayout::open(&data(name)).unwrap();
        let identity = table.identity().unwrap();
        // The published case's: ntoskrnl of 6.0.6002.
        let plain = ntlayout::open(&fixture()).unwrap();
        assert_eq!(identity.guid, plain.identity().unwrap().guid);
        assert_eq!(identity.age, plain.identity().unwrap().age);
        for ty in ["_EPROCESS", "_ALPC_PORT", "_KALPC_MESSAGE", "_ETHREAD"] {
            let (packed, plain) = (table.type_info(ty).unwrap(), plain.type_info(ty).unwrap());
            assert!(packed.is_some(), "{name}: {ty}");
            assert_eq!(format!("{packed:?}"), format!("{plain:?}"), "{name}: {ty}");
        }
    }
}

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/vista-sp2-x64.pdb")
}

/// Any cut and any changed byte is an error or leaves what is read as it was: chunks have no checksums, so that a changed
/// byte may change names, but nothing else happens.
#[test]
fn damage_is_an_error_and_no_crash() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ntkrnlmp.pdb");
    for name in ["zstd.msfz", "deflate.msfz"] {
        let whole = fs::read(data(name)).unwrap();
        for len in (0..whole.len()).step_by(499) {
            fs::write(&path, &whole[..len]).unwrap();
            assert!(ntlayout::open(&path).is_err(), "{name} cut to {len}");
        }
        // Header, directory and table of chunks, word by word.
        let places = (32..80).chain(whole.len() - 0x200..whole.len());
        for at in places {
            for value in [0, 0xff] {
                let mut changed = whole.clone();
                changed[at] = value;
                fs::write(&path, &changed).unwrap();
                if let Ok(table) = ntlayout::open(&path) {
                    let _ = table.type_info("_EPROCESS");
                }
            }
        }
    }
}
