//! Memory that the walks take, counted by the allocator: in proportion to the file, whatever leads to what in it.
//!
//! A binary of its own, for the allocator counts what the whole process has; its one test runs alone.
#![allow(missing_docs)]

use alpc::CONTRACT;
use alpc::{Kernel, wait};
use kdump::{Dump, Gva};
use ntlayout::{Pdb, SymbolTable};
use peak_alloc::PeakAlloc;
use synth::dump::Kind;
use synth::world::Built;
use synth::worlds::{self, bombs, hang};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

const KERNEL: &str = "win10-2004-x64";

/// What ARCHITECTURE.md states: bytes of memory for each byte of the file, and beside that.
const FACTOR: usize = 12;
const BESIDE: usize = 8 << 20;

/// A way through the whole system, and its name.
type Walk = (&'static str, fn(&Kernel<'_>));

const WALKS: [Walk; 8] = [
    ("ports", |kernel| {
        let all = alpc::port::enumerate::ports(kernel);
        alpc::report::portlist::lines(kernel, &all.ports).for_each(drop);
    }),
    ("graph of ports", |kernel| {
        let all = alpc::port::enumerate::ports(kernel);
        drop(alpc::port::connection::graph(kernel, &all.ports));
    }),
    ("processes", |kernel| drop(alpc::process::all(kernel))),
    ("threads", |kernel| {
        let Ok(_) = alpc::port::receiver::each_process(kernel, |process| {
            drop(process);
            Ok::<(), std::convert::Infallible>(())
        });
    }),
    ("waits", |kernel| drop(wait::waits(kernel))),
    ("hang", |kernel| drop(alpc::report::triage::summary(kernel))),
    ("global", |kernel| drop(alpc::report::global::global(kernel))),
    ("analyze", |kernel| {
        drop(alpc::report::analyze::analyze(kernel, None));
    }),
];

/// What a walk takes at most beside what was there before it.
fn peak(kernel: &Kernel<'_>, walk: fn(&Kernel<'_>)) -> usize {
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    walk(kernel);
    MEMORY.peak_usage().saturating_sub(before)
}

#[test]
fn memory_is_in_proportion_to_the_file() {
    let worlds: [(&str, Built); 15] = [
        ("long paths", bombs::long_paths(KERNEL)),
        ("long names", bombs::long_names(KERNEL)),
        ("long parent", bombs::long_parent(KERNEL)),
        ("waits at a long name", bombs::waits_at_long_name(KERNEL)),
        ("handle leaves", bombs::handle_leaves(KERNEL)),
        ("message leaves", bombs::message_leaves(KERNEL)),
        ("one handle table", bombs::one_handle_table(KERNEL)),
        ("one chain", bombs::one_chain(KERNEL)),
        ("one port everywhere", bombs::one_port_everywhere(KERNEL)),
        ("many handles", bombs::many_handles(KERNEL)),
        ("one stack", bombs::one_stack(KERNEL)),
        ("one wait list", bombs::one_wait_list(KERNEL)),
        ("standard", worlds::standard(KERNEL)),
        ("many ports", hang::many_ports(KERNEL, 2000).built),
        (
            "terminal server",
            hang::terminal_server("vista-sp2-x64", 50, 1000, 2500).built,
        ),
    ];
    for (name, world) in worlds {
        let bytes = world.dump(Kind::BitmapKernel);
        let most = BESIDE + FACTOR * bytes.len();
        let size = bytes.len();
        let dump = Dump::from_bytes("memory.dmp", bytes).unwrap();
        let pdb = Pdb::from_bytes("ntkrnlmp.pdb", world.pdb()).unwrap();
        let layout = pdb.resolve(&CONTRACT).unwrap();
        for (what, walk) in WALKS {
            let kernel = alpc::kernel(&dump, Gva::new(world.truth.kernel_base.0), layout.clone());
            let taken = peak(&kernel, walk);
            if std::env::var_os("SHOW_BOUNDS").is_some() {
                println!(
                    "{name} | {size} | {what} | {taken} | {:.1}",
                    taken as f64 / size as f64
                );
            }
            assert!(
                taken <= most,
                "{name}: {what} takes {taken} bytes for a file of {size}"
            );
        }
    }
}
