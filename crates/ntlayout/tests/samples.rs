//! PDBs of Microsoft's linker, against what `llvm-pdbutil dump` shows of them (recorded by hand). Runs where
//! the shared material is present beside the repository.

mod common;

use common::shared;
use ntlayout::{Pdb, SymbolTable, TypeInfo};

fn sample(name: &str) -> Option<Pdb> {
    Some(Pdb::open(&shared("samples")?.join(name)).unwrap())
}

/// Offset, name and printed type of each member.
fn rows(pdb: &Pdb, name: &str) -> (u32, Vec<(u32, String, String)>) {
    let TypeInfo { size, members, .. } = pdb.type_info(name).unwrap().unwrap();
    (
        size,
        members
            .into_iter()
            .map(|member| (member.offset, member.name, member.type_name))
            .collect(),
    )
}

fn row(offset: u32, name: &str, ty: &str) -> (u32, String, String) {
    (offset, name.to_owned(), ty.to_owned())
}

#[test]
fn an_x64_pdb() {
    let Some(pdb) = sample("xcpt4.pdb") else { return };
    let identity = pdb.identity().unwrap();
    assert_eq!(
        identity.to_string(),
        "xcpt4.pdb/C8C2329E0E9949E68B6F132BECA69E7E1"
    );
    assert_eq!(pdb.pointer_size(), Some(8));
    // dump -types: 0x1014 with field list 0x1011; 0x112E with 0x1129; 0x1027.
    let exception_record = vec![
        row(0, "ExceptionCode", "Uint4B"),
        row(4, "ExceptionFlags", "Uint4B"),
        row(8, "ExceptionRecord", "Ptr64 _EXCEPTION_RECORD"),
        row(16, "ExceptionAddress", "Ptr64 Void"),
        row(24, "NumberParameters", "Uint4B"),
        row(32, "ExceptionInformation", "[15] Uint8B"),
    ];
    assert_eq!(rows(&pdb, "_EXCEPTION_RECORD"), (152, exception_record));
    assert_eq!(
        rows(&pdb, "_M128A"),
        (16, vec![row(0, "Low", "Uint8B"), row(8, "High", "Int8B")])
    );
    assert_eq!(pdb.type_info("_CONTEXT").unwrap().unwrap().size, 1232);
    // dump -types: 0x1008 and 0x1009.
    let priorities = pdb.enum_info("_TP_CALLBACK_PRIORITY").unwrap().unwrap();
    let expected = [
        ("HIGH", 0),
        ("NORMAL", 1),
        ("LOW", 2),
        ("INVALID", 3),
        ("COUNT", 3),
    ];
    let expected = expected.map(|(name, value)| (format!("TP_CALLBACK_PRIORITY_{name}"), value));
    assert_eq!(priorities, expected);
    // dump -publics: 0001:4096 and 0003:0008; dump -section-headers: 1000 and A000.
    assert_eq!(pdb.global("main").unwrap(), Some(0x2000));
    assert_eq!(pdb.global("__security_cookie_complement").unwrap(), Some(0xa008));
    // 0007:0256 in an image of six sections.
    assert_eq!(pdb.global("__guard_flags").unwrap(), None);
}

#[test]
fn an_x86_pdb() {
    let Some(pdb) = sample("SimplePDB.pdb") else {
        return;
    };
    let identity = pdb.identity().unwrap();
    assert_eq!(identity.guid.to_string(), "1516D2A3E6864C06BD82C50FBE615236");
    // dump -summary and pdb2yaml -dbi-stream show the same age.
    assert_eq!(identity.age, 3);
    assert!(pdb.belongs_to(identity.guid, 3) && !pdb.belongs_to(identity.guid, 2));
    assert_eq!(pdb.pointer_size(), Some(4));
    // dump -types: 0x1005 with field list 0x1004.
    let members = vec![
        row(0, "locinfo", "Ptr32 threadlocaleinfostruct"),
        row(4, "mbcinfo", "Ptr32 threadmbcinfostruct"),
    ];
    assert_eq!(rows(&pdb, "localeinfo_struct"), (8, members));
    // 0001:0016 and 0003:0000; sections at 1000 and 3000. C names are asked for without their underscore.
    assert_eq!(pdb.global("main").unwrap(), Some(0x1010));
    assert_eq!(pdb.global("_main").unwrap(), Some(0x1010));
    assert_eq!(pdb.global("__security_cookie").unwrap(), Some(0x3000));
}

#[test]
fn an_arm64_pdb() {
    let Some(pdb) = sample("ARM64_xcpt4.pdb") else {
        return;
    };
    assert_eq!(pdb.identity().unwrap().key(), "5526BC1BD120496B9462C93F96D330441");
    assert_eq!(pdb.pointer_size(), Some(8));
    // dump -types: 0x10E9 is a forward reference to the definition 0x1250.
    assert!(pdb.type_info("_CONTEXT").unwrap().unwrap().size > 512);
    assert_eq!(pdb.global("main").unwrap(), Some(0x1000 + 5408));
}

#[test]
fn a_damaged_pdb_is_refused() {
    let Some(path) = shared("samples/fuzzed.pdb") else {
        return;
    };
    // llvm-pdbutil: "Block map address is invalid".
    let error = Pdb::open(&path).unwrap_err();
    assert!(["pdb-corrupt", "pdb-truncated"].contains(&error.id()), "{error}");
    assert!(error.to_string().contains("fuzzed.pdb"), "{error}");
}

#[test]
fn dumps_are_no_pdbs() {
    for name in ["triage_x64.dmp", "user_minidump.dmp"] {
        let Some(path) = shared("samples").map(|folder| folder.join(name)) else {
            return;
        };
        assert_eq!(Pdb::open(&path).unwrap_err().id(), "not-a-pdb");
    }
}
