//! A complete table of a real kernel made into a PDB, and everything of it found again, where the
//! tables are present.

mod llvm;

use std::collections::{HashMap, HashSet};
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};

use pdb::{FallibleIterator, ItemFinder, PDB, PrimitiveKind, SymbolData, TypeData, TypeIndex};
use serde_json::Value;
use synth::isf::Isf;

fn tables() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/isf");
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = entries.map(|e| e.unwrap().path()).collect();
    paths.retain(|p| p.extension().is_some_and(|e| e == "xz"));
    paths.sort();
    // Every other one: the three names of unnamed types and all eras are among them.
    paths.into_iter().step_by(2).collect()
}

fn unpack(path: &Path) -> Value {
    let mut text = Vec::new();
    let file = std::fs::File::open(path).unwrap();
    lzma_rust2::XzReader::new(file, true)
        .read_to_end(&mut text)
        .unwrap();
    serde_json::from_slice(&text).unwrap()
}

fn is_unnamed(name: &str) -> bool {
    name.starts_with("__unnamed_") || name.starts_with("__anonymous_") || name.starts_with("<unnamed-enum-")
}

/// One line for each member: place, name, type; unnamed types are told by their members.
type Lines = Vec<String>;

/// What the table says, in the words of the table.
struct Told<'a>(&'a Value);

impl Told<'_> {
    fn lines(&self, udt: &Value) -> Lines {
        let fields = udt["fields"].as_object().unwrap();
        let line =
            |(name, f): (&String, &Value)| format!("{} {name}: {}", f["offset"], self.words(&f["type"]));
        let mut lines: Lines = fields.iter().map(line).collect();
        lines.sort();
        lines
    }

    fn words(&self, ty: &Value) -> String {
        let name = || ty["name"].as_str().unwrap().to_owned();
        match ty["kind"].as_str().unwrap() {
            "base" => name(),
            "pointer" => format!("*{}", self.words(&ty["subtype"])),
            "array" => format!("[{}; {}]", self.words(&ty["subtype"]), ty["count"]),
            "bitfield" => {
                let (position, length) = (&ty["bit_position"], &ty["bit_length"]);
                format!("{} bits {position}+{length}", self.words(&ty["type"]))
            }
            "function" => "function".to_owned(),
            "enum" if is_unnamed(&name()) => "an enum".to_owned(),
            _ if is_unnamed(&name()) => {
                let udt = &self.0["user_types"][&name()];
                format!(
                    "{} {} {{{}}}",
                    udt["kind"],
                    udt["size"],
                    self.lines(udt).join(", ")
                )
            }
            _ => name(),
        }
    }
}

/// What the PDB says, in the same words.
struct Records<'t> {
    finder: ItemFinder<'t, TypeIndex>,
    /// Sizes of what forward references stand for.
    sizes: HashMap<String, u64>,
}

impl<'t> Records<'t> {
    fn get(&self, index: TypeIndex) -> TypeData<'t> {
        self.finder.find(index).unwrap().parse().unwrap()
    }

    fn lines(&self, mut list: Option<TypeIndex>) -> Lines {
        let mut lines = Vec::new();
        while let Some(index) = list {
            let TypeData::FieldList(fields) = self.get(index) else {
                panic!("no list at {index}")
            };
            for field in fields.fields {
                let TypeData::Member(m) = field else {
                    panic!("{field:?}")
                };
                lines.push(format!("{} {}: {}", m.offset, m.name, self.words(m.field_type)));
            }
            list = fields.continuation;
        }
        lines.sort();
        lines
    }

    fn words(&self, index: TypeIndex) -> String {
        let unnamed = |name: &pdb::RawString<'_>| {
            ["<unnamed-tag>", "<anonymous-tag>"].contains(&name.to_string().as_ref())
        };
        match self.get(index) {
            TypeData::Primitive(p) => {
                let star = if p.indirection.is_some() { "*" } else { "" };
                format!("{star}{}", primitive(p.kind))
            }
            TypeData::Pointer(p) => format!("*{}", self.words(p.underlying_type)),
            TypeData::Array(a) => self.array(&a),
            TypeData::Bitfield(b) => {
                format!(
                    "{} bits {}+{}",
                    self.words(b.underlying_type),
                    b.position,
                    b.length
                )
            }
            TypeData::Procedure(_) => "function".to_owned(),
            TypeData::Enumeration(e) if unnamed(&e.name) => "an enum".to_owned(),
            TypeData::Enumeration(e) => e.name.to_string().into_owned(),
            TypeData::Class(c) if unnamed(&c.name) => {
                format!("\"struct\" {} {{{}}}", c.size, self.lines(c.fields).join(", "))
            }
            TypeData::Class(c) => c.name.to_string().into_owned(),
            TypeData::Union(u) if unnamed(&u.name) => {
                format!(
                    "\"union\" {} {{{}}}",
                    u.size,
                    self.lines(Some(u.fields)).join(", ")
                )
            }
            TypeData::Union(u) => u.name.to_string().into_owned(),
            other => panic!("{other:?}"),
        }
    }

    fn array(&self, array: &pdb::ArrayType) -> String {
        let [bytes] = array.dimensions[..] else {
            panic!("{array:?}")
        };
        let element = self.size(array.element_type);
        let count = u64::from(bytes).checked_div(element).unwrap_or(0);
        format!("[{}; {count}]", self.words(array.element_type))
    }

    fn size(&self, index: TypeIndex) -> u64 {
        match self.get(index) {
            TypeData::Primitive(p) if p.indirection.is_some() => 8,
            TypeData::Primitive(p) => size_of_primitive(p.kind),
            TypeData::Pointer(_) => 8,
            TypeData::Array(a) => a.dimensions[0].into(),
            TypeData::Enumeration(e) => self.size(e.underlying_type),
            TypeData::Class(c) if c.properties.forward_reference() => self.defined_size(&c.name),
            TypeData::Union(u) if u.properties.forward_reference() => self.defined_size(&u.name),
            TypeData::Class(c) => c.size,
            TypeData::Union(u) => u.size,
            other => panic!("{other:?}"),
        }
    }

    fn defined_size(&self, name: &pdb::RawString<'_>) -> u64 {
        self.sizes[name.to_string().as_ref()]
    }
}

fn primitive(kind: PrimitiveKind) -> &'static str {
    match kind {
        PrimitiveKind::Void => "void",
        PrimitiveKind::RChar | PrimitiveKind::Char => "char",
        PrimitiveKind::UChar => "unsigned char",
        PrimitiveKind::WChar => "wchar",
        PrimitiveKind::Short => "short",
        PrimitiveKind::UShort => "unsigned short",
        PrimitiveKind::I32 => "int",
        PrimitiveKind::U32 => "unsigned int",
        PrimitiveKind::Long => "long",
        PrimitiveKind::ULong => "unsigned long",
        PrimitiveKind::Quad => "long long",
        PrimitiveKind::UQuad => "unsigned long long",
        PrimitiveKind::F32 => "f32",
        PrimitiveKind::F64 => "double",
        PrimitiveKind::HRESULT => "HRESULT",
        other => panic!("{other:?}"),
    }
}

fn size_of_primitive(kind: PrimitiveKind) -> u64 {
    match primitive(kind) {
        "void" => 0,
        "char" | "unsigned char" => 1,
        "wchar" | "short" | "unsigned short" => 2,
        "long long" | "unsigned long long" | "double" => 8,
        _ => 4,
    }
}

fn assert_types(table: &Value, types: &pdb::TypeInformation<'_>) {
    let mut finder = types.finder();
    let mut found: HashMap<String, (&str, u64, Option<TypeIndex>)> = HashMap::new();
    let mut enums = HashMap::new();
    let mut iter = types.iter();
    while let Some(item) = iter.next().unwrap() {
        finder.update(&iter);
        match item.parse().unwrap() {
            TypeData::Class(c) if !c.properties.forward_reference() => {
                found.insert(c.name.to_string().into_owned(), ("struct", c.size, c.fields));
            }
            TypeData::Union(u) if !u.properties.forward_reference() => {
                found.insert(u.name.to_string().into_owned(), ("union", u.size, Some(u.fields)));
            }
            TypeData::Enumeration(e) => {
                enums.insert(e.name.to_string().into_owned(), e.fields);
            }
            _ => {}
        }
    }
    let sizes = found
        .iter()
        .map(|(name, (_, size, _))| (name.clone(), *size))
        .collect();
    let (told, read) = (Told(table), Records { finder, sizes });
    for (name, udt) in table["user_types"].as_object().unwrap() {
        if is_unnamed(name) {
            continue;
        }
        let (kind, size, fields) = found[name];
        assert_eq!(udt["kind"], kind, "{name}");
        assert_eq!(udt["size"], size, "{name}");
        assert_eq!(read.lines(fields), told.lines(udt), "{name}");
    }
    for (name, entry) in table["enums"].as_object().unwrap() {
        if is_unnamed(name) {
            continue;
        }
        let TypeData::FieldList(list) = read.get(enums[name]) else {
            panic!("{name}")
        };
        let constants = entry["constants"].as_object().unwrap();
        assert_eq!(list.fields.len(), constants.len(), "{name}");
        for field in list.fields {
            let TypeData::Enumerate(e) = field else {
                panic!("{name}: {field:?}")
            };
            let told = constants[e.name.to_string().as_ref()].as_i64().unwrap();
            assert_eq!(e.value.to_string(), told.to_string(), "{name}.{}", e.name);
        }
    }
}

fn assert_symbols(table: &Value, file: &mut PDB<'static, Cursor<Vec<u8>>>) {
    let map = file.address_map().unwrap();
    let symbols = file.global_symbols().unwrap();
    let mut iter = symbols.iter();
    let mut rvas = HashMap::new();
    while let Some(symbol) = iter.next().unwrap() {
        if let Ok(SymbolData::Public(p)) = symbol.parse() {
            rvas.insert(p.name.to_string().into_owned(), p.offset.to_rva(&map).unwrap().0);
        }
    }
    for (name, symbol) in table["symbols"].as_object().unwrap() {
        let decorated = symbol["linkage_name"].as_str().unwrap_or(name);
        assert_eq!(symbol["address"], rvas[decorated], "{name}");
    }
}

#[test]
fn everything_is_found_again() {
    for path in tables() {
        let pdb = Isf::open(&path).unwrap().describe();
        let mut file = PDB::open(Cursor::new(pdb.write())).unwrap();
        let table = unpack(&path);
        let identity = &table["metadata"]["windows"]["pdb"];
        let guid = file
            .pdb_information()
            .unwrap()
            .guid
            .simple()
            .to_string()
            .to_uppercase();
        assert_eq!(identity["GUID"], guid);
        assert_types(&table, &file.type_information().unwrap());
        assert_symbols(&table, &mut file);
    }
}

/// Names between back-ticks on the lines that begin with a record's kind.
fn names<'t>(text: &'t str, kinds: &[&str]) -> HashSet<&'t str> {
    let named = text.lines().filter(|l| kinds.iter().any(|k| l.contains(k)));
    named
        .filter_map(|l| Some(l.split_once('`')?.1.rsplit_once('`')?.0))
        .collect()
}

#[test]
fn llvm_finds_every_name() {
    let Some(path) = tables().pop() else {
        return;
    };
    let bytes = Isf::open(&path).unwrap().describe().write();
    let Some(text) = llvm::dump(
        &bytes,
        &["--types", "--type-extras", "--publics", "--public-extras"],
    ) else {
        return;
    };
    let table = unpack(&path);
    let types = names(&text, &["| LF_STRUCTURE", "| LF_UNION", "| LF_ENUM"]);
    for place in ["user_types", "enums"] {
        let keys = table[place].as_object().unwrap().keys();
        for name in keys.filter(|n| !is_unnamed(n)) {
            assert!(types.contains(name.as_str()), "{name}");
        }
    }
    let publics = names(&text, &["| S_PUB32"]);
    for (name, symbol) in table["symbols"].as_object().unwrap() {
        let decorated = symbol["linkage_name"].as_str().unwrap_or(name);
        // The tool writes control characters in its own way.
        if decorated.chars().all(|c| c.is_ascii_graphic()) {
            assert!(publics.contains(decorated), "{decorated}");
        }
    }
}

#[test]
fn what_is_no_table_is_refused() {
    for text in ["", "{}", r#"{"metadata":{"windows":{"pdb":{"GUID":"xyz"}}}}"#] {
        let error = Isf::from_json(text.as_bytes()).unwrap_err();
        assert!(!error.to_string().is_empty());
    }
}
