//! How users name things: one rule for every command.
//!
//! A bare token with `0x`, a back-tick or at least eight hex digits is an address; anything else is a name.
//! Numbers carry a prefix: `pid:`, `tid:`, `id:`, decimal or `0x`. `name:` forces a name. `current` is the thread
//! that crashed, or ran where the dump was written, and its process.

use alpc::image::redact::{Ids, Redaction};
use alpc::process::ProcessRef;
use alpc::report::near::{Near, Nearest};
use alpc::report::select::{self, NotSelected, Nowhere, Selector, Thing};
use alpc::{Kernel, Unreadable, Value};
use kdump::{Gva, TranslateError};

use crate::address;
use crate::failure::Failure;
use crate::text::escape;

/// Candidates that are listed for an ambiguous selector.
const LISTED: usize = 32;

/// Reads a selector. What views print is taken as they print it: `023c.025c` is process and thread id, and brackets and
/// commas around an address or an id were copied with it.
pub fn parse(token: &str) -> anyhow::Result<Selector> {
    let token = unwrapped(token);
    if let Some((_, thread)) = client_id(token) {
        return Ok(Selector::ThreadId(thread));
    }
    let number = |digits: &str| number(token, digits);
    match token.split_once(':') {
        // Decimal as Task Manager and tasklist show ids, where a debugger's Cid is hex: 0x33c of a transcript
        // is 828 there.
        Some(("pid", digits)) => number(digits).map(Selector::ProcessId),
        Some(("tid", digits)) => number(digits).map(Selector::ThreadId),
        Some(("id", digits)) => {
            let id = u32::try_from(number(digits)?).map_err(|_| not_a_number(token))?;
            Ok(Selector::MessageId(id))
        }
        Some(("name", name)) => Ok(Selector::Name(name.to_owned())),
        None if token.eq_ignore_ascii_case("current") => Ok(Selector::Current),
        // `name:` before it for a name that looks like one: endpoints of programs' own may be called anything,
        // feedbeef too.
        _ if is_meant_as_address(token) => address::parse(token).map(Selector::Address),
        _ => Ok(Selector::Name(token.to_owned())),
    }
}

/// An address or an id without what stood around it where it was copied: `[fffff8800f4cc950],`. Names keep everything:
/// those of ports may begin with a bracket.
fn unwrapped(token: &str) -> &str {
    let bare = token.trim_matches(|c: char| c.is_whitespace() || "[](){}<>,;\"'".contains(c));
    let digits = bare.strip_suffix(['h', 'H']).unwrap_or(bare);
    if address::looks_like_address(digits) {
        return digits;
    }
    let is_id = ["pid:", "tid:", "id:"]
        .iter()
        .any(|prefix| bare.starts_with(prefix));
    if is_id || client_id(bare).is_some() {
        bare
    } else {
        token
    }
}

/// Process and thread id as views and debuggers print them, `023c.025c`: hex without a sign of it.
fn client_id(token: &str) -> Option<(u64, u64)> {
    let (process, thread) = token.split_once('.')?;
    let id = |text: &str| {
        let is_id = (1..=8).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_id.then(|| u64::from_str_radix(text, 16).ok()).flatten()
    };
    Some((id(process)?, id(thread)?))
}

/// Also a token that only begins like an address: a slip of the fingers is told as one.
fn is_meant_as_address(token: &str) -> bool {
    let marked = token.starts_with("0x") || token.starts_with("0X") || token.contains('`');
    marked || address::looks_like_address(token)
}

fn number(token: &str, digits: &str) -> anyhow::Result<u64> {
    // The standard library's parsers take a sign.
    let valid = !digits.contains(['+', '-']);
    let parsed = match hex_digits(digits) {
        Some(hex) => u64::from_str_radix(hex, 16),
        None => digits.strip_prefix("0n").unwrap_or(digits).parse(),
    };
    parsed.ok().filter(|_| valid).ok_or_else(|| not_a_number(token))
}

/// One rule: a number is decimal, as Task Manager shows it, and hex with 0x before it, an h behind it, a letter in it, or a
/// leading zero, as views print it. `0n` says that it is decimal, as in debuggers.
fn hex_digits(digits: &str) -> Option<&str> {
    let marked = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X"));
    let marked = marked.or_else(|| digits.strip_suffix(['h', 'H']));
    let has_letter = digits.bytes().any(|byte| byte.is_ascii_alphabetic());
    let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let as_printed = is_hex && (has_letter || (digits.len() > 1 && digits.starts_with('0')));
    marked.or_else(|| as_printed.then_some(digits))
}

/// A number of things, by the same rule: `128`, `0x80`, `80h`.
pub fn count(token: &str) -> Option<u64> {
    number(token, token).ok()
}

/// An address and nothing else: for what is looked at as it is, whatever it may be.
pub fn only_address(token: &str) -> anyhow::Result<Gva> {
    address::parse(unwrapped(token))
}

fn not_a_number(token: &str) -> anyhow::Error {
    Failure::fatal(
        "not-a-number",
        format!(
            "\"{}\" has no number behind its prefix: decimal, or hex with 0x, a letter or a leading zero, as in pid:828, pid:0x33c \
             or pid:033c",
            token.escape_debug()
        ),
    )
}

/// The address of the process that a token names.
pub fn process(kernel: &Kernel<'_>, token: &str) -> anyhow::Result<Gva> {
    resolve(kernel, token, Thing::Process, select::process)
}

/// The addresses of all processes of an image, and why there may be more.
pub fn processes_of(kernel: &Kernel<'_>, image: &str) -> anyhow::Result<(Vec<Gva>, Vec<Unreadable>)> {
    let found = select::processes_of(&kernel.unredacted(), image);
    found.map_err(|error| match kernel.redaction() {
        None => failure(&error, &meant_number(kernel, &error), false),
        Some(redaction) => failure(&redacted(error, kernel, redaction), "", true),
    })
}

/// The name of an image, where a token names a thread as nothing else can; a number is an id without its prefix.
pub fn image(token: &str) -> Option<String> {
    match parse(token).ok()? {
        Selector::Name(name) if numbers(&name).is_empty() => Some(name),
        _ => None,
    }
}

/// The addresses of all processes that a token names: of an image that runs in several all of them.
pub fn processes(kernel: &Kernel<'_>, token: &str) -> anyhow::Result<Vec<Gva>> {
    match parse(token)? {
        Selector::Name(image) => processes_of(kernel, &image).map(|(processes, _)| processes),
        _ => Ok(vec![process(kernel, token)?]),
    }
}

/// The address of the port that a token names.
pub fn port(kernel: &Kernel<'_>, token: &str) -> anyhow::Result<Gva> {
    resolve(kernel, token, Thing::Port, select::port)
}

/// The address of the thread that a token names.
pub fn thread(kernel: &Kernel<'_>, token: &str) -> anyhow::Result<Gva> {
    resolve(kernel, token, Thing::Thread, select::thread)
}

/// Whether a process is in the session that is wanted, or may be: what cannot be read excludes none.
pub fn is_in_session(kernel: &Kernel<'_>, wanted: Option<u32>, process: Gva) -> bool {
    wanted.is_none_or(|wanted| {
        let session = alpc::process::session(kernel.at(process));
        session.map_or(true, |session| session == Some(wanted))
    })
}

/// The same of a process that something names.
pub fn of_process_in(kernel: &Kernel<'_>, wanted: Option<u32>, process: &Value<Option<ProcessRef>>) -> bool {
    match process {
        Value::Known(Some(process)) => is_in_session(kernel, wanted, process.address.gva()),
        Value::Known(None) => wanted.is_none(),
        Value::Missing(_) => true,
    }
}

/// The address of the object that a token names.
pub fn object(kernel: &Kernel<'_>, token: &str) -> anyhow::Result<Gva> {
    resolve(kernel, token, Thing::Object, select::object)
}

/// The address of the port or resource that a token names.
pub fn resource(kernel: &Kernel<'_>, token: &str) -> anyhow::Result<Gva> {
    resolve(kernel, token, Thing::Resource, select::port)
}

/// The address of the structure that a token names: of an object, or of a message by its id.
pub fn structure(kernel: &Kernel<'_>, token: &str) -> anyhow::Result<Gva> {
    match parse(token)? {
        Selector::MessageId(_) => message(kernel, token),
        _ => resolve(kernel, token, Thing::Structure, select::object),
    }
}

/// The address of the message that a token names.
pub fn message(kernel: &Kernel<'_>, token: &str) -> anyhow::Result<Gva> {
    resolve(kernel, token, Thing::Message, select::message)
}

/// Refuses a type of objects that there is not.
pub fn object_type(kernel: &Kernel<'_>, name: &str) -> anyhow::Result<()> {
    // Types are called alike on every Windows: none of their names is replaced.
    select::object_type(&kernel.unredacted(), name).map_err(|error| failure(&error, "", false))
}

/// The name that one may have been meant as.
pub fn nearest<'n>(word: &str, names: impl IntoIterator<Item = &'n str>) -> Option<String> {
    let mut nearest = Nearest::to(word);
    names.into_iter().for_each(|name| nearest.offer(name, None));
    nearest.names().into_iter().next().map(|near| near.name)
}

/// The question whether one of these was meant; nothing where there are none.
pub fn did_you_mean(near: &[Near], redacted: bool) -> String {
    let one = |near: &Near| {
        let at = match (near.count, near.process_id, near.address) {
            (2.., ..) => format!(" ({} of them)", near.count),
            // A placeholder finds nothing; an address does.
            (_, Some(id), _) if !redacted => format!(" (pid:{id:#x})"),
            (_, _, Some(address)) => format!(" ({address})"),
            _ => String::new(),
        };
        format!("{}{at}", escape::text(&near.name))
    };
    let names: Vec<String> = near.iter().map(one).collect();
    match names.split_last() {
        None => String::new(),
        Some((only, [])) => format!("; did you mean {only}?"),
        Some((last, others)) => format!("; did you mean {} or {last}?", others.join(", ")),
    }
}

fn resolve(
    kernel: &Kernel<'_>,
    token: &str,
    what: Thing,
    select: impl FnOnce(&Kernel<'_>, &Selector) -> Result<Gva, NotSelected>,
) -> anyhow::Result<Gva> {
    let mut selector = parse(token)?;
    if let (Thing::Process, Some((process, _))) = (what, client_id(unwrapped(token))) {
        selector = Selector::ProcessId(process);
    }
    if let Selector::Address(address) = &mut selector {
        *address = self::address(kernel, *address, what)?;
    }
    let Some(redaction) = kernel.redaction() else {
        return select(kernel, &selector)
            .map_err(|error| failure(&error, &meant_number(kernel, &error), false));
    };
    // Things are found by what they are really called.
    select(&kernel.unredacted(), &selector)
        .map_err(|error| failure(&redacted(error, kernel, redaction), "", true))
}

/// The error in the words of a redacted report.
fn redacted(error: NotSelected, kernel: &Kernel<'_>, redaction: &Redaction) -> NotSelected {
    match error {
        NotSelected::None {
            what,
            selector,
            gaps,
            near,
        } => NotSelected::None {
            what,
            selector: redacted_selector(selector, redaction),
            gaps,
            near: near
                .into_iter()
                .map(|near| redacted_near(near, what, redaction))
                .collect(),
        },
        NotSelected::Ambiguous {
            what,
            selector,
            candidates,
        } => NotSelected::Ambiguous {
            what,
            selector: redacted_selector(selector, redaction),
            candidates: candidates
                .into_iter()
                .map(|candidate| select::described(kernel, candidate.address))
                .collect(),
        },
        NotSelected::WrongKind {
            what,
            selector,
            instead,
        } => NotSelected::WrongKind {
            what,
            selector: redacted_selector(selector, redaction),
            instead,
        },
        other => other,
    }
}

/// A name that came from the dump, as a record would have it.
fn redacted_near(near: Near, what: Thing, redaction: &Redaction) -> Near {
    let is_image = what == Thing::Process || near.process_id.is_some();
    Near {
        name: match is_image {
            true => redaction.image(near.name),
            false => redaction.path(&near.name),
        },
        process_id: near.process_id.map(|id| redaction.id(Ids::Clients, id)),
        ..near
    }
}

fn redacted_selector(selector: Selector, redaction: &Redaction) -> Selector {
    match selector {
        Selector::ProcessId(id) => Selector::ProcessId(redaction.id(Ids::Clients, id)),
        Selector::ThreadId(id) => Selector::ThreadId(redaction.id(Ids::Clients, id)),
        Selector::MessageId(id) => Selector::MessageId(redaction.id32(Ids::Messages, id)),
        Selector::Name(name) => Selector::Name(redaction.token(&name)),
        address => address,
    }
}

/// Debuggers sign-extend the addresses of 32-bit systems to 64 bits in some places: `ffffffff81a2c000` is
/// `81a2c000` there.
pub fn narrowed(kernel: &Kernel<'_>, address: Gva) -> Gva {
    const SIGN: u64 = 0xffff_ffff_8000_0000;
    let value = u64::from(address);
    if kernel.addr(address).digits() == 8 && value & SIGN == SIGN {
        Gva::new(value & 0xffff_ffff)
    } else {
        address
    }
}

/// An address that no processor of this kind can use is a slip of the fingers, not a hole in the dump.
fn refuse_impossible(kernel: &Kernel<'_>, address: Gva) -> anyhow::Result<()> {
    // An x64 processor faults on an address whose upper bits do not repeat bit 47 (bit 56 with five levels of
    // tables; Intel SDM, "Canonical Addressing"). A digit lost in copying makes one: fffff8800f4cc95.
    if let Err(error @ TranslateError::NonCanonical { .. }) = kernel.space().translate(address) {
        return Err(Failure::fatal(
            "non-canonical",
            format!("{error}; check the digits"),
        ));
    }
    Ok(())
}

/// A selector that matches several things is no fault of the command line: the dump does not hold the one
/// thing that was asked for.
fn failure(error: &NotSelected, number: &str, redacted: bool) -> anyhow::Error {
    match error {
        NotSelected::Ambiguous { candidates, .. } => {
            let listed = candidates
                .iter()
                .take(LISTED)
                .map(|candidate| format!("\n  {}  {}", candidate.address, escape::text(&candidate.text)));
            let more = candidates.len().saturating_sub(LISTED);
            let rest = (more > 0).then(|| format!("\n  and {more} more"));
            let list: String = listed.chain(rest).collect();
            Failure::not_there(error.id(), format!("{error}; give the address of one:{list}"))
        }
        NotSelected::None { what, gaps, near, .. } => {
            let meant = match did_you_mean(near, redacted) {
                none if none.is_empty() => number.to_owned(),
                meant => meant,
            };
            let failure = match gaps.as_slice() {
                [] => Failure::not_there(
                    error.id(),
                    match &*meant {
                        "" => format!("{error}; {} what there is", lister(*what)),
                        meant => format!("{error}{meant} {} what there is", lister(*what)),
                    },
                ),
                [first, rest @ ..] => Failure::partial(
                    error.id(),
                    format!(
                        "{error}, but not all could be searched: {first}{}{meant}",
                        if rest.is_empty() {
                            String::new()
                        } else {
                            format!(" and {} more", rest.len())
                        }
                    ),
                ),
            };
            Failure::suggesting(failure, near)
        }
        _ => Failure::fatal(error.id(), format!("{error}{number}")),
    }
}

/// Where a command looks for a thing whose address was given.
///
/// # Errors
/// When nothing can be there: the likely meaning is told, where the number is an id.
pub fn address(kernel: &Kernel<'_>, address: Gva, what: Thing) -> anyhow::Result<Gva> {
    let address = narrowed(kernel, address);
    refuse_impossible(kernel, address)?;
    if let Some(why) = Nowhere::of(kernel, address) {
        let meant = meant_id(kernel, u64::from(address), what);
        return Err(Failure::not_there(
            "nothing-there",
            format!("no {what} is at {}: {why}{meant}", kernel.addr(address)),
        ));
    }
    // Numbers of ids are short, and no kernel object is in the lower half.
    if u32::try_from(u64::from(address)).is_ok()
        && !kernel.is_kernel_address(address)
        && let Err(why) = kernel.space().cursor().u8(address)
    {
        let meant = meant_id(kernel, u64::from(address), what);
        if !meant.is_empty() {
            let text = format!("what is at {} cannot be read: {why}{meant}", kernel.addr(address));
            return Err(Failure::partial(why.id(), text));
        }
    }
    Ok(address)
}

/// The question whether an id was meant by a number that was taken for a name.
fn meant_number(kernel: &Kernel<'_>, error: &NotSelected) -> String {
    let (NotSelected::None { selector, what, .. } | NotSelected::WrongKind { selector, what, .. }) = error
    else {
        return String::new();
    };
    let Selector::Name(name) = selector else {
        return String::new();
    };
    let meant = numbers(name)
        .into_iter()
        .map(|number| meant_id(kernel, number, *what));
    meant
        .into_iter()
        .find(|meant| !meant.is_empty())
        .unwrap_or_default()
}

/// What a name may mean as a number.
fn numbers(name: &str) -> Vec<u64> {
    if let Some(decimal) = name.strip_prefix("0n") {
        return decimal.parse().into_iter().collect();
    }
    // Both readings are common: 828 is what Task Manager shows, 33c and 828 alike may be copied from a
    // debugger's Cid, which is hex without a sign of it. Ids of processes and threads come from one table, so a
    // number is at most one of them.
    let readings = [name.parse().ok(), u64::from_str_radix(name, 16).ok()];
    readings.into_iter().flatten().collect()
}

/// The question whether the id of a process, thread or message was meant; nothing where none has that id, or where
/// records must not tell.
fn meant_id(kernel: &Kernel<'_>, number: u64, what: Thing) -> String {
    if kernel.redaction().is_some() {
        return String::new();
    }
    let mut ids: Vec<String> = select::with_id(kernel, number)
        .iter()
        .map(|id| match is_taken(id, what) {
            true => id.to_string(),
            false => format!("{} {id}", command(id)),
        })
        .collect();
    // What the command takes comes first.
    ids.sort_by_key(|id| id.contains(' '));
    match ids.split_last() {
        None => String::new(),
        Some((only, [])) => format!("; did you mean {only}?"),
        Some((last, others)) => format!("; did you mean {} or {last}?", others.join(", ")),
    }
}

/// Whether a command that looks for a thing takes such an id.
fn is_taken(id: &Selector, what: Thing) -> bool {
    match what {
        Thing::Process | Thing::Object => matches!(id, Selector::ProcessId(_) | Selector::ThreadId(_)),
        Thing::Thread => matches!(id, Selector::ThreadId(_)),
        Thing::Message => matches!(id, Selector::MessageId(_)),
        Thing::Waiter | Thing::Structure => true,
        Thing::Port | Thing::Resource | Thing::ObjectType => false,
    }
}

/// The command that shows what has such an id.
fn command(id: &Selector) -> &'static str {
    match id {
        Selector::ProcessId(_) => "process",
        Selector::ThreadId(_) => "thread",
        _ => "message",
    }
}

/// The command that lists what could have been meant.
fn lister(what: Thing) -> &'static str {
    match what {
        Thing::Process | Thing::Waiter => "`processes` lists",
        Thing::Thread => "`threads` lists",
        Thing::Port | Thing::Resource => "`ports` lists",
        Thing::Message => "`port` lists in its queues",
        Thing::ObjectType => "`object \\ObjectTypes` lists",
        Thing::Object | Thing::Structure => "`object \\` lists",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_rule_for_every_token() {
        let address = |value| Selector::Address(Gva::from(value));
        let name = |name: &str| Selector::Name(name.to_owned());
        for (token, wanted) in [
            ("fffff8800f4cc950", address(0xffff_f880_0f4c_c950)),
            ("fffff880`0f4cc950", address(0xffff_f880_0f4c_c950)),
            ("0x10", address(0x10)),
            ("deadbeef", address(0xdead_beef)),
            ("name:deadbeef", name("deadbeef")),
            ("name:pid:4", name("pid:4")),
            ("cafe", name("cafe")),
            ("1234", name("1234")),
            ("svchost.exe", name("svchost.exe")),
            ("\\RPC Control\\ntsvcs", name("\\RPC Control\\ntsvcs")),
            ("OLE:x", name("OLE:x")),
            ("pid:828", Selector::ProcessId(828)),
            ("pid:0x33c", Selector::ProcessId(0x33c)),
            ("tid:0X3C40", Selector::ThreadId(0x3c40)),
            ("id:3068", Selector::MessageId(3068)),
            // As views print them.
            ("[fffff8800f4cc950],", address(0xffff_f880_0f4c_c950)),
            ("fffff8800f4cc950h", address(0xffff_f880_0f4c_c950)),
            ("(0x10)", address(0x10)),
            ("023c.025c", Selector::ThreadId(0x25c)),
            ("(4004.4008)", Selector::ThreadId(0x4008)),
            ("pid:33c", Selector::ProcessId(0x33c)),
            ("pid:033c,", Selector::ProcessId(0x33c)),
            ("tid:0454", Selector::ThreadId(0x454)),
            ("tid:454", Selector::ThreadId(454)),
            ("id:bfc", Selector::MessageId(0xbfc)),
            ("id:0n120", Selector::MessageId(120)),
            ("id:120h", Selector::MessageId(0x120)),
            ("id:0", Selector::MessageId(0)),
            ("[CoreMsgK]-x", name("[CoreMsgK]-x")),
            ("a.b.c", name("a.b.c")),
        ] {
            assert_eq!(parse(token).unwrap(), wanted, "{token}");
        }
    }

    #[test]
    fn broken_numbers_and_addresses_are_told() {
        for token in [
            "pid:",
            "pid:12x",
            "pid:+4",
            "id:0x100000000",
            "tid:0x",
            "0xzz",
            "12`zz",
        ] {
            assert!(parse(token).is_err(), "{token}");
        }
    }
}
