//! The integer registers of x64, as far as they are known.

/// Numbers of registers as unwind data has them.
pub(crate) const RBX: u8 = 3;
pub(crate) const RSP: u8 = 4;
pub(crate) const RBP: u8 = 5;
pub(crate) const RSI: u8 = 6;
pub(crate) const RDI: u8 = 7;
pub(crate) const R12: u8 = 12;

/// The registers of a frame. Walking outwards, only those are known that a callee saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Registers {
    values: [u64; 16],
    known: u16,
    /// Where the frame goes on: Rip.
    pub pc: u64,
}

impl Registers {
    /// None known but the two that every frame has.
    #[must_use]
    pub fn at(pc: u64, sp: u64) -> Self {
        let mut registers = Self {
            pc,
            ..Self::default()
        };
        registers.set(RSP, sp);
        registers
    }

    /// A register by its number: rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8 to r15.
    #[must_use]
    pub fn get(&self, number: u8) -> Option<u64> {
        let is_known = self.known >> (number & 15) & 1 != 0;
        self.values.get(usize::from(number)).copied().filter(|_| is_known)
    }

    /// The stack pointer.
    #[must_use]
    pub fn sp(&self) -> u64 {
        self.get(RSP).unwrap_or_default()
    }

    /// Notes the value of a register.
    pub fn set(&mut self, number: u8, value: u64) {
        if let Some(place) = self.values.get_mut(usize::from(number)) {
            *place = value;
            self.known |= 1 << (number & 15);
        }
    }
}
