//! The scan for secrets: of the source and its history, of what the builder was told of, of the layers of a foreign image.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::cleared_history::Uncleared;
use super::place::Place;
use super::preflight::Ready;
use super::scanning::{DEADLINE, ending};
use super::{Delivery, Task, besides, set_in, suppressions};
use crate::config::SecretsHistory;
use crate::diagnosis::Diagnosis;
use crate::error::Error;
use crate::finding::Standing;
use crate::oci::Image;
use crate::record::StageName;
use crate::scan::gitleaks::{self, History, Leaks, Lists};
use crate::scan::{self, layers};
use crate::scanner::Tool;
use crate::stamp::Stamp;
use crate::text;

/// Begins to look for secrets in the source.
pub(super) fn look(delivery: &Arc<Delivery>, ready: &Arc<Ready>) -> Task<Leaks> {
    let (owned, ready) = (Arc::clone(delivery), Arc::clone(ready));
    Task::begin(delivery, &[StageName::Secrets], async move { leaks(&owned, &ready).await })
}

pub(super) async fn leaks(delivery: &Delivery, ready: &Ready) -> Result<Leaks, Error> {
    delivery
        .stage(StageName::Secrets, async |log| {
            let (lists, unproven) = suppressions::of_leaks(delivery, ready).await?;
            let (history, warning) = history(delivery, ready).await?;
            let uncleared = uncleared(delivery, ready, lists).await?;
            let history = uncleared.as_ref().map_or(history, |uncleared| uncleared.history.clone());
            let place = place(delivery, ready);
            let exclude = ours(delivery, ready);
            let request = gitleaks::Request {
                root: &ready.checkout.root,
                history: &history,
                exclude: &exclude,
                unseen: &ready.unseen,
                only: None,
                stamped: place.folder.as_deref(),
                lists,
                deadline: DEADLINE,
            };
            let mut leaks = gitleaks::scan(&delivery.launcher, &request).await?;
            let since = uncleared.and_then(|uncleared| uncleared.note(&leaks));
            besides::scan(delivery, ready, &request, &mut leaks).await?;
            leaks.warnings.extend(warning);
            set_in::note(delivery, ready, &mut leaks.suppressions).await;
            let refused = leaks.suppressions.iter().any(|suppression| suppression.standing == Standing::Refused);
            leaks.warnings.extend(unproven.clone().filter(|_| refused));
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
            if let Some(since) = since {
                detail = format!("{detail}; none before in the history up to {}", since.get(..7).unwrap_or(&since));
            }
            if let Some(unseen) = unseen(ready) {
                detail = format!("{detail}; {unseen}");
            }
            log.line(&detail);
            Ok((leaks, ending(delivery, Tool::GITLEAKS, found, detail)))
        })
        .await
}

/// The part of the history that no earlier delivery has cleared, where that is enough.
async fn uncleared(delivery: &Delivery, ready: &Ready, lists: &Lists) -> Result<Option<Uncleared>, Error> {
    match (&delivery.config.secrets_history, &ready.checkout.source.commit) {
        (SecretsHistory::Uncleared, Some(head)) if ready.checkout.in_git => Uncleared::of(delivery, ready, head, lists).await,
        _ => Ok(None),
    }
}

/// What was not looked at.
fn unseen(ready: &Ready) -> Option<String> {
    match ready.unseen.len() {
        0 => None,
        1 => Some("not read: 1 path that git ignores and no build sees".to_owned()),
        many => Some(format!("not read: {many} paths that git ignores and no build sees")),
    }
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

/// Where the build contexts are.
fn place(delivery: &Delivery, ready: &Ready) -> Place {
    Place::within(delivery.config.real_context(), &ready.checkout.root, &ready.places)
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
    let place = place(delivery, ready);
    let (root, folder) = match &place.folder {
        Some(folder) => (&ready.checkout.root, folder.clone()),
        None => (&place.whole, PathBuf::new()),
    };
    let files: Vec<_> = rest.keys().map(|path| folder.join(&***path)).collect();
    let found = delivery
        .stage(StageName::Secrets, async |log| {
            let request = gitleaks::Request {
                root,
                history: &History::None,
                exclude: &[],
                unseen: &[],
                only: Some(&files),
                stamped: Some(&folder),
                lists: &suppressions::of_leaks(delivery, ready).await?.0,
                deadline: DEADLINE,
            };
            let mut found = gitleaks::scan(&delivery.launcher, &request).await?;
            let changed: Vec<_> = rest.iter().filter(|(_, stamp)| !found.stamps.contains(stamp)).map(|(path, _)| path).collect();
            let blocks = delivery.is_held_back_by(Tool::GITLEAKS);
            if !changed.is_empty() {
                let changed = scan::Error::Changed(changed.into_iter().map(|path| text::plain(path)).collect());
                if blocks {
                    return Err(changed.into());
                }
                found.warnings.push(format!("{}.", Diagnosis::from(&changed).what));
            }
            if rest.keys().any(|file| place.is_gits(Path::new(&***file))) {
                found.warnings.push(GIT_IS_SENT.to_owned());
            }
            let (number, count) = (text::count(files.len(), "more file"), found.findings.len());
            let detail = format!("{} in {number} of the build context", text::count(count, "leak"));
            log.line(&detail);
            Ok((found, ending(delivery, Tool::GITLEAKS, count, detail)))
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
    let blocks = delivery.is_held_back_by(Tool::GITLEAKS);
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
        (SecretsHistory::Full | SecretsHistory::Uncleared, Some(_)) => History::Full,
    };
    Ok((history, None))
}
