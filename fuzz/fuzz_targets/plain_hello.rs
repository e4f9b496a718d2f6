//! Any bytes in the place of PLAIN's HELLO.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| ferrozmq::fuzzing::plain_hello(bytes));
