#!/bin/sh
# Debian packages clang-14 and lld-14.
set -e
out=$(mktemp -d)
clang-14 --target=x86_64-pc-windows-msvc -O2 -ffreestanding -funwind-tables -mno-stack-arg-probe -fno-optimize-sibling-calls -c shapes.c -o "$out/shapes.o"
clang-14 --target=x86_64-pc-windows-msvc -c halt.s -o "$out/halt.o"
lld-link-14 /nodefaultlib /driver /entry:entry /subsystem:native /Brepro /out:shapes-x64.sys "$out/shapes.o" "$out/halt.o"
