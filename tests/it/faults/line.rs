//! A line to a builder, which can be spoilt: before the builder answers, or while it is spoken to.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::runtime::Runtime;
use tokio::sync::watch;

use crate::support::processes::wait_until;

/// What becomes of requests that hold some text in their first line.
#[derive(Clone, Copy, Debug)]
pub enum Spoilt {
    /// Nothing is answered.
    Hung,
    /// The connection ends.
    Cut,
    /// This is answered, and the connection ends.
    Answered(&'static str),
    /// The builder's answer ends after so many bytes, and the connection with it.
    CutAfter(usize),
}

/// What the line does with connections that are open already, and with new ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Now {
    /// It hands on what comes.
    Fine,
    /// Nothing goes either way any more.
    Hung,
    /// Connections end.
    Cut,
    /// What the builder says arrives as something else.
    Garbled,
}

/// A line; it ends when it is dropped.
pub struct Line {
    /// Where it begins, as `DOCKER_HOST` has it.
    pub address: String,
    state: watch::Sender<Now>,
    open: Arc<AtomicUsize>,
    _folder: tempfile::TempDir,
    _runtime: Runtime,
}

struct Carrier {
    builder: PathBuf,
    spoilt: Option<(&'static str, Spoilt)>,
    now: watch::Receiver<Now>,
    open: Arc<AtomicUsize>,
}

impl Line {
    /// A line to the builder at a socket, which does this to requests whose first line holds the text.
    pub fn to(builder: &str, spoilt: Option<(&'static str, Spoilt)>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("s");
        let listener = runtime.block_on(async { UnixListener::bind(&socket).unwrap() });
        let ((state, now), open) = (watch::channel(Now::Fine), Arc::new(AtomicUsize::new(0)));
        let builder = builder.strip_prefix("unix://").unwrap().into();
        let carrier = Arc::new(Carrier { builder, spoilt, now, open: Arc::clone(&open) });
        runtime.spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let carrier = Arc::clone(&carrier);
                tokio::spawn(async move {
                    carrier.open.fetch_add(1, Ordering::SeqCst);
                    // What becomes of a connection that ends is nobody's concern.
                    carrier.carry(client).await.ok();
                    carrier.open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self { address: format!("unix://{}", socket.display()), state, open, _folder: folder, _runtime: runtime }
    }

    /// Does this from now on.
    pub fn is(&self, now: Now) {
        self.state.send(now).unwrap();
    }

    /// That nobody holds a connection any more, and so no session.
    pub fn is_left(&self) {
        wait_until("a connection to the builder stays", || self.open.load(Ordering::SeqCst) == 0);
    }
}

impl Carrier {
    async fn carry(&self, mut client: UnixStream) -> std::io::Result<()> {
        let mut builder = UnixStream::connect(&self.builder).await?;
        let mut first = vec![0; 16 << 10];
        let count = client.read(&mut first).await?;
        first.truncate(count);
        let line = String::from_utf8_lossy(&first).lines().next().unwrap_or_default().to_owned();
        match self.spoilt.filter(|(holds, _)| line.contains(holds)).map(|(_, spoilt)| spoilt) {
            Some(Spoilt::Hung) => return until_gone(&mut client).await,
            Some(Spoilt::Cut) => return Ok(()),
            Some(Spoilt::Answered(answer)) => {
                client.write_all(answer.as_bytes()).await?;
                client.shutdown().await?;
                return until_gone(&mut client).await;
            }
            Some(Spoilt::CutAfter(bytes)) => {
                builder.write_all(&first).await?;
                tokio::io::copy(&mut (&mut builder).take(bytes as u64), &mut client).await?;
                return Ok(());
            }
            None => builder.write_all(&first).await?,
        }
        self.hand_on(client, builder).await
    }

    async fn hand_on(&self, mut client: UnixStream, mut builder: UnixStream) -> std::io::Result<()> {
        let mut now = self.now.clone();
        let (mut said, mut answered) = (vec![0; 64 << 10], vec![0; 64 << 10]);
        loop {
            let state = *now.borrow_and_update();
            match state {
                Now::Hung => return until_gone(&mut client).await,
                Now::Cut => return Ok(()),
                Now::Fine | Now::Garbled => {}
            }
            tokio::select! {
                _ = now.changed() => {}
                count = client.read(&mut said) => match count? {
                    0 => return Ok(()),
                    count => builder.write_all(&said[..count]).await?,
                },
                count = builder.read(&mut answered) => match count? {
                    0 => return Ok(()),
                    count => {
                        if state == Now::Garbled {
                            answered[..count].iter_mut().for_each(|byte| *byte ^= 0x55);
                        }
                        client.write_all(&answered[..count]).await?;
                    }
                },
            }
        }
    }
}

/// Waits until the client has gone.
async fn until_gone(client: &mut UnixStream) -> std::io::Result<()> {
    tokio::io::copy(client, &mut tokio::io::sink()).await.map(drop)
}
