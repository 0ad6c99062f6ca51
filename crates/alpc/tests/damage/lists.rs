//! Lists one of whose links is wrong, and lists whose entries are missing: the list of processes stands for all.

use std::collections::{BTreeMap, BTreeSet};

use alpc::image::list::{self, List};
use kdump::Gva;
use synth::address::Va;
use synth::world::Built;
use synth::worlds;

use super::Opened;

/// An address that no page table can describe, and one where nothing is mapped.
const NOT_CANONICAL: u64 = 0x4141_4141_4141_4140;
const NOT_MAPPED: u64 = 0xffff_f6ff_0000_1230;

fn world() -> Built {
    worlds::standard("win11-22h2-x64")
}

/// The head of the list and its entries, by the truth.
fn links(world: &Built) -> Vec<Va> {
    let offset = world.kernel.offset("_EPROCESS", "ActiveProcessLinks");
    let head = Va(world.truth.kernel_base.0 + u64::from(world.kernel.rva("PsActiveProcessHead")));
    let mut links = vec![head];
    let next = |at: Va| Va(world.memory.read_uint(at, 8));
    while next(links[links.len() - 1]) != head {
        links.push(next(links[links.len() - 1]));
    }
    for (number, link) in links.iter().enumerate().skip(1) {
        let process = Va(link.0 - offset);
        assert!(
            world.truth.processes.iter().any(|known| known.address == process),
            "{number}"
        );
    }
    links
}

/// The list as it is walked: the entries are links.
fn list_of(opened: &Opened, links: &[Va]) -> List {
    list::walk(&opened.kernel(), Gva::new(links[0].0))
}

fn addresses(list: &List) -> Vec<u64> {
    list.entries.iter().map(|&entry| entry.into()).collect()
}

/// The entries of the truth.
fn members(links: &[Va]) -> Vec<u64> {
    links[1..].iter().map(|link| link.0).collect()
}

/// Whatever one link is changed to, nothing is in the list that was not, in another order, or twice; all that was
/// is still there, for the other direction is whole; and the list does not say that it is complete.
#[test]
fn a_wrong_link_invents_no_member_and_loses_none() {
    let world = world();
    let whole = Opened::of(&world);
    let links = links(&world);
    let truth = members(&links);
    assert!(truth.len() > 5);
    assert_eq!(addresses(&list_of(&whole, &links)), truth);
    let missing = missing_page(&world, &links);
    let kind = super::kind(&world);
    for (number, link) in links.iter().enumerate() {
        for at in [*link, Va(link.0 + 8)] {
            let right = world.memory.read_uint(at, 8);
            let other = links[(number + 3) % links.len()].0;
            for wrong in [NOT_CANONICAL, NOT_MAPPED, missing.0 + 0x100, 0, other, link.0] {
                if wrong == right {
                    continue;
                }
                let mut torn = world.clone();
                torn.memory.write_uint(at, 8, wrong);
                let opened = whole.in_bytes(torn.dump_without(kind, &[missing]));
                let list = list_of(&opened, &links);
                let case = format!("{wrong:x} at {at}");
                assert_eq!(addresses(&list), truth, "{case}: {:?}", list.gap);
                let gap = list.gap.as_ref().unwrap_or_else(|| panic!("{case}: complete"));
                assert!(gap.contradiction().is_some(), "{case}: {gap}");
                let hole = list.complete("the list of processes").unwrap_err();
                assert_eq!(hole.id(), "walk-ended");
            }
        }
    }
}

/// A page of the world in which no entry of the list is.
fn missing_page(world: &Built, links: &[Va]) -> Va {
    let message = world.truth.messages[0].address.page();
    assert!(links.iter().all(|link| link.page() != message));
    message
}

/// Entries in pages that are missing: one of them is a member, for both its neighbours name it, and the list is not
/// complete, for nobody knows what that entry says. Of several next to each other the outer ones are told, each by one neighbour, and the list has a gap that contradicts nothing.
#[test]
fn entries_in_missing_pages_are_members_as_far_as_they_are_named() {
    let world = world();
    let whole = Opened::of(&world);
    let links = links(&world);
    let truth = members(&links);
    let kind = super::kind(&world);
    let mut seen = BTreeMap::new();
    for first in 1..links.len() {
        for count in 1..=links.len() - first {
            let (before, lost, behind) = (
                &links[..first],
                &links[first..first + count],
                &links[first + count..],
            );
            let pages: BTreeSet<Va> = lost.iter().map(|link| link.page()).collect();
            if before
                .iter()
                .chain(behind)
                .any(|link| pages.contains(&link.page()))
            {
                continue;
            }
            let pages: Vec<Va> = pages.into_iter().collect();
            let opened = whole.in_bytes(world.dump_without(kind, &pages));
            let list = list_of(&opened, &links);
            let mut expected = truth.clone();
            // All between the first and the last that are lost.
            expected.drain(first..(first + count - 1).saturating_sub(1).max(first));
            assert_eq!(addresses(&list), expected, "{count} from {first}");
            let gap = list
                .gap
                .as_ref()
                .unwrap_or_else(|| panic!("complete without {count} from {first}"));
            assert!(gap.contradiction().is_none(), "{gap}");
            assert_eq!(gap.is_one_entry(), count == 1, "{gap}");
            assert_eq!(gap.after, first, "{gap}");
            assert_eq!(list.complete("it").unwrap_err().cause(), "not-in-dump");
            *seen.entry(count.min(3)).or_insert(0) += 1;
        }
    }
    assert_eq!(seen.len(), 3, "one, two and more: {seen:?}");
}

/// Both neighbours lead to a place where no memory can be: that is no entry, and the list is not complete.
#[test]
fn a_place_where_nothing_can_be_is_no_member_whoever_names_it() {
    let world = world();
    let whole = Opened::of(&world);
    let links = links(&world);
    let truth = members(&links);
    for wrong in [NOT_CANONICAL, NOT_MAPPED] {
        let mut torn = world.clone();
        torn.memory.write_uint(links[2], 8, wrong);
        torn.memory.write_uint(Va(links[4].0 + 8), 8, wrong);
        let opened = whole.in_bytes(torn.dump(super::kind(&world)));
        let list = list_of(&opened, &links);
        let mut expected = truth.clone();
        expected.remove(2);
        assert_eq!(addresses(&list), expected);
        assert!(list.gap.is_some());
    }
}
