"""A large system: what takes long is interrupted, leaves the interpreter to others, and does not take too long."""

import json
import os
import signal
import statistics
import subprocess
import sys
import threading
import time

import pytest
from conftest import PROGRAM

import alpc_dump


def test_all_messages_are_those_of_the_truth(large):
    """What the world was told is beside it, written by another program than reads it here."""
    truth = json.loads(large.with_suffix(".truth.json").read_text())
    expected = {message["address"]: message["id"] for message in truth["messages"]}
    assert len(expected) == 50_000
    table = alpc_dump.open(large).messages().to_arrow()
    found = dict(zip(table["address"].to_pylist(), table["message_id"].to_pylist()))
    assert found == expected


def test_a_table_of_fifty_thousand_messages(large):
    dump = alpc_dump.open(large)
    dump.info()
    took = []
    for _ in range(5):
        begun = time.perf_counter()
        rows = dump.messages().to_pandas()
        took.append(time.perf_counter() - begun)
        assert len(rows) == 50_000
    print(f"50,000 messages into a table: {statistics.median(took):.2f} s, at best {min(took):.2f} s")
    # An order of magnitude: other programs may run beside this one.
    assert min(took) < 5


def test_others_run_meanwhile(large):
    dump = alpc_dump.open(large)
    done, turns = threading.Event(), []

    def count():
        while not done.is_set():
            turns.append(time.perf_counter())
            time.sleep(0.001)

    counting = threading.Thread(target=count)
    counting.start()
    begun = time.perf_counter()
    assert dump.messages(details=True).to_arrow().num_rows == 50_000
    ended = time.perf_counter()
    done.set()
    counting.join()
    gaps = [after - before for before, after in zip(turns, turns[1:]) if begun < before < ended]
    assert max(gaps) < (ended - begun) / 2, "somebody else had the interpreter in between"


PROGRAM_THAT_WAITS = """
import sys, time, alpc_dump
dump = alpc_dump.open(sys.argv[1])
ask = {"answer": lambda: dump.stacks().status, "records": lambda: list(dump.messages(details=True)),
       "table": lambda: dump.messages(details=True).to_arrow()}[sys.argv[2]]
ask()
print("ready", flush=True)
interrupted = 0
begun = time.perf_counter()
try:
    while True:
        ask()
except KeyboardInterrupt:
    print("interrupted", flush=True)
print(dump.info()["release"])
"""


@pytest.mark.skipif(os.name != "posix", reason="a signal is sent")
@pytest.mark.parametrize("how", ["answer", "records", "table"])
def test_ctrl_c_ends_a_walk_and_nothing_else(large, how):
    command = [sys.executable, "-c", PROGRAM_THAT_WAITS, str(large), how]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert child.stdout.readline() == "ready\n"
    time.sleep(0.3)
    sent = time.perf_counter()
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=60)
    assert out.splitlines() == ["interrupted", "Windows Vista SP2"] or out.startswith("interrupted\n"), err
    assert child.returncode == 0
    assert time.perf_counter() - sent < 10


@pytest.mark.skipif(os.name != "posix", reason="a signal is sent")
def test_an_interrupted_list_says_so(large):
    dump = alpc_dump.open(large)

    def interrupt(signum, frame):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.03)
    stacks = dump.stacks()
    try:
        with pytest.raises(KeyboardInterrupt):
            while True:
                stacks = dump.stacks()
                stacks.to_arrow()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    with pytest.raises(alpc_dump.Error) as caught:
        assert stacks.status
    assert caught.value.id in ("cancelled", "format-not-here")


@pytest.mark.skipif(os.name != "posix", reason="a signal is sent")
def test_ctrl_c_ends_the_command(large):
    """As in a shell: it dies of the signal itself, so that a loop around it ends too."""
    with subprocess.Popen([PROGRAM, large, "message", "-"], stdin=subprocess.PIPE) as child:
        time.sleep(0.3)
        child.send_signal(signal.SIGINT)
        child.wait(timeout=30)
    assert child.returncode == -signal.SIGINT
