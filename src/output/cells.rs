//! A record as the cells of one row, without JSON in between: of fifty thousand records that would take most of the time.
//!
//! It serves records of which nothing is unreadable. What is more than cells ([`Other`]) is written as JSON, by whoever has the
//! record: there what is missing has its reasons.

use std::fmt::{self, Display, Write};

use alpc::image::json::{self, Kind as Missing, MISSING};
use serde::Serialize;
use serde::ser::{self, Impossible, Serializer};
use serde_json::Value as Json;

/// Where in a record columns are.
#[derive(Debug, Default)]
pub struct Place {
    name: String,
    column: Option<usize>,
    below: Vec<Self>,
}

impl Place {
    /// Adds a column by its path.
    pub fn add(&mut self, path: &str, column: usize) {
        let mut place = self;
        for name in path.split('.') {
            let known = place.below.iter().position(|below| below.name == name);
            let at = known.unwrap_or(place.below.len());
            if known.is_none() {
                place.below.push(Self {
                    name: name.to_owned(),
                    ..Self::default()
                });
            }
            place = &mut place.below[at];
        }
        place.column = Some(column);
    }

    /// The place of a member: most often the one behind that of the member before.
    fn member(&self, name: &str, next: &mut usize) -> Option<&Self> {
        let expected = self.below.get(*next).filter(|below| below.name == name);
        if let Some(expected) = expected {
            *next += 1;
            return Some(expected);
        }
        let at = self.below.iter().position(|below| below.name == name)?;
        *next = at + 1;
        self.below.get(at)
    }
}

/// What stands in a cell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cell {
    Nothing,
    Bool(bool),
    Signed(i64),
    Unsigned(u64),
    Float(f64),
    /// Where in the row's texts it begins and ends.
    Text(usize, usize),
}

impl Cell {
    /// The same as JSON, where it is no text.
    pub fn json(self) -> Json {
        match self {
            Self::Nothing | Self::Text(..) => Json::Null,
            Self::Bool(flag) => flag.into(),
            Self::Signed(number) => number.into(),
            Self::Unsigned(number) => number.into(),
            Self::Float(number) => number.into(),
        }
    }
}

/// The cells of one record.
#[derive(Debug, Default)]
pub struct Row {
    pub cells: Vec<Cell>,
    pub texts: String,
}

impl Row {
    /// Reads a record; whether its cells are all that there is to say of it.
    pub fn read(&mut self, columns: usize, places: &Place, record: &impl Serialize) -> bool {
        self.cells.clear();
        self.cells.resize(columns, Cell::Nothing);
        self.texts.clear();
        let at = At {
            place: Some(places),
            row: self,
        };
        record.serialize(at).is_ok()
    }
}

/// It is no cell, and is not made of cells that have a place.
#[derive(Debug)]
pub struct Other;

impl Display for Other {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no cell")
    }
}

impl std::error::Error for Other {}

impl ser::Error for Other {
    fn custom<T: Display>(_: T) -> Self {
        Self
    }
}

/// A part of a record. One that has no place is looked at all the same: something in it may be unreadable.
struct At<'r> {
    place: Option<&'r Place>,
    row: &'r mut Row,
}

impl At<'_> {
    fn put(self, cell: Cell) -> Result<(), Other> {
        if let Some(column) = self.place.and_then(|place| place.column)
            && let Some(there) = self.row.cells.get_mut(column)
        {
            *there = cell;
        }
        Ok(())
    }

    fn put_text(self, text: &impl Display) -> Result<(), Other> {
        if self.place.and_then(|place| place.column).is_none() {
            return Ok(());
        }
        let begin = self.row.texts.len();
        write!(self.row.texts, "{text}").map_err(|_| Other)?;
        let end = self.row.texts.len();
        self.put(Cell::Text(begin, end))
    }

    /// The members of an object, which has no cell of its own.
    fn members<'r>(self) -> Result<Members<'r>, Other>
    where
        Self: 'r,
    {
        match self.place {
            Some(Place { column: Some(_), .. }) => Err(Other),
            place => Ok(Members {
                place,
                row: self.row,
                next: 0,
                key: String::new(),
            }),
        }
    }
}

macro_rules! cells {
    ($($name:ident: $ty:ty => $cell:ident,)*) => {
        $(fn $name(self, value: $ty) -> Result<(), Other> {
            self.put(Cell::$cell(value.into()))
        })*
    };
}

impl<'r> Serializer for At<'r> {
    type Ok = ();
    type Error = Other;
    type SerializeSeq = Impossible<(), Other>;
    type SerializeTuple = Impossible<(), Other>;
    type SerializeTupleStruct = Impossible<(), Other>;
    type SerializeTupleVariant = Impossible<(), Other>;
    type SerializeMap = Members<'r>;
    type SerializeStruct = Members<'r>;
    type SerializeStructVariant = Impossible<(), Other>;

    cells! {
        serialize_bool: bool => Bool,
        serialize_i8: i8 => Signed,
        serialize_i16: i16 => Signed,
        serialize_i32: i32 => Signed,
        serialize_i64: i64 => Signed,
        serialize_u8: u8 => Unsigned,
        serialize_u16: u16 => Unsigned,
        serialize_u32: u32 => Unsigned,
        serialize_u64: u64 => Unsigned,
        serialize_f32: f32 => Float,
        serialize_f64: f64 => Float,
    }

    fn serialize_char(self, value: char) -> Result<(), Other> {
        self.put_text(&value)
    }

    fn serialize_str(self, value: &str) -> Result<(), Other> {
        self.put_text(&value)
    }

    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Result<(), Other> {
        self.put_text(&value)
    }

    fn serialize_bytes(self, _: &[u8]) -> Result<(), Other> {
        Err(Other)
    }

    fn serialize_none(self) -> Result<(), Other> {
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Other> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Other> {
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Other> {
        Ok(())
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), Other> {
        self.put_text(&variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Other> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        _: u32,
        variant: &'static str,
        _: &T,
    ) -> Result<(), Other> {
        // What the kernel does not have, and what was kept back, is no hole.
        let is_no_hole = name == MISSING && variant != Missing::Unreadable.key();
        if is_no_hole { Ok(()) } else { Err(Other) }
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Impossible<(), Other>, Other> {
        Err(Other)
    }

    fn serialize_tuple(self, _: usize) -> Result<Impossible<(), Other>, Other> {
        Err(Other)
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Impossible<(), Other>, Other> {
        Err(Other)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Impossible<(), Other>, Other> {
        Err(Other)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Members<'r>, Other> {
        self.members()
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Members<'r>, Other> {
        self.members()
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Impossible<(), Other>, Other> {
        Err(Other)
    }
}

/// The members of an object.
struct Members<'r> {
    place: Option<&'r Place>,
    row: &'r mut Row,
    next: usize,
    key: String,
}

impl Members<'_> {
    fn member<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result<(), Other> {
        let place = self.place.and_then(|place| place.member(name, &mut self.next));
        let at = At { place, row: self.row };
        if value.serialize(at).is_ok() {
            return Ok(());
        }
        // A list, or an object that is one cell: it is JSON there. What has holes is told by whoever has their reasons.
        let column = place
            .map_or(Some(None), |place| place.column.map(Some))
            .ok_or(Other)?;
        let recorded = json::record(value).map_err(|_| Other)?;
        if !recorded.holes.is_empty() {
            return Err(Other);
        }
        match column {
            Some(_) => At { place, row: self.row }.put_text(&recorded.value),
            None => Ok(()),
        }
    }
}

impl ser::SerializeStruct for Members<'_> {
    type Ok = ();
    type Error = Other;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Other> {
        self.member(key, value)
    }

    fn end(self) -> Result<(), Other> {
        Ok(())
    }
}

impl ser::SerializeMap for Members<'_> {
    type Ok = ();
    type Error = Other;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Other> {
        let key = json::record(key).map_err(|_| Other)?;
        self.key = key.value.as_str().ok_or(Other)?.to_owned();
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Other> {
        let key = std::mem::take(&mut self.key);
        self.member(&key, value)
    }

    fn end(self) -> Result<(), Other> {
        Ok(())
    }
}
