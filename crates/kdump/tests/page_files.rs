//! Pages that were written out, in a page file: a world whose page tables name some, and the file that has them.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

use kdump::{Dump, EntryBits, Gva, NotPresentKind, OpenOptions, ReadError, SoftwarePte};
use synth::address::{PAGE_SIZE, Va};
use synth::dump::Kind;
use synth::memory::Backing;
use synth::world::Built;
use synth::worlds;

/// How entries of synthetic worlds name pages: `_MMPTE_SOFTWARE` of kernels up to 17134.
const ENTRIES: SoftwarePte = SoftwarePte {
    number: EntryBits {
        position: 1,
        length: 4,
    },
    page: EntryBits {
        position: 32,
        length: 32,
    },
    swizzle: None,
};

/// The number of the page file, and the page in it, of a page that synth pages out.
const NUMBER: u8 = 2;
fn page_in_file(address: Va) -> u64 {
    0x0001_2000 + (address.0 / PAGE_SIZE) % 0x1000
}

fn world() -> (Built, Va, Vec<u8>) {
    let mut built = worlds::standard("win10-1607-x64");
    let port = built.truth.ports[0].address;
    let page = Va(port.0 & !(PAGE_SIZE - 1));
    let content = built.memory.read(page, PAGE_SIZE);
    built.memory.set_backing(page, Backing::PageFile);
    (built, page, content)
}

fn page_file(path: &Path, page: Va, content: &[u8]) {
    let mut file = File::create(path).unwrap();
    let at = page_in_file(page) * PAGE_SIZE;
    file.seek(SeekFrom::Start(at)).unwrap();
    file.write_all(content).unwrap();
}

#[test]
fn a_page_that_was_written_out_is_read_from_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let (built, page, content) = world();
    let path = folder.path().join("memory.dmp");
    std::fs::write(&path, built.dump(Kind::BitmapFull)).unwrap();
    let file = folder.path().join("pagefile.sys");
    page_file(&file, page, &content);
    let open = |number: u8| {
        let options = OpenOptions::default().page_files(vec![(number, file.clone())]);
        Dump::open_with(&path, &options).unwrap()
    };
    let gva = Gva::new(page.0 + 0x10);
    let is_paged_out = |dump: &Dump| {
        let read = dump.kernel_space().cursor().u64(gva);
        matches!(
            read,
            Err(ReadError::NotPresent {
                state: NotPresentKind::PageFile,
                ..
            })
        )
    };
    let dump = open(NUMBER);
    assert!(is_paged_out(&dump), "nobody has said how entries are read");
    dump.page_files().entries_are(ENTRIES);
    let space = dump.kernel_space();
    let wanted = u64::from_le_bytes(content[0x10..0x18].try_into().unwrap());
    assert_eq!(space.cursor().u64(gva).unwrap(), wanted);
    let whole = space
        .cursor()
        .bytes(Gva::new(page.0), content.len())
        .unwrap()
        .into_owned();
    assert!(whole == content);
    assert!(dump.page_files().pages_found() > 0);
    // It has no place in physical memory or in the dump.
    let found = space.whereabouts(gva, 8);
    assert_eq!(found.pieces.len(), 1);
    assert_eq!((found.pieces[0].gpa, found.pieces[0].offset), (None, None));
    // The same file as another page file is none of this page's.
    let other = open(NUMBER - 1);
    other.page_files().entries_are(ENTRIES);
    assert!(is_paged_out(&other));
    assert_eq!(other.page_files().pages_found(), 0);
}

#[test]
fn a_page_file_that_ends_before_the_page_does_not_have_it() {
    let folder = tempfile::tempdir().unwrap();
    let (built, page, content) = world();
    let path = folder.path().join("memory.dmp");
    std::fs::write(&path, built.dump(Kind::BitmapFull)).unwrap();
    let file = folder.path().join("pagefile.sys");
    page_file(&file, page, &content[..content.len() - 1]);
    let options = OpenOptions::default().page_files(vec![(NUMBER, file.clone())]);
    let dump = Dump::open_with(&path, &options).unwrap();
    dump.page_files().entries_are(ENTRIES);
    assert!(dump.kernel_space().cursor().u64(Gva::new(page.0)).is_err());
    let missing = OpenOptions::default().page_files(vec![(0, folder.path().join("none"))]);
    assert_eq!(Dump::open_with(&path, &missing).unwrap_err().id(), "not-found");
}
