//! Why there may be more waits than were found.

use std::collections::BTreeMap;

use kdump::{Dump, DumpKind, Lost};
use ntkernel::image::value::Unreadable;
#[cfg(feature = "schema")]
use schemars::JsonSchema;
#[cfg(feature = "serde")]
use serde::Serialize;

use crate::wait::unread::{Part, Unread};

/// Why there may be more waits than were found, in one line: what is wrong with the dump or its symbols where that
/// is the cause, else which parts could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct Doubt {
    /// What is wrong.
    pub id: DoubtId,
    /// It in words.
    pub text: String,
}

/// What hides waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum DoubtId {
    /// The file is cut off.
    Truncated,
    /// Only the header of the dump can be read.
    HeaderOnly,
    /// The page tables that the header names do not lead to the kernel.
    KernelNotMapped,
    /// The pages are encrypted.
    Encrypted,
    /// A triage dump: it holds what the crashed thread touched, and no more.
    TriageDump,
    /// The symbols in use lack what the walks need.
    SymbolsLack,
    /// Lists, threads or messages cannot be read.
    Unread,
    /// Chains of waits end at something that cannot be read.
    ChainsUnread,
}

impl Doubt {
    /// Why waits may be hidden in what could not be read; none when nothing that could not be read hides waits.
    pub(crate) fn of(dump: Option<&Dump>, unread: &[Unread], ends_unread: usize) -> Option<Self> {
        let hiding: Vec<(&Unread, &Unreadable)> = unread
            .iter()
            .filter(|part| part.what.hides_waits())
            .filter_map(|part| Some((part, part.complete.reason()?)))
            .collect();
        if hiding.is_empty() {
            return (ends_unread > 0).then(|| Self {
                id: DoubtId::ChainsUnread,
                text: match ends_unread {
                    1 => "a chain of waits ends at something that cannot be read".to_owned(),
                    many => format!("{many} chains of waits end at something that cannot be read"),
                },
            });
        }
        let of_dump = || dump.and_then(|dump| Self::of_dump(dump, &hiding));
        Some(of_dump().unwrap_or_else(|| Self::of_parts(&hiding)))
    }

    /// What is wrong with the dump as a whole.
    fn of_dump(dump: &Dump, hiding: &[(&Unread, &Unreadable)]) -> Option<Self> {
        if hiding.iter().all(|(_, hole)| hole.is_of_symbols()) {
            return None;
        }
        let is_cut = hiding.iter().any(|(_, hole)| hole.is_cut());
        let of_note = dump.notes().iter().find_map(|note| {
            let id = match note.lost? {
                Lost::Cut if is_cut => DoubtId::Truncated,
                Lost::HeaderOnly => DoubtId::HeaderOnly,
                Lost::NotMapped => DoubtId::KernelNotMapped,
                // Windows can encrypt its dumps (Microsoft Learn, "About dump encryption"): each with a symmetric
                // key of its own, which is encrypted with the public key of the host's administrator, who alone can
                // decrypt it.
                Lost::Encrypted => DoubtId::Encrypted,
                _ => return None,
            };
            Some(Self {
                id,
                text: note.text.clone(),
            })
        });
        // What a small dump has, Microsoft Learn lists: the stop code, the drivers, and of the crashed thread its
        // context, its stack and its process. No other thread is in it.
        let is_triage = dump.header().kind == DumpKind::Triage;
        of_note.or_else(|| {
            is_triage.then(|| Self {
                id: DoubtId::TriageDump,
                text: "a triage dump holds the crashed thread and little else; take a kernel, active or complete \
                       dump"
                    .to_owned(),
            })
        })
    }

    /// Which parts could not be read, and why the first could not.
    fn of_parts(hiding: &[(&Unread, &Unreadable)]) -> Self {
        let of_symbols = hiding.iter().find(|(_, hole)| hole.is_of_symbols());
        if let Some((_, hole)) = of_symbols {
            return Self {
                id: DoubtId::SymbolsLack,
                text: hole.bottom().to_string(),
            };
        }
        let mut counts: BTreeMap<Part, usize> = BTreeMap::new();
        for (part, _) in hiding {
            let count = counts.entry(part.what).or_default();
            *count = count.saturating_add(1);
        }
        let parts: Vec<String> = counts
            .into_iter()
            .map(|(part, count)| part.counted(count))
            .collect();
        let first = hiding.first().map(|(_, hole)| hole.bottom().to_string());
        Self {
            id: DoubtId::Unread,
            text: format!(
                "{} could not be read: {}",
                parts.join(", "),
                first.unwrap_or_default()
            ),
        }
    }
}
