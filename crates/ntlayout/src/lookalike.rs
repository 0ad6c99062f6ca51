//! Files that stand where a PDB should, named for what they are.

use std::fmt;

/// What a file that is no PDB is, by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Lookalike {
    /// A compressed PDB in Microsoft's newer container.
    Msfz,
    /// A PDB of Visual C++ 6 or before.
    Pdb20,
    /// A portable PDB, which describes .NET code.
    PortablePdb,
    /// A web page, as a proxy or a failed download leaves it.
    Html,
    /// A placeholder of Git LFS instead of the file's content.
    GitLfs,
    /// A compressed file of a symbol store (`.pd_`).
    Cabinet,
    /// An executable image.
    Image,
    /// A pointer of a symbol store (`file.ptr`).
    FilePointer,
    /// A zip archive, as Volatility's symbols are published.
    Zip,
    /// A file that bzip2 compressed.
    Bzip2,
    /// A file that zstd compressed.
    Zstd,
    /// Text in UTF-16, as the redirections of PowerShell write it.
    Utf16,
    /// Nothing that is known here.
    Unknown,
}

/// How many bytes [`Lookalike::of`] wants to see.
pub(crate) const SNIFF: usize = 64;

impl Lookalike {
    /// Judges by the beginning of a file that does not start as a PDB does.
    pub(crate) fn of(head: &[u8]) -> Self {
        const SIGNATURES: [(&[u8], Lookalike); 13] = [
            // A PDB in compressed pieces (microsoft/pdb-rs has the format).
            (b"Microsoft MSFZ Container", Lookalike::Msfz),
            (b"Microsoft C/C++ program database 2.00", Lookalike::Pdb20),
            // The signature of .NET metadata, which such a file is (ECMA-335, II.24.2.1).
            (b"BSJB", Lookalike::PortablePdb),
            (b"version https://git-lfs.github.com/", Lookalike::GitLfs),
            (b"MSCF", Lookalike::Cabinet),
            (b"MZ", Lookalike::Image),
            // symstore writes it for `/p`, in the place of the file (Microsoft's "SymStore").
            (b"PATH:", Lookalike::FilePointer),
            (b"PK\x03\x04", Lookalike::Zip),
            // An archive with no file in it has only the record of its end (APPNOTE.TXT of zip).
            (b"PK\x05\x06", Lookalike::Zip),
            (b"BZh", Lookalike::Bzip2),
            (b"\x28\xb5\x2f\xfd", Lookalike::Zstd),
            (b"\xff\xfe", Lookalike::Utf16),
            (b"\xfe\xff", Lookalike::Utf16),
        ];
        let known = SIGNATURES
            .iter()
            .find(|(signature, _)| head.starts_with(signature));
        known.map_or_else(|| Self::of_text(head), |&(_, kind)| kind)
    }

    fn of_text(head: &[u8]) -> Self {
        let text = head
            .strip_prefix(b"\xef\xbb\xbf")
            .unwrap_or(head)
            .trim_ascii_start();
        // Servers and proxies send their error pages where the PDB should come, and a tool that does not look
        // at the status saves them under its name.
        let html = [&b"<!doctype"[..], b"<html", b"<head", b"<?xml"];
        let is_html = html.iter().any(|tag| {
            text.get(..tag.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(tag))
        });
        if is_html { Self::Html } else { Self::Unknown }
    }

    /// Stable, kebab-case.
    pub(crate) fn id(self) -> &'static str {
        match self {
            Self::Msfz => "pdb-msfz",
            Self::Pdb20 => "pdb-format-2",
            Self::PortablePdb => "pdb-portable",
            Self::Html => "pdb-html",
            Self::GitLfs => "pdb-git-lfs",
            Self::Cabinet => "pdb-cabinet",
            Self::Image => "pdb-is-image",
            Self::FilePointer => "pdb-is-file-pointer",
            Self::Zip => "symbols-in-zip",
            Self::Bzip2 => "symbols-in-bzip2",
            Self::Zstd => "symbols-in-zstd",
            Self::Utf16 => "symbols-utf-16",
            Self::Unknown => "not-a-pdb",
        }
    }
}

impl fmt::Display for Lookalike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Msfz => {
                "a compressed PDB (Microsoft MSFZ Container); fetch the uncompressed PDB or expand it first"
            }
            Self::Pdb20 => {
                "a PDB of the old format 2.00 (Visual C++ 6 or before), which no kernel since Vista has"
            }
            Self::PortablePdb => "a portable PDB (BSJB), which describes .NET code and no kernel",
            Self::Html => "a web page (HTML), most likely an error page saved by a failed download",
            Self::GitLfs => "a Git LFS pointer, not the file itself; `git lfs pull` fetches the content",
            Self::Cabinet => "a cabinet (MSCF), as symbol stores compress PDBs; expand it first",
            Self::Image => "an executable image (MZ), not its PDB",
            Self::FilePointer => "a symbol store's pointer to another file",
            Self::Zip => "a zip archive; if it is one of symbols, unpack it and name the folder",
            Self::Bzip2 => {
                "compressed with bzip2; expand it first (`bunzip2`), or compress it with xz or gzip"
            }
            Self::Zstd => "compressed with zstd; expand it first (`unzstd`), or compress it with xz or gzip",
            Self::Utf16 => "text in UTF-16; write it in UTF-8",
            Self::Unknown => "not a PDB",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beginnings_are_told_apart() {
        let cases: [(&[u8], Lookalike); 14] = [
            (b"Microsoft MSFZ Container\r\n\x1aALD\0\0", Lookalike::Msfz),
            (
                b"Microsoft C/C++ program database 2.00\r\n\x1aJG\0\0",
                Lookalike::Pdb20,
            ),
            (b"BSJB\x01\0\x01\0", Lookalike::PortablePdb),
            (b"\xef\xbb\xbf\r\n<!DOCTYPE html>", Lookalike::Html),
            (b"<HTML><body>404", Lookalike::Html),
            (b"version https://git-lfs.github.com/spec/v1\n", Lookalike::GitLfs),
            (b"MSCF\0\0\0\0", Lookalike::Cabinet),
            (b"MZ\x90\0", Lookalike::Image),
            (b"PK\x03\x04\x14\0", Lookalike::Zip),
            (b"BZh91AY&SY", Lookalike::Bzip2),
            (b"\x28\xb5\x2f\xfd\x24", Lookalike::Zstd),
            (b"\xff\xfe{\0", Lookalike::Utf16),
            (b"PAGEDU64", Lookalike::Unknown),
            (b"<h", Lookalike::Unknown),
        ];
        for (head, kind) in cases {
            assert_eq!(Lookalike::of(head), kind, "{head:?}");
        }
    }
}
