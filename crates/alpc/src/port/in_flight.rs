//! All messages on their way.

use std::collections::BTreeSet;

use kdump::Gva;
use ntkernel::image::kernel::Kernel;
use ntkernel::image::value::Unreadable;

use crate::port::queue::{self, QueueKind};
use crate::port::{enumerate, message_table};

/// The live messages by their addresses, and why some may be missing: those of the message table, and those in the queues of
/// all ports. Symbols of which only layouts are known do not say where the table is, and a message may be in a queue that no
/// table leads to.
pub fn messages(kernel: &Kernel<'_>) -> (Vec<Gva>, Option<Unreadable>) {
    let (queued, gap) = in_queues(kernel);
    let mut all: BTreeSet<Gva> = queued.into_iter().collect();
    let gap = match message_table::messages(kernel) {
        Ok(found) => {
            all.extend(found.messages);
            gap.or_else(|| found.gaps.into_iter().next())
        }
        Err(Unreadable::NoGlobal { .. }) => gap,
        Err(hole) => gap.or(Some(hole)),
    };
    (all.into_iter().collect(), gap)
}

/// The same without a look at the queues, where the table can be read whole.
pub(crate) fn of_table_or_queues(kernel: &Kernel<'_>) -> Vec<Gva> {
    match message_table::messages(kernel) {
        Ok(found) if found.gaps.is_empty() => found.messages,
        _ => messages(kernel).0,
    }
}

fn in_queues(kernel: &Kernel<'_>) -> (Vec<Gva>, Option<Unreadable>) {
    let ports = enumerate::ports(kernel);
    let mut gap = ports.complete.reason().cloned();
    let mut all = BTreeSet::new();
    for port in ports.ports {
        let kinds = QueueKind::ALL
            .into_iter()
            // What is in the canceled queue is a notice, linked by a member of its own (CancelListEntry), and its
            // message can be pending at the same time: it would count twice.
            .filter(|kind| *kind != QueueKind::Canceled);
        for kind in kinds.filter(|kind| kernel.has(kind.head())) {
            match queue::members(kernel.at(port), kind) {
                Ok(list) => {
                    gap = gap.or_else(|| list.complete("the queue").err());
                    all.extend(list.entries);
                }
                Err(hole) => gap = gap.or(Some(hole)),
            }
        }
    }
    (all.into_iter().collect(), gap)
}
