//! Kernels whose layouts are in no table, derived from those that are. They prove walks and formats, not offsets.

use std::sync::Arc;

use super::{Field, Kernel, Type, assigned};
use crate::machine::Machine;

/// What the source of such a layout begins with.
pub(super) const SOURCE: &str = "derived from";

/// Adds the derived kernels.
pub(super) fn add(kernels: &mut Vec<Kernel>) {
    let of = |kernels: &[Kernel], name: &str| {
        let found = kernels.iter().find(|kernel| kernel.name == name);
        found.expect("a kernel of the extract").clone()
    };
    let la57 = five_levels(of(kernels, "win11-22h2-x64"));
    let arm64 = arm64(of(kernels, "win11-21h2-x64"));
    let grown = grown(of(kernels, "win11-22h2-x64"));
    let shifted = shifted(of(kernels, "win11-22h2-x64"));
    kernels.push(la57);
    kernels.push(arm64);
    kernels.push(grown);
    kernels.push(shifted);
}

/// The x64 kernel for processors with five levels of page tables, `ntkrla57.exe`: the same members, but pointers of
/// 57 bits in the entries of handle tables. `ObjectPointerBits` is at bit 11 there, 53 bits long, by the shift that all
/// its kernels are known to have; what the pointer gains is taken from the reference count before it.
fn five_levels(mut kernel: Kernel) -> Kernel {
    rename(&mut kernel, "win11-22h2-la57-x64", Machine::La57);
    change(&mut kernel, "_HANDLE_TABLE_ENTRY", |entry| {
        for field in &mut entry.fields {
            field.bit = match field.path.as_str() {
                "RefCnt" => Some((1, 7)),
                "Attributes" => Some((8, 3)),
                "ObjectPointerBits" => Some((11, 53)),
                _ => field.bit,
            };
        }
    });
    kernel
}

/// An ARM64 kernel, composed: no complete layout of one is published. ALPC types are those of x64, as far as known
/// the same. Of processes and threads a header of build 21292 tells many places, in a table of layouts that others made
/// (`types-more.json`, arm64/22000): between them everything is moved along.
fn arm64(mut kernel: Kernel) -> Kernel {
    const GONE: u64 = 0x48;
    rename(&mut kernel, "win11-21h2-arm64", Machine::Arm64);
    let pcb = kernel.size("_KPROCESS") - GONE;
    change(&mut kernel, "_KPROCESS", |process| {
        process.size = pcb;
        // An ASID comes behind the page tables.
        let asid = offset(process, "ThreadListHead");
        process
            .fields
            .retain(|field| field.offset + field.bytes + 8 <= pcb);
        move_by(process, asid, 8);
    });
    change(&mut kernel, "_EPROCESS", |process| {
        let far = offset(process, "AlpcContext");
        process.size = 0xc80;
        for field in &mut process.fields {
            match field.path.as_str() {
                "Pcb" => field.bytes = pcb,
                _ if field.offset >= far => field.offset += 0xc0,
                _ => field.offset -= GONE,
            }
        }
    });
    let mut control = 0;
    change(&mut kernel, "_KTHREAD", |thread| {
        let gone = offset(thread, "StateSaveArea");
        thread.fields.retain(|field| field.offset != gone);
        // The switch frame lies in the thread, and VfpState behind it.
        let next_processor = offset(thread, "NextProcessor");
        move_by(thread, next_processor, 0x28);
        let behind = thread.fields.iter_mut().filter(|field| field.offset > gone);
        behind.for_each(|field| field.offset -= 8);
        thread.fields.push(Field {
            path: "SwitchFrame".to_owned(),
            ty: "_KSWITCH_FRAME".to_owned(),
            offset: 0x210,
            bytes: 0x20,
            bit: None,
        });
        thread.size += 0x20;
        control = thread.size;
    });
    change(&mut kernel, "_ETHREAD", |thread| {
        thread.size += 0x20;
        move_by(thread, 1, 0x20);
        let tcb = thread.fields.iter_mut().find(|field| field.path == "Tcb");
        tcb.expect("a member of the extract").bytes = control;
    });
    kernel
}

/// A kernel of one more update: its threads and processes have grown at their ends, as updates made them grow before.
fn grown(mut kernel: Kernel) -> Kernel {
    rename(&mut kernel, "win11-grown-x64", Machine::X64);
    change(&mut kernel, "_ETHREAD", |thread| thread.size += 0x48);
    change(&mut kernel, "_EPROCESS", |process| process.size += 0x80);
    kernel
}

/// A kernel whose threads and processes have something new in the middle.
fn shifted(mut kernel: Kernel) -> Kernel {
    rename(&mut kernel, "win11-shifted-x64", Machine::X64);
    change(&mut kernel, "_KTHREAD", |thread| {
        let state = offset(thread, "State");
        move_by(thread, state, 0x10);
        thread.size += 0x10;
    });
    let control = kernel.size("_KTHREAD");
    change(&mut kernel, "_ETHREAD", |thread| {
        thread.size += 0x10;
        move_by(thread, 1, 0x10);
        let tcb = thread.fields.iter_mut().find(|field| field.path == "Tcb");
        tcb.expect("a member of the extract").bytes = control;
    });
    change(&mut kernel, "_EPROCESS", |process| {
        let id = offset(process, "UniqueProcessId");
        move_by(process, id, 0x18);
        process.size += 0x18;
    });
    kernel
}

/// Moves what is at an offset or behind it.
fn move_by(of: &mut Type, from: u64, by: u64) {
    let behind = of.fields.iter_mut().filter(|field| field.offset >= from);
    behind.for_each(|field| field.offset += by);
}

/// Another kernel than the one that it was derived from: what is derived has no PDB anywhere.
fn rename(kernel: &mut Kernel, name: &str, machine: Machine) {
    kernel.name = name.to_owned();
    kernel.source = format!("{SOURCE} {}", kernel.source);
    kernel.machine = machine;
    kernel.guid = assigned::guid(name);
    kernel.age = assigned::AGE;
    kernel.has_real_symbols = false;
}

fn change(kernel: &mut Kernel, name: &str, how: impl FnOnce(&mut Type)) {
    let found = kernel.types.get_mut(name).expect("a type of the extract");
    how(Arc::make_mut(found));
}

fn offset(of: &Type, path: &str) -> u64 {
    of.field(path).expect("a member of the extract").offset
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_of_arm64_is_where_it_is() {
        let kernel = Kernel::named("win11-21h2-arm64");
        assert_eq!(kernel.size("_EPROCESS"), 0xc80);
        assert_eq!(kernel.size("_ETHREAD"), 0x910);
        assert_eq!(kernel.size("_KTHREAD"), 0x4a0);
        assert_eq!(kernel.size("_KPROCESS"), 0x3f0);
        for (of, path, offset) in [
            ("_EPROCESS", "UniqueProcessId", 0x3f8),
            ("_EPROCESS", "ImageFileName", 0x560),
            ("_EPROCESS", "Peb", 0x508),
            ("_EPROCESS", "AlpcContext", 0x8c0),
            ("_KPROCESS", "DirectoryTableBase", 0x28),
            ("_KPROCESS", "ThreadListHead", 0x38),
            ("_KTHREAD", "State", 0x17c),
            ("_KTHREAD", "SwitchFrame", 0x210),
            ("_KTHREAD", "NextProcessor", 0x238),
            ("_KTHREAD", "Process", 0x240),
            ("_KTHREAD", "WaitReason", 0x2a3),
            ("_KTHREAD", "ThreadListEntry", 0x318),
            ("_ETHREAD", "Cid", 0x4e8),
            ("_ETHREAD", "IrpList", 0x520),
            ("_ETHREAD", "ThreadListEntry", 0x558),
            ("_ETHREAD", "AlpcMessageId", 0x598),
        ] {
            assert_eq!(kernel.offset(of, path), offset, "{of}.{path}");
        }
    }

    #[test]
    fn pointers_of_57_bits_fit_their_entries() {
        let entry = Kernel::named("win11-22h2-la57-x64");
        let bits = |path: &str| entry.field("_HANDLE_TABLE_ENTRY", path).bit;
        assert_eq!(bits("Unlocked"), Some((0, 1)));
        assert_eq!(bits("RefCnt"), Some((1, 7)));
        assert_eq!(bits("Attributes"), Some((8, 3)));
        assert_eq!(bits("ObjectPointerBits"), Some((11, 53)));
    }
}
