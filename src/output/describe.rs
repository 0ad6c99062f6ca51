//! How a command says of which types its records are. Only the derived schema asks for it.

#[cfg(feature = "schema")]
pub use with::{Describe, of};
#[cfg(not(feature = "schema"))]
pub use without::{Describe, of};

#[cfg(feature = "schema")]
mod with {
    use schemars::{JsonSchema, Schema, SchemaGenerator};

    /// How a type is described.
    pub type Describe = fn(&mut SchemaGenerator) -> Schema;

    /// Describes a type.
    pub fn of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<T>()
    }
}

#[cfg(not(feature = "schema"))]
mod without {
    use std::marker::PhantomData;

    /// That there is a type.
    pub type Describe = fn();

    /// Names a type.
    pub fn of<T>() {
        let _: PhantomData<T>;
    }
}
