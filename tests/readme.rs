//! What README.md shows is what the program prints.

mod support;

use support::{alpc_dump, root};

/// The lines behind a command in a console block, up to the block's end or a line of dots.
fn shown(command: &str) -> String {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let (_, block) = readme
        .split_once(&format!("$ {command}\n"))
        .expect("the command is in README.md");
    let lines = block.lines().take_while(|line| !matches!(*line, "```" | "..."));
    lines.map(|line| format!("{line}\n")).collect()
}

#[test]
fn the_first_screen() {
    let shown = shown("alpc-dump fixtures/vista-sp2-x64.dmp hang");
    let run = alpc_dump(&["fixtures/vista-sp2-x64.dmp", "hang"]);
    assert_eq!(shown, run.stdout);
}

/// The picture is what the program draws, small enough for any mail.
#[test]
fn the_picture() {
    let shown = std::fs::read_to_string(root().join("docs/images/graph.svg")).unwrap();
    let run = alpc_dump(&["fixtures/vista-sp2-x64.dmp", "graph", "--format", "svg"]);
    assert!(
        shown == run.stdout,
        "write it anew: alpc-dump fixtures/vista-sp2-x64.dmp graph -o docs/images/graph.svg"
    );
    for image in std::fs::read_dir(root().join("docs/images")).unwrap() {
        assert!(image.unwrap().metadata().unwrap().len() < 60_000);
    }
}

/// The page that walks through the fixture shows what is printed.
#[test]
fn from_a_hung_system_to_the_culprit() {
    let page = std::fs::read_to_string(root().join("docs/hang-diagnosis.md")).unwrap();
    let whole = alpc_dump(&["fixtures/vista-sp2-x64.dmp", "hang", "-v"]).stdout;
    let mut blocks = page.split("```\n").skip(1).step_by(2);
    for _ in 0..2 {
        let block = blocks.next().unwrap();
        assert!(whole.contains(block), "{block}\n{whole}");
    }
}

#[test]
fn the_main_job() {
    let command = "cargo run --release --locked -- fixtures/vista-sp2-x64.dmp message fffff8800f4cc950";
    let run = alpc_dump(&["fixtures/vista-sp2-x64.dmp", "message", "fffff8800f4cc950"]);
    assert_eq!(shown(command), run.stdout);
}
