//! Compressors of XPRESS, as MS-XCA 2.1 (LZ77+Huffman) and 2.3 (plain LZ77) describe them.

use crate::bytes::{put, put_u16, put_u32};

/// A byte, or bytes that stood before.
enum Token {
    Literal(u8),
    Match { distance: usize, len: usize },
}

/// Greedy: at each place the last one whose three bytes were the same.
fn tokens(data: &[u8], window: usize) -> Vec<Token> {
    let mut last = std::collections::HashMap::new();
    let mut out = Vec::new();
    let mut at = 0;
    while at < data.len() {
        let before = data
            .get(at..at + 3)
            .and_then(|three| last.insert(three, at))
            .filter(|before| at - before <= window);
        match before {
            Some(before) => {
                let same = |len: &usize| at + len < data.len() && data[before + len] == data[at + len];
                let len = (3..).find(|len| !same(len)).expect("the data ends");
                out.push(Token::Match {
                    distance: at - before,
                    len,
                });
                at += len;
            }
            None => {
                out.push(Token::Literal(data[at]));
                at += 1;
            }
        }
    }
    out
}

/// Plain LZ77.
#[must_use]
pub fn plain_lz77(data: &[u8]) -> Vec<u8> {
    let mut out = vec![0; 4];
    let (mut flags_at, mut flags, mut count) = (0, 0_u32, 0);
    let mut half_at = None;
    for token in tokens(data, 0x2000) {
        flags <<= 1;
        match token {
            Token::Literal(byte) => out.push(byte),
            Token::Match { distance, len } => {
                flags |= 1;
                let mut rest = len - 3;
                let word = (distance - 1) << 3 | rest.min(7);
                out.extend(u16::try_from(word).expect("13 and 3 bits").to_le_bytes());
                if rest >= 7 {
                    rest -= 7;
                    let half = u8::try_from(rest.min(15)).expect("four bits");
                    match half_at.take() {
                        None => {
                            half_at = Some(out.len());
                            out.push(half);
                        }
                        Some(at) => out[at] |= half << 4,
                    }
                    if rest >= 15 {
                        long(&mut out, rest - 15, 15 + 7);
                    }
                }
            }
        }
        count += 1;
        // A full word is followed by another one, even at the end.
        if count == 32 {
            put_u32(&mut out, flags_at, flags);
            (flags_at, flags, count) = (out.len(), 0, 0);
            out.extend([0; 4]);
        }
    }
    let rest = 32 - count;
    let flags = (u64::from(flags) << rest) | ((1 << rest) - 1);
    put_u32(&mut out, flags_at, u32::try_from(flags).expect("32 bits"));
    out
}

/// A length that does not fit its field: in a byte, two or four, the latter from zero on.
fn long(out: &mut Vec<u8>, rest: usize, taken: usize) {
    match u8::try_from(rest) {
        Ok(rest) if rest != 255 => out.push(rest),
        _ => {
            out.push(255);
            match u16::try_from(rest + taken) {
                Ok(whole) => out.extend(whole.to_le_bytes()),
                Err(_) => {
                    out.extend([0, 0]);
                    out.extend(u32::try_from(rest + taken).expect("few bytes").to_le_bytes());
                }
            }
        }
    }
}

const END: usize = 0x100;

/// LZ77 with Huffman codes, of at most 64 KiB.
///
/// # Panics
/// Where the data is longer.
#[must_use]
pub fn huffman(data: &[u8]) -> Vec<u8> {
    assert!(data.len() <= 0x1_0000, "one chunk");
    let tokens = tokens(data, 0xffff);
    let symbol = |token: &Token| match *token {
        Token::Literal(byte) => usize::from(byte),
        Token::Match { distance, len } => {
            0x100 + (len - 3).min(15) + 16 * usize::try_from(distance.ilog2()).expect("few bits")
        }
    };
    let mut counts = [0_u64; 0x200];
    for token in &tokens {
        counts[symbol(token)] += 1;
    }
    counts[END] += 1;
    let lengths = lengths(counts);
    let codes = codes(&lengths);
    let mut out: Vec<u8> = lengths
        .chunks(2)
        .map(|pair| u8::try_from(pair[0] | pair[1] << 4).expect("two halves"))
        .collect();
    let mut bits = Bits {
        first: out.len(),
        second: out.len() + 2,
        word: 0,
        free: 16,
    };
    out.extend([0; 4]);
    for token in &tokens {
        let symbol = symbol(token);
        bits.write(&mut out, lengths[symbol], codes[symbol]);
        if let Token::Match { distance, len } = *token {
            if len - 3 >= 15 {
                long(&mut out, len - 3 - 15, 15);
            }
            let high = distance.ilog2();
            let low = u32::try_from(distance).expect("16 bits") - (1 << high);
            bits.write(&mut out, high, low);
        }
    }
    bits.write(&mut out, lengths[END], codes[END]);
    bits.flush(&mut out);
    out
}

/// Lengths of codes by how often each is wanted: at most 15 bits.
fn lengths(mut counts: [u64; 0x200]) -> [u32; 0x200] {
    loop {
        let mut trees: Vec<(u64, Vec<usize>)> = (0..counts.len())
            .filter(|&symbol| counts[symbol] != 0)
            .map(|symbol| (counts[symbol], vec![symbol]))
            .collect();
        let mut lengths = [0; 0x200];
        while trees.len() > 1 {
            trees.sort_by_key(|tree| std::cmp::Reverse(tree.0));
            let (a, b) = (trees.pop().expect("two"), trees.pop().expect("two"));
            let symbols: Vec<usize> = a.1.into_iter().chain(b.1).collect();
            for &symbol in &symbols {
                lengths[symbol] += 1;
            }
            trees.push((a.0 + b.0, symbols));
        }
        if lengths.iter().all(|&length| length <= 15) {
            return lengths;
        }
        for count in counts.iter_mut().filter(|count| **count != 0) {
            *count = *count / 2 + 1;
        }
    }
}

/// Codes of these lengths, in the order of the lengths, then of the symbols.
fn codes(lengths: &[u32; 0x200]) -> [u32; 0x200] {
    let mut codes = [0; 0x200];
    let mut next = 0;
    for length in 1..=15 {
        next <<= 1;
        for symbol in (0..0x200).filter(|&symbol| lengths[symbol] == length) {
            codes[symbol] = next;
            next += 1;
        }
    }
    codes
}

/// Words of 16 bits, two of which are always kept free for bits to come.
struct Bits {
    first: usize,
    second: usize,
    word: u32,
    free: u32,
}

impl Bits {
    fn write(&mut self, out: &mut Vec<u8>, count: u32, bits: u32) {
        if count <= self.free {
            self.free -= count;
            self.word = self.word << count | bits;
            return;
        }
        let over = count - self.free;
        let full = self.word << self.free | bits >> over;
        put_u16(out, self.first, u16::try_from(full).expect("16 bits"));
        (self.first, self.second) = (self.second, out.len());
        out.extend([0; 2]);
        self.word = bits & ((1 << over) - 1);
        self.free = 16 - over;
    }

    fn flush(self, out: &mut [u8]) {
        let word = u16::try_from(self.word << self.free).expect("16 bits");
        put_u16(out, self.first, word);
        put(out, self.second, &[0; 2]);
    }
}
