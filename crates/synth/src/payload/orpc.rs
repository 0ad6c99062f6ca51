//! COM calls: what stands in the object UUID of an LRPC request, and before the arguments of the method.

use super::Out;

/// Where an object lives in its process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Apartment {
    /// The single-threaded apartment of the thread with this id.
    Sta(u64),
    /// The multi-threaded apartment.
    Mta,
    /// The neutral apartment.
    Neutral,
}

/// The id of an interface pointer: it tells the process and apartment that a call is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ipid {
    /// Place in the server's table.
    pub index: u32,
    /// Process id of the server, whose low 16 bits have room.
    pub pid: u64,
    /// The apartment.
    pub apartment: Apartment,
    /// What makes it unique.
    pub tail: [u8; 8],
}

impl Ipid {
    /// As the object UUID has it.
    #[must_use]
    pub fn bytes(&self) -> [u8; 16] {
        let apartment = match self.apartment {
            Apartment::Sta(thread) => low16(thread),
            Apartment::Mta => 0xffff,
            Apartment::Neutral => 0,
        };
        let out = Out::default()
            .u32(self.index)
            .u16(low16(self.pid))
            .u16(apartment)
            .bytes(&self.tail);
        out.0.try_into().expect("16 bytes")
    }
}

fn low16(id: u64) -> u16 {
    u16::try_from(id & 0xffff).expect("masked")
}

/// `ORPCTHIS`: what the arguments of every COM call begin with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrpcThis {
    /// Major version.
    pub major: u16,
    /// Minor version.
    pub minor: u16,
    /// Flags: 1 local, 2 and 4 the category of the call.
    pub flags: u32,
    /// Causality id: all calls that are made on behalf of one have the same.
    pub causality: [u8; 16],
    /// The bodies of extents, if there are any: each with its id.
    pub extensions: Vec<([u8; 16], Vec<u8>)>,
}

impl Default for OrpcThis {
    fn default() -> Self {
        OrpcThis {
            major: 5,
            minor: 7,
            flags: 1,
            causality: [0; 16],
            extensions: Vec::new(),
        }
    }
}

impl OrpcThis {
    /// As the arguments begin. NDR writes a pointer as a tag that is not 0, and what it points to behind.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        const ARRAY: u32 = 0x0002_0000;
        let tag = if self.extensions.is_empty() { 0 } else { ARRAY };
        let mut out = Out::default()
            .u16(self.major)
            .u16(self.minor)
            .u32(self.flags)
            .u32(0)
            .bytes(&self.causality)
            .u32(tag);
        if self.extensions.is_empty() {
            return out.0;
        }
        let extents = u32::try_from(self.extensions.len()).expect("few");
        // An array of an even number of pointers, those beyond the extents null.
        let rounded = extents.next_multiple_of(2);
        out = out.u32(extents).u32(0).u32(ARRAY + 4).u32(rounded);
        for place in 0..rounded {
            out = out.u32(u32::from(place < extents));
        }
        for (id, body) in &self.extensions {
            let length = u32::try_from(body.len()).expect("short");
            let stored = length.next_multiple_of(8);
            // The number of bytes stands before the extent as well, since it ends in an array.
            let padding = vec![0; usize::try_from(stored - length).expect("under 8")];
            out = out.u32(stored).bytes(id).u32(length).bytes(body).bytes(&padding);
        }
        out.0
    }
}

/// The forms of `LOCALTHIS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Generation {
    /// Windows 7 and 8: 8 bytes.
    Seven,
    /// Windows 8.1: 0x10 bytes.
    EightOne,
    /// Windows 10 up to 15063: 0x40 bytes.
    Ten,
    /// Windows 10 from 16299 on, and Windows 11: 0x60 bytes.
    Ten1709,
}

impl Generation {
    /// The form that Windows of this build has. That of Vista is not known; it gets the oldest one that is.
    #[must_use]
    pub fn of(build: u32) -> Self {
        match build {
            ..9600 => Generation::Seven,
            9600..10240 => Generation::EightOne,
            10240..16299 => Generation::Ten,
            _ => Generation::Ten1709,
        }
    }

    /// Bytes.
    #[must_use]
    pub fn size(self) -> u64 {
        match self {
            Generation::Seven => 8,
            Generation::EightOne => 0x10,
            Generation::Ten => 0x40,
            Generation::Ten1709 => 0x60,
        }
    }
}

/// `LOCALTHIS`: what stands behind `ORPCTHIS` in calls inside of one machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalThis {
    /// The form.
    pub generation: Generation,
    /// Flags.
    pub flags: u32,
    /// Thread id of the caller.
    pub client_thread: u64,
    /// The activity that traces are to go on with; of the newest form only.
    pub trace_activity: [u8; 16],
    /// Call id; of the newest form only.
    pub call_id: [u8; 16],
}

impl LocalThis {
    /// That of a plain call.
    #[must_use]
    pub fn new(generation: Generation, client_thread: u64) -> Self {
        LocalThis {
            generation,
            flags: 0,
            client_thread,
            trace_activity: [0; 16],
            call_id: [0; 16],
        }
    }

    /// As the arguments go on. Tags are 0, for nothing more behind.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let thread = u32::try_from(self.client_thread).expect("thread ids have 32 bits");
        let out = Out::default().u32(self.flags).u32(thread);
        let out = match self.generation {
            Generation::Ten1709 => out.bytes(&self.trace_activity).bytes(&self.call_id),
            _ => out,
        };
        out.zeros_to(self.generation.size()).0
    }
}
