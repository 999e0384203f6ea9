#![no_main]

use gp_deliver::fuzzing::record;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| record(bytes));
