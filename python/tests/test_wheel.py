"""What the wheel has in it beside the module: the command, as it is without Python."""

import importlib.metadata
import re
import subprocess
import tomllib

import pytest
from conftest import FIXTURE, PROGRAM, ROOT, run

import alpc_dump


def test_versions_are_one():
    with open(ROOT / "Cargo.toml", "rb") as file:
        version = tomllib.load(file)["workspace"]["package"]["version"]
    assert alpc_dump.__version__ == importlib.metadata.version("alpc-dump") == version
    assert run("--version").stdout.decode().split() == ["alpc-dump", version]


def test_the_main_job():
    done = run(FIXTURE, "message", "fffff8800f4cc950")
    assert done.returncode == 0
    assert done.stdout == (ROOT / "tests/expected/vista-sp2-x64.message.txt").read_bytes()


@pytest.mark.parametrize("words, status", [(["hang"], 0), (["port", "nosuch"], 1), (["nonsense", "x", "y"], 2)])
def test_exit_statuses(words, status):
    assert run(FIXTURE, *words).returncode == status


def test_a_reader_that_has_seen_enough_is_no_error():
    script = f"'{PROGRAM}' '{FIXTURE}' handles | head -n 1; echo \"${{PIPESTATUS[0]}}\""
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0"
    assert done.stderr.count("\n") <= 1


def test_metadata():
    about = importlib.metadata.metadata("alpc-dump")
    assert about["Requires-Python"] == ">=3.9"
    assert about["License-Expression"] == "MIT OR Apache-2.0"
    wheel = importlib.metadata.distribution("alpc-dump").read_text("WHEEL")
    # One wheel is for all versions from 3.9 on.
    assert re.search("^Tag: cp39-abi3-", wheel, re.MULTILINE)
    files = {str(file) for file in importlib.metadata.files("alpc-dump")}
    assert {"alpc_dump/py.typed", "alpc_dump/_native.pyi", "alpc_dump/records.py"} <= files
