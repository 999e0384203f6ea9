//! When a request is sent again, and how often.

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable as _};

use super::Error;

/// How often a request is repeated.
const REPEATS: usize = 4;
/// The wait before the first repeat; each further one is twice as long, and up to as much again is added by chance.
const FIRST_WAIT: Duration = Duration::from_millis(250);
/// A registry that wants to be left alone for longer than this is taken at its word: the request fails.
const LONGEST_WAIT: Duration = Duration::from_mins(1);

/// Sends again what failed in a way that passes ([`Error::is_temporary`]); `Retry-After` (RFC 9110, section 10.2.3) is
/// honoured. All that goes through here can be sent twice.
pub(super) async fn retry<T, F: Future<Output = Result<T, Error>>>(attempt: impl FnMut() -> F) -> Result<T, Error> {
    retry_when(attempt, Error::is_temporary).await
}

/// As [`retry`], for the failures that `temporary` names.
pub(super) async fn retry_when<T, F: Future<Output = Result<T, Error>>>(
    attempt: impl FnMut() -> F,
    temporary: impl Fn(&Error) -> bool,
) -> Result<T, Error> {
    let waits = ExponentialBuilder::default().with_min_delay(FIRST_WAIT).with_jitter().with_max_times(REPEATS);
    attempt
        .retry(waits)
        .when(|error| temporary(error) && error.retry_after().is_none_or(|wait| wait <= LONGEST_WAIT))
        .adjust(|error, wait| wait.map(|wait| error.retry_after().unwrap_or(wait)))
        .notify(|error, wait| tracing::debug!(%error, ?wait, "the request is repeated"))
        .await
}
