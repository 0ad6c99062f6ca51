//! Layouts of real kernels, by name: the offsets, sizes and global addresses that worlds are built of.
//!
//! The numbers come from `layouts/kernels.tsv`, a checked-in extract of published layouts (written by
//! `cargo run -p synth --bin extract-layouts`). A name that is not there is a mistake in a test, so
//! every look-up that cannot be answered panics and says what was asked of which kernel.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use crate::machine::Machine;

mod assigned;
mod complete;
mod derived;
mod extract;
mod io;

/// Whether the members of a type follow each other or share their place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A structure (or class).
    Struct,
    /// A union.
    Union,
}

/// One member of a type, nested members included under their dotted path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Bytes from the start of the type.
    pub offset: u64,
    /// The member's name, or the dotted path through members of unnamed types (`u1.s1.QueueType`).
    pub path: String,
    /// The type, in the words of the table: `u32`, `i64`, `f64`, `_LIST_ENTRY`, `enum _BLOB_ID`,
    /// `ptr<_ALPC_PORT>`, `ptr<void>`, `ptr<fn>`, `[u8;15]`, and `{anon}` for an unnamed structure
    /// or union whose members follow. The pointee may be the one of a sister build of equal shape.
    pub ty: String,
    /// Size of the whole member in bytes; of the storage unit for a bit field.
    pub bytes: u64,
    /// Position of the lowest bit and number of bits, for a bit field.
    pub bit: Option<(u8, u8)>,
}

/// One structure or union.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Type {
    /// `_KALPC_MESSAGE` and the like.
    pub name: String,
    /// Structure or union.
    pub kind: Kind,
    /// Size in bytes.
    pub size: u64,
    /// Members by ascending offset, members of unnamed types after the member that holds them.
    pub fields: Vec<Field>,
}

impl Type {
    /// The member at `path`, if there is one.
    #[must_use]
    pub fn field(&self, path: &str) -> Option<&Field> {
        self.fields.iter().find(|f| f.path == path)
    }
}

/// A section of the kernel image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// Up to eight characters.
    pub name: String,
    /// RVA of its first byte.
    pub rva: u32,
    /// Size in memory, in bytes.
    pub size: u32,
    /// `IMAGE_SCN_*` flags.
    pub characteristics: u32,
}

/// One kernel: its identity, types, enumerations and globals.
#[derive(Clone, Debug)]
pub struct Kernel {
    name: String,
    version: [u32; 4],
    source: String,
    machine: Machine,
    guid: [u8; 16],
    age: u32,
    has_real_symbols: bool,
    types: BTreeMap<String, Arc<Type>>,
    enums: BTreeMap<String, Arc<Vec<(String, i64)>>>,
    globals: BTreeMap<String, u32>,
}

impl Kernel {
    /// The kernel of the extract with this name, one of [`Kernel::names`].
    ///
    /// # Panics
    /// When the extract has no such kernel; the message lists those it has.
    #[must_use]
    pub fn named(name: &str) -> Self {
        let found = all().iter().find(|k| k.name == name);
        found
            .unwrap_or_else(|| panic!("no kernel {name}; there are {}", Self::names().join(", ")))
            .clone()
    }

    /// Names of all kernels of the extract, 64-bit ones first, each group oldest first, and of those derived from them.
    #[must_use]
    pub fn names() -> Vec<&'static str> {
        all().iter().map(|k| k.name.as_str()).collect()
    }

    /// Names of the kernels whose complete symbol tables are known: their worlds have locks of the executive and
    /// services.
    #[must_use]
    pub fn complete() -> Vec<&'static str> {
        complete::names()
    }

    /// Names of the kernels that describe I/O requests: those with complete symbol tables, and one of each other
    /// machine.
    #[must_use]
    pub fn with_requests() -> Vec<&'static str> {
        let names = complete::names().into_iter();
        names.chain(io::OTHER_MACHINES).collect()
    }

    /// The name it was asked by.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where the layout was published, as an id of the table it was extracted from.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whether the layout is a published one, as opposed to one derived from it.
    #[must_use]
    pub fn is_published(&self) -> bool {
        !self.source.starts_with(derived::SOURCE)
    }

    /// Build number: 6002, 7601, 22621.
    #[must_use]
    pub fn build(&self) -> u32 {
        self.version[2]
    }

    /// File version: major, minor, build, revision.
    #[must_use]
    pub fn version(&self) -> [u32; 4] {
        self.version
    }

    /// The machine that it runs on. A 32-bit kernel of the extract is one with PAE.
    #[must_use]
    pub fn machine(&self) -> Machine {
        self.machine
    }

    /// 8 on x64 and ARM64, 4 on x86.
    #[must_use]
    pub fn pointer_size(&self) -> u64 {
        self.machine.pointer_size()
    }

    /// GUID of the PDB, in the order of the bytes of an RSDS record (the first three groups little-endian).
    #[must_use]
    pub fn guid(&self) -> [u8; 16] {
        self.guid
    }

    /// Age of the PDB.
    #[must_use]
    pub fn age(&self) -> u32 {
        self.age
    }

    /// `ntkrnlmp.pdb`, the PAE kernel's `ntkrpamp.pdb` of x86, or that of the kernel for five levels.
    #[must_use]
    pub fn pdb_name(&self) -> &'static str {
        match self.machine {
            Machine::X64 | Machine::X86 | Machine::Arm64 => "ntkrnlmp.pdb",
            Machine::Pae => "ntkrpamp.pdb",
            Machine::La57 => "ntkrla57.pdb",
        }
    }

    /// Whether GUID, age and RVAs are those of a real kernel, or assigned by this crate.
    #[must_use]
    pub fn has_real_symbols(&self) -> bool {
        self.has_real_symbols
    }

    /// The type of this name.
    ///
    /// # Panics
    /// When the kernel has no such type.
    #[must_use]
    pub fn type_(&self, name: &str) -> &Type {
        self.types
            .get(name)
            .unwrap_or_else(|| panic!("{} has no type {name}", self.name))
    }

    /// All types, by name.
    pub fn types(&self) -> impl Iterator<Item = &Type> {
        self.types.values().map(Arc::as_ref)
    }

    /// Whether the kernel has a type of this name.
    #[must_use]
    pub fn has_type(&self, name: &str) -> bool {
        self.types.contains_key(name)
    }

    /// Size of a type in bytes.
    ///
    /// # Panics
    /// When the kernel has no such type.
    #[must_use]
    pub fn size(&self, type_name: &str) -> u64 {
        self.type_(type_name).size
    }

    /// The member at `path`. A path may go on into members of named types (`Tcb.Header.Type`); the
    /// offset is then that from the start of `type_name`.
    ///
    /// # Panics
    /// When the kernel has no such type or the type no such member.
    #[must_use]
    pub fn field(&self, type_name: &str, path: &str) -> Field {
        let _ = self.type_(type_name);
        self.find(type_name, path)
            .unwrap_or_else(|| panic!("{} has no {type_name}.{path}", self.name))
    }

    /// Offset of the member at `path`, in bytes.
    ///
    /// # Panics
    /// As [`Kernel::field`].
    #[must_use]
    pub fn offset(&self, type_name: &str, path: &str) -> u64 {
        self.field(type_name, path).offset
    }

    /// Whether the kernel has the type and the type a member at `path`.
    #[must_use]
    pub fn has(&self, type_name: &str, path: &str) -> bool {
        self.find(type_name, path).is_some()
    }

    fn find(&self, type_name: &str, path: &str) -> Option<Field> {
        let ty = self.types.get(type_name)?;
        if let Some(field) = ty.field(path) {
            return Some(field.clone());
        }
        path.match_indices('.').find_map(|(dot, _)| {
            let holder = ty.field(&path[..dot])?;
            let inner = self.find(&holder.ty, &path[dot + 1..])?;
            Some(Field {
                offset: holder.offset + inner.offset,
                path: path.to_owned(),
                ..inner
            })
        })
    }

    /// Names and values of an enumeration.
    ///
    /// # Panics
    /// When the kernel's layout does not tell this enumeration.
    #[must_use]
    pub fn enumerators(&self, enum_name: &str) -> &[(String, i64)] {
        self.enums
            .get(enum_name)
            .unwrap_or_else(|| panic!("{} has no enum {enum_name}", self.name))
    }

    /// All enumerations, by name.
    pub fn enums(&self) -> impl Iterator<Item = (&str, &[(String, i64)])> {
        let pairs = self.enums.iter();
        pairs.map(|(name, values)| (name.as_str(), values.as_slice()))
    }

    /// RVA of a global, by its plain name (no leading underscore on x86).
    ///
    /// # Panics
    /// When the kernel has no such global.
    #[must_use]
    pub fn rva(&self, global: &str) -> u32 {
        self.try_rva(global)
            .unwrap_or_else(|| panic!("{} has no global {global}", self.name))
    }

    /// RVA of a global, if the kernel has it.
    #[must_use]
    pub fn try_rva(&self, global: &str) -> Option<u32> {
        self.globals.get(global).copied()
    }

    /// All globals with their RVAs, by name.
    pub fn globals(&self) -> impl Iterator<Item = (&str, u32)> {
        self.globals.iter().map(|(name, rva)| (name.as_str(), *rva))
    }

    /// Sections that hold every global. The tables tell RVAs only, so where one section ends and the
    /// next begins is this crate's choice; segment:offset and RVA agree, which is what counts.
    #[must_use]
    pub fn sections(&self) -> Vec<Section> {
        sections_around(self.globals.values().copied())
    }

    /// Size of the image in memory, in bytes, a multiple of the page size.
    #[must_use]
    pub fn image_size(&self) -> u32 {
        self.sections().last().map_or(0x1000, |s| s.rva + s.size)
    }
}

/// Sections that hold every one of these RVAs.
pub(crate) fn sections_around(rvas: impl Iterator<Item = u32>) -> Vec<Section> {
    assigned::sections(rvas)
}

/// The 32 digits of an identity as the bytes of an RSDS record: the first three groups are little-endian.
pub(crate) fn guid_bytes(digits: &str) -> Option<[u8; 16]> {
    let value = u128::from_str_radix(digits, 16).ok()?;
    let mut bytes = value.to_be_bytes();
    bytes[..4].reverse();
    bytes[4..6].reverse();
    bytes[6..8].reverse();
    Some(bytes)
}

fn all() -> &'static [Kernel] {
    static KERNELS: OnceLock<Vec<Kernel>> = OnceLock::new();
    KERNELS.get_or_init(|| {
        let mut kernels = extract::parse(include_str!("../layouts/kernels.tsv"));
        derived::add(&mut kernels);
        complete::add(&mut kernels);
        io::add(&mut kernels);
        kernels
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_offsets_of_the_vista_case() {
        let vista = Kernel::named("vista-sp2-x64");
        assert_eq!(vista.build(), 6002);
        // The semaphore at +0x390 of the waiting thread is in the published debugger output.
        assert_eq!(vista.offset("_ETHREAD", "AlpcWaitSemaphore"), 0x390);
        assert!(!vista.has("_OBJECT_HEADER", "TypeIndex"));
        assert!(vista.try_rva("ObTypeIndexTable").is_none());
    }

    #[test]
    fn paths_go_on_into_named_types() {
        let kernel = Kernel::named("win11-21h2-x64");
        let header = kernel.offset("_KTHREAD", "Header.WaitListHead");
        assert_eq!(kernel.offset("_ETHREAD", "Tcb.Header.WaitListHead"), header);
        assert_eq!(kernel.offset("_KALPC_MESSAGE", "PortMessage.ClientId"), 240 + 8);
        let queue = kernel.field("_KALPC_MESSAGE", "u1.s1.QueueType");
        assert_eq!(queue.bit, Some((0, 3)));
        assert!(!kernel.has("_KALPC_MESSAGE", "u1.s1.NoSuchBit"));
    }

    #[test]
    fn guid_bytes_are_those_of_the_record() {
        let kernel = Kernel::named("win81-x64");
        assert_eq!(
            kernel.guid()[..8],
            [0x2f, 0xbc, 0x1f, 0xf4, 0x30, 0x11, 0x65, 0x47]
        );
        assert_eq!(
            kernel.guid()[8..],
            [0xab, 0xa2, 0x51, 0xf1, 0x67, 0x52, 0xd8, 0x66]
        );
        assert_eq!(kernel.age(), 1);
    }

    #[test]
    fn every_global_is_inside_one_section() {
        for name in Kernel::names() {
            let kernel = Kernel::named(name);
            let sections = kernel.sections();
            for (global, rva) in kernel.globals() {
                let holds = |s: &&Section| s.rva <= rva && rva - s.rva < s.size;
                assert_eq!(sections.iter().filter(holds).count(), 1, "{name} {global}");
            }
        }
    }

    #[test]
    fn assigned_globals_do_not_overlap() {
        let vista = Kernel::named("vista-sp2-x64");
        let mut rvas: Vec<u32> = vista.globals().map(|(_, rva)| rva).collect();
        rvas.sort_unstable();
        assert!(rvas.windows(2).all(|w| w[1] - w[0] >= 0x80));
    }

    #[test]
    #[should_panic(expected = "vista-sp2-x64 has no _ALPC_PORT.DirectQueue")]
    fn a_missing_member_is_named() {
        let _ = Kernel::named("vista-sp2-x64").offset("_ALPC_PORT", "DirectQueue");
    }
}
