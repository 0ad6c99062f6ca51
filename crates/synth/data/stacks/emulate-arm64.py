"""Runs shapes-arm64.sys in the Unicorn emulator (PyPI: unicorn, pefile) until it halts, and writes what a reader of its
stack must find: the return addresses that the calls really left in the link register, and the stack pointer at each.

    python3 emulate-arm64.py shapes-arm64.sys shapes-arm64.json
"""
import json
import sys

import pefile
from unicorn import Uc, UC_ARCH_ARM64, UC_HOOK_CODE, UC_MODE_ARM
from unicorn.arm64_const import *

BASE = 0x7FF0_1000_0000
TOP = 0x7FF0_2000_6000
SIZE = 0x6000
DATA = 0x7FF0_3000_0000

pe = pefile.PE(sys.argv[1])
size = pe.OPTIONAL_HEADER.SizeOfImage
pe.relocate_image(BASE)
image = pe.get_memory_mapped_image().ljust(size, b"\0")
machine = Uc(UC_ARCH_ARM64, UC_MODE_ARM)
# The functions use vector registers.
machine.reg_write(UC_ARM64_REG_CPACR_EL1, 3 << 20)
machine.mem_map(BASE, (size + 0xFFF) & ~0xFFF)
machine.mem_write(BASE, image)
machine.mem_map(TOP - SIZE, SIZE)
machine.mem_map(DATA, 0x1000)
for number in range(64):
    machine.mem_write(DATA + number * 8, (number * 3 + 1).to_bytes(8, "little"))
# Above it are what a thread keeps of its processor, and the trap frame of its system call.
sp = TOP - 0x500
machine.reg_write(UC_ARM64_REG_SP, sp)
machine.reg_write(UC_ARM64_REG_X0, DATA)
# The first function of a thread returns to nothing, and no frame is around it.
machine.reg_write(UC_ARM64_REG_X30, 0)
machine.reg_write(UC_ARM64_REG_X29, 0)
calls, pending = [], None


def watch(machine, address, length, _):
    global pending
    if pending is not None:
        calls.append(pending)
        pending = None
    word = int.from_bytes(machine.mem_read(address, 4), "little")
    sp = machine.reg_read(UC_ARM64_REG_SP)
    if word >> 26 == 0b100101 or word & 0xFFFFFC1F == 0xD63F0000:  # BL, BLR
        pending = (address + 4 - BASE, sp)
    elif word == 0xD65F03C0:  # RET
        calls.pop()
    elif word == 0xD4400000:  # HLT
        machine.emu_stop()


machine.hook_add(UC_HOOK_CODE, watch)
machine.emu_start(BASE + pe.OPTIONAL_HEADER.AddressOfEntryPoint, 0, count=100000)
sp = machine.reg_read(UC_ARM64_REG_SP)
with open(sys.argv[2], "w") as file:
    json.dump(
        {
            "base": BASE,
            "top": TOP,
            "sp": sp,
            "pc": machine.reg_read(UC_ARM64_REG_PC) - BASE,
            "fp": machine.reg_read(UC_ARM64_REG_X29),
            "calls": [{"returns_to": pc, "sp": at} for pc, at in reversed(calls)],
            "stack": bytes(machine.mem_read(sp, TOP - sp)).hex(),
        },
        file,
    )
print(len(calls), "calls")
