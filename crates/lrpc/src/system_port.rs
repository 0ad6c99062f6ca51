//! Ports of the system that have a protocol of their own.
//!
//! Their data may look like a header of local RPC: a request of smss has a small number, then a status that is null, as
//! every message of RPC has its type and four null bytes. So a port is known by its full name before its data is looked
//! at. Sources: Geoff Chappell on csrss, NtUtils, phnt.

use std::sync::OnceLock;

use crate::bytes::u32;

/// A protocol that is not RPC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum Protocol {
    /// Calls of csrss.
    Csr,
    /// Calls of smss.
    Sm,
    /// Calls of smss to csrss.
    Sb,
    /// Requests to Windows Error Reporting. One source.
    Wer,
    /// The calls of the security support providers of lsass before they came by RPC. One source.
    Spm,
    /// A port that is not of RPC, and whose data nobody has described.
    Unknown,
}

/// What a port is by its full name in the object namespace; none for one that may be of RPC.
#[must_use]
pub fn of_path(path: &str) -> Option<Protocol> {
    // Names of objects know no case.
    let path = path.to_lowercase();
    // Each session has a csrss of its own. That of session 0 has `\Windows\ApiPort`, the others
    // `\Sessions\<n>\Windows\ApiPort`.
    let in_session = path.strip_prefix("\\sessions\\").and_then(|rest| {
        let (session, rest) = rest.split_once('\\')?;
        session.bytes().all(|byte| byte.is_ascii_digit()).then_some(rest)
    });
    match in_session.or(path.strip_prefix('\\'))? {
        "windows\\apiport" => Some(Protocol::Csr),
        "windows\\sbapiport" => Some(Protocol::Sb),
        // One smss for the whole system: its port is in no session.
        "smapiport" if in_session.is_none() => Some(Protocol::Sm),
        // Messages of 578 hex bytes, by the one source that describes them.
        "windowserrorreportingserviceport" => Some(Protocol::Wer),
        // Of the time of Vista and 7. Later the same calls come by RPC, at lsasspirpc, and even there as arguments
        // of SspirCallRpc.
        "lsaauthenticationport" => Some(Protocol::Spm),
        // What these say no source has established. They are listed so that their data is not taken for RPC's.
        "themeapiport"
        | "powerport"
        | "powermonitorport"
        | "pdcport"
        | "sermcommandport"
        | "selsacommandport"
        | "smsswinstationapiport"
        | "dbgssapiport"
        | "uxsmsapiport"
        | "basenamedobjects\\[coremessagingregistrar]" => Some(Protocol::Unknown),
        rest => {
            // Windows 7's consoles: `\RPC Control\console-<pid>-lpc-handle` is in RPC's folder and is none of RPC
            // (one listing of ports). Since 8 consoles talk to a driver, ConDrv (general knowledge), and such ports
            // are gone.
            let console = rest
                .strip_prefix("rpc control\\console-")
                .is_some_and(|rest| rest.ends_with("-lpc-handle"));
            let leaf = rest.rsplit('\\').next().unwrap_or(rest);
            // `[CoreUI]-PID(..)-TID(..) ...` and `[CoreMsgK]-...`: ports of core messaging, whose data nobody has
            // described.
            let core = leaf.starts_with("[coremsgk]-") || leaf.starts_with("[coreui]-");
            (console || core).then_some(Protocol::Unknown)
        }
    }
}

/// Whether a port is in a folder where RPC has its endpoints.
#[must_use]
pub fn is_in_rpc_folder(path: &str) -> bool {
    let path = path.to_lowercase();
    // `umpo`, `Audiosrv`, `samss lpc`, `SidKey Local End Point`, `WMsgKRpc0B1470`: no name there says RPC, the
    // folder does. Even the kernel is a client: a published graph of Windows 10 has connections of process 4 to
    // lsasspirpc and WMsgKRpc....
    path.starts_with("\\rpc control\\")
        // An app container has a folder of its own: `\Sessions\<n>\AppContainerNamedObjects\<sid>\RPC Control\...`.
        || (path.starts_with("\\sessions\\")
            && path.contains("\\appcontainernamedobjects\\")
            && path.contains("\\rpc control\\"))
}

/// A call of a protocol that is not RPC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SystemCall {
    /// The protocol.
    pub protocol: Protocol,
    /// The number of the call.
    pub number: u32,
    /// What it returned, or will.
    pub status: Option<u32>,
}

impl SystemCall {
    /// Reads the call that a message's data begins with; none when too little of it is at hand, or nobody has described
    /// such data. On 32-bit systems csrss' has a pointer of four bytes in it.
    #[must_use]
    pub fn read(protocol: Protocol, bytes: &[u8], pointer_size: u32) -> Option<Self> {
        let (number, status) = match (protocol, pointer_size) {
            (Protocol::Unknown, _) => return None,
            // A pointer to the capture buffer, then ApiNumber, then ReturnValue. A process under WOW64 sends the
            // 64-bit form: wow64.dll translates its calls (inferred). The request and its answer are one message, so
            // that the value is the caller's leftover until csrss has answered.
            (Protocol::Csr, 4) => (4, 8),
            (Protocol::Csr, _) => (8, 0xc),
            // smss and what follows its pattern: number, then status, without a pointer before them.
            _ => (0, 4),
        };
        Some(Self {
            protocol,
            number: u32(bytes, number)?,
            status: u32(bytes, status),
        })
    }

    /// Of csrss, the server in it whose call it is.
    #[must_use]
    pub fn server(&self) -> Option<&'static str> {
        let server = self
            .number
            // ApiNumber is the index of the server in csrss << 16, with the number or'ed in. Those of USERSRV begin
            // at 400 hex.
            .checked_shr(16)
            .filter(|_| self.protocol == Protocol::Csr);
        Some(match server? {
            0 => "CSRSRV",
            1 => "BASESRV",
            // CONSRV is Vista's alone: later consoles have processes of their own (conhost.exe, 7 and later).
            2 => "CONSRV",
            3 => "USERSRV",
            _ => return None,
        })
    }

    /// Its name in a build of Windows.
    #[must_use]
    pub fn name(&self, build: Option<u32>) -> Option<&'static str> {
        let protocol = match self.protocol {
            Protocol::Csr => "csr",
            Protocol::Sm => "sm",
            Protocol::Sb => "sb",
            Protocol::Wer => "wer",
            Protocol::Spm => "sspi",
            Protocol::Unknown => return None,
        };
        name(protocol, self.number, build)
    }
}

/// The name of a call of a security support provider within `SspirCallRpc`. One source.
#[must_use]
pub fn sspi_name(number: u32) -> Option<&'static str> {
    name("sspi", number, None)
}

/// Where `SspirCallRpc` has the number of its call in the data, for 64-bit clients. One source.
pub const SSPI_CALL: usize = 0x88;

struct Row {
    protocol: &'static str,
    number: u32,
    name: &'static str,
    builds: (u32, u32),
}

/// The one name that a number has in a build, or in all when that is not known.
fn name(protocol: &str, number: u32, build: Option<u32>) -> Option<&'static str> {
    static ROWS: OnceLock<Vec<Row>> = OnceLock::new();
    let rows = ROWS.get_or_init(|| TABLE.lines().skip(1).filter_map(row).collect());
    let fits = |row: &&Row| {
        let in_time = build.is_none_or(|build| row.builds.0 <= build && build <= row.builds.1);
        row.protocol == protocol && row.number == number && in_time
    };
    let mut names = rows.iter().filter(fits).map(|row| row.name);
    let first = names.next()?;
    // Numbers are given anew with versions: where the build is not known, several names are none.
    names.all(|name| name == first).then_some(first)
}

/// The table as it is checked in, which says of each row where it is from.
pub const TABLE: &str = include_str!("../data/system-calls.tsv");

fn row(line: &'static str) -> Option<Row> {
    let mut fields = line.split('\t');
    let protocol = fields.next()?;
    let number = u32::from_str_radix(fields.next()?.trim_start_matches("0x"), 16).ok()?;
    let name = fields.next()?;
    let first = fields.next()?.parse().unwrap_or(0);
    let last = fields.next()?.parse().unwrap_or(u32::MAX);
    Some(Row {
        protocol,
        number,
        name,
        builds: (first, last),
    })
}
