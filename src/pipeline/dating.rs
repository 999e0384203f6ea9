//! What an image is dated by.

use super::Delivery;
use crate::buildkit::date::{self, SourceDate};
use crate::config::Build;
use crate::error::Error;
use crate::source::{Checkout, Definition};

/// What an image is dated by: the build's own argument, else the commit.
pub(super) async fn date(delivery: &Delivery, checkout: &Checkout) -> Result<Option<SourceDate>, Error> {
    let build = &delivery.config.build;
    // One that is no number is for the frontend to read.
    if let Some(given) = given(build) {
        return Ok(given.parse().ok().and_then(SourceDate::of));
    }
    if !build.reproducible {
        return Ok(None);
    }
    Ok(checkout.date(&delivery.launcher).await?.and_then(SourceDate::of))
}

/// The argument that a frontend gets besides those of the build: a Dockerfile that declares it asks for it.
pub(super) fn argument(build: &Build, definition: &Definition, date: Option<SourceDate>) -> Option<(String, String)> {
    let date = date.filter(|_| given(build).is_none() && date::is_asked_for(&definition.dockerfile))?;
    Some((date::ARGUMENT.to_owned(), date.seconds()))
}

/// What the build says itself.
fn given(build: &Build) -> Option<&str> {
    build.arguments.iter().rev().find(|(name, _)| name == date::ARGUMENT).map(|(_, value)| value.trim())
}
