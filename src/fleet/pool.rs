//! Work on many things at once, with the results in the order of the things.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

/// Results that may wait for an earlier one, for each of the threads: what comes after is not begun.
const AHEAD: usize = 8;

/// Does `work` on each of the items, with so many threads, and hands the results to `sink` in the order of the
/// items, each as soon as those before it are there. No more results are held than a small multiple of the
/// threads, however many items there are.
///
/// # Errors
/// That of `sink`; nothing more is begun then, and `stop` is set for those who are still at work.
pub fn in_order<I, R>(
    items: I,
    jobs: usize,
    stop: &AtomicBool,
    work: impl Fn(I::Item) -> R + Sync,
    sink: impl FnMut(R) -> io::Result<()>,
) -> io::Result<()>
where
    I: Iterator + Send,
    R: Send,
{
    let pool = Pool {
        items: Mutex::new(items.enumerate()),
        state: Mutex::new(State::default()),
        changed: Condvar::new(),
        ahead: jobs.saturating_mul(AHEAD),
        stop,
    };
    thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| pool.labour(&work));
        }
        let result = pool.collect(sink);
        if result.is_err() {
            stop.store(true, Ordering::Relaxed);
            pool.changed.notify_all();
        }
        result
    })
}

struct Pool<'s, I, R> {
    items: Mutex<I>,
    state: Mutex<State<R>>,
    changed: Condvar,
    ahead: usize,
    stop: &'s AtomicBool,
}

struct State<R> {
    done: BTreeMap<usize, R>,
    /// How many items were handed out.
    begun: usize,
    /// How many results the sink has got.
    written: usize,
    /// How many items there are, once that is known.
    total: Option<usize>,
}

impl<R> Default for State<R> {
    fn default() -> Self {
        Self {
            done: BTreeMap::new(),
            begun: 0,
            written: 0,
            total: None,
        }
    }
}

/// Wakes the others when its thread panics: else they would wait for its result for ever.
struct Alarm<'p, 's, I, R>(&'p Pool<'s, I, R>);

impl<I, R> Drop for Alarm<'_, '_, I, R> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.stop.store(true, Ordering::Relaxed);
            self.0.changed.notify_all();
        }
    }
}

impl<I, T, R> Pool<'_, I, R>
where
    I: Iterator<Item = (usize, T)>,
{
    fn labour(&self, work: impl Fn(T) -> R) {
        let _alarm = Alarm(self);
        while let Some((number, item)) = self.take() {
            let result = work(item);
            self.state().done.insert(number, result);
            self.changed.notify_all();
        }
    }

    /// The next item, once it may be begun.
    fn take(&self) -> Option<(usize, T)> {
        let mut items = self.items.lock().unwrap_or_else(PoisonError::into_inner);
        let next = items.next();
        let mut state = self.state();
        let Some((number, item)) = next else {
            state.total = Some(state.begun);
            self.changed.notify_all();
            return None;
        };
        state.begun = number + 1;
        while number >= state.written.saturating_add(self.ahead) && !self.stopped() {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        (!self.stopped()).then_some((number, item))
    }

    fn collect(&self, mut sink: impl FnMut(R) -> io::Result<()>) -> io::Result<()> {
        loop {
            let mut state = self.state();
            let result = loop {
                let next = state.written;
                // First: what was given up because of that is no result.
                if self.stopped() {
                    return Ok(());
                }
                if let Some(result) = state.done.remove(&next) {
                    break result;
                }
                if state.total.is_some_and(|total| next >= total) {
                    return Ok(());
                }
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            };
            drop(state);
            sink(result)?;
            self.state().written += 1;
            self.changed.notify_all();
        }
    }

    fn state(&self) -> MutexGuard<'_, State<R>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::time::Duration;

    use super::*;

    #[test]
    fn results_come_in_order_and_none_is_lost() {
        for jobs in [1, 2, 3, 8] {
            let mut seen = Vec::new();
            let work = |number: u64| {
                thread::sleep(Duration::from_micros(number * 7919 % 500));
                number * 2
            };
            let sink = |result| {
                seen.push(result);
                Ok(())
            };
            in_order(0..200_u64, jobs, &AtomicBool::new(false), work, sink).unwrap();
            assert_eq!(seen, (0..200).map(|number| number * 2).collect::<Vec<_>>());
        }
    }

    #[test]
    fn what_is_far_ahead_is_not_begun() {
        let begun = AtomicUsize::new(0);
        let mut written = 0;
        let work = |number: usize| {
            begun.fetch_max(number + 1, Ordering::SeqCst);
            if number == 0 {
                thread::sleep(Duration::from_millis(50));
            }
        };
        let sink = |()| {
            let ahead = begun.load(Ordering::SeqCst) - written;
            assert!(ahead <= 2 * AHEAD, "{ahead} ahead");
            written += 1;
            Ok(())
        };
        in_order(0..500, 2, &AtomicBool::new(false), work, sink).unwrap();
        assert_eq!(written, 500);
    }

    #[test]
    fn nothing_is_begun_once_the_sink_has_had_enough() {
        let stop = AtomicBool::new(false);
        let begun = AtomicUsize::new(0);
        let work = |_| begun.fetch_add(1, Ordering::SeqCst);
        let sink = |_| Err(io::ErrorKind::BrokenPipe.into());
        let error = in_order(0.., 2, &stop, work, sink).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
        assert!(stop.load(Ordering::SeqCst));
        assert!(begun.load(Ordering::SeqCst) <= 2 * AHEAD + 2);
    }

    #[test]
    #[should_panic(expected = "a scoped thread panicked")]
    fn a_panic_at_work_does_not_hang_the_rest() {
        let work = |number: usize| assert!(number != 3, "at work");
        let _ = in_order(0..100, 2, &AtomicBool::new(false), work, |()| Ok(()));
    }
}
