//! Any bytes as a saved state of Hyper-V or VirtualBox or a hibernation file: tables, sets, units, pages that have to be
//! unpacked.
#![no_main]

use kdump::{Dump, DumpKind, Gpa, Pfn};
use libfuzzer_sys::fuzz_target;
use synth::container::{hyper_v, virtualbox};

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
    if data.starts_with(b"\x7fVirtualBox SavedState V") {
        return mend_units(data);
    }
    if !data.starts_with(b"\x14\x20\x28\x01") {
        return;
    }
    for at in [0, 0x1000] {
        if let Some(header) = data.get_mut(at..at + 0x2e) {
            hyper_v::sum(header, 4);
        }
    }
    let log = data.get(0x101a..0x1022).map(|log| log.try_into().unwrap());
    let log = log.and_then(|log| usize::try_from(u64::from_le_bytes(log)).ok());
    let end = log.and_then(|log| log.checked_add(0x22));
    if let (Some(log), Some(end)) = (log, end)
        && let Some(header) = data.get_mut(log..end)
    {
        hyper_v::sum(header, 4);
    }
}

/// The same of a saved state of VirtualBox: headers that look like ones of units get their place and their checksum.
fn mend_units(data: &mut [u8]) {
    let starts = data.windows(8).enumerate();
    let units: Vec<usize> = starts
        .filter(|(_, bytes)| matches!(*bytes, b"\nUnit\n\0\0" | b"\nTheEnd\0"))
        .map(|(at, _)| at)
        .collect();
    for at in units {
        let name = data.get(at + 0x28).copied().unwrap_or_default();
        if let Some(header) = data.get_mut(at..at + 0x2c + usize::from(name)) {
            header[8..0x10].copy_from_slice(&(at as u64).to_le_bytes());
            virtualbox::sum(header, 0x14);
        }
    }
}
