//! The doubles are checked by strangers, clients that know nothing of us: boto3, crane, kubectl, GitHub's own library and Prism.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod an_app_is_given_tokens_as_github_gives_them;
mod the_cluster_we_test_against_refuses_as_kubernetes_does;
mod the_github_we_test_against_answers_as_github_does;
mod the_private_sigstore_certifies_the_tokens_we_make;
mod the_verifiers_of_others_say_no;
mod the_world_keeps_images_as_ecr_does;
mod the_world_refuses_as_aws_does;

/// A part that a test needs, by the name under which `scripts/test-parts env` gives it.
fn part(name: &str) -> String {
    let name = format!("GP_DELIVER_TEST_{name}");
    std::env::var(&name).unwrap_or_else(|_| panic!("{name} is not set: eval \"$(scripts/test-parts env)\""))
}
