//! Who well-known identifiers are. Names are those of MS-DTYP 2.4.2.4; rows that stand in one source alone say so.

use std::borrow::Cow;

use crate::sid::Sid;

/// Names of single identifiers.
const NAMES: &[(u64, &[u32], &str)] = &[
    (0, &[0], "Null"),
    (1, &[0], "Everyone"),
    (2, &[0], "Local"),
    (2, &[1], "Console Logon"),
    (3, &[0], "Creator Owner"),
    (3, &[1], "Creator Group"),
    (3, &[2], "Creator Owner Server"),
    (3, &[3], "Creator Group Server"),
    (3, &[4], "Owner Rights"),
    (5, &[1], "Dialup"),
    (5, &[2], "Network"),
    (5, &[3], "Batch"),
    (5, &[4], "Interactive"),
    (5, &[6], "Service"),
    (5, &[7], "Anonymous"),
    (5, &[8], "Proxy"),
    (5, &[9], "Enterprise Domain Controllers"),
    (5, &[10], "Self"),
    (5, &[11], "Authenticated Users"),
    (5, &[12], "Restricted"),
    (5, &[13], "Terminal Server User"),
    (5, &[14], "Remote Interactive Logon"),
    (5, &[15], "This Organization"),
    (5, &[17], "IUSR"),
    (5, &[18], "SYSTEM"),
    (5, &[19], "LOCAL SERVICE"),
    (5, &[20], "NETWORK SERVICE"),
    (5, &[32, 544], "Administrators"),
    (5, &[32, 545], "Users"),
    (5, &[32, 546], "Guests"),
    (5, &[32, 547], "Power Users"),
    (5, &[32, 548], "Account Operators"),
    (5, &[32, 549], "Server Operators"),
    (5, &[32, 550], "Print Operators"),
    (5, &[32, 551], "Backup Operators"),
    (5, &[32, 552], "Replicator"),
    (5, &[32, 554], "Pre-Windows 2000 Compatible Access"),
    (5, &[32, 555], "Remote Desktop Users"),
    (5, &[32, 556], "Network Configuration Operators"),
    (5, &[32, 557], "Incoming Forest Trust Builders"),
    (5, &[32, 558], "Performance Monitor Users"),
    (5, &[32, 559], "Performance Log Users"),
    (5, &[32, 560], "Windows Authorization Access Group"),
    (5, &[32, 561], "Terminal Server License Servers"),
    (5, &[32, 562], "Distributed COM Users"),
    (5, &[32, 568], "IIS_IUSRS"),
    (5, &[32, 569], "Cryptographic Operators"),
    (5, &[32, 573], "Event Log Readers"),
    (5, &[32, 574], "Certificate Service DCOM Access"),
    (5, &[32, 578], "Hyper-V Administrators"),
    (5, &[32, 579], "Access Control Assistance Operators"),
    (5, &[32, 580], "Remote Management Users"),
    (5, &[33], "Write Restricted"),
    (5, &[64, 10], "NTLM Authentication"),
    (5, &[64, 14], "SChannel Authentication"),
    (5, &[64, 21], "Digest Authentication"),
    (5, &[80, 0], "All Services"),
    (
        5,
        &[
            80,
            956_008_885,
            3_418_522_649,
            1_831_038_044,
            1_853_292_631,
            2_271_478_464,
        ],
        "TrustedInstaller",
    ),
    // These four are general knowledge; no published table at hand has them.
    (5, &[83, 0], "Virtual Machines"),
    (5, &[113], "Local account"),
    (5, &[114], "Local account and member of Administrators"),
    (15, &[2, 2], "ALL RESTRICTED APPLICATION PACKAGES"),
    (5, &[84, 0, 0, 0, 0, 0], "User-mode drivers"),
    (15, &[2, 1], "ALL APPLICATION PACKAGES"),
    (16, &[0], "untrusted integrity"),
    (16, &[4096], "low integrity"),
    (16, &[8192], "medium integrity"),
    (16, &[8448], "medium plus integrity"),
    (16, &[12288], "high integrity"),
    (16, &[16384], "system integrity"),
    (16, &[20480], "protected process integrity"),
    (18, &[1], "Authentication authority asserted identity"),
    (18, &[2], "Service asserted identity"),
];

/// Accounts and groups that every machine or domain has, by the last number (MS-DTYP 2.4.2.4).
const OF_DOMAINS: &[(u32, &str)] = &[
    (500, "Administrator of its machine or domain"),
    (501, "Guest of its machine or domain"),
    (502, "krbtgt of its domain"),
    (512, "Domain Admins of its domain"),
    (513, "Domain Users of its domain"),
    (514, "Domain Guests of its domain"),
    (515, "Domain Computers of its domain"),
    (516, "Domain Controllers of its domain"),
    (518, "Schema Admins of its domain"),
    (519, "Enterprise Admins of its domain"),
];

/// Capabilities of applications by their number, 1 to 12 (general knowledge, not checked with a second table).
const CAPABILITIES: [&str; 12] = [
    "internetClient",
    "internetClientServer",
    "privateNetworkClientServer",
    "picturesLibrary",
    "videosLibrary",
    "musicLibrary",
    "documentsLibrary",
    "enterpriseAuthentication",
    "sharedUserCertificates",
    "removableStorage",
    "appointments",
    "contacts",
];

/// The name of a well-known identifier, or what kind of thing it names; none for accounts that only a machine or a domain
/// knows.
#[must_use]
pub fn of(sid: &Sid) -> Option<Cow<'static, str>> {
    let mut names = NAMES.iter();
    if let Some((.., name)) =
        names.find(|(authority, sub, _)| sid.authority() == *authority && sid.sub() == *sub)
    {
        return Some((*name).into());
    }
    match (sid.authority(), sid.sub()) {
        (5, [5, _, _]) => Some("a logon session".into()),
        (5, [21, _, _, _, last]) => {
            let mut known = OF_DOMAINS.iter();
            known
                .find(|(number, _)| number == last)
                .map(|(_, name)| (*name).into())
        }
        (5, [80, ..]) => Some("a service".into()),
        (5, [83, ..]) => Some("a virtual machine".into()),
        (5, [87, ..]) => Some("a scheduled task".into()),
        (5, [90, 0, number]) => Some(format!("Window Manager DWM-{number}").into()),
        (5, [96, 0, number]) => Some(format!("Font Driver Host UMFD-{number}").into()),
        (15, [2, rest @ ..]) if rest.len() >= 7 => Some("an application package".into()),
        (15, [3, number]) => Some(capability(*number)),
        (15, [3, ..]) => Some("a capability".into()),
        (16, [level]) => Some(format!("integrity 0x{level:x}").into()),
        (19, [kind, level]) => Some(trust(*kind, *level).into()),
        _ => None,
    }
}

fn capability(number: u32) -> Cow<'static, str> {
    let index = number
        .checked_sub(1)
        .and_then(|index| usize::try_from(index).ok());
    match index.and_then(|index| CAPABILITIES.get(index)) {
        Some(name) => format!("capability {name}").into(),
        None => "a capability".into(),
    }
}

/// A process trust label, `S-1-19-KIND-LEVEL` (the numbers are NtCoreLib's alone).
fn trust(kind: u32, level: u32) -> String {
    let kind = match kind {
        0 => "no",
        512 => "light",
        1024 => "full",
        _ => "unknown",
    };
    let level = match level {
        0 => "no signer",
        1024 => "Authenticode",
        1536 => "Antimalware",
        2048 => "App",
        4096 => "Windows",
        8192 => "WinTcb",
        _ => "an unknown signer",
    };
    format!("process trust: {kind} protection, {level}")
}

/// The word for a level of integrity, by the published level that it reaches; the number where it is below none.
#[must_use]
pub fn integrity(level: u32) -> String {
    let word = match level {
        0 => "untrusted",
        0x1000 => "low",
        0x2000 => "medium",
        0x2100 => "medium plus",
        0x3000 => "high",
        0x4000 => "system",
        0x5000 => "protected",
        _ => return format!("0x{level:x}"),
    };
    word.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_letters_lead_to_identifiers() {
        for (letters, authority, sub) in crate::alias::ALIASES {
            let sid = Sid::new(*authority, sub);
            assert_eq!(letters.parse::<Sid>().as_ref(), Ok(&sid));
            assert_eq!(sid.letters(), Some(*letters));
            assert!(of(&sid).is_some(), "{letters} has no name");
        }
        let name = |text: &str| of(&text.parse().unwrap()).unwrap().into_owned();
        assert_eq!(name("S-1-5-18"), "SYSTEM");
        assert_eq!(name("S-1-5-5-0-54321"), "a logon session");
        assert_eq!(name("S-1-15-3-1"), "capability internetClient");
        assert_eq!(
            name("S-1-5-21-1-2-3-500"),
            "Administrator of its machine or domain"
        );
        assert_eq!(
            name("S-1-19-512-1536"),
            "process trust: light protection, Antimalware"
        );
        assert_eq!(of(&"S-1-5-21-1-2-3-1001".parse().unwrap()), None);
    }
}
