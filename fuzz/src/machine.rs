//! A small machine with a complete dump of kind 1, whose memory a fuzz input writes.
//!
//! An input is a list of steps, each an opcode (one byte, modulo the number of opcodes) and its operands:
//!
//! | opcode | operands | what it does |
//! |---|---|---|
//! | 0 | slot of a table u8, index u16, flags u16, target u8 | writes a page-table entry |
//! | 1 | slot of a table u8, index u16, entry u64 | writes any entry |
//! | 2 | slot of a page u8, offset u16, length u8, bytes | writes bytes |
//! | 3 | offset u16, value u64 | writes a field of the header, except what makes it a dump |
//! | 4 | four indices u16, offset u16, length u16 | asks for the memory at an address made of indices |
//! | 5 | address u64, length u16 | asks for the memory at any address |
//!
//! All that is asked for is asked at the end, when the machine no longer changes.

use crate::input::Input;

/// Frames of the machine that the file has pages of. They are scattered, lie where large pages can begin
/// (2 MiB at frame 200, 1 GiB at 40000), and the first is the root of the page tables.
pub const PRESENT: [u64; 24] = [
    1, 2, 3, 4, 5, 6, 7, 8, 0x200, 0x201, 0x202, 0x203, 0x3ff, 0x400, 0x401, 0x40000, 0x40001, 0x40002,
    0x40003, 0x40004, 0x40005, 0x40006, 0x40007, 0x40008,
];
/// Frames that an entry may lead to besides: in the last run but behind the end of the file, and in no run.
pub const ABSENT: [u64; 4] = [0x40009, 0x4000a, 0, 0xf_ffff_ffff];

/// The runs of the header, in the order of the file.
const RUNS: [(u64, u64); 5] = [(1, 8), (0x200, 4), (0x3ff, 1), (0x400, 2), (0x40000, 0xb)];
const PAGE: usize = 0x1000;
const HEADER: usize = 0x2000;
const MAX_STEPS: usize = 2048;
const MAX_ASKED: usize = 64;

/// A piece of virtual memory that the input asks for.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// Where.
    pub gva: u64,
    /// How many bytes.
    pub len: usize,
}

/// The dump's file, and what is to be asked of it.
#[derive(Debug)]
pub struct Machine {
    /// The whole file.
    pub file: Vec<u8>,
    /// All that the input asks for.
    pub asked: Vec<Asked>,
}

impl Machine {
    /// Follows the steps of an input.
    #[must_use]
    pub fn follow(data: &[u8]) -> Machine {
        let mut machine = Machine {
            file: vec![0; HEADER + PRESENT.len() * PAGE],
            asked: Vec::new(),
        };
        machine.header();
        let mut input = Input(data);
        for _ in 0..MAX_STEPS {
            if input.is_empty() {
                break;
            }
            machine.step(&mut input);
        }
        machine.identity();
        machine
    }

    /// The physical memory of a frame, where the file has it.
    #[must_use]
    pub fn frame(&self, frame: u64) -> Option<&[u8]> {
        let slot = PRESENT.iter().position(|&present| present == frame)?;
        let at = HEADER + slot * PAGE;
        self.file.get(at..at + PAGE)
    }

    fn step(&mut self, input: &mut Input<'_>) {
        match input.u8() % 6 {
            0 => {
                let (slot, index, flags) = (input.u8(), input.u16(), u64::from(input.u16()));
                // Bit 11 and below as they are; the others are the bits above the frame.
                let entry = flags & 0xfff | frame(input.u8()) << 12 | flags >> 12 << 60;
                self.write(slot, index % 512 * 8, &entry.to_le_bytes());
            }
            1 => {
                let (slot, index, entry) = (input.u8(), input.u16(), input.u64());
                self.write(slot, index % 512 * 8, &entry.to_le_bytes());
            }
            2 => {
                let (slot, offset, len) = (input.u8(), input.u16(), input.u8());
                self.write(slot, offset, input.take(len.into()));
            }
            3 => {
                let (offset, value) = (usize::from(input.u16()) % HEADER, input.u64());
                let end = (offset + 8).min(HEADER);
                self.file[offset..end].copy_from_slice(&value.to_le_bytes()[..end - offset]);
            }
            4 => {
                let indices = [input.u16(), input.u16(), input.u16(), input.u16()];
                let gva = address(indices, input.u16());
                self.ask(gva, input.u16());
            }
            _ => {
                let gva = input.u64();
                self.ask(gva, input.u16());
            }
        }
    }

    fn ask(&mut self, gva: u64, len: u16) {
        if self.asked.len() < MAX_ASKED {
            let len = usize::from(len % 0x4000);
            self.asked.push(Asked { gva, len });
        }
    }

    /// Writes into a page; what would go past its end goes nowhere.
    fn write(&mut self, slot: u8, offset: u16, bytes: &[u8]) {
        let offset = usize::from(offset) % PAGE;
        let len = bytes.len().min(PAGE - offset);
        let at = HEADER + usize::from(slot) % PRESENT.len() * PAGE + offset;
        self.file[at..at + len].copy_from_slice(&bytes[..len]);
    }

    fn put(&mut self, at: usize, value: u64) {
        self.file[at..at + 8].copy_from_slice(&value.to_le_bytes());
    }

    /// What an input may change.
    fn header(&mut self) {
        self.put(0x20, KERNEL + 0x1000);
        self.put(0x28, KERNEL + 0x1010);
        self.put(0x80, KERNEL + 0x1020);
    }

    /// What makes it the dump that [`frame`](Self::frame) tells of.
    fn identity(&mut self) {
        self.file[..8].copy_from_slice(b"PAGEDU64");
        self.put(0x10, PRESENT[0] << 12);
        self.file[0x30..0x34].copy_from_slice(&0x8664u32.to_le_bytes());
        self.put(0x88, RUNS.len() as u64);
        self.put(0x90, RUNS.iter().map(|&(_, count)| count).sum());
        for (number, (base, count)) in RUNS.into_iter().enumerate() {
            self.put(0x98 + number * 16, base);
            self.put(0xa0 + number * 16, count);
        }
        self.file[0xf98..0xf9c].copy_from_slice(&1u32.to_le_bytes());
    }
}

/// Where the header's lists are, if the input maps them.
pub const KERNEL: u64 = 0xffff_f800_0000_0000;

/// The frame that a target of an entry stands for.
fn frame(target: u8) -> u64 {
    let target = usize::from(target) % (PRESENT.len() + ABSENT.len());
    PRESENT.iter().chain(&ABSENT).copied().nth(target).unwrap_or(0)
}

/// The canonical address whose translation uses these entries, from the top table down.
#[must_use]
pub fn address(indices: [u16; 4], offset: u16) -> u64 {
    let low = indices
        .into_iter()
        .fold(0, |address, index| address << 9 | u64::from(index % 512))
        << 12
        | u64::from(offset % 0x1000);
    if low >> 47 == 0 { low } else { low | 0xffff << 48 }
}
