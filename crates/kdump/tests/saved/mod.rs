//! A machine whose memory was saved, and what must come out of the files it was saved in.
#![allow(dead_code, missing_docs, clippy::cast_possible_truncation)]

use kdump::{Dump, Gpa, OpenError, Pfn};
use synth::container::{Machine, Registers};
use synth::physical::PhysicalMemory;
use synth::worlds;

/// A world's memory, and the tables of its kernel.
pub struct World {
    pub memory: PhysicalMemory,
    pub processors: [Registers; 1],
}

impl World {
    /// The memory of a kernel, which is small, and of a machine of some megabytes around it: pages that pack well,
    /// hardly, not at all.
    pub fn new(kernel: &str) -> World {
        let mut world = World::small(kernel);
        let memory = &mut world.memory;
        let behind = memory.frames().last().unwrap().0.0 + 0x33;
        let mut state = 0x1234_5678_u32;
        for frame in behind..behind + 1100 {
            let page = memory.frame_mut(synth::address::Pfn(frame));
            for (at, byte) in page.iter_mut().enumerate() {
                state = state.wrapping_mul(0x0019_660d).wrapping_add(0x3c6e_f35f);
                *byte = match frame % 5 {
                    0 => (state >> 24) as u8,
                    1 => (at % 8) as u8 ^ (frame / 7) as u8,
                    2 => 0,
                    3 => (state >> 29) as u8,
                    _ => (at / 64) as u8 ^ frame as u8,
                };
            }
        }
        world
    }

    /// The memory of a kernel alone.
    pub fn small(kernel: &str) -> World {
        let built = worlds::standard(kernel);
        World {
            processors: [Registers {
                cr3: built.header.directory_table_base,
                ..Registers::default()
            }],
            memory: built.map().memory.clone(),
        }
    }

    pub fn machine(&self) -> Machine<'_> {
        Machine {
            memory: &self.memory,
            processors: &self.processors,
        }
    }

    /// How many frames can be read of a file, all of which must hold what they should.
    pub fn readable(&self, dump: &Dump) -> usize {
        let mut readable = 0;
        for (frame, page) in self.memory.frames() {
            let mut bytes = [0; 0x1000];
            let read = dump.read_physical(Gpa::new(frame.address()), &mut bytes);
            let placed = dump.frame(Pfn::from(frame.0));
            match read {
                Ok(()) => {
                    assert!(bytes == *page, "frame {:#x}", frame.0);
                    readable += 1;
                }
                // What was packed is known to be damaged only when it is unpacked.
                Err(error) => assert!(
                    placed.is_err() || error.to_string().contains("damaged"),
                    "{error}"
                ),
            }
        }
        readable
    }

    /// What a file gives: how many frames, and the ids of notes; or the error with its words.
    pub fn open(&self, name: &str, bytes: Vec<u8>) -> Result<(usize, Vec<&'static str>), OpenError> {
        let dump = Dump::from_bytes(name, bytes)?;
        let notes = dump.notes().iter().map(|note| note.id).collect();
        Ok((self.readable(&dump), notes))
    }

    pub fn all(&self, name: &str, bytes: Vec<u8>) -> Vec<&'static str> {
        let (readable, notes) = self.open(name, bytes).unwrap();
        assert_eq!(readable, self.memory.len(), "{name}: {notes:?}");
        notes
    }

    pub fn refused(&self, name: &str, bytes: Vec<u8>, words: &[&str]) {
        let error = self.open(name, bytes).map(|(readable, _)| readable).unwrap_err();
        let text = error.to_string();
        for word in words {
            assert!(text.contains(word), "{word}: {text}");
        }
    }
}

pub const X64: &str = "win10-2004-x64";

pub fn put(bytes: &mut [u8], at: usize, with: &[u8]) {
    bytes[at..at + with.len()].copy_from_slice(with);
}
