//! The command `watch`.

use std::path::PathBuf;

use clap::{ArgAction, ArgMatches, Command, value_parser};

use super::{ISSUER, KEY, REF, REPOSITORY, argument, flag, keys, switch, with_inputs};
use crate::inputs::{self, About, Inputs};
use crate::verify::{self, TodayRequest};
use crate::watch::Request;

const AFTER: &str = "\
EXIT CODES:
  0  nothing that counts became known   1  an image could not be looked at   2  wrong arguments
  3  something that counts is known of an image, or what is signed about it does not hold";

/// The command as clap knows it.
pub(super) fn command() -> Command {
    let about = "Judge what the environments' moving tags name by the advisories of the day; show what became known in the Security \
                 tab and in one issue an image";
    with_inputs(Command::new("watch").about(about))
        .after_help(AFTER)
        .arg(argument(&inputs::IDENTITY))
        .arg(argument(&inputs::IMAGE).action(ArgAction::Append))
        .arg(argument(&inputs::ENVIRONMENTS))
        .arg(argument(&inputs::ISSUES))
        .arg(flag("issuer", "URL", ISSUER))
        .arg(flag("repository", "PATTERN", REPOSITORY))
        .arg(flag("ref", "PATTERN", REF))
        .arg(flag("key", "KEY", KEY).action(ArgAction::Append))
        .arg(flag(verify::IGNORE_FILE, "FILE", IGNORE_FILE).value_parser(value_parser!(PathBuf)))
        .arg(switch("json", "Print it as JSON"))
}

const IGNORE_FILE: &str = "A list of advisories that do not count, as .trivyignore (or .trivyignore.yaml) has them";

/// What is asked for, and the inputs.
pub(super) fn request(matches: &ArgMatches, given: impl Fn(&About) -> Option<String>) -> (Inputs, Request) {
    // The flag may be repeated, as the lines of the action's input may.
    let images: Vec<String> = matches.get_many::<String>(inputs::IMAGE.name).into_iter().flatten().cloned().collect();
    let images = (!images.is_empty()).then(|| images.join("\n"));
    let inputs = Inputs::collect(|input| match &images {
        Some(images) if input.name == inputs::IMAGE.name => Some(images.clone()),
        _ => given(input),
    });
    let text = |name: &str| matches.get_one::<String>(name).cloned();
    let verified = verify::Request {
        // What is no list is no pattern either, which is found out where it is read as one.
        identities: inputs.get(&inputs::IDENTITY).unwrap_or_else(|_| vec![inputs.text(&inputs::IDENTITY).to_owned()]),
        issuer: text("issuer"),
        repository: text("repository"),
        reference: text("ref"),
        keys: keys(matches),
        today: TodayRequest { ignore_file: matches.get_one(verify::IGNORE_FILE).cloned(), ..TodayRequest::default() },
        ..verify::Request::default()
    };
    (inputs, Request { verified, json: matches.get_flag("json") })
}
