//! Where the values of a view come from.
//!
//! A [`Trace`] notes every read of kernel memory by what it reads: a member of a structure, a global, a text.
//! It can also [hide](Trace::hide) one of them, as if its memory were not in the dump. What a view then shows
//! otherwise is what depends on that read: no record has to say where its values come from, and none can say it
//! wrong.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kdump::Gva;
use ntlayout::{BitField, Field, Member};

use crate::image::contract::Global;
use crate::image::value::{Read, Unreadable};

/// Reads that one view can be told of; each costs some hundred bytes.
const CAP: usize = 1 << 16;

/// Bytes behind a global that are taken for a part of it: it may be a table, whose size symbols do not tell.
const GLOBAL_SIZE: u64 = 0x1000;

/// What is read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum What {
    /// The contract's field of that index.
    Member(usize),
    /// A variable of the kernel, or an element of one that is a table.
    Global(Global),
    /// A member of a type of the symbols, by its path.
    Typed(Arc<str>, Arc<str>),
    /// The buffer of a text, whose `_UNICODE_STRING` is the other thing.
    Text(Box<What>),
    /// Anything else.
    Memory,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) what: What,
    /// Where the structure begins, or the variable; of anything else, the read itself.
    pub(crate) base: u64,
    /// Where the read begins, when several of one base are different things.
    start: u64,
}

/// A read, or several of one member that lie side by side.
#[derive(Clone, Debug)]
pub struct Source {
    pub(crate) key: Key,
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) bits: Option<BitField>,
}

impl Source {
    /// A member of a structure, that nobody need have read.
    pub(crate) fn of_member(index: usize, base: Gva, field: Field) -> Self {
        let start = base.u64().wrapping_add(field.offset.into());
        Self {
            key: Key {
                what: What::Member(index),
                base: base.u64(),
                start: 0,
            },
            start,
            end: start.saturating_add(field.size.into()),
            bits: field.bits,
        }
    }

    /// Where its structure begins.
    #[must_use]
    pub fn base(&self) -> Gva {
        Gva::new(self.key.base)
    }
}

/// A stretch of memory that is known by name.
#[derive(Clone, Debug)]
struct Place {
    what: What,
    base: u64,
    end: u64,
    bits: Option<BitField>,
}

#[derive(Debug, Default)]
struct State {
    sources: Vec<Source>,
    known: HashMap<Key, usize>,
    places: BTreeMap<u64, Place>,
    globals: BTreeMap<u64, Global>,
    hidden: Option<Key>,
    reads: u64,
}

/// Notes of all reads of a [`Kernel`](crate::image::kernel::Kernel).
#[derive(Debug, Default)]
pub struct Trace {
    state: Mutex<State>,
}

impl Trace {
    /// What was read, in the order of the first reads, and how many reads that took.
    #[must_use]
    pub fn sources(&self) -> (Vec<Source>, u64) {
        let state = self.state();
        (state.sources.clone(), state.reads)
    }

    /// From now on, lets every read of `source` fail with [`Unreadable::Withheld`], and notes nothing new.
    pub fn hide(&self, source: &Source) {
        let mut state = self.state();
        state.hidden = Some(source.key.clone());
        // A place is known from when it is named, in this run as in the first.
        state.places.clear();
        state.globals.clear();
    }

    pub(crate) fn place_member(&self, index: usize, base: Gva, at: Gva, size: u32) {
        self.place(What::Member(index), base, at, size, None);
    }

    /// Names a member of any type.
    pub(crate) fn place_typed(&self, ty: &str, path: &str, base: Gva, at: Gva, member: &Member) {
        let what = What::Typed(ty.into(), path.into());
        self.place(what, base, at, member.size.unwrap_or(0), member.bits);
    }

    fn place(&self, what: What, base: Gva, at: Gva, size: u32, bits: Option<BitField>) {
        let place = Place {
            what,
            base: base.u64(),
            end: at.u64().saturating_add(size.into()),
            bits,
        };
        self.state().places.insert(at.u64(), place);
    }

    pub(crate) fn place_global(&self, global: Global, at: Gva) {
        self.state().globals.insert(at.u64(), global);
    }

    /// Notes the read of a member.
    pub(crate) fn member(&self, index: usize, base: Gva, at: Gva, field: Field) -> Read<()> {
        let key = Key {
            what: What::Member(index),
            base: base.u64(),
            start: 0,
        };
        self.state().note(key, at, field.size.into(), field.bits)
    }

    /// Notes the read of memory that may be part of something that was named before.
    pub(crate) fn raw(&self, at: Gva, len: u64) -> Read<()> {
        let mut state = self.state();
        let (key, bits) = state.key_at(at);
        state.note(key, at, len, bits)
    }

    /// Notes the read of the buffer of the `_UNICODE_STRING` at `string`.
    pub fn text(&self, string: Gva, buffer: Gva, len: u64) -> Read<()> {
        let mut state = self.state();
        let (of, _) = state.key_at(string);
        let key = Key {
            what: What::Text(Box::new(of.what)),
            base: of.base,
            start: buffer.u64(),
        };
        state.note(key, buffer, len, None)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn note(&mut self, key: Key, at: Gva, len: u64, bits: Option<BitField>) -> Read<()> {
        if let Some(hidden) = &self.hidden {
            return if *hidden == key {
                Err(Unreadable::Withheld)
            } else {
                Ok(())
            };
        }
        self.reads = self.reads.saturating_add(1);
        let (start, end) = (at.u64(), at.u64().saturating_add(len));
        if let Some(source) = self
            .known
            .get(&key)
            .and_then(|&known| self.sources.get_mut(known))
        {
            source.start = source.start.min(start);
            source.end = source.end.max(end);
        } else if self.sources.len() < CAP {
            self.known.insert(key.clone(), self.sources.len());
            self.sources.push(Source {
                key,
                start,
                end,
                bits,
            });
        }
        Ok(())
    }

    /// What is at an address, as far as it was named.
    fn key_at(&self, at: Gva) -> (Key, Option<BitField>) {
        let at = at.u64();
        // Structures in structures: the innermost that is named begins last.
        let mut before = self.places.range(..=at).rev().take(16);
        if let Some((_, place)) = before.find(|(_, place)| at < place.end) {
            let key = Key {
                what: place.what.clone(),
                base: place.base,
                start: 0,
            };
            return (key, place.bits);
        }
        let (what, base) = match self.globals.range(..=at).next_back() {
            Some((&base, &global)) if at.saturating_sub(base) < GLOBAL_SIZE => (What::Global(global), base),
            _ => (What::Memory, at),
        };
        let key = Key {
            what,
            base,
            start: at,
        };
        (key, None)
    }
}
