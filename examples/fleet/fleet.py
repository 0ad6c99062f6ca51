#!/usr/bin/env python3
"""Triage of many crash dumps on a Ray cluster, into Parquet, and questions to it in SQL.

    fleet.py run SOURCE --out DIR [--shard N] [--symbols PATH] [--timeout 5m] [--fetch COMMAND] [--address ADDRESS]
    fleet.py report DIR

SOURCE is a folder of dumps that every node sees under the same name (and in it, at any depth, whatever alpc-dump has a
record of; the rest is counted), or a file (- for stdin) with the name of one
dump a line. With --fetch these names are those of objects, say s3://dumps/2026/host-1.dmp, and the command brings one
to the node: '{}' in it stands for the name, '{file}' for where it goes, as in
--fetch 'aws s3 cp --no-progress {} {file}'.

Each task of the cluster looks at one shard of the names, with one process of alpc-dump, and its records become one
file part-NNNNNN.parquet. Nothing is shared between tasks. Started again, the driver leaves out the shards whose
parts are there, so SOURCE must give the same names in the same order, and --shard the same size.
"""

import argparse
import collections
import io
import json
import os
import pathlib
import shlex
import subprocess
import sys
import tempfile

import duckdb
import pyarrow as pa
import pyarrow.json
import pyarrow.parquet
import ray

# Tasks that are under way at once, for each processor of the cluster: the driver holds no more than these.
AHEAD = 4

# What alpc-dump has a record of by its first bytes, whatever it is called: dumps of a kernel, of a process, of a
# machine's memory, and what a dump may be packed in.
DUMPS = (
    *(b"PAGE", b"MDMP", b"USERDUMP", b"USERDU64", b"\x7fVirtualBox SavedState", b"\x7fELF"),
    *(b"HIBR", b"hibr", b"RSTR", b"WAKE", b"wake", b"\x14\x20\x28\x01", b"QEVM", b"KDUMP   ", b"makedumpfile"),
    *(b"\xd0\xbe\xd2\xbe", b"\xd1\xba\xd1\xba", b"\xd2\xbe\xd2\xbe", b"\xd3\xbe\xd3\xbe"),
    *(b"EMiL", b"AVML", b"\x53\xff\x00\xf0"),
)
PACKED = (
    *(b"\x1f\x8b", b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd", b"BZh"),
    *(b"7z\xbc\xaf\x27\x1c", b"Rar!", b"\x04\x22\x4d\x18", b"\x02\x21\x4c\x18", b"LZIP", b"MSWIM\0\0\0", b"MSCF"),
)

# A span of time in 100 ns, and as ISO 8601.
SPAN = pa.struct([("ticks", pa.uint64()), ("iso", pa.string())])

PROBLEM = pa.struct([("id", pa.string()), ("text", pa.string())])

# The records of `alpc-dump triage`, so that a column of nothing but nulls has a type as well. Members that a later
# version adds are left out.
SCHEMA = pa.schema(
    [
        ("version", pa.int32()),
        ("tool", pa.string()),
        ("dump", pa.string()),
        ("dump_bytes", pa.string()),
        ("dump_size", pa.int64()),
        ("dump_sha256", pa.string()),
        ("status", pa.string()),
        ("lacks", pa.string()),
        ("error", PROBLEM),
        ("kind", pa.string()),
        ("machine", pa.string()),
        ("build", pa.int64()),
        ("release", pa.string()),
        ("build_lab", pa.string()),
        ("kernel_pdb", pa.string()),
        (
            "kernel",
            pa.struct(
                [
                    ("pdb", pa.string()),
                    ("image", pa.string()),
                    ("version", pa.string()),
                    ("learned", pa.string()),
                    ("contradiction", pa.string()),
                ]
            ),
        ),
        (
            "bug_check",
            pa.struct(
                [("code", pa.int64()), ("name", pa.string()), ("parameters", pa.list_(pa.string()))]
            ),
        ),
        ("crash_time", pa.struct([("ticks", pa.uint64()), ("utc", pa.string())])),
        ("up_time", SPAN),
        ("pages_claimed", pa.uint64()),
        ("pages_present", pa.uint64()),
        (
            "symbols",
            pa.struct(
                [
                    ("source", pa.string()),
                    ("identity", pa.string()),
                    ("certainty", pa.string()),
                    # As JSON, these two.
                    ("evidence", pa.string()),
                    ("types_from", pa.string()),
                    ("types_untold", pa.list_(pa.string())),
                ]
            ),
        ),
        ("ports", pa.int64()),
        ("threads", pa.int64()),
        ("waits", pa.int64()),
        ("stuck", pa.int64()),
        ("longest_wait", SPAN),
        ("deadlocks", pa.int64()),
        ("possible_deadlocks", pa.int64()),
        (
            "root_blocker",
            pa.struct(
                [
                    ("kind", pa.string()),
                    ("address", pa.string()),
                    ("image", pa.string()),
                    ("process_id", pa.uint64()),
                    ("thread_id", pa.uint64()),
                    ("port", pa.string()),
                    ("driver", pa.string()),
                    ("end", pa.string()),
                    ("threads_behind", pa.int64()),
                    ("processes_behind", pa.int64()),
                    ("longest_wait", SPAN),
                    ("call", pa.string()),
                    ("function", pa.string()),
                    ("stack", pa.list_(pa.string())),
                ]
            ),
        ),
        ("signature", pa.string()),
        ("signature_in", pa.string()),
        ("signature_for", pa.string()),
        ("problems", pa.list_(PROBLEM)),
    ]
)


def names_in(source):
    """The names of all dumps, in an order that is always the same, and how many files were ignored, by reason."""
    if os.path.isdir(source):
        return names_below(source)
    lines = sys.stdin if source == "-" else open(source, encoding="utf-8", errors="surrogateescape")
    return [line.strip() for line in lines if line.strip()], collections.Counter()


def names_below(folder):
    """The same of a folder and those in it, links followed, but not in circles."""
    names, ignored = [], collections.Counter()
    for at, folders, files in os.walk(folder, followlinks=True):
        above = {os.path.realpath(at)}
        above.update(str(path) for path in pathlib.Path(os.path.realpath(at)).parents)
        loops = [name for name in folders if os.path.realpath(os.path.join(at, name)) in above]
        folders[:] = sorted(set(folders) - set(loops))
        ignored.update("link-loop" for _ in loops)
        for name in files:
            path = os.path.join(at, name)
            reason = why_ignored(path)
            ignored.update([reason] if reason else [])
            names += [] if reason else [path]
    return sorted(names, key=os.fsencode), ignored


def why_ignored(path):
    """Why a file is no dump, and none that was meant to be one; None for what alpc-dump has a record of."""
    if path.lower().endswith((".dmp", ".mdmp", ".hdmp")):
        return None
    try:
        if os.path.exists(path) and not os.path.isfile(path):
            return "not-a-file"
        with open(path, "rb") as file:
            beginning = file.read(262)
    except OSError:
        # It may be a dump: its record says what is wrong with it.
        return None
    if not beginning:
        return "empty-file"
    is_packed = beginning.startswith(PACKED) or beginning[257:262] == b"ustar"
    if is_packed and len(os.path.splitext(path)[1]) == 4 and path.endswith("_"):
        return "program"  # what a symbol store compresses
    if beginning.startswith(b"\x7fELF") and beginning[16:18] != b"\x04\x00":
        return "program"  # no core file
    return None if is_packed or beginning.startswith(DUMPS) else "not-a-dump"


def triage(files, options):
    """The records of the files, in their order, as lines of JSON."""
    command = [options["alpc_dump"], *files, "triage", "--format", "ndjson", "--jobs", "1"]
    command += ["--timeout", options["timeout"]]
    for symbols in options["symbols"]:
        command += ["--symbols", symbols]
    # 1, 2 and 3 are statuses of dumps, which are in the records.
    run = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True)
    lines = run.stdout.splitlines()
    if len(lines) != len(files):
        raise RuntimeError(f"alpc-dump ended with {run.returncode}: {run.stderr.decode(errors='replace')[-500:]}")
    return lines


def named(record, name):
    """A record with this name of its dump, whose bytes need not be valid text."""
    raw = os.fsencode(name)
    record["dump"] = raw.decode("utf-8", "replace")
    record["dump_bytes"] = raw.hex() if os.fsdecode(raw).encode("utf-8", "replace") != raw else None
    return json.dumps(record).encode()


def failed(name, problem, text):
    """The record of a dump that never got to a node."""
    error = {"id": problem, "text": text}
    return named({"version": 1, "status": "fatal", "error": error, "problems": []}, name)


def fetched(name, options):
    """The record of an object, which is on the node only as long as it is looked at."""
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "memory.dmp")
        words = [word.replace("{file}", file).replace("{}", name) for word in shlex.split(options["fetch"])]
        run = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True)
        if run.returncode != 0 or not os.path.exists(file):
            return failed(name, "not-fetched", run.stderr.decode(errors="replace").strip()[-500:])
        [line] = triage([file], options)
        return named(json.loads(line), name)


@ray.remote(num_cpus=1, max_retries=3, scheduling_strategy="SPREAD")
def look_at(names, options):
    """One shard: its records, and the node that it ran on."""
    if options["fetch"]:
        lines = [fetched(name, options) for name in names]
    else:
        lines = triage(names, options)
    return b"\n".join(lines), ray.get_runtime_context().get_node_id()


def flat(line):
    """A record with what is deep in it as text."""
    record = json.loads(line)
    symbols = record.get("symbols") or {}
    for member in ("evidence", "types_from"):
        if symbols.get(member) is not None:
            symbols[member] = json.dumps(symbols[member])
    return json.dumps(record).encode()


def write_part(path, lines):
    """Records as Parquet; the file is there whole or not at all."""
    lines = b"\n".join(flat(line) for line in lines.splitlines())
    parsing = pa.json.ParseOptions(explicit_schema=SCHEMA, unexpected_field_behavior="ignore")
    reading = pa.json.ReadOptions(block_size=max(len(lines) + 1, 1 << 20))
    table = pa.json.read_json(io.BytesIO(lines), read_options=reading, parse_options=parsing)
    unfinished = path.with_suffix(".unfinished")
    pa.parquet.write_table(table.select(SCHEMA.names), unfinished)
    unfinished.rename(path)


def run(arguments):
    """Shards the names over the cluster, and writes one part a shard."""
    out = pathlib.Path(arguments.out)
    out.mkdir(parents=True, exist_ok=True)
    options = {
        "alpc_dump": arguments.alpc_dump,
        "symbols": arguments.symbols,
        "timeout": arguments.timeout,
        "fetch": arguments.fetch,
    }
    names, ignored = names_in(arguments.source)
    shards = [names[at : at + arguments.shard] for at in range(0, len(names), arguments.shard)]
    parts = [out / f"part-{number:06}.parquet" for number in range(len(shards))]
    waiting = [number for number, part in enumerate(parts) if not part.exists()]
    if not ray.is_initialized():
        ray.init(address=arguments.address, log_to_driver=False)
    most = max(1, int(ray.cluster_resources().get("CPU", 1)) * AHEAD)
    nodes = set()
    under_way = {}
    done = 0
    while waiting or under_way:
        while waiting and len(under_way) < most:
            number = waiting.pop(0)
            under_way[look_at.remote(shards[number], options)] = number
        [ready], _ = ray.wait(list(under_way), num_returns=1)
        number = under_way.pop(ready)
        try:
            lines, node = ray.get(ready)
            nodes.add(node)
        except ray.exceptions.RayError as error:
            # After its retries. The rest goes on, and the records say what is missing.
            text = str(error).strip().splitlines()[-1]
            lines = b"\n".join(failed(name, "task-failed", text) for name in shards[number])
        write_part(parts[number], lines)
        done += 1
    print(f"{len(names)} dumps in {len(parts)} shards: {done} looked at on {len(nodes)} nodes, the rest was there")
    if ignored:
        reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(ignored.items()))
        print(f"{sum(ignored.values())} others ignored ({reasons})")


QUESTIONS = {
    "signatures": """
        select coalesce(signature, '! ' || error.id, '?') as signature, count(*) as dumps,
               min(dump) as first
        from dumps group by 1 order by dumps desc, signature limit 20""",
    "builds": """
        select build, machine, count(*) as dumps, count(*) filter (deadlocks > 0) as with_deadlock,
               count(*) filter (stuck > 0) as with_waits
        from dumps where build is not null group by all order by dumps desc, build, machine""",
    "culprits": """
        select root_blocker.image as image, root_blocker."end" as "end", count(*) as dumps,
               sum(root_blocker.threads_behind)::bigint as threads_behind
        from dumps where root_blocker is not null
        group by all order by threads_behind desc, image, "end" limit 20""",
    "longest waits": """
        select dump, round(longest_wait.ticks / 1e7 / 60, 1) as minutes, root_blocker.image as culprit
        from dumps where longest_wait is not null order by longest_wait.ticks desc, dump limit 10""",
    "errors": """
        select error.id as error, count(*) as dumps, min(error.text) as example
        from dumps where error is not null group by 1 order by dumps desc, error""",
}


def ask(folder):
    """The answers to all questions, each as its columns' names and its rows."""
    database = duckdb.connect()
    files = str(pathlib.Path(folder) / "part-*.parquet").replace("'", "''")
    database.execute(f"create view dumps as from read_parquet('{files}')")
    for title, question in QUESTIONS.items():
        answer = database.execute(question)
        yield title, [column[0] for column in answer.description], answer.fetchall()


def printable(value):
    """Text of a cell that cannot act on a terminal: names come out of dumps."""
    text = "" if value is None else str(value).splitlines()[0] if str(value) else ""
    return "".join(c if c.isprintable() else "?" for c in text)


def report(arguments):
    """Prints the answers."""
    for title, columns, rows in ask(arguments.folder):
        cells = [columns] + [[printable(value) for value in row] for row in rows]
        widths = [max(len(row[at]) for row in cells) for at in range(len(columns))]
        print(f"\n{title}")
        for row in cells:
            print("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())


def main():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    of_run = commands.add_parser("run", help="look at dumps")
    of_run.add_argument("source")
    of_run.add_argument("--out", required=True)
    of_run.add_argument("--shard", type=int, default=64, help="dumps a task (64)")
    of_run.add_argument("--alpc-dump", default="alpc-dump", help="the program, as each node finds it")
    of_run.add_argument("--symbols", action="append", default=[], help="as of alpc-dump; may be repeated")
    of_run.add_argument("--timeout", default="5m", help="for each dump (5m)")
    of_run.add_argument("--fetch", help="command that brings an object to the node")
    of_run.add_argument("--address", help="of the cluster: auto, or HOST:PORT; without it one is started here")
    of_run.set_defaults(act=run)
    of_report = commands.add_parser("report", help="ask what was found")
    of_report.add_argument("folder")
    of_report.set_defaults(act=report)
    arguments = parser.parse_args()
    arguments.act(arguments)


if __name__ == "__main__":
    main()
