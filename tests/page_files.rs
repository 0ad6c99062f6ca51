//! `--pagefile`: pages that were written out, read where the kernel's symbols say that they are.

mod support;

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::PathBuf;

use support::synthetic::{Sample, address};
use synth::address::{PAGE_SIZE, Va};
use synth::layout::Kernel;
use synth::pdb::{Member, TypeRef, Udt, UdtKind};
use synth::worlds::hang;
use tempfile::TempDir;

/// The bits of `_MMPTE_SOFTWARE` that name a page, in kernels up to 17134 that were not serviced, as synth writes entries.
/// Source: Volatility's symbols of 7, 8 and 10.
const OLD: &[(&str, u8, u8)] = &[("Valid", 0, 1), ("PageFileLow", 1, 4), ("PageFileHigh", 32, 32)];
/// Those of kernels since 2018, from the symbols of 7601.24540.
const NEW: &[(&str, u8, u8)] = &[
    ("Valid", 0, 1),
    ("SwizzleBit", 4, 1),
    ("PageFileLow", 12, 4),
    ("PageFileHigh", 32, 32),
];

struct Stage {
    sample: Sample,
    message: Va,
    folder: TempDir,
}

impl Stage {
    /// A chain whose message in the middle is paged out, with symbols that have these bits, or none.
    fn new(bits: &[(&str, u8, u8)]) -> Self {
        let scene = hang::paged_out("win10-1607-x64");
        let message = scene.at("message");
        let mut pdb = synth::pdb::describe_kernel(&Kernel::named("win10-1607-x64"));
        if !bits.is_empty() {
            let member = |&(name, position, length): &(&str, u8, u8)| Member {
                name: name.to_owned(),
                offset: 0,
                ty: TypeRef::bits(
                    TypeRef::Int {
                        size: 8,
                        signed: false,
                    },
                    position,
                    length,
                ),
            };
            let entry = Udt {
                name: "_MMPTE_SOFTWARE".to_owned(),
                kind: UdtKind::Struct,
                size: 8,
                members: bits.iter().map(member).collect(),
            };
            pdb.types.udts.insert(entry.name.clone(), entry);
        }
        let sample = Sample::of(scene.built);
        sample.write_pdb(&pdb.write());
        Self {
            sample,
            message,
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// The page file that has the page where its entry says: number 2.
    fn file(&self) -> PathBuf {
        let path = self.folder.path().join("pagefile.sys");
        let page = Va(self.message.0 & !(PAGE_SIZE - 1));
        let mut file = File::create(&path).unwrap();
        let place = 0x0001_2000 + (page.0 / PAGE_SIZE) % 0x1000;
        file.seek(SeekFrom::Start(place * PAGE_SIZE)).unwrap();
        file.write_all(&self.sample.world.memory.read(page, PAGE_SIZE))
            .unwrap();
        path
    }

    fn pagefile(&self, number: u8) -> String {
        format!("{number}={}", self.file().display())
    }
}

#[test]
fn a_message_that_was_written_out_is_read_from_its_page_file() {
    let stage = Stage::new(OLD);
    let message = address(stage.message);
    let without = stage.sample.run(&["hang"]);
    assert_eq!(without.status, 3, "{}", without.stdout);
    let with = stage.sample.run(&["hang", "--pagefile", &stage.pagefile(2)]);
    assert_eq!(with.status, 0, "{}{}", with.stdout, with.stderr);
    assert!(
        with.stderr.contains("right only if they are of the same moment"),
        "{}",
        with.stderr
    );
    assert!(with.stdout.contains("lsasspirpc"), "{}", with.stdout);
    let view = stage
        .sample
        .run(&["message", &message, "--pagefile", &stage.pagefile(2)]);
    assert_eq!(view.status, 0, "{}", view.stderr);
    // Where its bytes are is neither physical memory nor the dump.
    let mem = stage
        .sample
        .run(&["mem", &message, "8", "-v", "--pagefile", &stage.pagefile(2)]);
    assert_eq!(mem.status, 0, "{}{}", mem.stdout, mem.stderr);
    assert!(!mem.stdout.contains("??"), "{}", mem.stdout);
}

#[test]
fn another_page_file_does_not_have_it() {
    let stage = Stage::new(OLD);
    for number in [0, 1, 15] {
        let run = stage.sample.run(&["hang", "--pagefile", &stage.pagefile(number)]);
        assert_eq!(run.status, 3, "{number}: {}", run.stdout);
        assert!(
            run.stderr.contains("nothing was read from page files"),
            "{}",
            run.stderr
        );
    }
    let run = stage.sample.run(&["hang", "--pagefile", &stage.pagefile(16)]);
    assert_eq!(run.status, 2);
    assert!(run.stderr.contains("0 to 15"), "{}", run.stderr);
}

/// What the symbols do not say is not guessed.
#[test]
fn without_the_kernels_own_symbols_page_files_are_not_read() {
    for (bits, why) in [
        (&[][..], "the kernel's symbols lack _MMPTE_SOFTWARE"),
        // The mask is in a structure that synthetic kernels lack.
        (NEW, "the kernel's symbols lack _MI_SYSTEM_INFORMATION"),
    ] {
        let stage = Stage::new(bits);
        let run = stage.sample.run(&["hang", "--pagefile", &stage.pagefile(2)]);
        assert_eq!(run.status, 3, "{}", run.stdout);
        assert!(run.stderr.contains(why), "{}", run.stderr);
    }
}

#[test]
fn a_page_file_that_is_not_there_is_an_error_of_its_own() {
    let stage = Stage::new(OLD);
    let run = stage.sample.run(&["hang", "--pagefile", "/nowhere/pagefile.sys"]);
    assert_eq!(run.status, 2);
    assert!(run.stderr.contains("/nowhere/pagefile.sys"), "{}", run.stderr);
}
