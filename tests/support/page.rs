//! The page that `graph --format html` makes.

use std::io::Read;

use flate2::read::ZlibDecoder;
use serde_json::Value;

/// The nodes of a page, each with its view, as the page's own script finds it.
pub fn views(page: &str) -> Vec<(Value, Option<String>)> {
    let data = data(page);
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

/// What the page's script reads.
pub fn data(page: &str) -> Value {
    let (_, data) = page
        .split_once("<script type=\"application/json\" id=\"data\">")
        .unwrap();
    serde_json::from_str(data.split_once("</script>").unwrap().0).unwrap()
}

/// The elements that a page has by itself.
const ELEMENTS: [&str; 37] = [
    "aside", "b", "body", "button", "code", "details", "div", "g", "h1", "h2", "h3", "head", "header",
    "html", "input", "label", "li", "main", "meta", "ol", "option", "p", "path", "pre", "rect", "script",
    "section", "select", "span", "style", "summary", "svg", "text", "title", "figure", "nav", "a",
];

/// Holds that no name of a dump is markup: the page has no elements but those of its own, and none with an attribute that
/// does something.
#[track_caller]
pub fn check_markup(page: &str) {
    let mut rest = page.strip_prefix("<!doctype html>").unwrap();
    let (mut scripts, mut opened) = (0, 0_i64);
    while let Some((text, tag)) = rest.split_once('<') {
        assert!(!text.contains('>'), "{text}");
        let (tag, behind) = tag.split_once('>').unwrap();
        rest = behind;
        let name = tag.split([' ', '/']).find(|part| !part.is_empty()).unwrap();
        assert!(ELEMENTS.contains(&name), "<{tag}>");
        opened += match tag {
            _ if tag.starts_with('/') => -1,
            _ if tag.ends_with('/') || matches!(name, "meta" | "input") => 0,
            _ => 1,
        };
        for (number, part) in tag.split('"').enumerate() {
            let attribute = part.trim().trim_end_matches('=');
            let attribute = attribute.strip_prefix(name).unwrap_or(attribute).trim();
            let harmless = number % 2 == 1
                || !(attribute.starts_with("on") || matches!(attribute, "style" | "src" | "xlink:href"));
            assert!(harmless, "<{tag}>");
        }
        if matches!(tag.split(' ').next(), Some("script" | "style")) {
            scripts += usize::from(name == "script");
            rest = rest.split_once(&format!("</{name}")).unwrap().1;
            rest = rest.split_once('>').unwrap().1;
            opened -= 1;
        }
    }
    assert!(scripts <= 2, "{scripts} scripts");
    assert!(opened.abs() <= 1, "{opened} elements are open");
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

/// Base64 (RFC 4648).
pub fn base64(bytes: &[u8]) -> String {
    const SIGNS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let groups = bytes.chunks(3).map(|three| {
        let word = three
            .iter()
            .fold(0_u32, |word, &byte| word << 8 | u32::from(byte));
        let word = word << (8 * (3 - three.len()));
        let sign = |at: usize| match at {
            at if at > three.len() => '=',
            at => char::from(SIGNS[(word >> (18 - 6 * at) & 63) as usize]),
        };
        (0..4).map(sign).collect::<String>()
    });
    groups.collect()
}
