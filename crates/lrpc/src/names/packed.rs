//! The tables as `build.rs` packs them.
//!
//! Three numbers of 32 bits: of interfaces, procedures and sources. Then the interfaces in the order of their ids: the
//! id as it is written (16 bytes), its first procedure (32 bits), how many it has here and how many at least (16 bits
//! each), its name (32 bits). Then the procedures: number and source (16 bits each), name (32 bits). Then where each
//! source's text is (32 bits), and the texts, each with its length in a byte before it. Whatever does not hold is none.

use crate::bytes::{array, u16, u32};
use crate::uuid::Uuid;

static BYTES: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/names.bin"));

const HEAD: usize = 12;
const INTERFACE: usize = 28;
const PROCEDURE: usize = 8;

/// An interface as it is packed.
pub(crate) struct Packed {
    pub(crate) name: &'static str,
    pub(crate) procedures: u16,
    first: usize,
    rows: usize,
}

/// A name of a procedure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) source: &'static str,
}

/// The tables.
#[derive(Clone, Copy)]
pub(crate) struct Table {
    interfaces: usize,
    procedures: usize,
    sources: usize,
}

impl Table {
    pub(crate) fn built_in() -> Self {
        let number = |at| {
            u32(BYTES, at)
                .and_then(|number| usize::try_from(number).ok())
                .unwrap_or(0)
        };
        Self {
            interfaces: number(0),
            procedures: number(4),
            sources: number(8),
        }
    }

    fn interfaces_at(at: usize) -> usize {
        HEAD.saturating_add(at.saturating_mul(INTERFACE))
    }

    fn procedures_at(self, at: usize) -> usize {
        Self::interfaces_at(self.interfaces).saturating_add(at.saturating_mul(PROCEDURE))
    }

    fn sources_at(self, at: usize) -> usize {
        self.procedures_at(self.procedures)
            .saturating_add(at.saturating_mul(4))
    }

    fn text(self, at: Option<u32>) -> Option<&'static str> {
        let start = usize::try_from(at?)
            .ok()?
            .checked_add(self.sources_at(self.sources))?;
        let length = usize::from(*BYTES.get(start)?);
        let start = start.checked_add(1)?;
        let bytes = BYTES.get(start..start.checked_add(length)?)?;
        std::str::from_utf8(bytes).ok()
    }

    pub(crate) fn interface(self, uuid: Uuid) -> Option<Packed> {
        let (mut low, mut high) = (0, self.interfaces);
        while low < high {
            let middle = low.midpoint(high);
            let at = Self::interfaces_at(middle);
            match array::<16>(BYTES, at)?.cmp(&uuid.as_written()) {
                std::cmp::Ordering::Less => low = middle.saturating_add(1),
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return self.packed(at),
            }
        }
        None
    }

    fn packed(self, at: usize) -> Option<Packed> {
        Some(Packed {
            first: usize::try_from(u32(BYTES, at.checked_add(16)?)?).ok()?,
            rows: usize::from(u16(BYTES, at.checked_add(20)?)?),
            procedures: u16(BYTES, at.checked_add(22)?)?,
            name: self.text(u32(BYTES, at.checked_add(24)?))?,
        })
    }

    fn row(self, at: usize) -> Option<(u16, Row)> {
        let at = self.procedures_at(at);
        let source = usize::from(u16(BYTES, at.checked_add(2)?)?);
        let row = Row {
            name: self.text(u32(BYTES, at.checked_add(4)?))?,
            source: self.text(u32(BYTES, self.sources_at(source)))?,
        };
        Some((u16(BYTES, at)?, row))
    }

    /// The names that sources have for a procedure, the preferred one first.
    pub(crate) fn procedures(self, interface: Uuid, number: u32) -> Vec<Row> {
        let Some(packed) = self.interface(interface) else {
            return Vec::new();
        };
        let rows = packed.first..packed.first.saturating_add(packed.rows);
        rows.filter_map(|at| self.row(at))
            .filter(|(opnum, _)| u32::from(*opnum) == number)
            .map(|(_, row)| row)
            .collect()
    }

    pub(crate) fn rows(self) -> impl Iterator<Item = (Uuid, u16, &'static str, &'static str)> {
        (0..self.interfaces).flat_map(move |at| {
            let at = Self::interfaces_at(at);
            let uuid = array(BYTES, at).map(Uuid::from_written).unwrap_or_default();
            let packed = self.packed(at);
            let rows = packed.map_or(0..0, |packed| {
                packed.first..packed.first.saturating_add(packed.rows)
            });
            rows.filter_map(move |at| self.row(at))
                .map(move |(opnum, row)| (uuid, opnum, row.name, row.source))
        })
    }
}
