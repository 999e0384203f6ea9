//! The pen that writes the record while things happen, and tells who watches.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::{Record, RunResult, Stage, StageName, StageOutcome, VERSION};

/// Sees the record grow: the console.
pub trait Watcher: Send + Sync {
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

/// The pen that writes the record. Clones write the same record.
#[derive(Clone)]
pub struct Recorder {
    record: Arc<Mutex<Record>>,
    watcher: Arc<dyn Watcher>,
    started: Instant,
    /// Why stages are dropped now, if not because something ended them.
    unneeded: Arc<Mutex<Option<String>>>,
}

impl Recorder {
    /// Begins a record; `watcher` sees it grow.
    #[must_use]
    pub fn begin(watcher: Arc<dyn Watcher>) -> Self {
        let record = Record {
            version: VERSION,
            gp_deliver: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: Timestamp::now(),
            elapsed_ms: 0,
            result: None,
            environment: None,
            demands: None,
            severity_threshold: None,
            ignore_unfixed: false,
            source: None,
            stages: Vec::new(),
            findings: Vec::new(),
            suppressions: Vec::new(),
            database: None,
            image: None,
            name: None,
            destination: None,
            reuse: None,
            publication: None,
            failure: None,
            warnings: Vec::new(),
        };
        Self { record: Arc::new(Mutex::new(record)), watcher, started: Instant::now(), unneeded: Arc::default() }
    }

    /// Writes into the record.
    pub fn write<T>(&self, change: impl FnOnce(&mut Record) -> T) -> T {
        change(&mut self.lock())
    }

    /// The record as it is now.
    #[must_use]
    pub fn snapshot(&self) -> Record {
        self.lock().clone()
    }

    /// Notes what a reader should know, and says it at once.
    pub fn warn(&self, text: impl Into<String>) {
        let text = text.into();
        self.watcher.warned(&text);
        self.write(|record| record.warnings.push(text));
    }

    /// Begins a stage. It ends by one of the methods of what is returned; dropped before, it is [`StageOutcome::Cancelled`].
    #[must_use]
    pub fn stage(&self, name: StageName) -> StageRecorder {
        let started_ms = milliseconds(self.started.elapsed());
        let stage = Stage { name, started_ms, elapsed_ms: 0, outcome: StageOutcome::Running, detail: String::new() };
        let index = self.write(|record| {
            record.stages.push(stage);
            record.stages.len() - 1
        });
        self.watcher.began(name);
        StageRecorder { recorder: self.clone(), name, index, started: Instant::now(), ended: false }
    }

    /// Notes a stage that does not run, and why.
    pub fn skip(&self, name: StageName, why: impl Into<String>) {
        self.stage(name).skip(why);
    }

    /// Drops stages that turn out not to be needed: those that `drop` ends are noted as skipped, and so are those of `stages`
    /// that had failed by then, since that means nothing any more.
    pub fn call_off(&self, stages: &[StageName], why: &str, drop: impl FnOnce()) {
        *self.unneeded.lock().unwrap_or_else(PoisonError::into_inner) = Some(why.to_owned());
        drop();
        *self.unneeded.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.write(|record| {
            let called_off = record.stages.iter_mut().filter(|stage| stages.contains(&stage.name));
            for stage in called_off.filter(|stage| matches!(stage.outcome, StageOutcome::Failed(_))) {
                stage.outcome = StageOutcome::Skipped(why.to_owned());
            }
        });
    }

    /// Ends the record.
    #[must_use]
    pub fn end(&self, result: RunResult) -> Record {
        self.write(|record| {
            record.result = Some(result);
            record.elapsed_ms = milliseconds(self.started.elapsed());
            record.clone()
        })
    }

    fn lock(&self) -> MutexGuard<'_, Record> {
        // A thread that panicked while it wrote leaves a record that is still the best there is.
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The pen for one stage.
pub struct StageRecorder {
    recorder: Recorder,
    name: StageName,
    index: usize,
    started: Instant,
    ended: bool,
}

impl StageRecorder {
    /// The stage's voice, for work that goes on elsewhere.
    #[must_use]
    pub fn voice(&self) -> Voice {
        Voice { name: self.name, watcher: Arc::clone(&self.recorder.watcher) }
    }

    /// Says something that stays on the screen (not in the record).
    pub fn line(&self, text: &str) {
        self.recorder.watcher.line(self.name, text);
    }

    /// Says how far the stage is; the next word replaces it.
    pub fn progress(&self, text: &str) {
        self.recorder.watcher.progress(self.name, text);
    }

    /// Ends as it should.
    pub fn pass(self, detail: impl Into<String>) {
        self.end(StageOutcome::Passed, detail.into());
    }

    /// Ends with something to look at.
    pub fn advise(self, detail: impl Into<String>) {
        self.end(StageOutcome::Advised, detail.into());
    }

    /// Ends by holding the delivery back.
    pub fn block(self, detail: impl Into<String>) {
        self.end(StageOutcome::Blocked, detail.into());
    }

    /// Ends without having run.
    pub fn skip(self, why: impl Into<String>) {
        self.end(StageOutcome::Skipped(why.into()), String::new());
    }

    /// Ends broken.
    pub fn fail(self, what: impl Into<String>) {
        self.end(StageOutcome::Failed(what.into()), String::new());
    }

    fn end(mut self, outcome: StageOutcome, detail: String) {
        self.conclude(outcome, detail);
    }

    fn conclude(&mut self, outcome: StageOutcome, detail: String) {
        self.ended = true;
        let elapsed_ms = milliseconds(self.started.elapsed());
        let stage = self.recorder.write(|record| {
            let stage = &mut record.stages[self.index];
            stage.elapsed_ms = elapsed_ms;
            stage.outcome = outcome;
            stage.detail = detail;
            stage.clone()
        });
        self.recorder.watcher.ended(&stage);
    }
}

impl Drop for StageRecorder {
    fn drop(&mut self) {
        if !self.ended {
            let unneeded = self.recorder.unneeded.lock().unwrap_or_else(PoisonError::into_inner).clone();
            self.conclude(unneeded.map_or(StageOutcome::Cancelled, StageOutcome::Skipped), String::new());
        }
    }
}

/// What a stage says, without the right to end it.
#[derive(Clone)]
pub struct Voice {
    name: StageName,
    watcher: Arc<dyn Watcher>,
}

impl Voice {
    /// See [`StageRecorder::line`].
    pub fn line(&self, text: &str) {
        self.watcher.line(self.name, text);
    }

    /// See [`StageRecorder::progress`].
    pub fn progress(&self, text: &str) {
        self.watcher.progress(self.name, text);
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nobody;

    impl Watcher for Nobody {
        fn began(&self, _: StageName) {}
        fn line(&self, _: StageName, _: &str) {}
        fn progress(&self, _: StageName, _: &str) {}
        fn ended(&self, _: &Stage) {}
        fn warned(&self, _: &str) {}
    }

    #[test]
    fn a_stage_that_is_called_off_is_skipped_whether_it_runs_or_has_failed() {
        let recorder = Recorder::begin(Arc::new(Nobody));
        let (build, secrets) = (recorder.stage(StageName::Build), recorder.stage(StageName::Secrets));
        recorder.stage(StageName::Checks).fail("no such stage");
        recorder.call_off(&[StageName::Build, StageName::Checks], "there already", || drop(build));
        drop(secrets);
        let outcomes: Vec<_> = recorder.snapshot().stages.into_iter().map(|stage| stage.outcome).collect();
        let skipped = || StageOutcome::Skipped("there already".to_owned());
        assert_eq!(outcomes, [skipped(), StageOutcome::Cancelled, skipped()]);
    }
}
