//! The memory of a machine in every form that is read: the same world gives the same answers as its crash dump.

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use support::alpc_dump;
use synth::container::diskdump::{Form, Packing};
use synth::container::elf::Producer;
use synth::container::{Machine, Registers, avml, diskdump, elf, hiberfil, hyper_v, raw, virtualbox, vmware};
use synth::dump::Kind;
use synth::physical::Run;
use synth::world::Built;
use synth::worlds;

/// A world, its crash dump and a folder for its other forms.
struct Case {
    built: Built,
    folder: tempfile::TempDir,
}

impl Case {
    fn new(kernel: &str) -> Case {
        let case = Case {
            built: worlds::standard(kernel),
            folder: tempfile::tempdir().unwrap(),
        };
        case.write("memory.dmp", &case.built.dump(Kind::BitmapFull));
        case
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    /// A processor in the kernel, and one in a process of a user whose tables lack the kernel (KVA shadow).
    fn processors(&self) -> [Registers; 2] {
        let cr3 = self.built.header.directory_table_base;
        let la57 = u64::from(self.built.machine == synth::machine::Machine::La57) << 12;
        let mut integers = [0x11; 16];
        integers[4] = self.built.header.rsp.0;
        [
            Registers {
                cr3: 0x3000,
                rip: 0x7ff0_1000,
                ..Registers::default()
            },
            Registers {
                integers,
                rip: self.built.header.rip.0,
                cr3: cr3 | 2,
                cr4: 0x6f8 | la57,
                ..Registers::default()
            },
        ]
    }
}

/// What must be the same whatever holds the memory: all that is not about the file.
const COMMANDS: [&[&str]; 7] = [
    &["ports"],
    &["hang"],
    &["waits"],
    &["threads"],
    &["handles"],
    &["modules"],
    &["threads", "--stacks"],
];

fn answers(path: &Path) -> Vec<(i32, String, String)> {
    COMMANDS
        .iter()
        .map(|command| {
            let mut arguments = vec![path.to_str().unwrap(), "-q"];
            arguments.extend_from_slice(command);
            let run = alpc_dump(&arguments);
            (run.status, run.stdout, run.stderr)
        })
        .collect()
}

fn same(case: &Case, path: &Path, name: &str) {
    let dump = answers(&case.folder.path().join("memory.dmp"));
    for ((dump, image), command) in dump.iter().zip(answers(path)).zip(COMMANDS) {
        assert_eq!(*dump, image, "{name}: {command:?}");
    }
}

/// Writes each form of a machine's memory, and names the file to open.
#[allow(clippy::type_complexity)]
const FORMS: &[(&str, fn(&Case, Machine<'_>) -> PathBuf)] = &[
    ("raw memory image", |case, machine| {
        case.write("image.raw", &raw::raw(machine))
    }),
    ("LiME image", |case, machine| {
        case.write("image.lime", &raw::lime(machine))
    }),
    ("ELF core of QEMU", |case, machine| {
        case.write("qemu.elf", &elf::core(machine, Producer::Qemu, 0))
    }),
    ("ELF core of QEMU", |case, machine| {
        case.write("shifted.elf", &elf::core(machine, Producer::Qemu, 0x123))
    }),
    ("ELF core of QEMU", |case, machine| {
        let top = machine.memory.runs().last().unwrap().end().0;
        // Memory above 4 GiB has no place in it.
        match top > 1 << 20 {
            true => case.write("wide.elf", &elf::core(machine, Producer::Qemu, 1)),
            false => case.write("narrow.elf", &elf::narrow(machine)),
        }
    }),
    ("ELF core of VirtualBox", |case, machine| {
        case.write("box.elf", &elf::core(machine, Producer::VirtualBox, 0))
    }),
    ("ELF core of Xen", |case, machine| {
        case.write("xen.elf", &elf::xen(machine))
    }),
    ("memory of a VMware machine", |case, machine| {
        let (state, memory) = vmware::suspended(machine, &regions(machine));
        case.write("suspended.vmem", &memory);
        case.write("suspended.vmss", &state)
    }),
    ("memory of a VMware machine", |case, machine| {
        let (state, memory) = vmware::suspended(machine, &regions(machine));
        case.write("snapshot.vmsn", &state);
        case.write("snapshot.vmem", &memory)
    }),
    ("state of a VMware machine", |case, machine| {
        case.write("inline.vmsn", &vmware::with_memory(machine))
    }),
    ("saved state of Hyper-V", |case, machine| {
        let written = hyper_v::saved(machine, hyper_v::Style::default());
        case.write("saved.vmrs", &written.bytes)
    }),
    ("saved state of Hyper-V", |case, machine| {
        let style = hyper_v::Style {
            packed: true,
            pending: true,
            ..hyper_v::Style::default()
        };
        case.write("running.vmrs", &hyper_v::saved(machine, style).bytes)
    }),
    ("saved state of VirtualBox", |case, machine| {
        let written = virtualbox::saved(machine, virtualbox::Style::stopped());
        case.write("saved.sav", &written.bytes)
    }),
    ("saved state of VirtualBox", |case, machine| {
        let style = virtualbox::Style {
            version: 13,
            live: true,
            narrow: true,
            ..virtualbox::Style::stopped()
        };
        case.write("snapshot.sav", &virtualbox::saved(machine, style).bytes)
    }),
    ("hibernation file", |case, machine| {
        let written = hiberfil::hibernated(machine, hiberfil::Style::of(0x448));
        case.write("hiberfil.sys", &written.bytes)
    }),
    ("hibernation file", |case, machine| {
        case.write("seven.sys", &hiberfil::seven(machine, true, 255))
    }),
    ("kdump-compressed file", |case, machine| {
        let form = Form {
            packings: &[Packing::Zlib],
            flattened: false,
            level: 1,
        };
        case.write("kdump.zlib", &diskdump::compressed(machine, form))
    }),
    ("kdump-compressed file", |case, machine| {
        let form = Form {
            packings: &[Packing::Plain, Packing::Lzo, Packing::Snappy, Packing::Zstd],
            flattened: true,
            level: 0,
        };
        case.write("kdump.flattened", &diskdump::compressed(machine, form))
    }),
    ("AVML image", |case, machine| {
        case.write("image.avml", &avml::image(machine))
    }),
];

/// All memory in three regions, as machines with holes have them.
fn regions(machine: Machine<'_>) -> Vec<Run> {
    let frames: Vec<_> = machine.memory.frames().map(|(frame, _)| frame).collect();
    let middle = frames[frames.len() / 2];
    let last = frames[frames.len() - 1];
    let (first, second) = (
        Run {
            base: frames[0],
            count: middle.0 - frames[0].0,
        },
        Run {
            base: middle,
            count: last.0 - middle.0 + 1,
        },
    );
    vec![first, second]
}

#[test]
fn every_form_gives_the_answers_of_the_crash_dump() {
    for kernel in [
        "win7-sp1-x64",
        "win10-2004-x64",
        "win11-22h2-la57-x64",
        "win11-21h2-arm64",
        "win7-sp1-x86",
    ] {
        let case = Case::new(kernel);
        let mapped = case.built.map();
        let processors = case.processors();
        let machine = Machine {
            memory: &mapped.memory,
            processors: &processors,
        };
        for (name, write) in FORMS {
            let path = write(&case, machine);
            let info = alpc_dump(&[path.to_str().unwrap(), "info"]);
            assert!(info.stdout.contains(name), "{}{}", info.stdout, info.stderr);
            same(&case, &path, name);
        }
    }
}
