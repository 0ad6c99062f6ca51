//! In which queue a message really is. What a message says of its queue is not enough: only the queue tells.

use std::collections::{BTreeSet, HashMap};

use kdump::Gva;
use ntkernel::image::contract::Message;
use ntkernel::image::kernel::{Kernel, Read};
use ntkernel::image::value::Unreadable;

use crate::port::queue::{self, QueueKind};

/// The queues that a message is linked into by its `Entry`, so that it is in one of them at most.
const QUEUES: [QueueKind; 4] = [
    QueueKind::Pending,
    QueueKind::Main,
    QueueKind::Large,
    QueueKind::Direct,
];

/// The messages of the queues that were looked at so far. Each port is walked once.
#[derive(Debug, Default)]
pub(crate) struct Queues {
    place: HashMap<Gva, (Gva, QueueKind)>,
    ports: HashMap<Gva, PortQueues>,
}

/// What the queues of a port told.
#[derive(Debug, Default)]
struct PortQueues {
    /// The threads that received the messages that are pending.
    serving: BTreeSet<Gva>,
    /// Why messages may be missing.
    gap: Option<Unreadable>,
}

impl Queues {
    /// The queue of a port that a message is in; none when it is in none.
    ///
    /// # Errors
    /// When it was not found, but the queues could not be followed to their ends.
    pub(crate) fn find(&mut self, kernel: &Kernel<'_>, port: Gva, message: Gva) -> Read<Option<QueueKind>> {
        let gap = self.walk(kernel, port).gap.clone();
        match (self.place.get(&message), gap) {
            (Some(&(found, kind)), _) if found == port => Ok(Some(kind)),
            (_, Some(hole)) => Err(hole),
            (_, None) => Ok(None),
        }
    }

    /// The threads that serve the pending messages of a port.
    pub(crate) fn serving(&mut self, kernel: &Kernel<'_>, port: Gva) -> BTreeSet<Gva> {
        self.walk(kernel, port).serving.clone()
    }

    fn walk(&mut self, kernel: &Kernel<'_>, port: Gva) -> &PortQueues {
        let place = &mut self.place;
        self.ports.entry(port).or_insert_with(|| {
            let mut queues = PortQueues::default();
            for kind in QUEUES {
                match queue::members(kernel.at(port), kind) {
                    Ok(list) => {
                        for &message in &list.entries {
                            place.entry(message).or_insert((port, kind));
                        }
                        // ServerThread is set when a thread receives the message and cleared when it answers (a
                        // decompile); in the other queues it says nothing yet.
                        if kind == QueueKind::Pending {
                            queues.serving = servers_of(kernel, &list.entries);
                        }
                        if let Err(hole) = list.complete("a queue of the port") {
                            queues.gap.get_or_insert(hole);
                        }
                    }
                    Err(hole) if hole.is_absence() => {}
                    Err(hole) => {
                        queues.gap.get_or_insert(hole);
                    }
                }
            }
            queues
        })
    }
}

fn servers_of(kernel: &Kernel<'_>, messages: &[Gva]) -> BTreeSet<Gva> {
    let of = |&message: &Gva| kernel.at(message).pointer(Message::ServerThread).ok();
    messages
        .iter()
        .filter_map(of)
        .filter(|thread| thread.u64() != 0)
        .collect()
}
