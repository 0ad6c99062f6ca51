//! `analyze` over every page of every world: a page that is missing contradicts nothing.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use alpc::report::analyze::{self, Analysis};
use kdump::{Dump, Pfn};
use ntlayout::{Guid, Identity, Place};
use synth::layout::Kernel as Layouts;
use synth::world::Built;
use synth::worlds;

use super::Opened;

/// What an analysis finds, without its words.
fn findings(analysis: &Analysis) -> BTreeSet<(&'static str, Vec<u64>)> {
    analysis
        .findings
        .iter()
        .map(|finding| {
            let addresses = finding.addresses.iter().map(|address| address.u64());
            (finding.id, addresses.collect())
        })
        .collect()
}

fn analysis(opened: &Opened) -> Analysis {
    analyze::analyze(&opened.kernel(), None)
}

/// Holds the analysis of a dump that lacks a page against that of the whole one: nothing is found that was not, and
/// whatever is not found or counted any more, or could not be looked at, is said.
fn compare(whole: &Analysis, damaged: &Analysis, what: &str) {
    let (before, after) = (findings(whole), findings(damaged));
    let invented: Vec<_> = after.difference(&before).collect();
    assert!(invented.is_empty(), "{what}: {invented:x?}");
    let lost = before != after || damaged.ports < whole.ports || damaged.messages < whole.messages;
    let hidden = |analysis: &Analysis| -> BTreeSet<String> {
        let holes = analysis.unchecked.iter().filter_map(|value| value.reason());
        let memory = holes.filter(|hole| hole.id() != "implausible");
        memory.map(ToString::to_string).collect()
    };
    let told = !hidden(damaged).is_subset(&hidden(whole));
    assert!(!lost || told, "{what}: {damaged:#?}");
}

fn every_frame_of(world: &Built) {
    let opened = Opened::of(world);
    let whole = analysis(&opened);
    let kind = super::kind(world);
    for (frame, _) in world.map().memory.frames() {
        let mut mapped = world.map();
        mapped.memory.remove(frame);
        let damaged = opened.in_bytes(world.dump_mapped(kind, mapped));
        compare(&whole, &analysis(&damaged), &format!("without frame {frame:x?}"));
    }
}

#[test]
fn a_missing_page_of_a_published_case_is_no_contradiction() {
    every_frame_of(&worlds::vista_sp2_x64());
}

#[test]
fn a_missing_page_of_a_recent_world_is_no_contradiction() {
    every_frame_of(&worlds::standard("win11-22h2-x64"));
}

#[test]
fn a_missing_page_of_a_32_bit_world_is_no_contradiction() {
    let kernel = Layouts::names().into_iter().find(|name| name.ends_with("x86"));
    every_frame_of(&worlds::standard(kernel.unwrap()));
}

/// The independent worlds, where they are at hand.
fn independent() -> Vec<(PathBuf, Opened)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/worlds");
    let Ok(files) = fs::read_dir(&folder) else {
        eprintln!("skipped: {} is not there", folder.display());
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = files
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "dmp"))
        .collect();
    paths.sort();
    let open = |path: PathBuf| {
        let dump = Dump::open(&path).unwrap();
        let image = kdump::kernel_image(&dump).unwrap();
        let rsds = image.codeview.unwrap();
        let identity = Identity {
            pdb_name: rsds.pdb_name,
            guid: Guid(rsds.guid),
            age: rsds.age,
        };
        let places = [Place::Path(folder.join("syms"))];
        let table = ntlayout::find(&identity, &places).unwrap().table;
        let opened = Opened {
            base: image.base,
            layout: table.resolve(&alpc::CONTRACT).unwrap(),
            dump,
        };
        (path, opened)
    };
    paths.into_iter().map(open).collect()
}

/// The places in a file of its frames' pages.
fn pages(dump: &Dump) -> Vec<(u64, usize)> {
    let frames = dump
        .runs()
        .flat_map(|run| run.base.u64()..run.base.u64() + run.count);
    frames
        .filter_map(|pfn| {
            let offset = dump.frame(Pfn::new(pfn)).ok()?;
            Some((pfn, usize::try_from(offset.0).unwrap()))
        })
        .collect()
}

/// A page of the filler counts as missing.
#[test]
fn a_missing_page_of_an_independent_world_is_no_contradiction() {
    for (path, opened) in independent() {
        let whole = analysis(&opened);
        let bytes = fs::read(&path).unwrap();
        for (pfn, offset) in pages(&opened.dump) {
            let mut damaged = bytes.clone();
            let page = &mut damaged[offset..offset + 0x1000];
            page.copy_from_slice(&0xdead_feed_u32.to_le_bytes().repeat(0x400));
            let damaged = opened.in_bytes(damaged);
            let what = format!("{} without frame {pfn:x}", path.display());
            compare(&whole, &analysis(&damaged), &what);
        }
    }
}

/// Pages of zeros and of nonsense: whatever they contradict is found, and nothing ends the analysis. A port that
/// is no longer counted is told of.
#[test]
fn worn_pages_end_no_analysis() {
    let world = worlds::standard("win7-sp1-x64");
    let opened = Opened::of(&world);
    let whole = analysis(&opened);
    assert!(whole.findings.is_empty() || whole.ports > 0);
    for (frame, _) in world.map().memory.frames() {
        for wear in [0x00, 0x41, 0xff] {
            let mut mapped = world.map();
            mapped.memory.frame_mut(frame).fill(wear);
            let damaged = opened.in_bytes(world.dump_mapped(super::kind(&world), mapped));
            let found = analysis(&damaged);
            let told = !found.findings.is_empty() || !found.unchecked.is_empty();
            assert!(
                found.ports >= whole.ports || told,
                "frame {frame:x?} of {wear:#x}"
            );
        }
    }
}

/// The links of the system's list of executive resources: a wrong one is found, a page without which it cannot be
/// followed is none.
#[test]
fn a_wrong_link_of_a_resource_is_found() {
    let mut world = worlds::hang::two_resources("win10-2004-x64").built;
    let opened = Opened::of(&world);
    let about_locks =
        |analysis: &Analysis| analysis.findings.iter().any(|finding| finding.id == "lock-links");
    assert!(!about_locks(&analysis(&opened)));
    let head = world.global("ExpSystemResourcesList");
    let first = synth::address::Va(world.memory.read_uint(head, 8));
    let kind = super::kind(&world);
    let without = opened.in_bytes(world.dump_without(kind, &[first.page()]));
    assert!(!about_locks(&analysis(&without)));
    world.write_pointer(first + 8, first);
    assert!(about_locks(&analysis(&opened.in_bytes(world.dump(kind)))));
}
