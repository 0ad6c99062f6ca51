//! The header of local RPC, which a message's data begins with.
//!
//! Offsets are the same for 32-bit and 64-bit systems and for clients under WOW64: every field has a fixed size. What
//! is behind the header is not read here, but for the length of a view. Sources: see the crate.

use crate::bytes::{u16, u32, u64, uuid};
use crate::uuid::Uuid;

/// What the kernel says of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The low byte of `_PORT_MESSAGE.u2.s2.Type`.
    pub kernel_type: u8,
    /// Bytes of data, of which fewer may be at hand.
    pub length: usize,
    /// Whether the message carries a view of a section.
    pub has_view: bool,
}

/// `LPC_REQUEST`.
pub const LPC_REQUEST: u8 = 1;
/// `LPC_REPLY`.
pub const LPC_REPLY: u8 = 2;
/// `LPC_DATAGRAM`.
pub const LPC_DATAGRAM: u8 = 3;

/// The object's id is valid.
pub const OBJECT: u32 = 1;
/// The arguments lie in the view.
pub const VIEW: u32 = 4;
/// A chunk of an `[in]` pipe, no call of its own.
pub const PIPE: u32 = 0x40;
/// The last one.
pub const LAST_PIPE_CHUNK: u32 = 0x80;

/// Flags of a request that are known.
const FLAGS: u32 = 0x1cf;
/// Bytes of a request's header.
pub const REQUEST: usize = 0x40;
/// Bytes of a bind and of its answer.
pub const BIND: usize = 0x48;
const RESPONSE: usize = 0x18;
const FAULT: usize = 0x10;
const CANCEL: usize = 0x40;
/// No interface has as many procedures; the largest that is documented has a few hundred.
const MOST_PROCEDURES: u32 = 0x400;
/// Bits of a procedure's number that COM looks at. One source (a decompile of combase).
const PROCEDURE: u32 = 0x7fff;

/// A message of local RPC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Header {
    /// A call, or a chunk of a pipe.
    Request(Request),
    /// A client wants to call an interface, or is told that it may.
    Bind(Bind),
    /// A call failed.
    Fault(Fault),
    /// A call returned.
    Response(Response),
    /// A client gives a call up.
    Cancel {
        /// Number of the call.
        call_id: u32,
    },
    /// One of the other types. Neither their lengths nor where they have the number of their call is known.
    Other {
        /// The type: 5, or 7 to 13.
        kind: u32,
    },
}

/// A call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Request {
    /// Flags.
    pub flags: u32,
    /// Number of the call on its connection, increasing.
    pub call_id: u32,
    /// Which binding it is made on: what the client called it when it bound.
    pub binding: u32,
    /// The number of the procedure, all its bits.
    pub raw_procedure: u32,
    /// The object, when it is for one; COM's are IPIDs. None as well when it is not at hand.
    pub object: Option<Uuid>,
    /// Whether the object's id is not at hand, though the request is for one.
    pub object_lost: bool,
    /// Bytes of arguments in the view; none without, and when it is not at hand.
    pub view_length: Option<u64>,
    /// Bytes of arguments behind the header.
    pub arguments: usize,
}

impl Request {
    /// The number of the procedure. COM ignores the highest bit of 16.
    #[must_use]
    pub fn procedure(&self) -> u32 {
        match self.flags & OBJECT {
            0 => self.raw_procedure,
            _ => self.raw_procedure & PROCEDURE,
        }
    }

    /// The names of its flags.
    #[must_use]
    pub fn flag_names(&self) -> Vec<&'static str> {
        const NAMES: [(u32, &str); 7] = [
            (OBJECT, "object"),
            (2, "causal-flow"),
            (VIEW, "view"),
            (8, "cancel"),
            (PIPE, "pipe"),
            (LAST_PIPE_CHUNK, "last-pipe-chunk"),
            (0x100, "view-not-secure"),
        ];
        let set = NAMES.into_iter().filter(|(bit, _)| self.flags & bit != 0);
        set.map(|(_, name)| name).collect()
    }
}

/// A client's wish to call an interface, or the server's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Bind {
    /// Whether it is the answer, which differs from the wish by the kernel's type alone.
    pub is_answer: bool,
    /// Of an answer, why the server refused; 0 when it did not.
    pub status: u32,
    /// The interface.
    pub interface: Uuid,
    /// Its version.
    pub version: (u16, u16),
    /// The transfer syntaxes that are offered, or of an answer the one that was chosen: 1 NDR, 2 NDR64, 4 for tests.
    pub syntaxes: u32,
    /// What the client calls the binding in each of these three.
    pub ids: [u16; 3],
}

impl Bind {
    /// Whether requests on a binding of this number are for the interface.
    #[must_use]
    pub fn is_of(&self, binding: u32) -> bool {
        let chosen = self.ids.iter().enumerate();
        let mut chosen =
            chosen.filter(|(at, _)| self.syntaxes & 1_u32.checked_shl(low(*at)).unwrap_or(0) != 0);
        chosen.any(|(_, id)| u32::from(*id) == binding)
    }
}

fn low(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

/// A call that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fault {
    /// Why.
    pub status: u32,
    /// Whether extended information on the error follows.
    pub extended: bool,
}

/// A call that returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Response {
    /// Flags.
    pub flags: u32,
    /// Number of the call.
    pub call_id: u32,
    /// Bytes of results behind the header.
    pub results: usize,
}

impl Header {
    /// The name of its type. Those of 4 and above are of one source.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Request(request) if request.flags & PIPE != 0 => "pipe-chunk",
            Self::Request(_) => "request",
            Self::Bind(bind) if bind.is_answer => "bind-answer",
            Self::Bind(_) => "bind",
            Self::Fault(_) => "fault",
            Self::Response(_) => "response",
            Self::Cancel { .. } => "cancel",
            Self::Other { kind } => match kind {
                5 => "reserved-message",
                7 => "callback-ack",
                8 => "callback-nack",
                9 => "callback-request",
                10 => "callback-reply",
                11 => "callback-fault",
                12 => "pipe-pull",
                _ => "pipe-ack",
            },
        }
    }
}

/// Why a message's data is no header of local RPC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotLrpc {
    /// Too little of it is at hand to tell.
    #[error("only {at_hand} bytes of its header are at hand")]
    Cut {
        /// How much.
        at_hand: usize,
    },
    /// It is shorter than such a header.
    #[error("it has {length} bytes, fewer than a header of that type")]
    Short {
        /// Its length.
        length: usize,
    },
    /// No message has such a type.
    #[error("there is no message of type {0}")]
    Type(u32),
    /// The kernel takes it for something else than its type is sent as.
    #[error("the kernel's type {kernel_type} is not what a {name} is sent as")]
    KernelType {
        /// The kernel's type.
        kernel_type: u8,
        /// The name of the other type.
        name: &'static str,
    },
    /// Bytes that are always null are not.
    #[error("bytes that are always null are not, at 0x{0:x}")]
    NotNull(usize),
    /// Flags that nobody knows.
    #[error("unknown flags 0x{0:x}")]
    Flags(u32),
    /// A number beyond what there is.
    #[error("{what} 0x{value:x} is out of range")]
    Range {
        /// Of what.
        what: &'static str,
        /// The number.
        value: u32,
    },
    /// Only zeros are there: memory that was lost, or filled in. Calls are numbered from 1.
    #[error("only zeros are where its header would be")]
    Zeros,
    /// The header says that arguments are in a view, and there is none, or the other way round.
    #[error("its header and the kernel disagree on whether it has a view")]
    View,
}

/// Reads the header that a message's data begins with; `bytes` are as many of these as are at hand.
///
/// # Errors
/// When they are no header of local RPC, or too few to tell. Data of other protocols may look like one: who calls this
/// knows that the message's port is of RPC, or says that it is a guess.
pub fn read(bytes: &[u8], sent: &Sent) -> Result<Header, NotLrpc> {
    // Only the header of a message is zeroed when the kernel makes one, and messages are used again: what stands
    // behind DataLength is of an older message (published reverse engineering of message allocation). A bind of 48
    // hex bytes may have the arguments of an old call behind it.
    let bytes = bytes.get(..sent.length).unwrap_or(bytes);
    let need = |at: Option<u32>| at.ok_or(cut(bytes, sent));
    let kind = need(u32(bytes, 0))?;
    // Null in every message of RPC, and proof of nothing: a request of smss has its status here, which is 0 as well.
    // Which ports are not of RPC their names say, before anybody comes here.
    if need(u32(bytes, 4))? != 0 {
        return Err(NotLrpc::NotNull(4));
    }
    // Nothing is more common in a dump than zeros, and they would pass for a request: type, flags, binding and
    // procedure may all be null, but calls have numbers, the first one 1 or more in every published sample.
    if bytes.iter().take(REQUEST).all(|&byte| byte == 0) {
        let whole = bytes.len() >= REQUEST.min(sent.length);
        return Err(if whole { NotLrpc::Zeros } else { cut(bytes, sent) });
    }
    let header = match kind {
        // From the client to the server, and inside a callback the other way round.
        0 => Header::Request(request(bytes, sent)?),
        // Connecting carries nothing of RPC: a thread that waits for its connection tells the port and no interface.
        // The bind is the first ordinary request on the connection, and its answer has type 1 too.
        1 => Header::Bind(bind(bytes, sent)?),
        // A fault does not say which call it answers: its status stands at 8 and its flags at c, and what may follow
        // is extended error information (MS-EERR). A server that knows no binding of the request's number answers
        // one with 1717, RPC_S_UNKNOWN_IF.
        2 => {
            long_enough(sent, FAULT)?;
            Header::Fault(Fault {
                status: need(u32(bytes, 8))?,
                extended: need(u32(bytes, 0xc))? & 1 != 0,
            })
        }
        // No number of a procedure, only that of the call, which its request has as well. The eight bytes at 10 are
        // null in all samples and have no name.
        3 => {
            long_enough(sent, RESPONSE)?;
            Header::Response(Response {
                flags: need(u32(bytes, 8))?,
                call_id: need(u32(bytes, 0xc))?,
                results: sent.length.saturating_sub(RESPONSE),
            })
        }
        // RPC's own cancel, a datagram. The kernel's is another thing: it turns the type of the message itself into
        // LPC_CANCELED (12) and its DataLength to 0. That this one has at least 40 hex bytes is of one source.
        4 => {
            long_enough(sent, CANCEL)?;
            Header::Cancel {
                call_id: need(u32(bytes, 0xc))?,
            }
        }
        // 6 is used by nobody. 0 to 5, 7, 8, 9, 12 and 13 two sources know by number; the server's receive refuses
        // every other value with 1728, RPC_S_PROTOCOL_ERROR (a decompile of rpcrt4).
        5 | 7..=13 => Header::Other { kind },
        _ => return Err(NotLrpc::Type(kind)),
    };
    is_sent_as(&header, sent.kernel_type)?;
    Ok(header)
}

/// What lacks: bytes of memory, or the message is too short.
fn cut(bytes: &[u8], sent: &Sent) -> NotLrpc {
    if bytes.len() < sent.length {
        NotLrpc::Cut { at_hand: bytes.len() }
    } else {
        NotLrpc::Short { length: sent.length }
    }
}

fn long_enough(sent: &Sent, least: usize) -> Result<(), NotLrpc> {
    if sent.length < least {
        return Err(NotLrpc::Short { length: sent.length });
    }
    Ok(())
}

fn request(bytes: &[u8], sent: &Sent) -> Result<Request, NotLrpc> {
    // The server's own limit by one source (a decompile of rpcrt4): TotalLength of at least 68 on x64, which is the
    // message's header of 28 and these 40, and 70 with a view; hex.
    long_enough(sent, REQUEST)?;
    let need = |value: Option<u32>| value.ok_or(cut(bytes, sent));
    let flags = need(u32(bytes, 8))?;
    if flags & !FLAGS != 0 {
        return Err(NotLrpc::Flags(flags));
    }
    // 32 bits of room for 16 bits of id: the bind that gives the number has it as a u16.
    let binding = need(u32(bytes, 0x10))?;
    if u16::try_from(binding).is_err() {
        return Err(NotLrpc::Range {
            what: "binding",
            value: binding,
        });
    }
    // The server answers with an error when one is there without the other (a decompile of rpcrt4). Ports of RPC
    // take messages of 1000 hex bytes; James Forshaw's client moves arguments beyond f00 into a view, so that even
    // of a large call this header is in the message itself.
    let in_view = flags & VIEW != 0;
    if in_view != sent.has_view {
        return Err(NotLrpc::View);
    }
    // Null in all samples, and nobody says what for. What it is not is a sign: the next eight bytes are data of a
    // pipe, and those behind them of a causal flow, both of which may hold anything.
    if u64(bytes, 0x18).is_some_and(|reserved| reserved != 0) {
        return Err(NotLrpc::NotNull(0x18));
    }
    if in_view {
        long_enough(sent, REQUEST.saturating_add(8))?;
    }
    // Without the flag the field is mostly null, but no source promises it: an id that stands there is an older
    // message's, and no object.
    let object = uuid(bytes, 0x30).filter(|_| flags & OBJECT != 0);
    let request = Request {
        flags,
        call_id: need(u32(bytes, 0xc))?,
        binding,
        raw_procedure: need(u32(bytes, 0x14))?,
        object,
        object_lost: flags & OBJECT != 0 && object.is_none(),
        // Clients write a u32 here and the server reads a u64 (a decompile of rpcrt4), so that the upper half is
        // null in what was sent.
        view_length: if in_view { u64(bytes, REQUEST) } else { None },
        arguments: sent.length.saturating_sub(if in_view {
            REQUEST.saturating_add(8)
        } else {
            REQUEST
        }),
    };
    // The server has a limit of its own, the interface's number of procedures, and answers 1745 beyond it,
    // RPC_S_PROCNUM_OUT_OF_RANGE. The largest number in documented interfaces is a little over 100 hex.
    if request.procedure() >= MOST_PROCEDURES {
        return Err(NotLrpc::Range {
            what: "procedure",
            value: request.raw_procedure,
        });
    }
    Ok(request)
}

fn bind(bytes: &[u8], sent: &Sent) -> Result<Bind, NotLrpc> {
    if sent.length != BIND {
        return Err(NotLrpc::Short { length: sent.length });
    }
    let lacks = cut(bytes, sent);
    let half = |at| u16(bytes, at).ok_or(lacks);
    // 1 is NDR (8a885d04-1ceb-11c9-9fe8-08002b104860), 2 NDR64 (71710533-beba-4937-8319-b5dbef9ccc36; both MS-RPCE),
    // 4 one for tests. A 64-bit client offers 3 and the answer keeps the bit that was chosen, mostly 2; 32-bit
    // clients never send NDR64.
    let syntaxes = u32(bytes, 0x20).ok_or(lacks)?;
    // A refusal names none.
    if syntaxes > 7 {
        return Err(NotLrpc::Range {
            what: "set of transfer syntaxes",
            value: syntaxes,
        });
    }
    let interface = uuid(bytes, 0xc).ok_or(lacks)?;
    if interface.is_null() {
        return Err(NotLrpc::Range {
            what: "interface",
            value: 0,
        });
    }
    Ok(Bind {
        // The answer is written into the message of the wish and has its form; only LPC_REQUEST has become
        // LPC_REPLY.
        is_answer: sent.kernel_type != LPC_REQUEST,
        status: u32(bytes, 8).ok_or(lacks)?,
        interface,
        version: (half(0x1c)?, half(0x1e)?),
        syntaxes,
        // One number for each syntax, at 24, 26 and 28. Each client counts for itself on each connection, so that
        // binding 1 of two clients of lsass may be two interfaces.
        ids: [half(0x24)?, half(0x26)?, half(0x28)?],
    })
}

/// Which kernel type an answer to an asynchronous call has is not known, so answers may have either.
fn is_sent_as(header: &Header, kernel_type: u8) -> Result<(), NotLrpc> {
    let fits = match header {
        // Also of calls that nobody waits for: RPC's asynchronous calls are requests to the kernel, and what makes
        // them asynchronous is that the message names no waiting thread.
        Header::Request(_) => kernel_type == LPC_REQUEST,
        Header::Bind(_) => matches!(kernel_type, LPC_REQUEST | LPC_REPLY),
        Header::Fault(_) | Header::Response(_) => matches!(kernel_type, LPC_REPLY | LPC_DATAGRAM),
        Header::Cancel { .. } => kernel_type == LPC_DATAGRAM,
        Header::Other { .. } => matches!(kernel_type, LPC_REQUEST | LPC_REPLY | LPC_DATAGRAM),
    };
    if fits {
        return Ok(());
    }
    Err(NotLrpc::KernelType {
        kernel_type,
        name: header.name(),
    })
}
