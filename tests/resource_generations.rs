//! Resources of every generation of kernels: each resource of its world against what the world was told.

mod support;

use serde_json::{Value, json};
use support::synthetic::{Sample, address, every_kernel};
use synth::address::Va;
use synth::memory::Backing;
use synth::world::{Built, Resource};
use synth::worlds;

fn type_name(resource: &Resource) -> &'static str {
    match resource {
        Resource::Reserve { .. } => "KALPC_RESERVE",
        Resource::Section { .. } => "KALPC_SECTION",
        Resource::Region { .. } => "KALPC_REGION",
        Resource::View { .. } => "KALPC_VIEW",
        Resource::Security { .. } => "KALPC_SECURITY_DATA",
        Resource::HandleData { .. } => "KALPC_HANDLE_DATA",
    }
}

/// A pointer to a port or a process, by its address.
fn reference(va: Va) -> Value {
    if va == Va::NULL {
        Value::Null
    } else {
        json!(address(va))
    }
}

/// Address of a connection's handle table, by the layout that the world was written with.
fn table(world: &Built, info: Va) -> String {
    address(world.field(info, "_ALPC_COMMUNICATION_INFO", "HandleTable"))
}

/// The members of a resource as the world was told them.
fn expected(world: &Built, resource: &Resource) -> Value {
    match resource {
        Resource::Reserve {
            owner_port,
            communication_info,
            handle,
            message,
            size,
            active,
            ..
        } => json!({
            "owner_port": reference(*owner_port),
            "handle_table": table(world, *communication_info),
            "handle": handle,
            "message": address(*message),
            "size": world.has("_KALPC_RESERVE", "Size").then_some(size),
            "active": active,
        }),
        Resource::Section {
            section_object,
            size,
            communication_info,
            handle,
            owner_process,
            owner_port,
            secure,
            regions,
            ..
        } => json!({
            "section_object": address(*section_object),
            "size": size,
            "handle_table": table(world, *communication_info),
            "section_handle": handle,
            "owner_process": reference(*owner_process),
            "owner_port": reference(*owner_port),
            "internal": false,
            "secure": secure,
            "number_of_regions": regions.len(),
            "regions": contained(regions),
        }),
        Resource::Region {
            section,
            offset,
            size,
            view_size,
            views,
            read_only_view,
            read_write_view,
            ..
        } => json!({
            "section": address(*section),
            "offset": offset,
            "size": size,
            "view_size": view_size,
            "secure": false,
            "number_of_views": views.len(),
            "read_only_view": address(*read_only_view),
            "read_write_view": address(*read_write_view),
            "views": contained(views),
        }),
        Resource::View {
            region,
            owner_port,
            owner_process,
            base,
            size,
            write_access,
            owner_messages,
            ..
        } => json!({
            "region": address(*region),
            "owner_port": reference(*owner_port),
            "owner_process": reference(*owner_process),
            "address": address(*base),
            "size": size,
            "write_access": write_access,
            "auto_release": false,
            "force_unlink": false,
            "system_space": world.has("_KALPC_VIEW", "u1.s1.SystemSpace").then_some(false),
            "number_of_owner_messages": owner_messages,
        }),
        Resource::Security {
            communication_info,
            handle,
            owning_process,
            owner_port,
            revoked,
            ..
        } => json!({
            "handle_table": table(world, *communication_info),
            "context_handle": handle,
            "owning_process": reference(*owning_process),
            "owner_port": reference(*owner_port),
            "revoked": revoked,
            "impersonated": false,
        }),
        // One word has been the flags up to Windows 10 1511 and the number of handles later.
        Resource::HandleData {
            object_type,
            flags_or_count,
            ..
        } => {
            let counts = world.has("_KALPC_HANDLE_DATA", "Count");
            json!({
                "object_type": object_type,
                "flags": (!counts).then_some(flags_or_count),
                "count": counts.then_some(flags_or_count),
            })
        }
    }
}

fn contained(list: &[Va]) -> Value {
    list.iter().map(|&resource| json!(address(resource))).collect()
}

/// Only the address of what is told of a port or process, only the addresses of contained resources.
fn addresses_only(value: &Value) -> Value {
    if let Some(resources) = value["resources"].as_array() {
        return resources
            .iter()
            .map(|resource| resource["address"].clone())
            .collect();
    }
    value.get("address").unwrap_or(value).clone()
}

fn check(world: &Built, resource: &Resource, record: &Value) {
    let at = resource.address();
    assert_eq!(record["address"], address(at));
    assert_eq!(record["type"], type_name(resource), "{at}");
    assert_eq!(
        record["reference_count"], world.truth.blobs[&at].reference_count,
        "{at}"
    );
    let members = &record["members"];
    for (key, wanted) in expected(world, resource).as_object().unwrap() {
        assert_eq!(addresses_only(&members[key]), *wanted, "{key} of {at}");
    }
    for list in ["regions", "views"] {
        for record in members[list]["resources"].as_array().into_iter().flatten() {
            check(world, resource_at(world, &record["address"]), record);
        }
    }
}

fn resource_at<'a>(world: &'a Built, at: &Value) -> &'a Resource {
    let mut resources = world.truth.resources.iter();
    resources
        .find(|resource| *at == address(resource.address()))
        .unwrap()
}

#[test]
fn every_resource_of_every_generation() {
    for kernel in every_kernel() {
        let sample = Sample::standard(kernel);
        let resources = &sample.world.truth.resources;
        assert!(resources.len() >= 11, "{kernel}");
        let lines: Vec<String> = resources
            .iter()
            .map(|resource| format!("!alpc /r {}", resource.address()))
            .collect();
        for (resource, result) in resources.iter().zip(sample.results(&lines)) {
            check(&sample.world, resource, &result["resources"][0]);
            assert!(result["complete"] == true && result["unreadable"].is_null());
        }
    }
}

#[test]
fn the_resources_and_handles_of_every_port() {
    for kernel in every_kernel() {
        let sample = Sample::standard(kernel);
        let ports = &sample.world.truth.ports;
        let lines: Vec<String> = ports
            .iter()
            .map(|port| format!("!alpc -presl {}", port.address))
            .collect();
        for (port, result) in ports.iter().zip(sample.results(&lines)) {
            // One that was never initialized is no port to anybody.
            if port.kind.number() == 0 {
                continue;
            }
            assert_eq!(addresses_only(&result["port"]), address(port.address));
            assert_eq!(
                addresses_only(&result),
                contained(&port.resources),
                "{}",
                port.address
            );
        }
        handles(&sample);
    }
}

fn handles(sample: &Sample) {
    let infos = &sample.world.truth.communication_infos;
    let lines: Vec<String> = infos
        .iter()
        .map(|info| format!("resource {}", info.address))
        .collect();
    for (info, result) in infos.iter().zip(sample.results(&lines)) {
        let members = &result["resources"][0]["members"];
        let at = info.address;
        assert_eq!(
            addresses_only(&members["connection_port"]),
            reference(info.connection_port),
            "{at}"
        );
        assert_eq!(
            addresses_only(&members["server_communication_port"]),
            reference(info.server_port),
            "{at}"
        );
        assert_eq!(
            addresses_only(&members["client_communication_port"]),
            reference(info.client_port),
            "{at}"
        );
        let entries = members["handle_table"]["entries"].as_array().unwrap();
        let said: Vec<Value> = entries
            .iter()
            .map(|entry| json!([entry["handle"], entry["object"]]))
            .collect();
        let wanted: Vec<Value> = (0x10..)
            .zip(&info.handles)
            .map(|(handle, blob)| json!([handle, address(*blob)]))
            .collect();
        assert_eq!(said, wanted, "{at}");
    }
}

/// Whichever page of a section, its regions and views is missing: what is still told is true, what is not
/// has a reason, and the status says so.
#[test]
fn sections_beside_holes() {
    for kernel in every_kernel().into_iter().step_by(7) {
        let standard = worlds::standard(kernel);
        let resources = standard.truth.resources.clone();
        let section = resources
            .iter()
            .find(|resource| matches!(resource, Resource::Section { .. }))
            .unwrap();
        for lost in &resources {
            let mut world = standard.clone();
            world.memory.set_backing(lost.address(), Backing::PageFile);
            let sample = Sample::of(world);
            let run = sample.run(&["--format", "json", "resource", &address(section.address())]);
            assert_eq!(run.status & !3, 0, "{}", run.stderr);
            let record = &run.json()["result"]["resources"][0];
            let holes = check_partly(&sample.world, section, record);
            assert_eq!(
                run.status == 3,
                holes,
                "{kernel} without {}: {}",
                lost.address(),
                run.stderr
            );
        }
    }
}

/// Whether anything of a resource is missing; all else is checked.
fn check_partly(world: &Built, resource: &Resource, record: &Value) -> bool {
    let at = resource.address();
    let mut holes = false;
    let mut differs = |record: &Value, key: &str, wanted: &Value| {
        let said = addresses_only(&record[key]);
        if said != *wanted {
            assert!(said.is_null(), "{key} of {at} is {said}, not {wanted}");
            assert!(record["unreadable"][key]["id"].is_string(), "{key} of {at}");
            holes = true;
        }
    };
    differs(record, "type", &json!(type_name(resource)));
    let members = &record["members"];
    if members.is_null() {
        assert!(record["type"].is_null(), "{at}");
        return true;
    }
    for (key, wanted) in expected(world, resource).as_object().unwrap() {
        if key != "regions" && key != "views" {
            differs(members, key, wanted);
        }
    }
    for list in ["regions", "views"] {
        let Some(nested) = members[list]["resources"].as_array() else {
            holes |= members["unreadable"][list]["id"].is_string();
            continue;
        };
        holes |= members[list]["unreadable"]["complete"]["id"].is_string();
        for record in nested {
            holes |= check_partly(world, resource_at(world, &record["address"]), record);
        }
    }
    holes
}
