//! Real and independent files, where they are at hand: `../shared` beside the repository.
#![allow(missing_docs)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use kdump::{BaseSource, Dump, DumpKind, OpenError, OpenOptions, debugger_data, kernel_image};

fn shared(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared")
        .join(name);
    path.exists().then_some(path)
}

/// Name, kind, build, pages, and the GUID and age under which the symbols of its kernel are kept.
const WORLDS: &[(&str, DumpKind, u32, u64, &str)] = &[
    ("w11-bmp", BITMAP, 7601, 142, "339E74133576439CBCDF7E0229DA37731"),
    ("w12-bmp", BITMAP, 9600, 107, "F41FBC2F11304765ABA251F16752D8661"),
    ("w13-bmp", BITMAP, 14393, 113, "03A098BC85D047028437D88E4C8BBC6B1"),
    ("w14-bmp", BITMAP, 19041, 93, "5F0CF5D532F385333A9B4ABA25CA65961"),
    (
        "w15-complete",
        RANGES,
        22000,
        145,
        "0CE4A95C0CD782A7596B034D8648E5851",
    ),
    (
        "w16-bmp-holes",
        BITMAP,
        22000,
        146,
        "0CE4A95C0CD782A7596B034D8648E5851",
    ),
];
const BITMAP: DumpKind = DumpKind::BitmapFull;
const RANGES: DumpKind = DumpKind::CompleteRanges;

/// A symbol store's spelling of a GUID and an age.
fn store_key(guid: [u8; 16], age: u32) -> String {
    let (a, b) = (u32::from_le_bytes(guid[..4].try_into().unwrap()), &guid[4..]);
    let rest: String = [b[1], b[0], b[3], b[2]]
        .iter()
        .chain(&b[4..])
        .map(|byte| format!("{byte:02X}"))
        .collect();
    format!("{a:08X}{rest}{age:X}")
}

#[test]
fn independent_worlds_open_and_name_their_kernels() {
    for &(name, kind, build, pages, key) in WORLDS {
        let Some(path) = shared(&format!("worlds/{name}.dmp")) else {
            return;
        };
        for options in [OpenOptions::default(), OpenOptions::default().no_mmap(true)] {
            let dump = Dump::open_with(&path, &options).unwrap();
            assert_eq!(
                (dump.header().kind, dump.header().minor_version),
                (kind, build),
                "{name}"
            );
            assert_eq!(
                (dump.coverage().claimed, dump.coverage().present),
                (pages, pages),
                "{name}"
            );
            assert_eq!(dump.notes(), [], "{name}");
            let image = kernel_image(&dump).unwrap();
            assert_eq!(image.found_by, Some(BaseSource::DebuggerData), "{name}");
            let rsds = image.codeview.unwrap();
            assert_eq!(
                (store_key(rsds.guid, rsds.age).as_str(), rsds.pdb_name.as_str()),
                (key, "ntkrnlmp.pdb")
            );
            let data = debugger_data(&dump).unwrap();
            assert_eq!(data.kern_base, image.base.u64(), "{name}");
            assert_eq!(
                Some(data.ps_active_process_head),
                dump.header().ps_active_process_head.map(u64::from)
            );
            assert_eq!(
                Some(data.ps_loaded_module_list),
                dump.header().ps_loaded_module_list.map(u64::from)
            );
        }
    }
}

#[test]
fn independent_worlds_hold_the_pages_that_the_other_reader_finds() {
    for &(name, ..) in WORLDS {
        let Some(path) = shared(&format!("worlds/{name}.dmp")) else {
            return;
        };
        let bytes = std::fs::read(&path).unwrap();
        let theirs = kdmp_parser::parse::KernelDumpParser::with_reader(std::io::Cursor::new(bytes)).unwrap();
        let theirs: BTreeMap<u64, u64> = theirs
            .physmem()
            .map(|(gpa, offset)| (gpa.pfn(), offset))
            .collect();
        let dump = Dump::open(&path).unwrap();
        let ours: BTreeMap<u64, u64> = dump
            .runs()
            .flat_map(|run| run.base.u64()..run.base.u64() + run.count)
            .map(|pfn| (pfn, dump.frame(pfn.into()).unwrap().0))
            .collect();
        assert_eq!(ours, theirs, "{name}");
    }
}

#[test]
fn the_processes_of_independent_worlds_are_linked_both_ways() {
    for &(name, ..) in WORLDS {
        let Some(path) = shared(&format!("worlds/{name}.dmp")) else {
            return;
        };
        let dump = Dump::open(&path).unwrap();
        let cursor = dump.kernel_space().cursor();
        let head = dump.header().ps_active_process_head.unwrap();
        let (mut at, mut links) = (head, 0);
        loop {
            let next = cursor.pointer(at).unwrap();
            assert_eq!(
                cursor.pointer(kdump::Gva::new(next.u64() + 8)),
                Ok(at),
                "{name}: Blink of {next}"
            );
            at = next;
            links += 1;
            if at == head || links > 1000 {
                break;
            }
        }
        assert!((2..1000).contains(&links), "{name}: {links} links");
    }
}

#[test]
fn files_that_are_no_kernel_dumps_are_named() {
    for (name, what) in [
        ("samples/user_minidump.dmp", "a user-mode minidump"),
        ("samples/user_minidump_fuzzed.mdmp", "a user-mode minidump"),
        ("samples/SimplePDB.pdb", "a PDB"),
        ("worlds/w11-bmp.truth.json.xz", "an xz file"),
    ] {
        let Some(path) = shared(name) else { return };
        let OpenError::NotADump { found, .. } = Dump::open(&path).unwrap_err() else {
            panic!("{name}")
        };
        assert_eq!(found, what);
    }
}
