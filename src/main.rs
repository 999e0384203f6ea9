//! The program.

use std::process::ExitCode;

fn main() -> ExitCode {
    // Collected, for they are read twice and the system gives them once.
    let arguments: Vec<_> = std::env::args_os().collect();
    gp_deliver::run::main(arguments)
}
