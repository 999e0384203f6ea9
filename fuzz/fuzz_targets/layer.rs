#![no_main]

use gp_deliver::fuzzing::layer;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| layer(bytes));
