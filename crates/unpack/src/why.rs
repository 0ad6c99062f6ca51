//! What decoders say, in words.

use std::io;

use ruzstd::decoding::errors::FrameDecoderError;
use zip::result::ZipError;

/// Why a decoder gives up.
#[derive(Debug)]
pub(crate) enum Why {
    /// The file is damaged or cut.
    Damaged(String),
    /// The file may be whole, and needs what is not here: a password, another decoder.
    Foreign(String),
}

impl Why {
    fn encrypted() -> Why {
        Why::Foreign("it is encrypted".to_owned())
    }
}

impl From<io::Error> for Why {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Why::Damaged("it ends before its data do".to_owned()),
            // Decoders of xz and of Zstandard say so of a window larger than they were allowed.
            io::ErrorKind::OutOfMemory => Why::Foreign("it needs more memory than is given to it".to_owned()),
            _ => Why::Damaged(error.to_string()),
        }
    }
}

impl From<ZipError> for Why {
    fn from(error: ZipError) -> Self {
        match error {
            ZipError::UnsupportedArchive(ZipError::PASSWORD_REQUIRED) => Why::encrypted(),
            ZipError::UnsupportedArchive(what) => Why::Foreign(what.to_owned()),
            ZipError::Io(error) => error.into(),
            other => Why::Damaged(other.to_string()),
        }
    }
}

impl From<FrameDecoderError> for Why {
    fn from(error: FrameDecoderError) -> Self {
        match error {
            FrameDecoderError::WindowSizeTooBig { .. } => {
                Why::Foreign("it needs more memory than is given to it".to_owned())
            }
            other => Why::Damaged(other.to_string()),
        }
    }
}

impl From<sevenz_rust2::Error> for Why {
    fn from(error: sevenz_rust2::Error) -> Self {
        use sevenz_rust2::Error;
        match error {
            Error::Io(error, _) => error.into(),
            Error::PasswordRequired | Error::MaybeBadPassword(_) => Why::encrypted(),
            Error::UnsupportedCompressionMethod(method) if method.starts_with("AES") => Why::encrypted(),
            Error::UnsupportedCompressionMethod(method) => {
                Why::Foreign(format!("it is packed by {method}, which is not unpacked here"))
            }
            Error::Unsupported(what) => Why::Foreign(what.into_owned()),
            Error::ChecksumVerificationFailed | Error::NextHeaderCrcMismatch => {
                Why::Damaged("its checksum is wrong".to_owned())
            }
            Error::Other(what) => Why::Damaged(what.into_owned()),
            other => Why::Damaged(format!("{other:?}")),
        }
    }
}
