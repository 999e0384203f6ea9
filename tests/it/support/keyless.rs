//! A delivery to the world's repository, as a workflow's job runs it.

use doubles::aws::World;

use crate::support::{Delivery, Source};

/// A source in git that builds in a second.
pub fn source() -> Source {
    Source::in_git(&[("Dockerfile", "FROM scratch\nCOPY . /app/\n"), (".dockerignore", ".git\n"), ("file", "1\n")])
}

/// A run of a subcommand on a source in a job of this world.
pub fn run(world: &World, source: &Source, subcommand: &str) -> Delivery {
    let commit = source.git(&["rev-parse", "HEAD"]);
    let delivery = source.run(subcommand).without("--destination").variable("GITHUB_SHA", &commit);
    let delivery = world.variables().into_iter().fold(delivery, |delivery, (name, value)| delivery.variable(&name, &value));
    let delivery = delivery.flag("--ecr-repository", &world.repository()).flag("--role-to-assume", &world.role());
    delivery.flag("--environment", "dev").flag("--tags", "{sha},{env}-{sha},latest")
}

/// A delivery.
pub fn deliver(world: &World, source: &Source) -> Delivery {
    run(world, source, "deliver")
}

/// The first characters of the commit, as tags have them.
pub fn sha(source: &Source) -> String {
    source.git(&["rev-parse", "HEAD"])[..7].to_owned()
}
