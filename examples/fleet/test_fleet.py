#!/usr/bin/env python3
"""Runs fleet.py on a cluster of two nodes on this machine: test_fleet.py ALPC_DUMP DUMPS OUT.

Looks at the dumps in the folder DUMPS, then again with nothing left to do, then as objects of a listing that a command
brings one by one, then as those of a store that is listed and read by its URI. With RAY_S3, a URI of S3 whose credentials
are in the environment, they are put there for this. Prints the answers as JSON, for tests/fleet.rs to compare.
"""

import json
import os
import pathlib
import shlex
import subprocess
import sys

# Nothing is told to anybody, and nothing listens but on this machine.
os.environ.update(RAY_USAGE_STATS_ENABLED="0", RAY_DISABLE_IMPORT_WARNING="1")

import pyarrow.fs
import ray
from ray.cluster_utils import Cluster

MEMORY = 80 << 20
# 127.0.0.1 is translated by Ray to the address of the machine's network card.
HEAD, WORKER = "127.0.0.2", "127.0.0.3"
FLEET = pathlib.Path(__file__).with_name("fleet.py")


# Brings an object; the first two wait for each other, so that it takes two nodes of one processor to go on.
FETCH = """
    touch "$1/$(basename "$2")"
    for i in $(seq 300); do
        [ $(ls "$1" | wc -l) -lt 2 ] || exec cp "$3/${2#store://}" "$4"
        sleep 0.1
    done
    exit 1
"""


def fleet(*arguments):
    """Runs the driver, and returns what it printed."""
    run = subprocess.run([sys.executable, FLEET, *map(str, arguments)], capture_output=True, text=True)
    if run.returncode != 0:
        sys.exit(f"{arguments}: {run.stdout}{run.stderr}")
    return run.stdout.strip()


def stored(dumps, uri):
    """Puts the files of a folder into a store, and returns its URI."""
    if uri:
        files, path = pyarrow.fs.FileSystem.from_uri(uri)
        files.create_dir(path)
        pyarrow.fs.copy_files(dumps, path, destination_filesystem=files)
    return uri


def main():
    """Starts the nodes, asks, and stops them."""
    alpc_dump, dumps, out = sys.argv[1:]
    out = pathlib.Path(out)
    node = {"num_cpus": 1, "object_store_memory": MEMORY}
    head = {**node, "node_ip_address": HEAD, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    try:
        cluster.add_node(**node, node_ip_address=WORKER)
        cluster.wait_for_nodes()
        common = ["--alpc-dump", alpc_dump, "--address", cluster.address, "--shard", 4, "--symbols", dumps]
        said = [fleet("run", dumps, "--out", out / "folder", *common)]
        said.append(fleet("run", dumps, "--out", out / "folder", *common))
        names = sorted(path.name for path in pathlib.Path(dumps).glob("*.dmp"))
        listing = out / "listing.txt"
        listing.write_text("".join(f"store://{name}\n" for name in [*names, "gone.dmp"]))
        busy = out / "busy"
        busy.mkdir()
        fetch = f"sh -c {shlex.quote(FETCH)} fetch {busy} {{}} {dumps} {{file}}"
        said.append(fleet("run", listing, "--out", out / "objects", "--fetch", fetch, *common))
        # Through fsspec it is no file system of this machine, but a store whose objects are streams.
        store = stored(dumps, os.environ.get("RAY_S3")) or f"fsspec+file://{dumps}"
        said.append(fleet("run", store, "--out", f"file://{out}/store", *common))
    finally:
        cluster.shutdown()
    sys.path.insert(0, str(FLEET.parent))
    import questions

    answers = {
        source: {title: [list(row) for row in rows] for title, _, rows in questions.ask(str(out / source))}
        for source in ["folder", "objects", "store"]
    }
    print(json.dumps({"said": said, "answers": answers, "report": fleet("report", out / "folder")}, default=str))


if __name__ == "__main__":
    main()
