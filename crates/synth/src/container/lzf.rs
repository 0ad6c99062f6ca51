//! LZF, as liblzf packs: by what its own unpacker takes.

use std::collections::HashMap;

use crate::bytes::low32;

/// The longest copy, and how far back it may begin.
const LONGEST: usize = 264;
const FARTHEST: usize = 0x2000;
/// The most literal bytes behind one control byte.
const LITERAL: usize = 32;

/// Packs bytes: copies of three bytes and more from the last place that had these three.
#[must_use]
pub fn lzf(plain: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut seen: HashMap<&[u8], usize> = HashMap::new();
    // Where the bytes begin that are not written yet.
    let mut open = 0;
    let mut at = 0;
    while at < plain.len() {
        let three = plain.get(at..at + 3);
        let before = three
            .and_then(|three| seen.insert(three, at))
            .filter(|&before| at - before <= FARTHEST);
        let Some(before) = before else {
            at += 1;
            continue;
        };
        let same = |by: &usize| at + by < plain.len() && plain[before + by] == plain[at + by];
        let len = (0..LONGEST).take_while(same).count();
        literals(&mut out, &plain[open..at]);
        let [low, high, ..] = low32((at - before - 1).try_into().expect("small")).to_le_bytes();
        let byte = |number: usize| u8::try_from(number).expect("at most 262, and 7 less");
        match len - 2 {
            short @ 0..7 => out.push(byte(short) << 5 | high),
            long => out.extend([7 << 5 | high, byte(long - 7)]),
        }
        out.push(low);
        for passed in at + 1..at + len {
            if let Some(three) = plain.get(passed..passed + 3) {
                seen.insert(three, passed);
            }
        }
        at += len;
        open = at;
    }
    literals(&mut out, &plain[open..]);
    out
}

fn literals(out: &mut Vec<u8>, bytes: &[u8]) {
    for part in bytes.chunks(LITERAL) {
        out.push(u8::try_from(part.len() - 1).expect("at most 32"));
        out.extend(part);
    }
}
