//! The page that `graph --format html` makes.

use std::io::Read;

use flate2::read::ZlibDecoder;
use serde_json::Value;

/// The nodes of a page, each with its view, as the page's own script finds it.
pub fn views(page: &str) -> Vec<(Value, Option<String>)> {
    let begin = page.find("data = ").unwrap() + "data = ".len();
    let line = page[begin..].lines().next().unwrap();
    let data: Value = serde_json::from_str(line.trim_end_matches(';')).unwrap();
    let blocks: Vec<String> = data["views"]["blocks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|block| unpacked(block.as_str().unwrap()))
        .collect();
    let all: Vec<&str> = blocks.iter().flat_map(|block| block.split('\0')).collect();
    let numbers = data["views"]["of"].as_array().unwrap();
    let dots = data["dots"].as_array().unwrap();
    assert_eq!(numbers.len(), dots.len());
    let view = |number: &Value| Some(all[usize::try_from(number.as_u64()?).unwrap()].to_owned());
    dots.iter().cloned().zip(numbers.iter().map(view)).collect()
}

fn unpacked(letters: &str) -> String {
    let value = |c: char| match c {
        'A'..='Z' => c as u32 - 'A' as u32,
        'a'..='z' => c as u32 - 'a' as u32 + 26,
        '0'..='9' => c as u32 - '0' as u32 + 52,
        '_' => 62,
        '\u{df}' => 63,
        other => panic!("{other:?}"),
    };
    let (mut bits, mut count, mut bytes) = (0, 0, Vec::new());
    for c in letters.chars() {
        bits = (bits << 6 | value(c)) & 0xffff;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count & 0xff) as u8);
        }
    }
    let mut text = String::new();
    ZlibDecoder::new(&bytes[..]).read_to_string(&mut text).unwrap();
    text
}
