//! Descriptors, tokens and who may connect: worlds whose accounts and lists were told in plain words, on every kernel.

mod support;

use serde_json::{Value, json};
use support::synthetic::{Sample, address};
use synth::address::Va;
use synth::layout::Kernel;
use synth::worlds::hang::Scene;
use synth::worlds::security::{self, PACKAGE, PORTS, USER};

/// A world with its dump.
struct Place {
    sample: Sample,
    cast: std::collections::BTreeMap<String, Va>,
}

impl Place {
    fn of(kernel: &str) -> Self {
        let Scene { built, cast } = security::accounts(kernel);
        Self {
            sample: Sample::of(built),
            cast,
        }
    }

    fn at(&self, name: &str) -> String {
        let wide = self.sample.world.truth.kernel_base.0 >> 32 != 0xffff_ffff;
        let digits = if wide { 16 } else { 8 };
        address(self.cast[name])[16 - digits..].to_owned()
    }

    fn json(&self, args: &[&str]) -> Value {
        let line = [&["--format", "json"][..], args].concat();
        self.sample.run(&line).json()["result"].clone()
    }

    fn token(&self, name: &str) -> Value {
        self.json(&["token", &self.at(name)])
    }
}

const RPC: &str = r"\RPC Control\";

#[test]
fn ports_that_a_caller_could_open() {
    for kernel in Kernel::names() {
        let place = Place::of(kernel);
        for (column, who) in ["everyone", "appcontainer", "low"].into_iter().enumerate() {
            let result = place.json(&["ports", "--accessible-by", who]);
            let rows = result["ports"].as_array().unwrap();
            let verdict = |name: &str| {
                let path = format!("{RPC}{name}");
                rows.iter().find(|row| row["path"] == *path).map(|row| {
                    assert_eq!(row["owner_process"]["image"], "lsass.exe");
                    assert_eq!(row["owner"]["user"]["sid"], "S-1-5-18");
                    row["verdict"].as_str().unwrap().to_owned()
                })
            };
            let mut denied = 0;
            for (name, _, _, expected) in PORTS {
                let expected = match &expected[column..=column] {
                    "+" => Some("granted".to_owned()),
                    "?" => Some("undecided".to_owned()),
                    _ => {
                        denied += 1;
                        None
                    }
                };
                assert_eq!(verdict(name), expected, "{kernel}: {who} at {name}");
            }
            assert_eq!(result["denied"], denied, "{kernel}: {who}");
            assert_eq!(result["nameless"], 1, "{kernel}");
            assert_eq!(verdict("none").as_deref(), Some("granted"), "{kernel}");
            assert_eq!(verdict("paged").as_deref(), Some("undecided"), "{kernel}");
            let run = place.sample.run(&["ports", "--accessible-by", who]);
            assert_eq!(run.status, 3, "{kernel}: {}", run.stderr);
        }
        // The user by the identifier alone is in no group of users.
        let result = place.json(&["ports", "--accessible-by", USER]);
        let rows = result["ports"].as_array().unwrap();
        let names: Vec<&str> = rows
            .iter()
            .map(|row| row["path"].as_str().unwrap().trim_start_matches(RPC))
            .collect();
        assert_eq!(
            names,
            [
                "open",
                "world",
                "null",
                "authenticated",
                "condition",
                "none",
                "paged"
            ],
            "{kernel}"
        );
    }
}

#[test]
fn tokens_of_processes_and_threads() {
    for kernel in Kernel::names() {
        let place = Place::of(kernel);
        let service = &place.token("lsass");
        let primary = &service["primary"];
        assert_eq!(primary["address"], place.at("service-token"), "{kernel}");
        assert_eq!(primary["user"]["name"], "SYSTEM");
        assert_eq!(primary["account"], "NT AUTHORITY\\SYSTEM");
        assert_eq!(primary["integrity"], json!({"level": 0x4000, "word": "system"}));
        assert_eq!(primary["type"], "primary");
        assert_eq!(primary["source"], "*SYSTEM*");
        let privileges: Vec<&Value> = primary["privileges"]["all"].as_array().unwrap().iter().collect();
        let named: Vec<&str> = privileges
            .iter()
            .map(|one| one["name"].as_str().unwrap())
            .collect();
        assert_eq!(
            named,
            [
                "SeCreateTokenPrivilege",
                "SeTcbPrivilege",
                "SeImpersonatePrivilege",
                "SeRelabelPrivilege"
            ],
            "{kernel}"
        );
        // One byte of protection came with 8.1.
        let protected = place.sample.world.kernel.has("_EPROCESS", "Protection");
        let expected = if protected { json!("PPL/Lsa") } else { Value::Null };
        assert_eq!(service["protection"], expected, "{kernel}");

        let user = &place.token("explorer")["primary"];
        assert_eq!(user["user"]["sid"], USER, "{kernel}");
        assert_eq!(user["session"], 1);
        assert_eq!(user["integrity"]["word"], "medium");
        let groups = user["groups"].as_array().unwrap();
        assert_eq!(groups[1]["words"], json!(["UseForDenyOnly"]));
        assert_eq!(
            groups[5]["words"],
            json!(["Mandatory", "Default", "Enabled", "LogonId"])
        );
        let named = place
            .sample
            .world
            .has("_SEP_LOGON_SESSION_REFERENCES", "AccountName");
        let account = if named {
            json!("DESKTOP-7\\alice")
        } else {
            Value::Null
        };
        assert_eq!(user["account"], account, "{kernel}");

        let low = &place.token("application")["primary"];
        assert_eq!(low["integrity"]["word"], "low", "{kernel}");
        if place.sample.world.has("_TOKEN", "Package") {
            assert_eq!(low["package"]["sid"], PACKAGE, "{kernel}");
            assert_eq!(
                low["capabilities"][0]["group"]["name"],
                "capability internetClient"
            );
        } else {
            assert!(low["package"].is_null(), "{kernel}");
        }

        // A thread that impersonates shows both tokens.
        let thread = place.token("dynamic-thread");
        let impersonation = &thread["impersonation"];
        assert_eq!(impersonation["level"], "impersonation", "{kernel}");
        assert_eq!(impersonation["token"]["address"], place.at("client-token"));
        assert_eq!(impersonation["token"]["type"], "impersonation");
        assert_eq!(
            impersonation["token"]["restricted"][0]["group"]["sid"],
            "S-1-5-12"
        );
        assert_eq!(thread["primary"]["address"], place.at("user-token"));
        assert!(
            place.token("static-thread")["impersonation"].is_null(),
            "{kernel}"
        );
        // By its own address, and changed in memory.
        let tampered = place.token("tampered-token");
        let signs = tampered["token"]["signs"].as_array().unwrap();
        assert_eq!(signs.len(), 1, "{kernel}");
        assert!(
            signs[0]
                .as_str()
                .unwrap()
                .starts_with("privileges 0x100000 are enabled")
        );
        assert!(place.token("user-token")["token"]["signs"].is_null(), "{kernel}");
    }
}

#[test]
fn whom_a_server_would_impersonate() {
    for kernel in Kernel::names() {
        let place = Place::of(kernel);
        for (name, source, level) in [
            ("attribute", "security-attribute", "impersonation"),
            ("static", "static-at-connect", "identification"),
            ("dynamic", "dynamic-from-thread", "impersonation"),
        ] {
            let caller = &place.token(&format!("{name}-message"))["caller"];
            assert_eq!(caller["by"]["source"], source, "{kernel}: {name} {caller}");
            assert_eq!(caller["by"]["level"], level, "{kernel}: {name}");
            assert_eq!(caller["evidence"], "single-source");
            assert_eq!(
                caller["token"]["address"],
                place.at("client-token"),
                "{kernel}: {name}"
            );
            let run = place
                .sample
                .run(&["token", &place.at(&format!("{name}-message"))]);
            assert!(
                run.stdout.contains("Whom the server would impersonate"),
                "{}",
                run.stdout
            );
        }
        let port = place.token("static-server");
        assert_eq!(port["caller"]["by"]["source"], "static-at-connect", "{kernel}");
        assert_eq!(port["primary"]["address"], place.at("service-token"), "{kernel}");
        let port = place.token("dynamic-client");
        assert_eq!(port["caller"]["by"]["source"], "dynamic-from-thread", "{kernel}");
        assert_eq!(port["primary"]["address"], place.at("user-token"), "{kernel}");
        assert!(place.token("open")["caller"].is_null(), "{kernel}");
    }
}

/// The descriptors as SDDL, by hand from the lists that the world was told.
#[test]
fn descriptors_of_ports() {
    for kernel in [
        "vista-sp2-x64",
        "win7-sp1-x86",
        "win10-2004-x64",
        "win11-24h2-x64",
    ] {
        let place = Place::of(kernel);
        for (name, sddl, findings) in [
            (
                "open",
                "O:SYG:SYD:(A;;0x1f0001;;;SY)(A;;CC;;;WD)(A;;CC;;;AC)",
                &["connect-packages"][..],
            ),
            ("empty", "O:SYG:SYD:", &[]),
            ("null", "O:SYG:SYD:NO_ACCESS_CONTROL", &["null-dacl"]),
            ("administrators", "O:SYG:SYD:(A;;0x1f0001;;;BA)", &[]),
            ("denied", "O:SYG:SYD:(D;;CC;;;WD)(A;;CC;;;WD)", &[]),
            ("condition", "O:SYG:SYD:(XA;;CC;;;WD;(Exists @User.a))", &[]),
            (
                "anonymous",
                "O:SYG:SYD:(A;;CC;;;AN)(A;;CC;;;BU)S:(ML;;NW;;;LW)",
                &["connect-anonymous", "low-label"],
            ),
            ("high", "O:SYG:SYD:(A;;CC;;;WD)S:(ML;;NWNR;;;HI)", &[]),
            ("writable", "O:SYG:SYD:(A;;CCWD;;;BU)", &["change-by-others"]),
        ] {
            let result = place.json(&["security", &place.at(name)]);
            assert_eq!(result["descriptor"]["sddl"], sddl, "{kernel}: {name}");
            let found: Vec<&str> = result["findings"]
                .as_array()
                .unwrap()
                .iter()
                .map(|finding| finding["id"].as_str().unwrap())
                .collect();
            assert_eq!(found, findings, "{kernel}: {name}");
            assert_eq!(result["port"]["owner"]["integrity"]["word"], "system");
            // The descriptor by its own address says the same.
            let at = result["descriptor"]["address"].as_str().unwrap();
            let alone = place.json(&["security", at]);
            assert_eq!(alone["descriptor"]["sddl"], sddl, "{kernel}: {name}");
        }
        let none = place.json(&["security", r"\RPC Control\none"]);
        assert!(none["descriptor"].is_null(), "{kernel}");
        assert_eq!(none["findings"][0]["id"], "no-descriptor");
        let end = place.json(&["security", &place.at("static-client")]);
        assert_eq!(end["port"]["connection_port"]["name"], "open", "{kernel}");
        assert_eq!(end["path"], format!("{RPC}open"));
        assert_eq!(end["port"]["allows_impersonation"], true);
        let text = |name: &str| place.sample.run(&["security", &place.at(name)]).stdout;
        assert!(
            text("empty").contains("DACL: empty: nobody has access"),
            "{kernel}"
        );
        assert!(
            text("null").contains("DACL: NULL: everybody has all access"),
            "{kernel}"
        );
        assert!(
            text("none").contains("Descriptor: NULL: nothing is checked"),
            "{kernel}"
        );
        assert!(text("nameless").contains("nobody can open it"), "{kernel}");
        let paged = place.sample.run(&["security", &place.at("paged")]);
        assert_eq!(paged.status, 3, "{kernel}");
        assert!(paged.stdout.contains("paged out"), "{}", paged.stdout);
    }
}

/// The layouts that come with the program tell all but the names of accounts.
#[test]
fn without_symbols() {
    for kernel in ["win10-2004-x64", "win81-x64", "win7-sp1-x64"] {
        let place = Place::of(kernel);
        std::fs::remove_file(place.sample.dump().with_file_name("kernel.pdb")).unwrap();
        let primary = &place.token("lsass")["primary"];
        assert_eq!(primary["user"]["sid"], "S-1-5-18", "{kernel}");
        assert_eq!(primary["account"], "NT AUTHORITY\\SYSTEM", "{kernel}");
        let result = place.json(&["ports", "--accessible-by", "everyone"]);
        assert_eq!(result["ports"].as_array().unwrap().len(), 6, "{kernel}");
        let caller = &place.token("static-message")["caller"];
        assert_eq!(caller["by"]["level"], "identification", "{kernel}");
    }
}

#[test]
fn accounts_and_machines_are_replaced() {
    let place = Place::of("win10-2004-x64");
    let lines = [
        "token explorer.exe -v",
        "token lsass.exe",
        "ports --accessible-by low",
    ];
    let of = ["user-token", "low-token", "static-message", "dynamic-thread"]
        .map(|name| format!("token {}", place.at(name)));
    let security = format!("security {}", place.at("condition"));
    let by_user = format!("ports --accessible-by {USER}");
    let mut all: Vec<&str> = lines.to_vec();
    all.extend(of.iter().map(String::as_str));
    all.extend([security.as_str(), by_user.as_str()]);
    for line in all {
        for format in ["text", "json"] {
            let mut args = vec!["--format", format, "--redact", "names"];
            args.extend(line.split(' '));
            let run = place.sample.run(&args);
            let told = format!("{}{}", run.stdout, run.stderr);
            for secret in [
                "alice",
                "DESKTOP-7",
                "1004336348",
                "682003330",
                "1609473798",
                "@User.a",
            ] {
                assert!(!told.contains(secret), "{line}: {secret}: {told}");
            }
        }
    }
    // Equal accounts stay equal, and what every machine has stays.
    let user = place
        .sample
        .run(&["--redact", "names", "token", &place.at("user-token")])
        .stdout;
    let low = place
        .sample
        .run(&["--redact", "names", "token", &place.at("low-token")])
        .stdout;
    let line = |text: &str| {
        text.lines()
            .find(|line| line.starts_with("User:"))
            .unwrap()
            .to_owned()
    };
    assert_eq!(line(&user), line(&low));
    assert!(user.contains("S-1-5-32-545 (Users)"));
}

#[test]
fn what_is_neither_says_what_it_is() {
    let place = Place::of("win10-2004-x64");
    let port = place.at("open");
    for (line, status, id) in [
        (vec!["token", "ffff800000000000"], 3, ""),
        (vec!["ports", "--accessible-by", "nobody"], 2, "not-a-caller"),
        (vec!["ports", "--accessible-by", "S-1-"], 2, "not-a-caller"),
    ] {
        let run = place.sample.run(&[&["--format", "json"][..], &line].concat());
        assert_eq!(run.status, status, "{line:?}: {}{}", run.stdout, run.stderr);
        if !id.is_empty() {
            assert_eq!(run.json()["error"]["id"], id, "{line:?}");
        }
    }
    // In the middle of a port is neither a token nor a descriptor.
    let middle = format!("{:x}", u64::from_str_radix(&port, 16).unwrap() + 0x20);
    for (verb, id) in [("token", "not-a-token"), ("security", "not-a-descriptor")] {
        let run = place.sample.run(&["--format", "json", verb, &middle]);
        assert_eq!(run.status, 1, "{}{}", run.stdout, run.stderr);
        assert_eq!(run.json()["error"]["id"], id);
    }
}

#[test]
fn the_debuggers_spellings_are_understood() {
    let place = Place::of("win10-2004-x64");
    let ours = place.sample.run(&["token", &place.at("user-token")]).stdout;
    let line = format!("!token -n {}", place.at("user-token"));
    assert!(
        place.sample.run(&["-c", &line]).stdout.contains(ours.trim()),
        "{ours}"
    );
    let record = place.json(&["security", &place.at("open")]);
    let at = record["descriptor"]["address"].as_str().unwrap();
    let ours = place.sample.run(&["security", at]).stdout;
    let line = format!("!sd {at} 1");
    assert!(
        place.sample.run(&["-c", &line]).stdout.contains(ours.trim()),
        "{ours}"
    );
}

/// Pointers of real memory to tokens, without the counts in their low bits, and what a client's security data captured.
#[test]
fn tokens_of_real_memory() {
    let Some(folder) = support::shared("real") else {
        return;
    };
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let Some(case) = name.strip_suffix(".truth.json") else {
            continue;
        };
        let truth: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let Some(token) = truth["process"]["fields"]["Token"].as_str() else {
            continue;
        };
        seen += 1;
        let expected = format!("{:x}", u64::from_str_radix(token, 16).unwrap() & !15);
        let dump = path.with_file_name(format!("{case}.dmp"));
        let dump = dump.to_str().unwrap();
        // The tokens themselves are not in these dumps: nothing of them is made up.
        let run = support::alpc_dump(&[dump, "--format", "json", "token", "current"]);
        assert_eq!(run.status, 3, "{case}: {}", run.stderr);
        let primary = &run.json()["result"]["primary"];
        if !primary.is_null() {
            assert_eq!(primary["address"], expected, "{case}");
            assert!(
                primary["user"].is_null() && primary["integrity"].is_null(),
                "{case}"
            );
        }
    }
    assert!(seen > 5, "{seen} cases");
}

/// The user's program is a client of the system's service, in another session.
#[test]
fn connections_that_cross_a_boundary() {
    for kernel in ["vista-sp2-x64", "win10-2004-x64", "win7-sp1-x86"] {
        let place = Place::of(kernel);
        let result = place.json(&["graph"]);
        let crossings = result["crossings"]["connections"].as_array().unwrap();
        assert_eq!(crossings.len(), 3, "{kernel}");
        for crossing in crossings {
            assert_eq!(crossing["crosses"], json!(["integrity", "session"]), "{kernel}");
            assert_eq!(crossing["client"]["image"], "explorer.exe");
            assert_eq!(crossing["server"]["integrity"], "system");
            assert_eq!(crossing["connection_port"], place.at("open"));
        }
        assert_eq!(result["crossings"]["undecided"], 0);
        let dump = place.sample.dump();
        let triage = support::alpc_dump(&["triage", dump.to_str().unwrap()]);
        assert_eq!(triage.lines()[0]["crossings"], 3, "{kernel}");
        let run = place.sample.run(&["graph"]);
        assert!(
            run.stdout.contains("explorer.exe (medium, session 1) -> "),
            "{}",
            run.stdout
        );
    }
}
