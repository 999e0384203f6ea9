//! The session: the builder calls back over the connection that this client opened, for files, secrets and credentials
//! (`moby.buildkit.v1.Control/Session`, a gRPC server inside a stream of bytes).

pub(crate) mod attachables;
pub(crate) mod content;
pub(crate) mod context;
pub(crate) mod credentials;
pub(crate) mod error;
pub(crate) mod expression;
pub(crate) mod filesync;
pub(crate) mod filter;
pub(crate) mod follow;
pub(crate) mod glob;
pub(crate) mod health;
pub(crate) mod ignore;
pub(crate) mod ignore_file;
pub(crate) mod layouts;
pub(crate) mod mode;
pub(crate) mod secrets;
pub(crate) mod sent;
pub(crate) mod silence;
pub(crate) mod ssh;
pub(crate) mod stats;
pub(crate) mod transfer;
pub(crate) mod walk;

use bollard_buildkit_proto::moby::buildkit::v1::BytesMessage;
use bollard_buildkit_proto::moby::buildkit::v1::control_client::ControlClient;
use futures_util::StreamExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tonic::metadata::MetadataValue;
use tonic::service::Routes;
use tonic::transport::Channel;
use tonic::{Request, Status};

use super::id::random_id;
use crate::text::span;

/// The HTTP/2 window in bytes of one stream: a file's content on its way.
pub(super) const STREAM_WINDOW: u32 = 4 << 20;

/// How many bytes of the inner connection may wait in memory in each direction.
const BUFFER_BYTES: usize = 1 << 20;

/// A session could not be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    /// The builder refuses, or is gone.
    #[error("{0}")]
    Refused(Box<Status>),
    /// The builder does not answer.
    #[error("no answer within {}", span(silence::ANSWER))]
    Silent,
    /// What the builder is to be told can't be said in a header.
    #[error("{key} makes no header")]
    Header {
        /// The header.
        key: &'static str,
    },
}

/// An open session; dropped, it ends.
pub(crate) struct Session {
    id: String,
    tasks: JoinSet<()>,
}

impl Session {
    /// Opens a session that serves `routes`; `methods` are their full names (`/package.Service/Method`), which the builder
    /// wants to know beforehand. `shared_key` names the context between builds: the builder keeps what it received under
    /// the same key and asks only for files that changed.
    ///
    /// # Errors
    /// The builder refuses, or does not answer.
    pub(crate) async fn open(
        channel: Channel,
        routes: Routes,
        methods: &[&'static str],
        shared_key: &str,
    ) -> Result<Self, OpenError> {
        let id = random_id();
        let (near, far) = tokio::io::duplex(BUFFER_BYTES);
        let (sender, receiver) = tokio::sync::mpsc::channel(16);
        let mut request = Request::new(tokio_stream::wrappers::ReceiverStream::new(receiver));
        let metadata = request.metadata_mut();
        let mut put = |key: &'static str, value: &str| {
            let value = MetadataValue::try_from(value).map_err(|_| OpenError::Header { key })?;
            metadata.append(key, value);
            Ok(())
        };
        put("x-docker-expose-session-uuid", &id)?;
        put("x-docker-expose-session-name", "gp-deliver")?;
        put("x-docker-expose-session-sharedkey", shared_key)?;
        methods.iter().try_for_each(|method| put("x-docker-expose-session-grpc-method", method))?;

        let mut tasks = JoinSet::new();
        tasks.spawn(serve(routes, far));
        let (reader, writer) = tokio::io::split(near);
        tasks.spawn(send(reader, sender));
        let mut control = ControlClient::new(channel).max_decoding_message_size(64 << 20);
        let opened = timeout(silence::ANSWER, control.session(request)).await.map_err(|_| OpenError::Silent)?;
        let incoming = opened.map_err(|status| OpenError::Refused(Box::new(status)))?.into_inner();
        tasks.spawn(receive(incoming, writer));
        Ok(Self { id, tasks })
    }

    /// The session's ID, for a solve.
    #[must_use]
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Ends the session; whatever the builder still asks then fails.
    pub(crate) async fn close(mut self) {
        self.tasks.shutdown().await;
    }
}

async fn serve(routes: Routes, connection: DuplexStream) {
    // A stream that never ends after its one connection: the server would stop at its end.
    let incoming = tokio_stream::once(Ok::<_, std::io::Error>(connection)).chain(tokio_stream::pending());
    let server = attachables::server().initial_stream_window_size(STREAM_WINDOW).add_routes(routes);
    if let Err(error) = server.serve_with_incoming(incoming).await {
        tracing::debug!(%error, "session server ended");
    }
}

async fn send(mut reader: tokio::io::ReadHalf<DuplexStream>, sender: tokio::sync::mpsc::Sender<BytesMessage>) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(count) = reader.read(&mut buffer).await {
        if count == 0 || sender.send(BytesMessage { data: buffer[..count].to_vec() }).await.is_err() {
            break;
        }
    }
}

async fn receive(
    mut incoming: impl futures_util::Stream<Item = Result<BytesMessage, Status>> + Unpin,
    mut writer: tokio::io::WriteHalf<DuplexStream>,
) {
    while let Some(message) = incoming.next().await {
        match message {
            Ok(message) if writer.write_all(&message.data).await.is_ok() => {}
            Ok(_) => break,
            Err(status) => {
                tracing::debug!(%status, "session stream ended");
                break;
            }
        }
    }
}

#[cfg(test)]
mod tests;
