//! Objects, handles, names, processes and modules of every generation of kernels, against what the worlds
//! were told.

mod support;

use std::collections::BTreeMap;

use serde_json::{Value, json};
use support::synthetic::{Sample, address, every_kernel};
use synth::address::Va;
use synth::world::Built;

/// The one result of one command line.
fn result(sample: &Sample, line: &str) -> Value {
    sample.results(&[line.to_owned()]).remove(0)
}

/// Full path of an object, by the names and directories that the world was told.
fn path(world: &Built, object: Va) -> Option<String> {
    let (parent, name) = world.truth.objects[&object].name.as_ref()?;
    if *parent == Va::NULL {
        return Some(name.to_string());
    }
    let above = path(world, *parent)?;
    let separator = if above == "\\" { "" } else { "\\" };
    Some(format!("{above}{separator}{name}"))
}

fn attribute_names(bits: u8) -> Vec<&'static str> {
    [(1, "Protected"), (2, "Inherit"), (4, "Audit")]
        .into_iter()
        .filter(|(bit, _)| bits & bit != 0)
        .map(|(_, name)| name)
        .collect()
}

#[test]
fn every_handle() {
    for kernel in every_kernel() {
        let sample = Sample::standard(kernel);
        let answer = result(&sample, "handles");
        let processes = answer["processes"].as_array().unwrap();
        let found: BTreeMap<&str, &Value> = processes
            .iter()
            .map(|process| {
                (
                    process["process"]["address"].as_str().unwrap(),
                    &process["handles"],
                )
            })
            .collect();
        for process in &sample.world.truth.processes {
            let Some(handles) = found.get(address(process.address).as_str()) else {
                continue;
            };
            if process.object_table == Va::NULL {
                assert!(handles.is_null(), "{kernel}: {handles}");
                continue;
            }
            let handles = handles["handles"].as_array().unwrap();
            assert_eq!(
                handles.len(),
                process.handles.len(),
                "{kernel}: {}",
                process.image
            );
            for (handle, truth) in handles.iter().zip(&process.handles) {
                let object = &sample.world.truth.objects[&truth.object];
                assert_eq!(
                    [
                        &handle["handle"],
                        &handle["granted_access"],
                        &handle["attributes"],
                        &handle["object"]["address"],
                        &handle["object"]["header"],
                        &handle["object"]["type"]["name"],
                        &handle["object"]["path"],
                    ],
                    [
                        &json!(truth.value),
                        &json!(truth.access),
                        &json!(attribute_names(truth.attributes)),
                        &json!(address(truth.object)),
                        &json!(address(object.header)),
                        &json!(object.type_name),
                        &json!(path(&sample.world, truth.object)),
                    ],
                    "{kernel}: {truth:?} of {}",
                    process.image
                );
            }
        }
    }
}

#[test]
fn every_object_with_its_path() {
    for kernel in every_kernel() {
        let sample = Sample::standard(kernel);
        let objects = &sample.world.truth.objects;
        let lines: Vec<String> = objects.keys().map(|body| format!("object {body}")).collect();
        for ((body, object), record) in objects.iter().zip(sample.results(&lines)) {
            let name = object.name.as_ref().map(|(_, name)| name.to_string());
            let named = name.filter(|name| !name.is_empty());
            for (key, wanted) in [
                ("address", json!(address(*body))),
                ("header", json!(address(object.header))),
                ("pointer_count", json!(object.pointer_count)),
                ("handle_count", json!(object.handle_count)),
                ("name", json!(named)),
                (
                    "path",
                    json!(path(&sample.world, *body).filter(|_| named.is_some())),
                ),
            ] {
                assert_eq!(record[key], wanted, "{kernel}: {key} of {body}");
            }
            assert_eq!(record["type"]["name"], object.type_name, "{kernel}: {body}");
        }
    }
}

#[test]
fn every_directory_with_its_buckets() {
    for kernel in every_kernel() {
        let sample = Sample::standard(kernel);
        let directories = &sample.world.truth.directories;
        let lines: Vec<String> = directories.keys().map(|body| format!("object {body}")).collect();
        for ((body, directory), record) in directories.iter().zip(sample.results(&lines)) {
            let mut found: Vec<(String, u64)> = record["contents"]["objects"]
                .as_array()
                .unwrap()
                .iter()
                .map(|member| {
                    (
                        member["address"].as_str().unwrap().to_owned(),
                        member["bucket"].as_u64().unwrap(),
                    )
                })
                .collect();
            let mut wanted: Vec<(String, u64)> = directory
                .entries
                .iter()
                .map(|&(object, bucket)| (address(object), bucket))
                .collect();
            found.sort();
            wanted.sort();
            assert_eq!(found, wanted, "{kernel}: {body}");
        }
    }
}

#[test]
fn every_process_and_module() {
    for kernel in every_kernel() {
        let sample = Sample::standard(kernel);
        let truth = &sample.world.truth;
        let is_64_bit = sample.world.pointer_size() == 8;
        let answer = result(&sample, "processes");
        let processes = answer["processes"].as_array().unwrap();
        for process in processes {
            let at = process["address"].as_str().unwrap();
            let wanted = truth
                .processes
                .iter()
                .find(|process| address(process.address) == at)
                .unwrap();
            let image: String = wanted.image.chars().take(14).collect();
            let path = Some(wanted.path).filter(|path| !path.is_empty());
            let threads = truth
                .threads
                .iter()
                .filter(|thread| thread.process == wanted.address);
            for (key, value) in [
                ("process_id", json!(wanted.pid)),
                ("parent_process_id", json!(wanted.parent_pid)),
                ("image", json!(image)),
                ("image_path", json!(path)),
                ("peb", json!(address(wanted.peb))),
                ("object_table", json!(address(wanted.object_table))),
                ("handle_count", json!(wanted.handles.len())),
                ("thread_count", json!(threads.count())),
                // Only a 64-bit system has processes of another width.
                ("wow64", json!(is_64_bit.then_some(wanted.wow64))),
            ] {
                assert_eq!(process[key], value, "{kernel}: {key} of {}", wanted.image);
            }
            for (key, ticks) in [
                ("create_time", wanted.create_time),
                ("exit_time", wanted.exit_time),
            ] {
                let image = &wanted.image;
                match ticks {
                    // What has not come is none, and no point in the year 1601.
                    0 => assert!(process[key].is_null(), "{kernel}: {key} of {image}"),
                    _ => assert_eq!(process[key]["ticks"], ticks, "{kernel}: {key} of {image}"),
                }
            }
        }
        assert!(processes.len() > 5, "{kernel}");
        let answer = result(&sample, "modules");
        let modules = answer["modules"].as_array().unwrap();
        assert_eq!(modules.len(), truth.modules.len(), "{kernel}");
        for (module, wanted) in modules.iter().zip(&truth.modules) {
            assert_eq!(module["base"], address(wanted.base), "{kernel}");
            assert_eq!(
                module["end"],
                address(wanted.base + u64::from(wanted.size)),
                "{kernel}"
            );
            assert_eq!(module["name"], wanted.name, "{kernel}");
            assert_eq!(module["path"], wanted.path, "{kernel}");
        }
    }
}

#[test]
fn every_message_by_its_id() {
    for kernel in every_kernel() {
        let sample = Sample::standard(kernel);
        let messages: Vec<_> = sample
            .world
            .truth
            .messages
            .iter()
            .filter(|message| message.id & 0x8000_0000 == 0 && message.id != 0)
            .collect();
        assert!(messages.len() > 10, "{kernel}");
        let lines: Vec<String> = messages
            .iter()
            .map(|message| format!("message id:{}", message.id))
            .collect();
        for (message, record) in messages.iter().zip(sample.results(&lines)) {
            assert_eq!(
                record["address"],
                address(message.address),
                "{kernel}: {:#x}",
                message.id
            );
        }
    }
}
