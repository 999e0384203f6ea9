//! The console: the delivery as it runs, on standard error, and its end.

pub(crate) mod closing;
mod log;
mod terminal;

use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use indicatif::ProgressDrawTarget;

use super::Written;
use crate::record::{Record, Stage, StageName, StageOutcome, Watcher};
use crate::sink::{self, Lines};
use crate::text;
use crate::variables;
use closing::Tone;
use log::Log;
use terminal::Terminal;

/// How often the log is checked for silence.
const TICK: Duration = Duration::from_secs(1);

/// What the console writes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// A terminal, with progress lines.
    Terminal {
        /// Whether colours are welcome.
        colours: bool,
    },
    /// A file, a pipe, another program.
    Plain,
    /// The log of a GitHub Actions job, which folds groups of lines.
    Groups,
}

impl Form {
    /// The form that fits standard error and the environment: `GITHUB_ACTIONS` (GitHub Docs, "Variables reference"),
    /// `NO_COLOR` (no-color.org), `TERM`.
    #[must_use]
    pub(crate) fn detect() -> Self {
        let dumb = variables::bytes(variables::TERM).is_some_and(|term| term == "dumb");
        if variables::bytes(variables::GITHUB_ACTIONS).is_some_and(|value| value == "true") {
            Self::Groups
        } else if sink::is_seen() && !dumb {
            Self::Terminal { colours: variables::filled(variables::NO_COLOR).is_none() }
        } else {
            Self::Plain
        }
    }
}

/// Shows a delivery on standard error while it runs.
pub(crate) struct Console {
    screen: Screen,
    /// Dropped with the console, which ends the thread that ticks.
    _ticking: Option<mpsc::Sender<()>>,
}

enum Screen {
    Log(Arc<Mutex<Log<Lines>>>),
    Terminal(Terminal),
}

impl Console {
    /// A console of the given form.
    #[must_use]
    pub(crate) fn new(form: Form) -> Arc<Self> {
        let groups = match form {
            Form::Terminal { colours } => {
                let screen = Screen::Terminal(Terminal::new(ProgressDrawTarget::stderr(), colours));
                return Arc::new(Self { screen, _ticking: None });
            }
            Form::Plain => false,
            Form::Groups => true,
        };
        let log = Arc::new(Mutex::new(Log::new(Lines::of_console(), groups, Instant::now())));
        let ticking = tick(Arc::clone(&log));
        Arc::new(Self { screen: Screen::Log(log), _ticking: Some(ticking) })
    }

    /// Prints the program's name and version at once: a log that stays empty looks like one that hangs.
    pub(crate) fn greet(&self) {
        let line = concat!("gp-deliver ", env!("CARGO_PKG_VERSION"));
        match &self.screen {
            Screen::Log(log) => lock(log).say(line, Instant::now()),
            Screen::Terminal(terminal) => terminal.say(Tone::Plain, line),
        }
    }

    /// Takes over from the console of a process that died: what that had left open is closed.
    pub(crate) fn take_over(&self) {
        if let Screen::Log(log) = &self.screen {
            lock(log).take_over();
        }
    }

    /// Says how the delivery ended, what to do, and where the report is, where one could be written.
    pub(crate) fn finish(&self, record: &Record, written: Option<&Written>) {
        let lines = closing::lines(record, written);
        match &self.screen {
            Screen::Log(log) => lock(log).finish(lines.iter().map(|(_, line)| line.as_str())),
            Screen::Terminal(terminal) => terminal.finish(&lines),
        }
    }
}

impl Watcher for Console {
    fn began(&self, stage: StageName) {
        match &self.screen {
            Screen::Log(log) => lock(log).began(stage, Instant::now()),
            Screen::Terminal(terminal) => terminal.began(stage),
        }
    }

    fn line(&self, stage: StageName, text: &str) {
        for line in text::lines(text, text::LINE) {
            match &self.screen {
                Screen::Log(log) => lock(log).line(stage, line, Instant::now()),
                Screen::Terminal(terminal) => terminal.line(stage, &line),
            }
        }
    }

    fn progress(&self, stage: StageName, text: &str) {
        let word = text::line(text, text::LINE);
        match &self.screen {
            Screen::Log(log) => lock(log).progress(stage, word),
            Screen::Terminal(terminal) => terminal.progress(stage, &word),
        }
    }

    fn ended(&self, stage: &Stage) {
        match &self.screen {
            Screen::Log(log) => lock(log).ended(stage, Instant::now()),
            Screen::Terminal(terminal) => terminal.ended(stage),
        }
    }

    fn warned(&self, text: &str) {
        let line = format!("warning: {}", text::line(text, text::LINE));
        match &self.screen {
            Screen::Log(log) => lock(log).say(&line, Instant::now()),
            Screen::Terminal(terminal) => terminal.say(Tone::Advice, &line),
        }
    }
}

/// One line with the result of a stage and its time: `00:42  ✓ build passed in 30.9 s: 5 layers`.
fn result_line(stage: &Stage) -> (Tone, String) {
    let (tone, mark, word, why) = match &stage.outcome {
        StageOutcome::Running => (Tone::Plain, '…', "running", ""),
        StageOutcome::Passed => (Tone::Good, '✓', "passed", ""),
        StageOutcome::Advised => (Tone::Advice, '!', "advice", ""),
        StageOutcome::Blocked => (Tone::Bad, '✗', "blocked", ""),
        StageOutcome::Skipped(why) => (Tone::Plain, '–', "skipped", why.as_str()),
        StageOutcome::Failed(what) => (Tone::Bad, '✗', "failed", what.as_str()),
        StageOutcome::Cancelled => (Tone::Bad, '✗', "cancelled", ""),
    };
    let time = if matches!(stage.outcome, StageOutcome::Skipped(_)) {
        String::new()
    } else {
        format!(" in {}", text::duration(stage.elapsed_ms))
    };
    let detail = text::line(if why.is_empty() { &stage.detail } else { why }, text::LINE);
    let detail = if detail.is_empty() { String::new() } else { format!(": {detail}") };
    let wait = super::wait(stage).map(|wait| format!(", after {wait}")).unwrap_or_default();
    let seconds = stage.ended_ms() / 1000;
    (tone, format!("{:02}:{:02}  {mark} {} {word}{time}{wait}{detail}", seconds / 60, seconds % 60, stage.name.name()))
}

/// Ticks until what it returns is dropped.
fn tick(log: Arc<Mutex<Log<Lines>>>) -> mpsc::Sender<()> {
    let (ticking, ended) = mpsc::channel::<()>();
    thread::spawn(move || {
        while ended.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
            lock(&log).tick(Instant::now());
        }
    });
    ticking
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What a thread that panicked has half printed is no reason to print no more.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
