#![no_main]

use gp_deliver::fuzzing::dockerignore;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| dockerignore(bytes));
