#!/bin/sh
# Debian packages clang-14 and lld-14.
set -e
out=$(mktemp -d)
clang-14 --target=x86_64-pc-windows-msvc -O2 -ffreestanding -funwind-tables -mno-stack-arg-probe -fno-optimize-sibling-calls -c shapes.c -o "$out/shapes.o"
clang-14 --target=x86_64-pc-windows-msvc -c halt.s -o "$out/halt.o"
lld-link-14 /implib:"$out/shapes.lib" /nodefaultlib /driver /entry:entry /subsystem:native /Brepro /debug /pdbaltpath:shapes.pdb /pdb:shapes-x64.pdb /map:shapes-x64.map /export:saves /export:last /out:shapes-x64.sys "$out/shapes.o" "$out/halt.o"
clang-14 --target=aarch64-pc-windows-msvc -O2 -ffreestanding -funwind-tables -fno-omit-frame-pointer -mno-stack-arg-probe -fno-optimize-sibling-calls -c shapes.c -o "$out/shapes.o"
clang-14 --target=aarch64-pc-windows-msvc -c halt-arm64.s -o "$out/halt.o"
lld-link-14 /machine:arm64 /implib:"$out/shapes.lib" /nodefaultlib /driver /entry:entry /subsystem:native /Brepro /export:saves /export:last /out:shapes-arm64.sys "$out/shapes.o" "$out/halt.o"
xz -9 -f shapes-x64.pdb
