//! Writes the record while things happen, and tells who watches.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::{Record, RunResult, Stage, StageName, StageOutcome};

/// Sees the record grow: the console.
pub(crate) trait Watcher: Send + Sync {
    /// A stage began.
    fn began(&self, stage: StageName);
    /// A stage says something that stays on the screen.
    fn line(&self, stage: StageName, text: &str);
    /// A stage says how far it is; the next word replaces it.
    fn progress(&self, stage: StageName, text: &str);
    /// A stage ended.
    fn ended(&self, stage: &Stage);
    /// Something that the reader should know.
    fn warned(&self, text: &str);
}

/// Nobody watches.
#[cfg(test)]
impl Watcher for () {
    fn began(&self, _: StageName) {}
    fn line(&self, _: StageName, _: &str) {}
    fn progress(&self, _: StageName, _: &str) {}
    fn ended(&self, _: &Stage) {}
    fn warned(&self, _: &str) {}
}

/// Keeps the record as it is at each moment, where it outlives this process.
pub(crate) trait Checkpoints: Send + Sync {
    /// Keeps it, before anything else happens. It may take it apart, and puts it together again.
    fn keep(&self, record: &mut Record);
}

/// Something that goes into the record once it is accepted: what a stage came to.
///
/// Until then it is a value in the hands of whoever began the stage. Work that is called off leaves nothing, since nothing
/// of it was accepted.
pub(crate) trait Contribution {
    /// Writes it into the record.
    fn enter(&self, record: &mut Record);
}

impl<T: Contribution> Contribution for Option<T> {
    fn enter(&self, record: &mut Record) {
        if let Some(contribution) = self {
            contribution.enter(record);
        }
    }
}

/// Writes the record while things happen. Clones write the same record.
#[derive(Clone)]
pub(crate) struct Recorder {
    inner: Arc<Mutex<Inner>>,
    watcher: Arc<dyn Watcher>,
    checkpoints: Option<Arc<dyn Checkpoints>>,
    started: Instant,
}

struct Inner {
    record: Record,
    /// The stages that turned out not to be needed, and why.
    called_off: Vec<(StageName, String)>,
}

impl Recorder {
    /// Begins a record; `watcher` sees it grow.
    #[must_use]
    pub(crate) fn begin(watcher: Arc<dyn Watcher>) -> Self {
        let inner = Inner { record: Record::begin(Timestamp::now()), called_off: Vec::new() };
        Self { inner: Arc::new(Mutex::new(inner)), watcher, checkpoints: None, started: Instant::now() }
    }

    /// Has each change kept.
    #[must_use]
    pub(crate) fn kept_by(self, checkpoints: Arc<dyn Checkpoints>) -> Self {
        Self { checkpoints: Some(checkpoints), ..self }
    }

    /// Changes the record.
    pub(crate) fn write<T>(&self, change: impl FnOnce(&mut Record) -> T) -> T {
        change(&mut self.change().record)
    }

    /// Takes what a stage came to into the record, and says at once what a reader should know of it.
    pub(crate) fn accept(&self, contribution: &impl Contribution) {
        let mut inner = self.change();
        let known = inner.record.warnings.len();
        contribution.enter(&mut inner.record);
        inner.record.warnings[known..].iter().for_each(|warning| self.watcher.warned(warning));
    }

    /// The record as it is now.
    #[must_use]
    pub(crate) fn snapshot(&self) -> Record {
        self.lock().record.clone()
    }

    /// Adds a warning, and shows it at once.
    pub(crate) fn warn(&self, text: impl Into<String>) {
        let text = text.into();
        let mut inner = self.change();
        self.watcher.warned(&text);
        inner.record.warnings.push(text);
    }

    /// Begins a stage. It ends by [`StageRecorder::end`]; dropped before, it is [`StageOutcome::Cancelled`].
    #[must_use]
    pub(crate) fn stage(&self, name: StageName) -> StageRecorder {
        self.begin_stage(name, None)
    }

    /// Begins a stage that could have begun at `ready`: what passed since then is its wait, and what it waited for are the
    /// stages that ended meanwhile.
    #[must_use]
    pub(crate) fn stage_that_waited(&self, name: StageName, ready: Instant) -> StageRecorder {
        self.begin_stage(name, Some(ready))
    }

    fn begin_stage(&self, name: StageName, ready: Option<Instant>) -> StageRecorder {
        let mut inner = self.change();
        let started_ms = self.now();
        let ready_ms = ready.map_or(started_ms, |ready| milliseconds(ready.saturating_duration_since(self.started)));
        let ended_meanwhile = inner.record.stages.iter().filter(|stage| stage.is_over() && stage.ended_ms() > ready_ms);
        let waited_for: Vec<_> = ended_meanwhile.map(|stage| stage.name).collect();
        let waited_ms = if waited_for.is_empty() { 0 } else { started_ms.saturating_sub(ready_ms) };
        inner.record.stages.push(Stage {
            name,
            started_ms,
            elapsed_ms: 0,
            waited_ms,
            waited_for: if waited_ms == 0 { Vec::new() } else { waited_for },
            outcome: StageOutcome::Running,
            detail: String::new(),
        });
        self.watcher.began(name);
        StageRecorder { recorder: self.clone(), name, index: inner.record.stages.len() - 1, ended: false }
    }

    /// Notes a stage that does not run, and why.
    pub(crate) fn skip(&self, name: StageName, why: impl Into<String>) {
        self.stage(name).end(StageOutcome::Skipped(why.into()), "");
    }

    /// Calls stages off that turn out not to be needed: `end` ends the work, and each of them is noted as skipped, whether
    /// it had not begun, was running, or had come to an end that means nothing any more.
    pub(crate) async fn call_off(&self, stages: &[StageName], why: &str, end: impl Future<Output = ()>) {
        self.lock().called_off.extend(stages.iter().map(|name| (*name, why.to_owned())));
        end.await;
        for name in stages {
            let mut inner = self.change();
            let Some(stage) = inner.record.stages.iter_mut().find(|stage| stage.name == *name) else {
                drop(inner);
                self.skip(*name, why);
                continue;
            };
            if !matches!(stage.outcome, StageOutcome::Skipped(_)) {
                (stage.outcome, stage.detail) = (StageOutcome::Skipped(why.to_owned()), String::new());
                self.watcher.ended(stage);
            }
        }
        self.lock().called_off.retain(|(name, _)| !stages.contains(name));
    }

    /// Ends the record.
    #[must_use]
    pub(crate) fn end(&self, result: RunResult) -> Record {
        let elapsed_ms = self.now();
        self.write(|record| {
            (record.result, record.elapsed_ms) = (Some(result), elapsed_ms);
            record.clone()
        })
    }

    fn now(&self) -> u64 {
        milliseconds(self.started.elapsed())
    }

    fn change(&self) -> Change<'_> {
        Change { inner: self.lock(), checkpoints: self.checkpoints.as_deref() }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A thread that panicked while it wrote leaves a record that is still the best there is.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A change to the record; it is kept when this is dropped, before the next one can begin.
struct Change<'a> {
    inner: MutexGuard<'a, Inner>,
    checkpoints: Option<&'a dyn Checkpoints>,
}

impl Deref for Change<'_> {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.inner
    }
}

impl DerefMut for Change<'_> {
    fn deref_mut(&mut self) -> &mut Inner {
        &mut self.inner
    }
}

impl Drop for Change<'_> {
    fn drop(&mut self) {
        if let Some(checkpoints) = self.checkpoints {
            checkpoints.keep(&mut self.inner.record);
        }
    }
}

/// Writes how one stage goes.
pub(crate) struct StageRecorder {
    recorder: Recorder,
    name: StageName,
    index: usize,
    ended: bool,
}

impl StageRecorder {
    /// What the stage says while it runs.
    #[must_use]
    pub(crate) fn log(&self) -> StageLog {
        StageLog { name: self.name, watcher: Arc::clone(&self.recorder.watcher) }
    }

    /// Ends the stage, with one line of what came of it.
    pub(crate) fn end(mut self, outcome: StageOutcome, detail: impl Into<String>) {
        self.conclude(outcome, detail.into());
    }

    fn conclude(&mut self, outcome: StageOutcome, detail: String) {
        self.ended = true;
        // The time is taken and told under one lock, so that the log's lines come in the order of their times.
        let mut inner = self.recorder.change();
        let ended_ms = self.recorder.now();
        let stage = &mut inner.record.stages[self.index];
        stage.elapsed_ms = ended_ms.saturating_sub(stage.started_ms);
        (stage.outcome, stage.detail) = (outcome, detail);
        self.recorder.watcher.ended(stage);
    }
}

impl Drop for StageRecorder {
    fn drop(&mut self) {
        if !self.ended {
            let called_off = &self.recorder.lock().called_off.clone();
            let why = called_off.iter().find(|(name, _)| *name == self.name);
            let outcome = why.map_or(StageOutcome::Cancelled, |(_, why)| StageOutcome::Skipped(why.clone()));
            self.conclude(outcome, String::new());
        }
    }
}

/// What a stage says while it runs: on the screen, not in the record.
#[derive(Clone)]
pub(crate) struct StageLog {
    name: StageName,
    watcher: Arc<dyn Watcher>,
}

impl StageLog {
    /// Says something that stays on the screen.
    pub(crate) fn line(&self, text: &str) {
        self.watcher.line(self.name, text);
    }

    /// Says how far the stage is; the next word replaces it.
    pub(crate) fn progress(&self, text: &str) {
        self.watcher.progress(self.name, text);
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stage_that_is_called_off_is_skipped_whether_it_has_not_begun_runs_or_has_ended() {
        let recorder = Recorder::begin(Arc::new(()));
        let (build, other) = (recorder.stage(StageName::Build), recorder.stage(StageName::Preflight));
        recorder.stage(StageName::Checks).end(StageOutcome::Failed("no such stage".to_owned()), "");
        recorder.stage(StageName::Secrets).end(StageOutcome::Advised, "1 leak");
        let called_off = [StageName::Build, StageName::Checks, StageName::Secrets, StageName::Database];
        recorder.call_off(&called_off, "there already", async { drop(build) }).await;
        drop(other);
        let stages = recorder.snapshot().stages;
        let outcomes: Vec<_> = stages.iter().map(|stage| (stage.name, stage.outcome.clone(), stage.detail.as_str())).collect();
        let skipped = |name| (name, StageOutcome::Skipped("there already".to_owned()), "");
        assert_eq!(
            outcomes,
            [
                skipped(StageName::Build),
                (StageName::Preflight, StageOutcome::Cancelled, ""),
                skipped(StageName::Checks),
                skipped(StageName::Secrets),
                skipped(StageName::Database),
            ]
        );
    }

    #[test]
    fn a_wait_is_no_part_of_a_stages_time_and_names_what_it_was_for() {
        let mut recorder = Recorder::begin(Arc::new(()));
        recorder.started -= Duration::from_secs(10);
        let ready = recorder.started + Duration::from_secs(6);
        recorder.stage(StageName::Decision).end(StageOutcome::Passed, "");
        recorder.write(|record| (record.stages[0].started_ms, record.stages[0].elapsed_ms) = (5000, 1000));
        recorder.stage(StageName::Sbom).end(StageOutcome::Passed, "");
        recorder.stage_that_waited(StageName::Publish, ready).end(StageOutcome::Passed, "");
        let publish = recorder.snapshot().stages.pop().unwrap();
        assert_eq!(publish.waited_for, [StageName::Sbom]);
        assert_eq!(publish.waited_ms, publish.started_ms - 6000);
        assert_eq!(publish.ended_ms(), publish.started_ms + publish.elapsed_ms);
    }
}
