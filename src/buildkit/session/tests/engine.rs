//! An engine's side of a build session: it asks over gRPC as BuildKit does, and is as strict about the answers.

use std::collections::BTreeMap;
use std::sync::Arc;

use bollard_buildkit_proto::fsutil::types::packet::PacketType;
use bollard_buildkit_proto::fsutil::types::{Packet, Stat};
use bollard_buildkit_proto::moby::filesync::v1::file_sync_client::FileSyncClient;
use hyper_util::rt::TokioIo;
use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status, Streaming};

use crate::buildkit::session::attachables::{self, Attachables, MAX_HEADERS};
use crate::buildkit::session::context::Directory;
use crate::buildkit::session::stats::TransferStats;

/// A session with a client that serves `context`, and `dockerfile` as its own.
pub(crate) async fn session(context: Directory, dockerfile: Directory) -> (Channel, Arc<TransferStats>) {
    let stats = Arc::new(TransferStats::default());
    let attachables = Attachables {
        context,
        dockerfile,
        folders: BTreeMap::new(),
        layouts: BTreeMap::new(),
        cache: None,
        secrets: BTreeMap::new(),
        stats: Arc::clone(&stats),
    };
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    let connections = tokio_stream::once(Ok::<_, std::io::Error>(theirs)).chain(tokio_stream::pending());
    let server = attachables::server().add_routes(attachables.routes());
    tokio::spawn(server.serve_with_incoming(connections));
    let mut ours = Some(ours);
    let connector = tower::service_fn(move |_| {
        let stream = ours.take().ok_or_else(|| std::io::Error::other("one connection is all"));
        async move { stream.map(TokioIo::new) }
    });
    let endpoint = Endpoint::from_static("http://session")
        .http2_max_header_list_size(MAX_HEADERS)
        .initial_connection_window_size(attachables::CONNECTION_WINDOW);
    (endpoint.connect_with_connector(connector).await.unwrap(), stats)
}

/// One `DiffCopy` call.
pub(crate) struct Transfer {
    requests: mpsc::Sender<Packet>,
    pub(crate) answers: Streaming<Packet>,
}

/// What came of a transfer.
#[derive(Debug, Default)]
pub(crate) struct Received {
    pub(crate) entries: Vec<Stat>,
    pub(crate) content: BTreeMap<String, Vec<u8>>,
}

impl Transfer {
    /// Asks for what the headers say.
    pub(crate) async fn start(channel: &Channel, headers: &[(&'static str, &str)]) -> Result<Self, Status> {
        let (requests, stream) = mpsc::channel(1 << 10);
        let mut request = Request::new(ReceiverStream::new(stream));
        for (key, value) in headers {
            // Bare bytes, as the engine of Docker 20.10 sends them.
            let value = http::HeaderValue::from_bytes(value.as_bytes()).unwrap();
            let mut map = std::mem::take(request.metadata_mut()).into_headers();
            map.append(*key, value);
            *request.metadata_mut() = tonic::metadata::MetadataMap::from_headers(map);
        }
        let mut client = FileSyncClient::new(channel.clone());
        let answers = client.diff_copy(request).await?.into_inner();
        Ok(Self { requests, answers })
    }

    /// Sends one packet to the client.
    pub(crate) async fn send(&self, kind: PacketType, id: u32, data: &[u8]) {
        self.requests.send(Packet { r#type: kind.into(), stat: None, id, data: data.to_vec() }).await.unwrap();
    }

    /// The next packet.
    pub(crate) async fn next(&mut self) -> Result<Option<Packet>, Status> {
        self.answers.message().await
    }

    /// Takes everything: entries, then the content of each file, asked for last to first and all at once.
    pub(crate) async fn take(&mut self) -> Result<Received, Status> {
        let mut received = Received::default();
        while let Some(packet) = self.next().await? {
            match (packet.r#type(), packet.stat) {
                (PacketType::PacketStat, Some(stat)) => received.entries.push(stat),
                (PacketType::PacketStat, None) => break,
                other => return Err(Status::internal(format!("{other:?} among the entries"))),
            }
        }
        let files = received.entries.iter().enumerate().filter(|(_, stat)| stat.mode >> 20 == 0 && stat.linkname.is_empty());
        let mut open: BTreeMap<u32, Vec<u8>> = files.map(|(id, _)| (u32::try_from(id).unwrap(), Vec::new())).collect();
        for id in open.keys().rev() {
            self.send(PacketType::PacketReq, *id, b"").await;
        }
        while !open.is_empty() {
            let packet = self.next().await?.ok_or_else(|| Status::internal("the stream ended among the files"))?;
            match packet.r#type() {
                PacketType::PacketData if packet.data.is_empty() => {
                    let content = open.remove(&packet.id).expect("a file that was asked for");
                    received.content.insert(received.entries[packet.id as usize].path.clone(), content);
                }
                PacketType::PacketData => open.get_mut(&packet.id).expect("an open file").extend(packet.data),
                PacketType::PacketErr => return Err(Status::data_loss(String::from_utf8(packet.data).unwrap())),
                other => return Err(Status::internal(format!("{other:?} among the files"))),
            }
        }
        self.send(PacketType::PacketFin, 0, b"").await;
        let fin = self.next().await?.ok_or_else(|| Status::internal("no FIN"))?;
        assert_eq!(fin.r#type(), PacketType::PacketFin);
        assert!(self.next().await?.is_none(), "something after FIN");
        Ok(received)
    }
}
