//! Files that hold one dump in packed form: what is in them, and how it comes out.
//!
//! None of these forms can be read from the middle on, which page tables ask for at every step: a dump is unpacked once,
//! from its beginning to its end, into a file. The decoders are those of well-kept crates; here is only which of them a
//! file needs, which of its files is the dump, and that nothing of a damaged one is taken for whole.

#![forbid(unsafe_code)]

mod archive;
mod choose;
mod error;
mod form;
mod guarded;
mod stream;
mod why;

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, Write};
use std::path::{Path, PathBuf};

pub use crate::error::UnpackError;
pub use crate::form::Form;
use crate::why::Why;

/// How much of a file is read at once.
const BUFFER: usize = 256 << 10;

/// A packed file, and which of the files in it is the dump.
#[derive(Debug)]
pub struct Packed {
    path: PathBuf,
    form: Form,
    file: File,
    /// The name of the file inside, as it is written there; none where the form keeps no names.
    member: Option<String>,
    /// Its length in bytes, where the form tells before it is unpacked.
    len: Option<u64>,
}

impl Packed {
    /// Opens a file; `None` when its first bytes are of no form that is unpacked here.
    ///
    /// # Errors
    /// The file cannot be read, its list of files is damaged, or more than one of them may be the dump.
    pub fn open(path: &Path) -> Result<Option<Packed>, UnpackError> {
        let io = |source| UnpackError::Io {
            path: path.to_owned(),
            source,
        };
        let mut file = File::open(path).map_err(io)?;
        let mut head = Vec::new();
        (&file)
            .take(form::HEAD as u64)
            .read_to_end(&mut head)
            .map_err(io)?;
        file.rewind().map_err(io)?;
        let Some(form) = Form::of(&head) else {
            return Ok(None);
        };
        let mut packed = Packed {
            path: path.to_owned(),
            form,
            file,
            member: None,
            len: None,
        };
        if let Some(members) = archive::members(form, &packed.file).map_err(|why| packed.failed(why))? {
            let member = choose::dump(&members).map_err(|among| UnpackError::NotOne {
                path: path.to_owned(),
                form,
                among,
            })?;
            packed.member = Some(member.name.clone());
            packed.len = member.len;
        }
        Ok(Some(packed))
    }

    /// The form of the file.
    pub fn form(&self) -> Form {
        self.form
    }

    /// The name of the dump in an archive, as it is written there: nothing promises that it is a name and no path.
    pub fn member(&self) -> Option<&str> {
        self.member.as_deref()
    }

    /// How many bytes come out, where the file says so.
    pub fn len(&self) -> Option<u64> {
        self.len
    }

    /// Whether the file says that nothing comes out.
    pub fn is_empty(&self) -> bool {
        self.len == Some(0)
    }

    /// Writes the dump to `out`, and how many bytes it has. What has been written is whole only when this succeeds.
    ///
    /// # Errors
    /// The file is damaged or cut, uses what its decoder does not know, or `out` fails.
    pub fn unpack(&self, out: &mut dyn Write) -> Result<u64, UnpackError> {
        let mut counted = Counted {
            out,
            written: 0,
            failed: None,
        };
        let file = self.file.try_clone().and_then(|mut file| {
            file.rewind()?;
            Ok(file)
        });
        let file = BufReader::with_capacity(
            BUFFER,
            file.map_err(|source| UnpackError::Io {
                path: self.path.clone(),
                source,
            })?,
        );
        let result = match &self.member {
            Some(member) => archive::unpack(self.form, file, member, &mut counted),
            None => stream::unpack(self.form, file, &mut counted),
        };
        if let Some(source) = counted.failed {
            return Err(UnpackError::Out { source });
        }
        result.map_err(|why| self.failed(why))?;
        match self.len {
            Some(len) if len != counted.written => Err(self.failed(Why::Damaged(format!(
                "{len} bytes are said to be in it, {} came out",
                counted.written
            )))),
            _ => Ok(counted.written),
        }
    }

    fn failed(&self, why: Why) -> UnpackError {
        let (path, form) = (self.path.clone(), self.form);
        match why {
            Why::Damaged(why) => UnpackError::Damaged { path, form, why },
            Why::Foreign(why) => UnpackError::Foreign { path, form, why },
        }
    }
}

/// Tells what fails in writing from what fails in reading: decoders report both alike.
struct Counted<'o> {
    out: &'o mut dyn Write,
    written: u64,
    failed: Option<io::Error>,
}

impl Write for Counted<'_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match self.out.write(buf) {
            Ok(written) => {
                self.written = self.written.saturating_add(written as u64);
                Ok(written)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) => {
                let kind = error.kind();
                self.failed = Some(error);
                Err(kind.into())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Copies all that a decoder gives.
fn copy(from: &mut dyn Read, out: &mut Counted<'_>) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => out.write_all(buffer.get(..read).unwrap_or_default())?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
