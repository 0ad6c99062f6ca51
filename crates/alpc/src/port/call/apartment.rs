//! Which thread an apartment of COM is.

use std::collections::HashMap;

use kdump::Gva;
use ntkernel::image::contract::{ClientId, Thread};
use ntkernel::image::kernel::{Kernel, Read};
use ntkernel::image::value::Unreadable;
use ntkernel::process::thread;
use ntkernel::why;

/// The threads of a process by the low 16 bits of their ids, which is all that an object's id holds.
#[derive(Debug)]
pub(super) struct Threads {
    by_low_id: HashMap<u16, Vec<Gva>>,
    /// Why there may be more of them.
    gap: Option<Unreadable>,
}

impl Threads {
    pub(super) fn of(kernel: &Kernel<'_>, process: Gva) -> Read<Self> {
        let list = thread::threads_of(kernel.at(process))?;
        let mut gap = list.complete("the list of the process's threads").err();
        let mut by_low_id: HashMap<u16, Vec<Gva>> = HashMap::new();
        // COM cuts the id to 16 bits when it makes the object's: machines with very many threads have ids above
        // ffff, and there two threads of one process can share them.
        for address in list.entries {
            let id = kernel
                .at(address)
                .embedded(Thread::Cid)
                .and_then(|cid| cid.uint(ClientId::UniqueThread));
            match id.map(|id| u16::try_from(id & 0xffff)) {
                Ok(Ok(low)) => by_low_id.entry(low).or_default().push(address),
                Ok(Err(_)) => {}
                Err(hole) => gap = gap.or(Some(hole)),
            }
        }
        Ok(Self { by_low_id, gap })
    }

    /// The thread of an apartment.
    pub(super) fn find(&self, low: u16) -> Read<Gva> {
        let found = self.by_low_id.get(&low).map_or(&[][..], Vec::as_slice);
        match (found, &self.gap) {
            // Where another may be hidden, the one that is there may still be the wrong one: an id's low bits are
            // shared by every 65,536th. Few processes have such ids, so the one that is there is told.
            ([one], _) => Ok(*one),
            ([], Some(hole)) => Err(hole.clone()),
            // Ids are redacted where they are told, so that no reason holds one.
            ([], None) => Err(Unreadable::Implausible(why!(
                "the process has no thread whose id ends as the object's does: it has ended"
            ))),
            (several, _) => Err(Unreadable::Implausible(why!(
                "the ids of {} threads of the process end as the object's does",
                several.len()
            ))),
        }
    }
}
