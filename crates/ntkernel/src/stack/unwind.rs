//! One step outwards by x64 unwind data.
//!
//! Format: Microsoft's "x64 exception handling" (cpp-docs), with the corrections that preempted threads need: a frame
//! that was interrupted can stand in a prolog or an epilog, where only part of the unwind data holds. Checked against
//! `pe-unwind-info` and `framehop`, which cannot read across missing pages.

use crate::image::kernel::Kernel;
use crate::image::reason::Unreadable;
use crate::image::value::Read;
use crate::stack::image::{Image, RuntimeFunction};
use crate::stack::registers::{RSP, Registers};
use crate::why;

/// Fragments that lead to each other: compilers write three or four.
const CHAIN: usize = 32;
/// What `UNWIND_INFO` versions are known; 3 is in preview.
const VERSIONS: std::ops::RangeInclusive<u8> = 1..=2;
const CHAINED: u8 = 4;
/// Instructions of an epilog: it releases the frame, restores at most eight registers and leaves.
const EPILOG: usize = 16;
/// Bytes of an epilog that are looked at.
const EPILOG_BYTES: usize = 64;

/// Where a step led.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    /// The caller's registers.
    pub(super) registers: Registers,
    /// Where the machine frame was that an interrupt, a fault or a system call left: the caller was interrupted, and
    /// stands wherever it was.
    pub(super) machine_frame: Option<u64>,
}

/// The unwind data of one fragment.
struct Info {
    register: u8,
    scaled: u8,
    codes: Vec<Code>,
    next: Option<RuntimeFunction>,
}

/// One unwind code.
#[derive(Clone, Copy, Debug)]
struct Code {
    /// Where the instruction ends in the prolog.
    offset: u8,
    op: Op,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Op {
    Push(u8),
    Allocate(u32),
    SetFrame,
    Save(u8, u32),
    MachineFrame {
        error_code: bool,
    },
    /// An operation that restores nothing that a walk needs: a vector register, the place of an epilog.
    Nothing,
}

/// One step outwards from `registers`, whose pc is in `image`. `is_precise` says that the pc is where the frame was
/// interrupted, not where a call returns to.
///
/// # Errors
/// Unwind data, code or stack that the step needs cannot be read, or contradicts itself.
pub(super) fn step(
    kernel: &Kernel<'_>,
    image: &Image,
    registers: &Registers,
    is_precise: bool,
) -> Read<Step> {
    // A call can be the last instruction of a function that does not come back: the return address is then in the
    // next one.
    let looked_up = registers.pc.wrapping_sub(u64::from(!is_precise));
    // (Windows' own RtlVirtualUnwind looks the pc up as it is, and is wrong only there; framehop looks up as
    // this does.)
    let rva = image.rva(looked_up).ok_or_else(|| broken(kernel, image))?;
    let Some(function) = image.function(kernel, rva)? else {
        if !is_precise {
            let at = kernel.addr(registers.pc.into());
            return Err(Unreadable::Implausible(why!(
                "no unwind data is of the code at {}, which called another function",
                at
            )));
        }
        // A leaf makes no calls, so that it can be innermost only, or behind a trap: nt!KiServiceLinkage is one
        // that stands in the middle of stacks, below a Zw call of the kernel (from memory).
        return leaf(kernel, registers);
    };
    if is_precise && let Some(registers) = epilog(kernel, image, function, registers)? {
        return Ok(Step {
            registers,
            machine_frame: None,
        });
    }
    let passed = match is_precise {
        true => u8::try_from(rva.saturating_sub(function.begin)).unwrap_or(u8::MAX),
        false => u8::MAX,
    };
    unwound(kernel, image, function, *registers, passed)
}

/// RVA where a function begins: of a fragment, that of the first one.
pub(super) fn first(kernel: &Kernel<'_>, image: &Image, function: RuntimeFunction) -> Read<u32> {
    let mut function = function;
    for _ in 0..CHAIN {
        function = target(kernel, image, function)?;
        match info(kernel, image, function)?.next {
            Some(next) => function = next,
            None => return Ok(function.begin),
        }
    }
    Err(broken(kernel, image))
}

fn broken(kernel: &Kernel<'_>, image: &Image) -> Unreadable {
    let at = kernel.addr(image.base());
    Unreadable::Implausible(why!("the unwind data of the image at {} contradicts itself", at))
}

/// A function that calls no other and saves nothing: its return address is on top of the stack.
fn leaf(kernel: &Kernel<'_>, registers: &Registers) -> Read<Step> {
    let mut registers = *registers;
    returned(kernel, &mut registers)?;
    Ok(Step {
        registers,
        machine_frame: None,
    })
}

fn returned(kernel: &Kernel<'_>, registers: &mut Registers) -> Read<()> {
    registers.pc = slot(kernel, registers.sp())?;
    registers.set(RSP, registers.sp().wrapping_add(8));
    Ok(())
}

fn slot(kernel: &Kernel<'_>, at: u64) -> Read<u64> {
    kernel.cursor().uint(at.into(), 8)
}

/// The entry that an entry stands for: of the old indirect form, bit 0 of the place of the unwind data says that another
/// entry is there.
fn target(kernel: &Kernel<'_>, image: &Image, function: RuntimeFunction) -> Read<RuntimeFunction> {
    let mut function = function;
    for _ in 0..CHAIN {
        if function.unwind & 1 == 0 {
            return Ok(function);
        }
        function = image.runtime_function(kernel, function.unwind & !1)?;
    }
    Err(broken(kernel, image))
}

fn unwound(
    kernel: &Kernel<'_>,
    image: &Image,
    function: RuntimeFunction,
    registers: Registers,
    passed: u8,
) -> Read<Step> {
    let (mut function, mut registers, mut passed) = (function, registers, passed);
    for _ in 0..CHAIN {
        function = target(kernel, image, function)?;
        let info = info(kernel, image, function)?;
        if let Some(machine_frame) = apply(kernel, &info, &mut registers, passed)? {
            return Ok(Step {
                registers,
                machine_frame: Some(machine_frame),
            });
        }
        let Some(next) = info.next else {
            returned(kernel, &mut registers)?;
            return Ok(Step {
                registers,
                machine_frame: None,
            });
        };
        // Whoever is in a later fragment has left the prolog of the first behind.
        (function, passed) = (next, u8::MAX);
    }
    Err(broken(kernel, image))
}

/// Undoes what the prolog of a fragment did, as far as it came. Gives the place of a machine frame.
fn apply(kernel: &Kernel<'_>, info: &Info, registers: &mut Registers, passed: u8) -> Read<Option<u64>> {
    let sets_frame = info.codes.iter().find(|code| code.op == Op::SetFrame);
    // A fragment can have the frame register of the one before it and no code that sets it.
    let has_frame = info.register != 0 && sets_frame.is_none_or(|code| code.offset <= passed);
    let base = match has_frame {
        true => {
            let frame = registers.get(info.register).ok_or_else(|| {
                let at = kernel.addr(registers.pc.into());
                Unreadable::Implausible(why!("the frame register of the function at {} is not known", at))
            })?;
            frame.wrapping_sub(u64::from(info.scaled).wrapping_mul(16))
        }
        false => registers.sp(),
    };
    for code in info.codes.iter().filter(|code| code.offset <= passed) {
        match code.op {
            Op::Push(register) => {
                let value = slot(kernel, registers.sp())?;
                // A prolog can push the stack pointer itself, which then comes from nowhere else.
                registers.set(RSP, registers.sp().wrapping_add(8));
                if register != RSP {
                    registers.set(register, value);
                }
            }
            Op::Allocate(bytes) => registers.set(RSP, registers.sp().wrapping_add(bytes.into())),
            Op::SetFrame => registers.set(RSP, base),
            Op::Save(register, at) => {
                registers.set(register, slot(kernel, base.wrapping_add(at.into()))?);
            }
            // The entries of traps and system calls carry this in their own unwind data, so that a walk through
            // KiPageFault or KiSystemCall64 gives what was interrupted by itself. Some faults push an error
            // code below the frame.
            Op::MachineFrame { error_code } => {
                let at = registers.sp().wrapping_add(if error_code { 8 } else { 0 });
                registers.pc = slot(kernel, at)?;
                registers.set(RSP, slot(kernel, at.wrapping_add(0x18))?);
                return Ok(Some(at));
            }
            Op::Nothing => {}
        }
    }
    Ok(None)
}

fn info(kernel: &Kernel<'_>, image: &Image, function: RuntimeFunction) -> Read<Info> {
    let mut head = [0; 4];
    image.bytes(kernel, function.unwind, &mut head)?;
    let [versioned, _prolog, count, frame] = head;
    let (version, flags) = (versioned & 7, versioned >> 3);
    // Version 2 is what Windows 8 and later are compiled with: in a published driver 438 functions of 447, and
    // 9 of version 1. llvm-readobj 14 crashes on it.
    if !VERSIONS.contains(&version) {
        let at = kernel.addr(image.at(function.unwind));
        let version = u32::from(version);
        return Err(Unreadable::Implausible(why!(
            "the unwind data at {} is of version {}, which is not known",
            at,
            version
        )));
    }
    let mut slots = vec![0; usize::from(count).saturating_mul(2)];
    let first = function.unwind.saturating_add(4);
    image.bytes(kernel, first, &mut slots)?;
    let codes = codes(&slots, version).ok_or_else(|| broken(kernel, image))?;
    let next = match flags & CHAINED {
        0 => None,
        _ => {
            // Slots are padded to an even number, so that what follows is aligned.
            let even = u32::from(count).next_multiple_of(2);
            Some(image.runtime_function(kernel, first.saturating_add(even.saturating_mul(2)))?)
        }
    };
    Ok(Info {
        register: frame & 15,
        // In units of 16 bytes: 240 at most.
        scaled: frame >> 4,
        codes,
        next,
    })
}

/// Decodes the slots of two bytes; `None` where they end in the middle of a code, or one is unknown.
fn codes(slots: &[u8], version: u8) -> Option<Vec<Code>> {
    let mut slots = slots.chunks_exact(2).map(|slot| match slot {
        [low, high] => [*low, *high],
        _ => [0; 2],
    });
    let mut codes = Vec::new();
    while let Some([offset, operation]) = slots.next() {
        let mut word = || slots.next().map(u16::from_le_bytes).map(u32::from);
        let info = operation >> 4;
        let op = match operation & 15 {
            0 => Op::Push(info),
            1 if info == 0 => Op::Allocate(word()?.checked_mul(8)?),
            1 => Op::Allocate(word()? | word()? << 16),
            2 => Op::Allocate(u32::from(info).checked_mul(8)?.checked_add(8)?),
            3 => Op::SetFrame,
            4 => Op::Save(info, word()?.checked_mul(8)?),
            5 => Op::Save(info, word()? | word()? << 16),
            // Version 2 has epilogs here; version 1 had halves of vector registers.
            6 if version == 2 => Op::Nothing,
            6 | 8 => {
                word()?;
                Op::Nothing
            }
            7 | 9 => {
                word()?;
                // The second slot of version 2's spare code is not certain, and nothing writes that.
                word()?;
                Op::Nothing
            }
            10 => Op::MachineFrame {
                error_code: info != 0,
            },
            _ => return None,
        };
        // The places of epilogs are no operations of the prolog.
        let offset = if op == Op::Nothing { 0 } else { offset };
        codes.push(Code { offset, op });
    }
    Some(codes)
}

/// Runs the rest of an epilog, if the pc is in one: everything up to the instruction that leaves the function. Code that
/// cannot be read is in none.
fn epilog(
    kernel: &Kernel<'_>,
    image: &Image,
    function: RuntimeFunction,
    registers: &Registers,
) -> Read<Option<Registers>> {
    let mut bytes = [0; EPILOG_BYTES];
    let read = image.code(kernel, registers.pc, &mut bytes);
    let whole = bytes.get(..read).unwrap_or_default();
    let mut code = whole;
    let mut after = *registers;
    let mut may_release = true;
    for _ in 0..EPILOG {
        match code {
            // add rsp, imm8 or imm32: only before the first pop.
            [0x48, 0x83, 0xc4, by, rest @ ..] if may_release && *by < 0x80 => {
                after.set(RSP, after.sp().wrapping_add(u64::from(*by)));
                code = rest;
            }
            [0x48, 0x81, 0xc4, a, b, c, d, rest @ ..] if may_release => {
                let by = u32::from_le_bytes([*a, *b, *c, *d]);
                after.set(RSP, after.sp().wrapping_add(by.into()));
                code = rest;
            }
            // pop of a low register, then of a high one.
            [pop @ 0x58..=0x5f, rest @ ..] => {
                popped(kernel, &mut after, pop & 7)?;
                code = rest;
            }
            [0x41, pop @ 0x58..=0x5f, rest @ ..] => {
                popped(kernel, &mut after, (pop & 7) | 8)?;
                code = rest;
            }
            // ret, rep ret, ret imm16
            [0xc3 | 0xc2, ..] | [0xf3, 0xc3, ..] => {
                returned(kernel, &mut after)?;
                return Ok(Some(after));
            }
            // A jump to another function is a call that comes back to the caller; one inside of the function, or to a
            // part of it that was moved away, is not the end of it.
            [0xe9, a, b, c, d, ..] => {
                let by = i64::from(i32::from_le_bytes([*a, *b, *c, *d]));
                let from = registers.pc.wrapping_add(distance(whole, code)).wrapping_add(5);
                if !leaves(kernel, image, function, from.wrapping_add_signed(by)) {
                    return Ok(None);
                }
                returned(kernel, &mut after)?;
                return Ok(Some(after));
            }
            [0xeb, by, ..] => {
                let by = i64::from(by.cast_signed());
                let from = registers.pc.wrapping_add(distance(whole, code)).wrapping_add(2);
                if !leaves(kernel, image, function, from.wrapping_add_signed(by)) {
                    return Ok(None);
                }
                returned(kernel, &mut after)?;
                return Ok(Some(after));
            }
            // jmp through memory, with the prefix that by agreement only stands in epilogs.
            [0x48, 0xff, modrm, ..] if modrm >> 3 & 7 == 4 => {
                returned(kernel, &mut after)?;
                return Ok(Some(after));
            }
            _ => return Ok(None),
        }
        may_release = false;
    }
    Ok(None)
}

/// Whether a jump to an address leaves a function. What cannot be looked up is taken for a part of it.
fn leaves(kernel: &Kernel<'_>, image: &Image, function: RuntimeFunction, to: u64) -> bool {
    let Some(rva) = image.rva(to) else { return true };
    if (function.begin..function.end).contains(&rva) {
        // To its own beginning: it calls itself.
        return rva == function.begin;
    }
    match image.function(kernel, rva) {
        // A leaf function has no unwind data.
        Ok(None) => true,
        Ok(Some(target)) => {
            let firsts = (first(kernel, image, target), first(kernel, image, function));
            matches!(firsts, (Ok(one), Ok(other)) if one != other || rva == one)
        }
        Err(_) => false,
    }
}

/// How far the rest of some code is from its beginning.
fn distance(all: &[u8], rest: &[u8]) -> u64 {
    all.len().saturating_sub(rest.len()) as u64
}

fn popped(kernel: &Kernel<'_>, registers: &mut Registers, number: u8) -> Read<()> {
    let value = slot(kernel, registers.sp())?;
    registers.set(RSP, registers.sp().wrapping_add(8));
    if number != RSP {
        registers.set(number, value);
    }
    Ok(())
}
