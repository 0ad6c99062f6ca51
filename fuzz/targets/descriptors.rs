//! Security descriptors: their text, and whom they let in.
#![no_main]

use std::hint::black_box;

use libfuzzer_sys::fuzz_target;
use ntsecurity::access::{self, Caller};
use ntsecurity::{Descriptor, List, Malformed, Sid, condition, rights, sddl};

fuzz_target!(|data: &[u8]| {
    let size = Descriptor::size(|at, len| {
        let rest = data.get(at..).unwrap_or_default();
        Ok::<_, Malformed>(rest[..len.min(rest.len())].to_vec())
    });
    if let Ok(sid) = Sid::read(data) {
        assert_eq!(sid.to_string().parse(), Ok(sid));
    }
    let _ = black_box(condition::text(data));
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = black_box(text.parse::<Sid>());
    }
    let Ok(descriptor) = Descriptor::read(data) else {
        return;
    };
    assert!(size.is_ok_and(|size| size <= data.len()));
    assert!(sddl::descriptor(&descriptor).len() <= data.len() * 40 + 400);
    for list in [&descriptor.dacl, &descriptor.sacl] {
        if let List::Of(acl) = list {
            assert_eq!(acl.ends.is_none(), acl.entries.len() == usize::from(acl.count));
        }
    }
    for caller in [Caller::user(), Caller::low(), Caller::app_container()] {
        black_box(access::check(Some(&descriptor), &caller, rights::PORT_CONNECT));
    }
});
