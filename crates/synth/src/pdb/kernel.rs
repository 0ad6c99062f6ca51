//! The PDB of a kernel of the layout extract.

use super::model::{Enum, Member, TypeRef, TypeTable, Udt, UdtKind};
use super::{Leaves, Pdb, Public};
use crate::layout::{Field, Kernel, Kind, Section, Type};

/// The bytes of the kernel's PDB: its types with all members, its globals as public symbols.
#[must_use]
pub fn from_kernel(kernel: &Kernel) -> Vec<u8> {
    describe_kernel(kernel).write()
}

/// The kernel's PDB before it is written, for tests that want it otherwise.
///
/// Forms of records go with the kernel's time: decorated names since Windows 8, leaves with 32-bit
/// properties (and a record that no reader knows) since build 21286, unnamed types called as the
/// compiler of the time calls them.
#[must_use]
pub fn describe_kernel(kernel: &Kernel) -> Pdb {
    let sections = kernel.sections();
    let globals = kernel.globals();
    let mut publics: Vec<Public> = globals
        .map(|(name, rva)| global(kernel, &sections, name, rva))
        .collect();
    publics.push(absolute(kernel, sections.len()));
    Pdb {
        guid: kernel.guid(),
        age: kernel.age(),
        rewritten_age: None,
        signature: 0x4a5b_c000,
        machine: kernel.machine().number(),
        block_size: 4096,
        leaves: leaves(kernel),
        types: type_table(kernel),
        sections,
        publics,
        omap: None,
    }
}

/// The tables do not tell what is a function; here everything in a section of code is.
fn global(kernel: &Kernel, sections: &[Section], name: &str, rva: u32) -> Public {
    const CODE: u32 = 0x20;
    let (segment, offset) = Pdb::place(sections, rva);
    let section = &sections[usize::from(segment) - 1];
    Public {
        name: decorated(kernel, name),
        segment,
        offset,
        is_function: section.characteristics & CODE != 0,
    }
}

/// C names of 32-bit code begin with an underscore.
fn decorated(kernel: &Kernel, name: &str) -> String {
    let underscore = if kernel.pointer_size() == 4 { "_" } else { "" };
    format!("{underscore}{name}")
}

/// A symbol that is a value and no place, as images with control flow guard have several.
fn absolute(kernel: &Kernel, sections: usize) -> Public {
    Public {
        name: decorated(kernel, "__guard_flags"),
        segment: u16::try_from(sections + 1).expect("few sections"),
        offset: 0x10_0500,
        is_function: false,
    }
}

fn leaves(kernel: &Kernel) -> Leaves {
    let new = kernel.build() >= 21286;
    Leaves {
        unique_names: kernel.build() >= 9200,
        wide: new,
        unknown_record: new,
    }
}

/// What types without a name are called. PDBs of kernels have had all three of these names; of 19041
/// the published tables tell that it is `<anonymous-tag>`, of other builds that it is one of the other
/// two, and which of them is assigned here.
fn unnamed(kernel: &Kernel) -> &'static str {
    match kernel.build() {
        ..9200 => "__unnamed",
        19041..=19045 => "<anonymous-tag>",
        _ => "<unnamed-tag>",
    }
}

fn type_table(kernel: &Kernel) -> TypeTable {
    let mut reader = Reader {
        kernel,
        table: TypeTable {
            pointer_size: u8::try_from(kernel.pointer_size()).expect("4 or 8"),
            ..TypeTable::default()
        },
    };
    for (name, values) in kernel.enums() {
        reader.add_enum(name, 4, values.to_vec());
    }
    for ty in kernel.types() {
        let kind = match ty.kind {
            Kind::Struct => UdtKind::Struct,
            Kind::Union => UdtKind::Union,
        };
        let members = reader.members(ty, None);
        reader.add(&ty.name, &ty.name, kind, ty.size, members);
    }
    reader.table
}

struct Reader<'a> {
    kernel: &'a Kernel,
    table: TypeTable,
}

impl Reader<'_> {
    fn add(&mut self, key: &str, name: &str, kind: UdtKind, size: u64, members: Vec<Member>) {
        let udt = Udt {
            name: name.to_owned(),
            kind,
            size,
            members,
        };
        self.table.udts.insert(key.to_owned(), udt);
    }

    fn add_enum(&mut self, name: &str, size: u8, values: Vec<(String, i64)>) {
        let enumeration = Enum {
            name: name.to_owned(),
            base: TypeRef::Int { size, signed: true },
            values,
        };
        self.table.enums.insert(name.to_owned(), enumeration);
    }

    /// The members directly below `holder`, a member of unnamed type, or those of the type itself.
    fn members(&mut self, ty: &Type, holder: Option<&Field>) -> Vec<Member> {
        let base = holder.map_or(0, |h| h.offset);
        children(ty, holder)
            .map(|(name, field)| Member {
                name: name.to_owned(),
                offset: field.offset - base,
                ty: self.type_of(ty, field),
            })
            .collect()
    }

    fn type_of(&mut self, ty: &Type, field: &Field) -> TypeRef {
        if field.ty == "{anon}" {
            return self.unnamed_type(ty, field);
        }
        let parsed = self.parse(&field.ty, field.bytes);
        match field.bit {
            Some((position, length)) => TypeRef::bits(parsed, position, length),
            None if is_volatile(ty, field) => TypeRef::Volatile(Box::new(parsed)),
            None => parsed,
        }
    }

    fn unnamed_type(&mut self, ty: &Type, field: &Field) -> TypeRef {
        let key = format!("{}.{}", ty.name, field.path);
        let members = self.members(ty, Some(field));
        let kind = if overlap(children(ty, Some(field)).map(|(_, f)| f)) {
            UdtKind::Union
        } else {
            UdtKind::Struct
        };
        self.add(&key, unnamed(self.kernel), kind, field.bytes, members);
        TypeRef::Named(key)
    }

    /// The type that the table's words tell, `bytes` long in all.
    fn parse(&mut self, words: &str, bytes: u64) -> TypeRef {
        if let Some(pointee) = between(words, "ptr<", ">") {
            return TypeRef::pointer(match pointee {
                "fn" => TypeRef::Function,
                name if name.starts_with('_') => TypeRef::Named(name.to_owned()),
                other => self.parse(other, 0),
            });
        }
        if let Some((element, count)) = between(words, "[", "]").and_then(|w| w.rsplit_once(';')) {
            let count: u64 = count.parse().expect("a count of elements");
            let element_bytes = bytes.checked_div(count).unwrap_or(0);
            return TypeRef::array(self.parse(element, element_bytes), count);
        }
        if let Some(name) = words.strip_prefix("enum ") {
            return self.enumeration(name, bytes);
        }
        base(words).unwrap_or_else(|| self.value_of(words, bytes))
    }

    /// An enumeration whose values the extract does not have still has a name and a size.
    fn enumeration(&mut self, name: &str, bytes: u64) -> TypeRef {
        if !self.table.enums.contains_key(name) {
            let size = u8::try_from(bytes).expect("an integer's size");
            self.add_enum(name, size, Vec::new());
        }
        TypeRef::Named(name.to_owned())
    }

    /// A structure held by value. One that is not in the extract is defined by its size alone.
    fn value_of(&mut self, name: &str, bytes: u64) -> TypeRef {
        if !self.kernel.has_type(name) && !self.table.udts.contains_key(name) {
            self.add(name, name, UdtKind::Struct, bytes, Vec::new());
        }
        TypeRef::Named(name.to_owned())
    }
}

/// Members that published headers declare `volatile`.
fn is_volatile(ty: &Type, field: &Field) -> bool {
    const VOLATILE: [(&str, &str); 3] = [
        ("_KTHREAD", "State"),
        ("_DISPATCHER_HEADER", "Lock"),
        ("_OBJECT_HEADER", "PointerCount"),
    ];
    VOLATILE.contains(&(ty.name.as_str(), field.path.as_str()))
}

fn between<'a>(words: &'a str, before: &str, after: &str) -> Option<&'a str> {
    words.strip_prefix(before)?.strip_suffix(after)
}

fn base(words: &str) -> Option<TypeRef> {
    let int = |size, signed| TypeRef::Int { size, signed };
    Some(match words {
        "void" => TypeRef::Void,
        // Kernels say CHAR where the table says a signed byte.
        "i8" => TypeRef::Char,
        "u8" => int(1, false),
        "i16" => int(2, true),
        "u16" => int(2, false),
        "i32" => TypeRef::Long { signed: true },
        "u32" => TypeRef::Long { signed: false },
        "i64" => int(8, true),
        "u64" => int(8, false),
        "f32" => TypeRef::Float { size: 4 },
        "f64" => TypeRef::Float { size: 8 },
        _ => return None,
    })
}

/// Names and fields directly below `holder`.
fn children<'a>(ty: &'a Type, holder: Option<&Field>) -> impl Iterator<Item = (&'a str, &'a Field)> {
    let prefix = holder.map_or(String::new(), |h| format!("{}.", h.path));
    ty.fields.iter().filter_map(move |field| {
        let name = field.path.strip_prefix(&prefix)?;
        (!name.contains('.')).then_some((name, field))
    })
}

/// Whether any two fields share a bit, which only a union's can. Of an unnamed type the tables tell
/// the members and not whether it is a union.
fn overlap<'a>(fields: impl Iterator<Item = &'a Field>) -> bool {
    let mut spans: Vec<(u64, u64)> = fields
        .map(|f| match f.bit {
            Some((position, length)) => {
                let start = 8 * f.offset + u64::from(position);
                (start, start + u64::from(length))
            }
            None => (8 * f.offset, 8 * (f.offset + f.bytes)),
        })
        .collect();
    spans.sort_unstable();
    spans.windows(2).any(|pair| pair[1].0 < pair[0].1)
}
