//! Files that are cut anywhere, and numbers of headers, indexes and blocks that are anything: each opens or is refused
//! with an id, and what it opens as is bounded by the file.
//!
//! In ordinary runs the files are small and the cuts of the worlds far apart. `EVERY_CUT=1` tries every 512 bytes of
//! files of whole worlds, and every number of theirs.
#![allow(missing_docs, clippy::cast_possible_truncation)]

mod common;

use common::{PAGE, World};
use kdump::{Dump, Gpa, debugger_data, kernel_image, secondary_data};
use synth::dump::Kind;
use synth::world::Built;
use synth::worlds;

const SECTOR: usize = 512;

/// What became of the files.
#[derive(Debug, Default)]
struct Tally {
    opened: usize,
    refused: usize,
}

impl Tally {
    /// Opens a file and looks at all that opening it promises.
    fn look(&mut self, what: impl Fn() -> String, bytes: Vec<u8>) {
        let len = bytes.len() as u64;
        let dump = match Dump::from_bytes("cut.dmp", bytes) {
            Ok(dump) => dump,
            Err(error) => {
                assert!(
                    !error.id().is_empty() && !error.to_string().is_empty(),
                    "{}",
                    what()
                );
                self.refused += 1;
                return;
            }
        };
        self.opened += 1;
        // Each run is named by some bytes of the file: a bit of a bitmap at the least.
        assert!(dump.runs().count() as u64 <= len * 8, "{}", what());
        for run in dump.runs().take(64) {
            let first = run.base.u64();
            for pfn in [first, first.saturating_add(run.count.saturating_sub(1))] {
                if let Ok(offset) = dump.frame(kdump::Pfn::new(pfn)) {
                    let inside = offset.0.checked_add(PAGE).is_some_and(|end| end <= len);
                    let mut page = [0; PAGE as usize];
                    let Some(gpa) = pfn.checked_mul(PAGE) else {
                        continue;
                    };
                    let read = dump.read_physical(Gpa::new(gpa), &mut page);
                    assert!(inside || read.is_err(), "{}: a page behind the end", what());
                }
            }
        }
        for note in dump.notes() {
            assert!(!note.id.is_empty(), "{}", what());
        }
        if let Some(triage) = dump.triage() {
            assert!(triage.blocks().count() as u64 <= len, "{}", what());
            assert!(triage.modules().len() as u64 <= len, "{}", what());
        }
        let _ = (kernel_image(&dump), debugger_data(&dump));
        let _ = secondary_data(&dump);
    }

    fn cuts(&mut self, name: &str, file: &[u8], step: usize) {
        for end in (0..file.len()).step_by(step) {
            self.look(|| format!("{name}, cut at {end:#x}"), file[..end].to_vec());
        }
    }

    fn numbers(&mut self, name: &str, file: &[u8], places: impl Iterator<Item = usize>) {
        for at in places.filter(|at| at + 4 <= file.len()) {
            for value in [0, 1, u32::MAX] {
                let mut changed = file.to_vec();
                changed[at..at + 4].copy_from_slice(&value.to_le_bytes());
                self.look(|| format!("{name}, {value:#x} at {at:#x}"), changed);
            }
        }
    }
}

fn every() -> bool {
    std::env::var_os("EVERY_CUT").is_some()
}

fn small() -> World {
    let mut world = World::new();
    world.place(0xffff_f800_0040_0000, 0x10, &[0x5a; 0x1800]);
    world.add_frame(1);
    world.add_frame(0x40);
    world
}

/// A dump of the world of each kind that it can have, and a triage dump.
fn files(built: &Built) -> Vec<(String, Vec<u8>)> {
    let truth = &built.truth;
    let is_32_bit = truth.kernel.ends_with("x86");
    let kinds = match is_32_bit {
        true => vec![Kind::Full, Kind::Summary],
        false => vec![
            Kind::Full,
            Kind::Summary,
            Kind::BitmapFull,
            Kind::BitmapKernel,
            Kind::KernelRanges,
            Kind::KernelUserRanges,
            Kind::CompleteRanges,
        ],
    };
    let mut files: Vec<(String, Vec<u8>)> = kinds
        .into_iter()
        .map(|kind| (format!("{} {kind:?}", truth.kernel), built.dump(kind)))
        .collect();
    if !is_32_bit {
        let null = synth::address::Va(0);
        let thread = truth.threads[0].address;
        let pieces: Vec<_> = truth.ports.iter().map(|port| (port.address, 0x100)).collect();
        let triage = built.triage_dump(thread, null, null, &pieces);
        files.push((format!("{} triage", truth.kernel), triage));
    }
    files
}

fn worlds() -> Vec<Built> {
    ["win7-sp1-x64", "win7-sp1-x86"]
        .map(|kernel| worlds::hang::self_call(kernel).built)
        .into()
}

#[test]
fn a_dump_that_is_cut_at_any_sector_opens_or_is_refused() {
    let mut tally = Tally::default();
    for (name, file) in small().all_kinds() {
        tally.cuts(name, &file, SECTOR);
    }
    for (name, file) in worlds().iter().flat_map(files) {
        // A small dump is small.
        let step = if every() || file.len() < 0x8000 {
            SECTOR
        } else {
            61 * SECTOR
        };
        tally.cuts(&name, &file, step);
    }
    println!("{tally:?}");
    assert!(tally.opened > 100 && tally.refused > 100, "{tally:?}");
}

/// The header, and behind it the bitmap, the ranges or the pieces.
#[test]
fn any_number_of_a_header_or_an_index_opens_or_is_refused() {
    let mut tally = Tally::default();
    for (name, file) in small().all_kinds() {
        tally.numbers(name, &file, (0..0x2100).step_by(4));
    }
    for (name, file) in worlds().iter().flat_map(files) {
        let header = if name.contains("x86") { 0x1000 } else { 0x2000 };
        match (every(), name.ends_with("triage")) {
            (true, _) => tally.numbers(&name, &file, (0..header + 0x1000).step_by(4)),
            // The block behind the header, and the table of pieces at the end.
            (_, true) => {
                let end = file.len().saturating_sub(0x200) & !3;
                let places = (header..header + 0x100).chain(end..file.len());
                tally.numbers(&name, &file, places.step_by(4));
            }
            // Numbers of the header that say where things are, and the first of the index.
            (_, false) => {
                let places = (0..0x140).chain(0xf80..0xfc0).chain(header..header + 0x60);
                tally.numbers(&name, &file, places.step_by(4));
            }
        }
    }
    println!("{tally:?}");
    assert!(tally.opened > 1000 && tally.refused > 100, "{tally:?}");
}
