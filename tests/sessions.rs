//! Sessions and services, as their worlds were made.

mod support;

use serde_json::{Value, json};
use support::synthetic::{Sample, address};
use synth::dump::Kind;
use synth::layout::Kernel;
use synth::worlds::hang;

fn json(sample: &Sample, args: &[&str]) -> Value {
    let line = [&["--format", "json"][..], args].concat();
    sample.run(&line).json()["result"].clone()
}

#[test]
fn processes_and_waits_are_told_by_session() {
    let mut seen = 0;
    for kernel in Kernel::names() {
        let Some(scene) = hang::sessions(kernel) else {
            continue;
        };
        seen += 1;
        let digits = if scene.built.truth.kernel_base.0 >> 32 == 0xffff_ffff {
            8
        } else {
            16
        };
        let at = |name: &str| address(scene.at(name))[16 - digits..].to_owned();
        let (explorer, lsass) = (at("explorer"), at("lsass"));
        let sample = Sample::of(scene.built);
        let result = json(&sample, &["sessions"]);
        let rows = result["sessions"].as_array().unwrap();
        let told: Vec<(&Value, &Value)> = rows.iter().map(|row| (&row["session"], &row["waits"])).collect();
        assert_eq!(
            told,
            [
                (&Value::Null, &json!(0)),
                (&json!(0), &json!(0)),
                (&json!(2), &json!(1))
            ],
            "{kernel} {result}"
        );
        assert_eq!(rows[2]["processes"][0]["address"], explorer, "{kernel}");
        assert_eq!(rows[2]["processes"].as_array().unwrap().len(), 1);
        // The filters of the lists agree with it.
        let of = |args: &[&str], list: &str| json(&sample, args)[list].as_array().unwrap().clone();
        let of_two = of(&["processes", "--session", "2"], "processes");
        assert_eq!(of_two.len(), 1, "{kernel}");
        assert_eq!(of_two[0]["address"], explorer);
        assert_eq!(of_two[0]["session"], 2);
        let threads = of(&["threads", "--session", "0"], "processes");
        assert_eq!(threads.len(), 1, "{kernel}");
        assert_eq!(threads[0]["address"], lsass);
        assert_eq!(of(&["waits", "--session", "2"], "waits").len(), 1, "{kernel}");
        assert_eq!(of(&["waits", "--session", "0"], "waits").len(), 0, "{kernel}");
        let ports = of(&["ports", "--session", "0"], "ports");
        assert!(!ports.is_empty(), "{kernel}");
        assert!(
            ports
                .iter()
                .all(|port| port["owner_process"]["address"] == *lsass),
            "{kernel}"
        );
        let handles = of(&["handles", "--session", "2"], "processes");
        assert_eq!(handles.len(), 1, "{kernel}");
        assert_eq!(handles[0]["process"]["address"], *explorer);
    }
    assert!(seen > 2, "{seen} kernels have sessions");
}

#[test]
fn services_are_told_with_their_hosts() {
    for kernel in Kernel::complete() {
        let scene = hang::services(kernel);
        let sample = Sample::of(scene.built);
        sample.rewrite(Kind::Full);
        let result = json(&sample, &["services"]);
        let rows = result["services"].as_array().unwrap();
        let mut told: Vec<(&Value, &Value, &Value)> = rows
            .iter()
            .map(|row| (&row["tag"], &row["name"], &row["waits"]))
            .collect();
        told.sort_by_key(|(tag, ..)| tag.as_u64());
        assert_eq!(
            told,
            [
                (&json!(0x1f), &Value::Null, &json!(0)),
                (&json!(0x42), &json!("nsi"), &json!(1)),
            ],
            "{kernel} {result}"
        );
        assert!(rows.iter().all(|row| row["threads"] == 1), "{kernel} {result}");
    }
}

/// A kernel dump has no user memory: an empty list does not say that there are none.
#[test]
fn without_user_memory_services_are_not_called_none() {
    let kernel = Kernel::complete()[0];
    let sample = Sample::of(hang::services(kernel).built);
    let run = sample.run(&["services"]);
    assert_eq!(run.status, 3, "{}", run.stdout);
    assert!(
        run.stdout.contains("it cannot be read whether they work for one"),
        "{}",
        run.stdout
    );
}
