//! The content store of a builder that keeps images as blobs: read on the control connection itself
//! (`containerd.services.content.v1.Content/Read`, which BuildKit serves since 0.11).

use std::io::{self, Read};

use futures_util::StreamExt as _;
use futures_util::future::try_join_all;
use oci_spec::image::{Descriptor, MediaType};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

use super::described;
use super::pipe::{Sender, pipe};
use crate::buildkit::Error;
use crate::buildkit::content_service::{READ, ReadRequest, ReadResponse};
use crate::buildkit::date::{self, Dating};
use crate::document;
use crate::layer_store::{KnownLayer, Packing};
use crate::net::{Pace, Watch};
use crate::oci::bounds;
use crate::oci::dated::Dates;
use crate::oci::image::Parts;
use crate::oci::layer;
use crate::oci::layout::{self, MAX_DOCUMENT_BYTES, descriptor, digest_of};
use crate::oci::manifest::{self, Document, Fault};
use crate::oci::{Compression, Digest, Layout};

/// What is to become of the layers of an image.
#[derive(Clone, Copy)]
pub(crate) struct Treatment<'a> {
    /// The diff ids of its base image, whose layers stay as they are, where they are known. All others get one form, in whichever a
    /// cache has given them to the builder.
    pub(crate) base: Option<&'a [Digest]>,
    /// What the image's own are dated by, where they are.
    pub(crate) dating: Option<&'a dyn Dating>,
}

/// A layer of the builder's, and what is to become of it.
struct Wanted<'a> {
    layer: &'a Descriptor,
    diff_id: Digest,
    form: Form,
    dates: Option<Dates>,
}

/// Reads the image whose manifest is `manifest` (or an index of one manifest) into `layout`.
///
/// # Errors
/// The builder does not have it any more, it is not what it should be, or the layout can't be written.
pub(crate) async fn read(
    channel: &Channel,
    manifest: Digest,
    treatment: Treatment<'_>,
    layout: &Layout,
    packing: &Packing,
    show: &(dyn Fn(u64) + Send + Sync),
) -> Result<Parts, Error> {
    let bytes = document(channel, &manifest).await?;
    // The builder gives a digest alone, so the document has to say what it is.
    let media_type = manifest::media_type(&bytes, None).map_err(|fault| refused(&fault))?;
    let manifest = match parse(&bytes, &media_type)? {
        Document::Index(index) => {
            let only = index.manifests().iter().find(|descriptor| !is_attestation(descriptor));
            let only = only.ok_or_else(|| Error::Protocol("the builder's index has no image".to_owned()))?;
            let bytes = document(channel, &digest_of(only)?).await?;
            parse(&bytes, only.media_type())?.manifest().map_err(|fault| refused(&fault))?
        }
        Document::Manifest(manifest) => *manifest,
    };
    bounds::manifest(&manifest).and_then(|()| bounds::size(manifest.layers())).map_err(layout::Error::from)?;
    let config = document(channel, &digest_of(manifest.config())?).await?;
    let (platform, diff_ids) = described(&config)?;
    if diff_ids.len() != manifest.layers().len() {
        return Err(Error::Protocol(format!("{} layers for {} diff ids", manifest.layers().len(), diff_ids.len())));
    }
    let mut wanted = treatment.of(manifest.layers(), diff_ids, &config, packing.compression).await?;
    let known = try_join_all(wanted.iter().map(|wanted| known(wanted, layout, packing))).await?;
    let (mut layers, mut dated, mut done) = (Vec::new(), Vec::new(), 0);
    for (wanted, known) in wanted.iter_mut().zip(known) {
        let (layer, diff_id) = match known {
            Some(known) => known,
            None => {
                let show = |bytes| show(done + bytes);
                match fetch(channel, wanted, layout, packing, &show).await {
                    Err(Unread::NoArchive(why)) => {
                        tracing::debug!(%why, layer = %wanted.diff_id, "a layer is not dated");
                        wanted.dates = None;
                        fetch(channel, wanted, layout, packing, &show).await.map_err(Error::from)?
                    }
                    fetched => fetched.map_err(Error::from)?,
                }
            }
        };
        layers.push(layer);
        dated.push((diff_id, wanted.dates));
        done += wanted.layer.size();
        show(done);
    }
    Ok(Parts { platform, config: date::with_layers(config, &dated), layers })
}

impl Treatment<'_> {
    /// What is to become of each layer.
    async fn of<'l>(
        self,
        layers: &'l [Descriptor],
        diff_ids: Vec<Digest>,
        config: &[u8],
        compression: Compression,
    ) -> Result<Vec<Wanted<'l>>, Error> {
        let wanted = layers.iter().zip(diff_ids).map(|(layer, diff_id)| {
            let form = form(layer, compression, self.base.is_none_or(|base| base.contains(&diff_id)))?;
            Ok(Wanted { layer, diff_id, form, dates: None })
        });
        let mut wanted = wanted.collect::<Result<Vec<_>, Error>>()?;
        if let Some(dating) = self.dating {
            let config = document::read_shared(config).map_err(|error| Error::Protocol(error.to_string()))?;
            // Where the base is not known, what a builder has compressed before is nobody's who is known.
            let is_own = |wanted: &Wanted<'_>| match self.base {
                Some(base) => !base.contains(&wanted.diff_id),
                None => matches!(wanted.form, Form::Plain),
            };
            let own: Vec<_> = wanted.iter().map(is_own).collect();
            for (wanted, dates) in wanted.iter_mut().zip(dating.of_layers(&config, &own).await) {
                wanted.dates = dates;
            }
        }
        Ok(wanted)
    }
}

/// The layer and its diff id, where an earlier delivery has read or compressed it.
async fn known(wanted: &Wanted<'_>, layout: &Layout, packing: &Packing) -> Result<Option<(Descriptor, Digest)>, Error> {
    let (digest, size) = (digest_of(wanted.layer)?, wanted.layer.size());
    let (diff_id, form, dates) = (wanted.diff_id, wanted.form.clone(), wanted.dates);
    let (packing, layout) = (packing.clone(), layout.clone());
    let looking = tokio::task::spawn_blocking(move || {
        let (known, compression) = (&packing.known, packing.compression);
        let of_content = |layer: KnownLayer| (layer.descriptor, layer.diff_id);
        let found = match (form, dates) {
            (_, Some(dates)) => known.dated(diff_id, dates, compression, &layout).map(of_content),
            (Form::Keep(media_type), None) => known.blob(media_type, digest, size, &layout).map(|layer| (layer, diff_id)),
            (Form::Plain | Form::Gzip | Form::Zstd, None) => known.layer(diff_id, compression, &layout).map(of_content),
        };
        found.inspect(|(layer, _)| known.used(layer))
    });
    looking.await.map_err(|error| Error::Protocol(error.to_string()))
}

fn parse(bytes: &[u8], media_type: &MediaType) -> Result<Document, Error> {
    // An empty list of layers is null to some builders, and no list to whoever reads the manifest.
    let document: serde_json::Value = document::read_shared(bytes).unwrap_or_default();
    if document.get("layers").is_some_and(serde_json::Value::is_null) {
        return Err(Error::NoLayers);
    }
    manifest::read(bytes, media_type).map_err(|fault| refused(&fault))
}

fn refused(fault: &Fault) -> Error {
    Error::Protocol(format!("the builder's manifest: {fault}"))
}

/// BuildKit lists attestations beside images, as manifests for `unknown/unknown`.
fn is_attestation(descriptor: &Descriptor) -> bool {
    descriptor.annotations().as_ref().is_some_and(|all| all.contains_key("vnd.docker.reference.type"))
}

/// What to do with a layer in the form in which the builder has it.
#[derive(Clone)]
enum Form {
    /// It may stay, under this media type.
    Keep(MediaType),
    /// It is uncompressed.
    Plain,
    /// It is gzip of somebody else's making.
    Gzip,
    /// It is zstd, and gzip is asked for (an engine that needs gzip could not read it), or it is of somebody else's making.
    Zstd,
}

/// What to do with `layer`, which `may_stay` as it is or has to get our form.
fn form(layer: &Descriptor, compression: Compression, may_stay: bool) -> Result<Form, Error> {
    let media_type = layer.media_type().to_string();
    Ok(match media_type.rsplit(['.', '+']).next() {
        Some("gzip") if may_stay => Form::Keep(MediaType::ImageLayerGzip),
        Some("gzip") => Form::Gzip,
        Some("zstd") if may_stay && compression == Compression::Zstd => Form::Keep(MediaType::ImageLayerZstd),
        Some("zstd") => Form::Zstd,
        Some("tar") => Form::Plain,
        _ => return Err(Error::Protocol(format!("a layer of the unknown type {media_type}"))),
    })
}

/// Reads a layer, and says which diff id it has here.
async fn fetch(
    channel: &Channel,
    wanted: &Wanted<'_>,
    layout: &Layout,
    packing: &Packing,
    show: &(dyn Fn(u64) + Send + Sync),
) -> Result<(Descriptor, Digest), Unread> {
    let digest = digest_of(wanted.layer).map_err(Error::from)?;
    let (sender, content) = pipe();
    let (packing, layout) = (packing.clone(), layout.clone());
    let (form, of) = (wanted.form.clone(), (wanted.diff_id, wanted.dates));
    let writing = tokio::task::spawn_blocking(move || match form {
        Form::Keep(media_type) => Ok(keep(content, digest, media_type, &layout, &packing).map(|layer| (layer, of.0))?),
        Form::Plain => compress(content, of, &packing, &layout),
        Form::Gzip => {
            let content = flate2::read::MultiGzDecoder::new(content).take(layer::MAX_BYTES);
            compress(content, of, &packing, &layout)
        }
        Form::Zstd => {
            // What is beyond any layer's size is left out, and what is left has another digest.
            let content = zstd::Decoder::new(content).map_err(|error| broken(&error))?.take(layer::MAX_BYTES);
            compress(content, of, &packing, &layout)
        }
    });
    stream(channel, &digest, wanted.layer.size(), sender, show).await?;
    writing.await.map_err(|error| Error::Protocol(error.to_string()))?
}

fn keep(
    mut content: impl Read,
    digest: Digest,
    media_type: MediaType,
    layout: &Layout,
    packing: &Packing,
) -> Result<Descriptor, Error> {
    let mut blob = layout.writer()?;
    io::copy(&mut content, &mut blob).map_err(|error| broken(&error))?;
    let size = blob.finish_as(digest)?;
    let layer = descriptor(media_type, digest, size);
    packing.known.note_blob(&layer)?;
    Ok(layer)
}

/// Compresses a layer, dated where it has a date. What the builder has given has to be what it says.
fn compress(
    content: impl Read,
    (expected, dates): (Digest, Option<Dates>),
    packing: &Packing,
    layout: &Layout,
) -> Result<(Descriptor, Digest), Unread> {
    let written = match dates {
        Some(dates) => packing.write_dated(content, dates, layout),
        None => packing.write_layer(content, layout).map(|(descriptor, diff_id)| (descriptor, diff_id, diff_id)),
    };
    let (descriptor, diff_id, actual) = written.map_err(|error| match error {
        layout::Error::Io { source, .. } if dates.is_some() && source.kind() == io::ErrorKind::InvalidData => {
            Unread::NoArchive(source)
        }
        other => Unread::Failed(other.into()),
    })?;
    if actual == expected { Ok((descriptor, diff_id)) } else { Err(Error::LayerMismatch { expected, actual }.into()) }
}

/// Why a layer is not in the layout.
enum Unread {
    /// It can't be dated. That is no reason to fail: it stays as it is.
    NoArchive(io::Error),
    Failed(Error),
}

impl From<Error> for Unread {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<Unread> for Error {
    fn from(unread: Unread) -> Self {
        match unread {
            Unread::NoArchive(why) => broken(&why),
            Unread::Failed(error) => error,
        }
    }
}

/// A refused look at the store: what it does not have any more, it has collected since the build.
fn refusal(status: &Status) -> Error {
    match status.code() {
        Code::NotFound => Error::ImageGone { reason: status.message().to_owned() },
        _ => Error::call("read an image's content", status),
    }
}

fn broken(error: &io::Error) -> Error {
    Error::Unreadable { reason: error.to_string() }
}

/// Reads a blob and passes it on piece by piece.
async fn stream(
    channel: &Channel,
    digest: &Digest,
    size: u64,
    mut sender: Sender,
    show: &(dyn Fn(u64) + Send + Sync),
) -> Result<(), Error> {
    let mut pieces = call(channel, digest).await?;
    let (mut seen, mut watch) = (0, Pace::BUILDER.watch(size));
    while let Some(piece) = next(&mut pieces, &mut watch).await? {
        seen += piece.data.len() as u64;
        show(seen);
        // Closed only when the writer stopped; its error is the one to report.
        if sender.send(piece.data.into()).await.is_err() {
            return Ok(());
        }
    }
    let _ = sender.end().await;
    Ok(())
}

/// The next piece of a blob.
async fn next(pieces: &mut tonic::Streaming<ReadResponse>, watch: &mut Watch) -> Result<Option<ReadResponse>, Error> {
    let size = |piece: &Option<Result<ReadResponse, Status>>| match piece {
        Some(Ok(piece)) => piece.data.len() as u64,
        Some(Err(_)) | None => 0,
    };
    let piece = watch.next(pieces.next(), size).await.map_err(|error| Error::slow("an image's content", &error))?;
    piece.transpose().map_err(|status| refusal(&status))
}

/// A small blob, checked against its digest.
async fn document(channel: &Channel, digest: &Digest) -> Result<Vec<u8>, Error> {
    let mut pieces = call(channel, digest).await?;
    let (mut bytes, mut watch) = (Vec::new(), Pace::BUILDER.watch(MAX_DOCUMENT_BYTES));
    while let Some(piece) = next(&mut pieces, &mut watch).await? {
        bytes.extend(piece.data);
        if bytes.len() as u64 > MAX_DOCUMENT_BYTES {
            return Err(Error::Protocol(format!("a document of more than {MAX_DOCUMENT_BYTES} bytes")));
        }
    }
    let actual = Digest::of(&bytes);
    if actual == *digest {
        Ok(bytes)
    } else {
        Err(crate::oci::layout::Error::DigestMismatch { expected: *digest, actual }.into())
    }
}

async fn call(channel: &Channel, digest: &Digest) -> Result<tonic::Streaming<ReadResponse>, Error> {
    let mut grpc = tonic::client::Grpc::new(channel.clone()).max_decoding_message_size(64 << 20);
    grpc.ready().await.map_err(|error| Error::Lost { reason: error.to_string() })?;
    let codec = tonic_prost::ProstCodec::<ReadRequest, ReadResponse>::default();
    let path = PathAndQuery::from_static(READ);
    let request = Request::new(ReadRequest { digest: digest.to_string(), offset: 0, size: 0 });
    let mut watch = Pace::BUILDER.watch(0);
    let response = watch.next(grpc.server_streaming(request, path, codec), |_| 0).await;
    let response: Result<_, Status> = response.map_err(|error| Error::slow("an image's content", &error))?;
    Ok(response.map_err(|status| refusal(&status))?.into_inner())
}

#[cfg(test)]
mod with_parts;
