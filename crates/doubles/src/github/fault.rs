//! What goes wrong.

use std::sync::Mutex;

use super::call::Call;
use super::content::{Answer, cut, of_another};
use super::refusal::{Refusal, unicorn};

/// What goes wrong with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// 500, 502, 503 or 504 with GitHub's page. Nothing is done.
    Status(u16),
    /// The hour's requests are used up. Nothing is done.
    Limit {
        /// 403 or 429.
        status: u16,
        /// In how many seconds there are more.
        reset_in: u64,
    },
    /// Too much at a time. Nothing is done.
    Haste {
        /// 403 or 429.
        status: u16,
        /// How many seconds to wait, where that is said.
        retry_after: Option<u64>,
    },
    /// The connection ends. Nothing is done.
    Refused,
    /// Nothing is done, and nothing answered as long as somebody waits for it.
    Hang,
    /// A page of somebody else. Nothing is done.
    Wrong,
    /// The token is no longer good. Nothing is done.
    Expired,
    /// What is asked is done, and the connection ends without an answer.
    Silence,
    /// What is asked is done; the connection ends in the middle of the answer.
    Cut,
    /// What is asked is done; numbers in the answer are texts, which GitHub's description does not allow.
    Malformed,
}

/// Which requests of a call it happens to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Times {
    /// The nth of the repository, counted from one.
    Nth(usize),
    /// All until the nth.
    First(usize),
    /// All, until it is mended.
    Always,
}

impl Times {
    fn holds(self, nth: usize) -> bool {
        match self {
            Self::Nth(one) => nth == one,
            Self::First(count) => nth <= count,
            Self::Always => true,
        }
    }
}

/// What is to go wrong.
#[derive(Default)]
pub struct Faults(Mutex<Vec<(Call, Times, Fault)>>);

impl Faults {
    /// Lets something go wrong. What was told first counts.
    pub fn add(&self, call: Call, times: Times, fault: Fault) {
        self.0.lock().unwrap().push((call, times, fault));
    }

    /// Nothing goes wrong with this call any more.
    pub fn clear(&self, call: Call) {
        self.0.lock().unwrap().retain(|(one, _, _)| *one != call);
    }

    /// What goes wrong with the nth request of a call.
    pub fn of(&self, call: Call, nth: usize) -> Option<Fault> {
        let faults = self.0.lock().unwrap();
        faults.iter().find(|(one, times, _)| *one == call && times.holds(nth)).map(|(_, _, fault)| *fault)
    }
}

impl Fault {
    /// What is answered in place of doing anything.
    pub fn instead(self, call: Call) -> Option<std::io::Result<Answer>> {
        match self {
            Self::Status(status) => Some(Ok(unicorn(status))),
            Self::Limit { status, reset_in } => Some(Ok(Refusal::of_limit(status, reset_in).answer(call))),
            Self::Haste { status, retry_after } => Some(Ok(Refusal::of_haste(status, retry_after).answer(call))),
            Self::Refused => Some(Err(std::io::ErrorKind::ConnectionReset.into())),
            Self::Wrong => Some(Ok(of_another())),
            Self::Expired => Some(Ok(Refusal::new(401, "Bad credentials").answer(call))),
            Self::Hang | Self::Silence | Self::Cut | Self::Malformed => None,
        }
    }

    /// What becomes of an answer.
    pub(super) async fn spoil(self, answer: Answer) -> std::io::Result<Answer> {
        match self {
            Self::Silence => Err(std::io::ErrorKind::ConnectionReset.into()),
            Self::Cut => cut(answer).await,
            _ => Ok(answer),
        }
    }
}
