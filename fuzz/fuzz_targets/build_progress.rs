#![no_main]

use gp_deliver::fuzzing::build_progress;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| build_progress(bytes));
