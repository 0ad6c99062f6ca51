//! Any bytes as a dump file: opening, the header, the index, physical reads; the pieces of a triage dump.
#![no_main]

use kdump::{Cursor, Dump, DumpKind, FrameError, Gpa, Gva, Pfn, Triage};
use libfuzzer_sys::fuzz_target;

/// Runs and frames looked at in one input: a bitmap of a few pages has many thousand.
const MAX_RUNS: usize = 256;

fuzz_target!(|data: &[u8]| {
    let Ok(dump) = Dump::from_bytes("fuzz.dmp", data.to_vec()) else {
        return;
    };
    // Pages of these may have to be unpacked; they have a target of their own.
    if matches!(dump.header().kind, DumpKind::Image(_)) {
        return;
    }
    let coverage = dump.coverage();
    assert_eq!(coverage.claimed, coverage.present + coverage.missing);
    assert!(coverage.present <= data.len() as u64 / 0x1000);
    std::hint::black_box((format!("{:?}", dump.header()), dump.notes()));

    let mut pages = 0u64;
    let mut end = 0;
    let mut runs = 0;
    for run in dump.runs().take(MAX_RUNS) {
        let base = run.base.u64();
        assert!(runs == 0 || base >= end, "runs ascend");
        assert_ne!(run.count, 0);
        end = base + run.count;
        for pfn in [base, base + run.count / 2, end - 1] {
            check_frame(&dump, data, pfn);
        }
        if base > 0 {
            check_read(&dump, (base << 12) - 9, 0x1010);
        }
        check_read(&dump, (base << 12) + 0xfff, 0x2002);
        pages += run.count;
        runs += 1;
    }
    if runs < MAX_RUNS {
        assert_eq!(pages, coverage.claimed, "the runs are all pages");
    }
    for pfn in [0, 1, end, u64::MAX >> 12, u64::MAX] {
        let _ = dump.frame(Pfn::from(pfn));
    }
    let mut byte = [0];
    assert!(dump.read_physical(Gpa::new(u64::MAX), &mut byte).is_err());
    let _ = kdump::debugger_data(&dump);
    check_secondary(&dump, data.len() as u64);
    if let Some(triage) = dump.triage() {
        check_triage(&dump, triage);
    }
});

/// Pieces of secondary data ascend behind the memory, and of each no more is there than the file holds.
fn check_secondary(dump: &Dump, file_len: u64) {
    let found = kdump::secondary_data(dump).expect("a file in memory can be read");
    let mut end = 0x1000;
    for blob in found.into_iter().flat_map(|found| found.blobs) {
        assert!(blob.offset.0 >= end && blob.present <= blob.size);
        end = blob.offset.0 + blob.present;
        assert!(end <= file_len);
    }
}

/// A frame of a run has its page in the file, or would have it behind the file's end.
fn check_frame(dump: &Dump, data: &[u8], pfn: u64) {
    match dump.frame(Pfn::from(pfn)) {
        Ok(offset) => {
            let at = usize::try_from(offset.0).unwrap();
            let mut page = [0; 0x1000];
            dump.read_physical(Gpa::new(pfn << 12), &mut page).unwrap();
            assert_eq!(page, data[at..at + 0x1000]);
        }
        Err(FrameError::OutOfFile { offset, .. }) => {
            assert!(offset.saturating_add(0x1000) > data.len() as u64)
        }
        Err(error) => panic!("frame {pfn:#x} of a run: {error}"),
    }
}

/// A read over several pages gives what reading byte by byte gives, or fails where that fails.
fn check_read(dump: &Dump, gpa: u64, len: usize) {
    let mut bytes = vec![0; len];
    let whole = dump.read_physical(Gpa::new(gpa), &mut bytes);
    let borrowed = dump.physical_bytes(Gpa::new(gpa), len);
    assert_eq!(whole.is_ok(), borrowed.is_ok());
    if let Ok(borrowed) = borrowed {
        assert_eq!(&*borrowed, bytes);
    }
    let pages = (0..len).filter(|at| *at == 0 || *at == len - 1 || (gpa + *at as u64) & 0xfff == 0);
    let mut all = true;
    for at in pages {
        let mut byte = [0];
        match dump.read_physical(Gpa::new(gpa + at as u64), &mut byte) {
            Ok(()) if whole.is_ok() => assert_eq!(byte[0], bytes[at]),
            Ok(()) => {}
            Err(_) => all = false,
        }
    }
    assert_eq!(all, whole.is_ok());
}

/// The pieces ascend and do not overlap; a read over them gives what reading byte by byte gives.
fn check_triage(dump: &Dump, triage: &Triage) {
    let (claimed, present) = triage.bytes();
    assert!(present <= claimed);
    assert!(triage.modules().len() as u64 <= triage.claimed_modules());
    let cursor = dump.kernel_space().cursor();
    let mut end = 0;
    for (number, (gva, len)) in triage.blocks().enumerate() {
        assert!(len != 0 && gva.u64() >= end, "blocks ascend");
        end = gva.u64().checked_add(len).expect("a block ends");
        if number < MAX_RUNS {
            check_piece(&cursor, gva.u64(), 0x2010.min(len as usize + 8));
            check_piece(&cursor, end.saturating_sub(5), 9);
        }
    }
    let _ = kdump::kernel_image(dump);
    std::hint::black_box((
        triage.thread(),
        triage.process(),
        triage.kernel_base(),
        format!("{triage:?}"),
    ));
}

fn check_piece(cursor: &Cursor<'_>, gva: u64, len: usize) {
    let mut bytes = vec![0; len];
    let partial = cursor.read_partial(Gva::new(gva), &mut bytes);
    assert_eq!(partial.stopped.is_none(), partial.read == len);
    for (at, &byte) in bytes[..partial.read]
        .iter()
        .enumerate()
        .filter(|(at, _)| at % 61 == 0)
    {
        assert_eq!(cursor.u8(Gva::new(gva + at as u64)), Ok(byte));
    }
    if let Some(next) = gva
        .checked_add(partial.read as u64)
        .filter(|_| partial.read < len)
    {
        assert!(cursor.u8(Gva::new(next)).is_err());
    }
    match cursor.bytes(Gva::new(gva), len) {
        Ok(borrowed) => assert_eq!(&*borrowed, bytes),
        Err(_) => assert!(partial.stopped.is_some()),
    }
}
