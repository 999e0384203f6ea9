#![no_main]

use gp_deliver::fuzzing::tag_templates;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tag_templates(bytes));
