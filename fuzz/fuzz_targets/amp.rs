//! Any bytes as a stream of AMP, and each message in it read and sent on.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| ferrozmq_axon::fuzzing::amp(bytes));
