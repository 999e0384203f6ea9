//! The scans, and what they leave in the record.

use std::path::Path;
use std::time::Duration;

use futures_util::future::try_join_all;

use super::building::dockerfile_name;
use super::preflight::Ready;
use super::{Delivery, Ending, count};
use crate::config::{Build, SecretsHistory};
use crate::diagnosis::Diagnosis;
use crate::dockerfile::Dockerfile;
use crate::environment::Gate;
use crate::error::Error;
use crate::finding::{Finding, Vulnerability};
use crate::oci::Image;
use crate::oci::image::PlatformImage;
use crate::oci::registry::Store;
use crate::policy::Scan;
use crate::record::{StageName, StageRecorder};
use crate::scan::database::{self, Database, Kind, Mirror};
use crate::scan::gitleaks::{self, History};
use crate::scan::{self, syft, trivy};

/// Scanners take seconds; one that takes this long hangs.
const DEADLINE: Duration = Duration::from_mins(15);

pub(super) async fn secrets(delivery: &Delivery, ready: &Ready) -> Result<Scan, Error> {
    delivery
        .stage(StageName::Secrets, async |stage| {
            let history = history(delivery, ready).await?;
            let config = &delivery.config;
            let exclude = [config.report_dir.clone(), delivery.staging.clone()];
            let request =
                gitleaks::Request { root: &ready.checkout.root, history: &history, exclude: &exclude, deadline: DEADLINE };
            let leaks = gitleaks::scan(&delivery.launcher, &request).await?;
            leaks.warnings.into_iter().for_each(|warning| delivery.recorder.warn(warning));
            let suppressed: u32 = leaks.suppressions.iter().map(|suppression| suppression.count).sum();
            let found = leaks.findings.len();
            delivery.recorder.write(|record| {
                record.suppressions.extend(leaks.suppressions);
                record.findings.extend(leaks.findings.into_iter().map(Finding::Leak));
            });
            let mut detail = format!(
                "{} in the working tree and {}",
                count(found, "leak"),
                count(usize::try_from(leaks.commits).unwrap_or(usize::MAX), "commit")
            );
            if suppressed > 0 {
                detail = format!("{detail}; {suppressed} suppressed by the project");
            }
            stage.line(&detail);
            Ok((Scan::Complete, ending(found, config.environment.demands().secrets, detail)))
        })
        .await
}

/// The part of the history to scan.
async fn history(delivery: &Delivery, ready: &Ready) -> Result<History, Error> {
    if !ready.checkout.in_git {
        return Ok(History::None);
    }
    match (&delivery.config.secrets_history, &ready.checkout.source.commit) {
        (SecretsHistory::None, _) | (_, None) => Ok(History::None),
        (SecretsHistory::Push(before), Some(head)) if ready.checkout.has(&delivery.launcher, before).await? => {
            Ok(format!("{before}..{head}").parse().map_or(History::Full, History::Commits))
        }
        (SecretsHistory::Push(before), Some(_)) => {
            delivery.recorder.warn(format!(
                "The commit that these changes come after ({before}) is not in the clone: all commits that are there are scanned."
            ));
            Ok(History::Full)
        }
        (SecretsHistory::Full, Some(_)) => Ok(History::Full),
    }
}

fn ending(counting: usize, gate: Gate, detail: String) -> Ending {
    match (counting, gate) {
        (0, _) => Ending::Pass(detail),
        (_, Gate::Advisory) => Ending::Advise(detail),
        (_, Gate::Blocking) => Ending::Block(detail),
    }
}

/// Gets the vulnerability database. None: it can't be had, and this environment goes on without.
pub(super) async fn database(delivery: &Delivery) -> Result<Option<Database>, Error> {
    let gate = delivery.config.environment.demands().vulnerabilities;
    delivery
        .stage(StageName::Database, async |stage| {
            let mirrors = &delivery.config.database_mirrors;
            match fetch(delivery, Kind::Vulnerabilities, mirrors, stage).await {
                Ok(database) => {
                    let detail = format!(
                        "of {}, from {}",
                        database.record.updated_at.strftime("%Y-%m-%d %H:%M UTC"),
                        database.record.repository
                    );
                    delivery.recorder.write(|record| record.database = Some(database.record.clone()));
                    Ok((Some(database), Ending::Pass(detail)))
                }
                Err(error @ scan::Error::Database { .. }) if gate == Gate::Advisory => {
                    let Diagnosis { what, why, excerpt, .. } = Diagnosis::from(&error);
                    let reasons = excerpt.join("; ");
                    delivery.recorder.warn(format!("{what}, so vulnerabilities are not looked for. {why} {reasons}"));
                    Ok((None, Ending::Skip(what)))
                }
                Err(error) => Err(error.into()),
            }
        })
        .await
}

async fn fetch(delivery: &Delivery, kind: Kind, mirrors: &[Mirror], stage: &StageRecorder) -> Result<Database, scan::Error> {
    let credentials = Store::from_env();
    // Without a home there is no cache that lasts.
    let cache = database::cache_folder().unwrap_or_else(|| delivery.staging.join("databases"));
    let request = database::Request { kind, mirrors, cache: &cache, credentials: &credentials, grace: database::GRACE };
    let voice = stage.voice();
    let received = database::fetch(&request, &|bytes| voice.progress(&format!("{} MB", bytes / 1_000_000))).await?;
    received.warnings.iter().for_each(|warning| delivery.recorder.warn(warning));
    Ok(received)
}

pub(super) async fn vulnerabilities(
    delivery: &Delivery,
    ready: &Ready,
    image: &Image,
    database: Option<Database>,
) -> Result<Scan, Error> {
    let config = &delivery.config;
    let Some(database) = database else {
        delivery.recorder.skip(StageName::Vulnerabilities, "there is no vulnerability database");
        return Ok(Scan::Missing);
    };
    delivery
        .stage(StageName::Vulnerabilities, async |stage| {
            let origins = Origins::read(&config.build, &ready.checkout.root);
            let scans = image.platforms.iter().map(async |platform| {
                let request = trivy::Request {
                    image,
                    platform,
                    database: &database.folder,
                    root: &ready.checkout.root,
                    deadline: DEADLINE,
                };
                let java = async || {
                    fetch(delivery, Kind::Java, &config.java_database_mirrors, stage).await.map(|database| database.folder)
                };
                let mut found = trivy::scan(&delivery.launcher, &request, java).await?;
                origins.trace(&mut found.findings, platform);
                Ok::<_, scan::Error>(found)
            });
            let found = try_join_all(scans).await?;
            let packages: u32 = found.iter().map(|found| found.packages).sum();
            let (mut total, mut counting) = (0, 0);
            for found in found {
                found.warnings.into_iter().for_each(|warning| delivery.recorder.warn(warning));
                total += found.findings.len();
                counting += found.findings.iter().filter(|finding| config.threshold.counts(finding)).count();
                delivery.recorder.write(|record| {
                    record.suppressions.extend(found.suppressions);
                    record.findings.extend(found.findings.into_iter().map(Finding::Vulnerability));
                });
            }
            let packages = count(usize::try_from(packages).unwrap_or(usize::MAX), "package");
            let detail = format!("{total} findings in {packages}, {counting} at {} or over", config.threshold.severity);
            Ok((Scan::Complete, ending(counting, config.environment.demands().vulnerabilities, detail)))
        })
        .await
}

/// The Dockerfile that findings are traced to.
struct Origins<'a> {
    build: &'a Build,
    /// One that was built a moment ago can be read; should it be gone by now, findings are not traced.
    dockerfile: Option<Dockerfile>,
    name: String,
}

impl<'a> Origins<'a> {
    fn read(build: &'a Build, root: &Path) -> Self {
        let text = std::fs::read_to_string(&build.dockerfile).unwrap_or_default();
        Self { build, dockerfile: Dockerfile::parse(&text).ok(), name: dockerfile_name(&build.dockerfile, root) }
    }

    /// Says for each finding which instruction brought its layer.
    fn trace(&self, findings: &mut [Vulnerability], platform: &PlatformImage) {
        let Some(dockerfile) = &self.dockerfile else { return };
        let arguments = self.build.arguments.iter().cloned().collect();
        let origins = dockerfile.origin(&self.name, self.build.target.as_deref(), &arguments, &platform.config);
        for finding in findings {
            let layer = platform.layers.iter().position(|layer| Some(layer.diff_id) == finding.layer);
            finding.instruction = layer.and_then(|layer| origins.get(layer).cloned());
        }
    }
}

pub(super) async fn sboms(delivery: &Delivery, image: &Image) -> Result<(), Error> {
    let formats = &delivery.config.sbom_formats;
    if formats.is_empty() {
        delivery.recorder.skip(StageName::Sbom, "no SBOM format is asked for");
        return Ok(());
    }
    delivery
        .stage(StageName::Sbom, async |_| {
            let folder = delivery.config.report_dir.join("sbom");
            fresh(&folder).map_err(|source| Error::Io { path: folder.clone(), source })?;
            let name = delivery.recorder.write(|record| record.name.clone()).unwrap_or_default();
            let lists = image.platforms.iter().map(|platform| {
                let request = syft::Request { image, platform, name: &name, formats, folder: &folder, deadline: DEADLINE };
                async move { syft::list(&delivery.launcher, &request).await }
            });
            let sboms = try_join_all(lists).await?;
            let packages: u32 = sboms.iter().map(|sbom| sbom.packages).sum();
            delivery.recorder.write(|record| {
                let platforms = record.image.iter_mut().flat_map(|image| &mut image.platforms);
                for (platform, sbom) in platforms.zip(sboms) {
                    platform.packages = Some(sbom.packages);
                    platform.sboms = sbom.files.iter().map(|file| format!("sbom/{file}")).collect();
                }
            });
            Ok(((), Ending::Pass(count(usize::try_from(packages).unwrap_or(usize::MAX), "package"))))
        })
        .await
}

/// An empty folder: the SBOMs of an earlier delivery must not pass for this one's.
fn fresh(folder: &Path) -> std::io::Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    std::fs::create_dir_all(folder)
}
