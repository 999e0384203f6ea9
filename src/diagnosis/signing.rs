//! The words for signatures that can't be made.

use super::Diagnosis;
use crate::evidence::Unproven;
use crate::sigstore::{Error, InvalidInstance, ServiceName};
use crate::text::{self, Line};

impl From<&Error> for Diagnosis {
    fn from(error: &Error) -> Self {
        match error {
            Error::Connection { service, host, error } => Self::new(
                format!("The {service} at {host} can't be reached"),
                format!("{error}."),
                "Run again. On a runner of your own, check that it reaches the service, and HTTPS_PROXY.",
            ),
            Error::Refused { service: service @ ServiceName::CertificateAuthority, host, status, message, .. }
                if status.is_client_error() =>
            {
                Self::new(
                    format!("The {service} at {host} does not certify this run"),
                    format!("It answers {status}: {message}."),
                    "Check that it knows the issuer of the run's OIDC token, with the audience sigstore. A private Sigstore has to be \
                     told of GitHub.",
                )
            }
            Error::Refused { service, host, status, message, .. } => Self::new(
                format!("The {service} at {host} does not take the statement"),
                format!("It answers {status}: {message}."),
                "Run again later. If it happens again, the service's status page says more.",
            ),
            Error::Malformed { service, host, missing } => Self::new(
                format!("The {service} at {host} does not answer as one does"),
                format!("Its answer has no {missing}."),
                "Check the address, and that no proxy or login page answers in its place.",
            ),
            Error::Client(words) => Self::new(
                "The services that sign can't be spoken to",
                format!("{words}."),
                "Check the machine's certificates (`ca-certificates`) and its proxy.",
            ),
            Error::Key(why) => Self::new(
                "There is no key to sign with",
                format!("It failed: {why}."),
                "This is a fault of the machine: run again on another.",
            ),
            Error::NoSubject => Self::new(
                "The run's OIDC token does not say whom it is of",
                "It has no `sub`.",
                "Check that no proxy answers in place of GitHub's token service.",
            ),
            Error::SharedKey { key, environments } => Self::new(
                format!("One key is to speak for {environments}"),
                format!("It is {key}. Whoever may use it for one of them could speak for the other."),
                "Give each environment a key of its own, which its role alone may use: see `kms-key` and `trusted-keys`.",
            ),
            Error::Unsound(words) => Self::new(
                "The signature that was made would be refused by whoever checks it",
                format!("{words}."),
                "Check that `sigstore-trusted-root` is the root of the services that `sigstore-signing-config` names. Of sigstore.dev, \
                 a newer gp-deliver may know newer keys. Of a key of AWS KMS, check that nobody has changed it meanwhile, and \
                 run again.",
            ),
            Error::Rejected(words) => Self::new(
                "A signature does not hold",
                format!("{words}."),
                "Find out who pushed it. What it is about is no better than unsigned.",
            ),
        }
    }
}

impl From<&Unproven> for Diagnosis {
    fn from(unproven: &Unproven) -> Self {
        match unproven {
            Unproven::Verdict { image, reasons } => Self::new(
                format!("It is not proven where {image} came from"),
                because("There is no verdict beside it that counts.", reasons),
                "Promote an image that a delivery has signed (`sign`), and say by `identity` whose signature counts where that is \
                 not this workflow; of keys by `trusted-keys`. `gp-deliver verify` shows what is signed about an image.",
            ),
            Unproven::Part { image, platform, reasons } => Self::new(
                format!("It is not proven that this run has cleared {image} for {platform}"),
                because("There is no verdict beside it that counts.", reasons),
                "Give `assemble` what the jobs of this very run have delivered with `untagged`, from the same commit, for the same \
                 environment and by the same inputs; run all of its jobs again where one of them is of another run.",
            ),
            Unproven::Platform { image, platform, why } => Self::new(
                format!("{image} is not the image of {platform}"),
                format!("{why}."),
                "Deliver each platform by itself (`untagged`, with one of `platforms`), and give `assemble` the digest that came of it.",
            ),
            Unproven::FewerLeaks { image, leaks, found } => Self::new(
                format!("The source of {image} held secrets that are not seen here"),
                format!("Its delivery counts {}, and here there are {found}.", text::count(*leaks, "leaked secret")),
                "Check out the same commit in the same way (`fetch-depth`) in all jobs.",
            ),
            Unproven::Commits { image, commits } => Self::new(
                format!("It is not clear of which commit {image} is"),
                format!("Its verdicts name {}.", text::list(&commits.iter().map(ToString::to_string).collect::<Vec<_>>())),
                "Name the one whose signature counts more narrowly (`identity`, `--ref`), and find out who has signed the other.",
            ),
            Unproven::Sbom { image, reasons } => Self::new(
                format!("It is not signed what is in {image}"),
                because("There is no SPDX document beside it that counts.", reasons),
                "Deliver the commit again with `sbom-formats` that have spdx-json, and promote that image.",
            ),
            Unproven::Source { image, environment, leaks } => Self::new(
                format!("The source of {image} is not known to be free of secrets"),
                match leaks {
                    Some(leaks) => format!("Its verdict for {environment} counts {}.", text::count(*leaks, "leaked secret")),
                    None => format!("Its verdict for {environment} has no scan of it."),
                },
                "Revoke what leaked, remove it, and deliver a commit without it: a promotion does not see the source, and takes the \
                 word of the delivery that did.",
            ),
            Unproven::Leaks { image, environment } => Self::new(
                format!("{image} can't be judged by its SBOM"),
                format!(
                    "An SBOM says nothing of leaked secrets, and the delivery to {environment} did not hold them back: it may have \
                     looked at no more than the commits of its push."
                ),
                "Promote it with `promote-by: image`, which looks through its layers, or deliver it to an environment from `test` up \
                 first and promote what that has signed.",
            ),
            Unproven::Tag { tag, commit } => Self::new(
                "The image is of another commit than this run's tag",
                format!("The run is of the tag {tag}, and the image is of commit {commit}."),
                "Promote the image of the commit that is tagged, or run the promotion by hand or on a branch.",
            ),
        }
    }
}

/// What is the case, and the reasons.
fn because(what: &str, reasons: &[Line]) -> String {
    let reasons: Vec<_> = reasons.iter().map(|reason| format!("{}.", reason.trim_end_matches('.'))).collect();
    [what.to_owned()].into_iter().chain(reasons).collect::<Vec<_>>().join("\n")
}

impl From<&InvalidInstance> for Diagnosis {
    fn from(error: &InvalidInstance) -> Self {
        Self::new(
            "The instance of Sigstore can't be used",
            format!("{error}."),
            "Check `sigstore-signing-config` and `sigstore-trusted-root`. Of sigstore.dev, a newer gp-deliver knows newer keys.",
        )
    }
}
