//! The page of `graph` in a real browser: the distribution's Chromium, without a window. Where there is none the tests say
//! so and hold nothing.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use sha2::{Digest, Sha256};
use support::page::base64;
use support::synthetic::Sample;
use support::{World, alpc_dump};
use synth::worlds::hang;
use tempfile::TempDir;

const FIXTURE: &str = "fixtures/vista-sp2-x64.dmp";

/// What the test does on the page, and tells in an element of its own.
const VISITOR: &str = include_str!("support/visitor.js");

/// A browser, if there is one: what CHROMIUM names, else by the names that distributions give it.
fn browser() -> Option<PathBuf> {
    let named = std::env::var_os("CHROMIUM").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = ["chromium", "chromium-browser", "google-chrome"]
        .iter()
        .find_map(|name| {
            let places = std::env::split_paths(&path).map(|folder| folder.join(name));
            places.into_iter().find(|place| place.is_file())
        });
    let browser = named.or(found);
    if browser.is_none() {
        eprintln!("no Chromium is installed: the page is not tried in a browser");
    }
    browser
}

/// What a visit gave: the page as it is at the end, and what the browser had to complain of.
struct Visit {
    page: String,
    complaints: Vec<String>,
}

impl Visit {
    fn of(browser: &Path, page: &str, options: &[&str]) -> Self {
        Self::at(browser, page, "", options)
    }

    /// The same with what stands behind the page's address.
    fn at(browser: &Path, page: &str, behind: &str, options: &[&str]) -> Self {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("page.html");
        fs::write(&file, page).unwrap();
        let output = Command::new(browser)
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--enable-logging=stderr",
                "--window-size=1280,800",
                "--virtual-time-budget=20000",
                "--dump-dom",
            ])
            .arg(format!(
                "--user-data-dir={}",
                folder.path().join("profile").display()
            ))
            .args(options)
            .arg(format!("file://{}{behind}", file.display()))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let complaints = said
            .lines()
            .filter(|line| line.contains("CONSOLE"))
            .map(str::to_owned);
        Self {
            page: String::from_utf8(output.stdout).unwrap(),
            complaints: complaints.collect(),
        }
    }

    /// The same with a visitor, whose script the page's policy admits beside its own; what it found.
    fn with_visitor(browser: &Path, page: &str, options: &[&str]) -> Value {
        let hash = base64(&Sha256::digest(VISITOR));
        let page = page.replacen("script-src '", &format!("script-src 'sha256-{hash}' '"), 1);
        let page = page.replacen("</body>", &format!("<script>{VISITOR}</script>\n</body>"), 1);
        let visit = Self::of(browser, &page, options);
        assert_eq!(visit.complaints, [""; 0]);
        let told = visit
            .page
            .split_once("<pre id=\"visit\">")
            .expect("the visitor came to an end")
            .1;
        let told = told.split_once("</pre>").unwrap().0;
        serde_json::from_str(
            &told
                .replace("&lt;", "<")
                .replace("&gt;", ">")
                .replace("&amp;", "&"),
        )
        .unwrap()
    }
}

fn crowd() -> Sample {
    Sample::of(hang::crowd("win10-2004-x64", 30, 0).built)
}

/// Everything that the visitor holds, by a name for what is wrong: nothing may be.
#[track_caller]
fn check(found: &Value) {
    let wrong: Vec<String> = found["wrong"]
        .as_array()
        .unwrap()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(found["held"].as_u64().unwrap() > 20, "{found}");
}

#[test]
fn the_page_can_be_read_and_used() {
    let Some(browser) = browser() else { return };
    check(&Visit::with_visitor(
        &browser,
        &alpc_dump(&[FIXTURE, "graph", "--format", "html"]).stdout,
        &[],
    ));
    let found = Visit::with_visitor(&browser, &crowd().run(&["graph", "--format", "html"]).stdout, &[]);
    check(&found);
    assert_eq!(found["boxes"], 31, "thirty waiters and the culprit are drawn");
    let ring = Sample::of(hang::ring_of_three("vista-sp2-x64").built);
    check(&Visit::with_visitor(
        &browser,
        &ring.run(&["graph", "--format", "html"]).stdout,
        &[],
    ));
}

/// As it is, without a visitor: its own script runs, by its hash, and nothing is complained of.
#[test]
fn the_page_runs_under_its_own_policy() {
    let Some(browser) = browser() else { return };
    let hostile = Sample::of(hang::hostile("vista-sp2-x64").built);
    let many = Sample::of(hang::many_ports("vista-sp2-x64", 5_000).built);
    let pages = [
        (
            alpc_dump(&[FIXTURE, "graph", "--format", "html"]).stdout,
            ">36 nodes<",
        ),
        (hostile.run(&["graph", "--format", "html"]).stdout, ">8 nodes<"),
        (many.run(&["graph", "--format", "html"]).stdout, ">5212 nodes<"),
    ];
    for (page, count) in pages {
        let visit = Visit::of(&browser, &page, &[]);
        assert_eq!(visit.complaints, [""; 0]);
        assert!(visit.page.contains(count), "the script has run: {count}");
    }
    let report = alpc_dump(&[FIXTURE, "-q", "report", "--format", "html"]).stdout;
    assert_eq!(Visit::of(&browser, &report, &[]).complaints, [""; 0]);
}

/// A node's command behind the page's address opens it there; a page with nothing to draw is no failure.
#[test]
fn the_page_opens_where_it_is_asked_to() {
    let Some(browser) = browser() else { return };
    let page = alpc_dump(&[FIXTURE, "graph", "--format", "html"]).stdout;
    // svchost.exe 03e4.05d4, the fourth blocker: its picture is turned to.
    let visit = Visit::at(&browser, &page, "#thread%20fffffa801aeec060", &[]);
    assert_eq!(visit.complaints, [""; 0]);
    let chosen = visit
        .page
        .split_once("<div id=\"chosen\">")
        .expect("it is shown")
        .1;
    assert!(chosen.contains("<h2>svchost.exe 03e4.05d4</h2>"), "{chosen}");
    assert!(
        visit.page.contains("<section class=\"scene\" data-scene=\"3\">"),
        "so is the fourth picture"
    );
    let still = Sample::of(hang::two_resources("win10-2004-x64").built);
    let page = still
        .run(&["-q", "graph", "--process", "services.exe", "--format", "html"])
        .stdout;
    let visit = Visit::of(&browser, &page, &[]);
    assert_eq!(visit.complaints, [""; 0]);
    assert!(visit.page.contains(">0 nodes<"));
}

/// Worlds of another generator, with names that try everything.
#[test]
fn other_worlds_can_be_read_too() {
    let Some(browser) = browser() else { return };
    for world in World::readable() {
        let page = world.run(&["graph", "--format", "html"]).stdout;
        check(&Visit::with_visitor(&browser, &page, &[]));
    }
}

#[test]
fn the_dark_is_dark() {
    let Some(browser) = browser() else { return };
    let page = alpc_dump(&[FIXTURE, "graph", "--format", "html"]).stdout;
    let light = Visit::with_visitor(&browser, &page, &[]);
    let dark = Visit::with_visitor(&browser, &page, &["--blink-settings=preferredColorScheme=0"]);
    check(&dark);
    for part in ["back", "box"] {
        let (light, dark) = (light[part].as_f64().unwrap(), dark[part].as_f64().unwrap());
        assert!(light > 200. && dark < 80., "{part}: {light} {dark}");
    }
    for part in ["ink", "line"] {
        let (light, dark) = (light[part].as_f64().unwrap(), dark[part].as_f64().unwrap());
        assert!(light < 80. && dark > 180., "{part}: {light} {dark}");
    }
}
