//! The program.

use std::process::ExitCode;

fn main() -> ExitCode {
    // First of all: this process may be a helper of another.
    if let Some(code) = gp_deliver::process::helper_main(std::env::args_os()) {
        return code;
    }
    gp_deliver::run::run(std::env::args_os()).into()
}
