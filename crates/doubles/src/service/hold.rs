//! Requests that are held until a test has looked.

use std::fmt::Debug;
use std::sync::Mutex;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;

use tokio::sync::oneshot;

/// Which requests are to be held, each by what tells it from the others.
pub struct Holds<Key>(Mutex<Vec<Hold<Key>>>);

struct Hold<Key> {
    key: Key,
    arrived: Sender<()>,
    released: oneshot::Receiver<()>,
}

/// A request that will be held; it goes on when this is released or dropped.
pub struct Held<Key> {
    key: Key,
    arrived: Receiver<()>,
    release: Option<oneshot::Sender<()>>,
}

impl<Key> Default for Holds<Key> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<Key: Clone + PartialEq> Holds<Key> {
    /// Holds a request.
    pub fn hold(&self, key: Key) -> Held<Key> {
        let (arrived, receiver) = mpsc::channel();
        let (release, released) = oneshot::channel();
        self.0.lock().unwrap().push(Hold { key: key.clone(), arrived, released });
        Held { key, arrived: receiver, release: Some(release) }
    }

    /// Waits while a request is held.
    pub async fn wait(&self, key: &Key) {
        let hold = {
            let mut holds = self.0.lock().unwrap();
            let found = holds.iter().position(|hold| hold.key == *key);
            found.map(|at| holds.remove(at))
        };
        if let Some(hold) = hold {
            // A test that has gone on no longer cares.
            let _ = hold.arrived.send(());
            let _ = hold.released.await;
        }
    }
}

impl<Key: Debug> Held<Key> {
    /// Waits until the request is there.
    ///
    /// # Panics
    /// Where it does not come within two minutes.
    pub fn arrived(&self) {
        self.arrived
            .recv_timeout(Duration::from_mins(2))
            .unwrap_or_else(|_| panic!("no {:?} came that was to be held", self.key));
    }

    /// Waits until whoever asked is gone, and the request with it.
    ///
    /// # Panics
    /// Where that does not come to be within two minutes.
    pub fn gone(&self) {
        let ended = self.arrived.recv_timeout(Duration::from_mins(2));
        assert_eq!(ended, Err(mpsc::RecvTimeoutError::Disconnected), "whoever asked for {:?} is still there", self.key);
    }

    /// Lets it go on.
    pub fn release(mut self) {
        self.release.take();
    }
}
