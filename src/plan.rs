//! What a delivery would do, as JSON, without doing it.

use jiff::Timestamp;
use serde::Serialize;

use crate::config::{self, Config, SecretsHistory, Suppressions};
use crate::environment::{Environment, Requirements};
use crate::finding::Severity;
use crate::oci::{Compression, Platform, Tag};
use crate::record::{Source, StageName};
use crate::scan::syft::Format;
use crate::tags::{self, ForbiddenTag, Planned, Values};

/// The tags that a delivery of `source` sets.
///
/// # Errors
/// All templates that give a forbidden tag.
pub(crate) fn tags<B>(config: &Config<B>, source: &Source) -> Result<Planned, Vec<ForbiddenTag>> {
    let version = config.version.clone().or_else(|| source.version());
    let values = Values {
        environment: config.environment,
        commit: source.commit.as_deref(),
        branch: source.branch.as_deref(),
        version: version.as_ref(),
        now: Timestamp::now(),
    };
    tags::plan(&config.tags, &values)
}

/// The plan of a delivery.
#[derive(Debug, Serialize)]
pub(crate) struct Plan<'a> {
    environment: Environment,
    gates: Requirements,
    severity_threshold: Severity,
    ignore_unfixed: bool,
    source: &'a Source,
    secrets_history: &'a SecretsHistory,
    suppressions: &'a Suppressions,
    context: String,
    dockerfile: String,
    target: Option<&'a str>,
    check_targets: &'a [String],
    /// Empty: the builder's own.
    platforms: &'a [Platform],
    /// Of several builders those of each platform, in the order in which they are asked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    builders: Vec<PlannedBuilders>,
    compression: Compression,
    sbom_formats: &'a [Format],
    publish: bool,
    destination: String,
    tags: Vec<&'a Tag>,
    skipped_tags: Vec<SkippedTag<'a>>,
    report_dir: String,
    stages: Vec<StageName>,
}

/// Who is asked to build for a platform, the first one first.
#[derive(Debug, Serialize)]
pub(crate) struct PlannedBuilders {
    pub(crate) platform: Platform,
    pub(crate) addresses: Vec<String>,
}

#[derive(Debug, Serialize)]
struct SkippedTag<'a> {
    template: &'a str,
    why: &'a str,
}

impl<'a> Plan<'a> {
    /// The plan that follows from a configuration, a source and its tags; of several builders with those of each platform.
    #[must_use]
    pub(crate) fn new(config: &'a Config, source: &'a Source, tags: &'a Planned, builders: Vec<PlannedBuilders>) -> Self {
        Self {
            environment: config.environment,
            gates: config.environment.requirements(),
            severity_threshold: config.threshold.severity,
            ignore_unfixed: config.threshold.ignore_unfixed,
            source,
            secrets_history: &config.secrets_history,
            suppressions: &config.suppressions,
            context: config.context.display().to_string(),
            dockerfile: config.build.dockerfile.display().to_string(),
            target: config.build.target.as_deref(),
            check_targets: &config.build.check_targets,
            platforms: &config.build.platforms,
            builders,
            compression: config.build.compression,
            sbom_formats: &config.sbom_formats,
            publish: config.publish == config::Publish::Yes,
            destination: config.destination.to_string(),
            tags: tags.tags.iter().map(|planned| &planned.tag).collect(),
            skipped_tags: tags.skipped.iter().map(|(template, why)| SkippedTag { template, why }).collect(),
            report_dir: config.report_dir.display().to_string(),
            stages: stages(config),
        }
    }
}

/// The stages that would run, in the order of the report.
fn stages(config: &Config) -> Vec<StageName> {
    use StageName::{Checks, CodeScanning, Destination, Promotion, Publish, Sbom, Upload};
    let runs = |stage: &StageName| match stage {
        // Whether there is something to promote is known when the destination was looked at.
        Promotion => false,
        Checks => !config.build.check_targets.is_empty(),
        Sbom => !config.sbom_formats.is_empty(),
        CodeScanning => config.environment.requirements().sarif_upload && config.github.is_some(),
        Destination | Publish => config.publish == config::Publish::Yes,
        Upload => config.publish == config::Publish::Yes && config.destination.is_a_registry(),
        _ => true,
    };
    StageName::ALL.into_iter().filter(runs).collect()
}
