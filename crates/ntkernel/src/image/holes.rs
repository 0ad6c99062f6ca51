//! What a record could not tell, without the record: nothing of it is built, and nothing is kept for a value that is known.
//!
//! A command that writes text needs no more of a record than that, and the record of a large system is far larger than its
//! text.

use std::fmt::{Display, Write};

use serde::Serialize;
use serde::ser::{self, Serializer};

use crate::image::json::{Error, Kind, MISSING, UnreadableRecord, hole_of, member_name};

/// What is missing in a record, in its order; what the kernel does not have, or was kept back, is not.
///
/// # Errors
/// As [`record`](crate::image::json::record).
pub fn holes(value: &(impl Serialize + ?Sized)) -> Result<Vec<UnreadableRecord>, Error> {
    let mut finder = Finder::default();
    value.serialize(&mut finder)?;
    Ok(finder.holes)
}

/// Where the writer of a record is, and what was missing so far.
#[derive(Default)]
struct Finder {
    path: String,
    holes: Vec<UnreadableRecord>,
}

impl Finder {
    /// Goes on to a member; gives how far back leads out of it.
    fn member(&mut self, name: &str) -> usize {
        let back = self.path.len();
        if back != 0 {
            self.path.push('.');
        }
        self.path.push_str(name);
        back
    }

    fn back(&mut self, to: usize) {
        self.path.truncate(to);
    }

    fn missing<T: Serialize + ?Sized>(&mut self, kind: Kind, reason: &T) -> Result<(), Error> {
        if kind == Kind::Unreadable {
            let reason = serde_json::to_value(reason).map_err(ser::Error::custom)?;
            self.holes.push(UnreadableRecord {
                path: self.path.clone(),
                ..hole_of(&reason)
            });
        }
        Ok(())
    }
}

/// A list, or an object, and how far back leads out of it.
struct Within<'f> {
    finder: &'f mut Finder,
    back: usize,
    /// Elements that were passed.
    count: usize,
    /// The member whose value comes next.
    key: String,
}

impl<'f> Within<'f> {
    fn here(finder: &'f mut Finder) -> Self {
        Self {
            back: finder.path.len(),
            finder,
            count: 0,
            key: String::new(),
        }
    }

    fn variant(finder: &'f mut Finder, name: &str) -> Self {
        let back = finder.member(name);
        Self {
            back,
            ..Self::here(finder)
        }
    }

    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        let back = self.finder.path.len();
        // Writing to a text cannot fail.
        let _ = write!(self.finder.path, "[{}]", self.count);
        self.count = self.count.saturating_add(1);
        value.serialize(&mut *self.finder)?;
        self.finder.back(back);
        Ok(())
    }

    fn member<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result<(), Error> {
        let back = self.finder.member(name);
        value.serialize(&mut *self.finder)?;
        self.finder.back(back);
        Ok(())
    }

    fn leave(self) {
        self.finder.back(self.back);
    }
}

macro_rules! plain {
    ($($name:ident: $ty:ty,)*) => {
        $(fn $name(self, _: $ty) -> Result<(), Error> {
            Ok(())
        })*
    };
}

impl<'f> Serializer for &'f mut Finder {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Within<'f>;
    type SerializeTuple = Within<'f>;
    type SerializeTupleStruct = Within<'f>;
    type SerializeTupleVariant = Within<'f>;
    type SerializeMap = Within<'f>;
    type SerializeStruct = Within<'f>;
    type SerializeStructVariant = Within<'f>;

    plain! {
        serialize_bool: bool,
        serialize_i8: i8,
        serialize_i16: i16,
        serialize_i32: i32,
        serialize_i64: i64,
        serialize_u8: u8,
        serialize_u16: u16,
        serialize_u32: u32,
        serialize_u64: u64,
        serialize_f32: f32,
        serialize_f64: f64,
        serialize_char: char,
        serialize_str: &str,
        serialize_bytes: &[u8],
        serialize_unit_struct: &'static str,
    }

    fn collect_str<T: Display + ?Sized>(self, _: &T) -> Result<(), Error> {
        Ok(())
    }

    fn serialize_none(self) -> Result<(), Error> {
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Error> {
        Ok(())
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, _: &'static str) -> Result<(), Error> {
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        if name == MISSING
            && let Some(kind) = Kind::ALL.into_iter().find(|kind| kind.key() == variant)
        {
            return self.missing(kind, value);
        }
        let back = self.member(variant);
        value.serialize(&mut *self)?;
        self.back(back);
        Ok(())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Within<'f>, Error> {
        Ok(Within::here(self))
    }

    fn serialize_tuple(self, _: usize) -> Result<Within<'f>, Error> {
        Ok(Within::here(self))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Within<'f>, Error> {
        Ok(Within::here(self))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        _: usize,
    ) -> Result<Within<'f>, Error> {
        Ok(Within::variant(self, name))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Within<'f>, Error> {
        Ok(Within::here(self))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Within<'f>, Error> {
        Ok(Within::here(self))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        _: usize,
    ) -> Result<Within<'f>, Error> {
        Ok(Within::variant(self, name))
    }
}

macro_rules! elements {
    ($($of:ident: $name:ident,)*) => {
        $(impl ser::$of for Within<'_> {
            type Ok = ();
            type Error = Error;

            fn $name<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
                self.element(value)
            }

            fn end(self) -> Result<(), Error> {
                self.leave();
                Ok(())
            }
        })*
    };
}

elements! {
    SerializeSeq: serialize_element,
    SerializeTuple: serialize_element,
    SerializeTupleStruct: serialize_field,
    SerializeTupleVariant: serialize_field,
}

macro_rules! members {
    ($($of:ident,)*) => {
        $(impl ser::$of for Within<'_> {
            type Ok = ();
            type Error = Error;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Error> {
                self.member(key, value)
            }

            fn end(self) -> Result<(), Error> {
                self.leave();
                Ok(())
            }
        })*
    };
}

members! {
    SerializeStruct,
    SerializeStructVariant,
}

impl ser::SerializeMap for Within<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        self.key = member_name(key)?;
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        let key = std::mem::take(&mut self.key);
        self.member(&key, value)
    }

    fn end(self) -> Result<(), Error> {
        self.leave();
        Ok(())
    }
}
