"""Tables: the cells are those of CSV, with types."""

import csv
import io
import json
import subprocess
import sys

import pyarrow
import pytest
from conftest import FIXTURE, run

import alpc_dump
from alpc_dump.tables import TABLES

TABLES_OF = [
    ("waits", ["waits"]),
    ("calls", ["calls"]),
    ("locks", ["locks"]),
    ("ports", ["ports"]),
    ("orphan_ports", ["ports", "--orphans"]),
    ("all_connections", ["global", "--graph"]),
    ("analyze", ["analyze"]),
    ("threads", ["threads"]),
    ("stacks", ["stacks"]),
    ("stack_groups", ["stacks", "--group"]),
    ("processes", ["processes"]),
    ("sessions", ["sessions"]),
    ("services", ["services"]),
    ("handles", ["handles"]),
    ("modules", ["modules"]),
]


def as_csv(value):
    """A cell as CSV has it, but for escapes."""
    if value is None:
        return ""
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)


def same(cell, shown):
    if cell == shown or "'" + cell == shown:
        return True
    if cell[:1] in "[{" and cell:
        return json.loads(cell) == json.loads(shown)
    # CSV writes what acts on terminals as escapes.
    return not cell.isprintable() or "\\" in shown


@pytest.mark.parametrize("method, words", TABLES_OF, ids=[case[0] for case in TABLES_OF])
def test_tables_are_those_of_csv(dump, method, words):
    done = run(FIXTURE, *words, "--format", "csv", "--quiet")
    rows = list(csv.DictReader(io.StringIO(done.stdout.decode())))
    table = getattr(dump, method)().to_arrow()
    assert table.num_rows == len(rows)
    table.validate(full=True)
    for cells, shown in zip(table.to_pylist(), rows):
        assert list(cells) == [name for name in shown if name not in ("record", "dump")]
        for name, cell in cells.items():
            assert same(as_csv(cell), shown[name]), (name, cell, shown[name])


def plain(record, path):
    for name in path.split("."):
        record = record.get(name) if isinstance(record, dict) else None
    return record


@pytest.mark.parametrize("details", [False, True])
def test_cells_are_the_members_of_records(dump, details):
    """Columns are made without the records; of the same dump they say the same."""
    table = dump.messages(details=details).to_arrow().to_pylist()
    records = list(dump.messages(details=details))
    assert len(table) == len(records) > 10
    for cells, record in zip(table, records):
        for path, cell in cells.items():
            value = plain(record, path)
            if isinstance(value, (dict, list)):
                assert json.loads(cell) == value, path
            elif path != "unreadable":
                assert cell == value, path


def test_types_are_those_of_the_schema(dump):
    schema = dump.threads().to_arrow().schema
    assert schema.field("process_id").type == pyarrow.uint64()
    assert schema.field("details.priority").type == pyarrow.int64()
    assert schema.field("alertable").type == pyarrow.bool_()
    assert schema.field("address").type == pyarrow.large_string()
    # Of some waits nobody knows the server: the others' ids are integers still.
    servers = dump.waits().to_pandas()["server.process_id"]
    assert str(servers.dtype) == "uint64[pyarrow]"
    assert servers.isna().any() and 996 in set(servers.dropna())


def test_a_table_without_rows_has_its_columns(dump):
    table = dump.ports(session=99).to_arrow()
    assert table.num_rows == 0
    assert table.column_names == [name for name, _ in TABLES["port-line"]]


def test_batches(dump):
    batches = list(dump.ports().to_batches(rows=10))
    assert [batch.num_rows for batch in batches[:-1]] == [10] * (len(batches) - 1)
    assert pyarrow.Table.from_batches(batches).to_pylist() == dump.ports().to_arrow().to_pylist()
    ports = dump.ports()
    ports.to_arrow()
    assert ports.complete and ports.status == "complete"


def test_what_is_no_table_says_so(dump):
    ports = dump.ports()
    next(ports)
    with pytest.raises(alpc_dump.Error) as caught:
        ports.to_arrow()
    assert caught.value.id == "format-not-here"


def test_without_arrow_there_is_a_word_of_it():
    program = (
        "import sys; sys.modules['pyarrow'] = None; import alpc_dump\n"
        f"dump = alpc_dump.open({str(FIXTURE)!r})\n"
        "try: dump.ports().to_arrow()\n"
        "except ImportError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "pip install pyarrow" in done.stdout
