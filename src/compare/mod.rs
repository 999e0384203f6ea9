//! What differs between two images: the fields of their documents, their layers, and the files in them.

mod fetched;
mod fields;
mod files;
mod table;

use serde::Serialize;
use serde_json::Value;

use self::fetched::Fetched;
use self::fields::Field;
use self::files::{Files, Side};
use crate::document;
use crate::error::Error;
use crate::oci::image::{Layer, PlatformImage};
use crate::oci::layer::listing::Budget;
use crate::oci::layout::digest_of;
use crate::oci::{Digest, Platform};
use crate::publish;
use crate::verify;

/// What the command line asks.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// The images, as they were named.
    pub(crate) images: [String; 2],
    /// Whether JSON is wanted.
    pub(crate) json: bool,
}

/// What differs between two images.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Comparison {
    a: Named,
    b: Named,
    /// Whether they are the same, byte for byte.
    pub(crate) equal: bool,
    /// What is different of their indexes.
    index: Vec<Field>,
    /// The platforms that one of them has alone.
    only_a: Vec<Platform>,
    only_b: Vec<Platform>,
    /// The platforms of both whose images are different.
    platforms: Vec<OfPlatform>,
}

/// An image, and how it was named.
#[derive(Clone, Debug, Serialize)]
struct Named {
    image: String,
    digest: Digest,
}

/// What differs between the images of a platform.
#[derive(Clone, Debug, Serialize)]
struct OfPlatform {
    platform: Platform,
    /// The manifest's own fields, without those that name the configuration and the layers.
    manifest: Vec<Field>,
    /// The configuration's, without the digests of the layers' content.
    config: Vec<Field>,
    /// The layers that are different.
    layers: Vec<OfLayer>,
}

/// What differs between two layers in the same place.
#[derive(Clone, Debug, Serialize)]
struct OfLayer {
    /// Its place, counted from 1.
    number: usize,
    /// The layer's blob; absent where an image has fewer layers.
    a: Option<Digest>,
    b: Option<Digest>,
    /// Whether what is in them is the same, and only packed in another way.
    same_content: bool,
    /// The files; absent where there is nothing to compare.
    files: Option<Files>,
}

/// The arguments, as they are named to people.
const ARGUMENTS: [&str; 2] = ["A", "B"];

/// The fields of a manifest that are told elsewhere, and those of a configuration.
const OF_MANIFEST: [&str; 3] = ["layers", "config.digest", "config.size"];
const OF_CONFIG: [&str; 1] = ["rootfs.diff_ids"];
/// And those of an index.
const OF_INDEX: [&str; 1] = ["manifests"];

/// Compares two images.
///
/// # Errors
/// One is not there, can't be read, or is not what its digests say.
pub(crate) async fn compare(request: &Request) -> Result<Comparison, Error> {
    let [a, b] = &request.images;
    let (a, b) = tokio::try_join!(verify::find(ARGUMENTS[0], a), verify::find(ARGUMENTS[1], b))?;
    let named = |found: &verify::Found, image: &str| Named { image: image.to_owned(), digest: found.digest() };
    let mut comparison = Comparison {
        a: named(&a, &request.images[0]),
        b: named(&b, &request.images[1]),
        equal: a.digest() == b.digest(),
        index: Vec::new(),
        only_a: Vec::new(),
        only_b: Vec::new(),
        platforms: Vec::new(),
    };
    if comparison.equal {
        return Ok(comparison);
    }
    let (a, b) = tokio::try_join!(Fetched::of(a), Fetched::of(b))?;
    comparison.look(&a, &b).await?;
    Ok(comparison)
}

impl Comparison {
    async fn look(&mut self, a: &Fetched, b: &Fetched) -> Result<(), Error> {
        let platforms = |image: &Fetched| image.image.platforms.iter().map(|one| one.platform.clone()).collect::<Vec<_>>();
        let (of_a, of_b) = (platforms(a), platforms(b));
        self.only_a = of_a.iter().filter(|platform| !of_b.contains(platform)).cloned().collect();
        self.only_b = of_b.iter().filter(|platform| !of_a.contains(platform)).cloned().collect();
        let roots = (document(a, &a.image.root)?, document(b, &b.image.root)?);
        let is_index = |root: &Value| root.get("manifests").is_some();
        // The root of an image of one platform is its manifest, which is looked at as such.
        if is_index(&roots.0) || is_index(&roots.1) {
            self.index = fields::different(&roots.0, &roots.1, &OF_INDEX);
        }
        let (mut left_a, mut left_b) = (Budget::default(), Budget::default());
        for one in &a.image.platforms {
            let other = b.image.platforms.iter().find(|other| other.platform == one.platform);
            if let Some(other) = other.filter(|other| other.digest != one.digest) {
                let sides = [(a, one, &mut left_a), (b, other, &mut left_b)];
                self.platforms.push(of_platform(sides).await?);
            }
        }
        Ok(())
    }
}

/// An image, its part of a platform, and how much of it may still be read.
type Part<'a> = (&'a Fetched, &'a PlatformImage, &'a mut Budget);

async fn of_platform([a, b]: [Part<'_>; 2]) -> Result<OfPlatform, Error> {
    let manifests = (document(a.0, &a.1.manifest)?, document(b.0, &b.1.manifest)?);
    let configs = (document(a.0, &a.1.config_descriptor)?, document(b.0, &b.1.config_descriptor)?);
    let mut layers = Vec::new();
    for place in 0..a.1.layers.len().max(b.1.layers.len()) {
        let pair = (a.1.layers.get(place), b.1.layers.get(place));
        if let Some(layer) = of_layer(place + 1, (a.0, b.0), pair, (&mut *a.2, &mut *b.2)).await? {
            layers.push(layer);
        }
    }
    Ok(OfPlatform {
        platform: a.1.platform.clone(),
        manifest: fields::different(&manifests.0, &manifests.1, &OF_MANIFEST),
        config: fields::different(&configs.0, &configs.1, &OF_CONFIG),
        layers,
    })
}

async fn of_layer(
    number: usize,
    images: (&Fetched, &Fetched),
    pair: (Option<&Layer>, Option<&Layer>),
    budgets: (&mut Budget, &mut Budget),
) -> Result<Option<OfLayer>, Error> {
    let digest = |layer: Option<&Layer>| layer.map(|layer| digest_of(&layer.descriptor)).transpose();
    let (one, other) = (digest(pair.0).map_err(publish::Error::from)?, digest(pair.1).map_err(publish::Error::from)?);
    let same_content = pair.0.map(|layer| layer.diff_id) == pair.1.map(|layer| layer.diff_id);
    if one == other && same_content {
        return Ok(None);
    }
    let files = match pair {
        (Some(a), Some(b)) if !same_content => Some(files_of(images, (a, b), budgets).await?),
        _ => None,
    };
    Ok(Some(OfLayer { number, a: one, b: other, same_content, files }))
}

async fn files_of(
    images: (&Fetched, &Fetched),
    layers: (&Layer, &Layer),
    budgets: (&mut Budget, &mut Budget),
) -> Result<Files, Error> {
    tokio::try_join!(images.0.bring(layers.0), images.1.bring(layers.1))?;
    let side = |image: &'_ Fetched, layer: &Layer, budget: &mut Budget| {
        let (layout, layer, budget) = (image.image.layout.clone(), layer.clone(), std::mem::take(budget));
        (layout, layer, budget)
    };
    let (mut a, mut b) = (side(images.0, layers.0, &mut *budgets.0), side(images.1, layers.1, &mut *budgets.1));
    let work = tokio::task::spawn_blocking(move || {
        let compared = files::compare(
            Side { layout: &a.0, layer: &a.1, budget: &mut a.2 },
            Side { layout: &b.0, layer: &b.1, budget: &mut b.2 },
        );
        (compared, a.2, b.2)
    });
    let (compared, left_a, left_b) = work
        .await
        .map_err(|error| Error::Io { path: images.0.image.layout.root().to_owned(), source: std::io::Error::other(error) })?;
    (*budgets.0, *budgets.1) = (left_a, left_b);
    images.0.drop_layer(layers.0);
    images.1.drop_layer(layers.1);
    compared.map_err(Error::NotCompared)
}

/// A document of an image, as it is written.
fn document(image: &Fetched, descriptor: &oci_spec::image::Descriptor) -> Result<Value, Error> {
    let bytes = image.image.layout.read(descriptor).map_err(publish::Error::from)?;
    // It was read before, and refused where it has two readings.
    Ok(document::read_shared(&bytes).unwrap_or_default())
}
