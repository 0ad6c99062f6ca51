//! Every help text, as it is without a terminal to fit.

mod support;

use support::alpc_dump;

#[test]
fn help_of_every_command() {
    let whole = alpc_dump(&["--help"]);
    assert_eq!(whole.status, 0);
    insta::assert_snapshot!("help", whole.stdout);
    // The commands are those that the whole help lists below its headings.
    let commands: Vec<&str> = whole
        .stdout
        .lines()
        .take_while(|line| *line != "Arguments:")
        .filter_map(|line| line.strip_prefix("  ")?.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect();
    assert!(commands.len() >= 27, "{commands:?}");
    for command in commands {
        let help = alpc_dump(&["x.dmp", command, "--help"]);
        assert_eq!(help.status, 0, "{command}");
        insta::assert_snapshot!(format!("help-{command}"), help.stdout);
    }
}

/// However it is asked for, the help is the same: its short form in the same categories.
#[test]
fn help_in_a_group_of_short_options_has_the_categories() {
    let short = alpc_dump(&["-h"]).stdout;
    assert!(short.contains("\nWho waits for whom:\n"), "{short}");
    assert_eq!(alpc_dump(&["-vh"]).stdout, short);
    assert_eq!(alpc_dump(&["-qh"]).stdout, short);
}
