"""A dump, and what can be asked about it."""

from __future__ import annotations

import os
from types import TracebackType
from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence, Type, Union

from . import _native, records
from ._answers import Answer, Records
from ._error import Error

Path = Union[str, bytes, "os.PathLike[str]", "os.PathLike[bytes]"]
#: What a thing is named by: an address, an id or a name, or a record with its address.
Named = Union[str, int, Mapping[str, Any]]
#: A span of time as on the command line ("30s", "5m", "1h30m"), or seconds.
Span = Union[str, int]


def open(
    path: Path,
    symbols: Union[Path, Sequence[Path], None] = None,
    unpack: Optional[Path] = None,
    pagefile: Union[Path, Sequence[Path], None] = None,
    redact: Union[str, Sequence[str], None] = None,
    *,
    redact_key: Optional[Path] = None,
    rpc_names: Union[Path, Sequence[Path], None] = None,
    exact_symbols: bool = False,
    force_symbols: bool = False,
    dtb: Optional[int] = None,
    kernel_base: Optional[int] = None,
    mmap: bool = True,
    hash: bool = False,
) -> Dump:
    """Opens a dump, read-only.

    `symbols`: a PDB, an ISF table or layout pack of the kernel, a folder to look in, or a symbol path; or several.
    `unpack`: where a packed dump is unpacked to.
    `pagefile`: page files of the same moment, the first is number 0, "N=FILE" names another.
    `redact`: what placeholders stand for: "names", "paths", "ids", "all"; `redact_key`: the file that draws them.
    `rpc_names`: tables of names of procedures that go before those that are built in.
    `exact_symbols`: only symbols whose GUID and age the kernel names; `force_symbols`: those that are named, whatever
    they are of. `dtb`, `kernel_base`: where page tables and image are, where nothing tells. `mmap`: whether the file is
    mapped. `hash`: whether its SHA-256 is told.

    Raises Error with the id of why it cannot be opened.
    """
    options = _options(symbols=symbols, unpack=unpack, pagefile=pagefile, redact_key=redact_key, rpc_names=rpc_names)
    if redact:
        options.append("--redact=" + (redact if isinstance(redact, str) else ",".join(redact)))
    for name, address in (("dtb", dtb), ("kernel-base", kernel_base)):
        if address is not None:
            options.append(f"--{name}={address:#x}")
    flags = {"exact-symbols": exact_symbols, "force-symbols": force_symbols, "no-mmap": not mmap, "hash": hash}
    options += [f"--{name}" for name, wanted in flags.items() if wanted]
    return Dump(_native.Dump(os.fsdecode(path), options), os.fsdecode(path))


def _options(**paths: Union[Path, Sequence[Path], None]) -> List[str]:
    """Options whose values are paths, one or several."""
    options = []
    for name, given in paths.items():
        if given is None:
            continue
        several = [given] if isinstance(given, (str, bytes, os.PathLike)) else given
        options += [f"--{name.replace('_', '-')}={os.fsdecode(one)}" for one in several]
    return options


class Dump:
    """A dump, opened. Several questions may be asked at the same time, from any threads.

    Methods that give `Records` read the dump as these are taken; those that give an `Answer` raise Error where there is none.
    """

    def __init__(self, native: _native.Dump, path: str) -> None:
        self._native: Optional[_native.Dump] = native
        self.path = path

    def __repr__(self) -> str:
        return f"<alpc_dump.Dump {self.path!r}{'' if self._native else ', closed'}>"

    def __enter__(self) -> Dump:
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file, once the walks that still run have ended."""
        self._native = None

    def _open(self) -> _native.Dump:
        if self._native is None:
            raise ValueError("the dump is closed")
        return self._native

    def _records(self, command: str, *names: Optional[Named], **options: Any) -> Records[Any]:
        return Records(self._open().records(_words(command, names, options)))

    def _answer(self, command: str, *names: Optional[Named], **options: Any) -> Answer[Any]:
        return Answer(self._open().records(_words(command, names, options)))

    # Who waits for whom.

    def hang(
        self, longer_than: Optional[Span] = None, explain: bool = False
    ) -> Answer[records.HangRecord]:
        """What is stuck, on whom, since when and why. A wait that is longer than `longer_than` is a finding."""
        return self._answer("hang", longer_than=_span(longer_than), explain=explain)

    def summary(self) -> Answer[records.SummaryRecord]:
        """What the dump is and what hangs in it, in short."""
        return self._answer("summary")

    def chain(
        self, start: Named, candidates: bool = False, explain: bool = False
    ) -> Answer[records.ChainsRecord]:
        """The wait of a thread, message or process, step by step to whoever holds it up."""
        return self._answer("chain", start, candidates=candidates, explain=explain)

    def waits(
        self,
        process: Optional[Named] = None,
        port: Optional[str] = None,
        longer_than: Optional[Span] = None,
        session: Optional[int] = None,
    ) -> Records[records.WaitRow]:
        """Every wait for an ALPC reply, the longest first."""
        span = _span(longer_than)
        return self._records("waits", process=process, port=port, longer_than=span, session=session)

    def waits_for(self, what: Named) -> Answer[records.Behind2]:
        """Who waits for a process, thread, port, message or lock, directly or not."""
        return self._answer("waits", **{"for": what})

    def calls(
        self,
        port: Optional[str] = None,
        process: Optional[Named] = None,
        interface: Optional[str] = None,
        procedure: Union[str, int, None] = None,
    ) -> Records[records.CallRow]:
        """Calls of RPC, COM and csrss in flight: which procedure, at which port, by whom."""
        number = None if procedure is None else str(procedure)
        return self._records("calls", port=port, process=process, interface=interface, procedure=number)

    def locks(self, lock: Optional[Named] = None, waited: bool = False) -> Records[records.LockRow]:
        """Locks that are held or waited for."""
        return self._records("locks", lock, waited=waited)

    def graph(self, process: Optional[Named] = None) -> Answer[records.GraphsRecord]:
        """The graph of all waits: nodes and edges."""
        return self._answer("graph", process=process)

    # The views of !alpc.

    def message(self, message: Named, explain: bool = False) -> Answer[records.MessageRecord]:
        """A message in full, by its address or its id ("id:3068")."""
        return self._answer("message", message, explain=explain)

    def messages(
        self, named: Optional[Iterable[Named]] = None, details: bool = False
    ) -> Records[records.MessageRecord]:
        """All messages that are on their way, or those that are named.

        With `details` each has what `message` tells of it, the call that it is among that.
        """
        names = None if named is None else [_name(one) for one in named]
        return Records(self._open().messages(names, details))

    def port(self, port: Named, explain: bool = False) -> Answer[records.PortRecord]:
        """A port: owner, connections, queues and their messages, who waits at it."""
        return self._answer("port", port, explain=explain)

    def ports(self, session: Optional[int] = None) -> Records[records.PortLine]:
        """All ports."""
        return self._records("ports", session=session)

    def orphan_ports(self) -> Records[records.OrphanRecord]:
        """Ports that no handle leads to."""
        return self._records("ports", orphans=True)

    def accessible_ports(self, who: str) -> Records[records.AccessibleRow]:
        """Connection ports that a caller may connect to: a SID, "everyone", "low", "appcontainer" or "anonymous"."""
        return self._records("ports", accessible_by=who)

    def ports_of(self, process: Named) -> Answer[records.ProcessPortsRecord]:
        """The ports that a process created or is connected to."""
        return self._answer("ports", process)

    def connections(self, port: Named) -> Records[records.ConnectionRecord]:
        """The connections of a connection port."""
        return self._records("connections", port)

    def all_connections(self) -> Records[records.EdgeRecord]:
        """The connections of all ports."""
        return self._records("global", graph=True)

    def alpc(self) -> Answer[records.GlobalInFull]:
        """The whole of ALPC: counts of ports and messages, every port and connection (the command `global`)."""
        return self._answer("global")

    def resource(self, resource: Named, explain: bool = False) -> Answer[records.Resources]:
        """A resource (a reserve, view, section, ...), or those that a port owns."""
        return self._answer("resource", resource, explain=explain)

    def analyze(self, carve: bool = False) -> Records[records.Finding]:
        """What contradicts itself in the structures of ALPC, and what one part of the system shows and another does not.

        With carve all memory is looked through for what nothing leads to.
        """
        return self._records("analyze", carve=carve)

    def carve(self, *kinds: str, listed: bool = False) -> Records[records.CarvedRow]:
        """What is found in all memory by its looks and the system's lists do not have.

        Kinds are "ports", "messages", "connections", "processes" and "threads"; all when none is given. With listed also
        what the lists have.
        """
        return self._records("carve", *kinds, listed=listed)

    def timeline(self, carve: bool = False) -> Records[records.TimelineRow]:
        """What happened when, by time; with carve also to processes and threads that no list has."""
        return self._records("timeline", carve=carve)

    # The system around it.

    def threads(
        self,
        process: Optional[Named] = None,
        waiting: bool = False,
        state: Union[str, Sequence[str], None] = None,
        reason: Union[str, Sequence[str], None] = None,
        longer_than: Optional[Span] = None,
        session: Optional[int] = None,
        stacks: bool = False,
    ) -> Records[records.ThreadRecord]:
        """Threads, all or of one process; those that wait for a reply, are in a state, or wait for a reason."""
        return self._records(
            "threads",
            process,
            waiting=waiting,
            state=_joined(state),
            reason=_joined(reason),
            longer_than=_span(longer_than),
            session=session,
            stacks=stacks,
        )

    def thread(self, thread: Named, explain: bool = False) -> Answer[records.ThreadRecord]:
        """A thread, by its address, "tid:N", or "current"."""
        return self._answer("thread", thread, explain=explain)

    def stack(self, thread: Named, args: bool = False) -> Answer[records.StackRecord]:
        """The kernel stack of a thread, with the certainty of each frame."""
        return self._answer("stack", thread, args=args)

    def stacks(
        self, process: Optional[Named] = None, find: Optional[str] = None
    ) -> Records[records.ThreadStack]:
        """The kernel stacks of all threads, of a process, or of those in a function with `find` in its name."""
        return self._records("stacks", process, find=find)

    def stack_groups(
        self, process: Optional[Named] = None, find: Optional[str] = None
    ) -> Records[records.StackGroup]:
        """Threads in the same functions together, the most first."""
        return self._records("stacks", process, find=find, group=True)

    def processes(self, session: Optional[int] = None) -> Records[records.ProcessRecord]:
        """All processes."""
        return self._records("processes", session=session)

    def process(self, process: Named, explain: bool = False) -> Answer[records.ProcessInFull]:
        """A process with its threads, by its address, "pid:N", or image name."""
        return self._answer("process", process, explain=explain)

    def sessions(self) -> Records[records.SessionRow]:
        """The sessions of the system."""
        return self._records("sessions")

    def services(self) -> Records[records.ServiceRow]:
        """The services that threads work for."""
        return self._records("services")

    def handles(
        self,
        process: Optional[Named] = None,
        type: Optional[str] = None,
        session: Optional[int] = None,
    ) -> Records[records.HandleLine]:
        """Open handles, all or of one process; those of objects of one type, as "ALPC Port"."""
        return self._records("handles", process, type=type, session=session)

    def object(self, object: Named, explain: bool = False) -> Answer[records.ObjectInFull]:
        """An object of the kernel, by its address or its full path."""
        return self._answer("object", object, explain=explain)

    def security(self, object: Named, explain: bool = False) -> Answer[records.SecurityRecord]:
        """Who may connect to a port or open an object: its security descriptor."""
        return self._answer("security", object, explain=explain)

    def token(self, thing: Optional[Named] = None, explain: bool = False) -> Answer[records.ActingRecord]:
        """As whom a process, thread, port or message acts."""
        return self._answer("token", thing, explain=explain)

    def irp(self, irp: Named, explain: bool = False) -> Answer[records.IrpInFull]:
        """An I/O request."""
        return self._answer("irp", irp, explain=explain)

    def modules(self, name: Optional[Named] = None) -> Records[records.ModuleRecord]:
        """Loaded kernel modules; those of a name (with * and ?), or the one that an address is in."""
        return self._records("modules", name)

    # The dump and its symbols.

    def info(self) -> Answer[records.InfoRecord]:
        """What the dump is, which kernel it is of, and whether its symbols are at hand."""
        return self._answer("info")

    def symbols(self) -> Answer[records.SymbolSearch]:
        """Which symbols the kernel wants, where they were looked for, and how to get them."""
        return self._answer("symbols")

    def dt(self, type: str, address: Optional[Named] = None) -> Answer[Any]:
        """A type of the kernel, or something of that type; with * and ? all types that match."""
        return self._answer("dt", type, address)

    def mem(self, address: Named, length: int = 0x80) -> Answer[records.MemoryRecord]:
        """Memory as it is."""
        return self._answer("mem", address, str(length))

    def check(self, rules: Path) -> Records[records.ConditionRecord]:
        """What the conditions of a rule file came to: see docs/checks.md."""
        return self._records("check", rules=os.fsdecode(rules))

    def document(self, *words: str) -> Dict[str, Any]:
        """The document that --format json writes for a command, in the words of a command line.

        It has an `error` where the command gives nothing; only words that are no command line raise Error.
        """
        kind: Optional[str]
        value: Dict[str, Any]
        kind, value, _ = self._open().document([os.fsdecode(word) for word in words]).begin().next()
        if kind != "document":
            raise Error("error", "there was no document")
        return value


def _name(named: Named) -> str:
    """What a thing is named by, as a command line has it."""
    if isinstance(named, Mapping):
        if "address" not in named:
            raise Error("bad-arguments", "the record has no address: name the thing itself")
        named = named["address"]
    if isinstance(named, bool) or not isinstance(named, (str, int)):
        raise TypeError(f"an address, an id or a name is a str or an int, not {type(named).__name__}")
    if isinstance(named, int):
        if named < 0:
            raise Error("not-an-address", f"{named} is negative, and no address")
        return f"{named:#x}"
    # Such a name would be taken for an option, or for stdin.
    return f"name:{named}" if not named or named.startswith("-") else named


def _words(command: str, names: Sequence[Optional[Named]], options: Mapping[str, Any]) -> List[str]:
    words = [command] + [_name(name) for name in names if name is not None]
    for option, value in options.items():
        option = "--" + option.replace("_", "-")
        if value is True:
            words.append(option)
        elif value is not None and value is not False:
            named = option in ("--process", "--for")
            words.append(f"{option}={_name(value) if named else value}")
    return words


def _span(span: Optional[Span]) -> Optional[str]:
    return f"{span}s" if isinstance(span, int) else span


def _joined(words: Union[str, Sequence[str], None]) -> Optional[str]:
    return words if words is None or isinstance(words, str) else ",".join(words)
