//! The published case with memory that the input overwrites: every walk over the whole system.
#![no_main]

use std::hint::black_box;

use alpc::{report::analyze, report::global};
use alpc_dump_fuzz::case::with_overwritten;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    with_overwritten(data, |kernel| {
        black_box(format!("{:?}", global::global(kernel)));
        black_box(format!(
            "{:?}",
            analyze::analyze(kernel, Some(&kdump::Progress::default()))
        ));
    });
});
