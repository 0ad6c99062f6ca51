//! An access token in the lines of the debugger's `!token`.

use alpc::Value;
use alpc::security::sid::SidRecord;
use alpc::security::token::{GroupRecord, PrivilegesRecord, TokenRecord};

use crate::text::escape;
use crate::text::marked::{Text, text};
use crate::text::rows::{Rows, or_question};

/// An identifier with its name: `S-1-5-18 (SYSTEM)`.
pub fn sid(sid: &SidRecord) -> String {
    match &sid.name {
        Some(name) => format!("{} ({name})", sid.sid),
        None => sid.sid.clone(),
    }
}

/// The whole token; `verbose` adds what hardly ever matters.
pub fn token(rows: &mut Rows, token: &TokenRecord, verbose: bool) {
    rows.line(text!("_TOKEN {}", token.address));
    rows.line(text!(
        "TS Session ID: {}",
        or_question(&token.session, |session| format!("0x{session:x}"))
    ));
    rows.line(text!("User: {}", or_question(&token.user, sid)));
    rows.line(text!(
        "Account: {}",
        maybe(&token.account, |account| escape::text(account))
    ));
    rows.line(text!(
        "Integrity: {}",
        maybe(&token.integrity, |level| format!(
            "{} (0x{:x})",
            level.word, level.level
        ))
    ));
    groups(rows, "User Groups:", &token.groups);
    rows.line(text!("Primary Group: {}", maybe(&token.primary_group, sid)));
    privileges(rows, &token.privileges);
    container(rows, token);
    kind(rows, token);
    if verbose {
        ids(rows, token);
    }
    for sign in &token.signs {
        rows.line(text!("SIGN OF TAMPERING: {sign}"));
    }
}

fn maybe<T>(value: &Value<Option<T>>, words: impl FnOnce(&T) -> String) -> Text {
    or_question(value, |value| {
        value.as_ref().map_or_else(|| "none".to_owned(), words)
    })
}

fn groups(rows: &mut Rows, head: &str, groups: &Value<Vec<GroupRecord>>) {
    match groups {
        Value::Known(all) if all.is_empty() => rows.line(text!("{head} none")),
        Value::Known(all) => {
            rows.line(head);
            for (number, group) in all.iter().enumerate() {
                rows.line(text!(" {number:02} {}", or_question(&group.group, sid)));
                rows.line(text!("    Attributes - {}", group.words.join(" ")));
            }
        }
        Value::Missing(hole) if hole.is_absence() => {}
        Value::Missing(hole) => rows.line(text!("{head} ? ({hole})")),
    }
}

fn privileges(rows: &mut Rows, privileges: &Value<PrivilegesRecord>) {
    let privileges = match privileges {
        Value::Known(privileges) => privileges,
        Value::Missing(hole) => {
            rows.line(text!("Privs: ? ({hole})"));
            return;
        }
    };
    rows.line(if privileges.all.is_empty() {
        "Privs: none"
    } else {
        "Privs:"
    });
    for one in &privileges.all {
        let mut words = Vec::new();
        if one.enabled {
            words.push("Enabled");
        }
        if one.by_default {
            words.push("Default");
        }
        if !one.present {
            words.push("NotPresent");
        }
        let name = one.name.unwrap_or("Unknown Privilege");
        rows.line(text!(
            " {:02} 0x{:09x} {name:<41} Attributes - {}",
            one.number,
            one.number,
            words.join(" ")
        ));
    }
}

/// What only callers in an AppContainer, restricted ones and protected processes have.
fn container(rows: &mut Rows, token: &TokenRecord) {
    if let Value::Known(Some(package)) = &token.package {
        rows.line(text!("Package: {}", sid(package)));
        groups(rows, "Capabilities:", &token.capabilities);
    } else if token.package.is_unreadable() {
        rows.line("Package: ?");
    }
    if !matches!(&token.restricted, Value::Known(all) if all.is_empty()) {
        groups(rows, "Restricted SIDs:", &token.restricted);
    }
    if let Value::Known(Some(trust)) = &token.trust {
        rows.line(text!("Trust: {}", sid(trust)));
    } else if token.trust.is_unreadable() {
        rows.line("Trust: ?");
    }
}

fn kind(rows: &mut Rows, token: &TokenRecord) {
    rows.line(text!(
        "TokenType: {}{}",
        or_question(&token.token_type, ToString::to_string),
        or_question(&token.level, |level| level
            .map(|level| format!(", level {level}"))
            .unwrap_or_default())
    ));
    let names = or_question(&token.flag_names, |names| names.join(" "));
    rows.line(text!(
        "Source: {}  TokenFlags: {} ({names})",
        or_question(&token.source, |source| escape::text(source)),
        or_question(&token.flags, |flags| format!("0x{flags:x}")),
    ));
    let id = |value: &Value<u64>| or_question(value, |id| format!("0x{id:x}"));
    rows.line(text!(
        "Authentication ID: {}  Token ID: {}",
        id(&token.authentication_id),
        id(&token.token_id)
    ));
}

fn ids(rows: &mut Rows, token: &TokenRecord) {
    let id = |value: &Value<u64>| or_question(value, |id| format!("0x{id:x}"));
    rows.line(text!(
        "ParentToken ID: {}  Modified ID: {}  OriginatingLogonSession: {}",
        id(&token.parent_token_id),
        id(&token.modified_id),
        id(&token.originating_logon)
    ));
    rows.line(text!(
        "MandatoryPolicy: {}  Token in use: {}",
        or_question(&token.mandatory_policy, |policy| format!("0x{policy:x}")),
        or_question(&token.in_use, |used| if *used { "yes" } else { "no" })
    ));
}
