//! The rules of SARIF: the kinds of conditions, and what is none.

use crate::output::sarif::model::{Configuration, Level, Message, Rule};

/// What is found of a dump that was held against nothing.
pub const NOT_CHECKED: &str = "not-checked";

/// A kind: its name, a stable id and the heading of its section in docs/checks.md; what it asks for, in the words of that
/// section; and when it cannot be determined.
struct Kind {
    name: &'static str,
    asks: &'static str,
    otherwise: &'static str,
}

const KINDS: [Kind; 10] = [
    Kind {
        name: "no-deadlock",
        asks: "No threads wait for each other, by proven steps.",
        otherwise: "Cannot be determined when none is found, but something that a ring goes through cannot be read.",
    },
    Kind {
        name: "wait",
        asks: "No wait for another thread or process, for an ALPC reply or otherwise, is longer than this.",
        otherwise: "Cannot be determined when what may hide such a wait, or how long one is, cannot be read.",
    },
    Kind {
        name: "waiting",
        asks: "Not more threads than this are in such waits, however long.",
        otherwise: "Cannot be determined when what may hide such a wait cannot be read.",
    },
    Kind {
        name: "queue",
        asks: "No port has more messages queued than this, by its counters.",
        otherwise: "Cannot be determined when the list of ports, or a counter or name that matters, cannot be read.",
    },
    Kind {
        name: "port",
        asks: "A named port is there, and is as it should be.",
        otherwise: "Cannot be determined when the list of ports or a name is not whole, or its owner or connections cannot be read.",
    },
    Kind {
        name: "process",
        asks: "So many processes of an image run.",
        otherwise: "Cannot be determined when the list of processes or a name that matters cannot be read.",
    },
    Kind {
        name: "coverage",
        asks: "The dump is whole enough for what is asked of it.",
        otherwise: "This is the one condition that missing memory makes fail.",
    },
    Kind {
        name: "signature",
        asks: "The signature of the hang, as `hang` prints it in its first line",
        otherwise: "Cannot be determined when anything is hidden that waits may be found by.",
    },
    Kind {
        name: "stack",
        asks: "Not more threads than this have a function on their kernel stack.",
        otherwise: "Cannot be determined when there are no more, but some stacks could not be followed to their ends.",
    },
    Kind {
        name: NOT_CHECKED,
        asks: "A dump was held against nothing, because it or the rules cannot be used.",
        otherwise: "The message says why, and what to do about it.",
    },
];

/// The rules that findings name.
pub fn all() -> Vec<Rule> {
    KINDS.iter().map(rule).collect()
}

/// The place of a kind among them.
pub fn index(id: &str) -> Option<usize> {
    KINDS.iter().position(|kind| kind.name == id)
}

fn rule(kind: &Kind) -> Rule {
    let text = |text: String| Message { text };
    let asks = kind.asks.trim_end_matches('.');
    Rule {
        id: kind.name,
        short_description: text(format!("{asks}.")),
        full_description: text(format!("{asks}. {}", kind.otherwise)),
        help: text(format!(
            "{asks}. {} See docs/checks.md#{}.",
            kind.otherwise, kind.name
        )),
        help_uri: help_uri(env!("CARGO_PKG_REPOSITORY"), kind.name),
        default_configuration: Configuration { level: Level::Error },
    }
}

/// The section of a kind, where the sources say at which address they are: the standard asks for an absolute one (3.49.12).
fn help_uri(repository: &str, id: &str) -> Option<String> {
    let repository = repository.trim_end_matches('/');
    (!repository.is_empty()).then(|| format!("{repository}/blob/main/docs/checks.md#{id}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_a_section_of_the_page_in_the_same_words() {
        let page = include_str!("../../../docs/checks.md");
        for kind in &KINDS {
            let section = page
                .split("\n### `")
                .find(|section| section.trim_start_matches("[[").starts_with(kind.name))
                .unwrap_or_else(|| panic!("{} has no section", kind.name));
            // A paragraph goes over lines.
            let section = section.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(section.contains(kind.asks), "{}: {section}", kind.name);
        }
    }

    #[test]
    fn help_is_where_the_sources_are() {
        assert_eq!(help_uri("", "wait"), None);
        assert_eq!(
            help_uri("https://example.org/alpc-dump/", "wait").as_deref(),
            Some("https://example.org/alpc-dump/blob/main/docs/checks.md#wait")
        );
    }
}
