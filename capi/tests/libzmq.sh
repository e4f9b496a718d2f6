#!/usr/bin/env bash
# Compiles libzmq's own test programs against libzmq's headers, and runs them on this library:
#
#     capi/tests/libzmq.sh [DIRECTORY [TEST...]]
#
# cargo downloads their source, that of libzmq 4.3.5, into the directory, by default a temporary one, and
# apt the libsodium that one of them needs. For Debian, with apt lists and a C++ compiler; it takes some
# minutes. LIBRARY in the environment is a directory with another
# libzmq.so.5 to run them on, for comparison.
#
# It fails if one fails that is not named below.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=${1:-$(mktemp -d)}
mkdir -p "$work/bin" "$work/log" "$work/lib"
work=$(cd "$work" && pwd)
shift $(($# > 0))
wanted=("$@")

# What cannot pass, and why.
excused=(
    test_ancillaries                   # our version is 4.3.6
    test_ws_transport test_wss_transport # transports that we do not have
    test_pair_vmci test_reqrep_vmci    # the same, and they need headers of their own
)

fetch() {
    [[ -e $work/libzmq ]] && return
    mkdir -p "$work/fetch/src"
    touch "$work/fetch/src/lib.rs"
    cat >"$work/fetch/Cargo.toml" <<'TOML'
[package]
name = "fetch"
version = "0.1.0"
edition = "2024"
[workspace]
[dependencies]
zeromq-src = "=0.3.6"
TOML
    (cd "$work/fetch" && cargo vendor -q "$work/vendor" >/dev/null) &&
        (cd "$work" && apt-get download -q libsodium-dev && dpkg -x libsodium-dev*.deb sodium) &&
        mv "$work/vendor/zeromq-src/vendor" "$work/libzmq"
}
fetch || exit 1

(cd "$here/../.." && cargo build --release --quiet -p ferrozmq-capi --lib) || exit 1
ln -sf "$(realpath "$here/../../${CARGO_TARGET_DIR-target}/release/libzmq.so")" "$work/lib/libzmq.so.5"

# What their build would have found out about this system.
cat >"$work/platform.hpp" <<'HPP'
#define ZMQ_HAVE_LINUX 1
#define ZMQ_HAVE_IPC 1
#define ZMQ_HAVE_UIO 1
#define ZMQ_HAVE_PPOLL 1
#define ZMQ_HAVE_IFADDRS 1
#define ZMQ_HAVE_BUSY_POLL 1
#define ZMQ_HAVE_SO_PEERCRED 1
#define ZMQ_HAVE_SO_BINDTODEVICE 1
#define ZMQ_HAVE_CURVE 1
#define ZMQ_USE_LIBSODIUM 1
#define ZMQ_USE_CV_IMPL_STL11 1
#define ZMQ_IOTHREAD_POLLER_USE_EPOLL 1
#define ZMQ_POLL_BASED_ON_POLL 1
#define ZMQ_CACHELINE_SIZE 64
#define HAVE_STRNLEN 1
#define HAVE_FORK 1
HPP
flags=(-O0 -w -pthread -D_GNU_SOURCE -DZMQ_CUSTOM_PLATFORM_HPP -DZMQ_BUILD_DRAFT_API
    -DUNITY_USE_COMMAND_LINE_ARGS -DUNITY_EXCLUDE_FLOAT
    -I"$work" -I"$work/sodium/usr/include" -I"$work/libzmq/include" -I"$work/libzmq/src" -I"$work/libzmq/external/unity")

helpers() {
    [[ -e $work/helpers.a ]] && return
    local source
    (cd "$work" && cc "${flags[@]}" -c libzmq/external/unity/unity.c &&
        for source in libzmq/tests/testutil*.cpp libzmq/src/{err,random,clock}.cpp; do
            c++ "${flags[@]}" -c "$source" || exit 1
        done &&
        ar rcs helpers.a ./*.o)
}
helpers || exit 1

compile() { # test
    [[ -e $work/bin/$1 ]] ||
        c++ "${flags[@]}" -o "$work/bin/$1" "$work/libzmq/tests/$1.cpp" "$work/helpers.a" \
            "$work/lib/libzmq.so.5" "$work"/sodium/usr/lib/*/libsodium.a -lrt >"$work/log/$1.compile" 2>&1
}

passed=0 skipped=0 failed=0
for source in "$work"/libzmq/tests/test_*.cpp; do
    name=$(basename "$source" .cpp)
    [[ ${#wanted[@]} = 0 || " ${wanted[*]} " = *" $name "* ]] || continue
    status=0
    if compile "$name"; then
        directory=$(mktemp -d)
        (cd "$directory" &&
            TMPDIR=$directory LD_LIBRARY_PATH=${LIBRARY:-$work/lib} timeout 120 "$work/bin/$name") \
            >"$work/log/$name" 2>&1 </dev/null
        status=$?
        rm -rf "$directory"
    else
        status=compile
    fi
    case $status in
        0) passed=$((passed + 1)) ;;
        # For want of what it is about: another transport, or the inputs of a fuzzer.
        77) skipped=$((skipped + 1)) ;;
        *)
            if [[ " ${excused[*]} " = *" $name "* ]]; then
                echo "  excused: $name ($status)"
            else
                failed=$((failed + 1))
                echo "  FAILS: $name ($status, see $work/log/$name)"
            fi
            ;;
    esac
done
echo "$passed passed, $skipped skipped by themselves, $failed failed"
exit $((failed > 0))
