//! From a symbol's segment and offset to an RVA of the image, by `pdb2`.
//!
//! `pdb2` looks addresses up in the OMAP with unchecked arithmetic and by bisection, so that a table which is
//! out of order would panic or give wrong addresses: such a table is refused here first. And where a PDB has
//! no section headers, it makes some up, unchecked: then it is not asked, and no symbol has an address.

use pdb::PdbInternalSectionOffset;

use crate::bytes::Cursor;
use crate::error::SymbolError;
use crate::pdb::dbi::DebugStreams;
use crate::pdb::headers::Headers;
use crate::pdb::msf::Msf;

const SECTIONS: &str = "section headers";
const OMAP: &str = "OMAP";
/// No image is larger than 2 GiB.
const IMAGE_END: u32 = 0x8000_0000;

/// The image's sections, and how addresses moved after the link.
#[derive(Debug, Default)]
pub(super) struct AddressMap(pdb::AddressMap<'static>);

impl AddressMap {
    /// Where an OMAP is present, symbols count from the sections that were there before the move.
    pub(super) fn read(msf: &Msf, headers: &Headers, streams: DebugStreams) -> Result<Self, SymbolError> {
        let DebugStreams {
            omap_to_source,
            omap_from_source,
            sections,
            original_sections,
        } = streams;
        if sections.and_then(|number| msf.stream(number)).is_none() {
            return Ok(Self::default());
        }
        for (number, part) in [
            (sections, SECTIONS),
            (original_sections, SECTIONS),
            (omap_to_source, OMAP),
            (omap_from_source, OMAP),
        ] {
            if let Some(stream) = number.and_then(|number| msf.stream(number)) {
                stream.check(part)?;
            }
        }
        if let Some(stream) = omap_from_source.and_then(|number| msf.stream(number))
            && !is_sound(&stream.read_all(OMAP)?)
        {
            return Err(msf.corrupt(
                OMAP,
                "its entries are out of order or lead out of the image".into(),
            ));
        }
        headers.address_map(msf).map(Self)
    }

    /// `None` for an absolute symbol (its segment is 0 or beyond the sections) and for a removed one.
    pub(super) fn rva(&self, section: u16, offset: u32) -> Option<u32> {
        let place = PdbInternalSectionOffset { offset, section };
        // Microsoft moved the blocks of its own images about after the link (BBT): Windows XP's x86 kernels
        // have an OMAP, and publics count from where the linker had put them. Without the second step every
        // name is at a wrong address, and nothing shows it.
        let linked = place
            .to_internal_rva(&self.0)
            .filter(|address| address.0 < IMAGE_END)?;
        linked.to_rva(&self.0).map(|rva| rva.0)
    }
}

/// Whether entries (from this address on, up to the next entry, to that one) rise and stay within an image.
fn is_sound(omap: &[u8]) -> bool {
    let (entries, rest) = omap.as_chunks::<8>();
    let pair = |entry: &[u8; 8]| {
        let mut cursor = Cursor::new(entry);
        cursor.u32().zip(cursor.u32())
    };
    let pairs = || entries.iter().filter_map(pair);
    let ends = pairs().skip(1).map(|(source, _)| source).chain([IMAGE_END]);
    let within = |((source, target), end): ((u32, u32), u32)| {
        let len = end.checked_sub(source);
        len.is_some_and(|len| target.checked_add(len).is_some())
    };
    rest.is_empty() && pairs().zip(ends).all(within)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sound(entries: &[[u32; 2]]) -> bool {
        let bytes: Vec<u8> = entries
            .iter()
            .flatten()
            .flat_map(|word| word.to_le_bytes())
            .collect();
        is_sound(&bytes)
    }

    #[test]
    fn a_table_that_pdb2_would_stumble_over_is_refused() {
        assert!(sound(&[]));
        assert!(sound(&[[0x1000, 0x5000], [0x1100, 0], [0x9000, 0x2000]]));
        assert!(!sound(&[[0x9000, 0x2000], [0x1000, 0x5000]]));
        assert!(!sound(&[[0x1000, u32::MAX], [0x1100, 0]]));
        assert!(!sound(&[[0x1000, 0x8000_1000]]));
        assert!(!sound(&[[0x8000_1000, 0]]));
        assert!(!is_sound(&[0; 12]));
    }

    #[test]
    fn without_sections_nothing_has_an_address() {
        assert_eq!(AddressMap::default().rva(1, 0x10), None);
    }
}
