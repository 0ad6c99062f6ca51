//! What a caller needs of a symbol table, declared once.

/// Whether a caller can do without a field or a global.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Need {
    /// Its absence is listed in [`Layout::missing`](crate::Layout::missing).
    Required,
    /// Its absence is only a `None` in the layout.
    Optional,
}

/// A field of a type.
#[derive(Clone, Copy, Debug)]
pub struct FieldSpec {
    /// The type that holds it, as symbols name it: `_ALPC_PORT`.
    pub ty: &'static str,
    /// The caller's name for it; only used to report it.
    pub name: &'static str,
    /// Dotted paths in order of preference, `u1.s1.QueueType`: the first that a table has is taken. Where a
    /// table has anonymous members flattened into their owner, a path also matches without the parts that
    /// name them (`QueueType`): a letter and digits. No other part is skipped, nor one that is there.
    pub spellings: &'static [&'static str],
    /// Whether the caller can do without it.
    pub need: Need,
}

/// A global variable.
#[derive(Clone, Copy, Debug)]
pub struct GlobalSpec {
    /// Its name without decoration; also looked for with one leading underscore, as 32-bit symbols have it.
    pub name: &'static str,
    /// Whether the caller can do without it.
    pub need: Need,
}

/// All that a caller needs of a symbol table; a [`Layout`](crate::Layout) has the same indices.
#[derive(Clone, Copy, Debug)]
pub struct Contract {
    /// Fields whose place is wanted.
    pub fields: &'static [FieldSpec],
    /// Types whose size is wanted.
    pub types: &'static [&'static str],
    /// Globals whose RVA is wanted.
    pub globals: &'static [GlobalSpec],
}
