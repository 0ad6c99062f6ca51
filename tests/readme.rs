//! The picture of README.md and its main job, byte for byte. All other commands of the documents are run by `docs.rs`.

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

#[test]
fn the_main_job() {
    let command = "cargo run --release --locked -- fixtures/vista-sp2-x64.dmp message fffff8800f4cc950";
    let run = alpc_dump(&["fixtures/vista-sp2-x64.dmp", "message", "fffff8800f4cc950"]);
    assert_eq!(shown(command), run.stdout);
}
