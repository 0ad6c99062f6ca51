"""What is asked about a dump: compared with the command line, and with what is published of the dump."""

import json
import re
import threading

import pytest
from conftest import FIXTURE, ROOT, json_of, run

import alpc_dump

# Each method beside the command line that says the same, and where the records are in its result.
LISTS = [
    (lambda dump: dump.waits(), ["waits"], "waits"),
    (lambda dump: dump.waits(process="explorer.exe"), ["waits", "--process", "explorer.exe"], "waits"),
    (lambda dump: dump.waits(longer_than=60), ["waits", "--longer-than", "60s"], "waits"),
    (lambda dump: dump.calls(), ["calls"], "calls"),
    (lambda dump: dump.locks(), ["locks"], "locks"),
    (lambda dump: dump.ports(), ["ports"], "ports"),
    (lambda dump: dump.orphan_ports(), ["ports", "--orphans"], "ports"),
    (lambda dump: dump.accessible_ports("everyone"), ["ports", "--accessible-by", "everyone"], "ports"),
    (lambda dump: dump.connections("ntsvcs"), ["connections", "ntsvcs"], "connections"),
    (lambda dump: dump.all_connections(), ["global", "--graph"], None),
    (lambda dump: dump.analyze(), ["analyze"], "findings"),
    (lambda dump: dump.carve("threads", listed=True), ["carve", "threads", "--listed"], "found"),
    (lambda dump: dump.timeline(), ["timeline"], "events"),
    (lambda dump: dump.processes(), ["processes"], "processes"),
    (lambda dump: dump.sessions(), ["sessions"], "sessions"),
    (lambda dump: dump.services(), ["services"], "services"),
    (lambda dump: dump.handles(type="ALPC Port"), ["handles", "--type", "ALPC Port"], None),
    (lambda dump: dump.modules(), ["modules"], "modules"),
    (lambda dump: dump.stacks(), ["stacks"], "threads"),
    (lambda dump: dump.stack_groups(), ["stacks", "--group"], "groups"),
    (lambda dump: dump.threads(waiting=True), ["threads", "--waiting"], None),
]

ANSWERS = [
    (lambda dump: dump.hang(), ["hang"]),
    (lambda dump: dump.hang(longer_than="1s"), ["hang", "--longer-than", "1s"]),
    (lambda dump: dump.summary(), ["summary"]),
    (lambda dump: dump.chain("id:3068"), ["chain", "id:3068"]),
    (lambda dump: dump.waits_for("lsass.exe"), ["waits", "--for", "lsass.exe"]),
    (lambda dump: dump.graph(), ["graph"]),
    (lambda dump: dump.message(0xFFFFF8800F4CC950), ["message", "fffff8800f4cc950"]),
    (lambda dump: dump.port(r"\RPC Control\ntsvcs"), ["port", r"\RPC Control\ntsvcs"]),
    (lambda dump: dump.ports_of("pid:828"), ["ports", "pid:828"]),
    (lambda dump: dump.alpc(), ["global"]),
    (lambda dump: dump.resource("lsasspirpc"), ["resource", "lsasspirpc"]),
    (lambda dump: dump.thread("fffffa801afae6f0"), ["thread", "fffffa801afae6f0"]),
    (lambda dump: dump.stack("fffffa801afae6f0"), ["stack", "fffffa801afae6f0"]),
    (lambda dump: dump.process("pid:828"), ["process", "pid:828"]),
    (lambda dump: dump.object(r"\RPC Control"), ["object", r"\RPC Control"]),
    (lambda dump: dump.security(r"\RPC Control\ntsvcs"), ["security", r"\RPC Control\ntsvcs"]),
    (lambda dump: dump.token("pid:828"), ["token", "pid:828"]),
    (lambda dump: dump.info(), ["info"]),
    (lambda dump: dump.symbols(), ["symbols"]),
    (lambda dump: dump.dt("_ALPC_PORT"), ["dt", "_ALPC_PORT"]),
    (lambda dump: dump.mem(0xFFFFF8800F4CC950, 32), ["mem", "0xfffff8800f4cc950", "32"]),
]


def words_of(case):
    return " ".join(case[1])


def gathered(value, inside):
    """The records in the result of a document, wherever their command puts them."""
    if inside is not None:
        return value[inside]
    if isinstance(value, list):
        return value
    lists = [member for name, member in value.items() if isinstance(member, list) and name != "absent"]
    nested = [member for member in lists if member and isinstance(member[0], dict)]
    return nested[0] if nested else []


@pytest.mark.parametrize("case", LISTS, ids=words_of)
def test_lists_are_those_of_the_command_line(dump, case):
    ask, words, inside = case
    document = json_of(*words)
    records = ask(dump)
    found = list(records)
    if words[0] not in ("threads", "handles"):
        # Documents have these by process.
        assert found == gathered(document["result"], inside)
    assert found or document["result"] is not None
    assert records.status == document["status"]
    assert records.symbols == document["symbols"]
    assert records.head["dump_size"] == FIXTURE.stat().st_size
    assert sum(hole["count"] for hole in records.holes) == len(document["holes"])
    assert records.complete == (document["status"] != "partial")


@pytest.mark.parametrize("case", ANSWERS, ids=words_of)
def test_answers_are_those_of_the_command_line(dump, case):
    ask, words = case
    document = json_of(*words)
    answer = ask(dump)
    assert answer.result == document["result"]
    assert answer.status == document["status"]
    assert answer.holes == document["holes"]
    assert answer.symbols == document["symbols"]


@pytest.mark.parametrize("words", [["hang"], ["ports"], ["port", "nosuch"], ["message", "id:3068", "--explain"]], ids=" ".join)
def test_documents_are_those_of_the_command_line(dump, words):
    expected = json_of(*words)
    document = dump.document(*words)
    assert document.pop("command_line") == [str(FIXTURE), *words]
    del expected["command_line"]
    assert document == expected


def test_threads_and_handles_are_all_there(dump):
    threads = {thread["address"] for thread in dump.threads()}
    processes = {process["address"] for process in dump.processes()}
    assert {thread["process"]["address"] for thread in dump.threads()} <= processes
    # Those of the published view.
    assert {"fffffa801afae6f0", "fffffa801aeec060"} <= threads
    of_one = list(dump.threads({"address": "fffffa801807b8f0"}))
    assert {thread["process"]["address"] for thread in of_one} == {"fffffa801807b8f0"}
    handles = [handle for handle in dump.handles() if handle["object"].get("type") is not None]
    assert handles


def test_a_message_is_what_the_debugger_printed(dump):
    """The view is published, and not made by this program: tests/expected."""
    view = (ROOT / "tests/expected/vista-sp2-x64.message.txt").read_text()
    rows = dict(re.findall(r"^  (\w+) *: (.*)$", view, re.MULTILINE))
    message = dump.message("fffff8800f4cc950")
    numbers = {
        "message_id": "MessageID",
        "callback_id": "CallbackID",
        "sequence_number": "SequenceNumber",
        "data_length": "DataLength",
        "total_length": "TotalLength",
    }
    for member, row in numbers.items():
        assert message[member] == int(rows[row].split()[0], 16), member
    for member, row in {
        "waiting_thread": "WaitingThread",
        "server_thread": "ServerThread",
        "client_context": "ClientContext",
        "port_context": "PortContext",
        "view": "View",
    }.items():
        assert message[member] == rows[row], member
    for member, row in {"canceled": "Canceled", "release": "Release", "continuation": "Continuation"}.items():
        assert message[member] is (rows[row] == "Yes"), member
    assert message["type"] == rows["Type"]
    port = message["owner_port"]
    assert f"{port['address']} [{port['kind']}]" == rows["OwnerPort"]
    owner = message["queue_port_owner_process"]
    assert f"{owner['address']} ({owner['image']})" == rows["QueuePortOwnerProcess"]
    assert message.complete


def test_all_messages_and_those_that_are_named(dump):
    in_short = list(dump.messages())
    assert "fffff8800f4cc950" in {message["address"] for message in in_short}
    assert all("details" not in message for message in in_short)
    # Each message that a queue has is among them.
    queued = set()
    for port in dump.ports():
        for queue in dump.port(port)["queues"]:
            if queue["queue"] != "canceled":
                queued |= {message["address"] for message in queue["messages"]}
    assert queued and queued <= {message["address"] for message in in_short}
    named = dump.messages(["id:3068", 0x1234, {"address": "fffff8800f4cc950"}], details=True)
    found = list(named)
    assert found == [dump.message("id:3068").result] * 2
    assert [error.id for error in named.errors] == ["not-an-address"] or named.errors[0].id
    assert named.status != "complete" and not named.complete


def test_records_are_read_as_they_are_asked_for(dump):
    ports = dump.ports()
    first = next(ports)
    assert first["address"] == "fffffa8017dbb060"
    # What comes at the end has the rest read, and kept.
    assert ports.complete and ports.rest["source"] == "port-list"
    rest = list(ports)
    assert [first, *rest] == list(dump.ports())
    assert next(ports, None) is None
    nothing = dump.ports()
    nothing.close()
    with pytest.raises(alpc_dump.Error) as caught:
        list(nothing)
    assert caught.value.id == "cancelled"


def test_a_question_in_the_midst_of_another(dump):
    ports = dump.ports()
    for port in ports:
        assert dump.port(port)["address"] == port["address"]
    assert ports.status == "complete"


def test_several_threads_ask_at_the_same_time(dump):
    expected = list(dump.threads())
    found = []

    def ask():
        found.append(list(dump.threads()))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 8


def error_of(ask):
    with pytest.raises(alpc_dump.Error) as caught:
        ask()
    error = caught.value
    assert error.text and error.id in str(error)
    ids = (ROOT / "docs" / "json.md").read_text(encoding="utf-8")
    assert f"`{error.id}`" in ids, error.id
    return error


def test_errors_have_the_ids_of_the_command_line(dump, tmp_path):
    for ask, words in [
        (lambda: dump.port("nosuch"), ["port", "nosuch"]),
        (lambda: dump.port("svchost"), ["port", "svchost"]),
        (lambda: dump.process("svchots.exe"), ["process", "svchots.exe"]),
        (lambda: dump.message("fffffa801807b8f0"), ["message", "fffffa801807b8f0"]),
        (lambda: dump.chain("tid:1"), ["chain", "tid:1"]),
        (lambda: dump.dt("_NO_SUCH_TYPE"), ["dt", "_NO_SUCH_TYPE"]),
    ]:
        error, document = error_of(ask), json_of(*words)
        assert error.id == document["error"]["id"]
        assert error.text == document["error"]["text"]
        assert error.status == document["status"]
        assert error.suggestions == document["error"].get("suggestions", [])
    assert error_of(lambda: alpc_dump.open(tmp_path / "none.dmp")).id == "not-found"
    (tmp_path / "empty.dmp").touch()
    assert error_of(lambda: alpc_dump.open(tmp_path / "empty.dmp")).id == "empty-file"
    assert error_of(lambda: alpc_dump.open(FIXTURE, redact="everything")).id == "bad-arguments"
    assert error_of(lambda: dump.port("-o")).id == "no-match"
    for words in (["triage"], ["-i"], ["message", "-"], ["ports", "-o", "x"], ["schema"]):
        assert error_of(lambda words=words: dump.document(*words)).id == "bad-arguments"
    with pytest.raises(TypeError):
        dump.port(1.5)


def test_triage_is_the_record_of_the_command(tmp_path):
    (tmp_path / "empty.dmp").touch()
    (tmp_path / "cut.dmp").write_bytes(FIXTURE.read_bytes()[:3000])
    for path in (FIXTURE, tmp_path / "empty.dmp", tmp_path / "cut.dmp", tmp_path / "none.dmp"):
        line = run(path, "triage", "--format", "ndjson", "--hash").stdout
        assert alpc_dump.triage(path, hash=True) == json.loads(line)
    assert "OrderEntryClie" not in repr(alpc_dump.triage(FIXTURE, redact="all"))
    assert error_of(lambda: alpc_dump.triage(FIXTURE, redact="everything")).id == "bad-arguments"


def test_options_of_opening(tmp_path):
    packed = ROOT / "fixtures" / "packed" / "memory.dmp.gz"
    assert error_of(lambda: alpc_dump.open(packed)).id == "compressed"
    symbols = [ROOT / "fixtures" / "vista-sp2-x64.pdb"]
    dump = alpc_dump.open(str(packed), symbols=symbols, unpack=tmp_path, mmap=False, hash=True)
    assert dump.hang()["signature"] == alpc_dump.open(FIXTURE).hang()["signature"]
    notes = dump.hang().notes
    assert any("unpacked" in note for note in notes)
    assert re.fullmatch("[0-9a-f]{64}", dump.hang().head["dump_sha256"])
    hidden = alpc_dump.open(FIXTURE, redact=["names", "paths"])
    told = repr([hidden.document("hang"), list(hidden.ports()), hidden.info().result])
    # Names that Windows itself gives are kept.
    for secret in ("OrderEntryClie", "lsasspirpc", str(FIXTURE.parent)):
        assert secret not in told
    text = error_of(lambda: hidden.port("MySecretPort")).text
    assert "MySecretPort" not in text


def test_a_closed_dump_answers_nothing():
    with alpc_dump.open(FIXTURE) as dump:
        ports = dump.ports()
        next(ports)
    assert "closed" in repr(dump)
    with pytest.raises(ValueError):
        dump.hang()
    # What was asked before goes on.
    assert ports.complete
