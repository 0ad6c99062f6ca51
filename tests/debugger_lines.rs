//! Lines of debugger scripts: each does what the debugger does with it, or says that it does not.

mod support;

use std::fs;

use support::synthetic::Sample;
use support::{Run, alpc_dump_in};

fn lines(sample: &Sample, lines: &str) -> Run {
    sample.run(&["-c", lines])
}

/// A process that several share the image of, and its image.
fn shared_image(sample: &Sample) -> (&'static str, Vec<String>) {
    let processes = &sample.world.truth.processes;
    let image = processes
        .iter()
        .map(|process| process.image)
        .find(|image| processes.iter().filter(|other| other.image == *image).count() > 1)
        .unwrap();
    let these = processes.iter().filter(|process| process.image == image);
    (image, these.map(|process| process.address.to_string()).collect())
}

#[test]
fn flags_behind_a_process_show_its_waits() {
    let sample = Sample::standard("win10-2004-x64");
    let all = lines(&sample, "!process 0 7").stdout;
    assert!(all.contains("Waiting for reply"), "{all}");
    let mut shown = String::new();
    for process in &sample.world.truth.processes {
        let one = lines(&sample, &format!("!process {:x} ff", process.pid));
        assert_eq!(one.status, 0, "{}", one.stderr);
        assert!(all.contains(&one.stdout), "{}", one.stdout);
        shown.push_str(&one.stdout);
        let short = lines(&sample, &format!("!process {:x} 0", process.pid)).stdout;
        assert!(!short.contains("Waiting for reply"), "{short}");
        let address = lines(&sample, &format!("!process {} 7", process.address)).stdout;
        assert_eq!(address, one.stdout);
    }
    assert_eq!(
        shown.matches("Waiting for reply").count(),
        all.matches("Waiting for reply").count()
    );
}

#[test]
fn every_process_of_a_name_is_shown() {
    let sample = Sample::standard("win10-2004-x64");
    let (image, addresses) = shared_image(&sample);
    for flags in ["0", "7"] {
        let run = lines(&sample, &format!("!process 0 {flags} {image}"));
        assert_eq!(run.status, 0, "{}", run.stderr);
        let shown: Vec<&str> = run
            .stdout
            .lines()
            .filter_map(|line| line.strip_prefix("PROCESS ")?.split(' ').next())
            .collect();
        assert_eq!(shown, addresses, "{}", run.stdout);
        assert_eq!(
            run.stdout.contains("Waiting for reply"),
            flags == "7" && {
                let all = lines(&sample, "!process 0 7").stdout;
                let blocks = all
                    .split("PROCESS ")
                    .filter(|block| addresses.iter().any(|at| block.starts_with(at)));
                blocks
                    .into_iter()
                    .any(|block| block.contains("Waiting for reply"))
            }
        );
    }
    let none = lines(&sample, "!process 0 0 nobody.exe");
    assert_eq!((none.status, none.stdout.as_str()), (1, ""));
}

/// The debugger begins with the thread on whose stack the dump was written, and with its process.
#[test]
fn the_current_process_and_thread_are_those_that_ran() {
    let sample = Sample::standard("win10-2004-x64");
    let truth = &sample.world.truth;
    let running: Vec<_> = truth.threads.iter().filter(|thread| thread.state == 2).collect();
    let [running] = running[..] else {
        panic!("one thread runs");
    };
    let (thread, process) = (running.address.to_string(), running.process.to_string());
    for line in ["!process", "!process -1 0", "!process -1 7", "process current"] {
        let run = lines(&sample, line);
        assert_eq!(run.status, 0, "{line}: {}", run.stderr);
        assert!(
            run.stdout.starts_with(&format!("PROCESS {process}")),
            "{}",
            run.stdout
        );
        assert_eq!(run.stdout.matches("PROCESS ").count(), 1);
    }
    let by_id = format!("!thread -t {:x}", running.tid);
    for line in [
        "!thread",
        "!thread -1",
        "!thread -1 16",
        "thread current",
        &by_id,
        "!thread -t zz",
    ] {
        let run = lines(&sample, line);
        match line.ends_with("zz") {
            true => assert_eq!((run.status, run.stdout.as_str()), (2, "")),
            false => {
                assert_eq!(run.status, 0, "{line}: {}", run.stderr);
                assert!(
                    run.stdout.starts_with(&format!("THREAD {thread}")),
                    "{}",
                    run.stdout
                );
            }
        }
    }
    let run = lines(&sample, "!process /s 1 0 0");
    assert_eq!((run.status, run.stdout.as_str()), (2, ""));
    assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
}

#[test]
fn modules_are_those_of_the_name() {
    let sample = Sample::standard("win10-2004-x64");
    let names: Vec<&str> = sample
        .world
        .truth
        .modules
        .iter()
        .map(|module| &*module.name)
        .collect();
    for name in &names {
        let stem = name.rsplit_once('.').map_or(*name, |(stem, _)| stem);
        for line in [
            format!("lm m {stem}"),
            format!("lmvm {name}"),
            format!("modules {}", name.to_uppercase()),
        ] {
            let run = lines(&sample, &line);
            assert_eq!(
                (run.status, run.stdout.lines().count()),
                (0, 2),
                "{line}: {}{}",
                run.stdout,
                run.stderr
            );
            assert!(run.stdout.contains(name), "{}", run.stdout);
        }
    }
    assert_eq!(lines(&sample, "lm m nt").stdout.lines().count(), 2);
    assert_eq!(lines(&sample, "lm m *").stdout, lines(&sample, "lm").stdout);
    let none = lines(&sample, "lm m nothere");
    assert_eq!((none.status, none.stdout.as_str()), (1, ""));
    for module in &sample.world.truth.modules {
        for (at, fits) in [
            (module.base, true),
            (module.base + (u64::from(module.size) - 1), true),
            (module.base + u64::from(module.size), false),
        ] {
            let run = lines(&sample, &format!("lm a {at}"));
            let shown = run.stdout.contains(&*module.name);
            assert_eq!(shown, fits, "{at}: {}{}", run.stdout, run.stderr);
            assert!(run.stdout.lines().count() < 3);
        }
    }
    let none = lines(&sample, "lm a ffffffff`fffff000");
    assert_eq!((none.status, none.stdout.as_str()), (1, ""));
    let user = lines(&sample, "lm u");
    assert_eq!((user.status, user.stderr.lines().count()), (2, 1));
}

#[test]
fn files_of_commands_in_every_spelling_and_encoding() {
    let sample = Sample::standard("win10-2004-x64");
    let message = sample.world.truth.messages[0].address.to_string();
    let plain = lines(&sample, &format!("!alpc /m {message}"));
    let folder = sample.dump().parent().unwrap().to_owned();
    let file = folder.join("script.txt");
    let at = file.to_str().unwrap();
    let text = format!("* a comment; lm\r\n!alpc /m {message}\r\nq\r\nlm\r\n");
    let units = |mark: &[u8]| {
        [
            mark.to_vec(),
            text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        ]
        .concat()
    };
    for bytes in [
        text.clone().into_bytes(),
        [b"\xef\xbb\xbf", text.as_bytes()].concat(),
        units(b"\xff\xfe"),
        units(b""),
    ] {
        fs::write(&file, bytes).unwrap();
        for spelling in ["$<", "$><", "$$<", "$$><", "$$>a<", "$>a<"] {
            let run = lines(&sample, &format!("{spelling}{at}"));
            assert_eq!(
                (run.status, &run.stdout),
                (0, &plain.stdout),
                "{spelling}: {}",
                run.stderr
            );
        }
    }
    fs::write(&file, "!alpc /m ${$arg1}\n").unwrap();
    let run = lines(&sample, &format!("$$>a<\"{at}\" {message}"));
    assert_eq!((run.status, &run.stdout), (0, &plain.stdout), "{}", run.stderr);
    for (line, why) in [
        (format!("$$>a<{at}"), "argument 1"),
        (format!("$<{at}"), "argument 1"),
        (format!("$$>a<{at}.none {message}"), "cannot be read"),
        (format!("$$<{at}.none"), "cannot be read"),
    ] {
        let run = lines(&sample, &line);
        assert_eq!((run.status, run.stdout.as_str()), (2, ""), "{line}");
        assert!(run.stderr.contains(why), "{line}: {}", run.stderr);
    }
    for nested in ["$$>a<x y", "$<x", "$$><x"] {
        fs::write(&file, format!("lm\n{nested}\nlm\n")).unwrap();
        let run = lines(&sample, &format!("$<{at}"));
        assert_eq!(run.status, 2, "{nested}");
        assert!(run.stderr.contains("names no further one"), "{}", run.stderr);
    }
    fs::write(&file, b"\xff\xfe\0\xd8").unwrap();
    assert_eq!(lines(&sample, &format!("$<{at}")).status, 2);
}

/// What only changes how a debugger shows or finds things passes; what it would have shown is said not to be.
#[test]
fn what_only_a_debugger_needs_passes_with_a_note() {
    let sample = Sample::standard("win10-2004-x64");
    let plain = lines(&sample, "lm").stdout;
    for line in [
        ".reload",
        ".reload /f nt",
        ".symfix",
        ".symfix+ C:\\symbols",
        ".sympath srv*",
        ".sympath+ C:\\x",
        ".symopt+ 0x40",
        "!sym noisy",
        ".logopen /t C:\\log.txt",
        ".logappend x",
        ".logclose",
        ".prompt_allow -reg",
        ".lines -e",
        ".cls",
        ".load kdexts",
        ".prefer_dml 1",
    ] {
        let run = lines(&sample, &format!("{line}; lm"));
        assert_eq!((run.status, &run.stdout), (0, &plain), "{line}: {}", run.stderr);
        let word = line.split(' ').next().unwrap();
        let notes: Vec<&str> = run
            .stderr
            .lines()
            .filter(|note| note.contains(&format!("{word}: ")))
            .collect();
        assert!(notes.len() == 1 && notes[0].len() < 160, "{line}: {}", run.stderr);
    }
    let echo = lines(&sample, ".echo ---  a  b; .echo \"c;d\"; lm");
    assert_eq!(
        (echo.status, echo.stdout),
        (0, format!("---  a  b\nc;d\n{plain}"))
    );
}

#[test]
fn stacks_are_asked_for_in_the_debugger_s_words() {
    let sample = Sample::standard("win10-2004-x64");
    for (line, ours) in [
        ("k", &["stack", "current"][..]),
        ("kv 20", &["stack", "current", "--args"]),
        ("!stacks", &["stacks"]),
        ("!stacks 2", &["stacks"]),
        ("!stacks 0 Alpcp", &["stacks", "--find", "Alpcp"]),
        ("!uniqstack", &["stacks", "--group"]),
        ("!findstack nt!Alpcp 2", &["stacks", "--find", "nt!Alpcp"]),
    ] {
        let (theirs, ours) = (lines(&sample, line), sample.run(ours));
        assert_eq!(theirs.stdout, ours.stdout, "{line}");
        assert!(!ours.stdout.is_empty(), "{line}");
    }
}

#[test]
fn what_is_not_understood_names_the_nearest_in_one_line() {
    let sample = Sample::standard("win10-2004-x64");
    for (line, nearest) in [
        ("!qlocks", "locks"),
        ("!kdexts.qlocks -v", "locks"),
        ("!stackwalk", "stacks"),
        ("~*k", "threads"),
        ("!devstack fffffa801afae6f0", "irp"),
        ("dx @$curprocess", "dt TYPE"),
        ("!deadlock", "locks"),
        (".process /p 4", "!process"),
        ("!handle 4", "!handle 0"),
        ("!lpc", "lpc"),
        ("!analyze -v", "info"),
        ("!poolused 2", "info"),
        ("!alcp /m 1", "!alpc"),
        ("threds", "threads"),
        ("port", "port --help"),
        ("!thread -p", "!thread [ADDRESS"),
        ("!object", "ADDRESS|PATH"),
        ("!nothing at all", "from-windbg"),
        ("!for_each_process \"x\"", "hang"),
    ] {
        let run = lines(&sample, line);
        if line == "!lpc" {
            continue;
        }
        assert_eq!((run.status, run.stdout.as_str()), (2, ""), "{line}");
        assert!(run.stderr.contains(nearest), "{line}: {}", run.stderr);
        assert!(
            run.stderr.lines().count() == 1 && run.stderr.len() < 260,
            "{line}: {}",
            run.stderr
        );
    }
    let long = format!("!qlocks {}", "x".repeat(10_000));
    assert!(lines(&sample, &long).stderr.len() < 260);
}

/// What a line may be, and what one command takes, without leaving the lines.
#[test]
fn help_is_a_line() {
    let sample = Sample::standard("win10-2004-x64");
    let all = lines(&sample, "help");
    assert_eq!((all.status, all.stderr.as_str()), (0, ""));
    for word in ["  chain ", "  message ", "!alpc", "$<FILE"] {
        assert!(all.stdout.contains(word), "{word}: {}", all.stdout);
    }
    // What no line can run is not offered.
    for word in ["triage", "completions"] {
        assert!(!all.stdout.contains(word), "{word}: {}", all.stdout);
    }
    for line in ["?", ".help", "--help"] {
        assert_eq!(lines(&sample, line).stdout, all.stdout, "{line}");
    }
    let chain = lines(&sample, "help chain");
    assert_eq!(chain.status, 0);
    assert!(
        chain.stdout.contains("Usage: chain [OPTIONS]"),
        "{}",
        chain.stdout
    );
    // Options of the whole run are none of a line's.
    assert!(!chain.stdout.contains("--format"), "{}", chain.stdout);
    for line in ["chain --help", "chain -h", "help !chain"] {
        assert_eq!(lines(&sample, line).stdout, chain.stdout, "{line}");
    }
    for (line, text) in [
        ("help !qlocks", "!qlocks: `locks`"),
        ("help !process", "!process 0 FLAGS"),
        ("help !alpc", "/M [/V] MsgAddress"),
    ] {
        let run = lines(&sample, line);
        assert_eq!(run.status, 0, "{line}: {}", run.stderr);
        assert!(run.stdout.contains(text), "{line}: {}", run.stdout);
    }
    let none = lines(&sample, "help hnag");
    assert_eq!((none.status, none.stdout.as_str()), (2, ""));
    assert_eq!(none.stderr.lines().count(), 1, "{}", none.stderr);
}

/// Ours are taken as extensions too, where the debugger has none of that name; and every way to leave ends the lines.
#[test]
fn our_commands_may_be_spelled_as_extensions() {
    let sample = Sample::standard("win10-2004-x64");
    for name in ["hang", "waits", "ports"] {
        let ours = lines(&sample, name);
        let spelled = lines(&sample, &format!("!{name}"));
        assert_eq!((ours.status, &ours.stdout), (spelled.status, &spelled.stdout));
    }
    for line in ["q", "qd", "qq", "Q", "quit", "exit"] {
        let run = lines(&sample, &format!("{line}; lm"));
        assert_eq!((run.status, run.stdout.as_str()), (0, ""), "{line}");
    }
}

/// The tables of docs/from-windbg.md: what is the same, or differs, is taken.
#[test]
fn what_the_documentation_has_is_taken() {
    let docs = fs::read_to_string(support::root().join("docs/from-windbg.md")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for row in docs.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = row.split(" | ").collect();
        // The last table says what there is in place of a habit, in two columns.
        let taken = cells
            .get(2)
            .is_some_and(|cell| matches!(cell.trim(), "same" | "differs"));
        for spelled in cells[0].split('`').skip(1).step_by(2) {
            let spelled = spelled.replace("dt TYPE", "dt _EPROCESS");
            let line = ["ADDR", "PROCESS", "TYPE", "PATH", "NAME", "FILE", "TEXT", "ID"]
                .iter()
                .zip([
                    "fffffa801afae6f0",
                    "4",
                    "ALPC Port",
                    "\\x",
                    "afd",
                    "none.txt",
                    "a",
                    "8",
                ])
                .fold(spelled.to_owned(), |line, (word, value)| {
                    line.replace(word, value)
                });
            let line = if line.starts_with('/') {
                format!("!alpc {line}")
            } else if ["-section", "-region", "-view", "-presl"]
                .iter()
                .any(|end| line.ends_with(end))
            {
                // Written in a row of several.
                format!("!alpc {} fffffa801afae6f0", line.trim_start_matches("!alpc "))
            } else {
                line
            };
            let run = alpc_dump_in(
                folder.path(),
                &[
                    support::fixture("vista-sp2-x64.dmp").to_str().unwrap_or_default(),
                    "-c",
                    &line,
                ],
            );
            let understood = !run.stderr.contains("is not understood");
            if taken {
                assert!(understood, "{line}: {}", run.stderr);
            }
        }
    }
}

/// Debuggers sign-extend the addresses of 32-bit systems in some places; both forms are of the same module.
#[test]
fn a_module_of_a_32_bit_system_is_found_by_both_forms_of_an_address() {
    let sample = Sample::standard("vista-sp2-x86");
    let module = &sample.world.truth.modules[0];
    let at = module.base.0 & 0xffff_ffff;
    let short = lines(&sample, &format!("lm a {at:08x}"));
    let long = lines(&sample, &format!("lm a ffffffff`{at:08x}"));
    assert_eq!(
        (short.status, long.status),
        (0, 0),
        "{}{}",
        short.stderr,
        long.stderr
    );
    assert!(short.stdout.contains(&*module.name), "{}", short.stdout);
    assert_eq!(short.stdout, long.stdout);
}
