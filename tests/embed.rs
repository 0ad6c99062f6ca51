//! The commands inside of another program: the lines are those of `--format ndjson`, the documents those of `--format json`.

mod support;

use std::sync::Arc;
use std::time::Duration;

use alpc_dump::embed::{Dump, Kind, Line, Notes, Question, Refusal, Said, Walk};
use serde_json::Value;
use support::alpc_dump;

const FIXTURE: &str = "fixtures/vista-sp2-x64.dmp";
const PATIENCE: Duration = Duration::from_secs(60);

fn opened(options: &[&str]) -> Result<Arc<Dump>, Box<Refusal>> {
    let options: Vec<_> = options.iter().map(Into::into).collect();
    Dump::open(FIXTURE.into(), &options).map(Arc::new)
}

fn records(words: &[&str]) -> Question {
    Question::records(words.iter().map(Into::into))
}

fn all(mut walk: Walk) -> Result<(Vec<Line>, Notes), Box<Refusal>> {
    let mut lines = Vec::new();
    loop {
        match walk.next(PATIENCE) {
            Said::Line(line) => lines.push(line),
            Said::Rows(_) => panic!("no columns were asked for"),
            Said::Nothing => panic!("it takes too long"),
            Said::End(notes) => return Ok((lines, notes)),
            Said::Refused(refusal) => return Err(refusal),
        }
    }
}

/// Without what lines alone have, and how it was asked. The head names the dump in both.
fn without_words(mut value: Value) -> Value {
    let members = value.as_object_mut().unwrap();
    for name in ["record", "dump", "command_line"] {
        members.shift_remove(name);
    }
    value
}

#[test]
fn lines_are_those_of_ndjson() {
    let dump = opened(&[]).unwrap();
    for words in [
        &["ports"][..],
        &["hang"],
        &["threads", "--waiting"],
        &["waits", "--for", "lsass.exe"],
        &["message", "id:3068"],
        &["message", "id:3068", "--explain"],
        &["stacks", "--group"],
        &["global"],
        &["handles", "pid:828"],
    ] {
        let line = [&[FIXTURE][..], words, &["--format", "ndjson", "--quiet"]].concat();
        let shown: Vec<Value> = alpc_dump(&line)
            .stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let (lines, _) = all(dump.ask(records(words))).unwrap();
        let kinds: Vec<&str> = lines.iter().map(|line| line.kind).collect();
        let shown_kinds: Vec<&str> = shown
            .iter()
            .map(|line| line["record"].as_str().unwrap())
            .collect();
        assert_eq!(kinds, shown_kinds, "{words:?}");
        for (line, shown) in lines.into_iter().zip(shown) {
            assert_eq!(without_words(line.value), without_words(shown), "{words:?}");
        }
    }
}

#[test]
fn several_questions_at_the_same_time() {
    let dump = opened(&[]).unwrap();
    let mut slow = dump.ask(records(&["handles"]));
    assert!(matches!(slow.next(PATIENCE), Said::Line(_)));
    let (first, _) = all(dump.ask(records(&["ports"]))).unwrap();
    let walks: Vec<Walk> = (0..4).map(|_| dump.ask(records(&["ports"]))).collect();
    for walk in walks {
        let (lines, _) = all(walk).unwrap();
        let values = |lines: &[Line]| -> Vec<Value> { lines.iter().map(|line| line.value.clone()).collect() };
        assert_eq!(values(&lines), values(&first));
    }
    let (rest, _) = all(slow).unwrap();
    assert_eq!(rest.last().unwrap().kind, "end");
}

#[test]
fn what_has_no_answer_says_why() {
    let dump = opened(&[]).unwrap();
    let refusal = |question| all(dump.ask(question)).unwrap_err();
    let none = refusal(records(&["port", "nosuch"]));
    assert_eq!((&*none.id, none.status), ("no-match", "finding"));
    for words in [
        &["triage"][..],
        &["mem"],
        &["-i"],
        &["message", "-"],
        &["ports", "-o", "x"],
        &["schema"],
        &["nonsense"],
    ] {
        let refused = refusal(records(words));
        assert_eq!(
            (&*refused.id, refused.status),
            ("bad-arguments", "fatal"),
            "{words:?}"
        );
    }
    let (lines, _) = all(dump.ask(Question::document(["port".into(), "nosuch".into()]))).unwrap();
    assert_eq!(lines[0].value["error"]["id"], "no-match");
    let named = Question::messages(Some(vec!["id:3068".to_owned(), "id:1".to_owned()]), false);
    let (lines, notes) = all(dump.ask(named)).unwrap();
    let kinds: Vec<&str> = lines.iter().map(|line| line.kind).collect();
    assert_eq!(kinds, ["document", "message", "error", "end"]);
    assert_eq!(notes.errors.len(), 1);
    let missing = Dump::open("nowhere.dmp".into(), &[]).err().unwrap();
    assert_eq!(missing.id, "not-found");
}

#[test]
fn placeholders_stand_in_every_answer() {
    let dump = opened(&["--redact=all"]).unwrap();
    let (lines, _) = all(dump.ask(records(&["ports"]))).unwrap();
    let told = format!("{lines:?}");
    assert!(
        !told.contains("OrderEntry") && !told.contains("vista-sp2"),
        "{told}"
    );
    let secret = Question::messages(Some(vec!["name:TopSecret".to_owned()]), false);
    let told = format!("{:?}", all(dump.ask(secret)));
    assert!(!told.contains("TopSecret"), "{told}");
}

#[test]
fn columns_come_in_batches() {
    let dump = opened(&[]).unwrap();
    let wanted = vec![
        ("address".to_owned(), Kind::Text),
        ("queued".to_owned(), Kind::Unsigned),
    ];
    let mut walk = dump.ask(records(&["ports"]).in_columns(wanted, 10));
    assert_eq!(walk.table(), Some("port-line"));
    let (mut rows, mut queued, mut kinds) = (Vec::new(), 0, Vec::new());
    loop {
        match walk.next(PATIENCE) {
            Said::Rows(batch) => {
                rows.push(batch.rows);
                let values = batch.columns[1].values.chunks_exact(8);
                queued += values
                    .map(|bytes| u64::from_ne_bytes(bytes.try_into().unwrap()))
                    .sum::<u64>();
                assert_eq!(batch.columns[0].values.len(), 16 * batch.rows);
            }
            Said::Line(line) => kinds.push(line.kind),
            Said::End(_) => break,
            other => panic!("{other:?}"),
        }
    }
    let (lines, _) = all(dump.ask(records(&["ports"]))).unwrap();
    let ports = lines.iter().filter(|line| line.kind == "port-line");
    let counts: Vec<u64> = ports.map(|line| line.value["queued"].as_u64().unwrap()).collect();
    assert_eq!(rows.iter().sum::<usize>(), counts.len());
    assert_eq!(queued, counts.iter().sum::<u64>());
    assert!(rows[..rows.len() - 1].iter().all(|rows| *rows == 10), "{rows:?}");
    assert_eq!(kinds, ["document", "end"]);
}

/// Ctrl-C of the program around it is this.
#[test]
fn a_walk_that_is_stopped_ends_with_that_as_the_reason() {
    let dump = opened(&[]).unwrap();
    let walk = dump.ask(records(&["hang"]));
    walk.stop();
    // It had ended by then, or it says that it was cancelled.
    let (lines, _) = all(walk).unwrap();
    assert_eq!(lines.last().unwrap().kind, "end");
    drop(dump.ask(records(&["handles"])));
}
