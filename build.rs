//! How the debug build is linked: at a fixed address.
//!
//! A delivery starts this program dozens of times, since it watches over every program that it runs. Where it can be loaded at
//! any address, each start of a debug build has 300,000 places to put right, and the pages with them are no longer shared: a
//! tenth of what the tests take. What is released stays as it is.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|found| found == value);
    if is("PROFILE", "debug") && is("CARGO_CFG_TARGET_OS", "linux") {
        println!("cargo::rustc-link-arg-bins=-no-pie");
        println!("cargo::rustc-link-arg-tests=-no-pie");
    }
}
