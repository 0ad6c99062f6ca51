//! Results on a terminal: fitted into its columns, and through a pager.
#![cfg(target_os = "linux")]

mod support;

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Command, Stdio};

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, OutputModes, Winsize, tcgetattr, tcsetattr, tcsetwinsize};
use support::{fixture, root};

/// What a run on a terminal of some columns shows there, and its status.
struct Shown {
    text: String,
    status: i32,
}

fn terminal(columns: u16) -> (OwnedFd, OwnedFd) {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    let name = ptsname(&ours, Vec::new()).unwrap();
    let theirs = rustix::fs::open(name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
    let size = Winsize {
        ws_row: 24,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(&theirs, size).unwrap();
    // Lines end as they are written.
    let mut modes = tcgetattr(&theirs).unwrap();
    modes.output_modes.remove(OutputModes::OPOST);
    tcsetattr(&theirs, OptionalActions::Now, &modes).unwrap();
    (ours, theirs)
}

fn show(columns: u16, variables: &[(&str, &str)], args: &[&str]) -> Shown {
    let (ours, theirs) = terminal(columns);
    let end = || Stdio::from(theirs.as_fd().try_clone_to_owned().unwrap());
    let mut command = Command::new(env!("CARGO_BIN_EXE_alpc-dump"));
    command
        .arg(fixture("vista-sp2-x64.dmp"))
        .args(args)
        .current_dir(root());
    for name in [
        "_NT_SYMBOL_PATH",
        "_NT_ALT_SYMBOL_PATH",
        "COLUMNS",
        "PAGER",
        "ALPC_DUMP_PAGER",
        "LESS",
        "NO_COLOR",
    ] {
        command.env_remove(name);
    }
    command
        .env("TERM", "xterm")
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .stdout(end())
        .stderr(end());
    let mut child = command.spawn().unwrap();
    drop(command);
    drop(theirs);
    // Reading fails once nobody has the other end open any more.
    let mut bytes = Vec::new();
    let mut ours = File::from(ours);
    let mut chunk = [0; 4096];
    while let Ok(count @ 1..) = ours.read(&mut chunk) {
        bytes.extend_from_slice(&chunk[..count]);
    }
    Shown {
        text: String::from_utf8(bytes).unwrap(),
        status: child.wait().unwrap().code().unwrap(),
    }
}

/// Marks each line that goes through it.
const MARKER: (&str, &str) = ("PAGER", "sed -u s/^/paged:/");

fn lines(shown: &Shown) -> Vec<&str> {
    shown.text.lines().collect()
}

#[test]
fn results_go_through_the_pager_and_fit_the_terminal() {
    for columns in [60, 80, 120] {
        let shown = show(columns, &[MARKER], &["waits", "--color", "never", "-q"]);
        assert_eq!(shown.status, 0);
        assert!(lines(&shown).len() > 10);
        for line in lines(&shown) {
            let line = line.strip_prefix("paged:").unwrap_or_else(|| panic!("{line}"));
            assert!(line.chars().count() <= usize::from(columns), "{line}");
        }
        assert_eq!(shown.text.contains("no room for"), columns < 120);
    }
    let asked = show(
        120,
        &[MARKER, ("COLUMNS", "60")],
        &["waits", "--color", "never", "-q"],
    );
    assert!(
        lines(&asked).iter().all(|line| line.len() <= 66),
        "{}",
        asked.text
    );
    let asked = show(
        60,
        &[MARKER],
        &["waits", "--width", "120", "--color", "never", "-q"],
    );
    assert!(!asked.text.contains("no room for"));
}

/// What goes to stderr does not get into the middle of what the pager shows.
#[test]
fn what_is_said_comes_behind_the_pager() {
    let shown = show(80, &[MARKER], &["hang", "--color", "never"]);
    let lines = lines(&shown);
    let said = lines
        .iter()
        .position(|line| line.starts_with("alpc-dump: symbols:"))
        .unwrap();
    let paged = lines.iter().rposition(|line| line.starts_with("paged:")).unwrap();
    assert!(said > paged, "{}", shown.text);
    assert!(lines.len() <= 26);
}

#[test]
fn a_pager_is_chosen_or_refused() {
    let hang = ["hang", "--color", "never", "-q"];
    let plain = show(80, &[MARKER], &["hang", "--color", "never", "-q", "--no-pager"]);
    assert!(!plain.text.contains("paged:"));
    assert!(plain.text.starts_with("10 of 31 threads wait"), "{}", plain.text);
    let unmarked = |shown: &Shown| shown.text.replace("paged:", "");
    assert_eq!(unmarked(&show(80, &[MARKER], &hang)), plain.text);
    // Ours goes before that of all programs.
    let own = show(80, &[MARKER, ("ALPC_DUMP_PAGER", "sed -u s/^/own:/")], &hang);
    assert!(own.text.starts_with("own:"));
    for (name, none) in [
        ("ALPC_DUMP_PAGER", ""),
        ("PAGER", "cat"),
        ("PAGER", "/no/such/pager -x"),
        ("TERM", "dumb"),
    ] {
        assert_eq!(show(80, &[(name, none)], &hang).text, plain.text, "{name}={none}");
    }
    // What is for programs, or written while somebody looks on, is never paged.
    let json = show(80, &[MARKER], &["hang", "--format", "json", "-q"]);
    assert!(json.text.starts_with('{'));
    let triage = show(80, &[MARKER], &["triage", "-q"]);
    assert!(!triage.text.contains("paged:"));
}

/// The pager that is there by itself shows a screen and ends.
#[test]
fn the_usual_pager() {
    if Command::new("less").arg("--version").output().is_err() {
        eprintln!("skipped: no less");
        return;
    }
    let shown = show(100, &[], &["modules", "--color", "never", "-q"]);
    assert_eq!(shown.status, 0);
    assert!(shown.text.contains("ntoskrnl.exe"), "{}", shown.text);
}

/// Whoever has seen enough is no error, and what the status tells is told.
#[test]
fn a_pager_that_ends_early_is_no_error() {
    let first = ("PAGER", "head -n 1");
    for (args, status) in [
        (&["threads", "-v", "--color", "never"][..], 0),
        (&["hang", "--longer-than", "1d", "--color", "never"], 1),
    ] {
        let shown = show(80, &[first], args);
        assert_eq!(shown.status, status, "{args:?}: {}", shown.text);
        assert!(!shown.text.contains("cannot be written"), "{}", shown.text);
    }
    let failed = show(80, &[MARKER], &["port", "no-such-port"]);
    assert_ne!(failed.status, 0);
    assert!(
        failed.text.starts_with("alpc-dump: "),
        "nothing to page: {}",
        failed.text
    );
}
