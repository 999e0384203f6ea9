//! The command `images`.

use clap::{Arg, ArgMatches, Command, value_parser};

use super::lifecycle::identity;
use super::{argument, flag, switch};
use crate::inputs::Inputs;
use crate::repository::ImagesRequest;

/// The name of the repository.
const NAME: &str = "name";
const DETAILS: &str = "details";
const AFTER: &str = "\
EXIT CODES:
  0  listed   1  it could not be listed, or not all of what was asked for could be seen   2  wrong arguments";

/// The command as clap knows it.
pub(super) fn command() -> Command {
    let command = Command::new("images")
        .about("List the images of a repository of Amazon ECR: tags, digest, push, size, scan, and what claims to sign them")
        .after_help(AFTER)
        .arg(Arg::new(NAME).value_name("NAME").required(true).help("The repository: NAME, or HOST/NAME"))
        .arg(
            flag(DETAILS, "N", "Of how many images, the newest first, ECR is asked what it found and signed, two requests each")
                .value_parser(value_parser!(u32))
                .default_value("20"),
        )
        .arg(switch("json", "Print them as JSON"));
    identity().into_iter().fold(command, |command, input| command.arg(argument(input)))
}

/// What is asked for. `inputs` collects them from flags and variables, with the repository in place of its own.
pub(super) fn request(matches: &ArgMatches, inputs: impl Fn(&ArgMatches, &str) -> Inputs) -> Option<(Inputs, ImagesRequest)> {
    let name = matches.get_one::<String>(NAME)?;
    let details = usize::try_from(*matches.get_one::<u32>(DETAILS)?).unwrap_or(usize::MAX);
    Some((inputs(matches, name), ImagesRequest { details, json: matches.get_flag("json") }))
}
