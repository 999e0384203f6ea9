#![no_main]

use gp_deliver::fuzzing::trivy_lists;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| trivy_lists(bytes));
