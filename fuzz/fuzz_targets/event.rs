#![no_main]

use gp_deliver::fuzzing::event;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| event(bytes));
