//! What a thread is doing, by the names of the functions that it is in.

#[cfg(feature = "schema")]
use schemars::JsonSchema;
#[cfg(feature = "serde")]
use serde::Serialize;

use crate::stack::frame::{FoundFrame, Frame};

/// Functions of the kernel in which every wait is alike: the one that called them says what is waited for.
const EVERY_WAIT: [&str; 16] = [
    "SwapContext",
    "KiSwapContext",
    "KiSwapThread",
    // Since Windows 7. On x64 that release has KiSwapThread inlined: KiSwapContext returns straight into this
    // one.
    "KiCommitThreadWait",
    "KeWaitForSingleObject",
    "KeWaitForMultipleObjects",
    "KeWaitForMutexObject",
    "KeWaitForGate",
    "KeWaitForAlertByThreadId",
    "KeRemoveQueue",
    "KeRemoveQueueEx",
    "KeRemovePriQueue",
    "KeDelayExecutionThread",
    "KiSignalWaitForSingleObject",
    "KeSignalAndWaitForSingleObject",
    "ObWaitForMultipleObjects",
];

/// What a thread waits for in a function, in words. By name alone, which does not differ from one build to the next.
const KNOWN: [(&str, &str); 25] = [
    (
        "AlpcpReceiveSynchronousReply",
        "waiting for the reply to a message",
    ),
    ("AlpcpReceiveMessagePort", "waiting for a message at a port"),
    ("AlpcpReceiveDirectMessagePort", "waiting for a message at a port"),
    ("ExpWaitForResource", "waiting for an executive resource"),
    ("ExpWaitForFastResource", "waiting for an executive resource"),
    ("ExfAcquirePushLockExclusive", "waiting for a push lock"),
    ("ExfAcquirePushLockExclusiveEx", "waiting for a push lock"),
    ("ExfAcquirePushLockShared", "waiting for a push lock"),
    ("ExfAcquirePushLockSharedEx", "waiting for a push lock"),
    ("ExAcquireFastMutex", "waiting for a fast mutex"),
    ("ExpAcquireFastMutexContended", "waiting for a fast mutex"),
    ("KeAcquireGuardedMutex", "waiting for a guarded mutex"),
    ("MiWaitForInPageComplete", "waiting for a page to be read"),
    ("IopSynchronousServiceTail", "waiting for its I/O request"),
    ("IopWaitForSynchronousIoEvent", "waiting for its I/O request"),
    ("CmpLockRegistry", "waiting for the lock of the registry"),
    ("CmpLockRegistryExclusive", "waiting for the lock of the registry"),
    ("xxxRealSleepThread", "waiting for a window message"),
    ("IoRemoveIoCompletion", "waiting for work at a completion port"),
    // Idle servers of RPC are here, with WrQueue and not WrLpcReceive (winfsp/winfsp#492, services.exe).
    (
        "NtWaitForWorkViaWorkerFactory",
        "waiting for work at a completion port",
    ),
    (
        "NtWaitForAlertByThreadId",
        "waiting for another thread to wake it",
    ),
    ("NtDelayExecution", "sleeping"),
    // A kernel APC that suspends: the frames of a wait stand on the stack twice, with KiDeliverApc between.
    ("KiSuspendThread", "suspended"),
    ("KiSchedulerApc", "suspended"),
    (
        "ExpWorkerThread",
        "a worker thread of the system, waiting for work",
    ),
];

/// Frames from the innermost on in which a known function is looked for: what is further out is what asked for it.
const LOOKED_AT: usize = 12;

/// What a thread is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct Doing {
    /// The frame that tells, counted from the innermost, 0.
    pub frame: usize,
    /// The function, as `nt!NtDelayExecution+0x5f`.
    pub site: String,
    /// What a thread in such a function does, in words; none of a function that is not known.
    pub words: Option<&'static str>,
}

fn name(frame: &Frame) -> Option<&str> {
    frame.function.as_ref().map(|function| function.name.as_str())
}

/// Where a thread is, apart from the wait itself: the first frame that was not found by a scan, and is in none of the
/// functions that are part of every wait. Where the kernel's functions have no names, the first outside of the kernel.
#[must_use]
pub fn doing(frames: &[Frame]) -> Option<Doing> {
    let sure = || {
        frames
            .iter()
            .enumerate()
            .filter(|(_, frame)| !frame.found.is_scanned())
    };
    let is_of_the_wait = |frame: &Frame| match name(frame) {
        Some(name) => EVERY_WAIT.contains(&name),
        None => frame.module.as_deref() == Some("nt"),
    };
    let in_kernel = |frame: &Frame| frame.module.is_some();
    let known = sure().take(LOOKED_AT).find_map(|(number, frame)| {
        let name = name(frame)?;
        let (_, words) = KNOWN.iter().find(|(known, _)| *known == name)?;
        Some((number, *words))
    });
    // A switched-out thread's innermost frame is in KiSwapContext, whatever the symbol before it is called.
    let is_switch = |number: usize, frame: &Frame| number == 0 && frame.found == FoundFrame::SwitchFrame;
    let told = |&(number, frame): &(usize, &Frame)| {
        in_kernel(frame) && !is_switch(number, frame) && !is_of_the_wait(frame)
    };
    let (first, frame) = sure().find(told)?;
    Some(Doing {
        frame: first,
        site: frame.site(),
        words: known.map(|(_, words)| words),
    })
}
