//! Rights to ALPC ports, and to anything, as bits and words.

/// `PORT_CONNECT`: to connect to a connection port. The one right of its own that a port has (phnt, NtCoreLib).
pub const PORT_CONNECT: u32 = 1;
/// `READ_CONTROL`.
pub const READ_CONTROL: u32 = 0x2_0000;
/// `WRITE_DAC`.
pub const WRITE_DAC: u32 = 0x4_0000;
/// `WRITE_OWNER`.
pub const WRITE_OWNER: u32 = 0x8_0000;
/// `PORT_ALL_ACCESS`, which is also what the type of ports takes for valid.
pub const PORT_ALL_ACCESS: u32 = 0x1f_0001;

/// What generic rights become for a port: read, write, execute, all (a single source).
pub const PORT_MAPPING: [(u32, u32); 4] = [
    (0x8000_0000, READ_CONTROL | PORT_CONNECT),
    (0x4000_0000, 0x1_0000 | PORT_CONNECT),
    (0x2000_0000, 0),
    (0x1000_0000, PORT_ALL_ACCESS),
];

/// Rights with their names.
const WORDS: [(u32, &str); 12] = [
    (PORT_CONNECT, "CONNECT"),
    (0x0001_0000, "DELETE"),
    (READ_CONTROL, "READ_CONTROL"),
    (WRITE_DAC, "WRITE_DAC"),
    (WRITE_OWNER, "WRITE_OWNER"),
    (0x0010_0000, "SYNCHRONIZE"),
    (0x0100_0000, "ACCESS_SYSTEM_SECURITY"),
    (0x0200_0000, "MAXIMUM_ALLOWED"),
    (0x1000_0000, "GENERIC_ALL"),
    (0x2000_0000, "GENERIC_EXECUTE"),
    (0x4000_0000, "GENERIC_WRITE"),
    (0x8000_0000, "GENERIC_READ"),
];

/// A mask of a port with its generic rights mapped: what it allows of this type of object.
#[must_use]
pub fn mapped(mask: u32) -> u32 {
    let specific = mask & 0x0fff_ffff;
    let set = PORT_MAPPING.iter().filter(|(generic, _)| mask & generic != 0);
    set.fold(specific, |sum, (_, means)| sum | means)
}

/// The rights of a mask in words: `CONNECT, READ_CONTROL`, and what has none as a number. Bit 0 means CONNECT only where the
/// object is a port.
#[must_use]
pub fn words(mask: u32, port: bool) -> String {
    if port && mask == PORT_ALL_ACCESS {
        return "all access".to_owned();
    }
    let mut left = mask;
    let mut words: Vec<String> = Vec::new();
    for (bit, word) in WORDS {
        if left & bit != 0 && (port || bit != PORT_CONNECT) {
            left &= !bit;
            words.push(word.to_owned());
        }
    }
    if left != 0 || words.is_empty() {
        words.push(format!("0x{left:x}"));
    }
    words.join(", ")
}

/// The policy of a mandatory label in words.
#[must_use]
pub fn policy(mask: u32) -> String {
    const POLICIES: [(u32, &str); 3] = [(1, "no write up"), (2, "no read up"), (4, "no execute up")];
    let set = POLICIES.iter().filter(|(bit, _)| mask & bit != 0);
    let mut words: Vec<String> = set.map(|(_, word)| (*word).to_owned()).collect();
    if mask & !7 != 0 || words.is_empty() {
        words.push(format!("0x{:x}", mask & !7));
    }
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_have_words() {
        assert_eq!(words(0x2_0001, true), "CONNECT, READ_CONTROL");
        assert_eq!(words(0x1f_0001, true), "all access");
        assert_eq!(
            words(0x1f_0003, false),
            "DELETE, READ_CONTROL, WRITE_DAC, WRITE_OWNER, SYNCHRONIZE, 0x3"
        );
        assert_eq!(words(0, true), "0x0");
        assert_eq!(mapped(0x8000_0000), 0x2_0001);
        assert_eq!(mapped(0x1000_0000), 0x1f_0001);
        assert_eq!(policy(3), "no write up, no read up");
    }
}
