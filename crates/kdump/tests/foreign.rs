//! What is not a kernel dump, each by its own name with its own next step.
#![allow(missing_docs)]

use kdump::{Dump, FileClass, OpenError, file_kind};

fn refused(name: &str, bytes: &[u8]) -> String {
    let (id, text) = refused_as(name, bytes);
    let expected = match text.as_str() {
        text if text.contains("Git LFS pointer") => "git-lfs-pointer",
        text if text.contains("begins with zeros") => "begins-with-zeros",
        _ => "not-a-dump",
    };
    assert_eq!(id, expected, "{text}");
    text
}

fn refused_as(name: &str, bytes: &[u8]) -> (&'static str, String) {
    let error = Dump::from_bytes(name, bytes.to_vec()).unwrap_err();
    assert!(matches!(error, OpenError::NotADump { .. }), "{error}");
    (error.id(), error.to_string())
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
        (
            "a",
            &elf(4),
            "an ELF core file without segments",
            "write its memory again",
        ),
        ("a", &elf(3), "an ELF program", "name the memory.dmp"),
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
            "copy the file again",
        ),
        (
            "a.vsv",
            b"\x01\x8f\0\x99",
            "a saved state of an old Hyper-V",
            "vm2dmp",
        ),
        ("a", b"QEVM\0\0\0\x03", "a QEMU saved state", "dump-guest-memory"),
        ("a", b"HIBR", "a hibernation file", "copy the file again"),
        (
            "a",
            b"\x53\xff\x00\xf0\x53\xff\x00\xf0",
            "a raw memory image",
            "--dtb",
        ),
        ("a.raw", b"\x01\x8f\0\x99", "a raw memory image", "--dtb"),
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

/// Machines as files: their memory, their states and their disks.
#[test]
fn files_of_virtual_machines_are_named_with_what_to_do() {
    let at = |offset: usize, value: &[u8]| {
        let mut bytes = b"<<< Oracle VM VirtualBox Disk Image >>>\n".to_vec();
        bytes.resize(0x200, 0);
        bytes[offset..offset + value.len()].copy_from_slice(value);
        bytes
    };
    let mut disk = vec![0x33, 0xc0, 0x8e, 0xd0];
    disk.resize(0x200, 0);
    disk[0x1be] = 0x80;
    disk[0x1fe..].copy_from_slice(b"\x55\xaa");
    // A fixed VHD is the disk and a footer of 512 bytes.
    let mut fixed_vhd = disk.clone();
    fixed_vhd.resize(0x2000, 0);
    fixed_vhd.extend(*b"conectix\0\0\0\x02");
    fixed_vhd.resize(0x2200, 0);
    for (name, bytes, found, next) in [
        ("a", &b"KDMV\x01\0\0\0"[..], "a VMware disk (VMDK)", "MEMORY.DMP"),
        ("a", b"COWD\x01\0\0\0", "a VMware disk (VMDK)", "MEMORY.DMP"),
        (
            "a",
            b"# Disk DescriptorFile\nversion=1\n",
            "the description of a VMware disk",
            "MEMORY.DMP",
        ),
        (
            "a",
            &at(0x40, b"\x7f\x10\xda\xbe"),
            "a VirtualBox disk (VDI)",
            "MEMORY.DMP",
        ),
        ("a", b"conectix\0\0\0\x02", "a Hyper-V disk (VHD)", "MEMORY.DMP"),
        ("a", &fixed_vhd, "a Hyper-V disk (VHD)", "MEMORY.DMP"),
        ("a", b"vhdxfileM\0i\0", "a Hyper-V disk (VHDX)", "MEMORY.DMP"),
        (
            "a.vmrs",
            b"\x14\x20\x28\x01\0\0\0\0",
            "a Hyper-V saved state",
            "copy the file again",
        ),
        ("a", b"QFI\xfb\0\0\0\x03", "a QEMU disk (qcow2)", "MEMORY.DMP"),
        ("a", b"QED\0\0\0\x01\0", "a QEMU disk (QED)", "MEMORY.DMP"),
        ("a.bin", &disk, "an image of a whole disk", "MEMORY.DMP"),
        (
            "a",
            b"LibvirtQemudSave\x02\0\0\0",
            "a machine that libvirt saved",
            "virsh restore --paused",
        ),
        ("a", b"hibr\0\0", "a hibernation file", "copy the file again"),
        ("a", b"RSTR\0\0", "a hibernation file", "copy the file again"),
        ("a", b"wake\0\0", "a hibernation file", "copy the file again"),
        ("a", b"WAKE\0\0", "a hibernation file", "copy the file again"),
        (
            "HIBERFIL.SYS",
            &[0; 0x1000],
            "a hibernation file whose header Windows erased",
            "crash dump",
        ),
        (
            "pagefile.sys",
            b"\x01\x02\x03\x04",
            "a paging file",
            "name the memory.dmp",
        ),
        (
            "a",
            b"USERDU64\x0f\0\0\0",
            "an old user-mode dump",
            "take a kernel dump",
        ),
        ("a", "Grüße\r\n".as_bytes(), "a text file", "name a memory.dmp"),
        (
            "a",
            b"\xef\xbb\xbfname,value\n",
            "a text file",
            "name a memory.dmp",
        ),
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
    let mut tar = b"MEMORY.DMP".to_vec();
    tar.resize(0x101, 0);
    tar.extend(b"ustar\x0000");
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
            "a zip file that holds MEMORY.DMP, not a kernel crash dump; unpack it first: `unzip \"d.zip\"`, on Windows `tar -xf \"d.zip\"`",
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
        ("d.zip", b"PK\x05\x06", "an empty zip file, not"),
        ("d.z01", b"PK\x07\x08PK\x03\x04", "`7z x \"d.z01\"`"),
        (
            "d.bz2",
            b"BZh91AY&SY",
            "a bzip2 file, not a kernel crash dump; unpack it first: `bzip2 -dk \"d.bz2\"`",
        ),
        (
            "d.7z",
            b"7z\xbc\xaf\x27\x1c\0\x04",
            "a 7-Zip file, not a kernel crash dump; unpack it first: `7z x \"d.7z\"`",
        ),
        (
            "d.rar",
            b"Rar!\x1a\x07\x01\0",
            "a RAR file, not a kernel crash dump; unpack it first: `unrar x \"d.rar\"`",
        ),
        (
            "d.lz4",
            b"\x04\x22\x4d\x18\x64",
            "an LZ4 file, not a kernel crash dump; unpack it first: `lz4 -d \"d.lz4\"`",
        ),
        ("d.lz4", b"\x02\x21\x4c\x18", "`lz4 -d \"d.lz4\"`"),
        ("d.lz", b"LZIP\x01", "`lzip -dk \"d.lz\"`"),
        ("d.wim", b"MSWIM\0\0\0\xd0", "`7z x \"d.wim\"`"),
        (
            "d.tar",
            &tar,
            "a tar file, not a kernel crash dump; unpack it first: `tar -xf \"d.tar\"`",
        ),
    ] {
        let (id, said) = refused_as(name, bytes);
        assert!(said.contains(text), "{said}");
        assert_eq!(id, "compressed");
    }
}

/// What a file is named for and its class are told of one table.
#[test]
fn a_file_is_looked_at_without_being_opened_as_a_dump() {
    let folder = tempfile::tempdir().unwrap();
    let class = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        file_kind(&path)
            .map(|kind| kind.class)
            .map_err(|error| error.id())
    };
    for (name, bytes, expected) in [
        ("a", &b"PAGEDU64"[..], FileClass::KernelDump),
        ("a", b"PAGEDUMP", FileClass::KernelDump),
        ("a", b"PAGEXXXX", FileClass::KernelDump),
        ("a", b"MDMP", FileClass::UserDump),
        ("a", b"HIBR", FileClass::Memory),
        ("a", &elf(4), FileClass::Memory),
        // Only its name tells.
        ("a.vmem", b"\x13\x8f\0\x99", FileClass::Unknown),
        ("a", b"KDMV", FileClass::Disk),
        ("a", b"\x1f\x8b\x08\0", FileClass::Compressed),
        ("a.cab", b"MSCF", FileClass::Compressed),
        // What symbol stores compress is no dump.
        ("ntkrnlmp.pd_", b"MSCF", FileClass::Program),
        ("a", b"MZ\x90\0", FileClass::Program),
        ("a", &elf(3), FileClass::Program),
        (
            "a",
            b"version https://git-lfs.github.com/spec/v1\n",
            FileClass::LfsPointer,
        ),
        ("a", b"<html", FileClass::WebPage),
        ("a", b"text", FileClass::Text),
        ("a", &[0; 9], FileClass::Zeros),
        ("a", &[0x81], FileClass::Unknown),
    ] {
        assert_eq!(class(name, bytes), Ok(expected), "{name}: {bytes:?}");
    }
    assert_eq!(class("empty", b""), Err("empty-file"));
    assert_eq!(file_kind(folder.path()).unwrap_err().id(), "folder");
}

#[cfg(unix)]
#[test]
fn what_cannot_be_reached_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let link = |to: &str, name: &str| std::os::unix::fs::symlink(to, at(name)).unwrap();
    link("nowhere", "torn");
    link("itself", "itself");
    std::fs::write(at("file"), "x").unwrap();
    link("file/deeper", "through");
    for (name, id) in [
        ("torn", "broken-link"),
        ("itself", "broken-link"),
        ("through", "broken-link"),
        ("none", "not-found"),
    ] {
        let error = Dump::open(&at(name)).unwrap_err();
        assert_eq!(error.id(), id, "{error}");
        assert!(error.to_string().contains(name), "{error}");
    }
    let error = Dump::open(&at("torn")).unwrap_err().to_string();
    assert!(
        error.contains("is a link to nowhere, which cannot be reached: "),
        "{error}"
    );
}

/// Forms of memory that are read are told by their first bytes, and what is wrong with a file of such a form is said.
#[test]
fn forms_that_are_read_are_opened_and_not_refused_as_strangers() {
    for (bytes, id, said) in [
        (&b"EMiL\x01\0\0\0"[..], "no-kernel", "LiME image"),
        (b"\xd0\xbe\xd2\xbe\x08\0\0\0", "index-cut", "inside its index"),
        (b"\xd2\xbe\xd2\xbe\0\0", "index-cut", "inside its index"),
        (b"\xd1\xba\xd1\xba\x08\0\0\0", "index-cut", "inside its index"),
        (b"\xd3\xbe\xd3\xbe\x08\0\0\0", "index-cut", "inside its index"),
    ] {
        let error = Dump::from_bytes("a", bytes.to_vec()).unwrap_err();
        assert_eq!(error.id(), id, "{error}");
        assert!(error.to_string().contains(said), "{error}");
    }
}
