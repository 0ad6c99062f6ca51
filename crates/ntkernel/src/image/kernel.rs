//! A dump, its kernel's layout and its globals, tied together.

use std::any::Any;
use std::cell::OnceCell;
use std::fmt;
use std::sync::Arc;

use kdump::{AddressSpace, Cursor, Dump, FileOffset, FileTime, Gva};
use ntlayout::{Certainty, Contract, Field, Layout, Missing, Need};

use crate::image::budget::{Budget, Claims, Owner, Part, Watch};
use crate::image::contract::{self, Global, Member, Type};
use crate::image::globals::{DerivedGlobal, Evidence};
use crate::image::names::Names;
use crate::image::raw::Raw;
use crate::image::redact::Redaction;
use crate::image::root_set::Roots;
use crate::image::trace::Trace;
pub use crate::image::value::Read;
use crate::image::value::{Addr, Unreadable, Value, within};
pub use crate::image::value::{before, offset};

/// Finds what the symbols of a kernel lack. A kernel asks it, and does not care how it looks.
pub trait Globals: Send {
    /// Address of a global.
    fn address(&self, kernel: &Kernel<'_>, global: Global) -> Option<(Gva, Evidence)>;

    /// The pointer that a global holds whose address nothing tells.
    fn pointer(&self, kernel: &Kernel<'_>, global: Global) -> Option<(Gva, Evidence)>;

    /// The type whose index the object header at an address holds; where the symbols have no table of types.
    ///
    /// # Errors
    /// When the types were not found, or the index is that of none.
    fn type_of_index(&self, kernel: &Kernel<'_>, header: Gva, held: u64) -> Read<Gva>;

    /// The globals that the symbols do not have and that were found all the same.
    fn all(&self, kernel: &Kernel<'_>) -> Vec<DerivedGlobal>;

    /// The same that has found nothing yet.
    fn afresh(&self) -> Box<dyn Globals>;
}

/// The kernel in a dump: all walks start here.
///
/// It carries the translation cache of its reads, so it is `Send` but not `Sync`; one for each walk or thread
/// costs little.
pub struct Kernel<'d> {
    dump: &'d Dump,
    cursor: Cursor<'d>,
    contract: &'static Contract,
    layout: Layout,
    base: Gva,
    trace: Option<Arc<Trace>>,
    redaction: Option<Arc<Redaction>>,
    globals: Box<dyn Globals>,
    names: Option<&'d dyn Names>,
    tied: Option<Arc<dyn Any + Send + Sync>>,
    roots: OnceCell<Roots>,
    budget: Arc<Budget>,
    claims: Claims,
}

impl<'d> Kernel<'d> {
    /// Ties a dump to the layout of its kernel, whose image begins at `base`: what a symbol table resolved of a contract
    /// that begins with this crate's [`CONTRACT`](contract::CONTRACT).
    ///
    /// Members and globals that the symbols lack do not matter here; they are in [`Layout::missing`], and
    /// whatever needs them says so. `globals` finds the variables that they lack.
    #[must_use]
    pub fn new(
        dump: &'d Dump,
        base: Gva,
        contract: &'static Contract,
        layout: Layout,
        globals: Box<dyn Globals>,
    ) -> Self {
        Self {
            contract,
            dump,
            cursor: dump.kernel_space().cursor(),
            layout,
            base,
            trace: None,
            redaction: None,
            globals,
            names: None,
            tied: None,
            roots: OnceCell::new(),
            budget: Arc::new(Budget::of(dump.file_len())),
            claims: Claims::default(),
        }
    }

    /// The same, with what the redaction covers replaced in all records.
    #[must_use]
    pub fn redacted(self, redaction: Arc<Redaction>) -> Self {
        Self {
            redaction: Some(redaction),
            ..self
        }
    }

    /// The same kernel as it is, to look for things by their names and ids.
    #[must_use]
    pub fn unredacted(&self) -> Self {
        Self {
            dump: self.dump,
            cursor: self.space().cursor(),
            contract: self.contract,
            layout: self.layout.clone(),
            base: self.base,
            trace: self.trace.clone(),
            redaction: None,
            globals: self.globals.afresh(),
            names: self.names,
            tied: self.tied.clone(),
            roots: OnceCell::new(),
            budget: Arc::clone(&self.budget),
            claims: Claims::default(),
        }
    }

    /// The same kernel with no read noted, for a search through all that is in the file: where a value comes from is a
    /// place, not each place that was passed on the way to it.
    pub fn untraced(&self) -> Self {
        Self {
            trace: None,
            ..self.unredacted()
        }
    }

    /// What is replaced in records, if anything is.
    #[must_use]
    pub fn redaction(&self) -> Option<&Redaction> {
        self.redaction.as_deref()
    }

    /// The same, with somebody who names its functions.
    #[must_use]
    pub fn named_by(self, names: &'d dyn Names) -> Self {
        Self {
            names: Some(names),
            ..self
        }
    }

    /// Who names its functions.
    #[must_use]
    pub fn names(&self) -> Option<&'d dyn Names> {
        self.names
    }

    /// The same, with something that walks of a crate above may want and this one knows nothing of. The last one stands.
    #[must_use]
    pub fn tied_to<T: Any + Send + Sync>(self, what: Arc<T>) -> Self {
        Self {
            tied: Some(what),
            ..self
        }
    }

    /// What was tied to it, if that is a `T`.
    #[must_use]
    pub fn tied<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        Arc::clone(self.tied.as_ref()?).downcast().ok()
    }

    /// The same, with every read noted in `trace`.
    #[must_use]
    pub fn traced(self, trace: Arc<Trace>) -> Self {
        Self {
            trace: Some(trace),
            ..self
        }
    }

    /// The same, with somebody who sees how far its walks are and may end them.
    #[must_use]
    pub fn watched(self, watch: Arc<dyn Watch>) -> Self {
        Self {
            budget: Arc::new(self.budget.watched(watch)),
            ..self
        }
    }

    pub(crate) fn trace(&self) -> Option<&Trace> {
        self.trace.as_deref()
    }

    /// The dump that is read.
    #[must_use]
    pub fn dump(&self) -> &'d Dump {
        self.dump
    }

    /// What the layout is of.
    #[must_use]
    pub fn contract(&self) -> &'static Contract {
        self.contract
    }

    /// The layout in use.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Where the kernel image begins.
    #[must_use]
    pub fn base(&self) -> Gva {
        self.base
    }

    /// The kernel's address space.
    #[must_use]
    pub fn space(&self) -> AddressSpace<'d> {
        self.cursor.space()
    }

    /// Bytes of a pointer.
    #[must_use]
    pub fn pointer_size(&self) -> u32 {
        self.space().pointer_width()
    }

    /// An address for a record.
    #[must_use]
    pub fn addr(&self, gva: Gva) -> Addr {
        Addr::new(gva, self.pointer_size())
    }

    /// Whether an address is in the upper half of the address space, where the kernel's memory is, and one that
    /// the processor can use.
    #[must_use]
    pub fn is_kernel_address(&self, gva: Gva) -> bool {
        match self.pointer_size() {
            // Started with /3GB (increaseuserva), x86 gives the kernel only what is above c0000000 or so; its
            // addresses are among these all the same.
            4 => (0x8000_0000..=0xffff_ffff).contains(&gva.u64()),
            // With 5-level paging the upper half begins at ff00000000000000.
            _ => gva.u64() >= 0xff00_0000_0000_0000,
        }
    }

    /// A structure at an address.
    #[must_use]
    pub fn at(&self, address: Gva) -> At<'_, 'd> {
        At {
            kernel: self,
            address,
        }
    }

    /// Reads of what no member of the contract describes.
    pub fn cursor(&self) -> Raw<'_, 'd> {
        Raw::new(&self.cursor, self.trace(), &self.budget)
    }

    /// What was read so far, and what may be.
    #[must_use]
    pub fn budget(&self) -> &Budget {
        &self.budget
    }

    /// A name that was read before and is told again: what many records have in common is paid for by each.
    pub fn again(&self, name: &Value<Option<String>>) -> Value<Option<String>> {
        let length = name.known().and_then(Option::as_ref).map_or(0, String::len);
        match self.budget.text(length) {
            Ok(()) => name.clone(),
            Err(hole) => Err(hole).into(),
        }
    }

    /// Gives the thing at an address to an owner, who may come back for it. What cannot be read belongs to nobody.
    ///
    /// # Errors
    /// The owner that it has already.
    pub fn claim(&self, part: Part, at: Gva, owner: Owner) -> Result<(), Owner> {
        match self.place(at) {
            Ok(place) => self.claims.claim(part, place, owner),
            Err(_) => Ok(()),
        }
    }

    /// The type whose index the object header at an address holds, where the symbols have no table of types.
    ///
    /// # Errors
    /// When the types were not found, or the index is that of none.
    pub(crate) fn type_of_index(&self, header: Gva, held: u64) -> Read<Gva> {
        self.globals.type_of_index(self, header, held)
    }

    /// What tells a thing from others however page tables show it: its place in the file, or where it is not in the
    /// file its address.
    pub(crate) fn identity(&self, at: Gva) -> Result<FileOffset, u64> {
        self.place(at).map_err(|_| at.u64())
    }

    /// Where the byte at an address is in the file: the same for all addresses that page tables show it at.
    pub(crate) fn place(&self, at: Gva) -> Read<FileOffset> {
        self.budget.member()?;
        Ok(self.cursor.place(at)?)
    }

    /// Where the threads that are known without any list are kept, once they are read.
    pub(crate) fn roots(&self) -> &OnceCell<Roots> {
        &self.roots
    }

    /// Where a member is in its structure.
    ///
    /// # Errors
    /// Why the symbols in use do not tell it.
    pub fn field<M: Member>(&self, member: M) -> Read<Field> {
        let index = member.index();
        self.layout.field(index).ok_or_else(|| {
            let (ty, spec) = (M::TYPE.name, member.spec());
            let member = spec.name;
            if self.layout.is_disputed(index) {
                Unreadable::Disputed { ty, member }
            } else if self.layout.is_untold(index) {
                Unreadable::NotTold { ty, member }
            } else if spec.need == Need::Required {
                Unreadable::Lacking { ty, member }
            } else {
                Unreadable::NoMember { ty, member }
            }
        })
    }

    /// Whether this kernel has the member.
    #[must_use]
    pub fn has<M: Member>(&self, member: M) -> bool {
        self.field(member).is_ok()
    }

    /// Bytes from the start of its structure to the member.
    ///
    /// # Errors
    /// [`Unreadable::NoMember`] when this kernel does not have it.
    pub fn offset<M: Member>(&self, member: M) -> Read<u64> {
        self.field(member).map(|field| field.offset.into())
    }

    /// Size of a structure in bytes.
    ///
    /// # Errors
    /// [`Unreadable::NoMember`] when this kernel does not have it.
    pub fn size_of<M: Member>(&self) -> Read<u64> {
        let Type { index, name: ty } = M::TYPE;
        let size = self.layout.type_size(index).map(u64::from);
        let (disputed, member) = (self.layout.is_size_disputed(index), "(size)");
        size.ok_or(if disputed {
            Unreadable::Disputed { ty, member }
        } else {
            Unreadable::NoMember { ty, member }
        })
    }

    /// Address of a global variable: by the symbols, else by what the dump itself tells.
    ///
    /// # Errors
    /// [`Unreadable::NoGlobal`] when the symbols lack it and nothing else leads to it.
    pub fn global(&self, global: Global) -> Read<Gva> {
        let at = match self.layout.global(global as usize) {
            // Symbols know places in the image; the image itself is loaded anywhere: since Vista its base
            // differs from start to start (Windows Internals, 7th ed., address space layout randomization).
            Some(rva) => offset(self.base, rva.into()),
            None => (self.globals.address(self, global))
                .map(|(address, _)| address)
                .ok_or(Unreadable::NoGlobal { name: global.name() })?,
        };
        if let Some(trace) = self.trace() {
            trace.place_global(global, at);
        }
        Ok(at)
    }

    /// The pointer that a global variable holds. Where the symbols lack the variable, what it points to may be
    /// known all the same.
    ///
    /// # Errors
    /// When the symbols lack it and nothing else leads to what it holds, or its memory is not in the dump.
    pub fn global_pointer(&self, global: Global) -> Read<Gva> {
        let held = self.global(global).and_then(|at| self.cursor().pointer(at));
        match held {
            Err(_) if !self.is_told(global) => {
                let derived = self.globals.pointer(self, global);
                derived.map_or(held, |(pointer, _)| Ok(pointer))
            }
            held => held,
        }
    }

    /// Whether the symbols have the global.
    #[must_use]
    pub fn is_told(&self, global: Global) -> bool {
        self.layout.global(global as usize).is_some()
    }

    /// Whether a variable that the symbols do not have is none that this kernel has. A layout that was chosen among those of
    /// other kernels does not say; nor does what several have in common, which lacks what one of them has elsewhere.
    #[must_use]
    pub fn has_own_globals(&self) -> bool {
        match self.layout.certainty() {
            Certainty::Invariants | Certainty::Forced => false,
            Certainty::Addresses => self.layout.identity().is_some(),
            _ => true,
        }
    }

    /// Every required thing that neither the symbols nor the dump itself tell.
    #[must_use]
    pub fn missing(&self) -> Vec<Missing> {
        let derived = self.derived_globals();
        // A layout without an image tells no global at all, and most of them matter to no view.
        let chosen = matches!(self.layout.certainty(), Certainty::Invariants | Certainty::Forced);
        let is_missing = |missing: &&Missing| match missing {
            Missing::Global { name } => {
                let matters = !chosen || contract::is_missed(missing);
                matters && !derived.iter().any(|global| global.name == *name)
            }
            _ => true,
        };
        self.layout.missing().iter().filter(is_missing).cloned().collect()
    }

    /// The globals that the symbols lack and the dump itself tells, each with what led to it.
    #[must_use]
    pub fn derived_globals(&self) -> Vec<DerivedGlobal> {
        self.globals.all(self)
    }

    /// The text of a `_UNICODE_STRING`, with U+FFFD for what is not valid UTF-16. It is as its creator wrote
    /// it: control characters and all.
    ///
    /// # Errors
    /// When the structure or any of its units is not in the dump.
    pub fn text(&self, at: Gva) -> Read<String> {
        self.cursor().text(at)
    }
}

impl fmt::Debug for Kernel<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kernel")
            .field("base", &self.base)
            .field("identity", &self.layout.identity())
            .finish()
    }
}

/// A structure in kernel memory, read member by member.
#[derive(Clone, Copy, Debug)]
pub struct At<'k, 'd> {
    kernel: &'k Kernel<'d>,
    address: Gva,
}

impl<'k, 'd> At<'k, 'd> {
    /// Where the structure begins.
    #[must_use]
    pub fn address(self) -> Gva {
        self.address
    }

    /// The kernel that it is part of.
    #[must_use]
    pub fn kernel(self) -> &'k Kernel<'d> {
        self.kernel
    }

    /// Address of a member.
    ///
    /// # Errors
    /// [`Unreadable::NoMember`] when this kernel does not have it.
    pub fn address_of<M: Member>(self, member: M) -> Read<Gva> {
        let field = self.kernel.field(member)?;
        let at = within(self.kernel.addr(self.address), field.offset.into())?;
        if let Some(trace) = self.kernel.trace() {
            trace.place_member(member.index(), self.address, at, field.size);
        }
        Ok(at)
    }

    /// A structure that is a member of this one.
    ///
    /// # Errors
    /// [`Unreadable::NoMember`] when this kernel does not have it.
    pub fn embedded<M: Member>(self, member: M) -> Read<Self> {
        Ok(self.kernel.at(self.address_of(member)?))
    }

    /// The member's value, of whatever size the symbols give it; a bit field is shifted down.
    ///
    /// # Errors
    /// When this kernel has no such member or its memory is not in the dump.
    pub fn uint<M: Member>(self, member: M) -> Read<u64> {
        let value = self.true_uint(member)?;
        Ok(match self.kernel.redaction() {
            Some(redaction) => redaction.value(member.index(), value),
            None => value,
        })
    }

    /// The member's value also where it is an id that records must not tell.
    pub fn true_uint<M: Member>(self, member: M) -> Read<u64> {
        let field = self.kernel.field(member)?;
        let at = within(self.kernel.addr(self.address), field.offset.into())?;
        if let Some(trace) = self.kernel.trace() {
            trace.member(member.index(), self.address, at, field)?;
        }
        self.kernel.budget.member()?;
        let raw = self.kernel.cursor.uint(at, field.size)?;
        Ok(field.bits.map_or(raw, |bits| {
            let mask = u64::MAX
                .checked_shr(64_u32.saturating_sub(bits.length.into()))
                .unwrap_or(0);
            raw.checked_shr(bits.position.into()).unwrap_or(0) & mask
        }))
    }

    /// A member of at most four bytes.
    ///
    /// # Errors
    /// As [`At::uint`].
    #[allow(
        clippy::cast_possible_truncation,
        reason = "the member is declared with at most four bytes"
    )]
    pub fn u32<M: Member>(self, member: M) -> Read<u32> {
        self.uint(member).map(|value| value as u32)
    }

    /// A member of at most two bytes.
    ///
    /// # Errors
    /// As [`At::uint`].
    #[allow(
        clippy::cast_possible_truncation,
        reason = "the member is declared with at most two bytes"
    )]
    pub fn u16<M: Member>(self, member: M) -> Read<u16> {
        self.uint(member).map(|value| value as u16)
    }

    /// Whether a one-bit or boolean member is set.
    ///
    /// # Errors
    /// As [`At::uint`].
    pub fn flag<M: Member>(self, member: M) -> Read<bool> {
        self.uint(member).map(|value| value != 0)
    }

    /// The names of those bits that are set, of all that this kernel has.
    pub fn set_bits<M: Member>(self, bits: &[(M, &'static str)]) -> Read<Vec<&'static str>> {
        let mut set = Vec::new();
        for &(bit, name) in bits {
            match self.flag(bit) {
                Ok(true) => set.push(name),
                Ok(false) => {}
                Err(hole) if hole.is_absence() => {}
                Err(hole) => return Err(hole),
            }
        }
        Ok(set)
    }

    /// A member that is a pointer.
    ///
    /// # Errors
    /// As [`At::uint`].
    pub fn pointer<M: Member>(self, member: M) -> Read<Gva> {
        self.uint(member).map(Gva::new)
    }

    /// A member that is a point in time, in 100 ns since 1601; none for 0, which means that it has not come.
    pub(crate) fn time<M: Member>(self, member: M) -> Value<Option<FileTime>> {
        let time = self.uint(member);
        time.map(|ticks| (ticks != 0).then_some(FileTime(ticks))).into()
    }

    /// A pointer to a thing that there need not be: none for a null pointer.
    pub(crate) fn addr_of_thing<M: Member>(self, member: M) -> Value<Option<Addr>> {
        let pointer = self.pointer(member);
        pointer
            .map(|gva| (gva.u64() != 0).then(|| self.kernel.addr(gva)))
            .into()
    }

    /// A pointer member, as an address for a record.
    pub fn addr<M: Member>(self, member: M) -> Value<Addr> {
        self.pointer(member).map(|gva| self.kernel.addr(gva)).into()
    }
}
