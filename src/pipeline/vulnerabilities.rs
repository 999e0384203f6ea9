//! The scan of an image for vulnerabilities.

use bytes::Bytes;
use futures_util::future::try_join_all;
use jiff::Timestamp;

use super::advisories::{Advisories, fetch};
use super::claim::dockerfile_name;
use super::preflight::Ready;
use super::scanning::{self, DEADLINE, ending};
use super::{Delivery, set_in, suppressions};
use crate::config::Build;
use crate::coverage::Gap;
use crate::dockerfile::Dockerfile;
use crate::error::Error;
use crate::finding::{Suppression, Vulnerability};
use crate::oci::image::PlatformImage;
use crate::oci::{Image, Platform};
use crate::record::{StageLog, StageName};
use crate::scan::database::{Database, Kind};
use crate::scan::packages::Packages;
use crate::scan::syft::Attested;
use crate::scan::trivy::Analyses;
use crate::scan::trivy::ignore::Lists;
use crate::scan::{self, trivy};
use crate::scanner::Tool;
use crate::source;
use crate::text;

/// What is vulnerable in an image, on all its platforms.
#[derive(Default)]
pub(super) struct Vulnerabilities {
    pub(crate) findings: Vec<Vulnerability>,
    pub(crate) suppressions: Vec<Suppression>,
    pub(crate) packages: u32,
    pub(crate) warnings: Vec<String>,
    /// What was seen and what was not, platform by platform.
    pub(super) platforms: Vec<Scanned>,
    /// What the project lets through.
    ignored: Lists,
}

/// What was scanned of one platform.
pub(super) struct Scanned {
    pub(super) platform: Platform,
    /// What trivy has looked up.
    pub(super) list: Packages,
    /// What it says itself that it did not judge.
    pub(super) gaps: Vec<Gap>,
    /// Its report, as it wrote it.
    pub(super) report: Bytes,
    /// When it began, and when it ended.
    pub(super) times: (Timestamp, Timestamp),
}

impl Vulnerabilities {
    fn add(&mut self, platform: Platform, found: trivy::Vulnerabilities) {
        self.findings.extend(found.findings);
        self.suppressions.extend(found.suppressions);
        self.packages = self.packages.saturating_add(found.packages);
        self.warnings.extend(found.warnings);
        let trivy::Vulnerabilities { list, gaps, report, times, .. } = found;
        self.platforms.push(Scanned { platform, list, gaps, report, times });
    }
}

/// Looks for vulnerabilities. None: there is nothing to look them up in.
pub(super) async fn find(
    delivery: &Delivery,
    ready: &Ready,
    image: &Image,
    advisories: &Advisories,
) -> Result<Option<Vulnerabilities>, Error> {
    let config = &delivery.config;
    let Advisories::Known(database) = advisories else {
        delivery.recorder.skip(StageName::Vulnerabilities, "there is no vulnerability database");
        return Ok(None);
    };
    let found = delivery
        .stage(StageName::Vulnerabilities, async |log| {
            let origins = Origins::of(&config.build, ready);
            let (ignored, differ) = suppressions::of_vulnerabilities(delivery, ready).await?;
            let scans = image.platforms.iter().map(async |platform| {
                let sbom = ready.origin.as_ref().and_then(|origin| origin.sbom(platform.digest));
                let mut found = match sbom {
                    Some(sbom) => by_sbom(delivery, &ignored, (sbom, platform), database).await?,
                    None => scan_platform((delivery, ready), &ignored, (image, platform), database, &log).await?,
                };
                origins.trace(&mut found.findings, platform)?;
                Ok::<_, Error>(found)
            });
            let mut found = Vulnerabilities { warnings: ignored.warnings.clone(), ..Vulnerabilities::default() };
            for (scanned, platform) in try_join_all(scans).await?.into_iter().zip(&image.platforms) {
                found.add(platform.platform.clone(), scanned);
            }
            found.warnings.extend(differ);
            found.ignored = ignored;
            suppressions::mark_new(delivery, ready, &mut found.suppressions).await?;
            set_in::note(delivery, ready, &mut found.suppressions).await;
            let (total, counting) =
                (found.findings.len(), found.findings.iter().filter(|finding| config.threshold.counts(finding)).count());
            let packages = text::count(found.packages, "package");
            let unjudged: usize = found.platforms.iter().map(|scanned| scanned.gaps.len()).sum();
            let unjudged = if unjudged > 0 { format!("; {unjudged} not judged") } else { String::new() };
            let detail = format!("{total} findings in {packages}, {counting} at {} or over{unjudged}", config.threshold.severity);
            Ok((found, ending(delivery, Tool::TRIVY, counting, detail)))
        })
        .await?;
    delivery.recorder.accept(&found);
    Ok(Some(found))
}

async fn scan_platform(
    (delivery, ready): (&Delivery, &Ready),
    ignored: &Lists,
    (image, platform): (&Image, &PlatformImage),
    database: &Database,
    log: &StageLog,
) -> Result<trivy::Vulnerabilities, scan::Error> {
    let (database, keep) = (database.folder.as_path(), delivery.config.signing.is_on());
    let namespace = scanning::known_again(delivery, ready);
    let analyses = namespace.and_then(|namespace| Analyses::of(&delivery.launcher, &namespace, platform));
    let analyses = analyses.as_ref();
    let request = trivy::Request { image, platform, database, ignored, deadline: DEADLINE, keep, analyses };
    let mut java_warnings = Vec::new();
    let java = async || {
        let java = fetch(delivery, Kind::Java, &delivery.config.java_database_mirrors, log).await?;
        java_warnings = java.warnings;
        Ok(java.folder)
    };
    let mut found = trivy::scan(&delivery.launcher, &request, java).await?;
    found.warnings.extend(java_warnings);
    Ok(found)
}

/// The same by the list of what is in the image, which is not here.
async fn by_sbom(
    delivery: &Delivery,
    ignored: &Lists,
    (sbom, platform): (&Attested, &PlatformImage),
    database: &Database,
) -> Result<trivy::Vulnerabilities, scan::Error> {
    let request = trivy::SbomRequest {
        sbom,
        platform: &platform.platform,
        image: platform.digest,
        database: database.folder.as_path(),
        ignored,
        deadline: DEADLINE,
        keep: delivery.config.signing.is_on(),
    };
    trivy::judge_sbom(&delivery.launcher, &request).await
}

impl Vulnerabilities {
    /// Looks for vulnerabilities in packages that the SBOM lists for a platform and trivy has not seen there.
    pub(super) async fn judge(
        &self,
        delivery: &Delivery,
        (image, platform): (&Image, &PlatformImage),
        database: &Database,
        packages: &Packages,
    ) -> Result<trivy::Vulnerabilities, scan::Error> {
        let (database, ignored) = (database.folder.as_path(), &self.ignored);
        let request = trivy::Request { image, platform, database, ignored, deadline: DEADLINE, keep: false, analyses: None };
        trivy::judge(&delivery.launcher, &request, packages).await
    }
}

/// The Dockerfile that findings are traced to.
struct Origins<'a> {
    build: &'a Build,
    /// Absent where it can't be told what it says: findings are not traced then.
    dockerfile: Option<&'a Dockerfile>,
    name: String,
}

impl<'a> Origins<'a> {
    fn of(build: &'a Build, ready: &'a Ready) -> Self {
        Self { build, dockerfile: ready.dockerfile.as_ref(), name: dockerfile_name(&build.dockerfile, &ready.checkout.root) }
    }

    /// Says for each finding which instruction brought its layer.
    fn trace(&self, findings: &mut [Vulnerability], platform: &PlatformImage) -> Result<(), Error> {
        let Some(dockerfile) = self.dockerfile else { return Ok(()) };
        let arguments = self.build.arguments.iter().cloned().collect();
        let origins = dockerfile.origin(&self.name, self.build.target.as_deref(), &arguments, &platform.config);
        let origins = origins.map_err(|error| source::Error::Dockerfile { path: self.build.dockerfile.clone(), error })?;
        for finding in findings {
            let layer = platform.layers.iter().position(|layer| Some(layer.diff_id) == finding.layer);
            finding.instruction = layer.and_then(|layer| origins.get(layer).cloned());
        }
        Ok(())
    }
}
