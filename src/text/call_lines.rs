//! Which call a message is, in the words of an engineer: `ROpenServiceW (svcctl 16)`.

use alpc::Addr;
use alpc::port::call::{
    Apartment, Asked, Call, CallTally, CandidateInterface, ComCall, Known, Protocol, StatusRecord, Told,
};
use alpc::port::certainty::Certainty;

use crate::text::escape;
use crate::text::marked::{Text, sure, text};
use crate::text::rows::Rows;

/// Candidates that a line names.
const NAMED: usize = 3;

/// What is called: the procedure with its interface and number, and how sure that is where it is not proven.
pub fn asked(call: &Call) -> Text {
    let number = call.procedure_number.unwrap_or(0);
    match (call.protocol, call.kind) {
        (Protocol::Lrpc, "request") => request(call, number),
        (Protocol::Lrpc, "pipe-chunk") => text!("a chunk of the pipe of {}", request(call, number)),
        (Protocol::Lrpc, kind) => match &call.interface {
            Some(interface) => text!("RPC {kind} of {}", escape::text(&interface.short())),
            None => text!("RPC {kind}{}", status(call.status.as_ref())),
        },
        (protocol, _) => {
            let name = call
                .procedure
                .as_ref()
                .map(|procedure| escape::text(&procedure.name));
            // csrss' numbers are only legible in hex: the server is in the upper half, as 1 for BASESRV in 0x10000
            // and up.
            let name = name.unwrap_or_else(|| format!("call 0x{number:x}"));
            text!(
                "{name} ({} 0x{number:x}){}",
                server(protocol),
                unless_proven(call.certainty)
            )
        }
    }
}

fn server(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Csr => "csrss",
        Protocol::Sm | Protocol::Sb => "smss",
        Protocol::Wer => "error reporting",
        Protocol::Spm => "lsass",
        _ => "RPC",
    }
}

fn request(call: &Call, number: u32) -> Text {
    let inner = call.inner.as_ref().and_then(|inner| inner.name);
    let inner = inner.map_or_else(Text::default, |inner| {
        text!(" for {inner} {}", sure(Certainty::Inferred))
    });
    match call.known() {
        Known::Procedure(certainty) => {
            let interface = call.interface.as_ref().map(|interface| interface.short());
            let interface = escape::text(&interface.unwrap_or_default());
            let procedure = match &call.procedure {
                Some(procedure) => text!(
                    "{}{} ({interface} {number})",
                    if procedure.sure { "" } else { "~" },
                    escape::text(&procedure.name)
                ),
                None => text!("procedure {number} of {interface}"),
            };
            text!("{procedure}{}{inner}", unless_proven(certainty))
        }
        _ if call.com.is_some() => com(call, number),
        Known::Candidates => {
            let named: Vec<String> = call.candidates.iter().take(NAMED).map(candidate).collect();
            let more = call.candidates.len().saturating_sub(named.len());
            let more = if more > 0 {
                format!(" or {more} more")
            } else {
                String::new()
            };
            text!("RPC procedure {number}, perhaps {}{more}", named.join(" or "))
        }
        Known::Number => text!("RPC procedure {number}"),
    }
}

/// `SspirCallRpc (sspirpc)`, or the interface alone where the number has no name in it.
fn candidate(candidate: &CandidateInterface) -> String {
    let interface = escape::text(&candidate.short());
    match &candidate.procedure {
        Some(name) => {
            let mark = if candidate.sure { "" } else { "~" };
            format!("{mark}{} ({interface})", escape::text(name))
        }
        None => format!("one of {interface}"),
    }
}

fn com(call: &Call, number: u32) -> Text {
    let apartment = call.com.as_ref().map_or(Apartment::Neutral, |com| com.apartment);
    let inferred = sure(Certainty::Inferred);
    text!("COM method {number} of an object in its {apartment} {inferred}")
}

fn unless_proven(certainty: Certainty) -> Text {
    match certainty {
        Certainty::Proven => Text::default(),
        _ => text!(" {}", sure(certainty)),
    }
}

fn status(status: Option<&StatusRecord>) -> String {
    status.map_or_else(String::new, |status| match status.name {
        Some(name) => format!(" {name}"),
        None => format!(" {}", status.code),
    })
}

/// What could be determined, else why not.
fn told<T>(value: &Told<T>, write: impl Fn(&T) -> String) -> String {
    match value {
        Told::Known(value) => write(value),
        Told::Undetermined { undetermined } => {
            format!(
                "cannot be determined: {}",
                escape::text(&undetermined.to_string())
            )
        }
    }
}

/// Kinds of calls that a line counts.
const COUNTED: usize = 6;

/// `4 × LsarLookupSids3, 2 × LsarLookupNames4`
pub fn tallies(tallies: &[CallTally]) -> String {
    let count = |tally: &CallTally| {
        let call = match &tally.call {
            Asked::Call(key) => escape::text(key),
            Asked::NotDecoded => "of no known protocol".to_owned(),
            Asked::Unreadable => "unreadable".to_owned(),
        };
        format!("{} \u{d7} {call}", tally.count)
    };
    let mut counted: Vec<String> = tallies.iter().take(COUNTED).map(count).collect();
    let rest: usize = tallies.iter().skip(COUNTED).map(|tally| tally.count).sum();
    if rest > 0 {
        counted.push(format!("{rest} others"));
    }
    counted.join(", ")
}

/// The rows of a call in the view of its message.
pub fn rows(rows: &mut Rows, call: &Call) {
    let port = match call.certainty {
        Certainty::Proven => Text::default(),
        certainty => text!(" {}", sure(certainty)),
    };
    rows.text("Call", text!("{} {}{port}", call.protocol.name(), call.kind));
    if call.asks() {
        rows.text("Calls", asked(call));
    }
    let number = |rows: &mut Rows, label: &str, value: Option<u32>| {
        if let Some(value) = value {
            rows.text(label, format!("0x{value:X} ({value})"));
        }
    };
    number(rows, "CallId", call.call_id);
    number(rows, "Binding", call.binding);
    number(
        rows,
        "ProcedureNumber",
        call.raw_procedure_number.or(call.procedure_number),
    );
    if let Some(flags) = call.flags {
        rows.text(
            "CallFlags",
            format!("0x{flags:X} {}", call.flag_names.join(" ")).trim_end(),
        );
    }
    if let Some(status) = &call.status {
        let name = status.name.map(|name| format!(" {name}")).unwrap_or_default();
        rows.text(
            "CallStatus",
            format!("0x{:X} ({}){name}", status.code, status.code),
        );
    }
    if let Some(arguments) = call.arguments {
        rows.text("ArgumentBytes", arguments.to_string());
    }
    if let Some(length) = call.view_length {
        rows.text("ViewBytes", length.to_string());
    }
    interface(rows, call);
    if let Some(object) = &call.object {
        rows.text("ObjectUuid", told(object, ToString::to_string));
    }
    if let Some(com) = &call.com {
        com_rows(rows, com);
    }
    if let Some(server) = &call.unexpected_server {
        let expected = server.expected.join(" or ");
        let image = escape::text(&server.image);
        rows.text(
            "UnexpectedServer",
            format!("{image}: in Windows {expected} has this port"),
        );
    }
}

fn interface(rows: &mut Rows, call: &Call) {
    if let Some(interface) = &call.interface {
        let name = interface
            .name
            .as_ref()
            .map(|name| format!("{} ", escape::text(name)));
        let version = interface.version.as_ref().map(|version| format!(" {version}"));
        let bind = interface
            .bind
            .map(|bind| format!(": message {bind}"))
            .unwrap_or_default();
        rows.text(
            "Interface",
            text!(
                "{}{}{} {} {}{bind}",
                name.unwrap_or_default(),
                interface.uuid,
                version.unwrap_or_default(),
                sure(interface.certainty),
                interface.evidence
            ),
        );
        if !interface.modules.is_empty() {
            rows.text("InterfaceModules", escape::text(&interface.modules.join(", ")));
        }
    }
    for one in call.candidates.iter() {
        let count = if one.has_procedure {
            ""
        } else {
            ", number of procedures unknown"
        };
        rows.text(
            "Candidate",
            format!(
                "{} {}: {}{count}",
                one.uuid,
                candidate(one),
                escape::text(&one.source)
            ),
        );
    }
}

fn com_rows(rows: &mut Rows, com: &ComCall) {
    rows.text("Com", sure(com.certainty));
    let inferred = sure(Certainty::Inferred);
    rows.text("ComApartment", text!("{} {inferred}", com.apartment));
    if let Some(thread) = &com.apartment_thread {
        let id = com.apartment_thread_id_low.as_ref();
        let id = id.map(|id| text!(" (id ends in {})", told(id, |id| format!("{id:04x}"))));
        rows.text(
            "ComApartmentThread",
            text!(
                "{}{} {inferred}",
                told(thread, Addr::to_string),
                id.unwrap_or_default()
            ),
        );
    }
    if let Some(causality) = com.causality {
        rows.text("ComCausality", causality.to_string());
    }
    if let Some(id) = com.com_call_id {
        rows.text("ComCallId", id.to_string());
    }
    if let Some(thread) = com.client_thread_id {
        rows.text("ComClientThread", format!("{thread:04x}"));
    }
    if let Some(asynchronous) = com.asynchronous {
        let text = if asynchronous { "Yes" } else { "No" };
        rows.text("ComAsynchronous", text!("{text} {}", sure(Certainty::Inferred)));
    }
}
