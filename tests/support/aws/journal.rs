//! What was asked, in order; and requests that are held until a test has looked.

use std::sync::Mutex;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;

use hyper::http::request::Parts;
use tokio::sync::oneshot;

use super::call::Call;

/// A request as it came, and what was answered.
#[derive(Clone, Debug)]
pub struct Entry {
    pub call: Call,
    pub method: String,
    /// Path and query.
    pub path: String,
    /// The body of a call of STS or of ECR's API.
    pub document: String,
    /// The announced length of the body, in bytes.
    pub length: u64,
    /// The status of the answer, once there is one.
    pub status: Option<u16>,
}

impl Entry {
    /// A parameter of a call of STS, or of the query.
    pub fn parameter(&self, name: &str) -> Option<String> {
        let query = self.path.split_once('?').map_or("", |(_, query)| query);
        let pairs = [query.as_bytes(), self.document.as_bytes()].into_iter().flat_map(url::form_urlencoded::parse);
        pairs.filter(|(key, _)| key == name).map(|(_, value)| value.into_owned()).next()
    }
}

/// All requests so far.
#[derive(Default)]
pub struct Journal {
    entries: Mutex<Vec<Entry>>,
    holds: Mutex<Vec<Hold>>,
}

struct Hold {
    call: Call,
    nth: usize,
    arrived: Sender<()>,
    released: oneshot::Receiver<()>,
}

/// A request that will be held; it goes on when this is released or dropped.
pub struct Held {
    call: Call,
    arrived: Receiver<()>,
    release: Option<oneshot::Sender<()>>,
}

impl Held {
    /// Waits until the request is there. Nothing of it has been done then.
    ///
    /// # Panics
    /// Where it does not come within two minutes.
    pub fn arrived(&self) {
        self.arrived
            .recv_timeout(Duration::from_mins(2))
            .unwrap_or_else(|_| panic!("no {:?} came that was to be held", self.call));
    }

    /// Waits until whoever asked is gone, and the request with it.
    ///
    /// # Panics
    /// Where that does not come to be within two minutes.
    pub fn gone(&self) {
        let ended = self.arrived.recv_timeout(Duration::from_mins(2));
        assert_eq!(ended, Err(mpsc::RecvTimeoutError::Disconnected), "whoever asked for {:?} is still there", self.call);
    }

    /// Lets it go on.
    pub fn release(mut self) {
        self.release.take();
    }
}

impl Journal {
    /// Writes down a request, waits while it is held, and gives its number.
    pub async fn arrive(&self, call: Call, head: &Parts, document: &[u8]) -> usize {
        let length = head.headers.get("content-length").and_then(|length| length.to_str().ok()?.parse().ok()).unwrap_or(0);
        let entry = Entry {
            call,
            method: head.method.to_string(),
            path: head.uri.to_string(),
            document: String::from_utf8_lossy(document).into_owned(),
            length,
            status: None,
        };
        let (number, nth) = {
            let mut entries = self.entries.lock().unwrap();
            entries.push(entry);
            (entries.len() - 1, entries.iter().filter(|one| one.call == call).count())
        };
        let hold = {
            let mut holds = self.holds.lock().unwrap();
            let found = holds.iter().position(|hold| hold.call == call && hold.nth == nth);
            found.map(|at| holds.remove(at))
        };
        if let Some(hold) = hold {
            // A test that has gone on no longer cares.
            let _ = hold.arrived.send(());
            let _ = hold.released.await;
        }
        number
    }

    /// The announced length of a request's body, in bytes.
    pub fn length(&self, number: usize) -> u64 {
        self.entries.lock().unwrap()[number].length
    }

    /// Writes down what was answered.
    pub fn answered(&self, number: usize, status: u16) {
        self.entries.lock().unwrap()[number].status = Some(status);
    }

    /// Holds the `nth` request of a call, counted from one and from the world's beginning.
    pub fn hold(&self, call: Call, nth: usize) -> Held {
        let (arrived, receiver) = mpsc::channel();
        let (release, released) = oneshot::channel();
        self.holds.lock().unwrap().push(Hold { call, nth, arrived, released });
        Held { call, arrived: receiver, release: Some(release) }
    }

    /// All so far.
    pub fn entries(&self) -> Vec<Entry> {
        self.entries.lock().unwrap().clone()
    }
}
