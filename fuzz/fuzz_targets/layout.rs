#![no_main]

use gp_deliver::fuzzing::layout;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| layout(bytes));
