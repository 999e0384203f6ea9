#![no_main]

use gp_deliver::fuzzing::yaml;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| yaml(bytes));
