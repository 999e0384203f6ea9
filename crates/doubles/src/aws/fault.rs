//! What goes wrong.

use std::sync::Mutex;

use super::call::Call;
use super::content::{Answer, collected, full};

/// What goes wrong with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// This status, 500 or 503, in the words of the service. Nothing is done.
    Status(u16),
    /// This call is denied, with this message. Nothing is done.
    Denial(&'static str),
    /// Too many requests, in the words of the service. Nothing is done.
    Throttle,
    /// As [`Fault::Throttle`], with a `Retry-After` of so many seconds.
    ThrottleFor(u64),
    /// The connection ends. Nothing is done.
    Refused,
    /// Nothing is done, and nothing answered as long as somebody waits for it.
    Hang,
    /// A page of somebody else, as a network gives one whose users have to agree to something first. Nothing is done.
    Wrong,
    /// The credentials are no longer good, in the words of the service. Nothing is done.
    Expired,
    /// All sessions that were given so far are over when it comes, though they were to be good for longer; so it is refused.
    SessionEnds,
    /// What is asked is done; the connection ends in the middle of the answer.
    Cut,
    /// What is asked is done; the answer is the first half of what it would be, and says nothing of the rest.
    Truncated,
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
    /// The next time.
    Once,
    /// So many times.
    Exactly(usize),
    /// Every time, until it is mended.
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

/// The first half of the answer, as if it were all.
pub async fn truncated(answer: Answer) -> std::io::Result<Answer> {
    let (mut head, content) = answer.into_parts();
    let bytes = collected(content).await?;
    head.headers.remove("transfer-encoding");
    head.headers.remove("content-length");
    Ok(Answer::from_parts(head, full(bytes.slice(..bytes.len() / 2))))
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
