//! Names of bug checks, and what their parameters are.
//!
//! `data/bug-checks.tsv` has the code and name of each, from Microsoft's bug check code reference
//! (`MicrosoftDocs/windows-driver-docs`, `debugger/bug-check-code-reference2.md`, 2025-11-12). What parameters are is told
//! of those that a hung or crashed system shows most, in words of our own after the pages of the same reference.

/// Codes in hex and names, ascending.
const NAMES: &str = include_str!("../../data/bug-checks.tsv");

/// Bits of a code that a small dump's writer adds: 0x1000007e is 0x7e as such a dump has it.
const OF_SMALL_DUMPS: u32 = 0x1000_0000;

/// What the four parameters of a bug check are; nothing of one that is not used, or differs by another.
const PARAMETERS: [(u32, [&str; 4]); 17] = [
    (
        0xa,
        [
            "address that was referenced",
            "IRQL then",
            "access: bit 0 a write, bit 3 execution",
            "instruction that did it",
        ],
    ),
    (
        0x1e,
        [
            "exception code",
            "instruction that raised it",
            "first parameter of the exception",
            "second parameter of the exception",
        ],
    ),
    (
        0x3b,
        [
            "exception code",
            "instruction that raised it",
            "context record",
            "",
        ],
    ),
    (
        0x50,
        [
            "address that was referenced",
            "access: 0 a read, 1 or 2 a write, 10 execution",
            "instruction that did it, if known",
            "",
        ],
    ),
    (
        0x7e,
        [
            "exception code",
            "instruction that raised it",
            "exception record",
            "context record",
        ],
    ),
    (
        0x8e,
        ["exception code", "instruction that raised it", "trap frame", ""],
    ),
    (
        0x9f,
        [
            "which violation: 3 is an I/O request that a device holds too long",
            "",
            "",
            "",
        ],
    ),
    (
        0xd1,
        [
            "address that was referenced",
            "IRQL then",
            "access: 0 a read, 1 a write, 8 execution",
            "instruction that did it",
        ],
    ),
    (
        0xef,
        [
            "process that ended",
            "what ended: 0 a process, 1 a thread",
            "",
            "",
        ],
    ),
    (
        0xf4,
        [
            "what ended: 3 a process, 6 a thread",
            "object that ended",
            "name of the process",
            "message",
        ],
    ),
    (
        0xfc,
        [
            "address that was to be executed",
            "entry of the page table",
            "",
            "",
        ],
    ),
    (
        0x101,
        [
            "clock ticks waited",
            "",
            "control block of the processor that hangs",
            "number of that processor",
        ],
    ),
    (
        0x116,
        [
            "recovery context of the display",
            "address in the driver",
            "error of the last operation",
            "internal",
        ],
    ),
    (
        0x124,
        [
            "kind of hardware error",
            "error record (WHEA_ERROR_RECORD)",
            "",
            "",
        ],
    ),
    (
        0x133,
        [
            "0: one DPC ran too long; 1: too much time at high IRQL in all",
            "ticks it took",
            "ticks allowed",
            "",
        ],
    ),
    (
        0x139,
        ["kind of corruption", "trap frame", "exception record", ""],
    ),
    (0x154, ["store context or data manager", "exception", "", ""]),
];

/// The name of a bug check, `MANUALLY_INITIATED_CRASH` of 0xe2; none of a code that the reference does not have.
#[must_use]
pub fn name(code: u32) -> Option<&'static str> {
    let named = |code: u32| {
        NAMES.lines().find_map(|line| {
            let (number, name) = line.split_once('\t')?;
            (u32::from_str_radix(number, 16) == Ok(code)).then_some(name)
        })
    };
    // The reference lists some of these codes by themselves, with a name that ends in _M: 0x1000007e is
    // SYSTEM_THREAD_EXCEPTION_NOT_HANDLED_M. A real triage dump of 19041 has just that one.
    named(code).or_else(|| named(code & !OF_SMALL_DUMPS))
}

/// What the four parameters of a bug check are, each in a few words; nothing of one that is not used, or whose meaning
/// depends on another.
#[must_use]
pub fn parameters(code: u32) -> Option<[&'static str; 4]> {
    let code = code & !OF_SMALL_DUMPS;
    let mut known = PARAMETERS.iter();
    known.find(|(known, _)| *known == code).map(|(_, words)| *words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_reference() {
        assert_eq!(name(0xe2), Some("MANUALLY_INITIATED_CRASH"));
        assert_eq!(name(0x9f), Some("DRIVER_POWER_STATE_FAILURE"));
        assert_eq!(name(0x1000_007e), Some("SYSTEM_THREAD_EXCEPTION_NOT_HANDLED_M"));
        assert_eq!(name(0x1000_00d1), Some("DRIVER_IRQL_NOT_LESS_OR_EQUAL"));
        assert_eq!(name(0xdead_dead), Some("MANUALLY_INITIATED_CRASH1"));
        assert_eq!(name(0xffff_fff0), None);
        let codes: Vec<u32> = NAMES
            .lines()
            .map(|line| u32::from_str_radix(&line[..8], 16).unwrap())
            .collect();
        assert!(codes.is_sorted() && codes.len() == 379);
        // Whatever has words has a name.
        assert!(PARAMETERS.iter().all(|(code, _)| name(*code).is_some()));
        assert_eq!(parameters(0x1000_007e).unwrap()[0], "exception code");
    }
}
