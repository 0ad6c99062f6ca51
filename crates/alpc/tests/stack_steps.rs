//! A thread that was interrupted at any instruction, prologs and epilogs among them: its stack against the calls that an
//! emulator saw (`crates/synth/data/stacks/README.md`).

use alpc::stack::Stacks;
use alpc::{Symbols, System};
use kdump::{Dump, Gva};
use synth::dump::Kind;
use synth::worlds::stacks::{self, Call, Entry};

/// Where the header of a 64-bit dump has the processor's `CONTEXT`, and in that the integer registers and Rip.
const CONTEXT: usize = 0x348;
const INTEGERS: usize = CONTEXT + 0x78;
const RIP: usize = CONTEXT + 0xf8;
const RUNNING: u64 = 2;
const PAGE: u64 = 0x1000;

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
        built.memory.write(synth::address::Va(limit), &step.stack);
        let mut bytes = built.dump(Kind::BitmapKernel);
        for (number, register) in step.registers.iter().enumerate() {
            let at = INTEGERS + 8 * number;
            bytes[at..at + 8].copy_from_slice(&register.to_le_bytes());
        }
        bytes[RIP..RIP + 8].copy_from_slice(&step.rip.0.to_le_bytes());
        let system = System::of(
            Dump::from_bytes("interrupted", bytes).unwrap(),
            &Symbols::default(),
        );
        let kernel = system.kernel().unwrap();
        let modules = alpc::report::stacks::modules(&kernel).unwrap();
        let stack = Stacks::new(&kernel, &modules).of(Gva::new(scene.thread.0));
        let here = Call {
            sp: synth::address::Va(step.registers[4]),
            returns_to: step.rip,
        };
        let expected: Vec<Call> = std::iter::once(here).chain(step.calls.iter().copied()).collect();
        let found = stack.frames.iter().map(|frame| Call {
            sp: synth::address::Va(frame.child_sp.u64()),
            returns_to: synth::address::Va(frame.address.u64()),
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
}
