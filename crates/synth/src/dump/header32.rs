//! The header of 32-bit dumps: 0x1000 bytes.

use super::{Header, Kind};
use crate::address::Va;
use crate::bytes::{count, low32, put, put_u32, put_u64};
use crate::machine::Machine;
use crate::physical::Run;

/// Bytes in the header; the index or the first page follows.
pub(super) const SIZE: u64 = 0x1000;

/// Runs that fit the 700 bytes of the header's descriptor.
const MAX_RUNS: usize = 86;

/// The header's bytes, for a file of `length` bytes.
pub(super) fn bytes(header: &Header, kind: Kind, runs: &[Run], length: u64) -> Vec<u8> {
    // What Windows does not write keeps this filler.
    let mut b = b"PAGE".repeat(0x400);
    put(&mut b, 0, b"PAGEDUMP");
    put_u32(&mut b, 0x8, header.major_version);
    put_u32(&mut b, 0xc, header.minor_version);
    put_u32(&mut b, 0x10, low32(header.directory_table_base));
    put_u32(&mut b, 0x14, narrow(header.pfn_data_base));
    put_u32(&mut b, 0x18, narrow(header.ps_loaded_module_list));
    put_u32(&mut b, 0x1c, narrow(header.ps_active_process_head));
    put_u32(&mut b, 0x20, header.machine.number().into());
    put_u32(&mut b, 0x24, header.processors);
    put_u32(&mut b, 0x28, header.bugcheck.code);
    for (i, parameter) in header.bugcheck.parameters.into_iter().enumerate() {
        put_u32(&mut b, 0x2c + 4 * i, narrow(Va(parameter)));
    }
    b[0x3c] = 0;
    b[0x5c] = u8::from(header.machine == Machine::Pae);
    b[0x5d] = 0;
    put_u32(&mut b, 0x60, narrow(header.kd_debugger_data_block));
    put_runs(&mut b, runs);
    put_context(&mut b[0x320..0x7d0], header);
    put_exception(&mut b[0x7d0..0x820], header);
    if !header.comment.is_empty() {
        b[0x820..0x8a0].fill(0);
        put(&mut b, 0x820, header.comment.as_bytes());
    }
    put_u32(&mut b, 0x8a0, header.attributes);
    put_u32(&mut b, 0xf88, kind.number());
    put_u64(&mut b, 0xfa0, length);
    put_u64(&mut b, 0xfb8, header.system_up_time);
    put_u64(&mut b, 0xfc0, header.system_time);
    b
}

/// The low half of an address that is kept sign-extended.
fn narrow(address: Va) -> u32 {
    low32(address.0 & 0xffff_ffff)
}

fn put_runs(b: &mut [u8], runs: &[Run]) {
    assert!(runs.len() <= MAX_RUNS, "{} runs in a header", runs.len());
    put_u32(b, 0x64, low32(count(runs.len())));
    put_u32(b, 0x68, low32(runs.iter().map(|run| run.count).sum()));
    for (i, run) in runs.iter().enumerate() {
        put_u32(b, 0x6c + 8 * i, low32(run.base.0));
        put_u32(b, 0x70 + 8 * i, low32(run.count));
    }
}

/// `CONTEXT` of x86: flags, Eip, flat selectors and Esp.
fn put_context(context: &mut [u8], header: &Header) {
    context[..0x2cc].fill(0);
    put_u32(context, 0, 0x0001_001f);
    put_u32(context, 0xb8, narrow(header.rip));
    put_u32(context, 0xbc, 0x8);
    put_u32(context, 0xc0, 0x246);
    put_u32(context, 0xc4, narrow(header.rsp));
    put_u32(context, 0xc8, 0x10);
}

fn put_exception(record: &mut [u8], header: &Header) {
    record.fill(0);
    put_u32(record, 0, header.exception.0);
    put_u32(record, 0xc, narrow(header.exception.1));
}
