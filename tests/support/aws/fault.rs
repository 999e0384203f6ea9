//! What goes wrong.

use std::sync::Mutex;

use futures_util::stream;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Bytes, Frame};

use super::call::Call;
use super::content::{Answer, Content, collected, full};

/// What goes wrong with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// This status, 500 or 503, in the words of the service. Nothing is done.
    Status(u16),
    /// Too many requests, in the words of the service. Nothing is done.
    Throttle,
    /// What is asked is done; the connection ends in the middle of the answer.
    Cut,
    /// After so many bytes of the request's body the connection ends, and nothing is done; shorter requests pass.
    CutRequest(u64),
    /// What is asked is done; the last byte of the answer is another.
    Corrupt,
    /// It takes so many milliseconds.
    Delay(u64),
    /// What is asked is done, and the connection ends without an answer.
    Silence,
}

/// How often it happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Times {
    Once,
    Exactly(usize),
    Always,
}

/// What is still to go wrong.
#[derive(Default)]
pub struct Faults(Mutex<Vec<(Call, usize, Fault)>>);

impl Faults {
    /// Lets something go wrong, after what was told before.
    pub fn add(&self, call: Call, times: Times, fault: Fault) {
        let times = match times {
            Times::Once => 1,
            Times::Exactly(times) => times,
            Times::Always => usize::MAX,
        };
        self.0.lock().unwrap().push((call, times, fault));
    }

    /// Nothing goes wrong with this call any more.
    pub fn clear(&self, call: Call) {
        self.0.lock().unwrap().retain(|(one, _, _)| *one != call);
    }

    /// What goes wrong with a call that comes now with so many bytes.
    pub fn take(&self, call: Call, length: u64) -> Option<Fault> {
        let mut faults = self.0.lock().unwrap();
        let applies = |(one, times, fault): &&mut (Call, usize, Fault)| {
            let long_enough = !matches!(fault, Fault::CutRequest(after) if length <= *after);
            *one == call && *times > 0 && long_enough
        };
        let (_, times, fault) = faults.iter_mut().find(applies)?;
        *times -= 1;
        Some(*fault)
    }
}

/// The answer with another last byte.
pub async fn corrupted(answer: Answer) -> std::io::Result<Answer> {
    let (head, content) = answer.into_parts();
    let mut bytes = collected(content).await?.to_vec();
    if let Some(last) = bytes.last_mut() {
        *last ^= 1;
    }
    Ok(Answer::from_parts(head, full(bytes)))
}

/// The answer as far as its middle; an error where there is nothing in it to cut.
pub async fn cut(answer: Answer) -> std::io::Result<Answer> {
    let (mut head, content) = answer.into_parts();
    let bytes = collected(content).await?;
    if bytes.len() < 2 {
        return Err(std::io::ErrorKind::ConnectionReset.into());
    }
    head.headers.remove("transfer-encoding");
    head.headers.insert("content-length", bytes.len().into());
    Ok(Answer::from_parts(head, broken(bytes.slice(..bytes.len() / 2))))
}

/// A body that ends too early.
fn broken(bytes: Bytes) -> Content {
    let parts = stream::unfold(Some(bytes), |bytes| async {
        match bytes {
            Some(bytes) if !bytes.is_empty() => Some((Ok(Frame::data(bytes)), Some(Bytes::new()))),
            // What was written goes out while the rest is waited for.
            Some(_) => {
                tokio::task::yield_now().await;
                Some((Err(std::io::ErrorKind::ConnectionReset.into()), None))
            }
            None => None,
        }
    });
    StreamBody::new(parts).boxed_unsync()
}
