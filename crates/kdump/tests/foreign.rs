//! What is not a kernel dump, each by its own name with its own next step.
#![allow(missing_docs)]

use kdump::{Dump, OpenError};

fn refused(name: &str, bytes: &[u8]) -> String {
    let error = Dump::from_bytes(name, bytes.to_vec()).unwrap_err();
    assert!(matches!(error, OpenError::NotADump { .. }), "{error}");
    assert_eq!(error.id(), "not-a-dump");
    error.to_string()
}

fn elf(kind: u16) -> Vec<u8> {
    let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
    bytes.resize(0x40, 0);
    bytes[0x10..0x12].copy_from_slice(&kind.to_le_bytes());
    bytes
}

#[test]
fn foreign_files_are_named_with_what_to_do() {
    for (name, bytes, found, next) in [
        (
            "a",
            &b"MDMP\x93\xa7"[..],
            "a user-mode minidump",
            "take a kernel dump",
        ),
        ("a", &elf(4), "an ELF core file", "dump-guest-memory -w"),
        ("a", &elf(3), "an ELF program", "name the memory.dmp"),
        ("a", b"\xd2\xbe\xd2\xbe\0\0", "a VMware snapshot", "vmss2core"),
        (
            "a.VMEM",
            b"\x13\x8f\0\x99",
            "the memory of a VMware machine",
            "vmss2core",
        ),
        (
            "a",
            b"\x7fVirtualBox SavedState V2.0\n",
            "a VirtualBox saved state",
            "injectnmi",
        ),
        ("a.vsv", b"\x01\x8f\0\x99", "a Hyper-V saved state", "Debug-VM"),
        ("a", b"QEVM\0\0\0\x03", "a QEMU saved state", "dump-guest-memory"),
        ("a", b"EMiL\x01\0\0\0", "a LiME memory image", "take a crash dump"),
        ("a", b"HIBR", "a hibernation file", "resume"),
        (
            "a",
            b"\x53\xff\x00\xf0\x53\xff\x00\xf0",
            "a raw memory image",
            "take a crash dump",
        ),
        (
            "a.raw",
            b"\x01\x8f\0\x99",
            "a raw memory image",
            "take a crash dump",
        ),
        (
            "a",
            b"MZ\x90\0",
            "a program or library (PE)",
            "name the memory.dmp",
        ),
        (
            "a",
            b"Microsoft C/C++ MSF 7.00\r\n\x1aDS\0\0\0",
            "a PDB",
            "name the memory.dmp",
        ),
        (
            "a",
            b"Microsoft MSFZ Container\r\n",
            "a compressed PDB",
            "name the memory.dmp",
        ),
        (
            "a",
            b"version https://git-lfs.github.com/spec/v1\n",
            "a Git LFS pointer",
            "git lfs pull",
        ),
        ("a", b"<!DOCTYPE html>", "a web page", "download"),
        (
            "a.raw",
            b"Dear all,\r\nsee attached\n",
            "a text file",
            "name a memory.dmp",
        ),
        (
            "a",
            &[0; 64],
            "a file that begins with zeros",
            "copy the dump again",
        ),
        (
            "a",
            &[0x81, 2, 3, 4],
            "a file of an unknown kind",
            "name a memory.dmp",
        ),
        ("a", b"\xff\xfeh\0i\0", "a text file", "name a memory.dmp"),
        ("a", b"PAGEXX64", "a damaged kernel dump", "copy the dump again"),
        ("a", b"PAG", "a text file", "name a memory.dmp"),
    ] {
        let text = refused(name, bytes);
        assert!(text.starts_with(&format!("{name}: is {found}")), "{text}");
        assert!(text.contains(next), "{text}");
    }
}

#[test]
fn compressed_files_are_named_with_the_command_that_unpacks_them() {
    let mut zip = b"PK\x03\x04\x14\0\0\0\x08\0".to_vec();
    zip.resize(0x1a, 0);
    zip.extend(b"\x0a\0\0\0MEMORY.DMPmore");
    let mut cabinet = b"MSCF\0\0\0\0".to_vec();
    cabinet.resize(0x10, 0);
    cabinet.extend(0x2cu32.to_le_bytes());
    cabinet.resize(0x3c, 0);
    cabinet.extend(b"memory.dmp\0more");
    for (name, bytes, text) in [
        (
            "d.gz",
            &b"\x1f\x8b\x08\0"[..],
            "a gzip file, not a kernel crash dump; unpack it first: `gzip -dk \"d.gz\"`",
        ),
        (
            "d.gz",
            b"\x1f\x8b\x08\x08\0\0\0\0\0\x03memory.dmp\0rest",
            "a gzip file that holds memory.dmp, not",
        ),
        (
            "d.zip",
            &zip,
            "a zip file that holds MEMORY.DMP, not a kernel crash dump; unpack it first: `tar -xf \"d.zip\"`",
        ),
        ("d.zip", b"PK\x03\x04", "a zip file, not"),
        (
            "d.xz",
            b"\xfd7zXZ\0",
            "an xz file, not a kernel crash dump; unpack it first: `xz -dk \"d.xz\"`",
        ),
        ("d.zst", b"\x28\xb5\x2f\xfd", "`zstd -d \"d.zst\"`"),
        (
            "d.cab",
            &cabinet,
            "a cabinet file that holds memory.dmp, not a kernel crash dump; unpack it first: `expand \"d.cab\" -F:* .` or `cabextract \"d.cab\"`",
        ),
        (
            "d.cab",
            b"MSCF\0\0\0\0\0\0\0\0\0\0\0\0\xff\xff\xff\xff",
            "a cabinet file, not",
        ),
    ] {
        let said = refused(name, bytes);
        assert!(said.contains(text), "{said}");
    }
}
