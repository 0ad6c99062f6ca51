//! Rule files: what `check` holds a dump against, in TOML.
//!
//! Each condition is a table of its kind, `[[wait]]`, and they are told in the order of the file. A key that there is
//! not, a value that means nothing and a file without conditions are errors that name the line: a gate that checks
//! nothing is worse than none.

use std::ops::Range;
use std::path::Path;

use alpc::port::queue::QueueKind;
use alpc::report::check::{Condition, Signature, Whose};
use kdump::TimeSpan;
use serde::Deserialize;
use toml::Spanned;

use crate::failure::Failure;
use crate::host::reading;
use crate::text::{escape, time};

/// A condition as the file has it.
pub struct Rule {
    /// The line that its table begins at.
    pub line: usize,
    /// The name that the file gives it.
    pub name: Option<String>,
    /// What is to hold.
    pub condition: Condition,
}

/// The tables of a rule file, by kind.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Tables {
    #[serde(default)]
    no_deadlock: Vec<Spanned<NoDeadlock>>,
    #[serde(default)]
    wait: Vec<Spanned<Wait>>,
    #[serde(default)]
    waiting: Vec<Spanned<Waiting>>,
    #[serde(default)]
    queue: Vec<Spanned<Queue>>,
    #[serde(default)]
    port: Vec<Spanned<Port>>,
    #[serde(default)]
    process: Vec<Spanned<Process>>,
    #[serde(default)]
    coverage: Vec<Spanned<Coverage>>,
    #[serde(default)]
    signature: Vec<Spanned<SignatureTable>>,
    #[serde(default)]
    stack: Vec<Spanned<Stack>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct NoDeadlock {
    name: Option<String>,
    #[serde(default)]
    possible: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Wait {
    name: Option<String>,
    longest: Spanned<Length>,
    image: Option<Spanned<String>>,
    port: Option<Spanned<String>>,
    call: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Waiting {
    name: Option<String>,
    at_most: u64,
    image: Option<Spanned<String>>,
    port: Option<Spanned<String>>,
    call: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Queue {
    name: Option<String>,
    at_most: u64,
    port: Option<Spanned<String>>,
    queue: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Port {
    name: Option<String>,
    port: Spanned<String>,
    exists: Option<Spanned<bool>>,
    owner: Option<Spanned<String>>,
    connections_at_most: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Process {
    name: Option<String>,
    image: Spanned<String>,
    at_least: Option<Spanned<u64>>,
    at_most: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Coverage {
    name: Option<String>,
    pages_at_least: Option<Spanned<f64>>,
    #[serde(default)]
    readable: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct SignatureTable {
    name: Option<String>,
    is: Option<Spanned<String>>,
    is_not: Option<Spanned<String>>,
    matches: Option<Spanned<String>>,
    matches_not: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Stack {
    name: Option<String>,
    function: Spanned<String>,
    #[serde(default)]
    at_most: u64,
    image: Option<Spanned<String>>,
}

/// A span of time: a bare number is seconds.
#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "write seconds, or a span in quotation marks, as in \"5m\" or \"1h30m\""
)]
enum Length {
    Seconds(u32),
    Text(String),
}

/// A value that means nothing, and where it is.
struct Wrong {
    key: &'static str,
    at: Range<usize>,
    why: String,
}

impl Wrong {
    fn new<T>(key: &'static str, value: &Spanned<T>, why: impl Into<String>) -> Self {
        Self {
            key,
            at: value.span(),
            why: why.into(),
        }
    }
}

/// Reads a rule file.
pub fn read(path: &Path) -> anyhow::Result<Vec<Rule>> {
    let file = escape::text(&path.to_string_lossy());
    let text = text(path).map_err(|why| Failure::fatal("cannot-read-rules", format!("{file}: {why}")))?;
    parse(&text).map_err(|why| Failure::fatal("bad-rules", format!("{file}: {why}")))
}

fn text(path: &Path) -> Result<String, String> {
    reading::file(path, &reading::RULES)
        .and_then(reading::text)
        .map_err(|error| format!("the rules cannot be read: {error}"))
}

fn parse(text: &str) -> Result<Vec<Rule>, String> {
    let tables: Tables = toml::from_str(text).map_err(|error| syntax(text, &error))?;
    let mut rules = Vec::new();
    collect(tables.no_deadlock, &mut rules);
    collect(tables.wait, &mut rules);
    collect(tables.waiting, &mut rules);
    collect(tables.queue, &mut rules);
    collect(tables.port, &mut rules);
    collect(tables.process, &mut rules);
    collect(tables.coverage, &mut rules);
    collect(tables.signature, &mut rules);
    collect(tables.stack, &mut rules);
    rules.sort_by_key(|(at, _)| *at);
    if rules.is_empty() {
        return Err("there is no condition in it; docs/checks.md has them all".to_owned());
    }
    let ends: Vec<usize> = text.match_indices('\n').map(|(at, _)| at).collect();
    let named = rules.into_iter().map(|(at, rule)| {
        let (name, condition) = rule.map_err(|wrong| meaning(text, &wrong))?;
        Ok(Rule {
            line: 1 + ends.partition_point(|&end| end < at),
            name,
            condition,
        })
    });
    named.collect()
}

/// A condition, and where its table begins.
type Placed = (usize, Result<Named, Wrong>);

/// A name, if the file gives one, and what is to hold.
type Named = (Option<String>, Condition);

/// A table of some kind.
trait Table {
    /// What it asks for; `at` is where it is.
    fn rule(self, at: Range<usize>) -> Result<Named, Wrong>;
}

fn collect<T: Table>(tables: Vec<Spanned<T>>, rules: &mut Vec<Placed>) {
    rules.extend(tables.into_iter().map(|table| {
        let at = table.span();
        (at.start, table.into_inner().rule(at))
    }));
}

/// What the TOML parser says, with the line that it is about.
fn syntax(text: &str, error: &toml::de::Error) -> String {
    let message = error.message().trim_end();
    let advice = advice(message, error.span().and_then(|span| text.get(span))).unwrap_or_default();
    let message = escape::text(message);
    match error.span() {
        Some(span) => format!("{}: {message}{advice}", place(text, span.start)),
        None => format!("{message}{advice}"),
    }
}

/// What to write instead, where the parser's words tell what kind of slip it is.
fn advice(message: &str, wrong: Option<&str>) -> Option<String> {
    let mut quoted = message.split('`').skip(1).step_by(2);
    if message.starts_with("unknown field") {
        let word = quoted.next()?;
        let near = crate::selector::nearest(word, quoted)?;
        return Some(format!("; did you mean `{near}`?"));
    }
    if message.starts_with("missing field") {
        let example = match quoted.next()? {
            "longest" => "longest = \"5m\"",
            "at-most" => "at-most = 10",
            "port" => "port = \"lsasspirpc\"",
            "image" => "image = \"lsass.exe\"",
            "function" => "function = \"nt!ExpWaitForResource\"",
            _ => return None,
        };
        return Some(format!("; write for example: {example}"));
    }
    let expects = |what: &str| message.ends_with(&format!("expected {what}"));
    let advice = if expects("a sequence") {
        "; write two brackets on each side, as in [[wait]]: a file may have several of a kind"
    } else if expects("a string") {
        "; write it in quotation marks"
    } else if expects("u64") && wrong.is_some_and(|wrong| wrong.starts_with(['"', '\''])) {
        "; write the number without quotation marks"
    } else if expects("u64") {
        "; write a whole number, 0 or more"
    } else if expects("a boolean") {
        "; write true or false, without quotation marks"
    } else {
        return None;
    };
    Some(advice.to_owned())
}

fn meaning(text: &str, wrong: &Wrong) -> String {
    format!(
        "{}: {}: {}",
        place(text, wrong.at.start),
        wrong.key,
        escape::text(&wrong.why)
    )
}

/// `line 3 (at-most = "x")`
fn place(text: &str, at: usize) -> String {
    /// Characters of a line that are shown.
    const SHOWN: usize = 60;
    let line = line_of(text, at);
    let whole = text.lines().nth(line - 1).unwrap_or_default().trim();
    let mut shown: String = whole.chars().take(SHOWN).collect();
    if shown.len() < whole.len() {
        shown.push_str("...");
    }
    match shown.as_str() {
        "" => format!("line {line}"),
        shown => format!("line {line} ({})", escape::text(shown)),
    }
}

fn line_of(text: &str, at: usize) -> usize {
    let before = text.as_bytes().get(..at).unwrap_or(text.as_bytes());
    1 + before.iter().filter(|&&byte| byte == b'\n').count()
}

/// A name that something can have.
fn named(key: &'static str, value: Spanned<String>) -> Result<String, Wrong> {
    if value.get_ref().trim().is_empty() {
        return Err(Wrong::new(key, &value, "an empty name is nobody's"));
    }
    Ok(value.into_inner())
}

fn whose(
    image: Option<Spanned<String>>,
    port: Option<Spanned<String>>,
    call: Option<Spanned<String>>,
) -> Result<Whose, Wrong> {
    Ok(Whose {
        call: call.map(|call| named("call", call)).transpose()?,
        image: image.map(|image| named("image", image)).transpose()?,
        port: port.map(|port| named("port", port)).transpose()?,
    })
}

impl Table for NoDeadlock {
    fn rule(self, _: Range<usize>) -> Result<Named, Wrong> {
        let possible = self.possible;
        Ok((self.name, Condition::NoDeadlock { possible }))
    }
}

impl Table for Wait {
    fn rule(self, _: Range<usize>) -> Result<Named, Wrong> {
        let longest = match self.longest.get_ref() {
            Length::Seconds(seconds) => time::parse_span(&seconds.to_string()),
            Length::Text(text) => time::parse_span(text),
        };
        let longest = longest
            .map(TimeSpan)
            .map_err(|why| Wrong::new("longest", &self.longest, why))?;
        let whose = whose(self.image, self.port, self.call)?;
        Ok((self.name, Condition::Wait { longest, whose }))
    }
}

impl Table for Waiting {
    fn rule(self, _: Range<usize>) -> Result<Named, Wrong> {
        let whose = whose(self.image, self.port, self.call)?;
        let at_most = self.at_most;
        Ok((self.name, Condition::Waiting { at_most, whose }))
    }
}

impl Table for Queue {
    fn rule(self, _: Range<usize>) -> Result<Named, Wrong> {
        let queue = self.queue.map(|queue| {
            let known = QueueKind::ALL
                .into_iter()
                .find(|kind| kind.name() == queue.get_ref());
            known.ok_or_else(|| {
                let all = QueueKind::ALL.map(QueueKind::name).join(", ");
                Wrong::new("queue", &queue, format!("no such queue; there are: {all}"))
            })
        });
        let condition = Condition::Queue {
            at_most: self.at_most,
            port: self.port.map(|port| named("port", port)).transpose()?,
            queue: queue.transpose()?,
        };
        Ok((self.name, condition))
    }
}

impl Table for Port {
    fn rule(self, _: Range<usize>) -> Result<Named, Wrong> {
        if let Some(exists) = &self.exists
            && !exists.get_ref()
            && (self.owner.is_some() || self.connections_at_most.is_some())
        {
            let why = "a port that is not to exist has no owner and no connections";
            return Err(Wrong::new("exists", exists, why));
        }
        let condition = Condition::Port {
            port: named("port", self.port)?,
            exists: self.exists.is_none_or(Spanned::into_inner),
            owner: self.owner.map(|owner| named("owner", owner)).transpose()?,
            connections: self.connections_at_most,
        };
        Ok((self.name, condition))
    }
}

impl Table for Process {
    fn rule(self, _: Range<usize>) -> Result<Named, Wrong> {
        if let (Some(least), Some(most)) = (&self.at_least, self.at_most)
            && *least.get_ref() > most
        {
            return Err(Wrong::new("at-least", least, "more than at-most"));
        }
        // Asked for neither, one is meant; an upper bound alone does not ask that there be any.
        let least = u64::from(self.at_most.is_none());
        let condition = Condition::Process {
            image: named("image", self.image)?,
            at_least: self.at_least.map_or(least, Spanned::into_inner),
            at_most: self.at_most,
        };
        Ok((self.name, condition))
    }
}

impl Table for Coverage {
    fn rule(self, at: Range<usize>) -> Result<Named, Wrong> {
        if self.pages_at_least.is_none() && !self.readable {
            let why = "nothing is asked; give pages-at-least = PERCENT or readable = true".to_owned();
            let key = "coverage";
            return Err(Wrong { key, at, why });
        }
        if let Some(pages) = &self.pages_at_least
            // TOML knows `nan` and `inf` (TOML 1.0): no comparison with nan is true, so that such a bound would
            // never fail.
            && !(0.0..=100.0).contains(pages.get_ref())
        {
            return Err(Wrong::new("pages-at-least", pages, "percent go from 0 to 100"));
        }
        let condition = Condition::Coverage {
            pages: self.pages_at_least.map(Spanned::into_inner),
            readable: self.readable,
        };
        Ok((self.name, condition))
    }
}

impl Table for SignatureTable {
    fn rule(self, at: Range<usize>) -> Result<Named, Wrong> {
        let Self {
            name,
            is,
            is_not,
            matches,
            matches_not,
        } = self;
        let pattern = |key, value: &Spanned<String>| {
            regex_lite::Regex::new(value.get_ref()).map_err(|error| Wrong::new(key, value, error.to_string()))
        };
        let signature = match (is, is_not, matches, matches_not) {
            (Some(line), None, None, None) => Signature::Is(line.into_inner()),
            (None, Some(line), None, None) => Signature::IsNot(line.into_inner()),
            (None, None, Some(value), None) => Signature::Matches(pattern("matches", &value)?),
            (None, None, None, Some(value)) => Signature::MatchesNot(pattern("matches-not", &value)?),
            _ => {
                return Err(Wrong {
                    key: "signature",
                    at,
                    why: "give one of is, is-not, matches, matches-not".to_owned(),
                });
            }
        };
        Ok((name, Condition::Signature(signature)))
    }
}

impl Table for Stack {
    fn rule(self, _: Range<usize>) -> Result<Named, Wrong> {
        let condition = Condition::Stack {
            function: named("function", self.function)?,
            at_most: self.at_most,
            image: self.image.map(|image| named("image", image)).transpose()?,
        };
        Ok((self.name, condition))
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::Index;

    use super::*;

    /// All tables and keys, and what stands between them.
    const PIECES: [&str; 43] = [
        "call",
        "[[stack]]",
        "function",
        "[[no-deadlock]]",
        "[[wait]]",
        "[[waiting]]",
        "[[queue]]",
        "[[port]]",
        "[[process]]",
        "[[coverage]]",
        "[[signature]]",
        "[wait]",
        "name",
        "possible",
        "longest",
        "image",
        "port",
        "at-most",
        "queue",
        "exists",
        "owner",
        "connections",
        "at-least",
        "pages",
        "readable",
        "is",
        "is-not",
        "matches",
        "matches-not",
        "=",
        "true",
        "0",
        "-1",
        "99.5",
        "1e400",
        "nan",
        "\"5m\"",
        "\"\"",
        "\"(a\"",
        "'é😀'",
        "\"99999999999999d\"",
        "\n",
        "# é",
    ];

    proptest! {
        #[test]
        fn any_pieces_of_rules_are_conditions_or_an_error_with_its_line(
            pieces in vec(any::<Index>(), 0..40),
            cut in any::<Index>(),
        ) {
            let mut text: String = pieces.iter().map(|index| format!("{} ", index.get(&PIECES))).collect();
            let ends: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
            text.truncate(*cut.get(&ends));
            match parse(&text) {
                Ok(rules) => {
                    let lines: Vec<&str> = text.lines().collect();
                    for rule in rules {
                        prop_assert!(lines[rule.line - 1].trim_start().starts_with('['), "{text}");
                    }
                }
                Err(why) => prop_assert!(!why.is_empty()),
            }
        }
    }

    fn error(text: &str) -> String {
        match parse(text) {
            Ok(rules) => panic!("{} rules", rules.len()),
            Err(why) => why,
        }
    }

    #[test]
    fn conditions_come_in_the_order_of_the_file() {
        let text = "\
[[wait]]
longest = \"5m\"

[[no-deadlock]]
name = \"first\"

[[wait]]
longest = \"1d\"
image = \"lsass.exe\"
";
        let rules = parse(text).ok().unwrap();
        let lines: Vec<usize> = rules.iter().map(|rule| rule.line).collect();
        assert_eq!(lines, [1, 4, 7]);
        assert_eq!(rules[1].name.as_deref(), Some("first"));
        let Condition::Wait { longest, whose } = &rules[2].condition else {
            panic!("not a wait")
        };
        assert_eq!(*longest, TimeSpan(864_000_000_000));
        assert_eq!(whose.image.as_deref(), Some("lsass.exe"));
    }

    #[test]
    fn errors_name_the_line_and_the_key() {
        for (text, wanted) in [
            ("", "there is no condition in it"),
            ("wait = []", "there is no condition in it"),
            (
                "[[wait]]\nlongest = \"soon\"",
                "line 2 (longest = \"soon\"): longest: write a number",
            ),
            (
                "[[wait]]\nlongest = -5",
                "line 2 (longest = -5): write seconds, or a span in quotation marks",
            ),
            (
                "[[wait]]\nimage = \"a\"",
                "line 1 ([[wait]]): missing field `longest`; write for example: longest = \"5m\"",
            ),
            (
                "\n[[no-deadlock]]\npossibly = true",
                "line 3 (possibly = true): unknown field `possibly`, expected",
            ),
            (
                "[[dead-lock]]",
                "line 1 ([[dead-lock]]): unknown field `dead-lock`, expected one of `no-deadlock`",
            ),
            (
                "[wait]\nlongest = \"5m\"",
                "line 1 ([wait]): invalid type: map, expected a sequence; write two brackets on each side, as in [[wait]]",
            ),
            (
                "[[queue]]\nat-most = -1",
                "line 2 (at-most = -1): invalid value: integer `-1`",
            ),
            (
                "[[queue]]\nat-most = \"3\"",
                "line 2 (at-most = \"3\"): invalid type: string \"3\", expected u64; write the number without",
            ),
            (
                "[[queue]]\nat-most = 99999999999999999999",
                "line 2 (at-most = 99999999999999999999): ",
            ),
            (
                "[[queue]]\nat-most = 1\nqueue = \"side\"",
                "line 3 (queue = \"side\"): queue: no such queue; there are: main",
            ),
            (
                "[[queue]]\nat-most = 1\nport = \"\"",
                "line 3 (port = \"\"): port: an empty name",
            ),
            (
                "[[port]]\nport = \"x\"\nexists = false\nowner = \"y\"",
                "line 3 (exists = false): exists: a port that",
            ),
            (
                "[[process]]\nimage = \"x\"\nat-least = 2\nat-most = 1",
                "line 3 (at-least = 2): at-least: more than at-most",
            ),
            (
                "[[coverage]]",
                "line 1 ([[coverage]]): coverage: nothing is asked",
            ),
            (
                "[[coverage]]\npages-at-least = 101.0",
                "line 2 (pages-at-least = 101.0): pages-at-least: percent",
            ),
            (
                "[[coverage]]\npages-at-least = nan",
                "line 2 (pages-at-least = nan): pages-at-least: percent",
            ),
            (
                "[[signature]]\nis = \"a\"\nmatches = \"b\"",
                "line 1 ([[signature]]): signature: give one of",
            ),
            (
                "[[signature]]\nmatches = \"(\"",
                "line 2 (matches = \"(\"): matches: ",
            ),
            ("[[wait]]\nlongest = \"5m", "line 2 (longest = \"5m): "),
            (
                "[[wait]]\nlongest = \"5m\"\nlongest = \"6m\"",
                "line 3 (longest = \"6m\"): duplicate key",
            ),
        ] {
            let why = error(text);
            assert!(why.starts_with(wanted), "{text:?}\n{why}\n{wanted}");
        }
    }

    #[test]
    fn hostile_files_are_refused_in_words_that_cannot_act_on_a_terminal() {
        let why = error("[[wait]]\n\"\u{1b}[31m\u{202e}x\" = 1");
        assert!(!why.contains('\u{1b}') && !why.contains('\u{202e}'), "{why:?}");
        let deep = format!("x = {}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(error(&deep).contains("recursion"), "{}", error(&deep));
        let long = format!("[[wait]]\n{} = 1", "k".repeat(100_000));
        assert!(error(&long).contains("..."));
    }

    #[test]
    fn whole_percents_and_bounds() {
        assert!(parse("[[coverage]]\npages-at-least = 99").is_ok());
        let rules = parse("[[process]]\nimage = \"x\"\nat-most = 0\n[[process]]\nimage = \"x\"")
            .ok()
            .unwrap();
        let least: Vec<u64> = rules
            .iter()
            .map(|rule| match rule.condition {
                Condition::Process { at_least, .. } => at_least,
                _ => panic!("not a process"),
            })
            .collect();
        assert_eq!(least, [0, 1]);
    }
}
