//! What a file is that is not a kernel dump, told by its first bytes.

use std::path::Path;

use crate::le;

/// A kind of file that people name by mistake.
pub(crate) struct Foreign {
    /// What it is, with its article.
    pub(crate) found: String,
    /// What to do about it.
    pub(crate) next: String,
}

const NAME_THE_DUMP: &str = "name the memory.dmp that goes with it";
const COPY_AGAIN: &str = "copy the dump again";
const DOWNLOAD_AGAIN: &str = "download the dump again";
const HIBERNATION: &str =
    "let the system resume, then take a dump of it: the file's memory is compressed and incomplete";
const VMWARE: &str = "make a dump of it with VMware's vmss2core: `vmss2core -W8 FILE.vmss FILE.vmem`";
const QEMU: &str = "let QEMU write a Windows dump: `dump-guest-memory -w memory.dmp` in its monitor";
const VIRTUALBOX: &str =
    "resume the machine and let Windows write a dump: `VBoxManage debugvm NAME injectnmi`";
const HYPER_V: &str =
    "resume the machine and let Windows write a dump: `Debug-VM NAME -InjectNonMaskableInterrupt`";
const RAW_MEMORY: &str = "take a crash dump instead: a raw image has no header that says where the kernel is";
const USER_DUMP: &str = "take a kernel dump: a user dump holds one process and no ALPC objects";

/// First bytes, what they begin, what to do. The first that fits is taken.
const MAGICS: &[(&[u8], &str, &str)] = &[
    (b"MDMP", "a user-mode minidump", USER_DUMP),
    (
        b"\x7fVirtualBox SavedState",
        "a VirtualBox saved state",
        VIRTUALBOX,
    ),
    (b"MZ", "a program or library (PE)", NAME_THE_DUMP),
    (b"Microsoft C/C++ MSF 7.00", "a PDB", NAME_THE_DUMP),
    (b"Microsoft C/C++ program database", "an old PDB", NAME_THE_DUMP),
    (b"Microsoft MSFZ Container", "a compressed PDB", NAME_THE_DUMP),
    (b"HIBR", "a hibernation file", HIBERNATION),
    (b"hibr", "a hibernation file", HIBERNATION),
    (b"RSTR", "a hibernation file", HIBERNATION),
    (b"WAKE", "a hibernation file", HIBERNATION),
    (b"wake", "a hibernation file", HIBERNATION),
    (b"\xd0\xbe\xd2\xbe", "a VMware snapshot", VMWARE),
    (b"\xd1\xba\xd1\xba", "a VMware snapshot", VMWARE),
    (b"\xd2\xbe\xd2\xbe", "a VMware snapshot", VMWARE),
    (b"\xd3\xbe\xd3\xbe", "a VMware snapshot", VMWARE),
    (b"\x14\x20\x28\x01", "a Hyper-V saved state", HYPER_V),
    (b"QEVM", "a QEMU saved state", QEMU),
    (
        b"KDUMP   ",
        "a compressed memory dump of QEMU or Linux (kdump)",
        QEMU,
    ),
    (
        b"makedumpfile",
        "a compressed memory dump of QEMU or Linux (makedumpfile)",
        QEMU,
    ),
    (b"EMiL", "a LiME memory image", RAW_MEMORY),
    // The first interrupt vector of most firmware, f000:ff53: physical memory from address 0 on.
    (b"\x53\xff\x00\xf0", "a raw memory image", RAW_MEMORY),
    (
        b"version https://git-lfs",
        "a Git LFS pointer",
        "fetch the file that it stands for: `git lfs pull`",
    ),
    (b"<!DOCTYPE", "a web page", DOWNLOAD_AGAIN),
    (b"<!doctype", "a web page", DOWNLOAD_AGAIN),
    (b"<html", "a web page", DOWNLOAD_AGAIN),
    // What redirection in Windows PowerShell writes.
    (b"\xff\xfe", "a text file (UTF-16)", "name a memory.dmp"),
    (
        b"PAGE",
        "a damaged kernel dump whose header names no word size",
        COPY_AGAIN,
    ),
];

/// Compressed files: first bytes, what they begin, how the name of the file inside is found, and the command that
/// unpacks, the file's name to follow.
#[allow(clippy::type_complexity)]
const PACKED: &[(&[u8], &str, fn(&[u8]) -> Option<String>, &str)] = &[
    (b"\x1f\x8b", "a gzip file", name_in_gzip, "gzip -dk"),
    (b"PK\x03\x04", "a zip file", name_in_zip, "tar -xf"),
    (b"\xfd7zXZ\0", "an xz file", no_name, "xz -dk"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard file", no_name, "zstd -d"),
    (b"BZh", "a bzip2 file", no_name, "bzip2 -dk"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip file", no_name, "7z x"),
    (b"Rar!", "a RAR file", no_name, "unrar x"),
    (b"MSCF", "a cabinet file", name_in_cabinet, "expand -F:*"),
];

/// Ends of the names of files that hold memory without saying so in their first bytes.
const NAMES: &[(&str, &str, &str)] = &[
    ("vmem", "the memory of a VMware machine", VMWARE),
    ("vmrs", "a Hyper-V saved state", HYPER_V),
    ("vsv", "a Hyper-V saved state", HYPER_V),
    ("sav", "a saved state of a virtual machine", VIRTUALBOX),
    ("raw", "a raw memory image", RAW_MEMORY),
    ("mem", "a raw memory image", RAW_MEMORY),
    ("img", "a raw memory image", RAW_MEMORY),
];

/// Names the kind of file that begins with `prefix`, which is known not to be a dump's header.
pub(crate) fn identify(path: &Path, prefix: &[u8]) -> Foreign {
    elf(prefix)
        .or_else(|| by_magic(prefix))
        .or_else(|| packed(path, prefix))
        .or_else(|| by_name(path, prefix))
        .unwrap_or_else(|| by_content(prefix))
}

fn foreign(found: &str, next: &str) -> Foreign {
    Foreign {
        found: found.to_owned(),
        next: next.to_owned(),
    }
}

fn by_magic(prefix: &[u8]) -> Option<Foreign> {
    let &(_, found, next) = MAGICS.iter().find(|(magic, ..)| prefix.starts_with(magic))?;
    Some(foreign(found, next))
}

/// Virtual machines write their memory as ELF core files (e_type 4), as Linux does.
fn elf(prefix: &[u8]) -> Option<Foreign> {
    const CORE: u16 = 4;
    if !prefix.starts_with(b"\x7fELF") {
        return None;
    }
    Some(match le::u16(prefix, 0x10) {
        Some(CORE) => foreign("an ELF core file, as virtual machines write", QEMU),
        _ => foreign("an ELF program or library", NAME_THE_DUMP),
    })
}

fn packed(path: &Path, prefix: &[u8]) -> Option<Foreign> {
    let &(_, found, name, command) = PACKED.iter().find(|(magic, ..)| prefix.starts_with(magic))?;
    let inside = name(prefix).filter(|name| !name.is_empty());
    let found = inside.map_or(found.to_owned(), |name| format!("{found} that holds {name}"));
    let file = path.display();
    let next = match command.strip_suffix(" -F:*") {
        // What Windows has; elsewhere it is cabextract.
        Some(expand) => format!("unpack it first: `{expand} \"{file}\" -F:* .` or `cabextract \"{file}\"`"),
        None => format!("unpack it first: `{command} \"{file}\"`"),
    };
    Some(Foreign { found, next })
}

fn no_name(_: &[u8]) -> Option<String> {
    None
}

/// The local header of the first file: its name's length at +1a, the name at +1e.
fn name_in_zip(prefix: &[u8]) -> Option<String> {
    let len = le::u16(prefix, 0x1a)?;
    le::text(prefix, 0x1e, usize::from(len).min(MAX_NAME))
}

/// FNAME (flag 8) behind the header of 10 bytes, when no extra field (flag 4) comes before it.
fn name_in_gzip(prefix: &[u8]) -> Option<String> {
    let flags = prefix.get(3)?;
    let rest = prefix.get(10..)?;
    let name = rest.get(..rest.len().min(MAX_NAME))?;
    (flags & 0xc == 8).then(|| le::text(name, 0, name.len()))?
}

/// CFHEADER.coffFiles at +10 leads to the first CFFILE, whose name is at +10.
fn name_in_cabinet(prefix: &[u8]) -> Option<String> {
    let file = usize::try_from(le::u32(prefix, 0x10)?).ok()?;
    let rest = prefix.get(file.checked_add(0x10)?..)?;
    let name = rest.get(..rest.len().min(MAX_NAME))?;
    le::text(name, 0, name.len())
}

/// How much of a name is shown.
const MAX_NAME: usize = 120;

fn by_name(path: &Path, prefix: &[u8]) -> Option<Foreign> {
    if is_text(prefix) {
        return None;
    }
    let extension = path.extension()?.to_str()?;
    let &(_, found, next) = NAMES
        .iter()
        .find(|(end, ..)| extension.eq_ignore_ascii_case(end))?;
    Some(foreign(found, next))
}

fn by_content(prefix: &[u8]) -> Foreign {
    let next = "name a memory.dmp";
    if prefix.iter().all(|&byte| byte == 0) {
        // A dump that was being copied, or whose writing Windows never finished, has its length but zeros.
        return foreign("a file that begins with zeros", COPY_AGAIN);
    }
    if is_text(prefix) {
        return foreign("a text file", next);
    }
    foreign("a file of an unknown kind", next)
}

fn is_text(bytes: &[u8]) -> bool {
    bytes
        .iter()
        .all(|byte| matches!(byte, b'\t' | b'\n' | b'\r' | 0x20..=0x7e))
}
