//! Finding the PDB of an identity, and never another one.

mod common;

use std::fs;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

use common::synthetic;
use ntlayout::{Found, Guid, Identity, Looked, NotFound, Outcome, Place, find, find_enough};
use synth::layout::Kernel;
use tempfile::TempDir;

const KERNEL: &str = "win11-21h2-x64";
const OTHER: &str = "vista-sp2-x64";

fn wanted() -> Identity {
    let kernel = Kernel::named(KERNEL);
    Identity {
        pdb_name: "ntkrnlmp.pdb".into(),
        guid: Guid(kernel.guid()),
        age: kernel.age(),
    }
}

fn put(folder: &TempDir, path: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.path().join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, bytes).unwrap();
    path
}

fn paths(paths: &[PathBuf]) -> Vec<Place> {
    paths.iter().cloned().map(Place::Path).collect()
}

fn found_at(places: &[PathBuf]) -> PathBuf {
    let Found { table, .. } = find(&wanted(), &paths(places)).unwrap();
    assert_eq!(table.identity().unwrap().guid, wanted().guid);
    let ntlayout::Origin::Pdb { path } = table.origin() else {
        panic!("{}", table.origin())
    };
    path.clone()
}

fn missed(places: &[PathBuf]) -> Vec<Looked> {
    let NotFound {
        wanted: asked,
        looked,
    } = find(&wanted(), &paths(places)).unwrap_err();
    assert_eq!(asked, wanted());
    looked
}

fn outcome<'a>(looked: &'a [Looked], path: &Path) -> &'a Outcome {
    &looked
        .iter()
        .find(|looked| looked.path == path)
        .unwrap_or_else(|| panic!("{looked:#?}"))
        .outcome
}

#[test]
fn a_file_is_taken_under_any_name() {
    let folder = TempDir::new().unwrap();
    let file = put(&folder, "kernel.bin", &synthetic(KERNEL));
    assert_eq!(found_at(std::slice::from_ref(&file)), file);
}

#[test]
fn folders_are_looked_through_in_every_way() {
    let key = wanted().key();
    let paths = [
        "ntkrnlmp.pdb".to_owned(),
        "NtKrnlMp.PDB".to_owned(),
        format!("ntkrnlmp.pdb/{key}/ntkrnlmp.pdb"),
        format!("NTKRNLMP.pdb/{}/NTKRNLMP.PDB", key.to_lowercase()),
        "renamed by hand.pdb".to_owned(),
        "Symbols/PDB/ntkrnlmp.pdb".to_owned(),
        "pdb/ntkrnlmp.pdb".to_owned(),
        format!("nt/ntkrnlmp.pdb/{key}/ntkrnlmp.pdb"),
    ];
    for path in paths {
        let folder = TempDir::new().unwrap();
        let file = put(&folder, &path, &synthetic(KERNEL));
        put(&folder, "aaa.pdb", &synthetic(OTHER));
        put(&folder, "notes.txt", b"nothing");
        assert_eq!(found_at(&[folder.path().to_owned()]), file);
    }
}

#[test]
fn places_are_tried_in_order() {
    let (one, two) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let other = put(&one, "ntkrnlmp.pdb", &synthetic(OTHER));
    let file = put(&two, "ntkrnlmp.pdb", &synthetic(KERNEL));
    let places = paths(&[one.path().to_owned(), two.path().to_owned()]);
    let Found { table, looked, .. } = find(&wanted(), &places).unwrap();
    assert_eq!(table.origin().to_string(), format!("PDB {}", file.display()));
    assert!(matches!(outcome(&looked, &other), Outcome::Other(_)));
}

#[test]
fn another_identity_is_named_and_never_returned() {
    let folder = TempDir::new().unwrap();
    let key = wanted().key();
    let direct = put(&folder, "ntkrnlmp.pdb", &synthetic(OTHER));
    let misfiled = put(
        &folder,
        &format!("store/ntkrnlmp.pdb/{key}/ntkrnlmp.pdb"),
        &synthetic(OTHER),
    );
    let looked = missed(&[folder.path().to_owned(), folder.path().join("store")]);
    for path in [&direct, &misfiled] {
        let Outcome::Other(Some(identity)) = outcome(&looked, path) else {
            panic!("{looked:#?}")
        };
        assert_eq!(identity.guid.0, Kernel::named(OTHER).guid());
    }
    let text = looked
        .iter()
        .find(|looked| looked.path == direct)
        .unwrap()
        .to_string();
    assert!(
        text.contains(&Guid(Kernel::named(OTHER).guid()).to_string()),
        "{text}"
    );
}

/// A cabinet with one file in it, as `compress.exe` of symbol stores makes it.
fn cabinet(name: &str, bytes: &[u8]) -> Vec<u8> {
    let mut builder = cab::CabinetBuilder::new();
    builder.add_folder(cab::CompressionType::MsZip).add_file(name);
    let mut writer = builder.build(Cursor::new(Vec::new())).unwrap();
    while let Some(mut file) = writer.next_file().unwrap() {
        Write::write_all(&mut file, bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

#[test]
fn compressed_files_are_expanded() {
    let key = wanted().key();
    let bytes = cabinet("ntkrnlmp.pdb", &synthetic(KERNEL));
    assert!(bytes.len() < synthetic(KERNEL).len());
    for path in [
        "ntkrnlmp.pd_".to_owned(),
        format!("ntkrnlmp.pdb/{key}/ntkrnlmp.pd_"),
    ] {
        let folder = TempDir::new().unwrap();
        let file = put(&folder, &path, &bytes);
        assert_eq!(found_at(&[folder.path().to_owned()]), file);
        let table = ntlayout::open(&file).unwrap();
        assert_eq!(table.identity(), Some(&wanted()));
    }
}

/// A small cabinet with the other kind of compression (LZX), as `makecab` makes it: one file of fifteen bytes.
fn lzx() -> Vec<u8> {
    let text = "4d534346000000007f0000000000000\
                02c000000000000000301010001000000\
                2d050000430000000100031\
                30f000000000000000000215\
                30db2200068692e74787400\
                5cef2ac734001f005b80808d0030f0011000000001000000010000004865\
                6c6c6f2c20776f726c64210d0a53656520796f75206c61746572210d0a00";
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

#[test]
fn damaged_cabinets_never_panic() {
    let folder = TempDir::new().unwrap();
    let error = ntlayout::open(&put(&folder, "x.pd_", &lzx())).unwrap_err();
    assert_eq!(error.id(), "not-a-pdb", "{error}");
    let mut state = 1u64;
    let mut next = |end: usize| {
        state = state
            .wrapping_mul(0x5851_f42d_4c95_7f2d)
            .wrapping_add(0x1405_7b7e_f767_814f);
        usize::try_from(state >> 33).unwrap() % end
    };
    for (whole, rounds) in [(cabinet("ntkrnlmp.pdb", &synthetic(OTHER)), 30), (lzx(), 3000)] {
        for round in 0..rounds {
            let mut bytes = whole.clone();
            let end = if round % 2 == 0 { 120 } else { bytes.len() };
            for _ in 0..=next(6) {
                let at = next(end).max(4);
                bytes[at] = next(256).to_le_bytes()[0];
            }
            // Without its checksum a block is expanded whatever it holds.
            if whole.len() < 200 {
                bytes[0x43..0x47].fill(0);
            }
            let file = put(&folder, "ntkrnlmp.pd_", &bytes);
            drop(ntlayout::open(&file));
            bytes.truncate(next(whole.len()).max(4));
            drop(ntlayout::open(&put(&folder, "ntkrnlmp.pd_", &bytes)));
        }
    }
}

#[test]
fn pointers_of_a_store_are_followed_on_this_machine_only() {
    let folder = TempDir::new().unwrap();
    let pointer = format!("ntkrnlmp.pdb/{}/file.ptr", wanted().key());
    let file = put(&folder, "elsewhere/x.bin", &synthetic(KERNEL));
    put(
        &folder,
        &pointer,
        format!("PATH:{}\r\n", file.display()).as_bytes(),
    );
    let store = [Place::Store(folder.path().to_owned())];
    let found = find(&wanted(), &store).unwrap();
    assert_eq!(
        found.table.origin().to_string(),
        format!("PDB {}", file.display())
    );
    for target in [
        r"\\server\share\x.pdb",
        "//server/share/x.pdb",
        r"\/server\share\x.pdb",
        r"/\server\share\x.pdb",
        r"\??\UNC\server\share\x.pdb",
        r"\\?\UNC\server\share\x.pdb",
        r"\\.\pipe\x",
        "https://server/x.pdb",
    ] {
        put(&folder, &pointer, format!("PATH:{target}").as_bytes());
        let looked = find(&wanted(), &store).unwrap_err().looked;
        assert_eq!(looked.len(), 2);
        assert!(matches!(&looked[0].outcome, Outcome::PointsTo(path) if path == target));
        assert_eq!(looked[1].path, Path::new(target));
        assert!(matches!(looked[1].outcome, Outcome::Remote));
    }
    let absent = folder.path().join("nowhere.pdb");
    put(&folder, &pointer, format!("PATH:{}", absent.display()).as_bytes());
    let looked = find(&wanted(), &store).unwrap_err().looked;
    assert!(matches!(outcome(&looked, &absent), Outcome::Absent));
    // A pointer to a pointer is not followed.
    put(
        &folder,
        &pointer,
        format!("PATH:{}", folder.path().join(&pointer).display()).as_bytes(),
    );
    let looked = find(&wanted(), &store).unwrap_err().looked;
    assert!(matches!(&looked[1].outcome, Outcome::Unusable(error) if error.id() == "pdb-is-file-pointer"));
}

/// The right symbols, where a pointer that leaves the places would find them.
#[test]
fn pointers_of_a_store_stay_in_the_places() {
    let (store, elsewhere) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let pointer = format!("ntkrnlmp.pdb/{}/file.ptr", wanted().key());
    let file = put(&elsewhere, "x.pdb", &synthetic(KERNEL));
    let [store_path, elsewhere_path] = [&store, &elsewhere].map(|folder| folder.path().to_owned());
    let around = store_path.join("..").join(elsewhere_path.file_name().unwrap());
    for target in [file, around.join("x.pdb")] {
        let text = format!("PATH:{}", target.display());
        let pointer = put(&store, &pointer, text.as_bytes());
        for place in [Place::Store, Place::Path, Place::Beside] {
            let looked = find(&wanted(), &[place(store_path.clone())]).unwrap_err().looked;
            assert!(
                matches!(outcome(&looked, &pointer), Outcome::LeadsOut(path) if *path == target.to_string_lossy()),
                "{looked:#?}"
            );
            // Whoever named the other folder as well may be led there.
            let places = [place(store_path.clone()), Place::Store(elsewhere_path.clone())];
            assert!(find(&wanted(), &places).is_ok());
        }
    }
    // What is no file is not read.
    put(
        &store,
        &pointer,
        format!("PATH:{}", store_path.display()).as_bytes(),
    );
    let looked = find(&wanted(), &[Place::Store(store_path.clone())])
        .unwrap_err()
        .looked;
    assert!(matches!(outcome(&looked, &store_path), Outcome::Unusable(_)));
}

/// A dump can be packed together with links: they lead no further than what was given. In folders that somebody
/// named for their symbols links are that somebody's.
#[cfg(unix)]
#[test]
fn links_beside_the_dump_stay_there() {
    use std::os::unix::fs::symlink;
    let key = wanted().key();
    let elsewhere = TempDir::new().unwrap();
    let file = put(&elsewhere, "x.pdb", &synthetic(KERNEL));
    let stored = put(
        &elsewhere,
        &format!("store/{key}/ntkrnlmp.pdb"),
        &synthetic(KERNEL),
    );
    let stored = stored.parent().unwrap().parent().unwrap();
    for (to, name) in [
        (file.as_path(), "ntkrnlmp.pdb"),
        (&file, "other.pdb"),
        (stored, "ntkrnlmp.pdb"),
    ] {
        let dumps = TempDir::new().unwrap();
        let link = dumps.path().join(name);
        symlink(to, &link).unwrap();
        let beside = Place::Beside(dumps.path().to_owned());
        let looked = find(&wanted(), std::slice::from_ref(&beside)).unwrap_err().looked;
        assert!(
            matches!(outcome(&looked, &link), Outcome::LeadsOut(_)),
            "{looked:#?}"
        );
        let given = Place::Path(elsewhere.path().join("nothing of the kind"));
        assert!(find(&wanted(), &[beside.clone(), given]).is_err());
        let given = Place::Path(elsewhere.path().to_owned());
        assert!(find(&wanted(), &[beside, given]).is_ok());
        assert!(find(&wanted(), &[Place::Path(dumps.path().to_owned())]).is_ok());
    }
    for to in ["//server/share/x.pdb", r"\??\UNC\server\share"] {
        for place in [Place::Beside, Place::Path, Place::Store] {
            let folder = TempDir::new().unwrap();
            let link = folder.path().join("ntkrnlmp.pdb");
            symlink(to, &link).unwrap();
            let looked = find(&wanted(), &[place(folder.path().to_owned())])
                .unwrap_err()
                .looked;
            assert!(matches!(outcome(&looked, &link), Outcome::Remote), "{looked:#?}");
        }
        let folder = TempDir::new().unwrap();
        let link = folder.path().join("symbols");
        symlink(to, &link).unwrap();
        assert!(matches!(
            outcome(&missed(std::slice::from_ref(&link)), &link),
            Outcome::Remote
        ));
    }
}

#[test]
fn servers_are_named_and_not_asked() {
    let url = "https://msdl.microsoft.com/download/symbols";
    let looked = find(&wanted(), &[Place::Remote(url.to_owned())])
        .unwrap_err()
        .looked;
    assert!(matches!(outcome(&looked, Path::new(url)), Outcome::Remote));
}

#[test]
fn another_age_is_another_pdb() {
    let folder = TempDir::new().unwrap();
    let file = put(&folder, "ntkrnlmp.pdb", &synthetic(KERNEL));
    let older = Identity {
        age: wanted().age + 1,
        ..wanted()
    };
    let NotFound { looked, .. } = find(&older, &paths(std::slice::from_ref(&file))).unwrap_err();
    assert!(
        matches!(outcome(&looked, &file), Outcome::Other(Some(identity)) if identity.age == wanted().age)
    );
}

#[test]
fn the_age_of_the_dbi_stream_counts_and_that_of_the_info_stream_is_accepted() {
    let folder = TempDir::new().unwrap();
    let mut bytes = synthetic(KERNEL);
    // The info stream is the only place where the age stands before the GUID.
    let start = [&wanted().age.to_le_bytes()[..], &wanted().guid.0].concat();
    let at = bytes.windows(20).position(|window| window == start).unwrap();
    bytes[at..at + 4].copy_from_slice(&77u32.to_le_bytes());
    let file = put(&folder, "ntkrnlmp.pdb", &bytes);
    for (age, belongs) in [
        (wanted().age, true),
        (77, true),
        (76, false),
        (78, false),
        (0, false),
    ] {
        let asked = Identity { age, ..wanted() };
        assert_eq!(
            find(&asked, &paths(std::slice::from_ref(&file))).is_ok(),
            belongs,
            "{age}"
        );
    }
    assert_eq!(found_at(std::slice::from_ref(&file)), file);
}

#[test]
fn what_is_no_pdb_is_told_with_its_path() {
    let folder = TempDir::new().unwrap();
    let page = put(&folder, "ntkrnlmp.pdb", b"<!DOCTYPE html><title>404</title>");
    let looked = missed(&[folder.path().to_owned()]);
    assert!(matches!(outcome(&looked, &page), Outcome::Unusable(error) if error.id() == "pdb-html"));
    let absent = folder.path().join("nowhere");
    assert!(matches!(
        outcome(&missed(std::slice::from_ref(&absent)), &absent),
        Outcome::Absent
    ));
}

#[test]
fn an_empty_folder_says_where_the_pdb_was_expected() {
    let folder = TempDir::new().unwrap();
    let looked = missed(&[folder.path().to_owned()]);
    assert!(matches!(
        outcome(&looked, &folder.path().join("ntkrnlmp.pdb")),
        Outcome::Absent
    ));
    let store = folder.path().join("ntkrnlmp.pdb");
    fs::create_dir(&store).unwrap();
    let looked = missed(&[folder.path().to_owned()]);
    let expected = store.join(wanted().key()).join("ntkrnlmp.pdb");
    assert!(matches!(outcome(&looked, &expected), Outcome::Absent));
}

#[test]
fn the_shared_store_is_a_symbol_store() {
    let Some(store) = common::shared("worlds/syms") else {
        return;
    };
    let guid: Guid = "0CE4A95C0CD782A7596B034D8648E585".parse().unwrap();
    let wanted = Identity {
        pdb_name: "NTKRNLMP.PDB".into(),
        guid,
        age: 1,
    };
    let found = find(&wanted, &[Place::Store(store)]).unwrap();
    assert_eq!(found.table.identity().unwrap().guid, guid);
}

/// An ISF table of nothing but its identity, as `find` needs it.
fn isf() -> String {
    let Identity { pdb_name, guid, age } = wanted();
    format!(
        r#"{{"base_types": {{"pointer": {{"size": 8, "signed": false, "kind": "int", "endian": "little"}}}},
        "enums": {{}}, "user_types": {{}}, "symbols": {{}}, "metadata": {{"format": "6.2.0", "windows": {{"pdb":
        {{"database": "{pdb_name}", "GUID": "{guid}", "age": {age}, "machine_type": 34404}}}}}}}}"#
    )
}

#[test]
fn tables_are_found_under_other_names_and_with_a_mark_before_them() {
    let key = wanted().key();
    let lower = key.to_ascii_lowercase();
    for name in [
        "ntkrnlmp.json",
        &format!("{key}.json"),
        &format!("{lower}.json"),
        "NTKRNLMP.PDB.json",
    ] {
        for mark in ["", "\u{feff}"] {
            let folder = TempDir::new().unwrap();
            let file = put(&folder, name, format!("{mark}{}", isf()).as_bytes());
            let found = find(&wanted(), &paths(&[folder.path().to_owned()])).unwrap();
            assert_eq!(found.table.origin().path(), Some(file.as_path()));
        }
    }
}

#[test]
fn what_is_passed_over_is_told() {
    let folder = TempDir::new().unwrap();
    let other = put(&folder, "other.json", isf().as_bytes());
    let zip = put(&folder, "windows.zip", b"PK\x03\x04\x14\0\0\0");
    let bzip = put(&folder, "ntkrnlmp.json.bz2", b"BZh91AY&SY");
    let zstd = put(&folder, "ntkrnlmp.json.zst", b"\x28\xb5\x2f\xfd\0");
    let looked = missed(&[folder.path().to_owned()]);
    assert!(matches!(outcome(&looked, &other), Outcome::PassedOver));
    assert!(
        outcome(&looked, &zstd).to_string().contains("unzstd"),
        "{looked:?}"
    );
    // Named itself, each is told as well, and the table is taken.
    for (file, id) in [
        (&zip, "symbols-damaged"),
        (&bzip, "symbols-damaged"),
        (&zstd, "symbols-in-zstd"),
    ] {
        let looked = missed(std::slice::from_ref(file));
        assert!(
            matches!(outcome(&looked, file), Outcome::Unusable(error) if error.id() == id),
            "{looked:?}"
        );
    }
    assert!(find(&wanted(), &paths(&[other])).is_ok());
}

/// An archive of tables, as Volatility publishes them, written by another program than the one that reads it here.
fn archive(name: &str, bytes: &[u8]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let stored = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for other in 0..50 {
        zip.start_file(format!("symbols/windows/x/{other}.json"), stored)
            .unwrap();
        zip.write_all(b"{}").unwrap();
    }
    let deflated = stored.compression_method(zip::CompressionMethod::Deflated);
    zip.start_file(name, deflated).unwrap();
    zip.write_all(bytes).unwrap();
    zip.finish().unwrap().into_inner()
}

#[test]
fn tables_in_archives_and_in_bzip2_are_read_in_place() {
    let Identity { guid, age, .. } = wanted();
    let mut bz = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::default());
    bz.write_all(isf().as_bytes()).unwrap();
    let bz = bz.finish().unwrap();
    let name = format!("symbols/windows/ntkrnlmp.pdb/{guid}-{age}.json");
    let folder = TempDir::new().unwrap();
    for (end, bytes) in [("", isf().into_bytes()), (".bz2", bz.clone())] {
        let zip = put(&folder, "windows.zip", &archive(&format!("{name}{end}"), &bytes));
        for place in [zip.clone(), folder.path().to_owned()] {
            let found = find(&wanted(), &paths(&[place])).unwrap();
            assert_eq!(found.table.origin().path(), Some(zip.as_path()));
        }
    }
    // Of another kernel: what is not there is said, with how much is.
    let other = put(
        &folder,
        "windows.zip",
        &archive("symbols/windows/ntkrnlmp.pdb/0-1.json", b"{}"),
    );
    let looked = missed(std::slice::from_ref(&other));
    assert!(
        outcome(&looked, &other)
            .to_string()
            .contains("an archive of 51 files"),
        "{looked:?}"
    );
    // Under the right name, and something else.
    let wrong = put(&folder, "windows.zip", &archive(&format!("{name}.xz"), b"{}"));
    let looked = missed(std::slice::from_ref(&wrong));
    assert!(
        matches!(outcome(&looked, &wrong), Outcome::Unusable(_)),
        "{looked:?}"
    );
    let table = put(&folder, "bare/ntkrnlmp.json.bz2", &bz);
    assert!(find(&wanted(), &paths(&[table])).is_ok());
    let table = put(&folder, &format!("named/{guid}-{age}.json.bz2"), &bz);
    let found = find(&wanted(), &paths(&[folder.path().join("named")])).unwrap();
    assert_eq!(found.table.origin().path(), Some(table.as_path()));
}

/// Every cut, and every byte changed in the directory at its end: an error or the table, never a crash.
#[test]
fn damaged_archives_are_errors() {
    let Identity { guid, age, .. } = wanted();
    let whole = archive(&format!("{guid}-{age}.json"), isf().as_bytes());
    let folder = TempDir::new().unwrap();
    let look = |bytes: &[u8]| {
        let zip = put(&folder, "windows.zip", bytes);
        find(&wanted(), &paths(&[zip])).is_ok()
    };
    assert!(look(&whole));
    for end in (0..whole.len()).step_by(37) {
        assert!(!look(&whole[..end]), "cut at {end}");
    }
    for at in (whole.len() - 400..whole.len()).chain((0..whole.len()).step_by(61)) {
        let mut forged = whole.clone();
        forged[at] ^= 0xff;
        look(&forged);
    }
}

#[test]
fn the_search_goes_on_until_it_is_enough() {
    let folder = TempDir::new().unwrap();
    let first = put(&folder, "a/ntkrnlmp.pdb", &synthetic(KERNEL));
    let second = put(&folder, "b/ntkrnlmp.pdb", &synthetic(KERNEL));
    let places = paths(&[first.clone(), first.clone(), folder.path().join("b")]);
    let mut asked = Vec::new();
    let found = find_enough(&wanted(), &places, &mut |table| {
        asked.push(table.origin().path().unwrap().to_owned());
        false
    });
    let found = found.unwrap();
    assert_eq!(found.table.origin().path(), Some(first.as_path()));
    let more: Vec<_> = found
        .more
        .iter()
        .map(|table| table.origin().path().unwrap())
        .collect();
    assert_eq!(more, [second.as_path()]);
    assert_eq!(asked, [first.clone(), second]);
    assert!(matches!(outcome(&found.looked, &first), Outcome::NotEnough));
    let found = find_enough(&wanted(), &places, &mut |_| true).unwrap();
    assert!(found.more.is_empty() && found.looked.is_empty());
}
