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
    kernels.push(la57);
    kernels.push(arm64);
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
/// the same. Of the process and the thread a real dump of build 22000 tells some places, and the others are moved
/// along: EPROCESS has c80 bytes, UniqueProcessId at 3f8, Peb at 508 and ImageFileName at 560, all 48 before those
/// of x64, as if its KPROCESS ended earlier; KTHREAD has State at 17c, 8 before.
fn arm64(mut kernel: Kernel) -> Kernel {
    const GONE: u64 = 0x48;
    rename(&mut kernel, "win11-21h2-arm64", Machine::Arm64);
    let pcb = kernel.size("_KPROCESS") - GONE;
    change(&mut kernel, "_KPROCESS", |process| {
        process.size = pcb;
        process.fields.retain(|field| field.offset + field.bytes <= pcb);
    });
    change(&mut kernel, "_EPROCESS", |process| {
        process.size = 0xc80;
        for field in &mut process.fields {
            match field.path.as_str() {
                "Pcb" => field.bytes = pcb,
                _ => field.offset -= GONE,
            }
        }
    });
    change(&mut kernel, "_KTHREAD", |thread| {
        let gone = offset(thread, "RelativeTimerBias");
        thread.fields.retain(|field| field.offset != gone);
        let behind: Vec<&mut Field> = thread
            .fields
            .iter_mut()
            .filter(|field| field.offset > gone)
            .collect();
        for field in behind {
            field.offset -= 8;
        }
    });
    kernel
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
        for (of, path, offset) in [
            ("_EPROCESS", "UniqueProcessId", 0x3f8),
            ("_EPROCESS", "ImageFileName", 0x560),
            ("_EPROCESS", "Peb", 0x508),
            ("_KTHREAD", "State", 0x17c),
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
