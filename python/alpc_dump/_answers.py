"""Answers: one record with what there is to say of it, and lists of records that are read as they are asked for."""

from __future__ import annotations

from collections import deque
from typing import Any, Deque, Dict, Generic, Iterator, List, Optional, Sequence, Tuple, TypeVar

from ._error import Error
from ._native import Asked, Walk
from .tables import TABLES

T = TypeVar("T")

#: Rows of one batch of columns.
BATCH = 65_536


class _Lines:
    """The lines of a walk, each put where it belongs."""

    def __init__(self, asked: Asked) -> None:
        self._asked: Optional[Asked] = asked
        self._walk: Optional[Walk] = None
        self._table = asked.table
        self._head: Dict[str, Any] = {}
        self._end: Dict[str, Any] = {}
        self._notes: List[str] = []
        self._failed: List[str] = []
        self._errors: List[Error] = []
        self._refusal: Optional[Error] = None

    def _step(self) -> Optional[Tuple[str, Any, Any]]:
        """The next record with its kind and holes; none once all were read."""
        if self._asked is not None:
            # Nothing is read before something is asked for.
            self._walk, self._asked = self._asked.begin(), None
        while self._walk is not None:
            kind, value, holes = self._said(self._walk)
            if kind is not None:
                return kind, value, holes
        if self._refusal is not None:
            raise self._refusal
        return None

    def _said(self, walk: Walk) -> Tuple[Optional[str], Any, Any]:
        """What a walk says next; no kind where that is no record, and was kept."""
        try:
            kind, value, holes = walk.next()
        except BaseException as error:
            self._stopped(error)
            raise
        return (kind, value, holes) if self._took(kind, value, holes) else (None, None, None)

    @property
    def _running(self) -> bool:
        return self._asked is not None or self._walk is not None

    def _stopped(self, error: BaseException) -> None:
        """It will say no more: what comes next, if anything is asked still, is why."""
        if self._walk is not None:
            self._walk.stop()
        self._walk = self._asked = None
        if isinstance(error, Error):
            self._refusal = error
        else:
            why = "it was interrupted before its end: ask again for all of it"
            self._refusal = Error("cancelled", why, "partial")

    def _took(self, kind: Optional[str], value: Any, holes: Any) -> bool:
        """Whether a line is a record; what is none is kept."""
        if kind is None:
            self._walk, self._notes, self._failed = None, value, holes
        elif kind == "document":
            self._head = value
        elif kind == "end":
            self._end = value
        elif kind == "error":
            error = Error(value["id"], value["text"], None, value.get("suggestions"))
            self._errors.append(error)
        else:
            return True
        return False


class Answer(Generic[T]):
    """One record, with what there is to say of it.

    The record is `result`, a dict; `answer["member"]` is `answer.result["member"]`.
    """

    #: The record.
    result: T
    #: "complete", "finding" or "partial", as the exit status of the command line says it.
    status: str
    #: What the record could not tell: path, id, cause and text of each.
    holes: List[Dict[str, Any]]
    #: What is good to know: how sure the symbols are, for instance.
    notes: List[str]
    #: What stands at the head of a document: the dump, its size, the symbols that served.
    head: Dict[str, Any]
    #: Where its values come from, where that was asked for.
    explanations: List[Dict[str, Any]]

    def __init__(self, asked: Asked) -> None:
        lines = _Lines(asked)
        found: List[Tuple[str, Any, Any]] = []
        while True:
            line = lines._step()
            if line is None:
                break
            found.append(line)
        records = [line for line in found if line[0] != "explanation"]
        if not records:
            raise lines._errors[0] if lines._errors else Error("error", "there was no record")
        _, self.result, self.holes = records[0]
        self.status = lines._end["status"]
        self.notes = lines._notes
        self.head = lines._head
        self.explanations = [value for kind, value, _ in found if kind == "explanation"]

    @property
    def symbols(self) -> Optional[Dict[str, Any]]:
        """Which symbols served, and how sure they are."""
        return self.head.get("symbols")

    @property
    def complete(self) -> bool:
        """Whether all of it could be read."""
        return not self.holes

    def __getitem__(self, member: str) -> Any:
        return self.result[member]  # type: ignore[index]

    def __contains__(self, member: object) -> bool:
        return member in self.result  # type: ignore[operator]

    def get(self, member: str, default: Any = None) -> Any:
        """A member that may not be there."""
        return self.result.get(member, default)  # type: ignore[attr-defined]

    def __repr__(self) -> str:
        return f"<alpc_dump.Answer of {self.head.get('command')}: {self.status}>"


class Records(_Lines, Generic[T]):
    """Records, each read from the dump as it is asked for.

    It is an iterator, and is gone through once. What is told at the end (`status`, `complete`, `rest`, `holes`, `notes`)
    has the rest read when it is asked for before; the records of that rest are kept for the iteration to go on with.
    """

    def __init__(self, asked: Asked) -> None:
        super().__init__(asked)
        self._kept: Deque[T] = deque()

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        if self._kept:
            return self._kept.popleft()
        line = self._step()
        if line is None:
            raise StopIteration
        record: T = line[1]
        return record

    def close(self) -> None:
        """Ends the walk; what was not read by now is not read any more."""
        if self._running:
            self._stopped(Error("cancelled", "it was closed before its end", "partial"))

    def _to_end(self) -> None:
        while True:
            line = self._step()
            if line is None:
                return
            self._kept.append(line[1])

    @property
    def kind(self) -> Optional[str]:
        """The kind of its records, as the lines of --format ndjson name it."""
        return self._table

    @property
    def head(self) -> Dict[str, Any]:
        """What stands at the head of a document: the dump, its size, the symbols that serve."""
        while not self._head and self._running:
            line = self._step()
            if line is not None:
                self._kept.append(line[1])
        return self._head

    @property
    def symbols(self) -> Optional[Dict[str, Any]]:
        """Which symbols serve, and how sure they are."""
        return self.head.get("symbols")

    @property
    def status(self) -> str:
        """How it ended: "complete", "finding" or "partial", as the exit status of the command line says it."""
        self._to_end()
        status: str = self._end["status"]
        return status

    @property
    def rest(self) -> Dict[str, Any]:
        """What there is to say beside the records."""
        self._to_end()
        return self._end["rest"] or {}

    @property
    def complete(self) -> bool:
        """Whether the list has all that there is and all of it could be read; `rest` and `holes` say why not."""
        rest = self.rest
        # What this kernel does not have lacks nothing.
        whole = rest.get("complete", True) is True or "complete" in rest.get("absent", [])
        return whole and not self._end["holes"] and not self._errors

    @property
    def holes(self) -> List[Dict[str, Any]]:
        """How many values could not be determined, by cause; each record says of its own under "unreadable"."""
        self._to_end()
        holes: List[Dict[str, Any]] = self._end["holes"]
        return holes

    @property
    def notes(self) -> List[str]:
        """What is good to know: how sure the symbols are, for instance."""
        self._to_end()
        return self._notes

    @property
    def errors(self) -> List[Error]:
        """What stands for records that are not there: of messages that were named and are none."""
        self._to_end()
        return self._errors

    # Tables.

    def to_batches(self, rows: int = BATCH) -> Iterator[Any]:
        """The records as `pyarrow.RecordBatch` of at most so many rows.

        Columns are those of --format csv with their types from the schema; `unreadable` says which are null because they
        could not be read. What is deeper than an object in a record is JSON in a text.
        """
        arrow = _needed("pyarrow", "to_arrow and to_batches")
        columns = self._columns()
        if rows < 1:
            raise ValueError("a batch has at least one row")
        if self._asked is None:
            raise Error("format-not-here", "it was begun record by record: ask again, and for the table first")
        self._walk, self._asked = self._asked.begin_columns(columns, rows), None
        while self._walk is not None:
            kind, count, buffers = self._said(self._walk)
            if kind == "rows":
                yield _batch(arrow, columns, count, buffers)
        if self._refusal is not None:
            raise self._refusal

    def to_arrow(self) -> Any:
        """The records as a `pyarrow.Table`: see `to_batches`."""
        arrow = _needed("pyarrow", "to_arrow and to_batches")
        columns = self._columns()
        types = [arrow.field(path, _type(arrow, kind)) for path, kind in columns]
        return arrow.Table.from_batches(list(self.to_batches()), arrow.schema(types))

    def to_pandas(self) -> Any:
        """The same as a `pandas.DataFrame`, whose columns keep their types: integers stay integers where some are null."""
        _needed("pyarrow", "to_pandas")
        pandas = _needed("pandas", "to_pandas")
        return self.to_arrow().to_pandas(types_mapper=pandas.ArrowDtype)

    def _columns(self) -> Sequence[Tuple[str, str]]:
        if self._table is None or self._table not in TABLES:
            raise Error("format-not-here", "these records are no rows of a table: take them one by one")
        return TABLES[self._table]

    def __repr__(self) -> str:
        how = "not at its end" if self._running else self._end.get("status", "stopped")
        return f"<alpc_dump.Records of {self._table or self._head.get('command')}: {how}>"


def _needed(name: str, what: str) -> Any:
    try:
        return __import__(name)
    except ImportError as error:
        raise ImportError(f"{what} needs {name}, which is not installed: pip install {name}") from error


def _type(arrow: Any, kind: str) -> Any:
    return {
        "bool": arrow.bool_,
        "int64": arrow.int64,
        "uint64": arrow.uint64,
        "double": arrow.float64,
    }.get(kind, arrow.large_string)()


def _batch(arrow: Any, columns: Sequence[Tuple[str, str]], count: int, buffers: List[Any]) -> Any:
    arrays = []
    for (_, kind), (nulls, *parts) in zip(columns, buffers):
        validity, offsets, values = (part if part is None else arrow.py_buffer(part) for part in parts)
        parts = [validity, values] if offsets is None else [validity, offsets, values]
        arrays.append(arrow.Array.from_buffers(_type(arrow, kind), count, parts, nulls))
    return arrow.RecordBatch.from_arrays(arrays, [path for path, _ in columns])
