//! Any bytes as an argument of a message of AMP.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| ferrozmq_axon::fuzzing::value(bytes));
