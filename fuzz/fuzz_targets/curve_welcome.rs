//! Any bytes in the place of CURVE's WELCOME.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| ferrozmq::fuzzing::curve_welcome(bytes));
