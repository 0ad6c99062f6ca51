//! A process that looks at one dump for another one: it ends when that one does, however that ends, and takes no more
//! memory than it may.

use std::io::{self, Read};
use std::path::Path;
use std::thread;

/// What a process may take beside the length of its dump, when nothing else is said: several times what a
/// system of 100,000 threads needs.
pub const MEMORY: u64 = 1 << 30;

/// Bytes as users write them, `900000000`, `800M` or `4G`; units are powers of 1024.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let (digits, shift) = match text.char_indices().last() {
        Some((at, 'k' | 'K')) => (&text[..at], 10),
        Some((at, 'm' | 'M')) => (&text[..at], 20),
        Some((at, 'g' | 'G')) => (&text[..at], 30),
        Some((at, 't' | 'T')) => (&text[..at], 40),
        _ => (text, 0),
    };
    let number = digits.parse::<u64>().ok().filter(|_| !digits.starts_with('+'));
    number
        .and_then(|number| number.checked_mul(1 << shift))
        .filter(|&bytes| bytes > 0)
        .ok_or_else(|| "write a number of bytes, or one with K, M, G or T behind it, as in 4G".to_owned())
}

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
        lower(Resource::Data, bytes);
        lower(Resource::As, bytes.saturating_add(dump).saturating_add(MAPPED));
    }

    /// A lower limit stays as it is; one that is not to be had leaves the process without.
    fn lower(resource: Resource, bytes: u64) {
        let Rlimit { current, maximum } = getrlimit(resource);
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
        let _ = set_parent_process_death_signal(Some(Signal::KILL));
    }

    #[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
    pub fn die_with_parent() {}
}

#[cfg(not(unix))]
mod system {
    pub fn limit_memory(_bytes: u64, _dump: u64) {}

    pub fn die_with_parent() {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_as_users_write_them() {
        for (text, bytes) in [
            ("1", 1),
            ("2k", 2048),
            ("800M", 800 << 20),
            ("4G", 4 << 30),
            ("1t", 1 << 40),
        ] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        for text in ["", "0", "G", "+4G", "4GB", "-1", "1.5G", "99999999999T"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }
}
