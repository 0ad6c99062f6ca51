//! The numbers of the streams that the DBI stream names, which `pdb2` keeps to itself.
//!
//! Format: LLVM's "The PDB DBI Stream", Microsoft's `PDB/dbi/dbi.h`.

use crate::bytes::Cursor;
use crate::error::SymbolError;
use crate::pdb::msf::{Msf, Stream};

pub(super) const DBI_STREAM: u32 = 3;
pub(super) const DBI: &str = "DBI stream";
const DBI_HEADER: u32 = 64;
/// A stream number that stands for no stream.
const NO_STREAM: u16 = u16::MAX;

/// What is needed of the DBI stream.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dbi {
    pub(super) publics: Option<u32>,
    pub(super) symbols: Option<u32>,
    debug: DebugStreams,
}

/// Streams with the image's sections and how post-link tools moved them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct DebugStreams {
    /// From addresses in the image to addresses before the move.
    pub(super) omap_to_source: Option<u32>,
    /// And back.
    pub(super) omap_from_source: Option<u32>,
    pub(super) sections: Option<u32>,
    /// Sections before the move.
    pub(super) original_sections: Option<u32>,
}

impl Dbi {
    /// `None` if the PDB has no DBI stream, as one that only holds types.
    pub(super) fn read(msf: &Msf) -> Result<Option<Self>, SymbolError> {
        let Some(stream) = msf.stream(DBI_STREAM).filter(|stream| stream.len() > 0) else {
            return Ok(None);
        };
        let bytes = stream.read_up_to(0, DBI_HEADER, DBI)?;
        let (mut dbi, debug) =
            parse_dbi(&bytes).ok_or_else(|| msf.corrupt(DBI, "its header is not understood".into()))?;
        dbi.debug = debug.read(&stream)?;
        Ok(Some(dbi))
    }

    pub(super) fn debug_streams(&self) -> DebugStreams {
        self.debug
    }
}

/// Where in the DBI stream the numbers of the debug streams are.
struct DebugHeader {
    offset: Option<u32>,
    len: u32,
}

impl DebugHeader {
    fn read(&self, stream: &Stream<'_>) -> Result<DebugStreams, SymbolError> {
        if self.len == 0 {
            return Ok(DebugStreams::default());
        }
        // `pdb2` adds these up without looking.
        let bytes = stream.read(self.offset.unwrap_or(u32::MAX), self.len, DBI)?;
        let number = |index: usize| {
            let at = index.checked_mul(2)?;
            stream_number(Cursor::at(&bytes, at)?.u16()?)
        };
        Ok(DebugStreams {
            // The order of microsoft-pdb's DBGTYPE: FPO, exceptions, fix-ups, OMAP to and from the source,
            // sections, tokens, xdata, pdata, new FPO, original sections.
            omap_to_source: number(3),
            omap_from_source: number(4),
            sections: number(5),
            original_sections: number(10),
        })
    }
}

fn stream_number(number: u16) -> Option<u32> {
    (number != NO_STREAM).then_some(u32::from(number))
}

fn parse_dbi(bytes: &[u8]) -> Option<(Dbi, DebugHeader)> {
    let mut cursor = Cursor::new(bytes);
    let signature = cursor.u32()?;
    let _version = cursor.u32()?;
    let _age = cursor.u32()?;
    let _globals = cursor.u16()?;
    let _build = cursor.u16()?;
    let publics = stream_number(cursor.u16()?);
    let _dll_version = cursor.u16()?;
    let symbols = stream_number(cursor.u16()?);
    let _dll_build = cursor.u16()?;
    // Modules, section contributions, section map, files, type servers.
    let mut end = Some(DBI_HEADER);
    for _ in 0..5 {
        let len = cursor.u32()?;
        end = end.and_then(|end| end.checked_add(len));
    }
    let _type_server = cursor.u32()?;
    let len = cursor.u32()?;
    let edit_and_continue = cursor.u32()?;
    let offset = end.and_then(|end| end.checked_add(edit_and_continue));
    let _flags = cursor.u16()?;
    let _machine = cursor.u16()?;
    let _reserved = cursor.u32()?;
    // Before Visual C++ 4.1 the stream began with other things.
    let known = signature == u32::MAX;
    let dbi = Dbi {
        publics,
        symbols,
        debug: DebugStreams::default(),
    };
    known.then_some((dbi, DebugHeader { offset, len }))
}
