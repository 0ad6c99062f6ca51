//! The payload writers rebuild vectors from what they mean. `data/rpc-vectors.json` is hand-made from the published
//! layouts of LRPC, ORPC and the system's own ports; no byte of it was captured.

use std::collections::BTreeMap;

use synth::payload::lrpc::{self, Bind, Cancel, Fault, Other, Request, Response, flag, syntax};
use synth::payload::orpc::{Apartment, Generation, Ipid, LocalThis, OrpcThis};
use synth::payload::sspi;
use synth::payload::system_port::{Csr, SessionManager, server};
use synth::payload::uuid;

const SVCCTL: &str = "367abb81-9844-35f1-ad32-98f038001003";

/// The data of every vector, by its name.
fn vectors() -> BTreeMap<String, Vec<u8>> {
    let text = include_str!("data/rpc-vectors.json");
    let all: serde_json::Value = serde_json::from_str(text).unwrap();
    let each = all["vectors"].as_array().unwrap().iter();
    each.map(|vector| {
        let hex = vector["data_hex"].as_str().unwrap();
        let data = (0..hex.len()).step_by(2);
        let data = data.map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap());
        (vector["name"].as_str().unwrap().to_owned(), data.collect())
    })
    .collect()
}

fn svcctl() -> Bind {
    Bind {
        interface: uuid(SVCCTL),
        version: (2, 0),
        ..Bind::default()
    }
}

/// The COM call that several vectors have in common.
fn com_call(opnum: u32, call_id: u32, apartment: Apartment, local: LocalThis) -> Vec<u8> {
    let index = match apartment {
        Apartment::Sta(_) => 0xd402,
        _ => 0x8400,
    };
    let this = OrpcThis {
        flags: 1,
        causality: uuid("0f0e0d0c-0b0a-0908-0706-050403020100"),
        ..OrpcThis::default()
    };
    Request {
        call_id,
        binding: 3,
        opnum,
        object: Some(
            Ipid {
                index,
                pid: 0x1a2c,
                apartment,
                tail: [0x5a, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77],
            }
            .bytes(),
        ),
        arguments: [this.bytes(), local.bytes(), vec![0xab; 8]].concat(),
        ..Request::default()
    }
    .bytes()
}

/// Each vector, from what it means.
fn rebuilt() -> Vec<(&'static str, Vec<u8>)> {
    let view = Request {
        call_id: 3,
        binding: 2,
        opnum: 17,
        view_length: Some(74_565),
        ..Request::default()
    };
    let smallest = Request {
        call_id: 1,
        ..Request::default()
    };
    let newest = LocalThis {
        trace_activity: uuid("11111111-2222-3333-4444-555555555555"),
        call_id: uuid("aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"),
        ..LocalThis::new(Generation::Ten1709, 688)
    };
    vec![
        (
            "bind request svcctl",
            Bind {
                syntaxes: syntax::NDR | syntax::NDR64,
                ids: [0, 1, 0],
                ..svcctl()
            }
            .bytes(),
        ),
        (
            "bind answer svcctl, NDR64 chosen",
            Bind {
                syntaxes: syntax::NDR64,
                ids: [0, 1, 0],
                ..svcctl()
            }
            .bytes(),
        ),
        (
            "bind refused",
            Bind {
                status: lrpc::status::UNKNOWN_INTERFACE,
                ..svcctl()
            }
            .bytes(),
        ),
        (
            "request RStartServiceW on binding 1",
            Request {
                call_id: 7,
                binding: 1,
                opnum: 19,
                arguments: vec![0x11; 40],
                ..Request::default()
            }
            .bytes(),
        ),
        ("smallest request", smallest.bytes()),
        ("view request", view.bytes()),
        ("view flag without view attribute: not valid", view.bytes()),
        (
            "ORPC call to STA thread 0x0f10 of pid 0x1a2c, Windows 7",
            com_call(
                5,
                9,
                Apartment::Sta(0xf10),
                LocalThis::new(Generation::Seven, 688),
            ),
        ),
        (
            "ORPC call to STA thread 0x0f10 of pid 0x1a2c, Windows 11",
            com_call(5, 9, Apartment::Sta(0xf10), newest),
        ),
        (
            "object uuid is an IPID of an MTA object",
            com_call(3, 2, Apartment::Mta, newest),
        ),
        (
            "object uuid whose second group is another pid: ORPC not confirmed",
            com_call(3, 2, Apartment::Mta, newest),
        ),
        (
            "response",
            Response {
                call_id: 7,
                results: vec![0; 4],
                ..Response::default()
            }
            .bytes(),
        ),
        (
            "fault 5",
            Fault {
                status: lrpc::status::ACCESS_DENIED,
                extended: None,
            }
            .bytes(),
        ),
        (
            "in-pipe chunk",
            Request {
                flags: flag::PIPE | flag::LAST_CHUNK,
                call_id: 4,
                binding: 2,
                causal_flow: 2,
                arguments: vec![0; 0x10],
                ..Request::default()
            }
            .bytes(),
        ),
        ("cancel", Cancel { call_id: 4 }.bytes()),
        (
            "unknown message type 6",
            Other {
                kind: 6,
                rest: vec![0; 0x38],
            }
            .bytes(),
        ),
        ("padding not zero", {
            let mut bytes = Request::default().bytes();
            bytes[4] = 1;
            bytes
        }),
        (
            "unknown flag bit",
            Request {
                flags: 0x10,
                ..smallest.clone()
            }
            .bytes(),
        ),
        (
            "csrss ExitWindowsEx x64",
            Csr {
                server: server::USERSRV,
                number: 0x400,
                arguments: vec![0; 0x100],
                ..Csr::default()
            }
            .bytes(8),
        ),
        (
            "csrss SetProcessShutdownParam x86",
            Csr {
                server: server::BASESRV,
                number: 12,
                arguments: vec![0; 0x60],
                ..Csr::default()
            }
            .bytes(4),
        ),
        (
            "smss SmExecPgm",
            SessionManager {
                number: 3,
                arguments: vec![0; 0x40],
                ..SessionManager::default()
            }
            .bytes(),
        ),
        (
            // The vector ends before the message that it announces does.
            "SspirCallRpc CallPackage, NDR64",
            Request {
                call_id: 5,
                binding: 1,
                opnum: sspi::CALL,
                arguments: sspi::Call {
                    api: 1,
                    length: 0x178,
                    ..sspi::Call::default()
                }
                .arguments()[..0x150]
                    .to_vec(),
                ..Request::default()
            }
            .bytes(),
        ),
    ]
}

#[test]
fn vectors_are_rebuilt_from_what_they_mean() {
    let mut vectors = vectors();
    let mut wrong = Vec::new();
    for (name, bytes) in rebuilt() {
        let expected = vectors.remove(name).unwrap_or_else(|| panic!("no vector {name}"));
        if bytes != expected {
            wrong.push(format!("{name}\n  {bytes:02x?}\n  {expected:02x?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(vectors.is_empty(), "not rebuilt: {:?}", vectors.keys());
}

#[test]
fn what_follows_an_orpc_call_has_the_length_of_its_windows() {
    for (build, at) in [
        (7601, 0x68),
        (9200, 0x68),
        (9600, 0x70),
        (10240, 0xa0),
        (15063, 0xa0),
        (16299, 0xc0),
        (19041, 0xc0),
        (26100, 0xc0),
    ] {
        let local = LocalThis::new(Generation::of(build), 0x2b0).bytes();
        let this = OrpcThis::default().bytes();
        assert_eq!(0x40 + this.len() + local.len(), at, "build {build}");
        assert_eq!(local[4..8], [0xb0, 2, 0, 0]);
    }
}

#[test]
fn extensions_stand_between_both_parts_of_a_com_call() {
    let this = OrpcThis {
        extensions: vec![(uuid(SVCCTL), vec![0xee; 5])],
        ..OrpcThis::default()
    }
    .bytes();
    assert_ne!(this[0x1c..0x20], [0; 4], "the tag");
    assert_eq!(this[0x20..0x24], [1, 0, 0, 0], "how many");
    // The array has 0x18 bytes, an extent its count, id and length before its bytes.
    assert_eq!(this[0x3c..0x4c], uuid(SVCCTL));
    assert_eq!(this[0x4c..0x50], [5, 0, 0, 0]);
    assert_eq!(this.len(), 0x58);
}

#[test]
fn answers_may_have_more_behind_them() {
    let view = Response {
        call_id: 3,
        view_length: Some(0x1234),
        ..Response::default()
    };
    let view = view.bytes();
    assert_eq!((view.len(), view[8], view[0x18]), (0x20, 4, 0x34));
    let fault = Fault {
        status: 1717,
        extended: Some(vec![7; 12]),
    };
    let fault = fault.bytes();
    assert_eq!((fault.len(), fault[12]), (0x1c, 1));
}

#[test]
fn a_process_of_a_high_id_has_the_low_half_in_its_ipids() {
    let ipid = Ipid {
        index: 1,
        pid: 0x1_0044,
        apartment: Apartment::Neutral,
        tail: [9; 8],
    };
    assert_eq!(ipid.bytes()[4..8], [0x44, 0, 0, 0]);
}

#[test]
fn csr_messages_have_one_length() {
    let call = Csr::default();
    assert_eq!(call.whole(8).len(), 0x188);
    assert_eq!(call.whole(4).len(), 0xc8);
}

#[test]
#[should_panic(expected = "no UUID")]
fn a_text_of_another_form_is_no_uuid() {
    let _ = uuid("367abb81984435f1ad3298f038001003");
}
