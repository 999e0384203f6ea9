//! syft: what is in the image, as SBOM files.

mod attested;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod listings;

pub(crate) use attested::{Attested, Distribution, Installed};
pub(crate) use listings::Listings;

use std::collections::HashSet;
use std::fmt;
use std::fs;
use std::io::BufReader;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use rustix::process::{getegid, geteuid};
use serde::de::{DeserializeOwned, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::Error;
use super::packages::{OF_DISTRIBUTIONS, Package, Packages};
use super::platform::PlatformFolder;
use crate::document;
use crate::oci::Image;
use crate::oci::image::PlatformImage;
use crate::process::{self, Launcher, Limits, Output, Reach};
use crate::scanner::Tool;

/// The most that is read of an SBOM, in bytes.
pub(crate) const MAX_BYTES: u64 = 1 << 30;

/// An SBOM format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub(crate) enum Format {
    /// SPDX 2.3 as JSON.
    #[serde(rename = "spdx-json")]
    SpdxJson,
    /// `CycloneDX` as JSON.
    #[serde(rename = "cyclonedx-json")]
    CycloneDxJson,
}

impl Format {
    /// All.
    pub(crate) const ALL: [Self; 2] = [Self::SpdxJson, Self::CycloneDxJson];

    /// The name that syft has for it.
    #[must_use]
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::SpdxJson => "spdx-json",
            Self::CycloneDxJson => "cyclonedx-json",
        }
    }

    /// The file name extension of the format, as both projects advise.
    #[must_use]
    pub(crate) fn extension(self) -> &'static str {
        match self {
            Self::SpdxJson => "spdx.json",
            Self::CycloneDxJson => "cdx.json",
        }
    }
}

impl FromStr for Format {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|format| format.name() == text).ok_or(())
    }
}

/// What to list.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request<'a> {
    /// The image.
    pub(crate) image: &'a Image,
    /// Which of its platforms.
    pub(crate) platform: &'a PlatformImage,
    /// The image's name in the files: what it is published as.
    pub(crate) name: &'a str,
    /// The formats to write.
    pub(crate) formats: &'a [Format],
    /// The folder for the files; it is there.
    pub(crate) folder: &'a Path,
    /// The time that syft may take.
    pub(crate) deadline: Duration,
    /// What was listed of the same layers before, where that counts.
    pub(crate) listings: Option<&'a Listings>,
}

/// What is in the image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sbom {
    /// How many packages it lists.
    pub(crate) packages: u32,
    /// What of it trivy should have looked up: what is part of a distribution's package (a Python library of a Debian
    /// package) is judged as that.
    pub(crate) list: Packages,
    /// The names of the files, in the folder that was asked for: `linux-amd64.spdx.json`.
    pub(crate) files: Vec<String>,
}

/// Lists what is in the image of one platform. A file appears whole or not at all.
///
/// # Errors
/// The image was not listed, or the files can't be written.
pub(crate) async fn list(launcher: &Launcher, request: &Request<'_>) -> Result<Sbom, Error> {
    // Beside its destination, so that the last step is a rename.
    let beside = tempfile::Builder::new().prefix(".sbom-").tempdir_in(request.folder).map_err(Error::io(request.folder))?;
    let (packages, list) = match listed_before(request, beside.path()) {
        Some(listed) => listed,
        None => list_anew(launcher, request, beside.path()).await?,
    };
    let files = request.formats.iter().map(|format| place(*format, beside.path(), request)).collect::<Result<_, _>>()?;
    Ok(Sbom { packages, list, files })
}

/// What was listed of the same layers, with its files in a folder.
fn listed_before(request: &Request<'_>, folder: &Path) -> Option<(u32, Packages)> {
    let listings = request.listings?;
    listings.lay_into(folder, request.platform).ok().filter(|is_there| *is_there)?;
    // What goes wrong may be what somebody has made of it.
    check(folder, &Output::default()).inspect_err(|_| listings.forget()).ok()
}

/// Has syft list it, into a folder.
async fn list_anew(launcher: &Launcher, request: &Request<'_>, folder: &Path) -> Result<(u32, Packages), Error> {
    let temporary = std::env::temp_dir();
    let scratch = tempfile::Builder::new().prefix("gp-deliver-").tempdir().map_err(Error::io(&temporary))?;
    let image = PlatformFolder::create(request.image, request.platform)?;
    let output = |format: Format| {
        let mut output = std::ffi::OsString::from(format!("--output={}=", format.name()));
        output.push(folder.join(format.extension()));
        output
    };
    let mut source = std::ffi::OsString::from("oci-dir:");
    source.push(image.path());
    let reach = image.readable(Reach::nothing(Limits::SYFT)).writes(scratch.path()).writes(folder);
    let run = launcher.find(Tool::SYFT.name())?.run(request.deadline, reach).in_turn();
    let run = run.env("GOMEMLIMIT", Limits::SYFT.for_go()).env("GOGC", Limits::GROWTH);
    // Not quiet: that would swallow the reason of a failure, too.
    let run = run.args(["scan", "--source-name", request.name, "--source-version"]);
    let run = run.arg(request.platform.manifest.digest().to_string()).args(Format::ALL.map(output)).arg(source);
    let run = run.folder(scratch.path()).env("TMPDIR", scratch.path()).env("HOME", scratch.path());
    let output = run.env("SYFT_CHECK_FOR_APP_UPDATE", "false").output().await?;
    if output.code != 0 {
        return Err(Error::failed(Tool::SYFT, &output));
    }
    let listed = check(folder, &output)?;
    request.listings.into_iter().for_each(|listings| listings.keep(folder, request));
    Ok(listed)
}

/// SPDX 2.3, "Document Creation Information".
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spdx {
    #[serde(rename = "spdxVersion")]
    version: String,
    #[serde(default)]
    packages: Vec<SpdxPackage>,
    #[serde(default)]
    relationships: Overlaps,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SpdxPackage {
    #[serde(rename = "SPDXID")]
    id: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    version_info: String,
    #[serde(default)]
    source_info: SourceInfo,
    #[serde(default)]
    external_refs: Vec<ExternalRef>,
}

impl SpdxPackage {
    /// Whether it is the image itself, which is the first package of the document.
    fn is_image(&self) -> bool {
        self.id.starts_with("SPDXRef-DocumentRoot")
    }

    /// Its package URL. syft gives a distribution's package none where no file says which distribution that is; what kind of
    /// package it is, its identifier says: `SPDXRef-Package-deb-tar-02…`.
    fn url(&self) -> String {
        let url = self.external_refs.iter().find(|reference| reference.reference_type == "purl");
        url.map_or_else(|| self.url_of_identifier(), |url| url.reference_locator.clone())
    }

    fn url_of_identifier(&self) -> String {
        let kind = self.id.strip_prefix("SPDXRef-Package-").and_then(|rest| rest.split_once('-')).map(|(kind, _)| kind);
        let kind = match kind {
            Some(kind @ ("deb" | "apk" | "rpm" | "alpm" | "nix")) => kind,
            Some("portage") => "ebuild",
            // It is in the image, and no more can be said of it.
            _ => "generic",
        };
        format!("pkg:{kind}/{}", self.name)
    }
}

/// SPDX 2.3, "External reference field".
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ExternalRef {
    reference_type: String,
    reference_locator: String,
}

/// The first file that syft found a package in, as a path in the image: `acquired package info from DPKG DB: /var/lib/…, …`.
#[derive(Default)]
struct SourceInfo(Option<String>);

impl<'de> Deserialize<'de> for SourceInfo {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let files = text.split_once(": /").map(|(_, files)| files);
        Ok(Self(files.and_then(|files| files.split(", /").next()).map(str::to_owned)))
    }
}

/// Which package has put files of another there, as pairs (syft's `OwnershipByFileOverlapRelationship`).
#[derive(Default)]
struct Overlaps(Vec<(String, String)>);

/// SPDX 2.3, "Relationships between SPDX elements".
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Relationship {
    spdx_element_id: String,
    related_spdx_element: String,
    #[serde(default)]
    comment: String,
}

impl<'de> Deserialize<'de> for Overlaps {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Relationships;
        // One at a time: there are several for each file of an image.
        impl<'de> Visitor<'de> for Relationships {
            type Value = Overlaps;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("relationships")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut relationships: A) -> Result<Overlaps, A::Error> {
                let mut overlaps = Vec::new();
                while let Some(relationship) = relationships.next_element::<Relationship>()? {
                    if relationship.comment.starts_with("ownership-by-file-overlap") {
                        overlaps.push((relationship.spdx_element_id, relationship.related_spdx_element));
                    }
                }
                Ok(Overlaps(overlaps))
            }
        }
        deserializer.deserialize_seq(Relationships)
    }
}

/// `CycloneDX`, "BOM Format".
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CycloneDx {
    bom_format: String,
}

/// Whether the files are what they should be, how many packages they list, and which.
fn check(folder: &Path, output: &Output) -> Result<(u32, Packages), Error> {
    let spdx: Spdx = read(folder, Format::SpdxJson, output)?;
    let cyclonedx: CycloneDx = read(folder, Format::CycloneDxJson, output)?;
    if spdx.version != "SPDX-2.3" || cyclonedx.bom_format != "CycloneDX" {
        let reason = format!("its files are {:?} and {:?}", spdx.version, cyclonedx.bom_format);
        return Err(Error::invalid_output(Tool::SYFT, reason, output));
    }
    let packages = spdx.packages.iter().filter(|package| !package.is_image()).count();
    Ok((u32::try_from(packages).unwrap_or(u32::MAX), self::packages(spdx)))
}

fn packages(spdx: Spdx) -> Packages {
    let parts = parts_of_distributions(&spdx);
    let mut list = Packages::default();
    for package in spdx.packages.into_iter().filter(|package| !package.is_image() && !parts.contains(&package.id)) {
        let url = package.url();
        if let Some(package) = Package::listed(&url, &package.name, &package.version_info, package.source_info.0) {
            list.add(package);
        }
    }
    list
}

/// The packages that are part of a distribution's package, by the list of its files: the distribution mends those without
/// giving them another version, and says so in advisories of its own.
///
/// Any other package may claim another's files: a Python package is believed what its `RECORD` says. And a distribution's
/// package has its files where the distribution has the say (Filesystem Hierarchy Standard 3.0, chapter 4).
fn parts_of_distributions(spdx: &Spdx) -> HashSet<String> {
    let of_distribution = |package: &&SpdxPackage| {
        let url = package.url();
        OF_DISTRIBUTIONS.iter().any(|kind| url.strip_prefix("pkg:").is_some_and(|rest| rest.starts_with(&format!("{kind}/"))))
    };
    let owners: HashSet<&str> = spdx.packages.iter().filter(of_distribution).map(|package| package.id.as_str()).collect();
    let is_local = |package: &&SpdxPackage| package.source_info.0.as_deref().is_none_or(is_local);
    let local: HashSet<&str> = spdx.packages.iter().filter(is_local).map(|package| package.id.as_str()).collect();
    let Overlaps(overlaps) = &spdx.relationships;
    let owned = overlaps.iter().filter(|(owner, owned)| owners.contains(&**owner) && !local.contains(&**owned));
    owned.map(|(_, owned)| owned.clone()).collect()
}

/// Whether a file is where no distribution puts what is a part of it.
fn is_local(path: &str) -> bool {
    let below = |folder: &str| path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
    below("usr/local") || !["usr", "lib", "lib64", "var/lib"].iter().any(|folder| below(folder))
}

fn read<T: DeserializeOwned>(folder: &Path, format: Format, output: &Output) -> Result<T, Error> {
    let invalid_output = |reason: String| Error::invalid_output(Tool::SYFT, format!("{}: {reason}", format.name()), output);
    let path = folder.join(format.extension());
    let file = process::open_report(&path, MAX_BYTES).map_err(|error| invalid_output(format!("no file: {error}")))?;
    document::stream(BufReader::new(file)).map_err(|error| invalid_output(format!("not understood: {error}")))
}

fn place(format: Format, from: &Path, request: &Request<'_>) -> Result<String, Error> {
    let name = format!("{}.{}", request.image.slug(request.platform), format.extension());
    let (from, to) = (from.join(format.extension()), request.folder.join(&name));
    let place = || {
        let file = process::open_report(&from, MAX_BYTES)?;
        // syft may have had a user of its own.
        std::os::unix::fs::fchown(&file, Some(geteuid().as_raw()), Some(getegid().as_raw()))?;
        file.set_permissions(fs::Permissions::from_mode(0o644))?;
        fs::rename(&from, &to)
    };
    place().map_err(Error::io(&to))?;
    Ok(name)
}

#[cfg(test)]
mod with_parts;
