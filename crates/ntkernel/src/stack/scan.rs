//! Return addresses on a stack by how they look: a last resort, of which nothing is certain.

use crate::image::kernel::Kernel;
use crate::stack::image::Image;

/// Bytes before a return address that a call can take.
const CALL: usize = 7;

/// Whether a call may have returned to an address of x64 code: an instruction that calls ends there. `None` where its
/// bytes are not in the dump.
pub(super) fn follows_a_call(kernel: &Kernel<'_>, image: &Image, rva: u32) -> Option<bool> {
    let from = rva.checked_sub(u32::try_from(CALL).ok()?)?;
    let mut bytes = [0; CALL];
    image.bytes(kernel, from, &mut bytes).ok()?;
    Some(ends_in_a_call(&bytes))
}

/// The same of ARM64 code: `bl` or `blr` is before it.
pub(super) fn follows_a_call_of_arm64(kernel: &Kernel<'_>, image: &Image, rva: u32) -> Option<bool> {
    let mut bytes = [0; 4];
    image.bytes(kernel, rva.checked_sub(4)?, &mut bytes).ok()?;
    let word = u32::from_le_bytes(bytes);
    Some(rva.is_multiple_of(4) && (word >> 26 == 0b10_0101 || word & 0xffff_fc1f == 0xd63f_0000))
}

/// Whether an instruction of the kinds `call rel32` (E8) and `call r/m64` (FF /2) ends where the bytes do.
fn ends_in_a_call(bytes: &[u8; CALL]) -> bool {
    if let [_, _, 0xe8, ..] = bytes {
        return true;
    }
    // The opcode, the ModRM byte with 2 in its middle, an SIB byte and a displacement as ModRM says.
    (0..CALL).any(|from| {
        let Some([0xff, modrm, rest @ ..]) = bytes.get(from..) else {
            return false;
        };
        if modrm >> 3 & 7 != 2 {
            return false;
        }
        let (mode, register) = (modrm >> 6, modrm & 7);
        let has_sib = mode != 3 && register == 4;
        let displacement = match mode {
            0 if register == 5 => 4,
            0 if has_sib && rest.first().is_some_and(|sib| sib & 7 == 5) => 4,
            0 | 3 => 0,
            1 => 1,
            _ => 4,
        };
        rest.len() == usize::from(has_sib).saturating_add(displacement)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_told_from_other_code() {
        // As GNU as writes them: call rel32; call rax; call r12; call [rip+x]; call [rax+8]; call [rsp+0x20];
        // call [r11+rcx*8+0x100].
        let calls: [&[u8]; 7] = [
            &[0xe8, 1, 2, 3, 4],
            &[0xff, 0xd0],
            &[0x41, 0xff, 0xd4],
            &[0xff, 0x15, 1, 2, 3, 4],
            &[0xff, 0x50, 8],
            &[0xff, 0x54, 0x24, 0x20],
            &[0xff, 0x94, 0xcb, 0, 1, 0, 0],
        ];
        for call in calls {
            let mut bytes = [0x90; CALL];
            bytes[CALL - call.len()..].copy_from_slice(call);
            assert!(ends_in_a_call(&bytes), "{call:x?}");
        }
        // jmp rax, push [rax], mov rax, rbx, nops.
        for other in [&[0xff, 0xe0][..], &[0xff, 0x30], &[0x48, 0x8b, 0xc3], &[0x90]] {
            let mut bytes = [0x90; CALL];
            bytes[CALL - other.len()..].copy_from_slice(other);
            assert!(!ends_in_a_call(&bytes), "{other:x?}");
        }
    }
}
