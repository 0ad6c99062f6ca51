//! Any bytes as a PDB: its headers, the walker's whole contract, types, enumerations and globals by name.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ntlayout::{Pdb, SymbolTable};

fuzz_target!(|data: &[u8]| {
    let Ok(pdb) = Pdb::from_bytes("fuzz.pdb", data.to_vec()) else {
        return;
    };
    let identity = pdb.identity().expect("a PDB has an identity");
    assert!(pdb.belongs_to(identity.guid, identity.age));
    let _ = pdb.pointer_size();

    let contract = &alpc::CONTRACT;
    let resolved = pdb.resolve(contract);
    for name in contract
        .types
        .iter()
        .chain(&["_EPROCESS", "_LARGE_INTEGER", "", "<unnamed-tag>"])
    {
        let _ = pdb.type_info(name);
        let _ = pdb.enum_info(name);
    }
    let _ = pdb.enum_info("_KWAIT_REASON");
    for (number, spec) in contract.globals.iter().enumerate() {
        let rva = pdb.global(spec.name);
        if let (Ok(layout), Ok(rva)) = (&resolved, rva) {
            assert_eq!(layout.global(number), rva, "{}", spec.name);
        }
    }
    if let Ok(layout) = &resolved {
        for (number, spec) in contract.fields.iter().enumerate() {
            check_field(layout, number, spec.name);
        }
        // What was read before is remembered, and means the same.
        let again = pdb.resolve(contract).expect("it was resolved before");
        assert_eq!(format!("{again:?}"), format!("{layout:?}"));
    }
    std::hint::black_box(pdb.unknown_records());
});

fn check_field(layout: &ntlayout::Layout, number: usize, name: &str) {
    if let Some(bits) = layout.field(number).and_then(|field| field.bits) {
        let end = u32::from(bits.position) + u32::from(bits.length);
        assert!(bits.length > 0 && end <= 64, "{name}: {bits:?}");
    }
}
