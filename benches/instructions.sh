#!/bin/sh
# Instructions per message, counted by callgrind: figures that repeat where times do not.
#
#     benches/instructions.sh [--top] [N]
#
# message      PUSH sends N and then 2N messages of 16 bytes before the PULL is there to receive
#              them, so that all batches are full; the difference over N is what a message costs.
# round trip   The same with REQ and REP, one message at a time, N/10 and 2N/10 times.
#
# Both sides and all threads together. --top also prints the functions that take most of it, with
# what was inlined into them and without what they call. Needs valgrind, and ends well without it.
# Where perf can count system calls, those of a real run are given too; they depend on the machine
# (and strace would not do: it slows the writing thread down until there is nothing to batch).

set -eu
cd "$(dirname "$0")/.."

top=no
if [ "${1-}" = --top ]; then
    top=yes
    shift
fi
n=${1-100000}
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

if ! command -v valgrind >/dev/null; then
    echo "valgrind is not installed: nothing is counted"
    exit 0
fi

cargo build --release --quiet -p compare
binary=${CARGO_TARGET_DIR-target}/release/compare

# checked COMMAND...: the command, with its output only if it fails.
checked() {
    "$@" >"$out/log" 2>&1 || {
        cat "$out/log" >&2
        exit 1
    }
}

# spec COUNT: the arguments of a run.
spec() {
    echo "--engine $engine --pattern $pattern --transport $transport --size 16 --count $1"
}

# instructions COUNT: how many instructions a run takes.
instructions() {
    case $pattern in
        lat) command="run --limit 600" ;;
        *) command=backlog ;;
    esac
    # Words are to be split.
    # shellcheck disable=SC2046,SC2086
    checked valgrind --tool=callgrind --callgrind-out-file="$out/callgrind" \
        "$binary" $command $(spec "$1")
    sed -n 's/.*Collected : \([0-9]*\).*/\1/p' "$out/log"
}

# syscalls COUNT: how many system calls a run makes for a message.
syscalls() {
    # shellcheck disable=SC2046
    checked perf stat -x, -o "$out/perf" -e raw_syscalls:sys_enter \
        "$binary" run $(spec "$1")
    awk -F, -v n="$1" '/sys_enter/ { printf "%.4f", $1 / n }' "$out/perf"
}

# hottest: the functions that took most of the last counted run, in instructions for each of COUNT.
hottest() {
    callgrind_annotate --auto=no --threshold=99 --show-percs=no "$out/callgrind" 2>/dev/null |
        sed -n '/file:function/,$p' | sed -e '1,2d' -e 's/ \[[^]]*\]$//' |
        awk -v n="$1" '{
            count = $1; gsub(",", "", count)
            sub("^ *[0-9,]+ +[^:]*:", "")
            if (count > 0) sum[$0] += count
        } END { for (name in sum) printf "    %6.0f  %s\n", sum[name] / n, name }' |
        sort -nr | head -n 8 | cut -c 1-110
}

perf stat -e raw_syscalls:sys_enter true >/dev/null 2>&1 && traced=yes || traced=no

# measure WHAT PATTERN N M: a line of the table, of N messages counted and M traced.
measure() {
    pattern=$2
    one=$(instructions "$3")
    two=$(instructions $((2 * $3)))
    calls=-
    [ $traced = no ] || calls=$(syscalls "$4")
    printf '%-11s %-10s %-10s %13s %9s\n' \
        "$1" "$transport" "$engine" $(((two - one) / $3)) "$calls"
    [ $top = no ] || hottest $((2 * $3))
}

printf '%-11s %-10s %-10s %13s %9s\n' of transport engine instructions syscalls
for transport in inproc tcp; do
    for engine in ferrozmq libzmq; do
        measure message thr "$n" 1000000
    done
    for engine in ferrozmq libzmq; do
        measure 'round trip' lat $((n / 10)) 20000
    done
done
