//! Manual pages and completions, made of the definition of the arguments. What renders and reads them is tried
//! where it is installed, by `packaging/release.py check`.

mod support;

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
            "fish" => assert!(script.stdout.contains("contains -- $word info message ")),
            "powershell" => assert!(script.stdout.contains("if (@('info', 'message', ")),
            _ => {}
        }
        for command in commands() {
            assert!(script.stdout.contains(&command), "{shell} lacks {command}");
        }
    }
}
