//! A thread that was interrupted at any instruction, prologs and epilogs among them: its stack against the calls that an
//! emulator saw (`crates/synth/data/stacks/README.md`).

use alpc::stack::Stacks;
use alpc::{Symbols, System};
use kdump::{Dump, Gva};
use synth::address::Va;
use synth::dump::Kind;
use synth::worlds::stacks::{self, Call, Entry, Step, SwitchedOut};

/// Where the header of a 64-bit dump has the processor's `CONTEXT`, and in that the integer registers and Rip.
const CONTEXT: usize = 0x348;
const INTEGERS: usize = CONTEXT + 0x78;
const RIP: usize = CONTEXT + 0xf8;
const RUNNING: u64 = 2;
const PAGE: u64 = 0x1000;

/// A processor that did not write the dump leaves its registers in its control block.
#[test]
fn a_thread_on_another_processor_is_walked_by_its_control_block() {
    let (built, scene) = stacks::shapes("win10-2004-x64", Entry::Kernel);
    let offset = |ty, member| built.kernel.offset(ty, member);
    let context = offset("_KPRCB", "ProcessorState") + offset("_KPROCESSOR_STATE", "ContextFrame");
    let current = offset("_KPRCB", "CurrentThread");
    let table = built.truth.kernel_base + u64::from(built.kernel.rva("KiProcessorBlock"));
    let prcb = Va(built.memory.read_uint(table + 8, 8));
    assert_ne!(prcb, Va::NULL, "a second processor");
    let limit = Va(scene.stack_base.0 - 6 * PAGE);
    for step in stacks::steps(&scene).iter().step_by(37) {
        let mut built = built.clone();
        let memory = &mut built.memory;
        memory.write_uint(scene.thread + offset("_KTHREAD", "State"), 1, RUNNING);
        memory.write(limit, &step.stack);
        memory.write_uint(prcb + current, 8, scene.thread.0);
        for (number, register) in (0..).zip(step.registers) {
            memory.write_uint(prcb + context + 0x78 + 8 * number, 8, register);
        }
        memory.write_uint(prcb + context + 0xf8, 8, step.rip.0);
        compare(built.dump(Kind::BitmapKernel), &scene, step);
    }
}

#[test]
fn every_instruction_has_the_callers_that_it_really_has() {
    let (built, scene) = stacks::shapes("win10-2004-x64", Entry::Kernel);
    let state = built.kernel.offset("_KTHREAD", "State");
    let limit = scene.stack_base.0 - 6 * PAGE;
    let steps = stacks::steps(&scene);
    assert!(steps.len() > 300, "{}", steps.len());
    for step in &steps {
        let mut built = built.clone();
        built.memory.write_uint(scene.thread + state, 1, RUNNING);
        built.memory.write(Va(limit), &step.stack);
        let mut bytes = built.dump(Kind::BitmapKernel);
        for (number, register) in step.registers.iter().enumerate() {
            let at = INTEGERS + 8 * number;
            bytes[at..at + 8].copy_from_slice(&register.to_le_bytes());
        }
        bytes[RIP..RIP + 8].copy_from_slice(&step.rip.0.to_le_bytes());
        compare(bytes, &scene, step);
    }
}

/// Walks the thread's stack in a dump.
fn compare(bytes: Vec<u8>, scene: &SwitchedOut, step: &Step) {
    let system = System::of(
        Dump::from_bytes("interrupted", bytes).unwrap(),
        &Symbols::default(),
    );
    let kernel = system.kernel().unwrap();
    let modules = alpc::report::stacks::modules(&kernel).unwrap();
    let stack = Stacks::new(&kernel, &modules).of(Gva::new(scene.thread.0));
    let here = Call {
        sp: Va(step.registers[4]),
        returns_to: step.rip,
    };
    let expected: Vec<Call> = std::iter::once(here).chain(step.calls.iter().copied()).collect();
    let found = stack.frames.iter().map(|frame| Call {
        sp: Va(frame.child_sp.u64()),
        returns_to: Va(frame.address.u64()),
    });
    let found: Vec<Call> = found.collect();
    let at = step.rip.0 - scene.image.0;
    assert_eq!(found, expected, "at shapes+{at:#x}: {:?}", stack.complete);
    assert!(
        stack.complete.reason().is_none(),
        "at shapes+{at:#x}: {:?}",
        stack.complete
    );
}

/// One stack that any number of threads share, as page tables can show it, does not make a report of any length.
#[test]
fn frames_are_in_proportion_to_the_file() {
    let (built, scene) = stacks::shapes("win10-2004-x64", Entry::Kernel);
    let bytes = built.dump(Kind::BitmapKernel);
    let most = (bytes.len() + (4 << 20)) / 96;
    let system = System::of(Dump::from_bytes("many", bytes).unwrap(), &Symbols::default());
    let kernel = system.kernel().unwrap();
    let modules = alpc::report::stacks::modules(&kernel).unwrap();
    let stacks = Stacks::new(&kernel, &modules);
    let mut frames = 0;
    for _ in 0..most {
        let stack = stacks.of(Gva::new(scene.thread.0));
        frames += stack.frames.len();
        if let Some(reason) = stack.complete.reason() {
            assert_eq!(reason.id(), "out-of-proportion");
            assert!(frames <= most && frames > most / 2, "{frames} of {most}");
            return;
        }
    }
    panic!("{frames} frames");
}
