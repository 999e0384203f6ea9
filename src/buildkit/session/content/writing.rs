//! A blob that a builder writes (containerd, `plugins/services/content/contentserver`, `Write`): it says which one it is, gives it
//! piece by piece, and commits it. A write that is not committed leaves nothing, and none is taken up again.

use std::io;
use std::sync::Arc;

use tonic::Status;

use crate::buildkit::blob_folder::{BlobFolder, Incoming, Intake};
use crate::oci::Digest;

/// The values of `WriteAction`.
const STAT: i32 = 0;
const WRITE: i32 = 1;
const COMMIT: i32 = 2;

/// `WriteContentRequest`, without labels.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct WriteRequest {
    #[prost(int32, tag = "1")]
    action: i32,
    #[prost(string, tag = "2")]
    reference: String,
    #[prost(int64, tag = "3")]
    total: i64,
    #[prost(string, tag = "4")]
    expected: String,
    #[prost(int64, tag = "5")]
    offset: i64,
    #[prost(bytes = "vec", tag = "6")]
    data: Vec<u8>,
}

/// `WriteContentResponse`, without times.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct WriteResponse {
    #[prost(int32, tag = "1")]
    action: i32,
    #[prost(int64, tag = "4")]
    offset: i64,
    #[prost(int64, tag = "5")]
    total: i64,
    #[prost(string, tag = "6")]
    digest: String,
}

impl WriteResponse {
    /// Whether nothing comes after it.
    pub(super) fn is_last(&self) -> bool {
        self.action == COMMIT
    }
}

/// A write, as far as it has come.
pub(super) struct Writing {
    blobs: BlobFolder,
    intake: Arc<Intake>,
    expected: Option<Digest>,
    total: u64,
    incoming: Option<Incoming>,
}

impl Writing {
    pub(super) fn into(blobs: BlobFolder, intake: Arc<Intake>) -> Self {
        Self { blobs, intake, expected: None, total: 0, incoming: None }
    }

    /// Takes the next message.
    pub(super) async fn take(&mut self, request: WriteRequest) -> Result<WriteResponse, Status> {
        self.learn(&request).await?;
        match request.action {
            STAT => Ok(self.answer(STAT, String::new())),
            WRITE => {
                self.append(request.offset, request.data).await?;
                Ok(self.answer(WRITE, String::new()))
            }
            COMMIT => {
                self.append(request.offset, request.data).await?;
                self.commit().await
            }
            other => Err(Status::invalid_argument(format!("there is no action {other}"))),
        }
    }

    /// Learns which blob it is and how large. One that is there as it should be is not written again.
    async fn learn(&mut self, request: &WriteRequest) -> Result<(), Status> {
        if let Ok(total @ 1..) = u64::try_from(request.total) {
            self.total = total;
        }
        if request.expected.is_empty() {
            return Ok(());
        }
        let digest: Digest = request.expected.parse().map_err(|error| Status::invalid_argument(format!("{error}")))?;
        self.expected = Some(digest);
        // One that is not what it should be makes room for one that is.
        match self.blobs.blob(digest).await {
            Ok(Some(_)) => Err(Status::already_exists(format!("{digest} is there"))),
            Ok(None) | Err(_) => Ok(()),
        }
    }

    async fn append(&mut self, offset: i64, data: Vec<u8>) -> Result<(), Status> {
        let offset = u64::try_from(offset).unwrap_or(0);
        let size = self.size();
        if offset != size && offset != 0 {
            return Err(Status::out_of_range(format!("there are {size} bytes, and the next would be at {offset}")));
        }
        // From the beginning once more.
        let so_far = self.incoming.take().filter(|_| offset == size || data.is_empty());
        let (intake, total) = (Arc::clone(&self.intake), self.total);
        let write = move || -> io::Result<Incoming> {
            let mut incoming = so_far.map_or_else(|| intake.begin(total), Ok)?;
            incoming.write(&data)?;
            Ok(incoming)
        };
        self.incoming = Some(blocking(write).await?);
        Ok(())
    }

    async fn commit(&mut self) -> Result<WriteResponse, Status> {
        let expected = self.expected.ok_or_else(|| Status::invalid_argument("it is not said which blob it is"))?;
        let answer = self.answer(COMMIT, expected.to_string());
        if self.total > 0 && self.total != self.size() {
            return Err(Status::failed_precondition(format!("{} bytes of {} have come", self.size(), self.total)));
        }
        if let Some(incoming) = self.incoming.take() {
            blocking(move || incoming.keep(&expected)).await?;
        }
        Ok(answer)
    }

    fn size(&self) -> u64 {
        self.incoming.as_ref().map_or(0, Incoming::size)
    }

    fn answer(&self, action: i32, digest: String) -> WriteResponse {
        let signed = |size: u64| i64::try_from(size).unwrap_or(i64::MAX);
        WriteResponse { action, offset: signed(self.size()), total: signed(self.total), digest }
    }
}

/// Does what waits for the disk.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T, Status> {
    let done = tokio::task::spawn_blocking(work).await.map_err(io::Error::other).flatten();
    done.map_err(|error| match error.kind() {
        io::ErrorKind::InvalidData => Status::failed_precondition(error.to_string()),
        // Not that it is unavailable: a builder would try again without end.
        _ => Status::resource_exhausted(format!("the cache's folder: {error}")),
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use tonic::Code;

    use super::*;
    use crate::beneath::Root;
    use crate::buildkit::blob_folder::{BLOBS, Writers};

    struct Scene(tempfile::TempDir);

    impl Scene {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            fs::create_dir_all(folder.path().join(BLOBS)).unwrap();
            Self(folder)
        }

        fn writing(&self) -> Writing {
            let root = || Root::open(self.0.path()).unwrap();
            let intake = Arc::new(Intake::open(&root(), 100, 0).unwrap());
            Writing::into(BlobFolder::within(root(), Writers::ThisUser(100)), intake)
        }

        fn blobs(&self) -> Vec<String> {
            let names = fs::read_dir(self.0.path().join(BLOBS)).unwrap();
            names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
        }

        fn path(&self, content: &[u8]) -> std::path::PathBuf {
            self.0.path().join(Path::new(BLOBS)).join(Digest::of(content).hex())
        }
    }

    fn request(action: i32, expected: &[u8], offset: i64, data: &[u8]) -> WriteRequest {
        let expected = if expected.is_empty() { String::new() } else { Digest::of(expected).to_string() };
        WriteRequest { action, reference: "layer".to_owned(), total: 0, expected, offset, data: data.to_vec() }
    }

    async fn all(writing: &mut Writing, requests: &[WriteRequest]) -> Result<WriteResponse, Status> {
        let mut last = Err(Status::unknown("nothing was asked for"));
        for request in requests {
            last = Ok(writing.take(request.clone()).await?);
        }
        last
    }

    #[tokio::test]
    async fn a_blob_that_is_given_in_pieces_is_there_when_it_is_committed_and_no_sooner() {
        let (scene, content) = (Scene::new(), b"12345");
        let mut writing = scene.writing();
        let stat = request(STAT, content, 0, b"");
        assert_eq!(all(&mut writing, std::slice::from_ref(&stat)).await.unwrap().offset, 0);
        let pieces = [request(WRITE, b"", 0, b"123"), request(WRITE, b"", 3, b"45")];
        assert_eq!(all(&mut writing, &pieces).await.unwrap().offset, 5);
        assert!(!scene.path(content).exists());
        let ended = all(&mut writing, &[request(COMMIT, content, 5, b"")]).await.unwrap();
        assert_eq!((ended.is_last(), ended.offset, ended.digest), (true, 5, Digest::of(content).to_string()));
        assert_eq!(fs::read(scene.path(content)).unwrap(), content);
        // One that is there is not written again, and one that is not what it should be is.
        assert_eq!(all(&mut scene.writing(), std::slice::from_ref(&stat)).await.unwrap_err().code(), Code::AlreadyExists);
        fs::write(scene.path(content), "spoilt").unwrap();
        all(&mut scene.writing(), &[stat, request(COMMIT, content, 0, content)]).await.unwrap();
        assert_eq!(fs::read(scene.path(content)).unwrap(), content);
    }

    #[tokio::test]
    async fn what_is_not_what_it_was_said_to_be_leaves_nothing() {
        let scene = Scene::new();
        let long = [b'x'; 101];
        for (requests, code) in [
            (vec![request(COMMIT, b"12345", 0, b"12346")], Code::FailedPrecondition),
            (vec![WriteRequest { total: 6, ..request(COMMIT, b"12345", 0, b"12345") }], Code::FailedPrecondition),
            (vec![request(COMMIT, b"", 0, b"12345")], Code::InvalidArgument),
            (vec![request(WRITE, b"", 0, b"123"), request(WRITE, b"", 4, b"5")], Code::OutOfRange),
            (vec![request(WRITE, b"", 0, &long)], Code::ResourceExhausted),
            (vec![WriteRequest { expected: "../../escape".to_owned(), ..request(STAT, b"", 0, b"") }], Code::InvalidArgument),
            (vec![request(7, b"", 0, b"")], Code::InvalidArgument),
        ] {
            let mut writing = scene.writing();
            assert_eq!(all(&mut writing, &requests).await.unwrap_err().code(), code, "{requests:?}");
            drop(writing);
            assert_eq!(scene.blobs(), Vec::<String>::new());
        }
    }

    #[tokio::test]
    async fn a_write_that_begins_once_more_leaves_out_what_was_before() {
        let (scene, content) = (Scene::new(), b"whole");
        let again = [request(WRITE, content, 0, b"half of"), request(WRITE, b"", 0, content), request(COMMIT, content, 5, b"")];
        all(&mut scene.writing(), &again).await.unwrap();
        assert_eq!((fs::read(scene.path(content)).unwrap(), scene.blobs().len()), (content.to_vec(), 1));
    }
}
