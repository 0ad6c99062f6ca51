"""The fixture, and the command line beside the module."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import alpc_dump

ROOT = Path(__file__).resolve().parents[2]
FIXTURE = ROOT / "fixtures" / "vista-sp2-x64.dmp"
#: The script of the wheel, which lies beside the interpreter.
PROGRAM = Path(sys.executable).parent / "alpc-dump"

for variable in ("_NT_SYMBOL_PATH", "_NT_ALT_SYMBOL_PATH"):
    os.environ.pop(variable, None)


def run(*words):
    """Runs the command line."""
    return subprocess.run([PROGRAM, *map(str, words)], capture_output=True, check=False)


def json_of(*words):
    """What the command line writes with --format json about the fixture."""
    done = run(FIXTURE, *words, "--format", "json", "--quiet")
    return json.loads(done.stdout)


@pytest.fixture
def dump():
    with alpc_dump.open(FIXTURE) as dump:
        yield dump


@pytest.fixture(scope="session")
def large():
    """A system of 20,000 threads and 50,000 messages, and its truth: `.ci/run python` has one written."""
    path = os.environ.get("ALPC_DUMP_LARGE")
    if path is None:
        pytest.skip("ALPC_DUMP_LARGE names no dump of write-world")
    return Path(path)
