//! Page tables of every machine: five levels, x86 with and without PAE, ARM64.
#![allow(missing_docs, clippy::cast_possible_truncation, clippy::precedence)]

mod common;

use common::{LARGE, PAGE, World};
use kdump::{
    Addr, Dump, DumpKind, FrameUse, Gpa, Gva, Level, Machine, NotPresentKind, PageSize, ReadError,
    TranslateError, Translation,
};

/// Tables of any form over a world's frames, by the processor's manual: (shift, bits of the index) from the root down.
struct Tables {
    world: World,
    steps: &'static [(u32, u32)],
    entry_size: u64,
    link: u64,
    next: u64,
}

const FIVE: &[(u32, u32)] = &[(48, 9), (39, 9), (30, 9), (21, 9), (12, 9)];

impl Tables {
    fn new(steps: &'static [(u32, u32)], entry_size: u64, link: u64) -> Tables {
        Tables {
            world: World::new(),
            steps,
            entry_size,
            link,
            next: 0x300,
        }
    }

    /// Where the entry of `gva` is in the table `depth` below the root, making tables.
    fn entry_at(&mut self, gva: u64, depth: usize) -> u64 {
        let mut table = self.world.root * PAGE;
        for (level, &(shift, bits)) in self.steps.iter().enumerate() {
            let at = table + ((gva >> shift) & ((1 << bits) - 1)) * self.entry_size;
            if level == depth {
                return at;
            }
            if self.read(at) == 0 {
                self.world.frames.insert(self.next, vec![0; 0x1000]);
                self.write(at, self.next * PAGE | self.link);
                self.next += 3;
            }
            table = self.read(at) & 0xffff_f000;
        }
        unreachable!("no such level")
    }

    fn read(&self, at: u64) -> u64 {
        let bytes = &self.world.frames[&(at / PAGE)][(at % PAGE) as usize..][..self.entry_size as usize];
        bytes
            .iter()
            .rev()
            .fold(0, |value, &byte| value << 8 | u64::from(byte))
    }

    fn write(&mut self, at: u64, entry: u64) {
        let bytes = &entry.to_le_bytes()[..self.entry_size as usize];
        self.world.write_physical(at, bytes);
    }

    fn set(&mut self, gva: u64, depth: usize, entry: u64) {
        let at = self.entry_at(gva, depth);
        self.write(at, entry);
    }

    /// A page of bytes at `gva`.
    fn place(&mut self, gva: u64, pfn: u64, attributes: u64, bytes: &[u8]) {
        self.set(gva, self.steps.len() - 1, pfn * PAGE | attributes);
        self.world.write_physical(pfn * PAGE + gva % PAGE, bytes);
    }
}

fn five() -> Tables {
    Tables::new(FIVE, 8, 0x63)
}

fn translate(dump: &Dump, gva: u64) -> Result<Translation, TranslateError> {
    dump.kernel_space().translate(Gva::new(gva))
}

fn open(world: &World) -> Dump {
    Dump::from_bytes("world", world.bitmap(5, b"FDMP")).unwrap()
}

/// Links of an empty `_LIST_ENTRY` at `head`.
fn empty(head: u64) -> Vec<u8> {
    [head.to_le_bytes(), head.to_le_bytes()].concat()
}

const HEAD: u64 = 0xff3e_8807_1932_0a40;

#[test]
fn five_levels_are_found_by_what_must_be_mapped() {
    // In the upper half that four levels have as well, and in the one that only five have.
    for head in [0xffff_f807_1932_0a40, HEAD] {
        let mut tables = five();
        tables.place(head, 0x1000, 0x63, &empty(head));
        tables.set(0xff80_0000_4000_0000, 2, 0x8000_0000 | 0x63 | LARGE);
        tables.set(0xff80_0000_0020_0000, 3, 0x460_0000 | 0x63 | LARGE);
        tables.world.patch_u64(0x28, head);
        let dump = open(&tables.world);
        assert_eq!(dump.kernel_space().address_bits(), 57, "{head:#x}");
        assert_eq!(dump.notes(), [], "{head:#x}");
        assert_eq!(dump.kernel_space().cursor().u64(Gva::new(head)), Ok(head));
        for (gva, gpa, page_size) in [
            (head, 0x0100_0a40, PageSize::Size4K),
            (0xff80_0000_4123_4567, 0x8123_4567, PageSize::Size1G),
            (0xff80_0000_0023_4567, 0x0463_4567, PageSize::Size2M),
        ] {
            let found = translate(&dump, gva).unwrap();
            assert_eq!(
                (found.gpa, found.page_size),
                (Gpa::new(gpa), page_size),
                "{gva:#x}"
            );
        }
    }
}

#[test]
fn four_levels_stay_four_levels() {
    let head = 0xffff_f807_1932_0a40;
    let mut world = World::new();
    world.place(head, 0x1000, &empty(head));
    world.patch_u64(0x28, head);
    assert_eq!(open(&world).kernel_space().address_bits(), 48);
    // Not even the head is mapped.
    let mut world = World::new();
    world.patch_u64(0x28, head);
    let dump = open(&world);
    assert_eq!(dump.kernel_space().address_bits(), 48);
    assert_eq!(dump.notes()[0].id, "kernel-not-mapped");
}

#[test]
fn a_head_without_its_page_still_tells_the_levels() {
    let mut tables = five();
    tables.set(HEAD, 4, 0x1000 * PAGE | 0x63);
    tables.world.patch_u64(0x20, HEAD);
    assert_eq!(open(&tables.world).kernel_space().address_bits(), 57);
}

/// Situation: a slot of the top table refers to the table itself, so that reading five levels as four can end in a page.
/// Example: the fourth level's index of the address is that slot.
#[test]
fn a_self_map_does_not_pass_for_four_levels() {
    let slot = 0x1ed;
    let head = 0xffff_0000_0000_0000 | slot << 39 | slot << 30 | slot << 21 | slot << 12 | 0xa40;
    let mut tables = five();
    tables.set(
        0xff00_0000_0000_0000 | slot << 48,
        0,
        tables.world.root * PAGE | 0x63,
    );
    tables.place(head, 0x1000, 0x63, &empty(head));
    tables.world.patch_u64(0x28, head);
    let dump = open(&tables.world);
    assert_eq!(dump.kernel_space().address_bits(), 57);
    assert_eq!(translate(&dump, head).unwrap().gpa, Gpa::new(0x100_0a40));
}

#[test]
fn an_entry_of_the_fifth_level_is_named() {
    let mut tables = five();
    tables.place(HEAD, 0x1000, 0x63, &empty(HEAD));
    tables.world.patch_u64(0x28, HEAD);
    let gva = 0xff11_0000_0000_0000;
    let entry_at = tables.entry_at(gva, 0);
    tables.write(entry_at, 0x1_0000_0080);
    let dump = open(&tables.world);
    assert_eq!(
        translate(&dump, gva),
        Err(ReadError::NotPresent {
            gva: Addr::new(Gva::new(gva), 8),
            level: Level::Pml5e,
            entry: 0x1_0000_0080,
            entry_at: Gpa::new(entry_at),
            state: NotPresentKind::PageFile,
        })
    );
    for gva in [1 << 56, 0xfeff_ffff_ffff_ffff] {
        assert_eq!(
            translate(&dump, gva).unwrap_err().id(),
            "non-canonical",
            "{gva:#x}"
        );
    }
    for gva in [0x00ff_ffff_ffff_ffff, 0xff00_0000_0000_0000] {
        assert_eq!(translate(&dump, gva).unwrap_err().id(), "not-present", "{gva:#x}");
    }
}

/// Situation: with KVA shadowing a process has two sets of tables, and the one that it runs on in user mode maps of the
/// kernel only what interrupts need. `_KPROCESS.UserDirectoryTableBase` names it.
#[test]
fn kernel_addresses_of_a_process_come_from_the_kernels_tables() {
    let mut world = World::new();
    let (kernel, user) = (0xffff_f807_1932_0000, 0x7ff6_1234_5000);
    world.place(kernel, 0x1000, b"kernel");
    world.map_4k(user, 0x2000);
    let mut shadow = World::with_root(0x500);
    shadow.place(user, 0x3000, b"process");
    world.frames.extend(shadow.frames);
    let dump = open(&world);
    let of_process = dump.process_space(0x50_0002);
    let gpa = |gva| of_process.translate(Gva::new(gva)).map(|found| found.gpa);
    assert_eq!(gpa(kernel), Ok(Gpa::new(0x100_0000)));
    assert_eq!(gpa(user), Ok(Gpa::new(0x300_0000)));
    let cursor = of_process.cursor();
    assert_eq!(&*cursor.bytes(Gva::new(user), 7).unwrap(), b"process");
    assert_eq!(&*cursor.bytes(Gva::new(kernel), 6).unwrap(), b"kernel");
    // By its own tables alone there is no kernel.
    let error = dump.space(0x50_0002).translate(Gva::new(kernel)).unwrap_err();
    assert_eq!(error.id(), "not-present");
}

const PAE: &[(u32, u32)] = &[(30, 2), (21, 9), (12, 9)];
const X86: &[(u32, u32)] = &[(22, 10), (12, 10)];

fn pae() -> Tables {
    Tables::new(PAE, 8, 0x63)
}

fn x86() -> Tables {
    Tables::new(X86, 4, 0x63)
}

const HEAD32: u64 = 0x8193_2a40;

/// A 32-bit header by the format table, and an index of each kind behind it.
fn file32(tables: &Tables, kind: u32, pae: u8) -> Vec<u8> {
    let world = &tables.world;
    let mut file: Vec<u8> = b"PAGE".iter().copied().cycle().take(0x1000).collect();
    let mut put = |at: usize, bytes: &[u8]| file[at..at + bytes.len()].copy_from_slice(bytes);
    let word = |value: u64| u32::try_from(value).unwrap().to_le_bytes();
    let runs = world.runs();
    put(4, b"DUMP");
    put(0x8, &word(15));
    put(0xc, &word(9200));
    put(0x10, &word(world.root * PAGE));
    put(0x18, &word(0));
    put(0x1c, &word(HEAD32));
    put(0x20, &word(0x14c));
    put(0x24, &word(2));
    put(0x28, &word(0xe2));
    for at in [0x2c, 0x30, 0x34, 0x38] {
        put(at, &word(at as u64));
    }
    put(0x5c, &[pae]);
    put(0x60, &word(0));
    put(0x64, &word(runs.len() as u64));
    put(0x68, &word(world.frames.len() as u64));
    for (n, &(base, count)) in runs.iter().enumerate().take(86) {
        put(0x6c + n * 8, &word(base));
        put(0x70 + n * 8, &word(count));
    }
    put(0x320, &word(0x1_001f));
    put(0x3d8, &word(0x8190_1234));
    put(0x3e4, &word(0x8078_0120));
    put(0x7d0, &word(0x8000_0003));
    put(0x7dc, &word(0x8190_1234));
    put(0x7e0, &word(1));
    put(0x7e4, &word(0x77));
    put(0xf88, &word(kind.into()));
    put(0xfb8, &1_000_000u64.to_le_bytes());
    put(0xfc0, &0x01d6_f0f5_f6d8_a000u64.to_le_bytes());
    if kind != 1 {
        let bits = runs.last().map_or(0, |run| run.0 + run.1);
        let begin = if kind == 2 { 0x1020 } else { 0x1038 };
        let first = (begin + bits.div_ceil(8)).next_multiple_of(PAGE);
        file.resize(first as usize, 0);
        let mut put = |at: usize, bytes: &[u8]| file[at..at + bytes.len()].copy_from_slice(bytes);
        put(0x1000, if kind == 5 { b"FDMPDUMP" } else { b"SDMPDUMP" });
        let pages = world.frames.len() as u64;
        if kind == 2 {
            for (at, value) in [(0x100c, first), (0x1010, bits), (0x1014, pages), (0x1018, bits)] {
                put(at, &word(value));
            }
        } else {
            for (at, value) in [(0x1020, first), (0x1028, pages), (0x1030, bits)] {
                put(at, &value.to_le_bytes());
            }
        }
        for pfn in world.frames.keys() {
            file[(begin + pfn / 8) as usize] |= 1 << (pfn % 8);
        }
    }
    world
        .frames
        .values()
        .for_each(|page| file.extend_from_slice(page));
    file
}

fn open32(tables: &Tables, pae: u8) -> Dump {
    Dump::from_bytes("x86", file32(tables, 5, pae)).unwrap()
}

#[test]
fn a_32_bit_header_gives_its_fields() {
    let mut tables = pae();
    tables.place(HEAD32, 0x1000, 0x63, b"head");
    for (kind, name) in [
        (1, DumpKind::Full),
        (2, DumpKind::Summary),
        (5, DumpKind::BitmapFull),
        (6, DumpKind::BitmapKernel),
    ] {
        let dump = Dump::from_bytes("x86", file32(&tables, kind, 1)).unwrap();
        let header = dump.header();
        assert_eq!(
            (header.machine, header.kind, header.pae_enabled),
            (Machine::I386, name, Some(true))
        );
        assert_eq!((header.minor_version, header.number_processors), (9200, Some(2)));
        assert_eq!(header.ps_active_process_head, Some(Gva::new(HEAD32)));
        assert_eq!(
            (header.ps_loaded_module_list, header.kd_debugger_data_block),
            (None, None)
        );
        let bug_check = header.bug_check.unwrap();
        assert_eq!(
            (bug_check.code, bug_check.parameters),
            (0xe2, [0x2c, 0x30, 0x34, 0x38])
        );
        let context = header.context.unwrap();
        assert_eq!(
            (context.rip, context.rsp),
            (Gva::new(0x8190_1234), Gva::new(0x8078_0120))
        );
        let exception = header.exception.as_ref().unwrap();
        assert_eq!(
            (exception.code, exception.address, exception.parameters.as_slice()),
            (0x8000_0003, Gva::new(0x8190_1234), &[0x77][..])
        );
        assert_eq!(header.system_up_time, Some(kdump::TimeSpan(1_000_000)));
        assert_eq!(dump.coverage().missing, 0);
        assert_eq!(dump.coverage().claimed, tables.world.frames.len() as u64);
        assert_eq!(dump.notes(), [], "{name}");
        for (&pfn, page) in &tables.world.frames {
            assert_eq!(
                &*dump.physical_bytes(Gpa::new(pfn * PAGE), 0x1000).unwrap(),
                &page[..],
                "{pfn:#x}"
            );
        }
        let space = dump.kernel_space();
        assert_eq!((space.pointer_width(), space.address_bits()), (4, 32));
        assert_eq!(&*space.cursor().bytes(Gva::new(HEAD32), 4).unwrap(), b"head");
        // The file of each kind ends with its last page.
        let mut cut = file32(&tables, kind, 1);
        cut.truncate(cut.len() - 1);
        assert_eq!(
            Dump::from_bytes("cut", cut).unwrap().coverage().missing,
            1,
            "{name}"
        );
    }
}

#[test]
fn x86_addresses_are_found_with_and_without_pae() {
    let mut tables = pae();
    tables.place(HEAD32, 0x1000, 0x63, b"head");
    tables.set(0x8060_0000, 1, 0x460_0000 | 0x63 | LARGE);
    tables.set(0xffff_f000, 2, 0xf_ffff_f000 | 0x63 | 1 << 63);
    tables.set(0x7ffd_e000, 2, 0x2000 | 0x67);
    let dump = open32(&tables, 1);
    for (gva, gpa, page_size) in [
        (HEAD32, 0x0100_0a40, PageSize::Size4K),
        (0x8061_2345, 0x0461_2345, PageSize::Size2M),
        (0xffff_ffff, 0xf_ffff_ffff, PageSize::Size4K),
        (0x7ffd_efff, 0x2fff, PageSize::Size4K),
    ] {
        let found = translate(&dump, gva).unwrap();
        assert_eq!(
            (found.gpa, found.page_size),
            (Gpa::new(gpa), page_size),
            "{gva:#x}"
        );
    }
    let mut tables = x86();
    tables.place(HEAD32, 0x1000, 0x63, b"head");
    tables.set(0x8040_0000, 0, 0x1240_0000 | 0x63 | LARGE);
    // PSE-36: bits 13 to 20 are bits 32 to 39 of the address.
    tables.set(0x8080_0000, 0, 0x1240_0000 | 0x5a << 13 | 0x63 | LARGE);
    tables.set(0xffff_f000, 1, 0xffff_f000 | 0x63);
    let dump = open32(&tables, 0);
    for (gva, gpa, page_size) in [
        (HEAD32, 0x0100_0a40, PageSize::Size4K),
        (0x807f_ffff, 0x127f_ffff, PageSize::Size4M),
        (0x8092_3456, 0x5a_1252_3456, PageSize::Size4M),
        (0xffff_ffff, 0xffff_ffff, PageSize::Size4K),
    ] {
        let found = translate(&dump, gva).unwrap();
        assert_eq!(
            (found.gpa, found.page_size),
            (Gpa::new(gpa), page_size),
            "{gva:#x}"
        );
    }
    for gva in [1 << 32, 0xffff_ffff_8193_2a40] {
        assert_eq!(
            translate(&dump, gva).unwrap_err().id(),
            "non-canonical",
            "{gva:#x}"
        );
    }
    // A read across the last address does not go on at the first.
    let mut bytes = [0; 8];
    let error = dump
        .kernel_space()
        .cursor()
        .read(Gva::new(0xffff_fffc), &mut bytes)
        .unwrap_err();
    assert_eq!(error.id(), "not-in-dump");
}

#[test]
fn x86_entries_that_are_not_present_say_why() {
    for (entry, state) in [
        (0, NotPresentKind::Zero),
        (0x80, NotPresentKind::DemandZero),
        (0x0001_2080, NotPresentKind::PageFile),
        (0x8a12_3400, NotPresentKind::Prototype),
        (0x8a12_3c00, NotPresentKind::Prototype),
    ] {
        let mut tables = x86();
        tables.set(HEAD32, 1, entry);
        let ReadError::NotPresent {
            state: found, level, ..
        } = translate(&open32(&tables, 0), HEAD32).unwrap_err()
        else {
            panic!("{entry:#x}")
        };
        assert_eq!((found, level), (state, Level::Pte), "{entry:#x}");
    }
    let mut tables = x86();
    tables.set(HEAD32, 1, 0x0123_4880);
    let found = translate(&open32(&tables, 0), HEAD32).unwrap();
    assert_eq!((found.gpa, found.transition), (Gpa::new(0x123_4a40), true));
    for (entry, state) in [
        (0x80, NotPresentKind::DemandZero),
        (0x1_0000_0080, NotPresentKind::PageFile),
        (0xffff_ffff_0000_0400, NotPresentKind::Prototype),
    ] {
        let mut tables = pae();
        tables.set(HEAD32, 2, entry);
        let error = translate(&open32(&tables, 1), HEAD32).unwrap_err();
        let text = error.to_string();
        let ReadError::NotPresent { state: found, .. } = error else {
            panic!("{entry:#x}")
        };
        assert_eq!(found, state, "{entry:#x}");
        // Eight digits, as addresses of 32 bits have.
        assert_eq!(text.split_once(": ").unwrap().0, format!("{HEAD32:08x}"));
    }
}

#[test]
fn the_four_entries_of_a_pae_root_are_aligned_to_32_bytes_only() {
    let mut tables = pae();
    tables.place(HEAD32, 0x1000, 0x63, b"head");
    // The same four entries further down the page, as Windows packs those of all processes.
    let root = tables.world.root * PAGE;
    for slot in 0..4 {
        let entry = tables.read(root + slot * 8);
        tables.write(root + 0xfe0 + slot * 8, entry);
        tables.write(root + slot * 8, 0);
    }
    let dump = open32(&tables, 1);
    let gva = Gva::new(HEAD32);
    assert_eq!(
        dump.kernel_space().translate(gva).unwrap_err().id(),
        "not-present"
    );
    let space = dump.space(root + 0xfe0);
    assert_eq!(space.root(), Gpa::new(root + 0xfe0));
    assert_eq!(space.translate(gva).unwrap().gpa, Gpa::new(0x100_0a40));
}

/// Situation: PaeEnabled was never written and holds a letter of the filler.
#[test]
fn tables_of_x86_are_told_by_what_must_be_mapped() {
    for mut tables in [pae(), x86()] {
        let links = [HEAD32 as u32, HEAD32 as u32].map(u32::to_le_bytes).concat();
        tables.place(HEAD32, 0x1000, 0x63, &links);
        let dump = open32(&tables, b'P');
        assert_eq!(dump.header().pae_enabled, None);
        assert_eq!(translate(&dump, HEAD32).unwrap().gpa, Gpa::new(0x100_0a40));
    }
}

#[test]
fn arm64_blocks_pages_and_tables_are_told_by_their_low_bits() {
    const FOUR: &[(u32, u32)] = &[(39, 9), (30, 9), (21, 9), (12, 9)];
    let head = 0xffff_f807_1932_0a40;
    let mut tables = Tables::new(FOUR, 8, 0x703);
    // UXN, PXN and software bits are no part of the address.
    tables.place(head, 0x1000, 0x0060_0000_0000_0703, &empty(head));
    tables.set(0xffff_f800_0020_0000, 2, 0x460_0000 | 0x701);
    tables.set(0xffff_f800_4000_0000, 1, 0x8000_0000 | 0x701);
    tables.set(0x7ff6_1234_5000, 3, 0x0003_ffff_ffff_f000 | 0x703 | 0x78 << 52);
    tables.set(0xffff_f800_8000_1000, 3, 0x166b_7000 | 0x880);
    tables.set(0xffff_f800_8000_2000, 3, 0x166b_7000 | 0xc80);
    tables.set(0xffff_f800_8000_3000, 3, 0x166b_7000 | 0x701);
    tables.set(0xffff_ff00_0000_0000, 0, 0x166b_7000 | 0x701);
    tables.world.patch_u32(0x30, 0xaa64);
    tables.world.patch_u64(0x28, head);
    tables.world.patch_u32(0x348, 0x0040_0007);
    tables.world.patch_u64(0x448, 0xffff_8286_2a00_0120);
    tables.world.patch_u64(0x450, 0xffff_f807_1930_1234);
    let dump = open(&tables.world);
    assert_eq!(dump.header().machine, Machine::Arm64);
    let context = dump.header().context.unwrap();
    assert_eq!(
        (context.flags, context.rsp, context.rip),
        (
            0x0040_0007,
            Gva::new(0xffff_8286_2a00_0120),
            Gva::new(0xffff_f807_1930_1234)
        )
    );
    assert_eq!(dump.notes(), []);
    for (gva, gpa, page_size) in [
        (head, 0x0100_0a40, PageSize::Size4K),
        (0xffff_f800_0023_4567, 0x0463_4567, PageSize::Size2M),
        (0xffff_f800_4123_4567, 0x8123_4567, PageSize::Size1G),
        (0x7ff6_1234_5678, 0x0003_ffff_ffff_f678, PageSize::Size4K),
    ] {
        let found = translate(&dump, gva).unwrap();
        assert_eq!(
            (found.gpa, found.page_size),
            (Gpa::new(gpa), page_size),
            "{gva:#x}"
        );
    }
    let found = translate(&dump, 0xffff_f800_8000_1123).unwrap();
    assert_eq!((found.gpa, found.transition), (Gpa::new(0x166b_7123), true));
    for (gva, level, state) in [
        (0xffff_f800_8000_2000, Level::Pte, NotPresentKind::Prototype),
        (0xffff_f800_8000_3000, Level::Pte, NotPresentKind::Reserved),
        (0xffff_ff00_0000_0000, Level::Pml4e, NotPresentKind::Reserved),
    ] {
        let ReadError::NotPresent {
            level: at,
            state: found,
            ..
        } = translate(&dump, gva).unwrap_err()
        else {
            panic!("{gva:#x}")
        };
        assert_eq!((at, found), (level, state), "{gva:#x}");
    }
    assert_eq!(
        translate(&dump, 0x0001_0000_0000_0000).unwrap_err().id(),
        "non-canonical"
    );
}

#[test]
fn a_table_of_x86_that_is_not_in_the_dump_is_told() {
    let mut tables = pae();
    tables.place(HEAD32, 0x1000, 0x63, b"head");
    let entry = tables.entry_at(HEAD32, 1);
    let table = tables.read(entry) / PAGE;
    tables.world.frames.remove(&table);
    let error = translate(&open32(&tables, 1), HEAD32).unwrap_err();
    assert!(
        matches!(
            error,
            ReadError::NotInDump {
                what: FrameUse::Table(Level::Pte),
                ..
            }
        ),
        "{error}"
    );
}
