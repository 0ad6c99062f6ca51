//! A compiled world, and the dumps of it.

use std::ops::{Deref, DerefMut};

use super::{KERNEL_TOP, World};
use crate::address::{PAGE_SIZE, Pfn, Va};
use crate::bytes::{index, put_u16, put_u64};
use crate::dump::{self, Header, Kind, Triage, machine_memory};
use crate::machine::Machine;
use crate::memory::{Backing, PageSize};
use crate::paging::{self, Mapped, UserSpace};
use crate::physical::Run;

/// A world whose truth is in its memory. What is written from here on is a deviation from the truth.
#[derive(Clone, Debug)]
pub struct Built {
    world: World,
    /// The header of its dumps.
    pub header: Header,
}

impl Deref for Built {
    type Target = World;

    fn deref(&self) -> &World {
        &self.world
    }
}

impl DerefMut for Built {
    fn deref_mut(&mut self) -> &mut World {
        &mut self.world
    }
}

impl World {
    /// Lays the truth out in memory.
    ///
    /// `shape` completes the header: bug check, times, context. Addresses and tables are filled in.
    #[must_use]
    pub fn compile(mut self, shape: impl FnOnce(&World, &mut Header)) -> Built {
        let mut header = Header::of(self.machine, self.truth.build, memory_up_to(None));
        shape(&self, &mut header);
        self.compile_image();
        self.compile_objects();
        self.compile_directories();
        self.compile_processes();
        self.compile_threads();
        self.compile_ports();
        self.compile_messages();
        self.compile_resources();
        self.compile_blobs();
        self.compile_executive_resources();
        self.compile_globals();
        self.compile_kdbg();
        self.compile_processors(header.processors);
        self.compile_shared_data(header.system_up_time, header.system_time, header.product_type);
        header.directory_table_base = KERNEL_TOP.address();
        header.ps_loaded_module_list = self.global("PsLoadedModuleList");
        header.ps_active_process_head = self.global("PsActiveProcessHead");
        header.kd_debugger_data_block = self.global("KdDebuggerDataBlock");
        Built { world: self, header }
    }

    /// Maps the kernel image with pages of 2 MiB (4 MiB on x86 without PAE), as large memory machines do.
    pub fn map_image_with_large_pages(&mut self) {
        let size = match self.machine {
            Machine::X86 => PageSize::Large4M,
            _ => PageSize::Large,
        };
        let length = u64::from(self.kernel.image_size()).next_multiple_of(size.bytes());
        self.memory.map_with(self.truth.kernel_base, length, size);
    }

    /// A processor's control block for each processor: the first runs the last thread that is running, if any.
    fn compile_processors(&mut self, processors: u32) {
        let (Some(block), true) = (
            self.try_global("KiProcessorBlock"),
            self.has("_KPRCB", "CurrentThread"),
        ) else {
            return;
        };
        let size = self.kernel.size("_KPRCB").div_ceil(PAGE_SIZE);
        let running = self.truth.threads.iter().find(|thread| thread.state == 2);
        let thread = running
            .or(self.truth.threads.first())
            .map_or(Va::NULL, |thread| thread.address);
        for number in 0..u64::from(processors) {
            let prcb = self.plan_stack(size);
            self.point(prcb, "_KPRCB", "CurrentThread", thread);
            self.write_pointer(block + number * self.pointer_size(), prcb);
        }
        self.write_global("KeNumberProcessors", 4, u64::from(processors));
    }
}

impl Built {
    /// Builds the page tables. The same every time.
    #[must_use]
    pub fn map(&self) -> Mapped {
        let users: Vec<UserSpace<'_>> = self
            .truth
            .processes
            .iter()
            .filter(|process| process.directory_table != KERNEL_TOP)
            .map(|process| UserSpace {
                top: process.directory_table,
                memory: self.users.get(&process.address).unwrap_or(&NOTHING),
            })
            .collect();
        paging::build(
            self.machine,
            KERNEL_TOP,
            &self.memory,
            &users,
            &mut self.frames.clone(),
        )
    }

    /// The dump file of `kind`; kernel dumps hold no user pages.
    #[must_use]
    pub fn dump(&self, kind: Kind) -> Vec<u8> {
        self.dump_mapped(kind, self.map())
    }

    /// As [`Built::dump`], without the frames of some pages: their entries stay valid.
    ///
    /// # Panics
    /// Where one of the pages has no frame.
    #[must_use]
    pub fn dump_without(&self, kind: Kind, pages: &[Va]) -> Vec<u8> {
        let mut mapped = self.map();
        for page in pages {
            let frame = mapped.frames.get(&page.page()).copied();
            mapped
                .memory
                .remove(frame.unwrap_or_else(|| panic!("no frame of {page}")));
        }
        self.dump_mapped(kind, mapped)
    }

    /// As [`Built::dump`], of page tables that a test may have changed.
    #[must_use]
    pub fn dump_mapped(&self, kind: Kind, mut mapped: Mapped) -> Vec<u8> {
        if kind.kernel_only() {
            for frame in std::mem::take(&mut mapped.user_frames) {
                mapped.memory.remove(frame);
            }
        }
        let last = mapped.memory.frames().map(|(frame, _)| frame).last();
        let header = Header {
            memory: memory_up_to(last),
            ..self.header.clone()
        };
        dump::write(kind, &header, &mapped.memory)
    }

    /// A small (triage) dump: `thread` crashed on a processor that was about to run `next` and is otherwise idle in
    /// `idle`, either of them NULL for none. Beside these and the process of `thread` it holds the pieces of memory.
    ///
    /// # Panics
    /// Where this kernel does not say where a thread names the process that it works in.
    #[must_use]
    pub fn triage_dump(&self, thread: Va, next: Va, idle: Va, pieces: &[(Va, u64)]) -> Vec<u8> {
        let of = |address: Va, type_name| self.memory.read(address, self.kernel.size(type_name));
        let current = index(self.kernel.offset("_KPRCB", "CurrentThread"));
        let mut prcb = vec![0; current + 24];
        for (number, thread) in [thread, next, idle].into_iter().enumerate() {
            put_u64(&mut prcb, current + 8 * number, thread.0);
        }
        let mut debugger_data = self.memory.read(self.header.kd_debugger_data_block, 0x340);
        let working = self.kernel.offset("_KTHREAD", "ApcState.Process");
        put_u16(
            &mut debugger_data,
            0x2a0,
            u16::try_from(working).expect("inside of a thread"),
        );
        let process = Va(self.memory.read_uint(thread + working, 8));
        let kernel = self.truth.modules.first();
        dump::write_triage(
            &self.header,
            &Triage {
                prcb,
                process: of(process, "_EPROCESS"),
                thread: of(thread, "_ETHREAD"),
                debugger_data,
                kernel: (
                    self.truth.kernel_base,
                    kernel.map_or(0, |kernel| kernel.size),
                    0x5f5e_1000,
                    "\\SystemRoot\\system32\\ntoskrnl.exe",
                ),
                pieces: pieces
                    .iter()
                    .map(|&(address, length)| (address, self.memory.read(address, length)))
                    .collect(),
            },
        )
    }

    /// Whether all of `[address, address + length)` can be read in a dump of this world.
    #[must_use]
    pub fn is_readable(&self, address: Va, length: u64) -> bool {
        let pages = address.page().0..address.0 + length.max(1);
        pages
            .step_by(0x1000)
            .all(|page| match self.memory.backing(Va(page)) {
                Backing::Resident | Backing::Transition => self.memory.has_page(Va(page)),
                Backing::PageFile | Backing::DemandZero | Backing::Prototype | Backing::LeftOut => false,
            })
    }

    /// The PDB of the world's kernel.
    #[must_use]
    pub fn pdb(&self) -> Vec<u8> {
        crate::pdb::from_kernel(&self.kernel)
    }
}

static NOTHING: crate::memory::VirtualMemory = crate::memory::VirtualMemory::EMPTY;

/// The memory of a machine of whole GiB that has the frame `last`, with the usual hole below 1 MiB.
fn memory_up_to(last: Option<Pfn>) -> Vec<Run> {
    const GIB: u64 = 0x4000_0000;
    machine_memory((last.unwrap_or_default().address() + 1).next_multiple_of(GIB))
}
