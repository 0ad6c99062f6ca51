//! A process that looks at one dump for another one: it ends when that one does, however that ends, and takes no more
//! memory than it may.

use std::io::{self, Read};
use std::path::Path;
use std::thread;

/// What a process may take beside the length of its dump, when nothing else is said: several times what a
/// system of 100,000 threads needs.
pub const MEMORY: u64 = 1 << 30;

/// Binds this process to the one that started it, and to so many bytes of memory.
pub fn begin(dump: &Path, memory: Option<u64>) {
    end_with_parent();
    let length = dump.metadata().map_or(0, |metadata| metadata.len());
    system::limit_memory(memory.unwrap_or_else(|| MEMORY.saturating_add(length)), length);
}

/// Whoever started this process holds the other end of its stdin: that closes when it ends, on every system, also
/// when it ended before this was called. A process that is stopped does not notice; the signal ends that one too.
fn end_with_parent() {
    system::die_with_parent();
    let lifeline = || {
        let mut byte = [0];
        // A read on a pipe ends with nothing when the last writer is gone, be it by SIGKILL or by
        // TerminateProcess.
        while matches!(io::stdin().read(&mut byte), Ok(1..)) {}
        // Nobody is left to read a record.
        std::process::exit(1);
    };
    let _ = thread::Builder::new().name("lifeline".to_owned()).spawn(lifeline);
}

#[cfg(unix)]
mod system {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    /// Room for what is mapped beside the dump: the program, its stacks, files of symbols.
    const MAPPED: u64 = 1 << 30;

    /// Linux counts as data what a process takes for itself, not what it maps of a file: the dump costs nothing.
    /// Elsewhere only the whole of the address space has a limit, the dump's mapping in it.
    pub fn limit_memory(bytes: u64, dump: u64) {
        // Since Linux 4.7: before, RLIMIT_DATA held only what brk(2) gives, and an allocation of many megabytes
        // comes from mmap(2) (setrlimit(2)).
        lower(Resource::Data, bytes);
        lower(Resource::As, bytes.saturating_add(dump).saturating_add(MAPPED));
    }

    /// A lower limit stays as it is; one that is not to be had leaves the process without.
    fn lower(resource: Resource, bytes: u64) {
        let Rlimit { current, maximum } = getrlimit(resource);
        // A soft limit above the hard one is refused with EINVAL, and only a privileged process raises the hard
        // one (setrlimit(2)).
        let least = [current, maximum].into_iter().flatten().fold(bytes, u64::min);
        let limit = Rlimit {
            current: Some(least),
            maximum,
        };
        let _ = setrlimit(resource, limit);
    }

    /// The signal comes when the thread ends that started the process: it waits for the process.
    #[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
    pub fn die_with_parent() {
        use rustix::process::{Signal, set_parent_process_death_signal};
        // Nothing comes where the other one had ended before the call (prctl(2), PR_SET_PDEATHSIG): stdin
        // covers that.
        let _ = set_parent_process_death_signal(Some(Signal::KILL));
    }

    #[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
    pub fn die_with_parent() {}
}

#[cfg(not(unix))]
mod system {
    // Windows limits memory by job objects (JOB_OBJECT_LIMIT_PROCESS_MEMORY), and a process outlives the one
    // that started it unless it is in one. There is none here: stdin is the only tie.
    pub fn limit_memory(_bytes: u64, _dump: u64) {}

    pub fn die_with_parent() {}
}
