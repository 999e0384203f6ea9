//! What happened, stage by stage: the one source of every report.
//!
//! The record is written while things happen, so that a crash, a cancel and a success end in the same report. Its JSON
//! form (`record.json`) is public and versioned: `docs/record.schema.json` describes it.

mod recorder;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::diagnosis::Diagnosis;
use crate::environment::{Environment, Requirements};
use crate::finding::{Finding, Severity, Suppression};
use crate::oci::{Digest, Platform, Tag};
pub use crate::stage_name::StageName;
pub use recorder::{Contribution, Recorder, StageLog, StageRecorder, Watcher};

/// The version of `record.json`'s form; a change that a reader could notice raises it.
pub const VERSION: u32 = 2;

/// A delivery, from its inputs to its end.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Record {
    /// The version of this form: [`VERSION`].
    pub version: u32,
    /// The version of gp-deliver that wrote it.
    pub gp_deliver: String,
    /// When it began.
    #[cfg_attr(test, schemars(with = "String"))]
    pub started_at: Timestamp,
    /// How long it took, in milliseconds; 0 until it has ended.
    pub elapsed_ms: u64,
    /// How it ended; absent while it runs.
    pub result: Option<RunResult>,
    /// What it was bound for; absent where the inputs were wrong.
    pub environment: Option<Environment>,
    /// What that environment demands.
    pub demands: Option<Requirements>,
    /// The mildest severity that counts against the gate.
    pub severity_threshold: Option<Severity>,
    /// Whether vulnerabilities without a fix are left out of the gate.
    pub ignore_unfixed: bool,
    /// What was delivered from.
    pub source: Option<Source>,
    /// The stages in the order in which they began.
    pub stages: Vec<Stage>,
    /// All findings, suppressed ones excluded.
    pub findings: Vec<Finding>,
    /// What the project let through by its own files.
    pub suppressions: Vec<Suppression>,
    /// The vulnerability database that judged.
    pub database: Option<Database>,
    /// The image, once there is one.
    pub image: Option<ImageRecord>,
    /// What the image is called in SBOMs and in the Security tab: its repository without a registry, or its folder.
    #[serde(default)]
    pub name: Option<String>,
    /// Where the image is bound for, `oci:PATH` or `HOST[:PORT]/NAME`; absent where the inputs were wrong.
    pub destination: Option<String>,
    /// What the destination held of this commit before, and was used; absent where the image was built.
    pub reuse: Option<Reuse>,
    /// What was published; absent where nothing was.
    pub publication: Option<Publication>,
    /// Why it failed; absent unless it did.
    pub failure: Option<Diagnosis>,
    /// What a reader should know besides: skipped tags, hidden commits, a missing database.
    pub warnings: Vec<String>,
}

impl Record {
    /// A record in which nothing has happened yet.
    fn begin(started_at: Timestamp) -> Self {
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
            database: None,
            image: None,
            name: None,
            destination: None,
            reuse: None,
            publication: None,
            failure: None,
            warnings: Vec::new(),
        }
    }
}

/// How a delivery ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum RunResult {
    /// The image is published.
    Delivered,
    /// The gate held it back: a normal ending.
    Blocked,
    /// Something broke.
    Failed,
    /// All passed, and publishing was not asked for.
    Skipped,
    /// A signal ended it.
    Cancelled,
}

impl RunResult {
    /// The word for outputs and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
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
pub enum Reuse {
    /// The commit was delivered: nothing was done.
    Delivered,
    /// The commit's image was there, and tags that were missing are set.
    Completed,
    /// Another environment's image was judged, and is delivered to this one.
    Promoted {
        /// The environment whose delivery built it.
        from: Environment,
    },
}

/// What was delivered from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Source {
    /// The commit's full id; absent outside git.
    pub commit: Option<String>,
    /// The branch; absent on a detached head and outside git.
    pub branch: Option<String>,
    /// The git tag that is delivered; absent elsewhere.
    pub tag: Option<String>,
    /// Whether the working tree differs from the commit.
    pub dirty: bool,
}

impl Source {
    /// The version that a `v*` tag names.
    #[must_use]
    pub fn version(&self) -> Option<semver::Version> {
        self.tag.as_ref()?.strip_prefix('v')?.parse().ok()
    }
}

/// One part of a delivery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Stage {
    /// Which.
    pub name: StageName,
    /// When it began, in milliseconds after the delivery did.
    pub started_ms: u64,
    /// How long its own work took, in milliseconds.
    pub elapsed_ms: u64,
    /// How long it had waited for others when it began, in milliseconds.
    #[serde(default)]
    pub waited_ms: u64,
    /// The stages that it waited for.
    #[serde(default)]
    pub waited_for: Vec<StageName>,
    /// How it ended.
    pub outcome: StageOutcome,
    /// One line of what came of it: `1 leak in 12 commits`. May be empty.
    pub detail: String,
}

impl Stage {
    /// When it ended, in milliseconds after the delivery began; for one that runs, when it began.
    #[must_use]
    pub fn ended_ms(&self) -> u64 {
        self.started_ms + self.elapsed_ms
    }

    /// Whether it has ended, however that was.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.outcome != StageOutcome::Running
    }
}

/// How a stage ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "is", content = "why", rename_all = "lowercase")]
pub enum StageOutcome {
    /// It has not ended.
    Running,
    /// As it should.
    Passed,
    /// There is something to look at, and the delivery goes on.
    Advised,
    /// It held the delivery back.
    Blocked,
    /// It was not needed or not possible, and this is why.
    Skipped(String),
    /// It broke: what happened, in one line. The record's `failure` has the whole.
    Failed(String),
    /// Another stage's failure or a signal ended it.
    Cancelled,
}

/// The vulnerability database that judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Database {
    /// Where it came from, as the input names it.
    pub repository: String,
    /// The digest of its manifest.
    #[cfg_attr(test, schemars(with = "String"))]
    pub digest: Digest,
    /// When its advisories were gathered.
    #[cfg_attr(test, schemars(with = "String"))]
    pub updated_at: Timestamp,
}

/// The image that was built.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ImageRecord {
    /// The digest of the manifest, or of the index where there are several platforms.
    #[cfg_attr(test, schemars(with = "String"))]
    pub digest: Digest,
    /// The size in bytes of all its content as it is stored.
    pub size: u64,
    /// What it runs on.
    pub platforms: Vec<PlatformRecord>,
}

/// The image of one platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PlatformRecord {
    /// Which.
    #[cfg_attr(test, schemars(with = "String"))]
    pub platform: Platform,
    /// The digest of its manifest.
    #[cfg_attr(test, schemars(with = "String"))]
    pub digest: Digest,
    /// How many layers it has.
    pub layers: u32,
    /// The number of packages that the SBOM lists; absent where there is no SBOM.
    pub packages: Option<u32>,
    /// The SBOM files, relative to the report's folder.
    pub sboms: Vec<String>,
}

/// What was published, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Publication {
    /// `oci:PATH` or `HOST[:PORT]/NAME`.
    pub destination: String,
    /// The digest that all the tags name.
    #[cfg_attr(test, schemars(with = "String"))]
    pub digest: Digest,
    /// The tags, in the order in which they were set.
    #[cfg_attr(test, schemars(with = "Vec<String>"))]
    pub tags: Vec<Tag>,
    /// Bytes that were sent or written.
    pub bytes_sent: u64,
    /// Blobs that the destination had already.
    pub blobs_present: u32,
    /// Blobs that were sent or written.
    pub blobs_sent: u32,
}
