//! One file transfer: the sending side of `DiffCopy`, as in `send.go` of `github.com/tonistiigi/fsutil`.
//!
//! The entries go out as the walk gives them, and an empty one ends them. Meanwhile the engine asks for the content of those
//! that it does not have, by number, in any order. An empty packet ends a file; `FIN`, answered by `FIN`, ends the transfer.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};

use bollard_buildkit_proto::fsutil::types::packet::PacketType;
use bollard_buildkit_proto::fsutil::types::{Packet, Stat};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tonic::{Status, Streaming};

use super::context::Directory;
use super::error::Error;
use super::filter::Wanted;
use super::mode;
use super::sent::Sent;
use super::stats::TransferStats;

/// Blocking tasks at a time: the list, and as many files as Docker's own client reads.
const TASKS: usize = 1 + 4;
/// Bytes of a file in one packet; more is not faster.
const CHUNK: usize = 64 << 10;

/// The packets to the engine.
pub(crate) type Outgoing = mpsc::Sender<Result<Packet, Status>>;

/// One transfer.
pub(crate) struct Transfer {
    directory: Directory,
    sent: Mutex<Sent>,
    outgoing: Outgoing,
    stats: Arc<TransferStats>,
}

/// Why a transfer ends early.
enum Stop {
    /// Something can't be served.
    Error(Error),
    /// The engine broke the rules, or said that it failed.
    Engine(String),
    /// The engine is gone.
    Gone,
}

impl<E: Into<Error>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}

impl Transfer {
    /// A transfer from `directory`.
    #[must_use]
    pub(crate) fn new(directory: Directory, outgoing: Outgoing, stats: Arc<TransferStats>) -> Self {
        Self { directory, sent: Mutex::default(), outgoing, stats }
    }

    /// Sends what is wanted, until the engine has what it needs of it.
    pub(crate) async fn run(self, wanted: Wanted, requests: Streaming<Packet>) {
        let transfer = Arc::new(self);
        let status = match Arc::clone(&transfer).converse(wanted, requests).await {
            Ok(()) | Err(Stop::Gone) => return,
            Err(Stop::Engine(message)) => Status::aborted(message),
            Err(Stop::Error(error)) => {
                let message = error.to_string();
                transfer.stats.note(error);
                // The other side may be gone too, which then changes nothing.
                let _ = transfer.outgoing.send(Ok(packet(PacketType::PacketErr, 0, message.clone().into_bytes()))).await;
                Status::unknown(message)
            }
        };
        let _ = transfer.outgoing.send(Err(status)).await;
    }

    async fn converse(self: Arc<Self>, wanted: Wanted, mut requests: Streaming<Packet>) -> Result<(), Stop> {
        let mut tasks: JoinSet<Result<(), Stop>> = JoinSet::new();
        let lister = Arc::clone(&self);
        tasks.spawn_blocking(move || lister.list(&wanted));
        // Requests are taken as they come, however many: h2 ends a connection on which too many small messages wait.
        let mut waiting = VecDeque::new();
        loop {
            while tasks.len() < TASKS
                && let Some(id) = waiting.pop_front()
            {
                let reader = Arc::clone(&self);
                tasks.spawn_blocking(move || reader.give(id));
            }
            let request = tokio::select! {
                Some(done) = tasks.join_next() => {
                    done.unwrap_or(Err(Stop::Gone))?;
                    continue;
                }
                request = requests.message() => request.map_err(|_| Stop::Gone)?.ok_or(Stop::Gone)?,
            };
            match request.r#type() {
                PacketType::PacketReq if self.sent().ask(request.id) => waiting.push_back(request.id),
                PacketType::PacketReq => return Err(Stop::Engine(format!("invalid file id {}", request.id))),
                PacketType::PacketFin => {
                    return self.outgoing.send(Ok(packet(PacketType::PacketFin, 0, Vec::new()))).await.map_err(|_| Stop::Gone);
                }
                PacketType::PacketErr => return Err(Stop::Engine(String::from_utf8_lossy(&request.data).into_owned())),
                PacketType::PacketStat | PacketType::PacketData => {}
            }
        }
    }

    fn list(&self, wanted: &Wanted) -> Result<(), Stop> {
        for entry in self.directory.entries(wanted)? {
            let entry = entry?;
            self.sent().push(&entry.path, mode::has_content(&entry));
            // A further name of a file has neither size nor content.
            if let Some(path) = self.directory.placed(&entry.path)
                && mode::has_content(&entry)
                && entry.linkname.is_empty()
            {
                self.stats.list(&path, entry.size, entry.mod_time);
            }
            self.send_entry(Some(entry))?;
        }
        self.send_entry(None)
    }

    fn give(&self, id: u32) -> Result<(), Stop> {
        let path = self.sent().path(id);
        let mut content = self.directory.content(&path)?;
        let mut buffer = vec![0; CHUNK];
        loop {
            match content.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => {
                    self.send(packet(PacketType::PacketData, id, buffer[..count].to_vec()))?;
                    self.stats.count_bytes(count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(Error::Read { path: path.into(), source }.into()),
            }
        }
        self.send(packet(PacketType::PacketData, id, Vec::new()))?;
        self.stats.count_file();
        Ok(())
    }

    fn send_entry(&self, stat: Option<Stat>) -> Result<(), Stop> {
        self.send(Packet { stat, ..packet(PacketType::PacketStat, 0, Vec::new()) })
    }

    fn send(&self, packet: Packet) -> Result<(), Stop> {
        self.outgoing.blocking_send(Ok(packet)).map_err(|_| Stop::Gone)
    }

    fn sent(&self) -> std::sync::MutexGuard<'_, Sent> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn packet(kind: PacketType, id: u32, data: Vec<u8>) -> Packet {
    Packet { r#type: kind.into(), stat: None, id, data }
}
