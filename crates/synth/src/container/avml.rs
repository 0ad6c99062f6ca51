//! AVML images, by microsoft/avml's src/image.rs and Google's framing_format.txt.

use super::Machine;
use super::diskdump::snappy;
use crate::address::{PAGE_SIZE, Pfn};
use crate::bytes::{count, index};

/// The memory of a machine in blocks of at most 16 MiB; every third run is one of LiME, not compressed.
#[must_use]
pub fn image(machine: Machine<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    for (number, run) in machine.memory.runs().into_iter().enumerate() {
        let mut at = run.base.0;
        while at < run.end().0 {
            let end = run.end().0.min(at + 0x1000);
            let memory: Vec<u8> = (at..end)
                .flat_map(|frame| machine.memory.frame(Pfn(frame)).expect("it is there"))
                .copied()
                .collect();
            let mixed = number % 3 == 2;
            out.extend_from_slice(if mixed {
                b"EMiL\x01\0\0\0"
            } else {
                b"AVML\x02\0\0\0"
            });
            out.extend((at * PAGE_SIZE).to_le_bytes());
            out.extend((end * PAGE_SIZE - 1).to_le_bytes());
            out.extend([0; 8]);
            if mixed {
                out.extend(memory);
            } else {
                let stream = frames(&memory);
                out.extend(&stream);
                out.extend(count(stream.len()).to_le_bytes());
            }
            at = end;
        }
    }
    out
}

/// A stream of Snappy's frames: chunks of 64 KiB, every second not compressed.
fn frames(memory: &[u8]) -> Vec<u8> {
    let mut out = b"\xff\x06\0\0sNaPpY".to_vec();
    for (number, plain) in memory.chunks(0x1_0000).enumerate() {
        let (kind, body) = match number % 2 {
            0 => (0, snappy(plain)),
            _ => (1, plain.to_vec()),
        };
        let len = u32::try_from(4 + body.len()).expect("a chunk");
        out.push(kind);
        out.extend(&len.to_le_bytes()[..3]);
        let crc = crc32c(plain);
        out.extend((crc.rotate_right(15).wrapping_add(0xa282_ead8)).to_le_bytes());
        out.extend(body);
    }
    out
}

/// CRC-32C (Castagnoli), bit by bit through a small table.
fn crc32c(bytes: &[u8]) -> u32 {
    let table: Vec<u32> = (0..256_u32)
        .map(|byte| {
            (0..8).fold(byte, |crc, _| {
                crc >> 1 ^ if crc & 1 != 0 { 0x82f6_3b78 } else { 0 }
            })
        })
        .collect();
    !bytes.iter().fold(!0, |crc, &byte| {
        crc >> 8 ^ table[index(u64::from((crc ^ u32::from(byte)) & 0xff))]
    })
}
