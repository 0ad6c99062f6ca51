//! What happened when, as far as memory tells: when the system started, processes and threads began and ended, waits began.
//!
//! Times of the clock are what the kernel wrote down then; the clock may have been set since. When a wait began is counted in
//! ticks and taken off the time of the dump: it is exact to a tick, about 16 ms, and to the second in which the header's time
//! was taken.

use std::collections::BTreeSet;

use kdump::{FileTime, Gva, Progress};
#[cfg(feature = "schema")]
use schemars::JsonSchema;
#[cfg(feature = "serde")]
use serde::Serialize;

use ntkernel::image::contract::{ClientId, Process, Thread};
use ntkernel::image::kernel::{At, Kernel, Read};
use ntkernel::image::value::{Addr, Unreadable, Value};
use ntkernel::process::clock::Clock;
use ntkernel::process::{self, image_name, thread};

use crate::report::carve::{self, CarveKind, CarveState, CarvedRow, TIMES, Wanted};

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Happened {
    /// The system started.
    SystemStarted,
    /// A process began.
    ProcessCreated,
    /// A process ended.
    ProcessExited,
    /// A thread began.
    ThreadCreated,
    /// A thread ended.
    ThreadExited,
    /// A thread began the wait that it is in.
    WaitBegan,
    /// The dump was written.
    DumpWritten,
}

impl Happened {
    /// In words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::SystemStarted => "system started",
            Self::ProcessCreated => "process created",
            Self::ProcessExited => "process exited",
            Self::ThreadCreated => "thread created",
            Self::ThreadExited => "thread exited",
            Self::WaitBegan => "wait began",
            Self::DumpWritten => "dump written",
        }
    }
}

/// Where a time is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum TimeSource {
    /// The header of the dump.
    Header,
    /// A process or thread that the system's lists lead to.
    Listed,
    /// Counted back from the time of the dump.
    Ticks,
    /// A process or thread that was found by what it looks like.
    Carved,
}

impl TimeSource {
    /// In a word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Header => "header",
            Self::Listed => "listed",
            Self::Ticks => "ticks",
            Self::Carved => "carved",
        }
    }
}

/// Something that happened.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct TimelineRow {
    /// When, UTC.
    pub time: FileTime,
    /// What.
    pub event: Happened,
    /// Where the time is from.
    pub source: TimeSource,
    /// The process or thread; `null` of the system, and of what no page table maps any more.
    pub address: Option<Addr>,
    /// The process.
    pub process_id: Option<u64>,
    /// The thread.
    pub thread_id: Option<u64>,
    /// The process's image name, as far as the kernel keeps it.
    pub image: Option<String>,
    /// What a thread waits for, by the kernel's name of the reason; what became of something that was carved.
    pub detail: Option<String>,
}

/// All that is known to have happened, by time.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct Timeline {
    /// What happened, the earliest first.
    pub events: Vec<TimelineRow>,
    /// Times that should be there and could not be read, or that are none.
    pub unread: u64,
    /// Set when some may be missing.
    pub complete: Value<()>,
}

/// What is gathered.
struct Gathered<'k, 'd> {
    kernel: &'k Kernel<'d>,
    timeline: Timeline,
    known: BTreeSet<Gva>,
}

/// What happened when. With `carved` also what is found of processes and threads that no list has, in all memory.
#[must_use]
pub fn timeline(kernel: &Kernel<'_>, carved: Option<&Progress>) -> Timeline {
    let mut gathered = Gathered {
        kernel,
        timeline: Timeline {
            events: Vec::new(),
            unread: 0,
            complete: Value::Known(()),
        },
        known: BTreeSet::new(),
    };
    gathered.header();
    gathered.processes();
    if let Some(progress) = carved {
        gathered.carved(progress);
    }
    let mut timeline = gathered.timeline;
    timeline.events.sort_by_key(|row| {
        (
            row.time,
            row.event,
            row.process_id,
            row.thread_id,
            row.address.map(Addr::u64),
        )
    });
    timeline
}

impl Gathered<'_, '_> {
    fn lacks(&mut self, hole: Unreadable) {
        if self.timeline.complete.reason().is_none() {
            self.timeline.complete = Err(hole).into();
        }
    }

    fn of_system(&mut self, time: FileTime, event: Happened) {
        self.timeline.events.push(TimelineRow {
            time,
            event,
            source: TimeSource::Header,
            address: None,
            process_id: None,
            thread_id: None,
            image: None,
            detail: None,
        });
    }

    fn header(&mut self) {
        let header = self.kernel.dump().header();
        let Some(now) = header.system_time.filter(|now| TIMES.contains(&now.0)) else {
            return;
        };
        let up_time = header.system_up_time;
        self.of_system(now, Happened::DumpWritten);
        let started = up_time.and_then(|up| now.0.checked_sub(up.0));
        if let Some(started) = started.filter(|started| TIMES.contains(started)) {
            self.of_system(FileTime(started), Happened::SystemStarted);
        }
    }

    fn processes(&mut self) {
        let kernel = self.kernel;
        let list = match process::processes(kernel) {
            Ok(list) => list,
            Err(hole) => return self.lacks(hole),
        };
        if let Err(hole) = list.complete("the list of processes") {
            self.lacks(hole);
        }
        let clock = Clock::read(kernel);
        if let Err(hole) = &clock {
            self.lacks(hole.clone());
        }
        for &address in &list.entries {
            self.process(kernel.at(address), clock.as_ref().ok().copied());
        }
    }

    fn process(&mut self, process: At<'_, '_>, clock: Option<Clock>) {
        self.known.insert(process.address());
        let who = Who {
            address: Some(self.kernel.addr(process.address())),
            process_id: process.uint(Process::UniqueProcessId).ok(),
            thread_id: None,
            image: image_name(process).ok(),
        };
        self.time(
            &who,
            Happened::ProcessCreated,
            process.true_uint(Process::CreateTime),
        );
        self.time(
            &who,
            Happened::ProcessExited,
            process.true_uint(Process::ExitTime),
        );
        match thread::threads_of(process) {
            Ok(list) => {
                if let Err(hole) = list.complete("a list of threads") {
                    self.lacks(hole);
                }
                for &address in &list.entries {
                    self.thread(&who, self.kernel.at(address), clock);
                }
            }
            Err(hole) => self.lacks(hole),
        }
    }

    fn thread(&mut self, process: &Who, thread: At<'_, '_>, clock: Option<Clock>) {
        self.known.insert(thread.address());
        let id = thread.embedded(Thread::Cid);
        let who = Who {
            address: Some(self.kernel.addr(thread.address())),
            thread_id: id.and_then(|id| id.uint(ClientId::UniqueThread)).ok(),
            ..process.clone()
        };
        self.time(
            &who,
            Happened::ThreadCreated,
            thread.true_uint(Thread::CreateTime),
        );
        // The place of when it ended has the links of a list while it runs.
        let state = thread::state(thread);
        if state
            .as_ref()
            .is_ok_and(|state| state.name() == Some("Terminated"))
        {
            self.time(&who, Happened::ThreadExited, thread.true_uint(Thread::ExitTime));
        }
        let now = self.kernel.dump().header().system_time;
        let (Some(clock), Some(now)) = (clock, now) else {
            return;
        };
        match clock.waited(thread) {
            Ok(None) => {}
            Ok(Some(waited)) => {
                let reason = thread::wait_reason(thread).ok();
                let reason = reason.and_then(thread::WaitReason::name);
                if let Some(since) = now.0.checked_sub(waited).filter(|since| TIMES.contains(since)) {
                    let row = who.row(FileTime(since), Happened::WaitBegan, TimeSource::Ticks);
                    self.timeline.events.push(TimelineRow {
                        detail: reason.map(str::to_owned),
                        ..row
                    });
                }
            }
            Err(_) => self.timeline.unread = self.timeline.unread.saturating_add(1),
        }
    }

    /// A time that a member holds: none for 0, which means that it has not come.
    fn time(&mut self, who: &Who, event: Happened, time: Read<u64>) {
        match time {
            Ok(0) => {}
            Ok(time) if TIMES.contains(&time) => {
                let row = who.row(FileTime(time), event, TimeSource::Listed);
                self.timeline.events.push(row);
            }
            Err(hole) if hole.is_absence() => {}
            Ok(_) | Err(_) => self.timeline.unread = self.timeline.unread.saturating_add(1),
        }
    }

    fn carved(&mut self, progress: &Progress) {
        let wanted = Wanted::of(vec![CarveKind::Process, CarveKind::Thread]);
        let found = carve::carve(self.kernel, &wanted, progress);
        if let Some(hole) = found.complete.reason() {
            self.lacks(hole.clone());
        }
        for row in &found.found {
            let is_known = row.address.is_some_and(|at| self.known.contains(&at.gva()));
            if row.state != CarveState::Listed && !is_known {
                self.carved_row(row);
            }
        }
    }

    fn carved_row(&mut self, row: &CarvedRow) {
        let is_process = row.kind == CarveKind::Process;
        let who = Who {
            address: row.address,
            process_id: row.process_id,
            thread_id: row.thread_id,
            image: match is_process {
                true => row.name.clone(),
                false => row.owner.as_ref().and_then(|owner| owner.image.known().cloned()),
            },
        };
        let (created, exited) = match is_process {
            true => (Happened::ProcessCreated, Happened::ProcessExited),
            false => (Happened::ThreadCreated, Happened::ThreadExited),
        };
        let times = [(row.create_time, created), (row.exit_time, exited)];
        for (time, event) in times.into_iter().filter_map(|(time, event)| Some((time?, event))) {
            let happened = who.row(time, event, TimeSource::Carved);
            self.timeline.events.push(TimelineRow {
                detail: Some(row.state.word().to_owned()),
                ..happened
            });
        }
    }
}

/// To whom something happened.
#[derive(Clone, Debug)]
struct Who {
    address: Option<Addr>,
    process_id: Option<u64>,
    thread_id: Option<u64>,
    image: Option<String>,
}

impl Who {
    fn row(&self, time: FileTime, event: Happened, source: TimeSource) -> TimelineRow {
        TimelineRow {
            time,
            event,
            source,
            address: self.address,
            process_id: self.process_id,
            thread_id: self.thread_id,
            image: self.image.clone(),
            detail: None,
        }
    }
}
