//! Calls of COM, which are calls of local RPC for an object.
//!
//! The object's id is an IPID, in which its process and its apartment are; behind the header comes `ORPCTHIS`, and within
//! one machine `LOCALTHIS`, which names the thread that calls. Sources: MS-DCOM; OleViewDotNet and TurboRex on IPIDs,
//! the apartment of one of them; symbols and decompiles of combase on `LOCALTHIS`.

use crate::bytes::{array, u16, u32, uuid};
use crate::header::{OBJECT, REQUEST, Request};
use crate::uuid::Uuid;

/// `AddRef`, `QueryInterface` and `Release` are never sent to the object itself: see MS-DCOM on `IRemUnknown`.
const FIRST_METHOD: u32 = 3;
/// The major version of `ORPCTHIS`, and the highest minor one.
const MAJOR: u16 = 5;
const MOST_MINOR: u16 = 7;
const LOCAL_THIS: usize = 0x60;

/// Where the object of a call lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Apartment {
    /// In the apartment of one thread, which alone may run the call: the low 16 bits of its id.
    SingleThreaded {
        /// These.
        thread_id: u16,
    },
    /// In the one of all other threads.
    MultiThreaded,
    /// In the one that any thread may enter.
    Neutral,
}

/// An object's id, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ipid {
    /// The low 16 bits of its process's id.
    pub process_id: u16,
    /// Its apartment. One source.
    pub apartment: Apartment,
}

impl Ipid {
    /// What an object's id says, if it is an IPID.
    #[must_use]
    pub fn of(object: Uuid) -> Self {
        // A GUID that is none: Data1 is an index in the process's table of IPIDs, Data2 the process, Data3 the
        // apartment, Data4 drawn at random. An object with the id 00000c05-1a2c-0b44-... lives in the process 1a2c,
        // in the apartment of its thread 0b44 (the tools agree from Windows 7 to 11).
        let [_, _, _, _, p, q, a, b, ..] = object.as_written();
        Self {
            process_id: u16::from_be_bytes([p, q]),
            apartment: match u16::from_be_bytes([a, b]) {
                // ffff cannot be a thread: ids are multiples of four (Windows Internals). 0 can, of one whose id
                // ends in four zeros; such a one looks like the neutral apartment here, and nothing tells it apart.
                0xffff => Apartment::MultiThreaded,
                0 => Apartment::Neutral,
                thread_id => Apartment::SingleThreaded { thread_id },
            },
        }
    }

    /// Whether its process may be that with this id. Ids beyond 65535 are known by their low bits alone.
    #[must_use]
    pub fn is_of_process(&self, process_id: u64) -> bool {
        process_id & 0xffff == u64::from(self.process_id)
    }
}

/// What the dump says of a call, to hold it against.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Id of the process that owns the connection port.
    pub server_process_id: Option<u64>,
    /// Id of the thread that sent the message.
    pub client_thread_id: Option<u64>,
    /// The build of Windows.
    pub build: Option<u32>,
}

/// A call of COM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Call {
    /// Where the object is.
    pub ipid: Ipid,
    /// Whether that is proven: `ORPCTHIS` is there and `LOCALTHIS` names the thread that sent the message.
    pub is_certain: bool,
    /// What its `ORPCTHIS` says; none when that is not at hand.
    pub this: Option<OrpcThis>,
    /// Id of the thread that calls, by `LOCALTHIS`; none when that is not at hand or not where it is looked for.
    pub client_thread_id: Option<u32>,
    /// COM's own number of the call, which its traces have; Windows 10 1709 and later.
    pub call_id: Option<Uuid>,
    /// Where the arguments of the method begin in the data, as far as that is known.
    pub arguments_at: Option<usize>,
}

/// The head of every call of COM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OrpcThis {
    /// Its version.
    pub version: (u16, u16),
    /// Its flags.
    pub flags: u32,
    /// The same in every call that was made on behalf of another.
    pub causality: Uuid,
    /// Whether extensions follow, behind which `LOCALTHIS` is not looked for.
    pub has_extensions: bool,
}

impl OrpcThis {
    /// Whether the caller does not wait for the call. One source (a decompile of combase).
    #[must_use]
    pub fn is_asynchronous(&self) -> bool {
        // 2 and 4 are COM's categories of calls: 4 asynchronous, 2 input-synchronous, neither an ordinary one. 1 is
        // a call within the machine; 20 hex is one of WinRT that is asynchronous in its own way.
        self.flags & 4 != 0
    }

    fn read(bytes: &[u8]) -> Option<Result<Self, ()>> {
        // ORPCTHIS has 20 hex bytes in a 64-bit process too: the tag at its end, at 5c, takes four and is no pointer
        // (MS-DCOM; combase's own WireThisPart1).
        let version = (u16(bytes, REQUEST)?, u16(bytes, 0x42)?);
        let this = Self {
            version,
            flags: u32(bytes, 0x44)?,
            // MS-DCOM's cid: it stays the same along a chain of nested calls, so that equal ids in two messages that
            // wait are one logical call. A deadlock of COM across processes can be proven by it.
            causality: uuid(bytes, 0x4c)?,
            has_extensions: u32(bytes, 0x5c)? != 0,
        };
        let reserved: [u8; 4] = array(bytes, 0x48)?;
        // The versions of COM's protocol are 5.1 to 5.7 (MS-DCOM on COMVERSION), and the four bytes behind the flags
        // are reserved and null.
        let is_one = version.0 == MAJOR && version.1 <= MOST_MINOR && reserved == [0; 4];
        Some(if is_one { Ok(this) } else { Err(()) })
    }
}

/// Reads a call of COM out of a request; none when it is none. `bytes` are as many of the message's data as are at hand.
///
/// A request for an object is one of COM when the process in its IPID is the server's and `ORPCTHIS` is behind the
/// header. Where the dump does not tell the server's process, `LOCALTHIS` must name the thread that sent the message.
#[must_use]
pub fn read(request: &Request, bytes: &[u8], facts: &Facts) -> Option<Call> {
    let object = request.object.filter(|_| request.flags & OBJECT != 0)?;
    // 0 to 2 are QueryInterface, AddRef and Release of every interface, which no proxy sends to the object: they go
    // to IRemUnknown, as RemQueryInterface (3), RemAddRef (4) and RemRelease (5).
    if request.procedure() < FIRST_METHOD {
        return None;
    }
    let ipid = Ipid::of(object);
    let is_server = facts.server_process_id.map(|id| ipid.is_of_process(id));
    // For an STA this is the most useful thing in the whole message: an RPC worker takes the call, and then waits
    // itself until the apartment's thread looks at its window messages. Who hangs is that thread, and no
    // ServerThread names it.
    if is_server == Some(false) {
        return None;
    }
    let this = match OrpcThis::read(bytes) {
        Some(Ok(this)) => Some(this),
        Some(Err(())) => return None,
        // A request of COM always has one: a shorter one is none.
        None if request.arguments < 0x20 && request.view_length.is_none() => return None,
        None => None,
    };
    // Extensions are an array and its extents between the two heads, of a length that the header does not tell.
    let local = this.filter(|this| !this.has_extensions);
    // Only in calls within one machine. An app container's host has 0xe0 bytes of its own (WireContainerThis) in the
    // place of LOCALTHIS: rare, of one source, and then no id agrees.
    let client_thread_id = local.and_then(|_| u32(bytes, LOCAL_THIS.saturating_add(4)));
    let agrees = client_thread_id
        .zip(facts.client_thread_id)
        .map(|(said, sent)| u64::from(said) == sent);
    let is_certain = is_server == Some(true) && agrees == Some(true);
    // Without the server's process the thread alone must speak for it, and without either nothing does.
    if is_server.is_none() && agrees != Some(true) {
        return None;
    }
    // Where the id does not agree, what stands there is no LOCALTHIS of the kind looked for, and its further members
    // would be made up.
    let shape = facts.build.and_then(Shape::of).filter(|_| agrees == Some(true));
    Some(Call {
        ipid,
        is_certain,
        this,
        client_thread_id,
        call_id: shape.and_then(|shape| uuid(bytes, shape.call_id?)),
        arguments_at: shape
            .filter(|shape| shape.tags.iter().all(|&tag| u32(bytes, tag) == Some(0)))
            .map(|shape| shape.arguments),
    })
}

/// `LOCALTHIS` of one time of Windows: offsets in the data.
#[derive(Clone, Copy)]
struct Shape {
    call_id: Option<usize>,
    /// Each is null unless an array follows.
    tags: &'static [usize],
    arguments: usize,
}

impl Shape {
    /// By symbols of combase and the clients of its interface that were decompiled. Where the method's arguments begin
    /// is inferred.
    fn of(build: u32) -> Option<Self> {
        Some(match build {
            // Flags and the thread, and nothing more. Of Vista no source has it.
            7600..=9200 => Self {
                call_id: None,
                tags: &[],
                arguments: 0x68,
            },
            // Two words more: one that is reserved, and the tag of the apartments that were touched.
            9600 => Self {
                call_id: None,
                tags: &[0x6c],
                arguments: 0x70,
            },
            // An asynchronous request block, from 68 to 9c.
            10240..=15063 => Self {
                call_id: None,
                tags: &[0x9c],
                arguments: 0xa0,
            },
            // A GUID that is passed through at 68, the call's own id at 78, the request block from 88 on.
            16299.. => Self {
                call_id: Some(0x78),
                tags: &[0xb8, 0xbc],
                arguments: 0xc0,
            },
            _ => return None,
        })
    }
}
