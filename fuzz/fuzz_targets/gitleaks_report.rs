#![no_main]

use gp_deliver::fuzzing::gitleaks_report;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| gitleaks_report(bytes));
