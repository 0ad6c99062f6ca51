//! Dumps in packed files, unpacked once into a folder that was named for it.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use kdump::{FileClass, file_kind};
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;
use unpack::{Packed, UnpackError};

use crate::failure::Failure;
use crate::host::interrupt;
use crate::host::status_line::{self, Pace};

/// How many bytes are looked at before the rest is unpacked, to see whether they begin a dump.
const HEAD: u64 = 1 << 20;
/// Of what is unpacked nothing is written where this many bytes in a row are zero: file systems keep such files small.
const BLOCK: usize = 64 << 10;
/// How much of both ends of a packed file tells it from others.
const ENDS: u64 = 64 << 10;

/// The dump in a packed file, in a folder; `None` when the file is not packed in a form that is unpacked here.
///
/// # Errors
/// It cannot be unpacked, holds no dump, or cannot be written.
pub fn dump(path: &Path, folder: &Path, progress: bool) -> anyhow::Result<Option<PathBuf>> {
    let Some(packed) = Packed::open(path).map_err(|error| failure(folder, &error))? else {
        return Ok(None);
    };
    let failed = |error: &io::Error| unwritten(folder, error);
    fs::create_dir_all(folder).map_err(|error| failed(&error))?;
    let name =
        name(path, &packed).map_err(|error| Failure::fatal("io", format!("{}: {error}", path.display())))?;
    let becomes = folder.join(name);
    if becomes.is_file() {
        return Ok(Some(becomes));
    }
    let file = interrupt::temporary(|| NamedTempFile::new_in(folder)).map_err(|error| failed(&error))?;
    let mut out = Sparse::new(&file, path, progress);
    let result = match packed.unpack(&mut out) {
        Ok(len) => out.finish(len).map_err(|error| failed(&error)),
        Err(error) => Err(failure(folder, &error)),
    };
    // Why it is refused comes back as an error of the writer.
    let result = match out.refused.take() {
        Some(found) => Err(not_a_dump(path, &packed, &found)),
        None => result,
    };
    let temporary = file.path().to_owned();
    let settled = interrupt::settle(&temporary, || match result {
        Ok(()) => file
            .persist(&becomes)
            .map_err(|error| failed(&error.error))
            .map(drop),
        Err(error) => Err(error),
    });
    settled.map(|()| Some(becomes))
}

/// What a message about a packed file should add where nobody said where to unpack it.
pub fn advice(path: &Path) -> &'static str {
    match Packed::open(path) {
        Ok(None) => "",
        _ => ", or let this program do so: --unpack FOLDER",
    }
}

/// A name that the same file has at each run, and no other one.
fn name(path: &Path, packed: &Packed) -> io::Result<String> {
    let mut file = File::open(path)?;
    let metadata = file.metadata()?;
    let mut hash = Sha256::new();
    hash.update(metadata.len().to_le_bytes());
    let modified = metadata
        .modified()
        .ok()
        .and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok())
        .map_or(0, |time| time.as_nanos());
    hash.update(modified.to_le_bytes());
    let mut ends = Vec::new();
    (&file).take(ENDS).read_to_end(&mut ends)?;
    file.seek(SeekFrom::Start(metadata.len().saturating_sub(ENDS)))?;
    (&file).take(ENDS).read_to_end(&mut ends)?;
    hash.update(&ends);
    let digest: String = hash
        .finalize()
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let (stem, end) = inner_name(path, packed);
    Ok(format!("{stem}-{digest}.{end}"))
}

/// What the dump is called, in two parts, of letters that mean nothing to any file system.
fn inner_name(path: &Path, packed: &Packed) -> (String, String) {
    let outer = path.file_name().map(|name| name.to_string_lossy().into_owned());
    let outer = outer.unwrap_or_default();
    let stripped = outer.rsplit_once('.').filter(|(_, end)| {
        let ends = packed.form().ends();
        ends.iter().any(|known| end.eq_ignore_ascii_case(known))
    });
    let inner = match packed.member() {
        Some(member) => member.rsplit(['/', '\\']).next().unwrap_or_default(),
        None => stripped.map_or(outer.as_str(), |(stem, _)| stem),
    };
    let plain = |text: &str| -> String {
        let plain = |sign: char| match sign.is_ascii_alphanumeric() {
            true => sign,
            false => '_',
        };
        text.chars().take(60).map(plain).collect()
    };
    match inner.rsplit_once('.') {
        Some((stem, end)) if !stem.is_empty() && !end.is_empty() => (plain(stem), plain(end)),
        _ => (plain(inner), "dmp".to_owned()),
    }
}

fn failure(folder: &Path, error: &UnpackError) -> anyhow::Error {
    match error {
        UnpackError::Out { source } => unwritten(folder, source),
        UnpackError::NotOne { .. } => Failure::fatal("packed-not-one", error.to_string()),
        UnpackError::Damaged { .. } => {
            Failure::fatal("packed-damaged", format!("{error}: copy or download it again"))
        }
        UnpackError::Foreign { .. } => Failure::fatal(
            "packed-foreign",
            format!("{error}: unpack it by the program that packed it"),
        ),
        _ => Failure::fatal("io", error.to_string()),
    }
}

fn unwritten(folder: &Path, error: &io::Error) -> anyhow::Error {
    let text = match error.kind() {
        io::ErrorKind::StorageFull => "the disk is full, name a folder with more room".to_owned(),
        _ => error.to_string(),
    };
    Failure::fatal(
        "unpack-folder",
        format!("{}: a dump cannot be unpacked into it: {text}", folder.display()),
    )
}

fn not_a_dump(path: &Path, packed: &Packed, found: &str) -> anyhow::Error {
    let named = packed.member().map_or_else(String::new, |member| {
        format!(" ({})", member.escape_debug().take(80).collect::<String>())
    });
    Failure::fatal(
        "not-a-dump",
        format!(
            "{}: {} that holds no dump, but {found}{named}: name the memory.dmp that goes with it",
            path.display(),
            packed.form()
        ),
    )
}

/// A file in which blocks of zeros are left out, and whose first bytes must be those of a dump.
struct Sparse<'f> {
    file: &'f NamedTempFile,
    path: &'f Path,
    /// What waits until it is a block.
    block: Vec<u8>,
    written: u64,
    looked_at: bool,
    /// What the bytes are that are no dump.
    refused: Option<String>,
    pace: Pace,
}

impl<'f> Sparse<'f> {
    fn new(file: &'f NamedTempFile, path: &'f Path, progress: bool) -> Self {
        Self {
            file,
            path,
            block: Vec::with_capacity(BLOCK),
            written: 0,
            looked_at: false,
            refused: None,
            pace: Pace::new(progress && status_line::is_watched()),
        }
    }

    fn put(&mut self) -> io::Result<()> {
        let mut file = self.file.as_file();
        if self.block.iter().all(|&byte| byte == 0) {
            file.seek(SeekFrom::Current(self.block.len().try_into().unwrap_or(i64::MAX)))?;
        } else {
            file.write_all(&self.block)?;
        }
        self.written = self.written.saturating_add(self.block.len() as u64);
        self.block.clear();
        if !self.looked_at && self.written >= HEAD {
            self.look()?;
        }
        self.say();
        if interrupt::presses() > 0 {
            return Err(io::ErrorKind::Other.into());
        }
        Ok(())
    }

    /// Refuses what is no memory of a system before the rest of it takes room.
    fn look(&mut self) -> io::Result<()> {
        self.looked_at = true;
        // As long as was written: what ends in zeros is not there yet.
        self.file.as_file().set_len(self.written)?;
        match file_kind(self.file.path()) {
            Ok(kind) if !may_be_a_dump(kind.class) => {
                self.refused = Some(kind.found);
                Err(io::ErrorKind::InvalidData.into())
            }
            _ => Ok(()),
        }
    }

    fn finish(&mut self, len: u64) -> Result<(), io::Error> {
        self.put()?;
        if !self.looked_at {
            self.look()?;
        }
        self.file.as_file().set_len(len)?;
        status_line::clear();
        Ok(())
    }

    /// How far it is, for somebody who looks on.
    fn say(&mut self) {
        if self.pace.is_due().is_some() {
            let mib = self.written >> 20;
            let name = self.path.file_name().unwrap_or_default().to_string_lossy();
            let name: String = name.escape_debug().take(30).collect();
            status_line::show(&format!("unpacking {name}: {mib} MiB"));
        }
    }
}

impl Write for Sparse<'_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let room = BLOCK.saturating_sub(self.block.len());
        let taken = buf.get(..room.min(buf.len())).unwrap_or_default();
        self.block.extend_from_slice(taken);
        if self.block.len() == BLOCK {
            self.put()?;
        }
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What is unpacked to its end: also what nothing tells apart from the memory of a machine.
fn may_be_a_dump(class: FileClass) -> bool {
    matches!(
        class,
        FileClass::KernelDump | FileClass::Memory | FileClass::Unknown | FileClass::Zeros
    )
}
