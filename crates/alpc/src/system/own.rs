//! The kernel's own symbols where they lack types, as some of those do that Microsoft's server gives: what they lack
//! comes from elsewhere, type by type, and is told.

use crate::port::contract::CONTRACT;
use ntkernel::Kernel;
use ntkernel::image::contract;
use ntlayout::{Certainty, Layout, Processor, Table, built_in};
#[cfg(feature = "schema")]
use schemars::JsonSchema;
#[cfg(feature = "serde")]
use serde::Serialize;

/// What the tables of the kernel's own identity that were found so far tell together.
#[derive(Default)]
pub struct OwnSymbols {
    layout: Option<Layout>,
}

impl OwnSymbols {
    /// Takes one more table; whether that is enough. One that cannot be resolved is told when it is used.
    pub fn take(&mut self, table: &Table) -> bool {
        let Ok(layout) = table.resolve(&CONTRACT) else {
            return self.layout.is_none();
        };
        let layout = match self.layout.take() {
            Some(known) => known.filled_from(&CONTRACT, &layout),
            None => with_built_in(layout),
        };
        let enough = contract::stripped(&CONTRACT, &layout).is_empty();
        self.layout = Some(layout);
        enough
    }

    /// All that they tell.
    pub fn layout(self) -> Option<Layout> {
        self.layout
    }
}

/// What a table's own layout lacks, from the layouts that come with the program, if they have the same image.
pub fn with_built_in(layout: Layout) -> Layout {
    let table = layout.identity().and_then(built_in);
    let known = table.and_then(|table| table.resolve(&CONTRACT).ok());
    match known {
        Some(known) if is_incomplete(&layout) => layout.filled_from(&CONTRACT, &known),
        _ => layout,
    }
}

/// Whether types are lacking, or a pack was made when less was asked for.
fn is_incomplete(layout: &Layout) -> bool {
    let untold = (0..CONTRACT.fields.len()).any(|index| layout.is_untold(index));
    untold || !contract::stripped(&CONTRACT, layout).is_empty()
}

/// What may fill the layout further: those of the layouts that come with the program that have all it tells at the same
/// places, if there are any.
pub fn candidates(own: &Layout, processor: Processor) -> Vec<Layout> {
    let tables = ntlayout::distinct_built_in(processor).into_iter();
    let layouts: Vec<Layout> = tables.filter_map(|table| table.resolve(&CONTRACT).ok()).collect();
    let fit: Vec<&Layout> = layouts.iter().filter(|layout| own.fits(layout)).collect();
    let tried = if fit.is_empty() {
        layouts.iter().collect()
    } else {
        fit
    };
    tried
        .into_iter()
        .map(|layout| {
            let chosen = layout.clone().with_certainty(Certainty::Invariants);
            own.clone().filled_from(&CONTRACT, &chosen)
        })
        .collect()
}

/// The same where nothing tells of what is still lacking: it is not told, which is another thing than not there.
pub fn untold(layout: Layout) -> Layout {
    let types = contract::stripped(&CONTRACT, &layout);
    layout.without(&CONTRACT, &types)
}

/// Whether the views have nothing at all to go by.
pub fn is_useless(layout: &Layout) -> bool {
    // The public symbols of Vista's first release (6000) are such: none of ALPC's types, of all that is needed only
    // _PORT_MESSAGE and the members of _ETHREAD.
    let lacking = contract::stripped(&CONTRACT, layout);
    ["_EPROCESS", "_ETHREAD", "_ALPC_PORT", "_KALPC_MESSAGE"]
        .iter()
        .all(|ty| lacking.contains(ty))
}

/// Types that the symbols in use lack, and where their places are from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct TypesFrom {
    /// A file, or what is built in.
    pub source: String,
    /// How sure it is that they are those of the kernel, in the words of the symbols' own certainty.
    pub certainty: String,
    /// The types.
    pub types: Vec<&'static str>,
}

/// What fills the layout in use, by source.
pub fn types_from(layout: &Layout) -> Vec<TypesFrom> {
    let mut all: Vec<TypesFrom> = Vec::new();
    for filled in layout.filled() {
        let (source, certainty) = (filled.origin.to_string(), filled.certainty.to_string());
        match all
            .iter_mut()
            .find(|from| (&from.source, &from.certainty) == (&source, &certainty))
        {
            Some(from) => from.types.push(filled.ty),
            None => all.push(TypesFrom {
                source,
                certainty,
                types: vec![filled.ty],
            }),
        }
    }
    all
}

/// Types that the symbols in use lack and that nothing tells.
pub fn types_untold(kernel: &Kernel<'_>) -> Vec<&'static str> {
    match kernel.layout().origin() {
        // Those tell of what they have alone, each member for itself.
        ntlayout::Origin::BuiltIn { .. } => Vec::new(),
        _ => contract::stripped(&CONTRACT, kernel.layout()),
    }
}
