//! What was asked of a repository, in order; and requests that are held until a test has looked.

use std::sync::Mutex;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;

use hyper::http::request::Parts;
use serde_json::Value;
use tokio::sync::oneshot;

use super::call::Call;

/// A request as it came, and what was answered.
#[derive(Clone, Debug)]
pub struct Entry {
    pub call: Call,
    pub method: String,
    /// Path and query, as GitHub knows them: without the prefix of an enterprise server.
    pub path: String,
    /// The headers but `authorization`, their names in small letters.
    pub headers: Vec<(String, String)>,
    /// The body where it is JSON; otherwise null.
    pub document: Value,
    /// The status of the answer, once there is one that went out whole.
    pub status: Option<u16>,
}

impl Entry {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(one, _)| one == name).map(|(_, value)| value.as_str())
    }

    /// A parameter of the query.
    pub fn parameter(&self, name: &str) -> Option<String> {
        let (_, query) = self.path.split_once('?')?;
        url::form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }
}

/// All requests so far.
#[derive(Default)]
pub struct Journal {
    entries: Mutex<Vec<Entry>>,
    holds: Mutex<Vec<Hold>>,
}

/// Where a request stands when it is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Nothing is done yet.
    Before,
    /// What was asked is done, and nothing answered.
    After,
}

struct Hold {
    call: Call,
    nth: usize,
    moment: Moment,
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
    /// Waits until the request is there.
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
    /// Writes down a request; gives its number, and which of its call it is, counted from one.
    pub fn arrive(&self, call: Call, head: &Parts, path: &str, document: &[u8]) -> (usize, usize) {
        let headers = head.headers.iter().filter(|(name, _)| *name != "authorization");
        let text = |value: &hyper::http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let entry = Entry {
            call,
            method: head.method.to_string(),
            path: path.to_owned(),
            headers: headers.map(|(name, value)| (name.to_string(), text(value))).collect(),
            document: serde_json::from_slice(document).unwrap_or_default(),
            status: None,
        };
        let mut entries = self.entries.lock().unwrap();
        entries.push(entry);
        (entries.len() - 1, entries.iter().filter(|one| one.call == call).count())
    }

    /// Waits while a request is held.
    pub async fn wait(&self, call: Call, nth: usize, moment: Moment) {
        let hold = {
            let mut holds = self.holds.lock().unwrap();
            let found = holds.iter().position(|hold| (hold.call, hold.nth, hold.moment) == (call, nth, moment));
            found.map(|at| holds.remove(at))
        };
        if let Some(hold) = hold {
            // A test that has gone on no longer cares.
            let _ = hold.arrived.send(());
            let _ = hold.released.await;
        }
    }

    /// Writes down what was answered.
    pub fn answered(&self, number: usize, status: u16) {
        self.entries.lock().unwrap()[number].status = Some(status);
    }

    /// Holds the `nth` request of a call, counted from one.
    pub fn hold(&self, call: Call, nth: usize, moment: Moment) -> Held {
        let (arrived, receiver) = mpsc::channel();
        let (release, released) = oneshot::channel();
        self.holds.lock().unwrap().push(Hold { call, nth, moment, arrived, released });
        Held { call, arrived: receiver, release: Some(release) }
    }

    /// All so far.
    pub fn entries(&self) -> Vec<Entry> {
        self.entries.lock().unwrap().clone()
    }
}
