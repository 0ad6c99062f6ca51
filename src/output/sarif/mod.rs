//! What conditions came to as SARIF 2.1.0, which the code scanning of forges reads.
//!
//! A run of this program is a run of the file, whatever number of dumps it was about; a kind of condition is a rule. A
//! condition that fails is an error; one that cannot be determined is a warning that says why, and never left out as
//! one that holds is; a dump that cannot be opened is an error as well.

mod kinds;
mod model;

use std::collections::BTreeMap;

use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use crate::output::document::Document;
use crate::output::sarif::model::{
    Artifact, ArtifactLocation, Descriptor, Driver, Fingerprints, Found, Hashes, Invocation, Level, Location,
    Log, Message, Notification, PhysicalLocation, Properties, Region, Run, Tool,
};
use crate::text::condition_line::told;
use crate::text::{escape, uri};

/// The documents of all dumps as one file, with its last line feed.
pub fn file(documents: &[Document<Json>]) -> serde_json::Result<String> {
    let mut file = File::default();
    for document in documents {
        file.add(&serde_json::to_value(document)?);
    }
    let mut text = serde_json::to_string_pretty(&file.into_log())?;
    text.push('\n');
    Ok(text)
}

/// What the documents so far have.
#[derive(Default)]
struct File {
    arguments: Vec<String>,
    artifacts: Vec<Artifact>,
    failures: Vec<Notification>,
    results: Vec<Found>,
    /// How often the same was found of the same dump.
    again: BTreeMap<(String, String), u32>,
}

impl File {
    fn add(&mut self, document: &Json) {
        if self.arguments.is_empty() {
            self.arguments = texts(&document["command_line"]);
        }
        let dump = self.dump(document);
        let rules = document["result"]["rules"].as_str();
        let conditions = document["result"]["conditions"].as_array();
        for condition in conditions.into_iter().flatten() {
            self.condition(&dump, rules, condition);
        }
        if let Some(error) = document.get("error") {
            self.error(&dump, error);
        }
    }

    /// The place of a dump, which is among the artifacts once.
    fn dump(&mut self, document: &Json) -> Location {
        let name = document["dump"].as_str().unwrap_or_default();
        let exact = document["dump_bytes"].as_str().and_then(bytes);
        let uri = uri::of_path(exact.as_deref().unwrap_or(name.as_bytes()));
        let known = self.artifacts.iter().position(|known| known.location.uri == uri);
        let index = known.unwrap_or(self.artifacts.len());
        let location = ArtifactLocation {
            uri,
            index: Some(index),
        };
        if known.is_none() {
            self.artifacts.push(Artifact {
                location: location.clone(),
                length: document["dump_size"].as_u64(),
                hashes: document["dump_sha256"].as_str().map(|sha256| Hashes {
                    sha256: sha256.to_owned(),
                }),
                roles: ["analysisTarget"],
            });
        }
        // A dump has no lines, but GitHub shows nothing that is not at one ("SARIF support for code scanning":
        // `region.startLine` is required).
        at(location, 1)
    }

    fn condition(&mut self, dump: &Location, rules: Option<&str>, condition: &Json) {
        let text = |key: &str| condition[key].as_str().unwrap_or_default();
        let level = match text("verdict") {
            "fail" => Level::Error,
            "undecided" => Level::Warning,
            _ => return,
        };
        let said = told(text("name"), text("condition"), text("text"), text("look_at"));
        let key = [text("kind"), text("name"), text("condition")];
        let rule = rules.map(|rules| Location {
            message: Some(message("the condition in the rule file")),
            ..at(
                ArtifactLocation {
                    uri: uri::of_path(rules.as_bytes()),
                    index: None,
                },
                condition["line"].as_u64().unwrap_or(1),
            )
        });
        let found = Found {
            rule_id: text("kind").to_owned(),
            rule_index: kinds::index(text("kind")),
            level,
            message: message(&said),
            locations: [dump.clone()],
            related_locations: rule.into_iter().collect(),
            partial_fingerprints: self.fingerprint(dump, &key),
            properties: Properties {
                verdict: Some(text("verdict").to_owned()),
                name: Some(escape::text(text("name"))),
                condition: Some(text("condition").to_owned()),
                count: condition["count"].as_u64(),
                look_at: Some(text("look_at").to_owned()),
                error: None,
            },
        };
        self.results.push(found);
    }

    fn error(&mut self, dump: &Location, error: &Json) {
        let id = error["id"].as_str().unwrap_or_default().to_owned();
        // Errors name files, whose names may act on a terminal as well.
        let message = message(&escape::text(error["text"].as_str().unwrap_or_default()));
        self.failures.push(Notification {
            level: Level::Error,
            message: message.clone(),
            descriptor: Descriptor { id: id.clone() },
            locations: [dump.clone()],
        });
        let found = Found {
            rule_id: kinds::NOT_CHECKED.to_owned(),
            rule_index: kinds::index(kinds::NOT_CHECKED),
            level: Level::Error,
            message,
            locations: [dump.clone()],
            related_locations: Vec::new(),
            partial_fingerprints: self.fingerprint(dump, &[kinds::NOT_CHECKED, &id]),
            properties: Properties {
                error: Some(id),
                ..Properties::default()
            },
        };
        self.results.push(found);
    }

    /// What says that a finding is the same in another run: what was asked for, not what was found, whose addresses and
    /// times are other ones in the next dump of that name.
    fn fingerprint(&mut self, dump: &Location, parts: &[&str]) -> Fingerprints {
        /// Digits that GitHub's own have.
        const DIGITS: usize = 16;
        let digest = Sha256::digest(parts.join("\0"));
        let mut hash: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        hash.truncate(DIGITS);
        let place = dump.physical_location.artifact_location.uri.clone();
        let again = self.again.entry((place, hash.clone())).or_default();
        *again += 1;
        Fingerprints {
            primary_location_line_hash: format!("{hash}:{again}"),
        }
    }

    fn into_log(self) -> Log {
        let version = env!("CARGO_PKG_VERSION");
        Log {
            schema: model::SCHEMA,
            version: model::VERSION,
            runs: [Run {
                tool: Tool {
                    driver: Driver {
                        name: env!("CARGO_PKG_NAME"),
                        version,
                        semantic_version: version,
                        rules: kinds::all(),
                    },
                },
                invocations: [Invocation {
                    arguments: self.arguments,
                    execution_successful: self.failures.is_empty(),
                    tool_execution_notifications: self.failures,
                }],
                artifacts: self.artifacts,
                results: self.results,
            }],
        }
    }
}

fn at(artifact_location: ArtifactLocation, start_line: u64) -> Location {
    Location {
        physical_location: PhysicalLocation {
            artifact_location,
            region: Region { start_line },
        },
        message: None,
    }
}

fn texts(list: &Json) -> Vec<String> {
    let items = list.as_array().into_iter().flatten();
    items
        .filter_map(|item| item.as_str().map(str::to_owned))
        .collect()
}

/// The bytes of hex digits; none where they are no such.
fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digits = hex.as_bytes().chunks(2);
    digits
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

/// Text that a viewer shows as it is.
fn message(text: &str) -> Message {
    // Names come out of the dump: a port called `[fixed](https://...)` would be a link in the message (the standard's
    // 3.11.6, "Messages with embedded links"). Braces stand for arguments where they are not doubled (3.11.5).
    let text = text.replace("](", "] (");
    Message {
        text: text.replace('{', "{{").replace('}', "}}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_neither_links_nor_placeholders() {
        assert_eq!(message("port [a](https://b)").text, "port [a] (https://b)");
        assert_eq!(message("{0} \\u{1b}").text, "{{0}} \\u{{1b}}");
        assert_eq!(message("a.exe[port]>b.exe").text, "a.exe[port]>b.exe");
    }

    #[test]
    fn exact_paths_are_bytes_in_hex() {
        assert_eq!(bytes("6dfc"), Some(vec![0x6d, 0xfc]));
        assert_eq!(bytes("6dzz"), None);
    }
}
