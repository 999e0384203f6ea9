//! The command `rollback`.

use clap::{Arg, ArgMatches, Command};

use super::{ISSUER, KEY, REF, REPOSITORY, argument, argument_or_from, flag, keys, switch, with_inputs};
use crate::inputs::{self, Inputs};
use crate::rollback::Request;
use crate::verify;

const CHOICE: &str = "choice";
const PUSH: &str = "push";
const AFTER: &str = "\
EXIT CODES:
  0  listed, or the files name the image, or a pull request would   1  it could not be looked at   2  wrong arguments
  3  what is signed about the image does not suffice                4  the files do not name it";

/// The command as clap knows it.
pub(super) fn command() -> Command {
    let about = "List the deliveries to an environment that are proven, or have the files of gitops-repository name one of them again, \
                 by a pull request; builds nothing";
    let choice =
        "The delivery to go back to: HOST[:PORT]/NAME[:TAG]@DIGEST, its digest, or its commit; all are listed without one";
    with_inputs(Command::new("rollback").about(about))
        .arg(Arg::new(CHOICE).value_name("IMAGE@DIGEST|COMMIT").help(choice))
        .arg(argument(&inputs::IDENTITY))
        .arg(flag("issuer", "URL", ISSUER))
        .arg(flag("repository", "PATTERN", REPOSITORY))
        .arg(flag("ref", "PATTERN", REF))
        .arg(flag("key", "KEY", KEY).action(clap::ArgAction::Append))
        .arg(
            flag("policy", "FILE", "A file (YAML) that says whose signature counts, as for verify")
                .value_parser(clap::value_parser!(std::path::PathBuf)),
        )
        .arg(flag("max-age", "AGE", "How old the verdict may be: 48h, 2d"))
        .arg(switch(PUSH, "Commit to the branch itself, in place of a pull request"))
        .arg(switch("json", "Print it as JSON"))
        .after_help(AFTER)
}

/// What is asked for.
pub(super) fn request(inputs: &Inputs, matches: &ArgMatches) -> Request {
    let text = |name: &str| matches.get_one::<String>(name).cloned();
    let signers = verify::Request {
        // What is no list is no pattern either, which is found out where it is read as one.
        identities: inputs.get(&inputs::IDENTITY).unwrap_or_else(|_| vec![inputs.text(&inputs::IDENTITY).to_owned()]),
        issuer: text("issuer"),
        repository: text("repository"),
        reference: text("ref"),
        keys: keys(matches),
        policy: matches.get_one("policy").cloned(),
        max_age: text("max-age"),
        root: inputs.given(&inputs::SIGSTORE_TRUSTED_ROOT).map(str::to_owned),
        ..verify::Request::default()
    };
    Request {
        choice: argument_or_from(inputs, matches.get_one(CHOICE)),
        push: matches.get_flag(PUSH),
        json: matches.get_flag("json"),
        signers,
    }
}
