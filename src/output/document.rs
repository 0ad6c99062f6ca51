//! What every JSON document and every stream of records says of itself.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use alpc::image::json::UnreadableRecord;
use alpc::locate::choice::Choice;
use alpc::report::near::Near;
use alpc::system::own::TypesFrom;
use ntlayout::Certainty;
#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::{Serialize, Serializer};
use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use crate::failure::{Failure, Status};
use crate::host::reading::portable;
use crate::options::Options;
#[cfg(feature = "schema")]
use crate::output::explanation::Explanation;
use crate::redact::Redactor;

/// Version of the documents and records; `docs/json.md` says what may change without it.
pub const VERSION: u32 = 1;

/// What made a document, and of what.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct Head {
    /// Version of the format.
    version: u32,
    tool: Tool,
    /// The command; null when the command line was not understood.
    command: Option<&'static str>,
    /// The arguments as they were given, without the program's name.
    command_line: Vec<String>,
    #[serde(flatten)]
    dump: DumpRef,
    /// Which symbols served; null for a command that needs none, or that failed before it had them.
    symbols: Option<SymbolSource>,
}

/// This program.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
struct Tool {
    name: &'static str,
    version: &'static str,
}

/// The dump that was asked about.
#[derive(Clone, Debug, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct DumpRef {
    /// The dump's path as it was given, with `/` between folders on every system.
    #[serde(rename = "dump")]
    pub name: String,
    /// The bytes of the path in hex, when they are no valid text: `dump` then has U+FFFD for what is none.
    #[serde(rename = "dump_bytes", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(regex(pattern = "^([0-9a-f]{2})+$")))]
    pub bytes: Option<String>,
    /// Bytes of the dump; null for what is no file.
    #[serde(rename = "dump_size")]
    pub size: Option<u64>,
    /// SHA-256 of the dump in hex, when `--hash` asks for it.
    #[serde(rename = "dump_sha256", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(regex(pattern = "^[0-9a-f]{64}$")))]
    pub sha256: Option<String>,
    /// Replaces what the command line and this machine must not tell.
    #[serde(skip)]
    pub redactor: Redactor,
}

/// Where the layout of the kernel came from.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct SymbolSource {
    /// A file, or what is built in.
    pub source: String,
    /// GUID and age as one word, as symbol servers write them; null for several tables that agree.
    pub identity: Option<String>,
    /// `exact` for the identity that the kernel names.
    #[serde(serialize_with = "as_text")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub certainty: Certainty,
    /// Why they were chosen, where they are not those that the kernel names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Choice>,
    /// Types that they lack and that other symbols tell; not there when they lack none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub types_from: Vec<TypesFrom>,
    /// Types that they lack and that nothing tells; not there when there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub types_untold: Vec<&'static str>,
}

/// As it is said in words.
fn as_text<S: Serializer>(certainty: &Certainty, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(certainty)
}

/// Why a command gave nothing.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct ErrorRecord {
    /// A stable id; `docs/json.md` lists them.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = "^[a-z0-9-]+$")))]
    pub id: String,
    /// What, where, why and what next, in words that may change.
    pub text: String,
    /// Names that may have been meant, the nearest first; not there when there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub suggestions: Vec<Near>,
}

/// One document: what a command gave for one dump, with `--format json`.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct Document<T> {
    #[serde(flatten)]
    pub head: Head,
    /// How it ended; the exit status follows from it.
    pub status: Status,
    /// What was asked for; not there when it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<T>,
    /// Why there is no result.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorRecord>,
    /// All values of the result that could not be determined.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holes: Option<Vec<UnreadableRecord>>,
    /// Where the values of the result come from, with `--explain`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Vec<Explanation>>"))]
    pub explain: Option<Json>,
}

/// A line of a stream of records, with `--format ndjson`: which kind of record it is, and of which dump.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct Line<T> {
    /// The kind of record.
    pub record: &'static str,
    /// The dump's path as it was given.
    pub dump: String,
    #[serde(flatten)]
    pub value: T,
}

/// The first line of a command's records.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct First {
    /// Always `document`.
    pub record: &'static str,
    #[serde(flatten)]
    pub head: Head,
}

/// The last line of a command's records.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct End<T> {
    /// The command.
    pub command: Option<&'static str>,
    /// How it ended; the exit status follows from it.
    pub status: Status,
    /// Records between the first line and this one.
    pub records: u64,
    /// How many values could not be determined, by cause.
    pub holes: Vec<Cause>,
    /// What there is to say beside the records: whether a list is whole, for example.
    pub rest: T,
}

/// How many values could not be determined for one cause.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct Cause {
    /// Stable id of the cause.
    pub cause: String,
    /// Values.
    pub count: u64,
    /// The reason of the first one in words.
    pub first: String,
}

impl From<&Failure> for ErrorRecord {
    fn from(failure: &Failure) -> Self {
        Self {
            id: failure.id.to_owned(),
            text: failure.message.clone(),
            suggestions: failure.near.clone(),
        }
    }
}

impl SymbolSource {
    /// The same without the names of files.
    pub fn redacted(self, redactor: &Redactor) -> Self {
        Self {
            source: redactor.view(&self.source),
            identity: self.identity.map(|identity| redactor.view(&identity)),
            types_from: redactor.types_from(self.types_from),
            ..self
        }
    }
}

impl Head {
    pub fn new(options: &Options, dump: &DumpRef, symbols: Option<&SymbolSource>) -> Self {
        Self {
            version: VERSION,
            tool: Tool {
                name: env!("CARGO_PKG_NAME"),
                version: env!("CARGO_PKG_VERSION"),
            },
            command: options.command,
            command_line: dump.redactor.command_line(),
            dump: dump.clone(),
            symbols: symbols.cloned(),
        }
    }
}

impl DumpRef {
    /// Looks at the file, which need not be a dump, nor be there.
    pub fn of(path: &Path, hash: bool, redactor: Redactor) -> Self {
        // A device or a pipe has no length to tell: `metadata` says 0, which would be an empty dump.
        let metadata = path.metadata().ok().filter(std::fs::Metadata::is_file);
        Self {
            name: redactor.view(&portable(path)),
            bytes: exact(path).filter(|_| !redactor.hides_paths()),
            size: metadata.as_ref().map(std::fs::Metadata::len),
            sha256: metadata.filter(|_| hash).and_then(|_| sha256(path).ok()),
            redactor,
        }
    }
}

/// A path that is no valid text, in hex: the bytes that it has on Unix; on Windows, where names are 16-bit units, what
/// UTF-8 would be of them (WTF-8).
pub fn exact(path: &Path) -> Option<String> {
    // Names on Linux are any bytes but `/` and zero: `m\xfcll.dmp` from an archive of a Windows machine with a
    // Latin-1 code page is one. On Windows they are any 16-bit units, lone surrogates too.
    let bytes = path.as_os_str().as_encoded_bytes();
    path.to_str().is_none().then(|| hex(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn sha256(path: &Path) -> io::Result<String> {
    /// Bytes that are read at once.
    const PIECE: usize = 1 << 20;
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut piece = vec![0; PIECE];
    loop {
        match file.read(&mut piece)? {
            0 => break,
            read => hash.update(&piece[..read]),
        }
    }
    Ok(hex(&hash.finalize()))
}
