//! An image is judged by the list of what is in it, and not looked at.
//!
//! trivy takes syft's own file, too, but reads of a distribution's packages neither what they were built from nor which
//! distribution that is, and then finds less without a word. So it gets a list that says both in the words that it reads. What
//! it does not look up even so is a gap.

use std::path::Path;
use std::time::Duration;

use super::ignore::Lists;
use super::{About, Means, Scan, Subject, Vulnerabilities, listed, unseen};
use crate::coverage::{Gap, GapKind};
use crate::oci::{Digest, Platform};
use crate::process::Launcher;
use crate::scan::Error;
use crate::scan::packages::{Missing, Shortfall};
use crate::scan::syft::{Attested, Distribution};
use crate::scanner::Tool;

/// What a module's packages have in their release: their advisories stand under the module's name, which the list does not say.
const OF_MODULE: &str = ".module";

/// What to judge.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SbomRequest<'a> {
    /// What is in the image.
    pub(crate) sbom: &'a Attested,
    /// The image's platform.
    pub(crate) platform: &'a Platform,
    /// The digest of its manifest.
    pub(crate) image: Digest,
    /// The folder with `trivy.db`.
    pub(crate) database: &'a Path,
    /// What the project lets through.
    pub(crate) ignored: &'a Lists,
    /// The time that trivy may take.
    pub(crate) deadline: Duration,
    /// Whether its report is kept as it is.
    pub(crate) keep: bool,
}

/// Looks for vulnerabilities in what an SBOM lists.
///
/// # Errors
/// It was not judged.
pub(crate) async fn judge_sbom(launcher: &Launcher, request: &SbomRequest<'_>) -> Result<Vulnerabilities, Error> {
    let SbomRequest { sbom, platform, image, database, ignored, deadline, keep } = *request;
    let distribution = sbom.distribution.as_ref();
    let analyzer = distribution.and_then(|distribution| analyzer(distribution.kind));
    let about = About { platform: platform.clone(), image_id: image.to_string(), diff_ids: Vec::new(), analyzer };
    let run = Scan::new(launcher, Means { database, ignored, deadline, keep }, about, Subject::List)?;
    let path = run.list();
    listed::write(&path, &run.about, &sbom.list.by_name(), distribution).map_err(Error::io(&path))?;
    let mut found = run.conclude(&run.start(None, None).await?)?;
    let Missing { mut unjudged, by_name } = unseen(&found.list, &found.gaps, &sbom.list);
    unjudged.extend(found.list.refused(&by_name));
    unjudged.extend(distribution.and_then(of_modules));
    found.gaps.extend(unjudged.into_iter().map(|Shortfall { name, why }| Gap {
        tool: Tool::TRIVY,
        kind: GapKind::Packages,
        name,
        why,
        platform: platform.clone(),
        accepted: None,
    }));
    Ok(found)
}

/// The part of trivy that reads the list of a distribution's packages in an image.
fn analyzer(kind: &str) -> Option<&'static str> {
    [("deb", "dpkg"), ("apk", "apk"), ("rpm", "rpm")].into_iter().find(|(known, _)| *known == kind).map(|(_, name)| name)
}

/// The packages of modules (Red Hat's `modularity`).
fn of_modules(distribution: &Distribution) -> Option<Shortfall> {
    let of_modules = distribution.packages.iter().filter(|package| package.version.contains(OF_MODULE)).count();
    (distribution.kind == "rpm" && of_modules > 0).then(|| Shortfall {
        name: "rpm".to_owned(),
        why: format!("{of_modules} of the packages are of modules, whose advisories can't be told by the SBOM"),
    })
}
