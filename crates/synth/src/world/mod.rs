//! A world: a kernel's processes, threads, objects and ALPC state, told in plain records and compiled into memory.
//!
//! What a world is told is its [`Truth`]; [`World::compile`] lays it out by a real kernel's layout. Tests compare
//! what a reader finds with the truth, never with memory or with another reading of it.

mod blob;
mod built;
mod completion_list;
mod directory;
mod globals;
mod handle_table;
mod image;
mod kdbg;
mod lock;
pub mod message;
mod name;
mod object;
mod plan;
mod port;
mod process;
mod request;
mod resource;
mod security;
mod shared_data;
mod thread;
mod truth;

use std::collections::BTreeMap;

pub use blob::BlobId;
pub use built::Built;
pub use lock::ExecutiveResource;
pub use message::kind;
pub use name::Name;
pub use object::ObjectSpec;
pub use plan::Pool;
pub use port::{Connection, ConnectionSpec};
pub use request::Request;
pub use security::{Entries, Entry, TokenSpec, descriptor_bytes, sid_bytes};
pub use truth::*;

use crate::address::{Pfn, Va};
use crate::bytes::count;
use crate::layout::Kernel;
use crate::machine::Machine;
use crate::memory::VirtualMemory;
use crate::paging::Frames;
use plan::Plan;

/// Where the kernel's own top page table is.
pub(crate) const KERNEL_TOP: Pfn = Pfn(0x1ad);

/// The builder of a world.
#[derive(Clone, Debug)]
pub struct World {
    /// The kernel whose layout the world has.
    pub kernel: Kernel,
    /// The machine that it runs on: the kernel's, or x86 without PAE.
    pub machine: Machine,
    /// What the world was told so far.
    pub truth: Truth,
    /// Kernel memory.
    pub memory: VirtualMemory,
    /// User memory by process.
    pub users: BTreeMap<Va, VirtualMemory>,
    plan: Plan,
    frames: Frames,
    types: BTreeMap<&'static str, Va>,
    executive_resources: Vec<Va>,
    /// I/O requests by thread.
    requests: BTreeMap<Va, Vec<Va>>,
}

impl World {
    /// A world of the kernel of the layout extract with this name. It has the kernel image, the object types and
    /// the root of the namespace; frames and invented values follow from `seed`.
    #[must_use]
    pub fn new(kernel: &str, seed: u64) -> Self {
        let kernel = Kernel::named(kernel);
        let plan = Plan::of(&kernel);
        let mut world = World {
            truth: Truth::of(&kernel, plan.kernel_base),
            memory: VirtualMemory::new(),
            users: BTreeMap::new(),
            frames: Frames::new(seed, Pfn(0x200)),
            types: BTreeMap::new(),
            executive_resources: Vec::new(),
            requests: BTreeMap::new(),
            plan,
            machine: kernel.machine(),
            kernel,
        };
        world.make_namespace();
        world
    }

    /// Scatters the world over a machine of `frames` frames, instead of over few. Before anything is made.
    ///
    /// A machine of less than 8 GiB is too small for it: large pages and the like have zones of their own there.
    pub fn spread(&mut self, frames: u64) {
        if frames >= 0x20_0000 {
            // A general world takes some two hundred frames, and as many again wait to be drawn.
            self.frames = self.frames.clone().spread(frames / 0x400);
        }
    }

    /// Address of a global of the kernel.
    ///
    /// # Panics
    /// Where the kernel has no such global.
    #[must_use]
    pub fn global(&self, name: &str) -> Va {
        self.plan.kernel_base + u64::from(self.kernel.rva(name))
    }

    /// Address of a global, where the kernel has it.
    #[must_use]
    pub fn try_global(&self, name: &str) -> Option<Va> {
        self.kernel
            .try_rva(name)
            .map(|rva| self.plan.kernel_base + u64::from(rva))
    }

    /// Bytes in a pointer.
    #[must_use]
    pub fn pointer_size(&self) -> u64 {
        self.kernel.pointer_size()
    }

    /// Whether the kernel's `type_name` has a member at `path`.
    #[must_use]
    pub fn has(&self, type_name: &str, path: &str) -> bool {
        self.kernel.has(type_name, path)
    }

    /// Address of the member at `path` of the `type_name` at `address`.
    #[must_use]
    pub fn field(&self, address: Va, type_name: &str, path: &str) -> Va {
        address + self.kernel.offset(type_name, path)
    }

    /// Stores `value` in the member at `path` of the `type_name` at `address`, in the member's own size or bits.
    ///
    /// # Panics
    /// Where there is no such member, or the value does not fit it.
    pub fn set(&mut self, address: Va, type_name: &str, path: &str, value: u64) {
        let field = self.kernel.field(type_name, path);
        let at = address + field.offset;
        match field.bit {
            None => self.memory.write_uint(at, field.bytes, value),
            Some((position, bits)) => {
                let mask = (u64::MAX >> (64 - u32::from(bits))) << position;
                assert!(
                    value << position & !mask == 0,
                    "{value:#x} does not fit {type_name}.{path}"
                );
                let rest = self.memory.read_uint(at, field.bytes) & !mask;
                self.memory.write_uint(at, field.bytes, rest | value << position);
            }
        }
    }

    /// Stores `value` where the kernel has the member; elsewhere there is nothing to say.
    pub fn set_if(&mut self, address: Va, type_name: &str, path: &str, value: u64) {
        if self.has(type_name, path) {
            self.set(address, type_name, path, value);
        }
    }

    /// Stores a pointer in a member.
    pub fn point(&mut self, address: Va, type_name: &str, path: &str, to: Va) {
        self.set(address, type_name, path, self.narrow(to));
    }

    /// Stores a pointer at `at`.
    pub fn write_pointer(&mut self, at: Va, to: Va) {
        self.memory.write_uint(at, self.pointer_size(), self.narrow(to));
    }

    /// Links `entries` (addresses of `_LIST_ENTRY`s) in a ring with the list head at `head`.
    pub fn link(&mut self, head: Va, entries: &[Va]) {
        let ring: Vec<Va> = std::iter::once(head).chain(entries.iter().copied()).collect();
        for (i, &entry) in ring.iter().enumerate() {
            let next = ring[(i + 1) % ring.len()];
            self.write_pointer(entry, next);
            self.write_pointer(next + self.pointer_size(), entry);
        }
    }

    /// Makes the `_UNICODE_STRING` at `address` refer to `name`, kept in `pool`.
    pub fn set_string(&mut self, address: Va, name: &Name, pool: Pool) {
        let length = count(name.units().len()) * 2;
        self.set(address, "_UNICODE_STRING", "Length", length);
        self.set(address, "_UNICODE_STRING", "MaximumLength", length);
        if length > 0 {
            let buffer = self.allocate(pool, length, *b"ObNm");
            self.memory.write(buffer, &name.bytes());
            self.point(address, "_UNICODE_STRING", "Buffer", buffer);
        }
    }

    /// A pointer in the machine's own width.
    fn narrow(&self, address: Va) -> u64 {
        if self.pointer_size() == 4 {
            address.0 & 0xffff_ffff
        } else {
            address.0
        }
    }
}
