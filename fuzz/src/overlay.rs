//! Many executions a second: systems that are made once, and a few bytes of their files that change between walks.
//!
//! A dump is opened once, mapped. An execution writes its damage into the file behind the mapping, walks, and writes
//! back what was there; the [`Kernel`] alone, which remembers what it read, is made anew. What an execution does follows
//! from its target, its world and its number, so that each can be done again.
//!
//! Damage goes where a walk looks: a [`Trace`] of each walk over the whole system says which bytes these are.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::hint::black_box;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use alpc::image::trace::{self, Trace};
use alpc::port::{enumerate, in_flight, message, receiver};
use alpc::process::{self, process as record_of};
use alpc::report::carve::{self, CarveKind, Wanted};
use alpc::report::{analyze, portlist, snapshot, stacks};
use alpc::wait::hang;
use alpc::{Kernel, object::handle, port::connection};
use kdump::{Dump, Gva};
use ntlayout::{Layout, Pdb, SymbolTable};
use synth::dump::Kind;
use synth::random::Random;
use synth::world::Built;

const PAGE: usize = 0x1000;

/// Changes of one execution.
const MAX_CHANGES: u64 = 3;

/// A walk over a whole system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Who waits for whom, and the verdict.
    Hang,
    /// All ports, a line each, and the connections between them.
    Ports,
    /// All messages, in full.
    Messages,
    /// The processes and their threads.
    Threads,
    /// The handles of each process.
    Handles,
    /// Every consistency check.
    Analyze,
    /// The search through all pages.
    Carve,
    /// The stacks of all threads.
    Stacks,
    /// What two dumps are compared by.
    Snapshot,
}

impl Target {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Hang,
        Self::Ports,
        Self::Messages,
        Self::Threads,
        Self::Handles,
        Self::Analyze,
        Self::Carve,
        Self::Stacks,
        Self::Snapshot,
    ];

    /// Its name, in lower case.
    #[must_use]
    pub fn name(self) -> String {
        format!("{self:?}").to_lowercase()
    }

    /// Walks.
    #[must_use]
    pub fn walk(self, kernel: &Kernel<'_>) -> Told {
        let mut told = Told::default();
        match self {
            Self::Hang => {
                let (graph, report) = hang::hang(kernel);
                let rings = report.deadlocks.iter().flat_map(|deadlock| &deadlock.ring);
                let threads = rings.filter_map(|step| step.node.thread());
                told.members
                    .extend(threads.map(|thread| (0, thread.address.u64())));
                told.marked = !graph.unread.is_empty();
                black_box(report);
            }
            Self::Ports => {
                let found = enumerate::ports(kernel);
                told.all(&found.ports);
                told.marked = found.complete.reason().is_some();
                black_box(portlist::lines(kernel, &found.ports).count());
                black_box(connection::graph(kernel, &found.ports).len());
            }
            Self::Messages => {
                let (found, gap) = in_flight::messages(kernel);
                told.marked = gap.is_some();
                for address in found {
                    // What is no message, or cannot be read, says so itself where it is shown.
                    let record = message::read(kernel, address, message::Detail::Full);
                    if record.is_ok_and(|record| record.message_id.known().is_some()) {
                        told.members.insert((0, address.u64()));
                    }
                }
            }
            Self::Threads => {
                let found = receiver::system_threads(kernel);
                told.marked = found.complete.reason().is_some();
                for process in &found.processes {
                    let owner = process.process.address.u64();
                    told.marked |= process.complete.reason().is_some() || process.found_by.is_some();
                    told.members.insert((0, owner));
                    told.members
                        .extend(process.threads.iter().map(|thread| (owner, thread.address.u64())));
                }
            }
            Self::Handles => {
                let Ok(list) = process::processes(kernel) else {
                    told.marked = true;
                    return told;
                };
                told.all(&list.entries);
                told.marked = list.complete("the list of processes").is_err();
                for address in list.entries {
                    let process = record_of(kernel, address);
                    if let Some(table) = process
                        .ok()
                        .and_then(|process| process.object_table.known().copied().flatten())
                    {
                        let _ = black_box(handle::handles(kernel, table.gva(), |_| true));
                    }
                }
            }
            Self::Analyze => {
                black_box(analyze::analyze(kernel, None));
            }
            Self::Carve => {
                black_box(carve::carve(
                    kernel,
                    &Wanted::of(CarveKind::ALL.to_vec()),
                    &kdump::Progress::default(),
                ));
            }
            Self::Stacks => {
                let complete = stacks::each(kernel, None, |stack| {
                    black_box(stack);
                    Ok::<(), ()>(())
                });
                let _ = black_box(complete);
            }
            Self::Snapshot => {
                black_box(snapshot::Snapshot::of(kernel));
            }
        }
        told
    }
}

/// What a walk told that can be held against the whole system: members of lists, each with whom it belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Whose, or 0 for the system's, and the address.
    pub members: BTreeSet<(u64, u64)>,
    /// Whether it says that something was not read, or is not as it should be.
    pub marked: bool,
}

impl Told {
    fn all(&mut self, members: &[Gva]) {
        self.members
            .extend(members.iter().map(|member| (0, member.u64())));
    }

    /// What is told here without a mark, and is not so in the whole system.
    #[must_use]
    pub fn invented(&self, whole: &Told) -> Vec<(u64, u64)> {
        match self.marked {
            true => Vec::new(),
            false => self.members.difference(&whole.members).copied().collect(),
        }
    }
}

/// Some bytes of a file, and what they become.
#[derive(Clone, Debug)]
pub struct Change {
    /// Where in the file.
    pub at: usize,
    /// What stands there then.
    pub bytes: Vec<u8>,
}

/// A system that is open, and its file.
pub struct Overlay {
    /// Its name.
    pub name: String,
    /// The whole file.
    pub bytes: Vec<u8>,
    file: File,
    dump: Dump,
    base: Gva,
    layout: Layout,
    pages: Vec<usize>,
    pointers: Vec<u64>,
    pointer: usize,
    /// For each target what it reads, and what it tells of the whole system.
    targets: Vec<(Vec<(usize, usize)>, Told)>,
}

impl Overlay {
    /// Writes the world's dump into `folder`, which should be in memory, opens it and walks it once.
    ///
    /// # Errors
    /// When the file cannot be written.
    ///
    /// # Panics
    /// When the world is none.
    pub fn new(name: &str, built: &Built, folder: &Path) -> io::Result<Self> {
        let kind = if built.truth.build < 9200 {
            Kind::Summary
        } else {
            Kind::BitmapKernel
        };
        let bytes = built.dump(kind);
        let path = folder.join(format!("{name}.dmp"));
        std::fs::write(&path, &bytes)?;
        let file = OpenOptions::new().write(true).open(&path)?;
        let dump = Dump::open(&path).expect("the world is a dump");
        let pdb = Pdb::from_bytes("world.pdb", built.pdb()).expect("the world has symbols");
        let frames = dump
            .runs()
            .flat_map(|run| run.base.u64()..run.base.u64() + run.count);
        let pages: Vec<usize> = frames
            .filter_map(|pfn| usize::try_from(dump.frame(kdump::Pfn::new(pfn)).ok()?.0).ok())
            .filter(|at| at + PAGE <= bytes.len())
            .collect();
        let mut overlay = Self {
            name: name.to_owned(),
            file,
            base: kdump::kernel_image(&dump).expect("the world has a kernel").base,
            layout: pdb.resolve(&alpc::CONTRACT).expect("the world resolves"),
            pages,
            pointers: pointers(built),
            pointer: usize::try_from(dump.kernel_space().pointer_width()).unwrap_or(8),
            targets: Vec::new(),
            dump,
            bytes,
        };
        for target in Target::ALL {
            let known = overlay.whole(target);
            overlay.targets.push(known);
        }
        Ok(overlay)
    }

    fn kernel(&self) -> Kernel<'_> {
        alpc::kernel(&self.dump, self.base, self.layout.clone())
    }

    fn whole(&self, target: Target) -> (Vec<(usize, usize)>, Told) {
        let trace = Arc::new(Trace::default());
        let told = target.walk(&self.kernel().traced(Arc::clone(&trace)));
        let kernel = self.kernel();
        let mut places = BTreeSet::new();
        for source in trace.sources().0 {
            for piece in trace_pieces(&kernel, &source) {
                places.insert(piece);
            }
        }
        let places = places
            .into_iter()
            .filter(|(at, len)| at + len <= self.bytes.len());
        (places.collect(), told)
    }

    /// How many stretches of its file a walk reads.
    #[must_use]
    pub fn touched(&self, target: Target) -> usize {
        self.targets[target as usize].0.len()
    }

    /// What execution `number` of a target changes.
    #[must_use]
    pub fn changes(&self, target: Target, number: u64) -> Vec<Change> {
        let mut random = Random::new(number.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (target as u64) << 56);
        let places = &self.targets[target as usize].0;
        (0..=random.below(MAX_CHANGES))
            .map(|_| self.change(places, &mut random))
            .collect()
    }

    fn change(&self, places: &[(usize, usize)], random: &mut Random) -> Change {
        let mut pick = |limit: usize| usize::try_from(random.below(limit.max(1) as u64)).unwrap_or(0);
        let Some(&(at, len)) = places.get(pick(places.len())) else {
            let at = self.pages[pick(self.pages.len())];
            return Change {
                at,
                bytes: vec![0; PAGE],
            };
        };
        // Most changes are of one read; some of its whole page; a few of any page, tables of pages among them.
        let page = match pick(16) {
            0 => self.pages[pick(self.pages.len())],
            _ => self.pages[self.pages.partition_point(|&page| page <= at).saturating_sub(1)],
        };
        let field = |bytes: &[u8]| Change {
            at,
            bytes: bytes[..len.min(bytes.len())].to_vec(),
        };
        match pick(20) {
            0 => Change {
                at: page,
                bytes: vec![0; PAGE],
            },
            1 => Change {
                at: page,
                bytes: 0xdead_feed_u32.to_le_bytes().repeat(PAGE / 4),
            },
            2 => {
                let other = self.pages[pick(self.pages.len())];
                Change {
                    at: page,
                    bytes: self.bytes[other..other + PAGE].to_vec(),
                }
            }
            3 => {
                let byte = page + pick(PAGE);
                Change {
                    at: byte,
                    bytes: vec![self.bytes[byte] ^ 1 << pick(8)],
                }
            }
            4..=8 => {
                let near = [
                    0,
                    0,
                    0,
                    8,
                    0x10,
                    0x30,
                    0u64.wrapping_sub(8),
                    0u64.wrapping_sub(0x30),
                ];
                let pointer = self.pointers[pick(self.pointers.len())].wrapping_add(near[pick(near.len())]);
                field(&pointer.to_le_bytes()[..self.pointer])
            }
            9 | 10 => field(&vec![0; len]),
            11 => field(&vec![0xff; len]),
            12 | 13 => field(&(pick(0x100) as u64).to_le_bytes()),
            14 | 15 => {
                let &(from, size) = &places[pick(places.len())];
                field(&self.bytes[from..from + size])
            }
            _ => {
                let byte = at + pick(len);
                Change {
                    at: byte,
                    bytes: vec![self.bytes[byte] ^ 1 << pick(8)],
                }
            }
        }
    }

    /// Every page in turn as zeros, as filler and as the page behind it, which need not be behind it in memory.
    pub fn smears(&self) -> impl Iterator<Item = Change> + '_ {
        self.pages.iter().enumerate().flat_map(|(number, &at)| {
            let other = self.pages[(number + 1) % self.pages.len()];
            [
                vec![0; PAGE],
                0xdead_feed_u32.to_le_bytes().repeat(PAGE / 4),
                self.bytes[other..other + PAGE].to_vec(),
            ]
            .map(|bytes| Change { at, bytes })
        })
    }

    /// Does execution `number` of a target, and says what it told that is not so.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn execute(&self, target: Target, number: u64) -> io::Result<Vec<(u64, u64)>> {
        self.changed(target, &self.changes(target, number))
    }

    /// Walks with some changes, and says what was told that is not so.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn changed(&self, target: Target, changes: &[Change]) -> io::Result<Vec<(u64, u64)>> {
        for change in changes {
            self.file.write_all_at(&change.bytes, change.at as u64)?;
        }
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let kernel = self.kernel();
            target.walk(&kernel)
        }));
        for change in changes {
            let was = &self.bytes[change.at..change.at + change.bytes.len()];
            self.file.write_all_at(was, change.at as u64)?;
        }
        match done {
            Ok(told) => Ok(told.invented(&self.targets[target as usize].1)),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

fn trace_pieces(kernel: &Kernel<'_>, source: &trace::Source) -> Vec<(usize, usize)> {
    let record = alpc::image::source::source(kernel, source, None);
    let pieces = record.pieces.iter();
    pieces
        .filter_map(|piece| {
            Some((
                usize::try_from(piece.file?).ok()?,
                usize::try_from(piece.size).ok()?,
            ))
        })
        .filter(|&(_, len)| len > 0)
        .collect()
}

/// Addresses of a bit of everything.
fn pointers(built: &Built) -> Vec<u64> {
    let truth = &built.truth;
    let mut all: Vec<u64> = vec![truth.kernel_base.0];
    all.extend(truth.objects.keys().map(|object| object.0));
    all.extend(truth.blobs.keys().map(|blob| blob.0));
    all.extend(truth.processes.iter().map(|process| process.object_table.0));
    all.extend(truth.threads.iter().map(|thread| thread.address.0));
    all.extend(truth.messages.iter().map(|message| message.address.0));
    all.extend(truth.communication_infos.iter().map(|info| info.address.0));
    all
}
