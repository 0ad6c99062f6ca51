//! Records as JSON, in the form that is documented: what is missing is `null`, with the reason beside it.
//!
//! A [`Value`](crate::Value) that is not known serializes as a variant that no other type has. This writer finds it by
//! its type, while the record is built, and puts its reason into the map `unreadable` (or the list `absent`, when the
//! kernel has no such thing) of the object around it. No text is read again.

use std::fmt::Display;

#[cfg(feature = "schema")]
use schemars::JsonSchema;
#[cfg(feature = "serde")]
use serde::Serialize;
#[cfg(feature = "serde")]
use serde::ser::{self, Serializer};
use serde_json::{Map, Number, Value as Json};

/// The name of the type whose variants are missing values, for serializers that look for them. To any other serializer
/// a missing value is a map with one key: `$unreadable`, `$absent` or `$withheld`.
pub const MISSING: &str = "$missing";

/// Why a value is missing, as far as documents tell the cases apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It should be there, and could not be read.
    Unreadable,
    /// The kernel has no such thing.
    Absent,
    /// It was kept back on request.
    Withheld,
}

impl Kind {
    /// All of them; the position of each is that of its variant.
    pub const ALL: [Self; 3] = [Self::Unreadable, Self::Absent, Self::Withheld];

    /// The key of it where nobody looks for missing values.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Unreadable => "$unreadable",
            Self::Absent => "$absent",
            Self::Withheld => "$withheld",
        }
    }

    /// The position in [`ALL`](Self::ALL).
    #[must_use]
    pub fn index(self) -> u32 {
        self as u32
    }
}

/// A value that could not be determined.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct UnreadableRecord {
    /// Where it stands in the result: `queues[1].length`.
    pub path: String,
    /// Stable id of the reason.
    pub id: String,
    /// Stable id of what is behind it: of the memory that a walk ended at, else the same.
    pub cause: String,
    /// The reason in words.
    pub text: String,
}

impl UnreadableRecord {
    /// The same of a record that stands at a place in another one.
    #[must_use]
    pub fn below(mut self, place: &str) -> Self {
        // An element follows its list without a dot.
        let joined = place.is_empty() || self.path.is_empty() || self.path.starts_with('[');
        let dot = if joined { "" } else { "." };
        self.path = format!("{place}{dot}{}", self.path);
        self
    }
}

/// A record as JSON, with the list of what it could not tell.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recorded {
    /// The record.
    pub value: Json,
    /// What is missing in it, in its order; what the kernel does not have, or was kept back, is not.
    pub holes: Vec<UnreadableRecord>,
}

/// A record as JSON in the documented form.
///
/// ```
/// use ntkernel::image::json;
/// use ntkernel::{Unreadable, Value};
/// use serde::Serialize;
///
/// #[derive(Serialize)]
/// struct Record {
///     known: Value<u32>,
///     gone: Value<u32>,
/// }
///
/// let record = Record { known: Value::Known(1), gone: Err(Unreadable::OutOfProportion).into() };
/// let written = json::record(&record)?;
/// assert_eq!(written.value["known"], 1);
/// assert!(written.value["gone"].is_null());
/// assert_eq!(written.value["unreadable"]["gone"]["id"], "out-of-proportion");
/// assert_eq!(written.holes[0].path, "gone");
/// # Ok::<(), json::Error>(())
/// ```
///
/// # Errors
/// The record has a map whose keys are neither text nor numbers, which none of this crate has.
pub fn record(value: &(impl Serialize + ?Sized)) -> Result<Recorded, Error> {
    value.serialize(Form).map(Node::whole)
}

/// The record could not be written as JSON.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Error(String);

impl ser::Error for Error {
    fn custom<T: Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

/// Builds a record.
#[derive(Clone, Copy, Debug)]
struct Form;

/// A part of a record.
#[derive(Default)]
struct Node {
    value: Json,
    /// What is missing in it: of few parts anything is, and each value of a record is moved through its layers.
    lacks: Option<Box<Lacks>>,
}

/// What is missing in a part of a record.
#[derive(Default)]
struct Lacks {
    /// Why it is missing itself.
    missing: Option<(Kind, Json)>,
    /// Elements of it that are missing, by what stands behind its name: `[3]`.
    elements: Vec<(String, Kind, Json)>,
    holes: Vec<UnreadableRecord>,
}

impl Lacks {
    /// The same, if it is anything.
    fn if_any(self) -> Option<Box<Self>> {
        let any = self.missing.is_some() || !self.elements.is_empty() || !self.holes.is_empty();
        any.then(|| Box::new(self))
    }
}

impl Node {
    fn of(value: Json) -> Self {
        Self { value, lacks: None }
    }

    /// The part as a whole record.
    fn whole(self) -> Recorded {
        Recorded {
            value: self.value,
            holes: self.lacks.map(|lacks| lacks.holes).unwrap_or_default(),
        }
    }
}

fn text(reason: &Json, key: &str) -> String {
    let text = reason.get(key).and_then(Json::as_str);
    text.unwrap_or_default().to_owned()
}

/// What is missing by its reason, at no place yet.
pub(crate) fn hole_of(reason: &Json) -> UnreadableRecord {
    let cause = match reason.get("cause") {
        Some(Json::String(cause)) => cause.clone(),
        _ => text(reason, "id"),
    };
    UnreadableRecord {
        path: String::new(),
        id: text(reason, "id"),
        cause,
        text: text(reason, "text"),
    }
}

/// The name of a member, from the key of a map.
pub(crate) fn member_name<T: Serialize + ?Sized>(key: &T) -> Result<String, Error> {
    match key.serialize(Form)?.value {
        Json::String(text) => Ok(text),
        Json::Number(number) => Ok(number.to_string()),
        other => Err(ser::Error::custom(format_args!("{other} is no name of a member"))),
    }
}

/// The value that is missing, from its reason.
fn missing(kind: Kind, reason: Json) -> Node {
    let mut lacks = Lacks::default();
    if kind == Kind::Unreadable {
        lacks.holes.push(hole_of(&reason));
    }
    lacks.missing = Some((kind, reason));
    Node {
        value: Json::Null,
        lacks: Some(Box::new(lacks)),
    }
}

/// The members of an object.
struct Members {
    map: Map<String, Json>,
    unreadable: Map<String, Json>,
    absent: Vec<Json>,
    holes: Vec<UnreadableRecord>,
    key: String,
}

impl Members {
    fn new(len: usize) -> Self {
        Self {
            map: Map::with_capacity(len),
            unreadable: Map::new(),
            absent: Vec::new(),
            holes: Vec::new(),
            key: String::new(),
        }
    }

    fn note(&mut self, name: String, kind: Kind, reason: Json) {
        match kind {
            Kind::Absent => self.absent.push(name.into()),
            Kind::Unreadable | Kind::Withheld => {
                self.unreadable.insert(name, reason);
            }
        }
    }

    fn add(&mut self, key: &str, Node { value, lacks }: Node) {
        if let Some(lacks) = lacks {
            self.add_lacks(key, *lacks);
        }
        self.map.insert(key.to_owned(), value);
    }

    fn add_lacks(&mut self, key: &str, lacks: Lacks) {
        self.holes
            .extend(lacks.holes.into_iter().map(|hole| hole.below(key)));
        for (behind, kind, reason) in lacks.elements {
            self.note(format!("{key}{behind}"), kind, reason);
        }
        if let Some((kind, reason)) = lacks.missing {
            self.note(key.to_owned(), kind, reason);
        }
    }

    fn finish(mut self) -> Node {
        if !self.unreadable.is_empty() {
            self.map.insert("unreadable".to_owned(), self.unreadable.into());
        }
        if !self.absent.is_empty() {
            self.map.insert("absent".to_owned(), self.absent.into());
        }
        let lacks = Lacks {
            holes: self.holes,
            ..Lacks::default()
        };
        Node {
            value: self.map.into(),
            lacks: lacks.if_any(),
        }
    }
}

/// The elements of a list.
struct Elements {
    list: Vec<Json>,
    lacks: Lacks,
}

impl Elements {
    fn new(len: usize) -> Self {
        Self {
            list: Vec::with_capacity(len),
            lacks: Lacks::default(),
        }
    }

    fn push(&mut self, Node { value, lacks }: Node) {
        if let Some(lacks) = lacks {
            self.push_lacks(*lacks);
        }
        self.list.push(value);
    }

    fn push_lacks(&mut self, lacks: Lacks) {
        let at = format!("[{}]", self.list.len());
        self.lacks
            .holes
            .extend(lacks.holes.into_iter().map(|hole| hole.below(&at)));
        for (behind, kind, reason) in lacks.elements {
            self.lacks.elements.push((format!("{at}{behind}"), kind, reason));
        }
        if let Some((kind, reason)) = lacks.missing {
            self.lacks.elements.push((at, kind, reason));
        }
    }

    fn finish(self) -> Node {
        Node {
            value: self.list.into(),
            lacks: self.lacks.if_any(),
        }
    }
}

/// A member around what is built: of a variant of an enumeration.
struct Variant<T> {
    name: &'static str,
    inner: T,
}

fn within(name: &'static str, inner: Node) -> Node {
    let mut members = Members::new(1);
    members.add(name, inner);
    members.finish()
}

macro_rules! plain {
    ($($name:ident: $ty:ty,)*) => {
        $(fn $name(self, value: $ty) -> Result<Node, Error> {
            Ok(Node::of(Json::from(value)))
        })*
    };
}

impl Serializer for Form {
    type Ok = Node;
    type Error = Error;
    type SerializeSeq = Elements;
    type SerializeTuple = Elements;
    type SerializeTupleStruct = Elements;
    type SerializeTupleVariant = Variant<Elements>;
    type SerializeMap = Members;
    type SerializeStruct = Members;
    type SerializeStructVariant = Variant<Members>;

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
    }

    fn serialize_char(self, value: char) -> Result<Node, Error> {
        Ok(Node::of(value.to_string().into()))
    }

    fn serialize_str(self, value: &str) -> Result<Node, Error> {
        Ok(Node::of(value.into()))
    }

    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Result<Node, Error> {
        Ok(Node::of(value.to_string().into()))
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<Node, Error> {
        let bytes = value.iter().copied().map(Number::from).map(Json::from);
        Ok(Node::of(bytes.collect()))
    }

    fn serialize_none(self) -> Result<Node, Error> {
        Ok(Node::default())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Node, Error> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<Node, Error> {
        Ok(Node::default())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<Node, Error> {
        Ok(Node::default())
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<Node, Error> {
        Ok(Node::of(variant.into()))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<Node, Error> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<Node, Error> {
        if name == MISSING
            && let Some(kind) = Kind::ALL.into_iter().find(|kind| kind.key() == variant)
        {
            let reason = serde_json::to_value(value).map_err(ser::Error::custom)?;
            return Ok(missing(kind, reason));
        }
        Ok(within(variant, value.serialize(self)?))
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Elements, Error> {
        Ok(Elements::new(len.unwrap_or_default()))
    }

    fn serialize_tuple(self, len: usize) -> Result<Elements, Error> {
        Ok(Elements::new(len))
    }

    fn serialize_tuple_struct(self, _: &'static str, len: usize) -> Result<Elements, Error> {
        Ok(Elements::new(len))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        len: usize,
    ) -> Result<Variant<Elements>, Error> {
        Ok(Variant {
            name,
            inner: Elements::new(len),
        })
    }

    fn serialize_map(self, len: Option<usize>) -> Result<Members, Error> {
        Ok(Members::new(len.unwrap_or_default()))
    }

    fn serialize_struct(self, _: &'static str, len: usize) -> Result<Members, Error> {
        Ok(Members::new(len))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        len: usize,
    ) -> Result<Variant<Members>, Error> {
        Ok(Variant {
            name,
            inner: Members::new(len),
        })
    }
}

impl ser::SerializeSeq for Elements {
    type Ok = Node;
    type Error = Error;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        let node = value.serialize(Form)?;
        self.push(node);
        Ok(())
    }

    fn end(self) -> Result<Node, Error> {
        Ok(self.finish())
    }
}

impl ser::SerializeTuple for Elements {
    type Ok = Node;
    type Error = Error;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        ser::SerializeSeq::serialize_element(self, value)
    }

    fn end(self) -> Result<Node, Error> {
        Ok(self.finish())
    }
}

impl ser::SerializeTupleStruct for Elements {
    type Ok = Node;
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        ser::SerializeSeq::serialize_element(self, value)
    }

    fn end(self) -> Result<Node, Error> {
        Ok(self.finish())
    }
}

impl ser::SerializeTupleVariant for Variant<Elements> {
    type Ok = Node;
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        ser::SerializeSeq::serialize_element(&mut self.inner, value)
    }

    fn end(self) -> Result<Node, Error> {
        Ok(within(self.name, self.inner.finish()))
    }
}

impl ser::SerializeMap for Members {
    type Ok = Node;
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        self.key = member_name(key)?;
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        let node = value.serialize(Form)?;
        let key = std::mem::take(&mut self.key);
        self.add(&key, node);
        Ok(())
    }

    fn end(self) -> Result<Node, Error> {
        Ok(self.finish())
    }
}

impl ser::SerializeStruct for Members {
    type Ok = Node;
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Error> {
        let node = value.serialize(Form)?;
        self.add(key, node);
        Ok(())
    }

    fn end(self) -> Result<Node, Error> {
        Ok(self.finish())
    }
}

impl ser::SerializeStructVariant for Variant<Members> {
    type Ok = Node;
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Error> {
        ser::SerializeStruct::serialize_field(&mut self.inner, key, value)
    }

    fn end(self) -> Result<Node, Error> {
        Ok(within(self.name, self.inner.finish()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::holes::holes;
    use crate::why;
    use serde_json::json;

    /// A value that is already JSON, in which missing ones stand as maps with one key, in the documented form.
    fn hoisted(value: &Json) -> Recorded {
        // JSON has no key that is not text, so that this cannot fail.
        Marked(value).serialize(Form).map(Node::whole).unwrap_or_default()
    }

    /// JSON whose maps with one key may be missing values.
    struct Marked<'j>(&'j Json);

    #[cfg(feature = "serde")]
    impl Serialize for Marked<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            match self.0 {
                Json::Object(map) => {
                    let only = map.iter().next().filter(|_| map.len() == 1);
                    let kind = only.and_then(|(key, _)| Kind::ALL.into_iter().find(|kind| kind.key() == key));
                    if let (Some(kind), Some((_, reason))) = (kind, only) {
                        return serializer.serialize_newtype_variant(
                            MISSING,
                            kind.index(),
                            kind.key(),
                            reason,
                        );
                    }
                    serializer.collect_map(map.iter().map(|(key, value)| (key, Marked(value))))
                }
                Json::Array(items) => serializer.collect_seq(items.iter().map(Marked)),
                plain => plain.serialize(serializer),
            }
        }
    }

    #[test]
    fn a_missing_value_is_null_with_its_reason_beside_it() {
        let reason = json!({ "id": "not-in-dump", "text": "frame 12 is not in the dump" });
        let record = json!({
            "a": 1, "b": { "$unreadable": reason }, "c": { "$absent": { "id": "no-member", "text": "x" } },
            "d": { "e": { "$unreadable": reason } },
        });
        let Recorded { value: record, holes } = hoisted(&record);
        assert_eq!(
            record,
            json!({
                "a": 1, "b": null, "c": null, "unreadable": { "b": reason }, "absent": ["c"],
                "d": { "e": null, "unreadable": { "e": reason } },
            })
        );
        let paths: Vec<&str> = holes.iter().map(|hole| hole.path.as_str()).collect();
        assert_eq!(paths, ["b", "d.e"]);
    }

    #[test]
    fn an_element_that_is_missing_has_its_reason_beside_the_list() {
        let reason = json!({ "id": "implausible", "text": "it cannot be" });
        let record = json!({ "a": { "gaps": [1, { "$unreadable": reason }] } });
        let Recorded { value: record, holes } = hoisted(&record);
        assert_eq!(
            record,
            json!({ "a": { "gaps": [1, null], "unreadable": { "gaps[1]": reason } } })
        );
        assert_eq!(holes[0].path, "a.gaps[1]");
    }

    #[test]
    fn what_is_kept_back_on_request_is_no_hole() {
        let reason = json!({ "id": "withheld", "text": "kept back" });
        let record = json!({ "a": { "$withheld": reason } });
        let Recorded { value: record, holes } = hoisted(&record);
        assert_eq!(record, json!({ "a": null, "unreadable": { "a": reason } }));
        assert!(holes.is_empty());
    }

    #[test]
    fn a_whole_record_has_no_holes() {
        assert!(hoisted(&json!({ "a": [1, 2], "b": null })).holes.is_empty());
    }

    #[test]
    fn a_walk_that_memory_ended_counts_by_the_memory() {
        let record = json!({
            "a": { "$unreadable": { "id": "walk-ended", "cause": "out-of-file", "text": "gone" } },
            "b": { "$unreadable": { "id": "out-of-file", "text": "cut" } },
            "c": { "$unreadable": { "id": "walk-ended", "text": "loops" } },
        });
        let Recorded { value: record, holes } = hoisted(&record);
        let causes: Vec<&str> = holes.iter().map(|hole| hole.cause.as_str()).collect();
        assert_eq!(causes, ["out-of-file", "out-of-file", "walk-ended"]);
        assert_eq!(record["unreadable"]["a"]["id"], "walk-ended");
    }

    /// The same is found whether the record is built or not, and whether it is read from the types or from JSON.
    #[test]
    fn typed_values_and_json_are_the_same() {
        #[cfg_attr(feature = "serde", derive(Serialize))]
        struct Inner {
            known: crate::Value<u32>,
            gone: crate::Value<u32>,
            list: Vec<crate::Value<u32>>,
        }
        #[cfg_attr(feature = "serde", derive(Serialize))]
        enum Variant {
            Unit,
            New(Inner),
            Struct { inner: Inner },
            Tuple(u8, Inner),
        }
        #[cfg_attr(feature = "serde", derive(Serialize))]
        struct Outer {
            #[cfg_attr(feature = "serde", serde(flatten))]
            inner: Inner,
            variants: Vec<Variant>,
            nested: Vec<Vec<Inner>>,
        }
        let inner = || Inner {
            known: crate::Value::Known(1),
            gone: Err(crate::Unreadable::OutOfProportion).into(),
            list: vec![
                crate::Value::Known(1),
                Err(crate::Unreadable::Walk(why!("a walk"))).into(),
                Err(crate::Unreadable::NoGlobal { name: "x" }).into(),
            ],
        };
        let outer = Outer {
            inner: inner(),
            variants: vec![
                Variant::Unit,
                Variant::New(inner()),
                Variant::Struct { inner: inner() },
                Variant::Tuple(1, inner()),
            ],
            nested: vec![vec![inner()], vec![]],
        };
        let typed = record(&outer).unwrap();
        assert_eq!(typed, hoisted(&serde_json::to_value(&outer).unwrap()));
        assert_eq!(typed.holes, holes(&outer).unwrap());
        let paths: Vec<&str> = typed.holes.iter().map(|hole| hole.path.as_str()).collect();
        assert_eq!(paths[..3], ["gone", "list[1]", "list[2]"]);
        assert!(paths.contains(&"variants[2].Struct.inner.list[1]") && paths.contains(&"nested[0][0].gone"));
        assert_eq!(typed.value["unreadable"]["list[1]"]["text"], "a walk");
    }
}
