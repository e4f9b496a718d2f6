//! Any bytes as a peer's greeting.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| ferrozmq::fuzzing::greeting(bytes));
