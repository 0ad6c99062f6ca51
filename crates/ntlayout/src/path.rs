//! Symbol paths as the debuggers and `_NT_SYMBOL_PATH` write them.
//!
//! Grammar: elements separated by `;`. An element is a folder; `srv*` or `symsrv*symsrv.dll*` followed by
//! stores separated by `*`, nearest first; or `cache*` followed by one store. A store that is a URL or on
//! another machine (`\\server\share`, in any spelling that Windows takes) is remote: it is named and never asked.
//! An empty store stands for the default one. Source: "Symbol path for Windows debuggers" of Microsoft's
//! documentation.

use std::path::{Path, PathBuf};

/// A place to look for symbols.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Place {
    /// A file, or a folder in any of the usual shapes.
    Path(PathBuf),
    /// A symbol store.
    Store(PathBuf),
    /// The dump's own folder. What lies in it may have come with the dump: it leads nowhere else.
    Beside(PathBuf),
    /// A server, which is only named.
    Remote(String),
}

impl Place {
    /// A file or folder that somebody named; a remote one, where opening it would go over the network.
    #[must_use]
    pub fn named(path: PathBuf) -> Self {
        let text = path.to_string_lossy();
        if is_remote(&text) {
            Self::Remote(text.into_owned())
        } else {
            Self::Path(path)
        }
    }

    /// The file or folder, if it is on this machine.
    pub(crate) fn local(&self) -> Option<&Path> {
        match self {
            Self::Path(path) | Self::Store(path) | Self::Beside(path) => Some(path),
            Self::Remote(_) => None,
        }
    }
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
    // The usual one is `srv*C:\symbols*https://msdl.microsoft.com/download/symbols`: what is fetched from the
    // right is kept at the left. `cache*C:\symbols;...` keeps what any later element gave.
    let stores: Vec<&str> = if head.eq_ignore_ascii_case("srv") || head.eq_ignore_ascii_case("cache") {
        parts.collect()
    } else if head.eq_ignore_ascii_case("symsrv") {
        // The library that serves comes first.
        parts.skip(1).collect()
    } else {
        return vec![Place::named(unquoted(element).into())];
    };
    let place = |store: &&str| match unquoted(store) {
        // `srv**https://...` has one: two asterisks without a folder between them mean the default store, `sym`
        // below the debugger's own folder (Microsoft's "Advanced SymSrv use").
        "" => default_store.map(|store| Place::Store(store.to_owned())),
        store if is_remote(store) => Some(Place::Remote(store.to_owned())),
        store => Some(Place::Store(store.into())),
    };
    stores.iter().filter_map(place).collect()
}

fn unquoted(text: &str) -> &str {
    // cmd's `set _NT_SYMBOL_PATH="C:\my symbols"` keeps the quotes as part of the value.
    text.trim().trim_matches('"')
}

/// Whether opening the path would go over the network on any system, by how it is spelled.
///
/// That is a URL, and whatever begins with two separators or, as `\??\`, in the kernel's own namespace: a share
/// (`\\server\share`, `//server/share`, `\/server/share`), the same by its device (`\\?\UNC\…`, `\??\UNC\…`,
/// `\\.\GLOBALROOT\Device\Mup\…`), or a pipe (`\\.\pipe\…`). Windows takes `/` for `\` in all of them. A drive in
/// that spelling (`\\?\C:\…`) is not. Source: "Naming Files, Paths, and Namespaces" of Microsoft's documentation.
pub(crate) fn is_remote(path: &str) -> bool {
    let url = path.split_once("://").is_some_and(|(scheme, _)| {
        !scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric())
    });
    let path = path.replace('/', "\\");
    let device = [r"\\?\", r"\??\"]
        .iter()
        .find_map(|start| path.strip_prefix(start));
    url || match device {
        Some(device) => !begins_with_drive(device),
        None => path.starts_with(r"\\"),
    }
}

/// `C:\`, and not `C:` alone, which in the namespaces of devices is the volume.
fn begins_with_drive(path: &str) -> bool {
    matches!(path.as_bytes(), [letter, b':', b'\\', ..] if letter.is_ascii_alphabetic())
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
            Place::Beside(path) => format!("beside {}", path.display()),
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
        for remote in [
            "http://x",
            "HTTPS://x",
            "file://x",
            r"\\server\share",
            "//server/share",
            r"\/server/share",
            r"/\server\share",
            r"\\?\UNC\server\share",
            r"\\?\unc\server\share",
            "//?/UNC/server/share",
            r"\??\UNC\server\share",
            r"\??/UNC/server/share",
            r"/??\UNC\server\share",
            r"\\.\UNC\server\share",
            r"\\.\pipe\x",
            r"\\.\C:\x",
            r"\\?\GLOBALROOT\Device\Mup\server\share",
            r"\??\GLOBALROOT\Device\Mup\server\share",
            r"\\?\C:",
            r"\\\server\share",
            r"\\",
            "//",
        ] {
            assert!(is_remote(remote), "{remote}");
            assert_eq!(Place::named(remote.into()), Place::Remote(remote.to_owned()));
        }
        for local in [
            "/a",
            "C:\\a",
            "C:/a",
            "a",
            "",
            "/x://y",
            r"\a",
            r".\\a",
            "a//b",
            r"\\?\C:\a",
            "//?/c:/a",
            r"\??\D:\a",
            "C:",
        ] {
            assert!(!is_remote(local), "{local}");
            assert_eq!(Place::named(local.into()), Place::Path(local.into()));
        }
    }
}
