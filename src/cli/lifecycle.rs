//! The command `lifecycle`.

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use super::{argument, flag, switch};
use crate::inputs::{self, About, Inputs};
use crate::repository::{Keep, LifecycleRequest, PreviewRequest};

/// The name of the repository.
const NAME: &str = "name";
const AFTER: &str = "\
EXIT CODES:
  0  looked at   1  it could not be looked at   2  wrong arguments, or a policy that AWS would refuse
  3  the policy takes an image that has to stay: what a moving tag of an environment names, or what was pulled lately";

/// The inputs that say who asks, and where.
pub(super) fn identity() -> [&'static About; 9] {
    [
        &inputs::AWS_REGION,
        &inputs::AWS_ACCOUNT_ID,
        &inputs::ALLOWED_ACCOUNT_IDS,
        &inputs::ROLE_TO_ASSUME,
        &inputs::ROLE_SESSION_NAME,
        &inputs::ROLE_DURATION_SECONDS,
        &inputs::AUDIENCE,
        &inputs::SESSION_POLICY,
        &inputs::TAGS,
    ]
}

/// The flags that say what has to stay.
pub(super) fn keeping(command: Command) -> Command {
    command
        .arg(
            flag(
                "keep",
                "IMAGE",
                "An image that has to stay, by its tag or digest (sha256:..., NAME@sha256:...); may be repeated",
            )
            .action(ArgAction::Append),
        )
        .arg(
            flag("keep-from", "FILE", "A text whose digests have to stay, such as a file of GitOps; may be repeated")
                .value_parser(value_parser!(PathBuf))
                .action(ArgAction::Append),
        )
        .arg(flag("pulled-within", "AGE", "An image that was pulled as lately as this has to stay: 48h, 7d [default: 7d]"))
}

/// What they say.
pub(super) fn kept(matches: &ArgMatches) -> Keep {
    let images = matches.try_get_many::<String>("keep").ok().flatten().into_iter().flatten().cloned().collect();
    let files = matches.try_get_many::<PathBuf>("keep-from").ok().flatten().into_iter().flatten().cloned().collect();
    Keep { images, files, pulled_within: matches.try_get_one::<String>("pulled-within").ok().flatten().cloned() }
}

/// The command as clap knows it.
pub(super) fn command() -> Command {
    let preview = Command::new("preview")
        .about("Show for each image of a repository which rule of a policy takes it, and when; changes nothing")
        .after_help(AFTER)
        .arg(Arg::new(NAME).value_name("NAME").required(true).help("The repository: NAME, or HOST/NAME"))
        .arg(
            flag("policy", "FILE", "A file with the policy [default: the one that the repository has]")
                .value_parser(value_parser!(PathBuf)),
        )
        .arg(flag("preset", "NAME", "A preset in its place: simple, environments or environments-safe"))
        .arg(
            flag("force", "IMAGE", "An image that may go all the same, by its tag or digest; may be repeated")
                .action(ArgAction::Append),
        )
        .arg(switch("json", "Print the preview as JSON"));
    let preview = keeping(preview);
    let preview = identity().into_iter().fold(preview, |command, input| command.arg(argument(input)));
    let check = Command::new("check")
        .about("Say whether AWS would take a file as a lifecycle policy, and what of it is to be looked at")
        .arg(Arg::new("file").value_name("FILE").required(true).help("The policy, as JSON").value_parser(value_parser!(PathBuf)))
        .arg(
            Arg::new("print")
                .long("print")
                .action(ArgAction::SetTrue)
                .help("Print it with its rules in the order in which they act"),
        );
    let presets = Command::new("presets")
        .about("List the policies to begin with, with what is to be looked at in each")
        .arg(flag("print", "NAME", "Print this one, as AWS takes it"));
    Command::new("lifecycle")
        .about("Look at what a lifecycle policy does to the images of a repository of Amazon ECR")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(preview)
        .subcommand(check)
        .subcommand(presets)
}

/// What is asked for. `inputs` collects them from flags and variables, with the repository in place of its own.
pub(super) fn request(matches: &ArgMatches, inputs: impl Fn(&ArgMatches, &str) -> Inputs) -> Option<LifecycleRequest> {
    match matches.subcommand()? {
        ("preview", matches) => {
            let texts = |name: &str| matches.get_many::<String>(name).into_iter().flatten().cloned().collect();
            let request = PreviewRequest {
                policy: matches.get_one("policy").cloned(),
                preset: matches.get_one("preset").cloned(),
                keep: kept(matches),
                force: texts("force"),
                json: matches.get_flag("json"),
            };
            let name = matches.get_one::<String>(NAME)?;
            Some(LifecycleRequest::Preview(inputs(matches, name), request))
        }
        ("check", matches) => {
            let file = matches.get_one::<PathBuf>("file").cloned()?;
            Some(LifecycleRequest::Check { file, ordered: matches.get_flag("print") })
        }
        (_, matches) => Some(LifecycleRequest::Presets(matches.get_one("print").cloned())),
    }
}
