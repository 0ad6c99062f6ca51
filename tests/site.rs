//! The documents as a whole: pages that lead to each other, a list of them, and the reference of all commands.

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};

use support::markdown::Page;
use support::{alpc_dump, root};

/// Documents outside of docs/ that have links.
const OTHERS: [&str; 5] = [
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "SECURITY.md",
    "docs/SUMMARY.md",
    "examples/fleet/README.md",
];

/// A command as the whole help has it: below which heading, and its name.
struct Listed {
    heading: String,
    name: String,
}

/// All commands, in the order of the whole help.
fn commands() -> Vec<Listed> {
    let help = alpc_dump(&["--help"]).stdout;
    let mut heading = String::new();
    let mut commands = Vec::new();
    for line in help.lines().take_while(|line| *line != "Arguments:") {
        if let Some(text) = line.strip_suffix(':') {
            text.clone_into(&mut heading);
        } else if let Some(line) = line.strip_prefix("  ").filter(|line| !line.starts_with(' ')) {
            commands.push(Listed {
                heading: heading.clone(),
                name: line.split(' ').next().unwrap().to_owned(),
            });
        }
    }
    assert!(commands.len() > 35, "{}", commands.len());
    commands
}

/// A path without `..` and `.` in it.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                plain.pop();
            }
            Component::CurDir => {}
            other => plain.push(other),
        }
    }
    plain
}

/// The first thing that a link leads to and that is not there.
fn broken(page: &Page, link: &str) -> Option<String> {
    if link.contains("://") || link.starts_with("mailto:") {
        return None;
    }
    let (file, heading) = link.split_once('#').unwrap_or((link, ""));
    let target = match file {
        "" => root().join(&page.name),
        file => plain(&page.folder().join(file)),
    };
    if !target.exists() {
        return Some(format!("{} links to {link}: no such file", page.name));
    }
    if heading.is_empty() {
        return None;
    }
    let name = target.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
    let there = Page::open(&name.replace('\\', "/")).anchors();
    let missing = !there.iter().any(|anchor| anchor == heading);
    missing.then(|| format!("{} links to {link}: no such heading among {there:?}", page.name))
}

#[test]
fn every_link_leads_somewhere() {
    let others = OTHERS.map(Page::open);
    let mut count = 0;
    let mut mistakes = Vec::new();
    for page in Page::all().into_iter().chain(others) {
        for link in page.links() {
            count += 1;
            mistakes.extend(broken(&page, &link));
        }
    }
    assert!(mistakes.is_empty(), "{}", mistakes.join("\n"));
    assert!(count > 60, "{count}");
}

/// A site has no other folder above it: mdbook makes `.html` of links to `.md`, so that out of docs/ these lead nowhere.
#[test]
fn no_page_links_to_a_document_outside_of_the_site() {
    for page in Page::all().into_iter().filter(|page| page.name != "README.md") {
        let outside = page.links().into_iter().find(|link| {
            let file = link.split('#').next().unwrap();
            file.starts_with("..") && Path::new(file).extension().is_some_and(|ending| ending == "md")
        });
        assert_eq!(outside, None, "{}", page.name);
    }
}

#[test]
fn the_summary_and_the_index_list_every_page() {
    let pages: BTreeSet<String> = Page::all()
        .iter()
        .filter_map(|page| page.name.strip_prefix("docs/").map(str::to_owned))
        .filter(|name| name != "SUMMARY.md")
        .collect();
    let summary: BTreeSet<String> = Page::open("docs/SUMMARY.md").links().into_iter().collect();
    assert_eq!(summary, pages);
    let mut index: BTreeSet<String> = Page::open("docs/index.md").links().into_iter().collect();
    index.insert("index.md".to_owned());
    assert_eq!(index, pages);
    for page in Page::all() {
        let titles = page.prose().iter().filter(|line| line.starts_with("# ")).count();
        assert!(
            titles == 1 || page.name == "docs/SUMMARY.md",
            "{}: {titles} titles",
            page.name
        );
    }
}

/// Releases have every page: what is in the list of their files is what is there.
#[test]
fn releases_have_every_page() {
    let list = fs::read_to_string(root().join("packaging/contents.txt")).unwrap();
    for page in Page::all() {
        assert!(list.lines().any(|line| line == page.name), "{}", page.name);
    }
    let listed: Vec<&str> = list.lines().filter(|line| !line.starts_with('#')).collect();
    assert!(listed.is_sorted(), "packaging/contents.txt is in order of names");
}

/// Each command stands in the first column of a table.
#[test]
fn every_command_has_its_row() {
    let page = Page::open("docs/commands.md");
    let rows: Vec<&str> = page.text.lines().filter(|line| line.starts_with("| `")).collect();
    let first = |row: &&str| row.replace("\\|", "/").split('|').nth(1).unwrap().to_owned();
    let cells: Vec<String> = rows.iter().map(first).collect();
    for command in commands() {
        let name = &command.name;
        let named = |cell: &String| {
            let spans = cell.split('`').skip(1).step_by(2);
            spans.into_iter().any(|span| span.split(' ').next() == Some(name))
        };
        assert!(cells.iter().any(named), "docs/commands.md has no row of {name}");
    }
}

/// Those that write rows are those that docs/json.md names, as whoever asks another one for rows is told.
#[test]
fn the_commands_that_write_rows() {
    let refused = alpc_dump(&["fixtures/vista-sp2-x64.dmp", "hang", "--format", "csv"]);
    assert_eq!(refused.status, 2);
    let (_, told) = refused.stderr.trim_end().split_once("csv is for ").unwrap();
    let page = Page::open("docs/json.md");
    let row = page
        .text
        .lines()
        .find(|line| line.starts_with("| `csv` |"))
        .unwrap();
    let (_, listed) = row.split_once("a table: ").unwrap();
    let listed = listed.trim_end_matches(" |").replace('`', "");
    // Many dumps have a process each, and triage its own forms.
    assert_eq!(listed, format!("{told}, triage"));
}

/// A help text in parts: what stands between its headings, each with its heading.
fn parts(help: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    for line in help.lines() {
        let begins = line.ends_with(':') && !line.starts_with(' ');
        if begins {
            parts.push(String::new());
        }
        let last = parts.last_mut().unwrap();
        last.push_str(line.trim_end());
        last.push('\n');
    }
    parts.iter().map(|part| part.trim_end().to_owned()).collect()
}

/// The page of all options, out of the help of every command: what all of them have stands once.
fn reference() -> String {
    let common = parts(&alpc_dump(&["help", "hang"]).stdout);
    let shared: Vec<&String> = common
        .iter()
        .filter(|part| {
            let heading = part.lines().next().unwrap_or_default();
            ["Symbols:", "Output:", "The dump:"].contains(&heading)
        })
        .collect();
    assert_eq!(shared.len(), 3);
    let mut page = String::from(INTRODUCTION);
    for part in &shared {
        page.push_str(&format!("```text\n{part}\n```\n\n"));
    }
    let mut heading = String::new();
    for command in commands().iter().filter(|command| command.name != "help") {
        if command.heading != heading {
            heading.clone_from(&command.heading);
            page.push_str(&format!("## {heading}\n\n"));
        }
        let help = alpc_dump(&["help", &command.name]);
        assert_eq!(help.status, 0, "{}", help.stderr);
        let own = parts(&help.stdout);
        let own = own.iter().filter(|part| !shared.contains(part));
        let own: Vec<&str> = own.map(String::as_str).collect();
        page.push_str(&format!(
            "### {}\n\n```text\n{}\n```\n\n",
            command.name,
            own.join("\n\n")
        ));
    }
    format!("{}\n", page.trim_end())
}

const INTRODUCTION: &str = "\
# Options

This page is what `alpc-dump help COMMAND` prints, of every command; [commands.md](commands.md) is the shorter list. It is
made by a test: `UPDATE_DOCS=1 cargo test --locked --test site`.

## What every command takes

";

#[test]
fn the_reference_is_what_help_prints() {
    let path = root().join("docs/reference.md");
    let reference = reference();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &reference).unwrap();
    }
    let there = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        there == reference,
        "docs/reference.md is not what help prints; write it anew: UPDATE_DOCS=1 cargo test --test site"
    );
}
