#![no_main]

use gp_deliver::fuzzing::inputs;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| inputs(bytes));
