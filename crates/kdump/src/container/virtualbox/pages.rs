//! The pages that page records say are there, each by the record that was written last.

use std::fmt;
use std::sync::Arc;

use crate::container::extents::{Extent, Extents};
use crate::container::packed::{Kept, PackedPages};
use crate::container::virtualbox::stream::{Place, Stop, Stream};
use crate::file::source::ByteSource;
use crate::memory::error::FrameError;
use crate::memory::page::{PAGE, PageRun};
use crate::memory::physical::PageError;
use crate::value::address::Pfn;

/// How many runs of frames are taken. A machine of 64 GiB whose pages of zeros lie between others, one after the other,
/// has as many.
const MAX_RUNS: usize = 1 << 23;
/// Marks places of pages of zeros, and of pages that the guest gave to its host; below is the number of a place.
const ZEROS: u64 = 1 << 62;
const BALLOONED: u64 = 1 << 61;
/// Marks places that are in packed records, which begin at the offset in the other bits.
const PACKED: u64 = 1 << 63;
/// Marks the places of pages that begin inside of a record, by their numbers.
const SPLIT: u64 = 1 << 62;
/// How many unpacked pages are kept.
const KEPT: usize = 256;

/// What a page record says of its page.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Content {
    /// Its bytes.
    Bytes(Place),
    /// The guest gave it to the host: nothing says what it held.
    Ballooned,
}

/// Collects page records in the order in which they were written.
#[derive(Debug, Default)]
pub(crate) struct Builder {
    /// Runs of frames. Their places are numbers of `places` in pages, or marks.
    runs: Vec<Extent>,
    places: Vec<u64>,
    splits: Vec<(u64, u32)>,
}

impl Builder {
    /// Adds a page; false where there are more runs of pages than any machine has.
    pub(crate) fn add(&mut self, frame: u64, content: Content) -> bool {
        let address = frame.saturating_mul(PAGE);
        let offset = match content {
            Content::Ballooned => BALLOONED | address,
            Content::Bytes(Place::Zeros) => ZEROS | address,
            Content::Bytes(place) => {
                let number = (self.places.len() as u64).saturating_mul(PAGE);
                let place = match place {
                    Place::Plain(offset) => offset,
                    Place::Records(at, 0) => PACKED | at,
                    Place::Records(at, skip) => {
                        self.splits.push((at, skip));
                        PACKED | SPLIT | (self.splits.len() as u64).saturating_sub(1)
                    }
                    Place::Zeros => 0,
                };
                self.places.push(place);
                number
            }
        };
        if let Some(last) = self.runs.last_mut()
            && last.base.checked_add(last.count) == Some(frame)
            && last.offset.checked_add(last.count.saturating_mul(PAGE)) == Some(offset)
        {
            last.count = last.count.saturating_add(1);
            return true;
        }
        self.runs.push(Extent {
            base: frame,
            count: 1,
            offset,
        });
        self.runs.len() <= MAX_RUNS
    }

    /// Whether no record was added.
    pub(crate) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Puts the frames in order; of records of the same frame the last is taken. How many pages were given to the host is
    /// the second result.
    pub(crate) fn build(self) -> (SavedPages, u64) {
        let (mut index, _) = Extents::new(self.runs.into_iter().rev());
        let all = index.pages();
        index.retain(|run| run.offset & BALLOONED == 0);
        let pages = index.pages();
        let saved = SavedPages {
            index,
            places: self.places,
            splits: self.splits,
            kept: Kept::new(KEPT),
            missing: 0,
        };
        (saved, all.saturating_sub(pages))
    }
}

/// The pages of a saved state: eight bytes for each that is no zeros.
pub(crate) struct SavedPages {
    index: Extents,
    places: Vec<u64>,
    splits: Vec<(u64, u32)>,
    kept: Kept,
    /// How many pages of the machine the file would have if it did not end before them.
    missing: u64,
}

impl fmt::Debug for SavedPages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SavedPages")
            .field("pages", &self.index.pages())
            .finish_non_exhaustive()
    }
}

impl SavedPages {
    /// How many there are.
    pub(crate) fn len(&self) -> u64 {
        self.index.pages()
    }

    /// The same pages of a file that ends before so many others.
    pub(crate) fn without(self, missing: u64) -> SavedPages {
        SavedPages { missing, ..self }
    }

    /// Unpacks a page of records.
    fn unpack(&self, source: &ByteSource, place: u64) -> Result<Arc<[u8]>, PageError> {
        let number = place & !(PACKED | SPLIT);
        let (at, skip) = match place & SPLIT {
            0 => (number, 0),
            _ => {
                let number = usize::try_from(number).map_err(|_| PageError::Damaged)?;
                *self.splits.get(number).ok_or(PageError::Damaged)?
            }
        };
        let mut page = [0; 0x1000];
        match Stream::unpack(source, at, skip, &mut page) {
            Ok(()) => Ok(page.as_slice().into()),
            Err(Stop::Io(error)) => Err(PageError::Io(error.kind())),
            Err(_) => Err(PageError::Damaged),
        }
    }
}

impl PackedPages for SavedPages {
    fn look_up(&self, _: &ByteSource, pfn: Pfn) -> Result<(), FrameError> {
        match self.index.offset(pfn.u64()) {
            Some(_) => Ok(()),
            None => Err(FrameError::NotInDump { pfn }),
        }
    }

    fn read(&self, source: &ByteSource, pfn: Pfn, skip: usize, buf: &mut [u8]) -> Result<(), PageError> {
        let at = self.index.offset(pfn.u64()).ok_or(PageError::Damaged)?;
        if at & ZEROS != 0 {
            buf.fill(0);
            return Ok(());
        }
        let number = usize::try_from(at / PAGE).map_err(|_| PageError::Damaged)?;
        let place = *self.places.get(number).ok_or(PageError::Damaged)?;
        if place & PACKED == 0 {
            let from = place.saturating_add(skip as u64);
            return source
                .read_exact_at(from, buf)
                .map_err(|error| PageError::Io(error.kind()));
        }
        let page = self.kept.get(place, || self.unpack(source, place))?;
        let bytes = page.get(skip..skip.saturating_add(buf.len()));
        buf.copy_from_slice(bytes.ok_or(PageError::Damaged)?);
        Ok(())
    }

    fn runs<'a>(&'a self, _: &'a ByteSource) -> Box<dyn Iterator<Item = PageRun> + 'a> {
        Box::new(joined(self.index.runs()))
    }

    fn limit(&self) -> u64 {
        self.index.limit()
    }

    fn count(&self) -> (u64, u64) {
        let present = self.index.pages();
        (present.saturating_add(self.missing), present)
    }
}

/// Runs that follow each other as one: what is behind frames is no matter.
fn joined(runs: impl Iterator<Item = PageRun>) -> impl Iterator<Item = PageRun> {
    let mut runs = runs.peekable();
    std::iter::from_fn(move || {
        let mut run = runs.next()?;
        while let Some(next) =
            runs.next_if(|next| run.base.u64().checked_add(run.count) == Some(next.base.u64()))
        {
            run.count = run.count.saturating_add(next.count);
        }
        Some(run)
    })
}
