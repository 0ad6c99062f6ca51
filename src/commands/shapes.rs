//! What each command writes as JSON, for its schema.

use alpc::port::connection::{ConnectionsRecord, EdgeRecord, ProcessPortsRecord};
use alpc::port::message::MessageRecord;
use alpc::port::port_record::PortRecord;
use alpc::port::receiver::SystemThreads;
use alpc::port::resource::Resources;
use alpc::port::waiter::ThreadRecord;
use alpc::process::Processes;
use alpc::process::module::Modules;
use alpc::process::typed::{TypeList, TypeRecord};
use alpc::report::analyze::Analysis;
use alpc::report::portlist::PortLine;
use alpc::wait::table::WaitTable;

use crate::commands::triage::groups;
use crate::commands::triage::ignored;
use crate::commands::triage::record::Record;
use crate::commands::*;
use crate::output::schema::Describe;
use crate::output::schema::of;

/// A command's records: one for each line with `--format ndjson`, or each row with `--format csv`.
#[derive(Clone, Copy)]
pub struct Table {
    /// The kind of record, as each line names it.
    pub record: &'static str,
    /// Its form.
    pub row: Describe,
    /// The form of what stands beside the records, in the last line, and the member of it that is written as
    /// records instead.
    pub rest: (Describe, Option<&'static str>),
}

/// What a command writes as JSON.
pub struct Shape {
    /// Its name.
    pub command: &'static str,
    /// What its results may be with `--format json`.
    pub results: &'static [Describe],
    /// The tables that it may fill with `--format ndjson`.
    pub tables: &'static [Table],
    /// The results that stand in one line with `--format ndjson`.
    pub whole: &'static [Describe],
}

macro_rules! shape {
    ($command:literal: $($result:ty)|+; $($table:expr),+; $($whole:ty)|*) => {
        Shape { command: $command, results: &[$(of::<$result>),+], tables: &[$($table),+], whole: &[$(of::<$whole>),*] }
    };
    ($command:literal: $($result:ty)|+) => {
        Shape { command: $command, results: &[$(of::<$result>),+], tables: &[], whole: &[$(of::<$result>),+] }
    };
}

/// All commands, in the order of `--help`.
pub fn shapes() -> Vec<Shape> {
    vec![
        shape!("info": info::InfoRecord<'static>),
        shape!("hang": hang::HangRecord<'static>),
        shape!("chain": chain::ChainsRecord),
        shape!("waits": WaitTable; waits::TABLE;),
        shape!("graph": graph::GraphsRecord<'static>),
        shape!("triage": Record; groups::TABLE, ignored::TABLE; Record),
        shape!("message": MessageRecord | Vec<MessageRecord>; message::TABLE;),
        shape!("port": PortRecord),
        shape!("resource": Resources),
        shape!("global": global::Full | Vec<PortLine> | Vec<EdgeRecord>; global::LIST, global::EDGES; global::Full),
        shape!("connections": ConnectionsRecord; connections::TABLE;),
        shape!("ports": ports::PortsRecord | ports::OrphansRecord | ProcessPortsRecord; ports::TABLE, ports::ORPHANS; ProcessPortsRecord),
        shape!("analyze": Analysis; analyze::TABLE;),
        shape!("threads": SystemThreads; threads::TABLE;),
        shape!("thread": ThreadRecord),
        shape!("processes": Processes; processes::TABLE;),
        shape!("process": processes::ProcessInFull),
        shape!("handles": handles::HandlesRecord; handles::TABLE;),
        shape!("object": object::ObjectInFull),
        shape!("modules": Modules; modules::TABLE;),
        shape!("dt": TypeRecord | TypeList),
        shape!("symbols": symbols::SymbolSearch),
        shape!("pack": pack::PackRecord),
        shape!("check": check::CheckRecord; check::TABLE;),
        shape!("diff": diff::DiffRecord),
    ]
}
