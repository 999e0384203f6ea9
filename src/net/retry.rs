//! When a request is sent again, and how often.

use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable as _};
use http::HeaderMap;
use http::header::RETRY_AFTER;
use tokio::time::Instant;

use crate::text::span;

/// How often and how long one kind of request is repeated. Its [`fmt::Display`] says so, and `docs/architecture.md` is held
/// to that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RetryPolicy {
    /// How often a request is repeated that failed in a way that passes.
    pub(crate) repeats: u32,
    /// How often at most after it was waited for in vain: whoever does not answer twice does not the third time either, and
    /// each time costs as long as an answer may take.
    pub(crate) after_silence: u32,
    /// The least wait before the first repeat. Each further one is twice as long, and up to as much again is added by
    /// chance: those who failed together do not come back together.
    pub(crate) shortest_wait: Duration,
    /// No wait is longer than this.
    pub(crate) longest_wait: Duration,
    /// Where the other side asks for a wait, it gets that instead, up to this; where it asks for more, the request fails.
    pub(crate) longest_retry_after: Option<Duration>,
    /// How long one request may take.
    pub(crate) request_timeout: Option<Duration>,
    /// How long a request may take with all its repeats.
    pub(crate) total_timeout: Option<Duration>,
}

/// A failure, as one looks at it who may try again.
pub(crate) trait Failure: fmt::Display {
    /// Whether the same request may fare better later.
    fn is_temporary(&self) -> bool;

    /// Whether it is that nothing came.
    fn is_silence(&self) -> bool {
        false
    }

    /// For how long the other side wants to be left alone, where it says so.
    fn retry_after(&self) -> Option<Duration> {
        None
    }
}

impl RetryPolicy {
    /// Registries, and git servers. The limit on a request's time is [`super::Pace::REMOTE`]: layers are large and lines are slow.
    pub(crate) const REGISTRY: Self = Self {
        repeats: 4,
        after_silence: 1,
        shortest_wait: Duration::from_millis(250),
        longest_wait: Duration::from_secs(4),
        longest_retry_after: Some(Duration::from_mins(1)),
        request_timeout: None,
        total_timeout: None,
    };
    /// GitHub's REST API. An analysis of 10 MB goes up a slow line.
    pub(crate) const GITHUB_API: Self = Self {
        request_timeout: Some(Duration::from_mins(1)),
        total_timeout: Some(Duration::from_mins(4)),
        after_silence: 4,
        ..Self::REGISTRY
    };
    /// The service that gives out a run's tokens. It answers in a tenth of a second, and has short outages.
    pub(crate) const TOKEN_SERVICE: Self = Self {
        repeats: 3,
        after_silence: 3,
        shortest_wait: Duration::from_millis(200),
        longest_wait: Duration::from_millis(1600),
        longest_retry_after: None,
        request_timeout: Some(Duration::from_secs(10)),
        total_timeout: None,
    };
    /// The services of Sigstore. A log of the second version answers when it has written its next checkpoint (its client's
    /// guide: "allow 20 seconds"), and an SBOM of 10 MB goes up a slow line. A certificate is good for ten minutes.
    pub(crate) const SIGSTORE: Self = Self {
        repeats: 3,
        after_silence: 1,
        request_timeout: Some(Duration::from_mins(1)),
        total_timeout: Some(Duration::from_mins(3)),
        ..Self::REGISTRY
    };
    /// The API server of a Kubernetes cluster. It is near, answers at once, and restarts in seconds.
    pub(crate) const KUBERNETES: Self =
        Self { request_timeout: Some(Duration::from_secs(10)), total_timeout: Some(Duration::from_mins(2)), ..Self::REGISTRY };
    /// AWS STS, Amazon ECR and AWS KMS, whose SDK does the repeating, with chance down to no wait (AWS SDKs and Tools Reference Guide,
    /// "Retry behavior", standard mode).
    pub(crate) const AWS: Self = Self {
        repeats: 3,
        after_silence: 3,
        shortest_wait: Duration::ZERO,
        longest_wait: Duration::from_secs(3),
        longest_retry_after: None,
        request_timeout: Some(Duration::from_secs(10)),
        total_timeout: Some(Duration::from_secs(30)),
    };

    /// Does again what failed in a way that passes. All that goes through here can be done twice.
    pub(crate) async fn run<T, E: Failure, F: Future<Output = Result<T, E>>>(self, attempt: impl FnMut() -> F) -> Result<T, E> {
        self.run_when(attempt, E::is_temporary).await
    }

    /// As [`Self::run`], for the failures that `temporary` names.
    pub(crate) async fn run_when<T, E: Failure, F: Future<Output = Result<T, E>>>(
        self,
        attempt: impl FnMut() -> F,
        temporary: impl Fn(&E) -> bool,
    ) -> Result<T, E> {
        let bearable =
            |error: &E| error.retry_after().is_none_or(|wait| self.longest_retry_after.is_some_and(|longest| wait <= longest));
        let (began, silences) = (Instant::now(), AtomicU32::new(0));
        // A repeat that could not come to its end in time is not begun.
        let in_time = |error: &E| {
            let next = error.retry_after().unwrap_or(self.longest_wait) + self.request_timeout.unwrap_or_default();
            self.total_timeout.is_none_or(|total| began.elapsed() + next <= total)
        };
        let answered = |error: &E| {
            let silence = u32::from(error.is_silence());
            silences.fetch_add(silence, Ordering::Relaxed) + silence <= self.after_silence
        };
        attempt
            .retry(self.waits())
            .when(|error| temporary(error) && bearable(error) && answered(error) && in_time(error))
            .adjust(|error, wait| wait.map(|wait| error.retry_after().unwrap_or(wait)))
            .notify(|error, wait| tracing::debug!(%error, ?wait, "the request is repeated"))
            .await
    }

    fn waits(self) -> ExponentialBuilder {
        // Chance doubles what is waited at most.
        let longest = self.longest_wait / 2;
        let waits = ExponentialBuilder::default().with_min_delay(self.shortest_wait).with_max_delay(longest);
        // Left alone, it begins with the same number in every process.
        let waits = waits.with_jitter().with_jitter_seed(chance());
        waits.with_max_times(usize::try_from(self.repeats).unwrap_or(usize::MAX))
    }
}

impl fmt::Display for RetryPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { repeats, shortest_wait, longest_wait, .. } = self;
        write!(f, "{repeats} times, after ")?;
        if shortest_wait.is_zero() {
            write!(f, "at most {}", span(*longest_wait))?;
        } else {
            write!(f, "{} to {}", span(*shortest_wait), span(*longest_wait))?;
        }
        if self.after_silence < *repeats {
            let often = if self.after_silence == 1 { "once".to_owned() } else { format!("{} times", self.after_silence) };
            write!(f, "; {often} where nothing came")?;
        }
        self.longest_retry_after.iter().try_for_each(|wait| write!(f, "; `Retry-After` is honoured up to {}", span(*wait)))?;
        self.request_timeout.iter().try_for_each(|timeout| write!(f, "; {} a request", span(*timeout)))?;
        self.total_timeout.iter().try_for_each(|timeout| write!(f, "; {} with all its repeats", span(*timeout)))
    }
}

/// What the waits of one request begin with.
fn chance() -> u64 {
    #[cfg(test)]
    if let Some(seed) = SEED.get() {
        return seed;
    }
    rand::random()
}

#[cfg(test)]
thread_local! {
    /// What [`chance`] is on this thread, for a test that has to be the same each time.
    pub(crate) static SEED: std::cell::Cell<Option<u64>> = const { std::cell::Cell::new(None) };
}

/// For how long an answer asks to be left alone: seconds, or a date (RFC 9110, section 10.2.3).
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::parse(value).ok()?;
    Some(Duration::try_from(date.timestamp().duration_since(jiff::Timestamp::now())).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use backon::BackoffBuilder as _;

    use super::*;

    /// The budgets as the documentation names them.
    const ALL: [(&str, RetryPolicy); 6] = [
        ("a registry, a git server", RetryPolicy::REGISTRY),
        ("GitHub's API", RetryPolicy::GITHUB_API),
        ("the run's token service", RetryPolicy::TOKEN_SERVICE),
        ("the services of Sigstore", RetryPolicy::SIGSTORE),
        ("the API server of a Kubernetes cluster", RetryPolicy::KUBERNETES),
        ("AWS STS, Amazon ECR and AWS KMS", RetryPolicy::AWS),
    ];

    #[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
    #[error("failed")]
    struct Failed {
        temporary: bool,
        silent: bool,
        wait: Option<Duration>,
    }

    impl Failed {
        fn passing(wait: Option<Duration>) -> Self {
            Self { temporary: true, silent: false, wait }
        }
    }

    impl Failure for Failed {
        fn is_temporary(&self) -> bool {
            self.temporary
        }

        fn is_silence(&self) -> bool {
            self.silent
        }

        fn retry_after(&self) -> Option<Duration> {
            self.wait
        }
    }

    /// How often a request is sent that always fails.
    async fn attempts(policy: RetryPolicy, failure: Failed) -> u32 {
        let sent = Cell::new(0);
        let ended = policy.run(async || {
            sent.set(sent.get() + 1);
            Err::<(), _>(failure)
        });
        assert_eq!(ended.await, Err(failure));
        sent.get()
    }

    #[tokio::test]
    async fn what_passes_is_repeated_and_a_refusal_is_not() {
        let quick = RetryPolicy { shortest_wait: Duration::ZERO, ..RetryPolicy::REGISTRY };
        assert_eq!(attempts(quick, Failed::passing(None)).await, 5);
        assert_eq!(attempts(quick, Failed { temporary: false, ..Failed::passing(None) }).await, 1);
    }

    #[tokio::test]
    async fn who_does_not_answer_is_asked_once_more_and_then_no_more() {
        let quick = RetryPolicy { shortest_wait: Duration::ZERO, ..RetryPolicy::REGISTRY };
        let silent = Failed { silent: true, ..Failed::passing(None) };
        assert_eq!(attempts(quick, silent).await, 2);
        assert_eq!(attempts(RetryPolicy { after_silence: 4, ..quick }, silent).await, 5);
    }

    #[tokio::test]
    async fn a_repeat_that_could_not_end_in_time_is_not_begun() {
        let quick = RetryPolicy { shortest_wait: Duration::ZERO, ..RetryPolicy::GITHUB_API };
        assert_eq!(attempts(quick, Failed::passing(None)).await, 5);
        assert_eq!(attempts(RetryPolicy { total_timeout: quick.request_timeout, ..quick }, Failed::passing(None)).await, 1);
    }

    #[tokio::test]
    async fn a_wait_that_is_asked_for_is_kept_up_to_a_limit() {
        let patient = RetryPolicy {
            shortest_wait: Duration::from_hours(1),
            longest_wait: Duration::from_hours(2),
            ..RetryPolicy::REGISTRY
        };
        assert_eq!(attempts(patient, Failed::passing(Some(Duration::ZERO))).await, 5);
        let too_long = Duration::from_millis(60_001);
        assert_eq!(attempts(patient, Failed::passing(Some(too_long))).await, 1);
        assert_eq!(attempts(RetryPolicy::TOKEN_SERVICE, Failed::passing(Some(Duration::ZERO))).await, 1);
    }

    #[test]
    fn every_wait_is_within_what_the_policy_says() {
        for (name, policy) in ALL {
            let waits: Vec<_> = policy.waits().build().collect();
            assert_eq!(waits.len(), policy.repeats as usize, "{name}");
            assert!(waits.iter().all(|wait| (policy.shortest_wait..=policy.longest_wait).contains(wait)), "{name}: {waits:?}");
        }
    }

    #[test]
    fn those_who_failed_together_do_not_come_back_together() {
        let waits = || RetryPolicy::REGISTRY.waits().build().collect::<Vec<_>>();
        let first = waits();
        assert!((0..8).any(|_| waits() != first), "chance gives the same each time: {first:?}");
    }

    #[test]
    fn an_answer_says_in_seconds_or_by_a_date_when_to_come_back() {
        let wait = |value: &str| retry_after(&HeaderMap::from_iter([(RETRY_AFTER, value.parse().unwrap())]));
        assert_eq!(wait("7"), Some(Duration::from_secs(7)));
        assert_eq!(wait("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::ZERO));
        assert!(wait("Wed, 21 Oct 2099 07:28:00 GMT").unwrap() > Duration::from_hours(24));
        assert_eq!(wait("soon"), None);
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }

    #[test]
    fn the_documentation_has_the_figures_of_the_code() {
        let rows = ALL.iter().map(|(name, policy)| format!("| {name} | {policy} |\n"));
        let budgets = format!("| asked | repeated |\n|---|---|\n{}", rows.collect::<String>());
        let document = include_str!("../../docs/architecture.md");
        for (mark, expected) in [("repeats", budgets), ("statuses", crate::net::status::documented())] {
            let (begin, end) = (format!("<!-- {mark} -->\n"), format!("<!-- /{mark} -->"));
            let found = document.split_once(&begin).and_then(|(_, rest)| rest.split_once(&end)).map(|(found, _)| found);
            assert_eq!(found, Some(&*expected), "docs/architecture.md, between the marks of {mark}");
        }
    }
}
