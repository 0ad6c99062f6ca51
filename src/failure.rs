//! How a command ends, and why it gave nothing.

use std::process::ExitCode;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The exit status; the first that applies, in the order fatal, finding, partial, complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
#[derive(Debug)]
pub struct Failure {
    /// The exit status.
    pub status: Status,
    /// A stable id, for scripts.
    pub id: &'static str,
    /// What, where, why, and what to do next.
    pub message: String,
}

impl Failure {
    /// The thing asked for is not in the dump.
    pub fn not_there(id: &'static str, message: impl Into<String>) -> anyhow::Error {
        Self {
            status: Status::Finding,
            id,
            message: message.into(),
        }
        .into()
    }

    /// The thing asked for cannot be read.
    pub fn partial(id: &'static str, message: impl Into<String>) -> anyhow::Error {
        Self {
            status: Status::Partial,
            id,
            message: message.into(),
        }
        .into()
    }

    /// The request makes no sense, or nothing can be read.
    pub fn fatal(id: &'static str, message: impl Into<String>) -> anyhow::Error {
        Self {
            status: Status::Fatal,
            id,
            message: message.into(),
        }
        .into()
    }

    /// The failure behind an error; anything not classified is fatal.
    pub fn from_error(error: anyhow::Error) -> Self {
        error.downcast().unwrap_or_else(|error| Self {
            status: Status::Fatal,
            id: "error",
            message: format!("{error:#}"),
        })
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}
