//! The numbers that access tokens and processes carry, in words (`winnt.h`, NtCoreLib, phnt).

/// Attributes of a group in a token.
const GROUP: [(u32, &str); 8] = [
    (0x0000_0001, "Mandatory"),
    (0x0000_0002, "Default"),
    (0x0000_0004, "Enabled"),
    (0x0000_0008, "Owner"),
    (0x0000_0010, "UseForDenyOnly"),
    (0x0000_0020, "GroupIntegrity"),
    (0x0000_0040, "GroupIntegrityEnabled"),
    (0x2000_0000, "Resource"),
];

/// The two bits that mark the identifier of a logon.
const LOGON_ID: u32 = 0xc000_0000;

/// The bit of a group that counts.
pub const ENABLED: u32 = 4;

/// The bit of a group that only denies.
pub const DENY_ONLY: u32 = 0x10;

/// Bits of `_TOKEN.TokenFlags` by their names in NtCoreLib.
const FLAGS: [(u32, &str); 24] = [
    (0x1, "HAS_TRAVERSE_PRIVILEGE"),
    (0x2, "HAS_BACKUP_PRIVILEGE"),
    (0x4, "HAS_RESTORE_PRIVILEGE"),
    (0x8, "WRITE_RESTRICTED"),
    (0x10, "IS_RESTRICTED"),
    (0x20, "SESSION_NOT_REFERENCED"),
    (0x40, "SANDBOX_INERT"),
    (0x80, "HAS_IMPERSONATE_PRIVILEGE"),
    (0x100, "BACKUP_PRIVILEGES_CHECKED"),
    (0x200, "VIRTUALIZE_ALLOWED"),
    (0x400, "VIRTUALIZE_ENABLED"),
    (0x800, "IS_FILTERED"),
    (0x1000, "UIACCESS"),
    (0x2000, "NOT_LOW"),
    (0x4000, "LOWBOX"),
    (0x8000, "HAS_OWN_CLAIM_ATTRIBUTES"),
    (0x1_0000, "PRIVATE_NAMESPACE"),
    (0x2_0000, "DO_NOT_USE_GLOBAL_ATTRIBS_FOR_QUERY"),
    (0x4_0000, "SPECIAL_ENCRYPTED_OPEN"),
    (0x8_0000, "NO_CHILD_PROCESS"),
    (0x10_0000, "NO_CHILD_PROCESS_UNLESS_SECURE"),
    (0x20_0000, "AUDIT_NO_CHILD_PROCESS"),
    (0x40_0000, "ENFORCE_REDIRECTION_TRUST"),
    (0x80_0000, "AUDIT_REDIRECTION_TRUST"),
];

/// The bit of `TokenFlags` of a caller in an AppContainer.
pub const LOWBOX: u32 = 0x4000;

/// Privileges by number, from 2 on.
const PRIVILEGES: [&str; 35] = [
    "SeCreateTokenPrivilege",
    "SeAssignPrimaryTokenPrivilege",
    "SeLockMemoryPrivilege",
    "SeIncreaseQuotaPrivilege",
    "SeMachineAccountPrivilege",
    "SeTcbPrivilege",
    "SeSecurityPrivilege",
    "SeTakeOwnershipPrivilege",
    "SeLoadDriverPrivilege",
    "SeSystemProfilePrivilege",
    "SeSystemtimePrivilege",
    "SeProfileSingleProcessPrivilege",
    "SeIncreaseBasePriorityPrivilege",
    "SeCreatePagefilePrivilege",
    "SeCreatePermanentPrivilege",
    "SeBackupPrivilege",
    "SeRestorePrivilege",
    "SeShutdownPrivilege",
    "SeDebugPrivilege",
    "SeAuditPrivilege",
    "SeSystemEnvironmentPrivilege",
    "SeChangeNotifyPrivilege",
    "SeRemoteShutdownPrivilege",
    "SeUndockPrivilege",
    "SeSyncAgentPrivilege",
    "SeEnableDelegationPrivilege",
    "SeManageVolumePrivilege",
    "SeImpersonatePrivilege",
    "SeCreateGlobalPrivilege",
    "SeTrustedCredManAccessPrivilege",
    "SeRelabelPrivilege",
    "SeIncreaseWorkingSetPrivilege",
    "SeTimeZonePrivilege",
    "SeCreateSymbolicLinkPrivilege",
    "SeDelegateSessionUserImpersonatePrivilege",
];

/// Who signed a protected process.
const SIGNERS: [&str; 9] = [
    "None",
    "Authenticode",
    "CodeGen",
    "Antimalware",
    "Lsa",
    "Windows",
    "WinTcb",
    "WinSystem",
    "App",
];

/// The attributes of a group in the debugger's words; bits without a word as a number at the end.
#[must_use]
pub fn group_attributes(attributes: u32) -> Vec<String> {
    let mut left = attributes;
    let mut words = taken(&mut left, &GROUP);
    if left & LOGON_ID == LOGON_ID {
        left &= !LOGON_ID;
        words.push("LogonId".to_owned());
    }
    rest(left, &mut words);
    words
}

/// The flags of a token; bits without a name as a number at the end.
#[must_use]
pub fn flags(flags: u32) -> Vec<String> {
    let mut left = flags;
    let mut words = taken(&mut left, &FLAGS);
    rest(left, &mut words);
    words
}

fn taken(left: &mut u32, of: &[(u32, &str)]) -> Vec<String> {
    let mut words = Vec::new();
    for (bit, word) in of {
        if *left & bit != 0 {
            *left &= !bit;
            words.push((*word).to_owned());
        }
    }
    words
}

fn rest(left: u32, words: &mut Vec<String>) {
    if left != 0 {
        words.push(format!("0x{left:x}"));
    }
}

/// The name of a privilege by its number; none for numbers that no privilege has.
#[must_use]
pub fn privilege(number: u32) -> Option<&'static str> {
    let index = number
        .checked_sub(2)
        .and_then(|index| usize::try_from(index).ok())?;
    PRIVILEGES.get(index).copied()
}

/// `SECURITY_IMPERSONATION_LEVEL`.
#[must_use]
pub fn level(level: u32) -> Option<&'static str> {
    const LEVELS: [&str; 4] = ["anonymous", "identification", "impersonation", "delegation"];
    LEVELS.get(usize::try_from(level).ok()?).copied()
}

/// The protection of a process by the byte of `_PS_PROTECTION`: `PPL/Lsa`, `PP/WinSystem`; none where it has none.
#[must_use]
pub fn protection(byte: u8) -> Option<String> {
    let kind = match byte & 7 {
        0 => return None,
        1 => "PPL".to_owned(),
        2 => "PP".to_owned(),
        kind => format!("protection {kind}"),
    };
    let signer = SIGNERS.get(usize::from(byte >> 4));
    let audit = if byte & 8 == 0 { "" } else { ", audit" };
    Some(match signer {
        Some(signer) => format!("{kind}/{signer}{audit}"),
        None => format!("{kind}/signer {}{audit}", byte >> 4),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_words() {
        assert_eq!(group_attributes(7).join(" "), "Mandatory Default Enabled");
        assert_eq!(
            group_attributes(0xc000_0007).join(" "),
            "Mandatory Default Enabled LogonId"
        );
        assert_eq!(
            group_attributes(0x60).join(" "),
            "GroupIntegrity GroupIntegrityEnabled"
        );
        // The flags of public transcripts of !token.
        assert_eq!(flags(0x2a00).join(" "), "VIRTUALIZE_ALLOWED IS_FILTERED NOT_LOW");
        assert_eq!(privilege(23), Some("SeChangeNotifyPrivilege"));
        assert_eq!(privilege(36), Some("SeDelegateSessionUserImpersonatePrivilege"));
        assert_eq!((privilege(1), privilege(37)), (None, None));
        assert_eq!(protection(0x41).as_deref(), Some("PPL/Lsa"));
        assert_eq!(protection(0x72).as_deref(), Some("PP/WinSystem"));
        assert_eq!(protection(0), None);
        assert_eq!(level(2), Some("impersonation"));
    }
}
