//! States of VMware machines, with the memory beside them or inside.

use super::{Machine, Registers};
use crate::address::PAGE_SIZE;
use crate::bytes::{count, put, put_u32, put_u64};
use crate::physical::Run;

/// A suspended machine: the memory file (`.vmem`), and the state (`.vmss`) that says where its regions lie.
///
/// The regions are packed without gaps in the memory file, in an order that is not theirs.
#[must_use]
pub fn suspended(machine: Machine<'_>, regions: &[Run]) -> (Vec<u8>, Vec<u8>) {
    let mut memory = Vec::new();
    let mut tags = Vec::new();
    tag(&mut tags, "align_mask", &[], &0xffff_u32.to_le_bytes());
    tag(&mut tags, "regionsCount", &[], &u32_of(count(regions.len())));
    for (number, region) in regions.iter().enumerate().rev() {
        let at = count(memory.len()) / PAGE_SIZE;
        let number = u32::try_from(number).expect("few");
        tag(&mut tags, "regionPPN", &[number], &u32_of(region.base.0));
        tag(&mut tags, "regionPageNum", &[number], &u32_of(at));
        tag(&mut tags, "regionSize", &[number], &u32_of(region.count));
        for frame in region.base.0..region.end().0 {
            match machine.memory.frame(crate::address::Pfn(frame)) {
                Some(page) => memory.extend_from_slice(page),
                None => memory.resize(memory.len() + 0x1000, 0),
            }
        }
    }
    (state(machine.processors, tags), memory)
}

/// A snapshot with the memory inside, as one region from address 0 on.
#[must_use]
pub fn with_memory(machine: Machine<'_>) -> Vec<u8> {
    let mut tags = Vec::new();
    block(&mut tags, "Memory", &[0, 0], &super::raw::raw(machine), 0x35);
    state(machine.processors, tags)
}

fn u32_of(value: u64) -> [u8; 4] {
    u32::try_from(value)
        .expect("machines of tests are small")
        .to_le_bytes()
}

/// Header, groups `Checkpoint`, `cpu` and `memory`.
fn state(processors: &[Registers], memory: Vec<u8>) -> Vec<u8> {
    let mut registers = Vec::new();
    tag(&mut registers, "numVCPUs", &[], &u32_of(count(processors.len())));
    for (number, processor) in processors.iter().enumerate() {
        let number = u32::try_from(number).expect("few");
        if number % 2 == 0 {
            let [rax, rcx, rdx, rbx, rsp, rbp, rest @ ..] = processor.integers;
            let values: Vec<u8> = [rax, rcx, rdx, rbx, rbp, rsp]
                .into_iter()
                .chain(rest)
                .flat_map(u64::to_le_bytes)
                .collect();
            block(&mut registers, "gpregs", &[number], &values, 0);
            let mut control = vec![0; 72];
            put_u64(&mut control, 24, processor.cr3);
            put_u64(&mut control, 32, processor.cr4);
            block(&mut registers, "CR64", &[number], &control, 5);
            let mut idt = 0xfff_u16.to_le_bytes().to_vec();
            idt.extend(processor.idt.to_le_bytes());
            block(&mut registers, "IDTR", &[number], &idt, 0);
        } else {
            for (register, value) in [(3, processor.cr3), (4, processor.cr4)] {
                tag(&mut registers, "CR64", &[number, register], &value.to_le_bytes());
            }
            let halves = [processor.idt & 0xffff_ffff, processor.idt >> 32];
            for (half, value) in [1, 2].into_iter().zip(halves) {
                tag(&mut registers, "IDTR", &[number, half], &u32_of(value));
            }
        }
        tag(&mut registers, "rip", &[number], &processor.rip.to_le_bytes());
    }
    let mut checkpoint = Vec::new();
    tag(&mut checkpoint, "fileversion", &[], &2_u32.to_le_bytes());
    let groups = [("Checkpoint", checkpoint), ("cpu", registers), ("memory", memory)];
    let mut out = vec![0; 12 + 80 * groups.len()];
    put_u32(&mut out, 0, 0xbed2_bed2);
    put_u32(&mut out, 4, 8);
    put_u32(&mut out, 8, u32::try_from(groups.len()).expect("three"));
    for (number, (name, mut tags)) in groups.into_iter().enumerate() {
        let at = 12 + 80 * number;
        tags.extend([0, 0]);
        let place = count(out.len());
        put(&mut out, at, name.as_bytes());
        put_u64(&mut out, at + 0x40, place);
        put_u64(&mut out, at + 0x48, count(tags.len()));
        out.extend(tags);
    }
    out
}

fn head(out: &mut Vec<u8>, name: &str, indices: &[u32], kind: u8) {
    let indexed = u8::try_from(indices.len()).expect("at most three") << 6;
    out.push(indexed | kind);
    out.push(u8::try_from(name.len()).expect("short"));
    out.extend(name.as_bytes());
    out.extend(indices.iter().flat_map(|index| index.to_le_bytes()));
}

fn tag(out: &mut Vec<u8>, name: &str, indices: &[u32], data: &[u8]) {
    head(out, name, indices, u8::try_from(data.len()).expect("short"));
    out.extend_from_slice(data);
}

fn block(out: &mut Vec<u8>, name: &str, indices: &[u32], data: &[u8], padding: u16) {
    head(out, name, indices, 0x3f);
    out.extend(count(data.len()).to_le_bytes());
    out.extend(count(data.len()).to_le_bytes());
    out.extend(padding.to_le_bytes());
    out.resize(out.len() + usize::from(padding), 0xaa);
    out.extend_from_slice(data);
}
