//! What a contract resolved to: plain data, indexed as the contract is.

use std::fmt;

use crate::contract::{Contract, FieldSpec};
use crate::identity::Identity;
use crate::origin::Origin;

/// Which bits of its storage unit a bit field takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BitField {
    /// Lowest bit, counted from the least significant one.
    pub position: u8,
    /// Number of bits, 1 to 64.
    pub length: u8,
}

impl fmt::Display for BitField {
    /// As the debugger's `dt` has it: `Pos 3, 4 Bits`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.length == 1 { "" } else { "s" };
        write!(f, "Pos {}, {} Bit{plural}", self.position, self.length)
    }
}

/// Where a field is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Field {
    /// Bytes from the start of the type named in the contract, through all nested members.
    pub offset: u32,
    /// Bytes of the member's declared type; for a bit field, of its storage unit; 0 for a structure that the table only
    /// declares.
    pub size: u32,
    /// Position and length, if the member is a bit field.
    pub bits: Option<BitField>,
    /// Index of the contract's spelling that was found.
    pub spelling: u8,
}

/// No number or pointer of a kernel is larger: what is, is a structure.
const LARGEST_NUMBER: u32 = 8;

impl Field {
    /// Whether a member of another layout is the same: at the same place, and of the same size unless both are
    /// structures, whose own members have places of their own.
    fn begins_as(self, other: Self) -> bool {
        let are_structures = self.size.min(other.size) > LARGEST_NUMBER;
        self == Self {
            size: if are_structures { self.size } else { other.size },
            ..other
        }
    }
}

/// A required thing that a symbol table does not have.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Missing {
    /// The whole type is not there; its fields are not listed again.
    Type {
        /// The type's name.
        ty: &'static str,
    },
    /// The type is there, and has the field in none of its spellings.
    Field {
        /// The type's name.
        ty: &'static str,
        /// The caller's name of the field.
        name: &'static str,
        /// What was looked for.
        spellings: &'static [&'static str],
    },
    /// The global is not there, with or without a leading underscore.
    Global {
        /// Its name.
        name: &'static str,
    },
}

impl Missing {
    /// The type that is missing or lacks a field.
    #[must_use]
    pub fn ty(&self) -> Option<&'static str> {
        match self {
            Self::Type { ty } | Self::Field { ty, .. } => Some(ty),
            Self::Global { .. } => None,
        }
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Type { ty } => write!(f, "type {ty}"),
            Self::Field { ty, spellings, .. } => write!(f, "{ty}.{}", spellings.join(" or .")),
            Self::Global { name } => write!(f, "global {name}"),
        }
    }
}

/// How sure it is that a layout is that of the image it is used for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Certainty {
    /// The image names these symbols by GUID and age.
    #[default]
    Exact,
    /// The image's own name for them cannot be read; its time stamp and size are those of the published kernel whose symbols
    /// these are.
    Stamp,
    /// The image does not say, and its addresses are where these symbols have them.
    Addresses,
    /// The image's own symbols are not known; of all that are, these explain what its memory holds.
    Invariants,
    /// They are of another image, or not known to be of this, and are used because somebody wanted it so.
    Forced,
}

impl fmt::Display for Certainty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Exact => "exact",
            Self::Stamp => "identified by time stamp and size",
            Self::Addresses => "identified by addresses",
            Self::Invariants => "chosen by invariants",
            Self::Forced => "forced, not known to be of this kernel",
        })
    }
}

/// A type that a table lacks, and whose places are those of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filled {
    /// The type's name.
    pub ty: &'static str,
    /// Where its places are from.
    pub origin: Origin,
    /// How sure it is that they are those of the image.
    pub certainty: Certainty,
}

/// A resolved [`Contract`](crate::Contract).
#[derive(Clone, Debug)]
pub struct Layout {
    pub(crate) fields: Vec<Option<Field>>,
    pub(crate) type_sizes: Vec<Option<u32>>,
    pub(crate) globals: Vec<Option<u32>>,
    pub(crate) missing: Vec<Missing>,
    pub(crate) identity: Option<Identity>,
    pub(crate) origin: Origin,
    pub(crate) certainty: Certainty,
    pub(crate) disputed: Vec<usize>,
    pub(crate) untold: Vec<usize>,
    pub(crate) disputed_sizes: Vec<usize>,
    pub(crate) filled: Vec<Filled>,
}

impl Layout {
    /// Where the contract's field of that index is, if the table has it.
    #[must_use]
    pub fn field(&self, index: usize) -> Option<Field> {
        self.fields.get(index).copied().flatten()
    }

    /// Bytes of the contract's type of that index, if the table has it.
    #[must_use]
    pub fn type_size(&self, index: usize) -> Option<u32> {
        self.type_sizes.get(index).copied().flatten()
    }

    /// RVA of the contract's global of that index, if the table has it.
    #[must_use]
    pub fn global(&self, index: usize) -> Option<u32> {
        self.globals.get(index).copied().flatten()
    }

    /// Every required thing that is not there, in the contract's order: types and fields, then globals.
    #[must_use]
    pub fn missing(&self) -> &[Missing] {
        &self.missing
    }

    /// Which image the table belongs to, if it says so.
    #[must_use]
    pub fn identity(&self) -> Option<&Identity> {
        self.identity.as_ref()
    }

    /// The same without variables, which are one image's own.
    #[must_use]
    pub fn without_globals(mut self, contract: &Contract) -> Self {
        for (known, spec) in self.globals.iter_mut().zip(contract.globals) {
            if known.take().is_some() {
                self.missing.push(Missing::Global { name: spec.name });
            }
        }
        self
    }

    /// What all of several layouts of one contract say alike; of none or of different contracts, nothing. It
    /// has the origin of the first, which of built-in ones tells how many others there are, and an identity if it
    /// is that of all. What they place differently has no place in it; what some of them
    /// do not tell is as the others say.
    #[must_use]
    pub fn agreement(layouts: &[Self]) -> Option<Self> {
        let (first, others) = layouts.split_first()?;
        let mut common = first.clone();
        for other in others {
            let alike = common.fields.len() == other.fields.len()
                && common.type_sizes.len() == other.type_sizes.len()
                && common.globals.len() == other.globals.len();
            if !alike {
                return None;
            }
            for (index, theirs) in other.fields.iter().enumerate() {
                // Who says nothing of a member disputes nothing.
                if other.is_untold(index) {
                    continue;
                }
                let Some(kept) = common.fields.get_mut(index) else {
                    continue;
                };
                if common.untold.contains(&index) {
                    common.untold.retain(|untold| *untold != index);
                    *kept = *theirs;
                    continue;
                }
                // `_ALPC_COMMUNICATION_INFO.HandleTable` is a structure of 0x18 bytes, and from March 2022 on
                // of 0x20: the same member at the same place, whose own members are asked for by themselves.
                let same = match (&*kept, theirs) {
                    (Some(mine), Some(theirs)) => mine.begins_as(*theirs),
                    (mine, theirs) => mine == theirs,
                };
                if !same && !common.disputed.contains(&index) {
                    common.disputed.push(index);
                }
                if let (Some(kept), Some(theirs)) = (kept, theirs) {
                    kept.size = kept.size.min(theirs.size);
                }
            }
            common.missing.retain(|missing| other.missing.contains(missing));
            common.identity = common
                .identity
                .filter(|mine| Some(mine) == other.identity.as_ref());
            for (index, (mine, theirs)) in first.type_sizes.iter().zip(&other.type_sizes).enumerate() {
                if mine != theirs && !common.disputed_sizes.contains(&index) {
                    common.disputed_sizes.push(index);
                }
            }
            keep_equal(&mut common.type_sizes, &other.type_sizes);
            keep_equal(&mut common.globals, &other.globals);
        }
        if let (Origin::BuiltIn { version }, 1..) = (&mut common.origin, others.len()) {
            let plural = if others.len() == 1 { "" } else { "s" };
            version.push_str(&format!(" and {} other{plural}", others.len()));
        }
        for filled in &mut common.filled {
            let differ = others.iter().any(|other| !other.filled.contains(filled));
            if let (Origin::BuiltIn { version }, true) = (&mut filled.origin, differ) {
                let plural = if others.len() == 1 { "" } else { "s" };
                version.push_str(&format!(" and {} other{plural}", others.len()));
            }
        }
        for index in &common.disputed {
            if let Some(field) = common.fields.get_mut(*index) {
                *field = None;
            }
        }
        Some(common)
    }

    /// Whether the layouts that this one is the [agreement](Self::agreement) of have the contract's field of
    /// that index at different places, or not all have it.
    #[must_use]
    pub fn is_disputed(&self, index: usize) -> bool {
        self.disputed.contains(&index)
    }

    /// Whether the table says nothing of the contract's field of that index, neither where it is nor that it is not
    /// there: tables of layouts are of some types only, those of a kernel's symbols are of all.
    #[must_use]
    pub fn is_untold(&self, index: usize) -> bool {
        self.untold.contains(&index)
    }

    /// The same of the size of the contract's type of that index.
    #[must_use]
    pub fn is_size_disputed(&self, index: usize) -> bool {
        self.disputed_sizes.contains(&index)
    }

    /// Indices of the contract's fields on whose places the layouts that this is the agreement of differ.
    #[must_use]
    pub fn disputed(&self) -> &[usize] {
        &self.disputed
    }

    /// The types of its contract that the table does not tell of: it has none of that name. A kernel need not have all
    /// of them.
    #[must_use]
    pub fn lacking(&self, contract: &Contract) -> Vec<&'static str> {
        let all = contract.types.iter().enumerate();
        all.filter(|(at, ty)| self.lacks(contract, *at, ty))
            .map(|(_, ty)| *ty)
            .collect()
    }

    fn lacks(&self, contract: &Contract, at: usize, ty: &str) -> bool {
        let mut fields = fields_of(contract, ty);
        self.type_size(at).is_none()
            && !self.is_size_disputed(at)
            && fields.all(|(index, _)| self.field(index).is_none() && !self.is_disputed(index))
    }

    /// Whether the table was made when less of a type was asked for.
    fn is_partly_told(&self, contract: &Contract, ty: &str) -> bool {
        fields_of(contract, ty).any(|(index, _)| self.is_untold(index))
    }

    /// The same with the types that it [lacks](Self::lacking) as another layout of the contract has them, each noted in
    /// [`filled`](Self::filled). What the other does not tell either stays as it is.
    #[must_use]
    pub fn filled_from(mut self, contract: &Contract, other: &Self) -> Self {
        for (at, &ty) in contract.types.iter().enumerate() {
            let lacks = self.lacks(contract, at, ty) || self.is_partly_told(contract, ty);
            let tells = !other.lacks(contract, at, ty) && !other.is_partly_told(contract, ty);
            if !lacks || !tells {
                continue;
            }
            for (index, _) in fields_of(contract, ty) {
                if let (Some(mine), Some(field)) = (self.fields.get_mut(index), other.fields.get(index)) {
                    *mine = *field;
                }
                self.untold.retain(|untold| *untold != index);
                self.disputed.retain(|disputed| *disputed != index);
                if other.is_disputed(index) {
                    self.disputed.push(index);
                }
            }
            if let (Some(mine), Some(size)) = (self.type_sizes.get_mut(at), other.type_sizes.get(at)) {
                *mine = *size;
            }
            self.disputed_sizes.retain(|disputed| *disputed != at);
            if other.is_size_disputed(at) {
                self.disputed_sizes.push(at);
            }
            self.missing.retain(|missing| missing.ty() != Some(ty));
            let missing = other.missing.iter().filter(|missing| missing.ty() == Some(ty));
            self.missing.extend(missing.cloned());
            self.filled.push(Filled {
                ty,
                origin: other.origin.clone(),
                certainty: other.certainty,
            });
        }
        self
    }

    /// Types that the table lacks and whose places are those of others.
    #[must_use]
    pub fn filled(&self) -> &[Filled] {
        &self.filled
    }

    /// The same where nothing tells of some types: their members are not told, which is another thing than not there.
    #[must_use]
    pub fn without(mut self, contract: &Contract, types: &[&'static str]) -> Self {
        for &ty in types {
            for (index, _) in fields_of(contract, ty) {
                if !self.is_untold(index) && self.field(index).is_none() && !self.is_disputed(index) {
                    self.untold.push(index);
                }
            }
            let missing = Missing::Type { ty };
            if !self.missing.iter().any(|known| known.ty() == Some(ty)) {
                self.missing.insert(0, missing);
            }
        }
        self
    }

    /// Whether another layout of the contract has all that this one tells of at the same places.
    #[must_use]
    pub fn fits(&self, other: &Self) -> bool {
        let fields = self.fields.iter().zip(&other.fields).enumerate();
        let mut told = fields.filter(|(index, (mine, _))| mine.is_some() && !other.is_untold(*index));
        told.all(|(_, (mine, theirs))| match (mine, theirs) {
            (Some(mine), Some(theirs)) => {
                (mine.offset, mine.size, mine.bits) == (theirs.offset, theirs.size, theirs.bits)
            }
            _ => false,
        })
    }

    /// How sure it is that the table is that of the image.
    #[must_use]
    pub fn certainty(&self) -> Certainty {
        self.certainty
    }

    /// The same, of a table that was chosen with that certainty.
    #[must_use]
    pub fn with_certainty(mut self, certainty: Certainty) -> Self {
        self.certainty = certainty;
        self
    }

    /// Where the table came from.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }
}

fn fields_of<'c>(contract: &'c Contract, ty: &'c str) -> impl Iterator<Item = (usize, &'c FieldSpec)> {
    let all = contract.fields.iter().enumerate();
    all.filter(move |(_, spec)| spec.ty == ty)
}

fn keep_equal(mine: &mut [Option<u32>], theirs: &[Option<u32>]) {
    for (mine, theirs) in mine.iter_mut().zip(theirs) {
        if mine != theirs {
            *mine = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(offset: Option<u32>, size: u32) -> Layout {
        let field = |offset| Field {
            offset,
            size: 8,
            bits: None,
            spelling: 0,
        };
        Layout {
            fields: vec![Some(field(0)), offset.map(field)],
            type_sizes: vec![Some(size)],
            globals: vec![Some(1)],
            missing: Vec::new(),
            identity: None,
            origin: Origin::BuiltIn {
                version: "1".to_owned(),
            },
            certainty: Certainty::Exact,
            disputed: Vec::new(),
            untold: Vec::new(),
            disputed_sizes: Vec::new(),
            filled: Vec::new(),
        }
    }

    #[test]
    fn several_layouts_tell_only_what_they_agree_on() {
        let one = layout(Some(8), 16);
        let same = Layout::agreement(&[one.clone(), one.clone()]).unwrap();
        assert_eq!((same.field(1), same.is_disputed(1)), (one.field(1), false));
        for other in [layout(Some(12), 16), layout(None, 16)] {
            for several in [
                vec![one.clone(), other.clone()],
                vec![other.clone(), one.clone()],
                vec![one.clone(), other.clone(), one.clone()],
            ] {
                let common = Layout::agreement(&several).unwrap();
                assert_eq!((common.field(1), common.is_disputed(1)), (None, true));
                assert_eq!((common.field(0), common.is_disputed(0)), (one.field(0), false));
                assert_eq!((common.type_size(0), common.global(0)), (Some(16), Some(1)));
            }
        }
        assert_eq!(
            Layout::agreement(&[one, layout(Some(8), 24)])
                .unwrap()
                .type_size(0),
            None
        );
        assert!(Layout::agreement(&[]).is_none());
    }
}
