//! Any bytes as a file with packed memory of a machine: opening it, which looks for a kernel in what it holds.
#![no_main]

use kdump::{Dump, Gpa, Pfn};
use libfuzzer_sys::fuzz_target;

/// Headers that the first byte chooses from, so that every form is reached.
const MAGICS: [&[u8]; 4] = [
    b"KDUMP   ",
    b"makedumpfile\0\0\0\0",
    b"AVML\x02\0\0\0",
    b"EMiL\x01\0\0\0",
];

fuzz_target!(|data: &[u8]| {
    let Some((&choice, rest)) = data.split_first() else {
        return;
    };
    let mut file = rest.to_vec();
    let magic = MAGICS[usize::from(choice) % MAGICS.len()];
    if let Some(start) = file.get_mut(..magic.len()) {
        start.copy_from_slice(magic);
    }
    let Ok(dump) = Dump::from_bytes("fuzz", file) else {
        return;
    };
    let coverage = dump.coverage();
    assert_eq!(coverage.claimed, coverage.present + coverage.missing);
    let mut end = 0;
    for (number, run) in dump.runs().take(256).enumerate() {
        let base = run.base.u64();
        assert!(number == 0 || base >= end, "runs ascend");
        assert_ne!(run.count, 0);
        end = base + run.count;
        let mut page = [0; 0x1000];
        if dump.read_physical(Gpa::new(base << 12), &mut page).is_ok() {
            assert!(dump.frame(Pfn::from(base)).is_ok());
        }
    }
});
