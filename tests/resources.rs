//! Resources of the independent worlds, against their truth; see `worlds.rs`.

mod support;

use serde_json::{Value, json};
use support::World;

/// A pointer of the truth as the binary tells one to a port or a process.
fn reference(address: &Value) -> Value {
    if *address == "0000000000000000" {
        Value::Null
    } else {
        json!({ "address": address })
    }
}

fn bit(value: &Value) -> Value {
    json!(*value == 1)
}

/// What the binary must say of the members of a resource that the dump holds whole.
fn expected_members(truth: &Value) -> Value {
    match truth["kind"].as_str().unwrap() {
        "section" => json!({
            "section_object": truth["section_object"],
            "size": truth["size"],
            "section_handle": truth["handle"],
            "owner_process": reference(&truth["owner_process"]),
            "owner_port": reference(&truth["owner_port"]),
            "internal": bit(&truth["internal"]),
            "secure": bit(&truth["secure"]),
            "number_of_regions": truth["regions"].as_array().unwrap().len(),
        }),
        "region" => json!({
            "section": truth["section"],
            "offset": truth["offset"],
            "size": truth["size"],
            "view_size": truth["view_size"],
            "secure": bit(&truth["secure"]),
            "number_of_views": truth["views"].as_array().unwrap().len(),
        }),
        "view" => json!({
            "region": truth["region"],
            "owner_port": reference(&truth["owner_port"]),
            "owner_process": reference(&truth["owner_process"]),
            "address": truth["at"],
            "size": truth["size"],
            "write_access": bit(&truth["write_access"]),
            "auto_release": bit(&truth["auto_release"]),
            "number_of_owner_messages": truth["owner_messages"],
        }),
        "reserve" => json!({
            "owner_port": reference(&truth["owner_port"]),
            "handle": truth["handle"],
            "size": truth["size"],
            "active": bit(&truth["active"]),
        }),
        "security" => json!({
            "context_handle": truth["handle"],
            "owning_process": reference(&truth["owner_process"]),
            "owner_port": reference(&truth["owner_port"]),
            "revoked": bit(&truth["revoked"]),
            "impersonated": bit(&truth["impersonated"]),
        }),
        other => panic!("a resource of the kind {other}"),
    }
}

fn type_name(truth: &Value) -> &'static str {
    match truth["kind"].as_str().unwrap() {
        "section" => "KALPC_SECTION",
        "region" => "KALPC_REGION",
        "view" => "KALPC_VIEW",
        "reserve" => "KALPC_RESERVE",
        "security" => "KALPC_SECURITY_DATA",
        other => panic!("a resource of the kind {other}"),
    }
}

/// The member that lists the contained resources, and the truth's list of them.
fn contained(truth: &Value) -> Option<(&'static str, &Value)> {
    match truth["kind"].as_str().unwrap() {
        "section" => Some(("regions", &truth["regions"])),
        "region" => Some(("views", &truth["views"])),
        _ => None,
    }
}

/// Only the address of a reference: what is there is tested where it is shown.
fn without_the_rest(value: &Value) -> Value {
    match value.get("address") {
        Some(address) => json!({ "address": address }),
        None => value.clone(),
    }
}

/// Compares one value. Where the dump lacks a page it may be null with a reason, and never anything else.
fn compare(record: &Value, key: &str, wanted: &Value, lost: bool, at: &Value) {
    let said = without_the_rest(&record[key]);
    if lost && said.is_null() && !wanted.is_null() {
        assert!(
            record["unreadable"][key]["id"].is_string(),
            "{key} of {at} has no reason"
        );
    } else {
        assert_eq!(said, *wanted, "{key} of {at}");
    }
}

fn check(world: &World, truth: &Value, record: &Value) {
    let (at, lost) = (&truth["address"], truth["lost"] == true);
    assert_eq!(record["address"], *at);
    compare(record, "type", &json!(type_name(truth)), lost, at);
    compare(record, "reference_count", &truth["reference_count"], lost, at);
    let members = &record["members"];
    if lost && members.is_null() {
        assert!(record["type"].is_null(), "{at} has no members");
        return;
    }
    for (key, value) in expected_members(truth).as_object().unwrap() {
        compare(members, key, value, lost, at);
    }
    if let Some((key, wanted)) = contained(truth) {
        check_contained(world, &members[key], wanted, lost);
    }
}

fn check_contained(world: &World, said: &Value, wanted: &Value, lost: bool) {
    if lost && said.is_null() {
        return;
    }
    let said = said["resources"].as_array().unwrap();
    let wanted = wanted.as_array().unwrap();
    assert!(lost || said.len() == wanted.len());
    let mut rest = wanted.iter();
    for record in said {
        assert!(
            rest.any(|address| *address == record["address"]),
            "{} is not in the list, or not in its place",
            record["address"]
        );
        check(world, resource(world, &record["address"]), record);
    }
}

fn resource<'a>(world: &'a World, address: &Value) -> &'a Value {
    let resources = world.truth["resources"].as_array().unwrap();
    resources
        .iter()
        .find(|resource| resource["address"] == *address)
        .unwrap()
}

/// Whether a page of a resource or of one that it contains is missing.
fn is_partial(world: &World, truth: &Value) -> bool {
    let inside = |list: &Value| {
        list.as_array()
            .unwrap()
            .iter()
            .any(|address| is_partial(world, resource(world, address)))
    };
    truth["lost"] == true || contained(truth).is_some_and(|(_, list)| inside(list))
}

#[test]
fn every_resource_of_every_readable_world() {
    let mut checked = 0;
    for world in World::readable() {
        for truth in world.truth["resources"].as_array().unwrap() {
            let address = truth["address"].as_str().unwrap();
            let run = world.run(&["--format", "json", "resource", address]);
            let status = if is_partial(&world, truth) { 3 } else { 0 };
            assert_eq!(run.status, status, "{address}: {}", run.stderr);
            let result = &run.json()["result"];
            assert!(result["port"].is_null());
            check(&world, truth, &result["resources"][0]);
            checked += 1;
        }
    }
    support::say_if_none(checked, "resources");
}

#[test]
fn the_resources_of_every_port() {
    let mut checked = 0;
    for world in World::readable() {
        for port in world.truth["ports"].as_array().unwrap() {
            let address = port["address"].as_str().unwrap();
            let run = world.run(&["--format", "json", "resource", address]);
            let result = &run.json()["result"];
            assert_eq!(result["port"]["address"], address);
            let said: Vec<&Value> = result["resources"]
                .as_array()
                .unwrap()
                .iter()
                .map(|record| &record["address"])
                .collect();
            let wanted: Vec<&Value> = port["resources"].as_array().unwrap().iter().collect();
            let whole = wanted
                .iter()
                .all(|address| !is_partial(&world, resource(&world, address)));
            if whole {
                assert_eq!(said, wanted, "of {address}");
                assert_eq!(run.status, 0, "{address}: {}", run.stderr);
            } else {
                assert_eq!(run.status, 3, "{address}: {}", run.stderr);
                assert!(said.iter().all(|known| wanted.contains(known)), "of {address}");
            }
            for record in result["resources"].as_array().unwrap() {
                check(&world, resource(&world, &record["address"]), record);
            }
            checked += 1;
        }
    }
    support::say_if_none(checked, "ports");
}

/// Each resource with a handle stands under it in the table of its port's connection.
#[test]
fn the_handles_of_every_connection() {
    let mut checked = 0;
    for world in World::readable() {
        for truth in world.truth["resources"].as_array().unwrap() {
            let Some(handle) = truth["handle"].as_u64() else {
                continue;
            };
            let port = world.port(&truth["owner_port"]);
            if port["communication_info_lost"] == true {
                continue;
            }
            let info = port["communication_info"].as_str().unwrap();
            let run = world.run(&["--format", "json", "resource", info]);
            let record = &run.json()["result"]["resources"][0];
            assert_eq!(record["type"], "ALPC_COMMUNICATION_INFO");
            let table = &record["members"]["handle_table"];
            let Some(entries) = table["entries"].as_array() else {
                assert_eq!(run.status, 3, "{info}: {}", run.stderr);
                continue;
            };
            let entry = entries.iter().find(|entry| entry["handle"] == handle);
            let Some(entry) = entry else {
                assert_eq!(run.status, 3, "{info} has no handle {handle}: {}", run.stderr);
                continue;
            };
            assert_eq!(entry["object"], truth["address"], "handle {handle} of {info}");
            compare(
                entry,
                "type",
                &json!(type_name(truth)),
                truth["lost"] == true,
                &truth["address"],
            );
            checked += 1;
        }
    }
    support::say_if_none(checked, "handles");
}

/// The communication info of every port names its ports.
#[test]
fn the_communication_info_of_every_port() {
    let mut checked = 0;
    for world in World::readable() {
        for port in world.truth["ports"].as_array().unwrap() {
            if port["communication_info_lost"] == true {
                continue;
            }
            let info = port["communication_info"].as_str().unwrap();
            let run = world.run(&["--format", "json", "resource", info]);
            let members = &run.json()["result"]["resources"][0]["members"];
            for key in [
                "connection_port",
                "server_communication_port",
                "client_communication_port",
            ] {
                compare(members, key, &reference(&port[key]), false, &port["address"]);
            }
            checked += 1;
        }
    }
    support::say_if_none(checked, "ports");
}

#[test]
fn what_is_no_resource_is_named() {
    let Some(world) = World::readable().next() else {
        return support::say_if_none(0, "world");
    };
    let thread = world.truth["threads"][0]["ethread"].as_str().unwrap();
    let run = world.run(&["resource", thread]);
    assert_eq!(run.status, 1, "{}", run.stderr);
    assert!(run.stderr.contains("\"Thread\""), "{}", run.stderr);
}

/// The whole text of a section with its regions and views: OURS, to be kept.
#[test]
fn the_text_of_a_section() {
    let Some(world) = World::readable().find(|world| world.truth["build"] == 14393) else {
        return support::say_if_none(0, "world");
    };
    let run = world.run(&["resource", "ffffd000e5b00040"]);
    let wanted = "
Resource @ ffffd000e5b00040
  Type                  : KALPC_SECTION
  ReferenceCount        : 0x0004 (4)
  SectionObject         : ffff9180838b0640
  Size                  : 0x1000 (4096)
";
    assert!(run.stdout.starts_with(wanted), "{}", run.stdout);
    let inner = "
  Internal              : Yes
  Secure                : No
  NumberOfRegions       : 0x0002 (2)
  RegionListHead        : 2 region(s)

    Resource @ ffffd000e5b000d0
      Type                  : KALPC_REGION
      ReferenceCount        : 0x0002 (2)
";
    assert!(run.stdout.contains(inner), "{}", run.stdout);
    let innermost = "
      ViewListHead          : 2 view(s)

        Resource @ ffffd000e5b00170
          Type                  : KALPC_VIEW
          ReferenceCount        : 0x0001 (1)
";
    assert!(run.stdout.contains(innermost), "{}", run.stdout);
    for spelling in ["/r", "-section", "/R"] {
        assert_eq!(world.run(&[spelling, "ffffd000e5b00040"]).stdout, run.stdout);
    }
}
