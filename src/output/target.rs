//! Where results go: stdout, or a file that appears whole or not at all.

use std::fs;
use std::io::{self, BufWriter, Stdout, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// Where results go.
pub enum Target {
    /// Whoever writes records flushes each, so that a reader sees it as soon as it is there. Without a buffer of its
    /// own each line of a document would be a call of the system.
    Stdout(BufWriter<Stdout>),
    /// Into a file beside the one that it will become.
    File {
        writer: BufWriter<NamedTempFile>,
        path: PathBuf,
    },
}

impl Target {
    /// Stdout, or the file at `path` once everything is written.
    ///
    /// # Errors
    /// When the folder cannot be written to, or the file is one of the dumps: a slip of the fingers must not
    /// cost anybody the evidence.
    pub fn new(path: Option<&Path>, dumps: &[PathBuf]) -> io::Result<Self> {
        let Some(path) = path else {
            return Ok(Self::Stdout(BufWriter::new(io::stdout())));
        };
        let is_input = |dump: &PathBuf| {
            let same = fs::canonicalize(dump).and_then(|dump| Ok(dump == fs::canonicalize(path)?));
            same.unwrap_or(false)
        };
        if dumps.iter().any(is_input) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "it is one of the dumps that are read",
            ));
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let file = beside(folder.unwrap_or(Path::new(".")))?;
        Ok(Self::File {
            writer: BufWriter::new(file),
            path: path.to_owned(),
        })
    }

    /// Whether it is stdout.
    pub fn is_stdout(&self) -> bool {
        matches!(self, Self::Stdout(_))
    }

    /// Ends the writing: a file gets its name now.
    pub fn finish(self) -> io::Result<()> {
        match self {
            Self::Stdout(mut stdout) => stdout.flush(),
            Self::File { writer, path } => {
                let file = writer.into_inner().map_err(io::IntoInnerError::into_error)?;
                file.as_file().sync_all()?;
                file.persist(path)?;
                Ok(())
            }
        }
    }
}

/// A temporary file with the rights of any other new file: by itself only its owner might read it.
fn beside(folder: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    builder.prefix(".alpc-dump-").tempfile_in(folder)
}

impl Write for Target {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stdout(stdout) => stdout.write(bytes),
            Self::File { writer, .. } => writer.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout(stdout) => stdout.flush(),
            Self::File { writer, .. } => writer.flush(),
        }
    }
}
