//! Triage dumps through the binary: real ones, which stand beside the repository, not in it.

mod support;

use serde_json::{Value, json};
use support::{alpc_dump, shared};

fn ask(name: &str, command: &str) -> Option<Value> {
    let path = shared(&format!("samples/{name}"))?;
    let run = alpc_dump(&[path.to_str().unwrap(), "--format", "json", command]);
    assert_eq!(run.status, 0, "{}", run.stderr);
    Some(run.json()["result"].clone())
}

#[test]
fn info_of_a_real_dump_of_x64() {
    let Some(info) = ask("triage_x64.dmp", "info") else {
        return;
    };
    assert_eq!(info["header"]["machine"], "x64");
    assert_eq!(info["header"]["minor_version"], 19041);
    assert_eq!(info["header"]["number_processors"], 16);
    assert_eq!(info["header"]["bug_check"]["code"], 0x1000_007e);
    let triage = &info["triage"];
    assert_eq!(triage["blocks"], 1831);
    assert_eq!(triage["bytes"], triage["bytes_present"]);
    assert_eq!(triage["kernel_base"], "fffff8047ba00000");
    assert_eq!(
        triage["crashed"],
        json!({
            "thread": "ffffc08bde9e1640", "process": "ffffc08bdce94180", "process_id": 4, "image": "System",
        })
    );
    assert_eq!(triage["modules"]["modules"].as_array().unwrap().len(), 151);
}

#[test]
fn info_of_a_real_dump_of_arm64() {
    let Some(info) = ask("triage_arm64.dmp", "info") else {
        return;
    };
    assert_eq!(info["header"]["machine"], "ARM64");
    assert_eq!(info["header"]["minor_version"], 22000);
    assert_eq!(info["header"]["number_processors"], 8);
    assert_eq!(info["header"]["bug_check"]["code"], 0x1c8);
    let triage = &info["triage"];
    assert_eq!(triage["blocks"], 679);
    assert_eq!(
        triage["crashed"],
        json!({
            "thread": "ffffbb8eb1719180", "process": "ffffbb8eb1690080", "process_id": 4, "image": "System",
        })
    );
    assert_eq!(triage["modules"]["modules"].as_array().unwrap().len(), 245);
}

/// Where the file ends early, that is the reason of everything that it no longer tells.
#[test]
fn a_cut_file_is_the_reason_of_what_it_no_longer_tells() {
    let Some(path) = shared("samples/triage_x64.dmp") else {
        return;
    };
    let bytes = std::fs::read(path).unwrap();
    // Behind TRIAGE_DUMP64; before, and inside of, the table of blocks at 19438.
    for len in [0x2100, 0x1_8438, 0x1_9538] {
        let cut = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(cut.path(), &bytes[..len]).unwrap();
        for command in ["info", "modules", "processes"] {
            let run = alpc_dump(&[cut.path().to_str().unwrap(), "--format", "json", command]);
            let holes = run.json()["holes"].as_array().unwrap().clone();
            let expected = if holes.is_empty() { 0 } else { 3 };
            assert_eq!(run.status, expected, "{command} of {len:#x}: {}", run.stderr);
            // The last file holds the names of all modules.
            assert_eq!(holes.is_empty(), command != "processes" && len == 0x1_9538);
            for hole in holes {
                assert_eq!(hole["cause"], "out-of-file", "{command} of {len:#x}: {hole}");
            }
        }
    }
}

#[test]
fn secondary_data_is_listed() {
    let Some(info) = ask("triage_x64.dmp", "info") else {
        return;
    };
    let data = &info["secondary_data"];
    assert_eq!(data["ended"], "complete");
    assert_eq!(data["blobs"].as_array().unwrap().len(), 20);
    assert_eq!(
        data["blobs"][1],
        json!({
            "guid": "67fc721a-2852-4f62-a3b1-2afc53953777", "offset": 0x13_b2dc, "size": 0x44, "present": 0x44,
        })
    );
    let path = shared("samples/triage_x64.dmp").unwrap();
    let text = alpc_dump(&[path.to_str().unwrap(), "info"]).stdout;
    assert!(
        text.contains("  Secondary data         : 157047 bytes in 20 blobs\n"),
        "{text}"
    );
    assert!(
        text.contains("  : {bf2297dc-34ba-11dc-868a-e19155d89593} 0xd4bb bytes\n"),
        "{text}"
    );
}

#[test]
fn modules_need_no_symbols() {
    let Some(modules) = ask("triage_x64.dmp", "modules") else {
        return;
    };
    let first = &modules["modules"][0];
    assert_eq!(
        (&first["base"], &first["end"], &first["name"]),
        (
            &json!("fffff8047ba00000"),
            &json!("fffff8047ca46000"),
            &json!("ntoskrnl.exe")
        )
    );
    assert_eq!(modules["modules"].as_array().unwrap().len(), 151);
}
