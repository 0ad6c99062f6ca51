//! The program on a terminal, as a person has it: what is typed, and what is seen.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

/// What comes soon is waited for so long: whatever runs beside, it has come by then.
const PATIENCE: Duration = Duration::from_secs(100);

/// A program that runs on a terminal of its own.
pub struct Terminal {
    child: Child,
    keys: File,
    screen: Arc<(Mutex<Screen>, Condvar)>,
    /// Bytes of the screen that were looked at.
    seen: usize,
}

#[derive(Default)]
struct Screen {
    text: String,
    ended: bool,
}

impl Terminal {
    /// Runs the binary in front on a new terminal, with a home of its own and a pager; "" is none.
    pub fn run(args: &[&str], home: Option<&Path>, pager: &str) -> Self {
        let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&controller).unwrap();
        unlockpt(&controller).unwrap();
        let size = Winsize {
            ws_row: 50,
            ws_col: 200,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&controller, size).unwrap();
        let name = ptsname(&controller, Vec::new()).unwrap();
        let path = Path::new(OsStr::from_bytes(name.to_bytes()));
        let side = || File::options().read(true).write(true).open(path).unwrap();
        // Ctrl-C reaches who has the terminal for its own: util-linux makes it so.
        let mut line = Command::new("setsid");
        line.arg("--ctty")
            .arg(env!("CARGO_BIN_EXE_alpc-dump"))
            .args(args)
            .current_dir(super::root())
            .env_remove("_NT_SYMBOL_PATH")
            .env_remove("_NT_ALT_SYMBOL_PATH")
            .env_remove("CLICOLOR_FORCE")
            .env_remove("CLICOLOR")
            .env_remove("COLUMNS")
            .env_remove("XDG_STATE_HOME")
            .env_remove("HOME")
            .env("ALPC_DUMP_PAGER", pager)
            .env("NO_COLOR", "1")
            .env("TERM", "xterm")
            .stdin(side())
            .stdout(side())
            .stderr(side());
        if let Some(home) = home {
            line.env("HOME", home);
        }
        let child = line.spawn().unwrap();
        // The command holds its sides of the terminal until it goes: it would never end.
        drop(line);
        let screen = Arc::new((Mutex::default(), Condvar::new()));
        let keys = File::from(controller);
        watch(keys.try_clone().unwrap().into(), Arc::clone(&screen));
        Self {
            child,
            keys,
            screen,
            seen: 0,
        }
    }

    /// Types keys.
    pub fn types(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until a text is there behind all that was waited for, and gives what came up to it.
    pub fn shows(&mut self, text: &str) -> String {
        match self.looks_for(&[text]) {
            (0, before) => before,
            _ => unreachable!("one text was looked for"),
        }
    }

    /// The same for the first of several texts, and which one it is.
    pub fn looks_for(&mut self, texts: &[&str]) -> (usize, String) {
        let (screen, changed) = &*self.screen;
        let found = |screen: &Screen| {
            let rest = &screen.text[self.seen..];
            let all = texts.iter().enumerate();
            all.filter_map(|(number, text)| Some((rest.find(text)?, number, text.len())))
                .min()
        };
        let guard = screen.lock().unwrap();
        let (guard, _) = changed
            .wait_timeout_while(guard, PATIENCE, |screen| found(screen).is_none() && !screen.ended)
            .unwrap();
        let rest = &guard.text[self.seen..];
        let Some((at, number, length)) = found(&guard) else {
            panic!("{texts:?} does not come: {rest:?} of {:?}", guard.text);
        };
        let before = rest[..at].to_owned();
        self.seen += at + length;
        (number, before)
    }

    /// Waits for the end, and gives the exit status and what came before it.
    pub fn ends(mut self) -> (Option<i32>, String) {
        let (screen, changed) = &*self.screen;
        let guard = screen.lock().unwrap();
        let (guard, _) = changed
            .wait_timeout_while(guard, PATIENCE, |screen| !screen.ended)
            .unwrap();
        let rest = guard.text[self.seen..].to_owned();
        assert!(guard.ended, "it does not end: {rest:?}");
        drop(guard);
        (self.child.wait().unwrap().code(), rest)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // When a test fails: nothing is to stay.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn watch(from: OwnedFd, screen: Arc<(Mutex<Screen>, Condvar)>) {
    thread::spawn(move || {
        let mut from = File::from(from);
        let mut bytes = [0; 4096];
        loop {
            // A terminal that nobody has open any more gives EIO.
            let read = from.read(&mut bytes).unwrap_or_default();
            let (screen, changed) = &*screen;
            let mut screen = screen.lock().unwrap();
            screen.text.push_str(&String::from_utf8_lossy(&bytes[..read]));
            screen.ended = read == 0;
            changed.notify_all();
            if screen.ended {
                return;
            }
        }
    });
}
