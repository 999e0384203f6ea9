#![no_main]

use gp_deliver::fuzzing::gitleaks_lists;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| gitleaks_lists(bytes));
