//! What a build says while it runs: the builder's stream of vertices and logs, made into lines.

use std::collections::{BTreeMap, HashMap, VecDeque};

use bollard_buildkit_proto::google::protobuf::Timestamp;
use bollard_buildkit_proto::moby::buildkit::v1::{StatusResponse, Vertex, VertexLog, VertexStatus};

use crate::text::size;

/// How many of a step's last lines are kept for the report of its failure.
const KEPT_LINES: usize = 40;

/// The longest line that is kept or shown, in bytes; a step may print megabytes without a line end.
const MAX_LINE: usize = 4 << 10;

/// The steps of one solve as far as they are known.
#[derive(Default)]
pub(crate) struct Progress {
    steps: HashMap<String, Step>,
    next_number: usize,
    warnings: Vec<String>,
}

#[derive(Default)]
struct Step {
    name: String,
    number: Option<usize>,
    error: String,
    ended: bool,
    /// The unfinished line of each output (1: standard output, 2: standard error).
    partial: BTreeMap<i64, Vec<u8>>,
    last_lines: VecDeque<String>,
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
        for vertex in response.vertexes {
            self.vertex(vertex, &mut events);
        }
        events.extend(response.statuses.iter().filter_map(transfer));
        for log in response.logs {
            self.log(&log, &mut events);
        }
        for warning in response.warnings {
            let line = warning.ranges.first().and_then(|range| range.start).map_or(0, |start| start.line);
            let text = format!("Dockerfile line {line}: {}", String::from_utf8_lossy(&warning.short));
            if !self.warnings.contains(&text) {
                self.warnings.push(text);
            }
        }
        events
    }

    /// The Dockerfile warnings of the builder's own linter.
    #[must_use]
    pub(crate) fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The step that failed, if any: not one that was only cancelled because of it.
    #[must_use]
    pub(crate) fn failed(&self) -> Option<FailedStep> {
        let failed = self.steps.iter().filter(|(_, step)| !step.error.is_empty() && !step.error.contains("context canceled"));
        let (digest, step) = failed.min_by_key(|(_, step)| step.number)?;
        let unfinished = step.partial.values().filter(|line| !line.is_empty()).map(|line| text(line));
        let lines = step.last_lines.iter().cloned().chain(unfinished).collect();
        Some(FailedStep { digest: digest.clone(), name: step.name.clone(), error: step.error.clone(), lines })
    }

    fn vertex(&mut self, vertex: Vertex, events: &mut Vec<BuildEvent>) {
        let step = self.steps.entry(vertex.digest).or_default();
        step.name = vertex.name;
        let begins = step.number.is_none() && (vertex.started.is_some() || vertex.cached);
        if begins {
            self.next_number += 1;
            step.number = Some(self.next_number);
            if !is_internal(&step.name) {
                events.push(BuildEvent::Line(format!("#{} {}", self.next_number, step.name)));
            }
            events.push(BuildEvent::Status(step.name.clone()));
        }
        let Some(number) = step.number else { return };
        if !vertex.error.is_empty() && step.error.is_empty() {
            events.push(BuildEvent::Line(format!("#{number} ERROR {}", vertex.error)));
            step.error = vertex.error;
        }
        if step.ended || vertex.completed.is_none() || !step.error.is_empty() {
            return;
        }
        step.ended = true;
        if is_internal(&step.name) {
            return;
        }
        let line = match (vertex.cached, seconds(vertex.started.as_ref(), vertex.completed.as_ref())) {
            (true, _) => format!("#{number} CACHED"),
            (false, Some(seconds)) => format!("#{number} DONE {seconds:.1}s"),
            (false, None) => format!("#{number} DONE"),
        };
        events.push(BuildEvent::Line(line));
    }

    fn log(&mut self, log: &VertexLog, events: &mut Vec<BuildEvent>) {
        let step = self.steps.entry(log.vertex.clone()).or_default();
        let partial = step.partial.entry(log.stream).or_default();
        for piece in log.msg.split_inclusive(|byte| *byte == b'\n') {
            let room = MAX_LINE.saturating_sub(partial.len());
            partial.extend_from_slice(&piece[..piece.len().min(room)]);
            if piece.ends_with(b"\n") {
                let line = text(partial);
                partial.clear();
                if step.last_lines.len() == KEPT_LINES {
                    step.last_lines.pop_front();
                }
                events.push(BuildEvent::Line(format!("#{} {line}", step.number.unwrap_or_default())));
                step.last_lines.push_back(line);
            }
        }
    }
}

fn text(line: &[u8]) -> String {
    String::from_utf8_lossy(line).trim_end_matches(['\n', '\r']).to_owned()
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
        0 => BuildEvent::Status(format!("{} {}", status.id, size(status.current))),
        total => BuildEvent::Status(format!("{} {} of {}", status.id, size(status.current), size(total))),
    })
}

fn seconds(from: Option<&Timestamp>, to: Option<&Timestamp>) -> Option<f64> {
    let (from, to) = (from?, to?);
    #[expect(clippy::cast_precision_loss, reason = "the seconds of one step are few")]
    let whole = (to.seconds - from.seconds) as f64;
    Some(whole + f64::from(to.nanos - from.nanos) / 1e9)
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
    fn output_without_line_ends_does_not_grow_the_memory() {
        let mut progress = Progress::default();
        for _ in 0..100 {
            progress.update(log(&[b'x'; 1000]));
        }
        assert!(progress.steps["d"].partial[&1].len() <= MAX_LINE);
    }
}
