//! What an independent reader, kdmp-parser, makes of the dumps: every page, every translation.

mod plain;

use std::io::Cursor;

use kdmp_parser::gxa::{Gpa, Gva, Gxa};
use kdmp_parser::parse::KernelDumpParser;
use kdmp_parser::{phys, virt};
use plain::Plain;
use synth::address::{PAGE_SIZE, Pfn, Va};
use synth::dump::{self, Header, Kind};
use synth::machine::Machine;
use synth::memory::{Backing, PageSize, VirtualMemory};
use synth::paging::{self, Frames, Mapped};
use synth::physical::{PhysicalMemory, Run};
use synth::worlds;

/// The kinds that kdmp-parser reads; nobody but us reads kind 2.
const KINDS: [Kind; 6] = [
    Kind::Full,
    Kind::BitmapFull,
    Kind::BitmapKernel,
    Kind::KernelRanges,
    Kind::KernelUserRanges,
    Kind::CompleteRanges,
];

fn parse(dump: Vec<u8>) -> KernelDumpParser {
    KernelDumpParser::with_reader(Cursor::new(dump)).unwrap()
}

#[test]
fn every_page_is_where_another_reader_looks() {
    for kernel in ["vista-sp2-x64", "win10-2004-x64"] {
        let built = worlds::standard(kernel);
        let mapped = built.map();
        for kind in KINDS {
            let parser = parse(built.dump(kind));
            let physical = phys::Reader::new(&parser);
            for (frame, page) in mapped.memory.frames() {
                let mut read = [0; 0x1000];
                let left_out = kind.kernel_only() && mapped.user_frames.contains(&frame);
                let result = physical.read_exact(Gpa::new(frame.address()), &mut read);
                assert_eq!(result.is_ok(), !left_out, "{kernel} {kind:?} {frame:?}");
                assert!(left_out || read == *page, "{kernel} {kind:?} {frame:?}");
            }
        }
    }
}

#[test]
fn every_page_of_a_world_is_translated() {
    let built = worlds::standard_with("win11-22h2-x64", |world| world.map_image_with_large_pages());
    let mapped = built.map();
    for kind in KINDS {
        let parser = parse(built.dump(kind));
        let reader = virt::Reader::new(&parser);
        for (address, page) in built.memory.pages() {
            let mut read = [0; 0x1000];
            reader.read_exact(Gva::new(address.0), &mut read).unwrap();
            assert!(read == *page, "{kind:?} {address}");
            let translated = reader.translate(Gva::new(address.0)).unwrap();
            assert_eq!(translated.gpa().u64(), mapped.frames[&address].address());
        }
    }
}

#[test]
fn another_reader_finds_modules_and_header() {
    let built = worlds::standard("win10-1809-x64");
    let parser = parse(built.dump(Kind::BitmapKernel));
    let header = parser.headers();
    assert_eq!(header.bug_check_code, 0xe2);
    assert_eq!({ header.minor_version }, 17763);
    assert_eq!(header.number_processors, 4);
    let mut modules: Vec<(u64, u64, &str)> = parser
        .kernel_modules()
        .map(|(range, name)| (range.start.u64(), range.end.u64(), name))
        .collect();
    modules.sort_unstable();
    let told: Vec<(u64, u64, &str)> = built
        .truth
        .modules
        .iter()
        .map(|module| {
            (
                module.base.0,
                module.base.0 + u64::from(module.size),
                module.path.as_str(),
            )
        })
        .collect();
    let names = |all: &[(u64, u64, &str)]| all.iter().map(|m| (m.0, m.1)).collect::<Vec<_>>();
    assert_eq!(names(&modules), names(&told));
    assert_eq!(parser.context_record().rip, built.header.rip.0);
    assert_eq!(parser.context_record().rsp, built.header.rsp.0);
}

/// One region of each page size, pages that cross nothing, and one entry of each sort.
fn mixed_memory() -> VirtualMemory {
    let mut memory = VirtualMemory::new();
    memory.map_with(
        Va(0xffff_f800_0020_0000),
        2 * PageSize::Large.bytes(),
        PageSize::Large,
    );
    memory.map_with(Va(0xffff_f900_4000_0000), PageSize::Huge.bytes(), PageSize::Huge);
    for (address, mark) in [
        (0xffff_f800_0020_0000, 1),
        (0xffff_f800_0020_5ff8, 2),
        (0xffff_f800_003f_f000, 3),
        (0xffff_f800_0040_0008, 4),
        (0xffff_f900_4000_0000, 5),
        (0xffff_f900_5234_5678, 6),
        (0xffff_fa80_0000_0ff8, 7),
        (0xffff_fa80_0000_1000, 8),
        (0xffff_fa80_0000_2000, 9),
        (0xffff_8000_0000_0000, 10),
        (0xffff_ffff_ffff_f000, 11),
    ] {
        memory.write(Va(address), &u64::to_le_bytes(mark));
    }
    for (i, backing) in [
        Backing::Transition,
        Backing::PageFile,
        Backing::DemandZero,
        Backing::Prototype,
        Backing::LeftOut,
    ]
    .into_iter()
    .enumerate()
    {
        let page = Va(0xffff_fb00_0000_0000 + u64::try_from(i).unwrap() * PAGE_SIZE);
        memory.write(page, b"page");
        memory.set_backing(page, backing);
    }
    memory
}

fn map_mixed(memory: &VirtualMemory) -> (Mapped, Header) {
    let top = Pfn(0x1ad);
    let mapped = paging::build(Machine::X64, top, memory, &[], &mut Frames::new(3, Pfn(0x300)));
    let machine = Run {
        base: Pfn(1),
        count: 0x8_0000,
    };
    let mut header = Header::x64(19041, vec![machine]);
    // What the processor keeps in the low bits is not part of the address.
    header.directory_table_base = top.address() | 2;
    (mapped, header)
}

#[test]
fn pages_of_every_size_are_translated() {
    let memory = mixed_memory();
    let (mapped, header) = map_mixed(&memory);
    for kind in KINDS {
        let bytes = dump::write(kind, &header, &mapped.memory);
        let plain = Plain::read(&bytes);
        let parser = parse(bytes);
        let (reader, physical) = (virt::Reader::new(&parser), phys::Reader::new(&parser));
        let resident =
            |address: Va| matches!(memory.backing(address), Backing::Resident | Backing::Transition);
        for (address, page) in memory.pages().filter(|(address, _)| resident(*address)) {
            // By its two halves: kdmp-parser 0.8.2 panics on a read that ends with the address space.
            let at = reader.translate(Gva::new(address.0)).unwrap().gpa();
            let mut read = [0; 0x1000];
            physical.read_exact(at, &mut read).unwrap();
            assert!(read == *page, "{kind:?} {address}");
            assert_eq!(
                plain.bytes(address.0, PAGE_SIZE).unwrap(),
                page,
                "{kind:?} {address}"
            );
        }
    }
}

#[test]
fn large_pages_are_contiguous_and_aligned() {
    let memory = mixed_memory();
    let (mapped, _) = map_mixed(&memory);
    let frame = |address: u64| mapped.frames[&Va(address)].0;
    let large = frame(0xffff_f800_0020_0000);
    assert_eq!(large % 0x200, 0);
    assert_eq!(frame(0xffff_f800_0020_5000), large + 5);
    assert_eq!(frame(0xffff_f800_003f_f000), large + 0x1ff);
    assert_ne!(
        frame(0xffff_f800_0040_0000),
        large + 0x200,
        "the next page is elsewhere"
    );
    let huge = frame(0xffff_f900_4000_0000);
    assert_eq!(huge % 0x4_0000, 0);
    assert_eq!(frame(0xffff_f900_5234_5000), huge + 0x1_2345);
}

#[test]
fn small_pages_are_scattered() {
    let mut memory = VirtualMemory::new();
    memory.touch(Va(0xffff_fa80_0000_0000), 64 * PAGE_SIZE);
    let (mapped, _) = map_mixed(&memory);
    let frames: Vec<u64> = mapped.frames.values().map(|frame| frame.0).collect();
    let neighbours = frames.windows(2).filter(|pair| pair[1] == pair[0] + 1).count();
    assert!(neighbours < 8, "{neighbours} of 63 are neighbours");
    assert!(frames.windows(2).any(|pair| pair[1] < pair[0]), "in no order");
}

#[test]
fn entries_that_are_not_valid_are_of_their_sort() {
    let memory = mixed_memory();
    let (mapped, header) = map_mixed(&memory);
    let bytes = dump::write(Kind::BitmapFull, &header, &mapped.memory);
    let plain = Plain::read(&bytes);
    let entry = |i: u64| plain_entry(&plain, 0xffff_fb00_0000_0000 + i * PAGE_SIZE);
    assert_eq!(entry(0) & 0xc01, 0x800, "in transition");
    assert_eq!(
        (entry(1) & 0xc01, entry(1) >> 32 != 0),
        (0, true),
        "in a paging file"
    );
    assert_eq!((entry(2) & 0xc01, entry(2) >> 12), (0, 0), "demand zero");
    assert_eq!(
        entry(3) & 0xc01,
        0xc00,
        "a prototype that looks as if in transition"
    );
    assert_eq!(entry(4) & 1, 1, "valid");
    assert!(
        !plain.pages.contains_key(&(entry(4) >> 12 & 0xf_ffff_ffff)),
        "but not in the dump"
    );
}

fn plain_entry(plain: &Plain, va: u64) -> u64 {
    // Through the self-map, as the kernel itself reaches its page-table entries.
    plain.u64(0xffff_f680_0000_0000 + (va >> 12 & 0xf_ffff_ffff) * 8)
}

/// Neither pages left out nor frames that were removed come back as the filler of a full dump.
#[test]
fn a_full_dump_does_not_fill_what_was_removed() {
    let mut memory = PhysicalMemory::new();
    for frame in [0x10, 0x11, 0x13, 0x20] {
        memory.frame_mut(Pfn(frame))[0] = 1;
    }
    memory.remove(Pfn(0x11));
    let frames: Vec<(u64, u64)> = memory
        .runs_at_most(2)
        .iter()
        .map(|run| (run.base.0, run.count))
        .collect();
    assert_eq!(frames, [(0x10, 1), (0x13, 14)]);
}

#[test]
fn a_process_has_its_own_user_half_and_the_kernels() {
    let built = worlds::standard("win7-sp1-x64");
    let mapped = built.map();
    let parser = parse(built.dump(Kind::BitmapFull));
    let process = built
        .truth
        .processes
        .iter()
        .find(|process| process.pid == 0x3e4)
        .unwrap();
    let reader = virt::Reader::with_dtb(&parser, Gpa::new(process.directory_table.address()));
    let mut read = [0; 8];
    reader
        .read_exact(Gva::new(process.peb.0 + 0x10), &mut read)
        .unwrap();
    assert_eq!(u64::from_le_bytes(read), 0x0040_0000 + 0x3e4 * 0x1_0000);
    reader.read_exact(Gva::new(process.address.0), &mut read).unwrap();
    assert!(mapped.user_frames.len() >= 9);
    assert!(
        virt::Reader::new(&parser)
            .read_exact(Gva::new(process.peb.0), &mut read)
            .is_err()
    );
}
