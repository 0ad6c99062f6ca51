//! Packs: what a contract resolved to, written and read again; damaged ones are refused or read, never a panic.

mod common;

use std::fs;

use common::{field, leak, open, synthetic};
use ntlayout::{Certainty, Contract, GlobalSpec, Missing, Need, SymbolTable, pack};

fn contract() -> Contract {
    let fields =
        ["u1.s1.Type", "MainQueue", "OwnerProcess", "NoSuchField"].map(|path| field("_ALPC_PORT", path));
    let more = [field("_EPROCESS", "ImageFileName"), field("_NONE", "A")];
    let globals = ["PsActiveProcessHead", "AlpcpPortList", "None"].map(|name| GlobalSpec {
        name,
        need: Need::Optional,
    });
    Contract {
        fields: leak(&[&fields[..], &more[..]].concat()),
        types: &["_ALPC_PORT", "_EPROCESS", "_NONE"],
        globals: leak(&globals),
    }
}

#[test]
fn a_pack_resolves_as_its_source_did() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kernel.layouts");
    let contract = contract();
    for kernel in ["vista-sp2-x64", "win11-21h2-x64", "vista-sp2-x86"] {
        let pdb = open(synthetic(kernel));
        let source = pdb.resolve(&contract).unwrap();
        fs::write(
            &path,
            pack(&contract, &source, pdb.pointer_size().unwrap()).unwrap(),
        )
        .unwrap();
        let table = ntlayout::open(&path).unwrap();
        let layout = table.resolve(&contract).unwrap();
        assert_eq!(table.pointer_size(), pdb.pointer_size());
        assert_eq!(layout.identity(), source.identity());
        assert_eq!(layout.missing(), source.missing());
        assert_eq!(layout.certainty(), Certainty::Exact);
        for index in 0..contract.fields.len() {
            assert_eq!(layout.field(index), source.field(index));
        }
        for index in 0..contract.types.len() {
            assert_eq!(layout.type_size(index), source.type_size(index));
        }
        for index in 0..contract.globals.len() {
            assert_eq!(layout.global(index), source.global(index));
        }
        assert_eq!(
            table.type_info("_ALPC_PORT").unwrap_err().id(),
            "symbols-no-whole-types"
        );
    }
}

/// A newer program asks for more than an older one packed: that is missing, and not just not there.
#[test]
fn what_a_pack_does_not_tell_of_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kernel.layouts");
    let pdb = open(synthetic("win11-21h2-x64"));
    let source = pdb.resolve(&contract()).unwrap();
    fs::write(&path, pack(&contract(), &source, 8).unwrap()).unwrap();
    let mut more = field("_ALPC_PORT", "SequenceNo");
    more.need = Need::Optional;
    let later = Contract {
        fields: leak(&[more]),
        types: &["_ALPC_PORT"],
        globals: &[],
    };
    let layout = ntlayout::open(&path).unwrap().resolve(&later).unwrap();
    assert!(matches!(
        layout.missing(),
        [Missing::Field {
            name: "SequenceNo",
            ..
        }]
    ));
}

/// What a pack does not tell, a pack of that pack does not tell either: neither as there nor as not there.
#[test]
fn a_pack_of_a_pack_tells_as_much() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kernel.layouts");
    let rest = "globals\nkernel 8 6.0.6002.18005 ntkrnlmp.pdb 0CE4A95C0CD782A7596B034D7296E585 1\ntypes 0 0 -\nrvas\n";
    let types =
        "type _ALPC_PORT Other\nlayout 1b0 18:8\ntype _EPROCESS ImageFileName\nlayout 8 -\ntype _NONE A\n";
    fs::write(&path, format!("ntlayout 1\n{types}{rest}")).unwrap();
    let contract = contract();
    let first = ntlayout::open(&path).unwrap().resolve(&contract).unwrap();
    fs::write(&path, pack(&contract, &first, 8).unwrap()).unwrap();
    let again = ntlayout::open(&path).unwrap().resolve(&contract).unwrap();
    for layout in [first, again] {
        let untold: Vec<bool> = (0..6).map(|index| layout.is_untold(index)).collect();
        assert_eq!(untold, [true, true, true, true, false, false]);
        let sizes: Vec<Option<u32>> = (0..3).map(|index| layout.type_size(index)).collect();
        assert_eq!(sizes, [Some(0x1b0), Some(8), None]);
    }
}

/// A bit field that reaches beyond its unit is none.
#[test]
fn bit_fields_end_within_their_unit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kernel.layouts");
    let rest =
        "globals\nkernel 8 6.0.6002.18005 ntkrnlmp.pdb 0CE4A95C0CD782A7596B034D7296E585 1\ntypes 0\nrvas\n";
    for (place, is_one) in [
        ("1a0:4:1:2", true),
        ("1a0:4:1e:2", true),
        ("1a0:4:1f:2", false),
        ("1a0:8:30:10", true),
        ("1a0:8:31:10", false),
        ("1a0:4:0:0", false),
        ("1a0:10:3f:2", false),
    ] {
        let types = format!("type _ALPC_PORT u1.s1.Type\nlayout 1b0 {place}\n");
        fs::write(&path, format!("ntlayout 1\n{types}{rest}")).unwrap();
        assert_eq!(ntlayout::open(&path).is_ok(), is_one, "{place}");
    }
}

#[test]
fn damaged_packs_never_panic() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kernel.layouts");
    let contract = contract();
    let pdb = open(synthetic("win11-21h2-x64"));
    let whole = pack(&contract, &pdb.resolve(&contract).unwrap(), 8)
        .unwrap()
        .into_bytes();
    let mut state = 3u64;
    let mut next = |end: usize| {
        state = state
            .wrapping_mul(0x5851_f42d_4c95_7f2d)
            .wrapping_add(0x1405_7b7e_f767_814f);
        usize::try_from(state >> 33).unwrap() % end
    };
    for _ in 0..2000 {
        let mut bytes = whole.clone();
        for _ in 0..=next(4) {
            let at = next(bytes.len() - 11) + 11;
            bytes[at] = b"0 -:f9\nx\xff\0"[next(10)];
        }
        bytes.truncate(11 + next(whole.len()));
        fs::write(&path, &bytes).unwrap();
        if let Ok(table) = ntlayout::open(&path) {
            drop(table.resolve(&contract));
        }
    }
}
