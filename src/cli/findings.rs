//! The command `findings`.

use clap::{Arg, ArgMatches, Command};

use super::lifecycle::identity;
use super::{argument, flag, switch};
use crate::findings::Request;
use crate::inputs;

const IMAGE: &str = "image";
const AFTER: &str = "\
EXIT CODES:
  0  read   1  it could not be read, or an image has no result: what was not scanned is not clean
  2  wrong arguments   3  something is as bad as --severity or worse, what nobody has rated included";

/// The command as clap knows it.
pub(super) fn command() -> Command {
    let command = Command::new("findings")
        .about("Show what Amazon ECR's own scan, basic or enhanced, knows of an image now")
        .after_help(AFTER)
        .arg(Arg::new(IMAGE).value_name("IMAGE").required(true).help("The image: [HOST/]NAME:TAG or [HOST/]NAME@DIGEST"))
        .arg(flag(
            "severity",
            "SEVERITY",
            "Exit with 3 where a finding is as bad as this or worse: CRITICAL, HIGH, MEDIUM, LOW, UNKNOWN",
        ))
        .arg(switch("json", "Print it as JSON"));
    let who = identity().into_iter().filter(|input| input.name != inputs::TAGS.name);
    who.fold(command, |command, input| command.arg(argument(input)))
}

/// What is asked for.
pub(super) fn request(matches: &ArgMatches) -> Request {
    Request {
        image: matches.get_one::<String>(IMAGE).cloned().unwrap_or_default(),
        severity: matches.get_one::<String>("severity").cloned(),
        json: matches.get_flag("json"),
    }
}
