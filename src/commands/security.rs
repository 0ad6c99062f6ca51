//! `security`: the debugger's `!sd`, of a port or another object, or of a descriptor by its own address.

use alpc::object::identify::{self, Identity};
use alpc::report::access::{self, PortSide, SecurityRecord};
use alpc::report::select::Selector;
use alpc::security::descriptor::{AceRecord, DescriptorRecord, ListRecord, ListState};
use alpc::{Kernel, Unreadable, Value};
use clap::Args;

use crate::commands::{Category, Spec, Verb};
use crate::failure::Failure;
use crate::options::Options;
use crate::output::answer::Answer;
use crate::output::schema::Shape;
use crate::output::table::of;
use crate::selector;
use crate::session::Session;
use crate::text::marked::{Text, text};
use crate::text::rows::{Rows, or_question};
use crate::text::{escape, token_lines};

/// Who may connect to a port or open an object: its security descriptor (!sd)
#[derive(Clone, Debug, Args)]
pub struct SecurityArgs {
    /// A port or another object, by its address or full path, or the address of a descriptor
    #[arg(value_name = "PORT|OBJECT|DESCRIPTOR")]
    pub of: String,
}

impl SecurityArgs {
    /// What is known of it.
    pub const SPEC: Spec = Spec {
        category: Category::System,
        switches: &[],
        shape: Shape {
            name: "security",
            results: &[of::<SecurityRecord>],
            tables: &[],
            whole: &[of::<SecurityRecord>],
        },
    };
}

impl Verb for SecurityArgs {
    fn run(&self, options: &Options, session: &Session) -> anyhow::Result<Answer> {
        let kernel = session.kernel()?;
        let record = record(&kernel, &self.of)?;
        Ok(Answer::new(view(&record, options), &record)?.served_by(&kernel))
    }

    fn named(&self) -> Vec<String> {
        vec![self.of.clone()]
    }

    fn is_of_one_thing(&self) -> bool {
        true
    }

    fn look_at(&mut self, address: String) {
        self.of = address;
    }
}

/// A descriptor is known by its bytes before anything else: what stands before one can pass for the header of an object by
/// chance.
fn record(kernel: &Kernel<'_>, named: &str) -> anyhow::Result<SecurityRecord> {
    let address = match selector::parse(named)? {
        Selector::Name(name) if !name.contains('\\') => selector::port(kernel, named)?,
        _ => selector::object(kernel, named)?,
    };
    let alone = access::descriptor_at(kernel, address);
    let is_object = matches!(identify::identify(kernel, address), Identity::Object { .. })
        || alpc::port::kind(kernel.at(address)).is_ok();
    match alone {
        Ok(record) => Ok(record),
        Err(_) if is_object => Ok(access::object(kernel, address)),
        Err(Unreadable::Implausible(why)) => Err(Failure::not_there(
            "not-a-descriptor",
            format!(
                "neither an object nor a security descriptor is at {}: {}; {why}",
                kernel.addr(address),
                identify::identify(kernel, address)
            ),
        )),
        Err(hole) => Err(Failure::partial(
            hole.id(),
            format!(
                "the security descriptor at {} cannot be read: {hole}",
                kernel.addr(address)
            ),
        )),
    }
}

fn view(record: &SecurityRecord, options: &Options) -> Text {
    let mut rows = Rows::new(0, record.address.digits());
    rows.line("");
    head(&mut rows, record);
    match &record.descriptor {
        Value::Known(Some(descriptor)) => self::descriptor(&mut rows, descriptor, options),
        Value::Known(None) => no_descriptor(&mut rows, record),
        Value::Missing(hole) => rows.line(text!("Descriptor: ? ({hole})")),
    }
    if let Some(port) = &record.port {
        callers(&mut rows, port);
    }
    for finding in &record.findings {
        rows.line(text!(
            "Worth a look [{}]: {}; innocent when: {}",
            finding.id,
            finding.text,
            finding.innocent
        ));
    }
    rows.finish()
}

fn head(rows: &mut Rows, record: &SecurityRecord) {
    let what = or_question(&record.object_type, |of| match of {
        Some(of) => or_question(&of.name, |name| escape::text(name)),
        None => "descriptor".into(),
    });
    let path = or_question(&record.path, |path| {
        path.as_deref().map(escape::text).unwrap_or_default()
    });
    rows.heading(text!("{what} {} {path}", record.address));
    let Some(port) = &record.port else { return };
    if let Some(connection) = &port.connection_port {
        rows.line(text!(
            "An end of a connection has no descriptor of its own: what follows is that of its connection port {}",
            connection.address
        ));
    }
    let process = or_question(&port.owner_process, |process| match process {
        Some(process) => text!(
            "{} {}",
            process.address,
            or_question(&process.image, |image| escape::text(image))
        ),
        None => "none".into(),
    });
    let owner = or_question(&port.owner, |owner| match owner {
        Some(owner) => text!(
            ", user {}, integrity {}",
            or_question(&owner.user, token_lines::sid),
            or_question(&owner.integrity, |level| level
                .as_ref()
                .map_or_else(|| "none".to_owned(), |level| level.word.clone()))
        ),
        None => ", without a token".into(),
    });
    let protection = or_question(&port.protection, |protection| {
        protection
            .as_ref()
            .map(|text| format!(", {text}"))
            .unwrap_or_default()
    });
    rows.line(text!("Owner process: {process}{owner}{protection}"));
    rows.line(text!(
        "PortAttributes.Flags: {} ({})",
        or_question(&port.flags, |flags| format!("0x{flags:x}")),
        or_question(&port.allows_impersonation, |allows| if *allows {
            "the other side may impersonate its owner"
        } else {
            "does not allow the other side to impersonate"
        })
    ));
}

fn no_descriptor(rows: &mut Rows, record: &SecurityRecord) {
    let named = matches!(&record.path, Value::Known(Some(_)));
    rows.line(if named {
        "Descriptor: NULL: nothing is checked when it is opened by its name"
    } else {
        "Descriptor: NULL, as of objects without a name (inferred): nobody can open it by one"
    });
}

fn descriptor(rows: &mut Rows, record: &DescriptorRecord, options: &Options) {
    rows.line(text!("SDDL: {}", escape::text(&record.sddl)));
    let who = |sid: &Option<alpc::security::sid::SidRecord>| {
        sid.as_ref().map_or_else(|| "none".to_owned(), token_lines::sid)
    };
    rows.line(text!(
        "Control: 0x{:04x} ({})",
        record.control,
        record.control_names.join(" ")
    ));
    rows.line(text!("Owner: {}", who(&record.owner)));
    if options.verbose {
        rows.line(text!("Group: {}", who(&record.group)));
        rows.line(text!("Descriptor at {}", record.address));
    }
    list(rows, "DACL", &record.dacl);
    match &record.label {
        Some(label) => rows.line(text!(
            "Label: {} (0x{:x}), callers below it: {}",
            label.integrity,
            label.level,
            label.policy
        )),
        None => rows.line("Label: none, which counts as medium, no write up"),
    }
    if options.verbose || !matches!(record.sacl.state, ListState::Absent) {
        list(rows, "SACL", &record.sacl);
    }
}

fn list(rows: &mut Rows, name: &str, list: &ListRecord) {
    let dacl = name == "DACL";
    rows.line(match list.state {
        ListState::Absent if dacl => text!("{name}: not present: everybody has all access"),
        ListState::Null if dacl => text!("{name}: NULL: everybody has all access"),
        ListState::Empty if dacl => text!("{name}: empty: nobody has access"),
        ListState::Absent => text!("{name}: not present"),
        ListState::Null => text!("{name}: NULL"),
        ListState::Empty => text!("{name}: empty"),
        _ if dacl => text!("{name}, the first entry that bears decides:"),
        _ => text!("{name}:"),
    });
    for (number, entry) in list.entries.iter().enumerate() {
        rows.line(ace(number, entry));
        if let Some(bytes) = &entry.bytes {
            let condition = entry.condition.as_deref().unwrap_or("not understood");
            rows.line(text!("      {}; its bytes are {bytes}", escape::text(condition)));
        }
    }
    if let Some(damage) = &list.damage {
        rows.line(text!("  ? the rest cannot be read: {damage}"));
    }
}

/// `  0 ACCESS_ALLOWED       S-1-1-0 (Everyone): CONNECT`
fn ace(number: usize, entry: &AceRecord) -> Text {
    let kind = entry.kind.trim_end_matches("_ACE_TYPE");
    let flags = match entry.flags {
        0 => String::new(),
        8 => ", only for objects below".to_owned(),
        flags => format!(", flags 0x{flags:x}"),
    };
    let who = entry
        .who
        .as_ref()
        .map_or_else(|| "somebody".to_owned(), token_lines::sid);
    let rights = entry
        .rights
        .as_deref()
        .unwrap_or("rights that are not understood");
    text!("  {number:>2} {kind:<24} {who}: {rights}{flags}")
}

fn callers(rows: &mut Rows, port: &PortSide) {
    for caller in &port.callers {
        rows.line(text!(
            "Connect by {}: {} ({})",
            caller.who,
            caller.verdict.word(),
            escape::text(&caller.why)
        ));
    }
}
