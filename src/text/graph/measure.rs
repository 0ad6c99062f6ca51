//! How much room text takes in a picture, which is laid out where no font is at hand.

/// Widths of the signs from blank to tilde, in thousandths of the font's size: of Liberation Sans, which is as wide as
/// Arial and Helvetica.
const WIDTHS: [usize; 95] = [
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556, 556, 556,
    556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667, 611, 778, 722, 278,
    500, 667, 556, 833, 722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469,
    556, 333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556, 556, 556, 333, 500,
    278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584,
];

/// What any other sign takes: those of Chinese, Japanese and Korean are as wide as high.
const WIDE: usize = 1_000;

/// How much wider the fonts of other systems may be, in hundredths.
const SPARE: usize = 108;

/// How much wider bold signs are, in hundredths.
const BOLD: usize = 108;

/// Letters of one size and weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Font {
    /// Their size in pixels.
    pub size: usize,
    /// Whether they are bold.
    pub bold: bool,
}

impl Font {
    /// The pixels that a text takes at most.
    pub fn width(self, text: &str) -> usize {
        let units = text.chars().map(sign).sum::<usize>();
        let weight = if self.bold { BOLD } else { 100 };
        (units * self.size * SPARE * weight).div_ceil(1_000 * 100 * 100)
    }

    /// The text in lines of so many pixels, at most so many; the last one says by dots that there is more.
    pub fn lines(self, text: &str, room: usize, most: usize) -> Vec<String> {
        let mut lines = Vec::new();
        let mut rest = text.trim();
        while !rest.is_empty() && lines.len() < most {
            if lines.len() + 1 == most {
                lines.push(self.cut(rest, room));
                break;
            }
            let (line, behind) = self.split(rest, room);
            lines.push(line.trim_end().to_owned());
            rest = behind.trim_start();
        }
        lines
    }

    /// The beginning of a text, with dots where it does not fit.
    pub fn cut(self, text: &str, room: usize) -> String {
        const DOTS: &str = "...";
        if self.width(text) <= room {
            return text.to_owned();
        }
        let end = self.fitting(text, room.saturating_sub(self.width(DOTS)));
        format!("{}{DOTS}", text[..end].trim_end())
    }

    /// The first line of a text and what is behind it, broken at a blank where there is one, else behind a sign that
    /// parts of names end with, else anywhere.
    fn split(self, text: &str, room: usize) -> (&str, &str) {
        let first = text.chars().next().map_or(0, char::len_utf8);
        let end = self.fitting(text, room).max(first);
        if end == text.len() {
            return (text, "");
        }
        let head = &text[..end];
        let blank = head
            .rfind(' ')
            .or_else(|| text[end..].starts_with(' ').then_some(end));
        let sign = || head.rfind(['\\', '/', '-', '_', '.', ':']).map(|at| at + 1);
        let at = blank
            .filter(|&at| at > 0)
            .or_else(|| sign().filter(|&at| at * 2 > end))
            .unwrap_or(end);
        text.split_at(at)
    }

    /// The bytes of a text that fit.
    fn fitting(self, text: &str, room: usize) -> usize {
        let ends = text.char_indices().map(|(at, c)| at + c.len_utf8());
        let mut fitting = 0;
        for end in ends {
            if self.width(&text[..end]) > room {
                break;
            }
            fitting = end;
        }
        fitting
    }
}

fn sign(c: char) -> usize {
    let number = u32::from(c).checked_sub(u32::from(' '));
    let number = number.and_then(|number| usize::try_from(number).ok());
    number
        .and_then(|number| WIDTHS.get(number))
        .copied()
        .unwrap_or(WIDE)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Font = Font {
        size: 12,
        bold: false,
    };

    /// The advance widths of the font itself: 8 digits of 556 and 3 of `:`, `d` and a blank.
    #[test]
    fn a_text_is_as_wide_as_its_signs() {
        assert_eq!(PLAIN.width(""), 0);
        assert_eq!(PLAIN.width("0"), (556 * 12 * 108_usize).div_ceil(100_000));
        assert!(PLAIN.width("\u{4e2d}") >= 12);
    }

    #[test]
    fn lines_fit_and_say_that_there_is_more() {
        let text = "ROpenServiceW (svcctl 16) at \\RPC Control\\a-very-long-name-without-any-blank-in-it";
        for most in 1..6 {
            let lines = PLAIN.lines(text, 120, most);
            assert!(
                lines
                    .iter()
                    .all(|line| PLAIN.width(line) <= 120 && !line.is_empty()),
                "{lines:?}"
            );
            assert!(lines.len() <= most);
        }
        // With one sign more, 9,391 thousandths of the size by the font's own table: 121.7 pixels.
        assert_eq!(PLAIN.lines(text, 120, 1), ["ROpenServiceW (..."]);
        let whole = PLAIN.lines(text, 120, 9).concat().replace(' ', "");
        assert_eq!(whole, text.replace(' ', ""));
        assert_eq!(
            PLAIN.lines("\u{4e2d}\u{4e2d}", 3, 9).len(),
            2,
            "a sign a line at least"
        );
    }
}
