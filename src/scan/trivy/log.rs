//! What trivy says on standard error: a line is `TIME LEVEL MESSAGE FIELDS` with tabs between, a field `NAME=VALUE`.

use std::collections::BTreeSet;

use crate::process::Output;
use crate::text::{self, plain};

/// What trivy says of nearly every image, and what the report tells in other words.
const KNOWN: [&str; 5] = [
    "Using severities from other vendors for some vulnerabilities",
    "This OS version is no longer supported by the distribution",
    "The vulnerability detection may be insufficient because security updates are not provided",
    "e.g. files under \"/lib/apk/db/\"",
    "Unsupported os",
];

/// What it says of a file that it takes for a list of packages and can't read; on the level for debugging.
const UNREAD: [&str; 3] = ["[analyzer] Analysis error", "[analyzer] Permission error", "Walk error"];

/// All of it.
pub(super) struct Log<'a> {
    text: &'a str,
}

struct Line<'a> {
    level: &'a str,
    message: &'a str,
    fields: &'a str,
}

impl<'a> Log<'a> {
    pub(super) fn of(output: &'a Output) -> Self {
        Self { text: &output.stderr }
    }

    fn lines(&self) -> impl Iterator<Item = Line<'a>> {
        self.text.lines().filter_map(|line| {
            let mut parts = line.splitn(4, '\t').skip(1);
            Some(Line { level: parts.next()?, message: parts.next()?, fields: parts.next().unwrap_or_default() })
        })
    }

    /// What a reader should know, in trivy's words.
    pub(super) fn warnings(&self) -> Vec<String> {
        let told = |line: &Line<'_>| {
            matches!(line.level, "WARN" | "ERROR") && !KNOWN.iter().any(|known| line.message.starts_with(known))
        };
        self.lines().filter(told).map(|line| text::words(&format!("{} {}", line.message, line.fields)).into()).collect()
    }

    /// The files that trivy can't make sense of; or its complaint, where that names none.
    pub(super) fn unread(&self) -> BTreeSet<String> {
        let unread = self.lines().filter(|line| UNREAD.contains(&line.message));
        unread.filter_map(|line| value(line.fields, "file_path=").or_else(|| value(line.fields, "err="))).collect()
    }

    /// Why trivy gave up. For those who debug it, it says where in its source each part of the reason comes from; here are
    /// the parts alone, each of which begins with ` - `.
    pub(super) fn fatal(&self) -> Option<String> {
        let (_, rest) = self.text.split_once("\tFATAL\t")?;
        let mut lines = rest.lines();
        let first = lines.next()?.split('\t').nth(1).unwrap_or_default();
        let parts = lines.filter_map(|line| line.trim_start().strip_prefix("- "));
        let reason: Vec<_> = std::iter::once(first).chain(parts).map(|part| plain(part.trim())).collect();
        Some(reason.join(" ").trim().to_owned()).filter(|reason| !reason.is_empty())
    }
}

/// The value of the field that begins with `name`: quoted as Go does, or up to the next space.
fn value(fields: &str, name: &str) -> Option<String> {
    let (_, rest) = fields.split_once(name)?;
    let end = |text: &str| {
        let mut escaped = false;
        text.bytes().position(|byte| {
            let end = byte == b'"' && !escaped;
            escaped = byte == b'\\' && !escaped;
            end
        })
    };
    let value = match rest.strip_prefix('"') {
        Some(quoted) => &quoted[..end(quoted).unwrap_or(quoted.len())],
        None => rest.split(' ').next().unwrap_or_default(),
    };
    Some(text::line(value, text::WORDS).into()).filter(|value: &String| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(stderr: &str) -> Output {
        Output { code: 1, stdout: Vec::new(), stderr: stderr.to_owned() }
    }

    #[test]
    fn the_reason_of_a_failure_is_one_line_whether_debugged_or_not() {
        let debugged = "T\tINFO\tx\nT\tFATAL\tFatal error\t\n  - run error:\n    a.Run\n        a.go:1\n  - scan error:\n    a.Scan\n        a.go:2\n  - unexpected EOF\n";
        let plain = "T\tFATAL\tFatal error\trun error: scan error: unexpected EOF\n";
        for stderr in [debugged, plain] {
            assert_eq!(Log::of(&output(stderr)).fatal().as_deref(), Some("run error: scan error: unexpected EOF"));
        }
        assert_eq!(Log::of(&output("panic: x\n")).fatal(), None);
    }

    #[test]
    fn files_that_could_not_be_read_are_named_once() {
        let stderr = "T\tDEBUG\tWalk error\tfile_path=\"app/a \\\"b.jar\" err=\"zip: not a valid zip file\"\n\
                      T\tDEBUG\tWalk error\tfile_path=\"app/a \\\"b.jar\" err=\"again\"\n\
                      T\tDEBUG\t[analyzer] Analysis error\terr=\"failed to parse rpmdb: x\"\n\
                      T\tDEBUG\tother\tfile_path=\"b\"\n";
        let unread: Vec<_> = Log::of(&output(stderr)).unread().into_iter().collect();
        assert_eq!(unread, ["app/a \\\"b.jar", "failed to parse rpmdb: x"]);
    }

    #[test]
    fn a_warning_is_told_unless_it_is_known() {
        let stderr = "T\tWARN\t[dpkg] Parse error\tfile_path=\"a\"\nT\tWARN\tUnsupported os\tfamily=\"x\"\nT\tINFO\tx\nnoise\n";
        assert_eq!(Log::of(&output(stderr)).warnings(), ["[dpkg] Parse error file_path=\"a\""]);
    }
}
