//! What a build says while it runs: the builder's stream of vertices and logs, made into lines.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use bollard_buildkit_proto::google::protobuf::Timestamp;
use bollard_buildkit_proto::moby::buildkit::v1::{StatusResponse, Vertex, VertexLog, VertexStatus, VertexWarning};
use tokio::time::Instant;

use super::cache::IMPORTING;
use crate::build_check::BuildCheck;
use crate::text::{self, count, size};

/// How many of a step's last lines are kept for the report of its failure.
const KEPT_LINES: usize = 40;

/// The longest line that is kept or shown, in bytes; a step may print megabytes without a line end.
const MAX_LINE: usize = 4 << 10;

/// The most that a build's steps say in the log, in bytes; what comes after it is counted. Of each step that fails, the last
/// lines are told all the same.
pub(crate) const MAX_OUTPUT: usize = 16 << 20;

/// The longest name of a vertex, in bytes; a digest has 71.
const MAX_DIGEST: usize = 256;

/// The most steps of a build that are followed, and the most warnings of its Dockerfile that are told.
pub(crate) const MAX_STEPS: usize = 10_000;
pub(crate) const MAX_WARNINGS: usize = 200;

/// How long a cache outside of the builder may take to say what it has.
pub(crate) const CACHE_ANSWER: Duration = Duration::from_secs(20);
/// How long a build that takes steps from such a cache may tell nothing at all while no program of a step runs. What it takes
/// is fetched when it is needed, and a builder waits for it without end.
pub(crate) const CACHE_SILENCE: Duration = Duration::from_mins(5);
/// The same while programs of steps run that have not said a word yet: what they run in may be what is waited for.
pub(crate) const CACHE_SILENCE_OF_STEPS: Duration = Duration::from_mins(15);
/// How often one looks whether that is so.
pub(super) const LOOK: Duration = Duration::from_secs(1);

/// A step of the Dockerfile, and whether its result was there already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StepSeen {
    /// Its name as the builder shows it: `[build 2/3] RUN make`.
    pub(crate) name: String,
    /// Whether it was not run, since its result was in a cache.
    pub(crate) cached: bool,
}

/// A cache outside of the builder that was to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CacheRead {
    /// Why it could not be; empty where it could.
    pub(crate) error: String,
    /// Why a build that took from it was done once more without; absent where it was not.
    pub(crate) given_up: Option<GivenUp>,
}

/// Why a build takes no more from a cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GivenUp {
    /// The build failed with it.
    Failing,
    /// It does not answer.
    Silent,
}

/// The steps of one solve as far as they are known.
pub(crate) struct Progress {
    steps: HashMap<String, Step>,
    /// When anything was told last.
    told: Instant,
    next_number: usize,
    checks: Vec<BuildCheck>,
    /// The images that are steps without a name of the Dockerfile's.
    images: BTreeSet<String>,
    /// How much the steps may still say, in bytes.
    room: usize,
    /// Whether it was said that they say more.
    cut: bool,
}

impl Default for Progress {
    fn default() -> Self {
        let (steps, checks, images) = (HashMap::new(), Vec::new(), BTreeSet::new());
        Self { steps, told: Instant::now(), next_number: 0, checks, images, room: MAX_OUTPUT, cut: false }
    }
}

#[derive(Default)]
struct Step {
    name: String,
    number: Option<usize>,
    error: String,
    ended: bool,
    /// Since when it runs.
    since: Option<Instant>,
    cached: bool,
    /// Whether it has printed anything.
    has_spoken: bool,
    /// The unfinished line of each output (1: standard output, 2: standard error).
    partial: BTreeMap<i64, Vec<u8>>,
    last_lines: VecDeque<String>,
    /// How many lines were not shown.
    left_out: usize,
}

/// A step that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FailedStep {
    /// The digest of its vertex.
    pub(crate) digest: String,
    /// Its name.
    pub(crate) name: String,
    /// The builder's message.
    pub(crate) error: String,
    /// The last lines that it printed.
    pub(crate) lines: Vec<String>,
}

/// Something to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BuildEvent {
    /// A line that stays.
    Line(String),
    /// How far the build is.
    Status(String),
}

impl Progress {
    /// Takes the builder's next message and returns what to show.
    pub(crate) fn update(&mut self, response: StatusResponse) -> Vec<BuildEvent> {
        let mut events = Vec::new();
        self.told = Instant::now();
        for vertex in &response.vertexes {
            self.vertex(vertex, &mut events);
        }
        events.extend(response.statuses.iter().filter_map(transfer));
        for log in response.logs {
            self.log(&log, &mut events);
        }
        for warning in response.warnings {
            let check = check(&warning);
            if self.checks.len() < MAX_WARNINGS && !self.checks.contains(&check) {
                self.checks.push(check);
            }
        }
        events
    }

    /// What the builder's own checks say of the Dockerfile.
    #[must_use]
    pub(crate) fn checks(&self) -> &[BuildCheck] {
        &self.checks
    }

    /// The references of the images that were fetched for the build itself: that of a reader of Dockerfiles. What a
    /// Dockerfile names has its place there before it (`[1/2] FROM …`).
    pub(super) fn images(&self) -> impl Iterator<Item = &str> {
        self.images.iter().map(String::as_str)
    }

    /// The steps of the Dockerfile that have begun or were there already, in the order in which they did. Which image a stage
    /// begins with is none.
    #[must_use]
    pub(crate) fn steps_seen(&self) -> Vec<StepSeen> {
        let mut steps: Vec<_> = self.steps.values().filter(|step| step.number.is_some() && step.is_of_the_dockerfile()).collect();
        steps.sort_unstable_by_key(|step| step.number);
        steps.into_iter().map(|step| StepSeen { name: step.name.clone(), cached: step.cached }).collect()
    }

    /// The caches outside of the builder that it was told to read.
    #[must_use]
    pub(crate) fn caches_read(&self) -> Vec<CacheRead> {
        self.imports().map(|step| CacheRead { error: step.error.clone(), given_up: None }).collect()
    }

    /// Whether the build waits for such a cache, and has done so for too long.
    #[must_use]
    pub(super) fn waits_for_a_cache(&self, now: Instant) -> bool {
        let waits = |step: &Step| !step.is_over() && step.since.is_some_and(|since| now.duration_since(since) >= CACHE_ANSWER);
        if self.imports().any(waits) {
            return true;
        }
        let silence = now.duration_since(self.told);
        let mut running = self.steps.values().filter(|step| step.is_running()).peekable();
        let limit = if running.peek().is_none() { CACHE_SILENCE } else { CACHE_SILENCE_OF_STEPS };
        let has_read = self.imports().any(|step| step.ended);
        has_read && silence >= limit && !running.any(|step| step.has_spoken)
    }

    fn imports(&self) -> impl Iterator<Item = &Step> {
        self.steps.values().filter(|step| step.name.starts_with(IMPORTING))
    }

    /// The step that failed, if any: not one that was only cancelled because of it, nor a cache that can't be read.
    #[must_use]
    pub(crate) fn failed(&self) -> Option<FailedStep> {
        let failed = self.steps.iter().filter(|(_, step)| {
            !step.error.is_empty() && !step.error.contains("context canceled") && !step.name.starts_with(IMPORTING)
        });
        let (digest, step) = failed.min_by_key(|(_, step)| step.number)?;
        let unfinished = step.partial.values().filter(|line| !line.is_empty()).map(|line| cut_line(line));
        let lines = step.last_lines.iter().cloned().chain(unfinished).collect();
        Some(FailedStep { digest: digest.clone(), name: step.name.clone(), error: step.error.clone(), lines })
    }

    /// A step, unless there are too many.
    fn step(&mut self, digest: &str) -> Option<&mut Step> {
        let has_room = self.steps.len() < MAX_STEPS || self.steps.contains_key(digest);
        (has_room && digest.len() <= MAX_DIGEST).then(|| self.steps.entry(digest.to_owned()).or_default())
    }

    fn vertex(&mut self, vertex: &Vertex, events: &mut Vec<BuildEvent>) {
        let next = self.next_number + 1;
        if let Some(reference) = vertex.name.strip_prefix("docker-image://")
            && self.images.len() < MAX_STEPS
        {
            self.images.insert(reference.to_owned());
        }
        let Some(step) = self.step(&vertex.digest) else { return };
        step.name = shortened(&vertex.name);
        step.cached |= vertex.cached;
        let begins = step.number.is_none() && (vertex.started.is_some() || vertex.cached);
        if begins {
            step.number = Some(next);
            step.since = Some(Instant::now());
            if !is_internal(&step.name) {
                events.push(BuildEvent::Line(format!("#{next} {}", step.name)));
            }
            events.push(BuildEvent::Status(step.name.clone()));
        }
        step.end(vertex, events);
        if begins {
            self.next_number = next;
        }
    }

    fn log(&mut self, log: &VertexLog, events: &mut Vec<BuildEvent>) {
        let (mut room, mut cut) = (self.room, self.cut);
        let Some(step) = self.step(&log.vertex) else { return };
        let number = step.number.unwrap_or_default();
        step.has_spoken = true;
        // A builder has two: what it says of another belongs to neither, and takes no more memory.
        let partial = step.partial.entry(log.stream.clamp(0, 3)).or_default();
        for piece in log.msg.split_inclusive(|byte| *byte == b'\n') {
            let free = MAX_LINE.saturating_sub(partial.len());
            partial.extend_from_slice(&piece[..piece.len().min(free)]);
            if !piece.ends_with(b"\n") {
                continue;
            }
            let line = if partial.len() < MAX_LINE { whole(partial) } else { cut_line(partial) };
            partial.clear();
            if step.last_lines.len() == KEPT_LINES {
                step.last_lines.pop_front();
            }
            let shown = format!("#{number} {line}");
            step.last_lines.push_back(line);
            // Empty lines cost something too.
            match room.checked_sub(shown.len() + 1) {
                Some(left) => {
                    room = left;
                    events.push(BuildEvent::Line(shown));
                }
                None => {
                    if !cut {
                        cut = true;
                        let most = MAX_OUTPUT >> 20;
                        events.push(BuildEvent::Line(format!("… the steps print more than {most} MiB: the rest is left out")));
                    }
                    (room, step.left_out) = (0, step.left_out + 1);
                }
            }
        }
        (self.room, self.cut) = (room, cut);
    }
}

impl Step {
    /// Whether the Dockerfile has it: `[build 2/3] RUN make`, and neither `[internal] load …` nor what a stage begins with.
    fn is_of_the_dockerfile(&self) -> bool {
        let rest = self.name.strip_prefix('[').and_then(|name| name.split_once("] "));
        rest.is_some_and(|(place, instruction)| place.contains('/') && !instruction.starts_with("FROM "))
    }

    fn is_over(&self) -> bool {
        self.ended || !self.error.is_empty()
    }

    /// Whether a program of it runs, as far as it is known.
    fn is_running(&self) -> bool {
        self.since.is_some() && !self.is_over() && self.is_of_the_dockerfile() && self.name.contains("] RUN ")
    }

    /// Takes note of how a step goes that has begun.
    fn end(&mut self, vertex: &Vertex, events: &mut Vec<BuildEvent>) {
        let Some(number) = self.number else { return };
        if !vertex.error.is_empty() && self.error.is_empty() {
            self.error = shortened(&vertex.error);
            // A cache that is not there yet is no error; what can't be read of one is said by whoever asked for it.
            if !self.name.starts_with(IMPORTING) {
                events.push(BuildEvent::Line(format!("#{number} ERROR {}", self.error)));
            }
        }
        if self.ended || vertex.completed.is_none() || !self.error.is_empty() {
            return;
        }
        self.ended = true;
        // They are for the report of a failure, and there is none any more.
        self.last_lines.clear();
        if is_internal(&self.name) {
            return;
        }
        // One that was there is told of once more while what it has is fetched.
        let line = match (self.cached, seconds(vertex.started.as_ref(), vertex.completed.as_ref())) {
            (true, _) => format!("#{number} CACHED"),
            (false, Some(seconds)) => format!("#{number} DONE {seconds:.1}s"),
            (false, None) => format!("#{number} DONE"),
        };
        let left_out = match self.left_out {
            0 => String::new(),
            lines => format!(" ({} left out)", count(lines, "line")),
        };
        events.push(BuildEvent::Line(line + &left_out));
    }
}

/// A remark on the Dockerfile, without an end to neither its words nor its address.
fn check(warning: &VertexWarning) -> BuildCheck {
    let lines = || warning.ranges.iter().filter_map(|range| Some((range.start?.line, range.end.or(range.start)?.line)));
    let number = |line: Option<i32>| line.and_then(|line| u32::try_from(line).ok()).unwrap_or_default();
    let (first, last) = (number(lines().map(|(first, _)| first).min()), number(lines().map(|(_, last)| last).max()));
    let said = String::from_utf8_lossy(&warning.short[..warning.short.len().min(MAX_LINE)]).into_owned();
    let url = if warning.url.len() > MAX_LINE { "" } else { &warning.url };
    BuildCheck::read(&said, (first, last), url)
}

fn whole(line: &[u8]) -> String {
    String::from_utf8_lossy(line).trim_end_matches(['\n', '\r']).to_owned()
}

/// A line that is not there to its end: what is missing may be the rest of a secret.
fn cut_line(line: &[u8]) -> String {
    text::redacted_cut(&whole(line))
}

/// A text of the builder's with its middle left out where it is long: a command may be as long as a Dockerfile, and how it ended
/// stands behind it. Secrets go first, since a part of one is not known again.
fn shortened(words: &str) -> String {
    if words.len() <= 2 * MAX_LINE {
        return words.to_owned();
    }
    let words = text::redacted(words);
    let (begin, end) = (words.floor_char_boundary(MAX_LINE), words.ceil_char_boundary(words.len().saturating_sub(MAX_LINE)));
    if begin < end { format!("{} … {}", &words[..begin], &words[end..]) } else { words.into_owned() }
}

/// Steps that the builder adds by itself: shown only when they fail.
fn is_internal(name: &str) -> bool {
    name.starts_with("[internal]") || name.starts_with("[auth]")
}

/// Bytes on their way: a base image that is pulled, a context that is sent.
fn transfer(status: &VertexStatus) -> Option<BuildEvent> {
    let running = status.completed.is_none() && status.current > 0;
    let size = |bytes: i64| size(u64::try_from(bytes).unwrap_or_default());
    running.then(|| match status.total {
        0 => BuildEvent::Status(format!("{} {}", shortened(&status.id), size(status.current))),
        total => BuildEvent::Status(format!("{} {} of {}", shortened(&status.id), size(status.current), size(total))),
    })
}

fn seconds(from: Option<&Timestamp>, to: Option<&Timestamp>) -> Option<f64> {
    let (from, to) = (from?, to?);
    #[expect(clippy::cast_precision_loss, reason = "the seconds of one step are few")]
    let whole = to.seconds.saturating_sub(from.seconds) as f64;
    Some(whole + f64::from(to.nanos.saturating_sub(from.nanos)) / 1e9)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vertex(error: &str, completed: bool) -> StatusResponse {
        let now = Timestamp { seconds: 1, nanos: 0 };
        let vertex = Vertex {
            digest: "d".to_owned(),
            name: "[1/2] RUN make".to_owned(),
            started: Some(now),
            completed: completed.then_some(now),
            error: error.to_owned(),
            ..Vertex::default()
        };
        StatusResponse { vertexes: vec![vertex], ..StatusResponse::default() }
    }

    /// A step under way or over, by its name.
    fn named(name: &str, error: &str, completed: bool) -> StatusResponse {
        let mut response = vertex(error, completed);
        (response.vertexes[0].name, response.vertexes[0].digest) = (name.to_owned(), name.to_owned());
        response
    }

    #[test]
    fn a_cache_is_waited_for_as_long_as_it_may_take_and_no_longer() {
        let after = |progress: &Progress, time: Duration| progress.waits_for_a_cache(Instant::now() + time);
        let import = format!("{IMPORTING}r.example/cache:prod");
        let mut progress = Progress::default();
        progress.update(named("[1/2] RUN make", "", false));
        assert!(!after(&progress, Duration::from_hours(5)), "no cache is read: a step may be silent for as long as it likes");
        progress.update(named(&import, "", false));
        assert!(!after(&progress, CACHE_ANSWER / 2) && after(&progress, CACHE_ANSWER));
        progress.update(named(&import, "", true));
        assert!(!after(&progress, CACHE_SILENCE * 2) && after(&progress, CACHE_SILENCE_OF_STEPS));
        let log = VertexLog { vertex: "[1/2] RUN make".to_owned(), stream: 1, msg: b"x\n".to_vec(), ..VertexLog::default() };
        progress.update(StatusResponse { logs: vec![log], ..StatusResponse::default() });
        assert!(!after(&progress, Duration::from_hours(5)), "its program runs, so that nothing is waited for");
        progress.update(named("[1/2] RUN make", "", true));
        assert!(!after(&progress, CACHE_SILENCE / 2) && after(&progress, CACHE_SILENCE));
    }

    #[test]
    fn a_cache_that_can_not_be_read_is_no_failure_of_a_step_and_which_steps_were_there_is_known() {
        let mut progress = Progress::default();
        let lines = progress.update(named(&format!("{IMPORTING}r.example/cache:prod"), "not found", true));
        assert!(!lines.iter().any(|event| matches!(event, BuildEvent::Line(line) if line.contains("ERROR"))), "{lines:?}");
        assert_eq!(progress.failed(), None);
        assert_eq!(progress.caches_read(), [CacheRead { error: "not found".to_owned(), given_up: None }]);
        for name in ["[internal] load build context", "[1/3] FROM debian", "[2/3] RUN make"] {
            progress.update(named(name, "", true));
        }
        let mut there = named("[build 3/3] COPY a /", "", true);
        there.vertexes[0].cached = true;
        progress.update(there);
        let seen = progress.steps_seen().into_iter().map(|step| (step.name, step.cached)).collect::<Vec<_>>();
        assert_eq!(seen, [("[2/3] RUN make".to_owned(), false), ("[build 3/3] COPY a /".to_owned(), true)]);
    }

    fn log(text: &[u8]) -> StatusResponse {
        let log = VertexLog { vertex: "d".to_owned(), stream: 1, msg: text.to_vec(), ..VertexLog::default() };
        StatusResponse { logs: vec![log], ..StatusResponse::default() }
    }

    #[test]
    fn fragments_become_whole_lines() {
        let mut progress = Progress::default();
        progress.update(vertex("", false));
        assert_eq!(progress.update(log(b"one\ntw")), [BuildEvent::Line("#1 one".to_owned())]);
        assert_eq!(progress.update(log(b"o\r\n")), [BuildEvent::Line("#1 two".to_owned())]);
    }

    #[test]
    fn a_failed_step_keeps_its_last_lines_and_its_unfinished_one() {
        let mut progress = Progress::default();
        progress.update(vertex("", false));
        for number in 0..100 {
            progress.update(log(format!("line {number}\n").as_bytes()));
        }
        progress.update(log(b"no end"));
        progress.update(vertex("exit code: 1", true));
        let failed = progress.failed().unwrap();
        assert_eq!(failed.lines.len(), KEPT_LINES + 1);
        assert_eq!(failed.lines.last().unwrap(), "no end");
        assert_eq!(failed.error, "exit code: 1");
    }

    #[test]
    fn a_step_that_was_only_cancelled_is_not_the_cause() {
        let mut progress = Progress::default();
        progress.update(vertex("process did not complete: context canceled", true));
        assert_eq!(progress.failed(), None);
    }

    #[test]
    fn a_step_that_prints_without_end_is_cut_with_a_word_and_its_last_lines_are_kept() {
        let mut progress = Progress::default();
        progress.update(vertex("", false));
        let page: Vec<u8> = (0..1000).flat_map(|_| b"yes\n".to_vec()).collect();
        let (mut shown, mut words) = (0, Vec::new());
        for _ in 0..4 * MAX_OUTPUT / 1000 / 8 {
            for event in progress.update(log(&page)) {
                match event {
                    BuildEvent::Line(line) if line == "#1 yes" => shown += line.len() + 1,
                    BuildEvent::Line(line) => words.push(line),
                    BuildEvent::Status(_) => {}
                }
            }
        }
        assert!(shown <= MAX_OUTPUT && shown > MAX_OUTPUT - 100, "{shown}");
        assert_eq!(words, ["… the steps print more than 16 MiB: the rest is left out"]);
        progress.update(log(b"last\n"));
        assert_eq!(progress.steps["d"].last_lines.back().unwrap(), "last");
        let ended = progress.update(vertex("", true));
        assert!(
            matches!(&ended[..], [BuildEvent::Line(line)] if line.starts_with("#1 DONE") && line.ends_with("lines left out)"))
        );
    }

    #[test]
    fn a_builder_without_bounds_takes_no_memory_without_bounds() {
        let mut progress = Progress::default();
        for (number, stream) in (0..MAX_STEPS + 10).zip(-5_i64..) {
            let log = VertexLog { vertex: number.to_string(), stream, msg: b"x".to_vec(), ..VertexLog::default() };
            progress.update(StatusResponse { logs: vec![log], ..StatusResponse::default() });
        }
        assert_eq!(progress.steps.len(), MAX_STEPS);
        for number in 0..MAX_WARNINGS + 10 {
            let short = [number.to_string().as_bytes(), &vec![b'x'; 10 * MAX_LINE]].concat();
            let warning = VertexWarning { short, ..VertexWarning::default() };
            progress.update(StatusResponse { warnings: vec![warning], ..StatusResponse::default() });
        }
        assert_eq!(progress.checks().len(), MAX_WARNINGS);
        assert!(progress.checks().iter().all(|check| check.message.len() < 2 * MAX_LINE));
    }

    #[test]
    fn a_builders_words_without_end_are_cut_in_their_middle_and_what_has_ended_well_is_forgotten() {
        let long = |n: usize| format!("begin{}end: {n}", "é".repeat(10 * MAX_LINE));
        let now = Some(Timestamp { seconds: 1, nanos: 0 });
        let vertex = |digest: String, completed, error| {
            let vertex = Vertex { digest, name: long(1), started: now, completed, error, ..Vertex::default() };
            StatusResponse { vertexes: vec![vertex], ..StatusResponse::default() }
        };
        let mut progress = Progress::default();
        progress.update(vertex("d".to_owned(), None, String::new()));
        progress.update(log(b"said\n"));
        assert_eq!(progress.steps["d"].last_lines.len(), 1);
        progress.update(vertex("d".to_owned(), now, String::new()));
        assert!(progress.steps["d"].last_lines.is_empty());
        progress.update(vertex("e".to_owned(), now, long(2)));
        let failed = progress.failed().unwrap();
        for (text, end) in [(failed.name, "end: 1"), (failed.error, "end: 2")] {
            assert!(text.starts_with("begin") && text.ends_with(end) && text.len() < 3 * MAX_LINE, "{} bytes", text.len());
        }
        assert!(progress.update(vertex("x".repeat(MAX_DIGEST + 1), None, String::new())).is_empty());
    }

    #[test]
    fn output_without_line_ends_does_not_grow_the_memory() {
        let mut progress = Progress::default();
        for _ in 0..100 {
            progress.update(log(&[b'x'; 1000]));
        }
        assert!(progress.steps["d"].partial[&1].len() <= MAX_LINE);
    }
}
