//! What conditions came to as JUnit XML, which forges and build servers show beside other tests.
//!
//! A dump is a test suite and a condition is a test case. One that fails is a failure; one that cannot be determined is an
//! error and never counts as passed or skipped; a dump that cannot be opened is a suite with one error.

use std::io;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesStart, BytesText, Event};
use serde_json::Value as Json;

use crate::output::document::Document;
use crate::text::escape;

/// The documents of all dumps as one file, with its last line feed.
pub fn file(documents: &[Document<Json>]) -> io::Result<Vec<u8>> {
    let documents: Vec<Json> = documents
        .iter()
        .map(serde_json::to_value)
        .collect::<Result<_, _>>()?;
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let suites: Vec<Suite<'_>> = documents.iter().map(Suite).collect();
    let mut all = BytesStart::new("testsuites");
    all.push_attribute(("name", "alpc-dump check"));
    count(&mut all, "tests", suites.iter().map(Suite::tests).sum());
    count(&mut all, "failures", suites.iter().map(Suite::failures).sum());
    count(&mut all, "errors", suites.iter().map(Suite::errors).sum());
    let end = all.to_end().into_owned();
    writer.write_event(Event::Start(all))?;
    for suite in suites {
        suite.write(&mut writer)?;
    }
    writer.write_event(Event::End(end))?;
    let mut bytes = writer.into_inner();
    bytes.push(b'\n');
    Ok(bytes)
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

    fn write(&self, writer: &mut Writer<Vec<u8>>) -> io::Result<()> {
        let name = legal(self.0["dump"].as_str().unwrap_or_default());
        let mut suite = BytesStart::new("testsuite");
        suite.push_attribute(("name", name.as_str()));
        count(&mut suite, "tests", self.tests());
        count(&mut suite, "failures", self.failures());
        count(&mut suite, "errors", self.errors());
        let end = suite.to_end().into_owned();
        writer.write_event(Event::Start(suite))?;
        for condition in self.conditions() {
            case(writer, &name, condition)?;
        }
        if let Some(error) = self.error() {
            outcome(writer, &name, "dump", Some(("error", error)), error)?;
        }
        writer.write_event(Event::End(end))
    }
}

fn case(writer: &mut Writer<Vec<u8>>, suite: &str, condition: &Json) -> io::Result<()> {
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
    outcome(
        writer,
        suite,
        text("name"),
        kind.map(|kind| (kind, message)),
        &body,
    )
}

/// A test case with what it came to, if it did not pass; what was found otherwise.
fn outcome(
    writer: &mut Writer<Vec<u8>>,
    suite: &str,
    name: &str,
    bad: Option<(&str, &str)>,
    body: &str,
) -> io::Result<()> {
    let mut case = BytesStart::new("testcase");
    case.push_attribute(("classname", suite));
    case.push_attribute(("name", legal(name).as_str()));
    let end = case.to_end().into_owned();
    writer.write_event(Event::Start(case))?;
    let (tag, message) = bad.unwrap_or(("system-out", ""));
    let mut inner = BytesStart::new(tag);
    if bad.is_some() {
        inner.push_attribute(("message", legal(message).as_str()));
    }
    let inner_end = inner.to_end().into_owned();
    writer.write_event(Event::Start(inner))?;
    writer.write_event(Event::Text(BytesText::new(&legal_lines(body))))?;
    writer.write_event(Event::End(inner_end))?;
    writer.write_event(Event::End(end))
}

fn count(tag: &mut BytesStart<'_>, key: &str, number: usize) {
    tag.push_attribute((key, number.to_string().as_str()));
}

/// Text without what may not stand in XML 1.0: control characters, escaped as everywhere, and two code points that
/// are no characters.
fn legal(text: &str) -> String {
    no_noncharacters(&escape::text(text))
}

fn legal_lines(text: &str) -> String {
    no_noncharacters(&escape::lines(text))
}

fn no_noncharacters(text: &str) -> String {
    text.replace('\u{fffe}', "\\u{fffe}")
        .replace('\u{ffff}', "\\u{ffff}")
}
