//! Names out of a dump may hold anything: they are attacker-controlled. Nothing in them may move the cursor,
//! reverse the reading order or hide.

use std::fmt::Write;

use icu_properties::props::{DefaultIgnorableCodePoint, GeneralCategory};
use icu_properties::{CodePointMapData, CodePointSetData};
use serde_json::Value as Json;

/// Text for a terminal: control characters and invisible or reordering ones are written as escapes.
pub fn text(text: &str) -> String {
    escape(text, |_| false)
}

/// The same, with line feeds kept.
pub fn lines(text: &str) -> String {
    escape(text, |c| c == '\n')
}

/// A record as compact JSON for people and programs alike: what is dangerous is written as JSON's own escapes, which
/// stand in its texts only.
pub fn json(record: &Json) -> String {
    let written = record.to_string();
    if !written.chars().any(is_dangerous) {
        return written;
    }
    let mut escaped = String::with_capacity(written.len());
    for c in written.chars() {
        if is_dangerous(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a string cannot fail.
                let _ = write!(escaped, "\\u{unit:04x}");
            }
        } else {
            escaped.push(c);
        }
    }
    escaped
}

/// A view that is laid out: the line feeds and tabs of its layout are kept. Names were escaped where they entered it.
pub fn laid_out(text: &str) -> String {
    escape(text, |c| matches!(c, '\n' | '\t'))
}

fn escape(text: &str, keep: impl Fn(char) -> bool) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if keep(c) || !is_dangerous(c) {
            escaped.push(c);
        } else if matches!(c, '\t' | '\r' | '\n') {
            escaped.extend(c.escape_default());
        } else {
            // Writing to a string cannot fail.
            let _ = write!(escaped, "\\u{{{:x}}}", u32::from(c));
        }
    }
    escaped
}

/// What acts on a terminal, changes the reading order, or is not seen: controls, formats and separators, everything
/// that Unicode says is to be shown as nothing (`Default_Ignorable_Code_Point`: fillers, joiners, variation
/// selectors, tags), and blanks that are not the plain one.
fn is_dangerous(c: char) -> bool {
    if matches!(c, ' '..='~') {
        return false;
    }
    // Why so much, when most names are ASCII: the object manager takes any 16-bit units but the back-slash in
    // the name of a port, and programs choose them. U+001B begins a terminal's commands, and U+009B is the same
    // as ESC [ to terminals that take 8-bit controls (ECMA-48). U+202E turns what follows around: with it
    // before `fdp.exe` a name looks as if it ended in `exe.pdf` (MITRE ATT&CK T1036.002). U+00A0 looks like the
    // blank that an exact name would need. And not all is told by the category: the Hangul fillers U+3164 and
    // U+115F are letters by it, and drawn as nothing, as the variation selectors from U+FE00 are, which are
    // marks (Unicode's DerivedCoreProperties.txt).
    let category = CodePointMapData::<GeneralCategory>::new().get(c);
    matches!(
        category,
        GeneralCategory::Control
            | GeneralCategory::Format
            | GeneralCategory::LineSeparator
            | GeneralCategory::ParagraphSeparator
            | GeneralCategory::SpaceSeparator
    ) || CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
        || c == BRAILLE_BLANK
}

/// A pattern of no dots. To Unicode it is a symbol like those with dots, and no property says that it is blank.
const BRAILLE_BLANK: char = '\u{2800}';

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_reaches_the_terminal_that_could_act_on_it() {
        assert_eq!(
            text("a\tb\u{1b}[31m\u{202e}c\0\u{9b}"),
            "a\\tb\\u{1b}[31m\\u{202e}c\\u{0}\\u{9b}"
        );
        assert_eq!(lines("a\nb\r"), "a\nb\\r");
    }

    /// Of each kind of the standard's table at least one, and both ends of those that are ranges.
    #[test]
    fn nothing_hides_in_a_name() {
        for hidden in "\u{80}\u{85}\u{9b}\u{9f}\u{7f}\u{ad}\u{34f}\u{61c}\u{115f}\u{1160}\u{17b4}\u{17b5}\u{180b}\u{180e}\
             \u{180f}\u{200b}\u{200f}\u{2028}\u{2029}\u{202a}\u{202e}\u{2060}\u{2064}\u{2065}\u{2066}\u{206f}\u{2800}\
             \u{3164}\u{fe00}\u{fe0f}\u{feff}\u{ffa0}\u{fff0}\u{fff8}\u{fff9}\u{fffb}\u{1bca0}\u{1d173}\u{e0001}\
             \u{e007f}\u{e0100}\u{e01ef}\u{e0fff}\u{a0}\u{1680}\u{2000}\u{200a}\u{202f}\u{205f}\u{3000}"
            .chars()
        {
            let shown = text(&format!("a{hidden}b"));
            assert_eq!(shown, format!("a\\u{{{:x}}}b", u32::from(hidden)));
        }
    }

    #[test]
    fn cells_of_json_hide_nothing_either() {
        let record =
            serde_json::json!({ "a\u{202e}": ["b\u{3164}", { "c": "\u{85}\"\u{7f}\u{e0001}" }], "d": 1 });
        let written = json(&record);
        assert_eq!(
            written,
            r#"{"a\u202e":["b\u3164",{"c":"\u0085\"\u007f\udb40\udc01"}],"d":1}"#
        );
        assert_eq!(serde_json::from_str::<Json>(&written).unwrap(), record);
    }

    #[test]
    fn ordinary_text_of_any_language_stays() {
        let plain = "svchost.exe café \"'%{} 電卓 😀 \\RPC Control\\x";
        assert_eq!(text(plain), plain);
    }
}
