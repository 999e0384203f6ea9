//! What was asked of a repository, in order; and requests that are held until a test has looked.

use std::sync::Mutex;

use hyper::http::request::Parts;
use serde_json::Value;

use super::call::Call;
use crate::service::hold::{self, Holds};

/// A request that will be held: which of which call, and at which moment.
pub type Held = hold::Held<(Call, usize, Moment)>;

/// A request as it came, and what was answered.
#[derive(Clone, Debug)]
pub struct Entry {
    /// What was asked for.
    pub call: Call,
    /// The HTTP method.
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
    holds: Holds<(Call, usize, Moment)>,
}

/// Where a request stands when it is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Nothing is done yet.
    Before,
    /// What was asked is done, and nothing answered.
    After,
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
        self.holds.wait(&(call, nth, moment)).await;
    }

    /// Writes down what was answered.
    pub fn answered(&self, number: usize, status: u16) {
        self.entries.lock().unwrap()[number].status = Some(status);
    }

    /// Holds the `nth` request of a call, counted from one.
    pub fn hold(&self, call: Call, nth: usize, moment: Moment) -> Held {
        self.holds.hold((call, nth, moment))
    }

    /// All so far.
    pub fn entries(&self) -> Vec<Entry> {
        self.entries.lock().unwrap().clone()
    }
}
