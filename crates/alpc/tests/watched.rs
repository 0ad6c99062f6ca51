//! Long walks are seen from outside, and end when somebody wants no more of them.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use alpc::image::budget::{INTERVAL, Spent, Watch};
use alpc::port::enumerate;
use alpc::report::carve::{self, CarveKind, Wanted};
use alpc::wait::hang;
use alpc::{Symbols, System, Value};
use kdump::Progress;

/// Counts the questions, and allows so many reads.
struct Allows {
    reads: u64,
    questions: AtomicU64,
}

impl Watch for Allows {
    fn goes_on(&self, so_far: Spent) -> bool {
        self.questions.fetch_add(1, Ordering::Relaxed);
        so_far.reads < self.reads
    }
}

fn system() -> System {
    let dump = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/vista-sp2-x64.dmp");
    System::open(&dump, &Symbols::default()).unwrap()
}

fn allows(reads: u64) -> Arc<Allows> {
    Arc::new(Allows {
        reads,
        questions: AtomicU64::new(0),
    })
}

#[test]
fn a_walk_that_goes_on_is_the_same_and_seen() {
    let system = system();
    let plain = enumerate::ports(&system.kernel().unwrap());
    let watch = allows(u64::MAX);
    let kernel = system.kernel().unwrap().watched(watch.clone());
    let mut walks = 0;
    while watch.questions.load(Ordering::Relaxed) < 3 {
        assert_eq!(enumerate::ports(&kernel).ports, plain.ports);
        walks += 1;
        assert!(walks < 3 * INTERVAL, "a walk reads something");
    }
}

#[test]
fn a_walk_that_is_cancelled_says_so_and_is_not_complete() {
    let system = system();
    let kernel = system.kernel().unwrap().watched(allows(0));
    let mut walks = 0;
    let ended = loop {
        let (_, hang) = hang::hang(&kernel);
        if let Some(doubt) = hang.doubt {
            break doubt;
        }
        walks += 1;
        assert!(walks < INTERVAL, "a walk reads something");
    };
    assert!(ended.text.contains("cancelled"), "{ended:?}");
    let Value::Missing(hole) = enumerate::ports(&kernel).complete else {
        panic!("a list that was not read is not complete");
    };
    assert_eq!(hole.cause(), "cancelled");
    // Another kernel of the same system knows nothing of it.
    assert!(matches!(
        enumerate::ports(&system.kernel().unwrap()).complete,
        Value::Known(())
    ));
}

/// A sweep over memory in which nothing is found asks as well, and what it has not seen is not told to be none.
#[test]
fn a_sweep_that_is_cancelled_says_so() {
    let system = system();
    let wanted = || Wanted::of(CarveKind::ALL.to_vec()).with_listed(true);
    let whole = carve::carve(&system.kernel().unwrap(), &wanted(), &Progress::default());
    assert!(whole.found.len() > 100 && matches!(whole.complete, Value::Known(())));
    let kernel = system.kernel().unwrap().watched(allows(0));
    let ended = carve::carve(&kernel, &wanted(), &Progress::default());
    let Value::Missing(hole) = ended.complete else {
        panic!("memory that was not looked at is not complete");
    };
    assert_eq!(hole.cause(), "cancelled");
    assert!(
        ended.found.is_empty() && ended.bytes == 0,
        "{} bytes",
        ended.bytes
    );
}
