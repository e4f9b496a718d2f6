#!/usr/bin/env bash
# Runs programs that were made for libzmq, unmodified, on this library and on the real one:
#
#     capi/tests/consumers.sh [DIRECTORY]
#
# pyzmq's tests (Debian's package, and PyPI's source built against this library), czmq's own tests,
# cppzmq's examples. What they need is downloaded into the directory, by default a temporary one;
# nothing is installed. For Debian, with apt lists, pip and a C++ compiler.
#
# It fails if something fails here that the real library can do.
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

# Runs a command with one of the two libraries.
on() {
    local libraries=$debian
    [[ $1 = ours ]] && libraries=$work/ours/lib:$debian
    shift
    LD_LIBRARY_PATH=$libraries timeout "${limit:-120}" "$@"
}

# Notes the result of one thing on one library.
declare -A passed counts
note() { # library suite name status
    counts[$1,$2]=$((${counts[$1,$2]:-0} + 1))
    if [[ $4 = 0 ]]; then
        passed[$1,$2]=$((${passed[$1,$2]:-0} + 1))
    elif [[ $1 = ours ]]; then
        echo "  FAILS HERE: $2 $3 (see $work/log)"
    fi
    results[$1]+="$2/$3=$4 "
}
declare -A results=()

# A Python test suite, a file at a time, so that one that hangs does not take the others along.
python_tests() { # suite python tests
    local library file name status
    for library in ours real; do
        mkdir -p "$work/log/$1-$library"
        for file in "$3"/test_*.py; do
            name=$(basename "$file" .py)
            # Some of these tests race with the library, be it the real one or this: they count on a
            # subscription's arriving in no time, and fail on a busy machine.
            for _ in 1 2; do
                on "$library" "$2" -m pytest -p no:cacheprovider -q -rs --rootdir "$work" "$file" \
                    >"$work/log/$1-$library/$name" 2>&1
                status=$?
                [[ $status = 5 ]] && status=0 # all of it skipped
                [[ $status = 0 || $library = real ]] && break
            done
            note "$library" "$1" "$name" $status
        done
        echo "$1 on $library: $(cat "$work/log/$1-$library"/* |
            awk '/^[0-9].* in [0-9.]+s/ {
                for (n = 1; n < NF; n++) if ($(n + 1) ~ /^(passed|failed|skipped|error)/) {
                    kind = $(n + 1); sub(/s?,?$/, "", kind); sum[kind] += $n }
            } END { for (kind in sum) printf "%d %s  ", sum[kind], kind }')"
    done
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
mkdir -p "$work/log/czmq"
for library in ours real; do
    for name in $(nm -D --defined-only "$debian/libczmq.so.4" | awk '/_test$/ { print $3 }'); do
        directory=$(mktemp -d)
        for _ in 1 2; do
            (cd "$directory" && limit=60 on $library "$work/czmq" "$name") \
                >"$work/log/czmq/$name-$library" 2>&1
            status=$?
            [[ $status = 0 || $library = real ]] && break
        done
        note $library czmq "$name" $status
        rm -rf "$directory"
    done
    echo "czmq on $library: ${passed[$library,czmq]:-0} of ${counts[$library,czmq]}"
done

echo "── cppzmq ──"
mkdir -p "$work/log/cppzmq"
for source in "$root"/usr/share/doc/cppzmq-dev/examples/*.cpp; do
    name=$(basename "$source" .cpp)
    c++ -std=c++17 -I"$work/ours/include" -I"$root/usr/include" -o "$work/$name" "$source" \
        -L"$work/ours/lib" -lzmq -pthread || exit 1
    for library in ours real; do
        for _ in 1 2; do
            # One of them never ends, with either library.
            limit=15 on $library "$work/$name" >"$work/log/cppzmq/$name-$library" 2>&1
            status=$?
            [[ $status = 0 || $library = real ]] && break
        done
        note $library cppzmq "$name" $status
    done
done
for library in ours real; do
    echo "cppzmq on $library: ${passed[$library,cppzmq]:-0} of ${counts[$library,cppzmq]}"
done

# Debian's pyzmq is compiled without drafts, and its tests of them fail on each libzmq that has them.
# Debian's has none, and they are skipped there.
excused=" pyzmq-debian/test_draft "

# What only the real library can do.
for result in ${results[ours]}; do
    [[ $result = *=0 ]] && continue
    name=${result%=*}
    [[ $excused = *" $name "* ]] && continue
    if [[ " ${results[real]}" = *" $name=0 "* ]]; then
        echo "only the real library passes $name"
        failed=1
    fi
done
exit $failed
