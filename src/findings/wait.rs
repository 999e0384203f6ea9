//! The wait for a result.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use crate::aws;
use crate::aws::ecr::{NoResult, Repository, Scan, ScanFindings};
use crate::oci::Digest;
use crate::text;

/// The first pause between two looks; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// The longest pause: a scan takes from seconds to minutes.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How long a look may go on that began in time: a call has as long with all its repeats.
pub(crate) const LAST_LOOK: Duration = Duration::from_secs(40);
/// What a wait came to.
pub(crate) type Looked = Result<ScanFindings, NoResult>;

/// Waits for the result of the scan of the image with exactly this digest; see [`Scan::result`] for `limit`.
///
/// # Errors
/// ECR refuses, can't be reached, or answers what makes no sense.
pub(crate) async fn wait(
    repository: &Repository,
    image: Digest,
    patience: Duration,
    limit: Option<SignedDuration>,
    tell: impl Fn(&str),
) -> Result<Looked, aws::Error> {
    let deadline = Instant::now() + patience;
    let mut pause = FIRST_PAUSE;
    loop {
        let Ok(scan) = tokio::time::timeout_at(deadline + LAST_LOOK, repository.scan(image)).await else {
            let why = "Amazon ECR took too long to list its findings".into();
            return Ok(Err(NoResult { why, is_unsupported: false }));
        };
        let state = match scan? {
            Scan::Waiting(state) => state,
            ended => return Ok(ended.result(limit, Timestamp::now())),
        };
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            let over = if patience.is_zero() { String::new() } else { format!("after {}, ", text::span(patience)) };
            let state = Scan::Waiting(text::words(&format!("{over}{state}")));
            return Ok(state.result(limit, Timestamp::now()));
        }
        tell(&state);
        tokio::time::sleep(pause.min(left)).await;
        pause = (2 * pause).min(LONGEST_PAUSE);
    }
}
