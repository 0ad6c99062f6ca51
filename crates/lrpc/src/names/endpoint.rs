//! Which interfaces are met at an endpoint, and which process has it.

use crate::uuid::Uuid;

/// Endpoints and interfaces, with the source of each row.
pub const TABLE: &str = include_str!("../../data/endpoints.tsv");

/// Endpoints and the images of the processes that have them, with the source of each row.
pub const IMAGES: &str = include_str!("../../data/images.tsv");

/// An interface that was met at an endpoint. Every interface of a process can be called through each of its endpoints,
/// so this proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Served {
    /// The interface.
    pub uuid: Uuid,
    /// How sure it is, and by whom.
    pub source: &'static str,
}

impl Served {
    fn rank(&self) -> u8 {
        // `observed` are listings of the endpoint mapper. What never registers there is missing in them: svcctl at
        // ntsvcs, the local use of lsarpc and samr. Those rows are `documented` or `likely`.
        let ranks = ["certain", "near certain", "documented", "observed", "likely"];
        let rank = ranks.iter().position(|word| self.source.starts_with(word));
        u8::try_from(rank.unwrap_or(ranks.len())).unwrap_or(u8::MAX)
    }
}

/// The interfaces that are known of an endpoint in a build of Windows, the surest first. `name` is the last part of the
/// port's name.
#[must_use]
pub fn served(name: &str, build: Option<u32>) -> Vec<Served> {
    let rows = TABLE.lines().skip(1).filter_map(|line| {
        let mut fields = line.split('\t');
        let endpoint = fields.next().filter(|endpoint| is(endpoint, name))?;
        let uuid = fields.next()?.parse().ok()?;
        let last = fields.nth(2)?.parse().ok();
        let source = fields.next()?;
        if build
            .zip(last)
            .is_some_and(|(build, last): (u32, u32)| build > last)
        {
            return None;
        }
        // Nothing follows from a name that is drawn at run time.
        // As OLE16E02A5AAD974222920005479E7C of a published Windows 7 view, the one endpoint of a COM process;
        // LRPC-<hex> is what a server gets that asks for any.
        (!source.starts_with("nothing") && !endpoint.is_empty()).then_some(Served { uuid, source })
    });
    let mut served: Vec<Served> = rows.collect();
    served.sort_by_key(Served::rank);
    served
}

/// Whether a name is that of an endpoint of the tables: `ntsvcs`, `WMsgKRpc*`, `OLE[0-9A-F]+`. Names of objects know no
/// case.
fn is(endpoint: &str, name: &str) -> bool {
    let begins = |prefix: &str| {
        let start = name.get(..prefix.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    let rest = |prefix: &str| name.get(prefix.len()..).unwrap_or_default();
    // winlogon's: WMsgKRpc049181 and WMsgKRpc0B1470 in two published lists of Windows 10.
    if let Some(prefix) = endpoint.strip_suffix('*') {
        return begins(prefix);
    }
    // LRPC-19740434a85e57dece in small letters, OLE16E02A5AAD974222920005479E7C in capitals (published lists).
    if let Some((prefix, _)) = endpoint.split_once('[') {
        let rest = rest(prefix);
        return begins(prefix) && !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_hexdigit());
    }
    endpoint.eq_ignore_ascii_case(name)
}

/// The images of which one has an endpoint; none when that is not known. Another one that has it may be an impostor.
#[must_use]
pub fn expected_images(name: &str) -> Option<Vec<&'static str>> {
    let mut rows = IMAGES.lines().skip(1).filter_map(|line| {
        let mut fields = line.split('\t');
        let endpoint = fields.next()?;
        is(endpoint, name).then(|| fields.next())?
    });
    rows.next().map(|images| images.split(',').collect())
}
