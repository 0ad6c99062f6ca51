//! Manual pages and completions, made of the definition of the arguments. What renders and reads them is tried
//! where it is installed, by `packaging/release.py check`.

mod support;

use std::io::Write;
use std::process::{Command, Stdio};

use support::alpc_dump;

/// Those that the whole help lists below its headings.
fn commands() -> Vec<String> {
    let help = alpc_dump(&["--help"]).stdout;
    help.lines()
        .take_while(|line| *line != "Arguments:")
        .filter_map(|line| line.strip_prefix("  ")?.split_whitespace().next())
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_command_has_a_page_and_the_program_names_them_all() {
    let whole = alpc_dump(&["man"]).stdout;
    for command in commands() {
        let page = alpc_dump(&["man", &command]);
        assert_eq!((page.status, &*page.stderr), (0, ""), "{command}");
        let version = env!("CARGO_PKG_VERSION");
        let title = format!(".TH alpc-dump-{command} 1 \"\" \"alpc-dump {version}\"");
        assert!(page.stdout.contains(&title), "{command}: {}", page.stdout);
        let named = format!("\nalpc\\-dump\\-{command}(1)\n");
        assert!(whole.contains(&named), "{command} is not in {whole}");
    }
    assert!(
        !whole.contains("dump\\-help(1)"),
        "it names a page that there is not"
    );
}

#[test]
fn the_page_of_the_program_keeps_what_is_laid_out() {
    let page = alpc_dump(&["man"]).stdout;
    for section in [
        ".SH EXAMPLES\n.nf\n  alpc\\-dump memory.dmp info\n",
        "\n.fi\n.SH NAMES\n.nf\n  fffff8800f4cc950 ",
        "\n.fi\n.SH \"EXIT STATUS\"\nThe first that applies:\n.sp\n.nf\n  2  usage",
        "\n.fi\n.SH NOTES\nThe dump is opened read\\-only",
    ] {
        assert!(page.contains(section), "{section} is not in {page}");
    }
    // A backslash has a name; two of them are an escape that formatters do not know.
    assert!(page.contains("\\(rsRPC Control\\(rsntsvcs"));
    assert!(!page.contains("\\\\"), "{page}");
}

#[test]
fn each_shell_completes_every_command() {
    for shell in ["bash", "zsh", "fish", "powershell"] {
        let script = alpc_dump(&["completions", shell]);
        assert_eq!((script.status, &*script.stderr), (0, ""), "{shell}");
        // The script knows a command behind a dump.
        match shell {
            "fish" => assert!(script.stdout.contains("contains -- $word hang chain ")),
            "powershell" => assert!(script.stdout.contains("if (@('hang', 'chain', ")),
            _ => {}
        }
        for command in commands() {
            assert!(script.stdout.contains(&command), "{shell} lacks {command}");
        }
    }
}

/// What bash offers behind each line, by its own means: the words that its `complete` would show.
fn bash_offers(lines: &[String]) -> Option<Vec<Vec<String>>> {
    const ASK: &str = r#"
        eval "$script"
        offer=$(complete -p alpc-dump | sed 's/.*-F \([^ ]*\) .*/\1/')
        while read -r -a COMP_WORDS; do
            COMP_CWORD=$(( ${#COMP_WORDS[@]} - 1 ))
            COMPREPLY=()
            "$offer" alpc-dump "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
            echo "${COMPREPLY[*]}"
        done"#;
    let mut bash = Command::new("bash");
    bash.args(["--norc", "-c", ASK])
        .env("script", alpc_dump(&["completions", "bash"]).stdout)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut bash = bash.spawn().ok()?;
    let input: String = lines.iter().map(|line| format!("alpc-dump {line}\n")).collect();
    let mut stdin = bash.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = bash.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect();
    Some(text.lines().map(words).collect())
}

/// The long and short options that the help of a command lists.
fn options(command: &str) -> Vec<String> {
    let help = alpc_dump(&["help", command]).stdout;
    let lines = help
        .lines()
        .map(str::trim_start)
        .filter(|line| line.starts_with('-'));
    lines
        .flat_map(|line| line.split([' ', ',', '[', '<']))
        .filter(|word| word.len() > 1 && word.starts_with('-'))
        .map(str::to_owned)
        .collect()
}

#[test]
fn bash_completes_every_option_before_and_behind_dumps() {
    if bash_offers(&[]).is_none() {
        eprintln!("skipped: bash is not installed");
        return;
    }
    let (mut lines, mut wanted) = (Vec::new(), Vec::new());
    let mut ask = |line: String, word: &str| {
        lines.push(line);
        wanted.push(word.to_owned());
    };
    for command in commands() {
        ask(format!("memory.dmp {}", &command[..2]), &command);
        ask(format!("memory.dmp other.dmp {command}"), &command);
        let options = options(&command);
        assert!(options.iter().any(|option| option == "--format"), "{options:?}");
        for option in options {
            for before in ["", "memory.dmp ", "-q a.dmp b.dmp --style modern "] {
                let begun = option.get(..3).unwrap_or(&option);
                ask(format!("{before}{command} {begun}"), &option);
            }
        }
        ask(format!("memory.dmp {command} --format j"), "json");
        ask(format!("memory.dmp {command} -v --redact n"), "names");
    }
    ask("memory.dmp diff --by a".to_owned(), "addresses");
    ask("memory.dmp --color a".to_owned(), "always");
    ask("completions z".to_owned(), "zsh");
    ask("memory.dmp --ou".to_owned(), "--output");
    let offers = bash_offers(&lines).unwrap();
    assert_eq!(offers.len(), lines.len());
    for ((line, word), offered) in lines.iter().zip(&wanted).zip(&offers) {
        assert!(offered.contains(word), "{line}: no {word} among {offered:?}");
    }
}

/// A command that this build lacks says how to get it.
#[cfg(not(feature = "mcp"))]
#[test]
fn a_build_without_the_server_says_how_to_build_it() {
    let run = alpc_dump(&["mcp", "--allow", "."]);
    assert_eq!((run.status, run.stdout.as_str()), (2, ""));
    assert!(run.stderr.contains("--features mcp"), "{}", run.stderr);
}
