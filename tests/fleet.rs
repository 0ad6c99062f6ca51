//! What docs/fleet.md and examples/fleet show, run as far as this machine can: shell scripts with stand-ins for
//! the remote parts, and Ray where it is installed (`$RAY_PYTHON`, or below `target/ci`; `.ci/peers` installs it).
#![cfg(unix)]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};
use support::{alpc_dump, fixture, root};
use synth::dump::Kind;
use synth::worlds::hang;
use tempfile::TempDir;

const KERNEL: &str = "vista-sp2-x64";
const DUMPS: usize = 9;
const RING: &str = "deadlock:csrss.exe[apiport]>lsass.exe[lsasspirpc]>services.exe[ntsvcs]>csrss.exe";
const ROW: &str =
    "blocked:explorer.exe>svchost.exe[senssvc]>lsass.exe[lsasspirpc]>lsass.exe{mutant}:no-owner";

/// A folder with `dumps` in it, the list of them, and programs that stand for what is not here.
struct Yard {
    folder: TempDir,
}

impl Yard {
    fn new() -> Self {
        let yard = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        fs::create_dir(yard.path("dumps")).unwrap();
        fs::create_dir(yard.path("bin")).unwrap();
        fs::copy(fixture("vista-sp2-x64.pdb"), yard.path("dumps/kernel.pdb")).unwrap();
        // Every third a ring, every third a row, every third not whole.
        let ring = hang::ring_of_three(KERNEL).built.dump(Kind::Summary);
        let row = hang::row_to_mutant(KERNEL).built.dump(Kind::Summary);
        let mut names = String::new();
        for number in 0..DUMPS {
            let bytes = [&ring, &row, &ring[..3000]][number % 3];
            let name = format!("dumps/host {number}.dmp");
            fs::write(yard.path(&name), bytes).unwrap();
            names.push_str(&format!("{name}\n"));
        }
        fs::write(yard.path("names.txt"), names).unwrap();
        yard
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn program(&self, name: &str, script: &str) {
        let path = self.path("bin").join(name);
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Runs a shell script in the folder, with the programs and ours on the path.
    fn run(&self, shell: &str, script: &str, more: &[(&str, &str)]) -> Output {
        let ours = Path::new(env!("CARGO_BIN_EXE_alpc-dump")).parent().unwrap();
        let examples = root().join("examples/fleet");
        let path = std::env::var("PATH").unwrap();
        let path = [&self.path("bin"), ours, &examples]
            .map(|path| path.display().to_string())
            .join(":")
            + ":"
            + &path;
        let mut command = Command::new(shell);
        command
            .args(["-c", script])
            .current_dir(self.folder.path())
            .env("PATH", path)
            .env("HOME", self.folder.path())
            .env_remove("_NT_SYMBOL_PATH")
            .envs(more.iter().copied());
        command.output().unwrap()
    }

    /// The records of all dumps, in order, as the program itself gives them.
    fn expected(&self) -> String {
        let run = self.run("sh", "alpc-dump dumps triage", &[]);
        String::from_utf8(run.stdout).unwrap()
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The lines of all parts, in the order of the names of the dumps.
fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines
}

/// The console block of docs/fleet.md that has `part` in it.
fn snippet(part: &str) -> String {
    let page = fs::read_to_string(root().join("docs/fleet.md")).unwrap();
    let blocks = page.split("```sh\n").skip(1);
    let mut blocks = blocks.map(|block| block.split("```").next().unwrap());
    blocks.find(|block| block.contains(part)).unwrap().to_owned()
}

#[test]
fn the_world_is_as_told() {
    let yard = Yard::new();
    let expected = yard.expected();
    let signatures: Vec<Value> = expected
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["signature"].clone())
        .collect();
    let three = [json!(RING), json!(ROW), json!(null)];
    assert_eq!(signatures, [three.clone(), three.clone(), three].concat());
}

#[test]
fn resuming_by_appending() {
    let yard = Yard::new();
    let expected = yard.expected();
    fs::write(yard.path("done.ndjson"), &expected[..expected.len() / 2]).unwrap();
    yard.run("sh", &snippet("--resume"), &[]);
    assert_eq!(yard.read("done.ndjson"), expected);
}

#[test]
fn xargs_over_ssh() {
    let yard = Yard::new();
    // Real ssh, too, gives the words to a shell there, joined by blanks.
    yard.program("ssh", "#!/bin/sh\nshift\nexec sh -c \"$*\"\n");
    fs::write(yard.path("hosts.txt"), "one\ntwo\n").unwrap();
    let run = yard.run("sh", &snippet("hosts.txt"), &[]);
    assert!(run.status.success(), "{}", said(&run));
    let expected = yard.expected();
    assert_eq!(yard.read("out/one.ndjson"), expected);
    assert_eq!(yard.read("fleet.ndjson"), format!("{expected}{expected}"));
}

#[test]
fn gnu_parallel() {
    let yard = Yard::new();
    if !yard.run("sh", "parallel --version", &[]).status.success() {
        return eprintln!("skipped: GNU parallel is not installed");
    }
    fs::write(yard.path("hosts.txt"), "2/:\n").unwrap();
    let script = snippet("parallel").replace("-n 64", "-n 2");
    let run = yard.run("sh", &script, &[]);
    assert_eq!(yard.read("fleet.ndjson"), yard.expected(), "{}", said(&run));
    assert_eq!(yard.read("jobs.log").lines().count(), 1 + DUMPS.div_ceil(2));
}

#[test]
fn a_shard_of_a_list() {
    let yard = Yard::new();
    for shard in ["0", "1", "2", "3"] {
        let run = yard.run(
            "sh",
            &format!("shard.sh names.txt {shard} 4 out"),
            &[("JOBS", "2")],
        );
        assert!(run.status.success(), "{}", said(&run));
    }
    let parts = yard.run("sh", "cat out/part-*.ndjson", &[]);
    let parts = String::from_utf8(parts.stdout).unwrap();
    let expected = yard.expected();
    assert_eq!(sorted(&parts), sorted(&expected));
    assert_eq!(yard.read("out/part-000003.ndjson").lines().count(), 2);
    // Again: nothing is left to do. Torn: the rest is done.
    for torn in [0, 50] {
        let part = yard.read("out/part-000000.ndjson");
        fs::write(yard.path("out/part-000000.ndjson"), &part[..part.len() - torn]).unwrap();
        let run = yard.run("sh", "shard.sh names.txt 0 4 out", &[]);
        assert!(run.status.success(), "{}", said(&run));
        assert_eq!(yard.read("out/part-000000.ndjson"), part);
    }
    // More shards than dumps.
    assert!(
        yard.run("sh", "shard.sh names.txt 11 12 out", &[])
            .status
            .success()
    );
    // A program that cannot be run is no result.
    yard.program("alpc-dump", "#!/bin/sh\nkill -9 $$\n");
    let run = yard.run("sh", "rm -r out; shard.sh names.txt 0 4 out", &[]);
    assert!(!run.status.success());
}

#[test]
fn a_slurm_array() {
    let yard = Yard::new();
    let script = root().join("examples/fleet/slurm.sbatch");
    let script = script.to_str().unwrap();
    assert!(
        yard.run("bash", &format!("bash -n {script}"), &[])
            .status
            .success()
    );
    let examples = root().join("examples/fleet");
    for task in ["0", "1"] {
        let variables = [
            ("SLURM_ARRAY_TASK_ID", task),
            ("SLURM_ARRAY_TASK_COUNT", "2"),
            ("SLURM_SUBMIT_DIR", examples.to_str().unwrap()),
        ];
        let run = yard.run("bash", &format!("bash {script} names.txt out"), &variables);
        assert!(run.status.success(), "{}", said(&run));
    }
    let parts = yard.run("sh", "cat out/part-*.ndjson", &[]);
    let parts = String::from_utf8(parts.stdout).unwrap();
    assert_eq!(sorted(&parts), sorted(&yard.expected()));
}

#[test]
fn a_kubernetes_job() {
    let yard = Yard::new();
    let file = root().join("examples/fleet/kubernetes-job.yaml");
    let text = fs::read_to_string(&file).unwrap();
    let command = text.split("command: [\"sh\", \"-c\", '").nth(1).unwrap();
    let command = command.split("']").next().unwrap();
    let variables = [
        ("LIST", "names.txt"),
        ("SHARDS", "2"),
        ("OUT", "out"),
        ("JOB_COMPLETION_INDEX", "1"),
    ];
    let run = yard.run("sh", command, &variables);
    assert!(run.status.success(), "{}", said(&run));
    assert_eq!(yard.read("out/part-000001.ndjson").lines().count(), DUMPS / 2);
    // As YAML, where something reads it.
    let Some(python) = ray_python() else { return };
    let script = "import json, sys, yaml; print(json.dumps(yaml.safe_load(open(sys.argv[1]))))";
    let output = Command::new(python)
        .args(["-c", script])
        .arg(&file)
        .output()
        .unwrap();
    let job: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&job["apiVersion"], &job["kind"]),
        (&json!("batch/v1"), &json!("Job"))
    );
    let spec = &job["spec"];
    assert_eq!(spec["completionMode"], "Indexed");
    let container = &spec["template"]["spec"]["containers"][0];
    assert_eq!(container["command"], json!(["sh", "-c", command]));
    let shards = container["env"].as_array().unwrap().iter();
    let shards = shards
        .filter(|one| one["name"] == "SHARDS")
        .map(|one| one["value"].clone());
    let completions = spec["completions"].as_u64().unwrap().to_string();
    assert_eq!(shards.collect::<Vec<_>>(), [json!(completions)]);
}

/// A Python that has Ray.
fn ray_python() -> Option<PathBuf> {
    let installed = root().join("target/ci/fleet/bin/python");
    let python = std::env::var_os("RAY_PYTHON").map_or(installed, PathBuf::from);
    let script =
        "import duckdb, importlib.util, pyarrow, sys; sys.exit(importlib.util.find_spec('ray') is None)";
    let output = Command::new(&python).args(["-c", script]).output().ok()?;
    output.status.success().then_some(python)
}

/// fleet.py without what it needs to run: what it takes of a folder, and its columns.
const DRIVER: &str = r#"
import json, os, sys, types

class Stand(types.ModuleType):
    __path__ = []
    def __getattr__(self, name):
        return {"struct": list, "schema": list, "list_": lambda of: ("list", of)}.get(name, lambda *a, **k: name)

for name in ["duckdb", "pyarrow", "pyarrow.dataset", "pyarrow.fs", "pyarrow.parquet", "ray"]:
    sys.modules[name] = Stand(name)
sys.modules["ray"].remote = lambda **options: lambda function: function
sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])
import columns, fleet, questions

def kind_of(kind):
    if isinstance(kind, list):
        return {name: kind_of(of) for name, of in kind}
    return [kind_of(kind[1])] if isinstance(kind, tuple) else kind

names, ignored = fleet.names_in(sys.argv[2])
print(json.dumps({
    "names": [os.fsencode(name).hex() for name in names],
    "ignored": sum(ignored.values()),
    "columns": kind_of(columns.SCHEMA),
    "ends": questions.ENDS,
    "row": columns.row(json.loads(sys.argv[3])),
    "named": json.loads(fleet.failed(b"a\xfe.dmp".decode("utf-8", "surrogateescape"), "x", "y")),
}))
"#;

/// A record's points in time and spans: the Unix time 1.5 s, and 1.5 s twice.
const SPANS: &str = r#"{"crash_time": {"ticks": 116444736015000000}, "up_time": {"ticks": 15000000},
    "longest_wait": null, "root_blocker": {"longest_wait": {"ticks": 15000000}},
    "symbols": {"evidence": {"a": 1}}}"#;

fn driver(folder: &Path) -> Option<Value> {
    let run = Command::new("python3")
        .args(["-c", DRIVER])
        .arg(root().join("examples/fleet"))
        .arg(folder)
        .arg(SPANS)
        .output()
        .ok()?;
    assert!(run.status.success(), "{}", said(&run));
    Some(serde_json::from_slice(&run.stdout).unwrap())
}

/// The driver takes of a folder what the program does.
#[test]
fn ray_takes_what_triage_takes() {
    let yard = Yard::new();
    let write = |name: &str, bytes: &[u8]| fs::write(yard.path("dumps").join(name), bytes).unwrap();
    let mut tar = vec![b'a'; 0x101];
    tar.extend(b"ustar\x0000");
    let elf = |kind: u8| [b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0", &[kind, 0][..]].concat();
    for (number, bytes) in [
        b"MDMP".to_vec(),
        b"USERDU64".to_vec(),
        b"PAGEXXXX".to_vec(),
        b"HIBR".to_vec(),
        b"\xd2\xbe\xd2\xbe".to_vec(),
        b"\x1f\x8b\x08\0".to_vec(),
        b"PK\x03\x04".to_vec(),
        b"\xfd7zXZ\0".to_vec(),
        b"MSCF".to_vec(),
        tar,
        elf(4),
        elf(3),
        b"text".to_vec(),
        vec![0; 600],
        Vec::new(),
    ]
    .into_iter()
    .enumerate()
    {
        write(&format!("x{number:02}"), &bytes);
    }
    write("empty.DMP", b"");
    write("text.mdmp", b"text");
    write("k.pd_", b"MSCF");
    fs::create_dir(yard.path("dumps/deeper.dmp")).unwrap();
    write("deeper.dmp/a.hdmp", b"");
    let link = |to: &str, name: &str| std::os::unix::fs::symlink(to, yard.path("dumps").join(name)).unwrap();
    link("nowhere", "torn.dmp");
    link("nowhere", "torn");
    link("../dumps", "round");
    let Some(told) = driver(&yard.path("dumps")) else {
        return eprintln!("skipped: python3 is not installed");
    };
    let path = yard.path("dumps");
    let run = alpc_dump(&[path.to_str().unwrap(), "triage", "-r", "-v", "--timeout", "0s"]);
    let lines = run.lines();
    let names = |record: &str| {
        let lines = lines.iter().filter(|line| line["record"] == record);
        let name = |line: &Value| line["dump"].as_str().unwrap().to_owned();
        lines.map(name).collect::<Vec<_>>()
    };
    let hex = |name: &String| name.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    let mut expected: Vec<Value> = names("triage").iter().map(|name| json!(hex(name))).collect();
    expected.sort_by_key(|name| name.to_string());
    assert_eq!(told["names"].as_array().unwrap(), &expected);
    assert_eq!(told["ignored"], names("ignored").len());
    assert_eq!(told["named"]["dump_bytes"], "61fe2e646d70");
}

/// A record's members in columns, as the published schema would have them: no integer as a number with a fraction, and no
/// count too small.
fn columns_of(schema: &Value, record: &str) -> Value {
    let members = schema["$defs"][record]["properties"].as_object().unwrap();
    let column = |(name, member): (&String, &Value)| {
        let kind = column_of(schema, member);
        let name = if kind == "float64" {
            format!("{name}_seconds")
        } else {
            name.clone()
        };
        (name, kind)
    };
    members.iter().map(column).collect()
}

fn column_of(schema: &Value, member: &Value) -> Value {
    let member = member["anyOf"].get(0).unwrap_or(member);
    if let Some(name) = member["$ref"].as_str() {
        let name = name.rsplit('/').next().unwrap();
        return match name {
            "TimeSpan" => json!("float64"),
            "FileTime" => json!("timestamp"),
            // What is deep in a record is JSON in one column.
            "Choice" => json!("string"),
            _ if schema["$defs"][name]["properties"].is_object() => columns_of(schema, name),
            _ => json!("string"),
        };
    }
    let kind = member["type"]
        .as_str()
        .or_else(|| member["type"][0].as_str())
        .unwrap();
    match (kind, member["format"].as_str()) {
        ("integer", Some("uint32")) => json!("uint32"),
        ("integer", Some("uint64" | "uint")) => json!("uint64"),
        ("string", _) => json!("string"),
        ("array", _) if member["items"]["$ref"] == "#/$defs/TypesFrom" => json!("string"),
        ("array", _) => json!([column_of(schema, &member["items"])]),
        other => panic!("{other:?}"),
    }
}

/// Each member of a record has a column, with the type that the schema gives it.
#[test]
fn ray_has_all_columns() {
    let yard = Yard::new();
    let Some(told) = driver(&yard.path("dumps")) else {
        return eprintln!("skipped: python3 is not installed");
    };
    let schema = fs::read_to_string(root().join("docs/alpc-dump.schema.json")).unwrap();
    let schema: Value = serde_json::from_str(&schema).unwrap();
    let mut expected = columns_of(&schema, "TriageRecord");
    // Of the line, not of the record.
    expected["dump"] = json!("string");
    assert_eq!(told["columns"], expected);
    let ends = schema["$defs"]["RootKind"]["oneOf"].as_array().unwrap().iter();
    let ends = ends.map(|end| {
        let text = end["description"].as_str().unwrap().replace('\n', " ");
        (end["const"].as_str().unwrap().to_owned(), json!(text))
    });
    assert_eq!(told["ends"], ends.collect::<Value>());
    let row = &told["row"];
    assert_eq!(row["crash_time"], 1_500_000);
    assert_eq!(row["up_time_seconds"], 1.5);
    assert_eq!(row["root_blocker"]["longest_wait_seconds"], 1.5);
    assert_eq!(row.get("longest_wait_seconds"), None);
    assert_eq!(row["symbols"]["evidence"], r#"{"a": 1}"#);
}

#[test]
fn ray_on_two_nodes() {
    let Some(python) = ray_python() else {
        return eprintln!("skipped: no Python with Ray, pyarrow and duckdb (.ci/peers installs them)");
    };
    let yard = Yard::new();
    fs::create_dir(yard.path("ray")).unwrap();
    let output = Command::new(python)
        .arg(root().join("examples/fleet/test_fleet.py"))
        .arg(env!("CARGO_BIN_EXE_alpc-dump"))
        .args([yard.path("dumps"), yard.path("ray")])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let told: Value = serde_json::from_str(text.lines().last().unwrap_or_default())
        .unwrap_or_else(|error| panic!("{error}: {text}{}", said(&output)));
    assert_eq!(
        told["said"][1],
        "9 dumps in 3 shards: 0 looked at on 0 nodes, the rest was there\n1 others ignored (1 not-a-dump)"
    );
    // In this run two objects wait for each other, which takes two nodes.
    assert_eq!(
        told["said"][2],
        "10 dumps in 3 shards: 3 looked at on 2 nodes, the rest was there"
    );
    // What has no name of a dump is found out by the task that reads it.
    let store = told["said"][3].as_str().unwrap();
    assert!(store.starts_with("10 dumps in 3 shards: 3 looked at"), "{store}");
    assert!(store.ends_with("\n1 others ignored (1 not-a-dump)"), "{store}");
    // What is brought is hashed: of three dumps of the same bytes one is counted.
    for (source, each, more) in [
        ("folder", 3, vec![]),
        ("objects", 1, vec![("! not-fetched", 1)]),
        ("store", 1, vec![]),
    ] {
        let answers = &told["answers"][source];
        let counts: BTreeMap<&str, u64> = answers["signatures"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| (row[0].as_str().unwrap(), row[1].as_u64().unwrap()))
            .collect();
        let expected = [("! header-cut", each), (RING, each), (ROW, each)];
        assert_eq!(counts, expected.into_iter().chain(more).collect(), "{source}");
        assert_eq!(
            answers["builds"],
            json!([[6002, "x64", 2 * each, each, 2 * each]])
        );
        // Behind the ring is a bystander, but no chain ends outside of it; behind the row's owner are three.
        assert_eq!(
            answers["culprits"],
            json!([["lsass.exe", "no-owner", each, 3 * each]])
        );
        let group = &answers["groups"][0];
        assert_eq!(
            (&group[0], &group[1], &group[2]),
            (&json!(ROW), &json!(each), &json!("6002"))
        );
        let copies = answers["duplicates"].as_array().unwrap().iter();
        let copies: Vec<&Value> = copies.map(|row| &row[1]).collect();
        assert_eq!(copies, vec![3; if each == 1 { 3 } else { 0 }], "{source}");
    }
    let report = told["report"].as_str().unwrap();
    assert!(
        report.contains("it ends at: no-owner. A thread that waits for something"),
        "{report}"
    );
    assert!(told["report"].as_str().unwrap().contains("culprits"));
}

#[test]
fn the_page_tells_the_options() {
    let page = fs::read_to_string(root().join("docs/fleet.md")).unwrap();
    let help = alpc_dump(&["help", "triage"]).stdout;
    for option in [
        "--jobs",
        "--timeout",
        "--memory",
        "--resume",
        "--groups",
        "--recursive",
    ] {
        assert!(
            page.contains(&format!("`{option}")) && help.contains(option),
            "{option}"
        );
    }
}
