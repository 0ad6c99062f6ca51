//! The header's fields, each at its offset, and fields that were never written.
#![allow(missing_docs)]

mod common;

use common::World;
use kdump::{Dump, DumpKind, FileTime, Gva, Header, Machine, PageRun, TimeSpan};

fn header(world: &World) -> Header {
    Dump::from_bytes("header", world.full()).unwrap().header().clone()
}

#[test]
fn every_field_is_read_where_it_is() {
    let mut world = World::new();
    for (offset, value) in [
        (0x10, 0x1_4aed_7002),
        (0x18, 0xffff_fa80_0000_0000),
        (0x20, 0xffff_f800_0287_7c90),
        (0x28, 0xffff_f800_0285_9940),
        (0x40, 0x11),
        (0x48, 2),
        (0x50, u64::MAX),
        (0x58, 0xffff_f880_0f4c_c950),
        (0x80, 0xffff_f800_0282_0130),
        (0x348 + 0x98, 0xffff_f880_0310_2b28),
        (0x348 + 0xf8, 0xffff_f800_0248_1234),
        (0xf10, 0xffff_f800_0248_1238),
        (0xf20, 7),
        (0xf28, 8),
        (0xfa0, 0x3000),
        (0xfa8, 132_583_475_420_000_000),
        (0x1030, 36_000_000_000),
    ] {
        world.patch_u64(offset, value);
    }
    for (offset, value) in [
        (0x8, 15),
        (0xc, 6002),
        (0x34, 16),
        (0x38, 0xd1),
        (0x348 + 0x30, 0x10_001f),
        (0xf00, 0xc000_0005),
        (0xf04, 1),
        (0xf18, 2),
        (0x1038, 0xcff),
        (0x103c, 5),
        (0x1040, 3),
        (0x1044, 0x112),
        (0x1048, 0),
        (0x1050, 0x20),
        (0x1054, 13),
    ] {
        world.patch_u32(offset, value);
    }
    world.patch(0x60, b"user version\0rest");
    world.patch(0xfb0, &[b'c'; 128]);
    world.patch(0x104d, &[49]);
    let header = header(&world);
    assert_eq!((header.machine, header.kind), (Machine::Amd64, DumpKind::Full));
    assert_eq!((header.major_version, header.minor_version), (15, 6002));
    assert_eq!(header.directory_table_base, 0x1_4aed_7002);
    assert_eq!(header.pfn_data_base, Some(Gva::new(0xffff_fa80_0000_0000)));
    assert_eq!(
        header.ps_loaded_module_list,
        Some(Gva::new(0xffff_f800_0287_7c90))
    );
    assert_eq!(
        header.ps_active_process_head,
        Some(Gva::new(0xffff_f800_0285_9940))
    );
    assert_eq!(
        header.kd_debugger_data_block,
        Some(Gva::new(0xffff_f800_0282_0130))
    );
    assert_eq!(header.number_processors, Some(16));
    let bug_check = header.bug_check.unwrap();
    assert_eq!(
        (bug_check.code, bug_check.parameters),
        (0xd1, [0x11, 2, u64::MAX, 0xffff_f880_0f4c_c950])
    );
    assert_eq!(header.version_user.as_deref(), Some("user version"));
    assert_eq!(header.comment, Some("c".repeat(128)));
    let context = header.context.unwrap();
    assert_eq!(context.flags, 0x10_001f);
    assert_eq!(
        (context.rsp, context.rip),
        (Gva::new(0xffff_f880_0310_2b28), Gva::new(0xffff_f800_0248_1234))
    );
    let exception = header.exception.unwrap();
    assert_eq!((exception.code, exception.flags), (0xc000_0005, 1));
    assert_eq!(
        (exception.address, exception.parameters),
        (Gva::new(0xffff_f800_0248_1238), vec![7, 8])
    );
    assert_eq!(header.required_dump_space, Some(0x3000));
    assert_eq!(header.system_time, Some(FileTime(132_583_475_420_000_000)));
    assert_eq!(header.system_up_time, Some(TimeSpan(36_000_000_000)));
    assert_eq!(
        (header.mini_dump_fields, header.secondary_data_state),
        (Some(0xcff), Some(5))
    );
    assert_eq!((header.product_type, header.suite_mask), (Some(3), Some(0x112)));
    assert_eq!((header.writer_status, header.kd_secondary_version), (Some(0), 49));
    assert_eq!((header.attributes, header.boot_id), (Some(0x20), Some(13)));
    assert_eq!(
        (header.number_of_runs, header.number_of_pages),
        (Some(1), Some(1))
    );
    assert_eq!(
        header.physical_runs,
        [PageRun {
            base: 0x1ad.into(),
            count: 1
        }]
    );
}

#[test]
fn what_was_never_written_is_absent() {
    let mut world = World::new();
    for offset in (0x18..0x30)
        .chain(0x34..0x88)
        .chain(0x348..0xf98)
        .chain(0xfa0..0x2000)
        .step_by(4)
    {
        world.patch(offset & !3, b"PAGE");
    }
    let header = header(&world);
    let json = serde_json::to_value(&header).unwrap();
    for absent in [
        "pfn_data_base",
        "ps_loaded_module_list",
        "ps_active_process_head",
        "kd_debugger_data_block",
        "number_processors",
        "bug_check",
        "version_user",
        "context",
        "exception",
        "required_dump_space",
        "system_time",
        "system_up_time",
        "comment",
        "mini_dump_fields",
        "secondary_data_state",
        "product_type",
        "suite_mask",
        "writer_status",
        "attributes",
        "boot_id",
    ] {
        assert!(json[absent].is_null(), "{absent}: {}", json[absent]);
    }
    assert!(!json["directory_table_base"].is_null());
    let dump = Dump::from_bytes("unwritten", world.full()).unwrap();
    assert_eq!(dump.notes(), []);
}
