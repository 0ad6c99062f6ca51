//! Names near one that nothing has: a slip of the fingers is told with what may have been meant.
//!
//! A dump may hold a hundred thousand names, and whoever wrote it may have made them long: the work has a bound, and
//! what is beyond it is not looked at.

use std::collections::HashMap;

#[cfg(feature = "schema")]
use schemars::JsonSchema;
#[cfg(feature = "serde")]
use serde::Serialize;

use ntkernel::image::value::Addr;

/// Names that are told; of more nobody would find the right one.
const MOST: usize = 3;

/// Pairs of letters that are compared in all, about a tenth of a second: what is beside the differing part of two
/// names costs next to nothing.
const BUDGET: usize = 1 << 25;

/// Letters of a word that is compared at all: longer than any path that somebody types.
const LONGEST: usize = 260;

/// Different names that are kept until all were seen.
const KEPT: usize = 1 << 10;

/// A name in the dump that is near one that nothing has.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "NearName"))]
pub struct Near {
    /// The name as the dump has it: escape it before it reaches a terminal.
    pub name: String,
    /// Things that have it.
    pub count: u64,
    /// Where the one thing is that has it; null for several, and for what is not in memory.
    pub address: Option<Addr>,
    /// The id of that one thing when it is a process.
    pub process_id: Option<u64>,
}

/// Gathers the names nearest to a word.
pub struct Nearest {
    word: Vec<char>,
    /// Letters that may differ.
    allowed: usize,
    budget: usize,
    /// How far each name is, and in which order they came; by the name in lower case.
    found: HashMap<String, (usize, usize, Near)>,
}

impl Nearest {
    /// Begins with the word that nothing is called.
    #[must_use]
    pub fn to(word: &str) -> Self {
        let word: Vec<char> = folded(word).collect();
        Self {
            allowed: word.len().checked_div(3).unwrap_or(0).clamp(1, 3),
            word,
            budget: BUDGET,
            found: HashMap::new(),
        }
    }

    /// Takes the name of something that is there.
    pub fn offer(&mut self, name: &str, address: Option<Addr>) {
        self.offer_as(name, name, address);
    }

    /// The same with what stands for the name in the comparison.
    pub fn offer_as(&mut self, name: &str, compared: &str, address: Option<Addr>) {
        let Some(distance) = self.distance(compared) else {
            return;
        };
        let key: String = folded(name).collect();
        let order = self.found.len();
        if let Some((_, _, known)) = self.found.get_mut(&key) {
            known.count = known.count.saturating_add(1);
            known.address = None;
        } else if order < KEPT {
            let near = Near {
                name: name.to_owned(),
                count: 1,
                address,
                process_id: None,
            };
            self.found.insert(key, (distance, order, near));
        }
    }

    /// The nearest, in the order of the offers when several are equally near.
    #[must_use]
    pub fn names(self) -> Vec<Near> {
        let least = self.found.values().map(|&(distance, ..)| distance).min();
        let mut found: Vec<_> = self.found.into_values().collect();
        found.retain(|&(distance, ..)| Some(distance) == least);
        found.sort_by_key(|&(_, order, _)| order);
        found.into_iter().take(MOST).map(|(_, _, near)| near).collect()
    }

    /// Letters that differ, left out, put in or exchanged; nothing when there are too many of them.
    fn distance(&mut self, name: &str) -> Option<usize> {
        // The bounds on the length come first: they are what keeps a long name cheap. A letter has up to four bytes.
        let longest = self.word.len().saturating_add(self.allowed);
        if self.word.len() > LONGEST || name.len() > longest.saturating_mul(4) {
            return None;
        }
        let name: Vec<char> = folded(name).take(longest.saturating_add(1)).collect();
        if name.len() > longest || self.word.len() > name.len().saturating_add(self.allowed) {
            return None;
        }
        let (word, name) = without_common_ends(&self.word, &name);
        let cost = word.len().saturating_mul(name.len()).saturating_add(1);
        self.budget = self.budget.checked_sub(cost)?;
        let text = |letters: &[char]| letters.iter().collect::<String>();
        let distance = strsim::osa_distance(&text(word), &text(name));
        (distance <= self.allowed).then_some(distance)
    }
}

/// Letters in lower case, one for one, so that a name does not become longer.
fn folded(name: &str) -> impl Iterator<Item = char> {
    name.chars().map(|c| c.to_lowercase().next().unwrap_or(c))
}

/// What differs lies between the letters that two words begin and end with.
fn without_common_ends<'w>(one: &'w [char], other: &'w [char]) -> (&'w [char], &'w [char]) {
    let begin = one.iter().zip(other).take_while(|(a, b)| a == b).count();
    let one = one.get(begin..).unwrap_or_default();
    let other = other.get(begin..).unwrap_or_default();
    let pairs = one.iter().rev().zip(other.iter().rev());
    let end = pairs.take_while(|(a, b)| a == b).count();
    let cut = |word: &'w [char]| word.get(..word.len().saturating_sub(end)).unwrap_or_default();
    (cut(one), cut(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(word: &str, names: &[&str]) -> Vec<String> {
        let mut nearest = Nearest::to(word);
        names.iter().for_each(|name| nearest.offer(name, None));
        nearest.names().into_iter().map(|near| near.name).collect()
    }

    #[test]
    fn slips_of_the_fingers_are_near_and_other_words_are_not() {
        assert_eq!(near("lsas.exe", &["csrss.exe", "lsass.exe"]), ["lsass.exe"]);
        assert_eq!(near("lsass.exe", &["lsass.exe1", "LSASS.EXE"]), ["LSASS.EXE"]);
        assert_eq!(
            near("epmapepr", &["epmapper", "eventlog"]),
            ["epmapper"],
            "two letters exchanged"
        );
        assert_eq!(near("ntsvcs", &["spoolss", ""]), [""; 0]);
        assert_eq!(near("x", &["y", "xy", "abc"]), ["y", "xy"]);
        assert_eq!(near("", &["a", "ab"]), ["a"]);
        assert_eq!(near("İstanbul", &["istanbul"]), ["istanbul"]);
    }

    #[test]
    fn one_name_is_told_once_with_how_many_things_have_it() {
        let mut nearest = Nearest::to("svchost.ex");
        nearest.offer("svchost.exe", None);
        nearest.offer("SVCHOST.EXE", None);
        let names = nearest.names();
        assert_eq!(
            (names.len(), names[0].count, &*names[0].name),
            (1, 2, "svchost.exe")
        );
        assert_eq!(
            near("aaaa", &["aaab", "aaac", "aaad", "aaae"]),
            ["aaab", "aaac", "aaad"]
        );
    }

    /// The ends that are cut off change no distance.
    #[test]
    fn the_distance_is_that_of_the_whole_words() {
        let letters = [
            "a", "b", "ab", "ba", "aab", "abab", "bbaa", "abba", "ababab", "babbab", "aabbaabb",
        ];
        for word in letters {
            for name in letters {
                let whole = strsim::osa_distance(word, name);
                let mut nearest = Nearest::to(word);
                let wanted = (whole <= nearest.allowed).then_some(whole);
                assert_eq!(nearest.distance(name), wanted, "{word} {name}");
            }
        }
    }

    /// A hundred thousand names, each of the worst kind: long, and different from the first letter to the last.
    #[test]
    fn hostile_names_cost_little() {
        let word = "ab".repeat(LONGEST / 2);
        let name = "ba".repeat(LONGEST / 2);
        let mut nearest = Nearest::to(&word);
        for number in 0..100_000 {
            nearest.offer(if number % 2 == 0 { &name } else { &word[1..] }, None);
        }
        // The work has a bound, whatever the names are, and none is looked at beyond it.
        let dear = word.len() * name.len() + 1;
        assert!(nearest.budget < dear, "{}", nearest.budget);
        assert_eq!(nearest.distance(&name), None);
        assert!(nearest.names().len() <= MOST);
        assert_eq!(near(&"x".repeat(LONGEST + 1), &[&"x".repeat(LONGEST)]), [""; 0]);
    }
}
