//! Hibernation files (`hiberfil.sys`).
//!
//! Windows 8 and later. `PO_MEMORY_IMAGE` at 0: signature 0, LengthSelf u32 0xc, which tells the builds and so where the
//! other fields are ([`FORMS`]). Pages are in two restoration sets, for the loader and for the kernel, each from a page of
//! the file on: compression sets one behind the other. A set: u32 with the count of descriptors in bits 0 to 7, the size
//! of the data in bits 8 to 27, the algorithm in bits 30 and 31 (0: plain XPRESS, else XPRESS-Huffman); descriptors, u64
//! (x86: u32) with the count of pages - 1 in bits 0 to 3 and the first frame above; the data, as it is where it has the
//! size of the pages. Up to 16 pages make a set. Sources: LeechCore's device_hibr.c after Sylve 2016, and the symbols of
//! 9600, 14393, 17763 and 22000 for the fields, of which Hiberboot and FirstSecureRestorePage are in the symbols
//! alone.
//!
//! Windows 7. Tables of ranges, the first at page FirstTablePage: the page of the next table and the count, then
//! first frame and the one behind the last ([`TABLES`]). Behind each table blocks of up to 16 pages in the order of the
//! ranges: `81 81 "xpress"`, the size in bytes 9 to 0xb of a header of 0x20, plain XPRESS, or the pages as they are where
//! it has their size. Source: Volatility's hibernate.py and, for the layouts, Rekall's.
//!
//! Pages that no set lists were free: nothing says what they hold. LeechCore gives zeros for them.

use std::collections::HashSet;

use crate::container::fields::{array, bytes};
use crate::container::lime::overlapping;
use crate::container::packed::{Block, Builder, Unpack, stored};
use crate::container::processor::Processor;
use crate::container::xpress::{huffman, plain_lz77};
use crate::container::{Container, Pages, Refusal};
use crate::file::source::ByteSource;
use crate::memory::page::{PAGE, PageRun};
use crate::value::address::Pfn;
use crate::value::image_format::ImageFormat;
use crate::value::le;
use crate::value::machine::Machine;
use crate::value::note::{Lost, Note};

/// States, in either case of letters: hibernated, being resumed, resumed; of the other two the first is a debugger's, the
/// second an embedded system's that is always resumed from the same file (Hibr2Bin's Hiber.h).
const SIGNATURES: [&[u8; 4]; 5] = [b"HIBR", b"RSTR", b"WAKE", b"BRKP", b"HORM"];

/// Where the fields of a header are.
struct Form {
    length: u32,
    /// Whether pointers and descriptors have eight bytes.
    wide: bool,
    first_boot: usize,
    first_kernel: usize,
    kernel_pages: usize,
    /// FirstSecureRestorePage, since Windows 10 on x64.
    first_secure: Option<usize>,
    /// Hiberboot, where symbols tell.
    fast_startup: Option<usize>,
}

const fn wide(length: u32, first_boot: usize, kernel_pages: usize, fast_startup: Option<usize>) -> Form {
    Form {
        length,
        wide: true,
        first_boot,
        first_kernel: if first_boot == 0x60 { 0x68 } else { 0x70 },
        kernel_pages,
        first_secure: if first_boot == 0x60 { None } else { Some(0x60) },
        fast_startup,
    }
}

const fn narrow(length: u32, kernel_pages: usize) -> Form {
    Form {
        length,
        wide: false,
        first_boot: 0x50,
        first_kernel: 0x54,
        kernel_pages,
        first_secure: None,
        fast_startup: None,
    }
}

/// Headers by their length: x64 of 9200 and 9600, 10240 and 10586, 14393, 15063 to 17134, 17763 to 19041, 20348 to 22621,
/// 26100; x86 in the same order up to 19041.
const FORMS: [Form; 12] = [
    wide(0x360, 0x60, 0x1c8, Some(0x2fc)),
    wide(0x3b0, 0x68, 0x218, None),
    wide(0x3c8, 0x68, 0x220, Some(0x354)),
    wide(0x3d8, 0x68, 0x230, None),
    wide(0x3e0, 0x68, 0x230, Some(0x364)),
    wide(0x448, 0x68, 0x230, Some(0x3cc)),
    wide(0x4d8, 0x68, 0x238, None),
    narrow(0x2c8, 0x1b0),
    narrow(0x310, 0x1f8),
    narrow(0x328, 0x200),
    narrow(0x338, 0x210),
    narrow(0x340, 0x210),
];

/// Pages of a set, and of a block of older files.
const SET_PAGES: u64 = 0x10;
/// Frames of the largest physical address that there is.
const MAX_FRAME: u64 = 1 << 40;
/// How many sets are read: of 1 TiB, were all of them full.
const MAX_SETS: usize = 1 << 24;

/// Whether a file begins as a hibernation file does, with a whole header.
pub(crate) fn is_hibernation(head: &[u8]) -> bool {
    let word = head.get(..4).filter(|_| head.len() as u64 >= PAGE);
    word.is_some_and(|word| {
        SIGNATURES
            .iter()
            .any(|signature| signature.eq_ignore_ascii_case(word))
    })
}

/// Reads where the pages are.
pub(crate) fn read(source: &ByteSource) -> Result<Container, Refusal> {
    let header = array::<0x1000>(source, 0)?;
    let length = le::u32(&header, 0xc).unwrap_or_default();
    let resumed = header
        .get(..4)
        .is_some_and(|word| word.eq_ignore_ascii_case(b"WAKE"));
    let mut found = match FORMS.iter().find(|form| form.length == length) {
        Some(form) => of_sets(form, &header, source)?,
        None => of_tables(&header, source)?.ok_or_else(|| match resumed && length == 0 {
            true => wiped(),
            false => Refusal::Foreign {
                found: format!(
                    "a hibernation file whose header has {length:#x} bytes, which is none that is known"
                ),
                next: "let the machine resume, and take a dump of it".to_owned(),
            },
        })?,
    };
    if found.builder.len() == 0 {
        return Err(wiped());
    }
    if resumed {
        found.notes.push(Note::new(
            "resumed",
            "the machine was resumed from this file: Windows 8 and later wipe its pages then, and what is here is what \
             was left",
        ));
    }
    let (blocks, repeated) = found.builder.build(source.len());
    let mut container = Container::new(ImageFormat::Hibernation, Pages::Packed(Box::new(blocks)));
    container.machine = found.machine;
    container.processors = found.processors;
    container.notes = found.notes;
    container.notes.extend(overlapping(repeated));
    Ok(container)
}

fn wiped() -> Refusal {
    Refusal::Foreign {
        found: "a hibernation file without pages: the machine was resumed, and Windows wiped them".to_owned(),
        next: "hibernate again (`shutdown /h`) and copy the file from the disk before the machine is started, or take \
               a dump"
            .to_owned(),
    }
}

/// What a file has.
struct Found {
    builder: Builder,
    /// What the width of the header tells: ARM64 has that of x64.
    machine: Option<Machine>,
    processors: Vec<Processor>,
    notes: Vec<Note>,
}

/// Files of Windows 8 and later.
fn of_sets(form: &Form, header: &[u8], source: &ByteSource) -> Result<Found, Refusal> {
    let (page_size, loader) = match form.wide {
        true => (0x18, 0x58),
        false => (0x14, 0x48),
    };
    let size = le::u32(header, page_size).unwrap_or_default();
    if u64::from(size) != PAGE {
        return Err(Refusal::Bad(format!("its pages have {size:#x} bytes")));
    }
    let pointer = |offset| match form.wide {
        true => le::u64(header, offset).unwrap_or_default(),
        false => le::u32(header, offset).unwrap_or_default().into(),
    };
    let mut found = Found {
        builder: Builder::default(),
        machine: (!form.wide).then_some(Machine::I386),
        processors: Vec::new(),
        notes: Vec::new(),
    };
    let sets = [
        ("boot", pointer(form.first_boot), le::u64(header, loader)),
        (
            "kernel",
            pointer(form.first_kernel),
            le::u64(header, form.kernel_pages),
        ),
    ];
    for (name, first, pages) in sets {
        let Some(pages) = pages.filter(|&pages| pages != 0) else {
            continue;
        };
        let mut sets = Sets {
            source,
            wide: form.wide,
            at: first.saturating_mul(PAGE),
        };
        let mut left = pages;
        while left != 0 && found.builder.len() < MAX_SETS {
            let Some((block, runs, count)) = sets.next()? else {
                break;
            };
            found.builder.block(block, runs);
            left = left.saturating_sub(count);
        }
        if left != 0 {
            let note = Note::new(
                "restoration-set-broken",
                format!(
                    "the {name} set ends at file offset {:#x} with {} of {pages} pages: the others are missing",
                    sets.at,
                    pages.saturating_sub(left)
                ),
            );
            found.notes.push(note.losing(Lost::Cut));
        }
    }
    if form.first_secure.is_some_and(|offset| pointer(offset) != 0) {
        found.notes.push(
            Note::new(
                "secure-pages",
                "the pages of the secure kernel (VBS) are encrypted, and cannot be read",
            )
            .losing(Lost::Encrypted),
        );
    }
    let hiberboot = form.fast_startup.and_then(|offset| header.get(offset));
    if hiberboot.is_some_and(|&byte| byte != 0) {
        found.notes.push(Note::new(
            "fast-startup",
            "the machine was shut down with fast startup: the kernel and session 0 are here, sessions of users are not",
        ));
    }
    Ok(found)
}

/// Compression sets, one by one.
struct Sets<'s> {
    source: &'s ByteSource,
    wide: bool,
    /// Where the next one begins.
    at: u64,
}

impl Sets<'_> {
    /// The next set: its data, the frames in it, how many; none where there is none that makes sense.
    fn next(&mut self) -> Result<Option<(Block, Vec<PageRun>, u64)>, Refusal> {
        let head = match array::<4>(self.source, self.at) {
            Ok(head) => u32::from_le_bytes(head),
            Err(Refusal::Cut { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let count = u64::from(head & 0xff);
        let size = (head >> 8) & 0xf_ffff;
        let (width, list) = match self.wide {
            true => (8, self.at.saturating_add(4)),
            false => (4, self.at.saturating_add(4)),
        };
        // A descriptor has a page at least.
        if count == 0 || count > SET_PAGES || size == 0 {
            return Ok(None);
        }
        let len = usize::try_from(count).unwrap_or_default().saturating_mul(width);
        let descriptors = match bytes(self.source, list, len) {
            Ok(descriptors) => descriptors,
            Err(Refusal::Cut { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut runs = Vec::new();
        let mut pages = 0_u64;
        for descriptor in descriptors.chunks_exact(width) {
            let Some(word) = le::u64(descriptor, 0).or_else(|| le::u32(descriptor, 0).map(u64::from)) else {
                return Ok(None);
            };
            let run = PageRun {
                base: Pfn::new(word >> 4),
                count: (word & 0xf).saturating_add(1),
            };
            if word >> 4 >= MAX_FRAME {
                return Ok(None);
            }
            pages = pages.saturating_add(run.count);
            runs.push(run);
        }
        let plain = pages.saturating_mul(PAGE);
        if pages > SET_PAGES || u64::from(size) > plain {
            return Ok(None);
        }
        let unpack: Unpack = match head >> 30 {
            _ if u64::from(size) == plain => stored,
            0 => plain_lz77,
            _ => huffman,
        };
        let data = list.saturating_add(len as u64);
        let block = Block {
            offset: data,
            packed: size,
            plain: u32::try_from(plain).unwrap_or_default(),
            unpack,
        };
        self.at = data.saturating_add(size.into());
        Ok(Some((block, runs, pages)))
    }
}

/// How a table of ranges is laid out: where the page of the next table and the count are, where the ranges begin and how
/// far the second number of one is behind the first.
struct Table {
    wide: bool,
    next: usize,
    count: usize,
    ranges: usize,
    step: usize,
    /// LengthSelf, where it is known.
    length: Option<u32>,
}

/// Windows 7 of x64 and of x86. Of the ones before, one source alone has most layouts, and no header says which it is.
const TABLES: [Table; 2] = [
    Table {
        wide: true,
        next: 0,
        count: 8,
        ranges: 0x10,
        step: 8,
        length: Some(0x128),
    },
    Table {
        wide: false,
        next: 0,
        count: 4,
        ranges: 8,
        step: 4,
        length: None,
    },
];

/// How many pages of the file are looked at for the first table, as Volatility does where there is no header.
const FIRST_PAGES: u64 = 10;
/// How far behind a block the next one may begin.
const BLOCK_GAP: u64 = 0x2800;
const XPRESS: &[u8] = b"\x81\x81xpress";
const XPRESS_HEADER: u64 = 0x20;
/// FirstTablePage of Windows 7 on x64, by its symbols.
const FIRST_TABLE: usize = 0x60;

/// Files of Windows 7; none where it is none that is known.
fn of_tables(header: &[u8], source: &ByteSource) -> Result<Option<Found>, Refusal> {
    let length = le::u32(header, 0xc).unwrap_or_default();
    let named = le::u64(header, FIRST_TABLE).filter(|_| length == 0x128);
    // The first block stands behind the first table, and its mark tells that this is right.
    for page in named.into_iter().chain(0..FIRST_PAGES) {
        let behind = page.saturating_add(1).saturating_mul(PAGE);
        if !is_block(source, behind)? {
            continue;
        }
        for table in &TABLES {
            if table.length.is_some_and(|known| known != length) {
                continue;
            }
            if let Some(found) = table.follow(page, source)? {
                return Ok(Some(found));
            }
        }
    }
    Ok(None)
}

fn is_block(source: &ByteSource, at: u64) -> Result<bool, Refusal> {
    match array::<8>(source, at) {
        Ok(bytes) => Ok(bytes == *XPRESS),
        Err(Refusal::Cut { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

impl Table {
    /// The ranges of the table in a page of the file, and the page of the next one; none where it cannot be one.
    fn ranges(&self, page: &[u8]) -> Option<(Vec<PageRun>, u64)> {
        let number = |at: usize| match self.wide {
            true => le::u64(page, at),
            false => le::u32(page, at).map(u64::from),
        };
        let count = le::u32(page, self.count)? as usize;
        let entry = self.step.checked_mul(2)?;
        let list = page.get(self.ranges..)?.get(..count.checked_mul(entry)?)?;
        let mut runs = Vec::with_capacity(count);
        for place in 0..list.len().checked_div(entry)? {
            let at = self.ranges.checked_add(place.checked_mul(entry)?)?;
            let (start, end) = (number(at)?, number(at.checked_add(self.step)?)?);
            runs.push(PageRun {
                base: Pfn::new(start),
                count: end
                    .checked_sub(start)
                    .filter(|&count| count != 0 && end <= MAX_FRAME)?,
            });
        }
        (!runs.is_empty()).then_some((runs, number(self.next)?))
    }

    /// Reads all tables and the blocks behind each.
    fn follow(&self, first: u64, source: &ByteSource) -> Result<Option<Found>, Refusal> {
        let mut found = Found {
            builder: Builder::default(),
            machine: (!self.wide).then_some(Machine::I386),
            processors: Vec::new(),
            notes: Vec::new(),
        };
        let mut seen = HashSet::new();
        let mut page = first;
        while page != 0 {
            if !seen.insert(page) {
                return Err(Refusal::Bad(format!(
                    "its tables of ranges lead back to page {page:#x}"
                )));
            }
            let at = page.saturating_mul(PAGE);
            let table = match array::<0x1000>(source, at) {
                Ok(table) => self.ranges(&table),
                Err(Refusal::Cut { .. }) => None,
                Err(error) => return Err(error),
            };
            // Tables of other layouts have no page of a table here, but a checksum.
            let table = match table {
                Some((_, next)) if page == first && next != 0 && !leads(next, source)? => None,
                table => table,
            };
            let Some((runs, next)) = table else {
                if page == first {
                    return Ok(None);
                }
                found.notes.push(broken(at));
                break;
            };
            if !blocks(&mut found.builder, runs, at.saturating_add(PAGE), source)? {
                found.notes.push(broken(at));
                break;
            }
            page = next;
        }
        if self.wide {
            found.processors.extend(processor(source)?);
        }
        Ok(Some(found))
    }
}

/// Whether a block begins behind the page of a table.
fn leads(page: u64, source: &ByteSource) -> Result<bool, Refusal> {
    let behind = page.saturating_add(1).saturating_mul(PAGE);
    Ok(next_block(source, behind)?.is_some())
}

fn broken(at: u64) -> Note {
    Note::new(
        "restoration-set-broken",
        format!(
            "the table of pages at file offset {at:#x}, or the blocks behind it, break off: pages are missing"
        ),
    )
    .losing(Lost::Cut)
}

/// Finds the blocks of a table's pages; whether all are there.
fn blocks(
    builder: &mut Builder,
    runs: Vec<PageRun>,
    mut at: u64,
    source: &ByteSource,
) -> Result<bool, Refusal> {
    let mut runs = runs.into_iter();
    let mut run = runs.next();
    while run.is_some() {
        let mut left = SET_PAGES;
        let mut taken = Vec::new();
        while left != 0
            && let Some(now) = run
        {
            let count = now.count.min(left);
            taken.push(PageRun {
                base: now.base,
                count,
            });
            left = left.saturating_sub(count);
            run = match now.count.saturating_sub(count) {
                0 => runs.next(),
                rest => Some(PageRun {
                    base: Pfn::new(now.base.u64().saturating_add(count)),
                    count: rest,
                }),
            };
        }
        let Some(block) = next_block(source, at)? else {
            return Ok(false);
        };
        let head = array::<0x20>(source, block)?;
        let size = (le::u32(&head, 8).unwrap_or_default() >> 10).saturating_add(1);
        let size = size.checked_next_multiple_of(8).unwrap_or(u32::MAX);
        let plain = SET_PAGES.saturating_sub(left).saturating_mul(PAGE);
        if u64::from(size) > SET_PAGES.saturating_mul(PAGE) {
            return Ok(false);
        }
        let data = block.saturating_add(XPRESS_HEADER);
        let unpack: Unpack = match u64::from(size) == plain {
            true => stored,
            false => plain_lz77,
        };
        let packed = Block {
            offset: data,
            packed: size,
            plain: u32::try_from(plain).unwrap_or_default(),
            unpack,
        };
        builder.block(packed, taken);
        at = data.saturating_add(size.into());
    }
    Ok(true)
}

/// Where the next block begins, at `at` or a little behind.
fn next_block(source: &ByteSource, at: u64) -> Result<Option<u64>, Refusal> {
    if is_block(source, at)? {
        return Ok(Some(at));
    }
    let len = BLOCK_GAP.min(source.len().saturating_sub(at));
    if len == 0 {
        return Ok(None);
    }
    let near = bytes(source, at, usize::try_from(len).unwrap_or_default())?;
    let found = near.windows(XPRESS.len()).position(|bytes| bytes == XPRESS);
    Ok(found
        .map(|found| at.saturating_add(found as u64))
        .filter(|&block| block.saturating_add(XPRESS_HEADER) <= source.len()))
}

/// `_KPROCESSOR_STATE` in page 1: Cr3 0x10, Cr4 0x18.
fn processor(source: &ByteSource) -> Result<Option<Processor>, Refusal> {
    let state = array::<0x20>(source, PAGE)?;
    Ok(le::u64(&state, 0x10)
        .filter(|&cr3| cr3 != 0)
        .map(|cr3| Processor {
            cr3: Some(cr3),
            ..Processor::default()
        }))
}
