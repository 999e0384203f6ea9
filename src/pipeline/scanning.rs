//! The scans, and what they come to.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join_all;

use super::building::dockerfile_name;
use super::coverage::{self, PackageLists, Scanned};
use super::preflight::Ready;
use super::{Delivery, Ending, Task, besides};
use crate::config::{Build, SecretsHistory, Suppressions};
use crate::diagnosis::Diagnosis;
use crate::dockerfile::Dockerfile;
use crate::error::Error;
use crate::finding::{Standing, Suppression, Vulnerability};
use crate::oci::image::PlatformImage;
use crate::oci::registry::Store;
use crate::oci::{Image, Platform};
use crate::publish::Listed;
use crate::record::{StageLog, StageName};
use crate::scan::base::Base;
use crate::scan::database::{self, Database, Kind, Mirror};
use crate::scan::gitleaks::{self, History, Leaks, Lists};
use crate::scan::trivy::ignore::Lists as Ignored;
use crate::scan::{self, layers, syft, trivy};
use crate::scanner::Tool;
use crate::stamp::Stamp;
use crate::text;

/// Scanners take seconds; one that takes this long hangs.
const DEADLINE: Duration = Duration::from_mins(15);

/// Begins to look for secrets in the source.
pub(super) fn secrets(delivery: &Arc<Delivery>, ready: &Arc<Ready>) -> Task<Leaks> {
    let (owned, ready) = (Arc::clone(delivery), Arc::clone(ready));
    Task::begin(delivery, &[StageName::Secrets], async move { leaks(&owned, &ready).await })
}

async fn leaks(delivery: &Delivery, ready: &Ready) -> Result<Leaks, Error> {
    delivery
        .stage(StageName::Secrets, async |log| {
            let (history, warning) = history(delivery, ready).await?;
            let config = &delivery.config;
            let (lists, unproven) = lists(delivery, ready).await?;
            let place = Place::of(delivery, ready);
            let exclude = ours(delivery, ready);
            let request = gitleaks::Request {
                root: &ready.checkout.root,
                history: &history,
                exclude: &exclude,
                only: None,
                stamped: place.context.as_deref(),
                lists: &lists,
                deadline: DEADLINE,
            };
            let mut leaks = gitleaks::scan(&delivery.launcher, &request).await?;
            besides::scan(delivery, ready, &request, &mut leaks).await?;
            leaks.warnings.extend(warning);
            let refused = leaks.suppressions.iter().any(|suppression| suppression.standing == Standing::Refused);
            leaks.warnings.extend(unproven.filter(|_| refused));
            let passed = leaks.suppressions.iter().filter(|suppression| suppression.standing != Standing::Refused);
            let suppressed: u32 = passed.map(|suppression| suppression.count).sum();
            let found = leaks.findings.len();
            let mut detail =
                format!("{} in the working tree and {}", text::count(found, "leak"), text::count(leaks.commits, "commit"));
            if suppressed > 0 {
                detail = format!("{detail}; {suppressed} suppressed by the project");
            }
            let new = leaks.suppressions.iter().filter(|suppression| suppression.standing == Standing::New);
            let new: u32 = new.map(|suppression| suppression.count).sum();
            if new > 0 {
                detail = format!("{detail}, {new} of them new with this change");
            }
            log.line(&detail);
            Ok((leaks, ending(found, Tool::GITLEAKS.blocks(config.environment.requirements()), detail)))
        })
        .await
}

/// Looks for secrets in the layers of an image that was not built here. The source's own scan does not see them.
pub(super) async fn in_layers(delivery: &Delivery, ready: &Ready, image: &Image) -> Result<Leaks, Error> {
    let config = &delivery.config;
    let exclude = [config.report_dir.clone(), delivery.staging.clone()];
    let (source, folder) = (&ready.checkout.root, &delivery.staging);
    let request = layers::Request { image, source, exclude: &exclude, folder, deadline: DEADLINE };
    Ok(layers::scan(&delivery.launcher, &request).await?)
}

/// What is ours and not the project's, by where it is and not by its name; and git's own, which is looked through as history.
fn ours(delivery: &Delivery, ready: &Ready) -> Vec<PathBuf> {
    let ours = [&delivery.config.report_dir, &delivery.staging].into_iter().filter_map(|path| path.canonicalize().ok());
    let git = ready.checkout.in_git.then(|| ready.checkout.root.join(".git")).filter(|git| git.is_dir());
    ours.chain(git).collect()
}

/// Where the build context is.
struct Place {
    /// In the source; absent where it is outside.
    context: Option<PathBuf>,
    whole: PathBuf,
}

impl Place {
    fn of(delivery: &Delivery, ready: &Ready) -> Self {
        let whole = delivery.config.context.canonicalize().unwrap_or_else(|_| delivery.config.context.clone());
        Self { context: whole.strip_prefix(&ready.checkout.root).ok().map(Path::to_owned), whole }
    }
}

/// Looks for secrets in what the builder was told of and nobody has looked at yet: git's own folder, what is outside of the
/// source, and what has changed since.
pub(super) async fn sent(
    delivery: &Delivery,
    ready: &Ready,
    sent: &BTreeMap<Box<str>, Stamp>,
    mut leaks: Leaks,
) -> Result<Leaks, Error> {
    let rest: BTreeMap<_, _> = sent.iter().filter(|(_, stamp)| !leaks.stamps.contains(stamp)).collect();
    if rest.is_empty() {
        return Ok(leaks);
    }
    let place = Place::of(delivery, ready);
    let (root, context) = match &place.context {
        Some(context) => (&ready.checkout.root, context.clone()),
        None => (&place.whole, PathBuf::new()),
    };
    let files: Vec<_> = rest.keys().map(|path| context.join(&***path)).collect();
    let found = delivery
        .stage(StageName::Secrets, async |log| {
            let (lists, _) = lists(delivery, ready).await?;
            let request = gitleaks::Request {
                root,
                history: &History::None,
                exclude: &[],
                only: Some(&files),
                stamped: Some(&context),
                lists: &lists,
                deadline: DEADLINE,
            };
            let mut found = gitleaks::scan(&delivery.launcher, &request).await?;
            let changed: Vec<_> = rest.iter().filter(|(_, stamp)| !found.stamps.contains(stamp)).map(|(path, _)| path).collect();
            let blocks = Tool::GITLEAKS.blocks(delivery.config.environment.requirements());
            if !changed.is_empty() {
                let changed = scan::Error::Changed(changed.into_iter().map(|path| text::plain(path)).collect());
                if blocks {
                    return Err(changed.into());
                }
                found.warnings.push(format!("{}.", Diagnosis::from(&changed).what));
            }
            if files.iter().any(|file| file.starts_with(context.join(".git"))) {
                found.warnings.push(GIT_IS_SENT.to_owned());
            }
            let (number, count) = (text::count(files.len(), "more file"), found.findings.len());
            let detail = format!("{} in {number} of the build context", text::count(count, "leak"));
            log.line(&detail);
            Ok((found, ending(count, blocks, detail)))
        })
        .await?;
    delivery.recorder.accept(&found);
    leaks.findings.extend(found.findings);
    Ok(leaks)
}

/// What is said where the builder gets git's own folder.
const GIT_IS_SENT: &str = "The build context has git's own folder in it, with all branches that were fetched and whatever token \
                           the checkout keeps there. Name .git in .dockerignore.";

/// The part of the history to scan, and what is to be said of it.
async fn history(delivery: &Delivery, ready: &Ready) -> Result<(History, Option<String>), Error> {
    let config = &delivery.config;
    let blocks = Tool::GITLEAKS.blocks(config.environment.requirements());
    let said = |what: &str| blocks.then(|| format!("{what} were scanned for secrets, by the choice of `secrets-history`."));
    if !ready.checkout.in_git {
        let none = "No history was scanned for secrets: git knows nothing of the source.".to_owned();
        return Ok((History::None, Some(none).filter(|_| blocks)));
    }
    let history = match (&config.secrets_history, &ready.checkout.source.commit) {
        (SecretsHistory::None, Some(_)) => return Ok((History::None, said("No commits"))),
        (_, None) => History::None,
        (SecretsHistory::Push(before), Some(head)) if ready.checkout.has(&delivery.launcher, before).await? => {
            let range = format!("{before}..{head}").parse().map_or(History::Full, History::Commits);
            return Ok((range, said(&format!("Only the commits after {before}"))));
        }
        _ if blocks && ready.checkout.shallow => return Err(scan::Error::ShallowHistory.into()),
        (SecretsHistory::Push(before), Some(_)) => {
            let warning = format!(
                "The commit that these changes come after ({before}) is not in the clone: all commits that are there are scanned."
            );
            return Ok((History::Full, Some(warning)));
        }
        (SecretsHistory::Full, Some(_)) => History::Full,
    };
    Ok((history, None))
}

/// What the project lets through that counts, and what is to be said where that is nothing.
async fn lists(delivery: &Delivery, ready: &Ready) -> Result<(Lists, Option<String>), Error> {
    let root = &ready.checkout.root;
    let open = async |commit: &str| -> Result<Option<Base>, Error> {
        let known = ready.checkout.in_git;
        Ok(if known { Base::open(&delivery.launcher, root, commit).await? } else { None })
    };
    Ok(match &delivery.config.suppressions {
        Suppressions::Head(before) => {
            let base = match before {
                Some(before) => open(before).await?,
                None => None,
            };
            (Lists::of_change(root, base).await?, None)
        }
        Suppressions::Base(commit) => {
            let base = open(commit).await?;
            let missing = base.is_none().then(|| {
                format!(
                    "The commit whose lists of what is let through count ({commit}) is not in the clone, so none of them counts. \
                     Check out with `fetch-depth: 0`."
                )
            });
            (Lists::of_base(root, base).await?, missing)
        }
        Suppressions::Unproven => (Lists::of_base(root, None).await?, Some(UNPROVEN.to_owned())),
    })
}

/// What is said where the project's lists let nothing through on a push.
const UNPROVEN: &str = "The project's lists let nothing through here: what came before this push may have been held back too, \
                        and would let itself through. Set `suppressions` to the id of a commit whose lists somebody has looked \
                        at, or to `head`.";

pub(super) fn ending(counting: usize, blocks: bool, detail: String) -> Ending {
    match (counting, blocks) {
        (0, _) => Ending::Pass(detail),
        (_, false) => Ending::Advise(detail),
        (_, true) => Ending::Block(detail),
    }
}

/// What vulnerabilities are looked up in.
pub(super) enum Advisories {
    /// A database.
    Known(Database),
    /// It can't be had, and this environment goes on without: the warning that says so.
    Missing(String),
}

/// Begins to get the vulnerability database.
pub(super) fn database(delivery: &Arc<Delivery>) -> Task<Advisories> {
    let owned = Arc::clone(delivery);
    Task::begin(delivery, &[StageName::Database], async move { advisories(&owned).await })
}

async fn advisories(delivery: &Delivery) -> Result<Advisories, Error> {
    let blocks = Tool::TRIVY.blocks(delivery.config.environment.requirements());
    delivery
        .stage(StageName::Database, async |log| {
            match fetch(delivery, Kind::Vulnerabilities, &delivery.config.database_mirrors, &log).await {
                Ok(database) => {
                    let detail = format!(
                        "of {}, from {}",
                        database.record.updated_at.strftime("%Y-%m-%d %H:%M UTC"),
                        database.record.repository
                    );
                    Ok((Advisories::Known(database), Ending::Pass(detail)))
                }
                Err(error @ scan::Error::Database { .. }) if !blocks => {
                    let Diagnosis { what, why, excerpt, .. } = Diagnosis::from(&error);
                    let reasons = excerpt.join("; ");
                    let warning = format!("{what}, so vulnerabilities are not looked for. {why} {reasons}");
                    Ok((Advisories::Missing(warning), Ending::Skip(what)))
                }
                Err(error) => Err(error.into()),
            }
        })
        .await
}

async fn fetch(delivery: &Delivery, kind: Kind, mirrors: &[Mirror], log: &StageLog) -> Result<Database, scan::Error> {
    let credentials = Store::from_env();
    // Without a home there is no cache that lasts.
    let cache = database::cache_folder().unwrap_or_else(|| delivery.staging.join("databases"));
    let max_age = delivery.config.database_max_age;
    let request = database::Request { kind, mirrors, cache: &cache, credentials: &credentials, max_age, grace: database::GRACE };
    database::fetch(&request, &|bytes| log.progress(&text::size(bytes))).await
}

/// What is vulnerable in an image, on all its platforms.
#[derive(Default)]
pub(super) struct Vulnerabilities {
    pub(crate) findings: Vec<Vulnerability>,
    pub(crate) suppressions: Vec<Suppression>,
    pub(crate) packages: u32,
    pub(crate) warnings: Vec<String>,
    /// What was seen and what was not, platform by platform.
    pub(super) platforms: Vec<Scanned>,
}

impl Vulnerabilities {
    fn add(&mut self, platform: Platform, found: trivy::Vulnerabilities) {
        self.findings.extend(found.findings);
        self.suppressions.extend(found.suppressions);
        self.packages = self.packages.saturating_add(found.packages);
        self.warnings.extend(found.warnings);
        self.platforms.push(Scanned { platform, list: found.list, gaps: found.gaps });
    }
}

/// Looks for vulnerabilities. None: there is nothing to look them up in.
pub(super) async fn vulnerabilities(
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
            let origins = Origins::read(&config.build, &ready.checkout.root);
            let (ignored, differ) = trivy_lists(delivery, ready).await?;
            let scans = image.platforms.iter().map(async |platform| {
                let mut found = scan_platform(delivery, &ignored, (image, platform), database, &log).await?;
                origins.trace(&mut found.findings, platform);
                Ok::<_, scan::Error>(found)
            });
            let mut found = Vulnerabilities { warnings: ignored.warnings.clone(), ..Vulnerabilities::default() };
            for (scanned, platform) in try_join_all(scans).await?.into_iter().zip(&image.platforms) {
                found.add(platform.platform.clone(), scanned);
            }
            found.warnings.extend(differ);
            mark_new(delivery, ready, &mut found.suppressions).await?;
            let (total, counting) =
                (found.findings.len(), found.findings.iter().filter(|finding| config.threshold.counts(finding)).count());
            let packages = text::count(found.packages, "package");
            let unjudged: usize = found.platforms.iter().map(|scanned| scanned.gaps.len()).sum();
            let unjudged = if unjudged > 0 { format!("; {unjudged} not judged") } else { String::new() };
            let detail = format!("{total} findings in {packages}, {counting} at {} or over{unjudged}", config.threshold.severity);
            Ok((found, ending(counting, Tool::TRIVY.blocks(config.environment.requirements()), detail)))
        })
        .await?;
    delivery.recorder.accept(&found);
    Ok(Some(found))
}

/// Marks what the change's own lists let through and those before it do not have.
async fn mark_new(delivery: &Delivery, ready: &Ready, suppressions: &mut [Suppression]) -> Result<(), Error> {
    let Suppressions::Head(Some(before)) = &delivery.config.suppressions else { return Ok(()) };
    if suppressions.is_empty() || !ready.checkout.in_git {
        return Ok(());
    }
    let Some(base) = Base::open(&delivery.launcher, &ready.checkout.root, before).await? else { return Ok(()) };
    for suppression in suppressions {
        let list = base.file(&suppression.by).await?.unwrap_or_default();
        let words = String::from_utf8_lossy(&list).into_owned();
        let is_known = words.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-')).any(|word| word == suppression.id);
        suppression.standing = if is_known { Standing::Known } else { Standing::New };
    }
    Ok(())
}

/// The lists of vulnerabilities that count, and what is to be said of those that do not: those of the source's root, and
/// those beside what is built.
async fn trivy_lists(delivery: &Delivery, ready: &Ready) -> Result<(Ignored, Option<String>), Error> {
    let (config, root) = (&delivery.config, &ready.checkout.root);
    let beside = config.build.dockerfile.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let places = [config.context.as_path(), beside];
    let commit = match &config.suppressions {
        Suppressions::Head(_) => return Ok((Ignored::read(root, &places)?, None)),
        Suppressions::Base(commit) => Some(commit),
        Suppressions::Unproven => None,
    };
    let base = match commit.filter(|_| ready.checkout.in_git) {
        Some(commit) => Base::open(&delivery.launcher, root, commit).await?,
        None => None,
    };
    let folder = delivery.staging.join("lists");
    std::fs::create_dir_all(&folder).map_err(|source| Error::Io { path: folder.clone(), source })?;
    let (mut counting, mut differing) = (Vec::new(), Vec::new());
    for place in [root.as_path()].into_iter().chain(places) {
        let Some(place) = place.canonicalize().ok().filter(|place| !counting.contains(place)) else { continue };
        differing.extend(lists_of_base(base.as_ref(), root, &place, &folder).await?);
        counting.push(place);
    }
    let differ = (!differing.is_empty()).then(|| {
        format!(
            "What is new in {} does not count: it came with the change, or nobody can tell (`suppressions`).",
            text::list(&differing)
        )
    });
    let inside = counting.iter().filter_map(|place| place.strip_prefix(root).ok());
    let copies: Vec<_> = inside.map(|place| folder.join(place)).collect();
    let copies: Vec<_> = copies.iter().map(PathBuf::as_path).collect();
    Ok((Ignored::read(&folder, &copies)?, differ))
}

/// Writes the lists that the base has at `place` into `folder`, and names those that are there now and differ from them. What
/// is outside of the source is in no base.
async fn lists_of_base(base: Option<&Base>, root: &Path, place: &Path, folder: &Path) -> Result<Vec<String>, Error> {
    let mut differing = Vec::new();
    for name in trivy::ignore::FILES {
        let path = place.strip_prefix(root).ok().map(|inside| inside.join(name));
        let counts = match (base, path.as_ref().and_then(|path| path.to_str())) {
            (Some(base), Some(path)) => base.file(path).await?,
            _ => None,
        };
        if let (Some(bytes), Some(path)) = (&counts, &path) {
            let copy = folder.join(path);
            let failed = |source| Error::Io { path: copy.clone(), source };
            std::fs::create_dir_all(copy.parent().unwrap_or(folder)).map_err(failed)?;
            std::fs::write(&copy, bytes).map_err(failed)?;
        }
        // What can't be read is no list that lets something through.
        if std::fs::read(place.join(name)).is_ok_and(|now| counts.is_none_or(|counts| counts != now)) {
            differing.push(path.unwrap_or_else(|| place.join(name)).display().to_string());
        }
    }
    Ok(differing)
}

async fn scan_platform(
    delivery: &Delivery,
    ignored: &Ignored,
    (image, platform): (&Image, &PlatformImage),
    database: &Database,
    log: &StageLog,
) -> Result<trivy::Vulnerabilities, scan::Error> {
    let request = trivy::Request { image, platform, database: &database.folder, ignored, deadline: DEADLINE };
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

/// The SBOMs of an image, one a platform.
pub(super) struct Sboms(pub(crate) Vec<syft::Sbom>);

/// Writes down what is in the image, where that is asked for. Where vulnerabilities block, it is listed in any case: what
/// trivy did not see is known by that alone.
pub(super) async fn sboms(delivery: &Delivery, image: &Image, told: PackageLists) -> Result<Listed, Error> {
    let formats = &delivery.config.sbom_formats;
    if formats.is_empty() && !coverage::counts(delivery) {
        delivery.recorder.skip(StageName::Sbom, "no SBOM format is asked for");
        return Ok(Listed::NotAsked);
    }
    let sboms = delivery
        .stage(StageName::Sbom, async |_| {
            let folder = delivery.config.report_dir.join("sbom");
            fresh(&folder).map_err(|source| Error::Io { path: folder.clone(), source })?;
            let name = delivery.recorder.write(|record| record.name.clone()).unwrap_or_default();
            let lists = image.platforms.iter().map(|platform| {
                let request = syft::Request { image, platform, name: &name, formats, folder: &folder, deadline: DEADLINE };
                async move { syft::list(&delivery.launcher, &request).await }
            });
            let mut sboms = try_join_all(lists).await?;
            told.give(sboms.iter_mut().map(|sbom| std::mem::take(&mut sbom.list)).collect());
            let packages: u32 = sboms.iter().map(|sbom| sbom.packages).sum();
            let detail = text::count(packages, "package");
            Ok((Sboms(sboms), Ending::Pass(detail)))
        })
        .await?;
    delivery.recorder.accept(&sboms);
    Ok(if formats.is_empty() { Listed::NotAsked } else { Listed::Written })
}

/// An empty folder: the SBOMs of an earlier delivery must not pass for this one's.
fn fresh(folder: &Path) -> std::io::Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    std::fs::create_dir_all(folder)
}
