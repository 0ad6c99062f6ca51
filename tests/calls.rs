//! Which call a message is: of RPC, COM and system ports, in worlds whose payloads were written without the product's help
//! (`synth::payload`, held against vectors that were written by hand).

mod support;

use std::collections::BTreeMap;

use serde_json::{Value, json};
use support::synthetic::{Sample, address, every_kernel};
use synth::address::Va;
use synth::worlds::hang::Scene;
use synth::worlds::rpc::{self, SAID};

struct Calls {
    sample: Sample,
    cast: BTreeMap<String, Va>,
    digits: usize,
}

impl Calls {
    fn of(scene: Scene) -> Self {
        let is_narrow = scene.built.truth.kernel_base.0 >> 32 == 0xffff_ffff;
        Self {
            cast: scene.cast,
            sample: Sample::of(scene.built),
            digits: if is_narrow { 8 } else { 16 },
        }
    }

    fn at(&self, name: &str) -> String {
        let at = self.cast.get(name).unwrap_or_else(|| panic!("no {name}"));
        address(*at)[16 - self.digits..].to_owned()
    }

    fn json(&self, args: &[&str]) -> Value {
        let mut line = vec!["--format", "json"];
        line.extend(args);
        self.sample.run(&line).json()["result"].clone()
    }

    /// The call of a message by its view, and why there is none.
    fn call(&self, name: &str) -> (Value, Value) {
        let message = self.json(&["message", &self.at(name)]);
        let details = &message["details"];
        let call = details["call"].clone();
        let why = call["not_decoded"].clone();
        if why.is_null() {
            (call, why)
        } else {
            (Value::Null, why)
        }
    }

    fn text(&self, args: &[&str]) -> String {
        self.sample.run(args).stdout
    }

    /// What the actors of a chain are called, each with the step that leads on.
    fn chain(&self, start: &str) -> Vec<(String, String, String)> {
        let record = self.json(&["chain", &self.at(start)]);
        let steps = record["chains"][0]["steps"].as_array().unwrap().clone();
        let step = |step: &Value| {
            let at = &step["node"]["address"];
            let known = self
                .cast
                .keys()
                .find(|name| self.at(name) == at.as_str().unwrap());
            let next = |member: &str| step["next"][member].as_str().unwrap_or("-").to_owned();
            (
                known.cloned().unwrap_or_else(|| at.to_string()),
                next("edge"),
                next("certainty"),
            )
        };
        steps.iter().map(step).collect()
    }
}

/// Of every kernel: the numbers and interfaces that the world was told, and nothing else is called proven.
#[test]
fn every_call_of_every_kernel_is_what_the_world_says() {
    for kernel in every_kernel() {
        let calls = Calls::of(rpc::calls(kernel));
        for said in SAID {
            let (call, _) = calls.call(said.name);
            let what = format!("{} of {kernel}: {call}", said.name);
            let Some(opnum) = said.opnum.filter(|_| said.name != "view-lie") else {
                continue;
            };
            assert_eq!(call["protocol"], "lrpc", "{what}");
            assert_eq!(call["kind"], "request", "{what}");
            assert_eq!(call["procedure_number"], opnum, "{what}");
            assert_eq!(call["binding"], json!(said.binding), "{what}");
            // Of Vista nobody has described the header.
            let certainty = if kernel.starts_with("vista") {
                "inferred"
            } else {
                "proven"
            };
            assert_eq!(call["certainty"], certainty, "{what}");
            let interface = &call["interface"];
            let known = [&interface["uuid"]];
            let candidates = call["candidates"].as_array();
            let listed: Vec<&Value> = candidates.into_iter().flatten().map(|one| &one["uuid"]).collect();
            if interface["certainty"] == "proven" {
                assert_eq!(interface["uuid"], json!(said.interface), "{what}");
                assert!(interface["bind"].is_string(), "only a bind proves: {what}");
            }
            // Where the world means an interface that anything tells, it is told or among the candidates.
            if let Some(meant) = said.interface
                && (interface.is_object() || !listed.is_empty())
            {
                let told = known.iter().chain(&listed).any(|uuid| **uuid == meant);
                assert!(told, "{what}");
            }
        }
    }
}

#[test]
fn an_interface_is_proven_by_a_bind_on_the_same_connection() {
    for kernel in [
        "vista-sp2-x64",
        "win7-sp1-x86",
        "win10-1809-x64",
        "win11-22h2-x64",
    ] {
        let Some(kernel) = every_kernel().into_iter().find(|name| *name == kernel) else {
            continue;
        };
        let calls = Calls::of(rpc::calls(kernel));
        let (call, _) = calls.call("svcctl-proven");
        assert_eq!(call["procedure"]["name"], "ROpenServiceW", "{kernel}: {call}");
        assert_eq!(call["procedure"]["sure"], true);
        assert_eq!(call["interface"]["uuid"], "367abb81-9844-35f1-ad32-98f038001003");
        assert_eq!(call["interface"]["version"], "2.0");
        assert_eq!(call["interface"]["certainty"], "proven");
        assert_eq!(call["interface"]["bind"], calls.at("svcctl-proven bind"));
        // A bind of another client says less, and two that differ say nothing.
        let (other, _) = calls.call("svcctl-other-connection");
        assert_eq!(other["interface"]["certainty"], "inferred", "{kernel}: {other}");
        let (both, _) = calls.call("contradicting-binds");
        assert!(both["interface"].is_null(), "{kernel}: {both}");
        assert_eq!(both["candidates"].as_array().unwrap().len(), 2, "{both}");
        let (refused, _) = calls.call("refused-bind answer");
        assert_eq!(refused["kind"], "bind-answer");
        assert_eq!(
            refused["status"],
            json!({ "code": 1717, "name": "RPC_S_UNKNOWN_IF" })
        );
        let (wish, _) = calls.call("refused-bind");
        assert_eq!(wish["kind"], "bind");
        // The bind itself, by its own view.
        let (bind, _) = calls.call("svcctl-proven bind");
        assert_eq!(bind["kind"], "bind-answer", "{kernel}: {bind}");
    }
}

#[test]
fn a_name_of_a_port_proves_no_interface() {
    let calls = Calls::of(rpc::calls("win11-22h2-x64"));
    let (call, _) = calls.call("svcctl-inferred");
    assert_eq!(call["interface"]["certainty"], "inferred", "{call}");
    assert_eq!(call["procedure"]["name"], "ROpenServiceW");
    // Of the eleven interfaces at lsasspirpc only lsarpc has a procedure 76.
    let (call, _) = calls.call("lookup 0");
    assert_eq!(call["interface"]["name"], "lsarpc", "{call}");
    assert_eq!(call["interface"]["certainty"], "inferred");
    assert_eq!(call["procedure"]["name"], "LsarLookupSids3");
    let text = calls.text(&["hang", "-v"]);
    let line = text
        .lines()
        .find(|line| line.contains("LsarLookupSids3"))
        .unwrap();
    assert!(
        line.contains("for LsarLookupSids3 (lsarpc 76) [inferred] at lsasspirpc, message "),
        "{line}"
    );
    // Nothing follows from a name that is drawn.
    let (call, _) = calls.call("refused-bind");
    assert!(call["candidates"].is_null());
}

#[test]
fn ports_that_are_not_rpc_are_known_by_their_names_first() {
    for kernel in every_kernel() {
        let calls = Calls::of(rpc::calls(kernel));
        let (csr, _) = calls.call("csr");
        assert_eq!(csr["protocol"], "csr", "{kernel}: {csr}");
        assert_eq!(csr["procedure_number"], 0x1_0000);
        assert_eq!(csr["procedure"]["name"], "BaseSrvCreateProcess");
        let (lookalike, _) = calls.call("csr-lookalike");
        assert_eq!(lookalike["protocol"], "csr", "{kernel}: {lookalike}");
        let (sm, _) = calls.call("sm");
        assert_eq!(sm["protocol"], "sm", "{kernel}: {sm}");
        let (wer, _) = calls.call("wer");
        assert_eq!(wer["protocol"], "wer", "{kernel}: {wer}");
        assert_eq!(wer["certainty"], "inferred", "one source");
        for raw in ["theme", "lpc-console"] {
            let (call, why) = calls.call(raw);
            assert!(call.is_null(), "{raw} of {kernel}: {call}");
            assert!(why.as_str().unwrap().contains("nobody has described"), "{why}");
        }
        let (lie, why) = calls.call("view-lie");
        assert!(
            lie.is_null() && why.as_str().unwrap().contains("view"),
            "{kernel}: {lie} {why}"
        );
        let (view, _) = calls.call("view");
        assert!(view["view_length"].as_u64().unwrap() > 0, "{kernel}: {view}");
    }
}

/// The classical hang: a client, an RPC worker, the thread of the apartment, which itself calls out and waits.
#[test]
fn a_call_of_com_leads_to_the_thread_of_its_apartment_and_on() {
    for kernel in every_kernel() {
        let calls = Calls::of(rpc::calls(kernel));
        let name = |name: &str| name.to_owned();
        let chain = calls.chain("com-sta client");
        let expected = [
            ("com-sta client", "reply", "proven"),
            ("com-sta", "received-by", "proven"),
            ("com-sta server", "apartment", "inferred"),
            ("com-sta apartment", "com-call", "inferred"),
            ("com-sta onward", "received-by", "proven"),
            ("com-sta onward server", "apartment", "inferred"),
            ("com-sta end", "-", "-"),
        ];
        let expected: Vec<_> = expected
            .iter()
            .map(|(actor, edge, certainty)| (name(actor), name(edge), name(certainty)))
            .collect();
        let actors = |chain: &[(String, String, String)]| -> Vec<String> {
            chain.iter().map(|(actor, ..)| actor.clone()).collect()
        };
        // The apartments' threads are also the senders and receivers of other messages.
        assert_eq!(chain.len(), expected.len(), "{kernel}: {chain:?}");
        for (step, wanted) in chain.iter().zip(&expected) {
            assert_eq!(
                (&step.1, &step.2),
                (&wanted.1, &wanted.2),
                "{kernel}: {:?}",
                actors(&chain)
            );
        }
        let record = calls.json(&["chain", &calls.at("com-sta client")]);
        let steps = record["chains"][0]["steps"].as_array().unwrap();
        assert_eq!(
            steps[3]["node"]["address"],
            calls.at("com-sta apartment"),
            "{kernel}"
        );
        assert_eq!(steps[6]["node"]["address"], calls.at("com-sta end"), "{kernel}");
        // Both calls have one causality, which is what ties them.
        let causality = |at: usize| steps[at]["node"]["call"]["com"]["causality"].clone();
        assert!(causality(1).is_string());
        assert_eq!(causality(1), causality(4), "{kernel}");
        let (mta, _) = calls.call("com-mta");
        assert_eq!(mta["com"]["apartment"], "MTA", "{kernel}: {mta}");
        let (foreign, _) = calls.call("com-foreign-pid");
        assert!(
            foreign["com"].is_null(),
            "{kernel}: the object is another process's: {foreign}"
        );
        let (extended, _) = calls.call("com-extensions");
        assert_eq!(extended["com"]["certainty"], "inferred", "{kernel}: {extended}");
    }
}

#[test]
fn an_impostor_is_found() {
    let calls = Calls::of(rpc::calls("win11-22h2-x64"));
    let (call, _) = calls.call("impostor");
    assert_eq!(
        call["unexpected_server"],
        json!({ "image": "evil.exe", "expected": ["spoolsv.exe"] })
    );
    let (call, _) = calls.call("view");
    assert!(call["unexpected_server"].is_null());
    let findings = calls.json(&["analyze"]);
    let found = findings["findings"].as_array().unwrap();
    let of_port: Vec<&Value> = found
        .iter()
        .filter(|one| one["id"] == "unexpected-server")
        .collect();
    assert_eq!(of_port.len(), 1, "{findings}");
    assert_eq!(of_port[0]["addresses"][0], calls.at("spoolss"));
    // By what people know it by.
    let port = &of_port[0]["ports"][0];
    assert_eq!(
        (&port["address"], &port["name"], &port["owner"]["image"]),
        (&json!(calls.at("spoolss")), &json!("spoolss"), &json!("evil.exe"))
    );
}

#[test]
fn calls_in_flight_are_listed_and_counted() {
    let calls = Calls::of(rpc::calls("win11-22h2-x64"));
    let listed = |args: &[&str]| -> Vec<String> {
        let mut line = vec!["calls"];
        line.extend(args);
        let result = calls.json(&line);
        let rows = result["calls"].as_array().unwrap();
        rows.iter()
            .map(|row| row["message"].as_str().unwrap().to_owned())
            .collect()
    };
    let all = listed(&[]);
    // Every request of the world, also one that nobody can decode, and no answer, no cancellation, nothing that was freed.
    for said in SAID.iter().filter(|said| said.opnum.is_some()) {
        assert!(all.contains(&calls.at(said.name)), "{}", said.name);
    }
    assert!(all.contains(&calls.at("theme")));
    assert!(!listed(&["--procedure", "0"]).contains(&calls.at("theme")));
    for other in ["response", "fault", "cancel", "svcctl-proven bind"] {
        assert!(!all.contains(&calls.at(other)), "{other}");
    }
    let of_lsass: Vec<String> = (0..6).map(|at| calls.at(&format!("lookup {at}"))).collect();
    assert_eq!(listed(&["--port", "lsass"]), of_lsass);
    assert_eq!(listed(&["--procedure", "lsarlookupsids3"]), of_lsass[..4]);
    assert_eq!(listed(&["--procedure", "77"]), of_lsass[4..]);
    assert_eq!(
        listed(&["--interface", "12345778-1234-ABCD-EF00-0123456789AB"]),
        of_lsass
    );
    let mut all_of_lsass = of_lsass.clone();
    all_of_lsass.push(calls.at("sspi"));
    assert_eq!(listed(&["--process", "lsass.exe"]), all_of_lsass);
    assert!(listed(&["--process", "winword.exe"]).len() > 15);
    assert_eq!(
        listed(&["--interface", "nothing has this name"]),
        Vec::<String>::new()
    );
    let text = calls.text(&["calls", "--port", "lsasspirpc"]);
    assert!(
        text.contains("6 calls: 4 \u{d7} LsarLookupSids3, 2 \u{d7} LsarLookupNames4"),
        "{text}"
    );
    let port = calls.text(&["port", &calls.at("lsasspirpc"), "-v"]);
    assert!(
        port.contains("6 queued: 4 \u{d7} LsarLookupSids3, 2 \u{d7} LsarLookupNames4"),
        "{port}"
    );
    let classic = calls.text(&["port", &calls.at("lsasspirpc")]);
    assert!(
        !classic.contains("LsarLookup"),
        "the debugger's view stays as it is"
    );
    let message = calls.text(&["message", &calls.at("lookup 0")]);
    assert_eq!(
        message.lines().filter(|line| line.contains(" : ")).count(),
        26,
        "{message}"
    );
}

/// Which function of a security package is called stands in the arguments, for 64-bit clients.
#[test]
fn the_call_that_lsass_gets_inside_another_is_named() {
    let calls = Calls::of(rpc::calls("win11-22h2-x64"));
    let (call, _) = calls.call("sspi");
    assert_eq!(call["procedure"]["name"], "SspirCallRpc", "{call}");
    assert_eq!(call["interface"]["certainty"], "proven");
    assert_eq!(
        call["inner"],
        json!({ "number": 1, "name": "CallPackage", "certainty": "inferred" })
    );
    let chain = calls.text(&["chain", &calls.at("sspi client")]);
    assert!(
        chain.contains("SspirCallRpc (sspirpc 3) for CallPackage [inferred]"),
        "{chain}"
    );
}

#[test]
fn names_of_a_users_own_go_first() {
    let calls = Calls::of(rpc::calls("win11-22h2-x64"));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("names.tsv");
    std::fs::write(&path, "367abb81-9844-35f1-ad32-98f038001003\t16\tOurOpen\n").unwrap();
    let path = path.to_str().unwrap();
    let text = calls.text(&["--rpc-names", path, "chain", &calls.at("svcctl-proven client")]);
    assert!(text.contains("OurOpen (svcctl 16)"), "{text}");
    std::fs::write(path, "what is this\n").unwrap();
    let run = calls.sample.run(&["--rpc-names", path, "hang"]);
    assert_eq!(run.status, 2);
    assert!(
        run.stderr.contains("line 1:") && run.stderr.contains("UUID"),
        "{}",
        run.stderr
    );
}

/// What the page of a message's data hides is a hole with its reason; nothing is read out of it or made up.
#[test]
fn holes_in_a_payload_hide_what_they_hold_and_no_more() {
    for kernel in every_kernel() {
        let calls = Calls::of(rpc::holed(kernel));
        let (object, _) = calls.call("object-missing");
        assert_eq!(object["protocol"], "lrpc", "{kernel}: {object}");
        assert!(object["procedure_number"].is_u64(), "{kernel}: {object}");
        assert!(object["object"]["undetermined"].is_string(), "{kernel}: {object}");
        assert!(object["com"].is_null(), "{kernel}: {object}");
        let (arguments, _) = calls.call("arguments-missing");
        assert_eq!(arguments["kind"], "request", "{kernel}: {arguments}");
        let (data, why) = calls.call("data-missing");
        assert!(why.is_null(), "{kernel}: undetermined is not none: {why}");
        assert!(data["undetermined"].is_string(), "{kernel}: {data}");
        let listed = calls.sample.run(&["--format", "json", "calls"]);
        let holes = listed.json()["holes"].clone();
        let of_call = holes
            .as_array()
            .unwrap()
            .iter()
            .filter(|hole| hole["path"].as_str().unwrap().ends_with(".call"));
        assert_eq!(of_call.count(), 1, "{kernel}: {holes}");
        assert_eq!(listed.status, 3);
        let (extension, _) = calls.call("extension-missing");
        assert_eq!(
            extension["kind"], "request",
            "{kernel}: the header is inline: {extension}"
        );
        let waits = calls.text(&["waits"]);
        assert!(waits.contains("not determined"), "{waits}");
    }
}

#[test]
fn conditions_and_signatures_know_calls() {
    let calls = Calls::of(rpc::calls("win11-22h2-x64"));
    let verdict = |rules: &str| {
        let run = calls.sample.check(rules, &["--format", "json"]);
        run.json()["result"]["conditions"][0]["verdict"].clone()
    };
    let waiting =
        |at_most: u64, call: &str| verdict(&format!("[[waiting]]\nat-most = {at_most}\ncall = \"{call}\"\n"));
    assert_eq!(waiting(5, "lsarlookup"), "fail");
    assert_eq!(waiting(3, "LsarLookupSids3"), "fail");
    // Of other waits nothing tells the interface: they may be for the same.
    assert_eq!(waiting(4, "LsarLookupSids3"), "undecided");
    let longest = |span: &str| verdict(&format!("[[wait]]\nlongest = \"{span}\"\ncall = \"svcctl\"\n"));
    assert_eq!(longest("1s"), "fail");
    assert_eq!(longest("1000h"), "pass");
    let hang = calls.json(&["hang"]);
    assert_eq!(hang["signature_for"], "for/1:lsarlookupsids3", "{hang}");
}

#[test]
fn a_redacted_report_tells_calls_and_no_ids_of_theirs() {
    let calls = Calls::of(rpc::calls("win11-22h2-x64"));
    let sta = &calls.sample.world.truth;
    let thread = sta.thread(calls.cast["com-sta apartment"]);
    let low = format!("{:04x}", thread.tid & 0xffff);
    let run = calls.sample.run(&[
        "--format",
        "json",
        "--redact",
        "names,paths,ids",
        "message",
        &calls.at("com-sta"),
    ]);
    let call = &run.json()["result"]["details"]["call"];
    assert!(call["procedure_number"].is_u64(), "{call}");
    assert!(call["object"]["undetermined"].is_string(), "it holds ids: {call}");
    assert!(
        call["com"]["apartment_thread_id_low"]["undetermined"].is_string(),
        "{call}"
    );
    assert_ne!(
        call["com"]["client_thread_id"],
        sta.thread(calls.cast["com-sta client"]).tid
    );
    assert!(!call.to_string().contains(&low), "{call}");
    // Names of procedures are the same for everybody; the port's own name is not told, and was known.
    let plain = calls
        .sample
        .run(&["--redact", "names", "chain", &calls.at("lookup 0 client")]);
    assert!(plain.stdout.contains("LsarLookupSids3"), "{}", plain.stdout);
}
