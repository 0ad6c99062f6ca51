//! Triage dumps (kind 4), the files of the Minidump folder: pieces of virtual memory instead of pages.

use super::Kind;
use super::header64::{Header, SIZE};
use crate::address::Va;
use crate::bytes::{count, index, low32, put, put_u32, put_u64};

/// Bytes of `TRIAGE_DUMP64` that are written.
const FIELDS: usize = 0x80;
/// Bytes of a `DUMP_DRIVER_ENTRY64`.
const DRIVER: usize = 0x90;

/// What a triage dump has in structures of their own.
#[derive(Clone, Debug, Default)]
pub struct Triage {
    /// The control block of the processor that crashed.
    pub prcb: Vec<u8>,
    /// The process in whose memory the crashed thread worked.
    pub process: Vec<u8>,
    /// The crashed thread.
    pub thread: Vec<u8>,
    /// The debugger data block.
    pub debugger_data: Vec<u8>,
    /// The kernel's base, size, TimeDateStamp and path.
    pub kernel: (Va, u32, u32, &'static str),
    /// Pieces of memory.
    pub pieces: Vec<(Va, Vec<u8>)>,
}

/// The file of an x64 triage dump.
///
/// # Panics
/// Where the header is that of another machine.
#[must_use]
pub fn write_triage(header: &Header, triage: &Triage) -> Vec<u8> {
    assert_eq!(header.machine.pointer_size(), 8, "a 32-bit triage dump");
    let mut out = header.bytes(Kind::BitmapKernel, &[], 0);
    assert_eq!(count(out.len()), SIZE);
    put_u32(&mut out, 0xf98, 4);
    let fields = out.len();
    out.resize(fields + FIELDS, 0);
    let mut place = |at: usize, bytes: &[u8]| {
        out.resize(out.len().next_multiple_of(16), 0);
        let offset = low32(count(out.len()));
        out.extend_from_slice(bytes);
        put_u32(&mut out, fields + at, offset);
    };
    place(0x1c, &triage.prcb);
    place(0x20, &triage.process);
    place(0x24, &triage.thread);
    place(0x70, &triage.debugger_data);
    let (base, size, stamp, path) = triage.kernel;
    let mut driver = vec![0; DRIVER];
    // The loader's entry is 8 bytes into the driver's.
    put_u64(&mut driver, 0x8 + 0x30, base.0);
    put_u32(&mut driver, 0x8 + 0x40, size);
    put_u32(&mut driver, 0x8 + 0x80, stamp);
    place(0x30, &driver);
    let units: Vec<u8> = path.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut name = low32(count(units.len() / 2)).to_le_bytes().to_vec();
    name.extend(units);
    place(0x38, &name);
    let table = vec![0; 16 * triage.pieces.len()];
    place(0x78, &table);
    put_u32(&mut out, fields + 0x74, low32(count(triage.debugger_data.len())));
    put_u32(&mut out, fields + 0x34, 1);
    put_u32(&mut out, fields + 0x7c, low32(count(triage.pieces.len())));
    let at = |out: &[u8], field: usize| {
        let bytes = out[fields + field..fields + field + 4]
            .try_into()
            .expect("four bytes");
        u32::from_le_bytes(bytes)
    };
    let (driver, string, table) = (at(&out, 0x30), at(&out, 0x38), at(&out, 0x78));
    put_u32(&mut out, index(driver.into()), string);
    for (number, (address, bytes)) in triage.pieces.iter().enumerate() {
        out.resize(out.len().next_multiple_of(16), 0);
        let entry = index(table.into()) + 16 * number;
        let offset = low32(count(out.len()));
        put_u64(&mut out, entry, address.0);
        put_u32(&mut out, entry + 8, offset);
        put_u32(&mut out, entry + 12, low32(count(bytes.len())));
        out.extend_from_slice(bytes);
    }
    let valid = low32(count(out.len()));
    out.extend_from_slice(b"TRGD");
    put_u32(&mut out, fields + 0x8, valid);
    let length = low32(count(out.len()));
    put_u32(&mut out, fields + 0x4, length);
    put(&mut out, 0xfa0, &u64::from(length).to_le_bytes());
    out
}
