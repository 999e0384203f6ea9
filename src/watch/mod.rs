//! What the environments' moving tags name, judged anew by the advisories of the day: what became known since it was delivered is
//! told, shown in the Security tab and kept in one issue an image.

mod cluster;
mod images;
mod issue;
mod judged;
mod one;
mod scope;
mod shown;
mod summary;

pub(crate) use judged::Report;
pub(crate) use scope::{Request, Scopes};

use futures_util::future::join_all;

use self::images::Registry;
use self::judged::{Judged, Watched};
use self::scope::Scope;
use self::shown::Shown;
use crate::diagnosis::Diagnosis;
use crate::error::Error;
use crate::github::Event;
use crate::inputs::Inputs;
use crate::oci::Reference;
use crate::report::{self, RunnerFiles};
use crate::sink::Redacted;
use crate::verify::{self, As};

/// Looks at all images of all environments. What can't be looked at ends nothing: the others are looked at all the same.
///
/// # Errors
/// The request makes no sense.
pub(crate) async fn watch(scopes: &Scopes, inputs: &Inputs, event: Option<&Event>) -> Result<Report, Error> {
    let looks = join_all(scopes.all.iter().map(|scope| look_at(scope, event))).await;
    let (mut watched, mut warnings) = (Vec::new(), Vec::new());
    for (scope, looked) in scopes.all.iter().zip(looks) {
        match looked {
            Ok((images, said)) => {
                watched.extend(images);
                warnings.extend(said);
            }
            // A request that makes no sense makes none for any environment.
            Err(error @ (Error::Inputs(_) | Error::Tags(_))) => return Err(error),
            Err(error) if scopes.all.len() == 1 => return Err(error),
            Err(error) => watched.push(scope.unseen(None, &error)),
        }
    }
    let is_shown = Shown::to(&scopes.config, inputs, event)?.show(&mut watched, &mut warnings).await;
    Ok(Report { watched, warnings, is_shown })
}

/// Looks at the images of an environment; with them comes what is to be said of others.
async fn look_at(scope: &Scope, event: Option<&Event>) -> Result<(Vec<Watched>, Vec<String>), Error> {
    let registry = Registry::open(&scope.config, event).await?;
    let (mut images, warnings) = images::of(&scope.config, &scope.inputs, &registry)?;
    let mut unread = None;
    match scope.images_of_cluster(&registry).await {
        Ok(named) => images.extend(named),
        Err(error) => unread = Some(scope.unseen(scope.cluster(), &error)),
    }
    let looks = images.iter().map(|image| look(scope, &registry, &image.reference));
    let mut looked = join_all(looks).await;
    if let Some(at) = looked.iter().position(|one| matches!(one, Err(Error::Inputs(_)))) {
        looked.swap_remove(at)?;
    }
    let watched = images.iter().zip(looked).map(|(image, looked)| Watched {
        image: image.name.clone(),
        environment: scope.config.environment,
        looked: looked.map_err(|error| Diagnosis::from(&error)),
        issue: None,
    });
    Ok((watched.chain(unread).collect(), warnings))
}

async fn look(scope: &Scope, registry: &Registry, image: &Reference) -> Result<Judged, Error> {
    let asked = images::asked(&scope.config, &scope.inputs, image, &scope.verified)?;
    let (session, credentials) = registry.known_for(image);
    let table = verify::look(&asked, As { session, credentials }).await?;
    Ok(Judged::of(table, scope.config.threshold))
}

/// Writes the report where it goes.
///
/// # Errors
/// It can't be written.
pub(crate) fn write(report: &Report, reports: &report::Folder, runner: &RunnerFiles) -> Result<(), report::Error> {
    let sarif: Vec<(usize, Redacted)> =
        (1..).zip(one::analyses(&report.watched)).filter_map(|(at, one)| Some((at, one?))).collect();
    report::write_watched(&summary::render(report), &sarif, reports, runner)
}
