//! A machine whose page tables and memory the input writes: translations, reads, strings, the kernel's image.
#![no_main]

use alpc_dump_fuzz::machine::{Asked, Form, Machine};
use alpc_dump_fuzz::walk::{self, Gap};
use kdump::{Cursor, Dump, Gva, ReadError};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let machine = Machine::follow(data);
    let dump = Dump::from_bytes("fuzz.dmp", machine.file.clone()).expect("the machine has a valid header");
    let walked = dump.kernel_space().cursor();
    for &asked in &machine.asked {
        check(&machine, &dump, &walked, asked);
    }
    let _ = kdump::debugger_data(&dump);
    // The search for the image looks at 16,384 pages: only where the input cares.
    if data.len() % 64 == 63 {
        let _ = kdump::kernel_image(&dump);
    } else if let Some(asked) = machine.asked.first() {
        let _ = kdump::image_at(&walked, Gva::new(asked.gva));
    }
});

fn check(machine: &Machine, dump: &Dump, walked: &Cursor<'_>, Asked { gva, len }: Asked) {
    let form = form(machine, dump);
    let translated = dump.kernel_space().translate(Gva::new(gva));
    match (&translated, walk::translate(machine, form, gva)) {
        (Ok(translation), Ok(gpa)) => assert_eq!(translation.gpa.u64(), gpa, "{gva:#x}"),
        (Err(error), Err(gap)) => assert_eq!(gap_of(error), gap, "{gva:#x}: {error}"),
        (ours, second) => panic!("{gva:#x}: {ours:?}, second reading {second:?}"),
    }

    let mut bytes = vec![0; len];
    let partial = walked.read_partial(Gva::new(gva), &mut bytes);
    assert_eq!(partial.stopped.is_none(), partial.read == len);
    for (at, &byte) in bytes[..partial.read].iter().enumerate() {
        if at == 0 || at + 1 == partial.read || (gva + at as u64) & 0xfff < 2 {
            assert_eq!(walk::byte(machine, form, gva + at as u64), Ok(byte));
        }
    }
    if partial.read < len
        && let Some(next) = gva.checked_add(partial.read as u64)
    {
        assert!(walk::byte(machine, form, next).is_err(), "{next:#x} is readable");
    }
    // A cursor that remembers nothing reads the same.
    let fresh = dump.kernel_space().cursor();
    let mut again = vec![0; len];
    assert_eq!(fresh.read_partial(Gva::new(gva), &mut again), partial);
    assert_eq!(again[..partial.read], bytes[..partial.read]);
    match walked.bytes(Gva::new(gva), len) {
        Ok(borrowed) => assert_eq!(&*borrowed, bytes),
        Err(_) => assert!(partial.stopped.is_some()),
    }
    if let Ok(string) = walked.unicode_string(Gva::new(gva)) {
        let units = usize::from(string.length / 2);
        assert!(string.units.len() <= units);
        assert!(string.stopped.is_some() || string.units.len() == units);
        let _ = string.to_string_lossy();
    }
    for size in [1, 2, 3, 4, 8] {
        let _ = walked.uint(Gva::new(gva), size);
    }
}

/// The form of the tables. That x64 has five levels is found out by trying, and may be either in an input that maps the
/// header's lists both ways.
fn form(machine: &Machine, dump: &Dump) -> Form {
    match (machine.form, dump.kernel_space().address_bits()) {
        (Form::X64 | Form::La57, 48) => Form::X64,
        (Form::X64 | Form::La57, 57) => Form::La57,
        (form @ (Form::Pae | Form::X86), 32) | (form @ Form::Arm64, 48) => form,
        (form, bits) => panic!("{bits} bits of an address of {form:?}"),
    }
}

fn gap_of(error: &ReadError) -> Gap {
    match error {
        ReadError::NonCanonical { .. } => Gap::NonCanonical,
        ReadError::NotPresent { .. } => Gap::NotPresent,
        _ => Gap::NotInFile,
    }
}
