//! I/O requests, and what they are for.

use crate::image::contract::processes;
use crate::structures;

structures! {
    after processes::END;

    /// An I/O request of a thread; only complete symbol tables have it.
    Irp = "_IRP" {
        Type: O "Type",
        Size: O "Size",
        Flags: O "Flags",
        MdlAddress: O "MdlAddress",
        ThreadListEntry: O "ThreadListEntry",
        UserEvent: O "UserEvent",
        StackCount: O "StackCount",
        CurrentLocation: O "CurrentLocation",
        Thread: O "Tail.Overlay.Thread",
        CurrentStackLocation: O "Tail.Overlay.CurrentStackLocation",
        OriginalFileObject: O "Tail.Overlay.OriginalFileObject",
    }
    /// What one driver is asked to do with an I/O request; only complete symbol tables have it.
    IoStackLocation = "_IO_STACK_LOCATION" {
        MajorFunction: O "MajorFunction",
        DeviceObject: O "DeviceObject",
        FileObject: O "FileObject",
    }
    /// An open file, device or pipe.
    FileObject = "_FILE_OBJECT" {
        Lock: O "Lock",
        Event: O "Event",
    }
    /// What a driver takes I/O requests at; only complete symbol tables have it.
    DeviceObject = "_DEVICE_OBJECT" {
        Type: O "Type",
        DriverObject: O "DriverObject",
    }
    /// A driver; only complete symbol tables have it.
    DriverObject = "_DRIVER_OBJECT" {
        Type: O "Type",
        DriverName: O "DriverName",
    }
}
