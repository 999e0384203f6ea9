#![no_main]

use gp_deliver::fuzzing::references;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| references(bytes));
