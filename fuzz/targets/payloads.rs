//! Data of messages: headers of local RPC and of system ports, calls of COM, and tables of names.
#![no_main]

use std::hint::black_box;

use libfuzzer_sys::fuzz_target;
use lrpc::header::{self, Header, Sent};
use lrpc::names::Names;
use lrpc::orpc::{self, Facts};
use lrpc::system_port::{Protocol, SystemCall, of_path};

fuzz_target!(|data: &[u8]| {
    let [kernel_type, flags, low, high, data @ ..] = data else {
        return;
    };
    let sent = Sent {
        kernel_type: kernel_type & 0xf,
        length: usize::from(u16::from_le_bytes([*low, *high])),
        has_view: flags & 1 != 0,
    };
    if let Ok(Header::Request(request)) = header::read(data, &sent) {
        assert!(request.procedure() < 0x400);
        let facts = Facts {
            server_process_id: (flags & 2 != 0).then_some(u64::from(*low)),
            client_thread_id: (flags & 4 != 0).then_some(u64::from(*high)),
            build: (flags & 8 != 0).then_some(7600 + u32::from(*low) * 100),
        };
        black_box(orpc::read(&request, data, &facts));
    }
    for protocol in [Protocol::Csr, Protocol::Sm, Protocol::Wer, Protocol::Unknown] {
        let call = SystemCall::read(protocol, data, if flags & 16 != 0 { 4 } else { 8 });
        black_box(call.and_then(|call| call.name(None)));
    }
    if let Ok(text) = std::str::from_utf8(data) {
        black_box(of_path(text));
        black_box(lrpc::names::served(text, None));
        let _ = Names::built_in().add(text);
    }
});
