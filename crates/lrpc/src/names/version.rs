//! Which of several names a procedure has in a build of Windows.

use super::packed::Row;

/// The versions that the sources of symbols looked at, and their builds. Akamai's `pe` names none.
const BUILDS: [(&str, u32); 8] = [
    ("Win7", 7601),
    ("server12", 9200),
    ("Win81", 9600),
    ("Win10_1809", 17763),
    ("Win10_1903", 18362),
    // 1909 is 1903 with features turned on: one core, other number (Microsoft on its release).
    ("Win10_1909", 18363),
    ("Win10_20H1", 19041),
    ("server22", 20348),
];

/// The row to be told, and whether its name is sure. A documented one is, whatever the build: documented interfaces keep
/// their numbers. Others are when they are the same in the builds around the one that is asked for.
pub(super) fn choose(rows: &[Row], build: Option<u32>) -> Option<(Row, bool)> {
    // Specifications call what is never sent `Opnum5NotUsedOnWire`: symbols know it better.
    let named = rows.iter().filter(|row| !is_placeholder(row.name));
    let named: Vec<Row> = named.copied().collect();
    // An interface that has been published may grow at its end and nowhere else: who adds a procedure adds it behind
    // the last one and raises the minor version (C706, "interface version numbers"). Undocumented ones are rebuilt
    // with both their sides, and do change: `~` before a name says so.
    if let Some(row) = named.iter().find(|row| is_documented(row.source)) {
        return Some((*row, true));
    }
    let first = *named.first().or(rows.first())?;
    let Some(build) = build else {
        return Some((first, false));
    };
    let mut seen: Vec<(u32, Row)> = Vec::new();
    for row in &named {
        let builds = BUILDS.iter().filter(|(version, _)| names(row.source, version));
        seen.extend(builds.map(|&(_, build)| (build, *row)));
    }
    // Several names in one build: two functions that the linker made one.
    // By symbols alone numbers 22 and 34 of svcctl and 1 and 5 of lsarpc have the names of other functions.
    let at = |build: u32| {
        let mut here = seen.iter().filter(|(seen, _)| *seen == build);
        here.next().map(|(_, row)| (*row, here.next().is_none()))
    };
    let below = seen
        .iter()
        .map(|(seen, _)| *seen)
        .filter(|seen| *seen <= build)
        .max();
    let above = seen
        .iter()
        .map(|(seen, _)| *seen)
        .filter(|seen| *seen >= build)
        .min();
    match (below.and_then(at), above.and_then(at)) {
        (Some((one, alone)), Some((other, too))) => Some((one, alone && too && one.name == other.name)),
        (Some((one, _)), None) | (None, Some((one, _))) => Some((one, false)),
        (None, None) => Some((first, false)),
    }
}

fn is_documented(source: &str) -> bool {
    let mut parts = source.split('+');
    parts.any(|part| part == "ms-idl" || part == "impacket" || part.starts_with("samba-idl"))
}

fn is_placeholder(name: &str) -> bool {
    let number = name.strip_prefix("Opnum").unwrap_or_default();
    number.starts_with(|c: char| c.is_ascii_digit())
}

/// Whether a source names a version: `sym-akamai(server22,pe)+sym-forshaw(Win7)`.
fn names(source: &str, version: &str) -> bool {
    source.split(['(', ')', ',', '+']).any(|word| word == version)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn row(name: &'static str, source: &'static str) -> Row {
        Row { name, source }
    }

    #[test]
    fn a_documented_name_is_sure_in_every_build() {
        let rows = [
            row("CredrRename", "ms-idl+sym-forshaw(Win7)"),
            row("LsaCloseSamUser", "sym-forshaw(Win10_20H1)"),
        ];
        assert_eq!(choose(&rows, Some(19041)), Some((rows[0], true)));
        assert_eq!(choose(&rows, None), Some((rows[0], true)));
    }

    #[test]
    fn others_are_sure_between_versions_that_agree() {
        let rows = [
            row("Old", "sym-forshaw(Win7,Win81)"),
            row("New", "sym-akamai(server22)+sym-forshaw(Win10_20H1)"),
        ];
        let name = |build| choose(&rows, Some(build)).map(|(row, sure)| (row.name, sure));
        assert_eq!(name(7601), Some(("Old", true)), "seen in that very build");
        assert_eq!(name(9200), Some(("Old", true)), "the same before and after");
        assert_eq!(name(17763), Some(("Old", false)), "changed somewhere around it");
        assert_eq!(name(19045), Some(("New", true)));
        assert_eq!(name(26100), Some(("New", false)), "nobody looked at later ones");
        assert_eq!(name(6002), Some(("Old", false)));
    }

    /// Functions with the same code are one to the linker, and have whichever name comes first.
    #[test]
    fn two_names_in_one_build_are_not_sure() {
        let rows = [row("One", "sym-forshaw(Win7)"), row("Two", "sym-forshaw(Win7)")];
        assert_eq!(choose(&rows, Some(7601)), Some((rows[0], false)));
    }

    #[test]
    fn what_is_never_sent_has_the_name_that_symbols_give_it() {
        let rows = [
            row("Opnum5NotUsedOnWire", "ms-idl"),
            row("Inner", "sym-forshaw(Win7)"),
        ];
        assert_eq!(choose(&rows, Some(7601)), Some((rows[1], true)));
        assert_eq!(choose(&rows[..1], Some(7601)), Some((rows[0], false)));
    }
}
