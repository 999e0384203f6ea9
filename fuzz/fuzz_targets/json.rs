#![no_main]

use gp_deliver::fuzzing::json;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| json(bytes));
