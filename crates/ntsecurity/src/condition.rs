//! Conditions of conditional entries (MS-DTYP 2.4.4.17): postfix tokens, written as SDDL writes them.
//!
//! The text is a reading aid: which brackets and spaces Windows itself puts is not proven here, so the bytes stand beside it
//! wherever it is shown.

use crate::bytes::{self, Malformed, hex};
use crate::sid::Sid;

/// Tokens of one condition: Windows' own have a dozen.
const MOST_TOKENS: usize = 256;

const WHAT: &str = "a condition";

/// What a condition begins with.
const SIGNATURE: &[u8] = b"artx";

/// Operators with two sides, by their token.
const BINARY: [(u8, &str); 12] = [
    (0x80, "=="),
    (0x81, "!="),
    (0x82, "<"),
    (0x83, "<="),
    (0x84, ">"),
    (0x85, ">="),
    (0x86, "Contains"),
    (0x88, "Any_of"),
    (0x8e, "Not_Contains"),
    (0x8f, "Not_Any_of"),
    (0xa0, "&&"),
    (0xa1, "||"),
];

/// Operators with one side.
const UNARY: [(u8, &str); 11] = [
    (0x87, "Exists "),
    (0x8d, "Not_Exists "),
    (0x89, "Member_of "),
    (0x8a, "Device_Member_of "),
    (0x8b, "Member_of_Any "),
    (0x8c, "Device_Member_of_Any "),
    (0x90, "Not_Member_of "),
    (0x91, "Not_Device_Member_of "),
    (0x92, "Not_Member_of_Any "),
    (0x93, "Not_Device_Member_of_Any "),
    (0xa2, "!"),
];

/// Whose attribute a name is of.
const ATTRIBUTES: [(u8, &str); 4] = [
    (0xf8, ""),
    (0xf9, "@User."),
    (0xfa, "@Resource."),
    (0xfb, "@Device."),
];

/// The text of a condition, by the bytes behind the identifier of its entry.
///
/// # Errors
/// When the bytes are no condition.
pub fn text(data: &[u8]) -> Result<String, Malformed> {
    if data.get(..4) != Some(SIGNATURE) {
        return Err(Malformed::new(WHAT, 0, "it does not begin with the letters artx"));
    }
    let mut reader = Reader {
        data,
        at: 4,
        left: MOST_TOKENS,
    };
    let mut stack: Vec<String> = Vec::new();
    while let Some(token) = reader.token()? {
        if let Some((_, word)) = BINARY.iter().find(|(code, _)| *code == token) {
            let (right, left) = (reader.pop(&mut stack)?, reader.pop(&mut stack)?);
            stack.push(format!("({left} {word} {right})"));
        } else if let Some((_, word)) = UNARY.iter().find(|(code, _)| *code == token) {
            let of = reader.pop(&mut stack)?;
            stack.push(format!("({word}{of})"));
        } else {
            stack.push(reader.literal(token)?);
        }
    }
    let whole = reader.pop(&mut stack)?;
    if !stack.is_empty() {
        return Err(reader.wrong("more than one value is left at its end"));
    }
    Ok(if whole.starts_with('(') {
        whole
    } else {
        format!("({whole})")
    })
}

struct Reader<'a> {
    data: &'a [u8],
    at: usize,
    left: usize,
}

impl Reader<'_> {
    /// The next token; none at the end. Zeros pad to a multiple of four.
    fn token(&mut self) -> Result<Option<u8>, Malformed> {
        while let Some(&token) = self.data.get(self.at) {
            self.at = self.at.saturating_add(1);
            if token != 0 {
                self.count()?;
                return Ok(Some(token));
            }
        }
        Ok(None)
    }

    fn count(&mut self) -> Result<(), Malformed> {
        let left = self.left.checked_sub(1);
        self.left = left.ok_or_else(|| self.wrong("it has more tokens than any that Windows makes"))?;
        Ok(())
    }

    fn literal(&mut self, token: u8) -> Result<String, Malformed> {
        if let Some((_, prefix)) = ATTRIBUTES.iter().find(|(code, _)| *code == token) {
            let name = self.counted()?;
            return Ok(format!("{prefix}{}", utf16(name)));
        }
        match token {
            1..=4 => self.number(),
            0x10 => Ok(format!("\"{}\"", utf16(self.counted()?))),
            0x18 => Ok(format!("#{}", hex(self.counted()?))),
            0x50 => self.composite(),
            0x51 => self.sid(),
            token => Err(self.wrong(format!("0x{token:02x} is no token"))),
        }
    }

    /// Values in braces. One in another would be no value of an attribute, so their nesting is refused.
    fn composite(&mut self) -> Result<String, Malformed> {
        let begin = self.at;
        let members = self.counted()?.to_vec();
        let mut inner = Reader {
            data: &members,
            at: 0,
            left: self.left,
        };
        let mut values = Vec::new();
        while let Some(token) = inner.token()? {
            if token == 0x50 {
                return Err(self.wrong("a list of values is in another"));
            }
            let value = inner.literal(token).map_err(|wrong| wrong.moved(begin))?;
            values.push(value);
        }
        self.left = inner.left;
        Ok(format!("{{{}}}", values.join(", ")))
    }

    fn sid(&mut self) -> Result<String, Malformed> {
        let at = self.at;
        let sid = Sid::read(self.counted()?).map_err(|wrong| wrong.moved(at))?;
        Ok(match sid.letters() {
            Some(letters) => format!("SID({letters})"),
            None => format!("SID({sid})"),
        })
    }

    /// Eight bytes of value, one that says whether it is written with a sign, one for its base.
    fn number(&mut self) -> Result<String, Malformed> {
        let raw = bytes::slice(self.data, WHAT, self.at, 10)?;
        self.at = self.at.saturating_add(10);
        let value = bytes::u64(raw, 0).unwrap_or_default().cast_signed();
        let base = raw.get(9).copied().unwrap_or_default();
        let (sign, size) = (if value < 0 { "-" } else { "" }, value.unsigned_abs());
        Ok(match base {
            1 => format!("{sign}0{size:o}"),
            3 => format!("{sign}0x{size:x}"),
            _ => format!("{sign}{size}"),
        })
    }

    /// Bytes behind their number.
    fn counted(&mut self) -> Result<&[u8], Malformed> {
        let head = bytes::slice(self.data, WHAT, self.at, 4)?;
        let len = bytes::u32(head, 0).and_then(|len| usize::try_from(len).ok());
        let begin = self.at.saturating_add(4);
        let found = bytes::slice(self.data, WHAT, begin, len.unwrap_or(usize::MAX))?;
        self.at = begin.saturating_add(found.len());
        Ok(found)
    }

    fn pop(&self, stack: &mut Vec<String>) -> Result<String, Malformed> {
        stack
            .pop()
            .ok_or_else(|| self.wrong("an operator has too few values"))
    }

    fn wrong(&self, why: impl Into<String>) -> Malformed {
        Malformed::new(WHAT, self.at, why)
    }
}

fn utf16(bytes: &[u8]) -> String {
    let units: Vec<u16> = bytes
        .chunks_exact(2)
        .filter_map(|pair| bytes::u16(pair, 0))
        .collect();
    String::from_utf16_lossy(&units)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of MS-DTYP 2.5.1.3's grammar, made by hand: `(@User.Title == "VP" && Member_of {SID(BA)})`.
    #[test]
    fn conditions_are_written_infix() {
        let wide = |text: &str| {
            text.encode_utf16()
                .flat_map(u16::to_le_bytes)
                .collect::<Vec<u8>>()
        };
        let counted = |token: u8, bytes: &[u8]| {
            let mut all = vec![token];
            all.extend(u32::try_from(bytes.len()).unwrap().to_le_bytes());
            all.extend(bytes);
            all
        };
        let admins = [1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x20, 2, 0, 0];
        let mut data = b"artx".to_vec();
        data.extend(counted(0xf9, &wide("Title")));
        data.extend(counted(0x10, &wide("VP")));
        data.push(0x80);
        data.extend(counted(0x50, &counted(0x51, &admins)));
        data.extend([0x89, 0xa0, 0, 0]);
        assert_eq!(
            text(&data).unwrap(),
            "((@User.Title == \"VP\") && (Member_of {SID(BA)}))"
        );
    }

    #[test]
    fn numbers_have_bases_and_signs() {
        let number = |value: i64, base: u8| {
            let mut data = b"artx\xf8\x02\0\0\0a\0\x04".to_vec();
            data.extend(value.to_le_bytes());
            data.extend([3, base, 0x84]);
            text(&data).unwrap()
        };
        assert_eq!(number(8, 1), "(a > 010)");
        assert_eq!(number(-5, 2), "(a > -5)");
        assert_eq!(number(31, 3), "(a > 0x1f)");
    }

    #[test]
    fn what_is_no_condition_says_why() {
        let why = |data: &[u8]| text(data).unwrap_err().why;
        assert!(why(b"arty").contains("artx"));
        assert!(why(b"artx").contains("too few values"));
        assert!(why(b"artx\x80").contains("too few values"));
        assert!(why(b"artx\x77").contains("0x77 is no token"));
        assert!(why(b"artx\x10\xff\xff\xff\xff").contains("needs"));
        let many = [&b"artx\xf8\0\0\0\0"[..], &[0xa2; 5000]].concat();
        assert!(why(&many).contains("more tokens"));
    }
}
