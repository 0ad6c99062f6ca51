//! What a file is that is not a kernel dump, told by its first bytes.

/// A kind of file that people name by mistake.
pub(crate) struct Foreign {
    /// What it is, with its article.
    pub(crate) found: &'static str,
    /// What to do about it.
    pub(crate) next: &'static str,
}

const UNPACK: &str = "unpack it first";
const NAME_THE_DUMP: &str = "name the memory.dmp that goes with it";
const CONVERT: &str = "convert it to a Windows crash dump first";
const COPY_AGAIN: &str = "copy the dump again";

/// First bytes, what they begin, what to do. The first that fits is taken.
const MAGICS: &[(&[u8], &str, &str)] = &[
    (
        b"MDMP",
        "a user-mode minidump",
        "take a kernel dump: a user dump holds one process and no ALPC objects",
    ),
    (b"\x7fELF", "an ELF file", CONVERT),
    (b"MZ", "a program or library (PE)", NAME_THE_DUMP),
    (b"Microsoft C/C++ MSF 7.00", "a PDB", NAME_THE_DUMP),
    (b"Microsoft C/C++ program database", "an old PDB", NAME_THE_DUMP),
    (b"Microsoft MSFZ Container", "a compressed PDB", NAME_THE_DUMP),
    (b"\x1f\x8b", "a gzip file", UNPACK),
    (b"PK\x03\x04", "a zip file", UNPACK),
    (b"\xfd7zXZ\0", "an xz file", UNPACK),
    (b"\x28\xb5\x2f\xfd", "a Zstandard file", UNPACK),
    (b"BZh", "a bzip2 file", UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip file", UNPACK),
    (b"Rar!", "a RAR file", UNPACK),
    (b"MSCF", "a cabinet file", UNPACK),
    (b"HIBR", "a hibernation file", CONVERT),
    (b"hibr", "a hibernation file", CONVERT),
    (b"RSTR", "a hibernation file", CONVERT),
    (b"WAKE", "a hibernation file", CONVERT),
    (b"wake", "a hibernation file", CONVERT),
    (b"\xd0\xbe\xd2\xbe", "a VMware snapshot", CONVERT),
    (b"\xd1\xba\xd1\xba", "a VMware snapshot", CONVERT),
    (b"\xd2\xbe\xd2\xbe", "a VMware snapshot", CONVERT),
    (b"\xd3\xbe\xd3\xbe", "a VMware snapshot", CONVERT),
    (b"EMiL", "a LiME memory image", CONVERT),
    (
        b"version https://git-lfs",
        "a Git LFS pointer",
        "fetch the file that it stands for",
    ),
    (b"<!DOCTYPE", "a web page", "download the dump again"),
    (b"<!doctype", "a web page", "download the dump again"),
    (b"<html", "a web page", "download the dump again"),
    (
        b"PAGE",
        "a damaged kernel dump whose header names no word size",
        COPY_AGAIN,
    ),
];

/// Names the kind of file that begins with `prefix`, which is known not to be a dump's header.
pub(crate) fn identify(prefix: &[u8]) -> Foreign {
    for &(magic, found, next) in MAGICS {
        if prefix.starts_with(magic) {
            return Foreign { found, next };
        }
    }
    let next = "name a memory.dmp";
    if prefix.iter().all(|&byte| byte == 0) {
        // A dump that was being copied, or whose writing Windows never finished, has its length but zeros.
        return Foreign {
            found: "a file that begins with zeros",
            next: COPY_AGAIN,
        };
    }
    if prefix
        .iter()
        .all(|byte| matches!(byte, b'\t' | b'\n' | b'\r' | 0x20..=0x7e))
    {
        return Foreign {
            found: "a text file",
            next,
        };
    }
    Foreign {
        found: "a file of an unknown kind",
        next,
    }
}
