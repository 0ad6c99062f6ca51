//! From a symbol's segment and offset to an RVA of the image.

use crate::bytes::Cursor;
use crate::error::SymbolError;
use crate::pdb::dbi::DebugStreams;
use crate::pdb::msf::Msf;

const SECTIONS: &str = "section headers";
const OMAP: &str = "OMAP";
const SECTION_HEADER: usize = 40;

/// The image's sections, and how addresses moved after the link.
#[derive(Debug)]
pub(super) struct AddressMap {
    /// RVA of each section; segment 1 is the first.
    sections: Vec<u32>,
    /// Sorted by source; empty if nothing moved.
    omap: Vec<Moved>,
}

/// From `source` on, up to the next entry, code and data were moved to `target`; 0 means removed.
#[derive(Clone, Copy, Debug)]
struct Moved {
    source: u32,
    target: u32,
}

impl AddressMap {
    /// Where an OMAP is present, symbols count from the sections that were there before the move.
    pub(super) fn read(msf: &Msf, streams: DebugStreams) -> Result<Self, SymbolError> {
        let bytes = |number: Option<u32>, part| {
            let stream = number.and_then(|number| msf.stream(number));
            stream.map_or(Ok(Vec::new()), |stream| stream.read_all(part))
        };
        let sections = streams.original_sections.or(streams.sections);
        let sections = parse_sections(&bytes(sections, SECTIONS)?);
        Ok(Self {
            sections,
            omap: parse_omap(&bytes(streams.omap_from_source, OMAP)?),
        })
    }

    /// `None` for an absolute symbol (its segment is 0 or beyond the sections) and for a removed one.
    pub(super) fn rva(&self, segment: u16, offset: u32) -> Option<u32> {
        let section = usize::from(segment).checked_sub(1)?;
        let address = self.sections.get(section)?.checked_add(offset)?;
        if self.omap.is_empty() {
            Some(address)
        } else {
            self.moved(address)
        }
    }

    fn moved(&self, address: u32) -> Option<u32> {
        let after = self.omap.partition_point(|entry| entry.source <= address);
        let entry = self
            .omap
            .get(after.checked_sub(1)?)
            .filter(|entry| entry.target != 0)?;
        entry.target.checked_add(address.checked_sub(entry.source)?)
    }
}

fn parse_sections(bytes: &[u8]) -> Vec<u32> {
    let headers = bytes.as_chunks::<SECTION_HEADER>().0.iter();
    // The header's name (8 bytes) and virtual size (4) come before the virtual address.
    headers
        .filter_map(|header| Cursor::at(header, 12)?.u32())
        .collect()
}

fn parse_omap(bytes: &[u8]) -> Vec<Moved> {
    let entry = |chunk: &[u8; 8]| {
        let mut cursor = Cursor::new(chunk);
        Some(Moved {
            source: cursor.u32()?,
            target: cursor.u32()?,
        })
    };
    let mut omap: Vec<Moved> = bytes.as_chunks::<8>().0.iter().filter_map(entry).collect();
    omap.sort_by_key(|entry| entry.source);
    omap
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(omap: &[(u32, u32)]) -> AddressMap {
        let omap = omap
            .iter()
            .map(|&(source, target)| Moved { source, target })
            .collect();
        AddressMap {
            sections: vec![0x1000, 0x9000],
            omap,
        }
    }

    #[test]
    fn segments_count_from_one() {
        let map = map(&[]);
        assert_eq!(map.rva(1, 0x20), Some(0x1020));
        assert_eq!(map.rva(2, 0), Some(0x9000));
        assert_eq!(map.rva(0, 5), None);
        assert_eq!(map.rva(3, 5), None);
        assert_eq!(map.rva(2, u32::MAX), None);
    }

    #[test]
    fn moved_addresses_follow_the_omap() {
        let map = map(&[(0x1000, 0x5000), (0x1100, 0), (0x9000, 0x2000)]);
        assert_eq!(map.rva(1, 0xff), Some(0x50ff));
        assert_eq!(map.rva(1, 0x100), None);
        assert_eq!(map.rva(2, 8), Some(0x2008));
        let late = AddressMap {
            sections: vec![0x10],
            omap: map.omap,
        };
        assert_eq!(late.rva(1, 0), None);
    }
}
