"""The records of `alpc-dump triage` as columns of Parquet, each with one type in every part.

Integers are integers, also where some are null, spans are seconds, and points in time are timestamps. What is deep in
a record is JSON in a text. Members that a later version adds are left out. tests/fleet.rs compares this with
docs/alpc-dump.schema.json.
"""

import json

import pyarrow as pa

PROBLEM = pa.struct([("id", pa.string()), ("text", pa.string())])

KERNEL = pa.struct(
    [
        ("pdb", pa.string()),
        ("image", pa.string()),
        ("version", pa.string()),
        ("learned", pa.string()),
        ("contradiction", pa.string()),
    ]
)

BUG_CHECK = pa.struct([("code", pa.uint32()), ("name", pa.string()), ("parameters", pa.list_(pa.string()))])

SYMBOLS = pa.struct(
    [
        ("source", pa.string()),
        ("identity", pa.string()),
        ("certainty", pa.string()),
        # As JSON, these two.
        ("evidence", pa.string()),
        ("types_from", pa.string()),
        ("types_untold", pa.list_(pa.string())),
    ]
)

ROOT_BLOCKER = pa.struct(
    [
        ("kind", pa.string()),
        ("address", pa.string()),
        ("image", pa.string()),
        ("process_id", pa.uint64()),
        ("thread_id", pa.uint64()),
        ("port", pa.string()),
        ("driver", pa.string()),
        ("end", pa.string()),
        ("threads_behind", pa.uint64()),
        ("processes_behind", pa.uint64()),
        ("longest_wait_seconds", pa.float64()),
        ("call", pa.string()),
        ("function", pa.string()),
        ("stack", pa.list_(pa.string())),
    ]
)

SCHEMA = pa.schema(
    [
        ("version", pa.uint32()),
        ("tool", pa.string()),
        ("dump", pa.string()),
        ("dump_bytes", pa.string()),
        ("dump_size", pa.uint64()),
        ("dump_sha256", pa.string()),
        ("status", pa.string()),
        ("lacks", pa.string()),
        ("error", PROBLEM),
        ("kind", pa.string()),
        ("machine", pa.string()),
        ("build", pa.uint32()),
        ("release", pa.string()),
        ("build_lab", pa.string()),
        ("kernel_pdb", pa.string()),
        ("kernel", KERNEL),
        ("bug_check", BUG_CHECK),
        ("crash_time", pa.timestamp("us", tz="UTC")),
        ("up_time_seconds", pa.float64()),
        ("pages_claimed", pa.uint64()),
        ("pages_present", pa.uint64()),
        ("symbols", SYMBOLS),
        ("ports", pa.uint64()),
        ("threads", pa.uint64()),
        ("waits", pa.uint64()),
        ("stuck", pa.uint64()),
        ("longest_wait_seconds", pa.float64()),
        ("deadlocks", pa.uint64()),
        ("possible_deadlocks", pa.uint64()),
        ("crossings", pa.uint64()),
        ("root_blocker", ROOT_BLOCKER),
        ("signature", pa.string()),
        ("signature_in", pa.string()),
        ("signature_for", pa.string()),
        ("problems", pa.list_(PROBLEM)),
    ]
)

# Between 1601, where Windows begins to count, and 1970, in microseconds.
EPOCH = 11_644_473_600_000_000


def table(lines):
    """The records of a part, given as lines of JSON."""
    return pa.Table.from_pylist([row(json.loads(line)) for line in lines.splitlines()], schema=SCHEMA)


def row(record):
    """A record as the values of its columns."""
    symbols = record.get("symbols") or {}
    for member in ("evidence", "types_from"):
        if symbols.get(member) is not None:
            symbols[member] = json.dumps(symbols[member])
    for holder, member in ((record, "up_time"), (record, "longest_wait"), (record.get("root_blocker"), "longest_wait")):
        if holder and holder.get(member) is not None:
            # 100 ns: up to 28 years a double has each of them.
            holder[f"{member}_seconds"] = holder[member]["ticks"] / 10_000_000
    if record.get("crash_time") is not None:
        # What is beyond a microsecond is lost, and no count of 64 bits is too much.
        record["crash_time"] = record["crash_time"]["ticks"] // 10 - EPOCH
    return record
