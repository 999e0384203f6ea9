//! The words for registries that can't be used.

use super::{Diagnosis, layout, permission};
use crate::net::TransportError;
use crate::oci::registry::credentials::{self, Origin};
use crate::oci::registry::{Answer, Error, Subject, UrlRole};
use crate::text::span;

impl From<&Error> for Diagnosis {
    fn from(error: &Error) -> Self {
        match error {
            Error::Answer(answer) => refusal(answer),
            Error::Connection { host, subject, error } => connection(host, subject, error),
            Error::Credentials(error) => error.into(),
            Error::ForbiddenUrl { registry, role, url } => forbidden(registry, *role, url),
            Error::Layout(error) => error.into(),
            Error::Local { path: Some(path), source, .. } => layout::file(path, source),
            Error::Local { path: None, subject, source } => layout::file(subject.to_string().as_ref(), source),
            Error::DigestMismatch(mismatch) => Self::new(
                format!("{} serves damaged content", mismatch.host),
                format!("The {} hashes to {}; its digest is {}.", mismatch.subject, mismatch.actual, mismatch.expected),
                "Run again. If it happens again, the registry's storage, or a proxy in between, changes content.",
            ),
            Error::TooLarge { host, subject, limit } => Self::new(
                format!("{host} serves more than it announced"),
                format!("The {subject} has more than {limit} bytes."),
                "Check that the name is that of an image; if it is, the registry, or a proxy in between, changes content.",
            ),
            Error::Malformed { host, subject, reason } => Self::new(
                format!("{host} does not answer as a registry does"),
                format!("Asked for {subject}, it gives {reason}."),
                "Check the name of the registry, and that no proxy or login page answers in its place.",
            ),
            Error::Document { host, subject, fault } if fault.is_ambiguous() => Self::new(
                format!("{host} serves a document that has two readings"),
                format!(
                    "The {subject} is one thing to some readers and another to others, so what is scanned may not be what is \
                     run: {fault}."
                ),
                "Find out who pushed it. Remove it from the repository, or name another tag or repository; \
                 `rebuild: true` builds the commit anew.",
            ),
            Error::Document { host, subject, fault } => Self::new(
                format!("{host} does not answer as a registry does"),
                format!("Asked for {subject}, it gives something that is not an image: {fault}."),
                "Check the name of the registry, and that no proxy or login page answers in its place.",
            ),
            Error::NotListed { host, subject, referrer } => Self::new(
                format!("{host} does not list what is said of the image"),
                format!("{referrer} was pushed, and is not among what it lists as referrers of {subject}."),
                "Run again: the registry may have been late, or another delivery wrote the list at the same moment.",
            ),
            Error::TooManyRedirects { host, subject, limit } => Self::new(
                format!("{host} redirects again and again"),
                format!("Asked for {subject}, it redirects more than {limit} times."),
                "Check the name of the registry, and that no proxy or login page answers in its place.",
            ),
            Error::UnknownChallenge { host, challenge } => Self::new(
                format!("{host} asks for an unknown kind of login"),
                format!("It asks for \"{challenge}\"; Basic and Bearer are known."),
                "Use a registry, or a setting of it, that takes a password or a token.",
            ),
        }
    }
}

impl From<&credentials::Error> for Diagnosis {
    fn from(error: &credentials::Error) -> Self {
        match error {
            credentials::Error::Unreadable { path, source } => layout::file(path, source),
            credentials::Error::Invalid { path, reason } => Self::new(
                format!("{} does not hold credentials that can be read", path.display()),
                format!("It is {reason}."),
                "Repair it, or remove it and run `docker login` again.",
            ),
            credentials::Error::Helper { program, config, reason } => Self::new(
                format!("{program} does not give the registry's credentials"),
                format!("{} names it, and it failed: {reason}.", config.display()),
                format!("Run `{program} list` to see what it says, or remove its name from {}.", config.display()),
            ),
            credentials::Error::Issuer(error) => match error.downcast_ref::<crate::aws::Error>() {
                Some(error) => error.into(),
                None => Self::new("The registry's credentials could not be obtained", error.to_string(), "Run again."),
            },
        }
    }
}

fn refusal(answer: &Answer) -> Diagnosis {
    let Answer { host, repository, subject, method, .. } = answer;
    let status = answer.status.as_u16();
    let why = said(answer);
    match status {
        401 => {
            let (known, remedy) = login(host, &answer.credentials);
            Diagnosis::new(format!("{host} refuses access to {repository}"), format!("{why}\n{known}"), remedy)
        }
        403 if answer.credentials == Origin::Given
            && let Some(diagnosis) = permission::lacking(&why, answer.message.as_deref().unwrap_or_default()) =>
        {
            diagnosis
        }
        403 => {
            let (known, _) = login(host, &answer.credentials);
            let remedy =
                format!("Give that account the right to push to {repository}, or log in as another: `docker login {host}`.");
            Diagnosis::new(format!("{host} does not allow this in {repository}"), format!("{why}\n{known}"), remedy)
        }
        404 if *subject == Subject::Api => {
            Diagnosis::new(format!("{host} is not an image registry"), why, "Check the name and the port of the registry.")
        }
        404 => Diagnosis::new(
            format!("{host} has no {repository}, or no {subject} in it"),
            why,
            "Check the name. Some registries, such as Amazon ECR, need a repository to be created before the first push.",
        ),
        408 | 429 => Diagnosis::new(
            format!("{host} wants fewer requests"),
            format!(
                "{why}{}",
                answer.retry_after.map(|wait| format!("\nIt asks to wait for {}.", span(wait))).unwrap_or_default()
            ),
            format!("Run again later. Logging in (`docker login {host}`) often raises the limit."),
        ),
        413 => Diagnosis::new(
            format!("{host} does not accept content of this size"),
            why,
            "Raise the limit of the proxy before the registry (nginx: client_max_body_size), or make the layer smaller.",
        ),
        500..=599 => Diagnosis::new(
            format!("{host} reports an internal error"),
            why,
            "Run again later. If it happens again, the registry's own log or status page says more.",
        ),
        _ => Diagnosis::new(
            format!("{host} rejects the {method} of {subject} in {repository}"),
            why,
            "The registry's message above says why. An immutable tag, for example, can't be set to another image.",
        ),
    }
}

/// The registry's own words.
fn said(answer: &Answer) -> String {
    let words: Vec<&str> = [&answer.code, &answer.message].into_iter().flatten().map(|words| &**words).collect();
    let words = if words.is_empty() { String::new() } else { format!(": {}", words.join(": ")) };
    format!("It answers {} to {} of {}{words}.", answer.status, answer.method, answer.subject)
}

/// What is known of the credentials, and what to do about them.
fn login(host: &str, origin: &Origin) -> (String, String) {
    let log_in = format!("Run `docker login {host}` with an account that may push there.");
    match origin {
        Origin::Nowhere(Some(path)) => (format!("There are no credentials for {host} in {}.", path.display()), log_in),
        Origin::Nowhere(None) => (format!("There are no credentials for {host}."), log_in),
        Origin::File(path) => (format!("The credentials are from {}.", path.display()), log_in),
        Origin::Helper { program, config } => {
            (format!("The credentials are from {program}, which {} names.", config.display()), log_in)
        }
        Origin::Given => (
            "The credentials were obtained by this delivery.".to_owned(),
            "Check what its role may do with this repository.".to_owned(),
        ),
    }
}

fn connection(host: &str, subject: &Subject, error: &TransportError) -> Diagnosis {
    let on_the_way = format!("It happened while asking for {subject}.");
    match error {
        TransportError::Refused => Diagnosis::new(
            format!("{host} can't be reached"),
            "Nothing listens at that address and port.",
            "Check the name and the port, and that the registry runs.",
        ),
        TransportError::UnknownHost(detail) => Diagnosis::new(
            format!("{host} can't be reached"),
            format!("No address is known for that name: {detail}."),
            "Check the name of the registry, and this machine's DNS.",
        ),
        TransportError::Tls(detail) => Diagnosis::new(
            format!("{host} can't be trusted"),
            format!("No secure connection could be made: {detail}."),
            "If the certificate is from your own authority, add that to this machine's certificates, or name its file \
             in SSL_CERT_FILE. Plain HTTP is used only on this machine.",
        ),
        TransportError::Cut(detail) => Diagnosis::new(
            format!("{host} closed the connection"),
            format!("{on_the_way} The connection ended with: {detail}."),
            "Run again. If it happens again, look for a proxy or a limit on the size of requests in between.",
        ),
        TransportError::Stalled(after) => Diagnosis::new(
            format!("{host} does not answer"),
            format!("{on_the_way} Nothing moved for {}.", span(*after)),
            "Check the network, and HTTPS_PROXY and NO_PROXY where there is a proxy; then run again.",
        ),
        TransportError::TooSlow { .. } | TransportError::Overdue(_) => Diagnosis::new(
            format!("{host} is too slow"),
            format!("{on_the_way} It was given up: {error}."),
            "Check the network, and the proxy where there is one; then run again. In place of a mirror that is slow, name another.",
        ),
        TransportError::Other(detail) => Diagnosis::new(
            format!("The connection to {host} failed"),
            format!("{on_the_way} {detail}."),
            "Check the network, and HTTPS_PROXY and NO_PROXY where there is a proxy; then run again.",
        ),
    }
}

fn forbidden(registry: &str, role: UrlRole, url: &str) -> Diagnosis {
    let remedy = match role {
        UrlRole::Realm => "Configure the registry to name its token server with https.",
        UrlRole::Redirect | UrlRole::Upload => {
            "Configure the registry to name itself with https: behind a proxy that ends TLS, it needs X-Forwarded-Proto or its own address."
        }
    };
    let what = format!("{registry} names an address that is not safe");
    Diagnosis::new(what, format!("It names {url} as its {role}. Nothing is sent without TLS beyond this machine."), remedy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{Method, StatusCode};

    fn answer(status: u16, credentials: Origin) -> Diagnosis {
        let answer = Answer {
            host: "r.example".into(),
            repository: "r.example/app".into(),
            method: Method::PUT,
            subject: Subject::Manifest("v1".into()),
            status: StatusCode::from_u16(status).unwrap(),
            code: Some("DENIED".into()),
            message: Some("no".into()),
            retry_after: None,
            credentials,
        };
        Diagnosis::from(&Error::Answer(Box::new(answer)))
    }

    #[test]
    fn a_refused_login_names_the_file_and_the_command() {
        let diagnosis = answer(401, Origin::File("/home/ann/.docker/config.json".into()));
        assert_eq!(diagnosis.what, "r.example refuses access to r.example/app");
        assert_eq!(
            diagnosis.why,
            "It answers 401 Unauthorized to PUT of manifest v1: DENIED: no.\n\
             The credentials are from /home/ann/.docker/config.json."
        );
        assert_eq!(diagnosis.remedy, "Run `docker login r.example` with an account that may push there.");
    }

    #[test]
    fn every_refusal_has_a_cause_in_the_registrys_words_and_a_remedy() {
        for status in [400, 401, 403, 404, 405, 408, 413, 429, 500, 503] {
            let diagnosis = answer(status, Origin::Nowhere(None));
            assert!(diagnosis.why.contains("DENIED: no") && diagnosis.remedy.len() > 20, "{diagnosis:?}");
        }
    }
}
