//! Globals that the symbols do not tell, found by what the dump itself tells.
//!
//! The header and the debugger data block name variables by their addresses. The object namespace, whose root
//! every named object leads up to, has the types of objects under `\ObjectTypes`; where that is not in the dump,
//! the kernel's table of types is known by what it holds: pointers to types in the order of their own indices. The
//! types themselves, which are objects of the type "Type", and the processes show how headers hold such an index.
//! The kernel's list of ports is a ring of which every port is a part, and its head is the one part that lies in
//! the kernel's image. Nothing here needs more than the layouts of structures, and each find says what led to it.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use kdump::{Dump, Gva};
use ntlayout::Layout;
use ntlayout::published::{self, Published};

use crate::port;
use crate::port::contract::CONTRACT;
use ntkernel::image::contract::{Global, Module, ObjectHeader, ObjectType, Port, Process};
use ntkernel::image::globals::{DerivedGlobal, Evidence};
use ntkernel::image::kernel::{At, Globals, Kernel, Read, offset};
use ntkernel::image::list;
use ntkernel::image::value::Unreadable;
use ntkernel::object;
use ntkernel::object::directory;
use ntkernel::object::handle;
use ntkernel::process;
use ntkernel::process::thread;
use ntkernel::why;

/// Handles of one process that are looked at on the way to something.
const HANDLES: u64 = 1 << 16;

/// Objects that a climb to the root of the namespace is tried from.
const CLIMBS: usize = 64;

/// Directories that a climb goes through at most.
const MAX_DEPTH: usize = 64;

/// Ports that are tried as a part of the kernel's list.
const RINGS: usize = 4;

/// Parts of such a ring, the head included.
const RING: usize = 1 << 18;

/// Processes and handles whose headers say how headers hold the index of a type.
const WITNESSES: usize = 256;

/// Index of the first type: the types' own.
const FIRST_TYPE: u8 = 2;

/// Types that a kernel has at least, one behind the other.
const FEWEST_TYPES: usize = 8;

/// The largest image that is searched. The largest kernels have about 20 MiB.
const IMAGE: u64 = 64 << 20;
const PAGE: usize = 0x1000;

/// What was derived so far, each part when it is first asked for.
#[derive(Default)]
pub(crate) struct Derived {
    /// What is known of this kernel.
    published: Option<(Published, Evidence)>,
    addresses: OnceCell<BTreeMap<&'static str, (Gva, Evidence)>>,
    root: OnceCell<Option<Gva>>,
    types: OnceCell<Types>,
    port_list: OnceCell<Option<Gva>>,
}

impl Types {
    /// Takes those of a table of types: a name that is paged out leaves the index.
    fn take(&mut self, kernel: &Kernel<'_>, table: Option<Gva>, found: Vec<(Gva, u8)>, evidence: Evidence) {
        self.gap = None;
        self.table = table;
        for (object, index) in found {
            let own = kernel.at(object).address_of(ObjectType::Name);
            match own.and_then(|name| kernel.text(name)) {
                Ok(name) => self.add(name, index, object, evidence),
                Err(_) => {
                    self.by_index.insert(index, object);
                }
            }
        }
    }

    fn add(&mut self, name: String, index: u8, object: Gva, evidence: Evidence) {
        self.by_name.insert(name, object);
        self.by_index.insert(index, object);
        self.evidence = Some(evidence);
    }
}

/// How object headers hold the index of their type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    /// As it is: Windows 7 to 8.1.
    Plain,
    /// Mixed with a byte of the header's address and this cookie: Windows 10 on.
    Cookie(u8),
}

/// The types of objects.
#[derive(Default)]
struct Types {
    by_name: BTreeMap<String, Gva>,
    by_index: BTreeMap<u8, Gva>,
    /// What led to them.
    evidence: Option<Evidence>,
    /// Where the kernel's table of them is, if that was found.
    table: Option<Gva>,
    encoding: Option<Encoding>,
    /// Why some are missing, if any are.
    gap: Option<Unreadable>,
}

/// Looks for something by the names that things really have, also where records get others.
fn plainly<T>(kernel: &Kernel<'_>, look: impl FnOnce(&Kernel<'_>) -> T) -> T {
    match kernel.redaction() {
        Some(_) => look(&kernel.unredacted()),
        None => look(kernel),
    }
}

/// Ties a dump to the layout of its kernel, whose image begins at `base`: what a symbol table resolved of
/// [`CONTRACT`](crate::CONTRACT). What variables the symbols lack is looked for in the dump.
#[must_use]
pub fn kernel<'d>(dump: &'d Dump, base: Gva, layout: Layout) -> Kernel<'d> {
    published_kernel(dump, base, layout, None)
}

/// The same of a kernel of which is known where some of its variables are. What the dump says of these goes first, and where
/// it has one of them elsewhere, it is not this kernel, or not there.
pub(crate) fn published_kernel<'d>(
    dump: &'d Dump,
    base: Gva,
    layout: Layout,
    published: Option<&(Published, Evidence)>,
) -> Kernel<'d> {
    let derived = Derived {
        published: published.cloned(),
        ..Derived::default()
    };
    Kernel::new(dump, base, &CONTRACT, layout, Box::new(derived))
}

impl Globals for Derived {
    fn address(&self, kernel: &Kernel<'_>, global: Global) -> Option<(Gva, Evidence)> {
        if global == Global::AlpcpPortList {
            let found = self.port_list.get_or_init(|| plainly(kernel, port_list));
            return found.map(|head| (head, Evidence::PortLinks));
        }
        let told = self.addresses.get_or_init(|| {
            let mut told = plainly(kernel, told);
            self.add_published(kernel.base(), &mut told);
            told
        });
        told.get(global.name()).copied()
    }

    fn pointer(&self, kernel: &Kernel<'_>, global: Global) -> Option<(Gva, Evidence)> {
        let name = match global {
            Global::ObpRootDirectoryObject => {
                let root = self.root.get_or_init(|| plainly(kernel, root));
                return root.map(|root| (root, Evidence::Namespace));
            }
            Global::AlpcPortObjectType => "ALPC Port",
            Global::ObpTypeObjectType => "Type",
            Global::ObpDirectoryObjectType => "Directory",
            Global::PsProcessType => "Process",
            Global::PsThreadType => "Thread",
            _ => return None,
        };
        let types = self.types(kernel);
        types.by_name.get(name).copied().zip(types.evidence)
    }

    fn type_of_index(&self, kernel: &Kernel<'_>, header: Gva, held: u64) -> Read<Gva> {
        let types = self.types(kernel);
        let missing = || Unreadable::NoGlobal {
            name: Global::ObTypeIndexTable.name(),
        };
        let index = decode(types.encoding.ok_or_else(missing)?, header, held);
        types.by_index.get(&index).copied().ok_or_else(|| {
            let at = kernel.addr(header);
            types.gap.clone().unwrap_or_else(|| {
                Unreadable::Implausible(why!("the object header at {} has no valid type index", at))
            })
        })
    }

    fn all(&self, kernel: &Kernel<'_>) -> Vec<DerivedGlobal> {
        self.found(kernel)
    }

    fn afresh(&self) -> Box<dyn Globals> {
        Box::new(Self {
            published: self.published.clone(),
            ..Self::default()
        })
    }
}

/// The first type, as the debugger data block leads to it.
fn type_of_types(kernel: &Kernel<'_>) -> Option<Gva> {
    let at = kernel.global(Global::ObpTypeObjectType).ok()?;
    kernel.cursor().pointer(at).ok().filter(|held| held.u64() != 0)
}

/// What the header and the debugger data block tell; the block is believed by its tag alone.
fn told(kernel: &Kernel<'_>) -> BTreeMap<&'static str, (Gva, Evidence)> {
    let dump = kernel.dump();
    let mut told = BTreeMap::new();
    // Since Windows 8 the block is kept encoded in memory and decoded when the system crashes, so that a live
    // dump may have it unreadable (for live dumps general knowledge, no sample).
    if let Ok(block) = kdump::debugger_data(dump) {
        for (global, address) in [
            (Global::PsLoadedModuleList, block.ps_loaded_module_list),
            (Global::PsActiveProcessHead, block.ps_active_process_head),
            (Global::PspCidTable, block.psp_cid_table),
            (Global::KeTimeIncrement, block.ke_time_increment),
            (Global::NtBuildLab, block.nt_build_lab),
            (Global::KiProcessorBlock, block.ki_processor_block),
            (Global::ObpRootDirectoryObject, block.obp_root_directory_object),
            (Global::ObpTypeObjectType, block.obp_type_object_type),
        ] {
            let address = Gva::new(address);
            if kernel.is_kernel_address(address) {
                told.insert(global.name(), (address, Evidence::DebuggerData));
            }
        }
    }
    let header = dump.header();
    for (global, address) in [
        (Global::PsLoadedModuleList, header.ps_loaded_module_list),
        (Global::PsActiveProcessHead, header.ps_active_process_head),
        (Global::KdDebuggerDataBlock, header.kd_debugger_data_block),
    ] {
        if let Some(address) = address {
            told.insert(global.name(), (address, Evidence::Header));
        }
    }
    told
}

/// The root of the namespace: from the first object in a handle table that is in a directory, up.
fn root(kernel: &Kernel<'_>) -> Option<Gva> {
    let mut tries = 0_usize;
    for table in handle_tables(kernel) {
        let mut root = None;
        // What cannot be read of a table hides its handles and nothing else.
        let _ = handle::walk_up_to(kernel, table, HANDLES, |entry| {
            if root.is_none()
                && tries < CLIMBS
                && let Ok(Some(directory)) = object::directory_of(kernel.at(entry.target))
            {
                tries = tries.saturating_add(1);
                root = climb(kernel, directory).unwrap_or(None);
            }
        });
        if root.is_some() || tries >= CLIMBS {
            return root;
        }
    }
    None
}

/// The directory above all others: it is in none, and keeps the name `\`.
fn climb(kernel: &Kernel<'_>, from: Gva) -> Read<Option<Gva>> {
    let mut at = from;
    for _ in 0..MAX_DEPTH {
        let header = object::header(kernel, at)?;
        match object::directory_of(header)? {
            Some(above) => at = above,
            None => return Ok((object::name(header)?.as_deref() == Some("\\")).then_some(at)),
        }
    }
    Ok(None)
}

fn handle_tables(kernel: &Kernel<'_>) -> Vec<Gva> {
    let processes = process::processes(kernel).map(|list| list.entries);
    let tables = processes.unwrap_or_default().into_iter();
    tables
        .filter_map(|process| kernel.at(process).pointer(Process::ObjectTable).ok())
        .filter(|table| table.u64() != 0)
        .collect()
}

/// The types in `\ObjectTypes`; where there is nothing of it or not all, those of the kernel's table; where headers
/// point at their types, those that the headers behind handles point at.
///
/// Where the table is and where the cookie that headers are mixed with, is known of published kernels.
fn read_types(kernel: &Kernel<'_>, table: Option<(Gva, Evidence)>, cookie: Option<Gva>) -> Types {
    let mut types = Types::default();
    by_directory(kernel, &mut types);
    if types.by_name.is_empty() || types.gap.is_some() {
        // Vista's headers have a pointer to the type; an index into a table since 7 (layouts of 305 kernels).
        if kernel.has(ObjectHeader::TypeIndex) {
            let known = table.map(|(table, evidence)| (table, evidence, published_table(kernel, table)));
            match known {
                Some((table, evidence, (found, gap))) if !found.is_empty() => {
                    types.take(kernel, Some(table), found, evidence);
                    types.gap = gap;
                }
                _ => by_table(kernel, &mut types),
            }
        } else {
            by_headers(kernel, &mut types);
        }
    }
    types.encoding = encoding(kernel, &types).or_else(|| {
        let held = kernel.cursor().u8(cookie?).ok()?;
        (!types.by_index.is_empty()).then_some(Encoding::Cookie(held))
    });
    for (name, address) in by_kind(kernel, &types) {
        types.by_name.entry(name.to_owned()).or_insert(address);
    }
    types
}

/// The types of objects that are known for what they are otherwise: a type's name is in paged memory.
fn by_kind(kernel: &Kernel<'_>, types: &Types) -> Vec<(&'static str, Gva)> {
    let known = |name: &str| types.by_name.contains_key(name);
    let mut found = Vec::new();
    let mut add = |name, object: Option<Gva>| {
        let address = object.and_then(|object| {
            let header = object::header(kernel, object).ok()?;
            match types.encoding {
                Some(encoding) => {
                    let held = header.uint(ObjectHeader::TypeIndex).ok()?;
                    types
                        .by_index
                        .get(&decode(encoding, header.address(), held))
                        .copied()
                }
                None => header.pointer(ObjectHeader::Type).ok(),
            }
        });
        found.extend(address.map(|address| (name, address)));
    };
    // The first of the list is System, which no system is without.
    let process = || process::processes(kernel).ok()?.entries.first().copied();
    if !known("Process") {
        add("Process", process());
    }
    if !known("Thread") {
        let thread = process().and_then(|process| {
            let threads = thread::threads_of(kernel.at(process)).ok()?;
            threads.entries.first().copied()
        });
        add("Thread", thread);
    }
    if !known("Directory") {
        add("Directory", object::root_directory(kernel).ok());
    }
    if !known("ALPC Port") {
        add("ALPC Port", tied_port(kernel));
    }
    found
}

/// A port among what handles lead to, known by its communication info.
fn tied_port(kernel: &Kernel<'_>) -> Option<Gva> {
    let body = kernel.offset(ObjectHeader::Body).ok()?;
    let mut port = None;
    for table in handle_tables(kernel) {
        let _ = handle::walk_up_to(kernel, table, HANDLES, |entry| {
            let object = offset(entry.target, body);
            if port.is_none() && port::is_tied(kernel.at(object)).unwrap_or(false) {
                port = Some(object);
            }
        });
        if port.is_some() {
            break;
        }
    }
    port
}

/// A type in the directory is believed when the name it is under is its own.
fn by_directory(kernel: &Kernel<'_>, types: &mut Types) {
    let Some(directory) = object_types(kernel, &mut types.gap) else {
        return;
    };
    let inside = directory::contents(kernel.at(directory));
    types.gap = types.gap.take().or_else(|| inside.gaps.into_iter().next());
    for (_, object) in inside.objects {
        match named_type(kernel, object) {
            Ok(Some((name, index))) => types.add(name, index, object, Evidence::ObjectTypes),
            Ok(None) => {}
            Err(hole) => types.gap = types.gap.take().or(Some(hole)),
        }
    }
}

/// The table of types in the kernel's image: behind two slots without types come pointers to types, each of which
/// has the index of its slot.
fn by_table(kernel: &Kernel<'_>, types: &mut Types) {
    let Some((base, end)) = image(kernel) else {
        return;
    };
    // Slots 0 and 1 hold null and bad0b0b0; the type of types comes first behind them, as it is made first.
    let first = type_of_types(kernel);
    let width = usize::try_from(kernel.pointer_size()).unwrap_or(8);
    let mut page = vec![0; PAGE];
    for at in (base..end.min(base.saturating_add(IMAGE))).step_by(PAGE) {
        if kernel.cursor().read(Gva::new(at), &mut page).is_err() {
            continue;
        }
        for (slot, bytes) in page.chunks_exact(width).enumerate() {
            let pointer = Gva::new(little_endian(bytes));
            let fits = first.map_or_else(|| kernel.is_kernel_address(pointer), |first| first == pointer);
            if !fits {
                continue;
            }
            let place = u64::try_from(slot.saturating_mul(width)).unwrap_or(u64::MAX);
            let first_slot = Gva::new(at.saturating_add(place));
            let found = table_at(kernel, first_slot);
            if found.len() < FEWEST_TYPES {
                continue;
            }
            let before = u64::from(FIRST_TYPE).saturating_mul(kernel.pointer_size().into());
            let table = Gva::new(first_slot.u64().saturating_sub(before));
            types.take(kernel, Some(table), found, Evidence::TypeTable);
            return;
        }
    }
}

/// The types of a table whose place is known, and the first hole among them: nothing where one of them has another index
/// than its slot.
fn published_table(kernel: &Kernel<'_>, table: Gva) -> (Vec<(Gva, u8)>, Option<Unreadable>) {
    let width = u64::from(kernel.pointer_size());
    let (mut found, mut gap) = (Vec::new(), None);
    for index in FIRST_TYPE..=u8::MAX {
        let slot = offset(table, u64::from(index).saturating_mul(width));
        let object = match kernel.cursor().pointer(slot) {
            Ok(object) if kernel.is_kernel_address(object) => object,
            // Behind the last type.
            Ok(_) => break,
            Err(hole) => {
                gap = gap.or(Some(hole));
                continue;
            }
        };
        match kernel.at(object).uint(ObjectType::Index) {
            Ok(own) if own == u64::from(index) => found.push((object, index)),
            Ok(_) => return (Vec::new(), None),
            Err(hole) => gap = gap.or(Some(hole)),
        }
    }
    (found, gap)
}

fn little_endian(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .rev()
        .fold(0, |number, byte| (number << 8) | u64::from(*byte))
}

/// The types that the slots from a place on point at, each with the index that follows that of the one before.
fn table_at(kernel: &Kernel<'_>, first: Gva) -> Vec<(Gva, u8)> {
    let width = u64::from(kernel.pointer_size());
    let slots = (FIRST_TYPE..=u8::MAX).map_while(|index| {
        let slot = u64::from(index.saturating_sub(FIRST_TYPE)).saturating_mul(width);
        let object = kernel.cursor().pointer(offset(first, slot)).ok()?;
        let has = kernel.is_kernel_address(object)
            && kernel.at(object).uint(ObjectType::Index).ok()? == u64::from(index);
        has.then_some((object, index))
    });
    slots.collect()
}

/// Types that headers point at.
fn by_headers(kernel: &Kernel<'_>, types: &mut Types) {
    let mut seen = BTreeSet::new();
    let mut add = |header: Gva| {
        let object = kernel.at(header).pointer(ObjectHeader::Type);
        if let Ok(object) = object
            && kernel.is_kernel_address(object)
            && seen.len() < WITNESSES
            && seen.insert(object)
            && let Ok(Some((name, index))) = named_type(kernel, object)
        {
            types.add(name, index, object, Evidence::Headers);
        }
    };
    for table in handle_tables(kernel) {
        let _ = handle::walk_up_to(kernel, table, HANDLES, |entry| add(entry.target));
    }
}

/// The directory `\ObjectTypes`.
fn object_types(kernel: &Kernel<'_>, gap: &mut Option<Unreadable>) -> Option<Gva> {
    let root = object::root_directory(kernel).ok()?;
    let inside = directory::contents(kernel.at(root));
    *gap = inside.gaps.into_iter().next();
    let is_it = |object: &Gva| {
        let name = object::header(kernel, *object).and_then(object::name);
        matches!(name, Ok(Some(name)) if name == "ObjectTypes")
    };
    inside.objects.into_iter().map(|(_, object)| object).find(is_it)
}

/// The name and the index of a type of objects. Its own copy of the name can be paged out, the other not.
fn named_type(kernel: &Kernel<'_>, object: Gva) -> Read<Option<(String, u8)>> {
    let own = kernel
        .at(object)
        .address_of(ObjectType::Name)
        .and_then(|at| kernel.text(at));
    let given = object::header(kernel, object).and_then(object::name);
    let name = match (own, given) {
        (Ok(own), Ok(Some(given))) if own == given => own,
        (Ok(_), Ok(_)) => return Ok(None),
        (Ok(own), Err(_)) => own,
        (Err(_), Ok(Some(given))) => given,
        (Err(hole), _) => return Err(hole),
    };
    let index = u8::try_from(kernel.at(object).uint(ObjectType::Index)?).unwrap_or(0);
    Ok((index >= FIRST_TYPE).then_some((name, index)))
}

/// A header of which the type is known.
struct Witness {
    at: Gva,
    held: u64,
    index: u8,
}

/// How headers hold the index of their type: as the headers of the types themselves and of the processes say,
/// whose types are known. Where both ways fit these, further headers decide, which must decode to some type.
fn encoding(kernel: &Kernel<'_>, types: &Types) -> Option<Encoding> {
    if !kernel.has(ObjectHeader::TypeIndex) {
        return None;
    }
    let witnesses = witnesses(kernel, types);
    let mut cookies: BTreeMap<u8, usize> = BTreeMap::new();
    let mut plain = 0_usize;
    for witness in &witnesses {
        let cookie = decode(Encoding::Cookie(witness.index), witness.at, witness.held);
        let count = cookies.entry(cookie).or_default();
        *count = count.saturating_add(1);
        plain = plain.saturating_add(usize::from(witness.held == u64::from(witness.index)));
    }
    let (cookie, count) = cookies.into_iter().max_by_key(|(_, count)| *count)?;
    Some(match plain.cmp(&count) {
        std::cmp::Ordering::Greater => Encoding::Plain,
        std::cmp::Ordering::Less => Encoding::Cookie(cookie),
        std::cmp::Ordering::Equal => by_handles(kernel, types, cookie),
    })
}

fn witnesses(kernel: &Kernel<'_>, types: &Types) -> Vec<Witness> {
    let index_of = |name: &str| {
        let found = types.by_name.get(name)?;
        let index = types.by_index.iter().find(|(_, object)| *object == found);
        index.map(|(index, _)| *index)
    };
    let of_types = index_of("Type").unwrap_or(FIRST_TYPE);
    let mut known: Vec<(Gva, u8)> = types
        .by_index
        .values()
        .map(|object| (*object, of_types))
        .collect();
    if let (Some(index), Ok(processes)) = (index_of("Process"), process::processes(kernel)) {
        known.extend(processes.entries.into_iter().map(|process| (process, index)));
    }
    let witness = |(object, index): (Gva, u8)| {
        let header = object::header(kernel, object).ok()?;
        // An object that is there is referenced.
        header
            .uint(ObjectHeader::PointerCount)
            .ok()
            .filter(|count| *count != 0)?;
        let held = header.uint(ObjectHeader::TypeIndex).ok()?;
        let at = header.address();
        Some(Witness { at, held, index })
    };
    known.into_iter().take(WITNESSES).filter_map(witness).collect()
}

/// The way by which more of the handles' objects have a type.
fn by_handles(kernel: &Kernel<'_>, types: &Types, cookie: u8) -> Encoding {
    let (mut plain, mut mixed, mut seen) = (0_usize, 0_usize, 0_usize);
    for table in handle_tables(kernel) {
        let _ = handle::walk_up_to(kernel, table, HANDLES, |entry| {
            let header = kernel.at(entry.target);
            if let Ok(held) = header.uint(ObjectHeader::TypeIndex) {
                let fits = |encoding| types.by_index.contains_key(&decode(encoding, entry.target, held));
                plain = plain.saturating_add(fits(Encoding::Plain).into());
                mixed = mixed.saturating_add(fits(Encoding::Cookie(cookie)).into());
                seen = seen.saturating_add(1);
            }
        });
        if seen >= WITNESSES {
            break;
        }
    }
    if mixed > plain {
        Encoding::Cookie(cookie)
    } else {
        Encoding::Plain
    }
}

/// The index that a header holds. Its own inverse: with an index for a cookie it gives the cookie.
#[allow(
    clippy::cast_possible_truncation,
    reason = "indices and the byte of the address are bytes"
)]
fn decode(encoding: Encoding, header: Gva, held: u64) -> u8 {
    match encoding {
        Encoding::Plain => held as u8,
        // A published header of Windows 10 at ffffaf8f18085dc0 holds 75: 75 ^ 5d = 28 is index and cookie
        // mixed. The formula is general knowledge; that types come out of it with the index of their slot is
        // what proves it here.
        Encoding::Cookie(cookie) => held as u8 ^ (header.u64() >> 8) as u8 ^ cookie,
    }
}

/// The head of the kernel's list of ports.
fn port_list(kernel: &Kernel<'_>) -> Option<Gva> {
    let mut tried = 0_usize;
    for table in handle_tables(kernel) {
        let mut ports = Vec::new();
        let body = kernel.offset(ObjectHeader::Body).ok()?;
        let _ = handle::walk_up_to(kernel, table, HANDLES, |entry| {
            let object = offset(entry.target, body);
            if ports.len() < RINGS && port::is_port(kernel.at(object)).unwrap_or(false) {
                ports.push(object);
            }
        });
        for port in ports {
            if let Some(head) = head_of_ring(kernel.at(port)) {
                return Some(head);
            }
            tried = tried.saturating_add(1);
            if tried >= RINGS {
                return None;
            }
        }
    }
    None
}

/// The one part of a port's ring that lies in the kernel's image; where nothing tells how far that goes, the one
/// that is no port. A port alone, or in a ring without such a part, proves nothing.
fn head_of_ring(port: At<'_, '_>) -> Option<Gva> {
    let kernel = port.kernel();
    let link = kernel.offset(Port::PortListEntry).ok()?;
    let own = port.address_of(Port::PortListEntry).ok()?;
    // Heads of lists are variables of the kernel, in its image; what is in the list is in pool.
    let others = list::walk_up_to(kernel, own, RING).entries;
    let image = image(kernel);
    let is_head = |entry: &Gva| match image {
        Some((base, end)) => (base..end).contains(&entry.u64()),
        None => {
            let object = Gva::new(entry.u64().wrapping_sub(link));
            port::is_port(kernel.at(object)).is_ok_and(|is_port| !is_port)
        }
    };
    let mut heads = others.into_iter().filter(is_head);
    heads.next().filter(|_| heads.next().is_none())
}

/// Where the kernel's image begins and ends, by its headers or by its entry in the list of modules.
fn image(kernel: &Kernel<'_>) -> Option<(u64, u64)> {
    let span = |base: u64, size: u64| Some((base, base.checked_add(size)?)).filter(|_| size != 0);
    if let Ok(image) = kdump::image_at(&kernel.space().cursor(), kernel.base()) {
        return span(image.base.u64(), image.size_of_image.into());
    }
    let head = kernel.global(Global::PsLoadedModuleList).ok()?;
    let link = kernel.offset(Module::InLoadOrderLinks).ok()?;
    let first = list::walk_up_to(kernel, head, 1).containers(link);
    let first = kernel.at(*first.entries.first()?);
    span(
        first.uint(Module::DllBase).ok()?,
        first.uint(Module::SizeOfImage).ok()?,
    )
}

impl Derived {
    /// The globals that the symbols do not have and that were found all the same.
    fn found(&self, kernel: &Kernel<'_>) -> Vec<DerivedGlobal> {
        const GLOBALS: [Global; 14] = [
            Global::PsActiveProcessHead,
            Global::PsLoadedModuleList,
            Global::KdDebuggerDataBlock,
            Global::PspCidTable,
            Global::KeTimeIncrement,
            Global::NtBuildLab,
            Global::KiProcessorBlock,
            Global::ObpRootDirectoryObject,
            Global::ObpTypeObjectType,
            Global::ObpDirectoryObjectType,
            Global::PsProcessType,
            Global::PsThreadType,
            Global::AlpcPortObjectType,
            Global::AlpcpPortList,
        ];
        let unknown = GLOBALS.into_iter().filter(|global| !kernel.is_told(*global));
        let found = unknown.filter_map(|global| {
            let (address, held) = (self.address(kernel, global), self.pointer(kernel, global));
            let (_, evidence) = address.or(held)?;
            Some(DerivedGlobal {
                name: global.name(),
                address: address.map(|(at, _)| kernel.addr(at)),
                holds: held.map(|(at, _)| kernel.addr(at)),
                evidence,
            })
        });
        let types = (!kernel.is_told(Global::ObTypeIndexTable)).then(|| self.type_table(kernel));
        found.chain(types.flatten()).collect()
    }

    /// How the types of objects were found, where the symbols do not say how.
    fn type_table(&self, kernel: &Kernel<'_>) -> Option<DerivedGlobal> {
        let types = self.types(kernel);
        types.encoding?;
        Some(DerivedGlobal {
            name: Global::ObTypeIndexTable.name(),
            address: types.table.map(|at| kernel.addr(at)),
            holds: None,
            evidence: types.evidence?,
        })
    }

    fn types(&self, kernel: &Kernel<'_>) -> &Types {
        self.types.get_or_init(|| {
            let table = self.address(kernel, Global::ObTypeIndexTable);
            let cookie = self.address(kernel, Global::ObHeaderCookie);
            plainly(kernel, |kernel| {
                read_types(kernel, table, cookie.map(|(at, _)| at))
            })
        })
    }

    /// The variables that are known of this kernel and that the dump does not tell; none where it has one elsewhere.
    fn add_published(&self, base: Gva, told: &mut BTreeMap<&'static str, (Gva, Evidence)>) {
        let Some((published, evidence)) = self.published.as_ref().filter(|_| base.u64() != 0) else {
            return;
        };
        // That the dump has one of them elsewhere is proof against the kernel; that all agree is none for it,
        // as 755 of 1,181 amd64 kernels share these addresses with another.
        let known: Vec<(&'static str, Gva)> = published::GLOBALS
            .into_iter()
            .filter_map(|name| Some((name, offset(base, published.rva(name)?.into()))))
            .collect();
        let is_elsewhere =
            |(name, at): &(&'static str, Gva)| told.get(name).is_some_and(|(told, _)| told != at);
        if !known.iter().any(is_elsewhere) {
            for (name, at) in known {
                told.entry(name).or_insert((at, *evidence));
            }
        }
    }
}
