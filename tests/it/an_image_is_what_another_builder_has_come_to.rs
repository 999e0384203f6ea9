//! With `expected-digest` an image is delivered only if it is the one that another builder has come to, whoever has built it.

use doubles::registry::{Options, Registry, crane};

use crate::support::{Delivery, Source};

const ANOTHER: &str = "sha256:6105d6cc76af400325e94d588ce511be5bfdbb73b437dc51eca43917d7a43e3d";

fn source() -> Source {
    Source::in_git(&[("Dockerfile", "FROM scratch\nCOPY . /app/\n"), (".dockerignore", ".git\n"), ("file", "1\n")])
}

fn deliver(source: &Source, registry: &Registry, environment: &str) -> Delivery {
    let repository = format!("{}/team/app", registry.address);
    source.deliver().flag("--destination", &repository).flag("--environment", environment)
}

/// The repositories that the registry has, those without a tag among them.
fn repositories(registry: &Registry) -> String {
    crane(&["catalog", "--insecure", &registry.address])
}

#[test]
fn what_is_built_into_a_folder_and_for_a_registry_is_one_image_and_is_delivered() {
    let (source, registry) = (source(), Registry::start(Options::default()));
    source.deliver().flag("--environment", "prod").ends_with(0);
    let digest = source.record()["publication"]["digest"].as_str().unwrap().to_owned();
    deliver(&source, &registry, "prod").flag("--expected-digest", &digest).ends_with(0);
    let sha = &source.git(&["rev-parse", "HEAD"])[..7];
    assert_eq!(crane(&["digest", "--insecure", &format!("{}/team/app:{sha}", registry.address)]), digest);
}

#[test]
fn another_image_is_not_delivered_and_nothing_of_it_is_sent() {
    let registry = Registry::start(Options::default());
    for environment in ["dev", "prod"] {
        let source = source();
        let ended = deliver(&source, &registry, environment).flag("--expected-digest", ANOTHER).ends_with(1);
        ended.says("The image is not the one that was expected").says(ANOTHER);
        assert_eq!(source.record()["result"], "failed");
        assert_eq!(repositories(&registry), "", "{environment}");
    }
}

#[test]
fn an_image_that_is_there_already_has_to_be_the_one_too() {
    let (source, registry) = (source(), Registry::start(Options::default()));
    deliver(&source, &registry, "dev").ends_with(0);
    let digest = source.record()["publication"]["digest"].as_str().unwrap().to_owned();
    deliver(&source, &registry, "dev").flag("--expected-digest", ANOTHER).ends_with(1).says(&digest).says(ANOTHER);
    deliver(&source, &registry, "dev").flag("--expected-digest", &digest).ends_with(0).says("DELIVERED to dev before");
    // One that is taken from another environment.
    let test = || deliver(&source, &registry, "test").flag("--reuse", "claimed");
    test().flag("--expected-digest", ANOTHER).ends_with(1).says(&digest);
    test().flag("--expected-digest", &digest).ends_with(0);
}

#[test]
fn what_is_no_digest_is_a_wrong_input() {
    for text in ["latest", "6105d6cc", &ANOTHER.to_uppercase(), &format!("{ANOTHER}0")] {
        source().deliver().flag("--expected-digest", text).ends_with(2).says("expected-digest");
    }
}
