//! What syft has listed of an image before, and does not list again where the layers are the same.
//!
//! syft reads the layers, and of the configuration its labels (`syft/format/internal/cyclonedxutil`). What its files say of the
//! image besides, they are told anew: which manifest it is of, when it was made, and its own name, which no two documents share
//! (SPDX 2.3, section 6.5; `serialNumber` of `CycloneDX`).

use std::fs;
use std::io;
use std::path::Path;

use jiff::{Timestamp, Unit};
use serde_json::{Value, json};

use super::{Format, Request};
use crate::document;
use crate::oci::Digest;
use crate::oci::image::PlatformImage;
use crate::process::{self, Launcher};
use crate::scan::same_layers::SameLayers;
use crate::scanner::Tool;
use crate::user_cache;

/// The folder in the user's cache.
const FOLDER: &str = "listings";

/// Larger files are not kept, in bytes each.
const MAX_BYTES: u64 = 16 << 20;

/// What syft calls a label of the image among the properties of `CycloneDX`.
const LABEL: &str = "syft:image:labels:";

/// The place of what was listed of images of the same layers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listings(SameLayers);

impl Listings {
    /// What this syft has listed of the layers of an image that is called `name`, for builds of a namespace; `None` where nothing
    /// can be kept.
    #[must_use]
    pub(crate) fn of(launcher: &Launcher, namespace: &str, name: &str, image: &PlatformImage) -> Option<Self> {
        Self::within(&user_cache::folder()?, launcher, [namespace, name], image)
    }

    /// The same in a cache folder.
    pub(super) fn within(cache: &Path, launcher: &Launcher, said: [&str; 2], image: &PlatformImage) -> Option<Self> {
        let [namespace, name] = said;
        let settings = settings(image)?.to_string();
        SameLayers::within((cache, FOLDER), (launcher, Tool::SYFT), &[namespace, name, &settings], image).map(Self)
    }

    /// Writes the files of an image as syft would, and says whether they are there.
    ///
    /// # Errors
    /// They can't be read or written.
    pub(super) fn lay_into(&self, folder: &Path, image: &PlatformImage) -> io::Result<bool> {
        let mut kept = Vec::new();
        if !self.0.copy_to(&mut kept)? {
            return Ok(false);
        }
        let Some(files) = told_anew(kept, image, Timestamp::now()) else {
            self.forget();
            return Ok(false);
        };
        for (format, file) in Format::ALL.into_iter().zip(files) {
            fs::write(folder.join(format.extension()), file)?;
        }
        Ok(true)
    }

    /// Removes what is of no use.
    pub(super) fn forget(&self) {
        self.0.forget();
    }

    /// Keeps the files that syft has written in a folder, as far as they can be kept: a line with the manifest that they are of,
    /// and one for each.
    pub(super) fn keep(&self, folder: &Path, request: &Request<'_>) {
        let keep = || {
            let mut lines = request.platform.digest.hex();
            for format in Format::ALL {
                let file = io::read_to_string(process::open_report(&folder.join(format.extension()), MAX_BYTES)?)?;
                let line = file.trim_end();
                if line.contains('\n') {
                    return Err(io::Error::other("it has several lines"));
                }
                lines.extend(["\n", line]);
            }
            self.0.keep(lines.as_bytes());
            Ok(())
        };
        if let Err::<(), _>(error) = keep() {
            tracing::debug!(%error, "what syft has listed is not kept");
        }
    }
}

/// What of the configuration is neither a label nor a date.
fn settings(image: &PlatformImage) -> Option<Value> {
    let mut config = serde_json::to_value(&image.config).ok()?;
    let fields = config.as_object_mut()?;
    fields.retain(|name, _| !["created", "history"].contains(&&**name));
    fields.get_mut("config").and_then(Value::as_object_mut).and_then(|config| config.remove("Labels"));
    Some(config)
}

/// The files that are kept, for this image; `None` where they are not what syft writes.
fn told_anew(kept: Vec<u8>, image: &PlatformImage, now: Timestamp) -> Option<[String; 2]> {
    let kept = String::from_utf8(kept).ok()?;
    let (manifest, files) = kept.split_once('\n')?;
    let of_before: Digest = format!("sha256:{manifest}").parse().ok()?;
    // No layer can have the digest of a manifest that names it: whatever has it, says which image this is.
    let files = files.replace(&of_before.hex(), &image.digest.hex());
    let (spdx, cyclonedx) = files.split_once('\n')?;
    let now = now.round(Unit::Second).ok()?.to_string();
    let id = unique(&[&files, &now]);
    Some([spdx_of(spdx, &now, &id)?, cyclonedx_of(cyclonedx, image, &now, &id)?])
}

fn spdx_of(document: &str, now: &str, id: &str) -> Option<String> {
    let document = with(document, "documentNamespace", |namespace| {
        let named = namespace.as_str()?;
        let kept = named.len().checked_sub(id.len()).and_then(|end| named.get(..end)).filter(|kept| kept.ends_with('-'))?;
        Some(json!(format!("{kept}{id}")))
    })?;
    with(&document, "creationInfo", |mut creation| {
        *creation.get_mut("created")? = json!(now);
        Some(creation)
    })
}

fn cyclonedx_of(document: &str, image: &PlatformImage, now: &str, id: &str) -> Option<String> {
    let document = with(document, "serialNumber", |_| Some(json!(format!("urn:uuid:{id}"))))?;
    with(&document, "metadata", |mut metadata| {
        *metadata.get_mut("timestamp")? = json!(now);
        let fields = metadata.as_object_mut()?;
        let mut properties = match fields.remove("properties") {
            Some(Value::Array(properties)) => properties,
            _ => Vec::new(),
        };
        properties.retain(|property| !property["name"].as_str().is_some_and(|name| name.starts_with(LABEL)));
        let labels = image.config.config().as_ref().and_then(|config| config.labels().as_ref());
        let mut labels: Vec<_> = labels.into_iter().flatten().collect();
        labels.sort();
        properties.extend(labels.into_iter().map(|(name, value)| json!({"name": format!("{LABEL}{name}"), "value": value})));
        if !properties.is_empty() {
            fields.insert("properties".to_owned(), properties.into());
        }
        Some(metadata)
    })
}

/// The document with another value of a member.
fn with(text: &str, name: &str, change: impl FnOnce(Value) -> Option<Value>) -> Option<String> {
    let place = document::place_of(text.as_bytes(), name)?;
    let changed = change(document::read(text.get(place.clone())?.as_bytes()).ok()?)?;
    Some([text.get(..place.start)?, &changed.to_string(), text.get(place.end..)?].concat())
}

/// A UUID of these texts (RFC 9562, section 5.8).
fn unique(texts: &[&str]) -> String {
    let mut hex = Digest::of(texts.concat().as_bytes()).hex();
    // The version, and the variant.
    hex.replace_range(12..13, "8");
    hex.replace_range(16..17, "a");
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..32]].join("-")
}
