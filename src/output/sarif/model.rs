//! The parts of SARIF 2.1.0 that are written, by the names and in the places that the standard gives them.
//!
//! The standard's own words for each are in its section 3 (OASIS, "Static Analysis Results Interchange Format"); here is
//! what they hold for a check.

use serde::Serialize;

/// The version of the standard.
pub const VERSION: &str = "2.1.0";

/// The schema of that version, by the address that it calls itself.
pub const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// The whole file.
#[derive(Serialize)]
pub struct Log {
    #[serde(rename = "$schema")]
    pub schema: &'static str,
    pub version: &'static str,
    pub runs: [Run; 1],
}

/// What one run of this program found.
#[derive(Serialize)]
pub struct Run {
    pub tool: Tool,
    pub invocations: [Invocation; 1],
    pub artifacts: Vec<Artifact>,
    pub results: Vec<Found>,
}

/// This program, as the driver that finds everything itself.
#[derive(Serialize)]
pub struct Tool {
    pub driver: Driver,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Driver {
    pub name: &'static str,
    pub version: &'static str,
    pub semantic_version: &'static str,
    pub rules: Vec<Rule>,
}

/// A kind of condition.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rule {
    pub id: &'static str,
    pub short_description: Message,
    pub full_description: Message,
    pub help: Message,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help_uri: Option<String>,
    pub default_configuration: Configuration,
}

#[derive(Serialize)]
pub struct Configuration {
    pub level: Level,
}

/// How the run went.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Invocation {
    pub arguments: Vec<String>,
    /// Whether every dump was held against the conditions, whatever they came to.
    pub execution_successful: bool,
    pub tool_execution_notifications: Vec<Notification>,
}

/// Why a dump was held against nothing.
#[derive(Serialize)]
pub struct Notification {
    pub level: Level,
    pub message: Message,
    pub descriptor: Descriptor,
    pub locations: [Location; 1],
}

/// The stable id of an error.
#[derive(Serialize)]
pub struct Descriptor {
    pub id: String,
}

/// A dump.
#[derive(Serialize)]
pub struct Artifact {
    pub location: ArtifactLocation,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub length: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hashes: Option<Hashes>,
    pub roles: [&'static str; 1],
}

#[derive(Serialize)]
pub struct Hashes {
    #[serde(rename = "sha-256")]
    pub sha256: String,
}

/// A condition that does not hold, or of which the dump does not tell.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Found {
    pub rule_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule_index: Option<usize>,
    pub level: Level,
    pub message: Message,
    pub locations: [Location; 1],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub related_locations: Vec<Location>,
    pub partial_fingerprints: Fingerprints,
    pub properties: Properties,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Level {
    Warning,
    Error,
}

/// Plain text in which nothing is a link or stands for something else.
#[derive(Clone, Serialize)]
pub struct Message {
    pub text: String,
}

#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Location {
    pub physical_location: PhysicalLocation,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<Message>,
}

#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PhysicalLocation {
    pub artifact_location: ArtifactLocation,
    pub region: Region,
}

#[derive(Clone, Serialize)]
pub struct ArtifactLocation {
    pub uri: String,
    /// The place among the artifacts of the run; none for what is no dump.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<usize>,
}

#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Region {
    pub start_line: u64,
}

/// By what forges know a finding again.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Fingerprints {
    pub primary_location_line_hash: String,
}

/// What a program reads; the names are those of the JSON record.
#[derive(Default, Serialize)]
pub struct Properties {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// The command that shows more of it, on the same dump.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub look_at: Option<String>,
    /// The stable id of the error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}
