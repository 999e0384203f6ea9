//! The wait for a result.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use crate::aws;
use crate::aws::ecr::{Repository, Scan, ScanFindings};
use crate::oci::Digest;
use crate::text::{self, Line};

/// The first pause between two looks; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// The longest pause: a scan takes from seconds to minutes.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How long a look may go on that began in time: a call has as long with all its repeats.
pub(crate) const LAST_LOOK: Duration = Duration::from_secs(40);
/// How far ahead another machine's clock may be.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(10);

/// What a wait came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Looked {
    /// A result.
    Found(ScanFindings),
    /// None, and why.
    Nothing(Line),
}

/// Waits for the result of the scan of the image with exactly this digest. A basic scan that is older than `limit` says nothing
/// of today: nobody looks again by itself, as an enhanced one does.
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
            return Ok(Looked::Nothing("Amazon ECR took too long to list its findings".into()));
        };
        let state = match scan? {
            Scan::Found(found) => return Ok(fresh(found, limit, Timestamp::now())),
            Scan::Nothing(why) => return Ok(Looked::Nothing(why)),
            Scan::Waiting(state) => state,
        };
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            let over = if patience.is_zero() { String::new() } else { format!("after {}, ", text::span(patience)) };
            return Ok(Looked::Nothing(text::words(&format!("{over}{state}"))));
        }
        tell(&state);
        tokio::time::sleep(pause.min(left)).await;
        pause = (2 * pause).min(LONGEST_PAUSE);
    }
}

/// The result, if it is of a time that counts.
fn fresh(found: ScanFindings, limit: Option<SignedDuration>, now: Timestamp) -> Looked {
    let Some(limit) = limit else { return Looked::Found(found) };
    let age = now.duration_since(found.at);
    if age < -CLOCK_SKEW {
        return Looked::Nothing(text::words(&format!("it says that it is of {}, which is in the future", text::time(found.at))));
    }
    if found.enhanced || age <= limit {
        return Looked::Found(found);
    }
    let (at, hours) = (text::time(found.at), limit.as_hours());
    Looked::Nothing(text::words(&format!(
        "its basic scan is of {at}, where at most {hours} hours are allowed (`database-max-age`): start another one with \
         `aws ecr start-image-scan`"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_basic_scan_that_is_old_is_no_result_and_an_enhanced_one_goes_on() {
        let now: Timestamp = "2026-11-28T12:00:00Z".parse().unwrap();
        let of = |at: &str, enhanced| ScanFindings { enhanced, at: at.parse().unwrap(), findings: Vec::new() };
        let limit = Some(SignedDuration::from_hours(48));
        let is_result = |at: &str, enhanced, limit| matches!(fresh(of(at, enhanced), limit, now), Looked::Found(_));
        assert!(is_result("2026-11-26T12:00:00Z", false, limit));
        assert!(!is_result("2026-11-26T11:59:59Z", false, limit));
        assert!(is_result("2026-01-01T00:00:00Z", true, limit) && is_result("2026-01-01T00:00:00Z", false, None));
        assert!(!is_result("2027-01-01T00:00:00Z", true, limit) && is_result("2026-11-28T12:05:00Z", false, limit));
    }
}
