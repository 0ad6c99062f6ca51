//! Names of releases of Windows by the build number of their kernel.
//!
//! `data/releases.tsv` has them, from Microsoft's release information (`learn.microsoft.com`, windows/release-health and
//! windows-server/get-started/windows-server-release-info) and, of releases before Windows 10, its operating system
//! version table (`win32/sysinfo/operating-system-version`). Releases that Microsoft turns on in an installed system by a
//! small package keep the kernel of the one before: the build number in a dump is that of the kernel's files, and such
//! releases are named together.

/// Build, name of the clients, name of the servers; `-` for none.
const RELEASES: &str = include_str!("../../data/releases.tsv");

/// `_KUSER_SHARED_DATA.NtProductType` of a client.
const CLIENT: u32 = 1;

/// The release that a kernel's build is of: by the product type of the header, where that says whether it is a client;
/// else both names. None for a build that was never released, or not when this was written.
#[must_use]
pub fn name(build: u32, product_type: Option<u32>) -> Option<String> {
    let lines = RELEASES.lines().filter(|line| !line.starts_with('#'));
    let mut rows = lines.map(|line| line.split('\t'));
    let mut row = rows.find(|row| {
        let first = row.clone().next();
        first.and_then(|first| first.parse().ok()) == Some(build)
    })?;
    let mut next = || row.next().filter(|name| *name != "-");
    next();
    let (client, server) = (next(), next());
    // A server and a client of one build are the same kernel files: 9600 is Windows 8.1 and Windows Server 2012
    // R2.
    let known = match product_type {
        Some(CLIENT) => client,
        Some(2 | 3) => server,
        _ => None,
    };
    let names = match known {
        Some(name) => vec![name],
        None => client.into_iter().chain(server).collect(),
    };
    Some(names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_complete_and_in_order() {
        let rows: Vec<Vec<&str>> = RELEASES
            .lines()
            .filter(|line| !line.starts_with('#'))
            .map(|line| line.split('\t').collect())
            .collect();
        let builds: Vec<u32> = rows.iter().map(|row| row[0].parse().unwrap()).collect();
        assert!(builds.is_sorted_by(|one, next| one < next));
        assert!(
            rows.iter()
                .all(|row| row.len() == 3 && row[1..].iter().any(|name| *name != "-"))
        );
    }

    /// By Microsoft's release information.
    #[test]
    fn releases_by_build_and_product() {
        let name = |build, product| name(build, product).unwrap_or_default();
        assert_eq!(name(9600, Some(3)), "Windows Server 2012 R2");
        assert_eq!(name(9600, Some(1)), "Windows 8.1");
        assert_eq!(name(9600, None), "Windows 8.1, Windows Server 2012 R2");
        assert_eq!(name(20348, Some(2)), "Windows Server 2022");
        assert_eq!(name(26100, Some(1)), "Windows 11 24H2, 25H2 or 26H2");
        assert_eq!(name(17134, Some(1)), "Windows 10 1803");
        assert_eq!(name(12345, Some(1)), "");
    }
}
