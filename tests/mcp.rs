//! The server for assistants, talked to line by line as the protocol says (JSON-RPC 2.0 over stdio; the messages are those
//! of the specification of 2025-06-18), and by the official client where Python has it.
#![cfg(feature = "mcp")]

mod support;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};
use support::{alpc_dump, fixture, root};
use tempfile::TempDir;

const TOOLS: [&str; 10] = [
    "open",
    "hang",
    "chain",
    "waits_for",
    "port",
    "message",
    "stack",
    "calls",
    "triage_folder",
    "explain",
];

/// A folder with the fixture in it, and its path as it really is.
fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().canonicalize().unwrap();
    for name in ["vista-sp2-x64.dmp", "vista-sp2-x64.pdb"] {
        fs::copy(fixture(name), path.join(name)).unwrap();
    }
    (folder, path)
}

/// A server that was greeted.
struct Server {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    id: u64,
}

impl Server {
    fn new(args: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_alpc-dump"))
            .arg("mcp")
            .args(args)
            .env_remove("_NT_SYMBOL_PATH")
            .env_remove("_NT_ALT_SYMBOL_PATH")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (stdin, stdout) = (child.stdin.take(), BufReader::new(child.stdout.take().unwrap()));
        let mut server = Self {
            child,
            stdin,
            stdout,
            id: 0,
        };
        let hello = server.ask(
            "initialize",
            &json!({
                "protocolVersion": "2025-06-18",
                "capabilities": {},
                "clientInfo": { "name": "test", "version": "1" },
            }),
        );
        assert_eq!(hello["result"]["protocolVersion"], "2025-06-18", "{hello}");
        assert_eq!(hello["result"]["serverInfo"]["name"], "alpc-dump");
        assert!(hello["result"]["capabilities"]["tools"].is_object());
        server.say(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
        server
    }

    fn say(&mut self, message: &Value) {
        let stdin = self.stdin.as_mut().unwrap();
        writeln!(stdin, "{message}").unwrap();
        stdin.flush().unwrap();
    }

    fn ask(&mut self, method: &str, params: &Value) -> Value {
        self.id += 1;
        let id = self.id;
        self.say(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
        loop {
            let mut line = String::new();
            assert!(self.stdout.read_line(&mut line).unwrap() > 0, "it has ended");
            let message: Value = serde_json::from_str(&line).unwrap();
            assert_eq!(message["jsonrpc"], "2.0");
            if message["id"] == id {
                return message;
            }
        }
    }

    /// What a tool answers, and whether it is an error.
    fn call(&mut self, tool: &str, arguments: &Value) -> (Value, bool) {
        let answer = self.ask("tools/call", &json!({ "name": tool, "arguments": arguments }));
        let result = &answer["result"];
        let value = result["structuredContent"].clone();
        let text = result["content"][0]["text"]
            .as_str()
            .unwrap_or_else(|| panic!("{answer}"));
        assert_eq!(
            serde_json::from_str::<Value>(text).unwrap(),
            value,
            "clients that know no structure"
        );
        (value, result["isError"] == true)
    }

    /// The answer of a tool that has one.
    fn answer(&mut self, tool: &str, arguments: &Value) -> Value {
        let (value, failed) = self.call(tool, arguments);
        assert!(!failed, "{value:#}");
        value
    }

    /// The id of the error that a tool gives.
    fn error(&mut self, tool: &str, arguments: &Value) -> String {
        let (value, failed) = self.call(tool, arguments);
        assert!(failed, "{value:#}");
        let error = value.get("error").unwrap_or(&value["document"]["error"]);
        assert!(error["text"].as_str().unwrap().len() > 10, "{value:#}");
        assert!(
            support::schema::ids().contains(error["id"].as_str().unwrap()),
            "{error}"
        );
        error["id"].as_str().unwrap().to_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Closing stdin ends it.
        drop(self.stdin.take());
        let status = self.child.wait().unwrap();
        assert!(std::thread::panicking() || status.success(), "{status}");
    }
}

#[test]
fn tools_are_listed_with_what_they_take() {
    let (_folder, path) = folder();
    let mut server = Server::new(&["--allow", path.to_str().unwrap()]);
    let listed = server.ask("tools/list", &json!({}));
    let tools = listed["result"]["tools"].as_array().unwrap();
    let names: Vec<&str> = tools.iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    assert_eq!(names, TOOLS);
    for tool in tools {
        let schema = &tool["inputSchema"];
        jsonschema::meta::validate(schema).unwrap();
        assert_eq!(schema["type"], "object");
        assert_eq!(schema["additionalProperties"], false, "{tool:#}");
        let members = schema["properties"].as_object().unwrap();
        assert!(
            members.values().all(|member| member["description"].is_string()),
            "{tool:#}"
        );
        let first = if tool["name"] == "triage_folder" {
            "folder"
        } else {
            "dump"
        };
        assert_eq!(schema["required"][0], first);
        assert_eq!(tool["annotations"]["readOnlyHint"], true);
    }
}

/// What the command line gives is the second source of what the server gives.
#[test]
fn answers_are_the_documents_of_the_commands() {
    let (_folder, path) = folder();
    let dump = path.join("vista-sp2-x64.dmp");
    let dump = dump.to_str().unwrap();
    let mut server = Server::new(&["--allow", path.to_str().unwrap()]);
    for (tool, arguments, words) in [
        ("open", json!({}), &["info"][..]),
        (
            "hang",
            json!({ "longer_than": "1d" }),
            &["hang", "--longer-than=1d"],
        ),
        (
            "chain",
            json!({ "start": "fffffa801820f250" }),
            &["chain", "fffffa801820f250"],
        ),
        (
            "chain",
            json!({ "start": "explorer.exe", "candidates": true }),
            &["chain", "explorer.exe", "--candidates"],
        ),
        (
            "waits_for",
            json!({ "what": "lsass.exe" }),
            &["waits", "--for=lsass.exe"],
        ),
        (
            "port",
            json!({ "port": "\\RPC Control\\ntsvcs" }),
            &["port", "\\RPC Control\\ntsvcs"],
        ),
        (
            "message",
            json!({ "message": "fffff8800f4cc950" }),
            &["message", "fffff8800f4cc950"],
        ),
        (
            "stack",
            json!({ "thread": "fffffa801820f250" }),
            &["stack", "fffffa801820f250"],
        ),
        (
            "calls",
            json!({ "port": "lsasspirpc" }),
            &["calls", "--port=lsasspirpc"],
        ),
        (
            "explain",
            json!({ "view": "message", "of": "fffff8800f4cc950", "limit": 1000 }),
            &["message", "fffff8800f4cc950", "--explain"],
        ),
        (
            "explain",
            json!({ "view": "hang", "limit": 1000 }),
            &["hang", "--explain"],
        ),
    ] {
        let mut arguments = arguments;
        arguments["dump"] = "vista-sp2-x64.dmp".into();
        let (answer, failed) = server.call(tool, &arguments);
        let run = alpc_dump(&[&[dump], words, &["--format", "json"]].concat());
        let document = run.json();
        assert_eq!(answer["lists"], json!({}), "{tool}");
        assert_eq!(answer["document"], document, "{tool}");
        assert_eq!(failed, document["error"].is_object(), "{tool}");
        assert!(!failed, "{tool}: {document:#}");
        assert!(document["status"].is_string() && document["holes"].is_array());
        assert!(answer["notes"].is_array());
    }
    let answer = server.answer("triage_folder", &json!({ "folder": path.to_str().unwrap() }));
    let mut record = alpc_dump(&[path.to_str().unwrap(), "triage", "--format", "json"]).json();
    let mut given = answer["document"].clone();
    for document in [&mut record, &mut given] {
        let record = match document {
            Value::Array(list) => &mut list[0],
            one => one,
        };
        record.as_object_mut().unwrap().remove("command_line");
    }
    assert_eq!(given, record);
}

#[test]
fn long_lists_come_in_pages() {
    let (_folder, path) = folder();
    let mut server = Server::new(&["--allow", path.to_str().unwrap()]);
    let dump = "vista-sp2-x64.dmp";
    let all = server.answer("explain", &json!({ "dump": dump, "view": "hang", "limit": 1000 }));
    let all = all["document"]["explain"].as_array().unwrap().clone();
    let part = server.answer(
        "explain",
        &json!({ "dump": dump, "view": "hang", "limit": 2, "offset": 1 }),
    );
    assert_eq!(part["document"]["explain"], json!(all[1..3]));
    assert_eq!(
        part["lists"]["explain"],
        json!({ "total": all.len(), "offset": 1, "shown": 2 })
    );
}

#[test]
fn errors_have_their_ids() {
    let (_folder, path) = folder();
    let mut server = Server::new(&["--allow", path.to_str().unwrap()]);
    let dump = "vista-sp2-x64.dmp";
    let outside = fixture("vista-sp2-x64.dmp");
    for (tool, arguments, id) in [
        (
            "hang",
            json!({ "dump": outside.to_str().unwrap() }),
            "not-allowed",
        ),
        ("hang", json!({ "dump": "../vista-sp2-x64.dmp" }), "not-allowed"),
        ("hang", json!({ "dump": "none.dmp" }), "not-found"),
        ("hang", json!({ "dump": "vista-sp2-x64.pdb" }), "not-a-dump"),
        (
            "hang",
            json!({ "dump": dump, "longer_than": "soon" }),
            "bad-arguments",
        ),
        ("hang", json!({ "dump": dump, "nonsense": 1 }), "bad-arguments"),
        ("hang", json!({}), "bad-arguments"),
        (
            "port",
            json!({ "dump": dump, "port": "no such port" }),
            "no-match",
        ),
        ("port", json!({ "dump": dump, "port": "--help" }), "bad-arguments"),
        (
            "message",
            json!({ "dump": dump, "message": "-" }),
            "bad-arguments",
        ),
        (
            "explain",
            json!({ "dump": dump, "view": "port" }),
            "bad-arguments",
        ),
        (
            "triage_folder",
            json!({ "folder": root().to_str().unwrap() }),
            "not-allowed",
        ),
        ("triage_folder", json!({ "folder": dump }), "no-dumps"),
    ] {
        assert_eq!(server.error(tool, &arguments), id, "{tool} {arguments}");
    }
    let unknown = server.ask("tools/call", &json!({ "name": "format_disk", "arguments": {} }));
    assert!(unknown["error"]["code"].is_i64(), "{unknown}");
    // And it still answers.
    server.answer("hang", &json!({ "dump": dump }));
}

#[test]
fn a_dump_that_was_replaced_is_opened_anew() {
    let (_folder, path) = folder();
    let mut server = Server::new(&["--allow", path.to_str().unwrap()]);
    let question = json!({ "dump": "vista-sp2-x64.dmp" });
    server.answer("open", &question);
    fs::write(path.join("vista-sp2-x64.new"), "no dump at all").unwrap();
    fs::rename(path.join("vista-sp2-x64.new"), path.join("vista-sp2-x64.dmp")).unwrap();
    assert_eq!(server.error("open", &question), "not-a-dump");
}

#[test]
fn what_is_redacted_is_not_told() {
    let (_folder, path) = folder();
    let mut server = Server::new(&["--allow", path.to_str().unwrap(), "--redact", "all"]);
    let secret = path.to_str().unwrap();
    for (tool, arguments) in [
        ("open", json!({ "dump": "vista-sp2-x64.dmp" })),
        ("hang", json!({ "dump": "vista-sp2-x64.dmp" })),
        ("port", json!({ "dump": "vista-sp2-x64.dmp", "port": "ntsvcs" })),
        ("port", json!({ "dump": "vista-sp2-x64.dmp", "port": "zebra" })),
        ("triage_folder", json!({ "folder": secret })),
    ] {
        let (value, _) = server.call(tool, &arguments);
        let text = value.to_string();
        for word in [secret, "ntsvcs", "zebra"] {
            assert!(!text.contains(word), "{tool}: {word}: {value:#}");
        }
    }
}

/// A question that is taken back has no answer, and none that waits behind it waits for it.
#[test]
fn a_question_can_be_taken_back() {
    let (_folder, path) = folder();
    let mut server = Server::new(&["--allow", path.to_str().unwrap()]);
    let hang = json!({ "name": "hang", "arguments": { "dump": "vista-sp2-x64.dmp" } });
    for id in 1000..1400 {
        server.say(&json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": hang }));
    }
    for id in 1000..1400 {
        server.say(&json!({
            "jsonrpc": "2.0",
            "method": "notifications/cancelled",
            "params": { "requestId": id, "reason": "not wanted" },
        }));
    }
    server.say(&json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": hang }));
    let mut answered = 0;
    loop {
        let mut line = String::new();
        assert!(server.stdout.read_line(&mut line).unwrap() > 0, "it has ended");
        let message: Value = serde_json::from_str(&line).unwrap();
        if message["id"] == 7 {
            // What was stopped is not part of it.
            let document = &message["result"]["structuredContent"]["document"];
            assert_eq!(document["status"], "complete", "{document}");
            break;
        }
        answered += usize::from(message.get("result").is_some());
    }
    // Those that were answered before they were taken back.
    assert!(answered < 400, "{answered}");
}

#[test]
fn it_needs_a_folder_that_is_there() {
    for args in [&["mcp"][..], &["mcp", "--allow", "/no/such/folder"]] {
        let run = alpc_dump(args);
        assert_eq!((run.status, run.stdout.as_str()), (2, ""), "{}", run.stderr);
        assert!(run.stderr.contains("--allow"), "{}", run.stderr);
    }
}

/// The official client of the protocol: `pip install mcp`.
#[test]
fn the_official_client_understands_it() {
    let python = std::env::var("ALPC_DUMP_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let has = Command::new(&python)
        .args(["-c", "import mcp"])
        .stderr(Stdio::null())
        .status();
    if !has.is_ok_and(|status| status.success()) {
        eprintln!("skipped: {python} has no module mcp (pip install mcp)");
        return;
    }
    let (_folder, path) = folder();
    let output = Command::new(&python)
        .arg(root().join("tests/support/mcp_client.py"))
        .arg(env!("CARGO_BIN_EXE_alpc-dump"))
        .arg::<&Path>(&path)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(said["tools"], json!(TOOLS));
    let dump = path.join("vista-sp2-x64.dmp");
    let run = alpc_dump(&[dump.to_str().unwrap(), "hang", "--format", "json"]);
    assert_eq!(said["hang"]["document"], run.json());
    assert_eq!(said["refused"], json!([true, "not-allowed"]));
}
