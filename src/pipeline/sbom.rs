//! The list of what is in an image.

use std::path::Path;

use futures_util::future::try_join_all;

use super::coverage::{self, PackageLists};
use super::preflight::Ready;
use super::scanning::{self, DEADLINE};
use super::{Delivery, Ending};
use crate::error::Error;
use crate::oci::Image;
use crate::publish::Listed;
use crate::record::StageName;
use crate::scan::syft::{self, Listings};
use crate::text;

/// The SBOMs of an image, one a platform.
pub(super) struct Sboms(pub(crate) Vec<syft::Sbom>);

/// Writes down what is in the image, where that is asked for. Where vulnerabilities block, it is listed in any case: what
/// trivy did not see is known by that alone.
pub(super) async fn list(delivery: &Delivery, ready: &Ready, image: &Image, told: PackageLists) -> Result<Listed, Error> {
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
            let (name, folder, namespace) = (&*name, &*folder, scanning::known_again(delivery, ready));
            let lists = image.platforms.iter().map(async |platform| {
                let listings = |namespace: &String| Listings::of(&delivery.launcher, namespace, name, platform);
                let listings = namespace.as_ref().and_then(listings);
                let listings = listings.as_ref();
                let request = syft::Request { image, platform, name, formats, folder, deadline: DEADLINE, listings };
                syft::list(&delivery.launcher, &request).await
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
