//! The page of data that the kernel shares with every process.

use super::World;
use crate::address::Va;
use crate::bytes::{put_u16, put_u32, put_u64};

impl World {
    /// Writes `KUSER_SHARED_DATA`: `up_time` and `system_time` in 100 ns.
    pub(super) fn compile_shared_data(&mut self, up_time: u64, system_time: u64, product_type: u32) {
        let wide = self.pointer_size() == 8;
        let at = Va(if wide {
            0xffff_f780_0000_0000
        } else {
            0xffff_ffff_ffdf_0000
        });
        let [major, minor, build, _] = self.kernel.version();
        let mut page = vec![0u8; 0x400];
        put_u32(&mut page, 0x4, 0x0fa0_0000);
        put_time(&mut page, 0x8, up_time);
        put_time(&mut page, 0x14, system_time);
        let machine = self.kernel.machine().number();
        put_u16(&mut page, 0x2c, machine);
        put_u16(&mut page, 0x2e, machine);
        for (i, unit) in "C:\\Windows".encode_utf16().enumerate() {
            put_u16(&mut page, 0x30 + 2 * i, unit);
        }
        if build >= 10240 {
            put_u32(&mut page, 0x260, build);
        }
        put_u32(&mut page, 0x264, product_type);
        page[0x268] = 1;
        put_u32(&mut page, 0x26c, major);
        put_u32(&mut page, 0x270, minor);
        put_u64(&mut page, 0x320, self.truth.tick_count);
        self.memory.touch(at, 1);
        self.memory.write(at, &page);
    }
}

/// `KSYSTEM_TIME`: low part, then the high part twice.
fn put_time(page: &mut [u8], at: usize, value: u64) {
    put_u64(page, at, value);
    let high = u32::try_from(value >> 32).expect("32 bits");
    put_u32(page, at + 8, high);
}
