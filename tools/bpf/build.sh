#!/bin/sh
# Builds the eBPF programs of native/bpf into src/ipctune/trace/objects. Takes clang, llvm-strip and bpftool as Debian 12
# has them (14.0, 7.1 with libbpf 1.1) and libbpf-dev; others make other bytes of the same sources.
# With --check it builds elsewhere and compares: exit code 1 where the files in the tree are not what comes out.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$(readlink -f -- "$0")")/../.." && pwd -P)
objects=src/ipctune/trace/objects
cd "$root"
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
made=$work/objects

one() { # NAME ARCHITECTURE-OF-CLANG ARCHITECTURE-OF-OURS
    mkdir -p "$made/$3"
    clang -O2 -g -fdebug-compilation-dir=. -mcpu=v3 --target=bpf "-D__TARGET_ARCH_$2" -Wall -Wextra -Werror -Inative/bpf \
        -c "native/bpf/$1.bpf.c" -o "$work/$1.o"
    llvm-strip -g "$work/$1.o"
    PATH=$PATH:/usr/sbin bpftool gen skeleton -L "$work/$1.o" name "$1" >"$work/$1.h"
    PYTHONPATH=src python3 -P tools/bpf/pack.py "$work/$1.h" "$made/$3/$1.bpf"
}

for source in native/bpf/*.bpf.c; do
    name=$(basename "$source" .bpf.c)
    one "$name" x86 x86_64
    one "$name" arm64 arm64
done
if [ "${1:-}" = --check ]; then
    diff -r "$made" "$objects"
else
    rm -rf -- "$objects"
    cp -r "$made" "$objects"
fi
