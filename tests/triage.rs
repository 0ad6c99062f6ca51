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
