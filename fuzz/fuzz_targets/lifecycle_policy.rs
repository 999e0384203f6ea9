#![no_main]

use gp_deliver::fuzzing::lifecycle_policy;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| lifecycle_policy(bytes));
