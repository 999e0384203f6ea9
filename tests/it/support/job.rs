//! A delivery as a job of GitHub Actions runs it, with a repository at GitHub.

use doubles::github::{GitHub, Options, Repository};

use crate::support::{Delivery, Source, secret};

/// A repository at GitHub whose branch main is at the source's commit.
pub fn repository(source: &Source, options: Options) -> Repository {
    GitHub::start().repository(options.branch("main", &commit(source)))
}

/// A delivery by a push to main.
pub fn push(source: &Source, repository: &Repository, environment: &str) -> Delivery {
    in_job(source, repository.environment()).flag("--environment", environment)
}

/// A delivery by a push to main, with these variables for the way to GitHub.
pub fn in_job(source: &Source, github: Vec<(String, String)>) -> Delivery {
    let delivery = source.deliver().variable("GITHUB_ACTIONS", "true").variable("GITHUB_EVENT_NAME", "push");
    let delivery = delivery.variable("GITHUB_REF", "refs/heads/main").variable("GITHUB_SHA", &commit(source));
    github.into_iter().fold(delivery, |delivery, (name, value)| delivery.variable(&name, &value))
}

/// The source's commit.
pub fn commit(source: &Source) -> String {
    source.git(&["rev-parse", "HEAD"])
}

/// A source that builds in a second and has nothing to find.
pub fn clean() -> Source {
    Source::in_git(&[("Dockerfile", "FROM scratch\nCOPY . /app/\n"), (".dockerignore", ".git\n"), ("file", "1\n")])
}

/// A source with a leaked secret, and a package with a critical advisory that its Dockerfile's line 3 brings.
pub fn faulty() -> Source {
    let source = Source::in_git(&[
        ("Dockerfile", "FROM scratch\n\nCOPY vendor /app/vendor\n"),
        ("vendor/PyYAML-5.3.dist-info/METADATA", "Metadata-Version: 2.1\nName: PyYAML\nVersion: 5.3\n"),
        // trivy looks for packages where it sees a distribution or a language's files.
        ("deploy/staging.env", &format!("TOKEN={}\n", secret())),
    ]);
    source.commit("second");
    source
}
