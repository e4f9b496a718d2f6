#!/bin/sh
# What the C interface adds: instructions of a send and a receive, counted by callgrind, by the Rust
# API (examples/pair.rs) and through libzmq.so.5 (pair.c). Needs valgrind, and ends well without it.
#
#     capi/benches/instructions.sh [SIZE...]

set -eu
cd "$(dirname "$0")/../.."
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

if ! command -v valgrind >/dev/null; then
    echo "valgrind is not installed: nothing is counted"
    exit 0
fi
[ $# -gt 0 ] || set -- 16 64 256 1024

cargo build --release --quiet -p ferrozmq-capi --lib --example pair
release=${CARGO_TARGET_DIR-target}/release
ln -s "$(realpath "$release/libzmq.so")" "$out/libzmq.so.5"
cc -O2 -Icapi/include -o "$out/pair" capi/benches/pair.c "$out/libzmq.so.5" -Wl,-rpath,"$out"

# total PROGRAM COUNT SIZE: how many instructions a run takes.
total() {
    valgrind --tool=callgrind --callgrind-out-file=/dev/null "$@" 2>&1 |
        sed -n 's/.*Collected : \([0-9]*\).*/\1/p'
}

# each PROGRAM SIZE: how many one pair of calls takes.
n=20000
each() {
    echo $((($(total "$1" $((2 * n)) "$2") - $(total "$1" $n "$2")) / n))
}

printf '%6s %8s %8s %8s\n' bytes Rust C more
for size; do
    rust=$(each "$release/examples/pair" "$size")
    c=$(each "$out/pair" "$size")
    awk -v size="$size" -v rust="$rust" -v c="$c" \
        'BEGIN { printf "%6d %8d %8d %7.1f%%\n", size, rust, c, (c / rust - 1) * 100 }'
done
