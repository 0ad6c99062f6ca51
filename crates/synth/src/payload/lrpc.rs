//! LRPC: remote procedure calls inside of one machine, as the RPC runtime puts them into messages.
//!
//! The fields are of fixed sizes, so that 32-bit and 64-bit systems write the same headers.

use super::Out;

/// Bits of a request's flags.
pub mod flag {
    /// The object UUID is valid.
    pub const OBJECT: u32 = 1;
    /// The call is part of a causal flow.
    pub const CAUSAL_FLOW: u32 = 2;
    /// The arguments are in a view.
    pub const VIEW: u32 = 4;
    /// A chunk of a pipe, not a new call.
    pub const PIPE: u32 = 0x40;
    /// The last chunk of a pipe.
    pub const LAST_CHUNK: u32 = 0x80;
}

/// Statuses that answers have.
pub mod status {
    /// ERROR_ACCESS_DENIED.
    pub const ACCESS_DENIED: u32 = 5;
    /// RPC_S_UNKNOWN_IF.
    pub const UNKNOWN_INTERFACE: u32 = 1717;
}

/// Bits of a bind's syntaxes.
pub mod syntax {
    /// NDR20, version 2.0.
    pub const NDR: u32 = 1;
    /// NDR64, version 1.0.
    pub const NDR64: u32 = 2;
}

/// Bytes of a request before its arguments.
pub const REQUEST_HEADER: u64 = 0x40;
/// Bytes of a bind, of its answer too.
pub const BIND_LENGTH: u64 = 0x48;

/// Message types.
const REQUEST: u32 = 0;
const BIND: u32 = 1;
const FAULT: u32 = 2;
const RESPONSE: u32 = 3;
const CANCEL: u32 = 4;

/// A request: a procedure of an interface is called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// Flags, beside those that `object` and `view_length` bring along.
    pub flags: u32,
    /// The number of the call in its association.
    pub call_id: u32,
    /// The number that the client gave to its bind.
    pub binding: u32,
    /// The procedure's number.
    pub opnum: u32,
    /// Pipe call data.
    pub pipe_call: u64,
    /// Flow id and sequence number; of a pipe's chunk the number of the buffer.
    pub causal_flow: u64,
    /// The object that is called: of a COM call the IPID.
    pub object: Option<[u8; 16]>,
    /// How many bytes of arguments the view has.
    pub view_length: Option<u64>,
    /// The arguments, as NDR has them.
    pub arguments: Vec<u8>,
}

impl Request {
    /// The bytes behind the port message.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let object = self.object.map_or(0, |_| flag::OBJECT);
        let view = self.view_length.map_or(0, |_| flag::VIEW);
        let out = Out::default()
            .u32(REQUEST)
            .u32(0)
            .u32(self.flags | object | view)
            .u32(self.call_id)
            .u32(self.binding)
            .u32(self.opnum)
            .u64(0)
            .u64(self.pipe_call)
            .u64(self.causal_flow)
            .bytes(&self.object.unwrap_or_default());
        let out = match self.view_length {
            Some(length) => out.u64(length),
            None => out,
        };
        out.bytes(&self.arguments).0
    }
}

/// A bind, or the answer to one: the client asks for an interface and numbers it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bind {
    /// The answer: 0 for granted. 0 in what the client sends.
    pub status: u32,
    /// The interface.
    pub interface: [u8; 16],
    /// Its version: major and minor.
    pub version: (u16, u16),
    /// Transfer syntaxes, offered or chosen; none in a refusal.
    pub syntaxes: u32,
    /// The binding's numbers for NDR20, NDR64 and the test syntax.
    pub ids: [u16; 3],
    /// Whether several syntaxes are to be registered.
    pub register_multiple: u32,
    /// The flow id, where one is used.
    pub flow: Option<u64>,
    /// Context id.
    pub context: u32,
}

impl Bind {
    /// The bytes behind the port message.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let [ndr, ndr64, test] = self.ids;
        Out::default()
            .u32(BIND)
            .u32(0)
            .u32(self.status)
            .bytes(&self.interface)
            .u16(self.version.0)
            .u16(self.version.1)
            .u32(self.syntaxes)
            .u16(ndr)
            .u16(ndr64)
            .u16(test)
            .zeros_to(0x2c)
            .u32(self.register_multiple)
            .u32(u32::from(self.flow.is_some()))
            .zeros_to(0x38)
            .u64(self.flow.unwrap_or_default())
            .u32(self.context)
            .zeros_to(BIND_LENGTH)
            .0
    }
}

/// The answer to a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// Flags, beside that which `view_length` brings along.
    pub flags: u32,
    /// The call that is answered.
    pub call_id: u32,
    /// How many bytes of results the view has.
    pub view_length: Option<u64>,
    /// The results, as NDR has them.
    pub results: Vec<u8>,
}

impl Response {
    /// The bytes behind the port message.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let view = self.view_length.map_or(0, |_| flag::VIEW);
        let out = Out::default()
            .u32(RESPONSE)
            .u32(0)
            .u32(self.flags | view)
            .u32(self.call_id)
            .u64(0);
        let out = match self.view_length {
            Some(length) => out.u64(length),
            None => out,
        };
        out.bytes(&self.results).0
    }
}

/// The answer to a request that failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fault {
    /// Why.
    pub status: u32,
    /// Extended error information, as NDR has it.
    pub extended: Option<Vec<u8>>,
}

impl Fault {
    /// The bytes behind the port message.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        Out::default()
            .u32(FAULT)
            .u32(0)
            .u32(self.status)
            .u32(u32::from(self.extended.is_some()))
            .bytes(self.extended.as_deref().unwrap_or_default())
            .0
    }
}

/// The client gives a call up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cancel {
    /// The call.
    pub call_id: u32,
}

impl Cancel {
    /// The bytes behind the port message.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        Out::default()
            .u32(CANCEL)
            .u32(0)
            .u32(0)
            .u32(self.call_id)
            .zeros_to(0x40)
            .0
    }
}

/// A message of a type of which only the number is known, or of none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Other {
    /// The message type.
    pub kind: u32,
    /// What stands behind it and the padding.
    pub rest: Vec<u8>,
}

impl Other {
    /// The bytes behind the port message.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        Out::default().u32(self.kind).u32(0).bytes(&self.rest).0
    }
}
