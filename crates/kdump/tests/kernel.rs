//! The kernel's image and the debugger data block, whole and in pieces.
#![allow(missing_docs, clippy::cast_possible_truncation)]

mod common;

use common::World;
use kdump::{
    Addr, BaseError, BaseSource, DebuggerDataError, Dump, Gva, ImageError, KernelImage, debugger_data,
    image_at, kernel_image,
};

const BASE: u64 = 0xffff_f800_0260_0000;
const KDBG: u64 = BASE + 0x20_1130;
const LIST: u64 = BASE + 0x20_3c90;
const ENTRY: u64 = 0xffff_fa80_0c00_0890;
const GUID: [u8; 16] = *b"\x33\x9e\x74\x13\x35\x76\x43\x9c\xbc\xdf\x7e\x02\x29\xda\x37\x73";

fn put(memory: &mut [u8], offset: usize, bytes: &[u8]) {
    memory[offset..offset + bytes.len()].copy_from_slice(bytes);
}

/// The first pages of an image by the PE/COFF specification: headers, and at 2000 a debug directory of two
/// entries whose second is the CodeView record at 2100.
fn pe(pdb: &[u8]) -> Vec<u8> {
    let mut image = vec![0; 0x3000];
    put(&mut image, 0, b"MZ");
    put(&mut image, 0x3c, &0xf0u32.to_le_bytes());
    put(&mut image, 0xf0, b"PE\0\0\x64\x86");
    put(&mut image, 0xf8, &0x5f00_0000u32.to_le_bytes());
    put(&mut image, 0x104, &0xf0u16.to_le_bytes());
    put(&mut image, 0x108, &0x20bu16.to_le_bytes());
    put(&mut image, 0x140, &0x5a_9000u32.to_le_bytes());
    put(&mut image, 0x174, &16u32.to_le_bytes());
    put(&mut image, 0x1a8, &0x2000u32.to_le_bytes());
    put(&mut image, 0x1ac, &56u32.to_le_bytes());
    put(&mut image, 0x200c, &13u32.to_le_bytes());
    put(&mut image, 0x201c + 12, &2u32.to_le_bytes());
    put(
        &mut image,
        0x201c + 16,
        &(24 + pdb.len() as u32 + 1).to_le_bytes(),
    );
    put(&mut image, 0x201c + 20, &0x2100u32.to_le_bytes());
    put(&mut image, 0x2100, b"RSDS");
    put(&mut image, 0x2104, &GUID);
    put(&mut image, 0x2114, &2u32.to_le_bytes());
    put(&mut image, 0x2118, pdb);
    image
}

fn kdbg() -> Vec<u8> {
    let mut block = vec![0; 0x340];
    put(&mut block, 0x10, b"KDBG");
    put(&mut block, 0x14, &0x340u32.to_le_bytes());
    for (offset, value) in [
        (0x18, BASE),
        (0x48, LIST),
        (0x50, BASE + 0x50),
        (0x58, BASE + 0x58),
        (0x60, BASE + 0x60),
        (0x78, BASE + 0x78),
        (0x98, BASE + 0x98),
        (0xa0, BASE + 0xa0),
        (0xc0, BASE + 0xc0),
        (0x208, BASE + 0x208),
        (0x218, BASE + 0x218),
        (0x268, BASE + 0x268),
    ] {
        put(&mut block, offset, &value.to_le_bytes());
    }
    for offset in [
        0x298, 0x29a, 0x29c, 0x2a2, 0x2a8, 0x2aa, 0x2ac, 0x2ae, 0x2b0, 0x2b4, 0x2bc, 0x2c0, 0x338,
    ] {
        put(&mut block, offset, &(offset as u16 + 1).to_le_bytes());
    }
    block
}

/// A kernel with its image, its debugger data block and its module list; each can be left out.
fn kernel(image: Option<&[u8]>, block: Option<&[u8]>, module: bool) -> Dump {
    let mut world = World::new();
    if let Some(image) = image {
        world.place(BASE, 0x1000, image);
    }
    if let Some(block) = block {
        world.place(KDBG, 0x2001, block);
    }
    if module {
        world.place(LIST, 0x3001, &ENTRY.to_le_bytes());
        let mut entry = vec![0; 0x38];
        put(&mut entry, 0x30, &BASE.to_le_bytes());
        world.place(ENTRY, 0x4001, &entry);
    }
    world.patch_u64(0x80, KDBG);
    world.patch_u64(0x20, LIST);
    Dump::from_bytes("kernel", world.bitmap(6, b"SDMP")).unwrap()
}

fn check(image: &KernelImage, by: BaseSource) {
    assert_eq!(image.base, Gva::new(BASE));
    assert_eq!((image.size_of_image, image.timestamp), (0x5a_9000, 0x5f00_0000));
    assert_eq!(image.found_by, Some(by));
    assert_eq!(image.codeview_error, None);
    let rsds = image.codeview.as_ref().unwrap();
    assert_eq!(
        (rsds.guid, rsds.age, rsds.pdb_name.as_str()),
        (GUID, 2, "ntkrnlmp.pdb")
    );
}

#[test]
fn the_kernel_is_found_by_the_debugger_data_block() {
    let dump = kernel(Some(&pe(b"ntkrnlmp.pdb")), Some(&kdbg()), false);
    check(&kernel_image(&dump).unwrap(), BaseSource::DebuggerData);
}

#[test]
fn the_kernel_is_found_by_the_first_loaded_module() {
    let image = pe(b"ntkrnlmp.pdb");
    check(
        &kernel_image(&kernel(Some(&image), None, true)).unwrap(),
        BaseSource::ModuleList,
    );
    // An encoded block must not lead astray.
    let encoded = vec![0x5a; 0x340];
    check(
        &kernel_image(&kernel(Some(&image), Some(&encoded), true)).unwrap(),
        BaseSource::ModuleList,
    );
    // Nor one whose base has no image.
    let mut elsewhere = kdbg();
    put(&mut elsewhere, 0x18, &(BASE - 0x1000).to_le_bytes());
    check(
        &kernel_image(&kernel(Some(&image), Some(&elsewhere), true)).unwrap(),
        BaseSource::ModuleList,
    );
}

#[test]
fn the_kernel_is_found_by_a_search() {
    let dump = kernel(Some(&pe(b"ntkrnlmp.pdb")), None, false);
    check(&kernel_image(&dump).unwrap(), BaseSource::Scan);
    for name in [
        "ntoskrnl.pdb",
        "NTKRPAMP.PDB",
        "c:\\os\\ntkrnlpa.pdb",
        "ntkrla57.pdb",
    ] {
        let dump = kernel(Some(&pe(name.as_bytes())), None, false);
        assert_eq!(kernel_image(&dump).unwrap().codeview.unwrap().pdb_name, name);
    }
    // Another image below the list is not the kernel.
    for name in ["hal.pdb", "ntkrnlmp.exe.pdb", ""] {
        let dump = kernel(Some(&pe(name.as_bytes())), None, false);
        let error = kernel_image(&dump).unwrap_err();
        assert_eq!(
            (error.id(), error.attempts.len(), error.base()),
            ("no-kernel-image", 3, None)
        );
        assert!(
            matches!(error.attempts[2].error, BaseError::NotFound { .. }),
            "{error}"
        );
    }
}

#[test]
fn a_base_without_its_image_is_still_told() {
    let dump = kernel(None, Some(&kdbg()), false);
    let error = kernel_image(&dump).unwrap_err();
    assert_eq!(error.base(), Some(Gva::new(BASE)));
    let text = error.to_string();
    assert!(
        text.contains("debugger data block at fffff80002600000: its DOS header cannot be read"),
        "{text}"
    );
}

#[test]
fn a_hole_in_the_identity_is_named() {
    let image = pe(b"ntkrnlmp.pdb");
    let dump = kernel(Some(&image[..0x2000]), Some(&kdbg()), false);
    let image = kernel_image(&dump).unwrap();
    assert_eq!((image.size_of_image, image.codeview), (0x5a_9000, None));
    let error = image.codeview_error.unwrap();
    assert!(
        matches!(
            error,
            ImageError::Unreadable {
                part: "debug directory",
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn headers_that_lead_out_of_the_image_are_refused() {
    let at = |offset: usize, bytes: &[u8]| {
        let mut image = pe(b"ntkrnlmp.pdb");
        put(&mut image, offset, bytes);
        let dump = kernel(Some(&image), None, false);
        image_at(&dump.kernel_space().cursor(), Gva::new(BASE))
    };
    assert_eq!(at(0, b"ZM"), Err(ImageError::NotThere { part: "DOS header" }));
    assert_eq!(
        at(0xf0, b"NE\0\0"),
        Err(ImageError::NotThere { part: "PE header" })
    );
    for (offset, value) in [(0x3c, u32::MAX), (0x3c, 0x7fff_ffff), (0x108, 0x107)] {
        assert_eq!(
            at(offset, &value.to_le_bytes()).unwrap_err().id(),
            "absurd",
            "{value:#x} at {offset:#x}"
        );
    }
    for (offset, value, id) in [
        // No directory, an empty one, one outside of the image, one that wraps.
        (0x174, 6, "not-there"),
        (0x104, 0x40, "not-there"),
        (0x1a8, 0, "not-there"),
        (0x1ac, 0, "not-there"),
        (0x1a8, 0x5a_9000, "absurd"),
        (0x1a8, u32::MAX, "absurd"),
        (0x1ac, u32::MAX, "absurd"),
        (0x140, 0x2000, "absurd"),
        // The record: too short, too long, outside, another signature.
        (0x202c, 23, "absurd"),
        (0x202c, 0x1001, "absurd"),
        (0x202c, u32::MAX, "absurd"),
        (0x2030, 0, "absurd"),
        (0x2030, 0x5a_8ff8, "absurd"),
        (0x2030, u32::MAX, "absurd"),
        (0x2028, 4, "not-there"),
        (0x2100, 0x3031_424e, "not-there"),
    ] {
        let image = at(offset, &value.to_le_bytes()).unwrap();
        let error = image.codeview_error.unwrap();
        assert_eq!(
            (image.codeview, error.id()),
            (None, id),
            "{value:#x} at {offset:#x}"
        );
    }
    let dump = kernel(Some(&pe(b"a.pdb")), None, false);
    assert_eq!(
        image_at(&dump.kernel_space().cursor(), Gva::new(u64::MAX))
            .unwrap_err()
            .id(),
        "unreadable"
    );
}

#[test]
fn a_name_without_an_end_ends_with_its_record() {
    let mut image = pe(&[b'n'; 300]);
    put(&mut image, 0x201c + 16, &(24 + 100u32).to_le_bytes());
    let dump = kernel(Some(&image), Some(&kdbg()), false);
    assert_eq!(
        kernel_image(&dump).unwrap().codeview.unwrap().pdb_name,
        "n".repeat(100)
    );
}

#[test]
fn the_debugger_data_block_gives_its_fields() {
    let data = debugger_data(&kernel(None, Some(&kdbg()), false)).unwrap();
    assert_eq!((data.at, data.size, data.stopped), (Gva::new(KDBG), 0x340, None));
    let addresses = [
        (data.ps_active_process_head, 0x50),
        (data.psp_cid_table, 0x58),
        (data.exp_system_resources_list, 0x60),
        (data.ke_time_increment, 0x78),
        (data.obp_root_directory_object, 0x98),
        (data.obp_type_object_type, 0xa0),
        (data.mm_pfn_database, 0xc0),
        (data.nt_build_lab, 0x208),
        (data.ki_processor_block, 0x218),
        (data.cm_nt_csd_version, 0x268),
    ];
    for (value, offset) in addresses {
        assert_eq!(value, BASE + offset);
    }
    assert_eq!((data.kern_base, data.ps_loaded_module_list), (BASE, LIST));
    let offsets = [
        (data.offset_kthread_next_processor, 0x298),
        (data.offset_kthread_teb, 0x29a),
        (data.offset_kthread_kernel_stack, 0x29c),
        (data.offset_kthread_state, 0x2a2),
        (data.size_eprocess, 0x2a8),
        (data.offset_eprocess_peb, 0x2aa),
        (data.offset_eprocess_parent_cid, 0x2ac),
        (data.offset_eprocess_directory_table_base, 0x2ae),
        (data.size_prcb, 0x2b0),
        (data.offset_prcb_current_thread, 0x2b4),
        (data.offset_prcb_proc_state_context, 0x2bc),
        (data.size_ethread, 0x2c0),
        (data.offset_prcb_context, 0x338),
    ];
    for (value, offset) in offsets {
        assert_eq!(value, Some(offset + 1));
    }
}

#[test]
fn a_short_or_cut_block_gives_what_it_has() {
    let mut short = kdbg();
    put(&mut short, 0x14, &0x298u32.to_le_bytes());
    let data = debugger_data(&kernel(None, Some(&short), false)).unwrap();
    assert_eq!(
        (data.cm_nt_csd_version, data.size_eprocess, data.stopped),
        (BASE + 0x268, None, None)
    );

    // The block at the end of the last page that is there.
    let mut world = World::new();
    world.place(BASE + 0xfb0, 0x1000, &kdbg()[..0x50]);
    world.patch_u64(0x80, BASE + 0xfb0);
    let data = debugger_data(&Dump::from_bytes("cut", world.full()).unwrap()).unwrap();
    assert_eq!(
        (data.ps_loaded_module_list, data.ps_active_process_head),
        (LIST, 0)
    );
    assert_eq!(data.stopped.unwrap().gva(), Gva::new(BASE + 0x1000));
}

#[test]
fn a_block_that_is_not_one_is_refused() {
    let mut encoded = kdbg();
    put(&mut encoded, 0x10, b"\x12\x34\x56\x78");
    let error = debugger_data(&kernel(None, Some(&encoded), false)).unwrap_err();
    assert_eq!(
        error,
        DebuggerDataError::WrongTag {
            at: Addr::new(Gva::new(KDBG), 8),
            tag: 0x7856_3412
        }
    );
    assert_eq!(
        debugger_data(&kernel(None, None, false)).unwrap_err().id(),
        "not-present"
    );
    let nameless = Dump::from_bytes("nameless", World::new().full()).unwrap();
    assert_eq!(debugger_data(&nameless), Err(DebuggerDataError::NoAddress));
    assert_eq!(kernel_image(&nameless).unwrap_err().attempts.len(), 3);
}
