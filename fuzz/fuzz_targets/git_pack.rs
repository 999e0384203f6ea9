#![no_main]

use gp_deliver::fuzzing::git_pack;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| git_pack(bytes));
