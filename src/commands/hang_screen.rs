//! The answer of `hang` on one screen: the verdict, who blocks, what could not be read, what to ask next.

use alpc::Value;
use alpc::wait::hang::{Blocker, Deadlock, Hang};
use alpc::wait::node::Node;
use alpc::wait::root::Suspect;
use alpc::wait::signature::Signature;

use crate::text::marked::{Cell, Look, Text, inferred, joined, text};
use crate::text::rows::unknown;
use crate::text::{escape, fit, plainly, time, wait_lines};

/// Lines of a screen.
pub const SCREEN: usize = 24;

/// Columns where nothing says how many there are.
pub const COLUMNS: usize = 80;

/// Lines of a step of a ring that are shown of a ring.
const STEPS: usize = 4;

/// Ports in trouble that are named.
const PORTS: usize = 2;

/// Lines that one reason may take.
const REASON: usize = 3;

/// Lines of a part of the screen, each no wider than that.
#[derive(Clone)]
struct Part {
    width: usize,
    lines: Vec<Text>,
}

impl Part {
    fn new(width: usize) -> Self {
        let lines = Vec::new();
        Self { width, lines }
    }

    /// Adds a line, and the rest of it so far in.
    fn say(&mut self, line: impl Into<Text>, hanging: usize) {
        self.lines.extend(fit::broken(&line.into(), self.width, hanging));
    }

    fn height(&self) -> usize {
        self.lines.len()
    }
}

/// The verdict in words.
pub fn verdict(hang: &Hang) -> Text {
    let doubt = hang.doubt.as_ref().map(|doubt| escape::text(&doubt.text));
    match (&hang.signature, doubt) {
        (Signature::None, _) => text!(
            "Nothing hangs: none of {} waits for another thread or process",
            threads(hang)
        ),
        (Signature::Unknown, doubt) => text!(
            "No thread was found that waits for another, but not all could be looked at: {}",
            doubt.unwrap_or_default()
        ),
        (_, doubt) => {
            let longest = match (hang.longest_wait, &hang.clock) {
                (Some(span), _) => format!(", the longest for {}", time::lasted(span)),
                (None, Value::Missing(_)) => ", for how long cannot be determined".to_owned(),
                (None, _) => String::new(),
            };
            let rings = match (hang.deadlocks.as_slice(), &doubt) {
                ([], None) => "; no deadlock".to_owned(),
                ([], Some(_)) => "; no deadlock was found in what could be read".to_owned(),
                _ => String::new(),
            };
            let more = doubt.map(|doubt| format!("; there may be more waits: {doubt}"));
            text!(
                "{}{} of {} {} for another thread or process ({} for an ALPC reply){longest}{rings}{}",
                in_rings(hang),
                hang.stuck,
                threads(hang),
                if hang.stuck == 1 { "waits" } else { "wait" },
                hang.waiting_for_reply,
                more.unwrap_or_default()
            )
        }
    }
}

fn threads(hang: &Hang) -> String {
    wait_lines::plural(hang.threads, "thread")
}

fn in_rings(hang: &Hang) -> String {
    match hang.deadlocks.as_slice() {
        [] => String::new(),
        [one] => format!("Deadlock: {}; ", each_other(one)),
        many => format!("{} deadlocks; ", many.len()),
    }
}

pub(super) fn each_other(deadlock: &Deadlock) -> String {
    match deadlock.members {
        1 => "1 thread waits for itself".to_owned(),
        members => format!("{members} threads wait for each other"),
    }
}

/// The verdict as it is headed.
pub fn head(hang: &Hang, width: usize) -> Vec<Text> {
    let mut head = Part::new(width);
    let look = match hang.signature {
        _ if !hang.deadlocks.is_empty() => Look::Alarm,
        Signature::None => Look::Heading,
        _ => Look::Warning,
    };
    head.say(verdict(hang).looking(look), 2);
    if !matches!(hang.signature, Signature::None | Signature::Unknown) {
        head.say(text!("signature: {}", escape::text(hang.signature.as_str())), 2);
    }
    head.lines
}

/// The answer, in a screen of lines of so many columns.
pub fn text(hang: &Hang, width: usize) -> Text {
    let head = head(hang, width);
    let mut foot = foot(hang, width, PORTS);
    // What cannot be read may take many words.
    if head.len() + foot.height() > SCREEN / 2 {
        foot = self::foot(hang, width, 0);
    }
    let parts = parts(hang, width);
    // A blank line above the parts, one below them, and the last line.
    let between = if parts.is_empty() { 2 } else { 3 };
    let room = SCREEN.saturating_sub(head.len() + foot.height() + between);
    let all = hang.deadlocks.len() + hang.possible_deadlocks.len() + hang.blockers.len();
    let (body, whole) = chosen(&parts, all, room, width);
    let mut lines = head;
    if !body.is_empty() {
        lines.push(Text::default());
        lines.extend(body);
    }
    lines.push(Text::default());
    lines.extend(foot.lines);
    lines.push(last(hang, whole));
    lines.into_iter().map(|line| line + '\n').collect()
}

fn last(hang: &Hang, whole: bool) -> Text {
    let what = match (whole, hang.stuck) {
        (false, _) => "hang -v has what is left out here, and every wait below what it waits for",
        (true, 0) => "calls has every call in flight, threads what each thread does",
        (true, _) => "hang -v has every wait below what it waits for",
    };
    what.into()
}

/// What is shown of one thing, from the most to the least.
type Forms = Vec<Part>;

/// The deadlocks and blockers, the worst first.
fn parts(hang: &Hang, width: usize) -> Vec<Forms> {
    let rings = hang
        .deadlocks
        .iter()
        .map(|ring| deadlock(ring, "DEADLOCK", Look::Alarm, width));
    let possible = hang.possible_deadlocks.iter();
    let possible = possible.map(|ring| deadlock(ring, "POSSIBLE DEADLOCK", Look::Warning, width));
    let blockers = hang.blockers.iter().enumerate();
    let blockers = blockers.map(|(at, blocker)| self::blocker(at, blocker, width));
    // More than a line each has no room anyway.
    rings.chain(possible).chain(blockers).take(SCREEN).collect()
}

/// As many of the parts as have room while the first is shown in full, then those behind it as fully as what is left
/// allows; and whether that is all of all of them.
fn chosen(parts: &[Forms], all: usize, room: usize, width: usize) -> (Vec<Text>, bool) {
    let more = |shown: usize| {
        let mut more = Part::new(width);
        if shown < all {
            more.say(format!("and {} more that threads wait for: -v", all - shown), 2);
        }
        more
    };
    let height = |forms: &Forms, form: usize| forms.get(form).map_or(0, Part::height);
    let shortest = |forms: &Forms| forms.len().saturating_sub(1);
    // The form in which each of the first ones is shown.
    let mut forms: Vec<usize> = Vec::new();
    let mut left = room;
    for (at, part) in parts.iter().enumerate() {
        let behind = more(at + 1).height();
        let fitting = |form: &usize| height(part, *form) + behind <= left;
        let form = match at {
            0 => (0..part.len()).find(fitting),
            _ => Some(shortest(part)).filter(fitting),
        };
        let Some(form) = form else { break };
        left -= height(part, form);
        forms.push(form);
    }
    left = left.saturating_sub(more(forms.len()).height());
    for (part, form) in parts.iter().zip(&mut forms) {
        let own = height(part, *form);
        if let Some(fuller) = (0..*form).find(|&fuller| height(part, fuller) <= own + left) {
            left = (left + own).saturating_sub(height(part, fuller));
            *form = fuller;
        }
    }
    let whole = forms.len() == all && forms.iter().all(|&form| form == 0);
    let shown = parts
        .iter()
        .zip(&forms)
        .filter_map(|(part, &form)| part.get(form));
    let mut lines: Vec<Text> = shown.flat_map(|part| part.lines.clone()).collect();
    lines.extend(more(forms.len()).lines);
    (lines, whole)
}

fn deadlock(deadlock: &Deadlock, title: &str, look: Look, width: usize) -> Forms {
    let mut short = Part::new(width);
    let behind = match deadlock.behind.threads {
        0 => String::new(),
        _ => format!("; behind them {}", wait_lines::behind(&deadlock.behind)),
    };
    let line = format!("{title}: {}{behind}", each_other(deadlock));
    short.say(Text::all(look, line), 3);
    let mut next = Part::new(width);
    if let Some(first) = deadlock.ring.first() {
        next.say(look_at(format!("chain {}", first.node.address())), 5);
    }
    let steps = wait_lines::steps(&deadlock.ring, true);
    let form = |most: usize| {
        let mut form = short.clone();
        let shown = if steps.len() > most {
            most.saturating_sub(1)
        } else {
            steps.len()
        };
        for step in steps.iter().take(shown) {
            form.say(text!("   {step}"), 5);
        }
        if shown < steps.len() {
            form.say(
                format!("   ... {} more steps of the ring: -v", steps.len() - shown),
                5,
            );
        }
        form.lines.extend(next.lines.clone());
        form
    };
    vec![form(STEPS), form(2), short]
}

fn look_at(command: String) -> Text {
    text!("   look at: {}", Cell::new(Look::Command, command))
}

fn blocker(at: usize, blocker: &Blocker, width: usize) -> Forms {
    let mut head = Part::new(width);
    let number = Cell::new(Look::Warning, format!("{}.", at + 1));
    head.say(
        text!("{number} {}", plainly::blocker(&blocker.node, blocker.end)),
        3,
    );
    head.say(text!("   {}", wait_lines::behind_blocker(blocker)), 5);
    let mut chain = Part::new(width);
    let steps = wait_lines::steps(&blocker.chain.steps, false);
    let steps = steps.split_last().map_or(&[][..], |(_, before)| before);
    if let Some((first, rest)) = steps.split_first() {
        chain.say(text!("   {first}"), 5);
        if let [last] = rest {
            chain.say(text!("   {last}"), 5);
        } else if !rest.is_empty() {
            chain.say(format!("   ... {} more steps to it: -v", rest.len()), 5);
        }
    }
    let mut evidence = Part::new(width);
    for servers in &blocker.servers_behind {
        let line = text!(
            "   {} of its servers wait behind {} {}",
            servers.servers,
            servers.blocker,
            inferred()
        );
        evidence.say(line, 5);
    }
    if evidence.height() > 2 {
        let more = evidence.height() - 1;
        evidence.lines.truncate(1);
        evidence.say(format!("   ... {more} more lines of its servers: -v"), 5);
    }
    let doing = blocker.suspect.as_ref().and_then(doing);
    if let Some(doing) = doing {
        evidence.say(doing, 5);
    }
    let first = blocker.chain.steps.first();
    let mut next = Part::new(width);
    if let Some(command) = next_command(&blocker.node, first.map(|step| &step.node)) {
        next.say(look_at(command), 5);
    } else if matches!(blocker.node, Node::Irp(_)) {
        let command = wait_lines::kd_command(&blocker.node);
        next.say(text!("   {}", Cell::new(Look::Command, command)), 5);
    }
    let form = |parts: &[&Part]| {
        let mut form = head.clone();
        parts
            .iter()
            .for_each(|part| form.lines.extend(part.lines.clone()));
        form
    };
    vec![
        form(&[&chain, &evidence, &next]),
        form(&[&evidence, &next]),
        form(&[&next]),
        form(&[]),
    ]
}

/// What the last thread is doing: the function on top of its stack, else whose code lies there.
pub(super) fn doing(suspect: &Suspect) -> Option<Text> {
    if let Some(doing) = &suspect.stack.doing {
        let words = doing.words.map(|words| format!(", {words}"));
        return Some(text!(
            "   in {}{}",
            escape::text(&doing.site),
            words.unwrap_or_default()
        ));
    }
    match &suspect.stack_modules {
        Value::Known(modules) if modules.is_empty() => None,
        Value::Known(modules) => Some(text!(
            "   modules on its stack: {} {}",
            escape::text(&modules.join(", ")),
            inferred()
        )),
        Value::Missing(_) => Some(text!("   modules on its stack: {}", unknown())),
    }
}

/// What to look at next; `first` is the deepest waiter. None for what no command of ours shows.
pub(super) fn next_command(node: &Node, first: Option<&Node>) -> Option<String> {
    match node {
        Node::Process(process) if process.is_receiver => Some(format!(
            "chain {} --candidates",
            first.map_or(process.address, Node::address)
        )),
        Node::Thread(_) | Node::Message(_) | Node::Process(_) => Some(format!("chain {}", node.address())),
        Node::Port(_) => Some(format!("port {}", node.address())),
        _ => None,
    }
}

/// Ports in trouble, and what could not be read: of each so many, and how many more there are.
fn foot(hang: &Hang, width: usize, most: usize) -> Part {
    let mut foot = Part::new(width);
    let ports = &hang.ports_in_trouble;
    if !ports.is_empty() {
        let shown = ports.iter().take(most).map(plainly::trouble_in_short);
        let mut line = text!(
            "{} in trouble: {}",
            wait_lines::plural(ports.len(), "port"),
            joined(shown, ", ")
        );
        match ports.len().saturating_sub(most) {
            0 => {}
            _ if most == 0 => line.push("hang -v has them"),
            more => line.push(format!(", {more} more: -v")),
        }
        foot.say(line, 2);
    }
    let mut rest = hang.unread.len();
    if let Some(part) = hang.unread.first().filter(|_| most > 0) {
        let place = part.at.map(|at| format!(" {at}")).unwrap_or_default();
        let why = part
            .complete
            .reason()
            .map(ToString::to_string)
            .unwrap_or_default();
        let mut line = Part::new(width);
        line.say(
            text!(
                "{} not read: {}{place}: {}",
                unknown(),
                part.what,
                escape::text(&why)
            ),
            2,
        );
        if line.height() <= REASON {
            foot.lines.extend(line.lines);
            rest -= 1;
        }
    }
    if rest > 0 {
        let more = if rest < hang.unread.len() { "more " } else { "" };
        let line = text!(
            "{} {} of the system could not be read, so that waits may be missing: -v",
            unknown(),
            wait_lines::plural(rest, &format!("{more}part"))
        );
        foot.say(line, 2);
    }
    foot
}
