//! The inputs: one list, which is the command line's flags and the action's inputs at once.
//!
//! What is here is text as a person gave it. [`crate::config`] makes sense of it.

use std::collections::BTreeMap;

/// A heading of `--help`, under which related inputs stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Where it is bound for, and what is demanded there.
    Delivery,
    /// What is built, and how.
    Build,
    /// What is looked for.
    Scan,
    /// Under which names, and where.
    Publish,
    /// Amazon ECR, and who we are there.
    Aws,
    /// What is written about it.
    Report,
}

impl Input {
    /// The default where it is a value, and not what it depends on in words.
    #[must_use]
    pub fn default_value(&self) -> Option<&'static str> {
        let words = self.default.contains(' ') && !self.default.starts_with("${{");
        (!words && !self.default.is_empty()).then_some(self.default)
    }
}

impl Group {
    /// The heading.
    #[must_use]
    pub fn heading(self) -> &'static str {
        match self {
            Self::Delivery => "Delivery",
            Self::Build => "Build",
            Self::Scan => "Scan",
            Self::Publish => "Publish",
            Self::Aws => "AWS",
            Self::Report => "Report",
        }
    }
}

/// One input.
#[derive(Clone, Copy, Debug)]
pub struct Input {
    /// Its name in kebab-case: `--NAME`, or `INPUT_NAME` in capitals.
    pub name: &'static str,
    /// Where `--help` lists it.
    pub group: Group,
    /// What a value looks like, for `--help`.
    pub value: &'static str,
    /// The value when none or an empty one is given, in words where it depends; empty where there is none.
    pub default: &'static str,
    /// What it is for.
    pub help: &'static str,
    /// Whether the flag may stand alone, for `true`.
    pub switch: bool,
}

const fn input(name: &'static str, group: Group, value: &'static str, default: &'static str, help: &'static str) -> Input {
    Input { name, group, value, default, help, switch: false }
}

const fn switch(name: &'static str, group: Group, default: &'static str, help: &'static str) -> Input {
    Input { name, group, value: "true|false", default, help, switch: true }
}

/// All inputs, in the order of `--help` and of the documentation.
pub const ALL: &[Input] = &[
    input(
        "environment",
        Group::Delivery,
        "NAME",
        "auto",
        "Where the image is bound for: local, dev, test, staging, prod, or auto (from the branch or tag)",
    ),
    input(
        "version",
        Group::Delivery,
        "SEMVER",
        "the v* tag that is delivered",
        "The version for the {version}, {major} and {minor} tags",
    ),
    input("build-context", Group::Build, "FOLDER", ".", "The folder that the Dockerfile copies from"),
    input("dockerfile-path", Group::Build, "FILE", "Dockerfile in the build context", "The Dockerfile"),
    input("build-target", Group::Build, "STAGE", "the last stage", "The Dockerfile stage to build"),
    input(
        "build-args",
        Group::Build,
        "LINES",
        "",
        "Values for ARG, a line each: NAME=VALUE, or NAME for the variable's value here",
    ),
    input(
        "build-secrets",
        Group::Build,
        "LINES",
        "",
        "Secrets for RUN --mount=type=secret, a line each: id=NAME,env=VAR or id=NAME,src=PATH",
    ),
    input(
        "check-targets",
        Group::Build,
        "STAGES",
        "",
        "Dockerfile stages that must build too (lint, tests), separated by commas or lines",
    ),
    input("platforms", Group::Build, "LIST", "the builder's own", "Platforms to build for, such as linux/amd64,linux/arm64"),
    input("labels", Group::Build, "LINES", "", "Labels of the image, a line each: KEY=VALUE"),
    input("annotations", Group::Build, "LINES", "", "Annotations of the manifests, a line each: KEY=VALUE"),
    input("compression", Group::Build, "NAME", "gzip", "How new layers are compressed: gzip or zstd"),
    input(
        "buildkit-host",
        Group::Build,
        "ADDRESS",
        "the Docker engine's BuildKit",
        "A standalone buildkitd: unix:///PATH or tcp://HOST:PORT",
    ),
    input(
        "buildkit-certificates",
        Group::Build,
        "FOLDER",
        "",
        "For a buildkitd with mutual TLS: the folder with ca.pem, cert.pem and key.pem",
    ),
    input(
        "secrets-history",
        Group::Scan,
        "RANGE",
        "auto",
        "Commits to scan for secrets: auto (push in GitHub Actions, else full), push, full, none",
    ),
    input(
        "severity-threshold",
        Group::Scan,
        "SEVERITY",
        "HIGH",
        "The mildest severity that counts: CRITICAL, HIGH, MEDIUM, LOW, UNKNOWN",
    ),
    switch("ignore-unfixed", Group::Scan, "false", "Leave vulnerabilities without a fix out of the gate"),
    input(
        "trivy-db-repository",
        Group::Scan,
        "LIST",
        "trivy's own mirrors",
        "Where the vulnerability database is, tried in order: HOST/NAME[:TAG] or oci:PATH[:TAG]",
    ),
    input(
        "trivy-java-db-repository",
        Group::Scan,
        "LIST",
        "trivy's own mirrors",
        "Where the database for Java archives is, read only when the image holds some",
    ),
    input("sbom-formats", Group::Scan, "LIST", "spdx-json,cyclonedx-json", "SBOM formats to write: spdx-json, cyclonedx-json"),
    input(
        "tags",
        Group::Publish,
        "TEMPLATES",
        "{sha},{env}-{sha}, and {version} where there is one",
        "Tags, separated by commas or lines; see TAGS below",
    ),
    input(
        "destination",
        Group::Publish,
        "WHERE",
        "oci:image in the report folder",
        "Where the image goes: oci:PATH for a layout folder, or HOST[:PORT]/NAME for a registry",
    ),
    switch("publish", Group::Publish, "true", "Publish the image; false builds, scans and decides only"),
    switch(
        "rebuild",
        Group::Publish,
        "false",
        "Build anew what the registry has of this commit already, and move its tags where they may move",
    ),
    input(
        "ecr-repository",
        Group::Aws,
        "NAME",
        "",
        "The Amazon ECR repository that the image goes to, in place of a destination: NAME, or HOST/NAME",
    ),
    input(
        "role-to-assume",
        Group::Aws,
        "ARN",
        "",
        "The role for the run's OIDC token: its ARN, or its name with aws-account-id; outside GitHub Actions the usual AWS \
         credentials serve instead",
    ),
    input("aws-region", Group::Aws, "REGION", "that of ecr-repository, else the AWS SDK's", "The region of the repository"),
    input("aws-account-id", Group::Aws, "ID", "the role's account", "The account of the repository"),
    input("allowed-account-ids", Group::Aws, "LIST", "that of aws-account-id", "The accounts that the credentials may be of"),
    switch("create-repository", Group::Aws, "false", "Create the repository if there is none"),
    input("role-session-name", Group::Aws, "NAME", "of the repository and the run", "What the session is called in AWS's logs"),
    input("role-duration-seconds", Group::Aws, "SECONDS", "3600", "How long credentials last before they are renewed"),
    input("audience", Group::Aws, "NAME", "sts.amazonaws.com", "Whom the OIDC token is for"),
    input("session-policy", Group::Aws, "JSON", "", "A policy that narrows what the role may do"),
    input(
        "report-dir",
        Group::Report,
        "FOLDER",
        "gp-deliver-report",
        "Where summary.md, record.json, sarif/, sbom/ and outputs go",
    ),
];

/// What `plan` takes besides.
pub const MATRIX: Input = input(
    "matrix",
    Group::Delivery,
    "FOLDERS",
    "",
    "For plan: folders with a Dockerfile each, such as services/*, to print as a matrix of jobs",
);

/// The token for GitHub's API: an input of the action and no flag, since every process can read the arguments of others.
pub const TOKEN: Input = input(
    "github-token",
    Group::Report,
    "TOKEN",
    "${{ github.token }}",
    "The token for the Security tab and the check run: it needs security-events: write and checks: write; no flag",
);

/// What the action does: the command line's first word.
pub const COMMAND: Input =
    input("command", Group::Delivery, "NAME", "deliver", "What the action does: deliver, plan, doctor or policy; no flag");

/// All inputs of the action, in the order of its description.
pub fn of_action() -> impl Iterator<Item = &'static Input> {
    [&COMMAND].into_iter().chain(flags()).chain([&TOKEN])
}

/// All that the command line takes.
fn flags() -> impl Iterator<Item = &'static Input> {
    ALL.iter().chain([&MATRIX])
}

/// The values that were given, by input name. An empty value is no value: the form in which GitHub passes an input that
/// the workflow leaves out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inputs(BTreeMap<&'static str, String>);

impl Inputs {
    /// Takes the values that `given` knows for the inputs' names.
    pub fn collect(given: impl Fn(&Input) -> Option<String>) -> Self {
        let value = |input: &Input| given(input).filter(|value| !value.trim().is_empty());
        Self(flags().filter_map(|input| Some((input.name, value(input)?))).collect())
    }

    /// The value given for an input.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        debug_assert!(flags().any(|input| input.name == name), "no input is named {name}");
        self.0.get(name).map(String::as_str)
    }
}

/// The variable in which the Actions runner passes an input: in capitals, hyphens kept.
#[must_use]
pub fn variable(name: &str) -> String {
    format!("INPUT_{}", name.to_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kebab_case_and_given_once() {
        let mut names: Vec<_> = ALL.iter().map(|input| input.name).collect();
        assert!(names.iter().all(|name| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')), "{names:?}");
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ALL.len());
    }

    #[test]
    fn an_empty_value_is_none() {
        let inputs = Inputs::collect(|input| Some(if input.name == "tags" { "x" } else { " \n" }.to_owned()));
        assert_eq!(inputs.get("tags"), Some("x"));
        assert_eq!(inputs.get("environment"), None);
    }

    #[test]
    fn the_runner_keeps_hyphens() {
        assert_eq!(variable("build-context"), "INPUT_BUILD-CONTEXT");
    }
}
