//! The program.

use std::io::Write as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().collect();
    gp_deliver::run::main(&arguments).unwrap_or_else(|error| {
        // Where the words can't be written, the exit code still says it.
        let _ = writeln!(std::io::stderr(), "error: {error:#}");
        ExitCode::FAILURE
    })
}
