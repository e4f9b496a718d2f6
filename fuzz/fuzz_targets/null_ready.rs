//! Any bytes in the place of NULL's READY.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| ferrozmq::fuzzing::null_ready(bytes));
