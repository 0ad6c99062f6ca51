//! What the page on gates and the example for build servers show is what happens.

mod support;

use std::fs;
use std::path::Path;

use roxmltree::Document;
use support::{Run, alpc_dump, alpc_dump_in, fixture, root};

fn page() -> String {
    fs::read_to_string(root().join("docs/checks.md")).unwrap()
}

/// The code blocks of a language, in order.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    page.split(fence.as_str())
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap().to_owned())
        .collect()
}

/// The lines that the page shows behind a command, and whether they are all.
fn shown(page: &str, command: &str) -> (String, bool) {
    let console = blocks(page, "console");
    let block = console
        .iter()
        .find_map(|block| block.strip_prefix(&format!("$ {command}\n")))
        .unwrap_or_else(|| panic!("{command} is not on the page"));
    match block.split_once("...\n") {
        Some((first, _)) => (first.to_owned(), false),
        None => (block.to_owned(), true),
    }
}

fn is_shown(page: &str, command: &str, run: &Run) {
    let (lines, all) = shown(page, command);
    assert!(!lines.is_empty());
    if all {
        assert_eq!(run.stdout, lines);
    } else {
        assert!(run.stdout.starts_with(&lines), "{}", run.stdout);
    }
}

#[test]
fn the_worked_example_gives_what_the_page_shows() {
    let page = page();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("rules.toml"), &blocks(&page, "toml")[0]).unwrap();
    let dump = fixture("vista-sp2-x64.dmp");
    let run = alpc_dump_in(
        folder.path(),
        &[dump.to_str().unwrap(), "check", "--rules", "rules.toml"],
    );
    assert_eq!(run.status, 1, "{}", run.stderr);
    is_shown(
        &page,
        "alpc-dump fixtures/vista-sp2-x64.dmp check --rules rules.toml",
        &run,
    );
}

#[test]
fn every_rule_of_the_page_is_one() {
    let page = page();
    let rules = blocks(&page, "toml");
    let folder = tempfile::tempdir().unwrap();
    let dump = fixture("vista-sp2-x64.dmp");
    for block in &rules {
        fs::write(folder.path().join("rules.toml"), block).unwrap();
        let run = alpc_dump_in(
            folder.path(),
            &[dump.to_str().unwrap(), "check", "--rules", "rules.toml"],
        );
        let expected = i32::from(block == &rules[0]);
        assert_eq!(run.status, expected, "{block}{}{}", run.stdout, run.stderr);
    }
    for kind in [
        "no-deadlock",
        "wait",
        "waiting",
        "queue",
        "port",
        "process",
        "coverage",
        "signature",
    ] {
        assert!(page.contains(&format!("### `[[{kind}]]`\n")), "{kind}");
        assert!(
            rules.iter().any(|block| block.contains(&format!("[[{kind}]]\n"))),
            "{kind}"
        );
    }
}

#[test]
fn the_differences_on_the_page() {
    let page = page();
    let dump = "fixtures/vista-sp2-x64.dmp";
    let run = alpc_dump(&[dump, dump, "diff"]);
    is_shown(&page, &format!("alpc-dump {dump} {dump} diff"), &run);
    let run = alpc_dump(&[dump, dump, "diff", "--by", "names"]);
    is_shown(&page, &format!("alpc-dump {dump} {dump} diff --by names"), &run);
}

#[test]
fn the_rules_of_the_example_hold_on_the_fixture() {
    let run = alpc_dump(&[
        "fixtures/vista-sp2-x64.dmp",
        "check",
        "--rules",
        "examples/ci/rules.toml",
    ]);
    assert_eq!(run.status, 0, "{}{}", run.stdout, run.stderr);
    assert!(!run.stdout.contains("FAIL"));
}

#[cfg(unix)]
mod script {
    use std::process::{Command, Output};

    use super::*;

    /// Runs the script of the example as the action does.
    fn script(rules: &Path, report: &Path, dumps: &[&Path], undecided: &str) -> Output {
        let binary = Path::new(env!("CARGO_BIN_EXE_alpc-dump"))
            .parent()
            .unwrap()
            .to_owned();
        let old = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths(std::iter::once(binary).chain(std::env::split_paths(&old)));
        Command::new(root().join("examples/ci/check.sh"))
            .arg(rules)
            .arg(report)
            .args(dumps)
            .env("PATH", path.unwrap())
            .env("UNDECIDED", undecided)
            .env("SYMBOLS", format!("{}\n\n", fixture("").display()))
            .output()
            .unwrap()
    }

    #[test]
    fn it_writes_a_report_and_ends_as_the_check_does() {
        let folder = tempfile::tempdir().unwrap();
        let report = folder.path().join("report.xml");
        let dump = fixture("vista-sp2-x64.dmp");
        let rules = root().join("examples/ci/rules.toml");
        let output = script(&rules, &report, &[&dump, &dump], "fail");
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let text = fs::read_to_string(&report).unwrap();
        let document = Document::parse(&text).unwrap();
        let suites = document
            .root_element()
            .children()
            .filter(roxmltree::Node::is_element);
        assert_eq!(suites.count(), 2);
        let failing = folder.path().join("rules.toml");
        fs::write(&failing, "[[wait]]\nlongest = \"1m\"\n").unwrap();
        let output = script(&failing, &report, &[&dump], "fail");
        assert_eq!(output.status.code(), Some(1));
        assert!(fs::read_to_string(&report).unwrap().contains("failures=\"1\""));
    }

    #[test]
    fn what_cannot_be_told_fails_unless_it_may_pass_with_a_warning() {
        let folder = tempfile::tempdir().unwrap();
        let report = folder.path().join("report.xml");
        let rules = folder.path().join("rules.toml");
        fs::write(&rules, "[[no-deadlock]]\n").unwrap();
        let sample = support::synthetic::Sample::of(synth::worlds::hang::paged_out("vista-sp2-x64").built);
        let output = script(&rules, &report, &[&sample.dump()], "fail");
        assert_eq!(output.status.code(), Some(3), "{output:?}");
        let output = script(&rules, &report, &[&sample.dump()], "warn");
        assert_eq!(output.status.code(), Some(0));
        assert!(String::from_utf8(output.stdout).unwrap().contains("::warning::"));
    }
}
