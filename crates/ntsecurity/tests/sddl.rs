//! Descriptors against the text that Samba's library makes of them (`data/make-sddl.py`), and what that library does not know
//! against strings made by hand from MS-DTYP and the Win32 documentation.

use std::collections::BTreeSet;

use ntsecurity::{Descriptor, List, sddl};

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
        .collect()
}

/// Entries with their rights as a set: both libraries write the same letters, in another order, and numbers with or without
/// leading zeros.
fn comparable(text: &str) -> String {
    let mut parts = text.split('(');
    let mut out = parts.next().unwrap().to_owned();
    for part in parts {
        let (entry, behind) = part.split_once(')').unwrap();
        let mut fields: Vec<String> = entry.split(';').map(str::to_owned).collect();
        fields[1] = letters(&fields[1]);
        fields[2] = match fields[2].strip_prefix("0x") {
            Some(hex) => format!("0x{:x}", u32::from_str_radix(hex, 16).unwrap()),
            None => letters(&fields[2]),
        };
        out.push_str(&format!("({}){behind}", fields.join(";")));
    }
    out
}

fn letters(text: &str) -> String {
    let pairs: BTreeSet<&str> = (0..text.len()).step_by(2).map(|at| &text[at..at + 2]).collect();
    pairs.into_iter().collect()
}

#[test]
fn text_is_what_another_library_makes() {
    let table = include_str!("data/sddl.tsv");
    let mut compared = 0;
    for row in table.lines().filter(|row| !row.starts_with('#')) {
        let (hex, theirs) = row.split_once('\t').unwrap();
        let bytes = bytes(hex);
        let ours = sddl::descriptor(&Descriptor::read(&bytes).unwrap());
        assert_eq!(comparable(&ours), comparable(theirs), "{hex}");
        let size = Descriptor::size(|at, len| {
            Ok::<_, ntsecurity::Malformed>(bytes[at..(at + len).min(bytes.len())].to_vec())
        });
        assert_eq!(size.unwrap(), bytes.len());
        compared += 1;
    }
    assert_eq!(compared, 400);
}

/// A DACL of one entry, given as hex, in a descriptor without owner and group.
fn with_list(sacl: bool, entries: &[&str]) -> Descriptor {
    let body: Vec<u8> = entries.iter().flat_map(|entry| bytes(entry)).collect();
    let mut all = bytes("0100");
    all.extend((if sacl { 0x8010_u16 } else { 0x8004 }).to_le_bytes());
    all.extend([0; 8]);
    let (first, second): (u32, u32) = if sacl { (0x14, 0) } else { (0, 0x14) };
    all.extend(first.to_le_bytes());
    all.extend(second.to_le_bytes());
    all.extend([2, 0]);
    all.extend(u16::try_from(body.len() + 8).unwrap().to_le_bytes());
    all.extend(u16::try_from(entries.len()).unwrap().to_le_bytes());
    all.extend([0, 0]);
    all.extend(body);
    Descriptor::read(&all).unwrap()
}

/// The strings are those of "ACE strings" of the Win32 documentation, of one entry each.
#[test]
fn labels_conditions_and_attributes() {
    let low = "010100000000001000100000";
    let label = with_list(true, &[&format!("11001400 03000000 {low}").replace(' ', "")]);
    assert_eq!(sddl::descriptor(&label), "S:(ML;;NWNR;;;LW)");
    assert_eq!(label.label(), Some((4096, 3)));
    // Exists, of the attribute "a" of the user, for everyone.
    let everyone = "010100000000000100000000";
    let condition = "61727478 f9 02000000 6100 87";
    let padded = format!("{condition}0000000000").replace(' ', "");
    let padded = &padded[..32];
    let entry = format!("09002400 01000000 {everyone} {padded}").replace(' ', "");
    let conditional = with_list(false, &[&entry]);
    assert_eq!(sddl::descriptor(&conditional), "D:(XA;;CC;;;WD;(Exists @User.a))");
    // A trust label, by its kind's letters.
    let trust = "010200000000001300020000 00200000".replace(' ', "");
    let entry = format!("14001800 01000200 {trust}").replace(' ', "");
    let trusted = with_list(true, &[&entry]);
    assert_eq!(sddl::descriptor(&trusted), "S:(TL;;CCRC;;;S-1-19-512-8192)");
    // A kind that nobody knows keeps its bytes.
    let unknown = with_list(false, &["40000800aabbccdd"]);
    assert_eq!(sddl::descriptor(&unknown), "D:(0x40;;aabbccdd)");
}

#[test]
fn absent_null_and_empty_lists_are_told_apart() {
    let plain = |control: u16, dacl: u32, rest: &[u8]| {
        let mut all = bytes("0100");
        all.extend(control.to_le_bytes());
        all.extend([0; 12]);
        all.extend(dacl.to_le_bytes());
        all.extend(rest);
        Descriptor::read(&all).unwrap()
    };
    let absent = plain(0x8000, 0, &[]);
    assert_eq!(
        (&absent.dacl, sddl::descriptor(&absent).as_str()),
        (&List::Absent, "")
    );
    let null = plain(0x8004, 0, &[]);
    assert_eq!(
        (&null.dacl, sddl::descriptor(&null).as_str()),
        (&List::Null, "D:NO_ACCESS_CONTROL")
    );
    let empty = plain(0x8004, 0x14, &[2, 0, 8, 0, 0, 0, 0, 0]);
    assert_eq!(empty.dacl.acl().unwrap().entries.len(), 0);
    assert_eq!(sddl::descriptor(&empty), "D:");
}
