//! The main job: the published case, byte for byte.

mod support;

use support::{alpc_dump, root};

const DUMP: &str = "fixtures/vista-sp2-x64.dmp";
const MESSAGE: &str = "fffff8800f4cc950";

/// What the debugger printed in 2009, as published with the case
/// (<http://www.dumpanalysis.org/blog/index.php/2009/03/20/advanced-local-procedure-call-windbg-extension/>).
fn published() -> String {
    std::fs::read_to_string(root().join("tests/expected/vista-sp2-x64.message.txt")).unwrap()
}

#[test]
fn the_published_message_to_the_byte() {
    let run = alpc_dump(&[DUMP, "message", MESSAGE]);
    assert_eq!(run.stdout, published());
    assert_eq!(run.stderr, "alpc-dump: symbols: PDB fixtures/vista-sp2-x64.pdb\n");
    assert_eq!(run.status, 0);
}

#[test]
fn the_expectation_is_the_transcript() {
    let Some(transcript) = support::shared("transcripts/03-message-vista-x64.txt") else {
        return;
    };
    let transcript = std::fs::read_to_string(transcript).unwrap();
    let (_, view) = transcript
        .split_once("!alpc /M fffff8800f4cc950\n\nMessage")
        .unwrap();
    assert_eq!(published(), format!("\nMessage{view}"));
}

#[test]
fn all_spellings_give_the_same_view() {
    for args in [
        &[DUMP, "message", "0xfffff8800f4cc950"][..],
        &[DUMP, "message", "fffff880`0f4cc950"],
        &[DUMP, "message", "FFFFF8800F4CC950"],
        &[DUMP, "/m", MESSAGE],
        &[DUMP, "/M", MESSAGE],
        &[DUMP, "-m", MESSAGE],
        &[DUMP, "!alpc /m fffff8800f4cc950"],
        &[DUMP, "!alpc", "-M", MESSAGE],
        &[DUMP, "-c", "!ALPC /M fffff880`0f4cc950; q"],
        &["--color", "never", DUMP, "--no-mmap", "message", MESSAGE],
    ] {
        let run = alpc_dump(args);
        assert_eq!(run.stdout, published(), "{args:?}: {}", run.stderr);
        assert_eq!(run.status, 0, "{args:?}");
    }
}

#[test]
fn the_later_style_differs_in_the_headline_alone() {
    let run = alpc_dump(&[DUMP, "--style", "modern", "message", MESSAGE]);
    assert_eq!(run.stdout, published().replace("Message @ ", "Message "));
}

#[test]
fn json_has_what_the_rows_have() {
    let run = alpc_dump(&[DUMP, "--format", "json", "message", MESSAGE]);
    let document = run.json();
    assert_eq!(document["dump"], DUMP);
    assert_eq!(document["symbols"]["certainty"], "exact");
    let message = &document["result"];
    assert_eq!(message["message_id"], 3068);
    assert_eq!(message["type"], "LPC_REQUEST");
    assert_eq!(message["owner_port"]["address"], "fffffa8018a95e60");
    assert_eq!(message["owner_port"]["kind"], "ALPC_CLIENT_COMMUNICATION_PORT");
    assert_eq!(message["queue_port_owner_process"]["image"], "svchost.exe");
    assert_eq!(message["waiting_thread"], "fffffa801afae6f0");
    assert_eq!(message["view"], "0000000000000000");
}

#[test]
fn colour_is_asked_for_or_not_there() {
    let plain = alpc_dump(&[DUMP, "message", MESSAGE]);
    assert!(!plain.stdout.contains('\u{1b}'));
    let coloured = alpc_dump(&[DUMP, "--color", "always", "message", MESSAGE]);
    assert!(coloured.stdout.contains('\u{1b}'));
    let json = alpc_dump(&[DUMP, "--color", "always", "--format", "json", "message", MESSAGE]);
    assert!(!json.stdout.contains('\u{1b}'));
}

#[test]
fn an_address_with_nothing_special_about_it() {
    // The thread, the port and the process of the case: each is named for what it is.
    for (address, what) in [
        ("fffffa8017dbb060", "\"ALPC Port\""),
        ("fffffa801afae6f0", "\"Thread\""),
        ("fffffa801807b8f0", "\"Process\""),
    ] {
        let run = alpc_dump(&[DUMP, "message", address]);
        assert_eq!(run.status, 1, "{address}: {}", run.stderr);
        assert_eq!(run.stdout, "");
        assert!(
            run.stderr.contains(address) && run.stderr.contains(what),
            "{}",
            run.stderr
        );
    }
}
