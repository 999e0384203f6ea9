#![no_main]

use gp_deliver::fuzzing::dockerfile;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| dockerfile(bytes));
