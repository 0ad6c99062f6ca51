//! All messages on their way.

use std::collections::BTreeSet;

use kdump::Gva;
use ntkernel::image::kernel::Kernel;
use ntkernel::image::value::Unreadable;

use crate::port::queue::{self, QueueKind};
use crate::port::{enumerate, message_table};

/// The live messages, and why some may be missing: those of the message table, where that can be read whole; else those
/// in the queues of all ports as well. Symbols of which only layouts are known do not say where the table is.
pub(crate) fn messages(kernel: &Kernel<'_>) -> (Vec<Gva>, Option<Unreadable>) {
    match message_table::messages(kernel) {
        Ok(mut found) if found.gaps.is_empty() => (std::mem::take(&mut found.messages), None),
        Ok(found) => {
            let gap = found.gaps.into_iter().next();
            let mut all: BTreeSet<Gva> = found.messages.into_iter().collect();
            let (queued, _) = in_queues(kernel);
            all.extend(queued);
            (all.into_iter().collect(), gap)
        }
        Err(hole) => {
            let (queued, gap) = in_queues(kernel);
            (
                queued,
                gap.or(Some(hole).filter(|hole| !matches!(hole, Unreadable::NoGlobal { .. }))),
            )
        }
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
