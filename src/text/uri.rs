//! Paths of files as references in the sense of RFC 3986.

use std::fmt::Write;

/// A path as it was given, with `/` between folders: a relative one stays relative, an absolute one gets the scheme
/// `file`.
pub fn of_path(path: &[u8]) -> String {
    of_path_on(path, cfg!(windows))
}

fn of_path_on(path: &[u8], windows: bool) -> String {
    // Forges compare the text with what lies in the repository, where nothing begins so.
    let path = path.strip_prefix(b"./").unwrap_or(path);
    if !windows {
        let scheme = if path.starts_with(b"/") { "file://" } else { "" };
        return format!("{scheme}{}", encoded(path));
    }
    // The prefixes by which Windows does not parse a path have no place in a URI (Microsoft's "Naming Files, Paths, and
    // Namespaces"); behind `//?/UNC/` is a server's name.
    if let Some(share) = path.strip_prefix(b"//?/UNC/") {
        return format!("file://{}", encoded(share));
    }
    let path = path.strip_prefix(b"//?/").unwrap_or(path);
    match path {
        [drive, b':', rest @ ..] if drive.is_ascii_alphabetic() => {
            format!("file:///{}:{}", char::from(*drive), encoded(rest))
        }
        [b'/', b'/', ..] => format!("file:{}", encoded(path)),
        [b'/', ..] => format!("file://{}", encoded(path)),
        _ => encoded(path),
    }
}

/// Everything but what RFC 3986 (2.3) calls unreserved, and `/`, as `%` and two digits. A colon too: what stands before
/// one in a first segment would be a scheme (4.2).
fn encoded(path: &[u8]) -> String {
    let mut text = String::with_capacity(path.len());
    for &byte in path {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            text.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::of_path_on;

    #[test]
    fn paths_become_references() {
        // By the rules of RFC 3986 and the examples of RFC 8089 (appendices B and E).
        for (windows, path, wanted) in [
            (false, &b"memory.dmp"[..], "memory.dmp"),
            (false, b"./dumps/a b.dmp", "dumps/a%20b.dmp"),
            (false, b"../a#b?c%.dmp", "../a%23b%3Fc%25.dmp"),
            (false, b"/tmp/m.dmp", "file:///tmp/m.dmp"),
            (false, b"c:/m.dmp", "c%3A/m.dmp"),
            (false, b"m\xfcll\\.dmp", "m%FCll%5C.dmp"),
            (false, "m\u{fc}ll.dmp".as_bytes(), "m%C3%BCll.dmp"),
            (true, b"c:/m.dmp", "file:///c:/m.dmp"),
            (true, b"//?/C:/m.dmp", "file:///C:/m.dmp"),
            (true, b"//host/share/m.dmp", "file://host/share/m.dmp"),
            (true, b"//?/UNC/host/share/m.dmp", "file://host/share/m.dmp"),
            (true, b"/m.dmp", "file:///m.dmp"),
            (true, b"dumps/m.dmp", "dumps/m.dmp"),
        ] {
            assert_eq!(of_path_on(path, windows), wanted);
        }
    }
}
