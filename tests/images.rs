//! Memory images as users meet them: damaged, incomplete, mistaken, and crash dumps whose header lies.

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use support::{Run, alpc_dump};
use synth::address::Pfn;
use synth::container::elf::Producer;
use synth::container::{Machine, Registers, elf, raw, virtualbox, vmware};
use synth::dump::Kind;
use synth::paging::Mapped;
use synth::physical::{PhysicalMemory, Run as Frames};
use synth::world::Built;
use synth::worlds;

fn run(path: &Path, arguments: &[&str]) -> Run {
    alpc_dump(&[&[path.to_str().unwrap()][..], arguments].concat())
}

fn world() -> Built {
    worlds::standard("win10-2004-x64")
}

fn write(folder: &tempfile::TempDir, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    path
}

/// All memory of a machine as one region.
fn all(machine: Machine<'_>) -> Frames {
    let last = machine.memory.frames().last().unwrap().0;
    Frames {
        base: Pfn(0),
        count: last.0 + 1,
    }
}

/// As VMware's vmss2core is reported to write: all is right but DirectoryTableBase.
#[test]
fn page_tables_are_found_where_the_header_names_others() {
    let folder = tempfile::tempdir().unwrap();
    let mut built = world();
    let right = write(&folder, "right.dmp", &built.dump(Kind::BitmapFull));
    built.header.directory_table_base = 0x3000;
    let wrong = write(&folder, "wrong.dmp", &built.dump(Kind::BitmapFull));
    for command in [&["ports"][..], &["hang"], &["threads"]] {
        let (right, wrong) = (run(&right, command), run(&wrong, command));
        assert_eq!(
            (right.status, &right.stdout),
            (wrong.status, &wrong.stdout),
            "{command:?}"
        );
    }
    let info = run(&wrong, &["info", "--format", "json"]);
    let record: serde_json::Value = serde_json::from_str(&info.stdout).unwrap();
    let notes = record["result"]["notes"].as_array().unwrap();
    let note = notes.iter().find(|note| note["id"] == "other-page-tables");
    let text = note.expect("it is told")["text"].as_str().unwrap();
    assert!(text.contains("3000") && text.contains("1ad000"), "{text}");
    assert!(notes.iter().all(|note| note["id"] != "kernel-not-mapped"));
}

/// Who names page tables gets these or none.
#[test]
fn page_tables_that_are_asked_for_are_used_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let built = world();
    let mapped = built.map();
    let machine = Machine {
        memory: &mapped.memory,
        processors: &[],
    };
    let image = write(&folder, "image.raw", &raw::raw(machine));
    let dump = write(&folder, "memory.dmp", &built.dump(Kind::BitmapFull));
    let base = format!("{:x}", built.header.directory_table_base);
    for path in [&image, &dump] {
        let asked = run(path, &["ports", "-q", "--dtb", &base]);
        assert_eq!(
            (asked.status, asked.stdout),
            (0, run(path, &["ports", "-q"]).stdout)
        );
        let refused = run(path, &["ports", "--dtb", "3000"]);
        assert_eq!(refused.status, 2, "{}", refused.stdout);
        assert_eq!(refused.stderr.lines().count(), 1, "{}", refused.stderr);
        let nonsense = run(path, &["ports", "--dtb", "xyz"]);
        assert_eq!(nonsense.status, 2);
    }
}

/// A state without its memory says which file is missing; one with it works by either name.
#[test]
fn both_files_of_vmware_are_needed_and_either_may_be_named() {
    let folder = tempfile::tempdir().unwrap();
    let built = world();
    let mapped = built.map();
    let processors = [Registers {
        cr3: built.header.directory_table_base,
        ..Registers::default()
    }];
    let machine = Machine {
        memory: &mapped.memory,
        processors: &processors,
    };
    let all = [all(machine)];
    let (state, memory) = vmware::suspended(machine, &all);
    let state = write(&folder, "vm.vmss", &state);
    let alone = run(&state, &["ports"]);
    assert_eq!(alone.status, 2);
    assert!(alone.stderr.contains("vm.vmem"), "{}", alone.stderr);
    let memory = write(&folder, "vm.vmem", &memory);
    let by_state = run(&state, &["ports", "-q"]);
    let by_memory = run(&memory, &["ports", "-q"]);
    assert_eq!((by_state.status, &by_state.stdout), (0, &by_memory.stdout));
    fs::remove_file(&state).unwrap();
    let memory_alone = run(&memory, &["ports", "-q"]);
    assert_eq!((memory_alone.status, &memory_alone.stdout), (0, &by_state.stdout));
    assert!(run(&memory, &["info"]).stdout.contains("no .vmss or .vmsn"));
}

/// A saved state, without what is behind the memory: of that nothing is needed.
fn saved_by_virtualbox(machine: Machine<'_>) -> Vec<u8> {
    let mut written = virtualbox::saved(machine, virtualbox::Style::stopped());
    let behind = written.units.iter().find(|(_, name)| *name == "cpum");
    written.bytes.truncate(behind.unwrap().0);
    written.bytes
}

/// However an image is cut or its headers are forged, it is refused in one line, or its holes are told.
#[test]
fn damaged_images_are_refused_or_say_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let built = world();
    let mapped = built.map();
    let processors = [Registers {
        cr3: built.header.directory_table_base,
        ..Registers::default()
    }];
    let machine = Machine {
        memory: &mapped.memory,
        processors: &processors,
    };
    let all = [all(machine)];
    let images = [
        ("image.lime", raw::lime(machine)),
        ("qemu.elf", elf::core(machine, Producer::Qemu, 7)),
        ("narrow.elf", elf::narrow(machine)),
        ("box.elf", elf::core(machine, Producer::VirtualBox, 0)),
        ("xen.elf", elf::xen(machine)),
        ("inline.vmsn", vmware::with_memory(machine)),
        ("vm.vmss", vmware::suspended(machine, &all).0),
        ("saved.sav", saved_by_virtualbox(machine)),
    ];
    for (name, image) in images {
        let len = image.len();
        for cut in [
            1,
            4,
            11,
            0x20,
            0x3f,
            0x41,
            0x200,
            0x1001,
            len / 3,
            len / 2,
            len - 1,
        ] {
            let path = write(&folder, name, &image[..cut.min(len)]);
            let cut_off = run(&path, &["ports"]);
            match cut_off.status {
                2 => assert_eq!(
                    cut_off.stderr.lines().count(),
                    1,
                    "{name} {cut}: {}",
                    cut_off.stderr
                ),
                0 | 3 => {
                    let info = run(&path, &["info"]);
                    assert!(
                        info.stdout.contains("cut short") || info.stdout.contains("missing"),
                        "{name} {cut}: {}",
                        info.stdout
                    );
                }
                status => panic!("{name} cut to {cut}: status {status}: {}", cut_off.stderr),
            }
        }
        // Every word of what stands at the front, as large as it can be.
        for at in (4..0x60.min(len - 8)).step_by(4) {
            let mut forged = image.clone();
            forged[at..at + 4].fill(0xff);
            let path = write(&folder, name, &forged);
            let forged = run(&path, &["info"]);
            assert!(
                matches!(forged.status, 0 | 2 | 3),
                "{name} at {at:#x}: {}",
                forged.stderr
            );
        }
    }
}

/// What is no memory of Windows is refused as what it is, with what was looked for.
#[test]
fn memory_without_windows_says_what_was_tried() {
    let folder = tempfile::tempdir().unwrap();
    let noise: Vec<u8> = (0..0x8_0000_u32)
        .map(|n| (n.wrapping_mul(0x9e37_79b1) >> 24) as u8)
        .collect();
    let path = write(&folder, "noise.raw", &noise);
    let refused = run(&path, &["hang"]);
    assert_eq!(refused.status, 2);
    assert_eq!(refused.stderr.lines().count(), 1, "{}", refused.stderr);
    assert!(refused.stderr.contains("page tables"), "{}", refused.stderr);
}

/// Writes memory as a file that goes on at `hole` with what is above 4 GiB. It stays sparse.
fn write_over_hole(path: &Path, memory: &PhysicalMemory, hole: u64) {
    let mut file = fs::File::create(path).unwrap();
    for (frame, page) in memory.frames() {
        let at = match frame.0 * 0x1000 {
            above if above >= 1 << 32 => above - (1 << 32) + hole,
            below => below,
        };
        assert!(at < hole || frame.0 >= 0x10_0000, "no frame is in the hole");
        file.seek(SeekFrom::Start(at)).unwrap();
        file.write_all(page).unwrap();
    }
}

/// The holes of machines, and none at all, with a name that the image could have.
const HOLES: [(&str, u64); 3] = [
    ("padded.raw", 1 << 32),
    ("vm.vmem", 0xc000_0000),
    ("q35.raw", 0x8000_0000),
];

/// Each way to leave the hole out gives the answers of the crash dump.
fn all_layouts_are_read(mapped: Mapped, built: &Built) {
    let folder = tempfile::tempdir().unwrap();
    let memory = mapped.memory.clone();
    let dump = write(
        &folder,
        "memory.dmp",
        &built.dump_mapped(Kind::BitmapFull, mapped),
    );
    let above = memory.frames().filter(|(frame, _)| frame.0 >= 0x10_0000).count();
    assert!(above > 4, "{above} frames are above 4 GiB");
    for (name, hole) in HOLES {
        let path = folder.path().join(name);
        write_over_hole(&path, &memory, hole);
        for command in [&["ports", "-q"][..], &["hang", "-q"], &["threads", "-q"]] {
            let (image, whole) = (run(&path, command), run(&dump, command));
            assert_eq!(
                (image.status, &image.stdout),
                (whole.status, &whole.stdout),
                "{name}: {command:?}"
            );
        }
        let info = run(&path, &["info"]).stdout;
        assert!(info.contains("[inferred]"), "{info}");
    }
}

/// A machine of 8 GiB, whose tables, kernel and objects are all over it.
#[test]
fn memory_above_4_gib_is_read_where_it_lies() {
    let built = worlds::vista_sp2_x64_over(0x20_0000);
    all_layouts_are_read(built.map(), &built);
}

/// Tables and kernel lie low, where every layout finds them; only objects are above 4 GiB, and by a wrong layout others
/// would be read in their places.
#[test]
fn a_kernel_that_every_layout_finds_does_not_choose_one() {
    const FRAME: u64 = 0x000f_ffff_ffff_f000;
    let built = world();
    let mut mapped = built.map();
    let objects = built.truth.processes.iter().map(|process| process.address);
    let pages: BTreeSet<Pfn> = objects.map(|at| mapped.frames[&at.page()]).collect();
    for (from, to) in pages.into_iter().zip((0x10_0000..).map(Pfn)) {
        *mapped.memory.frame_mut(to) = *mapped.memory.frame(from).unwrap();
        mapped.memory.remove(from);
        let tables: Vec<Pfn> = mapped.memory.frames().map(|(frame, _)| frame).collect();
        for table in tables {
            for entry in mapped.memory.frame_mut(table).chunks_exact_mut(8) {
                let value = u64::from_le_bytes((&*entry).try_into().unwrap());
                if value & 1 == 1 && value & FRAME == from.address() {
                    entry.copy_from_slice(&(value & !FRAME | to.address()).to_le_bytes());
                }
            }
        }
    }
    all_layouts_are_read(mapped, &built);
}
