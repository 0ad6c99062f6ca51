//! The records that a unit's data is in, as one stream of bytes.
//!
//! A record: a byte with the type in bits 0 to 3, 0x10 (important) and 0x80; the size of what follows, encoded as UTF-8
//! encodes a number, of which encoders do not always take the shortest form; the data. Types: 1 the end of the unit, 2
//! bytes as they are, 3 LZF behind a byte with the plain size in KiB, 4 zeros, whose size in KiB is the only byte. What
//! the stream has crosses records as it likes.
//!
//! The end has 0x10 bytes: flags u16 2 (bit 0: it has the checksum), CRC-32 of the file up to the flags u32 4, size of the
//! unit with this record u64 8. A record that is packed becomes at most 4 KiB.

use std::io;

use crc32fast::Hasher;

use crate::container::virtualbox::lzf::lzf;
use crate::file::source::ByteSource;
use crate::value::le;

/// Bytes of the file that are looked at in one go while it is read from end to end.
const WINDOW: usize = 1 << 20;
/// The same while one page is unpacked.
const SMALL_WINDOW: usize = 0x2000;
/// The most bytes that a record with packed bytes or zeros becomes.
const MAX_PLAIN: u32 = 0x1000;
/// Bytes of the record that ends a unit.
const END_LEN: usize = 0x10;

/// Why a stream goes on no more.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The unit has ended.
    End,
    /// The file ends before it.
    Cut,
    /// At this offset is nothing that could be there.
    Broken(u64),
    /// What is there is more than any machine has.
    TooMany,
    /// The system failed to read the file.
    Io(io::Error),
}

/// How a unit ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct End {
    /// Where the next one begins.
    pub(crate) next: u64,
    /// Whether its size and its checksum, where it has one, are right.
    pub(crate) sound: bool,
}

/// What a record has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Raw,
    Lzf,
    Zeros,
}

/// A record, of which some bytes were taken.
#[derive(Debug, Clone, Copy)]
struct Record {
    kind: Kind,
    /// Where it begins in the file.
    at: u64,
    /// Where its bytes begin.
    data: u64,
    /// How many they are.
    packed: u32,
    /// How many they become.
    plain: u32,
    /// How many of these were taken.
    used: u32,
}

impl Record {
    fn left(self) -> u32 {
        self.plain.saturating_sub(self.used)
    }
}

/// Where a page is whose bytes were passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// In the file as it is, from this offset on.
    Plain(u64),
    /// It is zeros.
    Zeros,
    /// In the records from the one at this offset on, behind so many bytes of what they become.
    Records(u64, u32),
}

/// The bytes of a unit.
pub(crate) struct Stream<'s> {
    window: Window<'s>,
    /// Where its first record begins.
    first: u64,
    /// Where the record behind this one begins.
    next: u64,
    record: Record,
    /// What the record becomes, where it is packed and was unpacked.
    unpacked: Option<Vec<u8>>,
    /// Bytes that were taken and given back.
    back: Vec<u8>,
    end: Option<End>,
}

impl<'s> Stream<'s> {
    /// The unit whose records begin at `first`.
    pub(crate) fn new(source: &'s ByteSource, first: u64) -> Stream<'s> {
        Stream::within(Window::new(source, WINDOW), first)
    }

    /// The same, with the checksum of the file: what it is at `from`, where the unit's header begins.
    pub(crate) fn summed(source: &'s ByteSource, first: u64, from: u64, sum: u32) -> Stream<'s> {
        let mut window = Window::new(source, WINDOW);
        window.sum = Some((Hasher::new_with_initial(sum), from));
        Stream::within(window, first)
    }

    fn within(window: Window<'s>, first: u64) -> Stream<'s> {
        let nothing = Record {
            kind: Kind::Zeros,
            at: first,
            data: first,
            packed: 0,
            plain: 0,
            used: 0,
        };
        Stream {
            window,
            first,
            next: first,
            record: nothing,
            unpacked: None,
            back: Vec::new(),
            end: None,
        }
    }

    /// Unpacks a page that [`page`](Self::page) passed over in records.
    pub(crate) fn unpack(source: &'s ByteSource, at: u64, skip: u32, page: &mut [u8]) -> Result<(), Stop> {
        let mut stream = Stream::within(Window::new(source, SMALL_WINDOW), at);
        stream.skip(skip.into())?;
        stream.fill(page)
    }

    /// Where the record is that the next bytes come from.
    pub(crate) fn at(&self) -> u64 {
        match self.record.left() {
            0 => self.next,
            _ => self.record.at,
        }
    }

    /// Fills `buf` with the next bytes.
    pub(crate) fn fill(&mut self, buf: &mut [u8]) -> Result<(), Stop> {
        let given = self.back.len().min(buf.len());
        let (mut rest, behind) = buf.split_at_mut(given);
        for (to, byte) in rest.iter_mut().zip(self.back.drain(..given)) {
            *to = byte;
        }
        rest = behind;
        while !rest.is_empty() {
            self.more()?;
            let count = rest.len().min(self.record.left() as usize);
            let (now, later) = std::mem::take(&mut rest).split_at_mut(count);
            self.take(now)?;
            rest = later;
        }
        Ok(())
    }

    /// Fills `buf` out of this record, which has as many bytes.
    fn take(&mut self, buf: &mut [u8]) -> Result<(), Stop> {
        let Record {
            kind, at, data, used, ..
        } = self.record;
        match kind {
            Kind::Zeros => buf.fill(0),
            Kind::Raw => self.window.copy(data.saturating_add(used.into()), buf)?,
            Kind::Lzf => {
                let plain = self.plain()?;
                let from = used as usize;
                let bytes = plain.get(from..from.saturating_add(buf.len()));
                buf.copy_from_slice(bytes.ok_or(Stop::Broken(at))?);
            }
        }
        let count = u32::try_from(buf.len()).unwrap_or(u32::MAX);
        self.record.used = used.saturating_add(count);
        Ok(())
    }

    /// What this record becomes.
    fn plain(&mut self) -> Result<&[u8], Stop> {
        let Record {
            at,
            data,
            packed,
            plain,
            ..
        } = self.record;
        let unpacked = match self.unpacked.take() {
            Some(unpacked) => unpacked,
            None => {
                let mut bytes = vec![0; packed as usize];
                self.window.copy(data, &mut bytes)?;
                let mut unpacked = vec![0; plain as usize];
                if !lzf(&bytes, &mut unpacked) {
                    return Err(Stop::Broken(at));
                }
                unpacked
            }
        };
        Ok(self.unpacked.insert(unpacked))
    }

    /// The next byte.
    pub(crate) fn u8(&mut self) -> Result<u8, Stop> {
        let mut bytes = [0];
        self.fill(&mut bytes)?;
        Ok(u8::from_le_bytes(bytes))
    }

    /// The next four bytes.
    pub(crate) fn u32(&mut self) -> Result<u32, Stop> {
        let mut bytes = [0; 4];
        self.fill(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    /// The next eight bytes.
    pub(crate) fn u64(&mut self) -> Result<u64, Stop> {
        let mut bytes = [0; 8];
        self.fill(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    /// Whether the next four bytes are these. They are taken if they are, else given back.
    pub(crate) fn is_next(&mut self, word: u32) -> Result<bool, Stop> {
        let mut bytes = Vec::with_capacity(4);
        while bytes.len() < 4 {
            match self.u8() {
                Ok(byte) => bytes.push(byte),
                Err(Stop::End) => break,
                Err(stop) => return Err(stop),
            }
        }
        let same = bytes == word.to_le_bytes();
        if !same {
            self.back = bytes;
        }
        Ok(same)
    }

    /// Passes over bytes.
    pub(crate) fn skip(&mut self, len: u64) -> Result<(), Stop> {
        let given = self.back.len().min(usize::try_from(len).unwrap_or(usize::MAX));
        self.back.drain(..given);
        let mut left = len.saturating_sub(given as u64);
        while left != 0 {
            self.more()?;
            let count = left.min(self.record.left().into());
            self.record.used = self
                .record
                .used
                .saturating_add(u32::try_from(count).unwrap_or_default());
            left = left.saturating_sub(count);
        }
        Ok(())
    }

    /// Passes over the page that is next, and says where it is.
    pub(crate) fn page(&mut self) -> Result<Place, Stop> {
        if !self.back.is_empty() {
            return Err(Stop::Broken(self.at()));
        }
        self.more()?;
        let Record {
            kind, at, data, used, ..
        } = self.record;
        let whole = self.record.left() >= MAX_PLAIN;
        let from = data.saturating_add(used.into());
        let place = match kind {
            Kind::Zeros if whole => Place::Zeros,
            Kind::Raw if whole => Place::Plain(from),
            _ => Place::Records(at, used),
        };
        self.skip(MAX_PLAIN.into())?;
        // The last record that it has bytes of is whole too, or there is no such page.
        let Record {
            data,
            used,
            packed,
            kind,
            ..
        } = self.record;
        let end = match kind {
            Kind::Raw => data.saturating_add(used.into()),
            _ => data.saturating_add(packed.into()),
        };
        match end > self.window.source.len() {
            true => Err(Stop::Cut),
            false => Ok(place),
        }
    }

    /// Passes over the rest of the unit.
    pub(crate) fn finish(&mut self) -> Result<End, Stop> {
        loop {
            match self.advance() {
                Ok(()) => {}
                Err(Stop::End) => return self.end.ok_or(Stop::Broken(self.next)),
                Err(stop) => return Err(stop),
            }
        }
    }

    /// Goes to a record that has bytes left.
    fn more(&mut self) -> Result<(), Stop> {
        while self.record.left() == 0 {
            self.advance()?;
        }
        Ok(())
    }

    /// Goes to the next record.
    fn advance(&mut self) -> Result<(), Stop> {
        if self.end.is_some() {
            return Err(Stop::End);
        }
        let at = self.next;
        let [kind, first] = self.window.array(at)?;
        if kind & 0xe0 != 0x80 {
            return Err(Stop::Broken(at));
        }
        if kind & 0xf == 1 {
            self.end = Some(self.ended(at, first)?);
            return Err(Stop::End);
        }
        let (size, more) = self.size(at, first)?;
        let data = at.saturating_add(2).saturating_add(more);
        // Of what is packed the first byte says how much it becomes.
        let (kind, data, packed, plain) = match kind & 0xf {
            2 => (Kind::Raw, data, size, size),
            3 if size > 1 => {
                let plain = self.kibibytes(at, data)?;
                (Kind::Lzf, data.saturating_add(1), size.saturating_sub(1), plain)
            }
            4 if size == 1 => (Kind::Zeros, data, 1, self.kibibytes(at, data)?),
            _ => return Err(Stop::Broken(at)),
        };
        // Nobody packs into more than there was.
        if kind == Kind::Lzf && packed > plain {
            return Err(Stop::Broken(at));
        }
        self.next = data.saturating_add(packed.into());
        self.unpacked = None;
        self.record = Record {
            kind,
            at,
            data,
            packed,
            plain,
            used: 0,
        };
        Ok(())
    }

    /// The size of the record at `at` whose second byte is `first`, and how many more bytes it has.
    fn size(&mut self, at: u64, first: u8) -> Result<(u32, u64), Stop> {
        let ones = first.leading_ones();
        let mut size = match ones {
            0 => return Ok((first.into(), 0)),
            2..=6 => u32::from(first & 0x7f_u8.checked_shr(ones).unwrap_or_default()),
            _ => return Err(Stop::Broken(at)),
        };
        let more = u64::from(ones).saturating_sub(1);
        for number in 0..more {
            let place = at.saturating_add(2).saturating_add(number);
            let [byte] = self.window.array(place)?;
            if byte & 0xc0 != 0x80 {
                return Err(Stop::Broken(at));
            }
            // Six forms of up to 31 bits.
            size = (size << 6) | u32::from(byte & 0x3f);
        }
        Ok((size, more))
    }

    /// What the byte at `data` says that the record at `at` becomes.
    fn kibibytes(&mut self, at: u64, data: u64) -> Result<u32, Stop> {
        let [count] = self.window.array(data)?;
        let plain = u32::from(count) << 10;
        match plain <= MAX_PLAIN {
            true => Ok(plain),
            false => Err(Stop::Broken(at)),
        }
    }

    /// Reads the record at `at`, which ends the unit.
    fn ended(&mut self, at: u64, len: u8) -> Result<End, Stop> {
        if usize::from(len) != END_LEN.saturating_sub(2) {
            return Err(Stop::Broken(at));
        }
        let bytes: [u8; END_LEN] = self.window.array(at)?;
        let next = at.saturating_add(END_LEN as u64);
        let size = le::u64(&bytes, 8) == Some(next.saturating_sub(self.first));
        let has_sum = bytes.get(2).is_some_and(|flags| flags & 1 != 0);
        let sum = match has_sum {
            true => self.window.sum_to(at.saturating_add(2))?,
            false => None,
        };
        let same = sum.is_none_or(|sum| le::u32(&bytes, 4) == Some(sum));
        Ok(End {
            next,
            sound: size && same,
        })
    }
}

/// Bytes of the file, mostly one behind the other.
struct Window<'s> {
    source: &'s ByteSource,
    /// How many bytes are read in one go.
    room: usize,
    start: u64,
    bytes: Vec<u8>,
    /// The checksum of what was passed, and where that ends.
    sum: Option<(Hasher, u64)>,
}

impl<'s> Window<'s> {
    fn new(source: &'s ByteSource, room: usize) -> Window<'s> {
        Window {
            source,
            room,
            start: 0,
            bytes: Vec::new(),
            sum: None,
        }
    }

    /// Bytes at an offset, without space of their own.
    fn array<const N: usize>(&mut self, offset: u64) -> Result<[u8; N], Stop> {
        let mut bytes = [0; N];
        self.copy(offset, &mut bytes)?;
        Ok(bytes)
    }

    /// Fills `buf` from an offset on.
    fn copy(&mut self, offset: u64, buf: &mut [u8]) -> Result<(), Stop> {
        let end = offset.saturating_add(buf.len() as u64);
        if end > self.source.len() {
            return Err(Stop::Cut);
        }
        if let Some(bytes) = self.get(offset, buf.len()) {
            buf.copy_from_slice(bytes);
            return Ok(());
        }
        // What is here becomes part of the sum before it goes away.
        self.sum_to(offset)?;
        if self.get(offset, buf.len()).is_none() {
            self.load(offset)?;
        }
        match self.get(offset, buf.len()) {
            Some(bytes) => buf.copy_from_slice(bytes),
            // More than there is room for.
            None => self.source.read_exact_at(offset, buf).map_err(Stop::Io)?,
        }
        Ok(())
    }

    fn get(&self, offset: u64, len: usize) -> Option<&[u8]> {
        let from = usize::try_from(offset.checked_sub(self.start)?).ok()?;
        self.bytes.get(from..from.checked_add(len)?)
    }

    /// Reads what is at an offset.
    fn load(&mut self, offset: u64) -> Result<(), Stop> {
        let left = usize::try_from(self.source.len().saturating_sub(offset)).unwrap_or(usize::MAX);
        self.bytes.resize(self.room.min(left), 0);
        self.start = offset;
        self.source
            .read_exact_at(offset, &mut self.bytes)
            .map_err(Stop::Io)
    }

    /// The checksum of the file up to an offset, where it was asked for.
    fn sum_to(&mut self, offset: u64) -> Result<Option<u32>, Stop> {
        let Some((mut hasher, mut done)) = self.sum.take() else {
            return Ok(None);
        };
        while done < offset {
            let left = usize::try_from(offset.saturating_sub(done)).unwrap_or(usize::MAX);
            let here = usize::try_from(
                self.start
                    .saturating_add(self.bytes.len() as u64)
                    .saturating_sub(done),
            )
            .unwrap_or_default();
            match self.get(done, left.min(here)).filter(|bytes| !bytes.is_empty()) {
                Some(bytes) => {
                    hasher.update(bytes);
                    done = done.saturating_add(bytes.len() as u64);
                }
                None if done >= self.source.len() => return Err(Stop::Cut),
                None => self.load(done)?,
            }
        }
        let sum = hasher.clone().finalize();
        self.sum = Some((hasher, done));
        Ok(Some(sum))
    }
}
