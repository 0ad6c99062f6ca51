//! Reads of a mapped file that survive what becomes of the file.
//!
//! A page of a mapping that cannot be had any more, as the file was cut, its medium failed or its server went away, raises
//! SIGBUS in whoever touches it, and by default ends the process (mmap(2)). Here a page of zeros is put in its place, so that
//! the read that touched it ends, and a mark is set before that: whoever read looks at the mark before the bytes are
//! believed. libwayland does the same for the buffers that clients share with a compositor (`wl_shm_buffer_begin_access`).
//!
//! On Windows the same is EXCEPTION_IN_PAGE_ERROR, which Rust has no means to catch: there a guard does nothing.

#[cfg(unix)]
pub(crate) use system::Guard;

#[cfg(not(unix))]
pub(crate) struct Guard;

#[cfg(not(unix))]
impl Guard {
    pub(crate) fn of(_: &[u8]) -> Option<Guard> {
        Some(Guard)
    }

    pub(crate) fn is_lost(&self) -> bool {
        false
    }
}

#[cfg(unix)]
#[allow(
    unsafe_code,
    reason = "signals and mappings have no safe form: see the comments beside each"
)]
mod system {
    use std::ptr;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use libc::{SIG_DFL, SIGBUS, c_int, c_void, siginfo_t};

    /// Mappings that are guarded at a time: whoever maps more reads the others without mapping them.
    const MOST: usize = 64;

    /// Where a guarded mapping is. A signal may come at any moment, so that nothing here is behind a lock.
    struct Slot {
        taken: AtomicBool,
        start: AtomicUsize,
        end: AtomicUsize,
        lost: AtomicBool,
    }

    static SLOTS: [Slot; MOST] = [const {
        Slot {
            taken: AtomicBool::new(false),
            start: AtomicUsize::new(0),
            end: AtomicUsize::new(0),
            lost: AtomicBool::new(false),
        }
    }; MOST];

    /// Bytes of a page; 0 where signals cannot be caught.
    static PAGE: OnceLock<usize> = OnceLock::new();

    /// Guards a mapping until it is dropped, which must be before the mapping is.
    pub(crate) struct Guard(&'static Slot);

    impl Guard {
        /// Guards the bytes of a mapping; none where that cannot be.
        pub(crate) fn of(mapping: &[u8]) -> Option<Guard> {
            if *PAGE.get_or_init(watch) == 0 {
                return None;
            }
            let free = |slot: &&Slot| {
                slot.taken
                    .compare_exchange(false, true, Ordering::AcqRel, Ordering::Relaxed)
                    .is_ok()
            };
            let slot = SLOTS.iter().find(free)?;
            let start = mapping.as_ptr().addr();
            slot.lost.store(false, Ordering::SeqCst);
            slot.end
                .store(start.saturating_add(mapping.len()), Ordering::SeqCst);
            slot.start.store(start, Ordering::SeqCst);
            Some(Guard(slot))
        }

        /// Whether some of its pages could not be had: what was read may be zeros that the file never had.
        pub(crate) fn is_lost(&self) -> bool {
            self.0.lost.load(Ordering::SeqCst)
        }
    }

    impl Drop for Guard {
        fn drop(&mut self) {
            self.0.start.store(0, Ordering::SeqCst);
            self.0.end.store(0, Ordering::SeqCst);
            self.0.taken.store(false, Ordering::Release);
        }
    }

    /// Begins to catch the signal, and says how long a page is.
    fn watch() -> usize {
        // SAFETY: sysconf(3) reads no memory of ours.
        let page = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(0);
        if !page.is_power_of_two() {
            return 0;
        }
        let caught = move |info: &siginfo_t| {
            // SAFETY: the kernel fills in si_addr for SIGBUS (sigaction(2)).
            let at = unsafe { info.si_addr() }.addr();
            if !replace(at, page) {
                // Somebody else's: behind this handler the same instruction raises it again, and it ends the process as it
                // would have without us.
                // SAFETY: signal(2) is async-signal-safe.
                unsafe { libc::signal(SIGBUS, SIG_DFL) };
            }
        };
        // SAFETY: what the closure does is async-signal-safe: it loads and stores atomics and makes system calls, neither
        // allocates nor takes a lock, and does not unwind.
        match unsafe { signal_hook_registry::register_sigaction(SIGBUS as c_int, caught) } {
            Ok(_) => page,
            Err(_) => 0,
        }
    }

    /// Puts a page of zeros where a guarded mapping has lost one. False where no mapping of ours is there, or it cannot be.
    fn replace(at: usize, page: usize) -> bool {
        let holds = |slot: &&Slot| {
            let start = slot.start.load(Ordering::SeqCst);
            start != 0 && start <= at && at < slot.end.load(Ordering::SeqCst)
        };
        let Some(slot) = SLOTS.iter().find(holds) else {
            return false;
        };
        // First the mark: whoever reads the zeros looks at it afterwards.
        slot.lost.store(true, Ordering::SeqCst);
        let start = ptr::without_provenance_mut::<c_void>(at & !page.wrapping_sub(1));
        // SAFETY: the page belongs to a read-only mapping of a file that is guarded, and so still there: nothing else is
        // replaced. Its bytes are plain bytes, of which all values are valid; that they change under whoever borrows them
        // is what the mark is for. mmap(2) is a bare system call, and leaves errno alone when it succeeds.
        let placed = unsafe {
            libc::mmap(
                start,
                page,
                libc::PROT_READ,
                libc::MAP_FIXED | libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        placed != libc::MAP_FAILED
    }
}
