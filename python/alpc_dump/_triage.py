"""One record of a dump, as of a fleet of them."""

from __future__ import annotations

import os
from typing import Optional, Sequence, Union, cast

from . import _native, records
from ._dump import Path, _options


def triage(
    path: Path,
    symbols: Union[Path, Sequence[Path], None] = None,
    unpack: Optional[Path] = None,
    redact: Union[str, Sequence[str], None] = None,
    *,
    redact_key: Optional[Path] = None,
    exact_symbols: bool = False,
    mmap: bool = True,
    hash: bool = False,
) -> records.TriageRecord:
    """What a dump is, what is stuck in it, and on whom: the record that the command `triage` has of it.

    A dump that cannot be opened has a record too, with its `error`. The options are those of `open`.

    The command gives each dump a process of its own, with a limit of time and memory. This looks at it in the process that
    calls, which is faster for small dumps; where they may be hostile, call it in a process that may be killed.

    Raises Error where the options make no sense, or for a fault of the library.
    """
    options = _options(symbols=symbols, unpack=unpack, redact_key=redact_key)
    if redact:
        options.append("--redact=" + (redact if isinstance(redact, str) else ",".join(redact)))
    flags = {"exact-symbols": exact_symbols, "no-mmap": not mmap, "hash": hash}
    options += [f"--{name}" for name, wanted in flags.items() if wanted]
    return cast(records.TriageRecord, _native.triage(os.fsdecode(path), options))
