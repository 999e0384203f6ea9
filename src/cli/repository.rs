//! The command `repository`.

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use super::lifecycle::{identity, keeping, kept};
use super::{argument, flag, switch};
use crate::inputs::Inputs;
use crate::repository::{Said, SettingsRequest, Verb};

/// The name of the repository.
const NAME: &str = "name";
const AFTER: &str = "\
WHAT IS WANTED:
  Flags, and what .gp-deliver/repository.yaml says in the same words: scan-on-push, encryption, immutable-tags,
  moving-tags, lifecycle-preset, lifecycle-policy. What is not said is left as it is.

EXIT CODES:
  0  as wanted   1  it could not be seen or changed   2  wrong arguments   3  something is not as it is wanted";

const LIST: &str = "list";
/// The registry, where all of its repositories are asked for.
const REGISTRY: &str = "registry";
/// What stands for a repository there: who asks is said beside one.
const ANY: &str = "any";

/// The command as clap knows it.
pub(super) fn command() -> Command {
    let command = |name: &'static str, about: &'static str| {
        let command = Command::new(name)
            .about(about)
            .arg(Arg::new(NAME).value_name("NAME").required(true).help("The repository: NAME, or HOST/NAME"))
            .arg(switch("json", "Print it as JSON"));
        identity().into_iter().fold(command, |command, input| command.arg(argument(input)))
    };
    Command::new("repository")
        .about("Look at the settings of a repository of Amazon ECR, and bring them to what is wanted; deletes no image")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(list())
        .subcommand(command("show", "Show what a repository is set to"))
        .subcommand(wanted(command("diff", "Show what is not as it is wanted, and change nothing")))
        .subcommand(
            keeping(wanted(command("ensure", "Create the repository if there is none, and change what is not as it is wanted")))
                .arg(
                    flag("force", "IMAGE", "An image that the policy may take all the same, by its tag or digest")
                        .action(ArgAction::Append),
                ),
        )
}

fn list() -> Command {
    let command = Command::new(LIST)
        .about("List the repositories of the registry with their main settings")
        .arg(Arg::new(REGISTRY).value_name("HOST").help("The registry's address [default: that of the account and the region]"))
        .arg(switch("json", "Print them as JSON"));
    identity().into_iter().fold(command, |command, input| command.arg(argument(input)))
}

/// Whether all repositories are asked for: who asks, and whether JSON is wanted.
pub(super) fn list_request(matches: &ArgMatches, inputs: impl Fn(&ArgMatches, &str) -> Inputs) -> Option<(Inputs, bool)> {
    let matches = matches.subcommand_matches(LIST)?;
    let name = matches.get_one::<String>(REGISTRY).map_or_else(|| ANY.to_owned(), |host| format!("{host}/{ANY}"));
    Some((inputs(matches, &name), matches.get_flag("json")))
}

fn wanted(command: Command) -> Command {
    let switch = |name: &'static str, help: &'static str| {
        Arg::new(name)
            .long(name)
            .value_name("BOOL")
            .help(help)
            .num_args(0..=1)
            .default_missing_value("true")
            .value_parser(value_parser!(bool))
    };
    let path = |name: &'static str, help: &'static str| flag(name, "FILE", help).value_parser(value_parser!(PathBuf));
    command
        .after_help(AFTER)
        .arg(path("file", "A file (YAML) that says what is wanted [default: .gp-deliver/repository.yaml, if it is there]"))
        .arg(switch("scan-on-push", "Whether AWS scans each image when it is pushed"))
        .arg(flag("encryption", "KEY", "aes256, kms, or the ARN of a key of AWS KMS; it is set once, at creation"))
        .arg(switch("immutable-tags", "Whether a tag stays with the image that it was first given to"))
        .arg(
            flag("moving-tag", "FILTER", "Tags that move all the same, with * for any characters; may be repeated")
                .action(ArgAction::Append),
        )
        .arg(flag("lifecycle-preset", "NAME", "The lifecycle policy: simple, environments or environments-safe"))
        .arg(path("lifecycle-policy", "A file with the lifecycle policy"))
}

/// What is asked for. `inputs` collects them from flags and variables, with the repository in place of its own.
pub(super) fn request(matches: &ArgMatches, inputs: impl Fn(&ArgMatches, &str) -> Inputs) -> Option<(Inputs, SettingsRequest)> {
    let (verb, matches) = matches.subcommand()?;
    let verb = match verb {
        "show" => Verb::Show,
        "diff" => Verb::Diff,
        _ => Verb::Ensure,
    };
    let name = matches.get_one::<String>(NAME)?;
    let text = |name: &str| matches.try_get_one::<String>(name).ok().flatten().cloned();
    let file = |name: &str| matches.try_get_one::<PathBuf>(name).ok().flatten().cloned();
    let switch = |name: &str| matches.try_get_one::<bool>(name).ok().flatten().copied();
    let texts = |name: &str| {
        let values = matches.try_get_many::<String>(name).ok().flatten();
        values.map(|values| values.cloned().collect::<Vec<_>>())
    };
    let said = Said {
        scan_on_push: switch("scan-on-push"),
        encryption: text("encryption"),
        immutable_tags: switch("immutable-tags"),
        moving_tags: texts("moving-tag"),
        lifecycle_preset: text("lifecycle-preset"),
        lifecycle_policy: file("lifecycle-policy"),
    };
    let force = texts("force").unwrap_or_default();
    let (keep, json) = (kept(matches), matches.get_flag("json"));
    Some((inputs(matches, name), SettingsRequest { verb, file: file("file"), said, keep, force, json }))
}
