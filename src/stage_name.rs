//! The parts of a delivery: one table.

use serde::{Deserialize, Serialize};

/// The table: a stage, and the word that reports have for it.
macro_rules! stages {
    ($($(#[$doc:meta])* $stage:ident = $word:literal,)*) => {
        /// The parts of a delivery, in the order in which a report lists them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[cfg_attr(test, derive(schemars::JsonSchema))]
        #[serde(rename_all = "kebab-case")]
        pub(crate) enum StageName {
            $($(#[$doc])* $stage,)*
        }

        impl StageName {
            /// All, in the order in which a report lists them.
            pub(crate) const ALL: [Self; [$(Self::$stage),*].len()] = [$(Self::$stage),*];

            /// The word for reports.
            #[must_use]
            pub(crate) fn name(self) -> &'static str {
                match self {
                    $(Self::$stage => $word,)*
                }
            }
        }
    };
}

stages! {
    /// What would fail after minutes is looked at: programs, the source, tags, the builder.
    Preflight = "preflight",
    /// The identity at the destination, and what it holds already.
    Destination = "destination",
    /// gitleaks looks for secrets in the source.
    Secrets = "secrets scan",
    /// Stages of the Dockerfile that must build before the image does.
    Checks = "checks",
    /// BuildKit builds the image, and it is read into a layout.
    Build = "build",
    /// The image of another environment's delivery is fetched instead of built.
    Promotion = "promotion",
    /// The vulnerability database is fetched.
    Database = "vulnerability database",
    /// trivy looks for packages with advisories in the image.
    Vulnerabilities = "vulnerability scan",
    /// syft lists what is in the image.
    Sbom = "SBOM",
    /// The policy decides.
    Decision = "decision",
    /// Findings go to the Security tab.
    CodeScanning = "code scanning",
    /// The image's content goes to a registry.
    Upload = "upload",
    /// The registry's own scan of the image is waited for.
    RegistryScan = "ECR scan",
    /// What is known of the image is signed, and kept beside it.
    Signing = "signing",
    /// The image gets its tags: from here on it can be seen.
    Publish = "publish",
    /// What was built goes to the build cache that machines share.
    BuildCache = "build cache",
    /// GitHub is told where the published image is kept.
    StorageRecord = "storage record",
    /// The repository that a cluster is brought to names the published image.
    GitOps = "GitOps update",
    /// The figures of the delivery are put where they are watched.
    Metrics = "metrics",
}
