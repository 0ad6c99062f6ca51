//! Who is let in: the rules of MS-DTYP 2.5.3.2, a case each.

use ntsecurity::access::{Caller, Decision, check};
use ntsecurity::rights::{PORT_CONNECT, READ_CONTROL, WRITE_DAC};
use ntsecurity::{Ace, AceBody, Acl, Descriptor, List, Sid};

const EVERYONE: &str = "S-1-1-0";
const USER: &str = "S-1-5-21-1-2-3-1001";
const PACKAGES: &str = "S-1-15-2-1";

fn sid(text: &str) -> Sid {
    text.parse().unwrap()
}

fn ace(kind: u8, mask: u32, who: &str) -> Ace {
    Ace {
        kind,
        flags: 0,
        size: 4,
        body: AceBody::Of {
            mask,
            object: None,
            inherited: None,
            server: None,
            sid: sid(who),
            data: Vec::new(),
        },
    }
}

fn list(entries: Vec<Ace>) -> List {
    List::Of(Acl {
        revision: 2,
        size: 8,
        count: u16::try_from(entries.len()).unwrap(),
        entries,
        ends: None,
    })
}

fn descriptor(dacl: List, sacl: List) -> Descriptor {
    Descriptor {
        revision: 1,
        sbz1: 0,
        control: 0x8014,
        owner: Some(sid(USER)),
        group: None,
        dacl,
        sacl,
    }
}

/// `+` let in, `-` kept out, `?` undecided.
fn verdict(entries: &[(u8, u32, &str)], caller: &Caller) -> char {
    let entries = entries
        .iter()
        .map(|(kind, mask, who)| ace(*kind, *mask, who))
        .collect();
    verdict_of(&descriptor(list(entries), List::Absent), caller)
}

fn verdict_of(descriptor: &Descriptor, caller: &Caller) -> char {
    sign(&check(Some(descriptor), caller, PORT_CONNECT))
}

fn sign(decision: &Decision) -> char {
    match decision {
        Decision::Granted { .. } => '+',
        Decision::Denied { .. } => '-',
        Decision::Undecided { .. } => '?',
    }
}

#[test]
fn the_first_entry_that_bears_decides() {
    let user = Caller::named(&sid(USER));
    assert_eq!(verdict(&[(0, 1, EVERYONE)], &user), '+');
    assert_eq!(verdict(&[(1, 1, USER), (0, 1, EVERYONE)], &user), '-');
    assert_eq!(verdict(&[(0, 1, EVERYONE), (1, 1, USER)], &user), '+');
    assert_eq!(verdict(&[(0, 0x2_0000, EVERYONE)], &user), '-');
    assert_eq!(verdict(&[], &user), '-');
    // Generic rights are mapped: all, read and write have CONNECT, execute has not.
    for (generic, expected) in [
        (0x1000_0000, '+'),
        (0x8000_0000, '+'),
        (0x4000_0000, '+'),
        (0x2000_0000, '-'),
    ] {
        assert_eq!(verdict(&[(0, generic, EVERYONE)], &user), expected, "{generic:x}");
    }
    // An entry for what is created below says nothing of the port.
    let mut below = ace(0, 1, EVERYONE);
    below.flags = 8;
    assert_eq!(
        verdict_of(&descriptor(list(vec![below]), List::Absent), &user),
        '-'
    );
}

#[test]
fn groups_that_only_deny_do_not_let_in() {
    let mut filtered = Caller::named(&sid(USER));
    filtered.deny_only.push(sid("S-1-5-32-544"));
    assert_eq!(verdict(&[(0, 1, "S-1-5-32-544")], &filtered), '-');
    assert_eq!(
        verdict(&[(1, 1, "S-1-5-32-544"), (0, 1, EVERYONE)], &filtered),
        '-'
    );
}

#[test]
fn what_is_not_there_lets_everybody_in() {
    let user = Caller::user();
    assert_eq!(sign(&check(None, &user, PORT_CONNECT)), '+');
    assert_eq!(verdict_of(&descriptor(List::Null, List::Absent), &user), '+');
    assert_eq!(verdict_of(&descriptor(List::Absent, List::Absent), &user), '+');
    assert_eq!(
        verdict_of(&descriptor(List::Null, List::Absent), &Caller::app_container()),
        '?'
    );
}

#[test]
fn conditions_are_undecided_where_they_bear() {
    let user = Caller::named(&sid(USER));
    assert_eq!(verdict(&[(9, 1, EVERYONE)], &user), '?');
    assert_eq!(verdict(&[(9, 1, EVERYONE), (0, 1, EVERYONE)], &user), '+');
    assert_eq!(verdict(&[(0xa, 1, EVERYONE), (0, 1, EVERYONE)], &user), '?');
    assert_eq!(verdict(&[(0xa, 1, EVERYONE)], &user), '-');
    assert_eq!(verdict(&[(0xa, 1, EVERYONE), (9, 1, EVERYONE)], &user), '?');
    assert_eq!(verdict(&[(9, 1, EVERYONE), (1, 1, EVERYONE)], &user), '?');
    // Of somebody else, or of another right, it does not matter.
    assert_eq!(verdict(&[(0xa, 1, "S-1-5-7"), (0, 1, EVERYONE)], &user), '+');
    assert_eq!(verdict(&[(9, 0x2_0000, EVERYONE)], &user), '-');
    // A kind that is not known could do anything.
    let unknown = Ace {
        kind: 0x40,
        flags: 0,
        size: 4,
        body: AceBody::Raw(Vec::new()),
    };
    let unknown = descriptor(list(vec![unknown, ace(0, 1, EVERYONE)]), List::Absent);
    assert_eq!(verdict_of(&unknown, &user), '?');
}

#[test]
fn restricted_callers_have_to_pass_twice() {
    let mut restricted = Caller::named(&sid(USER));
    restricted.restricted = Some(vec![sid("S-1-5-12")]);
    assert_eq!(verdict(&[(0, 1, EVERYONE)], &restricted), '-');
    assert_eq!(verdict(&[(0, 1, "S-1-5-12")], &restricted), '-');
    assert_eq!(verdict(&[(0, 1, EVERYONE), (0, 1, "S-1-5-12")], &restricted), '+');
}

#[test]
fn applications_need_their_package_as_well() {
    let application = Caller::app_container();
    assert_eq!(verdict(&[(0, 1, EVERYONE)], &application), '-');
    assert_eq!(verdict(&[(0, 1, PACKAGES)], &application), '-');
    assert_eq!(verdict(&[(0, 1, EVERYONE), (0, 1, PACKAGES)], &application), '+');
    let with_capability = Caller::named(&sid("S-1-15-3-1"));
    assert_eq!(
        verdict(&[(0, 1, EVERYONE), (0, 1, "S-1-15-3-1")], &with_capability),
        '+'
    );
    assert_eq!(
        verdict(&[(0, 1, EVERYONE), (0, 1, "S-1-15-3-1")], &application),
        '-'
    );
}

#[test]
fn labels_stand_before_the_list() {
    let of = |level: &str, policy: u32| {
        descriptor(
            list(vec![ace(0, 1, EVERYONE)]),
            list(vec![ace(0x11, policy, level)]),
        )
    };
    // Who may not write up keeps what reading has, and CONNECT is that.
    assert_eq!(verdict_of(&of("S-1-16-8192", 1), &Caller::low()), '+');
    assert_eq!(verdict_of(&of("S-1-16-8192", 3), &Caller::low()), '-');
    assert_eq!(verdict_of(&of("S-1-16-4096", 3), &Caller::low()), '+');
    assert_eq!(verdict_of(&of("S-1-16-12288", 7), &Caller::user()), '-');
    // Without a label it is medium, no writing up: WRITE_DAC is not to be had from below.
    let plain = descriptor(list(vec![ace(0, 0x1f_0001, EVERYONE)]), List::Absent);
    assert_eq!(sign(&check(Some(&plain), &Caller::low(), WRITE_DAC)), '-');
    assert_eq!(sign(&check(Some(&plain), &Caller::user(), WRITE_DAC)), '+');
    // A trust label, and a filter.
    for kind in [0x14, 0x15] {
        let special = descriptor(
            list(vec![ace(0, 1, EVERYONE)]),
            list(vec![ace(kind, 0x2_0000, EVERYONE)]),
        );
        assert_eq!(verdict_of(&special, &Caller::user()), '?');
    }
}

#[test]
fn owners_can_read_and_change_who_may_do_what() {
    let owner = Caller::named(&sid(USER));
    let empty = descriptor(list(Vec::new()), List::Absent);
    let both = READ_CONTROL | WRITE_DAC;
    assert_eq!(sign(&check(Some(&empty), &owner, both)), '+');
    assert_eq!(sign(&check(Some(&empty), &owner, PORT_CONNECT)), '-');
    let limited = descriptor(list(vec![ace(0, READ_CONTROL, "S-1-3-4")]), List::Absent);
    assert_eq!(sign(&check(Some(&limited), &owner, WRITE_DAC)), '-');
}

/// Applications in less privileged AppContainers are let in by entries for these alone.
#[test]
fn less_privileged_applications_are_not_all_applications() {
    let restricted = Caller::named(&sid("S-1-15-2-2"));
    assert_eq!(verdict(&[(0, 1, EVERYONE), (0, 1, PACKAGES)], &restricted), '-');
    assert_eq!(
        verdict(&[(0, 1, EVERYONE), (0, 1, "S-1-15-2-2")], &restricted),
        '+'
    );
}
