//! What happened, stage by stage: the one source of every report.
//!
//! The record is written while things happen, so that a crash, a cancel and a success end in the same report. Its JSON
//! form (`record.json`) is public and versioned: `docs/record.schema.json` describes it. This room has data and no words: it
//! knows none of the rooms that bring something about.

mod build_cache;
mod diagnosis;
mod gitops;
mod recorder;
mod sandbox;
mod signer;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub(crate) use crate::stage_name::StageName;
pub(crate) use build_cache::{BuildCache, CacheReading, CacheWriting, CachedStep};
pub(crate) use diagnosis::Diagnosis;
pub(crate) use gitops::{GitOps, GitOpsResult};
pub(crate) use recorder::{Checkpoints, Contribution, Recorder, StageLog, StageRecorder, Watcher};
pub(crate) use sandbox::{MissingPart, Sandbox};
pub(crate) use signer::{Certified, KeySigner, Signer, Sigstore};

use crate::build_check::BuildCheck;
use crate::changes::Since;
use crate::coverage::{Gap, JudgedBy};
use crate::environment::{Environment, Requirements};
use crate::finding::{Finding, Severity, Suppression};
use crate::materials::Materials;
use crate::oci::{Digest, Platform, Tag};
use crate::registry_scan::RegistryScan;

/// The version of `record.json`'s form; a change that a reader could notice raises it.
pub(crate) const VERSION: u32 = 2;

/// A delivery, from its inputs to its end.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Record {
    /// The version of this form: [`VERSION`].
    pub(crate) version: u32,
    /// The version of gp-deliver that wrote it.
    pub(crate) gp_deliver: String,
    /// When it began.
    #[cfg_attr(test, schemars(with = "String"))]
    pub(crate) started_at: Timestamp,
    /// How long it took, in milliseconds; 0 until it has ended.
    pub(crate) elapsed_ms: u64,
    /// How it ended; absent while it runs.
    pub(crate) result: Option<RunResult>,
    /// The environment it was bound for; absent where the inputs were wrong.
    pub(crate) environment: Option<Environment>,
    /// What that environment demands.
    pub(crate) demands: Option<Requirements>,
    /// The mildest severity that counts against the gate.
    pub(crate) severity_threshold: Option<Severity>,
    /// Whether vulnerabilities without a fix are left out of the gate.
    pub(crate) ignore_unfixed: bool,
    /// The source that was delivered.
    pub(crate) source: Option<Source>,
    /// The stages in the order in which they began.
    pub(crate) stages: Vec<Stage>,
    /// All findings, suppressed ones excluded.
    pub(crate) findings: Vec<Finding>,
    /// What the project let through by its own files.
    pub(crate) suppressions: Vec<Suppression>,
    /// What is in the image and was not judged, whether that was accepted or not.
    #[serde(default)]
    pub(crate) unscanned: Vec<Gap>,
    /// What the registry's own scan found; absent where it was not asked for, or not come to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) registry_scan: Option<RegistryScan>,
    /// What the builder's own checks say of the Dockerfile.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) build_checks: Vec<BuildCheck>,
    /// The vulnerability database that was used.
    pub(crate) database: Option<Database>,
    /// What programs were shut in; absent where none was started.
    #[serde(default)]
    pub(crate) sandbox: Option<Sandbox>,
    /// The build cache that machines share; absent where none is asked for, and nothing was built.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) build_cache: Option<BuildCache>,
    /// The image, once there is one.
    pub(crate) image: Option<ImageRecord>,
    /// What the image is called in SBOMs and in the Security tab: its repository without a registry, or its folder.
    #[serde(default)]
    pub(crate) name: Option<String>,
    /// Where the image is bound for, `oci:PATH` or `HOST[:PORT]/NAME`; absent where the inputs were wrong.
    pub(crate) destination: Option<String>,
    /// What the destination already held of this commit and was reused; absent where the image was built.
    pub(crate) reuse: Option<Reuse>,
    /// What was signed about the image, and kept beside it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) attestations: Vec<Attestation>,
    /// By whom; absent where nothing is known to be signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) signer: Option<Signer>,
    /// The digest of `record.signed.json`: the record as it was when the verdict was signed, which names it so. Absent where this
    /// delivery has signed no verdict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub(crate) signed: Option<Digest>,
    /// When the image was judged whose verdict was taken as it is; absent where the image was judged now, or nothing was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub(crate) precedent: Option<Timestamp>,
    /// What is different since the image of before; absent where that is not asked, or it is this image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) since: Option<Since>,
    /// What was published; absent where nothing was.
    pub(crate) publication: Option<Publication>,
    /// The tags that may name the image although nothing was published: they could not be put back, or it is not known what
    /// became of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(test, schemars(with = "Vec<String>"))]
    pub(crate) leftovers: Vec<Tag>,
    /// What became of the repository that a cluster is brought to; absent where none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) gitops: Option<GitOps>,
    /// Why it failed; absent unless it did.
    pub(crate) failure: Option<Diagnosis>,
    /// What a reader should know besides: skipped tags, hidden commits, a missing database.
    pub(crate) warnings: Vec<String>,
}

impl Record {
    /// A record in which nothing has happened yet.
    pub(crate) fn begin(started_at: Timestamp) -> Self {
        Self {
            version: VERSION,
            gp_deliver: env!("CARGO_PKG_VERSION").to_owned(),
            started_at,
            elapsed_ms: 0,
            result: None,
            environment: None,
            demands: None,
            severity_threshold: None,
            ignore_unfixed: false,
            source: None,
            stages: Vec::new(),
            findings: Vec::new(),
            suppressions: Vec::new(),
            unscanned: Vec::new(),
            registry_scan: None,
            build_checks: Vec::new(),
            database: None,
            sandbox: None,
            build_cache: None,
            image: None,
            name: None,
            destination: None,
            reuse: None,
            attestations: Vec::new(),
            signer: None,
            signed: None,
            precedent: None,
            since: None,
            publication: None,
            leftovers: Vec::new(),
            gitops: None,
            failure: None,
            warnings: Vec::new(),
        }
    }
}

/// How a delivery ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub(crate) enum RunResult {
    /// The image is published.
    Delivered,
    /// The gate held it back: a normal ending.
    Blocked,
    /// Something failed.
    Failed,
    /// All passed, and publishing was not asked for.
    Skipped,
    /// A signal ended it.
    Cancelled,
}

impl RunResult {
    /// The word for outputs and reports.
    #[must_use]
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Blocked => "blocked",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Cancelled => "cancelled",
        }
    }
}

/// What the destination held of a commit, and what was done with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "is", rename_all = "lowercase")]
pub(crate) enum Reuse {
    /// The commit was delivered: nothing was done.
    Delivered,
    /// The commit's image was there, and tags that were missing are set.
    Completed,
    /// Another environment's image was judged, and is delivered to this one.
    Promoted {
        /// The environment whose delivery built it.
        from: Environment,
        /// What it was judged by; absent where that is the image itself.
        #[serde(rename = "judged-by", default, skip_serializing_if = "JudgedBy::is_image")]
        judged_by: JudgedBy,
    },
    /// The images of the platforms, which other jobs of the run have delivered without a tag, are one image now.
    Assembled,
}

/// The source that was delivered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Source {
    /// The commit's full id; absent outside git.
    pub(crate) commit: Option<String>,
    /// The branch; absent on a detached head and outside git.
    pub(crate) branch: Option<String>,
    /// The git tag that is delivered; absent elsewhere.
    pub(crate) tag: Option<String>,
    /// Whether what can go into the image differs from the commit.
    pub(crate) dirty: bool,
}

impl Source {
    /// The version that a `v*` tag names.
    #[must_use]
    pub(crate) fn version(&self) -> Option<semver::Version> {
        self.tag.as_ref()?.strip_prefix('v')?.parse().ok()
    }
}

/// One part of a delivery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Stage {
    /// The stage.
    pub(crate) name: StageName,
    /// When it began, in milliseconds after the delivery did.
    pub(crate) started_ms: u64,
    /// How long its own work took, in milliseconds.
    pub(crate) elapsed_ms: u64,
    /// How long it had waited for others when it began, in milliseconds.
    #[serde(default)]
    pub(crate) waited_ms: u64,
    /// The stages that it waited for.
    #[serde(default)]
    pub(crate) waited_for: Vec<StageName>,
    /// How it ended.
    pub(crate) outcome: StageOutcome,
    /// Its result in one line: `1 leak in 12 commits`. May be empty.
    pub(crate) detail: String,
}

impl Stage {
    /// When it ended, in milliseconds after the delivery began; for one that runs, when it began.
    #[must_use]
    pub(crate) fn ended_ms(&self) -> u64 {
        self.started_ms + self.elapsed_ms
    }

    /// Whether it has ended, however that was.
    #[must_use]
    pub(crate) fn is_over(&self) -> bool {
        self.outcome != StageOutcome::Running
    }
}

/// How a stage ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "is", content = "why", rename_all = "lowercase")]
pub(crate) enum StageOutcome {
    /// It has not ended.
    Running,
    /// It passed.
    Passed,
    /// There is something to look at, and the delivery goes on.
    Advised,
    /// It held the delivery back.
    Blocked,
    /// It was not needed or not possible, and this is why.
    Skipped(String),
    /// It failed: what happened, in one line. The record's `failure` has the details.
    Failed(String),
    /// Another stage's failure or a signal ended it.
    Cancelled,
}

/// The vulnerability database that was used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Database {
    /// Where it came from, as the input names it.
    pub(crate) repository: String,
    /// The digest of its manifest.
    #[cfg_attr(test, schemars(with = "String"))]
    pub(crate) digest: Digest,
    /// When its advisories were gathered.
    #[cfg_attr(test, schemars(with = "String"))]
    pub(crate) updated_at: Timestamp,
}

/// The image that was built.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct ImageRecord {
    /// The digest of the manifest, or of the index where there are several platforms.
    #[cfg_attr(test, schemars(with = "String"))]
    pub(crate) digest: Digest,
    /// The size in bytes of all its content as it is stored.
    pub(crate) size: u64,
    /// The image of each platform.
    pub(crate) platforms: Vec<PlatformRecord>,
    /// Its layers that earlier deliveries on this machine had made or read; absent where there were none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) known: Option<KnownLayers>,
}

/// Layers that were taken as an earlier delivery had left them, once they were seen to be what they are taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct KnownLayers {
    /// How many.
    pub(crate) layers: u32,
    /// How many bytes they have as they are stored.
    pub(crate) bytes: u64,
}

/// The image of one platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct PlatformRecord {
    /// The platform.
    #[cfg_attr(test, schemars(with = "String"))]
    pub(crate) platform: Platform,
    /// The digest of its manifest.
    #[cfg_attr(test, schemars(with = "String"))]
    pub(crate) digest: Digest,
    /// How many layers it has.
    pub(crate) layers: u32,
    /// The number of packages that the SBOM lists; absent where there is no SBOM.
    pub(crate) packages: Option<u32>,
    /// The SBOM files, relative to the report's folder.
    pub(crate) sboms: Vec<String>,
    /// What it was built from; absent where it was not built here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) materials: Option<Materials>,
    /// The address of the builder that built it; absent where there was one for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) builder: Option<String>,
}

/// A statement that was signed and is kept beside an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Attestation {
    /// The digest of the manifest that it is about.
    #[cfg_attr(test, schemars(with = "String"))]
    pub(crate) subject: Digest,
    /// The type of what it says, by its address.
    pub(crate) predicate: String,
    /// The digest of the manifest that it is kept by.
    #[cfg_attr(test, schemars(with = "String"))]
    pub(crate) referrer: Digest,
    /// The number under which GitHub keeps it too; absent where GitHub does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) github: Option<u64>,
}

/// What was published, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Publication {
    /// `oci:PATH` or `HOST[:PORT]/NAME`.
    pub(crate) destination: String,
    /// The digest that all the tags name.
    #[cfg_attr(test, schemars(with = "String"))]
    pub(crate) digest: Digest,
    /// The tags, in the order in which they were set.
    #[cfg_attr(test, schemars(with = "Vec<String>"))]
    pub(crate) tags: Vec<Tag>,
    /// Bytes that were sent or written.
    pub(crate) bytes_sent: u64,
    /// Blobs that the destination had already.
    pub(crate) blobs_present: u32,
    /// Blobs that were sent or written.
    pub(crate) blobs_sent: u32,
}
