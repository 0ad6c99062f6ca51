//! `mem`: the debugger's `db`, `dd` and `dq`, and of its `!vtop` where the bytes are.

use alpc::Value;
use alpc::image::memory::{self, MemoryPiece, MemoryRecord};
use clap::{Args, ValueEnum};

use crate::commands::{Category, Spec, Verb};
use crate::failure::Failure;
use crate::options::Options;
use crate::output::answer::Answer;
use crate::output::schema::Shape;
use crate::output::table::of;
use crate::selector;
use crate::session::Session;
use crate::text::escape;

/// Memory as it is, and where it is in the dump's file (db, dd, dq)
#[derive(Clone, Debug, Args)]
pub struct MemArgs {
    /// Address of the first byte, in the address space of the kernel
    #[arg(value_name = "ADDR")]
    pub address: String,

    /// How many bytes, decimal or hex with 0x, at most 0x10000
    #[arg(value_name = "LEN", default_value = "0x80", value_parser = length)]
    pub length: u64,

    /// What the bytes are shown as
    #[arg(long = "as", value_name = "UNIT", default_value = "bytes")]
    pub unit: Unit,
}

/// What bytes are shown as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Unit {
    /// Bytes, and as text (db)
    Bytes,
    /// Numbers of 2 bytes (dw)
    Words,
    /// Numbers of 4 bytes (dd)
    Dwords,
    /// Numbers of 8 bytes (dq)
    Qwords,
}

impl Unit {
    /// Its bytes.
    fn size(self) -> usize {
        match self {
            Self::Bytes => 1,
            Self::Words => 2,
            Self::Dwords => 4,
            Self::Qwords => 8,
        }
    }
}

impl MemArgs {
    /// What is known of it.
    pub const SPEC: Spec = Spec {
        category: Category::System,
        switches: &[],
        shape: Shape {
            name: "mem",
            results: &[of::<MemoryRecord>],
            tables: &[],
            whole: &[of::<MemoryRecord>],
        },
    };
}

impl Verb for MemArgs {
    fn run(&self, options: &Options, session: &Session) -> anyhow::Result<Answer> {
        let kernel = session.kernel().ok();
        let address = selector::only_address(&self.address)?;
        let address = kernel
            .as_ref()
            .map_or(address, |kernel| selector::narrowed(kernel, address));
        let space = kernel
            .as_ref()
            .map_or_else(|| session.dump().kernel_space(), alpc::Kernel::space);
        let record = memory::memory(&space, address, self.length).map_err(|hole| {
            Failure::fatal(
                "past-the-end",
                format!("{hole}: ask for fewer bytes, or from a lower address"),
            )
        })?;
        let digits = 2 * usize::try_from(space.pointer_width()).unwrap_or(8);
        let answer = Answer::new(text(&record, self.unit, digits, options), &record)?;
        Ok(match &kernel {
            Some(kernel) => answer.served_by(kernel),
            None => answer,
        })
    }

    fn named(&self) -> Vec<String> {
        vec![self.address.clone()]
    }

    fn shows_memory(&self) -> Option<&'static str> {
        Some("mem")
    }
}

fn length(token: &str) -> Result<u64, String> {
    let length =
        selector::count(token).ok_or("a number of bytes, decimal or hex with 0x, as in 128 or 0x80")?;
    match length {
        0 => Err("at least one byte".to_owned()),
        _ if length > memory::MOST => Err(format!("at most {:#x} bytes at once", memory::MOST)),
        _ => Ok(length),
    }
}

/// Bytes of a line, as in the debugger.
const LINE: usize = 16;

/// The debugger's lines: sixteen bytes each from the first byte on, `??` for each that is not there. Why is said below
/// the last of them, as the debugger does not.
fn text(record: &MemoryRecord, unit: Unit, digits: usize, options: &Options) -> String {
    let bytes: Vec<Option<u8>> = record.pieces.iter().flat_map(bytes).collect();
    let mut text = String::new();
    let size = options.fits.map_or(LINE, |width| fitting(unit, digits, width));
    for (line, chunk) in bytes.chunks(size).enumerate() {
        let at = record.address.u64().wrapping_add((line * size) as u64);
        text.push_str(&format!("{at:0digits$x}  {}\n", shown(chunk, unit, size)));
    }
    for piece in &record.pieces {
        if let Some(hole) = piece.bytes.reason() {
            let place = &piece.place;
            text.push_str(&format!(
                "? {:#x} bytes at {}: {}\n",
                place.size,
                place.address,
                escape::text(&hole.to_string())
            ));
        }
    }
    if options.verbose {
        text.extend(record.pieces.iter().map(whereabouts));
    }
    text
}

/// Where a part is.
fn whereabouts(piece: &MemoryPiece) -> String {
    let place = &piece.place;
    let or_unknown = |value: Option<u64>| value.map_or("?".to_owned(), |value| format!("{value:#x}"));
    format!(
        "{:#x} bytes at {}: physical {}, in the file at {}\n",
        place.size,
        place.address,
        or_unknown(place.physical),
        or_unknown(place.file)
    )
}

/// The bytes of a part; none for each that is not there.
fn bytes(piece: &MemoryPiece) -> Vec<Option<u8>> {
    match &piece.bytes {
        Value::Known(bytes) => bytes.0.iter().copied().map(Some).collect(),
        Value::Missing(_) => vec![None; usize::try_from(piece.place.size).unwrap_or(0)],
    }
}

/// How many bytes of a line have room.
fn fitting(unit: Unit, digits: usize, width: usize) -> usize {
    let sizes = [LINE, LINE / 2, LINE / 4];
    let mut sizes = sizes.into_iter().filter(|&size| size >= unit.size());
    let fits = |&size: &usize| digits + 2 + shown(&vec![None; size], unit, size).len() <= width;
    sizes.clone().find(fits).or(sizes.next_back()).unwrap_or(LINE)
}

/// One line of so many bytes. A number of which any byte is missing is not known.
fn shown(chunk: &[Option<u8>], unit: Unit, most: usize) -> String {
    let size = unit.size();
    let mut line = String::new();
    for (place, one) in chunk.chunks(size).enumerate() {
        // The debugger divides its sixteen bytes by a dash, and its numbers as it does all of 64 bits.
        let between = if unit == Unit::Bytes && place == 8 {
            '-'
        } else {
            ' '
        };
        if place > 0 {
            line.push(between);
        }
        let number: Option<Vec<u8>> = one.iter().rev().copied().collect();
        match number {
            Some(number) => line.extend(number.iter().map(|byte| format!("{byte:02x}"))),
            None => line.push_str(&"?".repeat(2 * one.len())),
        }
    }
    if unit == Unit::Bytes {
        let letter = |byte: &Option<u8>| match byte {
            Some(byte @ 0x20..0x7f) => char::from(*byte),
            Some(_) => '.',
            None => '?',
        };
        let width = 3 * most - 1;
        line = format!("{line:<width$}  {}", chunk.iter().map(letter).collect::<String>());
    }
    line
}
