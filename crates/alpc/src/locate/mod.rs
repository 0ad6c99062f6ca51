//! Where things are that the symbols do not tell: variables, and the layout itself.

pub mod choice;
pub(crate) mod derived;
