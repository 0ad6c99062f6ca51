//! Layouts of I/O requests and of what leads from them to a driver. They are part of the interface of drivers, so
//! they have not changed since Vista but at their ends: of x64 and ARM64 kernels they are those of complete symbol
//! tables, which a test compares, of x86 kernels they follow from the same headers with pointers of four bytes.

use std::sync::Arc;

use super::{Field, Kernel, Kind, Type, complete};

/// Kernels of the other machines that have them too. None of their complete tables is known.
pub(super) const OTHER_MACHINES: [&str; 3] = ["win10-2004-x86", "win11-22h2-la57-x64", "win11-21h2-arm64"];

/// Offset in 64-bit kernels, in 32-bit kernels, path, type, and bytes of both.
type Row = (u64, u64, &'static str, &'static str, u64, u64);

const IRP: [Row; 20] = [
    (0x00, 0x00, "Type", "i16", 2, 2),
    (0x02, 0x02, "Size", "u16", 2, 2),
    (0x08, 0x04, "MdlAddress", "ptr<void>", 8, 4),
    (0x10, 0x08, "Flags", "u32", 4, 4),
    (0x20, 0x10, "ThreadListEntry", "_LIST_ENTRY", 16, 8),
    (0x40, 0x20, "RequestorMode", "i8", 1, 1),
    (0x41, 0x21, "PendingReturned", "u8", 1, 1),
    (0x42, 0x22, "StackCount", "i8", 1, 1),
    (0x43, 0x23, "CurrentLocation", "i8", 1, 1),
    (0x44, 0x24, "Cancel", "u8", 1, 1),
    (0x48, 0x28, "UserIosb", "ptr<void>", 8, 4),
    (0x50, 0x2c, "UserEvent", "ptr<_KEVENT>", 8, 4),
    (0x68, 0x38, "CancelRoutine", "ptr<fn>", 8, 4),
    (0x70, 0x3c, "UserBuffer", "ptr<void>", 8, 4),
    (0x78, 0x40, "Tail", "{anon}", 0x58, 0x30),
    (0x78, 0x40, "Tail.Overlay", "{anon}", 0x58, 0x2c),
    (0x98, 0x50, "Tail.Overlay.Thread", "ptr<_ETHREAD>", 8, 4),
    (0xa8, 0x58, "Tail.Overlay.ListEntry", "_LIST_ENTRY", 16, 8),
    (
        0xb8,
        0x60,
        "Tail.Overlay.CurrentStackLocation",
        "ptr<_IO_STACK_LOCATION>",
        8,
        4,
    ),
    (
        0xc0,
        0x64,
        "Tail.Overlay.OriginalFileObject",
        "ptr<_FILE_OBJECT>",
        8,
        4,
    ),
];

const STACK_LOCATION: [Row; 6] = [
    (0x00, 0x00, "MajorFunction", "u8", 1, 1),
    (0x01, 0x01, "MinorFunction", "u8", 1, 1),
    (0x03, 0x03, "Control", "u8", 1, 1),
    (0x28, 0x14, "DeviceObject", "ptr<_DEVICE_OBJECT>", 8, 4),
    (0x30, 0x18, "FileObject", "ptr<_FILE_OBJECT>", 8, 4),
    (0x38, 0x1c, "CompletionRoutine", "ptr<fn>", 8, 4),
];

const FILE: [Row; 6] = [
    (0x00, 0x00, "Type", "i16", 2, 2),
    (0x02, 0x02, "Size", "i16", 2, 2),
    (0x08, 0x04, "DeviceObject", "ptr<_DEVICE_OBJECT>", 8, 4),
    (0x58, 0x30, "FileName", "_UNICODE_STRING", 16, 8),
    (0x80, 0x4c, "Lock", "_KEVENT", 24, 16),
    (0x98, 0x5c, "Event", "_KEVENT", 24, 16),
];

const DEVICE: [Row; 4] = [
    (0x00, 0x00, "Type", "i16", 2, 2),
    (0x02, 0x02, "Size", "u16", 2, 2),
    (0x08, 0x08, "DriverObject", "ptr<_DRIVER_OBJECT>", 8, 4),
    (0x10, 0x0c, "NextDevice", "ptr<_DEVICE_OBJECT>", 8, 4),
];

const DRIVER: [Row; 4] = [
    (0x00, 0x00, "Type", "i16", 2, 2),
    (0x02, 0x02, "Size", "i16", 2, 2),
    (0x08, 0x04, "DeviceObject", "ptr<_DEVICE_OBJECT>", 8, 4),
    (0x38, 0x1c, "DriverName", "_UNICODE_STRING", 16, 8),
];

/// Adds these types to the kernels that have them.
pub(super) fn add(kernels: &mut [Kernel]) {
    for name in complete::names().into_iter().chain(OTHER_MACHINES) {
        let kernel = kernels.iter_mut().find(|kernel| kernel.name == name);
        let kernel = kernel.expect("a kernel of the extract");
        let wide = kernel.pointer_size() == 8;
        for made in [
            of("_IRP", (0xd0, 0x70), &IRP, wide),
            of("_IO_STACK_LOCATION", (0x48, 0x24), &STACK_LOCATION, wide),
            of("_FILE_OBJECT", (0xd8, 0x80), &FILE, wide),
            of("_DEVICE_OBJECT", (0x150, 0xb8), &DEVICE, wide),
            of("_DRIVER_OBJECT", (0x150, 0xa8), &DRIVER, wide),
        ] {
            kernel.types.insert(made.name.clone(), Arc::new(made));
        }
    }
}

fn of(name: &str, (size, narrow): (u64, u64), rows: &[Row], wide: bool) -> Type {
    let field = |&(at, at_narrow, path, ty, bytes, bytes_narrow): &Row| Field {
        offset: if wide { at } else { at_narrow },
        path: path.to_owned(),
        ty: ty.to_owned(),
        bytes: if wide { bytes } else { bytes_narrow },
        bit: None,
    };
    Type {
        name: name.to_owned(),
        kind: Kind::Struct,
        size: if wide { size } else { narrow },
        fields: rows.iter().map(field).collect(),
    }
}
