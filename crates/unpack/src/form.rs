//! The forms, by their first bytes.

use std::fmt;

/// How many first bytes tell.
pub(crate) const HEAD: usize = 8;

/// A packed form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Form {
    /// RFC 1952, of one file or several ones behind each other.
    Gzip,
    /// RFC 8878.
    Zstandard,
    /// The .xz format of XZ Utils.
    Xz,
    /// What bzip2 and pbzip2 write.
    Bzip2,
    /// PKWARE's archive.
    Zip,
    /// 7-Zip's archive.
    SevenZip,
    /// Microsoft's archive, in which Windows Error Reporting sends dumps.
    Cabinet,
}

const MAGICS: [(&[u8], Form); 7] = [
    (b"\x1f\x8b", Form::Gzip),
    (b"\x28\xb5\x2f\xfd", Form::Zstandard),
    (b"\xfd7zXZ\0", Form::Xz),
    (b"BZh", Form::Bzip2),
    (b"PK\x03\x04", Form::Zip),
    (b"7z\xbc\xaf\x27\x1c", Form::SevenZip),
    (b"MSCF", Form::Cabinet),
];

impl Form {
    /// The form of a file that begins so.
    pub fn of(head: &[u8]) -> Option<Form> {
        let (_, form) = MAGICS.iter().find(|(magic, _)| head.starts_with(magic))?;
        Some(*form)
    }

    /// How the names of such files end, without the point: none of archives.
    pub fn ends(self) -> &'static [&'static str] {
        match self {
            Form::Gzip => &["gz"],
            Form::Zstandard => &["zst", "zstd"],
            Form::Xz => &["xz"],
            Form::Bzip2 => &["bz2"],
            Form::Zip | Form::SevenZip | Form::Cabinet => &[],
        }
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Form::Gzip => "a gzip file",
            Form::Zstandard => "a Zstandard file",
            Form::Xz => "an xz file",
            Form::Bzip2 => "a bzip2 file",
            Form::Zip => "a zip file",
            Form::SevenZip => "a 7-Zip file",
            Form::Cabinet => "a cabinet file",
        })
    }
}
