#![no_main]

use gp_deliver::fuzzing::gitops_edit;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| gitops_edit(bytes));
