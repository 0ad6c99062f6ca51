//! Any bytes as a saved state of Hyper-V or a hibernation file: tables, sets, pages that have to be unpacked.
#![no_main]

use kdump::{Dump, DumpKind, Gpa, Pfn};
use libfuzzer_sys::fuzz_target;
use synth::container::hyper_v::sum;

/// Runs looked at in one input.
const MAX_RUNS: usize = 64;

fuzz_target!(|data: &[u8]| {
    let mut data = data.to_vec();
    mend(&mut data);
    let len = data.len() as u64;
    let Ok(dump) = Dump::from_bytes("fuzz.sys", data) else {
        return;
    };
    if !matches!(dump.header().kind, DumpKind::Image(_)) {
        return;
    }
    let coverage = dump.coverage();
    assert_eq!(coverage.claimed, coverage.present + coverage.missing);
    std::hint::black_box(dump.notes());
    let mut end = 0;
    for (number, run) in dump.runs().take(MAX_RUNS).enumerate() {
        let base = run.base.u64();
        assert!(number == 0 || base >= end, "runs ascend");
        assert_ne!(run.count, 0);
        end = base + run.count;
        for pfn in [base, end - 1] {
            let place = dump.frame(Pfn::from(pfn));
            let mut page = [0; 0x1000];
            let whole = dump.read_physical(Gpa::new(pfn << 12), &mut page);
            assert!(place.is_ok() || whole.is_err());
            if let Some(at) = place.ok().and_then(|place| place.in_file()) {
                assert!(at + 0x1000 <= len);
            }
            // Read again it is the same, and so is its last byte alone.
            let mut last = [0];
            let part = dump.read_physical(Gpa::new((pfn << 12) + 0xfff), &mut last);
            assert_eq!(part.is_ok(), whole.is_ok());
            assert!(whole.is_err() || last[0] == page[0xfff]);
        }
    }
    assert!(dump.frame(Pfn::from(u64::MAX >> 12)).is_err());
});

/// Makes the checksums of a saved state right where its headers lead, so that an input gets further than to these.
fn mend(data: &mut [u8]) {
    if !data.starts_with(b"\x14\x20\x28\x01") {
        return;
    }
    for at in [0, 0x1000] {
        if let Some(header) = data.get_mut(at..at + 0x2e) {
            sum(header, 4);
        }
    }
    let log = data.get(0x101a..0x1022).map(|log| log.try_into().unwrap());
    let log = log.and_then(|log| usize::try_from(u64::from_le_bytes(log)).ok());
    let end = log.and_then(|log| log.checked_add(0x22));
    if let (Some(log), Some(end)) = (log, end)
        && let Some(header) = data.get_mut(log..end)
    {
        sum(header, 4);
    }
}
