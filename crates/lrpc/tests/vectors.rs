//! Messages that were written by hand from the published layouts, not by this project: what each is, is in the file.

use lrpc::header::{self, Header, Sent};
use lrpc::orpc::{self, Apartment, Facts};
use lrpc::system_port::{self, SystemCall};
use serde_json::Value;

const VECTORS: &str = include_str!("vectors.json");

fn bytes(vector: &Value) -> Vec<u8> {
    let hex = vector["data_hex"].as_str().unwrap();
    let pair = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(pair).collect()
}

/// What a message is, in the words of the file. The build is the one that a vector's name says.
fn decode(vector: &Value) -> Value {
    let data = bytes(vector);
    let port = vector["port"].as_str().unwrap();
    let pointer = if vector["arch"] == "x86" { 4 } else { 8 };
    if let Some(protocol) = system_port::of_path(port) {
        let call = SystemCall::read(protocol, &data, pointer).unwrap();
        let csr = call.server();
        let number = csr.map_or(call.number, |_| call.number & 0xffff);
        return serde_json::json!({
            "kind": if csr.is_some() { "csr" } else { "sm" },
            "server": csr,
            "number": number,
        });
    }
    let sent = Sent {
        kernel_type: u8::try_from(vector["kernel_type"].as_u64().unwrap()).unwrap(),
        length: data.len(),
        has_view: vector["view_attribute"].as_bool().unwrap(),
    };
    let header = match header::read(&data, &sent) {
        Ok(header) => header,
        Err(_) => return serde_json::json!({ "kind": "not-lrpc" }),
    };
    match header {
        Header::Request(request) => {
            let build = match vector["name"].as_str().unwrap() {
                name if name.contains("Windows 7") => 7601,
                _ => 22621,
            };
            let facts = Facts {
                server_process_id: vector["server_pid"].as_u64(),
                client_thread_id: vector["sender_tid"].as_u64(),
                build: Some(build),
            };
            let call = orpc::read(&request, &data, &facts);
            let sta = |apartment| match apartment {
                Apartment::SingleThreaded { thread_id } => ("sta", Some(thread_id)),
                Apartment::MultiThreaded => ("mta", None),
                _ => ("neutral", None),
            };
            let apartment = call.map(|call| sta(call.ipid.apartment));
            serde_json::json!({
                "kind": if header.name() == "pipe-chunk" { "lrpc-pipe-chunk" } else { "lrpc-request" },
                "last": request.flags & header::LAST_PIPE_CHUNK != 0,
                "flags": request.flags,
                "call_id": request.call_id,
                "binding_id": request.binding,
                "procnum": request.procedure(),
                "object": request.object.map(|object| object.to_string()),
                "body_length": request.arguments,
                "view_length": request.view_length,
                "orpc": call.is_some(),
                "ipid_pid_low16": call.map(|call| call.ipid.process_id),
                "ipid_apartment": apartment.map(|(kind, _)| kind),
                "sta_tid_low16": apartment.and_then(|(_, id)| id),
                "causality": call.and_then(|call| call.this).map(|this| this.causality.to_string()),
                "local_client_tid": call.and_then(|call| call.client_thread_id),
                "call_id_guid": call.and_then(|call| call.call_id).map(|id| id.to_string()),
                "arguments_at": call.and_then(|call| call.arguments_at),
                "spm_api": data.get(system_port::SSPI_CALL..system_port::SSPI_CALL + 4)
                    .map(|bytes| u32::from_le_bytes(bytes.try_into().unwrap())),
            })
        }
        Header::Bind(bind) => serde_json::json!({
            "kind": "lrpc-bind",
            "status": bind.status,
            "interface": bind.interface.to_string(),
            "version": format!("{}.{}", bind.version.0, bind.version.1),
            "syntaxes": bind.syntaxes,
            "binding_ids": { "ndr": bind.ids[0], "ndr64": bind.ids[1] },
        }),
        Header::Response(response) => serde_json::json!({
            "kind": "lrpc-response",
            "call_id": response.call_id,
            "body_length": response.results,
        }),
        Header::Fault(fault) => serde_json::json!({
            "kind": "lrpc-fault",
            "status": fault.status,
            "extended": fault.extended,
        }),
        Header::Cancel { call_id } => serde_json::json!({ "kind": "lrpc-cancel", "call_id": call_id }),
        other => serde_json::json!({ "kind": other.name() }),
    }
}

#[test]
fn every_vector_is_read_as_its_author_says() {
    let file: Value = serde_json::from_str(VECTORS).unwrap();
    let vectors = file["vectors"].as_array().unwrap();
    assert_eq!(vectors.len(), 22);
    for vector in vectors {
        let read = decode(vector);
        for (member, expected) in vector["expect"].as_object().unwrap() {
            // Words for people.
            if matches!(member.as_str(), "note" | "reason") {
                continue;
            }
            assert_eq!(&read[member], expected, "{member} of {}: {read}", vector["name"]);
        }
    }
}

/// Zeros are what lost memory reads as.
#[test]
fn zeros_are_no_request() {
    let sent = Sent {
        kernel_type: 1,
        length: 0x68,
        has_view: false,
    };
    assert_eq!(header::read(&[0; 0x68], &sent), Err(header::NotLrpc::Zeros));
    let mut first = [0; 0x68];
    first[0xc] = 1;
    assert!(header::read(&first, &sent).is_ok());
}

/// However much of it is at hand, what is read of a message is what is read of all of it, or that it is cut.
#[test]
fn a_message_that_is_cut_is_not_read_as_another() {
    let file: Value = serde_json::from_str(VECTORS).unwrap();
    for vector in file["vectors"].as_array().unwrap() {
        let data = bytes(vector);
        let sent = Sent {
            kernel_type: u8::try_from(vector["kernel_type"].as_u64().unwrap()).unwrap(),
            length: data.len(),
            has_view: vector["view_attribute"].as_bool().unwrap(),
        };
        let whole = header::read(&data, &sent);
        for at_hand in 0..data.len() {
            match (header::read(&data[..at_hand], &sent), whole) {
                (Ok(part), Ok(whole)) => {
                    assert_eq!(part.name(), whole.name(), "{at_hand} of {}", vector["name"]);
                    if let (Header::Request(part), Header::Request(whole)) = (part, whole) {
                        assert_eq!(part.procedure(), whole.procedure());
                        assert_eq!(part.arguments, whole.arguments);
                        assert!(
                            part.object == whole.object || part.object_lost,
                            "{}",
                            vector["name"]
                        );
                    }
                }
                (Err(header::NotLrpc::Cut { at_hand: said }), _) => assert_eq!(said, at_hand),
                (Err(_), Err(_)) => {}
                (part, whole) => panic!("{at_hand} of {}: {part:?}, {whole:?}", vector["name"]),
            }
        }
    }
}

proptest::proptest! {
    #[test]
    fn no_bytes_are_too_much(
        data in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..0x110),
        kind in 0_u8..14,
        kernel_type in 0_u8..14,
        length in 0_usize..0x1000,
        has_view in proptest::bool::ANY,
        build in 6000_u32..30000,
    ) {
        let mut data = data;
        for (at, byte) in data.iter_mut().enumerate() {
            // Most messages would not get past these.
            *byte = match at { 0 => kind, 1..=7 | 9..=0xb | 0x12..=0x13 | 0x15..=0x1f => 0, _ => *byte };
        }
        let sent = Sent { kernel_type, length, has_view };
        if let Ok(Header::Request(request)) = header::read(&data, &sent) {
            let facts = Facts { server_process_id: Some(4), client_thread_id: Some(8), build: Some(build) };
            let _ = orpc::read(&request, &data, &facts);
            assert!(request.procedure() < 0x400);
        }
        for path in ["\\SmApiPort", "\\Windows\\ApiPort"] {
            let _ = SystemCall::read(system_port::of_path(path).unwrap(), &data, 8);
        }
    }
}
