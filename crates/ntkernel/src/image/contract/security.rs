//! Access tokens, what they are captured with, and the logon sessions behind them.

use crate::image::contract::locks;
use crate::structures;

structures! {
    after locks::END;

    /// An access token.
    Token = "_TOKEN" {
        // Eight characters and an id: a fixed public format.
        TokenSource: O "TokenSource",
        TokenId: O "TokenId",
        AuthenticationId: O "AuthenticationId",
        ParentTokenId: O "ParentTokenId",
        ModifiedId: O "ModifiedId",
        // Three masks of eight bytes each: present, enabled, enabled by default.
        Privileges: O "Privileges",
        SessionId: O "SessionId",
        UserAndGroupCount: O "UserAndGroupCount",
        RestrictedSidCount: O "RestrictedSidCount",
        UserAndGroups: O "UserAndGroups",
        RestrictedSids: O "RestrictedSids",
        PrimaryGroup: O "PrimaryGroup",
        TokenType: O "TokenType",
        ImpersonationLevel: O "ImpersonationLevel",
        TokenFlags: O "TokenFlags",
        TokenInUse: O "TokenInUse",
        IntegrityLevelIndex: O "IntegrityLevelIndex",
        MandatoryPolicy: O "MandatoryPolicy",
        LogonSession: O "LogonSession",
        OriginatingLogonSession: O "OriginatingLogonSession",
        // Of AppContainers: Windows 8 and later.
        Package: O "Package",
        Capabilities: O "Capabilities",
        CapabilityCount: O "CapabilityCount",
        // 8.1 and later.
        TrustLevelSid: O "TrustLevelSid",
    }
    /// How a client lets itself be impersonated.
    QualityOfService = "_SECURITY_QUALITY_OF_SERVICE" {
        ImpersonationLevel: O "ImpersonationLevel",
        ContextTrackingMode: O "ContextTrackingMode",
        EffectiveOnly: O "EffectiveOnly",
    }
    /// Who logged on; only complete symbol tables have it.
    LogonSession = "_SEP_LOGON_SESSION_REFERENCES" {
        LogonId: O "LogonId",
        AccountName: O "AccountName",
        AuthorityName: O "AuthorityName",
    }
}
