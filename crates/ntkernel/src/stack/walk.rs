//! The walk over a thread's kernel stack.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use kdump::{Gva, Machine, PhysicalMemory};
#[cfg(feature = "schema")]
use schemars::JsonSchema;
#[cfg(feature = "serde")]
use serde::Serialize;

use crate::image::contract::{Processor, Thread, ThreadControl};
use crate::image::kernel::{Kernel, offset};
use crate::image::reason::Unreadable;
use crate::image::value::{Addr, Read, Value};
use crate::process::module::Modules;
use crate::process::roots;
use crate::process::thread::{self, ThreadState};
use crate::stack::doing::{Doing, doing};
use crate::stack::frame::{FoundFrame, Frame};
use crate::stack::image::{Image, Key};
use crate::stack::names::{self, Function};
use crate::stack::registers::{R12, RBP, RBX, RDI, RSI, Registers};
use crate::stack::{scan, unwind};
use crate::why;

/// Frames of one stack: a stack has 24 KiB, an expanded one some more, and a frame takes at least 8 bytes.
const FRAMES: usize = 1024;
/// Names of code addresses that are kept: what is not is looked up again.
const TOLD: usize = 1 << 16;
/// Bytes of names that a frame is paid for as: its record is four times that, beside eight bytes of a stack or more.
const IN_A_REPORT: usize = 96;
/// A kernel stack is not larger, nor all its segments together.
const STACK: u64 = 1 << 20;
/// Segments of an expanded stack.
const SEGMENTS: usize = 8;
/// States of `_KTHREAD_STATE` whose switch frame is where the thread goes on: Ready, Standby, Waiting, DeferredReady,
/// GateWait.
const SWITCHED_OUT: [u8; 5] = [1, 3, 5, 7, 8];
const RUNNING: u8 = 2;

/// The kernel stack of a thread.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct Stack {
    /// The frames, the innermost first.
    pub frames: Vec<Frame>,
    /// Set where the walk ended before the thread's first function, or before user mode.
    pub complete: Value<()>,
    /// What looks like return addresses between the last frame and the end of a stack that could not be walked to its
    /// end. Each of them may be left from an earlier call.
    pub scanned: Vec<Frame>,
    /// Modules of its frames parts of whose images are not in the dump, and were read out of the files of the same images
    /// that the symbol path has.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Vec::is_empty"))]
    pub from_files: Vec<String>,
}

impl Stack {
    /// A stack of which nothing is known.
    #[must_use]
    pub fn unknown(reason: Unreadable) -> Self {
        Self {
            frames: Vec::new(),
            complete: Err(reason).into(),
            scanned: Vec::new(),
            from_files: Vec::new(),
        }
    }
}

/// What of a thread's stack is certain, in the record of the thread.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "StackInThread"))]
#[non_exhaustive]
pub struct CertainFrames {
    /// The frames, the innermost first, none of them found by a scan.
    pub frames: Vec<Frame>,
    /// Set where the walk ended before the thread's first function, or before user mode.
    pub complete: Value<()>,
}

/// A switch frame alone says nothing that every thread's stack does not.
const TELLING: usize = 2;

impl Stack {
    /// What is certain of it; none where that is nothing.
    #[must_use]
    pub fn telling(self) -> Option<CertainFrames> {
        (self.frames.len() >= TELLING).then_some(CertainFrames {
            frames: self.frames,
            complete: self.complete,
        })
    }
}

/// What of a stack is certain, beside something else that is told of its thread: that it ends early takes nothing from
/// that.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct CertainStack {
    /// The innermost frames, none of them found by a scan.
    pub frames: Vec<Frame>,
    /// Why there are no more of them; none where the stack was followed to its end.
    pub ended: Option<String>,
    /// What the thread is doing, as far as the names of its functions say.
    pub doing: Option<Doing>,
}

impl Stack {
    /// What is certain of it: that many frames at most.
    #[must_use]
    pub fn certain(mut self, most: usize) -> CertainStack {
        let doing = doing(&self.frames);
        self.frames.truncate(most);
        CertainStack {
            frames: self.frames,
            ended: self.complete.reason().map(ToString::to_string),
            doing,
        }
    }
}

/// Walks stacks of one dump: what it learns of images serves all of them.
pub struct Stacks<'k, 'd> {
    kernel: &'k Kernel<'d>,
    modules: &'k Modules,
    images: RefCell<BTreeMap<u64, Rc<Read<Image>>>>,
    /// What code addresses are called, with whether the pc was precise: threads wait at the same places.
    told: RefCell<HashMap<(u64, bool), Option<Function>>>,
}

/// A stretch of memory that a thread's stack is in.
#[derive(Clone, Copy, Debug)]
struct Segment {
    limit: u64,
    base: u64,
}

impl Segment {
    fn holds(self, sp: u64) -> bool {
        (self.limit..=self.base).contains(&sp)
    }
}

/// What is known of a thread's stack.
struct Known {
    thread: Addr,
    state: ThreadState,
    segments: Vec<Segment>,
    current: u64,
    trap_frame: Option<u64>,
}

impl<'k, 'd> Stacks<'k, 'd> {
    /// Walks stacks of a dump.
    pub fn new(kernel: &'k Kernel<'d>, modules: &'k Modules) -> Self {
        Self {
            kernel,
            modules,
            images: RefCell::default(),
            told: RefCell::default(),
        }
    }

    /// The kernel stack of a thread.
    #[must_use]
    pub fn of(&self, thread: Gva) -> Stack {
        let (known, walked, frames) = self.walked(thread);
        let scanned = match (&known, &walked) {
            (Ok(known), Err(_)) => self.scan(known, &frames),
            _ => Vec::new(),
        };
        Stack {
            from_files: self.files_of(&frames),
            frames,
            complete: walked.into(),
            scanned,
        }
    }

    /// The same without what a scan shows, which takes longer than everything else.
    #[must_use]
    pub fn certain_of(&self, thread: Gva) -> Stack {
        let (_, walked, frames) = self.walked(thread);
        Stack {
            from_files: Vec::new(),
            frames,
            complete: walked.into(),
            scanned: Vec::new(),
        }
    }

    fn files_of(&self, frames: &[Frame]) -> Vec<String> {
        let mut modules: Vec<String> = Vec::new();
        for frame in frames {
            let Some(module) = frame.module.as_ref().filter(|module| !modules.contains(module)) else {
                continue;
            };
            let image = self.image_of(frame.address.u64());
            let is_read = image.is_some_and(|image| (*image).as_ref().is_ok_and(Image::is_read_from_file));
            if is_read {
                modules.push(module.clone());
            }
        }
        modules
    }

    fn walked(&self, thread: Gva) -> (Read<Known>, Read<()>, Vec<Frame>) {
        let mut frames = Vec::new();
        let known = self.known(thread);
        let walked = known
            .as_ref()
            .map_err(Clone::clone)
            .and_then(|known| self.walk(known, &mut frames));
        (known, walked, frames)
    }

    /// What the code at an address is called, where a processor stood; none of an address in no module.
    #[must_use]
    pub fn site(&self, address: Gva) -> Option<String> {
        let frame = self.frame(0, address.u64(), FoundFrame::Context, true);
        frame.module.is_some().then(|| frame.site())
    }

    fn known(&self, thread: Gva) -> Read<Known> {
        let control = self.kernel.at(thread).embedded(Thread::Tcb)?;
        let at = self.kernel.addr(thread);
        let base = control.pointer(ThreadControl::StackBase)?.u64();
        let limit = control.pointer(ThreadControl::StackLimit)?.u64();
        let current = control.pointer(ThreadControl::KernelStack)?.u64();
        if limit >= base || base.saturating_sub(limit) > STACK {
            return Err(Unreadable::Implausible(why!(
                "the thread {} names no stack that could be one",
                at
            )));
        }
        let mut segments = vec![Segment { limit, base }];
        // Between it and StackBase lies the room for the processor's extended state: 250 bytes in Vista, 390 in
        // 7, 470, 450, 3f0 or 230 in transcripts of 10. It follows from nothing else.
        if let Ok(initial) = control.pointer(ThreadControl::InitialStack) {
            self.add_segments(initial, base, &mut segments);
        }
        Ok(Known {
            thread: at,
            state: thread::state(self.kernel.at(thread))?,
            segments,
            current,
            trap_frame: control.pointer(ThreadControl::TrapFrame).ok().map(Gva::u64),
        })
    }

    /// The stacks that a thread comes back to when it leaves an expanded one. `_KSTACK_CONTROL` lies where the stack
    /// begins, from Windows 8 on: StackBase, ActualLimit, and of the segment before it StackBase, StackLimit,
    /// KernelStack and InitialStack. Where it is another structure, its first word is not the base of the stack.
    fn add_segments(&self, initial: Gva, base: u64, segments: &mut Vec<Segment>) {
        let width = u64::from(self.kernel.pointer_size());
        let (mut initial, mut base) = (initial, base);
        for _ in 0..SEGMENTS {
            let word = |number: u64| {
                let at = offset(initial, number.saturating_mul(width));
                self.kernel.cursor().pointer(at).map(Gva::u64)
            };
            let [Ok(own), Ok(previous), Ok(limit), Ok(next)] = [word(0), word(2), word(3), word(5)] else {
                return;
            };
            let is_one = previous > limit && previous.saturating_sub(limit) <= STACK;
            if width != 8 || own != base || previous == 0 || !is_one {
                return;
            }
            segments.push(Segment {
                limit,
                base: previous,
            });
            (initial, base) = (Gva::new(next), previous);
        }
    }

    fn walk(&self, known: &Known, frames: &mut Vec<Frame>) -> Read<()> {
        match self.kernel.dump().header().machine {
            Machine::Amd64 => self.walk_x64(known, frames),
            Machine::I386 => self.walk_x86(known, frames),
            Machine::Arm64 => self.walk_arm64(known, frames),
            _ => Err(Unreadable::Walk(why!(
                "stacks of this machine's kind are not walked yet"
            ))),
        }
    }

    /// Why a thread in a state that leaves nothing to walk has no frames.
    fn refused(known: &Known) -> Unreadable {
        let state = known.state.name().unwrap_or("unknown");
        Unreadable::Walk(why!(
            "the thread {} is in the state {}, in which nothing says where its stack begins",
            known.thread,
            state
        ))
    }

    fn walk_x64(&self, known: &Known, frames: &mut Vec<Frame>) -> Read<()> {
        let state = known.state.0;
        let (registers, found, is_precise) = if SWITCHED_OUT.contains(&state) {
            let registers = self.leave_switch(known, frames)?;
            (registers, FoundFrame::SwitchFrame, false)
        } else if state == RUNNING {
            // KernelStack of such a thread is where it was switched out the last time: stale.
            (self.context(known)?, FoundFrame::Context, true)
        } else {
            // Transition and WaitingForProcessInSwap: the stack is swapped out, "Stack paged out" in `!stacks`.
            // Terminated: freed, or kept for the next thread.
            return Err(Self::refused(known));
        };
        self.unwind(known, frames, registers, found, is_precise)
    }

    /// The frame that a switch leaves, and that of `KiSwapContext` around it, which saves all registers that a caller
    /// expects back. Neither needs unwind data.
    ///
    /// Sources: `Sw*` and `Ex*` of the SDK's ksamd64.inc; `_KEXCEPTION_FRAME` in the symbols of 213 kernels; the
    /// distances between the rows of eleven public transcripts from Vista to 11.
    fn leave_switch(&self, known: &Known, frames: &mut Vec<Frame>) -> Read<Registers> {
        const RETURN: u64 = 0x38;
        const SWITCH_FRAME: u64 = 0x40;
        const EXCEPTION_FRAME: u64 = 0x140;
        const SAVED: [(u8, u64); 8] = [
            // The switch frame has an rbp of its own, at +30: that is KiSwapContext's. The caller's is this
            // one.
            (RBP, 0xf8),
            (RBX, 0x100),
            (RDI, 0x108),
            (RSI, 0x110),
            (R12, 0x118),
            (R12 + 1, 0x120),
            (R12 + 2, 0x128),
            (R12 + 3, 0x130),
        ];
        const CALLER: u64 = 0x138;
        let current = known.current;
        let is_on_stack = known.segments.iter().any(|segment| segment.holds(current));
        if !is_on_stack || !current.is_multiple_of(8) {
            return Err(Unreadable::Implausible(why!(
                "the stack pointer of the thread {} is not on its stack",
                known.thread
            )));
        }
        let word = |at: u64| self.kernel.cursor().uint(Gva::new(at), 8);
        // "Current fffffa60`03bc4670" of a Vista thread goes with Child-SP ...46b0 (nt!KiSwapContext+0x7f) and
        // ...47f0 (nt!KiSwapThread+0x13a): 40 and 140 further. The offset in KiSwapContext is 7f in Vista, 7a
        // in 7, 76 from 8.1 on.
        let inner = current.wrapping_add(SWITCH_FRAME);
        let pc = word(current.wrapping_add(RETURN))?;
        if self.image_of(pc).is_none() {
            return Err(Unreadable::Implausible(why!(
                "the switch frame of the thread {} returns to {}, which is in no module",
                known.thread,
                self.kernel.addr(Gva::new(pc))
            )));
        }
        self.push(frames, self.frame(inner, pc, FoundFrame::SwitchFrame, false))?;
        let mut registers = Registers::at(
            word(inner.wrapping_add(CALLER))?,
            inner.wrapping_add(EXCEPTION_FRAME),
        );
        for (register, at) in SAVED {
            registers.set(register, word(inner.wrapping_add(at))?);
        }
        Ok(registers)
    }

    /// The registers of a thread that runs: of the processor that wrote the dump those in its header, of the others
    /// what they left in their control blocks when they were stopped.
    fn context(&self, known: &Known) -> Read<Registers> {
        let processors = self.kernel.dump().known().processors;
        let holds = |sp: u64| known.segments.iter().any(|segment| segment.holds(sp));
        let found = processors.into_iter().find(|context| holds(context.rsp.u64()));
        if let Some(context) = found {
            let mut registers = Registers::at(context.rip.u64(), context.rsp.u64());
            for (number, value) in (0..).zip(context.integers.into_iter().flatten()) {
                registers.set(number, value);
            }
            return Ok(registers);
        }
        // What a control block has is of when its processor was last stopped, which that of an image was not.
        if self.kernel.dump().image_file().is_some() {
            return Err(self.not_in_kernel(known));
        }
        let left = self.left_by_processor(known);
        left.filter(|registers| holds(registers.sp())).ok_or_else(|| {
            Unreadable::Walk(why!(
                "the thread {} runs, and the dump does not hold the registers of its processor",
                known.thread
            ))
        })
    }

    /// Why the registers of an image's processors do not lead to a thread's kernel stack.
    fn not_in_kernel(&self, known: &Known) -> Unreadable {
        /// `_KPCR.Prcb`, in the symbols of all kernels of x64.
        const CONTROL_BLOCK: u64 = 0x180;
        let block = roots::processor_of(self.kernel, known.thread.gva()).map(|block| block.address());
        let image = self.kernel.dump().image_file();
        let processors = image.map(|image| image.processors()).unwrap_or_default();
        let of_thread = processors.iter().find(|processor| {
            let region = processor
                .control_region()
                .map(|region| offset(region, CONTROL_BLOCK));
            region.is_some() && region == block
        });
        match of_thread.and_then(|processor| processor.context) {
            Some(context) if context.rip.u64() >> 63 == 0 => Unreadable::Walk(why!(
                "the thread {} ran in user mode, at {}, when the memory was taken",
                known.thread,
                self.kernel.addr(context.rip)
            )),
            _ => Unreadable::Walk(why!(
                "the thread {} runs, and the file does not hold the registers of its processor",
                known.thread
            )),
        }
    }

    /// `_KPRCB.ProcessorState.ContextFrame` of the processor whose current thread it is. Of a system that was not
    /// stopped that is what was left when it last was.
    fn left_by_processor(&self, known: &Known) -> Option<Registers> {
        // The x64 CONTEXT: rax to r15 in the order of their numbers, then Rip.
        const RAX: u64 = 0x78;
        const RIP: u64 = 0xf8;
        // That of ARM64 has Sp and Pc behind its other registers.
        const SP: u64 = 0x100;
        const PC: u64 = 0x108;
        let block = roots::processor_of(self.kernel, known.thread.gva())?;
        let context = block.address_of(Processor::Context).ok()?;
        let word = |by: u64| self.kernel.cursor().uint(offset(context, by), 8).ok();
        if self.kernel.dump().header().machine == Machine::Arm64 {
            return Some(Registers::at(word(PC)?, word(SP)?));
        }
        let mut registers = Registers::at(word(RIP)?, 0);
        for number in 0..16_u8 {
            registers.set(
                number,
                word(RAX.saturating_add(u64::from(number).saturating_mul(8)))?,
            );
        }
        Some(registers)
    }

    /// Unwinds from a frame to the thread's beginning, or to user mode.
    fn unwind(
        &self,
        known: &Known,
        frames: &mut Vec<Frame>,
        registers: Registers,
        found: FoundFrame,
        is_precise: bool,
    ) -> Read<()> {
        let (mut registers, mut found, mut is_precise) = (registers, found, is_precise);
        loop {
            let sp = registers.sp();
            // Threads of the system end so: PspSystemThreadStartup, KiStartSystemThread (KxStartSystemThread in
            // Windows 7), and 0.
            if registers.pc == 0 {
                return Ok(());
            }
            if !self.kernel.is_kernel_address(Gva::new(registers.pc)) {
                return self.user(frames, &registers, found);
            }
            if frames.len() >= FRAMES {
                return Err(Unreadable::Walk(why!("gave up after {} frames", FRAMES)));
            }
            self.check_stack(known, frames, sp)?;
            let image = self.image_of(registers.pc);
            self.push(frames, self.frame(sp, registers.pc, found, is_precise))?;
            let image = image.ok_or_else(|| {
                Unreadable::Implausible(why!(
                    "{} is in no module that is known",
                    self.kernel.addr(Gva::new(registers.pc))
                ))
            })?;
            let step = (*image)
                .as_ref()
                .map_err(Clone::clone)
                .and_then(|image| unwind::step(self.kernel, image, &registers, is_precise));
            let step = match step {
                Ok(step) => step,
                Err(reason) => match self.by_trap_frame(known, &registers) {
                    Some((trap, user)) => {
                        note_trap(frames, trap);
                        return self.user(frames, &user, FoundFrame::TrapFrame);
                    }
                    None => return Err(reason),
                },
            };
            is_precise = step.machine_frame.is_some();
            found = if is_precise {
                FoundFrame::TrapFrame
            } else {
                FoundFrame::Unwound
            };
            if let Some(at) = step.machine_frame {
                // Where Rip is in a _KTRAP_FRAME, whose end is the machine frame.
                const RIP: u64 = 0x168;
                note_trap(frames, self.kernel.addr(Gva::new(at.wrapping_sub(RIP))));
            }
            registers = step.registers;
        }
    }

    /// A stack grows downwards: each frame is above the one that it called, on one of the thread's stacks.
    fn check_stack(&self, known: &Known, frames: &[Frame], sp: u64) -> Read<()> {
        let at = self.kernel.addr(Gva::new(sp));
        let segment_of = |sp: u64| known.segments.iter().position(|segment| segment.holds(sp));
        let Some(segment) = segment_of(sp) else {
            return Err(Unreadable::Implausible(why!(
                "the frame at {} is not on the stack of the thread {}",
                at,
                known.thread
            )));
        };
        let before = frames.last().map(|frame| frame.child_sp.u64());
        // A callout onto another segment (KeExpandKernelStackAndCallout, of win32k mostly) is the one place
        // where a walk jumps: at nt!KySwitchKernelStackCallout, and only to the segment that the stack's
        // control block names.
        let goes_up = before.is_none_or(|before| match segment_of(before) {
            Some(inner) if inner == segment => sp > before,
            Some(inner) => inner < segment,
            None => true,
        });
        if goes_up && sp.is_multiple_of(8) {
            Ok(())
        } else {
            Err(Unreadable::Implausible(why!(
                "the frame at {} is not above the one that it called",
                at
            )))
        }
    }

    /// A system call keeps its trap frame in rbp, 80 bytes in, and the thread names that frame. Where no unwind data
    /// leads out of the kernel, the two of them together do.
    fn by_trap_frame(&self, known: &Known, registers: &Registers) -> Option<(Addr, Registers)> {
        const RIP: u64 = 0x168;
        const SEG_CS: u64 = 0x170;
        const USER_RSP: u64 = 0x180;
        let trap = known.trap_frame?;
        let base = registers.get(RBP)?.wrapping_sub(0x80);
        let image = self.image_of(registers.pc)?;
        let is_kernel = (*image)
            .as_ref()
            .is_ok_and(|image| image.base() == self.kernel.base());
        if base != trap || !is_kernel {
            return None;
        }
        let word = |by: u64| self.kernel.cursor().uint(Gva::new(trap.wrapping_add(by)), 8).ok();
        // Ring 3. While the kernel calls its own services (Zw...), KTHREAD.TrapFrame is the frame of that call,
        // and the one of user mode is named at its +138 (from memory).
        if word(SEG_CS)? & 3 != 3 {
            return None;
        }
        let user = Registers::at(word(RIP)?, word(USER_RSP)?);
        Some((self.kernel.addr(Gva::new(trap)), user))
    }

    /// The first frame of user mode, with which the kernel's part ends.
    fn user(&self, frames: &mut Vec<Frame>, registers: &Registers, found: FoundFrame) -> Read<()> {
        if found != FoundFrame::TrapFrame {
            return Err(Unreadable::Implausible(why!(
                "the stack leads to {}, which is no address of the kernel, without a trap frame",
                self.kernel.addr(Gva::new(registers.pc))
            )));
        }
        self.push(frames, self.frame(registers.sp(), registers.pc, found, true))?;
        Ok(())
    }

    /// x86: the frame that a switch leaves, and from there the chain of frame pointers.
    ///
    /// Sources: ReactOS' thrdini.c for the first three words, transcripts of XP, Vista and 7 for the distance to
    /// `KiSwapContext`'s own return address. Which of the four words between is the frame pointer no source says: it
    /// is the one that begins a chain.
    fn walk_x86(&self, known: &Known, frames: &mut Vec<Frame>) -> Read<()> {
        const RETURN: u64 = 8;
        const SAVED: [u64; 4] = [0xc, 0x10, 0x14, 0x18];
        const CHILD: u64 = 0x18;
        const CALLER: u64 = 0x1c;
        if !SWITCHED_OUT.contains(&known.state.0) {
            return Err(Self::refused(known));
        }
        let current = known.current;
        let holds = |at: u64| known.segments.iter().any(|segment| segment.holds(at));
        if !holds(current) || !current.is_multiple_of(4) {
            return Err(Unreadable::Implausible(why!(
                "the stack pointer of the thread {} is not on its stack",
                known.thread
            )));
        }
        let word = |at: u64| self.kernel.cursor().uint(Gva::new(at), 4);
        let inner = current.wrapping_add(CHILD);
        let is_code = |pc: u64| self.image_of(pc).is_some();
        let pc = word(current.wrapping_add(RETURN))?;
        if !is_code(pc) {
            return Err(Unreadable::Implausible(why!(
                "the switch frame of the thread {} returns to {}, which is in no module",
                known.thread,
                self.kernel.addr(Gva::new(pc))
            )));
        }
        self.push(frames, self.frame(inner, pc, FoundFrame::SwitchFrame, false))?;
        let mut pc = word(current.wrapping_add(CALLER))?;
        let mut found = FoundFrame::SwitchFrame;
        let begins_a_chain = |frame: u64| {
            holds(frame)
                && frame > current.wrapping_add(CALLER)
                && word(frame.wrapping_add(4)).is_ok_and(is_code)
        };
        let saved = SAVED.iter().filter_map(|by| word(current.wrapping_add(*by)).ok());
        let mut frame = saved
            .into_iter()
            .find(|frame| begins_a_chain(*frame))
            .ok_or_else(|| {
                Unreadable::Implausible(why!(
                    "no register that the switch of the thread {} saved leads to a frame",
                    known.thread
                ))
            })?;
        loop {
            if frames.len() >= FRAMES {
                return Err(Unreadable::Walk(why!("gave up after {} frames", FRAMES)));
            }
            self.push(frames, self.frame(frame, pc, found, false))?;
            found = FoundFrame::FramePointer;
            let (next, caller) = (word(frame)?, word(frame.wrapping_add(4))?);
            if caller == 0 {
                return Ok(());
            }
            if !is_code(caller) {
                return Err(Unreadable::Implausible(why!(
                    "the frame at {} returns to {}, which is in no module",
                    self.kernel.addr(Gva::new(frame)),
                    self.kernel.addr(Gva::new(caller))
                )));
            }
            if next == 0 {
                self.push(frames, self.frame(next, caller, found, false))?;
                return Ok(());
            }
            if next <= frame || !holds(next) {
                self.push(frames, self.frame(next, caller, found, false))?;
                return Err(Unreadable::Implausible(why!(
                    "the frame at {} names {} as the one around it, which is not above it on the stack",
                    self.kernel.addr(Gva::new(frame)),
                    self.kernel.addr(Gva::new(next))
                )));
            }
            (frame, pc) = (next, caller);
        }
    }

    /// ARM64: the switch frame, which lies in the thread itself, and from there the chain of frame records: where a record
    /// begins, the next one's place, and behind it the return address. Windows requires such records of all code that is
    /// not a leaf. They say nothing of where a function's stack pointer is: the place of its record stands for it.
    ///
    /// Sources: Microsoft's ARM64 ABI conventions for the records; the SDK's ksarm64.h and the header of a kernel for
    /// `_KSWITCH_FRAME` (Fp at 10, Return at 18), whose meaning no dump confirmed yet: each return address has to follow a
    /// call.
    fn walk_arm64(&self, known: &Known, frames: &mut Vec<Frame>) -> Read<()> {
        const FP: u64 = 0x10;
        const RETURN: u64 = 0x18;
        if known.state.0 == RUNNING {
            let registers = self.context(known)?;
            let frame = self.frame(registers.sp(), registers.pc, FoundFrame::Context, true);
            self.push(frames, frame)?;
            // In a prolog or a leaf the frame pointer is still the caller's: following it would pass over the caller.
            return Err(Unreadable::Walk(why!(
                "from where the thread {} stands, frame records alone do not lead on for sure",
                known.thread
            )));
        }
        if !SWITCHED_OUT.contains(&known.state.0) {
            return Err(Self::refused(known));
        }
        let current = known.current;
        let holds = |at: u64| at.is_multiple_of(8) && known.segments.iter().any(|segment| segment.holds(at));
        if !holds(current) {
            return Err(Unreadable::Implausible(why!(
                "the stack pointer of the thread {} is not on its stack",
                known.thread
            )));
        }
        let control = self.kernel.at(known.thread.gva()).embedded(Thread::Tcb)?;
        let switch = control.address_of(ThreadControl::SwitchFrame)?;
        let word = |at: u64| self.kernel.cursor().uint(Gva::new(at), 8);
        let pc = self.without_signature(word(switch.u64().wrapping_add(RETURN))?);
        self.check_call(known.thread, pc)?;
        self.push(frames, self.frame(current, pc, FoundFrame::SwitchFrame, false))?;
        let mut record = word(switch.u64().wrapping_add(FP))?;
        let mut below = current;
        loop {
            if frames.len() >= FRAMES {
                return Err(Unreadable::Walk(why!("gave up after {} frames", FRAMES)));
            }
            if record < below || !holds(record) {
                return Err(Unreadable::Implausible(why!(
                    "the frame record at {} is not above the frame that it is of, on the stack of the thread {}",
                    self.kernel.addr(Gva::new(record)),
                    known.thread
                )));
            }
            let (next, caller) = (word(record)?, word(record.wrapping_add(8))?);
            if caller == 0 {
                return Ok(());
            }
            let caller = self.without_signature(caller);
            self.check_call(known.thread, caller)?;
            self.push(frames, self.frame(next, caller, FoundFrame::FramePointer, false))?;
            // The outermost function has no record around it; that of a system call is user mode's.
            if next == 0 || !self.kernel.is_kernel_address(Gva::new(next)) {
                return Ok(());
            }
            below = record.wrapping_add(0x10);
            record = next;
        }
    }

    /// A return address without what a processor signed it with, in the bits that no address has.
    fn without_signature(&self, pc: u64) -> u64 {
        // Bit 55 chooses between the two halves of the address space, also in a signed pointer (Arm's
        // architecture manual, pointer authentication).
        const KERNEL: u64 = 1 << 55;
        let plain = match pc & KERNEL {
            0 => pc,
            _ => pc | !(u64::MAX >> 16),
        };
        match self.image_of(pc) {
            Some(_) => pc,
            None => plain,
        }
    }

    /// Whether a return address of ARM64 is one: in a module, behind `bl` or `blr` as far as the code is there.
    fn check_call(&self, thread: Addr, pc: u64) -> Read<()> {
        let at = self.kernel.addr(Gva::new(pc));
        let image = self.image_of(pc).ok_or_else(|| {
            Unreadable::Implausible(why!(
                "a frame of the thread {} returns to {}, which is in no module",
                thread,
                at
            ))
        })?;
        let follows = (*image).as_ref().ok().and_then(|image| {
            let rva = image.rva(pc)?;
            scan::follows_a_call_of_arm64(self.kernel, image, rva)
        });
        match follows {
            Some(false) => Err(Unreadable::Implausible(why!(
                "a frame of the thread {} returns to {}, before which no call is",
                thread,
                at
            ))),
            _ => Ok(()),
        }
    }

    /// Takes a frame in, and pays for what it takes in a report: page tables can show one stack at any number of
    /// addresses, to any number of threads.
    fn push(&self, frames: &mut Vec<Frame>, frame: Frame) -> Read<()> {
        self.kernel.budget().text(IN_A_REPORT)?;
        frames.push(frame);
        Ok(())
    }

    /// What looks like return addresses from the last frame to the end of the stack.
    fn scan(&self, known: &Known, frames: &[Frame]) -> Vec<Frame> {
        let width = u64::from(self.kernel.pointer_size());
        let mut found = Vec::new();
        let last = frames.iter().rev().map(|frame| frame.child_sp.u64());
        let in_first = |sp: &u64| known.segments.first().is_some_and(|segment| segment.holds(*sp));
        let from = last.chain([known.current]).find(in_first);
        let Some((segment, from)) = known.segments.first().zip(from) else {
            return found;
        };
        let machine = self.kernel.dump().header().machine;
        let mut at = from;
        while at < segment.base && found.len() < FRAMES {
            let value = self.kernel.cursor().pointer(Gva::new(at)).map(Gva::u64);
            at = at.saturating_add(width);
            // Pages of a stack that are missing hide what is on them, and nothing else.
            let Ok(value) = value else { continue };
            let Some(image) = self.image_of(value) else {
                continue;
            };
            let follows = match &*image {
                Ok(image) => {
                    let Some(rva) = image.rva(value) else { continue };
                    if !image.is_code(rva) {
                        continue;
                    }
                    match machine {
                        Machine::Amd64 => scan::follows_a_call(self.kernel, image, rva),
                        Machine::Arm64 => scan::follows_a_call_of_arm64(self.kernel, image, rva),
                        _ => None,
                    }
                }
                Err(_) => None,
            };
            if follows == Some(false) {
                continue;
            }
            let mut frame = self.frame(at, value, FoundFrame::Scanned, false);
            frame.follows_call = follows;
            if self.push(&mut found, frame).is_err() {
                break;
            }
        }
        found
    }

    /// The image of the module that an address is in, or why it cannot be read; none for an address in no module.
    fn image_of(&self, address: u64) -> Option<Rc<Read<Image>>> {
        let at = Gva::new(address);
        if !self.kernel.is_kernel_address(at) {
            return None;
        }
        let base = self.modules.locate(self.kernel.addr(at)).offset;
        let base = base.map(|by| address.wrapping_sub(by))?;
        let mut images = self.images.borrow_mut();
        let image = images
            .entry(base)
            .or_insert_with(|| Rc::new(Image::read(self.kernel, Gva::new(base), self.key(base))));
        Some(Rc::clone(image))
    }

    /// By what the file of the image at an address is found. Under redaction the names of the module list are not those of
    /// files.
    fn key(&self, base: u64) -> Option<Key> {
        if let Some(triage) = self.kernel.dump().triage() {
            let mut modules = triage.modules().iter();
            let module = modules.find(|module| module.base.u64() == base)?;
            return Some(Key {
                name: module.name.clone()?,
                timestamp: module.timestamp,
                size: module.size,
            });
        }
        let mut modules = self.modules.modules.iter();
        let module = modules.find(|module| module.base.known().is_some_and(|at| at.u64() == base))?;
        let name = module
            .name
            .known()
            .filter(|_| self.kernel.redaction().is_none())?;
        Some(Key {
            name: name.clone(),
            ..Key::default()
        })
    }

    /// What a code address is called.
    fn function(&self, pc: u64, is_precise: bool) -> Option<Function> {
        if let Some(told) = self.told.borrow().get(&(pc, is_precise)) {
            return told.clone();
        }
        let function = self.named(pc, is_precise);
        let mut told = self.told.borrow_mut();
        if told.len() < TOLD {
            told.insert((pc, is_precise), function.clone());
        }
        function
    }

    fn named(&self, pc: u64, is_precise: bool) -> Option<Function> {
        let image = self.image_of(pc)?;
        let image = (*image).as_ref().ok()?;
        // What another module calls its functions tells which module it is.
        let hides = self
            .kernel
            .redaction()
            .is_some_and(|redaction| redaction.hides_names());
        if hides && image.base() != self.kernel.base() {
            return None;
        }
        let rva = image.rva(pc)?;
        // What is called last in a function returns behind it.
        let inside = rva.saturating_sub(u32::from(!is_precise));
        let fragment = match image.is_x64() {
            true => image.function(self.kernel, inside).ok().flatten(),
            false => None,
        };
        let first = fragment.and_then(|one| unwind::first(self.kernel, image, one).ok());
        names::function(self.kernel, image, rva, fragment, first)
    }

    fn frame(&self, sp: u64, pc: u64, found: FoundFrame, is_precise: bool) -> Frame {
        let at = self.kernel.addr(Gva::new(pc));
        let code = self.modules.locate(at);
        let function = self.function(pc, is_precise);
        Frame {
            child_sp: self.kernel.addr(Gva::new(sp)),
            address: at,
            module: code.module,
            module_offset: code.offset,
            function,
            found,
            trap_frame: None,
            follows_call: None,
        }
    }
}

fn note_trap(frames: &mut [Frame], trap: Addr) {
    if let Some(frame) = frames.last_mut() {
        frame.trap_frame = Some(trap);
    }
}
