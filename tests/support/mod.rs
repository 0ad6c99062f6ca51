//! Running the binary as a user would.
#![allow(dead_code, reason = "each test file uses its part")]

pub mod markdown;
pub mod page;
pub mod picture;
pub mod schema;
pub mod synthetic;
#[cfg(target_os = "linux")]
pub mod terminal;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use lzma_rust2::XzReader;
use serde_json::Value;

/// What one run of the binary gave.
pub struct Run {
    pub stdout: String,
    pub stderr: String,
    pub status: i32,
}

impl Run {
    /// The document on stdout, which the published schema describes.
    pub fn json(&self) -> Value {
        let document = serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}{}", self.stdout, self.stderr));
        schema::check_document(&document);
        document
    }

    /// The lines on stdout, each of which the published schema describes.
    pub fn lines(&self) -> Vec<Value> {
        let line = |text| {
            let line = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
            schema::check_line(&line);
            line
        };
        self.stdout.lines().map(line).collect()
    }
}

/// The repository.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A shipped fixture.
pub fn fixture(name: &str) -> PathBuf {
    root().join("fixtures").join(name)
}

/// Runs the binary in the repository, with an environment that does not depend on who runs the tests.
pub fn alpc_dump(args: &[&str]) -> Run {
    alpc_dump_with_input(args, "")
}

/// The same, with `input` on stdin.
pub fn alpc_dump_with_input(args: &[&str], input: &str) -> Run {
    run_in(&root(), args, input)
}

/// Runs the binary in a folder.
pub fn alpc_dump_in(folder: &Path, args: &[&str]) -> Run {
    run_in(folder, args, "")
}

fn run_in(folder: &Path, args: &[&str], input: &str) -> Run {
    let mut child = Command::new(env!("CARGO_BIN_EXE_alpc-dump"))
        .args(args)
        .current_dir(folder)
        .env_remove("_NT_SYMBOL_PATH")
        .env_remove("_NT_ALT_SYMBOL_PATH")
        .env_remove("CLICOLOR_FORCE")
        .env_remove("CLICOLOR")
        .env_remove("NO_COLOR")
        .env_remove("COLUMNS")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that reads no input may have ended already.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    Run {
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
        status: output.status.code().unwrap(),
    }
}

/// Material that may stand beside the repository.
pub fn shared(path: &str) -> Option<PathBuf> {
    let path = root().join("../shared").join(path);
    path.exists().then_some(path)
}

/// A dump of the independent generator, with its truth.
pub struct World {
    pub dump: PathBuf,
    pub symbols: PathBuf,
    pub truth: Value,
}

impl World {
    /// All worlds at hand; none where the folder is not there.
    pub fn all() -> Vec<Self> {
        let Some(folder) = shared("worlds") else {
            return Vec::new();
        };
        let mut dumps: Vec<PathBuf> = fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| is_dump(path))
            .collect();
        dumps.sort();
        dumps
            .into_iter()
            .map(|dump| Self::open(dump, folder.join("syms")))
            .collect()
    }

    /// Those of a kind that can be opened.
    pub fn readable() -> impl Iterator<Item = Self> {
        Self::all()
            .into_iter()
            .filter(|world| !world.run(&["info"]).stderr.contains("not supported yet"))
    }

    fn open(dump: PathBuf, symbols: PathBuf) -> Self {
        let compressed = fs::read(dump.with_extension("truth.json.xz")).unwrap();
        let truth = serde_json::from_reader(XzReader::new(compressed.as_slice(), true)).unwrap();
        Self { dump, symbols, truth }
    }

    /// A port of the truth.
    pub fn port(&self, address: &Value) -> &Value {
        let ports = self.truth["ports"].as_array().unwrap();
        ports.iter().find(|port| port["address"] == *address).unwrap()
    }

    /// Runs the binary on the world's dump with its symbols.
    pub fn run(&self, args: &[&str]) -> Run {
        self.run_with_input(args, "")
    }

    /// The same, with `input` on stdin.
    pub fn run_with_input(&self, args: &[&str], input: &str) -> Run {
        let mut line = vec![self.dump.to_str().unwrap(), "-y", self.symbols.to_str().unwrap()];
        line.extend(args);
        alpc_dump_with_input(&line, input)
    }
}

fn is_dump(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "dmp")
}

/// Says that a test had nothing to work on.
pub fn say_if_none(count: usize, what: &str) {
    if count == 0 {
        eprintln!("skipped: no {what} at hand (../shared/worlds is not there)");
    }
}
