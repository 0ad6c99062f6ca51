//! The picture of `graph`, as SVG and on its page: read by parsers that are not ours.

mod support;

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};
use support::picture::Picture;
use support::synthetic::Sample;
use support::{World, alpc_dump, page};
use synth::worlds::hang::{self, Held, Io, Scene, Server};

const FIXTURE: &str = "fixtures/vista-sp2-x64.dmp";

/// What the page has room for beside its panel at 1280 pixels: a bar to scroll takes 15, the panel 404.
const AREA: f64 = 1280. - 404. - 15.;

fn drawn(scene: Scene) -> Picture {
    picture(&Sample::of(scene.built))
}

fn picture(sample: &Sample) -> Picture {
    let picture = Picture::of(&sample.run(&["graph", "--format", "svg"]).stdout);
    picture.check();
    picture
}

fn scenes() -> Vec<Scene> {
    vec![
        hang::row_to_mutant("win7-sp1-x86"),
        hang::ring_of_three("vista-sp2-x64"),
        hang::half_circle("win10-1803-x64"),
        hang::row_to_process("vista-sp2-x64"),
        hang::self_call("vista-sp2-x64"),
        hang::received_by_nobody("win7-sp1-x64"),
        hang::blocked_queue("win10-1803-x64", 3, 9),
        hang::at_limit("win10-2004-x64"),
        hang::exhausted_pool("win10-2004-x64"),
        hang::served_by("win10-2004-x64", Server::Running),
        hang::served_by("win10-2004-x64", Server::Gone),
        hang::paged_out("vista-sp2-x64"),
        hang::lock("win11-21h2-x64", Held::Alone),
        hang::io("win10-2004-x86", Io::File),
        hang::two_resources("win10-2004-x64"),
        hang::hostile("vista-sp2-x64"),
        hang::ring_of("win10-2004-x64", 4),
        hang::ring_of("win10-2004-x64", 24),
        hang::crowd("win10-2004-x64", 30, 0),
        hang::crowd("win10-2004-x64", 8, 24),
        hang::crowd("win7-sp1-x86", 40, 60),
        hang::terminal_server("vista-sp2-x64", 4, 200, 0),
    ]
}

#[test]
fn no_line_runs_through_a_box() {
    for scene in scenes() {
        let sample = Sample::of(scene.built);
        let picture = picture(&sample);
        assert!(!picture.boxes.is_empty());
        assert!(picture.width <= AREA, "{}: {:?}", picture.width, picture.boxes);
        // The same of every picture of the page, with the connections between its processes.
        let page = sample.run(&["graph", "--format", "html"]).stdout;
        let parts: Vec<&str> = page.split("<svg class=\"picture\" viewBox").skip(1).collect();
        assert!(!parts.is_empty());
        for part in parts {
            let (svg, _) = part.split_once("</svg>").unwrap();
            let mut shown = Picture::of(&format!(
                "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox{svg}</svg>"
            ));
            shown.fonts.clone_from(&picture.fonts);
            shown.check();
            assert!(shown.width <= AREA, "{}", shown.width);
        }
    }
    for world in World::readable() {
        Picture::of(&world.run(&["graph", "--format", "svg"]).stdout).check();
    }
}

/// Of the ring each box says so, of everything else one box is what chains end at: by its word and by its shape, right of
/// all others.
#[test]
fn the_culprit_stands_out_at_the_end_of_the_reading_order() {
    for scene in scenes() {
        let sample = Sample::of(scene.built);
        let picture = picture(&sample);
        let rings = sample.run(&["hang", "--format", "json"]).json();
        let rings = &rings["result"];
        let count = |kind: &str| rings[kind].as_array().unwrap().len();
        let (rings, possible) = (count("deadlocks"), count("possible_deadlocks"));
        let said = |word: &str| picture.texts.iter().filter(|(_, text)| text == word).count();
        if rings + possible == 0 {
            let ends: Vec<_> = picture
                .with("culprit")
                .into_iter()
                .chain(picture.with("unreadable"))
                .collect();
            let [end] = ends.as_slice() else {
                panic!("{picture:?}")
            };
            assert_eq!(said("CULPRIT") + said("UNREADABLE"), 1);
            // Only what the servers of a port wait behind stands farther to the right.
            let beyond = |one: &&support::picture::Box| one.texts[0] == "what its servers wait behind";
            let mut others = picture.boxes.iter().filter(|one| !beyond(one));
            assert!(others.all(|one| one.area[2] <= end.area[2]));
            for way in &picture.ways {
                assert!(way.corners[0].0 < way.corners[way.corners.len() - 1].0, "{way:?}");
            }
        } else {
            assert!(picture.with("culprit").is_empty());
            let word = if rings > 0 { "DEADLOCK" } else { "DEADLOCK?" };
            assert_eq!(said(word), picture.with("dead").len());
            let dead = picture.ways.iter().filter(|way| way.class.contains("deadlock"));
            assert_eq!(dead.count(), picture.with("dead").len(), "it closes: {picture:?}");
            assert!(picture.ways.iter().any(|way| way.class.contains("deadlock")));
        }
    }
}

/// Thirty waiters of thirty images: each with its image, its ids and how long it waits, as the world has them.
#[test]
fn thirty_waiters_can_be_read() {
    let sample = Sample::of(hang::crowd("win10-2004-x64", 30, 0).built);
    let picture = picture(&sample);
    assert_eq!(picture.boxes.len(), 31);
    let truth = &sample.world.truth;
    let titles: BTreeSet<&str> = picture.boxes.iter().map(|one| one.title.as_str()).collect();
    let mut found = 0;
    for thread in &truth.threads {
        let process = truth
            .processes
            .iter()
            .find(|process| process.pid == thread.pid)
            .unwrap();
        let image: String = process.image.chars().take(14).collect();
        let who = format!("{image} {:04x}.{:04x}", thread.pid, thread.tid);
        if let Some(one) = picture.boxes.iter().find(|one| one.title.contains(&who)) {
            found += 1;
            assert!(one.texts.contains(&who), "on one line: {one:?}");
            let waits = if one.class.contains("culprit") {
                "; for 04:28:4"
            } else {
                "waits 04:28:4"
            };
            assert!(one.title.contains(waits), "{one:?}");
        }
    }
    assert_eq!((found, titles.len()), (31, 31));
    assert_eq!(picture.ways.len(), 30);
    assert!(
        picture
            .ways
            .iter()
            .all(|way| way.texts[0].starts_with("04:28:4") && way.texts[1] == "proven")
    );
    // Who blocks is seen with the first of them, without scrolling.
    assert!(picture.with("culprit")[0].area[3] < 500., "{picture:?}");
}

#[test]
fn many_that_are_alike_are_one_box() {
    let picture = drawn(hang::crowd("win10-2004-x64", 8, 24));
    let [group] = <[_; 1]>::try_from(picture.with("group")).unwrap();
    assert_eq!(group.texts[0], "and 23 more like it");
    assert_eq!(picture.boxes.len(), 1 + 8 + 1 + 1);
    assert!(picture.ways.iter().all(|way| way.class == "wire proven"));
    // As many as are no more than the boxes that would stand for them stand alone.
    assert!(
        drawn(hang::crowd("win10-2004-x64", 0, 4))
            .with("group")
            .is_empty()
    );
    let few = drawn(hang::crowd("win10-2004-x64", 0, 5));
    assert_eq!(few.with("group")[0].texts[0], "and 4 more like it");
}

/// Of a long ring the first steps are drawn, and one box stands for all others: it still closes.
#[test]
fn a_long_ring_fits_the_page() {
    let picture = drawn(hang::ring_of("win10-2004-x64", 24));
    assert!(picture.width <= AREA, "{}", picture.width);
    assert_eq!(picture.boxes.len(), 4);
    let title = &picture.with("group")[0].title;
    assert!(title.contains("and 21 more steps of the ring"), "{title}");
    let dead = picture.ways.iter().filter(|way| way.class.contains("deadlock"));
    assert_eq!(dead.count(), 4);
    assert!(
        picture
            .ways
            .iter()
            .all(|way| way.texts.contains(&"proven".to_owned()))
    );
}

/// Where all servers of a port are stuck behind one thing, so is whoever waits at the port: that is inferred, and drawn in the
/// pictures of both.
#[test]
fn a_port_is_joined_to_what_its_servers_wait_behind() {
    let sample = Sample::of(hang::blocked_queue("win10-1803-x64", 3, 4).built);
    let hang = sample.run(&["hang", "--format", "json"]).json();
    let blockers = hang["result"]["blockers"].as_array().unwrap();
    assert_eq!((blockers.len(), &blockers[0]["inferred_threads"]), (2, &4.into()));
    let page = sample.run(&["graph", "--format", "html"]).stdout;
    for (number, culprit) in [(0, "svchost.exe"), (1, "senssvc")] {
        let part = page.split("<section ").nth(number + 1).unwrap();
        let svg = part
            .split_once("<svg ")
            .unwrap()
            .1
            .split_once("</svg>")
            .unwrap()
            .0;
        let picture = Picture::of(&format!("<svg xmlns=\"http://www.w3.org/2000/svg\" {svg}</svg>"));
        assert!(picture.with("culprit")[0].title.contains(culprit), "{picture:?}");
        let inferred = picture.ways.iter().filter(|way| way.class == "wire inferred");
        let [way] = <[_; 1]>::try_from(inferred.collect::<Vec<_>>()).unwrap();
        assert_eq!(way.texts, ["3 servers", "inferred"]);
        let at = |(x, y): (f64, f64), edge: usize| {
            let mut boxes = picture.boxes.iter();
            let met = boxes.find(|one| one.area[edge] == x && one.area[1] < y && y < one.area[3]);
            met.unwrap().title.as_str()
        };
        assert!(at(way.corners[0], 2).contains("senssvc"), "{picture:?}");
        let end = way.corners[way.corners.len() - 1];
        assert!(
            at(end, 0).starts_with(["svchost.exe ", "CULPRIT: svchost.exe "][1 - number]),
            "{picture:?}"
        );
        // The port's four clients stand before it in both: they are alike, but few.
        let clients = picture
            .boxes
            .iter()
            .filter(|one| one.title.starts_with("explorer.exe "));
        assert_eq!(clients.count(), 4, "{picture:?}");
    }
}

/// What is not proven is drawn otherwise, and says so.
#[test]
fn lines_say_how_sure_they_are() {
    let picture = Picture::of(&alpc_dump(&[FIXTURE, "graph", "--format", "svg"]).stdout);
    picture.check();
    let sure = |word: &str| {
        let with = picture
            .ways
            .iter()
            .filter(move |way| way.class == format!("wire {word}"));
        with.map(|way| way.texts.clone()).collect::<Vec<_>>()
    };
    assert_eq!(sure("proven").len(), 5);
    assert_eq!(sure("inferred"), [["2d 23:38:19", "inferred"]]);
    let svg = alpc_dump(&[FIXTURE, "graph", "--format", "svg"]).stdout;
    assert!(svg.contains(".wire.inferred { stroke-dasharray: 8 4 }"));
    // As hang has it, of the published case: six requests at lsasspirpc, the longest wait first.
    assert_eq!(picture.boxes.len(), 7);
    let culprit = picture.with("culprit")[0];
    for line in [
        "lsasspirpc",
        "of lsass.exe 023c",
        "6 requests are queued",
        "4 threads: 3 idle, 1 blocked",
    ] {
        assert!(culprit.texts.iter().any(|text| text == line), "{culprit:?}");
    }
    assert!(
        picture
            .boxes
            .iter()
            .any(|one| one.texts[0] == "svchost.exe 03e4.045c" && one.texts[1] == "waits 2d 23:38:47")
    );
}

#[test]
fn the_function_that_a_thread_is_in_is_told_where_it_is_known() {
    let picture = drawn(hang::row_to_driver("win10-1809-x64").0);
    let culprit = picture.with("culprit")[0];
    assert!(culprit.title.contains("in shapes!last"), "{culprit:?}");
}

/// What a message asks for stands with whoever waits for its reply.
#[test]
fn the_call_that_a_thread_waits_for_is_told() {
    let sample = Sample::of(synth::worlds::rpc::calls("win11-22h2-x64").built);
    let page = sample.run(&["graph", "--format", "html"]).stdout;
    let calls = sample.run(&["calls", "--format", "json"]).json();
    let named = calls["result"]["calls"].as_array().unwrap().iter();
    let named: Vec<&str> = named
        .filter_map(|call| call["call"]["procedure"]["name"].as_str())
        .collect();
    assert!(!named.is_empty(), "{calls}");
    let drawn = named
        .iter()
        .filter(|name| page.contains(&format!("; calls {name}")));
    assert!(drawn.count() > 0, "{named:?}");
}

#[test]
fn the_ending_names_the_format() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hang.SVG");
    let path = file.to_str().unwrap();
    assert_eq!(alpc_dump(&[FIXTURE, "-q", "graph", "-o", path]).status, 0);
    let written = std::fs::read_to_string(&file).unwrap();
    assert_eq!(written, alpc_dump(&[FIXTURE, "graph", "--format", "svg"]).stdout);
    let refused = alpc_dump(&[
        FIXTURE,
        "-q",
        "report",
        "-o",
        folder.path().join("r.svg").to_str().unwrap(),
    ]);
    assert_eq!(refused.status, 2, "{}", refused.stdout);
}

/// Where nothing waits, the picture is of the connections; without those it says so.
#[test]
fn a_system_at_rest_has_a_picture_too() {
    let sample = Sample::standard("win10-2004-x64");
    let picture = picture(&sample);
    assert!(picture.texts.iter().any(|(class, _)| class == "heading"));
    assert!(!picture.boxes.is_empty());
}

/// A process that neither waits nor is connected has nothing to draw, which is said.
#[test]
fn nothing_to_draw_is_said() {
    let sample = Sample::of(hang::two_resources("win10-2004-x64").built);
    for format in ["svg", "html"] {
        let run = sample.run(&["-q", "graph", "--process", "services.exe", "--format", format]);
        assert_eq!(run.status, 0, "{}", run.stderr);
        assert!(
            run.stdout.contains("Nothing to draw: neither a wait"),
            "{}",
            run.stdout
        );
        assert!(!run.stdout.contains("class=\"box"), "{}", run.stdout);
    }
}

/// The heading is what `hang` says first, and the picture of the page is that of the file.
#[test]
fn the_page_opens_on_the_first_blocker() {
    let page = alpc_dump(&[FIXTURE, "graph", "--format", "html"]).stdout;
    let hang = alpc_dump(&[FIXTURE, "hang"]).stdout;
    let (verdict, rest) = hang.split_once("\nsignature: ").unwrap();
    let verdict = verdict.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        page.contains(&format!("<h1 id=\"title\">{verdict}</h1>")),
        "{verdict}"
    );
    let first = rest.split("\n1. ").nth(1).unwrap();
    let sentence = first.split_once("   behind it").unwrap().0.split_whitespace();
    let sentence = sentence.collect::<Vec<_>>().join(" ");
    let section = page.split("<section ").nth(1).unwrap();
    assert!(
        section.starts_with("class=\"scene\" data-scene=\"0\">\n"),
        "it is not hidden"
    );
    assert!(section.contains(&format!("<h2>1. {sentence}</h2>")), "{sentence}");
    assert_eq!(
        page.matches("<section ").count(),
        5,
        "four blockers and the connections"
    );
    assert_eq!(page.matches("\" hidden>\n<h2>").count(), 4);
    let frames = |text: &str| text.matches("class=\"frame\"").count();
    let svg = section.split_once("</svg>").unwrap().0;
    assert_eq!(
        frames(svg),
        frames(&alpc_dump(&[FIXTURE, "graph", "--format", "svg"]).stdout)
    );
    // Beside it stands what proves it, as chain has it.
    let panel = page.split("<aside ").nth(1).unwrap();
    let chain = alpc_dump(&[FIXTURE, "chain", "fffffa8018210060"]).stdout;
    let fields: Vec<&str> = chain
        .lines()
        .map(str::trim)
        .filter(|line| line.contains(" @ "))
        .collect();
    assert!(!fields.is_empty());
    for field in fields {
        assert!(panel.contains(field), "{field}");
    }
    page::check_markup(&page);
}

/// The policy names the page's own style and script by their hashes, and nothing else runs or loads.
#[test]
fn the_policy_admits_the_pages_own_parts_only() {
    for command in ["graph", "report"] {
        let page = alpc_dump(&[FIXTURE, "-q", command, "--format", "html"]).stdout;
        let (_, policy) = page.split_once("Content-Security-Policy\" content=\"").unwrap();
        let policy = policy.split_once('"').unwrap().0;
        assert!(
            policy.starts_with("default-src 'none'; ") && !policy.contains("unsafe"),
            "{policy}"
        );
        let hashed = |element: &str| {
            let text = page
                .split_once(&format!("<{element}>"))?
                .1
                .split_once(&format!("</{element}>"))?
                .0;
            Some(format!(
                "{element}-src 'sha256-{}'",
                page::base64(&Sha256::digest(text))
            ))
        };
        assert!(policy.contains(&hashed("style").unwrap()), "{policy}");
        assert_eq!(hashed("script").is_some(), command == "graph");
        assert!(
            hashed("script").is_none_or(|hash| policy.contains(&hash)),
            "{policy}"
        );
        assert!(!page.contains(" style=") && !page.contains(" onclick=") && !page.contains("src=\""));
        assert!(!page.contains("http:") && !page.contains("https:"), "{command}");
        page::check_markup(&page);
    }
}

/// The page for a ticket has the picture too, to be looked at.
#[test]
fn the_report_has_the_picture() {
    let report = alpc_dump(&[FIXTURE, "-q", "report", "--format", "html"]).stdout;
    let svg = alpc_dump(&[FIXTURE, "graph", "--format", "svg"]).stdout;
    let figure = report
        .split_once("<figure>")
        .unwrap()
        .1
        .split_once("</figure>")
        .unwrap()
        .0;
    let texts = |drawn: &str| -> Vec<String> {
        let texts = drawn.split("<text class=\"title\"").skip(1);
        let texts = texts.map(|text| {
            text.split_once('>')
                .unwrap()
                .1
                .split_once('<')
                .unwrap()
                .0
                .to_owned()
        });
        texts.collect()
    };
    assert_eq!(texts(figure), texts(&svg));
    assert!(!figure.contains("tabindex") && !figure.contains("data-key"));
}

/// A page of a process has the pictures that the process is in.
#[test]
fn a_part_has_its_own_picture() {
    let args = [FIXTURE, "graph", "--process", "OrderEntryClie", "--format", "svg"];
    let run = alpc_dump(&args);
    assert_eq!(run.status, 0, "{}", run.stderr);
    let part = Picture::of(&run.stdout);
    part.check();
    assert!(part.boxes.iter().any(|one| one.title.contains("OrderEntryClie")));
}
