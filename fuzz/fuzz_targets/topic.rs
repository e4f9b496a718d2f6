//! Any text as a pattern and a topic.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| ferrozmq_axon::fuzzing::topic(bytes));
