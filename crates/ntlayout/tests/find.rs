//! Finding the PDB of an identity, and never another one.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::synthetic;
use ntlayout::{Found, Guid, Identity, Looked, NotFound, Outcome, Search, SymbolTable, find};
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

fn found_at(places: &[PathBuf]) -> PathBuf {
    let Found { table, .. } = find(&wanted(), places).unwrap();
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
    } = find(&wanted(), places).unwrap_err();
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
    let search = Search {
        places: vec![one.path().to_owned(), two.path().to_owned()],
    };
    let Found { table, looked } = search.find(&wanted()).unwrap();
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
        let Outcome::Other(identity) = outcome(&looked, path) else {
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

#[test]
fn another_age_is_another_pdb() {
    let folder = TempDir::new().unwrap();
    let file = put(&folder, "ntkrnlmp.pdb", &synthetic(KERNEL));
    let older = Identity {
        age: wanted().age + 1,
        ..wanted()
    };
    let NotFound { looked, .. } = find(&older, std::slice::from_ref(&file)).unwrap_err();
    assert!(matches!(outcome(&looked, &file), Outcome::Other(identity) if identity.age == wanted().age));
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
            find(&asked, std::slice::from_ref(&file)).is_ok(),
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
    let found = find(&wanted, &[store]).unwrap();
    assert_eq!(found.table.identity().unwrap().guid, guid);
}
