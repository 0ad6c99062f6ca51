//! Many dumps: one record each, in the order of the dumps, whatever is wrong with some of them.

mod support;

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use support::{Run, alpc_dump, fixture, shared};
use synth::dump::Kind;
use synth::worlds::hang;
use tempfile::TempDir;

const KERNEL: &str = "vista-sp2-x64";

/// A folder of dumps with the PDB of their kernel.
struct Fleet {
    folder: TempDir,
}

impl Fleet {
    fn new() -> Self {
        let fleet = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        fleet.write("kernel.pdb", &fs::read(fixture("vista-sp2-x64.pdb")).unwrap());
        fleet
    }

    /// Dumps of every fate, by what becomes of them.
    fn mixed() -> Self {
        let fleet = Self::new();
        let whole = fs::read(fixture("vista-sp2-x64.dmp")).unwrap();
        let ring = hang::ring_of_three(KERNEL).built.dump(Kind::Summary);
        fleet.write("a-whole.dmp", &whole);
        fleet.write("b-cut.dmp", &whole[..whole.len() - 20 * 4096]);
        fleet.write("c-ring.dmp", &ring);
        fleet.write("d-header.dmp", &whole[..3000]);
        fleet.write("e-empty.dmp", b"");
        fleet.write("f-foreign.dmp", b"MDMP\x93\xa7\0\0");
        fleet.write("g-hostile.dmp", &hostile(&whole));
        fleet.write("h-other-machine.dmp", &other_machine(&whole));
        fleet.write("i-ring.dmp", &ring);
        fleet.write("j-ring.dmp", &ring);
        fleet.write("k-holes.dmp", &hang::paged_out(KERNEL).built.dump(Kind::Summary));
        fleet.write("notes.txt", b"nothing");
        fleet
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path(name), bytes).unwrap();
    }

    fn triage(&self, more: &[&str]) -> Run {
        let mut args = vec![self.folder.path().to_str().unwrap(), "triage"];
        args.extend(more);
        alpc_dump(&args)
    }
}

/// Everything behind the header is the same byte over and over: page tables that lead in circles.
fn hostile(whole: &[u8]) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    bytes[0x8000..].fill(0x67);
    bytes
}

fn other_machine(whole: &[u8]) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    bytes[0x30..0x34].copy_from_slice(&0x200_u32.to_le_bytes());
    bytes
}

fn records(run: &Run) -> Vec<Value> {
    run.lines()
}

fn file_name(record: &Value) -> &str {
    record["dump"].as_str().unwrap().rsplit('/').next().unwrap()
}

#[test]
fn one_record_a_dump_whatever_is_wrong_with_it() {
    let fleet = Fleet::mixed();
    let run = fleet.triage(&[]);
    assert_eq!(run.status, 2, "{}", run.stderr);
    let records = records(&run);
    let told: Vec<(&str, &str, &str)> = records
        .iter()
        .map(|record| {
            let error = record["error"]["id"].as_str();
            (
                file_name(record),
                record["status"].as_str().unwrap(),
                error.unwrap_or("-"),
            )
        })
        .collect();
    // What is called a dump has a record, whatever it is; a PDB and a text have none.
    assert_eq!(
        told,
        [
            ("a-whole.dmp", "complete", "-"),
            ("b-cut.dmp", "fatal", "no-kernel-image"),
            ("c-ring.dmp", "finding", "-"),
            ("d-header.dmp", "fatal", "header-cut"),
            ("e-empty.dmp", "fatal", "empty-file"),
            ("f-foreign.dmp", "fatal", "not-a-dump"),
            ("g-hostile.dmp", "fatal", "no-kernel-image"),
            ("h-other-machine.dmp", "fatal", "unsupported-machine"),
            ("i-ring.dmp", "finding", "-"),
            ("j-ring.dmp", "finding", "-"),
            ("k-holes.dmp", "partial", "-"),
        ]
    );
    assert_eq!(
        run.stderr,
        "alpc-dump: 11 dumps, 3 with a deadlock, 1 in part, 6 failed, 2 others ignored (1 program, 1 text)\n"
    );
    let members = |record: &Value| record.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    for record in &records {
        assert_eq!(members(record), members(&records[0]), "one shape for all");
        assert_eq!(record["record"], "triage");
        assert_eq!(
            record["dump_size"],
            fs::metadata(fleet.path(file_name(record))).unwrap().len()
        );
    }
    // The header of a dump is told even when nothing else can be.
    assert_eq!(records[6]["bug_check"]["code"], 0xe2);
    assert_eq!(records[6]["build"], 6002);
    assert_eq!(records[6]["signature"], Value::Null);
    let problems = records[1]["problems"].as_array().unwrap();
    assert!(problems.iter().any(|problem| problem["id"] == "truncated"));
    assert_eq!(
        (&records[0]["lacks"], &records[10]["lacks"]),
        (&Value::Null, &json!("pages"))
    );
    let holes = records[10]["problems"].as_array().unwrap();
    assert!(
        holes.iter().any(|problem| problem["id"] == "not-present"),
        "{holes:?}"
    );
    let pages = |name: &str| records[1][name].as_u64().unwrap();
    assert_eq!(pages("pages_claimed") - pages("pages_present"), 20);
}

#[test]
fn files_that_are_named_are_always_tried() {
    let fleet = Fleet::mixed();
    let names = ["f-foreign.dmp", "none.dmp", "e-empty.dmp", "c-ring.dmp"];
    let paths = names.map(|name| fleet.path(name).to_str().unwrap().to_owned());
    let mut args: Vec<&str> = paths.iter().map(String::as_str).collect();
    args.push("triage");
    let run = alpc_dump(&args);
    assert_eq!(run.status, 2);
    let errors: Vec<Value> = records(&run)
        .into_iter()
        .map(|record| record["error"]["id"].clone())
        .collect();
    assert_eq!(
        errors,
        [
            json!("not-a-dump"),
            json!("not-found"),
            json!("empty-file"),
            json!(null)
        ]
    );
}

/// What the world was told is what the record says.
#[test]
fn a_record_tells_what_the_world_was_told() {
    for kernel in [KERNEL, "win7-sp1-x86", "win11-22h2-x64"] {
        let scene = hang::row_to_mutant(kernel);
        let truth = &scene.built.truth;
        let fleet = Fleet::new();
        fleet.write("of-the-world.pdb", &scene.built.pdb());
        let kind = if truth.build < 9200 {
            Kind::Summary
        } else {
            Kind::BitmapKernel
        };
        fleet.write("a.dmp", &scene.built.dump(kind));
        let run = fleet.triage(&[]);
        assert_eq!(run.status, 0, "{kernel}: {}{}", run.stdout, run.stderr);
        let record = &records(&run)[0];
        let digits = usize::try_from(scene.built.pointer_size()).unwrap() * 2;
        assert_eq!(record["build"], truth.build);
        assert_eq!(record["ports"], truth.ports.len());
        assert_eq!(record["threads"], truth.threads.len());
        assert_eq!((&record["waits"], &record["stuck"]), (&json!(2), &json!(3)));
        assert_eq!(
            (&record["deadlocks"], &record["possible_deadlocks"]),
            (&json!(0), &json!(0))
        );
        let zeros = "0".repeat(digits);
        assert_eq!(
            record["bug_check"],
            json!({
                "code": 0xe2,
                "name": "MANUALLY_INITIATED_CRASH",
                "parameters": [zeros, zeros, zeros, zeros],
            })
        );
        let owner = truth.thread(scene.at("owner"));
        let address = owner.address.to_string()[16 - digits..].to_owned();
        let blocker = &record["root_blocker"];
        assert_eq!(blocker["kind"], "thread");
        assert_eq!(blocker["address"], address.as_str());
        assert_eq!(blocker["image"], "lsass.exe");
        assert_eq!(blocker["process_id"], owner.pid);
        assert_eq!(blocker["thread_id"], owner.tid);
        assert_eq!(blocker["end"], "no-owner");
        assert_eq!(blocker["threads_behind"], 3);
        assert_eq!(
            record["signature"],
            "blocked:explorer.exe>svchost.exe[senssvc]>lsass.exe[lsasspirpc]>lsass.exe{mutant}:no-owner"
        );
        let first = truth.thread(scene.at("first"));
        let ticks = truth.tick_count - u64::from(first.wait_time);
        assert!(record["longest_wait"]["ticks"].as_u64() >= Some(ticks * u64::from(truth.time_increment)));
        assert_eq!(
            record["up_time"]["ticks"],
            truth.tick_count * u64::from(truth.time_increment)
        );
    }
}

#[test]
fn the_status_of_a_dump_is_that_of_hang() {
    let Some(folder) = shared("worlds") else {
        return eprintln!("skipped: no worlds at hand");
    };
    let symbols = folder.join("syms");
    let symbols = symbols.to_str().unwrap();
    let run = alpc_dump(&[folder.to_str().unwrap(), "-y", symbols, "triage"]);
    for record in records(&run) {
        let dump = record["dump"].as_str().unwrap();
        let hang = alpc_dump(&[dump, "-y", symbols, "hang", "--format", "json"]);
        assert_eq!(record["status"], hang.json()["status"], "{dump}");
        let (report, error) = (&hang.json()["result"], &hang.json()["error"]);
        assert_eq!(record["error"]["id"], error["id"], "{dump}");
        if record["signature"].is_string() {
            assert_eq!(record["signature"], report["signature"], "{dump}");
        }
    }
}

#[test]
fn order_and_bytes_are_the_same_with_any_number_of_jobs() {
    let fleet = Fleet::mixed();
    for format in ["ndjson", "csv", "json", "text"] {
        let runs = ["1", "2", "8"].map(|jobs| fleet.triage(&["--jobs", jobs, "--format", format]));
        // Documents tell the command line, and so the jobs.
        let bytes = |run: &Run| {
            let lines = run.stdout.split_inclusive('\n');
            let lines = lines.filter(|line| !matches!(line.trim(), "\"1\"," | "\"2\"," | "\"8\","));
            lines.collect::<String>()
        };
        for run in &runs[1..] {
            assert!(bytes(run) == bytes(&runs[0]), "{format}");
            assert_eq!(run.stderr, runs[0].stderr);
            assert_eq!(run.status, 2);
        }
        assert!(runs[0].stdout.ends_with('\n') && !runs[0].stdout.contains('\r'));
    }
}

#[test]
fn a_dump_alone_gives_the_line_that_it_gives_among_many() {
    let fleet = Fleet::mixed();
    let many = fleet.triage(&[]);
    let alone: String = records(&many)
        .iter()
        .map(|record| alpc_dump(&[record["dump"].as_str().unwrap(), "triage"]).stdout)
        .collect();
    assert_eq!(alone, many.stdout);
    let dump = fleet.path("c-ring.dmp");
    let run = alpc_dump(&[dump.to_str().unwrap(), "triage", "--format", "json"]);
    assert_eq!(run.status, 1);
    let document = run.json();
    assert_eq!(document["status"], "finding");
    let record = &records(&many)[2];
    assert_eq!(document["dump"], record["dump"]);
    assert_eq!(document["symbols"], record["symbols"]);
    assert_eq!(document["result"]["signature"], record["signature"]);
    let all = fleet.triage(&["--format", "json"]).json();
    assert_eq!(all.as_array().unwrap().len(), 11);
    assert_eq!(all[2]["result"], document["result"]);
}

#[test]
fn the_table() {
    let fleet = Fleet::mixed();
    let run = fleet.triage(&["--format", "text"]);
    let folder = fleet.folder.path().to_str().unwrap();
    let table = run.stdout.replace(folder, "F");
    let rows: Vec<Vec<&str>> = table
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(rows[0][..4], ["DUMP", "STATUS", "BUILD", "BUGCHECK"]);
    assert_eq!(
        rows[1][..6],
        ["F/a-whole.dmp", "complete", "6002", "0x000000e2", "100", "%"]
    );
    assert_eq!(rows[11][..3], ["F/k-holes.dmp", "partial", "(pages)"]);
    let ring = "deadlock:csrss.exe[apiport]>lsass.exe[lsasspirpc]>services.exe[ntsvcs]>csrss.exe";
    assert_eq!(rows[3].last(), Some(&ring));
    assert_eq!(rows[3][rows[3].len() - 2], "1", "one deadlock");
    assert!(table.contains("! header-cut: ends after 3000 bytes"), "{table}");
    let groups: Vec<&str> = table.split("\n\n").nth(1).unwrap().lines().collect();
    assert_eq!(groups[0], "DUMPS  SIGNATURE");
    assert_eq!(groups[1], format!("    3  {ring}  (first: F/c-ring.dmp)"));
    assert!(
        groups.contains(&"    1  ! header-cut  (first: F/d-header.dmp)"),
        "{groups:?}"
    );
}

#[test]
fn groups_are_records_when_they_are_asked_for() {
    let fleet = Fleet::mixed();
    let all = records(&fleet.triage(&["--groups"]));
    let groups: Vec<&Value> = all.iter().filter(|record| record["record"] == "group").collect();
    assert_eq!(groups.len(), 8, "{groups:?}");
    assert_eq!(groups[0]["dumps"], 3);
    assert_eq!(groups[0]["dump"], all[2]["dump"]);
    assert_eq!(groups[0]["signature"], all[2]["signature"]);
    let total: u64 = groups.iter().map(|group| group["dumps"].as_u64().unwrap()).sum();
    assert_eq!(total, 11);
    let refused = fleet.triage(&["--groups", "--format", "csv"]);
    assert_eq!((refused.status, refused.stdout.as_str()), (2, ""));
}

#[test]
fn csv_has_a_row_a_dump() {
    let fleet = Fleet::mixed();
    let run = fleet.triage(&["--format", "csv"]);
    let mut reader = csv::Reader::from_reader(run.stdout.as_bytes());
    let names = reader.headers().unwrap().clone();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 11);
    let cell = |row: usize, name: &str| {
        let at = names.iter().position(|known| known == name).unwrap();
        rows[row][at].to_owned()
    };
    assert_eq!(cell(2, "deadlocks"), "1");
    assert_eq!(cell(2, "bug_check.code"), "226");
    assert_eq!(cell(3, "error.id"), "header-cut");
    assert_eq!(cell(3, "deadlocks"), "");
    assert!(cell(1, "problems").contains(r#"{"id":"truncated","text":"#));
}

#[test]
fn a_dump_that_takes_too_long_is_one_record() {
    let fleet = Fleet::mixed();
    // No process is started, let alone has read a dump, in no time.
    let run = fleet.triage(&["--timeout", "0s"]);
    assert_eq!(run.status, 2);
    let records = records(&run);
    assert_eq!(records.len(), 11);
    for record in &records {
        assert_eq!(record["error"]["id"], "timeout");
        assert!(record["dump_size"].is_u64());
    }
    let one = alpc_dump(&[
        fleet.path("a-whole.dmp").to_str().unwrap(),
        "triage",
        "--timeout",
        "0s",
    ]);
    assert_eq!(one.stdout.lines().next(), run.stdout.lines().next());
    assert_eq!(
        fleet.triage(&["--timeout", "1d"]).stdout,
        fleet.triage(&[]).stdout
    );
}

#[test]
fn results_in_a_file() {
    let fleet = Fleet::mixed();
    let elsewhere = tempfile::tempdir().unwrap();
    let file = elsewhere.path().join("all.ndjson");
    let output = file.to_str().unwrap();
    let run = fleet.triage(&["--output", output, "--quiet", "--hash"]);
    assert_eq!(
        (run.status, run.stdout.as_str(), run.stderr.as_str()),
        (2, "", "")
    );
    let text = fs::read_to_string(&file).unwrap();
    let hash = |line: &str| serde_json::from_str::<Value>(line).unwrap()["dump_sha256"].clone();
    assert_eq!(text.lines().count(), 11);
    assert_eq!(hash(text.lines().next().unwrap()).as_str().unwrap().len(), 64);
    // What is there already, and what is a dump, is not written over.
    let refused = fleet.triage(&["--output", output, "--resume", output]);
    assert_eq!(refused.status, 2);
    assert!(refused.stderr.contains("append to it"), "{}", refused.stderr);
    let dump = fleet.path("a-whole.dmp");
    let before = fs::read(&dump).unwrap();
    assert_eq!(fleet.triage(&["--output", dump.to_str().unwrap()]).status, 2);
    assert!(fs::read(&dump).unwrap() == before);
    assert_eq!(fs::read_to_string(&file).unwrap(), text);
}

/// Runs it with stdout at the end of a file, as `>>` does.
fn append(folder: &Path, to: &Path, args: &[&str]) -> i32 {
    let file = OpenOptions::new().append(true).create(true).open(to).unwrap();
    let status = Command::new(env!("CARGO_BIN_EXE_alpc-dump"))
        .arg(folder)
        .arg("triage")
        .args(args)
        .env_remove("_NT_SYMBOL_PATH")
        .stdout(file)
        .stderr(Stdio::null())
        .status()
        .unwrap();
    status.code().unwrap()
}

#[test]
fn a_run_that_was_interrupted_goes_on_where_it_was() {
    let fleet = Fleet::mixed();
    let whole = fleet.triage(&[]).stdout;
    let elsewhere = tempfile::tempdir().unwrap();
    let file = elsewhere.path().join("done.ndjson");
    let resume = ["--resume", file.to_str().unwrap()];
    // Nothing is there yet.
    assert_eq!(append(fleet.folder.path(), &file, &resume), 2);
    assert_eq!(fs::read_to_string(&file).unwrap(), whole);
    // Everything is there: nothing more, and nothing found in this run.
    assert_eq!(append(fleet.folder.path(), &file, &resume), 0);
    assert_eq!(fs::read_to_string(&file).unwrap(), whole);
    // Killed in the middle of a line.
    let third_line: usize = whole.lines().take(2).map(|line| line.len() + 1).sum();
    fs::write(&file, &whole[..third_line + 100]).unwrap();
    append(fleet.folder.path(), &file, &resume);
    assert_eq!(fs::read_to_string(&file).unwrap(), whole);
    // A torn line of a file that is not stdout stays as it is.
    fs::write(&file, &whole[..third_line + 100]).unwrap();
    let rest = fleet.triage(&resume);
    assert_eq!(rest.stdout, &whole[third_line..]);
    assert_eq!(fs::read(&file).unwrap().len(), third_line + 100);
    assert!(
        rest.stderr.contains("1 line cannot be read as records"),
        "{}",
        rest.stderr
    );
    assert!(
        rest.stderr
            .contains("9 dumps, 3 with a deadlock, 1 in part, 5 failed, 2 done before"),
        "{}",
        rest.stderr
    );
    // A dump whose length has changed is another dump.
    fs::write(&file, &whole).unwrap();
    fs::copy(fixture("vista-sp2-x64.dmp"), fleet.path("d-header.dmp")).unwrap();
    let again = records(&fleet.triage(&resume));
    assert_eq!(again.len(), 1);
    assert_eq!(
        (file_name(&again[0]), &again[0]["status"]),
        ("d-header.dmp", &json!("complete"))
    );
}

#[test]
fn the_exit_status_is_the_first_that_any_dump_has() {
    let whole = fs::read(fixture("vista-sp2-x64.dmp")).unwrap();
    let fleet = Fleet::new();
    fleet.write("a.dmp", &whole);
    assert_eq!(fleet.triage(&[]).status, 0);
    fleet.write("b.dmp", &hang::paged_out(KERNEL).built.dump(Kind::Summary));
    assert_eq!(fleet.triage(&[]).status, 3);
    fleet.write("c.dmp", &hang::self_call(KERNEL).built.dump(Kind::Summary));
    assert_eq!(fleet.triage(&[]).status, 1);
    fleet.write("d.dmp", b"PAGEDU64");
    assert_eq!(fleet.triage(&[]).status, 2);
}

#[test]
fn options_reach_every_dump() {
    let fleet = Fleet::new();
    let elsewhere = tempfile::tempdir().unwrap();
    fs::rename(fleet.path("kernel.pdb"), elsewhere.path().join("kernel.pdb")).unwrap();
    fs::copy(fixture("vista-sp2-x64.dmp"), fleet.path("a.dmp")).unwrap();
    let error = |run: &Run| records(run)[0]["error"]["id"].clone();
    assert_eq!(error(&fleet.triage(&["--exact-symbols"])), "no-symbols");
    let certainty = |run: &Run| records(run)[0]["symbols"]["certainty"].clone();
    assert_eq!(certainty(&fleet.triage(&[])), "chosen by invariants");
    let symbols = elsewhere.path().to_str().unwrap();
    assert_eq!(certainty(&fleet.triage(&["-y", symbols, "--no-mmap"])), "exact");
}

#[test]
fn folders_without_dumps_and_names_with_signs() {
    let fleet = Fleet::new();
    let run = fleet.triage(&[]);
    assert_eq!(run.status, 2);
    assert_eq!(records(&run)[0]["error"]["id"], "no-dumps");
    fs::create_dir(fleet.path("deeper")).unwrap();
    fleet.write("deeper/a.dmp", b"PAGEDU64");
    assert_eq!(records(&fleet.triage(&[]))[0]["error"]["id"], "no-dumps");
    assert_eq!(
        records(&fleet.triage(&["--recursive"]))[0]["error"]["id"],
        "header-cut"
    );
    if cfg!(unix) {
        fleet.write("a\n\u{1b}[31m.dmp", b"PAGEDU64");
        let run = fleet.triage(&["--format", "text"]);
        assert!(run.stdout.contains("a\\n\\u{1b}[31m.dmp"), "{}", run.stdout);
        assert!(!run.stdout.contains('\u{1b}'));
        assert_eq!(records(&fleet.triage(&[])).len(), 1);
    }
}

/// A reader that has seen enough is no error, and what is still at work is not waited for.
#[cfg(unix)]
#[test]
fn a_closed_pipe_is_success() {
    let fleet = Fleet::mixed();
    let line = format!(
        "{} {} triage --jobs 2 | head -n 1",
        env!("CARGO_BIN_EXE_alpc-dump"),
        fleet.folder.path().display()
    );
    let output = Command::new("bash")
        .args(["-c", &format!("set -o pipefail; {line}")])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.lines().count(), 1);
    assert!(
        matches!(output.status.code(), Some(0 | 2)),
        "all was written before the pipe closed, or success"
    );
}

#[test]
fn one_of_several_commands_over_an_opened_dump() {
    let dump = fixture("vista-sp2-x64.dmp");
    let run = alpc_dump(&[dump.to_str().unwrap(), "-c", "triage; waits", "--format", "json"]);
    let documents = run.json();
    assert_eq!(
        documents[0]["result"]["signature"],
        "blocked:explorer.exe>lsass.exe[lsasspirpc]:not-received"
    );
    let waits = documents[1]["result"]["waits"].as_array().unwrap().len();
    assert_eq!(documents[0]["result"]["waits"], waits);
}

/// A folder with everything in it that a copy, a download or a slip leaves.
#[cfg(unix)]
#[test]
fn what_was_meant_to_be_a_dump_has_a_record() {
    let fleet = Fleet::new();
    let path = |name: &str| fleet.path(name);
    // As long as a real one; two have been met.
    fleet.write("zeros.dmp", &vec![0; 286_864]);
    fleet.write("empty.DMP", b"");
    fleet.write("MEMORY.DMP", b"version https://git-lfs.github.com/spec/v1\n");
    fleet.write("page.dmp", b"<html>");
    fleet.write("process.mdmp", b"MDMP\x93\xa7\0\0");
    fleet.write("renamed.bin", b"MDMP\x93\xa7\0\0");
    fleet.write("packed.zip", b"PK\x03\x04");
    fleet.write("text.hdmp", b"text");
    fs::create_dir(path("unpacked.dmp")).unwrap();
    std::os::unix::fs::symlink("gone", path("link.dmp")).unwrap();
    assert!(
        Command::new("mkfifo")
            .arg(path("pipe.dmp"))
            .status()
            .unwrap()
            .success()
    );
    fleet.write("empty", b"");
    fleet.write("notes.txt", b"nothing");
    fs::create_dir(path("deeper")).unwrap();
    let run = fleet.triage(&[]);
    assert_eq!(run.status, 2);
    let told: Vec<(String, Value)> = records(&run)
        .iter()
        .map(|record| (file_name(record).to_owned(), record["error"]["id"].clone()))
        .collect();
    let expected = [
        ("MEMORY.DMP", "git-lfs-pointer"),
        ("empty.DMP", "empty-file"),
        ("link.dmp", "broken-link"),
        ("packed.zip", "compressed"),
        ("page.dmp", "not-a-dump"),
        ("pipe.dmp", "not-a-file"),
        ("process.mdmp", "not-a-dump"),
        ("renamed.bin", "not-a-dump"),
        ("text.hdmp", "not-a-dump"),
        ("unpacked.dmp", "folder"),
        ("zeros.dmp", "begins-with-zeros"),
    ];
    assert_eq!(told, expected.map(|(name, id)| (name.to_owned(), json!(id))));
    let counted = "11 dumps, 11 failed, 4 others ignored (1 empty-file, 1 folder, 1 program, 1 text)";
    assert_eq!(run.stderr, format!("alpc-dump: {counted}\n"));
    // All of them are remembered, also those without a length.
    let elsewhere = tempfile::tempdir().unwrap();
    let done = elsewhere.path().join("done.ndjson");
    fs::write(&done, &run.stdout).unwrap();
    let again = fleet.triage(&["--resume", done.to_str().unwrap()]);
    assert_eq!((again.status, again.stdout.as_str()), (0, ""));
    assert!(
        again.stderr.contains("0 dumps, 11 done before, 4 others ignored"),
        "{}",
        again.stderr
    );
    // The rest is listed where that is asked for, in the order of the names.
    let listed = fleet.triage(&["-v"]);
    let ignored: Vec<(String, Value)> = records(&listed)
        .iter()
        .filter(|record| record["record"] == "ignored")
        .map(|record| (file_name(record).to_owned(), record["reason"].clone()))
        .collect();
    let expected = [
        ("deeper", "folder"),
        ("empty", "empty-file"),
        ("kernel.pdb", "program"),
        ("notes.txt", "text"),
    ];
    assert_eq!(ignored, expected.map(|(name, id)| (name.to_owned(), json!(id))));
    let table = fleet.triage(&["-v", "--format", "text"]).stdout;
    let lines: Vec<Vec<&str>> = table
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    let ignored = lines.iter().filter(|words| words.get(2) == Some(&"ignored:"));
    let ignored: Vec<String> = ignored.map(|words| words[3..].join(" ")).collect();
    let expected = [
        "a folder; --recursive looks into it",
        "an empty file",
        "a PDB",
        "a text file",
    ];
    assert_eq!(ignored, expected);
    for format in ["csv", "json"] {
        let run = fleet.triage(&["-v", "--format", format]);
        assert!(
            run.stderr.contains("/notes.txt: ignored: a text file\n"),
            "{}",
            run.stderr
        );
        assert!(!run.stdout.contains("notes.txt"));
    }
    let hidden = fleet.triage(&["-v", "--redact", "paths"]);
    assert!(!hidden.stdout.contains("notes"), "{}", hidden.stdout);
}

#[cfg(unix)]
#[test]
fn what_may_not_be_read_has_a_record() {
    use std::os::unix::fs::PermissionsExt;
    let fleet = Fleet::new();
    fleet.write("a.dmp", b"PAGEDU64");
    fleet.write("b", b"PAGEDU64");
    for name in ["a.dmp", "b"] {
        fs::set_permissions(fleet.path(name), fs::Permissions::from_mode(0o0)).unwrap();
    }
    if fs::File::open(fleet.path("b")).is_ok() {
        return eprintln!("skipped: this user may read everything");
    }
    let run = fleet.triage(&[]);
    let ids: Vec<Value> = records(&run)
        .iter()
        .map(|record| record["error"]["id"].clone())
        .collect();
    assert_eq!(ids, ["permission-denied", "permission-denied"]);
}

/// Names that are no UTF-8 read alike; the dumps are two all the same.
#[cfg(target_os = "linux")]
#[test]
fn names_that_are_no_text_are_told_apart() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let fleet = Fleet::new();
    for name in [b"a\xfe.dmp", b"a\xff.dmp"] {
        fs::write(fleet.folder.path().join(OsStr::from_bytes(name)), b"PAGEDU64").unwrap();
    }
    let run = fleet.triage(&["--groups"]);
    let all = records(&run);
    let bytes = |record: &Value| record["dump_bytes"].as_str().unwrap().to_owned();
    assert!(bytes(&all[0]).ends_with("61fe2e646d70"), "{}", all[0]);
    assert!(bytes(&all[1]).ends_with("61ff2e646d70"), "{}", all[1]);
    assert_eq!(file_name(&all[0]), file_name(&all[1]));
    assert_eq!(
        (&all[2]["record"], bytes(&all[2])),
        (&json!("group"), bytes(&all[0]))
    );
    // One of them is done.
    let elsewhere = tempfile::tempdir().unwrap();
    let done = elsewhere.path().join("done.ndjson");
    for (number, line) in run.stdout.lines().take(2).enumerate() {
        fs::write(&done, format!("{line}\n")).unwrap();
        let rest = records(&fleet.triage(&["--resume", done.to_str().unwrap()]));
        let rest: Vec<String> = rest.iter().map(bytes).collect();
        assert_eq!(rest, [bytes(&all[1 - number])]);
    }
    let table = fleet.triage(&["--format", "text"]).stdout;
    assert!(
        table.contains("/a\\xfe.dmp  ") && table.contains("/a\\xff.dmp  "),
        "{table}"
    );
    assert!(
        table.contains("(first: ") && table.contains("/a\\xfe.dmp)"),
        "{table}"
    );
    assert!(fleet.triage(&["--format", "csv"]).stdout.contains("61ff2e646d70"));
    let documents = fleet.triage(&["--format", "json"]).json();
    assert!(
        documents[1]["dump_bytes"]
            .as_str()
            .unwrap()
            .ends_with("61ff2e646d70")
    );
    assert!(!fleet.triage(&["--redact", "paths"]).stdout.contains("dump_bytes"));
    let hidden = fleet.folder.path().join(OsStr::from_bytes(b"a\xfe.dmp"));
    let alone = Command::new(env!("CARGO_BIN_EXE_alpc-dump"))
        .arg(hidden)
        .arg("triage")
        .output()
        .unwrap();
    assert!(String::from_utf8(alone.stdout).unwrap().contains("61fe2e646d70"));
}

/// Symbols that lack a field are no dump that lacks a page: other symbols help, another dump does not.
#[test]
fn what_is_missing_is_told_apart() {
    let fleet = Fleet::new();
    let dump = fixture("vista-sp2-x64.dmp");
    let dump = dump.to_str().unwrap();
    let packed = fleet.path("kernel.pack");
    let packed = packed.to_str().unwrap();
    assert_eq!(
        alpc_dump(&[
            dump,
            "-y",
            fleet.path("kernel.pdb").to_str().unwrap(),
            "pack",
            "-o",
            packed
        ])
        .status,
        0
    );
    // A pack that says nothing of how long threads wait.
    let text = fs::read_to_string(packed).unwrap();
    let without = text.replacen(" WaitTime ", " WaitedTime ", 1);
    assert_ne!(text, without);
    fs::remove_file(fleet.path("kernel.pdb")).unwrap();
    fs::write(packed, without).unwrap();
    let holes = hang::paged_out(KERNEL).built.dump(Kind::Summary);
    fs::copy(dump, fleet.path("a.dmp")).unwrap();
    fleet.write("b.dmp", &holes);
    let run = fleet.triage(&["-y", packed, "--exact-symbols"]);
    let told: Vec<(Value, Value)> = records(&run)
        .iter()
        .map(|record| (record["status"].clone(), record["lacks"].clone()))
        .collect();
    let expected = ["symbols", "pages-and-symbols"].map(|lacks| (json!("partial"), json!(lacks)));
    assert_eq!(told, expected, "{}", run.stdout);
    let table = fleet
        .triage(&["-y", packed, "--exact-symbols", "--format", "text"])
        .stdout;
    assert!(table.contains("  partial (symbols)  "), "{table}");
}

/// What need not end does not fill the memory, and is named.
#[cfg(unix)]
#[test]
fn what_is_no_file_of_records_is_refused() {
    let fleet = Fleet::mixed();
    let run = fleet.triage(&["--resume", "/dev/zero"]);
    assert_eq!((run.status, run.stdout.as_str()), (2, ""));
    assert!(
        run.stderr
            .contains("/dev/zero cannot be read: it has a line of more than 16 MiB"),
        "{}",
        run.stderr
    );
    let run = fleet.triage(&["--resume", "/dev/urandom"]);
    assert_eq!((run.status, run.stdout.as_str()), (2, ""));
    assert_eq!(
        fleet.triage(&["--resume", "/dev/null"]).stdout,
        fleet.triage(&[]).stdout
    );
}
