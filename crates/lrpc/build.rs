//! Packs the tables in `data/` into what the library searches: of 1.4 MB of text 0.4 MB are left, and nothing has to be
//! read through before the first question. `src/names/packed.rs` reads it and says how it is laid out.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::{env, fs};

/// A procedure: its number, and where its name and source are.
type Row = (u16, u32, u16);

fn main() {
    println!("cargo::rerun-if-changed=data");
    let (procedures, counts) = (table("procedures.tsv"), table("counts.tsv"));
    let endpoints = table("endpoints.tsv");
    let mut pool = Pool::default();
    let mut sources = Sources::default();
    let mut interfaces: BTreeMap<[u8; 16], (Vec<Row>, u16, u32)> = BTreeMap::new();
    for line in procedures.lines().skip(1) {
        let [uuid, opnum, name, source] = fields(line);
        let opnum = opnum.parse().expect("a number");
        let row = (opnum, pool.add(name), sources.add(source));
        interfaces.entry(bytes(uuid)).or_default().0.push(row);
    }
    for line in counts.lines().skip(1) {
        let [uuid, count, name, _] = fields(line);
        let interface = interfaces.entry(bytes(uuid)).or_default();
        interface.1 = count.parse().expect("a number");
        interface.2 = pool.add(name);
    }
    for line in endpoints.lines().skip(1) {
        let [_, uuid, _, name, _, _] = fields(line);
        let interface = interfaces.entry(bytes(uuid)).or_default();
        if interface.2 == 0 {
            interface.2 = pool.add(name);
        }
    }
    let rows: usize = interfaces.values().map(|(rows, ..)| rows.len()).sum();
    let mut out = Vec::new();
    for number in [interfaces.len(), rows, sources.texts.len()] {
        out.extend(u32::try_from(number).expect("small").to_le_bytes());
    }
    let mut first = 0_u32;
    for (uuid, (rows, count, name)) in &interfaces {
        out.extend(uuid);
        out.extend(first.to_le_bytes());
        let here = u16::try_from(rows.len()).expect("few");
        out.extend(here.to_le_bytes());
        out.extend(count.to_le_bytes());
        out.extend(name.to_le_bytes());
        first += u32::from(here);
    }
    for (opnum, name, source) in interfaces.values().flat_map(|(rows, ..)| rows) {
        out.extend(opnum.to_le_bytes());
        out.extend(source.to_le_bytes());
        out.extend(name.to_le_bytes());
    }
    for source in &sources.texts {
        out.extend(pool.add(source).to_le_bytes());
    }
    out.extend(pool.bytes);
    let target = env::var("OUT_DIR").expect("cargo says where");
    fs::write(Path::new(&target).join("names.bin"), out).expect("the target can be written");
}

/// A table as it is checked in.
fn table(name: &str) -> String {
    let root = env::var("CARGO_MANIFEST_DIR").expect("cargo says where");
    let path = Path::new(&root).join("data").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn fields<const N: usize>(line: &str) -> [&str; N] {
    let fields: Vec<&str> = line.split('\t').collect();
    fields
        .try_into()
        .unwrap_or_else(|_| panic!("not {N} fields: {line}"))
}

/// The bytes of an id as it is written, so that tables sort like it.
fn bytes(uuid: &str) -> [u8; 16] {
    let digits: String = uuid.chars().filter(|c| *c != '-').collect();
    let byte = |at: usize| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).expect("hex digits");
    std::array::from_fn(byte)
}

/// Texts one behind the other, each with its length in one byte before it; at 0 the empty one.
struct Pool {
    bytes: Vec<u8>,
    known: HashMap<String, u32>,
}

impl Default for Pool {
    fn default() -> Self {
        Self {
            bytes: vec![0],
            known: HashMap::from([(String::new(), 0)]),
        }
    }
}

impl Pool {
    fn add(&mut self, text: &str) -> u32 {
        if let Some(known) = self.known.get(text) {
            return *known;
        }
        let at = u32::try_from(self.bytes.len()).expect("small");
        self.bytes
            .push(u8::try_from(text.len()).expect("names and sources are short"));
        self.bytes.extend(text.as_bytes());
        self.known.insert(text.to_owned(), at);
        at
    }
}

/// What rows name as their source, each once.
#[derive(Default)]
struct Sources {
    texts: Vec<String>,
}

impl Sources {
    fn add(&mut self, text: &str) -> u16 {
        let known = self.texts.iter().position(|known| known == text);
        let at = known.unwrap_or_else(|| {
            self.texts.push(text.to_owned());
            self.texts.len() - 1
        });
        u16::try_from(at).expect("few")
    }
}
