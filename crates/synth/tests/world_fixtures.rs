//! The files in `fixtures/`, and the published case in them.

mod plain;

use std::path::{Path, PathBuf};

use plain::{Plain, u32_at, u64_at};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fixtures")
        .join(name)
}

#[test]
fn fixtures_are_what_the_command_writes() {
    for (name, bytes) in synth::fixtures::all() {
        let kept = std::fs::read(fixture(name)).unwrap();
        assert!(
            kept == bytes,
            "{name} differs: run `cargo run -p synth --bin write-fixtures`"
        );
    }
}

#[test]
fn fixtures_stay_small() {
    let total: usize = synth::fixtures::all().iter().map(|(_, bytes)| bytes.len()).sum();
    assert!(total < 2 << 20, "{total} bytes");
}

/// The values are those of the published output; the offsets those of the tables for Vista SP1 and SP2.
#[test]
fn the_published_message_is_in_the_dump() {
    let dump = Plain::read(&std::fs::read(fixture("vista-sp2-x64.dmp")).unwrap());
    let message = 0xffff_f880_0f4c_c950;
    for (member, offset, value) in [
        ("CancelSequencePort", 0x30, 0),
        ("CancelQueuePort", 0x38, 0),
        ("WaitingThread", 0x58, 0xffff_fa80_1afa_e6f0),
        ("PortQueue", 0x68, 0xffff_fa80_17db_b060),
        ("OwnerPort", 0x70, 0xffff_fa80_18a9_5e60),
        ("ClientContext", 0x80, 0x0255_99e0),
        ("ServerContext", 0x88, 0),
        ("PortContext", 0x90, 0x0030_d640),
        ("CancelPortContext", 0x98, 0),
        ("SecurityData", 0xa0, 0),
        ("View", 0xa8, 0),
        ("ServerThread", 0xd8, 0xffff_fa80_1aee_c060),
        ("UniqueProcess", 0xe8, 0x33c),
        ("UniqueThread", 0xf0, 0x3c40),
    ] {
        assert_eq!(dump.u64(message + offset), value, "{member}");
    }
    assert_eq!(dump.u32(message + 0xf8), 0x0bfc, "MessageID");
    assert_eq!(dump.u32(message + 0x100), 0x1f_ef27, "CallbackID");
    assert_eq!(dump.u32(message + 0x28), 0x4_d4d4, "SequenceNumber");
    assert_eq!(dump.u32(message + 0x40), 0, "CancelSequenceNumber");
    assert_eq!(
        dump.u16(message + 0xe4),
        0x2001,
        "LPC_REQUEST, continuation required"
    );
    assert_eq!(
        (dump.u16(message + 0xe0), dump.u16(message + 0xe2)),
        (0x68, 0x90),
        "lengths"
    );
    let state = dump.u32(message + 0x2c);
    assert_eq!(state & 3, 3, "ALPC_MSGQUEUE_PENDING");
    assert_eq!(state >> 2 & 0xf, 1, "queued at a connection port");
    assert_eq!(state >> 6 & 1, 0, "Canceled");
    assert_eq!(state >> 8 & 1, 0, "Release");
    assert_eq!(state >> 9 & 1, 0, "SharedQuota");
    assert_eq!(state >> 10 & 1, 0, "ReplyWaitReply");
    assert_eq!(dump.u64(message + 0x20), 0, "QuotaProcess");
    assert_eq!(dump.u8(message - 0x20 + 0x11), 2, "the blob is a message");
}

#[test]
fn the_published_ports_and_thread_are_in_the_dump() {
    let dump = Plain::read(&std::fs::read(fixture("vista-sp2-x64.dmp")).unwrap());
    let (port, client) = (0xffff_fa80_17db_b060, 0xffff_fa80_18a9_5e60);
    assert_eq!(dump.u32(port + 0x160) >> 1 & 3, 1, "ALPC_CONNECTION_PORT");
    assert_eq!(
        dump.u32(client + 0x160) >> 1 & 3,
        2,
        "ALPC_CLIENT_COMMUNICATION_PORT"
    );
    let owner = dump.u64(port + 0x18);
    assert_eq!(owner, 0xffff_fa80_1807_b8f0);
    assert_eq!(&dump.bytes(owner + 0x238, 12).unwrap(), b"svchost.exe\0");
    assert_eq!(
        dump.u64(dump.u64(client + 0x18) + 0xe0),
        0x33c,
        "the client's process id"
    );
    // The pending queue holds the message, linked both ways.
    let message = 0xffff_f880_0f4c_c950;
    assert_eq!(dump.u64(port + 0xa0), message);
    assert_eq!(dump.u64(message + 8), port + 0xa0);

    let thread = 0xffff_fa80_1afa_e6f0;
    assert_eq!(
        (dump.u64(thread + 0x380), dump.u64(thread + 0x388)),
        (0x33c, 0x3c40),
        "Cid"
    );
    assert_eq!(dump.u64(thread + 0xb0), 0x7ff_fffa_0000, "Teb");
    assert_eq!(dump.u64(thread + 0x248), 0, "Win32Thread");
    assert_eq!(dump.u8(thread + 0x154), 5, "WAIT");
    assert_eq!(dump.u8(thread + 0x94), 17, "WrLpcReply");
    assert_eq!(dump.u8(thread + 0x157), 1, "UserMode");
    assert_eq!(dump.u32(thread + 0x90) >> 5 & 1, 0, "Non-Alertable");
    let block = dump.u64(thread + 0x88);
    assert_eq!(
        dump.u64(block + 0x18),
        0xffff_fa80_1afa_ea80,
        "waits for the semaphore"
    );
    assert_eq!(dump.u8(0xffff_fa80_1afa_ea80), 5, "Semaphore");
    assert_eq!(dump.u32(0xffff_fa80_1afa_ea80 + 0x18), 1, "Limit 0x1");
    assert_eq!(dump.u64(thread + 0x428), message, "AlpcMessageId");
}

#[test]
fn the_header_tells_the_system() {
    let dump = std::fs::read(fixture("vista-sp2-x64.dmp")).unwrap();
    assert_eq!(u32_at(&dump, 0xf98), 2, "a summary dump");
    assert_eq!((u32_at(&dump, 8), u32_at(&dump, 0xc)), (15, 6002));
    assert_eq!((u32_at(&dump, 0x30), u32_at(&dump, 0x34)), (0x8664, 4));
    assert_eq!(u32_at(&dump, 0x38), 0xe2, "MANUALLY_INITIATED_CRASH");
    assert_eq!(u32_at(&dump, 0x1040), 3, "a server");
    assert_eq!(u64_at(&dump, 0xfa0), u64::try_from(dump.len()).unwrap());
    // 2009-03-19 10:24:31 UTC; up for 3 days, 4 hours, 12 minutes and 9 seconds.
    assert_eq!(u64_at(&dump, 0xfa8), 128_819_318_710_000_000);
    assert_eq!(u64_at(&dump, 0x1030), 274_329 * 10_000_000);
    let plain = Plain::read(&dump);
    assert_eq!(&plain.bytes(u64_at(&dump, 0x80) + 0x10, 4).unwrap(), b"KDBG");
    let stack = u64_at(&dump, 0x348 + 0x98);
    assert!(stack > 0xffff_fa60_0000_0000, "a kernel stack: {stack:#x}");
}

#[test]
fn a_kernel_dump_holds_no_user_pages() {
    let dump = Plain::read(&std::fs::read(fixture("vista-sp2-x64.dmp")).unwrap());
    let process = 0xffff_fa80_1807_b8f0;
    let mut header = dump.header.clone();
    header[0x10..0x18].copy_from_slice(&dump.u64(process + 0x28).to_le_bytes());
    let of_process = Plain {
        header,
        pages: dump.pages,
    };
    let peb = of_process.u64(process + 0x290);
    assert!(of_process.translate(peb).is_some(), "mapped");
    assert!(of_process.bytes(peb, 8).is_none(), "but not in the dump");
}
