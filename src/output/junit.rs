//! What conditions came to as JUnit XML, which forges and build servers show beside other tests.
//!
//! A dump is a test suite and a condition is a test case. One that fails is a failure; one that cannot be determined is an
//! error and never counts as passed or skipped; a dump that cannot be opened is a suite with one error.

use std::fmt::Write;

use serde_json::Value as Json;

use crate::output::document::Document;
use crate::text::escape;

/// The documents of all dumps as one file, with its last line feed.
pub fn file(documents: &[Document<Json>]) -> serde_json::Result<String> {
    let documents: Vec<Json> = documents
        .iter()
        .map(serde_json::to_value)
        .collect::<Result<_, _>>()?;
    let suites: Vec<Suite<'_>> = documents.iter().map(Suite).collect();
    let counts = counts(
        suites.iter().map(Suite::tests).sum(),
        suites.iter().map(Suite::failures).sum(),
        suites.iter().map(Suite::errors).sum(),
    );
    let mut xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"alpc-dump check\"{counts}>\n"
    );
    for suite in suites {
        suite.write(&mut xml);
    }
    xml.push_str("</testsuites>\n");
    Ok(xml)
}

/// The document of one dump.
struct Suite<'j>(&'j Json);

impl<'j> Suite<'j> {
    fn conditions(&self) -> &'j [Json] {
        self.0["result"]["conditions"]
            .as_array()
            .map_or(&[], Vec::as_slice)
    }

    fn error(&self) -> Option<&'j str> {
        self.0["error"]["text"].as_str()
    }

    fn tests(&self) -> usize {
        self.conditions().len() + usize::from(self.error().is_some())
    }

    fn with(&self, verdict: &str) -> usize {
        let has = |condition: &&Json| condition["verdict"] == verdict;
        self.conditions().iter().filter(has).count()
    }

    fn failures(&self) -> usize {
        self.with("fail")
    }

    fn errors(&self) -> usize {
        self.with("undecided") + usize::from(self.error().is_some())
    }

    fn write(&self, xml: &mut String) {
        let name = self.0["dump"].as_str().unwrap_or_default();
        let counts = counts(self.tests(), self.failures(), self.errors());
        _ = writeln!(xml, "  <testsuite name=\"{}\"{counts}>", attribute(name));
        for condition in self.conditions() {
            case(xml, name, condition);
        }
        if let Some(error) = self.error() {
            outcome(xml, name, "dump", Some(("error", error)), error);
        }
        xml.push_str("  </testsuite>\n");
    }
}

fn case(xml: &mut String, suite: &str, condition: &Json) {
    let text = |key: &str| condition[key].as_str().unwrap_or_default();
    let kind = match condition["verdict"].as_str() {
        Some("fail") => Some("failure"),
        Some("undecided") => Some("error"),
        _ => None,
    };
    let body = format!(
        "{}\n{}\nrule: line {}\nlook at: {}",
        text("condition"),
        text("text"),
        condition["line"],
        text("look_at")
    );
    let message = text("text");
    outcome(xml, suite, text("name"), kind.map(|kind| (kind, message)), &body);
}

/// A test case with what it came to, if it did not pass; what was found otherwise.
fn outcome(xml: &mut String, suite: &str, name: &str, bad: Option<(&str, &str)>, body: &str) {
    let (suite, name) = (attribute(suite), attribute(name));
    _ = writeln!(xml, "    <testcase classname=\"{suite}\" name=\"{name}\">");
    let (tag, message) = match bad {
        Some((tag, message)) => (tag, format!(" message=\"{}\"", attribute(message))),
        None => ("system-out", String::new()),
    };
    _ = writeln!(xml, "      <{tag}{message}>{}</{tag}>", body_text(body));
    xml.push_str("    </testcase>\n");
}

fn counts(tests: usize, failures: usize, errors: usize) -> String {
    format!(" tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\"")
}

/// Text of an attribute, without what may not stand in XML 1.0: control characters, escaped as everywhere, and two code
/// points that are no characters.
fn attribute(text: &str) -> String {
    // Line feeds too: a reader turns those of an attribute into blanks (XML 1.0, 3.3.3 "Attribute-Value
    // Normalization").
    entities(&no_noncharacters(&escape::text(text)))
}

/// The same with line feeds, between tags.
fn body_text(text: &str) -> String {
    entities(&no_noncharacters(&escape::lines(text)))
}

fn entities(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            // Only these have entities. A control character has none that is allowed: `&#27;` is as malformed
            // as the byte itself (XML 1.0, 2.2 "Char" and 4.1), and a build server would refuse the whole
            // report for one name in a dump.
            '&' => written.push_str("&amp;"),
            '<' => written.push_str("&lt;"),
            '>' => written.push_str("&gt;"),
            '"' => written.push_str("&quot;"),
            '\'' => written.push_str("&apos;"),
            other => written.push(other),
        }
    }
    written
}

fn no_noncharacters(text: &str) -> String {
    // The two that XML 1.0's "Char" leaves out of the range to U+FFFD. A name in a dump is any 16-bit units, so
    // both may occur.
    text.replace('\u{fffe}', "\\u{fffe}")
        .replace('\u{ffff}', "\\u{ffff}")
}
