//! Opening whatever kind of symbol file is at a path.

use std::fs::File;
#[cfg(any(feature = "symbols-cab", all(feature = "symbols-zip", feature = "symbols-xz")))]
use std::io::Cursor;
use std::io::{ErrorKind, Read, Seek};
use std::path::Path;

#[cfg(feature = "symbols-cab")]
use crate::bytes::{Cursor as Bytes, index};
use crate::error::SymbolError;
use crate::flat::{FORMAT, Flat};
use crate::identity::Identity;
use crate::isf::Isf;
use crate::lookalike::{Lookalike, SNIFF};
use crate::pdb::Pdb;
use crate::table::Table;

/// No kernel's PDB comes near this, expanded.
#[cfg(any(feature = "symbols-cab", feature = "symbols-msfz"))]
const MAX_PDB: u64 = 256 << 20;
/// Nor does a table come near this: those of kernels are 3 to 7 MB. What it is read into takes many times as much.
const MAX_TEXT: u64 = 64 << 20;
/// What expanding may take: an xz file says itself how large a dictionary it wants, up to 4 GiB. That of `xz -9` is
/// 64 MiB.
#[cfg(feature = "symbols-xz")]
const MAX_DICTIONARY_KIB: u32 = 128 << 10;
const XZ: &[u8] = b"\xfd7zXZ\0";
const GZIP: &[u8] = b"\x1f\x8b";

/// Opens a symbol file of any kind, told by its content: a PDB, one that a symbol store compressed (`.pd_`, or in the container MSFZ),
/// an ISF table of Volatility (`.json`, `.json.xz`, `.json.gz`, `.json.bz2`), or a [pack](crate::pack).
///
/// # Errors
/// The file cannot be read, is of no kind known here, or is damaged.
pub fn open(path: &Path) -> Result<Table, SymbolError> {
    open_for(path, None)
}

/// The same, where of a file with packs of several kernels that of a wanted one serves.
pub(crate) fn open_for(path: &Path, wanted: Option<&Identity>) -> Result<Table, SymbolError> {
    let io = |source| SymbolError::Io {
        path: path.to_owned(),
        source,
    };
    if !std::fs::metadata(path).map_err(io)?.is_file() {
        return Err(SymbolError::NotAFile {
            path: path.to_owned(),
        });
    }
    let mut file = File::open(path).map_err(io)?;
    let mut head = Vec::new();
    let sniff = u64::try_from(SNIFF).unwrap_or(u64::MAX);
    file.by_ref().take(sniff).read_to_end(&mut head).map_err(io)?;
    file.rewind().map_err(io)?;
    // By contents and not by name: browsers and proxies unpack .gz files on the way and leave the name as it
    // was.
    if head.starts_with(XZ) {
        xz(path, file)
    } else if Lookalike::of(&head) == Lookalike::Bzip2 {
        bzip2(path, file)
    } else if head.starts_with(GZIP) {
        // A gzip file may be several ones behind each other (pigz, `cat a.gz b.gz`): a plain decoder ends after
        // the first without an error.
        isf(path, flate2::read::MultiGzDecoder::new(file))
    } else if without_bom(&head).trim_ascii_start().starts_with(b"{") {
        isf(path, file)
    } else if head.starts_with(FORMAT.as_bytes()) {
        pack(path, file, wanted)
    } else if Lookalike::of(&head) == Lookalike::Cabinet {
        cabinet(path, file)
    } else if Lookalike::of(&head) == Lookalike::Msfz {
        msfz(path, file)
    } else {
        Ok(Box::new(Pdb::open(path)?))
    }
}

#[cfg(feature = "symbols-bz2")]
fn bzip2(path: &Path, file: File) -> Result<Table, SymbolError> {
    // pbzip2 writes a stream for each 900 kB of text: one decoder for all of them.
    isf(path, bzip2::read::MultiBzDecoder::new(file))
}

#[cfg(not(feature = "symbols-bz2"))]
fn bzip2(path: &Path, _: File) -> Result<Table, SymbolError> {
    Err(left_out(path, "a bzip2 file"))
}

/// Opens what is in an archive under that place: a table of Volatility, by what its name ends in.
#[cfg(feature = "symbols-zip")]
pub(crate) fn member(path: &Path, name: &str, reader: impl Read) -> Result<Table, SymbolError> {
    // From memory: what a decoder reads is what the archive holds of this member.
    let packed = read_all(path, "archive of tables", reader, MAX_TEXT)?;
    if packed.starts_with(XZ) {
        return member_xz(path, packed);
    }
    if packed.starts_with(GZIP) {
        return isf(path, flate2::read::MultiGzDecoder::new(packed.as_slice()));
    }
    if name.ends_with(".bz2") {
        return member_bz2(path, packed);
    }
    isf(path, packed.as_slice())
}

#[cfg(all(feature = "symbols-zip", feature = "symbols-xz"))]
fn member_xz(path: &Path, packed: Vec<u8>) -> Result<Table, SymbolError> {
    let packed = Cursor::new(packed);
    isf(
        path,
        lzma_rust2::XzReader::new_mem_limit(packed, true, MAX_DICTIONARY_KIB),
    )
}

#[cfg(all(feature = "symbols-zip", not(feature = "symbols-xz")))]
fn member_xz(path: &Path, _: Vec<u8>) -> Result<Table, SymbolError> {
    Err(left_out(path, "an xz file"))
}

#[cfg(all(feature = "symbols-zip", feature = "symbols-bz2"))]
fn member_bz2(path: &Path, packed: Vec<u8>) -> Result<Table, SymbolError> {
    isf(path, bzip2::read::MultiBzDecoder::new(packed.as_slice()))
}

#[cfg(all(feature = "symbols-zip", not(feature = "symbols-bz2")))]
fn member_bz2(path: &Path, _: Vec<u8>) -> Result<Table, SymbolError> {
    Err(left_out(path, "a bzip2 file"))
}

#[cfg(feature = "symbols-xz")]
fn xz(path: &Path, file: File) -> Result<Table, SymbolError> {
    isf(
        path,
        lzma_rust2::XzReader::new_mem_limit(file, true, MAX_DICTIONARY_KIB),
    )
}

#[cfg(not(feature = "symbols-xz"))]
fn xz(path: &Path, _: File) -> Result<Table, SymbolError> {
    Err(left_out(path, "an xz file"))
}

/// A file of a kind that this build does not read.
#[cfg(not(all(
    feature = "symbols-cab",
    feature = "symbols-msfz",
    feature = "symbols-xz",
    feature = "symbols-bz2"
)))]
fn left_out(path: &Path, kind: &'static str) -> SymbolError {
    SymbolError::LeftOut {
        path: path.to_owned(),
        kind,
    }
}

/// Reads all of what a decoder gives, up to what a symbol file can be.
fn read_all(path: &Path, kind: &'static str, reader: impl Read, most: u64) -> Result<Vec<u8>, SymbolError> {
    let damaged = |detail| SymbolError::Damaged {
        path: path.to_owned(),
        kind,
        detail,
    };
    let mut bytes = Vec::new();
    let mut reader = reader.take(most.saturating_add(1));
    reader
        .read_to_end(&mut bytes)
        .map_err(|error| match error.kind() {
            ErrorKind::OutOfMemory => damaged("expanding it takes too much memory".to_owned()),
            _ => damaged(error.to_string()),
        })?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > most {
        return Err(damaged(format!("it holds more than {most} bytes")));
    }
    Ok(bytes)
}

fn isf(path: &Path, reader: impl Read) -> Result<Table, SymbolError> {
    let text = read_all(path, "ISF table", reader, MAX_TEXT)?;
    Ok(Box::new(Isf::from_json(path, without_bom(&text))?))
}

/// Text without the mark that editors of Windows put before UTF-8.
fn without_bom(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text)
}

fn pack(path: &Path, reader: impl Read, wanted: Option<&Identity>) -> Result<Table, SymbolError> {
    let text = read_all(path, "layout pack", reader, MAX_TEXT)?;
    let text = String::from_utf8_lossy(&text);
    Ok(Box::new(Flat::from_pack(path, &text, wanted)?))
}

#[cfg(not(feature = "symbols-msfz"))]
fn msfz(path: &Path, _: File) -> Result<Table, SymbolError> {
    Err(left_out(path, "a compressed PDB (MSFZ)"))
}

/// A PDB in Microsoft's compressed container.
#[cfg(feature = "symbols-msfz")]
fn msfz(path: &Path, file: File) -> Result<Table, SymbolError> {
    const KIND: &str = "compressed PDB (MSFZ)";
    let packed = read_all(path, KIND, file, MAX_PDB)?;
    let most = usize::try_from(MAX_PDB).unwrap_or(usize::MAX);
    let bytes = crate::msfz::unpacked(&packed, most).map_err(|detail| SymbolError::Damaged {
        path: path.to_owned(),
        kind: KIND,
        detail,
    })?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    Ok(Box::new(Pdb::from_packed(path, &name, bytes)?))
}

#[cfg(not(feature = "symbols-cab"))]
fn cabinet(path: &Path, _: File) -> Result<Table, SymbolError> {
    Err(left_out(path, "a cabinet"))
}

/// The one file that a symbol store's cabinet holds.
#[cfg(feature = "symbols-cab")]
fn cabinet(path: &Path, mut file: File) -> Result<Table, SymbolError> {
    const KIND: &str = "cabinet";
    let damaged = |detail: String| SymbolError::Damaged {
        path: path.to_owned(),
        kind: KIND,
        detail,
    };
    // From memory, so that a cabinet's own offsets cannot lead outside of what was read.
    let packed = read_all(path, KIND, &mut file, MAX_PDB)?;
    check_cabinet(&packed)
        .ok_or_else(|| damaged("it is not one file at the start of one folder".to_owned()))?;
    let mut cabinet = cab::Cabinet::new(Cursor::new(packed)).map_err(|error| damaged(error.to_string()))?;
    let name = cabinet
        .folder_entries()
        .flat_map(|folder| folder.file_entries().map(|entry| entry.name().to_owned()))
        .next()
        .ok_or_else(|| damaged("it is empty".to_owned()))?;
    let reader = cabinet
        .read_file(&name)
        .map_err(|error| damaged(error.to_string()))?;
    let bytes = read_all(path, KIND, reader, MAX_PDB)?;
    let name = name.rsplit(['/', '\\']).next().unwrap_or_default().to_owned();
    Ok(Box::new(Pdb::from_packed(path, &name, bytes)?))
}

/// Whether a cabinet has one file, which begins where its folder does, as symbol stores make them: `cab` looks
/// for any other place without checking that there is one. Format: Microsoft's "Microsoft Cabinet Format".
#[cfg(feature = "symbols-cab")]
fn check_cabinet(packed: &[u8]) -> Option<()> {
    let mut header = Bytes::at(packed, 16)?;
    let file = header.u32()?;
    header.skip(6)?;
    let (folders, files) = (header.u16()?, header.u16()?);
    let mut file = Bytes::at(packed, index(file))?;
    let _len = file.u32()?;
    let (start, folder) = (file.u32()?, file.u16()?);
    ((folders, files, start, folder) == (1, 1, 0, 0)).then_some(())
}
