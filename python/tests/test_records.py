"""The types of records are those of the schema, and records are of their types."""

import subprocess
import sys
import typing

from conftest import ROOT

import alpc_dump
from alpc_dump import records


def test_the_generated_files_are_what_the_schema_says():
    done = subprocess.run([sys.executable, ROOT / "python/write_records.py", "--check"], check=False)
    assert done.returncode == 0


def fits(value, annotation):
    """Whether a value is of a type, as far as types can be looked at."""
    if annotation is typing.Any:
        return True
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Union:
        return any(fits(value, one) for one in arguments)
    if origin is typing.Literal:
        return value in arguments
    if origin is list:
        return isinstance(value, list) and all(fits(one, arguments[0]) for one in value)
    if origin is dict:
        return isinstance(value, dict) and all(fits(one, arguments[1]) for one in value.values())
    if isinstance(annotation, typing.ForwardRef):
        return fits(value, getattr(records, annotation.__forward_arg__))
    if typing.is_typeddict(annotation) if hasattr(typing, "is_typeddict") else hasattr(annotation, "__total__"):
        return isinstance(value, dict) and is_record(value, annotation)
    return value is None if annotation in (None, type(None)) else isinstance(value, annotation)


def is_record(value, kind):
    hints = typing.get_type_hints(kind, vars(records))
    return kind.__required_keys__ <= value.keys() and all(
        name in hints and fits(member, hints[name]) for name, member in value.items()
    )


def test_records_are_of_their_types(dump):
    """Of all methods, by what each says that it gives."""
    arguments = {
        "chain": ["id:3068"],
        "waits_for": ["lsass.exe"],
        "message": ["id:3068"],
        "port": ["ntsvcs"],
        "ports_of": ["pid:828"],
        "connections": ["ntsvcs"],
        "resource": ["lsasspirpc"],
        "thread": ["fffffa801afae6f0"],
        "stack": ["fffffa801afae6f0"],
        "process": ["pid:828"],
        "object": [r"\RPC Control"],
        "security": [r"\RPC Control\ntsvcs"],
        "accessible_ports": ["everyone"],
        "mem": [0xFFFFF8800F4CC950],
    }
    looked_at = 0
    for name, method in vars(alpc_dump.Dump).items():
        if name.startswith("_") or name in ("close", "document", "dt", "check", "irp"):
            continue
        given = typing.get_type_hints(method, {**vars(sys.modules["alpc_dump._dump"])})["return"]
        kind = typing.get_args(given)[0]
        answer = method(dump, *arguments.get(name, []))
        for record in answer if isinstance(answer, alpc_dump.Records) else [answer.result]:
            looked_at += 1
            assert fits(record, kind), (name, record)
    assert looked_at > 200
