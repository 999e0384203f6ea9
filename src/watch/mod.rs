//! What the environments' moving tags name, judged anew by the advisories of the day: what became known since it was delivered is
//! told, shown in the Security tab and kept in one issue an image.

mod images;
mod issue;
mod judged;
mod shown;
mod summary;

pub(crate) use images::OF_SIGNERS;
pub(crate) use judged::Report;

use futures_util::future::join_all;

use self::images::Registry;
use self::judged::{Judged, Watched};
use self::shown::Shown;
use crate::config::Config;
use crate::diagnosis::Diagnosis;
use crate::error::Error;
use crate::github::Event;
use crate::inputs::Inputs;
use crate::oci::Reference;
use crate::report::{self, RunnerFiles};
use crate::sink::Redacted;
use crate::verify::{self, As};

/// What the command line asks besides the inputs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Request {
    /// Who may have signed, and by what of them that is known; the image is filled in for each.
    pub(crate) verified: verify::Request,
    /// Whether JSON is wanted.
    pub(crate) json: bool,
}

/// Looks at all images. What can't be looked at ends nothing: the others are looked at all the same.
///
/// # Errors
/// The request makes no sense, or AWS gives no identity.
pub(crate) async fn watch(
    config: &Config<()>,
    inputs: &Inputs,
    event: Option<&Event>,
    request: &Request,
) -> Result<Report, Error> {
    let registry = Registry::open(config, event).await?;
    let (images, mut warnings) = images::of(config, inputs, &registry)?;
    let looks = images.iter().map(|image| look(config, inputs, &registry, image, request));
    let mut watched = join_all(looks).await;
    // A request that makes no sense makes none for any image.
    if let Some(at) = watched.iter().position(|one| matches!(one, Err(Error::Inputs(_)))) {
        watched.swap_remove(at)?;
    }
    let watched = images.iter().zip(watched).map(|(image, looked)| Watched {
        image: image.to_string(),
        looked: looked.map_err(|error| Diagnosis::from(&error)),
        issue: None,
    });
    let mut watched: Vec<_> = watched.collect();
    let is_shown = Shown::to(config, inputs, event)?.show(&mut watched, &mut warnings).await;
    Ok(Report { watched, warnings, is_shown })
}

async fn look(
    config: &Config<()>,
    inputs: &Inputs,
    registry: &Registry,
    image: &Reference,
    request: &Request,
) -> Result<Judged, Error> {
    let asked = images::asked(config, inputs, image, &request.verified)?;
    let (session, credentials) = registry.known_for(image);
    let table = verify::look(&asked, As { session, credentials }).await?;
    Ok(Judged::of(table, config.threshold))
}

/// Writes the report where it goes.
///
/// # Errors
/// It can't be written.
pub(crate) fn write(report: &Report, reports: &report::Folder, runner: &RunnerFiles) -> Result<(), report::Error> {
    let sarif: Vec<(usize, Redacted)> = (1..).zip(&report.watched).filter_map(|(at, one)| Some((at, one.sarif()?))).collect();
    report::write_watched(&summary::render(report), &sarif, reports, runner)
}
