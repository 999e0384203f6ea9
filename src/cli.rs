//! The command line: commands, and their flags, which are the inputs.

mod compare;
mod findings;
mod images;
mod lifecycle;
mod pull_secret;
mod repository;
mod rollback;
mod watch;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::styling::Styles;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use crate::inputs::{self, About, Inputs, Problem};
use crate::oci::reference::{InvalidReference, Reference, Repository};
use crate::oci::{Digest, Tag};
use crate::repository::{ImagesRequest, LifecycleRequest, SettingsRequest};
use crate::setup::Kind;
use crate::tags::VARIABLES;
use crate::variables;
use crate::verify;

/// What the command line asks for.
#[derive(Debug)]
pub(crate) enum Request {
    /// Print the versions of the program and of its scanners.
    Version,
    /// Deliver.
    Deliver(Inputs),
    /// Deliver an image that is signed already.
    Promote(Inputs, verify::Request),
    /// Deliver the image that those of the platforms are together.
    Assemble(Inputs),
    /// Print what a delivery would do.
    /// The issuer is that of the tokens of those who have signed what was cleared, where it is not GitHub.
    Plan(Inputs, Option<String>),
    /// Find out why AWS says no.
    Doctor(Inputs, Option<PathBuf>),
    /// Print the policies that a delivery needs.
    Policy(Inputs, Option<Kind>),
    /// Look at what is signed about an image.
    Verify(verify::Request),
    /// Look at what is delivered, by what is known today.
    Watch(Inputs, crate::watch::Request),
    /// Have the repository that a cluster is brought to name an image that is out.
    GitOps(Inputs, String),
    /// Look at the deliveries to an environment, or go back to one of them.
    Rollback(Inputs, crate::rollback::Request),
    /// Show the report of a change's job, which may not.
    Show(Inputs),
    /// Look at what Amazon ECR's own scan found in an image.
    Findings(Inputs, crate::findings::Request),
    /// Look at what differs between two images.
    Compare(crate::compare::Request),
    /// Look at what a lifecycle policy does.
    Lifecycle(LifecycleRequest),
    /// Put a login to Amazon ECR into a pull secret.
    PullSecret(crate::pull_secret::Request),
    /// Look at a repository's settings, or bring them to what is wanted.
    Repository(Inputs, SettingsRequest),
    /// List the repositories of a registry, as JSON or not.
    Repositories(Inputs, bool),
    /// List the images of a repository.
    Images(Inputs, ImagesRequest),
}

/// Reads the command line. Under GitHub Actions an input that has no flag is taken from its `INPUT_*` variable.
///
/// # Errors
/// What clap prints: a usage error or `--help`.
pub(crate) fn read(
    arguments: impl IntoIterator<Item = OsString>,
    environment: impl Fn(&str) -> Option<String>,
) -> Result<Request, clap::Error> {
    // The action's input `command` comes as an argument, with the line end that YAML's `|` adds.
    let word = |word: OsString| match word.to_str() {
        Some(text) => text.trim_end().into(),
        None => word,
    };
    let arguments = arguments.into_iter().enumerate().map(|(at, argument)| if at == 1 { word(argument) } else { argument });
    let matches = command().try_get_matches_from(arguments)?;
    let in_actions = environment(variables::GITHUB_ACTIONS).as_deref() == Some("true");
    let given = |matches: &ArgMatches, input: &About| {
        let flag = matches.try_get_one::<String>(input.name).ok().flatten().cloned();
        flag.or_else(|| in_actions.then(|| environment(&input.variable())).flatten().map(inputs::without_line_ends))
    };
    let inputs = |matches: &ArgMatches| Inputs::collect(|input| given(matches, input));
    // The repository is an argument of its own there.
    let of_repository = |matches: &ArgMatches, name: &str| {
        let repository = inputs::ECR_REPOSITORY.name;
        Inputs::collect(|input| if input.name == repository { Some(name.to_owned()) } else { given(matches, input) })
    };
    if matches.get_flag(VERSION) {
        return Ok(Request::Version);
    }
    match matches.subcommand() {
        Some(("plan", matches)) => Ok(Request::Plan(inputs(matches), matches.get_one("issuer").cloned())),
        Some(("doctor", matches)) => Ok(Request::Doctor(inputs(matches), matches.get_one(TRUST_POLICY).cloned())),
        Some(("policy", matches)) => Ok(Request::Policy(inputs(matches), matches.get_one(KIND).copied())),
        Some(("verify", matches)) => Ok(Request::Verify(verification(matches))),
        Some(("watch", matches)) => {
            let (inputs, request) = watch::request(matches, |input| given(matches, input));
            Ok(Request::Watch(inputs, request))
        }
        Some(("promote", matches)) => Ok(promotion(inputs(matches), matches)),
        Some(("assemble", matches)) => Ok(Request::Assemble(inputs(matches))),
        Some(("gitops", matches)) => {
            let inputs = inputs(matches);
            let image = argument_or_from(&inputs, matches.get_one(IMAGE));
            Ok(Request::GitOps(inputs, image.unwrap_or_default()))
        }
        Some(("rollback", matches)) => {
            let inputs = inputs(matches);
            let request = rollback::request(&inputs, matches);
            Ok(Request::Rollback(inputs, request))
        }
        Some(("show", matches)) => Ok(Request::Show(inputs(matches))),
        Some(("findings", matches)) => {
            let request = findings::request(matches);
            Ok(Request::Findings(of_repository(matches, request.repository()), request))
        }
        Some(("compare", matches)) => Ok(Request::Compare(compare::request(matches))),
        Some(("lifecycle", matches)) => {
            lifecycle::request(matches, of_repository).map(Request::Lifecycle).ok_or_else(nothing_asked)
        }
        Some(("repository", matches)) => {
            if let Some((inputs, json)) = repository::list_request(matches, of_repository) {
                return Ok(Request::Repositories(inputs, json));
            }
            let request = repository::request(matches, of_repository);
            request.map(|(inputs, request)| Request::Repository(inputs, request)).ok_or_else(nothing_asked)
        }
        Some(("images", matches)) => {
            let request = images::request(matches, of_repository);
            request.map(|(inputs, request)| Request::Images(inputs, request)).ok_or_else(nothing_asked)
        }
        Some(("pull-secret", matches)) => pull_secret::request(matches).map(Request::PullSecret).ok_or_else(nothing_asked),
        Some((_, matches)) => Ok(delivery(inputs(matches), matches)),
        None => Err(nothing_asked()),
    }
}

fn nothing_asked() -> clap::Error {
    let mut command = command();
    let names: Vec<_> = command.get_subcommands().map(|command| format!("`{}`", command.get_name())).collect();
    let expected = format!("a command is expected: one of {}", names.join(", "));
    command.error(clap::error::ErrorKind::MissingSubcommand, expected)
}

/// The program as clap knows it.
#[must_use]
pub(crate) fn command() -> Command {
    Command::new("gp-deliver")
        .disable_version_flag(true)
        .arg(
            Arg::new(VERSION)
                .short('V')
                .long(VERSION)
                .action(ArgAction::SetTrue)
                .help("Print the versions of gp-deliver and of its scanners"),
        )
        .about("Scan, build, list, decide on and publish a container image")
        .after_help(AFTER_HELP)
        .styles(Styles::plain())
        .arg_required_else_help(true)
        .max_term_width(110)
        .subcommand(with_inputs(
            Command::new("deliver").about("Scan the source, build and scan the image, write its SBOM, decide, publish"),
        ))
        .subcommand(promote_command())
        .subcommand(
            with_inputs(Command::new("assemble").about(
                "Make one image of those that other jobs of the run have delivered for a platform each (untagged), judge it, sign it and set its tags",
            ))
            .arg(argument(&inputs::IMAGES)),
        )
        .subcommand(
            with_inputs(Command::new("plan").about("Print what `deliver` would do, as JSON, and do nothing"))
                .arg(argument(&inputs::MATRIX))
                .arg(argument(&inputs::MATRIX_CLEARED))
                .arg(argument(&inputs::IDENTITY))
                .arg(flag("issuer", "URL", ISSUER)),
        )
        .subcommand(
            with_inputs(Command::new("doctor").about("Find out whether AWS lets this run deliver, and if not, why")).arg(
                Arg::new(TRUST_POLICY)
                    .long(TRUST_POLICY)
                    .value_name("FILE")
                    .help("A file with the role's trust policy, to compare with this run")
                    .value_parser(value_parser!(PathBuf)),
            ),
        )
        .subcommand(with_inputs(Command::new("policy").about("Print the policies that a delivery needs, to copy")).arg(
            Arg::new(KIND).value_name("KIND").help("Which: environment, trust, role, workflow or repository, all of which are the default; lifecycle, images, settings, watch, rollback or terraform").value_parser(kind),
        ))
        .subcommand(verify_command())
        .subcommand(watch::command())
        .subcommand(
            with_inputs(Command::new("gitops").about(
                "Have the files of gitops-repository name an image that is out: the last step of a delivery, by itself",
            ))
            .arg(Arg::new(IMAGE).value_name("IMAGE").help("The image: HOST[:PORT]/NAME[:TAG]@DIGEST"))
            .after_help(AFTER_GITOPS),
        )
        .subcommand(rollback::command())
        .subcommand(findings::command())
        .subcommand(compare::command())
        .subcommand(lifecycle::command())
        .subcommand(repository::command())
        .subcommand(images::command())
        .subcommand(pull_secret::command())
        .subcommand(
            with_inputs(Command::new("show").about(
                "In another job of GitHub Actions: show the report of a pull request's job, which may not write, as a stranger's word",
            ))
            .arg(argument(&inputs::JOB_RESULT)),
        )
}

fn promote_command() -> Command {
    let about = "Take an image that a delivery has signed, judge it by another environment's policy, and deliver it there";
    let command = with_inputs(Command::new("promote").about(about));
    [&*inputs::FROM, &*inputs::IDENTITY, &*inputs::PROMOTE_BY]
        .into_iter()
        .fold(command, |command, input| command.arg(argument(input)))
        .arg(flag("issuer", "URL", ISSUER))
        .arg(flag("repository", "PATTERN", REPOSITORY))
        .arg(flag("ref", "PATTERN", REF))
        .arg(flag("key", "KEY", KEY).action(ArgAction::Append))
}

/// A delivery: of the source, or, in a job that names an image, of that. On the command line that is a command of its own.
fn delivery(inputs: Inputs, matches: &ArgMatches) -> Request {
    let names_an_image = inputs.given(&inputs::FROM).is_some_and(|from| !from.trim().is_empty());
    if names_an_image { promotion(inputs, matches) } else { Request::Deliver(inputs) }
}

fn promotion(inputs: Inputs, matches: &ArgMatches) -> Request {
    let text = |name: &str| matches.try_get_one::<String>(name).ok().flatten().cloned();
    let request = verify::Request {
        image: inputs.text(&inputs::FROM).trim().to_owned(),
        // What is no list is no pattern either, which is found out where it is read as one.
        identities: inputs.get(&inputs::IDENTITY).unwrap_or_else(|_| vec![inputs.text(&inputs::IDENTITY).to_owned()]),
        issuer: text("issuer"),
        repository: text("repository"),
        reference: text("ref"),
        keys: keys(matches),
        root: inputs.given(&inputs::SIGSTORE_TRUSTED_ROOT).map(str::to_owned),
        ..verify::Request::default()
    };
    Request::Promote(inputs, request)
}

/// What a command is about: its argument, or what the action names, which gives none.
fn argument_or_from(inputs: &Inputs, argument: Option<&String>) -> Option<String> {
    let from = || inputs.given(&inputs::FROM).map(str::to_owned);
    argument.filter(|text| !text.trim().is_empty()).cloned().or_else(from)
}

fn flag(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(value).help(help).value_parser(value_parser!(String))
}

fn switch(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
}

const ISSUER: &str = "Who issued the signer's token [default: https://token.actions.githubusercontent.com]";
const REPOSITORY: &str = "The repository that the signer's run was of: OWNER/NAME";
const KEY: &str = "A key that may have signed, and the environment that it speaks for: [ENVIRONMENT=]KEY, with the key as a file of \
                   PEM, its content or, of `verify`, an ARN of AWS KMS; may be repeated";
const REF: &str = "The ref that the signer's run was of: refs/heads/main";

fn verify_command() -> Command {
    Command::new("verify")
        .about("Look at what is signed about an image: by whom, of which commit, past which gates; exits with 3 unless all holds")
        .after_help(AFTER_VERIFY)
        .arg(Arg::new(IMAGE).value_name("IMAGE").required(true).help("The image: HOST[:PORT]/NAME:TAG or NAME@DIGEST, or a layout folder: oci:PATH, oci:PATH:TAG"))
        .arg(flag(inputs::ENVIRONMENT.name, "NAME", "The environment whose gates it has to have passed"))
        .arg(flag("identity", "PATTERN", "Whose signature counts: for a workflow, its address with its ref; may be repeated").action(ArgAction::Append))
        .arg(flag("issuer", "URL", ISSUER))
        .arg(flag("repository", "PATTERN", REPOSITORY))
        .arg(flag("ref", "PATTERN", REF))
        .arg(flag("key", "KEY", KEY).action(ArgAction::Append))
        .arg(flag("commit", "ID", "The commit that the image has to be of, in full"))
        .arg(flag("max-age", "AGE", "How old the verdict may be: 48h, 2d"))
        .arg(switch("today", "Judge its SBOM by what is known today: needs trivy, and fails where it can't be told"))
        .arg(flag(inputs::SEVERITY_THRESHOLD.name, "SEVERITY", "The lowest severity that may not be in it today; asks for --today"))
        .arg(switch(inputs::IGNORE_UNFIXED.name, inputs::IGNORE_UNFIXED.help).requires(inputs::SEVERITY_THRESHOLD.name))
        .arg(flag(inputs::TRIVY_DB_REPOSITORY.name, inputs::TRIVY_DB_REPOSITORY.value, inputs::TRIVY_DB_REPOSITORY.help))
        .arg(flag(inputs::DATABASE_MAX_AGE.name, inputs::DATABASE_MAX_AGE.value, "How old that database may be [default: 48h]"))
        .arg(flag(verify::IGNORE_FILE, "FILE", IGNORE_FILE).value_parser(value_parser!(PathBuf)))
        .arg(switch("ecr", "Amazon ECR has to say what it knows of the image, also where the repository has another address than ECR's"))
        .arg(flag("policy", "FILE", "A file (YAML) that says all that").value_parser(value_parser!(PathBuf)))
        .arg(flag(
            inputs::SIGSTORE_TRUSTED_ROOT.name,
            "FILE",
            "The trusted root of the Sigstore that it was signed by: a file, or github for GitHub's own [default: sigstore.dev's]",
        ))
        .arg(switch("json", "Print the table as JSON"))
}

fn keys(matches: &ArgMatches) -> Vec<String> {
    // A delivery that promotes has no such flag.
    matches.try_get_many::<String>("key").ok().flatten().into_iter().flatten().cloned().collect()
}

fn verification(matches: &ArgMatches) -> verify::Request {
    let text = |name: &str| matches.get_one::<String>(name).cloned();
    verify::Request {
        image: text(IMAGE).unwrap_or_default(),
        environment: text(inputs::ENVIRONMENT.name),
        identities: matches.get_many::<String>("identity").into_iter().flatten().cloned().collect(),
        keys: keys(matches),
        issuer: text("issuer"),
        repository: text("repository"),
        reference: text("ref"),
        commit: text("commit"),
        max_age: text("max-age"),
        policy: matches.get_one("policy").cloned(),
        root: text(inputs::SIGSTORE_TRUSTED_ROOT.name),
        today: verify::TodayRequest {
            asked: matches.get_flag("today"),
            severity_threshold: text(inputs::SEVERITY_THRESHOLD.name),
            ignore_unfixed: matches.get_flag(inputs::IGNORE_UNFIXED.name),
            mirrors: text(inputs::TRIVY_DB_REPOSITORY.name),
            database_max_age: text(inputs::DATABASE_MAX_AGE.name),
            ignore_file: matches.get_one(verify::IGNORE_FILE).cloned(),
            sandbox: None,
        },
        ecr: matches.get_flag("ecr"),
        json: matches.get_flag("json"),
    }
}

const IGNORE_FILE: &str = "With --today, a list of advisories that do not count, as .trivyignore (or .trivyignore.yaml) has them; besides, what the \
                           verdict for a blocking environment has let through does not count";

/// The argument of `verify`.
const IMAGE: &str = "image";

/// The argument of `gitops`.
///
/// # Errors
/// It names no digest.
pub(crate) fn image_by_digest(text: &str) -> Result<(Repository, Option<Tag>, Digest), Problem> {
    let wrong = |expected: String| Problem { input: IMAGE, value: text.to_owned(), expected };
    let image: Reference = text.trim().parse().map_err(|error: InvalidReference| wrong(error.reason.to_owned()))?;
    let Reference { repository, tag, digest: Some(digest) } = image else {
        return Err(wrong("HOST[:PORT]/NAME[:TAG]@DIGEST is expected: a tag may be moved".to_owned()));
    };
    Ok((repository, tag, digest))
}

const AFTER_GITOPS: &str = "\
EXIT CODES:
  0  the branch names it, a pull request would, or a newer delivery is there   2  wrong arguments
  4  it does not, and the image stays as it is";

const AFTER_VERIFY: &str = "\
PATTERNS:
  * stands for any characters but / and @, and ** for any but @; all else stands for itself.

EXIT CODES:
  0  all holds that was asked for   1  it could not be looked at   2  wrong arguments   3  something does not hold";

/// The flag that stands without a command.
const VERSION: &str = "version";
/// The flag of `doctor` that is not an input.
const TRUST_POLICY: &str = "trust-policy";
/// The argument of `policy`.
const KIND: &str = "kind";

fn kind(text: &str) -> Result<Kind, &'static str> {
    Kind::ALL.into_iter().find(|kind| kind.name() == text).ok_or(
        "environment, trust, role, workflow, repository, lifecycle, images, settings, watch, rollback or terraform is expected",
    )
}

const AFTER_HELP: &str = "\
EXIT CODES:
  0  delivered (or all passed, with --publish false)
  1  something failed
  2  wrong inputs
  3  blocked by the environment's policy
  4  delivered, and the repository that a cluster is brought to does not name it

Under GitHub Actions every flag is also read from its input: --build-context from INPUT_BUILD-CONTEXT.";

fn help_on_tags() -> String {
    let variables = VARIABLES.iter().map(|variable| format!("  {variable:<12} {}\n", variable.what));
    format!(
        "TAGS:\n  A template is text with these filled in. One whose value is missing is skipped.\n{}\n{EXIT_CODES}",
        variables.collect::<String>()
    )
}

const EXIT_CODES: &str = "\
EXIT CODES:
  0  delivered (or all passed, with --publish false)   1  something failed   2  wrong inputs   3  blocked by policy
  4  delivered, and the repository that a cluster is brought to does not name it";

fn with_inputs(command: Command) -> Command {
    inputs::ALL.iter().fold(command.after_help(help_on_tags()), |command, input| command.arg(argument(input)))
}

fn argument(input: &'static About) -> Arg {
    let help = match input.default {
        "" => input.help.to_owned(),
        default => format!("{} [default: {default}]", input.help),
    };
    let arg = Arg::new(input.name).long(input.name).value_name(input.value).help(help).help_heading(input.group.heading());
    let arg = arg.value_parser(value_parser!(String));
    if input.switch { arg.num_args(0..=1).default_missing_value("true") } else { arg.allow_hyphen_values(true) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_with(arguments: &[&str], variables: &[(&str, &str)]) -> Inputs {
        let arguments = ["gp-deliver", "deliver"].iter().chain(arguments).map(OsString::from);
        let variable = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        match read(arguments, variable).unwrap() {
            Request::Deliver(inputs)
            | Request::Plan(inputs, _)
            | Request::Doctor(inputs, _)
            | Request::Policy(inputs, _)
            | Request::Promote(inputs, _)
            | Request::GitOps(inputs, _)
            | Request::Rollback(inputs, _)
            | Request::Show(inputs) => inputs,
            Request::Version
            | Request::Verify(_)
            | Request::Watch(..)
            | Request::Findings(..)
            | Request::Compare(_)
            | Request::Lifecycle(_)
            | Request::Repository(..)
            | Request::Repositories(..)
            | Request::Images(..)
            | Request::Assemble(_)
            | Request::PullSecret(_) => panic!("no version was asked for"),
        }
    }

    #[test]
    fn the_command_line_is_well_formed() {
        command().debug_assert();
    }

    #[test]
    fn in_actions_inputs_come_from_variables_and_flags_win() {
        let variables = [("GITHUB_ACTIONS", "true"), ("INPUT_TAGS", "from-variable"), ("INPUT_ENVIRONMENT", "dev")];
        let inputs = read_with(&["--tags", "from-flag"], &variables);
        assert_eq!((inputs.given(&inputs::TAGS), inputs.given(&inputs::ENVIRONMENT)), (Some("from-flag"), Some("dev")));
        assert_eq!(read_with(&[], &variables[1..]).given(&inputs::ENVIRONMENT), None);
    }

    #[test]
    fn a_job_that_names_an_image_delivers_that() {
        let variables = |from: &'static str| {
            move |name: &str| match name {
                "GITHUB_ACTIONS" => Some("true".to_owned()),
                "INPUT_FROM" => Some(from.to_owned()),
                _ => None,
            }
        };
        let deliver = || ["gp-deliver", "deliver"].map(OsString::from);
        let Ok(Request::Promote(_, request)) = read(deliver(), variables("r.example/a:b\n")) else { panic!("it is built") };
        assert_eq!(request.image, "r.example/a:b");
        for nothing in ["", "\n"] {
            assert!(matches!(read(deliver(), variables(nothing)), Ok(Request::Deliver(_))));
        }
        assert!(matches!(read(deliver(), |_| None), Ok(Request::Deliver(_))));
    }

    #[test]
    fn images_to_watch_are_given_one_by_one_or_as_lines() {
        let watched = |arguments: &[&str], variable: &'static str| {
            let arguments = ["gp-deliver", "watch"].iter().chain(arguments).map(OsString::from);
            let variables = move |name: &str| match name {
                "GITHUB_ACTIONS" => Some("true".to_owned()),
                "INPUT_IMAGE" => Some(variable.to_owned()),
                _ => None,
            };
            let Ok(Request::Watch(inputs, _)) = read(arguments, variables) else { panic!("it is not watched") };
            inputs.get(&inputs::IMAGE).unwrap()
        };
        assert_eq!(watched(&["--image", "r.example/a:b", "--image", "r.example/c:d"], ""), ["r.example/a:b", "r.example/c:d"]);
        assert_eq!(watched(&[], "r.example/a:b\nr.example/c:d\n"), ["r.example/a:b", "r.example/c:d"]);
    }

    #[test]
    fn a_line_end_after_the_command_is_no_part_of_it() {
        let arguments = ["gp-deliver", "plan\n"].map(OsString::from);
        assert!(matches!(read(arguments, |_| None), Ok(Request::Plan(..))));
    }

    #[test]
    fn a_switch_may_stand_alone() {
        let inputs = read_with(&["--ignore-unfixed", "--tags", "x"], &[]);
        assert_eq!(inputs.given(&inputs::IGNORE_UNFIXED), Some("true"));
        assert_eq!(read_with(&["--publish", "false"], &[]).given(&inputs::PUBLISH), Some("false"));
    }
}
