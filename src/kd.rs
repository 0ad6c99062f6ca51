//! The debugger's own spellings of the commands, rewritten before the arguments are parsed.
//!
//! `/m ADDR`, `-M ADDR`, `!alpc /m ADDR` (one token or several) and `!lpc message ADDR` become `message
//! ADDR`. A token is only taken for a switch behind the first argument that is not an option (the dump), so
//! that no path and no option of our own is mistaken for one.

use std::ffi::OsString;

/// Replaces debugger spellings in a command line.
pub fn rewrite(args: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let args: Vec<OsString> = args.into_iter().flat_map(split_command).collect();
    let Some(at) = args.iter().enumerate().skip(2).find_map(|(at, token)| {
        let dump_seen = args.get(1..at)?.iter().any(|arg| !is_option(arg));
        (dump_seen && command(token).is_some()).then_some(at)
    }) else {
        return args;
    };
    let verb = args.get(at).and_then(command);
    args.iter()
        .enumerate()
        .flat_map(|(index, token)| match verb {
            Some(verb) if index == at => verb.iter().map(OsString::from).collect(),
            // The debugger's "verbose" switch.
            _ if index > at && (token == "/v" || token == "/V") => vec!["-v".into()],
            _ if index < at && is_prefix(token) => Vec::new(),
            _ => vec![token.clone()],
        })
        .collect()
}

/// Splits `"!alpc /m fffff880…"`, given as one token, into its words.
fn split_command(token: OsString) -> Vec<OsString> {
    match token.to_str() {
        Some(text) if text.starts_with('!') => text.split_whitespace().map(OsString::from).collect(),
        _ => vec![token],
    }
}

fn is_prefix(token: &OsString) -> bool {
    token
        .to_str()
        .is_some_and(|text| text.eq_ignore_ascii_case("!alpc") || text.eq_ignore_ascii_case("!lpc"))
}

fn is_option(token: &OsString) -> bool {
    token.to_str().is_some_and(|text| text.starts_with('-'))
}

/// What a switch of the debugger's is called here.
fn command(token: &OsString) -> Option<&'static [&'static str]> {
    let text = token.to_str()?;
    let switch = text.strip_prefix(['/', '-'])?;
    Some(match switch.to_ascii_lowercase().as_str() {
        "m" => &["message"],
        "p" => &["port"],
        "g" => &["global"],
        "lp" => &["global", "--list"],
        "lp0" => &["ports", "--orphans"],
        "lpc" => &["connections"],
        "lpp" => &["ports", "--process"],
        "graph" => &["global", "--graph"],
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(line: &[&str]) -> Vec<String> {
        rewrite(line.iter().map(OsString::from))
            .into_iter()
            .map(|arg| arg.into_string().unwrap())
            .collect()
    }

    #[test]
    fn the_debuggers_spellings_become_commands() {
        let plain = ["alpc-dump", "a.dmp", "message", "fffff8800f4cc950"];
        for line in [
            &["alpc-dump", "a.dmp", "/m", "fffff8800f4cc950"][..],
            &["alpc-dump", "a.dmp", "/M", "fffff8800f4cc950"],
            &["alpc-dump", "a.dmp", "-m", "fffff8800f4cc950"],
            &["alpc-dump", "a.dmp", "!alpc /m fffff8800f4cc950"],
            &["alpc-dump", "a.dmp", "!ALPC", "-M", "fffff8800f4cc950"],
            &["alpc-dump", "a.dmp", "!lpc message fffff8800f4cc950"],
            &["alpc-dump", "a.dmp", "message", "fffff8800f4cc950"],
        ] {
            assert_eq!(rewritten(line), plain, "{line:?}");
        }
    }

    #[test]
    fn verbosity_and_options_survive() {
        assert_eq!(
            rewritten(&[
                "alpc-dump",
                "--color",
                "never",
                "a.dmp",
                "/M",
                "/V",
                "fffff880`0f4cc950"
            ]),
            [
                "alpc-dump",
                "--color",
                "never",
                "a.dmp",
                "message",
                "-v",
                "fffff880`0f4cc950"
            ]
        );
    }

    #[test]
    fn a_path_is_no_switch() {
        assert_eq!(
            rewritten(&["alpc-dump", "/m", "info"]),
            ["alpc-dump", "/m", "info"]
        );
    }
}
