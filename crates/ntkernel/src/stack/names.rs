//! What the debugger calls a code address: `nt!KiSwapContext+0x76`.

#[cfg(feature = "schema")]
use schemars::JsonSchema;
#[cfg(feature = "serde")]
use serde::Serialize;

use crate::image::kernel::Kernel;
use crate::stack::image::{Image, RuntimeFunction};

/// A function of a module.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct Function {
    /// Its name, without decoration.
    pub name: String,
    /// Bytes from where it begins to the address.
    pub offset: u64,
    /// Whether the name is that of an export, of which a module has few: where nothing says that the function goes as far
    /// as the address, none is given.
    pub by_export: bool,
}

/// Names a code address. `fragment` is the part of a function that it is in, and `first` where that function begins.
///
/// Compilers move what is seldom run far from the rest of its function. Such a fragment has no name of its own, and the
/// symbol before it is another function's, or a text that lies between: it is told by the beginning of its function, as
/// debuggers of Windows 10's time do (`nt!KiDispatchException+0x17c287`). A symbol inside of the fragment stands before
/// that: `nt!KiSystemServiceCopyEnd` is a label in `KiSystemCall64`.
pub(super) fn function(
    kernel: &Kernel<'_>,
    image: &Image,
    rva: u32,
    fragment: Option<RuntimeFunction>,
    first: Option<u32>,
) -> Option<Function> {
    let is_kernel = image.base() == kernel.base();
    let by_symbols = |rva| {
        let names = kernel.names()?;
        match is_kernel {
            true => names.nearest(rva),
            false => names.nearest_in(image.codeview(kernel)?, rva),
        }
    };
    let nearest = |rva| match by_symbols(rva) {
        Some((name, at)) => Some((undecorated(&name).to_owned(), at, false)),
        None => {
            let (name, at) = image.export(kernel, rva).ok()??;
            Some((name.to_owned(), at, true))
        }
    };
    let told = |(name, at, by_export): (String, u32, bool)| Function {
        name,
        offset: u64::from(rva.wrapping_sub(at)),
        by_export,
    };
    let near = nearest(rva);
    let begin = fragment.map(|fragment| fragment.begin);
    if let (Some(found), Some(begin)) = (&near, begin)
        && found.1 >= begin
    {
        return near.map(told);
    }
    if let Some(first) = first
        && let Some(found) = nearest(first).filter(|found| found.1 == first)
    {
        return Some(told(found));
    }
    // Without unwind data nothing says where a function ends; the kernel's symbols name all that it has.
    near.filter(|(name, _, by_export)| !by_export && fragment.is_none() && !is_text(name))
        .map(told)
}

/// Names of texts that compilers give to the linker.
fn is_text(name: &str) -> bool {
    // Debuggers of Windows 7's time print whatever symbol is nearest, ``nt! ?? ::FNODOBFM::`string'+0x4e2e``
    // for code that was moved away from its function. It names nothing.
    name.starts_with("??_C@") || name.contains("`string'")
}

/// The names of 32-bit code say how it is called: `_KiSwapContext@4`, `@KiSwapContext@8`.
fn undecorated(name: &str) -> &str {
    let is_plain = !name.starts_with('?');
    let stripped = name.strip_prefix(['_', '@']).filter(|_| is_plain);
    match stripped.and_then(|rest| rest.rsplit_once('@')) {
        Some((plain, bytes)) if bytes.bytes().all(|byte| byte.is_ascii_digit()) => plain,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decorations_of_calls_are_left_out() {
        for (name, plain) in [
            ("_KiSwapContext@4", "KiSwapContext"),
            ("@KiSwapContext@8", "KiSwapContext"),
            ("KiSwapContext", "KiSwapContext"),
            ("_KiIdleLoop", "_KiIdleLoop"),
            ("?Wait@Lock@@QEAAXXZ", "?Wait@Lock@@QEAAXXZ"),
        ] {
            assert_eq!(undecorated(name), plain);
        }
        assert!(is_text("??_C@_0BK@text"));
    }
}
