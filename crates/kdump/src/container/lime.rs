//! LiME images: a header of 0x20 bytes before each range of memory.
//!
//! Header: magic u32 0 (`EMiL` in the file), version u32 4, first address u64 8, last address u64 0x10 (inclusive),
//! reserved 0x18. Sources: Volatility's lime.py, microsoft/avml, LeechCore.

use crate::container::extents::{Extent, Extents};
use crate::container::fields::array;
use crate::container::{Container, Pages, Refusal};
use crate::file::source::ByteSource;
use crate::value::image_format::ImageFormat;
use crate::value::le;
use crate::value::note::{Lost, Note};

/// What a range begins with.
pub(crate) const MAGIC: &[u8] = b"EMiL";
const HEADER: u64 = 0x20;
/// How many ranges a file may have. Machines have dozens.
const MAX_RANGES: usize = 1 << 16;

/// Reads the headers of all ranges.
pub(crate) fn read(source: &ByteSource) -> Result<Container, Refusal> {
    let mut extents = Vec::new();
    let mut notes = Vec::new();
    let mut at = 0_u64;
    let mut last = 0_usize;
    while at < source.len() {
        let Ok(header) = array::<0x20>(source, at) else {
            notes.push(cut(at));
            break;
        };
        // Zeros behind the last range end the list; so LeechCore takes them.
        if !header.starts_with(MAGIC) {
            if header.iter().any(|&byte| byte != 0) {
                notes.push(Note::new(
                    "range-list-broken",
                    format!(
                        "at file offset {at:#x} there is no header of a range: what follows was not read"
                    ),
                ));
            }
            break;
        }
        let field = |offset| le::u64(&header, offset).unwrap_or_default();
        let (version, start, end) = (le::u32(&header, 4).unwrap_or_default(), field(8), field(0x10));
        if version != 1 {
            return Err(Refusal::Bad(format!(
                "range {last} has version {version}, and 1 is known"
            )));
        }
        let len = end
            .checked_sub(start)
            .and_then(|len| len.checked_add(1))
            .ok_or_else(|| Refusal::Bad(format!("range {last} is from {start:#x} to {end:#x}")))?;
        let data = at.saturating_add(HEADER);
        extents.extend(Extent::of_bytes(start, len, data));
        at = data
            .checked_add(len)
            .ok_or_else(|| Refusal::Bad(format!("range {last} is from {start:#x} to {end:#x}")))?;
        last = last.saturating_add(1);
        if last > MAX_RANGES {
            return Err(Refusal::Bad(format!("more than {MAX_RANGES} ranges")));
        }
    }
    let (extents, repeated) = Extents::new(extents);
    notes.extend(overlapping(repeated));
    let mut container = Container::new(ImageFormat::Lime, Pages::Plain(extents));
    container.notes = notes;
    Ok(container)
}

fn cut(at: u64) -> Note {
    Note::new(
        "range-list-cut",
        format!("the file ends inside the header of a range at {at:#x}: ranges that followed are missing"),
    )
    .losing(Lost::Cut)
}

/// A finding about frames that a file has more than once.
pub(crate) fn overlapping(repeated: u64) -> Option<Note> {
    (repeated != 0).then(|| {
        Note::new(
            "ranges-overlap",
            format!("{repeated} pages are in the file more than once; the first of each was taken"),
        )
    })
}
