//! What was asked, in order; and requests that are held until a test has looked.

use std::sync::Mutex;

use hyper::http::request::Parts;

use super::call::Call;
use crate::service::hold::{self, Holds};

/// A request that will be held: which of which call.
pub type Held = hold::Held<(Call, usize)>;

/// A request as it came, and what was answered.
#[derive(Clone, Debug)]
pub struct Entry {
    /// What was asked for.
    pub call: Call,
    /// The HTTP method.
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
    holds: Holds<(Call, usize)>,
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
        self.holds.wait(&(call, nth)).await;
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
        self.holds.hold((call, nth))
    }

    /// All so far.
    pub fn entries(&self) -> Vec<Entry> {
        self.entries.lock().unwrap().clone()
    }
}
