//! Any bytes as what a ZAP handler answers.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| ferrozmq::fuzzing::zap_reply(bytes));
