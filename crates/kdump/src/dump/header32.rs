//! The header of 32-bit dumps: 0x1000 bytes. Offsets are those of `DUMP_HEADER32`.

use crate::dump::header::{DumpKind, Header, MAX_RUNS32, Raw};
use crate::memory::page::PageRun;
use crate::value::address::Gva;
use crate::value::bug_check;
use crate::value::le;
use crate::value::machine::{BugCheck, ContextRecord, ExceptionRecord, Machine};
use crate::value::time::{FileTime, TimeSpan};

const RUNS: usize = 0x6c;
const CONTEXT: usize = 0x320;
const EXCEPTION: usize = 0x7d0;

/// Reads the header from its bytes; fields outside of `bytes` are as if never written. Addresses are not
/// sign-extended.
pub(crate) fn parse(bytes: &[u8]) -> Header {
    let raw = Raw(bytes);
    Header {
        machine: Machine::from_raw(raw.u32(0x20)),
        kind: DumpKind::from_raw(raw.u32(0xf88)),
        major_version: raw.u32(0x8),
        minor_version: raw.u32(0xc),
        directory_table_base: raw.u32(0x10).into(),
        pae_enabled: pae_enabled(&raw),
        pfn_data_base: raw.address32(0x14),
        // Here addresses have four bytes, while the debugger prints those of a 32-bit kernel sign-extended and
        // the debugger data block stores them so: what is 81234560 here is ffffffff81234560 there.
        ps_loaded_module_list: raw.address32(0x18),
        ps_active_process_head: raw.address32(0x1c),
        kd_debugger_data_block: raw.address32(0x60),
        number_processors: raw.written_u32(0x24),
        bug_check: bug_check(&raw),
        version_user: raw.text(0x3c, 32),
        physical_runs: physical_runs(&raw),
        number_of_runs: raw.written_u32(0x64),
        number_of_pages: raw.written_u32(0x68).map(u64::from),
        context: context(&raw),
        exception: exception(&raw),
        required_dump_space: raw.written_u64(0xfa0),
        system_time: raw.written_u64(0xfc0).filter(|&time| time != 0).map(FileTime),
        system_up_time: raw.written_u64(0xfb8).filter(|&time| time != 0).map(TimeSpan),
        comment: raw.text(0x820, 128),
        mini_dump_fields: raw.written_u32(0xf8c),
        secondary_data_state: raw.written_u32(0xf90),
        product_type: None,
        suite_mask: None,
        writer_status: None,
        kd_secondary_version: raw.byte(0x5d),
        attributes: raw.written_u32(0x8a0),
        boot_id: None,
    }
}

/// PaeEnabled is a byte; what was never written is a letter of the filler.
fn pae_enabled(raw: &Raw<'_>) -> Option<bool> {
    match raw.byte(0x5c) {
        0 => Some(false),
        1 => Some(true),
        // `P`, `A`, `G` or `E`: a byte of the filler.
        _ => None,
    }
}

fn bug_check(raw: &Raw<'_>) -> Option<BugCheck> {
    let code = raw.written_u32(0x28)?;
    Some(BugCheck {
        code,
        name: bug_check::name(code),
        parameters: [0x2c, 0x30, 0x34, 0x38].map(|offset| raw.u32(offset).into()),
    })
}

fn physical_runs(raw: &Raw<'_>) -> Vec<PageRun> {
    let Some(count) = raw.written_u32(0x64).filter(|&count| count <= MAX_RUNS32) else {
        return Vec::new();
    };
    let fields = raw.0.get(RUNS..CONTEXT).unwrap_or_default();
    fields
        .chunks_exact(8)
        .take(count as usize)
        .filter_map(|run| {
            Some(PageRun {
                base: u64::from(le::u32(run, 0)?).into(),
                count: le::u32(run, 4)?.into(),
            })
        })
        .collect()
}

/// Fields of the x86 `CONTEXT`: ContextFlags +0, Ebp +b4, Eip +b8, Esp +c4.
fn context(raw: &Raw<'_>) -> Option<ContextRecord> {
    let at = |offset: usize| CONTEXT.saturating_add(offset);
    let flags = raw.written_u32(at(0))?;
    let (esp, eip) = (raw.written_u32(at(0xc4))?, raw.written_u32(at(0xb8))?);
    (esp != 0 || eip != 0).then(|| ContextRecord {
        flags,
        rip: Gva::from(u64::from(eip)),
        rsp: Gva::from(u64::from(esp)),
        integers: Some([
            0,
            0,
            0,
            0,
            esp.into(),
            raw.u32(at(0xb4)).into(),
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
        ]),
    })
}

/// `EXCEPTION_RECORD32`: ExceptionCode, ExceptionFlags, then ExceptionAddress at +c, NumberParameters and the
/// parameters at +14.
fn exception(raw: &Raw<'_>) -> Option<ExceptionRecord> {
    let at = |offset: usize| EXCEPTION.saturating_add(offset);
    let code = raw.written_u32(at(0)).filter(|&code| code != 0)?;
    let count = raw.written_u32(at(0x10)).unwrap_or(0).min(15) as usize;
    let parameters = raw.0.get(at(0x14)..at(0x50)).unwrap_or_default();
    Some(ExceptionRecord {
        code,
        flags: raw.u32(at(4)),
        address: Gva::from(u64::from(raw.u32(at(0xc)))),
        parameters: parameters
            .chunks_exact(4)
            .take(count)
            .filter_map(|bytes| le::u32(bytes, 0))
            .map(u64::from)
            .collect(),
    })
}
