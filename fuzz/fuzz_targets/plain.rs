//! Any bytes as what alters a PLAIN handshake.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| ferrozmq::fuzzing::plain(bytes));
