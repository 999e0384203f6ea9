//! What fuzzing reaches of the edit.

use super::edit::{Edited, edit};
use super::refusal::Refusal;
use super::wanted::Wanted;
use super::way::Way;
use crate::oci::Digest;

/// The image `r.example/shop/web`, which the files call `web` too.
fn wanted() -> Option<Wanted> {
    let (repository, tag) = ("r.example/shop/web".parse().ok()?, "prod-0a1b2c3".parse().ok()?);
    Some(Wanted { name: Some("web".to_owned()), repository, tag: Some(tag), digest: Some(Digest::of(b"image")) })
}

fn edited(name: &str, content: &[u8], way: &str) -> Option<Result<Edited, Refusal>> {
    let way = if way.is_empty() { None } else { Some(way.parse::<Way>().ok()?) };
    Some(edit(name, content, &wanted()?, way.as_ref()))
}

/// What a file is with the image in it; none where it is not there, or there already.
pub(crate) fn set(name: &str, content: &[u8], way: &str) -> Option<Result<String, Refusal>> {
    match edited(name, content, way)? {
        Ok(Edited::Changed(after)) => Some(Ok(after)),
        Ok(Edited::NotThere | Edited::Unchanged) => None,
        Err(refusal) => Some(Err(refusal)),
    }
}

/// Whether a file has the image.
pub(crate) fn is_unchanged(name: &str, content: &[u8], way: &str) -> bool {
    edited(name, content, way) == Some(Ok(Edited::Unchanged))
}
