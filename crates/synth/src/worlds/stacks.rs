//! A thread that was switched out deep in functions of many shapes.
//!
//! The functions are real code, compiled for Windows; their stack is what an emulator left that ran them, and the frames
//! are the calls that it saw (`data/stacks/README.md`). No unwind data is read or applied here.

use std::io::Read as _;

use serde_json::Value;

use super::standard_with;
use crate::address::{PAGE_SIZE, Va};
use crate::bytes::low32;
use crate::pdb::{Pdb, Public};
use crate::world::{Built, World};

/// The file of `shapes.sys`.
pub const IMAGE: &[u8] = include_bytes!("../../data/stacks/shapes-x64.sys");
const STEPS: &[u8] = include_bytes!("../../data/stacks/steps-x64.json.xz");
const PDB: &[u8] = include_bytes!("../../data/stacks/shapes-x64.pdb.xz");
const MAP: &str = include_str!("../../data/stacks/shapes-x64.map");
const ARM64_IMAGE: &[u8] = include_bytes!("../../data/stacks/shapes-arm64.sys");
const ARM64_RUN: &str = include_str!("../../data/stacks/shapes-arm64.json");
const RUN: &str = include_str!("../../data/stacks/shapes-x64.json");

/// `KTHREAD_STATE`: waiting.
const WAITING: u8 = 5;

/// Where `KiSwapContext` begins, from the start of the kernel's code. After a switch it goes on 76 bytes further.
const SWAP_CONTEXT: u64 = 0x800;

/// A frame as the emulator saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// The stack pointer before the call.
    pub sp: Va,
    /// Where the call returns to.
    pub returns_to: Va,
}

/// Where the thread began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// In the kernel: its first function returns to nothing.
    Kernel,
    /// In user mode: its first function was called by the system call's entry, whose trap frame holds where user mode
    /// goes on. As `KiSystemCall64` does, that keeps the trap frame 80 bytes below rbp; the thread names it as well.
    User,
}

/// Where the system call's entry goes on, from the start of the kernel's code.
const SYSTEM_CALL: u64 = 0x925;
/// `InitialStack` is so far below the top of the stack, and the trap frame of a system call right below that.
const INITIAL_STACK: u64 = 0x250;
const TRAP_FRAME: u64 = 0x190;
/// Where user mode goes on, and its stack.
pub const USER: Call = Call {
    sp: Va(0x7f_f4a0_f8d8),
    returns_to: Va(0x7ffe_6f55_2a54),
};

/// Such a thread.
#[derive(Clone, Debug)]
pub struct SwitchedOut {
    /// The thread.
    pub thread: Va,
    /// The frame that the switch left: in `KiSwapContext`.
    pub switch: Call,
    /// The frames around it, the innermost first.
    pub calls: Vec<Call>,
    /// The image that their functions are in.
    pub image: Va,
    /// Top of the thread's stack.
    pub stack_base: Va,
    /// The trap frame of its system call.
    pub trap_frame: Va,
}

/// The general world of an x64 kernel, one thread of which was switched out in `shapes.sys`.
///
/// # Panics
/// Where the layout extract has no such kernel, or it is none of x64.
#[must_use]
pub fn shapes(kernel: &str, entry: Entry) -> (Built, SwitchedOut) {
    let mut found = None;
    let built = standard_with(kernel, |world| {
        let mut threads = world.truth.threads.iter();
        let thread = threads.find(|thread| thread.state == WAITING && thread.name.is_empty());
        let thread = thread.expect("a thread").address;
        found = Some(switch_out(world, thread, entry));
    });
    (built, found.expect("changed"))
}

/// Gives a thread the stack that the emulator left, in an image of its own.
///
/// # Panics
/// On a machine other than x64.
pub fn switch_out(world: &mut World, thread: Va, entry: Entry) -> SwitchedOut {
    let image = load(world, "shapes.sys", IMAGE);
    switch_out_of(world, thread, entry, image)
}

/// The same with the functions in an image that begins elsewhere.
///
/// # Panics
/// On a machine other than x64.
pub fn switch_out_of(world: &mut World, thread: Va, entry: Entry, image: Va) -> SwitchedOut {
    assert_eq!(world.pointer_size(), 8, "code for x64");
    let run: Value = serde_json::from_str(RUN).expect("JSON");
    let number = |value: &Value| value.as_u64().expect("a number");
    let (linked, top) = (number(&run["base"]), number(&run["top"]));
    let stack_base = world.truth.thread(thread).stack_base;
    let trap_frame = Va(stack_base.0 - INITIAL_STACK - TRAP_FRAME);
    let moved = |value: u64| match value {
        rbp if entry == Entry::User && rbp == number(&run["caller_rbp"]) => trap_frame.0 + 0x80,
        code if (linked..linked + u64::from(size_of_image())).contains(&code) => image.0 + (code - linked),
        stack if (top - 6 * PAGE_SIZE..=top).contains(&stack) => stack_base.0 - (top - stack),
        other => other,
    };
    let sp = moved(number(&run["sp"]));
    for (at, word) in (0..).zip(words(run["stack"].as_str().expect("bytes"))) {
        world.write_pointer(Va(sp + 8 * at), Va(moved(word)));
    }
    let mut calls: Vec<Call> = run["calls"]
        .as_array()
        .expect("calls")
        .iter()
        .map(|call| Call {
            sp: Va(moved(number(&call["sp"]))),
            returns_to: image + number(&call["returns_to"]),
        })
        .collect();
    if entry == Entry::User {
        let caller = Call {
            sp: Va(moved(number(&run["entry"])) + 8),
            returns_to: world.code(SYSTEM_CALL),
        };
        world.write_pointer(Va(caller.sp.0 - 8), caller.returns_to);
        write_trap_frame(world, thread, trap_frame);
        calls.push(caller);
    }
    // The frame of KiSwapContext ends with its return address, which halt's caller pushed: it saves all registers
    // that a caller expects back (`Ex*` of the SDK's ksamd64.inc); below it is what a switch leaves (`Sw*`).
    let inner = Va(sp - 0x138);
    let current = Va(inner.0 - 0x40);
    world.memory.touch(current, 0x140);
    for (register, at) in [
        ("rbp", 0xf8),
        ("rbx", 0x100),
        ("rdi", 0x108),
        ("rsi", 0x110),
        ("r12", 0x118),
        ("r13", 0x120),
        ("r14", 0x128),
        ("r15", 0x130),
    ] {
        let value = moved(number(&run["registers"][register]));
        world.write_pointer(inner + at, Va(value));
    }
    let code = world.code(SWAP_CONTEXT + 0x76);
    world.write_pointer(current + 0x38, code);
    world.thread_mut(thread).kernel_stack = current;
    SwitchedOut {
        thread,
        switch: Call {
            sp: inner,
            returns_to: code,
        },
        calls,
        image,
        stack_base,
        trap_frame,
    }
}

/// The general world of an ARM64 kernel, one thread of which was switched out in `shapes.sys`, compiled for that: the code
/// is real, the calls are those that an emulator saw. The stack pointers of calls are where they were made.
///
/// # Panics
/// Where the layout extract has no such kernel, or it is none of ARM64.
#[must_use]
pub fn arm64(kernel: &str) -> (Built, SwitchedOut) {
    let mut found = None;
    let built = standard_with(kernel, |world| {
        let mut threads = world.truth.threads.iter();
        let thread = threads.find(|thread| thread.state == WAITING && thread.name.is_empty());
        let thread = thread.expect("a thread").address;
        found = Some(switch_out_arm64(world, thread));
    });
    (built, found.expect("changed"))
}

fn switch_out_arm64(world: &mut World, thread: Va) -> SwitchedOut {
    let image = load(world, "shapes.sys", ARM64_IMAGE);
    let run: Value = serde_json::from_str(ARM64_RUN).expect("JSON");
    let number = |value: &Value| value.as_u64().expect("a number");
    let (linked, top) = (number(&run["base"]), number(&run["top"]));
    let size = u64::from(dword(ARM64_IMAGE, header(ARM64_IMAGE) + 80));
    let stack_base = world.truth.thread(thread).stack_base;
    let moved = |value: u64| match value {
        code if (linked..linked + size).contains(&code) => image.0 + (code - linked),
        stack if (top - 6 * PAGE_SIZE..=top).contains(&stack) => stack_base.0 - (top - stack),
        other => other,
    };
    let sp = moved(number(&run["sp"]));
    for (at, word) in (0..).zip(words(run["stack"].as_str().expect("bytes"))) {
        world.write_pointer(Va(sp + 8 * at), Va(moved(word)));
    }
    let calls: Vec<Call> = run["calls"]
        .as_array()
        .expect("calls")
        .iter()
        .map(|call| Call {
            sp: Va(moved(number(&call["sp"]))),
            returns_to: image + number(&call["returns_to"]),
        })
        .collect();
    // `KiSwapContext` was called where the run called halt, and keeps a record of that: its caller's, and where it goes on.
    let record = Va(sp - 0x40);
    let current = Va(sp - 0x60);
    world.memory.touch(current, 0x60);
    world.write_pointer(record, Va(moved(number(&run["fp"]))));
    world.write_pointer(record + 8, calls[0].returns_to);
    let code = world.code(SWAP_CONTEXT + 0x74);
    // What is before it is a call.
    world.memory.write(Va(code.0 - 4), &0x9400_0100_u32.to_le_bytes());
    // _KSWITCH_FRAME: Fp at 10, Return at 18 (ksarm64.h).
    let frame = world.kernel.offset("_KTHREAD", "SwitchFrame");
    world.write_pointer(thread + frame + 0x10, record);
    world.write_pointer(thread + frame + 0x18, code);
    world.thread_mut(thread).kernel_stack = current;
    SwitchedOut {
        thread,
        switch: Call {
            sp: current,
            returns_to: code,
        },
        calls,
        image,
        stack_base,
        trap_frame: Va::NULL,
    }
}

/// A thread of the general world of an x86 kernel, whose frames are linked by their frame pointers. The switch keeps that
/// of its caller in the word `ebp_at` of its frame: no source says which of the four it is.
///
/// # Panics
/// Where the layout extract has no such kernel, or it is none of x86.
#[must_use]
pub fn frame_pointers(kernel: &str, ebp_at: u64) -> (Built, Va, Vec<Call>) {
    let mut found = None;
    let built = standard_with(kernel, |world| {
        assert_eq!(world.pointer_size(), 4, "frames of x86");
        let mut threads = world.truth.threads.iter();
        let thread = threads.find(|thread| thread.state == WAITING && thread.name.is_empty());
        let thread = thread.expect("a thread").address;
        let base = world.truth.thread(thread).stack_base;
        let modules = &world.truth.modules;
        let driver = modules
            .iter()
            .find(|module| module.name == "afd.sys")
            .expect("afd")
            .base;
        let current = Va(base.0 - 0x400);
        world.memory.touch(current, 0x400);
        let frames = [0x3a0, 0x320, 0x2f0].map(|below| Va(base.0 - below));
        let code = [
            world.code(SWAP_CONTEXT + 0x26),
            world.code(0x1010),
            driver + 0x1234,
            world.code(0x2020),
        ];
        // ExceptionList, ApcBypassDisable, the return into KiSwapContext, four registers, its own return.
        world.write_pointer(current + 8, code[0]);
        for (number, at) in (0..).zip([0xc, 0x10, 0x14, 0x18]) {
            let garbage = Va(0x10_0000 + number);
            world.write_pointer(current + at, if at == ebp_at { frames[0] } else { garbage });
        }
        world.write_pointer(current + 0x1c, code[1]);
        for (number, frame) in frames.iter().enumerate() {
            world.write_pointer(*frame, frames.get(number + 1).copied().unwrap_or(Va::NULL));
            world.write_pointer(*frame + 4, code.get(number + 2).copied().unwrap_or(Va::NULL));
        }
        world.thread_mut(thread).kernel_stack = current;
        let sps = [current + 0x18].into_iter().chain(frames);
        let calls = sps.zip(code).map(|(sp, returns_to)| Call { sp, returns_to });
        found = Some((thread, calls.collect()));
    });
    let (thread, calls) = found.expect("changed");
    (built, thread, calls)
}

/// `_KTRAP_FRAME` of all x64 kernels (the SDK's ksamd64.inc and their symbols): Rip 168, SegCs 170, Rsp 180, SegSs 188.
fn write_trap_frame(world: &mut World, thread: Va, at: Va) {
    world.memory.touch(at, TRAP_FRAME);
    for (by, value) in [
        (0x168, USER.returns_to.0),
        (0x170, 0x33),
        (0x180, USER.sp.0),
        (0x188, 0x2b),
    ] {
        world.write_pointer(at + by, Va(value));
    }
    world.thread_mut(thread).trap_frame = at;
}

/// The thread before one instruction.
#[derive(Clone, Debug)]
pub struct Step {
    /// Where it is.
    pub rip: Va,
    /// The integer registers in the order of their numbers.
    pub registers: [u64; 16],
    /// The calls that have not returned, the innermost first.
    pub calls: Vec<Call>,
    /// What lies on the stack, from its limit on.
    pub stack: Vec<u8>,
}

/// Every instruction of the run, on the way to where the thread halted and back out again, as the thread `out` has it.
///
/// # Panics
/// Where the recorded run is not one.
#[must_use]
pub fn steps(out: &SwitchedOut) -> Vec<Step> {
    let mut text = String::new();
    lzma_rust2::XzReader::new(STEPS, false)
        .read_to_string(&mut text)
        .expect("xz");
    let run: Value = serde_json::from_str(&text).expect("JSON");
    let number = |value: &Value| value.as_u64().expect("a number");
    let (linked, top, size) = (number(&run["base"]), number(&run["top"]), number(&run["size"]));
    let moved = |value: u64| match value {
        code if (linked..linked + u64::from(size_of_image())).contains(&code) => {
            out.image.0 + (code - linked)
        }
        stack if (top - size..=top).contains(&stack) => out.stack_base.0 - (top - stack),
        other => other,
    };
    let mut stack = vec![0; usize::try_from(size).expect("small")];
    let mut all = Vec::new();
    for step in run["steps"].as_array().expect("steps") {
        let registers: Vec<u64> = step["registers"]
            .as_array()
            .expect("registers")
            .iter()
            .map(number)
            .collect();
        let calls = step["calls"].as_array().expect("calls").iter();
        let calls = calls.map(|call| Call {
            sp: Va(moved(number(&call[1]))),
            returns_to: out.image + number(&call[0]),
        });
        all.push(Step {
            rip: out.image + number(&step["rip"]),
            registers: std::array::from_fn(|register| moved(registers[register])),
            calls: calls.collect(),
            // Whole words are what is moved.
            stack: words_of(&stack)
                .flat_map(|word| moved(word).to_le_bytes())
                .collect(),
        });
        for write in step["wrote"].as_array().expect("writes") {
            let at = usize::try_from(number(&write[0]) - (top - size)).expect("small");
            let hex = write[1].as_str().expect("bytes");
            for (place, byte) in (at..).zip((0..hex.len() / 2).map(|byte| &hex[2 * byte..2 * byte + 2])) {
                stack[place] = u8::from_str_radix(byte, 16).expect("hex");
            }
        }
    }
    all
}

fn words_of(bytes: &[u8]) -> impl Iterator<Item = u64> + '_ {
    bytes
        .chunks_exact(8)
        .map(|word| u64::from_le_bytes(word.try_into().expect("eight")))
}

/// The PDB of `shapes.sys`, as the linker wrote it.
#[must_use]
pub fn pdb_of_shapes() -> Vec<u8> {
    let mut bytes = Vec::new();
    lzma_rust2::XzReader::new(PDB, false)
        .read_to_end(&mut bytes)
        .expect("xz");
    bytes
}

/// Functions of `shapes.sys` by RVA, as the linker listed them.
#[must_use]
pub fn functions() -> Vec<(u64, &'static str)> {
    let code = MAP
        .lines()
        .filter(|line| line.starts_with(" 0001:") && line.contains(".o"));
    code.map(|line| {
        let mut words = line.split_whitespace();
        let offset = words
            .next()
            .expect("an address")
            .rsplit(':')
            .next()
            .expect("an offset");
        let offset = u64::from_str_radix(offset, 16).expect("hex");
        (0x1000 + offset, words.next().expect("a name"))
    })
    .collect()
}

/// The PDB of a kernel that has `KiSwapContext` where the stacks have it.
#[must_use]
pub fn pdb(built: &Built) -> Vec<u8> {
    let mut pdb = crate::pdb::describe_kernel(&built.kernel);
    let rva = low32(0x1_0000 + SWAP_CONTEXT);
    let (segment, offset) = Pdb::place(&pdb.sections, rva);
    // Two names of one place: the debugger shows the second.
    for name in ["KxSwapContext", "KiSwapContext"] {
        pdb.publics.push(Public {
            name: name.to_owned(),
            segment,
            offset,
            is_function: true,
        });
    }
    pdb.write()
}

fn words(hex: &str) -> impl Iterator<Item = u64> + '_ {
    let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex");
    (0..hex.len() / 16).map(move |word| {
        let bytes = (0..8).map(|number| byte(16 * word + 2 * number));
        u64::from_le_bytes(bytes.collect::<Vec<_>>().try_into().expect("eight"))
    })
}

fn dword(image: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(image[at..at + 4].try_into().expect("four"))
}

fn header(image: &[u8]) -> usize {
    dword(image, 0x3c) as usize
}

fn size_of_image() -> u32 {
    size_of(IMAGE)
}

fn size_of(image: &[u8]) -> u32 {
    dword(image, header(image) + 24 + 56)
}

/// Loads a module behind all others, from the file of its image.
///
/// # Panics
/// Where that is no image for x64.
pub fn load(world: &mut World, name: &str, image: &[u8]) -> Va {
    let modules = &world.truth.modules;
    let end = modules
        .iter()
        .map(|module| module.base.0 + u64::from(module.size))
        .max();
    let at = Va(end.expect("modules").next_multiple_of(0x10_0000));
    world.module(at, size_of(image), name);
    write_image(world, at, image);
    at
}

/// Lays the file out as a loader does: headers, and each section where it belongs.
fn write_image(world: &mut World, at: Va, image: &[u8]) {
    let optional = header(image) + 24;
    let sections = u16::from_le_bytes(
        image[header(image) + 6..header(image) + 8]
            .try_into()
            .expect("two"),
    );
    world.memory.write(at, &image[..0x400]);
    for number in 0..usize::from(sections) {
        let section = optional + 0xf0 + 40 * number;
        let [size, rva, raw_size, raw] = [8, 12, 16, 20].map(|by| dword(image, section + by));
        let bytes = &image[raw as usize..(raw + size.min(raw_size)) as usize];
        world.memory.touch(at + u64::from(rva), u64::from(size));
        world.memory.write(at + u64::from(rva), bytes);
    }
}
