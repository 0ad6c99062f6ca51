"""Who waits for whom over ALPC, from Windows kernel crash dumps.

    import alpc_dump

    dump = alpc_dump.open("memory.dmp", symbols="C:/symbols")
    print(dump.hang()["signature"])
    for port in dump.ports():
        print(port["address"], port["path"])
    waits = dump.waits().to_pandas()

A method is a command of the program `alpc-dump`, and a record is what the command writes as JSON: see docs/json.md. Things
are named as on the command line: by an address (a text of hex digits, or an int), an id as "pid:828", or a name. A record
that has an "address" names the thing that it is of.
"""

from ._answers import Answer, Records
from ._dump import Dump, open
from ._error import Error
from ._native import __version__
from ._triage import triage

for _public in (Answer, Dump, Error, Records):
    _public.__module__ = __name__

__all__ = ["Answer", "Dump", "Error", "Records", "__version__", "open", "triage"]
