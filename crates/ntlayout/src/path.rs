//! Symbol paths as the debuggers and `_NT_SYMBOL_PATH` write them.
//!
//! Grammar: elements separated by `;`. An element is a folder; `srv*` or `symsrv*symsrv.dll*` followed by
//! stores separated by `*`, nearest first; or `cache*` followed by one store. A store that is a URL or on
//! another machine (`\\server\share`) is remote: it is named and never asked. An empty store stands for the
//! default one. Source: "Symbol path for Windows debuggers" of Microsoft's documentation.

use std::path::{Path, PathBuf};

/// A place to look for symbols.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Place {
    /// A file, or a folder in any of the usual shapes.
    Path(PathBuf),
    /// A symbol store.
    Store(PathBuf),
    /// A server, which is only named.
    Remote(String),
}

/// Takes a symbol path apart. `default_store` is where an empty store is; without one it is left out.
#[must_use]
pub fn parse_path(text: &str, default_store: Option<&Path>) -> Vec<Place> {
    let elements = text
        .split(';')
        .map(str::trim)
        .filter(|element| !element.is_empty());
    let parts = elements.flat_map(|element| split_colons(element, cfg!(unix)));
    parts
        .flat_map(|part| parse_element(part, default_store))
        .collect()
}

fn parse_element(element: &str, default_store: Option<&Path>) -> Vec<Place> {
    let mut parts = element.split('*');
    let head = parts.next().unwrap_or_default();
    let stores: Vec<&str> = if head.eq_ignore_ascii_case("srv") || head.eq_ignore_ascii_case("cache") {
        parts.collect()
    } else if head.eq_ignore_ascii_case("symsrv") {
        // The library that serves comes first.
        parts.skip(1).collect()
    } else {
        let element = unquoted(element);
        return vec![if is_remote(element) {
            Place::Remote(element.to_owned())
        } else {
            Place::Path(element.into())
        }];
    };
    let place = |store: &&str| match unquoted(store) {
        "" => default_store.map(|store| Place::Store(store.to_owned())),
        store if is_remote(store) => Some(Place::Remote(store.to_owned())),
        store => Some(Place::Store(store.into())),
    };
    stores.iter().filter_map(place).collect()
}

fn unquoted(text: &str) -> &str {
    text.trim().trim_matches('"')
}

/// Whether opening the path would go over the network.
pub(crate) fn is_remote(path: &str) -> bool {
    let url = path.split_once("://").is_some_and(|(scheme, _)| {
        !scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric())
    });
    url || path.starts_with(r"\\") || (cfg!(windows) && path.starts_with("//"))
}

/// On Unix paths are also listed with colons; one is taken for a separator where what follows begins a path
/// or an element, and never in a URL, behind a drive letter, or in the name of something that exists.
fn split_colons(element: &str, unix: bool) -> Vec<&str> {
    if !unix || !element.contains(':') || Path::new(element).exists() {
        return vec![element];
    }
    let mut parts = Vec::new();
    let mut rest = element;
    let mut from = 0usize;
    while let Some(colon) = rest.get(from..).and_then(|tail| tail.find(':')) {
        let at = from.saturating_add(colon);
        let (Some(before), Some(after)) = (rest.get(..at), rest.get(at.saturating_add(1)..)) else {
            break;
        };
        if before.len() > 1 && begins_element(after) {
            parts.push(before);
            (rest, from) = (after, 0);
        } else {
            from = at.saturating_add(1);
        }
    }
    parts.push(rest);
    parts
}

fn begins_element(text: &str) -> bool {
    let words = ["srv*", "symsrv*", "cache*"];
    let is_word = |word: &&str| {
        text.get(..word.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(word))
    };
    let is_path = text.starts_with(['/', '~', '.']) && !text.starts_with("//");
    is_path || words.iter().any(is_word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(text: &str) -> Vec<String> {
        let show = |place: Place| match place {
            Place::Path(path) => format!("path {}", path.display()),
            Place::Store(path) => format!("store {}", path.display()),
            Place::Remote(url) => format!("remote {url}"),
        };
        parse_path(text, Some(Path::new("/default")))
            .into_iter()
            .map(show)
            .collect()
    }

    #[test]
    fn elements_are_told_apart() {
        assert_eq!(places(r"C:\symbols"), [r"path C:\symbols"]);
        assert_eq!(
            places("srv*C:\\sym*https://msdl.microsoft.com/download/symbols"),
            [
                "store C:\\sym",
                "remote https://msdl.microsoft.com/download/symbols"
            ]
        );
        assert_eq!(places("SRV*"), ["store /default"]);
        assert_eq!(
            places("symsrv*symsrv.dll*c:\\a**\\\\server\\share"),
            ["store c:\\a", "store /default", r"remote \\server\share"]
        );
        assert_eq!(
            places("cache*/c; /d ;;\"/e f\""),
            ["store /c", "path /d", "path /e f"]
        );
        assert_eq!(places(r"\\server\share"), [r"remote \\server\share"]);
        assert_eq!(places("srv"), [] as [&str; 0]);
        assert_eq!(places(""), [] as [&str; 0]);
    }

    #[test]
    fn colons_separate_only_where_nothing_else_is_meant() {
        let split = |text| split_colons(text, true);
        assert_eq!(split("/a:/b"), ["/a", "/b"]);
        assert_eq!(
            split("srv*/c*https://x.y/z:/b:cache*/d"),
            ["srv*/c*https://x.y/z", "/b", "cache*/d"]
        );
        assert_eq!(split("https://x.y:8080/z"), ["https://x.y:8080/z"]);
        assert_eq!(split("C:/symbols"), ["C:/symbols"]);
        assert_eq!(split("/a:b"), ["/a:b"]);
        assert_eq!(split_colons("/a:/b", false), ["/a:/b"]);
    }

    #[test]
    fn what_is_on_the_network_is_known() {
        for remote in ["http://x", "HTTPS://x", r"\\server\share", "file://x"] {
            assert!(is_remote(remote), "{remote}");
        }
        for local in ["/a", "C:\\a", "a", "/x://y"] {
            assert!(!is_remote(local), "{local}");
        }
    }
}
