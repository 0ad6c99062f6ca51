//! One step outwards from every instruction of an image's functions, as `pe-unwind-info` takes it.
//!
//! Of `shapes.sys`, and of the image that `ALPC_DUMP_IMAGE` names, which must be for x64.

use std::path::PathBuf;

use alpc::stack::Stacks;
use alpc::{Symbols, System};
use kdump::{Dump, Gva};
use pe_unwind_info::x86_64::{FunctionTableEntries, Register, UnwindState};
use synth::address::Va;
use synth::dump::Kind;
use synth::worlds::{self, stacks};

const CONTEXT: usize = 0x348;
const INTEGERS: usize = CONTEXT + 0x78;
const RIP: usize = CONTEXT + 0xf8;
const RUNNING: u64 = 2;
const STACK: u64 = 6 * 0x1000;
/// Registers in the order of their numbers.
const ORDER: [Register; 16] = [
    Register::RAX,
    Register::RCX,
    Register::RDX,
    Register::RBX,
    Register::RSP,
    Register::RBP,
    Register::RSI,
    Register::RDI,
    Register::R8,
    Register::R9,
    Register::R10,
    Register::R11,
    Register::R12,
    Register::R13,
    Register::R14,
    Register::R15,
];

/// A stack on which every word is another address of the kernel's.
struct Oracle {
    registers: [u64; 16],
    limit: u64,
}

fn word(limit: u64, at: u64) -> Option<u64> {
    let place = at
        .checked_sub(limit)
        .filter(|place| *place <= STACK - 8 && place % 8 == 0)?;
    Some(0xffff_f780_4000_0000 + place)
}

impl UnwindState for Oracle {
    fn read_register(&mut self, register: Register) -> u64 {
        let number = ORDER.iter().position(|one| *one == register).unwrap();
        self.registers[number]
    }

    fn read_stack(&mut self, address: u64) -> Option<u64> {
        word(self.limit, address)
    }

    fn write_register(&mut self, register: Register, value: u64) {
        let number = ORDER.iter().position(|one| *one == register).unwrap();
        self.registers[number] = value;
    }

    fn write_xmm_register(&mut self, _: pe_unwind_info::x86_64::XmmRegister, _: u128) {}
}

/// Compares, and gives how many steps were.
fn compare(image: &[u8]) -> usize {
    let mut place = (Va::NULL, Va::NULL);
    let mut built = worlds::standard_with("win10-2004-x64", |world| {
        let thread = world
            .truth
            .threads
            .iter()
            .find(|thread| thread.state == 5)
            .unwrap()
            .address;
        place = (stacks::load(world, "image.sys", image), thread);
    });
    let (base, thread) = place;
    let stack_base = built.truth.thread(thread).stack_base.0;
    let limit = stack_base - STACK;
    for at in (limit..stack_base).step_by(8) {
        built.memory.write_uint(Va(at), 8, word(limit, at).unwrap());
    }
    let state = built.kernel.offset("_KTHREAD", "State");
    built.memory.write_uint(thread + state, 1, RUNNING);
    let mut bytes = built.dump(Kind::BitmapKernel);
    let directory = u32_at(image, u32_at(image, 0x3c) as usize + 24 + 112 + 3 * 8);
    let table = section_bytes(image, directory).unwrap();
    let size = u32_at(image, u32_at(image, 0x3c) as usize + 24 + 112 + 3 * 8 + 4) as usize;
    let table = FunctionTableEntries::parse(&table[..size]);
    // Frame registers lead above the stack pointer, as they do where a function has one.
    let sp = limit + 0x800;
    let registers: [u64; 16] = std::array::from_fn(|number| match number {
        4 => sp,
        _ => sp + 0x1000 + 0x40 * number as u64,
    });
    for (number, register) in registers.iter().enumerate() {
        let at = INTEGERS + 8 * number;
        bytes[at..at + 8].copy_from_slice(&register.to_le_bytes());
    }
    let mut compared = 0;
    for function in table.functions().unwrap() {
        let (begin, end) = (function.begin_address.get(), function.end_address.get());
        for rva in instructions(image, begin, end) {
            let rip = base.0 + u64::from(rva);
            bytes[RIP..RIP + 8].copy_from_slice(&rip.to_le_bytes());
            let mut oracle = Oracle { registers, limit };
            let theirs = table.unwind_frame_with_image(&mut oracle, image, rva);
            let system = System::of(
                Dump::from_bytes("one", bytes.clone()).unwrap(),
                &Symbols::default(),
            );
            let kernel = system.kernel().unwrap();
            let modules = alpc::report::stacks::modules(&kernel).unwrap();
            let stack = Stacks::new(&kernel, &modules).of(Gva::new(thread.0));
            let ours = stack
                .frames
                .get(1)
                .map(|frame| (frame.address.u64(), frame.child_sp.u64()));
            let theirs = theirs.map(|address| (address, oracle.registers[4]));
            // In an epilog it is enough to run it; the other reader knows none that the function goes on behind.
            let theirs = run_epilog(image, (begin.into(), end.into()), rva, sp, limit).or(theirs);
            // A frame off the stack, or below the one that it called, is none.
            let theirs = theirs.filter(|(_, caller)| *caller > sp && *caller <= stack_base);
            assert_eq!(
                ours, theirs,
                "{rva:#x} of {begin:#x}..{end:#x}: {:?}",
                stack.complete
            );
            compared += 1;
        }
    }
    compared
}

/// Runs instructions that release a frame, up to the return; none where any other is among them.
fn run_epilog(image: &[u8], (begin, end): (u64, u64), rva: u32, sp: u64, limit: u64) -> Option<(u64, u64)> {
    use iced_x86::{Code, Register};
    let code = section_bytes(image, rva)?;
    let decoder = iced_x86::Decoder::with_ip(64, &code[..code.len().min(64)], rva.into(), 0);
    let mut sp = sp;
    for instruction in decoder {
        let on_stack = instruction.op0_register() == Register::RSP;
        match instruction.code() {
            Code::Pop_r64 => sp += 8,
            Code::Add_rm64_imm8 if on_stack => sp += instruction.immediate(1),
            Code::Add_rm64_imm32 if on_stack => sp += instruction.immediate(1),
            // A call of another function that returns to the caller.
            Code::Jmp_rm64 => return Some((word(limit, sp)?, sp + 8)),
            Code::Jmp_rel32_64 if !(begin..end).contains(&instruction.near_branch_target()) => {
                return Some((word(limit, sp)?, sp + 8));
            }
            Code::Retnq => return Some((word(limit, sp)?, sp + 8)),
            _ => return None,
        }
    }
    None
}

/// Where the instructions of a function begin.
fn instructions(image: &[u8], begin: u32, end: u32) -> Vec<u32> {
    let code = &section_bytes(image, begin).unwrap()[..(end - begin) as usize];
    let decoder = iced_x86::Decoder::with_ip(64, code, begin.into(), iced_x86::DecoderOptions::NONE);
    // The other reader takes every jump for the end of the function, also one inside of it.
    let stays = |instruction: &iced_x86::Instruction| {
        let to = instruction.near_branch_target();
        let is_jump = matches!(
            instruction.code(),
            iced_x86::Code::Jmp_rel8_64 | iced_x86::Code::Jmp_rel32_64
        );
        is_jump && (u64::from(begin)..u64::from(end)).contains(&to)
    };
    let all = decoder.into_iter().filter(|instruction| !stays(instruction));
    all.map(|instruction| u32::try_from(instruction.ip()).unwrap())
        .collect()
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

fn section_bytes(image: &[u8], rva: u32) -> Option<&[u8]> {
    let header = u32_at(image, 0x3c) as usize;
    let sections = usize::from(image[header + 6]);
    (0..sections).find_map(|number| {
        let section = header + 24 + 0xf0 + 40 * number;
        let [size, start, raw] = [8, 12, 20].map(|by| u32_at(image, section + by));
        (start..start + size)
            .contains(&rva)
            .then(|| &image[(raw + rva - start) as usize..])
    })
}

#[test]
fn every_instruction_leads_where_another_reader_says() {
    let compared = compare(stacks::IMAGE);
    assert!(compared > 250, "{compared}");
}

#[test]
fn so_does_every_instruction_of_an_image_at_hand() {
    let Some(path) = std::env::var_os("ALPC_DUMP_IMAGE").map(PathBuf::from) else {
        return;
    };
    println!("{} steps", compare(&std::fs::read(path).unwrap()));
}
