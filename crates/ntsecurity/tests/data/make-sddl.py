#!/usr/bin/env python3
"""Writes sddl.tsv: descriptors as hex, and the SDDL that Samba's library makes of them.

    apt-get install python3-samba        # 4.17.12 wrote the table
    python3 make-sddl.py > sddl.tsv

The bytes are packed here, by MS-DTYP 2.4; the text is Samba's own (security.descriptor.as_sddl). It knows no conditional
entries and no labels' letters, so those are tested elsewhere. A seed makes the table the same each time.
"""
import random
import struct

from samba.dcerpc import security
from samba.ndr import ndr_unpack

R = random.Random(20)
KNOWN = ["S-1-1-0", "S-1-3-0", "S-1-3-1", "S-1-5-2", "S-1-5-4", "S-1-5-6", "S-1-5-7", "S-1-5-9", "S-1-5-10", "S-1-5-11",
         "S-1-5-12", "S-1-5-18", "S-1-5-19", "S-1-5-20", "S-1-5-32-544", "S-1-5-32-545", "S-1-5-32-546", "S-1-5-32-547",
         "S-1-5-32-548", "S-1-5-32-549", "S-1-5-32-550", "S-1-5-32-551", "S-1-5-32-552", "S-1-5-32-554", "S-1-15-2-1",
         "S-1-15-2-2", "S-1-16-4096", "S-1-16-16384", "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464"]
# Domain groups get letters only for the domain that the text is made for: another one than any here.
DOMAIN = security.dom_sid("S-1-5-21-9-9-9")


def sid(text):
    numbers = [int(part) for part in text.split("-")[2:]]
    return struct.pack("<BB", 1, len(numbers) - 1) + numbers[0].to_bytes(6, "big") + b"".join(
        struct.pack("<I", number) for number in numbers[1:])


def any_sid():
    if R.random() < 0.7:
        return sid(R.choice(KNOWN))
    count = R.choice([1, 2, 5, 6, 8, 15])
    return sid("-".join(["S-1", str(R.choice([5, 15, 16, 18]))] + [str(R.randrange(200, 2**32)) for _ in range(count)]))


def mask():
    bits = [1, 2, 4, 8, 0x10, 0x20, 0x40, 0x80, 0x100, 0x10000, 0x20000, 0x40000, 0x80000]
    if R.random() < 0.5:
        return sum(R.sample(bits, R.randrange(1, 6)))
    return R.choice([0x1f0001, 0x120001, 0x100000, 0x80000000, 0x10000000, 0x20000000, 0x40000000, R.randrange(1, 2**25)])


def ace(kinds):
    kind = R.choice(kinds)
    flags = R.choice([0, 0, 0, 1, 2, 3, 8, 0xb, 0x10, 0x13, 4])
    if kind in (2, 7):
        flags |= R.choice([0x40, 0x80, 0xc0])
    body = struct.pack("<I", mask())
    if kind in (5, 6, 7):
        present = R.randrange(4)
        body += struct.pack("<I", present)
        body += b"".join(R.randbytes(16) for bit in (1, 2) if present & bit)
    body += any_sid()
    return struct.pack("<BBH", kind, flags, len(body) + 4) + body


def acl(kinds):
    entries = [ace(kinds) for _ in range(R.choice([0, 1, 1, 2, 3, 5, 8]))]
    body = b"".join(entries)
    return struct.pack("<BBHHH", 4 if any(entry[0] > 3 for entry in entries) else 2, 0, len(body) + 8, len(entries), 0) + body


def descriptor():
    control = 0x8000
    blob = b""
    offsets = [0, 0, 0, 0]
    for index, part in enumerate([any_sid, any_sid, lambda: acl([2, 7]), lambda: acl([0, 0, 0, 1, 5, 6])]):
        if R.random() < [0.9, 0.9, 0.4, 0.9][index]:
            offsets[index] = 20 + len(blob)
            blob += part()
    if offsets[2]:
        control |= 0x10 | R.choice([0, 0x800, 0x2000, 0x2a00])
    if offsets[3]:
        control |= 4 | R.choice([0, 0x400, 0x1000, 0x1500])
    return struct.pack("<BBH4I", 1, 0, control, *offsets) + blob


print("# Written by make-sddl.py; do not edit.")
for _ in range(400):
    raw = descriptor()
    print(raw.hex() + "\t" + ndr_unpack(security.descriptor, raw).as_sddl(DOMAIN))
