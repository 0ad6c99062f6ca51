//! Files of images in symbol paths.
//!
//! A symbol store keeps an image as `name/TIMESTAMPsize/name`: the time stamp of its header in eight upper-case digits and
//! its size in memory in lower-case ones. A folder may have it by its name alone. Whoever takes a file from here looks
//! whether its header has that stamp and that size.

use std::fs;
use std::path::{Path, PathBuf};

use crate::given::links_to_network;
use crate::path::Place;

/// Longer names no file system has.
const NAME: usize = 255;

/// Files that may be the image of that name, time stamp and size, in the order of the places. Each is a plain file inside of
/// its place: what a dump names leads nowhere else.
#[must_use]
pub fn find_images(name: &str, timestamp: u32, size: u32, places: &[Place]) -> Vec<PathBuf> {
    let name = name.rsplit(['\\', '/']).next().unwrap_or_default();
    let is_plain = |c: char| !c.is_control() && !matches!(c, ':' | '*' | '?' | '"' | '<' | '>' | '|');
    if name.is_empty() || name.len() > NAME || name.starts_with('.') || !name.chars().all(is_plain) {
        return Vec::new();
    }
    // Eight digits of the time stamp in upper case, the size in lower case without leading zeros
    // (dotnet/symstore's "SSQP key conventions"): 5EB35CBEa2000.
    let key = format!("{timestamp:08X}{size:x}");
    // Copies on other systems are often in lower case throughout.
    let names = [name.to_owned(), name.to_lowercase()];
    let keys = [key.clone(), key.to_lowercase()];
    let mut found = Vec::new();
    for root in places.iter().filter_map(Place::local) {
        let stored = names
            .iter()
            .flat_map(|name| keys.iter().map(move |key| root.join(name).join(key).join(name)));
        let alone = names.iter().map(|name| root.join(name));
        for path in stored.chain(alone) {
            if is_inside(root, &path) && !found.contains(&path) {
                found.push(path);
            }
        }
    }
    found
}

fn is_inside(root: &Path, path: &Path) -> bool {
    // Following a link can already go over the network, which nothing here does.
    let mut links = path.ancestors().take_while(|part| *part != root);
    if links.any(links_to_network) {
        return false;
    }
    let is_file = fs::metadata(path).is_ok_and(|metadata| metadata.is_file());
    let whole = |path: &Path| fs::canonicalize(path).ok();
    is_file
        && whole(root)
            .zip(whole(path))
            .is_some_and(|(root, path)| path.starts_with(root))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_found_as_stores_keep_them_and_nowhere_else() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("store");
        let inner = store.join("afd.sys").join("5EB35CBEa2000");
        fs::create_dir_all(&inner).unwrap();
        fs::write(inner.join("afd.sys"), "MZ").unwrap();
        fs::write(folder.path().join("outside.sys"), "MZ").unwrap();
        let places = [Place::Store(store.clone()), Place::Remote("https://x".to_owned())];
        let find = |name: &str, stamp| find_images(name, stamp, 0xa2000, &places);
        let wanted = vec![inner.join("afd.sys")];
        assert_eq!(
            find("\\SystemRoot\\System32\\drivers\\afd.sys", 0x5eb3_5cbe),
            wanted
        );
        assert_eq!(find("AFD.SYS", 0x5eb3_5cbe).last(), wanted.last());
        assert_eq!(find("afd.sys", 0x5eb3_5cbf), Vec::<PathBuf>::new());
        for name in ["..", "", "..\\..", "../outside.sys", "c:afd.sys", "a\0b"] {
            assert_eq!(find(name, 0x5eb3_5cbe), Vec::<PathBuf>::new(), "{name}");
        }
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(folder.path().join("outside.sys"), store.join("link.sys")).unwrap();
            assert_eq!(find("link.sys", 1), Vec::<PathBuf>::new());
        }
        fs::write(store.join("link2.sys"), "MZ").unwrap();
        assert_eq!(find("link2.sys", 1), [store.join("link2.sys")]);
    }
}
