//! What the project lets through that counts in a delivery: that of the change, or that of a commit before it.

use std::path::{Path, PathBuf};

use super::Delivery;
use super::context::folder_of;
use super::preflight::Ready;
use crate::beneath::{Links, Root};
use crate::config::Suppressions;
use crate::error::Error;
use crate::finding::{Standing, Suppression};
use crate::scan::base::Base;
use crate::scan::gitleaks::Lists;
use crate::scan::trivy;
use crate::scan::trivy::ignore::Lists as Ignored;
use crate::text;

/// The commit before the change whose lists count, or are compared with; absent where there is none that is known.
async fn base<'a>(delivery: &Delivery, ready: &'a Ready) -> Result<Option<&'a Base>, Error> {
    let commit = match &delivery.config.suppressions {
        Suppressions::Head(Some(commit)) | Suppressions::Base(commit) if ready.checkout.in_git => commit,
        _ => return Ok(None),
    };
    let open = || Base::open(&delivery.launcher, &ready.checkout.root, commit);
    Ok(ready.base.get_or_try_init(open).await?.as_ref())
}

/// What the project lets through of leaks that counts, as it was when it was asked for first, and what is to be said where that
/// is nothing.
pub(super) async fn of_leaks<'a>(delivery: &Delivery, ready: &'a Ready) -> Result<&'a (Lists, Option<String>), Error> {
    ready.leaks.get_or_try_init(|| read_of_leaks(delivery, ready)).await
}

async fn read_of_leaks(delivery: &Delivery, ready: &Ready) -> Result<(Lists, Option<String>), Error> {
    let root = &ready.checkout.root;
    let base = base(delivery, ready).await?.cloned();
    Ok(match &delivery.config.suppressions {
        Suppressions::Head(_) => (Lists::of_change(root, base).await?, None),
        Suppressions::Base(commit) => {
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

/// The lists of vulnerabilities that count, and what is to be said of those that do not: those of the source's root, and
/// those beside what is built.
pub(super) async fn of_vulnerabilities(delivery: &Delivery, ready: &Ready) -> Result<(Ignored, Option<String>), Error> {
    let (config, root) = (&delivery.config, &ready.checkout.root);
    let places = [config.context.as_path(), folder_of(&config.build.dockerfile)];
    if let Suppressions::Head(_) = config.suppressions {
        return Ok((Ignored::read(root, &places)?, None));
    }
    let base = base(delivery, ready).await?;
    let folder = delivery.staging.join("lists");
    std::fs::create_dir_all(&folder).map_err(|source| Error::Io { path: folder.clone(), source })?;
    let (mut counting, mut differing) = (Vec::new(), Vec::new());
    for place in [root.as_path()].into_iter().chain(places) {
        let Some(place) = place.canonicalize().ok().filter(|place| !counting.contains(place)) else { continue };
        differing.extend(lists_of_base(base, root, &place, &folder).await?);
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
        let now = Root::open(place)
            .ok()
            .and_then(|root| root.read(name.as_ref(), Links::Refused, trivy::ignore::MAX_BYTES).ok().flatten());
        if now.is_some_and(|now| counts.is_none_or(|counts| counts != now)) {
            differing.push(path.unwrap_or_else(|| place.join(name)).display().to_string());
        }
    }
    Ok(differing)
}

/// Marks what the change's own lists let through and those before it do not have.
pub(super) async fn mark_new(delivery: &Delivery, ready: &Ready, suppressions: &mut [Suppression]) -> Result<(), Error> {
    if suppressions.is_empty() || !matches!(delivery.config.suppressions, Suppressions::Head(_)) {
        return Ok(());
    }
    let Some(base) = base(delivery, ready).await? else { return Ok(()) };
    for suppression in suppressions {
        let list = base.file(&suppression.by).await?.unwrap_or_default();
        let words = String::from_utf8_lossy(&list).into_owned();
        let is_known = words.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-')).any(|word| word == suppression.id);
        suppression.standing = if is_known { Standing::Known } else { Standing::New };
    }
    Ok(())
}
