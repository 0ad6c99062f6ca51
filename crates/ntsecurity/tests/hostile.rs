//! Whatever the bytes are, reading them ends, and what was read is no longer than they are.

use ntsecurity::access::{Caller, check};
use ntsecurity::{Acl, Descriptor, List, Malformed, Sid, condition, rights, sddl};
use proptest::prelude::*;

/// A descriptor whose list is what is given.
fn around(list: &[u8]) -> Vec<u8> {
    let mut all = vec![
        1, 0, 0x14, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0x14, 0, 0, 0, 0x14, 0, 0, 0,
    ];
    all.extend_from_slice(list);
    all
}

fn all_of(bytes: &[u8]) {
    let _ = Sid::read(bytes);
    let _ = condition::text(bytes);
    let _ = Descriptor::size(|at, len| {
        let rest = bytes.get(at..).unwrap_or_default();
        Ok::<_, Malformed>(rest[..len.min(rest.len())].to_vec())
    });
    let Ok(descriptor) = Descriptor::read(bytes) else {
        return;
    };
    for list in [&descriptor.dacl, &descriptor.sacl] {
        if let List::Of(acl) = list {
            let total: usize = acl.entries.iter().map(|entry| usize::from(entry.size)).sum();
            assert!(total + 8 <= usize::from(acl.size));
            assert_eq!(acl.ends.is_none(), acl.entries.len() == usize::from(acl.count));
        }
    }
    // Each byte is told at most once in hex, or as a token of a condition with some brackets, in each of both lists.
    assert!(sddl::descriptor(&descriptor).len() <= bytes.len() * 40 + 400);
    for caller in [Caller::user(), Caller::low(), Caller::app_container()] {
        let _ = check(Some(&descriptor), &caller, rights::PORT_CONNECT);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        all_of(&bytes);
    }

    #[test]
    fn any_entries(
        entries in prop::collection::vec((0_u8..0x18, any::<u8>(), 0_u16..12, prop::collection::vec(any::<u8>(), 44)), 0..8),
        lie in any::<bool>(),
    ) {
        let mut body = Vec::new();
        for (kind, flags, size, bytes) in &entries {
            let size = size * 4;
            let mut entry = vec![*kind, *flags];
            entry.extend(size.to_le_bytes());
            entry.extend(bytes);
            // Identifiers of a few parts, so that most entries are whole.
            entry[8..10].copy_from_slice(&[1, bytes[5] % 4]);
            entry.truncate(usize::from(size.max(4)));
            body.extend(entry);
        }
        let count = u16::try_from(entries.len()).unwrap() + u16::from(lie);
        let mut list = vec![4, 0];
        list.extend(u16::try_from(body.len() + 8).unwrap().to_le_bytes());
        list.extend(count.to_le_bytes());
        list.extend([0, 0]);
        list.extend(body);
        let _ = Acl::read(&list);
        all_of(&around(&list));
    }

    #[test]
    fn any_condition(tokens in prop::collection::vec(0_usize..30, 0..60)) {
        let known: [&[u8]; 30] = [
            b"\xf8\x02\0\0\0a\0", b"\xf9\x02\0\0\0b\0", b"\x10\0\0\0\0", b"\x18\x01\0\0\0\x07", b"\x04\x01\0\0\0\0\0\0\0\x03\x02",
            b"\x50\0\0\0\0", b"\x51\x08\0\0\0\x01\0\0\0\0\0\0\x01", b"\x80", b"\x81", b"\x82", b"\x83", b"\x84", b"\x85", b"\x86",
            b"\x87", b"\x88", b"\x89", b"\x8a", b"\x8d", b"\x8e", b"\x8f", b"\x90", b"\x93", b"\xa0", b"\xa1", b"\xa2", b"\0",
            b"\xff", b"\x50\xff\xff\xff\xff", b"\x51\x01\0\0\0\0",
        ];
        let mut data = b"artx".to_vec();
        tokens.iter().for_each(|token| data.extend(known[*token]));
        let _ = condition::text(&data);
    }
}
