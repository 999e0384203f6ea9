//! Work that runs beside other work.

use std::pin::pin;

use futures_util::FutureExt as _;
use tokio::task::{JoinError, JoinHandle};

use super::Delivery;
use crate::error::Error;
use crate::record::{Contribution, Recorder, StageName};

/// One or several stages on a task of their own. What they come to is a value, and goes into the record when it is accepted.
///
/// Dropped, it is aborted, and whoever waits for the delivery's tasks waits for its end; a result that is there by then
/// still counts.
pub(super) struct Task<T: Contribution> {
    stages: Vec<StageName>,
    recorder: Recorder,
    state: State<T>,
}

enum State<T> {
    Running(JoinHandle<Result<T, Error>>),
    Accepted(T),
    /// Handed out, failed, or called off.
    Over,
}

impl<T: Contribution + Send + 'static> Task<T> {
    /// Begins `work`, which runs `stages`.
    pub(super) fn begin(
        delivery: &Delivery,
        stages: &[StageName],
        work: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Self {
        let state = State::Running(delivery.tasks.spawn(work));
        Self { stages: stages.to_vec(), recorder: delivery.recorder.clone(), state }
    }

    /// Waits for the result and takes it into the record.
    pub(super) async fn accept(mut self) -> Result<T, Error> {
        self.end().await?;
        match std::mem::replace(&mut self.state, State::Over) {
            State::Accepted(value) => Ok(value),
            State::Running(_) | State::Over => Err(Error::Cancelled),
        }
    }

    /// Does `work`, unless this fails before that is done.
    pub(super) async fn unless_it_fails<U>(&mut self, work: impl Future<Output = Result<U, Error>>) -> Result<U, Error> {
        let mut work = pin!(work);
        tokio::select! {
            biased;
            ended = self.end() => ended?,
            done = &mut work => return done,
        }
        work.await
    }

    /// Ends it, waits until it has ended, and leaves nothing of it in the record but that its stages were skipped.
    pub(super) async fn call_off(mut self, why: &str) {
        let state = std::mem::replace(&mut self.state, State::Over);
        let end = async {
            if let State::Running(handle) = state {
                handle.abort();
                let _ = handle.await;
            }
        };
        self.recorder.call_off(&self.stages, why, end).await;
    }

    async fn end(&mut self) -> Result<(), Error> {
        let State::Running(handle) = &mut self.state else { return Ok(()) };
        let ended = handle.await;
        self.state = State::Over;
        let value = ended.unwrap_or_else(|error| Err(cause(error)))?;
        self.recorder.accept(&value);
        self.state = State::Accepted(value);
        Ok(())
    }
}

/// Why a task has no result. A panic goes on in whoever waits for it.
fn cause(error: JoinError) -> Error {
    match error.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(_) => Error::Cancelled,
    }
}

impl<T: Contribution> Drop for Task<T> {
    fn drop(&mut self) {
        let State::Running(handle) = &mut self.state else { return };
        match handle.now_or_never() {
            Some(Ok(Ok(value))) => self.recorder.accept(&value),
            Some(_) => {}
            None => handle.abort(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Record, StageOutcome};

    struct Word(&'static str);

    impl Contribution for Word {
        fn enter(&self, record: &mut Record) {
            record.warnings.push(self.0.to_owned());
        }
    }

    fn task(recorder: &Recorder, work: impl Future<Output = Result<Word, Error>> + Send + 'static) -> Task<Word> {
        let stages = vec![StageName::Secrets];
        Task { stages, recorder: recorder.clone(), state: State::Running(tokio::spawn(work)) }
    }

    fn recorder() -> Recorder {
        Recorder::begin(std::sync::Arc::new(()))
    }

    #[tokio::test]
    async fn a_result_is_in_the_record_once_it_is_accepted_and_not_before() {
        let recorder = recorder();
        let mut word = task(&recorder, async { Ok(Word("found")) });
        while !matches!(&word.state, State::Running(handle) if handle.is_finished()) {
            tokio::task::yield_now().await;
        }
        assert!(recorder.snapshot().warnings.is_empty());
        word.unless_it_fails(async { Ok(()) }).await.unwrap();
        word.accept().await.unwrap();
        assert_eq!(recorder.snapshot().warnings, ["found"]);
    }

    #[tokio::test]
    async fn what_is_called_off_has_ended_and_leaves_nothing_but_that_it_was_skipped() {
        for finished in [false, true] {
            let recorder = recorder();
            let (writer, held) = (recorder.clone(), std::sync::Arc::new(()));
            let holds = held.clone();
            let word = task(&recorder, async move {
                let stage = writer.stage(StageName::Secrets);
                if !finished {
                    std::future::pending::<()>().await;
                }
                stage.end(StageOutcome::Advised, "1 leak");
                drop(holds);
                Ok(Word("found"))
            });
            tokio::task::yield_now().await;
            word.call_off("not needed").await;
            assert_eq!(std::sync::Arc::strong_count(&held), 1, "the work is over");
            let record = recorder.snapshot();
            assert!(record.warnings.is_empty());
            let outcomes: Vec<_> = record.stages.iter().map(|stage| (&stage.outcome, stage.detail.as_str())).collect();
            assert_eq!(outcomes, [(&StageOutcome::Skipped("not needed".to_owned()), "")]);
        }
    }

    #[tokio::test]
    async fn a_failure_ends_what_runs_beside_it() {
        let mut word = task(&recorder(), async { Err(Error::Cancelled) });
        let never = word.unless_it_fails(std::future::pending::<Result<(), Error>>());
        assert!(matches!(never.await, Err(Error::Cancelled)));
    }

    #[tokio::test]
    async fn a_result_that_is_there_counts_when_something_else_ends_the_delivery() {
        let recorder = recorder();
        let word = task(&recorder, async { Ok(Word("found")) });
        while !matches!(&word.state, State::Running(handle) if handle.is_finished()) {
            tokio::task::yield_now().await;
        }
        drop(word);
        assert_eq!(recorder.snapshot().warnings, ["found"]);
    }
}
