//! A system with memory that the input overwrites, whose symbols are unknown: the layout that explains it, and what is
//! found by that.
#![no_main]

use std::hint::black_box;
use std::sync::LazyLock;

use alpc::CONTRACT;
use alpc::locate::choice::{Known, choose};
use alpc::port::enumerate;
use alpc_dump_fuzz::case::with_overwritten_world;
use libfuzzer_sys::fuzz_target;
use ntlayout::{Layout, Processor};

/// The layouts of 64-bit and of 32-bit kernels.
static LAYOUTS: LazyLock<[Vec<Layout>; 2]> = LazyLock::new(|| {
    [Processor::X64, Processor::X86].map(|processor| {
        let tables = ntlayout::distinct_built_in(processor).into_iter();
        tables.filter_map(|table| table.resolve(&CONTRACT).ok()).collect()
    })
});

fuzz_target!(|data: &[u8]| {
    with_overwritten_world(data, |kernel, _| {
        let layouts = &LAYOUTS[usize::from(kernel.pointer_size() == 4)];
        let (dump, base) = (kernel.dump(), kernel.base());
        let Ok((layout, choice)) = choose(dump, base, layouts, &Known::default()) else {
            return;
        };
        assert_eq!(choice.tried, layouts.len());
        assert!((1..=choice.tried).contains(&choice.explained_by.len()));
        let left_out: usize = choice.excluded.iter().map(|excluded| excluded.layouts).sum();
        assert_eq!(left_out + choice.explained_by.len(), choice.tried, "{choice:?}");
        assert!(
            choice.checked >= choice.passed + choice.contradicted,
            "{choice:?}"
        );
        let chosen = alpc::kernel(dump, base, layout);
        black_box(format!("{:?}", chosen.derived_globals()));
        black_box(format!("{:?}", enumerate::ports(&chosen)));
    });
});
