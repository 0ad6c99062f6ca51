//! How a command ends, and why it gave nothing.

use std::path::Path;
use std::process::ExitCode;

use alpc::report::near::Near;
#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The exit status; the first that applies, in the order fatal, finding, partial, complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// All that was asked for was printed.
    Complete,
    /// A finding, a failed check, or the thing asked for is not there.
    Finding,
    /// A usage error, or nothing could be done at all.
    Fatal,
    /// Printed, but part of it could not be read.
    Partial,
}

impl Status {
    fn precedence(self) -> u8 {
        match self {
            Self::Complete => 0,
            Self::Partial => 1,
            Self::Finding => 2,
            Self::Fatal => 3,
        }
    }

    /// As documents write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Finding => "finding",
            Self::Fatal => "fatal",
            Self::Partial => "partial",
        }
    }

    /// The status of several: the one that comes first in the order above.
    pub fn combine(self, other: Self) -> Self {
        if other.precedence() > self.precedence() {
            other
        } else {
            self
        }
    }
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> Self {
        Self::from(match status {
            Status::Complete => 0,
            Status::Finding => 1,
            Status::Fatal => 2,
            Status::Partial => 3,
        })
    }
}

/// Why a command gave nothing, with the exit status that follows.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The exit status.
    pub status: Status,
    /// A stable id, for scripts.
    pub id: &'static str,
    /// What, where, why, and what to do next.
    pub message: String,
    /// Names that may have been meant, which the message tells too.
    pub near: Vec<Near>,
}

impl Failure {
    /// A failure of any status.
    pub fn new(status: Status, id: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            id,
            message: message.into(),
            near: Vec::new(),
        }
    }

    /// The thing asked for is not in the dump.
    pub fn not_there(id: &'static str, message: impl Into<String>) -> anyhow::Error {
        Self::new(Status::Finding, id, message).into()
    }

    /// The thing asked for cannot be read.
    pub fn partial(id: &'static str, message: impl Into<String>) -> anyhow::Error {
        Self::new(Status::Partial, id, message).into()
    }

    /// The request makes no sense, or nothing can be read.
    pub fn fatal(id: &'static str, message: impl Into<String>) -> anyhow::Error {
        Self::new(Status::Fatal, id, message).into()
    }

    /// The failure behind an error; anything not classified is fatal.
    pub fn from_error(error: anyhow::Error) -> Self {
        error
            .downcast()
            .unwrap_or_else(|error| Self::new(Status::Fatal, "error", format!("{error:#}")))
    }

    /// The same error, which names the file that it is about.
    pub fn about(mut self, path: &Path) -> Self {
        if !self.message.contains(&*path.to_string_lossy()) {
            self.message = format!("{}: {}", path.display(), self.message);
        }
        self
    }

    /// The same error with the names that may have been meant.
    pub fn suggesting(error: anyhow::Error, near: &[Near]) -> anyhow::Error {
        Self {
            near: near.to_vec(),
            ..Self::from_error(error)
        }
        .into()
    }

    /// The same with its message in other words.
    pub fn reworded(self, reword: impl FnOnce(&str) -> String) -> Self {
        Self {
            message: reword(&self.message),
            ..self
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}
