#![no_main]

use gp_deliver::fuzzing::trivy_report;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| trivy_report(bytes));
