"""Runs shapes-x64.sys in the Unicorn emulator (PyPI: unicorn, pefile) until it halts, and writes what a reader of its
stack must find: the return addresses that the calls really pushed, seen by watching them, and the registers then.

    python3 emulate.py shapes-x64.sys shapes-x64.json steps-x64.json

The second file has every instruction on the way there and back: its registers, the calls around it, and what it wrote.
"""
import json
import sys

import pefile
from unicorn import Uc, UC_ARCH_X86, UC_HOOK_CODE, UC_HOOK_MEM_WRITE, UC_MODE_64
from unicorn.x86_const import *

BASE = 0x7FF0_1000_0000
TOP = 0x7FF0_2000_6000
SIZE = 0x6000
SAVED = ["rbx", "rbp", "rsi", "rdi", "r12", "r13", "r14", "r15"]

pe = pefile.PE(sys.argv[1])
image = pe.get_memory_mapped_image(ImageBase=None)
size = pe.OPTIONAL_HEADER.SizeOfImage
pe.relocate_image(BASE)
image = pe.get_memory_mapped_image().ljust(size, b"\0")
machine = Uc(UC_ARCH_X86, UC_MODE_64)
machine.mem_map(BASE, size)
machine.mem_write(BASE, image)
machine.mem_map(TOP - SIZE, SIZE)
DATA = 0x7FF0_3000_0000
machine.mem_map(DATA, 0x1000)
for number in range(64):
    machine.mem_write(DATA + number * 8, (number * 3 + 1).to_bytes(8, "little"))
# Above it are what a thread keeps of its processor, and the trap frame of its system call.
sp = TOP - 0x500
machine.reg_write(UC_X86_REG_RSP, sp - 8)  # whose return address is zero: the first function of a thread
machine.reg_write(UC_X86_REG_RCX, DATA)
for number, name in enumerate(SAVED):
    machine.reg_write(globals()["UC_X86_REG_" + name.upper()], 0x1111_0000 + number)
calls, pending = [], []
# Every instruction: the registers and calls before it, and what it wrote.
steps, ORDER = [], ["rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi"] + [f"r{n}" for n in range(8, 16)]
halted = None


def wrote(machine, access, address, size, value, _):
    if TOP - SIZE <= address < TOP:
        value &= (1 << (8 * size)) - 1
        steps[-1]["wrote"].append([address, value.to_bytes(size, "little").hex()])


def registers():
    return [machine.reg_read(globals()["UC_X86_REG_" + name.upper()]) for name in ORDER]


def watch(machine, address, length, _):
    sp = machine.reg_read(UC_X86_REG_RSP)
    if pending and pending.pop() == "call":
        pushed = int.from_bytes(machine.mem_read(sp, 8), "little")
        calls.append((pushed, sp + 8))
    while calls and sp >= calls[-1][1]:
        calls.pop()
    code = bytes(machine.mem_read(address, length))
    body = code[1:] if 0x40 <= code[0] < 0x50 else code
    is_call = body[0] == 0xE8 or (body[0] == 0xFF and body[1] >> 3 & 7 == 2)
    pending.append("call" if is_call else "other")
    frames = [[pc - BASE, at] for pc, at in reversed(calls)]
    steps.append({"rip": address - BASE, "registers": registers(), "calls": frames, "wrote": []})
    if code == b"\xf4" and halted is None:
        machine.emu_stop()
    # Nothing is behind the call that `never` makes, wherever it was put.
    if halted and address - BASE == halted["calls"][-2]["returns_to"]:
        machine.emu_stop()


machine.hook_add(UC_HOOK_CODE, watch)
machine.hook_add(UC_HOOK_MEM_WRITE, wrote)
first = bytes(machine.mem_read(TOP - SIZE, SIZE))
assert not any(first)
machine.emu_start(BASE + pe.OPTIONAL_HEADER.AddressOfEntryPoint, 0, count=100000)
sp = machine.reg_read(UC_X86_REG_RSP)
halted = {
    "base": BASE,
    "top": TOP,
    "sp": sp,
    "entry": TOP - 0x508,
    "caller_rbp": 0x1111_0001,
    "registers": {name: machine.reg_read(globals()["UC_X86_REG_" + name.upper()]) for name in SAVED},
    "calls": [{"returns_to": pc - BASE, "sp": at} for pc, at in reversed(calls)],
    "stack": bytes(machine.mem_read(sp, TOP - sp)).hex(),
}
with open(sys.argv[2], "w") as file:
    json.dump(halted, file)
# Back out through all epilogs.
pending.clear()
machine.emu_start(machine.reg_read(UC_X86_REG_RIP) + 1, 0, count=100000)
with open(sys.argv[3], "w") as file:
    json.dump({"base": BASE, "top": TOP, "size": SIZE, "steps": steps}, file, separators=(",", ":"))
print(len(steps), "instructions")
