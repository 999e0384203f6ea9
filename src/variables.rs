//! The variables of the environment that the program reads, each once: nothing else asks for one by its name.
//! `docs/environment-variables.md` is made from this list.
//!
//! They are kept in memory. The environment of the process itself, which others may read, has only what is on a short list
//! ([`HARMLESS`]); a library that looks for more is given it by whoever calls it.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::sync::OnceLock;

/// Makes a constant of each, and the list that the documentation is made from. What is said of one here is said there.
macro_rules! variables {
    ($($(#[doc = $what:literal])+ $name:ident;)+) => {
        $($(#[doc = $what])+ pub(crate) const $name: &str = stringify!($name);)+

        /// All, each with what it is for.
        #[cfg(test)]
        pub(crate) const ALL: &[(&str, &str)] = &[$((stringify!($name), concat!($($what),+))),+];
    };
}

variables! {
    /// How much the program tells of itself on standard error: `error`, `warn`, `info`, `debug` or `trace`; nothing if not set.
    GP_DELIVER_LOG;

    /// `true` in GitHub Actions: the run has an event, inputs come from `INPUT_*` too, and the log has groups.
    GITHUB_ACTIONS;
    /// What started the workflow: `push`, `pull_request`, `workflow_dispatch`, ….
    GITHUB_EVENT_NAME;
    /// The file with all that GitHub says of the event.
    GITHUB_EVENT_PATH;
    /// The branch or tag that the run is of, in full: `refs/heads/main`.
    GITHUB_REF;
    /// The branch that a pull request is for, where the event's file does not say.
    GITHUB_BASE_REF;
    /// The commit that the run is of.
    GITHUB_SHA;
    /// Where the repository is checked out.
    GITHUB_WORKSPACE;
    /// The repository, `OWNER/NAME`: who delivers, and whose Security tab and check runs are written.
    GITHUB_REPOSITORY;
    /// The repository's number, which an immutable OIDC subject has.
    GITHUB_REPOSITORY_ID;
    /// The number of the repository's owner, which such a subject has too.
    GITHUB_REPOSITORY_OWNER_ID;
    /// The run, for the name of the session in AWS's logs.
    GITHUB_RUN_ID;
    /// GitHub's API; `https://api.github.com` if not set.
    GITHUB_API_URL;
    /// GitHub's address; `https://github.com` if not set. It is a part of a workflow's name in certificates.
    GITHUB_SERVER_URL;
    /// The file that the outputs are written to; `outputs` in the report folder if not set.
    GITHUB_OUTPUT;
    /// The file that the summary is added to.
    GITHUB_STEP_SUMMARY;
    /// The file that lists what the job has made, for the workflow's attestations; runners before 2.336 have none.
    GITHUB_ARTIFACTS;
    /// The service that gives the run's OIDC token: the runner sets it in jobs with `id-token: write`.
    ACTIONS_ID_TOKEN_REQUEST_URL;
    /// The credential for that service. It is secret.
    ACTIONS_ID_TOKEN_REQUEST_TOKEN;

    /// The address of the run's cache, for `cache: gha`: the runner sets it.
    ACTIONS_RESULTS_URL;
    /// The credential for that; the builder is given it with the build. It is secret.
    ACTIONS_RUNTIME_TOKEN;
    /// `github-hosted` on a machine that GitHub starts for one job: its Docker engine is that job's own.
    RUNNER_ENVIRONMENT;

    /// The region of the repository, where neither `aws-region` nor `ecr-repository` says it.
    AWS_REGION;
    /// Stands in for `AWS_REGION` where that is not set.
    AWS_DEFAULT_REGION;

    /// A key of AWS, which the SDK reads where no role is named: here it is kept out of the log. It is secret.
    AWS_SECRET_ACCESS_KEY;
    /// The token that goes with a key that expires; as that.
    AWS_SESSION_TOKEN;

    /// The API server of the cluster that this is a pod of, as Kubernetes sets it in each pod: for `pull-secret`.
    KUBERNETES_SERVICE_HOST;
    /// Its port; as that.
    KUBERNETES_SERVICE_PORT;

    /// The Docker engine, `unix:///PATH` or `tcp://HOST:PORT`, where `buildkit-host` is not given.
    DOCKER_HOST;
    /// The Docker context that names the engine, where neither `buildkit-host` nor `DOCKER_HOST` does; the one that
    /// `docker context use` chose if not set.
    DOCKER_CONTEXT;
    /// Set to anything, the engine at a `tcp://` address is spoken to with TLS.
    DOCKER_TLS_VERIFY;
    /// The folder with `ca.pem`, `cert.pem` and `key.pem` for that; that of `DOCKER_CONFIG` if not set.
    DOCKER_CERT_PATH;
    /// The folder with the `config.json` that `docker login` writes, its proxies and contexts; `.docker` at home if not set.
    DOCKER_CONFIG;
    /// The socket of the SSH agent that build steps get by the input `ssh`.
    SSH_AUTH_SOCK;
    /// Where a rootless Docker engine has its socket.
    XDG_RUNTIME_DIR;
    /// Where the vulnerability databases, known layers, cleared commits and a local build cache are kept, in `gp-deliver`; `.cache` at home if not set.
    XDG_CACHE_HOME;
    /// The home of `.docker` and `.cache`, handed on to the credential helpers that Docker's configuration names.
    HOME;
    /// Where programs are looked for: git, the scanners, credential helpers. Relative folders don't count.
    PATH;

    /// The proxy to registries, GitHub and AWS, at `https` addresses; in small letters too, as the next three. It may hold a
    /// password. A registry on this machine is spoken to without one.
    HTTPS_PROXY;
    /// The proxy at `http` addresses.
    HTTP_PROXY;
    /// The proxy where neither of these names one.
    ALL_PROXY;
    /// Who is spoken to without one: hosts and networks, separated by commas.
    NO_PROXY;

    /// `dumb` for a terminal that can't move its cursor: the log is plain lines.
    TERM;
    /// Set to anything, it takes the colours out of the log (no-color.org).
    NO_COLOR;
}

/// Those that hold credentials. (The token is an input, which action.yml names.)
pub(crate) const SECRET: [&str; 4] =
    [ACTIONS_ID_TOKEN_REQUEST_TOKEN, ACTIONS_RUNTIME_TOKEN, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN];

/// What stays in the environment of gp-deliver's own processes, for the libraries in them. None of it is secret.
pub(crate) const HARMLESS: [&str; 14] = [
    // Where programs and files are: of the AWS SDK's `credential_process`, of temporary files.
    PATH,
    HOME,
    "TMPDIR",
    // How a terminal is written to (clap, console).
    "LANG",
    TERM,
    "COLORTERM",
    NO_COLOR,
    "CLICOLOR",
    "CLICOLOR_FORCE",
    "COLUMNS",
    "LINES",
    // Certificates to trust (rustls-native-certs).
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    // The threads of the runtime (tokio).
    "TOKIO_WORKER_THREADS",
];

static KNOWN: OnceLock<HashMap<OsString, OsString>> = OnceLock::new();

/// The environment that this process was started with.
pub(crate) fn of_this_process() -> Vec<(OsString, OsString)> {
    std::env::vars_os().collect()
}

/// Those of this process that may stay in the environment of its own.
pub(crate) fn harmless() -> impl Iterator<Item = (&'static str, OsString)> {
    HARMLESS.into_iter().filter_map(|name| Some((name, std::env::var_os(name)?)))
}

/// Has these count from now on, in place of those of this process. Of a name that is there twice, the first counts, as in C.
pub(crate) fn remember(variables: Vec<(OsString, OsString)>) {
    // Only the first call counts, and it comes before anything is asked for.
    let _ = KNOWN.set(first_of_each(variables));
}

fn first_of_each(variables: Vec<(OsString, OsString)>) -> HashMap<OsString, OsString> {
    variables.into_iter().rev().collect()
}

/// All that count.
pub(crate) fn all() -> &'static HashMap<OsString, OsString> {
    KNOWN.get_or_init(|| first_of_each(of_this_process()))
}

/// The value of a variable, where it is set and is text.
pub(crate) fn text(name: &str) -> Option<String> {
    bytes(name)?.into_string().ok()
}

/// The value of a variable, whatever bytes it has.
pub(crate) fn bytes(name: &str) -> Option<OsString> {
    all().get(OsStr::new(name)).cloned()
}

/// The value of a variable that counts only where it has one: the runner sets some to nothing.
pub(crate) fn filled(name: &str) -> Option<OsString> {
    bytes(name).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_name_that_is_there_twice_the_first_counts() {
        let variables = [("A", "1"), ("B", "2"), ("A", "3")].map(|(name, value)| (name.into(), value.into()));
        assert_eq!(first_of_each(variables.into())[OsStr::new("A")], "1");
    }

    #[test]
    fn nothing_that_names_a_secret_stays_in_the_environment() {
        for word in ["TOKEN", "SECRET", "PASSWORD", "KEY", "CREDENTIAL", "PROXY", "INPUT_", "GITHUB_", "ACTIONS_", "AWS_"] {
            assert!(HARMLESS.iter().all(|name| !name.contains(word)), "{word}");
        }
    }
}
