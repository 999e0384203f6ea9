//! Whether the builder is still there. A build may rightly say nothing for hours; but while its session is open, the builder
//! asks every few seconds whether its client is there (BuildKit, `session/grpc.go`, `monitorHealth`), and one that has done so
//! and does not any more has died, or hangs.

use std::time::Duration;

use super::stats::TransferStats;

/// How long a builder may take to begin an answer that is no work for it.
pub(crate) const ANSWER: Duration = Duration::from_mins(2);
/// How long it may have asked nothing. It asks every five seconds, and gives its client half a minute to answer.
pub(crate) const SILENCE: Duration = Duration::from_mins(3);
/// How often one looks. A machine that stood still has looked once in that time.
pub(crate) const LOOK: Duration = Duration::from_secs(10);

/// How many looks in a row found that it has asked no more than before.
#[derive(Default)]
struct Looks {
    asked: u64,
    in_vain: u32,
}

impl Looks {
    /// Whether it is gone, now that it has asked so often. Of one that has never asked twice, nothing is known.
    fn is_gone(&mut self, asked: u64) -> bool {
        self.in_vain = if asked == self.asked { self.in_vain + 1 } else { 0 };
        self.asked = asked;
        asked > 1 && LOOK * self.in_vain >= SILENCE
    }
}

/// Ends when the builder of these transfers is gone.
pub(crate) async fn silence(stats: &TransferStats) {
    let mut looks = Looks::default();
    while !looks.is_gone(stats.asked()) {
        tokio::time::sleep(LOOK).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_builder_that_has_asked_and_asks_no_more_is_gone() {
        let mut looks = Looks::default();
        let gone = |looks: &mut Looks, asked: u64, times: usize| (0..times).any(|_| looks.is_gone(asked));
        assert!(!(0..1000).any(|asked| looks.is_gone(asked)), "it asks");
        assert!(!gone(&mut looks, 1000, 18));
        assert!(!looks.is_gone(1001), "it was slow");
        assert!(gone(&mut looks, 1001, 18));
    }

    #[test]
    fn of_a_builder_that_never_asks_nothing_is_known() {
        let mut looks = Looks::default();
        assert!(!(0..10_000).any(|_| looks.is_gone(1)));
    }
}
