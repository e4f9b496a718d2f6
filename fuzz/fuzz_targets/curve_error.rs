//! Any bytes as CURVE's ERROR.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| ferrozmq::fuzzing::curve_error(bytes));
