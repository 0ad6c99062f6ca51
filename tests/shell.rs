//! The prompt over one opened dump: its lines from a pipe, and typed at a terminal.

mod support;

use std::io::Write;
use std::process::{Command, Stdio};

use support::synthetic::Sample;
use support::{Run, alpc_dump, alpc_dump_with_input};

const DUMP: &str = "fixtures/vista-sp2-x64.dmp";

fn piped(lines: &str) -> Run {
    alpc_dump_with_input(&[DUMP, "-i"], lines)
}

/// One line after the other gives what each gives behind `-c`, to the byte.
#[test]
fn a_line_gives_what_it_gives_behind_c() {
    let lines = [
        "hang",
        "chain fffffa801820f760 -v",
        "!alpc /m fffff8800f4cc950",
        "waits",
        "threads --waiting",
        "!process 0 7 lsass.exe",
        "lm m nt; .echo a b; dt _LIST_ENTRY",
        "message id:77777",
        "hnag",
        "* nothing",
        ".reload",
    ];
    for format in ["text", "csv", "ndjson"] {
        let alone = lines.map(|line| alpc_dump(&[DUMP, "--format", format, "-c", line]));
        let whole: String = alone.iter().map(|run| run.stdout.as_str()).collect();
        let input = lines.join("\n");
        let run = alpc_dump_with_input(&[DUMP, "--format", format, "-i"], &input);
        // Lines of JSON tell how the program was called.
        let untold = |text: &str| {
            let lines = text.lines().filter(|line| !line.contains("\"command_line\""));
            lines.map(|line| format!("{line}\n")).collect::<String>()
        };
        assert_eq!(untold(&run.stdout), untold(&whole), "{format}");
        assert_eq!(run.status, 2, "{format}: that of the worst of them");
        for alone in &alone {
            for line in alone.stderr.lines() {
                assert!(run.stderr.contains(line), "{format}: {line}: {}", run.stderr);
            }
        }
    }
}

#[test]
fn lines_may_come_before_the_prompt() {
    let first = alpc_dump(&[DUMP, "info"]).stdout;
    let second = alpc_dump(&[DUMP, "-c", "lm m nt"]).stdout;
    for args in [
        &[DUMP, "-c", "info", "-i"][..],
        &[DUMP, "-i", "info"],
        &["-c", "info", DUMP, "shell", "--no-history"],
    ] {
        let run = alpc_dump_with_input(args, "lm m nt\nq\nhang\n");
        assert_eq!(
            (run.status, run.stdout),
            (0, format!("{first}{second}")),
            "{args:?}"
        );
    }
    // Who leaves among them is not asked any more.
    let run = alpc_dump_with_input(&[DUMP, "-c", "info; q", "-i"], "lm m nt\n");
    assert_eq!((run.status, run.stdout), (0, first));
}

/// `#2` is the second row of the last answer that had rows.
#[test]
fn rows_have_numbers() {
    let hang = alpc_dump(&[DUMP, "hang"]).stdout;
    let second = hang.lines().find(|line| line.starts_with("2. ")).unwrap();
    assert!(second.contains("fffffa801820f760"), "{second}");
    let chain = alpc_dump(&[DUMP, "chain", "fffffa801820f760"]).stdout;
    for line in ["chain #2", "!chain #2", ".echo x\nchain #2", "hnag\n chain  #2"] {
        let run = piped(&format!("hang\n{line}\n"));
        assert!(
            run.stdout.starts_with(&hang) && run.stdout.ends_with(&chain),
            "{line}: {}{}",
            run.stdout,
            run.stderr
        );
    }
    // The first is told in words, and its port below them.
    let port = alpc_dump(&[DUMP, "port", "fffffa801820d2c0"]).stdout;
    let run = piped("hang\nport #1\n");
    assert!(run.stdout.ends_with(&port), "{}{}", run.stdout, run.stderr);
    let none = piped("chain #1\n");
    assert_eq!((none.status, none.stdout.as_str()), (2, ""));
    assert!(none.stderr.contains("no answer has had rows"), "{}", none.stderr);
}

/// No line does harm, whatever is in it, and the next one is answered.
#[test]
fn odd_lines_are_one_error_each() {
    let bytes: Vec<Vec<u8>> = vec![
        vec![b'x'; 3 << 20],
        vec![b'"'; 10_001],
        vec![b'#'; 10_000],
        b"chain #99999999999999999999999999".to_vec(),
        b"\xff\xfe\x00l\x00m".to_vec(),
        b"hang \x1b[2J\x07".to_vec(),
        b"\x00\x00".to_vec(),
        "port \u{202e}\u{200b}".into(),
        b"message ffffffffffffffff1".to_vec(),
        b"$<".to_vec(),
        b"$<nothing/there".to_vec(),
        b"!".to_vec(),
        b"shell".to_vec(),
        b"-i".to_vec(),
        b"help \x1b]0;x\x07".to_vec(),
        b"db fffff8800f4cc950 Lffffffffffffffff".to_vec(),
    ];
    for line in &bytes {
        let mut child = Command::new(env!("CARGO_BIN_EXE_alpc-dump"))
            .args([DUMP, "-i"])
            .current_dir(support::root())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(line).unwrap();
        stdin.write_all(b"\n.echo still here\n").unwrap();
        drop(stdin);
        let output = child.wait_with_output().unwrap();
        let shown = String::from_utf8_lossy(&line[..line.len().min(40)]);
        assert_eq!(output.stdout, b"still here\n", "{shown:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(
            !said.contains("panicked") && !said.contains(['\u{1b}', '\u{7}']),
            "{shown:?}: {said}"
        );
        assert!(said.len() < 600, "{shown:?}: {said}");
        assert!(matches!(output.status.code(), Some(1 | 2)), "{shown:?}: {said}");
    }
}

#[test]
fn the_prompt_is_over_one_dump_that_opens() {
    for args in [
        &["shell"][..],
        &[DUMP, DUMP, "-i"],
        &[DUMP, "-i", "-o", "x"],
        &["nothing.dmp", "-i"],
        &[DUMP, "--no-history"],
    ] {
        let run = alpc_dump_with_input(args, "hang\n");
        assert_eq!(
            (run.status, run.stdout.as_str()),
            (2, ""),
            "{args:?}: {}",
            run.stderr
        );
        assert!(!run.stderr.is_empty(), "{args:?}");
    }
}

/// What is typed later is withheld as what was typed first.
#[test]
fn names_that_lines_tell_are_replaced() {
    let sample = Sample::standard("win10-2004-x64");
    let dump = sample.dump();
    let dump = dump.to_str().unwrap();
    for line in ["port secretport", "process \"secret process\"", "secretcommand x"] {
        let run = alpc_dump_with_input(&[dump, "--redact", "all", "-i"], &format!("lm m nt\n{line}\n"));
        assert!(run.status != 0 && !run.stderr.is_empty(), "{line}");
        assert!(
            !run.stderr.contains("secret") && !run.stdout.contains("secret"),
            "{}",
            run.stderr
        );
    }
}

#[cfg(target_os = "linux")]
mod on_a_terminal {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    use super::support::terminal::Terminal;
    use super::{DUMP, alpc_dump};

    const PROMPT: &str = "vista-sp2-x64.dmp> ";

    fn begun(home: Option<&Path>, args: &[&str]) -> Terminal {
        ready(Terminal::run(&[&[DUMP, "-i"], args].concat(), home, ""))
    }

    /// Types what ends a line, and waits until it has: the prompt is drawn anew while one is typed, and keys that come when
    /// nobody reads lines are other keys.
    fn enters(terminal: &mut Terminal, keys: &str) {
        // Pasting is told apart while lines are read: xterm's "bracketed paste mode".
        const READ: &str = "\u{1b}[?2004l";
        terminal.types(keys);
        terminal.shows(READ);
    }

    fn ready(mut terminal: Terminal) -> Terminal {
        terminal.shows("q leaves");
        terminal.shows(PROMPT);
        terminal
    }

    /// A pager that is left before the end ends the answer, and neither the prompt nor what comes next.
    #[test]
    fn answers_go_through_a_pager_that_may_be_left() {
        let mut terminal = ready(Terminal::run(&[DUMP, "-i"], None, "head -n 2"));
        for _ in 0..2 {
            enters(&mut terminal, "ports\r");
            let shown = terminal.shows(PROMPT);
            assert!(shown.contains("IUserProfile2"), "{shown}");
            for absent in ["lsasspirpc", "interrupted", "cannot be written"] {
                assert!(!shown.contains(absent), "{shown}");
            }
        }
        enters(&mut terminal, "q\r");
        assert_eq!(terminal.ends().0, Some(0));
        // One that is not there is none, and --no-pager asks for none.
        for (pager, args) in [("/no/such/pager", &[][..]), ("head -n 2", &["--no-pager"])] {
            let args = [&[DUMP, "-i"], args].concat();
            let mut terminal = ready(Terminal::run(&args, None, pager));
            enters(&mut terminal, "ports\r");
            assert!(terminal.shows(PROMPT).contains("lsasspirpc"));
            enters(&mut terminal, "q\r");
            assert_eq!(terminal.ends().0, Some(0));
        }
    }

    /// While an answer is read in the pager, Ctrl-C is the pager's; then the rows that went through it have numbers.
    #[test]
    fn ctrl_c_in_the_pager_is_the_pagers() {
        let folder = tempfile::tempdir().unwrap();
        let pager = folder.path().join("pager");
        fs::write(
            &pager,
            "#!/bin/sh\ntrap '' INT\ncat\necho reading\nread key </dev/tty\n",
        )
        .unwrap();
        fs::set_permissions(&pager, fs::Permissions::from_mode(0o755)).unwrap();
        let mut terminal = ready(Terminal::run(&[DUMP, "-i"], None, pager.to_str().unwrap()));
        enters(&mut terminal, "hang\r");
        terminal.shows("reading\r\n");
        for _ in 0..4 {
            terminal.types("\u{3}");
            // The terminal says so itself.
            terminal.shows("^C");
        }
        terminal.types("\r");
        let shown = terminal.shows(PROMPT);
        assert!(!shown.contains("interrupted"), "{shown}");
        enters(&mut terminal, "!chain #2\r");
        terminal.shows("0. lsass.exe 023c.025c  thread fffffa801820f760");
        terminal.shows("reading\r\n");
        terminal.types("\r");
        terminal.shows(PROMPT);
        enters(&mut terminal, "q\r");
        // Nothing was written, so that no pager was started.
        assert_eq!(terminal.ends().0, Some(0));
    }

    #[test]
    fn a_command_answers_and_q_leaves() {
        let mut terminal = begun(None, &[]);
        enters(&mut terminal, "hang\r");
        // The terminal is that wide.
        let hang = alpc_dump(&[DUMP, "hang", "--width", "200"]).stdout;
        let shown = terminal.shows(PROMPT).replace("\r\n", "\n");
        assert!(shown.contains(&hang), "{shown}");
        // An error is one line and no end.
        enters(&mut terminal, "hnag\r");
        terminal.shows("did you mean hang?");
        terminal.shows(PROMPT);
        enters(&mut terminal, "!chain #2\r");
        terminal.shows("0. lsass.exe 023c.025c  thread fffffa801820f760");
        terminal.shows(PROMPT);
        enters(&mut terminal, "q\r");
        assert_eq!(terminal.ends().0, Some(0));
    }

    #[test]
    fn ctrl_c_and_ctrl_d_at_the_prompt() {
        let mut terminal = begun(None, &[]);
        enters(&mut terminal, "half a li\u{3}");
        terminal.shows(PROMPT);
        terminal.types("\u{3}");
        terminal.shows("q or Ctrl-D leaves");
        terminal.shows(PROMPT);
        terminal.types("\u{4}");
        assert_eq!(terminal.ends().0, Some(0));
    }

    #[test]
    fn tab_completes_what_there_is() {
        let mut terminal = begun(None, &[]);
        for (typed, completed) in [
            ("conn\t", "connections"),
            ("threads --wai\t", "threads --waiting"),
            ("!alpc /gra\t", "!alpc /graph"),
            ("process LSASS.\t", "process lsass.exe"),
            ("port LSASSP\t", "port lsasspirpc"),
            ("help resou\t", "help resource"),
        ] {
            terminal.types(typed);
            terminal.shows(completed);
            enters(&mut terminal, "\u{3}");
            terminal.shows(PROMPT);
        }
        // What was just printed, and its rows.
        enters(&mut terminal, "hang\r");
        terminal.shows("1. 6 requests");
        terminal.shows(PROMPT);
        terminal.types("thread fffffa801820f7\t");
        terminal.shows("thread fffffa801820f760");
        enters(&mut terminal, "\u{3}");
        terminal.shows(PROMPT);
        terminal.types("chain #\t\t");
        terminal.shows("#2  2. lsass.exe 023c.025c");
        // Behind the list the line stands again.
        terminal.shows("chain #");
        enters(&mut terminal, "\u{3}");
        terminal.shows(PROMPT);
        enters(&mut terminal, "quit\r");
        assert_eq!(terminal.ends().0, Some(0));
    }

    #[test]
    fn history_is_kept_for_its_owner_alone() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join(".local/state/alpc-dump/history");
        let mut terminal = begun(Some(home.path()), &[]);
        for line in ["lm m nt", " lm m hidden", "lm m nt"] {
            enters(&mut terminal, &format!("{line}\r"));
            terminal.shows(PROMPT);
        }
        terminal.types("\u{1b}[A");
        terminal.shows("lm m nt");
        enters(&mut terminal, "\r");
        terminal.shows("ntoskrnl");
        terminal.shows(PROMPT);
        enters(&mut terminal, "q\r");
        assert_eq!(terminal.ends().0, Some(0));
        let kept = fs::read_to_string(&file).unwrap();
        assert!(
            kept.starts_with("lm m nt\n") && !kept.contains("hidden"),
            "{kept}"
        );
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        // The next prompt has it; one that wants none changes nothing.
        for (args, changes) in [
            (&[][..], true),
            (&["--no-history"], false),
            (&["--redact", "names"], false),
        ] {
            let before = fs::read_to_string(&file).unwrap();
            let mut terminal = begun(Some(home.path()), args);
            enters(&mut terminal, "lm m hal\r");
            terminal.shows(PROMPT);
            terminal.types("\u{1b}[A\u{1b}[A");
            if changes {
                terminal.shows("q");
            }
            enters(&mut terminal, "\u{3}");
            terminal.shows(PROMPT);
            terminal.types("\u{4}");
            assert_eq!(terminal.ends().0, Some(0));
            assert_eq!(fs::read_to_string(&file).unwrap() != before, changes, "{args:?}");
        }
    }

    /// The walk that runs ends with what it has read, and the prompt is there again.
    #[test]
    fn ctrl_c_stops_a_walk_and_not_the_prompt() {
        // A file of lines that takes as long as it is let: thousands of walks, and it says when it has begun.
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("script.txt");
        fs::write(
            &script,
            format!(".echo walk\n{}.echo over\n", "handles\nanalyze\n".repeat(5000)),
        )
        .unwrap();
        let mut terminal = begun(None, &[]);
        enters(&mut terminal, &format!("$<{}\r", script.display()));
        terminal.shows("\nwalk\r\n");
        terminal.types("\u{3}");
        let shown = terminal.shows("interrupted: what is above");
        assert!(!shown.contains("\nover\r\n"), "{shown}");
        terminal.shows(PROMPT);
        // Nothing is left of it.
        enters(&mut terminal, "lm m nt\r");
        let shown = terminal.shows(PROMPT);
        assert!(
            shown.contains("ntoskrnl") && !shown.contains("cancelled"),
            "{shown}"
        );
        enters(&mut terminal, "q\r");
        assert_eq!(terminal.ends().0, Some(0));
    }
}
