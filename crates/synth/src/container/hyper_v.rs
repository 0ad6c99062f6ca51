//! Saved states of Hyper-V machines (`.vmrs`), by microsoft/openvmm's hvs_file/FORMAT.md.

use super::Machine;
use super::xpress::plain_lz77;
use crate::address::{PAGE_SIZE, Pfn};
use crate::bytes::{Crc32, count, index, low32, put, put_u16, put_u32, put_u64};

/// How a state is written.
#[derive(Clone, Copy, Debug, Default)]
pub struct Style {
    /// Blocks are packed, but every third.
    pub packed: bool,
    /// Key tables in the file are older ones; the newest are in the log, as while the host writes.
    pub pending: bool,
    /// Keys as machines of version 5.0 have them: without `savedstate` before them.
    pub old_names: bool,
    /// No memory, as in a production checkpoint.
    pub without_memory: bool,
}

/// What in a written state is where.
#[derive(Clone, Debug, Default)]
pub struct Written {
    /// The file.
    pub bytes: Vec<u8>,
    /// Where the second object table is.
    pub second_table: usize,
    /// Where key tables are: the first has the nodes.
    pub key_tables: Vec<usize>,
    /// Where the values of blocks are, with their sizes; those in key tables are left out.
    pub blocks: Vec<(usize, usize)>,
    /// Where the log is.
    pub log: usize,
}

const TABLE: usize = 0x1000;
const KEY: usize = 0x15;
const BLOCK: usize = 0x10_0000;
const FIRST_OBJECTS: usize = 0x2000;
/// Few, so that there is more than one table.
const OBJECTS: usize = 3;

/// A value, and where it stands among the keys.
struct Entry {
    kind: u8,
    name: String,
    parent: (u16, u32),
    data: Vec<u8>,
    in_object: bool,
}

/// A saved state.
#[must_use]
pub fn saved(machine: Machine<'_>, style: Style) -> Written {
    let mut out = vec![0; FIRST_OBJECTS + TABLE];
    let mut objects: Vec<(u8, usize, usize)> = Vec::new();
    let mut written = Written::default();
    let (root, state) = ((0, 0), if style.old_names { (0, 0) } else { (1, 10) });
    // The first table has the nodes, and everything refers to it. It is the last one in the file.
    let mut nodes = vec![
        node("savedstate", root),
        node("savedVM", state),
        node("configuration", root),
    ];
    if style.old_names {
        nodes.push(node("RamMemoryBlock", root));
    }
    let place = |wanted: &str| {
        let before = nodes.iter().take_while(|node| node.name != wanted);
        let at: usize = before.map(entry_len).sum();
        (1, u32::try_from(10 + at).expect("small"))
    };
    let mut entries = vec![
        value(3, "VmVersion", state, 0xa00_i64.to_le_bytes().to_vec()),
        text("type", state, "Normal"),
        array("partition_state", place("savedVM"), &[0x5a; 0x40]),
    ];
    if !style.without_memory {
        let mut ram = Vec::new();
        for (number, run) in machine.memory.runs_at_most(6).into_iter().enumerate() {
            let mut record = vec![0; 0x30];
            put_u32(&mut record, 0, 3);
            put_u64(&mut record, 8, run.count);
            put_u64(&mut record, 0x10, count(ram.len()) / PAGE_SIZE);
            put_u64(&mut record, 0x18, run.base.0);
            entries.push(match style.old_names {
                false => array(&format!("RamMemoryBlock{number}"), state, &record),
                true => array(&number.to_string(), place("RamMemoryBlock"), &record),
            });
            for frame in run.base.0..run.end().0 {
                match machine.memory.frame(Pfn(frame)) {
                    Some(page) => ram.extend_from_slice(page),
                    None => ram.resize(ram.len() + 0x1000, 0),
                }
            }
        }
        // A block of nothing but zeros, which is small enough to stand in its key table.
        ram.resize((ram.len().next_multiple_of(BLOCK)) + BLOCK, 0);
        for (number, block) in ram.chunks(BLOCK).enumerate() {
            let packed = pack(block);
            let data = if style.packed && number % 3 != 2 {
                packed
            } else {
                block.to_vec()
            };
            let name = format!("RamBlock{number}");
            // Other things stand between the blocks, so that these are in several tables.
            entries.push(array(&format!("device{number}"), state, &[0x6b; 0x700]));
            if data.len() < 0x800 {
                entries.push(array(&name, state, &data));
                continue;
            }
            out.resize(out.len().next_multiple_of(0x1000), 0);
            written.blocks.push((out.len(), data.len()));
            objects.push((3, out.len(), data.len().next_multiple_of(0x1000)));
            let mut pointer = low32(count(data.len())).to_le_bytes().to_vec();
            pointer.extend(count(out.len()).to_le_bytes());
            entries.push(Entry {
                in_object: true,
                ..value(7, &name, state, pointer)
            });
            out.extend(data);
        }
    }
    // The last blocks come first: no order is promised.
    entries.reverse();
    let mut changes: Vec<(usize, Vec<u8>)> = Vec::new();
    for (number, table) in tables(&entries, 2).into_iter().enumerate() {
        out.resize(out.len().next_multiple_of(0x1000), 0);
        written.key_tables.push(out.len());
        objects.push((2, out.len(), TABLE));
        if style.pending && number == 0 {
            // Nothing but a free entry so far.
            changes.push((out.len(), table));
            let empty = tables(&[], u16::try_from(2 + number).expect("few")).remove(0);
            out.extend(empty);
        } else if style.pending && number == 1 {
            // A part of a table.
            changes.push((out.len() + 0x200, table[0x200..0x600].to_vec()));
            out.extend(&table[..0x200]);
            out.extend([0xaa; 0x400]);
            out.extend(&table[0x600..]);
        } else {
            out.extend(table);
        }
    }
    // An older table of the same index, in which everything is elsewhere.
    let wrong: Vec<Entry> = (0..40)
        .map(|number| array(&format!("RamBlock{number}"), state, &[0xff; 4]))
        .collect();
    for mut table in tables(&wrong, 2).into_iter().take(1) {
        put_u16(&mut table, 4, 1);
        sum(&mut table[..10], 6);
        out.resize(out.len().next_multiple_of(0x1000), 0);
        objects.push((2, out.len(), TABLE));
        out.extend(table);
    }
    out.resize(out.len().next_multiple_of(0x1000), 0);
    written.key_tables.insert(0, out.len());
    objects.push((2, out.len(), TABLE));
    out.extend(tables(&nodes, 1).remove(0));
    written.log = out.len();
    out.extend(log(&changes));
    objects.push((6, written.log, out.len() - written.log));
    written.second_table = object_tables(&mut out, &objects);
    for (at, sequence) in [(0, 7), (0x1000, 8)] {
        let mut header = vec![0; 0x2e];
        put_u32(&mut header, 0, 0x0128_2014);
        put_u16(&mut header, 8, sequence);
        put_u32(&mut header, 0xa, 0x400);
        put_u32(&mut header, 0x16, 0x1000);
        // The older header has another log.
        put_u64(&mut header, 0x1a, if at == 0 { 0 } else { count(written.log) });
        put_u64(&mut header, 0x22, 0x8_0000);
        put_u32(&mut header, 0x2a, 0x1000);
        sum(&mut header, 4);
        put(&mut out, at, &header);
    }
    written.bytes = out;
    written
}

/// A configuration (`.vmcx`): the same container without a saved state.
#[must_use]
pub fn configuration(machine: Machine<'_>) -> Vec<u8> {
    let style = Style {
        without_memory: true,
        old_names: true,
        ..Style::default()
    };
    let Written {
        mut bytes,
        key_tables,
        ..
    } = saved(machine, style);
    let nodes = [node("configuration", (0, 0))];
    put(&mut bytes, key_tables[0], &tables(&nodes, 1).remove(0));
    bytes
}

/// Computes the checksum at `at`, which counts itself as zero.
pub fn sum(bytes: &mut [u8], at: usize) {
    put_u32(bytes, at, 0);
    let sum = crc32(bytes);
    put_u32(bytes, at, sum);
}

fn crc32(bytes: &[u8]) -> u32 {
    Crc32::new().with(bytes).sum()
}

fn value(kind: u8, name: &str, parent: (u16, u32), data: Vec<u8>) -> Entry {
    Entry {
        kind,
        name: name.to_owned(),
        parent,
        data,
        in_object: false,
    }
}

fn node(name: &str, parent: (u16, u32)) -> Entry {
    value(9, name, parent, vec![0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0])
}

fn array(name: &str, parent: (u16, u32), bytes: &[u8]) -> Entry {
    let mut data = low32(count(bytes.len())).to_le_bytes().to_vec();
    data.extend_from_slice(bytes);
    value(7, name, parent, data)
}

fn text(name: &str, parent: (u16, u32), text: &str) -> Entry {
    let units: Vec<u8> = text
        .encode_utf16()
        .chain([0])
        .flat_map(u16::to_le_bytes)
        .collect();
    Entry {
        kind: 6,
        ..array(name, parent, &units)
    }
}

fn entry_len(entry: &Entry) -> usize {
    KEY + entry.name.len() + 1 + entry.data.len()
}

fn entry_bytes(entry: &Entry, slack: usize, sequence: u32) -> Vec<u8> {
    let mut bytes = vec![0; KEY];
    bytes[0] = entry.kind;
    bytes[1] = u8::from(entry.in_object);
    put_u32(&mut bytes, 2, low32(count(entry_len(entry) + slack)));
    put_u16(&mut bytes, 6, entry.parent.0);
    put_u32(&mut bytes, 8, entry.parent.1);
    put_u32(&mut bytes, 0x10, sequence);
    bytes[0x14] = u8::try_from(entry.name.len() + 1).expect("short");
    bytes.extend(entry.name.as_bytes());
    bytes.push(0);
    bytes.extend(&entry.data);
    sum(&mut bytes, 0xc);
    bytes.resize(bytes.len() + slack, 0x77);
    bytes
}

/// Key tables, filled exactly: what is left is an entry that is free, or the slack of the last one.
fn tables(entries: &[Entry], first: u16) -> Vec<Vec<u8>> {
    let mut tables = Vec::new();
    let mut rest = entries;
    let mut sequence = 1;
    loop {
        let mut room = TABLE - 10;
        let fit = rest
            .iter()
            .take_while(|entry| {
                let fits = entry_len(entry) <= room;
                room -= if fits { entry_len(entry) } else { 0 };
                fits
            })
            .count();
        let (now, later) = rest.split_at(fit);
        let number = first + u16::try_from(tables.len()).expect("few");
        let mut table = vec![0; 10];
        put_u16(&mut table, 0, 2);
        put_u16(&mut table, 2, number);
        put_u16(&mut table, 4, 3);
        sum(&mut table, 6);
        for (place, entry) in now.iter().enumerate() {
            let last = place + 1 == now.len() && room <= KEY;
            table.extend(entry_bytes(entry, if last { room } else { 0 }, sequence));
            sequence += 1;
        }
        if room > KEY {
            let at = table.len();
            table.resize(TABLE, 0);
            table[at] = 1;
            put_u32(&mut table, at + 2, low32(count(room)));
            sum(&mut table[at..at + KEY], 0xc);
        }
        assert_eq!(table.len(), TABLE, "filled exactly");
        tables.push(table);
        rest = later;
        if rest.is_empty() {
            return tables;
        }
    }
}

/// The log with changes that wait: where each belongs, and its bytes.
fn log(changes: &[(usize, Vec<u8>)]) -> Vec<u8> {
    let mut head = vec![0; 0x22];
    put_u32(&mut head, 0, 0x0111_0003);
    put_u32(&mut head, 8, low32(count(changes.len())));
    put_u32(&mut head, 0xd, 145);
    sum(&mut head, 4);
    let mut data: Vec<u8> = Vec::new();
    for (to, bytes) in changes {
        let mut entry = vec![0; 0x1c];
        put_u64(&mut entry, 4, count(*to));
        put_u32(&mut entry, 0xc, low32(count(bytes.len())));
        put_u64(&mut entry, 0x10, count(0x1000 + data.len()));
        put_u32(&mut entry, 0x18, crc32(bytes));
        sum(&mut entry, 0);
        head.extend(entry);
        data.extend(bytes);
    }
    head.resize(0x1000, 0);
    head.extend(data);
    head.resize(head.len().next_multiple_of(0x1000), 0);
    head
}

/// Object tables, the first at its place and the others at the end; where the second one is.
fn object_tables(out: &mut Vec<u8>, objects: &[(u8, usize, usize)]) -> usize {
    let object = |kind: u8, at: usize, size: usize| {
        let mut object = vec![0; 0x12];
        object[0] = kind;
        put_u64(&mut object, 5, count(at));
        put_u32(&mut object, 0xd, low32(count(size)));
        object[0x11] = 1;
        sum(&mut object, 1);
        object
    };
    let mut at = FIRST_OBJECTS;
    let mut second = 0;
    let chunks: Vec<_> = objects.chunks(OBJECTS).collect();
    for (number, chunk) in chunks.iter().enumerate() {
        let next = if number + 1 < chunks.len() { out.len() } else { 0 };
        let mut table = vec![0; 8];
        put_u32(&mut table, 0, 0x0111_0001);
        put_u32(&mut table, 4, low32(count(OBJECTS + 1)));
        for &(kind, at, size) in *chunk {
            table.extend(object(kind, at, size));
        }
        table.resize(8 + 0x12 * OBJECTS, 0);
        table.extend(match next {
            0 => vec![0; 0x12],
            next => object(1, next, 0x1000),
        });
        if number == 1 {
            second = at;
        }
        if next != 0 {
            out.resize(next + TABLE, 0);
        }
        put(out, at, &table);
        at = next;
    }
    second
}

/// A block of 1 MiB, page by page, in each form that pages have.
fn pack(block: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let pages: Vec<&[u8]> = block.chunks(0x1000).collect();
    let pattern = |page: &[u8]| page.chunks(8).all(|eight| eight == &page[..8]);
    let mut at = 0;
    while at < pages.len() {
        let page = pages[at];
        if pattern(page) {
            let same = pages[at..].iter().take_while(|other| **other == page).count();
            if same == 1 {
                out.extend(0xffff_fffe_u32.to_le_bytes());
                out.extend(&page[..8]);
            } else {
                out.extend(0xffff_fffd_u32.to_le_bytes());
                out.extend(&page[..8]);
                out.extend(low32(count(same)).to_le_bytes());
            }
            at += same;
            continue;
        }
        if at % 5 == 4 {
            // In two unequal parts.
            for part in [&page[..0x123], &page[0x123..]] {
                let packed = plain_lz77(part);
                let data = if packed.len() < part.len() {
                    &packed[..]
                } else {
                    part
                };
                out.extend(0xffff_fffc_u32.to_le_bytes());
                out.extend(low32(count(part.len())).to_le_bytes());
                out.extend(low32(count(data.len())).to_le_bytes());
                out.extend(data);
            }
        } else {
            let packed = plain_lz77(page);
            let data = if packed.len() < page.len() {
                &packed[..]
            } else {
                page
            };
            out.extend(low32(count(data.len())).to_le_bytes());
            out.extend(data);
        }
        at += 1;
    }
    out.extend([0xff; 4]);
    assert_ne!(
        index(count(out.len())),
        BLOCK,
        "a packed block of the size of one that is not"
    );
    out
}
