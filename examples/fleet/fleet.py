#!/usr/bin/env python3
"""Triage of many crash dumps on a Ray cluster, into Parquet, and questions to it in SQL.

    fleet.py run SOURCE --out DIR [--shard N] [--symbols PATH] [--timeout 5m] [--with module|program] [--hash]
                        [--fetch COMMAND] [--address ADDRESS]
    fleet.py report DIR

SOURCE is a folder of dumps that every node sees under the same name (and in it, at any depth, whatever alpc-dump has a
record of; the rest is counted), a URI that pyarrow.fs knows, as s3://dumps/2026, or a file (- for stdin) with the name
of one dump a line, which may be URIs as well. Objects are brought to the node one at a time, and hashed. With --fetch a
command brings them: '{}' in it stands for the name, '{file}' for where it goes, as in
--fetch 'aws s3 cp --no-progress {} {file}'.

Each task of the cluster looks at one shard of the names, and its records become one file part-NNNNNN.parquet in DIR,
which may be a URI too. Where the node has the Python module alpc_dump the task looks by that; a shard that ends its
worker, or is not done in time, is looked at again by the program, which has a process for each dump. Nothing is shared
between tasks. Started again, the driver leaves out the shards whose parts are there, so SOURCE must give the same names
in the same order, and --shard the same size.
"""

import argparse
import collections
import importlib.util
import json
import os
import pathlib
import shlex
import subprocess
import sys
import tempfile
import threading
import urllib.parse

import pyarrow as pa
import pyarrow.fs
import pyarrow.parquet
import ray

import columns
import questions

# Tasks that are under way at once, for each processor of the cluster: the driver holds no more than these.
AHEAD = 4

# How often a task is tried again whose worker or node is lost.
RETRIES = 3

# What is read of an object at once.
PIECE = 1 << 20

# What alpc-dump has a record of by its name, and how many of the first bytes tell of the rest.
NAMED = (".dmp", ".mdmp", ".hdmp")
BEGINNING = 262

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

def names_in(source):
    """The names of all dumps, in an order that is always the same, and how many files were ignored, by reason."""
    if "://" in source:
        return names_listed(source)
    if os.path.isdir(source):
        return names_below(source)
    lines = sys.stdin if source == "-" else open(source, encoding="utf-8", errors="surrogateescape")
    return [line.strip() for line in lines if line.strip()], collections.Counter()


def names_listed(source):
    """The same of an object store. What has no name of a dump is looked at by the task that reads it anyway."""
    files, path = pyarrow.fs.FileSystem.from_uri(source)
    if isinstance(files, pyarrow.fs.LocalFileSystem):
        return names_below(path)
    found = files.get_file_info(pyarrow.fs.FileSelector(path, recursive=True))
    paths = [one.path for one in found if one.is_file]
    # Behind the path a URI may say how its store is reached, and that serves for what is in it.
    parts = urllib.parse.urlsplit(source)
    before = urllib.parse.unquote(parts.netloc + parts.path).rstrip("/")
    before = before[: len(before) - len(path)] if before.endswith(path) else ""
    # What fsspec resolves is no URI to pyarrow, and stays as it is.
    spelled = str if parts.scheme.startswith("fsspec+") else urllib.parse.quote
    uris = [parts.scheme + "://" + before + spelled(one) for one in paths]
    return sorted(uri + (f"?{parts.query}" if parts.query else "") for uri in uris), collections.Counter()


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
    if path.lower().endswith(NAMED):
        return None
    try:
        if os.path.exists(path) and not os.path.isfile(path):
            return "not-a-file"
        with open(path, "rb") as file:
            beginning = file.read(BEGINNING)
    except OSError:
        # It may be a dump: its record says what is wrong with it.
        return None
    return why_not(path, beginning)


def why_not(path, beginning):
    """The same by the first bytes of what has this name."""
    if not beginning:
        return "empty-file"
    is_packed = beginning.startswith(PACKED) or beginning[257:262] == b"ustar"
    if is_packed and len(os.path.splitext(path)[1]) == 4 and path.endswith("_"):
        return "program"  # what a symbol store compresses
    if beginning.startswith(b"\x7fELF") and beginning[16:18] != b"\x04\x00":
        return "program"  # no core file
    return None if is_packed or beginning.startswith(DUMPS) else "not-a-dump"


def by_program(files, options):
    """The records of the files, in their order, as lines of JSON; each is looked at by a process of its own."""
    command = [options["alpc_dump"], *files, "triage", "--format", "ndjson", "--jobs", "1"]
    command += ["--timeout", options["timeout"]] + (["--hash"] if options["hash"] else [])
    for symbols in options["symbols"]:
        command += ["--symbols", symbols]
    # 1, 2 and 3 are statuses of dumps, which are in the records.
    run = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True)
    lines = run.stdout.splitlines()
    if len(lines) != len(files):
        raise RuntimeError(f"alpc-dump ended with {run.returncode}: {run.stderr.decode(errors='replace')[-500:]}")
    return lines


def by_module(files, options):
    """The same in this process, which ends when one takes too long: the shard is looked at again by the program."""
    import alpc_dump

    count, unit = options["timeout"][:-1], options["timeout"][-1]
    seconds = float(count) * {"s": 1, "m": 60, "h": 3600}[unit]
    lines = []
    for file in files:
        overdue = threading.Timer(seconds, os._exit, [1])
        overdue.start()
        record = alpc_dump.triage(file, symbols=options["symbols"], hash=options["hash"])
        overdue.cancel()
        lines.append(json.dumps(record).encode())
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


def fetched(name, look, options):
    """The record of an object, which is on the node only as long as it is looked at; or why it is no dump."""
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "memory.dmp")
        try:
            reason = brought_by(options["fetch"], name, file) if options["fetch"] else brought(name, file)
        except (OSError, pa.ArrowException) as error:
            return failed(name, "not-fetched", str(error)[-500:]), None
        if reason:
            return None, reason
        [line] = look([file], {**options, "hash": True})
        return named(json.loads(line), name), None


def brought_by(command, name, file):
    """Brings an object by a command."""
    words = [word.replace("{file}", file).replace("{}", name) for word in shlex.split(command)]
    run = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True)
    if run.returncode != 0 or not os.path.exists(file):
        raise OSError(run.stderr.decode(errors="replace").strip())


def brought(name, file):
    """Brings an object that a URI names, or says why it is no dump, by its first bytes."""
    files, path = pyarrow.fs.FileSystem.from_uri(name)
    with files.open_input_stream(path) as source, open(file, "wb") as to:
        piece = source.read(PIECE)
        reason = None if path.lower().endswith(NAMED) else why_not(path, piece[:BEGINNING])
        while piece and not reason:
            to.write(piece)
            piece = source.read(PIECE)
    return reason


@ray.remote(num_cpus=1, scheduling_strategy="SPREAD")
def look_at(names, options):
    """One shard: its records, what was no dump, and the node that it ran on."""
    way = options["way"]
    if way == "any":
        # What the node has.
        way = "module" if importlib.util.find_spec("alpc_dump") else "program"
    look = by_module if way == "module" else by_program
    if options["fetch"] or any("://" in name for name in names):
        found = [fetched(name, look, options) for name in names]
        lines = [line for line, _ in found if line]
        ignored = collections.Counter(reason for _, reason in found if reason)
    else:
        lines, ignored = look(names, options), {}
    return b"\n".join(lines), dict(ignored), ray.get_runtime_context().get_node_id()


class Out:
    """Where the parts go: a folder, or what a URI names."""

    def __init__(self, where):
        if "://" in where:
            self.files, self.folder = pyarrow.fs.FileSystem.from_uri(where)
        else:
            self.files, self.folder = pyarrow.fs.LocalFileSystem(), where
        self.files.create_dir(self.folder)
        self.there = {one.base_name for one in self.files.get_file_info(pyarrow.fs.FileSelector(self.folder))}

    def write(self, part, lines):
        """Records as Parquet; the file is there whole or not at all."""
        path = f"{self.folder}/{part}"
        with self.files.open_output_stream(f"{path}.unfinished") as to:
            pyarrow.parquet.write_table(columns.table(lines), to)
        self.files.move(f"{path}.unfinished", path)


def run(arguments):
    """Shards the names over the cluster, and writes one part a shard."""
    out = Out(arguments.out)
    members = ("alpc_dump", "symbols", "timeout", "fetch", "way", "hash")
    options = {member: getattr(arguments, member) for member in members}
    names, ignored = names_in(arguments.source)
    shards = [names[at : at + arguments.shard] for at in range(0, len(names), arguments.shard)]
    parts = [f"part-{number:06}.parquet" for number in range(len(shards))]
    waiting = [number for number, part in enumerate(parts) if part not in out.there]
    nodes = set()
    done = 0
    for number, (lines, more, node) in looked_at(shards, waiting, options, arguments.address):
        nodes.update([node] if node else [])
        ignored.update(more)
        out.write(parts[number], lines)
        done += 1
    print(f"{len(names)} dumps in {len(parts)} shards: {done} looked at on {len(nodes)} nodes, the rest was there")
    if ignored:
        reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(ignored.items()))
        print(f"{sum(ignored.values())} others ignored ({reasons})")


def looked_at(shards, waiting, options, address):
    """Each of the shards that are waiting, with what its task gave, in the order in which they end."""
    if not ray.is_initialized():
        ray.init(address=address, log_to_driver=False)
    most = max(1, int(ray.cluster_resources().get("CPU", 1)) * AHEAD)
    waiting = collections.deque((number, options) for number in waiting)
    under_way = {}
    while waiting or under_way:
        while waiting and len(under_way) < most:
            number, how = waiting.popleft()
            # A dump that ends a worker ends it again: what was lost with the module is given to the program.
            retries = RETRIES if how["way"] == "program" else 0
            under_way[look_at.options(max_retries=retries).remote(shards[number], how)] = number, how
        [ready], _ = ray.wait(list(under_way), num_returns=1)
        number, how = under_way.pop(ready)
        try:
            yield number, ray.get(ready)
        except ray.exceptions.RayError as error:
            if how["way"] != "program":
                waiting.append((number, {**how, "way": "program"}))
                continue
            # After its retries. The rest goes on, and the records say what is missing.
            text = str(error).strip().splitlines()[-1]
            yield number, (b"\n".join(failed(name, "task-failed", text) for name in shards[number]), {}, None)


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
    of_run.add_argument("--with", dest="way", choices=["any", "module", "program"], default="any", help="look by this")
    of_run.add_argument("--hash", action="store_true", help="SHA-256 of files too, which reads them whole")
    of_run.add_argument("--fetch", help="command that brings an object to the node")
    of_run.add_argument("--address", help="of the cluster: auto, or HOST:PORT; without it one is started here")
    of_run.set_defaults(act=run)
    of_report = commands.add_parser("report", help="ask what was found")
    of_report.add_argument("folder")
    of_report.set_defaults(act=questions.report)
    arguments = parser.parse_args()
    arguments.act(arguments)


if __name__ == "__main__":
    main()
