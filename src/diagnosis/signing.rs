//! The words for signatures that can't be made.

use super::Diagnosis;
use crate::sigstore::{Error, InvalidInstance, ServiceName};

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
            Error::Unsound(words) => Self::new(
                "The signature that was made would be refused by whoever checks it",
                format!("{words}."),
                "Check that `sigstore-trusted-root` is the root of the services that `sigstore-signing-config` names. Of sigstore.dev, \
                 a newer gp-deliver may know newer keys.",
            ),
            Error::Rejected(words) => Self::new(
                "A signature does not hold",
                format!("{words}."),
                "Find out who pushed it. What it is about is no better than unsigned.",
            ),
        }
    }
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
