#!/usr/bin/env bash
# Runs programs that were made for libzmq, unmodified, on this library and on the real one:
#
#     capi/tests/consumers.sh [DIRECTORY]
#
# pyzmq's tests (Debian's package, and PyPI's source built against this library), czmq's own tests,
# cppzmq's examples. What they need is downloaded into the directory, by default a temporary one;
# nothing is installed. For Debian, with apt lists, pip and a C++ compiler.
#
# It fails if something fails here that the real library can do; the real one is only asked about what
# fails here.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=${1:-$(mktemp -d)}
mkdir -p "$work"
work=$(cd "$work" && pwd)
root=$work/root
debian=$root/usr/lib/$(gcc -print-multiarch)
packages=(libzmq3-dev libzmq5 libsodium23 libpgm-5.3-0 libnorm1 libczmq4 cppzmq-dev
    python3-zmq python3-pytest python3-pluggy python3-iniconfig python3-attr python3-packaging
    python3-py python3-tornado)
failed=0

"$here/../install.sh" "$work/ours" || exit 1

fetch() {
    [[ -e $root/.complete ]] && return
    mkdir -p "$work/deb" "$root"
    (cd "$work/deb" && apt-get download -q "${packages[@]}") || return 1
    for package in "$work"/deb/*.deb; do
        dpkg -x "$package" "$root" || return 1
    done
    touch "$root/.complete"
}
fetch || exit 1

# Debian's pyzmq is compiled without drafts, and its tests of them fail on each libzmq that has them.
# Debian's has none, and they are skipped there.
excused=" pyzmq-debian/test_draft "

# Runs a command with one of the two libraries, in a directory of its own.
on() { # library log command…
    local libraries=$debian directory status
    [[ $1 = ours ]] && libraries=$work/ours/lib:$debian
    directory=$(mktemp -d)
    (cd "$directory" && LD_LIBRARY_PATH=$libraries timeout "${limit:-120}" "${@:3}") \
        >"$work/log/$2-$1" 2>&1
    status=$?
    rm -rf "$directory"
    return $status
}

# Runs one thing, and if it fails here asks the real library. Some of these tests race with the
# library, be it the real one or this: they count on a subscription's arriving in no time, and fail on
# a busy machine.
declare -A passed counts
check() { # suite name command…
    local name=$1/$2
    mkdir -p "$work/log/$1"
    counts[$1]=$((${counts[$1]:-0} + 1))
    if on ours "$name" "${@:3}" || on ours "$name" "${@:3}"; then
        passed[$1]=$((${passed[$1]:-0} + 1))
    elif [[ $excused = *" $name "* ]]; then
        echo "  $name fails, and is excused"
    elif on real "$name" "${@:3}"; then
        echo "  ONLY THE REAL LIBRARY PASSES $name: see $work/log/$name-ours"
        failed=1
    else
        echo "  $name fails with either library"
    fi
}

summary() { # suite
    echo "$1: ${passed[$1]:-0} of ${counts[$1]:-0}"
}

# A Python test suite, a file at a time, so that one that hangs does not take the others along.
python_tests() { # suite python tests
    local file
    # pytest says 5 if there was nothing to run: all of it skipped.
    local run='"$0" -m pytest -p no:cacheprovider -q -rs "$@" || [ $? = 5 ]'
    for file in "$3"/test_*.py; do
        check "$1" "$(basename "$file" .py)" sh -c "$run" "$2" --rootdir "$work" "$file"
    done
    echo "$1: $(cat "$work/log/$1"/*-ours |
        awk '/^[0-9].* in [0-9.]+s/ {
            for (n = 1; n < NF; n++) if ($(n + 1) ~ /^(passed|failed|skipped|error)/) {
                kind = $(n + 1); sub(/s?,?$/, "", kind); sum[kind] += $n }
        } END { for (kind in sum) printf "%d %s  ", sum[kind], kind }')"
}

echo "── pyzmq of Debian ──"
PYTHONPATH=$root/usr/lib/python3/dist-packages \
    python_tests pyzmq-debian /usr/bin/python3 "$root/usr/lib/python3/dist-packages/zmq/tests"

echo "── pyzmq of PyPI, built against this library ──"
build_pyzmq() {
    [[ -e $work/venv/.complete ]] && return
    python3 -m venv "$work/venv" &&
        "$work/venv/bin/pip" download -q --no-binary pyzmq --no-deps --dest "$work/sdist" pyzmq &&
        tar -xf "$work"/sdist/pyzmq-*.tar.gz -C "$work/sdist" &&
        ZMQ_PREFIX=$work/ours "$work/venv/bin/pip" install -q "$work"/sdist/pyzmq-*.tar.gz \
            pytest pytest-asyncio tornado &&
        touch "$work/venv/.complete"
}
if build_pyzmq >"$work/pyzmq.log" 2>&1; then
    python_tests pyzmq-pypi "$work/venv/bin/python" "$(echo "$work"/sdist/pyzmq-*/tests)"
else
    echo "  pyzmq could not be built: see $work/pyzmq.log"
    failed=1
fi

echo "── czmq ──"
cc -o "$work/czmq" "$here/consumers/czmq.c" -ldl || exit 1
for name in $(nm -D --defined-only "$debian/libczmq.so.4" | awk '/_test$/ { print $3 }'); do
    limit=60 check czmq "$name" "$work/czmq" "$name"
done
summary czmq

echo "── cppzmq ──"
for source in "$root"/usr/share/doc/cppzmq-dev/examples/*.cpp; do
    name=$(basename "$source" .cpp)
    c++ -std=c++17 -I"$work/ours/include" -I"$root/usr/include" -o "$work/$name" "$source" \
        -L"$work/ours/lib" -lzmq -pthread || exit 1
    # One of them never ends, with either library.
    limit=15 check cppzmq "$name" "$work/$name"
done
summary cppzmq

exit $failed
