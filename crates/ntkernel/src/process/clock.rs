//! The system's clock: how long a thread has waited, and worked.

use kdump::{Gva, TimeSpan};
#[cfg(feature = "schema")]
use schemars::JsonSchema;
#[cfg(feature = "serde")]
use serde::Serialize;

use crate::image::contract::{Global, Thread, ThreadControl};
use crate::image::kernel::{At, Kernel, Read, offset};
use crate::image::value::Unreadable;
use crate::process::thread;
use crate::why;

/// Where the kernel maps the page that it shares with every process, `KUSER_SHARED_DATA`.
const SHARED_DATA_64: u64 = 0xffff_f780_0000_0000;
const SHARED_DATA_32: u64 = 0xffdf_0000;

/// `KUSER_SHARED_DATA.TickCountQuad`, since Windows Server 2003.
const TICK_COUNT: u64 = 0x320;

/// Bounds of a plausible clock increment in 100 ns: half a millisecond to a second.
const INCREMENTS: std::ops::RangeInclusive<u64> = 5_000..=10_000_000;

/// The system's clock at the moment of the dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct Clock {
    /// Clock ticks since the system started: `KeTickCount`.
    pub tick_count: u64,
    /// Length of a tick in 100 ns: `KeMaximumIncrement`, which ticks are counted by.
    pub increment: u64,
}

impl Clock {
    /// A clock that stands at a tick, in ticks of so many times 100 ns.
    #[must_use]
    pub fn new(tick_count: u64, increment: u64) -> Self {
        Self {
            tick_count,
            increment,
        }
    }

    /// Reads the clock.
    ///
    /// Ticks are counted in `KUSER_SHARED_DATA`. Their length is `KeMaximumIncrement` where the symbols have
    /// it; `KeTimeIncrement`, which the debugger data block leads to, is the same on all but a few machines.
    ///
    /// # Errors
    /// When either is not in the dump.
    pub fn read(kernel: &Kernel<'_>) -> Read<Self> {
        Ok(Self {
            tick_count: tick_count(kernel)?,
            increment: increment(kernel)?,
        })
    }

    /// How long ago the wait of a thread began, in 100 ns; none when it does not wait.
    ///
    /// `_KTHREAD.WaitTime` holds the low 32 bits of the tick count, which come round after about two years.
    ///
    /// # Errors
    /// When the thread is not in the dump, or its wait would have begun before the system did.
    pub fn waited(self, thread: At<'_, '_>) -> Read<Option<u64>> {
        if !thread::state(thread)?.is_waiting() {
            return Ok(None);
        }
        let since = thread.embedded(Thread::Tcb)?.u32(ThreadControl::WaitTime)?;
        let ticks = self.ticks_since(since)?;
        Ok(Some(self.span(ticks).0))
    }

    /// How long so many ticks are.
    #[must_use]
    pub fn span(self, ticks: u64) -> TimeSpan {
        TimeSpan(ticks.saturating_mul(self.increment))
    }

    /// Ticks since the one whose low 32 bits are given.
    ///
    /// # Errors
    /// When that would have been before the system began.
    pub fn ticks_since(self, tick: u32) -> Read<u64> {
        // The thread keeps 32 bits of a count of 64. At 64 ticks a second these come round after 776 days: servers live that
        // long. A machine's clock may be set or drift meanwhile; ticks do not notice, so no time of day is used here.
        let ticks = self.tick_count.wrapping_sub(tick.into()) & u64::from(u32::MAX);
        if ticks > self.tick_count {
            return Err(Unreadable::Implausible(why!(
                "the wait would have begun at tick {}, but the clock stands at {}",
                tick,
                self.tick_count
            )));
        }
        Ok(ticks)
    }
}

fn tick_count(kernel: &Kernel<'_>) -> Read<u64> {
    // Drivers have these addresses built in, so that they stay: Windows 11 only made the page there read-only,
    // and has another view of it at a random address to write to (MSRC, "Randomizing the KUSER_SHARED_DATA
    // structure", 2022).
    let page = if kernel.pointer_size() == 4 {
        SHARED_DATA_32
    } else {
        SHARED_DATA_64
    };
    kernel.cursor().uint(offset(Gva::from(page), TICK_COUNT), 8)
}

fn increment(kernel: &Kernel<'_>) -> Read<u64> {
    let of = |global| plausible(kernel, kernel.global(global)?);
    of(Global::KeMaximumIncrement)
        .or_else(|by_name| of(Global::KeTimeIncrement).map_err(|by_data| neither(by_name, by_data)))
}

/// Why neither way to the length of a tick gave one.
fn neither(by_name: Unreadable, by_data: Unreadable) -> Unreadable {
    match (&by_name, &by_data) {
        (Unreadable::NoGlobal { .. }, Unreadable::NoGlobal { .. }) => Unreadable::NoGlobal {
            name: "KeMaximumIncrement, and the debugger data block leads to no KeTimeIncrement",
        },
        _ => {
            let text = why!(
                "the length of a clock tick cannot be determined: KeMaximumIncrement by the symbols: {}; \
                 KeTimeIncrement by the debugger data block: {}",
                &by_name,
                &by_data
            );
            let memory = [by_name, by_data]
                .into_iter()
                .find(|hole| matches!(hole, Unreadable::Memory(_)));
            Unreadable::walk(text, memory.as_ref())
        }
    }
}

fn plausible(kernel: &Kernel<'_>, at: Gva) -> Read<u64> {
    // 156,250 on nearly all machines, 64 ticks a second; about 100,000 on old ones with a single processor
    // (Windows Internals, "clock interval").
    let increment = kernel.cursor().uint(at, 4)?;
    if INCREMENTS.contains(&increment) {
        Ok(increment)
    } else {
        Err(Unreadable::Implausible(why!(
            "the length of a clock tick cannot be {} times 100 ns",
            increment
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLOCK: Clock = Clock {
        tick_count: 0x1_0000_0010,
        increment: 156_250,
    };

    #[test]
    fn spans_cross_the_point_where_32_bits_come_round() {
        assert_eq!(CLOCK.ticks_since(0x10).unwrap(), 0);
        assert_eq!(CLOCK.ticks_since(0xffff_fff0).unwrap(), 0x20);
        assert_eq!(CLOCK.span(0x20).0, 0x20 * 156_250);
    }

    #[test]
    fn where_no_way_leads_to_the_length_of_a_tick_both_are_named() {
        let none = |name| Unreadable::NoGlobal { name };
        let hole = neither(none("KeMaximumIncrement"), none("KeTimeIncrement"));
        assert_eq!(hole.id(), "no-global");
        let zero = Unreadable::Implausible(why!("it cannot be 0"));
        for hole in [hole, neither(none("KeMaximumIncrement"), zero)] {
            let text = hole.to_string();
            assert!(
                text.contains("KeMaximumIncrement") && text.contains("KeTimeIncrement"),
                "{text}"
            );
            assert!(text.contains("debugger data block"), "{text}");
        }
    }

    #[test]
    fn a_wait_that_began_before_the_system_is_refused() {
        let young = Clock {
            tick_count: 100,
            ..CLOCK
        };
        assert!(matches!(young.ticks_since(101), Err(Unreadable::Implausible(_))));
        assert_eq!(young.ticks_since(36).unwrap(), 64);
    }
}
