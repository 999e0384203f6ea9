//! What a client attaches to a build session, and what can go wrong with it.

use std::collections::BTreeMap;
use std::sync::Arc;

use bollard_buildkit_proto::health::health_server::HealthServer;
use bollard_buildkit_proto::moby::buildkit::secrets::v1::secrets_server::SecretsServer;
use bollard_buildkit_proto::moby::filesync::v1::file_sync_server::FileSyncServer;
use tonic::service::Routes;
use tonic::transport::Server;

use super::content::Contents;
use super::context::Directory;
use super::filesync::Folders;
use super::health::Present;
use super::layouts::LayoutFolder;
use super::secrets::{SecretSource, SecretsService};
use super::stats::TransferStats;
use crate::buildkit::blob_folder::BlobStore;

/// The gRPC methods that a session announces, for [`Attachables::routes`].
pub(crate) const METHODS: [&str; 3] =
    ["/grpc.health.v1.Health/Check", "/moby.filesync.v1.FileSync/DiffCopy", "/moby.buildkit.secrets.v1.Secrets/GetSecret"];

/// The most bytes of headers on an HTTP/2 connection to or from an engine. The patterns of an ignore file come as headers,
/// and a whole Dockerfile comes as a trailer with an error (grpc-go itself takes 16 MiB).
pub(crate) const MAX_HEADERS: u32 = 16 << 20;

/// The calls that a builder may have under way at once; more wait. Each blob that is read holds a file open.
const MAX_STREAMS: u32 = 256;

/// The HTTP/2 window in bytes of a connection to or from an engine. An engine asks for thousands of files at once, each in
/// a tiny message, and h2 ends a connection with `too_many_data_frames` where those that wait cost more than half this
/// window, 1 KiB each. What may wait in memory is bounded by the windows of the streams.
pub(crate) const CONNECTION_WINDOW: u32 = 1 << 30;

/// What an engine may ask of its client during a build.
#[derive(Clone, Debug)]
pub(crate) struct Attachables {
    /// The build context.
    pub(crate) context: Directory,
    /// Where the Dockerfile and its ignore file are. The frontend looks for them by the name that its `filename` attribute
    /// gives, and `<that name>.dockerignore`.
    pub(crate) dockerfile: Directory,
    /// The folders that are named contexts, by the names that the builder knows them by.
    pub(crate) folders: BTreeMap<String, Directory>,
    /// The layouts that are named contexts, in the same way.
    pub(crate) layouts: BTreeMap<String, LayoutFolder>,
    /// The build's cache, where it is in a folder here.
    pub(crate) cache: Option<BlobStore>,
    /// The build's secrets, by their ids.
    pub(crate) secrets: BTreeMap<String, SecretSource>,
    /// Where transfers are counted.
    pub(crate) stats: Arc<TransferStats>,
}

impl Attachables {
    /// The services of the session, for a [`server`].
    #[must_use]
    pub(crate) fn routes(self) -> Routes {
        let directories = [("context", self.context), ("dockerfile", self.dockerfile)];
        let directories = directories.into_iter().map(|(name, directory)| (name.to_owned(), directory));
        let folders = Folders::new(self.folders.into_iter().chain(directories).collect(), Arc::clone(&self.stats));
        Routes::new(HealthServer::new(Present(Arc::clone(&self.stats))))
            .add_service(FileSyncServer::new(folders))
            .add_service(Contents::new(self.layouts, self.cache, Arc::clone(&self.stats)))
            .add_service(SecretsServer::new(SecretsService::new(self.secrets, self.stats)))
    }
}

/// A server for [`Attachables::routes`], with the limits that an engine needs.
#[must_use]
pub(crate) fn server() -> Server {
    let server = Server::builder().http2_max_header_list_size(MAX_HEADERS).max_concurrent_streams(MAX_STREAMS);
    server.initial_connection_window_size(CONNECTION_WINDOW)
}
