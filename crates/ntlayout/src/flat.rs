//! Tables of nothing but what a contract asks for: the built-in one of many kernels, and packs of one kernel.
//!
//! A table is text. Its lines, words separated by blanks, numbers hexadecimal but for counts:
//!
//! ```text
//! ntlayout 1                                the format and its version
//! globals <name>...                         what the rows of RVAs below tell
//! type <name> <spelling>...                 what the layouts of this type tell
//! layout <bytes> <place>...                 one layout; the type's are numbered from 0
//! kernel <pointer bytes>[:la57|:arm64] <version>[..<version>] [derived | <pdb> <GUID> <age>]
//! types <layout|-|?>...                     one for each type above; - where the kernel has none
//! rvas <rva|->...                           one for each global above; the line may be missing
//! ```
//!
//! A place is `offset:size`, of a bit field `offset:size:position:length`, or `-` where the layout has no such
//! field. A field that the `type` line does not name is not told, which is another thing than not there; so is one that has
//! `?` instead of a place, and a type that has it instead of a number.
//! Packs of several kernels stand in one file one behind the other, each with its first line.
//! A kernel that is `derived` has no PDB that was read: its layout follows from those of others, as the program's table of
//! layouts says, and serves all versions from the first to the second. Lines that begin with `#` are comments.

use std::collections::HashMap;
use std::path::Path;

use crate::contract::{Contract, FieldSpec, Need};
use crate::error::SymbolError;
use crate::identity::{Guid, Identity};
use crate::layout::{BitField, Certainty, Field, Layout, Missing};
use crate::origin::Origin;
use crate::processor::Processor;
use crate::table::{SymbolTable, TypeInfo, TypeName};
use crate::version::Version;

/// How the first line of every table begins, of whatever version.
pub(crate) const FORMAT: &str = "ntlayout ";
/// The first line of every table that this program reads.
const MAGIC: &str = "ntlayout 1";

/// A text of layouts, taken apart into lines.
#[derive(Debug)]
pub(crate) struct Layouts<'t> {
    globals: Vec<&'t str>,
    types: Vec<TypeLines<'t>>,
    pub(crate) kernels: Vec<KernelLines<'t>>,
}

#[derive(Debug)]
struct TypeLines<'t> {
    name: &'t str,
    /// The names of the fields, not yet taken apart.
    spellings: &'t str,
    layouts: Vec<&'t str>,
}

/// One kernel of a text of layouts.
#[derive(Debug)]
pub(crate) struct KernelLines<'t> {
    pub(crate) processor: Processor,
    /// Four numbers with dots between them, as the image's resources have them; of a derived one the last that it serves
    /// behind two dots.
    pub(crate) version: &'t str,
    /// Whether it follows from the layouts of others.
    pub(crate) is_derived: bool,
    pub(crate) identity: Option<Identity>,
    /// The numbers of its types' layouts.
    pub(crate) types: &'t str,
    rvas: Option<&'t str>,
}

impl<'t> KernelLines<'t> {
    /// The first version that it serves, and the last.
    pub(crate) fn versions(&self) -> Option<(Version, Version)> {
        let (first, last) = self
            .version
            .split_once("..")
            .unwrap_or((self.version, self.version));
        Some((first.parse().ok()?, last.parse().ok()?))
    }

    /// Its types alone.
    pub(crate) fn without_image(&self) -> KernelLines<'t> {
        KernelLines {
            identity: None,
            rvas: None,
            ..*self
        }
    }
}

impl<'t> Layouts<'t> {
    /// Takes a text apart, or tells the number of the line that is wrong.
    pub(crate) fn parse(text: &'t str) -> Result<Self, usize> {
        let mut layouts = Self {
            globals: Vec::new(),
            types: Vec::new(),
            kernels: Vec::new(),
        };
        let mut lines = text.lines().enumerate();
        if lines.next().map(|(_, line)| line.trim_end()) != Some(MAGIC) {
            return Err(1);
        }
        for (number, line) in lines {
            layouts.line(line).ok_or_else(|| number.saturating_add(1))?;
        }
        Ok(layouts)
    }

    fn line(&mut self, line: &'t str) -> Option<()> {
        if line.starts_with('#') || line.trim().is_empty() {
            return Some(());
        }
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "globals" => self.globals = rest.split_whitespace().collect(),
            "type" => {
                let (name, spellings) = rest.split_once(' ').unwrap_or((rest, ""));
                self.types.push(TypeLines {
                    name,
                    spellings,
                    layouts: Vec::new(),
                });
            }
            "layout" => self.types.last_mut()?.layouts.push(rest),
            "kernel" => self.kernels.push(parse_kernel(rest)?),
            "types" => self.kernels.last_mut()?.types = rest,
            "rvas" => self.kernels.last_mut()?.rvas = Some(rest),
            _ => return None,
        }
        Some(())
    }

    /// Where a kernel has the globals that its row tells; empty if the row makes no sense.
    pub(crate) fn rvas(&self, kernel: &KernelLines<'_>) -> HashMap<&str, u32> {
        let words = kernel.rvas.unwrap_or_default().split_whitespace();
        let rva = |word| hex_or_none(word).flatten();
        let pairs = self.globals.iter().zip(words);
        pairs
            .filter_map(|(name, word)| Some((*name, rva(word)?)))
            .collect()
    }

    /// The table of one kernel; nothing if a line of it makes no sense.
    pub(crate) fn table(&self, kernel: &KernelLines<'_>, origin: Origin) -> Option<Flat> {
        let mut types = HashMap::with_capacity(self.types.len());
        let mut chosen = kernel.types.split_whitespace();
        for lines in &self.types {
            let word = chosen.next()?;
            let layout = match word {
                "?" => continue,
                "-" => None,
                number => Some(lines.layout(number.parse().ok()?)?),
            };
            types.insert(lines.name.to_owned(), layout);
        }
        let mut globals = HashMap::new();
        if let Some(rvas) = kernel.rvas {
            let mut rvas = rvas.split_whitespace();
            for name in &self.globals {
                globals.insert((*name).to_owned(), hex_or_none(rvas.next()?)?);
            }
        }
        Some(Flat {
            origin,
            identity: kernel.identity.clone(),
            pointer_size: kernel.processor.pointer_size(),
            types,
            globals,
        })
    }
}

impl TypeLines<'_> {
    fn layout(&self, number: usize) -> Option<FlatType> {
        let mut words = self.layouts.get(number)?.split_whitespace();
        let size = u32::from_str_radix(words.next()?, 16).ok()?;
        let mut fields = HashMap::new();
        for spelling in self.spellings.split_whitespace() {
            match words.next()? {
                "?" => {}
                word => {
                    fields.insert(spelling.to_owned(), parse_place(word)?);
                }
            }
        }
        words.next().is_none().then_some(FlatType { size, fields })
    }
}

fn parse_kernel(line: &str) -> Option<KernelLines<'_>> {
    let mut words = line.split_whitespace();
    let processor = Processor::parse(words.next()?)?;
    let version = words.next()?;
    let mut is_derived = false;
    let identity = match words.next() {
        None => None,
        Some("derived") => {
            is_derived = true;
            None
        }
        Some(name) => Some(Identity {
            pdb_name: name.to_owned(),
            guid: words.next()?.parse().ok()?,
            age: u32::from_str_radix(words.next()?, 16).ok()?,
        }),
    };
    Some(KernelLines {
        processor,
        version,
        is_derived,
        identity,
        types: "",
        rvas: None,
    })
}

fn hex_or_none(word: &str) -> Option<Option<u32>> {
    match word {
        "-" => Some(None),
        word => u32::from_str_radix(word, 16).ok().map(Some),
    }
}

fn parse_place(word: &str) -> Option<Option<Place>> {
    if word == "-" {
        return Some(None);
    }
    let mut numbers = word.split(':').map(|number| u32::from_str_radix(number, 16).ok());
    let (offset, size) = (numbers.next()??, numbers.next()??);
    let bits = match (numbers.next(), numbers.next(), numbers.next()) {
        (None, None, None) => None,
        (Some(position), Some(length), None) => {
            let (position, length) = (position?, length?);
            // A bit field does not reach beyond its unit.
            let unit = size.saturating_mul(8).min(64);
            if length == 0 || position.checked_add(length)? > unit {
                return None;
            }
            Some(BitField {
                position: u8::try_from(position).ok()?,
                length: u8::try_from(length).ok()?,
            })
        }
        _ => return None,
    };
    Some(Some(Place { offset, size, bits }))
}

#[derive(Clone, Copy, Debug)]
struct Place {
    offset: u32,
    size: u32,
    bits: Option<BitField>,
}

/// A table of what a contract asks for, of one kernel.
#[derive(Debug)]
pub(crate) struct Flat {
    origin: Origin,
    identity: Option<Identity>,
    pointer_size: u8,
    /// Of the types that the table tells of: nothing for one that the kernel has not.
    types: HashMap<String, Option<FlatType>>,
    globals: HashMap<String, Option<u32>>,
}

#[derive(Debug)]
struct FlatType {
    size: u32,
    fields: HashMap<String, Option<Place>>,
}

impl Flat {
    /// Reads a pack of one kernel; of packs of several, one behind the other, that of the kernel that is wanted.
    pub(crate) fn from_pack(path: &Path, text: &str, wanted: Option<&Identity>) -> Result<Self, SymbolError> {
        let damaged = |detail: String| SymbolError::Damaged {
            path: path.to_owned(),
            kind: "layout pack",
            detail,
        };
        let first = text.lines().next().unwrap_or_default().trim_end();
        if first != MAGIC {
            let first = first.escape_debug();
            return Err(damaged(format!(
                "it begins \"{first}\" where this program reads \"{MAGIC}\""
            )));
        }
        // Of a file for a fleet all but one is for other dumps: it is not taken apart.
        let all: Vec<&str> = packs_in(text).collect();
        let guid = wanted.map(|wanted| wanted.guid.to_string());
        let may_be = |pack: &str| {
            let guid = guid.as_ref().filter(|_| all.len() > 1);
            guid.is_none_or(|guid| memchr::memmem::find(pack.as_bytes(), guid.as_bytes()).is_some())
        };
        let (mut packs, mut before, mut others) = (Vec::new(), 0_usize, 0_usize);
        for pack in all.iter().copied() {
            if may_be(pack) {
                let layouts = Layouts::parse(pack).map_err(|line| {
                    let line = line.saturating_add(before);
                    damaged(format!("line {line} is not understood"))
                })?;
                packs.push(layouts);
            } else {
                others = others.saturating_add(1);
            }
            before = before.saturating_add(memchr::memchr_iter(b'\n', pack.as_bytes()).count());
        }
        let kernels = packs
            .iter()
            .flat_map(|pack| pack.kernels.iter().map(move |kernel| (pack, kernel)));
        let kernels: Vec<(&Layouts<'_>, &KernelLines<'_>)> = kernels.collect();
        let is_wanted = |kernel: &KernelLines<'_>| {
            wanted.is_some_and(|wanted| is_of(kernel.identity.as_ref(), wanted.guid, wanted.age))
        };
        let chosen = match (kernels.as_slice(), others) {
            ([], 0) => return Err(damaged("it is of no kernel".to_owned())),
            ([only], 0) => Some(only),
            (several, _) => several.iter().find(|(_, kernel)| is_wanted(kernel)),
        };
        let (layouts, kernel) = chosen.ok_or_else(|| SymbolError::ManyKernels {
            path: path.to_owned(),
            kernels: kernels.len().saturating_add(others),
        })?;
        let origin = Origin::Pack {
            path: path.to_owned(),
        };
        let table = layouts.table(kernel, origin);
        table.ok_or_else(|| damaged("its layouts are not what its types announce".to_owned()))
    }

    /// The field of a contract, and whether the table tells of it at all.
    fn field(&self, spec: &FieldSpec) -> (Option<Field>, bool) {
        let Some(known) = self.types.get(spec.ty) else {
            return (None, false);
        };
        let Some(layout) = known else {
            return (None, true);
        };
        let mut told = true;
        for (spelling, path) in (0u8..).zip(spec.spellings) {
            match layout.fields.get(*path) {
                Some(Some(Place { offset, size, bits })) => {
                    let field = Field {
                        offset: *offset,
                        size: *size,
                        bits: *bits,
                        spelling,
                    };
                    return (Some(field), true);
                }
                Some(None) => {}
                None => told = false,
            }
        }
        (None, told)
    }

    fn absence(&self, spec: &FieldSpec) -> Missing {
        let FieldSpec {
            ty, name, spellings, ..
        } = *spec;
        match self.types.get(ty) {
            Some(Some(_)) => Missing::Field { ty, name, spellings },
            _ => Missing::Type { ty },
        }
    }
}

impl SymbolTable for Flat {
    fn identity(&self) -> Option<&Identity> {
        self.identity.as_ref()
    }

    fn origin(&self) -> &Origin {
        &self.origin
    }

    fn pointer_size(&self) -> Option<u8> {
        Some(self.pointer_size)
    }

    /// What the table does not tell of is missing, also where the contract could do without it.
    fn resolve(&self, contract: &Contract) -> Result<Layout, SymbolError> {
        let (mut missing, mut untold) = (Vec::new(), Vec::new());
        let mut fields = Vec::with_capacity(contract.fields.len());
        for (index, spec) in contract.fields.iter().enumerate() {
            let (field, told) = self.field(spec);
            if !told {
                untold.push(index);
            }
            let absence = self.absence(spec);
            let lacks = field.is_none() && (!told || spec.need == Need::Required);
            if lacks && !missing.contains(&absence) {
                missing.push(absence);
            }
            fields.push(field);
        }
        let size = |name: &&str| self.types.get(*name)?.as_ref().map(|layout| layout.size);
        let mut globals = Vec::with_capacity(contract.globals.len());
        for spec in contract.globals {
            let known = self.globals.get(spec.name);
            let rva = known.copied().flatten();
            if rva.is_none() && (known.is_none() || spec.need == Need::Required) {
                missing.push(Missing::Global { name: spec.name });
            }
            globals.push(rva);
        }
        Ok(Layout {
            type_sizes: contract.types.iter().map(size).collect(),
            fields,
            globals,
            missing,
            identity: self.identity.clone(),
            origin: self.origin.clone(),
            certainty: Certainty::Exact,
            disputed: Vec::new(),
            untold,
            disputed_sizes: Vec::new(),
            filled: Vec::new(),
        })
    }

    fn type_info(&self, _: &str) -> Result<Option<TypeInfo>, SymbolError> {
        Err(SymbolError::NoWholeTypes {
            origin: self.origin.to_string(),
        })
    }

    fn type_names(&self) -> Result<Vec<TypeName>, SymbolError> {
        Err(SymbolError::NoWholeTypes {
            origin: self.origin.to_string(),
        })
    }

    fn global(&self, name: &str) -> Result<Option<u32>, SymbolError> {
        Ok(self.globals.get(name).copied().flatten())
    }

    fn enum_info(&self, _: &str) -> Result<Option<Vec<(String, i64)>>, SymbolError> {
        Err(SymbolError::NoWholeTypes {
            origin: self.origin.to_string(),
        })
    }
}

/// A resolved contract as the text of a pack, which [`open`](crate::open) takes for the symbols of that image.
///
/// # Errors
/// The layout does not say of which image it is, or its PDB's name does not fit on a line.
pub fn pack(contract: &Contract, layout: &Layout, pointer_size: u8) -> Result<String, PackError> {
    let identity = layout.identity().ok_or(PackError)?;
    if identity.pdb_name.is_empty()
        || identity
            .pdb_name
            .contains(|c: char| c.is_whitespace() || c.is_control())
    {
        return Err(PackError);
    }
    let mut text = format!("{MAGIC}\nglobals");
    contract
        .globals
        .iter()
        .for_each(|spec| push(&mut text, spec.name));
    let mut numbers = String::new();
    for (at, ty) in contract.types.iter().enumerate() {
        let size = layout.type_size(at);
        let all = contract.fields.iter().enumerate();
        let mut fields: Vec<(usize, &FieldSpec)> = all.filter(|(_, spec)| spec.ty == *ty).collect();
        let has_fields = !fields.is_empty();
        // What is not named is not told, which is another thing than not there.
        fields.retain(|(index, _)| !layout.is_untold(*index));
        if has_fields && fields.is_empty() && size.is_none() {
            continue;
        }
        text.push_str("\ntype ");
        text.push_str(ty);
        fields
            .iter()
            .flat_map(|(_, spec)| spec.spellings)
            .for_each(|spelling| push(&mut text, spelling));
        push(&mut numbers, if size.is_some() { "0" } else { "-" });
        if let Some(size) = size {
            text.push_str(&format!("\nlayout {size:x}"));
            for (index, spec) in fields {
                let field = layout.field(index);
                for spelling in 0..spec.spellings.len() {
                    let here = field.filter(|field| usize::from(field.spelling) == spelling);
                    push(&mut text, &here.map_or_else(|| "-".to_owned(), print_place));
                }
            }
        }
    }
    let Identity { pdb_name, guid, age } = identity;
    text.push_str(&format!(
        "\nkernel {pointer_size} - {pdb_name} {guid} {age:x}\ntypes{numbers}\nrvas"
    ));
    for at in 0..contract.globals.len() {
        push(
            &mut text,
            &layout
                .global(at)
                .map_or_else(|| "-".to_owned(), |rva| format!("{rva:x}")),
        );
    }
    text.push('\n');
    Ok(text)
}

/// A layout that cannot be packed, since it does not say of which image it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the symbols do not say of which image they are")]
pub struct PackError;

fn push(text: &mut String, word: &str) {
    text.push(' ');
    text.push_str(word);
}

fn print_place(field: Field) -> String {
    let Field {
        offset, size, bits, ..
    } = field;
    match bits {
        None => format!("{offset:x}:{size:x}"),
        Some(BitField { position, length }) => format!("{offset:x}:{size:x}:{position:x}:{length:x}"),
    }
}

/// The packs of a file that has one behind the other, each from its first line on.
fn packs_in(text: &str) -> impl Iterator<Item = &str> {
    let is_first_line = |at: &usize| {
        let line = text.get(*at..).and_then(|rest| rest.lines().next());
        line.is_some_and(|line| line.trim_end() == MAGIC)
    };
    let behind = memchr::memmem::find_iter(text.as_bytes(), MAGIC.as_bytes());
    let starts = behind.filter(|at| text.get(..*at).is_some_and(|before| before.ends_with('\n')));
    let starts: Vec<usize> = starts.filter(is_first_line).collect();
    let ends = starts.clone().into_iter().chain([text.len()]);
    let packs = std::iter::once(0).chain(starts).zip(ends);
    packs.filter_map(|(start, end)| text.get(start..end))
}

/// Whether an identity is the one that was asked for.
pub(crate) fn is_of(identity: Option<&Identity>, guid: Guid, age: u32) -> bool {
    identity.is_some_and(|identity| identity.guid == guid && identity.age == age)
}
