//! Which build of Windows a kernel is of, in its own words.

use crate::image::contract::Global;
use crate::image::kernel::{Kernel, Read, offset};
use crate::image::value::Unreadable;
use crate::why;

/// Characters that the text has at most.
const LONGEST: u64 = 128;

/// `NtBuildLab`: build, revision, machine, whether it is checked, branch and day, as `9600.17415.amd64fre.winblue_r4.\
/// 141028-1500`. The debugger prints it in its banner as "Built by".
///
/// # Errors
/// When nothing says where it is, it is not in the dump, or something else is there.
pub fn build_lab(kernel: &Kernel<'_>) -> Read<String> {
    let at = kernel.global(Global::NtBuildLab)?;
    let mut text = String::new();
    for index in 0..LONGEST {
        match kernel.cursor().u8(offset(at, index))? {
            0 => break,
            byte if byte.is_ascii_graphic() => text.push(char::from(byte)),
            _ => return Err(no_lab(kernel, at)),
        }
    }
    // From Windows 10 on the second number is 1 whatever the servicing
    // ("22621.1.amd64fre.ni_release.220506-1250"): which revision it is does not stand here.
    if text.starts_with(|c: char| c.is_ascii_digit()) && text.contains('.') {
        return Ok(text);
    }
    Err(no_lab(kernel, at))
}

fn no_lab(kernel: &Kernel<'_>, at: kdump::Gva) -> Unreadable {
    let at = kernel.addr(at);
    Unreadable::Implausible(why!("no name of a build is at {}", at))
}
