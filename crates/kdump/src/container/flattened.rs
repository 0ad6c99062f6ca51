//! Flattened files: what makedumpfile and QEMU write where they cannot seek, the pieces of another file with the place
//! of each.
//!
//! A header of 0x1000 bytes: `makedumpfile` in 16 bytes, type 1 at 0x10, version 1 at 0x18. Then records: where the
//! piece belongs at 0, its length at 8, its bytes behind. All numbers are signed, of 64 bits and **big-endian**; a place of −1
//! ends the list. Sources: makedumpfile's README and IMPLEMENTATION, QEMU's dump/dump.c; checked against files of QEMU
//! 7.2 and 10.0, and `makedumpfile -R`.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;

use crate::container::Refusal;
use crate::container::fields::array;
use crate::file::source::ByteSource;

/// What a flattened file begins with.
pub(crate) const MAGIC: &[u8] = b"makedumpfile\0\0\0\0";
const HEADER: u64 = 0x1000;
const RECORD: u64 = 0x10;
/// How many records are read. QEMU writes up to 16 KiB with each: a terabyte.
const MAX_RECORDS: usize = 1 << 26;

/// Bytes of the other file that are in one piece here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Piece {
    /// Where they belong.
    to: u64,
    /// Where they are here.
    from: u64,
    len: u64,
}

impl Piece {
    fn end(self) -> u64 {
        self.to.saturating_add(self.len)
    }

    /// What of it belongs to `start..end`.
    fn part(self, start: u64, end: u64) -> Option<Piece> {
        let (to, end) = (self.to.max(start), self.end().min(end));
        let len = end.checked_sub(to).filter(|&len| len != 0)?;
        let by = to.saturating_sub(self.to);
        Some(Piece {
            to,
            from: self.from.saturating_add(by),
            len,
        })
    }
}

/// A file, as it is or flattened: the bytes that its makers meant.
#[derive(Debug)]
pub(crate) enum Layer {
    /// As it is.
    Plain,
    /// In pieces, in the order in which they belong, none over another.
    Flattened(Pieces),
}

/// The pieces of a flattened file.
#[derive(Debug)]
pub(crate) struct Pieces {
    pieces: Vec<Piece>,
    /// Whether the list has its end.
    whole: bool,
}

impl Layer {
    /// How a file begins that starts with `head`.
    pub(crate) fn of(head: &[u8], source: &ByteSource) -> Result<Layer, Refusal> {
        match head.starts_with(MAGIC) {
            true => Ok(Layer::Flattened(read(source)?)),
            false => Ok(Layer::Plain),
        }
    }

    /// What it means that bytes before `need` are not there.
    pub(crate) fn cut(&self, need: u64) -> Refusal {
        match self {
            Layer::Plain => Refusal::Cut { need },
            // How long the file itself would have to be is not known.
            Layer::Flattened(_) => Refusal::Bad(format!(
                "none of its pieces has the bytes before {need:#x}: copy the file again"
            )),
        }
    }

    /// Whether the file ends before its list of pieces does.
    pub(crate) fn is_cut(&self) -> bool {
        matches!(self, Layer::Flattened(pieces) if !pieces.whole)
    }

    /// Whether all bytes of a range are there.
    pub(crate) fn has(&self, source: &ByteSource, offset: u64, len: u64) -> bool {
        match self {
            Layer::Plain => offset.saturating_add(len) <= source.len(),
            Layer::Flattened(pieces) => pieces.parts(offset, len).all(|part| part.is_some()),
        }
    }

    /// Fills `buf` from `offset` on.
    ///
    /// # Errors
    /// [`io::ErrorKind::UnexpectedEof`] where no piece has a byte of it, else what the system says.
    pub(crate) fn read(&self, source: &ByteSource, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let Layer::Flattened(pieces) = self else {
            return source.read_exact_at(offset, buf);
        };
        let mut rest = buf;
        for part in pieces.parts(offset, rest.len() as u64) {
            let part = part.ok_or(io::ErrorKind::UnexpectedEof)?;
            let len = usize::try_from(part.len).unwrap_or(usize::MAX);
            let (now, later) = rest
                .split_at_mut_checked(len)
                .ok_or(io::ErrorKind::UnexpectedEof)?;
            source.read_exact_at(part.from, now)?;
            rest = later;
        }
        Ok(())
    }
}

impl Pieces {
    /// The parts of the pieces that a range consists of, one behind the other; a hole ends them.
    fn parts(&self, offset: u64, len: u64) -> impl Iterator<Item = Option<Piece>> + '_ {
        let end = offset.checked_add(len);
        let mut at = offset;
        let mut next = self.pieces.partition_point(|piece| piece.end() <= offset);
        let mut ended = false;
        std::iter::from_fn(move || {
            if ended || Some(at) == end {
                return None;
            }
            let piece = self.pieces.get(next).filter(|piece| piece.to <= at);
            let part = piece.and_then(|piece| piece.part(at, end?));
            next = next.saturating_add(1);
            match part {
                Some(part) => at = part.end(),
                None => ended = true,
            }
            Some(part)
        })
    }
}

fn read(source: &ByteSource) -> Result<Pieces, Refusal> {
    let mut pieces = Vec::new();
    let mut at = HEADER;
    let mut whole = false;
    loop {
        let record = match array::<0x10>(source, at) {
            Err(Refusal::Cut { .. }) => break,
            read => read?,
        };
        let (to, len) = (big(&record, 0), big(&record, 8));
        // The place alone ends the list, whatever the length says.
        let Ok(to) = u64::try_from(to) else {
            whole = to == -1;
            break;
        };
        let from = at.saturating_add(RECORD);
        let Some(len) = u64::try_from(len)
            .ok()
            .filter(|&len| to.checked_add(len).is_some())
        else {
            return Err(Refusal::Bad(format!(
                "its record at {at:#x} has {len} bytes for {to:#x}"
            )));
        };
        let there = source.len().saturating_sub(from);
        if len != 0 {
            pieces.push(Piece {
                to,
                from,
                len: len.min(there),
            });
        }
        if len > there {
            break;
        }
        if pieces.len() > MAX_RECORDS {
            return Err(Refusal::Bad(format!("it has more than {MAX_RECORDS} records")));
        }
        at = from.saturating_add(len);
    }
    Ok(Pieces {
        pieces: arrange(pieces),
        whole,
    })
}

fn big(bytes: &[u8; 0x10], at: usize) -> i64 {
    let number = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>());
    i64::from_be_bytes(number.copied().unwrap_or_default())
}

/// Puts pieces in the order of their places. What was written twice is as it was written last: makedumpfile writes its
/// headers again when it knows all of them. The last is the one farthest in the file.
fn arrange(mut pieces: Vec<Piece>) -> Vec<Piece> {
    pieces.retain(|piece| piece.len != 0);
    pieces.sort_unstable_by_key(|piece| (piece.to, piece.from));
    let apart = pieces
        .iter()
        .zip(pieces.iter().skip(1))
        .all(|(one, next)| one.end() <= next.to);
    if apart {
        return pieces;
    }
    let mut out: Vec<Piece> = Vec::with_capacity(pieces.len());
    // The pieces over a place, the last written on top.
    let mut over: BinaryHeap<(u64, Reverse<u64>, u64)> = BinaryHeap::new();
    let mut next = pieces.iter().copied().peekable();
    let mut at = 0_u64;
    loop {
        while let Some(piece) = next.next_if(|piece| piece.to <= at || over.is_empty()) {
            if over.is_empty() {
                at = at.max(piece.to);
            }
            over.push((piece.from, Reverse(piece.to), piece.len));
        }
        let Some(&(from, Reverse(to), len)) = over.peek() else {
            break;
        };
        let top = Piece { to, from, len };
        if top.end() <= at {
            over.pop();
            continue;
        }
        let until = next.peek().map_or(top.end(), |piece| piece.to.min(top.end()));
        if let Some(part) = top.part(at, until) {
            match out.last_mut() {
                Some(last) if last.end() == part.to && last.from.saturating_add(last.len) == part.from => {
                    last.len = last.len.saturating_add(part.len);
                }
                _ => out.push(part),
            }
        }
        at = until;
    }
    out
}

#[cfg(test)]
#[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A flattened file with these pieces.
    fn file(pieces: &[(u64, Vec<u8>)]) -> Vec<u8> {
        let mut file = MAGIC.to_vec();
        file.resize(HEADER as usize, 0);
        for (to, bytes) in pieces {
            file.extend((*to as i64).to_be_bytes());
            file.extend((bytes.len() as i64).to_be_bytes());
            file.extend(bytes);
        }
        file.extend([0xff; 16]);
        file
    }

    proptest! {
        /// Against writing the pieces one after the other into a buffer.
        #[test]
        fn what_was_written_last_is_read(
            pieces in prop::collection::vec((0u64..200, prop::collection::vec(any::<u8>(), 0..40)), 0..20),
            reads in prop::collection::vec((0u64..260, 0usize..80), 8),
        ) {
            let mut plain: Vec<Option<u8>> = Vec::new();
            for (to, bytes) in &pieces {
                for (at, &byte) in bytes.iter().enumerate() {
                    let at = *to as usize + at;
                    plain.resize(plain.len().max(at + 1), None);
                    plain[at] = Some(byte);
                }
            }
            let source = ByteSource::Memory(file(&pieces));
            let layer = Layer::Flattened(read(&source).unwrap());
            prop_assert!(!layer.is_cut());
            for (offset, len) in reads {
                let wanted: Option<Vec<u8>> = (offset as usize..offset as usize + len)
                    .map(|at| plain.get(at).copied().flatten())
                    .collect();
                let mut bytes = vec![0; len];
                let read = layer.read(&source, offset, &mut bytes);
                prop_assert_eq!(read.is_ok(), wanted.is_some());
                prop_assert_eq!(layer.has(&source, offset, len as u64), wanted.is_some());
                if let Some(wanted) = wanted {
                    prop_assert_eq!(bytes, wanted);
                }
            }
        }
    }

    #[test]
    fn a_list_without_its_end_is_cut() {
        let whole = file(&[(0, vec![1; 0x20]), (0x40, vec![2; 0x20])]);
        for len in 0..whole.len() {
            let source = ByteSource::Memory(whole[..len].to_vec());
            let layer = Layer::Flattened(read(&source).unwrap());
            // The place of the end, of which the length that follows is nothing.
            assert!(layer.is_cut(), "{len:#x}");
        }
        for (to, len) in [(i64::MAX, 2), (0, -1), (5, i64::MIN)] {
            let mut bytes = file(&[]);
            bytes.truncate(HEADER as usize);
            bytes.extend([to.to_be_bytes(), len.to_be_bytes()].concat());
            let read = read(&ByteSource::Memory(bytes));
            assert_eq!(read.is_ok(), to == i64::MAX, "{to} {len}");
        }
    }
}
