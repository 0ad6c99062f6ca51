//! Contracts and whole types, resolved over anything that can list the members of a type.

use std::collections::HashMap;

use crate::contract::{Contract, FieldSpec, Need};
use crate::error::SymbolError;
use crate::layout::{BitField, Certainty, Field, Layout, Missing};
use crate::table::{Member, SymbolTable, TypeInfo};

/// Anonymous types nested deeper than this are not expanded.
const MAX_DEPTH: usize = 16;
/// More members than this in one printed type, nested ones included, are a damaged or hostile table.
const MAX_MEMBERS: usize = 20_000;
/// More bytes of names than this in one printed type are too: one long name can be that of many members.
const MAX_TEXT: usize = 8 << 20;

/// A type of a table, by whatever number the table gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct TypeId(pub(crate) u32);

/// A member as declared: its type is only looked at when somebody wants it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot<'a> {
    pub(crate) name: &'a [u8],
    pub(crate) offset: u32,
    pub(crate) ty: TypeId,
}

/// What resolution needs of a symbol table.
pub(crate) trait TypeSource {
    /// The complete structure, class or union of that name.
    fn definition(&self, name: &str) -> Result<Option<TypeId>, SymbolError>;
    /// Bytes of a type.
    fn size(&self, ty: TypeId) -> Result<Option<u32>, SymbolError>;
    /// Position and length, if the type is a bit field.
    fn bits(&self, ty: TypeId) -> Result<Option<BitField>, SymbolError>;
    /// Members in declaration order; none for a type that is no structure, class or union.
    fn members(&self, ty: TypeId) -> Result<Vec<Slot<'_>>, SymbolError>;
    /// Whether it is a structure or union without a name of its own.
    fn is_anonymous(&self, ty: TypeId) -> Result<bool, SymbolError>;
    /// How the debugger prints the type.
    fn print(&self, ty: TypeId) -> Result<String, SymbolError>;
    /// Something contradicts itself.
    fn corrupt(&self, detail: String) -> SymbolError;
}

/// Resolves all of a contract.
pub(crate) fn resolve<T: SymbolTable + TypeSource>(
    table: &T,
    contract: &Contract,
) -> Result<Layout, SymbolError> {
    let mut walk = Walk {
        table,
        types: HashMap::new(),
        members: HashMap::new(),
    };
    let mut missing = Vec::new();
    let mut fields = Vec::with_capacity(contract.fields.len());
    for spec in contract.fields {
        let field = walk.field(spec)?;
        if field.is_none() && spec.need == Need::Required {
            note(&mut missing, walk.absence(spec)?);
        }
        fields.push(field);
    }
    let mut type_sizes = Vec::with_capacity(contract.types.len());
    for name in contract.types {
        let size = walk.definition(name)?.map(|ty| table.size(ty)).transpose()?;
        type_sizes.push(size.flatten());
    }
    let mut globals = Vec::with_capacity(contract.globals.len());
    for spec in contract.globals {
        let rva = table.global(spec.name)?;
        if rva.is_none() && spec.need == Need::Required {
            missing.push(Missing::Global { name: spec.name });
        }
        globals.push(rva);
    }
    let identity = table.identity().cloned();
    Ok(Layout {
        fields,
        type_sizes,
        globals,
        missing,
        identity,
        origin: table.origin().clone(),
        certainty: Certainty::Exact,
        disputed: Vec::new(),
        untold: Vec::new(),
        disputed_sizes: Vec::new(),
        filled: Vec::new(),
    })
}

fn note(missing: &mut Vec<Missing>, one: Missing) {
    if !missing.contains(&one) {
        missing.push(one);
    }
}

/// What one resolution has seen, so that each type is looked at once.
struct Walk<'t, T> {
    table: &'t T,
    types: HashMap<&'static str, Option<TypeId>>,
    members: HashMap<TypeId, Vec<Slot<'t>>>,
}

impl<'t, T: TypeSource> Walk<'t, T> {
    fn definition(&mut self, name: &'static str) -> Result<Option<TypeId>, SymbolError> {
        if let Some(&known) = self.types.get(name) {
            return Ok(known);
        }
        let found = self.table.definition(name)?;
        self.types.insert(name, found);
        Ok(found)
    }

    fn absence(&mut self, spec: &FieldSpec) -> Result<Missing, SymbolError> {
        let FieldSpec {
            ty, name, spellings, ..
        } = *spec;
        let known = self.definition(ty)?.is_some();
        Ok(if known {
            Missing::Field { ty, name, spellings }
        } else {
            Missing::Type { ty }
        })
    }

    fn field(&mut self, spec: &FieldSpec) -> Result<Option<Field>, SymbolError> {
        let Some(owner) = self.definition(spec.ty)? else {
            return Ok(None);
        };
        // Members are renamed: `_EPROCESS.Wow64Process` became `WoW64Process` in 10586, `_ALPC_PORT.Lock`
        // `PortObjectLock` in Windows 8, `_KALPC_HANDLE_DATA.Flags` `Count` in 14393 (layouts of 305 kernels).
        // Which one hit is kept, since the meaning can change with the name.
        for (spelling, path) in (0u8..).zip(spec.spellings) {
            if let Some(place) = self.place(owner, path)? {
                return self.describe(place, spelling);
            }
        }
        Ok(None)
    }

    fn describe(&self, (offset, ty): (u32, TypeId), spelling: u8) -> Result<Option<Field>, SymbolError> {
        let size = self.table.size(ty)?;
        // The width is that of the symbols: `_ALPC_HANDLE_TABLE.TotalHandles` has four bytes or eight,
        // `_BLOB.ReferenceCount` too, and `_OBJECT_TYPE.Index` has four in Vista and one since.
        let bits = bits_inside(self.table, ty, size)?;
        Ok(Some(Field {
            offset,
            // A structure that the table only declares: its place is known all the same.
            size: size.unwrap_or(0),
            bits,
            spelling,
        }))
    }

    /// Follows a dotted path. A part that names an anonymous member may be absent, from a flattened table.
    fn place(&mut self, owner: TypeId, path: &str) -> Result<Option<(u32, TypeId)>, SymbolError> {
        let mut scope = (0u32, owner);
        let mut parts = path.split('.').peekable();
        while let Some(part) = parts.next() {
            let last = parts.peek().is_none();
            match self.member(scope.1, part)? {
                Some((offset, ty)) => {
                    let Some(offset) = scope.0.checked_add(offset) else {
                        return Ok(None);
                    };
                    scope = (offset, ty);
                }
                // Kernels have `u1.s1.QueueType`, in tables of some tools `QueueType` alone: the members of
                // anonymous types moved up into their owner.
                None if !last && names_anonymous(part) => {}
                None => return Ok(None),
            }
        }
        Ok(Some(scope))
    }

    fn member(&mut self, owner: TypeId, name: &str) -> Result<Option<(u32, TypeId)>, SymbolError> {
        let members = match self.members.entry(owner) {
            std::collections::hash_map::Entry::Occupied(known) => known.into_mut(),
            std::collections::hash_map::Entry::Vacant(new) => new.insert(self.table.members(owner)?),
        };
        let slot = members.iter().find(|slot| slot.name == name.as_bytes());
        Ok(slot.map(|slot| (slot.offset, slot.ty)))
    }
}

/// The bits of a bit field. Bits outside of its storage unit would read as zero, and be taken for a value.
fn bits_inside<T: TypeSource>(
    table: &T,
    ty: TypeId,
    unit: Option<u32>,
) -> Result<Option<BitField>, SymbolError> {
    let Some(bits) = table.bits(ty)? else {
        return Ok(None);
    };
    let end = u32::from(bits.position).saturating_add(bits.length.into());
    if bits.length == 0 || end > unit.unwrap_or(8).min(8).saturating_mul(8) {
        let BitField { position, length } = bits;
        return Err(table.corrupt(format!(
            "a bit field of {length} bits at bit {position} of {} bytes",
            unit.unwrap_or(8)
        )));
    }
    Ok(Some(bits))
}

/// Whether a path's part is one by which kernel headers name members of anonymous types: u, u1, s1, e2.
fn names_anonymous(part: &str) -> bool {
    let digits = part.strip_prefix(|first: char| first.is_ascii_lowercase());
    digits.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Reads a whole type for printing.
pub(crate) fn type_info<T: TypeSource>(table: &T, name: &str) -> Result<Option<TypeInfo>, SymbolError> {
    let Some(ty) = table.definition(name)? else {
        return Ok(None);
    };
    let Some(size) = table.size(ty)? else {
        return Ok(None);
    };
    let mut budget = Budget {
        members: MAX_MEMBERS,
        text: MAX_TEXT,
    };
    let members = expand(table, ty, 0, 0, &mut budget)?;
    Ok(Some(TypeInfo {
        name: name.to_owned(),
        size,
        members,
    }))
}

/// What a printed type may still have.
struct Budget {
    members: usize,
    text: usize,
}

fn expand<T: TypeSource>(
    table: &T,
    ty: TypeId,
    base: u32,
    depth: usize,
    budget: &mut Budget,
) -> Result<Vec<Member>, SymbolError> {
    let slots = table.members(ty)?;
    let too_many = || table.corrupt(format!("a type of more than {MAX_MEMBERS} members"));
    let too_long = || table.corrupt(format!("a type of more than {MAX_TEXT} bytes of names"));
    budget.members = budget.members.checked_sub(slots.len()).ok_or_else(too_many)?;
    let mut members = Vec::with_capacity(slots.len());
    for slot in slots {
        let name = String::from_utf8_lossy(slot.name).into_owned();
        let too_far = || table.corrupt(format!("member {name} is beyond 4 GiB"));
        let offset = base.checked_add(slot.offset).ok_or_else(too_far)?;
        let nested = if depth < MAX_DEPTH && table.is_anonymous(slot.ty)? {
            expand(table, slot.ty, offset, depth.saturating_add(1), budget)?
        } else {
            Vec::new()
        };
        let (type_name, size) = (table.print(slot.ty)?, table.size(slot.ty)?);
        let text = name.len().saturating_add(type_name.len());
        budget.text = budget.text.checked_sub(text).ok_or_else(too_long)?;
        members.push(Member {
            offset,
            name,
            type_name,
            size,
            bits: bits_inside(table, slot.ty, size)?,
            members: nested,
        });
    }
    Ok(members)
}
