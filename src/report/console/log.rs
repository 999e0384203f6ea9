//! A log: lines that are written once. Stages run side by side; their lines stay together.
//!
//! One stage at a time is live: its lines appear as they come, in a group of its own. The lines of the others wait until
//! they end, and until the live group has closed.

use std::collections::VecDeque;
use std::io::Write;
use std::time::{Duration, Instant};

use super::result_line;
use crate::record::{Stage, StageName};
use crate::text::{self, Line};

/// The longest silence while something runs.
const SILENCE: Duration = Duration::from_secs(30);
/// The most lines that a stage keeps for later; of more, the last.
const KEPT: usize = 1000;

/// The log of a delivery.
pub(crate) struct Log<W> {
    out: W,
    groups: bool,
    running: Vec<Running>,
    live: Option<StageName>,
    /// What ended while a group was open.
    waiting: Vec<(Running, Stage)>,
    said_at: Instant,
}

/// A stage that runs.
struct Running {
    name: StageName,
    began: Instant,
    progress: Line,
    lines: VecDeque<Line>,
    left_out: usize,
}

impl<W: Write> Log<W> {
    /// A log that writes to `out`, with the groups of GitHub Actions or with plain headings.
    pub(crate) fn new(out: W, groups: bool, now: Instant) -> Self {
        Self { out, groups, running: Vec::new(), live: None, waiting: Vec::new(), said_at: now }
    }

    /// A stage began.
    pub(crate) fn began(&mut self, name: StageName, now: Instant) {
        self.running.push(Running::new(name, now));
    }

    /// A stage says a line.
    pub(crate) fn line(&mut self, name: StageName, line: Line, now: Instant) {
        if self.live == Some(name) {
            self.write(&format!("  {line}"));
            self.said_at = now;
            return;
        }
        let Some(stage) = self.running.iter_mut().find(|stage| stage.name == name) else { return };
        stage.keep(line);
        if self.live.is_none() && streams(name) {
            let (lines, left_out) = stage.take();
            self.open(name);
            self.lines(&lines, left_out);
            self.live = Some(name);
            self.said_at = now;
        }
    }

    /// A stage says how far it is.
    pub(crate) fn progress(&mut self, name: StageName, word: Line) {
        if let Some(stage) = self.running.iter_mut().find(|stage| stage.name == name) {
            stage.progress = word;
        }
    }

    /// A stage ended.
    pub(crate) fn ended(&mut self, stage: &Stage, now: Instant) {
        // What has ended before may end in another way yet: it is called off.
        let index = self.running.iter().position(|running| running.name == stage.name);
        let running = index.map_or_else(|| Running::new(stage.name, now), |index| self.running.remove(index));
        if self.live == Some(stage.name) {
            self.close();
            self.live = None;
            self.release();
            self.write(&result_line(stage).1);
        } else if self.live.is_some() {
            self.waiting.push((running, stage.clone()));
        } else {
            self.whole(running, stage);
        }
        self.said_at = now;
    }

    /// Says something that belongs to no stage.
    pub(crate) fn say(&mut self, line: &str, now: Instant) {
        self.write(line);
        self.said_at = now;
    }

    /// Shows a sign of life after a long silence.
    pub(crate) fn tick(&mut self, now: Instant) {
        if self.running.is_empty() || now.saturating_duration_since(self.said_at) < SILENCE {
            return;
        }
        let stages = self.running.iter().map(|stage| {
            let elapsed = now.saturating_duration_since(stage.began).as_secs() * 1000;
            let progress = if stage.progress.is_empty() { String::new() } else { format!(" ({})", stage.progress) };
            format!("{}: still running, {}{progress}", stage.name.name(), text::duration(elapsed))
        });
        let line = stages.collect::<Vec<_>>().join("; ");
        self.say(&line, now);
    }

    /// Closes the group that another log may have left open.
    pub(crate) fn take_over(&mut self) {
        self.close();
    }

    /// Ends the log: what still waits is said, then the last lines.
    pub(crate) fn finish<'a>(&mut self, last: impl Iterator<Item = &'a str>) {
        if self.live.take().is_some() {
            self.close();
        }
        self.release();
        self.running.clear();
        last.for_each(|line| self.write(line));
    }

    /// Says what ended while a group was open: in the order in which it did, and before the stage whose group that was.
    fn release(&mut self) {
        for (running, stage) in std::mem::take(&mut self.waiting) {
            self.whole(running, &stage);
        }
    }

    /// A stage that has ended, all its lines together.
    fn whole(&mut self, mut running: Running, stage: &Stage) {
        let (lines, left_out) = running.take();
        if !lines.is_empty() {
            self.open(stage.name);
            self.lines(&lines, left_out);
            self.close();
        }
        self.write(&result_line(stage).1);
    }

    fn lines(&mut self, lines: &VecDeque<Line>, left_out: usize) {
        if left_out > 0 {
            self.write(&format!("  ({} before)", text::count(left_out, "line")));
        }
        for line in lines {
            self.write(&format!("  {line}"));
        }
    }

    fn open(&mut self, name: StageName) {
        let name = name.name();
        self.write(&if self.groups { format!("::group::{name}") } else { format!("── {name}") });
    }

    fn close(&mut self) {
        if self.groups {
            self.write("::endgroup::");
        }
    }

    fn write(&mut self, line: &str) {
        // Whoever closed our standard error does not want to know; the delivery goes on.
        let _ = writeln!(self.out, "{line}");
    }
}

impl Running {
    fn new(name: StageName, began: Instant) -> Self {
        Self { name, began, progress: Line::default(), lines: VecDeque::new(), left_out: 0 }
    }

    fn keep(&mut self, line: Line) {
        if self.lines.len() == KEPT {
            self.lines.pop_front();
            self.left_out += 1;
        }
        self.lines.push_back(line);
    }

    fn take(&mut self) -> (VecDeque<Line>, usize) {
        (std::mem::take(&mut self.lines), std::mem::take(&mut self.left_out))
    }
}

/// Whether a stage is long and says much, so that one wants to see it run.
fn streams(name: StageName) -> bool {
    matches!(name, StageName::Checks | StageName::Build | StageName::Upload)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::StageOutcome;

    const START: u64 = 1000;

    fn passed(name: StageName, ended_ms: u64) -> Stage {
        Stage {
            name,
            started_ms: ended_ms - 2000,
            elapsed_ms: 2000,
            waited_ms: 0,
            waited_for: Vec::new(),
            outcome: StageOutcome::Passed,
            detail: String::new(),
        }
    }

    struct Script {
        log: Log<Vec<u8>>,
        start: Instant,
    }

    impl Script {
        fn new(groups: bool) -> Self {
            let start = Instant::now();
            Self { log: Log::new(Vec::new(), groups, start), start }
        }

        fn at(&self, seconds: u64) -> Instant {
            self.start + Duration::from_secs(seconds)
        }

        fn begin(&mut self, name: StageName) {
            self.log.began(name, self.start);
        }

        fn say(&mut self, name: StageName, line: &str) {
            self.log.line(name, text::line(line, text::LINE), self.start);
        }

        fn end(&mut self, name: StageName) {
            self.end_at(name, START + 2000);
        }

        fn end_at(&mut self, name: StageName, ended_ms: u64) {
            let stage = passed(name, ended_ms);
            self.log.ended(&stage, self.start);
        }

        fn text(&self) -> String {
            String::from_utf8(self.log.out.clone()).unwrap()
        }
    }

    #[test]
    fn the_build_streams_and_the_lines_of_others_stay_together() {
        let mut script = Script::new(true);
        script.begin(StageName::Secrets);
        script.begin(StageName::Build);
        script.say(StageName::Secrets, "secrets 1");
        script.say(StageName::Build, "build 1");
        assert_eq!(script.text(), "::group::build\n  build 1\n", "the build is live from its first line");
        script.say(StageName::Secrets, "secrets 2");
        script.say(StageName::Build, "build 2");
        script.end(StageName::Secrets);
        script.say(StageName::Build, "build 3");
        script.end(StageName::Build);
        assert_eq!(
            script.text(),
            "::group::build\n  build 1\n  build 2\n  build 3\n::endgroup::\n\
             ::group::secrets scan\n  secrets 1\n  secrets 2\n::endgroup::\n00:03  ✓ secrets scan passed in 2.0 s\n\
             00:03  ✓ build passed in 2.0 s\n"
        );
    }

    #[test]
    fn results_come_in_the_order_of_their_times() {
        let mut script = Script::new(false);
        for name in [StageName::Build, StageName::Secrets, StageName::Database] {
            script.begin(name);
        }
        script.say(StageName::Build, "build 1");
        script.end_at(StageName::Database, 3000);
        script.end_at(StageName::Secrets, 5000);
        script.end_at(StageName::Build, 9000);
        let text = script.text();
        let times: Vec<_> = text.lines().filter(|line| line.starts_with("00:")).map(|line| &line[..5]).collect();
        assert_eq!(times, ["00:03", "00:05", "00:09"], "{text}");
    }

    #[test]
    fn a_stage_that_is_called_off_after_its_end_is_said_to_be() {
        let mut script = Script::new(false);
        script.begin(StageName::Secrets);
        script.end(StageName::Secrets);
        let outcome = StageOutcome::Skipped("not needed".to_owned());
        let stage = Stage { outcome, ..passed(StageName::Secrets, START + 2000) };
        script.log.ended(&stage, script.start);
        assert!(script.text().ends_with("– secrets scan skipped: not needed\n"), "{}", script.text());
    }

    #[test]
    fn the_next_stage_that_speaks_is_live_after_the_first() {
        let mut script = Script::new(false);
        script.begin(StageName::Checks);
        script.begin(StageName::Build);
        script.say(StageName::Checks, "check 1");
        script.say(StageName::Build, "build 1");
        script.end(StageName::Checks);
        script.say(StageName::Build, "build 2");
        assert_eq!(script.text(), "── checks\n  check 1\n00:03  ✓ checks passed in 2.0 s\n── build\n  build 1\n  build 2\n");
    }

    #[test]
    fn a_long_silence_shows_life_and_a_short_one_does_not() {
        let mut script = Script::new(false);
        script.begin(StageName::Build);
        script.log.progress(StageName::Build, "exporting layers".into());
        script.log.tick(script.at(29));
        assert_eq!(script.text(), "");
        script.log.tick(script.at(90));
        script.log.tick(script.at(91));
        assert_eq!(script.text(), "build: still running, 1m 30s (exporting layers)\n");
    }

    #[test]
    fn nothing_is_said_of_life_when_nothing_runs() {
        let mut script = Script::new(false);
        script.log.tick(script.at(900));
        assert_eq!(script.text(), "");
    }

    #[test]
    fn what_waits_has_a_bound() {
        let mut script = Script::new(true);
        script.begin(StageName::Sbom);
        (0..KEPT + 5).for_each(|number| script.say(StageName::Sbom, &format!("line {number}")));
        script.end(StageName::Sbom);
        let text = script.text();
        assert!(text.starts_with("::group::SBOM\n  (5 lines before)\n  line 5\n"), "{}", &text[..80]);
        assert_eq!(text.lines().count(), KEPT + 4);
    }

    #[test]
    fn a_log_that_ends_early_closes_its_group_and_keeps_what_waited() {
        let mut script = Script::new(true);
        script.begin(StageName::Build);
        script.begin(StageName::Secrets);
        script.say(StageName::Build, "build 1");
        script.end(StageName::Secrets);
        script.log.finish(["the end"].into_iter());
        assert_eq!(script.text(), "::group::build\n  build 1\n::endgroup::\n00:03  ✓ secrets scan passed in 2.0 s\nthe end\n");
    }
}
