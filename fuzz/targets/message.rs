//! The published case with memory that the input overwrites: the records of its message, ports and threads.
#![no_main]

use std::hint::black_box;

use alpc::port::message::{self, Detail};
use alpc::port::port_record;
use alpc::port::waiter;
use alpc_dump_fuzz::case::{KNOWN, with_overwritten};
use kdump::Gva;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    with_overwritten(data, |kernel| {
        let _ = kdump::debugger_data(kernel.dump());
        for &address in &KNOWN {
            let address = Gva::new(address);
            black_box(format!("{:?}", message::read(kernel, address, Detail::Full)));
            black_box(format!(
                "{:?}",
                port_record::port(kernel, address, port_record::Detail::Full)
            ));
            black_box(format!("{:?}", waiter::thread(kernel, address)));
        }
    });
});
