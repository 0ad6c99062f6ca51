//! Where results go: stdout, something that is written where it is, or a file that appears whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::host::pager::Paged;
use crate::host::place::{self, Place};
use crate::host::{guard, interrupt, status_line};

/// Where results go.
///
/// Whoever writes records flushes each, so that a reader sees it as soon as it is there. Without a buffer each line of
/// a document would be a call of the system.
pub struct Target {
    writer: BufWriter<Sink>,
    is_stdout: bool,
}

enum Sink {
    Stream {
        to: Box<dyn Write + Send>,
        /// Whether what nobody reads any more is still to be worked out.
        verdict: bool,
        gone: bool,
    },
    /// A file beside the one that it will become; nothing once it has become that.
    File(Option<Box<(NamedTempFile, Becomes)>>),
}

/// What a file becomes once everything is written.
struct Becomes {
    path: PathBuf,
    /// The file that it replaces.
    #[cfg_attr(not(unix), expect(dead_code, reason = "Windows has no mode to keep"))]
    before: Option<fs::Metadata>,
    /// Whether one that is there by then may be replaced.
    replaces: bool,
}

impl Target {
    /// Stdout, or what `path` leads to. With `verdict` a reader that goes away stops nothing: there is a verdict to be
    /// told by the exit status.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn new(path: Option<&Path>, verdict: bool) -> io::Result<Self> {
        let place = path.map_or(Ok(Place::Stdout), place::of)?;
        Self::at(place, verdict, true)
    }

    /// Stdout, through a pager if one is asked for, with somebody who hears all that is written there.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn heard(ear: Box<dyn Write + Send>, paged: bool) -> io::Result<Self> {
        let to = match paged {
            true => Box::new(Paged::new(stdout()?)),
            false => stdout()?,
        };
        let to = Box::new(Heard { to, ear, paged });
        let sink = Sink::Stream {
            to,
            verdict: false,
            gone: false,
        };
        Ok(Self {
            writer: BufWriter::new(sink),
            is_stdout: true,
        })
    }

    /// The same for a file that replaces none.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn new_file(path: &Path) -> io::Result<Self> {
        match place::of(path)? {
            Place::File { before: Some(_), .. } => Err(io::Error::new(
                io::ErrorKind::AlreadyExists,
                "it is there already, and is not replaced: remove it, or name another file",
            )),
            place => Self::at(place, true, false),
        }
    }

    /// Stdout through a pager, where there is one.
    ///
    /// # Errors
    /// When stdout cannot be written.
    pub fn paged(verdict: bool) -> io::Result<Self> {
        let sink = Sink::Stream {
            to: Box::new(Paged::new(stdout()?)),
            verdict,
            gone: false,
        };
        Ok(Self {
            writer: BufWriter::new(sink),
            is_stdout: true,
        })
    }

    fn at(place: Place, verdict: bool, replaces: bool) -> io::Result<Self> {
        let is_stdout = matches!(place, Place::Stdout);
        let stream = |to| Sink::Stream {
            to,
            verdict,
            gone: false,
        };
        let sink = match place {
            Place::Stdout => stream(stdout()?),
            Place::Stderr => stream(Box::new(io::stderr())),
            Place::Open { path, append } => stream(Box::new(open(&path, append)?)),
            Place::File { path, before } => {
                // Whoever may not write the file may not replace it.
                if before.is_some() {
                    open(&path, false)?;
                }
                guard::watch(&path);
                let becomes = Becomes {
                    path,
                    before,
                    replaces,
                };
                Sink::File(Some(Box::new((becomes.begin()?, becomes))))
            }
        };
        Ok(Self {
            writer: BufWriter::new(sink),
            is_stdout,
        })
    }

    /// Whether it is stdout.
    pub fn is_stdout(&self) -> bool {
        self.is_stdout
    }

    /// From now on a reader that goes away stops nothing, as a verdict is to be told.
    pub fn tells_verdict(&mut self) {
        if let Sink::Stream { verdict, .. } = self.writer.get_mut() {
            *verdict = true;
        }
    }

    /// Ends the writing: a file gets its name now.
    ///
    /// # Errors
    /// What could not be written, or the file is one that was read.
    pub fn finish(&mut self) -> io::Result<()> {
        self.writer.flush()?;
        match self.writer.get_mut() {
            Sink::Stream { .. } => Ok(()),
            Sink::File(file) => {
                guard::check()?;
                let file = file.take().map(|file| *file);
                file.map_or(Ok(()), |(file, becomes)| becomes.end(file))
            }
        }
    }

    /// Ends without a result: a file that is there stays as it was.
    pub fn give_up(&mut self) -> io::Result<()> {
        match self.writer.get_mut() {
            Sink::Stream { .. } => self.writer.flush(),
            Sink::File(file) => {
                file.take();
                Ok(())
            }
        }
    }
}

/// Something that is written, and who hears it.
struct Heard {
    to: Box<dyn Write + Send>,
    ear: Box<dyn Write + Send>,
    paged: bool,
}

impl Write for Heard {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if interrupt::ends_output() {
            return Ok(bytes.len());
        }
        let written = match self.to.write(bytes) {
            // Whoever leaves the pager has seen enough of this answer, and asks for the next one.
            Err(error) if self.paged && error.kind() == io::ErrorKind::BrokenPipe => {
                interrupt::leave();
                bytes.len()
            }
            written => written?,
        };
        self.ear.write_all(bytes.get(..written).unwrap_or(bytes))?;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.to.flush() {
            Err(error) if self.paged && error.kind() == io::ErrorKind::BrokenPipe => {
                interrupt::leave();
                Ok(())
            }
            flushed => flushed,
        }
    }
}

impl Becomes {
    /// An empty file in the same folder, which only its owner may read if it replaces one: that may be secret.
    fn begin(&self) -> io::Result<NamedTempFile> {
        // In the same folder, since a rename is whole or not at all within one file system only: from /tmp it
        // may be another one, where rename(2) fails with EXDEV and a copy can end half-way.
        let mut builder = tempfile::Builder::new();
        #[cfg(unix)]
        if self.before.is_none() {
            // A temporary file is 0600 by itself, as mkstemp(3) makes it; the umask takes its bits off this
            // mode as ever.
            use std::os::unix::fs::PermissionsExt;
            // The rights of any other new file.
            builder.permissions(fs::Permissions::from_mode(0o666));
        }
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        builder.prefix(".alpc-dump-");
        let begun = interrupt::temporary(|| builder.tempfile_in(folder.unwrap_or(Path::new("."))));
        begun.map_err(without_path)
    }

    fn end(self, file: NamedTempFile) -> io::Result<()> {
        #[cfg(unix)]
        if let Some(before) = &self.before {
            keep_rights(file.as_file(), before)?;
        }
        // Else a power failure may leave the new name with an empty file behind it, where data is written later
        // than names (ext4's "delayed allocation", xfs): the old results would be gone, and no new ones there.
        file.as_file().sync_all()?;
        let temporary = file.path().to_owned();
        interrupt::settle(&temporary, || {
            if self.replaces {
                file.persist(self.path)
            } else {
                file.persist_noclobber(self.path)
            }
        })?;
        Ok(())
    }
}

/// What went wrong, without the temporary file's path: nobody gave that name, and it tells the folder's.
fn without_path(error: io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(_) => error,
        None => error.kind().into(),
    }
}

/// Gives the file the owner and the mode of the one that it replaces.
#[cfg(unix)]
fn keep_rights(file: &File, before: &fs::Metadata) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
    let now = file.metadata()?;
    if (now.uid(), now.gid()) != (before.uid(), before.gid()) {
        // Only the superuser gives files away. To anybody else it is their own file then.
        let _ = fchown(file, Some(before.uid()), Some(before.gid()));
    }
    // After the owner, for chown(2) may take bits of the mode away. The set-user-id and set-group-id bits are
    // not taken over.
    file.set_permissions(fs::Permissions::from_mode(before.mode() & 0o777))
}

fn open(path: &Path, append: bool) -> io::Result<File> {
    if append {
        OpenOptions::new().append(true).open(path)
    } else {
        OpenOptions::new().write(true).open(path)
    }
}

/// Where the system has it: the standard library takes a stdout that cannot be written for one that nobody reads.
#[cfg(unix)]
fn stdout() -> io::Result<Box<dyn Write + Send>> {
    use std::os::fd::AsFd;
    // `alpc-dump a.dmp hang 1</dev/null` opens it for reading only: a write fails with EBADF, which Rust's own
    // handle of stdout counts as done. The run would end with status 0 and nothing written.
    Ok(Box::new(File::from(io::stdout().as_fd().try_clone_to_owned()?)))
}

#[cfg(not(unix))]
fn stdout() -> io::Result<Box<dyn Write + Send>> {
    Ok(Box::new(io::stdout()))
}

impl Write for Target {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

/// Writes where somebody may look on while a line says how far it is.
fn written_alone(to: &mut dyn Write, bytes: &[u8]) -> io::Result<usize> {
    status_line::clear();
    to.write(bytes)
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::File(Some(file)) => file.0.as_file_mut().write(bytes),
            Self::File(None) | Self::Stream { gone: true, .. } => Ok(bytes.len()),
            Self::Stream { to, verdict, gone } => match written_alone(to, bytes) {
                // As in `check | head -1`. Rust has SIGPIPE ignored in every program, so that the write fails
                // in the place of the program; on Windows it fails with ERROR_BROKEN_PIPE or ERROR_NO_DATA,
                // which Rust gives the same kind.
                Err(error) if *verdict && error.kind() == io::ErrorKind::BrokenPipe => {
                    *gone = true;
                    Ok(bytes.len())
                }
                written => written,
            },
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::File(Some(file)) => file.0.as_file_mut().flush(),
            Self::File(None) | Self::Stream { gone: true, .. } => Ok(()),
            Self::Stream { to, verdict, gone } => match to.flush() {
                Err(error) if *verdict && error.kind() == io::ErrorKind::BrokenPipe => {
                    *gone = true;
                    Ok(())
                }
                flushed => flushed,
            },
        }
    }
}
