//! SSH agents for build steps (`RUN --mount=type=ssh`; `session/sshforward` of `github.com/moby/buildkit`). The keys stay in
//! the agent: a step gets a socket that leads to it.
//!
//! A step may ask which keys there are and have something signed. It may add no key, remove none and lock nothing: all other
//! messages are answered as failures (the agent's protocol: draft-miller-ssh-agent).

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bollard_buildkit_proto::moby::sshforward::v1::ssh_server::{Ssh, SshServer};
use bollard_buildkit_proto::moby::sshforward::v1::{BytesMessage, CheckAgentRequest, CheckAgentResponse};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

/// The calls that are announced to the builder.
pub(crate) const METHODS: [&str; 2] = ["/moby.sshforward.v1.SSH/CheckAgent", "/moby.sshforward.v1.SSH/ForwardAgent"];

/// The ID of an agent that a step asks for without one.
const DEFAULT_ID: &str = "default";

/// The key of a call's metadata that says which agent is meant.
const ID_KEY: &str = "buildkit.ssh.id";

/// The longest message of an agent in bytes (`AGENT_MAX_LEN` of OpenSSH).
const MAX_MESSAGE: usize = 256 * 1024;

/// How long an agent may take for an answer: somebody may have to touch a key, or type a password.
pub(crate) const PATIENCE: Duration = Duration::from_mins(2);

/// `SSH_AGENTC_REQUEST_IDENTITIES` and `SSH_AGENTC_SIGN_REQUEST`.
const ALLOWED: [u8; 2] = [11, 13];

/// `SSH_AGENT_FAILURE`, with its length before it.
const FAILURE: [u8; 5] = [0, 0, 0, 1, 5];

/// The agents of one build.
#[derive(Clone, Debug)]
pub(crate) struct Agents(Arc<BTreeMap<String, PathBuf>>);

impl Agents {
    /// The service that leads to the agents at `sockets`, by their IDs.
    #[must_use]
    pub(crate) fn server(sockets: BTreeMap<String, PathBuf>) -> SshServer<Self> {
        SshServer::new(Self(Arc::new(sockets)))
    }

    fn socket(&self, id: &str) -> Result<&Path, Status> {
        let id = if id.is_empty() { DEFAULT_ID } else { id };
        let socket = self.0.get(id).ok_or_else(|| Status::not_found(format!("no SSH agent is given for the ID {id:?}")))?;
        Ok(socket)
    }
}

#[tonic::async_trait]
impl Ssh for Agents {
    type ForwardAgentStream = ReceiverStream<Result<BytesMessage, Status>>;

    async fn check_agent(&self, request: Request<CheckAgentRequest>) -> Result<Response<CheckAgentResponse>, Status> {
        // Not an error here: a step that does not require the agent runs without it.
        self.socket(&request.into_inner().id).map(|_| Response::new(CheckAgentResponse {}))
    }

    async fn forward_agent(
        &self,
        request: Request<Streaming<BytesMessage>>,
    ) -> Result<Response<Self::ForwardAgentStream>, Status> {
        let id = request.metadata().get(ID_KEY).map(|id| id.to_str().map(str::to_owned).unwrap_or_default());
        let socket = self.socket(&id.unwrap_or_default())?;
        let agent = UnixStream::connect(socket).await;
        let agent = agent.map_err(|error| Status::unavailable(format!("the SSH agent at {}: {error}", socket.display())))?;
        let (sender, answers) = mpsc::channel(4);
        tokio::spawn(async move {
            if let Err(error) = forward(request.into_inner(), agent, &sender).await {
                tracing::debug!(%error, "an SSH agent's connection ended");
            }
        });
        Ok(Response::new(ReceiverStream::new(answers)))
    }
}

/// Hands on one message after the other, each with its answer.
async fn forward(
    mut step: Streaming<BytesMessage>,
    mut agent: UnixStream,
    answers: &mpsc::Sender<Result<BytesMessage, Status>>,
) -> io::Result<()> {
    let mut received = Vec::new();
    while let Some(piece) = step.message().await.map_err(io::Error::other)? {
        received.extend(piece.data);
        while let Some(message) = take(&mut received)? {
            let answer = if message.get(4).is_some_and(|kind| ALLOWED.contains(kind)) {
                agent.write_all(&message).await?;
                // What comes later would be taken for the answer to the next one, so that this ends the connection.
                timeout(PATIENCE, answer(&mut agent)).await??
            } else {
                FAILURE.to_vec()
            };
            if answers.send(Ok(BytesMessage { data: answer })).await.is_err() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Takes the first whole message, its length included.
fn take(received: &mut Vec<u8>) -> io::Result<Option<Vec<u8>>> {
    let Some(length) = received.first_chunk::<4>() else { return Ok(None) };
    let end = 4 + length_of(*length)?;
    Ok((received.len() >= end).then(|| received.drain(..end).collect()))
}

async fn answer(agent: &mut UnixStream) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    agent.read_exact(&mut length).await?;
    let mut answer = length.to_vec();
    answer.resize(4 + length_of(length)?, 0);
    agent.read_exact(&mut answer[4..]).await?;
    Ok(answer)
}

fn length_of(length: [u8; 4]) -> io::Result<usize> {
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if length <= MAX_MESSAGE { Ok(length) } else { Err(io::Error::other(format!("a message of {length} bytes"))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_taken_whole_however_they_arrive() {
        let mut received = vec![0, 0, 0, 1, 11, 0, 0];
        assert_eq!(take(&mut received).unwrap().unwrap(), [0, 0, 0, 1, 11]);
        assert_eq!(take(&mut received).unwrap(), None);
        received.extend([0, 2, 13]);
        assert_eq!(take(&mut received).unwrap(), None);
        received.push(9);
        assert_eq!(take(&mut received).unwrap().unwrap(), [0, 0, 0, 2, 13, 9]);
        assert!(take(&mut vec![0xff; 8]).is_err());
    }

    #[test]
    fn an_agent_is_known_by_its_id_and_the_default_one_without() {
        let agents = Agents(Arc::new(BTreeMap::from([("default".to_owned(), PathBuf::from("/a"))])));
        assert_eq!(agents.socket("").unwrap(), Path::new("/a"));
        assert_eq!(agents.socket("default").unwrap(), Path::new("/a"));
        assert_eq!(agents.socket("git").unwrap_err().code(), tonic::Code::NotFound);
    }
}
