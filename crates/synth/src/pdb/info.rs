//! The PDB information stream (1): identity, named streams, features.
//!
//! Source: LLVM's `PDB/PdbStream` document.

use super::hash;
use super::out::{Out, len32};

const VERSION_70: u32 = 20_000_404;

/// The feature that says that stream 4 holds ids.
const FEATURE_VC140: u32 = 20_140_508;

/// Identity of a PDB, as the RSDS record of its image repeats it.
pub(super) struct Identity {
    pub(super) signature: u32,
    pub(super) age: u32,
    pub(super) guid: [u8; 16],
}

/// The stream; `named` are names and numbers of the named streams.
pub(super) fn write(identity: &Identity, named: &[(&str, u16)]) -> Vec<u8> {
    let mut out = Vec::new();
    out.u32(VERSION_70);
    out.u32(identity.signature);
    out.u32(identity.age);
    out.extend(identity.guid);
    let mut names = Vec::new();
    let mut entries = Vec::new();
    for (name, stream) in named {
        // The map hashes to 16 bits before it chooses a slot.
        let hash = hash::of_name(name) & 0xffff;
        entries.push((hash, len32(names.len()), u32::from(*stream)));
        names.zstr(name);
    }
    out.u32(len32(names.len()));
    out.extend(names);
    out.extend(hash::table(&entries));
    out.u32(0); // number of name indexes, unused since version 7
    out.u32(FEATURE_VC140);
    out
}
