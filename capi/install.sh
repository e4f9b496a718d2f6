#!/usr/bin/env bash
# Builds libzmq and installs it under a prefix: `capi/install.sh /usr/local`. With DESTDIR, below
# that, as packagers want it.
set -euo pipefail
prefix=${1:?usage: install.sh PREFIX}
[[ $prefix = /* ]] || prefix=$PWD/$prefix
cd "$(dirname "$0")"

cargo build --release --locked -p ferrozmq-capi
built=${CARGO_TARGET_DIR:-../target}/release
version=$(awk '/^#define ZMQ_VERSION_(MAJOR|MINOR|PATCH)/ { printf "%s%s", sep, $3; sep = "." }' \
    include/zmq.h)

lib=${DESTDIR:-}$prefix/lib
install -d "$lib/pkgconfig" "$lib/cmake/ZeroMQ" "${DESTDIR:-}$prefix/include"
install -m 755 "$built/libzmq.so" "$lib/libzmq.so.5"
ln -sf libzmq.so.5 "$lib/libzmq.so"
install -m 644 "$built/libzmq.a" "$lib/libzmq.a"
install -m 644 include/zmq.h include/zmq_utils.h "${DESTDIR:-}$prefix/include"

# Puts a template where it belongs, with what is known now.
fill() {
    sed -e "s|@PREFIX@|$prefix|g" -e "s|@LIBDIR@|$prefix/lib|g" -e "s|@VERSION@|$version|g" \
        "$1" >"$2"
}
fill libzmq.pc.in "$lib/pkgconfig/libzmq.pc"
fill cmake/ZeroMQConfig.cmake.in "$lib/cmake/ZeroMQ/ZeroMQConfig.cmake"
fill cmake/ZeroMQConfigVersion.cmake.in "$lib/cmake/ZeroMQ/ZeroMQConfigVersion.cmake"
echo "libzmq $version is in $prefix"
