//! What a file is that is not a kernel dump, told by its first bytes and its last.

use std::path::Path;

#[cfg(feature = "serde")]
use serde::Serialize;

use crate::file::source::ByteSource;
use crate::value::le;

/// What a file is, as far as its first bytes tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum FileClass {
    /// A kernel crash dump, whole or not.
    KernelDump,
    /// A dump of a process.
    UserDump,
    /// Memory of a machine in another form: a saved state, a hibernation file, an ELF core file, an image of memory.
    Memory,
    /// A compressed file or an archive, which a dump may be in.
    Compressed,
    /// Zeros: a dump that was being copied, or whose writing Windows never finished, has its length but no bytes yet.
    Zeros,
    /// What Git LFS has in the place of a large file.
    LfsPointer,
    /// A disk of a machine.
    Disk,
    /// A program, a library or their symbols.
    Program,
    /// A web page, as a download that failed leaves.
    WebPage,
    /// Text.
    Text,
    /// None of these, or only its name tells.
    Unknown,
}

impl FileClass {
    /// The stable name of this class, for machines.
    pub fn name(self) -> &'static str {
        match self {
            FileClass::KernelDump => "kernel-dump",
            FileClass::UserDump => "user-dump",
            FileClass::Memory => "memory",
            FileClass::Compressed => "compressed",
            FileClass::Zeros => "begins-with-zeros",
            FileClass::LfsPointer => "git-lfs-pointer",
            FileClass::Disk => "disk",
            FileClass::Program => "program",
            FileClass::WebPage => "web-page",
            FileClass::Text => "text",
            FileClass::Unknown => "unknown",
        }
    }
}

/// What a file is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FileKind {
    /// Its class.
    pub class: FileClass,
    /// What it seems to be in more words, with its article: `a gzip file that holds memory.dmp`.
    pub found: String,
}

/// A kind of file that people name by mistake.
pub(crate) struct Foreign {
    /// Its class.
    pub(crate) class: FileClass,
    /// What it is, with its article.
    pub(crate) found: String,
    /// What to do about it.
    pub(crate) next: String,
}

impl Foreign {
    /// Whether its first bytes are those of raw memory.
    pub(crate) fn is_raw_memory(&self) -> bool {
        self.next == RAW_MEMORY
    }
}

const NAME_THE_DUMP: &str = "name the memory.dmp that goes with it";
const COPY_AGAIN: &str = "copy the dump again";
const DOWNLOAD_AGAIN: &str = "download the dump again";
// What begins as these do is read, unless it is shorter than its header.
const HEADER_CUT: &str = "copy the file again: it ends inside of its header";
// vmss2core is VMware's own tool. -W8 is for Windows 8 and later, -W for what is older. It wants both files:
// the memory is in the .vmem, what says where it belongs in the .vmss or .vmsn of the same name.
const VMWARE: &str = "make a dump of it with VMware's vmss2core: `vmss2core -W8 FILE.vmss FILE.vmem`";
// elf2dmp comes with QEMU (contrib/elf2dmp). `-w` needs the guest's FwCfg driver, which gives QEMU the header
// of a dump; without it only elf2dmp helps.
const ELF_CORE: &str = "let QEMU make a dump of it, `elf2dmp FILE memory.dmp`, or write one: `dump-guest-memory -w \
                        memory.dmp` in its monitor";
const QEMU: &str = "let QEMU write a Windows dump: `dump-guest-memory -w memory.dmp` in its monitor";
// Where pages of such a stream belong depends on the machine's type, and it may be compressed as a whole: QEMU
// itself knows.
const RESTORE: &str = "restore it paused, `qemu-system-x86_64 -S -incoming \"exec:cat FILE\"` with the machine's \
                       options, and let QEMU write its memory: `dump-guest-memory memory.elf` in its monitor";
const RESTORE_LIBVIRT: &str = "restore it paused and write its memory: `virsh restore --paused FILE`, then `virsh dump \
                               --memory-only NAME memory.elf`";
// Both of these raise an NMI, on which Windows stops with NMI_HARDWARE_FAILURE (0x80) and writes the dump that
// its settings ask for (Microsoft's "Generate a kernel or complete crash dump").
const VIRTUALBOX: &str =
    "resume the machine and let Windows write a dump: `VBoxManage debugvm NAME injectnmi`";
const HYPER_V: &str =
    "resume the machine and let Windows write a dump: `Debug-VM NAME -InjectNonMaskableInterrupt`";
// Windows Server 2008 to 2012 R2: the .vsv has the state of devices, in which form the .bin has the memory nobody
// published. vm2dmp is Microsoft's own, for machines of up to 4 GiB.
const OLD_STATE: &str = "a saved state of an old Hyper-V (.vsv, with the memory in a .bin)";
const OLD_HYPER_V: &str = "let WinDbg or Microsoft's vm2dmp make a dump of it, or resume the machine and let Windows write \
                           one: `Debug-VM NAME -InjectNonMaskableInterrupt`";
const RAW_MEMORY: &str = "if the machine ran Windows, name its page tables with --dtb";
const DISK: &str =
    "take Windows\\MEMORY.DMP out of it: `virt-copy-out -a FILE /Windows/MEMORY.DMP .`, or mount it";
const VHD: &str = "a Hyper-V disk (VHD)";
const USER_DUMP: &str = "take a kernel dump: a user dump holds one process and no ALPC objects";

/// First bytes, what they begin, what to do. The first that fits is taken.
const MAGICS: &[(&[u8], FileClass, &str, &str)] = &[
    // Two things are called minidumps: what Windows leaves in Windows\Minidump after a crash begins with
    // PAGEDU64 and is a kernel's; what Task Manager or error reporting make of a process begins with MDMP.
    (b"MDMP", FileClass::UserDump, "a user-mode minidump", USER_DUMP),
    (
        b"USERDUMP",
        FileClass::UserDump,
        "an old user-mode dump",
        USER_DUMP,
    ),
    (
        b"USERDU64",
        FileClass::UserDump,
        "an old user-mode dump",
        USER_DUMP,
    ),
    // Of VirtualBox 3.1 and later, whose format says "V2.0" (SSM.cpp). The saved state of an encrypted machine
    // does not begin so (inference).
    (
        b"\x7fVirtualBox SavedState",
        FileClass::Memory,
        "a VirtualBox saved state",
        HEADER_CUT,
    ),
    (
        b"MZ",
        FileClass::Program,
        "a program or library (PE)",
        NAME_THE_DUMP,
    ),
    (
        b"Microsoft C/C++ MSF 7.00",
        FileClass::Program,
        "a PDB",
        NAME_THE_DUMP,
    ),
    (
        b"Microsoft C/C++ program database",
        FileClass::Program,
        "an old PDB",
        NAME_THE_DUMP,
    ),
    // A PDB whose streams are compressed, of microsoft/pdb-rs; readers of MSF files do not open it.
    (
        b"Microsoft MSFZ Container",
        FileClass::Program,
        "a compressed PDB",
        NAME_THE_DUMP,
    ),
    // The word is the state: HIBR while the system is hibernated, RSTR while it is coming back, WAKE when it
    // came back. In either case of letters, depending on who wrote it.
    (b"HIBR", FileClass::Memory, "a hibernation file", HEADER_CUT),
    (b"hibr", FileClass::Memory, "a hibernation file", HEADER_CUT),
    (b"RSTR", FileClass::Memory, "a hibernation file", HEADER_CUT),
    (b"WAKE", FileClass::Memory, "a hibernation file", HEADER_CUT),
    (b"wake", FileClass::Memory, "a hibernation file", HEADER_CUT),
    // Words of a checkpoint, little-endian: bed2bed0 and bed2bed2, bed3bed3 for a partial one, bad1bad1 for one
    // that was restored (Volatility's vmware.py, crash's vmware_vmss.h).
    (
        b"\xd0\xbe\xd2\xbe",
        FileClass::Memory,
        "a VMware snapshot",
        VMWARE,
    ),
    (
        b"\xd1\xba\xd1\xba",
        FileClass::Memory,
        "a VMware snapshot",
        VMWARE,
    ),
    (
        b"\xd2\xbe\xd2\xbe",
        FileClass::Memory,
        "a VMware snapshot",
        VMWARE,
    ),
    (
        b"\xd3\xbe\xd3\xbe",
        FileClass::Memory,
        "a VMware snapshot",
        VMWARE,
    ),
    // HyperVStorage, signature 01282014 (openvmm's hvs_file/FORMAT.md): .vmrs. The configuration of a machine,
    // .vmcx, is the same container without any memory.
    (
        b"\x14\x20\x28\x01",
        FileClass::Memory,
        "a Hyper-V saved state",
        HEADER_CUT,
    ),
    // What `savevm` and `migrate "exec:cat>FILE"` write. All of it is big-endian, the word as well. `virsh
    // save` puts a header of libvirt before it (qemu_saveimage.h); what ends in Part was never finished.
    (b"QEVM", FileClass::Memory, "a QEMU saved state", RESTORE),
    (
        b"LibvirtQemudSave",
        FileClass::Memory,
        "a machine that libvirt saved",
        RESTORE_LIBVIRT,
    ),
    (
        b"LibvirtQemudPart",
        FileClass::Memory,
        "a machine that libvirt did not save to the end",
        "save it again: `virsh dump --memory-only NAME memory.elf`",
    ),
    (b"QFI\xfb", FileClass::Disk, "a QEMU disk (qcow2)", DISK),
    (b"QED\0", FileClass::Disk, "a QEMU disk (QED)", DISK),
    // `VMDK` as a little-endian word, of Workstation's growing disks; COWD is the one of old ESX servers.
    (b"KDMV", FileClass::Disk, "a VMware disk (VMDK)", DISK),
    (b"COWD", FileClass::Disk, "a VMware disk (VMDK)", DISK),
    (
        b"# Disk DescriptorFile",
        FileClass::Disk,
        "the description of a VMware disk (VMDK)",
        DISK,
    ),
    // A VHD that grows has a copy of its footer at the beginning; a fixed one has the footer alone, behind the
    // disk.
    (b"conectix", FileClass::Disk, VHD, DISK),
    (b"vhdxfile", FileClass::Disk, "a Hyper-V disk (VHDX)", DISK),
    // `dump-guest-memory -z`, `-l` and `-s` write this compressed form of Linux, even of a guest with Windows;
    // by default it is flattened, and begins with `makedumpfile` (QEMU's dump/dump.c).
    (
        b"KDUMP   ",
        FileClass::Memory,
        "a compressed memory dump of QEMU or Linux (kdump)",
        QEMU,
    ),
    (
        b"makedumpfile",
        FileClass::Memory,
        "a compressed memory dump of QEMU or Linux (makedumpfile)",
        QEMU,
    ),
    // 0x4c694d45 in little-endian: LiME spelled backwards. Its "padded" output is plain raw memory without any
    // header.
    (b"EMiL", FileClass::Memory, "a LiME memory image", RAW_MEMORY),
    (b"AVML", FileClass::Memory, "an AVML memory image", RAW_MEMORY),
    // The first interrupt vector of most firmware, f000:ff53: physical memory from address 0 on.
    (
        b"\x53\xff\x00\xf0",
        FileClass::Memory,
        "a raw memory image",
        RAW_MEMORY,
    ),
    (
        b"version https://git-lfs",
        FileClass::LfsPointer,
        "a Git LFS pointer",
        "fetch the file that it stands for: `git lfs pull`",
    ),
    (b"<!DOCTYPE", FileClass::WebPage, "a web page", DOWNLOAD_AGAIN),
    (b"<!doctype", FileClass::WebPage, "a web page", DOWNLOAD_AGAIN),
    (b"<html", FileClass::WebPage, "a web page", DOWNLOAD_AGAIN),
    // What redirection in Windows PowerShell writes.
    (
        b"\xff\xfe",
        FileClass::Text,
        "a text file (UTF-16)",
        "name a memory.dmp",
    ),
    (
        b"\xfe\xff",
        FileClass::Text,
        "a text file (UTF-16)",
        "name a memory.dmp",
    ),
    (
        b"PAGE",
        FileClass::KernelDump,
        "a damaged kernel dump whose header names no word size",
        COPY_AGAIN,
    ),
];

/// Compressed files: first bytes, what they begin, how the name of the file inside is found, and the command that
/// unpacks, the file's name to follow.
#[allow(clippy::type_complexity)]
const PACKED: &[(&[u8], &str, fn(&[u8]) -> Option<String>, &str)] = &[
    (b"\x1f\x8b", "a gzip file", name_in_gzip, "gzip -dk"),
    (b"PK\x03\x04", "a zip file", name_in_zip, "unzip"),
    // Of nothing, and the first of several volumes.
    (b"PK\x05\x06", "an empty zip file", no_name, "unzip"),
    (b"PK\x07\x08", "a part of a zip file", no_name, "7z x"),
    (b"\xfd7zXZ\0", "an xz file", no_name, "xz -dk"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard file", no_name, "zstd -d"),
    (b"BZh", "a bzip2 file", no_name, "bzip2 -dk"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip file", no_name, "7z x"),
    (b"Rar!", "a RAR file", no_name, "unrar x"),
    (b"\x04\x22\x4d\x18", "an LZ4 file", no_name, "lz4 -d"),
    (b"\x02\x21\x4c\x18", "an LZ4 file (old form)", no_name, "lz4 -d"),
    (b"LZIP", "an lzip file", no_name, "lzip -dk"),
    (b"MSWIM\0\0\0", "a Windows image (WIM)", no_name, "7z x"),
    // expand.exe unpacks a cabinet of several files only when -F names which.
    (b"MSCF", "a cabinet file", name_in_cabinet, "expand -F:*"),
];

/// Ends of the names of files that hold memory without saying so in their first bytes.
const NAMES: &[(&str, &str, &str)] = &[
    ("vmem", "the memory of a VMware machine", VMWARE),
    ("vmrs", "a Hyper-V saved state", HYPER_V),
    ("vsv", OLD_STATE, OLD_HYPER_V),
    ("sav", "a saved state of a virtual machine", VIRTUALBOX),
    ("vdi", "a VirtualBox disk (VDI)", DISK),
    ("vmdk", "a VMware disk (VMDK)", DISK),
    ("vhd", VHD, DISK),
    ("raw", "a raw memory image", RAW_MEMORY),
    ("mem", "a raw memory image", RAW_MEMORY),
    ("img", "a raw memory image", RAW_MEMORY),
];

/// The length of the footer of a VHD, which is all that a fixed one has besides the disk.
pub(crate) const FOOTER_LEN: usize = 0x200;

/// What a file is that does not begin as a dump does.
pub(crate) fn foreign(path: &Path, head: &[u8], source: &ByteSource) -> Foreign {
    let mut footer = [0; FOOTER_LEN];
    // A file that is shorter, or cannot be read there, has none.
    let _ = source.read_exact_at(source.len().saturating_sub(FOOTER_LEN as u64), &mut footer);
    identify(path, head.get(..0x1000).unwrap_or(head), &footer)
}

/// Names the kind of file that begins with `prefix`, which is known not to be a dump's header, and ends with `footer`.
fn identify(path: &Path, prefix: &[u8], footer: &[u8; FOOTER_LEN]) -> Foreign {
    let vhd = |bytes: &[u8]| {
        bytes
            .starts_with(b"conectix")
            .then(|| stranger(FileClass::Disk, VHD, DISK))
    };
    elf(prefix)
        .or_else(|| by_magic(prefix))
        .or_else(|| vhd(footer))
        .or_else(|| packed(path, prefix))
        .or_else(|| disk_or_archive(path, prefix))
        .or_else(|| by_name(path, prefix))
        .unwrap_or_else(|| by_content(prefix))
}

fn stranger(class: FileClass, found: &str, next: &str) -> Foreign {
    Foreign {
        class,
        found: found.to_owned(),
        next: next.to_owned(),
    }
}

fn by_magic(prefix: &[u8]) -> Option<Foreign> {
    let &(_, class, found, next) = MAGICS.iter().find(|(magic, ..)| prefix.starts_with(magic))?;
    Some(stranger(class, found, next))
}

/// Virtual machines write their memory as ELF core files (e_type 4), as Linux does. Who wrote one is told by the
/// names of its notes, near the start of the file.
fn elf(prefix: &[u8]) -> Option<Foreign> {
    const CORE: u16 = 4;
    if !prefix.starts_with(b"\x7fELF") {
        return None;
    }
    // e_type, and not e_machine: QEMU 7.2 writes 3 (386) there for a 64-bit guest whose first processor was not
    // in long mode when it was stopped.
    if le::u16(prefix, 0x10) != Some(CORE) {
        return Some(stranger(
            FileClass::Program,
            "an ELF program or library",
            NAME_THE_DUMP,
        ));
    }
    let has_note = |name: &[u8]| prefix.windows(name.len()).any(|bytes| bytes == name);
    // VirtualBox names its first note VBCORE (dbgfcorefmt.h). QEMU has notes of the name CORE for all
    // processors first, as Linux does, and behind them one QEMU for each.
    let (found, next) = if has_note(b"VBCORE\0") {
        ("an ELF core file of VirtualBox (dumpvmcore)", VIRTUALBOX)
    } else if has_note(b"QEMU\0") {
        ("an ELF core file of QEMU (dump-guest-memory)", ELF_CORE)
    } else {
        ("an ELF core file, as virtual machines write", ELF_CORE)
    };
    Some(stranger(FileClass::Memory, found, next))
}

/// What has its signature behind the first bytes.
fn disk_or_archive(path: &Path, prefix: &[u8]) -> Option<Foreign> {
    if le::array(prefix, 0x101) == Some(*b"ustar") {
        return Some(unpack(path, "a tar file", "tar -xf"));
    }
    // A text comes before the signature of VirtualBox's disks, which was another in each time of its makers.
    if le::u32(prefix, 0x40) == Some(0xbeda_107f) {
        return Some(stranger(FileClass::Disk, "a VirtualBox disk (VDI)", DISK));
    }
    // A master boot record: the mark at its end, and four partitions that are active (80) or not (0).
    let partitions = [0x1be, 0x1ce, 0x1de, 0x1ee].map(|at| prefix.get(at));
    let valid = partitions.iter().all(|byte| matches!(byte, Some(0 | 0x80)));
    (valid && le::u16(prefix, 0x1fe) == Some(0xaa55))
        .then(|| stranger(FileClass::Disk, "an image of a whole disk", DISK))
}

fn packed(path: &Path, prefix: &[u8]) -> Option<Foreign> {
    let &(_, found, name, command) = PACKED.iter().find(|(magic, ..)| prefix.starts_with(magic))?;
    let inside = name(prefix).filter(|name| !name.is_empty());
    let found = inside.map_or(found.to_owned(), |name| format!("{found} that holds {name}"));
    let mut packed = unpack(path, &found, command);
    if of_a_symbol_store(path) {
        packed.class = FileClass::Program;
    }
    Some(packed)
}

/// Whether a file is called as symbol stores call what they compress: `ntkrnlmp.pd_`, `ntoskrnl.ex_`.
fn of_a_symbol_store(path: &Path) -> bool {
    // `symstore add /compress` makes a cabinet of each file and replaces the last letter of its extension by
    // `_`.
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|extension| extension.len() == 3 && extension.ends_with('_'))
}

/// A file to be unpacked by a command, the file's name to follow.
fn unpack(path: &Path, found: &str, command: &str) -> Foreign {
    let file = path.display();
    // What Windows has; elsewhere there is another.
    let next = match command {
        "expand -F:*" => format!("unpack it first: `expand \"{file}\" -F:* .` or `cabextract \"{file}\"`"),
        "unzip" => format!("unpack it first: `unzip \"{file}\"`, on Windows `tar -xf \"{file}\"`"),
        _ => format!("unpack it first: `{command} \"{file}\"`"),
    };
    stranger(FileClass::Compressed, found, &next)
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
    let named = |name: &str| {
        let file = path.file_name().and_then(|file| file.to_str());
        file.is_some_and(|file| file.eq_ignore_ascii_case(name))
    };
    // It comes here with zeros at its beginning: Windows 8 and later erase the header when they resume.
    if named("hiberfil.sys") {
        return Some(stranger(
            FileClass::Unknown,
            "a hibernation file whose header Windows erased when it resumed",
            "take a crash dump instead: the file's memory is compressed and incomplete",
        ));
    }
    // Pages that were in use, without anything that says which; the tables that know are in memory.
    if named("pagefile.sys") || named("swapfile.sys") {
        return Some(stranger(FileClass::Unknown, "a paging file", NAME_THE_DUMP));
    }
    if is_text(prefix) {
        return None;
    }
    // Other things are called .bin as well: the file beside it tells.
    let extension = path.extension()?.to_str()?;
    if extension.eq_ignore_ascii_case("bin") && path.with_extension("vsv").is_file() {
        let found = "the memory of a machine of an old Hyper-V (.bin, with its state in a .vsv)";
        return Some(stranger(FileClass::Unknown, found, OLD_HYPER_V));
    }
    // Raw memory has no first bytes of its own: a .vmem begins with whatever the guest has at physical address
    // 0.
    let &(_, found, next) = NAMES
        .iter()
        .find(|(end, ..)| extension.eq_ignore_ascii_case(end))?;
    Some(stranger(FileClass::Unknown, found, next))
}

fn by_content(prefix: &[u8]) -> Foreign {
    let next = "name a memory.dmp";
    if prefix.iter().all(|&byte| byte == 0) {
        // A dump that was being copied, or whose writing Windows never finished, has its length but zeros; a raw
        // image of a machine without BIOS may begin so as well.
        return stranger(
            FileClass::Zeros,
            "a file that begins with zeros",
            "copy the dump again; of a raw memory image, name its page tables with --dtb",
        );
    }
    if is_text(prefix) {
        return stranger(FileClass::Text, "a text file", next);
    }
    stranger(FileClass::Unknown, "a file of an unknown kind", next)
}

/// UTF-8 without control characters other than those of lines; its last character may be cut off.
fn is_text(bytes: &[u8]) -> bool {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() && error.valid_up_to() != 0 => {
            let valid = bytes.get(..error.valid_up_to()).unwrap_or_default();
            str::from_utf8(valid).unwrap_or_default()
        }
        Err(_) => return false,
    };
    !text
        .chars()
        .any(|char| char.is_control() && !matches!(char, '\t' | '\n' | '\r' | '\x0c'))
}
