//! The command `pull-secret`.

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use super::flag;
use crate::kubernetes::{Namespace, SecretName};
use crate::pull_secret::Request;

const SECRET: &str = "secret";
const NAMESPACE: &str = "namespace";
const REGISTRY: &str = "registry";
const SERVICE_ACCOUNT: &str = "service-account";

const AFTER: &str = "\
WHOSE IDENTITY:
  At AWS the pod's: IAM roles for service accounts, EKS Pod Identity, or whatever else the AWS SDK finds. It needs
  ecr:GetAuthorizationToken; the login has the rights of that identity. In the cluster the pod's service account: it
  needs get and patch of the Secret by its name. examples/pull-secret has all of it.

EXIT CODES:
  0  the Secret holds a login that is good   1  it could not be written: it holds what it held   2  wrong arguments";

/// The command as clap knows it.
pub(super) fn command() -> Command {
    Command::new("pull-secret")
        .about("In a pod: get a login to Amazon ECR by the pod's identity at AWS, and put it into a pull secret of the cluster")
        .after_help(AFTER)
        .arg(
            Arg::new(SECRET)
                .long(SECRET)
                .value_name("NAME")
                .required(true)
                .help("The Secret, of the type kubernetes.io/dockerconfigjson")
                .value_parser(|text: &str| text.parse::<SecretName>()),
        )
        .arg(
            Arg::new(NAMESPACE)
                .long(NAMESPACE)
                .value_name("NAME")
                .help("Its namespace [default: the pod's]")
                .value_parser(|text: &str| text.parse::<Namespace>()),
        )
        .arg(
            flag(
                REGISTRY,
                "HOST",
                "A registry of Amazon ECR's; may be repeated [default: that of the identity's account and region]",
            )
            .action(ArgAction::Append),
        )
        .arg(
            flag(
                SERVICE_ACCOUNT,
                "FOLDER",
                "The folder with token, ca.crt and namespace [default: /var/run/secrets/kubernetes.io/serviceaccount]",
            )
            .value_parser(value_parser!(PathBuf)),
        )
}

/// What is asked for.
pub(super) fn request(matches: &ArgMatches) -> Option<Request> {
    Some(Request {
        secret: matches.get_one::<SecretName>(SECRET)?.clone(),
        namespace: matches.get_one::<Namespace>(NAMESPACE).cloned(),
        registries: matches.get_many::<String>(REGISTRY).into_iter().flatten().cloned().collect(),
        service_account: matches.get_one::<PathBuf>(SERVICE_ACCOUNT).cloned(),
    })
}
