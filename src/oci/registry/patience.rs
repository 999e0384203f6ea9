//! How long a registry is waited for.

use std::time::Duration;

use crate::net::Pace;

/// How long a registry is waited for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// How long an answer may take to begin, with all redirects before it.
    pub(crate) answer: Duration,
    /// The same for a token, which is made in no time, and is waited for by others.
    pub(crate) token: Duration,
    /// How long the words of a refusal may take: it is known without them.
    pub(crate) refusal: Duration,
    /// How long the answer may take once a blob is sent, …
    pub(crate) commit: Duration,
    /// … and a second more for each so many bytes: some copy and hash the whole blob before they answer.
    pub(crate) commit_rate: u64,
    /// How slow content may come and go.
    pub(crate) pace: Pace,
    /// How long the whole list of tags may take.
    pub(crate) tags: Duration,
}

impl Patience {
    /// With every registry. A silence is met by one more try, so that whoever answers nothing is given up within a minute.
    pub(crate) const USUAL: Self = Self {
        answer: Duration::from_secs(25),
        token: Duration::from_secs(10),
        refusal: Duration::from_secs(10),
        commit: Duration::from_mins(1),
        commit_rate: 16_000_000,
        pace: Pace::REMOTE,
        tags: Duration::from_mins(2),
    };

    /// How long the answer to a blob of `bytes` may take once all of it is sent.
    pub(super) fn commit(&self, bytes: u64) -> Duration {
        self.commit + Duration::from_secs(bytes / self.commit_rate.max(1))
    }
}
