//! Dumps of synthetic worlds, written where the binary can read them.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use synth::address::{Pfn, Va};
use synth::dump::Kind;
use synth::layout::Kernel;
use synth::paging::Mapped;
use synth::world::Built;
use synth::worlds;
use tempfile::TempDir;

use super::{Run, alpc_dump};

/// A world's dump and PDB in a folder of their own.
pub struct Sample {
    pub world: Built,
    folder: TempDir,
}

impl Sample {
    /// The general world of a kernel.
    pub fn standard(kernel: &str) -> Self {
        Self::of(worlds::standard(kernel))
    }

    /// The dump of a world, of a kind that its Windows wrote.
    pub fn of(world: Built) -> Self {
        let mapped = world.map();
        Self::mapped(world, mapped)
    }

    /// The same with page tables and frames that a test has changed.
    pub fn mapped(world: Built, mapped: Mapped) -> Self {
        let sample = Self {
            world,
            folder: tempfile::tempdir().unwrap(),
        };
        let kind = if sample.world.truth.build < 9200 {
            Kind::Summary
        } else {
            Kind::BitmapKernel
        };
        fs::write(sample.dump(), sample.world.dump_mapped(kind, mapped)).unwrap();
        fs::write(sample.folder.path().join("kernel.pdb"), sample.world.pdb()).unwrap();
        sample
    }

    /// The dump of a world without some of its frames.
    pub fn without(world: &Built, frames: impl IntoIterator<Item = Pfn>) -> Self {
        let mut mapped = world.map();
        for frame in frames {
            mapped.memory.remove(frame);
        }
        Self::mapped(world.clone(), mapped)
    }

    /// The dump of a world without the pages that some addresses are in.
    pub fn without_pages(world: &Built, addresses: &[Va]) -> Self {
        let frames = world.map().frames;
        Self::without(world, addresses.iter().map(|address| frames[&address.page()]))
    }

    /// Writes another PDB in the place of the kernel's.
    pub fn write_pdb(&self, bytes: &[u8]) {
        self.write_symbols("kernel.pdb", bytes);
    }

    /// Writes a file of symbols beside the dump.
    pub fn write_symbols(&self, name: &str, bytes: &[u8]) {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    /// Writes the dump anew, as another kind.
    pub fn rewrite(&self, kind: Kind) {
        fs::write(self.dump(), self.world.dump(kind)).unwrap();
    }

    /// The dump file.
    pub fn dump(&self) -> PathBuf {
        self.folder.path().join("memory.dmp")
    }

    /// Holds the dump against rules.
    pub fn check(&self, rules: &str, args: &[&str]) -> Run {
        let file = self.folder.path().join("rules.toml");
        fs::write(&file, rules).unwrap();
        let mut line = vec!["check", "--rules", file.to_str().unwrap()];
        line.extend(args);
        self.run(&line)
    }

    /// Compares the dump with another one, which comes second.
    pub fn diff(&self, second: &Self, args: &[&str]) -> Run {
        let (first, second) = (self.dump(), second.dump());
        let mut line = vec![first.to_str().unwrap(), second.to_str().unwrap(), "diff"];
        line.extend(args);
        alpc_dump(&line)
    }

    /// Runs the binary on the dump.
    pub fn run(&self, args: &[&str]) -> Run {
        let dump = self.dump();
        let mut line = vec![dump.to_str().unwrap()];
        line.extend(args);
        alpc_dump(&line)
    }

    /// What each of the command lines gives, all run over the one opened dump.
    pub fn results(&self, lines: &[String]) -> Vec<Value> {
        let lines: Vec<String> = lines.iter().map(|line| self.spelled(line)).collect();
        let run = self.run(&["--format", "json", "-c", &lines.join("; ")]);
        let documents = match run.json() {
            Value::Array(documents) => documents,
            one => vec![one],
        };
        assert_eq!(documents.len(), lines.len(), "{}", run.stderr);
        documents
            .into_iter()
            .map(|document| self.widened(document["result"].clone()))
            .collect()
    }

    /// A command line with the addresses of the truth, which are sign-extended, in the digits of the system.
    pub fn spelled(&self, line: &str) -> String {
        match self.world.pointer_size() {
            4 => line.replace(" ffffffff", " ").replace(" 00000000", " "),
            _ => line.to_owned(),
        }
    }

    /// An address of the truth as a pointer of the system holds it: of a 32-bit one its low half.
    pub fn stored(&self, va: Va) -> Va {
        match (self.world.pointer_size(), u32::try_from(va.0 & 0xffff_ffff)) {
            (4, Ok(low)) => Va(extended(low)),
            _ => va,
        }
    }

    /// A record with the addresses of a 32-bit system as the truth keeps them.
    pub fn widened(&self, record: Value) -> Value {
        match record {
            _ if self.world.pointer_size() == 8 => record,
            Value::String(text) if text.len() == 8 => match u32::from_str_radix(&text, 16) {
                Ok(narrow) => address(Va(extended(narrow))).into(),
                Err(_) => text.into(),
            },
            Value::Array(items) => items.into_iter().map(|item| self.widened(item)).collect(),
            Value::Object(members) => members
                .into_iter()
                .map(|(name, member)| (name, self.widened(member)))
                .collect(),
            other => other,
        }
    }
}

/// The kernel's half of a 32-bit system is the upper one.
fn extended(narrow: u32) -> u64 {
    if narrow < 0x8000_0000 {
        narrow.into()
    } else {
        0xffff_ffff_0000_0000 | u64::from(narrow)
    }
}

/// The kernels of all machines: x64 with four and five levels of page tables, x86, ARM64.
pub fn every_kernel() -> Vec<&'static str> {
    Kernel::names()
}

/// The x64 kernels at hand, Vista SP1 and later.
pub fn kernels() -> Vec<&'static str> {
    Kernel::names()
        .into_iter()
        .filter(|name| name.ends_with("x64"))
        .collect()
}

/// Command lines: these, then one for the view of each message.
pub fn lines_and_messages(lines: &[&str], world: &Built) -> Vec<String> {
    let messages = world.truth.messages.iter();
    let messages = messages.map(|message| format!("message {}", message.address));
    lines.iter().copied().map(str::to_owned).chain(messages).collect()
}

/// An address as the binary writes it.
pub fn address(va: Va) -> String {
    va.to_string()
}
