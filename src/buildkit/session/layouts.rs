//! Layout folders as a builder reads them (`session/content` of `github.com/moby/buildkit`): a part of the service
//! `containerd.services.content.v1.Content`, by the names that a build knows the layouts by.
//!
//! A layout may come from anywhere. Each blob is opened beneath its folder and hashed before anything of it is said or sent,
//! and is then read by the same open file.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use http::Response as HttpResponse;
use oci_spec::image::{Descriptor, ImageIndex, MediaType};
use tokio::sync::{OnceCell, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::body::Body;
use tonic::server::{Grpc, NamedService};
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;
use tower::{Service, service_fn};

use super::error::Error;
use super::stats::TransferStats;
use crate::beneath::{Links, Root, is_absent};
use crate::document;
use crate::oci::digest::Hasher;
use crate::oci::layout::{MAX_DOCUMENT_BYTES, REF_NAME, digest_of};
use crate::oci::manifest::{self, Document};
use crate::oci::{Digest, Tag, bounds};

/// The gRPC methods that a session with layouts announces.
pub(crate) const METHODS: [&str; 2] = [INFO, READ];

const INFO: &str = "/containerd.services.content.v1.Content/Info";
const READ: &str = "/containerd.services.content.v1.Content/Read";

/// The key of a call's metadata that says which layout is meant, after `oci:` (`GRPCHeaderID` in `session/content`).
const STORE: &str = "buildkit-attachable-store-id";

/// Bytes of a blob in one message: a client in Go takes 4 MiB.
const PIECE: usize = 256 << 10;

/// The messages that may wait for the builder.
const WAITING: usize = 4;

/// The tag of an image that is asked for without one.
const USUAL_TAG: &str = "latest";

/// `InfoRequest` (containerd, `api/services/content/v1/content.proto`).
#[derive(Clone, PartialEq, prost::Message)]
struct InfoRequest {
    #[prost(string, tag = "1")]
    digest: String,
}

/// `InfoResponse`.
#[derive(Clone, PartialEq, prost::Message)]
struct InfoResponse {
    #[prost(message, optional, tag = "1")]
    info: Option<Info>,
}

/// `Info`, without times and labels.
#[derive(Clone, PartialEq, prost::Message)]
struct Info {
    #[prost(string, tag = "1")]
    digest: String,
    #[prost(int64, tag = "2")]
    size: i64,
}

/// `ReadContentRequest`.
#[derive(Clone, PartialEq, prost::Message)]
struct ReadRequest {
    #[prost(string, tag = "1")]
    digest: String,
    #[prost(int64, tag = "2")]
    offset: i64,
    #[prost(int64, tag = "3")]
    size: i64,
}

/// `ReadContentResponse`.
#[derive(Clone, PartialEq, prost::Message)]
struct ReadResponse {
    #[prost(int64, tag = "1")]
    offset: i64,
    #[prost(bytes = "vec", tag = "2")]
    data: Vec<u8>,
}

/// A layout folder, held open.
#[derive(Clone, Debug)]
pub(crate) struct LayoutFolder(Arc<Open>);

#[derive(Debug)]
struct Open {
    /// As it was given.
    path: PathBuf,
    root: Root,
    /// The blobs that were looked at.
    blobs: Mutex<BTreeMap<Digest, Arc<OnceCell<Blob>>>>,
}

/// A blob whose content is what its name says.
#[derive(Clone, Debug)]
struct Blob {
    file: Arc<File>,
    size: u64,
}

/// The layouts of one build, by the names that the builder knows them by.
#[derive(Clone, Debug)]
pub(crate) struct Layouts {
    folders: Arc<BTreeMap<String, LayoutFolder>>,
    stats: Arc<TransferStats>,
}

impl LayoutFolder {
    /// The layout in the folder `root`, which was given as `path`.
    #[must_use]
    pub(crate) fn within(root: Root, path: &Path) -> Self {
        Self(Arc::new(Open { path: path.to_owned(), root, blobs: Mutex::default() }))
    }

    /// The digest of the image that is meant: by its digest, else by its tag, else by `latest`, else the only one.
    ///
    /// # Errors
    /// There is none, or it can't be told which; or its manifest is not what its digest says, or too large.
    pub(crate) fn resolve(&self, tag: Option<&Tag>, digest: Option<Digest>) -> Result<Digest, Error> {
        let found = match digest {
            Some(digest) => digest,
            None => self.named(tag)?,
        };
        let bytes = self.document(&found)?;
        let media_type = manifest::media_type(&bytes, None).map_err(|fault| self.refused(fault))?;
        let bounded = match manifest::read(&bytes, &media_type).map_err(|fault| self.refused(fault))? {
            Document::Index(index) => bounds::index(&index),
            Document::Manifest(manifest) => bounds::manifest(&manifest).and_then(|()| bounds::size(manifest.layers()).map(drop)),
        };
        bounded.map_err(|error| self.refused(error))?;
        Ok(found)
    }

    fn named(&self, tag: Option<&Tag>) -> Result<Digest, Error> {
        let index = self.index()?;
        let has = |descriptor: &&Descriptor, tag: &str| {
            descriptor.annotations().as_ref().is_some_and(|all| all.get(REF_NAME).is_some_and(|name| name == tag))
        };
        let with = |tag: &str| {
            let mut named = index.manifests().iter().filter(|descriptor| has(descriptor, tag));
            (named.next(), named.next())
        };
        let found = match (tag, with(tag.map_or(USUAL_TAG, Tag::as_str)), index.manifests().as_slice()) {
            (_, (Some(_), Some(_)), _) => Err("its index has the tag twice".to_owned()),
            (_, (Some(found), None), _) | (None, (None, _), [found]) => Ok(found),
            (Some(tag), (None, _), _) => Err(format!("it has no image with the tag {tag}")),
            (None, (None, _), []) => Err("it has no image".to_owned()),
            (None, (None, _), _) => {
                Err("it has several images, and none has the tag latest: name one by :TAG or @DIGEST".to_owned())
            }
        };
        digest_of(found.map_err(|reason| self.refused(reason))?).map_err(|error| self.refused(error))
    }

    fn index(&self) -> Result<ImageIndex, Error> {
        #[derive(serde::Deserialize)]
        struct Marker {
            #[serde(rename = "imageLayoutVersion")]
            version: String,
        }
        let marker: Marker = document::read_shared(&self.file("oci-layout")?).map_err(|error| self.refused(error))?;
        if marker.version != "1.0.0" {
            return Err(self.refused(format!("its version is {:?}, and 1.0.0 is expected", marker.version)));
        }
        let index = manifest::read(&self.file("index.json")?, &MediaType::ImageIndex).and_then(Document::index);
        index.map_err(|fault| self.refused(fault))
    }

    /// A small file of the layout's own.
    fn file(&self, name: &str) -> Result<Vec<u8>, Error> {
        let read = self.0.root.read(Path::new(name), Links::Refused, MAX_DOCUMENT_BYTES);
        let read = read.map_err(|error| self.refused(format!("{name}: {error}")))?;
        read.ok_or_else(|| self.refused(format!("it has no {name}, so it is no image layout")))
    }

    /// A small blob.
    fn document(&self, digest: &Digest) -> Result<Vec<u8>, Error> {
        let read = self.0.root.read(&place(digest), Links::Refused, MAX_DOCUMENT_BYTES);
        let read = read.map_err(|error| self.refused(format!("{digest}: {error}")))?;
        let bytes = read.ok_or_else(|| self.refused(format!("it has no {digest}")))?;
        let actual = Digest::of(&bytes);
        if actual == *digest { Ok(bytes) } else { Err(self.refused(format!("what is named {digest} is {actual}"))) }
    }

    /// A blob of any size, once it has been hashed; nothing where it is not there.
    async fn blob(&self, digest: Digest) -> Result<Option<Blob>, Error> {
        let cell = Arc::clone(self.0.blobs.lock().unwrap_or_else(PoisonError::into_inner).entry(digest).or_default());
        let folder = self.clone();
        let opened = cell.get_or_try_init(|| async move {
            let opened = tokio::task::spawn_blocking(move || folder.open(&digest)).await;
            opened.unwrap_or_else(|error| Err(Some(io::Error::other(error).to_string())))
        });
        match opened.await {
            Ok(blob) => Ok(Some(blob.clone())),
            Err(None) => Ok(None),
            Err(Some(reason)) => Err(self.refused(reason)),
        }
    }

    /// Opens a blob and hashes it; no words where it is not there.
    fn open(&self, digest: &Digest) -> Result<Blob, Option<String>> {
        let failed = |error: &io::Error| Some(format!("{digest}: {error}"));
        let absent = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => None,
            _ if is_absent(&error) => Some(format!("{digest}: it is a link, or no regular file")),
            _ => failed(&error),
        };
        let mut file = self.0.root.file(&place(digest)).map_err(absent)?;
        let (mut hasher, mut buffer, mut size) = (Hasher::new(), vec![0; 1 << 20], 0);
        loop {
            let count = file.read(&mut buffer).map_err(|error| failed(&error))?;
            if count == 0 {
                break;
            }
            hasher.update(&buffer[..count]);
            size += count as u64;
        }
        let actual = hasher.finish();
        if actual != *digest {
            return Err(Some(format!("what is named {digest} is {actual}")));
        }
        Ok(Blob { file: Arc::new(file), size })
    }

    fn refused(&self, reason: impl std::fmt::Display) -> Error {
        Error::Layout { folder: self.0.path.clone(), reason: reason.to_string() }
    }
}

/// Where a blob is in a layout.
fn place(digest: &Digest) -> PathBuf {
    Path::new("blobs/sha256").join(digest.hex())
}

impl Layouts {
    /// Serves `folders`; what goes wrong is noted in `stats`.
    #[must_use]
    pub(crate) fn new(folders: BTreeMap<String, LayoutFolder>, stats: Arc<TransferStats>) -> Self {
        Self { folders: Arc::new(folders), stats }
    }

    async fn info(&self, request: Request<InfoRequest>) -> Result<Response<InfoResponse>, Status> {
        let digest = request.get_ref().digest.clone();
        let blob = self.blob(&request, &digest).await?;
        let size = i64::try_from(blob.size).unwrap_or(i64::MAX);
        Ok(Response::new(InfoResponse { info: Some(Info { digest, size }) }))
    }

    async fn read(
        &self,
        request: Request<ReadRequest>,
    ) -> Result<Response<ReceiverStream<Result<ReadResponse, Status>>>, Status> {
        let blob = self.blob(&request, &request.get_ref().digest).await?;
        let ReadRequest { offset, size, .. } = *request.get_ref();
        let offset = u64::try_from(offset).unwrap_or(0);
        let left = blob.size.checked_sub(offset);
        let left = left.ok_or_else(|| Status::out_of_range(format!("the blob has {} bytes", blob.size)))?;
        let wanted = u64::try_from(size).ok().filter(|size| *size > 0).map_or(left, |size| size.min(left));
        let (sender, pieces) = mpsc::channel(WAITING);
        tokio::task::spawn_blocking(move || give(&blob.file, offset, wanted, &sender));
        Ok(Response::new(ReceiverStream::new(pieces)))
    }

    async fn blob<T>(&self, request: &Request<T>, digest: &str) -> Result<Blob, Status> {
        let store = request.metadata().get(STORE).and_then(|store| store.to_str().ok()?.strip_prefix("oci:"));
        let folder = store.and_then(|store| self.folders.get(store)).ok_or_else(|| Status::not_found("unknown store"))?;
        let digest: Digest = digest.parse().map_err(|error| Status::invalid_argument(format!("{error}")))?;
        match folder.blob(digest).await {
            Ok(Some(blob)) => Ok(blob),
            // Builders look for what need not be there.
            Ok(None) => Err(Status::not_found(format!("content {digest}"))),
            Err(error) => {
                let status = Status::data_loss(error.to_string());
                self.stats.note(error);
                Err(status)
            }
        }
    }
}

/// Sends a part of a blob, until nobody takes it any more.
fn give(file: &File, mut offset: u64, mut wanted: u64, sender: &mpsc::Sender<Result<ReadResponse, Status>>) {
    let mut buffer = vec![0; PIECE];
    let mut sent = 0;
    while wanted > 0 {
        let room = usize::try_from(wanted).unwrap_or(PIECE).min(PIECE);
        let piece = match file.read_at(&mut buffer[..room], offset) {
            Ok(0) => Err(Status::data_loss("the blob has become shorter")),
            Ok(count) => Ok(ReadResponse { offset: sent, data: buffer[..count].to_vec() }),
            Err(error) => Err(Status::unavailable(error.to_string())),
        };
        let count = piece.as_ref().map_or(0, |piece| piece.data.len());
        if sender.blocking_send(piece).is_err() || count == 0 {
            return;
        }
        (offset, wanted) = (offset + count as u64, wanted - count as u64);
        sent = sent.saturating_add(i64::try_from(count).unwrap_or(i64::MAX));
    }
}

impl NamedService for Layouts {
    const NAME: &'static str = "containerd.services.content.v1.Content";
}

impl Service<http::Request<Body>> for Layouts {
    type Response = HttpResponse<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let layouts = self.clone();
        Box::pin(async move {
            Ok(match request.uri().path() {
                INFO => {
                    let info = service_fn(move |request| {
                        let layouts = layouts.clone();
                        async move { layouts.info(request).await }
                    });
                    Grpc::new(ProstCodec::<InfoResponse, InfoRequest>::default()).unary(info, request).await
                }
                READ => {
                    let read = service_fn(move |request| {
                        let layouts = layouts.clone();
                        async move { layouts.read(request).await }
                    });
                    Grpc::new(ProstCodec::<ReadResponse, ReadRequest>::default()).server_streaming(read, request).await
                }
                // What would change a layout, and what lists it.
                _ => Status::unimplemented("only reading").into_http(),
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::oci::sample;

    fn opened(path: &Path) -> LayoutFolder {
        LayoutFolder::within(Root::open(path).unwrap(), path)
    }

    fn reason(result: Result<Digest, Error>) -> String {
        match result {
            Err(Error::Layout { reason, .. }) => reason,
            other => panic!("{other:?}"),
        }
    }

    fn with_tags(folder: &Path, tags: &[&str], digest: &Digest, size: u64) {
        let manifests: Vec<_> = tags
            .iter()
            .map(|tag| {
                serde_json::json!({
                    "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest, "size": size,
                    "annotations": {REF_NAME: tag},
                })
            })
            .collect();
        let index = serde_json::json!({"schemaVersion": 2, "manifests": manifests});
        fs::write(folder.join("index.json"), serde_json::to_vec(&index).unwrap()).unwrap();
    }

    #[test]
    fn an_image_is_meant_by_its_digest_by_its_tag_or_alone_and_nothing_is_guessed() {
        let made = tempfile::tempdir().unwrap();
        let folder = made.path().join("image");
        let image = sample::image(&folder, &["amd64"], &[vec![("a", b"1".to_vec())]]);
        let manifest = &image.platforms[0];
        let digest = manifest.digest;
        let size = fs::metadata(image.layout.blob(&digest)).unwrap().len();
        let layout = opened(&folder);
        let tag = |text: &str| text.parse::<Tag>().unwrap();
        assert_eq!(layout.resolve(None, Some(digest)).unwrap(), digest);
        with_tags(&folder, &["v1"], &digest, size);
        assert_eq!(layout.resolve(Some(&tag("v1")), None).unwrap(), digest);
        assert_eq!(layout.resolve(None, None).unwrap(), digest, "the only one");
        assert!(reason(layout.resolve(Some(&tag("v2")), None)).contains("no image with the tag v2"));
        with_tags(&folder, &["v1", "latest"], &digest, size);
        assert_eq!(layout.resolve(None, None).unwrap(), digest);
        with_tags(&folder, &["v1", "v2"], &digest, size);
        assert!(reason(layout.resolve(None, None)).contains("several images"));
        with_tags(&folder, &["v1", "v1"], &digest, size);
        assert!(reason(layout.resolve(Some(&tag("v1")), None)).contains("twice"));
        with_tags(&folder, &[], &digest, size);
        assert!(reason(layout.resolve(None, None)).contains("no image"));
        fs::remove_file(folder.join("oci-layout")).unwrap();
        assert!(reason(layout.resolve(None, None)).contains("no oci-layout"));
        fs::write(image.layout.blob(&digest), b"{}").unwrap();
        assert!(reason(layout.resolve(None, Some(digest))).contains("what is named sha256:"));
    }

    #[tokio::test]
    async fn a_blob_is_read_in_parts_and_one_that_is_not_what_its_name_says_is_not_read_at_all() {
        let made = tempfile::tempdir().unwrap();
        let folder = made.path().join("image");
        let image = sample::random(&folder, 1, &["amd64"], 3 * PIECE);
        let layer = digest_of(&image.platforms[0].layers[1].descriptor).unwrap();
        let whole = fs::read(image.layout.blob(&layer)).unwrap();
        let stats = Arc::new(TransferStats::default());
        let layouts = Layouts::new(BTreeMap::from([("one".to_owned(), opened(&folder))]), Arc::clone(&stats));
        let asked = |store: &str, digest: &Digest, offset: i64, size: i64| {
            let mut request = Request::new(ReadRequest { digest: digest.to_string(), offset, size });
            request.metadata_mut().insert(STORE, store.parse().unwrap());
            request
        };
        let read = async |request| {
            use futures_util::StreamExt as _;
            let mut bytes = Vec::new();
            let mut pieces = layouts.read(request).await?.into_inner();
            while let Some(piece) = pieces.next().await {
                bytes.extend(piece?.data);
            }
            Ok::<_, Status>(bytes)
        };
        assert!(whole.len() > 2 * PIECE, "it takes several messages");
        assert_eq!(read(asked("oci:one", &layer, 0, 0)).await.unwrap(), whole);
        assert_eq!(read(asked("oci:one", &layer, 5, 10)).await.unwrap(), whole[5..15]);
        let (end, all) = (i64::try_from(whole.len()).unwrap(), whole.len());
        assert_eq!(read(asked("oci:one", &layer, end - 3, 10)).await.unwrap(), whole[all - 3..]);
        assert_eq!(read(asked("oci:one", &layer, end + 1, 1)).await.unwrap_err().code(), tonic::Code::OutOfRange);
        for store in ["oci:two", "one"] {
            assert_eq!(read(asked(store, &layer, 0, 0)).await.unwrap_err().code(), tonic::Code::NotFound);
        }
        let absent = Digest::of(b"absent");
        assert_eq!(read(asked("oci:one", &absent, 0, 0)).await.unwrap_err().code(), tonic::Code::NotFound);
        assert!(stats.take_error().is_none());
        // Another file in its place, and a link to what it is.
        let config = digest_of(&image.platforms[0].config_descriptor).unwrap();
        fs::write(image.layout.blob(&config), b"{}").unwrap();
        assert_eq!(read(asked("oci:one", &config, 0, 0)).await.unwrap_err().code(), tonic::Code::DataLoss);
        assert!(matches!(stats.take_error(), Some(Error::Layout { reason, .. }) if reason.contains("what is named")));
        fs::write(made.path().join("outside"), b"outside").unwrap();
        let outside = Digest::of(b"outside");
        std::os::unix::fs::symlink(made.path().join("outside"), image.layout.blob(&outside)).unwrap();
        assert_eq!(read(asked("oci:one", &outside, 0, 0)).await.unwrap_err().code(), tonic::Code::DataLoss);
        assert!(matches!(stats.take_error(), Some(Error::Layout { reason, .. }) if reason.contains("it is a link")));
    }
}
