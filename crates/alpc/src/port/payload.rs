//! The data of a message.
//!
//! Data begins right behind the `_KALPC_MESSAGE`, with which room for 0x200 bytes is allocated on 64-bit systems.
//! What does not fit there is in the extension buffer, and only that: the buffer never holds the beginning. A
//! message of a reserve has as much room as the reserve says (`_KALPC_RESERVE.Size`, which counts the header of the
//! message; Windows 8.1 and later). Sources: the kernel's own capture of message data, as read in ten builds of
//! Windows 10 and 11. That 32-bit systems have room for 0x100 bytes follows from the limit of their port messages
//! and was not seen in a kernel.
//!
//! A message whose `DataUserVa` is not null has no data of its own yet: it still is in the memory of the sender, where
//! that says, and what is behind the message is of whoever used that memory before. Windows copies the data before a
//! message is queued, but for requests to connect, and for messages to ports with a completion list, which get it
//! straight from the sender. Newer kernels keep a flag in its lowest bit. Sources: as above; the two exceptions were
//! seen in fewer builds.

use kdump::Gva;
#[cfg(feature = "schema")]
use schemars::JsonSchema;
#[cfg(feature = "serde")]
use serde::Serialize;

use crate::port::contract::Reserve;
use ntkernel::image::contract::{Message, PortMessage};
use ntkernel::image::kernel::{At, Kernel, Read, offset};
use ntkernel::image::value::{Addr, Unreadable, Value};
use ntkernel::why;

/// Bytes of data behind a message of 64-bit and of 32-bit systems.
const ROOM: u64 = 0x200;
const ROOM_32: u64 = 0x100;

/// The most bytes that a message has, its header among them: its lengths have 16 bits.
const MOST: u64 = 0xffff;

const PAGE: u64 = 0x1000;

/// A message's data, as far as the dump holds it.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct Payload {
    /// Where it begins.
    pub address: Addr,
    /// The bytes from the first one on, in hex, up to the first that could not be read.
    #[cfg_attr(feature = "serde", serde(serialize_with = "hex"))]
    #[cfg_attr(
        feature = "schema",
        schemars(with = "String", regex(pattern = "^([0-9a-f]{2})*$"))
    )]
    pub bytes: Vec<u8>,
    /// Set when some of the data could not be read.
    pub complete: Value<()>,
    /// Where the data is in the memory of the sender, when it was not copied into the message. The bytes here are then
    /// what the message's own memory holds, perhaps of a message before it.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub sender_address: Option<Addr>,
    /// Where the data goes on that has no room behind the message; none when all of it has.
    pub extension: Option<Extension>,
    /// What could not be read.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Vec::is_empty"))]
    pub gaps: Vec<PayloadGap>,
    /// What could be read behind the first gap.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Vec::is_empty"))]
    pub rest: Vec<PayloadPiece>,
}

/// The part of a message's data that is in its extension buffer.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "PayloadExtension"))]
#[non_exhaustive]
pub struct Extension {
    /// How many bytes of the data are before it.
    pub offset: u64,
    /// Set when that is inferred: how much room there is behind a message of a 32-bit system follows from the limit of
    /// its port messages, and was seen in no kernel.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "std::ops::Not::not"))]
    pub inferred: bool,
    /// The buffer.
    pub address: Value<Addr>,
}

/// Bytes of a message's data that could not be read.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct PayloadGap {
    /// How many bytes of the data are before them.
    pub offset: u64,
    /// How many they are.
    pub length: u64,
    /// Why.
    pub reason: Unreadable,
}

/// Bytes of a message's data behind a gap.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct PayloadPiece {
    /// How many bytes of the data are before them.
    pub offset: u64,
    /// The bytes, in hex.
    #[cfg_attr(feature = "serde", serde(serialize_with = "hex"))]
    #[cfg_attr(
        feature = "schema",
        schemars(with = "String", regex(pattern = "^([0-9a-f]{2})*$"))
    )]
    pub bytes: Vec<u8>,
}

#[cfg(feature = "serde")]
fn hex<S: serde::Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    struct Hex<'a>(&'a [u8]);
    impl std::fmt::Display for Hex<'_> {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
        }
    }
    serializer.collect_str(&Hex(bytes))
}

/// The data of a message.
///
/// # Errors
/// When its length is not in the dump, when it cannot be determined how much of it is behind the message, and when it is
/// withheld.
pub(crate) fn payload(message: At<'_, '_>) -> Read<Payload> {
    let kernel = message.kernel();
    // Nothing tells which of the bytes are a name or an id.
    // Arguments of a call hold user names, paths, now and then passwords (LogonUser goes to lsass this way).
    if kernel.redaction().is_some() {
        return Err(Unreadable::Withheld);
    }
    let length = length(message)?;
    let start = offset(message.address(), kernel.size_of::<Message>()?);
    let (gathered, extension) = gather(message, start, length, length)?;
    let mut payload = gathered.finish(kernel.addr(start), extension);
    if length > 0 {
        payload.not_captured_at(in_sender(message)?);
    }
    Ok(payload)
}

/// What a message's data begins with, as far as the dump holds it.
#[derive(Clone, Debug)]
pub(crate) struct Beginning {
    /// The bytes up to the first that cannot be read.
    pub(crate) bytes: Vec<u8>,
    /// Bytes of all of the data.
    pub(crate) length: u64,
    /// Why some of the first bytes cannot be read.
    pub(crate) hole: Option<Unreadable>,
}

/// The first bytes of a message's data, at most `most`.
///
/// # Errors
/// As [`payload`], but that nothing is withheld: who reads them tells what they mean and not what they are.
pub(crate) fn beginning(message: At<'_, '_>, most: u64) -> Read<Beginning> {
    let length = length(message)?;
    if length == 0 {
        return Ok(Beginning {
            bytes: Vec::new(),
            length,
            hole: None,
        });
    }
    let start = offset(message.address(), message.kernel().size_of::<Message>()?);
    if let Some(at) = in_sender(message)? {
        return Err(Unreadable::NotCaptured { at });
    }
    let (gathered, _) = gather(message, start, length, most)?;
    let payload = gathered.finish(message.kernel().addr(start), None);
    Ok(Beginning {
        bytes: payload.bytes,
        length,
        hole: payload.complete.reason().cloned(),
    })
}

fn length(message: At<'_, '_>) -> Read<u64> {
    let header = message.embedded(Message::PortMessage)?;
    Ok(u64::from(header.u16(PortMessage::DataLength)?))
}

/// Reads the first `most` of a message's `length` bytes of data.
fn gather(message: At<'_, '_>, start: Gva, length: u64, most: u64) -> Read<(Gathered, Option<Extension>)> {
    let kernel = message.kernel();
    let buffer = message.pointer(Message::ExtensionBuffer);
    let inline = match room(message) {
        Ok(room) => length.min(room),
        Err(_) if buffer.as_ref().is_ok_and(|buffer| buffer.u64() == 0) => length,
        Err(hole) => return Err(hole),
    };
    let wanted = length.min(most);
    let mut gathered = Gathered::default();
    gathered.read(kernel, 0, start, inline.min(wanted));
    let extension = (wanted > inline).then(|| {
        gathered.extend(message, &buffer, inline, wanted);
        Extension {
            offset: inline,
            inferred: kernel.pointer_size() == 4 && inline == ROOM_32,
            address: buffer.map(|buffer| kernel.addr(buffer)).into(),
        }
    });
    Ok((gathered, extension))
}

/// The flag in `DataUserVa` of newer kernels.
const USER_FLAG: u64 = 1;

/// Where the data of a message is in its sender's memory; none when it was copied, as by far most is.
fn in_sender(message: At<'_, '_>) -> Read<Option<Addr>> {
    let at = message.pointer(Message::DataUserVa)?.u64() & !USER_FLAG;
    Ok((at != 0).then(|| message.kernel().addr(Gva::new(at))))
}

impl Payload {
    fn not_captured_at(&mut self, at: Option<Addr>) {
        if let Some(at) = at {
            self.complete = Value::from(Err(Unreadable::NotCaptured { at }));
            self.sender_address = Some(at);
        }
    }
}

/// How many bytes of data have room behind a message.
fn room(message: At<'_, '_>) -> Read<u64> {
    let kernel = message.kernel();
    let reserve = message.pointer(Message::Reserve)?;
    if reserve.u64() != 0 {
        match room_of_reserve(message, kernel.at(reserve)) {
            // Neither Vista and 7 nor the first 8.1 and 10 have the member (Size), and their reserves have the
            // ordinary room.
            Err(hole) if hole.is_absence() => {}
            room => return room,
        }
    }
    Ok(if kernel.pointer_size() == 4 { ROOM_32 } else { ROOM })
}

fn room_of_reserve(message: At<'_, '_>, reserve: At<'_, '_>) -> Read<u64> {
    let kernel = message.kernel();
    let size = reserve.uint(Reserve::Size)?;
    // Each reserve has one message of its own, made with it, so that sending needs no memory
    // (NtAlpcCreateResourceReserve in phnt).
    let is_its_own = reserve.pointer(Reserve::Message)? == message.address();
    let room = size.checked_sub(kernel.size_of::<PortMessage>()?);
    room.filter(|_| is_its_own && size <= MOST).ok_or_else(|| {
        let at = kernel.addr(reserve.address());
        Unreadable::Implausible(why!(
            "the reserve at {} does not say how much room its message has",
            at
        ))
    })
}

#[derive(Default)]
struct Gathered {
    pieces: Vec<PayloadPiece>,
    gaps: Vec<PayloadGap>,
}

impl Gathered {
    /// Takes in what the extension buffer holds: the data from `inline` on.
    fn extend(&mut self, message: At<'_, '_>, buffer: &Read<Gva>, inline: u64, length: u64) {
        let kernel = message.kernel();
        let rest = length.saturating_sub(inline);
        let buffer = match buffer {
            Ok(buffer) if buffer.u64() != 0 => *buffer,
            Ok(_) => {
                let at = kernel.addr(message.address());
                let text = why!(
                    "the message {} has no extension buffer for the {} bytes that have no room behind it",
                    at,
                    rest
                );
                return self.gap(inline, rest, Unreadable::NullPointer(text));
            }
            Err(hole) => return self.gap(inline, rest, hole.clone()),
        };
        // Allocated with at least what is left over, from paged pool of its own (tag AlEB): it can be missing while
        // the message is there.
        let size = message.uint(Message::ExtensionBufferSize).unwrap_or(rest);
        let held = rest.min(size);
        self.read(kernel, inline, buffer, held);
        if held < rest {
            let text = why!(
                "the extension buffer has {} bytes, of the {} that should be in it",
                size,
                rest
            );
            self.gap(
                inline.saturating_add(held),
                rest.saturating_sub(held),
                Unreadable::Implausible(text),
            );
        }
    }

    /// Reads `length` bytes of data, page by page: one that is missing hides no other.
    fn read(&mut self, kernel: &Kernel<'_>, at: u64, address: Gva, length: u64) {
        let mut done = 0_u64;
        while done < length {
            let start = offset(address, done);
            let in_page = PAGE.saturating_sub(start.u64() & PAGE.saturating_sub(1));
            // Paged pool goes out page by page. A message that begins in the last bytes of a page has its header
            // there and its arguments in the next, which may be gone.
            let now = in_page.min(length.saturating_sub(done));
            let mut bytes = vec![0; usize::try_from(now).unwrap_or(0)];
            let here = at.saturating_add(done);
            match kernel.cursor().read(start, &mut bytes) {
                Ok(()) => self.piece(here, bytes),
                Err(error) => self.gap(here, now, error),
            }
            done = done.saturating_add(now);
        }
    }

    fn piece(&mut self, at: u64, bytes: Vec<u8>) {
        match self.pieces.last_mut() {
            Some(last) if last.offset.saturating_add(last.bytes.len() as u64) == at => {
                last.bytes.extend(bytes);
            }
            _ => self.pieces.push(PayloadPiece { offset: at, bytes }),
        }
    }

    fn gap(&mut self, at: u64, length: u64, reason: Unreadable) {
        match self.gaps.last_mut() {
            Some(last) if last.offset.saturating_add(last.length) == at => {
                last.length = last.length.saturating_add(length);
            }
            _ => self.gaps.push(PayloadGap {
                offset: at,
                length,
                reason,
            }),
        }
    }

    fn finish(self, address: Addr, extension: Option<Extension>) -> Payload {
        let mut rest = self.pieces;
        let begins = rest.first().is_some_and(|piece| piece.offset == 0);
        let bytes = if begins { rest.remove(0).bytes } else { Vec::new() };
        let reason = self.gaps.first().map(|gap| gap.reason.clone());
        Payload {
            address,
            bytes,
            complete: reason.map_or(Ok(()), Err).into(),
            sender_address: None,
            extension,
            gaps: self.gaps,
            rest,
        }
    }
}
