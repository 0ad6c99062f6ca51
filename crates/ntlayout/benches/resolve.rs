//! Opening a PDB and resolving a contract, against `pdb2` parsing every type of it.
//!
//! `cargo bench -p ntlayout -- <PDB>...` prints the best of many runs, each from opening the file on.

use std::fs::File;
use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use ntlayout::{Contract, FieldSpec, GlobalSpec, Need, Pdb, SymbolTable};
use pdb::FallibleIterator;

const RUNS: usize = 300;

/// Twenty types, as many of their fields and thirty globals.
const CONTRACT: Contract = Contract {
    fields: &[
        field("_ALPC_PORT", &["u1.s1.Type"]),
        field("_ALPC_PORT", &["MainQueue"]),
        field("_ALPC_COMMUNICATION_INFO", &["ConnectionPort"]),
        field("_ALPC_HANDLE_TABLE", &["TotalHandles"]),
        field("_KALPC_MESSAGE", &["u1.s1.QueueType"]),
        field("_KALPC_MESSAGE", &["PortMessage"]),
        field("_KALPC_MESSAGE_ATTRIBUTES", &["SecurityData"]),
        field("_PORT_MESSAGE", &["u2.s2.Type"]),
        field("_BLOB", &["ReferenceCount"]),
        field("_KALPC_SECTION", &["SectionObject"]),
        field("_KALPC_REGION", &["ViewSize"]),
        field("_KALPC_VIEW", &["Address"]),
        field("_KALPC_RESERVE", &["Message"]),
        field("_KALPC_SECURITY_DATA", &["OwnerPort"]),
        field("_EPROCESS", &["ActiveProcessLinks"]),
        field("_EPROCESS", &["ImageFileName"]),
        field("_KPROCESS", &["DirectoryTableBase"]),
        field("_ETHREAD", &["AlpcMessageId"]),
        field("_KTHREAD", &["WaitReason"]),
        field("_HANDLE_TABLE", &["TableCode"]),
        field("_OBJECT_HEADER", &["TypeIndex"]),
        field("_OBJECT_TYPE", &["Name"]),
        field("_UNICODE_STRING", &["Buffer"]),
    ],
    types: &["_OBJECT_HEADER", "_BLOB"],
    globals: &[
        global("PsActiveProcessHead"),
        global("AlpcpPortList"),
        global("AlpcPortObjectType"),
        global("ObTypeIndexTable"),
        global("ObHeaderCookie"),
        global("ObpInfoMaskToOffset"),
        global("ObpRootDirectoryObject"),
        global("AlpcMessageTable"),
        global("AlpcpSecondaryMessageTables"),
        global("AlpcpRegisteredTypes"),
        global("PsInitialSystemProcess"),
        global("PsIdleProcess"),
        global("ObpKernelHandleTable"),
        global("HandleTableListHead"),
        global("PspCidTable"),
        global("AlpcConnectionType"),
        global("AlpcMessageType"),
        global("AlpcSecurityType"),
        global("AlpcSectionType"),
        global("AlpcRegionType"),
        global("AlpcViewType"),
        global("AlpcReserveType"),
        global("AlpcHandleDataType"),
        global("AlpcpLookasides"),
        global("AlpcpMessageLogEnabled"),
        global("LpcPortObjectType"),
        global("LpcWaitablePortObjectType"),
        global("KdDebuggerDataBlock"),
        global("PsLoadedModuleList"),
        global("NtBuildLab"),
    ],
};

const TYPES_ONLY: Contract = Contract {
    globals: &[],
    ..CONTRACT
};

const fn field(ty: &'static str, spellings: &'static [&'static str]) -> FieldSpec {
    FieldSpec {
        ty,
        name: ty,
        spellings,
        need: Need::Optional,
    }
}

const fn global(name: &'static str) -> GlobalSpec {
    GlobalSpec {
        name,
        need: Need::Optional,
    }
}

fn best(mut run: impl FnMut()) -> Duration {
    let times = (0..RUNS).map(|_| {
        let start = Instant::now();
        run();
        start.elapsed()
    });
    times.min().unwrap_or_default()
}

fn resolve(path: &Path, contract: &Contract) {
    let pdb = Pdb::open(path).unwrap();
    black_box(pdb.resolve(contract).unwrap());
}

fn parse_all(path: &Path) {
    let mut pdb = pdb::PDB::open(File::open(path).unwrap()).unwrap();
    let types = pdb.type_information().unwrap();
    let parsed = types.iter().filter(|ty| Ok(ty.parse().is_ok())).count().unwrap();
    black_box(parsed);
}

#[allow(clippy::print_stdout)]
fn main() {
    for path in std::env::args().skip(1).filter(|arg| arg != "--bench") {
        let path = Path::new(&path);
        let all = best(|| parse_all(path));
        let types = best(|| resolve(path, &TYPES_ONLY));
        let whole = best(|| resolve(path, &CONTRACT));
        let ratio = all.as_secs_f64() / types.as_secs_f64();
        println!("{}", path.display());
        println!(
            "  all types by pdb2 {all:?}; fields {types:?}, {ratio:.1} times less; with globals {whole:?}"
        );
    }
}
