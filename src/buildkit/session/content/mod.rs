//! Content that a builder reads and writes here (`session/content` of `github.com/moby/buildkit`): a part of the service
//! `containerd.services.content.v1.Content`, for the layouts of a build, by the names that it knows them by, and for its cache in a
//! folder.

mod writing;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use http::Response as HttpResponse;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::body::Body;
use tonic::server::{Grpc, NamedService};
use tonic::{Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;
use tower::{Service, service_fn};

use self::writing::{WriteRequest, WriteResponse, Writing};
use super::layouts::LayoutFolder;
use super::stats::TransferStats;
use crate::buildkit::blob_folder::{Blob, BlobStore};
use crate::buildkit::content_service::{READ, ReadRequest, ReadResponse};
use crate::oci::Digest;

/// The gRPC methods that a session with content announces.
pub(crate) const METHODS: [&str; 3] = [INFO, READ, WRITE];

const INFO: &str = "/containerd.services.content.v1.Content/Info";
const WRITE: &str = "/containerd.services.content.v1.Content/Write";

/// The key of a call's metadata that says what is meant (`GRPCHeaderID` in `session/content`): `oci:` and the name of a layout, or
/// `local:` and the name of a cache's folder.
const STORE: &str = "buildkit-attachable-store-id";

/// The name that a builder knows the folder of a cache by. It is told no path of this machine.
pub(crate) const CACHE: &str = "build-cache";

/// Bytes of a blob in one message: a client in Go takes 4 MiB.
const PIECE: usize = 256 << 10;

/// The largest message that is taken, in bytes. Blobs come in pieces of 8 MiB at most; older builders send small ones whole.
const MAX_MESSAGE: usize = 64 << 20;

/// The messages that may wait for the builder.
const WAITING: usize = 4;

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

/// The content of one build.
#[derive(Clone, Debug)]
pub(crate) struct Contents {
    layouts: Arc<BTreeMap<String, LayoutFolder>>,
    cache: Option<BlobStore>,
    stats: Arc<TransferStats>,
}

/// What a call means.
enum Store<'a> {
    Layout(&'a LayoutFolder),
    Cache(&'a BlobStore),
}

impl Contents {
    /// Serves layouts, by the names that the builder knows them by, and a cache; what is wrong with a layout is noted in `stats`.
    #[must_use]
    pub(crate) fn new(layouts: BTreeMap<String, LayoutFolder>, cache: Option<BlobStore>, stats: Arc<TransferStats>) -> Self {
        Self { layouts: Arc::new(layouts), cache, stats }
    }

    fn store<T>(&self, request: &Request<T>) -> Result<Store<'_>, Status> {
        let store = request.metadata().get(STORE).and_then(|store| store.to_str().ok()?.split_once(':'));
        let store = match store {
            Some(("oci", name)) => self.layouts.get(name).map(Store::Layout),
            Some(("local", CACHE)) => self.cache.as_ref().map(Store::Cache),
            _ => None,
        };
        store.ok_or_else(|| Status::not_found("unknown store"))
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

    fn write(
        &self,
        request: Request<Streaming<WriteRequest>>,
    ) -> Result<Response<ReceiverStream<Result<WriteResponse, Status>>>, Status> {
        let Store::Cache(store) = self.store(&request)? else { return Err(Status::permission_denied("only reading")) };
        let intake = store.intake.clone().ok_or_else(|| Status::permission_denied("only reading"))?;
        let arriving = Arc::clone(&intake);
        let mut writing = Writing::into(store.blobs.clone(), intake);
        let (sender, answers) = mpsc::channel(WAITING);
        let mut asked = request.into_inner();
        tokio::spawn(async move {
            let _turn = arriving.turn().await;
            while let Ok(Some(message)) = asked.message().await {
                let answer = writing.take(message).await;
                let is_over = answer.as_ref().map_or(true, WriteResponse::is_last);
                if sender.send(answer).await.is_err() || is_over {
                    return;
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(answers)))
    }

    async fn blob<T>(&self, request: &Request<T>, digest: &str) -> Result<Blob, Status> {
        let store = self.store(request)?;
        let digest: Digest = digest.parse().map_err(|error| Status::invalid_argument(format!("{error}")))?;
        let found = match store {
            Store::Layout(folder) => folder.blob(digest).await.map_err(|error| {
                let status = Status::data_loss(error.to_string());
                self.stats.note(error);
                status
            })?,
            // A cache that is spoilt is told by the builder, which does without it: it is no cause of what fails later.
            Store::Cache(store) => store.blobs.blob(digest).await.map_err(Status::data_loss)?,
        };
        // Builders look for what need not be there.
        found.ok_or_else(|| Status::not_found(format!("content {digest}: not found")))
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

impl NamedService for Contents {
    const NAME: &'static str = "containerd.services.content.v1.Content";
}

impl Service<http::Request<Body>> for Contents {
    type Response = HttpResponse<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let contents = self.clone();
        Box::pin(async move {
            Ok(match request.uri().path() {
                INFO => {
                    let info = service_fn(move |request| {
                        let contents = contents.clone();
                        async move { contents.info(request).await }
                    });
                    Grpc::new(ProstCodec::<InfoResponse, InfoRequest>::default()).unary(info, request).await
                }
                READ => {
                    let read = service_fn(move |request| {
                        let contents = contents.clone();
                        async move { contents.read(request).await }
                    });
                    Grpc::new(ProstCodec::<ReadResponse, ReadRequest>::default()).server_streaming(read, request).await
                }
                WRITE => {
                    let write = service_fn(move |request| {
                        let contents = contents.clone();
                        async move { contents.write(request) }
                    });
                    let grpc = Grpc::new(ProstCodec::<WriteResponse, WriteRequest>::default());
                    grpc.max_decoding_message_size(MAX_MESSAGE).streaming(write, request).await
                }
                // What would take something away, and what lists it.
                _ => Status::unimplemented("only reading and writing").into_http(),
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::super::error::Error;
    use super::*;
    use crate::beneath::Root;
    use crate::oci::layout::digest_of;
    use crate::oci::sample;

    fn opened(path: &Path) -> LayoutFolder {
        LayoutFolder::within(Root::open(path).unwrap(), path)
    }

    #[tokio::test]
    async fn a_blob_is_read_in_parts_and_one_that_is_not_what_its_name_says_is_not_read_at_all() {
        let made = tempfile::tempdir().unwrap();
        let folder = made.path().join("image");
        let image = sample::random(&folder, 1, &["amd64"], 3 * PIECE);
        let layer = digest_of(&image.platforms[0].layers[1].descriptor).unwrap();
        let whole = fs::read(image.layout.blob(&layer)).unwrap();
        let stats = Arc::new(TransferStats::default());
        let contents = Contents::new(BTreeMap::from([("one".to_owned(), opened(&folder))]), None, Arc::clone(&stats));
        let asked = |store: &str, digest: &Digest, offset: i64, size: i64| {
            let mut request = Request::new(ReadRequest { digest: digest.to_string(), offset, size });
            request.metadata_mut().insert(STORE, store.parse().unwrap());
            request
        };
        let read = async |request| {
            use futures_util::StreamExt as _;
            let mut bytes = Vec::new();
            let mut pieces = contents.read(request).await?.into_inner();
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
