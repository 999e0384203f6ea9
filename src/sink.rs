//! The one way out: the log, what is asked for on standard output, workflow commands, files of the report, bodies for
//! GitHub's API. All text passes here, is made safe where it is a stranger's, and loses the secrets that are known by now.
//!
//! No other room names the process's outputs or writes a file of the report (`src/architecture.rs`), but for what speaks to
//! gp-deliver itself (`process`). What is published is not text: an image and its SBOMs are what their digests say.

use std::borrow::Cow;
use std::io::{self, IsTerminal as _, Write};

use serde::Serialize;
use serde_json::Value;

use crate::redaction;
use crate::text;

/// Where lines go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    /// Standard output: what was asked for.
    Output,
    /// Standard error: all else.
    Error,
}

/// Says `text`, whose lines anyone may have written.
///
/// # Errors
/// Nobody takes it.
pub(crate) fn say(stream: Stream, text: &str) -> io::Result<()> {
    // A secret of several lines is one only as long as they are together.
    let text = text::redacted_lines(text);
    let lines: Vec<_> = text::lines(&text, usize::MAX).map(String::from).collect();
    stream.write(&format!("{}\n", lines.join("\n")))
}

/// Says a document that was asked for.
///
/// # Errors
/// Nobody takes it.
pub(crate) fn answer(document: &Redacted) -> io::Result<()> {
    Stream::Output.write_bytes(&document.0)
}

/// Gives commands to the runner, which are ours as a whole.
pub(crate) fn command(commands: &str) {
    // Where the runner can't be told, nobody reads the log.
    let _ = Stream::Output.write(&redaction::redact(commands));
}

/// Tells the runner what to keep out of its log. It is the one text that goes out with secrets in it.
pub(crate) fn mask(commands: &str) {
    // Where the runner can't be told, nobody reads what it would print.
    let _ = Stream::Output.write(commands);
}

/// Whether a person sees standard error.
pub(crate) fn is_seen() -> bool {
    io::stderr().is_terminal()
}

/// A line for a screen that somebody else draws.
pub(crate) fn shown(line: &str) -> Cow<'_, str> {
    redaction::redact(line)
}

impl Stream {
    fn write(self, text: &str) -> io::Result<()> {
        self.write_bytes(text.as_bytes())
    }

    /// In one piece, so that lines of several threads stay whole.
    fn write_bytes(self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Output => {
                let mut out = io::stdout().lock();
                out.write_all(bytes)?;
                out.flush()
            }
            Self::Error => io::stderr().lock().write_all(bytes),
        }
    }
}

/// Lines on their way to standard error. What has no end yet waits for it.
pub(crate) struct Lines {
    unfinished: Vec<u8>,
    /// Whether anyone may have written them.
    strange: bool,
}

impl Lines {
    /// Of the console, which is made of safe lines and of the commands that fold them.
    pub(crate) fn of_console() -> Self {
        Self { unfinished: Vec::new(), strange: false }
    }

    /// Of events (`GP_DELIVER_LOG`), which hold whatever there was.
    pub(crate) fn of_events() -> Self {
        Self { unfinished: Vec::new(), strange: true }
    }

    fn finish(&mut self) -> io::Result<()> {
        if self.unfinished.is_empty() {
            return Ok(());
        }
        let lines = std::mem::take(&mut self.unfinished);
        let lines = String::from_utf8_lossy(&lines);
        if self.strange {
            say(Stream::Error, lines.trim_end_matches('\n'))
        } else {
            Stream::Error.write(&redaction::redact(&lines))
        }
    }
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.unfinished.extend_from_slice(bytes);
        if bytes.ends_with(b"\n") {
            self.finish()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.finish()
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        // Whoever closed our standard error does not want to know.
        let _ = self.finish();
    }
}

/// A document without secrets, as a file or an answer. There is no way to one but through here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Redacted(Vec<u8>);

impl Redacted {
    /// A text: Markdown, outputs.
    pub(crate) fn text(text: &str) -> Self {
        Self(text::redacted_lines(text).into_owned().into_bytes())
    }

    /// JSON for people and programs, one value a line. Ours have only text for keys, so there is none that can't be written.
    pub(crate) fn json(document: &impl Serialize) -> Self {
        let mut json = serde_json::to_vec_pretty(document).unwrap_or_default();
        json.push(b'\n');
        Self::of_json(&json)
    }

    /// JSON that is written already. Its texts mean what they meant, but for the secrets in them; what a terminal or a
    /// runner would obey is escaped.
    pub(crate) fn of_json(json: &[u8]) -> Self {
        let json = String::from_utf8_lossy(json);
        let mut written = String::with_capacity(json.len());
        let mut end = 0;
        for (range, meaning) in redaction::literals(&json) {
            written.push_str(&json[end..range.start]);
            match text::redacted(&meaning) {
                Cow::Borrowed(_) => push_disarmed(&mut written, &json[range.clone()]),
                Cow::Owned(redacted) => push_disarmed(&mut written, &Value::from(redacted).to_string()),
            }
            end = range.end;
        }
        written.push_str(&json[end..]);
        Self(written.into_bytes())
    }

    /// The document.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Writes a literal so that it can be printed.
fn push_disarmed(json: &mut String, literal: &str) {
    if literal.chars().all(text::is_plain) && !literal.contains("##[") {
        json.push_str(literal);
        return;
    }
    let literal = literal.replace("##[", "##\\u005b");
    for character in literal.chars() {
        if text::is_plain(character) {
            json.push(character);
        } else {
            let escape = |unit: &u16| format!("\\u{unit:04x}");
            json.extend(character.encode_utf16(&mut [0; 2]).iter().map(escape));
        }
    }
}

/// What is sent to GitHub's API.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub(crate) struct Body(Value);

impl Body {
    /// A body without secrets.
    pub(crate) fn of(document: &impl Serialize) -> Self {
        let mut value = serde_json::to_value(document).unwrap_or_default();
        redact_value(&mut value);
        Self(value)
    }

    /// A body of what is signed, of which nothing can be left out; none if there is a secret in `statement`, which is what is in
    /// it to read. All else is signatures and names that are public, in an encoding in which chance looks like anything.
    pub(crate) fn signed(document: &impl Serialize, statement: &str) -> Option<Self> {
        let value = serde_json::to_value(document).ok()?;
        matches!(text::redacted(statement), Cow::Borrowed(_)).then_some(Self(value))
    }

    /// With content under `name` that was made of a [`Redacted`], and is no text any more.
    pub(crate) fn with_encoded(mut self, name: &str, content: String) -> Self {
        self.0[name] = Value::from(content);
        self
    }
}

fn redact_value(value: &mut Value) {
    match value {
        Value::String(text) => {
            if let Cow::Owned(redacted) = text::redacted(text) {
                *text = redacted;
            }
        }
        Value::Array(values) => values.iter_mut().for_each(redact_value),
        Value::Object(members) => members.values_mut().for_each(redact_value),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "Sup3rS3cretValue-42";

    #[test]
    fn a_document_has_no_secret_in_any_of_its_texts_and_is_json_still() {
        redaction::remember(SECRET);
        redaction::remember("\",\"quoted\":\"");
        let document = serde_json::json!({"a": [format!("x {SECRET}"), "S\u{1}u\u{1}p\u{1b}[0m3rS3cretValue-42"], "b": {"c\u{9b}": "##[group]", "d": "\",\"quoted\":\""}});
        let written = Redacted::json(&document).0;
        let read: Value = serde_json::from_slice(&written).unwrap();
        assert_eq!(read, serde_json::json!({"a": ["x ***", "***"], "b": {"c\u{9b}": "##[group]", "d": "***"}}));
        let text = String::from_utf8(written).unwrap();
        assert!(!text.contains("##[") && text.chars().all(|character| text::is_plain(character) || character == '\n'), "{text}");
    }

    #[test]
    fn a_body_has_no_secret_and_what_is_encoded_stays_as_it_is() {
        redaction::remember("abcd");
        let body = Body::of(&serde_json::json!({"a": ["abcd"], "number": 1})).with_encoded("sarif", "xabcdx".to_owned());
        assert_eq!(serde_json::to_value(&body).unwrap(), serde_json::json!({"a": ["***"], "number": 1, "sarif": "xabcdx"}));
    }

    #[test]
    fn what_may_not_be_changed_is_not_sent_with_a_secret_in_it() {
        redaction::remember("s1gned-and-secret");
        let document = serde_json::json!({"bundle": {"a": ["x"]}});
        assert!(Body::signed(&document, "x s1gned-and-secret").is_none());
        assert_eq!(serde_json::to_value(Body::signed(&document, "x").unwrap()).unwrap(), document);
    }

    #[test]
    fn a_text_keeps_its_lines() {
        redaction::remember("first-line\nsecond-line");
        assert_eq!(Redacted::text("a\nfirst-line\nb\tc second-line\n").bytes(), b"a\n***\nb\tc ***\n");
    }
}
