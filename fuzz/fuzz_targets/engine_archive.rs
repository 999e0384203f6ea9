#![no_main]

use gp_deliver::fuzzing::engine_archive;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| engine_archive(bytes));
