//! What a signal that ends the program leaves behind: nothing. Temporary files are removed and the processes that were
//! started have ended before it does, by that very signal, so that whoever waits for it sees why.
//!
//! Signals are watched only once there is something to take away. Those that were ignored when the program was
//! started, as `nohup` has it, stay ignored.
//!
//! At a prompt Ctrl-C is no end of the program: it stops the walk that runs ([`spare_program`]).

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, Once, PoisonError};
use std::thread;
use std::time::Duration;

use tempfile::NamedTempFile;

/// How long processes are waited for: one that hangs in the system cannot be killed.
const PATIENCE: Duration = Duration::from_secs(5);

/// Set when the rest is not wanted any more: whoever has started a process kills it, and starts no more.
pub static STOP: AtomicBool = AtomicBool::new(false);

/// Set when a signal is ending the program.
static ENDING: AtomicBool = AtomicBool::new(false);

/// Set while Ctrl-C stops a walk and not the program.
static SPARED: AtomicBool = AtomicBool::new(false);

/// How often Ctrl-C was pressed in the walk that runs.
static PRESSED: AtomicUsize = AtomicUsize::new(0);

/// Set where signals are another program's, which has this one in it.
static FOREIGN: AtomicBool = AtomicBool::new(false);

/// Presses of Ctrl-C in one walk that end the program all the same: something hangs that asks nobody.
const ENOUGH: usize = 3;

/// Set once whoever reads what the walk gives has left the pager.
static LEFT: AtomicBool = AtomicBool::new(false);

/// Set while somebody reads in the pager and nothing is walked any more.
static READING: AtomicBool = AtomicBool::new(false);

/// Temporary files that have not got their names yet.
static FILES: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// Processes that run, or are about to be started.
static PROCESSES: Mutex<usize> = Mutex::new(0);
static PROCESS_ENDED: Condvar = Condvar::new();

/// The pager that results are shown in, with the end that they are written into.
static PAGER: Mutex<Option<Child>> = Mutex::new(None);

/// Shows what is written by [`in_pager`] in a pager that has just been started. A signal ends the program once the pager
/// has ended: Ctrl-C goes to both, and a pager that is left alone would fight with the shell for the keyboard.
pub fn show_in(pager: Child) {
    watch();
    *lock(&PAGER) = Some(pager);
}

/// Writes to the pager.
///
/// # Errors
/// That of `write`; [`io::ErrorKind::BrokenPipe`] once the pager has ended.
pub fn in_pager<T>(write: impl FnOnce(&mut ChildStdin) -> io::Result<T>) -> io::Result<T> {
    let written = match lock(&PAGER).as_mut().and_then(|pager| pager.stdin.as_mut()) {
        Some(stdin) => write(stdin),
        None => Err(io::ErrorKind::BrokenPipe.into()),
    };
    hold();
    written
}

/// Tells the pager that this was all, and waits until whoever looks on has seen it. Ctrl-C is the pager's until then: in
/// `less` it ends a search.
pub fn end_pager() {
    READING.store(true, Ordering::SeqCst);
    close_pager();
    READING.store(false, Ordering::SeqCst);
    hold();
}

fn close_pager() {
    // Whoever comes second waits here until the pager has ended.
    let mut pager = lock(&PAGER);
    if let Some(mut pager) = pager.take() {
        // Closes its stdin first.
        let _ = pager.wait();
    }
}

/// Makes a temporary file, which is removed when a signal ends the program before the file has got its name.
///
/// # Errors
/// That of `make`.
pub fn temporary(make: impl FnOnce() -> io::Result<NamedTempFile>) -> io::Result<NamedTempFile> {
    watch();
    let mut files = lock(&FILES);
    let file = make()?;
    // The program may stand in another folder by then.
    files.push(std::path::absolute(file.path()).unwrap_or_else(|_| file.path().to_owned()));
    Ok(file)
}

/// Gives the temporary file at `path` its name, or takes it away; a signal ends the program before or after that.
pub fn settle<T>(path: &Path, how: impl FnOnce() -> T) -> T {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut files = lock(&FILES);
    files.retain(|file| *file != path);
    how()
}

/// A process that is about to be started; it has ended when this is dropped.
pub struct Running(());

impl Running {
    /// None when no more are to be started.
    pub fn begin() -> Option<Self> {
        watch();
        *lock(&PROCESSES) += 1;
        let running = Self(());
        (!STOP.load(Ordering::SeqCst)).then_some(running)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        *lock(&PROCESSES) -= 1;
        PROCESS_ENDED.notify_all();
    }
}

/// From now on no signal is watched: they are those of the program that this one is a part of.
pub fn leave_signals() {
    FOREIGN.store(true, Ordering::SeqCst);
}

/// From now on Ctrl-C stops what is walked, and not the program.
pub fn spare_program() {
    SPARED.store(true, Ordering::SeqCst);
    watch();
}

/// Whether Ctrl-C stops what is walked.
fn spares_program() -> bool {
    SPARED.load(Ordering::SeqCst)
}

/// Begins a walk: what was pressed before was for another one.
pub fn begin_walk() {
    PRESSED.store(0, Ordering::SeqCst);
    LEFT.store(false, Ordering::SeqCst);
}

/// How often Ctrl-C was pressed since the walk began.
pub fn presses() -> usize {
    PRESSED.load(Ordering::SeqCst)
}

/// Ends the walk, for the pager that shows it was left.
pub fn leave() {
    LEFT.store(true, Ordering::SeqCst);
}

/// Whether the walk is to end: Ctrl-C was pressed, or the pager left.
pub fn ends_walk() -> bool {
    presses() > 0 || LEFT.load(Ordering::SeqCst)
}

/// Whether not even what was read already is to be shown: Ctrl-C was pressed again, or the pager left.
pub fn ends_output() -> bool {
    presses() > 1 || LEFT.load(Ordering::SeqCst)
}

/// Counts a Ctrl-C, and says whether it ends no more than the walk.
fn is_for_the_walk() -> bool {
    spares_program()
        && (READING.load(Ordering::SeqCst)
            || PRESSED.fetch_add(1, Ordering::SeqCst).saturating_add(1) < ENOUGH)
}

/// Does not return when a signal is ending the program: what comes next is not to be written any more.
pub fn hold() {
    while ENDING.load(Ordering::SeqCst) {
        thread::park();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn watch() {
    static BEGUN: Once = Once::new();
    if FOREIGN.load(Ordering::SeqCst) {
        return;
    }
    BEGUN.call_once(system::watch);
}

/// Takes away what is there. No file gets its name any more as long as the result is held.
fn clean_up() -> MutexGuard<'static, Vec<PathBuf>> {
    ENDING.store(true, Ordering::SeqCst);
    STOP.store(true, Ordering::SeqCst);
    let files = lock(&FILES);
    for file in files.iter() {
        // One that is gone already is as good.
        // Also on Windows, where a file that is open can be removed only if it was opened to allow that: Rust's
        // library opens all files with FILE_SHARE_DELETE.
        let _ = std::fs::remove_file(file);
    }
    close_pager();
    let running = lock(&PROCESSES);
    let _ = PROCESS_ENDED.wait_timeout_while(running, PATIENCE, |running| *running > 0);
    files
}

#[cfg(unix)]
mod system {
    use std::sync::Arc;
    use std::thread;

    use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGXCPU, SIGXFSZ};
    use signal_hook::flag;
    use signal_hook::iterator::Signals;
    use signal_hook::low_level::emulate_default_handler;

    /// What users, shells and schedulers end a program with.
    const SIGNALS: [i32; 5] = [SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGXCPU];

    /// Waits for a signal in a thread of its own. Where that cannot be, the system ends the program as ever.
    pub fn watch() {
        let ignored = ignored();
        let wanted = SIGNALS.iter().filter(|&&signal| ignored >> (signal - 1) & 1 == 0);
        // A program that nohup or a shell without job control started has SIGHUP, or SIGINT and SIGQUIT,
        // ignored from its start (bash's manual, "Signals"). To watch one would end a run that was meant to
        // outlive its terminal.
        let Ok(mut signals) = Signals::new(wanted) else {
            return;
        };
        let watcher = move || {
            for signal in &mut signals.forever() {
                if signal == SIGINT && super::is_for_the_walk() {
                    continue;
                }
                let _files = super::clean_up();
                // It comes back only for signals that end nothing.
                // By the signal itself, not by a status: a shell that runs a loop ends it on Ctrl-C only if its
                // child died of SIGINT (Martin Cracauer, "Proper handling of SIGINT/SIGQUIT").
                let _ = emulate_default_handler(signal);
                // What shells make of a death by a signal: 130 for SIGINT, 143 for SIGTERM.
                std::process::exit(128 + signal);
            }
        };
        let _ = thread::Builder::new().name("signals".to_owned()).spawn(watcher);
        // Where files may not grow on, writing fails then, as on a full disk, and leaves nothing behind.
        // Beyond `ulimit -f` the signal ends a program by default; once it is caught, write(2) fails with
        // EFBIG.
        let _ = flag::register(SIGXFSZ, Arc::default());
    }

    /// The signals that are ignored, a bit each. Where the system does not tell, those that shells and `nohup`
    /// have ignored count as ignored: a temporary file that stays is the smaller harm.
    fn ignored() -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        // proc(5): a mask in hex, bit n-1 for signal n. Behind `nohup` it is 0000000000001001: SIGHUP, and
        // SIGPIPE that Rust programs ignore anyway. macOS has no such file.
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
            .unwrap_or(1 << (SIGHUP - 1) | 1 << (SIGQUIT - 1))
    }
}

#[cfg(windows)]
mod system {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;
    use std::time::Duration;

    use signal_hook::consts::{SIGINT, SIGTERM};
    use signal_hook::flag;

    /// How often is looked whether Ctrl-C was pressed.
    const GLANCE: Duration = Duration::from_millis(100);

    /// STATUS_CONTROL_C_EXIT, which Windows itself ends a program with.
    const CONTROL_C_EXIT: i32 = 0xc000_013a_u32.cast_signed();

    /// Waits for Ctrl-C in a thread of its own.
    pub fn watch() {
        let (pressed, ended) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        // Ctrl-C comes as SIGINT, in a thread that Windows makes for it; SIGTERM is there for ANSI's sake and
        // never sent by Windows itself (Microsoft's "signal"). Closing the console window is neither, and ends
        // the program without a word.
        let _ = flag::register(SIGINT, Arc::clone(&pressed));
        let _ = flag::register(SIGTERM, Arc::clone(&ended));
        let watcher = move || {
            loop {
                let is_pressed = pressed.swap(false, Ordering::Relaxed);
                if ended.load(Ordering::Relaxed) || is_pressed && !super::is_for_the_walk() {
                    break;
                }
                thread::sleep(GLANCE);
            }
            let _files = super::clean_up();
            std::process::exit(CONTROL_C_EXIT);
        };
        let _ = thread::Builder::new().name("signals".to_owned()).spawn(watcher);
    }
}
