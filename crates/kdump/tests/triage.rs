//! Triage dumps: pieces of virtual memory, the crash and the modules; real ones where they are at hand.
#![allow(missing_docs, clippy::cast_possible_truncation)]

mod common;

use std::path::Path;

use common::World;
use kdump::{Dump, Gpa, Gva, Machine, OpenOptions, ReadError, debugger_data, kernel_image};

const KDBG: u64 = 0xffff_f800_0100_0b20;
const THREAD: u64 = 0xffff_fa80_0000_1640;
const PROCESS: u64 = 0xffff_fa80_0000_8180;
const STACK: u64 = 0xffff_f880_0290_0ee8;
const KERNEL: u64 = 0xffff_f800_0040_0000;

/// A file in the making, by `TRIAGE_DUMP64`.
struct Writer {
    file: Vec<u8>,
    blocks: Vec<(u64, u32, u32)>,
}

impl Writer {
    fn new() -> Writer {
        let mut world = World::new();
        world.patch_u64(0x80, KDBG);
        let mut file = world.full();
        file.truncate(0x2000);
        file[0xf98] = 4;
        file.resize(0x2080, 0);
        Writer {
            file,
            blocks: Vec::new(),
        }
    }

    fn field(&mut self, offset: usize, value: u32) {
        self.file[0x2000 + offset..0x2004 + offset].copy_from_slice(&value.to_le_bytes());
    }

    /// Appends bytes and says where they are.
    fn append(&mut self, bytes: &[u8]) -> u32 {
        let at = self.file.len() as u32;
        self.file.extend_from_slice(bytes);
        at
    }

    fn block(&mut self, gva: u64, bytes: &[u8]) {
        let at = self.append(bytes);
        self.blocks.push((gva, at, bytes.len() as u32));
    }

    fn driver(name: u32, base: u64, size: u32) -> Vec<u8> {
        let mut entry = vec![0; 0x90];
        entry[..4].copy_from_slice(&name.to_le_bytes());
        entry[0x38..0x40].copy_from_slice(&base.to_le_bytes());
        entry[0x48..0x4c].copy_from_slice(&size.to_le_bytes());
        entry
    }

    fn finish(mut self) -> Vec<u8> {
        let blocks: Vec<u8> = self
            .blocks
            .iter()
            .flat_map(|(gva, at, len)| {
                [&gva.to_le_bytes()[..], &at.to_le_bytes(), &len.to_le_bytes()].concat()
            })
            .collect();
        let (count, at) = (self.blocks.len() as u32, self.append(&blocks));
        self.field(0x78, at);
        self.field(0x7c, count);
        let mark = self.append(b"TRGD");
        self.field(0x8, mark);
        self.field(0x4, mark + 4);
        self.file
    }
}

/// Bytes that tell where they are.
fn numbered(first: u8, len: usize) -> Vec<u8> {
    (0..len).map(|n| first.wrapping_add(n as u8)).collect()
}

fn writer() -> Writer {
    let mut writer = Writer::new();
    let mut data = vec![0; 0x380];
    data[0x10..0x14].copy_from_slice(b"KDBG");
    data[0x14..0x18].copy_from_slice(&0x380u32.to_le_bytes());
    data[0x18..0x20].copy_from_slice(&KERNEL.to_le_bytes());
    for (offset, value) in [(0x2a0, 0xb8u16), (0x2a8, 0x200), (0x2b4, 8), (0x2c0, 0x100)] {
        data[offset..offset + 2].copy_from_slice(&value.to_le_bytes());
    }
    let at = writer.append(&data);
    writer.field(0x70, at);
    writer.field(0x74, 0x380);
    let mut prcb = vec![0; 0x40];
    prcb[8..16].copy_from_slice(&THREAD.to_le_bytes());
    let mut thread = numbered(1, 0x100);
    thread[0xb8..0xc0].copy_from_slice(&PROCESS.to_le_bytes());
    for (field, bytes) in [
        (0x1c, prcb),
        (0x20, numbered(2, 0x200)),
        (0x24, thread),
        (0x28, numbered(3, 0x80)),
    ] {
        let at = writer.append(&bytes);
        writer.field(field, at);
    }
    writer.field(0x2c, 0x80);
    writer.file[0x2048..0x2050].copy_from_slice(&STACK.to_le_bytes());
    let names = [
        "\\SystemRoot\\system32\\ntoskrnl.exe",
        "\\SystemRoot\\a\u{202e}.sys",
    ]
    .map(|name| {
        let units: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
        writer.append(&[&(units.len() as u32 / 2).to_le_bytes()[..], &units].concat())
    });
    let drivers = [
        Writer::driver(names[0], KERNEL, 0x104_6000),
        Writer::driver(names[1], KERNEL + 0x1000_0000, 0x6000),
    ];
    let at = writer.append(&drivers.concat());
    writer.field(0x30, at);
    writer.field(0x34, 2);
    // In no order; the first two touch, the third overlaps the process from inside.
    writer.block(0xffff_8000_0000_1ff0, &numbered(0x40, 0x20));
    writer.block(0xffff_8000_0000_1fe0, &numbered(0x30, 0x10));
    writer.block(PROCESS + 0x10, &numbered(0x12, 0x20));
    writer
}

fn open(bytes: Vec<u8>) -> Dump {
    Dump::from_bytes("mini.dmp", bytes).unwrap()
}

#[test]
fn what_is_there_reads_and_the_rest_says_so() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), writer().finish()).unwrap();
    for no_mmap in [false, true] {
        let dump = Dump::open_with(file.path(), &OpenOptions::default().no_mmap(no_mmap)).unwrap();
        assert_eq!(dump.notes(), []);
        let cursor = dump.kernel_space().cursor();
        // Over the seam of two blocks and over a page.
        let across = cursor.bytes(Gva::new(0xffff_8000_0000_1fe4), 0x2c).unwrap();
        assert_eq!(
            *across,
            [&numbered(0x34, 0xc)[..], &numbered(0x40, 0x20)].concat()
        );
        assert_eq!(
            *cursor.bytes(Gva::new(PROCESS), 0x200).unwrap(),
            numbered(2, 0x200)
        );
        assert_eq!(*cursor.bytes(Gva::new(STACK), 0x80).unwrap(), numbered(3, 0x80));
        assert_eq!(cursor.u8(Gva::new(THREAD)), Ok(1));
        for gva in [
            0,
            0xffff_8000_0000_1fdf,
            0xffff_8000_0000_2010,
            STACK + 0x80,
            u64::MAX,
        ] {
            let gva = Gva::new(gva);
            let error = cursor.u8(gva).unwrap_err();
            assert_eq!(
                error,
                ReadError::NotInTriageDump {
                    gva: dump.kernel_space().addr(gva)
                }
            );
            assert_eq!((error.id(), error.gva()), ("not-in-triage-dump", gva));
            assert!(error.to_string().contains("a triage dump does not hold this"));
        }
        let mut buf = [0; 0x40];
        let partial = cursor.read_partial(Gva::new(0xffff_8000_0000_2000), &mut buf);
        assert_eq!(partial.read, 0x10);
        assert_eq!(partial.stopped.unwrap().gva(), Gva::new(0xffff_8000_0000_2010));
        // It has neither pages nor page tables.
        assert_eq!(dump.coverage().claimed, 0);
        assert_eq!(dump.runs().count(), 0);
        assert_eq!(
            dump.physical_bytes(Gpa::new(0x1000), 8).unwrap_err().id(),
            "not-in-dump"
        );
        let error = dump.kernel_space().translate(Gva::new(PROCESS)).unwrap_err();
        assert_eq!(error.id(), "not-in-triage-dump");
    }
}

#[test]
fn the_crash_and_the_modules_are_found() {
    let dump = open(writer().finish());
    let triage = dump.triage().unwrap();
    assert_eq!(triage.thread(), Some(Gva::new(THREAD)));
    assert_eq!(triage.process(), Some(Gva::new(PROCESS)));
    assert_eq!(triage.kernel_base(), Some(Gva::new(KERNEL)));
    let modules: Vec<_> = triage
        .modules()
        .iter()
        .map(|module| (module.name.as_deref().unwrap(), module.base.u64(), module.size))
        .collect();
    assert_eq!(
        modules,
        [
            ("\\SystemRoot\\system32\\ntoskrnl.exe", KERNEL, 0x104_6000),
            ("\\SystemRoot\\a\u{202e}.sys", KERNEL + 0x1000_0000, 0x6000),
        ]
    );
    assert_eq!(debugger_data(&dump).unwrap().kern_base, KERNEL);
    assert_eq!(kernel_image(&dump).unwrap_err().base(), Some(Gva::new(KERNEL)));
    // The blocks cover each byte once.
    let blocks: Vec<_> = triage.blocks().map(|(gva, len)| (gva.u64(), len)).collect();
    assert!(
        blocks.windows(2).all(|pair| pair[0].0 + pair[0].1 <= pair[1].0),
        "{blocks:x?}"
    );
    let bytes = 0x30 + 0x380 + 0x100 + 0x200 + 0x80;
    assert_eq!(triage.bytes(), (bytes, bytes));
}

#[test]
fn a_cut_file_gives_what_is_left() {
    let whole = writer().finish();
    for len in (0x2000..whole.len()).step_by(23) {
        match Dump::from_bytes("cut", whole[..len].to_vec()) {
            Err(error) => assert!(len < 0x2080 && error.id() == "index-cut", "{len:#x}: {error}"),
            Ok(dump) => {
                assert_eq!(dump.notes()[0].id, "truncated", "{len:#x}");
                let triage = dump.triage().unwrap();
                let (claimed, present) = triage.bytes();
                assert!(present <= claimed);
                for (gva, block) in triage.blocks() {
                    let held = dump.kernel_space().cursor().bytes(gva, block as usize);
                    assert!(
                        held.is_ok() || held.unwrap_err().id() == "out-of-file",
                        "{len:#x}"
                    );
                }
            }
        }
    }
}

#[test]
fn numbers_that_cannot_be_are_refused_or_left_out() {
    for (field, value) in [(0x7c, u32::MAX), (0x7c, (1 << 20) + 1), (0x34, u32::MAX)] {
        let mut writer = writer();
        let mut bytes = std::mem::replace(&mut writer, Writer::new()).finish();
        bytes[0x2000 + field..0x2004 + field].copy_from_slice(&value.to_le_bytes());
        assert_eq!(Dump::from_bytes("bad", bytes).unwrap_err().id(), "bad-index");
    }
    // Every byte of the triage header and of the tables may be anything.
    let whole = writer().finish();
    for offset in (0x2000..0x2080).chain(whole.len() - 0x40..whole.len()) {
        for value in [0, 1, 0x7f, 0xff] {
            let mut bytes = whole.clone();
            bytes[offset] = value;
            let Ok(dump) = Dump::from_bytes("fuzzed", bytes) else {
                continue;
            };
            let triage = dump.triage().unwrap();
            let blocks: Vec<_> = triage.blocks().map(|(gva, len)| (gva.u64(), len)).collect();
            assert!(blocks.windows(2).all(|pair| pair[0].0 + pair[0].1 <= pair[1].0));
            let cursor = dump.kernel_space().cursor();
            for (gva, len) in blocks {
                let _ = cursor.bytes(Gva::new(gva), len as usize);
            }
        }
    }
}

#[test]
fn a_mark_that_is_not_there_is_told() {
    let mut bytes = writer().finish();
    let end = bytes.len();
    bytes[end - 1] = b'X';
    assert_eq!(open(bytes).notes()[0].id, "triage-not-finished");
}

fn sample(name: &str) -> Option<Dump> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/samples")
        .join(name);
    path.exists().then(|| Dump::open(&path).unwrap())
}

/// Values read out of the file with a hex viewer by the tables of the format.
#[test]
fn a_real_dump_of_x64() {
    let Some(dump) = sample("triage_x64.dmp") else {
        return;
    };
    let header = dump.header();
    assert_eq!(
        (header.machine, header.major_version, header.minor_version),
        (Machine::Amd64, 15, 19041)
    );
    let bug_check = header.bug_check.unwrap();
    assert_eq!(bug_check.code, 0x1000_007e);
    assert_eq!(
        bug_check.parameters,
        [
            0xffff_ffff_c000_0005,
            0xffff_f804_8b58_334c,
            0xffff_8504_2989_1ee8,
            0xffff_8504_2989_1720
        ]
    );
    assert_eq!(
        (header.number_processors, header.directory_table_base),
        (Some(16), 0x1a_d000)
    );
    // 2021-02-21 01:38:22 UTC.
    assert_eq!(
        header
            .system_time
            .map(|time| time.0 / 10_000_000 - 11_644_473_600),
        Some(1_613_871_502)
    );
    assert_eq!(dump.notes(), []);
    let triage = dump.triage().unwrap();
    assert_eq!(triage.kernel_base(), Some(Gva::new(0xffff_f804_7ba0_0000)));
    assert_eq!(triage.thread(), Some(Gva::new(0xffff_c08b_de9e_1640)));
    assert_eq!(triage.process(), Some(Gva::new(0xffff_c08b_dce9_4180)));
    let modules = triage.modules();
    assert_eq!((modules.len(), triage.claimed_modules()), (151, 151));
    assert_eq!(
        modules[0].name.as_deref(),
        Some("\\SystemRoot\\system32\\ntoskrnl.exe")
    );
    assert_eq!(
        (modules[0].base, modules[0].size),
        (Gva::new(0xffff_f804_7ba0_0000), 0x104_6000)
    );
    assert_eq!(
        modules[150].name.as_deref(),
        Some("\\SystemRoot\\System32\\drivers\\rdpbus.sys")
    );
    let cursor = dump.kernel_space().cursor();
    let process = triage.process().unwrap();
    // UniqueProcessId and ImageFileName of this build.
    assert_eq!(cursor.u64(Gva::new(process.u64() + 0x440)), Ok(4));
    assert_eq!(
        *cursor.bytes(Gva::new(process.u64() + 0x5a8), 7).unwrap(),
        *b"System\0"
    );
}

#[test]
fn a_real_dump_of_arm64() {
    let Some(dump) = sample("triage_arm64.dmp") else {
        return;
    };
    let header = dump.header();
    assert_eq!((header.machine, header.minor_version), (Machine::Arm64, 22000));
    assert_eq!(header.bug_check.unwrap().code, 0x1c8);
    assert_eq!(
        header.bug_check.unwrap().parameters,
        [0x1b58, 0xffff_f803_f3a2_0860, 0, 0]
    );
    assert_eq!(header.number_processors, Some(8));
    // 2021-09-14 02:51:58 UTC.
    assert_eq!(
        header
            .system_time
            .map(|time| time.0 / 10_000_000 - 11_644_473_600),
        Some(1_631_587_918)
    );
    assert_eq!(header.context.unwrap().flags, 0x40_0007);
    let triage = dump.triage().unwrap();
    assert_eq!(triage.kernel_base(), Some(Gva::new(0xffff_f803_f2e0_0000)));
    assert_eq!(triage.thread(), Some(Gva::new(0xffff_bb8e_b171_9180)));
    assert_eq!((triage.modules().len(), triage.claimed_blocks()), (245, 679));
    let cursor = dump.kernel_space().cursor();
    let process = triage.process().unwrap();
    assert_eq!(cursor.u64(Gva::new(process.u64() + 0x3f8)), Ok(4));
    assert_eq!(
        *cursor.bytes(Gva::new(process.u64() + 0x560), 7).unwrap(),
        *b"System\0"
    );
    assert_eq!(cursor.u8(Gva::new(triage.thread().unwrap().u64() + 0x17c)), Ok(2));
}

/// Pieces of virtual memory have no physical address; they end where their block does.
#[test]
fn whereabouts_are_in_the_blocks() {
    let bytes = writer().finish();
    let dump = open(bytes.clone());
    let found = dump
        .kernel_space()
        .whereabouts(Gva::new(0xffff_8000_0000_1fe8), 0x18);
    assert_eq!(found.gone, None);
    let in_file: Vec<u8> = found
        .pieces
        .iter()
        .flat_map(|piece| {
            assert_eq!(piece.gpa, None);
            let start = piece.offset.unwrap().0 as usize;
            bytes[start..start + piece.len as usize].to_vec()
        })
        .collect();
    assert_eq!(in_file, [&numbered(0x38, 8)[..], &numbered(0x40, 0x10)].concat());
    let gone = dump
        .kernel_space()
        .whereabouts(Gva::new(0xffff_8000_0000_2000), 0x20)
        .gone
        .unwrap();
    assert_eq!((gone.gva, gone.gpa), (Gva::new(0xffff_8000_0000_2010), None));
    assert!(
        matches!(gone.reason, ReadError::NotInTriageDump { .. }),
        "{gone:?}"
    );
}
