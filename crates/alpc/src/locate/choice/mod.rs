//! Which of several layouts explains a kernel whose own symbols are not known.
//!
//! A layout is right when what is read by it agrees with itself: lists link both ways, threads name the process
//! that lists them, handles lead to headers of known types, ports are named by the communication info that they
//! name, queues hold as many messages as they count, messages say in which queue they are. By a wrong layout most
//! of that is read from the wrong places and contradicts itself. The checks go in stages, cheap ones first, and a
//! layout that is worse than the best is left out before the next stage. Whatever several of them leave undecided
//! is theirs in common only where they agree.
//!
//! Nothing depends on what the dump claims of itself, least of all on its build number: servicing has changed
//! layouts inside builds. What cannot be read proves nothing, neither way. Of everything only so much is looked
//! at as the caps below say.

mod messages;
mod objects;
mod ports;
mod system;
mod tally;

use std::collections::{BTreeSet, HashSet};

use kdump::{Dump, Gva};
use ntlayout::published::Published;
use ntlayout::{Certainty, Layout, Origin};
#[cfg(feature = "schema")]
use schemars::JsonSchema;
#[cfg(feature = "serde")]
use serde::Serialize;

use crate::locate::derived;
use crate::port::contract::CONTRACT;
use ntkernel::image::contract::ListEntry;
use ntkernel::image::globals::Evidence;
use ntkernel::image::kernel::{Kernel, Read};
use tally::Tally;
pub use tally::{Check, Count};

/// The least that must have passed: fewer agree by chance.
const LEAST: u32 = 8;

/// What one check came to.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "LayoutCheck"))]
#[non_exhaustive]
pub struct CheckRecord {
    /// What was checked.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub check: Check,
    /// How it went.
    #[cfg_attr(feature = "serde", serde(flatten))]
    pub count: Count,
}

/// How many layouts one check left out.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct Excluded {
    /// The check: the first that they failed, or in which another was better.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub by: Check,
    /// How many.
    pub layouts: usize,
}

/// Why a layout was chosen.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct Choice {
    /// Layouts that were tried.
    pub tried: usize,
    /// The versions of the kernels whose layouts explain the dump, the best first: what they have in common is
    /// used.
    pub explained_by: Vec<String>,
    /// Checks made of the first of them.
    pub checked: u32,
    /// Those that passed.
    pub passed: u32,
    /// Those that contradicted it.
    pub contradicted: u32,
    /// The same, check by check.
    pub checks: Vec<CheckRecord>,
    /// The layouts that were left out, by what.
    pub excluded: Vec<Excluded>,
    /// Members that those which explain the dump have at different places: they cannot be read.
    pub disputed: Vec<String>,
    /// Set where processes or threads have another size than in any layout, so that no layout is this kernel's: what those
    /// agree on that explain the dump otherwise is used, and what was not checked of it may have moved.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "std::ops::Not::not"))]
    pub composed: bool,
}

/// Why no layout was chosen.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Unexplained {
    /// There is nothing to choose from.
    #[error("there are no layouts for such a system")]
    NoLayouts,
    /// Too little of what the layouts speak of is in the dump.
    #[error("too little of its processes is in the dump to choose one of the {tried} built-in layouts by")]
    TooLittle {
        /// How many there were to choose from.
        tried: usize,
    },
    /// All of them contradict what is there.
    #[error(
        "none of the {tried} built-in layouts explains it: the best, {best}, is contradicted by {} of {} checks \
         of its {check}", count.contradicted, count.passed.saturating_add(count.contradicted)
    )]
    Contradicted {
        /// How many there were.
        tried: usize,
        /// The one that comes nearest.
        best: Origin,
        /// What it fails.
        check: Check,
        /// How badly.
        count: Count,
    },
}

/// What is known of a kernel beside what its dump holds.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// The layouts that its version can have.
    pub preferred: Vec<Origin>,
    /// Where its variables are, and how large its structures.
    pub published: Option<(Published, Evidence)>,
}

impl Known {
    /// Whether no structure is known to have another size than in that layout.
    fn has_sizes_of(&self, layout: &Layout) -> bool {
        let Some((published, _)) = &self.published else {
            return true;
        };
        let mut types = CONTRACT.types.iter().enumerate();
        types.all(|(index, name)| {
            let (known, here) = (published.size_of(name), layout.type_size(index));
            known.zip(here).is_none_or(|(known, here)| known == here)
        })
    }
}

/// Chooses the layout that explains the dump: what those have in common that explain it equally. Where the kernel's version is
/// known and the sizes of its structures are, of these those decide that it can have.
///
/// # Errors
/// Nothing explains it, or there is too little to tell.
pub fn choose(
    dump: &Dump,
    base: Gva,
    layouts: &[Layout],
    known: &Known,
) -> Result<(Layout, Choice), Unexplained> {
    match among(dump, base, layouts, known, false) {
        Err(Unexplained::Contradicted {
            check: Check::DebuggerData,
            ..
        }) => {}
        decided => return decided,
    }
    // Where only sizes are unknown, one more update has come: neighbours may explain it.
    // `_ETHREAD` has 0x788 bytes in 26100.1742 and 0x798 in 26100.4946: one build, two sizes.
    let strict = |_| among(dump, base, layouts, known, false);
    among(dump, base, layouts, known, true).or_else(strict)
}

fn among(
    dump: &Dump,
    base: Gva,
    layouts: &[Layout],
    known: &Known,
    lenient: bool,
) -> Result<(Layout, Choice), Unexplained> {
    const STAGES: [fn(&mut Examined<'_>); 5] = [
        system::debugger_data,
        system::processes,
        objects::objects,
        ports::ports,
        messages::messages,
    ];
    let mut left: Vec<Examined<'_>> = layouts
        .iter()
        .enumerate()
        .map(|(number, layout)| Examined::new(dump, base, number, layout, known, lenient))
        .collect();
    let mut excluded: Vec<Excluded> = Vec::new();
    for stage in STAGES {
        left.iter_mut().for_each(stage);
        left = leave_out(left, &mut excluded, layouts)?;
    }
    let layout_of = |examined: &Examined<'_>| layouts.get(examined.number);
    let is_preferred =
        |examined: &_| layout_of(examined).is_some_and(|layout| known.preferred.contains(tried_of(layout)));
    let has_sizes = |examined: &_| layout_of(examined).is_some_and(|layout| known.has_sizes_of(layout));
    keep_if_any(&mut left, &mut excluded, Check::Sizes, has_sizes);
    // A layout of other sizes explains what was looked at; it is not this kernel's.
    let is_other = left.first().is_some_and(|first| !has_sizes(first));
    keep_if_any(&mut left, &mut excluded, Check::Version, is_preferred);
    let best = left.first().ok_or(Unexplained::NoLayouts)?;
    if best.tally.total().passed < LEAST {
        return Err(Unexplained::TooLittle { tried: layouts.len() });
    }
    let explaining: Vec<Layout> = left
        .iter()
        .filter_map(|examined| layouts.get(examined.number).cloned())
        .collect();
    // Many kernels share a layout of ALPC's own structures: `_ALPC_PORT` has five in all of x64, from Vista to
    // 25H2, and one of them serves every release of Windows 10 and 11.
    let layout = Layout::agreement(&explaining).ok_or(Unexplained::NoLayouts)?;
    let mut choice = record(best, &explaining, &layout, layouts.len(), excluded);
    choice.composed = lenient || is_other;
    Ok((layout.with_certainty(Certainty::Invariants), choice))
}

/// Leaves those out for which something does not hold, if it does for any.
fn keep_if_any<'l>(
    left: &mut Vec<Examined<'l>>,
    excluded: &mut Vec<Excluded>,
    by: Check,
    holds: impl Fn(&Examined<'l>) -> bool,
) {
    if !left.iter().any(&holds) {
        return;
    }
    let all = left.len();
    left.retain(&holds);
    if let layouts @ 1.. = all.saturating_sub(left.len()) {
        excluded.push(Excluded { by, layouts });
    }
}

/// What is tried of a layout: all of it, or where it is the kernel's own what fills it.
fn tried_of(layout: &Layout) -> &Origin {
    let filled = layout
        .filled()
        .iter()
        .rfind(|filled| filled.certainty == Certainty::Invariants);
    filled.map_or(layout.origin(), |filled| &filled.origin)
}

fn record(
    best: &Examined<'_>,
    explaining: &[Layout],
    common: &Layout,
    tried: usize,
    excluded: Vec<Excluded>,
) -> Choice {
    let Count { passed, contradicted } = best.tally.total();
    let checks = Check::ALL.into_iter().map(|check| CheckRecord {
        check,
        count: best.tally.count(check),
    });
    Choice {
        tried,
        explained_by: explaining
            .iter()
            .map(|layout| match tried_of(layout) {
                Origin::BuiltIn { version } => version.clone(),
                other => other.to_string(),
            })
            .collect(),
        checked: passed.saturating_add(contradicted),
        passed,
        contradicted,
        checks: checks.filter(|record| record.count != Count::default()).collect(),
        excluded,
        disputed: common
            .disputed()
            .iter()
            .filter_map(|index| CONTRACT.fields.get(*index))
            .map(|spec| format!("{}.{}", spec.ty, spec.name))
            .collect(),
        composed: false,
    }
}

/// Leaves out what fails by itself and what is worse than the best; the best comes first.
fn leave_out<'d>(
    mut left: Vec<Examined<'d>>,
    excluded: &mut Vec<Excluded>,
    layouts: &[Layout],
) -> Result<Vec<Examined<'d>>, Unexplained> {
    // A stable sort: of equals, the order of the layouts decides.
    left.sort_by_key(|examined| std::cmp::Reverse(examined.tally.score()));
    let first = left.iter().position(|examined| examined.tally.failed().is_none());
    let Some(first) = first else {
        return Err(contradicted(&left, layouts));
    };
    let best = left.swap_remove(first);
    let mut keep = vec![];
    left.sort_by_key(|examined| std::cmp::Reverse(examined.tally.score()));
    for examined in left {
        let tally = &examined.tally;
        match tally.failed().or_else(|| tally.worse_than(&best.tally)) {
            None => keep.push(examined),
            Some(by) => match excluded.iter_mut().find(|excluded| excluded.by == by) {
                Some(excluded) => excluded.layouts = excluded.layouts.saturating_add(1),
                None => excluded.push(Excluded { by, layouts: 1 }),
            },
        }
    }
    keep.insert(0, best);
    Ok(keep)
}

fn contradicted(left: &[Examined<'_>], layouts: &[Layout]) -> Unexplained {
    let best = left.first().and_then(|best| {
        let check = best.tally.failed()?;
        let origin = tried_of(layouts.get(best.number)?).clone();
        Some((origin, check, best.tally.count(check)))
    });
    match best {
        Some((best, check, count)) => Unexplained::Contradicted {
            tried: layouts.len(),
            best,
            check,
            count,
        },
        None => Unexplained::NoLayouts,
    }
}

/// A layout under examination, and what was found by it so far.
struct Examined<'d> {
    number: usize,
    /// Whether the sizes of processes and threads do not count.
    lenient: bool,
    kernel: Kernel<'d>,
    tally: Tally,
    processes: Vec<Gva>,
    process_ids: HashSet<u64>,
    threads: Vec<Gva>,
    ports: BTreeSet<Gva>,
    messages: BTreeSet<Gva>,
}

impl<'d> Examined<'d> {
    fn new(dump: &'d Dump, base: Gva, number: usize, layout: &Layout, known: &Known, lenient: bool) -> Self {
        Self {
            number,
            lenient,
            kernel: derived::published_kernel(dump, base, layout.clone(), known.published.as_ref()),
            tally: Tally::default(),
            processes: Vec::new(),
            process_ids: HashSet::new(),
            threads: Vec::new(),
            ports: BTreeSet::new(),
            messages: BTreeSet::new(),
        }
    }
}

/// Whether a list entry or head is linked both ways; nothing for one that was never linked.
fn is_linked(kernel: &Kernel<'_>, at: Gva) -> Read<Option<bool>> {
    let entry = kernel.at(at);
    let (next, previous) = (entry.pointer(ListEntry::Flink)?, entry.pointer(ListEntry::Blink)?);
    if next.u64() == 0 && previous.u64() == 0 {
        return Ok(None);
    }
    if !kernel.is_kernel_address(next) || !kernel.is_kernel_address(previous) {
        return Ok(Some(false));
    }
    let back = kernel.at(next).pointer(ListEntry::Blink);
    let forth = kernel.at(previous).pointer(ListEntry::Flink);
    Ok(match (back, forth) {
        (Ok(back), Ok(forth)) => Some(back == at && forth == at),
        (Ok(one), Err(_)) | (Err(_), Ok(one)) if one != at => Some(false),
        _ => None,
    })
}

/// Whether a pointer is one into the kernel's half; nothing for a null pointer.
fn is_pointer(kernel: &Kernel<'_>, pointer: Gva) -> Option<bool> {
    (pointer.u64() != 0).then(|| kernel.is_kernel_address(pointer))
}

/// What contradicts, where agreement would prove nothing.
fn unless(wrong: bool) -> Option<bool> {
    wrong.then_some(false)
}
