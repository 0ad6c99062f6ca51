//! Which symbols serve, in which order, and how a user gets them: `symbols`, `pack`, and the symbol path.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use support::{Run, alpc_dump, fixture};
use tempfile::TempDir;

const MESSAGE: &str = "fffff8800f4cc950";
const KEY: &str = "ntkrnlmp.pdb/";

/// The fixture in a folder of its own, without its PDB.
fn alone() -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("memory.dmp");
    fs::copy(fixture("vista-sp2-x64.dmp"), &path).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (folder, path)
}

/// The store path of the fixture's PDB, as the tool itself tells it.
fn store_key(dump: &str) -> String {
    let record = alpc_dump(&[dump, "symbols", "--format", "json"]).json();
    let address = record["result"]["get"]["address"].as_str().unwrap();
    let (_, key) = address.split_once(KEY).unwrap();
    key.split_once('/').unwrap().0.to_owned()
}

fn run_in(dump: &str, environment: &[(&str, &Path)]) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_alpc-dump"));
    run_with(command.args([dump, "message", MESSAGE]), environment)
}

fn run_with(command: &mut Command, environment: &[(&str, &Path)]) -> Run {
    command.env_clear();
    for (name, value) in environment {
        command.env(name, value);
    }
    let output = command.output().unwrap();
    Run {
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
        status: output.status.code().unwrap(),
    }
}

fn put_pdb(folder: &Path, path: &str) -> PathBuf {
    let path = folder.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::copy(fixture("vista-sp2-x64.pdb"), &path).unwrap();
    path
}

#[test]
fn a_miss_says_how_to_get_the_symbols() {
    let (_folder, dump) = alone();
    let run = alpc_dump(&[&dump, "--exact-symbols", "symbols"]);
    assert_eq!(run.status, 0, "{}", run.stderr);
    let key = store_key(&dump);
    for part in [
        "Name             : ntkrnlmp.pdb\n".to_owned(),
        "No symbols are in use\n".to_owned(),
        format!("https://msdl.microsoft.com/download/symbols/ntkrnlmp.pdb/{key}/ntkrnlmp.pdb\n"),
        format!(
            "curl --fail --location --output ntkrnlmp.pdb https://msdl.microsoft.com/download/symbols/ntkrnlmp.pdb/{key}/ntkrnlmp.pdb\n"
        ),
        // In brackets: cmd.exe takes the digit before `>` for a file number.
        format!("(echo ntkrnlmp.pdb,{key},1)> manifest.txt && symchk /im manifest.txt "),
    ] {
        assert!(run.stdout.contains(&part), "no {part:?} in {}", run.stdout);
    }
    assert_eq!(
        alpc_dump(&[&dump, "--exact-symbols", "symbols", "--check"]).status,
        1
    );
    // Something serves all the same, and is not called exact.
    let run = alpc_dump(&[&dump, "symbols", "--check"]);
    assert_eq!(run.status, 0, "{}", run.stderr);
    for part in [
        "Certainty        : chosen by invariants\n",
        "Left out         : ",
        &format!("https://msdl.microsoft.com/download/symbols/ntkrnlmp.pdb/{key}/ntkrnlmp.pdb\n"),
    ] {
        assert!(run.stdout.contains(part), "no {part:?} in {}", run.stdout);
    }
}

#[test]
fn the_symbols_in_use_are_told() {
    let dump = fixture("vista-sp2-x64.dmp");
    let run = alpc_dump(&[dump.to_str().unwrap(), "symbols", "--check"]);
    assert_eq!(run.status, 0);
    assert!(
        run.stdout.contains("Certainty        : exact\n"),
        "{}",
        run.stdout
    );
    assert!(
        !run.stdout.contains("To get the kernel's own symbols"),
        "{}",
        run.stdout
    );
}

#[test]
fn places_are_tried_in_their_order() {
    let (folder, dump) = alone();
    let key = store_key(&dump);
    let place = |name: &str, path: &str| put_pdb(&folder.path().join(name), path);
    let file = format!("ntkrnlmp.pdb/{key}/ntkrnlmp.pdb");
    let (alternative, path) = (place("alternative", &file), place("path", &file));
    let (beside, cache) = (
        folder.path().join("ntkrnlmp.pdb"),
        place("cache/alpc-dump/symbols", &file),
    );
    put_pdb(folder.path(), "ntkrnlmp.pdb");
    let of = |name: &str| folder.path().join(name);
    let server = format!("srv*{}*https://example.invalid/symbols", of("path").display());
    let environment = [
        ("_NT_ALT_SYMBOL_PATH", of("alternative")),
        ("_NT_SYMBOL_PATH", PathBuf::from(server)),
        ("XDG_CACHE_HOME", of("cache")),
    ];
    let environment: Vec<(&str, &Path)> = environment
        .iter()
        .map(|(name, value)| (*name, value.as_path()))
        .collect();
    for found in [alternative, path, beside, cache] {
        let run = run_in(&dump, &environment);
        assert_eq!(run.status, 0, "{}", run.stderr);
        assert_eq!(
            run.stderr,
            format!("alpc-dump: symbols: PDB {}\n", found.display())
        );
        fs::remove_file(found).unwrap();
        if !cfg!(target_os = "linux") && !of("ntkrnlmp.pdb").exists() {
            return;
        }
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_alpc-dump"));
    let run = run_with(
        command.args(["--exact-symbols", &dump, "message", MESSAGE]),
        &environment,
    );
    assert_eq!(run.status, 2);
    assert!(
        run.stderr
            .contains("https://example.invalid/symbols: on the network, which is never asked")
    );
}

#[test]
fn a_symbol_path_is_an_option_too() {
    let (folder, dump) = alone();
    let key = store_key(&dump);
    put_pdb(
        folder.path(),
        &format!("store/nt/ntkrnlmp.pdb/{key}/ntkrnlmp.pdb"),
    );
    let path = format!(
        "cache*{};https://example.invalid",
        folder.path().join("store").display()
    );
    let run = alpc_dump(&[&dump, "-y", &path, "message", MESSAGE]);
    assert_eq!(run.status, 0, "{}", run.stderr);
}

#[test]
fn a_pack_serves_as_the_pdb_does() {
    let (folder, dump) = alone();
    let pack = folder.path().join("kernel.layouts");
    let pack = pack.to_str().unwrap();
    let pdb = fixture("vista-sp2-x64.pdb");
    let made = alpc_dump(&[pdb.to_str().unwrap(), "pack", "-o", pack]);
    assert_eq!(made.status, 0, "{}", made.stderr);
    assert!(fs::metadata(pack).unwrap().len() < 32 << 10);
    let run = alpc_dump(&[&dump, "-y", pack, "message", MESSAGE]);
    assert_eq!(run.stderr, format!("alpc-dump: symbols: layout pack {pack}\n"));
    let expected = alpc_dump(&["fixtures/vista-sp2-x64.dmp", "message", MESSAGE]);
    assert_eq!((run.stdout, run.status), (expected.stdout, 0));
    // A pack of a dump is the same, and nothing is overwritten.
    let other = folder.path().join("other.layouts");
    let fixture = fixture("vista-sp2-x64.dmp");
    let arguments = [fixture.to_str().unwrap(), "pack", "-o", other.to_str().unwrap()];
    assert_eq!(alpc_dump(&arguments).status, 0);
    let renamed = fs::read_to_string(pack)
        .unwrap()
        .replace("vista-sp2-x64.pdb", "ntkrnlmp.pdb");
    assert_eq!(
        fs::read_to_string(&other)
            .unwrap()
            .replace("vista-sp2-x64.pdb", "ntkrnlmp.pdb"),
        renamed
    );
    assert_eq!(alpc_dump(&arguments).status, 2);
}

#[test]
fn packs_of_another_kernel_or_damaged_ones_are_refused() {
    let (folder, dump) = alone();
    let pack = folder.path().join("kernel.layouts");
    let path = pack.to_str().unwrap();
    let pdb = fixture("vista-sp2-x64.pdb");
    alpc_dump(&[pdb.to_str().unwrap(), "pack", "-o", path]);
    let text = fs::read_to_string(&pack).unwrap();
    let key = store_key(&dump);
    let other = text.replace(&key[..32], "00000000000000000000000000000000");
    let cut = &text[..text.len() / 2];
    let layout = text.replacen("\nlayout ", "\nlayout 0 ", 1);
    let later = text.replacen("ntlayout 1", "ntlayout 2", 1);
    for (bad, why) in [
        (other.as_str(), "symbols of another build"),
        (cut, "layout pack is damaged"),
        (&layout, "layout pack is damaged"),
        (&later, "where this program reads \"ntlayout 1\""),
    ] {
        fs::write(&pack, bad).unwrap();
        for (options, status) in [(&["--exact-symbols"][..], 2), (&[], 0)] {
            let run = alpc_dump(&[&[&dump, "-y", path, "message", MESSAGE], options].concat());
            assert_eq!(run.status, status, "{}", run.stderr);
            assert!(run.stderr.contains(why), "no {why:?} in {}", run.stderr);
        }
    }
}

/// A world whose kernel does not say which symbols it wants, and the world itself.
fn without_debug_record(world: &support::World) -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let mut bytes = fs::read(&world.dump).unwrap();
    let at = bytes.windows(4).position(|window| window == b"RSDS").unwrap();
    bytes[at..at + 4].fill(b'X');
    let path = folder.path().join("memory.dmp");
    fs::write(&path, bytes).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (folder, path)
}

fn stored(world: &support::World) -> PathBuf {
    let identity =
        world.run(&["info", "--format", "json"]).json()["result"]["symbols"]["found"]["identity"].clone();
    world
        .symbols
        .join(identity.as_str().unwrap())
        .join("ntkrnlmp.pdb")
}

#[test]
fn a_kernel_without_a_debug_record_is_identified_by_its_addresses() {
    let worlds: Vec<support::World> = support::World::readable().collect();
    for (world, other) in worlds.iter().zip(worlds.iter().skip(1)) {
        let (_folder, dump) = without_debug_record(world);
        let pdb = stored(world);
        for view in ["ports", "threads", "processes"] {
            let expected = world.run(&[view]);
            let alone = alpc_dump(&[&dump, view]);
            assert_eq!(
                (&alone.stdout, alone.status),
                (&expected.stdout, expected.status),
                "{}",
                alone.stderr
            );
            assert!(
                alone
                    .stderr
                    .starts_with("alpc-dump: symbols: built-in layouts of "),
                "{}",
                alone.stderr
            );
            assert!(
                alone.stderr.contains(" (identified by addresses)\n"),
                "{}",
                alone.stderr
            );
            let named = alpc_dump(&[&dump, "-y", pdb.to_str().unwrap(), view]);
            assert_eq!(named.stdout, expected.stdout);
            let line = format!(
                "alpc-dump: symbols: PDB {} (identified by addresses)\n",
                pdb.display()
            );
            assert!(named.stderr.starts_with(&line), "{}", named.stderr);
        }
        // Symbols that put the variables elsewhere are not taken, whoever names them.
        let wrong = stored(other);
        if wrong != pdb {
            let run = alpc_dump(&[&dump, "-y", wrong.to_str().unwrap(), "ports"]);
            assert!(
                run.stderr.starts_with("alpc-dump: symbols: built-in layouts of "),
                "{}",
                run.stderr
            );
        }
        let run = alpc_dump(&[&dump, "--exact-symbols", "ports"]);
        assert_eq!((run.status, run.stdout.as_str()), (2, ""));
        assert!(run.stderr.contains("identified by addresses"), "{}", run.stderr);
        let record = alpc_dump(&[&dump, "ports", "--format", "json"]).json();
        assert_eq!(record["symbols"]["certainty"], "identified by addresses");
    }
}

/// PDB, ISF table, and packs of both: the same text.
#[test]
fn every_source_gives_the_same_text() {
    for world in support::World::readable() {
        let pdb = stored(&world);
        let key = pdb
            .parent()
            .unwrap()
            .file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned();
        let (guid, age) = key.split_at(32);
        let Some(table) = support::shared(&format!("isf/{guid}-{age}.json.xz")) else {
            continue;
        };
        let folder = tempfile::tempdir().unwrap();
        let mut sources = vec![table.clone()];
        for (name, source) in [("pdb", &pdb), ("isf", &table)] {
            let pack = folder.path().join(name);
            let made = alpc_dump(&[source.to_str().unwrap(), "pack", "-o", pack.to_str().unwrap()]);
            assert_eq!(made.status, 0, "{}", made.stderr);
            sources.push(pack);
        }
        let dump = world.dump.to_str().unwrap();
        for view in ["ports", "global", "threads", "processes", "handles", "analyze"] {
            let expected = world.run(&[view]);
            for source in &sources {
                let source = source.to_str().unwrap();
                let run = alpc_dump(&[dump, "-y", source, view]);
                assert_eq!(
                    (&run.stdout, run.status),
                    (&expected.stdout, expected.status),
                    "{source}: {view}"
                );
                assert!(run.stderr.contains(source), "{}", run.stderr);
            }
        }
    }
}

/// The script for a machine with a network, run with a `curl` that gives what it is told to: it keeps only the right PDB,
/// in the layout of a store that the program then finds, and fetches nothing twice.
#[cfg(unix)]
#[test]
fn the_script_fetches_and_checks() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let dump = fixture("vista-sp2-x64.dmp");
    let alone = at("memory.dmp");
    fs::copy(&dump, &alone).unwrap();
    let script = alpc_dump(&[alone.to_str().unwrap(), "symbols", "--script", "sh"]);
    assert_eq!(script.status, 0, "{}", script.stderr);
    fs::write(at("fetch.sh"), &script.stdout).unwrap();
    let curl = "#!/bin/sh\nwhile [ \"$1\" != --output ]; do shift; done\necho \"$3\" >>\"$ASKED\"\ncp \"$GIVES\" \"$2\"\n";
    fs::create_dir(at("bin")).unwrap();
    fs::write(at("bin/curl"), curl).unwrap();
    fs::set_permissions(at("bin/curl"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(at("error.html"), "<html>no</html>").unwrap();
    let pdb = fixture("vista-sp2-x64.pdb");
    let run = |gives: &Path| {
        let path = format!("{}:{}", at("bin").display(), std::env::var("PATH").unwrap());
        let mut command = Command::new("sh");
        command.arg(at("fetch.sh")).arg(at("store")).env("PATH", path);
        command.env("GIVES", gives).env("ASKED", at("asked"));
        command.output().unwrap()
    };
    let refused = run(&at("error.html"));
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("not the PDB that was asked for"));
    let fetched = run(&pdb);
    assert!(
        fetched.status.success(),
        "{}",
        String::from_utf8_lossy(&fetched.stderr)
    );
    let again = run(&at("error.html"));
    assert!(String::from_utf8_lossy(&again.stdout).starts_with("there already: "));
    // A server that cannot go on where an earlier run ended is asked for the whole.
    let key = "71BF70D9FC82AC469A62A9D55E3848632";
    let stored = at(&format!("store/ntkrnlmp.pdb/{key}/ntkrnlmp.pdb"));
    let part = stored.with_file_name("ntkrnlmp.pdb.part");
    fs::rename(&stored, &part).unwrap();
    fs::write(&part, &fs::read(&pdb).unwrap()[..1000]).unwrap();
    let no_ranges = "#!/bin/sh\ncase \" $* \" in *--continue-at*) exit 33;; esac\n";
    fs::write(at("bin/curl"), curl.replace("#!/bin/sh\n", no_ranges)).unwrap();
    assert!(run(&pdb).status.success());
    assert_eq!(fs::read(&stored).unwrap(), fs::read(&pdb).unwrap());
    let asked = fs::read_to_string(at("asked")).unwrap();
    assert_eq!(asked.lines().count(), 3);
    let address = format!("https://msdl.microsoft.com/download/symbols/ntkrnlmp.pdb/{key}/ntkrnlmp.pdb");
    assert!(asked.lines().all(|line| line == address), "{asked}");
    let stored = alpc_dump(&[
        alone.to_str().unwrap(),
        "-y",
        at("store").to_str().unwrap(),
        "info",
        "--format",
        "json",
    ]);
    assert_eq!(stored.json()["result"]["symbols"]["found"]["certainty"], "exact");
    let manifest = alpc_dump(&[alone.to_str().unwrap(), "symbols", "--script", "manifest"]);
    assert_eq!(manifest.stdout, format!("ntkrnlmp.pdb,{key},1\n"));
    let windows = alpc_dump(&[alone.to_str().unwrap(), "symbols", "--script", "ps1"]);
    let call = format!("Get-Symbols 'ntkrnlmp.pdb' '{key}' 'd970bf7182fc46ac9a62a9d55e384863'");
    let lines: Vec<&str> = windows.stdout.lines().rev().take(2).collect();
    assert_eq!(lines[0], "exit $failed");
    assert!(
        lines[1].starts_with(&format!("try {{ {call} }} catch ")),
        "{}",
        lines[1]
    );
}

/// Of a folder, with folders in it: each kernel once, and whatever names none is said and stops nothing.
#[cfg(unix)]
#[test]
fn one_script_for_a_folder_of_dumps() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("more")).unwrap();
    let vista = fs::read(fixture("vista-sp2-x64.dmp")).unwrap();
    let other = synth::worlds::standard("win10-2004-x64").dump(synth::dump::Kind::BitmapKernel);
    for (name, bytes) in [
        ("a.dmp", &vista),
        ("b.dmp", &other),
        ("more/c.dmp", &vista),
        ("notes.txt", &b"text".to_vec()),
    ] {
        fs::write(at(name), bytes).unwrap();
    }
    let path = folder.path().to_str().unwrap();
    let run = alpc_dump(&[path, "symbols", "--script", "manifest"]);
    assert_eq!(run.status, 0, "{}", run.stderr);
    let mut keys: Vec<String> = ["a.dmp", "b.dmp"]
        .map(|name| store_key(at(name).to_str().unwrap()))
        .into();
    keys.sort_unstable();
    let lines: Vec<String> = keys.iter().map(|key| format!("ntkrnlmp.pdb,{key},1")).collect();
    assert_eq!(run.stdout.lines().collect::<Vec<_>>(), lines);
    assert_eq!(run.stderr, "alpc-dump: 3 dumps of 2 kernels\n");
    // What fails is said, the rest is fetched all the same; so it is by the script.
    fs::write(at("broken.dmp"), b"PAGEDU64").unwrap();
    let run = alpc_dump(&[path, "symbols", "--script", "sh"]);
    assert_eq!(run.status, 2);
    assert!(run.stderr.contains("broken.dmp"), "{}", run.stderr);
    let redacted = alpc_dump(&[path, "symbols", "--script", "sh", "--redact", "paths"]);
    assert_eq!(redacted.stdout, run.stdout);
    assert!(!redacted.stderr.contains("broken"), "{}", redacted.stderr);
    let fetched = run.stdout.lines().filter(|line| line.starts_with("fetch "));
    assert_eq!(fetched.count(), 2);
    fs::write(at("fetch.sh"), &run.stdout).unwrap();
    fs::create_dir(at("bin")).unwrap();
    fs::write(at("bin/curl"), "#!/bin/sh\necho asked >>\"$ASKED\"\nexit 22\n").unwrap();
    let permissions = <fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o755);
    fs::set_permissions(at("bin/curl"), permissions).unwrap();
    let search = format!("{}:{}", at("bin").display(), std::env::var("PATH").unwrap());
    let mut command = Command::new("sh");
    command.arg(at("fetch.sh")).arg(at("store"));
    command.env("PATH", search).env("ASKED", at("asked"));
    assert_eq!(command.output().unwrap().status.code(), Some(1));
    assert_eq!(fs::read_to_string(at("asked")).unwrap().lines().count(), 2);
    // A folder without any, and no kernel that is named.
    let empty = tempfile::tempdir().unwrap();
    let run = alpc_dump(&[empty.path().to_str().unwrap(), "symbols", "--script", "sh"]);
    assert_eq!((run.status, run.stdout.as_str()), (2, ""));
    assert!(
        run.stderr.contains("no file in the folder is a dump"),
        "{}",
        run.stderr
    );
}

/// Symbols of another kernel serve when somebody insists, and every command says so, also where notes are unwanted.
#[test]
fn symbols_of_another_kernel_are_used_when_they_are_forced() {
    use support::synthetic::Sample;
    let sample = Sample::standard("win10-2004-x64");
    let whole = Sample::standard("win10-2004-x64");
    let mut pdb = synth::pdb::describe_kernel(&sample.world.kernel);
    let other_age = pdb.age + 1;
    fs::remove_file(sample.dump().with_file_name("kernel.pdb")).unwrap();
    let path = sample.dump().with_file_name("other.pdb");
    let named = ["-y", path.to_str().unwrap()];
    let forced = |args: &[&str]| sample.run(&[args, &named, &["--force-symbols"]].concat());
    for (guid, age, moved) in [
        (pdb.guid, other_age, 0),
        ([7; 16], pdb.age, 0),
        // Of an update: the types are as before, and variables elsewhere.
        ([7; 16], pdb.age, 0x40),
    ] {
        (pdb.guid, pdb.age) = (guid, age);
        for public in &mut pdb.publics {
            public.offset += moved;
        }
        fs::write(&path, pdb.write()).unwrap();
        let unforced = sample.run(&[&["ports"], &named[..]].concat());
        assert!(!unforced.stderr.contains("other.pdb ("), "{}", unforced.stderr);
        for view in ["ports", "threads", "hang", "handles"] {
            let (known, run) = (whole.run(&[view]), forced(&[view, "-q"]));
            assert_eq!(
                (run.stdout, run.status),
                (known.stdout, known.status),
                "{view}, {moved:#x}"
            );
            let warning = format!(
                "alpc-dump: warning: symbols: PDB {} (forced, not known to be of this kernel)\n",
                path.display()
            );
            assert!(run.stderr.starts_with(&warning), "{}", run.stderr);
        }
        let record = forced(&["ports", "--format", "json"]).json();
        assert_eq!(
            record["symbols"]["certainty"],
            "forced, not known to be of this kernel"
        );
        let record = forced(&["triage", "--format", "ndjson"]).lines().remove(0);
        assert_eq!(
            record["symbols"]["certainty"],
            "forced, not known to be of this kernel"
        );
    }
    // Its own are its own, whatever is said.
    fs::write(&path, sample.world.pdb()).unwrap();
    assert_eq!(
        forced(&["ports", "--format", "json"]).json()["symbols"]["certainty"],
        "exact"
    );
    for args in [
        &["ports", "--force-symbols"][..],
        &[
            "ports",
            "--force-symbols",
            "-y",
            path.parent().unwrap().to_str().unwrap(),
        ],
        &["ports", "--force-symbols", "-y", sample.dump().to_str().unwrap()],
        &[
            "ports",
            "--force-symbols",
            "--exact-symbols",
            "-y",
            path.to_str().unwrap(),
        ],
    ] {
        let run = sample.run(args);
        assert_eq!(
            (run.status, run.stdout.as_str()),
            (2, ""),
            "{args:?}: {}",
            run.stderr
        );
    }
}

/// What is named and is not there is said in every command, also where other symbols serve.
#[test]
fn absent_places_are_warned_of() {
    let dump = fixture("vista-sp2-x64.dmp");
    for command in ["ports", "hang", "info", "symbols"] {
        let run = alpc_dump(&[dump.to_str().unwrap(), "-y", "no/such/folder", command]);
        let line = "not used: no/such/folder: there is no such file or folder, as --symbols names it\n";
        assert!(run.stderr.contains(line), "{command}: {}", run.stderr);
        assert_eq!(run.status, 0, "{command}");
    }
}

/// One file for a fleet: each kernel once, chosen by what the dump names.
#[test]
fn one_pack_serves_many_kernels() {
    use support::synthetic::Sample;
    let kernels = ["win10-2004-x64", "win11-24h2-x64", "win7-sp1-x86"];
    let samples = kernels.map(Sample::standard);
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let whole: Vec<Vec<Run>> = samples
        .iter()
        .map(|sample| {
            ["ports", "threads", "hang", "global"]
                .map(|view| sample.run(&[view]))
                .into()
        })
        .collect();
    let mut args: Vec<String> = Vec::new();
    for (sample, name) in samples.iter().zip(kernels) {
        // Of two a PDB, of the last the dump itself, and one of them twice.
        let pdb = sample.dump().with_file_name("kernel.pdb");
        let copy = at(&format!("{name}.pdb"));
        fs::copy(&pdb, &copy).unwrap();
        args.push(copy.to_str().unwrap().to_owned());
    }
    args[2] = samples[2].dump().to_str().unwrap().to_owned();
    args.push(args[0].clone());
    let broken = at("broken.pdb");
    fs::write(&broken, "no symbols").unwrap();
    let pack = at("fleet.layouts");
    let ends = ["pack", "-o", pack.to_str().unwrap()];
    let all: Vec<&str> = args.iter().map(String::as_str).chain(ends).collect();
    let run = alpc_dump(&all);
    assert_eq!((run.status, run.stdout.as_str()), (0, ""), "{}", run.stderr);
    assert_eq!(
        run.stderr,
        format!("alpc-dump: {}: 3 kernels of 4 files\n", pack.display())
    );
    // Nothing that is there is replaced.
    assert_eq!(alpc_dump(&all).status, 2);
    for (sample, whole) in samples.iter().zip(&whole) {
        fs::remove_file(sample.dump().with_file_name("kernel.pdb")).unwrap();
        for (view, whole) in ["ports", "threads", "hang", "global"].into_iter().zip(whole) {
            let run = sample.run(&[view, "-y", pack.to_str().unwrap()]);
            assert_eq!(
                (&run.stdout, run.status),
                (&whole.stdout, whole.status),
                "{view}: {}",
                run.stderr
            );
            assert!(
                run.stderr.starts_with("alpc-dump: symbols: layout pack "),
                "{}",
                run.stderr
            );
        }
    }
    let other = Sample::standard("win10-1607-x64");
    fs::remove_file(other.dump().with_file_name("kernel.pdb")).unwrap();
    let search = other.run(&["symbols", "-y", pack.to_str().unwrap()]).stdout;
    assert!(
        search.contains("packs of 3 kernels, none of which is this"),
        "{search}"
    );
    // A pack behind another is the same, and what cannot be packed keeps nothing else from it.
    let texts: Vec<String> = fs::read_to_string(&pack)
        .unwrap()
        .split("ntlayout 1\n")
        .skip(1)
        .map(|part| format!("ntlayout 1\n{part}"))
        .collect();
    assert_eq!(texts.len(), 3);
    fs::write(at("joined"), texts.iter().rev().cloned().collect::<String>()).unwrap();
    let run = samples[0].run(&["ports", "-y", at("joined").to_str().unwrap()]);
    assert_eq!(run.stdout, whole[0][0].stdout);
    let second = at("second.layouts");
    let run = alpc_dump(&[
        &args[0],
        broken.to_str().unwrap(),
        "pack",
        "-o",
        second.to_str().unwrap(),
    ]);
    assert_eq!(run.status, 2);
    assert!(run.stderr.contains("broken.pdb"), "{}", run.stderr);
    assert!(texts.contains(&fs::read_to_string(&second).unwrap()));
    // Damage in one of them is said with the line of the file, to the dumps of that kernel; the others do not need it.
    let hurt = texts[1].replacen("\nrvas ", "\nrvos ", 1);
    let damaged = [&texts[0], &hurt, &texts[2]].map(String::as_str).concat();
    fs::write(at("damaged"), &damaged).unwrap();
    let line = damaged
        .lines()
        .position(|line| line.starts_with("rvos "))
        .unwrap()
        + 1;
    let (mut said, mut served) = (0, 0);
    for sample in &samples {
        let search = sample
            .run(&["symbols", "-y", at("damaged").to_str().unwrap()])
            .stdout;
        if hurt.contains(&ntlayout::Guid(sample.world.truth.guid).to_string()) {
            assert!(
                search.contains(&format!("line {line} is not understood")),
                "{search}"
            );
            said += 1;
        } else {
            assert!(search.contains("layout pack "), "{search}");
            served += 1;
        }
    }
    assert_eq!((said, served), (1, 2));
}
