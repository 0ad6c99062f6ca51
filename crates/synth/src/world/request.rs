//! I/O requests of threads, and the drivers that have them.

use super::{Name, ObjectSpec, Pool, World};
use crate::address::Va;
use crate::bytes::count;

const IRP: &str = "_IRP";
const LOCATION: &str = "_IO_STACK_LOCATION";

/// `IO_TYPE_*`.
const DEVICE: u64 = 3;
const DRIVER: u64 = 4;
const FILE: u64 = 5;
const REQUEST: u64 = 6;

/// What an I/O request is told.
#[derive(Clone, Debug)]
pub struct Request {
    /// The thread that sent it.
    pub thread: Va,
    /// The event that is signaled at its end; NULL for that of the file.
    pub event: Va,
    /// The file that it is for.
    pub file: Va,
    /// The devices that it was sent through, the one that has it last. There is room for one more below.
    pub devices: Vec<Va>,
    /// What the last one is asked to do: `IRP_MJ_*`.
    pub major: u8,
    /// Its end was reached: no driver has it any more.
    pub completed: bool,
}

impl World {
    /// Makes a driver.
    pub fn driver(&mut self, name: &str) -> Va {
        let at = self.allocate(Pool::NonPaged, self.kernel.size("_DRIVER_OBJECT"), *b"Driv");
        self.set(at, "_DRIVER_OBJECT", "Type", DRIVER);
        let string = self.field(at, "_DRIVER_OBJECT", "DriverName");
        self.set_string(string, &Name::from(name), Pool::Paged);
        at
    }

    /// Makes a device of a driver.
    pub fn device(&mut self, driver: Va) -> Va {
        let at = self.allocate(Pool::NonPaged, self.kernel.size("_DEVICE_OBJECT"), *b"Devi");
        self.set(at, "_DEVICE_OBJECT", "Type", DEVICE);
        self.point(at, "_DEVICE_OBJECT", "DriverObject", driver);
        self.point(driver, "_DRIVER_OBJECT", "DeviceObject", at);
        at
    }

    /// Makes an open file of a device.
    pub fn file(&mut self, device: Va) -> Va {
        let size = self.kernel.size("_FILE_OBJECT");
        let at = self.object(ObjectSpec::of("File", size));
        self.set(at, "_FILE_OBJECT", "Type", FILE);
        self.set(at, "_FILE_OBJECT", "Size", size);
        self.point(at, "_FILE_OBJECT", "DeviceObject", device);
        for event in ["Lock", "Event"] {
            let event = self.field(at, "_FILE_OBJECT", event);
            self.write_event(event);
        }
        at
    }

    /// Sends an I/O request, which stays pending.
    ///
    /// # Panics
    /// Without a device.
    pub fn request(&mut self, told: &Request) -> Va {
        let (size, each) = (self.kernel.size(IRP), self.kernel.size(LOCATION));
        let locations = count(told.devices.len()) + 1;
        let at = self.allocate(Pool::NonPaged, size + each * locations, *b"Irp ");
        self.set(at, IRP, "Type", REQUEST);
        self.set(at, IRP, "Size", size + each * locations);
        self.set(at, IRP, "StackCount", locations);
        self.point(at, IRP, "UserEvent", told.event);
        self.point(at, IRP, "Tail.Overlay.Thread", told.thread);
        self.point(at, IRP, "Tail.Overlay.OriginalFileObject", told.file);
        // The first driver has the last of the locations.
        let mut place = locations + 1;
        for &device in &told.devices {
            place -= 1;
            let location = at + size + each * (place - 1);
            self.set(location, LOCATION, "MajorFunction", u64::from(told.major));
            self.point(location, LOCATION, "DeviceObject", device);
            self.point(location, LOCATION, "FileObject", told.file);
        }
        // Completion counts up from the driver that has it to behind where it began.
        if told.completed {
            place = locations + 2;
        }
        self.set(at, IRP, "CurrentLocation", place);
        let location = at + size + each * (place - 1);
        self.point(at, IRP, "Tail.Overlay.CurrentStackLocation", location);
        self.requests.entry(told.thread).or_default().push(at);
        at
    }

    /// `_ETHREAD.IrpList` of all threads: empty where the kernel's layout does not describe requests.
    pub(super) fn compile_requests(&mut self) {
        if !self.has("_ETHREAD", "IrpList") {
            return;
        }
        let threads: Vec<Va> = self.truth.threads.iter().map(|thread| thread.address).collect();
        for thread in threads {
            let requests = self.requests.get(&thread).cloned().unwrap_or_default();
            let entries: Vec<Va> = requests
                .iter()
                .map(|&at| self.field(at, IRP, "ThreadListEntry"))
                .collect();
            let head = self.field(thread, "_ETHREAD", "IrpList");
            self.link(head, &entries);
        }
    }
}
