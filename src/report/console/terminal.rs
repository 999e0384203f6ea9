//! A terminal: what has happened stays above, what is running is redrawn below.

use std::sync::Mutex;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::closing::Tone;
use super::{lock, result_line};
use crate::record::{Stage, StageName};
use crate::sink;
use crate::text::Line;

/// The interval of the spinners.
const TICK: Duration = Duration::from_millis(120);

/// The screen of a delivery.
pub(crate) struct Terminal {
    bars: MultiProgress,
    running: Mutex<Vec<(StageName, ProgressBar)>>,
    colours: bool,
}

impl Terminal {
    /// A screen that draws to `target`.
    pub(crate) fn new(target: ProgressDrawTarget, colours: bool) -> Self {
        Self { bars: MultiProgress::with_draw_target(target), running: Mutex::default(), colours }
    }

    /// A stage began.
    pub(crate) fn began(&self, name: StageName) {
        let style = ProgressStyle::with_template("{spinner} {prefix:22} {elapsed:>4}  {wide_msg}");
        let bar = self.bars.add(ProgressBar::new_spinner().with_prefix(name.name()));
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
        bar.enable_steady_tick(TICK);
        lock(&self.running).push((name, bar));
    }

    /// A stage says a line.
    pub(crate) fn line(&self, name: StageName, line: &Line) {
        self.say(Tone::Plain, &format!("{} │ {line}", name.name()));
    }

    /// A stage says how far it is.
    pub(crate) fn progress(&self, name: StageName, word: &Line) {
        if let Some((_, bar)) = lock(&self.running).iter().find(|(running, _)| *running == name) {
            bar.set_message(sink::shown(word).into_owned());
        }
    }

    /// A stage ended.
    pub(crate) fn ended(&self, stage: &Stage) {
        let mut running = lock(&self.running);
        if let Some(index) = running.iter().position(|(name, _)| *name == stage.name) {
            let (_, bar) = running.remove(index);
            bar.finish_and_clear();
            self.bars.remove(&bar);
        }
        drop(running);
        let (tone, line) = result_line(stage);
        self.say(tone, &line);
    }

    /// Prints a line that stays.
    pub(crate) fn say(&self, tone: Tone, line: &str) {
        let line = sink::shown(line);
        let line = if self.colours { tone.paint(&line) } else { line.into_owned() };
        // Whoever closed our standard error does not want to know; the delivery goes on.
        let _ = self.bars.println(line);
    }

    /// Removes the progress lines, and prints the last lines.
    pub(crate) fn finish(&self, last: &[(Tone, String)]) {
        for (_, bar) in lock(&self.running).drain(..) {
            bar.finish_and_clear();
        }
        for (tone, line) in last {
            self.say(*tone, line);
        }
    }
}

#[cfg(test)]
mod tests {
    use indicatif::InMemoryTerm;

    use super::*;
    use crate::record::StageOutcome;

    #[test]
    fn what_ended_stays_above_what_runs() {
        let screen = InMemoryTerm::new(20, 100);
        let terminal = Terminal::new(ProgressDrawTarget::term_like(Box::new(screen.clone())), false);
        terminal.began(StageName::Secrets);
        terminal.began(StageName::Build);
        terminal.line(StageName::Build, &"RUN make".into());
        terminal.progress(StageName::Build, &"3 of 5".into());
        let stage = Stage {
            name: StageName::Secrets,
            started_ms: 0,
            elapsed_ms: 4200,
            waited_ms: 0,
            waited_for: Vec::new(),
            outcome: StageOutcome::Advised,
            detail: "1 leak".to_owned(),
        };
        terminal.ended(&stage);
        let shown = screen.contents();
        let lines: Vec<_> = shown.lines().collect();
        assert_eq!(lines[..2], ["build │ RUN make", "00:04  ! secrets scan advice in 4.2 s: 1 leak"], "{shown}");
        assert!(lines[2].contains("build") && lines.len() == 3, "{shown}");
        terminal.finish(&[(Tone::Good, "the end".to_owned())]);
        assert_eq!(screen.contents().lines().skip(2).collect::<Vec<_>>(), ["the end"]);
    }
}
