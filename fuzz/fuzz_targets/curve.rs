//! Any bytes as what alters a CURVE handshake.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| ferrozmq::fuzzing::curve(bytes));
