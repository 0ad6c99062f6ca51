//! Layouts of the executive's locks, and of what tells a service. The table of many kernels has few of them; the
//! complete symbol tables of some kernels do, and what they say is told here. A test compares it with those tables where
//! they are at hand.

use std::sync::Arc;

use super::{Field, Kernel, Kind, Type};

/// The kernels whose complete symbol tables are known, each with the RVA of `ExpSystemResourcesList`.
const COMPLETE: [(&str, u32); 7] = [
    ("win7-sp1-x64", 0x21_0970),
    ("win81-x64", 0x2a_20b0),
    ("win10-1607-x64", 0x2f_74b0),
    ("win10-2004-x64", 0xc1_6890),
    ("win10-2004-2022-x64", 0xc1_6940),
    ("server-2022-x64", 0xc1_d400),
    ("win11-21h2-x64", 0xc1_1750),
];

type Row = (u64, &'static str, &'static str, u64);

/// Alike in all of them but for what the waiters are.
const RESOURCE: [Row; 12] = [
    (0x00, "SystemResourcesList", "_LIST_ENTRY", 16),
    (0x10, "OwnerTable", "ptr<_OWNER_ENTRY>", 8),
    (0x18, "ActiveCount", "i16", 2),
    (0x1a, "Flag", "u16", 2),
    (0x20, "SharedWaiters", "ptr<void>", 8),
    (0x28, "ExclusiveWaiters", "ptr<void>", 8),
    (0x30, "OwnerEntry", "_OWNER_ENTRY", 16),
    (0x40, "ActiveEntries", "u32", 4),
    (0x44, "ContentionCount", "u32", 4),
    (0x48, "NumberOfSharedWaiters", "u32", 4),
    (0x4c, "NumberOfExclusiveWaiters", "u32", 4),
    (0x60, "SpinLock", "u64", 8),
];

const FAST_MUTEX: [Row; 5] = [
    (0x00, "Count", "i32", 4),
    (0x08, "Owner", "ptr<void>", 8),
    (0x10, "Contention", "u32", 4),
    (0x18, "Event", "_KEVENT", 24),
    (0x30, "OldIrql", "u32", 4),
];

/// Adds these types to the kernels whose complete tables are known.
pub(super) fn add(kernels: &mut [Kernel]) {
    for (name, list) in COMPLETE {
        let kernel = kernels.iter_mut().find(|kernel| kernel.name == name);
        let kernel = kernel.expect("a kernel of the extract");
        kernel.globals.insert("ExpSystemResourcesList".to_owned(), list);
        let tag = of("_TEB", 0, &[(0x1720, "SubProcessTag", "ptr<void>", 8)]).fields;
        let teb = kernel.types.get_mut("_TEB").expect("a type of the extract");
        Arc::make_mut(teb).fields.extend(tag);
        for made in [
            resource(kernel),
            owner(kernel),
            of("_FAST_MUTEX", 0x38, &FAST_MUTEX),
            parameters(kernel),
            logon_session(kernel),
        ] {
            kernel.types.insert(made.name.clone(), Arc::new(made));
        }
        for made in chain_entry(kernel).into_iter().chain(lock_entry(kernel)) {
            kernel.types.insert(made.name.clone(), Arc::new(made));
        }
    }
}

/// The names of these kernels.
pub(super) fn names() -> Vec<&'static str> {
    COMPLETE.iter().map(|(name, _)| *name).collect()
}

fn of(name: &str, size: u64, rows: &[Row]) -> Type {
    Type {
        name: name.to_owned(),
        kind: Kind::Struct,
        size,
        fields: rows
            .iter()
            .map(|&(offset, path, ty, bytes)| Field {
                offset,
                path: path.to_owned(),
                ty: ty.to_owned(),
                bytes,
                bit: None,
            })
            .collect(),
    }
}

fn bits(mut field: Field, position: u8, length: u8) -> Field {
    field.bit = Some((position, length));
    field
}

/// Up to Windows 8.1 the waiters wait at a semaphore and an event of the resource's own; in the first Windows 10 those
/// who want it alone still do.
fn resource(kernel: &Kernel) -> Type {
    let mut made = of("_ERESOURCE", 0x68, &RESOURCE);
    for field in &mut made.fields {
        match field.path.as_str() {
            "SharedWaiters" if kernel.build() <= 9600 => "ptr<_KSEMAPHORE>".clone_into(&mut field.ty),
            "ExclusiveWaiters" if kernel.build() <= 14393 => "ptr<_KEVENT>".clone_into(&mut field.ty),
            _ => {}
        }
    }
    made
}

fn owner(kernel: &Kernel) -> Type {
    let mut made = of(
        "_OWNER_ENTRY",
        0x10,
        &[
            (0, "OwnerThread", "u64", 8),
            (8, "TableSize", "u32", 4),
            (8, "OwnerCount", "u32", 4),
        ],
    );
    let flags = if kernel.build() <= 9600 { 2 } else { 3 };
    let count = made.fields.pop().expect("the last");
    made.fields.push(bits(count, flags, 32 - flags));
    made
}

fn parameters(kernel: &Kernel) -> Type {
    let size = match kernel.build() {
        ..=7601 => 0x400,
        7602..=14393 => 0x410,
        _ => 0x440,
    };
    let rows = [(0x70, "CommandLine", "_UNICODE_STRING", 16)];
    of("_RTL_USER_PROCESS_PARAMETERS", size, &rows)
}

/// Names of who logged on: all but the id moved down when 8.1 put something in.
fn logon_session(kernel: &Kernel) -> Type {
    let (name, size) = match kernel.build() {
        ..=7601 => (0x30, 0x50),
        7602..=9600 => (0x38, 0x80),
        _ => (0x38, 0xc0),
    };
    let rows = [
        (0x08, "LogonId", "_LUID", 8),
        (name, "AccountName", "_UNICODE_STRING", 16),
        (name + 0x10, "AuthorityName", "_UNICODE_STRING", 16),
    ];
    of("_SEP_LOGON_SESSION_REFERENCES", size, &rows)
}

fn chain_entry(kernel: &Kernel) -> Option<Type> {
    match kernel.build() {
        ..=9600 => None,
        14393 => Some(of(
            "_KWAIT_CHAIN_ENTRY",
            0x20,
            &[
                (0, "ListEntry", "_SINGLE_LIST_ENTRY", 8),
                (8, "Event", "_KEVENT", 24),
            ],
        )),
        _ => Some(of(
            "_KWAIT_CHAIN_ENTRY",
            0x30,
            &[
                (0, "ListEntry", "_LIST_ENTRY", 16),
                (16, "Thread", "ptr<_KTHREAD>", 8),
                (24, "Event", "_KEVENT", 24),
            ],
        )),
    }
}

/// Since Windows 8.1; what waiting is told by came with Windows 10.
fn lock_entry(kernel: &Kernel) -> Option<Type> {
    let rows: &[Row] = match kernel.build() {
        ..=7601 => return None,
        9600 => &[(31, "AcquiredByte", "u8", 1), (32, "LockUnsafe", "ptr<void>", 8)],
        22000 => &[
            (0, "LockUnsafe", "ptr<void>", 8),
            (17, "WaitingByte", "u8", 1),
            (18, "AcquiredByte", "u8", 1),
        ],
        _ => &[
            (25, "WaitingBit", "u8", 1),
            (26, "AcquiredBit", "u8", 1),
            (26, "AcquiredByte", "u8", 1),
            (32, "LockUnsafe", "ptr<void>", 8),
        ],
    };
    let mut made = of("_KLOCK_ENTRY", 0x60, rows);
    for field in &mut made.fields {
        if field.path.ends_with("Bit") {
            *field = bits(field.clone(), 0, 1);
        }
    }
    Some(made)
}
