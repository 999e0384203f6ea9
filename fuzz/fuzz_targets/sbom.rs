#![no_main]

use gp_deliver::fuzzing::sbom;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sbom(bytes));
