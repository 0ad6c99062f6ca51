//! The views of a drawing's nodes, packed so that thousands of them fit into one page.
//!
//! Views of one kind differ in little but addresses, so together they shrink to a fraction. They are packed in blocks:
//! whoever looks at one node unpacks one block. The most important ones come first, and when the room is used up, the
//! rest are left out; the page says so where one of them is missing.

use std::io::{self, Write as _};

use flate2::Compression;
use flate2::write::ZlibEncoder;
use serde::Serialize;

/// Bytes of views that are packed together.
const BLOCK: usize = 128 << 10;

/// What a single view may have; of a longer one the beginning is kept.
const LONGEST: usize = 64 << 10;

/// What stands between two views. Control characters are escaped in a view, so it is in none.
const BETWEEN: char = '\0';

/// Packed views.
#[derive(Debug, Default, Serialize)]
pub struct Views {
    /// The blocks: zlib's format, in letters.
    blocks: Vec<String>,
    /// The number of the first view of each block.
    firsts: Vec<usize>,
    /// By dot: the number of its view; none where it has none, or there was no room.
    of: Vec<Option<usize>>,
    /// Views that there was no room for.
    left_out: usize,
}

impl Views {
    /// Packs views into `room` bytes: those of the dots in `order`, each made by `view` when its turn comes.
    pub fn pack(
        dots: usize,
        order: &[usize],
        room: usize,
        mut view: impl FnMut(usize) -> String,
    ) -> io::Result<Self> {
        let mut views = Self {
            of: vec![None; dots],
            ..Self::default()
        };
        let (mut used, mut next) = (0, 0);
        let mut waiting = order.iter().copied().peekable();
        while waiting.peek().is_some() {
            let (mut text, mut members) = (String::new(), Vec::new());
            while text.len() < BLOCK
                && let Some(dot) = waiting.next()
            {
                if !members.is_empty() {
                    text.push(BETWEEN);
                }
                let view = view(dot);
                let kept = cut(&view);
                text.push_str(kept);
                if kept.len() < view.len() {
                    text.push_str("\n... the beginning only: the command above shows all\n");
                }
                members.push(dot);
            }
            let block = packed(&text)?;
            if used + block.len() > room {
                break;
            }
            used += block.len();
            views.firsts.push(next);
            views.blocks.push(block);
            for dot in members {
                views.of[dot] = Some(next);
                next += 1;
            }
        }
        views.left_out = order.len() - next;
        Ok(views)
    }
}

fn cut(view: &str) -> &str {
    let end = (0..=LONGEST.min(view.len()))
        .rev()
        .find(|&end| view.is_char_boundary(end));
    &view[..end.unwrap_or(0)]
}

fn packed(text: &str) -> io::Result<String> {
    // With zlib's head: browsers take that for "deflate", and the bare stream for "deflate-raw" (Compression
    // Streams).
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(text.as_bytes())?;
    Ok(letters(&encoder.finish()?))
}

/// Base64 whose every sign is part of a word: what replaces words and addresses in the finished page finds none in
/// a block.
fn letters(bytes: &[u8]) -> String {
    const SIGNS: &[u8; 63] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";
    const LAST: char = '\u{df}';
    let sign = |six: u32| SIGNS.get(six as usize).map_or(LAST, |&sign| char::from(sign));
    let mut text = String::with_capacity(bytes.len() / 3 * 4 + 4);
    for three in bytes.chunks(3) {
        let bits = (0..3).fold(0, |bits, at| {
            bits << 8 | u32::from(three.get(at).copied().unwrap_or(0))
        });
        text.extend((0..=three.len()).map(|at| sign(bits >> (18 - 6 * at) & 63)));
    }
    text
}

/// Base64 as everybody writes it (RFC 4648).
pub fn base64(bytes: &[u8]) -> String {
    let mut text: String = letters(bytes)
        .chars()
        .map(|sign| match sign {
            '_' => '+',
            '\u{df}' => '/',
            other => other,
        })
        .collect();
    while !text.len().is_multiple_of(4) {
        text.push('=');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sign_is_part_of_a_word() {
        let bytes: Vec<u8> = (0..=255).chain([0xff, 0xff, 0xfb, 0xef]).collect();
        let text = letters(&bytes);
        assert!(text.chars().all(|c| c.is_alphanumeric() || c == '_'), "{text}");
        // The example of RFC 4648.
        assert_eq!(letters(b"foobar"), "Zm9vYmFy");
        assert_eq!(letters(b"fooba"), "Zm9vYmE");
        assert_eq!(letters(&[0xfb, 0xff]), "_\u{df}8");
    }

    #[test]
    fn what_there_is_no_room_for_is_counted() {
        let order: Vec<usize> = (0..10).rev().collect();
        let all = Views::pack(12, &order, 1 << 20, |dot| format!("view {dot}")).unwrap();
        assert_eq!((all.left_out, all.blocks.len()), (0, 1));
        assert_eq!((all.of[9], all.of[0], all.of[11]), (Some(0), Some(9), None));
        let none = Views::pack(12, &order, 4, |dot| format!("view {dot}")).unwrap();
        assert_eq!((none.left_out, none.blocks.len()), (10, 0));
        assert!(none.of.iter().all(Option::is_none));
    }

    #[test]
    fn a_block_holds_views_until_it_is_full() {
        let order: Vec<usize> = (0..10).collect();
        let views = Views::pack(10, &order, 1 << 20, |_| "x".repeat(LONGEST)).unwrap();
        assert_eq!(views.firsts, [0, 2, 4, 6, 8]);
    }

    #[test]
    fn a_cut_view_ends_at_a_character() {
        let long = "\u{20ac}".repeat(LONGEST);
        assert_eq!(cut(&long).len(), LONGEST / 3 * 3);
        assert_eq!(cut("short"), "short");
    }
}
