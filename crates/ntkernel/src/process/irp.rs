//! I/O requests: who waits for one, and which driver has it.
//!
//! A thread that waits for the end of a request waits at an event: one that it gave with the request
//! (`_IRP.UserEvent`), or the one in the file object that the request is for, when the file was opened for synchronous
//! I/O. The request stands in the thread's list and names the thread.
//!
//! Which driver has it is told by its current stack location. A request of n drivers has n of them right behind it, and
//! counts down from n + 1, at which it was not sent yet; its completion counts up again, to n + 2.
//!
//! Sources: `_IRP`, `_IO_STACK_LOCATION` and `IoSizeOfIrp` as documented for drivers; the `IO_TYPE_*` numbers and the
//! major functions of the same headers.

use kdump::Gva;
#[cfg(feature = "schema")]
use schemars::JsonSchema;
#[cfg(feature = "serde")]
use serde::{Serialize, Serializer};

use crate::image::contract::{
    DeviceObject, DriverObject, FileObject, IoStackLocation, Irp, ListEntry, MemberName, Thread,
};
use crate::image::expected::Expected;
use crate::image::kernel::{At, Kernel, Read, offset};
use crate::image::list::{self, List};
use crate::image::schema::schema_as_text;
use crate::image::value::{Addr, Unreadable, Value};
use crate::object::marks::{self, expect};
use crate::why;

/// What a driver is asked to do: `IRP_MJ_*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MajorFunction(pub u8);

impl MajorFunction {
    const NAMES: [(&'static str, &'static str); 28] = [
        ("IRP_MJ_CREATE", "create"),
        ("IRP_MJ_CREATE_NAMED_PIPE", "create named pipe"),
        ("IRP_MJ_CLOSE", "close"),
        ("IRP_MJ_READ", "read"),
        ("IRP_MJ_WRITE", "write"),
        ("IRP_MJ_QUERY_INFORMATION", "query information"),
        ("IRP_MJ_SET_INFORMATION", "set information"),
        ("IRP_MJ_QUERY_EA", "query extended attributes"),
        ("IRP_MJ_SET_EA", "set extended attributes"),
        ("IRP_MJ_FLUSH_BUFFERS", "flush buffers"),
        ("IRP_MJ_QUERY_VOLUME_INFORMATION", "query volume information"),
        ("IRP_MJ_SET_VOLUME_INFORMATION", "set volume information"),
        ("IRP_MJ_DIRECTORY_CONTROL", "directory control"),
        ("IRP_MJ_FILE_SYSTEM_CONTROL", "file system control"),
        ("IRP_MJ_DEVICE_CONTROL", "device control"),
        // The same number is called IRP_MJ_SCSI in storage drivers (wdm.h).
        ("IRP_MJ_INTERNAL_DEVICE_CONTROL", "internal device control"),
        ("IRP_MJ_SHUTDOWN", "shutdown"),
        ("IRP_MJ_LOCK_CONTROL", "lock control"),
        ("IRP_MJ_CLEANUP", "cleanup"),
        ("IRP_MJ_CREATE_MAILSLOT", "create mailslot"),
        ("IRP_MJ_QUERY_SECURITY", "query security"),
        ("IRP_MJ_SET_SECURITY", "set security"),
        ("IRP_MJ_POWER", "power"),
        ("IRP_MJ_SYSTEM_CONTROL", "system control"),
        ("IRP_MJ_DEVICE_CHANGE", "device change"),
        ("IRP_MJ_QUERY_QUOTA", "query quota"),
        ("IRP_MJ_SET_QUOTA", "set quota"),
        ("IRP_MJ_PNP", "plug and play"),
    ];

    /// The headers' name; none for a number without one.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        Self::NAMES.get(usize::from(self.0)).map(|(name, _)| *name)
    }

    /// The same in words.
    #[must_use]
    pub fn words(self) -> Option<&'static str> {
        Self::NAMES.get(usize::from(self.0)).map(|(_, words)| *words)
    }
}

#[cfg(feature = "serde")]
impl Serialize for MajorFunction {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.name() {
            Some(name) => serializer.serialize_str(name),
            None => serializer.collect_str(&format_args!("0x{:02X}", self.0)),
        }
    }
}

schema_as_text!(
    MajorFunction,
    "The name of a major function, as IRP_MJ_READ; 0xNN for a number without one."
);

/// An I/O request.
#[derive(Clone, Copy, Debug)]
pub struct Request<'k, 'd> {
    at: At<'k, 'd>,
}

/// Why a thread is taken to wait for a request.
#[derive(Clone, Copy, Debug)]
pub struct Tie {
    /// The structures whose members lead to the object that is waited at, each with the next one: the last one's
    /// is the object itself.
    pub by: [Option<(MemberName, Gva, Gva)>; 2],
    /// Whether the object is signaled at the request's end, and not the lock of its file.
    pub ends_with_it: bool,
}

/// The requests of a thread, whether they can be read or not.
///
/// # Errors
/// When the symbols do not describe requests, or the thread is not in the dump.
pub fn requests_of(thread: At<'_, '_>) -> Read<List> {
    let kernel = thread.kernel();
    let link = kernel.offset(Irp::ThreadListEntry)?;
    let head = thread.address_of(Thread::IrpList)?;
    // Threads that were never started properly, and the idle threads, have zeros here instead of an empty list.
    if kernel.at(head).pointer(ListEntry::Flink)?.u64() == 0 {
        let at = kernel.addr(head);
        return Err(Unreadable::Implausible(why!(
            "the list of I/O requests at {} was never initialized",
            at
        )));
    }
    Ok(list::walk(kernel, head).containers(link))
}

impl<'k, 'd> Request<'k, 'd> {
    /// The request at an address.
    ///
    /// # Errors
    /// When it is not in the dump, or something else is there.
    pub fn at(kernel: &'k Kernel<'d>, address: Gva) -> Read<Self> {
        expect(kernel, Expected::IoRequest, address)?;
        let at = kernel.at(address);
        at.u16(Irp::Type)?;
        Ok(Self { at })
    }

    /// The thread that it names.
    pub fn thread(self) -> Read<Gva> {
        self.at.pointer(Irp::Thread)
    }

    /// Why a thread that waits at an object waits for this request; none when it does not.
    ///
    /// # Errors
    /// When the request is not in the dump, or not described well enough.
    pub fn tie(self, object: Gva) -> Read<Option<Tie>> {
        let own = self.at.address();
        // The event of a caller who waits by himself, as for an overlapped request; of a file that was opened
        // for synchronous I/O the file object's own is used (WDK, FILE_OBJECT).
        if self.at.pointer(Irp::UserEvent)? == object {
            return Ok(Some(Tie {
                by: [Some((MemberName::of(Irp::UserEvent), own, object)), None],
                ends_with_it: true,
            }));
        }
        let original = self.at.pointer(Irp::OriginalFileObject)?;
        let name = MemberName::of(Irp::OriginalFileObject);
        if let Some(tie) = self.by_file((name, own, original), object)? {
            return Ok(Some(tie));
        }
        // What is in the stack location is the driver's to change, so it may be nonsense.
        let Ok(Some(location)) = self.location() else {
            return Ok(None);
        };
        match location.pointer(IoStackLocation::FileObject) {
            Ok(file) => self.by_file(
                (
                    MemberName::of(IoStackLocation::FileObject),
                    location.address(),
                    file,
                ),
                object,
            ),
            Err(_) => Ok(None),
        }
    }

    /// Where the object is in a file object follows from its address alone.
    fn by_file(self, file: (MemberName, Gva, Gva), object: Gva) -> Read<Option<Tie>> {
        let kernel = self.at.kernel();
        let (_, _, at) = file;
        if at.u64() == 0 {
            return Ok(None);
        }
        let members = [
            (FileObject::Event, MemberName::of(FileObject::Event), true),
            (FileObject::Lock, MemberName::of(FileObject::Lock), false),
        ];
        for (member, name, ends_with_it) in members {
            if offset(at, kernel.offset(member)?) == object {
                return Ok(Some(Tie {
                    by: [Some(file), Some((name, at, object))],
                    ends_with_it,
                }));
            }
        }
        Ok(None)
    }

    /// What the driver that has it is asked to do; none when no driver has it.
    ///
    /// # Errors
    /// When the place is not one of the request's own.
    pub fn location(self) -> Read<Option<At<'k, 'd>>> {
        let kernel = self.at.kernel();
        let (count, current) = (
            self.at.uint(Irp::StackCount)?,
            self.at.uint(Irp::CurrentLocation)?,
        );
        // Locations are numbered from the bottom driver's, 1, up to StackCount, and a request goes down as it is passed on.
        // One that nobody was sent yet stands at StackCount + 1, and so does one that came back from the top driver; an
        // IoCompleteRequest of it leads to StackCount + 2 ("Irp is completed", says `!irp`).
        if matches!(current.checked_sub(count), Some(1 | 2)) {
            return Ok(None);
        }
        let location = self.at.pointer(Irp::CurrentStackLocation)?;
        let (own, size) = (kernel.size_of::<Irp>()?, kernel.size_of::<IoStackLocation>()?);
        let first = offset(self.at.address(), own);
        let expected = offset(first, current.saturating_sub(1).saturating_mul(size));
        if current == 0 || current > count || location != expected {
            return Err(Unreadable::Implausible(why!(
                "the current stack location of the I/O request {} is at {}, which is not its {}. of {}",
                kernel.addr(self.at.address()),
                kernel.addr(location),
                current,
                count
            )));
        }
        Ok(Some(kernel.at(location)))
    }
}

/// An I/O request in the graph of waits.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct IrpNode {
    /// Its `_IRP`.
    pub address: Addr,
    /// The thread that it names.
    pub thread: Value<Addr>,
    /// What the driver that has it is asked to do; none when no driver has it: it was not sent yet, or it is completed.
    pub major_function: Value<Option<MajorFunction>>,
    /// What it was sent to: a `_DEVICE_OBJECT` of that driver.
    pub device: Value<Option<Addr>>,
    /// That driver.
    pub driver: Value<Option<DriverNode>>,
}

/// An I/O request with the drivers that it was sent through.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct IrpInFull {
    /// Its `_IRP`.
    pub address: Addr,
    /// The thread that it names.
    pub thread: Value<Addr>,
    /// `_IRP.Flags`.
    pub flags: Value<u32>,
    /// `_IRP.StackCount`: how many drivers it has room for.
    pub stack_count: Value<u64>,
    /// `_IRP.CurrentLocation`: the number of the driver that has it, the lowest driver is 1. StackCount + 1 while it was
    /// not sent, and more once it is completed.
    pub current_location: Value<u64>,
    /// The file object that it was made for.
    pub file_object: Value<Option<Addr>>,
    /// The stack locations of the drivers that got it, the top one's first. None when no driver has it.
    pub locations: Value<Vec<StackLocation>>,
}

/// What one driver was asked to do with a request.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct StackLocation {
    /// Its number; the lowest driver is 1.
    pub number: u64,
    /// Its `_IO_STACK_LOCATION`.
    pub address: Addr,
    /// Whether its driver has the request.
    pub current: bool,
    /// What the driver is asked to do.
    pub major_function: Value<MajorFunction>,
    /// The `_DEVICE_OBJECT` that it was sent to.
    pub device: Value<Addr>,
    /// The driver of that device.
    pub driver: Value<DriverNode>,
    /// The file object.
    pub file_object: Value<Option<Addr>>,
}

impl IrpInFull {
    /// The request at an address.
    ///
    /// # Errors
    /// When it is not in the dump, or something else is there.
    pub fn at(kernel: &Kernel<'_>, address: Gva) -> Read<Self> {
        let request = Request::at(kernel, address)?;
        let at = request.at;
        // A thread begins with 6 as well, the type of its dispatcher header. Of a request `IoSizeOfIrp` gives the least
        // size: the structure with a location for each driver (WDK). One from a list of free ones can be larger.
        let (size, count) = (at.u16(Irp::Size)?, at.uint(Irp::StackCount)?);
        let locations = count.saturating_mul(kernel.size_of::<IoStackLocation>()?);
        if count == 0 || u64::from(size) < kernel.size_of::<Irp>()?.saturating_add(locations) {
            return Err(marks::not_there(kernel, Expected::IoRequest, address));
        }
        let file = at
            .pointer(Irp::OriginalFileObject)
            .map(|file| known_pointer(kernel, file));
        Ok(Self {
            address: kernel.addr(address),
            thread: request.thread().map(|thread| kernel.addr(thread)).into(),
            flags: at.u32(Irp::Flags).into(),
            stack_count: at.uint(Irp::StackCount).into(),
            current_location: at.uint(Irp::CurrentLocation).into(),
            file_object: file.into(),
            locations: request.locations().into(),
        })
    }
}

impl Request<'_, '_> {
    /// The stack locations of the drivers that got it, the top one's first.
    ///
    /// # Errors
    /// When the current one is not one of the request's own.
    fn locations(self) -> Read<Vec<StackLocation>> {
        let Some(current) = self.location()? else {
            return Ok(Vec::new());
        };
        let kernel = self.at.kernel();
        let size = kernel.size_of::<IoStackLocation>()?;
        // One byte each, and the current one is among the others: 127 at most.
        let (count, number) = (
            self.at.uint(Irp::StackCount)?,
            self.at.uint(Irp::CurrentLocation)?,
        );
        let above = count.saturating_sub(number);
        let location = |up: u64| {
            let at = kernel.at(offset(current.address(), up.saturating_mul(size)));
            stack_location(at, number.saturating_add(up), up == 0)
        };
        Ok((0..=above).rev().map(location).collect())
    }
}

fn stack_location(at: At<'_, '_>, number: u64, current: bool) -> StackLocation {
    let kernel = at.kernel();
    let device = device(at);
    let major = at.uint(IoStackLocation::MajorFunction);
    let file = at.pointer(IoStackLocation::FileObject);
    StackLocation {
        number,
        address: kernel.addr(at.address()),
        current,
        #[allow(clippy::cast_possible_truncation, reason = "the member has one byte")]
        major_function: major.map(|major| MajorFunction(major as u8)).into(),
        device: device.clone().map(|device| kernel.addr(device.address())).into(),
        driver: device.and_then(driver).into(),
        file_object: file.map(|file| known_pointer(kernel, file)).into(),
    }
}

/// What a pointer leads to; none for null.
fn known_pointer(kernel: &Kernel<'_>, to: Gva) -> Option<Addr> {
    (to.u64() != 0).then(|| kernel.addr(to))
}

/// A driver in the graph of waits.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct DriverNode {
    /// Its `_DRIVER_OBJECT`.
    pub address: Addr,
    /// Its name, as `\FileSystem\Npfs`.
    pub name: Value<String>,
}

impl IrpNode {
    /// The request at an address.
    pub fn new(kernel: &Kernel<'_>, address: Gva) -> Self {
        let request = Request::at(kernel, address);
        let location = request.clone().and_then(Request::location);
        let device = location
            .clone()
            .and_then(|location| location.map(device).transpose());
        let major = location.and_then(|location| {
            let major = location.map(|location| location.uint(IoStackLocation::MajorFunction));
            major.transpose()
        });
        let driver = device.clone().and_then(|device| device.map(driver).transpose());
        Self {
            address: kernel.addr(address),
            thread: request
                .and_then(Request::thread)
                .map(|thread| kernel.addr(thread))
                .into(),
            #[allow(clippy::cast_possible_truncation, reason = "the member has one byte")]
            major_function: major
                .map(|major| major.map(|major| MajorFunction(major as u8)))
                .into(),
            device: device
                .map(|device| device.map(|device| kernel.addr(device.address())))
                .into(),
            driver: driver.into(),
        }
    }

    /// Whether the request itself cannot be read.
    #[must_use]
    pub fn is_unreadable(&self) -> bool {
        self.thread.reason().is_some()
    }

    /// The driver that has it, when one has and that is known.
    #[must_use]
    pub fn known_driver(&self) -> Option<&DriverNode> {
        self.driver.known().and_then(Option::as_ref)
    }
}

fn device<'k, 'd>(location: At<'k, 'd>) -> Read<At<'k, 'd>> {
    let device = location.pointer(IoStackLocation::DeviceObject)?;
    Ok(location.kernel().at(device))
}

fn driver(device: At<'_, '_>) -> Read<DriverNode> {
    let kernel = device.kernel();
    device.u16(DeviceObject::Type)?;
    expect(kernel, Expected::Device, device.address())?;
    let driver = kernel.at(device.pointer(DeviceObject::DriverObject)?);
    driver.u16(DriverObject::Type)?;
    expect(kernel, Expected::Driver, driver.address())?;
    let name = driver
        .address_of(DriverObject::DriverName)
        .and_then(|name| kernel.text(name));
    let name = name.map(|name| match kernel.redaction() {
        Some(redaction) => redaction.path(&name),
        None => name,
    });
    Ok(DriverNode {
        address: kernel.addr(driver.address()),
        name: name.into(),
    })
}
