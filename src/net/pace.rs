//! How slow another side may be.
//!
//! What counts is the time that we wait for it, and that alone: while a disk or a reader of ours holds a transfer up, nobody is
//! waited for. A transfer is given up in three cases: nothing moves at all; less moves than the least rate, which is looked at
//! over a while, since a line may falter; or the whole takes longer than its size explains. The first may be a connection that
//! died, and another one may fare better. The others are how the other side is.

use std::fmt;
use std::time::Duration;

use tokio::time::Instant;

use super::error::TransportError;
use crate::text::{size, span};

/// After so much more than it should have taken, the machine itself stood still. Clocks are not more exact than some of it.
const STANDSTILL: Duration = Duration::from_secs(5);

/// How slow a transfer may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pace {
    /// How long nothing at all may move.
    pub(crate) idle: Duration,
    /// In each such time of waiting, …
    pub(crate) window: Duration,
    /// … so many bytes have to move.
    pub(crate) least: u64,
    /// What a transfer of any size may be waited for, …
    pub(crate) base: Duration,
    /// … and a second more for each so many bytes.
    pub(crate) rate: u64,
}

impl Pace {
    /// Another machine. 1 KiB a second is what no line and no server gives that is of use to anyone; over 40 s, a line that
    /// falters has the time to recover, and a mirror that drips is given up within a minute. On the whole, 1 Mbit a second is
    /// the slowest line on which images are delivered.
    pub(crate) const REMOTE: Self = Self {
        idle: Duration::from_secs(30),
        window: Duration::from_secs(40),
        least: 40 << 10,
        base: Duration::from_mins(1),
        rate: 125_000,
    };
    /// A builder, which reads what it gives from a disk that others use too: mostly on this machine, and behind no other.
    pub(crate) const BUILDER: Self = Self {
        idle: Duration::from_mins(2),
        window: Duration::from_mins(3),
        least: 1 << 20,
        base: Duration::from_mins(15),
        rate: 1_000_000,
    };

    /// What a transfer of `bytes` may be waited for on the whole.
    pub(crate) fn whole(&self, bytes: u64) -> Duration {
        self.base + Duration::from_secs(bytes / self.rate.max(1))
    }

    /// Begins to watch a transfer of at most `bytes`.
    pub(crate) fn watch(self, bytes: u64) -> Watch {
        Watch { pace: self, whole: self.whole(bytes), waited: Duration::ZERO, of_window: Duration::ZERO, in_window: 0 }
    }
}

impl fmt::Display for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { idle, window, least, base, rate } = self;
        write!(f, "something within {}, {} KiB in each {}, ", span(*idle), least >> 10, span(*window))?;
        write!(f, "and the whole in {} and a second for each {}", span(*base), size(*rate))
    }
}

/// One transfer, watched: what was waited for, and what came of it.
#[derive(Clone, Debug)]
pub(crate) struct Watch {
    pace: Pace,
    whole: Duration,
    waited: Duration,
    of_window: Duration,
    in_window: u64,
}

impl Watch {
    /// Waits for what comes next from the other side; `bytes` says how much that is.
    ///
    /// # Errors
    /// It takes too long.
    pub(crate) async fn next<T>(
        &mut self,
        next: impl Future<Output = T>,
        bytes: impl FnOnce(&T) -> u64,
    ) -> Result<T, TransportError> {
        let (patience, began) = (self.patience(), Instant::now());
        let Ok(next) = tokio::time::timeout(patience, next).await else {
            return Err(self.given_up(patience));
        };
        self.came(bytes(&next), began.elapsed(), patience);
        Ok(next)
    }

    /// Takes note of what came `after` a time, when so much `patience` was left. What is there long after that was there in
    /// time: it is we who did not look, and none of the time is the other side's.
    fn came(&mut self, bytes: u64, after: Duration, patience: Duration) {
        let unseen = after > patience.saturating_add(STANDSTILL);
        self.waited(if unseen { Duration::ZERO } else { after.min(patience) });
        self.moved(bytes);
    }

    /// How long the next piece may be waited for.
    fn patience(&self) -> Duration {
        let of_window = self.pace.window.saturating_sub(self.of_window);
        self.pace.idle.min(of_window).min(self.whole.saturating_sub(self.waited))
    }

    fn waited(&mut self, time: Duration) {
        self.waited += time;
        self.of_window += time;
    }

    /// Takes note of what has moved.
    pub(crate) fn moved(&mut self, bytes: u64) {
        self.in_window += bytes;
        if self.in_window >= self.pace.least {
            (self.of_window, self.in_window) = (Duration::ZERO, 0);
        }
    }

    /// Why nothing more is waited for, once `patience` was in vain.
    fn given_up(&mut self, patience: Duration) -> TransportError {
        self.waited(patience);
        if self.of_window >= self.pace.window {
            return TransportError::TooSlow { bytes: self.in_window, within: self.pace.window };
        }
        if self.waited >= self.whole { TransportError::Overdue(self.whole) } else { TransportError::Stalled(patience) }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// What becomes of a transfer whose other side gives so many bytes after so long, again and again: how long it is waited
    /// for, and why it is given up; `None` where it comes to its end.
    fn of(pace: Pace, bytes: u64, every: Duration, piece: u64) -> (Duration, Option<TransportError>) {
        let mut watch = pace.watch(bytes);
        let mut left = bytes;
        while left > 0 {
            let patience = watch.patience();
            if every > patience {
                let why = watch.given_up(patience);
                return (watch.waited, Some(why));
            }
            watch.waited(every);
            watch.moved(piece.min(left));
            left = left.saturating_sub(piece);
        }
        (watch.waited, None)
    }

    #[test]
    fn who_drips_is_given_up_within_a_minute_however_the_drops_fall() {
        for (every, piece) in [(20 * SECOND, 1), (SECOND, 1), (SECOND / 10, 100), (29 * SECOND, 10_000), (SECOND, 1023)] {
            let (waited, why) = of(Pace::REMOTE, 100_000_000, every, piece);
            assert!(matches!(why, Some(TransportError::TooSlow { .. })), "{every:?} {piece}: {why:?}");
            assert!(waited <= Duration::from_mins(1), "{every:?} {piece}: {waited:?}");
        }
    }

    #[test]
    fn a_drop_that_falls_as_time_runs_out_buys_none() {
        let mut watch = Pace::REMOTE.watch(100_000_000);
        watch.came(1, 20 * SECOND, watch.patience());
        // The drop and the end of patience are looked at in the same moment, and the drop is looked at first.
        watch.came(1, 20 * SECOND + SECOND / 1000, watch.patience());
        assert_eq!(watch.patience(), Duration::ZERO);
    }

    #[test]
    fn a_burst_buys_no_time_for_what_comes_after_it() {
        let mut watch = Pace::REMOTE.watch(100_000_000);
        watch.moved(50_000_000);
        assert_eq!(watch.patience(), Pace::REMOTE.idle);
        watch.waited(30 * SECOND);
        watch.moved(1);
        assert_eq!(watch.patience(), 10 * SECOND);
        assert!(matches!(watch.given_up(10 * SECOND), TransportError::TooSlow { bytes: 1, .. }));
    }

    #[test]
    fn a_slow_line_is_waited_for_as_long_as_the_size_explains() {
        // 2 Mbit a second, and a line that falters for 25 s after each MB.
        assert_eq!(of(Pace::REMOTE, 100_000_000, SECOND, 250_000).1, None);
        assert_eq!(of(Pace::REMOTE, 3_000_000, 25 * SECOND, 1_000_000).1, None);
        // 2 KiB a second is no drip, and no line either.
        let (waited, why) = of(Pace::REMOTE, 100_000_000, SECOND, 2048);
        assert_eq!(why, Some(TransportError::Overdue(Duration::from_secs(60 + 800))));
        assert!(waited <= Duration::from_secs(860));
    }

    #[test]
    fn silence_is_told_from_slowness() {
        let mut watch = Pace::REMOTE.watch(1000);
        assert_eq!(watch.given_up(Pace::REMOTE.idle), TransportError::Stalled(Pace::REMOTE.idle));
        // On another connection, it has the rest of the window.
        assert_eq!(watch.patience(), 10 * SECOND);
    }

    #[test]
    fn time_that_we_take_ourselves_is_not_the_other_sides() {
        let mut watch = Pace::REMOTE.watch(1_000_000);
        // The machine stood still, or our own disk did: what came is there when we come to look, however late.
        for _ in 0..3 {
            let patience = watch.patience();
            watch.came(100_000, Duration::from_hours(1), patience);
            assert_eq!(watch.patience(), Pace::REMOTE.idle);
        }
        assert_eq!(watch.waited, Duration::ZERO);
    }

    #[tokio::test]
    async fn what_is_there_is_taken_and_what_never_comes_is_given_up() {
        let mut watch = Pace { idle: SECOND / 100, ..Pace::REMOTE }.watch(1000);
        assert_eq!(watch.next(ready(1), |bytes| *bytes).await, Ok(1));
        assert_eq!(watch.next(pending::<()>(), |()| 0).await, Err(TransportError::Stalled(SECOND / 100)));
    }

    #[test]
    fn a_size_that_nobody_can_have_is_no_time_without_end() {
        assert!(Pace::REMOTE.whole(u64::MAX) > Duration::from_hours(1));
    }
}
