//! Any bytes as a symbol file of any kind: an ISF table, plain or compressed, a pack, a cabinet, a PDB. Any text as a
//! symbol path and as an identity.
#![no_main]

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use alpc_dump_fuzz::wrapped::mend;
use libfuzzer_sys::fuzz_target;
use ntlayout::{Guid, Layout, Place, Table};

/// A file of this process, written anew for each input.
static FILE: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = std::env::temp_dir().join(format!("alpc-dump-fuzz-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder for the input");
    folder.join("input")
});

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        check_text(text);
    }
    let mut file = data.to_vec();
    mend(&mut file);
    let Some(table) = open(&file) else { return };
    let identity = table.identity().cloned();
    if let Some(identity) = &identity {
        assert!(table.belongs_to(identity.guid, identity.age));
        let found = ntlayout::find(identity, &[Place::Path(FILE.clone())]).expect("it was just opened");
        assert_eq!(found.table.identity(), Some(identity));
        black_box(ntlayout::built_in(identity).is_some());
    }
    for name in ["_EPROCESS", "_ALPC_PORT", "_LIST_ENTRY", "_LARGE_INTEGER", ""] {
        black_box(format!("{:?}", table.type_info(name)));
        black_box(format!("{:?}", table.enum_info(name)));
    }
    let _ = table.enum_info("_KWAIT_REASON");
    let contract = &alpc::CONTRACT;
    let Ok(layout) = table.resolve(contract) else {
        return;
    };
    for (number, spec) in contract.globals.iter().enumerate() {
        assert_eq!(
            layout.global(number),
            table.global(spec.name).expect("it was just resolved"),
            "{}",
            spec.name
        );
    }
    let again = table.resolve(contract).expect("it was resolved before");
    assert_eq!(format!("{again:?}"), format!("{layout:?}"));
    check_bits(&layout);
    check_pack(&table, &layout);
});

fn open(bytes: &[u8]) -> Option<Table> {
    std::fs::write(&*FILE, bytes).expect("the input is written");
    ntlayout::open(&FILE).ok()
}

fn check_bits(layout: &Layout) {
    for (number, spec) in alpc::CONTRACT.fields.iter().enumerate() {
        if let Some(bits) = layout.field(number).and_then(|field| field.bits) {
            let end = u32::from(bits.position) + u32::from(bits.length);
            assert!(bits.length > 0 && end <= 64, "{}: {bits:?}", spec.name);
        }
    }
}

/// What is packed means the same.
fn check_pack(table: &Table, layout: &Layout) {
    let contract = &alpc::CONTRACT;
    let Some(pointer_size) = table.pointer_size() else {
        return;
    };
    let Ok(pack) = ntlayout::pack(contract, layout, pointer_size) else {
        return;
    };
    let table = open(pack.as_bytes()).expect("a pack opens");
    let packed = table.resolve(contract).expect("a pack resolves");
    assert_eq!(packed.identity(), layout.identity());
    for number in 0..contract.fields.len() {
        let name = contract.fields[number].name;
        assert_eq!(packed.field(number), layout.field(number), "{name}");
        assert_eq!(packed.is_untold(number), layout.is_untold(number), "{name}");
    }
    for number in 0..contract.types.len() {
        assert_eq!(packed.type_size(number), layout.type_size(number));
    }
    for number in 0..contract.globals.len() {
        assert_eq!(packed.global(number), layout.global(number));
    }
}

fn check_text(text: &str) {
    for place in ntlayout::parse_path(text, Some(Path::new("/default"))) {
        match place {
            Place::Path(path) | Place::Store(path) => assert!(path.as_os_str().len() <= text.len().max(8)),
            Place::Remote(server) => assert!(text.contains(&server)),
            _ => {}
        }
    }
    if let Ok(guid) = text.parse::<Guid>() {
        assert_eq!(guid.to_string().parse(), Ok(guid));
    }
}
