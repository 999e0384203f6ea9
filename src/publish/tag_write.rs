//! One tag on its way to a registry.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::net::{Failure, RetryPolicy};
use crate::oci::registry::{Client, Error, Manifest};
use crate::oci::{Digest, Tag};

/// How often it is looked whether the request that is out has come back, once no other is to follow.
const GLANCE: Duration = Duration::from_millis(10);

/// A tag on its way. The requests are those of a task of its own: one that is cut off may be obeyed all the same, and its
/// answer is what tells.
pub(super) struct TagWrite {
    flight: Arc<Flight>,
    task: JoinHandle<TagWriteEnd>,
    /// Whether its end was told.
    pub(super) is_over: bool,
}

/// How it ended.
pub(super) enum TagWriteEnd {
    /// The registry has taken it.
    Taken,
    /// Another delivery has set it, before it was sent again.
    Rival(Digest),
    /// The last request failed.
    Failed(Error),
    /// It was stopped while no request was out.
    Stopped,
}

/// Why an attempt came to nothing.
#[derive(Debug, thiserror::Error)]
enum Setback {
    #[error(transparent)]
    Registry(#[from] Error),
    #[error("the tag names {0}")]
    Rival(Digest),
}

impl Failure for Setback {
    fn is_temporary(&self) -> bool {
        matches!(self, Self::Registry(error) if error.is_temporary())
    }

    fn is_silence(&self) -> bool {
        matches!(self, Self::Registry(error) if error.is_silence())
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Registry(error) => error.retry_after(),
            Self::Rival(_) => None,
        }
    }
}

/// What is known of the requests.
#[derive(Default)]
struct Flight {
    /// Whether one is out.
    is_out: AtomicBool,
    /// Whether one went out and nobody said what became of it.
    is_lost: AtomicBool,
    /// Whether the registry has failed at one: it may have done it before.
    may_be_done: AtomicBool,
}

impl TagWrite {
    /// Sends the tag, and sends it again as long as `stop` lets it. With `only_if_new`, as [`Client::tag_once`]; and as most
    /// registries pass over that, the tag is looked at before it is sent again, for much may happen between two attempts.
    pub(super) fn begin(client: &Client, tag: &Tag, manifest: &Manifest, only_if_new: bool, stop: &CancellationToken) -> Self {
        let flight = Arc::new(Flight::default());
        let (client, tag, manifest, stop, shared) =
            (client.clone(), tag.clone(), manifest.clone(), stop.clone(), Arc::clone(&flight));
        let task = tokio::spawn(async move {
            if stop.is_cancelled() {
                return TagWriteEnd::Stopped;
            }
            let is_repeat = AtomicBool::new(false);
            let attempt = || async {
                if is_repeat.swap(true, Ordering::SeqCst) && only_if_new {
                    match client.find_manifest(&(&tag).into()).await?.map(|now| now.digest) {
                        Some(digest) if digest == manifest.digest => return Ok(()),
                        Some(digest) => return Err(Setback::Rival(digest)),
                        None => {}
                    }
                }
                Ok(shared.watch(client.tag_once(&tag, &manifest, only_if_new)).await?)
            };
            let again = |setback: &Setback| setback.is_temporary() && !stop.is_cancelled();
            tokio::select! {
                biased;
                ended = RetryPolicy::REGISTRY.run_when(attempt, again) => match ended {
                    Ok(()) => TagWriteEnd::Taken,
                    Err(Setback::Rival(digest)) => TagWriteEnd::Rival(digest),
                    Err(Setback::Registry(error)) => TagWriteEnd::Failed(error),
                },
                () = shared.idle_after(&stop) => TagWriteEnd::Stopped,
            }
        });
        Self { flight, task, is_over: false }
    }

    /// Waits for its end, which is told once.
    pub(super) async fn end(&mut self) -> TagWriteEnd {
        let ended = (&mut self.task).await;
        self.is_over = true;
        // A task that broke may have sent it.
        ended.unwrap_or_else(|_| {
            self.flight.is_lost.store(true, Ordering::SeqCst);
            TagWriteEnd::Stopped
        })
    }

    /// Whether the registry has answered a request with a failure of its own. Whatever it says of a later one, it may have done it.
    pub(super) fn may_be_done(&self) -> bool {
        self.flight.may_be_done.load(Ordering::SeqCst)
    }

    /// Whether a request is out that may yet be obeyed, or was and nobody said so.
    pub(super) fn is_in_doubt(&self) -> bool {
        self.flight.is_out.load(Ordering::SeqCst) || self.flight.is_lost.load(Ordering::SeqCst)
    }
}

impl Flight {
    async fn watch(&self, request: impl Future<Output = Result<(), Error>>) -> Result<(), Error> {
        self.is_out.store(true, Ordering::SeqCst);
        let ended = request.await;
        if ended.as_ref().is_err_and(Error::leaves_doubt) {
            self.is_lost.store(true, Ordering::SeqCst);
        }
        if ended.as_ref().is_err_and(|error| error.status().is_some_and(|status| status.is_server_error())) {
            self.may_be_done.store(true, Ordering::SeqCst);
        }
        self.is_out.store(false, Ordering::SeqCst);
        ended
    }

    /// Ends when it is stopped and no request is out.
    async fn idle_after(&self, stop: &CancellationToken) {
        stop.cancelled().await;
        while self.is_out.load(Ordering::SeqCst) {
            tokio::time::sleep(GLANCE).await;
        }
    }
}
