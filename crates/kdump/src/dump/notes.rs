//! What is worth saying about a dump that could be opened all the same.

use crate::dump::contents::{Contents, coverage};
use crate::dump::coverage::Coverage;
use crate::dump::header::{DumpKind, Header};
use crate::dump::index::PageIndex;
use crate::file::source::ByteSource;
use crate::find::Found;
use crate::memory::error::ReadError;
use crate::memory::space::AddressSpace;
use crate::value::note::{Lost, Note};

/// Bits of the header's Attributes that a reader should know of.
const ATTRIBUTES: &[(u32, &str, &str)] = &[
    (
        0,
        "hibernation-crash",
        "the system crashed while hibernating or resuming",
    ),
    (
        2,
        "insufficient-dump-file",
        "the dump file was too small for the memory that should have gone into it",
    ),
    (
        3,
        "kernel-triage-dump",
        "the kernel generated this dump itself for triage",
    ),
    // The pages of a live dump are of different moments ("smeared"): all readable, and a list can lead from one
    // moment into another.
    (
        4,
        "live-dump",
        "a live dump: the system kept running while it was taken, so records can disagree",
    ),
    (
        5,
        "offline-dump",
        "generated offline, from the memory of another system or of a virtual machine",
    ),
    (6, "filtered-dump", "a filter kept memory out of the dump"),
    (7, "early-boot-crash", "the system crashed early in its boot"),
];
// Bit 1 is DumpDevicePowerOff. Dumps of Windows 11 24H2 also have bits 11, 12 and 17 (0x21008, 0x21808 in
// published headers); what they mean is not published.
const ENCRYPTED: u32 = 1 << 8;
const DECRYPTED: u32 = 1 << 9;

/// All findings about a dump.
pub(crate) fn of(
    header: &Header,
    contents: &Contents,
    source: &ByteSource,
    kernel_space: AddressSpace<'_>,
    repaired: Option<&Found>,
) -> Vec<Note> {
    let mut notes = Vec::new();
    match contents {
        Contents::Pages(index) => {
            notes.extend(cut(coverage(index, source.len())));
            lengths(header, index, source.len(), &mut notes);
            counts(header, index, &mut notes);
        }
        Contents::Image(image) => {
            notes.extend_from_slice(image.notes());
            notes.extend(cut(image.coverage(source)));
        }
        Contents::Pieces(triage) => triage.notes(&mut notes),
        Contents::HeaderOnly => notes.push(header_only(header)),
    }
    attributes(header.attributes.unwrap_or(0), &mut notes);
    if let Some(status) = header.writer_status.filter(|&status| status != 0) {
        notes.push(Note::new(
            "writer-error",
            format!(
                "Windows reported error {status:#x} when it wrote the dump: pages may be missing or wrong"
            ),
        ));
    }
    notes.extend(match repaired {
        Some(found) => Some(other_tables(header, found)),
        None => tables(header, contents, kernel_space),
    });
    if source.is_refused() {
        // Some systems refuse to map very large files.
        notes.push(Note::new(
            "not-mapped",
            "the system refused to map the file: reads will be slower",
        ));
    }
    notes
}

fn header_only(header: &Header) -> Note {
    let why = match header.kind {
        DumpKind::HeaderOnly => "this kind of dump has nothing else",
        _ => "how 32-bit systems write the memory of this kind of dump is not known",
    };
    Note::new(
        "header-only",
        format!(
            "of a {} of {} only the header can be read: {why}; take a kernel, active or complete dump",
            header.kind, header.machine
        ),
    )
    .losing(Lost::HeaderOnly)
}

fn lengths(header: &Header, index: &PageIndex, file_len: u64, notes: &mut Vec<Note>) {
    let end = index.end();
    let Some(required) = header.required_dump_space else {
        return;
    };
    // RequiredDumpSpace is what Windows meant to write: header, pages, and the secondary data of drivers behind
    // them.
    if required < end {
        notes.push(Note::new(
            "required-space-differs",
            format!("the header says {required} bytes, but the pages of the index end at {end}"),
        ));
    } else if file_len >= end && file_len < required {
        notes.push(Note::new(
            "secondary-data-cut",
            format!(
                "all pages are there, but the file has {file_len} bytes of {required}: data that drivers added \
                 behind the pages is missing"
            ),
        ));
    }
}

/// A finding about pages that the file ends before.
fn cut(share: Coverage) -> Option<Note> {
    (share.missing != 0).then(|| {
        let cut = Note::new(
            "truncated",
            format!(
                "the file is cut short: {} of {} pages are there, {} are missing; copy the dump again",
                share.present, share.claimed, share.missing
            ),
        );
        cut.losing(Lost::Cut)
    })
}

fn counts(header: &Header, index: &PageIndex, notes: &mut Vec<Note>) {
    let pages = index.pages();
    if let Some(claimed) = index.claimed().filter(|&claimed| claimed != pages) {
        notes.push(Note::new(
            "page-count-differs",
            format!("the index lists {pages} pages, which was believed, but its header claims {claimed}"),
        ));
    }
    if let PageIndex::Bitmap(bitmap) = index
        && let Some((used, other)) = bitmap.contradicting_sizes()
    {
        notes.push(Note::new(
            "bitmap-size-differs",
            format!("BitmapSize says {used} bits, which was believed, and SizeOfBitMap {other}"),
        ));
    }
    if header.kind != DumpKind::Full && header.number_of_runs.is_some() && header.physical_runs.is_empty() {
        notes.push(Note::new(
            "no-physical-runs",
            "the header does not list the machine's runs of memory; the pages have an index of their own",
        ));
    }
}

fn attributes(attributes: u32, notes: &mut Vec<Note>) {
    for &(bit, id, text) in ATTRIBUTES {
        if attributes & (1 << bit) != 0 {
            notes.push(Note::new(id, text));
        }
    }
    // That a decrypted dump keeps bit 8 and has bit 9 beside it is read out of the names EncryptedDumpData and
    // DecryptedDump; no such file was seen.
    if attributes & (ENCRYPTED | DECRYPTED) == ENCRYPTED {
        let encrypted = Note::new(
            "encrypted",
            "the pages are encrypted (Attributes bit 8): nothing in them can be read; decrypt the dump first",
        );
        notes.push(encrypted.losing(Lost::Encrypted));
    }
}

/// A finding about page tables that are used in the place of the header's.
fn other_tables(header: &Header, found: &Found) -> Note {
    Note::new(
        "other-page-tables",
        format!(
            "the header's DirectoryTableBase {:x} does not lead to the kernel; the page tables at {:x} do, and are \
             used ({})",
            header.directory_table_base, found.directory_table_base, found.by
        ),
    )
}

/// A finding when the kernel's own list of processes has no physical address, without which nothing is found.
fn tables(header: &Header, contents: &Contents, kernel_space: AddressSpace<'_>) -> Option<Note> {
    let head = header.ps_active_process_head?;
    if !matches!(contents, Contents::Pages(_)) {
        return None;
    }
    // Headers that tools make up can be wrong in just this: of dumps by VMware's vmss2core -W8 it is reported
    // that no reader finds the kernel in them (volatilityfoundation/volatility3#1870).
    let error = kernel_space.translate(head).err()?;
    // Of what the file is cut before, the truncation is told already.
    if matches!(error, ReadError::OutOfFile { .. }) {
        return None;
    }
    let note = Note::new(
        "kernel-not-mapped",
        format!(
            "PsActiveProcessHead does not translate ({error}): no kernel structure will be found; the header's \
             DirectoryTableBase is wrong, or its tables are damaged"
        ),
    );
    Some(note.losing(Lost::NotMapped))
}
