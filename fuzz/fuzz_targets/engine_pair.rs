//! Any bytes as a script of what two engines say to each other.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| ferrozmq::fuzzing::engine_pair(bytes));
