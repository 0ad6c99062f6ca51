//! What the debugger calls the arguments of a call.

use crate::image::kernel::{Kernel, offset};
use crate::image::value::{Addr, Value};
use crate::stack::frame::Frame;

/// Words that the debugger shows beside each frame, "Args to Child".
///
/// On x64 they are the four slots above a frame's return address, where the function may save what it got in registers:
/// most do not, so that they are stale as often as not. The debugger shows them all the same, and zeros behind the last
/// frame. On x86 they are the first three words that were passed on the stack. Nothing here reads a meaning into them.
///
/// Source: rows of `nt!KeBugCheckEx` in public transcripts show the parameters of the bug check, which that function
/// saves there.
#[must_use]
pub fn arguments(kernel: &Kernel<'_>, frames: &[Frame]) -> Vec<Vec<Value<Addr>>> {
    let width = u64::from(kernel.pointer_size());
    let words = |at: Addr, from: u64, count: u64| -> Vec<Value<Addr>> {
        let word = |number: u64| {
            let by = from.saturating_add(number).saturating_mul(width);
            let value = kernel.cursor().pointer(offset(at.gva(), by));
            Value::from(value.map(|value| kernel.addr(value)))
        };
        (0..count).map(word).collect()
    };
    if width == 4 {
        return frames.iter().map(|frame| words(frame.child_sp, 2, 3)).collect();
    }
    let callers = frames.iter().skip(1).map(Some).chain([None]);
    let of = |caller: Option<&Frame>| match caller {
        // Of user mode nothing is shown here.
        Some(caller) if kernel.is_kernel_address(caller.child_sp.gva()) => words(caller.child_sp, 0, 4),
        _ => vec![Value::Known(kernel.addr(kdump::Gva::new(0))); 4],
    };
    callers.map(of).collect()
}
