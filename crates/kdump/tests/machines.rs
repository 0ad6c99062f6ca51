//! Page tables of every machine: five levels, x86 with and without PAE, ARM64.
#![allow(missing_docs, clippy::cast_possible_truncation, clippy::precedence)]

mod common;

use common::{LARGE, PAGE, World};
use kdump::{Dump, Gpa, Gva, Level, NotPresentKind, PageSize, ReadError, TranslateError, Translation};

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
            gva: Gva::new(gva),
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
