//! Reasons in words that still know what they speak of.

use std::fmt;

use crate::image::value::{Addr, Unreadable};

/// What a reason speaks of.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum About {
    /// Something at an address.
    Address(Addr),
    /// A number of things, or a number that was read.
    Count(u64),
    /// Something by its name in the kernel's symbols or in this program's words.
    Name(&'static str),
    /// Something described in words of its own.
    Text(String),
    /// A handle.
    Handle(u64),
    /// Several things.
    All(Vec<Why>),
    /// Something that has a reason of its own: an entry of a list that ended.
    Why(Box<Why>),
    /// Another reason.
    Reason(Box<Unreadable>),
}

impl fmt::Display for About {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Count(count) => count.fmt(f),
            Self::Name(name) => f.write_str(name),
            Self::Text(text) => f.write_str(text),
            Self::Handle(handle) => write!(f, "{handle:#x}"),
            Self::All(all) => {
                for (number, one) in all.iter().enumerate() {
                    let between = if number == 0 { "" } else { ", " };
                    write!(f, "{between}{one}")?;
                }
                Ok(())
            }
            Self::Why(why) => why.fmt(f),
            Self::Reason(reason) => reason.fmt(f),
        }
    }
}

impl From<Why> for About {
    fn from(why: Why) -> Self {
        Self::Why(Box::new(why))
    }
}

impl From<Vec<Why>> for About {
    fn from(all: Vec<Why>) -> Self {
        Self::All(all)
    }
}

impl From<Addr> for About {
    fn from(address: Addr) -> Self {
        Self::Address(address)
    }
}

impl From<&Unreadable> for About {
    fn from(reason: &Unreadable) -> Self {
        Self::Reason(Box::new(reason.clone()))
    }
}

impl From<Unreadable> for About {
    fn from(reason: Unreadable) -> Self {
        Self::Reason(Box::new(reason))
    }
}

impl From<&'static str> for About {
    fn from(name: &'static str) -> Self {
        Self::Name(name)
    }
}

impl From<String> for About {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<u64> for About {
    fn from(count: u64) -> Self {
        Self::Count(count)
    }
}

impl From<u32> for About {
    fn from(count: u32) -> Self {
        Self::Count(count.into())
    }
}

impl From<usize> for About {
    fn from(count: usize) -> Self {
        Self::Count(count as u64)
    }
}

/// Why something is not known, in words. What they speak of is kept as what it is, and put between them when the
/// reason is shown: made by [`why!`](crate::why).
///
/// ```
/// use ntkernel::{Addr, why};
///
/// let at = Addr::new(kdump::Gva::new(0xffff_f880_0f4c_c950), 8);
/// let reason = why!("the list at {} was never initialized", at);
/// assert_eq!(reason.to_string(), "the list at fffff8800f4cc950 was never initialized");
/// assert_eq!(reason.addresses(), [at]);
/// ```
#[derive(Clone)]
pub struct Why {
    words: &'static str,
    about: Box<[About]>,
}

impl Why {
    /// Words with `{}` where each of `about` belongs; [`why!`](crate::why) sees to it that there are as many.
    #[must_use]
    pub fn new(words: &'static str, about: impl Into<Box<[About]>>) -> Self {
        Self {
            words,
            about: about.into(),
        }
    }

    /// What the words speak of, in their order.
    #[must_use]
    pub fn about(&self) -> &[About] {
        &self.about
    }

    /// The addresses that the words speak of, in their order, without those of reasons in them.
    #[must_use]
    pub fn addresses(&self) -> Vec<Addr> {
        let mut addresses = Vec::new();
        for about in &self.about {
            match about {
                About::Address(address) => addresses.push(*address),
                About::Why(why) => addresses.extend(why.addresses()),
                About::All(all) => addresses.extend(all.iter().flat_map(Why::addresses)),
                _ => {}
            }
        }
        addresses
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut about = self.about.iter();
        for (number, words) in self.words.split("{}").enumerate() {
            if number > 0
                && let Some(about) = about.next()
            {
                about.fmt(f)?;
            }
            f.write_str(words)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Why({self})")
    }
}

/// How many values belong between words.
#[doc(hidden)]
#[must_use]
#[allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "evaluated by the compiler"
)]
pub const fn places(words: &str) -> usize {
    let words = words.as_bytes();
    let (mut places, mut at) = (0, 1);
    while at < words.len() {
        if words[at - 1] == b'{' && words[at] == b'}' {
            places += 1;
        }
        at += 1;
    }
    places
}

/// A [`Why`]: words with `{}` for each value behind them. The compiler holds that there are as many of one as of the
/// other.
#[macro_export]
macro_rules! why {
    ($words:literal $(, $about:expr)* $(,)?) => {{
        const {
            let about: &[&str] = &[$(::core::stringify!($about)),*];
            ::core::assert!($crate::image::why::places($words) == about.len());
        }
        $crate::image::why::Why::new($words, [$($crate::image::why::About::from($about)),*])
    }};
}

#[cfg(test)]
mod tests {
    use kdump::Gva;

    use super::*;

    #[test]
    fn words_stand_between_what_they_speak_of() {
        let at = Addr::new(Gva::new(0x819a_2c00), 4);
        let inner = Unreadable::NoGlobal { name: "X" };
        let whole = why!("{} of {} {} at {}: {}", 1_u64, 2_u32, "things", at, inner);
        assert_eq!(
            whole.to_string(),
            "1 of 2 things at 819a2c00: the symbols have no X"
        );
        assert_eq!(why!("nothing").to_string(), "nothing");
        assert_eq!(why!("{}", "{}").to_string(), "{}");
        assert_eq!(whole.addresses(), [at]);
    }
}
