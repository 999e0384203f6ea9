#![no_main]

use gp_deliver::fuzzing::manifest;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| manifest(bytes));
